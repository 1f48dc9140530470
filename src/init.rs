//! From a table to `mlloop.toml`: what `init` does.

use crate::drift::DriftSettings;
use crate::features::leaks::{How, find_leaks};
use crate::features::{FeatureError, FeatureOptions, Target, Task};
use crate::model::Params;
use crate::pipeline::{Decision, SplitSpec, TargetSpec};
use crate::table::{
    Finding, InferOptions, Inference, Input, Kind, ReadOptions, Rejects, Table, TableError, TableOptions, infer, read,
    schema, stream,
};
use crate::workspace::{Config, DataSpec, LabelRules, PromoteRules, Workspace, WorkspaceError};
use serde::Serialize;
use std::path::{Component, Path, PathBuf};

/// What can go wrong while a table is looked at.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A target problem.
    #[error("{0}")]
    Features(#[from] FeatureError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A column whose kind a person has to decide.
    #[error("{what}: {ways_out}")]
    Doubt {
        /// Which, and its cells.
        what: String,
        /// What to do.
        ways_out: String,
    },
    /// An option that does not fit the table, or a table that cannot be learned from.
    #[error("{0}")]
    Option(String),
}

/// What the command line said.
#[derive(Debug, Clone)]
pub struct InitRequest<'a> {
    /// The table, relative to the current directory.
    pub table: &'a Path,
    /// The column to predict.
    pub target: Option<String>,
    /// The positive class.
    pub positive: Option<String>,
    /// Whether the first record names the columns.
    pub header: Option<bool>,
    /// Missing markers besides the usual ones.
    pub missing: Vec<String>,
    /// Columns that are not to be read.
    pub ignore: Vec<String>,
    /// What columns are, where somebody says so.
    pub kinds: Vec<(String, Kind)>,
    /// How the table is written.
    pub read: TableOptions,
    /// Replace `mlloop.toml`.
    pub force: bool,
}

/// What was decided.
#[derive(Debug, Serialize)]
pub struct InitReport {
    /// The file that was written.
    pub config: String,
    /// The table as `mlloop.toml` names it.
    pub reference: String,
    /// Its rows.
    pub n_rows: u64,
    /// What is predicted.
    pub target: Chosen,
    /// Every column.
    pub columns: Vec<Column>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Rows that were left out.
    #[serde(skip)]
    pub rejects: Rejects,
}

/// The target and why.
#[derive(Debug, Serialize)]
pub struct Chosen {
    /// The column.
    pub column: String,
    /// The task.
    pub task: Task,
    /// The positive class of two.
    pub positive: Option<String>,
    /// Why this column, task and class.
    pub reason: String,
}

/// A column and why it is what it is.
#[derive(Debug, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Why, in one line.
    pub reason: String,
    /// Missing cells.
    pub n_missing: u64,
    /// Distinct values.
    pub n_distinct: u64,
}

/// Rows that are looked at for columns that know the target.
const SAMPLE_ROWS: usize = 20_000;

/// Looks at the table, decides, and writes `mlloop.toml`.
///
/// # Errors
/// When the table cannot be read, there is nothing to predict, or `mlloop.toml` exists.
pub fn init(workspace: &Workspace, wanted: &InitRequest) -> Result<InitReport, InitError> {
    if workspace.config_path().exists() && !wanted.force {
        return Err(WorkspaceError::Exists(workspace.config_path()).into());
    }
    if wanted.table == Path::new("-") {
        return Err(InitError::Option("init needs a file: `train` will read it again".to_owned()));
    }
    let mut inference = infer(Input::open(wanted.table)?, &wanted.infer_options())?;
    wanted.set_kinds(&mut inference)?;
    wanted.refuse_doubts(&inference)?;
    let guess = inference.target.clone().ok_or_else(|| {
        let names: Vec<&str> = inference.columns.iter().map(|c| c.name.as_str()).collect();
        InitError::Option(format!("no column looks like a target: name it with --target ({})", names.join(", ")))
    })?;
    let labels = wanted.read_column(&inference, &guess.name)?;
    let (target, why) = Target::choose(labels.require(&guess.name)?, wanted.positive.as_deref(), None)?;
    let suspicions = wanted.leave_out_leaks(&mut inference, &target)?;
    inference.notes.extend(suspicions);
    write(workspace, wanted, inference, target, &format!("{}; {why}", guess.reason))
}

