//! The parts of a time, and the calendar.

use super::Item;
use std::fmt::Write;

pub(super) const MICROS: i64 = 1_000_000;

pub(super) const DAY: i64 = 86_400 * MICROS;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The parts of a time while it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) micros: i64,
    pub(super) offset_minutes: i64,
    pub(super) afternoon: Option<bool>,
}

impl Parts {
    pub(super) const NONE: Self = Self {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        micros: 0,
        offset_minutes: 0,
        afternoon: None,
    };

    /// Parses one part; returns the rest.
    pub(super) fn take<'t>(&mut self, item: Item, text: &'t [u8]) -> Option<&'t [u8]> {
        let set = |to: &mut i64, found: Option<(i64, &'t [u8])>| {
            let (value, rest) = found?;
            *to = value;
            Some(rest)
        };
        match item {
            Item::Literal(' ') => {
                // Browsers write a narrow space before PM.
                let odd = ["\u{202f}".as_bytes(), "\u{a0}".as_bytes()];
                let rest =
                    odd.into_iter().find_map(|space| text.strip_prefix(space)).unwrap_or(text).trim_ascii_start();
                (rest.len() < text.len()).then_some(rest)
            }
            Item::Literal(c) => text.strip_prefix(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Item::Year => {
                let (year, rest) = digits(text, 4)?;
                self.year = year;
                (text.len() - rest.len() == 4).then_some(rest)
            }
            Item::ShortYear => {
                let (year, rest) = digits(text, 2)?;
                // POSIX: 69 to 99 are in the 20th century.
                self.year = if year < 69 { 2000 + year } else { 1900 + year };
                (text.len() - rest.len() == 2).then_some(rest)
            }
            Item::Month => set(&mut self.month, digits(text, 2)),
            Item::MonthName => {
                let (month, rest) = named(&MONTHS, text).or_else(|| super::months::month(text))?;
                self.month = month;
                Some(rest)
            }
            Item::Day => set(&mut self.day, digits(text, 2)),
            Item::Hour | Item::Hour12 => set(&mut self.hour, digits(text, 2)),
            Item::Minute => set(&mut self.minute, digits(text, 2)),
            Item::Second => set(&mut self.second, digits(text, 2)),
            Item::Fraction => set(&mut self.micros, fraction(text)),
            Item::Offset => set(&mut self.offset_minutes, offset(text)),
            Item::Half => {
                let (half, rest) = half(text)?;
                self.afternoon = Some(half);
                Some(rest)
            }
            // The date determines it.
            Item::Weekday => Some(named(&WEEKDAYS, text)?.1),
        }
    }

    /// Microseconds since 1970, if the parts are a valid time.
    pub(super) fn micros(mut self) -> Option<i64> {
        if let Some(afternoon) = self.afternoon {
            if !(1..=12).contains(&self.hour) {
                return None;
            }
            self.hour = self.hour % 12 + if afternoon { 12 } else { 0 };
        }
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days_in_month = match self.month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        // A year in the first century lacks its century: 0026 for 2026. Year 1 is the default value of some programs.
        let has_century = !(2..100).contains(&self.year);
        // A leap second is read as the next second, as in Unix time.
        let valid = has_century
            && (1..=days_in_month).contains(&self.day)
            && self.hour <= 23
            && self.minute <= 59
            && self.second <= 60;
        let seconds = (self.hour * 60 + self.minute - self.offset_minutes) * 60 + self.second;
        valid.then(|| days(self.year, self.month, self.day) * DAY + seconds * MICROS + self.micros)
    }

    pub(super) fn from_micros(micros: i64) -> Self {
        let (year, month, day) = civil(micros.div_euclid(DAY));
        let of_day = micros.rem_euclid(DAY);
        let seconds = of_day / MICROS;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        Self { year, month, day, hour, minute, second, micros: of_day % MICROS, ..Self::NONE }
    }

    pub(super) fn write(self, item: Item, out: &mut String) -> std::fmt::Result {
        let hour12 = if self.hour % 12 == 0 { 12 } else { self.hour % 12 };
        match item {
            Item::Literal(c) => out.write_char(c),
            Item::Year => write!(out, "{:04}", self.year),
            Item::ShortYear => write!(out, "{:02}", self.year.rem_euclid(100)),
            Item::Month => write!(out, "{:02}", self.month),
            Item::MonthName => out.write_str(&MONTHS[(self.month - 1) as usize][..3]),
            Item::Day => write!(out, "{:02}", self.day),
            Item::Hour => write!(out, "{:02}", self.hour),
            Item::Hour12 => write!(out, "{hour12:02}"),
            Item::Minute => write!(out, "{:02}", self.minute),
            Item::Second => write!(out, "{:02}", self.second),
            Item::Fraction => write!(out, "{:06}", self.micros),
            Item::Half => out.write_str(if self.hour < 12 { "AM" } else { "PM" }),
            Item::Offset => out.write_str("+0000"),
            // 1970-01-01 was a Thursday.
            Item::Weekday => {
                let weekday = (days(self.year, self.month, self.day) + 3).rem_euclid(7);
                out.write_str(&WEEKDAYS[weekday as usize][..3])
            }
        }
    }
}

/// Reads up to `max` digits.
pub(super) fn digits(text: &[u8], max: usize) -> Option<(i64, &[u8])> {
    let n = text.iter().take(max).take_while(|b| b.is_ascii_digit()).count();
    if n == 0 {
        return None;
    }
    let value = text[..n].iter().fold(0, |v, b| v * 10 + i64::from(b - b'0'));
    Some((value, &text[n..]))
}

/// A fraction of a second in microseconds; more than six digits are cut.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let n = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if n == 0 {
        return None;
    }
    let micros = (0..6).fold(0, |v, i| v * 10 + if i < n { i64::from(text[i] - b'0') } else { 0 });
    Some((micros, &text[n..]))
}

/// `Z`, `+01:00`, `+0100` or `+01` in minutes.
fn offset(text: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, rest) = match text {
        [b'Z' | b'z', rest @ ..] => return Some((0, rest)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = digits(rest, 2)?;
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    let (minutes, rest) = digits(rest, 2).unwrap_or((0, rest));
    (hours <= 23 && minutes <= 59).then_some((sign * (hours * 60 + minutes), rest))
}

/// `AM`, `pm`, `p.m.`: whether it is the second half of the day.
fn half(text: &[u8]) -> Option<(bool, &[u8])> {
    for (word, afternoon) in [("am", false), ("pm", true), ("a.m.", false), ("p.m.", true)] {
        if let Some((half, rest)) = text.split_at_checked(word.len())
            && half.eq_ignore_ascii_case(word.as_bytes())
        {
            return Some((afternoon, rest));
        }
    }
    None
}

/// The index from 1 of an English name, or of its first three letters, among `names`.
fn named<'t>(names: &[&str], text: &'t [u8]) -> Option<(i64, &'t [u8])> {
    let n = text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let (name, rest) = text.split_at(n);
    let same = |known: &str| {
        let known = known.as_bytes();
        name.eq_ignore_ascii_case(known) || name.eq_ignore_ascii_case(&known[..3])
    };
    let found = names.iter().position(|known| same(known))?;
    Some((found as i64 + 1, rest))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013), `days_from_civil`.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days`]; same source, `civil_from_days`.
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}
