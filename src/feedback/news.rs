//! Feedback recorded on other machines, in order, and its import into a loop.

use super::store::{self, Entry, Verdict};
use super::{FeedbackError, Given, take};
use crate::atomic::Lock;
use crate::labels::shared::{Line, Mark, Shared};
use crate::labels::{Label, Labels, Merged, record_outcomes, record_received};
use crate::wording::{People, person_key};
use crate::workspace::Workspace;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};

/// Collects lines: of labels, the last one for each person and row.
#[derive(Debug, Default)]
pub(super) struct Fold {
    n_lines: usize,
    /// Each with the index of its line.
    labels: Vec<(usize, Label)>,
    places: HashMap<(String, String), usize>,
    said: Vec<(usize, Entry)>,
}

/// The result of importing lines.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    pub(super) n_labels: u64,
    pub(super) n_feedback: u64,
    pub(super) given: Given,
    pub(super) merged: Merged,
}

impl Fold {
    /// Adds the next line.
    ///
    /// # Errors
    /// The problem with the line.
    pub(super) fn push(&mut self, line: Line) -> Result<(), String> {
        let n = self.n_lines;
        self.n_lines += 1;
        match line {
            Line::Feedback(line) => self.said.push((n, Entry::of_line(&line)?)),
            Line::Outcome(label) | Line::Label(label) => {
                let key = (label.id.clone(), label.annotator.clone());
                match self.places.get(&key) {
                    Some(&place) => {
                        let before = &mut self.labels[place];
                        *before = (n, label.instead_of(&before.1));
                    }
                    None => {
                        self.places.insert(key, self.labels.len());
                        self.labels.push((n, label));
                    }
                }
            }
        }
        Ok(())
    }

    /// Records the lines. Lines that are already recorded change nothing, even if newer ones followed.
    pub(super) fn record(
        self,
        workspace: &Workspace,
        lock: &Lock,
        store: Option<&Shared>,
        at: Timestamp,
    ) -> Result<Recorded, FeedbackError> {
        let mut recorded = Recorded::default();
        let Self { labels, mut said, .. } = self;
        // The last correction with a label for each row and person, and whether it is new here.
        let mut taught: HashMap<(String, String), (usize, bool)> = HashMap::new();
        let (mut known, mut new) = (Vec::new(), Vec::new());
        if !said.is_empty() {
            known = store::entries(workspace)?;
            spell_as_known(&known, &mut said);
            for Counted { n, entry, is_new } in counted(&known, &said) {
                if is_new {
                    new.push(entry.clone());
                }
                if entry.verdict != Verdict::Uncertain {
                    taught.insert((entry.id.clone(), entry.by.clone()), (n, is_new));
                }
            }
        }
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (n, label) in labels {
            match taught.get(&(label.id.clone(), label.annotator.clone())) {
                // The correction replaces the label, and keeps its batch.
                Some((later, true)) if *later > n => before.push(label),
                // The correction has already replaced it.
                Some((later, false)) if *later > n => {}
                _ => after.push(label),
            }
        }
        recorded.n_labels = (before.len() + after.len()) as u64;
        recorded.n_feedback = new.len() as u64;
        recorded.merged = record_labels(workspace, lock, before, store, at)?;
        if !said.is_empty() {
            recorded.given = take(workspace, lock, known, &new, at)?;
        }
        let merged = record_labels(workspace, lock, after, store, at)?;
        recorded.merged.n_added += merged.n_added;
        recorded.merged.n_unchanged += merged.n_unchanged;
        recorded.merged.changes.extend(merged.changes);
        Ok(recorded)
    }
}

fn record_labels(
    workspace: &Workspace,
    lock: &Lock,
    mut labels: Vec<Label>,
    store: Option<&Shared>,
    at: Timestamp,
) -> Result<Merged, FeedbackError> {
    if labels.is_empty() {
        return Ok(Merged::default());
    }
    Ok(match store {
        None => record_outcomes(workspace, lock, labels, at)?,
        Some(store) => {
            Labels::held(workspace)?.name_as_known(&mut labels);
            record_received(workspace, lock, labels, &store.name(), at)?
        }
    })
}

/// Uses the known spelling of each person's name, or else the first one.
fn spell_as_known(known: &[Entry], said: &mut [(usize, Entry)]) {
    let names: HashSet<&str> = known.iter().map(|entry| entry.by.as_str()).collect();
    let people = People::known(known.iter().map(|entry| entry.by.as_str()));
    let mut strangers: HashMap<String, String> = HashMap::new();
    for (_, entry) in said.iter_mut().filter(|(_, entry)| !names.contains(entry.by.as_str())) {
        match people.other_spelling(&entry.by) {
            Some(name) => entry.by = name.to_owned(),
            None => entry.by.clone_from(strangers.entry(person_key(&entry.by)).or_insert_with(|| entry.by.clone())),
        }
    }
}

