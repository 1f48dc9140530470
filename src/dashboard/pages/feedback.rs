//! The last predictions, what people said of them, and why each was made.

use super::models::bar;
use super::parts::{Over, balance, course};
use super::{Asked, rendered};
use crate::dashboard::events::stamp_of;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Fields, Oops};
use crate::features::Task;
use crate::feedback::{self, Count, Period, Verdict};
use crate::journal::{Journal, JournalError, Layout, Logged, Window};
use crate::pipeline::Pipeline;
use crate::registry::Version;
use crate::report::number::{number, percent, short};
use crate::table::{Table, Values};
use crate::train;
use askama::Template;
use askama::filters::urlencode_strict;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Rows of the log that are looked through.
const LOOKED_AT: usize = 5000;
/// Rows that are shown.
const SHOWN: usize = 50;
/// A score from this on is set apart where there is no threshold.
const HIGH: f64 = 0.8;
/// Contributions that are drawn.
const DRAWN: usize = 40;

#[derive(Template)]
#[template(path = "ui_feedback.html")]
struct Page {
    shell: Shell,
    rows: Vec<Row>,
    /// "rows 1 to 50".
    shown: String,
    n_found: usize,
    n_seen: usize,
    /// The address of this list.
    here: String,
    newer: Option<String>,
    older: Option<String>,
    /// What is called positive, where there is a threshold.
    threshold: Option<String>,
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
    /// `score` for the highest first; else the newest.
    sort: String,
}

impl Filter {
    fn of(fields: &Fields) -> Self {
        let field = |name: &str| fields.get(name).trim().to_owned();
        Self {
            q: field("q"),
            at_least: field("at_least"),
            at_most: field("at_most"),
            version: field("version"),
            arm: field("arm"),
            since: field("since"),
            until: field("until"),
            sort: field("sort"),
        }
    }

