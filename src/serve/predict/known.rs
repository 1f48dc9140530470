//! Outcomes that come with the rows of a request.

use super::Job;
use crate::feedback::outcome_in;
use crate::serve::problem::{Problem, Problems, Refusal};
use crate::serve::rows::{Raw, Rows};
use axum::http::request::Parts;

/// Outcomes that came with the rows.
#[derive(Default)]
pub(super) struct Known {
    /// Whether there are any.
    pub(super) given: bool,
    /// The rows with an outcome, and its value; empty if the client may not record them.
    pub(super) values: Vec<(usize, String)>,
}

/// The outcomes among the cells, and all errors of the rows so far, ids included. Outcomes in a separate list are meant
/// to be recorded; those in the target's column may be unintended.
pub(super) fn known_outcomes(job: &Job, parts: &Parts, rows: &Rows) -> Result<(Known, Problems), Refusal> {
    let mut problems = rows.problems.clone();
    let mut known = Known { given: false, values: Vec::new() };
    let live = job.live(None)?;
    let pipeline = &live.model.pipeline;
    for row in 0..rows.len() {
        if let (Some(place), Some(id)) = (live.id, pipeline.schema.id())
            && rows.cell(row, place) == Raw::Nested
        {
            problems.push(|| Problem::of_cell(row, id, "is a list or an object, not an id".to_owned()));
        }
        if let Raw::Absent = rows.cell(row, live.target) {
            continue;
        }
        let name = &pipeline.target.name;
        let cell = rows.written(row, live.target);
        let found = match rows.cell(row, live.target) {
            Raw::Nested => Err("is a list or an object, not an outcome".to_owned()),
            // JSON writes numbers in one way, independent of the table's number format.
            Raw::Number(value) if pipeline.target.classes.is_empty() => Ok(Some(value.to_string())),
            _ => outcome_in(&cell, &pipeline.target, &pipeline.schema),
        };
        match found {
            Ok(Some(value)) => known.values.push((row, value)),
            Ok(None) => {}
            Err(what) => problems.push(|| Problem::of_cell(row, name, format!("is not a valid outcome: {what}"))),
        }
    }
    known.given = !known.values.is_empty();
    if known.given {
        let may = job.app.access.may_record(&parts.headers).and_then(|()| match job.app.log {
            Some(_) => Ok(()),
            None => Err(Refusal::Conflict(
                "without a prediction log, an outcome cannot be joined with its prediction".to_owned(),
            )),
        });
        match may {
            Err(refusal) if rows.has_labels => return Err(refusal),
            Err(_) => known.values.clear(),
            Ok(()) => {}
        }
    }
    Ok((known, problems))
}
