//! 95 % intervals: bootstrap for small tables, infinitesimal jackknife for large ones.
//!
//! A bootstrap of B replicates takes B passes over the rows. Up to a fixed amount of work B is 1000, then it decreases
//! to 200, and beyond that the interval is normal with the infinitesimal-jackknife standard error √Σ(wᵢ ∂θ/∂wᵢ)² (L.
//! Jaeckel, "The Infinitesimal Jackknife", 1972; B. Efron, "The Jackknife, the Bootstrap and Other Resampling Plans",
//! 1982), which for the ROC area is DeLong's. The two agree where both are possible.
//!
//! If rows of one entity (a customer, a patient) depend on each other, entities are drawn instead of rows, and wᵢ
//! ∂θ/∂wᵢ is summed over the rows of each entity. With few entities the variance is uncertain, so the interval is
//! widened by the ratio of Student's quantile to the normal one.

use crate::stats::portable::Portable;
use rand::RngCore;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::score::metric::Range;
use crate::score::{Estimate, Method, Metric};
use crate::stats::tails::student_above;
use crate::stats::{moments, normal, quantiles, random};

/// Relative difference between the ends of an interval that may come from rounding alone.
const ROUNDING: f64 = 1e-12;
/// Maximum number of row visits of a bootstrap: about .4 s of CPU time.
pub(crate) const MAX_VISITS: usize = 25_000_000;
/// With fewer replicates, the 2.5 % quantile is imprecise.
const MIN_REPLICATES: usize = 200;

/// How to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluateOptions {
    /// Seed of the resamples.
    pub seed: u64,
    /// Maximum number of bootstrap replicates; 0 for no intervals.
    pub max_replicates: usize,
    /// Maximum number of row visits of a bootstrap; if this allows fewer than 200 replicates, intervals are normal.
    pub max_visits: usize,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self { seed: 0, max_replicates: 1000, max_visits: MAX_VISITS }
    }
}

/// Metrics that can be recomputed with each row counted any number of times.
pub(crate) trait Resample: Sync {
    /// The metrics it computes, in order.
    fn metrics(&self) -> &'static [Metric];

    /// Number of rows.
    fn n_rows(&self) -> usize;

    /// Number of passes over the rows per replicate.
    fn n_walks(&self) -> usize;

    /// The row at each position of the `counts` of `values`; `None` if they are in the order of the rows.
    fn order(&self) -> Option<&[u32]> {
        None
    }

    /// Writes the metrics with row i (of [`Resample::order`]) counted `counts[i]` times; `NaN` if undefined.
    fn values(&self, counts: &[u32], out: &mut [f64]);

    /// w ∂θ/∂w of each row for `metric`; `None` if the metric is not smooth in the weights.
    fn influences(&self, metric: Metric) -> Option<Vec<f64>>;

    /// The interval of a metric without influences, for large tables.
    fn other_interval(&self, _metric: Metric, _entities: Option<&Entities>) -> Option<(f64, f64, Method)> {
        None
    }

    /// The n of Wilson's interval: the denominator of `metric` in rows, or the number of rows that determine it if all
    /// are right (rows of the rarest class for areas and means over classes); 0 for losses.
    fn denominator(&self, metric: Metric) -> f64;

    /// Why `metric` is undefined, or which convention gives its value.
    fn note(&self, metric: Metric) -> Option<String>;
}

/// The value of every metric, without intervals. Precision and similar metrics are 0 at 0 ∕ 0; a replicate skips them
/// instead, because a draw without positive rows has no recall.
pub(crate) fn points(what: &impl Resample) -> Vec<f64> {
    let mut out = vec![f64::NAN; what.metrics().len()];
    what.values(&vec![1; what.n_rows()], &mut out);
    for (value, metric) in out.iter_mut().zip(what.metrics()) {
        if value.is_nan() && (metric.range() == Range::Share || *metric == Metric::F1) {
            *value = 0.0;
        }
    }
    out
}

