//! Feedback in numbers.

use super::{Entry, FeedbackError, Filter, Verdict, entries};
use crate::labels::{LabelError, Labels, Used};
use crate::registry::{Learned, Version};
use crate::stats::normal::wilson;
use crate::workspace::Workspace;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::Offset};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A calendar day (UTC).
    Day,
    /// A week from Monday (UTC).
    Week,
    /// A calendar month (UTC).
    Month,
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "day" => Ok(Self::Day),
            "week" => Ok(Self::Week),
            "month" => Ok(Self::Month),
            _ => Err("it must be day, week or month".to_owned()),
        }
    }
}

impl Period {
    /// The first day of the period that `day` is in.
    fn begin(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => day.saturating_sub(i64::from(day.weekday().to_monday_zero_offset()).days()),
            Self::Month => day.first_of_month(),
        }
    }
}

/// Counts of corrections. Only a person's last one on each prediction counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Count {
    /// All of them.
    pub total: u64,
    /// Predictions that were right.
    pub correct: u64,
    /// Predictions that were not.
    pub incorrect: u64,
    /// Predictions judged uncertain.
    pub uncertain: u64,
    /// Predictions of rows that the version was trained on. They do not measure it, and count in none of the above.
    pub n_learned: u64,
    /// Correct ÷ (correct + incorrect).
    pub accuracy_rate: Option<f64>,
    /// Its 95 % interval (Wilson), assuming that rows were selected at random.
    pub accuracy_interval: Option<(f64, f64)>,
    /// Incorrect ÷ (total − learned): the share of corrected predictions.
    pub correction_rate: Option<f64>,
}

impl Count {
    fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>, learned: &LearnedBy) -> Self {
        let mut count = Self::default();
        for entry in entries {
            count.total += 1;
            match entry.verdict {
                _ if learned.get(&entry.version).is_some_and(|learned| learned.has(&entry.id)) => count.n_learned += 1,
                Verdict::Correct => count.correct += 1,
                Verdict::Incorrect => count.incorrect += 1,
                Verdict::Uncertain => count.uncertain += 1,
            }
        }
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        let judged = count.correct + count.incorrect;
        count.accuracy_rate = share(count.correct, judged);
        count.accuracy_interval = count.accuracy_rate.map(|rate| wilson(rate, judged as f64));
        count.correction_rate = share(count.incorrect, count.total - count.n_learned);
        count
    }
}

/// The training rows of versions.
type LearnedBy = HashMap<Version, Learned>;

/// The training rows of the versions of these predictions, where known.
fn learned_by(workspace: &Workspace, entries: &[Entry]) -> Result<LearnedBy, FeedbackError> {
    let registry = workspace.registry();
    let versions: BTreeSet<Version> = entries.iter().map(|entry| entry.version).collect();
    let mut all = LearnedBy::new();
    for version in versions {
        let learned = registry.learned(version).map_err(LabelError::from)?;
        all.extend(learned.map(|learned| (version, learned)));
    }
    Ok(all)
}

/// Corrections of one version or one period.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Group {
    /// The version, or the first day of the period.
    pub name: String,
    /// How many.
    #[serde(flatten)]
    pub count: Count,
}

/// Feedback in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stats {
    /// All of it.
    #[serde(flatten)]
    pub count: Count,
    /// Corrections whose label no version was trained on.
    pub unused: u64,
    /// By the version that made the predictions, in order.
    pub by_version: Vec<Group>,
    /// By the period in which it was given, in order.
    pub by_period: Vec<Group>,
}

/// Counts those of `entries`, the feedback of the loop, that `filter` selects.
///
/// # Errors
/// If labels or versions cannot be read.
pub fn stats(
    workspace: &Workspace,
    entries: &[Entry],
    filter: &Filter,
    period: Period,
) -> Result<Stats, FeedbackError> {
    let latest: Vec<&Entry> = latest(entries).into_iter().filter(|entry| filter.holds(entry)).collect();
    let learned = learned_by(workspace, entries)?;
    let used = Used::open(workspace)?;
    // The number of corrections for each label: corrections of two predictions of a row give one label.
    let mut said: HashMap<(&str, &str), u64> = HashMap::new();
    for entry in latest.iter().filter(|entry| entry.verdict != Verdict::Uncertain) {
        *said.entry(entry.key()).or_default() += 1;
    }
    let mut unused = 0;
    Labels::each(workspace, |label| {
        let n = said.get(&(label.id.as_str(), label.annotator.as_str())).copied().unwrap_or(0);
        unused += if n > 0 && !used.has(&label) { n } else { 0 };
    })?;
    drop(said);
    let day = |entry: &Entry| Offset::UTC.to_datetime(entry.at).date();
    Ok(Stats {
        count: Count::of(latest.iter().copied(), &learned),
        unused,
        by_version: groups(&latest, &learned, |entry| entry.version),
        by_period: groups(&latest, &learned, |entry| period.begin(day(entry))),
    })
}

/// The rows whose prediction by one version was judged, and whether it was right; without training rows of the version.
///
/// # Errors
/// If feedback cannot be read.
pub fn judged(workspace: &Workspace, version: Version) -> Result<Vec<(String, bool)>, FeedbackError> {
    let entries = entries(workspace)?;
    let learned = learned_by(workspace, &entries)?;
    let is_learned = |entry: &Entry| learned.get(&entry.version).is_some_and(|learned| learned.has(&entry.id));
    let own = latest(&entries).into_iter().filter(|entry| entry.version == version && !is_learned(entry));
    let said = |entry: &Entry| match entry.verdict {
        Verdict::Correct => Some((entry.id.clone(), true)),
        Verdict::Incorrect => Some((entry.id.clone(), false)),
        Verdict::Uncertain => None,
    };
    Ok(own.filter_map(said).collect())
}

/// The last correction of each person on each prediction, in the order of the file.
fn latest(entries: &[Entry]) -> Vec<&Entry> {
    fn key(entry: &Entry) -> ((&str, &str), Timestamp) {
        (entry.key(), entry.predicted_at)
    }
    let last: HashMap<_, usize> = entries.iter().enumerate().map(|(place, entry)| (key(entry), place)).collect();
    let is_last = |(place, entry): &(usize, &Entry)| last[&key(entry)] == *place;
    entries.iter().enumerate().filter(is_last).map(|(_, entry)| entry).collect()
}

fn groups<K: Ord + ToString>(entries: &[&Entry], learned: &LearnedBy, key: impl Fn(&Entry) -> K) -> Vec<Group> {
    let mut groups: BTreeMap<K, Vec<&Entry>> = BTreeMap::new();
    entries.iter().for_each(|entry| groups.entry(key(entry)).or_default().push(entry));
    let group =
        |(name, entries): (K, Vec<&Entry>)| Group { name: name.to_string(), count: Count::of(entries, learned) };
    groups.into_iter().map(group).collect()
}
