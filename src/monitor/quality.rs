//! Quality of production on the current rows: measured if outcomes are known, estimated otherwise.

use super::MonitorError;
use super::arrive::{Arrived, SCORED_ROWS};
use super::sample::Scored;
use super::served::Served;
use super::watch::Watch;
use crate::drift::estimate::EstimateError;
use crate::drift::losses::ExpectedLoss;
use crate::drift::performance::Known;
use crate::drift::report::{Estimate, Performance};
use crate::drift::{cbpe, dle, performance};
use crate::features::Task;
use crate::pipeline::{Pipeline, Scores};
use crate::profile::Profile;

impl Watch<'_> {
    /// Metrics on served predictions with known outcomes, or on such rows of the table if it has more of them.
    pub(super) fn performance(
        &self,
        arrived: &Arrived,
        served: Option<&Served>,
        notes: &mut Vec<String>,
    ) -> Result<(Option<Performance>, u64), MonitorError> {
        let Some(production) = &self.production else { return Ok((None, 0)) };
        let mut own = Known::new(production.pipeline.target.n_scores());
        for (row, outcome) in arrived.sample.rows().iter().filter_map(|row| Some((row, row.outcome?))) {
            match row.learned {
                true => own.n_learned += 1,
                false => own.push(&row.scores, outcome.y, outcome.weight, row.about),
            }
        }
        let known = served.map(|served| &served.known).filter(|known| known.y.len() >= own.y.len()).unwrap_or(&own);
        let version = production.version;
        if known.n_learned > 0 {
            notes.push(format!("{} labelled rows are left out because {version} was trained on them", known.n_learned));
        }
        if std::ptr::eq(known, &own) && !own.y.is_empty() && !self.tells_learned(arrived) {
            notes.push(format!(
                "training rows of {version} cannot be distinguished from new rows, neither by id nor by content. If \
                 the {} labelled rows contain training rows, the measured performance is too optimistic",
                own.y.len()
            ));
        }
        if let Some(name) = self.weight().filter(|_| !known.y.is_empty()) {
            notes.push(match std::ptr::eq(known, &own) && arrived.names.iter().any(|column| column == name) {
                true => format!("performance weights rows by {name:?}; rows without a weight above 0 are left out"),
                false => format!(
                    "performance counts each row once: the weight {name:?} is not in the log or in the \
                                  current table"
                ),
            });
        }
        let measured = match known.y.is_empty() {
            true => None,
            false => Some(performance(&production.pipeline, known, production.metrics(), self.request.seed)?),
        };
        Ok((measured, known.n_learned))
    }

    /// Whether production's training rows can be recognised, by id or by the columns of the current table.
    fn tells_learned(&self, arrived: &Arrived) -> bool {
        let Some(learned) = self.production.as_ref().and_then(|production| production.learned.as_ref()) else {
            return false;
        };
        let names: Vec<&str> = match learned.columns() {
            [] => self.id().into_iter().collect(),
            columns => columns.iter().map(String::as_str).collect(),
        };
        !names.is_empty() && names.iter().all(|name| arrived.profile.column(name).is_some())
    }

    /// The metrics estimated from class scores alone, or the expected errors of numbers.
    pub(super) fn estimate(
        &self,
        arrived: &Arrived,
        at_gate: Option<&Profile>,
    ) -> Result<Option<Estimate>, MonitorError> {
        let Some(production) = &self.production else { return Ok(None) };
        let Pipeline { target, threshold, .. } = &production.pipeline;
        if target.task == Task::Regression {
            let expected: Vec<ExpectedLoss> = arrived.expected.rows().iter().copied().flatten().collect();
            let n_learned = (arrived.expected.rows().len() - expected.len()) as u64;
            let estimate = || dle(&expected, production.metrics());
            return Ok(if expected.is_empty() { None } else { Some(Estimate { n_learned, ..estimate()? }) });
        }
        let rows: Vec<&Scored> = arrived.sample.rows().iter().filter(|row| !row.learned).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let n_learned = (arrived.sample.rows().len() - rows.len()) as u64;
        let values = rows.iter().flat_map(|row| row.scores.iter().copied()).collect();
        let promised = |values: Vec<f64>| {
            let scores = Scores { values, width: target.n_scores() };
            let promised = cbpe(target.task, &scores, threshold.unwrap_or(0.5), production.metrics())?;
            let gate = production.gate.as_ref().filter(|_| self.entity().is_some());
            Ok::<_, EstimateError>(match gate {
                Some(gate) => promised.by_entity(gate),
                None => promised,
            })
        };
        let estimate = Estimate { n_learned, ..promised(values)? };
        // With several classes, only the distribution of each class's scores is stored, not the scores of each row.
        let at_gate = at_gate.filter(|_| target.task == Task::Binary);
        Ok(Some(match at_gate.and_then(|profile| Some(profile.columns.first()?.sample().evenly(SCORED_ROWS))) {
            Some(gate) if !gate.is_empty() => estimate.corrected(&promised(gate)?),
            _ => estimate,
        }))
    }
}
