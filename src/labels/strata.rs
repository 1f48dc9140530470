//! Strata of rows for labelling: uncertain, drifted and diverse rows.

use crate::features::Matrix;
use crate::pipeline::Pipeline;
use crate::stats::portable::Portable;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The criteria by which rows are selected, besides the control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// 20 % control, 45 % uncertain, 20 % drifted, 15 % diverse.
    #[default]
    Balanced,
    /// Near the operating threshold; with several classes, by margin.
    Uncertain,
    /// Control only.
    Random,
    /// Where there are more rows now than in training.
    Drifted,
    /// Rows that represent others.
    Diverse,
    /// The smallest difference of the two largest probabilities.
    Margin,
    /// The largest −Σ p ln p.
    Entropy,
    /// The largest 1 − max p.
    LeastConfidence,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Balanced,
        Self::Uncertain,
        Self::Random,
        Self::Drifted,
        Self::Diverse,
        Self::Margin,
        Self::Entropy,
        Self::LeastConfidence,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Uncertain => "uncertain",
            Self::Random => "random",
            Self::Drifted => "drifted",
            Self::Diverse => "diverse",
            Self::Margin => "margin",
            Self::Entropy => "entropy",
            Self::LeastConfidence => "least-confidence",
        }
    }

    /// Shares of uncertain, drifted and diverse rows in the non-control part.
    pub(super) fn shares(self) -> [f64; 3] {
        match self {
            Self::Balanced => [0.45 / 0.8, 0.2 / 0.8, 0.15 / 0.8],
            Self::Uncertain | Self::Margin | Self::Entropy | Self::LeastConfidence => [1.0, 0.0, 0.0],
            Self::Random => [0.0; 3],
            Self::Drifted => [0.0, 1.0, 0.0],
            Self::Diverse => [0.0, 0.0, 1.0],
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or_else(|| format!("there are {}", names()))
    }
}

/// The model's uncertainty about a row, from its scores; larger is less certain. `None` for a numeric prediction.
///
/// Two classes: −|p − t| with the operating threshold t. Several: −(p₍₁₎ − p₍₂₎). The strategies `margin`, `entropy` and
/// `least-confidence` use their measure over all classes, whatever the threshold (B. Settles, "Active Learning
/// Literature Survey", 2009, 3.1).
///
/// ```
/// use mlloop::labels::{Strategy, uncertainty};
/// assert_eq!(uncertainty(Strategy::Uncertain, &[0.5], Some(0.25)), -0.25);
/// assert!((uncertainty(Strategy::Margin, &[0.2, 0.5, 0.3], None) - -0.2).abs() < 1e-12);
/// assert!((uncertainty(Strategy::LeastConfidence, &[0.2, 0.5, 0.3], None) - 0.5).abs() < 1e-12);
/// assert!((uncertainty(Strategy::Entropy, &[0.5], None) - 2.0_f64.ln()).abs() < 1e-12);
/// ```
#[must_use]
pub fn uncertainty(strategy: Strategy, scores: &[f64], threshold: Option<f64>) -> f64 {
    let two = |p: f64| [1.0 - p, p];
    let of_two = scores.first().map(|p| two(*p)).unwrap_or_default();
    let all = if scores.len() == 1 { &of_two } else { scores };
    let (first, second) = all
        .iter()
        .fold((f64::MIN, f64::MIN), |(first, second), &p| if p > first { (p, first) } else { (first, second.max(p)) });
    match strategy {
        Strategy::Entropy => -all.iter().filter(|p| **p > 0.0).map(|p| p * p.ln_portable()).sum::<f64>(),
        Strategy::LeastConfidence => 1.0 - first,
        Strategy::Margin => second - first,
        _ if scores.len() == 1 => -(scores[0] - threshold.unwrap_or(0.5)).abs(),
        _ => second - first,
    }
}

