//! Both distributions of a column, reduced to few enough numbers to draw.

use super::pair::{ColumnPair, PairValues};
use super::report::{Axis, Plot};
use crate::stats::pooled::steps;
use crate::stats::portable::Portable;
use crate::stats::sample::Sample;

const N_BINS: usize = 24;
/// Maximum number of distinct values for one bin per value.
const MAX_DISCRETE: usize = 16;
const MAX_LEVELS: usize = 12;
/// Values beyond these shares of the reference are drawn in the outermost bins.
const TAIL: f64 = 0.005;
/// A column is skewed if the median of each side is closer than this to the same end of the drawn range.
const SKEWED: f64 = 0.15;
/// Minimum ratio of the drawn range's ends for a logarithmic axis.
const MIN_FACTOR: f64 = 20.0;
/// Maximum number of new levels, which come first.
const MAX_NEW: usize = 5;

/// Bins or levels with the share of each side's rows.
#[must_use]
pub fn plot(pair: &ColumnPair) -> Plot {
    let (n, m) = pair.n_rows();
    match &pair.values {
        PairValues::Number { reference, current, .. } => numbers((reference, n), (current, m), true),
        PairValues::Time { reference, current, .. } => numbers((reference, n), (current, m), false),
        PairValues::Category { levels, reference, current } if !levels.is_empty() => {
            level_shares(levels, (reference, n), (current, m))
        }
        PairValues::Category { .. } => Plot::None,
    }
}

/// Bins of both sides; `bends` says whether a non-linear axis is allowed.
fn numbers((reference, n): (&Sample, u64), (current, m): (&Sample, u64), bends: bool) -> Plot {
    let (edges, axis) = edges(reference, current, bends);
    if edges.len() < 2 {
        return Plot::None;
    }
    Plot::Number { reference: bin_shares(reference, &edges, n), current: bin_shares(current, &edges, m), edges, axis }
}

/// Steps between the reference's tails, widened to the current values' tails; one bin per value for few values.
fn edges(reference: &Sample, current: &Sample, bends: bool) -> (Vec<f64>, Axis) {
    let values: Vec<f64> = steps(reference, current).take(MAX_DISCRETE + 1).map(|step| step.value).collect();
    if values.is_empty() {
        return (Vec::new(), Axis::Linear);
    }
    if values.len() <= MAX_DISCRETE {
        return (between(&values), Axis::Linear);
    }
    let tails = |sample: &Sample| (!sample.is_empty()).then(|| (at(sample, TAIL), at(sample, 1.0 - TAIL)));
    let both = [tails(reference), tails(current)];
    let low = both.iter().flatten().map(|t| t.0).fold(f64::INFINITY, f64::min);
    let high = both.iter().flatten().map(|t| t.1).fold(f64::NEG_INFINITY, f64::max);
    let width = (high - low) / N_BINS as f64;
    if !(width.is_finite() && width > 0.0 && low + width > low) {
        return (between(&[low, high][..if low < high { 2 } else { 1 }]), Axis::Linear);
    }
    let step = |i: usize| i as f64 / N_BINS as f64;
    match is_skewed([reference, current], (low, high)) && bends {
        true if low > 0.0 && high / low >= MIN_FACTOR => {
            let inner = (1..N_BINS).map(|i| low * (high / low).powf_portable(step(i)));
            (std::iter::once(low).chain(inner).chain([high]).collect(), Axis::Log)
        }
        true => (quantiles(if reference.is_empty() { current } else { reference }, low, high), Axis::Quantile),
        false => ((0..=N_BINS).map(|i| low + width * i as f64).collect(), Axis::Linear),
    }
}

/// Whether a linear axis would put the median of each side into the same corner.
fn is_skewed(sides: [&Sample; 2], (low, high): (f64, f64)) -> bool {
    let places = || sides.iter().filter(|side| !side.is_empty()).map(|side| (at(side, 0.5) - low) / (high - low));
    places().all(|place| place < SKEWED) || places().all(|place| place > 1.0 - SKEWED)
}

/// Edges with about equal numbers of rows of `sample` between them; if one value makes up most rows, equal numbers of
/// distinct values.
fn quantiles(sample: &Sample, low: f64, high: f64) -> Vec<f64> {
    const LEAST: usize = 8;
    let ascending = |inner: &mut dyn Iterator<Item = f64>| {
        let mut edges = vec![low];
        for edge in inner.chain([high]) {
            if edges.last().is_some_and(|last| edge > *last) && edge <= high {
                edges.push(edge);
            }
        }
        edges
    };
    let by_rows = ascending(&mut (1..N_BINS).map(|i| at(sample, i as f64 / N_BINS as f64)));
    if by_rows.len() >= LEAST {
        return by_rows;
    }
    let (values, n) = (sample.values(), sample.values().len());
    ascending(&mut (1..N_BINS).filter_map(|i| values.get(i * n / N_BINS).copied()))
}

/// Edges half-way between values, and at the same distance outside the first and last.
fn between(values: &[f64]) -> Vec<f64> {
    let inner: Vec<f64> = values.windows(2).map(|w| w[0] / 2.0 + w[1] / 2.0).collect();
    let margin = |gap: Option<f64>| gap.filter(|g| *g > 0.0 && g.is_finite()).unwrap_or(0.5);
    let (first, last) = (values[0], values[values.len() - 1]);
    let left = first - margin(inner.first().map(|edge| edge - first));
    let right = last + margin(inner.last().map(|edge| last - edge));
    [vec![left], inner, vec![right]].concat()
}

