//! The loop's experiment, from the prediction log and the labels.

use super::analyse::by_stratum;
use super::experiment::{Experiment, FILE, Goal, Measure};
use super::exposed::{Exposed, Settled};
use super::measure::Predicted;
use super::paired;
use super::report::{
    AbReport, AnalysisSettings, Answer, Comparison, EpochFacts, ExperimentFacts, ModelReport, RailReport, RailState,
    SrmState,
};
use super::{AbError, Arm, analyse};
use crate::features::{Target, Task};
use crate::journal::{Journal, JournalError, Layout, Window};
use crate::labels::{self, Labels, resolve};
use crate::score::binary::roc_auc;
use crate::stats::moments;
use crate::train;
use crate::workspace::Workspace;
use jiff::Timestamp;

/// Options of a report on the log.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The equivalence margin, if given.
    pub margin: Option<f64>,
    /// Decide by the test for a single look.
    pub fixed: bool,
    /// Show effects even with a sample ratio mismatch.
    pub force: bool,
    /// Current time, injected.
    pub now: Timestamp,
}

/// The report on the experiment of a workspace, running or ended.
///
/// # Errors
/// [`AbError::None`] without one; errors of the experiment, its versions, the log or the labels.
pub fn report(workspace: &Workspace, asked: &Asked) -> Result<AbReport, AbError> {
    let experiment = Experiment::load(workspace)?.ok_or_else(|| AbError::None(workspace.path(FILE)))?;
    let left = experiment.left();
    let mut report = report_on(workspace, experiment, asked)?;
    // The experiment has ended: the number of further units is irrelevant.
    if let (Some(left), Answer::KeepRunning) = (left, report.verdict.answer) {
        let known = report.verdict.sentence.trim_start_matches("Keep running: ");
        report.verdict.sentence = format!(
            "The experiment has ended; {left} answers all requests. No difference was \
                                           shown: {known}"
        );
    }
    Ok(report)
}

/// The same for an earlier state of the experiment.
///
/// # Errors
/// As [`report`].
pub(crate) fn report_on(workspace: &Workspace, experiment: Experiment, asked: &Asked) -> Result<AbReport, AbError> {
    let (_, pipeline) = train::load(workspace, Some(experiment.arms[0].version))?;
    let labels = Labels::open(workspace)?;
    let outcomes = labels::outcomes(&pipeline.target, &resolve(&labels, workspace.config()?.labels.policy).agreed)?;
    let mut learned = Vec::new();
    for arm in &experiment.arms {
        learned.extend(workspace.registry().learned(arm.version)?);
    }
    let mut exposed = Exposed::new(&experiment, &pipeline.target, learned, asked.now);
    let until = experiment.ended.as_ref().map(|ended| ended.at);
    let window = Window { since: experiment.epochs.first().map(|epoch| epoch.from), until };
    let scanned = Journal::of(workspace).scan(&window, &Layout::of(&pipeline), false, |rows| {
        exposed.add(&rows);
        Ok::<(), JournalError>(())
    })?;
    let settings = AnalysisSettings {
        alpha: experiment.alpha,
        planned_n: Some(experiment.planned_n),
        margin: asked.margin,
        fixed: asked.fixed,
        force: asked.force,
        correct: false,
    };
    let found = exposed.settle(&outcomes);
    let mut report = match experiment.shadow {
        true => paired::analyse(&found, &experiment, &settings, asked.now),
        false => analyse(&found.units(&experiment), found.source(&experiment), &settings, asked.now),
    };
    report.source.n_rows = scanned.n_rows;
    found.complete(&mut report, &experiment, &pipeline.target)?;
    if scanned.n_rejected > 0 {
        report.notes.push(format!("{} unreadable lines of the prediction log are left out", scanned.n_rejected));
    }
    if experiment.is_running() && experiment.duration.after(experiment.epochs[0].from) < asked.now {
        report.notes.push(format!("the planned {} are over", experiment.duration));
    }
    Ok(report)
}

