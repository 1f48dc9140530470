//! Whether a file is unchanged since it was read.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Metadata that show whether a file was replaced or extended: files are replaced, never rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    /// The current state of the file; `None` if it is missing or inaccessible.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        Self::look(path).ok().flatten()
    }

    /// The current state of the file; `None` if it is missing.
    ///
    /// # Errors
    /// I/O errors.
    pub fn look(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::metadata(path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(|meta| {
                let (seconds, nanoseconds) = (meta.mtime(), meta.mtime_nsec());
                Some(Self { inode: meta.ino(), size: meta.size(), seconds, nanoseconds })
            }),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they look at")]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_has_another_stamp_and_one_that_is_gone_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("roles.json");
        assert_eq!((Stamp::of(&path), Stamp::look(&path).unwrap()), (None, None));
        std::fs::write(&path, "one").unwrap();
        let first = Stamp::look(&path).unwrap().unwrap();
        assert_eq!((Stamp::of(&path).as_ref(), Stamp::of(&path)), (Some(&first), Stamp::look(&path).unwrap()));
        super::super::replace(&path, |out| std::io::Write::write_all(out, b"two")).unwrap();
        assert_ne!(Stamp::of(&path), Some(first));
        assert!(Stamp::look(&path.join("below")).is_err());
    }
}
