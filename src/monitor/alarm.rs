//! Compares production's loss with that of its gate, by betting: at most 5 % of loops ever raise a false alarm.
//!
//! ```text
//! gate: loss and its interval ─▶ limit ─┐
//! labels, in order of arrival ─▶ one loss each ─▶ Bets, reopened each week ─▶ evidence ≥ 1∕α ?
//! ```
//! Rows of one entity (`[monitor] entity`) are one bet per week or table (`together.rs`).
//!
//! The allowed error probability, [`ALPHA`], is divided among the versions that are ever in production (the kth gets
//! 6∕π²k² of it). Of each share, a fifth is for a gate estimate that is too low by chance, three fifths are for the
//! labels of served predictions, and a fifth is for the rows of all tables with outcomes (`kept.rs`).

use super::MonitorError;
use super::arrive::Arrived;
use super::kept::Kept;
use super::raised::{Level, Total, look};
use super::together::{Seen, first_days};
use super::watch::{Production, Watch};
use crate::drift::report::{LossAlarm, SinceAlarm};
use crate::features::{Target, Task};
use crate::journal::Joined;
use crate::labels::{Labels, resolve};
use crate::registry::Version;
use crate::score::Metric;
use crate::score::multiclass::predicted;
use crate::stats::betting::{Bets, losses_needed};
use crate::stats::normal;
use crate::stats::portable::Portable;
use crate::stats::tails::chi_squared_above;
use crate::workspace::Workspace;
use serde::Serialize;
use std::collections::HashMap;
use std::f64::consts::PI;

/// The probability that a workspace ever raises a false alarm.
pub const ALPHA: f64 = 0.05;
/// A loss that exceeds the gate's by less than this share is irrelevant.
const MARGIN: f64 = 0.1;
/// Errors are capped at this many limits: bets need bounded losses.
const MOST_LIMITS: f64 = 10.0;
const WEEK_MICROS: i64 = 7 * 86_400_000_000;

impl Limit {
    /// The level for an error probability of `alpha`.
    fn level(&self, alpha: f64) -> Level {
        Level { limit: self.limit, scale: self.scale, alpha }
    }
}

/// The loss and its limit.
#[derive(Debug, Clone, Copy)]
struct Limit {
    name: &'static str,
    gate: f64,
    /// The largest mean that is compatible with the gate, or exceeds it by an irrelevant amount.
    limit: f64,
    /// The loss that is scaled to 1.
    scale: f64,
    /// Its approximate standard deviation on the gate rows.
    sd: f64,
}

