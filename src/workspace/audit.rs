//! `audit.jsonl`: every change of the loop, one JSON line each, chained by hashes.
//!
//! ```text
//! hᵢ = SHA-256(hᵢ₋₁ ‖ canonical JSON of the event)          h₀ = 64 zeros
//!
//! audit.jsonl   append, sync ─▶ ab.json ─▶ roles.json   new roles and the head (number and hash of the last line)
//! ```
//! The line is the commit: if a process dies between the two, the next holder of the lock updates `roles.json` from
//! the chain. A changed, removed or moved line breaks the chain; a truncated end no longer matches the head.

use super::event::EventKind;
use super::{CONFIG_FILE, Workspace, WorkspaceError};
use crate::atomic::{self, At, Lock};
use crate::digest::sha256;
use crate::registry::{Head, Roles};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// The experiment.
pub(super) const EXPERIMENT_FILE: &str = "ab.json";
/// The hash before the first line.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A change to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it was made.
    pub at: jiff::Timestamp,
    /// The kind of change.
    pub event: EventKind,
    /// Who made it, if given.
    pub by: Option<String>,
    /// The roles after it, when it changes them.
    pub roles: Option<Roles>,
    /// Its details.
    pub details: Value,
}

/// A line of the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Number of the line, from 1.
    pub seq: u64,
    /// When the change was made.
    pub at: jiff::Timestamp,
    /// The latest time of a preceding line, if the clock of this line is behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<jiff::Timestamp>,
    /// What kind of change it is.
    pub event: EventKind,
    /// Who made it, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// SHA-256 of `mlloop.toml` at that time, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The roles after it, when it changed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Roles>,
    /// Details of the change, as in the file; the types are in [`super::event`].
    #[cfg_attr(test, schemars(with = "super::event::AnyDetails"))]
    pub details: Value,
    /// Hash of the preceding line.
    pub prev: String,
    /// Hash of this line.
    pub hash: String,
}

impl Entry {
    /// The hash that this line should have.
    fn digest(&self) -> Result<String, serde_json::Error> {
        let mut event = serde_json::to_value(self)?;
        if let Some(fields) = event.as_object_mut() {
            fields.remove("prev");
            fields.remove("hash");
        }
        let chained = format!("{}{}", self.prev, canonical(event));
        Ok(sha256(chained.as_bytes()))
    }

    fn line(&self) -> Result<String, serde_json::Error> {
        Ok(canonical(serde_json::to_value(self)?).to_string())
    }

    pub(crate) fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash.clone() }
    }

    /// Every SHA-256 in the line.
    pub(crate) fn digests(&self) -> Vec<String> {
        fn within(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::String(text) if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    found.push(text.clone());
                }
                Value::Array(values) => values.iter().for_each(|value| within(value, found)),
                Value::Object(fields) => fields.values().for_each(|value| within(value, found)),
                _ => {}
            }
        }
        let mut found: Vec<String> = self.config.iter().cloned().collect();
        within(&self.details, &mut found);
        found
    }

    /// The latest time up to this line, as recorded in it.
    fn latest(&self) -> jiff::Timestamp {
        self.behind.unwrap_or(self.at)
    }
}

/// `latest`, if a line written at `at` is behind it. Less than a minute is ignored: a command's time is its start, and
/// it may have waited for the lock.
pub(super) fn behind(latest: Timestamp, at: Timestamp) -> Option<Timestamp> {
    (latest.duration_since(at) > SignedDuration::from_mins(1)).then_some(latest)
}

/// The same value with the keys of every object sorted.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
            fields.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().map(|(key, value)| (key, canonical(value))).collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(canonical).collect()),
        other => other,
    }
}

/// An error of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The line in `audit.jsonl`, from 1; one past the last when lines are missing at the end.
    pub line: u64,
    /// The error.
    pub what: String,
}

/// The result of reading the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// Every line up to the first break.
    pub entries: Vec<Entry>,
    /// The first break; `None` when the chain is whole.
    pub broken: Option<Break>,
    /// Whether the last line is incomplete: an interrupted write, not yet reported as done.
    pub unfinished: bool,
}

impl Chain {
    /// The chain in these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        walk(bytes, 0).0
    }

    /// The line of that number, from 1.
    #[must_use]
    pub fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }
}

