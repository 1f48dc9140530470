//! System errors with the path of their file.

use std::io;
use std::path::{Path, PathBuf};

/// A system error with the path of the file or directory.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .path.display())]
pub struct AtPath {
    /// The file or directory; a name such as `stdin` without one.
    pub path: PathBuf,
    /// The I/O error.
    pub source: io::Error,
}

impl AtPath {
    /// `source` occurred at `path`.
    pub fn new(path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self { path: path.into(), source: source.into() }
    }

    /// Whether the file is missing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// Adds a path to an I/O error.
pub trait At<T> {
    /// The value, or the error with the path it is about.
    ///
    /// # Errors
    /// The error, with `path`.
    fn at(self, path: impl AsRef<Path>) -> Result<T, AtPath>;

    /// `None` if the file is missing.
    ///
    /// # Errors
    /// Every other error.
    fn if_there(self) -> Result<Option<T>, io::Error>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, path: impl AsRef<Path>) -> Result<T, AtPath> {
        self.map_err(|source| AtPath::new(path.as_ref(), source))
    }

    fn if_there(self) -> Result<Option<T>, io::Error> {
        match self.map_err(Into::into) {
            Ok(found) => Ok(Some(found)),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_from_what_cannot_be_read() {
        let of = |kind: io::ErrorKind| Err::<(), _>(io::Error::from(kind));
        let (gone, refused) = (io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied);
        let said = of(gone).at("a/b").unwrap_err();
        assert!(said.is_missing() && said.to_string().starts_with("a/b: "), "{said}");
        assert!(!of(refused).at("a/b").unwrap_err().is_missing());
        assert_eq!((of(gone).if_there().unwrap(), Ok::<_, io::Error>(()).if_there().unwrap()), (None, Some(())));
        assert_eq!(of(refused).if_there().unwrap_err().kind(), refused);
    }
}
