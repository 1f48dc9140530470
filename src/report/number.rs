//! Numbers and names for display.

use crate::printable;
use crate::stats::portable::Portable;
use crate::wording::in_thousands;

/// The text for a missing number.
pub(crate) const NOTHING: &str = "–";

/// A number with four significant digits: `0.3127`, `48.2`, `12.35k`, `1.2e-7`.
pub fn number(x: f64) -> String {
    let size = x.abs();
    if !x.is_finite() {
        return NOTHING.to_owned();
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e15).contains(&size) {
        let text = format!("{x:.3e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        return minus(format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.')));
    }
    // A value that rounds up to the next power gets the next unit: 9999.6 is 10k.
    let units = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")];
    match units.iter().find(|(unit, _)| size >= unit * 0.999_95) {
        Some((1e4, suffix)) => significant(x / 1e3) + suffix,
        Some((unit, suffix)) => significant(x / unit) + suffix,
        None => significant(x),
    }
}

/// A metric: four decimals, so that 0.7560 aligns with 0.8292; larger values as [`number`].
pub(crate) fn metric(x: f64) -> String {
    if x.abs() < 10.0 { minus(format!("{x:.4}")) } else { number(x) }
}

/// A value of a table, written so that it can be searched for: up to six significant digits, without a unit: `250000`,
/// `60.235`.
pub(crate) fn cell(x: f64) -> String {
    format!("{x:.5e}").parse::<f64>().map_or_else(|_| NOTHING.to_owned(), |rounded| rounded.to_string())
}

/// A difference of scores, with its sign: `+0.125`, `−0.031`; small ones get as many digits as needed.
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "only pages use it"))]
pub(crate) fn signed(x: f64) -> String {
    let sign = if x > 0.0 { "+" } else { "" };
    match x.abs() {
        // Zero has no sign.
        0.0 => "0.000".to_owned(),
        size if size >= 0.0005 => minus(format!("{sign}{x:.3}")),
        _ => format!("{sign}{}", number(x)),
    }
}

/// A change of a metric, with its sign and four decimals: `+0.0120`, `−0.0045`.
#[must_use]
pub fn change(x: f64) -> String {
    with_sign(x, 4)
}

/// A number with its sign and this many decimals: `+3.85`, `−0.20`.
#[must_use]
pub fn with_sign(x: f64, decimals: usize) -> String {
    minus(format!("{x:+.decimals$}"))
}

/// A number that may be missing.
pub(crate) fn number_or(x: Option<f64>) -> String {
    x.map_or_else(|| NOTHING.to_owned(), number)
}

/// A metric in a column of numbers: four decimals (`0.7560` next to `0.8292`); large values as other numbers.
pub(crate) fn fixed(x: f64) -> String {
    match x.abs() < 1000.0 {
        true => minus(format!("{x:.4}")),
        false => number(x),
    }
}

/// A metric that may be missing.
pub(crate) fn fixed_or(x: Option<f64>) -> String {
    x.map_or_else(|| NOTHING.to_owned(), fixed)
}

/// Four significant digits, without trailing zeros.
fn significant(x: f64) -> String {
    let before_point = x.abs().log10_portable().floor() as i32 + 1;
    let decimals = (4 - before_point).clamp(0, 8) as usize;
    let text = format!("{x:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    minus(text.to_owned())
}

/// Replaces the hyphen with a real minus sign.
fn minus(text: String) -> String {
    text.replace('-', "−").replace("e−", "e-")
}

/// A p-value: three decimals, `< 0.001` below.
#[must_use]
pub fn p_value(p: Option<f64>) -> String {
    match p {
        Some(p) if p < 0.001 => "< 0.001".to_owned(),
        Some(p) if p.is_finite() => format!("{p:.3}"),
        _ => NOTHING.to_owned(),
    }
}

/// A share as a percentage: `42 %`, `3.1 %`, `< 0.1 %`.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    // A no-break space keeps the percent sign on the same line.
    match value.abs() {
        _ if !value.is_finite() => NOTHING.to_owned(),
        0.0 => "0\u{a0}%".to_owned(),
        v if v < 0.1 => "< 0.1\u{a0}%".to_owned(),
        v if v < 9.95 => format!("{value:.1}\u{a0}%").replace(".0\u{a0}", "\u{a0}"),
        // 99.96 % must not be rounded to 100 %.
        v if v > 99.5 && v < 100.0 => "> 99\u{a0}%".to_owned(),
        _ => format!("{value:.0}\u{a0}%"),
    }
}

