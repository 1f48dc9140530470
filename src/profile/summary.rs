//! A text summary of a profile.

use super::{ColumnProfile, Profile, Shape};
use crate::printable::name;
use std::fmt::Write as _;

/// One line per column; `heading` sets the line above them.
#[must_use]
pub fn summary(profile: &Profile, heading: impl Fn(&str) -> String) -> String {
    let width = profile.columns.iter().map(|c| name(&c.name).chars().count()).max().unwrap_or(0).clamp(6, 32);
    let exact = match profile.rank_error() {
        _ if profile.exact() => "exact".to_owned(),
        error => format!("sketched, ranks within {:.2} % of the rows", error * 100.0),
    };
    // Writing to a String cannot fail.
    let mut text = format!("{} rows, {} columns; {exact}\n", profile.n_rows, profile.columns.len());
    let _ = writeln!(text, "{}", heading(&format!("{:<width$}  kind      missing  distribution", "column")));
    for column in &profile.columns {
        let missing = column.n_missing as f64 / profile.n_rows.max(1) as f64 * 100.0;
        let _ =
            writeln!(text, "{:<width$}  {:<8}  {missing:>5.1} %  {}", name(&column.name), column.kind, words(column));
    }
    text
}

fn words(column: &ColumnProfile) -> String {
    match &column.shape {
        Shape::Text => String::new(),
        Shape::Levels(levels) => {
            let mut order: Vec<(&String, &u64)> = levels.counts.iter().collect();
            order.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
            let n = levels.n().max(1) as f64;
            let share =
                |(level, count): &(&String, &u64)| format!("{} {:.0} %", name(level), **count as f64 / n * 100.0);
            let first: Vec<String> = order.iter().take(3).map(share).collect();
            let s = if order.len() == 1 { "" } else { "s" };
            format!("{} level{s}: {}", order.len(), first.join(", "))
        }
        Shape::Numbers(numbers) => {
            let quarters = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| numbers.quantile(share));
            let Some(quarters) = quarters.into_iter().collect::<Option<Vec<f64>>>() else {
                return "no number".to_owned();
            };
            if column.kind == crate::table::Kind::Time {
                let at = |t: f64| jiff::Timestamp::from_microsecond(t as i64).map_or("?".to_owned(), |t| t.to_string());
                return format!("{} to {}", at(quarters[0]), at(quarters[4]));
            }
            let shown: Vec<String> = quarters.into_iter().map(short).collect();
            let mean = numbers.moments.known_mean().map_or("too large".to_owned(), short);
            format!("mean {mean}, quartiles {}", shown.join(" · "))
        }
    }
}

/// About four digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = if size >= 1000.0 || value.fract() == 0.0 {
        0
    } else if size >= 10.0 {
        1
    } else {
        3
    };
    format!("{value:.digits$}")
}
