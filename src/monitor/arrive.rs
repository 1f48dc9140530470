//! One pass over the current table: its profile, a sample of scores, its periods.

use super::MonitorError;
use super::chunks::{By, MAX_CHUNKS};
use super::rolling::{Span, Windows};
use super::sample::{LEVEL, Sample, Scored};
use crate::drift::Losses;
use crate::drift::losses::ExpectedLoss;
use crate::features::duplicates::row_digest;
use crate::journal::{Outcome, Outcomes};
use crate::past::Beside;
use crate::pipeline::{NewWords, Pipeline, PipelineError};
use crate::profile::{Limits, Profile, ProfileBuilder, entity_keys};
use crate::registry::Learned;
use crate::stats::random::hash64;
use crate::table::{Column, Input, Kind, Misfits, ReadOptions, Rejects, Schema, Table, Texts, Values, stream};
use crate::wording::list;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Number of rows scored for score drift and performance: at least this many if available, at most twice as many.
pub(super) const SCORED_ROWS: usize = 20_000;
/// Number of rows whose expected error is averaged; the same bounds.
const EXPECTED_ROWS: usize = 3_000;

/// How the table is processed.
pub(super) struct Pass<'a> {
    /// How it is written and typed.
    pub schema: &'a Schema,
    /// The schema plus the columns that production derives.
    pub profiled: &'a Schema,
    /// How it is read.
    pub read: &'a ReadOptions,
    /// How it is summarised.
    pub limits: Limits,
    /// The model that scores rows.
    pub pipeline: Option<&'a Pipeline>,
    /// The error model of production, if it predicts numbers.
    pub losses: Option<&'a Losses>,
    /// Labels that arrived later.
    pub outcomes: &'a Outcomes,
    /// The rows that the model was trained on, if known.
    pub learned: Option<&'a Learned>,
    /// How the table is split into periods.
    pub by: Option<By>,
    /// The time column.
    pub time_column: &'a str,
    /// The column that says how much each row counts.
    pub weight: Option<&'a str>,
    /// The entity column; if none is configured, the column that may be one.
    pub entity: Option<&'a str>,
    /// Which rows are current and which are earlier, if the table contains both.
    pub windows: Option<Windows>,
    /// Seed of the sample.
    pub seed: u64,
}

/// The current table.
pub(super) struct Arrived {
    pub profile: Profile,
    /// The profile of the earlier rows, if the table contains them.
    pub before: Option<Profile>,
    /// Its period, if it was selected from a table by time.
    pub span: Option<Span>,
    pub sample: Sample<Scored>,
    /// Number of sampled rows that were dropped because a later one has the same id.
    pub n_repeated: u64,
    /// The expected errors of a sample of rows; `None` for training rows.
    pub expected: Sample<Option<ExpectedLoss>>,
    /// Outcomes in the scored rows that are not a class of production, or not a number that it could predict.
    pub unknown: Unknown,
    /// Words of the scored rows that are not in the training rows.
    pub words: NewWords,
    pub pieces: Vec<(String, Profile)>,
    /// The names of all fields of the file.
    pub names: Vec<String>,
    /// Columns that production needs and the file lacks; its rows are then not scored.
    pub absent: Vec<String>,
    /// A note on a column that may identify entities, although none is configured.
    pub may_be_about: Option<String>,
    /// Lines of the file that are not rows, in words.
    pub left_out: Vec<String>,
    pub rejects: Rejects,
    /// Cells that do not fit their column; they are read as missing.
    pub misfits: Misfits,
}

impl Arrived {
    /// The result if only a profile is given.
    pub(super) fn profile(profile: Profile) -> Self {
        let (sample, expected) = (Sample::new(SCORED_ROWS, 0), Sample::new(EXPECTED_ROWS, 0));
        Self {
            profile,
            before: None,
            span: None,
            sample,
            n_repeated: 0,
            expected,
            unknown: Unknown::default(),
            words: NewWords::default(),
            pieces: Vec::new(),
            names: Vec::new(),
            absent: Vec::new(),
            may_be_about: None,
            left_out: Vec::new(),
            rejects: Rejects::default(),
            misfits: Misfits::default(),
        }
    }
}

