//! `runs/kept/`: replaced inputs of decisions, by digest, so that the decisions can be replayed.
//!
//! | file | kept when |
//! |---|---|
//! | `mlloop.toml` | a line of the chain is the first written with it |
//! | the reference | a promotion gives it more rows |
//! | `data/labels.csv` | the gate judges, labels are imported, an experiment ends |
//! | answers of labellers | they are imported |

use super::audit::Chain;
use super::{Config, Workspace, WorkspaceError};
use crate::atomic::{self, Lock};
use crate::atomic::{At, AtPath};
use crate::digest;
use crate::registry::Version;
use crate::table::Input;
use std::collections::BTreeSet;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

pub(super) const DIR: &str = "runs/kept";
pub(super) const ENDING: &str = ".zst";

impl Workspace {
    /// Stores the bytes of `file`, relative to the loop, and returns their SHA-256; `None` if there is no such file.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) fn keep(&self, _lock: &Lock, file: &Path) -> Result<Option<String>, WorkspaceError> {
        let from = self.path(file);
        Ok(self.keep_bytes_of(&from).at(from)?)
    }

    fn keep_bytes_of(&self, from: &Path) -> io::Result<Option<String>> {
        let Some(opened) = atomic::open(from).if_there()? else { return Ok(None) };
        let (_, sha256) = digest::of(BufReader::new(opened))?;
        let to = self.kept_path(&sha256);
        if !to.exists() {
            atomic::make_dirs(self.path(DIR))?;
            atomic::replace_like(&to, from, |out| {
                let mut packed = zstd::Encoder::new(&mut *out, 3)?;
                io::copy(&mut BufReader::new(atomic::open(from)?), &mut packed)?;
                packed.finish()?.flush()
            })?;
        }
        Ok(Some(sha256))
    }

    /// The stored bytes with a digest; `None` if there are none, or they do not match it.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) fn kept(&self, sha256: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = atomic::open(self.kept_path(sha256)).if_there()? else { return Ok(None) };
        let mut bytes = Vec::new();
        zstd::Decoder::new(file)?.read_to_end(&mut bytes)?;
        Ok((digest::sha256(&bytes) == sha256).then_some(bytes))
    }

    /// The table that `version` was trained on: the reference if unchanged, else its stored copy (after a rollback the
    /// reference still contains the rows of the version that was rolled back). If neither exists, the current
    /// reference.
    ///
    /// # Errors
    /// I/O errors, and errors in the version.
    pub fn table_of(&self, config: &Config, version: Version) -> Result<Input, WorkspaceError> {
        let path = self.path(&config.data.reference);
        let manifest = self.registry().manifest(version)?;
        let Some(trained_on) = manifest.data.first() else { return Ok(Input::open(&path)?) };
        // A reference that cannot be overwritten got another name when rows were added.
        for path in [&path, &self.path(&trained_on.path)] {
            match atomic::open(path).and_then(digest::of) {
                Ok((_, sha256)) if sha256 == trained_on.sha256 => return Ok(Input::open(path)?),
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(AtPath::new(path, source).into());
                }
                _ => {}
            }
        }
        let kept = self.kept(&trained_on.sha256);
        match kept.at(self.kept_path(&trained_on.sha256))? {
            Some(bytes) => Ok(Input::from_reader(&trained_on.path, Cursor::new(bytes))),
            None => Ok(Input::open(&path)?),
        }
    }

    fn kept_path(&self, sha256: &str) -> PathBuf {
        self.path(DIR).join(format!("{sha256}{ENDING}"))
    }

    /// Removes files that are not named by any line since the oldest existing version was created.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) fn forget_kept(&self, _lock: &Lock, chain: &Chain) -> Result<(), WorkspaceError> {
        let dir = self.path(DIR);
        let Some(oldest) = self.registry().versions()?.first().copied() else { return Ok(()) };
        let Some(made) = chain.maker_of(oldest)? else { return Ok(()) };
        let since = &chain.entries[usize::try_from(made.seq).unwrap_or(usize::MAX).saturating_sub(1)..];
        let wanted: BTreeSet<String> = since.iter().flat_map(super::audit::Entry::digests).collect();
        for sha256 in self.names_kept()?.iter().filter(|sha256| !wanted.contains(*sha256)) {
            atomic::remove_file(&self.kept_path(sha256)).at(&dir)?;
        }
        Ok(atomic::remove_leftovers(&dir).at(&dir)?)
    }

    /// The digests of all stored files.
    pub(super) fn names_kept(&self) -> Result<Vec<String>, WorkspaceError> {
        let dir = self.path(DIR);
        let Some(entries) = std::fs::read_dir(&dir).if_there().at(&dir)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.at(&dir)?.file_name().to_string_lossy().into_owned();
            names.extend(name.strip_suffix(ENDING).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }
}
