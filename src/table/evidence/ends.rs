//! The numbers at both ends of a column.

/// Distinct numbers stored at each end.
const KEPT: usize = 3;

/// The numbers at one end, from the outermost inwards, each with its count; 0 if there are fewer.
pub(crate) type End = [(f64, u64); KEPT];

/// The three smallest and the three largest distinct numbers, each with its count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ends {
    low: End,
    high: End,
}

impl Default for Ends {
    fn default() -> Self {
        Self { low: [(f64::INFINITY, 0); KEPT], high: [(f64::NEG_INFINITY, 0); KEPT] }
    }
}

impl Ends {
    #[inline]
    pub(crate) fn push(&mut self, value: f64) {
        if value <= self.low[KEPT - 1].0 {
            insert(&mut self.low, (value, 1), |a, b| a < b);
        }
        if value >= self.high[KEPT - 1].0 {
            insert(&mut self.high, (value, 1), |a, b| a > b);
        }
    }

    /// The smallest, and the next larger ones.
    pub(crate) fn low(&self) -> End {
        self.low
    }

    /// The largest, and the next smaller ones.
    pub(crate) fn high(&self) -> End {
        self.high
    }

    pub(crate) fn merge(&mut self, next: Self) {
        next.low.into_iter().filter(|end| end.1 > 0).for_each(|end| insert(&mut self.low, end, |a, b| a < b));
        next.high.into_iter().filter(|end| end.1 > 0).for_each(|end| insert(&mut self.high, end, |a, b| a > b));
    }
}

fn insert(ends: &mut End, (value, n): (f64, u64), before: impl Fn(f64, f64) -> bool) {
    match ends.iter().position(|end| end.1 == 0 || end.0 == value || before(value, end.0)) {
        Some(at) if ends[at].1 > 0 && ends[at].0 == value => ends[at].1 += n,
        Some(at) => {
            ends[at..].rotate_right(1);
            ends[at] = (value, n);
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_keeps_the_same_numbers_with_all_of_their_cells() {
        let values = [5.0, 1.0, 9.0, 1.0, -2.0, 7.0, 9.0, 9.0, 3.0, -2.0, 8.0];
        for cut in 0..=values.len() {
            let of = |values: &[f64]| {
                let mut ends = Ends::default();
                values.iter().for_each(|&value| ends.push(value));
                ends
            };
            let mut all = of(&values[..cut]);
            all.merge(of(&values[cut..]));
            assert_eq!(all.low(), [(-2.0, 2), (1.0, 2), (3.0, 1)], "{cut}");
            assert_eq!(all.high(), [(9.0, 3), (8.0, 1), (7.0, 1)], "{cut}");
        }
    }
}
