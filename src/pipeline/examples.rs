//! Training examples: labelled, keyed, and permanently assigned to a side of the split.

use super::golden::N_GOLDEN;
use super::{PipelineError, Recipe, SplitBy, Weighed, weights};
use crate::features::derive::{Past, Windows};
use crate::features::duplicates::row_digest;
use crate::features::{Target, Task};
use crate::profile::{entity_indices, entity_keys};
use crate::stats::random::hash64;
use crate::table::split::{Parts, by_position, fold, hash_position, time_positions};
use crate::table::{ColumnSpec, Kind, MISSING_TIME, Schema, Table, Values};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Labelled rows with their positions.
#[derive(Debug, Clone)]
pub struct Examples {
    /// The rows with a label.
    pub table: Table,
    /// The target.
    pub target: Target,
    /// Class index or value, one per row.
    pub y: Vec<f64>,
    /// How much each row counts; all count the same when absent.
    pub weights: Option<Vec<f64>>,
    /// Hash of the key that determines a row's part.
    pub keys: Vec<u64>,
    /// Position in `[0, 1)`: see [`crate::table::split`].
    pub positions: Vec<f64>,
    /// The entity of each row, if a column names it: by default the column of the split.
    pub about: Option<Vec<Option<u64>>>,
    /// Remarks for the user on the choice of rows.
    pub notes: Vec<String>,
}

impl Examples {
    /// Takes the labelled rows of `table` and assigns them to parts.
    ///
    /// # Errors
    /// If no row is labelled, an id is duplicated, or a column of the split is missing.
    pub fn new(table: Table, schema: &Schema, recipe: &Recipe) -> Result<Self, PipelineError> {
        let table = recipe.target.complete(table, schema)?;
        // Windows also use rows without a label.
        let table = match recipe.windows(schema)? {
            Some(windows) => windows.fill(&Past::default(), table)?,
            None => table,
        };
        let column = table.require(&recipe.target.column)?;
        let target = Target::fit(column, recipe.target.positive.as_deref(), recipe.target.task)?;
        let encoded = target.encode(column)?;
        let mut notes = encoded.notes;
        let mut labelled: Vec<u32> = (0..).zip(&encoded.y).filter(|(_, y)| !y.is_nan()).map(|(row, _)| row).collect();
        let n_unlabelled = table.n_rows() - labelled.len();
        let weights = recipe.weights(&table, schema, &labelled)?;
        if let Some(weights) = &weights {
            let n_labelled = labelled.len();
            labelled.retain(|&row| weights[row as usize] > 0.0);
            if labelled.len() < n_labelled {
                notes.push(format!("{} rows with weight 0 are left out", n_labelled - labelled.len()));
            }
            notes.extend(recipe.unweighted());
        }
        let weights = weights::at(weights.as_deref(), &labelled);
        let (table, y) = if labelled.len() == table.n_rows() {
            (table, encoded.y)
        } else {
            if n_unlabelled > 0 {
                notes.push(format!("{n_unlabelled} rows without {:?} are left out", target.name));
            }
            (table.take(&labelled), labelled.iter().map(|&row| encoded.y[row as usize]).collect())
        };
        if y.is_empty() {
            return Err(PipelineError::Rows(format!("no row has a value in the target column {:?}", target.name)));
        }
        refuse_repeated_ids(&table, schema)?;
        let keys = keys(&table, schema, recipe)?;
        let positions = match recipe.split.by {
            SplitBy::Time => time_positions(&recipe.instants(&table, schema)?),
            _ => keys.iter().map(|key| hash_position(&key.to_le_bytes())).collect(),
        };
        let about = recipe.split.key().and_then(|name| keys_of(&table, name));
        Ok(Self { table, target, y, weights, keys, positions, about, notes })
    }

    /// The same rows, with the entity from `column`, if it exists.
    #[must_use]
    pub fn by_entity(self, column: Option<&str>) -> Self {
        let about = column.and_then(|name| keys_of(&self.table, name));
        Self { about: about.or(self.about), ..self }
    }

