//! Errors of a workspace.

use crate::atomic::AtPath;
use crate::registry::RegistryError;
use crate::table::TableError;
use std::path::PathBuf;

/// Errors of a workspace.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// There is no `mlloop.toml`.
    #[error("{}: no loop here: run `mlloop init TABLE` first, or name its directory with -C DIR", .0.display())]
    NoLoop(PathBuf),
    /// `mlloop.toml` exists and would be replaced.
    #[error("{}: exists; --force replaces it", .0.display())]
    Exists(PathBuf),
    /// `mlloop.toml` is invalid.
    #[error("{}: {what}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The error, with its line.
        what: String,
    },
    /// Another `mlloop` is changing this loop.
    #[error("{}: another mlloop{} is changing this loop; try again when it is done", .path.display(), process(*.holder))]
    Locked {
        /// The lock.
        path: PathBuf,
        /// The other process, when it is known.
        holder: Option<u32>,
    },
    /// The audit chain is broken, so nothing may be added to it.
    #[error("{}: {what}", .path.display())]
    Audit {
        /// The file.
        path: PathBuf,
        /// The problem.
        what: String,
    },
    /// A file does not match the audit chain, so it is not used for training and not overwritten.
    #[error(
        "{file} {what}: restore it (runs/backup/ and runs/kept/ have copies), or accept it as it is with \
         `mlloop audit accept {file} --by YOU`"
    )]
    Altered {
        /// The file.
        file: String,
        /// The change of the file, as a clause.
        what: String,
    },
    /// A file that the chain does not record.
    #[error(
        "{}: only data/labels.csv, data/feedback.csv and {} can be accepted; restore files of versions, or train them \
         again",
        .file.display(), .reference.display()
    )]
    NotHeld {
        /// The file.
        file: PathBuf,
        /// The loop's reference.
        reference: PathBuf,
    },
    /// The reference is missing.
    #[error(
        "{} is missing, and the loop needs its reference: restore it (runs/backup/ and runs/kept/ have copies)",
        .reference.display()
    )]
    Needed {
        /// The loop's reference.
        reference: PathBuf,
    },
    /// A line of the audit chain lacks a detail, or has an invalid one.
    #[error("audit.jsonl: line {line} ({event}): {key:?} {what}")]
    Event {
        /// The line, from 1.
        line: u64,
        /// The kind of change.
        event: String,
        /// The key of the detail.
        key: String,
        /// The problem.
        what: String,
    },
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// A table cannot be opened.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A system error.
    #[error("{0}")]
    Io(#[from] AtPath),
}

fn process(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |id| format!(" (process {id})"))
}
