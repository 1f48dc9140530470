//! Models of other tools score here what they score there.
//!
//! `fixtures/models` holds small models and the scores that their own tools gave (`scripts/reference/interchange.py`).

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr, reason = "helpers of tests")]

mod columns;
mod hostile;
mod live;

use crate::support::{Loop, YES};
use mlloop::features::{Matrix, Task};
use mlloop::model::{ForeignModel, Format};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Deserialize)]
struct Expected {
    tables: BTreeMap<String, Vec<Vec<Option<f32>>>>,
    models: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    file: String,
    table: String,
    task: Task,
    classes: Option<Vec<String>>,
    feature_names: Option<Vec<String>>,
    scores: Vec<Vec<f64>>,
    onnxruntime: Option<Vec<Vec<f64>>>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/models")
}

fn expected() -> Expected {
    serde_json::from_slice(&std::fs::read(folder().join("expected.json")).unwrap()).unwrap()
}

fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(folder().join(file)).unwrap()
}

fn matrix(rows: &[Vec<Option<f32>>]) -> Matrix {
    let names: Vec<String> = (0..rows[0].len()).map(|i| format!("f{i}")).collect();
    let values = rows.iter().flatten().map(|v| v.unwrap_or(f32::NAN)).collect();
    Matrix::new(values, rows.len(), Arc::from(names))
}

/// The greatest difference, relative to the greatest score where that exceeds 1: sums of 32-bit numbers lose what is
/// small beside their parts, here and in every runtime.
fn worst(ours: &[f32], theirs: &[Vec<f64>]) -> f64 {
    let theirs: Vec<f64> = theirs.iter().flatten().copied().collect();
    assert_eq!(ours.len(), theirs.len());
    let unit = theirs.iter().fold(1.0_f64, |unit, b| unit.max(b.abs()));
    ours.iter().zip(&theirs).map(|(&a, &b)| (f64::from(a) - b).abs() / unit).fold(0.0, f64::max)
}

#[test]
fn every_fixture_scores_what_its_own_tool_scores() {
    let expected = expected();
    assert!(expected.models.len() > 40);
    let mut far = Vec::new();
    for case in &expected.models {
        let read = ForeignModel::read(&bytes(&case.file)).unwrap_or_else(|e| panic!("{}: {e}", case.file));
        let x = matrix(&expected.tables[&case.table]);
        assert_eq!(read.model.task(), case.task, "{}", case.file);
        assert_eq!(read.model.n_features(), x.n_features(), "{}", case.file);
        assert_eq!(read.features.names, case.feature_names, "{}", case.file);
        if case.classes.is_some() && case.file.starts_with("sklearn") {
            assert_eq!(read.classes, case.classes, "{}", case.file);
        }
        let scores = read.model.scores(&x).unwrap();
        let origin = worst(&scores, &case.scores);
        let runtime = case.onnxruntime.as_ref().map_or(0.0, |theirs| worst(&scores, theirs));
        if origin.max(runtime) > 1e-6 {
            far.push(format!("{}: {origin:e} from its origin, {runtime:e} from onnxruntime", case.file));
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}

#[test]
fn formats_are_told_by_their_first_bytes() {
    for (file, format) in [
        ("catboost_binary.onnx", Format::Onnx),
        ("xgboost_binary.json", Format::XgboostJson),
        ("xgboost_binary.ubj", Format::XgboostUbjson),
        ("lightgbm_binary.txt", Format::LightgbmText),
    ] {
        assert_eq!(Format::detect(&bytes(file)), Some(format), "{file}");
    }
    for other in [&b""[..], b"{}", b"id,x\n1,2\n", b"PK\x03\x04", b"\x80\x04\x95"] {
        assert_eq!(Format::detect(other), None);
        assert!(ForeignModel::read(other).is_err());
    }
}

/// The classes of the model's file are 0, 1 and those of the loop 1, 0, for its positive class is 0.
#[test]
fn a_model_that_counts_the_classes_the_other_way_is_judged_by_its_own_order_on_every_table() {
    let expected = expected();
    let case = expected.models.iter().find(|case| case.file == "sklearn_forest_binary.onnx").unwrap();
    let mut table = "id,f0,f1,f2,f3,f4,y\n".to_owned();
    for (n, (row, scores)) in expected.tables[&case.table].iter().zip(&case.scores).cycle().take(300).enumerate() {
        let cells: Vec<String> = row.iter().map(|v| v.unwrap().to_string()).collect();
        let positive = scores.last().unwrap();
        table.push_str(&format!("row {n},{},{}\n", cells.join(","), u8::from(*positive >= 0.5)));
    }
    let work = Loop::new().table("t.csv", &table).table("model.onnx", bytes(&case.file));
    work.run("init t.csv --target y").answers(YES);
    let config = work.read("mlloop.toml");
    assert!(config.contains("positive = \"1\""));
    work.write("mlloop.toml", config.replace("positive = \"1\"", "positive = \"0\""));
    let said = work.run("train --from model.onnx --features-by-order --test t.csv").answers(YES);
    // Rows have the class that the model gives them, so whoever mixes the classes up gets 0.
    for judged in ["gate", "test"] {
        let metric = |name: &str| said.value()[judged]["metrics"][name]["value"].as_f64().unwrap();
        assert_eq!(metric("roc_auc"), 1.0, "{judged}");
        assert!(metric("accuracy") > 0.9, "{judged}: {}", metric("accuracy"));
    }
}
