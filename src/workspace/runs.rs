//! The run log: one JSON line per run of a verb that changed something or answered a question.

use serde::{Deserialize, Serialize};

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When it began (RFC 3339).
    pub at: jiff::Timestamp,
    /// The verb.
    pub verb: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What came of it: versions, metrics, counts.
    pub result: serde_json::Value,
}
