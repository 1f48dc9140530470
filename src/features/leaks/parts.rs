//! Texts that contain the target in a part: `A-17/yes`, `id_fraud_0003`, `paid 120.50 in March`.

use std::collections::HashMap;

/// A property of every text of a column.
pub(super) enum Part {
    /// A level for each row.
    Levels(Vec<u32>),
    /// A number for each row; `NaN` without one.
    Numbers(Vec<f64>),
}

/// The parts checked: the text without its digits, its first and its last run of letters and digits, its first
/// and its last character, and the first and the last number in it. Parts shared by hardly any two texts are skipped.
pub(super) fn parts(texts: &[&str]) -> Vec<Part> {
    type Cut = for<'t> fn(&'t str) -> &'t str;
    let cuts: [Cut; 4] = [first_run, last_run, first_char, last_char];
    let without_digits: Vec<String> =
        texts.iter().map(|text| text.chars().filter(|c| !c.is_ascii_digit()).collect()).collect();
    let levels = std::iter::once(levels(without_digits.iter().map(String::as_str)))
        .chain(cuts.into_iter().map(|cut| levels(texts.iter().map(|text| cut(text)))));
    let numbers = [first_number as fn(&str) -> f64, last_number].map(|number| numbers(texts, number));
    levels.flatten().map(Part::Levels).chain(numbers.into_iter().flatten().map(Part::Numbers)).collect()
}

/// The codes of levels, `None` if most rows have a level of their own.
fn levels<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Vec<u32>> {
    let mut known: HashMap<&str, u32> = HashMap::new();
    let codes: Vec<u32> = texts
        .map(|text| {
            let next = known.len() as u32;
            *known.entry(text).or_insert(next)
        })
        .collect();
    (known.len() > 1 && known.len() * 2 <= codes.len()).then_some(codes)
}

/// The numbers, if most texts have one and the numbers vary.
fn numbers(texts: &[&str], number: fn(&str) -> f64) -> Option<Vec<f64>> {
    let found: Vec<f64> = texts.iter().map(|text| number(text)).collect();
    let mut present = found.iter().filter(|value| !value.is_nan());
    let first = present.next()?;
    let n_others = present.clone().count();
    (2 * n_others >= texts.len() && present.any(|value| value != first)).then_some(found)
}

fn runs(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty())
}

fn first_run(text: &str) -> &str {
    runs(text).next().unwrap_or_default()
}

fn last_run(text: &str) -> &str {
    runs(text).next_back().unwrap_or_default()
}

fn first_char(text: &str) -> &str {
    text.char_indices().nth(1).map_or(text, |(end, _)| &text[..end])
}

fn last_char(text: &str) -> &str {
    text.char_indices().next_back().map_or(text, |(start, _)| &text[start..])
}

fn written_numbers(text: &str) -> impl DoubleEndedIterator<Item = f64> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|run| run.trim_matches('.').parse().ok())
}

fn first_number(text: &str) -> f64 {
    written_numbers(text).next().unwrap_or(f64::NAN)
}

fn last_number(text: &str) -> f64 {
    written_numbers(text).next_back().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_its_parts_end() {
        let text = "A-17/yes";
        assert_eq!([first_run(text), last_run(text), first_char(text), last_char(text)], ["A", "yes", "A", "s"]);
        assert_eq!([first_run("--"), last_run(""), first_char("é"), last_char("é")], ["", "", "é", "é"]);
        let text = "paid 120.50 on day 3.";
        assert_eq!([first_number(text), last_number(text)], [120.5, 3.0]);
        assert!(first_number("none...").is_nan());
    }
}
