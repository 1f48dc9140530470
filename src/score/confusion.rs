//! The confusion matrix and the metrics derived from it.

use serde::{Deserialize, Serialize, Serializer};

use crate::score::Metric;

/// Weights (or numbers) of rows by true and predicted class.
///
/// ```text
///                 predicted 0   predicted 1
///       true 0         TN            FP
///       true 1         FN            TP
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Vec<Vec<f64>>")]
pub struct Confusion {
    n_classes: usize,
    /// Row-major: true class × predicted class.
    cells: Vec<f64>,
}

/// Precision, recall and F1 of one class, or a mean over classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClassScores {
    /// Share of the rows predicted as the class that are of the class.
    pub precision: f64,
    /// Share of the rows of the class that are predicted as it.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Weight (or number) of the rows of the class.
    pub support: f64,
}

/// `part ∕ whole`, or `otherwise` if the whole is 0.
fn ratio(part: f64, whole: f64, otherwise: f64) -> f64 {
    if whole == 0.0 { otherwise } else { part / whole }
}

impl Confusion {
    /// Counts rows by true and predicted class; with weights, sums the weights.
    ///
    /// # Panics
    /// If a class is not below `n_classes`.
    #[must_use]
    pub fn count(n_classes: usize, truth: &[u32], predicted: &[u32], weights: Option<&[f64]>) -> Self {
        let mut cells = vec![0.0; n_classes * n_classes];
        for (row, (&t, &p)) in truth.iter().zip(predicted).enumerate() {
            cells[t as usize * n_classes + p as usize] += weights.map_or(1.0, |w| w[row]);
        }
        Self { n_classes, cells }
    }

    /// A matrix over `cells`, row-major, true class × predicted class.
    ///
    /// # Panics
    /// If there are not n² cells.
    #[must_use]
    pub fn from_cells(n_classes: usize, cells: Vec<f64>) -> Self {
        assert_eq!(cells.len(), n_classes * n_classes, "a confusion matrix is square");
        Self { n_classes, cells }
    }

    /// The cells, row-major.
    #[must_use]
    pub fn cells(&self) -> &[f64] {
        &self.cells
    }

    /// Number of classes.
    #[must_use]
    pub const fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// The weight of rows of class `truth` that are predicted as `predicted`.
    #[must_use]
    pub fn cell(&self, truth: usize, predicted: usize) -> f64 {
        self.cells[truth * self.n_classes + predicted]
    }

    /// The weight of rows that are `class`.
    #[must_use]
    pub fn support(&self, class: usize) -> f64 {
        self.cells[class * self.n_classes..(class + 1) * self.n_classes].iter().sum()
    }

    /// The weight of rows that are predicted as `class`.
    #[must_use]
    pub fn predicted(&self, class: usize) -> f64 {
        self.cells.iter().skip(class).step_by(self.n_classes).sum()
    }

    fn total(&self) -> f64 {
        self.cells.iter().sum()
    }

    fn right(&self) -> f64 {
        (0..self.n_classes).map(|c| self.cell(c, c)).sum()
    }

    /// Precision, recall and F1 of `class`; `zero_division` is the value of 0 ∕ 0.
    #[must_use]
    pub fn class(&self, class: usize, zero_division: f64) -> ClassScores {
        let (hit, support, predicted) = (self.cell(class, class), self.support(class), self.predicted(class));
        ClassScores {
            precision: ratio(hit, predicted, zero_division),
            recall: ratio(hit, support, zero_division),
            f1: ratio(2.0 * hit, support + predicted, zero_division),
            support,
        }
    }

    /// The classes that occur in the truth or the predictions; means are over these.
    #[must_use]
    pub fn seen(&self) -> Vec<usize> {
        (0..self.n_classes).filter(|&c| self.support(c) + self.predicted(c) > 0.0).collect()
    }

    /// The mean of precision, recall and F1 over the classes seen.
    #[must_use]
    pub fn macro_mean(&self, zero_division: f64) -> ClassScores {
        self.mean(zero_division, |_| 1.0)
    }

    /// The mean of precision, recall and F1 over the classes seen, weighted by their support.
    #[must_use]
    pub fn weighted_mean(&self, zero_division: f64) -> ClassScores {
        self.mean(zero_division, |scores| scores.support)
    }