/// A correction that differs from the person's previous one on the same row.
struct Counted<'a> {
    /// The index of its line.
    n: usize,
    entry: &'a Entry,
    /// Whether it is not recorded in the loop yet.
    is_new: bool,
}

/// The corrections that count: all but those equal to the person's previous one on the same prediction.
fn counted<'a>(known: &'a [Entry], said: &'a [(usize, Entry)]) -> Vec<Counted<'a>> {
    let incoming: HashSet<String> = said.iter().map(|(_, entry)| entry.line()).collect();
    let (mut there, mut last) = (HashSet::new(), HashMap::new());
    for entry in known {
        let line = entry.line();
        if incoming.contains(&line) {
            there.insert(line);
        } else {
            last.insert(entry.key(), entry);
        }
    }
    let mut counted = Vec::new();
    for (n, entry) in said {
        let is_new = !there.contains(&entry.line());
        let before = last.get(&entry.key());
        if is_new && before.is_some_and(|before| before.says_the_same(entry)) {
            continue;
        }
        last.insert(entry.key(), entry);
        counted.push(Counted { n: *n, entry, is_new });
    }
    counted
}

/// The corrections that are not recorded yet, with known spellings of names.
pub(super) fn fresh(known: &[Entry], checked: Vec<Entry>) -> Vec<Entry> {
    let mut said: Vec<(usize, Entry)> = checked.into_iter().enumerate().collect();
    spell_as_known(known, &mut said);
    counted(known, &said).into_iter().filter(|one| one.is_new).map(|one| one.entry.clone()).collect()
}

/// Lines of a store that a loop has not imported.
#[derive(Debug)]
pub struct News {
    mark: Option<Mark>,
    fold: Fold,
    last: Option<(i64, String)>,
}

/// Fetches new lines from the store of the loop, without the lock of the loop; `None` without a store.
///
/// # Errors
/// Errors of the server.
pub fn fetch(workspace: &Workspace) -> Result<Option<News>, FeedbackError> {
    let Some(store) = Shared::of(workspace)? else { return Ok(None) };
    let mark = store.mark(workspace)?;
    news(&store, mark).map(Some)
}

fn news(store: &Shared, mark: Option<Mark>) -> Result<News, FeedbackError> {
    let mut fold = Fold::default();
    let last = store.after(mark.as_ref(), |line| fold.push(line))?;
    Ok(News { mark, fold, last })
}

/// Imports new lines of the store. Lines fetched before the lock was taken are used unless another process has imported
/// them meanwhile.
pub(super) fn receive(
    workspace: &Workspace,
    lock: &Lock,
    store: &Shared,
    fetched: Option<News>,
    at: Timestamp,
) -> Result<Recorded, FeedbackError> {
    let mark = store.mark(workspace)?;
    let News { fold, last, .. } = match fetched.filter(|fetched| fetched.mark == mark) {
        Some(fetched) => fetched,
        None => news(store, mark)?,
    };
    let Some(last) = last else { return Ok(Recorded::default()) };
    let recorded = fold.record(workspace, lock, Some(store), at)?;
    store.keep_mark(workspace, last)?;
    Ok(recorded)
}

/// Records outcomes; in a loop with a store, there first.
///
/// # Errors
/// Errors of the server, the labels or the audit chain.
pub fn record_known(
    workspace: &Workspace,
    lock: &Lock,
    outcomes: Vec<Label>,
    at: Timestamp,
) -> Result<Merged, FeedbackError> {
    let Some(store) = Shared::of(workspace)? else { return Ok(record_outcomes(workspace, lock, outcomes, at)?) };
    let mut fold = Fold::default();
    for outcome in outcomes {
        // A label is always valid.
        let _ = fold.push(Line::Outcome(outcome));
    }
    let labels = Labels::held(workspace)?;
    workspace.replaceable(crate::workspace::LABELS_FILE)?;
    let last: Vec<Label> = fold.labels.into_iter().map(|(_, label)| label).collect();
    let n = last.len() as u64;
    store.send_news(&labels, &last)?;
    let merged = receive(workspace, lock, &store, None, at)?.merged;
    let n_new = merged.n_added + merged.changes.len() as u64;
    Ok(Merged { n_unchanged: n.saturating_sub(n_new), ..merged })
}

#[cfg(test)]
#[path = "news_tests.rs"]
mod tests;
