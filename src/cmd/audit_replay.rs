use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::{Result, bail};
use mlloop::answers::Replayed;
use mlloop::printable::name;
use mlloop::replay::{Part, Replay, ReplayRequest, What, replay};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Repeat a decision from the loop's files, and compare the results
///
/// A version is trained again on the same rows, scored on its gate rows, and compared again. Files that were replaced since
/// are kept under runs/kept. A missing file is reported with its SHA-256; --file gives a copy. The loop is not changed.
///
///   mlloop audit replay v0003
///   mlloop audit replay 14 --file backup/reference.csv
///
/// Exit status: 0 same result, 1 different result, 2 error, 3 cannot tell: an input is missing.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A version, or the number of a line of audit.jsonl
    #[arg(value_name = "VERSION|LINE")]
    what: String,
    /// Copies of files that the loop no longer has, in any order
    #[arg(long = "file", value_name = "FILE", num_args = 1..)]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let steps = ctx.progress.steps();
    let request = ReplayRequest {
        what: parse(&args.what)?,
        files: &args.files,
        progress: &|what, done, total| steps.at(what, done, total),
    };
    let found = replay(&ctx.workspace, &request)?;
    steps.finish();
    let answer = Replayed { agrees: found.agrees(), parts: &found.parts, missing: &found.missing, notes: &found.notes };
    out.answer(&answer, |style| readable(&found, style))?;
    Ok(match found.agrees() {
        Some(true) => Outcome::Yes,
        Some(false) => Outcome::No,
        None => Outcome::CannotTell,
    })
}

/// `v3` is a version, `3` a line.
fn parse(what: &str) -> Result<What> {
    if what.starts_with('v') {
        return Ok(What::Version(what.parse()?));
    }
    match what.parse() {
        Ok(line) => Ok(What::Line(line)),
        Err(_) => bail!("{what:?} is neither a version (v0003) nor the number of a line of audit.jsonl"),
    }
}

fn readable(found: &Replay, style: Style) -> String {
    let mut text = String::new();
    for Part { line, what, agrees, recorded, now } in &found.parts {
        let said = if *agrees { style.verdict("good", "same   ") } else { style.verdict("bad", "differs") };
        // Writing to a String cannot fail.
        let _ = write!(text, "{said}  line {line}  {}", name(what));
        if !agrees {
            let _ = write!(text, ": recorded {}, now {}", short(recorded), short(now));
        }
        text.push('\n');
    }
    for what in &found.missing {
        let _ = writeln!(text, "{}  {}", style.verdict("open", "missing"), name(what));
    }
    for note in &found.notes {
        let _ = writeln!(text, "{}", style.dim(&format!("note: {}", name(note))));
    }
    let verdict = match found.agrees() {
        Some(true) => "Same result.",
        Some(false) => "Different result.",
        None if found.missing.is_empty() => "Cannot tell: this decision was not computed from data.",
        None => "Cannot tell: some inputs of this decision are missing.",
    };
    let _ = writeln!(text, "{}", style.bold(verdict));
    text
}

/// A value in a few words.
fn short(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = name(&value.to_string());
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).collect::<String>() + "…"
}
