//! The selection probability of each row, and the draw.
//!
//! ```text
//! π = 1                      rows that represent others like them (diverse)
//! π = min(1, c + λ·t)        every other row: c is the control's floor, t the pull of the targeted strata,
//!                            λ such that the πs sum to the number of rows requested
//! rows in groups of like π ─ Σπ from a random start, a row for every whole number passed ─▶ exactly n rows
//! ```
//! Every row has π > 0 and π is known exactly, so Σ(ℓ/π)/Σ(1/π) estimates the mean of any ℓ over all candidates. Within the
//! sample a row counts as control with probability c/π: so every candidate enters the control stratum with the same
//! probability c, and plain means over that stratum are unbiased too.

use super::batch::Stratum;
use crate::stats::portable::Portable;
use crate::stats::random::{rng, unit_hash};
use rand::Rng;
use std::collections::HashSet;

/// What pulls rows into the sample.
#[derive(Debug, Clone, Default)]
pub(super) struct Pull {
    /// Number of candidates.
    pub n_rows: usize,
    /// How many control rows are expected.
    pub control: f64,
    /// Rows selected with certainty.
    pub certain: Vec<u32>,
    /// The pull of each targeted stratum on each candidate; 0 for rows selected with certainty.
    pub targeted: Vec<(Stratum, Vec<f32>)>,
}

/// A selected row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Drawn {
    /// Index of the candidate.
    pub row: u32,
    /// The probability with which it was drawn.
    pub prob: f64,
    /// The stratum that selected it.
    pub stratum: Stratum,
}

/// Pull of the `rank`th (from 0) of rows in order of interest, for about `k` rows: half of the drawn rows
/// come from the first `k`, three quarters from the first `3k`, and every row has a chance.
pub(super) fn pull_of_rank(rank: usize, k: f64) -> f64 {
    (1.0 + rank as f64 / k.max(1.0)).powi(-2)
}

/// Draws `n` of the candidates, or all if there are fewer.
pub(super) fn draw(pull: &Pull, n: usize, seed: u64) -> Vec<Drawn> {
    let n = n.min(pull.n_rows);
    if n == 0 {
        return Vec::new();
    }
    let plan = Plan::new(pull, n);
    let chosen = plan.systematic(n, seed);
    plan.dealt(pull, &chosen, seed)
}

/// The probability of each row.
struct Plan {
    prob: Vec<f64>,
    /// The control's share of each row's probability.
    floor: f64,
}

impl Plan {
    fn new(pull: &Pull, n: usize) -> Self {
        if n == pull.n_rows {
            return Self { prob: vec![1.0; n], floor: (pull.control / n as f64).min(1.0) };
        }
        let mut prob = vec![0.0; pull.n_rows];
        pull.certain.iter().for_each(|&row| prob[row as usize] = 1.0);
        let mut floor = (pull.control / pull.n_rows as f64).min(1.0);
        let target = |row: usize| pull.targeted.iter().map(|(_, t)| f64::from(t[row])).sum::<f64>();
        let targets: Vec<f64> = (0..pull.n_rows).map(|row| if prob[row] >= 1.0 { 0.0 } else { target(row) }).collect();
        // Rows whose probability would exceed 1 become certain; the others share the rest. Each round adds some.
        loop {
            let free = prob.iter().filter(|p| **p < 1.0).count();
            let left = n as f64 - (pull.n_rows - free) as f64;
            if free == 0 {
                break;
            }
            let open = |row: &usize| prob[*row] < 1.0;
            let total: f64 = (0..pull.n_rows).filter(open).map(|row| targets[row]).sum();
            let scale = if total > 0.0 { ((left - floor * free as f64) / total).max(0.0) } else { 0.0 };
            if total <= 0.0 || scale == 0.0 {
                floor = (left / free as f64).clamp(0.0, 1.0);
            }
            let full: Vec<usize> =
                (0..pull.n_rows).filter(open).filter(|&row| floor + scale * targets[row] >= 1.0).collect();
            if full.is_empty() {
                let open = prob.iter_mut().zip(&targets).filter(|(p, _)| **p < 1.0);
                open.for_each(|(p, target)| *p = floor + scale * target);
                break;
            }
            full.into_iter().for_each(|row| prob[row] = 1.0);
        }
        Self { prob, floor }
    }

    /// `n` rows by systematic sampling (W. Madow, "On the Theory of Systematic Sampling, II", 1949): the row at which
    /// the running sum of the probabilities passes a random start plus a whole number is drawn, so each is drawn with its
    /// probability. Rows are grouped by similar probability, in random order within a group, which spreads the
    /// sample evenly over the groups.
    fn systematic(&self, n: usize, seed: u64) -> Vec<u32> {
        let group = |p: f64| (-p.ln_portable() * 4.0) as u32;
        let mut rows: Vec<u32> = (0..self.prob.len() as u32).collect();
        rows.sort_by_cached_key(|&row| {
            let place = unit_hash(&row.to_le_bytes(), seed ^ ORDER);
            (group(self.prob[row as usize]), (place * (1_u64 << 53) as f64) as u64, row)
        });
        let total: f64 = self.prob.iter().sum();
        let scale = n as f64 / total;
        let shares = rows.iter().map(|&row| self.prob[row as usize] * scale);
        passed(shares, rng(seed, "labels: which rows").r#gen())
            .zip(&rows)
            .filter(|(yes, _)| *yes)
            .map(|(_, r)| *r)
            .collect()
    }

    /// Assigns each drawn row to a stratum at random, in proportion to the pulls.
    fn dealt(&self, pull: &Pull, chosen: &[u32], seed: u64) -> Vec<Drawn> {
        let mut random = rng(seed, "labels: strata");
        let floors = chosen.iter().map(|&row| self.floor / self.prob[row as usize]);
        let is_control: Vec<bool> = passed(floors, random.r#gen()).collect();
        let certain: HashSet<u32> = pull.certain.iter().copied().collect();
        let drawn = chosen.iter().zip(is_control).map(|(&row, is_control)| {
            let lot: f64 = random.r#gen();
            let stratum = match is_control {
                true => Stratum::Control,
                false if certain.contains(&row) => Stratum::Diverse,
                false => strongest(pull, row, lot),
            };
            Drawn { row, prob: self.prob[row as usize], stratum }
        });
        drawn.collect()
    }
}

/// The targeted stratum for which a row was drawn: chosen at random in proportion to the pulls.
fn strongest(pull: &Pull, row: u32, lot: f64) -> Stratum {
    let pulls = pull.targeted.iter().map(|(stratum, t)| (*stratum, f64::from(t[row as usize])));
    let mut at = lot * pulls.clone().map(|(_, t)| t).sum::<f64>();
    let mut last = Stratum::Control;
    for (stratum, t) in pulls.filter(|(_, t)| *t > 0.0) {
        last = stratum;
        at -= t;
        if at < 0.0 {
            break;
        }
    }
    last
}

/// Separate random stream for the order of the sample.
const ORDER: u64 = 0x6c61_6265_6c73;

/// At each position, whether the running sum of `shares` (each at most 1), starting at `start` in [0, 1), passes a
/// whole number.
fn passed(shares: impl Iterator<Item = f64>, start: f64) -> impl Iterator<Item = bool> {
    // Ten digits are kept, so that rounding of a long sum does not lose the last whole number.
    let whole = |sum: f64| (sum + 1e-10).floor();
    shares.scan(start, move |sum, share| {
        let before = whole(*sum);
        *sum += share;
        Some(whole(*sum) > before)
    })
}

#[cfg(test)]
#[path = "design_tests.rs"]
mod tests;
