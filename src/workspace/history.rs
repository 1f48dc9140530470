//! The questions that are asked of the audit chain.
//!
//! A detail that is asked for is there and can be understood, or it is an error with the line and the key: what is damaged
//! never looks like what never was.

use super::WorkspaceError;
use super::audit::{Chain, Entry};
use super::event::{
    ApprovalRequested, Approved, Asks, Decision, Details, EventKind, GateVerdict, Kept, Promoted, Rejected, Retrained,
    Seal, Trained,
};
use crate::registry::Version;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Under which of its details a change of the experiment brings the whole of it.
const EXPERIMENT: &str = "experiment";
/// Under which a change of the labels has their digest.
const LABELS: &str = "labels_sha256";
/// Under which a line about feedback has its [`Seal`].
const FEEDBACK: &str = "feedback";
/// Under which such a line says how many corrections there are.
const LINES: &str = "lines";

impl Entry {
    /// What the line says; `None` when it is of no kind that says such things.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] when it cannot be understood.
    pub fn of<T: Details>(&self) -> Result<Option<T>, WorkspaceError> {
        if !T::KINDS.contains(&self.event) {
            return Ok(None);
        }
        T::deserialize(&self.details).map(Some).map_err(|err| self.not_understood::<T>(&err))
    }

    /// What is there, where a decision needs it.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] when it is `None`.
    pub fn needed<T>(&self, key: &str, found: Option<T>) -> Result<T, WorkspaceError> {
        found.ok_or_else(|| self.damaged(key, "is missing"))
    }

    /// Names the key that is at fault: the one without which the rest can be understood, or which is then said to be missing.
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

    /// The detail under `key`, as whoever wrote it knows it.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] when it cannot be understood.
    pub fn understood<T: DeserializeOwned>(&self, key: &str, value: &Value) -> Result<T, WorkspaceError> {
        T::deserialize(value).map_err(|err| self.damaged(key, &err.to_string()))
    }

    /// A detail that lines of several kinds have, those of a later mlloop among them.
    fn shared<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Option<T>>, WorkspaceError> {
        self.details.get(key).map(|value| self.understood(key, value)).transpose()
    }

    /// SHA-256 of `data/labels.csv` after this line, when it says so: `Some(None)` where there was no such file.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] when it cannot be understood.
    pub fn labels_sha256(&self) -> Result<Kept, WorkspaceError> {
        self.shared(LABELS)
    }

    /// How `data/feedback.csv` begins after this line, when it says so: `Some(None)` where there was no such file.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] when it cannot be understood.
    pub fn feedback_seal(&self) -> Result<Option<Option<Seal>>, WorkspaceError> {
        self.shared(FEEDBACK)
    }

    /// How many corrections `data/feedback.csv` has after this line, when it says so.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] when it cannot be understood.
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

    /// The version that this line made; `None` for a line that makes none.
    ///
    /// # Errors
    /// As [`Entry::of`].
    pub fn made(&self) -> Result<Option<Version>, WorkspaceError> {
        Ok(self.of::<Trained>()?.map(|made| made.version))
    }
}

impl Chain {
    /// The last line of that kind.
    #[must_use]
    pub fn last(&self, kind: &EventKind) -> Option<&Entry> {
        self.entries.iter().rfind(|entry| entry.event == *kind)
    }

    /// The last line that has something, and that.
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

    /// The last line that says such things and for which `holds`, and what it says.
    ///
    /// # Errors
    /// As [`Entry::of`].
    pub fn last_of<T: Details>(
        &self,
        holds: impl Fn(&Entry, &T) -> bool,
    ) -> Result<Option<(&Entry, T)>, WorkspaceError> {
        self.last_with(|entry| Ok(entry.of::<T>()?.filter(|said| holds(entry, said))))
    }

    /// Every line that says such things, and what it says.
    pub fn all_of<T: Details>(&self) -> impl Iterator<Item = Result<(&Entry, T), WorkspaceError>> {
        all_of(&self.entries)
    }

    /// Whether the last line is of that kind.
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

    /// Whether nobody has refused `version` since it was made. A verdict in its favour that was not carried out does not
    /// count: whoever said it died, or the request that it led to has expired.
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

    /// The line that asked for the approval `id`.
    ///
    /// # Errors
    /// As [`Entry::of`].
    pub fn request(&self, id: &str) -> Result<Option<(&Entry, ApprovalRequested)>, WorkspaceError> {
        self.last_of(|_, said: &ApprovalRequested| said.id == id)
    }

    /// Whether the request `id` was decided as `how` says since it was made.
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

/// Every one of `entries` that says such things, and what it says.
pub fn all_of<T: Details>(entries: &[Entry]) -> impl Iterator<Item = Result<(&Entry, T), WorkspaceError>> {
    entries.iter().filter_map(|entry| entry.of().map(|said| Some((entry, said?))).transpose())
}

/// How a request was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// A request was approved.
    Approved,
    /// A request was rejected.
    Rejected,
    /// The version that it asked for is production.
    Promoted,
}

