//! Orders and ranks.

use rayon::slice::ParallelSliceMut;

/// A key whose unsigned order is the numeric order (−0 = +0, `NaN` last).
fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

/// The positions of `values` in ascending order of value; equal values keep their order.
///
/// # Panics
/// If there are 2³² values or more.
#[must_use]
pub fn ascending(values: &[f64]) -> Vec<u32> {
    order_by(values, key)
}

/// The positions of `values` in descending order of value; equal values keep their order.
///
/// ```
/// assert_eq!(mlloop::stats::ranks::descending(&[0.1, 0.9, 0.1, 0.5]), [1, 3, 0, 2]);
/// ```
#[must_use]
pub fn descending(values: &[f64]) -> Vec<u32> {
    order_by(values, |v| !key(v))
}

fn order_by(values: &[f64], key: impl Fn(f64) -> u64) -> Vec<u32> {
    assert!(u32::try_from(values.len()).is_ok(), "fewer than 2^32 values");
    let mut keyed: Vec<(u64, u32)> = values.iter().zip(0_u32..).map(|(&v, i)| (key(v), i)).collect();
    if keyed.len() < 8192 {
        keyed.sort_unstable();
    } else {
        // No two pairs are equal, so the result does not depend on how the work is divided.
        keyed.par_sort_unstable();
    }
    keyed.into_iter().map(|(_, i)| i).collect()
}

/// Ranks from 1; equal values share the mean of their ranks (`scipy.stats.rankdata(method="average")`).
///
/// ```
/// assert_eq!(mlloop::stats::ranks::average(&[20.0, 10.0, 20.0, 30.0]), [2.5, 1.0, 2.5, 4.0]);
/// ```
#[must_use]
pub fn average(values: &[f64]) -> Vec<f64> {
    let order = ascending(values);
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let value = values[order[start] as usize];
        let mut end = start + 1;
        while end < order.len() && values[order[end] as usize] == value {
            end += 1;
        }
        let shared = (start + 1 + end) as f64 / 2.0;
        for &i in &order[start..end] {
            ranks[i as usize] = shared;
        }
        start = end;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::{ascending, average, descending};

    #[test]
    fn signs_zeros_and_ties() {
        let values = [0.0, -1.0, f64::INFINITY, -0.0, f64::NEG_INFINITY, 2.5];
        assert_eq!(ascending(&values), [4, 1, 0, 3, 5, 2]);
        assert_eq!(descending(&values), [2, 5, 0, 3, 1, 4]);
        assert_eq!(average(&values), [3.5, 2.0, 6.0, 3.5, 1.0, 5.0]);
        assert!(average(&[]).is_empty());
    }

    #[test]
    fn long_columns_sort_like_short_ones() {
        let values: Vec<f64> = (0..20_000).map(|i| f64::from((i * 7919) % 1000)).collect();
        let order = ascending(&values);
        assert!(order.windows(2).all(|w| {
            let (a, b) = (w[0] as usize, w[1] as usize);
            values[a] < values[b] || (values[a] == values[b] && a < b)
        }));
    }
}
