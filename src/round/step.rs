//! One step of a round by itself, for a scheduler that has a task for each: what `run --step` does.
//!
//! A step decides as the whole round would: with `approval = "manual"` a person is asked, and while an experiment runs
//! nothing is promoted. Only whether there is a reason to retrain is left to the scheduler.

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
    // What the person who may have to agree reads.
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
