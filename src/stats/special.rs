//! The gamma and beta functions, computed with [`Portable`] functions only: the same bits on every system.

use crate::stats::portable::Portable;

/// A series or a fraction stops below this relative change.
const STEP: f64 = f64::EPSILON;
/// Maximum number of steps of a series or a fraction; a million degrees of freedom take some thousand.
const MAX_STEPS: u32 = 1_000_000;
/// Replaces 0 where a fraction would be divided by it.
const TINY: f64 = 1e-300;

/// ln |Γ(x)|.
///
/// ```
/// // scipy.special.gammaln(7.5)
/// assert!((mlloop::stats::special::ln_gamma(7.5) - 7.534364236758733).abs() < 1e-13);
/// ```
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ln B(a, b), for a and b above 0.
///
/// ```
/// // scipy.special.betaln(2.5, 40)
/// assert!((mlloop::stats::special::ln_beta(2.5, 40.0) - -8.983627339298152).abs() < 1e-12);
/// ```
#[must_use]
pub fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// erfc(x) = 1 − erf(x).
#[must_use]
pub fn erfc(x: f64) -> f64 {
    libm::erfc(x)
}

/// The upper regularised incomplete gamma function Q(a, x), for a > 0 and x ≥ 0: by its series up to x = a + 1, beyond
/// that by its continued fraction (W. Press and others, "Numerical Recipes", 6.2).
///
/// ```
/// // scipy.special.gammaincc([1.5, 50], [3.905, 30])
/// assert!((mlloop::stats::special::gamma_upper(1.5, 3.905) - 0.05010605635000589).abs() < 1e-13);
/// assert!((mlloop::stats::special::gamma_upper(50.0, 30.0) - 0.999481108537452).abs() < 1e-13);
/// ```
#[must_use]
pub fn gamma_upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln_portable() - x - ln_gamma(a)).exp_portable();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for k in 1..MAX_STEPS {
            term *= x / (a + f64::from(k));
            sum += term;
            if term <= sum * STEP {
                break;
            }
        }
        return 1.0 - front * sum;
    }
    let term = |k: u32| (f64::from(k) * (a - f64::from(k)), x + 1.0 - a + 2.0 * f64::from(k));
    front / fraction(x + 1.0 - a, term)
}

/// The regularised incomplete beta function Iₓ(a, b), for a > 0, b > 0 and x from 0 to 1: by its continued fraction, on
/// the side where that converges fast (Numerical Recipes, 6.4).
///
/// ```
/// // scipy.special.betainc([2, 6], [5, 0.5], [0.2, 0.7])
/// assert!((mlloop::stats::special::beta_regularised(2.0, 5.0, 0.2) - 0.34464).abs() < 1e-13);
/// assert!((mlloop::stats::special::beta_regularised(6.0, 0.5, 0.7) - 0.042607906305184434).abs() < 1e-13);
/// ```
#[must_use]
pub fn beta_regularised(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_regularised_near(b, a, 1.0 - x);
    }
    beta_regularised_near(a, b, x)
}

/// [`beta_regularised`] for an `x` not above the mean.
fn beta_regularised_near(a: f64, b: f64, x: f64) -> f64 {
    let front = (a * x.ln_portable() + b * (-x).ln_1p_portable() - ln_beta(a, b)).exp_portable() / a;
    let term = |k: u32| {
        let m = f64::from(k / 2);
        let factor = match k % 2 {
            0 => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            _ => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        };
        (factor, 1.0)
    };
    front / fraction(1.0, term)
}

/// The continued fraction b₀ + a₁/(b₁ + a₂/(b₂ + …)), where `term(k)` is (aₖ, bₖ), by Lentz's method.
fn fraction(first: f64, term: impl Fn(u32) -> (f64, f64)) -> f64 {
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut value = not_zero(first);
    let (mut above, mut below) = (value, 0.0);
    for k in 1..MAX_STEPS {
        let (a, b) = term(k);
        below = 1.0 / not_zero(b + a * below);
        above = not_zero(b + a / above);
        let change = above * below;
        value *= change;
        if (change - 1.0).abs() <= STEP {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{normal, tails};
    use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
    use statrs::function::{beta, erf, gamma};

    /// Compared with another implementation, `statrs`, whose last bits depend on the system's C library.
    fn close(what: &str, found: f64, expected: f64, share: f64) {
        let apart = (found - expected).abs() / expected.abs().max(1e-290);
        assert!(apart < share, "{what}: {found:e} {expected:e}");
    }

    #[test]
    fn gamma_and_beta_functions_are_those_of_statrs() {
        for a in [0.5, 1.0, 1.5, 4.0, 25.0, 300.0] {
            close("ln_gamma", ln_gamma(a + 0.25), gamma::ln_gamma(a + 0.25), 1e-11);
            for times in [0.01, 0.3, 0.9, 1.0, 1.1, 2.0, 4.0] {
                let x = a * times;
                close(&format!("gamma_upper({a}, {x})"), gamma_upper(a, x), gamma::gamma_ur(a, x), 1e-9);
            }
            for b in [0.5, 1.0, 3.5, 60.0] {
                for x in [1e-6, 0.02, 0.3, 0.5, 0.8, 0.999] {
                    close(&format!("beta({a}, {b}, {x})"), beta_regularised(a, b, x), beta::beta_reg(a, b, x), 1e-9);
                }
            }
        }
    }

    #[test]
    fn tails_and_quantiles_are_those_of_statrs() {
        let standard = Normal::standard();
        for p in [1e-12, 1e-6, 0.001, 0.025, 0.3, 0.5, 0.8, 0.999] {
            let z = normal::quantile(p);
            assert!((z - standard.inverse_cdf(p)).abs() < 1e-8, "{p}: {z}");
            close("erfc", erfc(z), erf::erfc(z), 1e-9);
        }
        for freedom in [1.0, 2.0, 7.5, 40.0, 5000.0] {
            let of = StudentsT::new(0.0, 1.0, freedom).unwrap();
            for t in [0.1, 1.0, 2.5, 6.0] {
                close(&format!("t {t}, {freedom}"), tails::student(t, freedom), 2.0 * of.cdf(-t), 1e-9);
            }
        }
    }
}
