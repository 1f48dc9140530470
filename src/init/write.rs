//! Writes `mlloop.toml`, and reports the decisions.

use super::{Chosen, Column, Gate, InitError, InitReport, InitRequest};
use crate::drift::DriftSettings;
use crate::features::{FeatureOptions, Target, Task};
use crate::model::Params;
use crate::pipeline::{Decision, SplitSpec, TargetSpec};
use crate::table::{Finding, Inference, Schema};
use crate::workspace::{Config, DataSpec, LabelRules, PromoteRules, Workspace};
use std::path::{Component, Path, PathBuf};

/// The decisions other than those about columns.
pub(super) struct Decided {
    pub(super) target: Target,
    /// The reason for this target.
    pub(super) reason: String,
    pub(super) gate: Gate,
}

/// The content of `mlloop.toml`.
pub(super) fn config(
    workspace: &Workspace,
    wanted: &InitRequest,
    schema: &Schema,
    target: &Target,
    split: SplitSpec,
) -> Config {
    let positive = (target.task == Task::Binary).then(|| target.classes[1].clone());
    Config {
        data: DataSpec {
            reference: from_workspace(workspace.dir(), wanted.table),
            delimiter: schema.dialect.delimiter,
            header: schema.dialect.header,
            missing: schema.dialect.missing.clone(),
            skip_lines: schema.dialect.skip_lines,
            comment: schema.dialect.comment,
            weight: None,
        },
        target: TargetSpec { column: target.name.clone(), task: Some(target.task), positive, ..Default::default() },
        columns: schema.columns.clone(),
        split,
        features: FeatureOptions::default(),
        model: Params::default(),
        trainer: None,
        decision: Decision::default(),
        train: crate::workspace::TrainRules::default(),
        monitor: DriftSettings::default(),
        labels: LabelRules::default(),
        retrain: crate::workspace::RetrainRules::default(),
        notify: crate::notify::NoticeSettings::default(),
        promote: PromoteRules::default(),
        track: crate::workspace::TrackRules::default(),
    }
}

/// Writes it.
pub(super) fn write(
    workspace: &Workspace,
    wanted: &InitRequest,
    config: Config,
    inference: Inference,
    decided: Decided,
) -> Result<InitReport, InitError> {
    let Decided { target, reason, gate } = decided;
    let Inference { columns, n_rows, rejects, notes, .. } = inference;
    workspace.create()?;
    let config = Config {
        // Only now does the directory certainly exist.
        data: DataSpec { reference: from_workspace(workspace.dir(), wanted.table), ..config.data },
        ..config
    };
    let comments: Vec<(String, String)> = columns.iter().map(|c| (c.name.clone(), c.reason.clone())).collect();
    workspace.write_config(&config, &comments, wanted.force)?;
    workspace.keep_secrets_out_of_git()?;
    let column = |finding: Finding| {
        let Finding { name, kind, reason, n_missing, n_distinct, .. } = finding;
        Column { name, kind, reason, n_missing, n_distinct }
    };
    Ok(InitReport {
        config: workspace.config_path().display().to_string(),
        reference: config.data.reference.display().to_string(),
        n_rows,
        target: Chosen { column: target.name, task: target.task, positive: config.target.positive, reason },
        gate,
        columns: columns.into_iter().map(column).collect(),
        notes,
        rejects,
    })
}

/// The path of `table`, given relative to the current directory, relative to `dir`; absolute paths are kept.
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
