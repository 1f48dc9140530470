//! Checks answers against their batch.

use super::answer::{Answer, Answers, Fault, Place};
use super::answers::Expected;
use super::batch::{Asked, Batch, Inbox, recorded};
use super::copies::Copies;
use super::ids::{self, Zeros};
use super::request::{Counts, ImportRequest};
use super::resolve::ADJUDICATOR;
use super::store::{Label, Source};
use super::strangers::Strangers;
use super::{LabelError, conflicts};
use crate::atomic::At;
use crate::digest::sha256;
use crate::features::target::number_text;
use crate::features::{Target, Task};
use crate::table::{NumberFormat, Schema, label_value, misread_thousands};
use crate::wording::person_key;
use crate::workspace::Workspace;
use std::collections::HashMap;

/// The returned answers that are valid.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) labels: Vec<Label>,
    /// Faults, in the order of the file.
    pub(super) faults: Vec<Fault>,
    pub(super) counts: Counts,
    /// Signs that answers are not from a person.
    pub(super) copies: Copies,
    /// Answers under the name of a person who was not assigned.
    pub(super) strangers: Strangers,
    /// An id that lost its leading zeros, the id it stands for, and the number of such ids.
    pub(super) zeros: Option<(String, String, u64)>,
    marks: Marks,
}

/// The author of the answer.
struct Speaker<'a> {
    name: &'a str,
    word: Word,
}

/// The authority of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// An annotator who may answer the row.
    Own,
    /// The adjudicator, according to the file.
    Adjudicator,
    /// Not among the annotators assigned to the row.
    Strange,
}

/// Anyone who fills in a file can write any name. So names in a file count only if the batch names no annotators, if
/// the importer vouches for them (`--annotator`), or if a server attests who answered.
fn speaker<'a>(answer: &'a Answer, row: &'a Asked, request: &ImportRequest<'a>) -> Speaker<'a> {
    let told = request.annotator;
    let name = if answer.annotator.is_empty() { told.unwrap_or("") } else { &answer.annotator }.trim();
    if let Some(name) = row.asked_of(name) {
        return Speaker { name, word: Word::Own };
    }
    let is_adjudicator = person_key(name) == ADJUDICATOR;
    let name = if is_adjudicator { ADJUDICATOR } else { name };
    let is_told = told.is_some_and(|told| person_key(told) == person_key(name));
    let word = match () {
        () if is_told => Word::Own,
        () if is_adjudicator => Word::Adjudicator,
        () if !row.annotators.is_empty() && !request.attested => Word::Strange,
        () => Word::Own,
    };
    Speaker { name, word }
}

/// Counts of numbers with a mark that may separate thousands.
#[derive(Debug, Default)]
struct Marks {
    /// Answers with a decimal mark, and those with three digits after it.
    n_marked: u64,
    grouped: u64,
    /// Those for which production's prediction makes a value a thousand times as large likelier.
    misread: Vec<Fault>,
}

impl Marks {
    fn count(&mut self, answer: &Answer, (batch, row): (&Batch, &Asked), said: &str, number: Option<&NumberFormat>) {
        let mark = number.map_or('.', |format| format.decimal);
        let Some((_, decimals)) = answer.text.split_once(mark).filter(|_| batch.target.task == Task::Regression) else {
            return;
        };
        self.n_marked += 1;
        self.grouped += u64::from(decimals.bytes().take_while(u8::is_ascii_digit).count() == 3);
        let (Ok(value), Ok(expected)) = (said.parse(), row.prediction.parse()) else { return };
        if let Some(meant) = misread_thousands(&answer.text, value, number, expected) {
            let what = format!(
                "is ambiguous: it can mean {value} or {meant}, and the second is nearer to production's prediction \
                 {}: write it without thousands separators",
                row.prediction
            );
            self.misread.push(Fault::new(answer.place, &batch.target.name, &answer.text, what));
        }
    }

    /// The ambiguous answers, if no number shows that the mark is a decimal mark and most look like thousands.
    fn faults(self) -> Vec<Fault> {
        let all_grouped = self.grouped == self.n_marked;
        if all_grouped && 2 * self.misread.len() as u64 > self.grouped { self.misread } else { Vec::new() }
    }
}

