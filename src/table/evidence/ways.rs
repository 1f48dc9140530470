//! The notations in which a cell is a number, and its unit.

use crate::table::NumberFormat;
use crate::table::number::{DASHES, WAYS, bare, is_zero, no_cents};

pub(super) const ALL: u8 = 0xff;

/// Maximum number of characters of an unknown unit.
const MAX_UNIT: usize = 12;

/// Known units; a unit precedes those that are parts of it.
const UNITS: [&str; 41] = [
    "US$", "AU$", "CA$", "NZ$", "HK$", "R$", "A$", "C$", "$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₴", "₫", "₪", "฿",
    "%", "‰", "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "SEK", "NOK", "DKK", "PLN", "AUD", "CAD", "BRL", "Rs.",
    "kr.", "kr", "zł", "Kč",
];

/// The values of a cell with a decimal point and with a decimal comma.
pub(crate) type Readings = [Option<f64>; 2];

/// A text that is a number in some notation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'t> {
    pub(super) ways: u8,
    pub(super) unit: Option<&'t str>,
    pub(super) readings: Readings,
}

/// The notations that match a text, and its unit; `None` if it is not a number in any.
pub(super) fn ways_of(text: &str) -> Option<Read<'_>> {
    // The number begins early, even after a prefix.
    if !text.bytes().take(12).any(|b| b.is_ascii_digit()) {
        // Most words have no dash, and each unit would be looked for in each of them.
        if !text.contains(DASHES) {
            return None;
        }
        let unit = UNITS.iter().find(|unit| is_zero(text, unit))?;
        return Some(Read { ways: ALL, unit: Some(*unit), readings: [Some(0.0); 2] });
    }
    let begins = |text: &str| UNITS.iter().find(|unit| text.starts_with(**unit)).map(|unit| unit.len());
    let ends = |text: &str| UNITS.iter().find_map(|unit| text.strip_suffix(*unit)).map(str::len);
    ways(text, begins, ends)
}

/// Like [`ways_of`], but any text before or after the digits is the unit. Also returns whether it comes first.
pub(super) fn with_unit(text: &str) -> Option<(Read<'_>, bool)> {
    let is_unit = |unit: &str| {
        let fits = |c: char| {
            c.is_alphabetic()
                || (!c.is_ascii() && !c.is_numeric())
                || matches!(c, '.' | '\'' | '/' | ' ' | '$' | '²' | '³')
        };
        !unit.is_empty() && unit.chars().count() <= MAX_UNIT && unit.chars().all(fits) && unit.chars().any(|c| c != '.')
    };
    let text = text.trim();
    let begin = text.find(|c: char| c.is_ascii_digit())?;
    let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let end = end + no_cents(&text[end..]).unwrap_or(0);
    let (first, last) = (without_sign(text[..begin].trim()), text[end..].trim());
    let found = match (first, last) {
        (_, "") if is_unit(first) => ways(text, |rest| rest.starts_with(first).then_some(first.len()), |_| None),
        ("", _) if is_unit(last) => ways(text, |_| None, |rest| rest.strip_suffix(last).map(str::len)),
        _ => None,
    };
    Some((found?, last.is_empty()))
}

/// The text before the digits, without signs; a hyphen after a letter is not a sign (`INV-100`).
fn without_sign(text: &str) -> &str {
    const SIGNS: [char; 3] = ['-', '+', '\u{2212}'];
    let text = text.strip_prefix(SIGNS).unwrap_or(text).trim_start();
    let before = text.strip_suffix(SIGNS).filter(|before| !before.ends_with(char::is_alphanumeric));
    before.unwrap_or(text).trim_end()
}

/// The notations that match a text, with a unit found by `begins` or `ends`, or none.
fn ways(text: &str, begins: impl Fn(&str) -> Option<usize>, ends: impl Fn(&str) -> Option<usize>) -> Option<Read<'_>> {
    let bare = bare(text, begins, ends)?;
    let digits = bare.digits.as_bytes();
    let code = digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit();
    // `3-` is as likely a grade as a number.
    let grade = text.ends_with('-') && digits.iter().all(u8::is_ascii_digit);
    if code || grade {
        return None;
    }
    let mut read = Read { ways: 0, unit: bare.unit, readings: [None; 2] };
    for (at, (decimal, thousands)) in WAYS.into_iter().enumerate() {
        if let Some(value) = (NumberFormat { decimal, thousands, unit: None }).digits(bare.digits) {
            read.ways |= 1 << at;
            read.readings[usize::from(decimal == ',')].get_or_insert(if bare.negative { -value } else { value });
        }
    }
    (read.ways != 0).then_some(read)
}
