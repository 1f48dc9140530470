//! The current number of rows for a retraining.
//!
//! `monitor` and `retrain` join labels with the arrived rows, which requires reading tables. Here the same is done if
//! it is quick; otherwise the last count of `monitor` is used, plus the labels added since.

use super::RetrainError;
use crate::drift::report::DriftReport;
use crate::drift::settings::Count;
use crate::labels::{Labels, Resolved, Used, resolve};
use crate::pipeline::Pipeline;
use crate::reference::{Gathering, Plan};
use crate::registry::Version;
use crate::table::TableOptions;
use crate::workspace::{Config, EventKind, Workspace};
use jiff::Timestamp;
use std::path::Path;

/// Files of up to this many bytes together are read for a count.
const QUICK_BYTES: u64 = 16 << 20;

/// A count, and when it was taken.
pub(super) type At = Option<(f64, Timestamp)>;

/// The counts for triggers.
pub(super) struct Counted {
    /// Rows for `new_rows`.
    pub(super) new_rows: At,
    /// Rows for `unused_feedback`.
    pub(super) by_people: At,
    /// Files that could not be read.
    pub(super) note: Option<String>,
}

/// The labels of a loop.
pub(super) struct Said {
    pub(super) labels: Labels,
    pub(super) used: Used,
}

/// The counts for `production`; `seen` is its last `monitor` report.
pub(super) fn count(
    workspace: &Workspace,
    config: &Config,
    production: Option<Version>,
    seen: Option<&DriftReport>,
    said: &Said,
    now: Timestamp,
) -> Result<Counted, RetrainError> {
    let mut counted = Counted { new_rows: None, by_people: None, note: None };
    let Some(version) = production else { return Ok(counted) };
    let retrained = workspace.audit_chain()?.last(&EventKind::Retrained).map(|entry| entry.at);
    let seen = seen.filter(|report| retrained.is_none_or(|at| report.made_at > at));
    let plan = match is_quick(workspace, config, version) {
        // Errors while counting are only reported; `monitor` and `retrain` fail on them.
        true => plan(workspace, config, version, now).map_err(|err| counted.note = Some(err.to_string())).ok(),
        false => None,
    };
    let labels = by_labels(said, config, seen, now);
    let [mut new_rows, mut by_people] = match &plan {
        Some(plan) => [(plan.n_new as f64, now), (plan.n_new_by_people as f64, now)],
        // The count of `monitor` includes only new or changed labels; counting labels alone cannot tell.
        None => [0, 1].map(|at| labels.with_table[at].unwrap_or((labels.alone[at] as f64, now))),
    };
    // If the table is named with each call, only `monitor` can count it.
    if let Some(report) = seen.filter(|_| plan.is_some() && !workspace.path(&config.monitor.current).exists()) {
        for (counted, name) in [(&mut new_rows, "new_rows"), (&mut by_people, "unused_feedback")] {
            let seen = value_of(report, name).filter(|value| *value > counted.0);
            *counted = seen.map_or(*counted, |value| (value, report.made_at));
        }
    }
    counted.by_people = Some(by_people);
    counted.new_rows = match config.monitor.triggers.count {
        Count::Labelled => Some(new_rows),
        // A count that includes rows without labels is only known from the arrived rows.
        Count::All => seen.and_then(|report| Some((value_of(report, "new_rows")?, report.made_at))),
    };
    Ok(counted)
}

/// Whether all files read for a count are small.
fn is_quick(workspace: &Workspace, config: &Config, version: Version) -> bool {
    let bytes = |path: &Path| match path.metadata() {
        Ok(found) if found.is_file() => found.len(),
        // Opening a pipe would block.
        Ok(found) if !found.is_dir() => QUICK_BYTES + 1,
        _ => 0,
    };
    let logged = std::fs::read_dir(workspace.path("predictions")).into_iter().flatten().flatten();
    let logged: u64 = logged.map(|entry| bytes(&entry.path())).sum();
    let models = workspace.path("models").join(version.to_string());
    let files = [&config.data.reference, &config.monitor.current].map(|path| bytes(&workspace.path(path)));
    files.into_iter().sum::<u64>() + logged + bytes(&models.join("model.bin")) <= QUICK_BYTES
}

/// The training data of a retraining.
fn plan(workspace: &Workspace, config: &Config, version: Version, now: Timestamp) -> Result<Plan, RetrainError> {
    let pipeline = Pipeline::load(&workspace.registry().path(version)?).map_err(crate::train::TrainError::from)?;
    let read = TableOptions { skip_invalid: true, ..TableOptions::default() };
    let gathering = Gathering { workspace, config, pipeline: &pipeline, current: None, read: &read, count_only: true };
    Ok(gathering.gather(now)?.plan)
}

/// Rows with new labels: all, and those labelled by people.
struct ByLabels {
    /// Counted from labels alone, whether their rows are known or not.
    alone: [u64; 2],
    /// The count of `monitor` among the arrived rows, and the rows labelled since.
    with_table: [At; 2],
}

fn by_labels(said: &Said, config: &Config, seen: Option<&DriftReport>, now: Timestamp) -> ByLabels {
    let agreed = resolve(&said.labels, config.labels.policy).agreed;
    let new = || agreed.iter().filter(|row| row.is_new(&said.used));
    let of_people = || agreed.iter().filter(|row| row.is_new_by_people(&said.used));
    let seen = seen.filter(|report| report.made_at <= now);
    let came =
        |row: &&Resolved| seen.is_some_and(|report| row.said.iter().all(|label| label.labelled_at > report.made_at));
    let since = [new().filter(came).count(), of_people().filter(came).count()];
    let with_table = [("new_rows", since[0]), ("unused_feedback", since[1])]
        .map(|(name, since)| seen.and_then(|report| Some((value_of(report, name)? + since as f64, report.made_at))));
    ByLabels { alone: [new().count() as u64, of_people().count() as u64], with_table }
}

fn value_of(report: &DriftReport, trigger: &str) -> Option<f64> {
    report.triggers.iter().find(|found| found.name == trigger)?.value
}
