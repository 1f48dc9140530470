//! One record of a CSV file: the ends and contents of its fields.
//!
//! The one dialect for everything that splits records: the reader, `predict --columns` and `retrain`. It is that of
//! the `csv` crate, and in addition:
//! - spaces and tabs around a field are ignored, so a quote after spaces opens a field (`20, "a,b"` has two fields);
//! - a quote inside of a field that does not begin with one is an ordinary character.

use super::cell;
use std::borrow::Cow;

/// A record longer than this is an unclosed quote, not a record.
pub(crate) const MAX_RECORD_BYTES: usize = 64 << 20;

/// Whether a quote at `at` opens a field: only spaces are between it and a delimiter or line end.
///
/// Looking back is exact: between a closing quote and the next delimiter there is at least that quote,
/// which is not a space.
pub(crate) fn opens_field(bytes: &[u8], at: usize, delimiter: u8) -> bool {
    let mut before = at;
    while before > 0 && (bytes[before - 1] == b' ' || (bytes[before - 1] == b'\t' && delimiter != b'\t')) {
        before -= 1;
    }
    before == 0 || bytes[before - 1] == delimiter || bytes[before - 1] == b'\n'
}

/// The position after the quote that closes the field opened just before `from`; `None` if there is none.
///
/// A quote that ends the bytes closes the field only at the end of the file: the next block may begin with its double.
pub(crate) fn closing_quote(bytes: &[u8], from: usize, eof: bool) -> Option<usize> {
    let mut from = from;
    loop {
        let quote = from + memchr::memchr(b'"', &bytes[from..])?;
        match bytes.get(quote + 1) {
            Some(b'"') => from = quote + 2,
            None if !eof => return None,
            _ => return Some(quote + 1),
        }
    }
}

/// The fields of one record.
pub fn fields_of(record: &[u8], delimiter: u8) -> Vec<String> {
    cells_of(&String::from_utf8_lossy(record), delimiter).into_iter().map(Cow::into_owned).collect()
}

/// The content of the fields of one record: trimmed and unquoted.
pub(crate) fn cells_of(record: &str, delimiter: u8) -> Vec<Cow<'_, str>> {
    let (mut scratch, mut start, mut cells) = (String::new(), 0, Vec::new());
    for end in field_ends(record.as_bytes(), delimiter) {
        let field = record[start..end].trim_matches([' ', '\t', '\r']);
        cells.push(match field.starts_with('"') {
            true => cell::unquote(field, &mut scratch).to_owned().into(),
            false => field.into(),
        });
        start = end + 1;
    }
    cells
}

/// The end of the field that begins at `start` (a delimiter, a line feed or the end); `None` for an open quote.
pub(crate) fn field_end(bytes: &[u8], start: usize, delimiter: u8) -> Option<usize> {
    let mut at = start;
    while at < bytes.len() && (bytes[at] == b' ' || (bytes[at] == b'\t' && delimiter != b'\t')) {
        at += 1;
    }
    if bytes.get(at) == Some(&b'"') {
        at = closing_quote(bytes, at + 1, true)?;
    } else {
        at = start;
    }
    Some(memchr::memchr2(delimiter, b'\n', &bytes[at..]).map_or(bytes.len(), |found| at + found))
}

/// Where each field of one record ends: at a delimiter, the last one at the record's end.
pub fn field_ends(record: &[u8], delimiter: u8) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut start = 0;
    loop {
        let end = field_end(record, start, delimiter).unwrap_or(record.len());
        ends.push(end);
        if end >= record.len() {
            return ends;
        }
        start = end + 1;
    }
}

/// A record and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Its first line, from 1.
    pub(crate) line: u64,
    /// The content of its fields.
    pub(crate) cells: Vec<Cow<'a, str>>,
}

/// A quote that is opened on this line, from 1, and never closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0}: a quote is opened and never closed")]
pub(crate) struct OpenQuote(pub(crate) u64);

/// The records of a text. Empty lines are records of one empty field.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    text: &'a str,
    delimiter: u8,
    at: usize,
    line: u64,
}

