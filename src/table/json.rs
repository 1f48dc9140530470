//! JSON lines: one object per line, read as records of CSV and written from tables.
//!
//! ```text
//! {"a": 1, "b": "x"}                 a,b,c
//! {"a": 2.5, "c": null}    ────▶     1,x,
//!                                    2.5,,
//! ```
//! The columns are the names in all objects, in order of first appearance; so the lines are first copied to an unnamed
//! file. A cell means what its text in CSV would mean. Nested objects become columns `o.a`, lists are
//! JSON texts, and `NaN`, which Python writes, is missing.

use super::input::Text;
use super::number::NumberFormat;
use super::number::push_number;
use super::time::write_iso;
use super::write::push_field;
use super::{Dialect, MISSING_TIME, Schema, Table, TableError, Values};
use crate::atomic::At;
use serde_json::{Map, Number, Value};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

/// The delimiter of the records.
const DELIMITER: u8 = b',';

/// What the values of a column of objects are.
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
    /// The type of a value; `None` of one that is missing.
    fn of(value: &Value) -> Option<Self> {
        /// Beyond, whole numbers lose digits.
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

/// Objects that have been read once, so that their names are known.
pub(crate) struct JsonLines {
    kept: File,
    names: Vec<String>,
    /// The columns with a text that reads as a number or a boolean.
    mistakable: HashSet<String>,
    types: HashMap<String, JsonType>,
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
        Ok(Self { kept, names, mistakable, types })
    }

    /// By column: whether every cell of it that reads as a number or a boolean is one.
    pub(crate) fn literals(&self) -> Vec<bool> {
        self.names.iter().map(|name| !self.mistakable.contains(name)).collect()
    }

    /// The type of each column; one without a value is mixed.
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
        // The header takes no line of the file.
        Text { reader: Box::new(reader), size: None, consumed: Default::default(), first_line: 0 }
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
    let parsed = serde_json::from_slice(line);
    match parsed.or_else(|err| serde_json::from_slice(&without_nan(line).ok_or(err)?)) {
        Ok(Value::Object(object)) => Ok(Some(flat(object))),
        Ok(_) => Err("is not a JSON object: each line must be one, {\"column\": value, …}".to_owned()),
        Err(err) => Err(format!("is not a JSON object: {err}")),
    }
}

/// Objects in objects as columns of their own, `o.a`, as in Parquet.
fn flat(object: Map<String, Value>) -> Map<String, Value> {
    if !object.values().any(Value::is_object) {
        return object;
    }
    let mut all = Map::new();
    for (name, value) in object {
        match value {
            Value::Object(inner) => {
                for (inside, value) in flat(inner) {
                    all.entry(format!("{name}.{inside}")).or_insert(value);
                }
            }
            value => {
                all.insert(name, value);
            }
        }
    }
    all
}

/// The line with Python's non-JSON numbers replaced: `NaN` is missing, `Infinity` a text that number columns accept.
/// `None` if there are none.
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
        // An escaped quote does not end a text.
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

/// Adds the rows of a table as JSON lines; what is missing is `null`, and so is an infinite number. In the columns at which
/// `literals` is true, texts that read as numbers or booleans are written as such.
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
mod tests {
    use super::*;
    use crate::table::{InferOptions, Input, Kind, ReadOptions, infer, read, stream};

    const LINES: &str = "{\"id\": \"a\", \"amount\": 1.5, \"ok\": true}\n\n{\"id\": \"b, c\", \"note\": \"x \\\"y\\\"\", \"ok\": null}\n{\"amount\": 9007199254740993, \"id\": \"c\"}\n";

    fn open(text: &str) -> Input {
        Input::from_reader("t.jsonl", io::Cursor::new(text.to_owned()))
    }

    #[test]
    fn objects_are_rows() {
        let found = infer(open(LINES), &InferOptions::default()).unwrap();
        let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!((names, found.n_rows), (vec!["id", "amount", "ok", "note"], 3));
        assert_eq!(found.schema.column("amount").unwrap().kind, Kind::Category, "2^53 + 1 is no number");
        let table = read(open(LINES), &found.schema, &ReadOptions::default()).unwrap().table;
        let mut out = Vec::new();
        push_json_lines(&mut out, &table, &[]);
        let back: Vec<Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(back[1]["id"], "b, c");
        assert_eq!(
            (&back[1]["note"], &back[1]["amount"], &back[2]["amount"]),
            (&"x \"y\"".into(), &Value::Null, &"9007199254740993".into())
        );
        for (text, what) in [("{\"a\": 1}\n[1]\n", "line 2: is not a JSON object"), ("{\"a\": 1}\n{\"a\":\n", "line 2")]
        {
            let error = infer(open(text), &InferOptions::default()).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn what_python_writes_is_read() {
        let text = "{\"id\": \"NaN \\\"Infinity\", \"x\": NaN, \"o\": {\"a\": 1, \"p\": {\"q\": -Infinity}}}\n\
                    {\"id\": \"b\", \"x\": 2.5, \"o\": {\"a\": 2, \"p\": {\"q\": Infinity}}, \"l\": [NaN, 1]}\n{\"id\": \"c\", \"x\": 3, \"o.a\": 7, \"o.p.q\": 0}\n";
        let found = infer(open(text), &InferOptions::default()).unwrap();
        let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "x", "o.a", "o.p.q", "l"]);
        let table = read(open(text), &found.schema, &ReadOptions::default()).unwrap().table;
        let numbers = |name: &str| match &table.require(name).unwrap().values {
            Values::Number(values) => values.clone(),
            other => panic!("{other:?}"),
        };
        assert!(numbers("x")[0].is_nan());
        assert_eq!(
            (numbers("o.a"), numbers("o.p.q")),
            (vec![1.0, 2.0, 7.0], vec![f64::NEG_INFINITY, f64::INFINITY, 0.0])
        );
        let Values::Category(ids) = &table.require("id").unwrap().values else { panic!() };
        assert_eq!(ids.level(0), Some("NaN \"Infinity"));
        for (text, what) in [
            ("[\"r0\", 0.5, \"yes\"]\n[\"r1\", 1.5, \"no\"]\n", "has a JSON array on each line"),
            ("[{\"a\": 1}]\n", "is one JSON array"),
            ("[\n{\"a\": 1}\n]\n", "is one JSON array"),
            ("{\"a\": Nan}\n", "line 1: is not a JSON object"),
        ] {
            let error = infer(open(text), &InferOptions::default()).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn numbers_are_numbers_however_the_column_is_written() {
        let mut schema = infer(open("{\"x\": 1.5}\n{\"x\": 2}\n"), &InferOptions::default()).unwrap().schema;
        schema.columns[0].number = Some(NumberFormat { decimal: ',', thousands: Some('.'), unit: None });
        schema.dialect.delimiter = ';';
        let text = "{\"x\": 1.234}\n{\"x\": \"1.234\"}\n{\"x\": \"1,5\"}\n";
        let options = ReadOptions::default();
        let mut batches = stream(open(text), &schema, &options).unwrap();
        let batch = batches.next().unwrap().unwrap();
        assert_eq!(batch.table.columns()[0].values, Values::Number(vec![1.234, 1234.0, 1.5]));
        // The record is in the loop's own notation, so that the log can be read back.
        assert_eq!(batch.raw.get(0), b"\"1,234\"");
        let error = read(open("{\"x\": 1}\n{\"x\": \"1,234.5\"}\n"), &schema, &options).unwrap_err().to_string();
        assert!(error.contains("line 2, column \"x\""), "{error}");
    }
}
