//! The loop's experiment, from the prediction log and the labels.

use super::analyse::by_stratum;
use super::experiment::Measure;
use super::experiment::{Experiment, FILE, Goal};
use super::measure::Predicted;
use super::paired;
use super::report::{
    AbReport, AnalysisSettings, Comparison, EpochFacts, ExperimentFacts, ModelReport, RailReport, RailState, Source,
    SrmState,
};
use super::units::{Outcome, Stratum, Units, When};
use super::{AbError, Arm, Assigner, analyse};
use crate::features::{Target, Task};
use crate::journal::{Journal, JournalError, Layout, Logged, Outcomes, Window};
use crate::labels::{self, Labels, resolve};
use crate::registry::Learned;
use crate::score::binary::roc_auc;
use crate::stats::moments;
use crate::train;
use crate::workspace::Workspace;
use jiff::Timestamp;
use std::collections::HashMap;

/// What the log is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// A difference up to this is none, when it was said.
    pub margin: Option<f64>,
    /// The test for a single look decides.
    pub fixed: bool,
    /// Show effects whatever the distribution over the arms.
    pub force: bool,
    /// The present.
    pub now: Timestamp,
}

/// The report on the experiment of a workspace, running or ended.
///
/// # Errors
/// [`AbError::None`] without one; what is wrong with it, its versions, the log or the labels.
pub fn report(workspace: &Workspace, asked: &Asked) -> Result<AbReport, AbError> {
    let experiment = Experiment::load(workspace)?.ok_or_else(|| AbError::None(workspace.path(FILE)))?;
    report_on(workspace, experiment, asked)
}

/// The same on an experiment as it was.
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
        report
            .notes
            .push(format!("{} lines of the prediction log cannot be read and are left out", scanned.n_rejected));
    }
    if experiment.is_running() && experiment.duration.after(experiment.epochs[0].from) < asked.now {
        report.notes.push(format!("the planned {} are over", experiment.duration));
    }
    Ok(report)
}

/// A unit as it came: its first row in each arm.
struct Unit {
    arm: u16,
    epoch: u16,
    at: i64,
    /// By arm; one alone unless the others score along.
    predicted: Vec<Option<Predicted>>,
    in_two_arms: bool,
}

/// Who was shown what.
struct Exposed<'a> {
    experiment: &'a Experiment,
    target: &'a Target,
    assigners: Vec<Assigner>,
    /// Instants in microseconds after which an outcome is not final yet.
    mature_before: i64,
    by_id: HashMap<String, usize>,
    units: Vec<Unit>,
    n_not_assigned: u64,
    /// What the versions of the arms learned from, where that is known.
    learned: Vec<Learned>,
}

impl<'a> Exposed<'a> {
    fn new(experiment: &'a Experiment, target: &'a Target, learned: Vec<Learned>, now: Timestamp) -> Self {
        let mature_before = now.checked_sub(experiment.label_window.duration()).unwrap_or(Timestamp::MIN);
        Self {
            experiment,
            target,
            assigners: experiment.epochs.iter().map(|epoch| Assigner::new(&experiment.salt, &epoch.weights)).collect(),
            mature_before: mature_before.as_microsecond(),
            by_id: HashMap::new(),
            units: Vec::new(),
            n_not_assigned: 0,
            learned,
        }
    }

    fn add(&mut self, rows: &Logged) {
        for row in 0..rows.len() {
            let name = rows.arm.get(row);
            let Some(arm) = self.experiment.arms.iter().position(|arm| arm.name == name) else { continue };
            let at = Timestamp::from_microsecond(rows.time[row]).ok();
            let epoch = at.and_then(|at| self.experiment.epoch_at(at));
            let id = rows.id.get(row);
            match epoch {
                Some(epoch)
                    if rows.version[row] == self.experiment.arms[arm].version && self.is_assigned(epoch, arm, id) =>
                {
                    self.expose(id, arm, epoch, rows.time[row], predicted(rows, row, self.target));
                }
                _ => self.n_not_assigned += 1,
            }
        }
    }

    /// Whether the hash puts the unit there. An arm that was asked for by name says nothing about the arm.
    fn is_assigned(&self, epoch: usize, arm: usize, id: &str) -> bool {
        self.experiment.shadow || self.assigners[epoch].arm(id.as_bytes()) == arm
    }

    /// A unit belongs to the arm and epoch that it came to first.
    fn expose(&mut self, id: &str, arm: usize, epoch: usize, at: i64, predicted: Predicted) {
        let n_arms = self.experiment.arms.len();
        let place = self.by_id.get(id).copied().unwrap_or_else(|| {
            self.by_id.insert(id.to_owned(), self.units.len());
            let unit =
                Unit { arm: arm as u16, epoch: epoch as u16, at, predicted: vec![None; n_arms], in_two_arms: false };
            self.units.push(unit);
            self.units.len() - 1
        });
        let unit = &mut self.units[place];
        if self.experiment.shadow || usize::from(unit.arm) == arm {
            unit.predicted[arm].get_or_insert(predicted);
        } else if usize::from(unit.epoch) == epoch {
            unit.in_two_arms = true;
        }
    }

