//! The operating threshold: the lowest score that is predicted positive.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::score::ScoreError;
use crate::score::curve::Curve;
use crate::score::evaluation::{check_weights, length};
use crate::wording::nearest;

/// How the threshold is found, as written in `mlloop.toml`.
///
/// ```text
/// threshold = "f1"                            highest F1, as far as the rows can tell
/// threshold = "accuracy"                      most rows right
/// threshold = "youden"                        highest recall + specificity
/// threshold = 0.35                            this one
/// threshold = { cost_fp = 1, cost_fn = 10 }   lowest cost
/// threshold = { alerts = 0.02 }               at most 2 % of the rows
/// threshold = { recall = 0.9 }                the fewest alerts that reach this recall
/// threshold = { precision = 0.5 }             the highest recall at this precision or more
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "Written", into = "Written")]
pub enum ThresholdRule {
    /// The highest F1, as far as the rows can tell: see [`choose`].
    #[default]
    F1,
    /// The most rows right.
    Accuracy,
    /// The highest recall + specificity (W. Youden, "Index for Rating Diagnostic Tests", 1950).
    Youden,
    /// This threshold.
    Fixed(f64),
    /// The lowest cost_fp · false positives + cost_fn · false negatives.
    Cost {
        /// What a false alert costs; 0 or more.
        cost_fp: f64,
        /// What a missed positive costs; 0 or more.
        cost_fn: f64,
    },
    /// As many alerts as fit into this share of the rows, 0 to 1.
    Alerts(f64),
    /// The fewest alerts whose recall is at least this, 0 to 1.
    Recall(f64),
    /// The highest recall whose precision is at least this, 0 to 1.
    Precision(f64),
}

/// A rule in the form of `mlloop.toml`.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "a threshold is \"f1\", \"accuracy\", \"youden\", a number, { cost_fp = …, cost_fn = … }, { alerts = … }, { recall = … } or { precision = … }"
)]
enum Written {
    Number(f64),
    Name(String),
    Table(BTreeMap<String, f64>),
}

const NAMES: [&str; 3] = ["f1", "accuracy", "youden"];
const KNOWN: &str = "\"f1\", \"accuracy\", \"youden\", a number, { cost_fp = …, cost_fn = … }, { alerts = … }, \
                     { recall = … } or { precision = … }";

impl TryFrom<Written> for ThresholdRule {
    type Error = ScoreError;

    fn try_from(written: Written) -> Result<Self, ScoreError> {
        let rule = match &written {
            Written::Number(threshold) => Self::Fixed(*threshold),
            Written::Name(name) => match name.as_str() {
                "f1" => Self::F1,
                "accuracy" => Self::Accuracy,
                "youden" => Self::Youden,
                other => {
                    let near =
                        nearest(other, NAMES).map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
                    return Err(ScoreError::Rule(format!("{other:?} is not {KNOWN}{near}")));
                }
            },
            Written::Table(table) => {
                let entries: Vec<(&str, f64)> = table.iter().map(|(key, value)| (key.as_str(), *value)).collect();
                match entries[..] {
                    // A BTreeMap is ordered by key.
                    [("cost_fn", cost_fn), ("cost_fp", cost_fp)] => Self::Cost { cost_fp, cost_fn },
                    [("alerts", share)] => Self::Alerts(share),
                    [("recall", share)] => Self::Recall(share),
                    [("precision", share)] => Self::Precision(share),
                    _ => {
                        let keys: Vec<&str> = entries.iter().map(|(key, _)| *key).collect();
                        return Err(ScoreError::Rule(format!("{{ {} }} is not {KNOWN}", keys.join(", "))));
                    }
                }
            }
        };
        rule.check()?;
        Ok(rule)
    }
}

impl From<ThresholdRule> for Written {
    fn from(rule: ThresholdRule) -> Self {
        let table = |entries: &[(&str, f64)]| {
            Self::Table(entries.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect())
        };
        match rule {
            ThresholdRule::F1 => Self::Name("f1".to_owned()),
            ThresholdRule::Accuracy => Self::Name("accuracy".to_owned()),
            ThresholdRule::Youden => Self::Name("youden".to_owned()),
            ThresholdRule::Fixed(threshold) => Self::Number(threshold),
            ThresholdRule::Cost { cost_fp, cost_fn } => table(&[("cost_fp", cost_fp), ("cost_fn", cost_fn)]),
            ThresholdRule::Alerts(share) => table(&[("alerts", share)]),
            ThresholdRule::Recall(share) => table(&[("recall", share)]),
            ThresholdRule::Precision(share) => table(&[("precision", share)]),
        }
    }
}

impl fmt::Display for ThresholdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F1 => write!(f, "highest F1"),
            Self::Accuracy => write!(f, "highest accuracy"),
            Self::Youden => write!(f, "highest recall + specificity"),
            Self::Fixed(threshold) => write!(f, "fixed at {threshold}"),
            Self::Cost { cost_fp, cost_fn } => {
                write!(f, "lowest cost, {cost_fp} for a false alert and {cost_fn} for a miss")
            }
            Self::Alerts(share) => write!(f, "alerts for at most {share} of the rows"),
            Self::Recall(share) => write!(f, "recall of at least {share}"),
            Self::Precision(share) => write!(f, "precision of at least {share}"),
        }
    }
}

