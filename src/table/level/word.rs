//! The meaning of one text: a number, yes or no, or the text without variations in writing.

use icu_normalizer::ComposingNormalizerBorrowed;
use std::borrow::Cow;

/// Words for yes, folded by [`fold`].
pub(super) const YES: [&str; 14] =
    ["yes", "true", "y", "t", ".true", "on", "ja", "wahr", "oui", "vrai", "si", "sí", "sim", "verdadero"];
/// Words for no.
pub(super) const NO: [&str; 14] =
    ["no", "false", "n", "f", ".false", "off", "nein", "falsch", "non", "faux", "nee", "não", "falso", "nao"];
/// Below this an `f64` distinguishes all whole numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A word in lower case, in upper case, and capitalised.
pub(super) fn cases(word: &str) -> Vec<String> {
    let lower = word.to_lowercase();
    let mut letters = lower.chars();
    let title = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>());
    [lower.clone(), word.to_uppercase()].into_iter().chain(title).collect()
}

/// Programs' spellings of a number: `2`, `2.0`, `2.00`, `+2`, `2.`, `2e0`, `2e+00`, and Excel's `2.00E+00`.
pub(super) fn numerals(value: f64) -> Vec<String> {
    let short = number_text(value);
    let mut texts = vec![short.clone(), format!("{value:.1}"), format!("{value:.2}")];
    if !short.contains('.') {
        texts.extend([format!("{short}."), format!("{short}e0"), format!("{short}e+0"), format!("{short}e+00")]);
    }
    for written in [format!("{value:e}"), format!("{value:.1e}"), format!("{value:.2e}")] {
        if let Some((digits, power)) = written.split_once('e') {
            let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
            texts.extend([format!("{digits}e{sign}{power:0>2}"), written.clone()]);
        }
    }
    let plus: Vec<String> = texts.iter().filter(|_| value >= 0.0).map(|text| format!("+{text}")).collect();
    texts.extend(plus);
    let capitals: Vec<String> = texts.iter().map(|text| text.to_uppercase()).collect();
    texts.extend(capitals);
    texts
}

/// The common key of equal values: the folded text, or the number.
pub(super) fn key(text: &str) -> String {
    let folded = fold(text);
    match number(&folded) {
        Some(value) => number_text(value),
        None => folded,
    }
}

/// `true` for `TRUE`, `VRAI` or `WAHR`, and `false` for their opposites: spreadsheets write the same cell in their own
/// language. `None` for other texts, including `yes` and `no`, which people write.
pub(crate) fn boolean(text: &str) -> Option<&'static str> {
    const TRUE: [&str; 8] = ["true", "wahr", "vrai", "verdadero", "verdadeiro", "vero", "waar", "prawda"];
    const FALSE: [&str; 6] = ["false", "falsch", "faux", "falso", "onwaar", "fałsz"];
    // The longest has ten letters; surrounding spaces are rare.
    if !(4..=16).contains(&text.len()) {
        return None;
    }
    let word = fold(text);
    let is_in = |words: &[&str]| words.contains(&word.as_str());
    if is_in(&TRUE) { Some("true") } else { is_in(&FALSE).then_some("false") }
}

/// Normalises a text: trimmed, inner spaces collapsed to one, no zero-width characters, accents composed with their
/// letter, lower case, no final full stop (the test file of the Adult data set ends its labels with one).
pub(crate) fn fold(text: &str) -> String {
    let composed =
        if text.is_ascii() { Cow::Borrowed(text) } else { ComposingNormalizerBorrowed::new_nfc().normalize(text) };
    let visible = composed.replace(['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'], "");
    let words: Vec<&str> = visible.split_whitespace().collect();
    let joined = words.join(" ");
    joined.strip_suffix('.').unwrap_or(&joined).trim_end().to_lowercase()
}

/// The number that a text certainly means: not a code with leading zeros, nor beyond the precision of an `f64`.
pub(super) fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(digits.as_bytes(), [b'0', b'0'..=b'9', ..]) {
        return None;
    }
    parse(text).filter(|value| value.abs() < EXACT)
}

/// Whether a text means yes or no; as a number, 1 or 0.
pub(crate) fn truth(text: &str) -> Option<bool> {
    let word = fold(text);
    match number(&word) {
        Some(1.0) => return Some(true),
        Some(0.0) => return Some(false),
        _ => {}
    }
    if YES.contains(&word.as_str()) {
        return Some(true);
    }
    NO.contains(&word.as_str()).then_some(false)
}

/// A finite number; words such as `nan` and `inf` are ordinary texts.
pub(crate) fn parse(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|v| v.is_finite())
}

/// A number as its shortest exact text: whole numbers without a point, no negative zero.
///
/// ```
/// assert_eq!(mlloop::features::target::number_text(1.0), "1");
/// assert_eq!(mlloop::features::target::number_text(0.5), "0.5");
/// ```
#[must_use]
pub fn number_text(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value}") }
}
