use super::{Context, Outcome, Output, notices};
use anyhow::Result;
use mlloop::gate;
use mlloop::notify::{Kind, Notice};
use mlloop::registry::Version;
use serde_json::json;
use std::time::Instant;

/// Put a version back that was in production before
///
/// The version's golden rows are scored first and must agree; nothing is trained. Without VERSION it is the one before;
/// repeated, it changes nothing more, and a version further back has to be named.
///
///   mlloop rollback
///   mlloop rollback v0002 --by ann --reason "complaints from the call centre"
///
/// Exit status: 0 that version is production, 2 error: there is none to go back to, or its files are damaged.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A version that was in production (default: the one before)
    #[arg(value_name = "VERSION")]
    version: Option<Version>,
    /// Who does it
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: Option<String>,
    /// Why
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
            true => format!("{version} is production already; name a version to go further back\n"),
            false => format!("{version} is production again, instead of {}\n", done.from),
        }
    })?;
    drop(lock);
    let told = format!("{} is production again, instead of {}", done.production, done.from);
    let told = Notice::new(Kind::RolledBack, done.production.to_string(), told);
    notices::tell(ctx, Some(told).filter(|_| !done.already).into_iter().collect());
    Ok(Outcome::Yes)
}
