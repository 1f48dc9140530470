//! Numbers as people write them: with a decimal comma, thousands, a unit, parentheses or a typographic minus.
//!
//! ```text
//!  ( $ 1,234.50 )      sign, unit and parentheses are removed, in any common order
//!        1,234.50      digits in groups of three (or, as in India, of two before the last three), then the decimals
//! ```
//! A column has one notation, given in `mlloop.toml`; a number in another is invalid. Columns of plain
//! numbers have no [`NumberFormat`] and do not use this module.

mod edges;

pub(crate) use self::edges::{bare, no_cents};

use crate::table::cell;
use crate::wording::Plain;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::Write;

/// How the numbers of a column are written: `number = { decimal = ",", thousands = ".", unit = "€" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberFormat {
    /// The decimal mark: `.` or `,`.
    #[serde(default = "point")]
    pub decimal: char,
    /// The thousands separator, if there is one: `,`, `.`, `'` or a space (of any width).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thousands: Option<char>,
    /// The text before or after the number. Cells without it are valid too, unless it is part of the value, as `%` and
    /// `k` are. With a dash it means zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

fn point() -> char {
    '.'
}

/// The decimal mark and thousands separators in use: four with a point, four with a comma.
pub(crate) const WAYS: [(char, Option<char>); 8] = [
    ('.', None),
    ('.', Some(',')),
    ('.', Some(' ')),
    ('.', Some('\'')),
    (',', None),
    (',', Some('.')),
    (',', Some(' ')),
    (',', Some('\'')),
];

/// Possible thousands separators; a space of any width.
const GROUPING: [char; 4] = ['.', ',', ' ', '\''];

impl Default for NumberFormat {
    fn default() -> Self {
        Self { decimal: point(), thousands: None, unit: None }
    }
}

/// Adds the shortest exact decimal text of `value`; nothing for `NaN`.
pub fn push_number(line: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return;
    }
    // Writing to a Vec does not fail.
    let _ = write!(line, "{}", Plain(value));
}

impl NumberFormat {
    /// Checks that the parts are compatible.
    ///
    /// # Errors
    /// A sentence that names the incompatible parts.
    pub fn check(&self) -> Result<(), String> {
        if !matches!(self.decimal, '.' | ',') {
            return Err(format!("decimal = {:?} must be \".\" or \",\"", self.decimal));
        }
        match self.thousands {
            Some(same) if same == self.decimal => {
                Err(format!("decimal and thousands are both {same:?}: they must differ"))
            }
            Some(c) if !matches!(c, '.' | ',' | '\'' | ' ') => {
                Err(format!("thousands = {c:?} must be \",\", \".\", \"'\" or \" \""))
            }
            _ => match &self.unit {
                Some(unit) if unit.trim().is_empty() || unit.contains(|c: char| c.is_ascii_digit()) => {
                    Err(format!("unit = {unit:?} must be a text without digits"))
                }
                _ => Ok(()),
            },
        }
    }

    /// The number in a text; `None` if it is in another notation.
    ///
    /// ```
    /// use mlloop::table::NumberFormat;
    /// let format = NumberFormat { decimal: ',', thousands: Some('.'), unit: Some("€".to_owned()) };
    /// assert_eq!(format.parse("1.234,50 €"), Some(1234.5));
    /// assert_eq!(format.parse("(12,50)"), Some(-12.5));
    /// assert_eq!(format.parse("1,234.50"), None);
    /// ```
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<f64> {
        let text = &*with_latin_digits(text);
        let own = |text: &str| -> Option<usize> {
            let unit = self.unit.as_deref()?;
            text.starts_with(unit).then_some(unit.len())
        };
        let own_end = |text: &str| -> Option<usize> {
            let unit = self.unit.as_deref()?;
            text.strip_suffix(unit).map(str::len)
        };
        if self.unit.as_deref().is_some_and(|unit| is_zero(text, unit)) {
            return Some(0.0);
        }
        let bare = bare(text, own, own_end)?;
        if bare.unit.is_none() && self.needs_unit() {
            return None;
        }
        let value = self.digits(bare.digits).or_else(|| self.grouped(bare.digits))?;
        Some(if bare.negative { -value } else { value })
    }

