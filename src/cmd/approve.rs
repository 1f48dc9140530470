use super::{Context, Outcome, Output, notices};
use anyhow::Result;
use mlloop::gate;
use mlloop::notify::{Kind, Notice};
use mlloop::registry::Version;
use serde_json::json;
use std::time::Instant;

/// Agree to a promotion that waits for a person, and carry it out
///
/// The request is good for what it was made for, and for approval_days: when a version, the reference, mlloop.toml or
/// production has changed since, it is refused. Who asked cannot agree.
///
///   mlloop status                             what is waiting
///   mlloop approve v0002-3f9a12c4 --by ann
///   mlloop approve v0002 --by ann             the beginning of the name does, when it is the only one
///
/// Exit status: 0 promoted, 2 error: no such request, or it can no longer be approved.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The request, as `promote` and `status` name it
    #[arg(value_name = "ID")]
    id: String,
    /// Who agrees
    #[arg(long, value_name = "NAME")]
    by: String,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    ctx.workspace.config()?;
    let lock = ctx.workspace.lock()?;
    let decided = gate::approve(&ctx.workspace, &lock, &args.id, &args.by, ctx.now)?;
    ctx.log(
        "approve",
        started,
        json!({ "id": decided.request.id, "by": args.by, "version": decided.request.version }),
    )?;
    let version = decided.request.version;
    out.answer(&decided, |style| {
        let told = if decided.already { "was promoted already" } else { "is production now" };
        format!("{} {told}\n{}", style.bold(&version.to_string()), pruned(&decided.pruned))
    })?;
    drop(lock);
    let told = format!("{version} is production now: {} agreed", args.by);
    let told = Notice::new(Kind::Promoted, version.to_string(), told);
    notices::tell(ctx, Some(told).filter(|_| !decided.already).into_iter().collect());
    Ok(Outcome::Yes)
}

/// A line on versions that were removed.
pub(super) fn pruned(versions: &[Version]) -> String {
    match versions {
        [] => String::new(),
        versions => {
            let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
            format!("pruned: {}\n", names.join(", "))
        }
    }
}
