//! The fitted features: a list of raw columns with their encoders.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::derive::Derived;
use super::encoder::{Encoder, RawColumn};
use super::error::FeatureError;
use super::error::Refused;
use super::learn::{Learned, OutOfFold, learn};
use super::options::FeatureOptions;
use super::outcome::Outcome;
use super::text::TextEncoder;
use super::{Matrix, Rows, Target, apply};
use crate::table::{Cell, Column, Kind, Table, Values};

/// Converts a table to a matrix, fitted to training rows.
///
/// ```text
/// derived  computed from raw columns, see [`Derived`]
/// columns  tenure │ Contract                │ city               raw and derived columns
/// names    tenure │ Contract=a … Contract=c │ city (share of y)   features, one after another
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Features {
    derived: Derived,
    /// The columns that are encoded, raw and derived.
    inputs: Vec<RawColumn>,
    /// The raw columns that are needed: those that are encoded, then those that are only derived from.
    raw: Vec<(String, Kind)>,
    /// Per raw column, its place in `inputs`; `None` for one that is only derived from.
    places: Vec<Option<usize>>,
    names: Arc<[String]>,
    /// Per feature, its input.
    sources: Vec<u32>,
    /// Per input, its first feature; one more at the end.
    starts: Vec<usize>,
    /// Per input, the features of each level; see [`Encoder::blocks`].
    blocks: Vec<Vec<f32>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(default, skip_serializing_if = "Derived::is_empty")]
    derived: Derived,
    inputs: Vec<RawColumn>,
}

impl From<Features> for Stored {
    fn from(features: Features) -> Self {
        Self { derived: features.derived, inputs: features.inputs }
    }
}

impl TryFrom<Stored> for Features {
    type Error = FeatureError;

    fn try_from(stored: Stored) -> Result<Self, FeatureError> {
        Self::with(stored.derived, stored.inputs)
    }
}

impl Features {
    /// Features from encoders.
    ///
    /// # Errors
    /// [`FeatureError::Damaged`] if an encoder is inconsistent or a column is duplicated,
    /// [`FeatureError::NoFeatures`] without any.
    pub fn new(inputs: Vec<RawColumn>) -> Result<Self, FeatureError> {
        Self::with(Derived::default(), inputs)
    }

    /// As [`Features::new`], over raw and derived columns.
    pub(crate) fn with(derived: Derived, inputs: Vec<RawColumn>) -> Result<Self, FeatureError> {
        for (idx, input) in inputs.iter().enumerate() {
            input.encoder.check(&input.column)?;
            if inputs[..idx].iter().any(|other| other.column == input.column) {
                return Err(FeatureError::Damaged { column: input.column.clone(), what: "the column is listed twice" });
            }
        }
        if inputs.is_empty() {
            return Err(FeatureError::NoFeatures);
        }
        let names = inputs.iter().flat_map(|i| i.encoder.names(&i.column)).collect();
        let sources =
            (0..).zip(&inputs).flat_map(|(idx, i)| std::iter::repeat_n(idx, i.encoder.n_features())).collect();
        let blocks = inputs.iter().map(|i| i.encoder.blocks()).collect();
        let mut starts = vec![0];
        for input in &inputs {
            starts.push(starts[starts.len() - 1] + input.encoder.n_features());
        }
        let is_derived = |name: &str| derived.expression(name).is_some();
        let encoded = inputs.iter().filter(|input| !is_derived(&input.column));
        let mut raw: Vec<(String, Kind)> = encoded.map(|input| (input.column.clone(), input.encoder.kind())).collect();
        for (name, kind) in derived.reads() {
            if !raw.iter().any(|(known, _)| known == name) {
                raw.push((name.to_owned(), kind));
            }
        }
        let places = raw.iter().map(|(name, _)| inputs.iter().position(|input| input.column == *name)).collect();
        Ok(Self { derived, inputs, raw, places, names, sources, starts, blocks })
    }