/// The break, if `roles.json` differs from the last line with roles up to its head.
fn roles_differ(chain: &Chain, head: &Head, roles: &Roles) -> Option<Break> {
    let seen = chain.entries.get(..usize::try_from(head.seq).ok()?)?;
    let (entry, recorded) = seen.iter().rev().find_map(|entry| Some((entry, entry.roles.as_ref()?)))?;
    let what = roles.differ(entry.seq, recorded)?;
    Some(Break { line: entry.seq, what: format!("does not agree with models/roles.json, which {what}") })
}

impl Workspace {
    /// Verifies the whole chain and compares its end with the head in `roles.json`.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn audit_chain(&self) -> Result<Chain, WorkspaceError> {
        let roles = self.registry().roles_as_written()?;
        let mut chain = self.walk()?;
        if chain.broken.is_none()
            && let Some(head) = &roles.audit
        {
            chain.broken = match chain.entry(head.seq).is_none_or(|entry| entry.hash != head.hash) {
                true => Some(Break {
                    line: chain.entries.len() as u64 + 1,
                    what: format!("lines are missing: roles.json refers to line {}", head.seq),
                }),
                false => roles_differ(&chain, head, &roles),
            };
        }
        Ok(chain)
    }

    /// The last `n` lines from the line `from` on, raw and unchecked: lines after a break cannot be trusted,
    /// but are shown. Each with its number; `None` for an invalid line.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn audit_unchecked(&self, from: u64, n: usize) -> Result<Vec<(u64, Option<Entry>)>, WorkspaceError> {
        let path = self.audit_path();
        let mut lines = BufReader::new(atomic::open(&path).at(&path)?);
        let (mut found, mut line, mut number) = (VecDeque::new(), Vec::new(), 0_u64);
        while lines.read_until(b'\n', &mut line).at(&path)? > 0 {
            number += 1;
            if number >= from {
                found.push_back((number, serde_json::from_slice(&line).ok()));
                if found.len() > n {
                    found.pop_front();
                }
            }
            line.clear();
        }
        Ok(found.into())
    }

    fn walk(&self) -> Result<Chain, WorkspaceError> {
        let path = self.audit_path();
        let Some(bytes) = atomic::read(&path).if_there().at(path)? else { return Ok(Chain::of(b"")) };
        let mut walked = self.walked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |known: &Walked| bytes.get(..known.n_bytes).is_some_and(|part| sha256(part) == known.digest);
        let known = walked.as_ref().filter(|known| is_known(known)).map_or(0, |known| known.n_bytes);
        let (chain, right) = walk(&bytes, known);
        if right != known {
            *walked = Some(Walked { n_bytes: right, digest: sha256(&bytes[..right]) });
        }
        Ok(chain)
    }

    /// Adds a change to the chain, and sets its roles.
    ///
    /// # Errors
    /// [`WorkspaceError::Audit`] if the chain is broken or truncated, and any I/O error; once the line is
    /// written, the next holder of the lock completes the rest.
    pub fn record(&self, lock: &Lock, event: Event) -> Result<Entry, WorkspaceError> {
        let registry = self.registry();
        let mut roles = registry.roles()?;
        let last = self.last_entry()?;
        if last.as_ref().map(Entry::head) != roles.audit {
            let what = "the last line is not the one in roles.json; run `mlloop audit verify`".to_owned();
            return Err(WorkspaceError::Audit { path: self.audit_path(), what });
        }
        let mut entry = Entry {
            seq: last.as_ref().map_or(0, |entry| entry.seq) + 1,
            at: event.at,
            behind: last.as_ref().and_then(|last| behind(last.latest(), event.at)),
            event: event.event,
            by: event.by,
            config: self.keep(lock, Path::new(CONFIG_FILE))?,
            roles: event.roles.clone().map(|roles| Roles { audit: None, ..roles }),
            details: event.details,
            prev: last.map_or_else(|| GENESIS.to_owned(), |entry| entry.hash),
            hash: String::new(),
        };
        // Files written after the line must be writable too: check that first.
        self.replaceable("models/roles.json")?;
        if entry.experiment().is_some() {
            self.replaceable(EXPERIMENT_FILE)?;
        }
        let path = self.audit_path();
        entry.hash = entry.digest().at(&path)?;
        let line = entry.line().at(&path)? + "\n";
        atomic::append(&path, line.as_bytes()).at(&path)?;
        self.recorded.store(entry.seq, Ordering::Relaxed);
        self.follow(&entry)?;
        roles = event.roles.unwrap_or(roles);
        roles.audit = Some(entry.head());
        registry.set_roles(&roles)?;
        Ok(entry)
    }

    /// Updates `ab.json` from a change of the experiment. The head in `roles.json` is updated last, so that
    /// after a crash in between the next holder of the lock processes the line.
    fn follow(&self, entry: &Entry) -> Result<(), WorkspaceError> {
        let Some(experiment) = entry.experiment() else { return Ok(()) };
        let path = self.path(EXPERIMENT_FILE);
        Ok(atomic::replace_json(&path, experiment).at(path)?)
    }

    /// Updates `roles.json` and `ab.json` to the end of the chain, if a process died between the two.
    pub(super) fn complete(&self, _lock: &Lock) -> Result<(), WorkspaceError> {
        let Some(last) = self.last_entry()? else { return Ok(()) };
        let registry = self.registry();
        let mut roles = registry.roles_as_written()?;
        let seen = roles.audit.as_ref().map_or(0, |head| head.seq);
        if roles.audit == Some(last.head()) || last.seq <= seen {
            return Ok(());
        }
        let chain = self.audit_chain()?;
        if chain.broken.is_some() {
            // Nothing is updated from a broken chain; `record` refuses to add to it.
            return Ok(());
        }
        for entry in chain.entries.iter().skip(seen as usize) {
            self.follow(entry)?;
            roles = Roles { audit: Some(entry.head()), ..entry.roles.clone().unwrap_or(roles) };
        }
        Ok(registry.set_roles(&roles)?)
    }

    /// The last line of the chain, even if the chain is broken.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_entry(&self) -> Result<Option<Entry>, WorkspaceError> {
        let path = self.audit_path();
        let line = atomic::last_line(&path).at(&path)?;
        line.map(|line| serde_json::from_slice(&line))
            .transpose()
            .map_err(|err| WorkspaceError::Audit { path, what: format!("the last line is damaged: {err}") })
    }

    /// SHA-256 of `mlloop.toml`, when there is one.
    pub(crate) fn config_digest(&self) -> Result<Option<String>, WorkspaceError> {
        let path = self.config_path();
        Ok(atomic::read(&path).if_there().at(path)?.map(|bytes| sha256(&bytes)))
    }

    fn audit_path(&self) -> std::path::PathBuf {
        self.path("audit.jsonl")
    }
}

