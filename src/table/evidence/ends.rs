//! The numbers at both ends of a column.

/// The two smallest and the two largest distinct numbers, each with its count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    low: [(f64, u64); 2],
    high: [(f64, u64); 2],
}

impl Default for Ends {
    fn default() -> Self {
        Self { low: [(f64::INFINITY, 0); 2], high: [(f64::NEG_INFINITY, 0); 2] }
    }
}

impl Ends {
    #[inline]
    pub(crate) fn push(&mut self, value: f64) {
        if value <= self.low[1].0 {
            insert(&mut self.low, (value, 1), |a, b| a < b);
        }
        if value >= self.high[1].0 {
            insert(&mut self.high, (value, 1), |a, b| a > b);
        }
    }

    /// The smallest, and the next larger.
    pub(crate) fn low(&self) -> [(f64, u64); 2] {
        self.low
    }

    /// The largest, and the next smaller.
    pub(crate) fn high(&self) -> [(f64, u64); 2] {
        self.high
    }

    pub(crate) fn merge(&mut self, next: Self) {
        next.low.into_iter().filter(|end| end.1 > 0).for_each(|end| insert(&mut self.low, end, |a, b| a < b));
        next.high.into_iter().filter(|end| end.1 > 0).for_each(|end| insert(&mut self.high, end, |a, b| a > b));
    }
}

fn insert(ends: &mut [(f64, u64); 2], (value, n): (f64, u64), before: impl Fn(f64, f64) -> bool) {
    match ends.iter().position(|end| end.0 == value && end.1 > 0) {
        Some(at) => ends[at].1 += n,
        None if ends[0].1 == 0 || before(value, ends[0].0) => *ends = [(value, n), ends[0]],
        None if ends[1].1 == 0 || before(value, ends[1].0) => ends[1] = (value, n),
        None => {}
    }
}
