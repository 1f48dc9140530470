use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::answers::TurnedDown;
use mlloop::gate::{self, Asks};
use mlloop::retrain::approval;
use serde_json::json;
use std::time::Instant;

/// Reject a promotion or a retraining that waits for approval
///
/// A rejected version stays stored, but is no longer the challenger. A rejected retraining changes nothing; `mlloop run`
/// asks again after min_new_labels more labels, or after approval_days.
///
///   mlloop reject v0002-3f9a12c4 --by ann \
///       --reason "the drop in June is not understood"
///   mlloop reject retrain-81c0de77 --by ann \
///       --reason "the labels of June are not checked yet"
///
/// Exit status: 0 rejected, 2 error: no such request, or it was already decided.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The request, as `run`, `promote` and `status` name it
    #[arg(value_name = "ID")]
    id: String,
    /// Who rejects it
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: String,
    /// The reason
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    ctx.workspace.config()?;
    let lock = ctx.lock()?;
    if gate::find(&ctx.workspace, &args.id)?.asks == Asks::Retraining {
        let request = approval::reject(&ctx.workspace, &lock, &args.id, &args.by, &args.reason, ctx.now)?;
        ctx.log("reject", started, json!({ "id": request.id, "by": args.by }))?;
        let id = request.id.clone();
        out.answer(&TurnedDown { request }, |style| {
            format!("{} is rejected: {}; nothing was changed\n", style.bold(&id), args.reason)
        })?;
        return Ok(Outcome::Yes);
    }
    let decided = gate::reject(&ctx.workspace, &lock, &args.id, &args.by, &args.reason, ctx.now)?;
    ctx.log("reject", started, json!({ "id": decided.request.id, "by": args.by, "version": decided.request.version }))?;
    let version = decided.request.version;
    out.answer(&decided, |style| format!("{} is rejected: {}\n", style.bold(&version.to_string()), args.reason))?;
    Ok(Outcome::Yes)
}
