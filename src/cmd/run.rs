use super::output::Style;
use super::{Context, Outcome, Output, notices, promote, retrain};
use anyhow::{Result, ensure};
use mlloop::atomic::Lock;
use mlloop::gate::{self, Ticket};
use mlloop::notify::{Delivery, Kind, Notice};
use mlloop::printable;
use mlloop::round::{self, Round, RoundOutcome, RoundRequest};
use mlloop::table::Spool;
use serde::Serialize;
use serde_json::json;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Go around the loop once: monitor, retrain when there is a reason, promote what earned it, tell people
///
/// Meant for a crontab: it is safe to start twice, takes up a round that was interrupted, and never waits for an answer
/// unless a person sits at the terminal. A rollout (`ab-start --strategy`) takes its step when it is due and nothing
/// became worse. With [promote] approval = "manual" a person is asked there; elsewhere the
/// request stays open for `mlloop approve`.
///
///   mlloop run                                17 * * * *  mlloop -C loops/churn run -q
///   mlloop run new.csv                        what arrived is in this table
///   mlloop run --yes --by ann                 agree to the promotion in advance
///   mlloop run --force                        retrain whatever monitor finds
///
/// Exit status: 0 another version is in production, 1 no reason, nothing new, or refused, 2 error, 3 cannot tell,
/// 4 waiting for approval.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What arrived; by default [monitor] current. Both monitor and retrain look at it
    #[arg(value_name = "TABLE")]
    table: Option<PathBuf>,
    /// Retrain whatever is found, and however few labels are new
    #[arg(long)]
    force: bool,
    /// Agree to a promotion that waits for approval
    #[arg(long, conflicts_with = "no", requires = "by")]
    yes: bool,
    /// Turn down a promotion that waits for approval
    #[arg(long, requires = "by")]
    no: bool,
    /// Who answers: the name that goes into the audit chain
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    by: Option<String>,
    /// Leave out rows that do not fit, and report them
    #[arg(long)]
    skip_invalid: bool,
}

/// The round, and what became of what people are told.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    round: &'a Round,
    notified: Delivery,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    ctx.workspace.config()?;
    let lock = ctx.workspace.lock()?;
    let steps = ctx.progress.steps();
    let current = args.table.as_deref().map(Spool::new).transpose()?;
    let request = RoundRequest {
        current: current.as_ref(),
        force: args.force,
        by: None,
        skip_invalid: args.skip_invalid,
        now: ctx.now,
        seed: ctx.seed,
        progress: &|what, done, total| steps.at(what, done, total),
        seconds: &|| started.elapsed().as_secs_f64(),
    };
    let mut round = round::run(&ctx.workspace, &lock, &request)?;
    steps.finish();
    round.rejects().for_each(|rejects| ctx.progress.rejects(rejects));
    // Nobody else has to wait while a person thinks.
    drop(lock);
    decide(args, ctx, &mut round)?;
    {
        let _lock = lock_again(ctx)?;
        ctx.log(
            "run",
            started,
            json!({ "done": round.done, "production": round.production, "sentence": round.sentence }),
        )?;
    }
    let notified = tell(ctx, &round);
    out.answer(&Answer { round: &round, notified }, |style| readable(&round, style))?;
    Ok(match round.done {
        RoundOutcome::Promoted => Outcome::Yes,
        RoundOutcome::Refused
        | RoundOutcome::Rejected
        | RoundOutcome::NoReason
        | RoundOutcome::NothingNew
        | RoundOutcome::TooSoon => Outcome::No,
        RoundOutcome::Inconclusive | RoundOutcome::CannotTell | RoundOutcome::TooFew => Outcome::CannotTell,
        RoundOutcome::Waiting => Outcome::Waiting,
    })
}

/// The lock once more, for what the round has found: it is not given up as soon as a verb that has done nothing yet.
fn lock_again(ctx: &Context) -> Result<Lock> {
    const LEAST: Duration = Duration::from_secs(10);
    Ok(ctx.workspace.lock_within(ctx.workspace.patience().max(LEAST))?)
}

/// Carries out what a person says of a waiting request: on the command line, or asked at a terminal.
fn decide(args: &Args, ctx: &Context, round: &mut Round) -> Result<()> {
    let Some(ticket) = round.request.clone().filter(|_| round.done == RoundOutcome::Waiting) else { return Ok(()) };
    let agrees = match (args.yes, args.no) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ if io::stdin().is_terminal() && io::stderr().is_terminal() => ask(&ticket)?,
        _ => None,
    };
    let Some(agrees) = agrees else { return Ok(()) };
    let by = args.by.as_deref().unwrap_or_default();
    ensure!(!by.is_empty(), "who answers? give --by NAME");
    let lock = lock_again(ctx)?;
    if agrees {
        let decided = gate::approve(&ctx.workspace, &lock, &ticket.id, by, ctx.now)?;
        let sentence = format!("{} is production now: {by} agreed.", ticket.version);
        round.decided(RoundOutcome::Promoted, decided.production, &sentence);
    } else {
        let decided = gate::reject(&ctx.workspace, &lock, &ticket.id, by, "turned down by `mlloop run`", ctx.now)?;
        round.decided(RoundOutcome::Rejected, decided.production, &format!("{by} turned {} down.", ticket.version));
    }
    Ok(())
}

/// Asks at the terminal; any other answer than yes and no leaves the request open.
fn ask(ticket: &Ticket) -> io::Result<Option<bool>> {
    let sentence = printable::message(&ticket.sentence);
    write!(io::stderr(), "{sentence}\nPut {} into production? [y/n] ", ticket.version)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Some(true),
        "n" | "no" => Some(false),
        _ => None,
    })
}

/// Tells people of all that happened in the round.
fn tell(ctx: &Context, round: &Round) -> Delivery {
    if let Some(report) = &round.report {
        notices::drift(ctx, report);
    }
    let mut notices: Vec<Notice> = round.retrain.iter().filter_map(retrain::notice).collect();
    if let Some(promotion) = round.promotion.as_ref().filter(|_| round.done != RoundOutcome::Rejected) {
        notices.extend(notices::of_promotion(promotion));
    }
    if let (Some(ticket), RoundOutcome::Promoted) = (&round.request, round.done) {
        let version = ticket.version.to_string();
        notices.push(Notice::new(Kind::Promoted, version, format!("{} is production now", ticket.version)));
    }
    notices::tell(ctx, notices)
}

fn readable(round: &Round, style: Style) -> String {
    let production = round.production.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let next = match (&round.retrain, &round.promotion) {
        (_, Some(promotion)) => promote::next(promotion),
        (Some(found), None) => retrain::next(found.done).map(str::to_owned),
        (None, None) => None,
    };
    let next = next.map_or_else(String::new, |next| format!("next: {next}\n"));
    format!("{}\nproduction: {}\n{next}", round.sentence, style.bold(&production))
}
