//! A file received in pieces, if necessary over several runs, before it becomes part of the workspace.

use super::fault::point;
use super::lock::Held;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The bytes that have arrived so far; locked, so that no other process can add to them.
#[derive(Debug)]
pub struct Partial {
    file: Held,
    path: PathBuf,
    len: u64,
}

impl Partial {
    /// Opens the rest of an earlier run at `path`, or starts a new file; its directory is created.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process uses it; otherwise any I/O error.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        point()?;
        let file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let file = Held::new(file)?;
        let len = file.metadata()?.len();
        Ok(Self { file, path: path.to_owned(), len })
    }

    /// Number of bytes so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has arrived yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a piece.
    ///
    /// # Errors
    /// I/O errors.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        point()?;
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Discards the bytes received.
    ///
    /// # Errors
    /// I/O errors.
    pub fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.len = 0;
        Ok(())
    }

    /// The bytes received, read from the beginning.
    ///
    /// # Errors
    /// I/O errors.
    pub fn reader(&self) -> io::Result<File> {
        let mut file = super::open(&self.path)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// Removes it, and its directory if that is empty.
    ///
    /// # Errors
    /// I/O errors.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)?;
        if let Some(dir) = self.path.parent() {
            // Another download may be under way in it.
            let _ = fs::remove_dir(dir);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_has_arrived_stays_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part/file");
        let mut part = Partial::open(&path).unwrap();
        assert!(part.is_empty());
        part.push(b"the first run").unwrap();
        assert_eq!(Partial::open(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(part);
        let mut part = Partial::open(&path).unwrap();
        assert_eq!((part.len(), part.is_empty()), (13, false));
        part.restart().unwrap();
        part.push(b"anew").unwrap();
        let mut text = String::new();
        part.reader().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), part.len()), ("anew", 4));
        part.remove().unwrap();
        assert!(!path.exists() && !path.parent().unwrap().exists());
    }
}
