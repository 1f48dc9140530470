//! The maximum mean discrepancy of two samples of numbers.

use crate::stats::portable::Portable;
use rand::seq::index;

use super::pooled::check;
use super::random::rng;
use super::sample::{Cannot, Measured, Sample};

/// Maximum number of rows in both samples together: more would take too much memory and time.
const MOST_ROWS: u64 = 4000;
/// Number of permutations.
const DEALS: u32 = 100;

/// The unbiased squared discrepancy with a Gaussian kernel, exp(−d²/(2σ²)), and its permutation p-value,
/// (1 + permutations at least as large)/(1 + 100) (A. Gretton et al., "A Kernel Two-Sample Test", 2012).
///
/// σ² is half of the median squared distance within the reference, including each row with itself, or ½ if that is 0.
/// The discrepancy may be negative. The same `seed` gives the same p.
///
/// # Errors
/// If a sample has fewer than two values, or both together have more than 4000.
pub fn test(reference: &Sample, current: &Sample, seed: u64) -> Result<Measured, Cannot> {
    check(reference, current)?;
    let (n, m) = (reference.n(), current.n());
    if n < 2 || m < 2 {
        return Err(Cannot::because("each sample needs at least two values"));
    }
    if n + m > MOST_ROWS {
        return Err(Cannot::because(format!("it compares every pair of rows: {} rows are too many", n + m)));
    }
    let (n, m) = (n as usize, m as usize);
    let rows: Vec<f64> = [reference, current].iter().flat_map(|s| expand(s)).collect();
    let gamma = 1.0 / (2.0 * variance(&rows[..n]));
    let total_rows = n + m;
    let mut kernel = vec![0.0; total_rows * total_rows];
    for i in 0..total_rows {
        for j in 0..i {
            let k = (-gamma * squared(rows[i], rows[j])).exp_portable();
            kernel[i * total_rows + j] = k;
            kernel[j * total_rows + i] = k;
        }
    }
    let row_sums: Vec<f64> = kernel.chunks(total_rows).map(|row| row.iter().sum()).collect();
    let total: f64 = row_sums.iter().sum();
    // `group` is one side, `size` its number of rows; the other side follows from the row sums.
    let discrepancy = |group: &[usize]| {
        let inside: f64 = group.iter().map(|&i| group.iter().map(|&j| kernel[i * total_rows + j]).sum::<f64>()).sum();
        let touching: f64 = group.iter().map(|&i| row_sums[i]).sum();
        let (size, other) = (group.len() as f64, (total_rows - group.len()) as f64);
        let across = touching - inside;
        inside / (size * (size - 1.0)) + (total - 2.0 * touching + inside) / (other * (other - 1.0))
            - 2.0 * across / (size * other)
    };
    let smaller: Vec<usize> = if n <= m { (0..n).collect() } else { (n..total_rows).collect() };
    let statistic = discrepancy(&smaller);
    let mut random = rng(seed, "mmd");
    let as_large = (0..DEALS)
        .filter(|_| {
            let dealt = index::sample(&mut random, total_rows, smaller.len()).into_vec();
            discrepancy(&dealt) >= statistic - 1e-12
        })
        .count();
    if !statistic.is_finite() {
        return Err(Cannot::because("the values are too far apart to be measured"));
    }
    Ok(Measured { statistic, p: Some((1 + as_large) as f64 / f64::from(1 + DEALS)) })
}

fn expand(sample: &Sample) -> impl Iterator<Item = f64> + '_ {
    sample.values().iter().zip(sample.counts()).flat_map(|(&v, &c)| std::iter::repeat_n(v, c as usize))
}

/// (x − y)², expanded as in Evidently; this matters for values with a large offset.
fn squared(x: f64, y: f64) -> f64 {
    y * y - 2.0 * (x * y) + x * x
}

/// Half of the median of all squared distances: the nearest rank, with halves rounded to even.
fn variance(rows: &[f64]) -> f64 {
    let mut all: Vec<f64> = rows.iter().flat_map(|&x| rows.iter().map(move |&y| squared(x, y))).collect();
    let middle = ((all.len() - 1) as f64 / 2.0).round_ties_even() as usize;
    let (_, median, _) = all.select_nth_unstable_by(middle, f64::total_cmp);
    let half = 0.5 * *median;
    if half == 0.0 { 0.5 } else { half }
}
