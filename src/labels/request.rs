//! Requests and results of `label-export` and `label-import`.

use super::Change;
use super::findings::Findings;
use super::strata::Strategy;
use crate::journal::Window;
use crate::workspace::LabelPolicy;
use serde::Serialize;
use std::path::Path;
use std::str::FromStr;

/// What goes out.
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

/// What is wanted.
pub struct ExportRequest<'a> {
    /// How many rows.
    pub n: usize,
    /// What they are chosen by.
    pub strategy: Strategy,
    /// The annotators; if empty, the annotator's column is empty.
    pub annotators: &'a [String],
    /// The share of rows that two of them get.
    pub overlap: f64,
    /// Whether production's answer is shown.
    pub show_score: bool,
    /// The table that candidates are in; the prediction log when `None`, or `[monitor] current` when nothing is logged.
    pub table: Option<&'a Path>,
    /// The part of the log that is looked at.
    pub window: Window,
    /// What goes out.
    pub format: Format,
    /// Hand out another batch while one is out.
    pub force: bool,
    /// Who hands out, when that was said.
    pub by: Option<String>,
    /// Current time, injected.
    pub now: jiff::Timestamp,
    /// Seed of everything random.
    pub seed: u64,
}

/// What is to be taken in, and how.
pub struct ImportRequest<'a> {
    /// The file; `label_inbox/to_label_labeled.csv` when `None`.
    pub file: Option<&'a Path>,
    /// Who answered, where the file does not say.
    pub annotator: Option<&'a str>,
    /// Leave out answers that do not fit, and list them.
    pub skip_invalid: bool,
    /// Take in a batch that the guards hold back.
    pub accept_batch: bool,
    /// More answers follow: a batch stays out until each of its rows has every answer that it is asked for.
    pub partial: bool,
    /// A server that knows its people says who answered: nobody filled in a name. What it calls them is its own affair.
    pub attested: bool,
    /// What holds where annotators differ, when it is not what `mlloop.toml` says.
    pub policy: Option<LabelPolicy>,
    /// Who takes it in, when that was said.
    pub by: Option<String>,
    /// Current time, injected.
    pub now: jiff::Timestamp,
}

/// The result of the import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Taken {
    /// They are labels now.
    Imported,
    /// There is nothing that is not known.
    Nothing,
    /// Quarantined by guards until the batch is accepted.
    Quarantined,
}

/// What was taken in, and what it shows.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Imported {
    /// The result of the import.
    pub answer: Taken,
    /// The file.
    pub file: String,
    /// The batches that were answered.
    pub batches: Vec<String>,
    /// Answers by what became of them.
    pub counts: Counts,
    /// Labels that say something else than before.
    pub changes: Vec<Change>,
    /// What speaks against the batch.
    pub guards: Vec<Guard>,
    /// Agreement, conflicts, suspects, accuracy.
    #[serde(flatten)]
    pub findings: Findings,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// A sign, and whether it holds the batch back.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Guard {
    /// `asked-of-others`, `adjudicator`, `changed-labels`, `copied-predictions`, `label-rate`, `annotator-share` or
    /// `label-range`.
    pub name: &'static str,
    /// Whether it holds the batch back.
    pub fired: bool,
    /// What was seen, in words.
    pub text: String,
}

/// Answers by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// Rows and annotations that were read.
    pub read: u64,
    /// Rows without an answer.
    pub unanswered: u64,
    /// Answers that do not fit and were left out.
    pub rejected: u64,
    /// Labels that are new.
    pub added: u64,
    /// Labels that say something else than before.
    pub changed: u64,
    /// Labels that were known.
    pub unchanged: u64,
}
