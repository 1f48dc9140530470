//! Columns that contain the target of a neighbouring row.
//!
//! At prediction time the value of the previous row is known, that of the next row is not. A sorted time column shows
//! which row is earlier; without one, rows are assumed to be in time order.

use super::same;
use crate::features::target::{Target, Task};
use crate::table::{Column, Table, Values};

/// Minimum number of rows whose neighbour has another target, and minimum share that must agree.
const MIN_CHANGES: usize = 30;
const MIN_AGREEMENT: f64 = 0.99;

/// Whether `column` contains the target of the next row in time.
pub(super) fn is_of_the_next_row(column: &Column, table: &Table, target: &Target, y: &[f64]) -> bool {
    let Some(values) = as_outcomes(column, target) else { return false };
    let n = y.len().min(values.len());
    if n < 2 {
        return false;
    }
    let raw = match (target.task, table.column(&target.name).map(|c| &c.values)) {
        (Task::Regression, Some(Values::Number(raw))) => raw,
        _ => y,
    };
    let (own, next) = match runs_backwards(table) {
        true => (1..n, 0..n - 1),
        false => (0..n - 1, 1..n),
    };
    let (mut n_rows, mut n_alike, mut n_changes, mut n_alike_changes) = (0, 0, 0, 0);
    for (own, next) in own.zip(next) {
        let (value, mine, theirs) = (values[own], raw[own], raw[next]);
        if [value, mine, theirs, y[own], y[next]].iter().any(|v| v.is_nan()) {
            continue;
        }
        let (alike, changes) = (usize::from(same(value, theirs)), usize::from(!same(mine, theirs)));
        n_rows += 1;
        n_alike += alike;
        n_changes += changes;
        n_alike_changes += alike * changes;
    }
    let agree = |alike: usize, of: usize| alike as f64 >= MIN_AGREEMENT * of as f64;
    2 * n_rows >= n && n_changes >= MIN_CHANGES && agree(n_alike, n_rows) && agree(n_alike_changes, n_changes)
}

/// The column's cells, encoded like the target; `None` if they are not values of the target.
fn as_outcomes(column: &Column, target: &Target) -> Option<Vec<f64>> {
    match (&column.values, target.task) {
        (Values::Number(values), Task::Regression) => Some(values.clone()),
        (Values::Category(cells), Task::Binary | Task::Multiclass) => {
            let class = |level: &String| target.classes.iter().position(|class| class == level);
            let classes: Vec<f64> =
                cells.levels.iter().map(class).map(|c| c.map(|c| c as f64)).collect::<Option<_>>()?;
            Some(cells.codes.iter().map(|&code| classes.get(code as usize).copied().unwrap_or(f64::NAN)).collect())
        }
        (Values::Number(values), Task::Binary | Task::Multiclass) => {
            let classes: Vec<f64> = target.classes.iter().map(|class| class.parse().ok()).collect::<Option<_>>()?;
            let class = |value: &f64| classes.iter().position(|class| class == value).map_or(f64::NAN, |c| c as f64);
            Some(values.iter().map(class).collect())
        }
        _ => None,
    }
}

/// Whether a time column shows that the table is sorted from latest to earliest.
fn runs_backwards(table: &Table) -> bool {
    table.columns().iter().any(|column| {
        let Values::Time(times) = &column.values else { return false };
        let steps = || (1..times.len()).filter(|&r| !column.values.is_missing(r) && !column.values.is_missing(r - 1));
        let n_back = steps().filter(|&r| times[r] < times[r - 1]).count();
        let n_forward = steps().filter(|&r| times[r] > times[r - 1]).count();
        n_back >= MIN_CHANGES && n_back as f64 >= MIN_AGREEMENT * (n_back + n_forward) as f64
    })
}
