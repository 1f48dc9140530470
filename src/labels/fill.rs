//! A batch that is out, filled in row by row: what a person does in a spreadsheet, one answer at a time.
//!
//! The file is the one that went out with the person's lines alone, and it is written whole after each answer. Taking it
//! in is `label-import`, as for any other filled-in file.

use super::batch::Inbox;
use super::sheet::{AFTER, protect, restore, target_name};
use super::{Batch, LabelError};
use crate::atomic;
use crate::digest::sha256;
use crate::table::push_record;
use crate::workspace::Workspace;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Beside an answer that was not given: the person looked and could not tell.
pub const UNCERTAIN: &str = "uncertain";

/// The batches that are out as tables to fill in, oldest first.
///
/// # Errors
/// A record that cannot be read.
pub fn out(workspace: &Workspace) -> Result<Vec<Batch>, LabelError> {
    Ok(Inbox::of(workspace).open()?.into_iter().filter(|batch| !batch.columns.is_empty()).collect())
}

/// A person's lines of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct FillIn {
    /// The file that holds the answers.
    pub path: PathBuf,
    sheet: Sheet,
    person: String,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The row.
    pub id: String,
    /// Why it is asked.
    pub reason: String,
    /// What is known of it: column and cell.
    pub cells: Vec<(String, String)>,
    /// The label as it was typed; empty while there is none.
    pub answer: String,
    /// What the person noted.
    pub note: String,
}

impl Line {
    /// Whether the person is done with it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        !self.answer.is_empty() || self.note.starts_with(UNCERTAIN)
    }
}

/// The columns that stand before the features; the first is the id, the fourth the reason.
const BEFORE: usize = 6;

impl FillIn {
    /// Opens the lines of `batch` that `person` is asked: with what they answered before, or as they went out.
    ///
    /// # Errors
    /// When a file cannot be read, or is not what went out.
    pub fn open(workspace: &Workspace, batch: &Batch, person: &str) -> Result<Self, LabelError> {
        let inbox = Inbox::of(workspace);
        let path = inbox.path(format!("page-{}-{}.csv", batch.batch, &sha256(person.as_bytes())[..8]));
        let [name, ..] = batch.files.as_slice() else {
            return Err(LabelError::file(&inbox.out(&batch.batch), "names no file that went out".to_owned()));
        };
        let went_out = if path.exists() { path.clone() } else { inbox.path(&name.0) };
        let mut sheet = Sheet::read(&went_out, batch)?;
        let who = sheet.target + 1;
        sheet.rows.retain(|row| row[1] == batch.batch && (row[who].is_empty() || restore(&row[who]) == person));
        Ok(Self { path, sheet, person: person.to_owned() })
    }

    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sheet.rows.len()
    }

    /// Whether the person is asked nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sheet.rows.is_empty()
    }

    /// Line `at`, from 0.
    #[must_use]
    pub fn line(&self, at: usize) -> Option<Line> {
        let (row, target) = (self.sheet.rows.get(at)?, self.sheet.target);
        Some(Line {
            id: restore(&row[0]).to_owned(),
            reason: restore(&row[3]).to_owned(),
            cells: self.sheet.cells(row),
            answer: restore(&row[target]).to_owned(),
            note: restore(&row[target + 2]).to_owned(),
        })
    }

    /// Number of lines that the person is done with.
    #[must_use]
    pub fn n_done(&self) -> usize {
        (0..self.len()).filter_map(|at| self.line(at)).filter(Line::is_done).count()
    }

    /// Number of lines that have an answer.
    #[must_use]
    pub fn n_answered(&self) -> usize {
        self.sheet.rows.iter().filter(|row| !row[self.sheet.target].is_empty()).count()
    }

    /// The first line from `from` on, then from the beginning, that is not done.
    #[must_use]
    pub fn next(&self, from: usize) -> Option<usize> {
        let open = |at: &usize| self.line(*at).is_some_and(|line| !line.is_done());
        (from..self.len()).find(open).or_else(|| (0..from.min(self.len())).find(open))
    }

    /// Sets the answer of the line of row `id` and writes the file; an empty answer takes it back. Whether there is
    /// such a line.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn answer(&mut self, id: &str, answer: &str, note: &str) -> Result<bool, LabelError> {
        let Sheet { rows, target, .. } = &mut self.sheet;
        let Some(row) = rows.iter_mut().find(|row| restore(&row[0]) == id) else { return Ok(false) };
        row[*target] = protect(answer).into_owned();
        row[*target + 1] = protect(&self.person).into_owned();
        row[*target + 2] = protect(note).into_owned();
        self.save()?;
        Ok(true)
    }

    fn save(&self) -> Result<(), LabelError> {
        let mut text = Vec::new();
        let header: Vec<Cow<str>> = self.sheet.header.iter().map(|name| protect(name)).collect();
        push_record(&mut text, &header, b',');
        self.sheet.rows.iter().for_each(|row| push_record(&mut text, row, b','));
        atomic::replace(&self.path, |out| out.write_all(&text)).map_err(|source| LabelError::io(&self.path, source))
    }
}

/// A batch's table as it went out or came back.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sheet {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// The place of the answer; the annotator and the note follow it.
    pub(super) target: usize,
}

impl Sheet {
    pub(super) fn read(path: &Path, batch: &Batch) -> Result<Self, LabelError> {
        let mut records = read(path)?;
        if records.is_empty() {
            return Err(LabelError::file(path, "is empty".to_owned()));
        }
        let header: Vec<String> = records.remove(0).iter().map(|name| restore(name).to_owned()).collect();
        if header != batch.columns {
            return Err(LabelError::file(path, format!("is not what went out with {}", batch.batch)));
        }
        let target = header.iter().rposition(|column| *column == target_name(&batch.target.name));
        match target.filter(|target| header[target + 1..] == AFTER) {
            Some(target) => Ok(Self { header, rows: records, target }),
            None => Err(LabelError::file(path, "has no column for the answer".to_owned())),
        }
    }

    /// What is known of a row: column and cell.
    pub(super) fn cells(&self, row: &[String]) -> Vec<(String, String)> {
        (BEFORE..self.target).map(|c| (self.header[c].clone(), restore(&row[c]).to_owned())).collect()
    }
}

/// The records of a list in the inbox.
pub(super) fn read(path: &Path) -> Result<Vec<Vec<String>>, LabelError> {
    let wrong = |err: csv::Error| LabelError::io(path, err.into());
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).map_err(wrong)?;
    let rows = reader.records().map(|record| Ok(record.map_err(wrong)?.iter().map(str::to_owned).collect()));
    rows.collect()
}
