//! Is the challenger better? The verdict, and the number of rows needed.
//!
//! ```text
//!                −δ          0    margin
//!  regression     |  ├──┤    |      |            high < 0
//!  inconclusive   ├───────────────────────┤      neither
//!  equivalent     |    ├───────────────┤         low > −δ
//!  superior       |          |      | ├───┤      low > margin
//! ```
//! `low` and `high` are one-sided bounds of the improvement, each with error probability alpha.

use crate::features::Task;
pub use crate::score::MIN_TESTED as MIN_ROWS;
use crate::score::metric::Range;
use crate::score::{Improvement, Metric, Pairing, Reading, ScoreError, improvement, untested};
use crate::stats::normal;
use crate::workspace::PromoteRules;
use crate::workspace::event::Verdict;
use serde::{Deserialize, Serialize};

/// Replicates of the paired bootstrap.
pub const REPLICATES: usize = 2000;
/// The power with which a relevant effect should be found.
pub const POWER: f64 = 0.8;

/// The number of rows that is needed for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Need {
    /// How many more are needed.
    pub more: u64,
    /// How many are needed in total.
    pub in_all: u64,
    /// Whether these are positive rows only.
    pub positives: bool,
    /// The improvement that would then be found with 80 % chance, in the metric's unit.
    pub effect: f64,
}

/// The verdict and its facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The test; absent when there are too few rows for one.
    pub improvement: Option<Improvement>,
    /// The improvement as a share of production's value; absent when that is 0.
    pub relative: Option<f64>,
    /// Whether `relative` is at least `min_improvement`.
    pub enough: bool,
    /// The probability that each bound is wrong.
    pub alpha: f64,
    /// The lower bound of the improvement must be above this, in the metric's unit.
    pub margin: f64,
    /// The equivalence margin, in the metric's unit.
    pub delta: f64,
    /// The smallest relative improvement that promotes.
    pub min_improvement: f64,
    /// Rows of the comparison.
    pub n_rows: u64,
    /// Positive ones among them, for two classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_positive: Option<u64>,
    /// The number of rows that is needed, if the verdict is inconclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<Need>,
}

/// Judges `challenger` against `production` on the same rows, at level `alpha`; other parameters are in the rules.
///
/// # Errors
/// Rows that cannot be evaluated, or a metric of another task.
pub fn judge(
    production: &Reading<'_>,
    challenger: &Reading<'_>,
    entities: Option<&[u32]>,
    rules: &PromoteRules,
    alpha: f64,
    seed: u64,
) -> Result<Judgement, ScoreError> {
    let metric = rules.metric.unwrap_or(Metric::primary(production.task));
    let count = Count::of(production);
    let mut judgement = Judgement {
        verdict: Verdict::Inconclusive,
        improvement: None,
        relative: None,
        enough: false,
        alpha,
        margin: rules.margin,
        delta: rules.delta,
        min_improvement: rules.min_improvement,
        n_rows: production.y.len() as u64,
        n_positive: (production.task == Task::Binary).then_some(count.scaled),
        need: None,
    };
    if let Some(missing) = count.missing() {
        judgement.need = Some(Need { more: missing, in_all: count.scaled + missing, ..count.need(0.0) });
        return Ok(judgement);
    }
    let pairing = Pairing { alpha, entities, n_replicates: REPLICATES, seed };
    match improvement(metric, production, challenger, &pairing) {
        Ok(found) => judgement.decide(found, &count),
        Err(ScoreError::OneClass { .. } | ScoreError::Untold { .. }) => {}
        Err(err) => return Err(err),
    }
    Ok(judgement)
}

impl Judgement {
    fn decide(&mut self, found: Improvement, count: &Count) {
        let base = found.production.abs();
        // An error metric has no natural unit, so its limits are shares of production's value.
        let unit = if found.metric.range() == Range::Positive { base } else { 1.0 };
        (self.margin, self.delta) = (self.margin * unit, self.delta * unit);
        self.relative = (base > 0.0).then(|| found.value / base);
        self.enough = self.relative.map_or(found.value > 0.0, |share| share >= self.min_improvement);
        self.verdict = match &found {
            f if f.low > self.margin => Verdict::Superior,
            f if f.low > -self.delta => Verdict::Equivalent,
            f if f.high < 0.0 => Verdict::Regression,
            _ => Verdict::Inconclusive,
        };
        if self.verdict == Verdict::Inconclusive {
            self.need = self.missing(&found, count, self.min_improvement * base);
        }
        self.improvement = Some(found);
    }

    /// The rows needed to detect a relevant effect with 80 % power; if there are enough already, the rows needed to
    /// show that an identical challenger is equivalent.
    fn missing(&self, found: &Improvement, count: &Count, least: f64) -> Option<Need> {
        let z = |share: f64| normal::quantile(share);
        let grown = |effect: f64, sum_of_z: f64| {
            let factor = (sum_of_z * found.error / effect).powi(2);
            (effect > 0.0 && factor.is_finite()).then(|| (count.scaled as f64 * factor).ceil() as u64)
        };
        let effect = least.max(self.delta);
        let superior = grown(effect - self.margin, z(1.0 - self.alpha) + z(POWER)).map(|n| (n, effect));
        let equivalent = grown(self.delta, z(1.0 - self.alpha) + z(POWER)).map(|n| (n, 0.0));
        let enough = |(n, _): &(u64, f64)| *n > count.scaled;
        let (in_all, effect) = superior.filter(enough).or_else(|| equivalent.filter(enough))?;
        Some(Need { more: in_all - count.scaled, in_all, ..count.need(effect) })
    }
}

/// The unit in which rows are counted: positives for two classes, otherwise rows.
struct Count {
    scaled: u64,
    others: u64,
    positives: bool,
}

impl Count {
    fn of(reading: &Reading<'_>) -> Self {
        let n = reading.y.len() as u64;
        if reading.task != Task::Binary {
            return Self { scaled: n, others: n, positives: false };
        }
        let positives = reading.y.iter().filter(|y| **y == 1.0).count() as u64;
        Self { scaled: positives, others: n - positives, positives: true }
    }

    /// Number of rows missing for any test.
    fn missing(&self) -> Option<u64> {
        untested(self.scaled.min(self.others), self.positives)
    }

    fn need(&self, effect: f64) -> Need {
        Need { more: 0, in_all: self.scaled, positives: self.positives, effect }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
