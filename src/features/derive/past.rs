//! The past rows that windows need, and the windows' values for the rows of a table.

use super::eval::Scope;
use super::events::{Events, Own, last_of_each};
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
    /// The windows that see the same rows with the same values, by their slots.
    streams: Vec<Vec<usize>>,
}

/// Past rows, each once, from other tables and the prediction log.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// The id column that identifies a row; without one, rows are the same if all values that windows read are equal.
    id: Option<String>,
    rows: Table,
    /// Per time column, the latest training row: of the training rows before it, only some are in `rows`.
    until: Vec<(String, i64)>,
}

/// The known times of a column.
fn times<'t>(table: &'t Table, name: &str) -> impl Iterator<Item = i64> + 't {
    let times = match table.column(name).map(|column| &column.values) {
        Some(Values::Time(times)) => times.as_slice(),
        _ => &[],
    };
    times.iter().copied().filter(|time| *time != MISSING_TIME)
}

impl Windows {
    /// The windows among `definitions`; `None` without any.
    ///
    /// # Errors
    /// A sentence with the definition and the position of the error.
    pub fn new(definitions: &Definitions, columns: &[(&str, Kind)], target: &str) -> Result<Option<Self>, String> {
        let program = Program::new(definitions, columns, target).map_err(|err| wrong(definitions, err))?;
        Ok(Self::of(program, definitions))
    }

    pub(super) fn of(program: Program, definitions: &Definitions) -> Option<Self> {
        let names = program.window_columns(definitions);
        let mut windows = Self { program, names, streams: Vec::new() };
        let mut known: Vec<String> = Vec::new();
        let streams: Vec<String> = windows.windows().map(Window::stream).collect();
        for (slot, stream) in streams.into_iter().enumerate() {
            match known.iter().position(|one| *one == stream) {
                Some(place) => windows.streams[place].push(slot),
                None => {
                    known.push(stream);
                    windows.streams.push(vec![slot]);
                }
            }
        }
        (!windows.names.is_empty()).then_some(windows)
    }

