//! The numbers of a column as values.

use super::ends::Ends;

/// What the numbers of a column are, whatever they look like.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) n: u64,
    pub(crate) integers: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// The smallest and largest numbers.
    pub(crate) ends: Ends,
    run: Run,
    sum: Sum,
}

impl Numbers {
    pub(crate) fn push(&mut self, value: f64) {
        if self.n == 0 {
            (self.min, self.max) = (value, value);
        }
        self.n += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.integers += u64::from(value.fract() == 0.0);
        self.ends.push(value);
        self.run.push(value);
        self.sum.push(value);
    }

    /// Takes in a cell that is no number.
    pub(crate) fn interrupt(&mut self) {
        self.run.broken = true;
        self.sum.interrupt();
    }

    /// Takes in what the next piece of the file shows.
    pub(crate) fn merge(&mut self, next: Self) {
        if next.n > 0 {
            let empty = self.n == 0;
            self.min = if empty { next.min } else { self.min.min(next.min) };
            self.max = if empty { next.max } else { self.max.max(next.max) };
        }
        self.n += next.n;
        self.integers += next.integers;
        self.ends.merge(next.ends);
        self.run.merge(next.run);
        self.sum.merge(next.sum);
    }

    /// The first and the last number, where each is the one before plus one.
    pub(crate) fn counts(&self) -> Option<(f64, f64)> {
        self.run.unbroken()
    }

    /// Whether the last number is what all others add up to, and larger than each.
    pub(crate) fn ends_with_total(&self) -> bool {
        self.sum.ends_with_total()
    }
}

/// What the numbers of a column add up to, and the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    total: f64,
    /// Numbers that are not 0.
    n: u64,
    largest: f64,
    /// The number in the last row, and the largest size of the others.
    last: Option<f64>,
}

impl Sum {
    /// Numbers from which their sum is no chance.
    const MIN: u64 = 10;

    fn push(&mut self, value: f64) {
        self.largest = self.largest.max(self.last.map_or(0.0, f64::abs));
        self.total += value;
        self.n += u64::from(value != 0.0);
        self.last = Some(value);
    }

    fn interrupt(&mut self) {
        self.largest = self.largest.max(self.last.take().map_or(0.0, f64::abs));
    }

    fn merge(&mut self, next: Self) {
        self.largest = self.largest.max(next.largest).max(self.last.map_or(0.0, f64::abs));
        self.total += next.total;
        self.n += next.n;
        self.last = next.last;
    }

    /// Whether the last number is what all others add up to, and larger than each.
    fn ends_with_total(&self) -> bool {
        let Some(last) = self.last.filter(|_| self.n > Self::MIN) else { return false };
        let others = self.total - last;
        last.abs() > self.largest && (last - others).abs() <= 1e-9 * last.abs()
    }
}

/// Whether a column counts its rows: each number is the one before plus one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Run {
    ends: Option<(f64, f64)>,
    broken: bool,
}

impl Run {
    fn push(&mut self, value: f64) {
        let (first, last) = self.ends.unwrap_or((value, value - 1.0));
        self.broken |= value != last + 1.0;
        self.ends = Some((first, value));
    }

    fn merge(&mut self, next: Self) {
        self.broken |= next.broken;
        match (self.ends, next.ends) {
            (Some((first, last)), Some((start, end))) => {
                self.broken |= start != last + 1.0;
                self.ends = Some((first, end));
            }
            (None, ends) => self.ends = ends,
            (Some(_), None) => {}
        }
    }

    /// The first and the last number of an unbroken run.
    fn unbroken(&self) -> Option<(f64, f64)> {
        self.ends.filter(|_| !self.broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_unbroken_across_a_cut() {
        let of = |range: std::ops::Range<i32>| {
            let mut run = Run::default();
            range.for_each(|i| run.push(f64::from(i)));
            run
        };
        let mut run = of(1..50);
        run.merge(of(50..60));
        assert_eq!(run.unbroken(), Some((1.0, 59.0)));
        run.merge(of(61..70));
        assert_eq!(run.unbroken(), None);
    }
}