impl ThresholdRule {
    fn check(self) -> Result<(), ScoreError> {
        let (name, value) = match self {
            Self::F1 | Self::Accuracy | Self::Youden => return Ok(()),
            Self::Cost { cost_fp, cost_fn } => {
                let good = |cost: f64| cost.is_finite() && cost >= 0.0;
                return if good(cost_fp) && good(cost_fn) && cost_fp + cost_fn > 0.0 {
                    Ok(())
                } else {
                    let costs = format!("cost_fp = {cost_fp} and cost_fn = {cost_fn}");
                    Err(ScoreError::Rule(format!("{costs} must be at least 0, and one of them more")))
                };
            }
            Self::Fixed(value) => ("a fixed threshold", value),
            Self::Alerts(value) => ("alerts", value),
            Self::Recall(value) => ("recall", value),
            Self::Precision(value) => ("precision", value),
        };
        if (0.0..=1.0).contains(&value) {
            return Ok(());
        }
        Err(ScoreError::Rule(format!("{name} = {value} is not a share between 0 and 1")))
    }

    const fn needs_both_classes(self) -> bool {
        !matches!(self, Self::Fixed(_) | Self::Alerts(_) | Self::Accuracy)
    }
}

/// A threshold and its results on the rows it was chosen on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Operating {
    /// The rule.
    pub rule: ThresholdRule,
    /// Rows with this score or more are predicted positive.
    pub threshold: f64,
    /// The share of the rows that are predicted positive.
    pub alerts: f64,
    /// The share of those that are positive; 0 without any.
    pub precision: f64,
    /// The share of the positives that are predicted positive; 0 without any.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
}

/// A cut between two distinct scores, with the counts above it.
#[derive(Clone, Copy)]
struct Cut {
    /// Number of rows with higher scores.
    end: usize,
    tp: f64,
    fp: f64,
}

/// Weights of all rows.
#[derive(Clone, Copy)]
struct Totals {
    positives: f64,
    negatives: f64,
}

impl Cut {
    fn alerts(self, totals: Totals) -> f64 {
        (self.tp + self.fp) / (totals.positives + totals.negatives)
    }

    fn precision(self) -> f64 {
        if self.tp == 0.0 { 0.0 } else { self.tp / (self.tp + self.fp) }
    }

    fn recall(self, totals: Totals) -> f64 {
        if self.tp == 0.0 { 0.0 } else { self.tp / totals.positives }
    }

    fn f1(self, totals: Totals) -> f64 {
        if self.tp == 0.0 { 0.0 } else { 2.0 * self.tp / (self.tp + self.fp + totals.positives) }
    }

    /// The objective of the rule, to be maximised; `None` if the cut violates the rule's bounds.
    fn worth(self, rule: ThresholdRule, totals: Totals) -> Option<f64> {
        match rule {
            // Uninformative scores have their highest F1 when every row is predicted positive.
            ThresholdRule::F1 => {
                let most = (totals.negatives / 2.0).max(5.0 * totals.positives);
                (self.fp <= most).then(|| self.f1(totals))
            }
            ThresholdRule::Accuracy => Some(self.tp + totals.negatives - self.fp),
            ThresholdRule::Youden => Some(self.recall(totals) - self.fp / totals.negatives),
            ThresholdRule::Cost { cost_fp, cost_fn } => {
                Some(-(cost_fp * self.fp + cost_fn * (totals.positives - self.tp)))
            }
            ThresholdRule::Alerts(share) => (self.alerts(totals) <= share).then_some(self.tp + self.fp),
            ThresholdRule::Recall(share) => (self.recall(totals) >= share).then_some(-(self.tp + self.fp)),
            ThresholdRule::Precision(share) => (self.tp > 0.0 && self.precision() >= share).then_some(self.tp),
            ThresholdRule::Fixed(_) => None,
        }
    }
}

