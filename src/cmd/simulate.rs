use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::simulate::{Drift, SimulateRequest, Simulated, To, simulate};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Make traffic from a table: rows drawn at random under new ids, to a server or into the prediction log
///
/// To try a loop before there is real traffic, and to see that drift is noticed. Without --to the rows are scored and
/// logged here, as `predict --log` does; with it they are sent to POST /predict, with the token in MLLOOP_TOKEN or
/// MLLOOP_PREDICT_TOKEN. Only for loops on trial: simulated rows are in the log like any others.
///
///   mlloop simulate   1000 rows of the reference, into the log
///   mlloop simulate -n 500 --with-labels          and what became of each
///   mlloop simulate new.csv --rate 20 --to http://localhost:8080
///   mlloop simulate --drift monthly_charge --drift contract=monthly
///
/// Exit status: 0 all rows went out, 2 error (what went out before stays).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Where rows are drawn from, with replacement (default: the reference)
    #[arg(value_name = "TABLE")]
    table: Option<PathBuf>,
    /// How many rows
    #[arg(short, value_name = "N", default_value_t = 1000)]
    n: u64,
    /// Rows a second (default: as fast as they are taken)
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Send what the target says of each row as its outcome
    #[arg(long)]
    with_labels: bool,
    /// Let a column drift: numbers rise by two standard deviations, categories become their rarest level; or set a value
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