/// A count: from 10 000 on with a space between thousands.
pub(crate) fn count(n: u64) -> String {
    in_thousands(&n.to_string())
}

/// An internal name, such as a trigger's, as words.
pub(crate) fn words(name: &str) -> String {
    clean(name).replace('_', " ")
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// The day of a time in microseconds.
pub(crate) fn day(micros: f64) -> String {
    let time = micros.is_finite().then(|| jiff::Timestamp::from_microsecond(micros as i64).ok()).flatten();
    time.map_or_else(|| NOTHING.to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// A value of a column; times are shown as days.
pub(crate) fn value(kind: &str, x: Option<f64>) -> String {
    match x {
        Some(x) if kind == "time" => day(x),
        x => number_or(x),
    }
}

/// Text from a table, without characters that control a terminal, break an XML file or change text direction.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_unfit(c) { '\u{fffd}' } else { c }).collect()
}

fn is_unfit(c: char) -> bool {
    // The last two are not valid XML characters.
    printable::steers(c) || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// [`clean`] text of at most `max` characters, ending with an ellipsis if shortened.
pub(crate) fn short(text: &str, max: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= max {
        return text;
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + "…"
}

/// Words in lines of about `max` characters, at most `n_lines`.
pub(crate) fn wrapped(text: &str, max: usize, n_lines: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in short(text, max * n_lines).split_whitespace() {
        let full =
            lines.last().is_some_and(|line| !line.is_empty() && line.chars().count() + word.chars().count() >= max);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(&short(word, max));
        }
    }
    lines.truncate(n_lines);
    lines
}

#[cfg(test)]
mod tests {
    use super::{cell, clean, count, day, metric, number, p_value, percent, short, signed};

    #[test]
    fn numbers_have_four_digits() {
        let cases = [
            (0.312_74, "0.3127"),
            (48.2, "48.2"),
            (-1.0, "−1"),
            (1234.56, "1235"),
            (12_345.6, "12.35k"),
            (9999.6, "10k"),
            (1_234_567.0, "1.235M"),
            (999_999.9, "1M"),
            (1.2e-7, "1.2e-7"),
            (-1.2e-7, "−1.2e-7"),
            (3e-9, "3e-9"),
            (2.5e20, "2.5e20"),
            (f64::NAN, "–"),
        ];
        for (x, text) in cases {
            assert_eq!(number(x), text, "{x}");
        }
    }

    #[test]
    fn differences_have_a_sign_and_never_round_to_nothing() {
        let told = [0.1254, -0.0312, 0.0, -0.0, 4.2e-5, -4.2e-5].map(signed);
        assert_eq!(told, ["+0.125", "−0.031", "0.000", "0.000", "+4.2e-5", "−4.2e-5"]);
    }

    #[test]
    fn values_of_a_table_can_be_searched_for() {
        let told = [250_000.0, 60.234_999_999_999_97, -0.1, 9000.0, 0.0, 1e-7].map(cell);
        assert_eq!(told, ["250000", "60.235", "-0.1", "9000", "0", "0.0000001"]);
    }

    #[test]
    fn thousands_stand_apart_from_ten_thousand_on() {
        let told = [9999, 10_000, 123_456, 1_234_567].map(count);
        assert_eq!(told, ["9999", "10\u{a0}000", "123\u{a0}456", "1\u{a0}234\u{a0}567"]);
    }

    #[test]
    fn shares_and_p_never_round_to_a_claim() {
        assert_eq!([percent(0.421), percent(0.0312), percent(0.0001)], ["42\u{a0}%", "3.1\u{a0}%", "< 0.1\u{a0}%"]);
        assert_eq!([percent(0.9996), percent(1.0), percent(0.0)], ["> 99\u{a0}%", "100\u{a0}%", "0\u{a0}%"]);
        assert_eq!([p_value(Some(1e-9)), p_value(Some(0.0421)), p_value(None)], ["< 0.001", "0.042", "–"]);
        assert_eq!([9_999, 10_000, 1_000_000].map(count), ["9999", "10\u{a0}000", "1\u{a0}000\u{a0}000"]);
        assert_eq!(
            [metric(0.756), metric(0.8292), metric(-1e-7), metric(1234.5)],
            ["0.7560", "0.8292", "−0.0000", "1234"]
        );
        assert_eq!(day(0.0), "1970-01-01");
    }

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(short("abcdefgh", 5), "abcd…");
        assert_eq!(short("abcde", 5), "abcde");
    }
}
