//! Earlier rows for windows while a version is served.
//!
//! ```text
//! past.csv of the version ─┐
//! prediction log ──────────┼─▶ Recent ─▶ the windows of the next rows
//!  ├ so far, at the start ─┤
//!  ├ rows of this process ─┤   once their lines are written
//!  └ of other processes ───┘   a few times a second
//! ```

use super::{PastError, id_of, of_file, of_reads};
use crate::features::derive::{Held, Recent};
use crate::journal::{Follow, Journal, Layout, Window};
use crate::pipeline::Pipeline;
use crate::registry::Version;
use crate::table::{Column, Schema, Table, Values};
use crate::workspace::Workspace;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, PoisonError};

/// The past rows for the windows of a version.
#[derive(Debug)]
pub struct Remembered {
    recent: Recent,
    schema: Schema,
    layout: Layout,
    follow: Mutex<Follow>,
}

impl Remembered {
    /// The current past rows of a version, at most about `max_rows`; `None` for a version without windows.
    ///
    /// # Errors
    /// Errors in the log or the version's file.
    pub fn of_version(
        workspace: &Workspace,
        version: Version,
        pipeline: &Pipeline,
        (max_rows, now): (usize, Timestamp),
    ) -> Result<Option<Self>, PastError> {
        let Some(windows) = pipeline.features.derived().windows() else { return Ok(None) };
        let last = of_file(workspace, version, &windows, &pipeline.schema)?;
        let recent = Recent::new(windows, id_of(&pipeline.schema), max_rows);
        // Logged values of a row take precedence over those of the training table.
        recent.push(&last, &vec![i64::MIN; last.n_rows()], now.as_microsecond())?;
        let (schema, layout) = (pipeline.schema.clone(), Layout::of(pipeline));
        let remembered = Self { recent, schema, layout, follow: Mutex::default() };
        remembered.read(workspace, &Window::default(), now)?;
        Ok(Some(remembered))
    }

    /// Reads the rows logged since the last call, by any process.
    ///
    /// # Errors
    /// Errors of the log.
    pub fn catch_up(&self, workspace: &Workspace, now: Timestamp) -> Result<(), PastError> {
        // Clocks may differ, but not by days.
        self.read(workspace, &Window::last(SignedDuration::from_hours(48), now), now)
    }

    fn read(&self, workspace: &Workspace, window: &Window, now: Timestamp) -> Result<(), PastError> {
        let mut follow = self.follow.lock().unwrap_or_else(PoisonError::into_inner);
        Journal::of(workspace).follow(&mut follow, window, &self.layout, |logged| {
            if let Some(table) = &logged.features {
                let part = self.recent.windows().part(&table.spelled(&self.schema), id_of(&self.schema))?;
                self.recent.push(&part, &logged.time, now.as_microsecond())?;
            }
            Ok::<(), PastError>(())
        })?;
        Ok(())
    }

    /// The columns that windows read, from the cells of
    /// [`Derived::reads`](crate::features::derive::Derived::reads) and the ids of the rows.
    ///
    /// # Errors
    /// If columns differ in length.
    pub fn part(&self, pipeline: &Pipeline, cells: &[Values], ids: Option<&Column>) -> Result<Table, PastError> {
        of_reads(self.recent.windows(), pipeline, cells, ids)
    }

    /// The raw columns that the windows read.
    pub fn is_read(&self, name: &str) -> bool {
        self.recent.windows().reads().iter().any(|(read, _)| *read == name)
    }

    /// The values of the windows for rows of one request, as for a table of them.
    ///
    /// # Errors
    /// If a column is missing or of another kind.
    pub fn values(&self, part: &Table) -> Result<Vec<Column>, PastError> {
        Ok(self.recent.values(part)?)
    }

    /// Adds rows that were logged `at`.
    ///
    /// # Errors
    /// As [`Remembered::values`].
    pub fn push(&self, part: &Table, at: Timestamp, now: Timestamp) -> Result<(), PastError> {
        Ok(self.recent.push(part, &vec![at.as_microsecond(); part.n_rows()], now.as_microsecond())?)
    }

    /// The numbers of stored and removed rows.
    #[must_use]
    pub fn held(&self) -> Held {
        self.recent.held()
    }
}
