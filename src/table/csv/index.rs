//! Finds the fields of a piece: one flat array of edges, so that columns are parsed one after another without
//! looking at a delimiter twice.

use std::borrow::Cow;

use super::printed::{is_ruled, page_line};
use crate::table::cell;
use crate::table::decimal::zero_bytes;
use crate::table::record::{count_lines, field_end, is_blank};

/// The fields of whole records.
///
/// ```text
/// text    a , b , c \n d , e , f \n      n_fields = 3
/// edges   0   2   4    6                 row 0: start, then the position after each field's delimiter
///                      6   8  10   12    row 1
/// ```
/// Field `f` of a row is `edges[f] .. edges[f+1]-1`. Rows need not adjoin: blank lines and bad records are skipped.
pub(crate) struct Index<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) edges: Vec<u32>,
    pub(crate) n_fields: usize,
    /// Line on which the piece begins.
    line: u64,
    /// Invalid records, by position.
    pub(crate) bad: Vec<BadRecord>,
}

/// An invalid record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRecord {
    pub(crate) at: usize,
    pub(crate) why: Why,
}

/// Why it is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The number of fields differs from the header's; whether the record ends without a line feed.
    Fields { n: usize, cut: bool },
    /// A quote that is never closed.
    OpenQuote,
    /// A byte that is not UTF-8.
    NotUtf8(u8),
    /// A header with its names in another order.
    OtherOrder,
    /// Only a page number or a print time.
    Page,
    /// Only dashes or similar characters.
    Rule,
}

impl<'a> Index<'a> {
    /// Indexes a piece that begins on `line`.
    pub(crate) fn new(bytes: &'a [u8], line: u64, delimiter: u8, n_fields: usize) -> Self {
        let (text, invalid) = utf8(bytes);
        let mut fields = Fields {
            bytes: text.as_bytes(),
            edges: Vec::with_capacity(bytes.len() / 5),
            row: 0,
            n_fields,
            delimiter,
            bad: Vec::new(),
        };
        if memchr::memchr(b'"', bytes).is_some() {
            fields.quoted();
        } else {
            fields.plain();
        }
        let Fields { edges, bad, .. } = fields;
        let mut index = Self { text, edges, n_fields, line, bad };
        index.reject_invalid(&invalid);
        index
    }

    /// Indexes a piece of a table with these columns and removes lines that are not rows: repeated headers (if the file
    /// has a header) and lines of printed pages. Returns the number of repeated headers and the line of the first.
    pub(crate) fn of_rows(
        bytes: &'a [u8],
        line: u64,
        delimiter: u8,
        names: &[String],
        headed: bool,
    ) -> (Self, Option<(u64, u64)>) {
        let mut index = Self::new(bytes, line, delimiter, names.len());
        let repeated = if headed { index.remove_headers(names) } else { None };
        let is_page = |&row: &usize| {
            let cell = |field| index.cell(row, field, &mut String::new()).to_owned();
            page_line(index.n_fields, |field| index.is_blank_field(row, field), cell).is_some()
        };
        let pages: Vec<usize> = (0..index.n_rows()).filter(is_page).collect();
        index.reject(&pages, Why::Page);
        let is_rule = |&row: &usize| {
            let (start, end) = index.span(row);
            is_ruled(&index.text[start..end])
        };
        let rules: Vec<usize> = (0..index.n_rows()).filter(is_rule).collect();
        index.reject(&rules, Why::Rule);
        (index, repeated)
    }

    /// The text from the start of the line that contains a position.
    pub(crate) fn line_text(&self, at: usize) -> &str {
        self.text[at..].lines().next().unwrap_or_default()
    }

    /// Removes rows, given in ascending order, as bad records.
    fn reject(&mut self, rows: &[usize], why: Why) {
        if rows.is_empty() {
            return;
        }
        let found: Vec<BadRecord> = rows.iter().map(|&row| BadRecord { at: self.span(row).0, why }).collect();
        self.bad.extend(found);
        self.bad.sort_by_key(|bad| bad.at);
        self.remove(rows);
    }

    /// Entries of `edges` per row.
    pub(crate) fn stride(&self) -> usize {
        self.n_fields + 1
    }

