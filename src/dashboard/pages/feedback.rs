//! The last predictions, what people said of them, and why each was made.

use super::models::bar;
use super::parts::{Over, balance, course};
use super::{Asked, rendered};
use crate::dashboard::events::stamp_of;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops};
use crate::feedback::{self, Count, Period, Verdict};
use crate::journal::{Journal, Layout, Logged, Window};
use crate::pipeline::Pipeline;
use crate::registry::Version;
use crate::report::number::{number, number_or, percent, short};
use crate::table::{Table, Values};
use crate::train;
use askama::Template;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// Rows of the log that are looked through.
const LOOKED_AT: usize = 5000;
/// Rows that are shown.
const SHOWN: usize = 50;
/// A score from this on is set apart.
const HIGH: f64 = 0.8;

#[derive(Template)]
#[template(path = "ui_feedback.html")]
struct Page {
    shell: Shell,
    rows: Vec<Row>,
    n_found: usize,
    n_seen: usize,
    filter: Filter,
    versions: Vec<(String, bool)>,
    arms: Vec<(String, bool)>,
    stats: Option<Vec<Counted>>,
    /// Accuracy week by week.
    course: String,
    unused: u64,
}

/// What the list is narrowed to.
#[derive(Default)]
struct Filter {
    q: String,
    at_least: String,
    at_most: String,
    version: String,
    arm: String,
    since: String,
    until: String,
}

impl Filter {
    fn of(asked: &Asked) -> Self {
        let field = |name: &str| asked.fields.get(name).trim().to_owned();
        Self {
            q: field("q"),
            at_least: field("at_least"),
            at_most: field("at_most"),
            version: field("version"),
            arm: field("arm"),
            since: field("since"),
            until: field("until"),
        }
    }
}

struct Row {
    id: String,
    label: String,
    at: String,
    version: String,
    arm: String,
    prediction: String,
    score: String,
    high: bool,
    said: String,
}

struct Counted {
    name: String,
    total: u64,
    correct: u64,
    incorrect: u64,
    uncertain: u64,
    accuracy: String,
    corrected: String,
}

impl Counted {
    fn of(name: &str, count: &Count) -> Self {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), percent);
        Self {
            name: name.to_owned(),
            total: count.total,
            correct: count.correct,
            incorrect: count.incorrect,
            uncertain: count.uncertain,
            accuracy: rate(count.accuracy_rate),
            corrected: rate(count.correction_rate),
        }
    }
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let workspace = &asked.dashboard.workspace;
    let filter = Filter::of(asked);
    let layout = Layout::default();
    let recent = Journal::of(workspace).recent(LOOKED_AT, &layout, false)?;
    let judged = asked.judged()?;
    let said = &judged.said;
    let (low, high) = (bound(&filter.at_least)?, bound(&filter.at_most)?);
    let since = day(&filter.since, 0)?.unwrap_or(i64::MIN);
    // A day is meant to its end.
    let until = day(&filter.until, 24)?.unwrap_or(i64::MAX);
    let (mut rows, mut n_found, mut n_seen) = (Vec::new(), 0, 0);
    let (mut versions, mut arms): (Vec<String>, Vec<String>) = Default::default();
    for logged in recent.iter().rev() {
        for row in (0..logged.len()).rev() {
            n_seen += 1;
            let (version, arm, id) = (logged.version[row].to_string(), logged.arm.get(row), logged.id.get(row));
            push_new(&mut versions, &version);
            push_new(&mut arms, arm);
            let score = logged.score[row];
            let fits = id.contains(&filter.q)
                && (filter.version.is_empty() || version == filter.version)
                && (filter.arm.is_empty() || arm == filter.arm)
                && low.is_none_or(|low| score >= low)
                && high.is_none_or(|high| score <= high)
                && (since..until).contains(&logged.time[row]);
            if fits {
                n_found += 1;
                if rows.len() < SHOWN {
                    rows.push(shown(logged, row, said));
                }
            }
        }
    }
    versions.sort_unstable();
    let stats = judged.stats.as_ref();
    rendered(&Page {
        shell: asked.shell("/ui/feedback", "Feedback")?,
        rows,
        n_found,
        n_seen,
        versions: versions.into_iter().map(|version| (version.clone(), version == filter.version)).collect(),
        arms: arms.into_iter().filter(|arm| !arm.is_empty()).map(|arm| (arm.clone(), arm == filter.arm)).collect(),
        filter,
        course: stats.map_or_else(String::new, |stats| {
            let weeks = stats.by_period.iter().rev().take(26).rev();
            let rate = |group: &feedback::Group| (group.name.clone(), group.count.accuracy_rate.unwrap_or(f64::NAN));
            course(
                &weeks.map(rate).collect::<Vec<_>>(),
                Over::Shares,
                "Accuracy by week, of the predictions that people judged",
            )
        }),
        unused: stats.map_or(0, |stats| stats.unused),
        stats: stats.map(|stats| {
            let groups = stats.by_version.iter().chain(stats.by_period.iter().rev().take(8));
            let all = Counted::of("all", &stats.count);
            std::iter::once(all).chain(groups.map(|group| Counted::of(&group.name, &group.count))).collect()
        }),
    })
}

