//! The Cramér–von Mises test of two samples.

use super::pooled::{check, steps};
use super::sample::{Cannot, Measured, Sample};
use crate::stats::portable::Portable;

/// Up to this many rows in each sample the p-value is exact.
const EXACT_UP_TO: u64 = 20;

/// T = U/(nmN) − (4nm − 1)/(6N) and its p-value (T. Anderson, "On the Distribution of the Two-Sample Cramér–von Mises
/// Criterion", 1962), as in scipy's `cramervonmises_2samp`.
///
/// Ties get their mean rank. With at most 20 rows on both sides p is exact for samples without ties; otherwise T is
/// standardised to the mean and variance of its limit distribution.
///
/// ```
/// use mlloop::stats::{cramer, sample::Sample};
/// let a = Sample::from_values(vec![1.0, 2.0, 3.0, 4.0]);
/// let b = Sample::from_values(vec![3.5, 5.0, 6.0]);
/// let found = cramer::test(&a, &b).unwrap();
/// assert!((found.statistic - 0.3928571428571428).abs() < 1e-9);
/// ```
///
/// # Errors
/// If a sample has fewer than two values.
pub fn test(reference: &Sample, current: &Sample) -> Result<Measured, Cannot> {
    check(reference, current)?;
    let (n, m) = (reference.n(), current.n());
    if n < 2 || m < 2 {
        return Err(Cannot::because("each sample needs at least two values"));
    }
    // Four times U, a whole number even with shared ranks.
    let u4 = i128::from(n) * squared_ranks(reference, current, |s| (s.reference, s.reference + s.current))
        + i128::from(m) * squared_ranks(reference, current, |s| (s.current, s.reference + s.current));
    let (k, total) = (i128::from(n) * i128::from(m), i128::from(n + m));
    let t = (3 * u4 - 2 * k * (4 * k - 1)) as f64 / (12 * k * total) as f64;
    let p = if n.max(m) <= EXACT_UP_TO { exact(u4 as f64 / 4.0, n, m) } else { asymptotic(t, n as f64, m as f64) };
    Ok(Measured { statistic: t, p: Some(p.clamp(0.0, 1.0)) })
}

/// 4 Σ (rank − place)² over one sample: the rank in both samples together, the place in its own.
fn squared_ranks(reference: &Sample, current: &Sample, of: impl Fn(&super::pooled::Step) -> (u64, u64)) -> i128 {
    let (mut own_before, mut before, mut total) = (0_i128, 0_i128, 0_i128);
    for step in steps(reference, current) {
        let (own, all) = of(&step);
        let (own, all) = (i128::from(own), i128::from(all));
        // Twice the mean rank minus twice the mean place; the ranks of ties vary about their mean by c(c² − 1)/12.
        let gap = (2 * before + all + 1) - (2 * own_before + own + 1);
        total += own * gap * gap + own * (own * own - 1) / 3;
        own_before += own;
        before += all;
    }
    total
}

/// The share of arrangements whose U is at least `u` (Y. Xiao, A. Gordon, A. Yakovlev, "A C++ Program for the
/// Cramér–von Mises Two-Sample Test", 2006).
fn exact(u: f64, m: u64, n: u64) -> f64 {
    let (mut a, mut b) = (m, n);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    let lcm = m / a * n;
    let (step_m, step_n) = ((lcm / m) as i64, (lcm / n) as i64);
    let mn = (m * n) as f64;
    let scale = (lcm * lcm * (m + n)) as f64;
    let zeta = (scale * (6.0 * u - mn * (4.0 * mn - 1.0)) / (6.0 * mn * mn)).floor();
    let mut row: Vec<Vec<(u64, u64)>> = vec![Vec::new(); m as usize + 1];
    row[0] = vec![(0, 1)];
    for j in 0..=n as i64 {
        let mut left: Vec<(u64, u64)> = Vec::new();
        for (i, cell) in row.iter_mut().enumerate() {
            let shift = (step_m * i as i64 - step_n * j).unsigned_abs().pow(2);
            left = add(&left, cell).into_iter().map(|(value, ways)| (value + shift, ways)).collect();
            cell.clone_from(&left);
        }
    }
    let ways = &row[m as usize];
    let all: u64 = ways.iter().map(|w| w.1).sum();
    let far: u64 = ways.iter().filter(|w| w.0 as f64 >= zeta).map(|w| w.1).sum();
    far as f64 / all as f64
}

/// Merges two frequency tables in ascending order.
fn add(a: &[(u64, u64)], b: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut both: Vec<(u64, u64)> = a.iter().chain(b).copied().collect();
    both.sort_unstable_by_key(|w| w.0);
    both.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    both
}

fn asymptotic(t: f64, n: f64, m: f64) -> f64 {
    let (k, total) = (n * m, n + m);
    let mean = (1.0 + 1.0 / total) / 6.0;
    let variance =
        (total + 1.0) * (4.0 * k * total - 3.0 * (n * n + m * m) - 2.0 * k) / (45.0 * total * total * 4.0 * k);
    let moved = 1.0 / 6.0 + (t - mean) / (45.0 * variance).sqrt();
    if moved < 0.003 { 1.0 } else { (1.0 - limit(moved)).max(0.0) }
}

/// The distribution function of the limit (S. Csörgő, J. Faraway, "The Exact and Asymptotic Distributions of Cramér–von
/// Mises Statistics", 1996); terms are added until one is below 1e-7, as in scipy.
fn limit(x: f64) -> f64 {
    let mut ratio = std::f64::consts::PI.sqrt();
    let (mut total, mut k) = (0.0, 0.0);
    loop {
        let y = 4.0 * k + 1.0;
        let q = y * y / (16.0 * x);
        let term = ratio / (std::f64::consts::PI.powf_portable(1.5) * x.sqrt()) * f64::sqrt(y) * damped_bessel(q);
        total += term;
        if term.abs() < 1e-7 {
            return total;
        }
        k += 1.0;
        ratio *= (k - 0.5) / k;
    }
}

/// e^(−q) K¼(q) = ∫ exp(−q (1 + cosh t)) cosh(t/4) dt over t ≥ 0, by the trapezium rule, which is exact here up to
/// rounding.
fn damped_bessel(q: f64) -> f64 {
    const WIDTH: f64 = 0.05;
    let mut total = 0.5 * (-2.0 * q).exp_portable();
    let mut t = WIDTH;
    loop {
        let exponent = q * (1.0 + t.cosh_portable());
        if exponent > 745.0 {
            return total * WIDTH;
        }
        total += (-exponent).exp_portable() * (t / 4.0).cosh_portable();
        t += WIDTH;
    }
}