fn write(
    workspace: &Workspace,
    wanted: &InitRequest,
    inference: Inference,
    target: Target,
    reason: &str,
) -> Result<InitReport, InitError> {
    let Inference { schema, columns, n_rows, rejects, notes, .. } = inference;
    workspace.create()?;
    let reference = from_workspace(workspace.dir(), wanted.table);
    let positive = (target.task == Task::Binary).then(|| target.classes[1].clone());
    let config = Config {
        data: DataSpec {
            reference: reference.clone(),
            delimiter: schema.dialect.delimiter,
            header: schema.dialect.header,
            missing: schema.dialect.missing.clone(),
            skip_lines: schema.dialect.skip_lines,
            comment: schema.dialect.comment,
        },
        target: TargetSpec { column: target.name.clone(), task: Some(target.task), positive: positive.clone() },
        columns: schema.columns,
        split: SplitSpec::default(),
        features: FeatureOptions::default(),
        model: Params::default(),
        decision: Decision::default(),
        monitor: DriftSettings::default(),
        labels: LabelRules::default(),
        retrain: crate::workspace::RetrainRules::default(),
        notify: crate::notify::NoticeSettings::default(),
        promote: PromoteRules::default(),
    };
    let comments: Vec<(String, String)> = columns.iter().map(|c| (c.name.clone(), c.reason.clone())).collect();
    workspace.write_config(&config, &comments, wanted.force)?;
    let column =
        |Finding { name, kind, reason, n_missing, n_distinct }| Column { name, kind, reason, n_missing, n_distinct };
    Ok(InitReport {
        config: workspace.config_path().display().to_string(),
        reference: reference.display().to_string(),
        n_rows,
        target: Chosen { column: target.name, task: target.task, positive, reason: reason.to_owned() },
        columns: columns.into_iter().map(column).collect(),
        notes,
        rejects,
    })
}

