use super::args::UnknownTableArgs;
use super::output::Style;
use super::{Context, Outcome, Output, notices};
use anyhow::{Context as _, Result};
use jiff::SignedDuration;
use mlloop::atomic;
use mlloop::drift::Preset;
use mlloop::drift::report::{Answer, DriftReport};
use mlloop::journal::Window;
use mlloop::monitor::chunks::By;
use mlloop::monitor::{self, MonitorRequest, files};
use mlloop::report;
use mlloop::table::Spool;
use serde_json::json;
use std::path::PathBuf;

/// Is there a reason to retrain? Compare current rows with production's training rows
///
/// Columns, target and score are compared; newly labelled rows are compared with their predictions. The reasons to
/// retrain are the triggers under [monitor] in mlloop.toml. The report is written to reports/drift_report.json, .html and
/// .png; every run adds a line to runs/runs.jsonl. Without a current table, the predictions logged since training are used.
///
///   mlloop monitor   data/current.csv against production's training rows
///   mlloop monitor && mlloop retrain          in a crontab
///   mlloop monitor new.csv --by week          when did drift begin?
///   mlloop monitor --reference a.csv b.csv
///       compare any two tables, also without a loop
///   mlloop monitor new.csv --multivariate
///       also find changes that no single column shows
///   mlloop monitor --reference 28d
///       compare with the 28 preceding days of the prediction log
///   mlloop monitor --last 1d --reference weekdays:4
///       compare a day with the same weekday of the last four weeks
///
/// Exit status: 0 there is a reason to retrain, 1 there is none, 2 error, 3 cannot tell: too few rows.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The current rows: CSV (also .gz, .zst), Parquet, postgres://USER@HOST/DB/TABLE or s3://BUCKET/KEY; - is stdin
    /// (default: [monitor] current)
    #[arg(value_name = "TABLE")]
    table: Option<PathBuf>,
    /// The same as TABLE
    #[arg(long, value_name = "TABLE", conflicts_with = "table")]
    current: Option<PathBuf>,
    /// A profile of the current rows (`mlloop profile`), made here or on a cluster
    #[arg(long, value_name = "FILE", conflicts_with_all = ["table", "current", "by", "multivariate"])]
    current_profile: Option<PathBuf>,
    /// Compare with this table instead of production's training rows, or with the preceding rows: 28d, 4w, weekdays:4
    #[arg(long, value_name = "TABLE")]
    reference: Option<PathBuf>,
    /// Only the most recent period of the current rows, by their time column: 1d, 2w
    #[arg(long, value_name = "LENGTH", value_parser = Window::parse_length, conflicts_with = "current_profile")]
    last: Option<SignedDuration>,
    /// New labels, joined by id (default: data/labels.csv)
    #[arg(long, value_name = "TABLE")]
    labels: Option<PathBuf>,
    /// Which rules decide
    #[arg(long, value_name = "NAME", value_parser = super::args::one_of(["default", "evidently", "psi"], parse_preset))]
    preset: Option<Preset>,
    /// Also train a classifier to distinguish the two tables, and print the columns it uses
    #[arg(long)]
    multivariate: bool,
    /// Split the current rows into chunks: day, week, month, or a number of rows
    #[arg(long, value_name = "PIECE")]
    by: Option<By>,
    /// Read every value instead of sketches; memory grows with the tables
    #[arg(long)]
    exact: bool,
    /// Answer yes for any result
    #[arg(long)]
    force: bool,
    /// Which files to write to reports/
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = files::Format::NAMES, value_parser = super::args::one_of(["json", "html", "png"], str::parse::<files::Format>))]
    formats: Vec<files::Format>,
    /// Also write the results as gauges in the text format of Prometheus (node exporter's textfile collector)
    #[arg(long, value_name = "FILE")]
    prometheus: Option<PathBuf>,
    #[command(flatten)]
    read: UnknownTableArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = std::time::Instant::now();
    let rolling = args.reference.as_deref().filter(|path| !path.exists()).and_then(|path| path.to_str()?.parse().ok());
    let current = args.table.as_deref().or(args.current.as_deref()).map(Spool::new).transpose()?;
    let request = MonitorRequest {
        current: current.as_ref(),
        current_profile: args.current_profile.as_deref(),
        reference: args.reference.as_deref().filter(|_| rolling.is_none()),
        rolling,
        last: args.last,
        labels: args.labels.as_deref(),
        preset: args.preset,
        exact: args.exact,
        multivariate: args.multivariate,
        by: args.by,
        force: args.force,
        read: args.read.options(),
        now: ctx.now,
        seed: ctx.seed,
    };
    ctx.look_into_store()?;
    let found = monitor::monitor(&ctx.workspace, &request)?;
    ctx.progress.rejects_of(" of the reference", &found.reference_rejects);
    ctx.progress.rejects(&found.rejects);
    if ctx.workspace.config_path().exists() {
        let _lock = ctx.lock()?;
        files::write(&ctx.workspace, &found.report, &args.formats)?;
        found.keep(&ctx.workspace)?;
        ctx.log("monitor", started, json!(monitor::summary(&found.report)))?;
    }
    if let Some(path) = &args.prometheus {
        let text = report::drift_prometheus(&found.report);
        let written = atomic::replace(path, |file| file.write_all(text.as_bytes()));
        written.with_context(|| path.display().to_string())?;
    }
    out.answer(&found.report, |style| readable(&found.report, style))?;
    notices::drift(ctx, &found.report, &args.formats);
    Ok(match found.report.verdict.retrain {
        Answer::Yes => Outcome::Yes,
        Answer::No => Outcome::No,
        Answer::CannotTell => Outcome::CannotTell,
    })
}

fn readable(found: &DriftReport, style: Style) -> String {
    let marks = report::Marks {
        bold: &|text| style.bold(text),
        dim: &|text| style.dim(text),
        verdict: &|tone, text| style.verdict(tone, text),
        width: style.width(),
    };
    report::drift_text(found, marks)
}

fn parse_preset(name: &str) -> Result<Preset, String> {
    match name {
        "default" => Ok(Preset::Default),
        "evidently" => Ok(Preset::Evidently),
        "psi" => Ok(Preset::Psi),
        _ => Err("choose default, evidently or psi".to_owned()),
    }
}
