//! The progress of each retraining trigger: the count, the threshold, the remainder.
//!
//! Rows with new labels are counted as a retraining would use them (`count.rs`). Measurements on arrived rows
//! are from the last [`crate::monitor`].

use super::RetrainError;
use super::count::{Said, count};
use crate::drift::drift_share;
use crate::drift::report::{DriftReport, Trigger};
use crate::drift::settings::{DriftSettings, DropLimit, Preset};
use crate::drift::triggers::{Evidence, Volume, triggers};
use crate::labels::{Labels, Used};
use crate::monitor::alarm;
use crate::registry::Version;
use crate::workspace::Workspace;
use jiff::Timestamp;
use serde::Serialize;
use std::path::PathBuf;

/// The triggers in the order in which they are shown: first those that are counted on request.
pub const NAMES: [&str; 10] = [
    "new_rows",
    "unused_feedback",
    "age",
    "drift_share",
    "psi",
    "score_drift",
    "multivariate",
    "schema",
    "recent_accuracy",
    "metric_drop",
];

/// The current state of a trigger.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Standing {
    /// Its name in `[monitor.triggers]`.
    pub name: String,
    /// Whether it is on.
    pub is_on: bool,
    /// The counted or measured value; `None` if there is none.
    pub count: Option<f64>,
    /// Its threshold; `None` if it is off, or if the threshold depends on rows that were not compared yet.
    pub threshold: Option<f64>,
    /// What remains until it fires; 0 after that.
    pub remaining: Option<f64>,
    /// Progress in percent, from 0 to 100.
    pub progress_percent: Option<f64>,
    /// Whether it fired.
    pub fired: bool,
    /// When it was counted: now, or by the last `monitor`.
    pub as_of: Option<Timestamp>,
    /// The explanation of `monitor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// All triggers, and the numbers of labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Progress {
    /// Labels of all kinds.
    pub n_labels: usize,
    /// Usable labels that no version was trained on.
    pub n_unused: usize,
    /// All triggers.
    pub triggers: Vec<Standing>,
    /// Files that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Progress {
    /// The label-counting trigger with the most progress; `new_rows` on a tie.
    #[must_use]
    pub fn by_labels(&self) -> Option<&Standing> {
        let of = |name: &str| self.triggers.iter().find(|trigger| trigger.name == name && trigger.is_on);
        let far = |trigger: &Standing| trigger.progress_percent.unwrap_or(0.0);
        match (of("new_rows"), of("unused_feedback")) {
            (Some(rows), Some(by_people)) => Some(if far(by_people) > far(rows) { by_people } else { rows }),
            (rows, by_people) => rows.or(by_people),
        }
    }
}

/// The input files of [`progress`], relative to the loop: if none changed, only age does. For the log it is
/// the directory, which changes with each new day: rows labelled before their prediction may be counted later.
#[must_use]
pub fn files(workspace: &Workspace) -> Vec<PathBuf> {
    let files = [
        "mlloop.toml",
        "data/labels.csv",
        "audit.jsonl",
        "reports/drift_report.json",
        "models",
        "models/roles.json",
        "predictions",
    ];
    let mut files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    if let Ok(config) = workspace.config() {
        files.extend([config.data.reference, config.monitor.current]);
    }
    files
}

/// The direction in which a value must change for a trigger to fire.
#[derive(Clone, Copy, PartialEq)]
enum Fires {
    Above,
    Below,
}

/// The direction for the value of a trigger.
fn fires(name: &str) -> Fires {
    match name {
        // A p-value, and an accuracy.
        "score_drift" | "recent_accuracy" => Fires::Below,
        _ => Fires::Above,
    }
}

/// The progress of each trigger for `production`. Labels, rows and age are counted now; values that need the
/// arrived rows are from the last `monitor`. Thresholds are those of `mlloop.toml`.
///
/// # Errors
/// If `mlloop.toml`, the labels, the audit chain or the registry is unreadable.
pub fn progress(workspace: &Workspace, production: Option<Version>, now: Timestamp) -> Result<Progress, RetrainError> {
    let config = workspace.config()?;
    let said = Said { labels: Labels::open(workspace)?, used: Used::open(workspace)? };
    let n_unused = said.labels.unused(&said.used).count();
    let mut notes = Vec::new();
    // A damaged report does not prevent the rest; the next `monitor` rewrites it.
    let report: Option<DriftReport> = workspace.report("drift_report.json").unwrap_or_else(|err| {
        notes.push(err.to_string());
        None
    });
    // Results for another version do not apply to this one.
    let seen = report.filter(|report| report.version == production.map(|version| version.to_string()));
    let counted = count(workspace, &config, production, seen.as_ref(), &said, now)?;
    notes.extend(counted.note);
    let trained_at =
        production.map(|version| workspace.registry().manifest(version)).transpose()?.map(|found| found.trained_at);
    let age = trained_at.map(|at| (now.duration_since(at).as_secs_f64() / 86_400.0, now));
    let mut triggers = Vec::new();
    for Asked { name, mut threshold, is_on } in asked(&config.monitor) {
        if let ("metric_drop", DropLimit::Sure(_), Some(version)) =
            (name.as_str(), config.monitor.triggers.metric_drop, production)
        {
            threshold = Some(alarm::needed(workspace, version)?);
        }
        let live = match name.as_str() {
            "new_rows" => Some(counted.new_rows),
            "unused_feedback" => Some(counted.by_people),
            "age" => Some(age),
            _ => None,
        };
        let told = match live {
            Some(counted) => {
                let as_of = counted.map_or(now, |(_, at)| at);
                standing(&name, is_on, counted.map(|(count, _)| count), threshold, as_of)
            }
            None => looked_at(&name, is_on, threshold, seen.as_ref()),
        };
        triggers.push(told);
    }
    triggers.sort_by_key(|trigger| NAMES.iter().position(|name| *name == trigger.name));
    Ok(Progress { n_labels: said.labels.rows().len(), n_unused, triggers, notes })
}

