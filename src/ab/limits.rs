//! Values that no sum can hold, and a limit to those that would decide alone.

use super::AbError;
use super::units::{Kind, Outcome};
use super::values::Column;
use crate::stats::quantiles;

/// Beyond this the square of a value, summed over units, is no number any more.
const MAX_VALUE: f64 = 1e100;

impl Column {
    /// Refuses what cannot be summed up, or takes it as missing when rows that do not fit are to be left out.
    pub(super) fn check(&mut self, file: &str, skip_invalid: bool, notes: &mut Vec<String>) -> Result<(), AbError> {
        let name = self.name.clone();
        let whole = name.split_once('/').or(name.rsplit_once('@')).unwrap_or((&name, ""));
        let (over, under) = if self.kind == Kind::Ratio || self.kind == Kind::Quantile { whole } else { (&*name, "") };
        let parts = [(over, Some(&mut self.y)), (under, self.x.as_mut())];
        let before = self.pre.as_mut().map(|(name, values)| (name.clone(), values));
        let mut refuse = |name: &str, values: &mut Vec<f64>| -> Result<(), AbError> {
            let is_wrong = |value: &f64| value.is_infinite() || value.abs() > MAX_VALUE;
            let Some(row) = values.iter().position(is_wrong) else { return Ok(()) };
            if !skip_invalid {
                return Err(AbError::Usage(format!(
                    "{file}: row {}, column {name:?}: {:e} cannot be summed up; correct it, or count it as missing with \
                     --skip-invalid",
                    row + 1,
                    values[row]
                )));
            }
            let wrong: Vec<usize> = (0..values.len()).filter(|&row| is_wrong(&values[row])).collect();
            notes.push(format!(
                "{name:?}: {} values cannot be summed up and count as missing (the first in row {})",
                wrong.len(),
                row + 1
            ));
            wrong.into_iter().for_each(|row| values[row] = f64::NAN);
            Ok(())
        };
        for (name, values) in parts {
            values.map_or(Ok(()), |values| refuse(name, values))?;
        }
        before.map_or(Ok(()), |(name, values)| refuse(&name, values))
    }
}

/// The outcome with values above the `cap` quantile of all units, whatever their arm, made that quantile.
///
/// The same limit for all arms, so that without an effect the arms stay alike; what is compared is the capped mean.
pub(super) fn capped(mut outcome: Outcome, cap: f64, notes: &mut Vec<String>) -> Result<Outcome, AbError> {
    match outcome.kind {
        Kind::Share | Kind::Quantile => return Ok(outcome),
        Kind::Ratio => return Err(AbError::Usage(format!("--cap is for means; {:?} is a ratio", outcome.name))),
        Kind::Mean => {}
    }
    let mut known: Vec<f64> = outcome.y.iter().copied().filter(|y| !y.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    let limit = quantiles::quantile_sorted(&known, cap);
    let above = known.iter().filter(|y| **y > limit).count();
    if above > 0 && known.first().is_some_and(|least| *least == limit) {
        return Err(AbError::Usage(format!(
            "--cap {cap}: the quantile of {:?} is its smallest value {limit}, so nothing would be left; {above} of {} units \
             are above it: choose a higher quantile",
            outcome.name,
            known.len()
        )));
    }
    outcome.y.iter_mut().filter(|y| **y > limit).for_each(|y| *y = limit);
    notes.push(format!(
        "{:?}: {above} of {} units are above the {cap} quantile of all units ({limit}) and count as that",
        outcome.name,
        known.len()
    ));
    Ok(outcome)
}
