//! Settings of a server.

use super::limits::Limits;
use crate::journal::Durability;
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a server.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// Returns the current time.
    pub now: fn() -> Timestamp,
    /// A seed that makes request ids differ between servers.
    pub seed: u64,
    /// The limits on its load.
    pub limits: Limits,
    /// The durability of a logged prediction before it is answered; `None`: no log.
    pub log: Option<Durability>,
    /// The token required for changes.
    pub token: Option<String>,
    /// The token required for predictions and model information; `None`: no token needed.
    pub predict_token: Option<String>,
    /// Further host names of the server, in addition to those of this machine.
    pub hosts: Vec<String>,
    /// Whether only this machine can reach it.
    pub is_local: bool,
    /// Approximate number of rows stored for windows, per version.
    pub past_rows: usize,
    /// Whether requests of Label Studio are accepted.
    pub label_studio: bool,
    /// The schedule of `mlloop run` beside the server.
    pub job: JobSettings,
    /// Number of threads for large requests.
    pub n_threads: usize,
    /// Callback for internal errors, for the operator; clients do not see the details.
    pub tell: fn(&str),
}

/// The schedule of `mlloop run` beside the server.
#[derive(Debug, Clone, Default)]
pub struct JobSettings {
    /// The interval between the starts of rounds.
    pub every: Option<Duration>,
    /// The triggers that start a round.
    pub at: Vec<String>,
    /// The path of the `mlloop` program.
    pub program: PathBuf,
    /// Settings of this server, as `key=value`: rounds use the same ones.
    pub set: Vec<String>,
}
