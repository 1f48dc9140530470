use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::depot::{Moved, Place, PushRequest, Pushed, push};
use mlloop::printable::name;
use mlloop::wording::list;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Instant;

/// Copy the loop's models, history and reports to S3 or a directory, so that another machine can pull them
///
/// PLACE is s3://BUCKET/PREFIX, file:///DIRECTORY or a directory. Files are stored under their SHA-256; existing files are
/// not sent again, also after an interrupted run. The list of files is written last, and only if no other push ran
/// meanwhile. If the history in PLACE has a line that this loop lacks, push is refused: pull first.
///
/// Sent: mlloop.toml, the audit chain, every version, reports and requests for approval. With --data also the labels, the
/// feedback, the reference, and the files kept for `audit replay`; later pushes then keep them up to date. Versions contain
/// some rows (golden.csv, added.csv). Never sent: the prediction log, current tables, the inbox, the run log, secrets/.
///
/// Keys come from the environment only, as for tables in S3 (docs/databases.md).
///
///   mlloop push s3://models/churn
///   mlloop push s3://models/churn --data --dry-run
///   mlloop push /mnt/backup/churn --data
///
/// Exit status: 0 something new was sent, 1 nothing new, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// s3://BUCKET/PREFIX, file:///DIRECTORY or a directory
    place: String,
    /// Also send labels, feedback, the reference and the files kept for replays
    #[arg(long)]
    data: bool,
    /// Read every object in PLACE, and send missing or damaged ones again
    #[arg(long)]
    recheck: bool,
    /// Only show what would be sent
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let place = Place::named(&args.place)?;
    let Args { data, recheck, dry_run, .. } = *args;
    let started = Instant::now();
    let bar = ctx.progress.transfer();
    let request = PushRequest { data, recheck, dry_run, now: ctx.now };
    let done = push(&ctx.workspace, &place, request, &|n, all| bar.bytes(n, all));
    bar.finish();
    let done = done?;
    if !dry_run && done.changed {
        ctx.log("push", started, json!(done))?;
    }
    out.answer(&done, |style| readable(&done, style))?;
    Ok(if done.changed { Outcome::Yes } else { Outcome::No })
}

fn readable(done: &Pushed, style: Style) -> String {
    let place = style.bold(&name(&done.place));
    let mut text = match (done.changed, done.dry_run) {
        (false, _) => format!("{place} is up to date, at line {} of the history\n", done.line),
        (true, true) => format!("would send {} and {} to {place}\n", lines(done.new_lines, "new "), files(done.sent)),
        (true, false) => {
            let (new, sent, all) = (lines(done.new_lines, "new "), files(done.sent), files(done.all));
            format!("sent {new} and {sent} to {place}; it has {all}, up to line {}\n", done.line)
        }
    };
    // Writing to a String cannot fail.
    if !done.left_out.is_empty() {
        let _ = writeln!(text, "not sent (--data sends them): {}", some(&done.left_out));
    }
    if !done.theirs.is_empty() {
        let _ = writeln!(text, "newer in the copy, not replaced (`mlloop pull` fetches them): {}", some(&done.theirs));
    }
    text
}

/// The names, if they are few; else their number.
pub(super) fn some(names: &[String]) -> String {
    name(&list(names.iter().map(String::as_str))).to_string()
}

/// A number of lines of the history; `new` is put before the word.
pub(super) fn lines(n: u64, new: &str) -> String {
    format!("{n} {new}{} of the history", if n == 1 { "line" } else { "lines" })
}

/// A number of files and their size.
pub(super) fn files(moved: Moved) -> String {
    let size = indicatif::BinaryBytes(moved.bytes);
    format!("{} {} ({size})", moved.files, if moved.files == 1 { "file" } else { "files" })
}
