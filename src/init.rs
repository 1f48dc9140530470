//! From a table to `mlloop.toml`: the logic of `init`.

mod check;
mod doubt;
mod keys;
mod leaks;
mod look;
mod unknown;
mod write;

use self::check::not_read;
use self::leaks::Leaks;
use self::look::set_kind;
use self::write::{config, write};

use crate::features::{FeatureError, Target, Task};
use crate::pipeline::{PipelineError, SplitSpec};
use crate::table::{Kind, Rejects, Table, TableError, TableOptions};
use crate::workspace::{Workspace, WorkspaceError};
use serde::Serialize;
use std::path::Path;

/// Errors of `init`.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A target problem.
    #[error("{0}")]
    Features(#[from] FeatureError),
    /// Rows that cannot be used for training.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A column whose type the user must decide.
    #[error("{what}: {ways_out}")]
    Doubt {
        /// The column, and its cells.
        what: String,
        /// The remedy.
        ways_out: String,
    },
    /// An option that does not fit the table, or a table that cannot be used for training.
    #[error("{0}")]
    Option(String),
}

/// The options of the command line.
#[derive(Debug, Clone)]
pub struct InitRequest<'a> {
    /// The table, relative to the current directory.
    pub table: &'a Path,
    /// The column to predict.
    pub target: Option<String>,
    /// The positive class.
    pub positive: Option<String>,
    /// The task; guessed when `None`.
    pub task: Option<Task>,
    /// Whether the first record names the columns.
    pub header: Option<bool>,
    /// Missing markers besides the usual ones.
    pub missing: Vec<String>,
    /// Columns to ignore.
    pub ignore: Vec<String>,
    /// Types of columns that were given.
    pub kinds: Vec<(String, Kind)>,
    /// The format of the table.
    pub read: TableOptions,
    /// Replace `mlloop.toml`.
    pub force: bool,
}

/// The decisions.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InitReport {
    /// The file that was written.
    pub config: String,
    /// The table as `mlloop.toml` names it.
    pub reference: String,
    /// Its rows.
    pub n_rows: u64,
    /// The target.
    pub target: Chosen,
    /// The rows that are held out.
    pub gate: Gate,
    /// Every column.
    pub columns: Vec<Column>,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// Rows that were skipped.
    #[serde(skip)]
    pub rejects: Rejects,
}

/// The target, with the reason.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Chosen {
    /// The column.
    pub column: String,
    /// The task.
    pub task: Task,
    /// The positive class of two.
    pub positive: Option<String>,
    /// The reason for this column, task and class.
    pub reason: String,
}

/// The gate: the rows that are held out to compare versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gate {
    /// Its share of the rows.
    pub share: f64,
    /// About how many rows these are.
    pub n_rows: u64,
    /// About how many of them are of the rarest class; absent where numbers are predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_rarest: Option<u64>,
    /// The reason for this share, in one sentence.
    pub reason: String,
}

impl Gate {
    fn of(split: &SplitSpec, n_rows: u64, rarest: Option<u64>) -> Self {
        let share = split.gate;
        let part = |n: u64| (n as f64 * share).round() as u64;
        let reason = match share {
            share if share >= SplitSpec::default().gate => {
                "a fifth, the most that is held out: with fewer rows it would decide even less".to_owned()
            }
            share if share > 0.1 => "more than a tenth, since that would be too few rows to decide anything".to_owned(),
            share if share >= 0.1 => "a tenth: with more, too few rows would be left to learn from".to_owned(),
            _ => "enough to show small differences; the others are left to learn from".to_owned(),
        };
        Self { share, n_rows: part(n_rows), n_rarest: rarest.map(part), reason }
    }
}

/// A column, its kind and the reason.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The reason, in one line.
    pub reason: String,
    /// Missing cells.
    pub n_missing: u64,
    /// Distinct values.
    pub n_distinct: u64,
}

/// Reads the table, decides, and writes `mlloop.toml`.
///
/// # Errors
/// If the table is unreadable, there is nothing to predict, or `mlloop.toml` exists.
pub fn init(workspace: &Workspace, wanted: &InitRequest) -> Result<InitReport, InitError> {
    if workspace.config_path().exists() && !wanted.force {
        return Err(WorkspaceError::Exists(workspace.config_path()).into());
    }
    if wanted.table == Path::new("-") {
        return Err(InitError::Option("init needs a file, because `train` reads it again".to_owned()));
    }
    let mut inference = wanted.look()?;
    wanted.refuse_doubts(&inference)?;
    let guess = wanted.target(&inference)?;
    let mut split = wanted.split(&mut inference)?;
    let labels = wanted.read_columns(&inference, vec![guess.name.clone()])?;
    let (target, why) = Target::choose(labels.require(&guess.name)?, wanted.positive.as_deref(), wanted.task)?;
    if wanted.task.is_none() {
        unknown::refuse(wanted.table, &target, &labels)?;
    }
    let rarest = rarest(&target, &labels)?;
    split.gate = SplitSpec::gate_for(inference.n_rows, target.task, rarest);
    keys::keep_codes_apart(wanted, &mut inference, &target, &labels)?;
    split = keys::split_by_key(wanted, &mut inference, &target, &labels, split)?;
    drop(labels);
    let Leaks { left_out, suspicions } = wanted.leave_out_leaks(&mut inference, &target)?;
    inference.notes.extend(suspicions);
    let gate = Gate::of(&split, inference.n_rows, rarest);
    let config = config(workspace, wanted, &inference.schema, &target, split);
    wanted.check(&inference, &config, &left_out)?;
    inference.notes.extend(not_read(&inference, &config));
    let chosen = write::Decided { target, reason: format!("{}; {why}", guess.reason), gate };
    write(workspace, wanted, config, inference, chosen)
}

/// Rows of the rarest class that occurs; `None` where numbers are predicted.
fn rarest(target: &Target, labels: &Table) -> Result<Option<u64>, InitError> {
    let mut counts = vec![0_u64; target.classes.len()];
    if counts.is_empty() {
        return Ok(None);
    }
    let y = target.encode(labels.require(&target.name)?)?.y;
    y.iter().filter(|y| !y.is_nan()).for_each(|&class| counts[class as usize] += 1);
    Ok(counts.into_iter().filter(|&n| n > 0).min())
}
