//! Units, their arms and their outcomes, from the prediction log and the labels.

use super::Assigner;
use super::experiment::{Experiment, Goal, Measure};
use super::measure::Predicted;
use super::report::Source;
use super::units::{Outcome, Stratum, Units, When};
use crate::features::{Target, Task};
use crate::journal::{Logged, Outcomes};
use crate::registry::Learned;
use crate::stats::random::hash64;
use jiff::Timestamp;
use std::collections::HashMap;

/// A unit: its first row in each arm.
struct Unit {
    arm: u16,
    epoch: u16,
    at: i64,
    /// By arm; only one arm has a prediction, unless it is a shadow experiment.
    predicted: Vec<Option<Predicted>>,
    in_two_arms: bool,
}

/// The units and the arm that each was assigned to.
pub(super) struct Exposed<'a> {
    experiment: &'a Experiment,
    target: &'a Target,
    assigners: Vec<Assigner>,
    /// Outcomes of later units are not final yet; in microseconds.
    mature_before: i64,
    by_id: HashMap<String, usize>,
    units: Vec<Unit>,
    n_not_assigned: u64,
    /// The sum of the hashes of all rows.
    digest: u64,
    /// The training labels of the arms' versions, if known.
    learned: Vec<Learned>,
}

impl<'a> Exposed<'a> {
    pub(super) fn new(experiment: &'a Experiment, target: &'a Target, learned: Vec<Learned>, now: Timestamp) -> Self {
        let mature_before = now.checked_sub(experiment.label_window.duration()).unwrap_or(Timestamp::MIN);
        Self {
            experiment,
            target,
            assigners: experiment.epochs.iter().map(|epoch| Assigner::new(&experiment.salt, &epoch.weights)).collect(),
            mature_before: mature_before.as_microsecond(),
            by_id: HashMap::new(),
            units: Vec::new(),
            n_not_assigned: 0,
            digest: 0,
            learned,
        }
    }

    pub(super) fn add(&mut self, rows: &Logged) {
        for row in 0..rows.len() {
            self.digest = self.digest.wrapping_add(hash(rows, row));
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

    /// Whether the hash assigns the unit to this arm. A client may request another arm by name.
    fn is_assigned(&self, epoch: usize, arm: usize, id: &str) -> bool {
        self.experiment.shadow || self.assigners[epoch].arm(id.as_bytes()) == arm
    }

    /// Adds a row: a unit belongs to the arm and epoch of its first row.
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

    /// The units with a final outcome, in order of arrival, with their values.
    pub(super) fn settle(self, outcomes: &Outcomes) -> Settled {
        let mut ids: Vec<(String, usize)> = self.by_id.into_iter().collect();
        ids.sort_unstable_by(|a, b| (self.units[a.1].at, a.1).cmp(&(self.units[b.1].at, b.1)));
        let mut settled = Settled { n_not_assigned: self.n_not_assigned, digest: self.digest, ..Settled::default() };
        let mut units: Vec<Option<Unit>> = self.units.into_iter().map(Some).collect();
        for (id, place) in ids {
            let Some(unit) = units[place].take() else { continue };
            match (unit.in_two_arms, unit.at <= self.mature_before) {
                (true, _) => settled.n_in_two_arms += 1,
                (_, false) => settled.n_immature += 1,
                // Excluded in every arm, so that the arms stay comparable.
                _ if self.learned.iter().any(|learned| learned.has(&id)) => settled.n_learned += 1,
                _ => {
                    settled.y.push(outcomes.of(&id).map_or(f64::NAN, |outcome| outcome.y));
                    settled.units.push(unit);
                }
            }
        }
        settled
    }
}

/// A hash of the parts of a row that an experiment reads.
fn hash(rows: &Logged, row: usize) -> u64 {
    let parts = [rows.id.get(row), rows.arm.get(row), rows.prediction.get(row)];
    let texts = parts.iter().fold(0, |hash, text| hash64(text.as_bytes(), hash));
    let numbers = [rows.time[row].to_le_bytes(), rows.score[row].to_bits().to_le_bytes()].concat();
    hash64(rows.version[row].to_string().as_bytes(), hash64(&numbers, texts))
}

fn predicted(rows: &Logged, row: usize, target: &Target) -> Predicted {
    let text = rows.prediction.get(row);
    let class = target.classes.iter().position(|class| class == text).map(|class| class as f64);
    let value = if target.task == Task::Regression { text.parse().ok() } else { class };
    Predicted { value: value.unwrap_or(f64::NAN), score: rows.score[row] }
}

/// Units with a final outcome.
#[derive(Default)]
pub(super) struct Settled {
    units: Vec<Unit>,
    /// The outcome; `NaN` if unknown.
    pub(super) y: Vec<f64>,
    pub(super) n_in_two_arms: u64,
    pub(super) n_immature: u64,
    pub(super) n_not_assigned: u64,
    pub(super) n_learned: u64,
    digest: u64,
}

impl Settled {
    /// The prediction of an arm for a unit.
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
            digest: Some(format!("{:016x}", self.digest)),
        }
    }

    pub(super) fn units(&self, experiment: &Experiment) -> Units {
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
}
