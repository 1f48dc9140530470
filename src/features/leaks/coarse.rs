//! Columns that are a coarser form of the target: rounded, binned, or with merged classes.

use super::{ENOUGH_CLASS_ROWS, How, MIN_AUC, MIN_CLASS_ROWS, PERFECT_AUC, Sample};
use crate::features::target::Task;
use crate::stats::ranks;

/// Maximum share of rows that may be in another group of classes than the rest of their class.
const MAX_MIXED: f64 = 0.005;
/// Maximum number of values of a column that divides a number into ranges, minimum number of rows per value, and
/// minimum share of rows with such a value.
const MAX_RANGES: usize = 64;
const MIN_RANGE_ROWS: u32 = 5;
const MIN_RANGED: f64 = 0.9;

impl Sample<'_> {
    /// The share of pairs of rows of different bins that the bins order as the target does, if that is nearly every
    /// pair (Harrell's C without tied targets). Bins of few rows are skipped.
    pub(super) fn sorted(&self, bins: &[u32]) -> Option<f64> {
        let n_bins = bins.iter().max().map_or(0, |&b| b as usize + 1);
        let mut sums = vec![(0_u32, 0.0_f64); n_bins];
        let ranks = ranks::average(&self.value);
        for (&bin, rank) in bins.iter().zip(&ranks) {
            let sum = &mut sums[bin as usize];
            *sum = (sum.0 + 1, sum.1 + rank);
        }
        let mut kept: Vec<usize> = (0..n_bins).filter(|&bin| sums[bin].0 >= MIN_RANGE_ROWS).collect();
        let n_kept: u32 = kept.iter().map(|&bin| sums[bin].0).sum();
        let n_largest = kept.iter().map(|&bin| sums[bin].0).max().unwrap_or(0);
        let n_fewer = (n_kept - n_largest) as usize;
        let enough = f64::from(n_kept) >= MIN_RANGED * bins.len() as f64 && n_fewer >= MIN_CLASS_ROWS;
        if !enough || !(2..=MAX_RANGES).contains(&kept.len()) {
            return None;
        }
        let mean = |bin: usize| sums[bin].1 / f64::from(sums[bin].0);
        kept.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)));
        let mut place = vec![usize::MAX; n_bins];
        kept.iter().enumerate().for_each(|(at, &bin)| place[bin] = at);
        let mut rows: Vec<(f64, usize)> =
            ranks.iter().zip(bins).map(|(&rank, &bin)| (rank, place[bin as usize])).collect();
        rows.retain(|(_, at)| *at != usize::MAX);
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let share = in_order(&rows, kept.len());
        let least = if n_fewer < ENOUGH_CLASS_ROWS { PERFECT_AUC } else { MIN_AUC };
        (share >= least).then_some(share)
    }

    /// Classes that the bins separate from the others, if each class is in one bin.
    pub(super) fn grouped(&self, bins: &[u32]) -> Option<How> {
        let mut known: Vec<u32> = bins.to_vec();
        known.sort_unstable();
        known.dedup();
        let n_bins = known.len();
        if self.task != Task::Multiclass || n_bins > self.every.len() {
            return None;
        }
        let (mut groups, mut n_rows, mut n_mixed) = (vec![(0, Vec::new()); n_bins], 0, 0);
        for class in &self.classes {
            let mut counts = vec![0; n_bins];
            let own = bins.iter().zip(&self.value).filter(|(_, v)| **v == class.index);
            own.for_each(|(bin, _)| counts[known.binary_search(bin).unwrap_or(0)] += 1);
            let home = (0..n_bins).max_by_key(|&bin| counts[bin])?;
            (n_rows, n_mixed) = (n_rows + class.rows, n_mixed + class.rows - counts[home]);
            groups[home].0 += class.rows;
            groups[home].1.push(class.name.clone());
        }
        groups.retain(|(_, classes)| !classes.is_empty());
        let smallest = groups.iter().min_by_key(|(rows, _)| *rows)?;
        let apart = groups.len() > 1 && n_mixed as f64 <= MAX_MIXED * n_rows as f64;
        apart.then(|| How::SeparatesClasses(smallest.1.clone()))
    }
}

/// The share of pairs of rows of different ranges that the ranges order as the values do; `rows` are ascending.
fn in_order(rows: &[(f64, usize)], n_ranges: usize) -> f64 {
    let (mut below, mut in_order, mut pairs) = (vec![0_u64; n_ranges], 0_u64, 0_u64);
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        let n_below: u64 = below.iter().sum();
        for (_, at) in tied {
            in_order += below[..*at].iter().sum::<u64>();
            pairs += n_below - below[*at];
        }
        tied.iter().for_each(|(_, at)| below[*at] += 1);
    }
    in_order as f64 / pairs.max(1) as f64
}
