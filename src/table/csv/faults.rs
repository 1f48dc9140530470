//! Messages for invalid records, cells and headers.

use super::index::{BadRecord, Index, Why};
use super::printed;
use crate::table::TableError;
use crate::table::build::plan::Wanted;
use crate::table::cell::shorten;
use crate::table::record::TO_UTF8;
use crate::table::rejects::{Fault, What};
use crate::wording::list;

pub(super) fn late_header(file: &str, line: u64) -> TableError {
    TableError::File {
        file: file.to_owned(),
        what: format!(
            "the header is on line {line}: give --skip-lines {n} (predict, features, monitor, train, retrain, run), set skip_lines = \
             {n} under [data] in mlloop.toml, or remove the lines before it",
            n = line - 1
        ),
    }
}

pub(super) fn repeated_note((n, first): (u64, u64)) -> String {
    match n {
        1 => format!("line {first}: repeated header; left out"),
        n => format!("repeated header on {n} lines, first on line {first}; left out"),
    }
}

/// The note on lines without any cell below the table.
pub(super) fn emptied_note((n, first): (u64, u64)) -> String {
    match n {
        1 => format!("line {first}, the last one, has no cells; left out"),
        n => format!("the last {n} lines, from line {first} on, have no cells; left out"),
    }
}

/// How to skip comments, if `mlloop.toml` describes the table, and if nothing does.
pub(super) const COMMENT_KEY: &str = "comment = \"#\" under [data] in mlloop.toml";

pub(super) const COMMENT_OPTION: &str = "--comment '#'";

/// The error of a printed page's line among the rows.
const PAGE: &str = "is a line of a printed page, not a row";

const RULE: &str = "is a ruled line, as around tables that are drawn with characters, not a row";

pub(super) fn record_fault(yardstick: &str, comment: &str, index: &Index<'_>, bad: &BadRecord) -> Fault {
    let what = match bad.why {
        Why::Fields { n: 1, .. } if printed::says_page(index.line_text(bad.at)) => PAGE.to_owned(),
        Why::Page => PAGE.to_owned(),
        Why::Fields { .. } if printed::is_ruled(index.line_text(bad.at)) => RULE.to_owned(),
        Why::Rule => RULE.to_owned(),
        Why::Fields { n, cut } => {
            let s = if n == 1 { "" } else { "s" };
            let end = if cut { "; the file ends in the middle of this record" } else { "" };
            let comment = match index.text.as_bytes().get(bad.at) {
                Some(b'#') => format!("; if lines with # are comments, skip them with {comment}"),
                _ => String::new(),
            };
            format!("{n} field{s}, but {yardstick} {}{end}{comment}", index.n_fields)
        }
        Why::OtherOrder => {
            "repeats the header with the columns in another order: the rows from here on follow that order".to_owned()
        }
        Why::OpenQuote => "the quote that opens here is never closed".to_owned(),
        Why::NotUtf8(byte) => {
            format!("byte 0x{byte:02x} is not UTF-8: {TO_UTF8}")
        }
    };
    Fault { line: index.line_at(bad.at), what: What::Record(what) }
}

pub(super) fn cell_fault(index: &Index<'_>, row: usize, wanted: &Wanted) -> Fault {
    let mut scratch = String::new();
    let value = shorten(index.cell(row, wanted.field, &mut scratch));
    let what = What::Cell { column: wanted.name.clone(), value, expected: wanted.storage.expected() };
    Fault { line: index.line_at(index.span(row).0), what }
}

/// The error for a header with repeated names, as when a program writes a list as one field per entry.
pub(super) fn doubled(names: &[String]) -> Option<String> {
    let is_again = |name: &&String| !name.is_empty() && names.iter().filter(|other| other == name).count() > 1;
    // Names are compared pairwise only if one repeats.
    let mut sorted: Vec<&String> = names.iter().filter(|name| !name.is_empty()).collect();
    sorted.sort_unstable();
    if sorted.windows(2).all(|pair| pair[0] != pair[1]) {
        return None;
    }
    let name = names.iter().find(is_again)?;
    let fields: Vec<String> =
        names.iter().zip(1..).filter(|(other, _)| *other == name).map(|(_, n): (_, u32)| n.to_string()).collect();
    Some(format!(
        "the header has the name {name:?} {} times, in fields {}: name each anew",
        fields.len(),
        list(fields.iter().map(String::as_str))
    ))
}

pub(super) fn no_records(file: &str) -> TableError {
    TableError::File { file: file.to_owned(), what: "contains no records".to_owned() }
}
