//! Steps of a round besides monitoring, retraining and promoting: a rollout's step, and the export of rows to label.

use super::answer::{Rolled, Round, RoundOutcome};
use super::request::RoundRequest;
use super::{RoundError, log, running};
use crate::ab::Experiment;
use crate::ab::rollout::{self, Move};
use crate::atomic::Lock;
use crate::drift::report::ColumnVerdict;
use crate::journal::Window;
use crate::labels::{self, ExportRequest, LabelError, Strategy};
use crate::retrain::RetrainError;
use crate::workspace::Workspace;
use serde_json::json;

/// Takes the due step of a rollout if no guardrail broke; otherwise returns to the first arm.
pub(super) fn roll(
    workspace: &Workspace,
    lock: &Lock,
    request: &RoundRequest,
    round: &mut Round,
) -> Result<(), RoundError> {
    let began = (request.seconds)();
    let rolls = |experiment: Experiment| experiment.rollout.as_ref().is_some_and(|rollout| rollout.went_back.is_none());
    if !running(workspace, round.production)?.is_some_and(rolls) {
        return Ok(());
    }
    let stepped = rollout::step(workspace, lock, request.by, request.now)?;
    let result = Rolled { moved: stepped.done, sentence: stepped.sentence.clone(), weights: stepped.weights.clone() };
    if matches!(stepped.done, Move::On | Move::Back) {
        log(workspace, request, "ab-step", began, json!(result))?;
        let what = if stepped.done == Move::On { "moved to the next step" } else { "went back" };
        round.add(&format!("The rollout {} {what}: {}.", stepped.experiment.name, stepped.sentence));
    }
    round.rollout = Some(result);
    Ok(())
}

/// Exports rows for labelling if drift or too few labels require it and no batch is open: `[labels] auto_export`.
///
/// It never fails the round: earlier steps stay done, and the error is reported.
pub(super) fn hand_out(
    workspace: &Workspace,
    lock: &Lock,
    request: &RoundRequest,
    round: &mut Round,
) -> Result<(), RoundError> {
    let Some(n) = workspace.config()?.labels.auto_export else { return Ok(()) };
    let starved = matches!(round.done, RoundOutcome::TooFew | RoundOutcome::NothingNew | RoundOutcome::CannotTell);
    let drifted = round.report.as_ref().is_some_and(|report| {
        report.columns.iter().chain(&report.score).any(|column| column.verdict == ColumnVerdict::Drifted)
    });
    if round.production.is_none() || !(starved || drifted) {
        return Ok(());
    }
    let began = (request.seconds)();
    let wanted = ExportRequest {
        n: n as usize,
        strategy: Strategy::default(),
        annotators: &[],
        overlap: 0.0,
        show_score: false,
        table: None,
        window: Window::default(),
        format: labels::Format::Csv,
        force: false,
        by: request.by.map(str::to_owned),
        now: request.now,
        seed: request.seed,
    };
    match labels::export(workspace, lock, &wanted) {
        Ok(exported) => {
            labels::exported_is_told(workspace, lock).map_err(RetrainError::Labels)?;
            if let (Some(batch), Some(file)) = (&exported.batch, exported.files.first()) {
                let result = json!({ "batch": batch, "n": exported.n, "strata": exported.strata });
                log(workspace, request, "label-export", began, result)?;
                round.add(&format!("{} rows are ready for labelling: {}.", exported.n, file.display()));
                round.labels = Some(exported);
            }
        }
        Err(LabelError::Out { .. }) => {}
        Err(err) => round.add(&format!("No rows could be chosen for labelling: {err}.")),
    }
    Ok(())
}
