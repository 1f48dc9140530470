//! The current table in pieces: by day, by week, or by number of rows.

use crate::table::{MISSING_TIME, Table, Values};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How the current table is cut into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Calendar days (UTC) of the time column.
    Day,
    /// Weeks (UTC, from Monday) of the time column.
    Week,
    /// Calendar months (UTC) of the time column.
    Month,
    /// So many rows each, in the table's order.
    Rows(u64),
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "day" => Ok(Self::Day),
            "week" => Ok(Self::Week),
            "month" => Ok(Self::Month),
            _ => match text.parse() {
                Ok(n) if n > 0 => Ok(Self::Rows(n)),
                _ => Err("day, week, month, or a number of rows such as 1000".to_owned()),
            },
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day => f.write_str("day"),
            Self::Week => f.write_str("week"),
            Self::Month => f.write_str("month"),
            Self::Rows(n) => write!(f, "{n}"),
        }
    }
}

/// A larger number of pieces indicates a wrong option, not a long history.
pub const MAX_CHUNKS: usize = 1000;

const DAY_MICROS: i64 = 86_400_000_000;
/// 1970-01-01 was a Thursday: the Monday before was three days earlier.
const MONDAY_SHIFT: i64 = 3;

impl By {
    /// The rows of each piece that overlaps `table`, whose first row is number `first_row`; rows without a time belong
    /// to none.
    #[must_use]
    pub fn cut(self, table: &Table, first_row: u64, time_column: &str) -> BTreeMap<i64, Vec<u32>> {
        let mut pieces: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        match (self, table.column(time_column).map(|column| &column.values)) {
            (Self::Rows(n), _) => {
                for row in 0..table.n_rows() as u32 {
                    pieces.entry(((first_row + u64::from(row)) / n) as i64).or_default().push(row);
                }
            }
            (_, Some(Values::Time(times))) => {
                let known = (0..).zip(times).filter(|&(_, &time)| time != MISSING_TIME);
                known.for_each(|(row, &time)| pieces.entry(self.period(time)).or_default().push(row));
            }
            _ => {}
        }
        pieces
    }

    fn period(self, micros: i64) -> i64 {
        let day = micros.div_euclid(DAY_MICROS);
        match self {
            Self::Week => (day + MONDAY_SHIFT).div_euclid(7),
            Self::Month => date(day).map_or(0, |d| i64::from(d.year()) * 12 + i64::from(d.month()) - 1),
            Self::Day | Self::Rows(_) => day,
        }
    }

    /// The label of a piece: its first day, or its rows.
    #[must_use]
    pub fn name(self, key: i64, n_rows: u64) -> String {
        let named = |day: i64| date(day).map_or_else(|| format!("day {day}"), |date| date.to_string());
        match self {
            Self::Day => named(key),
            Self::Week => named(key * 7 - MONDAY_SHIFT),
            Self::Month => format!("{:04}-{:02}", key.div_euclid(12), key.rem_euclid(12) + 1),
            Self::Rows(n) => format!("rows {} to {}", key as u64 * n + 1, key as u64 * n + n_rows),
        }
    }
}

/// The date of a day since 1970-01-01.
fn date(day: i64) -> Option<jiff::civil::Date> {
    let at = jiff::Timestamp::from_second(day.checked_mul(86_400)?).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Column;

    #[test]
    fn weeks_begin_on_monday() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let times = ["2026-11-15T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-22T12:00:00Z"].map(at).to_vec();
        let table = Table::new(vec![Column::new("t", Values::Time(times))]).unwrap();
        let weeks = By::Week.cut(&table, 0, "t");
        let names: Vec<(String, usize)> = weeks.iter().map(|(&k, rows)| (By::Week.name(k, 0), rows.len())).collect();
        assert_eq!(names, [("2026-11-09".to_owned(), 1), ("2026-11-16".to_owned(), 2)]);
        let months = By::Month.cut(&table, 0, "t");
        assert_eq!(months.keys().map(|&k| By::Month.name(k, 0)).collect::<Vec<_>>(), ["2026-11"]);
        let days = By::Day.cut(&table, 0, "t");
        assert_eq!(
            days.keys().map(|&k| By::Day.name(k, 0)).collect::<Vec<_>>(),
            ["2026-11-15", "2026-11-16", "2026-11-22"]
        );
    }

    #[test]
    fn rows_are_counted_across_batches() {
        let table = Table::new(vec![Column::new("x", Values::Number(vec![0.0; 5]))]).unwrap();
        let pieces = By::Rows(4).cut(&table, 2, "");
        assert_eq!(pieces[&0], [0, 1]);
        assert_eq!(pieces[&1], [2, 3, 4]);
        assert_eq!(By::Rows(4).name(1, 3), "rows 5 to 7");
        assert!("0".parse::<By>().is_err() && "day".parse::<By>() == Ok(By::Day));
    }
}
