//! Is there a reason to retrain? The logic of `monitor`.
//!
//! ```text
//! profile of production ──────────────┐
//! current table ─pass─▶ profile ──────┴▶ compare ─▶ columns ─▶ share ─┐
//!                  └─▶ sampled scores ─▶ score drift, performance ────┴▶ triggers ─▶ verdict
//! ```

pub mod alarm;
mod apart;
mod arrive;
mod assemble;
pub mod chunks;
mod coverage;
mod current;
mod entity;
pub mod files;
mod form;
mod kept;
mod quality;
mod raised;
mod reference;
pub mod rolling;
mod sample;
mod served;
mod skew;
mod together;
mod watch;

use self::chunks::{By, MAX_CHUNKS};
use self::kept::Kept;
use self::rolling::Rolling;
use self::watch::Watch;
use crate::atomic::AtPath;
use crate::drift::Preset;
use crate::drift::estimate::EstimateError;
use crate::drift::multivariate::MultivariateError;
use crate::drift::report::{Answer, ColumnReport, ColumnVerdict, DriftReport, MetricChange, Severity};
use crate::feedback::FeedbackError;
use crate::journal::JournalError;
use crate::labels::LabelError;
use crate::past::PastError;
use crate::pipeline::PipelineError;
use crate::profile::ProfileError;
use crate::reference::ReferenceError;
use crate::registry::RegistryError;
use crate::report::ReportError;
use crate::score::ScoreError;
use crate::table::{Rejects, Spool, TableError, TableOptions};
use crate::train::TrainError;
use crate::workspace::{Workspace, WorkspaceError};
use jiff::SignedDuration;
use serde::Serialize;
use std::path::Path;

