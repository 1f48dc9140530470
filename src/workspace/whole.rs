//! Files required by the audit chain: the roles, the versions, the batches and the inputs of decisions.
//!
//! | file | exists from | until |
//! |---|---|---|
//! | `models/roles.json` | the first line | – ; any command but `doctor` and `audit` restores it from the chain |
//! | a version's directory | the line that made it | the line `pruned` that names it |
//! | `batch.json` of a batch | its line `labels-exported`, which has its SHA-256 | – |
//! | `runs/kept/SHA-256.zst` | the line that names the digest | the version that was the oldest then is pruned |

use super::audit::{Chain, Entry};
use super::event::{AnswersRead, ExperimentChanged, GateVerdict, LabelsExported, Pruned};
use super::{Workspace, WorkspaceError};
use crate::atomic::{self, At};
use crate::digest;
use crate::registry::{Difference, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// The file of the roles.
pub const ROLES_FILE: &str = "models/roles.json";

impl Workspace {
    /// Whether `models/roles.json` is missing although `chain` has lines.
    ///
    /// # Errors
    /// If that cannot be determined.
    pub fn roles_gone(&self, chain: &Chain) -> Result<Option<Difference>, WorkspaceError> {
        let path = self.path(ROLES_FILE);
        let there = path.try_exists().at(&path)?;
        let what = "is missing: the next command restores it from audit.jsonl";
        Ok((!there && !chain.entries.is_empty())
            .then(|| Difference { file: ROLES_FILE.to_owned(), what: what.to_owned() }))
    }

    /// Restores `models/roles.json` if it is missing although the chain has lines; returns whether it did. Any command
    /// may call it at its start: without roles nothing is in production.
    ///
    /// # Errors
    /// As [`Workspace::lock`].
    pub fn restore_roles(&self) -> Result<bool, WorkspaceError> {
        let path = self.path(ROLES_FILE);
        if path.exists() || self.last_entry()?.is_none() {
            return Ok(false);
        }
        drop(self.lock()?);
        Ok(path.exists())
    }

    /// Versions that `chain` created and did not prune, whose directories are missing.
    ///
    /// # Errors
    /// An invalid line, and any I/O error.
    pub fn versions_gone(&self, chain: &Chain) -> Result<Vec<Difference>, WorkspaceError> {
        let mut made: BTreeMap<Version, &Entry> = BTreeMap::new();
        for entry in &chain.entries {
            if let Some(version) = entry.made()? {
                made.insert(version, entry);
            }
            let pruned = entry.of::<Pruned>()?.into_iter().flat_map(|said| said.versions);
            pruned.for_each(|version| _ = made.remove(&version));
        }
        for version in self.registry().versions()? {
            made.remove(&version);
        }
        let gone = |(version, entry): (Version, &Entry)| {
            let what = format!(
                "is missing; line {} ({}) recorded it: restore it from a backup, or create a new version with `mlloop train`",
                entry.seq, entry.event
            );
            Difference { file: format!("models/{version}"), what }
        };
        Ok(made.into_iter().map(gone).collect())
    }

    /// Records of batches that are missing, or differ from the exported ones.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn batches_differ(&self, chain: &Chain) -> Result<Vec<Difference>, WorkspaceError> {
        let mut found = Vec::new();
        for line in chain.all_of::<LabelsExported>() {
            let (entry, LabelsExported { batch, record, .. }) = line?;
            // Older lines do not record the digest.
            let Some(record) = record else { continue };
            let places = ["batches", "imported"].map(|folder| format!("label_inbox/{folder}/{batch}/batch.json"));
            let mut digests = Vec::new();
            for file in &places {
                digests.extend(self.digest_of(Path::new(file))?.map(|now| (file.clone(), now)));
            }
            let line = format!("line {} ({})", entry.seq, entry.event);
            match digests.first() {
                None => found.push(Difference {
                    file: places[1].clone(),
                    what: format!("is missing; {line} recorded it: restore it from a backup"),
                }),
                Some((file, now)) if *now != record => found.push(Difference {
                    file: file.clone(),
                    what: format!("was changed after {line}: restore it from a backup"),
                }),
                Some(_) => {}
            }
        }
        Ok(found)
    }

    /// Files of `runs/kept/` that are missing although a line names them, and those that do not match their digest.
    /// `mlloop audit replay` cannot replay decisions that need them.
    ///
    /// # Errors
    /// If the directory cannot be read, or a line is invalid.
    pub fn kept_differ(&self, chain: &Chain) -> Result<Vec<Difference>, WorkspaceError> {
        let mut wanted: BTreeMap<String, &Entry> = BTreeMap::new();
        for entry in self.since_the_oldest_version(chain)? {
            for sha256 in named(entry)? {
                wanted.entry(sha256).or_insert(entry);
            }
        }
        let mut found = Vec::new();
        let mut there: BTreeSet<String> = BTreeSet::new();
        for sha256 in self.names_kept()? {
            if !matches!(self.kept_is_whole(&sha256), Ok(true)) {
                let what = "does not match its SHA-256, so decisions made from it cannot be replayed: restore it from a \
                            backup";
                found.push(Difference { file: kept_file(&sha256), what: what.to_owned() });
            }
            there.insert(sha256);
        }
        for (sha256, entry) in wanted.into_iter().filter(|(sha256, _)| !there.contains(sha256)) {
            let what = format!(
                "is missing; line {} ({}) needs it for a replay: restore it from a backup",
                entry.seq, entry.event
            );
            found.push(Difference { file: kept_file(&sha256), what });
        }
        Ok(found)
    }

    /// The lines since the oldest existing version was created: files named by earlier lines may be removed.
    fn since_the_oldest_version<'a>(&self, chain: &'a Chain) -> Result<&'a [Entry], WorkspaceError> {
        let oldest = self.registry().versions()?.first().copied();
        let made = oldest.map(|version| chain.maker_of(version)).transpose()?.flatten();
        let first = made.map_or(0, |entry| usize::try_from(entry.seq).unwrap_or(usize::MAX).saturating_sub(1));
        Ok(chain.entries.get(first..).unwrap_or_default())
    }

    /// Whether a stored file matches its digest; `false` also if it cannot be decompressed.
    fn kept_is_whole(&self, sha256: &str) -> io::Result<bool> {
        let packed = atomic::open(self.path(kept_file(sha256)))?;
        let (_, now) = digest::of(zstd::Decoder::new(packed)?)?;
        Ok(now == sha256)
    }
}

fn kept_file(sha256: &str) -> String {
    format!("{}/{sha256}{}", super::kept::DIR, super::kept::ENDING)
}

/// The digests of the files stored for a line.
fn named(entry: &Entry) -> Result<Vec<String>, WorkspaceError> {
    let mut kept = vec![entry.config.clone()];
    kept.extend(entry.of::<GateVerdict>()?.and_then(|said| said.labels));
    kept.extend(entry.of::<ExperimentChanged>()?.and_then(|said| said.labels));
    if let Some(said) = entry.of::<AnswersRead>()? {
        kept.extend([said.labels_before.flatten(), said.kept]);
    }
    Ok(kept.into_iter().flatten().collect())
}

#[cfg(test)]
#[path = "whole_tests.rs"]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests;
