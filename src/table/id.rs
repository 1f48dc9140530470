//! The meaning of an id's text if ids are whole numbers: pandas and spreadsheets turn `100` and `1100` into `100.0`,
//! `000100`, `1.000e+02` and `1,100`.
//!
//! ```text
//! digits without zeros in front, or not a whole number in any notation ─▶ the id unchanged
//! one whole number, in the column's notation or in any        ─▶ its digits
//! two (`1.000` is 1 and 1000), or digits lost (`1.2E+05`)     ─▶ an error: the row is ambiguous
//! ```
//! Ids are whole numbers if `mlloop.toml` gives their notation (`id = { kind = "id", number = { … } }`).
//! Other ids are texts: `007` and `7` are different.

use super::number::{NumberFormat, WAYS};
use std::borrow::Cow;

/// From this value on, an `f64` cannot represent all whole numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Ids that are whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WholeIds {
    /// How the column writes them.
    format: NumberFormat,
}

impl WholeIds {
    pub(crate) fn new(format: NumberFormat) -> Self {
        Self { format }
    }

    /// The id that a trimmed text means; `None` if it is ambiguous.
    pub(crate) fn read<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        read(text, &self.format)
    }

    /// The expected content of a cell, for an error.
    pub(crate) fn expected(&self) -> String {
        "an unambiguous id: ids are whole numbers here, so write it with all digits and no separators, or define the \
         number format in mlloop.toml"
            .to_owned()
    }
}

/// The id that a trimmed text means in a column of whole numbers with this notation; `None` if it is
/// ambiguous.
pub(super) fn read<'t>(text: &'t str, format: &NumberFormat) -> Option<Cow<'t, str>> {
    if is_plain(text.as_bytes()) {
        return Some(Cow::Borrowed(text));
    }
    if is_rounded(text) {
        return None;
    }
    if format.thousands.is_some()
        && let Some(digits) = whole(text, format.decimal, format.thousands)
    {
        return Some(Cow::Owned(digits));
    }
    let mut found: Option<String> = None;
    for (decimal, thousands) in WAYS {
        // A comma before exactly three digits separates thousands.
        if decimal == ',' && text.contains(',') && whole(text, '.', Some(',')).is_some() {
            continue;
        }
        let Some(digits) = whole(text, decimal, thousands) else { continue };
        match &found {
            Some(other) if *other != digits => return None,
            _ => found = Some(digits),
        }
    }
    Some(found.map_or(Cow::Borrowed(text), Cow::Owned))
}

/// Digits without zeros in front.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit) && (text.len() == 1 || text.first() != Some(&b'0'))
}

/// Whether a number in scientific notation has fewer digits than the original whole number: spreadsheets show 123456 as
/// `1.23E+05`. Without decimals it is exact: R writes 100000 as `1e+05`.
fn is_rounded(text: &str) -> bool {
    let Some((mantissa, power)) = text.split_once(['e', 'E']) else { return false };
    let Ok(power) = power.parse::<i64>() else { return false };
    let Some((_, decimals)) = mantissa.split_once(['.', ',']) else { return false };
    decimals.bytes().all(|b| b.is_ascii_digit()) && !decimals.is_empty() && power > decimals.len() as i64
}

/// The digits of a text that is a whole number in this notation.
fn whole(text: &str, decimal: char, thousands: Option<char>) -> Option<String> {
    let (sign, digits) = match text.strip_prefix(['-', '+', '\u{2212}']) {
        Some(rest) => (if text.starts_with('+') { "" } else { "-" }, rest),
        None => ("", text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || !digits.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value = NumberFormat { decimal, thousands, unit: None }.digits(digits)?;
    let plain = if digits.contains([decimal, 'e', 'E']) {
        (value.fract() == 0.0 && value < EXACT).then(|| format!("{value}"))?
    } else {
        digits.chars().filter(char::is_ascii_digit).collect()
    };
    let plain = plain.trim_start_matches('0');
    Some(if plain.is_empty() { "0".to_owned() } else { format!("{sign}{plain}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(thousands: Option<char>) -> WholeIds {
        let decimal = if thousands == Some('.') { ',' } else { '.' };
        WholeIds::new(NumberFormat { decimal, thousands, unit: None })
    }

    #[test]
    fn every_spelling_of_a_whole_number_is_one_id() {
        for (texts, id) in [
            (
                &["100", "100.0", "100.00", "000100", "1e2", "1E+02", "1.00e+02", "1.000E+02", "+100", "100,0"][..],
                "100",
            ),
            (&["1100", "1,100", "1.100", "1 100", "1\u{202f}100", "1'100", "1,100.00", "1.100,0", "1100.000"], "1100"),
            (&["1000", "1,000", "1 000", "1,000.0", "1.000,00", "1e3", "1.000e3"], "1000"),
            (&["1234567", "1.234.567", "1,234,567", "12,34,567", "1234567.0"], "1234567"),
            (&["0", "0.0", "000"], "0"),
            (&["-7", "-7.0", "\u{2212}7"], "-7"),
            // More digits than an `f64` keeps.
            (&["12345678901234567891", "12,345,678,901,234,567,891"], "12345678901234567891"),
            // Not whole numbers.
            (&["K-7"], "K-7"),
            (&["7.5"], "7.5"),
            (&["1e"], "1e"),
            (&["1,1,1"], "1,1,1"),
        ] {
            for text in texts {
                assert_eq!(ids(None).read(text).as_deref(), Some(id), "{text}");
            }
        }
    }

    #[test]
    fn a_text_that_could_be_two_ids_is_none() {
        for text in ["1.000", "12.000", "1.23E+05", "1,2e+07", "1.0e+05"] {
            assert_eq!(ids(None).read(text), None, "{text}");
        }
        assert_eq!(ids(Some('.')).read("1.000").as_deref(), Some("1000"), "as the column is written");
        assert_eq!(ids(Some(',')).read("1,000").as_deref(), Some("1000"));
        assert_eq!(ids(Some('.')).read("1234.0").as_deref(), Some("1234"), "as plain numbers are written");
    }
}
