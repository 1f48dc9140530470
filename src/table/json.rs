//! JSON lines: one object per line, read as records of CSV and written from tables.
//!
//! ```text
//! {"a": 1, "b": "x"}                 a,b,c
//! {"a": 2.5, "c": null}    ────▶     1,x,
//!                                    2.5,,
//! ```
//! The columns are the names in all objects, in order of first appearance; so the lines are first copied to an unnamed
//! file. A cell means the same as its text in CSV. Nested objects become columns `o.a`, lists become JSON texts, and
//! `NaN`, which Python writes, is missing.

use super::input::Text;
use super::number::NumberFormat;
use super::number::push_number;
use super::strict::Strict;
use super::time::write_iso;
use super::write::push_field;
use super::{ColumnSpec, Dialect, Kind, MISSING_TIME, ReadOptions, Schema, Table, TableError, Values};
use crate::atomic::At;
use crate::wording::{list, nearest};
use serde_json::{Map, Number, Value};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

/// The delimiter of the records.
const DELIMITER: u8 = b',';

/// The type of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonType {
    /// Texts, which may read as numbers or booleans.
    Text,
    /// Numbers that a double holds exactly.
    Number,
    /// Booleans.
    Boolean,
    /// Several of these, or others.
    Mixed,
}

impl JsonType {
    /// The type of a value; `None` if it is missing.
    fn of(value: &Value) -> Option<Self> {
        /// Beyond this, whole numbers lose digits.
        const EXACT: u64 = 1 << 53;
        match value {
            Value::Null => None,
            Value::String(_) => Some(Self::Text),
            Value::Bool(_) => Some(Self::Boolean),
            Value::Number(n) if n.as_i64().is_some_and(|n| n.unsigned_abs() <= EXACT) || n.is_f64() => {
                Some(Self::Number)
            }
            _ => Some(Self::Mixed),
        }
    }
}

/// Objects after a first pass that collects their names.
pub(crate) struct JsonLines {
    kept: File,
    names: Vec<String>,
    /// The columns with a text that reads as a number or a boolean.
    mistakable: HashSet<String>,
    types: HashMap<String, JsonType>,
    notes: Vec<String>,
}