/// Finds the best threshold by `rule` on rows that the model was not fitted on.
///
/// A threshold is half-way between two neighbouring distinct scores, so equal scores are never separated. Among equally
/// good cuts, the one with the fewest alerts is used. `y` is 0 or 1.
///
/// The highest F1 on a few hundred rows is subject to chance. Among all thresholds within one standard error of it, the
/// one closest to half of the highest F1 is used: for calibrated probabilities, the optimal threshold is half of the
/// optimal F1 (Z. Lipton and others, "Optimal Thresholding of Classifiers to Maximize F1 Measure", 2014). If positives
/// are rare, thresholds that predict more than half of the negatives positive are excluded.
///
/// ```
/// use mlloop::score::threshold::{ThresholdRule, choose};
/// let found = choose(ThresholdRule::F1, &[0.0, 1.0, 0.0, 1.0], &[0.1, 0.6, 0.4, 0.8], None)?;
/// assert_eq!((found.threshold, found.f1), (0.5, 1.0));
/// # Ok::<(), mlloop::score::ScoreError>(())
/// ```
///
/// # Errors
/// No rows, columns of different lengths, a score that is `NaN`, invalid weights, a rule out of range, only one class
/// if the rule compares two, or a precision that no threshold reaches.
pub fn choose(
    rule: ThresholdRule,
    y: &[f64],
    scores: &[f64],
    weights: Option<&[f64]>,
) -> Result<Operating, ScoreError> {
    check(rule, y, scores, weights)?;
    let curve = Curve::new(scores, |i| y[i] == 1.0);
    let score = |position: usize| scores[curve.order()[position] as usize];
    let mut cuts = vec![Cut { end: 0, tp: 0.0, fp: 0.0 }];
    curve.walk(
        |j| weights.map_or(1.0, |w| w[curve.order()[j] as usize]),
        |step| cuts.push(Cut { end: step.end, tp: step.true_positives, fp: step.false_positives }),
    );
    let last = cuts[cuts.len() - 1];
    let totals = Totals { positives: last.tp, negatives: last.fp };
    if rule.needs_both_classes() && (totals.positives == 0.0 || totals.negatives == 0.0) {
        let class = if totals.positives == 0.0 { "negative" } else { "positive" };
        return Err(ScoreError::OneClass { rows: y.len(), class });
    }
    let (cut, threshold) = if let ThresholdRule::Fixed(threshold) = rule {
        let above = curve.order().partition_point(|&i| scores[i as usize] >= threshold);
        (cuts[cuts.partition_point(|cut| cut.end < above)], threshold)
    } else {
        let cut = best(rule, &cuts, totals).ok_or_else(|| unreachable_share(rule, &cuts, y.len()))?;
        let at = |cut: Cut| (cut, between(cut.end, y.len(), score));
        match rule {
            ThresholdRule::F1 => steady(&cuts, cut, totals, at),
            _ => at(cut),
        }
    };
    Ok(Operating {
        rule,
        threshold,
        alerts: cut.alerts(totals),
        precision: cut.precision(),
        recall: cut.recall(totals),
        f1: cut.f1(totals),
    })
}

/// The cut with the highest objective; among equal ones the first, which has the fewest alerts.
fn best(rule: ThresholdRule, cuts: &[Cut], totals: Totals) -> Option<Cut> {
    let mut best: Option<(f64, Cut)> = None;
    for cut in cuts {
        let Some(worth) = cut.worth(rule, totals) else { continue };
        if best.is_none_or(|(highest, _)| worth > highest) {
            best = Some((worth, *cut));
        }
    }
    best.map(|(_, cut)| cut)
}

/// Among the cuts whose F1 is not significantly below the highest, the one whose threshold is closest to half of it.
fn steady(cuts: &[Cut], highest: Cut, totals: Totals, at: impl Fn(Cut) -> (Cut, f64)) -> (Cut, f64) {
    let f1 = highest.f1(totals);
    // F1 = 2J/(1 + J), where J is the share of true positives among all rows that are positive or predicted positive.
    let (share, rows) = (f1 / (2.0 - f1), highest.fp + totals.positives);
    let error = 2.0 / (1.0 + share).powi(2) * (share * (1.0 - share) / rows).sqrt();
    let of_use = |cut: &&Cut| cut.worth(ThresholdRule::F1, totals).is_some_and(|worth| worth >= f1 - error);
    let close = cuts.iter().filter(of_use).map(|&cut| at(cut));
    close.min_by(|a, b| (a.1 - f1 / 2.0).abs().total_cmp(&(b.1 - f1 / 2.0).abs())).unwrap_or_else(|| at(highest))
}

fn unreachable_share(rule: ThresholdRule, cuts: &[Cut], rows: usize) -> ScoreError {
    let best = cuts.iter().map(|cut| cut.precision()).fold(0.0, f64::max);
    ScoreError::Unreachable { wanted: rule.to_string(), best, rows }
}

/// A threshold that the first `end` of `n` scores, in descending order, reach and the others do not.
fn between(end: usize, n: usize, score: impl Fn(usize) -> f64) -> f64 {
    if end == n {
        return score(n - 1).min(0.0);
    }
    let below = score(end);
    // Above the highest score: half-way to 1, or the next representable number.
    let above = if end == 0 { 1.0 } else { score(end - 1) };
    let middle = below + (above - below) / 2.0;
    if middle > below && middle <= above { middle } else { below.next_up() }
}

fn check(rule: ThresholdRule, y: &[f64], scores: &[f64], weights: Option<&[f64]>) -> Result<(), ScoreError> {
    rule.check()?;
    if y.is_empty() {
        return Err(ScoreError::NoRows);
    }
    length("scores", scores.len(), y.len())?;
    if let Some(row) = y.iter().position(|y| *y != 0.0 && *y != 1.0) {
        return Err(ScoreError::Truth { row, value: y[row], expected: "0 or 1" });
    }
    if let Some(row) = scores.iter().position(|s| !s.is_finite()) {
        return Err(ScoreError::Score { row, value: scores[row], expected: "a finite number" });
    }
    check_weights(weights, y.len())
}

#[cfg(test)]
mod tests;
