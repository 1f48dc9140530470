//! The questions of the default rule about a column. Each has its own p-value and a table of counts that measures how
//! large the change is, so significance and size refer to the same change. Both use effective numbers of rows
//! (`worth.rs`); texts report actual numbers.
//!
//! | question | of | test | cells of the effect |
//! |---|---|---|---|
//! | `ks` | numbers | Kolmogorov–Smirnov | reference deciles, outside of the range |
//! | `homogeneity` | categories | χ² | levels |
//! | `levels` | categories, numbers | Fisher, each rare level or repeated number against the rest | that one, the rest |
//! | `range` | numbers, times | how many lie beyond all of the other side's | outside, inside |
//! | `hours`, `weekdays`, `months` | times | χ² on counts per day of the calendar | those parts |
//! | `missing`, `infinite` | all, numbers | Fisher | those cells, the others |

use super::findings::{date, horizon, later_than};
use super::large::Large;
use super::pair::{ColumnPair, PairValues};
use super::worth::Sides;
use crate::profile::Calendar;
use crate::profile::calendar::{DAY_MICROS, week_between, week_of};
use crate::stats::exact::{beyond, fisher, least};
use crate::stats::sample::{Cannot, Measured, Sample};
use crate::stats::{kolmogorov, ks, levels, shares};

/// Up to this many rows the default rule's p is exact; beyond, the asymptotic p is close and much cheaper.
const EXACT_P_UP_TO: u64 = 1000;

/// The answer to one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The question's name.
    pub method: &'static str,
    /// Its statistic, or the change of the share in question.
    pub statistic: f64,
    /// The probability of such a change or a larger one without drift.
    pub p: f64,
    /// Counts of the reference and of the current table in the cells of the question.
    pub cells: [Vec<u64>; 2],
    /// The finding in words, unless it is about the distribution as a whole.
    pub because: Option<String>,
}

impl Probe {
    /// The size of the change, in units of Cohen's h.
    #[must_use]
    pub fn effect(&self) -> Option<f64> {
        shares::effect(&self.cells[0], &self.cells[1]).ok()
    }

    /// Whether the change is large.
    #[must_use]
    pub fn is_large(&self, large: &Large) -> bool {
        large.is(&self.cells[0], &self.cells[1])
    }
}

/// All questions that can be answered; the one about the distribution as a whole comes first.
///
/// # Errors
/// Why the distribution cannot be compared, if no other question can be answered either.
pub fn probes(pair: &ColumnPair) -> Result<Vec<Probe>, Cannot> {
    let cells = pair.value_cells();
    let worth = pair.worth.values;
    let cells = worth.cells([&cells.reference, &cells.current]);
    let whole = |method, measured: Measured| Probe {
        method,
        statistic: measured.statistic,
        p: measured.p.unwrap_or(f64::NAN),
        cells: cells.clone(),
        because: None,
    };
    let (values, mut found) = match &pair.values {
        PairValues::Number { reference, current, .. } => {
            (kolmogorov_smirnov(pair, reference, current).map(|measured| whole("ks", measured)), range(pair))
        }
        PairValues::Category { .. } => {
            let measured = levels::homogeneity(&cells[0], &cells[1]);
            (measured.map(|measured| whole("homogeneity", measured)), Vec::new())
        }
        PairValues::Time { current, calendars, .. } => {
            let parts = calendars.as_ref().map_or(Vec::new(), |sides| calendar(pair, sides));
            let mut parts = parts.into_iter();
            let first = parts.next().ok_or_else(|| Cannot::because("the two tables share no part of the calendar"));
            (first, parts.chain(instants(pair, current, horizon(pair))).collect())
        }
    };
    found.extend(rare(pair));
    found.extend(absent(pair));
    match (values, found.is_empty()) {
        (Ok(values), _) => Ok([vec![values], found].concat()),
        (Err(_), false) => Ok(found),
        (Err(reason), true) => Err(reason),
    }
}

/// Kolmogorov–Smirnov on the non-missing values. A sketch's rank error is subtracted from the distance before p is
/// computed.
fn kolmogorov_smirnov(pair: &ColumnPair, reference: &Sample, current: &Sample) -> Result<Measured, Cannot> {
    let (n, m) = (reference.n(), current.n());
    let worth = pair.worth.values.both((n, m));
    match pair.rank_error == 0.0 && n.max(m) <= EXACT_P_UP_TO && worth == (n, m) {
        true => ks::test(reference, current),
        false => ks::distance(reference, current)
            .map(|d| Measured { statistic: d, p: Some(beyond_the_sketch(d - pair.rank_error, worth.0, worth.1)) }),
    }
}

/// P(D ≥ d) without drift, at the effective number of rows nm/(n + m).
fn beyond_the_sketch(d: f64, n: u64, m: u64) -> f64 {
    let effective = n as f64 * m as f64 / (n + m).max(1) as f64;
    kolmogorov::survival(effective.round_ties_even() as u64, d.max(0.0))
}