    /// The examples at `rows`, in that order, each in the part it has among all.
    #[must_use]
    pub fn take(self, rows: &[u32]) -> Self {
        let at = |row: &u32| *row as usize;
        Self {
            y: self.labels(rows),
            weights: weights::at(self.weights.as_deref(), rows),
            keys: rows.iter().map(|row| self.keys[at(row)]).collect(),
            positions: rows.iter().map(|row| self.positions[at(row)]).collect(),
            about: self.about.as_ref().map(|about| rows.iter().map(|row| about[at(row)]).collect()),
            table: self.table.into_rows(rows),
            target: self.target,
            notes: self.notes,
        }
    }

    /// The rows of each side.
    ///
    /// # Errors
    /// When the shares are unusable or a side that is needed stays empty.
    pub fn parts(&self, recipe: &Recipe) -> Result<Parts, PipelineError> {
        let shares = recipe.split.shares().map_err(PipelineError::Rows)?;
        let parts = by_position(&self.positions, shares);
        self.check_rows("train", &parts.train).map_err(|err| self.since_rows_are_alike(err))?;
        if shares.gate > 0.0 && parts.gate.is_empty() {
            return Err(self.since_rows_are_alike(PipelineError::Rows(format!(
                "with {} labelled rows, none are left for the gate: add rows, or set [split] gate = 0",
                self.y.len()
            ))));
        }
        Ok(parts)
    }

    /// If a part is empty because most rows are copies of each other, the error says so.
    fn since_rows_are_alike(&self, err: PipelineError) -> PipelineError {
        /// With this many different rows, each part gets some.
        const ENOUGH: usize = 50;
        let n_different = self.keys.iter().collect::<HashSet<_>>().len();
        match err {
            PipelineError::Rows(what) if n_different < ENOUGH && n_different < self.y.len() / 2 => {
                PipelineError::Rows(format!(
                    "{what} (only {n_different} of {} rows differ, and equal rows stay on one side of the split: set \
                     an id column, or name the rows that belong together with [split] by = \"column\")",
                    self.y.len()
                ))
            }
            other => other,
        }
    }

    /// Folds for cross-validation: (rows to learn from, rows to score).
    #[must_use]
    pub fn folds(&self, k: usize, by: SplitBy) -> Vec<(Vec<u32>, Vec<u32>)> {
        if by == SplitBy::Time {
            // Forward: each block is scored by a model of all blocks before it.
            let block = |row: u32| ((self.positions[row as usize] * (k + 1) as f64) as usize).min(k);
            return (1..=k)
                .map(|i| {
                    (self.rows().filter(|&r| block(r) < i).collect(), self.rows().filter(|&r| block(r) == i).collect())
                })
                .collect();
        }
        let folds: Vec<usize> = self.keys.iter().map(|key| fold(&key.to_le_bytes(), k)).collect();
        (0..k).map(|i| self.rows().partition(|&row| folds[row as usize] != i)).collect()
    }

    /// Rows to verify a version by: those of the gate (else of the training part) with the lowest keys, so that more
    /// rows of the table hardly change them.
    #[must_use]
    pub fn golden(&self, parts: &Parts) -> Table {
        let mut rows = if parts.gate.is_empty() { parts.train.clone() } else { parts.gate.clone() };
        rows.sort_unstable_by_key(|&row| (self.keys[row as usize], row));
        rows.truncate(N_GOLDEN);
        self.table.take(&rows)
    }

    /// The same rows for a model whose classes have another order.
    ///
    /// # Errors
    /// When the classes are not those of the target.
    pub(super) fn reordered(&self, classes: &[String]) -> Result<Self, PipelineError> {
        let places: Option<Vec<f64>> = self
            .target
            .classes
            .iter()
            .map(|class| classes.iter().position(|c| c == class).map(|place| place as f64))
            .collect();
        let Some(places) = places.filter(|places| places.len() == classes.len()) else {
            return Err(PipelineError::Rows(format!(
                "the model has the classes {}, but the target {:?} has {}",
                classes.join(", "),
                self.target.name,
                self.target.classes.join(", ")
            )));
        };
        let y = self.y.iter().map(|&class| places[class as usize]).collect();
        let target = Target { classes: classes.to_vec(), ..self.target.clone() };
        Ok(Self { target, y, ..self.clone() })
    }

