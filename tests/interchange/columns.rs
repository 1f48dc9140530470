//! Whole pipelines as graphs over raw columns, run by onnxruntime on every row of real tables.

use super::live::{apart, doubles, python, run};
use crate::skipped::skipped;
use mlloop::features::{Clip, FeatureOptions, Features, Impute, Negative, Scale, Target, Task, TimePart};
use mlloop::model::{Algorithm, FitData, FitOptions, Model, Params};
use mlloop::pipeline::{OnnxParts, Pipeline, PipelineError, TargetScale};
use mlloop::score::{Calibration, CalibrationRule};
use mlloop::stats::random;
use mlloop::table::{Categories, Column, InferOptions, Input, Kind, ReadOptions, Schema, Table, Values, infer, read};
use rand::Rng;
use serde_json::{Value, json};
use std::path::Path;

/// A table, its target, and a pipeline fitted on its first rows.
#[derive(Clone)]
struct Fitted {
    table: Table,
    target: Target,
    features: Features,
    model: Model,
    calibration: Calibration,
}

fn fit(table: Table, target: &str, options: &FeatureOptions, algorithm: Algorithm, rule: CalibrationRule) -> Fitted {
    let column = table.require(target).unwrap();
    let target = Target::fit(column, None, None).unwrap();
    let y = target.encode(column).unwrap().y;
    let n = table.n_rows() as u32;
    // Levels that occur in the last rows only are unseen.
    let (train, tune): (Vec<u32>, Vec<u32>) = ((0..n * 6 / 10).collect(), (n * 6 / 10..n * 8 / 10).collect());
    let pick = |rows: &[u32]| rows.iter().map(|&r| y[r as usize]).collect::<Vec<f64>>();
    let learned = |rows: &[u32]| pick(rows).into_iter().map(|y| y as f32).collect::<Vec<f32>>();
    let (features, x) = Features::fit(&table.take(&train), &target, &learned(&train), options, 3).unwrap();
    let params = Params { algorithm, n_estimators: Some(60), max_depth: Some(6), ..Params::default() };
    let checked = params.check(target.task).unwrap();
    let n_classes = target.classes.len();
    let fit = FitOptions { params: &checked, n_classes, tune: None, progress: None };
    let model = Model::fit(&FitData { x: &x, y: &learned(&train), weights: None }, &fit).unwrap();
    let mut calibration = Calibration::None;
    if target.task != Task::Regression {
        let scores = model.scores(&features.transform(&table.take(&tune)).unwrap()).unwrap();
        let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
        calibration = Calibration::fit(rule, n_classes, &pick(&tune), &scores, None, 3).unwrap().calibration;
    }
    Fitted { table, target, features, model, calibration }
}

impl Fitted {
    /// The greatest difference between the graph's scores and ours, and the number of rows whose class differs.
    fn compare(&self, python: &Path, threshold: f64) -> (f64, usize) {
        let folder = tempfile::tempdir().unwrap();
        let Self { target, features, model, calibration, .. } = self;
        let schema = &Default::default();
        let scale = &TargetScale::default();
        let parts = OnnxParts { schema, target, features, model, scale, calibration, threshold: Some(threshold) };
        let path = folder.path().join("pipeline.onnx");
        std::fs::write(&path, parts.to_onnx().unwrap()).unwrap();
        let out = folder.path().join("out");
        self.agrees(&parts.to_onnx().unwrap(), threshold).unwrap();
        let inputs: serde_json::Map<String, Value> = features
            .inputs()
            .enumerate()
            .map(|(at, (name, _))| (name.to_owned(), self.write(name, &folder.path().join(format!("{at}.column")))))
            .collect();
        run(python, folder.path(), &json!({"columns": [{"model": path, "inputs": inputs, "out": out}]}));
        let mut scores: Vec<f64> =
            model.scores(&features.transform(&self.table).unwrap()).unwrap().into_iter().map(f64::from).collect();
        calibration.apply_all(&mut scores, target.n_scores());
        let apart = apart(scores.iter().copied(), &doubles(&out));
        if target.task == Task::Regression {
            return (apart, 0);
        }
        let labels = std::fs::read(folder.path().join("out.labels")).unwrap();
        let labels: Vec<String> = serde_json::from_slice(&labels).unwrap();
        let class = |row: &[f64]| match row {
            [score] => usize::from(*score >= threshold),
            row => (0..row.len()).reduce(|best, c| if row[c] > row[best] { c } else { best }).unwrap(),
        };
        let rows = scores.chunks(target.n_scores());
        (apart, rows.zip(&labels).filter(|(row, label)| target.classes[class(row)] != **label).count())
    }

