//! `run --step`: a round in the pieces that a scheduler has tasks for.

use crate::run::{asking, poor};
use crate::support::{CANNOT_TELL, ERROR, Loop, NO, WAITING, YES};
use serde_json::Value;

const NOW: &str = "--now 2026-11-11T00:00:00Z";

fn step(work: &Loop, step: &str) -> (i32, Value) {
    let done = work.run(&format!("run --step {step} {NOW}"));
    (done.status(), done.value())
}

#[test]
fn the_steps_do_what_the_round_does() {
    let whole = poor("");
    let steps = whole.copy();
    whole.run(&format!("run {NOW}")).answers(YES).json("/done", "promoted");
    // Nothing is there to judge yet.
    assert_eq!(steps.copy().run(&format!("run --step promote {NOW}")).status(), NO);
    let (status, found) = step(&steps, "monitor");
    assert_eq!((status, &found["done"], &found["monitor"]["retrain"]), (YES, &"reason".into(), &"yes".into()));
    assert!(!steps.path("models/v0002").exists());
    let (status, found) = step(&steps, "retrain");
    assert_eq!((status, &found["done"], &found["production"]), (YES, &"challenger".into(), &"v0001".into()));
    // A task that is tried again trains nothing anew.
    assert_eq!(step(&steps, "retrain").0, YES);
    assert!(!steps.path("models/v0003").exists());
    let (status, found) = step(&steps, "promote");
    assert_eq!((status, &found["done"], &found["production"]), (YES, &"promoted".into(), &"v0002".into()));
    for file in ["models/roles.json", "data/reference.csv", "models/v0002/model.bin", "models/v0002/pipeline.json"] {
        assert!(std::fs::read(whole.path(file)).unwrap() == std::fs::read(steps.path(file)).unwrap(), "{file}");
    }
    assert_eq!(step(&steps, "monitor").0, NO);
    // A task that is tried again finds it done.
    assert_eq!(step(&steps, "promote").0, YES);
    // What starves says so: nothing is new, and too few labels.
    assert_eq!(step(&steps, "retrain").0, NO);
    let few = poor("\n[retrain]\nmin_new_labels = 500\n");
    let (status, found) = step(&few, "retrain");
    assert_eq!((status, &found["done"]), (CANNOT_TELL, &"too-few".into()));
    few.run("run --step retrain --force").answers(YES);
    few.run("run --step train").answers(ERROR).says("[possible values: monitor, retrain, promote]");
}

#[test]
fn a_step_asks_the_person_whom_the_round_asks() {
    let work = asking();
    let (status, found) = step(&work, "retrain");
    assert_eq!((status, &found["request"]["asks"]), (WAITING, &"retraining".into()));
    let sentence = found["request"]["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("A challenger was requested. A challenger would be trained: 600 rows"), "{sentence}");
    assert!(!work.path("models/v0002").exists());
    let id = found["request"]["id"].as_str().unwrap();
    assert_eq!(step(&work, "retrain").1["request"]["id"], id, "asked once");
    // Who agrees to a step agrees to that step.
    let agreed = work.copy();
    agreed.run(&format!("run --step retrain --yes --by ann {NOW}")).answers(YES).json("/done", "challenger");
    agreed.run("status").json("/production", "v0001").json("/challenger", "v0002");
    agreed.run(&format!("run --step promote {NOW}")).answers(YES).json("/production", "v0002");

    let work = poor("");
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml.replace("approval = \"auto\"", "approval = \"manual\""));
    assert_eq!(step(&work, "retrain").0, YES);
    let (status, found) = step(&work, "promote");
    assert_eq!((status, &found["request"]["asks"]), (WAITING, &"promotion".into()));
    for name in ["retrain", "promote"] {
        let (status, again) = step(&work, name);
        assert_eq!((status, &again["request"]["id"]), (WAITING, &found["request"]["id"]), "{name}");
    }
}

/// The verb `promote` ends an experiment; a scheduler's step must not.
#[test]
fn a_step_promotes_nothing_while_an_experiment_runs() {
    let work = poor("");
    assert_eq!(step(&work, "retrain").0, YES);
    work.run(&format!("ab-start --planned-n 4000 --label-window 1d {NOW}")).answers(YES);
    let (status, found) = step(&work, "promote");
    assert_eq!((status, &found["done"], &found["production"]), (NO, &"experiment".into(), &"v0001".into()));
}
