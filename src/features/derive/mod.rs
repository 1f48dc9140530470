//! Derived features: columns computed from a row's other columns, by expressions in `mlloop.toml`.
//!
//! ```text
//! "balance / mean(balance) by type"
//!    └ lex, parse ─▶ tree ─check (names, types)─▶ Program ─learn groups (training rows)─▶ Derived ─▶ columns
//!                                                    └─▶ Windows ─ a row's past ─▶ columns of the table ─▲
//! ```
//!
//! They are learned and stored with the encoders that read them, so that training, batch scoring, serving and
//! monitoring compute the same. An expression reads its own row and training statistics; a window also reads earlier
//! rows. It cannot loop or read files or the clock, and its size is bounded. docs/features.md lists the functions and
//! the rules for missing values.

mod cells;
mod check;
mod constants;
mod eval;
mod events;
mod expression;
mod functions;
mod groups;
mod lane;
mod lex;
mod node;
mod numbers;
mod parse;
mod past;
mod program;
mod recent;
#[cfg(test)]
mod recent_tests;
mod spec;
mod stored;
mod stream;
mod tree;
mod window;
#[cfg(test)]
mod window_tests;
#[cfg(test)]
pub(crate) mod tests;

pub use expression::Expression;
pub(crate) use functions::Statistic;
pub(crate) use node::{LetterCase, Moment, Node, OfText, Zone};
pub(crate) use numbers::{Binary, OfTimes, Unary};
pub use past::{Past, Windows, stacked};
pub use recent::{Held, Recent};
pub use spec::{Definition, Definitions};

use self::cells::Vector;
use self::eval::Scope;
use self::groups::Learned;
use self::node::Type;
use self::program::Program;
use super::error::FeatureError;
use crate::table::{Column, Kind, Table, Values};

/// Bounds of an expression, and how many there may be.
const MAX_BYTES: usize = 20_000;
const MAX_NODES: usize = 2_000;
const MAX_DEPTH: usize = 100;
const MAX_DERIVED: usize = 1_000;

/// An error in an expression, and its byte position.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    at: usize,
    what: String,
}

impl Problem {
    fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }

    /// The message, with the character position and the text there.
    fn told(&self, expression: &str) -> String {
        const SHOWN: usize = 24;
        let before = expression.get(..self.at.min(expression.len())).unwrap_or_default();
        let rest = &expression[before.len()..];
        let cut = if rest.chars().nth(SHOWN).is_some() { "…" } else { "" };
        let shown: String = rest.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
        let place = if shown.is_empty() { "at its end".to_owned() } else { format!("at `{shown}{cut}`") };
        format!("character {}, {place}: {}", before.chars().count() + 1, self.what)
    }
}

/// Derived features with their statistics from training.
#[derive(Debug, Clone, Default)]
pub struct Derived {
    definitions: Definitions,
    program: Program,
    learned: Vec<Learned>,
    /// The training levels of the categories that are read, to match other spellings of them.
    levels: Vec<(String, Vec<String>)>,
    /// The columns with the values of windows.
    window_columns: Vec<String>,
}

/// A definition is wrong, in a sentence.
fn wrong(definitions: &Definitions, (name, problem): (String, Problem)) -> String {
    let expression = definitions.get(&name).map_or("", |definition| &definition.expression);
    format!("[features.derived] {name:?}: {}", problem.told(expression))
}

/// Checks definitions against the columns of a schema.
///
/// # Errors
/// A sentence with the definition and the position of the error.
pub fn check(definitions: &Definitions, columns: &[(&str, Kind)], target: &str) -> Result<(), String> {
    Program::new(definitions, columns, target).map(|_| ()).map_err(|err| wrong(definitions, err))
}

/// Per definition, the raw columns that it reads, directly or through other definitions; empty if a definition is
/// invalid.
#[must_use]
pub fn origins(definitions: &Definitions, columns: &[(&str, Kind)], target: &str) -> Vec<(String, Vec<String>)> {
    let Ok(program) = Program::new(definitions, columns, target) else { return Vec::new() };
    let names = program.compiled.iter().map(|compiled| compiled.name.clone());
    let origins = program.origins().into_iter().map(|own| own.into_iter().map(str::to_owned).collect());
    names.zip(origins).collect()
}

/// The derived columns with their storage kinds; empty if a definition is invalid.
#[must_use]
pub fn kinds(definitions: &Definitions, columns: &[(&str, Kind)], target: &str) -> Vec<(String, Kind)> {
    let Ok(program) = Program::new(definitions, columns, target) else { return Vec::new() };
    program.compiled.into_iter().map(|compiled| (compiled.name, compiled.of.kind())).collect()
}

