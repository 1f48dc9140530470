//! The KLL quantile sketch, with coin tosses derived from the data, so that the same input gives the same sketch.
//!
//! ```text
//! level   weight   items (each level sorted)
//!   0        1     ···········          a full level passes every other item to the next one,
//!   1        2     ·················    beginning with the first or the second by a coin toss
//!   2        4     ··························
//! ```
//! Karnin, Lang, Liberty, "Optimal quantile approximation in streams" (FOCS 2016), with the capacities and the binary
//! form of Apache DataSketches, so that its Java, C++ and Python libraries can read these sketches and the reverse.

use super::sort::merge_into;
use crate::stats::portable::Portable;

/// The `k` of sketches made here: a rank is off by less than 0.0007 of the rows with 99 % confidence.
pub const DEFAULT_K: u16 = 4096;
/// The minimum capacity of a level, part of the binary form.
pub(super) const M: u8 = 8;
/// The maximum number of levels: weights have 64 bits.
pub(super) const MAX_LEVELS: usize = 61;

/// A sketch of the distribution of finite numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Kll {
    pub(super) k: u16,
    /// The smallest `k` that was merged in: it bounds the error.
    pub(super) min_k: u16,
    pub(super) n: u64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// Sorted items of weight 2^level.
    pub(super) levels: Vec<Vec<f64>>,
}

impl Kll {
    /// An empty sketch; `k` is at least 8.
    #[must_use]
    pub fn new(k: u16) -> Self {
        let k = k.max(u16::from(M));
        Self { k, min_k: k, n: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, levels: vec![Vec::new()] }
    }

    /// Number of values added.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The maximum rank error as a share of the rows, with 99 % confidence.
    ///
    /// The fit to measured errors that Apache DataSketches publishes: 2.296 ∕ k^0.9723.
    ///
    /// ```
    /// use mlloop::profile::kll::{DEFAULT_K, Kll};
    /// assert!((Kll::new(DEFAULT_K).rank_error() - 0.000706).abs() < 1e-6);
    /// ```
    #[must_use]
    pub fn rank_error(&self) -> f64 {
        2.296 / f64::from(self.min_k).powf_portable(0.9723)
    }

    /// The items with their weights, level by level.
    pub fn weighted(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.levels.iter().enumerate().flat_map(|(level, items)| items.iter().map(move |&v| (v, 1 << level)))
    }

