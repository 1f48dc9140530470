//! Corrections from CSV or JSON lines.

use super::{Correction, FeedbackError, Verdict};
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read};

/// What a line may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<T> {
    id: T,
    verdict: Verdict,
    #[serde(default = "nothing")]
    actual: Option<T>,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    comment: Option<String>,
}

fn nothing<T>() -> Option<T> {
    None
}

/// A text; JSON may also give a number or a truth value.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a text, a number, true or false")]
enum Value {
    Text(String),
    Number(serde_json::Number),
    Bool(bool),
}

impl From<Value> for String {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
        }
    }
}

impl<T: Into<String>> Line<T> {
    fn correction(self, place: String, by: &str) -> Correction {
        Correction {
            place,
            id: self.id.into(),
            verdict: self.verdict,
            actual: self.actual.map(T::into).filter(|actual: &String| !actual.is_empty()),
            by: self.by.filter(|by| !by.is_empty()).unwrap_or_else(|| by.to_owned()),
            comment: self.comment.unwrap_or_default(),
        }
    }
}

/// Reads corrections: CSV with a header of `id`, `verdict` and, as far as there are any, `actual`, `by` and `comment`; or
/// one JSON object a line with these keys. `file` is the name in errors, `by` who says so where a line does not.
///
/// # Errors
/// What is wrong with a line, with its place.
pub fn corrections(file: &str, from: impl Read, by: &str) -> Result<Vec<Correction>, FeedbackError> {
    let mut from = BufReader::new(from);
    let wrong = |what: String| FeedbackError::Correction { place: file.to_owned(), what };
    let head = from.fill_buf().map_err(|err| wrong(err.to_string()))?;
    let bom = head.starts_with(b"\xef\xbb\xbf");
    if bom {
        from.consume(3);
    }
    let is_json = from.fill_buf().is_ok_and(|head| head.trim_ascii_start().starts_with(b"{"));
    if is_json { json(file, from, by) } else { csv(file, from, by) }
}

fn json(file: &str, from: impl BufRead, by: &str) -> Result<Vec<Correction>, FeedbackError> {
    let mut lines = Vec::new();
    for (n, text) in (1..).zip(from.lines()) {
        let place = format!("{file}: line {n}");
        let wrong = |what: String| FeedbackError::Correction { place: place.clone(), what };
        let text = text.map_err(|err| wrong(err.to_string()))?;
        if !text.trim().is_empty() {
            let line: Line<Value> = serde_json::from_str(&text).map_err(|err| wrong(clause(&err.to_string())))?;
            lines.push(line.correction(place, by));
        }
    }
    Ok(lines)
}

fn csv(file: &str, from: impl Read, by: &str) -> Result<Vec<Correction>, FeedbackError> {
    let wrong = |err: &csv::Error| FeedbackError::Correction {
        place: match err.position() {
            Some(position) => format!("{file}: line {}", position.line()),
            None => file.to_owned(),
        },
        what: match err.kind() {
            csv::ErrorKind::Deserialize { err, .. } => clause(&err.kind().to_string()),
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} fields where the header has {expected_len}")
            }
            _ => err.to_string(),
        },
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(from);
    let header = reader.headers().map_err(|err| wrong(&err))?.clone();
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|err| wrong(&err))?;
        // A spreadsheet's blank rows at the end.
        if record.iter().all(str::is_empty) {
            continue;
        }
        let place = format!("{file}: line {}", record.position().map_or(0, csv::Position::line));
        // Texts, so that an id keeps its leading zeros.
        let line: Line<String> = record.deserialize(Some(&header)).map_err(|err| wrong(&err))?;
        lines.push(line.correction(place, by));
    }
    Ok(lines)
}

/// The message as the end of a line of ours.
fn clause(message: &str) -> String {
    // serde_json counts lines of the one line it was given.
    message.split(" at line 1 column").next().unwrap_or(message).to_owned()
}
