//! The SHA-256 of every file of a version, recorded by the audit line that created it.
//!
//! ```text
//! train ─▶ models/v0007/ ─▶ audit.jsonl: {"event": "trained", "details": {"version": "v0007", "files": {"model.bin": "9f86…"}}}
//! load  ─▶ each file that is read is verified by the digest in that line
//! ```
//! The line itself is verified by the chain. A version whose line has no digests is older than these, and is read
//! unverified.

use super::{Registry, RegistryError, Roles, Version};
use crate::atomic::{self, Stamp};
use crate::atomic::{At, AtPath};
use crate::digest;
use crate::pipeline::Pipeline;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

/// The digest of each file, by its name.
pub type Seals = BTreeMap<String, String>;

/// The text that marks a line with digests.
const MARK: &[u8] = b"\"files\":{";

/// The text that marks a line that changed the roles.
const ROLES_MARK: &[u8] = b"\"roles\":{";
/// Number of lines with roles that are kept: a process that died after writing its line leaves the previous
/// `roles.json`.
const ROLES_KEPT: usize = 4;

/// The parts of a line that are needed.
#[derive(Deserialize)]
struct Line {
    details: Details,
}

/// The roles after a line.
#[derive(Deserialize)]
struct RolesLine {
    seq: u64,
    roles: Option<Roles>,
}

#[derive(Deserialize)]
struct Details {
    version: Option<Version>,
    files: Option<Seals>,
}

/// A file of a version that differs from its record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// The file, relative to the loop.
    pub file: String,
    /// The problem, as a clause.
    pub what: String,
}

/// The digests that an audit file has.
#[derive(Debug)]
pub(super) struct Sealed {
    /// The stamp of the file when it was read.
    stamp: Stamp,
    by: HashMap<Version, Option<Arc<Seals>>>,
    /// Invalid lines, each with its error message.
    damaged: Vec<(Vec<u8>, String)>,
    /// The last lines that changed the roles, each with its number.
    roles: Vec<(u64, Roles)>,
    /// The number of the last line.
    last: u64,
}

impl Sealed {
    fn read(path: &Path, stamp: Stamp) -> io::Result<Self> {
        let bytes = atomic::read(path)?;
        let mark = memchr::memmem::Finder::new(MARK);
        // An incomplete last line of a crash is ignored.
        let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
        let (roles, last) = last_roles(&bytes[..whole]);
        let mut sealed = Self { stamp, by: HashMap::new(), damaged: Vec::new(), roles, last };
        for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| mark.find(line).is_some()) {
            match serde_json::from_slice::<Line>(line) {
                // The last line of a version counts.
                Ok(Line { details: Details { version: Some(version), files } }) => {
                    sealed.by.insert(version, files.map(Arc::new));
                }
                Ok(_) => {}
                Err(err) => sealed.damaged.push((line.to_vec(), err.to_string())),
            }
        }
        Ok(sealed)
    }

    /// The digests of `version`, or the error of a damaged line that may belong to it.
    fn of(&self, version: Version) -> Result<Option<Arc<Seals>>, String> {
        let name = format!("\"version\":\"{version}\"");
        let names = |(line, _): &&(Vec<u8>, String)| memchr::memmem::find(line, name.as_bytes()).is_some();
        let known = self.by.get(&version);
        let fault = match known {
            Some(_) => self.damaged.iter().find(names),
            None => self.damaged.first(),
        };
        match fault {
            None => Ok(known.cloned().flatten()),
            Some((_, err)) => {
                Err(format!("a line with the digests of a version is damaged: {err}; see `mlloop audit verify`"))
            }
        }
    }
}

/// The last roles among the lines of an audit file, and the number of its last line. Invalid lines are skipped: `mlloop
/// audit verify` reports them.
fn last_roles(lines: &[u8]) -> (Vec<(u64, Roles)>, u64) {
    let mark = memchr::memmem::Finder::new(ROLES_MARK);
    let parsed = |line: &[u8]| serde_json::from_slice::<RolesLine>(line).ok();
    let backwards = || lines.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let last = backwards().next().and_then(parsed).map_or(0, |line| line.seq);
    let with_roles = backwards().filter(|line| mark.find(line).is_some()).filter_map(parsed);
    (with_roles.filter_map(|line| Some((line.seq, line.roles?))).take(ROLES_KEPT).collect(), last)
}

impl Registry {
    /// Checks that `roles` are those of the audit line that they name; the error tells the difference.
    ///
    /// # Errors
    /// [`RegistryError::Damaged`], and system errors.
    pub(super) fn held(&self, roles: Roles) -> Result<Roles, RegistryError> {
        let Some(seq) = roles.audit.as_ref().map(|head| head.seq) else { return Ok(roles) };
        let wrong = self.with_sealed(|sealed| {
            let (line, recorded) = sealed.roles.iter().find(|(line, _)| *line <= seq)?;
            // While files are copied from another machine, the lines may arrive after the roles.
            (seq <= sealed.last).then(|| roles.differ(*line, recorded)).flatten()
        })?;
        match wrong.flatten() {
            Some(what) => Err(RegistryError::Damaged { path: self.roles_path(), what }),
            None => Ok(roles),
        }
    }

