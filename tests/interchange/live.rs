//! Against the other tools themselves, where a Python has them: `MLLOOP_PYTHON`, else `python3`.

use super::{bytes, expected, matrix};
use crate::skipped::skipped;
use mlloop::features::{Matrix, Task};
use mlloop::model::{Algorithm, FitData, FitOptions, ForeignModel, Model, Params};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// A Python that has every tool, or `None` after saying so.
pub fn python() -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var("MLLOOP_PYTHON").unwrap_or_else(|_| "python3".to_owned()));
    let tools = "import numpy, pandas, sklearn, lightgbm, xgboost, catboost, onnxruntime, skl2onnx, onnxmltools";
    let found = Command::new(&program).args(["-c", tools]).output().is_ok_and(|said| said.status.success());
    if !found {
        skipped(format_args!("{} lacks the tools to compare with (set MLLOOP_PYTHON)", program.display()));
    }
    found.then_some(program)
}

/// Runs `scripts/reference/interchange_live.py` with this job.
pub fn run(python: &Path, folder: &Path, job: &Value) {
    let file = folder.join("job.json");
    std::fs::write(&file, job.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/reference/interchange_live.py");
    let said = Command::new(python).arg(script).arg(&file).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

pub fn doubles(path: &Path) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect()
}

fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn names(n: usize) -> Arc<[String]> {
    (0..n).map(|i| format!("f{i}")).collect()
}

/// The greatest difference, relative to the greatest score where that exceeds 1.
pub fn apart(ours: impl IntoIterator<Item = f64>, theirs: &[f64]) -> f64 {
    let unit = theirs.iter().fold(1.0_f64, |unit, b| unit.max(b.abs()));
    let ours: Vec<f64> = ours.into_iter().collect();
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / unit).fold(0.0, f64::max)
}

/// Models of every algorithm and task, fitted here.
fn fitted() -> Vec<(String, Model, Matrix)> {
    let expected = expected();
    let mut all = Vec::new();
    for (algorithm, name) in [
        (Algorithm::GradientBoosting, "boosting"),
        (Algorithm::RandomForest, "forest"),
        (Algorithm::DecisionTree, "tree"),
    ] {
        for (task, n_classes) in [(Task::Binary, 2), (Task::Multiclass, 3), (Task::Regression, 0)] {
            let x = matrix(&expected.tables["missing"]);
            let signal: Vec<f32> = (0..x.n_rows).map(|r| x.row(r).iter().filter(|v| !v.is_nan()).sum()).collect();
            let y: Vec<f32> = match task {
                Task::Regression => signal.iter().map(|s| s * 100.0).collect(),
                _ => signal.iter().map(|s| (s.clamp(-1.5, 1.4) + 1.5).floor().min((n_classes - 1) as f32)).collect(),
            };
            let n_estimators = (algorithm != Algorithm::DecisionTree).then_some(40);
            let params = Params { algorithm, n_estimators, ..Params::default() };
            let checked = params.check(task).unwrap();
            let options = FitOptions { params: &checked, n_classes, tune: None, progress: None };
            let model = Model::fit(&FitData { x: &x, y: &y, weights: None }, &options).unwrap();
            all.push((format!("{name} {task:?}"), model, x));
        }
    }
    all
}

#[test]
fn exported_models_score_the_same_in_onnxruntime_and_xgboost() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let expected = expected();
    let read = |case: &super::Case| {
        let model = ForeignModel::read(&bytes(&case.file)).unwrap().model;
        (case.file.clone(), model, matrix(&expected.tables[&case.table]))
    };
    let mut models: Vec<(String, Model, Matrix)> = expected.models.iter().map(read).collect();
    models.extend(fitted());
    let mut jobs = Vec::new();
    let mut checks = Vec::new();
    for (at, (name, model, x)) in models.iter().enumerate() {
        let path = |end: &str| folder.path().join(format!("{at}.{end}"));
        std::fs::write(path("x"), x.values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
        std::fs::write(path("onnx"), model.to_onnx().unwrap()).unwrap();
        std::fs::write(path("json"), model.to_xgboost_json(&x.names).unwrap()).unwrap();
        let scores = model.scores(x).unwrap();
        for (with, end) in [("onnxruntime", "onnx"), ("xgboost", "json")] {
            let out = path(&format!("{end}.out"));
            jobs.push(
                json!({"with": with, "model": path(end), "x": path("x"), "n_features": x.n_features(), "out": out}),
            );
            checks.push((format!("{name} in {with}"), scores.clone(), out));
        }
        if model.task() == Task::Regression {
            // What goes out comes in again.
            let again = ForeignModel::read(&model.to_onnx().unwrap()).unwrap();
            assert_eq!(again.model.scores(x).unwrap(), scores, "{name} read again");
        }
    }
    run(&python, folder.path(), &json!({ "score": jobs }));
    let mut far = Vec::new();
    for (name, ours, out) in checks {
        let apart = apart(ours.iter().map(|&s| f64::from(s)), &doubles(&out));
        eprintln!("{name}: {apart:.1e}");
        if apart > 1e-6 {
            far.push(format!("{name}: {apart:e}"));
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}

#[test]
fn models_trained_elsewhere_on_real_tables_score_the_same_on_every_row() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !data.is_dir() {
        return skipped(format_args!("no real tables in {}", data.display()));
    }
    if std::env::var_os("MLLOOP_PYTHON").is_none() {
        return skipped("it trains for minutes, so it wants MLLOOP_PYTHON to be set");
    }
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    run(&python, folder.path(), &json!({ "train": folder.path(), "data": data }));
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.path().join("cases.json")).unwrap()).unwrap();
    let mut far = Vec::new();
    for case in &cases {
        let text = |key: &str| case[key].as_str().unwrap();
        let model = ForeignModel::read(&std::fs::read(text("model")).unwrap()).unwrap().model;
        let values = floats(Path::new(text("x")));
        let n = model.n_features();
        let x = Matrix::new(values.clone(), values.len() / n, names(n));
        let scores: Vec<f64> = model.scores(&x).unwrap().into_iter().map(f64::from).collect();
        let origin = apart(scores.iter().copied(), &doubles(Path::new(text("scores"))));
        let runtime =
            case["runtime"].as_str().map_or(0.0, |path| apart(scores.iter().copied(), &doubles(Path::new(path))));
        eprintln!("{}: {} rows, {origin:.1e} from its origin, {runtime:.1e} from onnxruntime", text("name"), x.n_rows);
        if origin.max(runtime) > 1e-6 {
            far.push(format!("{}: {origin:e} {runtime:e}", text("name")));
        }
    }
    assert!(cases.len() > 30 && far.is_empty(), "{far:#?}");
}
