//! The numbers of a column: moments, and the distribution as counts or as a sketch.

use super::Limits;
use super::calendar::Calendar;
use super::kll::{DEFAULT_K, Kll};
use super::sort::sort;
use crate::stats::sample::Sample;
use crate::table::MISSING_TIME;
use serde::{Deserialize, Serialize};

/// Values collected before they are sorted and sketched.
const BLOCK: usize = 4096;
/// Values collected before they are sorted and counted: all of a small table.
const FIRST_BLOCK: usize = 16_384;

/// Summary of numbers. Infinite numbers are only counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Moments of the finite numbers.
    pub moments: Moments,
    /// Infinite numbers, of either sign.
    #[serde(default)]
    pub n_infinite: u64,
    /// Those of them that are negative.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub n_minus_infinite: u64,
    /// Whether every finite number is whole.
    pub integer: bool,
    /// How the finite numbers are distributed.
    pub distribution: Distribution,
    /// Counts of times by hour, weekday and month; `None` for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Calendar>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Count, mean, sum of squares about the mean, and range.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Moments {
    /// Number of values.
    pub n: u64,
    /// Their mean; 0 for none.
    pub mean: f64,
    /// Σ (value − mean)².
    pub m2: f64,
    /// The smallest; 0 for none.
    pub min: f64,
    /// The largest; 0 for none.
    pub max: f64,
}

/// The distribution of finite numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Sorted distinct values, each with its count.
    Exact(Sample),
    /// A sketch of them.
    Sketch(Kll),
}

impl Moments {
    /// The sample variance (denominator n − 1); `NaN` for fewer than two values, or if squares overflow.
    #[must_use]
    pub fn variance(&self) -> f64 {
        if self.n < 2 || self.m2 >= f64::MAX { f64::NAN } else { self.m2 / (self.n - 1) as f64 }
    }

    /// The mean; `None` without values, or if sums overflow.
    #[must_use]
    pub fn known_mean(&self) -> Option<f64> {
        (self.n > 0 && self.mean.abs() < f64::MAX).then_some(self.mean)
    }

    fn of_weighted(values: &[f64], counts: &[u64]) -> Self {
        let (Some(&min), Some(&max)) = (values.first(), values.last()) else { return Self::default() };
        let n: u64 = counts.iter().sum();
        let weighted = || values.iter().zip(counts).map(|(&v, &c)| (v, c as f64));
        // Relative to the first value, so that a large offset costs no digits.
        let mean = min + weighted().map(|(v, c)| c * (v - min)).sum::<f64>() / n as f64;
        let m2 = weighted().map(|(v, c)| c * (v - mean) * (v - mean)).sum();
        Self { n, mean, m2, min, max }.bounded()
    }

    /// The moments of sorted values.
    fn of_sorted(values: &[f64]) -> Self {
        let (Some(&min), Some(&max)) = (values.first(), values.last()) else { return Self::default() };
        let n = values.len() as f64;
        let mean = min + sum(values, |v| v - min) / n;
        let m2 = sum(values, |v| (v - mean) * (v - mean));
        Self { n: values.len() as u64, mean, m2, min, max }.bounded()
    }

    /// The moments of two parts together (Chan, Golub, LeVeque 1983).
    fn merge(self, other: Self) -> Self {
        if self.n == 0 || other.n == 0 {
            return if self.n == 0 { other } else { self };
        }
        let n = self.n + other.n;
        let (a, b) = (self.n as f64, other.n as f64);
        let delta = other.mean - self.mean;
        Self {
            n,
            mean: self.mean + delta * (b / n as f64),
            m2: self.m2 + other.m2 + delta * delta * (a * (b / n as f64)),
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
        .bounded()
    }

    /// Limits infinities to the largest number: JSON has no infinity.
    fn bounded(mut self) -> Self {
        for moment in [&mut self.mean, &mut self.m2] {
            *moment = if moment.is_nan() { f64::MAX } else { moment.clamp(-f64::MAX, f64::MAX) };
        }
        self
    }
}

/// Σ `term`, in eight independent sums, for parallelism.
fn sum(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, &v)| *sum += term(v));
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&v| term(v)).sum::<f64>()
}

impl Default for Numbers {
    fn default() -> Self {
        let distribution = Distribution::Exact(Sample::default());
        let moments = Moments::default();
        Self { moments, n_infinite: 0, n_minus_infinite: 0, integer: true, distribution, calendar: None }
    }
}

impl Numbers {
    /// The finite numbers as distinct values with weights.
    #[must_use]
    pub fn sample(&self) -> Sample {
        match &self.distribution {
            Distribution::Exact(sample) => sample.clone(),
            Distribution::Sketch(sketch) => Sample::from_weighted(sketch.weighted().collect()),
        }
    }

