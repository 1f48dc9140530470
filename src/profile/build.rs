//! Builds a profile from batches of rows, in constant memory.

use super::design::{CELLS, DesignBuilder, PIECE_CELLS};
use super::numbers::NumbersBuilder;
use super::{ColumnProfile, FORMAT, Levels, Limits, Profile, ProfileError, Shape};
use crate::table::{Column, Kind, Schema, Table, Values};
use rayon::prelude::*;

/// Receives the batches of a table in order.
///
/// Columns are processed in parallel and each gets its values in order, so that the result depends neither on the
/// number of threads nor on the batch boundaries.
#[derive(Debug)]
pub struct ProfileBuilder {
    columns: Vec<Building>,
    limits: Limits,
    n_rows: u64,
    design: Option<DesignBuilder>,
}

#[derive(Debug)]
struct Building {
    name: String,
    kind: Kind,
    n_missing: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Numbers(Box<NumbersBuilder>),
    Levels(Levels),
    Text,
}

impl ProfileBuilder {
    /// For batches with these columns of a schema, in this order.
    #[must_use]
    pub fn new(schema: &Schema, limits: Limits) -> Self {
        let columns = schema.columns.iter().filter(|c| c.kind != Kind::Ignore);
        Self::with(columns.map(|c| (c.name.clone(), c.kind)), limits)
    }

    /// For tables like this one, with the kinds of its columns.
    #[must_use]
    pub fn of_table(table: &Table, limits: Limits) -> Self {
        let kind = |values: &Values| match values {
            Values::Number(_) => Kind::Number,
            Values::Category(_) => Kind::Category,
            Values::Time(_) => Kind::Time,
            Values::Text(_) => Kind::Text,
        };
        Self::with(table.columns().iter().map(|c| (c.name.clone(), kind(&c.values))), limits)
    }

    /// For batches with those of the schema's columns that `table` has: optional ones may be absent.
    #[must_use]
    pub fn for_columns(schema: &Schema, table: &Table, limits: Limits) -> Self {
        let mut schema = schema.clone();
        schema.columns.retain(|c| table.column(&c.name).is_some());
        Self::new(&schema, limits)
    }

    fn with(columns: impl Iterator<Item = (String, Kind)>, limits: Limits) -> Self {
        let columns = columns.map(|(name, kind)| {
            let state = match kind {
                Kind::Number => State::Numbers(Box::new(NumbersBuilder::new(limits))),
                Kind::Time => State::Numbers(Box::new(NumbersBuilder::of_times(limits))),
                Kind::Category | Kind::Constant => State::Levels(Levels::default()),
                Kind::Id | Kind::Text | Kind::Ignore => State::Text,
            };
            Building { name, kind, n_missing: 0, state }
        });
        Self { columns: columns.collect(), limits, n_rows: 0, design: None }
    }

    /// Also measures how similar rows with the same value in `column` are. If a batch lacks the column, there is no
    /// result.
    #[must_use]
    pub fn by_entity(self, column: Option<&str>) -> Self {
        self.keeping(column, CELLS)
    }

    /// The same for one of many pieces of a table, with fewer rows kept.
    #[must_use]
    pub fn piece_by_entity(self, column: Option<&str>) -> Self {
        self.keeping(column, PIECE_CELLS)
    }

    fn keeping(mut self, column: Option<&str>, cells: usize) -> Self {
        self.design = column.map(|column| DesignBuilder::new(column, self.columns.len(), cells));
        self
    }

    /// Adds rows.
    ///
    /// # Errors
    /// If the columns are not those of the builder.
    pub fn push(&mut self, table: &Table) -> Result<(), ProfileError> {
        self.push_about(table, None)
    }

    /// Adds rows; `keys` are their entities ([`entity_keys`](super::entity_keys)) if no column contains them.
    ///
    /// # Errors
    /// As [`ProfileBuilder::push`].
    pub fn push_about(&mut self, table: &Table, keys: Option<&[Option<u64>]>) -> Result<(), ProfileError> {
        let limits = self.limits;
        for building in &self.columns {
            let fits = table.column(&building.name).is_some_and(|c| building.fits(&c.values));
            if !fits {
                let what = format!("is not in the batch as a {}", building.kind);
                return Err(ProfileError::Mismatch { column: building.name.clone(), what });
            }
        }
        self.n_rows += table.n_rows() as u64;
        if let Some(design) = &mut self.design {
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            design.push(table, &names, keys);
        }
        self.columns.par_iter_mut().for_each(|building| {
            if let Some(column) = table.column(&building.name) {
                building.push(column, limits);
            }
        });
        Ok(())
    }

    /// The profile of the added rows.
    #[must_use]
    pub fn finish(self) -> Profile {
        let limits = self.limits;
        let mut columns: Vec<ColumnProfile> = self.columns.into_par_iter().map(|c| c.finish(limits)).collect();
        let found = self.design.and_then(DesignBuilder::finish);
        let entities = found.map(|(entities, designs)| {
            columns.iter_mut().zip(designs).for_each(|(column, design)| column.design = Some(design));
            entities
        });
        Profile { format: FORMAT, n_rows: self.n_rows, entities, columns }
    }
}

impl Building {
    fn fits(&self, values: &Values) -> bool {
        matches!(
            (&self.state, values),
            (State::Numbers(_), Values::Number(_) | Values::Time(_))
                | (State::Levels(_), Values::Category(_))
                | (State::Text, _)
        )
    }

    fn push(&mut self, column: &Column, limits: Limits) {
        self.n_missing += match (&mut self.state, &column.values) {
            (State::Numbers(numbers), Values::Number(values)) => numbers.push(values.iter().copied()),
            (State::Numbers(numbers), Values::Time(values)) => numbers.push_times(values),
            (State::Levels(levels), Values::Category(cells)) => levels.push(cells, limits),
            (_, values) => (0..values.len()).filter(|&row| values.is_missing(row)).count() as u64,
        };
    }

    fn finish(self, limits: Limits) -> ColumnProfile {
        let Self { name, kind, n_missing, state } = self;
        let shape = match state {
            State::Numbers(numbers) => Shape::Numbers(numbers.finish()),
            State::Levels(mut levels) => {
                levels.prune(limits.levels);
                Shape::Levels(levels)
            }
            State::Text => Shape::Text,
        };
        ColumnProfile { name, kind, n_missing, design: None, shape }
    }
}
