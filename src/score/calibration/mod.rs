//! Scores to probabilities: fitted on the tune part, used only if it helps on held-out rows.
//!
//! ```text
//!  p'│              ╭──•─────   isotonic: straight lines between the centres of the blocks, extended to 0 and 1,
//!    │          ╭───╯            so two different scores never become equal and the ROC area is unchanged
//!    │   ╭──•───╯               Platt: 1 / (1 + exp(a · log-odds(p) + b)); a = −1, b = 0 changes nothing
//!    └──────────────────── p
//! ```

mod isotonic;
mod platt;
mod reliability;

use rand::seq::SliceRandom;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};

use crate::score::evaluation::{check_weights, length};
use crate::score::{ScoreError, binary, multiclass};
use crate::stats::random;

pub use isotonic::isotonic_regression;
pub use platt::sigmoid;
pub use reliability::{Reliability, ReliabilityBin, reliability};

/// A monotone map from scores to probabilities.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Calibration {
    /// Scores are unchanged.
    #[default]
    None,
    /// 1 ∕ (1 + exp(a · ln(p ∕ (1 − p)) + b)), with a < 0.
    Platt {
        /// Slope; −1 changes nothing.
        a: f64,
        /// Offset; 0 changes nothing.
        b: f64,
    },
    /// Straight lines between the points, flat beyond the first and the last; both columns strictly increase.
    Isotonic {
        /// Scores.
        x: Vec<f64>,
        /// Probabilities.
        y: Vec<f64>,
    },
    /// Each class against the rest, then divided by the sum over classes.
    PerClass {
        /// One map per class.
        classes: Vec<Calibration>,
    },
}

/// The calibration in `mlloop.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CalibrationRule {
    /// The method with the lowest cross-validated log loss; none unless it clearly helps.
    #[default]
    Auto,
    /// None.
    None,
    /// Platt's sigmoid.
    Platt,
    /// Isotonic regression.
    Isotonic,
}

/// A calibration and why it was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// The map.
    pub calibration: Calibration,
    /// Why this one was chosen, as a sentence.
    pub reason: String,
    /// Cross-validated log loss of the unchanged scores, absent without a comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss_before: Option<f64>,
    /// Cross-validated log loss of the chosen map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss_after: Option<f64>,
}

/// Rows of the tune part: the input of a fit.
#[derive(Clone, Copy)]
struct Tune<'a> {
    truth: &'a [u32],
    scores: &'a [f64],
    n_scores: usize,
    weights: Option<&'a [f64]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Platt,
    Isotonic,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Platt => "Platt",
            Self::Isotonic => "isotonic",
        }
    }

    /// The minimum numbers of rows and of rows of either side. Isotonic regression follows single rows, so it needs
    /// about a thousand (A. Niculescu-Mizil, R. Caruana, "Predicting Good Probabilities with Supervised Learning",
    /// 2005); Platt's two parameters need a few dozen.
    const fn needs(self) -> (usize, usize) {
        match self {
            Self::Platt => (60, 20),
            Self::Isotonic => (1000, 100),
        }
    }
}

const N_FOLDS: usize = 5;
/// Maximum number of rows for comparing methods; the chosen method is fitted on all rows.
const MOST_COMPARED: usize = 100_000;

impl Calibration {
    /// Fits a map to rows that the model was not fitted on.
    ///
    /// `y` contains class indices and `scores` one probability per row (binary) or one per class and row. With `Auto`,
    /// 5-fold cross-validation compares the log loss of none, Platt and isotonic, in that order, and a later method is
    /// chosen only if it gains more than one standard error; for small tables, only simple methods are compared.
    /// Explicitly chosen methods are fitted whenever both classes occur. The same rows and `seed` give the same map.
    ///
    /// # Errors
    /// No rows, columns of different lengths, a truth that is not a class, a score that is not a probability, or
    /// invalid weights.
    pub fn fit(
        rule: CalibrationRule,
        n_classes: usize,
        y: &[f64],
        scores: &[f64],
        weights: Option<&[f64]>,
        seed: u64,
    ) -> Result<Fitted, ScoreError> {
        let n_scores = if n_classes == 2 { 1 } else { n_classes };
        check(n_classes, n_scores, y, scores, weights)?;
        let truth: Vec<u32> = y.iter().map(|y| *y as u32).collect();
        let tune = Tune { truth: &truth, scores, n_scores, weights };
        let kind = match rule {
            CalibrationRule::None => return Ok(Fitted::none("not requested")),
            CalibrationRule::Auto => return Ok(tune.choose(seed)),
            CalibrationRule::Platt => Kind::Platt,
            CalibrationRule::Isotonic => Kind::Isotonic,
        };
        Ok(match tune.fit(kind, &tune.all()) {
            Some(calibration) => Fitted { reason: "requested".to_owned(), ..Fitted::of(calibration) },
            None => Fitted::none(
                "the scores do not rise with the true values on the tune part, or it contains one \
                                  class only",
            ),
        })
    }

