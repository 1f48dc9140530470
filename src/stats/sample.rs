//! A sample of numbers as distinct values with counts: the input of every two-sample statistic.

use std::fmt;
use std::sync::Arc;

/// Sorted distinct finite values, each with its frequency.
///
/// Exact tables and sketches have the same form; for a sketch, its items with their weights. Clones share their values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    values: Arc<Vec<f64>>,
    counts: Arc<Vec<u64>>,
    n: u64,
}

impl Sample {
    /// Sorts and counts values; non-finite ones are ignored.
    #[must_use]
    pub fn from_values(mut values: Vec<f64>) -> Self {
        values.retain(|v| v.is_finite());
        // -0 and 0 are the same value.
        values.iter_mut().for_each(|v| *v += 0.0);
        values.sort_unstable_by(f64::total_cmp);
        Self::from_sorted(values)
    }

    /// Counts sorted finite values, none of them -0.
    #[must_use]
    pub fn from_sorted(mut values: Vec<f64>) -> Self {
        let mut counts: Vec<u64> = Vec::with_capacity(values.len());
        counts.extend(values.first().map(|_| 1));
        values.dedup_by(|next, kept| {
            match counts.last_mut() {
                Some(count) if next == kept => *count += 1,
                _ => counts.push(1),
            }
            next == kept
        });
        Self::new(values, counts)
    }

    /// Distinct finite values in ascending order, none of them -0, each with a count of at least 1; `None` for other
    /// input.
    #[must_use]
    pub fn from_counts(values: Vec<f64>, counts: Vec<u64>) -> Option<Self> {
        let in_order = values.is_sorted_by(|a, b| a < b) && values.iter().all(|v| v.is_finite());
        (in_order && values.len() == counts.len() && !counts.contains(&0)).then(|| Self::new(values, counts))
    }

    fn new(values: Vec<f64>, counts: Vec<u64>) -> Self {
        let n = counts.iter().fold(0, |n: u64, &count| n.saturating_add(count));
        Self { values: Arc::new(values), counts: Arc::new(counts), n }
    }

    /// The union of this sample and another.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        if self.is_empty() || other.is_empty() {
            return if self.is_empty() { other.clone() } else { self.clone() };
        }
        let (a, b) = (self.values(), other.values());
        let all = a.len() + b.len();
        let (mut values, mut counts) = (vec![0.0; all], vec![0; all]);
        let (mut left, mut right, mut out) = (0, 0, 0);
        let (mut left_end, mut right_end, mut out_end) = (a.len(), b.len(), all);
        // Merges from both ends at once, without a branch on which value is next, as it is unpredictable. Equal values
        // of both are consumed together, so a gap remains between the ends.
        while left_end - left > 1 && right_end - right > 1 {
            // This many steps at either end leave values on both sides.
            for _ in 0..(left_end - left).min(right_end - right) / 2 {
                let (x, y) = (a[left], b[right]);
                let (from_a, from_b) = (x <= y, y <= x);
                values[out] = if from_a { x } else { y };
                counts[out] = self.counts[left] * u64::from(from_a) + other.counts[right] * u64::from(from_b);
                (left, right, out) = (left + usize::from(from_a), right + usize::from(from_b), out + 1);
                let (x, y) = (a[left_end - 1], b[right_end - 1]);
                let (from_a, from_b) = (x >= y, y >= x);
                out_end -= 1;
                values[out_end] = if from_a { x } else { y };
                counts[out_end] =
                    self.counts[left_end - 1] * u64::from(from_a) + other.counts[right_end - 1] * u64::from(from_b);
                (left_end, right_end) = (left_end - usize::from(from_a), right_end - usize::from(from_b));
            }
        }
        while left < left_end || right < right_end {
            let (x, y) = (a[..left_end].get(left).copied(), b[..right_end].get(right).copied());
            let from_a = x.is_some_and(|x| y.is_none_or(|y| x <= y));
            let from_b = y.is_some_and(|y| x.is_none_or(|x| y <= x));
            values[out] = if from_a { x } else { y }.unwrap_or_default();
            counts[out] = if from_a { self.counts[left] } else { 0 } + if from_b { other.counts[right] } else { 0 };
            (left, right, out) = (left + usize::from(from_a), right + usize::from(from_b), out + 1);
        }
        values.copy_within(out_end.., out);
        counts.copy_within(out_end.., out);
        values.truncate(out + all - out_end);
        counts.truncate(out + all - out_end);
        Self::new(values, counts)
    }

    /// The number of observations in each part of the sorted values. `ends` are ascending; each is the index after the
    /// last value of a part, and the remaining values are the last part.
    #[must_use]
    pub fn parts(&self, ends: impl Iterator<Item = usize>) -> Vec<u64> {
        let mut start = 0;
        let part = |end: usize| {
            let count = self.counts[start..end].iter().sum();
            start = end;
            count
        };
        ends.chain([self.counts.len()]).map(part).collect()
    }

    /// The values, repeated by count; above `most`, evenly spaced quantiles.
    #[must_use]
    pub fn evenly(&self, most: usize) -> Vec<f64> {
        let n = self.n().min(most as u64);
        let (mut at, mut seen) = (0, 0);
        let nth = |i: u64| {
            // The middle of the i-th of n equal parts.
            let rank = ((u128::from(i) * 2 + 1) * u128::from(self.n()) / (u128::from(n) * 2)) as u64;
            while seen + self.counts[at] <= rank {
                seen += self.counts[at];
                at += 1;
            }
            self.values[at]
        };
        (0..n).map(nth).collect()
    }

    /// Values with counts, in any order; equal values are merged, zero counts and non-finite values ignored.
    #[must_use]
    pub fn from_weighted(mut pairs: Vec<(f64, u64)>) -> Self {
        pairs.retain(|&(v, count)| v.is_finite() && count > 0);
        pairs.iter_mut().for_each(|(v, _)| *v += 0.0);
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        pairs.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        let (values, counts): (Vec<f64>, Vec<u64>) = pairs.into_iter().unzip();
        Self::new(values, counts)
    }

    /// Distinct values, ascending.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The frequency of each value; never 0.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Number of observations.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Whether there are no observations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }
}

