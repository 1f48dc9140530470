//! A mean over a population from rows that were drawn with known, unequal probabilities.

/// An estimate and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Weighted {
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// Hájek's estimate of a mean: θ̂ = Σ(ℓ∕π) ∕ Σ(1∕π), each row weighing the reciprocal of the probability with which it
/// was drawn. The error is that of the linearised estimate under Poisson sampling, √Σ(1−π)((ℓ−θ̂)∕π)² ∕ Σ(1∕π), which is
/// no less than that of designs with a fixed number of rows (C.-E. Särndal, B. Swensson, J. Wretman, "Model Assisted
/// Survey Sampling", 1992, 5.7 and 5.9).
///
/// `values` and `probabilities`, in (0, 1], are aligned. `NaN` without rows.
///
/// ```
/// // Half of the rows were drawn surely, the others with probability 1/10: (1 + 1 + 10·0) / (1 + 1 + 10)
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