impl Watch<'_> {
    /// Whether production loses more than its gate allows, and the state for the next run. `None` if no outcome is
    /// known, or the gate has no such loss.
    pub(super) fn alarm(
        &self,
        arrived: &Arrived,
        served: &[Seen],
    ) -> Result<Option<(LossAlarm, Option<Kept>)>, MonitorError> {
        let Some(production) = &self.production else { return Ok(None) };
        let alpha = share(ALPHA, number(self.workspace, production.version)?);
        let Some(limit) = limit(production, alpha / 5.0) else { return Ok(None) };
        let own = of_table(&production.pipeline.target, arrived);
        if own.is_empty() && served.is_empty() {
            return Ok(None);
        }
        let alarm = match served.len() >= own.len() {
            true => (bet(limit, served, of_served(alpha)), None),
            false => {
                let mut kept = Kept::load(self.workspace, production.version, limit.limit / limit.scale)?;
                kept.take(&own, limit.level(alpha / 5.0));
                (of_tables(limit, &kept, alpha / 5.0), Some(kept))
            }
        };
        Ok(Some(alarm))
    }

    /// Losses of served predictions, in the order in which their outcomes became known.
    pub(super) fn seen(&self, target: &Target, known: &Joined) -> Result<Vec<Seen>, MonitorError> {
        let labels = match self.request.labels {
            Some(_) => Labels::default(),
            None => Labels::open(self.workspace)?,
        };
        let policy = self.config.as_ref().map(|config| config.labels.policy).unwrap_or_default();
        let resolved = resolve(&labels, policy).agreed;
        // The minimum probability of a batch was fixed when it was drawn.
        let mut least: HashMap<&str, f64> = HashMap::new();
        for label in labels.rows() {
            let probability = label.select_prob.unwrap_or(1.0);
            least.entry(&label.batch).and_modify(|least| *least = least.min(probability)).or_insert(probability);
        }
        let weight = |row: &crate::labels::Resolved| {
            let probability = row.select_prob()?;
            let batch = row.said.iter().find(|label| label.select_prob.is_some())?;
            Some(least.get(batch.batch.as_str()).copied().unwrap_or(probability) / probability)
        };
        let told: HashMap<&str, (i64, f64)> = resolved
            .iter()
            .filter_map(|row| Some((row.id, (row.labelled_at()?.as_microsecond(), weight(row).unwrap_or(1.0)))))
            .collect();
        let heaviest = known.outcomes.iter().map(|outcome| outcome.weight).fold(1.0, f64::max);
        let seen = |row: usize| {
            let outcome = known.outcomes[row];
            let text = known.rows.prediction.get(row);
            let loss = match target.task {
                Task::Binary => (known.rows.score[row] - outcome.y).powi(2),
                Task::Multiclass => f64::from(target.class_of(text)? as f64 != outcome.y),
                Task::Regression => (text.parse::<f64>().ok()? - outcome.y).abs(),
            };
            let otherwise = (known.rows.time[row], outcome.weight / heaviest);
            let (at, weight) = told.get(known.rows.id.get(row)).copied().unwrap_or(otherwise);
            // A score that was removed from the log measures nothing.
            let about = known.about.get(row).copied().flatten();
            loss.is_finite().then_some((row, Seen { at, loss, weight, about }))
        };
        let mut all: Vec<(usize, Seen)> = (0..known.outcomes.len()).filter_map(seen).collect();
        all.sort_by(|(a, x), (b, y)| (x.at, known.rows.id.get(*a)).cmp(&(y.at, known.rows.id.get(*b))));
        Ok(all.into_iter().map(|(_, seen)| seen).collect())
    }
}

/// The expected delay of the alarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AlarmPlan {
    /// `brier`, `error` or `mae`.
    pub loss: String,
    /// On the gate rows.
    pub gate: f64,
    /// The largest mean loss without an alarm.
    pub limit: f64,
    /// Delays by labels a week and growth of the loss.
    pub delays: Vec<Delay>,
}

/// A mean delay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Delay {
    /// Number of randomly drawn rows that are labelled in a week.
    pub labels_a_week: u64,
    /// Growth of the loss, as a share of the gate's loss.
    pub growth: f64,
    /// Weeks until the alarm is raised; `None` if the gate allows such a loss.
    pub weeks: Option<f64>,
}

/// The expected delay of the alarm of `metric_drop` by the number of labels per week; `None` without a version in
/// production, or if its gate has no such loss.
///
/// # Errors
/// An unreadable version or audit chain.
pub fn plan(workspace: &Workspace, now: jiff::Timestamp) -> Result<Option<AlarmPlan>, MonitorError> {
    let Some(production) = super::watch::production(workspace, true)? else { return Ok(None) };
    let alpha = share(ALPHA, number(workspace, production.version)?);
    let Some(limit) = limit(&production, alpha / 5.0) else { return Ok(None) };
    let weeks = (super::days(production.manifest.trained_at, now) / 7.0).max(0.0) as u64;
    let delay = |labels_a_week: u64, growth: f64| {
        let mean = limit.gate * (1.0 + growth);
        let needed = losses_needed(
            limit.limit / limit.scale,
            mean / limit.scale,
            limit.sd / limit.scale,
            of_served(alpha),
            weeks + 1,
        );
        Delay { labels_a_week, growth, weeks: needed.map(|n| n / labels_a_week as f64) }
    };
    let delays = [25, 50, 100, 200, 400].into_iter().flat_map(|n| [0.25, 0.5, 1.0].map(|growth| delay(n, growth)));
    let Limit { name, gate, limit, .. } = limit;
    Ok(Some(AlarmPlan { loss: name.to_owned(), gate, limit, delays: delays.collect() }))
}

/// The evidence at which `metric_drop = "sure"` fires on served predictions of `version`.
///
/// # Errors
/// An unreadable audit chain.
pub fn needed(workspace: &Workspace, version: Version) -> Result<f64, MonitorError> {
    Ok(1.0 / of_served(share(ALPHA, number(workspace, version)?)))
}

