use super::output::Style;
use super::{Context, Outcome, Output, notices};
use anyhow::Result;
use mlloop::gate::{self, Decision, PromoteOutcome, PromoteRequest, Promotion, Verdict};
use mlloop::registry::Version;
use serde_json::json;
use std::time::Instant;

/// Is the challenger better than production? If so, promote it
///
/// Both versions score the gate rows, which neither was trained on. A paired test must show that the challenger is better
/// by at least min_improvement, and it must break no guardrail (calibration, slices, flipped classes, latency, columns).
/// The rules are under [promote] in mlloop.toml; approval = "manual" adds human approval. The report is written to
/// reports/gate_report.json, .html and .txt, and every verdict is a line of the audit chain.
///
///   mlloop promote
///   mlloop promote --dry-run --text           show the decision, and why
///   mlloop promote --version v0003   this version instead of the challenger
///   mlloop promote --allow-equivalent "the new one needs no credit data"
///   mlloop promote --version v3 --override "legal asked for it" --by ann
///
/// Exit status: 0 promoted, 1 refused or nothing to promote, 2 error, 3 cannot tell: too few rows, 4 waiting for approval.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// This version instead of the challenger
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,
    /// Show the decision; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Who requests it
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: Option<String>,
    /// Also promote a version shown to be equivalent (within the margin delta), for this reason
    #[arg(long, value_name = "REASON")]
    allow_equivalent: Option<String>,
    /// Promote without the gate's decision, for this reason; needs --by
    #[arg(long = "override", value_name = "REASON", requires = "by")]
    overridden: Option<String>,
    /// Skip invalid rows of the reference, and report them
    #[arg(long)]
    skip_invalid: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    let request = PromoteRequest {
        version: args.version,
        dry_run: args.dry_run,
        by: args.by.as_deref(),
        allow_equivalent: args.allow_equivalent.as_deref(),
        overridden: args.overridden.as_deref(),
        skip_invalid: args.skip_invalid,
        now: ctx.now,
        seed: ctx.seed,
        seconds: &|| started.elapsed().as_secs_f64(),
    };
    // Checked first, to create no lock file in a directory without a loop.
    ctx.workspace.config()?;
    let lock = if args.dry_run { None } else { Some(ctx.lock_with_labels()?) };
    let promotion = gate::promote(&ctx.workspace, lock.as_ref(), &request)?;
    ctx.progress.rejects(&promotion.rejects);
    if let Some(adopted) = &promotion.adopted {
        ctx.progress.note(format_args!("note: {}", adopted.told(&ctx.workspace)));
    }
    if args.overridden.is_some() {
        ctx.progress.note(format_args!("OVERRIDE: {}", promotion.sentence));
    }
    if lock.is_some() {
        ctx.log(
            "promote",
            started,
            json!({ "done": promotion.done, "version": promotion.version, "sentence": promotion.sentence }),
        )?;
    }
    out.answer(&promotion, |style| readable(&promotion, style))?;
    drop(lock);
    notices::tell(ctx, notices::of_promotion(ctx, &promotion));
    Ok(match promotion.done {
        PromoteOutcome::Promoted | PromoteOutcome::Already | PromoteOutcome::Would => Outcome::Yes,
        PromoteOutcome::Refused | PromoteOutcome::Nothing => Outcome::No,
        PromoteOutcome::Inconclusive => Outcome::CannotTell,
        PromoteOutcome::Waiting => Outcome::Waiting,
    })
}

fn readable(promotion: &Promotion, style: Style) -> String {
    let mut text = promotion
        .report
        .as_ref()
        .map_or_else(String::new, |report| {
            let tone = match report.decision {
                Decision::Promote => "good",
                Decision::Refuse => "bad",
                Decision::Wait => "open",
            };
            report.text(&|text| style.verdict(tone, text), &|text| style.dim(text))
        } + "\n");
    text.push_str(&style.bold(&promotion.sentence));
    text.push('\n');
    text.extend(next(promotion).map(|next| format!("next: {next}\n")));
    text + &pruned(&promotion.pruned)
}

/// The next step for a better challenger that is refused only by guardrails.
pub(crate) fn next(promotion: &Promotion) -> Option<String> {
    let report = promotion.report.as_ref().filter(|report| report.judgement.verdict == Verdict::Superior)?;
    let broken: Vec<&str> =
        report.guardrails.iter().filter(|rail| rail.broken).map(|rail| rail.name.as_str()).collect();
    let next = "if this is acceptable, set {} under [promote.guardrails] and run mlloop promote";
    (!broken.is_empty()).then(|| next.replace("{}", &broken.join(", ")))
}

/// A line about versions that were removed.
pub(super) fn pruned(versions: &[Version]) -> String {
    match versions {
        [] => String::new(),
        versions => {
            let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
            format!("pruned: {}\n", names.join(", "))
        }
    }
}
