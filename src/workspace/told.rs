//! A line of the audit chain in a sentence, the same in a terminal and on a page.

use super::EventKind;
use super::audit::Entry;
use serde_json::Value;

impl Entry {
    /// What the change was, in a sentence; its details where it is of no known kind. What people wrote is in it as it is.
    #[must_use]
    pub fn sentence(&self) -> String {
        self.of_version().or_else(|| self.of_people()).unwrap_or_else(|| {
            let details = self.details.as_object().into_iter().flatten().filter_map(|(name, value)| told(name, value));
            details.collect::<Vec<_>>().join(", ")
        })
    }

    fn word(&self, key: &str) -> Option<String> {
        self.details[key].as_str().map(str::to_owned)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.details[key].as_u64()
    }

    /// What became of versions.
    fn of_version(&self) -> Option<String> {
        let (text, number) = (|key: &str| self.word(key), |key: &str| self.number(key));
        match self.event {
            EventKind::Trained => text("version").zip(text("role")).map(|(version, role)| {
                let data = &self.details["data"][0];
                let from = data["path"].as_str().zip(data["n_rows"].as_u64());
                let from = from.map(|(path, n)| format!(" from {n} rows of {path}")).unwrap_or_default();
                format!("{version} was trained{from} and is {role}")
            }),
            EventKind::Retrained => text("version").zip(number("n_new")).map(|(version, n)| {
                let added =
                    number("n_added").map(|n| format!(", {n} rows more than the reference")).unwrap_or_default();
                format!("{version} was trained with {n} new labels{added}, and challenges")
            }),
            EventKind::GateVerdict => text("challenger").zip(text("production")).map(|(new, old)| {
                let verdict = text("verdict").unwrap_or_default();
                let decision = text("decision").map(|decision| format!(", so: {decision}")).unwrap_or_default();
                format!("{new} was compared with {old}: {verdict}{decision}").replace('_', " ")
            }),
            EventKind::Promoted => text("version").map(|version| {
                let from = text("from").map(|from| format!(" instead of {from}")).unwrap_or_default();
                format!("{version} went into production{from}")
            }),
            EventKind::RolledBack => text("version").zip(text("from")).map(|(version, from)| {
                let reason = text("reason").map(|reason| format!(": {reason}")).unwrap_or_default();
                format!("{version} is in production again instead of {from}{reason}")
            }),
            EventKind::ApprovalRequested => text("id").map(|id| match text("due_at") {
                Some(due) => format!("{id} was announced: it goes into production on {due} unless somebody rejects it"),
                None => format!("{id} waits for a person to approve it"),
            }),
            EventKind::Approved => text("id").map(|id| format!("{id} was approved")),
            EventKind::Rejected => text("id").map(|id| {
                let reason = text("reason").map(|reason| format!(": {reason}")).unwrap_or_default();
                format!("{id} was rejected{reason}")
            }),
            EventKind::Pruned => self.details["versions"].as_array().map(|versions| {
                let names: Vec<&str> = versions.iter().filter_map(Value::as_str).collect();
                format!("{} {} removed to make room", names.join(", "), if names.len() == 1 { "was" } else { "were" })
            }),
            EventKind::ReferenceUpdated => Some("the reference is now what production learned from".to_owned()),
            _ => None,
        }
    }

    /// What people said, what arrived, and experiments.
    fn of_people(&self) -> Option<String> {
        let (text, number) = (|key: &str| self.word(key), |key: &str| self.number(key));
        match self.event {
            EventKind::LabelsExported => text("batch")
                .zip(number("n"))
                .map(|(batch, n)| format!("{n} rows went out to be labelled, as batch {batch}")),
            EventKind::LabelsImported => number("n_added").map(|n| {
                let file = text("path").map(|path| format!(" from {path}")).unwrap_or_default();
                format!("{n} labels were taken in{file}")
            }),
            EventKind::Feedback => number("new").map(|n| {
                let added = number("labels_added").unwrap_or(0);
                let labels = if added == 0 { String::new() } else { format!(", {}", counted(added, "new label")) };
                format!("{} judged right, wrong or uncertain{labels}", counted(n, "prediction"))
            }),
            EventKind::Outcomes => number("added").map(|n| format!("{} became known", counted(n, "outcome"))),
            EventKind::LabelsReceived => number("added").zip(text("store")).map(|(n, store)| {
                let changed =
                    number("changed").filter(|n| *n > 0).map(|n| format!(", {n} changed")).unwrap_or_default();
                format!("{} came from {store}{changed}", counted(n, "new label"))
            }),
            EventKind::LabelsQuarantined => text("path").map(|file| format!("the answers of {file} are held back")),
            EventKind::BatchClosed => text("batch")
                .zip(number("n_open"))
                .map(|(batch, n)| format!("batch {batch} was closed; {} of it had no answer", counted(n, "row"))),
            EventKind::Accepted => {
                text("path").zip(text("what")).map(|(file, what)| format!("{file} is right as it is, though it {what}"))
            }
            EventKind::Downloaded => text("source").map(|source| format!("{source} was fetched")),
            EventKind::AbStarted => text("name").map(|name| format!("the experiment {name} began{}", self.arms())),
            EventKind::AbStepped => text("name").map(|name| format!("the experiment {name} went on{}", self.arms())),
            EventKind::AbStopped => text("name").map(|name| {
                let why = text("why").filter(|why| !why.is_empty()).map(|why| format!(": {why}")).unwrap_or_default();
                format!("the experiment {name} ended{why}")
            }),
            _ => None,
        }
    }

    /// The shares of the arms.
    fn arms(&self) -> String {
        let weights: Vec<String> = self.details["weights"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_f64)
            .map(|share| format!("{:.0} %", 100.0 * share))
            .collect();
        if weights.is_empty() { String::new() } else { format!(", shares {}", weights.join(", ")) }
    }
}

/// `1 row`, `2 rows`.
fn counted(n: u64, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// A detail in a few words; lists, tables and digests stand in the JSON.
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
    fn every_kind_of_change_is_a_sentence() {
        let told = |event: &str, details: Value| {
            let line = json!({
                "seq": 1, "at": "2026-11-20T08:00:00Z", "event": event, "by": null, "details": details,
                "prev": "", "hash": "", "roles": null,
            });
            serde_json::from_value::<Entry>(line).unwrap().sentence()
        };
        for (event, details, sentence) in [
            (
                "feedback",
                json!({ "new": 1, "labels_added": 1, "lines": 3 }),
                "1 prediction judged right, wrong or uncertain, 1 new label",
            ),
            ("feedback", json!({ "new": 2, "labels_added": 0 }), "2 predictions judged right, wrong or uncertain"),
            (
                "ab-started",
                json!({ "name": "trial", "weights": [0.9, 0.1] }),
                "the experiment trial began, shares 90 %, 10 %",
            ),
            ("ab-stopped", json!({ "name": "trial", "why": "b wins" }), "the experiment trial ended: b wins"),
            ("promoted", json!({ "version": "v0002", "from": "v0001" }), "v0002 went into production instead of v0001"),
            ("pruned", json!({ "versions": ["v0001", "v0002"] }), "v0001, v0002 were removed to make room"),
            ("something-new", json!({ "n_rows": 3, "digest": "0".repeat(64) }), "n rows 3"),
        ] {
            assert_eq!(told(event, details), sentence);
        }
    }
}
