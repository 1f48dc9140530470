use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::{Result, bail};
use clap::Subcommand;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use mlloop::answers::{Accepted, RolesAt, Verified};
use mlloop::feedback::{self, FeedbackError};
use mlloop::journal::{Damage, Journal, Window};
use mlloop::labels::Labels;
use mlloop::lineage::{self, Lineage};
use mlloop::printable::name;
use mlloop::registry::{Difference, Roles};
use mlloop::workspace::audit::{Chain, Entry};
use mlloop::workspace::clock::ClockBack;
use mlloop::workspace::{Deep, FEEDBACK_FILE};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Show every change of the loop, verify the history, find what was in production at a time
///
/// Each line of audit.jsonl contains the hash of the preceding line, and models/roles.json that of the last one. So
/// altered, removed or moved lines are detected, and a cut end too. Lines with a clock behind that of a preceding line are
/// reported.
///
///   mlloop audit                         the last 20 changes
///   mlloop audit show --last 100
///   mlloop audit show --for C-104
///       one row: predictions, labels, the versions trained on them
///   mlloop audit verify
///       is the chain intact?
///   mlloop audit verify --deep
///       and does every file match the chain?
///   mlloop audit accept data/labels.csv --by ann
///       accept a file that you edited by hand
///   mlloop audit replay v0003
///       train it again: are the files and verdicts the same?
///   mlloop audit replay 14
///       repeat the decision in line 14: promote, label-import, ab-stop
///   mlloop audit at 2026-11-20
///       what was in production at the end of that day (UTC)?
///   mlloop audit at 2026-11-20T08:30:00Z
///
/// Exit status: 0 yes (shown; intact; accepted; same result; a version was in production), 1 no (nothing to show; broken;
/// different result; none was), 2 error, 3 cannot tell (replay: an input is missing).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List changes, latest last; or follow one row
    Show(Show),
    /// Verify the hash chain, and compare its end with roles.json
    Verify {
        /// Also compare every file of the versions, the labels and the reference with the chain
        #[arg(long)]
        deep: bool,
    },
    /// Accept a file as it is now, although it differs from the chain: you edited data/labels.csv by hand
    Accept {
        /// data/labels.csv, data/feedback.csv or the reference
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Who accepts it, for the audit chain
        #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
        by: String,
    },
    /// Repeat a decision from the loop's files, and compare the results
    Replay(super::audit_replay::Args),
    /// Show which version had which role at a time
    At {
        /// A day (its end in UTC), or an instant (RFC 3339)
        #[arg(value_name = "DATE")]
        time: String,
    },
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Number of changes
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
    /// Follow this row from prediction to label to the versions trained on it
    #[arg(long = "for", value_name = "ID", conflicts_with = "last")]
    id: Option<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    // Outside a loop there is no chain.
    ctx.workspace.config()?;
    match &args.what {
        None => show(&args.show, ctx, out),
        Some(What::Show(args)) => show(args, ctx, out),
        Some(What::Verify { deep }) => verify(ctx, *deep, out),
        Some(What::Accept { file, by }) => accept(file, by, ctx, out),
        Some(What::Replay(args)) => super::audit_replay::run(args, ctx, out),
        Some(What::At { time }) => at(&ctx.workspace.audit_chain()?, time, ctx.now, out),
    }
}

fn show(args: &Show, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    if let Some(id) = &args.id {
        let found = lineage::follow(&ctx.workspace, &ctx.workspace.config()?.schema().id_of(id))?;
        out.answer(&found, |style| trail_text(&found, style))?;
        return Ok(if found.is_empty() { Outcome::No } else { Outcome::Yes });
    }
    let chain = ctx.workspace.audit_chain()?;
    if let Some(broken) = &chain.broken {
        ctx.progress.note(format_args!("note: audit.jsonl: line {}: {}", broken.line, broken.what));
    }
    let entries = &chain.entries[chain.entries.len().saturating_sub(args.last)..];
    let who = |entry: &Entry| format!("{}{}", entry.event, by(entry.by.as_deref().unwrap_or_default()));
    let width = entries.iter().map(|entry| who(entry).chars().count()).max().unwrap_or(0);
    out.answer(&entries, |style| entries.iter().map(|entry| entry_text(entry, width, style)).collect())?;
    Ok(if entries.is_empty() { Outcome::No } else { Outcome::Yes })
}