/// The part of a version's error probability that is reserved for its served predictions.
fn of_served(alpha: f64) -> f64 {
    3.0 * alpha / 5.0
}

/// The position of this version among those ever in production, from 1.
fn number(workspace: &Workspace, version: Version) -> Result<u64, MonitorError> {
    let chain = workspace.audit_chain()?;
    let mut holders: Vec<Version> = Vec::new();
    for holder in chain.entries.iter().filter_map(|entry| entry.roles.as_ref()?.production) {
        if !holders.contains(&holder) {
            holders.push(holder);
        }
    }
    Ok(1 + holders.iter().position(|holder| *holder == version).unwrap_or(holders.len()) as u64)
}

/// The `k`th share of an error probability; all shares sum to `alpha`.
fn share(alpha: f64, k: u64) -> f64 {
    let k = k as f64;
    alpha * 6.0 / (PI * PI * k * k)
}

/// The loss of the target: the Brier score for two classes, the error rate for several, the absolute error for numbers.
/// Also its largest value compatible with the gate, which is wrong with probability `alpha`.
fn limit(production: &Production, alpha: f64) -> Option<Limit> {
    let gate = production.gate.as_ref()?;
    let found = |metric: Metric| gate.metrics.get(metric);
    let (name, value, high) = match production.pipeline.target.task {
        Task::Binary => ("brier", found(Metric::Brier)?.value?, found(Metric::Brier)?.high?),
        Task::Multiclass => {
            let accuracy = found(Metric::Accuracy)?;
            ("error", 1.0 - accuracy.value?, 1.0 - accuracy.low?)
        }
        Task::Regression => ("mae", found(Metric::Mae)?.value?, found(Metric::Mae)?.high?),
    };
    let is_number = production.pipeline.target.task == Task::Regression;
    let n_rows = gate.n_rows.max(1) as f64;
    let sd = (high - value) / normal::quantile(0.975) * n_rows.sqrt();
    let upper = if is_number && value == 0.0 { 0.0 } else { upper_end(value, sd, n_rows, alpha) };
    let limit = upper.max(value * (1.0 + MARGIN));
    let scale = if is_number { MOST_LIMITS * limit } else { 1.0 };
    (limit > 0.0 && limit < scale).then_some(Limit { name, gate: value, limit, scale, sd })
}

/// The upper bound of a non-negative mean loss, which is too low with probability `alpha`. The loss is treated as a
/// Poisson count of equal losses with the same variance, n m² ∕ sd² of them (F. Garwood, "Fiducial Limits for the
/// Poisson Distribution", 1936).
///
/// A normal bound would be too low if few rows cause the loss (few errors, or few rare positives): such a gate may lack
/// many losses by chance, which its own variance rarely shows. Without any loss, the bound is −ln `alpha` losses of one
/// row.
fn upper_end(mean: f64, sd: f64, n_rows: f64, alpha: f64) -> f64 {
    let losses = if sd > 0.0 { n_rows * (mean / sd).powi(2) } else { f64::INFINITY };
    if mean <= 0.0 {
        return -alpha.ln_portable() / n_rows;
    }
    // This many are as good as normal, and the Poisson bound is expensive to compute here.
    if losses > 1e4 {
        return mean + normal::quantile(1.0 - alpha) * sd / n_rows.sqrt();
    }
    mean * chi_squared_above(alpha, 2.0 * (losses + 1.0)) / (2.0 * losses)
}

/// Losses of the rows of a table with outcomes, in its order, each with the hash that identifies its row.
fn of_table(target: &Target, arrived: &Arrived) -> Vec<(u64, Seen)> {
    let rows = arrived.sample.rows().iter().filter(|row| !row.learned);
    let known: Vec<_> = rows.filter_map(|row| Some((row.name?, row, row.outcome?))).collect();
    let heaviest = known.iter().map(|(_, _, outcome)| outcome.weight).fold(1.0, f64::max);
    let loss = |scores: &[f64], y: f64| match target.task {
        Task::Binary => (scores[0] - y).powi(2),
        Task::Multiclass => {
            f64::from(predicted(scores, scores.len()).first().map(|class| f64::from(*class)) != Some(y))
        }
        Task::Regression => (scores[0] - y).abs(),
    };
    let seen = known.into_iter().map(|(name, row, outcome)| {
        let (loss, weight) = (loss(&row.scores, outcome.y), outcome.weight / heaviest);
        (name, Seen { at: 0, loss, weight, about: row.about })
    });
    seen.filter(|(_, seen)| seen.loss.is_finite()).collect()
}

