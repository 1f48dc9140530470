//! The rows that windows look back on, and their values for the rows of a table.

use super::eval::Scope;
use super::node::{Node, Window};
use super::program::Program;
use super::{Definitions, raw_values, wrong};
use crate::features::error::FeatureError;
use crate::features::row_digest;
use crate::table::{Column, Kind, MISSING_TIME, Table, Values};
use std::collections::HashSet;

/// The windows of some definitions.
#[derive(Debug, Clone)]
pub struct Windows {
    program: Program,
    names: Vec<String>,
}

/// Rows that happened, each once: those of other tables and of the prediction log.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// The id column, by which a row is known; without one, rows are the same where all that windows read is.
    id: Option<String>,
    rows: Table,
}

impl Windows {
    /// The windows among `definitions`; `None` where there is none.
    ///
    /// # Errors
    /// A sentence with the definition and the character of what is wrong with it.
    pub fn new(definitions: &Definitions, columns: &[(&str, Kind)], target: &str) -> Result<Option<Self>, String> {
        let program = Program::new(definitions, columns, target).map_err(|err| wrong(definitions, err))?;
        Ok(Self::of(program, definitions))
    }

    pub(super) fn of(program: Program, definitions: &Definitions) -> Option<Self> {
        let names = program.window_columns(definitions);
        (!names.is_empty()).then_some(Self { program, names })
    }

    /// The columns that hold their values, in the order in which they are computed.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn windows(&self) -> impl Iterator<Item = &Window> {
        self.program.compiled.iter().filter_map(|compiled| match &compiled.node {
            Node::Window(window) => Some(&**window),
            _ => None,
        })
    }

    /// Per raw column of the program, whether windows read it, themselves or through what they name.
    fn is_read(&self) -> Vec<bool> {
        let mut read = vec![false; self.program.reads.len()];
        let mut open: Vec<&Node> = self.windows().flat_map(Window::parts).collect();
        while let Some(node) = open.pop() {
            node.visit(&mut |part| match part {
                Node::Raw(place) => read[*place] = true,
                Node::Earlier(place) => open.push(&self.program.compiled[*place].node),
                _ => {}
            });
        }
        read
    }

    /// The raw columns that they read.
    #[must_use]
    pub fn reads(&self) -> Vec<(&str, Kind)> {
        let reads = self.program.reads.iter().zip(self.is_read()).filter(|(_, read)| *read);
        reads.map(|((name, kind), _)| (name.as_str(), *kind)).collect()
    }

    /// The part of a table that they read, with its ids where `id` names them.
    ///
    /// # Errors
    /// When a column that they read is missing.
    pub fn part(&self, table: &Table, id: Option<&str>) -> Result<Table, FeatureError> {
        let reads = self.reads();
        let id = id.filter(|id| reads.iter().all(|(name, _)| name != id)).and_then(|id| table.column(id));
        let find = |(name, _): &(&str, Kind)| {
            table
                .column(name)
                .cloned()
                .ok_or_else(|| FeatureError::MissingColumns { columns: vec![(*name).to_owned()] })
        };
        let columns: Vec<Column> = reads.iter().map(find).collect::<Result<_, _>>()?;
        table_of(id.cloned().into_iter().chain(columns).collect())
    }

    /// The rows of a table that a later row's windows may still hold, where none is before the last of the table.
    ///
    /// # Errors
    /// When a column that they read is missing.
    pub fn last(&self, table: &Table, id: Option<&str>) -> Result<Table, FeatureError> {
        let part = self.part(table, id)?;
        let mut kept = vec![false; part.n_rows()];
        for window in self.windows() {
            let Node::Raw(place) = &window.time else { continue };
            let Some(Values::Time(times)) = part.column(&self.program.reads[*place].0).map(|column| &column.values)
            else {
                continue;
            };
            let known = || times.iter().copied().filter(|time| *time != MISSING_TIME);
            let begin = known().max().map_or(i64::MAX, |last| last.saturating_sub(window.length_us));
            let is_held = |time: i64| time != MISSING_TIME && time >= begin;
            kept.iter_mut().zip(times).for_each(|(kept, &time)| *kept |= is_held(time));
        }
        let rows: Vec<u32> = (0..).zip(&kept).filter(|(_, kept)| **kept).map(|(row, _)| row).collect();
        Ok(part.into_rows(&rows))
    }

    /// The values of the windows of every row of `table`, looking back on its own rows and on those of `past` that it does
    /// not hold itself.
    ///
    /// # Errors
    /// When a column that they read is missing, or of another kind.
    pub fn compute(&self, past: &Past, table: &Table) -> Result<Vec<Column>, FeatureError> {
        let before = past.without(self, table)?;
        let is_read = self.is_read();
        let mut joined = Vec::with_capacity(is_read.len());
        for (read, is_read) in self.program.reads.iter().zip(&is_read) {
            if !is_read {
                joined.push(Values::empty(read.1));
                continue;
            }
            let own = raw_values(read, table)?;
            joined.push(match before.n_rows() {
                0 => own.clone(),
                _ => {
                    let earlier = raw_values(read, &before)?;
                    let apart = || FeatureError::Derived { what: format!("{:?} is stored as two kinds", read.0) };
                    Values::stacked(&[earlier, own]).ok_or_else(apart)?
                }
            });
        }
        let raw: Vec<&Values> = joined.iter().collect();
        let n_rows = before.n_rows() + table.n_rows();
        let mut earlier: Vec<Column> = Vec::new();
        let mut names = self.names.iter();
        let mut found = Vec::new();
        for compiled in &self.program.compiled {
            let scope = Scope { n_rows, raw: &raw, earlier: &earlier, learned: &[], windows: &[] };
            let values = match &compiled.node {
                Node::Window(window) => {
                    let values = Values::Number(window.compute(&scope, before.n_rows()));
                    found.extend(names.next().map(|name| Column::new(name.clone(), values)));
                    Values::empty(Kind::Number)
                }
                // No window looks at what cannot be told of a row alone, nor at a column that none reads.
                node if compiled.is_plain && self.can_read(node, &is_read) => scope.compute(node).into_values(n_rows),
                _ => Values::empty(compiled.of.kind()),
            };
            earlier.push(Column::new(compiled.name.clone(), values));
        }
        Ok(found)
    }

    /// Whether all that a part names is read.
    fn can_read(&self, node: &Node, is_read: &[bool]) -> bool {
        let mut can = true;
        node.visit(&mut |part| match part {
            Node::Raw(place) => can &= is_read[*place],
            Node::Earlier(place) => can &= self.can_read(&self.program.compiled[*place].node, is_read),
            _ => {}
        });
        can
    }

    /// The table with the columns of the windows that it does not have yet.
    ///
    /// # Errors
    /// As [`Windows::compute`].
    pub fn fill(&self, past: &Past, table: Table) -> Result<Table, FeatureError> {
        if self.names.iter().all(|name| table.column(name).is_some()) {
            return Ok(table);
        }
        let computed = self.compute(past, &table)?;
        let mut columns = table.into_columns();
        columns.retain(|column| !self.names.contains(&column.name));
        columns.extend(computed);
        table_of(columns)
    }
}

