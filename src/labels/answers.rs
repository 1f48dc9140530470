//! Reads answers: from a filled-in table or an export of Label Studio.

use super::LabelError;
use super::answer::{Answer, Answers, Fault, Origin, Place};
use super::form::DELIMITERS;
use super::sheet::{AFTER, restore, target_name};
use super::{returned, studio};
use crate::table::Input;
use crate::table::input::Unpacked;
use crate::table::record::{Record, Records, TO_UTF8, cells_of};
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

/// What the batch looked like when it was exported.
pub(super) struct Expected<'a> {
    /// The target's name.
    pub target: &'a str,
    /// The headers of the exported tables, the newest last.
    pub headers: Vec<&'a [String]>,
}

/// The text of a file or of standard input, decompressed.
///
/// # Errors
/// If it cannot be read or is not text.
pub(super) fn read_text(path: &Path) -> Result<String, LabelError> {
    let input = Input::open(path)?;
    let file = input.name().to_owned();
    let wrong = |what: String| LabelError::File { file: file.clone(), what };
    match input.unpack()? {
        #[cfg(feature = "parquet")]
        Unpacked::Parquet(_) => {
            Err(wrong("is a Parquet file: answers must be CSV or an export of Label Studio".to_owned()))
        }
        Unpacked::Text(mut text) | Unpacked::Json(mut text) | Unpacked::Records(mut text) => {
            let mut bytes = Vec::new();
            text.reader.read_to_end(&mut bytes).map_err(|err| wrong(err.to_string()))?;
            let text = String::from_utf8(bytes).map_err(|err| {
                let line = err.as_bytes()[..err.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
                wrong(format!("line {line}: is not UTF-8: {TO_UTF8}"))
            })?;
            Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
        }
    }
}

/// Reads a returned file: JSON if it starts as JSON does, otherwise a table.
///
/// # Errors
/// Problems of the whole file; problems of a cell are added to the faults.
pub(super) fn read(file: &str, text: &str, expected: &Expected) -> Result<Answers, LabelError> {
    match text.trim_start().starts_with(['[', '{']) {
        true => returned::answers(file, text, expected.target),
        false => table(file, text, expected),
    }
}

/// The roles of the fields.
struct Header {
    names: Vec<String>,
    id: usize,
    target: usize,
    batch: Option<usize>,
    annotator: Option<usize>,
    /// In an export of Label Studio: the time of an annotation's last change, and its duration.
    studio: Option<[Option<usize>; 2]>,
}

fn table(file: &str, text: &str, expected: &Expected) -> Result<Answers, LabelError> {
    let wrong = |what: String| LabelError::File { file: file.to_owned(), what };
    // Old spreadsheets end lines with carriage returns only.
    let only_returns = !text.contains('\n') && text.trim_end().contains('\r');
    let text = if only_returns { Cow::Owned(text.replace('\r', "\n")) } else { Cow::Borrowed(text) };
    if let Some(line) = late_header(&text, expected) {
        return Err(wrong(format!(
            "line 1 is not part of the table; the header is on line {line}: remove the lines above it"
        )));
    }
    let mut records = Records::new(&text, delimiter(&text, expected)).filter(|record| match record {
        Ok(record) => record.cells.iter().any(|cell| !cell.trim().is_empty()),
        Err(_) => true,
    });
    let first = records.next().ok_or_else(|| wrong("is empty".to_owned()))?.map_err(|open| wrong(open.to_string()))?;
    let mut read = Answers::default();
    let header = Header::new(&first, expected, &mut read.faults).map_err(|fault| fault.into_error(file))?;
    for record in records {
        header.record(&record.map_err(|open| wrong(open.to_string()))?, &mut read);
    }
    Ok(read)
}

/// The delimiter with which the header has an id and the target; otherwise the one that gives the most fields.
fn delimiter(text: &str, expected: &Expected) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let n_names = |d: &u8| names_in(first, *d).len();
    heads(first, expected).unwrap_or_else(|| DELIMITERS.into_iter().rev().max_by_key(n_names).unwrap_or(b','))
}

fn names_in(line: &str, delimiter: u8) -> Vec<String> {
    cells_of(line, delimiter).iter().map(|name| restore(name.trim()).to_owned()).collect()
}

/// The delimiter under which a line is a header with an id and the target.
fn heads(line: &str, expected: &Expected) -> Option<u8> {
    let target = target_name(expected.target);
    DELIMITERS.into_iter().find(|d| {
        let names = names_in(line, *d);
        let has = |name: &str| names.iter().any(|n| n == name);
        has(STUDIO_ID) || (has("id") && has(&target))
    })
}

/// The line of the header, if other lines precede it.
fn late_header(text: &str, expected: &Expected) -> Option<usize> {
    /// Maximum number of lines of a title.
    const MAX_TITLE: usize = 30;
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).take(MAX_TITLE);
    let first = lines.next()?;
    let at = lines.find(|(_, line)| heads(line, expected).is_some()).map(|(at, _)| at + 1);
    at.filter(|_| heads(first.1, expected).is_none())
}

