//! The gamma and beta functions, by [`Portable`] alone: the same bits on every system.

use crate::stats::portable::Portable;

/// What changes a series or a fraction by no more than this share is left out.
const STEP: f64 = f64::EPSILON;
/// Steps until a series or a fraction is given up as it is; a million degrees of freedom take some thousand.
const MAX_STEPS: u32 = 1_000_000;
/// Stands for 0 where a fraction is divided by it.
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

/// The upper regularised incomplete gamma function Q(a, x), for a above 0 and x from 0 on: by its series up to x = a + 1, by
/// its continued fraction beyond (W. Press and others, "Numerical Recipes", 6.2).
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

/// The regularised incomplete beta function Iₓ(a, b), for a and b above 0 and x from 0 to 1: by its continued fraction, on the
/// side where that converges fast (Numerical Recipes, 6.4).
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

/// [`beta_regularised`] for an `x` that is not above the mean.
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

/// The continued fraction b₀ + a₁/(b₁ + a₂/(b₂ + …)), `term(k)` being (aₖ, bₖ), by Lentz's method.
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