/// A trigger by the settings.
struct Asked {
    name: String,
    threshold: Option<f64>,
    is_on: bool,
}

/// Every trigger except `force`, with its threshold before any measurement.
fn asked(settings: &DriftSettings) -> Vec<Asked> {
    let share = drift_share(&[], settings);
    let evidence = Evidence { volume: Some(Volume::NoVersion), ..Evidence::of(&share, &[]) };
    let limits = &settings.triggers;
    let mut all = Vec::new();
    for Trigger { name, threshold, .. } in triggers(&evidence, settings).into_iter().filter(|t| t.name != "force") {
        let (threshold, is_on) = match name.as_str() {
            // Its threshold depends on the method, and the method on the number of rows.
            "score_drift" => (score_threshold(settings).filter(|_| limits.score_drift), limits.score_drift),
            "metric_drop" => (threshold, limits.metric_drop.is_on()),
            _ => (threshold, threshold.is_some()),
        };
        all.push(Asked { name, threshold, is_on });
    }
    all
}

/// Whether the trigger `name` can fire with these settings.
#[must_use]
pub fn is_on(settings: &DriftSettings, name: &str) -> bool {
    asked(settings).into_iter().any(|asked| asked.name == name && asked.is_on)
}

fn score_threshold(settings: &DriftSettings) -> Option<f64> {
    match settings.preset {
        Preset::Default => Some(settings.alpha),
        Preset::Psi => Some(settings.psi_threshold()),
        Preset::Evidently => None,
    }
}

/// A trigger as `monitor` found it.
fn looked_at(name: &str, is_on: bool, threshold: Option<f64>, seen: Option<&DriftReport>) -> Standing {
    let found = seen.and_then(|report| {
        let trigger = report.triggers.iter().find(|trigger| trigger.name == name)?;
        Some((report.made_at, trigger))
    });
    let Some((at, trigger)) = found else {
        return Standing { as_of: None, ..standing(name, is_on, None, threshold, Timestamp::UNIX_EPOCH) };
    };
    // Without a measurement, the report's threshold has no meaning.
    let held = trigger.value.and(trigger.threshold).or(threshold);
    let told = standing(name, is_on, trigger.value, held.filter(|_| is_on), at);
    // `monitor` also tests whether the value may be due to chance.
    Standing { fired: trigger.fired && is_on, text: Some(trigger.text.clone()), ..told }
}

fn standing(name: &str, is_on: bool, count: Option<f64>, threshold: Option<f64>, at: Timestamp) -> Standing {
    let (both, fires) = (count.zip(threshold), fires(name));
    let remaining = both.map(|(count, threshold)| match fires {
        Fires::Above => (threshold - count).max(0.0),
        Fires::Below => (count - threshold).max(0.0),
    });
    let progress_percent = both.map(|(count, threshold)| {
        let (part, whole) = if fires == Fires::Above { (count, threshold) } else { (threshold, count) };
        if whole > 0.0 { (100.0 * part / whole).clamp(0.0, 100.0) } else { 100.0 }
    });
    let fired = remaining.is_some_and(|remaining| remaining <= 0.0);
    let name = name.to_owned();
    Standing { name, is_on, count, threshold, remaining, progress_percent, fired, as_of: Some(at), text: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_up_to_the_threshold() {
        let at = "2026-11-20T12:00:00Z".parse().unwrap();
        let of = |count: Option<f64>, threshold: Option<f64>, fires: Fires| {
            let name = if fires == Fires::Below { "recent_accuracy" } else { "psi" };
            let told = standing(name, true, count, threshold, at);
            (told.remaining, told.progress_percent, told.fired)
        };
        assert_eq!(of(Some(12.0), Some(50.0), Fires::Above), (Some(38.0), Some(24.0), false));
        assert_eq!(of(Some(50.0), Some(50.0), Fires::Above), (Some(0.0), Some(100.0), true));
        assert_eq!(of(Some(70.0), Some(50.0), Fires::Above), (Some(0.0), Some(100.0), true));
        assert_eq!(of(Some(0.8), Some(0.6), Fires::Below), (Some(0.8 - 0.6), Some(75.0), false));
        assert_eq!(of(Some(0.5), Some(0.6), Fires::Below), (Some(0.0), Some(100.0), true));
        assert_eq!(of(Some(12.0), None, Fires::Above), (None, None, false), "switched off");
        assert_eq!(of(None, Some(1.0), Fires::Above), (None, None, false), "nothing to count");
        assert_eq!(of(Some(0.0), Some(0.0), Fires::Above), (Some(0.0), Some(100.0), true));
    }
}
