//! Earlier rows for windows, and the values of windows for tables and the log.
//!
//! ```text
//! past.csv of the version: the last rows of its training table ─┐
//! prediction log: all rows that were scored ────────────────────┼─▶ each row once (by its id) ─▶ windows of a table's rows
//! the table itself ─────────────────────────────────────────────┤
//! the reference, if the table has rows before its end ──────────┘
//! ```
//! One rule for all: a row's windows use all known earlier rows, each once.

use crate::features::FeatureError;
use crate::features::derive::{Past, Windows, stacked};
use crate::journal::{Journal, JournalError, Layout, Window};
use crate::pipeline::{Pipeline, PipelineError, Recipe};
use crate::registry::{RegistryError, Version};
use crate::table::{
    Batch, Categories, Column, ColumnSpec, Dialect, Input, Kind, ReadOptions, Schema, Table, TableError, Values, read,
    stream, write_csv,
};
use crate::workspace::{Workspace, WorkspaceError};
use std::io::{self, Write};
use std::path::Path;

mod remembered;

pub use remembered::Remembered;

/// The rows of a version's training table that later windows may need, in its directory.
pub const FILE: &str = "past.csv";
/// Maximum number of rows stored with a version.
const MAX_ROWS: usize = 5_000_000;

/// Errors with past rows.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A column that windows read is missing, or of another kind.
    #[error("{0}")]
    Features(#[from] FeatureError),
    /// A problem with the prediction log.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// The windows do not fit the columns.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// Too many rows to store.
    #[error("{0}")]
    TooMany(String),
}

/// The id column of a schema.
fn id_of(schema: &Schema) -> Option<&str> {
    schema.id()
}

/// The past rows for windows, besides those of the current table: the known `parts`, and logged rows. `layout` is that
/// of the log, and `schema` defines ids and levels.
///
/// # Errors
/// Errors of the log.
pub fn known(
    workspace: &Workspace,
    windows: &Windows,
    (schema, layout): (&Schema, &Layout),
    mut parts: Vec<Table>,
) -> Result<Past, PastError> {
    let (logged, order) = logged(workspace, &Window::default(), (schema, layout), windows)?;
    parts.push(logged.into_rows(&order));
    Ok(Past::of(windows, id_of(schema), &parts)?)
}

/// The columns that windows read, for the rows logged in a window of time, in the order of the log; and their order by
/// time, so that of a row logged several times the latest one comes last, in whichever file it is.
fn logged(
    workspace: &Workspace,
    window: &Window,
    (schema, layout): (&Schema, &Layout),
    windows: &Windows,
) -> Result<(Table, Vec<u32>), PastError> {
    let (mut parts, mut times) = (Vec::new(), Vec::new());
    Journal::of(workspace).scan(window, layout, true, |logged| {
        if let Some(table) = &logged.features {
            parts.push(windows.part(&table.spelled(schema), id_of(schema))?);
            times.extend_from_slice(&logged.time);
        }
        Ok::<(), PastError>(())
    })?;
    let mut order: Vec<u32> = (0..times.len() as u32).collect();
    order.sort_by_key(|&row| times[row as usize]);
    Ok((stacked(&parts)?, order))
}

/// The past rows for a version's windows; `None` for a version without windows.
///
/// # Errors
/// As [`known`], and errors in the version's file.
pub fn of_version(
    workspace: &Workspace,
    version: Version,
    pipeline: &Pipeline,
) -> Result<Option<(Windows, Past)>, PastError> {
    let Some(windows) = pipeline.features.derived().windows() else { return Ok(None) };
    let last = of_file(workspace, version, &windows, &pipeline.schema)?;
    let past = known(workspace, &windows, (&pipeline.schema, &Layout::of(pipeline)), vec![last.clone()])?;
    let past = past.after(&windows, &last);
    Ok(Some((windows, past)))
}

/// A training table with the values of its windows, over its own rows and logged ones; and the rows that the version
/// must store. The target of `recipe` may be missing.
///
/// # Errors
/// As [`known`]; if a column that windows read is missing, or too many rows must be stored.
pub fn of_training(
    workspace: &Workspace,
    table: Table,
    schema: &Schema,
    recipe: &Recipe,
) -> Result<(Table, Option<Table>), PastError> {
    let Some(windows) = recipe.windows(schema)? else { return Ok((table, None)) };
    let layout = Layout::of_columns(schema, &recipe.target.column);
    let past = known(workspace, &windows, (&knowing(schema, &table), &layout), Vec::new())?;
    let last = windows.last(&table, id_of(schema))?;
    if last.n_rows() > MAX_ROWS {
        return Err(PastError::TooMany(format!(
            "[features.derived]: the longest window has {} rows at the table's end; at most {MAX_ROWS} can be stored \
             with a version: shorten the window",
            last.n_rows()
        )));
    }
    Ok((windows.fill(&past, table)?, Some(last)))
}

