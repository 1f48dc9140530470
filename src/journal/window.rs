//! A time window of the log.

use super::day;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// A time interval; without ends it is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// From this instant on.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

impl Window {
    /// From `since` on.
    #[must_use]
    pub fn since(since: Timestamp) -> Self {
        Self { since: Some(since), until: None }
    }

    /// The last `length` before `now`, and anything later.
    #[must_use]
    pub fn last(length: SignedDuration, now: Timestamp) -> Self {
        Self { since: now.checked_sub(length).ok(), until: None }
    }

    /// Parses a time: RFC 3339 (`2026-11-01T00:00:00Z`), or a day (`2026-11-01`), which begins at midnight UTC.
    ///
    /// # Errors
    /// A sentence with the expected format.
    pub fn parse_instant(text: &str) -> Result<Timestamp, String> {
        let midnight = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp());
        let of_day = || text.parse::<Date>().ok().and_then(midnight);
        let instant = text.parse().ok().or_else(of_day);
        instant.ok_or_else(|| format!("{text:?} is not a time: write 2026-11-01 or 2026-11-01T08:30:00Z"))
    }

    /// Parses a length: a number of minutes, hours, days or weeks (`90m`, `12h`, `28d`, `4w`).
    ///
    /// # Errors
    /// A sentence with the expected format.
    pub fn parse_length(text: &str) -> Result<SignedDuration, String> {
        let wrong = || format!("{text:?} is not a length of time: write 90m, 12h, 28d or 4w");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let minutes = match unit {
            'm' => 1,
            'h' => 60,
            'd' => 24 * 60,
            'w' => 7 * 24 * 60,
            _ => return Err(wrong()),
        };
        let n: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        Ok(SignedDuration::from_mins(i64::from(n) * minutes))
    }

    /// Whether the time, in microseconds, is in the window.
    #[must_use]
    pub fn holds(&self, micros: i64) -> bool {
        self.since.is_none_or(|since| micros >= since.as_microsecond())
            && self.until.is_none_or(|until| micros < until.as_microsecond())
    }

    /// Whether any part of the day (UTC) is in the window.
    pub(super) fn touches(&self, date: Date) -> bool {
        self.since.is_none_or(|since| date >= day(since)) && self.until.is_none_or(|until| date <= day(until))
    }
}
