//! Verdicts, promotions, experiments and imports of labels made again.

use super::shadow::{Shadow, find, named};
use super::{Part, Replay, ReplayError, Source};
use crate::ab::experiment::Ended;
use crate::ab::log::{self, Asked};
use crate::ab::{AbError, Experiment};
use crate::gate::{self, GateReport, PromoteRequest};
use crate::labels::{ImportRequest, import};
use crate::registry::Version;
use crate::workspace::EventKind;
use crate::workspace::audit::Entry;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The guardrail that a clock decides.
const BY_CLOCK: &str = "latency_ratio";

/// The gate's verdict on the same rows.
pub(super) fn verdict(source: &Source, entry: &Entry) -> Result<Replay, ReplayError> {
    let mut shadow = Shadow::before(source, entry)?;
    let challenger: Version = entry.detail("challenger")?;
    let production: Version = entry.detail("production")?;
    let there = [production, challenger].map(|version| shadow.has(version));
    let there = there == [true, true] && shadow.reference(source, entry)? && shadow.labels(source, entry, "labels")?;
    let mut parts = Vec::new();
    if there {
        let allow_equivalent = entry.detail_if_any::<String>("allow_equivalent")?;
        let request = PromoteRequest {
            version: Some(challenger),
            dry_run: true,
            by: entry.by.as_deref(),
            allow_equivalent: allow_equivalent.as_deref(),
            overridden: None,
            skip_invalid: true,
            now: entry.at,
            seed: entry.detail_if_any("seed")?.unwrap_or(0),
            seconds: &|| 0.0,
        };
        let report = gate::promote(&shadow.workspace, None, &request)?.report;
        match report.filter(|report| entry.details["rows"]["digest"] == *report.rows_digest) {
            Some(report) => parts = compare(entry, &report),
            None => {
                shadow.missing.push(format!("the gate rows of line {}: the tables were changed by hand", entry.seq))
            }
        }
    }
    Ok(Replay { parts, missing: shadow.missing, notes: shadow.notes })
}

