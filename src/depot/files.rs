//! Which files of a loop are copied, and which names a copy may contain.
//!
//! | files | sent |
//! |---|---|
//! | `mlloop.toml`, `audit.jsonl`, the versions, `reports/`, `approvals/` | always |
//! | labels, feedback, the reference and its archived copies | with `--data` |
//! | the prediction log, the current table, the inbox, the run log, `secrets/` | never |
//!
//! Roles and experiments follow from the chain.

use super::{DepotError, Filed};
use crate::atomic::{self, At};
use crate::digest;
use crate::registry::{RegistryError, Version};
use crate::workspace::audit::Chain;
use crate::workspace::event::Pruned;
use crate::workspace::{CONFIG_FILE, Config, FEEDBACK_FILE, LABELS_FILE, Workspace};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

pub(super) const CHAIN: &str = "audit.jsonl";
/// Folders of files that verbs regenerate.
const MADE: [&str; 2] = ["reports", "approvals"];
/// Which rows the reference received, and from where: copied with the reference.
const BESIDE: [&str; 2] = ["data/reference.json", "data/SOURCE.json"];
const KEPT: &str = "runs/kept";

/// The files of a loop that are copied.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) files: BTreeMap<String, Filed>,
    /// Files with data.
    pub(super) data: BTreeMap<String, Filed>,
    /// The name of the training table, if it is inside the loop.
    pub(super) reference: Option<String>,
}

/// Reads every file of a loop with this chain. Files of versions are verified by the chain.
pub(super) fn look(workspace: &Workspace, chain: &Chain) -> Result<Own, DepotError> {
    let mut own = Own::default();
    if let Some(mut filed) = read(&workspace.path(CHAIN), u64::MAX)? {
        // An incomplete last line of a crash is ignored.
        if chain.unfinished {
            let path = workspace.path(CHAIN);
            let bytes = atomic::read(&path).at(&path)?;
            let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
            filed.sha256 = digest::sha256(&bytes[..whole]);
            filed.bytes = whole as u64;
        }
        own.files.insert(CHAIN.to_owned(), filed);
    }
    own.files.extend(one(workspace, CONFIG_FILE)?);
    for dir in MADE {
        own.files.extend(folder(workspace, dir)?);
    }
    for version in versions(workspace, chain)? {
        own.files.extend(version_files(workspace, version)?);
    }
    let reference = reference(workspace)?;
    for name in [LABELS_FILE, FEEDBACK_FILE].into_iter().chain(reference.as_deref()).chain(BESIDE) {
        own.data.extend(one(workspace, name)?);
    }
    own.data.extend(folder(workspace, KEPT)?);
    own.reference = reference;
    Ok(own)
}

/// The versions that the chain made and did not remove.
fn versions(workspace: &Workspace, chain: &Chain) -> Result<Vec<Version>, DepotError> {
    let mut gone = BTreeSet::new();
    for line in chain.all_of::<Pruned>() {
        gone.extend(line?.1.versions);
    }
    let mut found = Vec::new();
    for version in workspace.registry().versions()? {
        if !gone.contains(&version) && chain.maker_of(version)?.is_some() {
            found.push(version);
        }
    }
    Ok(found)
}

fn version_files(workspace: &Workspace, version: Version) -> Result<BTreeMap<String, Filed>, DepotError> {
    let files = folder(workspace, &format!("models/{version}"))?;
    let seals = workspace.registry().seals(version)?;
    for (name, seal) in seals.iter().flat_map(|seals| seals.iter()) {
        let name = format!("models/{version}/{name}");
        if files.get(&name).is_none_or(|file| file.sha256 != *seal) {
            return Err(RegistryError::Altered { version, path: workspace.path(name) }.into());
        }
    }
    Ok(files)
}

/// The reference, if it is inside the loop.
pub(super) fn reference(workspace: &Workspace) -> Result<Option<String>, DepotError> {
    Ok(table_of(&workspace.config()?))
}

/// The reference of this configuration, if it is inside the loop.
pub(super) fn table_of(config: &Config) -> Option<String> {
    config.data.reference.to_str().filter(|name| kind(name) == Some(Kind::Table)).map(str::to_owned)
}

fn one(workspace: &Workspace, name: &str) -> Result<Option<(String, Filed)>, DepotError> {
    Ok(read(&workspace.path(name), u64::MAX)?.map(|filed| (name.to_owned(), filed)))
}

/// The files in a folder of the loop, without subfolders.
fn folder(workspace: &Workspace, dir: &str) -> Result<BTreeMap<String, Filed>, DepotError> {
    let path = workspace.path(dir);
    let Some(entries) = std::fs::read_dir(&path).if_there().at(&path)? else { return Ok(BTreeMap::new()) };
    let mut found = BTreeMap::new();
    for entry in entries {
        let entry = entry.at(&path)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !is_plain(&name) || !entry.path().is_file() {
            continue;
        }
        found.extend(one(workspace, &format!("{dir}/{name}"))?);
    }
    Ok(found)
}

/// A file's length, digest and mode; `None` if it is missing.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Filed>, DepotError> {
    let Some(file) = atomic::open(path).if_there().at(path)? else { return Ok(None) };
    let mode = file.metadata().at(path)?.permissions().mode() & 0o666;
    let (bytes, sha256) = digest::of(file.take(limit)).at(path)?;
    Ok(Some(Filed { sha256, bytes, mode }))
}

/// The kind of a file by its name; `None` for a name not allowed in a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Chain,
    Config,
    Version(Version),
    /// A verb regenerates it.
    Made,
    Data,
    /// A table that may be the reference.
    Table,
}

impl Kind {
    pub(super) fn is_data(self) -> bool {
        matches!(self, Self::Data | Self::Table)
    }
}

pub(super) fn kind(name: &str) -> Option<Kind> {
    match name {
        CHAIN => return Some(Kind::Chain),
        CONFIG_FILE => return Some(Kind::Config),
        LABELS_FILE | FEEDBACK_FILE => return Some(Kind::Data),
        _ if BESIDE.contains(&name) => return Some(Kind::Data),
        _ => {}
    }
    let Some((dir, file)) = name.rsplit_once('/') else { return is_table(name).then_some(Kind::Table) };
    if !is_plain(file) {
        return None;
    }
    if MADE.contains(&dir) {
        return Some(Kind::Made);
    }
    if let Some(version) = dir.strip_prefix("models/") {
        let number: Version = version.parse().ok()?;
        return (number.to_string() == version).then_some(Kind::Version(number));
    }
    if dir == KEPT {
        return Some(Kind::Data);
    }
    is_table(name).then_some(Kind::Table)
}

/// Whether this can be the training table of a loop: a file inside the loop, outside of the loop's own
/// folders.
fn is_table(name: &str) -> bool {
    const OWN: [&str; 8] =
        ["models", "runs", "reports", "approvals", "predictions", "label_inbox", "secrets", "objects"];
    let path = Path::new(name);
    let parts: Vec<_> = path.components().collect();
    let plain = |part: &Component| matches!(part, Component::Normal(part) if part.to_str().is_some_and(is_plain));
    let own = parts.first().and_then(|part| part.as_os_str().to_str()).is_none_or(|first| OWN.contains(&first));
    let is_top = parts.len() == 1;
    let is_own_file = is_top && ["mlloop.toml", "audit.jsonl", "ab.json", "loop.json"].contains(&name);
    !own && !is_own_file && parts.iter().all(plain) && !name.contains("//")
}

/// Whether this is the name of a visible file.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']) && !name.chars().any(char::is_control)
}
