//! Audit events of requests for approval.

use super::{Details, EventKind};
use crate::registry::Version;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Asks {
    /// Approval to promote a version.
    #[default]
    Promotion,
    /// Approval to train a challenger.
    Retraining,
}

impl Asks {
    /// As written in the lines of a request: omitted for a promotion.
    #[must_use]
    pub fn told(self) -> Option<Self> {
        (self != Self::Promotion).then_some(self)
    }
}

/// `approval-requested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ApprovalRequested {
    /// The request.
    pub id: String,
    /// What it requests; if absent, a promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Asks>,
    /// The version that would be promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The version that was in production.
    pub production: Option<Version>,
    /// Digest of what is approved.
    pub digest: String,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it is carried out, unless it is decided before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
}

/// `approved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Approved {
    /// The request.
    pub id: String,
    /// What it requested; if absent, a promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Asks>,
    /// The version that is promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// For a retraining: the version that was in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production: Option<Version>,
    /// Digest of what was approved.
    pub digest: Option<String>,
}

/// `rejected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rejected {
    /// The request.
    pub id: String,
    /// What it requested; if absent, a promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Asks>,
    /// The version that is not promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// For a retraining: the version that was in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production: Option<Version>,
    /// For a retraining: the number of new labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_new: Option<u64>,
    /// Why.
    pub reason: Option<String>,
}

impl Details for ApprovalRequested {
    const KINDS: &'static [EventKind] = &[EventKind::ApprovalRequested];
}

impl Details for Approved {
    const KINDS: &'static [EventKind] = &[EventKind::Approved];
}

impl Details for Rejected {
    const KINDS: &'static [EventKind] = &[EventKind::Rejected];
}
