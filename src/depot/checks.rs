//! Checks before anything is copied: of the local loop, and of the copy.

use super::files::{self, CHAIN, Kind, kind};
use super::{DepotError, Filed, Index, Moved, Place};
use crate::registry::{Seals, Version};
use crate::workspace::audit::{Chain, Entry};
use crate::workspace::event::Trained;
use crate::workspace::{CONFIG_FILE, Config, Workspace, WorkspaceError, recorded_data};
use std::collections::BTreeSet;

/// New path of our `mlloop.toml` if the remote one replaces it.
pub(super) const OURS: &str = "runs/backup/mlloop.here.toml";

/// The chain of a loop whose files match it; data files are checked only if they are `moved`.
pub(super) fn sound(workspace: &Workspace, moved: impl Fn(&str) -> bool) -> Result<Chain, DepotError> {
    let chain = workspace.audit_chain()?;
    if let Some(broken) = &chain.broken {
        return Err(DepotError::Refused(format!(
            "{}: line {} {}; see `mlloop audit verify`",
            workspace.path(CHAIN).display(),
            broken.line,
            broken.what
        )));
    }
    let mut found = workspace.verify_files(&chain)?;
    found.different.retain(|different| !kind(&different.file).is_some_and(Kind::is_data) || moved(&different.file));
    match found.different.first() {
        None => Ok(chain),
        Some(first) => {
            let more = found.different.len() - 1;
            let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
            Err(DepotError::Refused(format!(
                "{} {}{more}; see `mlloop audit verify --deep`: nothing was copied",
                first.file, first.what
            )))
        }
    }
}

/// Refuses names that lead out of the loop, or to a file that does not belong in a copy.
pub(super) fn names(place: &Place, index: &Index) -> Result<(), DepotError> {
    let hex = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let wrong = index.files.iter().find(|(name, file)| kind(name).is_none() || !hex(&file.sha256));
    match wrong {
        None => Ok(()),
        Some((name, _)) => Err(DepotError::Refused(format!(
            "{}: names {name:?}, which cannot be a file of a copy; nothing was changed",
            place.shown()
        ))),
    }
}

/// The audit chain of a place, complete and ending where its index says.
pub(super) fn chain_of(place: &Place, index: &Index) -> Result<Chain, DepotError> {
    let refused = |what: String| Err(DepotError::Refused(format!("{}: {what}; nothing was changed", place.shown())));
    let Some(file) = index.files.get(CHAIN) else { return refused(format!("has no {CHAIN}")) };
    let mut bytes = Vec::new();
    place.fetch(file, &mut bytes)?;
    let chain = Chain::of(&bytes);
    if let Some(broken) = &chain.broken {
        return refused(format!("line {} of its {CHAIN} {}", broken.line, broken.what));
    }
    match chain.entries.last().map(Entry::head) {
        Some(head) if head == index.head && !chain.unfinished => Ok(chain),
        _ => refused(format!("its {CHAIN} does not end where loop.json says")),
    }
}

/// Verifies the names and digests of versions by the chain.
pub(super) fn held(place: &Place, index: &Index, chain: &Chain, reference: Option<&str>) -> Result<(), DepotError> {
    let refused = |name: &str, what: &str| {
        Err(DepotError::Refused(format!("{}: {name} {what}; nothing was changed", place.shown())))
    };
    let of = |name: &str| match kind(name) {
        Some(Kind::Version(version)) => Some(version),
        _ => None,
    };
    let versions: BTreeSet<Version> = index.files.keys().filter_map(|name| of(name)).collect();
    for version in versions {
        if chain.maker_of(version)?.is_none() {
            return refused(&version.to_string(), "is not recorded in its audit chain");
        }
        let sealed = chain.last_with(|entry| seals_of(entry, version))?;
        let Some((made, seals)) = sealed else { continue };
        let dir = format!("models/{version}/");
        for (name, file) in index.files.iter().filter(|(name, _)| of(name) == Some(version)) {
            if seals.get(name.strip_prefix(&dir).unwrap_or_default()) != Some(&file.sha256) {
                return refused(name, &format!("differs from what line {} of its audit chain recorded", made.seq));
            }
        }
        for name in seals.keys().map(|name| format!("{dir}{name}")) {
            if !index.files.contains_key(&name) {
                return refused(&name, &format!("is missing; line {} of its audit chain recorded it", made.seq));
            }
        }
    }
    for version in chain.entries.last().and_then(|_| roles(chain)).into_iter().flatten() {
        if !index.files.keys().any(|name| of(name) == Some(version)) {
            return refused(&version.to_string(), "has a role and is missing");
        }
    }
    // Data, if the place has it.
    for (name, sha256) in recorded_data(chain, reference.unwrap_or_default())? {
        if index.files.get(&name).is_some_and(|file| file.sha256 != sha256) {
            return refused(&name, "differs from what its audit chain records");
        }
    }
    Ok(())
}

/// The one table that a place may have beside the labels: the reference that its configuration names.
pub(super) fn reference_of(place: &Place, index: &Index) -> Result<Option<String>, DepotError> {
    let refused = |what: String| DepotError::Refused(format!("{}: {what}; nothing was changed", place.shown()));
    let file = index.files.get(CONFIG_FILE).ok_or_else(|| refused(format!("has no {CONFIG_FILE}")))?;
    let mut bytes = Vec::new();
    place.fetch(file, &mut bytes)?;
    let wrong = |what: String| refused(format!("its {CONFIG_FILE}: {what}"));
    let text = String::from_utf8(bytes).map_err(|err| wrong(err.to_string()))?;
    let reference = files::table_of(&Config::parse(&text).map_err(wrong)?);
    let other = index.files.keys().find(|name| kind(name) == Some(Kind::Table) && Some(*name) != reference.as_ref());
    match other {
        None => Ok(reference),
        Some(name) => Err(refused(format!("names {name:?}, which cannot be a file of a copy"))),
    }
}

/// The digests of the files of a version, from the line that records them.
fn seals_of(entry: &Entry, version: Version) -> Result<Option<Seals>, WorkspaceError> {
    Ok(entry.of::<Trained>()?.filter(|made| made.version == version).and_then(|made| made.files))
}

/// The versions that have a role at the end of a chain.
fn roles(chain: &Chain) -> Option<Vec<Version>> {
    let roles = chain.entries.iter().rev().find_map(|entry| entry.roles.as_ref())?;
    Some(roles.production.into_iter().chain(roles.challenger).collect())
}

pub(super) fn sum<'a>(files: impl Iterator<Item = &'a Filed>) -> Moved {
    let mut sum = Moved::default();
    files.for_each(|file| sum.add(file.bytes));
    sum
}
