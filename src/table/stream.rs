//! A table in batches, in input order and constant memory, each row with its raw record.

use crate::table::batch::Batch;
use crate::table::csv::stream::CsvStream;
use crate::table::evidence::Watched;
use crate::table::input::{Text, Unpacked};
use crate::table::json::{JsonLines, JsonType};
use crate::table::parquet::stored::StoredType;
#[cfg(feature = "parquet")]
use crate::table::parquet::stream::ParquetStream;
use crate::table::{Ends, Input, Misfits, ReadOptions, Rejects, Schema, TableError, records};

/// A table that is read batch by batch.
pub(crate) trait Batches: Send {
    /// The raw header record, without its line ending; `None` without a header.
    fn header(&self) -> Option<&[u8]>;
    /// The delimiter of the raw records.
    fn delimiter(&self) -> u8;
    /// The byte order mark and line ends of the file.
    fn ends(&self) -> Ends {
        Ends::default()
    }
    /// The names of all fields of the file.
    fn names(&self) -> &[String];
    /// Notes for the user.
    fn notes(&self) -> &[String];
    /// Lines of the file that are not rows.
    fn left_out(&self) -> Vec<String> {
        Vec::new()
    }
    /// The types of all fields, if the cells are kept as they are stored.
    fn types(&self) -> &[Option<StoredType>] {
        &[]
    }
    /// Whether cells of a field that read as numbers or booleans are such in the JSON, not texts.
    fn has_literals(&self, _field: usize) -> bool {
        false
    }
    /// The evidence from the watched columns so far.
    fn watched(&self) -> Option<&Watched> {
        None
    }
    /// Invalid cells so far.
    fn misfits(&self) -> &Misfits;
    /// Rows rejected so far.
    fn rejects(&self) -> &Rejects;
    /// The next batch of at least one row; `None` at the end.
    fn next(&mut self) -> Result<Option<Batch>, TableError>;
}

/// The batches of a table; see [`stream`].
pub struct Stream<'a> {
    source: Box<dyn Batches + 'a>,
    /// The fields of JSON lines in which no text can be mistaken for a number or a boolean.
    literals: Vec<bool>,
    json: Vec<JsonType>,
    done: bool,
}

/// Reads a table batch by batch. Matching, errors and rejects are those of [`read`](fn@crate::table::read).
///
/// # Errors
/// Errors of the whole file or its header; an error of a record comes with its batch, after which the stream ends.
pub fn stream<'a>(input: Input, schema: &Schema, options: &'a ReadOptions) -> Result<Stream<'a>, TableError> {
    let name = input.name().to_owned();
    let (mut literals, mut json) = (Vec::new(), Vec::new());
    let opened = match input.unpack()? {
        Unpacked::Text(text) => csv(&name, text, schema, options),
        Unpacked::Json(text) => {
            let lines = JsonLines::read(&name, text.reader)?.completed(schema, options);
            (literals, json) = (lines.literals(), lines.types());
            let text = lines.into_text(Some(schema));
            csv(&name, text, &JsonLines::schema(schema), options)
        }
        Unpacked::Records(text) => {
            let text = records::as_written(&name, text, schema)?;
            csv(&name, text, &records::schema(schema), options)
        }
        #[cfg(feature = "parquet")]
        Unpacked::Parquet(file) => {
            ParquetStream::open(&name, file, schema, options).map(|parquet| Box::new(parquet) as Box<dyn Batches>)
        }
    };
    Ok(Stream { source: opened.map_err(|err| err.in_file(&name))?, literals, json, done: false })
}

fn csv<'a>(
    name: &str,
    text: Text,
    schema: &Schema,
    options: &'a ReadOptions,
) -> Result<Box<dyn Batches + 'a>, TableError> {
    Ok(Box::new(CsvStream::open(name, text, schema, options)?))
}