/// Current values outside the range of the reference.
fn range(pair: &ColumnPair) -> Vec<Probe> {
    let (n, m) = pair.n_values();
    let Some((below, above)) = pair.outside().filter(|_| n > 0 && m > 0) else { return Vec::new() };
    let worth = pair.worth.rare;
    let beyond = |k| beyond(worth.current(k), worth.reference(n), worth.current(m));
    let p = (2.0 * beyond(below).min(beyond(above))).min(1.0);
    let because = pair.reference_range().map(|(low, high)| {
        let share = percent(below + above, m);
        format!("{share} of the values outside {low} to {high}, the range of the reference")
    });
    vec![Probe { because, p, ..part("range", (0, n), (below + above, m), worth) }]
}

/// Instants before all of the reference's, and those in the future, see [`horizon`]. Later instants as such are not
/// drift.
fn instants(pair: &ColumnPair, current: &Sample, horizon: Option<i64>) -> Option<Probe> {
    let (n, m) = pair.n_values();
    let (before, _) = pair.outside().filter(|_| n > 0 && m > 0)?;
    let later = horizon.map_or(0, |horizon| later_than(current, horizon));
    let outside = before + later;
    let because = format!(
        "{} of the rows in the future or before {}, where the reference begins",
        percent(outside, m),
        date(pair.reference_range()?.0)
    );
    Some(Probe { because: Some(because), ..part("range", (0, n), (outside, m), pair.worth.rare) })
}

/// The rare level, or repeated number, with the least likely counts.
fn rare(pair: &ColumnPair) -> Option<Probe> {
    let (n, m) = pair.n_values();
    if n == 0 || m == 0 {
        return None;
    }
    let rare = pair.rare(levels::EXPECTED);
    let worth = pair.worth.rare;
    let counts: Vec<(u64, u64)> = rare.iter().map(|(_, counts)| worth.both(*counts)).collect();
    let found = least(&counts, worth.reference(n), worth.current(m))?;
    let (name, (r, c)) = &rare[found.cell];
    let because = format!("{name}: {} of the rows, in the reference {}", percent(*c, m), percent(*r, n));
    Some(Probe { p: found.p, because: Some(because), ..part("levels", (*r, n), (*c, m), worth) })
}

/// Cells without a finite value.
fn absent(pair: &ColumnPair) -> Vec<Probe> {
    let (n, m) = pair.n_rows();
    if n == 0 || m == 0 {
        return Vec::new();
    }
    let [minus, plus] = pair.n_infinite;
    let sorts = [
        ("missing", "missing", pair.n_missing, pair.worth.missing),
        ("infinite", "minus infinity", minus, pair.worth.rare),
        ("infinite", "plus infinity", plus, pair.worth.rare),
    ];
    let answered = sorts.into_iter().filter(|(_, _, (a, b), _)| *a + *b > 0 && *a + *b < n + m);
    let probe = |(method, what, (a, b), worth)| {
        let because = format!("{} {what}, in the reference {}", percent(b, m), percent(a, n));
        Probe { because: Some(because), ..part(method, (a, n), (b, m), worth) }
    };
    answered.map(probe).collect()
}

/// A question about a subset of the rows: `a` of `n` and `b` of `m`.
fn part(method: &'static str, (a, n): (u64, u64), (b, m): (u64, u64), worth: Sides) -> Probe {
    let statistic = (b as f64 / m as f64 - a as f64 / n as f64).abs();
    let ((a, b), (n, m)) = (worth.both((a, b)), worth.both((n, m)));
    Probe { method, statistic, p: fisher((a, n), (b, m)), cells: [vec![a, n - a], vec![b, m - b]], because: None }
}

/// Hours, weekdays and months, if both tables cover a whole cycle: the number of rows per hour, weekday or month,
/// divided by the days of it between the first and last row.
fn calendar(pair: &ColumnPair, sides: &[Calendar; 2]) -> Vec<Probe> {
    let Some((before, now)) = pair.reference_range().zip(pair.current_range()) else { return Vec::new() };
    // Dates without a time of day mean whole days.
    let dates = sides.iter().all(|side| side.hours[1..].iter().all(|&count| count == 0));
    let days = |(first, last): (f64, f64)| Calendar::between(first as i64, last as i64 + i64::from(dates) * DAY_MICROS);
    let ranges = [before, now].map(|(first, last)| (first as i64, last as i64 + i64::from(dates) * DAY_MICROS));
    let Some((before, now)) = days(before).zip(days(now)) else { return Vec::new() };
    let worth = pair.worth.values;
    // Less than two weeks contain some weekdays more often than others, and these have their own hours.
    let hours = match now.weekdays.iter().sum::<f64>() < 14.0 {
        true => hours_of_the_week(pair, ranges),
        false => compared("hours", 1.0, (&sides[0].hours, &before.hours), (&sides[1].hours, &now.hours), worth),
    };
    let parts = [
        hours,
        compared("weekdays", 14.0, (&sides[0].weekdays, &before.weekdays), (&sides[1].weekdays, &now.weekdays), worth),
        compared("months", 365.0, (&sides[0].months, &before.months), (&sides[1].months, &now.months), worth),
    ];
    parts.into_iter().flatten().collect()
}

