//! A line of the audit chain in a sentence, the same in a terminal and on a page.

use super::WorkspaceError;
use super::audit::Entry;
use super::event::{
    Accepted, AnswersRead, ApprovalRequested, Approved, BatchClosed, Downloaded, EventKind, ExperimentChanged,
    Feedback, GateVerdict, LabelsExported, Outcomes, Promoted, Pruned, Rejected, Retrained, RolledBack, Trained,
    Verdict,
};
use serde_json::Value;

impl Entry {
    /// The change, as a sentence; its raw details if its kind is unknown, or they are invalid. Text by users
    /// is not escaped.
    #[must_use]
    pub fn sentence(&self) -> String {
        let known = |found: Result<Option<String>, WorkspaceError>| found.ok().flatten();
        known(self.of_version()).or_else(|| known(self.of_people())).unwrap_or_else(|| {
            let details = self.details.as_object().into_iter().flatten().filter_map(|(name, value)| told(name, value));
            details.collect::<Vec<_>>().join(", ")
        })
    }

    /// Changes of versions.
    fn of_version(&self) -> Result<Option<String>, WorkspaceError> {
        let because = |reason: Option<String>| reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        Ok(match self.event {
            EventKind::Trained => self.of::<Trained>()?.and_then(|said| {
                let from = said.data.first().map(|data| format!(" from {} rows of {}", data.n_rows, data.path));
                Some(format!("{} was trained{} and is {}", said.version, from.unwrap_or_default(), said.role?))
            }),
            EventKind::Retrained => self.of::<Retrained>()?.and_then(|said| {
                let added = said.from.n_added.map(|n| format!(", {n} rows more than the reference"));
                let (version, n, added) = (said.made.version, said.from.n_new?, added.unwrap_or_default());
                Some(format!("{version} was trained with {n} new labels{added}, and is challenger"))
            }),
            EventKind::GateVerdict => self.of::<GateVerdict>()?.map(|said| {
                let (new, old, verdict) = (said.challenger, said.production, said.verdict.map_or("", Verdict::name));
                format!("{new} was compared with {old}: {verdict}; decision: {}", said.decision.name())
            }),
            EventKind::Promoted => self.of::<Promoted>()?.map(|said| {
                let from = said.from.map(|from| format!(" instead of {from}")).unwrap_or_default();
                format!("{} went into production{from}", said.version)
            }),
            EventKind::RolledBack => self.of::<RolledBack>()?.map(|said| {
                let (version, from) = (said.version, said.from);
                format!("{version} is in production again instead of {from}{}", because(said.reason))
            }),
            EventKind::ApprovalRequested => self.of::<ApprovalRequested>()?.map(|said| match said.due_at {
                Some(due) => {
                    format!("{} was announced: it goes into production on {due} unless rejected", said.id)
                }
                None => format!("{} waits for approval", said.id),
            }),
            EventKind::Approved => self.of::<Approved>()?.map(|said| format!("{} was approved", said.id)),
            EventKind::Rejected => {
                self.of::<Rejected>()?.map(|said| format!("{} was rejected{}", said.id, because(said.reason)))
            }
            EventKind::Pruned => self.of::<Pruned>()?.map(|said| {
                let names: Vec<String> = said.versions.iter().map(ToString::to_string).collect();
                format!("{} {} pruned", names.join(", "), if names.len() == 1 { "was" } else { "were" })
            }),
            EventKind::ReferenceUpdated => Some("the reference now has the training rows of production".to_owned()),
            _ => None,
        })
    }

    /// Labels, feedback, outcomes, and experiments.
    fn of_people(&self) -> Result<Option<String>, WorkspaceError> {
        Ok(match self.event {
            EventKind::LabelsExported => self.of::<LabelsExported>()?.and_then(|said| {
                Some(format!("{} rows were exported for labelling, as batch {}", said.n?, said.batch))
            }),
            EventKind::LabelsImported => self.of::<AnswersRead>()?.and_then(|said| {
                let file = if said.path.is_empty() { String::new() } else { format!(" from {}", said.path) };
                Some(format!("{} labels were imported{file}", said.n_added?))
            }),
            EventKind::Feedback => self.of::<Feedback>()?.and_then(|said| {
                let labels = match said.labels_added {
                    0 => String::new(),
                    added => format!(", {}", counted(added, "new label")),
                };
                Some(format!("feedback on {}{labels}", counted(said.new?, "prediction")))
            }),
            EventKind::LabelsReceived => self.of::<Outcomes>()?.map(|said| {
                let changed = if said.changed > 0 { format!(", {} changed", said.changed) } else { String::new() };
                let store = said.store.unwrap_or_default();
                format!("{} came from {store}{changed}", counted(said.added, "new label"))
            }),
            EventKind::Outcomes => {
                self.of::<Outcomes>()?.map(|said| format!("{} recorded", counted(said.added, "outcome")))
            }
            EventKind::LabelsQuarantined => {
                self.of::<AnswersRead>()?.map(|said| format!("the labels of {} are held back", said.path))
            }
            EventKind::BatchClosed => self.of::<BatchClosed>()?.map(|said| {
                format!("batch {} was closed; {} without an answer", said.batch, counted(said.n_open, "row"))
            }),
            EventKind::Accepted => self
                .of::<Accepted>()?
                .map(|said| format!("{} was accepted as it is, although it {}", said.path.display(), said.what)),
            EventKind::Downloaded => self.of::<Downloaded>()?.map(|said| format!("{} was fetched", said.source)),
            EventKind::AbStarted | EventKind::AbStepped | EventKind::AbStopped => {
                self.of::<ExperimentChanged>()?.map(|said| self.of_experiment(&said))
            }
            _ => None,
        })
    }

