//! Copies a place to a loop.

use super::checks::{OURS, chain_of, held, names, reference_of, sound, sum};
use super::files::{self, CHAIN, Kind, kind};
use super::{DepotError, Filed, Index, Place, Progress, Pulled, Since, Standing, apart, compare, since};
use crate::atomic::{self, At, Incoming, Lock};
use crate::digest;
use crate::workspace::audit::{Chain, Entry};
use crate::workspace::away::{AWAY, Away};
use crate::workspace::{CONFIG_FILE, FEEDBACK_FILE, Workspace, feedback_seal};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Fetched files of an incomplete pull.
const FETCHED: &str = "runs/pulling";

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub struct PullRequest {
    /// Also labels, feedback and the reference.
    pub data: bool,
    /// Take `mlloop.toml` of the place although it was changed here as well.
    pub force: bool,
    /// Report only; change nothing.
    pub dry_run: bool,
}

/// Updates the loop to its copy in `place`; creates the loop if there is none.
///
/// # Errors
/// If the loop has entries that the place lacks, if a received file does not match the chain or its digest, and any
/// error of the server or I/O. The loop is then unchanged.
pub fn pull(
    workspace: &Workspace,
    place: &Place,
    request: PullRequest,
    progress: Progress,
) -> Result<Pulled, DepotError> {
    let Some(found) = place.index()? else {
        return Err(DepotError::Refused(format!(
            "{}: contains no loop: `mlloop push {0}` puts one there",
            place.shown()
        )));
    };
    let there = found.index;
    names(place, &there)?;
    let chain = chain_of(place, &there)?;
    let reference = reference_of(place, &there)?;
    held(place, &there, &chain, reference.as_deref())?;
    // Taking the lock completes an interrupted pull.
    let is_new = !workspace.config_path().exists() && !atomic::is_incoming(workspace.dir());
    let lock = if is_new && request.dry_run { None } else { Some(begin(workspace, is_new)?) };
    let here = if is_new { Chain::of(b"") } else { sound(workspace, |name| there.files.contains_key(name))? };
    let (new_lines, ahead) = match compare(&here.entries, &chain.entries) {
        Standing::Apart(common) => return Err(apart(place, &here, &chain, common)),
        Standing::Same => (0, 0),
        Standing::Behind(n) => (n as u64, 0),
        Standing::Ahead(n) => (0, n as u64),
    };
    let away = Away::of(workspace)?;
    let mut plan = Plan { workspace, place, there: &there, away, request, take: BTreeMap::new(), ours: Vec::new() };
    if ahead == 0 {
        plan.choose(&here)?;
    }
    let Plan { take, ours, .. } = plan;
    let cache = workspace.path(FETCHED);
    let absent: BTreeMap<String, Filed> = take
        .iter()
        .filter(|(_, file)| !is_fetched(&cache, file))
        .map(|(_, file)| (file.sha256.clone(), file.clone()))
        .collect();
    let not_here = not_here(workspace, &there, &take);
    let answer = Pulled {
        place: place.shown().to_owned(),
        line: if ahead > 0 { here.entries.len() } else { chain.entries.len() } as u64,
        new_lines,
        lines_ahead: ahead,
        files: sum(take.values()),
        fetched: sum(absent.values()),
        changed: !take.is_empty(),
        not_here: not_here.iter().cloned().collect(),
        ours,
        dry_run: request.dry_run,
    };
    if let (false, Some(lock), 0) = (request.dry_run, lock, ahead) {
        fetch(place, &cache, &absent, progress)?;
        let head = there.head.clone();
        let base = there.files.iter().map(|(name, file)| (name.clone(), file.sha256.clone())).collect();
        let away = Away { place: place.shown().to_owned(), head, files: base, not_here };
        settle(workspace, &lock, &chain, &take, &away, &cache)?;
    }
    Ok(answer)
}

