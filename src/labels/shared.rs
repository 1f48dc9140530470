//! `[labels] store`: a PostgreSQL table to which several machines write feedback, answers and outcomes.
//!
//! ```text
//! feedback, answers, outcomes ─▶ a line each, committed ─▶ acknowledged
//!                                 └─ each loop, under its lock ─▶ data/*.csv ─▶ audit.jsonl ─▶ runs/store.json
//! ```
//! `data/*.csv` and the chain stay the source of truth of a loop. `runs/store.json` records the last line imported,
//! and the matching line of the chain: if the chain or the table was replaced, all lines are read again. Importing a
//! known line changes nothing.

use super::LabelError;
use super::store::{Label, Labels, Source};
use crate::atomic::{self, At};
use crate::registry::Head;
use crate::table::postgres::{Lines, NumberedLine};
use crate::workspace::{Workspace, WorkspaceError};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// A line of the store, and of `runs/waiting.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The outcome of a row.
    Outcome(Label),
    /// The answer of an annotator.
    Label(Label),
    /// A correction, as its line of `data/feedback.csv`.
    Feedback(String),
}

impl Line {
    /// The store's line for a label.
    #[must_use]
    pub fn of(label: Label) -> Self {
        if label.source == Source::Outcome { Self::Outcome(label) } else { Self::Label(label) }
    }
}

/// The store of a workspace.
#[derive(Debug, Clone)]
pub struct Shared {
    lines: Lines,
}

/// `runs/store.json`: how far the workspace has imported its store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Mark {
    format: u32,
    /// The store's address.
    store: String,
    /// The last line imported.
    number: i64,
    /// Its SHA-256.
    sha256: String,
    /// The end of the audit chain at that time; `None` if there was no chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<Head>,
}

impl Shared {
    /// The store configured in `mlloop.toml`; `None` without one.
    ///
    /// # Errors
    /// Errors in `mlloop.toml`.
    pub fn of(workspace: &Workspace) -> Result<Option<Self>, WorkspaceError> {
        let config = match workspace.config() {
            Err(WorkspaceError::NoLoop(_)) => return Ok(None),
            config => config?,
        };
        let Some(store) = config.labels.store else { return Ok(None) };
        let wrong = |what| WorkspaceError::Config { path: workspace.config_path(), what };
        Lines::at(Path::new(&store)).map(|lines| Some(Self { lines })).map_err(wrong)
    }

    /// Its address, without secrets.
    #[must_use]
    pub fn name(&self) -> String {
        self.lines.name()
    }

    /// Adds lines: all or none. When this returns, they are committed.
    ///
    /// # Errors
    /// [`LabelError::Store`] with the server's message.
    pub fn send(&self, lines: &[Line]) -> Result<(), LabelError> {
        if lines.is_empty() {
            return Ok(());
        }
        let wrong = |what, may_be_there| LabelError::Store { store: self.name(), what, may_be_there };
        let texts = lines.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        let texts = texts.map_err(|err| wrong(err.to_string(), false))?;
        self.lines.add(&texts).map_err(|refused| match refused.may_be_there {
            false => wrong(refused.what, false),
            true => {
                let again = "it is unknown whether this was recorded: repeat it; if it was recorded, repeating \
                             changes nothing";
                wrong(format!("{}; {again}", refused.what), true)
            }
        })
    }

    /// Adds the labels that are new or changed.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_news(&self, known: &Labels, labels: &[Label]) -> Result<(), LabelError> {
        let news = labels.iter().filter(|label| known.is_news(label)).cloned();
        self.send(&news.map(Line::of).collect::<Vec<_>>())
    }

    /// Returns the lines after the mark, in order, each with its number and SHA-256.
    ///
    /// # Errors
    /// [`LabelError::Store`] with the server's message, or with an invalid line.
    pub fn after(
        &self,
        mark: Option<&Mark>,
        mut take: impl FnMut(Line) -> Result<(), String> + Send,
    ) -> Result<Option<(i64, String)>, LabelError> {
        let mut last = None;
        let each = |line: NumberedLine| {
            let wrong = |what: String| format!("number {}: {what}", line.number);
            let said = serde_json::from_str(&line.text).map_err(|err| {
                wrong(format!(
                    "was not written by mlloop: \
                                                                                     {err}"
                ))
            })?;
            take(said).map_err(wrong)?;
            last = Some((line.number, line.sha256));
            Ok(())
        };
        let from = mark.map(|mark| (mark.number, mark.sha256.as_str()));
        let wrong = |what| LabelError::Store { store: self.name(), what, may_be_there: false };
        self.lines.after(from, each).map_err(wrong)?;
        Ok(last)
    }

    /// The position up to which the workspace has imported; `None` if unknown, or if the chain was replaced.
    ///
    /// # Errors
    /// An unreadable chain or file.
    pub fn mark(&self, workspace: &Workspace) -> Result<Option<Mark>, LabelError> {
        let path = path(workspace);
        let Some(bytes) = atomic::read(&path).if_there().at(&path)? else { return Ok(None) };
        // Without the file everything is read again, which changes nothing.
        let Ok(mark) = serde_json::from_slice::<Mark>(&bytes) else { return Ok(None) };
        let chain = workspace.audit_chain()?;
        let is_ours = match &mark.chain {
            None => true,
            Some(head) => chain.entry(head.seq).is_some_and(|entry| entry.hash == head.hash),
        };
        Ok(Some(mark).filter(|mark| is_ours && mark.store == self.name()))
    }

    /// Stores the position up to which the workspace has imported, after the import is recorded.
    ///
    /// # Errors
    /// I/O errors.
    pub fn keep_mark(&self, workspace: &Workspace, (number, sha256): (i64, String)) -> Result<(), LabelError> {
        let chain = workspace.audit_chain()?.entries.last().map(|entry| entry.head());
        let mark = Mark { format: 1, store: self.name(), number, sha256, chain };
        let path = path(workspace);
        let write = || {
            atomic::make_dirs(workspace.path("runs"))?;
            atomic::replace(&path, |out| Ok::<(), io::Error>(serde_json::to_writer(out, &mark)?))
        };
        Ok(write().at(&path)?)
    }
}

fn path(workspace: &Workspace) -> PathBuf {
    workspace.path("runs/store.json")
}
