use super::args::TableArgs;
use super::ending::{format_of, parse_format};
use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result};
use mlloop::feedback::record_known;
use mlloop::journal::Journal;
use mlloop::labels::became;
use mlloop::predict::{Format, Log, PredictOptions, predict, predict_into, windows};
use mlloop::registry::Version;
use mlloop::table::postgres::{RowWriter, Written, is_address, shown};
use mlloop::table::{Input, Kind, Spool};
use mlloop::train;
use std::cell::LazyCell;
use std::path::PathBuf;

/// Score rows: print the table with `prediction` and `score` added, in input order
///
/// Columns are matched by name; other columns are passed through. The table is streamed in constant memory.
///
///   mlloop predict new.csv > scored.csv
///   zcat new.csv.gz | mlloop predict --explain 3 -
///   mlloop predict new.csv --interval 0.9
///   mlloop predict new.csv --columns id,prediction,score
///   mlloop predict new.csv --model v0002
///   mlloop predict new.jsonl -o scored.parquet
///   mlloop predict new.csv -o postgres://ann@db/shop/scores
///       into a table, by id, all rows in one transaction
///   mlloop predict new.csv --log -o scored.csv
///       and log the predictions
///   mlloop predict old.csv --log --outcomes
///       and record the outcomes, where the target is known
///
/// With --log every row is written to predictions/DATE.csv, on disk, before its prediction is printed. Labels, feedback
/// and outcomes are joined to it by id, at any later time. Without an id column, a hash of the row is its id.
///
/// Exit status: 0 every row was scored, 2 error (rows printed before the error are logged).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// CSV or JSON lines (also .gz, .zst), Parquet, postgres://USER@HOST/DB/TABLE or s3://BUCKET/KEY; - is stdin
    #[arg(default_value = "-")]
    table: PathBuf,
    /// The version (default: production)
    #[arg(long, value_name = "VERSION")]
    model: Option<Version>,
    /// Also print the N columns that changed the score most, and by how much
    #[arg(long, value_name = "N")]
    explain: Option<usize>,
    /// Also add a prediction interval with this coverage: lower and upper for a number, a prediction set for classes
    /// (a|b; empty where no class is likely)
    #[arg(long, value_name = "SHARE")]
    interval: Option<f64>,
    /// Print only these columns, of the table or added ones
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,
    /// Output format: csv, tsv, jsonl (also by --json) or parquet (default: by the ending of -o)
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    format: Option<Format>,
    /// Add every row to the prediction log
    #[arg(long)]
    log: bool,
    /// Also record the values of the target column as outcomes (labels with source "outcome")
    #[arg(long, requires = "log")]
    outcomes: bool,
    /// Log the rows as those of this arm of an experiment
    #[arg(long, value_name = "NAME", requires = "log", default_value = "", hide_default_value = true)]
    arm: String,
    #[command(flatten)]
    read: TableArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let (version, pipeline) = train::load(&ctx.workspace, args.model)?;
    let mut options = PredictOptions {
        explain: args.explain.unwrap_or(0),
        columns: args.columns.clone(),
        read: args.read.options(),
        format: format_of(args.format, out.wants_json(), out.file())?,
        interval: args.interval,
        windows: Vec::new(),
    };
    let input = match pipeline.features.derived().window_columns() {
        [] => Input::open(&args.table)?,
        _ => {
            // The table is read twice: later rows of the file may have earlier times.
            let table = Spool::new(&args.table)?;
            options.windows = windows(|| table.open(), (&ctx.workspace, version, &pipeline), &options, args.log)?;
            table.open()?
        }
    };
    let journal = Journal::of(&ctx.workspace);
    let log =
        args.log.then_some(Log { journal: &journal, version, arm: &args.arm, now: ctx.now, outcomes: args.outcomes });
    let told = match out.file().filter(|path| is_address(path)) {
        None => out.write(|out| Ok(predict(input, &pipeline, &options, log, out)?))?,
        Some(path) => {
            anyhow::ensure!(args.format.is_none(), "--format is only for files, not for a database");
            let id = pipeline.schema.columns.iter().find(|column| column.kind == Kind::Id);
            let id = id.context("-o: the loop has no id column; rows of a database need one as key")?;
            let mut rows = RowWriter::open(path, &id.name)?;
            let told = predict_into(input, &pipeline, &options, log, &mut rows)?;
            ctx.progress.note(format_args!("{}", stored(rows.finish()?, &shown(path))));
            told
        }
    };
    ctx.progress.rejects(&told.rejects);
    if args.outcomes {
        let n_outcomes = told.outcomes.len();
        let known = told.outcomes.into_iter().map(|(id, value)| became(id, value, ctx.now, version));
        let merged = record_known(&ctx.workspace, &ctx.lock_with_labels()?, known.collect(), ctx.now)?;
        let new = merged.n_added + merged.changes.len() as u64;
        ctx.progress
            .note(format_args!("note: recorded {n_outcomes} outcomes as labels, {new} of them new (source outcome)"));
    }
    // Computed only if there are enough numbers to compare.
    let usual = LazyCell::new(|| ctx.workspace.registry().profile(version).ok());
    let range = |name: &str| {
        let column = usual.as_ref()?.column(name)?;
        column.quantile(0.0).zip(column.quantile(1.0))
    };
    told.notes
        .iter()
        .chain(&told.unseen.outside(range))
        .for_each(|note| ctx.progress.note(format_args!("note: {note}")));
    Ok(Outcome::Yes)
}

/// The result of writing rows to a database.
fn stored(written: Written, place: &str) -> String {
    let Written { n_rows, n_ids, made } = written;
    let made = if made { ", a new table" } else { "" };
    let doubled = match n_rows - n_ids {
        0 => String::new(),
        n => format!("; {n} replaced by a later row with the same id"),
    };
    format!("wrote {n_ids} rows to {place}{made}{doubled}")
}