fn accept(file: &Path, by: &str, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    // A file that cannot be read is not accepted.
    Labels::open(&ctx.workspace)?;
    feedback::entries(&ctx.workspace)?;
    let is_new = ctx.workspace.accept(&ctx.lock()?, file, by, ctx.now)?;
    let answer = Accepted { file, accepted: is_new, by };
    out.answer(&answer, |style| match is_new {
        true => format!("accepted {} as it is now, by {}\n", style.bold(&file.display().to_string()), name(by)),
        false => format!("{} matches the chain; nothing to accept\n", file.display()),
    })?;
    Ok(if is_new { Outcome::Yes } else { Outcome::No })
}

fn verify(ctx: &Context, deep: bool, out: &mut Output) -> Result<Outcome> {
    let chain = ctx.workspace.audit_chain()?;
    let n = chain.entries.len();
    let head = chain.entries.last().map(|entry| entry.hash.as_str());
    let back = chain.clock_went_back();
    let files = if deep { Some(look_deep(ctx, &chain)?) } else { None };
    let (broken, whole) = (chain.broken.as_ref(), chain.broken.is_none());
    let answer = Verified {
        whole,
        lines: whole.then_some(n),
        head: head.filter(|_| whole),
        unfinished: whole.then_some(chain.unfinished),
        line: broken.map(|broken| broken.line),
        what: broken.map(|broken| broken.what.as_str()),
        clock_went_back: &back,
        files: files.as_ref(),
    };
    out.answer(&answer, |style| {
        let verdict = match &chain.broken {
            None => format!("{}: {n} lines, each chained to the preceding one\n", style.bold("intact")),
            Some(broken) => format!("{}: line {} {}\n", style.bold("broken"), broken.line, broken.what),
        };
        let clocks: String = back.iter().map(clock_text).collect();
        verdict + &clocks + &files.as_ref().map(|files| files_text(files, style)).unwrap_or_default()
    })?;
    let is_good = chain.broken.is_none() && files.is_none_or(|files| files.different.is_empty());
    Ok(if is_good { Outcome::Yes } else { Outcome::No })
}

/// Every file that the chain records, and lines of feedback that it does not record.
fn look_deep(ctx: &Context, chain: &Chain) -> Result<Deep> {
    let mut found = ctx.workspace.verify_files(chain)?;
    let changed = found.different.iter().any(|different| different.file == FEEDBACK_FILE);
    if !changed && let Err(FeedbackError::File { what, .. }) = feedback::hold(&ctx.workspace) {
        found.different.push(Difference { file: FEEDBACK_FILE.to_owned(), what });
    } else if !changed {
        found.different.extend(feedback::announcement_differs(&ctx.workspace)?);
    }
    let damage = Journal::of(&ctx.workspace).damage()?;
    found.different.extend(damage.into_iter().map(|Damage { file, what }| Difference { file, what }));
    Ok(found)
}

/// The result of a deep check, one line for each file that differs.
fn files_text(files: &Deep, style: Style) -> String {
    let line = |different: &Difference| format!("{}: {} {}\n", style.bold("changed"), different.file, different.what);
    let mut text: String = files.different.iter().map(line).collect();
    if files.different.is_empty() {
        text =
            format!("the files of {} versions, the labels and the reference are as recorded\n", files.versions.len());
    }
    if !files.not_here.is_empty() {
        text +=
            &format!("missing here, not checked: {} (`mlloop pull --data` fetches them)\n", files.not_here.join(", "));
    }
    if !files.unsealed.is_empty() {
        let names: Vec<String> = files.unsealed.iter().map(ToString::to_string).collect();
        let names = names.join(", ");
        text += &format!("not checked: {names}, stored before file digests were recorded\n");
    }
    text
}

/// A line whose clock went back, in a sentence.
fn clock_text(back: &ClockBack) -> String {
    let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M");
    format!(
        "the clock went back: line {} ({}) is dated {} before line {} ({})\n",
        back.line,
        minute(back.at),
        apart(back.at, back.after),
        back.after_line,
        minute(back.after)
    )
}

/// The time between two instants, in its largest unit.
pub(crate) fn apart(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs();
    let units = [("year", 31_557_600), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)];
    let (unit, size) = units.into_iter().find(|(_, size)| seconds >= *size).unwrap_or(("second", 1));
    let n = seconds / size;
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

