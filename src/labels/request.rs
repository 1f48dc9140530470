//! Requests and results of `label-export` and `label-import`.

use super::Change;
use super::findings::Findings;
use super::strata::Strategy;
use crate::journal::Window;
use crate::workspace::LabelPolicy;
use serde::Serialize;
use std::path::Path;
use std::str::FromStr;

/// The export format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `to_label.csv`.
    #[default]
    Csv,
    /// `to_label.json` and `label_config.xml`.
    LabelStudio,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "csv" => Ok(Self::Csv),
            "label-studio" => Ok(Self::LabelStudio),
            _ => Err("it must be csv or label-studio".to_owned()),
        }
    }
}

/// The options of an export.
pub struct ExportRequest<'a> {
    /// How many rows.
    pub n: usize,
    /// The selection strategy.
    pub strategy: Strategy,
    /// The annotators; if empty, the annotator's column is empty.
    pub annotators: &'a [String],
    /// The share of rows that are given to two annotators.
    pub overlap: f64,
    /// Whether production's prediction is shown.
    pub show_score: bool,
    /// The table with the candidates; if `None`, the prediction log, or `[monitor] current` if that is empty.
    pub table: Option<&'a Path>,
    /// The part of the log to use.
    pub window: Window,
    /// The export format.
    pub format: Format,
    /// Create a new batch although one is unanswered.
    pub force: bool,
    /// Who exports, if given.
    pub by: Option<String>,
    /// Current time, injected.
    pub now: jiff::Timestamp,
    /// The random seed.
    pub seed: u64,
}

/// The options of an import.
pub struct ImportRequest<'a> {
    /// The file; `label_inbox/to_label_labeled.csv` when `None`.
    pub file: Option<&'a Path>,
    /// The annotator for answers without one in the file.
    pub annotator: Option<&'a str>,
    /// Skip invalid answers, and list them.
    pub skip_invalid: bool,
    /// Import a batch that the checks hold back.
    pub accept_batch: bool,
    /// More answers follow: a batch stays open until each row has all requested answers.
    pub partial: bool,
    /// The names come from a server that authenticates people, not from a filled-in field.
    pub attested: bool,
    /// The policy for disagreement, if it overrides `mlloop.toml`.
    pub policy: Option<LabelPolicy>,
    /// Who imports, if given.
    pub by: Option<String>,
    /// Current time, injected.
    pub now: jiff::Timestamp,
}

/// The result of the import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Taken {
    /// The answers became labels.
    Imported,
    /// All answers were already imported.
    Nothing,
    /// Held back by checks until the batch is accepted.
    Quarantined,
}

/// The result of an import, and its findings.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Imported {
    /// The result of the import.
    pub answer: Taken,
    /// The file.
    pub file: String,
    /// The batches that were answered.
    pub batches: Vec<String>,
    /// Number of answers by result.
    pub counts: Counts,
    /// Labels that changed.
    pub changes: Vec<Change>,
    /// Checks that found something wrong with the batch.
    pub guards: Vec<Guard>,
    /// Agreement, conflicts, suspects, accuracy.
    #[serde(flatten)]
    pub findings: Findings,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// A check of a batch, and whether it holds the batch back.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Guard {
    /// `asked-of-others`, `adjudicator`, `changed-labels`, `copied-predictions`, `label-rate`, `annotator-share` or
    /// `label-range`.
    pub name: &'static str,
    /// Whether it holds the batch back.
    pub fired: bool,
    /// The finding, in words.
    pub text: String,
}

/// Number of answers by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// Rows and annotations that were read.
    pub read: u64,
    /// Rows without an answer.
    pub unanswered: u64,
    /// Invalid answers that were skipped.
    pub rejected: u64,
    /// Labels that are new.
    pub added: u64,
    /// Labels that changed.
    pub changed: u64,
    /// Labels that already existed.
    pub unchanged: u64,
}
