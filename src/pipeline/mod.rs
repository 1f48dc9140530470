//! Schema, features, model, calibration and threshold combined: from a raw row to a score.
//!
//! ```text
//! Table ─Features─▶ Matrix ─Model─▶ score ─Calibration─▶ probability ─threshold─▶ class
//! ```
//! There is no other path from a row to a score, so training, batch scoring and serving cannot differ.

mod adopt;
mod agrees;
mod checks;
mod conformal;
mod crossfit;
mod cv;
mod decide;
mod examples;
mod fit;
mod goal;
mod golden;
mod importance;
mod near;
mod onnx;
mod outliers;
#[cfg(test)]
mod rare_tests;
mod portfolio;
mod recipe;
mod rows;
mod scale;
mod search;
mod several;
#[cfg(test)]
mod search_tests;
mod spread;
mod store;
mod texts;
mod trainer;
mod trials;
mod weights;

pub use adopt::adopt;
pub use checks::Copied;
pub use conformal::{Bound, Coverage, Intervals, LEVELS};
pub use cv::{CrossValidated, cross_validate};
pub use examples::Examples;
pub use fit::{Fitted, fit, judge, rows_that_teach};
pub use importance::Importance;
pub use onnx::{OnnxParts, SPELLINGS};
pub use recipe::{Decision, Imbalance, Quality, Recipe, SearchLimits, SplitBy, SplitSpec, TargetSpec};
pub use rows::RowEncoder;
pub use scale::{Digits, TargetScale};
pub(crate) use spread::{error_params, with_prediction};
pub use texts::{NewWords, told_words, unseen_name};
pub use trainer::FitProgress;
pub use trials::{Search, Trial};
pub use weights::{Weighed, check_weight};

use crate::features::{FeatureError, Features, Matrix, Target, Task, TermShare};
use crate::model::{BLOCK_ROWS, ForeignError, Model, ModelError};
use crate::score::{Calibration, Reading, ScoreError};
use crate::table::{ColumnSpec, Kind, Schema, Table, TableError};
use rayon::prelude::*;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

/// Errors between a table and a pipeline.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A feature or target problem.
    #[error("{0}")]
    Features(#[from] FeatureError),
    /// A model problem.
    #[error("{0}")]
    Model(#[from] ModelError),
    /// A metric or calibration problem.
    #[error("{0}")]
    Score(#[from] ScoreError),
    /// A model trained elsewhere that cannot be read, or does not fit the table.
    #[error("{0}")]
    Foreign(#[from] ForeignError),
    /// Too few rows to train on, or a row that would be in both parts.
    #[error("{0}")]
    Rows(String),
    /// A version's files are damaged, or do not give the stored scores.
    #[error("{}: {what}", .path.display())]
    Version {
        /// The version's directory or file.
        path: PathBuf,
        /// The error.
        what: String,
    },
}

/// A fitted path from a raw row to an answer.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// How the training table was written and typed.
    pub schema: Schema,
    /// The target.
    pub target: Target,
    /// From columns to features.
    pub features: Features,
    /// From features to scores.
    pub model: Model,
    /// The scale from the model's numbers to those of the target; the identity for classes.
    pub scale: TargetScale,
    /// From scores to probabilities.
    pub calibration: Calibration,
    /// Two classes: scores of at least this are positive.
    pub threshold: Option<f64>,
    /// The parameters of intervals; `None` for a version from before there were any.
    pub intervals: Option<Arc<Intervals>>,
}

/// Scores of rows, row-major: one per row for two classes and for numbers, else one per class.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// `n_rows × width` values.
    pub values: Vec<f64>,
    /// Scores per row.
    pub width: usize,
}

impl Scores {
    /// The scores of one row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// Number of rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.values.len() / self.width
    }
}

/// One feature's share in a score.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Contribution {
    /// The column, raw or derived.
    pub column: String,
    /// Its expression, if it is derived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Its share of the raw score (log-odds for boosted classes, probability for forests, the unit of the target for numbers).
    pub value: f64,
    /// For a text, the words with the strongest effect, strongest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<TermShare>,
}

