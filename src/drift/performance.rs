//! Metrics on rows whose outcome is known, beside those of the gate.

use super::report::{MetricChange, Performance};
use crate::pipeline::{Pipeline, Scores};
use crate::score::{EvaluateOptions, Metric, Metrics, Reading, ScoreError, evaluate};

/// Row visits that intervals may cost: `monitor` runs often, and from 2000 rows on normal intervals are as good.
const MAX_VISITS: usize = 400_000;

/// What the scores that `pipeline` gave are worth on rows whose outcome `y` (class index or value) has become known.
///
/// The metrics, their conventions and their 95 % intervals are those of [`evaluate`], so that they compare with the
/// gate's; a metric that cannot be told from these rows (ROC-AUC with one class only) is left out. Same rows and
/// seed, same numbers.
///
/// # Errors
/// No rows, an outcome that is missing or no class, lengths that differ; see [`evaluate`].
pub fn performance(
    pipeline: &Pipeline,
    scores: &Scores,
    y: &[f32],
    gate: Option<&Metrics>,
    seed: u64,
) -> Result<Performance, ScoreError> {
    let reading = Reading {
        task: pipeline.target.task,
        classes: &pipeline.target.classes,
        y,
        scores: &scores.values,
        weights: None,
        threshold: pipeline.threshold.unwrap_or(0.5),
    };
    measured(&reading, gate, seed)
}

/// The same without a pipeline.
pub(super) fn measured(reading: &Reading<'_>, gate: Option<&Metrics>, seed: u64) -> Result<Performance, ScoreError> {
    let options = EvaluateOptions { seed, max_visits: MAX_VISITS, ..EvaluateOptions::default() };
    let evaluation = evaluate(reading, None, options)?;
    let told = |(metric, found): (Metric, &crate::score::Estimate)| {
        Some(change(metric, found.value?, found.low.zip(found.high), gate))
    };
    Ok(Performance { n: evaluation.n_rows as u64, metrics: evaluation.metrics.iter().filter_map(told).collect() })
}

/// A value beside the gate's.
pub(super) fn change(metric: Metric, value: f64, interval: Option<(f64, f64)>, gate: Option<&Metrics>) -> MetricChange {
    MetricChange { name: metric.name().to_owned(), value, interval, gate: gate.and_then(|g| g.value(metric)) }
}