/// The entity of each row, in the order in which rows are counted.
pub(crate) struct Entities {
    of: Vec<u32>,
    n: usize,
}

impl Entities {
    /// `of_rows` has the entity of each row, in row order.
    fn of(what: &impl Resample, of_rows: &[u32]) -> Self {
        let of = match what.order() {
            Some(order) => order.iter().map(|&row| of_rows[row as usize]).collect(),
            None => of_rows.to_vec(),
        };
        let n = of_rows.iter().max().map_or(0, |last| *last as usize + 1);
        Self { of, n }
    }

    /// The factor by which few entities widen intervals; infinite if there are too few.
    fn widening(&self) -> f64 {
        let n = self.n as f64;
        if self.n < 2 {
            return f64::INFINITY;
        }
        student_above(0.05, n - 1.0) / normal::quantile(0.975) * (n / (n - 1.0)).sqrt()
    }

    /// The standard error of an estimate with these influences, for a normal interval.
    pub(crate) fn error(&self, influences: &[f64]) -> f64 {
        let mut sums = vec![0.0; self.n];
        influences.iter().zip(&self.of).for_each(|(part, entity)| sums[*entity as usize] += part);
        norm(&sums) * self.widening()
    }
}

/// The value of every metric with its interval, by resampling or otherwise. If rows of one entity depend on each other,
/// `entities` has the index of each row's entity, from 0 without gaps.
pub(crate) fn estimates(
    what: &impl Resample,
    entities: Option<&[u32]>,
    options: EvaluateOptions,
) -> Vec<(Metric, Estimate)> {
    let EvaluateOptions { seed, max_replicates, max_visits } = options;
    let affordable = max_visits / (what.n_rows() * what.n_walks()).max(1);
    if max_replicates == 0 {
        with_intervals(what, |_, _, _| None)
    } else if affordable >= MIN_REPLICATES {
        let entities = entities.map(|of| Entities::of(what, of));
        let columns = columns(&replicates(what, entities.as_ref(), max_replicates.min(affordable), seed));
        with_intervals(what, |at, metric, value| {
            resampled_interval(what, entities.as_ref(), metric, value, &columns[at])
        })
    } else {
        estimates_by_jackknife(what, entities)
    }
}

/// The value of every metric with the interval for large tables.
pub(crate) fn estimates_by_jackknife(what: &impl Resample, entities: Option<&[u32]>) -> Vec<(Metric, Estimate)> {
    let entities = entities.map(|of| Entities::of(what, of));
    with_intervals(what, |_, metric, value| smooth_interval(what, entities.as_ref(), metric, value))
}

/// The values, each with the interval of its metric.
fn with_intervals(
    what: &impl Resample,
    interval: impl Fn(usize, Metric, f64) -> Option<(f64, f64, Method)>,
) -> Vec<(Metric, Estimate)> {
    let points = points(what);
    let one = |(at, (&metric, &value)): (usize, (&Metric, &f64))| {
        let interval = if value.is_finite() { interval(at, metric, value) } else { None };
        // Equal rows, or a single row, have no variation: the ends differ only by rounding.
        let interval = interval.filter(|(low, high, _)| high - low > ROUNDING * high.abs().max(low.abs()));
        let estimate = Estimate {
            value: value.is_finite().then_some(value),
            low: interval.map(|(low, _, _)| low),
            high: interval.map(|(_, high, _)| high),
            method: interval.map(|(_, _, method)| method),
            note: what.note(metric),
        };
        (metric, estimate)
    };
    what.metrics().iter().zip(&points).enumerate().map(one).collect()
}