/// The data collected from the rows so far.
pub(super) struct Gathered {
    whole: Option<ProfileBuilder>,
    /// The earlier rows, if the table contains its own reference.
    before: Option<ProfileBuilder>,
    pieces: BTreeMap<i64, ProfileBuilder>,
    sample: Sample<Scored>,
    expected: Sample<Option<ExpectedLoss>>,
    unknown: Unknown,
    words: NewWords,
    n_rows: u64,
    /// Whether rows cannot be scored because a column is missing.
    unscored: bool,
}

/// Outcomes that production cannot have predicted: their number, and the error of the first.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    pub n: u64,
    pub first: String,
}

impl Pass<'_> {
    /// Processes a table; `beside` are the values of windows in its rows.
    ///
    /// # Errors
    /// Errors in the table, or too many pieces.
    pub(super) fn run(&self, input: Input, mut beside: Beside) -> Result<Arrived, MonitorError> {
        let file = input.name().to_owned();
        let mut rows = stream(input, self.schema, self.read)?;
        let absent = self.absent(&file, rows.names())?;
        let mut gathered = Gathered { unscored: !absent.is_empty(), ..self.begin() };
        while let Some(mut batch) = rows.next().transpose()? {
            batch.table = self.completed(batch.table, &absent)?;
            batch.table = beside.fill(batch.table)?;
            match &self.windows {
                None => self.take_in(&mut gathered, &batch.table)?,
                Some(windows) => {
                    let [arrived, before] = windows.of(&batch.table, self.time_column);
                    if !before.is_empty() {
                        let table = batch.table.take(&before);
                        self.profile(&mut gathered.before, &table)?;
                    }
                    if !arrived.is_empty() {
                        self.take_in(&mut gathered, &batch.table.take(&arrived))?;
                    }
                }
            }
        }
        let (names, rejects, misfits) = (rows.names().to_vec(), rows.rejects().clone(), rows.misfits().clone());
        let left_out = rows.left_out();
        Ok(Arrived { names, absent, left_out, rejects, misfits, ..self.finish(gathered) })
    }

    /// The columns that production needs and the file lacks.
    ///
    /// # Errors
    /// If it has none of them: it is another table.
    fn absent(&self, file: &str, names: &[String]) -> Result<Vec<String>, MonitorError> {
        let Some(pipeline) = self.pipeline else { return Ok(Vec::new()) };
        let inputs = pipeline.features.inputs().map(|(name, _)| name);
        // The values of windows are added.
        let needed: Vec<&str> = inputs.filter(|name| pipeline.schema.column(name).is_some()).collect();
        let is_read = |name: &str| self.schema.column(name).is_some() && names.iter().any(|there| there == name);
        let absent = needed.iter().filter(|name| !is_read(name));
        let absent: Vec<String> = absent.map(|name| (*name).to_owned()).collect();
        if !needed.is_empty() && absent.len() == needed.len() {
            let needed = list(needed);
            return Err(MonitorError::Usage(format!(
                "{file}: has none of the columns that production needs: {needed}"
            )));
        }
        Ok(absent)
    }

    /// Adds these columns to the rows with all cells missing, so that columns derived from other columns can be judged.
    fn completed(&self, table: Table, absent: &[String]) -> Result<Table, MonitorError> {
        if absent.is_empty() {
            return Ok(table);
        }
        let n_rows = table.n_rows();
        let spec = |name: &String| self.pipeline.and_then(|pipeline| pipeline.schema.column(name));
        let kind = |name: &String| spec(name).map_or(Kind::Text, |column| column.kind);
        let missing = absent.iter().map(|name| Column::new(name.clone(), Values::missing(kind(name), n_rows)));
        Ok(Table::new(table.into_columns().into_iter().chain(missing).collect())?)
    }

    /// The state before the first row.
    pub(super) fn begin(&self) -> Gathered {
        let (sample, expected) = (Sample::new(SCORED_ROWS, self.seed), Sample::new(EXPECTED_ROWS, self.seed));
        Gathered {
            whole: None,
            before: None,
            pieces: BTreeMap::new(),
            sample,
            expected,
            unknown: Unknown::default(),
            words: NewWords::default(),
            n_rows: 0,
            unscored: false,
        }
    }

    /// Adds current rows.
    ///
    /// # Errors
    /// A missing column that scoring needs, or too many pieces.
    pub(super) fn take_in(&self, gathered: &mut Gathered, table: &Table) -> Result<(), MonitorError> {
        if !gathered.unscored {
            self.score(table, gathered)?;
        }
        let table = &*self.whole(table)?;
        let builder = || ProfileBuilder::for_columns(self.profiled, table, self.limits);
        gathered.whole.get_or_insert_with(|| builder().by_entity(self.entity)).push(table)?;
        if let Some(by) = self.by {
            for (key, chosen) in by.cut(table, gathered.n_rows, self.time_column) {
                let piece = gathered.pieces.entry(key).or_insert_with(|| builder().piece_by_entity(self.entity));
                piece.push(&table.take(&chosen))?;
            }
            if gathered.pieces.len() > MAX_CHUNKS {
                return Err(MonitorError::TooManyPieces { by });
            }
        }
        gathered.n_rows += table.n_rows() as u64;
        Ok(())
    }

    /// Adds rows, with the columns that production derives, to a profile.
    ///
    /// # Errors
    /// A missing column from which another is derived.
    pub(super) fn profile(&self, to: &mut Option<ProfileBuilder>, table: &Table) -> Result<(), MonitorError> {
        let table = &*self.whole(table)?;
        let builder = || ProfileBuilder::for_columns(self.profiled, table, self.limits).by_entity(self.entity);
        Ok(to.get_or_insert_with(builder).push(table)?)
    }

    /// The rows with the columns that production derives and the monitored features of their texts.
    fn whole<'t>(&self, table: &'t Table) -> Result<Cow<'t, Table>, MonitorError> {
        Ok(match self.pipeline {
            Some(pipeline) => {
                let texts = pipeline.text_columns(table);
                let table = pipeline.with_derived(table)?;
                if texts.is_empty() {
                    return Ok(table);
                }
                let columns = table.into_owned().into_columns().into_iter().chain(texts).collect();
                Cow::Owned(Table::new(columns)?)
            }
            None => Cow::Borrowed(table),
        })
    }

    /// The result after the last row.
    pub(super) fn finish(&self, gathered: Gathered) -> Arrived {
        let Gathered { whole, before, pieces, mut sample, expected, unknown, words, .. } = gathered;
        let n_repeated = sample.keep_last(|row| row.id);
        let name = |key, profile: &Profile| self.by.map_or(String::new(), |by| by.name(key, profile.n_rows));
        let pieces = pieces.into_iter().map(|(key, piece)| {
            let profile = piece.finish();
            (name(key, &profile), profile)
        });
        let whole = whole.unwrap_or_else(|| ProfileBuilder::new(self.profiled, self.limits));
        Arrived {
            profile: whole.finish(),
            before: before.map(ProfileBuilder::finish),
            span: self.windows.as_ref().map(|windows| windows.arrived),
            sample,
            n_repeated,
            expected,
            unknown,
            words,
            pieces: pieces.collect(),
            names: Vec::new(),
            absent: Vec::new(),
            may_be_about: None,
            left_out: Vec::new(),
            rejects: Rejects::default(),
            misfits: Misfits::default(),
        }
    }

    /// Scores the rows of the sample, looks up their outcomes, and estimates the errors of some of them.
    fn score(&self, table: &Table, gathered: &mut Gathered) -> Result<(), MonitorError> {
        let Some(pipeline) = self.pipeline else { return Ok(()) };
        let Gathered { sample, expected, unknown, words, .. } = gathered;
        let chosen = sample.choose(table.n_rows());
        let part = part(table, &chosen);
        words.push(pipeline, &part);
        let ids = self.ids(&part);
        let among = self.learned.and_then(|learned| learned.among(&part.spelled(self.schema), ids));
        let is_learned = |row: usize| among.as_ref().is_some_and(|among| among[row]);
        // With one seed, the smaller sample is part of the larger.
        let wanted = if self.losses.is_some() { expected.choose(table.n_rows()) } else { Vec::new() };
        let is_wanted = |row: usize| wanted.binary_search_by_key(&chosen[row].0, |&(row, _)| row).is_ok();
        let expect = |first: usize, features: &[f32], predictions: &[f64]| {
            let Some(losses) = self.losses else { return Ok(Vec::new()) };
            let features = features.chunks_exact(features.len() / predictions.len());
            let rows = (first..).zip(features.zip(predictions)).filter(|(row, _)| is_wanted(*row));
            losses.expect(&pipeline.scale, rows.map(|(_, (features, &prediction))| (features, prediction)))
        };
        let (scores, losses) = pipeline.score_with(&part, expect)?;
        let losses = losses.into_iter().collect::<Result<Vec<_>, _>>()?;
        let row_of = |wanted: u32| chosen.binary_search_by_key(&wanted, |&(row, _)| row).unwrap_or_default();
        wanted.iter().zip(losses.concat()).for_each(|(&(row, place), loss)| {
            expected.push(place, Some(loss).filter(|_| !is_learned(row_of(row))));
        });
        let known = match part.column(&pipeline.target.name) {
            Some(column) => outcomes(pipeline, &part, column, unknown),
            None => vec![f64::NAN; part.n_rows()],
        };
        let weights = self.weight.and_then(|name| part.column(name)).map(|column| &column.values);
        let outcome = |row: usize| {
            let outcome = match ids {
                Some(ids) if known[row].is_nan() => self.outcomes.of(ids.get(row)),
                _ => Some(known[row]).filter(|y| !y.is_nan()).map(|y| Outcome::new(y, None)),
            };
            match weights {
                Some(Values::Number(weights)) => outcome.and_then(|outcome| counted(outcome, weights[row])),
                _ => outcome,
            }
        };
        let outcomes: Vec<Option<Outcome>> = (0..chosen.len()).map(outcome).collect();
        let is_known = outcomes.iter().any(Option::is_some);
        let has_bounds = is_known && pipeline.check_level(LEVEL).is_ok();
        let contents = if is_known { Some(contents(&part, &pipeline.target.name)?) } else { None };
        let about = self.entity.and_then(|name| part.column(name)).map(|column| entity_keys(&column.values));
        let bounds = if has_bounds { pipeline.bounds(&part, LEVEL)? } else { Vec::new() };
        for (row, (&(_, place), outcome)) in chosen.iter().zip(outcomes).enumerate() {
            let held = bounds.get(row).zip(outcome).map(|(bound, outcome)| bound.holds(outcome.y));
            let id = ids.map(|ids| ids.get(row)).filter(|id| !id.is_empty()).map(|id| hash64(id.as_bytes(), 0));
            let (scores, learned) = (scores.row(row).to_vec(), is_learned(row));
            let about = about.as_ref().and_then(|about| about[row]);
            let name = id.or_else(|| contents.as_ref().map(|contents| contents[row]));
            sample.push(place, Scored { id, name, about, scores, outcome, learned, held });
        }
        Ok(())
    }

    fn ids<'t>(&self, table: &'t Table) -> Option<&'t Texts> {
        let id = self.schema.columns.iter().find(|column| column.kind == Kind::Id)?;
        match &table.column(&id.name)?.values {
            Values::Text(ids) => Some(ids),
            _ => None,
        }
    }
}

