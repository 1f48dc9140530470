use super::args::{TableArgs, one_of};
use super::output::Style;
use super::{Context, Outcome, Output, notices, promote, retrain};
use anyhow::{Result, bail};
use mlloop::answers::Ran;
use mlloop::atomic::Lock;
use mlloop::gate::{self, Asks, PromoteOutcome, Ticket};
use mlloop::labels::Exported;
use mlloop::monitor::files::Format;
use mlloop::notify::{Delivery, Kind, Notice};
use mlloop::printable;
use mlloop::retrain::approval;
use mlloop::round::{self, Round, RoundOutcome, RoundRequest, Step};
use mlloop::table::Spool;
use serde_json::json;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Run one round of the loop: monitor, retrain if there is a reason, promote if better, notify
///
/// Meant for a crontab: it is safe to start twice, and it resumes an interrupted round. It asks questions only at a
/// terminal. A rollout (`ab-start --strategy`) takes its next step when it is due and no guardrail broke; while an
/// experiment runs, nothing is promoted. With [retrain] or [promote] approval = "manual" it asks for approval at a
/// terminal; otherwise the request stays open for `mlloop approve`.
///
///   mlloop run   17 * * * *  mlloop -C loops/churn run -q
///   mlloop run new.csv                        the current rows: this table
///   mlloop run --yes --by ann                 approve in advance
///   mlloop run --force                        retrain in any case
///   mlloop run --step retrain                 one step only, for schedulers
///
/// If retraining needs approval, ann may request one and approve it; another person must approve the promotion:
///
///   mlloop run --force --yes=retraining --by ann
///
/// Exit status: 0 a new version is in production (with --step: there is a reason, or a challenger), 1 no reason, nothing
/// new, or refused, 2 error, 3 cannot tell, 4 waiting for approval.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The current rows, for monitor and retrain (default: [monitor] current)
    #[arg(value_name = "TABLE")]
    table: Option<PathBuf>,
    /// Retrain for any result of monitor, and with any number of new labels
    #[arg(long)]
    force: bool,
    /// Run only this step: monitor, retrain (without asking for a reason), or promote
    #[arg(long, value_name = "STEP", value_parser = one_of(Step::NAMES, str::parse::<Step>))]
    step: Option<Step>,
    /// Approve a retraining or a promotion that waits for approval, or only one of the two kinds
    #[arg(long, value_name = "WHAT", conflicts_with = "no", num_args = 0..=1, require_equals = true,
        default_missing_value = "all", value_parser = one_of(Yes::NAMES, str::parse::<Yes>))]
    yes: Option<Yes>,
    /// Reject a retraining or a promotion that waits for approval
    #[arg(long)]
    no: bool,
    /// Who requests, or who answers with --yes or --no (default then: $USER), for the audit chain. A person who requests
    /// by name, or with --force, cannot also approve the promotion
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: Option<String>,
    #[command(flatten)]
    read: TableArgs,
}

/// What `--yes` approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Yes {
    All,
    Retraining,
    Promotion,
}

impl Yes {
    const NAMES: [&'static str; 3] = ["all", "retraining", "promotion"];

    fn to(self, asks: Asks) -> bool {
        match self {
            Self::All => true,
            Self::Retraining => asks == Asks::Retraining,
            Self::Promotion => asks == Asks::Promotion,
        }
    }
}

impl FromStr for Yes {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "all" => Ok(Self::All),
            "retraining" => Ok(Self::Retraining),
            "promotion" => Ok(Self::Promotion),
            _ => Err(format!("choose {}", Self::NAMES.join(", "))),
        }
    }
}

impl Args {
    /// The given name.
    fn named(&self) -> Option<&str> {
        self.by.as_deref().map(str::trim).filter(|by| !by.is_empty())
    }

    /// The person who requests. A person who only answers has not requested anything: the loop itself found the
    /// reasons.
    fn asks(&self) -> Option<&str> {
        self.named().filter(|_| self.force || !self.answers())
    }

    fn answers(&self) -> bool {
        self.yes.is_some() || self.no
    }