/// A schema that finds other spellings of the levels of a table.
fn knowing(schema: &Schema, table: &Table) -> Schema {
    let mut schema = schema.clone();
    for column in table.columns() {
        if let (Values::Category(cells), Some(spec)) =
            (&column.values, schema.columns.iter_mut().find(|spec| spec.name == column.name))
        {
            spec.spelling.know(&cells.levels);
        }
    }
    schema
}

/// Writes the rows that a version stores.
///
/// # Errors
/// Errors of `out`.
pub fn save(last: &Table, schema: &Schema, out: &mut dyn Write) -> io::Result<()> {
    write_csv(out, last, &stored_schema(last.columns().iter().map(|column| column.name.as_str()), schema))
}

/// The stored format: times in full, whatever the training table's format.
fn stored_schema<'a>(names: impl Iterator<Item = &'a str>, schema: &Schema) -> Schema {
    let column = |name: &str| {
        let kind = schema.column(name).map_or(Kind::Text, |spec| spec.kind);
        let format = (kind == Kind::Time).then(|| "iso".to_owned());
        ColumnSpec { format, ..ColumnSpec::new(name, kind) }
    };
    let dialect = Dialect { missing: vec![String::new()], ..Dialect::default() };
    Schema { dialect, columns: names.map(column).collect() }
}

/// The rows stored with a version, after verification.
fn of_file(workspace: &Workspace, version: Version, windows: &Windows, schema: &Schema) -> Result<Table, PastError> {
    workspace.registry().check(version, &[FILE])?;
    stored(&workspace.registry().path(version)?.join(FILE), windows, schema)
}

fn stored(path: &Path, windows: &Windows, schema: &Schema) -> Result<Table, PastError> {
    let reads = windows.reads().into_iter().map(|(name, _)| name);
    let id = id_of(schema).filter(|id| windows.reads().iter().all(|(name, _)| name != id));
    let schema = stored_schema(id.into_iter().chain(reads), schema);
    let options = ReadOptions { no_raw: true, ..ReadOptions::default() };
    Ok(read(Input::open(path)?, &schema, &options)?.table)
}

/// The values of windows for every row of a table, in order. Rows before the end of training also use the reference,
/// because `past` has only its last rows.
///
/// # Errors
/// Errors in the table or the reference.
pub fn of_table(
    workspace: &Workspace,
    input: Input,
    schema: &Schema,
    read: &ReadOptions,
    (windows, past): (&Windows, &Past),
) -> Result<Vec<Column>, PastError> {
    let parts = parts(input, (schema, schema), read, windows)?;
    if parts.is_empty() {
        return Ok(nothing(windows));
    }
    let table = stacked(&parts)?;
    if !past.lacks_rows_of(&table) || !workspace.config_path().exists() {
        return Ok(windows.compute(past, &table)?);
    }
    let config = workspace.config()?;
    let reference = workspace.path(&config.data.reference);
    if !reference.exists() {
        return Ok(windows.compute(past, &table)?);
    }
    let columns = windows.reads().into_iter().map(|(name, _)| name).chain(id_of(schema)).map(str::to_owned).collect();
    let read = ReadOptions { columns: Some(columns), no_raw: true, ..ReadOptions::default() };
    let before = self::parts(Input::open(&reference)?, (&config.schema(), schema), &read, windows)?;
    Ok(windows.compute(&past.with(windows, &before)?, &table)?)
}

/// The columns that windows read from a table in one schema, with levels spelt as in the other.
fn parts(
    input: Input,
    (written, spelt): (&Schema, &Schema),
    read: &ReadOptions,
    windows: &Windows,
) -> Result<Vec<Table>, PastError> {
    let part = |batch: Result<Batch, TableError>| Ok(windows.part(&batch?.table.spelled(spelt), id_of(spelt))?);
    stream(input, written, read)?.map(part).collect()
}

/// Window values for zero rows.
fn nothing(windows: &Windows) -> Vec<Column> {
    windows.names().iter().map(|name| Column::new(name.clone(), Values::empty(Kind::Number))).collect()
}

/// The values of windows for every logged row in a window of time, in the order of the log.
///
/// # Errors
/// Errors of the log.
pub fn of_log(
    workspace: &Workspace,
    window: &Window,
    log: (&Schema, &Layout),
    (windows, past): (&Windows, &Past),
) -> Result<Vec<Column>, PastError> {
    let (rows, order) = logged(workspace, window, log, windows)?;
    if order.is_empty() {
        return Ok(nothing(windows));
    }
    let in_time = windows.compute_each_once(past, &rows.into_rows(&order))?;
    let mut places = vec![0; order.len()];
    order.iter().zip(0..).for_each(|(&row, place)| places[row as usize] = place);
    Ok(in_time.iter().map(|column| column.take(&places)).collect())
}

