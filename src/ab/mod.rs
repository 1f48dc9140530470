//! Experiments: assignment of units to arms, rollout in steps, and analysis of which arm is better.
//!
//! ```text
//! ab.json ─ Experiment ─ Assigner ─▶ arm of a unit: a pure hash, the same on every replica
//! start ─▶ ab.json ─ rollout: step by step, back when a guardrail breaks ─▶ stop, and perhaps promote
//! prediction log and labels ─ log ──┐
//! a table ──────────────────────────┴▶ Units ─▶ distribution over the arms ─▶ outcomes ─▶ verdict ─▶ AbReport
//! ```

mod analyse;
mod arms;
pub mod assign;
mod deciding;
pub mod draw;
mod estimate;
pub mod experiment;
mod experiment_report;
mod exposed;
mod family;
mod shared;
pub mod files;
mod history;
mod judge;
mod law;
mod lift;
mod limits;
pub mod log;
mod measure;
mod paired;
pub mod power;
mod quantile;
mod remarks;
pub mod report;
pub mod request;
pub mod rollout;
mod sequential;
mod srm;
pub mod start;
pub mod status;
pub mod stop;
pub mod table;
pub mod units;
mod values;
mod verdict;

pub use assign::Assigner;
pub use experiment::{Arm, Epoch, Experiment};
pub use history::{History, history};

use self::report::{AbReport, AnalysisSettings, Source, SrmState};
use self::units::Units;
use crate::atomic::AtPath;
use crate::gate::GateError;
use crate::journal::JournalError;
use crate::labels::LabelError;
use crate::registry::RegistryError;
use crate::report::ReportError;
use crate::score::ScoreError;
use crate::table::TableError;
use crate::train::TrainError;
use crate::workspace::WorkspaceError;
use std::path::PathBuf;

/// Errors of experiments.
#[derive(Debug, thiserror::Error)]
pub enum AbError {
    /// `ab.json` is invalid.
    #[error("{}: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        what: String,
    },
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// Options that cannot be combined, or do not fit the table.
    #[error("{0}")]
    Usage(String),
    /// A version that cannot be used.
    #[error("{0}")]
    Learn(#[from] TrainError),
    /// A problem of the prediction log.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// A problem of the labels.
    #[error("{0}")]
    Labels(#[from] LabelError),
    /// The gate failed.
    #[error("{0}")]
    Gate(#[from] GateError),
    /// A metric that cannot be computed.
    #[error("{0}")]
    Score(#[from] ScoreError),
    /// No experiment was ever started.
    #[error("{}: there is no experiment; `mlloop ab-start` begins one", .0.display())]
    None(PathBuf),
    /// Another experiment is running.
    #[error("the experiment {0:?} is running; `mlloop ab-stop` ends it")]
    Running(String),
    /// The picture cannot be drawn.
    #[error("{0}")]
    Report(#[from] ReportError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// The system refused.
    #[error("{0}")]
    Io(#[from] AtPath),
}

impl AbError {
    /// The same error with the name of its table, if it has none.
    pub(crate) fn in_file(self, file: &str) -> Self {
        match self {
            Self::Table(err) => Self::Table(err.in_file(file)),
            Self::Usage(what) if !what.starts_with(file) => Self::Usage(format!("{file}: {what}")),
            other => other,
        }
    }
}

/// Analyses units: first the sample ratio, then every outcome, unless a mismatch prevents it.
#[must_use]
pub fn analyse(units: &Units, source: Source, settings: &AnalysisSettings, now: jiff::Timestamp) -> AbReport {
    let (srm, arms) = srm::sample_ratio(units, settings);
    let stopped = srm.state == SrmState::Stop && !settings.force;
    let (outcomes, found) = if stopped { Default::default() } else { analyse::outcomes(units, settings) };
    AbReport {
        format: 1,
        mlloop: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        verdict: verdict::overall(&srm, stopped, &outcomes),
        source,
        srm,
        arms,
        outcomes,
        experiment: None,
        guardrails: Vec::new(),
        models: Vec::new(),
        paired: Vec::new(),
        settings: *settings,
        notes: [remarks(settings), found].concat(),
    }
}

/// Notes on the decision rule.
fn remarks(settings: &AnalysisSettings) -> Vec<String> {
    let untuned = settings.planned_n.is_none() && !settings.fixed;
    let remark = "the sequence is tuned to the current number of units, which is right for one look: if you will \
                  look repeatedly, pass the same --planned-n each time (--plan computes the number for an effect)";
    if untuned { vec![remark.to_owned()] } else { Vec::new() }
}
