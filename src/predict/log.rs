//! What `predict` adds to the prediction log.

use super::error::PredictError;
use super::layout::in_pieces;
use crate::feedback::outcome_in;
use crate::journal::{Durability, Journal, Layout, Row, Writer};
use crate::pipeline::{Pipeline, Scores};
use crate::registry::Version;
use crate::table::{Batch, Stream, Texts, Values};
use std::borrow::Cow;

/// The log, and the data common to its rows.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    /// The log.
    pub journal: &'a Journal,
    /// The version that predicts.
    pub version: Version,
    /// The arm of an experiment; empty without one.
    pub arm: &'a str,
    /// When the rows are predicted.
    pub now: jiff::Timestamp,
    /// Whether the target column contains outcomes to record.
    pub outcomes: bool,
}

/// Writes the rows of a stream to the log, a batch at a time.
pub(super) struct Logger<'a> {
    log: Log<'a>,
    pipeline: &'a Pipeline,
    layout: Layout,
    writer: Writer,
    /// The position of each logged column in a record; `None` if the table lacks it.
    fields: Vec<Option<usize>>,
    delimiter: u8,
    /// The position of the outcome in a record, if the table has it.
    target: Option<usize>,
    /// Outcomes by id, for the rows that have one.
    outcomes: Vec<(String, String)>,
    /// Whether a row had an outcome although outcomes were not requested.
    passed_over: bool,
}

impl<'a> Logger<'a> {
    pub(super) fn new(rows: &Stream, pipeline: &'a Pipeline, log: Log<'a>) -> Result<Self, PredictError> {
        let layout = Layout::of(pipeline);
        let place = |name: &str| rows.names().iter().position(|n| n == name);
        if let Some(id) = layout.id().filter(|id| place(id).is_none()) {
            return Err(PredictError::NoId { column: id.to_owned() });
        }
        let fields = layout.features().map(place).collect();
        let writer = log.journal.writer(&layout, Durability::Always);
        let target = place(&pipeline.target.name);
        if log.outcomes && target.is_none() {
            return Err(PredictError::NoOutcome { column: pipeline.target.name.clone() });
        }
        let (delimiter, outcomes, passed_over) = (rows.delimiter(), Vec::new(), false);
        Ok(Self { log, pipeline, layout, writer, fields, delimiter, target, outcomes, passed_over })
    }

    /// The outcomes of the rows, by id, if the table has them.
    pub(super) fn into_outcomes(self) -> Vec<(String, String)> {
        self.outcomes
    }

    /// A note for the user: outcomes are recorded only on request, because otherwise a table scored to try out a model
    /// would become training data.
    pub(super) fn note(&self) -> Option<String> {
        self.passed_over.then(|| {
            let target = &self.pipeline.target.name;
            format!("the table contains outcomes ({target:?}): add --outcomes to record them as labels")
        })
    }

    /// Logs a batch that starts after `n_before` rows, and waits until it is on disk.
    pub(super) fn batch(&mut self, batch: &Batch, scores: &Scores, n_before: u64) -> Result<(), PredictError> {
        let ids = self.ids(batch, n_before)?;
        let windows: Vec<Option<&Values>> =
            self.layout.windows().map(|name| batch.table.column(name).map(|column| &column.values)).collect();
        let window = |values: &Option<&Values>, row: usize| match values {
            Some(Values::Number(values)) => values[row],
            _ => f64::NAN,
        };
        self.take_outcomes(batch, ids, n_before)?;
        let pieces = in_pieces(scores.n_rows(), |row, lines| {
            let mut cells = batch.raw.cells(row, self.delimiter);
            let take = |field: &Option<usize>| field.and_then(|at| cells.get_mut(at)).map(std::mem::take);
            let features: Vec<Cow<str>> = self.fields.iter().map(take).map(Option::unwrap_or_default).collect();
            let scores = scores.row(row);
            let windows: Vec<f64> = windows.iter().map(|values| window(values, row)).collect();
            self.layout.push(
                lines,
                &Row {
                    id: &ids.map_or_else(|| self.layout.made_up_id(&features).into(), |ids| Cow::from(ids.get(row))),
                    at: self.log.now,
                    version: self.log.version,
                    arm: self.log.arm,
                    scores,
                    class: self.pipeline.class_of(scores),
                    features: &features,
                    windows: &windows,
                },
            );
        });
        Ok(self.writer.append(self.log.now, &pieces.concat())?)
    }

    /// Collects the ids and outcomes of a batch.
    fn take_outcomes(&mut self, batch: &Batch, ids: Option<&Texts>, n_before: u64) -> Result<(), PredictError> {
        let Some(target) = self.target else { return Ok(()) };
        if !self.log.outcomes {
            let is_known = |row| {
                let cells = batch.raw.cells(row, self.delimiter);
                let cell = cells.get(target).map_or("", |cell| cell);
                matches!(outcome_in(cell, &self.pipeline.target, &self.pipeline.schema), Ok(Some(_)))
            };
            self.passed_over = self.passed_over || (0..batch.raw.len()).any(is_known);
            return Ok(());
        }
        for row in 0..batch.raw.len() {
            let mut cells = batch.raw.cells(row, self.delimiter);
            let cell = cells.get_mut(target).map(std::mem::take).unwrap_or_default();
            let known = outcome_in(&cell, &self.pipeline.target, &self.pipeline.schema);
            let known = known.map_err(|what| PredictError::Outcome { row: n_before + row as u64 + 1, what })?;
            let Some(value) = known else { continue };
            let take = |field: &Option<usize>| field.and_then(|at| cells.get_mut(at)).map(std::mem::take);
            let id = match ids {
                Some(ids) => ids.get(row).to_owned(),
                None => self.layout.made_up_id(
                    &self.fields.iter().map(take).map(Option::unwrap_or_default).collect::<Vec<Cow<str>>>(),
                ),
            };
            self.outcomes.push((id, value));
        }
        Ok(())
    }

    /// The ids of a batch; `None` in a workspace without an id column.
    fn ids<'b>(&self, batch: &'b Batch, n_before: u64) -> Result<Option<&'b Texts>, PredictError> {
        let Some(name) = self.layout.id() else { return Ok(None) };
        let Some(Values::Text(ids)) = batch.table.column(name).map(|column| &column.values) else {
            return Err(PredictError::NoId { column: name.to_owned() });
        };
        match (n_before + 1..).zip(ids.iter()).find(|(_, id)| id.is_empty()) {
            Some((row, _)) => Err(PredictError::EmptyId { row, column: name.to_owned() }),
            None => Ok(Some(ids)),
        }
    }
}