    /// Adds finite values that are sorted.
    pub(super) fn add_sorted(&mut self, values: &[f64]) {
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return };
        self.n += values.len() as u64;
        (self.min, self.max) = (self.min.min(first), self.max.max(last));
        merge_into(&mut self.levels[0], values);
        self.compress();
    }

    /// Adds sorted distinct values, each `counts` times.
    pub(super) fn add_weighted(&mut self, values: &[f64], counts: &[u64]) {
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return };
        self.n += counts.iter().sum::<u64>();
        (self.min, self.max) = (self.min.min(first), self.max.max(last));
        // A count is a sum of powers of two, and those are the weights of the levels.
        let highest = counts.iter().map(|c| c.checked_ilog2().unwrap_or(0)).max().unwrap_or(0) as usize;
        for level in 0..=highest {
            let here = values.iter().zip(counts).filter(|&(_, count)| count >> level & 1 == 1);
            let items: Vec<f64> = here.map(|(&v, _)| v).collect();
            self.put(level, &items);
        }
        self.compress();
    }

    /// Merges another sketch.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        self.n += other.n;
        (self.min, self.max) = (self.min.min(other.min), self.max.max(other.max));
        if other.levels.len() > 1 {
            self.min_k = self.min_k.min(other.min_k);
        }
        for (level, items) in other.levels.iter().enumerate() {
            self.put(level, items);
        }
        self.compress();
    }

    fn put(&mut self, level: usize, items: &[f64]) {
        if self.levels.len() <= level {
            self.levels.resize(level + 1, Vec::new());
        }
        merge_into(&mut self.levels[level], items);
    }

    /// Compacts the lowest full level until all items have room.
    fn compress(&mut self) {
        while self.levels.iter().map(Vec::len).sum::<usize>() > total_capacity(self.k, self.levels.len()) {
            let n_levels = self.levels.len();
            let full = (0..n_levels).find(|&l| self.levels[l].len() >= capacity(self.k, n_levels, l));
            // If the total is over capacity, one level is.
            let Some(level) = full else { return };
            if level + 1 == n_levels {
                self.levels.push(Vec::new());
            }
            let mut items = std::mem::take(&mut self.levels[level]);
            // The last item of an odd number stays; any would do, and the largest is stored anyway.
            let stays = if items.len() % 2 == 1 { items.pop() } else { None };
            let first = usize::from(self.coin(level, &items));
            let promoted = items.len() / 2;
            for i in 0..promoted {
                items[i] = items[2 * i + first];
            }
            merge_into(&mut self.levels[level + 1], &items[..promoted]);
            items.clear();
            items.extend(stays);
            self.levels[level] = items;
        }
    }

    /// A fair coin, derived from the compacted items: no state to store, and pieces of one table toss differently.
    fn coin(&self, level: usize, items: &[f64]) -> bool {
        let mut state = self.n ^ (level as u64) << 56;
        for at in [0, items.len() / 3, items.len() / 2, items.len().saturating_sub(1)] {
            state = mix(state ^ items.get(at).map_or(0, |v| v.to_bits()));
        }
        state & 1 == 1
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The capacity of a sketch of `n_levels`.
pub(super) fn total_capacity(k: u16, n_levels: usize) -> usize {
    (0..n_levels).map(|level| capacity(k, n_levels, level)).sum()
}

/// The capacity of `level`: k · (2/3)^depth, at least 8, rounded as DataSketches does.
pub(super) fn capacity(k: u16, n_levels: usize, level: usize) -> usize {
    let depth = n_levels - level - 1;
    let scaled = if depth <= 30 {
        shallow(u64::from(k), depth)
    } else {
        shallow(shallow(u64::from(k), depth / 2), depth - depth / 2)
    };
    scaled.max(u64::from(M)) as usize
}

fn shallow(k: u64, depth: usize) -> u64 {
    let twice = (k << (depth + 1)) / 3_u64.pow(depth as u32);
    (twice + 1) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worst |estimated − true| rank over all integers below `n`, in shares.
    fn worst(sketch: &Kll, n: u64) -> f64 {
        let mut items: Vec<(f64, u64)> = sketch.weighted().collect();
        items.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut below, mut worst) = (0, 0.0_f64);
        for (value, weight) in items {
            worst = worst.max((below as f64 - value).abs());
            below += weight;
            worst = worst.max((below as f64 - value - 1.0).abs());
        }
        worst / n as f64
    }

    fn shuffled(n: u64) -> Vec<f64> {
        let mut keyed: Vec<(u64, f64)> = (0..n).map(|i| (mix(i), i as f64)).collect();
        keyed.sort_unstable_by_key(|k| k.0);
        keyed.into_iter().map(|k| k.1).collect()
    }

    fn sketched(k: u16, values: &[f64], block: usize) -> Kll {
        let mut sketch = Kll::new(k);
        for block in values.chunks(block) {
            let mut block = block.to_vec();
            block.sort_unstable_by(f64::total_cmp);
            sketch.add_sorted(&block);
        }
        sketch
    }

    #[test]
    fn ranks_are_as_close_as_stated() {
        for (n, k) in [(200_000, DEFAULT_K), (300_000, 200), (50_000, 8)] {
            for values in [shuffled(n), (0..n).map(|i| i as f64).collect()] {
                let sketch = sketched(k, &values, 4096);
                assert_eq!(sketch.n(), n);
                assert_eq!(sketch.weighted().map(|i| i.1).sum::<u64>(), n);
                assert!(sketch.levels.iter().all(|l| l.is_sorted()));
                assert!(sketch.levels.iter().map(Vec::len).sum::<usize>() <= total_capacity(k, sketch.levels.len()));
                // The maximum over all ranks is larger than the error of a single one: twice the bound is allowed.
                let (worst, bound) = (worst(&sketch, n), sketch.rank_error());
                assert!(worst < 2.0 * bound, "n {n} k {k}: {worst} against {bound}");
            }
        }
    }

    #[test]
    fn merged_pieces_are_as_close_as_the_whole() {
        let (n, k) = (200_000, 512);
        let mut all = Kll::new(k);
        for piece in shuffled(n).chunks(10_000) {
            all.merge(&sketched(k, piece, 1000));
        }
        assert_eq!(all.n(), n);
        assert!(worst(&all, n) < 2.0 * all.rank_error());
        let mut weighted = Kll::new(k);
        let values: Vec<f64> = (0..n / 4).map(|i| i as f64 * 4.0 + 1.5).collect();
        weighted.add_weighted(&values, &vec![4; values.len()]);
        assert_eq!(weighted.n(), n);
        assert!(worst(&weighted, n) < 2.0 * weighted.rank_error());
    }

    #[test]
    fn capacities_are_those_of_datasketches() {
        assert_eq!(total_capacity(200, 1), 200);
        assert_eq!((0..5).map(|l| capacity(200, 5, l)).collect::<Vec<_>>(), [40, 59, 89, 133, 200]);
        assert_eq!(capacity(8, MAX_LEVELS, 0), 8);
    }
}
