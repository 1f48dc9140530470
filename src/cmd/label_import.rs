use super::output::Style;
use super::studio::StudioArgs;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::answers::Closed;
use mlloop::labels::{Agreement, Closing, ImportRequest, Imported, Taken, close, import};
use mlloop::workspace::LabelPolicy;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Import labels: from label_inbox/to_label_labeled.csv, any table like it, or an export of Label Studio
///
/// Columns may be moved or added. Separators ; and CRLF, blank rows, and 1, 1.0, TRUE and yes are accepted. An unknown
/// id, a label that is not a class, or a changed header is an error: nothing is imported, and the error names line and
/// column. Importing the same file twice changes nothing. The output reports annotator agreement, conflicts
/// (conflicts.csv: fill it in and import it like a batch), suspect labels (suspects.csv), and production's accuracy over
/// all candidates.
///
///   mlloop label-import
///   mlloop label-import ann.csv --annotator ann
///   mlloop label-import export.json
///   LABEL_STUDIO_API_KEY=… mlloop label-import --from label-studio \
///       --url http://localhost:8080
///   mlloop label-import --skip-invalid
///       list invalid answers in rejected.csv, import the others
///   mlloop label-import --accept-batch   import a batch that was held back
///   mlloop label-import ann.csv --partial
///       more answers follow: the batch stays open until it is complete
///   mlloop label-import --close b20261120-101500
///       close the batch; its unanswered rows may be chosen again
///
/// Exit status: 0 labels were imported, 1 nothing new, 2 error, 4 the batch looks wrong and waits for --accept-batch.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// CSV or JSON; - is stdin (default: label_inbox/to_label_labeled.csv)
    file: Option<PathBuf>,
    /// Fetch the answers from a server; a copy is kept in label_inbox/
    #[arg(long, value_name = "SERVER", value_parser = ["label-studio"], conflicts_with = "file")]
    from: Option<String>,
    #[command(flatten)]
    studio: StudioArgs,
    /// The annotator, for answers without one in the file; confirms the name where the file has the same
    #[arg(long, value_name = "NAME")]
    annotator: Option<String>,
    /// Skip invalid answers, and list them in label_inbox/rejected.csv
    #[arg(long)]
    skip_invalid: bool,
    /// Import a batch although its label rates or annotators look wrong
    #[arg(long)]
    accept_batch: bool,
    /// More answers follow: keep the batch open until each row has all answers that were requested
    #[arg(long)]
    partial: bool,
    /// Close an open batch; its unanswered rows can be chosen again
    #[arg(long, value_name = "BATCH", conflicts_with_all = ["file", "from", "partial", "accept_batch"])]
    close: Option<String>,
    /// How to resolve disagreement of annotators (default: as in mlloop.toml)
    #[arg(long, value_name = "POLICY", value_parser = super::args::one_of(["adjudicate", "majority", "drop"], str::parse::<LabelPolicy>))]
    policy: Option<LabelPolicy>,
    /// Who imports them, for the audit chain
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: Option<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    ctx.workspace.config()?;
    let lock = ctx.lock_with_labels()?;
    if let Some(batch) = &args.close {
        let Closing { n_open, before } = close(&ctx.workspace, &lock, batch, args.by.clone(), ctx.now)?;
        let when = before.map(|at| at.strftime(" was closed at %Y-%m-%d %H:%M UTC").to_string());
        let (answer, said) = match &when {
            None => ("closed", format!("closed {batch}")),
            Some(when) => ("already", format!("{batch}{when}")),
        };
        let told = |style: Style| format!("{}  {n_open} rows without an answer\n", style.bold(&said));
        out.answer(&Closed { answer, batch, n_open }, told)?;
        return Ok(if when.is_some() { Outcome::No } else { Outcome::Yes });
    }
    let pulled = match &args.from {
        Some(_) => Some(args.studio.connect()?.pull(&ctx.workspace, &lock, &args.studio.project(ctx))?),
        None => None,
    };
    let request = ImportRequest {
        file: pulled.as_deref().or(args.file.as_deref()),
        annotator: args.annotator.as_deref(),
        skip_invalid: args.skip_invalid,
        accept_batch: args.accept_batch,
        partial: args.partial,
        attested: pulled.is_some(),
        policy: args.policy,
        by: args.by.clone(),
        now: ctx.now,
    };
    let imported = import(&ctx.workspace, &lock, &request)?;
    out.answer(&imported, |style| readable(&imported, style))?;
    Ok(match imported.answer {
        Taken::Imported => Outcome::Yes,
        Taken::Nothing => Outcome::No,
        Taken::Quarantined => Outcome::Waiting,
    })
}

fn readable(imported: &Imported, style: Style) -> String {
    let mut text = String::new();
    let counts = imported.counts;
    let headline = match imported.answer {
        Taken::Imported => format!("{} labels are new, {} changed", counts.added, counts.changed),
        Taken::Nothing => "nothing new".to_owned(),
        Taken::Quarantined => "held back: check the batch, then import it with --accept-batch".to_owned(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{}  {}\n  {} answers: {} already imported, {} blank, {} rejected",
        style.bold(&headline),
        style.dim(&imported.file),
        counts.read,
        counts.unchanged,
        counts.unanswered,
        counts.rejected
    );
    for guard in imported.guards.iter().filter(|guard| guard.fired) {
        let _ = writeln!(text, "  {}: {}", style.bold(guard.name), guard.text);
    }
    let found = &imported.findings;
    if let Some(agreement) = &found.agreement {
        let _ = writeln!(text, "  {}", agreed(agreement));
    }
    for (n, what) in [
        (found.n_conflicts, "conflicts: label_inbox/conflicts.csv"),
        (found.n_suspects, "suspect labels: label_inbox/suspects.csv"),
    ] {
        if n > 0 {
            let _ = writeln!(text, "  {n} {what}");
        }
    }
    if let Some(accuracy) = &found.accuracy {
        let [value, low, high] =
            [accuracy.weighted.value, accuracy.weighted.low, accuracy.weighted.high].map(|share| 100.0 * share);
        let _ = writeln!(
            text,
            "  production's accuracy over all candidates: {value:.1} % (95 % interval {low:.1} to {high:.1} %)"
        );
        if accuracy.n_learned > 0 {
            let _ = writeln!(
                text,
                "  {} answered rows do not count there: production was trained on them",
                accuracy.n_learned
            );
        }
    }
    imported.notes.iter().for_each(|note| {
        let _ = writeln!(text, "{}", style.dim(&format!("note: {note}")));
    });
    text
}

/// Annotator agreement, overall and by pair.
fn agreed(agreement: &Agreement) -> String {
    let shown = |value: Option<f64>| value.map_or("not defined".to_owned(), |value| format!("{value:.2}"));
    let named = |name: &str| if name.is_empty() { "an unnamed person".to_owned() } else { name.to_owned() };
    let pairs = agreement.pairs.iter().map(|pair| {
        let [a, b] = pair.annotators.each_ref().map(|name| named(name));
        format!(", κ {a} and {b} {} ({} rows)", shown(pair.kappa), pair.n_rows)
    });
    let pairs: String = pairs.collect();
    format!("agreement on {} rows: α {}{pairs}", agreement.n_rows, shown(agreement.alpha))
}
