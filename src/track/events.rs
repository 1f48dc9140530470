//! A line of the audit chain as a run of MLflow.

use super::{Round, Stop, text};
use crate::registry::Version;
use crate::remote::{CallError, Method};
use crate::workspace::EventKind;
use crate::workspace::audit::Entry;
use crate::workspace::event::{Details, GateVerdict, Promoted, RolledBack, Trained};
use serde_json::{Value, json};

/// MLflow's limit per call.
const MAX_METRICS: usize = 1000;
const MAX_PARAMS: usize = 100;
/// MLflow refuses longer names, and cuts longer values silently.
const MAX_KEY: usize = 250;
const MAX_VALUE: usize = 6000;
/// Maximum number of last runs of a verb searched in the run log for the duration of a change.
const LAST_RUNS: usize = 1000;

/// The tag of a run with the hash of its line.
pub(super) const AUDIT: &str = "mlloop.audit";

/// The data of a run, collected before sending.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub(super) params: Vec<(String, String)>,
    pub(super) metrics: Vec<(String, f64)>,
}

impl Facts {
    /// Adds every number of `value` as a metric and all else as parameters, under `prefix`.
    pub(super) fn add(&mut self, prefix: &str, value: &Value, numbers_are_metrics: bool) {
        match value {
            Value::Null => {}
            Value::Object(fields) => {
                for (key, value) in fields {
                    let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    self.add(&name, value, numbers_are_metrics);
                }
            }
            Value::Number(number) if numbers_are_metrics => self.metric(prefix, number.as_f64()),
            Value::String(text) => self.param(prefix, text),
            other => self.param(prefix, &other.to_string()),
        }
    }

    pub(super) fn param(&mut self, name: &str, value: &str) {
        let value = match value.char_indices().nth(MAX_VALUE - 1) {
            Some((end, _)) => format!("{}…", &value[..end]),
            None => value.to_owned(),
        };
        self.params.push((key(name), value));
    }

    pub(super) fn metric(&mut self, name: &str, value: Option<f64>) {
        self.metrics.extend(value.filter(|value| value.is_finite()).map(|value| (key(name), value)));
    }
}

/// A name that MLflow accepts: letters, digits and `_-. :/`, not too long.
fn key(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "_-. ".contains(c) { c } else { '_' };
    let mut key = String::new();
    for c in name.chars().map(plain) {
        if key.len() + c.len_utf8() > MAX_KEY {
            break;
        }
        key.push(c);
    }
    key
}

/// A run on the server.
pub(super) struct RunAt {
    pub(super) id: String,
    pub(super) experiment: String,
    pub(super) finished: bool,
}

/// The name of a line's run, its version, and the verbs that write it.
fn about(entry: &Entry) -> Option<(String, Option<Version>, &'static [&'static str])> {
    // An invalid line is sent too, without the version.
    fn said<T: Details>(entry: &Entry) -> Option<T> {
        entry.of::<T>().ok().flatten()
    }
    let made = || said::<Trained>(entry).map(|said| said.version);
    let told = |version: Option<Version>, what: &str, verbs: &'static [&'static str]| {
        let named = version.map_or_else(|| "a version".to_owned(), |version| version.to_string());
        Some((format!("{named} {what}"), version, verbs))
    };
    match entry.event {
        EventKind::Trained => told(made(), "trained", &["train"]),
        EventKind::Retrained => told(made(), "retrained", &["retrain"]),
        EventKind::GateVerdict => {
            let pair = said::<GateVerdict>(entry).map(|said| (said.challenger, said.production));
            let against = pair.map_or_else(|| "a version".to_owned(), |(_, old)| old.to_string());
            told(pair.map(|(new, _)| new), &format!("against {against}"), &["promote"])
        }
        EventKind::Promoted => {
            told(said::<Promoted>(entry).map(|said| said.version), "promoted", &["promote", "approve"])
        }
        EventKind::RolledBack => told(said::<RolledBack>(entry).map(|said| said.version), "restored", &["rollback"]),
        _ => None,
    }
}