fn push_new(all: &mut Vec<String>, text: &str) {
    if !all.iter().any(|known| known == text) {
        all.push(text.to_owned());
    }
}

/// The beginning of a day, or so many hours later, in microseconds; an instant as it is.
fn day(text: &str, hours: i64) -> Result<Option<i64>, Oops> {
    if text.is_empty() {
        return Ok(None);
    }
    let at = Window::parse_instant(text).map_err(Oops::Bad)?;
    let hours = if text.len() == 10 { hours } else { 0 };
    Ok(Some(at.checked_add(jiff::SignedDuration::from_hours(hours))?.as_microsecond()))
}

fn bound(text: &str) -> Result<Option<f64>, Oops> {
    match text {
        "" => Ok(None),
        text => match text.parse::<f64>() {
            Ok(bound) if bound.is_finite() => Ok(Some(bound)),
            _ => Err(Oops::Bad(format!("{} is no number, such as 0.8", short(text, 40)))),
        },
    }
}

/// What people said of predictions, kept until somebody says more.
pub(in crate::dashboard) struct Judged {
    said: Said,
    /// None before anybody said anything.
    stats: Option<feedback::Stats>,
}

impl Asked<'_> {
    fn judged(&self) -> Result<Arc<Judged>, Oops> {
        const READ: [&str; 4] = ["data/feedback.csv", "data/labels.csv", "audit.jsonl", "models"];
        let workspace = &self.dashboard.workspace;
        let read = || {
            let entries = feedback::entries(workspace)?;
            let stats = match entries.is_empty() {
                true => None,
                false => Some(feedback::stats(workspace, &entries, &feedback::Filter::default(), Period::Week)?),
            };
            Ok(Judged { said: Said::of(entries), stats })
        };
        self.dashboard.kept.judged.get(&stamp_of(workspace.dir(), &READ), read)
    }
}

/// The last thing that was said of each row.
struct Said {
    /// The verdict, and the place of who gave it.
    rows: HashMap<String, (Verdict, u32)>,
    people: Vec<String>,
}

impl Said {
    fn of(entries: Vec<feedback::Entry>) -> Self {
        let mut places: HashMap<String, u32> = HashMap::new();
        let mut rows = HashMap::new();
        for entry in entries {
            let next = places.len() as u32;
            let place = *places.entry(entry.by).or_insert(next);
            rows.insert(entry.id, (entry.verdict, place));
        }
        let mut people = vec![String::new(); places.len()];
        places.into_iter().for_each(|(name, place)| people[place as usize] = short(&name, 40));
        Self { rows, people }
    }

    fn told(&self, id: &str) -> String {
        let Some((verdict, place)) = self.rows.get(id) else { return String::new() };
        let what = match verdict {
            Verdict::Correct => "correct",
            Verdict::Incorrect => "incorrect",
            Verdict::Uncertain => "uncertain",
        };
        format!("{what}, {}", self.people[*place as usize])
    }
}

