//! Scores for a table of any length, in the order of its rows.
//!
//! ```text
//! record of the input ──────────────────────────▶ the same bytes , prediction , score , contributions
//!        └ typed batch ─ pipeline.score ─▶ log ─▶ ──────────────────▲
//! ```
//! One batch of records is in memory at a time; the bytes of a record are passed through as they came. What is logged is
//! on disk before the answer leaves.

mod derived;
mod log;
mod reading;
mod table;

pub use derived::{derived_columns, derived_windows};
pub use log::Log;
pub use reading::windows;
pub use table::Format;

use self::log::Logger;
use self::reading::{input_schema, read_options};
use self::table::Typed;
use crate::journal::JournalError;

use crate::features::Unseen;
use crate::past::{Beside, PastError};
use crate::pipeline::{Bound, Contribution, Digits, Pipeline, PipelineError, Scores};
use crate::table::postgres::RowWriter;
use crate::table::{
    Batch, Column, Ends, Input, NumberFormat, ReadOptions, Rejects, Stream, TableError, TableOptions, push_field,
    record, stream, with_tabs,
};
use crate::wording::instead;
use rayon::prelude::*;
use std::borrow::Cow;
use std::io::{self, Write};

/// What can go wrong while rows are scored.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// A table or pipeline problem.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// A column that was asked for and is neither in the table nor added.
    #[error("--columns: there is no column {column:?}{}", instead(.column, .have.iter().map(String::as_str)))]
    NoColumn {
        /// The name.
        column: String,
        /// The names that exist.
        have: Vec<String>,
    },
    /// The loop's id column is not in the table.
    #[error("the table has no column {column:?}, the loop's id: without it, labels cannot be joined with the log")]
    NoId {
        /// The name.
        column: String,
    },
    /// A row that cannot be found again.
    #[error("row {row} (not counting the header) has no {column}: without an id, labels cannot be joined with it")]
    EmptyId {
        /// Number of the row, from 1.
        row: u64,
        /// The id column.
        column: String,
    },
    /// Outcomes are wanted and the table has none.
    #[error("the table has no column {column:?} with the outcomes")]
    NoOutcome {
        /// The target.
        column: String,
    },
    /// A row whose target is no outcome.
    #[error("row {row} (not counting the header) has no valid outcome: {what}")]
    Outcome {
        /// Number of the row, from 1.
        row: u64,
        /// The problem.
        what: String,
    },
    /// The rows that windows look back on cannot be had.
    #[error("{0}")]
    Past(#[from] PastError),
    /// The log cannot be written; rows that were answered before are in it.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// Writing failed; the system's error is the cause, so that a closed pipe is seen as one.
    #[error("writing the scores: {0}")]
    Write(#[from] io::Error),
}

impl From<TableError> for PredictError {
    fn from(err: TableError) -> Self {
        Self::Pipeline(err.into())
    }
}

/// What is printed, and how the table is read.
#[derive(Debug, Clone, Default)]
pub struct PredictOptions {
    /// How many contributions are added for each row.
    pub explain: usize,
    /// Print only these columns, in this order; all when empty.
    pub columns: Vec<String>,
    /// How the table is written, where that is not as the training table is, and how strict to be.
    pub read: TableOptions,
    /// How the scored rows are written.
    pub format: Format,
    /// The chance with which intervals or sets are to hold the truth, where they are wanted.
    pub interval: Option<f64>,
    /// The values of windows in every row, where the version has any: see [`windows`].
    pub windows: Vec<Column>,
}

/// Findings of scoring.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Number of rows scored.
    pub n_rows: u64,
    /// Rows that were left out.
    pub rejects: Rejects,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// Outcomes by id, when they were wanted.
    pub outcomes: Vec<(String, String)>,
    /// What training did not have, and the first numbers of each column.
    pub unseen: Unseen,
}

/// Scores `input` and writes it, with the answers added, to `out`. With `log`, every row is logged before it is answered.
///
/// # Errors
/// What is wrong with the table or the options, or whatever the log or `out` says.
pub fn predict(
    input: Input,
    pipeline: &Pipeline,
    options: &PredictOptions,
    log: Option<Log>,
    out: &mut dyn Write,
) -> Result<Told, PredictError> {
    score(input, pipeline, options, log, Out::Bytes(out))
}

/// As [`predict`], but the rows go to a table of a database. They are part of it when the writer is finished.
///
/// # Errors
/// As [`predict`], and what the server says.
pub fn predict_into(
    input: Input,
    pipeline: &Pipeline,
    options: &PredictOptions,
    log: Option<Log>,
    rows: &mut RowWriter,
) -> Result<Told, PredictError> {
    score(input, pipeline, options, log, Out::Rows(rows))
}