impl Round<'_> {
    /// Sends a line to the server; returns whether there was anything new.
    pub(super) fn tell(&mut self, experiment: &str, entry: &Entry) -> Result<bool, Stop> {
        let Some((name, version, verbs)) = about(entry) else { return Ok(false) };
        let run = match self.find(experiment, &entry.hash)? {
            Some(run) if run.finished => return Ok(false),
            Some(run) => run,
            None => self.begin(experiment, entry, &name, version)?,
        };
        if let Some(version) = entry.made()? {
            self.version(&run, entry, version)?;
        } else {
            let mut facts = Facts::default();
            facts.add("", &entry.details, true);
            self.log(&run, &facts, entry)?;
        }
        let lasted = verbs.iter().find_map(|verb| {
            let runs = self.workspace.last_runs(verb, LAST_RUNS).ok()?;
            runs.iter().rfind(|run| run.at == entry.at).map(|run| run.seconds)
        });
        #[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds")]
        let lasted = (lasted.unwrap_or(0.0).clamp(0.0, 1e9) * 1e3) as i64;
        let end = json!({ "run_id": run.id, "status": "FINISHED", "end_time": entry.at.as_millisecond() + lasted });
        self.server.call(Method::Post, "runs/update", &end)?;
        Ok(true)
    }

    /// The run of the line with this hash.
    pub(super) fn find(&self, experiment: &str, hash: &str) -> Result<Option<RunAt>, CallError> {
        let filter = format!("tags.`{AUDIT}` = '{hash}'");
        let asked = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 1 });
        let found = self.server.call(Method::Post, "runs/search", &asked)?;
        let run = &found["runs"][0]["info"];
        if run.is_null() {
            return Ok(None);
        }
        let id = text(&run["run_id"], "run_id")?;
        Ok(Some(RunAt { id, experiment: experiment.to_owned(), finished: run["status"] == "FINISHED" }))
    }

    /// Creates the run of a line.
    fn begin(&self, experiment: &str, entry: &Entry, name: &str, version: Option<Version>) -> Result<RunAt, Stop> {
        let mut tags = vec![
            (AUDIT, entry.hash.clone()),
            ("mlloop.event", entry.event.to_string()),
            ("mlloop.line", entry.seq.to_string()),
            ("mlflow.source.name", "mlloop".to_owned()),
            ("mlflow.source.type", "LOCAL".to_owned()),
        ];
        tags.extend(entry.by.clone().map(|by| ("mlflow.user", by)));
        tags.extend(entry.config.clone().map(|config| ("mlloop.config", config)));
        tags.extend(version.map(|version| ("mlloop.version", version.to_string())));
        // Changes of a version are shown below the run that created it.
        if let (Some(version), None) = (version, entry.made()?)
            && let Some(maker) = self.chain.maker_of(version)?
            && let Some(parent) = self.find(experiment, &maker.hash)?
        {
            tags.push(("mlflow.parentRunId", parent.id));
        }
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let asked = json!({
            "experiment_id": experiment, "run_name": name, "start_time": entry.at.as_millisecond(), "tags": tags,
        });
        let made = self.server.call(Method::Post, "runs/create", &asked)?;
        let id = text(&made["run"]["info"]["run_id"], "run_id")?;
        Ok(RunAt { id, experiment: experiment.to_owned(), finished: false })
    }

    /// Logs parameters and metrics, in as many calls as needed. Repeated logging gives the same result.
    pub(super) fn log(&self, run: &RunAt, facts: &Facts, entry: &Entry) -> Result<(), CallError> {
        let at = entry.at.as_millisecond();
        for part in facts.params.chunks(MAX_PARAMS) {
            let params: Vec<Value> = part.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
            self.server.call(Method::Post, "runs/log-batch", &json!({ "run_id": run.id, "params": params }))?;
        }
        for part in facts.metrics.chunks(MAX_METRICS) {
            let metric =
                |(key, value): &(String, f64)| json!({ "key": key, "value": value, "timestamp": at, "step": 0 });
            let metrics: Vec<Value> = part.iter().map(metric).collect();
            self.server.call(Method::Post, "runs/log-batch", &json!({ "run_id": run.id, "metrics": metrics }))?;
        }
        Ok(())
    }

    /// Sets a tag of a run.
    pub(super) fn tag(&self, run: &RunAt, key: &str, value: &str) -> Result<(), CallError> {
        let value: String = value.chars().take(MAX_VALUE - 1).collect();
        self.server
            .call(Method::Post, "runs/set-tag", &json!({ "run_id": run.id, "key": key, "value": value }))
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_have_names_and_values_that_mlflow_takes() {
        let mut facts = Facts::default();
        facts.add("", &json!({ "a": { "b c": 1.5, "x=y": "ü" }, "n": null, "list": [1, 2], "yes": true }), true);
        assert_eq!(facts.metrics, [("a.b c".to_owned(), 1.5)]);
        let params = [("a.x_y", "ü"), ("list", "[1,2]"), ("yes", "true")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(facts.params, params);
        let mut facts = Facts::default();
        facts.param(&"ü".repeat(200), &"é".repeat(7000));
        facts.metric("bad", Some(f64::NAN));
        assert_eq!((facts.params[0].0.len(), facts.params[0].1.chars().count()), (MAX_KEY, MAX_VALUE));
        assert!(facts.metrics.is_empty());
    }
}
