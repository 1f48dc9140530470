//! After a promotion, the reference becomes the table that production was trained on.
//!
//! ```text
//! runs/backup/reference.csv ◀─link─ data/reference.csv ◀─rename─ combined ─▶ mlloop.toml (when it named another file)
//!                                            └─▶ audit: reference-updated ─▶ data/reference.json (done)
//! ```
//! Every step can be repeated; the last one records that all are done.

use super::{Added, Counts, Hashed, ReferenceError, combine, combined};
use crate::atomic::{self, Lock};
use crate::atomic::{At, AtPath};
use crate::digest::hex;
use crate::registry::Version;
use crate::report::grouped;
use crate::table::{Input, magic};
use crate::workspace::audit::Event;
use crate::workspace::event::{Details, ReferenceUpdated};
use crate::workspace::{ADOPTED, CONFIG_FILE, Config, EventKind, Workspace, WorkspaceError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The new reference's file if the old one cannot be replaced in place.
const USUAL: &str = "data/reference.csv";

/// The backup of the old reference.
const BACKUP: &str = "runs/backup/reference.csv";

/// The change to the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Adopted {
    /// The version whose rows it now has.
    pub version: Version,
    /// The file.
    pub path: PathBuf,
    /// The origin of its rows.
    #[serde(flatten)]
    pub counts: Counts,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl Adopted {
    /// A note for the user about the file, which may be their own.
    #[must_use]
    pub fn told(&self, workspace: &Workspace) -> String {
        let Counts { n_added, n_replaced, .. } = self.counts;
        let file = self.path.strip_prefix(workspace.dir()).unwrap_or(&self.path);
        let corrected = match n_replaced {
            0 => String::new(),
            1 => " and 1 corrected row".to_owned(),
            n => format!(" and {} corrected rows", grouped(n)),
        };
        let rows = if n_added == 1 { "row" } else { "rows" };
        let added = grouped(n_added);
        format!(
            "the reference {} now has {added} added {rows}{corrected}: those that {} learned from",
            file.display(),
            self.version
        )
    }
}

/// `data/reference.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Marker {
    format: u32,
    /// The versions whose rows are in the reference.
    adopted: Vec<Version>,
}

/// Checks that the rows of `version` can be added to the reference once that is production. Errors are found before
/// anything changes.
///
/// # Errors
/// If the rows do not fit the reference, or a file cannot be replaced.
pub fn can_settle(workspace: &Workspace, version: Version) -> Result<(), ReferenceError> {
    let done = read_marker(&workspace.path(ADOPTED))?;
    if done.adopted.contains(&version) || !workspace.registry().path(version)?.join(super::ADDED).exists() {
        return Ok(());
    }
    let config = workspace.config()?;
    let Some(added) = Added::of(workspace, &config, version)? else { return Ok(()) };
    if let Err(taken) = adoptable(workspace, &config)
        && !is_ours(workspace, &config, &added)?
    {
        return Err(taken);
    }
    let from = workspace.path(&config.data.reference);
    let is_own = is_own(workspace, &from)?;
    if is_own {
        workspace.replaceable(&config.data.reference)?;
        workspace.replaceable(BACKUP)?;
    } else {
        workspace.replaceable(USUAL)?;
        workspace.replaceable(CONFIG_FILE)?;
    }
    workspace.replaceable(ADOPTED)?;
    combined(&from, &config.schema(), &added).map(drop)
}

/// Checks that rows can be added to the reference. It is replaced in place if it is a plain text file in the workspace;
/// otherwise `data/reference.csv` is written and named in `mlloop.toml` from then on.
///
/// # Errors
/// If `data/reference.csv` is another table.
pub fn adoptable(workspace: &Workspace, config: &Config) -> Result<(), ReferenceError> {
    let configured = workspace.path(&config.data.reference);
    let usual = workspace.path(USUAL);
    if is_own(workspace, &configured)? || !usual.exists() {
        return Ok(());
    }
    if configured == usual {
        return Err(ReferenceError::Usage(format!(
            "{}: rows can only be added to a plain text file: put an uncompressed table there (no link), or name \
             another file under [data] reference",
            configured.display()
        )));
    }
    Err(ReferenceError::Usage(format!(
        "{}: rows can only be added to a plain text file in the loop's directory, but {USUAL} exists: move it away, \
         or name it under [data] reference",
        configured.display()
    )))
}

