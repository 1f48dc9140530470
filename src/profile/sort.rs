//! Sorts and merges blocks of numbers.

use std::cell::RefCell;

/// Bits per pass of the radix sort.
const DIGIT: u32 = 11;
/// Passes; lower bits are left to a comparison sort of the remaining ties.
const PASSES: usize = 3;
/// For shorter blocks, counting is not worth it.
const MIN_RADIX: usize = 2048;

thread_local! {
    /// Memory for the keys of a block, reused for the next block.
    static KEYS: RefCell<Keys> = RefCell::default();
}

#[derive(Default)]
struct Keys {
    keys: Vec<u64>,
    spare: Vec<u64>,
}

/// Sorts finite numbers, none of them -0, as integers in the same order.
pub(super) fn sort(values: &mut [f64]) {
    KEYS.with_borrow_mut(|keys| keys.sort(values));
}

impl Keys {
    fn sort(&mut self, values: &mut [f64]) {
        const SIGN: u64 = 1 << 63;
        self.keys.clear();
        // All bits of a negative number are flipped, of others only the sign; the reverse restores them.
        self.keys.extend(values.iter().map(|value| {
            let bits = value.to_bits();
            bits ^ if bits & SIGN == 0 { SIGN } else { u64::MAX }
        }));
        if values.len() < MIN_RADIX {
            self.keys.sort_unstable();
        } else {
            self.radix();
        }
        for (value, &key) in values.iter_mut().zip(&self.keys) {
            *value = f64::from_bits(key ^ if key & SIGN == 0 { u64::MAX } else { SIGN });
        }
    }

    /// Radix sort of the highest bits in which keys differ, from the lowest digit: few keys agree in all of those.
    fn radix(&mut self) {
        const MASK: u64 = (1 << DIGIT) - 1;
        let Self { keys, spare } = self;
        let varying = keys.iter().fold(0, |all, key| all | (key ^ keys[0]));
        if varying == 0 {
            return;
        }
        let (high, least) = (64 - varying.leading_zeros(), varying.trailing_zeros());
        let low = high.saturating_sub(DIGIT * PASSES as u32).max(least);
        let mut counts = [[0_u32; 1 << DIGIT]; PASSES];
        for key in keys.iter() {
            for (pass, counts) in (0..).zip(&mut counts) {
                counts[(key >> low >> (DIGIT * pass) & MASK) as usize] += 1;
            }
        }
        spare.resize(keys.len(), 0);
        for (pass, places) in (0..).zip(&mut counts).take((high - low).div_ceil(DIGIT) as usize) {
            let mut sum = 0;
            for place in places.iter_mut() {
                sum += std::mem::replace(place, sum);
            }
            for &key in keys.iter() {
                let place = &mut places[(key >> low >> (DIGIT * pass) & MASK) as usize];
                spare[*place as usize] = key;
                *place += 1;
            }
            std::mem::swap(keys, spare);
        }
        if low > least {
            keys.chunk_by_mut(|a, b| a >> low == b >> low).filter(|run| run.len() > 1).for_each(<[u64]>::sort_unstable);
        }
    }
}

/// Merges sorted `more` into sorted `all`, from both ends at once. It avoids a branch on which of two is next, which is
/// unpredictable, and neither end waits for the other.
pub(super) fn merge_into(all: &mut Vec<f64>, more: &[f64]) {
    if all.is_empty() {
        all.extend_from_slice(more);
        return;
    }
    let mut merged = vec![0.0; all.len() + more.len()];
    let (mut a, mut b, mut out) = (&all[..], more, &mut merged[..]);
    while a.len() > 1 && b.len() > 1 {
        // During this many steps, both sides still have values.
        let n_steps = a.len().min(b.len()) / 2;
        let (mut left, mut right) = (0, 0);
        let (mut left_end, mut right_end, out_end) = (a.len() - 1, b.len() - 1, out.len() - 1);
        for step in 0..n_steps {
            let is_left = a[left] <= b[right];
            out[step] = if is_left { a[left] } else { b[right] };
            left += usize::from(is_left);
            right += usize::from(!is_left);
            let is_right = a[left_end] <= b[right_end];
            out[out_end - step] = if is_right { b[right_end] } else { a[left_end] };
            left_end -= usize::from(!is_right);
            right_end -= usize::from(is_right);
        }
        (a, b) = (&a[left..=left_end], &b[right..=right_end]);
        out = &mut out[n_steps..=out_end - n_steps];
    }
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let at = few.first().map_or(0, |value| many.partition_point(|v| v < value));
    let (before, rest) = out.split_at_mut(at);
    let (here, after) = rest.split_at_mut(few.len());
    before.copy_from_slice(&many[..at]);
    here.copy_from_slice(few);
    after.copy_from_slice(&many[at..]);
    *all = merged;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::hash64;

    fn random(i: u64) -> f64 {
        hash64(&i.to_le_bytes(), 0) as f64 / u64::MAX as f64 - 0.5
    }

    #[test]
    fn every_kind_of_number_is_sorted() {
        let kinds: [(&str, &dyn Fn(u64) -> f64); 8] = [
            ("normal", &|i| (0..12).map(|j| random(12 * i + j)).sum()),
            ("skewed", &|i| (20.0 * random(i)).exp()),
            ("whole", &|i| (random(i) * 30.0).round() + 0.0),
            ("far", &|i| 1e15 + (random(i) * 1e4).round()),
            ("close", &|i| if i % 3 == 0 { random(i) } else { 7.0 + random(i) * 1e-13 }),
            ("extreme", &|i| [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324, 0.0][i as usize % 6]),
            ("equal", &|_| 2.5),
            ("ascending", &|i| i as f64),
        ];
        for (name, kind) in kinds {
            for n in [0, 1, 2, MIN_RADIX - 1, MIN_RADIX, 4096, 10_000] {
                let mut values: Vec<f64> = (0..n as u64).map(kind).collect();
                let mut expected = values.clone();
                expected.sort_by(f64::total_cmp);
                sort(&mut values);
                assert!(values == expected, "{name} {n}");
            }
        }
    }

    #[test]
    fn merging_is_sorting_the_two_together() {
        let sorted = |from: u64, n: u64| {
            let mut values: Vec<f64> = (from..from + n).map(|i| (random(i) * 40.0).round() + 0.0).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let lengths = [0, 1, 2, 3, 4, 5, 17, 100];
        for (n, m) in lengths.iter().flat_map(|&n| lengths.map(|m| (n, m))) {
            for shift in [-100.0, 0.0, 100.0] {
                let (mut all, more) =
                    (sorted(n * m, n), sorted(1000 + n, m).iter().map(|v| v + shift).collect::<Vec<_>>());
                let mut expected = [all.clone(), more.clone()].concat();
                expected.sort_by(f64::total_cmp);
                merge_into(&mut all, &more);
                assert_eq!(all, expected, "{n} and {m}, {shift}");
            }
        }
    }
}
