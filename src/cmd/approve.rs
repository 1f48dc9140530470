use super::{Context, Outcome, Output, notices};
use anyhow::{Result, bail};
use mlloop::atomic::Lock;
use mlloop::gate::{self, Asks, Ticket};
use mlloop::retrain::{Retrained, approval};
use mlloop::round::{self, Round, RoundRequest, Step};
use serde::Serialize;
use serde_json::json;
use std::time::Instant;

/// Agree to a promotion or a retraining that waits for a person, and carry it out
///
/// The request is good for what it was made for, and for approval_days: when a version, the reference, mlloop.toml or
/// production has changed since, it is refused. Who asked cannot agree. A retraining makes a challenger of all labels
/// that are there by now; `mlloop promote` or the next `mlloop run` judges it.
///
///   mlloop status                             what is waiting
///   mlloop approve v0002-3f9a12c4 --by ann
///   mlloop approve v0002 --by ann
///       the beginning of the name does, when it is the only one
///   mlloop approve retrain-81c0de77 --by ann  train the challenger
///   mlloop approve retrain-81c0de77 --by ann --judge
///       train it, and let the gate judge it
///
/// Exit status: 0 promoted or trained, 1 nothing is new to learn from, 2 error: no such request, or it can no longer be
/// approved, 3 too few labels. With --judge that of `mlloop run`: 1 also refused, 3 also cannot tell, 4 the promotion
/// waits for approval.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The request, as `run`, `promote` and `status` name it
    #[arg(value_name = "ID")]
    id: String,
    /// Who agrees
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: String,
    /// Once a retraining is done, let the gate judge the challenger
    #[arg(long)]
    judge: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    ctx.workspace.config()?;
    let lock = ctx.lock()?;
    if gate::find(&ctx.workspace, &args.id)?.asks == Asks::Retraining {
        return train(args, ctx, out, lock, started);
    }
    let decided = gate::approve(&ctx.workspace, &lock, &args.id, &args.by, ctx.now)?;
    ctx.log(
        "approve",
        started,
        json!({ "id": decided.request.id, "by": args.by, "version": decided.request.version }),
    )?;
    let version = decided.request.version;
    out.answer(&decided, |style| {
        let told = if decided.already { "was promoted already" } else { "is production now" };
        format!("{} {told}\n{}", style.bold(&version.to_string()), super::promote::pruned(&decided.pruned))
    })?;
    drop(lock);
    let told = format!("{version} is production now: {} agreed", args.by);
    let told = notices::promoted(ctx, &decided.request, &told);
    notices::tell(ctx, Some(told).filter(|_| !decided.already).into_iter().collect());
    Ok(Outcome::Yes)
}

/// The answer to a retraining that was agreed to.
#[derive(Serialize)]
struct Trained<'a> {
    request: &'a Ticket,
    /// Whether it had been agreed to before.
    already: bool,
    retrain: &'a Retrained,
}

/// The same, when the gate has judged what was trained.
#[derive(Serialize)]
struct Judged<'a> {
    request: &'a Ticket,
    already: bool,
    /// Where it ended, as `run` says it; the request in it is what waits now.
    round: &'a Round,
}

/// Agrees to a retraining and carries it out. A process that dies in between has left the word: the next `run` trains.
fn train(args: &Args, ctx: &Context, out: &mut Output, lock: Lock, started: Instant) -> Result<Outcome> {
    let (ticket, already) = approval::approve(&ctx.workspace, &lock, &args.id, &args.by, ctx.now)?;
    let steps = ctx.progress.steps();
    let request = RoundRequest {
        current: None,
        force: ticket.verdict["force"] == true,
        step: (!args.judge).then_some(Step::Retrain),
        by: None,
        agrees: true,
        skip_invalid: false,
        now: ctx.now,
        seed: ctx.seed,
        progress: &|what, done, total| steps.at(what, done, total),
        seconds: &|| started.elapsed().as_secs_f64(),
    };
    let round = round::agreed(&ctx.workspace, &lock, &request, ticket.clone())?;
    steps.finish();
    let version = round.retrain.as_ref().and_then(|found| found.version);
    ctx.log("approve", started, json!({ "id": ticket.id, "by": args.by, "version": version }))?;
    drop(lock);
    if args.judge {
        let answer = Judged { request: &ticket, already, round: &round };
        out.answer(&answer, |style| super::run::readable(&round, style))?;
        super::run::tell(ctx, &round);
        return Ok(super::run::outcome(round.done));
    }
    let Some(found) = &round.retrain else { bail!("{} was approved, and nothing was trained", ticket.id) };
    let answer = Trained { request: &ticket, already, retrain: found };
    out.answer(&answer, |style| format!("{}\n", style.bold(&found.sentence)))?;
    notices::tell(ctx, super::retrain::notice(found).into_iter().collect());
    Ok(super::retrain::outcome(found.done))
}
