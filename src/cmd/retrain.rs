use super::args::TableArgs;
use super::output::Style;
use super::{Context, Outcome, Output, notices};
use anyhow::{Result, bail};
use mlloop::notify::{Kind, Notice};
use mlloop::retrain::{RetrainOutcome, RetrainRequest, Retrained, retrain};
use mlloop::table::Spool;
use mlloop::workspace::Setting;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

/// Fit a challenger on the reference and newly labelled rows
///
/// New labels come from data/labels.csv and from rows of [monitor] current whose target is filled in; they are joined with
/// their features by id. A label for a row of the reference corrects it. The parameters are those of production, unless
/// mlloop.toml was edited since. The result is always a challenger: `mlloop promote` decides about it.
///
///   mlloop retrain --dry-run                  show what would be used
///   mlloop retrain
///   mlloop retrain new.csv
///       use the labelled rows of this table, not of data/current.csv
///   mlloop retrain --set max_depth=4 --set decision.imbalance=weights
///   mlloop retrain --force
///       ignore min_new_labels and cooldown_hours
///
/// Exit status: 0 there is a challenger, 1 nothing new (or too soon), 2 error, 3 too few new labels.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Current rows; those with a target are used for training (default: [monitor] current)
    #[arg(value_name = "TABLE")]
    table: Option<PathBuf>,
    /// Show what would be used; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Retrain also with few new labels, or soon after the last retrain
    #[arg(long)]
    force: bool,
    /// Who requests it, for the audit chain; where a promotion needs approval, another person must give it
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: Option<String>,
    #[command(flatten)]
    read: TableArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    // Checked first, to create no lock file in a directory without a loop.
    ctx.workspace.config()?;
    let lock = match args.dry_run {
        true => None,
        false => Some(ctx.lock_with_labels()?),
    };
    let steps = ctx.progress.steps();
    let current = args.table.as_deref().map(Spool::new).transpose()?;
    if let Some(set) = ctx.workspace.settings().iter().find(|set| set.key.starts_with("split.")) {
        bail!(
            "{} {}={}: a challenger must be split like production; otherwise training rows would evaluate it",
            set.from,
            set.key,
            set.value
        );
    }
    let set: Vec<String> = ctx.workspace.settings().iter().filter_map(Setting::of_recipe).collect();
    let request = RetrainRequest {
        current: current.as_ref(),
        set: &set,
        force: args.force,
        by: args.by.as_deref(),
        read: args.read.options(),
        now: ctx.now,
        seed: ctx.seed,
        progress: &|what, done, total| steps.at(what, done, total),
        seconds: &|| started.elapsed().as_secs_f64(),
    };
    let found = retrain(&ctx.workspace, lock.as_ref(), &request)?;
    steps.finish();
    ctx.progress.rejects(&found.rejects);
    found.notes.iter().for_each(|note| ctx.progress.note(format_args!("note: {note}")));
    if lock.is_some() {
        ctx.log("retrain", started, found.summary())?;
    }
    drop(lock);
    out.answer(&found, |style| readable(&found, style))?;
    notices::tell(ctx, notice(&found).into_iter().collect());
    Ok(outcome(found.done))
}

/// The exit status of the result.
pub(crate) fn outcome(done: RetrainOutcome) -> Outcome {
    match done {
        RetrainOutcome::Retrained | RetrainOutcome::Already | RetrainOutcome::Would => Outcome::Yes,
        RetrainOutcome::Nothing | RetrainOutcome::TooSoon => Outcome::No,
        RetrainOutcome::TooFew => Outcome::CannotTell,
    }
}

/// The notice of a new challenger.
pub(crate) fn notice(found: &Retrained) -> Option<Notice> {
    let version = found.version.filter(|_| found.done == RetrainOutcome::Retrained)?;
    let gate = found.gate.as_deref().unwrap_or("not measured");
    Some(Notice::new(Kind::Retrained, version.to_string(), found.sentence.clone()).with(&format!("gate rows: {gate}")))
}

/// The next step when there was nothing to train on.
pub(crate) fn next(done: RetrainOutcome) -> Option<&'static str> {
    let is_starved = matches!(done, RetrainOutcome::Nothing | RetrainOutcome::TooFew);
    is_starved.then_some("mlloop label-export -n 300   (choose rows for people to label)")
}

fn readable(found: &Retrained, style: Style) -> String {
    let plan = &found.plan;
    // Writing to a String cannot fail.
    let mut text = format!("{}\n", style.bold(&found.sentence));
    if let Some(gate) = &found.gate {
        let _ = writeln!(text, "on the gate rows: {gate}");
    }
    let places: Vec<String> = plan.features_from.iter().map(|(from, n)| format!("{n} from {from}")).collect();
    let rows = [
        (plan.n_reference, "rows of the reference".to_owned()),
        (plan.n_corrected, "of them with a corrected label".to_owned()),
        (plan.n_confirmed, "of them with the same label".to_owned()),
        (plan.n_added, format!("labelled rows added ({})", places.join(", "))),
        (plan.n_without_features, "labelled rows without features, not used".to_owned()),
        (plan.n_conflicts, "rows with conflicting labels, not used".to_owned()),
        (plan.n_by_models, "labels made by models, never used".to_owned()),
        (plan.n_new, "rows with labels that no version was trained on".to_owned()),
    ];
    for (n, what) in rows.into_iter().filter(|(n, _)| *n > 0) {
        let _ = writeln!(text, "{n:>8}  {what}");
    }
    text.extend(next(found.done).map(|next| format!("next: {next}\n")));
    text
}
