use super::args::{UnknownTableArgs, one_of};
use super::output::Style;
use super::{Context, Outcome, Output, download};
use anyhow::{Context as _, Result};
use clap::builder::PossibleValuesParser;
use mlloop::features::Task;
use mlloop::init::{self, Column, InitReport, InitRequest};
use mlloop::printable;
use mlloop::report::grouped;
use mlloop::scaffold::{self, Driver};
use mlloop::source::Source;
use mlloop::table::columns::kind_of;
use mlloop::table::place::is_address;
use mlloop::table::{Kind, TableOptions};
use mlloop::workspace::WorkspaceError;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Look at a table, decide what each column is, and write mlloop.toml
///
/// TABLE becomes the reference: the rows that `train` learns from. Every decision is printed with its reason and stands
/// in mlloop.toml, where you can change it.
///
///   mlloop init customers.csv
///   mlloop init payments.csv --target is_fraud --positive 1
///   mlloop init adult.data --no-header --target c15
///   mlloop init wine.csv --task regression
///       grades are a quantity, not classes
///   mlloop init --with cron   only the scripts, for a loop that is there
///
/// Exit status: 0 written, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// CSV (also .gz, .zst), Parquet, postgres://USER@HOST/DB/TABLE or s3://BUCKET/KEY, of which data/TABLE.csv is made
    #[arg(required_unless_present = "with")]
    table: Option<PathBuf>,
    /// The column to predict; by default a good guess, which is stated
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// The class that scores count toward, for two classes
    #[arg(long, value_name = "CLASS")]
    positive: Option<String>,
    /// The task, when it is not to be guessed from the target's values
    #[arg(long, value_name = "TASK", value_parser = PossibleValuesParser::new(["binary", "multiclass", "regression"]))]
    task: Option<String>,
    /// The first record is a row; columns are named c1, c2, …
    #[arg(long)]
    no_header: bool,
    /// A text that means "missing", besides the usual ones; may be repeated
    #[arg(long, value_name = "TEXT")]
    missing: Vec<String>,
    /// Columns that are not to be read
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    ignore: Vec<String>,
    /// What a column is, where the cells do not decide: id, time, number, category, text, ignore; may be repeated
    #[arg(long, value_name = "COLUMN=KIND", value_parser = parse_kind)]
    kind: Vec<(String, Kind)>,
    /// Also write what drives the loop: make, cron (with systemd timers), github, airflow
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = one_of(Driver::NAMES, str::parse::<Driver>))]
    with: Vec<Driver>,
    /// Replace mlloop.toml, and files of --with that differ
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    read: UnknownTableArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    if let Some(table) = &args.table {
        look_at(table, args, ctx, out)?;
    }
    let mlloop = std::env::current_exe().context("finding mlloop itself")?;
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
    // A loop that is there is changed in turn with others.
    let _lock = if ctx.workspace.config_path().exists() && args.force { Some(ctx.workspace.lock()?) } else { None };
    let setup = init::init(&ctx.workspace, &wanted)?;
    ctx.progress.rejects(&setup.rejects);
    setup.notes.iter().for_each(|note| ctx.progress.note(format_args!("note: {note}")));
    out.answer(&setup, |style| readable(&setup, style))
}

/// Makes a file of a table in a database: what is learned from must stay as it was.
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
    ctx.progress.note(format_args!("{} is now {file}", printable::name(&done.record.source)));
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
    let _ = writeln!(text, "wrote {}; look it over, then run `mlloop train`", setup.config);
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
