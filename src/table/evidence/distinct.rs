//! How many distinct values there are, in bounded memory.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

/// Maximum number of distinct values counted exactly.
const MAX_DISTINCT: usize = 1 << 14;
/// Counts distinct hashes exactly up to a bound, and beyond it by a sample of the hash space that is halved whenever it
/// overflows. The sample depends on the values only, not on their order.
///
/// Source: Flajolet, "On adaptive sampling" (1990); relative error about 1.2/√(sample), 1 % here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Distinct {
    /// Only hashes whose lowest `depth` bits are zero are stored.
    depth: u32,
    counts: HashMap<u64, u32, BuildHasherDefault<AsIs>>,
}

/// A hasher for keys that are already hashes.
#[derive(Debug, Clone, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        // The table uses the upper and the lowest bits; the lowest are zero in a deep sample.
        self.0.rotate_right(20)
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl Distinct {
    #[inline]
    pub(crate) fn push(&mut self, hash: u64) {
        self.add(hash, 1);
    }

    #[inline]
    fn add(&mut self, hash: u64, count: u32) {
        if hash & ((1 << self.depth) - 1) != 0 {
            return;
        }
        let slot = self.counts.entry(hash).or_insert(0);
        *slot = slot.saturating_add(count);
        if self.counts.len() > MAX_DISTINCT {
            self.depth += 1;
            let mask = (1 << self.depth) - 1;
            self.counts.retain(|hash, _| hash & mask == 0);
        }
    }

    pub(crate) fn merge(&mut self, next: Self) {
        while self.depth < next.depth {
            self.depth += 1;
            let mask = (1 << self.depth) - 1;
            self.counts.retain(|hash, _| hash & mask == 0);
        }
        for (hash, count) in next.counts {
            self.add(hash, count);
        }
    }

    /// The number of distinct values.
    pub(crate) fn count(&self) -> u64 {
        (self.counts.len() as u64) << self.depth
    }

    /// Whether [`count`](Self::count) is exact.
    pub(crate) fn is_exact(&self) -> bool {
        self.depth == 0
    }

    /// Whether each value (of the sample) occurs once.
    pub(crate) fn all_once(&self) -> bool {
        self.counts.values().all(|&n| n == 1)
    }

    /// Share of values that occur once, among the cells (of the sample).
    pub(crate) fn share(&self) -> f64 {
        let cells: u64 = self.counts.values().map(|&n| u64::from(n)).sum();
        if cells == 0 { 0.0 } else { self.counts.len() as f64 / cells as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_counts_are_close_and_do_not_depend_on_order() {
        let mut forward = Distinct::default();
        let mut backward = Distinct::default();
        for i in 0..200_000_u64 {
            forward.push(xxh3_64(&i.to_le_bytes()));
            backward.push(xxh3_64(&(199_999 - i).to_le_bytes()));
        }
        assert_eq!((forward.count(), forward.depth), (backward.count(), backward.depth));
        let error = forward.count() as f64 / 200_000.0 - 1.0;
        assert!(error.abs() < 0.04, "{error}");
        assert!(forward.all_once() && !forward.is_exact());
        forward.merge(backward);
        assert!(!forward.all_once());
    }
}
