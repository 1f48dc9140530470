//! `[promote]` of `mlloop.toml`: the criteria for a challenger, and the required approval.

use crate::drift::settings::Limit;
use crate::period::Period;
use crate::score::Metric;
use serde::{Deserialize, Serialize};

/// The section as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromoteRules {
    /// The metric that decides; the task's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// Minimum improvement, as a share of production's value.
    pub min_improvement: f64,
    /// Probability of promoting a challenger that is not better, in (0, .5).
    pub alpha: f64,
    /// The improvement must be significantly above this, in the metric's unit (errors: as a share of production's).
    pub margin: f64,
    /// A challenger significantly less than this worse is equivalent; unit as of `margin`.
    pub delta: f64,
    /// Who decides once the gate has agreed.
    pub approval: Approval,
    /// How long before a promotion people are notified, and may reject it; with `approval = "auto"`.
    pub notice: Period,
    /// Days after which a request for approval expires.
    pub approval_days: u32,
    /// Versions that are kept besides production, its predecessor and the challenger.
    pub keep_versions: u32,
    /// How to treat gate rows used in earlier comparisons.
    pub holdout: Holdout,
    /// Metrics that must not get worse, whatever the result of the deciding one.
    pub guardrails: Guardrails,
}

/// Who decides once the gate has agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    /// Nobody: the challenger is promoted.
    #[default]
    Auto,
    /// A person, with `approve` or `reject`.
    Manual,
}

/// How to treat gate rows used in earlier comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holdout {
    /// Add a warning.
    #[default]
    Warn,
    /// The k-th use is tested at 6 alpha ∕ (π² k²), so that the overall error probability is alpha.
    Spend,
}

/// Metrics that must not get worse; each limit can be disabled with `false`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guardrails {
    /// Maximum significant increase of the Brier score, as a share of production's (classes).
    pub calibration: Limit,
    /// Maximum significant increase of the loss in a slice of the rows, as a share of production's.
    pub slices: Limit,
    /// Slices with fewer gate rows are ignored.
    pub slice_rows: u32,
    /// Maximum share of rows whose predicted class changes.
    pub flip_rate: Limit,
    /// How many times longer scoring may take at most.
    pub latency_ratio: Limit,
    /// Whether the challenger must need the same columns.
    pub schema: bool,
}

impl Default for PromoteRules {
    fn default() -> Self {
        Self {
            metric: None,
            min_improvement: 0.02,
            alpha: 0.05,
            margin: 0.0,
            delta: 0.01,
            approval: Approval::default(),
            notice: Period::default(),
            approval_days: 7,
            keep_versions: 5,
            holdout: Holdout::default(),
            guardrails: Guardrails::default(),
        }
    }
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            calibration: Limit::At(0.05),
            slices: Limit::At(0.1),
            slice_rows: 200,
            flip_rate: Limit::At(0.3),
            latency_ratio: Limit::At(3.0),
            schema: true,
        }
    }
}

impl PromoteRules {
    /// Checks the rules.
    ///
    /// # Errors
    /// One line that names the key.
    pub fn check(&self) -> Result<(), String> {
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            return Err(format!("[promote] alpha = {} must be above 0 and below 0.5", self.alpha));
        }
        for (name, value) in [("min_improvement", self.min_improvement), ("margin", self.margin), ("delta", self.delta)]
        {
            if !(value.is_finite() && value >= 0.0) {
                return Err(format!("[promote] {name} = {value} must be a number of at least 0"));
            }
        }
        for (name, value) in [("approval_days", self.approval_days), ("keep_versions", self.keep_versions)] {
            if !(1..=36_500).contains(&value) {
                return Err(format!("[promote] {name} = {value} must be a whole number from 1 to 36500"));
            }
        }
        let days = jiff::SignedDuration::from_hours(24 * i64::from(self.approval_days));
        if self.notice.duration() >= days {
            let (notice, days) = (self.notice, self.approval_days);
            return Err(format!("[promote] notice = \"{notice}\" must be shorter than approval_days = {days}"));
        }
        let g = &self.guardrails;
        for (name, limit) in [
            ("calibration", g.calibration),
            ("slices", g.slices),
            ("flip_rate", g.flip_rate),
            ("latency_ratio", g.latency_ratio),
        ] {
            let fits = limit.at().is_none_or(|value| value.is_finite() && value >= 0.0);
            if !fits || matches!(limit, Limit::Off(true)) {
                return Err(format!(
                    "[promote.guardrails] {name} takes a number of at least 0, or false to switch it off"
                ));
            }
        }
        Ok(())
    }
}
