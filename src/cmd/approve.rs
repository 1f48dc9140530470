use super::{Context, Outcome, Output, notices};
use anyhow::{Result, bail};
use mlloop::answers::{Judged, Trained};
use mlloop::atomic::Lock;
use mlloop::gate::{self, Asks};
use mlloop::retrain::approval;
use mlloop::round::{self, RoundRequest, Step};
use mlloop::table::TableOptions;
use serde_json::json;
use std::time::Instant;

/// Approve a promotion or a retraining that waits for approval, and carry it out
///
/// A request expires after approval_days. It is refused if a version, the reference, mlloop.toml or production has
/// changed since. The person who requested it cannot approve it. A retraining uses all labels present now; `mlloop
/// promote` or the next `mlloop run` then evaluates the challenger.
///
///   mlloop status                             lists waiting requests
///   mlloop approve v0002-3f9a12c4 --by ann
///   mlloop approve v0002 --by ann
///       an unambiguous beginning of the name is enough
///   mlloop approve retrain-81c0de77 --by ann  train a challenger
///   mlloop approve retrain-81c0de77 --by ann --judge
///       train it, then let the gate decide
///
/// Exit status: 0 promoted or trained, 1 no new labels, 2 error: no such request, or it can no longer be approved, 3 too
/// few labels. With --judge as for `mlloop run`: also 1 refused, 3 cannot tell, 4 the promotion waits for approval.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The request, as `run`, `promote` and `status` name it
    #[arg(value_name = "ID")]
    id: String,
    /// Who approves it
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: String,
    /// After a retraining, let the gate decide about the challenger
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
        let told = if decided.already { "was already promoted" } else { "is now in production" };
        format!("{} {told}\n{}", style.bold(&version.to_string()), super::promote::pruned(&decided.pruned))
    })?;
    drop(lock);
    let told = format!("{version} is now in production: {} approved it", args.by);
    let told = notices::promoted(ctx, &decided.request, &told);
    notices::tell(ctx, Some(told).filter(|_| !decided.already).into_iter().collect());
    Ok(Outcome::Yes)
}

/// Approves a retraining and carries it out. The approval is recorded first: if the process dies before training, the
/// next `run` trains.
fn train(args: &Args, ctx: &Context, out: &mut Output, lock: Lock, started: Instant) -> Result<Outcome> {
    let (ticket, already) = approval::approve(&ctx.workspace, &lock, &args.id, &args.by, ctx.now)?;
    let steps = ctx.progress.steps();
    let request = RoundRequest {
        current: None,
        force: ticket.verdict["force"] == true,
        step: (!args.judge).then_some(Step::Retrain),
        by: None,
        agrees: true,
        read: TableOptions::default(),
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
    let Some(found) = &round.retrain else { bail!("{} was approved, but nothing was trained", ticket.id) };
    let answer = Trained { request: &ticket, already, retrain: found };
    out.answer(&answer, |style| format!("{}\n", style.bold(&found.sentence)))?;
    notices::tell(ctx, super::retrain::notice(found).into_iter().collect());
    Ok(super::retrain::outcome(found.done))
}
