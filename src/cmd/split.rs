use super::args::UnknownTableArgs;
use super::{Context, Outcome, Output, download};
use anyhow::Result;
use mlloop::source::{By, Source};
use std::path::PathBuf;

/// Split a local table into data/reference.csv and data/current.csv
///
/// With `--how time` the earliest rows become the reference. With `--how hash` a hash of the key decides: rows with the
/// same key stay together. The same as `mlloop download TABLE --split`.
///
///   mlloop split all.csv   the earliest 70 % by the time column
///   mlloop split all.csv --how hash --by customer_id --reference 0.8
///
/// Exit status: 0 both files were written, 1 they already existed, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// CSV (also .gz, .zip) or Parquet
    table: PathBuf,
    /// How rows are assigned
    #[arg(long, value_name = "WAY", default_value = "time", value_parser = super::args::one_of(["time", "hash"], str::parse::<By>))]
    how: By,
    /// The column with the time (or a number), or with the key that keeps rows together (default: detected)
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// Share of rows for the reference
    #[arg(long, value_name = "SHARE", default_value_t = 0.7)]
    reference: f64,
    /// Overwrite files that differ
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    read: UnknownTableArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let source: Source = args.table.display().to_string().parse().map_err(anyhow::Error::msg)?;
    let split = download::Args {
        split: Some(args.how),
        by: args.by.clone(),
        reference: args.reference,
        force: args.force,
        ..download::Args::of(source)
    };
    download::split(&split, args.read.options(), ctx, out)
}
