//! Cells to outcomes: numbers, 0 and 1, TRUE and FALSE, yes and no.

use super::AbError;
use super::request::{OutcomesRequest, Repeated};
use super::units::{Kind, Outcome, Units, When};
use crate::stats::tails;
use crate::table::Kind as Cells;
use crate::table::level::truth;
use crate::table::{
    Categories, ColumnSpec, Input, MISSING_CODE, ReadOptions, ReadResult, Same, Schema, Spelling, Table, Values, read,
};

/// Texts that count as 1 and as 0 by default, in addition to the words for yes and no in several languages.
const ONE: [&str; 12] = [
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
const ZERO: [&str; 8] = ["none", "not converted", "failure", "failed", "negative", "lost", "loss", "no click"];
/// A report cannot have more units than this.
const MAX_SPREAD: f64 = 1e8;

/// The columns to read, and how.
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
                    Err(AbError::Usage(format!("column {name:?} cannot be used in two roles")))
                }
                Some(_) => Ok(()),
                None => {
                    // The user decides whether two spellings are the same arm.
                    let spelling = match name == request.arm {
                        true => Spelling::new(Vec::new(), Same::Rule(false)),
                        false => found.spelling.clone(),
                    };
                    columns.push(ColumnSpec { kind, spelling, ..found.clone() });
                    Ok(())
                }
            }
        };
        want(request.arm, Some(Cells::Category))?;
        if let Some(unit) = request.unit {
            want(unit, Some(Cells::Text))?;
        }
        for outcome in request.outcomes {
            let has = |name: &str| inferred.column(name).is_some();
            match (ratio(outcome, &has), quantile(outcome, &has)) {
                (Some((y, x)), _) => {
                    std::iter::once(y).chain(x).try_for_each(|name| want(name, Some(Cells::Number)))?;
                }
                (None, Some((y, _))) => want(y, Some(Cells::Number))?,
                (None, None) => want(outcome, None)?,
            }
        }
        [request.pre, request.n].into_iter().flatten().try_for_each(|name| want(name, Some(Cells::Number)))?;
        if let Some(strata) = request.strata {
            want(strata, Some(Cells::Category))?;
        }
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

/// `numerator/denominator` or `numerator/first+second`, if no column has the whole text as its name.
fn ratio<'a>(outcome: &'a str, has: &dyn Fn(&str) -> bool) -> Option<(&'a str, Vec<&'a str>)> {
    let (y, x) = outcome.split_once('/').filter(|_| !has(outcome))?;
    Some((y, if has(x) { vec![x] } else { x.split('+').collect() }))
}

/// `column@quantile`, if no column has the whole text as its name.
fn quantile<'a>(outcome: &'a str, has: &dyn Fn(&str) -> bool) -> Option<(&'a str, f64)> {
    let (y, q) = outcome.rsplit_once('@').filter(|_| !has(outcome))?;
    let q = q.parse().ok().filter(|q| *q > 0.0 && *q < 1.0)?;
    Some((y, q))
}

/// An outcome by row.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) y: Vec<f64>,
    pub(super) x: Option<Vec<f64>>,
    pub(super) pre: Option<(String, Vec<f64>)>,
    /// The quantile to compare, if any.
    pub(super) quantile: Option<f64>,
    /// Why it is not analysed, if its values cannot be summed.
    pub(super) untold: Option<String>,
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
        let has = |name: &str| table.column(name).is_some();
        let alone = |what: &str| match pre.is_some() || request.n.is_some() {
            true => Err(AbError::Usage(format!("--pre and --n apply to means and shares; {name:?} is a {what}"))),
            false => Ok(()),
        };
        let column =
            |kind, y, x, quantile| Self { name: name.to_owned(), kind, y, x, pre: None, quantile, untold: None };
        if let Some((y, parts)) = ratio(name, &has) {
            alone("ratio")?;
            let mut x = vec![0.0; table.n_rows()];
            for part in parts {
                x.iter_mut().zip(numbers(table, part)?).for_each(|(all, part)| *all += part);
            }
            let mut y = numbers(table, y)?;
            if request.missing_is_zero {
                y.iter_mut().filter(|y| y.is_nan()).for_each(|y| *y = 0.0);
            }
            let n = leave_out_halves(&mut y, &mut x);
            if n > 0 {
                notes.push(format!("{name:?}: {n} rows lack the numerator or a denominator and are left out"));
            }
            return Ok(column(Kind::Ratio, y, Some(x), None));
        }
        if let Some((y, q)) = quantile(name, &has) {
            alone("quantile")?;
            return Ok(column(Kind::Quantile, numbers(table, y)?, None, Some(q)));
        }
        let y = match &table.require(name)?.values {
            Values::Number(y) => y.clone(),
            Values::Category(texts) => texts_to_numbers(name, texts, request.positive, notes)?,
            _ => return Err(AbError::Usage(format!("column {name:?} contains no outcome"))),
        };
        let share = y.iter().all(|y| y.is_nan() || *y == 0.0 || *y == 1.0);
        Ok(Self { pre, ..column(if share { Kind::Share } else { Kind::Mean }, y, None, None) })
    }
}

/// Sets both parts of a ratio to missing if one of them is: a numerator or denominator alone has no meaning. Returns
/// the number of rows.
fn leave_out_halves(y: &mut [f64], x: &mut [f64]) -> usize {
    let mut n = 0;
    for (y, x) in y.iter_mut().zip(x).filter(|(y, x)| y.is_nan() != x.is_nan()) {
        (*y, *x, n) = (f64::NAN, f64::NAN, n + 1);
    }
    n
}

