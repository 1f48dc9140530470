//! Lines before the table and between its rows that are not data: titles, `sep=;`, comments.

use crate::table::TableError;
use crate::table::record::{count_lines, field_end, fields_of, first_records};
use serde::de::IgnoredAny;
use std::io::{self, BufRead, BufReader, Read};

/// Number of records checked.
const N_RECORDS: usize = 100;
/// Maximum number of lines of a title.
const MAX_TITLE: usize = 30;
/// Delimiters after which a quote opens a field while the real delimiter is unknown.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The delimiter in a first line such as `sep=;`, as spreadsheets write it, and the length of that line.
pub(super) fn separator(text: &[u8]) -> Option<(u8, usize)> {
    let end = memchr::memchr(b'\n', &text[..text.len().min(16)])?;
    let line = &text[..end];
    let mut line = line.strip_suffix(b"\r").unwrap_or(line);
    while let [rest @ .., b' '] = line {
        line = rest;
    }
    let line = line.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") && delimiter.is_ascii() => {
            Some((*delimiter, end + 1))
        }
        _ => None,
    }
}

/// Turns comments into blank lines, which keeps the line numbers.
pub(super) struct Uncommented {
    inner: BufReader<Box<dyn Read + Send>>,
    mark: u8,
    line: Vec<u8>,
    at: usize,
    /// Whether a quoted field continues after the last line.
    is_open: bool,
}

impl Uncommented {
    pub(super) fn new(inner: Box<dyn Read + Send>, mark: u8) -> Self {
        Self { inner: BufReader::with_capacity(1 << 16, inner), mark, line: Vec::new(), at: 0, is_open: false }
    }

    fn next_line(&mut self) -> io::Result<()> {
        self.at = 0;
        self.line.clear();
        self.inner.read_until(b'\n', &mut self.line)?;
        let text = self.line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.line);
        if !self.is_open && text.trim_ascii_start().first() == Some(&self.mark) {
            let ends = self.line.ends_with(b"\n");
            self.line.clear();
            self.line.extend(ends.then_some(b'\n'));
        } else {
            self.is_open = goes_on(&self.line, self.is_open);
        }
        Ok(())
    }
}

