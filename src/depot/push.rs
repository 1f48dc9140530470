//! Copies a loop to a place.

use super::checks::{OURS, chain_of, sound, sum};
use super::files::{self, Kind, Own, kind};
use super::{DepotError, Filed, Index, Place, Progress, Pushed, Since, Standing, apart, compare, since};
use crate::workspace::audit::{Chain, Entry};
use crate::workspace::away::Away;
use crate::workspace::{CONFIG_FILE, Workspace, recorded_gone};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What to send.
#[derive(Debug, Clone, Copy)]
pub struct PushRequest {
    /// Also labels, feedback and the reference.
    pub data: bool,
    /// Check every object, also those that the index of the place lists.
    pub recheck: bool,
    /// Report only; change nothing.
    pub dry_run: bool,
    /// Current time, injected.
    pub now: Timestamp,
}

/// Makes `place` a copy of the loop. Holds the loop's lock meanwhile.
///
/// # Errors
/// If the place has entries that this loop lacks, a file does not match the chain, and any error of the server or I/O.
pub fn push(
    workspace: &Workspace,
    place: &Place,
    request: PushRequest,
    progress: Progress,
) -> Result<Pushed, DepotError> {
    workspace.config()?;
    if place.is(workspace.dir()) {
        return Err(DepotError::Refused(format!("{}: is the directory of the loop itself", place.shown())));
    }
    let lock = workspace.lock()?;
    let found = place.index()?;
    let there = found.as_ref().map(|found| &found.index);
    let is_sent = |name: &str| request.data || there.is_some_and(|there| there.files.contains_key(name));
    let chain = sound(workspace, is_sent)?;
    let Some(head) = chain.entries.last().map(Entry::head) else {
        return Err(DepotError::Refused(
            "there is nothing to push yet: train the first version with `mlloop train`".to_owned(),
        ));
    };
    let new_lines = there.map_or(Ok(head.seq), |there| ahead(place, &chain, there))?;
    let own = files::look(workspace, &chain)?;
    let away = Away::of(workspace)?;
    let before = |name: &str| away.as_ref().and_then(|away| away.base(place.shown(), name)).map(str::to_owned);
    let gone = recorded_gone(&chain)?;
    let Listed { files, left_out, theirs } = list(&own, there, &gone, before, is_sent)?;
    let missing = missing(place, &files, there, request.recheck)?;
    let index = Index {
        format: 1,
        mlloop: env!("CARGO_PKG_VERSION").to_owned(),
        at: request.now,
        head: head.clone(),
        files,
        left_out: left_out.clone(),
    };
    let changed =
        !missing.is_empty() || there.is_none_or(|there| (&there.head, &there.files) != (&index.head, &index.files));
    let answer = Pushed {
        place: place.shown().to_owned(),
        line: head.seq,
        new_lines,
        all: sum(index.files.values()),
        sent: sum(missing.values()),
        changed,
        left_out: left_out.into_iter().collect(),
        theirs,
        dry_run: request.dry_run,
    };
    if request.dry_run {
        return Ok(answer);
    }
    send(workspace, place, &missing, progress)?;
    if changed {
        place.make()?;
        place.put_index(&index, found.as_ref())?;
    }
    let base = index.files.iter().filter(|(name, file)| own.has(name, file));
    let mut base: BTreeMap<_, _> = base.map(|(name, file)| (name.clone(), file.sha256.clone())).collect();
    base.extend(answer.theirs.iter().filter_map(|name| Some((name.clone(), before(name)?))));
    let not_here = away.map(|away| away.not_here).unwrap_or_default();
    Away { place: place.shown().to_owned(), head, files: base, not_here }.keep(workspace, &lock)?;
    Ok(answer)
}

