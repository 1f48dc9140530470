//! Reads a window of the log in batches and joins it with outcomes.

use super::{Journal, JournalError, Layout, Outcome, Outcomes, Window};
use crate::atomic::{self, At, whole_lines_len};
use crate::profile::entity_keys;
use crate::registry::Version;
use crate::table::{
    Categories, Column, ColumnSpec, Input, Kind, MISSING_CODE, MISSING_TIME, ReadOptions, Reject, Schema, Table,
    TableError, Texts, Values, from_one_line, stream,
};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::Path;

/// Rows of the log, column by column.
#[derive(Debug, Clone, Default)]
pub struct Logged {
    /// The ids of the rows.
    pub id: Texts,
    /// When they were predicted, in microseconds since 1970-01-01 UTC.
    pub time: Vec<i64>,
    /// The version that predicted.
    pub version: Vec<Version>,
    /// The arm; empty outside experiments.
    pub arm: Texts,
    /// Score of the positive class, or of the predicted one of several; `NaN` for a number.
    pub score: Vec<f64>,
    /// The class or number, as text.
    pub prediction: Texts,
    /// With several classes, the scores of each class; otherwise empty.
    pub class_scores: Vec<Vec<f64>>,
    /// The loop's columns by its schema, its id first, if requested. A column that a file lacks is missing
    /// in all its rows.
    pub features: Option<Table>,
}

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

impl Logged {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// The rows at `rows`, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let texts = |texts: &Texts| rows.iter().map(|&row| texts.get(row as usize)).collect();
        let numbers = |values: &[f64]| rows.iter().map(|&row| values[row as usize]).collect::<Vec<f64>>();
        Self {
            id: texts(&self.id),
            time: rows.iter().map(|&row| self.time[row as usize]).collect(),
            version: rows.iter().map(|&row| self.version[row as usize]).collect(),
            arm: texts(&self.arm),
            score: numbers(&self.score),
            prediction: texts(&self.prediction),
            class_scores: self.class_scores.iter().map(|scores| numbers(scores)).collect(),
            features: self.features.as_ref().map(|table| table.take(rows)),
        }
    }

    /// Adds rows without the loop's columns.
    fn append(&mut self, other: &Self) {
        self.id.append(&other.id);
        self.time.extend(&other.time);
        self.version.extend(&other.version);
        self.arm.append(&other.arm);
        self.score.extend(&other.score);
        self.prediction.append(&other.prediction);
        self.class_scores.resize(other.class_scores.len(), Vec::new());
        for (all, more) in self.class_scores.iter_mut().zip(&other.class_scores) {
            all.extend(more);
        }
    }

    /// The rows within `window`, and the number of those without id, time or version.
    fn of(table: Table, layout: &Layout, features: bool, window: &Window) -> Result<(Self, u64), JournalError> {
        let n_rows = table.n_rows();
        let mut by_name: HashMap<String, Values> =
            table.into_columns().into_iter().map(|column| (column.name, column.values)).collect();
        let mut logged = Self::default();
        let mut versions = Vec::new();
        for spec in layout.schema(false).columns {
            match (spec.name.as_str(), by_name.remove(&spec.name).unwrap_or_else(|| missing(spec.kind, n_rows))) {
                ("id", Values::Text(texts)) => logged.id = decoded(texts),
                ("time", Values::Time(times)) => logged.time = times,
                ("version", Values::Category(texts)) => versions = parse_versions(&texts),
                ("arm", Values::Text(texts)) => logged.arm = decoded(texts),
                ("score", Values::Number(scores)) => logged.score = scores,
                ("prediction", Values::Text(texts)) => logged.prediction = decoded(texts),
                (_, Values::Number(scores)) => logged.class_scores.push(scores),
                _ => {}
            }
        }
        if features {
            logged.features = Some(logged.features(layout, by_name)?);
        }
        let is_whole =
            |row: usize| versions[row].is_some() && logged.time[row] != MISSING_TIME && !logged.id.get(row).is_empty();
        let (whole, broken): (Vec<usize>, Vec<usize>) = (0..n_rows).partition(|&row| is_whole(row));
        logged.version = versions.iter().map(|version| version.unwrap_or(Version(0))).collect();
        let inside: Vec<u32> =
            whole.into_iter().filter(|&row| window.holds(logged.time[row])).map(|row| row as u32).collect();
        let logged = if inside.len() < n_rows { logged.take(&inside) } else { logged };
        Ok((logged, broken.len() as u64))
    }

    /// The loop's columns under the loop's names.
    fn features(&self, layout: &Layout, mut by_name: HashMap<String, Values>) -> Result<Table, JournalError> {
        let id = layout.id().map(|name| Column::new(name, Values::Text(self.id.clone())));
        let stored = layout.schema(true).columns.into_iter().skip(6 + layout.scored_classes().len());
        let columns = stored.zip(layout.specs()).map(|(stored, spec): (ColumnSpec, &ColumnSpec)| {
            let values = by_name.remove(&stored.name).unwrap_or_else(|| missing(spec.kind, self.len()));
            let values = match values {
                Values::Text(texts) => Values::Text(decoded(texts)),
                Values::Category(categories) => Values::Category(decoded_levels(categories)),
                other => other,
            };
            Column::new(spec.name.clone(), values)
        });
        Ok(Table::new(id.into_iter().chain(columns).collect())?)
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

fn missing(kind: Kind, n_rows: usize) -> Values {
    match kind {
        Kind::Number => Values::Number(vec![f64::NAN; n_rows]),
        Kind::Time => Values::Time(vec![MISSING_TIME; n_rows]),
        Kind::Text | Kind::Id => Values::Text(std::iter::repeat_n("", n_rows).collect()),
        Kind::Category | Kind::Constant | Kind::Ignore => {
            Values::Category(Categories { codes: vec![MISSING_CODE; n_rows], levels: [].into() })
        }
    }
}

fn parse_versions(versions: &Categories) -> Vec<Option<Version>> {
    let levels: Vec<Option<Version>> = versions.levels.iter().map(|level| level.parse().ok()).collect();
    versions.codes.iter().map(|code| levels.get(*code as usize).copied().flatten()).collect()
}

fn decoded(texts: Texts) -> Texts {
    if !texts.iter().any(|text| text.starts_with('"')) {
        return texts;
    }
    let mut all = Texts::default();
    texts.iter().for_each(|text| all.push(&from_one_line(text)));
    all
}

fn decoded_levels(categories: Categories) -> Categories {
    if !categories.levels.iter().any(|level| level.starts_with('"')) {
        return categories;
    }
    let levels: Vec<_> = categories.levels.iter().map(|level| from_one_line(level)).collect();
    let text = |code: &u32| levels.get(*code as usize).map_or("", |level| level);
    Categories::from_texts(categories.codes.iter().map(text))
}
