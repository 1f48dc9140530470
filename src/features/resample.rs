//! Class imbalance: weights, or synthetic rows of the rarer classes.

use rand::Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::FeatureError;
use super::target::{Target, Task};
use crate::stats::moments;
use crate::stats::random::rng;
use crate::table::{MISSING_TIME, Table, Values};

/// Balanced class weights n / (k · n_c), where k counts the classes that occur (scikit-learn's `balanced`).
///
/// `y` holds class indices; rows where it is `NaN` do not count, and a class that does not occur weighs 1.
///
/// ```
/// use mlloop::features::resample::class_weights;
/// assert_eq!(class_weights(&[0.0, 0.0, 0.0, 1.0], 2), [4.0 / 6.0, 2.0]);
/// ```
#[must_use]
pub fn class_weights(y: &[f32], n_classes: usize) -> Vec<f32> {
    let counts = counts(y, n_classes);
    let n: usize = counts.iter().sum();
    let occurring = counts.iter().filter(|&&c| c > 0).count();
    counts.iter().map(|&c| if c == 0 { 1.0 } else { (n as f64 / (occurring * c) as f64) as f32 }).collect()
}

/// The balanced class weight of each row; 1 where `y` is `NaN`.
#[must_use]
pub fn row_weights(y: &[f32], n_classes: usize) -> Vec<f32> {
    let weights = class_weights(y, n_classes);
    y.iter().map(|&c| if c.is_nan() { 1.0 } else { weights.get(c as usize).copied().unwrap_or(1.0) }).collect()
}

fn counts(y: &[f32], n_classes: usize) -> Vec<usize> {
    let mut counts = vec![0; n_classes];
    for &class in y.iter().filter(|v| !v.is_nan()) {
        if let Some(count) = counts.get_mut(class as usize) {
            *count += 1;
        }
    }
    counts
}

/// How synthetic rows are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Smote {
    /// Neighbours of a row that its synthetic rows are drawn from.
    pub k_neighbors: usize,
    /// Rows of every class, real and synthetic, as a share of the most frequent class; a class above it stays as it is.
    pub ratio: f64,
    /// Maximum number of real rows of a class that synthetic rows are made from; of more rows, a random sample is used,
    /// to bound the neighbour search.
    pub max_rows: usize,
}

impl Default for Smote {
    fn default() -> Self {
        Self { k_neighbors: 5, ratio: 1.0, max_rows: 5_000 }
    }
}

/// Training rows followed by synthetic ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Resampled {
    /// All rows.
    pub table: Table,
    /// The class index of each.
    pub y: Vec<f32>,
    /// How many of the rows are synthetic; they come last.
    pub n_synthetic: usize,
}

/// Adds synthetic rows of the rarer classes: SMOTE-NC (Chawla, Bowyer, Hall & Kegelmeyer, "SMOTE: Synthetic Minority
/// Over-sampling Technique", 2002, section 6.1). For training rows only.
///
/// ```text
/// distance²(a, b) = Σ numbers ((aᵢ − bᵢ)/sdᵢ)²  +  Σ categories [aⱼ ≠ bⱼ]·med²
/// ```
/// med is the median standard deviation of the class's numbers, which is 1 here since they are standardised first (the
/// paper does not specify this; without it the column with the largest unit dominates). A synthetic row is at a random
/// position between a row and one of its nearest neighbours; its categories are the most frequent ones among the
/// neighbours, on a tie that of the nearest. Numbers that are whole in every training row stay whole.
///
/// A missing cell differs from a present one as two categories do; between two rows of which one lacks the number, the
/// synthetic row takes the first row's. Times are treated as numbers. Texts and the columns in `skip` are not part of
/// the distance, and are copied from the first row, as is the target. A class of one row is repeated.
///
/// # Errors
/// [`FeatureError::Resample`] for a regression, for `k_neighbors` or `max_rows` of 0 or a `ratio` outside (0, 1];
/// [`FeatureError::Length`] if the length of `y` differs.
pub fn smote_nc(
    table: &Table,
    target: &Target,
    y: &[f32],
    skip: &[String],
    options: &Smote,
    seed: u64,
) -> Result<Resampled, FeatureError> {
    options.check(target)?;
    if y.len() != table.n_rows() {
        return Err(FeatureError::Length { what: "the target", found: y.len(), expected: table.n_rows() });
    }
    let counts = counts(y, target.classes.len());
    let most = counts.iter().copied().max().unwrap_or(0);
    let wanted = (most as f64 * options.ratio).round() as usize;
    let left_out = |name: &str| name == target.name || skip.iter().any(|s| s == name);
    let mut plans = Vec::new();
    for (class, &count) in counts.iter().enumerate() {
        if count > 0 && count < wanted {
            let space = |rows: &[u32]| Space::new(table, rows, left_out);
            plans.push(Plan::new(y, class, wanted - count, space, options, seed));
        }
    }
    build(table, y, &plans, left_out)
}