/// Number of lines that the place lacks.
fn ahead(place: &Place, chain: &Chain, there: &Index) -> Result<u64, DepotError> {
    if chain.entry(there.head.seq).is_some_and(|entry| entry.hash == there.head.hash) {
        return Ok(chain.entries.len() as u64 - there.head.seq);
    }
    let theirs = chain_of(place, there)?;
    match compare(&chain.entries, &theirs.entries) {
        Standing::Apart(common) => Err(apart(place, chain, &theirs, common)),
        Standing::Behind(n) => Err(DepotError::Refused(format!(
            "{}: has {n} {} more than this loop; nothing was changed. Run `mlloop pull {}`, then push again",
            place.shown(),
            if n == 1 { "change" } else { "changes" },
            place.shown()
        ))),
        Standing::Same | Standing::Ahead(_) => Ok(chain.entries.len() as u64 - there.head.seq),
    }
}

impl Own {
    fn has(&self, name: &str, file: &Filed) -> bool {
        self.files.get(name).or_else(|| self.data.get(name)).is_some_and(|own| own.sha256 == file.sha256)
    }
}

/// The content of the new index.
struct Listed {
    files: BTreeMap<String, Filed>,
    left_out: BTreeSet<String>,
    theirs: Vec<String>,
}

fn list(
    own: &Own,
    there: Option<&Index>,
    gone: &[&str],
    base: impl Fn(&str) -> Option<String>,
    is_sent: impl Fn(&str) -> bool,
) -> Result<Listed, DepotError> {
    let mut listed = Listed { files: own.files.clone(), left_out: BTreeSet::new(), theirs: Vec::new() };
    for (name, file) in &own.data {
        // Data in the place stays as the chain describes it.
        if is_sent(name) {
            listed.files.insert(name.clone(), file.clone());
        } else {
            listed.left_out.insert(name.clone());
        }
    }
    for (name, file) in there.iter().flat_map(|there| &there.files) {
        let ours = listed.files.get(name).map(|own| own.sha256.clone());
        match (kind(name), ours) {
            (Some(Kind::Made | Kind::Config), Some(ours)) => match since(base(name).as_deref(), &ours, &file.sha256) {
                Since::There => {
                    listed.files.insert(name.clone(), file.clone());
                    listed.theirs.push(name.clone());
                }
                Since::Both if name == CONFIG_FILE => {
                    return Err(DepotError::Refused(format!(
                        "{CONFIG_FILE} was changed both here and in the copy; nothing was changed: `mlloop pull \
                         --force` takes the one of the copy, and keeps yours as {OURS}"
                    )));
                }
                _ => {}
            },
            (Some(Kind::Table), None) if own.reference.as_ref() != Some(name) => {}
            (Some(Kind::Made | Kind::Data | Kind::Table), None) if !gone.contains(&name.as_str()) => {
                listed.files.insert(name.clone(), file.clone());
            }
            _ => {}
        }
    }
    Ok(listed)
}

/// The objects to send, by name.
fn missing(
    place: &Place,
    files: &BTreeMap<String, Filed>,
    there: Option<&Index>,
    recheck: bool,
) -> Result<BTreeMap<String, Filed>, DepotError> {
    let known: BTreeSet<&str> =
        there.iter().flat_map(|there| there.files.values()).map(|file| file.sha256.as_str()).collect();
    let mut asked = BTreeSet::new();
    let mut missing = BTreeMap::new();
    for (name, file) in files {
        if !asked.insert(file.sha256.as_str()) || (!recheck && known.contains(file.sha256.as_str())) {
            continue;
        }
        let is_there = if recheck { place.fetch(file, &mut std::io::sink()).is_ok() } else { place.has(file)? };
        if !is_there {
            missing.insert(name.clone(), file.clone());
        }
    }
    Ok(missing)
}

fn send(
    workspace: &Workspace,
    place: &Place,
    missing: &BTreeMap<String, Filed>,
    progress: Progress,
) -> Result<(), DepotError> {
    if !missing.is_empty() {
        place.make()?;
    }
    let total = sum(missing.values()).bytes;
    let mut done = 0;
    progress(0, total);
    for (name, file) in missing {
        let path = workspace.path(name);
        if !path.exists() {
            return Err(DepotError::Refused(format!(
                "{}: {name} is missing there and here; push from a loop that has it",
                place.shown()
            )));
        }
        place.send(file, &path)?;
        done += file.bytes;
        progress(done, total);
    }
    Ok(())
}
