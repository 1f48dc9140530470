//! Isotonic regression by pooling adjacent violators, read as straight lines between block centres.

use super::Calibration;

/// A run of values that share one fitted value.
#[derive(Clone, Copy)]
struct Block {
    weight: f64,
    /// Σ weight · value.
    value: f64,
    /// Σ weight · score.
    score: f64,
    /// Number of values.
    n: usize,
}

impl Block {
    fn mean(&self) -> f64 {
        self.value / self.weight
    }

    fn centre(&self) -> f64 {
        self.score / self.weight
    }
}

/// Merges neighbours until the means strictly increase; every block has weight.
fn pool(singles: impl Iterator<Item = Block>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for mut block in singles {
        while let Some(last) = blocks.last().filter(|last| last.mean() >= block.mean()) {
            block = Block {
                weight: last.weight + block.weight,
                value: last.value + block.value,
                score: last.score + block.score,
                n: last.n + block.n,
            };
            blocks.pop();
        }
        blocks.push(block);
    }
    blocks
}

/// The non-decreasing values closest to `values` in weighted squares (R. Barlow et al., "Statistical Inference under
/// Order Restrictions", 1972). Weights are above 0.
///
/// ```
/// // sklearn.isotonic.isotonic_regression([1, 3, 2, 4])
/// let fitted = mlloop::score::calibration::isotonic_regression(&[1.0, 3.0, 2.0, 4.0], None);
/// assert_eq!(fitted, [1.0, 2.5, 2.5, 4.0]);
/// ```
#[must_use]
pub fn isotonic_regression(values: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
    let single = |(i, &value): (usize, &f64)| {
        let weight = weights.map_or(1.0, |w| w[i]);
        Block { weight, value: weight * value, score: 0.0, n: 1 }
    };
    let blocks = pool(values.iter().enumerate().map(single));
    blocks.iter().flat_map(|block| std::iter::repeat_n(block.mean(), block.n)).collect()
}

/// Fits to (score, positive, weight); `None` if no two blocks differ.
///
/// The first and the last block may contain only one class. A fitted 0 or 1 would mean "never" or "always" after a few
/// rows, so half a row of the other class is added. The line is extended to half of the first value at score 0, and
/// half-way to 1 at score 1, so that rows at the ends keep their order.
pub(super) fn fit(mut points: Vec<(f64, bool, f64)>) -> Option<Calibration> {
    points.retain(|(_, _, weight)| *weight > 0.0);
    points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let blocks = pool(points.chunk_by(|a, b| a.0 == b.0).map(|run| {
        let weight: f64 = run.iter().map(|p| p.2).sum();
        let value = run.iter().filter(|p| p.1).map(|p| p.2).sum();
        Block { weight, value, score: weight * run[0].0, n: run.len() }
    }));
    let (first, last) = (blocks.first()?, blocks.last()?);
    if blocks.len() < 2 {
        return None;
    }
    let mut x: Vec<f64> = blocks.iter().map(Block::centre).collect();
    let mut y: Vec<f64> = blocks.iter().map(Block::mean).collect();
    let end = y.len() - 1;
    if first.value == 0.0 {
        y[0] = (0.5 / (first.weight + 1.0)).min(y[1] / 2.0);
    }
    if last.value >= last.weight {
        y[end] = ((last.weight + 0.5) / (last.weight + 1.0)).max((1.0 + y[end - 1]) / 2.0);
    }
    if x[0] > 0.0 {
        y.insert(0, y[0] / 2.0);
        x.insert(0, 0.0);
    }
    if x[x.len() - 1] < 1.0 {
        y.push((1.0 + y[y.len() - 1]) / 2.0);
        x.push(1.0);
    }
    Some(Calibration::Isotonic { x, y })
}

/// The line at `score`; flat beyond the ends.
pub(super) fn apply(x: &[f64], y: &[f64], score: f64) -> f64 {
    let above = x.partition_point(|x| *x <= score);
    if score.is_nan() || x.is_empty() || x.len() != y.len() {
        return f64::NAN;
    }
    if above == 0 {
        return y[0];
    }
    if above == x.len() {
        return y[above - 1];
    }
    let below = above - 1;
    y[below] + (y[above] - y[below]) * ((score - x[below]) / (x[above] - x[below]))
}
