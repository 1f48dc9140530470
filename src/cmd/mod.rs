//! The verbs: one small file each, the enum that lists them, and the one match that calls them.

mod ab_report;
mod ab_start;
mod ab_status;
mod ab_step;
mod ab_stop;
mod approve;
mod args;
mod audit;
mod audit_replay;
pub(crate) mod complete;
mod completions;
mod context;
#[cfg(not(feature = "serve"))]
mod absent;
#[cfg(feature = "serve")]
mod dashboard;
mod demo;
mod doctor;
mod download;
mod ending;
mod export;
mod features;
mod feedback;
pub(crate) mod hint;
mod init;
mod label_export;
mod label_import;
mod man;
mod monitor;
mod notices;
mod output;
mod predict;
mod profile;
mod progress;
mod promote;
mod pull;
mod push;
mod reject;
mod retrain;
mod report;
mod rollback;
mod run;
#[cfg(feature = "serve")]
mod serve;
mod several;
mod simulate;
mod split;
mod status;
mod studio;
mod track;
mod train;
pub(crate) mod usage;
pub(crate) mod wrap;

use anyhow::{Result, bail};
use clap::{FromArgMatches, Parser, Subcommand};
use mlloop::workspace::Workspace;

pub(crate) use args::Global;
pub(crate) use context::Context;
pub(crate) use output::Output;

/// The result of a command; the exit status is its number (docs: `mlloop --help`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Yes, or done.
    Yes,
    /// No: nothing to do.
    No,
    /// Bad usage, bad input or I/O; nothing was changed.
    Error,
    /// Too few rows or labels to answer.
    CannotTell,
    /// An approval is pending.
    Waiting,
}

impl Outcome {
    /// The exit status; `exit_zero` turns every answer but an error into 0.
    pub(crate) fn exit_code(self, exit_zero: bool) -> u8 {
        match self {
            Self::Yes => 0,
            Self::Error => 2,
            _ if exit_zero => 0,
            Self::No => 1,
            Self::CannotTell => 3,
            Self::Waiting => 4,
        }
    }
}

const EXIT_STATUSES: &str = "\
Exit status:
  0  yes / done
  1  no: nothing to do
  2  error: one line on stderr says what and where; nothing was changed
  3  cannot tell: too few rows or labels to answer
  4  waiting for approval by a person
  --exit-zero turns 1, 3 and 4 into 0.

Examples:
  mlloop init customers.csv && mlloop train    from a table to a stored model
  mlloop predict new.csv > scored.csv          score rows
  mlloop serve                                 answer predictions over HTTP
  mlloop monitor                               is there a reason to retrain?
  mlloop promote                               is the challenger better than production?
  mlloop status                                versions, roles, reasons to retrain
  mlloop demo /tmp/demo                        the whole loop on simulated card payments";

/// Runs the learning loop on tabular data: train, predict, monitor, label, retrain, promote.
///
/// One directory holds one loop: mlloop.toml, and plain CSV and JSON files beside it. Each command answers one question
/// or makes one change. Its exit status tells you the result.
#[derive(Debug, Parser)]
#[command(name = "mlloop", version = env!("MLLOOP_VERSION"), after_help = EXIT_STATUSES, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Args),
    Download(download::Args),
    Split(split::Args),
    Train(train::Args),
    Predict(predict::Args),
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    #[cfg(feature = "serve")]
    Dashboard(dashboard::Args),
    #[cfg(not(feature = "serve"))]
    #[command(hide = true)]
    Serve(absent::Args),
    #[cfg(not(feature = "serve"))]
    #[command(hide = true)]
    Dashboard(absent::Args),
    Features(features::Args),
    Profile(profile::Args),
    Monitor(monitor::Args),
    Retrain(retrain::Args),
    Promote(promote::Args),
    Approve(approve::Args),
    Reject(reject::Args),
    Rollback(rollback::Args),
    AbStart(ab_start::Args),
    AbStatus(ab_status::Args),
    AbStep(ab_step::Args),
    AbStop(ab_stop::Args),
    Run(run::Args),
    // Boxed: it has more options than all others.
    AbReport(Box<ab_report::Args>),
    LabelExport(label_export::Args),
    LabelImport(label_import::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    Feedback(feedback::Args),
    Report(report::Args),
    Audit(audit::Args),
    Export(export::Args),
    Track(track::Args),
    Push(push::Args),
    Pull(pull::Args),
    Simulate(simulate::Args),
    Demo(demo::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Verb {
    /// Whether the verb creates a loop in the current directory, even inside another loop.
    fn starts_a_loop(&self) -> bool {
        matches!(self, Self::Init(_) | Self::Download(_) | Self::Split(_) | Self::Demo(_))
    }

    /// The name of a verb that works on several loops; empty for others.
    fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Run(_) => "run",
            Self::Report(_) => "report",
            _ => "",
        }
    }

    /// Whether the verb may change versions or roles, which are reported to the tracking server.
    fn is_tracked(&self) -> bool {
        use Verb::{Approve, Promote, Retrain, Rollback, Run, Train};
        matches!(self, Train(_) | Retrain(_) | Promote(_) | Approve(_) | Rollback(_) | Run(_))
    }

    /// The name of a verb that runs unattended: its failures are notified.
    fn scheduled(&self) -> Option<&'static str> {
        match self {
            Self::Monitor(_) => Some("monitor"),
            Self::Promote(_) => Some("promote"),
            Self::Download(_) => Some("download"),
            Self::Rollback(_) => Some("rollback"),
            Self::Retrain(_) => Some("retrain"),
            Self::Run(_) => Some("run"),
            _ => None,
        }
    }
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    let mut command = usage::readable(complete::command());
    let found = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches(&found).map_err(|err| err.format(&mut command))
}

