//! Written times: a small set of strptime directives, ISO 8601 and Unix numbers, to microseconds UTC and back.

mod months;

use std::fmt::Write;

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400 * MICROS;
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

/// How the times of a column are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// RFC 3339 and its parts: a date, optionally `T` or a space and a time, a fraction, `Z` or an offset.
    Iso,
    /// Seconds since 1970, possibly with a fraction.
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
    /// A strptime pattern.
    Pattern { text: String, items: Vec<Item> },
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    Literal(char),
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    Hour,
    Hour12,
    Minute,
    Second,
    Fraction,
    Half,
    Offset,
    Weekday,
}

/// The parts of a time while it is read.
#[derive(Debug, Clone, Copy)]
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    offset_minutes: i64,
    afternoon: Option<bool>,
}

impl TimeFormat {
    /// A format by name (`iso`, `unix`, `unix_ms`) or by strptime pattern.
    ///
    /// # Errors
    /// A sentence, when the pattern has an unknown directive or does not name a day.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        match text {
            "iso" => return Ok(Self::Iso),
            "unix" => return Ok(Self::Unix),
            "unix_ms" => return Ok(Self::UnixMs),
            _ => {}
        }
        let expanded = text.replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d").replace("%R", "%H:%M");
        let mut items = Vec::new();
        let mut chars = expanded.chars();
        while let Some(c) = chars.next() {
            items.push(if c == '%' { directive(text, &mut chars)? } else { Item::Literal(c) });
        }
        let has = |any: &[Item]| items.iter().any(|i| any.contains(i));
        let date = [has(&[Item::Year, Item::ShortYear]), has(&[Item::Month, Item::MonthName]), has(&[Item::Day])];
        // A time of day alone is one of 1970-01-01.
        let clock = has(&[Item::Hour, Item::Hour12]) && has(&[Item::Minute]) && !date.contains(&true);
        if date.contains(&false) && !clock {
            return Err(format!(
                "time format {text:?} needs a year, a month and a day, or an hour and a minute alone, or is iso, unix or \
                 unix_ms"
            ));
        }
        Ok(Self::Pattern { text: text.to_owned(), items })
    }

    /// The format's name in a schema.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Iso => "iso",
            Self::Unix => "unix",
            Self::UnixMs => "unix_ms",
            Self::Pattern { text, .. } => text,
        }
    }

    /// What a cell should have been.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Iso => "a time written like 2025-01-31 or 2025-01-31T12:00:00Z".to_owned(),
            Self::Unix => "a time in seconds since 1970".to_owned(),
            Self::UnixMs => "a time in milliseconds since 1970".to_owned(),
            Self::Pattern { text, .. } => match self.example() {
                example if example == *text => format!("a time written like {example}"),
                example => format!("a time written like {example} ({text})"),
            },
        }
    }

    /// A time in this way of writing, for people.
    pub(crate) fn example(&self) -> String {
        match self {
            Self::Iso => "2025-12-31".to_owned(),
            Self::Unix => "seconds since 1970".to_owned(),
            Self::UnixMs => "milliseconds since 1970".to_owned(),
            Self::Pattern { text, .. } => {
                let at = jiff::civil::date(2025, 12, 31).at(13, 45, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
                let example = at.ok().and_then(|at| jiff::fmt::strtime::format(text, &at).ok());
                example.unwrap_or_else(|| text.clone())
            }
        }
    }

    /// Microseconds since 1970 UTC; a time without a zone is taken as UTC.
    pub(crate) fn parse(&self, text: &str) -> Option<i64> {
        match self {
            Self::Iso => parse_iso(text.as_bytes()),
            Self::Unix => unix(text, 1e6),
            Self::UnixMs => unix(text, 1e3),
            Self::Pattern { items, .. } => {
                let mut parts = Parts::NONE;
                let mut rest = text.as_bytes();
                for (at, item) in items.iter().enumerate() {
                    rest = parts.take(*item, rest)?;
                    // `3 janv. 2024`
                    if *item == Item::MonthName && items.get(at + 1) != Some(&Item::Literal('.')) {
                        rest = rest.strip_prefix(b".").unwrap_or(rest);
                    }
                }
                if rest.is_empty() { parts.micros() } else { None }
            }
        }
    }

    /// Whether it is a time of day, on no day in particular.
    pub(crate) fn is_clock(&self) -> bool {
        let Self::Pattern { items, .. } = self else { return false };
        !items.iter().any(|item| matches!(item, Item::Year | Item::ShortYear))
    }

    /// Whether a text is surely written like this: minutes of a time of day have two digits, so `3:2` is none.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let n_digits = |part: &str| part.bytes().take_while(u8::is_ascii_digit).count();
        let whole = || text.split(':').skip(1).all(|part| n_digits(part) == 2);
        (!self.is_clock() || whole()) && self.parse(text).is_some()
    }

    /// Writes a time so that [`parse`](Self::parse) gives it back (as far as the format goes).
    pub(crate) fn write(&self, micros: i64, out: &mut String) {
        // Writing to a String does not fail.
        let _ = match self {
            Self::Unix if micros % MICROS == 0 => write!(out, "{}", micros / MICROS),
            Self::Unix => write!(out, "{}", micros as f64 / 1e6),
            Self::UnixMs if micros % 1000 == 0 => write!(out, "{}", micros / 1000),
            Self::UnixMs => write!(out, "{}", micros as f64 / 1e3),
            Self::Iso => {
                write_iso(micros, out);
                Ok(())
            }
            Self::Pattern { items, .. } => {
                let parts = Parts::from_micros(micros);
                items.iter().try_for_each(|item| parts.write(*item, out))
            }
        };
    }
}

