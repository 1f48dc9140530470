//! The weight of each row: `[data] weight`.
//!
//! Only ratios matter: weights are divided by their mean before training, so that limits on leaves keep their meaning.
//! Rows of weight 0 are skipped, and equal weights are ignored.

use super::{Decision, Imbalance, PipelineError, Recipe};
use crate::features::FeatureOptions;
use crate::features::derive;
use crate::features::resample::row_weights;
use crate::table::{Kind, Schema, Table, Values};
use crate::wording::instead;

/// Synthetic rows have no weight.
pub(super) const NO_SMOTE: &str = "[data] weight cannot be combined with imbalance = \"smote\", whose synthetic rows \
                                   have no weight: use \"weights\" or \"none\"";

/// Labels with the weight of each row.
#[derive(Debug, Clone, Default)]
pub struct Weighed {
    /// Class index or value, one per row.
    pub y: Vec<f64>,
    /// A weight per row; every row weighs the same when absent.
    pub weights: Option<Vec<f64>>,
    /// Index of each row's entity, from 0 without gaps, if rows of one entity depend on each other.
    pub entities: Option<Vec<u32>>,
}

impl Weighed {
    /// The first `n`.
    pub(super) fn first(&self, n: usize) -> Self {
        let weights = self.weights.as_ref().map(|weights| weights[..n].to_vec());
        Self { y: self.y[..n].to_vec(), weights, entities: None }
    }
}

/// Checks that `[data] weight` names a number that has no other role, and is compatible with the rest.
///
/// # Errors
/// A sentence with the error.
pub fn check_weight(
    name: &str,
    columns: &[(&str, Kind)],
    target: &str,
    (features, decision): (&FeatureOptions, &Decision),
) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("[data] weight = {name:?} {what}"));
    match columns.iter().find(|(column, _)| *column == name) {
        None => {
            let numbers = columns.iter().filter(|(_, kind)| *kind == Kind::Number).map(|(column, _)| *column);
            return wrong(&format!("is not in [columns]{}", instead(name, numbers)));
        }
        Some(_) if name == target => return wrong("is the target"),
        // Equal weights have no effect.
        Some((_, Kind::Number | Kind::Constant)) => {}
        Some((_, kind)) => return wrong(&format!("is of kind \"{kind}\" in [columns]; it must be a number")),
    }
    let reads = derive::origins(&features.derived, columns, target);
    if let Some((derived, _)) = reads.iter().find(|(_, read)| read.iter().any(|column| column == name)) {
        return wrong(&format!("is used by the derived feature {derived:?}; a weight cannot be a feature"));
    }
    if decision.imbalance == Imbalance::Smote {
        return Err(NO_SMOTE.to_owned());
    }
    Ok(())
}

impl Recipe {
    /// The weight of each row of `table`; `None` if none are configured, or all of `rows` have the same.
    ///
    /// # Errors
    /// The first of `rows` whose weight is missing, negative or infinite; or if all of them are 0.
    pub fn weights(&self, table: &Table, schema: &Schema, rows: &[u32]) -> Result<Option<Vec<f64>>, PipelineError> {
        let Some(name) = &self.weight else { return Ok(None) };
        let column = table.require(name)?;
        let Values::Number(weights) = &column.values else {
            return Err(PipelineError::Rows(format!("[data] weight: column {name:?} is not a number")));
        };
        let fits = |weight: f64| weight.is_finite() && weight >= 0.0;
        if let Some(&row) = rows.iter().find(|row| !fits(weights[**row as usize])) {
            let weight = weights[row as usize];
            let what = if weight.is_nan() { "is missing".to_owned() } else { format!("is {weight}") };
            return Err(PipelineError::Rows(format!(
                "[data] weight: in column {name:?} the weight of row {}{} {what}; it must be a number of at least 0",
                row + 1,
                named(table, schema, row)
            )));
        }
        let Some(first) = rows.first().map(|&row| weights[row as usize]) else { return Ok(None) };
        match rows.iter().all(|&row| weights[row as usize] == first) {
            true if first == 0.0 => {
                Err(PipelineError::Rows(format!("[data] weight: every labelled row has weight 0 in column {name:?}")))
            }
            true => Ok(None),
            false => Ok(Some(weights.clone())),
        }
    }

    /// A remark for the user on where weights are not used.
    pub(super) fn unweighted(&self) -> Option<String> {
        let name = self.weight.as_ref()?;
        Some(format!(
            "rows are weighted by {name:?} in fitting, calibration, threshold and metrics; each row counts once in \
             target statistics, imputed values, scales, group statistics, bins, profiles and expected errors"
        ))
    }
}

/// ` ("K17")`, where rows have ids.
fn named(table: &Table, schema: &Schema, row: u32) -> String {
    let id = schema.columns.iter().find(|column| column.kind == Kind::Id).and_then(|id| table.column(&id.name));
    match id.map(|column| &column.values) {
        Some(Values::Text(ids)) => format!(" ({:?})", ids.get(row as usize)),
        _ => String::new(),
    }
}

/// The weights at `rows`.
pub(super) fn at(weights: Option<&[f64]>, rows: &[u32]) -> Option<Vec<f64>> {
    weights.map(|weights| rows.iter().map(|&row| weights[row as usize]).collect())
}

/// How many of the first rows in `order` hold the share `share` of the total weight, to the nearest row.
pub(super) fn most(weights: &[f64], order: &[u32], share: f64) -> usize {
    let wanted = share * weights.iter().sum::<f64>();
    let mut before = 0.0;
    order
        .iter()
        .take_while(|&&row| {
            let own = weights[row as usize];
            before += own;
            before - own / 2.0 < wanted
        })
        .count()
}

/// The training weights of rows with the classes `y`: their own weights divided by the mean and, with `balanced`,
/// scaled so that every class has the same total.
pub(super) fn of_trees(own: Option<&[f64]>, y: &[f32], n_classes: usize, balanced: bool) -> Option<Vec<f32>> {
    let Some(own) = own else {
        return balanced.then(|| row_weights(y, n_classes));
    };
    let mut weights = own.to_vec();
    if balanced {
        let mut sums = vec![0.0; n_classes];
        y.iter().zip(own).for_each(|(&class, weight)| sums[class as usize] += weight);
        y.iter().zip(&mut weights).for_each(|(&class, weight)| *weight /= sums[class as usize]);
    }
    let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
    Some(weights.into_iter().map(|weight| (weight / mean) as f32).collect())
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
