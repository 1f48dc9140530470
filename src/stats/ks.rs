//! The Kolmogorov–Smirnov test of two samples.

use super::kolmogorov;
use super::pooled::check;
use super::sample::{Cannot, Measured, Sample};
use std::ops::{AddAssign, Mul, Range, Sub};

/// Up to this many rows in the larger sample the p-value is exact.
const EXACT_UP_TO: u64 = 10_000;

/// D = max |F(x) − G(x)| and its two-sided p-value, as in scipy's `ks_2samp`.
///
/// With at most 10 000 rows in the larger sample p is exact: the share of interleavings of the two samples that leave
/// the band (J. Hodges, "The Significance Probability of the Smirnov Two-Sample Test", 1958), which is conservative for
/// ties. Above that, Kolmogorov's distribution at nₑ = round(nm/(n+m)) is used. With ties, D is taken after the last
/// equal value.
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
/// If a sample is empty.
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
/// If a sample is empty.
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

/// The widest gap between the two, in integer steps. Stretches are skipped if the gap at their ends shows that the
/// widest gap cannot be in between. After the last value of one sample the gap only shrinks.
fn widest<T>(reference: &Sample, current: &Sample, per_reference: T, per_current: T) -> T
where
    T: From<u64> + Copy + Ord + AddAssign + Mul<Output = T> + Sub<Output = T>,
{
    let below = |a: T, b: T| if a > b { a - b } else { T::from(0) };
    let stretches = stretches(reference, current, per_reference, per_current);
    let mut widest = stretches.iter().map(|s| s.ends.0.max(s.ends.1) - s.ends.0.min(s.ends.1)).fold(T::from(0), T::max);
    let mut begins = (T::from(0), T::from(0));
    for Stretch { reference: a, current: b, ends } in stretches {
        let (mut f, mut g) = std::mem::replace(&mut begins, ends);
        // Both only grow, so the gap between the ends is at most this.
        if below(ends.0, g).max(below(ends.1, f)) > widest {
            let (mut i, mut j) = (a.start, b.start);
            while i < a.end && j < b.end {
                let (x, y) = (reference.values()[i], current.values()[j]);
                if x <= y {
                    f += T::from(reference.counts()[i]) * per_reference;
                    i += 1;
                }
                if y <= x {
                    g += T::from(current.counts()[j]) * per_current;
                    j += 1;
                }
                widest = widest.max(f.max(g) - f.min(g));
            }
        }
    }
    widest
}

/// A stretch: values of the reference, and the further values of the current sample that are not above them, with both
/// cumulative counts at the end.
struct Stretch<T> {
    reference: Range<usize>,
    current: Range<usize>,
    ends: (T, T),
}

fn stretches<T>(reference: &Sample, current: &Sample, per_reference: T, per_current: T) -> Vec<Stretch<T>>
where
    T: From<u64> + Copy + AddAssign + Mul<Output = T>,
{
    const LENGTH: usize = 64;
    let (mut f, mut g, mut start) = (T::from(0), T::from(0), 0);
    let mut stretch = |(at, values): (usize, &[f64])| {
        let last = values.last().copied().unwrap_or(f64::INFINITY);
        let end = start + current.values()[start..].partition_point(|value| *value <= last);
        let (a, b) = (at * LENGTH..at * LENGTH + values.len(), start..end);
        f += T::from(reference.counts()[a.clone()].iter().sum()) * per_reference;
        g += T::from(current.counts()[b.clone()].iter().sum()) * per_current;
        start = end;
        Stretch { reference: a, current: b, ends: (f, g) }
    };
    reference.values().chunks(LENGTH).enumerate().map(&mut stretch).collect()
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
/// Column by column, only the cells inside the band are stored; each contains the share of the paths to it that have
/// been outside the band.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::pooled::steps;
    use crate::stats::random::unit_hash;

    #[test]
    fn the_widest_gap_is_found_wherever_it_lies() {
        let sample = |from: u64, n: u64, shift: f64, round: f64| {
            let value = |i: u64| ((unit_hash(&i.to_le_bytes(), 0).powi(2) + shift) * round).round() / round;
            Sample::from_values((from..from + n).map(value).collect())
        };
        for (n, m) in [(1, 1), (1, 500), (500, 1), (64, 65), (1000, 900), (3000, 200)] {
            for (shift, round) in [(0.0, 1e9), (0.0, 20.0), (0.02, 1e9), (2.0, 1e3), (-2.0, 1e3)] {
                let (a, b) = (sample(0, n, 0.0, round), sample(n, m, shift, round));
                let (mut f, mut g, mut widest) = (0_u64, 0_u64, 0_u64);
                for step in steps(&a, &b) {
                    f += step.reference * m;
                    g += step.current * n;
                    widest = widest.max(f.abs_diff(g));
                }
                assert_eq!(distance(&a, &b).unwrap(), widest as f64 / (n * m) as f64, "{n} {m} {shift} {round}");
            }
        }
    }
}
