//! The options of a round.

use crate::pipeline::FitProgress;
use crate::table::{Spool, TableOptions};
use std::str::FromStr;

/// The options of a round.
pub struct RoundRequest<'a> {
    /// The current table; `[monitor] current` when `None`.
    pub current: Option<&'a Spool>,
    /// Retrain regardless of `monitor` and of the number of new labels.
    pub force: bool,
    /// Only this step.
    pub step: Option<Step>,
    /// The person who requests it; another person must approve.
    pub by: Option<&'a str>,
    /// Whether the requester approved a retraining in advance; the loop then counts as its requester.
    pub agrees: bool,
    /// The format of the current table if it differs from the reference, and whether invalid rows are skipped.
    pub read: TableOptions,
    /// Current time, injected.
    pub now: jiff::Timestamp,
    /// The random seed.
    pub seed: u64,
    /// Progress callback.
    pub progress: &'a FitProgress<'a>,
    /// Monotonic clock, in seconds.
    pub seconds: &'a dyn Fn() -> f64,
}

/// A part of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Take a rollout's step, and check for a reason to retrain.
    Monitor,
    /// Train a challenger.
    Retrain,
    /// Let the gate decide, and promote.
    Promote,
}

impl Step {
    /// The names, for help and errors.
    pub const NAMES: [&'static str; 3] = ["monitor", "retrain", "promote"];
}

impl FromStr for Step {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "monitor" => Ok(Self::Monitor),
            "retrain" => Ok(Self::Retrain),
            "promote" => Ok(Self::Promote),
            _ => Err(format!("it must be one of {}", Self::NAMES.join(", "))),
        }
    }
}