    /// The labels of `rows`.
    #[must_use]
    pub fn labels(&self, rows: &[u32]) -> Vec<f64> {
        rows.iter().map(|&row| self.y[row as usize]).collect()
    }

    /// The labels of `rows` with their weights.
    #[must_use]
    pub fn weighed(&self, rows: &[u32]) -> Weighed {
        let entities = self.about.as_ref().and_then(|about| {
            entity_indices(&rows.iter().map(|&row| about[row as usize]).collect::<Vec<Option<u64>>>())
        });
        Weighed { y: self.labels(rows), weights: weights::at(self.weights.as_deref(), rows), entities }
    }

    /// How many of `rows` are of each class; empty where numbers are predicted.
    pub(super) fn counts(&self, rows: &[u32]) -> Vec<usize> {
        let mut counts = vec![0_usize; self.target.classes.len()];
        if self.target.task != Task::Regression {
            rows.iter().for_each(|&row| counts[self.y[row as usize] as usize] += 1);
        }
        counts
    }

    /// Whether a model can be fitted on `rows`.
    pub(super) fn check_rows(&self, part: &str, rows: &[u32]) -> Result<(), PipelineError> {
        let counts = self.counts(rows);
        if rows.len() < 10 {
            return Err(PipelineError::Rows(format!(
                "the {part} part has {} labelled rows; at least 10 are needed",
                rows.len()
            )));
        }
        if !counts.is_empty() && counts.iter().filter(|&&count| count > 0).count() < 2 {
            return Err(PipelineError::Rows(format!(
                "the {part} part has rows of one class only; the target {:?} needs at least two",
                self.target.name
            )));
        }
        Ok(())
    }

    fn rows(&self) -> impl Iterator<Item = u32> {
        0..u32::try_from(self.y.len()).unwrap_or(u32::MAX)
    }
}

impl Recipe {
    /// The windows over a row's own past among the features; `None` without any.
    ///
    /// # Errors
    /// A sentence, if an expression does not fit the schema.
    pub fn windows(&self, schema: &Schema) -> Result<Option<Windows>, PipelineError> {
        if self.features.derived.is_empty() {
            return Ok(None);
        }
        let columns: Vec<(&str, Kind)> = schema.columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        Windows::new(&self.features.derived, &columns, &self.target.column).map_err(PipelineError::Rows)
    }

    /// The columns that determine a row's part, in order, and their kinds: rows are in the same part under two recipes
    /// only if these agree.
    #[must_use]
    pub fn placed_by<'a>(&'a self, schema: &'a Schema) -> Vec<(&'a str, Kind)> {
        let named = |name: &'a str| vec![(name, schema.column(name).map_or(Kind::Text, |c| c.kind))];
        let time = schema.time();
        match (self.split.by, id_column(schema), &self.split.column) {
            (SplitBy::Time, _, _) if !self.split.columns.is_empty() => {
                self.split.columns.iter().flat_map(|name| named(name)).collect()
            }
            (SplitBy::Time, _, _) => time.map(|c| (c.name.as_str(), c.kind)).into_iter().collect(),
            (SplitBy::Id, Some(id), _) => named(id),
            (SplitBy::Column, _, Some(column)) => named(column),
            _ => contents(schema, self).map(|c| (c.name.as_str(), c.kind)).collect(),
        }
    }

    /// The time of each row, for a split by time: microseconds if there is a time column, else numbers in the order of
    /// time, computed from the columns with its parts. If a part is missing, so is the time.
    ///
    /// # Errors
    /// No such column, or a part that is not a whole number from 0 on, below 1000 except for the first.
    pub fn instants<'t>(&self, table: &'t Table, schema: &Schema) -> Result<Cow<'t, [i64]>, PipelineError> {
        const ROOM: i64 = 1000;
        let parts = &self.split.columns;
        if parts.is_empty() {
            return times(table, schema).map(Cow::Borrowed);
        }
        let mut instants = vec![0_i64; table.n_rows()];
        for (name, is_first) in parts.iter().zip(std::iter::once(true).chain(std::iter::repeat(false))) {
            let Values::Number(values) = &table.require(name)?.values else {
                return Err(PipelineError::Rows(format!("[split] columns: {name:?} is not a number")));
            };
            let most = if is_first { 9999.0 } else { (ROOM - 1) as f64 };
            for (instant, &value) in instants.iter_mut().zip(values) {
                if value.is_nan() || *instant == MISSING_TIME {
                    *instant = MISSING_TIME;
                    continue;
                }
                if value.fract() != 0.0 || !(0.0..=most).contains(&value) {
                    return Err(PipelineError::Rows(format!(
                        "[split] columns: {value} in {name:?} is not a part of a time (a whole number from 0 to \
                         {most})"
                    )));
                }
                *instant = *instant * ROOM + value as i64;
            }
        }
        Ok(Cow::Owned(instants))
    }

    /// The columns that identify equal rows.
    #[must_use]
    pub fn contents<'a>(&'a self, schema: &'a Schema) -> Vec<&'a str> {
        contents(schema, self).map(|column| column.name.as_str()).collect()
    }
}

