//! Labels are replaced, recorded and archived, in this order; the next command finishes an interrupted import.

use super::answers::read_text;
use super::batch::Inbox;
use super::fill::waits_for;
use super::request::{ImportRequest, Imported};
use super::shared::Shared;
use super::store::{Label, Labels};
use super::{LabelError, conflicts};
use crate::atomic::{self, At, Lock};
use crate::digest::sha256;
use crate::workspace::audit::{Entry, Event};
use crate::workspace::event::{AnswersRead, Details};
use crate::workspace::{EventKind, LABELS_FILE, LabelPolicy, Workspace};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

const PENDING: &str = "importing.json";

/// The input of an import.
pub(super) struct Taking<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) lock: &'a Lock,
    pub(super) inbox: &'a Inbox<'a>,
    pub(super) request: &'a ImportRequest<'a>,
    pub(super) path: &'a Path,
    pub(super) digest: &'a str,
}

/// `importing.json`: what is about to be recorded.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Pending {
    format: u32,
    at: jiff::Timestamp,
    by: Option<String>,
    details: AnswersRead,
    /// (id, annotator, label) of a label that is in `labels.csv` once they are added.
    witness: (String, String, String),
}

impl Taking<'_> {
    fn details(&self, imported: &Imported) -> AnswersRead {
        let Imported { batches, counts, changes, guards, .. } = imported;
        let file = self.path.file_name().map_or_else(|| "-".into(), |name| name.to_string_lossy());
        AnswersRead {
            batch: batches.clone(),
            file: file.into_owned(),
            path: imported.file.clone(),
            sha256: self.digest.to_owned(),
            n_added: Some(counts.added),
            n_unchanged: Some(counts.unchanged),
            n_unanswered: Some(counts.unanswered),
            n_rejected: Some(counts.rejected),
            changes: json!(changes),
            guards: json!(guards),
            accepted: self.request.accept_batch,
            annotator: self.request.annotator.map(str::to_owned),
            policy: self.request.policy,
            skip_invalid: self.request.skip_invalid,
            labels_before: None,
            kept: None,
            stays_out: Vec::new(),
            labels_sha256: None,
        }
    }

    /// Records that a batch is quarantined, once for each content of the file.
    pub(super) fn quarantine(&self, imported: &Imported) -> Result<(), LabelError> {
        let chain = self.workspace.audit_chain()?;
        let same = |entry: &Entry, said: &AnswersRead| {
            entry.event == EventKind::LabelsQuarantined && said.sha256 == self.digest
        };
        if chain.last_of(same)?.is_some() {
            return Ok(());
        }
        let (at, by) = (self.request.now, self.request.by.clone());
        let event =
            Event { at, event: EventKind::LabelsQuarantined, by, roles: None, details: self.details(imported).value() };
        self.workspace.record(self.lock, event)?;
        Ok(())
    }

    /// Batches of the import that stay open, because more answers are expected.
    fn staying(&self, labels: &Labels, imported: &Imported) -> Result<Vec<String>, LabelError> {
        let mut stay = Vec::new();
        for batch in
            self.inbox.open()?.iter().filter(|batch| self.request.partial && imported.batches.contains(&batch.batch))
        {
            if waits_for(self.workspace, batch, labels, self.path)? > 0 {
                stay.push(batch.batch.clone());
            }
        }
        Ok(stay)
    }

    /// Replaces the labels, records this, and archives the batches.
    pub(super) fn take(&self, labels: &Labels, incoming: &[Label], imported: &Imported) -> Result<(), LabelError> {
        let before = Labels::open(self.workspace)?;
        let is_new =
            |label: &&Label| before.get(&label.id, &label.annotator).is_none_or(|old| old.label != label.label);
        // A new label; if only the source is new, any label.
        let Some(witness) = incoming.iter().find(is_new).or(incoming.first()) else { return Ok(()) };
        let stay = self.staying(labels, imported)?;
        imported.batches.iter().filter(|batch| !stay.contains(batch)).try_for_each(|it| self.inbox.may_put_away(it))?;
        let mut details = self.details(imported);
        details.labels_before = Some(self.workspace.keep(self.lock, Path::new("data/labels.csv"))?);
        if self.path.is_file() {
            // The path is relative to the directory of the call.
            let path = self.path.canonicalize().at(self.path)?;
            details.kept = self.workspace.keep(self.lock, &path)?;
        }
        details.stays_out = stay;
        let pending = Pending {
            format: 1,
            at: self.request.now,
            by: self.request.by.clone(),
            details,
            witness: (witness.id.clone(), witness.annotator.clone(), witness.label.clone()),
        };
        let path = self.inbox.path(PENDING);
        let written = serde_json::to_vec(&pending).map_err(io::Error::from);
        let write = |bytes: Vec<u8>| atomic::replace(&path, |out| out.write_all(&bytes));
        written.and_then(write).at(&path)?;
        self.send(&before, incoming, &path)?;
        labels.save(self.workspace, self.lock)?;
        record(self.workspace, self.lock, &pending)?;
        put_away(self.inbox, &pending.details, Some(self.path))?;
        Ok(atomic::remove_file(&path).at(&path)?)
    }
}

