use super::output::Style;
use super::studio::StudioArgs;
use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use mlloop::answers::HandedOut;
use mlloop::journal::Window;
use mlloop::labels::{
    ExportRequest, Exported, Format, LabelError, Pushed, Strategy, export, exported_is_told, out_in_studio,
};
use mlloop::monitor::alarm::{self, AlarmPlan};
use mlloop::report::grouped;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Choose rows for people to label, and write them to label_inbox/to_label.csv
///
/// Candidates are the rows of the prediction log, or of a table, without a label and not in an open batch. Production
/// scores them. Of the requested rows, 20 % (at least 50) are drawn at random, 45 % where the model is uncertain, 20 % where
/// rows have become more frequent than in training, and 15 % for diversity. Each row is written with its selection
/// probability: the labels then estimate accuracy over all candidates.
///
///   mlloop label-export -n 300
///   mlloop label-export -n 300 --last 28d --annotators ann,bob --overlap 0.1
///   mlloop label-export -n 100 --strategy margin --table data/current.csv
///   mlloop label-export -n 300 --format label-studio
///   LABEL_STUDIO_API_KEY=… mlloop label-export --to label-studio \
///       --url http://localhost:8080
///       send to a project there; repeated, it sends what is missing
///   mlloop label-export -n 100 --for-monitoring
///       at random, with the weeks until such labels show a worse model
///
/// Fill in the target's column, save as label_inbox/to_label_labeled.csv, and run `mlloop label-import`.
///
/// Exit status: 0 a batch was created, 1 nothing is left to label (or to send), 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Number of rows
    #[arg(long, short, value_name = "N", default_value_t = 300)]
    n: usize,
    /// How rows are chosen; all strategies except random also draw the random control rows
    #[arg(long, value_name = "NAME", default_value = "balanced", value_parser = super::args::one_of(["balanced", "uncertain", "random", "drifted", "diverse", "margin", "entropy", "least-confidence"], str::parse::<Strategy>))]
    strategy: Strategy,
    /// Draw all rows at random, the best choice to measure production; also print after how many weeks such labels show a
    /// worse model
    #[arg(long, conflicts_with = "strategy")]
    for_monitoring: bool,
    /// Take candidates from this table, not from the prediction log
    #[arg(long, value_name = "TABLE")]
    table: Option<PathBuf>,
    /// Only predictions from this time on (2026-11-01, or RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = Window::parse_instant)]
    since: Option<Timestamp>,
    /// Only predictions before this time
    #[arg(long, value_name = "TIME", value_parser = Window::parse_instant)]
    until: Option<Timestamp>,
    /// Only predictions of the most recent days (28d), weeks, hours or minutes
    #[arg(long, value_name = "LENGTH", value_parser = Window::parse_length, conflicts_with_all = ["since", "until"])]
    last: Option<SignedDuration>,
    /// Distribute the rows among these annotators
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    annotators: Vec<String>,
    /// Give this share of the rows to two annotators each
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    overlap: f64,
    /// Show production's prediction in each row (default: hidden, because it biases annotators)
    #[arg(long)]
    show_score: bool,
    /// A CSV sheet, or tasks for Label Studio with the labelling interface
    #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = super::args::one_of(["csv", "label-studio"], str::parse::<Format>))]
    format: Format,
    /// Send the rows to a server, as tasks with predictions; implies its format
    #[arg(long, value_name = "SERVER", value_parser = ["label-studio"], conflicts_with = "format")]
    to: Option<String>,
    #[command(flatten)]
    studio: StudioArgs,
    /// Create a new batch although one is unanswered; its sheet is replaced, its answers can still be imported
    #[arg(long)]
    force: bool,
    /// Who creates the batch, for the audit chain
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: Option<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let window = match args.last {
        Some(length) => Window::last(length, ctx.now),
        None => Window { since: args.since, until: args.until },
    };
    let request = ExportRequest {
        n: args.n,
        strategy: if args.for_monitoring { Strategy::Random } else { args.strategy },
        annotators: &args.annotators,
        overlap: args.overlap,
        show_score: args.show_score,
        table: args.table.as_deref(),
        window,
        format: if args.to.is_some() { Format::LabelStudio } else { args.format },
        force: args.force,
        by: args.by.clone(),
        now: ctx.now,
        seed: ctx.seed,
    };
    ctx.workspace.config()?;
    let lock = ctx.lock_with_labels()?;
    let project = args.studio.project(ctx);
    let studio = args.to.as_ref().map(|_| args.studio.connect()).transpose()?;
    if let Some(studio) = &studio {
        // Report a server that is down or refuses the token before a batch is created.
        studio.find(&project)?;
    }
    let exported = match export(&ctx.workspace, &lock, &request) {
        Err(LabelError::Out { path, batch, n }) if studio.is_some() => {
            out_in_studio(&ctx.workspace)?.ok_or(LabelError::Out { path, batch, n })?
        }
        exported => exported?,
    };
    let pushed = match studio.filter(|_| exported.batch.is_some()) {
        Some(studio) => studio
            .push(&ctx.workspace, &project, args.show_score)
            .context("not all rows were sent; run the same command to send the rest")?,
        None => None,
    };
    let alarm = if args.for_monitoring { alarm::plan(&ctx.workspace, ctx.now)? } else { None };
    let answer = HandedOut { exported: &exported, alarm: alarm.as_ref(), sent: pushed.as_ref() };
    out.answer(&answer, |style| {
        readable(&exported, pushed.as_ref(), style) + &alarm.as_ref().map(delays).unwrap_or_default()
    })?;
    exported_is_told(&ctx.workspace, &lock)?;
    let is_news = exported.batch.is_some() && pushed.is_none_or(|pushed| pushed.n_sent > 0);
    Ok(if is_news { Outcome::Yes } else { Outcome::No })
}

