use super::output::Style;
use super::push::{files, lines, some};
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::depot::{Place, PullRequest, Pulled, pull};
use mlloop::printable::name;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Instant;

/// Update the loop from the copy that push made, or create the loop from it
///
/// PLACE is the place given to push. First every digest and the whole audit chain are checked; then all files are
/// installed together, roles last. Until then the loop does not change; fetched files wait in runs/pulling for the next try.
///
/// If this loop has changes that PLACE lacks, pull is refused: push them. If both have changed, pull into a new directory
/// (-C DIR) and repeat there the changes of this loop. Files that were damaged, or edited without an audit record, are
/// refused. Newer reports of this loop stay.
///
/// Labels, feedback and the reference are fetched with --data, or if this loop already has them. `audit verify --deep`
/// lists the files that are missing; commands that need one say so. Who may write to PLACE controls what this loop runs.
///
///   mlloop -C churn pull s3://models/churn
///   mlloop pull s3://models/churn --dry-run
///
/// Exit status: 0 something new was fetched, 1 nothing new, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// s3://BUCKET/PREFIX, file:///DIRECTORY or a directory
    place: String,
    /// Also fetch labels, feedback, the reference and the files kept for replays
    #[arg(long)]
    data: bool,
    /// If mlloop.toml changed on both sides, take that of PLACE; ours is kept as runs/backup/mlloop.here.toml
    #[arg(long)]
    force: bool,
    /// Only show what would be fetched
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let place = Place::named(&args.place)?;
    let Args { data, force, dry_run, .. } = *args;
    let started = Instant::now();
    let bar = ctx.progress.transfer();
    let done = pull(&ctx.workspace, &place, PullRequest { data, force, dry_run }, &|n, all| bar.bytes(n, all));
    bar.finish();
    let done = done?;
    if !dry_run && done.changed {
        ctx.log("pull", started, json!(done))?;
    }
    out.answer(&done, |style| readable(&done, style))?;
    Ok(if done.changed { Outcome::Yes } else { Outcome::No })
}

fn readable(done: &Pulled, style: Style) -> String {
    let place = style.bold(&name(&done.place));
    let mut text = match (done.changed, done.dry_run) {
        _ if done.lines_ahead > 0 => {
            format!("this loop has {} that {place} lacks: `mlloop push` sends them\n", lines(done.lines_ahead, ""))
        }
        (false, _) => format!("nothing new in {place}, up to line {} of the history\n", done.line),
        (true, true) => {
            format!("would fetch {} and {} from {place}\n", lines(done.new_lines, "new "), files(done.files))
        }
        (true, false) => format!(
            "installed {} and {} from {place} ({} fetched); this loop is at line {}\n",
            lines(done.new_lines, "new "),
            files(done.files),
            files(done.fetched),
            done.line
        ),
    };
    // Writing to a String cannot fail.
    if !done.not_here.is_empty() {
        let _ = writeln!(text, "not here: {}", some(&done.not_here));
    }
    if !done.ours.is_empty() {
        let _ = writeln!(text, "changed in this loop since, not replaced: {}", some(&done.ours));
    }
    text
}
