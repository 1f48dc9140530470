use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::printable::printable;
use mlloop::summary::summarise;

/// Summarise the loop on one page: the verdict, the drift, and the metrics before and after
///
/// The page is built from the versions and from the last reports of `monitor` and `promote`; nothing is recomputed.
/// Markdown suits the summary of a GitHub job or a comment on a pull request; JSON suits programs.
///
///   mlloop report >> "$GITHUB_STEP_SUMMARY"
///   mlloop report --json | jq -r .retrain
///
/// Exit status: 0 the page has content, 1 no report and no version yet, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The format of the page
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