/// Every exported batch, and the rows in conflict that no batch covers.
pub(super) struct Known {
    /// Imported batches, then open ones, oldest first.
    pub(super) batches: Vec<Batch>,
    /// How the workspace's table is written.
    schema: Schema,
}

impl Known {
    pub(super) fn open(workspace: &Workspace) -> Result<Self, LabelError> {
        let inbox = Inbox::of(workspace);
        let mut batches = inbox.closed()?;
        let open = inbox.open()?;
        let chain = workspace.audit_chain()?;
        for batch in &open {
            let path = inbox.out(&batch.batch).join("batch.json");
            let bytes = std::fs::read(&path).at(&path)?;
            let record = recorded(&chain, &batch.batch)?.and_then(|(_, said)| said.record);
            if record.is_none_or(|record| record != sha256(&bytes)) {
                return Err(LabelError::file(&path, "was changed after the batch was created (see `mlloop audit`)"));
            }
        }
        batches.extend(open);
        // First, like the oldest: a batch that covers a row takes precedence.
        batches.splice(0..0, conflicts::unasked(workspace)?);
        Ok(Self { batches, schema: workspace.config()?.schema() })
    }

    pub(super) fn expected(&self, file: &str) -> Result<Expected<'_>, LabelError> {
        let last = self.batches.last().ok_or_else(|| {
            let what = "there is no batch yet: run `mlloop label-export` first";
            LabelError::File { file: file.to_owned(), what: what.to_owned() }
        })?;
        let headers = self.batches.iter().map(|batch| batch.columns.as_slice()).collect();
        Ok(Expected { target: &last.target.name, headers })
    }

    /// The batches that the answers belong to.
    pub(super) fn taken(&self, incoming: &[Label]) -> Vec<&Batch> {
        let asked = self.batches.iter().filter(|batch| !batch.batch.is_empty());
        asked.filter(|batch| incoming.iter().any(|label| label.batch == batch.batch)).collect()
    }

    /// The answers as labels, and the problems. `decides`: an adjudicator filled in the file.
    pub(super) fn check(&self, read: Answers, request: &ImportRequest, decides: bool) -> Checked {
        let Answers { answers, faults } = read;
        let counts = Counts { read: answers.len() as u64, ..Counts::default() };
        let mut checked = Checked { faults, counts, ..Checked::default() };
        let asked = AskedRows::new(&self.batches);
        let mut seen: HashMap<(&str, String), (usize, &Answer)> = HashMap::new();
        for answer in &answers {
            let Some(&(batch, row)) = self.place(answer, &asked, &mut checked) else { continue };
            let number = self.schema.number_format(&batch.target.name);
            if self.is_blank(&batch.target, &answer.text, number) {
                checked.counts.unanswered += 1;
                continue;
            }
            let mut refuse = |what: String| {
                checked.faults.push(Fault::new(answer.place, &batch.target.name, &answer.text, what));
            };
            let said = match class_of(&batch.target, &answer.text, number) {
                Ok(said) => said,
                Err(what) => {
                    refuse(what);
                    continue;
                }
            };
            checked.marks.count(answer, (batch, row), &said, number);
            let speaker = speaker(answer, row, request);
            if let Some(&(at, first)) = seen.get(&(row.id.as_str(), person_key(speaker.name))) {
                if checked.labels[at].label != said {
                    refuse(format!("differs from {:?} on {} for the same row and annotator", first.text, first.place));
                }
                continue;
            }
            seen.insert((&row.id, person_key(speaker.name)), (checked.labels.len(), answer));
            match speaker.word {
                Word::Own => {}
                Word::Adjudicator if decides => {}
                Word::Adjudicator => checked.strangers.adjudicated.push(row.id.clone()),
                Word::Strange => checked.strangers.others.push((row.id.clone(), answer.annotator.clone())),
            }
            checked.copies.count(answer.origin, class_of(&batch.target, &row.prediction, None).as_ref() == Ok(&said));
            checked.labels.push(Label {
                id: row.id.clone(),
                label: said,
                annotator: speaker.name.to_owned(),
                labelled_at: answer.at.unwrap_or(request.now),
                source: Source::Human,
                batch: batch.batch.clone(),
                select_prob: Some(row.select_prob).filter(|_| !batch.batch.is_empty()),
                model_version: Some(batch.version),
            });
        }
        checked.faults.extend(std::mem::take(&mut checked.marks).faults());
        checked.faults.sort_by_key(|fault| match fault.place {
            Place::Line(n) | Place::Task(n) => n,
        });
        checked
    }

    /// Whether a cell means "no answer": empty, one of the missing markers, or a dash. An answer if a class has that
    /// name.
    fn is_blank(&self, target: &Target, text: &str, number: Option<&NumberFormat>) -> bool {
        let missing = || self.schema.dialect.missing.iter().map(|marker| marker.trim());
        let is_none = || missing().any(|marker| marker.eq_ignore_ascii_case(text)) || DASHES.contains(&text);
        // A number that marks missing values is not an answer.
        let is_marker = || target.task == Task::Regression && missing().any(|marker| marker == text);
        text.is_empty() || is_marker() || (is_none() && class_of(target, text, number).is_err())
    }

    /// The row to which an answer belongs.
    fn place<'a>(
        &'a self,
        answer: &Answer,
        asked: &'a AskedRows<'a>,
        checked: &mut Checked,
    ) -> Option<&'a (&'a Batch, &'a Asked)> {
        let named = self.schema.id_of(&answer.id);
        let of_batch = |(batch, _): &&(&Batch, &Asked)| answer.batch.is_empty() || batch.batch == answer.batch;
        let of_id = asked.of(&named);
        if let Some(found) = of_id.iter().find(of_batch) {
            return Some(found);
        }
        let mut lost = asked.zeros.lost(&named).filter_map(|id| asked.of(id).iter().find(of_batch));
        if let (Some(found), None) = (lost.next(), lost.next()) {
            checked.zeros.get_or_insert_with(|| (answer.id.clone(), found.1.id.clone(), 0)).2 += 1;
            return Some(found);
        }
        checked.faults.push(match of_id.is_empty() {
            true => {
                let what = ids::strange(&answer.id, &asked.zeros, asked.by_id.keys().copied());
                Fault::new(answer.place, "id", &answer.id, what)
            }
            false => Fault::new(answer.place, "batch", &answer.batch, "is not the batch that contains this row"),
        });
        None
    }
}

