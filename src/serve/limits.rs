//! Limits on the concurrent load of a server.

use std::time::Duration;

/// Limits on the concurrent load of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest body, in bytes.
    pub max_body_bytes: usize,
    /// Most rows of one request.
    pub max_rows: usize,
    /// Most requests answered concurrently; more are refused.
    pub max_in_flight: usize,
    /// Most bytes held concurrently for bodies, their cells and answers.
    pub max_bytes_in_flight: usize,
    /// Most open connections.
    pub max_connections: usize,
    /// Most open connections per client address.
    pub max_per_address: usize,
    /// Maximum time for headers, for the body, for sending the answer, and for idling.
    pub patience: Duration,
    /// Maximum time for running requests after the server was asked to stop.
    pub grace: Duration,
    /// How long the other arms of a shadow experiment may take for a large request.
    pub shadow_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 8 << 20,
            max_rows: 10_000,
            max_in_flight: 512,
            max_bytes_in_flight: 64 << 20,
            max_connections: 1_000,
            max_per_address: 500,
            patience: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            shadow_patience: Duration::from_secs(1),
        }
    }
}

/// Maximum number of explained rows per request: a row takes up to milliseconds.
pub(super) const MAX_EXPLAINED_ROWS: usize = 1_000;