    /// The person who answers if nobody is at the terminal.
    fn answerer(&self) -> Option<String> {
        #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
        let user = || std::env::var("USER").ok().filter(|user| !user.trim().is_empty());
        self.named().map(str::to_owned).or_else(user)
    }
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let started = Instant::now();
    ctx.workspace.config()?;
    if args.answers() && args.answerer().is_none() {
        bail!("--yes and --no need --by NAME, for the audit chain");
    }
    let lock = ctx.lock_with_labels()?;
    let steps = ctx.progress.steps();
    let current = args.table.as_deref().map(Spool::new).transpose()?;
    let request = RoundRequest {
        current: current.as_ref(),
        force: args.force,
        step: args.step,
        by: args.asks(),
        agrees: args.yes.is_some_and(|yes| yes.to(Asks::Retraining)),
        read: args.read.options(),
        now: ctx.now,
        seed: ctx.seed,
        progress: &|what, done, total| steps.at(what, done, total),
        seconds: &|| started.elapsed().as_secs_f64(),
    };
    let mut round = round::run(&ctx.workspace, &lock, &request)?;
    steps.finish();
    round.rejects().for_each(|rejects| ctx.progress.rejects(rejects));
    // Do not hold the lock while waiting for the answer.
    drop(lock);
    while let Some(agreed) = decide(args, ctx, &mut round)? {
        let lock = lock_again(ctx)?;
        approval::approve(&ctx.workspace, &lock, &agreed.ticket.id, &agreed.by, ctx.now)?;
        round::go_on(&ctx.workspace, &lock, &request, &mut round)?;
        steps.finish();
    }
    {
        let _lock = lock_again(ctx)?;
        ctx.log(
            "run",
            started,
            json!({ "done": round.done, "production": round.production, "sentence": round.sentence }),
        )?;
    }
    let notified = tell(ctx, &round);
    out.answer(&Ran { round: &round, notified }, |style| readable(&round, style))?;
    Ok(outcome(round.done))
}

/// The exit status of a round.
pub(super) fn outcome(done: RoundOutcome) -> Outcome {
    match done {
        RoundOutcome::Promoted | RoundOutcome::Reason | RoundOutcome::Challenger => Outcome::Yes,
        RoundOutcome::Refused
        | RoundOutcome::Rejected
        | RoundOutcome::NoReason
        | RoundOutcome::NothingNew
        | RoundOutcome::Experiment
        | RoundOutcome::TooSoon => Outcome::No,
        RoundOutcome::Inconclusive | RoundOutcome::CannotTell | RoundOutcome::TooFew => Outcome::CannotTell,
        RoundOutcome::Waiting => Outcome::Waiting,
    }
}

/// Takes the lock again to finish the round: waits longer than a verb that has not done anything yet.
fn lock_again(ctx: &Context) -> Result<Lock> {
    const LEAST: Duration = Duration::from_secs(10);
    Ok(ctx.workspace.lock_within(ctx.workspace.patience().max(LEAST))?)
}

/// A retraining that was approved.
struct Agreed {
    ticket: Ticket,
    by: String,
}

/// Carries out a person's decision on a waiting request: from the command line, or asked at a terminal. An approved
/// retraining still has to be run.
fn decide(args: &Args, ctx: &Context, round: &mut Round) -> Result<Option<Agreed>> {
    let Some(ticket) = round.request.clone().filter(|_| round.done == RoundOutcome::Waiting) else { return Ok(None) };
    let own = args.named().is_some_and(|by| ticket.is_of(by));
    let agrees = match (args.yes, args.no) {
        (Some(yes), _) => yes.to(ticket.asks).then_some(true),
        (_, true) => Some(false),
        _ if own => None,
        _ if io::stdin().is_terminal() && io::stderr().is_terminal() => ask(&ticket)?,
        _ => None,
    };
    let Some(agrees) = agrees else { return Ok(None) };
    let by = match args.answerer() {
        Some(by) => by,
        None => ask_name()?,
    };
    if agrees && ticket.is_of(&by) {
        ctx.progress
            .note(format_args!("{by} requested it, so another person has to approve it: the request stays open"));
        return Ok(None);
    }
    if by.is_empty() {
        ctx.progress.note("no name was given, so the request stays open");
        return Ok(None);
    }
    const WHY: &str = "rejected by `mlloop run`";
    match (ticket.asks, agrees) {
        (Asks::Retraining, true) => return Ok(Some(Agreed { ticket, by })),
        (Asks::Retraining, false) => {
            let lock = lock_again(ctx)?;
            approval::reject(&ctx.workspace, &lock, &ticket.id, &by, WHY, ctx.now)?;
            round.decided(RoundOutcome::Rejected, round.production, &format!("{by} rejected the retraining."));
        }
        (Asks::Promotion, true) => {
            let lock = lock_again(ctx)?;
            let decided = gate::approve(&ctx.workspace, &lock, &ticket.id, &by, ctx.now)?;
            let sentence = format!("{} is now in production: {by} approved it.", ticket.version);
            round.decided(RoundOutcome::Promoted, decided.production, &sentence);
        }
        (Asks::Promotion, false) => {
            let lock = lock_again(ctx)?;
            let decided = gate::reject(&ctx.workspace, &lock, &ticket.id, &by, WHY, ctx.now)?;
            let sentence = format!("{by} rejected {}.", ticket.version);
            round.decided(RoundOutcome::Rejected, decided.production, &sentence);
        }
    }
    Ok(None)
}