    /// The value of grouped digits, in a column whose numbers had no groups when it was declared. With decimal commas,
    /// `1.234,50` has one meaning, `1.234` two.
    fn grouped(&self, digits: &str) -> Option<f64> {
        if self.thousands.is_some() {
            return None;
        }
        let has_one_reading = |mark: char| {
            let n_marks = digits.chars().filter(|c| *c == mark).count();
            n_marks > 1 || digits.contains(self.decimal) || !matches!(mark, '.' | ',')
        };
        let of = |mark: char| Self { thousands: Some(mark), ..self.clone() }.digits(digits);
        GROUPING.into_iter().filter(|mark| *mark != self.decimal && has_one_reading(*mark)).find_map(of)
    }

    /// A number with thousands separators in a column of plain numbers: `1,234.50`.
    pub(crate) fn plain_in_groups(text: &str) -> Option<f64> {
        let is_grouped = text.contains(|c: char| matches!(c, ',' | '\'' | '\u{2019}') || is_space(c));
        if is_grouped { Self::default().parse(text) } else { None }
    }

    /// Whether numbers are written plainly.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a cell without the unit would have another meaning.
    pub(crate) fn needs_unit(&self) -> bool {
        self.unit.as_deref().is_some_and(is_part)
    }

    /// The value of digits with their marks.
    pub(crate) fn digits(&self, text: &str) -> Option<f64> {
        let mut plain = String::with_capacity(text.len());
        let (mut groups, mut group) = (Vec::new(), 0_usize);
        let mut rest = text.chars();
        let mut decimals = false;
        while let Some(c) = rest.next() {
            if c.is_ascii_digit() {
                plain.push(c);
                group += usize::from(!decimals);
            } else if c == self.decimal && !decimals {
                plain.push('.');
                decimals = true;
            } else if self.is_thousands(c) && !decimals {
                groups.push(std::mem::take(&mut group));
            } else if matches!(c, 'e' | 'E') && groups.is_empty() {
                plain.push('e');
                plain.extend(rest);
                return cell::number(plain.as_bytes()).filter(|v| v.is_finite());
            } else {
                return None;
            }
        }
        groups.push(group);
        if groups.len() > 1 && (!in_groups(&groups, self.thousands == Some(',')) || text.starts_with('0')) {
            return None;
        }
        cell::number(plain.as_bytes())
    }

    fn is_thousands(&self, c: char) -> bool {
        match self.thousands {
            Some(' ') => is_space(c),
            Some('\'') => matches!(c, '\'' | '\u{2019}'),
            Some(mark) => mark == c,
            None => false,
        }
    }

    /// Adds a number in a form that [`parse`](Self::parse) accepts: without thousands; nothing for `NaN`.
    pub(crate) fn push(&self, line: &mut Vec<u8>, value: f64) {
        if !value.is_nan() {
            line.extend_from_slice(self.respelled(&Plain(value).to_string()).as_bytes());
        }
    }

    /// A plain number, with its own digits, as [`parse`](Self::parse) accepts it: without thousands, and with the
    /// unit only if it is part of the value.
    #[must_use]
    pub fn respelled<'t>(&self, plain: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(plain);
        if self.decimal == ',' {
            text = plain.replace('.', ",").into();
        }
        if let Some(unit) = self.unit.as_deref().filter(|unit| is_part(unit)) {
            text = format!("{text} {unit}").into();
        }
        text
    }

    /// A number in a form that [`parse`](Self::parse) reads back.
    #[must_use]
    pub fn text(&self, value: f64) -> String {
        let mut text = Vec::new();
        self.push(&mut text, value);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// A number in this notation, for people.
    #[must_use]
    pub fn example(&self) -> String {
        let thousands = self.thousands.map(String::from).unwrap_or_default();
        let digits = format!("1{thousands}234{}56", self.decimal);
        match self.unit.as_deref() {
            None => digits,
            Some(unit) if is_part(unit) => format!("12{}5 {unit}", self.decimal),
            Some(unit) if matches!(unit, "$" | "£") => format!("{unit}{digits}"),
            Some(unit) => format!("{digits} {unit}"),
        }
    }

    /// The expected content of a cell, for an error.
    pub(crate) fn expected(&self) -> String {
        format!("a number written like {}", self.example())
    }
}

