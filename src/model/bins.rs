//! Candidate splits of a number: bins that follow tails and rare classes.
//!
//! The engine splits a feature into bins of equal counts. With 30 000 rows, each of 255 bins holds 118, so the largest
//! 54 amounts, all of them fraud, share a bin with honest rows. Here half of the cuts are by counts; the other half are
//! where rows are more informative: each class gets an equal share of them, however few rows it has, and both tails are
//! cut at ever smaller counts.
//!
//! ```text
//! equal counts    |      |      |      |      |      |      |
//! here            ||| |    |      |   ||||||  |     |     | |||
//!                 tail               rare class           tail
//! ```
//!
//! A cut is half-way between two values, so that later values in between go with the nearer one: if training had 0 and
//! 10, 9.99 is treated like 10.
//!
//! The engine accepts no cuts, but it cuts at every distinct value if there are few. So each cell is rounded down to
//! the lower bound of its bin; a threshold of the tree is such a bound, and splits the original rows exactly as their
//! bins.

use crate::features::Matrix;
use rayon::prelude::*;
use std::sync::Arc;

/// Cuts are chosen on about this many rows, and all rows of classes with fewer.
const SAMPLE: usize = 200_000;
/// Each tail bin is at most this many times as large as the one further out.
const TAIL_GROWTH: f64 = 1.5;
/// With missing cells, the last cut is at least this share of the largest number.
const MOST: f32 = 0.75;
/// Rows that are processed at a time.
const CHUNK: usize = 1024;

/// The labels and weights that determine where more cuts are useful.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labels<'a> {
    /// Class index or value, one per row.
    pub(super) y: &'a [f32],
    /// Number of classes; 0 for values.
    pub(super) n_classes: usize,
    /// The weight of each row; rows of weight 0 are ignored.
    pub(super) weights: Option<&'a [f32]>,
}

/// Rounds every cell of `x` down to the lower bound of its bin, with at most `max_bin` bins per feature; up to that
/// many distinct values have a bin each. Missing cells stay missing.
pub(super) fn snap(mut x: Matrix, labels: Labels<'_>, max_bin: usize) -> Matrix {
    let n_features = x.n_features();
    let rows = Sample::new(labels);
    let bounds: Vec<Option<Vec<f32>>> =
        (0..n_features).into_par_iter().map(|feature| rows.bounds(&x, feature, max_bin)).collect();
    if bounds.iter().all(Option::is_none) {
        return x;
    }
    let values = Arc::make_mut(&mut x.values);
    values.par_chunks_mut(CHUNK * n_features).for_each(|rows| {
        for (feature, bounds) in bounds.iter().enumerate().filter_map(|(f, b)| Some((f, b.as_ref()?))) {
            for cell in rows.iter_mut().skip(feature).step_by(n_features).filter(|cell| !cell.is_nan()) {
                *cell = bounds[bounds.partition_point(|bound| bound <= cell).saturating_sub(1)];
            }
        }
    });
    x
}

/// The rows for choosing cuts, with the weight of each.
struct Sample<'a> {
    /// Row and weight; the weights sum to 1.
    rows: Vec<(u32, f64)>,
    weights: Option<&'a [f32]>,
}

/// A distinct value with the rows that have it.
#[derive(Debug, Clone, Copy)]
struct Run {
    value: f32,
    rows: f64,
    worth: f64,
}

impl<'a> Sample<'a> {
    fn new(labels: Labels<'a>) -> Self {
        let Labels { y, n_classes, weights } = labels;
        let counts_for = |row: usize| weights.is_none_or(|weights| weights[row] > 0.0);
        let mut counts = vec![0_usize; n_classes.max(1)];
        let class = |y: f32| if n_classes == 0 { 0 } else { y as usize };
        y.iter().enumerate().filter(|(row, _)| counts_for(*row)).for_each(|(_, &y)| counts[class(y)] += 1);
        // In a long table, use a regular sample of each class's rows, and all rows of rare classes.
        let share = SAMPLE / counts.iter().filter(|&&n| n > 0).count().max(1);
        let steps: Vec<usize> = counts.iter().map(|n| n.div_ceil(share.max(1)).max(1)).collect();
        let (mut seen, n) = (vec![0_usize; counts.len()], counts.iter().sum::<usize>());
        let present = counts.iter().filter(|&&n| n > 0).count() as f64;
        let mut rows = Vec::with_capacity(y.len().min(SAMPLE + counts.len()));
        for (row, &y) in (0_u32..).zip(y).filter(|(row, _)| counts_for(*row as usize)) {
            let class = class(y);
            if seen[class].is_multiple_of(steps[class]) {
                // Half by counts, half by classes.
                let of_all = steps[class] as f64 / n as f64;
                let of_class = steps[class] as f64 / (present * counts[class] as f64);
                rows.push((row, 0.5 * of_all + 0.5 * of_class));
            }
            seen[class] += 1;
        }
        Self { rows, weights }
    }