/// Hours of the day, where the reference is restricted to the weekdays that the current table covers: Saturdays are
/// compared with Saturdays.
fn hours_of_the_week(pair: &ColumnPair, [before, now]: [(i64, i64); 2]) -> Option<Probe> {
    let PairValues::Time { reference, current, .. } = &pair.values else { return None };
    let rows = |sample: &Sample| week_of(sample.values().iter().copied().zip(sample.counts().iter().copied()));
    let (counts, days) =
        ([rows(reference), rows(current)], [week_between(before.0, before.1)?, week_between(now.0, now.1)?]);
    // A sketch has only this share of the rows as points.
    let share = (reference.values().len() as f64 / reference.n().max(1) as f64).min(1.0);
    let share = if pair.rank_error > 0.0 { share } else { 1.0 };
    let (mut was, mut is, mut covered) = ([[0.0; 24]; 2], [0.0; 24], [0.0; 24]);
    for day in 0..7 {
        for hour in 0..24 {
            let [then, today] = [days[0][day][hour], days[1][day][hour]];
            if then > 0.0 && today > 0.0 {
                was[0][hour] += counts[0][day][hour] * share;
                was[1][hour] += counts[0][day][hour] * share * today / then;
                is[hour] += counts[1][day][hour];
                covered[hour] += today;
            }
        }
    }
    // Keeps the total number of reference rows, distributed over hours as the current days require.
    let scale = was[0].iter().sum::<f64>() / was[1].iter().sum::<f64>();
    let [was, is] = [was[1].map(|rows| rows * scale), is].map(|rows| rows.map(|rows| rows.round() as u64));
    compared("hours", 1.0, (&was, &covered), (&is, &covered), pair.worth.values).filter(|_| scale.is_finite())
}

fn compared(
    method: &'static str,
    least_days: f64,
    reference: (&[u64], &[f64]),
    current: (&[u64], &[f64]),
    worth: Sides,
) -> Option<Probe> {
    let length = |days: &[f64]| days.iter().sum::<f64>();
    // A day of hourly rows ends before midnight.
    if length(reference.1).min(length(current.1)) < 0.9 * least_days {
        return None;
    }
    let both = |&part: &usize| reference.1[part] > 0.0 && current.1[part] > 0.0;
    let covered: Vec<usize> = (0..reference.0.len()).filter(both).collect();
    // The counts of the reference if it covered the same days as the current table.
    let expected = |part: usize| reference.0[part] as f64 * current.1[part] / reference.1[part];
    let scale = covered.iter().map(|&part| reference.0[part]).sum::<u64>() as f64
        / covered.iter().map(|&part| expected(part)).sum::<f64>();
    let before: Vec<u64> = covered.iter().map(|&part| (expected(part) * scale).round() as u64).collect();
    let now: Vec<u64> = covered.iter().map(|&part| current.0[part]).collect();
    let cells = worth.cells([&before, &now]);
    let found = levels::homogeneity(&cells[0], &cells[1]).ok()?;
    let moved = |place: &usize| {
        let share = |counts: &[u64]| counts[*place] as f64 / counts.iter().sum::<u64>() as f64;
        (share(&now) - share(&before)).abs()
    };
    let most = (0..covered.len()).max_by(|a, b| moved(a).total_cmp(&moved(b)))?;
    let because = format!(
        "{}: {} of the rows, in the reference {}",
        part_name(method, covered[most]),
        percent(now[most], now.iter().sum()),
        percent(before[most], before.iter().sum())
    );
    Some(Probe { method, statistic: found.statistic, p: found.p?, cells, because: Some(because) })
}

fn part_name(method: &str, part: usize) -> String {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    match method {
        "weekdays" => DAYS[part].to_owned(),
        "months" => format!("month {}", part + 1),
        _ => format!("{part:02} to {:02} o'clock UTC", part + 1),
    }
}

fn percent(part: u64, all: u64) -> String {
    format!("{:.1} %", part as f64 / all as f64 * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds as scipy's `ks_2samp`: 1001 rows on either side are 500.5 effective ones, 1003 are 501.5.
    #[test]
    fn half_an_effective_row_goes_to_the_even_number() {
        assert_eq!(beyond_the_sketch(0.05, 1001, 1001), kolmogorov::survival(500, 0.05));
        assert_eq!(beyond_the_sketch(0.05, 1003, 1003), kolmogorov::survival(502, 0.05));
    }
}