/// Replaces digits and marks of other scripts and of full width by ASCII.
pub(crate) fn with_latin_digits(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let latin = |c: char| {
        let from = |zero: char| char::from_digit(u32::from(c) - u32::from(zero), 10);
        match c {
            '\u{ff10}'..='\u{ff19}' => from('\u{ff10}'),
            '\u{660}'..='\u{669}' => from('\u{660}'),
            '\u{6f0}'..='\u{6f9}' => from('\u{6f0}'),
            '\u{966}'..='\u{96f}' => from('\u{966}'),
            // The decimal mark and the thousands separator.
            '\u{ff0e}' | '\u{66b}' => Some('.'),
            '\u{ff0c}' | '\u{66c}' => Some(','),
            _ => None,
        }
    };
    match text.chars().any(|c| latin(c).is_some()) {
        true => Cow::Owned(text.chars().map(|c| latin(c).unwrap_or(c)).collect()),
        false => Cow::Borrowed(text),
    }
}

/// The value of a label written by a person for a number column: plain, or in the column's notation.
///
/// # Errors
/// A clause, if it is not a finite number, or if the two values differ.
pub fn label_value(text: &str, format: Option<&NumberFormat>) -> Result<f64, String> {
    let plain = text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
    let written = format.and_then(|format| format.parse(text));
    match (plain, written) {
        (Some(plain), Some(written)) if plain != written => Err(format!(
            "is ambiguous: {plain} as a plain number, {written} in the format of the column: write it \
                         without separators"
        )),
        (Some(value), _) | (None, Some(value)) => Ok(value),
        (None, None) => {
            Err(format.map_or_else(|| "is not a number".to_owned(), |f| format!("is not {}", f.expected())))
        }
    }
}

/// The value if the decimal mark were a thousands separator, if that is closer to the `expected` one: 1222 for
/// `1.222`, where about 1200 is likelier than about 1.2.
#[must_use]
pub fn misread_thousands(text: &str, value: f64, format: Option<&NumberFormat>, expected: f64) -> Option<f64> {
    let mark = format.map_or('.', |format| format.decimal);
    let digits = text.trim_matches(|c: char| !c.is_ascii_digit());
    let (first, rest) = digits.split_once(mark)?;
    let in_group = (1..=3).contains(&first.len()) && rest.len() == 3 && !first.starts_with('0');
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    // Closer in magnitude: the limit is the geometric mean of both.
    let nearer = expected.abs() > value.abs() * 1000_f64.sqrt();
    (in_group && is_digits(first) && is_digits(rest) && nearer).then(|| (value * 1000.0).round())
}

/// Units that are part of the value: shares, thousands, millions and more.
const PARTS: [&str; 20] = [
    "%", "‰", "k", "K", "m", "M", "b", "B", "T", "mn", "mio", "Mio", "Mio.", "bn", "Mrd", "Mrd.", "Tsd", "Tsd.",
    "million", "thousand",
];

/// Whether a cell without the unit would be another number.
pub(crate) fn is_part(unit: &str) -> bool {
    PARTS.contains(&unit)
}

/// A dash, as spreadsheets write zero.
pub(crate) const DASHES: [char; 5] = ['-', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2212}'];

/// Whether a cell is a dash with the unit, as spreadsheets write zero: `$ -`.
pub(crate) fn is_zero(text: &str, unit: &str) -> bool {
    let text = text.trim();
    let rest = text.strip_prefix(unit).or_else(|| text.strip_suffix(unit));
    rest.is_some_and(|rest| rest.trim().strip_prefix(DASHES) == Some(""))
}

/// Spaces used as thousands separators: plain, no-break, narrow, thin, figure.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\u{2007}' | '\u{2006}')
}

/// Groups of three digits after the first, or, as in India with commas, of two before the last three.
fn in_groups(groups: &[usize], has_commas: bool) -> bool {
    let [first, middle @ .., last] = groups else { return true };
    let threes = (1..=3).contains(first) && middle.iter().all(|&n| n == 3);
    let lakhs = has_commas && (1..=2).contains(first) && middle.iter().all(|&n| n == 2);
    *last == 3 && (threes || lakhs)
}

#[cfg(test)]
mod tests;