impl Smote {
    fn check(&self, target: &Target) -> Result<(), FeatureError> {
        let error = |what: String| Err(FeatureError::Resample { what });
        if target.task == Task::Regression {
            return error("synthetic rows need classes, but the target is a number".to_owned());
        }
        if self.k_neighbors == 0 || self.max_rows == 0 {
            return error("k_neighbors and max_rows must be at least 1".to_owned());
        }
        if !(self.ratio > 0.0 && self.ratio <= 1.0) {
            return error(format!("ratio = {} must be above 0 and at most 1", self.ratio));
        }
        Ok(())
    }
}

/// The plan for one class's synthetic rows.
struct Plan {
    class: usize,
    /// Table rows.
    rows: Vec<u32>,
    /// Per row, its neighbours as indices into `rows`, nearest first.
    neighbours: Vec<Vec<u32>>,
    /// Per synthetic row: the row, the neighbour, and the place between them.
    picks: Vec<(u32, u32, f64)>,
}

impl Plan {
    fn new(
        y: &[f32],
        class: usize,
        n_synthetic: usize,
        space: impl Fn(&[u32]) -> Space,
        options: &Smote,
        seed: u64,
    ) -> Self {
        let mut rng = rng(seed, &format!("smote {class}"));
        let mut rows: Vec<u32> = (0..y.len() as u32).filter(|&r| y[r as usize] == class as f32).collect();
        if rows.len() > options.max_rows {
            rows.shuffle(&mut rng);
            rows.truncate(options.max_rows);
            rows.sort_unstable();
        }
        let space = space(&rows);
        let neighbours: Vec<Vec<u32>> =
            (0..rows.len()).into_par_iter().map(|row| space.nearest(row, options.k_neighbors)).collect();
        // Every row is used once before any is used again.
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.shuffle(&mut rng);
        let picks = (0..n_synthetic)
            .map(|i| {
                let row = order[i % order.len()];
                let near = &neighbours[row as usize];
                let other = if near.is_empty() { row } else { near[rng.gen_range(0..near.len())] };
                (row, other, rng.r#gen::<f64>())
            })
            .collect();
        Self { class, rows, neighbours, picks }
    }
}

/// The rows of a class as points.
pub(super) struct Space {
    /// Standardised numbers, row-major; `NaN` is missing.
    numbers: Vec<f64>,
    n_numbers: usize,
    /// Codes of the categories, row-major.
    codes: Vec<u32>,
    n_codes: usize,
    n_rows: usize,
}

impl Space {
    pub(super) fn new(table: &Table, rows: &[u32], left_out: impl Fn(&str) -> bool) -> Self {
        let mut columns: Vec<Vec<f64>> = Vec::new();
        let mut categories: Vec<&[u32]> = Vec::new();
        for column in table.columns().iter().filter(|c| !left_out(&c.name)) {
            match &column.values {
                Values::Number(v) => columns.push(standardised(rows.iter().map(|&r| v[r as usize]))),
                Values::Time(v) => columns.push(standardised(rows.iter().map(|&r| match v[r as usize] {
                    MISSING_TIME => f64::NAN,
                    micros => micros as f64,
                }))),
                Values::Category(c) => categories.push(&c.codes),
                Values::Text(_) => {}
            }
        }
        Self {
            numbers: (0..rows.len()).flat_map(|row| columns.iter().map(move |c| c[row])).collect(),
            n_numbers: columns.len(),
            codes: rows.iter().flat_map(|&row| categories.iter().map(move |c| c[row as usize])).collect(),
            n_codes: categories.len(),
            n_rows: rows.len(),
        }
    }

    pub(super) fn distance2(&self, a: usize, b: usize) -> f64 {
        let numbers = |row: usize| &self.numbers[row * self.n_numbers..(row + 1) * self.n_numbers];
        let codes = |row: usize| &self.codes[row * self.n_codes..(row + 1) * self.n_codes];
        let apart = |(x, y): (&f64, &f64)| {
            let difference = x - y;
            if difference.is_nan() { f64::from(u8::from(x.is_nan() != y.is_nan())) } else { difference * difference }
        };
        let differing = codes(a).iter().zip(codes(b)).filter(|(x, y)| x != y).count();
        numbers(a).iter().zip(numbers(b)).map(apart).sum::<f64>() + differing as f64
    }