impl Stream<'_> {
    /// The raw header record, without its line ending; `None` without a header.
    #[must_use]
    pub fn header(&self) -> Option<&[u8]> {
        self.source.header()
    }

    /// The delimiter of the raw records.
    #[must_use]
    pub fn delimiter(&self) -> u8 {
        self.source.delimiter()
    }

    /// The byte order mark and line ends of the file; the usual ones if it is not text.
    #[must_use]
    pub fn ends(&self) -> Ends {
        self.source.ends()
    }

    /// The names of all fields of the file, whether the schema has them or not.
    #[must_use]
    pub fn names(&self) -> &[String] {
        self.source.names()
    }

    /// Remarks for the user, such as ignored columns.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        self.source.notes()
    }

    /// The lines of the file that are not rows, as text: complete after the last batch.
    #[must_use]
    pub fn left_out(&self) -> Vec<String> {
        self.source.left_out()
    }

    /// The types of all fields, if the table is Parquet and its cells are kept as they are stored.
    #[must_use]
    pub fn types(&self) -> &[Option<StoredType>] {
        self.source.types()
    }

    /// Whether cells of a field that read as numbers or booleans are such in the JSON: none of them is a text.
    #[must_use]
    pub fn has_literals(&self, field: usize) -> bool {
        self.literals.get(field).copied().unwrap_or_else(|| self.source.has_literals(field))
    }

    /// The type of the values of a field in a file of JSON lines; `None` in other files.
    #[must_use]
    pub fn json_type(&self, field: usize) -> Option<JsonType> {
        self.json.get(field).copied()
    }

    /// The evidence from the watched columns; `None` if nothing is watched, or in Parquet.
    pub(crate) fn watched(&self) -> Option<&Watched> {
        self.source.watched()
    }

    /// Invalid cells so far, with [`ReadOptions::blank_misfits`].
    #[must_use]
    pub fn misfits(&self) -> &Misfits {
        self.source.misfits()
    }

    /// Rows rejected so far.
    #[must_use]
    pub fn rejects(&self) -> &Rejects {
        self.source.rejects()
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<Batch, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.source.next();
        self.done = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ColumnSpec, Dialect, Kind, Values};
    use std::io::Cursor;

    fn schema() -> Schema {
        let column = |name: &str, kind| ColumnSpec::new(name, kind);
        Schema { dialect: Dialect::default(), columns: vec![column("b", Kind::Category), column("a", Kind::Number)] }
    }

    #[test]
    fn batches_keep_order_and_bytes() {
        let mut text = "\"a\",extra, b\r\n".to_owned();
        let n = 300_000;
        for i in 0..n {
            text.push_str(&format!("{i},\"x,{}\", {}\r\n", i % 7, if i < n / 2 { "early" } else { "late" }));
        }
        let options = ReadOptions::default();
        let mut stream = stream(Input::from_reader("t", Cursor::new(text)), &schema(), &options).unwrap();
        assert_eq!(stream.header().unwrap(), b"\"a\",extra, b");
        assert_eq!(stream.names(), ["a", "extra", "b"]);
        let (mut row, mut n_batches) = (0, 0);
        for batch in stream.by_ref() {
            let batch = batch.unwrap();
            n_batches += 1;
            let Values::Number(a) = &batch.table.columns()[1].values else { panic!() };
            assert_eq!(batch.raw.len(), a.len());
            assert_eq!(a[0], f64::from(row));
            let last = a.len() - 1;
            let expected = format!("{},\"x,{}\", ", a[last], (row + last as i32) % 7);
            assert!(batch.raw.get(last).starts_with(expected.as_bytes()));
            assert!(!batch.raw.get(last).ends_with(b"\r"));
            row += a.len() as i32;
        }
        assert_eq!((row, n_batches), (n, 2));
        assert_eq!(stream.rejects().count, 0);
    }

    #[test]
    fn a_bad_record_ends_the_stream_unless_skipped() {
        let text = "a,b\n1,x\nz,y\n3,x\n";
        let strict = ReadOptions::default();
        let mut batches = stream(Input::from_reader("t", text.as_bytes()), &schema(), &strict).unwrap();
        assert!(batches.next().unwrap().unwrap_err().to_string().contains("line 3"));
        assert!(batches.next().is_none());
        let skipping = ReadOptions { skip_invalid: true, ..ReadOptions::default() };
        let mut batches = stream(Input::from_reader("t", text.as_bytes()), &schema(), &skipping).unwrap();
        let batch = batches.next().unwrap().unwrap();
        assert_eq!((batch.raw.get(1), batch.table.n_rows()), (&b"3,x"[..], 2));
        assert_eq!(batches.rejects().count, 1);
    }

    #[test]
    fn a_header_alone_has_no_batches() {
        let options = ReadOptions::default();
        let mut batches = stream(Input::from_reader("t", &b"b,a\n"[..]), &schema(), &options).unwrap();
        assert_eq!(batches.header(), Some(&b"b,a"[..]));
        assert!(batches.next().is_none());
    }
}
