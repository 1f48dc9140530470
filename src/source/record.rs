//! `data/SOURCE.json`: the source of the files of `data/`.

use super::{DownloadRequest, SourceError};
use crate::atomic::At;
use crate::digest;
use crate::workspace::Workspace;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::str::FromStr;

/// The contents of `data/SOURCE.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Record {
    /// Version of this format: 1.
    pub format: u32,
    /// The source; the query of an address, which can be a secret, is left out.
    pub source: String,
    /// When it was fetched.
    pub downloaded_at: jiff::Timestamp,
    /// Number of bytes fetched.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
    /// The server's ETag of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When the source last changed, according to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// The files made from the download.
    pub files: Vec<FileRecord>,
    /// The split into reference and current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitRecord>,
}

/// A file in `data/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileRecord {
    /// Its path in the workspace.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// How the rows were split into reference and current.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SplitRecord {
    /// The table that was split.
    pub table: String,
    /// The rule of the split.
    pub by: By,
    /// The column with the time or the key; none when the whole row is the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The requested share of rows for the reference.
    pub share: f64,
    /// For a split by time: the first time of the current rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// Rows of the reference.
    pub reference: u64,
    /// Rows of the current table.
    pub current: u64,
    /// Rows that were left out because they did not fit.
    pub left_out: u64,
}

/// The content of `data/SOURCE.json`, if it exists and is valid.
pub(super) fn read(workspace: &Workspace) -> Result<Option<Record>, SourceError> {
    let path = workspace.path("data/SOURCE.json");
    let bytes = std::fs::read(&path).if_there().at(&path)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// The last download, if it had the same source and its files are unchanged: then the server may answer "not modified".
pub(super) fn known(workspace: &Workspace, request: &DownloadRequest) -> Result<Option<Record>, SourceError> {
    let Some(record) = read(workspace)?.filter(|_| !request.force) else { return Ok(None) };
    let same_split = match (&record.split, request.split) {
        (None, None) => true,
        (Some(was), Some(wanted)) => {
            was.by == wanted.by
                && was.share.to_bits() == wanted.share.to_bits()
                && (wanted.column.is_none() || was.column == wanted.column)
                && request.table.is_none_or(|table| was.table == table)
        }
        _ => false,
    };
    let same_bytes = request.sha256.is_none_or(|wanted| wanted.eq_ignore_ascii_case(&record.sha256));
    if record.source != request.source.public() || !same_split || !same_bytes {
        return Ok(None);
    }
    for file in &record.files {
        let as_it_was = File::open(workspace.path(&file.file)).and_then(digest::of);
        if as_it_was.ok() != Some((file.bytes, file.sha256.clone())) {
            return Ok(None);
        }
    }
    Ok(Some(record))
}

/// What decides the side of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The earliest rows are the reference.
    Time,
    /// A hash of the row's key: the same key is always on the same side.
    Hash,
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "time" => Ok(Self::Time),
            "hash" => Ok(Self::Hash),
            _ => Err("it must be time or hash".to_owned()),
        }
    }
}
