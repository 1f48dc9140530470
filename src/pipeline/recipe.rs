//! The fit's settings in `mlloop.toml`, besides the columns.

use crate::features::{FeatureOptions, Task};
use crate::model::Params;
use crate::score::{CalibrationRule, ThresholdRule};
use crate::table::split::Shares;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All settings that determine how a table is used for training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Recipe {
    /// The column to predict.
    pub target: TargetSpec,
    /// Which rows are for training and which for evaluation.
    pub split: SplitSpec,
    /// From columns to features.
    pub features: FeatureOptions,
    /// The model and its parameters.
    pub model: Params,
    /// From scores to answers.
    pub decision: Decision,
    /// How much work to spend on a good model.
    #[serde(default, skip_serializing_if = "Quality::is_default")]
    pub quality: Quality,
    /// The limits of the search with `quality = "best"`.
    #[serde(default, skip_serializing_if = "SearchLimits::is_default")]
    pub search: SearchLimits,
    /// The column with row weights; it is never a feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
}

/// `[train] quality`: how much work to spend on a good model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    /// Every row outside the gate is used for training and, if it is worth the cost, for decisions.
    #[default]
    Standard,
    /// One fit: the tune rows are for decisions, the others for training.
    Fast,
    /// Several sets of parameters are tried, and the best combination becomes one model.
    Best,
}

/// The limits of a search; the first one reached ends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SearchLimits {
    /// CPU time in seconds after which no further set is tried; a running one is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u32>,
    /// Maximum number of parameter sets to try; all of the portfolio if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
}

