//! A rollout advances in steps while its guardrails hold, and reverts if one breaks.
//!
//! ```text
//!           ┌── not due, or cannot tell: stays ──┐
//! step 1 ───┴──▶ step 2 ──▶ … ──▶ last step      │
//!    └────────────┴── a guardrail breaks ──▶ the first arm alone, permanently
//! ```

use super::experiment::{Epoch, Experiment, FILE};
use super::log::{self, Asked};
use super::report::{AbReport, RailState, SrmState};
use super::{AbError, start};
use crate::atomic::Lock;
use crate::period::Period;
use crate::workspace::{EventKind, Workspace};
use jiff::Timestamp;
use serde::Serialize;

/// What a rollout does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Move {
    /// To the next step.
    On,
    /// Back to the first arm.
    Back,
    /// It stays: the step is not over.
    NotDue,
    /// It stays: too few units.
    Holds,
    /// It is finished: the last step is reached, or it went back.
    Finished,
}

/// What a rollout did, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stepped {
    /// What it did.
    #[serde(rename = "move")]
    pub done: Move,
    /// The reason, in one sentence.
    pub sentence: String,
    /// The weights that hold now, in the order of the arms.
    pub weights: Vec<f64>,
    /// The experiment now.
    pub experiment: Experiment,
}

/// A step of a rollout with its time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scheduled {
    /// Its number, from 1.
    pub step: usize,
    /// Total share of units of all arms except the first.
    pub share: f64,
    /// When it began; for a later step, its earliest time.
    pub from: Timestamp,
    /// Its minimum duration.
    pub hold: Period,
    /// `done`, `here`, `went back` or `next`; of an experiment that has ended `ended` and `not taken`.
    pub state: &'static str,
}

/// The steps of an experiment's rollout with their times; empty without a rollout.
#[must_use]
pub fn schedule(experiment: &Experiment) -> Vec<Scheduled> {
    let Some(rollout) = &experiment.rollout else { return Vec::new() };
    let mut from = experiment.epochs.first().map_or(Timestamp::UNIX_EPOCH, |epoch| epoch.from);
    let mut steps = Vec::with_capacity(rollout.steps.len());
    for (n, step) in rollout.steps.iter().enumerate() {
        // Each step taken is an epoch.
        let taken = experiment.epochs.get(n).filter(|_| n <= rollout.at);
        from = taken.map_or(from, |epoch| epoch.from);
        let state = match n.cmp(&rollout.at) {
            std::cmp::Ordering::Greater if experiment.ended.is_some() => "not taken",
            std::cmp::Ordering::Equal if experiment.ended.is_some() && rollout.went_back.is_none() => "ended",
            std::cmp::Ordering::Less => "done",
            std::cmp::Ordering::Equal if rollout.went_back.is_some() => "went back",
            std::cmp::Ordering::Equal => "here",
            std::cmp::Ordering::Greater => "next",
        };
        steps.push(Scheduled { step: n + 1, share: step.share, from, hold: step.hold, state });
        from = step.hold.after(from);
    }
    steps
}

/// Decides the next move of the rollout of a running experiment.
///
/// # Errors
/// [`AbError::Usage`] if it has none or has ended.
pub fn decide(experiment: &Experiment, report: &AbReport, now: Timestamp) -> Result<(Move, String), AbError> {
    let Some(rollout) = experiment.rollout.as_ref().filter(|_| experiment.is_running()) else {
        let what = if experiment.is_running() { "keeps its weights: it has no rollout" } else { "has ended" };
        return Err(AbError::Usage(format!("the experiment {:?} {what}", experiment.name)));
    };
    if let Some(why) = &rollout.went_back {
        return Ok((
            Move::Finished,
            format!(
                "the rollout went back to the first arm: {why}; end it with `mlloop \
                                            ab-stop`"
            ),
        ));
    }
    if let Some(rail) = report.guardrails.iter().find(|rail| rail.state == RailState::Broken) {
        let why = format!(
            "{} of arm {} is worse by {:.4} (sequence {:.4} to {:.4} better)",
            rail.measure.name(),
            rail.arm,
            -rail.gain,
            rail.low,
            rail.high
        );
        return Ok((Move::Back, why));
    }
    if rollout.at + 1 == rollout.steps.len() {
        let how = match experiment.rolled_out() {
            Some(_) => "`mlloop ab-stop --promote-winner` runs the gate and makes the winner permanent",
            None => "`mlloop promote VERSION` makes an arm permanent",
        };
        return Ok((Move::Finished, format!("the last step is reached; {how}")));
    }
    let since = experiment.epochs.last().map_or(now, |epoch| epoch.from);
    let due = rollout.steps[rollout.at].hold.after(since);
    if now < due {
        return Ok((Move::NotDue, format!("step {} lasts until {due}", rollout.at + 1)));
    }
    Ok(match unknown(report, rollout.min_units) {
        Some(why) => (Move::Holds, why),
        None => (Move::On, format!("step {} of {}: the guardrails hold", rollout.at + 2, rollout.steps.len())),
    })
}

/// Why the guardrails cannot be judged yet.
fn unknown(report: &AbReport, min_units: u64) -> Option<String> {
    if report.srm.state == SrmState::Stop {
        return Some(report.verdict.sentence.clone());
    }
    let known = |arm: usize| report.outcomes.first().and_then(|o| o.arms.get(arm)).map_or(0, |arm| arm.n);
    if let Some(arm) = (0..report.arms.len()).find(|&arm| known(arm) < min_units) {
        let (name, n) = (&report.arms[arm].name, known(arm));
        return Some(format!("arm {name} has {n} units with a final outcome and needs {} more", min_units - n));
    }
    let rail = report.guardrails.iter().find(|rail| rail.state == RailState::CannotTell)?;
    Some(format!("{} of arm {} may still be worse by more than {}", rail.measure.name(), rail.arm, rail.margin))
}

/// Takes the next step if it is due.
///
/// # Errors
/// As [`decide`] and [`log::report`]; any error of the workspace.
pub fn step(workspace: &Workspace, lock: &Lock, by: Option<&str>, now: Timestamp) -> Result<Stepped, AbError> {
    let experiment = Experiment::load(workspace)?.ok_or_else(|| AbError::None(workspace.path(FILE)))?;
    let report = log::report(workspace, &Asked { margin: None, fixed: false, force: false, now })?;
    let (done, sentence) = decide(&experiment, &report, now)?;
    let moved = moved(&experiment, done, &sentence, now);
    if moved != experiment {
        start::commit(workspace, lock, EventKind::AbStepped, &moved, by, now, (&sentence, None))?;
    }
    Ok(Stepped { done, sentence, weights: moved.weights().to_vec(), experiment: moved })
}

/// The experiment after a move.
fn moved(experiment: &Experiment, done: Move, sentence: &str, now: Timestamp) -> Experiment {
    let mut moved = experiment.clone();
    let Some(rollout) = moved.rollout.as_mut() else { return moved };
    let share = match done {
        Move::On => {
            rollout.at += 1;
            rollout.steps[rollout.at].share
        }
        Move::Back => {
            rollout.went_back = Some(sentence.to_owned());
            0.0
        }
        Move::NotDue | Move::Holds | Move::Finished => return moved,
    };
    let weights = moved.weights_for(share);
    moved.epochs.push(Epoch { from: now, weights });
    moved
}