/// The alarm on the rows of all tables so far.
fn of_tables(limit: Limit, kept: &Kept, alpha: f64) -> LossAlarm {
    told(limit, kept.total(), &kept.bets, kept.since, alpha)
}

/// The alarm on served rows, in the order in which their outcomes became known.
fn bet(limit: Limit, seen: &[Seen], alpha: f64) -> LossAlarm {
    let (mut bets, mut since) = (Bets::above(limit.limit / limit.scale), None);
    for week in seen.chunk_by(|a, b| a.at.div_euclid(WEEK_MICROS) == b.at.div_euclid(WEEK_MICROS)) {
        look((&mut bets, &mut since), week.iter(), first_days(week).into_iter(), limit.level(alpha));
    }
    told(limit, Total::default().add(seen.iter()), &bets, since, alpha)
}

/// The alarm for the bets on rows whose losses are `all`.
fn told(limit: Limit, all: Total, bets: &Bets, since: Option<Total>, alpha: f64) -> LossAlarm {
    LossAlarm {
        loss: limit.name.to_owned(),
        n: all.n,
        mean: all.mean(),
        gate: limit.gate,
        limit: limit.limit,
        evidence: bets.peak(),
        needed: 1.0 / alpha,
        fired: since.is_some(),
        since: since.map(|since| SinceAlarm { n: since.n, mean: since.mean() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_versions_and_looks_together_err_no_more_often_than_alpha() {
        let spent: f64 = (1..100_000).map(|k| share(ALPHA, k)).sum();
        assert!(spent < ALPHA && spent > 0.049_99, "{spent}");
    }

    /// Clopper and Pearson's upper bounds for k errors in 58, at the level for the first version's gate.
    #[test]
    fn the_luck_of_a_small_gate_is_allowed_for() {
        let (n, alpha) = (58.0, share(ALPHA, 1) / 5.0);
        for (k, exact) in [(0.0, 0.0842), (1.0, 0.118), (2.0, 0.147), (3.0, 0.173), (4.0, 0.198)] {
            let p: f64 = k / n;
            let end = upper_end(p, (p * (1.0 - p)).sqrt(), n, alpha);
            assert!(end > exact - 0.0005 && end < 1.1 * exact, "{k} errors: {end}, {exact}");
        }
        // With many losses it equals the normal bound.
        let (end, normal) = (upper_end(0.15, 0.2, 4000.0, 0.006), 0.15 + 2.512 * 0.2 / 4000_f64.sqrt());
        assert!((end / normal - 1.0).abs() < 0.003, "{end} {normal}");
    }

    #[test]
    fn a_loss_that_grows_late_is_found_and_large_errors_end_somewhere() {
        let limit = Limit { name: "mae", gate: 1.0, limit: 1.2, scale: 12.0, sd: 0.8 };
        let row = |n: i64, loss: f64| Seen { at: n * WEEK_MICROS / 20, loss, weight: 1.0, about: None };
        let quiet: Vec<Seen> = (0..2000).map(|n| row(n, f64::from(n as u32 % 3))).collect();
        let before = bet(limit, &quiet, 0.01);
        assert!(!before.fired && (before.mean - 1.0).abs() < 0.01 && before.evidence < 20.0, "{before:?}");
        let later = (2000..2900).map(|n| row(n, 1.5 * f64::from(n as u32 % 3)));
        let after = bet(limit, &[quiet.clone(), later.collect()].concat(), 0.01);
        assert!(after.fired && after.mean < limit.limit, "{after:?}: the mean of all is still below the limit");
        let one = bet(limit, &[quiet, vec![row(2000, 1e12)]].concat(), 0.01);
        assert!(!one.fired, "one row proves nothing: {one:?}");
    }
}
