//! The metrics of a version, as pages list them.

use super::number::{fixed, fixed_or};
use crate::score::{Direction, Estimate, Evaluation, Metric};

/// A metric of one version with its interval.
pub(crate) struct Reading {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) interval: String,
    /// What predicting without looking reaches.
    pub(crate) baseline: String,
    pub(crate) better: &'static str,
    pub(crate) primary: bool,
}

/// The metrics of a version on its gate rows, the deciding one first.
pub(crate) fn readings(gate: &Evaluation) -> Vec<Reading> {
    let of = |(metric, estimate): (Metric, &Estimate)| Reading {
        name: metric.name(),
        value: fixed_or(estimate.value),
        interval: match (estimate.low, estimate.high) {
            (Some(low), Some(high)) => format!("{} to {}", fixed(low), fixed(high)),
            _ => String::new(),
        },
        baseline: gate
            .baseline
            .as_ref()
            .and_then(|baseline| *baseline.metrics.get(metric)?)
            .map_or_else(String::new, fixed),
        better: if metric.direction() == Direction::Higher { "higher is better" } else { "lower is better" },
        primary: metric == gate.primary,
    };
    let mut all: Vec<Reading> = gate.metrics.iter().map(of).collect();
    all.sort_by_key(|reading| !reading.primary);
    all
}
