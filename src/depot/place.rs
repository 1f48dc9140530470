//! Where a copy of a loop is: a directory, or objects of S3 below a prefix.

use super::{DepotError, Filed, Index};
use crate::atomic::{self, At as _, AtPath};
use crate::digest;
use crate::s3::{self, Condition, Object, Why};
use crate::wording::known_format;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const INDEX: &str = "loop.json";
const OBJECTS: &str = "objects";
/// Maximum size of an index.
const MAX_INDEX: u64 = 256 << 20;
/// How long to wait for another push to the same directory: it writes one file.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a copy of a loop is.
pub struct Place {
    shown: String,
    at: At,
}

enum At {
    Folder(PathBuf),
    /// The index; all other files are beside it.
    Bucket(Object),
}

/// An index, and a tag that identifies its state.
pub(super) struct Found {
    pub(super) index: Index,
    tag: Option<String>,
}

/// The bytes of an index, and a tag that identifies them, if the place supports it.
type Tagged = (Option<String>, Vec<u8>);

impl Place {
    /// The place of this name: `s3://BUCKET/PREFIX`, `file:///DIRECTORY`, or a directory.
    ///
    /// # Errors
    /// The error in the name.
    pub fn named(name: &str) -> Result<Self, DepotError> {
        let trimmed = name.trim_end_matches('/');
        if s3::is_address(Path::new(name)) {
            let object = Object::at(Path::new(&format!("{trimmed}/{INDEX}")))?;
            return Ok(Self { shown: trimmed.to_owned(), at: At::Bucket(object) });
        }
        let dir = trimmed.strip_prefix("file://").unwrap_or(trimmed);
        if dir.contains("://") {
            return Err(DepotError::Refused(format!(
                "{name}: must be s3://BUCKET/PREFIX, file:///DIRECTORY or a directory"
            )));
        }
        let dir = if dir.is_empty() { "/" } else { dir };
        Ok(Self { shown: dir.to_owned(), at: At::Folder(PathBuf::from(dir)) })
    }

    /// The name of the place.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether the place is this directory.
    pub(super) fn is(&self, dir: &Path) -> bool {
        let At::Folder(folder) = &self.at else { return false };
        folder.canonicalize().ok().is_some_and(|folder| dir.canonicalize().ok() == Some(folder))
    }

    /// The index; `None` if there is no loop yet.
    pub(super) fn index(&self) -> Result<Option<Found>, DepotError> {
        let Some((tag, bytes)) = self.read_index()? else { return Ok(None) };
        let index: Result<Index, String> = serde_json::from_slice(&bytes).map_err(|err| err.to_string());
        let index = index.and_then(|index| known_format(index.format, 1).map(|()| index));
        let index = index
            .map_err(|what| DepotError::Refused(format!("{}/{INDEX}: was not written by push: {what}", self.shown)))?;
        Ok(Some(Found { index, tag }))
    }

    fn read_index(&self) -> Result<Option<Tagged>, DepotError> {
        match &self.at {
            At::Folder(dir) => {
                let path = dir.join(INDEX);
                let bytes = atomic::read_at_most(&path, MAX_INDEX).if_there().at(path)?;
                Ok(bytes.map(|bytes| (Some(digest::sha256(&bytes)), bytes)))
            }
            At::Bucket(object) => match object.read(MAX_INDEX) {
                Ok((stored, bytes)) => Ok(Some((stored.etag, bytes))),
                Err(err) if err.why == Why::NotThere => Ok(None),
                Err(err) => Err(err.into()),
            },
        }
    }

    /// Replaces the index found before.
    ///
    /// # Errors
    /// If it was changed meanwhile.
    pub(super) fn put_index(&self, index: &Index, before: Option<&Found>) -> Result<(), DepotError> {
        let other = || {
            DepotError::Refused(format!(
                "{}: another push ran at the same time; nothing was changed there: pull, then push again",
                self.shown
            ))
        };
        let tag = before.and_then(|found| found.tag.as_deref());
        let bytes = serde_json::to_vec_pretty(index).map_err(|err| DepotError::Refused(err.to_string()))?;
        match &self.at {
            At::Folder(dir) => {
                let lock = dir.join(".mlloop.lock");
                let _held = atomic::lock_within(&lock, PATIENCE).at(&lock)?;
                if self.read_index()?.and_then(|(tag, _)| tag).as_deref() != tag {
                    return Err(other());
                }
                let path = dir.join(INDEX);
                Ok(atomic::replace(&path, |out| out.write_all(&bytes)).at(&path)?)
            }
            At::Bucket(object) => {
                let condition = match (before, tag) {
                    (None, _) => Condition::New,
                    (Some(_), Some(tag)) => Condition::Same(tag),
                    (Some(_), None) => Condition::Always,
                };
                let mut file = kept(&bytes)?;
                object.put(&mut file, condition).map_err(|err| match err.why {
                    Why::Changed => other(),
                    _ => err.into(),
                })?;
                // On a server without conditional writes another writer may have changed it since.
                match self.read_index()? {
                    Some((_, now)) if now == bytes => Ok(()),
                    _ => Err(other()),
                }
            }
        }
    }