    /// The probability for the score of a positive class; for `PerClass` use [`Self::apply_row`].
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        match self {
            Self::None | Self::PerClass { .. } => score,
            Self::Platt { a, b } => platt::apply(*a, *b, score),
            Self::Isotonic { x, y } => isotonic::apply(x, y, score),
        }
    }

    /// Replaces the scores of one row with probabilities.
    pub fn apply_row(&self, row: &mut [f64]) {
        match self {
            Self::None => {}
            Self::PerClass { classes } => {
                for (score, class) in row.iter_mut().zip(classes) {
                    *score = class.apply(*score);
                }
                let whole: f64 = row.iter().sum();
                let n = row.len() as f64;
                for score in row {
                    *score = if whole > 0.0 { *score / whole } else { 1.0 / n };
                }
            }
            one => {
                for score in row {
                    *score = one.apply(*score);
                }
            }
        }
    }

    /// Replaces row-major scores, `n_scores` per row, with probabilities.
    ///
    /// ```
    /// let platt = mlloop::score::calibration::Calibration::Platt { a: -1.0, b: 0.0 };
    /// let mut scores = [0.25, 0.5];
    /// platt.apply_all(&mut scores, 1);
    /// assert!((scores[0] - 0.25).abs() < 1e-12 && scores[1] == 0.5);
    /// ```
    pub fn apply_all(&self, scores: &mut [f64], n_scores: usize) {
        if *self != Self::None {
            scores.chunks_mut(n_scores.max(1)).for_each(|row| self.apply_row(row));
        }
    }
}

impl Fitted {
    fn of(calibration: Calibration) -> Self {
        Self { calibration, reason: String::new(), log_loss_before: None, log_loss_after: None }
    }

    fn none(reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..Self::of(Calibration::None) }
    }
}

