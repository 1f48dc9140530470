//! Ends an experiment; the winner may become production.

use super::AbError;
use super::experiment::{Ended, Experiment, FILE};
use super::log::{self, Asked};
use super::report::{AbReport, Answer, RailState, Source};
use super::start::{self, MadeFrom};
use crate::atomic::Lock;
use crate::gate::{self, Promotion};
use crate::workspace::event::LogRead;
use crate::workspace::{EventKind, Workspace};
use jiff::Timestamp;
use serde::Serialize;
use std::path::Path;

/// The result of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StopOutcome {
    /// It has ended.
    Stopped,
    /// It had ended before.
    Already,
    /// With --promote-winner: there is no winner, so it continues.
    NoWinner,
    /// With --promote-winner: there are too few units, so it continues.
    KeepRunning,
    /// With --promote-winner: the gate refused, so it continues.
    NotPromoted,
}

/// The answer of `ab-stop`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stopped {
    /// The result.
    pub done: StopOutcome,
    /// The result, in one sentence.
    pub sentence: String,
    /// The gate's result, if the gate ran.
    pub promotion: Option<Promotion>,
    /// The experiment now.
    pub experiment: Experiment,
}

/// Ends the experiment. With `promote`, only if an arm wins or a rollout has completed, and its version passes the
/// gate.
///
/// # Errors
/// [`AbError::None`] without an experiment; errors of the log, the gate or the workspace.
pub fn stop(
    workspace: &Workspace,
    lock: &Lock,
    promote: bool,
    request: &gate::PromoteRequest,
) -> Result<Stopped, AbError> {
    let experiment = Experiment::load(workspace)?.ok_or_else(|| AbError::None(workspace.path(FILE)))?;
    if let Some(ended) = &experiment.ended {
        let sentence = format!("{} ended on {}", experiment.name, ended.at);
        return Ok(Stopped { done: StopOutcome::Already, sentence, promotion: None, experiment });
    }
    let asked = Asked { margin: None, fixed: false, force: false, now: request.now };
    if !promote {
        // If the log is unreadable, the experiment still ends, and the reason is recorded instead of a verdict.
        let (verdict, read) = match log::report(workspace, &asked) {
            Ok(report) => (report.verdict.sentence, Some(report.source)),
            Err(err) => (format!("no verdict: {err}"), None),
        };
        let ended = Ended { at: request.now, verdict: Some(verdict), promoted: None };
        return end(workspace, lock, experiment, (ended, read), request.by, None);
    }
    let report = log::report(workspace, &asked)?;
    let Some(arm) = permanent(&experiment, &report) else { return Ok(goes_on(experiment, &report)) };
    let winner = experiment.arms[arm].name.clone();
    let mut ended = Ended { at: request.now, verdict: Some(report.verdict.sentence), promoted: None };
    let read = Some(report.source);
    if arm == 0 {
        return end(workspace, lock, experiment, (ended, read), request.by, None);
    }
    let wanted = gate::PromoteRequest { version: Some(experiment.arms[arm].version), ..copied(request) };
    let promotion = gate::promote(workspace, Some(lock), &wanted)?;
    if !matches!(promotion.done, gate::PromoteOutcome::Promoted | gate::PromoteOutcome::Already) {
        let sentence = format!("{winner} is not promoted, so the experiment continues: {}", promotion.sentence);
        return Ok(Stopped { done: StopOutcome::NotPromoted, sentence, promotion: Some(promotion), experiment });
    }
    ended.promoted = Some(winner);
    end(workspace, lock, experiment, (ended, read), request.by, Some(promotion))
}

/// The arm that may become production: the winner, or the arm that a rollout has brought to all units while its
/// guardrails held. Without units in the first arm, no further comparison is possible.
fn permanent(experiment: &Experiment, report: &AbReport) -> Option<usize> {
    if let Some(winner) = &report.verdict.winner {
        return Some(experiment.arms.iter().position(|arm| arm.name == *winner).unwrap_or(0));
    }
    let arm = experiment.rolled_out()?;
    let is_open = matches!(report.verdict.answer, Answer::KeepRunning | Answer::NoDifference);
    let holds = report.guardrails.iter().all(|rail| rail.state != RailState::Broken);
    (is_open && holds).then_some(arm)
}

fn copied<'a>(request: &gate::PromoteRequest<'a>) -> gate::PromoteRequest<'a> {
    gate::PromoteRequest { ..*request }
}

fn goes_on(experiment: Experiment, report: &AbReport) -> Stopped {
    let done = if report.verdict.is_over { StopOutcome::NoWinner } else { StopOutcome::KeepRunning };
    let sentence = format!(
        "{} The experiment continues. To end it without a promotion, leave out --promote-winner.",
        report.verdict.sentence
    );
    Stopped { done, sentence, promotion: None, experiment }
}

fn end(
    workspace: &Workspace,
    lock: &Lock,
    mut experiment: Experiment,
    (ended, read): (Ended, Option<Source>),
    by: Option<&str>,
    promotion: Option<Promotion>,
) -> Result<Stopped, AbError> {
    let at: Timestamp = ended.at;
    let sentence = match &ended.promoted {
        Some(winner) => format!("{} has ended; {winner} is in production", experiment.name),
        None => format!("{} has ended; {} answers all requests", experiment.name, experiment.arms[0].version),
    };
    let why = ended.verdict.clone().unwrap_or_default();
    experiment.ended = Some(ended);
    // Keep the data behind the verdict, so that it can be reproduced.
    let labels = workspace.keep(lock, Path::new("data/labels.csv"))?;
    let log = read.map(|read| LogRead { n_rows: read.n_rows, digest: read.digest });
    let made_from = MadeFrom { log, labels };
    start::commit(workspace, lock, EventKind::AbStopped, &experiment, by, at, (&why, Some(made_from)))?;
    Ok(Stopped { done: StopOutcome::Stopped, sentence, promotion, experiment })
}