/// What people type for "no answer".
const DASHES: [&str; 5] = ["-", "--", "\u{2212}", "\u{2013}", "\u{2014}"];

/// The assigned rows, the newest batch first.
struct AskedRows<'a> {
    by_id: HashMap<&'a str, Vec<(&'a Batch, &'a Asked)>>,
    zeros: Zeros<'a>,
}

impl<'a> AskedRows<'a> {
    fn new(batches: &'a [Batch]) -> Self {
        let mut by_id: HashMap<&str, Vec<(&Batch, &Asked)>> = HashMap::new();
        for batch in batches.iter().rev() {
            batch.rows.iter().for_each(|row| by_id.entry(&row.id).or_default().push((batch, row)));
        }
        let zeros = Zeros::of(by_id.keys().copied());
        Self { by_id, zeros }
    }

    /// The assigned rows of an id.
    fn of(&self, id: &str) -> &[(&'a Batch, &'a Asked)] {
        self.by_id.get(id).map_or(&[][..], Vec::as_slice)
    }
}

/// The class or number that a label means, as the target writes it. A leading apostrophe, with which spreadsheets mark
/// text, is ignored.
pub(super) fn class_of(target: &Target, text: &str, number: Option<&NumberFormat>) -> Result<String, String> {
    plain_class_of(target, text, number).or_else(|wrong| {
        let bare = text.strip_prefix(['\'', '\u{2019}']).map(str::trim);
        bare.and_then(|bare| plain_class_of(target, bare, number).ok()).ok_or(wrong)
    })
}

fn plain_class_of(target: &Target, text: &str, number: Option<&NumberFormat>) -> Result<String, String> {
    if target.task == Task::Regression {
        return label_value(text, number).map(number_text);
    }
    let class = target.class_of(text).map(|class| target.classes[class].clone());
    class.ok_or_else(|| {
        let classes: Vec<String> = target.classes.iter().map(|class| format!("{class:?}")).collect();
        format!("is not one of the classes {}", classes.join(", "))
    })
}