    /// The address of the list from its row `from` on.
    fn address(&self, from: usize) -> String {
        let mut fields = vec![
            ("q", self.q.clone()),
            ("at_least", self.at_least.clone()),
            ("at_most", self.at_most.clone()),
            ("version", self.version.clone()),
            ("arm", self.arm.clone()),
            ("since", self.since.clone()),
            ("until", self.until.clone()),
            ("sort", self.sort.clone()),
            ("from", if from == 0 { String::new() } else { from.to_string() }),
        ];
        fields.retain(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        format!("/ui/feedback{}{}", if pairs.is_empty() { "" } else { "?" }, pairs.join("&"))
    }

    fn by_score(&self) -> bool {
        self.sort == "score"
    }
}

fn encoded(text: &str) -> String {
    // It cannot fail.
    urlencode_strict(text).map(|encoded| encoded.to_string()).unwrap_or_default()
}

/// Where one goes after feedback that was given on the list: to the same rows.
pub(in crate::dashboard) fn back(address: &str) -> String {
    let query = address.strip_prefix("/ui/feedback").map(|rest| rest.trim_start_matches('?'));
    let fields = query.and_then(Fields::of).unwrap_or_default();
    Filter::of(&fields).address(from(&fields))
}

/// The first row that is shown.
fn from(fields: &Fields) -> usize {
    fields.number("from").and_then(|from| usize::try_from(from).ok()).unwrap_or(0)
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
    let filter = Filter::of(asked.fields);
    let threshold = threshold(asked)?;
    let layout = Layout::default();
    let (since, until) = (day(&filter.since, 0)?, day(&filter.until, 24)?);
    let recent = Journal::of(workspace).recent(LOOKED_AT, &Window { since, until }, &layout, false)?;
    let judged = asked.judged()?;
    let said = &judged.said;
    let (low, high) = (bound(&filter.at_least)?, bound(&filter.at_most)?);
    let (mut found, mut n_seen) = (Vec::new(), 0);
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
                && high.is_none_or(|high| score <= high);
            if fits {
                found.push((logged, row));
            }
        }
    }
    if filter.by_score() {
        found.sort_by(|(a, i), (b, j)| b.score[*j].total_cmp(&a.score[*i]));
    }
    let first = from(asked.fields).min(found.len().saturating_sub(1));
    let last = found.len().min(first + SHOWN);
    versions.sort_unstable();
    let stats = judged.stats.as_ref();
    rendered(&Page {
        shell: asked.shell("/ui/feedback", "Feedback")?,
        rows: found[first..last].iter().map(|(logged, row)| shown(logged, *row, said, threshold)).collect(),
        shown: format!("rows {} to {last}", first + 1),
        n_found: found.len(),
        n_seen,
        here: filter.address(first),
        newer: (first > 0).then(|| filter.address(first.saturating_sub(SHOWN))),
        older: (last < found.len()).then(|| filter.address(last)),
        threshold: threshold.map(number),
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

/// From which score on production says yes; none where it does not choose between two classes.
fn threshold(asked: &Asked) -> Result<Option<f64>, Oops> {
    let registry = asked.dashboard.workspace.registry();
    let Some(production) = registry.roles()?.production else { return Ok(None) };
    let manifest = registry.manifest(production)?;
    Ok(registry.gate(production, &manifest)?.and_then(|gate| gate.threshold))
}

fn push_new(all: &mut Vec<String>, text: &str) {
    if !all.iter().any(|known| known == text) {
        all.push(text.to_owned());
    }
}

/// The beginning of a day, or so many hours later, since a day is meant to its end; an instant as it is.
fn day(text: &str, hours: i64) -> Result<Option<Timestamp>, Oops> {
    if text.is_empty() {
        return Ok(None);
    }
    let at = Window::parse_instant(text).map_err(Oops::Bad)?;
    let hours = if text.len() == 10 { hours } else { 0 };
    Ok(Some(at.checked_add(jiff::SignedDuration::from_hours(hours))?))
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

fn shown(logged: &Logged, row: usize, said: &Said, threshold: Option<f64>) -> Row {
    let (id, score) = (logged.id.get(row), logged.score[row]);
    Row {
        id: id.to_owned(),
        label: short(id, 60),
        at: Timestamp::from_microsecond(logged.time[row]).map_or_else(|_| String::new(), when),
        version: logged.version[row].to_string(),
        arm: short(logged.arm.get(row), 20),
        prediction: short(logged.prediction.get(row), 60),
        score: if score.is_finite() { format!("{score:.4}") } else { String::new() },
        high: score >= threshold.unwrap_or(HIGH),
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
    /// What contributions are measured in, and what is to the right.
    unit: String,
    towards: String,
    /// Columns that are not drawn.
    n_left: usize,
    scores: String,
    /// What was typed before the form came back.
    actual: String,
    comment: String,
    /// The list that one came from.
    back: String,
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
    let journal = Journal::of(workspace);
    let recent = journal.recent(LOOKED_AT, &Window::default(), &layout, true)?;
    let found = match recent.iter().rev().find_map(|logged| last_of(logged, id)) {
        Some(found) => Some(found),
        None => logged_before(&journal, &layout, id)?,
    };
    let Some(logged) = found else {
        return Err(Oops::NotFound(format!(
            "{} was never predicted under this id, as far as the log goes",
            short(id, 80)
        )));
    };
    let shown = shown(&logged, 0, &asked.judged()?.said, threshold(asked)?);
    let features = logged.features.clone();
    let (explained_by, pipeline) = of_version(asked, logged.version[0], (production, pipeline));
    let (mut chart, mut scores, mut note, mut n_left) = (String::new(), String::new(), None, 0);
    let values = features.as_ref().map_or_else(Vec::new, cells);
    let mut towards = String::new();
    match features.as_ref().map(|table| pipeline.score_and_explain(table, usize::MAX)) {
        Some(Ok((found, why))) => {
            let named = |column: String| match values.iter().find(|(name, _)| *name == column) {
                Some((name, value)) => format!("{} = {}", short(name, 24), short(value, 16)),
                None => column,
            };
            let why: Vec<_> = why.into_iter().flatten().collect();
            n_left = why.len().saturating_sub(DRAWN);
            let bars = why.into_iter().take(DRAWN).map(|one| {
                let (name, moved) = bar(one);
                (named(name), moved)
            });
            chart = balance(&bars.collect::<Vec<_>>());
            towards = match pipeline.target.task {
                Task::Regression => "a higher number".to_owned(),
                Task::Binary => pipeline.target.classes.get(1).cloned().unwrap_or_default(),
                Task::Multiclass => shown.prediction.clone(),
            };
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
        unit: match (pipeline.target.task, pipeline.model.n_margins()) {
            (Task::Regression, _) => format!("units of {}", short(&pipeline.target.name, 60)),
            (Task::Binary, 1) => "log-odds".to_owned(),
            (Task::Binary, _) => "probability".to_owned(),
            (Task::Multiclass, _) => "raw score".to_owned(),
        },
        towards,
        n_left,
        scores,
        chart,
        values,
        note,
        actual: asked.fields.get("actual").to_owned(),
        comment: asked.fields.get("comment").to_owned(),
        back: back(asked.fields.get("back")),
    })
}

/// The last row of `id` among these.
fn last_of(logged: &Logged, id: &str) -> Option<Logged> {
    (0..logged.len()).rev().find(|&row| logged.id.get(row) == id).map(|row| logged.take(&[row as u32]))
}

/// The last row of `id` wherever it stands in the log, which is read from its end to there: somebody asked for this one.
fn logged_before(journal: &Journal, layout: &Layout, id: &str) -> Result<Option<Logged>, Oops> {
    let Some(latest) = journal.latest(&HashSet::from([id]))?.remove(id) else { return Ok(None) };
    let at = Window { since: Some(latest.at), until: latest.at.checked_add(jiff::SignedDuration::from_micros(1)).ok() };
    let mut found = None;
    journal.scan(&at, layout, true, |logged| {
        found = last_of(&logged, id).or(found.take());
        Ok::<(), JournalError>(())
    })?;
    Ok(found)
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
        // As they are: somebody judges an amount by them.
        Values::Number(values) => values.first().map_or_else(String::new, ToString::to_string),
        Values::Category(categories) => short(categories.level(0).unwrap_or_default(), 2000),
        Values::Time(values) => Timestamp::from_microsecond(values[0]).map_or_else(|_| String::new(), when),
        Values::Text(texts) => short(texts.get(0), 2000),
    };
    table.columns().iter().map(|column| (short(&column.name, 80), text(&column.values))).collect()
}