    fn mean(&self, zero_division: f64, weight: impl Fn(&ClassScores) -> f64) -> ClassScores {
        let classes: Vec<ClassScores> = self.seen().into_iter().map(|c| self.class(c, zero_division)).collect();
        let whole: f64 = classes.iter().map(&weight).sum();
        let over = |field: fn(&ClassScores) -> f64| {
            let part: f64 = classes.iter().map(|scores| weight(scores) * field(scores)).sum();
            ratio(part, whole, zero_division)
        };
        ClassScores {
            precision: over(|s| s.precision),
            recall: over(|s| s.recall),
            f1: over(|s| s.f1),
            support: self.total(),
        }
    }

    /// Share of rows predicted correctly; `NaN` without rows.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.right() / self.total()
    }

    /// Mean recall of the classes that occur in the truth; `NaN` without rows.
    #[must_use]
    pub fn balanced_accuracy(&self) -> f64 {
        let present: Vec<usize> = (0..self.n_classes).filter(|&c| self.support(c) > 0.0).collect();
        present.iter().map(|&c| self.class(c, 0.0).recall).sum::<f64>() / present.len() as f64
    }

    /// Share of the rows of other classes that are not predicted as `class`.
    #[must_use]
    pub fn specificity(&self, class: usize, zero_division: f64) -> f64 {
        let others = self.total() - self.support(class);
        ratio(others - (self.predicted(class) - self.cell(class, class)), others, zero_division)
    }

    /// Matthews' correlation coefficient; with several classes R_K (J. Gorodkin, "Comparing two K-category assignments
    /// by a K-category correlation coefficient", 2004). 0 if truth or prediction is constant.
    #[must_use]
    pub fn mcc(&self) -> f64 {
        let n = self.total();
        let (mut truth_predicted, mut predicted_sq, mut truth_sq) = (0.0, 0.0, 0.0);
        for c in 0..self.n_classes {
            let (t, p) = (self.support(c), self.predicted(c));
            truth_predicted += t * p;
            predicted_sq += p * p;
            truth_sq += t * t;
        }
        let spread = (n * n - predicted_sq) * (n * n - truth_sq);
        // Rounding may leave a small remainder if one of the two is constant.
        if self.constant() || spread <= 0.0 {
            return 0.0;
        }
        (self.right() * n - truth_predicted) / spread.sqrt()
    }

    /// Whether the truth or the prediction is one class for all rows.
    fn constant(&self) -> bool {
        let one = |weight: &dyn Fn(usize) -> f64| (0..self.n_classes).filter(|&c| weight(c) > 0.0).count() < 2;
        one(&|c| self.support(c)) || one(&|c| self.predicted(c))
    }

    /// Cohen's kappa of truth and prediction; `NaN` if both are the same single class.
    #[must_use]
    pub fn kappa(&self) -> f64 {
        let n = self.total();
        let by_chance: f64 = (0..self.n_classes).map(|c| self.support(c) * self.predicted(c)).sum::<f64>() / n;
        if self.seen().len() < 2 {
            return f64::NAN;
        }
        1.0 - (n - self.right()) / (n - by_chance)
    }

    /// The value of a metric of the matrix; class 1 is the positive one. `None` if `metric` needs scores.
    /// `zero_division` is the value of precision, recall, F1 and specificity of the positive class at 0 ∕ 0; within
    /// means over classes, that value is 0.
    /// means over classes that is 0.
    ///
    /// # Panics
    /// If a metric of the positive class is requested for fewer than two classes.
    #[must_use]
    pub fn metric(&self, metric: Metric, zero_division: f64) -> Option<f64> {
        let positive = || self.class(1, zero_division);
        Some(match metric {
            Metric::Accuracy => self.accuracy(),
            Metric::BalancedAccuracy => self.balanced_accuracy(),
            Metric::Precision => positive().precision,
            Metric::Recall => positive().recall,
            Metric::F1 => positive().f1,
            Metric::Specificity => self.specificity(1, zero_division),
            Metric::PrecisionMacro => self.macro_mean(0.0).precision,
            Metric::RecallMacro => self.macro_mean(0.0).recall,
            Metric::F1Macro => self.macro_mean(0.0).f1,
            Metric::F1Weighted => self.weighted_mean(0.0).f1,
            Metric::Mcc => self.mcc(),
            Metric::Kappa => self.kappa(),
            _ => return None,
        })
    }

    /// The derivative of `metric` with respect to the weight of a row in each cell, by central differences.
    pub(crate) fn slopes(&self, metric: Metric) -> Vec<f64> {
        // A step far above rounding errors, and small relative to the metric's scale.
        let step = self.total() * 1e-6;
        let at = |cell: usize, by: f64| {
            let mut moved = self.clone();
            moved.cells[cell] += by;
            moved.metric(metric, 0.0).unwrap_or(f64::NAN)
        };
        let slope = |cell| match self.cells[cell] {
            0.0 => 0.0,
            weight => {
                let step = step.min(weight / 2.0);
                (at(cell, step) - at(cell, -step)) / (2.0 * step)
            }
        };
        (0..self.cells.len()).map(slope).collect()
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Confusion {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Confusion".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Vec::<Vec<f64>>::json_schema(generator)
    }
}

