//! Windows over a row's own past: statistics of the rows of its group within a time span before it.
//!
//! ```text
//! time of the group's rows   ──a──b────c─c──────d───▶      a row at d with a window that begins between a and b
//!                                 [ window      )          sees b and both c: rows from d − length to before d
//! ```
//! Rows with equal times are not in each other's windows. For a row without a time or a key every statistic is missing.
//! An empty window has the count and the sum 0; its other statistics are missing.

use super::functions::Statistic;
use super::node::Window;
use super::numbers::middle;

/// The rows of a group that windows see: in the order of time and, at one instant, of their values, so that no result
/// depends on the order of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) at: &'a [i64],
    pub(super) values: &'a [f64],
    /// The identities of the rows; may be empty if no row occurs twice.
    pub(super) names: &'a [u64],
}

/// A row whose window is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looking {
    /// The index of its value.
    pub(super) row: usize,
    pub(super) at: i64,
    /// Its own value, for `zscore`.
    pub(super) own: f64,
    /// Its identity, if the group may contain it at another time: a row does not see itself.
    pub(super) not: Option<u64>,
}

impl Window {
    /// The window's values for rows sorted by time.
    pub(super) fn look(&self, line: Line, looking: &[Looking], found: &mut [f64]) {
        let Line { at, values, names } = line;
        let seen = match self.statistic {
            Statistic::Count | Statistic::Median => Blocks::default(),
            _ => Blocks::new(at, values, self.length_us),
        };
        let mut sorted = Sorted::default();
        let (mut from, mut to) = (0, 0);
        for row in looking {
            let begin = row.at.saturating_sub(self.length_us);
            while from < at.len() && at[from] < begin {
                from += 1;
            }
            while to < at.len() && at[to] < row.at {
                to += 1;
            }
            if let Some(own) = row.not.filter(|own| names[from..to].contains(own)) {
                let others = || (from..to).filter(|&place| names[place] != own);
                let (at, values): (Vec<i64>, Vec<f64>) = others().map(|place| (at[place], values[place])).unzip();
                found[row.row] = self.of(&at, &values, row.at, row.own);
                continue;
            }
            found[row.row] = match self.statistic {
                Statistic::Count => (to - from) as f64,
                Statistic::Median => sorted.median(values, from, to),
                statistic => seen.of(from, to, self.block(row.at)).statistic(statistic, row.own),
            };
        }
    }

    /// The window's value for a row at `time`, computed directly from its rows.
    pub(super) fn of(&self, at: &[i64], values: &[f64], time: i64, own: f64) -> f64 {
        match self.statistic {
            Statistic::Count => at.len() as f64,
            Statistic::Median => {
                let mut known = known(values);
                known.sort_unstable_by(f64::total_cmp);
                middle(&known)
            }
            statistic => {
                let border = at.partition_point(|&at| self.block(at) < self.block(time));
                let (before, after) = values.split_at(border);
                let suffix = before.iter().rev().fold(NOTHING, |all, &value| Seen::of(value).with(all));
                let prefix = after.iter().fold(NOTHING, |all, &value| all.with(Seen::of(value)));
                suffix.with(prefix).statistic(statistic, own)
            }
        }
    }

    /// The block of a time, see [`Blocks`].
    pub(super) fn block(&self, time: i64) -> i64 {
        time.div_euclid(self.length_us.max(1))
    }
}

/// The values that are not missing.
pub(super) fn known(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|value| !value.is_nan()).collect()
}

/// A summary of several values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    n: f64,
    sum: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
    min: f64,
    max: f64,
}

pub(super) const NOTHING: Seen = Seen { n: 0.0, sum: 0.0, squares: 0.0, min: f64::NAN, max: f64::NAN };

impl Seen {
    pub(super) fn of(value: f64) -> Self {
        match value.is_nan() {
            true => NOTHING,
            false => Self { n: 1.0, sum: value, squares: 0.0, min: value, max: value },
        }
    }

    /// The summary of both together. Sums are only added, never subtracted (Chan, Golub and LeVeque, 1983).
    pub(super) fn with(self, other: Self) -> Self {
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

    /// A statistic; `zscore` is that of a row with the value `own`.
    pub(super) fn statistic(self, statistic: Statistic, own: f64) -> f64 {
        let mean = self.sum / self.n;
        let value = match statistic {
            Statistic::Count => self.n,
            Statistic::Sum => self.sum,
            Statistic::Mean => mean,
            Statistic::Std => self.deviation(),
            Statistic::Zscore => (own - mean) / self.deviation(),
            Statistic::Min => self.min,
            Statistic::Max => self.max,
            // Not computable from sums.
            Statistic::Median => f64::NAN,
        };
        if value.is_finite() { value } else { f64::NAN }
    }
}

/// The values of a group in time blocks as long as the window, so that each window spans one boundary:
///
/// ```text
/// blocks   │ · · ·  · ·│· ·   ·  ·   │            a window is the end of one block and the start of the next
///               [ ─────┴──── )
///                suffix  prefix
/// ```
/// Nothing is subtracted, so a large value leaves no rounding error after it has left a window; and a window's sums
/// depend on its own rows alone, to the last bit.
#[derive(Default)]
struct Blocks {
    /// Per value, its block.
    block: Vec<i64>,
    /// Per value, the summary of it and the values before it in its block.
    prefix: Vec<Seen>,
    /// Per value, the summary of it and the values after it in its block.
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

    /// The summary of the values from `from` to before `to`, for a row of the block `own`.
    fn of(&self, from: usize, to: usize, own: i64) -> Seen {
        if from >= to {
            return NOTHING;
        }
        let (first, last) = (self.block[from], self.block[to - 1]);
        match (first < own, last == own) {
            (true, true) => self.suffix[from].with(self.prefix[to - 1]),
            (true, false) => self.suffix[from],
            (false, _) => self.prefix[to - 1],
        }
    }
}

/// The known values of a window that moves forward, in order.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    values: Vec<f64>,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Sorted {
    /// The median of the values from `from` to before `to`; `from` and `to` must not decrease between calls.
    pub(super) fn median(&mut self, values: &[f64], from: usize, to: usize) -> f64 {
        if from >= self.to {
            self.values = known(&values[from..to]);
            self.values.sort_unstable_by(f64::total_cmp);
            (self.from, self.to) = (from, to);
            return middle(&self.values);
        }
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

    /// Windows of several lengths equal the directly computed values, even after a value so large that it would absorb
    /// the others; and they are bit-identical without the earlier rows.
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
                let own = time.div_euclid(length);
                let seen = blocks.of(from, to, own);
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
                let alone = Blocks::new(&at[from..], &values[from..], length).of(0, to - from, own);
                for statistic in [Statistic::Sum, Statistic::Std] {
                    let [whole, alone] = [seen, alone].map(|seen| seen.statistic(statistic, 2.0).to_bits());
                    assert_eq!(whole, alone, "{statistic:?} of {length} before row {row}");
                }
            }
        }
        assert!(n_large > 500, "{n_large}");
    }
}
