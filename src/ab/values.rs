//! Cells to outcomes: numbers, 0 and 1, TRUE and FALSE, yes and no.

use super::AbError;
use super::table::{OutcomesRequest, Repeated};
use super::units::{Kind, Outcome, Units, When};
use crate::stats::quantiles;
use crate::table::Kind as Cells;
use crate::table::{Categories, ColumnSpec, Input, MISSING_CODE, ReadOptions, ReadResult, Schema, Table, Values, read};

/// Texts that count 1 and texts that count 0, where nobody says which.
const ONE: [&str; 17] = [
    "true",
    "t",
    "yes",
    "y",
    "1",
    "converted",
    "conversion",
    "success",
    "successful",
    "retained",
    "clicked",
    "click",
    "purchased",
    "purchase",
    "positive",
    "won",
    "win",
];
const ZERO: [&str; 13] = [
    "false",
    "f",
    "no",
    "n",
    "0",
    "none",
    "not converted",
    "failure",
    "failed",
    "negative",
    "lost",
    "loss",
    "no click",
];
/// More units than a report can hold.
const MAX_SPREAD: f64 = 1e8;

/// The columns that are read, and how.
pub(super) struct Wanted {
    schema: Schema,
}

impl Wanted {
    pub(super) fn new(request: &OutcomesRequest, inferred: &Schema) -> Result<Self, AbError> {
        let mut columns: Vec<ColumnSpec> = Vec::new();
        let mut want = |name: &str, cells: Option<Cells>| -> Result<(), AbError> {
            let found = inferred.column(name).ok_or_else(|| crate::table::TableError::NoColumn {
                column: name.to_owned(),
                have: inferred.columns.iter().map(|c| c.name.clone()).collect(),
            })?;
            let kind = cells.unwrap_or(match found.kind {
                Cells::Number => Cells::Number,
                _ => Cells::Category,
            });
            let kind = if found.kind == Cells::Time && cells == Some(Cells::Time) { Cells::Time } else { kind };
            match columns.iter().find(|column| column.name == name) {
                Some(taken) if taken.kind != kind => {
                    Err(AbError::Usage(format!("the column {name:?} cannot be two things at once")))
                }
                Some(_) => Ok(()),
                None => {
                    columns.push(ColumnSpec { kind, ..found.clone() });
                    Ok(())
                }
            }
        };
        want(request.arm, Some(Cells::Category))?;
        if let Some(unit) = request.unit {
            want(unit, Some(Cells::Text))?;
        }
        for outcome in request.outcomes {
            match ratio(outcome, inferred) {
                Some((y, x)) => [y, x].into_iter().try_for_each(|name| want(name, Some(Cells::Number)))?,
                None => want(outcome, None)?,
            }
        }
        [request.pre, request.n].into_iter().flatten().try_for_each(|name| want(name, Some(Cells::Number)))?;
        if let Some(time) = request.time {
            let is_time = inferred.column(time).is_some_and(|column| column.kind == Cells::Time);
            want(time, Some(if is_time { Cells::Time } else { Cells::Number }))?;
        }
        Ok(Self { schema: Schema { dialect: inferred.dialect.clone(), columns } })
    }

    pub(super) fn read(&self, input: Input, skip_invalid: bool) -> Result<ReadResult, AbError> {
        Ok(read(input, &self.schema, &ReadOptions { skip_invalid, ..ReadOptions::default() })?)
    }
}

/// `numerator/denominator`, when there is no column of that whole name.
fn ratio<'a>(outcome: &'a str, schema: &Schema) -> Option<(&'a str, &'a str)> {
    let (y, x) = outcome.split_once('/')?;
    (schema.column(outcome).is_none()).then_some((y, x))
}

/// An outcome by row.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) y: Vec<f64>,
    pub(super) x: Option<Vec<f64>>,
    pub(super) pre: Option<(String, Vec<f64>)>,
}

impl Column {
    pub(super) fn read(
        table: &Table,
        name: &str,
        request: &OutcomesRequest,
        notes: &mut Vec<String>,
    ) -> Result<Self, AbError> {
        let pre = match request.pre {
            Some(pre) => Some((pre.to_owned(), numbers(table, pre)?)),
            None => None,
        };
        if table.column(name).is_none()
            && let Some((y, x)) = name.split_once('/')
        {
            if request.pre.is_some() {
                return Err(AbError::Usage(format!("--pre adjusts means and shares; {name:?} is a ratio")));
            }
            return Ok(Self {
                name: name.to_owned(),
                kind: Kind::Ratio,
                y: numbers(table, y)?,
                x: Some(numbers(table, x)?),
                pre,
            });
        }
        let y = match &table.require(name)?.values {
            Values::Number(y) => y.clone(),
            Values::Category(texts) => texts_to_numbers(name, texts, request.positive, notes)?,
            _ => return Err(AbError::Usage(format!("the column {name:?} holds no outcome"))),
        };
        let share = y.iter().all(|y| y.is_nan() || *y == 0.0 || *y == 1.0);
        Ok(Self { name: name.to_owned(), kind: if share { Kind::Share } else { Kind::Mean }, y, x: None, pre })
    }
}

fn numbers(table: &Table, name: &str) -> Result<Vec<f64>, AbError> {
    match &table.require(name)?.values {
        Values::Number(values) => Ok(values.clone()),
        _ => Err(AbError::Usage(format!("the column {name:?} holds no numbers"))),
    }
}

