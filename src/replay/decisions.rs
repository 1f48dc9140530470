//! Replays verdicts, promotions, experiments and label imports.

use super::shadow::{Shadow, find, named};
use super::{Part, Replay, ReplayError, Source};
use crate::ab::experiment::Ended;
use crate::ab::log::{self, Asked};
use crate::ab::{AbError, Experiment};
use crate::atomic::At;
use crate::gate::{self, GateReport, PromoteRequest};
use crate::labels::{ImportRequest, PULLED, import};
use crate::workspace::audit::Entry;
use crate::workspace::event::{
    AnswersRead, Decision, ExperimentChanged, GateVerdict, LabelsExported, LogRead, Promoted,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The guardrail that depends on a clock.
const BY_CLOCK: &str = "latency_ratio";

/// The gate's verdict on the same rows.
pub(super) fn verdict(source: &Source, entry: &Entry, said: &GateVerdict) -> Result<Replay, ReplayError> {
    let mut shadow = Shadow::before(source, entry)?;
    let GateVerdict { challenger, production, .. } = *said;
    let there = [production, challenger].map(|version| shadow.has(version));
    let there =
        there == [true, true] && shadow.reference(source, entry)? && shadow.labels(source, entry, &said.labels)?;
    let mut parts = Vec::new();
    if there {
        let request = PromoteRequest {
            version: Some(challenger),
            dry_run: true,
            by: entry.by.as_deref(),
            allow_equivalent: said.allow_equivalent.as_deref(),
            overridden: None,
            skip_invalid: true,
            now: entry.at,
            seed: said.seed,
            seconds: &|| 0.0,
        };
        let report = gate::promote(&shadow.workspace, None, &request)?.report;
        let is_same = |report: &GateReport| said.rows.as_ref().is_some_and(|rows| rows.digest == report.rows_digest);
        match report.filter(is_same) {
            Some(report) => parts = compare(entry.seq, said, &report),
            None => {
                shadow.missing.push(format!("the gate rows of line {}: the tables were changed by hand", entry.seq))
            }
        }
    }
    Ok(Replay { parts, missing: shadow.missing, notes: shadow.notes })
}

fn compare(line: u64, said: &GateVerdict, report: &GateReport) -> Vec<Part> {
    let without_clock =
        |names: Vec<&str>| json!(names.into_iter().filter(|name| *name != BY_CLOCK).collect::<Vec<_>>());
    let recorded: Vec<&str> = said.broken.iter().flatten().map(String::as_str).collect();
    let by_clock = recorded.contains(&BY_CLOCK);
    let now = report.guardrails.iter().filter(|rail| rail.broken).map(|rail| rail.name.as_str()).collect();
    let judged = &report.judgement;
    let mut parts = vec![
        Part::of(
            line,
            "gate rows and their labels",
            json!(said.rows.as_ref().map(|rows| &rows.digest)),
            json!(report.rows_digest),
        ),
        Part::of(line, "verdict", json!(said.verdict), json!(judged.verdict)),
        Part::of(line, "test", said.test.clone(), json!(judged.improvement)),
        Part::of(line, "alpha", json!(said.alpha), json!(judged.alpha)),
        Part::of(line, "broken guardrails", without_clock(recorded), without_clock(now)),
        Part::of(line, "uses of the rows", json!(said.uses), json!(report.holdout.uses)),
    ];
    // A decision that depends on a clock is not replayed.
    if !by_clock {
        parts.push(Part::of(line, "decision", json!(said.decision), json!(report.decision)));
    }
    parts
}

/// A promotion follows from the preceding verdict, or from a human override.
pub(super) fn promoted(source: &Source, entry: &Entry, said: &Promoted) -> Result<Replay, ReplayError> {
    let version = said.version;
    let by = entry.by.as_deref().unwrap_or("somebody");
    if let Some(reason) = &said.because.overridden {
        let note = format!(
            "{version} was promoted against the gate, by {by}: {reason}; this decision cannot be \
                            replayed from data"
        );
        return Ok(Replay { notes: vec![note], ..Replay::default() });
    }
    let is_its = |before: &Entry, said: &GateVerdict| before.seq < entry.seq && said.challenger == version;
    let Some((judged, verdict_then)) = source.chain.last_of(is_its)? else {
        let what = format!("line {}: no earlier line has a gate verdict on {version}", entry.seq);
        return Err(ReplayError::Usage(what));
    };
    let mut found = verdict(source, judged, &verdict_then)?;
    let (expected, decision) = (json!(Decision::Promote), json!(verdict_then.decision));
    found.parts.push(Part::of(entry.seq, "promoted as the gate decided", expected, decision));
    Ok(found)
}

/// The verdict on an experiment when it ended.
pub(super) fn ab_stopped(source: &Source, entry: &Entry) -> Result<Replay, ReplayError> {
    let mut shadow = Shadow::before(source, entry)?;
    let said: ExperimentChanged = entry.needed("name", entry.of()?)?;
    let ended: Experiment = entry.understood("experiment", &said.experiment)?;
    let there = ended.arms.iter().map(|arm| shadow.has(arm.version)).collect::<Vec<_>>();
    let there = there.iter().all(|there| *there) && shadow.labels(source, entry, &said.labels)?;
    let mut parts = Vec::new();
    if there {
        let logs = source.workspace.path("predictions");
        if logs.is_dir() {
            for file in fs::read_dir(&logs).at(&logs)? {
                let file = file.at(&logs)?;
                shadow.link(&file.path(), &shadow.workspace.path("predictions").join(file.file_name()))?;
            }
        }
        let recorded = ended.ended.as_ref().and_then(|ended| ended.verdict.clone());
        let asked = Asked { margin: None, fixed: false, force: false, now: entry.at };
        // Later rows are excluded, because the experiment had ended.
        let closed = Experiment { ended: Some(Ended { at: entry.at, verdict: None, promoted: None }), ..ended };
        let (now, read) = match log::report_on(&shadow.workspace, closed, &asked) {
            Ok(report) => {
                let read = LogRead { n_rows: report.source.n_rows, digest: report.source.digest };
                (report.verdict.sentence, Some(read))
            }
            Err(err @ AbError::Journal(_)) => return Err(err.into()),
            Err(err) => (format!("no verdict: {err}"), None),
        };
        let verdict = Part::of(entry.seq, "verdict", json!(recorded), json!(now));
        match said.log.flatten() {
            was if was == read => parts.push(verdict),
            // A change that was written before rows were recorded.
            None if verdict.agrees => parts.push(verdict),
            None => shadow.missing.push(format!(
                "the predictions of line {}: it does not record which rows of the log were used, and the current \
                 rows give another verdict",
                entry.seq
            )),
            Some(was) => shadow.missing.push(format!(
                "the predictions of line {}: it was made from {} rows of the log, but some of them are missing or \
                 changed (now {} rows)",
                entry.seq,
                was.n_rows,
                read.map_or(0, |read| read.n_rows)
            )),
        }
    }
    Ok(Replay { parts, missing: shadow.missing, notes: shadow.notes })
}

/// Replays an import of answers: the same labels, the same guards, the same file.
pub(super) fn labels(source: &Source, entry: &Entry) -> Result<Replay, ReplayError> {
    let mut shadow = Shadow::before(source, entry)?;
    let said: AnswersRead = entry.needed("file", entry.of()?)?;
    let there = shadow.labels(source, entry, &said.labels_before)?;
    let answers = match &said.kept {
        Some(sha256) => find(source, sha256, &[])?,
        None => None,
    };
    let Some(answers) = answers.filter(|_| there) else {
        if there {
            shadow.missing.push(named(&said.file, said.kept.as_deref()));
        }
        return Ok(Replay { parts: Vec::new(), missing: shadow.missing, notes: shadow.notes });
    };
    inbox(source, &shadow, entry, &said)?;
    let name = Path::new(&said.file).file_name().map_or_else(|| PathBuf::from("answers"), PathBuf::from);
    let path = PathBuf::from("label_inbox").join(name);
    shadow.write(&path, &answers)?;
    let request = ImportRequest {
        file: Some(&shadow.workspace.path(&path)),
        annotator: said.annotator.as_deref(),
        skip_invalid: said.skip_invalid,
        accept_batch: said.accepted,
        partial: false,
        attested: path.ends_with(PULLED),
        policy: said.policy,
        by: entry.by.clone(),
        now: entry.at,
    };
    let lock = shadow.workspace.lock()?;
    import(&shadow.workspace, &lock, &request)?;
    let chain = shadow.workspace.audit_chain()?;
    let made = chain.entries.last().filter(|made| made.seq == entry.seq && made.event == entry.event);
    let made = made.map(Entry::of::<AnswersRead>).transpose()?.flatten();
    let now = made.as_ref().map_or([const { Value::Null }; N_OUTCOMES], |made| outcome(made).map(|(_, value)| value));
    let part = |((what, then), now): ((&str, Value), Value)| Part::of(entry.seq, what, then, now);
    let parts = outcome(&said).into_iter().zip(now).map(part).collect();
    Ok(Replay { parts, missing: shadow.missing, notes: shadow.notes })
}

/// The number of results of [`outcome`].
const N_OUTCOMES: usize = 9;

/// The results of answers, by name.
fn outcome(said: &AnswersRead) -> [(&'static str, Value); N_OUTCOMES] {
    [
        ("batch", json!(said.batch)),
        ("n added", json!(said.n_added)),
        ("n unchanged", json!(said.n_unchanged)),
        ("n unanswered", json!(said.n_unanswered)),
        ("n rejected", json!(said.n_rejected)),
        ("changes", said.changes.clone()),
        ("guards", said.guards.clone()),
        ("sha256", json!(said.sha256)),
        ("labels sha256", json!(said.labels_sha256)),
    ]
}

/// The batches exported by then; those with answers in the file are open again.
fn inbox(source: &Source, shadow: &Shadow, entry: &Entry, said: &AnswersRead) -> Result<(), ReplayError> {
    for place in ["batches", "imported"] {
        let from = source.workspace.path("label_inbox").join(place);
        if !from.is_dir() {
            continue;
        }
        for batch in fs::read_dir(&from).at(&from)? {
            let batch = batch.at(&from)?;
            let name = batch.file_name().to_string_lossy().into_owned();
            let is_it = |before: &Entry, said: &LabelsExported| before.seq < entry.seq && said.batch == name;
            if source.chain.last_of(is_it)?.is_none() {
                continue;
            }
            let place = if said.batch.contains(&name) { "batches" } else { place };
            let record = batch.path().join("batch.json");
            shadow.link(&record, &shadow.workspace.path("label_inbox").join(place).join(&name).join("batch.json"))?;
        }
    }
    Ok(())
}