    /// Fits the encoders to training rows, and returns the matrix for fitting a model.
    ///
    /// That matrix equals [`Features::transform`], except for target statistics and text scores: a training row gets
    /// those of the four other folds (by hash of the row's index and `seed`), so that the model does not learn from its
    /// own labels.
    ///
    /// `y` is the encoded target ([`Target::encode`]); rows where it is `NaN` do not count in target statistics.
    /// Excluded: ids, texts of single words, the target, dropped columns and columns that are constant in `train`.
    ///
    /// # Errors
    /// [`FeatureError::Option`] for options that do not fit the table, [`FeatureError::Length`] if `y` has another
    /// length, [`FeatureError::Negative`] if that rule is `error`, [`FeatureError::NoFeatures`] if nothing is left.
    pub fn fit(
        train: &Table,
        target: &Target,
        y: &[f32],
        options: &FeatureOptions,
        seed: u64,
    ) -> Result<(Self, Matrix), FeatureError> {
        Self::fit_with_made(train, 0, (target, y, None), options, seed)
    }

    /// As [`Features::fit`]; the last `n_made` rows are synthetic, and excluded from statistics of groups. If there are
    /// keys, rows with the same key are in one fold.
    ///
    /// # Errors
    /// As [`Features::fit`].
    pub fn fit_with_made(
        train: &Table,
        n_made: usize,
        (target, y, groups): (&Target, &[f32], Option<&[u64]>),
        options: &FeatureOptions,
        seed: u64,
    ) -> Result<(Self, Matrix), FeatureError> {
        options.check(train)?;
        if y.len() != train.n_rows() {
            return Err(FeatureError::Length { what: "the target", found: y.len(), expected: train.n_rows() });
        }
        let outcome = Outcome::new(target, y, seed, groups).with_made(n_made);
        let real: Vec<u32> = (0..(train.n_rows() - n_made) as u32).collect();
        let real = (n_made > 0).then_some(real.as_slice());
        let (derived, computed) = Derived::fit(&options.derived, train, real, &target.name)?;
        let all = train.columns().iter().chain(&computed);
        let columns: Vec<_> = all.filter(|c| c.name != target.name && !options.drop.contains(&c.name)).collect();
        let learned: Vec<Option<Learned>> =
            columns.par_iter().map(|c| learn(c, &outcome, options)).collect::<Result<_, _>>()?;
        let mut inputs = Vec::new();
        let mut out_of_fold: Vec<Option<OutOfFold>> = Vec::new();
        for (column, learned) in columns.iter().zip(learned) {
            let Some(learned) = learned else { continue };
            inputs.push(RawColumn { column: column.name.clone(), encoder: learned.encoder });
            out_of_fold.push(learned.out_of_fold);
        }
        let features = Self::with(derived, inputs)?;
        let folds = |idx: usize| out_of_fold[idx].as_ref().map(|o| (o, outcome.folds()));
        let rows = features.bind(train, &computed, folds)?;
        let matrix = Matrix::new(rows.all()?, train.n_rows(), Arc::clone(&features.names));
        Ok((features, matrix))
    }

    /// [`Features::fit`] of the rows `train` of a large table, and [`Features::transform`] of each part of `others`.
    ///
    /// `groups` has a key per row of `train`, if rows are grouped.
    ///
    /// The table is dropped column by column, so that memory never holds much more than the table:
    ///
    /// ```text
    /// table    column ─┬─ rows `train`  ─▶ features of this column ─┐
    ///          column ─┤                                            ├─▶ a matrix of each part
    ///          …       └─ rows `others` ─▶ features of this column ─┘
    /// ```
    ///
    /// # Errors
    /// As [`Features::fit`].
    pub fn fit_from(
        table: Table,
        (train, others): (&[u32], [&[u32]; 2]),
        (target, y, groups): (&Target, &[f32], Option<&[u64]>),
        options: &FeatureOptions,
        seed: u64,
    ) -> Result<(Self, Matrix, [Matrix; 2]), FeatureError> {
        options.check(&table)?;
        if y.len() != train.len() {
            return Err(FeatureError::Length { what: "the target", found: y.len(), expected: train.len() });
        }
        let outcome = Outcome::new(target, y, seed, groups);
        let (derived, computed) = Derived::fit(&options.derived, &table, Some(train), &target.name)?;
        // Drop texts that are not features before the other columns are encoded.
        let unread = |c: &Column| matches!(c.values, Values::Text(_)) && !options.reads_text(&c.name);
        let dropped = |c: &Column| c.name == target.name || options.drop.contains(&c.name);
        let mut columns = table.into_columns();
        columns.extend(computed);
        columns.retain(|c| !dropped(c) && !unread(c));
        let mut columns = columns.into_iter();
        let (mut inputs, mut widths) = (Vec::new(), Vec::new());
        // One buffer per part: many small buffers would leave gaps that the allocator does not return to the system.
        let mut cells = [train, others[0], others[1]].map(|rows| Vec::with_capacity(rows.len() * columns.len()));
        while columns.len() > 0 {
            let some: Vec<Column> = columns.by_ref().take(rayon::current_num_threads()).collect();
            let each = |column: Column| Filled::new(&column, (train, others), &outcome, options);
            let done: Vec<_> = some.into_par_iter().map(each).collect::<Result<_, _>>()?;
            for filled in done.into_iter().flatten() {
                widths.push(filled.input.encoder.n_features());
                inputs.push(filled.input);
                cells.iter_mut().zip(&filled.cells).for_each(|(all, cells)| all.extend_from_slice(cells));
            }
        }
        let features = Self::with(derived, inputs)?;
        let matrix = |cells: Vec<f32>, rows: &[u32]| {
            let values = apply::side_by_side(&cells, &widths, rows.len());
            Matrix::new(values, rows.len(), Arc::clone(&features.names))
        };
        let [of_train, first, second] = cells;
        let x = matrix(of_train, train);
        let others = [matrix(first, others[0]), matrix(second, others[1])];
        Ok((features, x, others))
    }

