//! Several files that appear in a directory together.
//!
//! ```text
//! .mlloop-XXXX/ files, synced ──rename──▶ .incoming/ ──rename each──▶ into place ──▶ .incoming/ is removed
//!                                  ▲ commit
//! ```
//! A process that dies before the commit leaves the old files; after it, the next holder of the lock moves the rest.

use super::fault::point;
use super::{disk, make_dirs, mode, parent};
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

const COMMITTED: &str = ".incoming";

/// Files that are being written beside the directory's own.
#[derive(Debug)]
pub struct Incoming {
    staged: tempfile::TempDir,
    into: PathBuf,
    /// The maximum permissions of its files.
    limit: u32,
}

impl Incoming {
    /// Begins a set of files for the directory `into`, which is created. Call it under the lock of the workspace.
    ///
    /// # Errors
    /// I/O errors.
    pub fn begin(into: &Path) -> io::Result<Self> {
        point()?;
        make_dirs(into)?;
        super::remove_leftovers(into)?;
        complete_incoming(into)?;
        let staged = mode::new_dirs().tempdir_in(into)?;
        disk::made_dir(staged.path());
        Ok(Self { staged, into: into.to_owned(), limit: mode::ALL })
    }

    /// For copies and extracts of `source`: only those who may read `source` may read the files.
    ///
    /// # Errors
    /// I/O errors.
    pub fn like(self, source: &Path) -> io::Result<Self> {
        let source = fs::metadata(source)?;
        Ok(Self { limit: if source.is_file() { mode::of(&source) } else { mode::ALL }, ..self })
    }

    /// Where the file `name` is until the commit.
    #[must_use]
    pub fn path(&self, name: &Path) -> PathBuf {
        self.staged.path().join(name)
    }

    /// Writes the file `name`, a relative path without `..`.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if the set has it already, [`io::ErrorKind::InvalidInput`] for a name that
    /// leads elsewhere; otherwise any error of `write` or I/O.
    pub fn write<T, E: From<io::Error>>(
        &self,
        name: &Path,
        write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_within(name, self.limit, write)
    }

    /// As [`Incoming::write`], for a file with at most these permissions.
    ///
    /// # Errors
    /// As [`Incoming::write`].
    pub fn write_within<T, E: From<io::Error>>(
        &self,
        name: &Path,
        limit: u32,
        write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
    ) -> Result<T, E> {
        let limit = limit & self.limit;
        if name.as_os_str().is_empty() || !name.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        let path = self.path(name);
        point()?;
        make_dirs(parent(&path))?;
        let mut file = BufWriter::with_capacity(
            1 << 16,
            OpenOptions::new().create_new(true).write(true).mode(0o666 & limit).open(&path)?,
        );
        disk::created(&path);
        let written = write(&mut file)?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        disk::wrote(&path);
        mode::keep(&file, fs::metadata(self.into.join(name)).ok().as_ref(), limit)?;
        point()?;
        disk::sync_file(&file, &path)?;
        Ok(written)
    }

    /// Removes a file from the set.
    ///
    /// # Errors
    /// I/O errors.
    pub fn drop_file(&self, name: &Path) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    /// Moves the files into the directory.
    ///
    /// # Errors
    /// I/O errors.
    pub fn commit(self) -> io::Result<()> {
        for (dir, _) in walk(self.staged.path())? {
            disk::sync_dir(&dir)?;
        }
        point()?;
        disk::rename(&self.staged.keep(), &self.into.join(COMMITTED))?;
        point()?;
        disk::sync_dir(&self.into)?;
        complete_incoming(&self.into)
    }
}

/// The directory of a set that is committed but not moved yet.
#[must_use]
pub fn incoming_of(into: &Path) -> PathBuf {
    into.join(COMMITTED)
}

/// Whether a process died after its commit, so that files are still to be moved.
#[must_use]
pub fn is_incoming(into: &Path) -> bool {
    into.join(COMMITTED).is_dir()
}

/// Moves the files that a process left after its commit. Call it under the lock of the workspace.
///
/// # Errors
/// I/O errors.
pub fn complete_incoming(into: &Path) -> io::Result<()> {
    let staged = into.join(COMMITTED);
    if !staged.is_dir() {
        return Ok(());
    }
    settle(&staged, into)?;
    point()?;
    disk::remove_dir_all(&staged)?;
    disk::sync_dir(into)
}

/// Moves everything in `from` to `to`. Directories first, and as a whole if `to` has none of that name: files beside
/// them may refer to them.
fn settle(from: &Path, to: &Path) -> io::Result<()> {
    let mut entries = fs::read_dir(from)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| (entry.path().is_file(), entry.file_name()));
    for entry in entries {
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() && target.is_dir() {
            true => settle(&entry.path(), &target)?,
            false => {
                point()?;
                disk::rename(&entry.path(), &target)?;
            }
        }
    }
    disk::sync_dir(to)
}

/// A directory and the names of the files in it.
type Listing = (PathBuf, Vec<std::ffi::OsString>);

/// Every directory from `top` down with its files, in the order of their names.
fn walk(top: &Path) -> io::Result<Vec<Listing>> {
    let mut found = vec![(top.to_owned(), Vec::new())];
    let mut next = 0;
    while next < found.len() {
        let (mut dirs, mut files) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&found[next].0)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => dirs.push((entry.path(), Vec::new())),
                false => files.push(entry.file_name()),
            }
        }
        files.sort_unstable();
        dirs.sort_unstable();
        found[next].1 = files;
        found.extend(dirs);
        next += 1;
    }
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;

    fn put(incoming: &Incoming, name: &str, text: &str) -> io::Result<()> {
        incoming.write(Path::new(name), |out| out.write_all(text.as_bytes()))
    }

    #[test]
    fn files_appear_together_and_replace_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("reference.csv"), "old").unwrap();
        let incoming = Incoming::begin(dir.path()).unwrap();
        put(&incoming, "reference.csv", "new").unwrap();
        put(&incoming, "deep/er/table.csv", "x").unwrap();
        assert_eq!(put(&incoming, "reference.csv", "twice").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        for elsewhere in ["../out.csv", "/out.csv", "", "a/../../out.csv"] {
            assert_eq!(put(&incoming, elsewhere, "x").unwrap_err().kind(), io::ErrorKind::InvalidInput, "{elsewhere}");
        }
        assert_eq!(fs::read_to_string(dir.path().join("reference.csv")).unwrap(), "old");
        incoming.commit().unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("reference.csv")).unwrap(), "new");
        assert_eq!(fs::read_to_string(dir.path().join("deep/er/table.csv")).unwrap(), "x");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_set_that_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let incoming = Incoming::begin(dir.path()).unwrap();
        put(&incoming, "a.csv", "x").unwrap();
        drop(incoming);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_committed_is_completed_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".incoming/deep")).unwrap();
        fs::write(dir.path().join(".incoming/deep/b.csv"), "b").unwrap();
        assert!(is_incoming(dir.path()));
        complete_incoming(dir.path()).unwrap();
        assert!(!is_incoming(dir.path()));
        complete_incoming(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("deep/b.csv")).unwrap(), "b");
        assert!(!dir.path().join(".incoming").exists());
    }
}
