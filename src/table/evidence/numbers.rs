//! The numbers of a column as values.

use super::ends::Ends;

/// Statistics of the numbers of a column, independent of the notation.
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

    /// Adds a cell that is not a number.
    pub(crate) fn interrupt(&mut self) {
        self.run.broken = true;
        self.sum.interrupt();
    }

    /// Merges the evidence from the next piece of the file.
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

    /// The first and the last number, if each is the previous one plus one.
    pub(crate) fn counts(&self) -> Option<(f64, f64)> {
        self.run.unbroken()
    }

    /// Whether the number in the last row is the mean of all others, rounded. `None` if there is no such number, or if
    /// it may be ordinary data: a whole number among whole numbers, or zero.
    pub(crate) fn ends_with_mean(&self) -> Option<bool> {
        let number = self.sum.last.filter(|_| self.n > Sum::MIN)?;
        let mean = (self.sum.total - number) / (self.n - 1) as f64;
        let range = self.max - self.min;
        let is_near = range > 0.0 && (number - mean).abs() <= NEAR * range;
        let is_usual = number == 0.0 || self.integers == self.n;
        (!(is_near && is_usual)).then_some(is_near)
    }

    /// Whether the number in that row is the sum of all others, and larger than each.
    pub(crate) fn has_total(&self, end: Total) -> bool {
        self.sum.is_of_others(match end {
            Total::First => self.sum.first,
            Total::Last => self.sum.last,
        })
    }
}

/// How close a number must be to the mean of the others, as a fraction of their range: means are rounded.
const NEAR: f64 = 0.01;

/// A row at one end of a table that may be the total of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Total {
    First,
    Last,
}

/// The sum of the numbers of a column, and the first and the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    total: f64,
    /// Numbers that are not 0.
    n: u64,
    /// The two largest absolute values.
    largest: [f64; 2],
    begun: bool,
    /// The numbers in the first and last row.
    first: Option<f64>,
    last: Option<f64>,
}

impl Sum {
    /// Minimum count for which the sum is not a coincidence.
    const MIN: u64 = 10;

    fn push(&mut self, value: f64) {
        self.note(value.abs());
        self.total += value;
        self.n += u64::from(value != 0.0);
        self.first = if self.begun { self.first } else { Some(value) };
        (self.begun, self.last) = (true, Some(value));
    }

    fn note(&mut self, size: f64) {
        let [most, second] = self.largest;
        self.largest = [most.max(size), second.max(most.min(size))];
    }

    fn interrupt(&mut self) {
        (self.begun, self.last) = (true, None);
    }

    fn merge(&mut self, next: Self) {
        next.largest.into_iter().for_each(|size| self.note(size));
        self.total += next.total;
        self.n += next.n;
        self.first = if self.begun { self.first } else { next.first };
        self.last = if next.begun { next.last } else { self.last };
        self.begun |= next.begun;
    }

    /// Whether a number is the sum of all others, and larger than each.
    fn is_of_others(&self, number: Option<f64>) -> bool {
        let Some(number) = number.filter(|_| self.n > Self::MIN) else { return false };
        let [most, second] = self.largest;
        let others = self.total - number;
        number.abs() == most && most > second && (number - others).abs() <= 1e-9 * number.abs()
    }
}

/// Whether a column counts its rows: each number is the previous one plus one.
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
