//! The log lines of a request.

use super::{Asked, Job, run};
use crate::journal::Row;
use crate::serve::log::Lines;
use crate::serve::problem::Refusal;
use crate::serve::scoring::{Wanted, score};
use crate::serve::snapshot::{Live, Running};
use crate::serve::ticket::Ticket;
use std::borrow::Cow;
use std::sync::Arc;

/// Logs the lines before the response is sent.
pub(super) async fn log(job: &Job, ticket: &mut Ticket, n: usize, lines: Vec<Lines>) -> Result<(), Refusal> {
    let Some(log) = job.log() else { return ticket.charge(n) };
    ticket.charge(n + lines.iter().map(|lines| lines.bytes.len()).sum::<usize>())?;
    log.commit(job.at, lines).await.map_err(|err| {
        job.app.tell(&format!("a prediction could not be logged, so it was not returned: {err}"));
        Refusal::Unavailable("the prediction could not be logged, so it is not returned".to_owned())
    })
}

/// Lines of the log, grouped by layout.
#[derive(Default)]
pub(super) struct Lined {
    pub(super) lines: Vec<Lines>,
    pub(super) ids: Vec<String>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Lined {
    /// Adds the line of a row; without an id, one is derived from its features.
    pub(super) fn add(
        &mut self,
        job: &Job,
        (rows, behind): &Asked,
        (row, id): (usize, Option<String>),
        live: &Live,
        scores: &[f64],
        arm: Option<&str>,
    ) {
        if id.is_some() && job.log().is_none() {
            self.ids.extend(id);
            return;
        }
        self.text.clear();
        self.ends.clear();
        rows.write(row, &live.logged, &mut self.text, &mut self.ends);
        let starts = std::iter::once(&0).chain(&self.ends);
        let field = |(&start, &end): (&usize, &usize)| String::from_utf8_lossy(&self.text[start..end]);
        let features: Vec<Cow<str>> = starts.zip(&self.ends).map(field).collect();
        let id = id.unwrap_or_else(|| live.model.layout.made_up_id(&features));
        let line = Row {
            id: &id,
            at: job.at,
            version: live.model.version,
            arm: arm.unwrap_or_default(),
            scores,
            class: live.model.pipeline.class_of(scores),
            features: &features,
            windows: &behind.of_row(live.model.version, row),
        };
        let layout = &live.model.layout;
        let place = self.lines.iter().position(|lines| Arc::ptr_eq(&lines.layout, layout)).unwrap_or_else(|| {
            self.lines.push(Lines { layout: Arc::clone(layout), bytes: Vec::new(), n_rows: 0 });
            self.lines.len() - 1
        });
        layout.push(&mut self.lines[place].bytes, &line);
        self.lines[place].n_rows += 1;
        self.ids.push(id);
    }
}

/// The lines of a shadow arm; if it fails, none, and its rows are counted.
pub(super) async fn shadow(
    is_large: bool,
    job: &Arc<Job>,
    running: &Running,
    arm: usize,
    (asked, ids): (&Arc<Asked>, &Arc<[String]>),
) -> Vec<Lines> {
    let (asked, ids, n_rows) = (Arc::clone(asked), Arc::clone(ids), asked.0.len() as u64);
    let compute = move |job: &Job| {
        let live = job.live(Some(arm))?;
        let which: Vec<usize> = (0..asked.0.len()).collect();
        let windows = asked.1.of_rows(live.model.version, &which);
        let scored = score(live, (&job.snapshot.form, &asked.0), &which, &windows, Wanted::default())?;
        let mut book = Lined::default();
        for (row, id) in ids.iter().enumerate() {
            book.add(job, &asked, (row, Some(id.clone())), live, scored.scores.row(row), job.arm_name(Some(arm)));
        }
        Ok(book.lines)
    };
    let patience = job.app.gate.limits().shadow_patience;
    let lines = tokio::time::timeout(patience, run(is_large, job, compute)).await;
    let (outcome, lines) = match lines {
        Ok(Ok(lines)) => ("scored", lines),
        Ok(Err(_)) => ("failed", Vec::new()),
        Err(_) => ("late", Vec::new()),
    };
    job.app.metrics.shadowed(running.arms[arm].model.version, outcome, n_rows);
    lines
}
