//! The whole loop once, as a scheduler would run it: the logic of `run`.
//!
//! ```text
//! a rollout's step ─ due, and nothing is worse ─▶ next step (back, if something is)
//! pending promotion ─▶ waiting
//! challenger without a verdict ────────────────────────────────┐   (a run that died is resumed here)
//! monitor ─ a reason? ─▶ (a person agrees?) ─▶ retrain ─ a challenger? ──┴▶ gate ─▶ production, or approval requested
//!             └no            └no                   └no, too few, too soon      └no, or an experiment runs
//! ```
//! While an experiment runs nothing is promoted: that would end the experiment, which a person started.
//! The lock is held from the first read to the last write.

mod answer;
mod beside;
mod request;
mod step;

pub use self::answer::{Rolled, Round, RoundOutcome};
use self::beside::{hand_out, roll};
pub use self::request::{RoundRequest, Step};
use crate::ab::{AbError, Experiment};
use crate::atomic::Lock;
use crate::drift::report::Answer;
use crate::gate::{self, Asks, GateError, Ticket};
use crate::monitor::{self, MonitorError, files};
use crate::reference::{self, ReferenceError};
use crate::registry::{RegistryError, Roles, Version};
use crate::retrain::approval::{self, Consent, Reasons};
use crate::retrain::{self, RetrainError, RetrainOutcome, RetrainRequest};
use crate::workspace::audit::Chain;
use crate::workspace::{Approval, Run, Workspace, WorkspaceError};
use serde_json::{Value, json};