/// The first `k` rows that represent the others: the first row, then always the one farthest from those chosen
/// (T. Gonzalez, "Clustering to Minimize the Maximum Intercluster Distance", 1985; as a choice of rows to label:
/// O. Sener, S. Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", 2018).
///
/// Features are standardised, a missing value is set to the mean; ties go to the first row. Fewer than `k` if
/// the rest are copies of chosen rows.
pub(super) fn k_centre(matrix: &Matrix, k: usize) -> Vec<u32> {
    if matrix.n_rows == 0 || k == 0 {
        return Vec::new();
    }
    let points = standardised(matrix);
    let width = matrix.n_features();
    let point = |row: usize| &points[row * width..(row + 1) * width];
    let mut nearest = vec![f32::INFINITY; matrix.n_rows];
    let mut chosen = vec![0_u32];
    while chosen.len() < k {
        let centre = point(chosen[chosen.len() - 1] as usize);
        for (row, nearest) in nearest.iter_mut().enumerate() {
            let distance: f32 = point(row).iter().zip(centre).map(|(a, b)| (a - b) * (a - b)).sum();
            *nearest = nearest.min(distance);
        }
        let farthest = (0..matrix.n_rows).reduce(|best, row| if nearest[row] > nearest[best] { row } else { best });
        match farthest.filter(|&row| nearest[row] > 0.0) {
            Some(row) => chosen.push(row as u32),
            None => break,
        }
    }
    chosen
}

fn standardised(matrix: &Matrix) -> Vec<f32> {
    let width = matrix.n_features();
    let mut points = matrix.values.to_vec();
    for feature in 0..width {
        let column =
            || matrix.values.iter().skip(feature).step_by(width).filter(|x| !x.is_nan()).map(|x| f64::from(*x));
        let n = column().count() as f64;
        let mean = column().sum::<f64>() / n;
        let deviation = (column().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        for x in points.iter_mut().skip(feature).step_by(width) {
            let z = (f64::from(*x) - mean) / deviation;
            *x = if z.is_finite() { z as f32 } else { 0.0 };
        }
    }
    points
}

/// Shares of `budget` in proportion to the density ratio c∕(1−c) · n∕m of rows that are more frequent now
/// (c: probability of being a current row, from a model of `m` current and `n` reference rows); 0 for the others.
/// `None` if no row is.
pub(super) fn drift_pull(c: &[f64], n: usize, m: usize, budget: f64) -> Option<(Vec<f64>, Vec<f64>)> {
    let ratio = |c: &f64| {
        let c = c.clamp(0.001, 0.999);
        c / (1.0 - c) * n as f64 / m as f64
    };
    let ratios: Vec<f64> = c.iter().map(ratio).collect();
    let pulls: Vec<f64> = ratios.iter().map(|r| if *r > 1.0 { *r } else { 0.0 }).collect();
    let total: f64 = pulls.iter().sum();
    (total > 0.0).then(|| (pulls.iter().map(|pull| budget * pull / total).collect(), ratios))
}

/// Production's prediction for a row, as text.
pub(super) fn prediction(pipeline: &Pipeline, scores: &[f64]) -> String {
    match pipeline.class_of(scores) {
        Some(class) => pipeline.target.classes[class].clone(),
        None => pipeline.scale.digits(scores[0]).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[[f32; 2]]) -> Matrix {
        Matrix::new(rows.concat(), rows.len(), ["a".to_owned(), "b".to_owned()].into())
    }

    #[test]
    fn centres_are_one_of_each_cluster() {
        let rows = [[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [9.0, 9.0], [9.1, 9.0], [0.0, 9.0], [f32::NAN, f32::NAN]];
        let chosen = k_centre(&matrix(&rows), 3);
        assert_eq!(chosen[0], 0);
        assert_eq!(chosen.len(), 3);
        assert!(chosen.contains(&4) && chosen.contains(&5), "{chosen:?}");
        let copies = k_centre(&matrix(&[[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]]), 3);
        assert_eq!(copies, [0, 2], "copies stand for themselves");
        assert!(k_centre(&matrix(&[]), 3).is_empty());
    }

    #[test]
    fn frequent_rows_are_pulled_by_their_ratio() {
        let (pulls, ratios) = drift_pull(&[0.5, 0.75, 0.9, 0.2], 100, 100, 24.0).unwrap();
        assert!((ratios[1] - 3.0).abs() < 1e-9 && (ratios[2] - 9.0).abs() < 1e-9);
        assert!((pulls[1] - 6.0).abs() < 1e-9 && (pulls[2] - 18.0).abs() < 1e-9);
        assert_eq!((pulls[0], pulls[3]), (0.0, 0.0));
        assert!(drift_pull(&[0.5, 0.2], 100, 100, 24.0).is_none());
    }

    #[test]
    fn names_are_read_back() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.name().parse::<Strategy>(), Ok(strategy));
            assert_eq!(serde_json::to_value(strategy).unwrap(), strategy.name());
        }
        assert!("topmost".parse::<Strategy>().unwrap_err().contains("least-confidence"));
    }
}
