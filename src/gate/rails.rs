//! Guardrails: metrics that must not get worse, whatever the deciding metric shows.

use super::rows::{Contestant, GateRows};
use super::{GateError, slices};
use crate::features::Task;
use crate::score::{Reading, multiclass};
use crate::stats::{contrast, moments, normal};
use crate::table::Kind;
use crate::workspace::Guardrails;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One guardrail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Guardrail {
    /// `calibration`, `slices`, `flip_rate`, `latency_ratio` or `schema`.
    pub name: String,
    /// What was measured.
    pub value: Option<f64>,
    /// The largest allowed value.
    pub limit: Option<f64>,
    /// Whether it broke.
    pub broken: bool,
    /// The finding, in one line.
    pub text: String,
}

impl Guardrail {
    fn new(name: &str, value: Option<f64>, limit: Option<f64>, broken: bool, text: String) -> Self {
        Self { name: name.to_owned(), value, limit, broken, text }
    }
}

/// A loss of both versions over some rows, and whether the challenger's is larger by more than chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Loss {
    pub(super) production: f64,
    pub(super) challenger: f64,
    /// One-sided p-value of the hypothesis that the challenger's loss is not larger.
    pub(super) p: f64,
}

impl Loss {
    /// The losses on `rows`, optionally weighted, compared by the paired z-test; errors of one entity's rows are
    /// summed.
    pub(super) fn of(
        old: &[f64],
        new: &[f64],
        (entities, weights): (Option<&[u32]>, Option<&[f64]>),
        rows: &[u32],
    ) -> Self {
        let pick = |of: &[f64]| rows.iter().map(|&row| of[row as usize]).collect::<Vec<f64>>();
        let (old, new, weights) = (pick(old), pick(new), weights.map(pick));
        let mean_of = |of: &[f64]| moments::weighted_mean(of.len(), weights.as_deref(), &|i| of[i]);
        let (production, challenger) = (mean_of(&old), mean_of(&new));
        let mean = challenger - production;
        // Weights are divided by their mean, so that the sums of entities have the same scale as without weights.
        let n = rows.len() as f64;
        let whole = weights.as_ref().map_or(n, |weights| weights.iter().sum());
        let weight = |i: usize| weights.as_ref().map_or(1.0, |weights| weights[i] * n / whole);
        let gains = new.iter().zip(&old).enumerate().map(|(i, (new, old))| weight(i) * (new - old - mean));
        let sums: Vec<f64> = match entities {
            None => gains.collect(),
            Some(entities) => {
                let mut sums = BTreeMap::<u32, f64>::new();
                rows.iter()
                    .zip(gains)
                    .for_each(|(&row, gain)| *sums.entry(entities[row as usize]).or_default() += gain);
                sums.into_values().collect()
            }
        };
        let groups = sums.len() as f64;
        let error = (sums.iter().map(|s| s * s).sum::<f64>() * groups / (groups - 1.0)).sqrt() / n;
        let p = match error > 0.0 {
            true => normal::cdf(-mean / error),
            false if mean > 0.0 => 0.0,
            false => 1.0,
        };
        Self { production, challenger, p }
    }

    /// The relative increase of the challenger's loss over production's.
    pub(super) fn rise(&self) -> f64 {
        let rise = self.challenger - self.production;
        if rise <= 0.0 || self.production > 0.0 { rise / self.production.max(f64::MIN_POSITIVE) } else { f64::MAX }
    }
}

/// The loss of each row: the squared distance of the probabilities from the truth, or of the number.
pub(super) fn losses(reading: &Reading<'_>) -> Vec<f64> {
    let width = if reading.task == Task::Multiclass { reading.classes.len() } else { 1 };
    let one = |(row, y): (&[f64], &f64)| match reading.task {
        Task::Multiclass => {
            let miss = |(class, p): (usize, &f64)| (p - if class == *y as usize { 1.0 } else { 0.0 }).powi(2);
            row.iter().enumerate().map(miss).sum()
        }
        _ => (row[0] - (*y)).powi(2),
    };
    reading.scores.chunks_exact(width).zip(reading.y).map(one).collect()
}

/// The inputs of the guardrails.
pub(super) struct Rails<'a> {
    pub(super) rules: &'a Guardrails,
    pub(super) alpha: f64,
    pub(super) rows: &'a GateRows,
    pub(super) production: (&'a Contestant, Reading<'a>),
    pub(super) challenger: (&'a Contestant, Reading<'a>),
}

