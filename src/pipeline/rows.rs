//! Scores rows received one by one, without a table; the scores are the same.
//!
//! ```text
//! cell ─CellReader─▶ Cell ─Features::encode─▶ element of the matrix ───────────────┬─▶ Pipeline::score_features
//!                      └─▶ cells that derived columns need ───▶ derived columns ───┘
//! ```

use super::{Contribution, Pipeline, PipelineError, Scores};
use crate::features::{FeatureError, Matrix, Refused};
use crate::table::{Cell, CellReader, Column, ColumnSpec, Kind, MISSING_TIME, Texts, Values};
use std::sync::Arc;

/// Rows received cell by cell, one row after another.
pub struct RowEncoder<'a> {
    pipeline: &'a Pipeline,
    /// One row per row of the matrix.
    values: Vec<f32>,
    /// The cells that derived columns are computed from.
    cells: Vec<Values>,
    /// Per input, its index in `cells`.
    places: Vec<Option<usize>>,
}

impl<'a> RowEncoder<'a> {
    /// For `n_rows` rows.
    #[must_use]
    pub fn new(pipeline: &'a Pipeline, n_rows: usize) -> Self {
        let derived = pipeline.features.derived();
        let cells = derived.reads().map(|(_, kind)| match kind {
            Kind::Number => Values::Number(Vec::with_capacity(n_rows)),
            Kind::Time => Values::Time(Vec::with_capacity(n_rows)),
            _ => Values::Text(Texts::default()),
        });
        let values = vec![0.0; n_rows * pipeline.features.names().len()];
        let place = |(name, _): (&str, Kind)| derived.reads().position(|(read, _)| read == name);
        let places = match derived.is_empty() {
            true => Vec::new(),
            false => pipeline.features.inputs().map(place).collect(),
        };
        Self { pipeline, values, cells: cells.collect(), places }
    }

    /// Sets the cell of a row for an input. Every input of a row must be set before the next row.
    ///
    /// # Errors
    /// Why the cell is invalid; then do not call [`RowEncoder::finish`].
    pub fn set(&mut self, row: usize, input: usize, cell: Cell<'_>) -> Result<(), Refused> {
        if let Some(place) = self.places.get(input).copied().flatten() {
            match (&mut self.cells[place], cell) {
                (Values::Number(values), Cell::Number(value)) => values.push(value),
                (Values::Number(values), Cell::Missing) => values.push(f64::NAN),
                (Values::Time(values), Cell::Time(value)) => values.push(value),
                (Values::Time(values), Cell::Missing) => values.push(MISSING_TIME),
                (Values::Text(texts), Cell::Level(text)) => texts.push(text),
                (Values::Text(texts), Cell::Missing) => texts.push(""),
                _ => return Err(Refused::Kind),
            }
        }
        let features = &self.pipeline.features;
        let width = features.names().len();
        features.encode(input, cell, &mut self.values[row * width..(row + 1) * width])
    }

    /// The cells that derived columns are computed from, in the order of
    /// [`Derived::reads`](crate::features::derive::Derived::reads).
    #[must_use]
    pub fn cells(&self) -> &[Values] {
        &self.cells
    }

    /// The features of all rows, row-major; includes the values of windows, if there are any.
    ///
    /// # Errors
    /// [`FeatureError::Negative`] if that is the rule of a derived column.
    pub fn finish(mut self, windows: &[Column]) -> Result<Vec<f32>, FeatureError> {
        let features = &self.pipeline.features;
        if !features.derived().is_empty() {
            features.encode_derived(&features.derived().of_cells(&self.cells, windows)?, &mut self.values)?;
        }
        Ok(self.values)
    }
}

impl Pipeline {
    /// The readers of the cells of each input, in the order of `features.inputs()`.
    ///
    /// # Errors
    /// If a time format in the schema is invalid.
    pub fn cell_readers(&self) -> Result<Vec<CellReader>, PipelineError> {
        let reader = |(name, kind): (&str, _)| {
            let column = match self.schema.column(name) {
                Some(spec) => ColumnSpec { kind, ..spec.clone() },
                None => ColumnSpec::new(name, kind),
            };
            CellReader::new(&column, &self.schema.dialect).map_err(PipelineError::Rows)
        };
        self.features.inputs().map(reader).collect()
    }

    /// Scores of rows with features written by `features.encode`: `n_rows × n_features`, row-major.
    ///
    /// # Errors
    /// If there is not one value per feature, or a value is infinite.
    pub fn score_features(&self, values: Vec<f32>) -> Result<(Scores, Matrix), PipelineError> {
        let names = Arc::clone(self.features.names());
        let n_rows = values.len() / names.len();
        let matrix = Matrix::new(values, n_rows, names);
        let scores = if n_rows == 1 { self.score_one(matrix.row(0))? } else { self.score_matrix(&matrix)? };
        Ok((scores, matrix))
    }

    /// The same scores as for a matrix of one row, with less overhead.
    fn score_one(&self, row: &[f32]) -> Result<Scores, PipelineError> {
        let width = self.target.n_scores();
        let mut scores = vec![0.0; width];
        self.model.score_row(row, &mut scores)?;
        Ok(Scores { values: self.calibrated(scores), width })
    }

    /// The contribution of a column, initially 0.
    fn contribution(&self, column: &str) -> Contribution {
        let expression = self.features.derived().expression(column).map(str::to_owned);
        Contribution { column: column.to_owned(), expression, value: 0.0, words: Vec::new() }
    }

