use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::ab::stop::{self, StopOutcome};
use mlloop::gate::{self, PromoteRequest};
use std::time::Instant;

/// End the experiment; optionally promote the winner
///
/// With --promote-winner it ends only if an arm wins and its version passes the gate, with the same rules, approval and
/// audit as `promote`; otherwise it continues.
///
///   mlloop ab-stop
///   mlloop ab-stop --promote-winner --by ann
///
/// Exit status: 0 it has ended, 1 no arm wins or the gate refused, 2 error, 3 too few units or rows to tell, 4 waiting
/// for approval. After 1, 3 and 4 it continues.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Promote the version of the winning arm
    #[arg(long)]
    promote_winner: bool,
    /// Who ends it, for the audit chain
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: Option<String>,
    /// Also promote a version that the gate finds equivalent, for this reason
    #[arg(long, value_name = "REASON", requires = "promote_winner")]
    allow_equivalent: Option<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    ctx.workspace.config()?;
    let lock = ctx.lock()?;
    let request = PromoteRequest {
        version: None,
        dry_run: false,
        by: args.by.as_deref(),
        allow_equivalent: args.allow_equivalent.as_deref(),
        overridden: None,
        skip_invalid: false,
        now: ctx.now,
        seed: ctx.seed,
        seconds: &|| started.elapsed().as_secs_f64(),
    };
    let stopped = stop::stop(&ctx.workspace, &lock, args.promote_winner, &request)?;
    out.answer(&stopped, |style| format!("{}\n", style.bold(&stopped.sentence)))?;
    let gate = stopped.promotion.as_ref().map(|promotion| promotion.done);
    Ok(match (stopped.done, gate) {
        (StopOutcome::Stopped | StopOutcome::Already, _) => Outcome::Yes,
        (StopOutcome::KeepRunning, _) | (StopOutcome::NotPromoted, Some(gate::PromoteOutcome::Inconclusive)) => {
            Outcome::CannotTell
        }
        (StopOutcome::NotPromoted, Some(gate::PromoteOutcome::Waiting)) => Outcome::Waiting,
        (StopOutcome::NoWinner | StopOutcome::NotPromoted, _) => Outcome::No,
    })
}