    /// Number of rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.edges.len() / self.stride()
    }

    /// The position of a row in the text, without its line ending.
    pub(crate) fn span(&self, row: usize) -> (usize, usize) {
        let edges = &self.edges[row * self.stride()..(row + 1) * self.stride()];
        let (start, end) = (edges[0] as usize, edges[self.n_fields] as usize - 1);
        let end = if end > start && self.text.as_bytes()[end - 1] == b'\r' { end - 1 } else { end };
        (start, end)
    }

    /// The line on which the record at a position begins.
    pub(crate) fn line_at(&self, at: usize) -> u64 {
        self.line + count_lines(&self.text.as_bytes()[..at])
    }

    /// The content of a field: trimmed and unquoted.
    pub(crate) fn cell<'s>(&'s self, row: usize, field: usize, scratch: &'s mut String) -> &'s str {
        let at = row * self.stride() + field;
        cell_at(&self.text, self.edges[at], self.edges[at + 1], scratch)
    }

    /// Whether a field has only spaces, or nothing within quotes.
    pub(crate) fn is_blank_field(&self, row: usize, field: usize) -> bool {
        let at = row * self.stride() + field;
        let raw = &self.text.as_bytes()[self.edges[at] as usize..self.edges[at + 1] as usize - 1];
        matches!(cell::trim(raw), b"" | b"\"\"")
    }

    /// Removes rows that repeat the header, in any case, as in concatenated files; returns their number, and the line
    /// of the first.
    pub(crate) fn remove_headers(&mut self, names: &[String]) -> Option<(u64, u64)> {
        let begins = names.first()?.bytes().next()?;
        let bytes = self.text.as_bytes();
        let stride = self.stride();
        let mut scratch = String::new();
        let mut is_header = |row: usize| {
            (0..self.n_fields).all(|field| {
                let cell = self.cell(row, field, &mut scratch);
                // The second file may begin with a byte order mark.
                let cell = if field == 0 { cell.trim_start_matches('\u{feff}').trim_matches('"') } else { cell };
                cell == names[field] || (self.n_fields > 1 && cell.eq_ignore_ascii_case(&names[field]))
            })
        };
        let likely = |row: usize| {
            let first = bytes.get(self.edges[row * stride] as usize);
            first.is_some_and(|&byte| byte.eq_ignore_ascii_case(&begins) || matches!(byte, b'"' | b' ' | 0xef))
        };
        let rows: Vec<usize> = (0..self.n_rows()).filter(|&row| likely(row) && is_header(row)).collect();
        let found = rows.first().map(|&row| (rows.len() as u64, self.line_at(self.span(row).0)));
        self.remove(&rows);
        self.reject_other_orders(names);
        found
    }

    /// Rejects headers with the names in another order, as in concatenated files with different column orders.
    fn reject_other_orders(&mut self, names: &[String]) {
        let mut begins = [false; 256];
        names.iter().filter_map(|name| name.bytes().next()).for_each(|byte| begins[usize::from(byte)] = true);
        let (bytes, stride) = (self.text.as_bytes(), self.stride());
        let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        let mut scratch = String::new();
        let mut is_other = |row: usize| {
            // Most rows end here, before any cell is copied.
            if sorted.binary_search(&self.cell(row, 0, &mut scratch)).is_err() {
                return false;
            }
            let mut cells: Vec<String> =
                (0..self.n_fields).map(|field| self.cell(row, field, &mut scratch).to_owned()).collect();
            cells.sort_unstable();
            cells == sorted
        };
        let likely =
            |row: usize| bytes.get(self.edges[row * stride] as usize).is_some_and(|&byte| begins[usize::from(byte)]);
        // Two cells can match two names by chance.
        let rows = (0..self.n_rows()).filter(|&row| self.n_fields > 2 && likely(row) && is_other(row));
        let rows: Vec<usize> = rows.collect();
        self.reject(&rows, Why::OtherOrder);
    }

    /// Removes rows, given in ascending order.
    pub(crate) fn remove(&mut self, rows: &[usize]) {
        let stride = self.stride();
        let mut gone = rows.iter().copied().peekable();
        let mut kept = 0;
        for row in 0..self.n_rows() {
            if gone.next_if_eq(&row).is_some() {
                continue;
            }
            self.edges.copy_within(row * stride..(row + 1) * stride, kept * stride);
            kept += 1;
        }
        self.edges.truncate(kept * stride);
    }

    /// Rows that begin before a position.
    pub(crate) fn n_rows_before(&self, at: usize) -> usize {
        let stride = self.stride();
        let (mut low, mut high) = (0, self.n_rows());
        while low < high {
            let middle = usize::midpoint(low, high);
            if (self.edges[middle * stride] as usize) < at { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn reject_invalid(&mut self, invalid: &[(usize, u8)]) {
        let mut rows: Vec<usize> = Vec::new();
        for &(at, byte) in invalid {
            let row = self.n_rows_before(at + 1);
            // A position outside all rows is in a record that was already rejected.
            if row == 0 || self.span(row - 1).1 <= at || rows.last() == Some(&(row - 1)) {
                continue;
            }
            self.bad.push(BadRecord { at: self.span(row - 1).0, why: Why::NotUtf8(byte) });
            rows.push(row - 1);
        }
        self.remove(&rows);
        self.bad.sort_by_key(|b| b.at);
    }
}

/// The content between two edges: trimmed and unquoted.
#[inline]
pub(crate) fn cell_at<'s>(text: &'s str, start: u32, next: u32, scratch: &'s mut String) -> &'s str {
    let bytes = text.as_bytes();
    let (mut start, mut end) = (start as usize, next as usize - 1);
    while start < end && matches!(bytes[start], b' ' | b'\t' | b'\r') {
        start += 1;
    }
    while start < end && matches!(bytes[end - 1], b' ' | b'\t' | b'\r') {
        end -= 1;
    }
    let field = &text[start..end];
    let content = if field.starts_with('"') { cell::unquote(field, scratch) } else { field };
    if content.starts_with('=') { cell::unforced(content) } else { content }
}

/// The text; bytes that are not UTF-8 become `?` and are listed.
fn utf8(bytes: &[u8]) -> (Cow<'_, str>, Vec<(usize, u8)>) {
    let mut invalid = Vec::new();
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Cow::Borrowed(text), invalid);
    }
    let mut patched = bytes.to_vec();
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&patched[from..]) {
        let at = from + error.valid_up_to();
        let len = error.error_len().unwrap_or(patched.len() - at);
        invalid.push((at, patched[at]));
        patched[at..at + len].fill(b'?');
        from = at + len;
    }
    (Cow::Owned(String::from_utf8_lossy(&patched).into_owned()), invalid)
}

