//! Files that people and verbs extend, verified against the audit chain before training on them or overwriting them.
//!
//! ```text
//! runs/labels.json: the new labels.csv ─▶ data/labels.csv ─▶ the line of the chain that has its SHA-256
//! ```
//! A process that dies before the last step leaves a file that matches `runs/labels.json` but not the chain.

use super::audit::{Chain, Entry, Event};
use super::deep::{LABELS_FILE, became, reference_of};
use super::event::{Accepted, Details, Seal};
use super::{EventKind, Workspace, WorkspaceError};
use crate::atomic::{self, At, Lock};
use crate::digest;
use crate::registry::Difference;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Feedback on predictions.
pub const FEEDBACK_FILE: &str = "data/feedback.csv";
/// The announced digest of the labels.
const ANNOUNCED: &str = "runs/labels.json";
/// Maximum size of that file.
const LIMIT: u64 = 4096;

/// The announced state of `data/labels.csv`.
#[derive(Debug, Serialize, Deserialize)]
struct Announced {
    /// Its SHA-256 in the chain at that time.
    chain: Option<String>,
    /// The announced SHA-256.
    sha256: String,
}

impl Workspace {
    /// Announces the new content of `data/labels.csv`. The line of the chain that records it follows.
    pub(crate) fn announce_labels(&self, _lock: &Lock, bytes: &[u8]) -> Result<(), WorkspaceError> {
        let chain = recorded(&self.audit_chain()?)?.and_then(|(_, sha256)| sha256);
        let path = self.path(ANNOUNCED);
        let announced = Announced { chain, sha256: digest::sha256(bytes) };
        let write = || {
            let json = serde_json::to_vec(&announced)?;
            atomic::make_dirs(self.path("runs"))?;
            atomic::replace(&path, |out| out.write_all(&json))
        };
        Ok(write().at(&path)?)
    }

    /// Whether `data/labels.csv` differs from the file in `chain`, and from that of a process that died.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn labels_differ(&self, chain: &Chain) -> Result<Option<Difference>, WorkspaceError> {
        let Some((entry, sha256)) = recorded(chain)? else { return Ok(None) };
        let now = self.labels_digest()?;
        if now.as_ref().is_some_and(|now| self.is_announced(sha256.as_deref(), now)) {
            return Ok(None);
        }
        Ok(became(LABELS_FILE, entry, sha256.as_ref(), now.as_ref()))
    }

    /// Whether `data/labels.csv` was written by a process that died before it recorded it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn labels_unrecorded(&self) -> Result<bool, WorkspaceError> {
        let chain = self.audit_chain()?;
        let recorded = recorded(&chain)?.and_then(|(_, sha256)| sha256);
        let now = self.labels_digest()?;
        Ok(now.is_some_and(|now| recorded.as_ref() != Some(&now) && self.is_announced(recorded.as_deref(), &now)))
    }

    /// Whether labels with this digest were announced as the successor of those in the chain.
    fn is_announced(&self, chain: Option<&str>, sha256: &str) -> bool {
        let bytes = atomic::read_at_most(&self.path(ANNOUNCED), LIMIT).ok();
        let announced = bytes.and_then(|bytes| serde_json::from_slice::<Announced>(&bytes).ok());
        announced.is_some_and(|it| it.chain.as_deref() == chain && it.sha256 == sha256)
    }

    /// Whether lines of `data/feedback.csv` that are in `chain` were changed. Later lines may follow them.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn feedback_differs(&self, chain: &Chain) -> Result<Option<Difference>, WorkspaceError> {
        let Some((entry, seal)) = sealed(chain)? else { return Ok(None) };
        let now = self.seal_feedback(seal.as_ref().map(|seal| seal.bytes))?;
        Ok(became(FEEDBACK_FILE, entry, seal.as_ref(), now.as_ref()))
    }

    /// Length and SHA-256 of the first `bytes` bytes of `data/feedback.csv`, or of all; `None` without the file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn seal_feedback(&self, bytes: Option<u64>) -> Result<Option<Seal>, WorkspaceError> {
        let path = self.path(FEEDBACK_FILE);
        let read = atomic::open(&path).and_then(|file| digest::of(file.take(bytes.unwrap_or(u64::MAX))));
        Ok(read.if_there().at(path)?.map(|(bytes, sha256)| Seal { bytes, sha256 }))
    }

    /// How many corrections `data/feedback.csv` has: a record is one line. None without the file.
    fn n_feedback(&self) -> Result<usize, WorkspaceError> {
        let path = self.path(FEEDBACK_FILE);
        let bytes = atomic::read(&path).if_there().at(path)?.unwrap_or_default();
        Ok(memchr::memchr_iter(b'\n', &bytes).count().saturating_sub(1))
    }

    /// Refuses labels that differ from the recorded ones.
    ///
    /// # Errors
    /// [`WorkspaceError::Altered`] if they differ from those in the chain.
    pub fn hold_labels(&self) -> Result<(), WorkspaceError> {
        held(self.labels_differ(&self.audit_chain()?)?)
    }

    /// Refuses feedback that differs from the recorded one.
    ///
    /// # Errors
    /// [`WorkspaceError::Altered`] if its lines differ from those in the chain.
    pub fn hold_feedback(&self) -> Result<(), WorkspaceError> {
        held(self.feedback_differs(&self.audit_chain()?)?)
    }

    /// Records the current state of a file as correct; `false` if the chain already has that state. Allowed are the
    /// labels, the feedback and the reference. Labels and feedback may be missing.
    ///
    /// # Errors
    /// [`WorkspaceError::NotHeld`] for any other file, [`WorkspaceError::Needed`] for a missing reference, and if a
    /// file cannot be read.
    pub fn accept(&self, lock: &Lock, file: &Path, by: &str, at: Timestamp) -> Result<bool, WorkspaceError> {
        let chain = self.audit_chain()?;
        let reference = self.config()?.data.reference;
        let is = |own: &Path| file == own || self.path(own) == file;
        let (own, differs) = if is(Path::new(LABELS_FILE)) {
            (PathBuf::from(LABELS_FILE), self.labels_differ(&chain)?)
        } else if is(Path::new(FEEDBACK_FILE)) {
            let differs = match self.feedback_differs(&chain)? {
                None if self.seal_feedback(None)? != sealed(&chain)?.and_then(|(_, seal)| seal) => Some(Difference {
                    file: FEEDBACK_FILE.to_owned(),
                    what: "has lines that the chain did not record".to_owned(),
                }),
                differs => differs,
            };
            (PathBuf::from(FEEDBACK_FILE), differs)
        } else if is(&reference) {
            (reference, self.reference_differs(&chain)?)
        } else {
            return Err(WorkspaceError::NotHeld { file: file.to_owned(), reference });
        };
        let Some(Difference { what, .. }) = differs else { return Ok(false) };
        let mut said = Accepted { path: own, what, labels_sha256: None, feedback: None, lines: None, sha256: None };
        match said.path.to_str() {
            Some(LABELS_FILE) => said.labels_sha256 = Some(self.digest_of(&said.path)?),
            Some(FEEDBACK_FILE) => {
                said.feedback = Some(self.seal_feedback(None)?);
                said.lines = Some(self.n_feedback()?);
            }
            _ => match self.digest_of(&said.path)? {
                None => return Err(WorkspaceError::Needed { reference: said.path }),
                Some(sha256) => said.sha256 = Some(Some(sha256)),
            },
        }
        let details = said.value();
        self.record(lock, Event { at, event: EventKind::Accepted, by: Some(by.to_owned()), roles: None, details })?;
        Ok(true)
    }
}

