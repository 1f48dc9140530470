//! Conventions of spreadsheets for text files: a byte order mark, and carriage returns before line feeds.
//!
//! A spreadsheet reads a file without the mark in a legacy encoding. Files written beside a table, or instead of it,
//! therefore use the same mark and line ends.

use super::input::{Input, Unpacked};
use super::place;
use super::record::first_record_len;
use std::io::Read;
use std::path::Path;

/// The byte order mark of UTF-8.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Number of bytes of a file read to detect them.
const HEAD: u64 = 64 << 10;

/// The byte order mark and line ends of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends {
    /// Whether it begins with a byte order mark.
    pub bom: bool,
    /// Its records end with a carriage return and a line feed.
    pub crlf: bool,
}

impl Ends {
    /// The ends of a text that begins like this; its first record determines the line ends.
    #[must_use]
    pub fn of(head: &[u8], delimiter: u8) -> Self {
        let text = head.strip_prefix(BOM).unwrap_or(head);
        let first = first_record_len(text, delimiter, false);
        Self { bom: text.len() < head.len(), crlf: first.is_some_and(|len| text[..len].ends_with(b"\r\n")) }
    }

    /// The ends of a file; the usual ones if the file is missing, is not readable text, or comes from a server.
    #[must_use]
    pub fn of_file(path: &Path, delimiter: u8) -> Self {
        if place::is_address(path) || !path.is_file() {
            return Self::default();
        }
        let Ok(Unpacked::Text(text)) = Input::own(path).and_then(Input::unpack) else { return Self::default() };
        let mut head = Vec::new();
        let read = text.reader.take(HEAD).read_to_end(&mut head);
        read.map(|_| Self::of(&head, delimiter)).unwrap_or_default()
    }

    /// The first bytes of a file.
    #[must_use]
    pub fn begin(self) -> &'static [u8] {
        if self.bom { BOM } else { b"" }
    }

    /// The end of a record.
    #[must_use]
    pub fn end(self) -> &'static [u8] {
        if self.crlf { b"\r\n" } else { b"\n" }
    }

    /// Complete records, each ended by a line feed, with these line ends; line breaks within cells are kept.
    #[must_use]
    pub fn records(self, records: Vec<u8>, delimiter: u8) -> Vec<u8> {
        if !self.crlf {
            return records;
        }
        let (mut out, mut rest) = (Vec::with_capacity(records.len() + records.len() / 32), records.as_slice());
        while !rest.is_empty() {
            let len = first_record_len(rest, delimiter, true).unwrap_or(rest.len());
            match rest[..len].strip_suffix(b"\n") {
                Some(record) => {
                    out.extend_from_slice(record);
                    out.extend_from_slice(self.end());
                }
                None => out.extend_from_slice(&rest[..len]),
            }
            rest = &rest[len..];
        }
        out
    }

    /// A whole file of such records.
    #[must_use]
    pub fn file(self, records: Vec<u8>, delimiter: u8) -> Vec<u8> {
        let records = self.records(records, delimiter);
        if self.bom { [BOM, &records].concat() } else { records }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they read")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_as_the_one_it_is_read_from() {
        let plain = b"a;b\n\"x\ny\";5\" disk\n1;\"\"\"\"\n";
        for (text, bom, crlf) in [
            (&b"a;b\n"[..], false, false),
            (b"a;b\r\n", false, true),
            (b"\xef\xbb\xbfa;b\r\n", true, true),
            (b"\xef\xbb\xbf\"a\nb\";c\r\n1;2\r\n", true, true),
            (b"\"a\r\nb\";c\n1;2\n", false, false),
            (b"a;b", false, false),
        ] {
            let ends = Ends::of(text, b';');
            assert_eq!(ends, Ends { bom, crlf }, "{text:?}");
            let written = ends.file(plain.to_vec(), b';');
            assert_eq!(Ends::of(&written, b';'), ends);
            // Only the ends of records differ.
            let wanted = String::from_utf8(plain.to_vec()).unwrap();
            let wanted = match crlf {
                true => wanted.replace('\n', "\r\n").replace("\"x\r\ny\"", "\"x\ny\""),
                false => wanted,
            };
            assert_eq!(written, [ends.begin(), wanted.as_bytes()].concat());
        }
    }

    #[test]
    fn what_is_no_text_has_the_usual_ends() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Ends::of_file(&path, b',')
        };
        assert_eq!(at("sheet.csv", b"\xef\xbb\xbfa,b\r\n1,2\r\n"), Ends { bom: true, crlf: true });
        assert_eq!(at("rows.jsonl", b"{\"a\": 1}\r\n{\"a\": 2}\r\n"), Ends::default());
        assert_eq!(Ends::of_file(&dir.path().join("none"), b','), Ends::default());
        assert_eq!(Ends::of_file(Path::new("s3://bucket/key"), b','), Ends::default());
    }
}