    fn of_experiment(&self, said: &ExperimentChanged) -> String {
        let name = &said.name;
        let shares: Vec<String> = said.weights.iter().map(|share| format!("{:.0} %", 100.0 * share)).collect();
        let shares = if shares.is_empty() { String::new() } else { format!(", shares {}", shares.join(", ")) };
        match self.event {
            EventKind::AbStarted => format!("the experiment {name} started{shares}"),
            EventKind::AbStepped => format!("the experiment {name} took its next step{shares}"),
            _ if said.why.is_empty() => format!("the experiment {name} ended"),
            _ => format!("the experiment {name} ended: {}", said.why),
        }
    }
}

/// `1 row`, `2 rows`.
fn counted(n: u64, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// A detail in a few words; lists, tables and digests are only in the JSON.
fn told(name: &str, value: &Value) -> Option<String> {
    const LONGEST: usize = 60;
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!is_digest && text.len() <= LONGEST).then(|| format!("{} {text}", name.replace('_', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table of all kinds")]
    fn every_kind_of_change_is_a_sentence() {
        let told = |event: &str, details: Value| {
            let line = json!({
                "seq": 1, "at": "2026-11-20T08:00:00Z", "event": event, "by": null, "details": details,
                "prev": "", "hash": "", "roles": null,
            });
            serde_json::from_value::<Entry>(line).unwrap().sentence()
        };
        for (event, details, sentence) in [
            ("feedback", json!({ "new": 1, "labels_added": 1, "lines": 3 }), "feedback on 1 prediction, 1 new label"),
            ("feedback", json!({ "new": 2, "labels_added": 0, "lines": 5 }), "feedback on 2 predictions"),
            (
                "ab-started",
                json!({ "name": "trial", "weights": [0.9, 0.1] }),
                "the experiment trial started, shares 90 %, 10 %",
            ),
            ("ab-stopped", json!({ "name": "trial", "why": "b wins" }), "the experiment trial ended: b wins"),
            ("promoted", json!({ "version": "v0002", "from": "v0001" }), "v0002 went into production instead of v0001"),
            ("pruned", json!({ "versions": ["v0001", "v0002"] }), "v0001, v0002 were pruned"),
            (
                "trained",
                json!({ "version": "v0001", "role": "production", "data": [{ "path": "r.csv", "n_rows": 9, "sha256": "" }] }),
                "v0001 was trained from 9 rows of r.csv and is production",
            ),
            (
                "retrained",
                json!({ "version": "v0002", "n_new": 7, "n_added": 5 }),
                "v0002 was trained with 7 new labels, 5 rows more than the reference, and is challenger",
            ),
            (
                "gate-verdict",
                json!({ "production": "v0001", "challenger": "v0002", "verdict": "superior", "decision": "promote" }),
                "v0002 was compared with v0001: superior; decision: promote",
            ),
            (
                "rolled-back",
                json!({ "version": "v0001", "from": "v0002", "reason": "it errs" }),
                "v0001 is in production again instead of v0002: it errs",
            ),
            ("approved", json!({ "id": "v0002-ab" }), "v0002-ab was approved"),
            ("rejected", json!({ "id": "v0002-ab", "reason": null }), "v0002-ab was rejected"),
            ("pruned", json!({ "versions": ["v0001"] }), "v0001 was pruned"),
            ("reference-updated", json!({}), "the reference now has the training rows of production"),
            ("labels-exported", json!({ "batch": "b1", "n": 4 }), "4 rows were exported for labelling, as batch b1"),
            (
                "labels-imported",
                json!({ "batch": ["b1"], "file": "f", "path": "in.csv", "sha256": "", "n_added": 3 }),
                "3 labels were imported from in.csv",
            ),
            (
                "labels-quarantined",
                json!({ "batch": ["b1"], "file": "f", "path": "in.csv", "sha256": "" }),
                "the labels of in.csv are held back",
            ),
            (
                "labels-received",
                json!({ "added": 1, "changed": 2, "store": "labels of db" }),
                "1 new label came from labels of db, 2 changed",
            ),
            ("outcomes", json!({ "added": 2 }), "2 outcomes recorded"),
            ("batch-closed", json!({ "batch": "b1", "n_open": 1 }), "batch b1 was closed; 1 row without an answer"),
            (
                "accepted",
                json!({ "path": "data/labels.csv", "what": "was changed" }),
                "data/labels.csv was accepted as it is, although it was changed",
            ),
            ("downloaded", json!({ "source": "kaggle.com/x", "sha256": "" }), "kaggle.com/x was fetched"),
            ("ab-stepped", json!({ "name": "trial" }), "the experiment trial took its next step"),
            ("ab-stopped", json!({ "name": "trial" }), "the experiment trial ended"),
            (
                "something-new",
                json!({ "n_rows": 3, "digest": "0".repeat(64), "long": "x".repeat(61), "all_of": "y".repeat(60), "list": [1] }),
                &format!("n rows 3, all of {}", "y".repeat(60)),
            ),
            // Invalid details are shown raw.
            ("pruned", json!({ "versions": 3 }), "versions 3"),
        ] {
            assert_eq!(told(event, details), sentence);
        }
    }
}
