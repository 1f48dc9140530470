//! examples/plans: a service whose requests bring their labels, on its made-up customers and on a real table.

use crate::drivers::has;
use crate::support::{Loop, YES, shared};
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// The example in a directory of its own.
fn example() -> Loop {
    let work = Loop::new();
    for name in ["Makefile", "mlloop.toml", "plans.awk", "simulate.sh"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/plans").join(name);
        work.write(name, std::fs::read(&path).unwrap());
        std::fs::set_permissions(work.path(name), std::fs::metadata(path).unwrap().permissions()).unwrap();
    }
    work
}

/// Runs the example: what it said.
fn make(work: &Loop, more: &[&str]) -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = Command::new("make")
        .args(["-s", "-C"])
        .arg(work.path(""))
        .args([&format!("MLLOOP={}", env!("CARGO_BIN_EXE_mlloop")), &format!("PORT={port}")])
        .args(more)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "make -C examples/plans {more:?}\n{said}");
    said
}

/// The labels that came with requests were a reason to retrain, and the gate had its say.
fn is_around(work: &Loop, said: &str, n_labels: usize) {
    assert!(said.contains("requests of up to 100 rows were predicted and labelled"), "{said}");
    assert_eq!(work.read("data/labels.csv").lines().count(), n_labels + 1, "{said}");
    assert!(work.read("runs/runs.jsonl").contains("\"new_rows\""), "{}", work.read("runs/runs.jsonl"));
    let manifest: Value = serde_json::from_str(&work.read("models/v0002/manifest.json")).unwrap();
    let metrics = &manifest["gate"]["metrics"];
    for name in ["f1_weighted", "f1_macro", "roc_auc_macro"] {
        assert!(metrics[name]["value"].as_f64().is_some_and(|value| value > 0.2), "{name} of {metrics}");
    }
    assert!(work.path("models/v0002/model.onnx").exists(), "each challenger is stored as ONNX too");
    work.run("status").answers(YES).prints("v0002");
}

#[test]
fn a_service_retrains_from_labels_that_came_with_requests() {
    if !has("make") || !has("curl") {
        return;
    }
    let work = example();
    let said = make(&work, &["ROWS=600"]);
    is_around(&work, &said, 1_200);
}

/// 1000 customers of a telecom company and the plans that they chose.
#[test]
fn the_real_plans_run_through_the_same_commands() {
    let Some(table) = shared("telecust_plans/teleCust1000t.csv") else { return };
    if !has("make") || !has("curl") {
        return;
    }
    let work = example();
    let text = std::fs::read_to_string(table).unwrap();
    let mut lines = text.lines();
    let header = format!("customer,{}\n", lines.next().unwrap());
    let rows: Vec<String> = lines.enumerate().map(|(n, line)| format!("T{n:04},{line}\n")).collect();
    assert_eq!(rows.len(), 1_000);
    work.write("data/reference.csv", header.clone() + &rows[..700].concat());
    work.write("data/arriving.csv", header + &rows[700..].concat());
    let toml = work.read("mlloop.toml");
    let (from, to) = (toml.find("[columns]").unwrap(), toml.find("[features]").unwrap());
    let columns = "[columns]\ncustomer = \"id\"\nregion = \"category\"\ntenure = \"number\"\nage = \"number\"\nmarital = \"category\"\n\
        address = \"number\"\nincome = \"number\"\ned = \"number\"\nemploy = \"number\"\nretire = \"category\"\ngender = \"category\"\n\
        reside = \"number\"\ncustcat = \"category\"\n\n";
    let derived = "[features.derived]\nlog_income = \"log1p(income)\"\nof_region = \"income / mean(income) by region\"\n\
        settled = \"tenure > 24 and employ > 5\"\n\n";
    let toml = format!("{}{columns}{}", &toml[..from], &toml[to..]);
    let (from, to) = (toml.find("[features.derived]").unwrap(), toml.find("[model]").unwrap());
    let toml = format!("{}{derived}{}", &toml[..from], &toml[to..]);
    let toml = toml.replace("column = \"plan\"", "column = \"custcat\"").replace("new_rows = 1000", "new_rows = 300");
    work.write("mlloop.toml", toml);
    let said = make(&work, &["TARGET=custcat"]);
    is_around(&work, &said, 300);
}
