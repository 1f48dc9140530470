//! From scores to answers: calibration and threshold.

use super::recipe::Decision;
use super::{Examples, Pipeline, PipelineError, Weighed, weights};
use crate::features::Task;
use crate::score::threshold::ThresholdRule;
use crate::score::{Calibration, threshold};

/// Calibration and threshold, chosen on scores of rows that the scoring model did not see.
pub(super) fn decide(
    decision: &Decision,
    pipeline: &mut Pipeline,
    truth: &Weighed,
    mut scores: Vec<f64>,
    seed: u64,
) -> Result<Option<f64>, PipelineError> {
    if pipeline.target.task == Task::Regression {
        return Ok(None);
    }
    let n_classes = pipeline.target.classes.len();
    let (y, counts) = (truth.y.as_slice(), truth.weights.as_deref());
    let fitted = Calibration::fit(decision.calibration, n_classes, y, &scores, counts, seed)?;
    pipeline.calibration = fitted.calibration;
    if pipeline.target.task != Task::Binary {
        return Ok(None);
    }
    pipeline.calibration.apply_all(&mut scores, 1);
    let chosen = threshold::choose(decision.threshold, y, &scores, counts)?;
    pipeline.threshold = Some(chosen.threshold);
    Ok(Some(chosen.alerts))
}

/// With few positives, models of the folds have other score levels than the model of all rows. If the threshold with
/// the highest F1 is below all scores of that model, it would call every row positive. It is raised until the share of
/// positive calls is that of the folds, or less with tied scores.
pub(super) fn lift(
    decision: &Decision,
    pipeline: &mut Pipeline,
    examples: &Examples,
    rows: &[u32],
    alerts: f64,
) -> Result<(), PipelineError> {
    if decision.threshold != ThresholdRule::F1 {
        return Ok(());
    }
    let scores = pipeline.score(&examples.table.take(rows))?.values;
    let mut order: Vec<u32> = (0..).zip(&scores).map(|(at, _)| at).collect();
    order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
    let wanted = match weights::at(examples.weights.as_deref(), rows) {
        None => (alerts * scores.len() as f64).round() as usize,
        Some(counts) => weights::most(&counts, &order, alerts),
    };
    let scores: Vec<f64> = order.iter().map(|&at| scores[at as usize]).collect();
    let below = pipeline.threshold.filter(|threshold| scores.last().is_some_and(|least| least >= threshold));
    let Some(&first_below) = scores.get(wanted).filter(|_| below.is_some()) else { return Ok(()) };
    let end = scores.partition_point(|&score| score > first_below);
    pipeline.threshold = Some(match end {
        0 => first_below.next_up(),
        _ => f64::midpoint(scores[end - 1], first_below).max(first_below.next_up()),
    });
    Ok(())
}