    /// Whether it has a complete object.
    pub(super) fn has(&self, file: &Filed) -> Result<bool, DepotError> {
        let bytes = match &self.at {
            At::Folder(dir) => {
                let path = object_path(dir, &file.sha256);
                std::fs::metadata(&path).if_there().at(path)?.map(|found| found.len())
            }
            At::Bucket(object) => {
                let Some(stored) = sibling(object, &file.sha256).look()? else { return Ok(false) };
                // A server that does not report the length.
                Some(stored.bytes.unwrap_or(file.bytes))
            }
        };
        Ok(bytes == Some(file.bytes))
    }

    /// Writes an object: the beginning of the file at `from`, which must match `file`.
    pub(super) fn send(&self, file: &Filed, from: &Path) -> Result<(), DepotError> {
        // A copy, so that the bytes checked are the bytes sent.
        let mut copy = tempfile::tempfile().at(from)?;
        let mut source = atomic::open(from).at(from)?.take(file.bytes);
        io::copy(&mut source, &mut copy).at(from)?;
        copy.rewind().at(from)?;
        if digest::of(&copy).at(from)? != (file.bytes, file.sha256.clone()) {
            return Err(DepotError::Refused(format!("{}: changed during the push; push again", from.display())));
        }
        copy.rewind().at(from)?;
        match &self.at {
            At::Folder(dir) => {
                let path = object_path(dir, &file.sha256);
                let mut write = || {
                    atomic::make_dirs(dir.join(OBJECTS))?;
                    atomic::replace_like(&path, from, |out| io::copy(&mut copy, out).map(|_| ()))
                };
                Ok(write().at(&path)?)
            }
            At::Bucket(object) => Ok(sibling(object, &file.sha256).put(&mut copy, Condition::Always)?),
        }
    }

    /// Writes the bytes of an object to `to`.
    ///
    /// # Errors
    /// If it is missing, or does not match its digest.
    pub(super) fn fetch(&self, file: &Filed, to: &mut dyn Write) -> Result<(), DepotError> {
        let shown = format!("{}/{OBJECTS}/{}", self.shown, file.sha256);
        let wrong = |what: &str| {
            DepotError::Refused(format!(
                "{shown}: {what}; nothing was changed. To repair the copy, run `mlloop push --recheck` in a loop \
                 that has the file"
            ))
        };
        let mut from: Box<dyn Read> = match &self.at {
            At::Folder(dir) => {
                let opened = atomic::open(object_path(dir, &file.sha256)).if_there().at(&shown)?;
                Box::new(opened.ok_or_else(|| wrong("is missing"))?)
            }
            At::Bucket(object) => match sibling(object, &file.sha256).open() {
                Ok((_, bytes)) => Box::new(bytes),
                Err(err) if err.why == Why::NotThere => return Err(wrong("is missing")),
                Err(err) => return Err(err.into()),
            },
        };
        let mut both = Hashing { from: &mut from, to, failed: None };
        // One byte more than expected is enough to detect a wrong object.
        let read = digest::of((&mut both).take(file.bytes + 1));
        if let Some(source) = both.failed {
            return Err(AtPath::new("runs/pulling", source).into());
        }
        match read.at(PathBuf::from(&shown))? {
            (bytes, _) if bytes < file.bytes => Err(wrong(&format!("has {bytes} of {} bytes", file.bytes))),
            (_, sha256) if sha256 != file.sha256 => Err(wrong("has contents that do not match its name")),
            _ => Ok(()),
        }
    }

    /// Creates the directory, if the place is one; its parent must exist.
    pub(super) fn make(&self) -> Result<(), DepotError> {
        let At::Folder(dir) = &self.at else { return Ok(()) };
        let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
        if above.is_some_and(|above| !above.is_dir()) {
            let above = above.unwrap_or(dir).display();
            return Err(DepotError::Refused(format!("{}: there is no directory {above}", self.shown)));
        }
        Ok(atomic::make_dirs(dir).at(dir)?)
    }
}

/// A reader that also copies its bytes and computes their digest.
struct Hashing<'a> {
    from: &'a mut dyn Read,
    to: &'a mut dyn Write,
    /// The I/O error of the other side.
    failed: Option<io::Error>,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        if let Err(err) = self.to.write_all(&buf[..n]) {
            self.failed = Some(err);
            return Err(io::ErrorKind::Other.into());
        }
        Ok(n)
    }
}

fn object_path(dir: &Path, sha256: &str) -> PathBuf {
    dir.join(OBJECTS).join(sha256)
}

fn sibling(index: &Object, sha256: &str) -> Object {
    let above = index.key().strip_suffix(INDEX).unwrap_or_default();
    index.beside(format!("{above}{OBJECTS}/{sha256}"))
}

fn kept(bytes: &[u8]) -> Result<File, DepotError> {
    let write = || {
        let mut file = tempfile::tempfile()?;
        file.write_all(bytes)?;
        io::Result::Ok(file)
    };
    Ok(write().at(INDEX)?)
}
