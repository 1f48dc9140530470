use super::ab_start::table;
use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result};
use mlloop::ab::Experiment;
use mlloop::ab::rollout::{self, Move};

/// Take the next step of a rollout, if it is due and no guardrail broke
///
/// The guardrails are checked on units with a final outcome. If one breaks, production answers all units at once. If the
/// units are too few to tell, the rollout stays at its step. Meant for a crontab.
///
///   mlloop ab-step
///   mlloop ab-step --plan --text            show all steps and the current one
///
/// Exit status: 0 next step taken, 1 rolled back or nothing due, 2 error, 3 cannot tell: stays at its step.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Show all steps and the current one; change nothing
    #[arg(long)]
    plan: bool,
    /// Who takes the step, for the audit chain
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
        Move::On => "next step",
        Move::Back => "rolled back",
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