/// The digests of the labels and of `reference` in the chain, by name; none for missing labels.
///
/// # Errors
/// An invalid line.
pub(crate) fn recorded_data(chain: &Chain, reference: &str) -> Result<Vec<(String, String)>, WorkspaceError> {
    let labels = recorded(chain)?.and_then(|(_, sha256)| Some((LABELS_FILE.to_owned(), sha256?)));
    let table = chain.last_with(|entry| reference_of(entry, reference))?;
    Ok(labels.into_iter().chain(table.map(|(_, sha256)| (reference.to_owned(), sha256))).collect())
}

/// The label and feedback files that are missing according to the chain.
///
/// # Errors
/// An invalid line.
pub(crate) fn recorded_gone(chain: &Chain) -> Result<Vec<&'static str>, WorkspaceError> {
    let labels = recorded(chain)?.is_some_and(|(_, sha256)| sha256.is_none()).then_some(LABELS_FILE);
    let feedback = sealed(chain)?.is_some_and(|(_, seal)| seal.is_none()).then_some(FEEDBACK_FILE);
    Ok(labels.into_iter().chain(feedback).collect())
}

/// The beginning of the feedback in the chain: a number of bytes and their SHA-256.
///
/// # Errors
/// An invalid line.
pub(crate) fn feedback_seal(chain: &Chain) -> Result<Option<(u64, String)>, WorkspaceError> {
    Ok(sealed(chain)?.and_then(|(_, seal)| seal).map(|seal| (seal.bytes, seal.sha256)))
}

fn held(differs: Option<Difference>) -> Result<(), WorkspaceError> {
    match differs {
        None => Ok(()),
        Some(Difference { file, what }) => Err(WorkspaceError::Altered { file, what }),
    }
}

/// The last seal of the feedback in the chain, and its line; no seal if the file was missing.
fn sealed(chain: &Chain) -> Result<Option<(&Entry, Option<Seal>)>, WorkspaceError> {
    chain.last_with(Entry::feedback_seal)
}

/// The last digest of the labels in the chain, and its line; no digest if the file was missing.
fn recorded(chain: &Chain) -> Result<Option<(&Entry, Option<String>)>, WorkspaceError> {
    chain.last_with(Entry::labels_sha256)
}
