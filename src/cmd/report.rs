use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::printable::printable;
use mlloop::summary::summarise;

/// Say where the loop stands on one page: the verdict, the drift, and the metrics before and after
///
/// Made of what the last `monitor` and `promote` wrote to reports/ and of the versions; nothing is computed anew. Markdown
/// is what the summary of a GitHub job and a comment on a pull request take; JSON is for programs.
///
///   mlloop report >> "$GITHUB_STEP_SUMMARY"
///   mlloop report --json | jq -r .retrain
///
/// Exit status: 0 there is something to tell, 1 neither a report nor a version yet, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The form of the page
    #[arg(long, value_enum, default_value = "markdown", value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Markdown,
    /// For programs; the same as --json.
    Json,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let summary = summarise(&ctx.workspace)?;
    match args.format {
        Format::Markdown if !out.wants_json() => out.bytes(printable(&summary.markdown()).as_bytes())?,
        Format::Markdown | Format::Json => out.json(&summary)?,
    }
    Ok(if summary.versions.is_empty() && summary.retrain.is_none() { Outcome::No } else { Outcome::Yes })
}
