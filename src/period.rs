//! Lengths of time as people write them: `90s`, `30m`, `12h`, `7d`, `2w`.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A length of time in whole seconds, at least 0. A day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    seconds: i64,
}

const UNITS: [(&str, i64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
/// A thousand years: longer periods would exceed the calendar.
const MAX_SECONDS: i64 = 1_000 * 366 * 86_400;

impl Period {
    /// A period of that many seconds; a negative number gives 0.
    #[must_use]
    pub fn seconds(seconds: i64) -> Self {
        Self { seconds: seconds.clamp(0, MAX_SECONDS) }
    }

    /// As a duration.
    #[must_use]
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(self.seconds)
    }

    /// One of `n` equal parts, rounded down to whole seconds; the period itself for 0.
    #[must_use]
    pub fn part(self, n: usize) -> Self {
        Self { seconds: self.seconds / i64::try_from(n).unwrap_or(i64::MAX).max(1) }
    }

    /// `n` times this period.
    #[must_use]
    pub fn times(self, n: usize) -> Self {
        Self::seconds(self.seconds.saturating_mul(i64::try_from(n).unwrap_or(i64::MAX)))
    }

    /// The time this long after `start`; the last valid one if that exceeds the calendar.
    #[must_use]
    pub fn after(self, start: jiff::Timestamp) -> jiff::Timestamp {
        start.checked_add(self.duration()).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Weeks can be read, but are written as days.
        let whole = UNITS.iter().skip(1).find(|(_, size)| self.seconds >= *size && self.seconds % size == 0);
        let (unit, size) = whole.copied().unwrap_or(("s", 1));
        write!(f, "{}{unit}", self.seconds / size)
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a length of time: write 30m, 12h, 7d or 2w");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let (_, size) = UNITS.iter().find(|(unit, _)| *unit == &text[digits.len()..]).ok_or_else(wrong)?;
        let n: u32 = digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())
            .flatten()
            .ok_or_else(wrong)?;
        match i64::from(n) * size {
            seconds if seconds <= MAX_SECONDS => Ok(Self { seconds }),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Period;

    #[test]
    fn periods_are_read_and_written() {
        for (text, seconds, written) in [
            ("90s", 90, "90s"),
            ("30m", 1_800, "30m"),
            ("24h", 86_400, "1d"),
            ("2w", 1_209_600, "14d"),
            ("0d", 0, "0s"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!((period, period.to_string().as_str()), (Period::seconds(seconds), written));
        }
        for text in ["", "7", "d", "-1d", "7 d", "7dd", "1.5d", "7y", "99999999999d", "4294967295w"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        let week: Period = "7d".parse().unwrap();
        assert_eq!(week.after(jiff::Timestamp::UNIX_EPOCH).to_string(), "1970-01-08T00:00:00Z");
        assert_eq!(week.after(jiff::Timestamp::MAX), jiff::Timestamp::MAX);
        assert_eq!((week.part(7).to_string(), week.times(3).to_string()), ("1d".to_owned(), "21d".to_owned()));
    }
}