    /// The features of every row of `table`; `NaN` is missing, all else finite.
    ///
    /// Columns are matched by name, in any order; others are ignored. It is also fast for single rows:
    /// the only setup per call is finding the columns.
    ///
    /// # Errors
    /// [`FeatureError::MissingColumns`], [`FeatureError::Kind`] if a column is of another kind than in training,
    /// [`FeatureError::Negative`] if that rule is `error`.
    pub fn transform(&self, table: &Table) -> Result<Matrix, FeatureError> {
        let computed = self.derived.columns(table)?;
        Ok(Matrix::new(self.rows(table, &computed)?.all()?, table.n_rows(), Arc::clone(&self.names)))
    }

    /// As [`Features::transform`], but written some rows at a time; `computed` are the [`Derived::columns`] of the
    /// table.
    ///
    /// # Errors
    /// As [`Features::transform`], except for errors of single rows.
    pub fn rows<'a>(&'a self, table: &'a Table, computed: &'a [Column]) -> Result<Rows<'a>, FeatureError> {
        self.bind(table, computed, |_| None)
    }

    /// Writes the features of one cell of raw column `input` of [`Features::inputs`] into `row`, which has one element
    /// per feature: the values that [`Features::transform`] gives a table with that cell. A column that is only used
    /// by derived features has none.
    ///
    /// # Errors
    /// [`Refused`]; `row` is then unchanged.
    pub fn encode(&self, input: usize, cell: Cell<'_>, row: &mut [f32]) -> Result<(), Refused> {
        let Some(place) = self.places[input] else { return Ok(()) };
        let out = &mut row[self.starts[place]..self.starts[place + 1]];
        apply::encode(&self.inputs[place].encoder, &self.blocks[place], cell, out)
    }

    /// Writes the features of derived columns into `rows`; the derived columns have one row for each row of `rows`.
    ///
    /// # Errors
    /// [`FeatureError::Negative`] if that rule is `error`.
    pub fn encode_derived(&self, computed: &[Column], rows: &mut [f32]) -> Result<(), FeatureError> {
        let width = self.names.len();
        for (place, input) in self.inputs.iter().enumerate() {
            let Some(column) = computed.iter().find(|column| column.name == input.column) else { continue };
            let bound = apply::bind(column, &input.encoder, 0, &self.blocks[place], None)?;
            let features = Rows::new(vec![bound], column.values.len()).all()?;
            let (start, own) = (self.starts[place], input.encoder.n_features());
            for (row, features) in rows.chunks_exact_mut(width).zip(features.chunks_exact(own)) {
                row[start..start + own].copy_from_slice(features);
            }
        }
        Ok(())
    }

    /// `training` has, per input, the out-of-fold values of the training rows, and the rows' folds.
    fn bind<'a>(
        &'a self,
        table: &'a Table,
        computed: &'a [Column],
        training: impl Fn(usize) -> Option<(&'a OutOfFold, &'a [u8])>,
    ) -> Result<Rows<'a>, FeatureError> {
        let columns = apply::find(table, computed, &self.inputs)?;
        let mut bound = Vec::with_capacity(columns.len());
        let mut start = 0;
        for (idx, (column, input)) in columns.into_iter().zip(&self.inputs).enumerate() {
            bound.push(apply::bind(column, &input.encoder, start, &self.blocks[idx], training(idx))?);
            start += input.encoder.n_features();
        }
        Ok(Rows::new(bound, table.n_rows()))
    }

    /// The features' names, in the matrix's order.
    #[must_use]
    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// The columns, raw and derived, with their encoders, in the order of their features.
    #[must_use]
    pub fn encoders(&self) -> &[RawColumn] {
        &self.inputs
    }

    /// The columns computed from raw columns before encoding.
    #[must_use]
    pub fn derived(&self) -> &Derived {
        &self.derived
    }

    /// The raw columns that [`Features::transform`] needs, and their kinds.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = (&str, Kind)> + '_ {
        self.raw.iter().map(|(name, kind)| (name.as_str(), *kind))
    }

    /// The names of the columns that are encoded, raw and derived.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.inputs.iter().map(|input| input.column.as_str())
    }

    /// The categories that are encoded or used by derived features, with their levels in training.
    pub fn levels(&self) -> impl Iterator<Item = (&str, &[String])> + '_ {
        let encoded = self.inputs.iter().filter_map(|i| Some((i.column.as_str(), i.encoder.levels()?)));
        encoded.chain(self.derived.levels())
    }

    /// The raw columns whose words are used.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &TextEncoder)> + '_ {
        let raw = self.inputs.iter().filter(|input| self.derived.expression(&input.column).is_none());
        raw.filter_map(|input| match &input.encoder {
            Encoder::Text(encoder) => Some((input.column.as_str(), encoder)),
            _ => None,
        })
    }

    /// Per feature, the index of its column in [`Features::columns`], for sums per column.
    #[must_use]
    pub fn sources(&self) -> &[u32] {
        &self.sources
    }

    /// Per feature, whether it is a part of a time whose values in later rows never occur in earlier ones.
    pub fn moving(&self) -> impl Iterator<Item = bool> + '_ {
        self.inputs.iter().flat_map(|input| {
            let parts = match &input.encoder {
                Encoder::TimeParts { parts } => parts.as_slice(),
                _ => &[],
            };
            (0..input.encoder.n_features()).map(|at| parts.get(at).is_some_and(|part| part.moves_on()))
        })
    }

    /// The column of a feature, or `None` beyond the last.
    #[must_use]
    pub fn source_of(&self, feature: usize) -> Option<&str> {
        self.sources.get(feature).map(|&s| self.inputs[s as usize].column.as_str())
    }

    /// Whether any feature is a target statistic, so that its training matrix differs from its transform.
    #[must_use]
    pub fn has_target_statistics(&self) -> bool {
        self.inputs.iter().any(|i| matches!(i.encoder, Encoder::TargetStatistic(_)))
    }
}

/// One column's encoder with the features of each part's rows.
struct Filled {
    input: RawColumn,
    cells: [Vec<f32>; 3],
}

impl Filled {
    fn new(
        column: &Column,
        (train, others): (&[u32], [&[u32]; 2]),
        outcome: &Outcome<'_>,
        options: &FeatureOptions,
    ) -> Result<Option<Self>, FeatureError> {
        let rows = column.take(train);
        let Some(Learned { encoder, out_of_fold }) = learn(&rows, outcome, options)? else { return Ok(None) };
        let stored = encoder.blocks();
        let fill = |rows: &Column, training: Option<&OutOfFold>| {
            let training = training.map(|out_of_fold| (out_of_fold, outcome.folds()));
            let bound = apply::bind(rows, &encoder, 0, &stored, training)?;
            Rows::new(vec![bound], rows.values.len()).all()
        };
        let of_train = fill(&rows, out_of_fold.as_ref())?;
        drop(rows);
        let [first, second] = others.map(|rows| fill(&column.take(rows), None));
        let cells = [of_train, first?, second?];
        Ok(Some(Self { input: RawColumn { column: column.name.clone(), encoder }, cells }))
    }
}

#[cfg(test)]
mod tests;
