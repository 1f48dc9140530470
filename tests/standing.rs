//! How far each reason to retrain is: the same numbers in every place that shows them, and those that `retrain` acts on.

use crate::run::poor;
use crate::serve::client::Server;
use crate::support::{ERROR, Loop, YES};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// A loop with a version in production, and 300 rows that arrived with their outcomes; 300 more rows are in `more.csv`.
fn with_outcomes() -> Loop {
    let lines: Vec<&str> = CHURN.lines().collect();
    let part = |from: usize, to: usize| [&lines[..1], &lines[from..to]].concat().join("\n") + "\n";
    let work = Loop::new().table("data/reference.csv", part(1, 601)).table("data/current.csv", part(601, 901));
    let work = work.table("more.csv", part(901, 1201));
    work.run("init data/reference.csv").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    work
}

fn named(triggers: &Value, name: &str) -> Value {
    triggers.as_array().unwrap().iter().find(|trigger| trigger["name"] == name).unwrap().clone()
}

fn status(work: &Loop, line: &str) -> Value {
    work.run(&format!("status {line}")).value()["retrain"].clone()
}

/// What `status` counts, and what a retrain would learn from.
fn counts(work: &Loop, now: &str) -> (f64, f64) {
    let told = named(&status(work, now)["triggers"], "new_rows");
    let plan = work.run(&format!("retrain --dry-run {now}")).value();
    (told["count"].as_f64().unwrap(), plan["plan"]["n_new"].as_f64().unwrap())
}

#[test]
fn new_rows_are_those_that_a_retrain_would_learn_from_whoever_looked_last() {
    let work = with_outcomes();
    assert_eq!(counts(&work, "--now 2026-11-02T00:00:00Z"), (300.0, 300.0), "nobody looked yet");
    work.run("monitor --now 2026-11-02T00:00:00Z");
    assert_eq!(counts(&work, "--now 2026-11-03T00:00:00Z"), (300.0, 300.0));
    // Outcomes of other rows come in, and of rows that are in the table of what arrived.
    work.run("predict more.csv --log --outcomes -o out.csv --now 2026-11-04T00:00:00Z").answers(YES);
    assert_eq!(counts(&work, "--now 2026-11-04T00:00:00Z"), (600.0, 600.0));
    work.run("predict data/current.csv --log --outcomes -o out.csv --now 2026-11-05T00:00:00Z").answers(YES);
    assert_eq!(counts(&work, "--now 2026-11-05T00:00:00Z"), (600.0, 600.0), "no row counts twice");
    let mut server = Server::start(&work, "");
    let told: Value = serde_json::from_str(&server.get("/retrain/status")).unwrap();
    server.stop();
    assert_eq!(named(&told["triggers"], "new_rows")["count"], 600.0);
    let of = |key: &str| told[key].clone();
    assert_eq!((of("trigger"), of("count"), of("threshold")), (json!("new_rows"), json!(600.0), json!(1000.0)));
    assert_eq!((of("remaining"), of("progress_percent")), (json!(400.0), json!(60.0)), "all of one trigger");
    // What a retrain learned from does not count again.
    work.run("retrain --force --now 2026-11-06T00:00:00Z").answers(YES);
    assert_eq!(named(&status(&work, "--now 2026-11-06T00:00:00Z")["triggers"], "new_rows")["count"], 0.0);
    // Where what arrived cannot be read, the rest is counted and it is said.
    work.write("data/current.csv", "no,such,columns\n1,2,3\n");
    let told = status(&work, "--now 2026-11-06T00:00:00Z");
    assert_eq!(named(&told["triggers"], "new_rows")["count"], 0.0);
    assert!(told["notes"][0].as_str().unwrap().contains("data/current.csv"), "{told}");
}

#[test]
fn the_top_of_retrain_status_is_the_trigger_that_is_farthest_along() {
    let work = with_outcomes();
    std::fs::remove_file(work.path("data/current.csv")).unwrap();
    work.run("predict more.csv --log -o out.csv --now 2026-11-04T00:00:00Z").answers(YES);
    let ids: Vec<String> = CHURN.lines().skip(901).take(10).map(|l| l.split(',').next().unwrap().to_owned()).collect();
    let labels: String = ids.iter().map(|id| format!("{id},yes,ann,2026-11-04T10:00:00Z,human,,,\n")).collect();
    let header = "id,label,annotator,labelled_at,source,batch,select_prob,model_version\n";
    work.write("data/labels.csv", format!("{header}{labels}"));
    let top = |line: &str, variables: &[(&str, &str)]| {
        let mut server = Server::start_with(&work, line, variables);
        let told: Value = serde_json::from_str(&server.get("/retrain/status")).unwrap();
        server.stop();
        ["trigger", "count", "threshold", "remaining", "progress_percent"].map(|key| told[key].clone())
    };
    assert_eq!(top("", &[]), [json!("unused_feedback"), json!(10.0), json!(50.0), json!(40.0), json!(20.0)]);
    let fast = top("--set monitor.triggers.new_rows=20", &[]);
    assert_eq!(fast, [json!("new_rows"), json!(10.0), json!(20.0), json!(10.0), json!(50.0)]);
    let off = [("MLLOOP_MONITOR_TRIGGERS_NEW_ROWS", "false")];
    let none = top("--set monitor.triggers.unused_feedback=false", &off);
    assert_eq!(none, [Value::Null, Value::Null, Value::Null, Value::Null, Value::Null]);
}