/// The values of windows of a single row, from the cells of
/// [`Derived::reads`](crate::features::derive::Derived::reads); empty without windows. The row has no id, so its
/// windows use all rows.
///
/// # Errors
/// As [`of_version`].
pub fn of_cells(
    workspace: &Workspace,
    version: Version,
    pipeline: &Pipeline,
    cells: &[Values],
) -> Result<Vec<Column>, PastError> {
    let Some((windows, past)) = of_version(workspace, version, pipeline)? else { return Ok(Vec::new()) };
    // Single cells are converted to levels for columns that have levels in tables.
    let level = |((_, kind), values): ((&str, Kind), &Values)| match values {
        Values::Text(texts) if kind == Kind::Category => Values::Category(Categories::from_texts(texts.iter())),
        other => other.clone(),
    };
    let cells: Vec<Values> = pipeline.features.derived().reads().zip(cells).map(level).collect();
    Ok(windows.compute(&past, &of_reads(&windows, pipeline, &cells, None)?)?)
}

/// The columns that windows read, from the cells of [`Derived::reads`](crate::features::derive::Derived::reads), with
/// the ids of the rows.
fn of_reads(
    windows: &Windows,
    pipeline: &Pipeline,
    cells: &[Values],
    ids: Option<&Column>,
) -> Result<Table, PastError> {
    let reads = windows.reads();
    let is_read = |name: &str| reads.iter().any(|(read, _)| *read == name);
    let cells = pipeline.features.derived().reads().zip(cells).filter(|((name, _), _)| is_read(name));
    let of_row = |name: &str| ids.filter(|ids| ids.name == name).map(|ids| ids.values.clone());
    let column = |((name, _), values): ((&str, Kind), &Values)| {
        Column::new(name, of_row(name).unwrap_or_else(|| values.clone()))
    };
    let ids = ids.filter(|ids| !is_read(&ids.name)).cloned();
    Ok(Table::new(ids.into_iter().chain(cells.map(column)).collect())?)
}

/// Columns of a table read in batches.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    columns: Vec<Column>,
    next: u32,
}

impl Beside {
    /// Starts at the first row of these columns.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, next: 0 }
    }

    /// The columns of the next rows.
    #[must_use]
    pub fn next(&mut self, n_rows: usize) -> Vec<Column> {
        let rows: Vec<u32> = (self.next..self.next + n_rows as u32).collect();
        self.next += n_rows as u32;
        self.columns.iter().map(|column| column.take(&rows)).collect()
    }

    /// The next rows with their columns, which replace columns of the same name.
    ///
    /// # Errors
    /// If there are no more rows.
    pub fn fill(&mut self, table: Table) -> Result<Table, PastError> {
        if self.columns.is_empty() {
            return Ok(table);
        }
        let held = self.columns.first().map_or(0, |column| column.values.len());
        if self.next as usize + table.n_rows() > held {
            let what = "changed while it was read: try again".to_owned();
            return Err(TableError::File { file: "the table".to_owned(), what }.into());
        }
        let new = self.next(table.n_rows());
        let mut columns = table.into_columns();
        columns.retain(|column| new.iter().all(|new| new.name != column.name));
        columns.extend(new);
        Ok(Table::new(columns)?)
    }
}

/// Counts how often logged values of a window differ from those computed from the whole past.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Skew {
    /// Values that were compared.
    pub n: u64,
    /// Of these, values that differ.
    pub n_differ: u64,
    /// The first pair that differs: logged, and computed.
    pub first: Option<(f64, f64)>,
}

impl Skew {
    /// Compares the logged values of rows with those computed now.
    pub fn push(&mut self, logged: &Values, computed: &Values, of: impl Fn(usize) -> bool) {
        /// Sums in another order differ in their last digits.
        const TOLERANCE: f64 = 1e-9;
        let (Values::Number(logged), Values::Number(computed)) = (logged, computed) else { return };
        for (row, (&logged, &computed)) in logged.iter().zip(computed).enumerate() {
            if !of(row) {
                continue;
            }
            let near = (logged - computed).abs() <= TOLERANCE * computed.abs().max(1.0);
            let is_same = near || (logged.is_nan() && computed.is_nan());
            self.n += 1;
            if !is_same {
                self.n_differ += 1;
                self.first.get_or_insert((logged, computed));
            }
        }
    }
}