/// Whether a text says that there is no time: `NaT` as pandas writes it, `0000-00-00` as MySQL does.
pub(crate) fn is_no_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let zeros = || {
        let is_mark = |b: &u8| matches!(b, b'-' | b'/' | b'.' | b':' | b' ' | b'T' | b'Z');
        let n_zeros = bytes.iter().filter(|&&b| b == b'0').count();
        n_zeros >= 6
            && bytes.iter().all(|b| *b == b'0' || is_mark(b))
            && matches!(bytes.get(2..5), Some([b'-' | b'/' | b'.', ..] | [_, _, b'-' | b'/' | b'.']))
    };
    match bytes.first() {
        Some(b'0') => zeros(),
        Some(b'N' | b'n') => text.eq_ignore_ascii_case("nat"),
        _ => false,
    }
}

fn directive(text: &str, chars: &mut std::str::Chars<'_>) -> Result<Item, String> {
    let mut c = chars.next();
    while matches!(c, Some('-' | '.' | '_')) {
        c = chars.next();
    }
    Ok(match c {
        Some('Y') => Item::Year,
        Some('y') => Item::ShortYear,
        Some('m') => Item::Month,
        Some('b' | 'B' | 'h') => Item::MonthName,
        Some('d' | 'e') => Item::Day,
        Some('H' | 'k') => Item::Hour,
        Some('I' | 'l') => Item::Hour12,
        Some('M') => Item::Minute,
        Some('S') => Item::Second,
        Some('f') => Item::Fraction,
        Some('p' | 'P') => Item::Half,
        Some('z') => Item::Offset,
        Some('a' | 'A') => Item::Weekday,
        Some('%') => Item::Literal('%'),
        _ => {
            let c = c.map_or_else(|| "%".to_owned(), |c| format!("%{c}"));
            return Err(format!("time format {text:?}: {c} is not known; use %Y %y %m %b %d %a %H %I %p %M %S %f %z"));
        }
    })
}

fn unix(text: &str, factor: f64) -> Option<i64> {
    let value = crate::table::cell::number(text.as_bytes())? * factor;
    // Beyond year 9999 a number is not a time.
    (value.abs() < 253_402_300_800e6).then_some(value.round() as i64)
}

