//! The record of a batch, and its state.
//!
//! ```text
//! label_inbox/batches/ID/    batch.json, and the exported files until they are moved into place
//!     │  audit: labels-exported (the commit) ─▶ label_inbox/to_label.csv
//!     │  audit: labels-imported
//!     ▼
//! label_inbox/imported/ID/   batch.json, the exported files, the returned files
//! ```

use super::LabelError;
use super::form::Form;
use crate::atomic::{self, At, Lock};
use crate::digest::sha256;
use crate::features::{Target, Task};
use crate::registry::{Learned, Version};
use crate::table::NumberFormat;
use crate::wording::{known_format, person_key};
use crate::workspace::Workspace;
use crate::workspace::audit::{Chain, Entry};
use crate::workspace::event::LabelsExported;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// Prefix of files with decisions made on the page.
pub(super) const SETTLED: &str = "page-settled-";

/// Why a row was selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Stratum {
    /// Drawn at random, with equal probability for every candidate.
    Control,
    /// The model is uncertain about it.
    Uncertain,
    /// Rows like it are more frequent now than in training.
    Drifted,
    /// It represents other, similar rows.
    Diverse,
}

impl fmt::Display for Stratum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Control => "control",
            Self::Uncertain => "uncertain",
            Self::Drifted => "drifted",
            Self::Diverse => "diverse",
        })
    }
}

/// The table from which batches were exported, if there was one and it still exists.
///
/// # Errors
/// An unreadable `batch.json`.
pub fn exported_from(workspace: &Workspace, batches: &BTreeSet<String>) -> Result<Option<String>, LabelError> {
    if batches.is_empty() {
        return Ok(None);
    }
    let inbox = Inbox::of(workspace);
    let all = [inbox.open()?, inbox.closed()?].concat();
    let sources: BTreeSet<String> =
        all.into_iter().filter(|batch| batches.contains(&batch.batch)).map(|batch| batch.source).collect();
    let mut sources = sources.into_iter();
    Ok(sources.next().filter(|source| sources.next().is_none() && Path::new(source).is_file()))
}

/// `batch.json`: the question, the annotators, and how the rows were selected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Version of this file's format: 1.
    pub format: u32,
    /// Its name.
    pub batch: String,
    /// When it was drawn.
    pub at: jiff::Timestamp,
    /// Seed of the draw.
    pub seed: u64,
    /// The strategy's name.
    pub strategy: String,
    /// The version in production.
    pub version: Version,
    /// The source of the candidates.
    pub source: String,
    /// How many candidates there were.
    pub n_candidates: u64,
    /// The question: the target's name, task and classes.
    pub target: Target,
    /// The header of the exported table; empty for Label Studio.
    pub columns: Vec<String>,
    /// The exported files, with the SHA-256 of each.
    pub files: Vec<(String, String)>,
    /// The rows.
    pub rows: Vec<Asked>,
}

/// A row of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The row.
    pub id: String,
    /// Why it was selected.
    pub stratum: Stratum,
    /// The probability of selection, in (0, 1].
    pub select_prob: f64,
    /// The assigned annotators, if any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotators: Vec<String>,
    /// Production's prediction: a class or a number.
    pub prediction: String,
    /// Production's scores, as the pipeline gives them.
    pub scores: Vec<f64>,
}

impl Asked {
    /// The assigned annotator that `name` refers to. Label Studio names people by e-mail address.
    pub(super) fn asked_of(&self, name: &str) -> Option<&str> {
        let (whole, before_at) = (person_key(name), name.split_once('@').map(|(person, _)| person_key(person)));
        let is_it = |dealt: &&String| {
            let dealt = person_key(dealt);
            dealt == whole || before_at.as_ref() == Some(&dealt)
        };
        self.annotators.iter().find(is_it).map(String::as_str)
    }

    /// The probability of each class; empty for a number.
    pub(super) fn class_scores(&self, target: &Target) -> Vec<f64> {
        match (target.task, self.scores.as_slice()) {
            (Task::Binary, [score]) => vec![1.0 - score, *score],
            (Task::Multiclass, scores) => scores.to_vec(),
            _ => Vec::new(),
        }
    }
}

/// Where a workspace's batches are.
#[derive(Debug, Clone)]
pub(super) struct Inbox<'a> {
    workspace: &'a Workspace,
}