impl InitRequest<'_> {
    fn infer_options(&self) -> InferOptions {
        let usual = schema::DEFAULT_MISSING.map(str::to_owned).into_iter();
        InferOptions {
            delimiter: self.read.delimiter,
            decimal: self.read.decimal,
            skip_lines: self.read.skip_lines,
            comment: self.read.comment,
            header: self.header,
            missing: Some(usual.chain(self.missing.iter().cloned()).collect()),
            target: self.target.clone(),
            skip_invalid: self.read.skip_invalid,
            ..InferOptions::default()
        }
    }

    /// Leaves out what `--ignore` names, and keeps one id.
    fn set_kinds(&self, inference: &mut Inference) -> Result<(), InitError> {
        for name in &self.ignore {
            if inference.schema.column(name).is_none() {
                return Err(InitError::Option(format!("--ignore: there is no column {name:?}")));
            }
            set_kind(inference, name, Kind::Ignore, "left out by --ignore");
        }
        for (name, kind) in &self.kinds {
            if inference.schema.column(name).is_none() {
                return Err(InitError::Option(format!("--kind: there is no column {name:?}")));
            }
            match inference.doubts.iter().find(|doubt| doubt.column == *name && doubt.kind() == *kind) {
                // What it mostly is, as it is mostly written.
                Some(doubt) => {
                    let spec = doubt.spec();
                    set_kind(inference, name, *kind, "as --kind says");
                    inference.schema.columns.iter_mut().filter(|c| c.name == *name).for_each(|c| c.clone_from(&spec));
                }
                None => set_kind(inference, name, *kind, "as --kind says"),
            }
        }
        let ids: Vec<String> =
            inference.columns.iter().filter(|c| c.kind == Kind::Id).map(|c| c.name.clone()).collect();
        for name in ids.iter().skip(1) {
            set_kind(inference, name, Kind::Text, &format!("distinct in every row like the id {:?}", ids[0]));
        }
        Ok(())
    }

    /// A column that is nearly a number or a time is nothing else before somebody says so.
    fn refuse_doubts(&self, inference: &Inference) -> Result<(), InitError> {
        let said = |name: &String| self.ignore.contains(name) || self.kinds.iter().any(|(known, _)| known == name);
        let mut open = inference.doubts.iter().filter(|doubt| !said(&doubt.column));
        let Some(first) = open.next() else { return Ok(()) };
        let more: Vec<String> = open.map(|doubt| format!("{:?}", doubt.column)).collect();
        let more = if more.is_empty() { String::new() } else { format!("; the same holds for {}", more.join(", ")) };
        Err(InitError::Doubt { what: format!("{}: {first}{more}", self.table.display()), ways_out: first.ways_out() })
    }

    fn read_column(&self, inference: &Inference, name: &str) -> Result<Table, InitError> {
        let options = ReadOptions {
            columns: Some(vec![name.to_owned()]),
            skip_invalid: self.read.skip_invalid,
            ..Default::default()
        };
        Ok(read(Input::open(self.table)?, &inference.schema, &options)?.table)
    }

    /// Columns that make up the target are left out; others that seem to know it are named.
    fn leave_out_leaks(&self, inference: &mut Inference, target: &Target) -> Result<Vec<String>, InitError> {
        let sample = self.sample(inference)?;
        let labels = target.encode(sample.require(&target.name)?)?;
        let excluded = |c: &&Finding| matches!(c.kind, Kind::Id | Kind::Constant);
        let skip: Vec<String> = inference.columns.iter().filter(excluded).map(|c| c.name.clone()).collect();
        let leaks = find_leaks(&sample, target, &labels.y, &skip, 0);
        for leak in &leaks {
            let reason = match &leak.how {
                How::Formula(formula) => {
                    format!("left out: {} = {formula}, so it is known only when the target is", target.name)
                }
                How::Equal => format!("left out: it equals {}", target.name),
                _ => continue,
            };
            for column in &leak.columns {
                set_kind(inference, column, Kind::Ignore, &reason);
            }
        }
        let left_out = |name: &String| inference.schema.column(name).is_some_and(|c| c.kind == Kind::Ignore);
        Ok(leaks.iter().filter(|leak| !leak.columns.iter().any(left_out)).map(ToString::to_string).collect())
    }

    /// The first rows of the table.
    fn sample(&self, inference: &Inference) -> Result<Table, InitError> {
        let options = ReadOptions { skip_invalid: self.read.skip_invalid, ..Default::default() };
        match stream(Input::open(self.table)?, &inference.schema, &options)?.next() {
            Some(batch) => {
                let table = batch?.table;
                let rows: Vec<u32> = (0..u32::try_from(table.n_rows().min(SAMPLE_ROWS)).unwrap_or(0)).collect();
                Ok(table.take(&rows))
            }
            None => Err(InitError::Option(format!("{}: has no rows", self.table.display()))),
        }
    }
}

fn set_kind(inference: &mut Inference, name: &str, kind: Kind, reason: &str) {
    if let Some(spec) = inference.schema.columns.iter_mut().find(|c| c.name == name) {
        spec.kind = kind;
        (spec.format, spec.number) = (None, None);
    }
    if let Some(finding) = inference.columns.iter_mut().find(|c| c.name == name) {
        finding.kind = kind;
        reason.clone_into(&mut finding.reason);
    }
}

/// `table`, which is relative to the current directory, as seen from `dir`; absolute paths stay.
fn from_workspace(dir: &Path, table: &Path) -> PathBuf {
    if table.is_absolute() {
        return table.to_owned();
    }
    let (Ok(dir), Ok(table)) = (dir.canonicalize(), table.canonicalize()) else { return table.to_owned() };
    let (dir, table): (Vec<Component>, Vec<Component>) = (dir.components().collect(), table.components().collect());
    let shared = dir.iter().zip(&table).take_while(|(a, b)| a == b).count();
    let up = dir[shared..].iter().map(|_| Component::ParentDir);
    up.chain(table[shared..].iter().copied()).collect()
}
