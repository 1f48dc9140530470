//! Windows over a row's own past: statistics of the rows of its group in a length of time before it.
//!
//! ```text
//! time of the group's rows   ──a──b────c─c──────d───▶      a row at d with a window that begins between a and b
//!                                 [ window      )          sees b and both c: at least d − length, and before d
//! ```
//! Rows of the same instant do not see each other. A row without a time or a key is in no window and has none. An empty
//! window has the count and the sum 0; all else of it is missing.

use super::cells::{Cells, Vector};
use super::eval::Scope;
use super::functions::Statistic;
use super::groups::{Coded, NONE};
use super::node::Window;
use super::numbers::middle;
use crate::table::MISSING_TIME;

impl Window {
    /// Its value in every row from `first` on; those before are only looked back on.
    pub(super) fn compute<'a>(&'a self, scope: &Scope<'a>, first: usize) -> Vec<f64> {
        let of = self.of.as_ref().map(|of| scope.numbers(of));
        let times = scope.compute(&self.time).times();
        let keys: Vec<Vector> = self.by.iter().map(|key| scope.compute(key)).collect();
        let (groups, _) = Coded::join(&keys, scope.n_rows);
        let mut rows: Vec<u32> = (0..scope.n_rows as u32)
            .filter(|&row| groups[row as usize] != NONE && times.get(row as usize) != MISSING_TIME)
            .collect();
        // Rows of one instant in the order of their values, so that no result depends on the order of the table.
        let value = |row: u32| of.as_ref().map_or(1.0, |of| of.get(row as usize));
        rows.sort_unstable_by(|&a, &b| {
            let key = |row: u32| (groups[row as usize], times.get(row as usize));
            key(a).cmp(&key(b)).then_with(|| value(a).total_cmp(&value(b)))
        });
        let mut found = vec![f64::NAN; scope.n_rows - first];
        for group in rows.chunk_by(|&a, &b| groups[a as usize] == groups[b as usize]) {
            self.group(group, &times, of.as_ref(), first, &mut found);
        }
        found
    }

    /// The same for the rows of one group, in the order of time.
    fn group(&self, rows: &[u32], times: &Cells<i64>, of: Option<&Cells<f64>>, first: usize, found: &mut [f64]) {
        let at: Vec<i64> = rows.iter().map(|&row| times.get(row as usize)).collect();
        let values: Vec<f64> = rows.iter().map(|&row| of.map_or(1.0, |of| of.get(row as usize))).collect();
        let seen = Blocks::new(&at, &values, self.length_us);
        let mut sorted = Sorted::default();
        let (mut from, mut to) = (0, 0);
        for (&row, &time) in rows.iter().zip(&at) {
            let begin = time.saturating_sub(self.length_us);
            while at[from] < begin {
                from += 1;
            }
            while at[to] < time {
                to += 1;
            }
            if (row as usize) < first {
                continue;
            }
            found[row as usize - first] = match self.statistic {
                Statistic::Count => (to - from) as f64,
                Statistic::Median => sorted.median(&values, from, to),
                statistic => seen.of(from, to).statistic(statistic, of.map_or(f64::NAN, |of| of.get(row as usize))),
            };
        }
    }
}

/// What is known of some values together.
#[derive(Debug, Clone, Copy)]
struct Seen {
    n: f64,
    sum: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
    min: f64,
    max: f64,
}

const NOTHING: Seen = Seen { n: 0.0, sum: 0.0, squares: 0.0, min: f64::NAN, max: f64::NAN };

impl Seen {
    fn of(value: f64) -> Self {
        match value.is_nan() {
            true => NOTHING,
            false => Self { n: 1.0, sum: value, squares: 0.0, min: value, max: value },
        }
    }

