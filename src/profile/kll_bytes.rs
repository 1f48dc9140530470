//! The binary form of a [`Kll`] sketch of doubles, as Apache DataSketches writes and reads it.
//!
//! ```text
//! 0  preamble ints: 5, or 2 when empty or of one item   8   n               u64
//! 1  version: 1, or 2 when of one item                 16   min_k           u16
//! 2  family: 15                                        18   levels          u8, then a zero
//! 3  flags: 1 empty, 2 level 0 sorted, 4 one item      20   where each level begins, u32 each
//! 4  k  u16                                             …   min, max, then all items, f64 each
//! 6  m: 8, then a zero                                      (one item: the item alone, at 8)
//! ```
//! All numbers are little-endian. Input is validated: every claimed size is checked against the number of bytes.

use super::kll::{Kll, M, MAX_LEVELS, total_capacity};

const FAMILY: u8 = 15;
const EMPTY: u8 = 1;
const SORTED: u8 = 2;
const SINGLE: u8 = 4;

impl Kll {
    /// The sketch in the form of `kll_doubles_sketch`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (ints, version, flags) = match self.n {
            0 => (2, 1, EMPTY | SORTED),
            1 => (2, 2, SINGLE | SORTED),
            _ => (5, 1, SORTED),
        };
        let mut bytes = vec![ints, version, FAMILY, flags];
        bytes.extend(self.k.to_le_bytes());
        bytes.extend([M, 0]);
        if self.n > 1 {
            bytes.extend(self.n.to_le_bytes());
            bytes.extend(self.min_k.to_le_bytes());
            bytes.extend([self.levels.len() as u8, 0]);
            let n_items: usize = self.levels.iter().map(Vec::len).sum();
            let mut start = total_capacity(self.k, self.levels.len()) - n_items;
            for level in &self.levels {
                bytes.extend((start as u32).to_le_bytes());
                start += level.len();
            }
            bytes.extend(self.min.to_le_bytes());
            bytes.extend(self.max.to_le_bytes());
        }
        self.levels.iter().flatten().for_each(|item| bytes.extend(item.to_le_bytes()));
        bytes
    }

    /// Reads a sketch of doubles from any source.
    ///
    /// # Errors
    /// The error in the bytes, as a clause.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut from = Bytes(bytes);
        let [ints, version, family, flags] = from.take()?;
        let k = u16::from_le_bytes(from.take()?);
        let [m, _] = from.take()?;
        if family != FAMILY {
            return Err(format!("is of family {family}, not a KLL sketch ({FAMILY})"));
        }
        if k < u16::from(M) || m != M {
            return Err(format!("has k {k} and m {m} where k is at least 8 and m is 8"));
        }
        let mut sketch = Self::new(k);
        let expected = match (flags & EMPTY != 0, flags & SINGLE != 0) {
            (true, false) => (2, 1..=1),
            (false, true) => (2, 2..=2),
            (false, false) => (5, 1..=1),
            (true, true) => return Err("says both that it is empty and that it has an item".to_owned()),
        };
        if ints != expected.0 || !expected.1.contains(&version) {
            return Err(format!("has a preamble of {ints} and version {version}, which no KLL sketch has"));
        }
        if flags & SINGLE != 0 {
            let item = f64::from_le_bytes(from.take()?);
            (sketch.n, sketch.min, sketch.max) = (1, item, item);
            sketch.levels = vec![vec![item]];
        } else if flags & EMPTY == 0 {
            sketch.read_full(&mut from, flags & SORTED != 0)?;
        }
        if !from.0.is_empty() {
            return Err(format!("has {} bytes too many", from.0.len()));
        }
        sketch.check()
    }

    fn read_full(&mut self, from: &mut Bytes<'_>, sorted: bool) -> Result<(), String> {
        self.n = u64::from_le_bytes(from.take()?);
        self.min_k = u16::from_le_bytes(from.take()?);
        let [n_levels, _] = from.take()?;
        let n_levels = usize::from(n_levels);
        if n_levels == 0 || n_levels > MAX_LEVELS || self.min_k < u16::from(M) || self.min_k > self.k {
            return Err(format!("has {n_levels} levels and min_k {}, which no KLL sketch has", self.min_k));
        }
        let mut starts = Vec::with_capacity(n_levels + 1);
        for _ in 0..n_levels {
            starts.push(u32::from_le_bytes(from.take()?) as usize);
        }
        starts.push(total_capacity(self.k, n_levels));
        (self.min, self.max) = (f64::from_le_bytes(from.take()?), f64::from_le_bytes(from.take()?));
        let n_items = starts[n_levels].checked_sub(starts[0]);
        if !starts.is_sorted() || n_items.is_none_or(|n| n * 8 != from.0.len()) {
            return Err("has levels that do not fit its length".to_owned());
        }
        self.levels.clear();
        for ends in starts.windows(2) {
            let mut level = Vec::with_capacity(ends[1] - ends[0]);
            for _ in ends[0]..ends[1] {
                level.push(f64::from_le_bytes(from.take()?));
            }
            self.levels.push(level);
        }
        if !sorted {
            self.levels[0].sort_unstable_by(f64::total_cmp);
        }
        Ok(())
    }

    /// Checks the consistency of the parts; −0 becomes 0.
    fn check(mut self) -> Result<Self, String> {
        let mut weight: u128 = 0;
        for (level, items) in self.levels.iter_mut().enumerate() {
            weight += (items.len() as u128) << level;
            if !items.iter().all(|v| v.is_finite() && (self.min..=self.max).contains(v)) {
                return Err("has items that are not finite or not between its least and its greatest".to_owned());
            }
            items.iter_mut().for_each(|v| *v += 0.0);
            if !items.is_sorted() {
                return Err(format!("has a level {level} that is not sorted"));
            }
        }
        if weight != u128::from(self.n) {
            return Err(format!("holds items for {weight} values where it says {}", self.n));
        }
        if self.n > 0 && !(self.min.is_finite() && self.max.is_finite()) {
            return Err("has a least or greatest value that is not finite".to_owned());
        }
        (self.min, self.max) = (self.min + 0.0, self.max + 0.0);
        Ok(self)
    }
}

/// The remaining bytes.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| "ends too early".to_owned())?;
        self.0 = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(n: u32) -> Kll {
        let mut sketch = Kll::new(64);
        sketch.add_sorted(&(0..n).map(f64::from).collect::<Vec<_>>());
        sketch
    }

    #[test]
    fn what_is_written_is_read() {
        for n in [0, 1, 2, 64, 65, 100_000] {
            let sketch = sketch(n);
            assert_eq!(Kll::from_bytes(&sketch.to_bytes()).unwrap(), sketch, "{n}");
        }
    }

    #[test]
    fn damaged_bytes_are_refused_and_never_believed() {
        let whole = sketch(1000).to_bytes();
        for len in 0..whole.len() {
            assert!(Kll::from_bytes(&whole[..len]).is_err(), "cut at {len}");
        }
        for at in 0..whole.len().min(80) {
            for value in [0, 1, 7, 61, 127, 255] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                // Some changes give a valid sketch; none must panic.
                if let Ok(read) = Kll::from_bytes(&bytes) {
                    assert_eq!(read.weighted().map(|(_, w)| w).sum::<u64>(), read.n());
                }
            }
        }
    }
}
