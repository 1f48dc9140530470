//! How a server is to work.

use super::limits::Limits;
use crate::journal::Durability;
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// How a server is to work.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// The clock.
    pub now: fn() -> Timestamp,
    /// What makes request ids differ between servers.
    pub seed: u64,
    /// What it takes on at once.
    pub limits: Limits,
    /// The durability of a logged prediction before it is answered; `None`: no log.
    pub log: Option<Durability>,
    /// What endpoints that change something want to see.
    pub token: Option<String>,
    /// What predictions and questions about the model want to see; `None`: everybody may ask.
    pub predict_token: Option<String>,
    /// Names that requests may be sent to, beside those of this machine.
    pub hosts: Vec<String>,
    /// Whether only this machine can reach it.
    pub is_local: bool,
    /// About how many rows are stored for windows, per version.
    pub past_rows: usize,
    /// Whether Label Studio is answered.
    pub label_studio: bool,
    /// When the loop is run beside serving.
    pub job: JobSettings,
    /// How many threads may compute large requests.
    pub n_threads: usize,
    /// Callback for internal errors, for the operator; clients do not see the details.
    pub tell: fn(&str),
}

/// When the loop is run beside serving.
#[derive(Debug, Clone, Default)]
pub struct JobSettings {
    /// So long after the last round began.
    pub every: Option<Duration>,
    /// When one of these triggers is reached.
    pub at: Vec<String>,
    /// The program that is `mlloop`.
    pub program: PathBuf,
    /// Settings of this server, as `key=value`: rounds use the same ones.
    pub set: Vec<String>,
}