    /// The digests of the files in a version directory.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) fn digests(&self, version: Version) -> Result<Seals, RegistryError> {
        let dir = self.path(version)?;
        let mut found = Seals::new();
        for entry in fs::read_dir(&dir).at(&dir)? {
            let entry = entry.at(&dir)?;
            let (_, sha256) = atomic::open(entry.path()).and_then(digest::of).at(&dir)?;
            found.insert(entry.file_name().to_string_lossy().into_owned(), sha256);
        }
        Ok(found)
    }

    /// The digests in the audit line of `version`; `None` if it has none. The audit file is read again when it has
    /// changed.
    ///
    /// # Errors
    /// When the audit file cannot be read, or a line with digests is invalid.
    pub fn seals(&self, version: Version) -> Result<Option<Arc<Seals>>, RegistryError> {
        match self.with_sealed(|sealed| sealed.of(version))? {
            Some(Err(what)) => {
                let path = self.audit.clone().unwrap_or_default();
                Err(RegistryError::Damaged { path, what })
            }
            Some(Ok(seals)) => Ok(seals),
            None => Ok(None),
        }
    }

    /// The current content of the audit file; `None` if there is no file.
    fn with_sealed<T>(&self, ask: impl FnOnce(&Sealed) -> T) -> Result<Option<T>, RegistryError> {
        let Some(path) = &self.audit else { return Ok(None) };
        let Some(stamp) = Stamp::look(path).at(path)? else { return Ok(None) };
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = sealed.take().filter(|sealed| sealed.stamp == stamp);
        let now = kept.map_or_else(|| Sealed::read(path, stamp), Ok).at(path)?;
        Ok(Some(ask(sealed.insert(now))))
    }

    fn hold(&self, version: Version, name: &str, seal: &str) -> Result<(), RegistryError> {
        let path = self.path(version)?.join(name);
        match digest_of(&path)?.as_deref() == Some(seal) {
            true => Ok(()),
            false => Err(RegistryError::Altered { version, path }),
        }
    }

    /// The bytes of a file of `version`, of at most `max_bytes`, verified by its digest.
    ///
    /// # Errors
    /// [`RegistryError::Altered`], and any I/O error.
    pub(crate) fn read(&self, version: Version, name: &str, max_bytes: u64) -> Result<Vec<u8>, RegistryError> {
        let path = self.path(version)?.join(name);
        let bytes = atomic::read_at_most(&path, max_bytes).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => RegistryError::Damaged { path: path.clone(), what: source.to_string() },
            _ => AtPath::new(&path, source).into(),
        })?;
        let seals = self.seals(version)?;
        let is_sealed = seals.is_some();
        match seals.as_ref().and_then(|seals| seals.get(name)) {
            Some(seal) if *seal != digest::sha256(&bytes) => Err(RegistryError::Altered { version, path }),
            None if is_sealed => Err(RegistryError::Added { version, path }),
            _ => Ok(bytes),
        }
    }

    /// Verifies files of `version` by their digests; files that the version does not have are skipped.
    ///
    /// # Errors
    /// [`RegistryError::Altered`] with the first file that is missing or changed, [`RegistryError::Added`] with one
    /// that was never stored, and any I/O error.
    pub fn check(&self, version: Version, names: &[&str]) -> Result<(), RegistryError> {
        let Some(seals) = self.seals(version)? else { return Ok(()) };
        let named = |(name, _): &(&String, &String)| names.contains(&name.as_str());
        seals.iter().filter(named).try_for_each(|(name, seal)| self.hold(version, name, seal))?;
        let dir = self.path(version)?;
        let added = names.iter().filter(|name| !seals.contains_key(**name)).map(|name| dir.join(name));
        match added.into_iter().find(|path| path.exists()) {
            Some(path) => Err(RegistryError::Added { version, path }),
            None => Ok(()),
        }
    }

    /// The pipeline of `version`: its files are verified, and its golden rows give the stored results.
    ///
    /// # Errors
    /// [`RegistryError::Altered`], and errors of [`Pipeline::load`].
    pub fn pipeline(&self, version: Version) -> Result<Pipeline, RegistryError> {
        let dir = self.path(version)?;
        self.check(version, &Pipeline::FILES)?;
        Ok(Pipeline::load(&dir)?)
    }

    /// Every file of `version` that does not match its audit line; `None` for a version without digests.
    ///
    /// # Errors
    /// I/O errors.
    pub fn differences(&self, version: Version) -> Result<Option<Vec<Difference>>, RegistryError> {
        let Some(seals) = self.seals(version)? else { return Ok(None) };
        let now = self.digests(version)?;
        let named = |name: &str, what: &str| Difference {
            file: Path::new("models").join(version.to_string()).join(name).display().to_string(),
            what: what.to_owned(),
        };
        let mut found = Vec::new();
        for (name, seal) in seals.iter() {
            match now.get(name) {
                None => found.push(named(name, "is missing")),
                Some(other) if other != seal => found.push(named(name, "was changed")),
                Some(_) => {}
            }
        }
        found.extend(now.keys().filter(|name| !seals.contains_key(*name)).map(|name| named(name, "was added later")));
        Ok(Some(found))
    }
}

