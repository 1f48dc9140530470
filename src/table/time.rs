//! Time formats: a small set of strptime directives, ISO 8601 and Unix numbers, to microseconds UTC and back.

mod months;
mod parts;

pub(crate) use parts::{civil, days};

use parts::{DAY, MICROS, Parts, digits};
use std::fmt::Write;

/// The time format of a column.
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
        // A time of day alone is one on 1970-01-01.
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

    /// The expected content of a cell.
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

    /// The format, described for people.
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

    /// Microseconds since 1970 UTC; a time without a zone is UTC.
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

    /// Whether it is a time of day without a date.
    pub(crate) fn is_clock(&self) -> bool {
        let Self::Pattern { items, .. } = self else { return false };
        !items.iter().any(|item| matches!(item, Item::Year | Item::ShortYear))
    }

    /// Whether a text certainly has this format: minutes of a time of day have two digits, so `3:2` does not.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let n_digits = |part: &str| part.bytes().take_while(u8::is_ascii_digit).count();
        let whole = || text.split(':').skip(1).all(|part| n_digits(part) == 2);
        (!self.is_clock() || whole()) && self.parse(text).is_some()
    }

    /// Writes a time so that [`parse`](Self::parse) returns it (as far as the format allows).
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

/// Whether a text means "no time": `NaT` as pandas writes it, `0000-00-00` as MySQL does.
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

/// Writes `2025-01-31` at midnight, else `2025-01-31T12:00:00Z`, with a fraction if there is one.
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

/// Writes a time of day: `20:05:00`, with a fraction if there is one.
#[cfg(feature = "parquet")]
pub(crate) fn write_clock(micros: i64, out: &mut String) {
    let p = Parts::from_micros(micros);
    let _ = write!(out, "{:02}:{:02}:{:02}", p.hour, p.minute, p.second);
    if p.micros != 0 {
        let _ = write!(out, ".{:06}", p.micros);
    }
}

#[cfg(test)]
mod tests;
