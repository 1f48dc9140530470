//! Permutation importance: how much a metric loses when one raw column is shuffled.

use rand::seq::SliceRandom;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};

use crate::score::Direction;
use crate::stats::{moments, random};

/// The importance of one column for a model on the evaluated rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// Index of the column, as given to the caller's function.
    pub column: usize,
    /// Mean loss of the metric over the repeats, above 0 if the column helps; `NaN` if undefined.
    pub mean: f64,
    /// Standard deviation over the repeats; 0 for one repeat.
    pub deviation: f64,
}

/// The permutation of the rows of a column in `repeat`, the same on every thread and machine.
///
/// ```
/// let order = mlloop::score::permutation::order(4, 0, 0, 7);
/// let mut rows = order.clone();
/// rows.sort_unstable();
/// assert_eq!(rows, [0, 1, 2, 3]);
/// assert_eq!(order, mlloop::score::permutation::order(4, 0, 0, 7));
/// ```
#[must_use]
pub fn order(n_rows: u32, column: usize, repeat: usize, seed: u64) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..n_rows).collect();
    rows.shuffle(&mut random::rng(seed, &format!("permutation {column} {repeat}")));
    rows
}

/// Permutes each column in turn and reports the loss in the metric (L. Breiman, "Random Forests", 2001).
///
/// `score_permuted(column, repeat)` is the metric of the same rows with that raw column permuted, by [`order`] so that
/// it is reproducible; several threads call it at once, each with its own copy of modified data. `baseline` is the
/// metric of the original rows. Redundant columns share their importance or hide each other's.
#[must_use]
pub fn permutation_importance(
    n_columns: usize,
    n_repeats: usize,
    baseline: f64,
    direction: Direction,
    score_permuted: impl Fn(usize, usize) -> f64 + Sync,
) -> Vec<Importance> {
    let loss = |at: usize| {
        let score = score_permuted(at / n_repeats, at % n_repeats);
        match direction {
            Direction::Higher => baseline - score,
            Direction::Lower => score - baseline,
        }
    };
    let losses: Vec<f64> = (0..n_columns * n_repeats).into_par_iter().map(loss).collect();
    let importance = |column: usize| {
        let losses = &losses[column * n_repeats..(column + 1) * n_repeats];
        let deviation = if n_repeats < 2 { 0.0 } else { moments::variance(losses).sqrt() };
        Importance { column, mean: moments::mean(losses), deviation }
    };
    (0..n_columns).map(importance).collect()
}

#[cfg(test)]
mod tests {
    use super::{order, permutation_importance};
    use crate::score::Direction;
    use crate::score::regression::mae;

    #[test]
    fn a_column_is_worth_what_shuffling_it_loses() {
        // y = 3·a + 1·b + 0·c, and the model is exact.
        let column = |c: u32| (0..500).map(|i| f64::from((i * (7 + 6 * c) + c) % 101)).collect::<Vec<f64>>();
        let table = [column(0), column(1), column(2)];
        let predict = |t: &[Vec<f64>; 3]| -> Vec<f64> { (0..500).map(|i| 3.0 * t[0][i] + t[1][i]).collect() };
        let y = predict(&table);
        let score = |c: usize, repeat: usize| {
            let mut moved = table.clone();
            moved[c] = order(500, c, repeat, 1).iter().map(|&i| table[c][i as usize]).collect();
            mae(&y, &predict(&moved), None)
        };
        let found = permutation_importance(3, 4, 0.0, Direction::Lower, score);
        assert!((found[0].mean / found[1].mean - 3.0).abs() < 0.4, "{found:?}");
        assert_eq!((found[2].mean, found[2].deviation), (0.0, 0.0));
        assert!(found[0].deviation > 0.0);
        let worth = permutation_importance(1, 1, 0.9, Direction::Higher, |_, _| 0.7);
        assert!((worth[0].mean - 0.2).abs() < 1e-12 && worth[0].deviation == 0.0);
        assert!(permutation_importance(1, 0, 0.9, Direction::Higher, |_, _| 0.7)[0].mean.is_nan());
    }

    #[test]
    fn orders_differ_by_column_and_repeat() {
        assert_ne!(order(100, 0, 0, 1), order(100, 1, 0, 1));
        assert_ne!(order(100, 0, 0, 1), order(100, 0, 1, 1));
        assert_ne!(order(100, 0, 0, 1), order(100, 0, 0, 2));
        assert!(order(0, 0, 0, 1).is_empty());
    }
}