impl Tune<'_> {
    fn all(&self) -> Vec<u32> {
        (0..self.truth.len() as u32).collect()
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row])
    }

    /// Fits on `rows`; `None` if no map can be fitted (one class, or scores that decrease with the truth).
    fn fit(&self, kind: Kind, rows: &[u32]) -> Option<Calibration> {
        if self.n_scores == 1 {
            return self.fit_one(kind, rows, 0, 1);
        }
        let one = |class| self.fit_one(kind, rows, class, class as u32).unwrap_or_default();
        let classes: Vec<Calibration> = (0..self.n_scores).map(one).collect();
        classes.iter().any(|c| *c != Calibration::None).then_some(Calibration::PerClass { classes })
    }

    fn fit_one(&self, kind: Kind, rows: &[u32], column: usize, positive: u32) -> Option<Calibration> {
        let take = |&row: &u32| {
            let row = row as usize;
            (self.scores[row * self.n_scores + column], self.truth[row] == positive, self.weight(row))
        };
        let points: Vec<(f64, bool, f64)> = rows.iter().map(take).collect();
        match kind {
            Kind::Platt => platt::fit(&points),
            Kind::Isotonic => isotonic::fit(points),
        }
    }

    /// Whether there are enough rows for `kind`, and enough of either side of every class that occurs.
    fn carries(&self, kind: Kind) -> bool {
        let (rows, of_side) = kind.needs();
        let n = self.truth.len();
        let sides = (0..self.n_scores.max(2) as u32).map(|c| self.truth.iter().filter(|t| **t == c).count());
        n >= rows && sides.filter(|s| *s > 0).all(|s| s >= of_side && n - s >= of_side)
    }

    fn choose(&self, seed: u64) -> Fitted {
        let kinds: Vec<Kind> = [Kind::Platt, Kind::Isotonic].into_iter().filter(|k| self.carries(*k)).collect();
        if kinds.is_empty() {
            let (rows, of_side) = Kind::Platt.needs();
            return Fitted::none(&format!("the tune part needs {rows} rows and {of_side} of each class"));
        }
        let (best, before, after) = self.compare(&kinds, seed);
        let (log_loss_before, log_loss_after) = (Some(before), Some(after));
        match best.and_then(|kind| Some((kind, self.fit(kind, &self.all())?))) {
            None => {
                let none = Fitted::none(
                    "no method lowers the cross-validated log loss by more than its standard \
                                         error",
                );
                Fitted { log_loss_before, log_loss_after: log_loss_before, ..none }
            }
            Some((kind, calibration)) => {
                let reason = format!("{} has the lowest cross-validated log loss on the tune part", kind.name());
                Fitted { calibration, reason, log_loss_before, log_loss_after }
            }
        }
    }

    /// The best kind, and the cross-validated log loss without and with it.
    fn compare(&self, kinds: &[Kind], seed: u64) -> (Option<Kind>, f64, f64) {
        if self.truth.len() > MOST_COMPARED {
            return self.compare_sample(kinds, seed);
        }
        let folds = self.folds(seed);
        let before = self.losses(None, &folds);
        let (mut best, mut losses) = (None, before.clone());
        for &kind in kinds {
            let with = self.losses(Some(kind), &folds);
            let (gain, error) = self.gain(&losses, &with);
            if gain > error {
                (best, losses) = (Some(kind), with);
            }
        }
        (best, self.mean(&before), self.mean(&losses))
    }

    /// The same on a sample of the rows, in order, if all rows would take seconds without a better result.
    fn compare_sample(&self, kinds: &[Kind], seed: u64) -> (Option<Kind>, f64, f64) {
        let mut rows = self.all();
        rows.shuffle(&mut random::rng(seed, "calibration rows"));
        rows.truncate(MOST_COMPARED);
        rows.sort_unstable();
        let of = |row: &u32| *row as usize * self.n_scores..(*row as usize + 1) * self.n_scores;
        let truth: Vec<u32> = rows.iter().map(|&row| self.truth[row as usize]).collect();
        let scores: Vec<f64> = rows.iter().flat_map(|row| &self.scores[of(row)]).copied().collect();
        let weights: Option<Vec<f64>> = self.weights.map(|w| rows.iter().map(|&row| w[row as usize]).collect());
        let some = Tune { truth: &truth, scores: &scores, n_scores: self.n_scores, weights: weights.as_deref() };
        some.compare(kinds, seed)
    }

    /// The fold of each row: each class is distributed evenly.
    fn folds(&self, seed: u64) -> Vec<u8> {
        let mut folds = vec![0; self.truth.len()];
        let mut rng = random::rng(seed, "calibration");
        let mut rows = self.all();
        rows.shuffle(&mut rng);
        // A stable sort keeps the shuffled order within a class.
        rows.sort_by_key(|&row| self.truth[row as usize]);
        for (place, row) in rows.into_iter().enumerate() {
            folds[row as usize] = (place % N_FOLDS) as u8;
        }
        folds
    }

    /// The log loss of each row with the map fitted on the other folds.
    fn losses(&self, kind: Option<Kind>, folds: &[u8]) -> Vec<f64> {
        let mut scores = self.scores.to_vec();
        if let Some(kind) = kind {
            let map = |fold: u8| {
                let others: Vec<u32> = self.all().into_iter().filter(|&r| folds[r as usize] != fold).collect();
                self.fit(kind, &others).unwrap_or_default()
            };
            let maps: Vec<Calibration> = (0..N_FOLDS as u8).into_par_iter().map(map).collect();
            scores.chunks_mut(self.n_scores).zip(folds).for_each(|(row, fold)| maps[*fold as usize].apply_row(row));
        }
        let loss = |(row, truth): (&[f64], &u32)| match row {
            [score] => binary::log_loss_of(*truth == 1, *score),
            row => multiclass::log_loss_of(*truth, row),
        };
        scores.chunks(self.n_scores).zip(self.truth).map(loss).collect()
    }

    fn mean(&self, losses: &[f64]) -> f64 {
        crate::stats::moments::weighted_mean(losses.len(), self.weights, &|i| losses[i])
    }

    /// The mean decrease of the loss, and its standard error.
    fn gain(&self, before: &[f64], after: &[f64]) -> (f64, f64) {
        let falls: Vec<f64> = before.iter().zip(after).map(|(b, a)| b - a).collect();
        let mean = self.mean(&falls);
        let whole: f64 = (0..falls.len()).map(|i| self.weight(i)).sum();
        let square: f64 = falls.iter().enumerate().map(|(i, f)| (self.weight(i) * (f - mean)).powi(2)).sum();
        (mean, square.sqrt() / whole)
    }
}

fn check(
    n_classes: usize,
    n_scores: usize,
    y: &[f64],
    scores: &[f64],
    weights: Option<&[f64]>,
) -> Result<(), ScoreError> {
    if y.is_empty() {
        return Err(ScoreError::NoRows);
    }
    length("scores", scores.len(), y.len() * n_scores)?;
    let is_class = |y: &f64| *y >= 0.0 && y.fract() == 0.0 && (*y as usize) < n_classes;
    if let Some(row) = y.iter().position(|y| !is_class(y)) {
        return Err(ScoreError::Truth { row, value: y[row], expected: "the index of a class" });
    }
    if let Some(at) = scores.iter().position(|s| !(0.0..=1.0).contains(s)) {
        return Err(ScoreError::Score { row: at / n_scores, value: scores[at], expected: "a probability" });
    }
    check_weights(weights, y.len())
}

#[cfg(test)]
mod tests;