    /// The `n` strongest contributions of every row to its scores, strongest first, summed over the features of a raw
    /// column.
    ///
    /// For several classes they explain the score of the class that is predicted. Words are named by
    /// [`Pipeline::name_words`].
    ///
    /// # Errors
    /// When the matrix does not fit the model.
    pub fn explain(&self, matrix: &Matrix, scores: &Scores, n: usize) -> Result<Vec<Vec<Contribution>>, PipelineError> {
        use rayon::prelude::*;
        let contributions = self.model.contributions(matrix)?;
        let columns: Vec<&str> = self.features.columns().collect();
        let explain_row = |row: usize| {
            let mut sums: Vec<Contribution> = columns.iter().map(|&column| self.contribution(column)).collect();
            let shares = contributions.features(row, self.explained_margin(scores.row(row)));
            for (&source, &share) in self.features.sources().iter().zip(shares) {
                sums[source as usize].value += self.scale.part(share);
            }
            sums.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()).then_with(|| a.column.cmp(&b.column)));
            sums.truncate(n);
            sums
        };
        Ok((0..matrix.n_rows).into_par_iter().map(explain_row).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Algorithm, Params};
    use crate::pipeline::{Decision, Examples, Pipeline, Recipe, RowEncoder, SplitSpec, TargetSpec, fit};
    use crate::table::{Categories, Cell, Column, ColumnSpec, Dialect, Kind, Schema, Table, Values};
    use std::borrow::Cow;

    /// 600 rows with a number, a category, a time, and missing cells of each.
    fn table() -> Table {
        let often = |row: usize, n: usize| row * 7919 % n;
        let number = |row| if often(row, 13) == 0 { f64::NAN } else { often(row, 101) as f64 / 3.0 };
        let level = |row| ["", "month", "year", "two years"][often(row, 11).min(3)];
        let micros = |row| if often(row, 17) == 0 { i64::MIN } else { often(row, 997) as i64 * 7_200_000_000 };
        let levels: Vec<&str> = (0..600).map(level).collect();
        let outcome: Vec<&str> =
            (0..600).map(|row| if number(row) > 12.0 && often(row, 11) < 6 { "yes" } else { "no" }).collect();
        let category = |texts: &[&'static str]| Values::Category(Categories::from_texts(texts.iter().copied()));
        let columns = vec![
            Column::new("charge", Values::Number((0..600).map(number).collect())),
            Column::new("contract", category(&levels)),
            Column::new("since", Values::Time((0..600).map(micros).collect())),
            Column::new("churn", category(&outcome)),
        ];
        Table::new(columns).unwrap()
    }

    fn fitted(table: &Table) -> Pipeline {
        let kinds =
            [("charge", Kind::Number), ("contract", Kind::Category), ("since", Kind::Time), ("churn", Kind::Category)];
        let columns = kinds.map(|(name, kind)| ColumnSpec::new(name, kind)).to_vec();
        let schema = Schema { dialect: Dialect::default(), columns };
        let recipe = Recipe {
            target: TargetSpec { column: "churn".to_owned(), task: None, positive: None, ..Default::default() },
            split: SplitSpec::default(),
            features: Default::default(),
            model: Params { algorithm: Algorithm::RandomForest, n_estimators: Some(20), ..Params::default() },
            decision: Decision::default(),
            quality: Default::default(),
            search: Default::default(),
            weight: None,
        };
        let examples = Examples::new(table.clone(), &schema, &recipe).unwrap();
        fit(Cow::Owned(examples), &schema, &recipe, 0, &|_, _, _| {}).unwrap().pipeline
    }

    /// The cell of a table, in the form of a request.
    fn cell(column: &Column, row: usize) -> Cell<'_> {
        match &column.values {
            values if values.is_missing(row) => Cell::Missing,
            Values::Number(values) => Cell::Number(values[row]),
            Values::Category(categories) => Cell::Level(categories.level(row).unwrap()),
            Values::Time(values) => Cell::Time(values[row]),
            Values::Text(texts) => Cell::Level(texts.get(row)),
        }
    }

    fn encoded(pipeline: &Pipeline, table: &Table, rows: std::ops::Range<usize>) -> Vec<f32> {
        let mut encoder = RowEncoder::new(pipeline, rows.len());
        for (at, row) in rows.enumerate() {
            for (input, (name, _)) in pipeline.features.inputs().enumerate() {
                encoder.set(at, input, cell(table.column(name).unwrap(), row)).unwrap();
            }
        }
        encoder.finish(&[]).unwrap()
    }

    #[test]
    fn rows_one_by_one_score_as_in_a_table() {
        let table = table();
        let pipeline = fitted(&table);
        let scores = pipeline.score(&table).unwrap();
        let (same, matrix) = pipeline.score_features(encoded(&pipeline, &table, 0..table.n_rows())).unwrap();
        assert_eq!(scores, same);
        assert!(matrix.values.iter().any(|v| v.is_nan()), "there are missing cells");
        for row in 0..20 {
            let (one, _) = pipeline.score_features(encoded(&pipeline, &table, row..row + 1)).unwrap();
            assert_eq!(one.row(0), scores.row(row), "row {row}");
        }
        let (_, reasons) = pipeline.score_and_explain(&table, 2).unwrap();
        assert_eq!(pipeline.explain(&matrix, &scores, 2).unwrap(), reasons);
    }
}