/// Errors of monitoring a workspace.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A pipeline problem.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// The history rows for windows are not available.
    #[error("{0}")]
    Past(#[from] PastError),
    /// A version is unusable.
    #[error("{0}")]
    Learn(#[from] TrainError),
    /// Labels are unreadable.
    #[error("{0}")]
    Labels(#[from] LabelError),
    /// Feedback is unreadable.
    #[error("{0}")]
    Feedback(#[from] FeedbackError),
    /// The rows available for training cannot be determined.
    #[error("{0}")]
    Reference(#[from] ReferenceError),
    /// The prediction log is unreadable.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// A profile is damaged or does not fit.
    #[error("{0}")]
    Profile(#[from] ProfileError),
    /// No classifier can be trained to distinguish the two tables.
    #[error("{0}")]
    Multivariate(#[from] MultivariateError),
    /// Performance cannot be estimated.
    #[error("{0}")]
    Estimate(#[from] EstimateError),
    /// Performance cannot be measured.
    #[error("{0}")]
    Score(#[from] ScoreError),
    /// The picture cannot be drawn.
    #[error("{0}")]
    Report(#[from] ReportError),
    /// The option gives a piece for nearly every row.
    #[error("--by {by} cuts the table into more than {MAX_CHUNKS} pieces: choose larger pieces")]
    TooManyPieces {
        /// The option's value.
        by: By,
    },
    /// Options that are incompatible, or do not fit the workspace.
    #[error("{0}")]
    Usage(String),
    /// An I/O error.
    #[error("{0}")]
    Io(#[from] AtPath),
}

/// The options of a comparison.
pub struct MonitorRequest<'a> {
    /// The current table; `[monitor] current` when `None`.
    pub current: Option<&'a Spool>,
    /// A profile of the current rows, instead of a table.
    pub current_profile: Option<&'a Path>,
    /// What to compare with; the training rows of production when `None`.
    pub reference: Option<&'a Path>,
    /// Compare with a rolling window of earlier rows instead.
    pub rolling: Option<Rolling>,
    /// Only the most recent period, by the time column (or by the prediction log).
    pub last: Option<SignedDuration>,
    /// Labels that arrived later; `data/labels.csv` if it exists.
    pub labels: Option<&'a Path>,
    /// The preset, if it overrides `mlloop.toml`.
    pub preset: Option<Preset>,
    /// Read every value, not sketches.
    pub exact: bool,
    /// Also train a classifier to distinguish the tables.
    pub multivariate: bool,
    /// Split the current table into pieces.
    pub by: Option<By>,
    /// Retrain whatever the result.
    pub force: bool,
    /// How the tables are written, if it differs from the workspace's.
    pub read: TableOptions,
    /// Current time, injected.
    pub now: jiff::Timestamp,
    /// The random seed.
    pub seed: u64,
}

/// The report and the rejected rows.
#[derive(Debug)]
pub struct Monitored {
    /// What was found.
    pub report: DriftReport,
    /// The state of the alarm for the next run, from the outcomes in the table.
    kept: Option<Kept>,
    /// Rejected rows.
    pub rejects: Rejects,
    /// Rejected rows of the reference.
    pub reference_rejects: Rejects,
}

impl Monitored {
    /// Stores for the next run which outcomes were counted, and the resulting state.
    ///
    /// # Errors
    /// I/O errors.
    pub fn keep(&self, workspace: &Workspace) -> Result<(), MonitorError> {
        self.kept.as_ref().map_or(Ok(()), |kept| kept.save(workspace))
    }
}

/// Compares the current rows with production's training rows.
///
/// # Errors
/// Errors in a table, the options or the workspace; nothing is written here.
pub fn monitor(workspace: &Workspace, request: &MonitorRequest) -> Result<Monitored, MonitorError> {
    let mut watch = Watch::open(workspace, request)?;
    let outcomes = watch.outcomes()?;
    let (mut arrived, current) = watch.arrived(&outcomes)?;
    let reference = watch.reference(&mut arrived)?;
    watch.report(&reference, &arrived, current, &outcomes)
}

/// The drifted columns that the model reads, for the run log.
#[must_use]
pub fn drifted(report: &DriftReport) -> Vec<&str> {
    let drifted = report.columns.iter().filter(|c| !c.not_read && c.verdict == ColumnVerdict::Drifted);
    drifted.map(|c| c.name.as_str()).collect()
}

/// Maximum number of columns whose numbers the run log stores for each run.
const MAX_COLUMNS: usize = 500;

/// A column's numbers in the run log: method, statistic, p (adjusted if available), threshold, PSI. Drifted columns
/// come first, because not all columns of wide tables are stored.
fn looks(report: &DriftReport) -> serde_json::Value {
    let mut columns: Vec<&ColumnReport> =
        report.columns.iter().chain(&report.target).chain(&report.score).filter(|c| c.statistic.is_some()).collect();
    columns.sort_by_key(|column| column.verdict != ColumnVerdict::Drifted);
    let short = |value: Option<f64>| {
        let value = value.filter(|value| value.is_finite())?;
        format!("{value:.4e}").parse::<f64>().ok()
    };
    let look = |column: &&ColumnReport| {
        let p = column.p_adjusted.or(column.p);
        let numbers = [column.statistic, p, Some(column.threshold), column.psi].map(short);
        (column.name.clone(), serde_json::json!([column.method, numbers[0], numbers[1], numbers[2], numbers[3]]))
    };
    serde_json::Value::Object(columns.iter().take(MAX_COLUMNS).map(look).collect())
}

/// The run log's part of a report.
#[must_use]
pub fn summary(report: &DriftReport) -> Brief {
    let fired = report.triggers.iter().filter(|t| t.fired).map(|t| t.name.clone());
    Brief {
        retrain: report.verdict.retrain,
        severity: report.verdict.severity,
        share: report.share.deciding(),
        column_share: report.share.column_share,
        n_rows: report.current.n_rows,
        current: report.current.name.clone(),
        version: report.version.clone(),
        fired: fired.collect(),
        drifted: drifted(report).into_iter().map(str::to_owned).collect(),
        columns: looks(report),
        performance: report.performance.as_ref().map(|known| Measured::of(known.n, &known.metrics)),
        estimate: report.estimate.as_ref().map(|promised| Measured::of(promised.n, &promised.metrics)),
    }
}

/// The summary of a report in the run log and in the result of `run`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Brief {
    /// Whether there is a reason to retrain.
    pub retrain: Answer,
    /// The severity.
    pub severity: Option<Severity>,
    /// The share of drifted columns, as compared with the threshold.
    pub share: Option<f64>,
    /// The share of drifted columns, unweighted.
    pub column_share: Option<f64>,
    /// How many rows arrived.
    pub n_rows: u64,
    /// Their source.
    pub current: String,
    /// The version that was monitored.
    pub version: Option<String>,
    /// The triggers that fired.
    pub fired: Vec<String>,
    /// The columns that drifted.
    pub drifted: Vec<String>,
    /// For each column: method, statistic, p, threshold and PSI.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, Vec<serde_json::Value>>"))]
    pub columns: serde_json::Value,
    /// Metrics on labelled rows.
    pub performance: Option<Measured>,
    /// Metrics estimated from the scores alone.
    pub estimate: Option<Measured>,
}

/// Metrics over time.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measured {
    /// Number of rows.
    pub n: u64,
    /// Each metric's value and the ends of its interval.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, [Option<f64>; 3]>"))]
    pub metrics: serde_json::Map<String, serde_json::Value>,
}

impl Measured {
    fn of(n: u64, metrics: &[MetricChange]) -> Self {
        let value = |metric: &MetricChange| {
            let (low, high) = metric.interval.unzip();
            (metric.name.clone(), serde_json::json!([metric.value, low, high]))
        };
        Self { n, metrics: metrics.iter().map(value).collect() }
    }
}

fn days(from: jiff::Timestamp, to: jiff::Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / 86_400.0
}