impl<'a> Records<'a> {
    /// The records of `text`, from its beginning.
    pub(crate) fn new(text: &'a str, delimiter: u8) -> Self {
        Self { text, delimiter, at: 0, line: 1 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, OpenQuote>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        if self.at >= bytes.len() {
            return None;
        }
        let (start, mut from) = (self.at, self.at);
        let end = loop {
            let Some(end) = field_end(bytes, from, self.delimiter) else {
                self.at = bytes.len();
                return Some(Err(OpenQuote(self.line + count_lines(&bytes[start..from]))));
            };
            if bytes.get(end).is_none_or(|&byte| byte == b'\n') {
                break end;
            }
            from = end + 1;
        };
        let record = Record { line: self.line, cells: cells_of(&self.text[start..end], self.delimiter) };
        self.line += count_lines(&bytes[start..end]) + 1;
        self.at = end + 1;
        Some(Ok(record))
    }
}

/// Number of line feeds.
pub(crate) fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Whether a line has only spaces.
pub(crate) fn is_blank(line: &[u8], delimiter: u8) -> bool {
    line.iter().all(|&b| b == b' ' || b == b'\r' || (b == b'\t' && delimiter != b'\t'))
}

pub(crate) fn without_line_end(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// The length of the first record, its line feed included; `None` when it does not end here.
pub(crate) fn first_record_len(bytes: &[u8], delimiter: u8, eof: bool) -> Option<usize> {
    let mut start = 0;
    loop {
        let end = field_end(bytes, start, delimiter)?;
        match bytes.get(end) {
            Some(b'\n') => return Some(end + 1),
            Some(_) => start = end + 1,
            None => return eof.then_some(end),
        }
    }
}

/// The first records that are not blank, at most `n` of them, without their line endings.
pub(crate) fn first_records(bytes: &[u8], delimiter: u8, n: usize) -> Vec<&[u8]> {
    let (mut start, mut records) = (0, Vec::new());
    while records.len() < n && start < bytes.len() {
        // A record cut short by the limit is ignored, unless it is the only one.
        let Some(len) = first_record_len(&bytes[start..], delimiter, records.is_empty()) else { break };
        let record = without_line_end(&bytes[start..start + len]);
        if !is_blank(record, delimiter) {
            records.push(record);
        }
        start += len;
    }
    records
}

/// The remedy for a file in another encoding.
pub(crate) const TO_UTF8: &str = "save it as \"CSV UTF-8\" in the spreadsheet, or convert it (iconv -t UTF-8 -f CP1252 for \
                                  western Europe, -f CP1250 for central Europe)";

/// The name of a column without one, by its index from 0: `c1`.
pub(crate) fn nameless(place: usize) -> String {
    format!("c{}", place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_records_with_their_lines() {
        let text = "id,verdict\r\n20, \"a,b\"\n\n\"c\nd\",5\" disk\nlast,\"\"";
        let cut: Vec<(u64, Vec<String>)> = Records::new(text, b',')
            .map(|record| record.unwrap())
            .map(|record| (record.line, record.cells.into_iter().map(Cow::into_owned).collect()))
            .collect();
        let expected: [(u64, &[&str]); 5] =
            [(1, &["id", "verdict"]), (2, &["20", "a,b"]), (3, &[""]), (4, &["c\nd", "5\" disk"]), (6, &["last", ""])];
        assert_eq!(cut.len(), expected.len());
        for ((line, cells), (want_line, want)) in cut.iter().zip(expected) {
            assert_eq!((*line, cells.iter().map(String::as_str).collect::<Vec<_>>().as_slice()), (want_line, want));
        }
        let open: Vec<_> = Records::new("a,b\n1,\"2\nc,d\n", b',').collect();
        assert_eq!(open[1], Err(OpenQuote(2)));
        assert_eq!(open.len(), 2, "nothing follows an open quote");
        assert_eq!(Records::new("", b',').count(), 0);
    }
    use crate::table::push_record;
    use proptest::prelude::*;

    #[test]
    fn a_quote_after_spaces_opens_a_field() {
        let record = br#"20, "a,b",n0"#;
        assert_eq!(field_ends(record, b','), [2, 9, 12]);
        assert_eq!(fields_of(record, b','), ["20", "a,b", "n0"]);
        assert_eq!(fields_of(b"5\" disk,x\"y\"", b','), ["5\" disk", "x\"y\""]);
        assert_eq!(fields_of(b"", b','), [""]);
        assert_eq!(fields_of(b"a;\t\"b;\n\"\"c\" ;", b';'), ["a", "b;\n\"c", ""]);
    }

    proptest! {
        /// Records written in any dialect are split at the same places by this module and by the `csv` crate, however
        /// many spaces precede a field.
        #[test]
        fn every_record_is_cut_as_it_was_written(
            cells in prop::collection::vec("[a-z0-9,;|\t\n\" ]{0,8}", 1..6),
            delimiter in prop::sample::select(vec![b',', b';', b'|', b'\t']),
            spaces in 0_usize..3,
        ) {
            let cells: Vec<String> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
            let texts: Vec<&str> = cells.iter().map(String::as_str).collect();
            let mut plain = Vec::new();
            push_record(&mut plain, &texts, delimiter);
            plain.pop();
            let mut spaced = Vec::new();
            for (n, cell) in texts.iter().enumerate() {
                if n > 0 {
                    spaced.push(delimiter);
                }
                spaced.extend(std::iter::repeat_n(b' ', spaces));
                crate::table::push_field(&mut spaced, cell, delimiter);
            }
            prop_assert_eq!(&fields_of(&plain, delimiter), &cells);
            prop_assert_eq!(&fields_of(&spaced, delimiter), &cells);
            prop_assert_eq!(field_ends(&spaced, delimiter).len(), cells.len());
            let mut theirs = csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(&plain[..]);
            if let Some(theirs) = theirs.records().next() {
                let theirs: Vec<String> = theirs.unwrap().iter().map(|cell| cell.trim().to_owned()).collect();
                prop_assert_eq!(theirs, cells);
            }
        }
    }
}