    /// The `k` nearest other rows, nearest first; of equally near ones, the first in the table.
    pub(super) fn nearest(&self, row: usize, k: usize) -> Vec<u32> {
        let mut near: Vec<(f64, u32)> = Vec::with_capacity(k + 1);
        for other in (0..self.n_rows).filter(|&o| o != row) {
            let distance = self.distance2(row, other);
            if near.len() == k && near.last().is_some_and(|last| distance >= last.0) {
                continue;
            }
            let place = near.partition_point(|n| n.0 <= distance);
            near.insert(place, (distance, other as u32));
            near.truncate(k);
        }
        near.into_iter().map(|(_, other)| other).collect()
    }
}

/// Divided by the standard deviation (of the population; 1 if undefined). Infinities count as missing.
fn standardised(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.map(|v| if v.is_finite() { v } else { f64::NAN }).collect();
    let present: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    let mean = moments::mean(&present);
    let n = present.len();
    let variance = moments::sum_of(n, &|i| (present[i] - mean) * (present[i] - mean)) / n as f64;
    let sd = if variance > 0.0 && variance.is_finite() { variance.sqrt() } else { 1.0 };
    values.iter_mut().for_each(|v| *v = (*v - mean) / sd);
    values
}

/// The synthetic rows start as copies of their first rows; then every relevant column is overwritten.
fn build(
    table: &Table,
    y: &[f32],
    plans: &[Plan],
    left_out: impl Fn(&str) -> bool + Sync,
) -> Result<Resampled, FeatureError> {
    let n_real = table.n_rows();
    let mut rows: Vec<u32> = (0..n_real as u32).collect();
    let mut classes = y.to_vec();
    for plan in plans {
        rows.extend(plan.picks.iter().map(|&(row, _, _)| plan.rows[row as usize]));
        classes.resize(rows.len(), plan.class as f32);
    }
    let mut columns = table.take(&rows).into_columns();
    columns.par_iter_mut().filter(|c| !left_out(&c.name)).for_each(|column| match &mut column.values {
        Values::Number(values) => interpolate(values, n_real, plans),
        Values::Time(values) => interpolate_times(values, n_real, plans),
        Values::Category(categories) => vote(&mut categories.codes, n_real, plans),
        Values::Text(_) => {}
    });
    let table = Table::new(columns).map_err(|e| FeatureError::Resample { what: e.to_string() })?;
    Ok(Resampled { table, y: classes, n_synthetic: rows.len() - n_real })
}

fn interpolate(values: &mut [f64], n_real: usize, plans: &[Plan]) {
    let (real, synthetic) = values.split_at_mut(n_real);
    let whole = real.iter().all(|v| v.is_nan() || v.fract() == 0.0);
    let picks = plans.iter().flat_map(|p| p.picks.iter().map(move |pick| (p, pick)));
    for (value, (plan, &(row, other, place))) in synthetic.iter_mut().zip(picks) {
        let (from, to) = (real[plan.rows[row as usize] as usize], real[plan.rows[other as usize] as usize]);
        let between = from + (to - from) * place;
        *value = match between.is_finite() {
            true if whole => between.round(),
            true => between,
            false => from,
        };
    }
}

fn interpolate_times(values: &mut [i64], n_real: usize, plans: &[Plan]) {
    let (real, synthetic) = values.split_at_mut(n_real);
    let picks = plans.iter().flat_map(|p| p.picks.iter().map(move |pick| (p, pick)));
    for (value, (plan, &(row, other, place))) in synthetic.iter_mut().zip(picks) {
        let (from, to) = (real[plan.rows[row as usize] as usize], real[plan.rows[other as usize] as usize]);
        *value = match (from, to) {
            (MISSING_TIME, _) | (_, MISSING_TIME) => from,
            (from, to) => from.saturating_add((to.saturating_sub(from) as f64 * place) as i64),
        };
    }
}

/// The most frequent code among the neighbours of each synthetic row's first row; missing counts as a code.
fn vote(codes: &mut [u32], n_real: usize, plans: &[Plan]) {
    let (real, synthetic) = codes.split_at_mut(n_real);
    let mut out = synthetic.iter_mut();
    for plan in plans {
        let winners: Vec<u32> = (0..plan.rows.len()).map(|row| most_frequent(real, plan, row)).collect();
        for (code, &(row, _, _)) in out.by_ref().zip(&plan.picks) {
            *code = winners[row as usize];
        }
    }
}

fn most_frequent(codes: &[u32], plan: &Plan, row: usize) -> u32 {
    let code = |idx: u32| codes[plan.rows[idx as usize] as usize];
    let near = &plan.neighbours[row];
    let votes = |c: u32| near.iter().filter(|&&n| code(n) == c).count();
    let mut best = code(near.first().copied().unwrap_or(row as u32));
    for &n in near {
        if votes(code(n)) > votes(best) {
            best = code(n);
        }
    }
    best
}

#[cfg(test)]
mod tests;
