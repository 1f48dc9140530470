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
    /// This step alone.
    pub step: Option<Step>,
    /// Who requests it; another person must approve.
    pub by: Option<&'a str>,
    /// Whether the requester agreed to a retraining in advance, so that its request is the loop's own.
    pub agrees: bool,
    /// How the current table is written, where that is not as the reference is, and whether rows that do not fit are left out.
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
    /// A rollout's step, and whether there is a reason to retrain.
    Monitor,
    /// A challenger.
    Retrain,
    /// The gate, and production.
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