    /// Whether our own run of the graph gives the same.
    fn agrees(&self, graph: &[u8], threshold: f64) -> Result<(), PipelineError> {
        let pipeline = Pipeline {
            schema: Schema::default(),
            target: self.target.clone(),
            features: self.features.clone(),
            model: self.model.clone(),
            scale: TargetScale::default(),
            calibration: self.calibration.clone(),
            threshold: (self.target.task == Task::Binary).then_some(threshold),
            intervals: None,
        };
        pipeline.agrees(graph, &self.table)
    }

    fn write(&self, name: &str, path: &Path) -> Value {
        let column = self.table.require(name).unwrap();
        let (kind, bytes) = match &column.values {
            Values::Number(v) => ("number", v.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::Time(v) => ("time", v.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::Category(c) => {
                let texts: Vec<&str> = (0..c.codes.len()).map(|row| c.level(row).unwrap_or("")).collect();
                ("text", serde_json::to_vec(&texts).unwrap())
            }
            _ => panic!("{name} is no feature"),
        };
        std::fs::write(path, bytes).unwrap();
        json!([kind, path])
    }
}

fn real(file: &str, target: &str, options: &InferOptions) -> Option<Table> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(file);
    if !path.is_file() {
        skipped(format_args!("{} is not there", path.display()));
        return None;
    }
    let mut schema = infer(Input::open(&path).unwrap(), options).unwrap().schema;
    for column in schema.columns.iter_mut().filter(|c| c.name == target) {
        column.kind = Kind::Category;
    }
    Some(read(Input::open(&path).unwrap(), &schema, &ReadOptions::default()).unwrap().table)
}

fn check(name: &str, fitted: &Fitted, python: &Path) {
    let (apart, classes) = fitted.compare(python, 0.37);
    let (rows, calibration) =
        (fitted.table.n_rows(), serde_json::to_value(&fitted.calibration).unwrap()["method"].clone());
    eprintln!("{name}: {rows} rows, calibration {calibration}, {apart:.1e} apart, {classes} classes differ");
    assert!(apart <= 1e-6, "{name} is {apart:e} apart");
    assert_eq!(classes, 0, "{name}");
}

#[test]
fn telco_scores_the_same_in_onnxruntime_on_every_row() {
    let Some(table) = real("telco_ibm/Telco-Customer-Churn.csv", "Churn", &InferOptions::default()) else { return };
    let Some(python) = python() else { return };
    for (algorithm, rule) in [
        (Algorithm::GradientBoosting, CalibrationRule::None),
        (Algorithm::GradientBoosting, CalibrationRule::Isotonic),
        (Algorithm::RandomForest, CalibrationRule::Platt),
    ] {
        let fitted = fit(table.clone(), "Churn", &FeatureOptions::default(), algorithm, rule);
        check(&format!("telco {algorithm:?} {rule:?}"), &fitted, &python);
    }
}

#[test]
fn adult_scores_the_same_in_onnxruntime_on_every_row() {
    let options = InferOptions { header: Some(false), ..InferOptions::default() };
    let Some(table) = real("adult/adult-train.csv", "c15", &options) else { return };
    let Some(python) = python() else { return };
    for (options, rule) in [
        (FeatureOptions::default(), CalibrationRule::Isotonic),
        (
            FeatureOptions {
                scale: Scale::Standard,
                impute: Impute::Mean,
                max_onehot: Some(4),
                ..FeatureOptions::default()
            },
            CalibrationRule::Platt,
        ),
    ] {
        let fitted = fit(table.clone(), "c15", &options, Algorithm::GradientBoosting, rule);
        check(&format!("adult {rule:?}"), &fitted, &python);
    }
}

/// Numbers with every rule, levels that training lacks, times before and after 1970, three classes or a value.
fn made(n_classes: usize) -> Table {
    let n = 3000;
    let mut random = random::rng(5, "columns");
    let mut number = |missing: f64| -> Vec<f64> {
        (0..n).map(|_| if random.gen_bool(missing) { f64::NAN } else { random.gen_range(-3.0..10.0_f64) }).collect()
    };
    let (a, b, c) = (number(0.1), number(0.05), number(0.0));
    let level = |row: usize| match row % 7 {
        0 => "",
        1 | 2 => "ä",
        3 => "b c",
        4 => "d",
        _ if row > n * 8 / 10 => "late",
        _ => "e",
    };
    let level = Categories::from_texts((0..n).map(level));
    let times: Vec<i64> = (0..n as i64)
        .map(|row| if row % 50 == 0 { i64::MIN } else { (row - 1200) * 1_234_567_890_123 % 4_000_000_000_000_000 })
        .collect();
    let signal: Vec<f64> = (0..n).map(|r| a[r].max(0.0) + b[r].max(0.0) * c[r] + level.codes[r] as f64 % 5.0).collect();
    let y = match n_classes {
        0 => Values::Number(signal.iter().map(|s| s * 10.0).collect()),
        k => Values::Category(Categories::from_texts(
            signal.iter().map(|s| ["low", "middle", "top"][((s / 8.0) as usize).min(k - 1)]),
        )),
    };
    let column = |name: &str, values| Column { name: name.to_owned(), values };
    Table::new(vec![
        column("score", Values::Number(a)),
        column("b", Values::Number(b)),
        column("c", Values::Number(c)),
        column("level", Values::Category(level)),
        column("when", Values::Time(times)),
        column("y", y),
    ])
    .unwrap()
}

#[test]
fn every_encoder_and_task_scores_the_same_in_our_own_run_and_in_onnxruntime() {
    let python = python();
    let time_parts = vec![
        TimePart::Second,
        TimePart::Minute,
        TimePart::Hour,
        TimePart::DayOfWeek,
        TimePart::DayOfMonth,
        TimePart::DayOfYear,
        TimePart::Month,
        TimePart::Year,
        TimePart::Days,
    ];
    for (n_classes, negative, rule) in [
        (3, Negative::Zero, CalibrationRule::Platt),
        (3, Negative::Missing, CalibrationRule::Isotonic),
        (2, Negative::Abs, CalibrationRule::None),
        (0, Negative::Keep, CalibrationRule::None),
    ] {
        for algorithm in [Algorithm::GradientBoosting, Algorithm::RandomForest] {
            let options = FeatureOptions {
                negative,
                clip: Clip::Iqr,
                scale: Scale::Standard,
                impute: if n_classes == 2 { Impute::Median } else { Impute::Native },
                max_onehot: Some(if n_classes == 3 { 16 } else { 2 }),
                time_parts: time_parts.clone(),
                ..FeatureOptions::default()
            };
            let fitted = fit(made(n_classes), "y", &options, algorithm, rule);
            let name = format!("{n_classes} classes, {algorithm:?}, {negative:?}, {rule:?}");
            let parts = OnnxParts {
                schema: &Default::default(),
                target: &fitted.target,
                features: &fitted.features,
                model: &fitted.model,
                scale: &TargetScale::default(),
                calibration: &fitted.calibration,
                threshold: Some(0.37),
            };
            let graph = parts.to_onnx().unwrap();
            fitted.agrees(&graph, 0.37).unwrap_or_else(|err| panic!("{name}: {err}"));
            // A graph of another pipeline is found out.
            let other = Fitted { calibration: Calibration::Platt { a: -2.0, b: 0.3 }, ..fitted.clone() };
            if n_classes == 2 {
                let said = other.agrees(&graph, 0.37).unwrap_err().to_string();
                assert!(said.contains("in the graph and"), "{said}");
            }
            if let Some(python) = &python {
                check(&name, &fitted, python);
            }
        }
    }
}