impl SearchLimits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that at least one trial is possible.
    ///
    /// # Errors
    /// The value out of range.
    pub fn check(self) -> Result<(), String> {
        /// A week.
        const LONGEST: u32 = 7 * 86_400;
        match self {
            Self { budget: Some(budget), .. } if !(1..=LONGEST).contains(&budget) => {
                Err(format!("[train] budget = {budget} must be seconds from 1 to {LONGEST}"))
            }
            Self { tries: Some(0), .. } => Err("[train] tries must be at least 1".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Quality {
    /// All of them, under their names.
    pub const NAMES: [(&'static str, Self); 3] =
        [("standard", Self::Standard), ("fast", Self::Fast), ("best", Self::Best)];

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[target]`: the column to predict.
///
/// ```toml
/// [target]
/// column = "needs_attention"
/// expression = "status == 'open' and (balance > 1000 or contains(flags, 'late'))"
/// [target.allow]
/// balance = "booked before the account is looked at"
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    /// The column's name.
    pub column: String,
    /// The task; detected from the values when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// The class whose probability is the score, for two classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<String>,
    /// The expression that computes it if its cell is empty or the table lacks the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Features that may read columns of the expression, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub allow: BTreeMap<String, String>,
}

impl TargetSpec {
    /// The columns that a table of training rows may lack.
    #[must_use]
    pub fn optional(&self) -> Vec<String> {
        self.expression.iter().map(|_| self.column.clone()).collect()
    }
}

/// `[split]`: which rows are for training and which for evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SplitSpec {
    /// What determines a row's side.
    pub by: SplitBy,
    /// With `by = "column"`: rows with the same value of this column stay on one side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// With `by = "time"`: numbers that together are the time of a row, the longest part first (year, month, day,
    /// hour), if no column is a time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Share of rows for early stopping, calibration and the threshold.
    pub tune: f64,
    /// Share of rows on which versions are compared.
    pub gate: f64,
}

/// What determines a row's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// The id column's hash; without an id column, like `row`.
    Id,
    /// The hash of all features: equal rows stay together.
    Row,
    /// The time column: the latest rows are the gate.
    Time,
    /// The hash of `column`, such as a customer with many rows.
    Column,
}

/// `[decision]`: from scores to answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Decision {
    /// How rare classes are treated.
    pub imbalance: Imbalance,
    /// How scores become probabilities.
    pub calibration: CalibrationRule,
    /// When a row is called positive (two classes).
    pub threshold: ThresholdRule,
}

/// How rare classes are treated, on the training part only.
///
/// By default nothing: the threshold handles rare positives, and weights cost more than they gain. Measured out of
/// fold, ROC-AUC without and with weights: Telco .848 and .849, credit default .785 and .784, bank marketing .938 and
/// .939, Pima .830 and .817, card fraud .996 and .987; a forest with 1 % positives .849 and .835; red wine in six
/// classes, accuracy .61 and .46.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Imbalance {
    /// Rows weigh in inverse proportion to their class.
    Weights,
    /// Synthetic rows of the rare classes (SMOTE-NC).
    Smote,
    /// Nothing.
    None,
}

impl Default for SplitSpec {
    fn default() -> Self {
        Self { by: SplitBy::Id, column: None, columns: Vec::new(), tune: 0.15, gate: 0.2 }
    }
}

impl Default for Decision {
    fn default() -> Self {
        Self { imbalance: Imbalance::None, calibration: CalibrationRule::Auto, threshold: ThresholdRule::default() }
    }
}

impl Decision {
    /// The threshold if there are too few rows to choose one.
    pub(super) fn untuned_threshold(&self) -> f64 {
        match self.threshold {
            ThresholdRule::Fixed(threshold) => threshold,
            _ => 0.5,
        }
    }
}

impl SplitSpec {
    /// The column whose rows stay together, if any.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.column.as_deref().filter(|_| self.by == SplitBy::Column)
    }

    /// Checks that the parts of a time are compatible with the rest, `numbers` being the numeric columns.
    ///
    /// # Errors
    /// A sentence that names the conflict.
    pub fn check_parts(&self, numbers: &[&str]) -> Result<(), String> {
        /// With up to this many parts, the combined number is exact in an `f64`.
        const MOST: usize = 5;
        if self.columns.is_empty() {
            return Ok(());
        }
        if self.by != SplitBy::Time {
            return Err("[split] columns lists the parts of a time: it needs by = \"time\"".to_owned());
        }
        if self.columns.len() > MOST {
            return Err(format!("[split] columns names {} parts of a time, of {MOST} at most", self.columns.len()));
        }
        match self.columns.iter().find(|name| !numbers.contains(&name.as_str())) {
            Some(name) => Err(format!("[split] columns names {name:?}, which is not a number in [columns]")),
            None => Ok(()),
        }
    }

    /// The suitable gate share for `n_rows` rows, of which `rarest` are of the rarest class (`None` for a regression).
    ///
    /// The share that detects a difference of .01 in ROC-AUC with a power of 80 %: about 600 rows of the rarest class.
    /// It is at most a tenth, because the model is not trained on gate rows, and at least a twentieth; up to a fifth if
    /// a tenth would be too few rows to decide anything.
    #[must_use]
    pub fn gate_for(n_rows: u64, task: Task, rarest: Option<u64>) -> f64 {
        const OF_RAREST: f64 = 600.0;
        const LEAST: f64 = 2_000.0;
        const MOST: f64 = 20_000.0;
        /// Score drift and the size of errors need 100 rows. A hash selects a few more or fewer.
        const TO_DECIDE: f64 = 120.0;
        /// With this many rows of the rarer of two classes, a difference of .03 in ROC-AUC can be detected.
        const OF_EACH: f64 = 60.0;
        let n = n_rows.max(1) as f64;
        let of_rarest = |wanted: f64| rarest.map_or(0.0, |rarest| wanted / rarest.max(1) as f64);
        let fine = if rarest.is_some() { (of_rarest(OF_RAREST) * n).clamp(LEAST, MOST) } else { LEAST };
        let each = if task == Task::Binary { of_rarest(OF_EACH).min(MOST / n) } else { 0.0 };
        let share = (fine / n).min(0.1).max(TO_DECIDE / n).max(each);
        // Rounded to hundredths, for readability.
        ((share * 100.0).ceil() / 100.0).clamp(0.05, Self::default().gate)
    }

    /// The shares, if they leave rows to train on.
    ///
    /// # Errors
    /// A sentence with the error.
    pub fn shares(&self) -> Result<Shares, String> {
        let fits = |share: f64| (0.0..1.0).contains(&share);
        if !fits(self.tune) || !fits(self.gate) || self.tune + self.gate > 0.9 {
            return Err(format!(
                "[split] tune = {} and gate = {} must be shares of at least 0 and leave at least 10 % of the rows \
                 for training",
                self.tune, self.gate
            ));
        }
        Ok(Shares { tune: self.tune, gate: self.gate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_has_the_rows_it_needs() {
        let numbers = |n_rows| SplitSpec::gate_for(n_rows, Task::Regression, None);
        let two = |n_rows, rarest| SplitSpec::gate_for(n_rows, Task::Binary, Some(rarest));
        let several = |n_rows, rarest| SplitSpec::gate_for(n_rows, Task::Multiclass, Some(rarest));
        // 120 rows up to a fifth; a tenth from 1200 rows on; then 2000 rows, which are enough.
        assert_eq!([0, 300, 800, 1_200, 10_000, 30_000, 40_000].map(numbers), [0.2, 0.2, 0.15, 0.1, 0.1, 0.07, 0.05]);
        // 60 rows of the rarer class up to a fifth; 600 if a tenth has that many.
        assert_eq!([two(2_000, 200), two(8_000, 400), two(7_000, 1_800)], [0.2, 0.15, 0.1]);
        assert_eq!([two(30_000, 6_636), two(284_807, 492), two(1_000_000, 400_000)], [0.1, 0.08, 0.05]);
        // With several classes, no minimum per class is needed.
        assert_eq!([several(1_600, 10), several(300, 3)], [0.1, 0.2]);
    }

    #[test]
    fn parts_of_a_time_are_numbers_and_go_with_time() {
        let check = |by, columns: &[&str]| {
            let columns = columns.iter().map(|&name| name.to_owned()).collect();
            SplitSpec { by, columns, ..SplitSpec::default() }
                .check_parts(&["year", "month", "x"])
                .err()
                .unwrap_or_default()
        };
        assert_eq!(check(SplitBy::Id, &[]), "");
        assert_eq!(check(SplitBy::Time, &["year", "month"]), "");
        assert!(check(SplitBy::Id, &["year"]).contains("needs by = \"time\""));
        assert!(check(SplitBy::Time, &["year", "at"]).contains("\"at\", which is not a number"));
        assert!(check(SplitBy::Time, &["x"; 6]).contains("6 parts of a time, of 5 at most"));
    }
}
