//! Whether the files of a loop match its audit chain: the logic of `audit verify --deep`.
//!
//! | file | compared with |
//! |---|---|
//! | every file of a version | `files` in the line that made the version |
//! | `data/labels.csv` | `labels_sha256` in the last line that changed it |
//! | `data/feedback.csv` | `feedback` in the last line that added to it |
//! | `ab.json` | `experiment` in the last line that has one |
//! | roles, versions, batches, `runs/kept/` | see `whole.rs` |
//! | the reference | the last line that names its SHA-256: `trained` (what was read), `reference-updated` or `accepted` |

use super::audit::{Chain, EXPERIMENT_FILE, Entry};
use super::away::Away;
use super::event::{Accepted, ReferenceUpdated, Trained};
use super::{EventKind, Workspace, WorkspaceError};
use crate::atomic::{self, At};
use crate::digest;
use crate::registry::{Difference, Version};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deep {
    /// Versions whose files were checked.
    pub versions: Vec<Version>,
    /// Versions stored before digests were recorded; their files are not checked.
    pub unsealed: Vec<Version>,
    /// Files that differ from the chain.
    pub different: Vec<Difference>,
    /// Files recorded in the chain that `pull` did not fetch.
    pub not_here: Vec<String>,
}

impl Workspace {
    /// Verifies the files of versions, the labels, the feedback and the reference by the digests in `chain`.
    ///
    /// # Errors
    /// If a file is unreadable.
    pub fn verify_files(&self, chain: &Chain) -> Result<Deep, WorkspaceError> {
        let registry = self.registry();
        let mut found = Deep { different: self.versions_gone(chain)?, ..Deep::default() };
        found.different.extend(self.roles_gone(chain)?);
        for version in registry.versions()? {
            match registry.differences(version)? {
                None => found.unsealed.push(version),
                Some(different) => {
                    found.versions.push(version);
                    found.different.extend(different);
                }
            }
        }
        found.different.extend(self.labels_differ(chain)?);
        found.different.extend(self.feedback_differs(chain)?);
        found.different.extend(self.reference_differs(chain)?);
        found.different.extend(self.experiment_differs(chain)?);
        found.different.extend(self.batches_differ(chain)?);
        found.different.extend(self.kept_differ(chain)?);
        let away = Away::of(self)?.map(|away| away.not_here).unwrap_or_default();
        let is_elsewhere = |file: &str| away.contains(file) && !self.path(file).exists();
        let (absent, different) = found.different.into_iter().partition(|found| is_elsewhere(&found.file));
        found.different = different;
        found.not_here = absent.into_iter().map(|absent: Difference| absent.file).collect();
        Ok(found)
    }

    /// Whether the reference differs from the table in `chain`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn reference_differs(&self, chain: &Chain) -> Result<Option<Difference>, WorkspaceError> {
        if self.adoption_is_unfinished()? {
            return Ok(None);
        }
        let reference = self.config()?.data.reference.display().to_string();
        let Some((entry, sha256)) = chain.last_with(|entry| reference_of(entry, &reference))? else { return Ok(None) };
        Ok(became(&reference, entry, Some(&sha256), self.digest_of(Path::new(&reference))?.as_ref()))
    }

    /// Whether `ab.json` differs from the experiment in the last line that has one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn experiment_differs(&self, chain: &Chain) -> Result<Option<Difference>, WorkspaceError> {
        let Some((entry, recorded)) = chain.last_with(|entry| Ok(entry.experiment()))? else { return Ok(None) };
        if self.registry().roles_as_written()?.audit != chain.entries.last().map(Entry::head) {
            // A process that died after the line and before the file is no tampering: the next command that changes the
            // loop completes it.
            return Ok(None);
        }
        let path = self.path(EXPERIMENT_FILE);
        let bytes = atomic::read(&path).if_there().at(path)?;
        let now = bytes.map(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        Ok(became(EXPERIMENT_FILE, entry, Some(&Some(recorded.clone())), now.as_ref()))
    }

    /// Whether the rows of the version in production are still to be added to the reference: the next command that
    /// changes the loop completes that.
    fn adoption_is_unfinished(&self) -> Result<bool, WorkspaceError> {
        let Some(version) = self.registry().roles_as_written()?.production else { return Ok(false) };
        // A missing version is reported separately.
        if !self.registry().path(version).is_ok_and(|dir| dir.join(ADDED).exists()) {
            return Ok(false);
        }
        let marker = atomic::read_at_most(&self.path(ADOPTED), MAX_MARKER).ok();
        let marker: Value = marker.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let is_done = marker["adopted"].as_array().is_some_and(|all| all.contains(&serde_json::json!(version)));
        Ok(!is_done)
    }

    /// SHA-256 of `data/labels.csv`, for the line that records a change of it; `None` without the file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn labels_digest(&self) -> Result<Option<String>, WorkspaceError> {
        self.digest_of(Path::new(LABELS_FILE))
    }

    pub(super) fn digest_of(&self, file: &Path) -> Result<Option<String>, WorkspaceError> {
        let path = self.path(file);
        Ok(atomic::open(&path).and_then(digest::of).if_there().at(&path)?.map(|(_, sha256)| sha256))
    }
}