/// The lock on the loop, whose directory is created if missing.
fn begin(workspace: &Workspace, is_new: bool) -> Result<Lock, DepotError> {
    if is_new {
        // Other files in the directory are not a loop, and must not become part of one.
        for name in [CHAIN, "models", "ab.json"] {
            if workspace.path(name).exists() {
                return Err(DepotError::Refused(format!(
                    "{}: there is no {CONFIG_FILE} beside it; pull into an empty directory (mlloop -C DIR pull …)",
                    workspace.path(name).display()
                )));
            }
        }
        workspace.create()?;
    }
    Ok(workspace.lock()?)
}

/// The files to write.
struct Plan<'a> {
    workspace: &'a Workspace,
    place: &'a Place,
    there: &'a Index,
    away: Option<Away>,
    request: PullRequest,
    take: BTreeMap<String, Filed>,
    /// Files changed here since then; they are kept.
    ours: Vec<String>,
}

impl Plan<'_> {
    fn choose(&mut self, here: &Chain) -> Result<(), DepotError> {
        for (name, file) in &self.there.files {
            let own = files::read(&self.workspace.path(name), u64::MAX)?;
            let Some(own) = own else {
                if !kind(name).is_some_and(Kind::is_data) || self.request.data {
                    self.take.insert(name.clone(), file.clone());
                }
                continue;
            };
            if own.sha256 == file.sha256 {
                continue;
            }
            match kind(name) {
                Some(Kind::Config | Kind::Made) => match since(self.base(name, here), &own.sha256, &file.sha256) {
                    Since::Here => self.ours.push(name.clone()),
                    Since::Both if name == CONFIG_FILE && !self.request.force => {
                        return Err(DepotError::Refused(format!(
                            "{CONFIG_FILE} was changed both here and in the copy; nothing was changed: --force takes \
                             the one of the copy, and keeps yours as {OURS}"
                        )));
                    }
                    // A report that both sides regenerated: the local one is about the local rows.
                    Since::Both if name != CONFIG_FILE => self.ours.push(name.clone()),
                    _ => {
                        self.take.insert(name.clone(), file.clone());
                    }
                },
                // The chain determines it, and the local files match the local chain.
                _ => {
                    self.take.insert(name.clone(), file.clone());
                }
            }
        }
        self.stale(here)
    }

    /// The common state of a file on both sides.
    fn base<'b>(&'b self, name: &str, here: &'b Chain) -> Option<&'b str> {
        let known = self.away.as_ref().and_then(|away| away.base(self.place.shown(), name));
        let recorded = || here.entries.last().and_then(|entry| entry.config.as_deref()).filter(|_| name == CONFIG_FILE);
        known.or_else(recorded)
    }

    /// Local data that the new chain replaces, but the place does not contain.
    fn stale(&self, here: &Chain) -> Result<(), DepotError> {
        if here.entries.last().map(Entry::head).as_ref() == Some(&self.there.head) {
            return Ok(());
        }
        let is_here = |name: &&String| self.workspace.path(name).exists();
        match self.there.left_out.iter().find(is_here) {
            None => Ok(()),
            Some(name) => Err(DepotError::Refused(format!(
                "{name} exists here, but the copy has none that matches its audit chain; nothing was changed: run \
                 `mlloop push --data` on the other side, or pull into a new directory"
            ))),
        }
    }
}

/// Files with data that the copy or its loop has, but that will not be in this loop.
fn not_here(workspace: &Workspace, there: &Index, take: &BTreeMap<String, Filed>) -> BTreeSet<String> {
    let data = there.files.keys().filter(|name| kind(name).is_some_and(Kind::is_data));
    let all = there.left_out.iter().chain(data);
    all.filter(|name| !take.contains_key(*name) && !workspace.path(name).exists()).cloned().collect()
}

fn is_fetched(cache: &Path, file: &Filed) -> bool {
    files::read(&cache.join(&file.sha256), u64::MAX).is_ok_and(|found| found.is_some_and(|it| it.sha256 == file.sha256))
}