    /// The units whose outcome is final, in the order in which they came, with what is known of them.
    fn settle(self, outcomes: &Outcomes) -> Settled {
        let mut ids: Vec<(String, usize)> = self.by_id.into_iter().collect();
        ids.sort_unstable_by(|a, b| (self.units[a.1].at, a.1).cmp(&(self.units[b.1].at, b.1)));
        let mut settled = Settled { n_not_assigned: self.n_not_assigned, ..Settled::default() };
        let mut units: Vec<Option<Unit>> = self.units.into_iter().map(Some).collect();
        for (id, place) in ids {
            let Some(unit) = units[place].take() else { continue };
            match (unit.in_two_arms, unit.at <= self.mature_before) {
                (true, _) => settled.n_in_two_arms += 1,
                (_, false) => settled.n_immature += 1,
                // Left out in every arm, so that the arms stay alike.
                _ if self.learned.iter().any(|learned| learned.has(&id)) => settled.n_learned += 1,
                _ => {
                    settled.y.push(outcomes.of(&id).map_or(f64::NAN, |outcome| f64::from(outcome.y)));
                    settled.units.push(unit);
                }
            }
        }
        settled
    }
}

fn predicted(rows: &Logged, row: usize, target: &Target) -> Predicted {
    let text = rows.prediction.get(row);
    let class = target.classes.iter().position(|class| class == text).map(|class| class as f64);
    let value = if target.task == Task::Regression { text.parse().ok() } else { class };
    Predicted { value: value.unwrap_or(f64::NAN), score: rows.score[row] }
}

/// Units whose outcome is final.
#[derive(Default)]
pub(super) struct Settled {
    units: Vec<Unit>,
    /// What came; `NaN` where it is not known.
    pub(super) y: Vec<f64>,
    n_in_two_arms: u64,
    n_immature: u64,
    n_not_assigned: u64,
    n_learned: u64,
}

impl Settled {
    /// What an arm predicted for a unit.
    pub(super) fn predicted(&self, unit: usize, arm: usize) -> Option<Predicted> {
        self.units[unit].predicted[arm]
    }

    pub(super) fn at(&self, unit: usize) -> i64 {
        self.units[unit].at
    }

    pub(super) fn n(&self) -> usize {
        self.units.len()
    }

    pub(super) fn source(&self, experiment: &Experiment) -> Source {
        Source {
            name: experiment.name.clone(),
            n_rows: 0,
            unit: Some(experiment.unit.clone()),
            n_units: self.n() as u64,
            n_in_two_arms: self.n_in_two_arms,
            n_repeated: 0,
            n_without_arm: self.n_not_assigned,
        }
    }

    fn units(&self, experiment: &Experiment) -> Units {
        let metric = experiment.metric;
        let rails = experiment.guardrails.iter().map(|rail| (rail.measure, rail.goal));
        let mut measures = vec![(metric.measure, metric.goal)];
        for rail in rails {
            if !measures.contains(&rail) {
                measures.push(rail);
            }
        }
        let outcome = |(measure, goal): (Measure, Goal)| {
            let value = |(unit, y): (&Unit, &f64)| {
                unit.predicted[usize::from(unit.arm)].map_or(f64::NAN, |predicted| measure.of(predicted, *y))
            };
            let outcome = Outcome::new(measure.name(), goal, self.units.iter().zip(&self.y).map(value).collect());
            Outcome { bounds: measure.bounds().or(outcome.bounds), ..outcome }
        };
        Units {
            arms: experiment.arms.iter().map(|arm| arm.name.clone()).collect(),
            strata: experiment.epochs.iter().map(|epoch| Stratum { shares: epoch.weights.clone() }).collect(),
            arm: self.units.iter().map(|unit| unit.arm).collect(),
            stratum: self.units.iter().map(|unit| unit.epoch).collect(),
            at: Some(When::Time(self.units.iter().map(|unit| unit.at).collect())),
            outcomes: measures.into_iter().map(outcome).collect(),
        }
    }

    /// What only a log can tell: epochs, guardrails, models.
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
        told(self.n_immature, "units came too lately for their outcome to be final and are left out");
        told(self.n_learned, "units are left out in every arm, since the version of an arm learned from them");
        told(self.n_in_two_arms, "units stand in more than one arm of an epoch and are left out");
        told(
            self.n_not_assigned,
            "rows name an arm that their unit was not assigned to, or another version, and are left out",
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

/// Each guardrail in each arm but the first.
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

/// A difference as a gain: above 0 is better.
fn turned(comparison: &Comparison, goal: Goal) -> (f64, f64, f64) {
    match goal {
        Goal::Higher => (comparison.difference, comparison.low, comparison.high),
        Goal::Lower => (-comparison.difference, -comparison.high, -comparison.low),
    }
}
