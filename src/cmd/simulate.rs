use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::simulate::{Drift, SimulateRequest, Simulated, To, simulate};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Simulate traffic: draw random rows of a table under new ids, for a server or the prediction log
///
/// Use it to try a loop before there is real traffic, and to check that drift is detected. Without --to the rows are
/// scored and logged here, as by `predict --log`; with --to they are sent to POST /predict, with the token in MLLOOP_TOKEN
/// or MLLOOP_PREDICT_TOKEN. Only for test loops: simulated rows are logged like real ones.
///
///   mlloop simulate   1000 rows of the reference, into the log
///   mlloop simulate -n 500 --with-labels          with the outcome of each row
///   mlloop simulate new.csv --rate 20 --to http://localhost:8080
///   mlloop simulate --drift monthly_charge --drift contract=monthly
///
/// Exit status: 0 all rows were sent, 2 error (rows sent before it stay logged).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The table to draw rows from, with replacement (default: the reference)
    #[arg(value_name = "TABLE")]
    table: Option<PathBuf>,
    /// Number of rows
    #[arg(short, value_name = "N", default_value_t = 1000)]
    n: u64,
    /// Rows per second (default: as fast as possible)
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Also send the target value of each row as its outcome
    #[arg(long)]
    with_labels: bool,
    /// Make a column drift: add two standard deviations to numbers, replace categories by the rarest level; or set a value
    #[arg(long, value_name = "COLUMN[=VALUE]")]
    drift: Vec<Drift>,
    /// The address of a server
    #[arg(long, value_name = "URL")]
    to: Option<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    ctx.workspace.config()?;
    let to = match &args.to {
        None => To::Log,
        Some(url) => To::Server { url: url.clone(), token: token() },
    };
    let steps = ctx.progress.steps();
    let began = ctx.now;
    let told = simulate(
        &ctx.workspace,
        &SimulateRequest {
            table: args.table.as_deref(),
            n: args.n,
            rate: args.rate,
            with_labels: args.with_labels,
            drift: &args.drift,
            to: &to,
            clock: &|| {
                began
                    .checked_add(jiff::SignedDuration::try_from(started.elapsed()).unwrap_or_default())
                    .unwrap_or(began)
            },
            seconds: &|| started.elapsed().as_secs_f64(),
            pause: &|time: Duration| std::thread::sleep(time),
            progress: &|n| steps.at("rows", n, args.n),
            seed: ctx.seed,
        },
    )?;
    steps.finish();
    out.answer(&told, |_| readable(&told))?;
    Ok(Outcome::Yes)
}

#[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
fn token() -> Option<String> {
    let set = |name| std::env::var(name).ok().filter(|text: &String| !text.trim().is_empty());
    set("MLLOOP_TOKEN").or_else(|| set("MLLOOP_PREDICT_TOKEN"))
}

fn readable(told: &Simulated) -> String {
    let drift = match told.drift.as_slice() {
        [] => String::new(),
        columns => format!(", drifted in {}", columns.join(", ")),
    };
    format!("{} rows to {}, {} with their outcome{drift}\n", told.n_rows, told.to, told.n_outcomes)
}