impl Header {
    /// Finds the columns. Columns may be reordered, added or removed; one name missing and another new means a renamed
    /// column.
    fn new(record: &Record, expected: &Expected, faults: &mut Vec<Fault>) -> Result<Self, Fault> {
        let place = Place::Line(record.line);
        let names: Vec<String> = record.cells.iter().map(|name| restore(name.trim()).to_owned()).collect();
        if is_studio(&names, expected) {
            return Self::of_studio(names, place, expected.target);
        }
        let target = target_name(expected.target).into_owned();
        let at = |name: &str| names.iter().position(|n| n == name);
        let other_than = |columns: &[String]| {
            let known: HashSet<&str> = columns.iter().map(String::as_str).collect();
            names.iter().find(|n| !n.is_empty() && !known.contains(n.as_str())).cloned()
        };
        // A header with one name missing and another new; answers may be to any batch.
        let changed = |columns: &&[String]| {
            let gone = columns.iter().find(|column| at(column).is_none())?;
            Some((gone.clone(), other_than(columns)?))
        };
        let last = expected.headers.last().copied().unwrap_or_default();
        let other = if last.is_empty() { None } else { other_than(last) };
        for name in ["id", target.as_str(), "batch", AFTER[0]] {
            if names.iter().filter(|n| *n == name).count() > 1 {
                return Err(Fault::new(place, name, name, "appears twice in the header"));
            }
        }
        let find = |name: &str| {
            let instead = other.as_deref().unwrap_or_default();
            let what = if instead.is_empty() {
                "is missing from the header"
            } else {
                "is in the header, but the batch has another column there: the header was changed"
            };
            at(name).ok_or_else(|| Fault::new(place, name, if instead.is_empty() { name } else { instead }, what))
        };
        let (id, target) = (find("id")?, find(&target)?);
        let fits_one = expected.headers.iter().any(|columns| changed(columns).is_none());
        if let (false, Some((gone, came))) = (fits_one, changed(&last)) {
            let what = "is in the header, but the batch has another column there: the header was changed";
            faults.push(Fault::new(place, &gone, &came, what));
        }
        let (batch, annotator) = (at("batch"), at(AFTER[0]));
        Ok(Self { id, target, batch, annotator, names, studio: None })
    }

    /// Finds the columns of an export of Label Studio.
    fn of_studio(names: Vec<String>, place: Place, target: &str) -> Result<Self, Fault> {
        let at = |name: &str| names.iter().position(|n| n == name);
        for name in [STUDIO_ID, studio::CONTROL, target, "batch", AFTER[0]] {
            if names.iter().filter(|n| *n == name).count() > 1 {
                return Err(Fault::new(place, name, name, "appears twice in the header"));
            }
        }
        let missing = |name: &str, what: &str| Fault::new(place, name, name, what);
        let id = at(STUDIO_ID).ok_or_else(|| missing(STUDIO_ID, "is missing from the header"))?;
        let answer = at(studio::CONTROL).or_else(|| at(target)).ok_or_else(|| {
            let what = format!("is missing from the header, and so is {target:?}: export as JSON");
            missing(studio::CONTROL, &what)
        })?;
        let times = Some(["updated_at", "lead_time"].map(at));
        Ok(Self { id, target: answer, batch: at("batch"), annotator: at(AFTER[0]), studio: times, names })
    }

    /// Adds the answers of a record.
    fn record(&self, record: &Record, read: &mut Answers) {
        let place = Place::Line(record.line);
        let raw = |at: usize| record.cells.get(at).map_or("", |cell| cell.trim_matches([' ', '\u{a0}']));
        if record.cells.iter().skip(self.names.len()).any(|cell| !cell.trim().is_empty()) {
            let what = format!("{} fields, but the header has {}", record.cells.len(), self.names.len());
            return read.faults.push(Fault::new(place, &self.names[self.id], raw(self.id), what));
        }
        // Label Studio writes cells unescaped.
        let cell = |at: usize| if self.studio.is_some() { raw(at) } else { restore(raw(at)) };
        let or_empty = |at: Option<usize>| at.map(cell).unwrap_or_default();
        let (mut text, mut at, mut origin) = (cell(self.target).trim().to_owned(), None, Origin::Sheet);
        if let Some([updated, lead_time]) = self.studio {
            text = match returned::of_cell(&text) {
                Ok(said) => said.unwrap_or_default(),
                Err((value, what)) => {
                    return read.faults.push(Fault::new(place, &self.names[self.target], &value, what));
                }
            };
            at = or_empty(updated).parse().ok();
            let seconds: Option<f64> = or_empty(lead_time).parse().ok();
            origin = if seconds.is_some_and(|seconds| seconds > 0.0) { Origin::Timed } else { Origin::Untimed };
        }
        let (id, batch) = (cell(self.id).to_owned(), or_empty(self.batch).to_owned());
        let annotator = or_empty(self.annotator).to_owned();
        read.answers.push(Answer { place, id, batch, text, annotator, at, origin });
    }
}

/// The row's id in an export of Label Studio, in which `id` is the number of the task.
const STUDIO_ID: &str = "row_id";

/// Whether the header is that of an export of Label Studio, and not that of a batch of ours with a feature called `row_id`.
fn is_studio(names: &[String], expected: &Expected) -> bool {
    let has = |names: &[String], name: &str| names.iter().any(|n| n == name);
    let ours = expected.headers.iter().find(|columns| has(columns, STUDIO_ID));
    has(names, STUDIO_ID) && ours.is_none_or(|ours| has(names, "annotation_id") && !has(ours, "annotation_id"))
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
