//! Nearly equal rows: copies with slight noise in their numbers, or with one different column.
//!
//! ```text
//! cells, numbers rounded to a part of their deviation ─▶ one hash each ─▶ sum over columns − one of them ─▶ digest
//! ```
//! A sum does not depend on the order, so that a digest without a column costs only one subtraction.

use super::{Examples, PipelineError};
use crate::stats::moments;
use crate::stats::random::hash64;
use crate::table::{Column, Values};
use rayon::prelude::*;
use std::collections::HashSet;

/// Numbers count as equal within about this part of their standard deviation.
const NEAR: f64 = 1.0 / 2000.0;
/// Minimum number of columns each of which distinguishes most of the rows that the others distinguish: in a table of
/// places, the town determines the region, and rows of one town are not copies.
const MIN_TELLING: usize = 2;
/// A column distinguishes rows if it has this many different cells per distinct row.
const TELLING: f64 = 0.5;
/// Maximum number of cells of a table for leaving out each column once.
const MOST_CELLS: usize = 100_000_000;

/// Digests of rows in all columns but one, the target among them.
pub(super) struct Near {
    /// The omitted column; `None` for rounding only.
    pub(super) without: Option<String>,
    /// One digest per row.
    pub(super) digests: Vec<u64>,
    /// Number of different combinations of cells in the other columns.
    pub(super) room: f64,
}

impl Examples {
    /// All definitions of "nearly equal" under which rows may be copies.
    ///
    /// # Errors
    /// If a column is missing.
    pub(super) fn near(&self, names: &[&str]) -> Result<Vec<Near>, PipelineError> {
        let columns = names.iter().map(|name| self.table.require(name)).collect::<Result<Vec<_>, _>>()?;
        if columns.len() <= MIN_TELLING || self.y.len().saturating_mul(columns.len()) > MOST_CELLS {
            return Ok(Vec::new());
        }
        let cells: Vec<(Vec<u64>, f64)> =
            columns.par_iter().enumerate().map(|(at, column)| rounded(at, column)).collect();
        let mut all: Vec<u64> = self.y.iter().map(|y| hash64(&y.to_bits().to_le_bytes(), 5)).collect();
        for (hashes, _) in &cells {
            all.iter_mut().zip(hashes).for_each(|(sum, hash)| *sum = sum.wrapping_add(*hash));
        }
        let without = [None].into_iter().chain((0..cells.len()).map(Some));
        let near = without.collect::<Vec<_>>().into_par_iter().filter_map(|left_out: Option<usize>| {
            let digests: Vec<u64> = match left_out {
                Some(at) => all.iter().zip(&cells[at].0).map(|(sum, hash)| sum.wrapping_sub(*hash)).collect(),
                None => all.clone(),
            };
            let n_rows = digests.iter().collect::<HashSet<_>>().len() as f64;
            let others = || cells.iter().enumerate().filter(|(at, _)| Some(*at) != left_out).map(|(_, (_, n))| *n);
            let telling = others().filter(|n| *n >= TELLING * n_rows).count();
            (telling >= MIN_TELLING).then(|| Near {
                without: left_out.map(|at| columns[at].name.clone()),
                digests,
                room: others().product(),
            })
        });
        Ok(near.collect())
    }
}

/// A hash of each cell, numbers with fractions rounded, and the number of different cells.
fn rounded(at: usize, column: &Column) -> (Vec<u64>, f64) {
    let hashes: Vec<u64> = match &column.values {
        Values::Number(values) if values.iter().any(|v| v.is_finite() && v.fract() != 0.0) => {
            let known: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
            let (mean, step) = (moments::mean(&known), NEAR * moments::variance(&known).sqrt());
            let round = |v: &f64| if v.is_finite() && step > 0.0 { ((v - mean) / step).round() } else { *v };
            Values::Number(values.iter().map(|v| round(v) + 0.0).collect()).hashes()
        }
        values => values.hashes(),
    };
    let n_distinct = hashes.iter().collect::<HashSet<_>>().len();
    (hashes.iter().map(|hash| hash64(&hash.to_le_bytes(), 100 + at as u64)).collect(), n_distinct.max(1) as f64)
}

#[cfg(test)]
#[path = "near_tests.rs"]
mod tests;
