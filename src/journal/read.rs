//! Reads a window of the log in batches and joins it with outcomes.

use super::logged::Logged;
use super::{Journal, JournalError, Layout, Outcome, Outcomes, Window};
use crate::atomic::{self, At, whole_lines_len};
use crate::profile::entity_keys;
use crate::registry::Version;
use crate::table::{Input, ReadOptions, Reject, Schema, TableError, stream};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::Path;

/// The problems found while reading the log.
#[derive(Debug, Clone, Default)]
pub struct Scanned {
    /// Rows of the window.
    pub n_rows: u64,
    /// Invalid lines, which were skipped.
    pub n_rejected: u64,
    /// The first of them, with their files.
    pub rejects: Vec<(String, Reject)>,
}

/// The last prediction of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// When.
    pub at: Timestamp,
    /// The version that predicted.
    pub version: Version,
    /// The class or number.
    pub prediction: String,
}

/// Logged rows with a known outcome.
#[derive(Debug, Clone, Default)]
pub struct Joined {
    /// The rows, without the loop's columns.
    pub rows: Logged,
    /// The outcome of each.
    pub outcomes: Vec<Outcome>,
    /// The entity of each, if its column was requested and is logged; otherwise empty.
    pub about: Vec<Option<u64>>,
    /// The problems found while reading.
    pub scanned: Scanned,
}

impl Journal {
    /// Passes the rows of `window` to `each` in the order of files and lines, a batch at a time; one batch is in
    /// memory. With `features` a batch has the columns of `layout`.
    ///
    /// An incomplete last line of a file is ignored.
    ///
    /// # Errors
    /// A file that is not a prediction log, I/O errors, or errors of `each`.
    pub fn scan<E: From<JournalError>>(
        &self,
        window: &Window,
        layout: &Layout,
        features: bool,
        mut each: impl FnMut(Logged) -> Result<(), E>,
    ) -> Result<Scanned, E> {
        let scan = Scan::new(window, layout, features);
        let mut scanned = Scanned::default();
        for (_, path) in self.files(window)? {
            scan.file(&path, &mut scanned, &mut each)?;
        }
        Ok(scanned)
    }

    /// The last logged prediction of each of `ids`. Days are read from the last one backwards, until all are
    /// found.
    ///
    /// # Errors
    /// As [`Journal::scan`].
    pub fn latest(&self, ids: &HashSet<&str>) -> Result<HashMap<String, Latest>, JournalError> {
        let (window, layout) = (Window::default(), Layout::default());
        let scan = Scan::new(&window, &layout, false);
        let mut found: HashMap<String, Latest> = HashMap::new();
        let files = self.files(&window)?;
        for day in files.chunk_by(|(a, _), (b, _)| a.0 == b.0).rev() {
            for (_, path) in day {
                scan.file(path, &mut Scanned::default(), &mut |rows| {
                    for row in (0..rows.len()).filter(|&row| ids.contains(rows.id.get(row))) {
                        let at = Timestamp::from_microsecond(rows.time[row]).unwrap_or_default();
                        let id = rows.id.get(row);
                        if found.get(id).is_none_or(|known| at >= known.at) {
                            let prediction = rows.prediction.get(row).to_owned();
                            found.insert(id.to_owned(), Latest { at, version: rows.version[row], prediction });
                        }
                    }
                    Ok::<(), JournalError>(())
                })?;
            }
            if found.len() == ids.len() {
                break;
            }
        }
        Ok(found)
    }

    /// The rows of `window` with a known outcome, however late it arrived; `about` is the column of the entity.
    /// Memory grows with these rows only.
    ///
    /// # Errors
    /// As [`Journal::scan`].
    pub fn join(
        &self,
        window: &Window,
        layout: &Layout,
        outcomes: &Outcomes,
        about: Option<&str>,
    ) -> Result<Joined, JournalError> {
        let mut joined = Joined::default();
        if outcomes.is_empty() {
            return Ok(joined);
        }
        let about = about.and_then(|name| Some((name, layout.only(name)?)));
        let read = about.as_ref().map_or(layout, |(_, only)| only);
        let scanned = self.scan(window, read, about.is_some(), |mut logged| {
            let outcome = |row: u32| Some((row, outcomes.of(logged.id.get(row as usize))?));
            let (known, outcomes): (Vec<u32>, Vec<Outcome>) = (0..logged.len() as u32).filter_map(outcome).unzip();
            joined.outcomes.extend(outcomes);
            let column = about.as_ref().and_then(|(name, _)| logged.features.take()?.column(name).cloned());
            if let Some(column) = column {
                joined.about.extend(entity_keys(&column.values.take(&known)));
            }
            joined.rows.append(&logged.take(&known));
            Ok::<(), JournalError>(())
        })?;
        joined.scanned = scanned;
        Ok(joined)
    }
}