impl Derived {
    /// Computes the statistics that `definitions` need from the training rows: those at `rows`, or all rows of `table`.
    /// Also returns the derived columns of all its rows.
    ///
    /// # Errors
    /// A definition that does not fit the table, or too many groups.
    pub fn fit(
        definitions: &Definitions,
        table: &Table,
        rows: Option<&[u32]>,
        target: &str,
    ) -> Result<(Self, Vec<Column>), FeatureError> {
        if definitions.is_empty() {
            return Ok(Default::default());
        }
        let kind = |column: &Column| match (&column.values, Type::of_values(&column.values)) {
            (Values::Text(_), _) => Kind::Text,
            (_, of) => of.kind(),
        };
        let columns: Vec<(&str, Kind)> = table.columns().iter().map(|c| (c.name.as_str(), kind(c))).collect();
        let option = |what| FeatureError::Derived { what };
        let program = Program::new(definitions, &columns, target).map_err(|err| option(wrong(definitions, err)))?;
        let window_columns = program.window_columns(definitions);
        let (definitions, learned, levels) = (definitions.clone(), Vec::new(), Vec::new());
        let mut derived = Self { definitions, program, learned, levels, window_columns };
        derived.levels = derived.levels_of(table, rows);
        let Some(rows) = rows else {
            let computed = derived.learn(table)?;
            return Ok((derived, computed));
        };
        let reads = derived.program.reads.iter().map(|(name, _)| name).chain(&derived.window_columns);
        let reads = reads.filter_map(|name| Some(table.column(name)?.take(rows)));
        let part = Table::new(reads.collect()).map_err(|err| option(err.to_string()))?;
        derived.learn(&part)?;
        let computed = derived.columns(table)?;
        Ok((derived, computed))
    }

    /// Computes statistics of groups in the order of their dependencies, and the columns at the same time.
    fn learn(&mut self, train: &Table) -> Result<Vec<Column>, FeatureError> {
        let windows = self.windows_of(train)?;
        let Self { program, learned, .. } = self;
        let raw = raw_columns(program, train)?;
        let n_rows = train.n_rows();
        let mut computed: Vec<Column> = Vec::new();
        for compiled in &program.compiled {
            let mut groups = Vec::new();
            compiled.node.visit(&mut |node| {
                if let Node::Group { slot, statistic, of, by } = node {
                    groups.push((*slot, *statistic, of, by));
                }
            });
            groups.sort_unstable_by_key(|(slot, ..)| *slot);
            for (_, statistic, of, by) in groups {
                let scope = Scope { n_rows, raw: &raw, earlier: &computed, learned, windows: &windows };
                let of = of.as_ref().map(|of| scope.numbers(of));
                let keys: Vec<Vector> = by.iter().map(|key| scope.compute(key)).collect();
                let found = Learned::learn(statistic, of.as_ref(), &keys, n_rows).map_err(|what| {
                    FeatureError::Derived { what: format!("[features.derived] {:?}: {what}", compiled.name) }
                })?;
                learned.push(found);
            }
            let scope = Scope { n_rows, raw: &raw, earlier: &computed, learned, windows: &windows };
            let values = scope.compute(&compiled.node).into_values(n_rows);
            computed.push(Column::new(compiled.name.clone(), values));
        }
        Ok(computed)
    }

    /// The levels of the categories that are read, in `rows` or in all rows.
    fn levels_of(&self, table: &Table, rows: Option<&[u32]>) -> Vec<(String, Vec<String>)> {
        let reads = self.program.reads.iter().filter_map(|(name, _)| table.column(name));
        let of = |column: &Column| match &column.values {
            Values::Category(cells) => {
                let mut occurs = vec![false; cells.levels.len()];
                let mut see = |code: u32| {
                    if let Some(seen) = occurs.get_mut(code as usize) {
                        *seen = true
                    }
                };
                match rows {
                    Some(rows) => rows.iter().for_each(|&row| see(cells.codes[row as usize])),
                    None => cells.codes.iter().for_each(|&code| see(code)),
                }
                let levels = cells.levels.iter().zip(&occurs).filter(|(_, occurs)| **occurs);
                Some((column.name.clone(), levels.map(|(level, _)| level.clone()).collect()))
            }
            _ => None,
        };
        reads.filter_map(of).collect()
    }

    /// The columns of every row of `table`, in order. They depend only on the row and on training.
    ///
    /// # Errors
    /// If a column it reads is missing, or of another kind than in training.
    pub fn columns(&self, table: &Table) -> Result<Vec<Column>, FeatureError> {
        let windows = self.windows_of(table)?;
        Ok(self.compute(&raw_columns(&self.program, table)?, &windows, table.n_rows()))
    }

