//! The normal distribution, to ten digits.

use statrs::distribution::{ContinuousCDF, Normal};

/// P(Z ≤ z) of the standard normal distribution.
///
/// ```
/// // scipy.stats.norm.cdf(1.96)
/// assert!((mlloop::stats::normal::cdf(1.96) - 0.9750021048517795).abs() < 1e-10);
/// ```
#[must_use]
pub fn cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The z below which a share `p` of the standard normal distribution lies, for `p` in (0, 1).
///
/// ```
/// // scipy.stats.norm.ppf(0.975)
/// assert!((mlloop::stats::normal::quantile(0.975) - 1.959963984540054).abs() < 1e-9);
/// ```
#[must_use]
pub fn quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// The two-sided p-value of `z`: P(|Z| ≥ |z|).
///
/// ```
/// // 2 * scipy.stats.norm.sf(2.5)
/// assert!((mlloop::stats::normal::two_sided_p(-2.5) - 0.012419330651552265).abs() < 1e-10);
/// ```
#[must_use]
pub fn two_sided_p(z: f64) -> f64 {
    2.0 * Normal::standard().sf(z.abs())
}

/// Wilson's 95 % score interval of a share `p` seen among `n` (n may be an effective number).
///
/// Stays inside [0, 1] and is not empty at p = 0 or 1 (E. Wilson, "Probable Inference, the Law of Succession, and
/// Statistical Inference", 1927). `NaN` when `n` is 0.
///
/// ```
/// // statsmodels proportion_confint(8, 10, method="wilson")
/// let (low, high) = mlloop::stats::normal::wilson(0.8, 10.0);
/// assert!((low - 0.4901624715).abs() < 1e-9 && (high - 0.9433178485).abs() < 1e-9);
/// ```
#[must_use]
pub fn wilson(p: f64, n: f64) -> (f64, f64) {
    let z = quantile(0.975);
    let z2 = z * z / n;
    let centre = (p + z2 / 2.0) / (1.0 + z2);
    let half = z * (p * (1.0 - p) / n + z2 / (4.0 * n)).sqrt() / (1.0 + z2);
    (centre - half, centre + half)
}