/// The verified first bytes of the chain, so that a server, or a verb that reads it several times, need not compute the
/// hashes again. Each time it checks that the bytes are the same.
#[derive(Debug)]
pub(super) struct Walked {
    n_bytes: usize,
    digest: String,
}

/// The chain in these bytes, of which the first `known` are verified; and the number verified now.
fn walk(bytes: &[u8], known: usize) -> (Chain, usize) {
    let mut chain = Chain { entries: Vec::new(), broken: None, unfinished: false };
    let mut right = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(text) = line.strip_suffix(b"\n") else {
            chain.unfinished = true;
            break;
        };
        match check(text, chain.entries.last(), right < known) {
            Ok(entry) => chain.entries.push(entry),
            Err(what) => {
                chain.broken = Some(Break { line: chain.entries.len() as u64 + 1, what });
                break;
            }
        }
        right += line.len();
    }
    (chain, right)
}

/// The line as an entry that follows `before`, or its error; an `is_known` one keeps its verified hash.
fn check(line: &[u8], before: Option<&Entry>, is_known: bool) -> Result<Entry, String> {
    let entry: Entry = serde_json::from_slice(line).map_err(|err| format!("is not an event: {err}"))?;
    let (seq, prev) = before.map_or((1, GENESIS), |before| (before.seq + 1, &before.hash));
    if entry.seq != seq || entry.prev != prev {
        return Err(format!(
            "does not follow the preceding line: lines were removed, added or moved (number {}, expected {seq})",
            entry.seq
        ));
    }
    if is_known {
        return Ok(entry);
    }
    let is_as_written = entry.line().is_ok_and(|written| written.as_bytes() == line);
    if !is_as_written || entry.digest().ok().as_ref() != Some(&entry.hash) {
        return Err("was altered: the hash does not match".to_owned());
    }
    Ok(entry)
}

#[cfg(test)]
#[path = "audit_tests.rs"]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests;