    /// The lower bounds of a feature's bins, ascending; `None` if there is nothing to cut.
    fn bounds(&self, x: &Matrix, feature: usize, max_bin: usize) -> Option<Vec<f32>> {
        let n_features = x.n_features();
        let column = || x.values.iter().skip(feature).step_by(n_features).copied().filter(|v| !v.is_nan());
        let weighed = x.values.iter().skip(feature).step_by(n_features).enumerate().filter(|(row, v)| {
            let counts = self.weights.is_none_or(|weights| weights[*row] > 0.0);
            counts && !v.is_nan()
        });
        // For each bin but the first: the last value before it and its first value; the cut is between them.
        let (lowest, bins): (f32, Vec<(f32, f32)>) = match distinct(weighed.map(|(_, v)| *v), max_bin) {
            Some(all) => (*all.first()?, all.windows(2).map(|pair| (pair[0], pair[1])).collect()),
            None => {
                let runs = self.runs(x, feature);
                let begins = ends(&runs, max_bin).into_iter();
                (runs[0].value, begins.map(|at| (runs[at - 1].value, runs[at].value)).collect())
            }
        };
        let (_, last) = *bins.last()?;
        let mut bounds: Vec<f32> =
            std::iter::once(lowest).chain(bins.iter().map(|(below, value)| middle(*below, *value))).collect();
        // A value below all of the sample belongs to the first bin.
        bounds[0] = column().fold(bounds[0], f32::min);
        // The engine separates missing cells from others at twice the largest bound: no number may reach that.
        if column().count() < x.n_rows {
            let largest = column().fold(f32::MIN, f32::max);
            bounds[bins.len()] = bounds[bins.len()].max(MOST * largest).min(last);
        }
        Some(bounds)
    }

    fn runs(&self, x: &Matrix, feature: usize) -> Vec<Run> {
        let n_features = x.n_features();
        let cell = |row: u32| x.values[row as usize * n_features + feature];
        let mut cells: Vec<(f32, f64)> =
            self.rows.iter().map(|&(row, worth)| (cell(row), worth)).filter(|(v, _)| !v.is_nan()).collect();
        cells.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut runs: Vec<Run> = Vec::new();
        for (value, worth) in cells {
            match runs.last_mut() {
                Some(run) if run.value == value => {
                    run.rows += 1.0;
                    run.worth += worth;
                }
                _ => runs.push(Run { value, rows: 1.0, worth }),
            }
        }
        runs
    }
}

/// Half-way between two values; the upper one if there is no number between them.
fn middle(below: f32, value: f32) -> f32 {
    let middle = below + (value - below) / 2.0;
    if middle > below && middle <= value { middle } else { value }
}

/// The distinct values, ascending; `None` when there are more than `most`.
fn distinct(values: impl Iterator<Item = f32>, most: usize) -> Option<Vec<f32>> {
    let mut distinct: Vec<f32> = Vec::with_capacity(most.min(1 << 12) + 1);
    for value in values {
        if let Err(at) = distinct.binary_search_by(|v| v.total_cmp(&value)) {
            if distinct.len() == most {
                return None;
            }
            distinct.insert(at, value);
        }
    }
    Some(distinct)
}

/// The first runs of bins, ascending, without the first bin: at most `max_bin − 1`.
fn ends(runs: &[Run], max_bin: usize) -> Vec<usize> {
    let n: f64 = runs.iter().map(|run| run.rows).sum();
    let mut begins = tail(runs.iter(), n, max_bin);
    // An upper tail of k runs begins at the k-th run from the end.
    begins.extend(tail(runs.iter().rev(), n, max_bin).into_iter().map(|k| runs.len() - k));
    begins.retain(|&at| at > 0 && at < runs.len());
    begins.sort_unstable();
    begins.dedup();
    let rest = (max_bin - 1).saturating_sub(begins.len());
    begins.extend(by_worth(runs, rest));
    begins.sort_unstable();
    begins.dedup();
    begins
}

/// The number of runs in each bin of a tail, growing until the bins are as large as those of equal counts.
fn tail<'a>(runs: impl Iterator<Item = &'a Run>, n: f64, max_bin: usize) -> Vec<usize> {
    let whole = n / max_bin as f64;
    let (mut found, mut rows, mut next) = (Vec::new(), 0.0, 1.0);
    for (at, run) in runs.enumerate() {
        rows += run.rows;
        if rows >= next {
            found.push(at + 1);
            next = (rows * TAIL_GROWTH).max(rows + 1.0);
        }
        if rows >= whole || found.len() * 8 >= max_bin {
            break;
        }
    }
    found
}