    /// The same from the cells of [`Derived::reads`], in their order, and the values of windows; the cells must be of
    /// the kinds listed there.
    ///
    /// # Errors
    /// If the values of a window are missing: cells alone have no past.
    pub fn of_cells(&self, cells: &[Values], windows: &[Column]) -> Result<Vec<Column>, FeatureError> {
        let n_rows = cells.first().map_or(0, Values::len);
        let find = |name: &String| {
            let found = windows.iter().find(|column| column.name == *name && column.values.len() == n_rows);
            found.map(|column| &column.values).ok_or_else(|| FeatureError::NoPast { window: name.clone() })
        };
        let windows: Vec<&Values> = self.window_columns.iter().map(find).collect::<Result<_, _>>()?;
        Ok(self.compute(&cells.iter().collect::<Vec<_>>(), &windows, n_rows))
    }

    /// The values of windows, which are columns of the table that [`Windows::fill`] adds.
    fn windows_of<'t>(&self, table: &'t Table) -> Result<Vec<&'t Values>, FeatureError> {
        let find = |name: &String| match table.column(name).map(|column| &column.values) {
            Some(values @ Values::Number(_)) => Ok(values),
            _ => Err(FeatureError::NoPast { window: name.clone() }),
        };
        self.window_columns.iter().map(find).collect()
    }

    fn compute(&self, raw: &[&Values], windows: &[&Values], n_rows: usize) -> Vec<Column> {
        let mut computed: Vec<Column> = Vec::with_capacity(self.program.compiled.len());
        for compiled in &self.program.compiled {
            let scope = Scope { n_rows, raw, earlier: &computed, learned: &self.learned, windows };
            let values = scope.compute(&compiled.node).into_values(n_rows);
            computed.push(Column::new(compiled.name.clone(), values));
        }
        computed
    }

    /// The windows over a row's own past; `None` without any.
    #[must_use]
    pub fn windows(&self) -> Option<Windows> {
        Windows::of(self.program.clone(), &self.definitions)
    }

    /// The columns with the values of windows, see [`Windows::fill`].
    #[must_use]
    pub fn window_columns(&self) -> &[String] {
        &self.window_columns
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.program.compiled.is_empty()
    }

    /// Names and expressions, in order.
    #[must_use]
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions.0
    }

    /// The expression of a derived feature.
    #[must_use]
    pub fn expression(&self, name: &str) -> Option<&str> {
        self.definitions.get(name).map(|definition| definition.expression.as_str())
    }

    /// The derived columns with their storage kinds.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.program.compiled.iter().map(|compiled| (compiled.name.as_str(), compiled.of.kind()))
    }

    /// The index of a derived feature.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.program.compiled.iter().position(|compiled| compiled.name == name)
    }

    /// The name, the kind and the checked expression of the derived feature at an index.
    pub(crate) fn node(&self, place: usize) -> (&str, Kind, &Node) {
        let compiled = &self.program.compiled[place];
        (&compiled.name, compiled.of.kind(), &compiled.node)
    }

    /// The raw column at an index of the input.
    pub(crate) fn read(&self, place: usize) -> (&str, Kind) {
        let (name, kind) = &self.program.reads[place];
        (name, *kind)
    }

    /// The statistics of groups: the keys and values, and the value of unseen groups.
    pub(crate) fn groups(&self, slot: usize) -> groups::Parts<'_> {
        self.learned[slot].parts()
    }

    /// The raw columns they read, and their kinds.
    pub fn reads(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.program.reads.iter().map(|(name, kind)| (name.as_str(), *kind))
    }

    /// The categories they read, with their levels in training.
    pub fn levels(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.levels.iter().map(|(name, levels)| (name.as_str(), levels.as_slice()))
    }
}

/// The raw columns that a program reads, in its order.
fn raw_columns<'t>(program: &Program, table: &'t Table) -> Result<Vec<&'t Values>, FeatureError> {
    let missing: Vec<String> =
        program.reads.iter().filter(|(name, _)| table.column(name).is_none()).map(|(name, _)| name.clone()).collect();
    if !missing.is_empty() {
        return Err(FeatureError::MissingColumns { columns: missing });
    }
    program.reads.iter().map(|read| raw_values(read, table)).collect()
}

/// The cells of a raw column that is read.
fn raw_values<'t>((name, kind): &(String, Kind), table: &'t Table) -> Result<&'t Values, FeatureError> {
    let values =
        &table.column(name).ok_or_else(|| FeatureError::MissingColumns { columns: vec![name.clone()] })?.values;
    if Some(Type::of_values(values)) != Type::of(*kind) {
        let found = super::target::kind_of(values);
        return Err(FeatureError::Kind { column: name.clone(), expected: *kind, found });
    }
    Ok(values)
}

impl PartialEq for Derived {
    fn eq(&self, other: &Self) -> bool {
        // The program follows from the definitions and the input columns.
        (&self.definitions, &self.program.reads, &self.learned, &self.levels)
            == (&other.definitions, &other.program.reads, &other.learned, &other.levels)
    }
}
