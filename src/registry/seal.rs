//! The SHA-256 of every file of a version, as the audit line that made the version records them.
//!
//! ```text
//! train ─▶ models/v0007/ ─▶ audit.jsonl: {"event": "trained", "details": {"version": "v0007", "files": {"model.bin": "9f86…"}}}
//! load  ─▶ each file that is read is held to the digest in that line
//! ```
//! The line itself is held by the chain. A version whose line has no digests was stored before there were any, and is read
//! as it is.

use super::{Registry, RegistryError, Version};
use crate::atomic;
use crate::digest;
use crate::pipeline::Pipeline;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The digest of each file, by its name.
pub type Seals = BTreeMap<String, String>;

/// The key of the digests in the details of the line.
pub(crate) const FILES: &str = "files";
/// What a line that has digests contains.
const MARK: &[u8] = b"\"files\":{";

/// As much of a line as is needed.
#[derive(Deserialize)]
struct Line {
    details: Details,
}

#[derive(Deserialize)]
struct Details {
    version: Option<Version>,
    files: Option<Seals>,
}

/// How a file of a version differs from what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The file, relative to the loop.
    pub file: String,
    /// What is wrong with it, as a clause.
    pub what: String,
}

/// The lines of an audit file that have digests, last first; a last line that a crash cut short is none.
fn sealing_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mark = memchr::memmem::Finder::new(MARK);
    let whole = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
    bytes[..whole].rsplit(|byte| *byte == b'\n').filter(move |line| mark.find(line).is_some())
}

/// A line with digests, or what to say of one that is damaged.
fn understood(line: &[u8]) -> Result<Line, String> {
    serde_json::from_slice(line)
        .map_err(|err| format!("a line with the digests of a version is damaged: {err}; see `mlloop audit verify`"))
}

impl Registry {
    /// The digests of the files in a version directory.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn digests(&self, version: Version) -> Result<Seals, RegistryError> {
        let dir = self.path(version)?;
        let io_err = |source| RegistryError::Io { path: dir.clone(), source };
        let mut found = Seals::new();
        for entry in fs::read_dir(&dir).map_err(io_err)? {
            let entry = entry.map_err(io_err)?;
            let (_, sha256) = File::open(entry.path()).and_then(digest::of).map_err(io_err)?;
            found.insert(entry.file_name().to_string_lossy().into_owned(), sha256);
        }
        Ok(found)
    }

    /// The digests that the audit line of `version` has; `None` for one without.
    ///
    /// # Errors
    /// When the audit file cannot be read, or a line with digests not be understood.
    pub fn seals(&self, version: Version) -> Result<Option<Seals>, RegistryError> {
        let Some((path, bytes)) = self.audit_file()? else { return Ok(None) };
        let named = format!("\"version\":\"{version}\"");
        let finder = memchr::memmem::Finder::new(named.as_bytes());
        for line in sealing_lines(&bytes).filter(|line| finder.find(line).is_some()) {
            let line = understood(line).map_err(|what| RegistryError::Damaged { path: path.to_owned(), what })?;
            if line.details.version == Some(version) {
                return Ok(line.details.files);
            }
        }
        Ok(None)
    }

    /// Holds the file `name` of each of `versions` to its digest, as [`Registry::check`] does for one; the audit file is read
    /// once.
    ///
    /// # Errors
    /// As [`Registry::check`] and [`Registry::seals`].
    pub fn check_each(&self, versions: &[Version], name: &str) -> Result<(), RegistryError> {
        let Some((path, bytes)) = self.audit_file()? else { return Ok(()) };
        let mut left: BTreeSet<Version> = versions.iter().copied().collect();
        for line in sealing_lines(&bytes) {
            let line = understood(line).map_err(|what| RegistryError::Damaged { path: path.to_owned(), what })?;
            // The last line of a version counts.
            let Some(version) = line.details.version.filter(|version| left.remove(version)) else { continue };
            let Some(seal) = line.details.files.as_ref().and_then(|seals| seals.get(name)) else { continue };
            self.hold(version, name, seal)?;
        }
        Ok(())
    }

    fn audit_file(&self) -> Result<Option<(&Path, Vec<u8>)>, RegistryError> {
        let Some(path) = &self.audit else { return Ok(None) };
        match fs::read(path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RegistryError::Io { path: path.clone(), source }),
            Ok(bytes) => Ok(Some((path, bytes))),
        }
    }

    fn hold(&self, version: Version, name: &str, seal: &str) -> Result<(), RegistryError> {
        let path = self.path(version)?.join(name);
        match digest_of(&path)?.as_deref() == Some(seal) {
            true => Ok(()),
            false => Err(RegistryError::Altered { version, path }),
        }
    }

    /// The bytes of a file of `version`, of at most `max_bytes`, held to its digest.
    ///
    /// # Errors
    /// [`RegistryError::Altered`], and whatever the system says.
    pub(crate) fn read(&self, version: Version, name: &str, max_bytes: u64) -> Result<Vec<u8>, RegistryError> {
        let path = self.path(version)?.join(name);
        let bytes = atomic::read_at_most(&path, max_bytes).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => RegistryError::Damaged { path: path.clone(), what: source.to_string() },
            _ => RegistryError::Io { path: path.clone(), source },
        })?;
        match self.seals(version)?.and_then(|mut seals| seals.remove(name)) {
            Some(seal) if seal != digest::sha256(&bytes) => Err(RegistryError::Altered { version, path }),
            _ => Ok(bytes),
        }
    }

    /// Holds files of `version` to their digests; those that the version does not have are passed over.
    ///
    /// # Errors
    /// [`RegistryError::Altered`] with the first file that is gone or another one, and whatever the system says.
    pub fn check(&self, version: Version, names: &[&str]) -> Result<(), RegistryError> {
        let Some(seals) = self.seals(version)? else { return Ok(()) };
        let named = |(name, _): &(&String, &String)| names.contains(&name.as_str());
        seals.iter().filter(named).try_for_each(|(name, seal)| self.hold(version, name, seal))
    }

    /// The pipeline of `version`: its files are those that were stored, and its golden rows are answered as they were.
    ///
    /// # Errors
    /// [`RegistryError::Altered`], and what [`Pipeline::load`] finds.
    pub fn pipeline(&self, version: Version) -> Result<Pipeline, RegistryError> {
        let dir = self.path(version)?;
        self.check(version, &Pipeline::FILES)?;
        Ok(Pipeline::load(&dir)?)
    }

    /// Every file of `version` that is not as its audit line says; `None` for a version without digests.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn differences(&self, version: Version) -> Result<Option<Vec<Difference>>, RegistryError> {
        let Some(seals) = self.seals(version)? else { return Ok(None) };
        let now = self.digests(version)?;
        let named = |name: &str, what: &str| Difference {
            file: Path::new("models").join(version.to_string()).join(name).display().to_string(),
            what: what.to_owned(),
        };
        let mut found = Vec::new();
        for (name, seal) in &seals {
            match now.get(name) {
                None => found.push(named(name, "is gone")),
                Some(other) if other != seal => found.push(named(name, "is not what was stored")),
                Some(_) => {}
            }
        }
        found.extend(now.keys().filter(|name| !seals.contains_key(*name)).map(|name| named(name, "was added later")));
        Ok(Some(found))
    }
}

/// The digest of a file; `None` when it is not there.
fn digest_of(path: &PathBuf) -> Result<Option<String>, RegistryError> {
    match File::open(path).and_then(digest::of) {
        Ok((_, sha256)) => Ok(Some(sha256)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RegistryError::Io { path: path.clone(), source }),
    }
}