fn compare(entry: &Entry, report: &GateReport) -> Vec<Part> {
    let line = entry.seq;
    let without_clock =
        |names: Vec<&str>| json!(names.into_iter().filter(|name| *name != BY_CLOCK).collect::<Vec<_>>());
    let recorded: Vec<&str> =
        entry.details["broken"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let by_clock = recorded.contains(&BY_CLOCK);
    let now = report.guardrails.iter().filter(|rail| rail.broken).map(|rail| rail.name.as_str()).collect();
    let judged = &report.judgement;
    let mut parts = vec![
        Part::of(
            line,
            "gate rows and their labels",
            entry.details["rows"]["digest"].clone(),
            json!(report.rows_digest),
        ),
        Part::of(line, "verdict", entry.details["verdict"].clone(), json!(judged.verdict)),
        Part::of(line, "test", entry.details["test"].clone(), json!(judged.improvement)),
        Part::of(line, "alpha", entry.details["alpha"].clone(), json!(judged.alpha)),
        Part::of(line, "broken guardrails", without_clock(recorded), without_clock(now)),
        Part::of(line, "uses of the rows", entry.details["uses"].clone(), json!(report.holdout.uses)),
    ];
    // A decision that a clock had a part in is not repeated.
    if !by_clock {
        parts.push(Part::of(line, "decision", entry.details["decision"].clone(), json!(report.decision)));
    }
    parts
}

/// A promotion follows from the verdict before it, or from a person's word.
pub(super) fn promoted(source: &Source, entry: &Entry) -> Result<Replay, ReplayError> {
    let version: Version = entry.detail("version")?;
    let by = entry.by.as_deref().unwrap_or("somebody");
    if let Some(reason) = entry.detail_if_any::<String>("override")? {
        let note = format!("{version} was promoted against the gate, by {by}: {reason}; nothing follows from data");
        return Ok(Replay { notes: vec![note], ..Replay::default() });
    }
    let judged = source.chain.rfind(|before| {
        let is_before = before.seq < entry.seq && before.event == EventKind::GateVerdict;
        Ok(is_before && before.detail::<Version>("challenger")? == version)
    })?;
    let Some(judged) = judged else {
        let what = format!("line {}: no verdict of the gate on {version} comes before it", entry.seq);
        return Err(ReplayError::Usage(what));
    };
    let mut found = verdict(source, judged)?;
    let decision = judged.details["decision"].clone();
    found.parts.push(Part::of(entry.seq, "promoted as the gate decided", json!("promote"), decision));
    Ok(found)
}

/// The verdict on an experiment when it ended.
pub(super) fn ab_stopped(source: &Source, entry: &Entry) -> Result<Replay, ReplayError> {
    let mut shadow = Shadow::before(source, entry)?;
    let ended: Experiment = entry.detail("experiment")?;
    let there = ended.arms.iter().map(|arm| shadow.has(arm.version)).collect::<Vec<_>>();
    let there = there.iter().all(|there| *there) && shadow.labels(source, entry, "labels")?;
    let mut parts = Vec::new();
    if there {
        let logs = source.workspace.path("predictions");
        if logs.is_dir() {
            for file in fs::read_dir(&logs).map_err(ReplayError::io(&logs))? {
                let file = file.map_err(ReplayError::io(&logs))?;
                shadow.link(&file.path(), &shadow.workspace.path("predictions").join(file.file_name()))?;
            }
        }
        let recorded = ended.ended.as_ref().and_then(|ended| ended.verdict.clone());
        let asked = Asked { margin: None, fixed: false, force: false, now: entry.at };
        // Rows that came later are left out, since the experiment had ended.
        let closed = Experiment { ended: Some(Ended { at: entry.at, verdict: None, promoted: None }), ..ended };
        let (now, read) = match log::report_on(&shadow.workspace, closed, &asked) {
            Ok(report) => {
                (report.verdict.sentence, json!({ "n_rows": report.source.n_rows, "digest": report.source.digest }))
            }
            Err(err @ AbError::Journal(_)) => return Err(err.into()),
            Err(err) => (format!("no verdict: {err}"), Value::Null),
        };
        let verdict = Part::of(entry.seq, "verdict", json!(recorded), json!(now));
        match &entry.details["log"] {
            was if *was == read => parts.push(verdict),
            // A change of before rows were recorded.
            Value::Null if verdict.agrees => parts.push(verdict),
            Value::Null => shadow.missing.push(format!(
                "the predictions of line {}: it does not say which rows of the log it was made from, and those that are there \
                 give another verdict",
                entry.seq
            )),
            was => shadow.missing.push(format!(
                "the predictions of line {}: it was made from {} rows of the log, of which not all are there as they were ({} are \
                 there now)",
                entry.seq, was["n_rows"], read["n_rows"].as_u64().unwrap_or(0)
            )),
        }
    }
    Ok(Replay { parts, missing: shadow.missing, notes: shadow.notes })
}

/// Answers taken in again: the same labels, the same guards, the same file.
pub(super) fn labels(source: &Source, entry: &Entry) -> Result<Replay, ReplayError> {
    let mut shadow = Shadow::before(source, entry)?;
    let file: String = entry.detail("file")?;
    let there = shadow.labels(source, entry, "labels_before")?;
    let kept = entry.detail_if_any::<String>("kept")?;
    let answers = match &kept {
        Some(sha256) => find(source, sha256, &[])?,
        None => None,
    };
    let Some(answers) = answers.filter(|_| there) else {
        if there {
            shadow.missing.push(named(&file, kept.as_deref()));
        }
        return Ok(Replay { parts: Vec::new(), missing: shadow.missing, notes: shadow.notes });
    };
    inbox(source, &shadow, entry)?;
    let name = Path::new(&file).file_name().map_or_else(|| PathBuf::from("answers"), PathBuf::from);
    let path = PathBuf::from("label_inbox").join(name);
    shadow.write(&path, &answers)?;
    let annotator = entry.detail_if_any::<String>("annotator")?;
    let request = ImportRequest {
        file: Some(&shadow.workspace.path(&path)),
        annotator: annotator.as_deref(),
        skip_invalid: entry.detail_if_any("skip_invalid")?.unwrap_or(false),
        accept_batch: entry.detail_if_any("accepted")?.unwrap_or(false),
        partial: false,
        policy: entry.detail_if_any("policy")?,
        by: entry.by.clone(),
        now: entry.at,
    };
    let lock = shadow.workspace.lock()?;
    import(&shadow.workspace, &lock, &request)?;
    let chain = shadow.workspace.audit_chain()?;
    let made = chain.entries.last().filter(|made| made.seq == entry.seq && made.event == entry.event);
    let keys = [
        "batch",
        "n_added",
        "n_unchanged",
        "n_unanswered",
        "n_rejected",
        "changes",
        "guards",
        "sha256",
        "labels_sha256",
    ];
    let now = |key: &str| made.map_or(Value::Null, |made| made.details[key].clone());
    let parts =
        keys.map(|key| Part::of(entry.seq, key.replace('_', " "), entry.details[key].clone(), now(key))).to_vec();
    Ok(Replay { parts, missing: shadow.missing, notes: shadow.notes })
}

/// The batches that had gone out by then; those that the answers are to are out again.
fn inbox(source: &Source, shadow: &Shadow, entry: &Entry) -> Result<(), ReplayError> {
    let answered: Vec<String> = entry.detail("batch")?;
    for place in ["batches", "imported"] {
        let from = source.workspace.path("label_inbox").join(place);
        if !from.is_dir() {
            continue;
        }
        for batch in fs::read_dir(&from).map_err(ReplayError::io(&from))? {
            let batch = batch.map_err(ReplayError::io(&from))?;
            let name = batch.file_name().to_string_lossy().into_owned();
            let exported = source.chain.rfind(|before| {
                let is_export = before.event == EventKind::LabelsExported && before.seq < entry.seq;
                Ok(is_export && before.detail::<String>("batch")? == name)
            })?;
            if exported.is_none() {
                continue;
            }
            let place = if answered.contains(&name) { "batches" } else { place };
            let record = batch.path().join("batch.json");
            shadow.link(&record, &shadow.workspace.path("label_inbox").join(place).join(&name).join("batch.json"))?;
        }
    }
    Ok(())
}
