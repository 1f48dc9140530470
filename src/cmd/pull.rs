use super::output::Style;
use super::push::{files, lines, some};
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::depot::{Place, PullRequest, Pulled, pull};
use mlloop::printable::name;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Instant;

/// Bring the loop up to the copy that push made, or make the loop from it
///
/// PLACE is what push was given. First every digest and the whole audit chain are checked; then everything is put into place at
/// once, roles last. Until then nothing of the loop changes, and what was fetched waits in runs/pulling for the next try.
///
/// A loop that has changes which the place does not is not touched: push them, or, where both went on, pull into a new directory
/// (-C DIR) and make there again what only this one has. Files that were damaged or edited behind the chain's back are refused.
/// Reports that were made here since stay.
///
/// Labels, feedback and the reference come with --data, and without it where they are here already. What is not here is
/// said by `audit verify --deep`; verbs that need it say so. Whoever may write to the place decides what this loop runs.
///
///   mlloop -C churn pull s3://models/churn
///   mlloop pull s3://models/churn --dry-run
///
/// Exit status: 0 something new is here, 1 nothing new, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// s3://BUCKET/PREFIX, file:///DIRECTORY or a directory
    place: String,
    /// Bring labels, feedback, the reference and what is kept for replays too
    #[arg(long)]
    data: bool,
    /// Where mlloop.toml was changed here and there, take theirs; ours is kept as runs/backup/mlloop.here.toml
    #[arg(long)]
    force: bool,
    /// Only say what would be fetched
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
            format!("this loop has {} that {place} does not: `mlloop push` sends them\n", lines(done.lines_ahead, ""))
        }
        (false, _) => format!("nothing new in {place}, up to line {} of the history\n", done.line),
        (true, true) => {
            format!("{} and {} would come from {place}\n", lines(done.new_lines, "new "), files(done.files))
        }
        (true, false) => format!(
            "{} and {} came from {place} ({} fetched); this loop is at line {}\n",
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
        let _ = writeln!(text, "changed here since, and left so: {}", some(&done.ours));
    }
    text
}
