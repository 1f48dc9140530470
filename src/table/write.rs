//! Writes tables to CSV, so that reading them with the same schema gives the same table.

use std::io::{self, Write};

use rayon::prelude::*;

use crate::table::time::{TimeFormat, write_iso};
use crate::table::{Column, MISSING_TIME, NumberFormat, Schema, Table, Values, push_number};

/// Number of rows formatted at once by one thread.
const CHUNK_ROWS: usize = 8192;

/// Writes a table with the schema's delimiter, header and time formats.
///
/// Missing cells are empty, numbers are the shortest text that reads back to the same value in the schema's
/// notation, times of columns that are not in the schema are ISO 8601, and a text is quoted if necessary.
///
/// # Errors
/// Those of `out`.
pub fn write_csv(out: &mut dyn Write, table: &Table, schema: &Schema) -> io::Result<()> {
    let delimiter = u8::try_from(schema.dialect.delimiter).unwrap_or(b',');
    if schema.dialect.header {
        let mut line = Vec::new();
        let names: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
        push_record(&mut line, &names, delimiter);
        out.write_all(&line)?;
    }
    write_rows(out, table, schema)
}

/// Writes the rows of a table without a header.
///
/// # Errors
/// Those of `out`.
pub fn write_rows(out: &mut dyn Write, table: &Table, schema: &Schema) -> io::Result<()> {
    let delimiter = u8::try_from(schema.dialect.delimiter).unwrap_or(b',');
    let columns: Vec<(&Column, Writing)> = table.columns().iter().map(|c| (c, Writing::of(c, schema))).collect();
    let starts: Vec<usize> = (0..table.n_rows()).step_by(CHUNK_ROWS).collect();
    // A few chunks at a time, so that the text of a large table is never in memory as a whole.
    for group in starts.chunks(32) {
        let texts: Vec<Vec<u8>> = group
            .par_iter()
            .map(|&start| {
                let mut text = Vec::new();
                for row in start..(start + CHUNK_ROWS).min(table.n_rows()) {
                    push_row(&mut text, &columns, row, delimiter);
                }
                text
            })
            .collect();
        for text in texts {
            out.write_all(&text)?;
        }
    }
    Ok(())
}

/// Adds a whole record and its line feed.
pub fn push_record<T: AsRef<str>>(line: &mut Vec<u8>, fields: &[T], delimiter: u8) {
    for (idx, field) in fields.iter().enumerate() {
        if idx > 0 {
            line.push(delimiter);
        }
        push_field(line, field.as_ref(), delimiter);
    }
    end_record(line, fields.len());
}

/// Adds one field, quoted if it contains a delimiter, a quote or a line ending.
pub fn push_field(line: &mut Vec<u8>, text: &str, delimiter: u8) {
    let special = |&b: &u8| b == delimiter || matches!(b, b'"' | b'\n' | b'\r');
    if !text.as_bytes().iter().any(special) {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    line.push(b'"');
    for part in text.split_inclusive('"') {
        line.extend_from_slice(part.as_bytes());
        if part.ends_with('"') {
            line.push(b'"');
        }
    }
    line.push(b'"');
}

/// How the cells of a column are written.
struct Writing<'a> {
    time: TimeFormat,
    number: Option<&'a NumberFormat>,
}

impl<'a> Writing<'a> {
    fn of(column: &Column, schema: &'a Schema) -> Self {
        let spec = schema.column(&column.name);
        let time = spec.and_then(|spec| TimeFormat::new(spec.format.as_deref()?).ok()).unwrap_or(TimeFormat::Iso);
        Self { time, number: spec.and_then(|spec| spec.number.as_ref()) }
    }
}

/// Adds a number in the column's notation, quoted if necessary.
pub(crate) fn push_written(line: &mut Vec<u8>, value: f64, format: &NumberFormat, delimiter: u8) {
    push_field(line, &format.text(value), delimiter);
}

fn push_row(line: &mut Vec<u8>, columns: &[(&Column, Writing)], row: usize, delimiter: u8) {
    for (idx, (column, writing)) in columns.iter().enumerate() {
        if idx > 0 {
            line.push(delimiter);
        }
        match &column.values {
            Values::Number(values) => match writing.number {
                None => push_number(line, values[row]),
                Some(format) => push_written(line, values[row], format, delimiter),
            },
            Values::Category(categories) => push_field(line, categories.level(row).unwrap_or(""), delimiter),
            Values::Text(texts) => push_field(line, texts.get(row), delimiter),
            Values::Time(values) if values[row] == MISSING_TIME => {}
            Values::Time(values) => {
                let mut text = String::new();
                match &writing.time {
                    TimeFormat::Iso => write_iso(values[row], &mut text),
                    format => format.write(values[row], &mut text),
                }
                push_field(line, &text, delimiter);
            }
        }
    }
    end_record(line, columns.len());
}

/// Records of CSV with tabs between their fields instead of `delimiter`.
pub(crate) fn with_tabs(records: &[u8], delimiter: u8) -> Vec<u8> {
    if delimiter == b'\t' {
        return records.to_vec();
    }
    let mut out = Vec::with_capacity(records.len());
    let mut field = 0;
    while field < records.len() {
        let quoted = records[field] == b'"';
        let mut inside = false;
        let is_end = |&byte: &u8| {
            inside ^= quoted && byte == b'"';
            !inside && (byte == delimiter || byte == b'\n')
        };
        let end = records[field..].iter().position(is_end).map_or(records.len(), |len| field + len);
        match (&records[field..end], quoted) {
            (text, false) if text.contains(&b'\t') => {
                out.push(b'"');
                out.extend_from_slice(text);
                out.push(b'"');
            }
            (text, _) => out.extend_from_slice(text),
        }
        if let Some(&mark) = records.get(end) {
            out.push(if mark == b'\n' { mark } else { b'\t' });
        }
        field = end + 1;
    }
    out
}