impl<'a> Inbox<'a> {
    pub(super) fn of(workspace: &'a Workspace) -> Self {
        Self { workspace }
    }

    /// How its tables are written.
    pub(super) fn form(&self) -> Result<Form, LabelError> {
        Form::of(self.workspace)
    }

    /// The notation of numbers beside those of the workspace's table.
    pub(super) fn notation(&self) -> Result<NumberFormat, LabelError> {
        Ok(self.workspace.config()?.schema().notation())
    }

    /// The training labels of a version, if known.
    pub(super) fn learned(&self, version: Version) -> Result<Option<Learned>, LabelError> {
        Ok(self.workspace.registry().learned(version)?)
    }

    /// A file of the inbox.
    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.workspace.path("label_inbox").join(name)
    }

    /// The directory of an open batch.
    pub(super) fn out(&self, batch: &str) -> PathBuf {
        self.path("batches").join(batch)
    }

    /// The directory of an imported batch.
    pub(super) fn imported(&self, batch: &str) -> PathBuf {
        self.path("imported").join(batch)
    }

    /// All open batches, oldest first.
    pub(super) fn open(&self) -> Result<Vec<Batch>, LabelError> {
        self.all("batches")
    }

    /// All imported batches, oldest first.
    pub(super) fn closed(&self) -> Result<Vec<Batch>, LabelError> {
        self.all("imported")
    }

    fn all(&self, folder: &str) -> Result<Vec<Batch>, LabelError> {
        let mut batches = Vec::new();
        for name in self.names(folder)? {
            batches.push(read(&self.path(folder).join(name))?);
        }
        batches.sort_by(|a: &Batch, b| a.at.cmp(&b.at).then_with(|| a.batch.cmp(&b.batch)));
        Ok(batches)
    }

    pub(super) fn names(&self, folder: &str) -> Result<Vec<String>, LabelError> {
        let dir = self.path(folder);
        let Some(entries) = std::fs::read_dir(&dir).if_there().at(&dir)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry.at(&dir)?.file_name().into_string().ok().filter(|name| !name.starts_with('.')));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// A name that no batch has: `b20261120-101500`.
    pub(super) fn new_name(&self, now: jiff::Timestamp) -> Result<String, LabelError> {
        let stem = jiff::tz::Offset::UTC.to_datetime(now).strftime("b%Y%m%d-%H%M%S").to_string();
        let taken = [self.names("batches")?, self.names("imported")?].concat();
        let names = std::iter::once(stem.clone()).chain((2..).map(|n| format!("{stem}-{n}")));
        Ok(names.into_iter().find(|name| !taken.contains(name)).unwrap_or(stem))
    }

    /// Stores a batch with its files; they are not visible until [`Inbox::put_out`].
    pub(super) fn store(&self, _lock: &Lock, batch: &Batch, files: &[(&str, Vec<u8>)]) -> Result<String, LabelError> {
        let path = self.out(&batch.batch);
        let record = serde_json::to_vec_pretty(batch).at(&path)?;
        let make = || {
            atomic::make_dirs(self.path("batches"))?;
            atomic::remove_leftovers(&self.path("batches"))?;
            atomic::new_dir(&path, |dir| {
                for (name, bytes) in files {
                    atomic::replace(&dir.join(name), |out| out.write_all(bytes))?;
                }
                atomic::replace(&dir.join("batch.json"), |out| out.write_all(&record))
            })
        };
        make().at(&path)?;
        Ok(sha256(&record))
    }

    /// Checks that [`put_out`](Self::put_out) can succeed, before the batch is recorded.
    pub(super) fn may_put_out(&self, batch: &Batch) -> Result<(), LabelError> {
        // A link is replaced, wherever it points.
        let places = batch.files.iter().map(|(name, _)| self.path(name)).filter(|path| !path.is_symlink());
        places.into_iter().try_for_each(|path| replaceable(&path))
    }

    /// Checks that [`put_away`](Self::put_away) can succeed, before the import is recorded.
    pub(super) fn may_put_away(&self, batch: &str) -> Result<(), LabelError> {
        let (out, to) = (self.out(batch), self.imported(batch));
        if out.exists() && to.exists() {
            return Err(LabelError::file(
                &to,
                "already exists, where the open batch must be stored: move it away".to_owned(),
            ));
        }
        if out.exists() { replaceable(&to) } else { Ok(()) }
    }

    /// Moves the files of a recorded batch into place.
    pub(super) fn put_out(&self, batch: &Batch) -> Result<(), LabelError> {
        for (name, _) in &batch.files {
            self.shift(&self.out(&batch.batch).join(name), &self.path(name))?;
        }
        Ok(())
    }

    /// Moves the returned file into the directory of its batch.
    pub(super) fn put_beside(&self, batch: &str, answers: Option<&Path>) -> Result<(), LabelError> {
        let out = self.out(batch);
        let home = if out.exists() { out } else { self.imported(batch) };
        let answers = answers.filter(|path| path.parent() == Some(self.path("").as_path()) || self.holds(path));
        if let Some(path) = answers.filter(|path| path.exists()) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let names = std::iter::once(name.clone()).chain((2..1000).map(|n| format!("{n}-{name}")));
            let free = names.into_iter().find(|name| !home.join(name).exists()).unwrap_or(name);
            self.shift(path, &home.join(free))?;
        }
        Ok(())
    }

    /// Moves an imported batch, with its exported and returned files, to `imported/`.
    pub(super) fn put_away(&self, batch: &str, answers: Option<&Path>) -> Result<(), LabelError> {
        self.put_beside(batch, answers)?;
        let out = self.out(batch);
        if !out.exists() {
            return Ok(());
        }
        let batch: Batch = read(&out)?;
        // The files in the inbox may belong to a later batch.
        for (name, _) in batch.files.iter().filter(|(name, _)| self.is_of(name, &batch)) {
            self.shift(&self.path(name), &out.join(name))?;
        }
        let imported = self.path("imported");
        atomic::make_dirs(&imported).at(&imported)?;
        self.shift(&out, &self.imported(&batch.batch))?;
        Ok(())
    }

    /// The last archived batch whose file in the inbox had this name.
    pub(super) fn home_of(&self, path: &Path) -> Result<Option<String>, LabelError> {
        let Some(name) = path.file_name().filter(|_| self.holds(path)) else { return Ok(None) };
        let closed = self.closed()?.into_iter().rev().map(|batch| batch.batch);
        Ok(closed.into_iter().find(|batch| self.imported(batch).join(name).exists()))
    }

    /// Whether a file contains decisions of an adjudicator: the list of conflicts, or decisions made on the page.
    pub(super) fn decides(&self, path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        (name == super::CONFLICTS || name.starts_with(SETTLED)) && self.holds(path)
    }

    /// Whether a file is in the inbox directory itself.
    fn holds(&self, path: &Path) -> bool {
        let place = |path: &Path| path.canonicalize().ok();
        path.parent().and_then(place).is_some_and(|parent| Some(parent) == place(&self.path("")))
    }

    /// Whether the file with this name in the inbox belongs to this batch: no later batch is open.
    fn is_of(&self, name: &str, batch: &Batch) -> bool {
        let later = |other: &Batch| other.at > batch.at && other.files.iter().any(|(file, _)| file == name);
        self.open().is_ok_and(|open| !open.iter().any(later))
    }

    fn shift(&self, from: &Path, to: &Path) -> Result<(), LabelError> {
        if !from.exists() {
            return Ok(());
        }
        Ok(atomic::rename(from, to).at(from)?)
    }
}

fn replaceable(path: &Path) -> Result<(), LabelError> {
    Ok(atomic::replaceable(path).at(path)?)
}

/// The record in the directory of a batch.
fn read(dir: &Path) -> Result<Batch, LabelError> {
    let path = dir.join("batch.json");
    let bytes = atomic::read(&path).at(&path)?;
    let batch: Batch = serde_json::from_slice(&bytes)
        .map_err(|err| LabelError::file(&path, format!("is not a batch record: {err}")))?;
    known_format(batch.format, 1).map_err(|what| LabelError::file(&path, what))?;
    Ok(batch)
}

/// The audit line that records the export of the batch.
pub(super) fn recorded<'a>(chain: &'a Chain, batch: &str) -> Result<Option<(&'a Entry, LabelsExported)>, LabelError> {
    Ok(chain.last_of(|_, said: &LabelsExported| said.batch == batch)?)
}