/// Calls the verb.
pub(crate) fn run(cli: Cli) -> Result<Outcome> {
    // Check first: otherwise a result might not be writable after the work is done.
    cli.global.output.as_deref().map_or(Ok(()), ending::check)?;
    if let Some(loops) = several::loops(&cli.global) {
        let mut out = Output::new(&cli.global);
        loops.iter().try_for_each(|dir| refuse_own_file(&Workspace::new(dir), &out))?;
        return several::run(cli.verb.name(), &loops, &cli.global, &mut out);
    }
    let ctx = Context::new(&cli.global, cli.verb.starts_a_loop())?;
    let mut out = Output::new(&cli.global);
    refuse_own_file(&ctx.workspace, &out)?;
    // These two verbs must see the files unchanged.
    if !matches!(cli.verb, Verb::Doctor(_) | Verb::Audit(_)) && ctx.workspace.restore_roles().unwrap_or(false) {
        ctx.progress.note(format_args!("note: models/roles.json was missing; restored it from audit.jsonl"));
    }
    let (scheduled, tracked) = (cli.verb.scheduled(), cli.verb.is_tracked());
    let done = call(cli.verb, &ctx, &mut out);
    if let Some(verb) = scheduled {
        notices::settle(&ctx, verb, done.as_ref().err());
    }
    if tracked {
        track::after(&ctx);
    }
    note_clock(&ctx);
    // A change recorded in the chain has happened, even if a later write failed.
    match (done, ctx.workspace.last_recorded()) {
        (Err(err), Some(line)) => Err(err.context(format!(
            "line {line} of audit.jsonl was written, so the change is recorded; the next command completes it"
        ))),
        (done, _) => done,
    }
}

/// Refuses `-o` with a path of the loop's own files.
fn refuse_own_file(workspace: &Workspace, out: &Output) -> Result<()> {
    match out.file().and_then(|path| Some((path, workspace.own_file(path)?))) {
        Some((path, own)) => {
            bail!("-o {}: this is the loop's own file {}; choose another file", path.display(), own.display())
        }
        None => Ok(()),
    }
}

/// Notes that the change just recorded has an earlier time than a preceding one.
fn note_clock(ctx: &Context) {
    // The verb itself reports a chain that cannot be read.
    let Ok(Some(last)) = ctx.workspace.last_entry() else { return };
    if let (true, Some(after)) = (last.at == ctx.now, last.behind) {
        let apart = audit::apart(last.at, after);
        ctx.progress.note(format_args!(
            "note: the clock went back: this change is dated {apart} before a preceding one (audit.jsonl, line {})",
            last.seq
        ));
    }
}

fn call(verb: Verb, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    match verb {
        Verb::Init(args) => init::run(&args, ctx, out),
        Verb::Download(args) => download::run(&args, ctx, out),
        Verb::Split(args) => split::run(&args, ctx, out),
        Verb::Train(args) => train::run(&args, ctx, out),
        Verb::Predict(args) => predict::run(&args, ctx, out),
        #[cfg(feature = "serve")]
        Verb::Serve(args) => serve::run(&args, ctx, out),
        #[cfg(feature = "serve")]
        Verb::Dashboard(args) => dashboard::run(&args, ctx, out),
        #[cfg(not(feature = "serve"))]
        Verb::Serve(args) | Verb::Dashboard(args) => absent::run(&args, ctx, out),
        Verb::Features(args) => features::run(&args, ctx, out),
        Verb::Profile(args) => profile::run(&args, ctx, out),
        Verb::Monitor(args) => monitor::run(&args, ctx, out),
        Verb::Retrain(args) => retrain::run(&args, ctx, out),
        Verb::Promote(args) => promote::run(&args, ctx, out),
        Verb::Approve(args) => approve::run(&args, ctx, out),
        Verb::Reject(args) => reject::run(&args, ctx, out),
        Verb::Rollback(args) => rollback::run(&args, ctx, out),
        Verb::Feedback(args) => feedback::run(&args, ctx, out),
        Verb::LabelExport(args) => label_export::run(&args, ctx, out),
        Verb::LabelImport(args) => label_import::run(&args, ctx, out),
        Verb::Run(args) => run::run(&args, ctx, out),
        Verb::Audit(args) => audit::run(&args, ctx, out),
        Verb::AbStart(args) => ab_start::run(&args, ctx, out),
        Verb::AbStatus(args) => ab_status::run(&args, ctx, out),
        Verb::AbStep(args) => ab_step::run(&args, ctx, out),
        Verb::AbStop(args) => ab_stop::run(&args, ctx, out),
        Verb::AbReport(args) => ab_report::run(&args, ctx, out),
        Verb::Status(args) => status::run(&args, ctx, out),
        Verb::Doctor(args) => doctor::run(&args, ctx, out),
        Verb::Report(args) => report::run(&args, ctx, out),
        Verb::Export(args) => export::run(&args, ctx, out),
        Verb::Track(args) => track::run(&args, ctx, out),
        Verb::Push(args) => push::run(&args, ctx, out),
        Verb::Pull(args) => pull::run(&args, ctx, out),
        Verb::Simulate(args) => simulate::run(&args, ctx, out),
        Verb::Demo(args) => demo::run(&args, ctx, out),
        Verb::Completions(args) => completions::run(&args, out),
        Verb::Man(args) => man::run(&args, out),
    }
}
