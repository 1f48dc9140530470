//! Is the challenger better than production? The logic of `promote`, `approve`, `reject` and `rollback`.
//!
//! ```text
//! gate rows ─▶ verdict, guardrails ─┬─ promote, auto ────────────────────▶ roles ─▶ prune
//!   (neither version               ├─ promote, manual ─▶ approvals/ID ─approve─▲
//!    learned from them)            └─ refuse · wait           └─reject─▶ challenger cleared
//! production ◀─rollback─ a version that was production before, after its golden rows agree
//! ```
//! Every arrow is a line of the audit chain; roles change together with their line.

pub(crate) mod approval;
mod error;
mod evaluate;
mod judge;
mod holdout;
mod page;
mod promote;
mod prune;
mod rails;
mod report;
mod rollback;
mod rows;
mod slices;
mod swap;
pub(crate) mod ticket;

pub use approval::{Decided, approve, reject};
pub use error::GateError;
pub use holdout::HoldoutUse;
pub use judge::{Judgement, MIN_ROWS, Need, POWER, REPLICATES, judge};
pub use promote::{PromoteOutcome, Promotion, promote};
pub use rails::Guardrail;
pub use report::{GateReport, Pair};
pub use rollback::{RolledBack, rollback};
pub use ticket::{Status, Ticket, find, pending};

pub use crate::workspace::event::{Asks, Decision, Verdict};

use crate::registry::Version;

/// What to promote, and how.
pub struct PromoteRequest<'a> {
    /// The version; the challenger if `None`.
    pub version: Option<Version>,
    /// Report only; change nothing.
    pub dry_run: bool,
    /// Who requests it.
    pub by: Option<&'a str>,
    /// Why an equivalent version may be promoted.
    pub allow_equivalent: Option<&'a str>,
    /// The reason for bypassing the gate, if any.
    pub overridden: Option<&'a str>,
    /// Skip invalid rows of the reference.
    pub skip_invalid: bool,
    /// Current time, injected.
    pub now: jiff::Timestamp,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Monotonic clock, in seconds.
    pub seconds: &'a dyn Fn() -> f64,
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
#[path = "trained_tests.rs"]
mod trained;
