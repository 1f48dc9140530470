//! `run`: the whole loop once, from wherever it stands.

use crate::notify::webhook;
use crate::retrain::labelled;
use crate::support::{CANNOT_TELL, ERROR, Loop, NO, WAITING, YES};
use mlloop::workspace::Workspace;
use serde_json::Value;

/// A loop whose production is poor, so that a challenger with its usual parameters is better for certain.
fn poor(more: &str) -> Loop {
    let work = labelled();
    std::fs::remove_dir_all(work.path("models")).unwrap();
    for file in ["audit.jsonl", "runs/runs.jsonl"] {
        std::fs::remove_file(work.path(file)).unwrap();
    }
    let toml = work.read("mlloop.toml");
    let (algorithm, trees) = ("algorithm = \"gradient-boosting\"", "n_estimators = 8");
    let stump = toml.replace(algorithm, "algorithm = \"decision-tree\"").replace(trees, "max_depth = 1");
    work.write("mlloop.toml", stump);
    work.run("train --now 2026-11-01T00:00:00Z").answers(YES);
    work.write("mlloop.toml", toml.replace(trees, "n_estimators = 30") + more);
    work
}

const NOW: &str = "run --now 2026-11-11T00:00:00Z";

#[test]
fn a_round_ends_in_production_and_the_next_has_no_reason() {
    let (url, heard) = webhook();
    let mut work = poor("\n[notify]\nchannels = ['webhook']\n");
    work.set("MLLOOP_WEBHOOK_URL", &url);
    let round = work.run(NOW).answers(YES).json("/done", "promoted").json("/production", "v0002").value();
    assert_eq!(round["retrain"]["done"], "retrained");
    assert_eq!(round["monitor"]["retrain"], "yes");
    assert_eq!(round["promotion"]["report"]["judgement"]["verdict"], "superior");
    let told = heard.lock().unwrap().join("\n");
    for text in ["drift began: ", "v0002 is the challenger", "v0002 is production now"] {
        assert!(told.contains(text), "{told}");
    }
    assert_eq!(round["notified"]["sent"], 2, "drift was told by itself");
    assert_eq!(work.read("data/reference.csv").lines().count(), 701, "the reference has the labelled rows now");
    let log = work.read("runs/runs.jsonl");
    let verbs: Vec<String> =
        log.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["verb"].to_string()).collect();
    assert_eq!(verbs, ["\"train\"", "\"monitor\"", "\"retrain\"", "\"promote\"", "\"run\""]);
    work.run("run --now 2026-11-12T00:00:00Z").answers(NO).json("/done", "no-reason").json("/production", "v0002");
    work.run("audit verify").answers(YES);
}

#[test]
fn a_round_says_where_it_ends() {
    // A reason, and too few labels; a reason, and nothing new.
    let work = poor("\n[retrain]\nmin_new_labels = 500\n");
    let round = work.run(NOW).answers(CANNOT_TELL).json("/done", "too-few").value();
    assert!(round["sentence"].as_str().unwrap().contains("400 more are needed"), "{round}");
    std::fs::remove_file(work.path("data/labels.csv")).unwrap();
    work.run(NOW).answers(NO).json("/done", "no-reason");
    std::fs::remove_file(work.path("data/current.csv")).unwrap();
    work.run(NOW).answers(CANNOT_TELL).json("/done", "cannot-tell");
    // A challenger that is no better stays one, and is not judged again and again.
    let work = labelled();
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml + "\n[monitor.triggers]\nmax_age_days = 5\n");
    let round = work.run(NOW).value();
    assert_eq!(round["retrain"]["done"], "retrained");
    assert_ne!(round["done"], "promoted", "{round}");
    work.run(NOW).answers(NO).json("/done", "nothing-new").json("/production", "v0001");
    let gates = work.read("audit.jsonl").matches("\"event\":\"gate-verdict\"").count();
    assert_eq!(gates, 1);
}

#[test]
fn a_person_is_asked_and_a_cron_job_never_waits() {
    let work = poor("\n[monitor.triggers]\nmax_age_days = 5\n");
    let toml = work.read("mlloop.toml");
    assert!(toml.contains("approval = \"auto\""), "{toml}");
    work.write("mlloop.toml", toml.replace("approval = \"auto\"", "approval = \"manual\""));
    let id = work.run(NOW).answers(WAITING).json("/done", "waiting").value()["request"]["id"].clone();
    let again = work.run(NOW).answers(WAITING).value();
    assert_eq!((&again["request"]["id"], &again["monitor"]), (&id, &Value::Null));
    let other = work.copy();
    other.run(&format!("{NOW} --no --by ann")).answers(NO).json("/done", "rejected").json("/production", "v0001");
    other.run(NOW).answers(NO).json("/done", "nothing-new");
    work.run(&format!("{NOW} --yes --by ann")).answers(YES).json("/done", "promoted").json("/production", "v0002");
    assert_eq!(work.read("data/reference.csv").lines().count(), 701);
    work.run(&format!("{NOW} --yes --no --by ann")).answers(ERROR);
}

#[test]
fn a_death_anywhere_is_made_good_by_the_next_round() {
    let work = poor("");
    let reference = work.read("data/reference.csv");
    let n = work.dies_everywhere(NOW, "", |copy| {
        let now = copy.read("data/reference.csv");
        assert!(now == reference || now.lines().count() == 701, "the reference is the old one or the new one");
        copy.run(NOW);
        copy.run("status").answers(YES).json("/production", "v0002");
        copy.run("audit verify").answers(YES);
        assert_eq!(copy.read("data/reference.csv").lines().count(), 701);
        assert!(!copy.path("models/v0003").exists());
        assert_eq!(copy.read("audit.jsonl").matches("\"event\":\"promoted\"").count(), 1);
    });
    assert!(n > 80, "{n} write points");
}

#[test]
fn a_full_disk_anywhere_is_made_good_by_the_next_round() {
    let work = poor("");
    for n in (1..).step_by(9) {
        let copy = work.copy();
        let done = copy.pipe_with(NOW, "", &format!("full:{n}")).is(YES);
        copy.run("audit verify").answers(YES);
        copy.run(NOW);
        copy.run("status").answers(YES).json("/production", "v0002");
        assert_eq!(copy.read("data/reference.csv").lines().count(), 701);
        if done {
            return;
        }
    }
}

#[test]
fn two_rounds_at_once_are_one_after_the_other() {
    let work = poor("");
    let answers = std::thread::scope(|scope| {
        let run = || work.run(&format!("{NOW} --wait 120"));
        let others = [scope.spawn(run), scope.spawn(run)];
        others.map(|other| other.join().unwrap().value()["done"].as_str().unwrap().to_owned())
    });
    assert!(answers.contains(&"promoted".to_owned()) && answers.contains(&"no-reason".to_owned()), "{answers:?}");
    let lock = Workspace::new(work.path("")).lock().unwrap();
    work.run(&format!("{NOW} --wait 0"))
        .answers(ERROR)
        .says(&format!("another mlloop (process {}) is changing this loop", std::process::id()));
    drop(lock);
}