    /// The smallest value that `share` of the numbers do not exceed (numpy's `inverted_cdf`); `None` without numbers.
    /// The ends, 0 and 1, are the exact least and largest number.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        if self.moments.n == 0 {
            return None;
        }
        if share <= 0.0 || share >= 1.0 {
            return Some(if share <= 0.0 { self.moments.min } else { self.moments.max });
        }
        let rank = share * self.moments.n as f64;
        let mut below = 0;
        let mut reached = |count: &u64| {
            below += count;
            below as f64 >= rank
        };
        let sample = self.sample();
        sample.values().get(sample.counts().iter().position(&mut reached)?).copied()
    }

    /// The middle value; of an even number, the mean of the two in the middle, unless sketched.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        let lower = self.quantile(0.5)?;
        let Distribution::Exact(sample) = &self.distribution else { return Some(lower) };
        if sample.n() % 2 == 1 {
            return Some(lower);
        }
        let mut below = 0;
        let mut reached = |count: &u64| {
            below += count;
            below > sample.n() / 2
        };
        let upper = *sample.values().get(sample.counts().iter().position(&mut reached)?)?;
        Some(lower / 2.0 + upper / 2.0)
    }

    pub(super) fn merge(&mut self, other: &Self, limits: Limits) {
        self.n_infinite += other.n_infinite;
        self.n_minus_infinite += other.n_minus_infinite;
        self.calendar = match (self.calendar.take(), &other.calendar) {
            (Some(mine), Some(theirs)) => Some(mine.with(theirs)),
            // A part from before calendars were stored has none, so the whole has none.
            _ => None,
        };
        self.integer &= other.integer;
        let moments = self.moments.merge(other.moments);
        match (&mut self.distribution, &other.distribution) {
            (Distribution::Exact(all), Distribution::Exact(more)) => *all = all.with(more),
            (Distribution::Sketch(sketch), other) => take_in(sketch, other),
            (exact @ Distribution::Exact(_), Distribution::Sketch(sketch)) => {
                let mut all = sketch.clone();
                take_in(&mut all, exact);
                *exact = Distribution::Sketch(all);
            }
        }
        self.moments = moments;
        self.settle(limits);
    }

    /// Sketches columns past the limit; exact ones get their moments from their counts, for any batches.
    fn settle(&mut self, limits: Limits) {
        if let Distribution::Exact(sample) = &self.distribution {
            self.moments = Moments::of_weighted(sample.values(), sample.counts());
            if sample.values().len() > limits.values {
                let mut sketch = Kll::new(DEFAULT_K);
                sketch.add_weighted(sample.values(), sample.counts());
                self.distribution = Distribution::Sketch(sketch);
            }
        }
    }
}

fn take_in(sketch: &mut Kll, other: &Distribution) {
    match other {
        Distribution::Exact(sample) => sketch.add_weighted(sample.values(), sample.counts()),
        Distribution::Sketch(other) => sketch.merge(other),
    }
}

/// Numbers being collected, in blocks whose boundaries do not depend on the batches.
#[derive(Debug, Clone)]
pub(super) struct NumbersBuilder {
    numbers: Numbers,
    pending: Vec<f64>,
    limits: Limits,
}

impl NumbersBuilder {
    pub(super) fn new(limits: Limits) -> Self {
        Self { numbers: Numbers::default(), pending: Vec::with_capacity(BLOCK), limits }
    }

    /// For times, with a calendar.
    pub(super) fn of_times(limits: Limits) -> Self {
        let mut builder = Self::new(limits);
        builder.numbers.calendar = Some(Calendar::default());
        builder
    }

    /// Adds instants in microseconds and returns how many are missing.
    pub(super) fn push_times(&mut self, times: &[i64]) -> u64 {
        if let Some(calendar) = &mut self.numbers.calendar {
            times.iter().filter(|&&t| t != MISSING_TIME).for_each(|&t| calendar.count(t));
        }
        // Microseconds are exact as f64 until the year 2255.
        self.push(times.iter().map(|&t| if t == MISSING_TIME { f64::NAN } else { t as f64 }))
    }

    /// Adds values and returns how many are missing (`NaN`).
    pub(super) fn push(&mut self, values: impl Iterator<Item = f64>) -> u64 {
        let mut n_missing = 0;
        let mut room = self.room();
        for value in values {
            if value.is_finite() {
                // -0 and 0 are one value.
                self.pending.push(value + 0.0);
                if self.pending.len() >= room {
                    self.flush();
                    room = self.room();
                }
            } else if value.is_nan() {
                n_missing += 1;
            } else {
                self.numbers.n_infinite += 1;
                self.numbers.n_minus_infinite += u64::from(value < 0.0);
            }
        }
        n_missing
    }

    /// Grows with the stored values, so that merging costs a constant per value.
    fn room(&self) -> usize {
        match &self.numbers.distribution {
            Distribution::Exact(sample) => FIRST_BLOCK.max(sample.values().len()),
            Distribution::Sketch(_) => BLOCK,
        }
    }

    fn flush(&mut self) {
        let Self { numbers, pending, limits } = self;
        numbers.integer = numbers.integer && pending.iter().all(|&v| is_whole(v));
        sort(pending);
        match &mut numbers.distribution {
            Distribution::Exact(sample) => {
                *sample = sample.with(&Sample::from_sorted(std::mem::take(pending)));
                if sample.values().len() > limits.values {
                    numbers.settle(*limits);
                }
            }
            Distribution::Sketch(sketch) => {
                numbers.moments = numbers.moments.merge(Moments::of_sorted(pending));
                sketch.add_sorted(pending);
            }
        }
        pending.clear();
    }

    pub(super) fn finish(mut self) -> Numbers {
        self.flush();
        self.numbers.settle(self.limits);
        self.numbers
    }
}

/// Whether a finite number is whole. Those beyond `i64` all are.
fn is_whole(value: f64) -> bool {
    value as i64 as f64 == value || value.abs() >= 9e18
}
