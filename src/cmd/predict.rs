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

/// Score rows: the table with `prediction` and `score` added, in the order of the input
///
/// Columns are found by name; others are passed through. The table is streamed, so memory does not grow with it.
///
///   mlloop predict new.csv > scored.csv
///   zcat new.csv.gz | mlloop predict --explain 3 -
///   mlloop predict new.csv --interval 0.9
///   mlloop predict new.csv --columns id,prediction,score
///   mlloop predict new.csv --model v0002
///   mlloop predict new.jsonl -o scored.parquet
///   mlloop predict new.csv -o postgres://ann@db/shop/scores
///       into a table, by id, all rows or none
///   mlloop predict new.csv --log -o scored.csv
///       and remember what was predicted
///   mlloop predict old.csv --log --outcomes
///       and what became of it, where the target is known
///
/// With --log every row is in predictions/DATE.csv, on disk, before its answer leaves. Labels, feedback and outcomes find
/// it there by its id, however late they come. A loop without an id column names rows after their content.
///
/// Exit status: 0 every row was scored, 2 error (what was answered before is logged).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// CSV or JSON lines (also .gz, .zst), Parquet, postgres://USER@HOST/DB/TABLE or s3://BUCKET/KEY; - is stdin
    #[arg(default_value = "-")]
    table: PathBuf,
    /// The version (default: production)
    #[arg(long, value_name = "VERSION")]
    model: Option<Version>,
    /// Also say the N columns that moved the score most, and by how much
    #[arg(long, value_name = "N")]
    explain: Option<usize>,
    /// Also add what holds the truth of a row with this chance: lower and upper of a number, the set of likely classes
    /// (a|b; an empty one where no class is likely)
    #[arg(long, value_name = "SHARE")]
    interval: Option<f64>,
    /// Print only these columns, of the table and of what is added
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,
    /// How the scored rows are written: csv, tsv, jsonl (also by --json) or parquet; by default as the name of -o ends
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    format: Option<Format>,
    /// Add every row to the prediction log
    #[arg(long)]
    log: bool,
    /// Also record what the target's column holds as outcomes: labels that nobody asked for (source outcome)
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
        delimiter: args.read.delimiter,
        skip_invalid: args.read.skip_invalid,
        format: format_of(args.format, out.wants_json(), out.file())?,
        interval: args.interval,
        windows: Vec::new(),
    };
    let input = match pipeline.features.derived().window_columns() {
        [] => Input::open(&args.table)?,
        _ => {
            // The table is read twice: rows that come later in it may have happened before.
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
            anyhow::ensure!(args.format.is_none(), "--format is for files: a database has types of its own");
            let id = pipeline.schema.columns.iter().find(|column| column.kind == Kind::Id);
            let id = id.context("-o: the loop has no id column, by which rows of a database are told apart")?;
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
            .note(format_args!("note: {n_outcomes} outcomes, {new} of them new, are labels now (source outcome)"));
    }
    // Read only where there are numbers enough to hold against it.
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

/// What became of rows that were written to a database.
fn stored(written: Written, place: &str) -> String {
    let Written { n_rows, n_ids, made } = written;
    let made = if made { ", which was made" } else { "" };
    let doubled = match n_rows - n_ids {
        0 => String::new(),
        n => format!("; {n} came before another of the same id"),
    };
    format!("{n_ids} rows are in {place}{made}{doubled}")
}
