use super::args::{UnknownTableArgs, one_of};
use super::output::Style;
use super::{Context, Outcome, Output, download};
use anyhow::{Context as _, Result};
use clap::builder::PossibleValuesParser;
use mlloop::features::Task;
use mlloop::init::{self, Column, InitReport, InitRequest};
use mlloop::printable;
use mlloop::report::{grouped, percent};
use mlloop::scaffold::{self, Driver};
use mlloop::source::Source;
use mlloop::table::columns::kind_of;
use mlloop::table::place::is_address;
use mlloop::table::{Kind, TableOptions};
use mlloop::workspace::WorkspaceError;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Guess the type of each column of a table, and write mlloop.toml
///
/// TABLE becomes the reference: the rows that `train` learns from. Each decision is printed with its reason. Decisions
/// are written to mlloop.toml; change them there.
///
///   mlloop init customers.csv
///   mlloop init payments.csv --target is_fraud --positive 1
///   mlloop init adult.data --no-header --target c15
///   mlloop init wine.csv --task regression
///       grades are numbers, not classes
///   mlloop init --with cron   only the scripts, for an existing loop
///
/// Exit status: 0 written, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// CSV (also .gz, .zst) or Parquet; postgres://USER@HOST/DB/TABLE or s3://BUCKET/KEY is copied to data/TABLE.csv
    #[arg(required_unless_present = "with")]
    table: Option<PathBuf>,
    /// The column to predict (default: guessed; the guess is printed)
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// For two classes: the class whose probability is the score
    #[arg(long, value_name = "CLASS")]
    positive: Option<String>,
    /// The task (default: guessed from the target's values)
    #[arg(long, value_name = "TASK", value_parser = PossibleValuesParser::new(["binary", "multiclass", "regression"]))]
    task: Option<String>,
    /// The table has no header; columns are named c1, c2, …
    #[arg(long)]
    no_header: bool,
    /// Another text that means "missing"; may be repeated
    #[arg(long, value_name = "TEXT")]
    missing: Vec<String>,
    /// Columns to ignore
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    ignore: Vec<String>,
    /// The type of a column: id, time, number, category, text, ignore; may be repeated
    #[arg(long, value_name = "COLUMN=KIND", value_parser = parse_kind)]
    kind: Vec<(String, Kind)>,
    /// Also write files that run the loop: make, cron (with systemd timers), github, airflow
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = one_of(Driver::NAMES, str::parse::<Driver>))]
    with: Vec<Driver>,
    /// Overwrite mlloop.toml, and files of --with that differ
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    read: UnknownTableArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    if let Some(table) = &args.table {
        look_at(table, args, ctx, out)?;
    }
    let mlloop = std::env::current_exe().context("cannot find the mlloop binary")?;
    for path in scaffold::write(&ctx.workspace, &args.with, &mlloop, args.force)? {
        ctx.progress.note(format_args!("wrote {}", path.display()));
    }
    Ok(Outcome::Yes)
}

fn look_at(table: &Path, args: &Args, ctx: &Context, out: &mut Output) -> Result<()> {
    let kept = if is_address(table) { Some(fetch(table, args, ctx)?) } else { None };
    let wanted = InitRequest {
        table: kept.as_deref().unwrap_or(table),
        target: args.target.clone(),
        positive: args.positive.clone(),
        task: args.task.as_deref().map(|task| match task {
            "binary" => Task::Binary,
            "multiclass" => Task::Multiclass,
            _ => Task::Regression,
        }),
        header: args.no_header.then_some(false),
        missing: args.missing.clone(),
        ignore: args.ignore.clone(),
        kinds: args.kind.clone(),
        read: args.read.options(),
        force: args.force,
    };
    // An existing loop is changed under its lock.
    let _lock = if ctx.workspace.config_path().exists() && args.force { Some(ctx.workspace.lock()?) } else { None };
    let setup = init::init(&ctx.workspace, &wanted)?;
    ctx.progress.rejects(&setup.rejects);
    setup.notes.iter().for_each(|note| ctx.progress.note(format_args!("note: {note}")));
    out.answer(&setup, |style| readable(&setup, style))
}

/// Copies a table of a database to a file: the training rows must not change later.
fn fetch(table: &Path, args: &Args, ctx: &Context) -> Result<PathBuf> {
    if ctx.workspace.config_path().exists() && !args.force {
        return Err(WorkspaceError::Exists(ctx.workspace.config_path()).into());
    }
    let source = Source::Served(table.to_owned());
    let done = download::fetch(
        &download::Args { force: args.force, ..download::Args::of(source) },
        TableOptions::default(),
        ctx,
    )?;
    let file = done.record.files.first().map(|file| file.file.clone()).context("nothing was fetched")?;
    ctx.progress.note(format_args!("copied {} to {file}", printable::name(&done.record.source)));
    Ok(ctx.workspace.path(file))
}

fn readable(setup: &InitReport, style: Style) -> String {
    let width = setup.columns.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).min(32);
    // Writing to a String cannot fail.
    let mut text = format!("{} rows, {} columns\n", grouped(setup.n_rows), setup.columns.len());
    for Column { name, kind, reason, .. } in &setup.columns {
        let _ = writeln!(text, "  {:<width$}  {kind:<9} {}", printable::name(name), style.dim(reason));
    }
    let task = &setup.target;
    let _ = writeln!(text, "target {}: {}", style.bold(&printable::name(&task.column)), task.reason);
    let gate = &setup.gate;
    let of_rarest = gate.n_rarest.map_or_else(String::new, |n| format!(", about {} of the rarest class", grouped(n)));
    let _ = writeln!(
        text,
        "gate {} of the rows, held out to compare versions: about {}{of_rarest} ({})",
        percent(gate.share),
        grouped(gate.n_rows),
        gate.reason
    );
    let skip = if setup.rejects.count > 0 { " --skip-invalid" } else { "" };
    let _ = writeln!(text, "wrote {}; check it, then run `mlloop train{skip}`", setup.config);
    text
}

fn parse_kind(text: &str) -> Result<(String, Kind), String> {
    const HOW: &str = "write COLUMN=KIND; kinds are id, time, number, category, text and ignore";
    let (name, kind) = text.rsplit_once('=').ok_or(HOW)?;
    match kind_of(kind) {
        Ok(Kind::Constant) => Err(HOW.to_owned()),
        Ok(kind) => Ok((name.to_owned(), kind)),
        Err(what) => Err(format!("{what}: {HOW}")),
    }
}
