//! Conflicts and suspect labels, settled by the answer of an adjudicator.
//!
//! `conflicts.csv` and `suspects.csv` in the inbox are read with the rows of their batches. Decisions are written as a
//! table like `conflicts.csv`, which `label-import` reads.

use super::batch::{Batch, Inbox, SETTLED};
use super::fill::Sheet;
use super::resolve::ADJUDICATOR;
use super::sheet::{AFTER, read, restore, target_name};
use super::{CONFLICTS, LabelError, SUSPECTS, conflicts};
use crate::atomic::{self, At};
use crate::digest::sha256;
use crate::features::Target;
use crate::workspace::Workspace;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;

/// A row with a disputed label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The row.
    pub id: String,
    /// The batch of the row; empty for feedback.
    pub batch: String,
    /// The labels given, or what contradicts the label.
    pub why: String,
    /// The label in effect until the decision; empty if there is none.
    pub label: String,
    /// Its features: column and cell; empty if its batch was not exported as a table.
    pub cells: Vec<(String, String)>,
}

/// The rows to settle.
#[derive(Debug, Clone, PartialEq)]
pub struct Settling {
    /// The target of their batches; `None` without any.
    pub target: Option<Target>,
    /// The first of them, conflicts before suspects.
    pub rows: Vec<Open>,
    /// The total number of such rows.
    pub n: usize,
}

/// The first `most` rows to settle.
///
/// # Errors
/// A list or a batch that cannot be read.
pub fn open(workspace: &Workspace, most: usize) -> Result<Settling, LabelError> {
    let inbox = Inbox::of(workspace);
    let mut all: Vec<Open> = Vec::new();
    for (name, is_conflict) in [(CONFLICTS, true), (SUSPECTS, false)] {
        let path = inbox.path(name);
        if !path.exists() {
            continue;
        }
        for record in read(&path)?.into_iter().skip(1) {
            let row = opened(&record, is_conflict);
            let row = row.ok_or_else(|| LabelError::file(&path, "was not written by label-import".to_owned()))?;
            if !all.iter().any(|known| known.id == row.id) {
                all.push(row);
            }
        }
    }
    let n = all.len();
    all.truncate(most);
    if all.is_empty() {
        return Ok(Settling { target: None, rows: all, n });
    }
    let mut batches = [inbox.closed()?, inbox.open()?].concat();
    batches.retain(|batch| all.iter().any(|row| row.batch == batch.batch));
    fill_in(&inbox, &batches, &mut all)?;
    let target = match batches.pop() {
        Some(batch) => Some(batch.target),
        None => conflicts::predicted(workspace)?.map(|(_, target)| target),
    };
    Ok(Settling { target, rows: all, n })
}

fn opened(record: &[String], is_conflict: bool) -> Option<Open> {
    let cell = |at: usize| Some(restore(record.get(at)?).to_owned());
    let (id, batch) = (cell(0)?, cell(1)?);
    let (why, label) = match is_conflict {
        true => (cell(2)?, String::new()),
        false => {
            (format!("{} answered {}; the model considers {} more likely", cell(3)?, cell(2)?, cell(4)?), cell(2)?)
        }
    };
    Some(Open { id, batch, why, label, cells: Vec::new() })
}

/// Adds the exported cells to the rows.
fn fill_in(inbox: &Inbox, batches: &[Batch], rows: &mut [Open]) -> Result<(), LabelError> {
    for batch in batches.iter().filter(|batch| !batch.columns.is_empty()) {
        let Some((name, _)) = batch.files.first() else { continue };
        // A batch that stays out has its list in the inbox.
        let places = [inbox.imported(&batch.batch).join(name), inbox.path(name)];
        let Some(path) = places.into_iter().find(|path| path.exists()) else { continue };
        let sheet = Sheet::read(&path, batch)?;
        let by_id: HashMap<&str, &Vec<String>> = sheet.rows.iter().map(|row| (restore(&row[0]), row)).collect();
        for row in rows.iter_mut().filter(|row| row.batch == batch.batch) {
            row.cells = by_id.get(row.id.as_str()).map(|record| sheet.cells(record)).unwrap_or_default();
        }
    }
    Ok(())
}

/// A decision: the row, its batch, the label.
pub type Decision = (String, String, String);

/// Writes the decisions of `person` as a table for `label-import`; returns its path.
///
/// # Errors
/// I/O errors.
pub fn write(workspace: &Workspace, target: &str, person: &str, decisions: &[Decision]) -> Result<PathBuf, LabelError> {
    let inbox = Inbox::of(workspace);
    let path = inbox.path(format!("{SETTLED}{}.csv", &sha256(person.as_bytes())[..8]));
    let target = target_name(target);
    let header = ["id", "batch", target.as_ref(), AFTER[0], AFTER[1]].map(Cow::Borrowed);
    let note = format!("settled by {person}");
    let form = inbox.form()?;
    let decided = decisions.iter();
    let decided =
        decided.map(|(id, batch, label)| [id, batch, label, ADJUDICATOR, &note].map(|text| form.protect(text)));
    let records: Vec<[Cow<str>; 5]> = std::iter::once(header).chain(decided).collect();
    let text = form.file(records.iter().map(<[_; 5]>::as_slice));
    atomic::replace(&path, |out| out.write_all(&text)).at(&path)?;
    Ok(path)
}
