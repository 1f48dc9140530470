//! Intervals valid at all looks together.

use super::shape::Shape;
use crate::stats::portable::Portable;
use crate::stats::special::ln_gamma;

/// An asymptotic confidence sequence of a mean or of a difference of means, with its always-valid p-value.
///
/// A normal mixture martingale, tuned to be narrowest at `planned_n` observations: with N observations so far, standard
/// error SE and
///
/// ```text
/// ρ² = (−2 ln α + ln(1 − 2 ln α)) ∕ planned_n
/// half-width = SE · √( 2 (Nρ²+1) ∕ (Nρ²) · ln(√(Nρ²+1) ∕ α) )
/// p = min(1, √(Nρ²+1) · exp(−Nρ² z² ∕ (2 (Nρ²+1)))),   z = estimate ∕ SE
/// ```
/// the truth is inside at all N together with probability 1 − α, so you may stop at any time. ρ must be chosen before
/// the data are seen (I. Waudby-Smith et al., "Time-Uniform Central Limit Theory and Asymptotic Confidence Sequences",
/// 2024; S. Howard et al., "Time-Uniform, Nonparametric, Nonasymptotic Confidence Sequences", 2021).
///
/// ```
/// let sequence = mlloop::stats::sequence::Sequence::tuned(0.05, 10_000.0);
/// // At the planned number the interval is about 1.5 times as wide as one for a single look.
/// assert!((sequence.half_width(1.0, 10_000.0) - 3.0352090).abs() < 1e-6);
/// assert!((sequence.p(3.0352090, 10_000.0) - 0.05).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequence {
    alpha: f64,
    rho2: f64,
}

impl Sequence {
    /// A sequence with error `alpha` in (0, 1), narrowest at `planned_n` > 0.
    #[must_use]
    pub fn tuned(alpha: f64, planned_n: f64) -> Self {
        Self { alpha, rho2: tuning(alpha) / planned_n }
    }

    /// The same tuning with a part of the error, `share` in (0, 1].
    #[must_use]
    pub fn with_part(self, share: f64) -> Self {
        Self { alpha: self.alpha * share, ..self }
    }

    /// The error.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// 1 ∕ ρ²; the interval is narrowest at about eight times as many observations.
    #[must_use]
    pub fn strength(&self) -> f64 {
        1.0 / self.rho2
    }

    /// The same tuning with the error divided by `k` simultaneous sequences.
    #[must_use]
    pub fn shared_by(self, k: usize) -> Self {
        Self { alpha: self.alpha / k.max(1) as f64, ..self }
    }

    /// Half-width of the interval in standard errors at `n`; infinite at 0.
    #[must_use]
    pub fn reach(&self, n: f64) -> f64 {
        let nrho2 = n * self.rho2;
        (2.0 * (nrho2 + 1.0) / nrho2 * ((nrho2 + 1.0).sqrt() / self.alpha).ln_portable()).sqrt()
    }

    /// Half the width of the interval about an estimate with standard error `error` from `n` observations.
    #[must_use]
    pub fn half_width(&self, error: f64, n: f64) -> f64 {
        error * self.reach(n)
    }

    /// The always-valid p-value of an estimate `z` standard errors from 0.
    #[must_use]
    pub fn p(&self, z: f64, n: f64) -> f64 {
        let nrho2 = n * self.rho2;
        ((nrho2 + 1.0).ln_portable() / 2.0 - nrho2 * z * z / (2.0 * (nrho2 + 1.0))).exp_portable().min(1.0)
    }

    /// The number of observations at which the interval will exclude 0 if an estimate that is `z` standard errors from
    /// 0 at `n`, with this shape, stays the same; `None` beyond `at_most`.
    #[must_use]
    pub fn n_to_exclude_zero(&self, z: f64, n: f64, shape: Shape, at_most: f64) -> Option<f64> {
        let excludes = |m: f64| {
            let then = shape.after(m / n);
            let side = if z < 0.0 { then.mirrored() } else { then };
            then.is_near_normal() && z.abs() * (m / n).sqrt() >= side.widened(self.reach(m))
        };
        // `reach` grows like the logarithm and z² · m ∕ n linearly: once excluded, 0 stays excluded.
        let (mut low, mut high) = (n.max(1.0), n.max(1.0));
        while !excludes(high) {
            (low, high) = (high, high * 2.0);
            if high > at_most * 2.0 {
                return None;
            }
        }
        while high - low > 1e-3 {
            let middle = f64::midpoint(low, high);
            if excludes(middle) { high = middle } else { low = middle }
        }
        Some(high.ceil()).filter(|m| *m <= at_most)
    }
}

/// The always-valid p-value of the hypothesis that units are assigned to groups by `shares`, which sum to 1, from the
/// counts of the groups.
///
/// The ratio of a Dirichlet mixture of multinomial likelihoods around the shares to the likelihood of the shares
/// themselves: its reciprocal is below `alpha` at any look with probability at most `alpha` (M. Lindon, A. Malek,
/// "Anytime-Valid Inference for Multinomial Count Data", 2022). It is most powerful at `planned_n` units. The values of
/// independent periods are multiplied.
///
/// ```
/// use mlloop::stats::sequence::p_of_shares;
/// assert_eq!(p_of_shares(&[500.0, 500.0], &[0.5, 0.5], 0.01, 1000.0), 1.0);
/// assert!(p_of_shares(&[5200.0, 4800.0], &[0.5, 0.5], 0.01, 10_000.0) < 0.003);
/// ```
#[must_use]
pub fn p_of_shares(counts: &[f64], shares: &[f64], alpha: f64, planned_n: f64) -> f64 {
    (-ln_evidence_of_shares(counts, shares, alpha, planned_n)).exp_portable().min(1.0)
}

/// ln of the reciprocal of [`p_of_shares`]; may be negative.
#[must_use]
pub fn ln_evidence_of_shares(counts: &[f64], shares: &[f64], alpha: f64, planned_n: f64) -> f64 {
    let strength = (planned_n / tuning(alpha)).max(1.0);
    let n: f64 = counts.iter().sum();
    let of = |(count, share): (&f64, &f64)| match *share > 0.0 {
        true => ln_gamma(strength * share + count) - ln_gamma(strength * share) - count * share.ln_portable(),
        false if *count > 0.0 => f64::INFINITY,
        false => 0.0,
    };
    counts.iter().zip(shares).map(of).sum::<f64>() + ln_gamma(strength) - ln_gamma(strength + n)
}

fn tuning(alpha: f64) -> f64 {
    let log = -2.0 * alpha.ln_portable();
    log + log.ln_1p_portable()
}

#[cfg(test)]
#[path = "sequence_tests.rs"]
mod tests;
