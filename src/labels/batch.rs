//! The record of a batch, and its state.
//!
//! ```text
//! label_inbox/batches/ID/    batch.json, and until they are put in their place the files that go out
//!     │  audit: labels-exported (the commit) ─▶ label_inbox/to_label.csv
//!     │  audit: labels-imported
//!     ▼
//! label_inbox/imported/ID/   batch.json, what went out, what came back
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
use std::fmt;
use std::path::{Path, PathBuf};

/// How files begin that hold what was settled on the page.
pub(super) const SETTLED: &str = "page-settled-";

/// Why a row is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Stratum {
    /// By chance, every candidate alike.
    Control,
    /// The model is unsure of it.
    Uncertain,
    /// It lies where there are more rows now than in training.
    Drifted,
    /// It stands for others of its kind.
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

/// `batch.json`: what was asked, of whom, and how it came to be asked.
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
    /// Where the candidates came from.
    pub source: String,
    /// How many candidates there were.
    pub n_candidates: u64,
    /// What is asked: the target's name, task and classes.
    pub target: Target,
    /// The header of what went out; empty for Label Studio.
    pub columns: Vec<String>,
    /// The files that went out, with the SHA-256 of each.
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
    /// Why it is asked.
    pub stratum: Stratum,
    /// The probability with which it came into the batch, in (0, 1].
    pub select_prob: f64,
    /// Who is asked, when that was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotators: Vec<String>,
    /// What production says: a class or a number.
    pub prediction: String,
    /// Production's scores, as the pipeline gives them.
    pub scores: Vec<f64>,
}

impl Asked {
    /// The person among those who are asked by name that `name` is. Label Studio calls people by their address.
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

/// Where a loop's batches are.
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

    /// How numbers stand beside those of the loop's table.
    pub(super) fn notation(&self) -> Result<NumberFormat, LabelError> {
        Ok(self.workspace.config()?.schema().notation())
    }

    /// What a version learned from, where that is known.
    pub(super) fn learned(&self, version: Version) -> Result<Option<Learned>, LabelError> {
        Ok(self.workspace.registry().learned(version)?)
    }

    /// A file of the inbox.
    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.workspace.path("label_inbox").join(name)
    }

    /// The directory of a batch that is out.
    pub(super) fn out(&self, batch: &str) -> PathBuf {
        self.path("batches").join(batch)
    }

    /// The directory of a batch that came back.
    pub(super) fn imported(&self, batch: &str) -> PathBuf {
        self.path("imported").join(batch)
    }

    /// Every batch that is out, oldest first.
    pub(super) fn open(&self) -> Result<Vec<Batch>, LabelError> {
        self.all("batches")
    }

    /// Every batch that came back, oldest first.
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

    /// Asks whether [`put_out`](Self::put_out) would be let, before the batch is recorded.
    pub(super) fn may_put_out(&self, batch: &Batch) -> Result<(), LabelError> {
        // A link is replaced, whatever it leads to.
        let places = batch.files.iter().map(|(name, _)| self.path(name)).filter(|path| !path.is_symlink());
        places.into_iter().try_for_each(|path| replaceable(&path))
    }

    /// Asks whether [`put_away`](Self::put_away) would be let, before it is recorded that the batch came back.
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

    /// Puts the files of a batch that is recorded in their place.
    pub(super) fn put_out(&self, batch: &Batch) -> Result<(), LabelError> {
        for (name, _) in &batch.files {
            self.shift(&self.out(&batch.batch).join(name), &self.path(name))?;
        }
        Ok(())
    }

    /// Moves the file that came back into the directory of its batch.
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

    /// Moves a batch that was taken in, with what went out and the file that came back, to `imported/`.
    pub(super) fn put_away(&self, batch: &str, answers: Option<&Path>) -> Result<(), LabelError> {
        self.put_beside(batch, answers)?;
        let out = self.out(batch);
        if !out.exists() {
            return Ok(());
        }
        let batch: Batch = read(&out)?;
        // What lies in the inbox may be a later batch's.
        for (name, _) in batch.files.iter().filter(|(name, _)| self.is_of(name, &batch)) {
            self.shift(&self.path(name), &out.join(name))?;
        }
        let imported = self.path("imported");
        atomic::make_dirs(&imported).at(&imported)?;
        self.shift(&out, &self.imported(&batch.batch))?;
        Ok(())
    }

    /// The batch with which a file of this name, in the inbox, was put away last.
    pub(super) fn home_of(&self, path: &Path) -> Result<Option<String>, LabelError> {
        let Some(name) = path.file_name().filter(|_| self.holds(path)) else { return Ok(None) };
        let closed = self.closed()?.into_iter().rev().map(|batch| batch.batch);
        Ok(closed.into_iter().find(|batch| self.imported(batch).join(name).exists()))
    }

    /// Whether a file is one in which an adjudicator decides: the list of conflicts, or what was settled on the page.
    pub(super) fn decides(&self, path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        (name == super::CONFLICTS || name.starts_with(SETTLED)) && self.holds(path)
    }

    /// Whether a file lies in the inbox itself.
    fn holds(&self, path: &Path) -> bool {
        let place = |path: &Path| path.canonicalize().ok();
        path.parent().and_then(place).is_some_and(|parent| Some(parent) == place(&self.path("")))
    }

    /// Whether the file that lies in the inbox under this name went out with this batch: no later one is out.
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

/// The audit line that says that the batch went out.
pub(super) fn recorded<'a>(chain: &'a Chain, batch: &str) -> Result<Option<(&'a Entry, LabelsExported)>, LabelError> {
    Ok(chain.last_of(|_, said: &LabelsExported| said.batch == batch)?)
}