/// The target as numbers; a value unknown to production is not an outcome, and is counted.
fn outcomes(pipeline: &Pipeline, part: &Table, column: &Column, unknown: &mut Unknown) -> Vec<f64> {
    if let Ok(encoded) = pipeline.target.encode(column) {
        return encoded.y;
    }
    let mut one = |row: u32| {
        let cell = Column::new(column.name.clone(), column.values.take(&[row]));
        pipeline.target.encode(&cell).map(|encoded| encoded.y[0]).unwrap_or_else(|err| {
            if unknown.n == 0 {
                unknown.first = err.to_string();
            }
            unknown.n += 1;
            f64::NAN
        })
    };
    (0..u32::try_from(part.n_rows()).unwrap_or(u32::MAX)).map(&mut one).collect()
}

/// An outcome with its row's weight; `None` for a row without a weight above 0.
fn counted(outcome: Outcome, weight: f64) -> Option<Outcome> {
    let weight = outcome.weight * weight;
    (weight > 0.0 && weight.is_finite()).then_some(Outcome { weight, ..outcome })
}

/// A digest of each row without its outcome.
fn contents(part: &Table, target: &str) -> Result<Vec<u64>, MonitorError> {
    let names: Vec<&str> =
        part.columns().iter().map(|column| column.name.as_str()).filter(|name| *name != target).collect();
    Ok(row_digest(part, &names).map_err(PipelineError::from)?)
}

/// The selected rows.
fn part<'a>(table: &'a Table, chosen: &[(u32, f64)]) -> Cow<'a, Table> {
    if chosen.len() == table.n_rows() {
        return Cow::Borrowed(table);
    }
    Cow::Owned(table.take(&chosen.iter().map(|&(row, _)| row).collect::<Vec<u32>>()))
}
