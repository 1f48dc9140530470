use super::args::WindowArgs;
use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::{Result, bail};
use clap::ValueEnum;
use mlloop::feedback::{self, Correction, Count, Given, Period, Stats, Verdict, parse};
use mlloop::train;
use std::fmt::Write as _;
use std::io;

/// Say whether a prediction was right, or count what people said
///
/// A correction is about the last logged prediction of a row. It is kept in data/feedback.csv and becomes a label in
/// data/labels.csv; an uncertain one is kept and counted but is no label.
///
///   mlloop feedback C-104 correct --by ann
///   mlloop feedback C-105 incorrect --actual no --by ann --comment 'moved house'
///   mlloop feedback C-106 uncertain --by ann
///   mlloop feedback - < corrections.csv      id,verdict,actual,by,comment; or JSON lines with these keys
///   mlloop feedback                          the statistics
///   mlloop feedback --last 28d --period day
///
/// Exit status: 0 taken in, or counted; 1 all of it had been said before; 2 error (nothing was taken in).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The row; - reads corrections from stdin
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Whether its prediction was right
    #[arg(value_name = "VERDICT", value_enum)]
    verdict: Option<Word>,
    /// What would have been right
    #[arg(long, value_name = "VALUE", requires = "verdict")]
    actual: Option<String>,
    /// Who says so
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, requires = "id")]
    by: String,
    /// Anything else
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, requires = "verdict")]
    comment: String,
    /// Print the statistics, as without arguments
    #[arg(long, conflicts_with = "id")]
    stats: bool,
    #[command(flatten)]
    window: WindowArgs,
    /// Count by this period
    #[arg(long, value_name = "PERIOD", default_value = "week", conflicts_with = "id", value_parser = super::args::one_of(["day", "week", "month"], str::parse::<Period>))]
    period: Period,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Word {
    /// It was.
    Correct,
    /// It was not; --actual says what is
    Incorrect,
    /// Cannot tell.
    Uncertain,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    // Outside a loop there is nothing to speak of.
    ctx.workspace.config()?;
    let Some(corrections) = corrections(args)? else {
        let found = feedback::stats(&ctx.workspace, &args.window.window(ctx.now), args.period)?;
        out.answer(&found, |style| stats_text(&found, style))?;
        return Ok(Outcome::Yes);
    };
    let (_, pipeline) = train::load(&ctx.workspace, None)?;
    let lock = ctx.workspace.lock()?;
    let given = feedback::give(&ctx.workspace, &lock, &pipeline.target, &corrections, ctx.now)?;
    out.answer(&given, |_| given_text(&given))?;
    Ok(if given.is_nothing() { Outcome::No } else { Outcome::Yes })
}

/// What is to be taken in; `None` when the statistics are asked for.
fn corrections(args: &Args) -> Result<Option<Vec<Correction>>> {
    let verdict = match (&args.id, args.verdict) {
        (None, _) => return Ok(None),
        (Some(id), None) if id == "-" => return Ok(Some(parse::corrections("stdin", io::stdin(), &args.by)?)),
        (Some(id), None) => bail!("{id}: say correct, incorrect or uncertain"),
        (Some(_), Some(Word::Correct)) => Verdict::Correct,
        (Some(_), Some(Word::Incorrect)) => Verdict::Incorrect,
        (Some(_), Some(Word::Uncertain)) => Verdict::Uncertain,
    };
    let id = args.id.clone().unwrap_or_default();
    let (by, comment) = (args.by.clone(), args.comment.clone());
    Ok(Some(vec![Correction { place: id.clone(), id, verdict, actual: args.actual.clone(), by, comment }]))
}

fn given_text(given: &Given) -> String {
    let Given { n_new, n_unchanged, labels, .. } = given;
    if given.is_nothing() {
        return format!("nothing new: {n_unchanged} said before\n");
    }
    let changed = labels.changes.len();
    format!("{n_new} taken in, {n_unchanged} said before; {} new labels, {changed} changed\n", labels.n_added)
}

fn stats_text(found: &Stats, style: Style) -> String {
    let line = |name: &str, count: &Count| {
        let percent = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
        let Count { total, correct, incorrect, uncertain, accuracy_rate, correction_rate, .. } = *count;
        let (right, corrected) = (percent(accuracy_rate), percent(correction_rate));
        format!("{name:<12} {total:>6} {correct:>8} {incorrect:>10} {uncertain:>10} {right:>9} {corrected:>10}\n")
    };
    let head = "               said  correct  incorrect  uncertain  accuracy  corrected";
    let mut text = format!("{}\n{}", style.dim(head), line("all", &found.count));
    for group in found.by_version.iter().chain(&found.by_period) {
        text.push_str(&line(&group.name, &group.count));
    }
    // Writing to a String cannot fail.
    if found.count.n_learned > 0 {
        let what = "are of rows that the version had learned from: they say nothing about it";
        let _ = writeln!(text, "{} {what}", style.bold(&found.count.n_learned.to_string()));
    }
    let _ = writeln!(text, "{} became labels that no version has learned from", style.bold(&found.unused.to_string()));
    text
}
