//! Evidence that may be looked at at any time: test martingales.
//!
//! An e-value is a number ≥ 0 whose expectation is at most 1 while the hypothesis holds. Of one stream of observations it
//! ever reaches 1∕α with probability α at most, however often one looks (Ville 1939; V. Vovk and R. Wang, "E-values:
//! Calibration, combination and applications", 2021).

use statrs::function::beta::{beta_reg, ln_beta};

/// The logarithm of the e-value against "the share of successes is at least `least`", after `n` observations with
/// `successes` of them.
///
/// A likelihood ratio, averaged over all smaller shares p alike:
///
/// ```text
/// E = 1/p₀ ∫₀^p₀ (p/p₀)ᵏ ((1−p)/(1−p₀))ⁿ⁻ᵏ dp = B(k+1, n−k+1) · I_p₀(k+1, n−k+1) ∕ (p₀ᵏ⁺¹ (1−p₀)ⁿ⁻ᵏ)
/// ```
/// `n` and `successes` need not be whole: rows of uneven weight count as what they say. −∞ where nothing speaks against
/// the hypothesis, and 0 without observations.
///
/// ```
/// let log_e = mlloop::stats::betting::share_below(120.0, 200.0, 0.75);
/// assert!((log_e - 8.663_298_457).abs() < 1e-6, "{log_e}");
/// ```
#[must_use]
pub fn share_below(successes: f64, n: f64, least: f64) -> f64 {
    let (k, p) = (successes.clamp(0.0, n), least.clamp(1e-12, 1.0 - 1e-12));
    let (a, b) = (k + 1.0, n - k + 1.0);
    ln_beta(a, b) + beta_reg(a, b, p).ln() - a * p.ln() - (n - k) * (-p).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::rng;
    use rand::Rng;

    #[test]
    fn nothing_speaks_against_a_share_that_is_as_high_or_was_not_looked_at() {
        assert!(share_below(0.0, 0.0, 0.7).abs() < 1e-9);
        assert!(share_below(80.0, 100.0, 0.7) < 0.0);
        assert!(share_below(5e5, 1e6, 0.7) > 1000.0);
        // All of them succeeded: E = 1/(n+1) whatever the hypothesis.
        assert!((share_below(100.0, 100.0, 1e-3) + 101_f64.ln()).abs() < 1e-9);
    }

    /// The expectation of the e-value under the hypothesis, summed over the whole distribution.
    #[test]
    fn its_expectation_is_one_at_the_edge_and_less_within() {
        for n in [1_u32, 7, 50] {
            for (least, truth) in [(0.7, 0.7), (0.7, 0.8), (0.05, 0.05), (0.99, 0.99)] {
                let (n, p): (f64, f64) = (f64::from(n), truth);
                let mut choose = 0.0; // ln C(n, k)
                let mut expected = 0.0;
                for k in 0..=n as u32 {
                    let k = f64::from(k);
                    let log_p = choose + k * p.ln() + (n - k) * (1.0 - p).ln();
                    expected += (log_p + share_below(k, n, least)).exp();
                    choose += ((n - k) / (k + 1.0)).ln();
                }
                assert!(expected < 1.0 + 1e-9, "{n} {least} {truth}: {expected}");
                assert!(least != truth || expected > 1.0 - 1e-9, "{n} {least}: {expected}");
            }
        }
    }

    /// Five years of weekly looks at everything that is known by then.
    #[test]
    fn looking_every_week_does_not_add_up() {
        let mut rng = rng(7, "share below");
        let crossed = |rng: &mut rand_xoshiro::Xoshiro256PlusPlus| {
            let mut k = 0.0;
            (1..=260).any(|week| {
                k += f64::from((0..20).filter(|_| rng.r#gen::<f64>() < 0.7).count() as u32);
                share_below(k, f64::from(week * 20), 0.7) >= 20_f64.ln()
            })
        };
        let n = (0..400).filter(|_| crossed(&mut rng)).count();
        assert!(n <= 32, "{n} of 400 at a level of .05");
        assert!(n >= 2, "{n} of 400: no evidence at all is no test");
    }
}