impl JsonLines {
    /// Stores the lines and collects the names.
    pub(crate) fn read(file: &str, from: impl Read) -> Result<Self, TableError> {
        let mut kept = BufWriter::new(tempfile::tempfile().at(file)?);
        let (mut names, mut known, mut mistakable) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut types: HashMap<String, JsonType> = HashMap::new();
        let mut lines = BufReader::with_capacity(1 << 16, from);
        let (mut line, mut n) = (Vec::new(), 0);
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line).at(file)? == 0 {
                break;
            }
            n += 1;
            if n == 1 && line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii_start().first() == Some(&b'[') {
                let what = "is one JSON array, but one object per line is needed: convert it with jq -c '.[]' FILE";
                return Err(TableError::File { file: file.to_owned(), what: what.to_owned() });
            }
            if let Some(object) =
                object(&line).map_err(|what| TableError::Record { file: file.to_owned(), line: n, what })?
            {
                for (name, value) in object {
                    if value.as_str().is_some_and(|text| is_literal(text.trim())) && !mistakable.contains(&name) {
                        mistakable.insert(name.clone());
                    }
                    if let Some(this) = JsonType::of(&value) {
                        match types.get_mut(&name) {
                            Some(known) if *known != this => *known = JsonType::Mixed,
                            Some(_) => {}
                            None => drop(types.insert(name.clone(), this)),
                        }
                    }
                    if known.insert(name.clone()) {
                        names.push(name);
                    }
                }
            }
            kept.write_all(&line).at(file)?;
        }
        let mut kept = kept.into_inner().map_err(io::IntoInnerError::into_error).at(file)?;
        kept.seek(SeekFrom::Start(0)).at(file)?;
        Ok(Self { kept, names, mistakable, types, notes: Vec::new() })
    }

    /// Adds the columns of `schema` that no line has: an absent key means a missing value, in one line as in all.
    ///
    /// Not added, so that they are rejected later: an id, a name similar to one in the table, and all columns of a
    /// table that shares none with the schema.
    pub(crate) fn completed(mut self, schema: &Schema, options: &ReadOptions) -> Self {
        let is_read = |name: &String| options.columns.as_ref().is_none_or(|columns| columns.contains(name));
        let wanted = schema.columns.iter().filter(|column| {
            column.kind != Kind::Ignore && is_read(&column.name) && !options.optional.contains(&column.name)
        });
        let (here, absent): (Vec<&ColumnSpec>, Vec<&ColumnSpec>) =
            wanted.partition(|column| self.names.contains(&column.name));
        let strange = || self.names.iter().map(String::as_str).filter(|name| schema.column(name).is_none());
        let is_refused = |column: &&ColumnSpec| column.kind == Kind::Id || nearest(&column.name, strange()).is_some();
        if absent.is_empty() || here.is_empty() || absent.iter().any(is_refused) {
            return self;
        }
        let names: Vec<String> = absent.into_iter().map(|column| column.name.clone()).collect();
        let (keys, are) = if names.len() == 1 { ("key", "is") } else { ("keys", "are") };
        let told = list(names.iter().map(String::as_str));
        self.notes.push(format!("no line has the {keys} {told}, which {are} taken as missing in every row"));
        self.names.extend(names);
        self
    }

    /// By column: whether each cell that reads as a number or a boolean is one in the JSON.
    pub(crate) fn literals(&self) -> Vec<bool> {
        self.names.iter().map(|name| !self.mistakable.contains(name)).collect()
    }

    /// The type of each column; a column without values is mixed.
    pub(crate) fn types(&self) -> Vec<JsonType> {
        self.names.iter().map(|name| self.types.get(name).copied().unwrap_or(JsonType::Mixed)).collect()
    }

    /// The objects as CSV, with numbers in the notation of `schema`.
    pub(crate) fn into_text(self, schema: Option<&Schema>) -> Text {
        let number = |name: &String| schema.and_then(|schema| schema.number_format(name)).cloned();
        let numbers = self.names.iter().map(number).collect();
        let mut record = Vec::new();
        super::write::push_record(&mut record, &self.names, DELIMITER);
        let reader = Records { lines: BufReader::new(self.kept), names: self.names, numbers, record, at: 0 };
        // The header is not a line of the file.
        Text { reader: Box::new(reader), size: None, consumed: Default::default(), first_line: 0, notes: self.notes }
    }

    /// The dialect of the records from [`into_text`](Self::into_text).
    pub(crate) fn schema(schema: &Schema) -> Schema {
        Schema { dialect: Self::dialect(schema.dialect.missing.clone()), columns: schema.columns.clone() }
    }

    pub(crate) fn dialect(missing: Vec<String>) -> Dialect {
        Dialect { missing, delimiter: char::from(DELIMITER), ..Dialect::default() }
    }
}

/// The object on a line; `None` for a blank one.
fn object(line: &[u8]) -> Result<Option<Map<String, Value>>, String> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    let parsed = serde_json::from_slice(line).map(|Strict(value)| value);
    let parsed =
        parsed.or_else(|err| serde_json::from_slice(&without_nan(line).ok_or(err)?).map(|Strict(value)| value));
    match parsed {
        Ok(Value::Object(object)) => flat(object).map(Some),
        Ok(_) => Err("is not a JSON object: each line must be one, {\"column\": value, …}".to_owned()),
        Err(err) => Err(format!("is not a JSON object: {err}")),
    }
}

/// Flattens nested objects into columns `o.a`, as in Parquet; an error if two become the same column.
fn flat(object: Map<String, Value>) -> Result<Map<String, Value>, String> {
    if !object.values().any(Value::is_object) {
        return Ok(object);
    }
    let twice = |name: &str| format!("has the key {name:?} twice, once as an object in an object: remove one of them");
    let mut all = Map::new();
    for (name, value) in object {
        match value {
            Value::Object(inner) => {
                for (inside, value) in flat(inner)? {
                    let name = format!("{name}.{inside}");
                    if all.insert(name.clone(), value).is_some() {
                        return Err(twice(&name));
                    }
                }
            }
            value => {
                if all.insert(name.clone(), value).is_some() {
                    return Err(twice(&name));
                }
            }
        }
    }
    Ok(all)
}

