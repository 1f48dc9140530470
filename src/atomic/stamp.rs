//! Whether a file is still the one that was read.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What is compared to see that a file is another one, or has become longer: files are replaced, never rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    /// The file as it is now; `None` when it is not there or cannot be looked at.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        Self::look(path).ok().flatten()
    }

    /// The file as it is now; `None` when it is not there.
    ///
    /// # Errors
    /// Whatever the system says.
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