/// How files are read.
pub(super) struct Scan<'a> {
    window: &'a Window,
    layout: &'a Layout,
    features: bool,
    schema: Schema,
    options: ReadOptions,
}

impl<'a> Scan<'a> {
    pub(super) fn new(window: &'a Window, layout: &'a Layout, features: bool) -> Self {
        let schema = layout.schema(features);
        let options = ReadOptions {
            optional: schema.columns.iter().skip(6).map(|c| c.name.clone()).collect(),
            skip_invalid: true,
            no_raw: true,
            whole: true,
            ..ReadOptions::default()
        };
        Self { window, layout, features, schema, options }
    }

    pub(super) fn file<E: From<JournalError>>(
        &self,
        path: &Path,
        scanned: &mut Scanned,
        each: &mut impl FnMut(Logged) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(input) = whole_lines(path)? else { return Ok(()) };
        self.input(input, &path.display().to_string(), scanned, each)
    }

    /// Reads the header and lines of a file; `name` gets the skipped lines.
    pub(super) fn input<E: From<JournalError>>(
        &self,
        input: Input,
        name: &str,
        scanned: &mut Scanned,
        each: &mut impl FnMut(Logged) -> Result<(), E>,
    ) -> Result<(), E> {
        // Errors in a table refer to a user's table; the log is ours.
        let damaged = |err: TableError| match err {
            err @ TableError::Io(_) => JournalError::Table(err),
            err => JournalError::Damaged { file: name_of(Path::new(name)), what: told(&err, name) },
        };
        let mut rows = stream(input, &self.schema, &self.options).map_err(damaged)?;
        while let Some(batch) = rows.next().transpose().map_err(damaged)? {
            let (logged, n_rejected) = Logged::of(batch.table, self.layout, self.features, self.window)?;
            scanned.n_rejected += n_rejected;
            scanned.n_rows += logged.len() as u64;
            if !logged.is_empty() {
                each(logged)?;
            }
        }
        scanned.n_rejected += rows.rejects().count;
        let file = name_of(Path::new(name));
        scanned.rejects.extend(rows.rejects().first.iter().map(|reject| (file.clone(), reject.clone())));
        Ok(())
    }
}

impl Joined {
    /// One row per id: the last that was logged.
    #[must_use]
    pub fn latest(&self) -> Self {
        let mut last: HashMap<&str, u32> = HashMap::new();
        for (row, id) in (0..).zip(self.rows.id.iter()) {
            let later = |at: &u32| self.rows.time[row as usize] >= self.rows.time[*at as usize];
            last.entry(id).and_modify(|at| *at = if later(at) { row } else { *at }).or_insert(row);
        }
        let mut rows: Vec<u32> = last.into_values().collect();
        rows.sort_unstable();
        self.take(&rows)
    }

    /// The rows for which `keeps` is true, by index.
    #[must_use]
    pub fn filter(&self, keeps: impl Fn(usize) -> bool) -> Self {
        let rows = (0..self.outcomes.len() as u32).filter(|row| keeps(*row as usize));
        self.take(&rows.collect::<Vec<u32>>())
    }

    /// The rows at `rows`, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        Self {
            rows: self.rows.take(rows),
            outcomes: rows.iter().map(|&row| self.outcomes[row as usize]).collect(),
            about: rows.iter().filter_map(|&row| self.about.get(row as usize).copied()).collect(),
            scanned: self.scanned.clone(),
        }
    }
}

/// The whole lines of a file; `None` when there is not even a header.
fn whole_lines(path: &Path) -> Result<Option<Input>, JournalError> {
    let opened = || {
        let file = atomic::open(path)?;
        let len = whole_lines_len(&file, file.metadata()?.len())?;
        std::io::Result::Ok((file, len))
    };
    let (file, len) = opened().at(path)?;
    Ok((len > 0).then(|| Input::from_reader(&path.display().to_string(), file.take(len))))
}

/// The name of a log file within the loop.
pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!("predictions/{name}")
}

/// The error of a table, without its name in front.
fn told(err: &TableError, name: &str) -> String {
    let text = err.to_string();
    text.strip_prefix(name).map_or(text.as_str(), |rest| rest.trim_start_matches([':', ' '])).to_owned()
}
