//! The calendar behind an instant.

use super::options::TimePart;
use crate::table::MISSING_TIME;
use crate::table::time::{civil, days as days_of};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// One part of a time in microseconds since 1970-01-01 UTC; `NaN` if it is missing.
///
/// Proleptic Gregorian calendar, no leap seconds.
///
/// ```
/// use mlloop::features::{TimePart, time::part};
/// let micros = 951_827_696_000_000; // 2000-02-29T12:34:56Z, a Tuesday
/// assert_eq!(part(TimePart::Hour, micros), 12.0);
/// assert_eq!(part(TimePart::DayOfWeek, micros), 2.0);
/// assert_eq!(part(TimePart::DayOfYear, micros), 60.0);
/// ```
#[must_use]
pub fn part(part: TimePart, micros: i64) -> f64 {
    if micros == MISSING_TIME {
        return f64::NAN;
    }
    let days = micros.div_euclid(DAY_US);
    let seconds = micros.rem_euclid(DAY_US) / SECOND_US;
    let value = match part {
        TimePart::Second => seconds % 60,
        TimePart::Minute => seconds / 60 % 60,
        TimePart::Hour => seconds / 3600,
        // 1970-01-01 was a Thursday, day 4.
        TimePart::DayOfWeek => (days + 3).rem_euclid(7) + 1,
        TimePart::DayOfMonth => civil(days).2,
        TimePart::DayOfYear => days - days_of(civil(days).0, 1, 1) + 1,
        TimePart::Month => civil(days).1,
        TimePart::Year => civil(days).0,
        TimePart::Days => return micros as f64 / DAY_US as f64,
    };
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{Timestamp, tz::TimeZone};

    #[test]
    fn every_part_agrees_with_jiff() {
        // A prime step of about 11 days over 900 years before and after the epoch and odd times of day.
        let mut micros = -28_000_000_000_000_000_i64;
        while micros < 28_000_000_000_000_000 {
            let zoned = Timestamp::from_microsecond(micros).unwrap().to_zoned(TimeZone::UTC);
            for (which, expected) in [
                (TimePart::Second, f64::from(zoned.second())),
                (TimePart::Minute, f64::from(zoned.minute())),
                (TimePart::Hour, f64::from(zoned.hour())),
                (TimePart::DayOfWeek, f64::from(zoned.weekday().to_monday_one_offset())),
                (TimePart::DayOfMonth, f64::from(zoned.day())),
                (TimePart::DayOfYear, f64::from(zoned.day_of_year())),
                (TimePart::Month, f64::from(zoned.month())),
                (TimePart::Year, f64::from(zoned.year())),
            ] {
                assert_eq!(part(which, micros), expected, "{which:?} of {zoned}");
            }
            micros += 997_331_000_123;
        }
    }

    #[test]
    fn missing_and_the_ends_of_time() {
        assert!(part(TimePart::Hour, MISSING_TIME).is_nan());
        assert!(part(TimePart::Year, i64::MAX).is_finite());
        assert!(part(TimePart::DayOfYear, MISSING_TIME + 1).is_finite());
        assert_eq!(part(TimePart::Days, 43_200_000_000), 0.5);
    }
}
