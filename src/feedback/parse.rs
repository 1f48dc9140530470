//! Corrections from CSV or JSON lines.

use super::{Correction, FeedbackError, Fields, Verdict};
use crate::labels::DELIMITERS;
use crate::report::number::counted;
use crate::table::record::{Record, Records, cells_of};
use crate::wording::nearest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::io::{BufRead, BufReader, Read};

/// The content of a line.
#[derive(Debug, Deserialize)]
struct Line<T> {
    id: T,
    #[serde(deserialize_with = "verdict")]
    verdict: Verdict,
    #[serde(default = "nothing")]
    actual: Option<T>,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    comment: Option<String>,
    /// All other keys.
    #[serde(skip)]
    fields: Fields,
}

/// The keys with a meaning; others are free fields.
const KEYS: [&str; 5] = ["id", "verdict", "actual", "by", "comment"];
/// Most free fields of a correction, and most characters of a name and of a value.
const LARGEST: (usize, usize, usize) = (32, 64, 1000);

/// Adds a free field; an empty one is skipped.
///
/// # Errors
/// If its name or value is too long or not a text, or its name looks like a misspelt key.
pub fn field(fields: &mut Fields, name: &str, value: &str) -> Result<(), String> {
    let (most, longest_name, longest_value) = LARGEST;
    let (name, value) = (name.trim(), value.trim());
    if KEYS.contains(&name) {
        return Err(format!("{name:?} is reserved and cannot be a free field"));
    }
    if let Some(near) = nearest(name, KEYS) {
        return Err(format!("{name:?}: did you mean {near:?}? The name of a free field must differ more from it"));
    }
    let is_name = !name.is_empty() && name.chars().count() <= longest_name && !name.chars().any(char::is_control);
    if !is_name || name.contains('=') {
        return Err(format!("{name:?} is not a valid field name: 1 to {longest_name} characters without \"=\""));
    }
    if value.chars().count() > longest_value {
        return Err(format!("{name:?} has more than {longest_value} characters"));
    }
    if !value.is_empty() {
        fields.insert(name.to_owned(), value.to_owned());
    }
    if fields.len() > most { Err(format!("more than {most} free fields")) } else { Ok(()) }
}

fn nothing<T>() -> Option<T> {
    None
}

/// A verdict as a person may write it; JSON may also use a boolean.
fn verdict<'de, D: Deserializer<'de>>(from: D) -> Result<Verdict, D::Error> {
    String::from(Value::deserialize(from)?).parse().map_err(D::Error::custom)
}

/// A text; JSON may also use a number or a boolean.
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
            fields: self.fields,
        }
    }
}

/// Reads corrections: CSV with a header of `id`, `verdict` and optionally `actual`, `by` and `comment`; or one JSON
/// object per line with these keys. Other columns and keys become free fields. `file` is the name used in errors, `by`
/// the person for lines that name none.
///
/// # Errors
/// The problem of a line, with its place.
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
            let mut line: Line<Value> = serde_json::from_str(&text).map_err(|err| wrong(clause(&err.to_string())))?;
            line.fields = others(&text).map_err(wrong)?;
            lines.push(line.correction(place, by));
        }
    }
    Ok(lines)
}

/// The free fields of a JSON object.
fn others(text: &str) -> Result<Fields, String> {
    let mut fields = Fields::new();
    let all: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).map_err(|err| err.to_string())?;
    for (name, value) in all.iter().filter(|(name, _)| !KEYS.contains(&name.as_str())) {
        match value {
            serde_json::Value::Null => {}
            serde_json::Value::String(text) => field(&mut fields, name, text)?,
            serde_json::Value::Number(_) | serde_json::Value::Bool(_) => field(&mut fields, name, &value.to_string())?,
            _ => return Err(format!("{name:?} is a list or an object; free fields are texts, numbers, true or false")),
        }
    }
    Ok(fields)
}

fn csv(file: &str, mut from: impl Read, by: &str) -> Result<Vec<Correction>, FeedbackError> {
    let wrong = |place: String, what: String| FeedbackError::Correction { place, what };
    let mut text = String::new();
    from.read_to_string(&mut text).map_err(|err| match err.kind() {
        std::io::ErrorKind::InvalidData => wrong(file.to_owned(), "is not UTF-8".to_owned()),
        _ => wrong(file.to_owned(), err.to_string()),
    })?;
    let mut records = Records::new(&text, delimiter(&text));
    let mut header: Option<csv::StringRecord> = None;
    let mut lines = Vec::new();
    for record in &mut records {
        let Record { line, cells } = record.map_err(|open| wrong(file.to_owned(), open.to_string()))?;
        let place = format!("{file}: line {line}");
        // Blank rows at the end of a spreadsheet, and blank lines before the header, are skipped.
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let record: csv::StringRecord = cells.iter().map(|cell| cell.trim()).collect();
        let Some(header) = &header else {
            header = Some(record.iter().map(key).collect());
            continue;
        };
        if record.len() != header.len() {
            let what = format!(
                "the line has {}, but the header has {}",
                counted(record.len() as u64, "field", "fields"),
                header.len()
            );
            return Err(wrong(place, what));
        }
        // Parsed as text, so that an id keeps its leading zeros.
        let mut line: Line<String> = record.deserialize(Some(header)).map_err(|err| {
            let what = match err.kind() {
                csv::ErrorKind::Deserialize { err, .. } => clause(&err.kind().to_string()),
                _ => err.to_string(),
            };
            wrong(place.clone(), what)
        })?;
        let free = header.iter().zip(&record).filter(|(name, _)| !KEYS.contains(name));
        for (name, value) in free {
            field(&mut line.fields, name, value).map_err(|what| wrong(place.clone(), what))?;
        }
        lines.push(line.correction(place, by));
    }
    Ok(lines)
}

/// The delimiter for which the header contains an id and a verdict; otherwise a comma.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let fits = |delimiter: &u8| {
        let names = cells_of(header, *delimiter);
        ["id", "verdict"].iter().all(|wanted| names.iter().any(|name| key(name.trim()) == *wanted))
    };
    DELIMITERS.into_iter().find(fits).unwrap_or(b',')
}

/// A name of the header; known keys may be written in capitals.
fn key(name: &str) -> &str {
    KEYS.into_iter().find(|key| key.eq_ignore_ascii_case(name)).unwrap_or(name)
}

/// The message as the end of one of our messages.
fn clause(message: &str) -> String {
    // serde_json appends the position within the one line it was given: remove it.
    message.split(" at line 1 column").next().unwrap_or(message).to_owned()
}