/// The metrics of `n` replicates. Each replicate has its own generator, so the number of threads does not matter.
fn replicates(what: &impl Resample, entities: Option<&Entities>, n: usize, seed: u64) -> Vec<Vec<f64>> {
    let replicate = |(counts, drawn): &mut (Vec<u32>, Vec<u32>), r: usize| {
        match entities {
            None => resample(counts, seed, r),
            Some(entities) => {
                resample(drawn, seed, r);
                counts.iter_mut().zip(&entities.of).for_each(|(count, entity)| *count = drawn[*entity as usize]);
            }
        }
        let mut out = vec![f64::NAN; what.metrics().len()];
        what.values(counts, &mut out);
        out
    };
    let n_entities = entities.map_or(0, |entities| entities.n);
    (0..n).into_par_iter().map_init(|| (vec![0; what.n_rows()], vec![0; n_entities]), replicate).collect()
}

/// Draws `counts.len()` rows with replacement for replicate `r`, and stores in `counts` how often each was drawn.
pub(crate) fn resample(counts: &mut [u32], seed: u64, r: usize) {
    counts.fill(0);
    let n = counts.len() as u64;
    let mut rng = random::rng(seed, &format!("bootstrap {r}"));
    // Two draws from each 64 bits by multiply and shift; the bias, n ∕ 2³², is negligible.
    for _ in 0..counts.len() / 2 {
        let bits = rng.next_u64();
        counts[(((bits >> 32) * n) >> 32) as usize] += 1;
        counts[(((bits & 0xFFFF_FFFF) * n) >> 32) as usize] += 1;
    }
    if counts.len() % 2 == 1 {
        counts[(((rng.next_u64() >> 32) * n) >> 32) as usize] += 1;
    }
}

fn columns(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = rows.first().map_or(0, Vec::len);
    (0..n).map(|c| rows.iter().map(|row| row[c]).collect()).collect()
}

/// The 2.5 % and 97.5 % quantiles of the replicates; `None` if most of them are undefined.
#[must_use]
pub fn percentile(replicates: &[f64]) -> Option<(f64, f64)> {
    let mut told: Vec<f64> = replicates.iter().copied().filter(|v| v.is_finite()).collect();
    if told.len() * 2 <= replicates.len() {
        return None;
    }
    told.sort_unstable_by(f64::total_cmp);
    Some((quantiles::quantile_sorted(&told, 0.025), quantiles::quantile_sorted(&told, 0.975)))
}

fn resampled_interval(
    what: &impl Resample,
    entities: Option<&Entities>,
    metric: Metric,
    value: f64,
    replicates: &[f64],
) -> Option<(f64, f64, Method)> {
    let (low, high) = percentile(replicates)?;
    if low == high
        && let Some(interval) = of_few(metric, value, denominator(what, entities, metric))
    {
        return Some(interval);
    }
    let Some(entities) = entities else { return Some((low, high, Method::Bootstrap)) };
    let wider = entities.widening();
    let (low, high) = within(metric.range(), value - wider * (value - low), value + wider * (high - value));
    (low.is_finite() && high.is_finite()).then_some((low, high, Method::Bootstrap))
}

fn smooth_interval(
    what: &impl Resample,
    entities: Option<&Entities>,
    metric: Metric,
    value: f64,
) -> Option<(f64, f64, Method)> {
    let Some(influences) = what.influences(metric) else { return what.other_interval(metric, entities) };
    let error = entities.map_or_else(|| norm(&influences), |entities| entities.error(&influences));
    if error == 0.0
        && let Some(interval) = of_few(metric, value, denominator(what, entities, metric))
    {
        return Some(interval);
    }
    let (low, high) = normal_interval(metric.range(), value, error);
    (low.is_finite() && high.is_finite()).then_some((low, high, Method::Jackknife))
}

fn norm(values: &[f64]) -> f64 {
    moments::sum_of(values.len(), &|i| values[i] * values[i]).sqrt()
}

/// The n of Wilson's interval: rows of one entity that are right together count as one.
fn denominator(what: &impl Resample, entities: Option<&Entities>, metric: Metric) -> f64 {
    let share = entities.map_or(1.0, |entities| entities.n as f64 / what.n_rows().max(1) as f64);
    what.denominator(metric) * share
}

