//! A sample of numbers as distinct values with counts: what every two-sample statistic reads.

use std::fmt;

/// Sorted distinct finite values, each with how often it stands.
///
/// Exact tables and sketches take the same shape: a sketch's items stand with their weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    values: Vec<f64>,
    counts: Vec<u64>,
    n: u64,
}

impl Sample {
    /// Sorts and counts values; what is not finite is left out.
    #[must_use]
    pub fn from_values(mut values: Vec<f64>) -> Self {
        values.retain(|v| v.is_finite());
        // -0 and 0 are one value.
        values.iter_mut().for_each(|v| *v += 0.0);
        values.sort_unstable_by(f64::total_cmp);
        let mut counts: Vec<u64> = Vec::with_capacity(values.len());
        let n = values.len() as u64;
        let mut last = None;
        values.retain(|&v| {
            let is_new = last != Some(v);
            match counts.last_mut() {
                Some(count) if !is_new => *count += 1,
                _ => counts.push(1),
            }
            last = Some(v);
            is_new
        });
        Self { values, counts, n }
    }

    /// Distinct values in ascending order with counts; in any other form they are brought into it.
    #[must_use]
    pub fn from_counts(values: &[f64], counts: &[u64]) -> Self {
        let in_order =
            values.iter().all(|v| v.is_finite()) && values.is_sorted_by(|a, b| a < b) && !counts.contains(&0);
        if !in_order || values.len() != counts.len() {
            return Self::from_weighted(values.iter().copied().zip(counts.iter().copied()).collect());
        }
        Self { values: values.to_vec(), counts: counts.to_vec(), n: counts.iter().sum() }
    }

    /// Values with counts, in any order; equal values are put together, zero counts and what is not finite left out.
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
        let n = counts.iter().sum();
        Self { values, counts, n }
    }

    /// Distinct values, ascending.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How often each value stands; never 0.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Number of observations.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Whether there is no observation.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }
}

/// Why a statistic has no value here; peers raise or return NaN in these cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Cannot(pub String);

impl Cannot {
    /// For this reason, told as the end of "cannot tell: …".
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

/// A statistic, and the probability of one at least as extreme without a difference, where the method has one.
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
}
