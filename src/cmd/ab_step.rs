use super::ab_start::table;
use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result};
use mlloop::ab::Experiment;
use mlloop::ab::rollout::{self, Move};

/// Take the next step of a rollout, when it is due and nothing became worse
///
/// The guardrails are checked on the units whose outcome is final. When one breaks, production answers everybody at once;
/// when nobody can tell, the rollout stays where it is. Meant for a crontab.
///
///   mlloop ab-step
///   mlloop ab-step --plan --text            the steps, and where it stands
///
/// Exit status: 0 it moved on, 1 it went back, or nothing is due, 2 error, 3 it holds because nobody can tell.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Show the steps and where it stands, and change nothing
    #[arg(long)]
    plan: bool,
    /// Who takes the step
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: Option<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    ctx.workspace.config()?;
    if args.plan {
        let experiment = Experiment::load(&ctx.workspace)?.context("there is no experiment")?;
        out.answer(&experiment, |style| format!("{}\n{}", style.bold(&experiment.name), table(&experiment, style)))?;
        return Ok(Outcome::Yes);
    }
    let lock = ctx.lock()?;
    let stepped = rollout::step(&ctx.workspace, &lock, args.by.as_deref(), ctx.now)?;
    let said = match stepped.done {
        Move::On => "moved on",
        Move::Back => "went back",
        Move::NotDue => "not due",
        Move::Holds => "holds",
        Move::Finished => "nothing to do",
    };
    out.answer(&stepped, |style| {
        format!("{}: {}\n{}", style.bold(said), stepped.sentence, table(&stepped.experiment, style))
    })?;
    Ok(match stepped.done {
        Move::On => Outcome::Yes,
        Move::Back | Move::NotDue | Move::Finished => Outcome::No,
        Move::Holds => Outcome::CannotTell,
    })
}
