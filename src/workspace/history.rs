//! The questions that are asked of the audit chain.
//!
//! A detail that is asked for is there and can be understood, or it is an error with the line and the key: what is damaged
//! never looks like what never was.

use super::WorkspaceError;
use super::audit::{Chain, Entry};
use super::event::EventKind;
use crate::registry::Version;
use serde::de::DeserializeOwned;
use serde_json::Value;

impl Entry {
    /// The detail under `key`.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] when there is none, or it cannot be understood.
    pub fn detail<T: DeserializeOwned>(&self, key: &str) -> Result<T, WorkspaceError> {
        self.detail_if_any(key)?.ok_or_else(|| self.damaged(key, "is not there"))
    }

    /// The detail under `key`; `None` when there is none, or it is `null`.
    ///
    /// # Errors
    /// [`WorkspaceError::Event`] when it cannot be understood.
    pub fn detail_if_any<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, WorkspaceError> {
        match self.details.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value).map(Some).map_err(|err| self.damaged(key, &err.to_string())),
        }
    }

    /// Whether this line is of a request that asks for a retraining.
    ///
    /// # Errors
    /// As [`Entry::detail_if_any`].
    pub fn is_of_retraining(&self) -> Result<bool, WorkspaceError> {
        Ok(self.detail_if_any::<String>("asks")?.as_deref() == Some("retraining"))
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
    /// As [`Entry::detail`].
    pub fn made(&self) -> Result<Option<Version>, WorkspaceError> {
        match self.event {
            EventKind::Trained | EventKind::Retrained => self.detail("version").map(Some),
            _ => Ok(None),
        }
    }
}

impl Chain {
    /// The last line of that kind.
    #[must_use]
    pub fn last(&self, kind: &EventKind) -> Option<&Entry> {
        self.entries.iter().rfind(|entry| entry.event == *kind)
    }

    /// The last line that has something, and that.
    #[must_use]
    pub fn last_with<'a, T>(&'a self, of: impl Fn(&'a Entry) -> Option<T>) -> Option<(&'a Entry, T)> {
        self.entries.iter().rev().find_map(|entry| Some((entry, of(entry)?)))
    }

    /// Whether the last line is of that kind.
    #[must_use]
    pub fn ends_with(&self, kind: &EventKind) -> bool {
        self.entries.last().is_some_and(|entry| entry.event == *kind)
    }

    /// The last line that `holds`.
    ///
    /// # Errors
    /// Those of `holds`.
    pub fn rfind(
        &self,
        holds: impl Fn(&Entry) -> Result<bool, WorkspaceError>,
    ) -> Result<Option<&Entry>, WorkspaceError> {
        for entry in self.entries.iter().rev() {
            if holds(entry)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The last retrain, and the version that it made.
    ///
    /// # Errors
    /// As [`Entry::detail`].
    pub fn last_retrain(&self) -> Result<Option<(&Entry, Version)>, WorkspaceError> {
        self.last(&EventKind::Retrained).map(|entry| Ok((entry, entry.detail("version")?))).transpose()
    }

    /// The line that made `version`.
    ///
    /// # Errors
    /// As [`Entry::detail`].
    pub fn maker_of(&self, version: Version) -> Result<Option<&Entry>, WorkspaceError> {
        self.rfind(|entry| Ok(entry.made()? == Some(version)))
    }

    /// Whether nobody has refused `version` since it was made. A verdict in its favour that was not carried out does not
    /// count: whoever said it died, or the request that it led to has expired.
    ///
    /// # Errors
    /// As [`Entry::detail`].
    pub fn is_unjudged(&self, version: Version) -> Result<bool, WorkspaceError> {
        let Some(made) = self.maker_of(version)? else { return Ok(false) };
        for entry in self.entries.iter().filter(|entry| entry.seq > made.seq) {
            let refused = match entry.event {
                EventKind::GateVerdict => {
                    let judged: Version = entry.detail("challenger")?;
                    judged == version && entry.detail::<String>("decision")? != "promote"
                }
                EventKind::Rejected if !entry.is_of_retraining()? => entry.detail::<Version>("version")? == version,
                _ => false,
            };
            if refused {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The line that asked for the approval `id`.
    ///
    /// # Errors
    /// As [`Entry::detail`].
    pub fn request(&self, id: &str) -> Result<Option<&Entry>, WorkspaceError> {
        self.rfind(|entry| Ok(entry.event == EventKind::ApprovalRequested && entry.detail::<String>("id")? == id))
    }

    /// The line that decided the request `id`, as `kind` says, since it was made.
    ///
    /// # Errors
    /// As [`Entry::detail`].
    pub fn decided(&self, id: &str, kind: &EventKind) -> Result<Option<&Entry>, WorkspaceError> {
        let since = self.request(id)?.map_or(0, |entry| entry.seq);
        self.rfind(|entry| {
            let is_of = entry.seq >= since && entry.event == *kind;
            Ok(is_of && entry.detail_if_any::<String>("id")?.as_deref() == Some(id))
        })
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
        let verdict = json!({ "challenger": "v0002", "decision": 1 });
        let lines = [(EventKind::Trained, json!({ "version": "v0002" })), (EventKind::GateVerdict, verdict)];
        assert!(
            chain(&lines)
                .is_unjudged(Version(2))
                .unwrap_err()
                .to_string()
                .contains("line 2 (gate-verdict): \"decision\"")
        );
        let asked = [(EventKind::ApprovalRequested, json!({ "id": ["x"] }))];
        assert!(chain(&asked).request("x").is_err() && chain(&asked).decided("x", &EventKind::Approved).is_err());
    }
}
