//! Notices already sent, so that every change of a check is reported once.

use super::{NotifyError, Outbox};
use crate::atomic::{self, At};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

/// The state of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Check and column: `drift/contract`, `trigger/psi`, `failed/retrain`.
    pub key: String,
    /// Whether the check is alerting; `None` if that is unknown.
    pub open: Option<bool>,
    /// The text.
    pub text: String,
}

impl Observation {
    /// What the check is about: the key without the check.
    #[must_use]
    pub fn name(&self) -> &str {
        self.key.split_once('/').map_or(&self.key, |(_, name)| name)
    }
}

/// Onsets and ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Alerting, and not before.
    pub began: Vec<Observation>,
    /// No longer alerting.
    pub ended: Vec<Observation>,
}

/// A line of `runs/notified.jsonl`.
#[derive(Serialize, Deserialize)]
struct Line {
    at: jiff::Timestamp,
    key: String,
    open: bool,
}

impl Outbox {
    /// Compares `now` with the notices sent.
    ///
    /// # Errors
    /// If the record exists and cannot be read.
    pub fn changes(&self, now: &[Observation]) -> Result<Changes, NotifyError> {
        let open = self.open_keys()?;
        let differing = |wanted: bool| {
            let of = move |one: &&Observation| one.open == Some(wanted);
            now.iter().filter(of).filter(|one| open.contains(&one.key) != wanted).cloned().collect()
        };
        Ok(Changes { began: differing(true), ended: differing(false) })
    }

    /// Records the notices. Call it after they are queued: a crash in between sends them twice instead of never.
    ///
    /// # Errors
    /// I/O errors.
    pub fn remember(&self, changes: &Changes, at: jiff::Timestamp) -> Result<(), NotifyError> {
        let line = |one: &Observation, open| serde_json::to_string(&Line { at, key: one.key.clone(), open });
        let began = changes.began.iter().map(|one| line(one, true));
        let ended = changes.ended.iter().map(|one| line(one, false));
        let lines: Result<Vec<String>, _> = began.chain(ended).collect();
        let append = || match lines {
            Ok(lines) if lines.is_empty() => Ok(()),
            Ok(lines) => {
                atomic::make_dirs(&self.runs)?;
                atomic::append(&self.record(), format!("{}\n", lines.join("\n")).as_bytes())
            }
            Err(err) => Err(io::Error::from(err)),
        };
        Ok(append().at(self.record())?)
    }

    /// The checks already reported as alerting. Incomplete lines left by a crash are skipped.
    fn open_keys(&self) -> Result<BTreeSet<String>, NotifyError> {
        let Some(text) = atomic::read_to_string(self.record()).if_there().at(self.record())? else {
            return Ok(BTreeSet::new());
        };
        let mut open = BTreeSet::new();
        for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
            match line.open {
                true => open.insert(line.key),
                false => open.remove(&line.key),
            };
        }
        Ok(open)
    }

    fn record(&self) -> PathBuf {
        self.runs.join("notified.jsonl")
    }
}
