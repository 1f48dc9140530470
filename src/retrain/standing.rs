//! How far each reason to retrain is: what has been counted, what is wanted, what remains.
//!
//! Rows with new labels are counted as a retrain would resolve them: rows on which people differ do not count. Whether their
//! features are there, and what current rows say of themselves, only [`crate::monitor`] looks up; its last count stands
//! here when it is the larger one.

use super::RetrainError;
use crate::drift::report::DriftReport;
use crate::drift::settings::{Count, Limit};
use crate::labels::{Labels, Used, resolve};
use crate::registry::Version;
use crate::workspace::{EventKind, Workspace};
use jiff::Timestamp;
use serde::Serialize;

/// A trigger as it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// Its name in `[monitor.triggers]`.
    pub name: String,
    /// What was counted or measured; `None` when nothing could be.
    pub count: Option<f64>,
    /// What it is held to; `None` when it is off.
    pub threshold: Option<f64>,
    /// How much is missing; 0 once it fired.
    pub remaining: Option<f64>,
    /// How far it is, from 0 to 100.
    pub progress_percent: Option<f64>,
    /// Whether it is reached.
    pub fired: bool,
    /// When it was counted: now, or when `monitor` looked last.
    pub as_of: Option<Timestamp>,
    /// In words, as `monitor` said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// All triggers, and the labels behind them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Labels of all kinds.
    pub n_labels: usize,
    /// Of those that somebody may learn from, the ones that no version has learned from.
    pub n_unused: usize,
    /// Each reason to retrain.
    pub triggers: Vec<Standing>,
    /// What could not be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Which way a value has to go for a trigger to fire.
#[derive(Clone, Copy, PartialEq)]
enum Fires {
    Above,
    Below,
}

/// How far each reason to retrain is for `production`. Labels, rows and age are counted now; what needs the rows that
/// arrived is as `monitor` found it last.
///
/// # Errors
/// When `mlloop.toml`, the labels, the audit chain or the registry cannot be read.
pub fn progress(workspace: &Workspace, production: Option<Version>, now: Timestamp) -> Result<Progress, RetrainError> {
    let config = workspace.config()?;
    let settings = config.monitor;
    let labels = Labels::open(workspace)?;
    let registry = workspace.registry();
    let used = Used::open(workspace)?;
    let n_unused = labels.unused(&used).count();
    let agreed = resolve(&labels, config.labels.policy).agreed;
    let n_rows = agreed.iter().filter(|row| row.is_new(&used)).count();
    let by_people = agreed.iter().filter(|row| row.is_new_by_people(&used)).count();
    let trained_at = production.map(|version| registry.manifest(version)).transpose()?.map(|found| found.trained_at);
    let age = trained_at.map(|at| now.duration_since(at).as_secs_f64() / 86_400.0);
    let limits = &settings.triggers;
    let live = |name: &str, count: Option<f64>, limit: Limit| standing(name, count, limit.at(), Fires::Above, now);
    let mut triggers = vec![
        // What also counts rows without a label is only known from the rows that arrived.
        live("new_rows", Some(n_rows as f64).filter(|_| limits.count == Count::Labelled), limits.new_rows),
        live("unused_feedback", Some(by_people as f64), limits.unused_feedback),
        live("age", age, limits.max_age_days),
    ];
    let mut notes = Vec::new();
    // A damaged report is no reason to say nothing of the rest; the next `monitor` writes it anew.
    let report: Option<DriftReport> = workspace.report("drift_report.json").unwrap_or_else(|err| {
        notes.push(err.to_string());
        None
    });
    let retrained = workspace.audit_chain()?.last(&EventKind::Retrained).map(|entry| entry.at);
    // What was found for another version says nothing of this one.
    let of_this = report.filter(|report| report.version == production.map(|version| version.to_string()));
    let volume = |report: &DriftReport| report.triggers.iter().find(|trigger| trigger.name == "new_rows")?.value;
    if let Some((report, seen)) = of_this.as_ref().and_then(|report| Some((report, volume(report)?)))
        && (limits.count == Count::All || seen > n_rows as f64)
        && retrained.is_none_or(|at| report.made_at > at)
    {
        triggers[0] = standing("new_rows", Some(seen), limits.new_rows.at(), Fires::Above, report.made_at);
    }
    let seen = [
        ("drift_share", Fires::Above, limits.drift_share),
        ("psi", Fires::Above, limits.psi.at().is_some()),
        ("recent_accuracy", Fires::Below, limits.recent_accuracy.at().is_some()),
        ("metric_drop", Fires::Above, limits.metric_drop.is_on()),
    ];
    for (name, fires, is_on) in seen {
        let found = of_this.as_ref().and_then(|report| {
            let trigger = report.triggers.iter().find(|trigger| trigger.name == name)?;
            Some((report.made_at, trigger))
        });
        let mut told = match found {
            Some((at, trigger)) => standing(name, trigger.value, trigger.threshold.filter(|_| is_on), fires, at),
            None => Standing { as_of: None, ..standing(name, None, None, fires, now) },
        };
        if let Some((_, trigger)) = found {
            // `monitor` also asks whether chance explains the value.
            told.fired = trigger.fired && is_on;
            told.text = Some(trigger.text.clone());
        }
        triggers.push(told);
    }
    Ok(Progress { n_labels: labels.rows().len(), n_unused, triggers, notes })
}

fn standing(name: &str, count: Option<f64>, threshold: Option<f64>, fires: Fires, at: Timestamp) -> Standing {
    let both = count.zip(threshold);
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
    Standing { name, count, threshold, remaining, progress_percent, fired, as_of: Some(at), text: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_up_to_the_threshold() {
        let at = "2026-11-20T12:00:00Z".parse().unwrap();
        let of = |count: Option<f64>, threshold: Option<f64>, fires: Fires| {
            let told = standing("x", count, threshold, fires, at);
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
