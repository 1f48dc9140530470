//! The Kolmogorov–Smirnov test of two samples.

use super::kolmogorov;
use super::pooled::{check, steps};
use super::sample::{Cannot, Measured, Sample};
use std::ops::{AddAssign, Mul, Sub};

/// Up to this many rows in the larger sample the p-value is exact.
const EXACT_UP_TO: u64 = 10_000;

/// D = max |F(x) − G(x)| and the probability of one as large, two-sided, as scipy's `ks_2samp` has it.
///
/// Up to 10 000 rows in the larger sample p is exact: the share of the ways to interleave the two samples that leave the
/// band (J. Hodges, "The Significance Probability of the Smirnov Two-Sample Test", 1958), which ties make conservative.
/// Above, Kolmogorov's distribution at nₑ = round(nm/(n+m)). Ties are read after the last equal value.
///
/// ```
/// use mlloop::stats::{ks, sample::Sample};
/// let a = Sample::from_values(vec![1.0, 2.0, 3.0, 4.0]);
/// let b = Sample::from_values(vec![3.0, 4.0, 5.0, 6.0, 7.0]);
/// let found = ks::test(&a, &b).unwrap();
/// // scipy.stats.ks_2samp([1, 2, 3, 4], [3, 4, 5, 6, 7])
/// assert!((found.statistic - 0.6).abs() < 1e-12 && (found.p.unwrap() - 0.28571428571428575).abs() < 1e-12);
/// ```
///
/// # Errors
/// When a sample is empty.
pub fn test(reference: &Sample, current: &Sample) -> Result<Measured, Cannot> {
    let d = distance(reference, current)?;
    let (n, m) = (reference.n(), current.n());
    let divisor = gcd(n, m);
    // D is a whole number of these steps.
    let widest = (d * (n as f64) * (m / divisor) as f64).round() as u64;
    let p = if n.max(m) > EXACT_UP_TO {
        let effective = (n as f64 * m as f64 / (n as f64 + m as f64)).round_ties_even();
        kolmogorov::survival(effective as u64, d)
    } else if widest == 0 {
        1.0
    } else if n == m {
        equal_sizes(n, widest)
    } else {
        unequal_sizes(n.max(m), n.min(m), divisor, widest as i64)
    };
    Ok(Measured { statistic: d, p: Some(p.clamp(0.0, 1.0)) })
}

/// D = max |F(x) − G(x)| alone, in one pass over both samples.
///
/// # Errors
/// When a sample is empty.
pub fn distance(reference: &Sample, current: &Sample) -> Result<f64, Cannot> {
    check(reference, current)?;
    let (n, m) = (reference.n(), current.n());
    let divisor = gcd(n, m);
    let (per_reference, per_current) = (m / divisor, n / divisor);
    Ok(match n.checked_mul(per_reference) {
        Some(all) => widest(reference, current, per_reference, per_current) as f64 / all as f64,
        None => {
            let (per_reference, per_current) = (u128::from(per_reference), u128::from(per_current));
            widest(reference, current, per_reference, per_current) as f64 / (u128::from(n) * per_reference) as f64
        }
    })
}

/// The widest gap between the two, in steps that are whole for both.
fn widest<T>(reference: &Sample, current: &Sample, per_reference: T, per_current: T) -> T
where
    T: From<u64> + Copy + Ord + AddAssign + Mul<Output = T> + Sub<Output = T>,
{
    let (mut f, mut g, mut widest) = (T::from(0), T::from(0), T::from(0));
    for step in steps(reference, current) {
        f += T::from(step.reference) * per_reference;
        g += T::from(step.current) * per_current;
        widest = widest.max(f.max(g) - f.min(g));
    }
    widest
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// P(D ≥ h/n) for two samples of n, by reflection: 2 (C(2n, n−h) − C(2n, n−2h) + …) / C(2n, n), in Horner's form.
fn equal_sizes(n: u64, h: u64) -> f64 {
    let mut p = 0.0;
    for k in (0..=n / h).rev() {
        let factor: f64 =
            (0..h).fold(1.0, |f, j| (n as f64 - (k * h) as f64 - j as f64) * f / ((n + k * h + j + 1) as f64));
        p = factor * (1.0 - p);
    }
    2.0 * p
}

/// P(D ≥ h/lcm) for sizes m > n: the share of lattice paths from (0, 0) to (m, n) that touch |nx − my| ≥ h·g.
///
/// Column by column, only the cells inside of the band are kept; each holds the share of the paths to it that have been
/// outside.
fn unequal_sizes(m: u64, n: u64, g: u64, h: i64) -> f64 {
    let (m, n) = (m as i64, n as i64);
    let (mg, ng) = (m / g as i64, n / g as i64);
    let ceil_div = |a: i64| (a + mg - 1).div_euclid(mg);
    let (mut from, mut to) = (0, ceil_div(h).min(n + 1));
    let mut length = to - from;
    let mut outside = vec![1.0; (2 * to + 2).min(n + 1) as usize];
    outside[..to as usize].fill(0.0);
    for i in 1..=m {
        let (last_from, last_length) = (from, length);
        from = ((ng * i - h).div_euclid(mg) + 1).clamp(0, n);
        to = ceil_div(ng * i + h).min(n + 1);
        if to <= from {
            return 1.0;
        }
        let mut value = if from == 0 { 0.0 } else { 1.0 };
        for j in from..to {
            let before = outside[(j - last_from) as usize];
            value = (before * i as f64 + value * j as f64) / (i + j) as f64;
            outside[(j - from) as usize] = value;
        }
        length = to - from;
        for at in length..last_length {
            outside[at as usize] = 1.0;
        }
    }
    outside[(length - 1) as usize]
}
