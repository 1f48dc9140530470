//! The whole loop once, as a scheduler would run it: what `run` does.
//!
//! ```text
//! a rollout's step ─ due, and nothing is worse ─▶ next step (back, when something is)
//! pending approval ─▶ waiting
//! challenger that nobody has judged ───────────────────────┐   (a run that died is taken up where it stopped)
//! monitor ─ a reason? ─▶ retrain ─ a challenger? ──────────┴▶ gate ─▶ production, or a person is asked
//!             └no            └no, too few, too soon               └no
//! ```
//! One lock is held from the first look to the last write.

use crate::ab::rollout::{self, Move};
use crate::ab::{AbError, Experiment};
use crate::atomic::Lock;
use crate::drift::report::{Answer, DriftReport};
use crate::gate::{self, GateError, Promotion, Ticket};
use crate::monitor::{self, MonitorError, files};
use crate::pipeline::FitProgress;
use crate::reference::{self, ReferenceError};
use crate::registry::{RegistryError, Version};
use crate::retrain::{self, RetrainError, Retrained};
use crate::table::{Rejects, Spool, TableOptions};
use crate::workspace::{Run, Workspace, WorkspaceError};
use serde::Serialize;
use serde_json::{Value, json};

/// What can go wrong on the way around the loop.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// While the loop was watched.
    #[error("{0}")]
    Monitor(#[from] MonitorError),
    /// On the way to a challenger.
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

/// What is wanted.
pub struct RoundRequest<'a> {
    /// What arrived; `[monitor] current` when `None`.
    pub current: Option<&'a Spool>,
    /// Retrain whatever `monitor` finds and however few labels are new.
    pub force: bool,
    /// Who asks for the promotion.
    pub by: Option<&'a str>,
    /// Leave out rows that do not fit.
    pub skip_invalid: bool,
    /// The present.
    pub now: jiff::Timestamp,
    /// Seed of everything random.
    pub seed: u64,
    /// Is told how far it is.
    pub progress: &'a FitProgress<'a>,
    /// A stopwatch, in seconds.
    pub seconds: &'a dyn Fn() -> f64,
}

/// Where the round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundOutcome {
    /// There is another version in production.
    Promoted,
    /// The challenger is not good enough.
    Refused,
    /// The gate rows cannot tell.
    Inconclusive,
    /// A person has to agree.
    Waiting,
    /// A person did not agree.
    Rejected,
    /// There is no reason to retrain.
    NoReason,
    /// Too little arrived to say.
    CannotTell,
    /// There is a reason, and nothing new to learn from.
    NothingNew,
    /// There is a reason, and too few new labels.
    TooFew,
    /// There is a reason, and the last retrain was too recent.
    TooSoon,
}

/// The answer of `run`.
#[derive(Debug, Serialize)]
pub struct Round {
    /// Where it ended.
    pub done: RoundOutcome,
    /// The version in production now.
    pub production: Option<Version>,
    /// What happened, in a few sentences.
    pub sentence: String,
    /// What the rollout of the running experiment did; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Value>,
    /// What `monitor` found, in short; absent when the loop took up an earlier round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Value>,
    /// What `retrain` did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retrain: Option<Retrained>,
    /// What the gate said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Promotion>,
    /// What waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Ticket>,
    /// The whole report, for those who tell people of drift.
    #[serde(skip)]
    pub report: Option<DriftReport>,
}

impl Round {
    /// Rows that were left out on the way.
    pub fn rejects(&self) -> impl Iterator<Item = &Rejects> {
        let retrained = self.retrain.iter().map(|found| &found.rejects);
        retrained.chain(self.promotion.iter().map(|found| &found.rejects))
    }

    /// Remembers what a person decided about the request.
    pub fn decided(&mut self, done: RoundOutcome, production: Option<Version>, sentence: &str) {
        self.done = done;
        self.production = production;
        self.add(sentence);
    }

    fn add(&mut self, sentence: &str) {
        if !self.sentence.is_empty() {
            self.sentence.push(' ');
        }
        self.sentence.push_str(sentence);
    }
}

