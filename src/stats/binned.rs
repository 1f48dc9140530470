//! Binning of numbers as in Evidently, and distances between the bins.

use super::pooled::{check, distinct, steps};
use super::sample::{Cannot, Measured, Sample};
use super::shares;
use crate::stats::portable::Portable;

/// If the reference has more distinct values than this, values are binned.
const LEVELS: usize = 20;

/// Edges of equal bins by Sturges' rule, width = range/(log₂ n + 1), for `n` values from `first` to `last` (numpy
/// `histogram_bin_edges`); bins of whole numbers are at least 1 wide, and a single value gets a bin of width 1.
///
/// # Errors
/// If the range is so narrow, or so wide, that the edges are not distinct numbers.
pub fn sturges(first: f64, last: f64, n: usize, integer: bool) -> Result<Vec<f64>, Cannot> {
    let (first, last, width) = if first == last {
        (first - 0.5, last + 0.5, 0.0)
    } else {
        (first, last, (last - first) / ((n as f64).log2_portable() + 1.0))
    };
    let width = if integer && width > 0.0 { width.max(1.0) } else { width };
    let span = last - first;
    let bins = if width > 0.0 { (span / width).ceil() } else { 1.0 };
    let step = span / bins;
    if !step.is_finite() {
        return Err(Cannot::because("the values are too far apart to be binned"));
    }
    let mut edges: Vec<f64> = (0..=bins as usize).map(|i| i as f64 * step + first).collect();
    if let Some(end) = edges.last_mut() {
        *end = last;
    }
    if edges.windows(2).any(|w| w[0] >= w[1]) {
        return Err(Cannot::because("the values are too close together to be binned"));
    }
    Ok(edges)
}

/// Counts in bins that include their lower edge, the last one both edges; values outside are ignored.
#[must_use]
pub fn histogram(sample: &Sample, edges: &[f64]) -> Vec<u64> {
    let last = edges.len().saturating_sub(2);
    let mut counts = vec![0; edges.len().saturating_sub(1)];
    for (&value, &count) in sample.values().iter().zip(sample.counts()) {
        let above = edges.partition_point(|&edge| edge <= value);
        if above > 0 && (above < edges.len() || edges.last() == Some(&value)) {
            counts[(above - 1).min(last)] += count;
        }
    }
    counts
}

/// The common range of both samples.
fn range(reference: &Sample, current: &Sample) -> (f64, f64) {
    let low = reference.values().iter().chain(current.values()).copied().fold(f64::INFINITY, f64::min);
    let high = reference.values().iter().chain(current.values()).copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

/// Counts of both samples in the bins of `psi`, `kl_div` and `jensenshannon`: Sturges' bins over all values if the
/// reference has more than 20 distinct ones, otherwise one bin per distinct value of either sample.
///
/// # Errors
/// If a sample is empty, or its values cannot be binned.
pub fn counts(reference: &Sample, current: &Sample, integer: bool) -> Result<(Vec<u64>, Vec<u64>), Cannot> {
    check(reference, current)?;
    if reference.values().len() <= LEVELS {
        return Ok(steps(reference, current).map(|s| (s.reference, s.current)).unzip());
    }
    let (low, high) = range(reference, current);
    let edges = sturges(low, high, (reference.n() + current.n()) as usize, integer)?;
    Ok((histogram(reference, &edges), histogram(current, &edges)))
}

/// [`shares::psi`] of binned numbers.
///
/// # Errors
/// As [`counts`].
pub fn psi(reference: &Sample, current: &Sample, integer: bool) -> Result<Measured, Cannot> {
    let (p, q) = counts(reference, current, integer)?;
    shares::psi(&p, &q)
}

/// [`shares::kl_div`] of binned numbers.
///
/// # Errors
/// As [`counts`].
pub fn kl_div(reference: &Sample, current: &Sample, integer: bool) -> Result<Measured, Cannot> {
    let (p, q) = counts(reference, current, integer)?;
    shares::kl_div(&p, &q)
}

/// [`shares::jensen_shannon`] of binned numbers.
///
/// # Errors
/// As [`counts`].
pub fn jensen_shannon(reference: &Sample, current: &Sample, integer: bool) -> Result<Measured, Cannot> {
    let (p, q) = counts(reference, current, integer)?;
    shares::jensen_shannon(&p, &q)
}

/// Hellinger's distance of densities over Sturges' bins for the **distinct** values of both samples, √(1 − Σ√(fg)·width).
///
/// The sum is computed term by term as in Evidently, because rounding errors show in the root of a small difference.
///
/// # Errors
/// If a sample is empty, or its values cannot be binned.
pub fn hellinger(reference: &Sample, current: &Sample, integer: bool) -> Result<Measured, Cannot> {
    check(reference, current)?;
    let (low, high) = range(reference, current);
    let edges = sturges(low, high, distinct(reference, current), integer)?;
    let (n, m) = (reference.n() as f64, current.n() as f64);
    let bins = edges.len() - 1;
    let width = (edges[bins] - edges[0]) / bins as f64;
    let (f, g) = (histogram(reference, &edges), histogram(current, &edges));
    let mut alike = 0.0;
    for i in 0..bins {
        let wide = edges[i + 1] - edges[i];
        alike += ((f[i] as f64 / wide / n) * (g[i] as f64 / wide / m)).sqrt() * width;
    }
    if alike.is_nan() {
        return Err(Cannot::because("the values are too far apart to be binned"));
    }
    Ok(Measured { statistic: (1.0 - alike.clamp(0.0, 1.0)).sqrt(), p: None })
}