/// Reads up to `max` digits.
fn digits(text: &[u8], max: usize) -> Option<(i64, &[u8])> {
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

fn parse_iso(text: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = text else { return None };
    let mut parts = Parts::NONE;
    parts.year = digits(&[*y1, *y2, *y3, *y4], 4).filter(|(_, r)| r.is_empty())?.0;
    parts.month = digits(&[*m1, *m2], 2).filter(|(_, r)| r.is_empty())?.0;
    parts.day = digits(&[*d1, *d2], 2).filter(|(_, r)| r.is_empty())?.0;
    let rest = match rest {
        [] => return parts.micros(),
        [b'T' | b't' | b' ', rest @ ..] => rest,
        _ => return None,
    };
    let rest = parts.take(Item::Hour, rest)?;
    let mut rest = parts.take(Item::Minute, rest.strip_prefix(b":")?)?;
    if let Some(seconds) = rest.strip_prefix(b":") {
        rest = parts.take(Item::Second, seconds)?;
        if let Some(after) = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")) {
            rest = parts.take(Item::Fraction, after)?;
        }
    }
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    if rest.is_empty() || rest == b"UTC" {
        return parts.micros();
    }
    let rest = parts.take(Item::Offset, rest)?;
    if rest.is_empty() { parts.micros() } else { None }
}

/// Writes `2025-01-31` at midnight, else `2025-01-31T12:00:00Z`, with a fraction where there is one.
pub(crate) fn write_iso(micros: i64, out: &mut String) {
    let p = Parts::from_micros(micros);
    let _ = write!(out, "{:04}-{:02}-{:02}", p.year, p.month, p.day);
    if micros.rem_euclid(DAY) != 0 {
        let _ = write!(out, "T{:02}:{:02}:{:02}", p.hour, p.minute, p.second);
        if p.micros != 0 {
            let _ = write!(out, ".{:06}", p.micros);
        }
        out.push('Z');
    }
}

/// Writes a time of day: `20:05:00`, with a fraction where there is one.
#[cfg(feature = "parquet")]
pub(crate) fn write_clock(micros: i64, out: &mut String) {
    let p = Parts::from_micros(micros);
    let _ = write!(out, "{:02}:{:02}:{:02}", p.hour, p.minute, p.second);
    if p.micros != 0 {
        let _ = write!(out, ".{:06}", p.micros);
    }
}

impl Parts {
    const NONE: Self = Self {
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

    /// Reads one part; gives what follows it.
    fn take<'t>(&mut self, item: Item, text: &'t [u8]) -> Option<&'t [u8]> {
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
                let (month, rest) = named(&MONTHS, text).or_else(|| months::month(text))?;
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
            // The date says it already.
            Item::Weekday => Some(named(&WEEKDAYS, text)?.1),
        }
    }

    /// Microseconds since 1970, when the parts are a real time.
    fn micros(mut self) -> Option<i64> {
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
        // A year of the first century is one that lacks its century: 0026 for 2026. Year 1 is what programs begin with.
        let has_century = !(2..100).contains(&self.year);
        // A leap second is taken as the next second, as Unix time does.
        let valid = has_century
            && (1..=days_in_month).contains(&self.day)
            && self.hour <= 23
            && self.minute <= 59
            && self.second <= 60;
        let seconds = (self.hour * 60 + self.minute - self.offset_minutes) * 60 + self.second;
        valid.then(|| days(self.year, self.month, self.day) * DAY + seconds * MICROS + self.micros)
    }

    fn from_micros(micros: i64) -> Self {
        let (year, month, day) = civil(micros.div_euclid(DAY));
        let of_day = micros.rem_euclid(DAY);
        let seconds = of_day / MICROS;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        Self { year, month, day, hour, minute, second, micros: of_day % MICROS, ..Self::NONE }
    }

    fn write(self, item: Item, out: &mut String) -> std::fmt::Result {
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

/// The place from 1 of an English name, or of its first three letters, among `names`.
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

#[cfg(test)]
mod tests;