/// Where scored rows go.
enum Out<'o> {
    Bytes(&'o mut dyn Write),
    Rows(&'o mut RowWriter),
}

fn score(
    input: Input,
    pipeline: &Pipeline,
    options: &PredictOptions,
    log: Option<Log>,
    mut out: Out,
) -> Result<Told, PredictError> {
    options.interval.map_or(Ok(()), |level| pipeline.check_level(level))?;
    let schema = input_schema(pipeline, options);
    let answers = answers(pipeline, options);
    let read = ReadOptions {
        // Where only answers are printed, and nothing is logged, what the records were is not asked.
        no_raw: log.is_none() && !options.columns.is_empty() && options.columns.iter().all(|c| answers.contains(c)),
        keep_stored: options.format == Format::Parquet && matches!(out, Out::Bytes(_)),
        ..read_options(pipeline, &schema, options, log.is_some())
    };
    let mut rows = stream(input, &schema, &read)?;
    let renamed = if options.columns.is_empty() { renamed(&answers, rows.names()) } else { Vec::new() };
    let layout = Layout::new(&rows, answers, options, Notation::of(pipeline))?;
    let mut typed = match options.format {
        Format::Csv | Format::Tsv if matches!(out, Out::Bytes(_)) => None,
        format => Some(Typed::new(format, &layout, &rows, pipeline)?),
    };
    let text = Text::of(&rows, options);
    let header = rows.header().filter(|_| typed.is_none()).map_or_else(Vec::new, |record| layout.header(record));
    let mut begin = [text.ends.begin(), &text.records(header)].concat();
    let mut log = log.map(|log| Logger::new(&rows, pipeline, log)).transpose()?;
    let mut n_rows = 0;
    let mut unseen = Unseen::default();
    let mut windows = Beside::new(options.windows.clone());
    while let Some(mut batch) = rows.next().transpose()? {
        batch.table = windows.fill(batch.table)?;
        let (scores, reasons) = match options.explain {
            0 => (pipeline.score(&batch.table)?, Vec::new()),
            n => pipeline.score_and_explain(&batch.table, n)?,
        };
        let bounds = options.interval.map(|level| pipeline.bounds(&batch.table, level)).transpose()?;
        unseen.push(&pipeline.features, &batch.table).map_err(PipelineError::from)?;
        if let Some(log) = &mut log {
            log.batch(&batch, &scores, n_rows)?;
        }
        n_rows += batch.table.n_rows() as u64;
        let found = Found { pipeline, scores: &scores, reasons: &reasons, bounds: bounds.as_deref() };
        if let Some(typed) = &mut typed {
            let table = typed.table(&batch, rows.delimiter(), &found)?;
            match &mut out {
                Out::Bytes(out) => typed.push(&table, &batch, out)?,
                Out::Rows(out) => out.push(&table)?,
            }
            continue;
        }
        let Out::Bytes(out) = &mut out else { continue };
        // The header waits for the first answers, so that a table that cannot be read leaves nothing on stdout.
        out.write_all(&std::mem::take(&mut begin))?;
        for piece in layout.batch(&batch, &found) {
            out.write_all(&text.records(piece))?;
        }
    }
    match (typed, out) {
        (Some(typed), Out::Bytes(out)) => typed.finish(out)?,
        (None, Out::Bytes(out)) => out.write_all(&begin)?,
        (_, Out::Rows(_)) => {}
    }
    let passed_over: Vec<String> = log.as_ref().and_then(Logger::note).into_iter().collect();
    let outcomes = log.map(Logger::into_outcomes).unwrap_or_default();
    let notes = [rows.notes(), &renamed, &unseen.notes(), &passed_over].concat();
    Ok(Told { n_rows, rejects: rows.rejects().clone(), notes, outcomes, unseen })
}

/// How text is written: as the table that it comes from, but for the delimiter that is asked for.
struct Text {
    ends: Ends,
    /// Of the table.
    delimiter: u8,
    tabs: bool,
}

impl Text {
    fn of(rows: &Stream, options: &PredictOptions) -> Self {
        Self { ends: rows.ends(), delimiter: rows.delimiter(), tabs: options.format == Format::Tsv }
    }

    /// Of records with the delimiter of the table, each of which a line feed ends.
    fn records(&self, records: Vec<u8>) -> Vec<u8> {
        match self.tabs {
            true => self.ends.records(with_tabs(&records, self.delimiter), b'\t'),
            false => self.ends.records(records, self.delimiter),
        }
    }
}

/// The names of the answers, with `_` after those that the table has columns of.
fn free_names(answers: Vec<String>, taken: &[String]) -> Vec<String> {
    let free = |mut name: String| {
        while taken.contains(&name) {
            name.push('_');
        }
        name
    };
    answers.into_iter().map(free).collect()
}

/// One sentence per answer that is called otherwise than usual.
fn renamed(answers: &[String], taken: &[String]) -> Vec<String> {
    let free = free_names(answers.to_vec(), taken);
    let others = answers.iter().zip(free).filter(|(answer, free)| *answer != free);
    others
        .map(|(answer, free)| {
            format!(
                "the table already has a column {answer:?}: the added column is called \
                                       {free:?}"
            )
        })
        .collect()
}

/// The names of what is added to each row.
fn answers(pipeline: &Pipeline, options: &PredictOptions) -> Vec<String> {
    let words = pipeline.features.texts().next().is_some();
    let reason = |n| {
        let of_all = [format!("reason_{n}"), format!("contribution_{n}")];
        of_all.into_iter().chain(words.then(|| format!("words_{n}")))
    };
    let reasons = (1..=options.explain).flat_map(reason);
    let bounds = if options.interval.is_some() { pipeline.interval_columns() } else { &[] };
    let bounds = bounds.iter().map(|&name| name.to_owned());
    pipeline.answer_columns().into_iter().chain(bounds).chain(reasons).collect()
}

/// Findings about a batch of rows.
struct Found<'a> {
    pipeline: &'a Pipeline,
    scores: &'a Scores,
    reasons: &'a [Vec<Contribution>],
    /// What holds the truth of each row, where it was asked for.
    bounds: Option<&'a [Bound]>,
}

