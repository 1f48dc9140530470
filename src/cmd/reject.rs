use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::gate;
use serde_json::json;
use std::time::Instant;

/// Turn down a promotion that waits for a person
///
/// The version stays stored and is the challenger no more.
///
///   mlloop reject v0002-3f9a12c4 --by ann --reason "the drop in June is not understood"
///
/// Exit status: 0 rejected, 2 error: no such request, or it has been decided.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The request, as `promote` and `status` name it
    #[arg(value_name = "ID")]
    id: String,
    /// Who turns it down
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    ctx.workspace.config()?;
    let lock = ctx.workspace.lock()?;
    let decided = gate::reject(&ctx.workspace, &lock, &args.id, &args.by, &args.reason, ctx.now)?;
    ctx.log("reject", started, json!({ "id": decided.request.id, "by": args.by, "version": decided.request.version }))?;
    let version = decided.request.version;
    out.answer(&decided, |style| format!("{} is rejected: {}\n", style.bold(&version.to_string()), args.reason))?;
    Ok(Outcome::Yes)
}