impl Rejected {
    /// The version that was refused; `None` where it was a retraining.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] when the line does not say which version it was.
    pub fn of_version(&self, entry: &Entry) -> Result<Option<Version>, WorkspaceError> {
        match self.asks {
            Some(Asks::Retraining) => Ok(None),
            Some(Asks::Promotion) | None => entry.needed("version", self.version).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chain(lines: &[(EventKind, Value)]) -> Chain {
        let entry = |(seq, (event, details)): (u64, &(EventKind, Value))| Entry {
            seq,
            at: jiff::Timestamp::UNIX_EPOCH,
            behind: None,
            event: event.clone(),
            by: None,
            config: None,
            roles: None,
            details: details.clone(),
            prev: String::new(),
            hash: String::new(),
        };
        let entries = (1..).zip(lines).map(entry).collect();
        Chain { entries, broken: None, unfinished: false }
    }

    #[test]
    fn kinds_are_written_as_they_always_were() {
        for (kind, name) in [
            (EventKind::GateVerdict, "gate-verdict"),
            (EventKind::RolledBack, "rolled-back"),
            (EventKind::AbStarted, "ab-started"),
            (EventKind::Other("moved".to_owned()), "moved"),
        ] {
            assert_eq!(kind.to_string(), name);
            assert_eq!(serde_json::to_value(&kind).unwrap(), name);
            assert_eq!(serde_json::from_value::<EventKind>(name.into()).unwrap(), kind);
        }
    }

    #[test]
    fn a_version_is_unjudged_until_somebody_refuses_it() {
        let made = (EventKind::Retrained, json!({ "version": "v0002" }));
        let verdict = |decision: &str| {
            (EventKind::GateVerdict, json!({ "production": "v0001", "challenger": "v0002", "decision": decision }))
        };
        let rejected = (EventKind::Rejected, json!({ "id": "x", "version": "v0002" }));
        for (lines, expected) in [
            (vec![], false),
            (vec![made.clone()], true),
            (vec![made.clone(), verdict("promote")], true),
            (vec![made.clone(), verdict("refuse")], false),
            (vec![made.clone(), rejected.clone()], false),
            (vec![rejected, made.clone()], true),
            (vec![made.clone(), (EventKind::Rejected, json!({ "id": "retrain-x", "asks": "retraining" }))], true),
        ] {
            assert_eq!(chain(&lines).is_unjudged(Version(2)).unwrap(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_detail_that_is_damaged_is_an_error_with_its_line_and_key_and_never_nothing() {
        for details in [json!({}), json!({ "version": null }), json!({ "version": 2 }), json!({ "version": "two" })] {
            let damaged = chain(&[(EventKind::Retrained, details.clone())]);
            let said = damaged.last_retrain().unwrap_err().to_string();
            assert!(said.starts_with("audit.jsonl: line 1 (retrained): \"version\" "), "{details}: {said}");
            assert!(damaged.is_unjudged(Version(2)).is_err());
        }
        let verdict = json!({ "production": "v0001", "challenger": "v0002", "decision": 1 });
        let lines = [(EventKind::Trained, json!({ "version": "v0002" })), (EventKind::GateVerdict, verdict)];
        assert!(
            chain(&lines)
                .is_unjudged(Version(2))
                .unwrap_err()
                .to_string()
                .contains("line 2 (gate-verdict): \"decision\"")
        );
        let asked = [(EventKind::ApprovalRequested, json!({ "id": ["x"] }))];
        assert!(chain(&asked).request("x").is_err() && chain(&asked).is_decided("x", Settled::Approved).is_err());
        // What both halves of a line have is named as well as what one has.
        let labels = json!({ "version": "v0002", "n_new": "many", "seed": 7 });
        let said = chain(&[(EventKind::Retrained, labels)]).last_retrain().unwrap_err().to_string();
        assert!(said.starts_with("audit.jsonl: line 1 (retrained): \"n_new\" "), "{said}");
    }

    #[test]
    fn a_line_is_written_as_it_always_was_and_what_a_later_version_adds_is_no_fault() {
        fn same<T: Details>(kind: &EventKind, details: Value) {
            let mut more = details.clone();
            more["of_a_later_version"] = json!({ "a": 1 });
            let lines = chain(&[(kind.clone(), more)]);
            let said = lines.entries[0].of::<T>().unwrap().unwrap();
            assert_eq!(said.value(), details, "{kind}");
        }
        let hash = "0".repeat(64);
        let table = json!({ "path": "data/reference.csv", "n_rows": 3, "sha256": hash });
        let made =
            json!({ "version": "v0002", "role": "challenger", "seed": 7, "data": [table], "files": { "a": hash } });
        same::<Trained>(&EventKind::Trained, made.clone());
        let mut from_labels = made;
        for (key, value) in
            [("parent", json!("v0001")), ("n_labels", json!(9)), ("n_new", json!(8)), ("n_added", json!(7))]
        {
            from_labels[key] = value;
        }
        from_labels["n_replaced"] = json!(1);
        from_labels["current"] = json!({ "path": "current.csv", "n_rows": 100 });
        same::<Retrained>(&EventKind::Retrained, from_labels);
        for more in [
            json!({ "verdict": "superior", "allow_equivalent": null }),
            json!({ "verdict": null, "id": "x", "announced": "2026-11-20T08:00:00Z" }),
            json!({ "override": "the old one is worse" }),
        ] {
            let mut details = json!({ "version": "v0002", "from": null });
            details.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            same::<Promoted>(&EventKind::Promoted, details);
        }
        for labels in [json!(null), json!(hash)] {
            let details = json!({
                "production": "v0001", "challenger": "v0002", "verdict": "superior", "decision": "promote",
                "test": { "value": 0.1 }, "alpha": 0.05, "broken": [], "rows": { "n": 3, "digest": "d" }, "uses": 1,
                "allow_equivalent": null, "seed": 0, "settings": ["promote.alpha=0.05"], "labels": labels,
            });
            same::<GateVerdict>(&EventKind::GateVerdict, details);
        }
        same::<Rejected>(&EventKind::Rejected, json!({ "id": "x", "version": "v0002", "reason": "no" }));
        let retraining = json!({ "id": "x", "asks": "retraining", "production": "v0001", "n_new": 3, "reason": "no" });
        same::<Rejected>(&EventKind::Rejected, retraining);
    }
}
