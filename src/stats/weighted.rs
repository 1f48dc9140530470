//! A population mean from rows drawn with known, unequal probabilities.

use super::normal::wilson;

/// An estimate and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Weighted {
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// Hájek's estimate of a mean: θ̂ = Σ(ℓ∕π) ∕ Σ(1∕π), each row weighted by the reciprocal of its selection probability.
/// The error is that of the linearised estimate under Poisson sampling, √Σ(1−π)((ℓ−θ̂)∕π)² ∕ Σ(1∕π), which is at least
/// that of designs with a fixed number of rows (C.-E. Särndal, B. Swensson, J. Wretman, "Model Assisted Survey
/// Sampling", 1992, 5.7 and 5.9).
///
/// `values` and `probabilities`, in (0, 1], are aligned. `NaN` without rows.
///
/// ```
/// // Half of the rows were drawn with certainty, the others with probability 1/10: (1 + 1 + 10·0) / (1 + 1 + 10)
/// let mean = mlloop::stats::weighted::mean(&[1.0, 1.0, 0.0], &[1.0, 1.0, 0.1]);
/// assert!((mean.value - 1.0 / 6.0).abs() < 1e-12);
/// ```
#[must_use]
pub fn mean(values: &[f64], probabilities: &[f64]) -> Weighted {
    let weights: f64 = probabilities.iter().map(|p| 1.0 / p).sum();
    let value = values.iter().zip(probabilities).map(|(value, p)| value / p).sum::<f64>() / weights;
    let square = |(x, p): (&f64, &f64)| (1.0 - p) * ((x - value) / p).powi(2);
    let error = values.iter().zip(probabilities).map(square).sum::<f64>().sqrt() / weights;
    Weighted { value, error }
}

/// A weighted share with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Share {
    /// The estimate.
    pub value: f64,
    /// Its standard error; 0 if all rows agree, which is not reliable.
    pub error: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The [`mean`] of 0 and 1, and Wilson's interval with the number of rows of a simple random sample with the same
/// standard error; if all rows agree, the number is that of Σ(1−π)∕π² ∕ (Σ1∕π)². There is no uncertainty only if every
/// row was certain to be drawn.
///
/// ```
/// use mlloop::stats::{normal::wilson, weighted::share};
/// let drawn = share(&[1.0; 20], &[0.01; 20]);
/// let simple = wilson(1.0, 20.0 / 0.99);
/// assert!((drawn.low - simple.0).abs() < 1e-12 && drawn.high == 1.0);
/// assert_eq!(share(&[1.0, 1.0], &[1.0, 1.0]).low, 1.0);
/// ```
#[must_use]
pub fn share(values: &[f64], probabilities: &[f64]) -> Share {
    let Weighted { value, error } = mean(values, probabilities);
    let weights: f64 = probabilities.iter().map(|p| 1.0 / p).sum();
    let squares: f64 = probabilities.iter().map(|p| (1.0 - p) / (p * p)).sum();
    let variance = value * (1.0 - value);
    let n = if error > 0.0 { variance / (error * error) } else { weights * weights / squares };
    let (low, high) = if n.is_finite() { wilson(value, n) } else { (value, value) };
    Share { value, error, low: low.clamp(0.0, value), high: high.clamp(value, 1.0) }
}
