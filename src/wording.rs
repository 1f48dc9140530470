//! Error messages: the likely correct name for a misspelt one, short lists, and plain words for the type names of TOML
//! and JSON.

use std::collections::{HashMap, HashSet};
use std::fmt;

/// Maximum number of names that a list shows.
const LISTED: usize = 10;

/// A number in its shortest exact digits: `12.5`, and `1e200` instead of many zeros.
///
/// ```
/// use mlloop::wording::Plain;
/// assert_eq!([0.0, 12.5, -1e15, 1e16, 1e-5, 2.5e-7].map(|x| Plain(x).to_string()).join(" "), "0 12.5 -1000000000000000 1e16 0.00001 2.5e-7");
/// ```
pub struct Plain(pub f64);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 == 0.0 || (1e-5..1e16).contains(&self.0.abs()) || !self.0.is_finite() {
            true => write!(f, "{}", self.0),
            false => write!(f, "{:e}", self.0),
        }
    }
}

/// Digits with a space between thousands, from 10 000 on.
///
/// ```
/// use mlloop::wording::in_thousands;
/// assert_eq!(["9999", "10000", "1234567"].map(in_thousands).join(" "), "9999 10\u{a0}000 1\u{a0}234\u{a0}567");
/// ```
#[must_use]
pub fn in_thousands(digits: &str) -> String {
    if digits.len() < 5 {
        return digits.to_owned();
    }
    let mut text = String::with_capacity(digits.len() + digits.len() / 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// Refuses a file whose format this mlloop does not support.
///
/// # Errors
/// The found and the supported format, as a clause.
pub fn known_format(found: u32, known: u32) -> Result<(), String> {
    match found == known {
        true => Ok(()),
        false => Err(format!("has format {found}; this mlloop knows {known}")),
    }
}

/// The name of which `word` is probably a misspelling: the nearest one, by insertions, deletions, substitutions and
/// swaps; otherwise, a name with a part of which it is probably a misspelling.
///
/// ```
/// use mlloop::wording::nearest;
/// assert_eq!(nearest("chrun", ["churn", "charge"]), Some("churn"));
/// assert_eq!(nearest("foresst", ["random-forest", "decision-tree"]), Some("random-forest"));
/// assert_eq!(nearest("amount", ["churn", "charge"]), None);
/// ```
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Minimum length of a word that is compared with parts of names.
    const PART: usize = 4;
    let names: Vec<&str> = names.into_iter().collect();
    let of_whole = nearest_of(word, names.iter().map(|name| (*name, *name)));
    let parts = names.iter().flat_map(|name| name.split(['-', ' ', '.', '_']).map(move |part| (*name, part)));
    of_whole.or_else(|| nearest_of(word, parts.filter(|(_, part)| part.len() >= PART && word.len() >= PART)))
}

/// The name with the nearest spelling; `names` are names with the text to compare.
fn nearest_of<'a>(word: &str, names: impl Iterator<Item = (&'a str, &'a str)>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' ', '.'], "_");
    let wanted = plain(word);
    let length = wanted.chars().count();
    let near = names.filter_map(|(name, known)| {
        let known = plain(known);
        let distance = match wanted == known {
            true => 0,
            false => strsim::damerau_levenshtein(&wanted, &known),
        };
        // A shortened word, such as `contr` for `contract`, counts as one wrong letter.
        let is_cut = length >= 3 && known.starts_with(&wanted);
        let distance = if is_cut { distance.min(1) } else { distance };
        // A word of two letters is not compared.
        let allowed = if length < 3 { 0 } else { (length.max(known.chars().count()) / 3).clamp(1, 3) };
        (distance <= allowed).then_some((distance, name))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Whether the character is invisible, or reorders the text around it.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The name of a person, trimmed.
///
/// # Errors
/// Why a text is not a name: a name has a visible character, and no invisible ones.
pub fn person(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a name has at least one letter".to_owned()),
        name if name.chars().any(is_unseen) => Err("it has invisible characters".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// The same key for all spellings of a person's name: case, surrounding spaces and invisible characters
/// do not matter.
///
/// ```
/// use mlloop::wording::person_key;
/// assert_eq!(person_key("BOB "), person_key("bob"));
/// assert_ne!(person_key("bob"), person_key("bea"));
/// ```
#[must_use]
pub fn person_key(name: &str) -> String {
    let seen: String = name.chars().filter(|c| !is_unseen(*c)).collect();
    seen.trim().to_lowercase()
}

/// People by the names that are used for them.
#[derive(Debug, Default)]
pub struct People<'a> {
    names: HashSet<&'a str>,
    by_key: HashMap<String, &'a str>,
}

impl<'a> People<'a> {
    /// The people with these names; the first spelling of a name is used.
    pub fn known(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut people = Self::default();
        for name in names {
            if people.names.insert(name) {
                people.by_key.entry(person_key(name)).or_insert(name);
            }
        }
        people
    }

    /// The name that is used for the person with another spelling of it.
    #[must_use]
    pub fn other_spelling(&self, name: &str) -> Option<&'a str> {
        if self.names.contains(name) { None } else { self.by_key.get(&person_key(name)).copied() }
    }
}

/// The names in one line, at most ten of them: `a, b, c, … (12 in all)`.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > LISTED { format!("{shown}, … ({} in all)", names.len()) } else { shown }
}

/// The alternatives to `word`: `: did you mean "churn"? Choose from id, churn`, or `; choose from id, churn`.
///
/// ```
/// use mlloop::wording::instead;
/// assert_eq!(instead("chrun", ["id", "churn"]), ": did you mean \"churn\"? Choose from id, churn");
/// assert_eq!(instead("z", ["id", "churn"]), "; choose from id, churn");
/// ```
pub fn instead<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match nearest(word, names.iter().copied()) {
        Some(near) => format!(": did you mean {near:?}? Choose from {}", list(names)),
        None if names.is_empty() => "; there is none".to_owned(),
        None => format!("; choose from {}", list(names)),
    }
}

/// The message of serde, in plain words.
#[must_use]
pub fn plain(message: &str) -> String {
    let message = message.trim_end();
    unknown(message, "unknown field ", "unknown key")
        .or_else(|| unknown(message, "unknown variant ", "unknown value"))
        .or_else(|| wrong_type(message))
        .or_else(|| missing(message))
        .unwrap_or_else(|| message.to_owned())
}

/// ``unknown field `a`, expected one of `b`, `c` ``.
fn unknown(message: &str, prefix: &str, what: &str) -> Option<String> {
    let rest = &message[message.find(prefix)? + prefix.len()..];
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let word = quoted.next()?;
    let names: Vec<&str> = quoted.collect();
    Some(format!("{what} {word:?}{}", instead(word, names)))
}

/// `invalid type: string "a", expected f64`.
fn wrong_type(message: &str) -> Option<String> {
    let rest = message.split_once("invalid type: ").or_else(|| message.split_once("invalid value: "))?.1;
    let (found, expected) = rest.split_once(", expected ")?;
    let kinds = [
        ("string ", "the text "),
        ("floating point ", "the number "),
        ("integer ", "the number "),
        ("boolean ", ""),
        ("sequence", "a list"),
        ("map", "a table"),
        ("unit", "nothing"),
    ];
    let found = kinds.iter().find_map(|(name, plain)| Some(format!("{plain}{}", found.strip_prefix(name)?)));
    let found =
        found.unwrap_or_else(|| rest.split(", expected ").next().unwrap_or_default().to_owned()).replace('`', "");
    let expected = expected.split(" at line").next().unwrap_or(expected).trim();
    let expected = match expected {
        "f64" | "f32" => "a number such as 0.15",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0 such as 10",
        "i32" | "i64" => "a whole number such as 10",
        "a boolean" => "true or false",
        "a string" => "a text in quotes such as \"f1\"",
        "a sequence" => "a list such as [\"a\", \"b\"]",
        "path string" => "a path in quotes such as \"data/current.csv\"",
        other if other.starts_with("struct ") => "a section with keys",
        other => other,
    };
    Some(format!("expected {expected}, found {found}"))
}

/// ``missing field `a` ``.
fn missing(message: &str) -> Option<String> {
    let field = message.strip_prefix("missing field `")?.split('`').next()?;
    Some(format!("the key {field:?} is missing"))
}

/// The error in an invalid line of TOML.
#[must_use]
pub fn toml_line(line: &str) -> Option<String> {
    let line = line.trim();
    if line.contains(['“', '”', '„']) {
        return Some("write straight quotes: \"…\"".to_owned());
    }
    if line.starts_with('[') {
        return (!line.contains(']')).then(|| format!("a section ends with a bracket: {line}]"));
    }
    let Some((key, value)) = line.split_once('=') else {
        return match line.split_once(':') {
            Some((key, value)) => Some(format!("write {} = {}", key.trim(), value.trim())),
            None => Some("a line is `key = value`, a [section], or a # comment".to_owned()),
        };
    };
    let (key, value) = (key.trim(), value.split(" #").next().unwrap_or_default().trim());
    let mut letters = value.chars();
    let first = letters.next()?;
    let is_written_otherwise = |word: &str| value.eq_ignore_ascii_case(word) && value != word;
    if is_written_otherwise("true") || is_written_otherwise("false") {
        return Some(format!("true and false are written in small letters: {key} = {}", value.to_lowercase()));
    }
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if value.split_once(',').is_some_and(|(whole, part)| is_digits(whole.trim_start_matches('-')) && is_digits(part)) {
        return Some(format!("a number has a decimal point: {key} = {}", value.replace(',', ".")));
    }
    if first == '.' && is_digits(&value[1..]) {
        return Some(format!("a number begins with a digit: {key} = 0{value}"));
    }
    if value.ends_with('%') {
        return Some(format!("a share is a number such as 0.15, without a sign: {key} = {value}"));
    }
    if first.is_alphabetic() || first == '/' {
        return Some(format!("a text needs quotes: {key} = {value:?}"));
    }
    let is_open = |quote: char| value.starts_with(quote) && value.matches(quote).count() == 1;
    if let Some(quote) = ['"', '\''].into_iter().find(|quote| is_open(*quote)) {
        return Some(format!("the quote is not closed: {key} = {value}{quote}"));
    }
    if value.matches('"').count() % 2 == 1 {
        return Some(format!("a quote is not closed: {key} = {value}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_at_ten() {
        let names: Vec<String> = (0..12).map(|n| format!("c{n}")).collect();
        let listed = list(names.iter().map(String::as_str));
        assert_eq!(listed, "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, … (12 in all)");
        assert_eq!(instead("x", []), "; there is none");
    }

    #[test]
    fn misspelt_names_are_recognised() {
        let names = ["threshold", "calibration", "customer_id", "Contract"];
        for (word, name) in [
            ("treshold", Some("threshold")),
            ("thresohld", Some("threshold")),
            ("contract", Some("Contract")),
            ("Contr", Some("Contract")),
            ("customer-id", Some("customer_id")),
            ("amount", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, names), name, "{word}");
        }
    }

    #[test]
    fn serde_is_put_into_words() {
        for (message, plain_words) in [
            (
                "unknown field `treshold`, expected one of `imbalance`, `threshold`",
                "unknown key \"treshold\": did you mean \"threshold\"? Choose from imbalance, threshold",
            ),
            ("unknown variant `x`, expected `a` or `b`", "unknown value \"x\"; choose from a, b"),
            ("invalid type: string \"0.15\", expected f64", "expected a number such as 0.15, found the text \"0.15\""),
            ("invalid type: integer `3`, expected a boolean", "expected true or false, found the number 3"),
            ("missing field `column`", "the key \"column\" is missing"),
            ("something else", "something else"),
        ] {
            assert_eq!(plain(message), plain_words);
        }
    }

    #[test]
    fn lines_that_are_no_toml_are_explained() {
        for (line, says) in [
            ("threshold = f1   # best", Some("a text needs quotes: threshold = \"f1\"")),
            ("tune = 0,15", Some("a number has a decimal point: tune = 0.15")),
            ("tune = .15", Some("a number begins with a digit: tune = 0.15")),
            ("header = True", Some("true and false are written in small letters: header = true")),
            ("threshold: 0.5", Some("write threshold = 0.5")),
            ("[model", Some("a section ends with a bracket: [model]")),
            ("threshold = “f1”", Some("write straight quotes: \"…\"")),
            ("column = \"churn", Some("the quote is not closed: column = \"churn\"")),
            ("calibration = 'auto # best", Some("the quote is not closed: calibration = 'auto'")),
            ("annotators = [\"ann, \"bob\"]", Some("a quote is not closed: annotators = [\"ann, \"bob\"]")),
            ("x = [1, 2", None),
        ] {
            assert_eq!(toml_line(line).as_deref(), says, "{line}");
        }
    }
}
