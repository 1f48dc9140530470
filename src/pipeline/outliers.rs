//! Rows with numbers far outside the middle half, as `[features] outliers` treats them.

use super::Examples;
use crate::features::{FeatureOptions, Outliers, Task, tukey};
use crate::table::{Table, Values};

/// The outliers found among the training rows.
pub(super) struct Found {
    /// The training rows, without the dropped ones.
    pub(super) rows: Vec<u32>,
    /// A remark for the user; `None` if outliers are not handled.
    pub(super) note: Option<String>,
}

/// Looks for numbers of `rows`, also in `computed` columns, outside Tukey's fences, computed on these rows.
pub(super) fn look(examples: &Examples, computed: &Table, rows: &[u32], options: &FeatureOptions) -> Found {
    if options.outliers == Outliers::Keep {
        return Found { rows: rows.to_vec(), note: None };
    }
    let mut out = vec![false; rows.len()];
    let mut by_column: Vec<(usize, &str)> = Vec::new();
    for column in examples.table.columns().iter().chain(computed.columns()) {
        let Values::Number(values) = &column.values else { continue };
        if column.name == examples.target.name || options.drop.contains(&column.name) {
            continue;
        }
        let of_rows = || rows.iter().map(|&row| values[row as usize]);
        let mut sorted: Vec<f64> = of_rows().filter(|v| v.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        if sorted.is_empty() {
            continue;
        }
        let Some((low, high)) = tukey(&sorted, options.clip_factor) else { continue };
        let mut n = 0;
        for (out, value) in out.iter_mut().zip(of_rows()) {
            if value < low || value > high {
                *out = true;
                n += 1;
            }
        }
        if n > 0 {
            by_column.push((n, &column.name));
        }
    }
    by_column.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let kept = rows.iter().zip(&out).filter(|(_, out)| !**out).map(|(row, _)| *row).collect();
    let note = Some(sentence(examples, rows, &out, &by_column, options.outliers));
    Found { rows: if options.outliers == Outliers::Drop { kept } else { rows.to_vec() }, note }
}

fn sentence(examples: &Examples, rows: &[u32], out: &[bool], by_column: &[(usize, &str)], rule: Outliers) -> String {
    const MOST_NAMED: usize = 5;
    let n = out.iter().filter(|out| **out).count();
    let done = if rule == Outliers::Drop { "are not used for training" } else { "have clipped numbers" };
    let mut text = format!("outliers: {n} of {} rows {done}", rows.len());
    if n > 0 {
        let mut named: Vec<String> =
            by_column.iter().take(MOST_NAMED).map(|(n, name)| format!("{name:?} in {n}")).collect();
        if by_column.len() > MOST_NAMED {
            named.push(format!("{} more columns", by_column.len() - MOST_NAMED));
        }
        text = format!("{text} ({})", named.join(", "));
    }
    if examples.target.task == Task::Binary {
        let positive = |row: u32| examples.y[row as usize] == 1.0;
        let all = rows.iter().filter(|&&row| positive(row)).count();
        let of_them = rows.iter().zip(out).filter(|(row, out)| **out && positive(**row)).count();
        text = format!("{text}; {of_them} of the {all} rows of {:?} are among them", examples.target.classes[1]);
    }
    text
}
