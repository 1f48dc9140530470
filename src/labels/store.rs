//! `data/labels.csv`: one line per row and person, and which lines a version was trained on.
//!
//! ```text
//! id,label,annotator,labelled_at,source,batch,select_prob,model_version
//! └──── key (id, annotator) ─────┘      └── how the row was selected ──────┘
//! ```

use super::LabelError;
use super::records::each_record;
use crate::atomic::{self, At, Lock};
use crate::registry::Version;
use crate::table::push_record;
use crate::wording::People;
use crate::workspace::Workspace;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::str::FromStr;

/// The columns of `data/labels.csv`; the last three may be absent from a file written elsewhere.
pub const COLUMNS: [&str; 8] =
    ["id", "label", "annotator", "labelled_at", "source", "batch", "select_prob", "model_version"];
const REQUIRED: usize = 5;

/// Where a label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A person looked at the row.
    Human,
    /// The true outcome, known later.
    Outcome,
    /// A model gave it; never used for training.
    Model,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Human => "human",
            Self::Outcome => "outcome",
            Self::Model => "model",
        })
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "human" => Ok(Self::Human),
            "outcome" => Ok(Self::Outcome),
            "model" => Ok(Self::Model),
            _ => Err("is not a source; it must be human, outcome or model".to_owned()),
        }
    }
}

/// What one annotator said of one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Label {
    /// The row.
    pub id: String,
    /// The class, in the spelling of the target, or the number.
    pub label: String,
    /// The annotator; may be empty.
    pub annotator: String,
    /// When.
    pub labelled_at: jiff::Timestamp,
    /// Where it comes from.
    pub source: Source,
    /// The batch of the row; empty if the label was not requested.
    pub batch: String,
    /// The selection probability of the row, in (0, 1].
    pub select_prob: Option<f64>,
    /// The version in production when the row was exported.
    pub model_version: Option<Version>,
}

impl Label {
    fn key(&self) -> (&str, &str) {
        (&self.id, &self.annotator)
    }

    /// The label that replaces `old`, of the same row and person: without a batch, it keeps the batch, the probability
    /// and the version of `old`, because the row was selected with that probability.
    #[must_use]
    pub fn instead_of(mut self, old: &Self) -> Self {
        if self.batch.is_empty() {
            self.batch.clone_from(&old.batch);
            (self.select_prob, self.model_version) = (old.select_prob, old.model_version);
        }
        self
    }

    /// Whether both have the same content, ignoring times.
    fn says_the_same(&self, old: &Self) -> bool {
        (&self.label, self.source, &self.batch) == (&old.label, old.source, &old.batch)
    }

    /// Whether it may be used for training.
    #[must_use]
    pub fn teaches(&self) -> bool {
        self.source != Source::Model
    }
}

/// A label that replaced another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// The row.
    pub id: String,
    /// Who changed it.
    pub annotator: String,
    /// The old label.
    pub old: String,
    /// The new label.
    pub new: String,
}

/// What a merge did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Merged {
    /// Labels that are new.
    pub n_added: u64,
    /// Labels that already existed.
    pub n_unchanged: u64,
    /// Labels that changed.
    pub changes: Vec<Change>,
}

impl Merged {
    /// Whether anything is new or changed.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.n_added == 0 && self.changes.is_empty()
    }
}

/// All labels of a loop.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    rows: Vec<Label>,
    /// Row indices by id and annotator; the texts are stored in the rows only: there may be millions.
    places: HashTable<usize>,
    hasher: RandomState,
}

impl Labels {
    /// The labels of a loop; empty if there is no `data/labels.csv` yet.
    ///
    /// # Errors
    /// The error in the file, with line, column and value.
    pub fn open(workspace: &Workspace) -> Result<Self, LabelError> {
        let path = workspace.path("data/labels.csv");
        match atomic::open(&path).if_there().at(&path)? {
            Some(file) => Self::read(&path.display().to_string(), file),
            None => Ok(Self::default()),
        }
    }

    /// The labels of a loop, for training or writing: verified against the audit chain.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if the file was changed from outside.
    pub fn held(workspace: &Workspace) -> Result<Self, LabelError> {
        workspace.hold_labels()?;
        Self::open(workspace)
    }

    /// Passes every label of a workspace to a callback, one after another, without holding them all.
    ///
    /// # Errors
    /// Errors in a line of the file.
    pub fn each(workspace: &Workspace, mut take: impl FnMut(Label)) -> Result<(), LabelError> {
        let path = workspace.path("data/labels.csv");
        let Some(from) = atomic::open(&path).if_there().at(&path)? else { return Ok(()) };
        let file = path.display().to_string();
        each_record(&file, from, &COLUMNS, REQUIRED, |line, cells| {
            take(parse(&file, line, &cells)?);
            Ok(())
        })
    }

    /// Reads the text of a `labels.csv`; `file` is its name in errors.
    ///
    /// # Errors
    /// The error, with line, column and value; a duplicate key is an error.
    pub fn read(file: &str, from: impl io::Read) -> Result<Self, LabelError> {
        let mut labels = Self::default();
        each_record(file, from, &COLUMNS, REQUIRED, |line, cells| {
            let label = parse(file, line, &cells)?;
            if let Some(place) = labels.place(label.key()) {
                let who = if label.annotator.is_empty() { "an annotator without a name" } else { &label.annotator };
                let what = format!("already has a label by {who}, in row {}: remove one of them", place + 1);
                return Err(LabelError::cell(file, line, "id", &label.id, what));
            }
            labels.push(label);
            Ok(())
        })?;
        Ok(labels)
    }

