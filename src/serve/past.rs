//! The rows of a request, for windows over earlier rows.
//!
//! ```text
//! rows ─▶ columns that windows read ─┬─▶ their windows, before they are scored
//!                                    └─▶ stored, once they are logged: the past of the next rows
//! ```

use super::problem::Refusal;
use super::rows::Rows;
use super::scoring::understand;
use super::snapshot::{Live, Loaded, Snapshot};
use crate::features::derive::Derived;
use crate::past::{PastError, Remembered};
use crate::registry::Version;
use crate::table::{Cell, Column, Kind, MISSING_TIME, Table, Texts, Values};
use jiff::Timestamp;
use std::sync::Arc;

/// The rows of a request as input of a version's windows.
#[derive(Debug)]
pub(super) struct Seen {
    model: Arc<Loaded>,
    part: Table,
    values: Vec<Column>,
}

/// The rows of a request for each version with windows; most loops have none.
#[derive(Debug, Default)]
pub(super) struct Behind(Vec<Seen>);

/// Bytes per row beyond its cells: the values of windows and their input.
pub(super) fn bytes_per_row(snapshot: &Snapshot) -> usize {
    let of = |(live, _): (&Live, &Remembered)| {
        let derived = live.model.pipeline.features.derived();
        8 * derived.window_columns().len() + 24 * (derived.reads().count() + 1)
    };
    snapshot.looking_back().into_iter().map(of).sum()
}

impl Behind {
    /// Computes the windows of a request's rows, named by `id`.
    ///
    /// # Errors
    /// [`Refusal::Internal`] if the columns are not those that the version reads.
    pub(super) fn of(
        snapshot: &Snapshot,
        rows: &Rows,
        id: impl Fn(usize, &Live) -> Option<String>,
    ) -> Result<Self, Refusal> {
        let see = |(live, past): (&Live, &Remembered)| {
            let cells = cells(live, past, rows);
            let ids = live.model.layout.id().map(|name| {
                let ids: Vec<String> = (0..rows.len()).map(|row| id(row, live).unwrap_or_default()).collect();
                Column::new(name, Values::Text(ids.iter().map(String::as_str).collect::<Texts>()))
            });
            let part = past.part(&live.model.pipeline, &cells, ids.as_ref()).map_err(fault)?;
            let values = past.values(&part).map_err(fault)?;
            Ok(Seen { model: Arc::clone(&live.model), part, values })
        };
        snapshot.looking_back().into_iter().map(see).collect::<Result<_, _>>().map(Self)
    }

    /// Whether no version has windows.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn values(&self, version: Version) -> &[Column] {
        self.0.iter().find(|seen| seen.model.version == version).map_or(&[], |seen| &seen.values)
    }

    /// The values of a version's windows in some rows.
    pub(super) fn of_rows(&self, version: Version, which: &[usize]) -> Vec<Column> {
        let values = self.values(version);
        if values.is_empty() {
            return Vec::new();
        }
        let rows: Vec<u32> = which.iter().map(|&row| row as u32).collect();
        values.iter().map(|column| column.take(&rows)).collect()
    }

    /// The same for one row, in the log's format.
    pub(super) fn of_row(&self, version: Version, row: usize) -> Vec<f64> {
        let value = |column: &Column| match &column.values {
            Values::Number(values) => values[row],
            _ => f64::NAN,
        };
        self.values(version).iter().map(value).collect()
    }

    /// Remembers the rows, which were logged `at`.
    ///
    /// # Errors
    /// As [`Behind::of`].
    pub(super) fn remember(&self, at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        for seen in &self.0 {
            if let Some(past) = &seen.model.past {
                past.push(&seen.part, at, now).map_err(fault)?;
            }
        }
        Ok(())
    }
}

fn fault(err: PastError) -> Refusal {
    Refusal::Internal(err.to_string())
}

/// A cell of a row under an input.
fn cell<'a>(live: &'a Live, rows: &'a Rows, (row, input): (usize, usize), digits: &'a mut String) -> Option<Cell<'a>> {
    understand(rows, rows.cell(row, live.inputs[input]), &live.model.readers[input], digits)
}

/// The cells of [`Derived::reads`] that windows read. An invalid row has none, as it would not be in the log.
fn cells(live: &Live, past: &Remembered, rows: &Rows) -> Vec<Values> {
    let pipeline = &live.model.pipeline;
    let derived: &Derived = pipeline.features.derived();
    let input = |name: &str| pipeline.features.inputs().position(|(input, _)| input == name);
    let reads: Vec<(Kind, Option<usize>)> =
        derived.reads().map(|(name, kind)| (kind, input(name).filter(|_| past.is_read(name)))).collect();
    let mut digits = String::new();
    let fits: Vec<bool> = (0..rows.len())
        .map(|row| {
            reads
                .iter()
                .filter_map(|(_, input)| *input)
                .all(|input| cell(live, rows, (row, input), &mut digits).is_some())
        })
        .collect();
    let mut column = |(kind, input): &(Kind, Option<usize>)| {
        let mut values = match kind {
            Kind::Number => Values::Number(Vec::new()),
            Kind::Time => Values::Time(Vec::new()),
            _ => Values::Text(Texts::default()),
        };
        let Some(input) = *input else { return values };
        for (row, fits) in fits.iter().enumerate() {
            let cell = cell(live, rows, (row, input), &mut digits).filter(|_| *fits).unwrap_or(Cell::Missing);
            match (&mut values, cell) {
                (Values::Number(values), Cell::Number(value)) => values.push(value),
                (Values::Number(values), _) => values.push(f64::NAN),
                (Values::Time(values), Cell::Time(value)) => values.push(value),
                (Values::Time(values), _) => values.push(MISSING_TIME),
                (Values::Text(texts), Cell::Level(text)) => texts.push(text),
                (Values::Text(texts), _) => texts.push(""),
                (Values::Category(_), _) => {}
            }
        }
        values
    };
    reads.iter().map(&mut column).collect()
}
