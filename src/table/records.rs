//! Rows from a database: CSV with commas, a header and decimal points, whatever the dialect of the workspace's files.

use super::input::Text;
use super::json::JsonLines;
use super::number::NumberFormat;
use super::write::{push_field, push_written};
use super::{Schema, TableError};
use crate::atomic::At;
use std::io::{self, Read};

const DELIMITER: u8 = b',';

/// Writes numbers in the notation of the schema, so that logged rows can be read back and `1.234` never means a
/// thousand and more.
///
/// # Errors
/// If the header is unreadable.
pub(crate) fn as_written(file: &str, text: Text, schema: &Schema) -> Result<Text, TableError> {
    if schema.columns.iter().all(|column| column.number.is_none()) {
        return Ok(text);
    }
    let Text { reader, size, consumed, first_line, notes } = text;
    let mut records = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(reader);
    let mut header = csv::StringRecord::new();
    records.read_record(&mut header).at(file)?;
    let numbers: Vec<Option<NumberFormat>> = header.iter().map(|name| schema.number_format(name).cloned()).collect();
    let mut line = Vec::new();
    push_line(&mut line, header.iter(), |_| None);
    let reader = Box::new(Rewritten { records, record: csv::StringRecord::new(), numbers, line, at: 0 });
    Ok(Text { reader, size, consumed, first_line, notes })
}

/// The schema of such rows.
pub(crate) fn schema(schema: &Schema) -> Schema {
    JsonLines::schema(schema)
}

struct Rewritten {
    records: csv::Reader<Box<dyn Read + Send>>,
    record: csv::StringRecord,
    numbers: Vec<Option<NumberFormat>>,
    line: Vec<u8>,
    at: usize,
}

impl Read for Rewritten {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() {
            self.line.clear();
            self.at = 0;
            if self.records.read_record(&mut self.record).map_err(io::Error::from)? {
                let numbers = &self.numbers;
                push_line(&mut self.line, self.record.iter(), |n| numbers.get(n).and_then(Option::as_ref));
            }
        }
        let n = buf.len().min(self.line.len() - self.at);
        buf[..n].copy_from_slice(&self.line[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

fn push_line<'t, 'f>(
    line: &mut Vec<u8>,
    cells: impl Iterator<Item = &'t str>,
    format: impl Fn(usize) -> Option<&'f NumberFormat>,
) {
    for (n, cell) in cells.enumerate() {
        if n > 0 {
            line.push(DELIMITER);
        }
        match (format(n), cell.parse::<f64>()) {
            (Some(format), Ok(value)) if value.is_finite() => push_written(line, value, format, DELIMITER),
            _ => push_field(line, cell, DELIMITER),
        }
    }
    if line.is_empty() {
        line.extend_from_slice(b"\"\"");
    }
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ColumnSpec, Dialect, InferOptions, Input, Kind, ReadOptions, Values, infer, read, stream};

    const ROWS: &str = "id,x\na,1.234\nb,\n\"c,\n\",-2e3\n";

    fn rows(text: &'static str) -> Input {
        Input::from_records("postgres://h/d/t", text.as_bytes())
    }

    #[test]
    fn what_a_database_writes_is_read_as_it_means_it() {
        let mut schema = Schema {
            dialect: Dialect { delimiter: ';', header: false, skip_lines: 3, comment: Some('a'), ..Dialect::default() },
            columns: vec![ColumnSpec::new("id", Kind::Id), ColumnSpec::new("x", Kind::Number)],
        };
        let expected = Values::Number(vec![1.234, f64::NAN, -2000.0]);
        let options = ReadOptions::default();
        let same = |schema: &Schema| {
            let table = read(rows(ROWS), schema, &options).unwrap().table;
            format!("{:?}", table.require("x").unwrap().values) == format!("{expected:?}")
        };
        assert!(same(&schema), "plain numbers");
        schema.columns[1].number = Some(NumberFormat { decimal: ',', thousands: Some('.'), unit: None });
        assert!(same(&schema), "a point is no thousand");
        let batch = stream(rows(ROWS), &schema, &options).unwrap().next().unwrap().unwrap();
        assert_eq!(batch.raw.get(0), b"a,\"1,234\"");
        let found = infer(rows("a;b\n1\n2\n"), &InferOptions { delimiter: Some(';'), ..Default::default() }).unwrap();
        assert_eq!((found.schema.columns.len(), found.columns[0].name.as_str()), (1, "a;b"));
    }
}
