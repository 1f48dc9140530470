//! Brings data from another place to `data/`: the logic of `download`.
//!
//! ```text
//! kaggle:owner/set ─ POST ─▶ 302 ─┐
//! https://host/file ──────────────┼─▶ data/.partial/KEY ─▶ SHA-256 ─▶ unpack ─▶ split ─▶ data/, all files at once
//! file:, a path ──────────────────┘   (resumed by Range)
//! ```
//! Nothing in `data/` changes before everything has been downloaded, checked and unpacked.

mod archive;
mod credentials;
mod fetched;
mod http;
mod kaggle;
mod place;
mod record;
mod split;
mod transfer;

pub use credentials::{Credentials, Found};
pub use http::Address;
pub(crate) use http::decode_percents;
pub use kaggle::Dataset;
pub use record::{By, FileRecord, Record, SplitRecord};

use crate::atomic::AtPath;
use crate::table::place::{self as named, is_address};
use crate::table::{TableError, TableOptions};
use crate::workspace::{Workspace, WorkspaceError};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Errors between a source and `data/`.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A text that is not a source.
    #[error("{text:?} {what}")]
    NotASource {
        /// The text.
        text: String,
        /// Why not.
        what: String,
    },
    /// The server requires credentials.
    #[error("{from}: the server requires credentials (status {status}){said}")]
    Unauthorized {
        /// The requested source.
        from: String,
        /// The status.
        status: u16,
        /// The server's message, after a colon.
        said: String,
        /// Whether the source is Kaggle.
        kaggle: bool,
        /// Whether credentials were sent.
        sent: bool,
    },
    /// The source does not exist.
    #[error("{from}: the data set or file does not exist (status {status}){said}")]
    NotFound {
        /// The requested source.
        from: String,
        /// The status.
        status: u16,
        /// The server's message, after a colon.
        said: String,
    },
    /// The server gave another response.
    #[error("{from}: {what}")]
    Answer {
        /// The requested source.
        from: String,
        /// The error in the response.
        what: String,
    },
    /// Every attempt failed.
    #[error("{from}: failed after {tries} attempts: {why}")]
    GaveUp {
        /// The requested source.
        from: String,
        /// Number of attempts without progress.
        tries: u32,
        /// The error of the last attempt.
        why: String,
    },
    /// The data is larger than allowed.
    #[error("{from}: is larger than {max} bytes")]
    TooLarge {
        /// The source, or the member of an archive.
        from: String,
        /// The limit.
        max: u64,
    },
    /// The checksum differs from the expected one.
    #[error("{from}: its SHA-256 is {found}, not {expected}; nothing was changed")]
    Digest {
        /// The source.
        from: String,
        /// The actual value.
        found: String,
        /// The expected value.
        expected: String,
    },
    /// An archive that is damaged or hostile.
    #[error("{file}: {what}; nothing was unpacked")]
    Archive {
        /// The archive.
        file: String,
        /// The problem.
        what: String,
    },
    /// A file that exists and would be replaced.
    #[error("{}: exists and differs from what was downloaded; --force replaces it", .0.display())]
    Exists(PathBuf),
    /// The rows cannot be split as requested.
    #[error("{0}")]
    Split(String),
    /// A table that cannot be read.
    #[error("{0}")]
    Table(#[from] TableError),
    /// Another process is downloading the same source.
    #[error("{0}: another mlloop is downloading it into this loop")]
    Busy(String),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// An I/O error.
    #[error("{0}")]
    Io(#[from] AtPath),
}

/// The source of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A data set on Kaggle.
    Kaggle(Dataset),
    /// An address.
    Http(Address),
    /// A table in a database, or an object of S3, by its address.
    Served(PathBuf),
    /// A file on this machine.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = SourceError;

    /// `kaggle:owner/dataset[/file][@version]`, `https://…`, `http://…`, `postgres://…`, `s3://…`, `file:…` or a path.
    fn from_str(text: &str) -> Result<Self, SourceError> {
        let wrong = |what: &str| SourceError::NotASource { text: text.to_owned(), what: what.to_owned() };
        if let Some(dataset) = text.strip_prefix("kaggle:") {
            return dataset.parse().map(Self::Kaggle).map_err(|what: String| wrong(&what));
        }
        if text.starts_with("https://") || text.starts_with("http://") {
            return Address::parse(text).map(Self::Http).map_err(|what| wrong(&what));
        }
        if is_address(Path::new(text)) {
            // Errors are reported when it is opened, in messages without the password.
            return Ok(Self::Served(PathBuf::from(text)));
        }
        if let Some(path) = text.strip_prefix("file:") {
            let path = path.strip_prefix("//localhost").or_else(|| path.strip_prefix("//")).unwrap_or(path);
            let path = http::decode_percents(path).ok_or_else(|| wrong("is not a file: address"))?;
            return Ok(Self::File(PathBuf::from(path)));
        }
        match text.split_once("://") {
            Some((scheme, _)) if !scheme.contains('/') => {
                Err(wrong("has an unknown scheme: use kaggle:, https:, http:, postgres:, s3: or file:"))
            }
            _ if text.is_empty() => Err(wrong("names nothing")),
            _ => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

impl Source {
    /// The source in a form that can be stored: without the query of a URL, which can be a secret.
    #[must_use]
    pub fn public(&self) -> String {
        match self {
            Self::Kaggle(dataset) => dataset.to_string(),
            Self::Http(address) => address.public(),
            Self::Served(path) => named::shown(path),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// How rows are split into reference and current.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// The rule of the split.
    pub by: By,
    /// The column with the time, or the key that keeps rows together; detected if `None`.
    pub column: Option<String>,
    /// Share of rows for the reference, inside `(0, 1)`.
    pub share: f64,
}

/// The source, and the options of a download.
pub struct DownloadRequest<'a> {
    /// The source.
    pub source: &'a Source,
    /// The address of Kaggle's API, `https://api.kaggle.com/v1`.
    pub kaggle_api: &'a str,
    /// The user agent.
    pub credentials: Option<&'a Credentials>,
    /// The expected SHA-256, as 64 hexadecimal digits.
    pub sha256: Option<&'a str>,
    /// Maximum number of bytes to fetch and to unpack.
    pub max_bytes: u64,
    /// Number of retries without progress.
    pub retries: u32,
    /// Certificates (PEM) to trust instead of the public ones.
    pub root_certificates: Option<&'a [u8]>,
    /// Replace files that differ.
    pub force: bool,
    /// Split the table into reference and current.
    pub split: Option<&'a Split>,
    /// Which file of an archive is the table to split.
    pub table: Option<&'a str>,
    /// How the table to split is written.
    pub read: TableOptions,
    /// Current time, injected.
    pub now: jiff::Timestamp,
    /// Waits for a time, injected.
    pub wait: &'a dyn Fn(Duration),
    /// Progress callback.
    pub progress: &'a dyn Fn(Progress<'_>),
}

/// The progress of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Bytes received, and the total if known.
    Bytes(u64, Option<u64>),
    /// The transfer failed and is tried again after a pause.
    Again {
        /// The reason.
        why: &'a str,
        /// The length of the pause.
        pause: Duration,
    },
}

/// The result.
#[derive(Debug)]
pub struct Downloaded {
    /// The content of `data/SOURCE.json`.
    pub record: Record,
    /// Whether anything changed.
    pub new: bool,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Downloads, checks, unpacks and splits, and moves the files to `data/`.
///
/// # Errors
/// See [`SourceError`]; `data/` is then unchanged. A partial transfer is kept and resumed.
pub fn download(workspace: &Workspace, request: &DownloadRequest) -> Result<Downloaded, SourceError> {
    if request.split.is_some_and(|split| !(split.share > 0.0 && split.share < 1.0)) {
        return Err(SourceError::Split("--reference must be a share between 0 and 1, such as 0.7".to_owned()));
    }
    let fetched = match request.source {
        Source::File(path) => fetched::Fetched::local(path, request)?,
        Source::Served(path) => fetched::Fetched::served(path, request)?,
        _ => {
            workspace.create()?;
            let known = record::known(workspace, request)?;
            match (transfer::fetch(workspace, request, known.as_ref())?, known) {
                (Some(fetched), _) => fetched,
                // Ask the server for changes only if the files are unchanged since the download.
                (None, Some(record)) => return Ok(unchanged(record)),
                (None, None) => {
                    let what = "answers \"not modified\" to an unconditional request".to_owned();
                    return Err(SourceError::Answer { from: request.source.public(), what });
                }
            }
        }
    };
    let placed = check(&fetched, request).and_then(|()| place::place(workspace, request, &fetched));
    if !matches!(placed, Err(SourceError::Exists(_) | SourceError::Split(_) | SourceError::Workspace(_))) {
        // An invalid partial download must not be resumed; a valid one is now in `data/`.
        fetched.discard()?;
    }
    placed
}

fn unchanged(record: Record) -> Downloaded {
    Downloaded { record, new: false, notes: vec!["not modified since the last download".to_owned()] }
}

fn check(fetched: &fetched::Fetched, request: &DownloadRequest) -> Result<(), SourceError> {
    match request.sha256 {
        Some(expected) if !expected.eq_ignore_ascii_case(&fetched.sha256) => Err(SourceError::Digest {
            from: request.source.public(),
            found: fetched.sha256.clone(),
            expected: expected.to_lowercase(),
        }),
        _ => Ok(()),
    }
}

impl From<io::Error> for SourceError {
    /// Errors while files are written beside `data/`.
    fn from(source: io::Error) -> Self {
        AtPath::new("data", source).into()
    }
}
