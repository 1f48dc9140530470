//! The current table against the training table of production: is there a reason to retrain?

#[cfg(test)]
mod agreement_tests;
#[cfg(test)]
mod clusters_tests;
pub mod compare;
// Metrics that scores alone promise: CBPE for classes, DLE for numbers.
pub mod estimate;
pub mod findings;
mod folds;
pub mod method;
// Direct loss estimation: metrics of numbers before any outcome is known.
pub mod losses;
pub mod large;
// Whether a classifier can tell the two tables apart, and by which columns.
pub mod multivariate;
#[cfg(test)]
mod multivariate_tests;
pub mod pair;
// Metrics on rows whose outcome is known, beside those of the gate.
pub mod performance;
#[cfg(test)]
mod performance_tests;
pub mod plot;
/// What the default rule asks of a column.
pub mod probes;
#[cfg(test)]
mod rare_tests;
pub mod report;
pub mod settings;
#[cfg(test)]
mod simulations;
pub mod triggers;
pub mod verdict;
/// How many independent rows the rows of both sides are worth.
pub mod worth;

pub use compare::{compare, compare_one, compare_score, compare_target};
pub use estimate::cbpe;
pub use findings::findings;
pub use losses::{Losses, dle};
pub use multivariate::multivariate;
pub use pair::{ColumnPair, PairValues};
pub use performance::performance;
pub use settings::{DriftSettings, Preset};
pub use verdict::{corrected_first, drift_share, verdict};
pub use worth::Worth;
