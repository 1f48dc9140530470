//! A loop as it was before a line of its chain, in a separate directory.

use super::{ReplayError, Source};
use crate::atomic::{self, At, AtPath};
use crate::digest;
use crate::registry::{Head, Version};
use crate::workspace::audit::Entry;
use crate::workspace::event::{GateVerdict, Kept};
use crate::workspace::{CONFIG_FILE, Config, LABELS_FILE, Setting, Workspace, reference_of};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The loop, and its missing files.
pub(super) struct Shadow {
    pub(super) workspace: Workspace,
    pub(super) missing: Vec<String>,
    pub(super) notes: Vec<String>,
    dir: TempDir,
}

/// The path of its reference, whatever its original name.
const REFERENCE: &str = "data/reference.csv";

impl Shadow {
    /// The loop before `entry`: settings, chain, roles, versions and the experiment; no tables yet.
    pub(super) fn before(source: &Source, entry: &Entry) -> Result<Self, ReplayError> {
        let dir = tempfile::tempdir().at("a temporary directory")?;
        let settings = entry.of::<GateVerdict>()?.map(|said| said.settings).unwrap_or_default();
        // A replay must not send anything to others.
        let settings = settings.iter().map(String::as_str).chain(["labels.store="]);
        let settings = settings.map(Setting::parse).collect::<Result<_, _>>();
        let settings = settings.map_err(ReplayError::Usage)?;
        let workspace = Workspace::new(dir.path()).with_settings(settings);
        let mut shadow = Self { workspace, missing: Vec::new(), notes: Vec::new(), dir };
        shadow.config(source, entry)?;
        shadow.chain(source, entry)?;
        for made in source.chain.entries.iter().take_while(|before| before.seq < entry.seq) {
            if let Some(version) = made.made()? {
                shadow.version(source, version)?;
            }
        }
        Ok(shadow)
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `mlloop.toml` at that time; the current one if that is missing.
    fn config(&mut self, source: &Source, entry: &Entry) -> Result<(), ReplayError> {
        let now = source.workspace.config_path();
        let bytes = match &entry.config {
            Some(sha256) => find(source, sha256, std::slice::from_ref(&now))?,
            None => None,
        };
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => {
                self.missing.push(named(CONFIG_FILE, entry.config.as_deref()));
                atomic::read(&now).at(&now)?
            }
        };
        self.write(CONFIG_FILE, &bytes)
    }

    /// The chain up to the line, with its roles and experiment.
    fn chain(&self, source: &Source, entry: &Entry) -> Result<(), ReplayError> {
        let path = source.workspace.path("audit.jsonl");
        let text = atomic::read(&path).at(&path)?;
        let n_before = usize::try_from(entry.seq).unwrap_or(usize::MAX).saturating_sub(1);
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').take(n_before).collect();
        self.write("audit.jsonl", &lines.concat())?;
        let before = &source.chain.entries[..n_before];
        let Some(last) = before.last() else { return Ok(()) };
        let mut roles = before.iter().rev().find_map(|entry| entry.roles.clone()).unwrap_or_default();
        roles.audit = Some(Head { seq: last.seq, hash: last.hash.clone() });
        self.workspace.registry().set_roles(&roles)?;
        let experiment = before.iter().rev().find_map(Entry::experiment);
        experiment.map_or(Ok(()), |experiment| self.write("ab.json", experiment.to_string().as_bytes()))
    }

    /// The files of a version, unless it was pruned.
    fn version(&self, source: &Source, version: Version) -> Result<(), ReplayError> {
        let to = self.path("models").join(version.to_string());
        let Ok(from) = source.workspace.registry().path(version) else { return Ok(()) };
        for file in fs::read_dir(&from).at(&from)? {
            let file = file.at(&from)?;
            self.link(&file.path(), &to.join(file.file_name()))?;
        }
        Ok(())
    }

    /// Sets the next version to `version`, if the previous one was pruned.
    pub(super) fn make_next(&self, version: Version) -> Result<(), ReplayError> {
        if version.0 == 1 {
            return Ok(());
        }
        let dir = self.path("models").join(Version(version.0 - 1).to_string());
        Ok(atomic::make_dirs(&dir).at(&dir)?)
    }

    /// Whether the files of `version` exist.
    pub(super) fn has(&mut self, version: Version) -> bool {
        let there = self.path("models").join(version.to_string()).join("manifest.json").exists();
        if !there {
            self.missing.push(format!("models/{version}, which was pruned"));
        }
        there
    }

