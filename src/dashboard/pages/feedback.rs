//! The last predictions, their feedback and their explanations.

use super::parts::{Over, course};
use super::said::Said;
use super::{Asked, rendered};
use crate::dashboard::events::stamp_of;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Fields, Oops};
use crate::feedback::{self, Count, Period};
use crate::journal::{Journal, Layout, Logged, Window};
use crate::registry::Version;
use crate::report::number::{counted as counted_of, number, percent, short};
use crate::workspace::Workspace;
use askama::Template;
use askama::filters::urlencode_strict;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Rows of the log that are searched.
pub(super) const LOOKED_AT: usize = 5000;
/// Rows shown per page.
const SHOWN: usize = 50;
/// Scores highlighted if there is no threshold: this one and above.
const HIGH: f64 = 0.8;

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
    /// The name of the positive class, if there is a threshold.
    threshold: Option<String>,
    filter: Filter,
    versions: Vec<(String, bool)>,
    arms: Vec<(String, bool)>,
    stats: Option<Vec<Counted>>,
    /// Accuracy week by week.
    course: String,
    unused: u64,
    /// The number of rows with human labels that triggers a retraining, if it differs.
    counts: Option<String>,
    /// Rows on which people disagree, as text.
    differ: String,
}

/// The filter of the list.
#[derive(Default)]
struct Filter {
    q: String,
    at_least: String,
    at_most: String,
    version: String,
    arm: String,
    since: String,
    until: String,
    /// `score` for the highest score first; otherwise the newest first.
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

    /// The address of the list, from row `from` on.
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

/// A text, percent-encoded for a URL.
pub(super) fn encoded(text: &str) -> String {
    // This cannot fail.
    urlencode_strict(text).map(|encoded| encoded.to_string()).unwrap_or_default()
}

/// The page shown after feedback from the list: the same rows.
pub(in crate::dashboard) fn back(address: &str) -> String {
    let query = address.strip_prefix("/ui/feedback").map(|rest| rest.trim_start_matches('?'));
    let fields = query.and_then(Fields::of).unwrap_or_default();
    Filter::of(&fields).address(from(&fields))
}

/// The first row shown.
fn from(fields: &Fields) -> usize {
    fields.number("from").and_then(|from| usize::try_from(from).ok()).unwrap_or(0)
}

pub(super) struct Row {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) at: String,
    pub(super) version: String,
    pub(super) arm: String,
    pub(super) prediction: String,
    pub(super) score: String,
    pub(super) high: bool,
    pub(super) said: String,
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
    let seen = judged.seen(workspace)?;
    let said = &seen.said;
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
    let unused = stats.map_or(0, |stats| stats.unused);
    let production = workspace.registry().roles()?.production;
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
        course: stats.map_or_else(String::new, by_week),
        counts: by_people(asked, production)?.filter(|n| *n != unused).map(|n| counted_of(n, "row", "rows")),
        unused,
        differ: said.differing(),
        stats: stats.map(counted),
    })
}

/// Number of rows with new human labels for a retraining, counted as on the overview.
fn by_people(asked: &Asked, production: Option<Version>) -> Result<Option<u64>, Oops> {
    let standing = asked.standing(production)?;
    let trigger = standing.triggers.iter().find(|trigger| trigger.name == "unused_feedback");
    Ok(trigger.and_then(|trigger| trigger.count).map(|n| n as u64))
}

/// Accuracy of the last half year.
fn by_week(stats: &feedback::Stats) -> String {
    let weeks = stats.by_period.iter().rev().take(26).rev();
    let rate = |group: &feedback::Group| (group.name.clone(), group.count.accuracy_rate.unwrap_or(f64::NAN));
    let title = "Accuracy by week, on the predictions that people checked";
    course(&weeks.map(rate).collect::<Vec<_>>(), Over::Shares, title)
}

/// Counts: in total, by version, and of the last weeks.
fn counted(stats: &feedback::Stats) -> Vec<Counted> {
    let groups = stats.by_version.iter().chain(stats.by_period.iter().rev().take(8));
    let all = Counted::of("all", &stats.count);
    std::iter::once(all).chain(groups.map(|group| Counted::of(&group.name, &group.count))).collect()
}

/// Production's decision threshold; `None` without two classes.
pub(super) fn threshold(asked: &Asked) -> Result<Option<f64>, Oops> {
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

/// The start of a day, plus `hours` so that the last day is included; a time is left as it is.
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
            _ => Err(Oops::Bad(format!("{} is not a number, such as 0.8", short(text, 40)))),
        },
    }
}

/// Feedback on predictions. Counts are cached until there is new feedback; new feedback is read at each request.
pub(in crate::dashboard) struct Judged {
    seen: Mutex<Seen>,
    /// `None` without any feedback.
    stats: Option<feedback::Stats>,
}

/// The content read from the file.
pub(super) struct Seen {
    bytes: u64,
    pub(super) said: Said,
}

impl Judged {
    /// The feedback, including what is newer than the counts; holds a lock.
    pub(super) fn seen(&self, workspace: &Workspace) -> Result<MutexGuard<'_, Seen>, Oops> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (entries, bytes) = match feedback::entries_from(workspace, seen.bytes) {
            Ok(found) => found,
            // An older version's file was rewritten with another header: read all of it.
            Err(_) => {
                seen.said = Said::default();
                feedback::entries_from(workspace, 0)?
            }
        };
        seen.said.add(entries);
        seen.bytes = bytes;
        Ok(seen)
    }
}

impl Asked<'_> {
    pub(super) fn judged(&self) -> Result<Arc<Judged>, Oops> {
        const READ: [&str; 4] = ["data/feedback.csv", "data/labels.csv", "audit.jsonl", "models"];
        let workspace = &self.dashboard.workspace;
        let read = || {
            let (entries, bytes) = feedback::entries_from(workspace, 0)?;
            let stats = match entries.is_empty() {
                true => None,
                false => Some(feedback::stats(workspace, &entries, &feedback::Filter::default(), Period::Week)?),
            };
            let mut said = Said::default();
            said.add(entries);
            Ok(Judged { seen: Mutex::new(Seen { bytes, said }), stats })
        };
        self.dashboard.kept.judged.get(&stamp_of(workspace.dir(), &READ), self.waits(&READ), read)
    }
}

pub(super) fn shown(logged: &Logged, row: usize, said: &Said, threshold: Option<f64>) -> Row {
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
