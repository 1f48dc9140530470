//! A completed download: a local file, or the parts of a transfer.

use super::{DownloadRequest, SourceError, http};
use crate::atomic::{self, At, Partial};
use crate::digest;
use crate::table::{Input, place};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A complete download in a file.
pub(super) struct Fetched {
    /// The name of the file.
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub place: Place,
}

/// Where the bytes are.
pub(super) enum Place {
    Local(PathBuf),
    /// The output of a database.
    Kept(NamedTempFile),
    Partial {
        partial: Partial,
        meta: PathBuf,
    },
}

impl Fetched {
    /// A local file.
    pub fn local(path: &Path, request: &DownloadRequest) -> Result<Self, SourceError> {
        let file = File::open(path).at(path)?;
        let meta = file.metadata().at(path)?;
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| http::is_file_name(name));
        let name = name.filter(|_| meta.is_file()).ok_or_else(|| SourceError::NotASource {
            text: path.display().to_string(),
            what: "is not a file with a plain name".to_owned(),
        })?;
        if meta.len() > request.max_bytes {
            return Err(SourceError::TooLarge { from: request.source.public(), max: request.max_bytes });
        }
        let (bytes, sha256) = digest::of(file).at(path)?;
        let place = Place::Local(path.to_owned());
        Ok(Self { name: name.to_owned(), bytes, sha256, etag: None, last_modified: None, place })
    }

    /// The rows of a database table as of one moment, or an object.
    pub fn served(path: &Path, request: &DownloadRequest) -> Result<Self, SourceError> {
        let from = request.source.public();
        let name = place::file_name(path).filter(|name| http::is_file_name(name));
        let mut rows = Input::open(path)?.into_reader().take(request.max_bytes.saturating_add(1));
        let mut kept = NamedTempFile::new().at(&from)?;
        io::copy(&mut rows, &mut kept).at(&from)?;
        let (bytes, sha256) = kept.reopen().and_then(digest::of).at(&from)?;
        if bytes > request.max_bytes {
            return Err(SourceError::TooLarge { from, max: request.max_bytes });
        }
        let name = name.unwrap_or_else(|| "query.csv".to_owned());
        Ok(Self { name, bytes, sha256, etag: None, last_modified: None, place: Place::Kept(kept) })
    }

    /// The bytes from their beginning.
    pub fn open(&self) -> io::Result<File> {
        match &self.place {
            Place::Local(path) => File::open(path),
            Place::Kept(kept) => kept.reopen(),
            Place::Partial { partial, .. } => partial.reader(),
        }
    }

    /// Removes the files kept for resuming the transfer.
    pub fn discard(self) -> Result<(), SourceError> {
        match self.place {
            Place::Local(_) | Place::Kept(_) => Ok(()),
            Place::Partial { partial, meta } => discard(partial, &meta),
        }
    }
}

/// Removes a partial download and its metadata.
pub(super) fn discard(partial: Partial, meta: &Path) -> Result<(), SourceError> {
    atomic::remove_file(meta).at(meta)?;
    Ok(partial.remove().at(meta)?)
}