/// The line with Python's non-JSON numbers replaced: `NaN` is missing, `Infinity` becomes a text that number columns
/// accept. `None` if there are none.
fn without_nan(line: &[u8]) -> Option<Vec<u8>> {
    const WORDS: [(&[u8], &[u8]); 3] = [(b"NaN", b"null"), (b"-Infinity", b"\"-inf\""), (b"Infinity", b"\"inf\"")];
    let (mut out, mut at, mut quoted, mut found) = (Vec::with_capacity(line.len()), 0, false, false);
    while at < line.len() {
        let word = WORDS.iter().find(|(word, _)| !quoted && line[at..].starts_with(word));
        if let Some((word, instead)) = word {
            out.extend_from_slice(instead);
            (at, found) = (at + word.len(), true);
            continue;
        }
        // An escaped quote does not end a string.
        let len = if quoted && line[at] == b'\\' { 2.min(line.len() - at) } else { 1 };
        quoted ^= line[at] == b'"';
        out.extend_from_slice(&line[at..at + len]);
        at += len;
    }
    found.then_some(out)
}

/// Writes record after record.
struct Records {
    lines: BufReader<File>,
    names: Vec<String>,
    numbers: Vec<Option<NumberFormat>>,
    record: Vec<u8>,
    at: usize,
}

impl Records {
    fn next(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        self.at = 0;
        self.record.clear();
        if self.lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let Some(object) = object(&line).map_err(wrong)? else {
            self.record.push(b'\n');
            return Ok(());
        };
        for (n, (name, number)) in self.names.iter().zip(&self.numbers).enumerate() {
            if n > 0 {
                self.record.push(DELIMITER);
            }
            if let Some(value) = object.get(name) {
                push_value(&mut self.record, value, number.as_ref());
            }
        }
        // An object without values is a row, even if it is the last.
        if self.record.iter().all(|&byte| byte == DELIMITER) {
            self.record.splice(0..0, *b"\"\"");
        }
        self.record.push(b'\n');
        Ok(())
    }
}

impl Read for Records {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.record.len() {
            self.next()?;
        }
        let n = buf.len().min(self.record.len() - self.at);
        buf[..n].copy_from_slice(&self.record[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

fn push_value(record: &mut Vec<u8>, value: &Value, number: Option<&NumberFormat>) {
    match (value, number) {
        (Value::Null, _) => {}
        (Value::String(text), _) => push_field(record, text, DELIMITER),
        (Value::Number(value), Some(format)) => {
            push_field(record, &format.text(value.as_f64().unwrap_or(f64::NAN)), DELIMITER);
        }
        (value, _) => push_field(record, &value.to_string(), DELIMITER),
    }
}

/// Whether a text is a number or a boolean of JSON.
fn is_literal(text: &str) -> bool {
    let begins = |first: u8| first == b'-' || first.is_ascii_digit();
    matches!(text, "true" | "false")
        || (text.bytes().next().is_some_and(begins) && serde_json::from_str::<Number>(text).is_ok())
}

/// Adds the rows of a table as JSON lines; missing cells and infinite numbers are `null`. In columns where `literals`
/// is true, texts that read as numbers or booleans are written as such.
pub fn push_json_lines(out: &mut Vec<u8>, table: &Table, literals: &[bool]) {
    let quoted = |text: &str| Value::from(text).to_string();
    let names: Vec<String> = table.columns().iter().map(|column| quoted(&column.name)).collect();
    for row in 0..table.n_rows() {
        for (n, (name, column)) in names.iter().zip(table.columns()).enumerate() {
            out.extend_from_slice(if n == 0 { b"{" } else { b"," });
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            match &column.values {
                values if values.is_missing(row) => out.extend_from_slice(b"null"),
                Values::Number(values) if values[row].is_infinite() => out.extend_from_slice(b"null"),
                Values::Number(values) => push_number(out, values[row]),
                Values::Category(levels) => out.extend(quoted(levels.level(row).unwrap_or_default()).bytes()),
                Values::Text(texts) if literals.get(n) == Some(&true) && is_literal(texts.get(row)) => {
                    out.extend_from_slice(texts.get(row).as_bytes());
                }
                Values::Text(texts) => out.extend(quoted(texts.get(row)).bytes()),
                Values::Time(times) => {
                    let mut text = String::new();
                    debug_assert_ne!(times[row], MISSING_TIME);
                    write_iso(times[row], &mut text);
                    out.extend(quoted(&text).bytes());
                }
            }
        }
        out.extend_from_slice(b"}\n");
    }
}

#[cfg(test)]
mod tests;