/// Ends a record. One without any cell, which readers skip below the last row, begins with `""`.
fn end_record(line: &mut Vec<u8>, n_fields: usize) {
    let start = memchr::memrchr(b'\n', line).map_or(0, |feed| feed + 1);
    // A line feed inside of a field is followed by the quote that closes it.
    if line.len() - start + 1 == n_fields && !line[start..].contains(&b'"') {
        line.splice(start..start, *b"\"\"");
    }
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Categories, ColumnSpec, Dialect, Input, Kind, ReadOptions, Texts, read};
    use proptest::prelude::*;

    fn spec(name: &str, kind: Kind, format: Option<&str>) -> ColumnSpec {
        ColumnSpec { format: format.map(str::to_owned), ..ColumnSpec::new(name, kind) }
    }

    #[test]
    fn numbers_are_short_and_exact() {
        for (value, text) in [
            (0.1, "0.1"),
            (-0.0, "-0"),
            (1e300, "1e300"),
            (5e-324, "5e-324"),
            (123_456_789.0, "123456789"),
            (f64::NAN, ""),
            (0.056_442_999_999_999_99, "0.05644299999999999"),
        ] {
            let mut line = Vec::new();
            push_number(&mut line, value);
            assert_eq!(String::from_utf8(line).unwrap(), text);
        }
    }

    #[test]
    fn fields_are_quoted_when_they_must_be() {
        let mut line = Vec::new();
        push_record(&mut line, &["a b", "c;d", "say \"x\"", "e\nf", ""], b';');
        assert_eq!(String::from_utf8(line).unwrap(), "a b;\"c;d\";\"say \"\"x\"\"\";\"e\nf\";\n");
    }

    #[test]
    fn tabs_take_the_place_of_any_delimiter() {
        let text = "a;b;c\n1;\"x;y\nz\";\n\"say \"\"hi;\"\"\";a\tb;3\n";
        let tabs = String::from_utf8(with_tabs(text.as_bytes(), b';')).unwrap();
        assert_eq!(tabs, "a\tb\tc\n1\t\"x;y\nz\"\t\n\"say \"\"hi;\"\"\"\t\"a\tb\"\t3\n");
        assert_eq!(with_tabs(tabs.as_bytes(), b'\t'), tabs.as_bytes());
    }

    #[test]
    fn a_lone_missing_cell_is_not_a_blank_line() {
        let table = Table::new(vec![Column::new("a", Values::Number(vec![1.0, f64::NAN, 2.0]))]).unwrap();
        let schema = Schema { dialect: Dialect::default(), columns: vec![spec("a", Kind::Number, None)] };
        let mut text = Vec::new();
        write_csv(&mut text, &table, &schema).unwrap();
        assert_eq!(String::from_utf8(text.clone()).unwrap(), "a\n1\n\"\"\n2\n");
        let back = read(Input::from_reader("t", io::Cursor::new(text)), &schema, &ReadOptions::default()).unwrap();
        assert_eq!(back.table.n_rows(), 3);
    }

    type Row = (Option<f64>, Option<i32>, String, String);

    fn table_of(rows: &[Row]) -> Table {
        let texts: Texts = rows.iter().map(|r| r.3.as_str()).collect();
        Table::new(vec![
            Column::new("x", Values::Number(rows.iter().map(|r| r.0.unwrap_or(f64::MAX)).collect())),
            Column::new(
                "t",
                Values::Time(rows.iter().map(|r| r.1.map_or(MISSING_TIME, |d| i64::from(d) * 1_000_000)).collect()),
            ),
            Column::new("c", Values::Category(Categories::from_texts(rows.iter().map(|r| r.2.as_str())))),
            Column::new("s", Values::Text(texts)),
        ])
        .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_reads_back(
            rows in prop::collection::vec(
                (prop::option::of(prop::num::f64::NORMAL | prop::num::f64::ZERO), prop::option::of(any::<i32>()), "[a-c\",;\n]{0,5}", "[a-c\"é,;\n]{0,9}"),
                0..30,
            ),
            format in prop::option::of(Just("%d/%m/%Y %H:%M:%S")),
            header: bool,
            number in prop::option::of(Just(NumberFormat { decimal: ',', thousands: Some('.'), unit: Some("%".to_owned()) })),
        ) {
            let table = table_of(&rows);
            let mut columns = vec![ColumnSpec { number, ..spec("x", Kind::Number, None) }, spec("t", Kind::Time, format), spec("c", Kind::Category, None), spec("s", Kind::Text, None)];
            if format.is_none() {
                columns[1].format = Some("iso".to_owned());
            }
            let dialect = Dialect { delimiter: ';', header, missing: vec![String::new()], ..Dialect::default() };
            let schema = Schema { dialect, columns };
            let mut text = Vec::new();
            write_csv(&mut text, &table, &schema).unwrap();
            if header || !rows.is_empty() {
                // A last row with few values is one.
                let options = ReadOptions { whole: true, ..ReadOptions::default() };
                let back = read(Input::from_reader("t", io::Cursor::new(text)), &schema, &options).unwrap();
                prop_assert_eq!(back.table, table);
            }
        }
    }
}
