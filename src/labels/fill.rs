//! An open batch, filled in row by row: as in a spreadsheet, one answer at a time.
//!
//! The file is the exported one with only the person's lines; it is rewritten after each answer. It is imported
//! by `label-import`, as any other filled-in file.

use super::batch::{Asked, Inbox};
use super::check::class_of;
use super::form::Form;
use super::sheet::{AFTER, read_cut, restore, target_name};
use super::{Batch, LabelError, Labels};
use crate::atomic::{self, At};
use crate::digest::sha256;
use crate::features::Target;
use crate::wording::person_key;
use crate::workspace::Workspace;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The note for a row without an answer, because the person could not decide.
pub const UNCERTAIN: &str = "uncertain";

/// The open batches that were exported as tables, oldest first.
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
    target: Target,
    person: String,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The row.
    pub id: String,
    /// Why it was selected.
    pub reason: String,
    /// Its features: column and cell.
    pub cells: Vec<(String, String)>,
    /// The label as typed; empty without one.
    pub answer: String,
    /// The person's note.
    pub note: String,
}

impl Line {
    /// Whether the person is done with it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        !self.answer.is_empty() || self.note.starts_with(UNCERTAIN)
    }
}

/// The number of columns before the features; the first is the id, the fourth the reason.
const BEFORE: usize = 6;

impl FillIn {
    /// Opens the lines of `batch` assigned to `person` that are not imported yet: with the previous answers, or as
    /// exported.
    ///
    /// # Errors
    /// If a file cannot be read, or is not the exported one.
    pub fn open(workspace: &Workspace, batch: &Batch, person: &str) -> Result<Self, LabelError> {
        let inbox = Inbox::of(workspace);
        Self::beside(&inbox, batch, person, &Taken::of(&inbox, batch)?)
    }

    fn beside(inbox: &Inbox, batch: &Batch, person: &str, taken: &Taken) -> Result<Self, LabelError> {
        let path = inbox.path(format!("{}{}.csv", prefix(batch), &sha256(person.as_bytes())[..8]));
        let [name, ..] = batch.files.as_slice() else {
            return Err(LabelError::file(&inbox.out(&batch.batch), "is not a file of this batch".to_owned()));
        };
        let went_out = if path.exists() { path.clone() } else { inbox.path(&name.0) };
        let mut sheet = Sheet::read(&went_out, batch)?;
        sheet.form.numbers = inbox.form()?.numbers;
        let (target, who) = (sheet.target, sheet.target + 1);
        sheet.rows.retain(|row| {
            let is_theirs = row[1] == batch.batch && (row[who].is_empty() || is_same(restore(&row[who]), person));
            is_theirs && (!row[target].is_empty() || !taken.has(restore(&row[0]), person))
        });
        Ok(Self { path, sheet, target: batch.target.clone(), person: person.to_owned() })
    }

