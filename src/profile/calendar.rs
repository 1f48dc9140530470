//! The distribution of times over the calendar (UTC): the parts of a time that a model uses, and drift compares.

use crate::table::time::civil;
use serde::{Deserialize, Serialize};

/// A day in microseconds.
pub const DAY_MICROS: i64 = 86_400_000_000;
/// Longer spans are not processed day by day: about 270 years.
const MOST_DAYS: i64 = 100_000;

/// A value for each hour of the day, weekday (from Monday) and month: counts, or covered days.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Calendar<T = u64> {
    /// 00 to 23 o'clock, UTC.
    pub hours: [T; 24],
    /// Monday to Sunday.
    pub weekdays: [T; 7],
    /// January to December.
    pub months: [T; 12],
}

impl Calendar {
    /// Counts an instant in microseconds since 1970-01-01 UTC.
    pub(super) fn count(&mut self, micros: i64) {
        let day = micros.div_euclid(DAY_MICROS);
        self.hours[(micros.rem_euclid(DAY_MICROS) / (DAY_MICROS / 24)) as usize] += 1;
        self.weekdays[weekday(day)] += 1;
        self.months[month(day)] += 1;
    }

    /// The sum of both.
    pub(super) fn with(mut self, other: &Self) -> Self {
        let add = |mine: &mut [u64], theirs: &[u64]| mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        add(&mut self.hours, &other.hours);
        add(&mut self.weekdays, &other.weekdays);
        add(&mut self.months, &other.months);
        self
    }

    /// Whether each part adds up to `n`.
    pub(super) fn adds_up_to(&self, n: u64) -> bool {
        let total = |counts: &[u64]| counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        [total(&self.hours), total(&self.weekdays), total(&self.months)] == [Some(n); 3]
    }
}

impl Calendar<f64> {
    /// The number of days of each part between two times; `None` if the span is too long.
    ///
    /// ```
    /// use mlloop::profile::calendar::{Calendar, DAY_MICROS};
    /// // Thursday, 1 January 1970, and the morning after.
    /// let days = Calendar::between(0, DAY_MICROS * 3 / 2).unwrap();
    /// assert!((days.weekdays[3] - 1.0).abs() < 1e-9 && (days.weekdays[4] - 0.5).abs() < 1e-9);
    /// assert!((days.hours[0] - 2.0 / 24.0).abs() < 1e-9 && (days.hours[23] - 1.0 / 24.0).abs() < 1e-9);
    /// ```
    #[must_use]
    pub fn between(first: i64, last: i64) -> Option<Self> {
        let (begin, end) = (first.div_euclid(DAY_MICROS), last.div_euclid(DAY_MICROS));
        if end.checked_sub(begin)? > MOST_DAYS {
            return None;
        }
        let mut days = Self::default();
        for day in begin..=end {
            let start = day.saturating_mul(DAY_MICROS);
            let (from, to) = (first.saturating_sub(start).max(0), last.saturating_sub(start).min(DAY_MICROS));
            let part = (to - from) as f64 / DAY_MICROS as f64;
            days.weekdays[weekday(day)] += part;
            days.months[month(day)] += part;
            for (hour, sum) in days.hours.iter_mut().enumerate() {
                let hour_start = hour as i64 * (DAY_MICROS / 24);
                let covered = to.min(hour_start + DAY_MICROS / 24) - from.max(hour_start);
                *sum += covered.max(0) as f64 / DAY_MICROS as f64;
            }
        }
        Some(days)
    }
}

/// A value for each hour of the week: Monday to Sunday, 00 to 23 o'clock, UTC.
pub type Week = [[f64; 24]; 7];

/// The number of rows in each hour of the week, from times in microseconds with their counts.
#[must_use]
pub fn week_of(rows: impl Iterator<Item = (f64, u64)>) -> Week {
    let mut week = Week::default();
    for (micros, count) in rows {
        let micros = micros as i64;
        let hour = micros.rem_euclid(DAY_MICROS) / (DAY_MICROS / 24);
        week[weekday(micros.div_euclid(DAY_MICROS))][hour as usize] += count as f64;
    }
    week
}

/// The number of days of each hour of the week between two times; `None` if the span is too long.
#[must_use]
pub fn week_between(first: i64, last: i64) -> Option<Week> {
    let (begin, end) = (first.div_euclid(DAY_MICROS), last.div_euclid(DAY_MICROS));
    if end.checked_sub(begin)? > MOST_DAYS {
        return None;
    }
    let mut week = Week::default();
    for day in begin..=end {
        let start = day.saturating_mul(DAY_MICROS);
        let within = Calendar::between(first.max(start), last.min(start.saturating_add(DAY_MICROS)))?;
        week[weekday(day)].iter_mut().zip(within.hours).for_each(|(sum, part)| *sum += part);
    }
    Some(week)
}

/// 0 for Monday. 1970-01-01 was a Thursday.
fn weekday(day: i64) -> usize {
    (day + 3).rem_euclid(7) as usize
}

/// 0 for January.
fn month(day: i64) -> usize {
    (civil(day).1 - 1).rem_euclid(12) as usize
}