fn texts_to_numbers(
    name: &str,
    texts: &Categories,
    positive: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Vec<f64>, AbError> {
    let levels: Vec<&str> = texts.levels.iter().map(String::as_str).collect();
    let values = level_values(name, &levels, positive, notes)?;
    let value = |&code: &u32| if code == MISSING_CODE { f64::NAN } else { values[code as usize] };
    Ok(texts.codes.iter().map(value).collect())
}

/// What each text of a column counts.
fn level_values(
    name: &str,
    levels: &[&str],
    positive: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Vec<f64>, AbError> {
    if let Some(positive) = positive.filter(|positive| levels.contains(positive)) {
        return Ok(levels.iter().map(|level| f64::from(u8::from(*level == positive))).collect());
    }
    let parsed: Option<Vec<f64>> =
        levels.iter().map(|level| level.parse().ok().filter(|x: &f64| x.is_finite())).collect();
    if let Some(parsed) = parsed {
        return Ok(parsed);
    }
    let is = |list: &[&str], level: &str| list.contains(&level.to_lowercase().as_str());
    let value = |level: &str| match (is(&ONE, level), is(&ZERO, level)) {
        (true, _) => Some(1.0),
        (_, true) => Some(0.0),
        _ => None,
    };
    let known: Vec<Option<f64>> = levels.iter().map(|level| value(level)).collect();
    let shown = levels.iter().take(6).map(|level| format!("{level:?}")).collect::<Vec<_>>().join(", ");
    match known.as_slice() {
        [Some(one), None] | [None, Some(one)] => {
            let values: Vec<f64> = known.iter().map(|known| known.unwrap_or(1.0 - one)).collect();
            let at = values.iter().position(|value| *value == 1.0).unwrap_or(0);
            notes.push(format!("{name:?}: {:?} counts 1, the other text 0; --positive names another", levels[at]));
            Ok(values)
        }
        known if known.iter().all(Option::is_some) => Ok(known.iter().map(|known| known.unwrap_or(f64::NAN)).collect()),
        _ => Err(AbError::Usage(format!(
            "the outcome {name:?} holds texts ({shown}{}): say with --positive which counts 1",
            if levels.len() > 6 { ", …" } else { "" }
        ))),
    }
}

/// Beyond this the square of a value, summed over units, is no number any more.
const MAX_VALUE: f64 = 1e100;

impl Column {
    /// Refuses what cannot be summed up, or takes it as missing when rows that do not fit are to be left out.
    pub(super) fn check(&mut self, file: &str, skip_invalid: bool, notes: &mut Vec<String>) -> Result<(), AbError> {
        let name = self.name.clone();
        let (over, under) = name.split_once('/').unwrap_or((&name, ""));
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
        Kind::Share => return Ok(outcome),
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

/// The values of a unit's rows made one; `NaN` when none is known.
pub(super) fn made_one(values: &[f64], rows: &[u32], rule: Repeated) -> f64 {
    if let [row] = rows {
        return values[*row as usize];
    }
    let known = || rows.iter().map(|&row| values[row as usize]).filter(|value| !value.is_nan());
    let n = known().count();
    match rule {
        _ if n == 0 => f64::NAN,
        Repeated::First => known().next().unwrap_or(f64::NAN),
        Repeated::Max => known().fold(f64::NEG_INFINITY, f64::max),
        Repeated::Sum => known().sum(),
        Repeated::Mean | Repeated::Auto => known().sum::<f64>() / n as f64,
    }
}

/// Rows that stand for many units each, as that many units: `n` of them, of which an outcome's value counts 1.
pub(super) fn spread(units: Units, n: &Values, rows: &[usize], column: &str) -> Result<Units, AbError> {
    let Values::Number(n) = n else {
        return Err(AbError::Usage(format!("--n: the column {column:?} holds no numbers")));
    };
    let sizes: Vec<f64> = rows.iter().map(|&row| n[row]).collect();
    let whole = |x: f64| x >= 0.0 && x.fract() == 0.0;
    if let Some(wrong) = sizes.iter().find(|size| !whole(**size)) {
        return Err(AbError::Usage(format!("--n: {column:?} holds {wrong}, which is no number of units")));
    }
    if sizes.iter().sum::<f64>() > MAX_SPREAD {
        return Err(AbError::Usage(format!("--n: {column:?} sums to more than {MAX_SPREAD} units")));
    }
    for outcome in &units.outcomes {
        if outcome.kind == Kind::Ratio || outcome.pre.is_some() {
            return Err(AbError::Usage("--n goes with counts, not with ratios or --pre".to_owned()));
        }
        if let Some((k, n)) = outcome.y.iter().zip(&sizes).find(|(k, n)| !whole(**k) || k > n) {
            return Err(AbError::Usage(format!("{:?} holds {k}, which is no count of {n} units", outcome.name)));
        }
    }
    Ok(spread_out(&units, &sizes))
}

fn spread_out(units: &Units, sizes: &[f64]) -> Units {
    fn many<T: Copy>(values: &[T], sizes: &[f64]) -> Vec<T> {
        values.iter().zip(sizes).flat_map(|(value, size)| std::iter::repeat_n(*value, *size as usize)).collect()
    }
    let outcome = |outcome: &Outcome| {
        let ones = |(k, n): (&f64, &f64)| {
            let (k, n) = (*k as usize, *n as usize);
            std::iter::repeat_n(1.0, k).chain(std::iter::repeat_n(0.0, n - k))
        };
        let y = outcome.y.iter().zip(sizes).flat_map(ones).collect();
        Outcome { kind: Kind::Share, y, ..outcome.clone() }
    };
    Units {
        arms: units.arms.clone(),
        strata: units.strata.clone(),
        arm: many(&units.arm, sizes),
        stratum: many(&units.stratum, sizes),
        at: units.at.as_ref().map(|at| match at {
            When::Time(at) => When::Time(many(at, sizes)),
            When::Number(at) => When::Number(many(at, sizes)),
        }),
        outcomes: units.outcomes.iter().map(outcome).collect(),
    }
}