/// Errors of a round.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// While monitoring.
    #[error("{0}")]
    Monitor(#[from] MonitorError),
    /// While training a challenger.
    #[error("{0}")]
    Retrain(#[from] RetrainError),
    /// At the gate.
    #[error("{0}")]
    Gate(#[from] GateError),
    /// While an interrupted promotion was completed.
    #[error("{0}")]
    Reference(#[from] ReferenceError),
    /// While the experiment's rollout took its step.
    #[error("{0}")]
    Ab(#[from] AbError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
}

/// Runs the loop once.
///
/// # Errors
/// Any error of the steps; completed steps stay done, and the next round continues from there.
pub fn run(workspace: &Workspace, lock: &Lock, request: &RoundRequest) -> Result<Round, RoundError> {
    let mut round = match request.step {
        Some(step) => step::take(workspace, lock, request, step)?,
        None => around(workspace, lock, request)?,
    };
    hand_out(workspace, lock, request, &mut round)?;
    Ok(round)
}

fn around(workspace: &Workspace, lock: &Lock, request: &RoundRequest) -> Result<Round, RoundError> {
    reference::settle(workspace, lock, request.now)?;
    let roles = workspace.registry().roles()?;
    let mut round = Round::begins(roles.production);
    roll(workspace, lock, request, &mut round)?;
    let experiment = running(workspace, round.production)?;
    if let Some(ticket) = open_promotion(workspace, &roles, request.now)? {
        round.add(&ticket.waits());
        round.waits(ticket);
        return Ok(round);
    }
    let chain = workspace.audit_chain()?;
    let due = due(workspace, &roles, request.now)?;
    // A challenger refused before already has a verdict, and may have been announced since.
    match unjudged(&chain, &roles)?.or(due) {
        // The experiment decides; monitoring continues.
        Some(_) if experiment.is_some() => {
            watch(workspace, lock, request, &mut round)?;
        }
        Some(version) => round.add(&match due.is_some() {
            true => format!("The notice period of {version} is over."),
            false => format!("{version} is a challenger that the gate has not judged."),
        }),
        None => {
            let agreed = approval::agreed(workspace, &chain, roles.production, request.now)?;
            let is_reason = watch(workspace, lock, request, &mut round)?;
            if agreed.is_none() && !may_learn(workspace, lock, request, &mut round, is_reason)? {
                return Ok(round);
            }
            if !learn(workspace, lock, request, &mut round, agreed.as_ref())? {
                return Ok(round);
            }
        }
    }
    judge(workspace, lock, request, &mut round)?;
    Ok(round)
}

/// Continues after the approval of `ticket`, which requested a retraining: a challenger, and the gate.
///
/// # Errors
/// As [`run`].
pub fn agreed(workspace: &Workspace, lock: &Lock, request: &RoundRequest, ticket: Ticket) -> Result<Round, RoundError> {
    let mut round = Round::begins(workspace.registry().roles()?.production);
    round.request = Some(ticket);
    go_on(workspace, lock, request, &mut round)?;
    Ok(round)
}

/// Continues after a retraining was approved.
///
/// # Errors
/// As [`run`].
pub fn go_on(workspace: &Workspace, lock: &Lock, request: &RoundRequest, round: &mut Round) -> Result<(), RoundError> {
    reference::settle(workspace, lock, request.now)?;
    round.no_longer_waits();
    let agreed = round.request.take();
    if learn(workspace, lock, request, round, agreed.as_ref())? {
        match request.step {
            Some(_) => round.done = RoundOutcome::Challenger,
            None => judge(workspace, lock, request, round)?,
        }
    }
    Ok(())
}

/// The challenger, if the gate has not evaluated it yet.
fn unjudged(chain: &Chain, roles: &Roles) -> Result<Option<Version>, RoundError> {
    match roles.challenger {
        Some(version) if chain.is_unjudged(version)? => Ok(Some(version)),
        _ => Ok(None),
    }
}

/// The open request for the promotion of the challenger, waiting for approval or its time.
fn open_promotion(workspace: &Workspace, roles: &Roles, now: jiff::Timestamp) -> Result<Option<Ticket>, RoundError> {
    let waits = |ticket: &Ticket| {
        ticket.asks == Asks::Promotion
            && Some(ticket.version) == roles.challenger
            && Some(ticket.production) == roles.production
            && now < ticket.expires_at
            && ticket.due_at.is_none_or(|due| now < due)
    };
    Ok(gate::pending(workspace)?.into_iter().find(waits))
}

/// The challenger, if its announced promotion is due.
fn due(workspace: &Workspace, roles: &Roles, now: jiff::Timestamp) -> Result<Option<Version>, RoundError> {
    let is = |ticket: &Ticket| {
        Some(ticket.version) == roles.challenger
            && Some(ticket.production) == roles.production
            && ticket.due_at.is_some_and(|due| due <= now)
            && now < ticket.expires_at
    };
    Ok(gate::pending(workspace)?.iter().find(|ticket| is(ticket)).map(|ticket| ticket.version))
}

/// The experiment whose first arm is in production.
fn running(workspace: &Workspace, production: Option<Version>) -> Result<Option<Experiment>, RoundError> {
    Ok(Experiment::load(workspace)?.filter(|experiment| experiment.applies(production)))
}

/// Whether a challenger may be trained: there is a reason, and approval if required.
fn may_learn(
    workspace: &Workspace,
    lock: &Lock,
    request: &RoundRequest,
    round: &mut Round,
    is_reason: bool,
) -> Result<bool, RoundError> {
    let config = workspace.config()?;
    let Some(production) = round.production.filter(|_| config.retrain.approval == Approval::Manual) else {
        return Ok(is_reason);
    };
    if !is_reason {
        if let Some(ticket) = approval::waiting(workspace, Some(production), request.now)? {
            round.add(&ticket.waits());
            round.waits(ticket);
        }
        return Ok(false);
    }
    let found = retrain::retrain(workspace, None, &retrain_request(request, None))?;
    if found.done != RetrainOutcome::Would {
        // No approval is needed if training is impossible, or the challenger exists already.
        let is_there = found.done == RetrainOutcome::Already;
        round.learned(found);
        return Ok(is_there);
    }
    let sentence = round.sentence.clone();
    let why = Reasons {
        sentence: &sentence,
        found: &found,
        force: request.force,
        by: request.by.filter(|_| !request.agrees),
        now: request.now,
    };
    match approval::consent(workspace, lock, &config, production, &why)? {
        Consent::Free => Ok(true),
        Consent::Waits(ticket, is_new) => {
            round.add(&ticket.waits());
            round.waits(*ticket);
            round.is_new_request = is_new;
            Ok(false)
        }
        Consent::TurnedDown(until) => {
            round.add(&format!("Nothing is trained: {until}."));
            round.done = RoundOutcome::Rejected;
            Ok(false)
        }
    }
}

/// Is there a reason to retrain?
fn watch(workspace: &Workspace, _lock: &Lock, request: &RoundRequest, round: &mut Round) -> Result<bool, RoundError> {
    let began = (request.seconds)();
    let found = monitor::monitor(
        workspace,
        &monitor::MonitorRequest {
            current: request.current,
            current_profile: None,
            reference: None,
            labels: None,
            preset: None,
            exact: false,
            rolling: None,
            last: None,
            multivariate: false,
            by: None,
            force: request.force,
            read: request.read.clone(),
            now: request.now,
            seed: request.seed,
        },
    )?;
    files::write(workspace, &found.report, files::Format::ALL)?;
    found.keep(workspace)?;
    let summary = monitor::summary(&found.report);
    log(workspace, request, "monitor", began, json!(summary))?;
    round.add(&found.report.verdict.sentence);
    round.monitor = Some(summary);
    let verdict = &found.report.verdict;
    // A table with another number format is not used for training until it is corrected.
    let answer = if verdict.table_first { Answer::CannotTell } else { verdict.retrain };
    round.report = Some(found.report);
    round.done = if answer == Answer::CannotTell { RoundOutcome::CannotTell } else { RoundOutcome::NoReason };
    Ok(answer == Answer::Yes)
}

/// The request for a challenger; an approved one has the options of the approved request.
fn retrain_request<'a>(request: &RoundRequest<'a>, agreed: Option<&'a Ticket>) -> RetrainRequest<'a> {
    RetrainRequest {
        current: request.current,
        set: &[],
        force: request.force || agreed.is_some_and(|ticket| ticket.verdict["force"] == true),
        by: request.by.or(agreed.and_then(|ticket| ticket.requested_by.as_deref())),
        read: request.read.clone(),
        now: request.now,
        seed: request.seed,
        progress: request.progress,
        seconds: request.seconds,
    }
}

/// Trains a challenger from new data.
fn learn(
    workspace: &Workspace,
    lock: &Lock,
    request: &RoundRequest,
    round: &mut Round,
    agreed: Option<&Ticket>,
) -> Result<bool, RoundError> {
    let began = (request.seconds)();
    let found = retrain::retrain(workspace, Some(lock), &retrain_request(request, agreed))?;
    log(workspace, request, "retrain", began, found.summary())?;
    let done = found.done;
    round.learned(found);
    Ok(matches!(done, RetrainOutcome::Retrained | RetrainOutcome::Already))
}

/// Is the challenger better than production?
fn judge(workspace: &Workspace, lock: &Lock, request: &RoundRequest, round: &mut Round) -> Result<(), RoundError> {
    if let Some(experiment) = running(workspace, round.production)? {
        round.add(&format!(
            "Nothing is promoted while the experiment {} runs: end it with mlloop ab-stop --promote-winner, or use \
             mlloop promote, which does not wait.",
            experiment.name
        ));
        round.done = RoundOutcome::Experiment;
        return Ok(());
    }
    let began = (request.seconds)();
    let found = gate::promote(
        workspace,
        Some(lock),
        &gate::PromoteRequest {
            version: None,
            dry_run: false,
            by: request.by,
            allow_equivalent: None,
            overridden: None,
            skip_invalid: request.read.skip_invalid,
            now: request.now,
            seed: request.seed,
            seconds: request.seconds,
        },
    )?;
    let result = json!({ "done": found.done, "version": found.version, "sentence": found.sentence });
    log(workspace, request, "promote", began, result)?;
    round.add(&found.sentence);
    round.done = match found.done {
        gate::PromoteOutcome::Promoted | gate::PromoteOutcome::Already => RoundOutcome::Promoted,
        gate::PromoteOutcome::Waiting => RoundOutcome::Waiting,
        gate::PromoteOutcome::Inconclusive => RoundOutcome::Inconclusive,
        gate::PromoteOutcome::Refused | gate::PromoteOutcome::Nothing | gate::PromoteOutcome::Would => {
            RoundOutcome::Refused
        }
    };
    round.production = workspace.registry().roles()?.production;
    round.request = found.request.clone();
    round.promotion = Some(found);
    Ok(())
}

fn log(workspace: &Workspace, request: &RoundRequest, verb: &str, began: f64, result: Value) -> Result<(), RoundError> {
    let seconds = (request.seconds)() - began;
    Ok(workspace.log(&Run { at: request.now, verb: verb.to_owned(), seconds, result })?)
}
