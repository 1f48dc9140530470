//! Served predictions and their outcomes: the prediction log, labels and feedback.

use super::MonitorError;
use super::together::Seen;
use super::watch::{Production, Watch};
use crate::drift::performance::{Known, effective, totals};
use crate::drift::triggers::Judged;
use crate::features::{Target, Task};
use crate::feedback;
use crate::journal::{Joined, Journal, Layout, Outcome, Outcomes, Window};
use crate::labels::{self, Labels, resolve};
use crate::profile::entity_indices;
use crate::reference::{Gathering, Plan};
use crate::stats::random::unit_hash;
use crate::table::TableOptions;
use crate::workspace::event::Retrained;
use std::collections::HashMap;

/// Maximum number of served rows on which performance is measured; of more, a sample by the hash of their ids.
const MOST: usize = 40_000;

/// Logged predictions of production with known outcomes.
pub(super) struct Served {
    /// Their number; if it is large, scores and outcomes are those of a sample.
    n_known: usize,
    pub(super) known: Known,
    /// All of them, in the order in which their outcomes became known.
    pub(super) seen: Vec<Seen>,
}

impl Watch<'_> {
    /// The resolved labels of rows in `data/labels.csv`.
    pub(super) fn stored_outcomes(&self, target: &Target) -> Result<Outcomes, MonitorError> {
        let stored = Labels::open(self.workspace)?;
        let policy = self.config.as_ref().map(|config| config.labels.policy).unwrap_or_default();
        Ok(labels::outcomes(target, &resolve(&stored, policy).agreed)?)
    }

    /// The last served prediction of production for each row with a known outcome; `None` if there is none.
    pub(super) fn served(&self, outcomes: &Outcomes) -> Result<Option<Served>, MonitorError> {
        let Some(production) = &self.production else { return Ok(None) };
        let layout = Layout::of(&production.pipeline);
        let window = Window::since(production.manifest.trained_at);
        let joined = Journal::of(self.workspace).join(&window, &layout, outcomes, self.entity())?;
        let own = joined.filter(|row| joined.rows.version[row] == production.version).latest();
        let is_learned = |row: usize| production.learned.as_ref().is_some_and(|l| l.has(own.rows.id.get(row)));
        let known = own.filter(|row| !is_learned(row));
        let mut served = Served::of(&sampled(&known), known.outcomes.len(), &production.pipeline.target);
        served.seen = self.seen(&production.pipeline.target, &known)?;
        served.known.n_learned = (own.outcomes.len() - known.outcomes.len()) as u64;
        Ok(Some(served).filter(|served| served.n_known > 0 || served.known.n_learned > 0))
    }

    /// The rows that a retrain would learn from now; `None` without a version in production.
    pub(super) fn learnable(&self) -> Result<Option<Plan>, MonitorError> {
        let (Some(config), Some(production)) = (&self.config, &self.production) else { return Ok(None) };
        // Rows that do not fit are reported where the table is compared.
        let read = TableOptions { skip_invalid: true, ..self.request.read.clone() };
        let gathering = Gathering {
            workspace: self.workspace,
            config,
            pipeline: &production.pipeline,
            current: self.request.current,
            read: &read,
            count_only: true,
        };
        Ok(Some(gathering.gather(self.request.now)?.plan))
    }

    /// The number of rows of `[monitor] current` that were added after the last retrain read it. If the table now has
    /// fewer rows than then, it is another one, and all of its rows are new.
    pub(super) fn n_since_retrain(&self, n_rows: u64) -> Result<u64, MonitorError> {
        let chain = self.workspace.audit_chain()?;
        let last = chain.last_of(|_, _: &Retrained| true)?;
        let (Some(last), None, None) = (last, self.request.current, self.request.current_profile) else {
            return Ok(n_rows);
        };
        let Some(seen) = last.1.from.current else { return Ok(n_rows) };
        let is_same = Some(seen.path.as_str()) == self.settings.current.to_str() && seen.n_rows <= n_rows;
        Ok(if is_same { n_rows - seen.n_rows } else { n_rows })
    }

    /// Human feedback on predictions of production.
    pub(super) fn judged(&self) -> Result<Option<Judged>, MonitorError> {
        let Some(production) = &self.production else { return Ok(None) };
        let judged = feedback::judged(self.workspace, production.version)?;
        let n = judged.len() as u64;
        if n == 0 {
            return Ok(None);
        }
        let right = judged.iter().filter(|(_, right)| *right).count() as f64 / n as f64;
        let about = match self.entity() {
            Some(column) => self.about(production, column, &judged)?,
            None => Vec::new(),
        };
        let weights = vec![1.0; about.len()];
        let n_effective = entity_indices(&about).map_or(n as f64, |of| effective(&totals(&weights, &of)));
        Ok(Some(Judged { n, n_effective, right }))
    }

    /// The entities of the rows that people checked, from the prediction log.
    fn about(
        &self,
        production: &Production,
        column: &str,
        judged: &[(String, bool)],
    ) -> Result<Vec<Option<u64>>, MonitorError> {
        let known = Outcomes::new(
            judged.iter().map(|(id, right)| (id.clone(), Outcome::new(f64::from(u8::from(*right)), None))),
        );
        let layout = Layout::of(&production.pipeline);
        let window = Window::since(production.manifest.trained_at);
        let logged = Journal::of(self.workspace).join(&window, &layout, &known, Some(column))?;
        let of_id: HashMap<&str, Option<u64>> = logged.rows.id.iter().zip(logged.about.iter().copied()).collect();
        Ok(judged.iter().map(|(id, _)| of_id.get(id.as_str()).copied().flatten()).collect())
    }
}

/// All rows, or a sample small enough to measure quickly; the same rows whatever their order.
fn sampled(joined: &Joined) -> Joined {
    let share = MOST as f64 / joined.outcomes.len().max(1) as f64;
    joined.filter(|row| unit_hash(joined.rows.id.get(row).as_bytes(), 0) < share)
}

impl Served {
    /// A note for the user.
    pub(super) fn note(&self) -> String {
        let known = format!("{} logged predictions of production are labelled", self.n_known);
        match self.known.y.len() < self.n_known {
            true => format!("{known}; performance is measured on a random sample of {} of them", self.known.y.len()),
            false => known,
        }
    }

    fn of(joined: &Joined, n_known: usize, target: &Target) -> Self {
        let rows = &joined.rows;
        let values = match target.task {
            Task::Binary => rows.score.clone(),
            Task::Regression => rows.prediction.iter().map(|number| number.parse().unwrap_or(f64::NAN)).collect(),
            Task::Multiclass => {
                (0..rows.len()).flat_map(|row| rows.class_scores.iter().map(move |scores| scores[row])).collect()
            }
        };
        // A score that was removed from the log measures nothing.
        let width = target.n_scores();
        let mut known = Known::new(width);
        for (row, (scores, outcome)) in values.chunks_exact(width.max(1)).zip(&joined.outcomes).enumerate() {
            if scores.iter().all(|score| score.is_finite()) {
                known.push(scores, outcome.y, outcome.weight, joined.about.get(row).copied().flatten());
            }
        }
        Self { n_known, known, seen: Vec::new() }
    }
}
