//! Texts of `mlloop.toml`: quoting, and positions of errors.

use crate::wording::{plain, toml_line};
use serde::Deserialize;
use std::fmt::Write as _;

/// The text of a `mlloop.toml` with another `[data] reference`.
pub(super) fn with_reference(text: &str, reference: &str) -> Result<String, String> {
    #[derive(Deserialize)]
    struct File {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        reference: toml::Spanned<String>,
    }
    let file: File = toml::from_str(text).map_err(|err| place(text, &err))?;
    let span = file.data.reference.span();
    let (Some(before), Some(after)) = (text.get(..span.start), text.get(span.end..)) else {
        return Err("[data] reference not found".to_owned());
    };
    Ok(format!("{before}{}{after}", quote(reference)))
}

/// A basic TOML string on one line, as a value or a key.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A comment at the end of a line: one line without control characters, of bounded length.
pub(super) fn comment(text: &str) -> String {
    const LONGEST: usize = 300;
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    let cut = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("   # {plain}{cut}")
}

/// The error of a text, with its line.
pub(super) fn place(text: &str, err: &toml::de::Error) -> String {
    let message = plain(err.message());
    let Some(span) = err.span() else { return message };
    let line = text[..span.start.min(text.len())].matches('\n').count();
    if err.message().starts_with("duplicate key") {
        return format!("line {}: {}", line + 1, twice(text, line));
    }
    // If the text is valid TOML, the message is about a value; otherwise it is about the invalid line.
    let is_toml = toml::from_str::<toml::Table>(text).is_ok();
    let written = text.lines().nth(line).and_then(toml_line).filter(|_| !is_toml);
    format!("line {}: {}", line + 1, written.unwrap_or(message))
}

/// A duplicate key: its line, counted from 0, and its first occurrence.
fn twice(text: &str, line: usize) -> String {
    let name = |line: &str| {
        let plain = line.split('#').next().unwrap_or_default().trim();
        let end = if plain.starts_with('[') { plain.len() } else { plain.find('=').unwrap_or(plain.len()) };
        plain[..end].trim().to_owned()
    };
    let key = text.lines().nth(line).map(name).unwrap_or_default();
    let before: Vec<&str> = text.lines().take(line).collect();
    let first = before.iter().rposition(|line| name(line) == key);
    let first = first.map_or_else(String::new, |at| format!("; first on line {}", at + 1));
    format!("duplicate {key}{first}: merge them")
}

#[cfg(test)]
mod tests {
    use super::{comment, place, quote, with_reference};

    #[test]
    fn what_stands_twice_is_named_with_both_lines() {
        for (text, says) in [
            (
                "[promote]\nalpha = 0.1\n[labels]\n[promote] # mine\n",
                "line 4: duplicate [promote]; first on line 1: merge them",
            ),
            ("[promote]\nalpha = 0.1 # a\nalpha=0.2\n", "line 3: duplicate alpha; first on line 2: merge them"),
        ] {
            let err = toml::from_str::<toml::Table>(text).unwrap_err();
            assert_eq!(place(text, &err), says);
        }
    }

    #[test]
    fn any_text_is_a_key_and_a_comment_on_one_line() {
        for name in ["a\nb", "a\r\nb", "tab\t", "bell\u{7}", "\u{7f}", "quo\"te", "back\\slash", "\u{85}", "'", "é", ""]
        {
            let text = format!("{} = {}{}\n", quote(name), quote(name), comment(name));
            let table: toml::Table = toml::from_str(&text).unwrap();
            assert_eq!(table[name].as_str(), Some(name));
            assert_eq!(text.lines().count(), 1, "{text}");
        }
        assert!(comment(&"x".repeat(200_000)).len() < 400);
    }

    #[test]
    fn only_the_reference_is_renamed() {
        let text = "[data]  # where\nreference = '../a b.parquet'   # rows\nheader = true\n[target]\ncolumn = \"y\"\n";
        let renamed = with_reference(text, "data/reference.csv").unwrap();
        assert_eq!(renamed, text.replace("'../a b.parquet'", "\"data/reference.csv\""));
    }
}