fn at(chain: &Chain, time: &str, now: Timestamp, out: &mut Output) -> Result<Outcome> {
    if let Some(broken) = &chain.broken {
        bail!("audit.jsonl: line {}: {}: the lines from there on are not reliable", broken.line, broken.what);
    }
    let instant = end_of(time).map_err(anyhow::Error::msg)?;
    let found = chain.roles_at(instant, now);
    let moved = chain.moved_at(instant, now);
    let answer = RolesAt {
        at: instant,
        production: found.as_ref().and_then(|found| found.roles.production),
        challenger: found.as_ref().and_then(|found| found.roles.challenger),
        since: found.as_ref().map(|found| found.since),
        event: found.as_ref().map(|found| &found.entry.event),
        line: found.as_ref().map(|found| found.entry.seq),
        clocks: &moved,
    };
    out.answer(&answer, |style| {
        let marks: String = moved.iter().map(|moved| moved.sentence() + "\n").collect();
        let said = match &found {
            Some(found) => {
                let (when, entry) = (found.since.strftime("%Y-%m-%d %H:%M UTC"), found.entry);
                format!("{} (line {}, {} on {when})\n", roles_text(found.roles, style), entry.seq, entry.event)
            }
            None => format!("nothing was in production at {instant}\n"),
        };
        said + &marks
    })?;
    let in_production = found.is_some_and(|found| found.roles.production.is_some());
    Ok(if in_production { Outcome::Yes } else { Outcome::No })
}

/// An instant, or the last microsecond of a day.
fn end_of(time: &str) -> Result<Timestamp, String> {
    let last = |day: jiff::civil::Date| day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok();
    let end = time.parse().ok().and_then(last).map(|next| next.timestamp() - 1.microsecond());
    end.map_or_else(|| Window::parse_instant(time), Ok)
}

fn roles_text(roles: &Roles, style: Style) -> String {
    let production = roles.production.map_or_else(|| "nothing".to_owned(), |version| version.to_string());
    let challenger = roles.challenger.map(|version| format!(", {version} was challenger")).unwrap_or_default();
    format!("{} was in production{challenger}", style.bold(&production))
}

/// An entry in one line; the event and the name are padded to `width`, so that the sentences are aligned.
fn entry_text(entry: &Entry, width: usize, style: Style) -> String {
    let when = entry.at.strftime("%Y-%m-%d %H:%M");
    let (event, by) = (entry.event.to_string(), by(entry.by.as_deref().unwrap_or_default()));
    let left = width.saturating_sub(event.chars().count() + by.chars().count());
    format!(
        "{:>4}  {when}  {}{by}{:left$}  {}\n",
        entry.seq,
        style.bold(&event),
        "",
        style.dim(&name(&entry.sentence()))
    )
}

fn trail_text(found: &Lineage, style: Style) -> String {
    if found.is_empty() {
        return format!("no record of {}\n", name(&found.id));
    }
    // Writing to a String cannot fail.
    let mut text = format!("{}\n", style.bold(&name(&found.id)));
    for predicted in &found.predictions {
        let when = predicted.time.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
        let score = predicted.score.map(|score| format!(" (score {score:.4})")).unwrap_or_default();
        let arm = if predicted.arm.is_empty() { String::new() } else { format!(", arm {}", name(&predicted.arm)) };
        let _ = writeln!(text, "  {when}  {} predicted {}{score}{arm}", predicted.version, name(&predicted.prediction));
    }
    for said in &found.feedback {
        let when = said.at.strftime("%Y-%m-%d %H:%M");
        let _ = writeln!(text, "  {when}  {}{} of {}: {}", said.verdict, by(&said.by), said.version, name(&said.label));
    }
    for labelled in &found.labels {
        let label = &labelled.label;
        let when = label.labelled_at.strftime("%Y-%m-%d %H:%M");
        let used: Vec<String> = labelled.used_in.iter().map(ToString::to_string).collect();
        let used = if used.is_empty() { "not used yet".to_owned() } else { format!("used in {}", used.join(", ")) };
        let _ = writeln!(
            text,
            "  {when}  labelled {} ({}{}), {used}",
            name(&label.label),
            label.source,
            by(&label.annotator)
        );
    }
    text
}

fn by(who: &str) -> String {
    if who.is_empty() { String::new() } else { format!(" by {}", name(who)) }
}
