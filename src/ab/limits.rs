//! Values that are too large to sum, and a cap for values that would decide the result alone.

use super::AbError;
use super::units::{Kind, Outcome};
use super::values::Column;
use crate::report::number::cell;
use crate::stats::quantiles;

/// Above this, the fourth power of a value, summed over units, overflows.
const MAX_VALUE: f64 = 1e60;
/// Below this the fourth power of a value underflows.
const MIN_VALUE: f64 = 1e-60;

impl Column {
    /// Infinite values are an error, and an outcome with values too large to sum gets no result; with `skip_invalid`
    /// both kinds of values count as missing.
    pub(super) fn check(&mut self, file: &str, skip_invalid: bool, notes: &mut Vec<String>) -> Result<(), AbError> {
        let name = self.name.clone();
        let whole = name.split_once('/').or(name.rsplit_once('@')).unwrap_or((&name, ""));
        let (over, under) = if matches!(self.kind, Kind::Ratio | Kind::Quantile) { whole } else { (&*name, "") };
        let over = over.to_owned();
        let mut parts = vec![(over.clone(), &mut self.y)];
        parts.extend(self.x.as_mut().map(|x| (under.to_owned(), x)));
        parts.extend(self.pre.as_mut().map(|(name, values)| (name.clone(), values)));
        for (name, values) in parts {
            let wrong: Vec<usize> = (0..values.len()).filter(|&row| is_too_large(values[row])).collect();
            // Infinite values are reported first.
            let worst = wrong.iter().copied().find(|&row| values[row].is_infinite()).or(wrong.first().copied());
            let Some(row) = worst else { continue };
            let place = format!("row {}, column {name:?}: {:e} is too large to sum", row + 1, values[row]);
            if skip_invalid {
                let n = wrong.len();
                notes.push(format!(
                    "{name:?}: {n} values are too large to sum and count as missing (such as row {})",
                    row + 1
                ));
                wrong.into_iter().for_each(|row| values[row] = f64::NAN);
                continue;
            }
            let what = format!("{place}; correct it, or count it as missing with --skip-invalid");
            if values[row].is_infinite() {
                return Err(AbError::Usage(format!("{file}: {what}")));
            }
            self.untold.get_or_insert(what);
        }
        let largest = self.y.iter().filter(|y| !y.is_nan()).fold(0.0_f64, |largest, y| largest.max(y.abs()));
        if largest > 0.0 && largest < MIN_VALUE {
            let what = format!(
                "the values of column {over:?}, at most {largest:e}, are too small to square; give them in another \
                 unit"
            );
            self.untold.get_or_insert(what);
        }
        Ok(())
    }

    /// Sets every value to unknown if the values cannot be analysed.
    pub(super) fn silenced(&self, outcome: Outcome) -> Outcome {
        match &self.untold {
            Some(why) => silenced(outcome, why.clone()),
            None => outcome,
        }
    }
}

/// The outcome without any known value, and the reason why there is no result on it.
pub(super) fn silenced(mut outcome: Outcome, why: String) -> Outcome {
    outcome.y.fill(f64::NAN);
    Outcome { untold: Some(why), ..outcome }
}

/// Whether a value's fourth power, summed over units, overflows.
fn is_too_large(value: f64) -> bool {
    value.abs() > MAX_VALUE
}

/// The outcome with values above the `cap` quantile of all units, over all arms, set to that quantile.
///
/// The limit is the same for all arms, so arms without an effect stay equal; the capped means are compared.
pub(super) fn capped(mut outcome: Outcome, cap: f64, notes: &mut Vec<String>) -> Result<Outcome, AbError> {
    match outcome.kind {
        Kind::Share | Kind::Quantile => return Ok(outcome),
        // No values: nothing to cap.
        Kind::Ratio if outcome.untold.is_some() => return Ok(outcome),
        Kind::Ratio => return Err(AbError::Usage(format!("--cap is for means; {:?} is a ratio", outcome.name))),
        Kind::Mean => {}
    }
    let mut known: Vec<f64> = outcome.y.iter().copied().filter(|y| !y.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    if known.is_empty() {
        return Ok(outcome);
    }
    let limit = quantiles::quantile_sorted(&known, cap);
    let above = known.iter().filter(|y| **y > limit).count();
    if above > 0 && known.first().is_some_and(|least| *least == limit) {
        return Err(AbError::Usage(format!(
            "--cap {cap}: this quantile of {:?} is its smallest value {}, so every value would be equal; \
             {above} of {} units are above it: choose a higher quantile",
            outcome.name,
            cell(limit),
            known.len()
        )));
    }
    outcome.capped = Some((cap, outcome.y.clone()));
    outcome.y.iter_mut().filter(|y| **y > limit).for_each(|y| *y = limit);
    notes.push(format!(
        "{:?}: {above} of {} units are above the {cap} quantile of all units ({}); their values are capped there",
        outcome.name,
        known.len(),
        cell(limit)
    ));
    Ok(outcome)
}

/// A part of a capped outcome, capped at the quantile of its own units. If these are constant except for a few, it is
/// not capped again.
pub(super) fn capped_again(mut outcome: Outcome) -> Outcome {
    let Some((cap, before)) = outcome.capped.take() else { return outcome };
    let part = Outcome { y: before, ..outcome };
    capped(part.clone(), cap, &mut Vec::new()).unwrap_or(part)
}
