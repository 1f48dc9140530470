//! The state of the rounds run beside the server.

use jiff::Timestamp;
use serde::Serialize;

/// What is known of the rounds.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct State {
    /// `idle` or `running`.
    pub(super) state: &'static str,
    /// Why the last round was started.
    pub(super) reason: Option<String>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    /// Its exit status: 0 promoted, 1 nothing to do, 2 error, 3 cannot tell, 4 waiting for approval.
    pub(super) exit_status: Option<i32>,
    /// Its result, as `mlloop run` names it.
    pub(super) done: Option<String>,
    /// Its output; after an error the last line.
    pub(super) said: Option<String>,
    pub(super) n_rounds: u64,
    /// When the next one begins, where that is known.
    pub(super) next_at: Option<Timestamp>,
}

/// The rounds of the loop in the server, and their triggers.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Told {
    #[serde(flatten)]
    pub(super) state: State,
    /// Interval between the starts of rounds, in seconds.
    pub(super) every_seconds: Option<f64>,
    /// The triggers that start one.
    pub(super) at: Vec<String>,
}
