//! Compares the current table with production's training table: is there a reason to retrain?

#[cfg(test)]
mod agreement_tests;
#[cfg(test)]
mod clusters_tests;
pub mod compare;
// Metrics estimated from scores alone: CBPE for classes, DLE for numbers.
pub mod estimate;
pub mod findings;
mod folds;
pub mod method;
// Direct loss estimation: metrics of numeric predictions before any outcome is known.
pub mod losses;
pub mod large;
// Whether a classifier can distinguish the two tables, and by which columns.
pub mod multivariate;
#[cfg(test)]
mod multivariate_tests;
pub mod pair;
// Metrics on rows with known outcomes, beside those of the gate.
pub mod performance;
#[cfg(test)]
mod performance_tests;
pub mod plot;
/// The questions of the default rule about a column.
pub mod probes;
#[cfg(test)]
mod rare_tests;
pub mod report;
pub mod settings;
#[cfg(test)]
mod simulations;
pub mod triggers;
pub mod verdict;
/// The effective number of independent rows on both sides.
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