    fn place(&self, key: (&str, &str)) -> Option<usize> {
        self.places.find(self.hasher.hash_one(key), |&place| self.rows[place].key() == key).copied()
    }

    /// Adds a label with a new key.
    fn push(&mut self, label: Label) {
        let (rows, hasher) = (&self.rows, &self.hasher);
        let hash_of = |&place: &usize| hasher.hash_one(rows[place].key());
        self.places.insert_unique(hasher.hash_one(label.key()), rows.len(), hash_of);
        self.rows.push(label);
    }

    /// Every label, in order of the first arrival of its id and annotator.
    #[must_use]
    pub fn rows(&self) -> &[Label] {
        &self.rows
    }

    /// The label of `id` by `annotator`.
    #[must_use]
    pub fn get(&self, id: &str, annotator: &str) -> Option<&Label> {
        self.place((id, annotator)).map(|place| &self.rows[place])
    }

    /// The ids with at least one label that is not from a model.
    #[must_use]
    pub fn ids(&self) -> HashSet<&str> {
        self.rows.iter().filter(|label| label.teaches()).map(|label| label.id.as_str()).collect()
    }

    /// Replaces names in `incoming` by the stored spelling: case and spaces do not make a different
    /// person.
    pub fn name_as_known(&self, incoming: &mut [Label]) {
        let people = People::known(self.rows.iter().map(|label| label.annotator.as_str()));
        for label in incoming {
            if let Some(name) = people.other_spelling(&label.annotator) {
                label.annotator = name.to_owned();
            }
        }
    }

    /// Whether a label is new or changed.
    #[must_use]
    pub fn is_news(&self, label: &Label) -> bool {
        let old = self.get(&label.id, &label.annotator);
        old.is_none_or(|old| !label.clone().instead_of(old).says_the_same(old))
    }

    /// Merges labels by (id, annotator). The same label is not new, whatever its time; another label is a change and
    /// replaces [the old one](Label::instead_of).
    pub fn merge(&mut self, incoming: impl IntoIterator<Item = Label>) -> Merged {
        let mut merged = Merged::default();
        for label in incoming {
            let Some(place) = self.place(label.key()) else {
                merged.n_added += 1;
                self.push(label);
                continue;
            };
            let old = &mut self.rows[place];
            let label = label.instead_of(old);
            let told = |label: &Label| match label.source {
                Source::Human => label.label.clone(),
                source => format!("{} ({source})", label.label),
            };
            if label.says_the_same(old) {
                merged.n_unchanged += 1;
                continue;
            }
            merged.changes.push(Change {
                id: label.id.clone(),
                annotator: label.annotator.clone(),
                old: told(old),
                new: told(&label),
            });
            *old = label;
        }
        merged
    }

    /// Replaces `data/labels.csv`. Record the change in the audit chain afterwards, under the same lock.
    ///
    /// # Errors
    /// I/O errors; the file is then unchanged.
    pub fn save(&self, workspace: &Workspace, lock: &Lock) -> Result<(), LabelError> {
        let path = workspace.path("data/labels.csv");
        let mut text = Vec::new();
        push_record(&mut text, &COLUMNS, b',');
        for label in &self.rows {
            let probability = label.select_prob.map(|p| p.to_string()).unwrap_or_default();
            let version = label.model_version.map(|v| v.to_string()).unwrap_or_default();
            let (at, source) = (label.labelled_at.to_string(), label.source.to_string());
            let fields =
                [&label.id, &label.label, &label.annotator, &at, &source, &label.batch, &probability, &version];
            push_record(&mut text, &fields, b',');
        }
        workspace.announce_labels(lock, &text)?;
        atomic::make_dirs(workspace.path("data")).at(&path)?;
        Ok(atomic::replace(&path, |out| out.write_all(&text)).at(&path)?)
    }
}

fn parse(file: &str, line: u64, cells: &[&str; 8]) -> Result<Label, LabelError> {
    let wrong = |column: usize, what: String| LabelError::cell(file, line, COLUMNS[column], cells[column], what);
    let [id, label, annotator, at, source, batch, probability, version] = cells;
    if let Some(empty) = [id, label].iter().position(|cell| cell.is_empty()) {
        return Err(wrong(empty, "is empty".to_owned()));
    }
    let select_prob = match *probability {
        "" => None,
        text => {
            let valid = text.parse().ok().filter(|p| *p > 0.0 && *p <= 1.0);
            Some(valid.ok_or_else(|| wrong(6, "is not a probability above 0 and at most 1".to_owned()))?)
        }
    };
    let model_version = match *version {
        "" => None,
        text => Some(text.parse().map_err(|_| wrong(7, "is not a version like v0001".to_owned()))?),
    };
    Ok(Label {
        id: (*id).to_owned(),
        label: (*label).to_owned(),
        annotator: (*annotator).to_owned(),
        labelled_at: instant(at).ok_or_else(|| wrong(3, "is not a time like 2026-11-20T10:00:00Z".to_owned()))?,
        source: source.parse().map_err(|what| wrong(4, what))?,
        batch: (*batch).to_owned(),
        select_prob,
        model_version,
    })
}

/// An RFC 3339 time, or a date, which is its midnight in UTC.
fn instant(text: &str) -> Option<jiff::Timestamp> {
    let date = || text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10);
    let midnight = || date()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(midnight)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