    /// The person who answers.
    #[must_use]
    pub fn person(&self) -> &str {
        &self.person
    }

    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sheet.rows.len()
    }

    /// Whether the person has no rows to answer.
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
        self.done().filter(|(_, done)| *done).count()
    }

    /// Number of lines that have an answer.
    #[must_use]
    pub fn n_answered(&self) -> usize {
        self.sheet.rows.iter().filter(|row| !row[self.sheet.target].is_empty()).count()
    }

    /// The first line, from `from` on and then from the beginning, that is not done.
    #[must_use]
    pub fn next(&self, from: usize) -> Option<usize> {
        let open = |at: &usize| self.sheet.rows.get(*at).is_some_and(|row| !self.sheet.is_done(row));
        (from..self.len()).find(open).or_else(|| (0..from.min(self.len())).find(open))
    }

    /// The problem with an answer, as `label-import` would report it; `None` for a valid one.
    ///
    /// # Errors
    /// When `mlloop.toml` cannot be read.
    pub fn fault(&self, workspace: &Workspace, answer: &str) -> Result<Option<String>, LabelError> {
        let schema = workspace.config()?.schema();
        Ok(class_of(&self.target, answer, schema.number_format(&self.target.name)).err())
    }

    /// Sets the answer of row `id` and writes the file; an empty answer clears it. Returns whether the row exists.
    ///
    /// # Errors
    /// I/O errors.
    pub fn answer(&mut self, id: &str, answer: &str, note: &str) -> Result<bool, LabelError> {
        let Sheet { rows, target, form, .. } = &mut self.sheet;
        let Some(row) = rows.iter_mut().find(|row| restore(&row[0]) == id) else { return Ok(false) };
        row[*target] = form.protect(answer).into_owned();
        row[*target + 1] = form.protect(&self.person).into_owned();
        row[*target + 2] = form.protect(note).into_owned();
        self.save()?;
        Ok(true)
    }

    /// The row of each line, and whether the person is done with it.
    pub fn done(&self) -> impl Iterator<Item = (&str, bool)> {
        self.sheet.rows.iter().map(|row| (restore(&row[0]), self.sheet.is_done(row)))
    }

    /// Every line, with the person's answer.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        (0..self.len()).filter_map(|at| self.line(at))
    }

    fn save(&self) -> Result<(), LabelError> {
        let header: Vec<String> =
            self.sheet.header.iter().map(|name| self.sheet.form.protect(name).into_owned()).collect();
        let text = self.sheet.form.file(std::iter::once(&header).chain(&self.sheet.rows).map(Vec::as_slice));
        Ok(atomic::replace(&self.path, |out| out.write_all(&text)).at(&self.path)?)
    }
}

fn is_same(one: &str, other: &str) -> bool {
    person_key(one) == person_key(other)
}

/// The name prefix of files with answers to a batch from the page.
fn prefix(batch: &Batch) -> String {
    format!("page-{}-", batch.batch)
}

/// The sheets of an open batch, by person: assigned annotators, and anyone with answers on the page that are not
/// imported yet.
///
/// # Errors
/// As [`FillIn::open`].
pub fn sheets(workspace: &Workspace, batch: &Batch) -> Result<Vec<FillIn>, LabelError> {
    let inbox = Inbox::of(workspace);
    let mut people: BTreeSet<String> = batch.rows.iter().flat_map(|row| row.annotators.iter().cloned()).collect();
    for name in inbox.names("")?.iter().filter(|name| name.starts_with(&prefix(batch))) {
        let sheet = Sheet::read(&inbox.path(name), batch)?;
        people.extend(sheet.people());
    }
    let taken = Taken::of(&inbox, batch)?;
    people.iter().map(|person| FillIn::beside(&inbox, batch, person, &taken)).collect()
}

/// The answers to a batch that were imported while it stayed open.
struct Taken {
    /// Who answered or skipped a row, by a normalised form of the name.
    said: HashMap<String, BTreeSet<String>>,
    /// Rows without a named annotator: one answer is enough.
    of_anybody: HashSet<String>,
}

impl Taken {
    fn of(inbox: &Inbox, batch: &Batch) -> Result<Self, LabelError> {
        let rows = batch.rows.iter().filter(|row| row.annotators.is_empty());
        let mut taken = Self { said: HashMap::new(), of_anybody: rows.map(|row| row.id.clone()).collect() };
        for name in inbox.names(&format!("batches/{}", batch.batch))?.iter().filter(|name| name.ends_with(".csv")) {
            // Only lists in this batch's form were imported while it was open.
            if let Ok(sheet) = Sheet::read(&inbox.out(&batch.batch).join(name), batch) {
                taken.add(&sheet);
            }
        }
        Ok(taken)
    }

    fn add(&mut self, sheet: &Sheet) {
        for line in sheet.rows.iter().filter(|row| sheet.is_done(row)) {
            let people = self.said.entry(restore(&line[0]).to_owned()).or_default();
            people.insert(person_key(restore(&line[sheet.target + 1])));
        }
    }