/// Limits both ends to the range of a metric.
fn within(range: Range, low: f64, high: f64) -> (f64, f64) {
    match range {
        Range::Share | Range::Unit => (low.max(0.0), high.min(1.0)),
        Range::Positive => (low.max(0.0), high),
        Range::Real => (low, high),
    }
}

/// The interval of a metric with the same value in every replicate: if rows are few, all right (or all wrong) is weak
/// evidence.
///
/// For a share of `n` rows, Wilson's interval; for other metrics, the interval of being right in all of the `n` rows
/// that determine it. Chance-corrected metrics, from −1 to 1, are mapped as 2 p − 1.
fn of_few(metric: Metric, value: f64, n: f64) -> Option<(f64, f64, Method)> {
    let range = metric.range();
    let extreme = value == 1.0 || value == 0.0 && range != Range::Real;
    if n <= 0.0 || range == Range::Positive || !(range == Range::Share || extreme) {
        return None;
    }
    let (low, high) = normal::wilson(value, n);
    let low = if range == Range::Real { 2.0 * low - 1.0 } else { low };
    Some((low.min(value), high.max(value), Method::Wilson))
}

/// value ± 1.96 standard errors, taken on the log-odds scale for 0 to 1 and on the log scale for positive values, so
/// that the interval stays inside the range.
fn normal_interval(range: Range, value: f64, error: f64) -> (f64, f64) {
    let half = normal::quantile(0.975) * error;
    match range {
        Range::Share | Range::Unit if value > 0.0 && value < 1.0 => {
            let (centre, half) = ((value / (1.0 - value)).ln_portable(), half / (value * (1.0 - value)));
            let share = |log_odds: f64| 1.0 / (1.0 + (-log_odds).exp_portable());
            (share(centre - half), share(centre + half))
        }
        Range::Positive if value > 0.0 => {
            (value * (-half / value).exp_portable(), value * (half / value).exp_portable())
        }
        _ => (value - half, value + half),
    }
}

#[cfg(test)]
mod tests {
    use super::{normal_interval, percentile, resample};
    use crate::score::metric::Range;

    #[test]
    fn draws_are_as_many_as_rows_and_depend_on_the_replicate() {
        let draw = |r| {
            let mut counts = vec![0; 1001];
            resample(&mut counts, 7, r);
            counts
        };
        let first = draw(0);
        assert_eq!(first.iter().sum::<u32>(), 1001);
        assert_eq!(first, draw(0));
        assert_ne!(first, draw(1));
        // About e⁻¹ of the rows are not drawn.
        let absent = first.iter().filter(|&&c| c == 0).count();
        assert!((320..420).contains(&absent), "{absent}");
    }

    #[test]
    fn replicates_that_cannot_be_told_are_left_out_unless_most() {
        assert_eq!(percentile(&[1.0, f64::NAN, 1.0]), Some((1.0, 1.0)));
        assert_eq!(percentile(&[1.0, f64::NAN]), None);
        assert_eq!(percentile(&[]), None);
    }

    #[test]
    fn normal_intervals_stay_in_range() {
        let (low, high) = normal_interval(Range::Unit, 0.999, 0.01);
        assert!(low > 0.0 && low < 0.999 && high < 1.0, "{low} {high}");
        let (low, _) = normal_interval(Range::Positive, 0.01, 0.1);
        assert!(low > 0.0);
        let (low, high) = normal_interval(Range::Real, 0.0, 0.5);
        assert!((low + 0.979_981_992).abs() < 1e-8 && (high - 0.979_981_992).abs() < 1e-8);
        let (low, high) = normal_interval(Range::Unit, 0.5, 0.001);
        assert!((low - (0.5 - 0.00196)).abs() < 1e-6 && (high - 0.50196).abs() < 1e-6);
    }
}