/// Why a statistic is undefined here; other libraries raise an error or return NaN in these cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Cannot(pub String);

impl Cannot {
    /// With this reason, phrased to follow "cannot tell: ".
    #[must_use]
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Cannot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cannot {}

/// A statistic and, if the method has one, its p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The statistic or distance.
    pub statistic: f64,
    /// In `[0, 1]`.
    pub p: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_stand_once() {
        let sample = Sample::from_values(vec![2.0, -0.0, f64::NAN, 2.0, 0.0, f64::INFINITY, 1.0]);
        assert_eq!(sample.values(), [0.0, 1.0, 2.0]);
        assert_eq!(sample.counts(), [2, 1, 2]);
        assert_eq!(sample.n(), 5);
        let weighted = Sample::from_weighted(vec![(2.0, 1), (1.0, 1), (2.0, 1), (0.0, 2), (9.0, 0)]);
        assert_eq!(weighted, sample);
    }

    #[test]
    fn values_one_by_one_are_evenly_spread() {
        let sample = Sample::from_weighted(vec![(1.0, 2), (2.0, 6), (3.0, 2)]);
        assert_eq!(sample.evenly(100), [1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0]);
        assert_eq!(sample.evenly(5), [1.0, 2.0, 2.0, 2.0, 3.0]);
        assert!(Sample::default().evenly(5).is_empty());
    }

    #[test]
    fn two_samples_together_are_the_sample_of_both() {
        let values = |step: usize, n: usize| (0..n).map(|i| (i * step % 17) as f64).collect::<Vec<f64>>();
        for (n, m) in (0..40).flat_map(|n| [(n, 5), (5, n), (n, n), (n, 2 * n)]) {
            let (a, b) = (values(5, n), values(7, m).iter().map(|v| v + (n % 3) as f64 * 8.0).collect::<Vec<_>>());
            let all = Sample::from_values(a.clone()).with(&Sample::from_values(b.clone()));
            assert_eq!(all, Sample::from_values([a, b].concat()));
        }
        let sorted = [-1.0, 0.0, 0.0, 2.0, 2.0, 2.0];
        assert_eq!(Sample::from_sorted(sorted.to_vec()), Sample::from_values(sorted.to_vec()));
    }

    #[test]
    fn counts_are_taken_in_order_only() {
        let taken = |values: &[f64], counts: &[u64]| Sample::from_counts(values.to_vec(), counts.to_vec());
        assert_eq!(taken(&[1.0, 2.0], &[1, 3]).map(|s| s.n()), Some(4));
        for (values, counts) in [
            (&[2.0, 1.0][..], &[1, 1][..]),
            (&[1.0, 1.0], &[1, 1]),
            (&[1.0, f64::INFINITY], &[1, 1]),
            (&[f64::NAN], &[1]),
            (&[1.0], &[0]),
            (&[1.0], &[1, 1]),
        ] {
            assert_eq!(taken(values, counts), None, "{values:?}");
        }
    }

    #[test]
    fn parts_add_up() {
        let sample = Sample::from_weighted(vec![(1.0, 5), (2.0, 1), (4.0, 7)]);
        assert_eq!(sample.parts([0, 2, 2].into_iter()), [0, 6, 0, 7]);
        assert_eq!(Sample::default().parts(std::iter::empty()), [0]);
    }
}