fn numbers(table: &Table, name: &str) -> Result<Vec<f64>, AbError> {
    match &table.require(name)?.values {
        Values::Number(values) => Ok(values.clone()),
        _ => Err(AbError::Usage(format!("column {name:?} contains no numbers"))),
    }
}

pub(super) fn texts_to_numbers(
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

/// The number that each text of a column counts as.
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
    let value = |level: &str| match truth(level) {
        Some(yes) => Some(f64::from(u8::from(yes))),
        None if is(&ONE, level) => Some(1.0),
        None if is(&ZERO, level) => Some(0.0),
        None => None,
    };
    let known: Vec<Option<f64>> = levels.iter().map(|level| value(level)).collect();
    let shown = levels.iter().take(6).map(|level| format!("{level:?}")).collect::<Vec<_>>().join(", ");
    match known.as_slice() {
        [Some(one), None] | [None, Some(one)] => {
            let values: Vec<f64> = known.iter().map(|known| known.unwrap_or(1.0 - one)).collect();
            let at = values.iter().position(|value| *value == 1.0).unwrap_or(0);
            notes.push(format!(
                "{name:?}: {:?} counts as 1, the other text as 0; --positive chooses another",
                levels[at]
            ));
            Ok(values)
        }
        known if known.iter().all(Option::is_some) => Ok(known.iter().map(|known| known.unwrap_or(f64::NAN)).collect()),
        _ => Err(AbError::Usage(format!(
            "the outcome {name:?} contains texts ({shown}{}): choose with --positive which one counts as 1",
            if levels.len() > 6 { ", …" } else { "" }
        ))),
    }
}

/// Combines the values of a unit's rows; `NaN` if all are unknown.
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

/// Expands rows of `n` units each to that many units, of which as many count 1 as the outcome's value says. Adds a note
/// if the rows of an arm vary more than independent units would.
pub(super) fn spread(
    units: Units,
    n: &Values,
    rows: &[usize],
    column: &str,
    notes: &mut Vec<String>,
) -> Result<Units, AbError> {
    let Values::Number(n) = n else {
        return Err(AbError::Usage(format!("--n: column {column:?} contains no numbers")));
    };
    let sizes: Vec<f64> = rows.iter().map(|&row| n[row]).collect();
    let whole = |x: f64| x >= 0.0 && x.fract() == 0.0;
    if let Some(wrong) = sizes.iter().find(|size| !whole(**size)) {
        return Err(AbError::Usage(format!("--n: column {column:?} contains {wrong}, which is not a number of units")));
    }
    if sizes.iter().sum::<f64>() > MAX_SPREAD {
        return Err(AbError::Usage(format!("--n: {column:?} sums to more than {MAX_SPREAD} units")));
    }
    for outcome in &units.outcomes {
        if matches!(outcome.kind, Kind::Ratio | Kind::Quantile) || outcome.pre.is_some() {
            return Err(AbError::Usage(
                "--n applies to counts, not to ratios, and cannot be combined with --pre".to_owned(),
            ));
        }
        if let Some((k, n)) = outcome.y.iter().zip(&sizes).find(|(k, n)| !whole(**k) || k > n) {
            return Err(AbError::Usage(format!(
                "column {:?} contains {k}, which is not a count out of {n} units",
                outcome.name
            )));
        }
    }
    for outcome in &units.outcomes {
        let (statistic, freedom) = scatter(&units, outcome, &sizes);
        if freedom > 0.0 && tails::chi_squared(statistic, freedom) < MAX_SCATTER_P {
            notes.push(format!(
                "{0:?}: rows of one arm vary {1:.1} times as much as independent units would (p below \
                 {MAX_SCATTER_P}): the intervals are too narrow, do not rely on the verdict; use --outcome \
                 {0}/{column} in place of --n to count rows as units",
                outcome.name,
                statistic / freedom
            ));
        }
    }
    Ok(spread_out(&units, &sizes))
}

/// Below this p-value the units of a row are not considered independent.
const MAX_SCATTER_P: f64 = 0.001;

/// χ² of the rows' counts about their arm's share within each stratum, and its degrees of freedom.
fn scatter(units: &Units, outcome: &Outcome, sizes: &[f64]) -> (f64, f64) {
    let n_arms = units.arms.len();
    let cell = |row: usize| usize::from(units.stratum[row]) * n_arms + usize::from(units.arm[row]);
    let mut sums = vec![(0.0, 0.0, 0.0); units.strata.len() * n_arms];
    let rows = || (0..sizes.len()).filter(|&row| sizes[row] > 0.0);
    for row in rows() {
        let sum = &mut sums[cell(row)];
        *sum = (sum.0 + outcome.y[row], sum.1 + sizes[row], sum.2 + 1.0);
    }
    let part = |row: usize| {
        let (k, n, _) = sums[cell(row)];
        let share = k / n;
        let variance = sizes[row] * share * (1.0 - share);
        if variance > 0.0 { (outcome.y[row] - sizes[row] * share).powi(2) / variance } else { 0.0 }
    };
    let freedom = |(k, n, rows): &(f64, f64, f64)| if *k > 0.0 && k < n { rows - 1.0 } else { 0.0 };
    (rows().map(part).sum(), sums.iter().map(freedom).sum())
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