/// Builds the edges.
struct Fields<'a> {
    bytes: &'a [u8],
    edges: Vec<u32>,
    /// Where the current row's edges begin.
    row: usize,
    n_fields: usize,
    delimiter: u8,
    bad: Vec<BadRecord>,
}

const ONES: u64 = 0x0101_0101_0101_0101;

impl Fields<'_> {
    /// Without quotes: every delimiter and every line feed counts. Eight bytes at a time.
    fn plain(&mut self) {
        let delimiters = ONES * u64::from(self.delimiter);
        let feeds = ONES * u64::from(b'\n');
        let bytes = self.bytes;
        self.edges.push(0);
        let mut words = bytes.chunks_exact(8);
        let mut base = 0;
        for word in words.by_ref() {
            // The chunk has eight bytes by construction; the default is never used.
            let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
            let mut hits = zero_bytes(word ^ delimiters) | zero_bytes(word ^ feeds);
            while hits != 0 {
                let at = base + (hits.trailing_zeros() / 8) as usize;
                hits &= hits - 1;
                self.edges.push(at as u32 + 1);
                if bytes[at] == b'\n' {
                    self.end_record(at, false);
                }
            }
            base += 8;
        }
        for (offset, &byte) in words.remainder().iter().enumerate() {
            if byte == self.delimiter || byte == b'\n' {
                self.edges.push((base + offset) as u32 + 1);
                if byte == b'\n' {
                    self.end_record(base + offset, false);
                }
            }
        }
        self.end_text();
    }

    /// With quotes: field by field.
    fn quoted(&mut self) {
        let bytes = self.bytes;
        self.edges.push(0);
        let mut start = 0;
        while start < bytes.len() {
            let Some(end) = field_end(bytes, start, self.delimiter) else {
                self.bad.push(BadRecord { at: self.edges[self.row] as usize, why: Why::OpenQuote });
                self.edges.truncate(self.row);
                return;
            };
            if end == bytes.len() {
                break;
            }
            self.edges.push(end as u32 + 1);
            if bytes[end] == b'\n' {
                self.end_record(end, false);
            }
            start = end + 1;
        }
        self.end_text();
    }

    /// The edges of a record are complete, the last one pushed; the next record begins after `feed`.
    #[inline]
    fn end_record(&mut self, feed: usize, cut: bool) {
        let n = self.edges.len() - self.row - 1;
        if n != self.n_fields || n == 1 {
            self.odd_record(n, cut);
        }
        self.row = self.edges.len();
        self.edges.push(feed as u32 + 1);
    }

    /// Handles a blank line, or a record with the wrong number of fields. A record with the right number but no cell
    /// (`,,,`) is a row with all values missing; those below the last row never get here, see [`super::block`].
    fn odd_record(&mut self, n: usize, cut: bool) {
        let start = self.edges[self.row] as usize;
        let line = || &self.bytes[start..self.edges[self.row + 1] as usize - 1];
        if n == 1 && is_blank(line(), self.delimiter) {
            self.edges.truncate(self.row);
        } else if n != self.n_fields {
            self.bad.push(BadRecord { at: start, why: Why::Fields { n, cut } });
            self.edges.truncate(self.row);
        }
    }

    /// Ends a record without a line feed, and drops the start of the next record, which does not exist.
    fn end_text(&mut self) {
        let len = self.bytes.len();
        if (self.edges[self.row] as usize) < len {
            self.edges.push(len as u32 + 1);
            self.end_record(len, true);
        }
        self.edges.truncate(self.row);
    }
}

#[cfg(test)]
mod tests;