/// The columns that identify equal rows.
pub(super) fn contents<'a>(schema: &'a Schema, recipe: &'a Recipe) -> impl Iterator<Item = &'a ColumnSpec> {
    let counts = |c: &&ColumnSpec| {
        let is_feature = c.name != recipe.target.column && recipe.weight.as_ref() != Some(&c.name);
        is_feature && !matches!(c.kind, Kind::Id | Kind::Ignore)
    };
    schema.columns.iter().filter(counts)
}

fn keys(table: &Table, schema: &Schema, recipe: &Recipe) -> Result<Vec<u64>, PipelineError> {
    let column = match recipe.split.by {
        SplitBy::Id => id_column(schema),
        SplitBy::Row | SplitBy::Time => None,
        SplitBy::Column => Some(
            recipe
                .split
                .column
                .as_deref()
                .ok_or_else(|| PipelineError::Rows("[split] by = \"column\" needs column = \"NAME\"".to_owned()))?,
        ),
    };
    Ok(match column {
        Some(name) => table.require(name)?.values.hashes(),
        None => row_digest(table, &recipe.contents(schema))?,
    })
}

fn id_column(schema: &Schema) -> Option<&str> {
    schema.id()
}

pub(super) fn times<'a>(table: &'a Table, schema: &Schema) -> Result<&'a [i64], PipelineError> {
    let name = schema.time().map(|c| c.name.as_str()).ok_or_else(|| {
        PipelineError::Rows(
            "[split] by = \"time\" needs a column of kind \"time\" in [columns], or its parts as columns = \
             [\"year\", \"month\", …]"
                .to_owned(),
        )
    })?;
    match &table.require(name)?.values {
        Values::Time(times) => Ok(times),
        _ => Err(PipelineError::Rows(format!("column {name:?} is not a time"))),
    }
}

fn keys_of(table: &Table, column: &str) -> Option<Vec<Option<u64>>> {
    Some(entity_keys(&table.column(column)?.values))
}

fn refuse_repeated_ids(table: &Table, schema: &Schema) -> Result<(), PipelineError> {
    let Some(name) = id_column(schema) else { return Ok(()) };
    let Some(Values::Text(ids)) = table.column(name).map(|c| &c.values) else { return Ok(()) };
    // Hashes need an eighth of the memory of a map of a million ids; the map is built only if two are equal.
    let mut hashes: Vec<u64> = ids.iter().filter(|id| !id.is_empty()).map(|id| hash64(id.as_bytes(), 3)).collect();
    hashes.sort_unstable();
    if hashes.windows(2).all(|pair| pair[0] != pair[1]) {
        return Ok(());
    }
    drop(hashes);
    let mut first = HashMap::with_capacity(ids.len());
    for (row, id) in ids.iter().enumerate() {
        if let Some(before) = first.insert(id, row)
            && !id.is_empty()
        {
            return Err(PipelineError::Rows(format!(
                "duplicate id {id:?} in column {name:?}, in labelled rows {} and {}: they could end up on both sides \
                 of the split; remove one, or set the column to \"text\" in mlloop.toml with [split] by = \
                 \"column\", column = {name:?}",
                before + 1,
                row + 1
            )));
        }
    }
    Ok(())
}