impl Pipeline {
    /// Scores of this pipeline with their truth, as the metrics take them; every row weighs the same.
    #[must_use]
    pub fn reading<'a>(&'a self, scores: &'a Scores, y: &'a [f64]) -> Reading<'a> {
        Reading {
            task: self.target.task,
            classes: &self.target.classes,
            y,
            scores: &scores.values,
            weights: None,
            threshold: self.threshold.unwrap_or(0.5),
        }
    }

    /// Scores of every row of `table`.
    ///
    /// # Errors
    /// When a column that the features need is missing or of another kind.
    pub fn score(&self, table: &Table) -> Result<Scores, PipelineError> {
        Ok(self.score_with(table, |_, _, _| ())?.0)
    }

    /// Scores of every row of `table`, and the results of `each` for every block of rows: it gets the number of the
    /// first row, and the features and the scores of the block, both row-major.
    ///
    /// Features exist for one block at a time, so that memory holds little more than the scores.
    ///
    /// # Errors
    /// As [`Pipeline::score`]; of several, that of the first rows.
    pub fn score_with<T: Send>(
        &self,
        table: &Table,
        each: impl Fn(usize, &[f32], &[f64]) -> T + Sync,
    ) -> Result<(Scores, Vec<T>), PipelineError> {
        let table = table.spelled(&self.schema);
        let computed = self.features.derived().columns(&table)?;
        let rows = self.features.rows(&table, &computed)?;
        let (width, n_features) = (self.target.n_scores(), self.features.names().len());
        let mut values = vec![0.0; table.n_rows() * width];
        let score_block = |features: &mut Vec<f32>, (block, scores): (usize, &mut [f64])| {
            features.resize(scores.len() / width * n_features, 0.0);
            rows.fill(block * BLOCK_ROWS, features)?;
            scores.copy_from_slice(&self.calibrated(self.model.scores_of(features)?));
            Ok(each(block * BLOCK_ROWS, features, scores))
        };
        let blocks = values.par_chunks_mut(BLOCK_ROWS * width).enumerate();
        let said: Vec<Result<T, PipelineError>> = blocks.map_init(Vec::new, score_block).collect();
        let said = said.into_iter().collect::<Result<Vec<T>, _>>()?;
        Ok((Scores { values, width }, said))
    }

    /// Scores of rows with known features.
    ///
    /// # Errors
    /// If they are not those of the model.
    pub fn score_matrix(&self, matrix: &Matrix) -> Result<Scores, PipelineError> {
        Ok(Scores { values: self.calibrated(self.model.scores(matrix)?), width: self.target.n_scores() })
    }

    /// The model's scores, as numbers of the target or as probabilities.
    fn calibrated(&self, scores: Vec<f32>) -> Vec<f64> {
        let mut values: Vec<f64> = scores.into_iter().map(|score| self.scale.told(score)).collect();
        self.calibration.apply_all(&mut values, self.target.n_scores());
        values
    }

    /// Converts the outputs of this pipeline's model, row-major, to scores of the pipeline.
    fn scores_of(&self, said: Vec<f64>) -> Scores {
        let said = said.into_iter().map(|score| score as f32).collect();
        Scores { values: self.calibrated(said), width: self.target.n_scores() }
    }

    /// The class of a row by its scores: an index into `target.classes`; `None` for a regression.
    #[must_use]
    pub fn class_of(&self, scores: &[f64]) -> Option<usize> {
        match self.target.task {
            Task::Regression => None,
            Task::Binary => Some(usize::from(scores[0] >= self.threshold.unwrap_or(0.5))),
            // The first of equal scores, so that the result is deterministic.
            Task::Multiclass => (0..scores.len()).reduce(|best, c| if scores[c] > scores[best] { c } else { best }),
        }
    }

    /// Scores of every row and its `n` strongest contributions, strongest first, summed over the features of a raw column.
    ///
    /// For several classes they explain the score of the class that is predicted.
    ///
    /// # Errors
    /// As [`Pipeline::score`].
    pub fn score_and_explain(
        &self,
        table: &Table,
        n: usize,
    ) -> Result<(Scores, Vec<Vec<Contribution>>), PipelineError> {
        let matrix = self.features.transform(&table.spelled(&self.schema))?;
        let scores = self.score_matrix(&matrix)?;
        let mut explanations = self.explain(&matrix, &scores, n)?;
        self.name_words(&mut explanations, &scores, |row, column| texts::cell(table, row, column));
        Ok((scores, explanations))
    }

    /// Adds the features' levels and the classes to the schema, so that other spellings of them are matched.
    pub(crate) fn know_levels(mut self) -> Self {
        let classes = (self.target.name.as_str(), self.target.classes.as_slice());
        for (name, levels) in self.features.levels().chain([classes]) {
            if let Some(column) = self.schema.columns.iter_mut().find(|column| column.name == name)
                && column.kind == Kind::Category
            {
                column.spelling.know(levels);
            }
        }
        self
    }

    /// The rows with their derived columns, levels under their names in the schema; the same table without derived
    /// columns.
    ///
    /// # Errors
    /// If a column needed for derived ones is missing or of another kind.
    pub fn with_derived<'t>(&self, table: &'t Table) -> Result<Cow<'t, Table>, PipelineError> {
        if self.features.derived().is_empty() {
            return Ok(Cow::Borrowed(table));
        }
        let table = table.spelled(&self.schema);
        let computed = self.features.derived().columns(&table)?;
        let mut columns = table.into_owned().into_columns();
        columns.retain(|column| self.features.derived().expression(&column.name).is_none());
        columns.extend(computed);
        Ok(Cow::Owned(Table::new(columns)?))
    }

    /// `schema` with the columns that are derived.
    #[must_use]
    pub fn schema_with_derived(&self, schema: &Schema) -> Schema {
        let mut all = schema.clone();
        let derived = self.features.derived().kinds().filter(|(name, _)| schema.column(name).is_none());
        all.columns.extend(derived.map(|(name, kind)| ColumnSpec::new(name, kind)));
        all
    }

    /// The margin of the model that an explanation is about.
    fn explained_margin(&self, scores: &[f64]) -> usize {
        match (self.target.task, self.model.n_margins()) {
            (_, 1) | (Task::Regression, _) => 0,
            (Task::Binary, _) => 1,
            (Task::Multiclass, _) => self.class_of(scores).unwrap_or(0),
        }
    }

    /// A single tree as rules to read; `None` for more trees than one.
    #[must_use]
    pub fn rules(&self) -> Option<String> {
        let told = |value: f32| self.scale.digits(self.scale.told(value)).to_string();
        self.model.rules(self.features.names(), &self.target.classes, &told).ok()
    }

    /// The pipeline as ONNX over raw columns; see [`OnnxParts::to_onnx`].
    ///
    /// # Errors
    /// If the model splits on codes of categories or has linear leaves.
    pub fn to_onnx(&self) -> Result<Vec<u8>, PipelineError> {
        let Self { schema, target, features, model, scale, calibration, threshold, .. } = self;
        Ok(OnnxParts { schema, target, features, model, scale, calibration, threshold: *threshold }.to_onnx()?)
    }

    /// The derived features that a graph takes as inputs, since it cannot compute them, and why.
    #[must_use]
    pub fn outside_onnx(&self) -> Vec<(String, String)> {
        onnx::outside(&self.features)
    }

    /// The names of the columns that `predict` adds.
    #[must_use]
    pub fn answer_columns(&self) -> Vec<String> {
        match self.target.task {
            Task::Regression => vec!["prediction".to_owned()],
            Task::Binary => vec!["prediction".to_owned(), "score".to_owned()],
            Task::Multiclass => std::iter::once("prediction".to_owned())
                .chain(self.target.classes.iter().map(|class| format!("score_{class}")))
                .collect(),
        }
    }
}