/// A column of the output.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Field {
    /// A field of the record.
    Raw(usize),
    /// One of the answers.
    Answer(usize),
}

/// Which columns are written, and how.
struct Layout {
    delimiter: u8,
    answers: Vec<String>,
    /// `None`: the record as it is, then all answers.
    fields: Option<Vec<Field>>,
    notation: Notation,
}

/// How numbers are written beside those of the table.
struct Notation {
    /// Scores and contributions.
    scores: NumberFormat,
    /// Numbers of the target.
    target: NumberFormat,
}

impl Notation {
    fn of(pipeline: &Pipeline) -> Self {
        let schema = &pipeline.schema;
        Self { scores: schema.notation(), target: schema.notation_of(&pipeline.target.name) }
    }
}

/// The lines of `n_rows` rows, formatted by several threads a piece at a time.
fn in_pieces(n_rows: usize, push: impl Fn(usize, &mut Vec<u8>) + Sync) -> Vec<Vec<u8>> {
    const PIECE: usize = 2048;
    let starts: Vec<usize> = (0..n_rows).step_by(PIECE).collect();
    let piece = |&start: &usize| {
        let mut lines = Vec::new();
        (start..(start + PIECE).min(n_rows)).for_each(|row| push(row, &mut lines));
        lines
    };
    starts.par_iter().map(piece).collect()
}

impl Layout {
    fn new(
        rows: &Stream,
        answers: Vec<String>,
        options: &PredictOptions,
        notation: Notation,
    ) -> Result<Self, PredictError> {
        let names = rows.names();
        let (asked, answers) = (answers.clone(), free_names(answers, names));
        let place = |column: &String| {
            // An answer comes before a column of the table that happens to have its name.
            let answer = asked.iter().position(|a| a == column);
            let answer = answer.or_else(|| answers.iter().position(|a| a == column)).map(Field::Answer);
            let field = answer.or_else(|| names.iter().position(|n| n == column).map(Field::Raw));
            field.ok_or_else(|| PredictError::NoColumn {
                column: column.clone(),
                have: names.iter().chain(&answers).cloned().collect(),
            })
        };
        let fields = match options.columns.is_empty() {
            true => None,
            false => Some(options.columns.iter().map(place).collect::<Result<Vec<_>, _>>()?),
        };
        // An answer that was asked for by its usual name is called so: no column of the table stands beside it unasked.
        let said = |(asked, free): (String, String)| {
            let by_free = options.columns.is_empty() || !options.columns.contains(&asked);
            if by_free { free } else { asked }
        };
        let answers = asked.into_iter().zip(answers).map(said).collect();
        Ok(Self { delimiter: rows.delimiter(), answers, fields, notation })
    }

