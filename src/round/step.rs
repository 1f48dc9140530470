//! A single step of a round, for a scheduler with a task for each: the logic of `run --step`.
//!
//! A step decides as in the whole round: with `approval = "manual"` it requests approval, and while an experiment runs
//! nothing is promoted. Only the reason to retrain is up to the scheduler.

use super::answer::{Round, RoundOutcome};
use super::request::{RoundRequest, Step};
use super::{RoundError, judge, learn, may_learn, open_promotion, roll, unjudged, watch};
use crate::atomic::Lock;
use crate::reference;
use crate::retrain::approval;
use crate::workspace::Workspace;

/// Takes one step.
///
/// # Errors
/// As [`super::run`].
pub(super) fn take(
    workspace: &Workspace,
    lock: &Lock,
    request: &RoundRequest,
    step: Step,
) -> Result<Round, RoundError> {
    reference::settle(workspace, lock, request.now)?;
    let roles = workspace.registry().roles()?;
    let mut round = Round::begins(roles.production);
    if step == Step::Monitor {
        roll(workspace, lock, request, &mut round)?;
        if watch(workspace, lock, request, &mut round)? {
            round.done = RoundOutcome::Reason;
        }
        return Ok(round);
    }
    if let Some(ticket) = open_promotion(workspace, &roles, request.now)? {
        round.add(&ticket.waits());
        round.waits(ticket);
        return Ok(round);
    }
    if step == Step::Promote {
        judge(workspace, lock, request, &mut round)?;
        return Ok(round);
    }
    let chain = workspace.audit_chain()?;
    if let Some(version) = unjudged(&chain, &roles)? {
        round.add(&format!("{version} is a challenger that the gate has not judged."));
        round.done = RoundOutcome::Challenger;
        return Ok(round);
    }
    // Shown to the approver.
    round.add("A challenger was requested.");
    let agreed = approval::agreed(workspace, &chain, roles.production, request.now)?;
    if agreed.is_none() && !may_learn(workspace, lock, request, &mut round, true)? {
        return Ok(round);
    }
    if learn(workspace, lock, request, &mut round, agreed.as_ref())? {
        round.done = RoundOutcome::Challenger;
    }
    Ok(round)
}
