//! Queries on the audit chain.
//!
//! A requested detail must be present and valid, or it is an error with the line and the key: damage
//! never looks like absence.

use super::WorkspaceError;
use super::audit::{Chain, Entry};
use super::event::{
    ApprovalRequested, Approved, Asks, Decision, Details, EventKind, GateVerdict, Kept, Promoted, Rejected, Retrained,
    Seal, Trained,
};
use crate::registry::Version;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The key of the whole experiment in an experiment event.
const EXPERIMENT: &str = "experiment";
/// The key of the digest of the labels in a line that changes them.
const LABELS: &str = "labels_sha256";
/// The key of the [`Seal`] in a line about feedback.
const FEEDBACK: &str = "feedback";
/// The key of the number of corrections in such a line.
const LINES: &str = "lines";

impl Entry {
    /// The details of the line; `None` if its kind has no such details.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] if they are invalid.
    pub fn of<T: Details>(&self) -> Result<Option<T>, WorkspaceError> {
        if !T::KINDS.contains(&self.event) {
            return Ok(None);
        }
        T::deserialize(&self.details).map(Some).map_err(|err| self.not_understood::<T>(&err))
    }

    /// The value, if a decision needs it.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] if it is `None`.
    pub fn needed<T>(&self, key: &str, found: Option<T>) -> Result<T, WorkspaceError> {
        found.ok_or_else(|| self.damaged(key, "is missing"))
    }

    /// Finds the invalid key: the rest is valid without it, or it is reported as missing.
    fn not_understood<T: Details>(&self, err: &serde_json::Error) -> WorkspaceError {
        let text = err.to_string();
        if let Some(key) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            return self.damaged(key, "is missing");
        }
        let Some(details) = self.details.as_object() else { return self.damaged("details", "is not an object") };
        let fault_without = |key: &String| {
            let rest = details.iter().filter(|(name, _)| *name != key);
            let rest: Map<String, Value> = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
            T::deserialize(Value::Object(rest)).err().map(|err| err.to_string())
        };
        let is_optional = |key: &&String| fault_without(key).is_none();
        let is_needed = |key: &&String| {
            fault_without(key).is_some_and(|fault| fault.starts_with(&format!("missing field `{key}`")))
        };
        let key = details.keys().find(is_optional).or_else(|| details.keys().find(is_needed));
        self.damaged(key.map_or("details", String::as_str), &text)
    }

    /// The detail under `key`, in the writer's type.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] if it is invalid.
    pub fn understood<T: DeserializeOwned>(&self, key: &str, value: &Value) -> Result<T, WorkspaceError> {
        T::deserialize(value).map_err(|err| self.damaged(key, &err.to_string()))
    }

    /// A detail that lines of several kinds have, also of kinds from a later mlloop.
    fn shared<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Option<T>>, WorkspaceError> {
        self.details.get(key).map(|value| self.understood(key, value)).transpose()
    }

    /// SHA-256 of `data/labels.csv` after this line, if the line states it: `Some(None)` if there was no file.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] if it is invalid.
    pub fn labels_sha256(&self) -> Result<Kept, WorkspaceError> {
        self.shared(LABELS)
    }

    /// The seal of `data/feedback.csv` after this line, if the line states it: `Some(None)` if there was no file.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] if it is invalid.
    pub fn feedback_seal(&self) -> Result<Option<Option<Seal>>, WorkspaceError> {
        self.shared(FEEDBACK)
    }

    /// The number of corrections in `data/feedback.csv` after this line, if the line states it.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] if it is invalid.
    pub fn n_feedback(&self) -> Result<Option<usize>, WorkspaceError> {
        Ok(self.shared(LINES)?.flatten())
    }

    /// The experiment after this line, when it changed it.
    #[must_use]
    pub fn experiment(&self) -> Option<&Value> {
        self.details.get(EXPERIMENT)
    }

    fn damaged(&self, key: &str, what: &str) -> WorkspaceError {
        WorkspaceError::Event {
            line: self.seq,
            event: self.event.to_string(),
            key: key.to_owned(),
            what: what.to_owned(),
        }
    }

    /// The version created by this line, if any.
    ///
    /// # Errors
    /// As [`Entry::of`].
    pub fn made(&self) -> Result<Option<Version>, WorkspaceError> {
        Ok(self.of::<Trained>()?.map(|made| made.version))
    }
}

impl Chain {
    /// The last line of this kind.
    #[must_use]
    pub fn last(&self, kind: &EventKind) -> Option<&Entry> {
        self.entries.iter().rfind(|entry| entry.event == *kind)
    }