/// Fetches missing objects. They are kept so that the next pull can reuse them.
fn fetch(place: &Place, cache: &Path, absent: &BTreeMap<String, Filed>, progress: Progress) -> Result<(), DepotError> {
    if absent.is_empty() {
        return Ok(());
    }
    atomic::make_dirs(cache).at(cache)?;
    atomic::remove_leftovers(cache).at(cache)?;
    let total = sum(absent.values()).bytes;
    let mut done = 0;
    progress(0, total);
    for (sha256, file) in absent {
        let path = cache.join(sha256);
        let mut failed = None;
        let written = atomic::replace_private(&path, |out| {
            place.fetch(file, out).map_err(|err| {
                failed = Some(err);
                io::Error::other("not fetched")
            })
        });
        match failed {
            Some(err) => return Err(err),
            None => written.at(&path)?,
        }
        done += file.bytes;
        progress(done, total);
    }
    Ok(())
}

/// Moves the fetched files into place: all of them, or none.
fn settle(
    workspace: &Workspace,
    lock: &Lock,
    chain: &Chain,
    take: &BTreeMap<String, Filed>,
    away: &Away,
    cache: &Path,
) -> Result<(), DepotError> {
    if take.is_empty() {
        away.keep(workspace, lock)?;
        return forget(cache);
    }
    if let Some(file) = take.get(FEEDBACK_FILE) {
        grows(workspace, chain, &cache.join(&file.sha256))?;
    }
    if take.contains_key(CONFIG_FILE) && workspace.config_path().exists() {
        let ours = workspace.path(OURS);
        atomic::make_dirs(workspace.path("runs/backup")).at(&ours)?;
        atomic::copy(&workspace.config_path(), &ours).at(&ours)?;
    }
    let dir = workspace.dir();
    let incoming = Incoming::begin(dir).at(dir)?;
    for (name, file) in take {
        let from = cache.join(&file.sha256);
        let copied = incoming.write_within(Path::new(name), file.mode, |out| {
            let (bytes, sha256) = digest::of(Tee { from: atomic::open(&from)?, to: out })?;
            let is_it = bytes == file.bytes && sha256 == file.sha256;
            if is_it { Ok(()) } else { Err(io::Error::other("changed while it was read")) }
        });
        copied.at(&from)?;
    }
    let note = serde_json::to_vec_pretty(away).map_err(io::Error::from).at(dir)?;
    incoming.write(Path::new(AWAY), |out| out.write_all(&note)).and_then(|()| incoming.commit()).at(dir)?;
    // The roles, and the experiment, follow from the chain.
    workspace.catch_up(lock)?;
    workspace.keep_secrets_out_of_git()?;
    forget(cache)
}

/// The fetched files are in place.
fn forget(cache: &Path) -> Result<(), DepotError> {
    match cache.is_dir() {
        true => Ok(atomic::remove_dir(cache).at(cache)?),
        false => Ok(()),
    }
}

/// Feedback is append-only: the local file must be a prefix of the new one, and match the chain.
fn grows(workspace: &Workspace, chain: &Chain, arrived: &Path) -> Result<(), DepotError> {
    if let Some((bytes, sha256)) = feedback_seal(chain)?
        && files::read(arrived, bytes)?.is_none_or(|begun| (begun.bytes, begun.sha256) != (bytes, sha256))
    {
        let what = format!(
            "{FEEDBACK_FILE} of the copy differs from what its audit chain records; nothing was \
                            changed"
        );
        return Err(DepotError::Refused(what));
    }
    let path = workspace.path(FEEDBACK_FILE);
    let Some(own) = files::read(&path, u64::MAX)? else { return Ok(()) };
    match files::read(arrived, own.bytes)? {
        Some(begun) if begun.sha256 == own.sha256 => Ok(()),
        _ => Err(DepotError::Refused(format!(
            "{}: has lines that the copy does not have; nothing was changed: run `mlloop feedback` here first, which \
             records them",
            path.display()
        ))),
    }
}

/// A reader that also writes its bytes.
struct Tee<'a> {
    from: File,
    to: &'a mut dyn io::Write,
}

impl Read for Tee<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        self.to.write_all(&buf[..n])?;
        Ok(n)
    }
}