impl Taking<'_> {
    /// Updates the list of conflicts.
    pub(super) fn list_conflicts(&self, labels: &Labels, policy: LabelPolicy) -> Result<(), LabelError> {
        conflicts::list(self.inbox, labels, policy, &self.workspace.config()?.target.column).map(drop)
    }

    /// Commits the labels to the store, if there is one. If they were certainly not stored, nothing stays pending.
    fn send(&self, before: &Labels, incoming: &[Label], pending: &Path) -> Result<(), LabelError> {
        let Some(store) = Shared::of(self.workspace)? else { return Ok(()) };
        let sent = self.workspace.replaceable(LABELS_FILE).map_err(LabelError::from);
        let sent = sent.and_then(|()| store.send_news(before, incoming));
        if sent.as_ref().is_err_and(|err| !matches!(err, LabelError::Store { may_be_there: true, .. })) {
            atomic::remove_file(pending).at(pending)?;
        }
        sent
    }
}

fn record(workspace: &Workspace, lock: &Lock, pending: &Pending) -> Result<(), LabelError> {
    let mut details = pending.details.clone();
    details.labels_sha256 = workspace.labels_digest()?;
    let (at, by, details) = (pending.at, pending.by.clone(), details.value());
    workspace.record(lock, Event { at, event: EventKind::LabelsImported, by, roles: None, details })?;
    Ok(())
}

/// Moves the imported batches, unless they stay open, and the imported file if it is in the inbox.
fn put_away(inbox: &Inbox, details: &AnswersRead, file: Option<&Path>) -> Result<(), LabelError> {
    let mut file = file;
    for batch in &details.batch {
        match details.stays_out.contains(batch) {
            true => inbox.put_beside(batch, file.take())?,
            false => inbox.put_away(batch, file.take())?,
        }
    }
    // An adjudicator's decisions on rows that no batch covers; the text is stored by its digest.
    match file.filter(|file| inbox.decides(file)) {
        Some(file) => Ok(atomic::remove_file(file).at(file)?),
        None => Ok(()),
    }
}

/// Finishes an interrupted import: if its labels were added, it is recorded and its batches are archived.
pub(super) fn complete_import(workspace: &Workspace, lock: &Lock) -> Result<Option<AnswersRead>, LabelError> {
    let inbox = Inbox::of(workspace);
    let path = inbox.path(PENDING);
    let Some(bytes) = atomic::read(&path).if_there().at(&path)? else { return Ok(None) };
    let pending: Pending = serde_json::from_slice(&bytes)
        .map_err(|err| LabelError::file(&path, format!("is not an import record: {err}")))?;
    let (id, annotator, label) = &pending.witness;
    let chain = workspace.audit_chain()?;
    let AnswersRead { batch, path: given, file, sha256: digest, .. } = &pending.details;
    let is_same = |entry: &Entry, said: &AnswersRead| {
        entry.event == EventKind::LabelsImported && entry.at == pending.at && said.sha256 == *digest
    };
    let is_recorded = chain.last_of(is_same)?.is_some();
    let found = Labels::open(workspace)?;
    let is_in = found.get(id, annotator).is_some_and(|found| found.label == *label && batch.contains(&found.batch));
    let finished = (is_in || is_recorded).then(|| pending.details.clone());
    if is_in && !is_recorded {
        record(workspace, lock, &pending)?;
    }
    if finished.is_some() {
        // The file is moved only if it is unchanged since the import.
        let is_it = |path: &&PathBuf| read_text(path).is_ok_and(|text| sha256(text.as_bytes()) == *digest);
        let file = [PathBuf::from(given), inbox.path(file)].into_iter().find(|path| path.is_file() && is_it(&path));
        put_away(&inbox, &pending.details, file.as_deref())?;
        let config = workspace.config()?;
        conflicts::list(&inbox, &found, pending.details.policy.unwrap_or(config.labels.policy), &config.target.column)?;
    }
    atomic::remove_file(&path).at(&path)?;
    Ok(finished)
}