/// Parts of tables with the same columns, one after another.
///
/// # Errors
/// When a part lacks a column of the first, or has it as another kind.
pub fn stacked(parts: &[Table]) -> Result<Table, FeatureError> {
    let Some(first) = parts.first() else { return Ok(Table::default()) };
    let stack = |column: &Column| {
        let cells = parts.iter().map(|part| part.column(&column.name).map(|column| &column.values));
        let values = cells.collect::<Option<Vec<_>>>().and_then(|cells| Values::stacked(&cells));
        let apart = || FeatureError::Derived { what: format!("column {:?} is not the same in all rows", column.name) };
        Ok(Column::new(column.name.clone(), values.ok_or_else(apart)?))
    };
    table_of(first.columns().iter().map(stack).collect::<Result<_, _>>()?)
}

fn table_of(columns: Vec<Column>) -> Result<Table, FeatureError> {
    Table::new(columns).map_err(|err| FeatureError::Derived { what: err.to_string() })
}

impl Past {
    /// The rows of `parts`, of which each has the columns of [`Windows::part`]; of a row that several hold, that of the
    /// last.
    ///
    /// # Errors
    /// When a column is missing, or of several kinds.
    pub fn of(windows: &Windows, id: Option<&str>, parts: &[Table]) -> Result<Self, FeatureError> {
        let id = id.map(str::to_owned);
        let mut seen = HashSet::new();
        let mut kept: Vec<Table> = Vec::new();
        for part in parts.iter().rev().filter(|part| part.n_rows() > 0) {
            let names = names(windows, id.as_deref(), part)?;
            let last_first = (0..names.len() as u32).rev();
            let mut rows: Vec<u32> = last_first.filter(|&row| seen.insert(names[row as usize])).collect();
            rows.reverse();
            kept.push(part.take(&rows));
        }
        kept.reverse();
        Ok(Self { id, rows: stacked(&kept)? })
    }

    /// Number of rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.rows.n_rows()
    }

    /// The rows that `table` does not hold.
    fn without(&self, windows: &Windows, table: &Table) -> Result<Table, FeatureError> {
        if self.rows.n_rows() == 0 {
            return Ok(Table::default());
        }
        let id = self.id.as_deref().filter(|id| table.column(id).is_some());
        let held: HashSet<u64> = names(windows, id, table)?.into_iter().collect();
        let own = names(windows, id, &self.rows)?;
        let rows: Vec<u32> = (0..).zip(&own).filter(|(_, name)| !held.contains(name)).map(|(row, _)| row).collect();
        Ok(self.rows.take(&rows))
    }
}

/// What each row is known by: its id, or else all that windows read of it.
fn names(windows: &Windows, id: Option<&str>, table: &Table) -> Result<Vec<u64>, FeatureError> {
    match id {
        Some(id) => row_digest(table, &[id]),
        None => row_digest(table, &windows.reads().iter().map(|(name, _)| *name).collect::<Vec<_>>()),
    }
}