fn shown(logged: &Logged, row: usize, said: &Said) -> Row {
    let (id, score) = (logged.id.get(row), logged.score[row]);
    Row {
        id: id.to_owned(),
        label: short(id, 60),
        at: Timestamp::from_microsecond(logged.time[row]).map_or_else(|_| String::new(), when),
        version: logged.version[row].to_string(),
        arm: short(logged.arm.get(row), 20),
        prediction: short(logged.prediction.get(row), 60),
        score: if score.is_finite() { format!("{score:.4}") } else { String::new() },
        high: score >= HIGH,
        said: said.told(id),
    }
}

#[derive(Template)]
#[template(path = "ui_row.html")]
struct Why {
    shell: Shell,
    row: Row,
    classes: Vec<String>,
    is_number: bool,
    explained_by: String,
    scores: String,
    chart: String,
    values: Vec<(String, String)>,
    note: Option<String>,
}

/// One prediction, with its values and why.
pub(super) fn row(asked: &Asked) -> Result<Answer, Oops> {
    let workspace = &asked.dashboard.workspace;
    let id = asked.fields.get("id");
    let (production, pipeline) = train::load(workspace, None)?;
    let layout = Layout::of(&pipeline);
    let recent = Journal::of(workspace).recent(LOOKED_AT, &layout, true)?;
    let found = recent
        .iter()
        .rev()
        .find_map(|logged| (0..logged.len()).rev().find(|&row| logged.id.get(row) == id).map(|row| (logged, row)));
    let Some((logged, at)) = found else {
        return Err(Oops::NotFound(format!(
            "{} is not among the last {LOOKED_AT} predictions; `mlloop audit --for ID` follows any row",
            short(id, 80)
        )));
    };
    let shown = shown(logged, at, &asked.judged()?.said);
    let features = logged.features.as_ref().map(|table| table.take(&[at as u32]));
    let (explained_by, pipeline) = of_version(asked, logged.version[at], (production, pipeline));
    let (mut chart, mut scores, mut note) = (String::new(), String::new(), None);
    match features.as_ref().map(|table| pipeline.score_and_explain(table, 12)) {
        Some(Ok((found, why))) => {
            let bars: Vec<(String, f64)> = why.into_iter().flatten().map(bar).collect();
            chart = balance(&bars);
            scores = found.row(0).iter().map(|score| number(*score)).collect::<Vec<_>>().join(", ");
        }
        Some(Err(err)) => note = Some(err.to_string()),
        None => note = Some("the log has no features of this row".to_owned()),
    }
    rendered(&Why {
        shell: asked.shell("/ui/feedback", &format!("Prediction of {}", shown.label))?,
        row: shown,
        classes: pipeline.target.classes.clone(),
        is_number: pipeline.target.classes.is_empty(),
        explained_by: explained_by.to_string(),
        scores,
        chart,
        values: features.map_or_else(Vec::new, |table| cells(&table)),
        note,
    })
}

/// The version that predicted; production when its files are gone.
fn of_version(asked: &Asked, version: Version, production: (Version, Pipeline)) -> (Version, Pipeline) {
    if version == production.0 {
        return production;
    }
    train::load(&asked.dashboard.workspace, Some(version)).unwrap_or(production)
}

/// The cells of a table's only row.
pub(super) fn cells(table: &Table) -> Vec<(String, String)> {
    let text = |values: &Values| match values {
        values if values.is_missing(0) => "–".to_owned(),
        Values::Number(values) => number_or(values.first().copied()),
        Values::Category(categories) => short(categories.level(0).unwrap_or_default(), 200),
        Values::Time(values) => Timestamp::from_microsecond(values[0]).map_or_else(|_| String::new(), when),
        Values::Text(texts) => short(texts.get(0), 200),
    };
    table.columns().iter().map(|column| (short(&column.name, 80), text(&column.values))).collect()
}
