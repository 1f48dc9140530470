//! Formats of cells: periods, durations, numbers with several units, pairs, fractions, heights, and bounds.

use super::decide::FEW_LEVELS;
use crate::table::cell::number;
use crate::table::evidence::Evidence;
use crate::table::time::TimeFormat;

/// Minimum number of distinct cells for their format to mean something.
pub(super) const MIN_LEVELS: usize = 3;
/// Units that can be converted into each other.
const SCALES: [&str; 42] = [
    "k", "m", "b", "bn", "mn", "mio", "mrd", "tsd", "mg", "g", "kg", "t", "oz", "lb", "lbs", "mm", "cm", "km", "ft",
    "mi", "ml", "cl", "l", "ms", "s", "sec", "min", "h", "hr", "hrs", "d", "days", "kb", "mb", "gb", "tb", "w", "kw",
    "mw", "hz", "mhz", "ghz",
];

/// Whether a cell has a format.
type Fits = fn(&str) -> bool;

/// A special cell format.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
    Period,
    Duration,
    Scaled,
    Pair,
    Fraction,
    Height,
    About,
}

pub(super) fn said(form: Form) -> (&'static str, &'static str) {
    match form {
        Form::Period => {
            ("periods", "later tables have other values, and their order is lost; write the first day of each")
        }
        Form::Duration => ("durations", "write a number of seconds, minutes or hours"),
        Form::Scaled => ("numbers with several units", "use one unit"),
        Form::Pair => ("two numbers in a cell", "write two columns"),
        Form::Fraction => ("fractions", "write them as decimals"),
        Form::Height => ("feet and inches", "write a number of inches"),
        Form::About => ("approximate numbers or bounds", "write only the number, and its qualifier in another column"),
    }
}

/// The format of all recorded cells, if they share one.
pub(super) fn form_of(seen: &Evidence) -> Option<Form> {
    if seen.levels.len() < MIN_LEVELS {
        return None;
    }
    let forms: [(Form, Fits); 6] = [
        (Form::Period, is_period),
        (Form::Duration, is_duration),
        (Form::Scaled, |text| unit_of(text).is_some()),
        (Form::Pair, is_pair),
        (Form::Fraction, is_fraction),
        (Form::Height, is_height),
    ];
    let form = forms.into_iter().find(|(_, fits)| seen.levels.iter().all(fits)).map(|(form, _)| form);
    let Some(form) = form else { return of_bounds(seen).then_some(Form::About) };
    let mut units = seen.levels.iter().filter_map(unit_of);
    let first = units.next();
    let several = units.any(|unit| Some(&unit) != first.as_ref());
    (form != Form::Scaled || several).then_some(form)
}

/// Whether all cells are numbers and some have a mark; a few such texts are levels: `0`, `1`, `2`, `3+`.
fn of_bounds(seen: &Evidence) -> bool {
    let is_number = |text: &str| number(text.as_bytes()).is_some() || is_about(text);
    seen.levels.len() > FEW_LEVELS as usize && seen.levels.iter().all(is_number) && seen.levels.iter().any(is_about)
}

/// `~11`, `ca. 11`, `>100`, `<= 5`, `100+`: an approximate number, or a bound.
pub(super) fn is_about(text: &str) -> bool {
    const MARKS: [&str; 17] = [
        "~", "≈", "<=", ">=", "≤", "≥", "<", ">", "circa", "ca.", "ca", "approx.", "approx", "about", "around", "etwa",
        "c.",
    ];
    let lower = text.trim().to_lowercase();
    let rest = MARKS.iter().find_map(|mark| lower.strip_prefix(mark)).or_else(|| lower.strip_suffix('+'));
    rest.is_some_and(|rest| number(rest.trim().as_bytes()).is_some_and(f64::is_finite))
}

/// The runs of digits and of letters (upper and lower case alike); all other characters separate them.
fn runs(text: &str) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    let mut before = None;
    for c in text.chars() {
        let kind = (c.is_ascii_digit(), c.is_alphabetic());
        if kind != (false, false) {
            match runs.last_mut().filter(|_| before == Some(kind)) {
                Some(run) => run.extend(c.to_uppercase()),
                None => runs.push(c.to_uppercase().collect()),
            }
        }
        before = Some(kind);
    }
    runs
}

/// `2020Q1`, `Q1/2020`, `2020-W05`, `KW 5 2020`, `2020-03`, `03/2020`, `Mar 2020`.
fn is_period(text: &str) -> bool {
    const MARKS: [&str; 6] = ["Q", "T", "W", "KW", "WK", "H"];
    let runs = runs(text);
    let parts: Vec<&str> = runs.iter().map(String::as_str).collect();
    let is_year = |part: &str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    let is_part = |part: &str| part.len() <= 2 && part.parse::<u32>().is_ok_and(|n| (1..=53).contains(&n));
    let month = |part: &str| {
        part.chars().all(char::is_alphabetic)
            && TimeFormat::new("%d %b %Y").is_ok_and(|format| format.parse(&format!("1 {part} 2000")).is_some())
    };
    match parts[..] {
        [year, mark, part] | [mark, part, year] if MARKS.contains(&mark) => is_year(year) && is_part(part),
        [a, b] if is_year(a) => text.len() <= 8 && (month(b) || (b.len() == 2 && is_part(b) && text.len() == 7)),
        [a, b] if is_year(b) => month(a) || (is_part(a) && text.len() <= 7),
        _ => false,
    }
}

