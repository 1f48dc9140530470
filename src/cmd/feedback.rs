use super::args::WindowArgs;
use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::{Result, anyhow, bail, ensure};
use mlloop::feedback::{self, Correction, Count, Fields, Filter, Given, Period, Stats, Told, Verdict, parse};
use mlloop::train;
use mlloop::wording::instead;
use std::fmt::Write as _;
use std::io;

/// Say whether a prediction was right, or count what people said
///
/// A correction is about the last logged prediction of a row. It is kept in data/feedback.csv and becomes a label in
/// data/labels.csv; an uncertain one is kept and counted but is no label.
///
///   mlloop feedback C-104 correct --by ann
///   mlloop feedback C-105 incorrect --actual no --by ann \
///       --comment 'moved house'
///   mlloop feedback C-106 uncertain --by ann
///   mlloop feedback C-107 correct --field account=acme --field period=2026-10
///   mlloop feedback - < corrections.csv
///       id,verdict,actual,by,comment; or JSON lines with these keys
///   mlloop feedback                          the statistics
///   mlloop feedback --last 28d --period day --where account=acme
///   mlloop feedback list C-104
///       all that was said of a row, and which versions learned from it
///   mlloop feedback list --where account=acme
///
/// Other columns and keys of `-` are kept as free fields, like --field.
///
/// Exit status: 0 taken in, counted or listed; 1 all of it had been said before, or there is none to list; 2 error
/// (nothing was taken in).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The row; - reads corrections from stdin; list [ID] prints them
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Whether its prediction was right: correct, incorrect (--actual says what is), or uncertain
    #[arg(value_name = "VERDICT")]
    verdict: Option<String>,
    /// What would have been right
    #[arg(long, value_name = "VALUE", requires = "verdict")]
    actual: Option<String>,
    /// Who says so
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, requires = "id")]
    by: String,
    /// Anything else
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, requires = "verdict")]
    comment: String,
    /// Anything else that has a name
    #[arg(long, value_name = "NAME=VALUE", requires = "verdict")]
    field: Vec<String>,
    /// Only corrections with this free field, where they are counted or listed
    #[arg(long = "where", value_name = "NAME=VALUE", conflicts_with_all = ["actual", "comment", "field"])]
    wheres: Vec<String>,
    /// Print the statistics, as without arguments
    #[arg(long, conflicts_with = "id")]
    stats: bool,
    #[command(flatten)]
    window: WindowArgs,
    /// Count by this period
    #[arg(long, value_name = "PERIOD", default_value = "week", conflicts_with = "verdict", value_parser = super::args::one_of(["day", "week", "month"], str::parse::<Period>))]
    period: Period,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    // Outside a loop there is nothing to speak of.
    let schema = ctx.workspace.config()?.schema();
    let filter = |id: Option<&String>| {
        let window = args.window.window(ctx.now);
        let id = id.map(|id| schema.id_of(id).into_owned());
        Ok::<_, anyhow::Error>(Filter { id, window, fields: fields("--where", &args.wheres)? })
    };
    let asked = args.asked()?;
    if !matches!(asked, Asked::Give(_))
        && let Err(err) = ctx.look_into_store()
    {
        ctx.progress.note(format_args!("note: what is new elsewhere is not counted: {err:#}"));
    }
    match asked {
        Asked::Stats => {
            let found =
                feedback::stats(&ctx.workspace, &feedback::entries(&ctx.workspace)?, &filter(None)?, args.period)?;
            if let Err(err) = feedback::hold(&ctx.workspace) {
                ctx.progress.note(format_args!("note: {err}"));
            }
            out.answer(&found, |style| stats_text(&found, style))?;
            Ok(Outcome::Yes)
        }
        Asked::List(id) => {
            let found = feedback::list(&ctx.workspace, &filter(id)?)?;
            out.answer(&found, |style| list_text(&found, style))?;
            Ok(if found.is_empty() { Outcome::No } else { Outcome::Yes })
        }
        Asked::Give(corrections) => {
            ensure!(
                args.wheres.is_empty(),
                "--where: is for corrections that are counted or listed; --field keeps one"
            );
            let (_, pipeline) = train::load(&ctx.workspace, None)?;
            let lock = ctx.lock_with_labels()?;
            let given = feedback::give(&ctx.workspace, &lock, &pipeline.target, &corrections, ctx.now)?;
            out.answer(&given, |_| given_text(&given))?;
            Ok(if given.is_nothing() { Outcome::No } else { Outcome::Yes })
        }
    }
}

/// What is wanted.
enum Asked<'a> {
    /// The statistics.
    Stats,
    /// All corrections, of a row or of every row.
    List(Option<&'a String>),
    /// To take these in.
    Give(Vec<Correction>),
}

impl Args {
    fn asked(&self) -> Result<Asked<'_>> {
        let Some(id) = &self.id else { return Ok(Asked::Stats) };
        let verdict = match self.verdict.as_deref() {
            Some("correct") => Verdict::Correct,
            Some("incorrect") => Verdict::Incorrect,
            Some("uncertain") => Verdict::Uncertain,
            _ if id == "list" => return Ok(Asked::List(self.verdict.as_ref())),
            None if id == "-" => return Ok(Asked::Give(parse::corrections("stdin", io::stdin(), &self.by)?)),
            None => bail!("{id}: say correct, incorrect or uncertain"),
            Some(other) => {
                bail!("{id}: {other:?} is no verdict{}", instead(other, ["correct", "incorrect", "uncertain"]))
            }
        };
        Ok(Asked::Give(vec![Correction {
            place: id.clone(),
            id: id.clone(),
            verdict,
            actual: self.actual.clone(),
            by: self.by.clone(),
            comment: self.comment.clone(),
            fields: fields("--field", &self.field)?,
        }]))
    }
}

/// Free fields as they are written on the command line.
fn fields(option: &str, pairs: &[String]) -> Result<Fields> {
    let mut fields = Fields::new();
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=') else { bail!("{option} {pair}: write NAME=VALUE") };
        ensure!(!value.trim().is_empty(), "{option} {pair}: has no value");
        parse::field(&mut fields, name, value).map_err(|what| anyhow!("{option} {pair}: {what}"))?;
    }
    Ok(fields)
}

fn list_text(found: &[Told], style: Style) -> String {
    let mut text = String::new();
    for Told { entry, used_since, .. } in found {
        let at = entry.at.strftime("%Y-%m-%d %H:%M UTC");
        let label = if entry.label.is_empty() { String::new() } else { format!(" ({})", entry.label) };
        let by = if entry.by.is_empty() { String::new() } else { format!(" by {}", entry.by) };
        let used = used_since.map_or_else(|| "not used yet".to_owned(), |version| format!("used since {version}"));
        let (id, verdict, of) = (style.bold(&entry.id), entry.verdict, entry.version);
        // Writing to a String cannot fail.
        let _ = write!(text, "{at}  {id}  {of} said {}: {verdict}{label}{by}, {used}", entry.prediction);
        entry.fields.iter().for_each(|(name, value)| text.push_str(&format!(", {name}={value}")));
        if !entry.comment.is_empty() {
            let _ = write!(text, ", {:?}", entry.comment);
        }
        text.push('\n');
    }
    if found.is_empty() {
        text.push_str("nothing was said that fits\n");
    }
    text
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