    /// The columns with their values, in the order of computation.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn windows(&self) -> impl Iterator<Item = &Window> {
        self.program.compiled.iter().filter_map(|compiled| match &compiled.node {
            Node::Window(window) => Some(&**window),
            _ => None,
        })
    }

    /// Per raw column of the program, whether windows read it, directly or through other definitions.
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

    /// The time columns of the windows.
    fn times(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for window in self.windows() {
            if let Node::Raw(place) = &window.time {
                names.push(&self.program.reads[*place].0);
            }
        }
        names.dedup();
        names
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

    /// The rows of a table that windows of later rows may still need, if no later row precedes the last of the table.
    ///
    /// # Errors
    /// If a column they read is missing.
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

    /// The windows of each stream, with their slots.
    pub(super) fn streams(&self) -> Vec<Vec<(usize, &Window)>> {
        let windows: Vec<&Window> = self.windows().collect();
        let stream = |slots: &Vec<usize>| slots.iter().map(|&slot| (slot, windows[slot])).collect();
        self.streams.iter().map(stream).collect()
    }

    /// The values of the windows of every row of `table`, over its own rows and those of `past` that it does not
    /// contain. Of rows with one id, only the last is in windows.
    ///
    /// # Errors
    /// If a column they read is missing, or of another kind.
    pub fn compute(&self, past: &Past, table: &Table) -> Result<Vec<Column>, FeatureError> {
        let id = past.id.as_deref();
        self.look(past, table, Own::of(table, id, names(self, id, table)?))
    }

    /// The same for a table that may contain a row several times, as a log does.
    ///
    /// # Errors
    /// As [`Windows::compute`].
    pub fn compute_each_once(&self, past: &Past, table: &Table) -> Result<Vec<Column>, FeatureError> {
        let names = names(self, past.id.as_deref(), table)?;
        self.look(past, table, Own { counts: last_of_each(&names, |_| true), names })
    }

    fn look(&self, past: &Past, table: &Table, own: Own) -> Result<Vec<Column>, FeatureError> {
        let before = past.without(self, table, &own.names)?;
        let first = before.n_rows();
        let mut joined = Vec::new();
        for (read, is_read) in self.program.reads.iter().zip(self.is_read()) {
            if !is_read {
                joined.push(Values::empty(read.1));
                continue;
            }
            let own = raw_values(read, table)?;
            joined.push(match first {
                0 => own.clone(),
                _ => {
                    let earlier = raw_values(read, &before)?;
                    let apart =
                        || FeatureError::Derived { what: format!("{:?} is stored with two different kinds", read.0) };
                    Values::stacked(&[earlier, own]).ok_or_else(apart)?
                }
            });
        }
        let raw: Vec<&Values> = joined.iter().collect();
        let mut found = vec![vec![f64::NAN; table.n_rows()]; self.names.len()];
        for (windows, events) in self.streams().iter().zip(self.events(&raw, first + table.n_rows())) {
            own.look(windows, &events, first, &mut found);
        }
        Ok(self.columns(found))
    }

    /// The values of all windows as columns.
    pub(super) fn columns(&self, found: Vec<Vec<f64>>) -> Vec<Column> {
        let column = |(name, values): (&String, Vec<f64>)| Column::new(name.clone(), Values::Number(values));
        self.names.iter().zip(found).map(column).collect()
    }

    /// The raw columns of a part, by their index in the program; those that no window reads are empty.
    pub(super) fn raw<'t>(&self, part: &'t Table, empty: &'t Values) -> Result<Vec<&'t Values>, FeatureError> {
        let reads = self.program.reads.iter().zip(self.is_read());
        reads.map(|(read, is_read)| if is_read { raw_values(read, part) } else { Ok(empty) }).collect()
    }

    /// The input of each stream's windows.
    pub(super) fn events(&self, raw: &[&Values], n_rows: usize) -> Vec<Events> {
        let is_read = self.is_read();
        let mut earlier: Vec<Column> = Vec::new();
        for compiled in &self.program.compiled {
            // Skip parts that depend on more than the row, and columns that no window reads.
            let values = match compiled.is_plain && self.can_read(&compiled.node, &is_read) {
                true => {
                    let scope = Scope { n_rows, raw, earlier: &earlier, learned: &[], windows: &[] };
                    scope.compute(&compiled.node).into_values(n_rows)
                }
                false => Values::empty(compiled.of.kind()),
            };
            earlier.push(Column::new(compiled.name.clone(), values));
        }
        let scope = Scope { n_rows, raw, earlier: &earlier, learned: &[], windows: &[] };
        let streams = self.streams();
        streams.iter().filter_map(|windows| windows.first()).map(|(_, window)| Events::of(window, &scope)).collect()
    }

    /// Whether every column that a part uses is read.
    fn can_read(&self, node: &Node, is_read: &[bool]) -> bool {
        let mut can = true;
        node.visit(&mut |part| match part {
            Node::Raw(place) => can &= is_read[*place],
            Node::Earlier(place) => can &= self.can_read(&self.program.compiled[*place].node, is_read),
            _ => {}
        });
        can
    }

    /// Adds the missing columns of windows to the table.
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
    /// The rows of `parts`, each of which has the columns of [`Windows::part`]; for a row in several parts, the last
    /// one counts.
    ///
    /// # Errors
    /// If a column is missing, or differs in kind.
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
        Ok(Self { id, rows: stacked(&kept)?, until: Vec::new() })
    }

    /// The same, if `last` are the last rows of a longer table, from [`Windows::last`].
    #[must_use]
    pub fn after(mut self, windows: &Windows, last: &Table) -> Self {
        let latest = |name: &str| (name.to_owned(), times(last, name).max().unwrap_or(i64::MIN));
        self.until = windows.times().into_iter().map(latest).collect();
        self
    }

    /// The same with earlier rows before them.
    ///
    /// # Errors
    /// When the parts differ in their columns.
    pub fn with(&self, windows: &Windows, before: &[Table]) -> Result<Self, FeatureError> {
        let parts: Vec<Table> = before.iter().chain([&self.rows]).cloned().collect();
        Self::of(windows, self.id.as_deref(), &parts)
    }

    /// Whether a window of the table may need rows that were not stored: only the last past rows are stored, and a row
    /// of the table precedes the latest of them.
    #[must_use]
    pub fn lacks_rows_of(&self, table: &Table) -> bool {
        self.until.iter().any(|(name, until)| times(table, name).any(|time| time < *until))
    }

    /// Number of rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.rows.n_rows()
    }

    /// The rows that are not in `table`, whose rows have the names `held`.
    fn without(&self, windows: &Windows, table: &Table, held: &[u64]) -> Result<Table, FeatureError> {
        if self.rows.n_rows() == 0 {
            return Ok(Table::default());
        }
        let id = self.id.as_deref().filter(|id| table.column(id).is_some());
        let held: HashSet<u64> = held.iter().copied().collect();
        let own = names(windows, id, &self.rows)?;
        let rows: Vec<u32> = (0..).zip(&own).filter(|(_, name)| !held.contains(name)).map(|(row, _)| row).collect();
        Ok(self.rows.take(&rows))
    }
}

/// The name of each row: its id, or a digest of all its values that windows read.
pub(super) fn names(windows: &Windows, id: Option<&str>, table: &Table) -> Result<Vec<u64>, FeatureError> {
    let of_cells = || row_digest(table, &windows.reads().iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let Some(ids) = id.and_then(|id| table.column(id)) else { return of_cells() };
    let mut names = row_digest(table, &[&ids.name])?;
    let nameless: Vec<usize> = (0..names.len()).filter(|&row| ids.values.is_missing(row)).collect();
    if !nameless.is_empty() {
        let cells = of_cells()?;
        nameless.into_iter().for_each(|row| names[row] = cells[row]);
    }
    Ok(names)
}