/// Adds the rows of the version in production to the reference, if not done yet.
///
/// # Errors
/// If the rows do not fit the reference, or I/O errors; the reference is then unchanged.
pub fn settle(workspace: &Workspace, lock: &Lock, now: jiff::Timestamp) -> Result<Option<Adopted>, ReferenceError> {
    let Some(version) = workspace.registry().roles()?.production else { return Ok(None) };
    let marker = workspace.path(ADOPTED);
    let mut done = read_marker(&marker)?;
    if done.adopted.contains(&version) || !workspace.registry().path(version)?.join(super::ADDED).exists() {
        return Ok(None);
    }
    let config = workspace.config()?;
    let Some(added) = Added::of(workspace, &config, version)? else { return Ok(None) };
    if let Err(taken) = adoptable(workspace, &config)
        && !is_ours(workspace, &config, &added)?
    {
        return Err(taken);
    }
    let from = workspace.path(&config.data.reference);
    let is_own = is_own(workspace, &from)?;
    let to = if is_own { from.clone() } else { workspace.path(USUAL) };
    for dir in ["data", "runs/backup"].map(|dir| workspace.path(dir)) {
        atomic::make_dirs(&dir).at(&dir)?;
    }
    if is_own {
        workspace.keep(lock, &config.data.reference)?;
        keep(&from, &workspace.path(BACKUP)).at(&from)?;
    }
    let (counts, sha256) = atomic::replace_like(&to, &from, |out| {
        let mut hashed = Hashed { out, hasher: Sha256::new() };
        let counts = combine(Input::open(&from)?, &config.schema(), &added, &mut hashed)?;
        Ok::<_, Written>((counts, hex(&hashed.hasher.finalize())))
    })
    .map_err(|written| written.named(&to))?;
    if !is_own {
        workspace.name_reference(USUAL)?;
    }
    let adopted = Adopted { version, path: to, counts, sha256 };
    record(workspace, lock, now, &adopted)?;
    done.format = 1;
    done.adopted.push(version);
    let write = atomic::replace(&marker, |out| {
        serde_json::to_writer(&mut *out, &done)?;
        out.write_all(b"\n")
    });
    write.at(&marker)?;
    Ok(Some(adopted))
}

/// Whether `data/reference.csv` was written by a process that died before it could name it in `mlloop.toml`.
fn is_ours(workspace: &Workspace, config: &Config, added: &Added) -> Result<bool, ReferenceError> {
    let usual = workspace.path(USUAL);
    let ours = combined(&workspace.path(&config.data.reference), &config.schema(), added)?.sha256;
    let mut hashed = Hashed { out: io::sink(), hasher: Sha256::new() };
    let copied = atomic::open(&usual).and_then(|mut file| io::copy(&mut file, &mut hashed));
    copied.at(&usual)?;
    Ok(hex(&hashed.hasher.finalize()) == ours)
}

/// Records the change, unless a process that died already did.
fn record(workspace: &Workspace, lock: &Lock, now: jiff::Timestamp, adopted: &Adopted) -> Result<(), ReferenceError> {
    let (version, n_rows, sha256) = (adopted.version, adopted.counts.n_rows(), adopted.sha256.clone());
    let updated = ReferenceUpdated { version, n_rows, sha256 };
    let last = workspace.audit_chain()?.entries.pop().map(|entry| entry.of()).transpose()?.flatten();
    if last.as_ref() == Some(&updated) {
        return Ok(());
    }
    let details = updated.value();
    workspace.record(lock, Event { at: now, event: EventKind::ReferenceUpdated, by: None, roles: None, details })?;
    Ok(())
}

/// Whether the file is a plain text CSV in the workspace, which may be replaced.
fn is_own(workspace: &Workspace, path: &Path) -> Result<bool, ReferenceError> {
    let look = || {
        let (dir, file) = (workspace.dir().canonicalize()?, path.canonicalize()?);
        let mut head = Vec::new();
        atomic::open(&file)?.take(4).read_to_end(&mut head)?;
        io::Result::Ok(
            file.starts_with(dir) && !path.is_symlink() && !magic::is_packed(&head) && !magic::is_json_lines(&head),
        )
    };
    Ok(look().at(path)?)
}

/// Keeps the bytes of `path` under another name too: as a link if the file system supports it, else as a copy.
fn keep(path: &Path, under: &Path) -> io::Result<()> {
    let beside = under.with_extension("new");
    atomic::remove_file(&beside)?;
    match fs::hard_link(path, &beside) {
        Ok(()) => atomic::rename(&beside, under),
        Err(_) => atomic::copy(path, under),
    }
}

fn read_marker(path: &Path) -> Result<Marker, ReferenceError> {
    let Some(bytes) = atomic::read(path).if_there().at(path)? else { return Ok(Marker::default()) };
    serde_json::from_slice(&bytes).map_err(|err| {
        let what = format!("does not list the versions whose rows are in the reference: {err}");
        ReferenceError::Apart { path: path.to_owned(), what }
    })
}

/// Errors while the new reference is written.
enum Written {
    Io(io::Error),
    Other(ReferenceError),
}

impl Written {
    fn named(self, path: &Path) -> ReferenceError {
        match self {
            Self::Io(source) => AtPath::new(path, source).into(),
            Self::Other(err) => err,
        }
    }
}

impl From<io::Error> for Written {
    fn from(err: io::Error) -> Self {
        Self::Io(err)
    }
}

impl From<ReferenceError> for Written {
    fn from(err: ReferenceError) -> Self {
        Self::Other(err)
    }
}

impl From<crate::table::TableError> for Written {
    fn from(err: crate::table::TableError) -> Self {
        Self::Other(err.into())
    }
}

/// A config file that cannot be written is named in its own error.
impl From<WorkspaceError> for Written {
    fn from(err: WorkspaceError) -> Self {
        Self::Other(err.into())
    }
}
