//! Distances between two samples of numbers by the area between their distribution functions.

use super::pooled::{check, mean_and_squares, steps};
use super::sample::{Cannot, Measured, Sample};

/// ∫ |F − G|ᵖ dx, in one pass over both samples.
fn area<const POWER: i32>(reference: &Sample, current: &Sample) -> f64 {
    let (n, m) = (reference.n() as f64, current.n() as f64);
    let (mut f, mut g, mut total) = (0, 0, 0.0);
    let mut last: Option<f64> = None;
    for step in steps(reference, current) {
        if let Some(last) = last {
            total += (f as f64 / n - g as f64 / m).abs().powi(POWER) * (step.value - last);
        }
        f += step.reference;
        g += step.current;
        last = Some(step.value);
    }
    total
}

/// Wasserstein's distance of order 1, ∫ |F − G| dx, in the units of the column (scipy `wasserstein_distance`).
///
/// # Errors
/// If a sample is empty.
pub fn wasserstein_raw(reference: &Sample, current: &Sample) -> Result<f64, Cannot> {
    check(reference, current)?;
    Ok(area::<1>(reference, current))
}

/// Wasserstein's distance over max(σ of the reference, 0.001), σ with denominator n, as in Evidently.
///
/// ```
/// use mlloop::stats::{distances, sample::Sample};
/// let a = Sample::from_values(vec![0.0, 2.0]);
/// let b = Sample::from_values(vec![1.0, 3.0]);
/// assert_eq!(distances::wasserstein(&a, &b).unwrap().statistic, 1.0);
/// ```
///
/// # Errors
/// If a sample is empty, or sums overflow.
pub fn wasserstein(reference: &Sample, current: &Sample) -> Result<Measured, Cannot> {
    let raw = wasserstein_raw(reference, current)?;
    let (_, squares) = mean_and_squares(reference);
    let deviation = (squares / reference.n() as f64).sqrt();
    // Dividing a finite distance by an infinite deviation would give 0.
    if deviation.is_finite() { finite(raw / deviation.max(0.001)) } else { finite(deviation) }
}

/// The energy distance √(2 ∫ (F − G)² dx), in the square root of the column's units (G. Székely, M. Rizzo, "Energy
/// Statistics", 2013; scipy `energy_distance`).
///
/// # Errors
/// If a sample is empty.
pub fn energy(reference: &Sample, current: &Sample) -> Result<Measured, Cannot> {
    check(reference, current)?;
    finite((2.0_f64).sqrt() * area::<2>(reference, current).sqrt())
}

fn finite(statistic: f64) -> Result<Measured, Cannot> {
    if statistic.is_finite() {
        Ok(Measured { statistic, p: None })
    } else {
        Err(Cannot::because("the values are too large to be measured"))
    }
}