    fn header(&self, raw: &[u8]) -> Vec<u8> {
        let mut line = Vec::new();
        self.record(raw, &mut line, |k, line| push_field(line, &self.answers[k], self.delimiter));
        line
    }

    /// The lines of a batch, in pieces.
    fn batch(&self, batch: &Batch, found: &Found<'_>) -> Vec<Vec<u8>> {
        in_pieces(found.scores.n_rows(), |row, lines| {
            let answer = Answer { found, row, delimiter: self.delimiter };
            let raw = if batch.raw.is_empty() { &[] } else { batch.raw.get(row) };
            self.record(raw, lines, |k, line| answer.push(k, &self.notation, line));
        })
    }

    /// One line: the record and the answers, or the columns that were asked for.
    fn record(&self, raw: &[u8], line: &mut Vec<u8>, answer: impl Fn(usize, &mut Vec<u8>)) {
        match &self.fields {
            None => {
                line.extend_from_slice(raw);
                for k in 0..self.answers.len() {
                    line.push(self.delimiter);
                    answer(k, line);
                }
            }
            Some(fields) => {
                let ends = record::field_ends(raw, self.delimiter);
                for (n, field) in fields.iter().enumerate() {
                    if n > 0 {
                        line.push(self.delimiter);
                    }
                    match *field {
                        Field::Answer(k) => answer(k, line),
                        Field::Raw(k) => {
                            let start = if k == 0 { 0 } else { ends.get(k - 1).map_or(raw.len(), |end| end + 1) };
                            line.extend_from_slice(&raw[start..ends.get(k).copied().unwrap_or(raw.len())]);
                        }
                    }
                }
            }
        }
        line.push(b'\n');
    }
}

/// The answers for one row.
struct Answer<'a> {
    found: &'a Found<'a>,
    row: usize,
    delimiter: u8,
}

/// An answer for one row.
enum Said<'a> {
    Text(Cow<'a, str>),
    Number(Digits),
    /// A number of the target.
    Target(Digits),
    Nothing,
}

impl<'a> Answer<'a> {
    fn push(&self, k: usize, notation: &Notation, line: &mut Vec<u8>) {
        let mut number = |value: Digits, format: &NumberFormat| match format.is_plain() {
            // Writing to a Vec cannot fail.
            true => drop(write!(line, "{value}")),
            false => push_field(line, &format.respelled(&value.to_string()), self.delimiter),
        };
        match self.said(k) {
            Said::Text(text) => push_field(line, &text, self.delimiter),
            Said::Number(value) => number(value, &notation.scores),
            Said::Target(value) => number(value, &notation.target),
            Said::Nothing => {}
        }
    }

    fn said(&self, k: usize) -> Said<'a> {
        let Found { pipeline, scores, reasons, bounds } = *self.found;
        let scores = scores.row(self.row);
        let class = pipeline.class_of(scores);
        let n_scores = if class.is_some() { scores.len() } else { 0 };
        let n_bounds = if bounds.is_some() { pipeline.interval_columns().len() } else { 0 };
        match (k, class) {
            (0, Some(class)) => Said::Text(Cow::Borrowed(&pipeline.target.classes[class])),
            (0, None) => Said::Target(pipeline.scale.digits(scores[0])),
            (k, _) if k <= n_scores => Said::Number(Digits::short(scores[k - 1])),
            (k, _) if k <= n_scores + n_bounds => match bounds.map(|bounds| &bounds[self.row]) {
                Some(Bound::Number { lower, .. }) if k == n_scores + 1 => Said::Target(pipeline.scale.digits(*lower)),
                Some(Bound::Number { upper, .. }) => Said::Target(pipeline.scale.digits(*upper)),
                Some(Bound::Classes(set)) => {
                    let names: Vec<&str> = set.iter().map(|&class| pipeline.target.classes[class].as_str()).collect();
                    Said::Text(Cow::Owned(names.join("|")))
                }
                None => Said::Nothing,
            },
            (k, _) => {
                let n = k - n_scores - n_bounds - 1;
                let width = if pipeline.features.texts().next().is_some() { 3 } else { 2 };
                let Some(reason) = reasons.get(self.row).and_then(|reasons| reasons.get(n / width)) else {
                    return Said::Nothing;
                };
                match (n % width, &reason.expression) {
                    (2, _) => Said::Text(Cow::Owned(reason.told_words())),
                    (0, None) => Said::Text(Cow::Borrowed(&reason.column)),
                    (0, Some(expression)) => Said::Text(Cow::Owned(format!("{} = {expression}", reason.column))),
                    _ => Said::Number(Digits::short(reason.value)),
                }
            }
        }
    }
}
