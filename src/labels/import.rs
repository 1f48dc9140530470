//! The logic of `label-import`.
//!
//! ```text
//! file ─read─▶ answers ─check against the export─▶ labels ─guards─▶ quarantined until accepted
//!                                                       └▶ importing.json ─▶ data/labels.csv ─▶ audit ─▶ imported/ID/
//! ```
//! `importing.json` states what is about to be recorded: after a crash between two of these steps, the next run sees
//! in `labels.csv` whether the labels were added, and then records and moves the rest.

use super::answers::{self, read_text};
use super::batch::Inbox;
use super::check::{Checked, Known};
use super::findings::{Findings, Report};
use super::guards::{change_guard, guards};
use super::request::{Counts, Guard, ImportRequest, Imported, Taken};
use super::store::{Labels, Merged};
use super::take::{Taking, complete_import};
use super::{LabelError, export, fill, people};
use crate::atomic::Lock;
use crate::digest::sha256;
use crate::workspace::audit::Event;
use crate::workspace::event::{AnswersRead, BatchClosed, Details};
use crate::workspace::{EventKind, Workspace};
use std::path::Path;

/// The file that is read unless another one is given.
pub const DEFAULT_FILE: &str = "to_label_labeled.csv";

/// Imports answers.
///
/// # Errors
/// The first invalid answer, unless these are skipped; an unreadable file or record. Nothing is imported
/// then.
pub fn import(workspace: &Workspace, lock: &Lock, request: &ImportRequest) -> Result<Imported, LabelError> {
    export::complete(workspace, lock)?;
    let finished = complete_import(workspace, lock)?;
    let inbox = Inbox::of(workspace);
    let default = inbox.path(DEFAULT_FILE);
    let path = request.file.unwrap_or(&default);
    let home = inbox.home_of(path)?;
    if !path.exists() && (request.file.is_none() || home.is_some()) {
        return Ok(nothing(path, finished, home));
    }
    let known = Known::open(workspace)?;
    let mut back = Back::read(path, &known, request, inbox.decides(path))?;
    let labels = Labels::held(workspace)?;
    labels.name_as_known(&mut back.checked.labels);
    people::unify(labels.rows(), &mut back.checked.labels);
    let Checked { labels: incoming, faults, .. } = &back.checked;
    let batches = known.taken(incoming);
    let policy = match request.policy {
        Some(policy) => policy,
        None => workspace.config()?.labels.policy,
    };
    let report = Report { inbox: &inbox, batches: &batches, incoming, faults, policy };
    let guards = guards((&back.checked, most_right(workspace)?, range(workspace)?), &batches, &known.batches, &labels);
    let taking = Taking { workspace, lock, inbox: &inbox, request, path, digest: &back.digest };
    settle(&taking, &report, labels, guards, &back, finished)
}

/// Closes an open batch; its unlabelled rows can be selected again. Returns their number.
///
/// # Errors
/// If no such batch is open, or answers given on the page are not imported.
pub fn close(
    workspace: &Workspace,
    lock: &Lock,
    batch: &str,
    by: Option<String>,
    now: jiff::Timestamp,
) -> Result<Closing, LabelError> {
    export::complete(workspace, lock)?;
    complete_import(workspace, lock)?;
    let inbox = Inbox::of(workspace);
    let open = inbox.open()?;
    let place = inbox.out(batch);
    let closed = closed_before(workspace, batch)?;
    let Some(found) = open.iter().find(|one| one.batch == batch) else {
        if let Some(closing) = closed {
            return Ok(closing);
        }
        let names: Vec<&str> = open.iter().map(|one| one.batch.as_str()).collect();
        let there = crate::wording::instead(batch, names);
        return Err(LabelError::file(&place, format!("is not an open batch{there}")));
    };
    let sheets = if found.columns.is_empty() { Vec::new() } else { fill::sheets(workspace, found)? };
    if let Some(sheet) = sheets.iter().find(|sheet| sheet.n_answered() > 0) {
        let (n, whose) = (sheet.n_answered(), sheet.person());
        let what = format!(
            "contains {n} answers of {whose} that are not imported: mlloop label-import {}",
            sheet.path.display()
        );
        return Err(LabelError::file(&sheet.path, what));
    }
    let labels = Labels::open(workspace)?;
    let known = labels.ids();
    let n_open = found.rows.iter().filter(|row| !known.contains(row.id.as_str())).count() as u64;
    if closed.is_none() {
        inbox.may_put_away(batch)?;
        let details = BatchClosed { batch: batch.to_owned(), n_open }.value();
        workspace.record(lock, Event { at: now, event: EventKind::BatchClosed, by, roles: None, details })?;
    }
    inbox.put_away(batch, None)?;
    Ok(Closing { n_open, before: closed.and_then(|closing| closing.before) })
}

/// The result of closing a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// Rows of it that have no label.
    pub n_open: u64,
    /// The time of an earlier call, if the batch was already closed.
    pub before: Option<jiff::Timestamp>,
}

/// The earlier closing of a batch, from its audit entry.
fn closed_before(workspace: &Workspace, batch: &str) -> Result<Option<Closing>, LabelError> {
    let chain = workspace.audit_chain()?;
    let closed = chain.last_of(|_, said: &BatchClosed| said.batch == batch)?;
    Ok(closed.map(|(entry, said)| Closing { n_open: said.n_open, before: Some(entry.at) }))
}