/// Asks for the name, where neither --by nor the environment has it; empty without an answer.
fn ask_name() -> io::Result<String> {
    write!(io::stderr(), "Your name, for the audit chain: ")?;
    let mut name = String::new();
    io::stdin().lock().read_line(&mut name)?;
    Ok(name.trim().to_owned())
}

/// Asks at the terminal; any answer except yes and no leaves the request open.
fn ask(ticket: &Ticket) -> io::Result<Option<bool>> {
    let sentence = printable::message(&ticket.sentence);
    let question = match ticket.asks {
        Asks::Retraining => "Train a challenger now?".to_owned(),
        Asks::Promotion => format!("Put {} into production?", ticket.version),
    };
    write!(io::stderr(), "{sentence}\n{question} [y/n] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Some(true),
        "n" | "no" => Some(false),
        _ => None,
    })
}

/// Notifies all that happened in the round.
pub(super) fn tell(ctx: &Context, round: &Round) -> Delivery {
    if let Some(report) = &round.report {
        notices::drift(ctx, report, Format::ALL);
    }
    let mut notices: Vec<Notice> = round.retrain.iter().filter_map(retrain::notice).collect();
    if let Some(promotion) = round.promotion.as_ref().filter(|_| round.done != RoundOutcome::Rejected) {
        notices.extend(notices::of_promotion(ctx, promotion));
    }
    if let Some(ticket) = round.request.as_ref().filter(|t| t.asks == Asks::Retraining && round.is_new_request)
        && round.done == RoundOutcome::Waiting
    {
        notices.push(notices::of_retraining(ticket));
    }
    if let Some(Exported { batch: Some(batch), files, n, .. }) = &round.labels {
        let file = files.first().map(|file| file.display().to_string()).unwrap_or_default();
        let notice = Notice::new(Kind::LabelsWanted, batch, format!("{n} rows wait to be labelled"));
        notices.push(notice.with(&format!("{file}\nfill in the target, then run mlloop label-import")));
    }
    let asked = round.promotion.as_ref().is_none_or(|found| found.done == PromoteOutcome::Waiting);
    if let Some(ticket) = round.request.as_ref().filter(|_| asked && round.done == RoundOutcome::Promoted) {
        let version = ticket.version;
        notices.push(notices::promoted(ctx, ticket, &format!("{version} is now in production")));
    }
    notices::tell(ctx, notices)
}

pub(super) fn readable(round: &Round, style: Style) -> String {
    let production = round.production.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let next = match (&round.retrain, &round.promotion) {
        // The rows of an open batch must not be exported again.
        _ if round.labels.is_some() => {
            Some("fill in the target of these rows, then run mlloop label-import".to_owned())
        }
        (_, Some(promotion)) => promote::next(promotion),
        (Some(found), None) => retrain::next(found.done).map(str::to_owned),
        (None, None) => None,
    };
    let next = next.map_or_else(String::new, |next| format!("next: {next}\n"));
    format!("{}\nproduction: {}\n{next}", round.sentence, style.bold(&production))
}
