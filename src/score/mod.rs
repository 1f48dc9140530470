//! Metrics, intervals, calibration and thresholds from predictions and truth.
//!
//! ```text
//! y, scores ─evaluate─▶ Evaluation { metrics with 95 % intervals, baseline, confusion, reliability } ─render─▶ text
//!         └─Calibration::fit (tune part)─▶ apply ─threshold::choose─▶ operating threshold
//! ```
//!
//! The truth `y` is a class index (0 or 1 for binary, below the number of classes for multi-class) or a value.
//! Scores are row-major: the probability of the positive class, one probability per class, or the predicted value.
//! A binary row is predicted positive if its score is **at least** the threshold; a multi-class row gets the class with
//! the highest score, the first of equal ones. Metrics follow scikit-learn's conventions and agree with it to 1e-9.

pub mod binary;
pub mod calibration;
pub mod confusion;
pub mod curve;
mod doubt;
mod error;
pub mod evaluation;
mod exchange;
pub mod improvement;
pub mod interval;
pub mod metric;
pub mod multiclass;
pub mod paired;
pub mod permutation;
pub mod regression;
pub mod report;
#[cfg(test)]
mod tests;
pub mod threshold;

pub use calibration::{Calibration, CalibrationRule};
pub use confusion::Confusion;
pub use doubt::{Doubts, MIN_TESTED, doubts, resolution, untested};
pub use error::ScoreError;
pub use evaluation::{Baseline, Evaluation, Reading, evaluate, evaluate_entities};
pub use improvement::{Improvement, Pairing, Test, improvement};
pub use interval::EvaluateOptions;
pub use metric::{Direction, Estimate, Method, Metric, Metrics};
pub use threshold::ThresholdRule;
