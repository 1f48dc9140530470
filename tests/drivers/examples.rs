//! The examples and the ledger of three loops.

use super::{MLLOOP, has, root};
use crate::support::{ERROR, Loop, YES, shared};
use serde_json::Value;
use std::process::Command;

/// Runs `make loop` of an example in a directory of its own.
fn example(name: &str, data: &str) -> Loop {
    let work = Loop::new();
    let output = Command::new("make")
        .args(["-s", "-C"])
        .arg(root("examples").join(name))
        .args(["loop".to_owned(), format!("MLLOOP={MLLOOP}"), format!("LOOP={}", work.path("loop").display())])
        .arg(format!("DATA={data}"))
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "make -C examples/{name} loop\n{said}");
    assert!(said.contains("v0001 is production"), "{said}");
    assert!(work.read("loop/scored.csv").lines().count() > 500);
    assert!(work.read("loop/report.md").contains("### Drift"));
    work
}

/// The first cell of a row.
fn id_of(row: &str) -> &str {
    row.split(',').next().unwrap()
}

#[test]
fn the_examples_go_around_their_loops() {
    if !has("make") {
        return;
    }
    // The fraud of the made-up stream changes: there is a reason to retrain.
    let fraud = example("fraud", "");
    assert!(fraud.read("loop/mlloop.toml").contains("threshold = { cost_fp = 1, cost_fn = 20 }"));
    assert!(fraud.read("loop/report.md").contains("**Retraining is warranted.**"));
    // What arrived is judged by outcomes of rows that nothing was learned from.
    let reference = fraud.read("loop/data/reference.csv");
    let known: std::collections::HashSet<&str> = reference.lines().skip(1).flat_map(|row| [row, id_of(row)]).collect();
    let current = fraud.read("loop/data/current.csv");
    let again: Vec<&str> =
        current.lines().skip(1).filter(|row| known.contains(row) || known.contains(id_of(row))).collect();
    assert!(known.len() > 1000 && current.lines().count() > 1000 && again.is_empty(), "{again:?}");
    if let Some(telco) = shared("telco_ibm/Telco-Customer-Churn.csv") {
        let churn = example("churn", &telco.display().to_string());
        let current = churn.read("loop/data/current.csv").lines().count();
        assert!(current.abs_diff(2114) < 80, "{current}");
    }
}

#[test]
fn the_ledger_has_three_loops_and_one_command() {
    if !has("make") {
        return;
    }
    let work = Loop::new();
    for name in [
        "Makefile",
        "accounts.awk",
        "answers.awk",
        "loops/anomaly/mlloop.toml",
        "loops/priority/mlloop.toml",
        "loops/attention/mlloop.toml",
    ] {
        work.write(name, std::fs::read(root("examples/ledger").join(name)).unwrap());
    }
    let output = Command::new("make")
        .args(["-s", "-C"])
        .arg(work.path(""))
        .args([&format!("MLLOOP={MLLOOP}"), "ROWS=600", "NEW=250"])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "make -C examples/ledger\n{said}");
    for (name, forest) in [("anomaly", true), ("priority", false), ("attention", true)] {
        let dir = format!("loops/{name}");
        let manifest: Value = serde_json::from_str(&work.read(&format!("{dir}/models/v0001/manifest.json"))).unwrap();
        let algorithm = manifest["model"]["parameters"]["algorithm"].as_str().unwrap();
        assert_eq!(algorithm == "random-forest", forest, "{name}: {algorithm}");
        // 30 features are derived, and nothing else is one.
        let pipeline: Value = serde_json::from_str(&work.read(&format!("{dir}/models/v0001/pipeline.json"))).unwrap();
        assert_eq!(pipeline["features"]["derived"]["definitions"].as_object().unwrap().len(), 30);
        let inputs = pipeline["features"]["inputs"].as_array().unwrap();
        let derived = &pipeline["features"]["derived"]["definitions"];
        assert!(inputs.iter().all(|input| derived.get(input["column"].as_str().unwrap()).is_some()), "{inputs:?}");
        // What reviewers said names the account, and was a reason to retrain; it is used once.
        let feedback = work.read(&format!("{dir}/data/feedback.csv"));
        assert!(feedback.lines().count() > 150 && feedback.contains(": predicted "), "{feedback}");
        let runs = work.read(&format!("{dir}/runs/runs.jsonl"));
        assert!(runs.contains("unused_feedback") || runs.contains("retrain"), "{runs}");
        // make keeps what the loop goes by.
        work.run(&format!("-C {dir} status")).answers(YES).prints("v0001");
        let features = work.run(&format!("-C {dir} features data/reference.csv")).answers(YES).stdout;
        assert_eq!(features.lines().count(), 601);
        assert_eq!(features.lines().next().unwrap().split(',').count(), 31);
    }
    let status = work.run("-C loops/* status --json").value();
    assert_eq!(status.as_array().or(status["loops"].as_array()).map(Vec::len), Some(3), "{status}");
    // A feature that reads what the target is computed from is refused, unless a reason is given.
    let toml = work.read("loops/attention/mlloop.toml");
    let leaky = toml.replace("[features.derived]\n", "[features.derived]\nn_open = \"open_items + 1\"\n");
    work.write("loops/attention/mlloop.toml", &leaky);
    work.run("-C loops/attention train").answers(ERROR).says("n_open").says("open_items").says("allow");
    work.write(
        "loops/attention/mlloop.toml",
        leaky.replace("[columns]\n", "[target.allow]\nn_open = \"counted at once\"\n[columns]\n"),
    );
    work.run("-C loops/attention train").answers(YES);
}