/// Goes around the loop once.
///
/// # Errors
/// Whatever the parts say; what an earlier part has done stays done, and the next round goes on from there.
pub fn run(workspace: &Workspace, lock: &Lock, request: &RoundRequest) -> Result<Round, RoundError> {
    reference::settle(workspace, lock, request.now)?;
    let roles = workspace.registry().roles()?;
    let mut round = Round {
        done: RoundOutcome::NoReason,
        production: roles.production,
        sentence: String::new(),
        rollout: None,
        monitor: None,
        retrain: None,
        promotion: None,
        request: None,
        report: None,
    };
    roll(workspace, lock, request, &mut round)?;
    let waits = |ticket: &Ticket| {
        Some(ticket.version) == roles.challenger
            && Some(ticket.production) == roles.production
            && request.now < ticket.expires_at
    };
    if let Some(ticket) = gate::pending(workspace)?.into_iter().find(waits) {
        round.add(&format!("{} waits for approval: mlloop approve {} --by NAME", ticket.version, ticket.id));
        round.done = RoundOutcome::Waiting;
        round.request = Some(ticket);
        return Ok(round);
    }
    let chain = workspace.audit_chain()?;
    let unjudged = match roles.challenger {
        Some(version) if chain.is_unjudged(version)? => Some(version),
        _ => None,
    };
    match unjudged {
        Some(version) => round.add(&format!("{version} is a challenger that nobody has judged.")),
        None => {
            if !watch(workspace, lock, request, &mut round)? || !learn(workspace, lock, request, &mut round)? {
                return Ok(round);
            }
        }
    }
    judge(workspace, lock, request, &mut round)?;
    Ok(round)
}

/// The step of a rollout that is due, when nothing became worse; back to the first arm when something did.
fn roll(workspace: &Workspace, lock: &Lock, request: &RoundRequest, round: &mut Round) -> Result<(), RoundError> {
    let began = (request.seconds)();
    let rolls = |experiment: &Experiment| {
        let open = experiment.rollout.as_ref().is_some_and(|rollout| rollout.went_back.is_none());
        experiment.applies(round.production) && open
    };
    if !Experiment::load(workspace)?.is_some_and(|experiment| rolls(&experiment)) {
        return Ok(());
    }
    let stepped = rollout::step(workspace, lock, request.by, request.now)?;
    let result = json!({ "move": stepped.done, "sentence": stepped.sentence, "weights": stepped.weights });
    if matches!(stepped.done, Move::On | Move::Back) {
        log(workspace, request, "ab-step", began, result.clone())?;
        let what = if stepped.done == Move::On { "moved on" } else { "went back" };
        round.add(&format!("The rollout {} {what}: {}.", stepped.experiment.name, stepped.sentence));
    }
    round.rollout = Some(result);
    Ok(())
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
            read: TableOptions { skip_invalid: request.skip_invalid, ..TableOptions::default() },
            now: request.now,
            seed: request.seed,
        },
    )?;
    files::write(workspace, &found.report, &[files::Format::Json, files::Format::Html, files::Format::Png])?;
    let summary = monitor::summary(&found.report);
    log(workspace, request, "monitor", began, summary.clone())?;
    round.add(&found.report.verdict.sentence);
    round.monitor = Some(summary);
    let answer = found.report.verdict.retrain;
    round.report = Some(found.report);
    round.done = if answer == Answer::CannotTell { RoundOutcome::CannotTell } else { RoundOutcome::NoReason };
    Ok(answer == Answer::Yes)
}

/// A challenger from what is new.
fn learn(workspace: &Workspace, lock: &Lock, request: &RoundRequest, round: &mut Round) -> Result<bool, RoundError> {
    let began = (request.seconds)();
    let found = retrain::retrain(
        workspace,
        Some(lock),
        &retrain::RetrainRequest {
            current: request.current,
            set: &[],
            force: request.force,
            skip_invalid: request.skip_invalid,
            now: request.now,
            seed: request.seed,
            progress: request.progress,
            seconds: request.seconds,
        },
    )?;
    log(workspace, request, "retrain", began, found.summary())?;
    round.add(&found.sentence);
    let done = found.done;
    round.retrain = Some(found);
    round.done = match done {
        retrain::RetrainOutcome::TooFew => RoundOutcome::TooFew,
        retrain::RetrainOutcome::TooSoon => RoundOutcome::TooSoon,
        _ => RoundOutcome::NothingNew,
    };
    Ok(matches!(done, retrain::RetrainOutcome::Retrained | retrain::RetrainOutcome::Already))
}

/// Does the challenger deserve production?
fn judge(workspace: &Workspace, lock: &Lock, request: &RoundRequest, round: &mut Round) -> Result<(), RoundError> {
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
            skip_invalid: request.skip_invalid,
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