/// The training rows of a version besides the reference, in its directory.
pub const ADDED: &str = "added.csv";
/// The versions whose rows are in the reference.
pub(crate) const ADOPTED: &str = "data/reference.json";
/// Maximum size of that file.
const MAX_MARKER: u64 = 1 << 20;
/// The labels of a loop.
pub const LABELS_FILE: &str = "data/labels.csv";
/// The change of a file since the line that recorded it; `None` means a missing file.
pub(super) fn became<T: PartialEq>(
    file: &str,
    entry: &Entry,
    recorded: Option<&T>,
    now: Option<&T>,
) -> Option<Difference> {
    let line = format!("line {} ({})", entry.seq, entry.event);
    let what = match (recorded, now) {
        (recorded, now) if recorded == now => return None,
        (Some(_), Some(_)) => format!("was changed after {line}"),
        (Some(_), None) => format!("is missing; {line} recorded it"),
        (None, _) => format!("was added after {line}, which recorded that there is no such file"),
    };
    Some(Difference { file: file.to_owned(), what })
}

/// The digest of the reference in a line that has one.
///
/// # Errors
/// An invalid line.
pub(crate) fn reference_of(entry: &Entry, reference: &str) -> Result<Option<String>, WorkspaceError> {
    Ok(match entry.event {
        EventKind::Accepted => {
            let of_reference = |said: &Accepted| said.path.to_str() == Some(reference);
            entry.of::<Accepted>()?.filter(of_reference).and_then(|said| said.sha256.flatten())
        }
        EventKind::ReferenceUpdated => entry.of::<ReferenceUpdated>()?.map(|said| said.sha256),
        EventKind::Trained => {
            let read = entry.of::<Trained>()?.map(|said| said.data).unwrap_or_default();
            read.into_iter().find(|file| file.path == reference).map(|file| file.sha256)
        }
        _ => None,
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;
    use crate::workspace::audit::Event;
    use serde_json::json;

    #[test]
    fn a_version_from_before_the_digests_is_read_and_said_to_be_unchecked() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(dir.path());
        let lock = workspace.lock().unwrap();
        std::fs::write(
            dir.path().join("mlloop.toml"),
            "[data]\nreference = 'r.csv'\n[target]\ncolumn = 'y'\n[columns]\ny = 'number'\n",
        )
        .unwrap();
        for (n, sealed) in [(1, false), (2, true)] {
            let registry = workspace.registry();
            let version = registry.store(|_, dir| std::fs::write(dir.join("scores.json"), "{}")).unwrap();
            let files = sealed.then(|| registry.digests(version).unwrap());
            let details = json!({ "version": version, "files": files });
            let event =
                Event { at: jiff::Timestamp::UNIX_EPOCH, event: EventKind::Trained, by: None, roles: None, details };
            workspace.record(&lock, event).unwrap();
            assert_eq!(version.0, n);
        }
        for (n, is_read) in [(1, true), (2, false)] {
            std::fs::write(dir.path().join(format!("models/v000{n}/scores.json")), "{1}").unwrap();
            let read = workspace.registry().read(Version(n), "scores.json", 100);
            assert_eq!(read.is_ok(), is_read, "{read:?}");
        }
        let deep = workspace.verify_files(&workspace.audit_chain().unwrap()).unwrap();
        assert_eq!((deep.unsealed, deep.versions), (vec![Version(1)], vec![Version(2)]));
        assert_eq!(deep.different[0].file, "models/v0002/scores.json");
    }
}