    /// Whether `person` no longer needs to answer the row.
    fn has(&self, id: &str, person: &str) -> bool {
        self.said.get(id).is_some_and(|people| people.contains(&person_key(person)) || self.of_anybody.contains(id))
    }
}

/// The number of rows of an open batch that still need an answer.
///
/// # Errors
/// As [`FillIn::open`].
pub fn rows_left(workspace: &Workspace, batch: &Batch) -> Result<usize, LabelError> {
    let taken = Taken::of(&Inbox::of(workspace), batch)?;
    let waits = |row: &&Asked| match row.annotators.as_slice() {
        [] => !taken.has(&row.id, ""),
        named => named.iter().any(|who| !taken.has(&row.id, who)),
    };
    Ok(batch.rows.iter().filter(waits).count())
}

/// The number of answers that an open batch still needs: unassigned rows without a label, answers of assigned
/// annotators, and answers on the page that are not imported, except those of `file`.
pub(super) fn waits_for(
    workspace: &Workspace,
    batch: &Batch,
    labels: &Labels,
    file: &Path,
) -> Result<usize, LabelError> {
    let inbox = Inbox::of(workspace);
    let mut taken = Taken::of(&inbox, batch)?;
    if !batch.columns.is_empty()
        && let Ok(sheet) = Sheet::read(file, batch)
    {
        taken.add(&sheet);
    }
    let labelled = labels.ids();
    let asked: HashSet<&str> = batch.rows.iter().map(|row| row.id.as_str()).collect();
    for label in labels.rows().iter().filter(|label| label.teaches() && asked.contains(label.id.as_str())) {
        taken.said.entry(label.id.clone()).or_default().insert(person_key(&label.annotator));
    }
    let is_open = |row: &Asked| match row.annotators.as_slice() {
        [] => usize::from(!labelled.contains(row.id.as_str()) && !taken.has(&row.id, "")),
        named => named.iter().filter(|who| !taken.has(&row.id, who)).count(),
    };
    let open: usize = batch.rows.iter().map(is_open).sum();
    let place = |path: &Path| path.canonicalize().ok();
    let others = if batch.columns.is_empty() { Vec::new() } else { sheets(workspace, batch)? };
    let others = others.iter().filter(|sheet| place(&sheet.path) != place(file));
    Ok(open + others.map(FillIn::n_answered).sum::<usize>())
}

/// A batch's table, exported or returned.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sheet {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// The column of the answer; the annotator and the note follow it.
    pub(super) target: usize,
    /// How it is written.
    form: Form,
}

impl Sheet {
    pub(super) fn read(path: &Path, batch: &Batch) -> Result<Self, LabelError> {
        let (form, mut records) = read_cut(path)?;
        if records.is_empty() {
            return Err(LabelError::file(path, "is empty".to_owned()));
        }
        let header: Vec<String> = records.remove(0).iter().map(|name| restore(name).to_owned()).collect();
        if header != batch.columns {
            return Err(LabelError::file(path, format!("is not the file that was created for {}", batch.batch)));
        }
        let target = header.iter().rposition(|column| *column == target_name(&batch.target.name));
        match target.filter(|target| header[target + 1..] == AFTER) {
            Some(target) => Ok(Self { header, rows: records, target, form }),
            None => Err(LabelError::file(path, "has no column for the answer".to_owned())),
        }
    }

    /// Whether a row is answered or marked as uncertain.
    fn is_done(&self, row: &[String]) -> bool {
        !row[self.target].is_empty() || restore(&row[self.target + 2]).starts_with(UNCERTAIN)
    }

    /// The people who answered rows.
    fn people(&self) -> impl Iterator<Item = String> {
        self.rows.iter().filter(|row| self.is_done(row)).map(|row| restore(&row[self.target + 1]).to_owned())
    }

    /// The features of a row: column and cell.
    pub(super) fn cells(&self, row: &[String]) -> Vec<(String, String)> {
        (BEFORE..self.target).map(|c| (self.header[c].clone(), restore(&row[c]).to_owned())).collect()
    }
}
