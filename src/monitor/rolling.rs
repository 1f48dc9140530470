//! Rolling references: the days before the current period, or the same weekdays of earlier weeks.
//!
//! ```text
//! 28d          [──────────── reference ────────────)[── what arrived ──]        time →
//! weekdays:3   [──)        [──)        [──)         [──]                         each a week before the next
//! ```
//! The rows come from the prediction log. If nothing was logged, they come from the same table by its time column, and
//! `--last` says which part of it is current.

use super::MonitorError;
use crate::journal::Window;
use crate::table::{MISSING_TIME, Table, Values};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::str::FromStr;

const DAY_MICROS: i64 = 86_400_000_000;

/// The extent of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rolling {
    /// This long a period before the current rows.
    Length(SignedDuration),
    /// The same days (UTC) in each of this many earlier weeks.
    Weekdays(u32),
}

impl FromStr for Rolling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a window: write 28d, 4w or weekdays:4");
        let some = |rolling| if rolling == Self::Length(SignedDuration::ZERO) { Err(wrong()) } else { Ok(rolling) };
        match text.strip_prefix("weekdays:") {
            Some(weeks) => match weeks.parse() {
                Ok(weeks @ 1..=520) => Ok(Self::Weekdays(weeks)),
                _ => Err(wrong()),
            },
            None => some(Self::Length(Window::parse_length(text).map_err(|_| wrong())?)),
        }
    }
}

impl fmt::Display for Rolling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(back) => write!(f, "the {} before", length(*back)),
            Self::Weekdays(1) => write!(f, "the same weekday of the week before"),
            Self::Weekdays(weeks) => write!(f, "the same weekdays of the {weeks} weeks before"),
        }
    }
}

/// The period of the current rows: the first and the last instant, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Span {
    fn holds(self, time: i64) -> bool {
        self.first <= time && time <= self.last
    }
}

/// A length in microseconds.
pub(super) fn micros(length: SignedDuration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

/// A length in words.
pub(super) fn length(length: SignedDuration) -> String {
    let (minutes, hours) = (length.as_mins(), length.as_hours());
    let (n, unit) = match (minutes % 60, hours % 24) {
        (0, 0) => (hours / 24, "day"),
        (0, _) => (hours, "hour"),
        _ => (minutes, "minute"),
    };
    if n == 1 { unit.to_owned() } else { format!("{n} {unit}s") }
}

impl Rolling {
    /// The start of the current period when it is cut at `first`: weekdays are whole days.
    pub(super) fn begin(self, first: i64) -> i64 {
        match self {
            Self::Length(_) => first,
            Self::Weekdays(_) => -(-first).div_euclid(DAY_MICROS) * DAY_MICROS,
        }
    }

    /// The windows of the reference, in order of time.
    ///
    /// # Errors
    /// Weekdays of more than a week, or times outside the calendar.
    pub(super) fn windows(self, arrived: Span) -> Result<Vec<Window>, MonitorError> {
        let at = |micros: i64| {
            Timestamp::from_microsecond(micros)
                .map_err(|_| MonitorError::Usage("the times of the current rows are outside the calendar".to_owned()))
        };
        match self {
            Self::Length(length) => {
                let since = at(arrived.first.saturating_sub(micros(length)))?;
                Ok(vec![Window { since: Some(since), until: Some(at(arrived.first)?) }])
            }
            Self::Weekdays(weeks) => {
                let (first, last) = (arrived.first.div_euclid(DAY_MICROS), arrived.last.div_euclid(DAY_MICROS));
                if last - first >= 7 {
                    let days = last - first + 1;
                    return Err(MonitorError::Usage(format!(
                        "the current rows span {days} days, but a comparison by weekday allows at most 7: add --last \
                         1d"
                    )));
                }
                let window = |week: i64| {
                    let day = |day: i64| at((day - 7 * week).saturating_mul(DAY_MICROS));
                    Ok(Window { since: Some(day(first)?), until: Some(day(last + 1)?) })
                };
                (1..=i64::from(weeks)).rev().map(window).collect()
            }
        }
    }
}

/// Which rows of one table are current, and which are earlier.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    pub(super) arrived: Span,
    pub(super) before: Vec<Window>,
}

impl Windows {
    /// The current rows of `table`, and the earlier rows; rows without a time are in neither.
    pub(super) fn of(&self, table: &Table, time_column: &str) -> [Vec<u32>; 2] {
        let Some(Values::Time(times)) = table.column(time_column).map(|column| &column.values) else {
            return [Vec::new(), Vec::new()];
        };
        let rows = |holds: &dyn Fn(i64) -> bool| {
            let known = (0..).zip(times).filter(|&(_, &time)| time != MISSING_TIME && holds(time));
            known.map(|(row, _)| row).collect()
        };
        [rows(&|time| self.arrived.holds(time)), rows(&|time| self.before.iter().any(|window| window.holds(time)))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn span(first: &str, last: &str) -> Span {
        Span { first: micros(first), last: micros(last) }
    }

    #[test]
    fn a_length_ends_where_what_arrived_begins() {
        let rolling: Rolling = "4w".parse().unwrap();
        assert_eq!((rolling, rolling.to_string()), ("28d".parse().unwrap(), "the 28 days before".to_owned()));
        let windows = rolling.windows(span("2026-11-20T06:00:00Z", "2026-11-20T09:00:00Z")).unwrap();
        assert_eq!(windows.len(), 1);
        let holds = |text: &str| windows[0].holds(micros(text));
        assert!(holds("2026-10-23T06:00:00Z") && holds("2026-11-20T05:59:59Z"));
        assert!(!holds("2026-10-23T05:59:59Z") && !holds("2026-11-20T06:00:00Z"));
    }

    #[test]
    fn weekdays_are_whole_days_of_earlier_weeks() {
        let rolling: Rolling = "weekdays:2".parse().unwrap();
        let windows = rolling.windows(span("2026-11-20T06:00:00Z", "2026-11-20T09:00:00Z")).unwrap();
        let days: Vec<String> = windows.iter().map(|w| format!("{} {}", w.since.unwrap(), w.until.unwrap())).collect();
        assert_eq!(days, ["2026-11-06T00:00:00Z 2026-11-07T00:00:00Z", "2026-11-13T00:00:00Z 2026-11-14T00:00:00Z"]);
        assert_eq!(rolling.begin(micros("2026-11-19T09:00:00Z") + 1), micros("2026-11-20T00:00:00Z"));
        assert_eq!(rolling.begin(micros("2026-11-20T00:00:00Z")), micros("2026-11-20T00:00:00Z"));
        let long = rolling.windows(span("2026-11-10T06:00:00Z", "2026-11-20T09:00:00Z")).unwrap_err();
        assert!(long.to_string().contains("span 11 days"), "{long}");
    }

    #[test]
    fn other_texts_are_no_windows() {
        for text in ["", "28", "0d", "weekdays:0", "weekdays:x", "weekdays:1000", "d", "-3d", "reference.csv"] {
            assert!(text.parse::<Rolling>().is_err(), "{text}");
        }
    }
}
