//! Metrics on labelled rows, compared with those of the gate.

use super::report::{MetricChange, Performance};
use crate::pipeline::{Pipeline, Scores};
use crate::profile::entity_indices;
use crate::score::{EvaluateOptions, Metric, Metrics, Reading, ScoreError, evaluate_entities};

/// Maximum number of row visits for intervals: `monitor` runs often, and from 2000 rows on normal intervals are as
/// good.
const MAX_VISITS: usize = 400_000;

/// Scored rows with known outcomes.
#[derive(Debug, Clone)]
pub struct Known {
    /// Their scores.
    pub scores: Scores,
    /// Their outcomes: class index or value.
    pub y: Vec<f64>,
    /// The weight of each row: how many rows it represents, including itself.
    pub weights: Vec<f64>,
    /// The entity of each row, if a column identifies it: rows of one entity are correlated.
    pub about: Vec<Option<u64>>,
    /// Number of rows with an outcome that are left out because the version was trained on them.
    pub n_learned: u64,
}

impl Known {
    /// An empty collection; a row has `width` scores.
    #[must_use]
    pub fn new(width: usize) -> Self {
        let scores = Scores { values: Vec::new(), width };
        Self { scores, y: Vec::new(), weights: Vec::new(), about: Vec::new(), n_learned: 0 }
    }

    /// Adds a row.
    pub fn push(&mut self, scores: &[f64], y: f64, weight: f64, about: Option<u64>) {
        self.scores.values.extend_from_slice(scores);
        self.y.push(y);
        self.weights.push(weight);
        self.about.push(about);
    }

    /// The weights, unless all are the same.
    fn uneven(&self) -> Option<&[f64]> {
        self.weights.iter().any(|w| *w != self.weights[0]).then_some(self.weights.as_slice())
    }
}

/// Metrics of the scores of `pipeline` on rows whose outcome has become known.
/// The metrics, their conventions and their 95 % intervals are those of [`evaluate`](crate::score::evaluate), so they
/// are comparable with the gate's. A metric that these rows do not determine (ROC-AUC with one class only) is omitted.
/// If rows belong to entities, intervals are by entity, and `n_effective` counts entities. The same rows and seed give
/// the same numbers.
///
/// # Errors
/// No rows, an outcome that is missing or not a class, a weight that is not above 0; see
/// [`evaluate`](crate::score::evaluate).
pub fn performance(
    pipeline: &Pipeline,
    known: &Known,
    gate: Option<&Metrics>,
    seed: u64,
) -> Result<Performance, ScoreError> {
    let reading = Reading { weights: known.uneven(), ..pipeline.reading(&known.scores, &known.y) };
    let entities = entity_indices(&known.about);
    let found = measured(&reading, entities.as_deref(), gate, seed)?;
    let n_effective = match &entities {
        Some(entities) => Some(effective(&totals(&known.weights, entities))),
        None => known.uneven().map(effective),
    };
    Ok(Performance { n_effective, n_learned: known.n_learned, ..found })
}

/// The number of rows of equal weight with the same information: (Σw)² ∕ Σw² (Kish, "Survey Sampling", 1965).
#[must_use]
pub fn effective(weights: &[f64]) -> f64 {
    let sum: f64 = weights.iter().sum();
    sum * sum / weights.iter().map(|w| w * w).sum::<f64>()
}

/// The total weight of the rows of each entity.
#[must_use]
pub fn totals(weights: &[f64], entities: &[u32]) -> Vec<f64> {
    let mut totals = vec![0.0; entities.iter().max().map_or(0, |last| *last as usize + 1)];
    weights.iter().zip(entities).for_each(|(weight, entity)| totals[*entity as usize] += weight);
    totals
}

/// The same without a pipeline.
pub(super) fn measured(
    reading: &Reading<'_>,
    entities: Option<&[u32]>,
    gate: Option<&Metrics>,
    seed: u64,
) -> Result<Performance, ScoreError> {
    let options = EvaluateOptions { seed, max_visits: MAX_VISITS, ..EvaluateOptions::default() };
    let evaluation = evaluate_entities(reading, entities, None, options)?;
    let told = |(metric, found): (Metric, &crate::score::Estimate)| {
        Some(change(metric, found.value?, found.low.zip(found.high), gate))
    };
    let metrics = evaluation.metrics.iter().filter_map(told).collect();
    Ok(Performance { n: evaluation.n_rows as u64, n_effective: None, n_learned: 0, metrics })
}

/// A value beside its value at the gate.
pub(super) fn change(metric: Metric, value: f64, interval: Option<(f64, f64)>, gate: Option<&Metrics>) -> MetricChange {
    MetricChange { name: metric.name().to_owned(), value, interval, gate: gate.and_then(|g| g.value(metric)) }
}