impl Settled {
    /// Adds what only a log contains: epochs, guardrails, models.
    fn complete(&self, report: &mut AbReport, experiment: &Experiment, target: &Target) -> Result<(), AbError> {
        report
            .arms
            .iter_mut()
            .zip(&experiment.arms)
            .for_each(|(facts, arm)| facts.version = Some(arm.version.to_string()));
        let units = self.units(experiment);
        let counts = units.counts();
        let differences = if experiment.shadow { Vec::new() } else { by_stratum(&units, &units.outcomes[0]) };
        let epoch = |(i, epoch): (usize, &super::Epoch)| EpochFacts {
            from: epoch.from,
            weights: epoch.weights.clone(),
            n_units: counts[i].iter().map(|n| *n as u64).collect(),
            differences: differences.get(i).cloned().unwrap_or_default(),
        };
        report.experiment = Some(ExperimentFacts {
            name: experiment.name.clone(),
            shadow: experiment.shadow,
            running: experiment.is_running(),
            n_immature: self.n_immature,
            n_not_assigned: self.n_not_assigned,
            n_learned: self.n_learned,
            epochs: experiment.epochs.iter().enumerate().map(epoch).collect(),
        });
        report.guardrails = guardrails(report, experiment);
        report.models = (0..experiment.arms.len()).map(|arm| self.model(arm, experiment, target)).collect();
        if experiment.shadow {
            report.paired = paired::tests(self, experiment, target)?;
        }
        let mut told = |n: u64, text: &str| {
            if n > 0 {
                report.notes.push(format!("{n} {text}"));
            }
        };
        told(self.n_immature, "units arrived too recently for a final outcome and are left out");
        told(self.n_learned, "units are left out of every arm because the version of an arm was trained on them");
        told(self.n_in_two_arms, "units are in more than one arm of an epoch and are left out");
        told(
            self.n_not_assigned,
            "rows are left out because they name an arm that their unit was not assigned to, or another version",
        );
        Ok(())
    }

    fn model(&self, arm: usize, experiment: &Experiment, target: &Target) -> ModelReport {
        let known = |unit: usize| Some((self.predicted(unit, arm)?, self.y[unit])).filter(|(_, y)| !y.is_nan());
        let rows: Vec<(Predicted, f64)> = (0..self.n()).filter_map(known).collect();
        let mean =
            |measure: Measure| moments::mean(&rows.iter().map(|(p, y)| measure.of(*p, *y)).collect::<Vec<f64>>());
        let measures: &[Measure] = match target.task {
            Task::Binary => &[Measure::Accuracy, Measure::LogLoss, Measure::Brier, Measure::PositiveRate],
            Task::Multiclass => &[Measure::Accuracy],
            Task::Regression => &[Measure::AbsoluteError, Measure::SquaredError],
        };
        let mut metrics: Vec<(String, f64)> = measures.iter().map(|m| (m.name().to_owned(), mean(*m))).collect();
        if target.task == Task::Binary {
            let positive: Vec<bool> = rows.iter().map(|(_, y)| *y == 1.0).collect();
            let scores: Vec<f64> = rows.iter().map(|(p, _)| p.score).collect();
            metrics.insert(0, ("roc_auc".to_owned(), roc_auc(&positive, &scores, None)));
        }
        metrics.retain(|(_, value)| value.is_finite());
        let Arm { name, version } = &experiment.arms[arm];
        ModelReport { arm: name.clone(), version: version.to_string(), n: rows.len() as u64, metrics }
    }
}

/// Each guardrail in each arm except the first.
fn guardrails(report: &AbReport, experiment: &Experiment) -> Vec<RailReport> {
    let stopped = report.srm.state == SrmState::Stop;
    let mut rails = Vec::new();
    for rail in &experiment.guardrails {
        let found = report.outcomes.iter().find(|o| o.name == rail.measure.name() && o.goal == rail.goal);
        for comparison in found.map_or(&[][..], |found| &found.comparisons) {
            let (gain, low, high) = turned(comparison, rail.goal);
            let state = match stopped {
                false if low > -rail.margin => RailState::Holds,
                false if high < 0.0 => RailState::Broken,
                _ => RailState::CannotTell,
            };
            let arm = comparison.arm.clone();
            rails.push(RailReport { measure: rail.measure, arm, margin: rail.margin, gain, low, high, state });
        }
    }
    rails
}

/// A difference as a gain: positive is better.
fn turned(comparison: &Comparison, goal: Goal) -> (f64, f64, f64) {
    match goal {
        Goal::Higher => (comparison.difference, comparison.low, comparison.high),
        Goal::Lower => (-comparison.difference, -comparison.high, -comparison.low),
    }
}
