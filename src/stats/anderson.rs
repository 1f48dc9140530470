//! The Anderson–Darling test of two samples.

use super::pooled::{check, steps};
use super::sample::{Cannot, Measured, Sample};
use crate::stats::portable::Portable;

/// Critical values of the standardised statistic at p = .25 and .001 (table 2 of the reference, two samples).
const CRITICAL: (f64, f64) = (0.325_000_000_000_000_07, 6.546);
/// ln p as a parabola through the table's seven critical values, by least squares.
const LOG_P: [f64; 3] = [-1.077_770_279_820_484, -1.008_226_564_465_251_5, 0.018_198_094_574_111_47];

/// The standardised A² of two samples with mid-ranks for ties, and its p-value, as in scipy's `anderson_ksamp`.
///
/// p is interpolated by a parabola through seven tabulated values and limited to `[.001, .25]` (F. Scholz, M. Stephens,
/// "K-Sample Anderson–Darling Tests", 1987). A negative statistic means that the samples are more similar than by
/// chance.
///
/// # Errors
/// If a sample is empty, all values are equal, or there are fewer than four.
pub fn test(reference: &Sample, current: &Sample) -> Result<Measured, Cannot> {
    check(reference, current)?;
    let (n, m) = (reference.n() as f64, current.n() as f64);
    let total = n + m;
    let (mut below, mut below_n, mut below_m, mut distinct) = (0.0, 0.0, 0.0, 0);
    let (mut sum_n, mut sum_m) = (0.0, 0.0);
    for step in steps(reference, current) {
        let (f, g) = (step.reference as f64, step.current as f64);
        let ties = f + g;
        let b = below + ties / 2.0;
        let spread = b * (total - b) - total * ties / 4.0;
        sum_n += ties / total * (total * (below_n + f / 2.0) - b * n).powi(2) / spread;
        sum_m += ties / total * (total * (below_m + g / 2.0) - b * m).powi(2) / spread;
        below += ties;
        below_n += f;
        below_m += g;
        distinct += 1;
    }
    if distinct < 2 {
        return Err(Cannot::because("all values are equal"));
    }
    if total < 4.0 {
        return Err(Cannot::because("fewer than four values"));
    }
    let raw = (sum_n / n + sum_m / m) * (total - 1.0) / total;
    let statistic = (raw - 1.0) / variance(reference.n() + current.n(), 1.0 / n + 1.0 / m).sqrt();
    let p = if statistic < CRITICAL.0 {
        0.25
    } else if statistic > CRITICAL.1 {
        0.001
    } else {
        (LOG_P[0] + statistic * (LOG_P[1] + statistic * LOG_P[2])).exp_portable()
    };
    Ok(Measured { statistic, p: Some(p) })
}

/// The variance of A² for two samples of `total` values, `inverse` = Σ 1/nᵢ.
fn variance(total: u64, inverse: f64) -> f64 {
    let (mut h, mut g) = (0.0, 0.0);
    for i in 2..total {
        h += 1.0 / (total - i + 1) as f64;
        g += h / i as f64;
    }
    h += 1.0;
    let (k, n) = (2.0, total as f64);
    let a = (4.0 * g - 6.0) * (k - 1.0) + (10.0 - 6.0 * g) * inverse;
    let b = (2.0 * g - 4.0) * k * k + 8.0 * h * k + (2.0 * g - 14.0 * h - 4.0) * inverse - 8.0 * h + 4.0 * g - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * k * k + (4.0 * h - 4.0 * g + 6.0) * k + (2.0 * h - 6.0) * inverse + 4.0 * h;
    let d = (2.0 * h + 6.0) * k * k - 4.0 * h * k;
    (((a * n + b) * n + c) * n + d) / ((n - 1.0) * (n - 2.0) * (n - 3.0))
}
