//! A copy of a loop in another place: the logic of `push` and `pull`.
//!
//! ```text
//! PLACE/objects/SHA256   the bytes of every file, under their digest: written once, never changed
//! PLACE/loop.json        names, digests and modes, and the end of the audit chain: written last, under a condition
//!
//! push   digests here ─▶ objects that are missing there ─▶ loop.json, unless changed by another writer meanwhile
//! pull   loop.json ─▶ the chain: whole, and longer than ours ─▶ objects to runs/pulling/ ─▶ all digests ─▶ into place at once
//! ```
//! Roles are not included: they follow from the chain, and are set last. A chain only grows. If two loops diverged,
//! neither replaces the other.

mod answer;
mod checks;
mod files;
mod place;
mod pull;
mod push;

pub use answer::{Moved, Pulled, Pushed};
pub use place::Place;
pub use pull::{PullRequest, pull};
pub use push::{PushRequest, push};

use crate::atomic::AtPath;
use crate::registry::{Head, RegistryError};
use crate::s3::S3Error;
use crate::workspace::WorkspaceError;
use crate::workspace::audit::{Chain, Entry};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Errors of push and pull.
#[derive(Debug, thiserror::Error)]
pub enum DepotError {
    /// A problem of the loop.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// An error of an object store.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// A system error.
    #[error("{0}")]
    Io(#[from] AtPath),
    /// Refused, because data would be lost or the copy is damaged.
    #[error("{0}")]
    Refused(String),
}

impl From<RegistryError> for DepotError {
    fn from(err: RegistryError) -> Self {
        Self::Workspace(err.into())
    }
}

/// `loop.json`: what a place has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    /// Version of this format: 1.
    format: u32,
    /// The version of mlloop that wrote it.
    mlloop: String,
    /// When it was written.
    at: Timestamp,
    /// The end of its audit chain.
    head: Head,
    /// Every file, by its name in the loop.
    files: BTreeMap<String, Filed>,
    /// Files with data that the loop had but did not send.
    left_out: BTreeSet<String>,
}

/// A file of a loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filed {
    sha256: String,
    bytes: u64,
    /// The file mode, as far as the umask of the other side allows.
    mode: u32,
}

/// The relation of a loop and its copy.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// Both end with the same line.
    Same,
    /// This many lines are only in the copy.
    Behind(usize),
    /// This many lines are only in this loop.
    Ahead(usize),
    /// The chains differ after this many lines.
    Apart(usize),
}

fn compare(here: &[Entry], there: &[Entry]) -> Standing {
    let common = here.iter().zip(there).take_while(|(a, b)| a.hash == b.hash).count();
    match (here.len() - common, there.len() - common) {
        (0, 0) => Standing::Same,
        (0, n) => Standing::Behind(n),
        (n, 0) => Standing::Ahead(n),
        _ => Standing::Apart(common),
    }
}

/// Two diverged loops.
fn apart(place: &Place, here: &Chain, there: &Chain, common: usize) -> DepotError {
    let last = |chain: &Chain| {
        chain.entries.last().map_or_else(String::new, |entry| {
            let hash = entry.hash.get(..12).unwrap_or_default();
            format!("line {} ({} on {}, {hash})", entry.seq, entry.event, entry.at.strftime("%Y-%m-%d %H:%M"))
        })
    };
    let since = match common {
        0 => "is a different loop".to_owned(),
        n => format!("and this loop diverged after line {n}"),
    };
    DepotError::Refused(format!(
        "{}: {since}: it ends with {}, this loop with {}; nothing was changed. Pull it into a new directory (mlloop \
         -C DIR pull {}), and repeat there the changes that only this loop has",
        place.shown(),
        last(there),
        last(here),
        place.shown()
    ))
}

/// How a file that both sides have was changed since both were the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    /// Both are the same.
    Nothing,
    /// Only this side changed it.
    Here,
    /// Only the other side changed it.
    There,
    /// Both changed it, or it is unknown.
    Both,
}

fn since(base: Option<&str>, here: &str, there: &str) -> Since {
    match base {
        _ if here == there => Since::Nothing,
        Some(base) if base == here => Since::There,
        Some(base) if base == there => Since::Here,
        _ => Since::Both,
    }
}

/// Reports progress over `total` bytes.
pub type Progress<'a> = &'a dyn Fn(u64, u64);