/// The starts of up to `n_cuts` bins of about equal weight.
fn by_worth(runs: &[Run], n_cuts: usize) -> Vec<usize> {
    let mut left: f64 = runs.iter().map(|run| run.worth).sum();
    let mut wanted = left / (n_cuts + 1) as f64;
    let (mut begins, mut bin) = (Vec::with_capacity(n_cuts), 0.0);
    for (at, run) in runs.iter().enumerate() {
        // If half of the run would be too much, the bin ends before it; after a large run, less weight is left for
        // later bins.
        if at > 0 && begins.len() < n_cuts && bin + run.worth / 2.0 > wanted {
            begins.push(at);
            wanted = left / (n_cuts + 1 - begins.len()) as f64;
            bin = 0.0;
        }
        bin += run.worth;
        left -= run.worth;
    }
    begins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(values: Vec<f32>) -> Matrix {
        let n = values.len();
        Matrix::new(values, n, Arc::from(vec!["x".to_owned()]))
    }

    fn values_of(x: &Matrix) -> Vec<f32> {
        let mut values: Vec<f32> = x.values.iter().copied().filter(|v| !v.is_nan()).collect();
        values.sort_unstable_by(f32::total_cmp);
        values.dedup();
        values
    }

    #[test]
    fn few_values_have_a_bin_each_and_missing_ones_stay() {
        let values: Vec<f32> = (0..1000).map(|i| if i % 7 == 0 { f32::NAN } else { (i % 200) as f32 }).collect();
        let y = vec![0.0; 1000];
        let snapped =
            |values: Vec<f32>| snap(matrix(values), Labels { y: &y, n_classes: 0, weights: None }, 255).values;
        // With missing cells, the last cut is at three quarters of the largest number or above.
        let bound = |v: &f32| if *v > 0.0 { v - 0.5 } else { *v };
        let expected: Vec<f32> = values.iter().map(bound).collect();
        assert_eq!(format!("{:?}", snapped(values.clone())), format!("{expected:?}"));
        let two = |low: f32, high: f32| snapped((0..1000).map(|i| if i % 2 == 0 { low } else { high }).collect())[1];
        assert_eq!([two(0.0, 10.0), two(-3.0, 4.0)], [5.0, 0.5]);
        assert_eq!(two(1.0, 1.0_f32.next_up()), 1.0_f32.next_up(), "no number lies between");
        assert_eq!(two(-f32::MAX / 4.0, f32::MAX / 4.0), 0.0);
    }

    #[test]
    fn a_tail_and_the_rows_of_a_rare_class_have_cuts_of_their_own() {
        // 30 000 values; the highest 5 and 20 in the middle are of the rare class.
        let n = 30_000_u32;
        let values: Vec<f32> = (0..n).map(|i| ((i * 7_919) % n) as f32).collect();
        let rare = |v: f32| v >= 29_995.0 || (15_000.0..15_020.0).contains(&v);
        let y: Vec<f32> = values.iter().map(|&v| f32::from(u8::from(rare(v)))).collect();
        let x = snap(matrix(values), Labels { y: &y, n_classes: 2, weights: None }, 255);
        let bounds = values_of(&x);
        assert!(bounds.len() <= 255 && bounds.len() > 200, "{}", bounds.len());
        for cut in [15_000.0, 15_020.0, 29_999.0] {
            let nearest = bounds.iter().map(|b| (b - cut).abs()).fold(f32::INFINITY, f32::min);
            assert!(nearest <= 2.0, "{cut}: {nearest}");
        }
        // No bin is more than a few times as large as one of equal counts.
        assert!(bounds.windows(2).all(|w| w[1] - w[0] < 600.0), "{bounds:?}");
        // Cells go down to the bound of their bin and no further.
        for (cell, value) in x.values.iter().zip((0..n).map(|i| ((i * 7_919) % n) as f32)) {
            let at = bounds.partition_point(|b| *b <= value);
            assert_eq!(*cell, bounds[at - 1]);
        }
    }

    #[test]
    fn many_rows_are_sampled_and_rare_ones_are_not() {
        let n = 900_000_u64;
        let values: Vec<f32> = (0..n).map(|i| ((i * 7_919) % n) as f32).collect();
        let y: Vec<f32> = values.iter().map(|&v| f32::from(u8::from((500_000.0..500_030.0).contains(&v)))).collect();
        let bounds = values_of(&snap(matrix(values), Labels { y: &y, n_classes: 2, weights: None }, 127));
        assert!(bounds.len() <= 127);
        assert_eq!(bounds[0], 0.0);
        let inside = bounds.iter().filter(|b| (500_000.0..500_030.0).contains(*b)).count();
        assert!(inside >= 15, "{inside}");
    }
}
