//! A user's program for fitting: `[trainer] command`.
//!
//! ```text
//! train, tune rows ─▶ train.csv, tune.csv, parameters.json ─▶ the program ─▶ ONNX, XGBoost or LightGBM ─▶ adopted
//! ```
//! The split, the gate, the registry, calibration, drift and serving are ours: the program gets the training rows, and
//! never the gate rows.

use super::{TrainError, TrainRequest};
use crate::atomic::At;
use crate::features::derive::Derived;
use crate::model::ForeignModel;
use crate::pipeline::{self, Examples, Fitted, PipelineError};
use crate::table::{Column, Kind, Schema, Table, Values, write_csv};
use crate::workspace::{TrainerSpec, Workspace};
use serde_json::json;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The folder of the files that the trainer reads and writes, in errors.
const FOLDER: &str = "the trainer's folder";

/// Environment variables hidden from the program.
const SECRETS: [&str; 13] = [
    "MLLOOP_TOKEN",
    "MLLOOP_PREDICT_TOKEN",
    "MLLOOP_SMTP_USER",
    "MLLOOP_SMTP_PASSWORD",
    "MLLOOP_WEBHOOK_URL",
    "MLLOOP_WEBHOOK_SECRET",
    "KAGGLE_API_TOKEN",
    "KAGGLE_USERNAME",
    "KAGGLE_KEY",
    "PGPASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "PGPASSFILE",
];
/// Maximum size of a model file.
const MAX_MODEL_BYTES: u64 = 4 << 30;

/// Runs the program to fit a model, and imports the model.
///
/// # Errors
/// When the program cannot be started, fails, takes too long, or writes no model that fits the table.
pub(super) fn fit(
    workspace: &Workspace,
    spec: &TrainerSpec,
    examples: &Examples,
    schema: &Schema,
    request: &TrainRequest,
) -> Result<Fitted, TrainError> {
    let recipe = request.config.recipe();
    if request.cv.is_some() {
        return Err(failed("--cv needs mlloop's own models; [trainer] command uses another trainer".to_owned()));
    }
    let parts = examples.parts(&recipe)?;
    let dir = tempfile::tempdir().at(FOLDER)?;
    let path = |name: &str| dir.path().join(name);
    let table = columns(examples, schema, &recipe, &parts.train)?;
    for (name, rows) in [("train.csv", &parts.train), ("tune.csv", &parts.tune)] {
        let file = File::options().write(true).create_new(true).open(path(name)).at(FOLDER)?;
        let mut out = io::BufWriter::new(file);
        write_csv(&mut out, &table.take(rows), &Schema::default()).at(FOLDER)?;
        io::Write::flush(&mut out).at(FOLDER)?;
    }
    let target = &examples.target;
    let is_feature = |column: &&Column| column.name != target.name && recipe.weight.as_ref() != Some(&column.name);
    let features: Vec<_> = table.columns().iter().filter(is_feature).collect();
    let kind = |column: &Column| if matches!(column.values, Values::Number(_)) { "number" } else { "category" };
    let mut parameters = json!({
        "target": target.name, "task": target.task, "classes": target.classes, "seed": request.seed,
        "features": features.iter().map(|c| json!({ "name": c.name, "kind": kind(c) })).collect::<Vec<_>>(),
        "model": recipe.model,
    });
    if let Some(weight) = &recipe.weight {
        parameters["weight"] = json!(weight);
    }
    let file = File::options().write(true).create_new(true).open(path("parameters.json")).at(FOLDER)?;
    serde_json::to_writer_pretty(file, &parameters).at(FOLDER)?;
    (request.progress)("fitting", 0, 1);
    run(workspace, spec, dir.path())?;
    let output = path("model");
    let size = fs::metadata(&output).map(|meta| meta.len()).unwrap_or(0);
    if size == 0 || size > MAX_MODEL_BYTES {
        return Err(failed(format!(
            "succeeded, but wrote {size} bytes to the path after --output: it must write an ONNX, XGBoost or \
             LightGBM model there"
        )));
    }
    let bytes = fs::read(&output).at(FOLDER)?;
    let foreign = ForeignModel::read(&bytes).map_err(PipelineError::from)?;
    // If the file has no feature names, the columns have the order of train.csv.
    let by_order = foreign.features.names.is_none();
    Ok(pipeline::adopt(foreign, examples, schema, &recipe, by_order, request.seed)?)
}

/// The columns available to a model: numbers and categories, raw and derived, the target, and the weights.
fn columns(
    examples: &Examples,
    schema: &Schema,
    recipe: &pipeline::Recipe,
    train: &[u32],
) -> Result<Table, TrainError> {
    let Examples { table, target, .. } = examples;
    let derived = Derived::fit(&recipe.features.derived, table, Some(train), &target.name);
    let (derived, computed) = derived.map_err(PipelineError::from)?;
    let is_feature = |column: &&Column| {
        let kind = schema.column(&column.name).map(|spec| spec.kind);
        let is_target = column.name == target.name;
        is_target
            || recipe.weight.as_ref() == Some(&column.name)
            || (!recipe.features.drop.contains(&column.name)
                && !derived.window_columns().contains(&column.name)
                && matches!(column.values, Values::Number(_) | Values::Category(_))
                && !matches!(kind, Some(Kind::Constant)))
    };
    let all = table.columns().iter().chain(&computed).filter(is_feature).cloned();
    Ok(Table::new(all.collect())?)
}

fn failed(what: String) -> TrainError {
    TrainError::Trainer { what }
}

/// Runs the program until it ends, or its time is up.
fn run(workspace: &Workspace, spec: &TrainerSpec, dir: &Path) -> Result<(), TrainError> {
    let [program, rest @ ..] = spec.command.as_slice() else {
        return Err(failed("does not name a program".to_owned()));
    };
    let told = File::options().write(true).create_new(true).open(dir.join("told")).at(FOLDER)?;
    let mut command = Command::new(program);
    command.args(rest);
    for (option, name) in
        [("--train", "train.csv"), ("--tune", "tune.csv"), ("--parameters", "parameters.json"), ("--output", "model")]
    {
        command.arg(option).arg(dir.join(name));
    }
    SECRETS.iter().for_each(|name| {
        command.env_remove(name);
    });
    // A separate process group, so that its children end with it.
    command.current_dir(workspace.path("")).process_group(0).stdin(Stdio::null());
    command.stdout(told.try_clone().at(FOLDER)?).stderr(told);
    let mut child = command.spawn().map_err(|err| failed(format!("{program:?} cannot be started: {err}")))?;
    let limit = Duration::from_secs_f64(spec.minutes * 60.0);
    let status = wait(&mut child, limit).at(FOLDER)?;
    let last = || {
        let text = fs::read(dir.join("told")).unwrap_or_default();
        let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(4096)..]).into_owned();
        let line = tail.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        let line: String = line.chars().filter(|c| !c.is_control()).take(300).collect();
        if line.is_empty() { "no message".to_owned() } else { format!("last message: {line}") }
    };
    match status {
        None => Err(failed(format!("took longer than {} minutes and was stopped; {}", spec.minutes, last()))),
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(failed(format!("failed ({status}); {}", last()))),
    }
}

/// The exit status of the program; `None` if it exceeded its time limit.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    const PAUSE: Duration = Duration::from_millis(20);
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            let group = rustix::process::Pid::from_child(child);
            // If the process group has already ended, there is nothing to stop.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}