/// In JSON a confusion matrix is an array of rows; counts are written as integers.
impl Serialize for Confusion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.cells.chunks(self.n_classes.max(1));
        if self.cells.iter().all(|c| c.fract() == 0.0 && *c < 9e15) {
            serializer.collect_seq(rows.map(|row| row.iter().map(|&c| c as u64).collect::<Vec<_>>()))
        } else {
            serializer.collect_seq(rows)
        }
    }
}

impl From<Vec<Vec<f64>>> for Confusion {
    fn from(rows: Vec<Vec<f64>>) -> Self {
        let n_classes = rows.len();
        let mut cells = Vec::with_capacity(n_classes * n_classes);
        for mut row in rows {
            // Only a modified file can give a ragged matrix.
            row.resize(n_classes, 0.0);
            cells.append(&mut row);
        }
        Self { n_classes, cells }
    }
}

#[cfg(test)]
mod tests {
    use super::Confusion;
    use crate::score::Metric;

    #[test]
    fn json_is_rows_of_integers() {
        let matrix = Confusion::count(2, &[0, 0, 1, 1, 1], &[0, 1, 1, 1, 0], None);
        let json = serde_json::to_string(&matrix).unwrap();
        assert_eq!(json, "[[1,1],[1,2]]");
        assert_eq!(serde_json::from_str::<Confusion>(&json).unwrap(), matrix);
        assert_eq!(serde_json::from_str::<Confusion>("[[1],[1,2,3]]").unwrap().cells(), [1.0, 0.0, 1.0, 2.0]);
        let weighted = Confusion::count(2, &[0, 1], &[0, 1], Some(&[0.5, 1.0]));
        assert_eq!(serde_json::to_string(&weighted).unwrap(), "[[0.5,0.0],[0.0,1.0]]");
    }

    #[test]
    fn zero_division_is_the_callers() {
        let matrix = Confusion::count(2, &[0, 1], &[0, 0], None);
        assert_eq!(matrix.class(1, 0.0).precision, 0.0);
        assert_eq!(matrix.class(1, 1.0).precision, 1.0);
        assert!(matrix.class(1, f64::NAN).precision.is_nan());
        assert_eq!(matrix.class(1, 1.0).recall, 0.0);
        assert_eq!(matrix.mcc(), 0.0);
    }

    #[test]
    fn one_class_has_no_kappa() {
        assert!(Confusion::count(3, &[1, 1], &[1, 1], None).kappa().is_nan());
        assert_eq!(Confusion::count(3, &[1, 1], &[2, 2], None).kappa(), 0.0);
    }

    #[test]
    fn slopes_are_derivatives() {
        let matrix = Confusion::from_cells(2, vec![50.0, 10.0, 5.0, 35.0]);
        let slopes = matrix.slopes(Metric::Precision);
        // precision = TP / (TP + FP)
        let whole = 45.0_f64.powi(2);
        for (slope, exact) in slopes.iter().zip([0.0, -35.0 / whole, 0.0, 10.0 / whole]) {
            assert!((slope - exact).abs() < 1e-9, "{slope} {exact}");
        }
    }
}
