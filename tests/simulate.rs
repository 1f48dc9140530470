//! `simulate`: traffic from a table, into the log or to a server, with outcomes and drift when they are asked for.

use crate::serve::client::Server;
use crate::support::{ERROR, Loop, YES};
use std::collections::HashSet;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// A loop with a version in production.
pub fn trained() -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    work
}

/// The cells of a column of the log of that day.
fn logged(work: &Loop, day: &str, column: &str) -> Vec<String> {
    let text = work.read(&format!("predictions/{day}.csv"));
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let place = rows.headers().unwrap().iter().position(|name| name == column).unwrap();
    rows.records().map(|record| record.unwrap()[place].to_owned()).collect()
}

#[test]
fn rows_are_logged_with_their_outcomes_under_new_ids() {
    let work = trained();
    let line = "simulate -n 700 --with-labels --now 2026-11-02T00:00:00Z";
    let told = work.run(line).answers(YES).json("/n_rows", 700).json("/n_outcomes", 700).json("/n_pieces", 2).value();
    assert_eq!(told["to"], "the prediction log");
    let ids = logged(&work, "2026-11-02", "id");
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 700);
    assert_eq!((Some(ids[0].as_str()), Some(ids[699].as_str())), (told["ids"][0].as_str(), told["ids"][1].as_str()));
    assert_eq!(work.read("data/labels.csv").matches(",outcome,").count(), 700);
    work.run("audit verify --deep").answers(YES);
    // The same seed draws the same rows; another call has other ids.
    let months = logged(&work, "2026-11-02", "months");
    work.run("simulate -n 700 --now 2026-11-03T00:00:00Z").answers(YES).json("/n_outcomes", 0);
    assert_eq!(logged(&work, "2026-11-03", "months"), months);
    assert!(logged(&work, "2026-11-03", "id").iter().all(|id| !ids.contains(id)));
    work.run("simulate -n 700 --seed 1 --now 2026-11-04T00:00:00Z").answers(YES);
    assert_ne!(logged(&work, "2026-11-04", "months"), months);
    let timed = work.run("simulate -n 6 --rate 4 --text").answers(YES);
    assert_eq!(timed.stdout, "6 rows to the prediction log, 0 with their outcome\n");
}

#[test]
fn drift_is_made_where_it_is_asked_for_and_monitor_sees_it() {
    let work = trained();
    work.run("simulate -n 400 --drift months --drift contract --drift support_calls=9 --now 2026-11-02T00:00:00Z")
        .answers(YES);
    assert_eq!(logged(&work, "2026-11-02", "contract").iter().collect::<HashSet<_>>().len(), 1);
    assert!(logged(&work, "2026-11-02", "support_calls").iter().all(|calls| calls == "9"));
    let report = work.run("monitor --formats json --now 2026-11-03T00:00:00Z").value();
    let drifted: Vec<&str> = report["columns"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|column| column["verdict"] == "drifted")
        .filter_map(|column| column["name"].as_str())
        .collect();
    for name in ["months", "contract", "support_calls"] {
        assert!(drifted.contains(&name), "{drifted:?}");
    }
    assert!(!drifted.contains(&"monthly_charge"), "{drifted:?}");
    for (line, says) in [
        ("simulate --drift mnths", "--drift mnths: is not a column that production uses: did you mean \"months\"?"),
        ("simulate --drift churn", "is not a column that production uses"),
        ("simulate --drift months=many", "\"many\" is not a number"),
        ("simulate --rate 0", "--rate must be above 0 (rows per second)"),
        ("simulate nowhere.csv", "nowhere.csv"),
        ("simulate --to http://127.0.0.1:1", "http://127.0.0.1:1: "),
    ] {
        work.run(line).answers(ERROR).says(says);
    }
}

#[test]
fn a_server_is_sent_the_same_rows_with_their_outcomes() {
    let work = trained();
    let server = Server::start_with(&work, "", &[("MLLOOP_TOKEN", "secret"), ("MLLOOP_PREDICT_TOKEN", "other")]);
    let line = format!("simulate -n 600 --with-labels --to {}", server.url);
    work.run(&line).answers(ERROR).says("answered 401");
    let told = work.run_with(&line, &[("MLLOOP_TOKEN", "secret")]).answers(YES);
    told.json("/n_rows", 600).json("/n_outcomes", 600).json("/n_pieces", 2);
    let labels = work.read("data/labels.csv");
    assert_eq!(labels.matches(",outcome,").count(), 600);
    // Each outcome is that of a row that was predicted.
    let text: String = std::fs::read_dir(work.path("predictions"))
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let ids: HashSet<&str> = text.lines().filter_map(|line| line.split(',').next()).collect();
    assert!(labels.lines().skip(1).all(|line| ids.contains(line.split(',').next().unwrap())));
    assert_eq!(ids.iter().filter(|id| id.starts_with("sim-")).count(), 600);
}