impl Read for Uncommented {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() {
            self.next_line()?;
        }
        let n = buf.len().min(self.line.len() - self.at);
        buf[..n].copy_from_slice(&self.line[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// Whether a quoted field is open at the end of a line.
fn goes_on(line: &[u8], was_open: bool) -> bool {
    let (mut open, mut at) = (was_open, 0);
    while let Some(found) = memchr::memchr(b'"', &line[at..]) {
        let mut before = &line[..at + found];
        at += found + 1;
        if open {
            // A doubled quote is part of the text.
            let doubled = line.get(at) == Some(&b'"');
            (open, at) = (doubled, at + usize::from(doubled));
        } else {
            while let [rest @ .., b' '] = before {
                before = rest;
            }
            open = before.last().is_none_or(|byte| DELIMITERS.contains(byte));
        }
    }
    open
}

/// Whether the lines end with CR alone: line feeds occur only inside quotes.
pub(super) fn ends_with_cr(head: &[u8]) -> bool {
    let (mut at, mut returns) = (0, 0_usize);
    while at < head.len() {
        // CR ends fields here, so a quote after CR opens one.
        let quoted = head[at..].trim_ascii_start().first() == Some(&b'"');
        let end = match field_end(head, at, b',') {
            Some(end) => end,
            None => return returns > 0,
        };
        let field = &head[at..end];
        returns += if quoted { 0 } else { memchr::memchr_iter(b'\r', field).count() };
        if head.get(end) == Some(&b'\n') {
            return false;
        }
        at = end + 1;
    }
    returns > 1
}

/// The first records of a file and the line of each.
pub(super) struct Head<'a> {
    records: Vec<(&'a [u8], u64)>,
    widths: Vec<usize>,
    /// Fields up to the last non-blank one.
    filled: Vec<usize>,
}

impl<'a> Head<'a> {
    pub(super) fn new(bytes: &'a [u8], delimiter: u8, first_line: u64) -> Self {
        let line = |record: &[u8]| {
            let at = record.as_ptr() as usize - bytes.as_ptr() as usize;
            first_line + count_lines(&bytes[..at])
        };
        let records: Vec<(&[u8], u64)> =
            first_records(bytes, delimiter, N_RECORDS).into_iter().map(|record| (record, line(record))).collect();
        let measure = |(record, _): &(&[u8], u64)| {
            let fields = fields_of(record, delimiter);
            (fields.len(), fields.iter().rposition(|field| !field.trim().is_empty()).map_or(0, |last| last + 1))
        };
        let (widths, filled) = records.iter().map(measure).unzip();
        Self { records, widths, filled }
    }

    /// The number of fields that most records have.
    fn usual(&self) -> Option<usize> {
        let count = |width: usize| self.widths.iter().filter(|&&w| w == width).count();
        let best = self.widths.iter().copied().max_by_key(|&width| (count(width), width))?;
        (count(best) * 2 > self.widths.len().min(6)).then_some(best)
    }

    /// The error if lines before the table are not part of it. With `padded`, a line that is at most half filled may
    /// also be a title: spreadsheets pad each line with delimiters to the width of the table.
    pub(super) fn title(&self, file: &str, delimiter: u8, padded: bool) -> Option<TableError> {
        if self.is_json() {
            let what = "has a JSON array on each line, but objects are needed: add names with jq -c '{id: .[0], x: \
                        .[1]}' FILE";
            return Some(TableError::File { file: file.to_owned(), what: what.to_owned() });
        }
        let usual = self.usual().filter(|&width| width > 1)?;
        if let Some(what) = self.short_header(usual, delimiter) {
            return Some(TableError::File { file: file.to_owned(), what });
        }
        if let Some(what) = self.comments(delimiter) {
            return Some(TableError::File { file: file.to_owned(), what });
        }
        let is_padded = |&at: &usize| padded && self.filled[at] * 2 <= usual;
        let is_before = |at: &usize| self.widths[*at] != usual || is_padded(at);
        let n_before = (0..self.widths.len()).take_while(is_before).count();
        let narrow = (0..n_before).all(|at| self.widths[at] < usual || is_padded(&at));
        let rest = &self.widths[n_before..];
        let even = rest.iter().filter(|&&width| width == usual).count() * 10 >= rest.len() * 9;
        if n_before == 0 || n_before > MAX_TITLE || !narrow || !even || rest.len() < 2 {
            return None;
        }
        // Unnamed columns are a title only if names follow.
        let is_wide = self.widths[..n_before].contains(&usual);
        if is_wide && !names_columns(self.records[n_before].0, delimiter) {
            return None;
        }
        let header = self.records[n_before].1;
        let (line, width) = (self.records[0].1, self.widths[0]);
        let (width, field) = match width == usual {
            true => (self.filled[0], "filled field"),
            false => (width, "field"),
        };
        let s = if width == 1 { "" } else { "s" };
        let comments = self.records[..n_before].iter().all(|(record, _)| record.starts_with(b"#"));
        let what = match comments {
            true => format!(
                "line {line} begins with # and has {width} {field}{s}, the lines from line {header} on have {usual}: \
                 if it is a comment, skip such lines with --comment '#'"
            ),
            false => format!(
                "line {line} has {width} {field}{s}, the lines from line {header} on have {usual}: if it is a title, \
                 skip the lines before the header with --skip-lines {}{}",
                header - 1,
                if is_wide { "; to use it as the header, add --skip-lines 0" } else { "" }
            ),
        };
        Some(TableError::File { file: file.to_owned(), what })
    }

    /// The error for a header with one name fewer than the number of fields in every row.
    fn short_header(&self, usual: usize, delimiter: u8) -> Option<String> {
        let (first, rest) = self.widths.split_first()?;
        let (record, line) = self.records.first()?;
        // Above texts it may also be a title.
        let is_data = self.records.get(1).is_some_and(|(record, _)| !names_columns(record, delimiter));
        if record.starts_with(b"#")
            || !is_data
            || *first + 1 != usual
            || rest.len() < 2
            || rest.iter().any(|&width| width != usual)
            || !names_columns(record, delimiter)
        {
            return None;
        }
        let fields = |record: &[u8]| fields_of(record, delimiter);
        let ends_empty = self.records[1..]
            .iter()
            .all(|(record, _)| fields(record).last().is_some_and(|last| last.trim().is_empty()));
        let cause = match ends_empty {
            true => "the rows end with a delimiter, but the header does not: add one to the header",
            false => {
                "the first column has no name, as in files with row names written by R (use row.names = FALSE): add \
                 a name"
            }
        };
        Some(format!("line {line}, the header, has {first} names, but every row has {usual} fields: {cause}"))
    }

    /// Whether each line is an array of JSON.
    fn is_json(&self) -> bool {
        let is_array = |(record, _): &(&[u8], u64)| {
            let record = record.trim_ascii();
            record.starts_with(b"[") && serde_json::from_slice::<Vec<IgnoredAny>>(record).is_ok()
        };
        // The last line may be incomplete.
        let n = self.records.len().saturating_sub(1).max(1);
        !self.records.is_empty() && self.records.iter().take(n).all(is_array)
    }

    /// The error, if comments before the header have as many fields as it.
    fn comments(&self, delimiter: u8) -> Option<String> {
        let is_comment = |(record, _): &&(&[u8], u64)| record.trim_ascii_start().starts_with(b"#");
        let n = self.records.iter().take_while(is_comment).count();
        let names = |at: usize| self.records.get(at).is_some_and(|(record, _)| names_columns(record, delimiter));
        // A single comment may be the header, unless names follow and no further names come below.
        let alone = n == 1 && (!names(1) || names(2));
        if n == 0 || self.records.len() < n + 2 || alone {
            return None;
        }
        let (first, header) = (self.records[0].1, self.records[n].1);
        Some(format!(
            "line {first} begins with #, and the header seems to be on line {header}: if it is a comment, skip such \
             lines with --comment '#'"
        ))
    }

    /// The line of the record that contains most of `names`, if the first record contains few of them.
    pub(super) fn header(&self, names: &[&str], delimiter: u8) -> Option<u64> {
        let known = |record: &[u8]| {
            let fields = fields_of(record, delimiter);
            names.iter().filter(|name| fields.iter().any(|field| field == *name)).count()
        };
        let enough = |n: usize| n > 0 && n * 2 >= names.len();
        let (first, _) = self.records.first()?;
        if enough(known(first)) {
            return None;
        }
        self.records.iter().find(|(record, _)| enough(known(record))).map(|(_, line)| *line)
    }
}

/// Whether every field is a text, as in a header; the last may be empty, as in a column that was cleared.
fn names_columns(record: &[u8], delimiter: u8) -> bool {
    let fields = fields_of(record, delimiter);
    let n_filled = fields.iter().rposition(|field| !field.trim().is_empty()).map_or(0, |last| last + 1);
    let is_name = |field: &str| !field.trim().is_empty() && field.trim().parse::<f64>().is_err();
    n_filled > 0 && fields[..n_filled].iter().all(|field| is_name(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uncommented(text: &str) -> String {
        let mut out = String::new();
        Uncommented::new(Box::new(io::Cursor::new(text.to_owned())), b'#').read_to_string(&mut out).unwrap();
        out
    }

    #[test]
    fn a_title_is_found_above_a_column_that_somebody_emptied() {
        let rows: String = (0..20).map(|i| format!("K{i};{i},5;x;1;\n")).collect();
        let text = format!("Title 2024;;;;\n;;;;\nid;n;b;y;\n{rows}");
        let told = Head::new(text.as_bytes(), b';', 1).title("t.csv", b';', true).unwrap().to_string();
        assert!(told.contains("--skip-lines 2"), "{told}");
    }

    #[test]
    fn comments_become_blank_lines_outside_of_quotes() {
        assert_eq!(
            uncommented("# it's \"so\na,b\n 1,\"x\n# y\"\n#,\n2,5\" z\n# end"),
            "\na,b\n 1,\"x\n# y\"\n\n2,5\" z\n"
        );
        assert_eq!(uncommented("\u{feff}# x\na\n\"b\"\"\n#c\"\n#d\n"), "\na\n\"b\"\"\n#c\"\n\n");
    }

    #[test]
    fn a_separator_is_named_in_the_first_line() {
        assert_eq!(separator(b"sep=;\na;b\n"), Some((b';', 6)));
        assert_eq!(separator(b"\"SEP=\t\"\r\na"), Some((b'\t', 9)));
        assert_eq!([separator(b"sep=\t\na"), separator(b"sep=\t\r\na")], [Some((b'\t', 6)), Some((b'\t', 7))]);
        assert_eq!([separator(b"sep,b\n1,2\n"), separator(b"sep=;;\n"), separator(b"a;b\n")], [None; 3]);
    }

    #[test]
    fn lines_that_end_with_cr_are_seen_around_line_feeds_in_quotes() {
        assert!(ends_with_cr(b"a,b\r1,\"x\ny\"\r2,z\r"));
        assert!(ends_with_cr(b"a,b\r1,2\r2,3"));
        for text in [&b"a,b\r\n1,2\r\n"[..], b"a,b\n1,2\n", b"a,b", b"a,\"b\nc\"\n"] {
            assert!(!ends_with_cr(text), "{text:?}");
        }
    }

    #[test]
    fn a_title_is_told_from_a_header() {
        let fault = |text: &str| Head::new(text.as_bytes(), b',', 1).title("t", b',', true).map(|err| err.to_string());
        let told = fault("Extract of May\nby: billing\n\na,b,c\n1,2,3\n4,5,6\n").unwrap();
        assert!(
            told.contains("line 1 has 1 field, the lines from line 4 on have 3") && told.contains("--skip-lines 3")
        );
        assert!(fault("# exported\na,b\n1,2\n3,4\n").unwrap().contains("--comment '#'"));
        let padded = "Extract of May,,,\n,,,\nby:,billing,,\na,b,c,d\n1,2,3,4\n4,5,,\n,,,\n7,8,9,0\n";
        let told = fault(padded).unwrap();
        assert!(
            told.contains("line 1 has 1 filled field, the lines from line 4 on have 4")
                && told.contains("--skip-lines 3")
        );
        assert!(Head::new(padded.as_bytes(), b',', 1).title("t", b',', false).is_none());
        assert!(fault("# exported,,\na,b,c\n1,2,3\n3,4,5\n").unwrap().contains("--comment '#'"));
        for comments in ["# a, b\n# x, 1\na,b\n1,2\n3,4\n", "# x,y\na,b\n1,2\n3,4\n", "# p,q\n# r,s\na,b\nu,v\nw,x\n"] {
            assert!(fault(comments).unwrap().contains("--comment '#'"), "{comments}");
        }
        assert!(fault("a,b\nr1,2,3\nr2,4,5\n").unwrap().contains("the first column has no name"));
        assert!(fault("a,b\n2,3,\n4,5,\n").unwrap().contains("the rows end with a delimiter"));
        for text in [
            "a,b\n1,2\n3,4\n",
            "a\n1\n2\n",
            "a,b\n1\n2\n",
            "#id,b\n1,2\n3,4\n",
            "#id,b\nu,v\nw,x\n",
            "a,b,c\n1,2\n3,4\n5,6\n",
            ",a,b\n0,1,2\n1,3,4\n",
            "a,b,c,\n1,2,3,\n4,5,6,\n",
            "a,,,\n1,2,3,4\n5,6,7,8\n",
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
    }
}