/// The digest of a file; `None` if it is missing.
fn digest_of(path: &PathBuf) -> Result<Option<String>, RegistryError> {
    Ok(atomic::open(path).and_then(digest::of).if_there().at(path)?.map(|(_, sha256)| sha256))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_version_counts_and_a_damaged_one_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let audit = dir.path().join("audit.jsonl");
        let registry = Registry::new(dir.path().join("models")).audited(&audit);
        let line = |version: u32, sha256: &str| {
            format!("{{\"details\":{{\"files\":{{\"model.bin\":\"{sha256}\"}},\"version\":\"v{version:04}\"}}}}\n")
        };
        let of =
            |version: u32| registry.seals(Version(version)).map(|seals| seals.map(|seals| seals["model.bin"].clone()));
        assert_eq!(of(1).unwrap(), None, "there is no chain yet");

        fs::write(&audit, line(1, "aa") + &line(1, "ab") + "{\"details\":{\"files\":{\"mod").unwrap();
        assert_eq!(of(1).unwrap().as_deref(), Some("ab"));
        assert_eq!(of(2).unwrap(), None, "an incomplete line is ignored");

        // The same registry reads the file again when it has changed.
        fs::write(&audit, line(1, "aa") + &line(2, "bb") + &line(3, "cc").replace("cc\"", "cc") + &line(4, "dd"))
            .unwrap();
        assert_eq!([of(1), of(2), of(4)].map(|seal| seal.unwrap().unwrap()), ["aa", "bb", "dd"]);
        let fault = of(3).unwrap_err().to_string();
        assert!(fault.contains("audit.jsonl") && fault.contains("damaged"), "{fault}");
        assert!(of(5).is_err(), "the damaged line may be that of v0005");
    }

    /// A version in the registry of `dir`, with two files whose digests are in the chain.
    fn sealed(dir: &Path) -> (Registry, Version) {
        let audit = dir.join("audit.jsonl");
        let registry = Registry::new(dir.join("models")).audited(&audit);
        let files = [("pipeline.json", "{}"), ("scores.json", "1")];
        let fill = |dir: &Path| files.iter().try_for_each(|(name, text)| fs::write(dir.join(name), text));
        let version = registry.store(|_, dir| fill(dir)).unwrap();
        let seals = registry.digests(version).unwrap();
        assert_eq!(seals.keys().collect::<Vec<_>>(), ["pipeline.json", "scores.json"]);
        assert_eq!(seals["scores.json"], digest::sha256(b"1"));
        let line = serde_json::json!({ "details": { "files": seals, "version": version } });
        fs::write(&audit, format!("{line}\n")).unwrap();
        (registry, version)
    }

    #[test]
    fn a_file_that_was_changed_removed_or_added_is_named_by_all_who_look() {
        let dir = tempfile::tempdir().unwrap();
        let (registry, version) = sealed(dir.path());
        let path = |name: &str| registry.path(version).unwrap().join(name);
        let both = ["scores.json", "labels_used.csv"];
        let what = || {
            let found = registry.differences(version).unwrap().unwrap();
            found.into_iter().map(|found| format!("{} {}", found.file, found.what)).collect::<Vec<_>>()
        };
        assert!(registry.check(version, &both).is_ok() && what().is_empty());
        assert_eq!(registry.read(version, "scores.json", 1).unwrap(), b"1");
        assert!(matches!(registry.read(version, "scores.json", 0), Err(RegistryError::Damaged { .. })));

        fs::write(path("scores.json"), "2").unwrap();
        assert!(matches!(registry.check(version, &both), Err(RegistryError::Altered { .. })));
        assert!(registry.check(version, &both[1..]).is_ok(), "files not listed are not checked");
        assert!(matches!(registry.read(version, "scores.json", 9), Err(RegistryError::Altered { .. })));
        assert_eq!(what(), ["models/v0001/scores.json was changed"]);

        fs::remove_file(path("scores.json")).unwrap();
        assert!(matches!(registry.check(version, &both), Err(RegistryError::Altered { .. })));
        assert!(matches!(registry.read(version, "scores.json", 9), Err(RegistryError::Io { .. })));
        assert_eq!(what(), ["models/v0001/scores.json is missing"]);

        fs::write(path("scores.json"), "1").unwrap();
        fs::write(path("labels_used.csv"), "id\n").unwrap();
        assert!(matches!(registry.check(version, &both), Err(RegistryError::Added { .. })));
        assert!(matches!(registry.read(version, "labels_used.csv", 9), Err(RegistryError::Added { .. })));
        assert_eq!(what(), ["models/v0001/labels_used.csv was added later"]);

        // The files of a pipeline are verified before they are parsed.
        fs::write(path("pipeline.json"), "no JSON").unwrap();
        assert!(matches!(registry.pipeline(version), Err(RegistryError::Altered { .. })));
        // A list of training rows must not be added to a version that stored none.
        fs::write(path("learned_ids.bin"), [0; 16]).unwrap();
        assert!(matches!(registry.learned(version), Err(RegistryError::Added { .. })));
    }
}
