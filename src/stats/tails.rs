//! Tails of distributions and logarithms of counts.

use crate::stats::normal;
use crate::stats::portable::Portable;
use crate::stats::special::{beta_regularised, gamma_upper, ln_beta, ln_gamma};

/// P(X ≥ `statistic`) of the χ² distribution; 1 at or below 0, 0 at infinity, `NaN` without degrees of freedom.
///
/// ```
/// // scipy.stats.chi2.sf(7.81, 3)
/// assert!((mlloop::stats::tails::chi_squared(7.81, 3.0) - 0.05010605635000589).abs() < 1e-12);
/// ```
#[must_use]
pub fn chi_squared(statistic: f64, freedom: f64) -> f64 {
    if statistic.is_nan() || freedom <= 0.0 {
        return f64::NAN;
    }
    if statistic <= 0.0 {
        return 1.0;
    }
    if statistic.is_infinite() {
        return 0.0;
    }
    gamma_upper(freedom / 2.0, statistic / 2.0).clamp(0.0, 1.0)
}

/// The value that χ² with `freedom` degrees exceeds with probability `alpha`; `NaN` outside its domain.
///
/// ```
/// // scipy.stats.chi2.isf(0.05, 9)
/// assert!((mlloop::stats::tails::chi_squared_above(0.05, 9.0) - 16.918977604620448).abs() < 1e-8);
/// ```
#[must_use]
pub fn chi_squared_above(alpha: f64, freedom: f64) -> f64 {
    if freedom.is_nan() || freedom <= 0.0 || !(0.0..=1.0).contains(&alpha) {
        return f64::NAN;
    }
    exceeded(alpha, freedom, |value| chi_squared(value, freedom), |_| 0.0)
}

/// The two-sided p-value of Student's t; `NaN` if `t` is `NaN` or without degrees of freedom.
///
/// ```
/// // 2 * scipy.stats.t.sf(2.1, 12)
/// assert!((mlloop::stats::tails::student(-2.1, 12.0) - 0.057544938734951125).abs() < 1e-9);
/// ```
#[must_use]
pub fn student(t: f64, freedom: f64) -> f64 {
    if t.is_nan() {
        return f64::NAN;
    }
    if t.is_infinite() {
        return 0.0;
    }
    if freedom.is_nan() || freedom <= 0.0 {
        return f64::NAN;
    }
    if freedom.is_infinite() {
        return normal::two_sided_p(t);
    }
    beta_regularised(freedom / 2.0, 0.5, freedom / (freedom + t * t)).min(1.0)
}

/// The value that |t| exceeds with probability `alpha`; `NaN` outside its domain.
///
/// ```
/// // scipy.stats.t.ppf(0.975, 5)
/// assert!((mlloop::stats::tails::student_above(0.05, 5.0) - 2.5705818356363146).abs() < 1e-9);
/// ```
#[must_use]
pub fn student_above(alpha: f64, freedom: f64) -> f64 {
    if freedom.is_nan() || freedom <= 0.0 || !(0.0..=1.0).contains(&alpha) {
        return f64::NAN;
    }
    if freedom.is_infinite() {
        return normal::quantile(1.0 - alpha / 2.0);
    }
    // Density of |t| is 2 ∕ (√ν B(ν∕2, ½)) (1 + t²∕ν)^(−(ν+1)∕2).
    let front = (-ln_beta(freedom / 2.0, 0.5)).exp_portable() * 2.0 / freedom.sqrt();
    let density = |t: f64| front * (-(freedom + 1.0) / 2.0 * (t * t / freedom).ln_1p_portable()).exp_portable();
    exceeded(alpha, 1.0, |t| student(t, freedom), density)
}

