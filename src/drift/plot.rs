//! Both distributions of a column, as few enough numbers to draw.

use super::pair::{ColumnPair, PairValues};
use super::report::Plot;
use crate::stats::pooled::steps;
use crate::stats::sample::Sample;

const N_BINS: usize = 24;
/// Up to so many distinct values, each has a bin of its own.
const MAX_DISCRETE: usize = 16;
const MAX_LEVELS: usize = 12;
/// What lies beyond these shares of the reference is drawn in the outermost bins.
const TAIL: f64 = 0.005;

/// Bins or levels with the share of each side's rows.
#[must_use]
pub fn plot(pair: &ColumnPair) -> Plot {
    let (n, m) = pair.n_rows();
    match &pair.values {
        PairValues::Number { reference, current, .. } | PairValues::Time { reference, current, .. } => {
            let edges = edges(reference, current);
            if edges.len() < 2 {
                return Plot::None;
            }
            Plot::Number { reference: bin_shares(reference, &edges, n), current: bin_shares(current, &edges, m), edges }
        }
        PairValues::Category { levels, reference, current } if !levels.is_empty() => {
            level_shares(levels, (reference, n), (current, m))
        }
        PairValues::Category { .. } => Plot::None,
    }
}

/// Equal widths between the reference's tails, widened to the current values' tails; one bin per value for few values.
fn edges(reference: &Sample, current: &Sample) -> Vec<f64> {
    let values: Vec<f64> = steps(reference, current).take(MAX_DISCRETE + 1).map(|step| step.value).collect();
    if values.is_empty() {
        return Vec::new();
    }
    if values.len() <= MAX_DISCRETE {
        return between(&values);
    }
    let tails = |sample: &Sample| (!sample.is_empty()).then(|| (at(sample, TAIL), at(sample, 1.0 - TAIL)));
    let both = [tails(reference), tails(current)];
    let low = both.iter().flatten().map(|t| t.0).fold(f64::INFINITY, f64::min);
    let high = both.iter().flatten().map(|t| t.1).fold(f64::NEG_INFINITY, f64::max);
    let width = (high - low) / N_BINS as f64;
    if !(width.is_finite() && width > 0.0 && low + width > low) {
        return between(&[low, high][..if low < high { 2 } else { 1 }]);
    }
    (0..=N_BINS).map(|i| low + width * i as f64).collect()
}

/// Edges half-way between values, and as far outside the first and last.
fn between(values: &[f64]) -> Vec<f64> {
    let inner: Vec<f64> = values.windows(2).map(|w| w[0] / 2.0 + w[1] / 2.0).collect();
    let margin = |gap: Option<f64>| gap.filter(|g| *g > 0.0 && g.is_finite()).unwrap_or(0.5);
    let (first, last) = (values[0], values[values.len() - 1]);
    let left = first - margin(inner.first().map(|edge| edge - first));
    let right = last + margin(inner.last().map(|edge| last - edge));
    [vec![left], inner, vec![right]].concat()
}

/// The smallest value below or at which at least `share` of the sample lies.
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
    // Values and edges both ascend; the outermost bins hold what lies beyond them.
    let inner = edges[1..edges.len() - 1].iter();
    shares(&sample.parts(inner.map(|edge| sample.values().partition_point(|value| value < edge))), n_rows)
}

fn shares(counts: &[u64], n_rows: u64) -> Vec<f64> {
    counts.iter().map(|&count| count as f64 / n_rows.max(1) as f64).collect()
}

fn level_shares(levels: &[String], reference: (&[u64], u64), current: (&[u64], u64)) -> Plot {
    let share = |side: (&[u64], u64), level: usize| side.0[level] as f64 / side.1.max(1) as f64;
    let mut order: Vec<usize> = (0..levels.len()).collect();
    let weight = |level: usize| share(reference, level) + share(current, level);
    order.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)).then(a.cmp(&b)));
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
