//! Audit events of the gate: the versions compared, the rows, and the consequence.

use super::{Details, EventKind, Kept};
use crate::registry::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The verdict on the challenger, from the gate rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Better, by more than the margin.
    Superior,
    /// Worse by at most delta.
    Equivalent,
    /// Inconclusive: too few rows.
    Inconclusive,
    /// Worse.
    Regression,
}

impl Verdict {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Superior => "superior",
            Self::Equivalent => "equivalent",
            Self::Inconclusive => "inconclusive",
            Self::Regression => "regression",
        }
    }
}

/// The decision that follows from the verdict and the guardrails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The challenger is promoted.
    Promote,
    /// The challenger is refused.
    Refuse,
    /// Inconclusive: too few rows.
    Wait,
}

impl Decision {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Refuse => "refuse",
            Self::Wait => "wait",
        }
    }
}

/// The rows of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HoldoutRows {
    /// Their number.
    pub n: u64,
    /// Digest of keys and labels.
    pub digest: String,
    /// With a split by time, the latest instant in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// `gate-verdict`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GateVerdict {
    /// The version that was in production.
    pub production: Version,
    /// The challenger.
    pub challenger: Version,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// The decision.
    pub decision: Decision,
    /// The test, as `improvement` of the gate's report has it; `null` when there were too few rows for one.
    #[serde(default)]
    pub test: Value,
    /// The level of the test.
    pub alpha: Option<f64>,
    /// The guardrails that were broken.
    pub broken: Option<Vec<String>>,
    /// The rows of the comparison.
    pub rows: Option<HoldoutRows>,
    /// The number of this use of the gate rows, from 1.
    pub uses: Option<u64>,
    /// Why an equivalent version was accepted.
    pub allow_equivalent: Option<String>,
    /// Seed of the bootstrap.
    #[serde(default)]
    pub seed: u64,
    /// Settings overridden by `--set` and the environment.
    #[serde(default)]
    pub settings: Vec<String>,
    /// SHA-256 of the labels at that time.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub labels: Kept,
}

impl Details for GateVerdict {
    const KINDS: &'static [EventKind] = &[EventKind::GateVerdict];
}
