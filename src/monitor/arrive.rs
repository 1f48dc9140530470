//! One pass over the table that arrived: its profile, a sample of scores, its pieces.

use super::MonitorError;
use super::chunks::{By, MAX_CHUNKS};
use super::sample::Sample;
use crate::journal::Outcomes;
use crate::pipeline::{Pipeline, PipelineError};
use crate::profile::{Limits, Profile, ProfileBuilder};
use crate::table::{Input, Kind, ReadOptions, Rejects, Schema, Table, Values, stream};
use std::collections::BTreeMap;

/// Rows that are scored for score drift and performance: at least so many when there are, at most twice.
pub(super) const SCORED_ROWS: usize = 20_000;

/// How the table is gone through.
pub(super) struct Pass<'a> {
    /// How it is written and typed.
    pub schema: &'a Schema,
    /// How it is read.
    pub read: &'a ReadOptions,
    /// How it is summarised.
    pub limits: Limits,
    /// What scores rows.
    pub pipeline: Option<&'a Pipeline>,
    /// Labels that came later.
    pub outcomes: &'a Outcomes,
    /// How it is cut into pieces.
    pub by: Option<By>,
    /// The column that says when a row happened.
    pub time_column: &'a str,
    /// Seed of the sample.
    pub seed: u64,
}

/// What arrived.
pub(super) struct Arrived {
    pub profile: Profile,
    pub sample: Sample,
    pub pieces: Vec<(String, Profile)>,
    /// The names of all fields of the file.
    pub names: Vec<String>,
    pub rejects: Rejects,
}

impl Arrived {
    /// What is known when only a profile is.
    pub(super) fn profile(profile: Profile) -> Self {
        let sample = Sample::new(SCORED_ROWS, 0);
        Self { profile, sample, pieces: Vec::new(), names: Vec::new(), rejects: Rejects::default() }
    }
}

impl Pass<'_> {
    /// Goes through the table.
    ///
    /// # Errors
    /// What is wrong with the table, or too many pieces.
    pub(super) fn run(&self, input: Input) -> Result<Arrived, MonitorError> {
        let mut rows = stream(input, self.schema, self.read)?;
        let mut whole: Option<ProfileBuilder> = None;
        let mut pieces: BTreeMap<i64, ProfileBuilder> = BTreeMap::new();
        let mut sample = Sample::new(SCORED_ROWS, self.seed);
        let mut n_rows = 0;
        while let Some(batch) = rows.next().transpose()? {
            let builder = || ProfileBuilder::for_columns(self.schema, &batch.table, self.limits);
            whole.get_or_insert_with(builder).push(&batch.table)?;
            self.score(&batch.table, &mut sample)?;
            if let Some(by) = self.by {
                for (key, chosen) in by.cut(&batch.table, n_rows, self.time_column) {
                    let piece = pieces.entry(key).or_insert_with(builder);
                    piece.push(&batch.table.take(&chosen))?;
                }
                if pieces.len() > MAX_CHUNKS {
                    return Err(MonitorError::TooManyPieces { by });
                }
            }
            n_rows += batch.table.n_rows() as u64;
        }
        let (names, rejects) = (rows.names().to_vec(), rows.rejects().clone());
        let name = |key, profile: &Profile| self.by.map_or(String::new(), |by| by.name(key, profile.n_rows));
        let pieces = pieces.into_iter().map(|(key, piece)| {
            let profile = piece.finish();
            (name(key, &profile), profile)
        });
        let whole = whole.unwrap_or_else(|| ProfileBuilder::new(self.schema, self.limits));
        Ok(Arrived { profile: whole.finish(), sample, pieces: pieces.collect(), names, rejects })
    }

    /// Scores the rows of the sample and looks up their outcomes.
    fn score(&self, table: &Table, sample: &mut Sample) -> Result<(), MonitorError> {
        let Some(pipeline) = self.pipeline else { return Ok(()) };
        let chosen = sample.choose(table.n_rows());
        let rows: Vec<u32> = chosen.iter().map(|&(row, _)| row).collect();
        let part = if rows.len() == table.n_rows() { None } else { Some(table.take(&rows)) };
        let part = part.as_ref().unwrap_or(table);
        let scores = pipeline.score(part)?;
        let known = match part.column(&pipeline.target.name) {
            Some(column) => pipeline.target.encode(column).map_err(PipelineError::from)?.y,
            None => vec![f32::NAN; part.n_rows()],
        };
        let id = self.schema.columns.iter().find(|c| c.kind == Kind::Id).and_then(|id| part.column(&id.name));
        for (row, &(_, place)) in chosen.iter().enumerate() {
            let y = match id.map(|column| &column.values) {
                Some(Values::Text(ids)) if known[row].is_nan() => self.outcomes.of(ids.get(row)),
                _ => known[row],
            };
            sample.push(place, scores.row(row), y);
        }
        Ok(())
    }
}
