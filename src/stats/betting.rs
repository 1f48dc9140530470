//! Anytime-valid evidence: test martingales.
//!
//! An e-value is a number ≥ 0 whose expectation is at most 1 under the hypothesis. On one stream of observations, the
//! probability that it ever reaches 1∕α is at most α, for any number of looks (Ville 1939; V. Vovk and R. Wang,
//! "E-values: Calibration, combination and applications", 2021).

use crate::stats::portable::Portable;
use crate::stats::special::{beta_regularised, ln_beta};
use serde::{Deserialize, Serialize};

/// The logarithm of the e-value against the hypothesis that the share of successes is at least `least`, after `n`
/// observations with `successes` successes.
///
/// A likelihood ratio, averaged uniformly over all smaller shares p:
///
/// ```text
/// E = 1/p₀ ∫₀^p₀ (p/p₀)ᵏ ((1−p)/(1−p₀))ⁿ⁻ᵏ dp = B(k+1, n−k+1) · I_p₀(k+1, n−k+1) ∕ (p₀ᵏ⁺¹ (1−p₀)ⁿ⁻ᵏ)
/// ```
/// `n` and `successes` need not be whole numbers: rows of unequal weight count by their weight. −∞ without evidence
/// against the hypothesis, 0 without observations.
///
/// ```
/// let log_e = mlloop::stats::betting::share_below(120.0, 200.0, 0.75);
/// assert!((log_e - 8.663_298_457).abs() < 1e-6, "{log_e}");
/// ```
#[must_use]
pub fn share_below(successes: f64, n: f64, least: f64) -> f64 {
    let (k, p) = (successes.clamp(0.0, n), least.clamp(1e-12, 1.0 - 1e-12));
    let (a, b) = (k + 1.0, n - k + 1.0);
    ln_beta(a, b) + beta_regularised(a, b, p).ln_portable() - a * p.ln_portable() - (n - k) * (-p).ln_1p_portable()
}

/// Stakes, as shares of the loss at an observation of 0; they are mixed equally.
const STAKES: [f64; 6] = [0.005, 0.02, 0.06, 0.15, 0.35, 0.7];

/// Bets that the mean of losses in `[0, 1]` is above a limit.
///
/// If the mean is not above the limit, wealth is a test supermartingale: it starts at 1, and the probability that it
/// ever reaches 1∕α is at most α, for any stopping time (I. Waudby-Smith and A. Ramdas, "Estimating means of bounded
/// random variables by betting", 2024). With λⱼ = fⱼ ∕ m for the stakes f₁ … f₆, losses x of weight v and several start
/// times,
///
/// ```text
/// W = (1 − Σ w_k) + Σ_k w_k · ⅙ Σⱼ Π_{t ≥ start k} (1 + λⱼ v_t (x_t − m)),     w₀ = ½,  w_k = ½ ∕ (k (k+1))
/// ```
/// Capital reserved for later starts detects a change even after years, independent of earlier good performance; if the
/// bets of the kth start detect it, this costs ln 2k(k+1) of evidence.
///
/// Valid if a loss has a mean of at most m given the past; for rows sampled with probability π, if v = c∕π ≤ 1 with a c
/// fixed before their outcomes are known.
///
/// ```
/// use mlloop::stats::betting::Bets;
/// let mut bets = Bets::above(0.2);
/// bets.open();
/// (0..100).for_each(|n| bets.take(f64::from(n % 2), 1.0));
/// assert!(bets.peak() > 1e6, "a loss of .5 is not .2");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bets {
    limit: f64,
    /// Wealth at each stake, over all open bets.
    wealth: [f64; STAKES.len()],
    /// The capital reserved for later starts.
    rest: f64,
    n_starts: u64,
    peak: f64,
}

impl Bets {
    /// No bets yet, against the hypothesis that the mean is at most `limit`, in (0, 1).
    #[must_use]
    pub fn above(limit: f64) -> Self {
        let limit = limit.clamp(1e-9, 1.0 - 1e-9);
        Self { limit, wealth: [0.0; STAKES.len()], rest: 1.0, n_starts: 0, peak: 1.0 }
    }

    /// Starts more bets, independent of the past. Call it at times that do not depend on future losses, such as the
    /// beginning of a week.
    pub fn open(&mut self) {
        let k = self.n_starts as f64;
        let stake = if self.n_starts == 0 { 0.5 } else { 0.5 / (k * (k + 1.0)) };
        self.n_starts += 1;
        self.rest = (self.rest - stake).max(0.0);
        self.wealth.iter_mut().for_each(|wealth| *wealth += stake);
    }

    /// Adds a loss in `[0, 1]` with weight `weight`, above 0 and up to 1.
    pub fn take(&mut self, loss: f64, weight: f64) {
        let gain = weight.clamp(0.0, 1.0) * (loss.clamp(0.0, 1.0) - self.limit) / self.limit;
        for (wealth, stake) in self.wealth.iter_mut().zip(STAKES) {
            // More evidence is not needed; the limit keeps numbers finite.
            *wealth = (*wealth * (1.0 + stake * gain)).min(1e100);
        }
        self.peak = self.peak.max(self.wealth());
    }

    /// The current wealth: an e-value.
    #[must_use]
    pub fn wealth(&self) -> f64 {
        self.rest + self.wealth.iter().sum::<f64>() / STAKES.len() as f64
    }

    /// The largest wealth so far; while the mean is not above the limit, it exceeds 1∕α with probability at most α.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.peak
    }

    /// Whether the mean is shown to be above the limit, at level `alpha`.
    #[must_use]
    pub fn are_won(&self, alpha: f64) -> bool {
        self.peak >= 1.0 / alpha
    }
}

/// The average number of losses that [`Bets`] need to win at level `alpha` against `limit`, after the losses change to
/// mean `mean` and standard deviation `sd`; the change comes after `n_starts` starts. `None` if the mean is not above
/// the limit.
///
/// The best stake gains λδ − λ²(σ² + δ²)∕2 per loss (δ = mean − limit), and must make up for ln(1∕α) and for the
/// capital in other stakes and other starts.
#[must_use]
pub fn losses_needed(limit: f64, mean: f64, sd: f64, alpha: f64, n_starts: u64) -> Option<f64> {
    let delta = mean - limit;
    let spread = sd * sd + delta * delta;
    let gain = |stake: f64| {
        let bet = stake / limit;
        bet * delta - bet * bet * spread / 2.0
    };
    let best = STAKES.iter().map(|&stake| gain(stake)).fold(0.0, f64::max);
    let k = n_starts.max(1) as f64;
    let toll = (1.0 / alpha).ln_portable() + (STAKES.len() as f64).ln_portable() + (2.0 * k * (k + 1.0)).ln_portable();
    (best > 0.0).then(|| toll / best)
}

#[cfg(test)]
#[path = "betting_tests.rs"]
mod tests;