/// The upper bound of production's accuracy on its gate rows.
fn most_right(workspace: &Workspace) -> Result<Option<f64>, LabelError> {
    let registry = workspace.registry();
    let Some(production) = registry.roles()?.production else { return Ok(None) };
    let manifest = registry.manifest(production)?;
    Ok(manifest.gate["metrics"]["accuracy"]["high"].as_f64().filter(|most| (0.0..1.0).contains(most)))
}

/// The smallest and the largest target value in production's training data; `None` for classes.
fn range(workspace: &Workspace) -> Result<Option<(f64, f64)>, LabelError> {
    let registry = workspace.registry();
    let Some(production) = registry.roles()?.production else { return Ok(None) };
    let target = workspace.config()?.target.column;
    let Ok(profile) = registry.profile(production) else { return Ok(None) };
    let moments = profile.column(&target).and_then(|column| column.numbers()).map(|numbers| numbers.moments);
    Ok(moments.filter(|moments| moments.min <= moments.max).map(|moments| (moments.min, moments.max)))
}

/// A returned file with its valid answers.
struct Back {
    file: String,
    /// SHA-256 of its text.
    digest: String,
    checked: Checked,
    /// Whether it contains decisions of an adjudicator.
    decides: bool,
}

impl Back {
    fn read(path: &Path, known: &Known, request: &ImportRequest, decides: bool) -> Result<Self, LabelError> {
        let text = read_text(path)?;
        let file = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
        let mut checked = known.check(answers::read(&file, &text, &known.expected(&file)?)?, request, decides);
        if let Some(fault) = checked.faults.first().filter(|_| !request.skip_invalid) {
            let (mut first, more) = (fault.clone(), checked.faults.len() - 1);
            if more > 0 {
                first.what.push_str(&format!(" (and {more} more; --skip-invalid rejects such answers and lists them)"));
            }
            return Err(first.into_error(&file));
        }
        checked.counts.rejected = checked.faults.len() as u64;
        Ok(Self { file, digest: sha256(text.as_bytes()), checked, decides })
    }

    /// Remarks on the answers, whether or not they are imported.
    fn notes(&self) -> Vec<String> {
        let nameless = self.checked.labels.iter().filter(|label| label.annotator.is_empty()).count();
        let of = self.checked.labels.len();
        let note = format!("{nameless} of {of} answers have no annotator; set one with --annotator NAME");
        let zeros = self.checked.zeros.as_ref().map(|(id, known, n)| {
            format!("{n} ids lost their leading zeros in a spreadsheet, such as {id} for {known}: each matches exactly one row of the batch")
        });
        (nameless > 0).then_some(note).into_iter().chain(zeros).collect()
    }
}

/// Imports the labels, unless they are known or quarantined.
fn settle(
    taking: &Taking,
    report: &Report,
    mut labels: Labels,
    mut guards: Vec<Guard>,
    back: &Back,
    finished: Option<AnswersRead>,
) -> Result<Imported, LabelError> {
    let before = labels.clone();
    let Merged { n_added, n_unchanged, changes } = labels.merge(back.checked.labels.iter().cloned());
    let told = taking.request.annotator;
    guards.extend(
        change_guard(&changes, (&back.checked.labels, &before), report.batches, told).filter(|_| !back.decides),
    );
    let mut imported = Imported {
        answer: Taken::Imported,
        file: back.file.clone(),
        batches: report.batches.iter().map(|batch| batch.batch.clone()).collect(),
        counts: Counts { added: n_added, unchanged: n_unchanged, changed: changes.len() as u64, ..back.checked.counts },
        changes,
        guards,
        findings: Findings::default(),
        notes: back.notes(),
    };
    if imported.counts.added == 0 && imported.counts.changed == 0 {
        report.write_rejected()?;
        taking.list_conflicts(&labels, report.policy)?;
        imported.answer = if finished.is_some() { Taken::Imported } else { Taken::Nothing };
        imported.findings = report.findings(&labels)?;
        match finished {
            Some(said) => imported.notes.push(told_finished(&said)),
            None if imported.counts.unchanged > 0 => {
                imported.notes.push(format!("already imported as {}", imported.batches.join(", ")));
            }
            None => {}
        }
    } else if imported.guards.iter().any(|guard| guard.fired) && !taking.request.accept_batch {
        taking.quarantine(&imported)?;
        imported.answer = Taken::Quarantined;
        imported.findings = report.findings(&before)?;
    } else {
        imported.findings = report.findings(&labels)?;
        report.write()?;
        taking.take(&labels, &back.checked.labels, &imported)?;
        // Last: the imported file may be this list itself, and is archived unchanged.
        taking.list_conflicts(&labels, report.policy)?;
    }
    Ok(imported)
}

fn nothing(path: &Path, finished: Option<AnswersRead>, home: Option<String>) -> Imported {
    let done = finished.as_ref();
    let (added, unchanged) = (done.and_then(|said| said.n_added), done.and_then(|said| said.n_unchanged));
    Imported {
        answer: if finished.is_some() { Taken::Imported } else { Taken::Nothing },
        file: path.display().to_string(),
        batches: Vec::new(),
        counts: Counts { added: added.unwrap_or(0), unchanged: unchanged.unwrap_or(0), ..Counts::default() },
        changes: Vec::new(),
        guards: Vec::new(),
        findings: Findings::default(),
        notes: vec![match (finished, home) {
            (Some(said), _) => told_finished(&said),
            (None, Some(batch)) => format!("{} does not exist: it is already imported as {batch}", path.display()),
            (None, None) => format!("{} does not exist: no answers to import", path.display()),
        }],
    }
}

fn told_finished(said: &AnswersRead) -> String {
    let n = said.n_added.unwrap_or(0);
    format!("an interrupted run was completed: {n} labels of {:?}", said.file)
}
