//! The state of an experiment: the remaining time, and the units that a winner needs.

use super::AbError;
use super::experiment::{Ended, Experiment, FILE};
use super::log::{self, Asked};
use super::report::{AbReport, Answer, Comparison, RailReport, Verdict};
use super::rollout::{Scheduled, schedule};
use crate::workspace::Workspace;
use jiff::Timestamp;
use serde::Serialize;

/// The answer of `ab-status`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// The experiment's name.
    pub name: String,
    /// Whether it runs.
    pub running: bool,
    /// Since when.
    pub started: Timestamp,
    /// The planned end.
    pub planned_end: Timestamp,
    /// Seconds until then; 0 when it is over.
    pub seconds_left: i64,
    /// Units with a final outcome.
    pub n_units: u64,
    /// Planned number of units.
    pub planned_n: u64,
    /// The share of units that each arm answers now, in the order of the arms.
    pub weights: Vec<f64>,
    /// The steps of the rollout; none without one.
    pub schedule: Vec<Scheduled>,
    /// The verdict so far.
    pub verdict: Verdict,
    /// What a winner needs.
    pub needs: Needs,
    /// The guardrails, for each arm.
    pub guardrails: Vec<RailReport>,
    /// How it ended, when it has.
    pub ended: Option<Ended>,
    /// The experiment.
    pub experiment: Experiment,
}

/// What a winner needs, if the difference stays the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Needs {
    /// Number of further units; none if an arm has won, or if no realistic number is enough.
    pub n_units: Option<u64>,
    /// Number of days, at the current rate.
    pub days: Option<f64>,
    /// The same in one sentence.
    pub sentence: String,
}

/// The state of the workspace's experiment; `None` if there never was one.
///
/// # Errors
/// Errors of the experiment, its versions, the log or the labels.
pub fn status(workspace: &Workspace, now: Timestamp) -> Result<Option<Status>, AbError> {
    let Some(experiment) = Experiment::load(workspace)? else { return Ok(None) };
    let report = log::report(workspace, &Asked { margin: None, fixed: false, force: false, now })?;
    let Some(started) = experiment.epochs.first().map(|epoch| epoch.from) else {
        return Err(AbError::None(workspace.path(FILE)));
    };
    let planned_end = experiment.duration.after(started);
    let left = if experiment.is_running() { planned_end.duration_since(now).as_secs().max(0) } else { 0 };
    let until = experiment.ended.as_ref().map_or(now, |ended| ended.at);
    let days = until.duration_since(started).as_secs_f64() / 86_400.0;
    let n_units = n_known(&report, experiment.shadow);
    Ok(Some(Status {
        name: experiment.name.clone(),
        running: experiment.is_running(),
        started,
        planned_end,
        seconds_left: left,
        n_units,
        planned_n: experiment.planned_n,
        weights: experiment.answering(),
        schedule: schedule(&experiment),
        needs: if experiment.is_running() { needs(&report, n_units, days) } else { Needs::nothing("It has ended.") },
        verdict: report.verdict,
        guardrails: report.guardrails,
        ended: experiment.ended.clone(),
        experiment,
    }))
}

impl Needs {
    fn nothing(sentence: &str) -> Self {
        Self { n_units: None, days: None, sentence: sentence.to_owned() }
    }
}

/// Units with a known deciding outcome. In a shadow experiment each of them is in all arms.
fn n_known(report: &AbReport, is_shadow: bool) -> u64 {
    let arms = report.outcomes.first().map_or(&[][..], |outcome| &outcome.arms);
    arms.iter().map(|arm| arm.n).take(if is_shadow { 1 } else { arms.len() }).sum()
}

/// The missing units for a winner, at the rate of units over the `until_now` days so far.
fn needs(report: &AbReport, n_known: u64, until_now: f64) -> Needs {
    match report.verdict.answer {
        Answer::Winner => return Needs::nothing("An arm has won: the experiment may stop now."),
        Answer::SampleRatioMismatch => {
            return Needs::nothing("Sample ratio mismatch: no arm can win until the units are assigned as planned.");
        }
        _ => {}
    }
    if report.outcomes.first().is_none_or(|outcome| outcome.arms.iter().all(|arm| arm.n == 0)) {
        return Needs::nothing("No unit has a final outcome yet, so the number that is still needed is not known.");
    }
    let comparisons = report.outcomes.first().map_or(&[][..], |outcome| &outcome.comparisons);
    let of = |c: &Comparison| Some(c.n_to_exclude_zero?.max(c.n_to_enough.unwrap_or(0)).saturating_sub(c.n));
    let Some(n_units) = comparisons.iter().filter_map(of).min() else {
        return Needs::nothing("At the difference so far, no realistic number of units gives a winner.");
    };
    let rate = n_known as f64 / until_now;
    let days = (rate > 0.0 && rate.is_finite()).then(|| n_units as f64 / rate);
    // A few minutes do not give a daily rate.
    let is_told = until_now >= 1.0;
    let when = days.filter(|_| is_told).map_or(String::new(), |days| format!(", {days:.1} days at {rate:.0} a day"));
    let sentence = format!("A winner needs about {n_units} more units{when} if the difference stays the same.");
    Needs { n_units: Some(n_units), days, sentence }
}