/// `27:10:03`, `5h 3m`, `2 days 03:00:00`, `PT5M`.
fn is_duration(text: &str) -> bool {
    const MARKS: [&str; 14] =
        ["D", "DAY", "DAYS", "H", "HR", "HRS", "HOURS", "M", "MIN", "MINS", "S", "SEC", "MS", "MINUTES"];
    let digits = |part: &str| part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty();
    let is_clock =
        text.contains(':') && text.split(':').all(digits) && text.split(':').skip(1).all(|part| part.len() == 2);
    let runs = runs(text);
    let is_number = |run: &String| run.bytes().all(|b| b.is_ascii_digit());
    let marked = runs.len() >= 4
        && runs.iter().step_by(2).all(is_number)
        && runs.iter().skip(1).step_by(2).all(|run| MARKS.contains(&run.as_str()));
    let iso = text.strip_prefix("PT").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let days = text.split_once(" days ").is_some_and(|(days, clock)| digits(days) && clock.contains(':'));
    (is_clock || marked || iso || days) && !text.contains(['-', '/'])
}

/// The unit of `1.5 GB`, in lower case, if it is convertible.
fn unit_of(text: &str) -> Option<String> {
    let at = text.find(|c: char| c.is_alphabetic())?;
    let (value, unit) = text.split_at(at);
    number(value.trim().replace(',', ".").as_bytes())?;
    Some(unit.trim().to_lowercase()).filter(|unit| SCALES.contains(&unit.as_str()))
}

/// `48.1374, 11.5755`, `10 x 20`.
fn is_pair(text: &str) -> bool {
    let text = text.trim_matches(['(', ')', '[', ']']);
    let is_number = |part: &str| number(part.trim().as_bytes()).is_some();
    let both = |mark: &str| text.split_once(mark).is_some_and(|(a, b)| is_number(a) && is_number(b));
    ["x", "×", "; "].into_iter().any(both) || (both(", ") || both(",")) && text.matches('.').count() == 2
}

/// `3/10`, `1 2/5`, `½`.
fn is_fraction(text: &str) -> bool {
    let digits = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, part) = text.rsplit_once(' ').unwrap_or(("0", text));
    digits(whole) && part.split_once('/').is_some_and(|(a, b)| digits(a) && digits(b) && b != "0")
}

/// `5'11"`.
fn is_height(text: &str) -> bool {
    let inner = text.trim_end_matches(['"', '”', '\'', '’', '″']);
    let digits = |part: &str| (1..=2).contains(&part.trim().len()) && part.trim().bytes().all(|b| b.is_ascii_digit());
    inner.split_once(['\'', '’', '′']).is_some_and(|(feet, inches)| digits(feet) && digits(inches))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_the_form_that_they_show() {
        let forms: [(Fits, &[&str], &[&str]); 7] = [
            (
                is_period,
                &["2020Q1", "Q4/2020", "2020-W05", "KW 5 2020", "2020-03", "03/2020", "Mar 2020", "2020T2"],
                &["2020-03-01", "2020", "A1 2020", "1234-56", "03/20", "2020-99", "12-2020-1"],
            ),
            (
                is_duration,
                &["27:10:03", "5h 3m", "1 days 03:00:00", "PT5M", "90:15"],
                &["5 m", "a:b", "10-20", "1:2:3:4x"],
            ),
            (|text| unit_of(text).is_some(), &["1.5 GB", "17k", "3 kg", "1,5M"], &["5 apples", "kg", "12", "A4"]),
            (is_pair, &["48.1374, 11.5755", "10x20", "(1.5,2.5)", "3 × 4"], &["1,234", "1, 2", "x", "10-20"]),
            (is_fraction, &["3/10", "1 2/5"], &["3/0", "2020/1", "a/b", "3"]),
            (
                is_about,
                &["~11", "ca. 11.5", ">100", "<= 5", "100+", "≈3", "Circa 9"],
                &["11", "10-20", "+", "cat 5", "<b"],
            ),
            (is_height, &["5'11\"", "6’2”", "5' 3\""], &["5'", "it's", "500'1"]),
        ];
        for (fits, right, wrong) in forms {
            right.iter().for_each(|text| assert!(fits(text), "{text}"));
            wrong.iter().for_each(|text| assert!(!fits(text), "{text}"));
        }
    }
}
