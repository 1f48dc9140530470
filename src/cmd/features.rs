use super::args::TableArgs;
use super::ending::{format_of, parse_format};
use super::{Context, Outcome, Output};
use anyhow::{Result, bail};
use mlloop::past;
use mlloop::predict::{Format, PredictOptions, derived_columns, derived_windows};
use mlloop::registry::Version;
use mlloop::table::{Input, Spool};
use mlloop::train::{self, TrainRequest};
use std::path::PathBuf;

/// Print the derived features of a table: the values that [features.derived] computes for every row
///
/// By default the expressions are those of mlloop.toml: check them before training. Statistics of groups are computed on
/// the training rows of the reference. With --model, the expressions and statistics are those of a version.
///
///   mlloop features new.csv
///   mlloop features new.csv -o derived.parquet
///   mlloop features new.csv --columns id,ratio | head
///   mlloop features new.csv --model v0002
///
/// Exit status: 0 done, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// CSV or JSON lines (also .gz, .zst), Parquet, postgres://USER@HOST/DB/TABLE or s3://BUCKET/KEY; - is stdin
    #[arg(default_value = "-")]
    table: PathBuf,
    /// The derived features of this version
    #[arg(long, value_name = "VERSION")]
    model: Option<Version>,
    /// Print only these columns
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,
    /// Output format: csv, tsv, jsonl (also by --json) or parquet (default: by the ending of -o)
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    format: Option<Format>,
    #[command(flatten)]
    read: TableArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let (derived, schema, past, of) = match args.model {
        Some(version) => {
            let (_, pipeline) = train::load(&ctx.workspace, Some(version))?;
            let past = past::of_version(&ctx.workspace, version, &pipeline)?.map(|(_, past)| past);
            (pipeline.features.derived().clone(), pipeline.schema, past.unwrap_or_default(), version.to_string())
        }
        None => {
            let config = ctx.workspace.config()?;
            let (derived, schema, past) = train::derived(
                &ctx.workspace,
                &TrainRequest {
                    config: &config,
                    seed: ctx.seed,
                    now: ctx.now,
                    cv: None,
                    test: None,
                    from: None,
                    features_by_order: false,
                    skip_invalid: args.read.skip_invalid,
                    progress: &|_, _, _| {},
                },
            )?;
            (derived, schema, past, "mlloop.toml".to_owned())
        }
    };
    if derived.is_empty() {
        bail!("{of} has no derived features: add them under [features.derived], such as ratio = \"a / max(b, 1)\"");
    }
    let mut options = PredictOptions {
        columns: args.columns.clone(),
        read: args.read.options(),
        format: format_of(args.format, out.wants_json(), out.file())?,
        ..PredictOptions::default()
    };
    let input = match derived.windows() {
        None => Input::open(&args.table)?,
        Some(windows) => {
            let table = Spool::new(&args.table)?;
            options.windows =
                derived_windows(&ctx.workspace, table.open()?, &derived, &schema, &options, (&windows, &past))?;
            table.open()?
        }
    };
    let told = out.write(|out| Ok(derived_columns(input, &derived, &schema, &options, out)?))?;
    ctx.progress.rejects(&told.rejects);
    Ok(Outcome::Yes)
}
