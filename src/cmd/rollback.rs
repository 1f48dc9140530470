use super::{Context, Outcome, Output, notices};
use anyhow::Result;
use mlloop::gate;
use mlloop::notify::{Kind, Notice};
use mlloop::registry::Version;
use serde_json::json;
use std::time::Instant;

/// Restore a version that was in production before
///
/// The version's stored test rows (golden.csv) are re-scored first and must give the same scores; nothing is trained.
/// Without VERSION it restores the previous one. Repeating the command changes nothing: name a version to go further back.
///
///   mlloop rollback
///   mlloop rollback v0002 --by ann --reason "complaints from the call centre"
///
/// Exit status: 0 that version is in production, 2 error: there is no previous one, or its files are damaged.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A version that was in production (default: the previous one)
    #[arg(value_name = "VERSION")]
    version: Option<Version>,
    /// Who restores it
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: Option<String>,
    /// The reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    ctx.workspace.config()?;
    let lock = ctx.lock()?;
    let (by, reason) = (args.by.as_deref(), args.reason.as_deref());
    let done = gate::rollback(&ctx.workspace, &lock, args.version, by, reason, ctx.now)?;
    ctx.log("rollback", started, json!(done))?;
    out.answer(&done, |style| {
        let version = style.bold(&done.production.to_string());
        match done.already {
            true => format!("{version} is already in production; name a version to go further back\n"),
            false => format!("{version} is in production again, instead of {}\n", done.from),
        }
    })?;
    drop(lock);
    let told = format!("{} is in production again, instead of {}", done.production, done.from);
    let told = Notice::new(Kind::RolledBack, done.production.to_string(), told);
    notices::tell(ctx, Some(told).filter(|_| !done.already).into_iter().collect());
    Ok(Outcome::Yes)
}