impl Rails<'_> {
    /// Every enabled guardrail; `seconds` is a monotonic clock.
    pub(super) fn check(&self, seconds: &dyn Fn() -> f64) -> Result<Vec<Guardrail>, GateError> {
        let (old, new) = (losses(&self.production.1), losses(&self.challenger.1));
        let mut found = Vec::new();
        if self.production.1.task != Task::Regression {
            found.extend(self.calibration(&old, &new));
        }
        found.extend(self.slices(&old, &new));
        found.extend(self.flips());
        if self.rules.schema {
            found.push(self.schema());
        }
        found.extend(self.latency(seconds)?);
        Ok(found)
    }

    /// The entities and the weights of the rows.
    fn pairs(&self) -> (Option<&[u32]>, Option<&[f64]>) {
        (self.rows.entities.as_deref(), self.rows.weights.as_deref())
    }

    fn calibration(&self, old: &[f64], new: &[f64]) -> Option<Guardrail> {
        let limit = self.rules.calibration.at()?;
        let all: Vec<u32> = (0..old.len() as u32).collect();
        let loss = Loss::of(old, new, self.pairs(), &all);
        let broken = loss.p <= self.alpha && loss.rise() > limit;
        let text = format!("Brier score {:.4}, was {:.4}", loss.challenger, loss.production);
        Some(Guardrail::new("calibration", Some(loss.rise()), Some(limit), broken, text))
    }

    fn slices(&self, old: &[f64], new: &[f64]) -> Option<Guardrail> {
        let limit = self.rules.slices.at()?;
        let inputs: Vec<(&str, Kind)> = self.challenger.0.pipeline.features.inputs().collect();
        let least = self.rules.slice_rows as usize;
        let slices = slices::slices(&self.rows.table, &inputs, least);
        let losses: Vec<Loss> = slices.iter().map(|s| Loss::of(old, new, self.pairs(), &s.rows)).collect();
        let adjusted = contrast::holm(&losses.iter().map(|loss| loss.p).collect::<Vec<f64>>());
        let broken: Vec<usize> =
            (0..losses.len()).filter(|&i| adjusted[i] <= self.alpha && losses[i].rise() > limit).collect();
        let worst = (0..losses.len()).max_by(|&a, &b| losses[a].rise().total_cmp(&losses[b].rise()).then(b.cmp(&a)));
        let told = |i: &usize| {
            let (slice, loss) = (&slices[*i], &losses[*i]);
            format!(
                "{} ({} rows): loss {:.4}, was {:.4}",
                slice.name,
                slice.rows.len(),
                loss.challenger,
                loss.production
            )
        };
        let text = match (worst, broken.as_slice()) {
            (None, _) => format!("no slice has {least} rows"),
            (Some(_), []) => format!("none of {} is shown to be worse", slices.len()),
            (Some(_), broken) => broken.iter().take(3).map(told).collect::<Vec<_>>().join("; "),
        };
        let value = broken.iter().copied().chain(worst).map(|i| losses[i].rise()).next();
        Some(Guardrail::new("slices", value, Some(limit), !broken.is_empty(), text))
    }

    fn flips(&self) -> Option<Guardrail> {
        let limit = self.rules.flip_rate.at()?;
        let (old, new) = (classes(&self.production.1)?, classes(&self.challenger.1)?);
        let n = old.iter().zip(&new).filter(|(old, new)| old != new).count();
        let weights = self.rows.weights.as_deref();
        let share = moments::weighted_mean(old.len(), weights, &|i| f64::from(u8::from(old[i] != new[i])));
        let text = format!("{n} of {} rows get a different class", old.len());
        Some(Guardrail::new("flip_rate", Some(share), Some(limit), share > limit, text))
    }

    fn schema(&self) -> Guardrail {
        let needs = |of: &Contestant| of.pipeline.features.inputs().map(|(n, k)| (n.to_owned(), k)).collect::<Vec<_>>();
        let (old, new) = (needs(self.production.0), needs(self.challenger.0));
        let only = |here: &[(String, Kind)], there: &[(String, Kind)]| {
            here.iter().filter(|c| !there.contains(c)).map(|c| c.0.clone()).collect::<Vec<String>>()
        };
        let (added, gone) = (only(&new, &old), only(&old, &new));
        let text = match (added.as_slice(), gone.as_slice()) {
            ([], []) => "the same columns are needed".to_owned(),
            ([], gone) => format!("no longer needed: {}", gone.join(", ")),
            (added, _) => format!("newly needed: {}", added.join(", ")),
        };
        Guardrail::new("schema", Some(added.len() as f64), Some(0.0), !added.is_empty(), text)
    }

    /// Takes the fastest of several turns; both versions alternate, so that a busy machine slows both.
    fn latency(&self, seconds: &dyn Fn() -> f64) -> Result<Option<Guardrail>, GateError> {
        const TURNS: usize = 7;
        /// Number of rows scored, repeating the gate rows if needed: with fewer, the fixed cost of a call would
        /// dominate.
        const ROWS: u32 = 1000;
        /// An increase per row below this is ignored, whatever the ratio: it is imperceptible and mostly noise of the
        /// machine.
        const FLOOR_SECONDS: f64 = 200e-6;
        let Some(limit) = self.rules.latency_ratio.at() else { return Ok(None) };
        let n = self.rows.y.len() as u32;
        let rows: Vec<u32> = (0..ROWS).filter_map(|row| row.checked_rem(n)).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let table = self.rows.table.take(&rows);
        let mut fastest = [f64::INFINITY; 2];
        for _ in 0..TURNS {
            for (best, of) in fastest.iter_mut().zip([self.production.0, self.challenger.0]) {
                let from = seconds();
                of.pipeline.score(&table)?;
                *best = best.min((seconds() - from) / rows.len() as f64);
            }
        }
        let [old, new] = fastest;
        let ratio = if old > 0.0 { new / old } else { 1.0 };
        let text = format!("{:.1} µs a row, was {:.1}", new * 1e6, old * 1e6);
        let broken = ratio > limit && new - old > FLOOR_SECONDS;
        let text = match ratio > limit && !broken {
            true => format!(
                "{text}: {ratio:.1} times as long, but an increase below {:.0} µs is ignored",
                FLOOR_SECONDS * 1e6
            ),
            false => text,
        };
        Ok(Some(Guardrail::new("latency_ratio", Some(ratio), Some(limit), broken, text)))
    }
}

/// The predicted class of each row; `None` for numbers.
fn classes(reading: &Reading<'_>) -> Option<Vec<u32>> {
    match reading.task {
        Task::Regression => None,
        Task::Binary => Some(reading.scores.iter().map(|s| u32::from(*s >= reading.threshold)).collect()),
        Task::Multiclass => Some(multiclass::predicted(reading.scores, reading.classes.len())),
    }
}

#[cfg(test)]
#[path = "rails_tests.rs"]
mod tests;
