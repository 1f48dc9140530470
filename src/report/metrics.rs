//! The metrics of a version, as listed on pages.

use super::number::{fixed, fixed_or, number_or, short};
use crate::score::evaluation::ClassReport;
use crate::score::{Direction, Estimate, Evaluation, Metric};

/// A metric of one version with its interval.
pub(crate) struct Reading {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) interval: String,
    /// The value of the baseline.
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

/// Name, precision, recall, F1 and rows of the first `most` classes.
pub(crate) fn class_lines(gate: &Evaluation, most: usize) -> Vec<[String; 5]> {
    let line = |line: &ClassReport| {
        let s = &line.scores;
        let [precision, recall, f1, support] = [s.precision, s.recall, s.f1, s.support].map(|x| number_or(Some(x)));
        [short(&line.class, 60), precision, recall, f1, support]
    };
    gate.report.iter().take(most).map(line).collect()
}
