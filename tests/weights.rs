//! `[data] weight`: what it changes from `train` to `monitor`, and what is refused.

use crate::support::{ERROR, Loop, YES};
use serde_json::Value;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// The fixture with a column of weights before the target: 1, 2, 3, 1, …
fn weighed(rows: std::ops::Range<usize>) -> String {
    let mut text = String::new();
    for (at, line) in CHURN.lines().enumerate().filter(|(at, _)| *at == 0 || rows.contains(at)) {
        let (features, target) = line.rsplit_once(',').unwrap();
        let weight = if at == 0 { "w".to_owned() } else { (at % 3 + 1).to_string() };
        text += &format!("{features},{weight},{target}\n");
    }
    text
}

/// A loop of the first rows; the others arrived with their outcome.
fn ready(section: &str) -> Loop {
    let work = Loop::new().table("data/reference.csv", weighed(1..801)).table("data/current.csv", weighed(801..1201));
    work.run("init data/reference.csv").answers(YES);
    let toml = work.read("mlloop.toml").replace("\n[decision]", "\nn_estimators = 8\n[decision]");
    let toml = toml.replace("[data]\n", &format!("[data]\n{section}\n"));
    work.write("mlloop.toml", toml);
    work
}

fn metric(value: &Value, name: &str) -> f64 {
    value["gate"]["metrics"][name]["value"].as_f64().unwrap()
}

#[test]
fn weights_count_from_train_to_monitor() {
    let plain = ready("").run("train").answers(YES).value();
    let work = ready("weight = \"w\"");
    let told = work.run("train").answers(YES).value();
    assert_ne!(metric(&plain, "log_loss"), metric(&told, "log_loss"));
    assert!(told["notes"].to_string().contains("rows are weighted by \\\"w\\\""), "{}", told["notes"]);
    let importance = told["importance"].as_array().unwrap();
    assert!(importance.iter().all(|column| column["column"] != "w") && importance.len() == 7, "{importance:?}");
    // Nobody needs the weight of a row that is to be predicted.
    let bare: String = CHURN.lines().map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0)).collect();
    work.write("new.csv", bare);
    work.run("predict new.csv").answers(YES);
    // What monitor measures, by hand.
    let scored = work.run("predict data/current.csv").answers(YES).stdout;
    let report = work.run("monitor --json");
    assert!(report.status < ERROR, "{}", report.stderr);
    let mut reader = csv::Reader::from_reader(scored.as_bytes());
    let at = reader.headers().unwrap().iter().position(|name| name == "prediction").unwrap();
    let (mut right, mut whole) = (0.0, 0.0);
    for (record, line) in reader.records().zip(weighed(801..1201).lines().skip(1)) {
        let cells: Vec<&str> = line.split(',').collect();
        let weight: f64 = cells[8].parse().unwrap();
        whole += weight;
        right += if record.unwrap()[at] == *cells[9] { weight } else { 0.0 };
    }
    let report = report.value();
    let measured = report["performance"]["metrics"].as_array().unwrap();
    let accuracy = measured.iter().find(|m| m["name"] == "accuracy").unwrap()["value"].as_f64().unwrap();
    assert!((accuracy - right / whole).abs() < 1e-12, "{accuracy} {}", right / whole);
    assert!(report["columns"].as_array().unwrap().iter().all(|column| column["name"] != "w"));
    assert!(report["notes"].to_string().contains("performance weights rows by \\\"w\\\""), "{}", report["notes"]);
}

#[test]
fn a_gate_of_weighed_rows_says_so() {
    let work = ready("weight = \"w\"");
    work.run("train").answers(YES);
    work.run("train --set n_estimators=30").answers(YES);
    let said = work.run("promote --dry-run");
    assert!(said.status != ERROR, "{}", said.stderr);
    let report = said.value()["report"].clone();
    assert!(report["notes"].to_string().contains("weight rows by \\\"w\\\""), "{report:#}");
    assert_eq!(report["judgement"]["improvement"]["test"], "bootstrap");
}

#[test]
fn a_weight_that_is_none_is_one_line() {
    for (cell, what) in [("-2", "is -2"), ("", "is missing"), ("inf", "is inf")] {
        let work = ready("weight = \"w\"");
        let text = work.read("data/reference.csv");
        let line = text.lines().nth(17).unwrap();
        let cells: Vec<&str> = line.split(',').collect();
        let other = [&cells[..8], &[cell], &cells[9..]].concat().join(",");
        work.write("data/reference.csv", text.replacen(line, &other, 1));
        let said = work.run("train").answers(ERROR).says(&format!("row 17 ({:?}) {what}", cells[0]));
        assert_eq!(said.stderr.trim_end().lines().count(), 1, "{}", said.stderr);
        assert!(!work.path("models/v0001").exists());
    }
    let work = ready("weight = \"contract\"");
    work.run("train").answers(ERROR).says("[data] weight = \"contract\" is of kind \"category\"");
    let work = ready("weight = \"ww\"");
    work.run("train").answers(ERROR).says("[data] weight = \"ww\" is not in [columns]");
}