/// The non-negative value that is exceeded with probability `alpha`, by Newton steps within a bracket narrowed by
/// bisection; without a density by bisection alone. Infinite if `alpha` is 0.
fn exceeded(alpha: f64, from: f64, tail: impl Fn(f64) -> f64, density: impl Fn(f64) -> f64) -> f64 {
    if alpha <= 0.0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0, from);
    while tail(high) > alpha {
        (low, high) = (high, 2.0 * high);
    }
    let mut value = f64::midpoint(low, high);
    for _ in 0..200 {
        let above = tail(value) - alpha;
        if above > 0.0 {
            low = value
        } else {
            high = value
        }
        let step = value + above / density(value);
        let next = if step > low && step < high { step } else { f64::midpoint(low, high) };
        if (next - value).abs() <= f64::EPSILON * value {
            return next;
        }
        value = next;
    }
    value
}

/// ln of the number of ways to choose `k` of `n`.
#[must_use]
pub fn ln_choose(n: u64, k: u64) -> f64 {
    ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0)
}

/// ln n! − ln(√(2πn) (n/e)ⁿ), Stirling's remainder, for n ≥ 1.
fn stirling_rest(n: f64) -> f64 {
    if n < 16.0 {
        return ln_gamma(n + 1.0) - (n + 0.5) * n.ln_portable() + n - 0.5 * (2.0 * std::f64::consts::PI).ln_portable();
    }
    let n2 = n * n;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / (1188.0 * n2)) / n2) / n2) / n2) / n
}

/// x ln(x/m) + m − x without cancellation when x is near m.
fn deviance(x: f64, m: f64) -> f64 {
    let gap = (x - m) / (x + m);
    if gap.abs() >= 0.1 {
        return x * (x / m).ln_portable() + m - x;
    }
    let mut total = (x - m) * gap;
    let (mut term, square) = (2.0 * x * gap, gap * gap);
    for j in 1..100 {
        term *= square;
        let next = total + term / f64::from(2 * j + 1);
        if next == total {
            break;
        }
        total = next;
    }
    total
}

/// P(X = k) of the binomial distribution in Loader's saddle-point form, which stays precise for large n
/// (C. Loader, "Fast and Accurate Computation of Binomial Probabilities", 2000).
///
/// ```
/// // scipy.stats.binom.pmf(40, 100, 0.5)
/// assert!((mlloop::stats::tails::binomial(40.0, 100.0, 0.5) - 0.010843866711638).abs() < 1e-12);
/// ```
#[must_use]
pub fn binomial(k: f64, n: f64, p: f64) -> f64 {
    if k <= 0.0 {
        return (n * (-p).ln_1p_portable()).exp_portable();
    }
    if k >= n {
        return p.powf_portable(n);
    }
    saddle(k, n, p).exp_portable() * (n / (2.0 * std::f64::consts::PI * k * (n - k))).sqrt()
}

/// The exponent of Loader's form.
fn saddle(k: f64, n: f64, p: f64) -> f64 {
    let rest = stirling_rest(n) - stirling_rest(k) - stirling_rest(n - k);
    rest - deviance(k, n * p) - deviance(n - k, n * (1.0 - p))
}

/// ln of [`binomial`], which does not underflow.
fn ln_binomial(k: f64, n: f64, p: f64) -> f64 {
    if k <= 0.0 {
        return n * (-p).ln_1p_portable();
    }
    if k >= n {
        return n * p.ln_portable();
    }
    saddle(k, n, p) + 0.5 * (n / (2.0 * std::f64::consts::PI * k * (n - k))).ln_portable()
}

/// ln of the probability that exactly `drawn` of `marked` rows are among `draws` rows drawn at random from `all`;
/// `drawn` must be possible. In Loader's form, which stays precise for a billion rows.
///
/// ```
/// // ln (C(1000, 20) / C(1001000, 20))
/// let p = mlloop::stats::tails::ln_hypergeometric(1_001_000, 20, 1000, 20);
/// assert!((p - -138.36615295073434).abs() < 1e-9, "{p}");
/// ```
#[must_use]
pub fn ln_hypergeometric(all: u64, marked: u64, draws: u64, drawn: u64) -> f64 {
    let (n, t, m, c) = (all as f64, marked as f64, draws as f64, drawn as f64);
    if draws == 0 || draws == all {
        return 0.0;
    }
    let share = m / n;
    ln_binomial(c, t, share) + ln_binomial(m - c, n - t, share) - ln_binomial(m, n, share)
}