/// The smallest value such that at least `share` of the sample is at or below it.
fn at(sample: &Sample, share: f64) -> f64 {
    let target = share * sample.n() as f64;
    let mut sum = 0;
    for (&value, &count) in sample.values().iter().zip(sample.counts()) {
        sum += count;
        if sum as f64 >= target {
            return value;
        }
    }
    sample.values().last().copied().unwrap_or(f64::NAN)
}

fn bin_shares(sample: &Sample, edges: &[f64], n_rows: u64) -> Vec<f64> {
    // Values and edges both ascend; the outermost bins contain values beyond them.
    let inner = edges[1..edges.len() - 1].iter();
    shares(&sample.parts(inner.map(|edge| sample.values().partition_point(|value| value < edge))), n_rows)
}

fn shares(counts: &[u64], n_rows: u64) -> Vec<f64> {
    counts.iter().map(|&count| count as f64 / n_rows.max(1) as f64).collect()
}

fn level_shares(levels: &[String], reference: (&[u64], u64), current: (&[u64], u64)) -> Plot {
    let share = |side: (&[u64], u64), level: usize| side.0[level] as f64 / side.1.max(1) as f64;
    let change = |level: usize| (share(current, level) - share(reference, level)).abs();
    let is_new = |level: usize| reference.1 > 0 && reference.0[level] == 0 && current.0[level] > 0;
    let mut by_change: Vec<usize> = (0..levels.len()).collect();
    by_change.sort_by(|&a, &b| change(b).total_cmp(&change(a)).then(a.cmp(&b)));
    let new: Vec<usize> = by_change.iter().copied().filter(|&level| is_new(level)).take(MAX_NEW).collect();
    let known = by_change.into_iter().filter(|level| !new.contains(level));
    let order: Vec<usize> = new.iter().copied().chain(known).collect();
    let shown = if levels.len() > MAX_LEVELS { MAX_LEVELS - 1 } else { levels.len() };
    let column = |side| order.iter().take(shown).map(|&level| share(side, level)).collect::<Vec<f64>>();
    let (mut names, mut left, mut right): (Vec<String>, _, _) =
        (order.iter().take(shown).map(|&level| levels[level].clone()).collect(), column(reference), column(current));
    if shown < levels.len() {
        let rest = |side| order.iter().skip(shown).map(|&level| share(side, level)).sum::<f64>();
        names.push("(other levels)".to_owned());
        left.push(rest(reference));
        right.push(rest(current));
    }
    Plot::Category { levels: names, reference: left, current: right }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: impl IntoIterator<Item = f64>) -> Sample {
        Sample::from_values(values.into_iter().collect())
    }

    #[test]
    fn a_long_tail_bends_the_axis() {
        let even = |i: u32| f64::from(i) / 1000.0;
        let flat = sample((0..1000).map(even));
        assert_eq!(edges(&flat, &flat, true).1, Axis::Linear);
        // Log-normal amounts: linear steps put nearly all rows into the first bin.
        let amounts = sample((1..1000).map(|i| (4.0 + 1.5 * crate::stats::normal::quantile(even(i))).exp()));
        let (log, axis) = edges(&amounts, &amounts, true);
        assert_eq!((axis, log.len()), (Axis::Log, N_BINS + 1));
        let shares = bin_shares(&amounts, &log, amounts.n());
        assert!(shares.iter().all(|share| *share < 0.15), "{shares:?}");
        assert_eq!(edges(&amounts, &amounts, false).1, Axis::Linear, "times stay straight");
        // With zeros, no logarithmic axis is possible.
        let gaps = sample((0..1000).map(|i| if i < 100 { 0.0 } else { -(1.0 - even(i)).ln() * 200.0 }));
        let (steps, axis) = edges(&gaps, &gaps, true);
        assert_eq!(axis, Axis::Quantile);
        let shares = bin_shares(&gaps, &steps, gaps.n());
        assert!(shares.iter().skip(1).all(|share| (0.02..0.09).contains(share)), "{shares:?}");
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
        // Nearly all rows have one value: the others are still separated.
        let rare = sample((0..1000).map(|i| if i < 960 { 0.0 } else { f64::from(i) }));
        assert!(edges(&rare, &rare, true).0.len() > 8);
    }

    #[test]
    fn new_and_most_changed_levels_come_first() {
        let names: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
        let Plot::Category { levels, reference, current } =
            level_shares(&names, (&[50, 30, 20, 0], 100), (&[49, 10, 36, 5], 100))
        else {
            panic!("levels")
        };
        assert_eq!(levels, ["d", "b", "c", "a"]);
        assert_eq!((reference[0], current[0]), (0.0, 0.05));
        let many: Vec<String> = (0..40).map(|i| i.to_string()).collect();
        let (mut before, mut now) = (vec![10; 40], vec![10; 40]);
        (before[39], now[38]) = (0, 100);
        let Plot::Category { levels, .. } = level_shares(&many, (&before, 390), (&now, 490)) else { panic!("levels") };
        assert_eq!((levels[0].as_str(), levels[1].as_str(), levels.len()), ("39", "38", MAX_LEVELS));
    }
}