    /// What is known of both together. Nothing is ever subtracted from a sum (Chan, Golub and LeVeque, 1983).
    fn with(self, other: Self) -> Self {
        if self.n == 0.0 || other.n == 0.0 {
            return if self.n == 0.0 { other } else { self };
        }
        let n = self.n + other.n;
        let apart = other.sum / other.n - self.sum / self.n;
        Self {
            n,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares + apart * apart * (self.n * other.n / n),
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    fn deviation(self) -> f64 {
        if self.n < 2.0 { f64::NAN } else { (self.squares / (self.n - 1.0)).sqrt() }
    }

    /// A statistic; for a score, of a row whose value is `own`.
    fn statistic(self, statistic: Statistic, own: f64) -> f64 {
        let mean = self.sum / self.n;
        let value = match statistic {
            Statistic::Count => self.n,
            Statistic::Sum => self.sum,
            Statistic::Mean => mean,
            Statistic::Std => self.deviation(),
            Statistic::Zscore => (own - mean) / self.deviation(),
            Statistic::Min => self.min,
            Statistic::Max => self.max,
            // It is not told by sums.
            Statistic::Median => f64::NAN,
        };
        if value.is_finite() { value } else { f64::NAN }
    }
}

/// The values of a group in blocks of time that are as long as the window, so that each window reaches over one boundary:
///
/// ```text
/// blocks   │ · · ·  · ·│· ·   ·  ·   │            a window is the end of one block and the beginning of the next
///               [ ─────┴──── )
///                suffix  prefix
/// ```
/// Nothing is subtracted, so that a large value that leaves a window leaves no error behind; and a window's sums depend on
/// its own rows alone, to the last bit, whatever rows were before it.
struct Blocks {
    /// Per value, its block.
    block: Vec<i64>,
    /// Per value, what is known of it and those before it in its block.
    prefix: Vec<Seen>,
    /// Per value, what is known of it and those after it in its block.
    suffix: Vec<Seen>,
}

impl Blocks {
    fn new(at: &[i64], values: &[f64], length_us: i64) -> Self {
        let block: Vec<i64> = at.iter().map(|time| time.div_euclid(length_us.max(1))).collect();
        let mut prefix: Vec<Seen> = values.iter().map(|&value| Seen::of(value)).collect();
        let mut suffix = prefix.clone();
        for at in 1..block.len() {
            if block[at] == block[at - 1] {
                prefix[at] = prefix[at - 1].with(prefix[at]);
            }
        }
        for at in (1..block.len()).rev() {
            if block[at] == block[at - 1] {
                suffix[at - 1] = suffix[at - 1].with(suffix[at]);
            }
        }
        Self { block, prefix, suffix }
    }

    /// What is known of the values from `from` to before `to`, where `to` is the first value of the instant that looks back.
    fn of(&self, from: usize, to: usize) -> Seen {
        if from >= to {
            return NOTHING;
        }
        let (first, last, own) = (self.block[from], self.block[to - 1], self.block[to]);
        match (first < own, last == own) {
            (true, true) => self.suffix[from].with(self.prefix[to - 1]),
            (true, false) => self.suffix[from],
            (false, _) => self.prefix[to - 1],
        }
    }
}

/// The known values of a window that moves forward, in order.
#[derive(Default)]
struct Sorted {
    values: Vec<f64>,
    from: usize,
    to: usize,
}

impl Sorted {
    /// The median of the values from `from` to before `to`; neither end moves back.
    fn median(&mut self, values: &[f64], from: usize, to: usize) -> f64 {
        let place = |sorted: &[f64], value: f64| sorted.partition_point(|known| known.total_cmp(&value).is_lt());
        for &value in values[self.to..to].iter().filter(|value| !value.is_nan()) {
            self.values.insert(place(&self.values, value), value);
        }
        for &value in values[self.from..from].iter().filter(|value| !value.is_nan()) {
            self.values.remove(place(&self.values, value));
        }
        (self.from, self.to) = (from, to);
        middle(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of several lengths give what their values give one by one, also behind a value that would swallow the
    /// others; and the same to the last bit when nothing is known of what was before them.
    #[test]
    fn values_that_leave_a_window_leave_nothing_behind() {
        let huge = |at: usize| if at.is_multiple_of(37) { 1e17 } else { 0.0 };
        let value = |at: usize| if at % 11 == 3 { f64::NAN } else { ((at * 7919) % 101) as f64 / 8.3 - 3.0 + huge(at) };
        let values: Vec<f64> = (0..400).map(value).collect();
        let at: Vec<i64> = (0..400).map(|at: i64| at * 3 + at * at % 7 - 500).collect();
        let mut n_large = 0;
        for length in [1, 5, 30, 90, 2_000] {
            let (blocks, mut sorted) = (Blocks::new(&at, &values, length), Sorted::default());
            for (row, &time) in at.iter().enumerate() {
                let from = at.partition_point(|at| *at < time - length);
                let to = at.partition_point(|at| *at < time);
                let seen = blocks.of(from, to);
                let mut known: Vec<f64> = values[from..to].iter().copied().filter(|value| !value.is_nan()).collect();
                let n = known.len() as f64;
                let mean = known.iter().sum::<f64>() / n;
                let squares: f64 = known.iter().map(|value| (value - mean) * (value - mean)).sum();
                known.sort_unstable_by(f64::total_cmp);
                n_large += usize::from(known.last().is_some_and(|last| *last > 1e16));
                let same = |statistic: Statistic, expected: f64| {
                    let found = seen.statistic(statistic, 2.0);
                    let near = (found - expected).abs() <= 1e-12 * expected.abs().max(1e-9);
                    let place = format!("{statistic:?} of {length} before row {row}: {found}, {expected}");
                    assert!(near || (found.is_nan() && !expected.is_finite()), "{place}");
                };
                let deviation = if n < 2.0 { f64::NAN } else { (squares / (n - 1.0)).sqrt() };
                same(Statistic::Mean, mean);
                same(Statistic::Sum, known.iter().sum());
                same(Statistic::Min, known.first().copied().unwrap_or(f64::NAN));
                same(Statistic::Max, known.last().copied().unwrap_or(f64::NAN));
                same(Statistic::Std, deviation);
                same(Statistic::Zscore, (2.0 - mean) / deviation);
                assert_eq!(sorted.median(&values, from, to).to_bits(), middle(&known).to_bits());
                let alone = Blocks::new(&at[from..], &values[from..], length).of(0, to - from);
                for statistic in [Statistic::Sum, Statistic::Std] {
                    let [whole, alone] = [seen, alone].map(|seen| seen.statistic(statistic, 2.0).to_bits());
                    assert_eq!(whole, alone, "{statistic:?} of {length} before row {row}");
                }
            }
        }
        assert!(n_large > 500, "{n_large}");
    }
}