/// A row for each number of labels, a column for each increase of the loss.
fn delays(plan: &AlarmPlan) -> String {
    let AlarmPlan { loss, gate, limit, delays } = plan;
    let mut text = format!(
        "weeks until metric_drop raises an alarm, if the loss ({loss}: {gate:.3} at the gate, limit {limit:.3}) grows by\n\
         labels a week     25 %     50 %    100 %\n"
    );
    for of_n in delays.chunk_by(|a, b| a.labels_a_week == b.labels_a_week) {
        let _ = write!(text, "{:>13}", of_n[0].labels_a_week);
        for delay in of_n {
            let weeks = delay.weeks.map_or_else(|| "never".to_owned(), |weeks| format!("{:.0}", weeks.max(1.0).ceil()));
            let _ = write!(text, " {weeks:>8}");
        }
        text.push('\n');
    }
    text
}

fn readable(exported: &Exported, pushed: Option<&Pushed>, style: Style) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = match (&exported.batch, exported.files.first()) {
        (Some(batch), Some(file)) => {
            let strata: Vec<String> = exported.strata.iter().map(|(stratum, n)| format!("{n} {stratum}")).collect();
            writeln!(
                text,
                "{}  {} rows of {} candidates: {}\n{}  batch {batch}, scored by {}",
                style.bold(&file.display().to_string()),
                grouped(exported.n),
                grouped(exported.n_candidates),
                strata.join(", "),
                style.dim(match pushed {
                    Some(_) => "then mlloop label-import --from label-studio",
                    None => "fill in the target, then mlloop label-import",
                }),
                exported.version,
            )
        }
        _ => writeln!(text, "nothing is left to label: {} rows are labelled or in an open batch", exported.n_excluded),
    };
    if let Some(Pushed { address, n_sent, n_there, .. }) = pushed {
        let _ = writeln!(text, "{address}: {n_sent} tasks sent, {n_there} already there");
    }
    exported.notes.iter().for_each(|note| {
        let _ = writeln!(text, "{}", style.dim(&format!("note: {note}")));
    });
    text
}
