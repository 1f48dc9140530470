//! How much each raw column matters.

use super::{Pipeline, PipelineError, Weighed};
use crate::features::{Matrix, TermShare};
use crate::score::permutation::{order, permutation_importance};
use crate::score::{EvaluateOptions, Metric, Reading, evaluate};
use crate::table::Table;
use std::sync::Arc;

/// The importance of a raw column.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Importance {
    /// The column.
    pub column: String,
    /// Its share of the decrease in loss by the trees' splits; the shares of all columns sum to 1.
    pub gain: f64,
    /// How much worse the primary metric gets if the column is shuffled among the gate rows; `None` if it cannot be
    /// computed, and beyond the 200 columns with the largest gain.
    pub permutation: Option<f64>,
    /// For a text, the words with the strongest effect, strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<TermShare>,
}

/// Maximum number of rows for permutation, and number of repetitions.
pub(super) const MAX_SHUFFLED: usize = 2_000;
const N_REPEATS: usize = 2;
/// Maximum number of permuted columns.
const MAX_COLUMNS: usize = 200;

/// Importance of every raw column, largest gain first; columns are permuted among `rows`, whose labels are `truth`.
pub(super) fn importance(
    pipeline: &Pipeline,
    rows: &Table,
    truth: &Weighed,
    seed: u64,
) -> Result<Vec<Importance>, PipelineError> {
    let mut all: Vec<Importance> = pipeline
        .features
        .columns()
        .map(|column| Importance {
            column: column.to_owned(),
            gain: 0.0,
            permutation: None,
            words: pipeline.strongest_words(column),
        })
        .collect();
    let gains = pipeline.model.gain()?;
    let total: f64 = gains.iter().sum();
    for (&source, gain) in pipeline.features.sources().iter().zip(gains) {
        all[source as usize].gain += if total > 0.0 { gain / total } else { 0.0 };
    }
    if rows.n_rows() > 0 {
        permute(pipeline, rows, truth, seed, &mut all)?;
    }
    all.sort_by(|a, b| b.gain.total_cmp(&a.gain).then_with(|| a.column.cmp(&b.column)));
    Ok(all)
}

fn permute(
    pipeline: &Pipeline,
    rows: &Table,
    truth: &Weighed,
    seed: u64,
    all: &mut [Importance],
) -> Result<(), PipelineError> {
    let primary = Metric::primary(pipeline.target.task);
    // A feature depends on its own column only: permute the matrix instead of encoding the table for every column.
    let matrix = pipeline.features.transform(rows)?;
    let Some(baseline) = primary_of(pipeline, &matrix, truth) else { return Ok(()) };
    let sources = pipeline.features.sources();
    let n_features = sources.len();
    let mut gains: Vec<f64> = all.iter().map(|column| column.gain).collect();
    gains.sort_unstable_by(|a, b| b.total_cmp(a));
    let least = gains.get(MAX_COLUMNS).copied().unwrap_or(-1.0);
    let shuffled = |column: usize, repeat: usize| {
        // No tree uses it, so no score can change.
        if all[column].gain == 0.0 {
            return baseline;
        }
        if all[column].gain <= least {
            return f64::NAN;
        }
        let order = order(rows.n_rows() as u32, column, repeat, seed);
        let own: Vec<usize> = (0..n_features).filter(|&feature| sources[feature] as usize == column).collect();
        let mut values = matrix.values.to_vec();
        for (row, &from) in values.chunks_exact_mut(n_features).zip(&order) {
            own.iter().for_each(|&feature| row[feature] = matrix.row(from as usize)[feature]);
        }
        let matrix = Matrix::new(values, matrix.n_rows, Arc::clone(&matrix.names));
        primary_of(pipeline, &matrix, truth).unwrap_or(f64::NAN)
    };
    let losses = permutation_importance(all.len(), N_REPEATS, baseline, primary.direction(), shuffled);
    for loss in losses {
        all[loss.column].permutation = loss.mean.is_finite().then_some(loss.mean);
    }
    Ok(())
}

fn primary_of(pipeline: &Pipeline, rows: &Matrix, truth: &Weighed) -> Option<f64> {
    let scores = pipeline.score_matrix(rows).ok()?;
    let options = EvaluateOptions { max_replicates: 0, ..Default::default() };
    let reading = Reading { weights: truth.weights.as_deref(), ..pipeline.reading(&scores, &truth.y) };
    evaluate(&reading, None, options).ok()?.primary_value()
}
