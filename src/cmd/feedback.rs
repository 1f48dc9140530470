use super::args::WindowArgs;
use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::{Result, anyhow, bail, ensure};
use mlloop::feedback::{self, Correction, Count, Fields, Filter, Given, Period, Stats, Told, Verdict, parse};
use mlloop::train;
use std::fmt::Write as _;
use std::io;

/// Record whether a prediction was right, or show the statistics of feedback
///
/// A correction refers to the last logged prediction of a row. It is stored in data/feedback.csv and becomes a label in
/// data/labels.csv. The verdict "uncertain" is stored and counted, but gives no label.
///
///   mlloop feedback C-104 correct --by ann
///   mlloop feedback C-105 incorrect --actual no --by ann \
///       --comment 'moved house'
///   mlloop feedback C-106 uncertain --by ann
///   mlloop feedback C-107 correct --field account=acme --field period=2026-10
///   mlloop feedback - < corrections.csv
///       columns id,verdict,actual,by,comment; or JSON lines with these keys
///   mlloop feedback                          the statistics
///   mlloop feedback --last 28d --period day --where account=acme
///   mlloop feedback list C-104
///       all feedback on a row, and the versions trained on it
///   mlloop feedback list --where account=acme
///
/// Further columns and keys of `-` are stored as free fields, like --field.
///
/// Exit status: 0 recorded, counted or listed; 1 nothing new, or none to list; 2 error (nothing was recorded).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The row; - reads corrections from stdin; list [ID] prints them
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Whether its prediction was right: correct, incorrect (give the right value with --actual), or uncertain
    #[arg(value_name = "VERDICT")]
    verdict: Option<String>,
    /// The right value
    #[arg(long, value_name = "VALUE", requires = "verdict")]
    actual: Option<String>,
    /// Who gives the feedback
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, requires = "id")]
    by: String,
    /// A free comment
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, requires = "verdict")]
    comment: String,
    /// A free field with a name
    #[arg(long, value_name = "NAME=VALUE", requires = "verdict")]
    field: Vec<String>,
    /// Only count or list corrections with this free field
    #[arg(long = "where", value_name = "NAME=VALUE", conflicts_with_all = ["actual", "comment", "field"])]
    wheres: Vec<String>,
    /// Print the statistics, as without arguments
    #[arg(long, conflicts_with = "id")]
    stats: bool,
    #[command(flatten)]
    window: WindowArgs,
    /// Count per period
    #[arg(long, value_name = "PERIOD", default_value = "week", conflicts_with = "verdict", value_parser = super::args::one_of(["day", "week", "month"], str::parse::<Period>))]
    period: Period,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    // Outside a loop there is no feedback.
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
        ctx.progress.note(format_args!("note: new feedback in the store is not counted: {err:#}"));
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
            ensure!(args.wheres.is_empty(), "--where: only for counting or listing; use --field to record a field");
            let (_, pipeline) = train::load(&ctx.workspace, None)?;
            let lock = ctx.lock_with_labels()?;
            let given = feedback::give(&ctx.workspace, &lock, &pipeline.target, &corrections, ctx.now)?;
            out.answer(&given, |_| given_text(&given))?;
            Ok(if given.is_nothing() { Outcome::No } else { Outcome::Yes })
        }
    }
}

/// The request.
enum Asked<'a> {
    /// The statistics.
    Stats,
    /// All corrections, of a row or of every row.
    List(Option<&'a String>),
    /// Record these.
    Give(Vec<Correction>),
}

impl Args {
    fn asked(&self) -> Result<Asked<'_>> {
        let Some(id) = &self.id else { return Ok(Asked::Stats) };
        let verdict = match self.verdict.as_deref() {
            _ if id == "list" => return Ok(Asked::List(self.verdict.as_ref())),
            None if id == "-" => return Ok(Asked::Give(parse::corrections("stdin", io::stdin(), &self.by)?)),
            None => bail!("{id}: give a verdict: correct, incorrect or uncertain"),
            Some(word) => word.parse::<Verdict>().map_err(|what| anyhow!("{id}: {what}"))?,
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
        let _ = write!(text, "{at}  {id}  {of} predicted {}: {verdict}{label}{by}, {used}", entry.prediction);
        entry.fields.iter().for_each(|(name, value)| text.push_str(&format!(", {name}={value}")));
        if !entry.comment.is_empty() {
            let _ = write!(text, ", {:?}", entry.comment);
        }
        text.push('\n');
    }
    if found.is_empty() {
        text.push_str("no matching feedback\n");
    }
    text
}

fn given_text(given: &Given) -> String {
    let Given { n_new, n_unchanged, labels, n_conflicts, .. } = given;
    if given.is_nothing() {
        return format!("nothing new: {n_unchanged} already recorded\n");
    }
    let changed = labels.changes.len();
    let mut text =
        format!("{n_new} recorded, {n_unchanged} already recorded; {} new labels, {changed} changed\n", labels.n_added);
    if *n_conflicts > 0 {
        let rows = if *n_conflicts == 1 { "row has" } else { "rows have" };
        text.push_str(&format!(
            "{n_conflicts} {rows} conflicting labels and will not be used: fill in label_inbox/conflicts.csv, then \
             mlloop label-import label_inbox/conflicts.csv\n"
        ));
    }
    text
}

fn stats_text(found: &Stats, style: Style) -> String {
    /// Width of the table up to the accuracy, and including the share of corrections.
    const NARROW: usize = 60;
    const WHOLE: usize = 71;
    let is_narrow = style.width().is_some_and(|width| width < WHOLE);
    // The share of corrections is 1 − accuracy.
    let cut = |line: &str| if is_narrow { line.chars().take(NARROW).collect() } else { line.to_owned() };
    let line = |name: &str, count: &Count| {
        let percent = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
        let Count { total, correct, incorrect, uncertain, accuracy_rate, correction_rate, .. } = *count;
        let (right, corrected) = (percent(accuracy_rate), percent(correction_rate));
        let counts = format!("{name:<12} {total:>6} {correct:>8} {incorrect:>10} {uncertain:>10}");
        cut(&format!("{counts} {right:>9} {corrected:>10}")) + "\n"
    };
    let head = "              total  correct  incorrect  uncertain  accuracy  corrected";
    let mut text = format!("{}\n{}", style.dim(&cut(head)), line("all", &found.count));
    for group in found.by_version.iter().chain(&found.by_period) {
        text.push_str(&line(&group.name, &group.count));
    }
    // Writing to a String cannot fail.
    if found.count.n_learned > 0 {
        let what = "are on rows that the version was trained on: they do not measure it";
        let _ = writeln!(text, "{} {what}", style.bold(&found.count.n_learned.to_string()));
    }
    let _ =
        writeln!(text, "{} became labels that no version was trained on yet", style.bold(&found.unused.to_string()));
    text
}