    /// The reference in effect before the line, or the one that the line itself names.
    pub(super) fn reference(&mut self, source: &Source, entry: &Entry) -> Result<bool, ReplayError> {
        let mut config = self.workspace.config()?;
        let called = config.data.reference.display().to_string();
        let of = |before: &Entry| match before.seq <= entry.seq {
            true => reference_of(before, &called),
            false => Ok(None),
        };
        let sha256 = source.chain.last_with(of)?.map(|(_, sha256)| sha256);
        let now = [source.workspace.path(&config.data.reference), source.workspace.path("runs/backup/reference.csv")];
        let found = match &sha256 {
            Some(sha256) => find_path(source, sha256, &now)?,
            None => None,
        };
        let Some((path, bytes)) = found else {
            self.missing.push(named(&called, sha256.as_deref()));
            return Ok(false);
        };
        // A file outside of the loop, or a compressed one, has another name here; compressed bytes stay compressed.
        let inside = config.data.reference.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside {
            config.data.reference = PathBuf::from(REFERENCE);
            self.workspace.name_reference(REFERENCE)?;
        }
        let to = self.path(&config.data.reference);
        match bytes {
            Some(bytes) => self.write(&config.data.reference, &bytes)?,
            None => self.link(&path, &to)?,
        }
        Ok(true)
    }

    /// The labels named by the line, or, if it names none, those current before it.
    pub(super) fn labels(&mut self, source: &Source, entry: &Entry, named_there: &Kept) -> Result<bool, ReplayError> {
        let of = |before: &Entry| match before.seq < entry.seq {
            true => before.labels_sha256(),
            false => Ok(None),
        };
        let recorded = match named_there {
            Some(sha256) => sha256.clone(),
            None => source.chain.last_with(of)?.and_then(|(_, sha256)| sha256),
        };
        let Some(sha256) = recorded else { return Ok(true) };
        match find(source, &sha256, &[source.workspace.path(LABELS_FILE)])? {
            Some(bytes) => self.write(LABELS_FILE, &bytes).map(|()| true),
            None => {
                self.missing.push(named(LABELS_FILE, Some(&sha256)));
                Ok(false)
            }
        }
    }

    /// `mlloop.toml` of the shadow.
    pub(super) fn settings(&self) -> Result<Config, ReplayError> {
        Ok(self.workspace.config()?)
    }

    pub(super) fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<(), ReplayError> {
        let path = self.path(name);
        let write = || {
            path.parent().map_or(Ok(()), atomic::make_dirs)?;
            atomic::replace(&path, |out| out.write_all(bytes))
        };
        Ok(write().at(&path)?)
    }

    /// The same file under another name; hard links avoid copying the bytes if the file system has them.
    pub(super) fn link(&self, from: &Path, to: &Path) -> Result<(), ReplayError> {
        let link = || {
            to.parent().map_or(Ok(()), atomic::make_dirs)?;
            fs::hard_link(from, to).or_else(|_| atomic::copy(from, to))
        };
        Ok(link().at(from)?)
    }
}

/// A file and its digest, so that the user can search for it.
pub(super) fn named(file: &str, sha256: Option<&str>) -> String {
    match sha256 {
        Some(sha256) => format!("{file} with SHA-256 {sha256}"),
        None => format!("{file}, of which no digest was recorded"),
    }
}

/// The bytes with this digest: at their old places, among the stored files, or among the files given.
pub(super) fn find(source: &Source, sha256: &str, places: &[PathBuf]) -> Result<Option<Vec<u8>>, ReplayError> {
    Ok(match find_path(source, sha256, places)? {
        None => None,
        Some((_, Some(bytes))) => Some(bytes),
        Some((path, None)) => Some(atomic::read(&path).at(&path)?),
    })
}

/// A file that was found: its path, and its bytes if they are stored compressed.
type Found = (PathBuf, Option<Vec<u8>>);

/// The same, as the path of a file, or as bytes if they are stored compressed.
fn find_path(source: &Source, sha256: &str, places: &[PathBuf]) -> Result<Option<Found>, ReplayError> {
    for path in places.iter().chain(source.files) {
        match atomic::open(path).and_then(digest::of) {
            Ok((_, found)) if found == sha256 => return Ok(Some((path.clone(), None))),
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::NotFound && !source.files.contains(path) => {}
            Err(err) => return Err(AtPath::new(path, err).into()),
        }
    }
    let kept = source.workspace.kept(sha256).at(source.workspace.path("runs/kept"))?;
    Ok(kept.map(|bytes| (PathBuf::new(), Some(bytes))))
}
