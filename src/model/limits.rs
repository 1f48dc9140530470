//! Constraints on trees: `[model.monotone]` and `[model] interactions`.

use serde::{Deserialize, Serialize};

/// The allowed direction of a prediction as a number rises, all else equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It never falls.
    Increasing,
    /// It never rises.
    Decreasing,
}

/// Which columns may interact in one tree path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "interactions must be groups of columns, [[\"a\", \"b\"], [\"c\"]], or \"none\"")]
pub enum Interactions {
    /// `"none"`: each column by itself.
    Rule(InteractionRule),
    /// Groups of columns; the columns in no group make up one more.
    Groups(Vec<Vec<String>>),
}

/// A rule for all columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum InteractionRule {
    /// Each column by itself: the raw score is a sum of curves of single columns.
    None,
}

/// The same of features, by their places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// A direction per feature; empty without any.
    pub(super) directions: Vec<Option<Direction>>,
    /// Features that may interact; empty if all may.
    pub(super) groups: Vec<Vec<u32>>,
}