#[test]
fn thresholds_are_those_of_the_settings_before_anybody_looked() {
    let work = with_outcomes();
    let told = status(&work, "");
    let threshold = |name: &str| named(&told["triggers"], name)["threshold"].clone();
    for (name, at) in [("new_rows", 1000.0), ("unused_feedback", 50.0), ("drift_share", 0.25), ("psi", 0.2)] {
        assert_eq!(threshold(name), at, "{name}");
    }
    for (name, at) in [("recent_accuracy", 0.7), ("score_drift", 0.01), ("schema", 1.0)] {
        assert_eq!(threshold(name), at, "{name}");
    }
    assert!(threshold("metric_drop").as_f64() > Some(20.0) && threshold("multivariate").as_f64() > Some(0.5));
    assert_eq!(named(&told["triggers"], "age")["is_on"], false);
    let text = work.run("status --text --set monitor.triggers.psi=false").stdout;
    for line in ["psi              off", "drift_share      not measured yet, fires at 0.2500", "age              off"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn what_monitor_found_to_have_fired_has_fired_in_every_place() {
    let work = with_outcomes();
    // Every fifth number is a word: the column is of another type now.
    let broken: String = CHURN
        .lines()
        .enumerate()
        .filter(|(n, _)| *n == 0 || *n > 600)
        .map(|(n, line)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if n > 0 && n % 5 == 0 {
                cells[5] = "n.k.";
            }
            cells[..8].join(",") + "\n"
        })
        .collect();
    work.write("data/current.csv", broken);
    let found = work.run("monitor --now 2026-11-02T00:00:00Z").answers(YES).value();
    let fired = |triggers: &Value| -> Vec<String> {
        let fired = triggers.as_array().unwrap().iter().filter(|t| t["fired"] == true);
        let mut names: Vec<String> = fired.map(|t| t["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let all = |triggers: &Value| triggers.as_array().unwrap().len();
    let expected = fired(&found["triggers"]);
    assert!(expected.contains(&"schema".to_owned()), "{expected:?}");
    let told = status(&work, "--now 2026-11-02T00:00:00Z");
    assert_eq!(fired(&told["triggers"]), expected);
    assert_eq!(all(&told["triggers"]) + 1, all(&found["triggers"]), "all but the person who asks");
    let mut server = Server::start(&work, "");
    let served: Value = serde_json::from_str(&server.get("/retrain/status")).unwrap();
    server.stop();
    assert_eq!((fired(&served["triggers"]), &served["due"]), (expected.clone(), &json!(true)));
    let doctor = work.run("doctor --now 2026-11-02T00:00:00Z").value();
    let check = doctor["checks"].as_array().unwrap().iter().find(|c| c["part"] == "reasons to retrain").unwrap();
    expected.iter().for_each(|name| assert!(check["told"].as_str().unwrap().contains(name.as_str()), "{check}"));
    // A job can wait for each that is on.
    let mut server = Server::start(&work, "--run-at schema");
    server.stop();
    assert!(!work.path("runs/jobs").exists(), "a server that was asked for nothing writes nothing");
    work.run("serve --port 0 --run-at age").answers(ERROR).says("that trigger is off; set max_age_days under");
    let off = "serve --port 0 --run-at new_rows --set monitor.triggers.new_rows=false";
    work.run(off).answers(ERROR).says("--run-at new_rows: that trigger is off");
}

#[test]
fn what_is_set_for_a_server_holds_for_its_rounds() {
    let work = poor("");
    let mut server = Server::start(&work, "--run-every 1s --set retrain.approval=manual");
    let started = Instant::now();
    let job = loop {
        let told: Value = serde_json::from_str(&server.get("/retrain/status")).unwrap();
        if told["job"]["exit_status"].is_number() {
            break told["job"].clone();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{told}");
        std::thread::sleep(Duration::from_millis(100));
    };
    server.stop();
    assert_eq!((&job["exit_status"], &job["done"]), (&json!(4), &json!("waiting")), "{job}");
    assert!(!work.path("models/v0002").exists(), "nothing is trained before somebody agreed");
}
