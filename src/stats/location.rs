//! Tests of whether one sample is higher than another.

use super::normal;
use super::pooled::{check, mean_and_squares, steps};
use super::sample::{Cannot, Measured, Sample};
use super::tails::{ln_choose, student};

/// Student's t of two means with a common variance, two-sided (scipy `ttest_ind`).
///
/// t = (x̄ − ȳ) / √(s² (1/n + 1/m)), where s² is the pooled variance, with n + m − 2 degrees of freedom. Two different
/// constants have t = ±∞ and p = 0.
///
/// # Errors
/// If a sample is empty, there are fewer than three values, all values are equal, or their squares overflow.
pub fn t_test(reference: &Sample, current: &Sample) -> Result<Measured, Cannot> {
    check(reference, current)?;
    let (n, m) = (reference.n() as f64, current.n() as f64);
    if n + m < 3.0 {
        return Err(Cannot::because("fewer than three values"));
    }
    let ((mean_n, squares_n), (mean_m, squares_m)) = (mean_and_squares(reference), mean_and_squares(current));
    let freedom = n + m - 2.0;
    let error = ((squares_n + squares_m) / freedom * (1.0 / n + 1.0 / m)).sqrt();
    if !(error.is_finite() && mean_n.is_finite() && mean_m.is_finite()) {
        return Err(Cannot::because("the values are too large to be measured"));
    }
    let t = (mean_n - mean_m) / error;
    if t.is_nan() {
        return Err(Cannot::because("all values are equal"));
    }
    Ok(Measured { statistic: t, p: Some(student(t, freedom)) })
}

/// Mann and Whitney's U of the reference, and its one-sided p-value: the alternative is that the **reference is lower**
/// (scipy `mannwhitneyu`, `alternative="less"`, as in Evidently).
///
/// Exact if a sample has at most 8 values and there are no ties; otherwise a normal approximation with continuity
/// correction and a variance corrected for ties; p = 1 if all values are equal (H. Mann, D. Whitney, "On a Test of
/// Whether One of Two Random Variables Is Stochastically Larger than the Other", 1947).
///
/// # Errors
/// If a sample is empty.
pub fn mann_whitney(reference: &Sample, current: &Sample) -> Result<Measured, Cannot> {
    check(reference, current)?;
    let (n, m) = (reference.n(), current.n());
    // Twice U: pairs in which the reference is higher count 2, ties 1.
    let (mut twice, mut below, mut tied, mut ties) = (0_u128, 0_u128, 0.0, false);
    for step in steps(reference, current) {
        twice += u128::from(step.reference) * (2 * below + u128::from(step.current));
        below += u128::from(step.current);
        let t = (step.reference + step.current) as f64;
        ties |= t > 1.0;
        tied += t * t * t - t;
    }
    let u = twice as f64 / 2.0;
    let p = if n.min(m) <= 8 && !ties { exact(n.min(m), n.max(m), (twice / 2) as u64) } else { None };
    let p = p.unwrap_or_else(|| {
        let (n, m) = (n as f64, m as f64);
        let total = n + m;
        let variance = n * m / 12.0 * ((total + 1.0) - tied / (total * (total - 1.0)));
        let z = (n * m - u - n * m / 2.0 - 0.5) / variance.max(0.0).sqrt();
        normal::cdf(-z)
    });
    Ok(Measured { statistic: u, p: Some(p.clamp(0.0, 1.0)) })
}

/// P(U ≤ u) without ties, by counting; `None` if the counts exceed 128 bits.
fn exact(n: u64, m: u64, u: u64) -> Option<f64> {
    let mirrored = u > n * m / 2;
    let last = if mirrored { n * m - u } else { u };
    if ln_choose(n + m, n) > 80.0 || last > 10_000_000 {
        return None;
    }
    // The Gaussian binomial coefficient Π (1 − qᵐ⁺ⁱ)/(1 − qⁱ), up to the power needed.
    let mut ways = vec![0_u128; last as usize + 1];
    ways[0] = 1;
    for i in 1..=n as usize {
        let apart = m as usize + i;
        for at in (apart..ways.len()).rev() {
            ways[at] = ways[at].wrapping_sub(ways[at - apart]);
        }
        for at in i..ways.len() {
            ways[at] = ways[at].wrapping_add(ways[at - i]);
        }
    }
    let all = (1..=u128::from(n)).fold(1, |c, i| c * (u128::from(m) + i) / i) as f64;
    let up_to = ways.iter().sum::<u128>() as f64 / all;
    Some(if mirrored { 1.0 - up_to + ways[last as usize] as f64 / all } else { up_to })
}
