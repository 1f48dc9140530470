//! Scores a table of any length, in the order of its rows.
//!
//! ```text
//! record of the input ──────────────────────────▶ the same bytes , prediction , score , contributions
//!        └ typed batch ─ pipeline.score ─▶ log ─▶ ──────────────────▲
//! ```
//! One batch of records is in memory at a time; the bytes of each record are passed through unchanged. Rows are logged
//! to disk before their answer is written.

mod derived;
mod error;
mod layout;
mod log;
mod options;
mod reading;
mod table;

pub use derived::{derived_columns, derived_windows};
pub use error::PredictError;
pub use log::Log;
pub use options::{Format, PredictOptions, Told};
pub use reading::windows;

use self::layout::{Found, Layout, Notation, Text, answers, renamed};
use self::log::Logger;
use self::reading::{input_schema, read_options};
use self::table::Typed;
use crate::features::Unseen;
use crate::past::Beside;
use crate::pipeline::{Pipeline, PipelineError};
use crate::table::postgres::RowWriter;
use crate::table::{Input, ReadOptions, stream};
use std::io::Write;

/// Scores `input` and writes it, with the answers added, to `out`. With `log`, every row is logged before it is answered.
///
/// # Errors
/// Errors in the table or the options, or errors of the log or `out`.
pub fn predict(
    input: Input,
    pipeline: &Pipeline,
    options: &PredictOptions,
    log: Option<Log>,
    out: &mut dyn Write,
) -> Result<Told, PredictError> {
    score(input, pipeline, options, log, Out::Bytes(out))
}

/// Like [`predict`], but the rows go to a table of a database. They are committed when the writer is finished.
///
/// # Errors
/// As [`predict`], and the server's error.
pub fn predict_into(
    input: Input,
    pipeline: &Pipeline,
    options: &PredictOptions,
    log: Option<Log>,
    rows: &mut RowWriter,
) -> Result<Told, PredictError> {
    score(input, pipeline, options, log, Out::Rows(rows))
}

/// The destination of scored rows.
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
        // If only answers are printed and nothing is logged, the records are not needed.
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
        // The header is written with the first answers, so that an unreadable table writes nothing to stdout.
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