    /// The last line with a value, and the value.
    ///
    /// # Errors
    /// Those of `of`.
    pub fn last_with<'a, T>(
        &'a self,
        of: impl Fn(&'a Entry) -> Result<Option<T>, WorkspaceError>,
    ) -> Result<Option<(&'a Entry, T)>, WorkspaceError> {
        let found = |entry| of(entry).map(|found| Some((entry, found?))).transpose();
        self.entries.iter().rev().find_map(found).transpose()
    }

    /// The last line with such details for which `holds`, and the details.
    ///
    /// # Errors
    /// As [`Entry::of`].
    pub fn last_of<T: Details>(
        &self,
        holds: impl Fn(&Entry, &T) -> bool,
    ) -> Result<Option<(&Entry, T)>, WorkspaceError> {
        self.last_with(|entry| Ok(entry.of::<T>()?.filter(|said| holds(entry, said))))
    }

    /// Every line with such details, and the details.
    pub fn all_of<T: Details>(&self) -> impl Iterator<Item = Result<(&Entry, T), WorkspaceError>> {
        all_of(&self.entries)
    }

    /// Whether the last line is of this kind.
    #[must_use]
    pub fn ends_with(&self, kind: &EventKind) -> bool {
        self.entries.last().is_some_and(|entry| entry.event == *kind)
    }

    /// The last retrain, and the version that it made.
    ///
    /// # Errors
    /// As [`Entry::of`].
    pub fn last_retrain(&self) -> Result<Option<(&Entry, Version)>, WorkspaceError> {
        Ok(self.last_of(|_, _: &Retrained| true)?.map(|(entry, said)| (entry, said.made.version)))
    }

    /// The line that made `version`.
    ///
    /// # Errors
    /// As [`Entry::of`].
    pub fn maker_of(&self, version: Version) -> Result<Option<&Entry>, WorkspaceError> {
        Ok(self.last_of(|_, made: &Trained| made.version == version)?.map(|(entry, _)| entry))
    }

    /// Whether `version` has not been refused since it was created. A favourable verdict that was not carried out does
    /// not count: its process died, or the request it led to has expired.
    ///
    /// # Errors
    /// As [`Entry::of`].
    pub fn is_unjudged(&self, version: Version) -> Result<bool, WorkspaceError> {
        let Some(made) = self.maker_of(version)? else { return Ok(false) };
        for entry in self.entries.iter().filter(|entry| entry.seq > made.seq) {
            let lost = |said: GateVerdict| said.challenger == version && said.decision != Decision::Promote;
            let refused = entry.of::<Rejected>()?.map(|said| said.of_version(entry)).transpose()?.flatten();
            if entry.of()?.is_some_and(lost) || refused == Some(version) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The line that requested the approval `id`.
    ///
    /// # Errors
    /// As [`Entry::of`].
    pub fn request(&self, id: &str) -> Result<Option<(&Entry, ApprovalRequested)>, WorkspaceError> {
        self.last_of(|_, said: &ApprovalRequested| said.id == id)
    }

    /// Whether the request `id` was decided in this way since it was created.
    ///
    /// # Errors
    /// As [`Entry::of`].
    pub fn is_decided(&self, id: &str, how: Settled) -> Result<bool, WorkspaceError> {
        let since = self.request(id)?.map_or(0, |(entry, _)| entry.seq);
        for entry in self.entries.iter().filter(|entry| entry.seq >= since) {
            let named = match how {
                Settled::Approved => entry.of::<Approved>()?.map(|said| said.id),
                Settled::Rejected => entry.of::<Rejected>()?.map(|said| said.id),
                Settled::Promoted => entry.of::<Promoted>()?.and_then(|said| said.because.id),
            };
            if named.as_deref() == Some(id) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Every one of `entries` with such details, and the details.
pub fn all_of<T: Details>(entries: &[Entry]) -> impl Iterator<Item = Result<(&Entry, T), WorkspaceError>> {
    entries.iter().filter_map(|entry| entry.of().map(|said| Some((entry, said?))).transpose())
}

/// How a request was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The request was approved.
    Approved,
    /// The request was rejected.
    Rejected,
    /// The requested version is production.
    Promoted,
}

impl Rejected {
    /// The refused version; `None` for a retraining.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] if the line does not name the version.
    pub fn of_version(&self, entry: &Entry) -> Result<Option<Version>, WorkspaceError> {
        match self.asks {
            Some(Asks::Retraining) => Ok(None),
            Some(Asks::Promotion) | None => entry.needed("version", self.version).map(Some),
        }
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
