//! What is missing or was changed behind the loop, and what brings it back.

use super::{CHURN, lived_in, trained, with_another_digit};
use crate::support::{ERROR, Loop, NO, YES};
use serde_json::{Value, json};

#[test]
fn roles_that_were_changed_are_an_error_for_all_who_read_them_and_come_back_from_the_chain() {
    let work = lived_in();
    let roles: Value = serde_json::from_str(&work.read("models/roles.json")).unwrap();
    assert_eq!((&roles["production"], &roles["challenger"]), (&json!("v0001"), &json!("v0002")));
    for (role, version, told) in [
        ("production", json!("v0002"), "production is v0002 here and v0001 in line"),
        ("production", json!(null), "production is no version here and v0001 in line"),
        ("challenger", json!("v0001"), "challenger is v0001 here and v0002 in line"),
        ("previous", json!(["v0002"]), "previous versions differ"),
    ] {
        let copy = work.copy();
        let mut changed = roles.clone();
        changed[role] = version;
        copy.write("models/roles.json", changed.to_string());
        for line in ["status", "predict data/reference.csv", "monitor", "promote", "rollback", "train", "run"] {
            copy.run(line).answers(ERROR).says("models/roles.json").says(told);
        }
        assert_eq!(copy.read("models/roles.json"), changed.to_string());
        for line in ["audit verify --text", "audit verify --deep --text"] {
            copy.run(line).answers(NO).prints("does not agree with models/roles.json").prints(told);
        }
        assert!(copy.run("doctor").answers(NO).value().to_string().contains(told));
        std::fs::remove_file(copy.path("models/roles.json")).unwrap();
        copy.run("status").answers(YES).json("/production", "v0001").json("/challenger", "v0002");
        copy.run("audit verify --deep").answers(YES);
    }
}

#[test]
fn what_is_missing_is_seen_and_it_is_said_what_brings_it_back() {
    let work = lived_in();
    let kept = work.files().into_iter().find(|(path, _)| path.parent().unwrap().ends_with("runs/kept")).unwrap().0;
    let kept = kept.strip_prefix(work.path("")).unwrap().to_str().unwrap().to_owned();
    let batch = "label_inbox/imported/b20261104-000000/batch.json";
    work.run("audit verify --deep").answers(YES);
    let text = |copy: &Loop, file: &str| copy.read(file);
    type Change<'a> = &'a dyn Fn(&Loop, &str);
    let remove: Change = &|copy, file| match copy.path(file).is_dir() {
        true => std::fs::remove_dir_all(copy.path(file)).unwrap(),
        false => std::fs::remove_file(copy.path(file)).unwrap(),
    };
    let digit: Change = &|copy, file| copy.write(file, with_another_digit(&text(copy, file)));
    let cut: Change = &|copy, file| copy.write(file, "{");
    let append: Change = &|copy, file| {
        let bytes = [std::fs::read(copy.path(file)).unwrap(), b"more".to_vec()].concat();
        copy.write(file, bytes);
    };
    for (file, change, told) in [
        ("models/roles.json", remove, "the next command restores it"),
        ("models/v0001", remove, "restore it from a backup"),
        ("models/v0002", remove, "restore it from a backup"),
        (&kept, remove, "restore it from a backup"),
        (&kept, append, "does not match its SHA-256"),
        (batch, remove, "restore it from a backup"),
        (batch, digit, "restore it from a backup"),
        ("runs/feedback.json", cut, "the next `mlloop feedback` rewrites it"),
        ("runs/feedback.json", digit, "the next `mlloop feedback` rewrites it"),
    ] {
        let copy = work.copy();
        change(&copy, file);
        let deep = copy.run("audit verify --deep").answers(NO).value();
        let different = deep["files"]["different"].as_array().unwrap().clone();
        let found = different.iter().find(|one| one["file"] == file);
        assert!(found.is_some_and(|one| one["what"].as_str().unwrap().contains(told)), "{file}: {different:?}");
        let doctor = copy.run("doctor").answers(NO).value().to_string();
        assert!(doctor.contains(file), "{file}: {doctor}");
    }
    let copy = work.copy();
    remove(&copy, "models/roles.json");
    copy.run("status").answers(YES).says("models/roles.json was missing").json("/production", "v0001");
    assert_eq!(copy.read("models/roles.json"), work.read("models/roles.json"));
    copy.run("audit verify --deep").answers(YES);
}

#[test]
fn versions_that_were_pruned_are_not_missed() {
    let work = lived_in();
    let toml = work.read("mlloop.toml").replace("[promote]", "[promote]\nkeep_versions = 1");
    let toml =
        if toml.contains("keep_versions = 1") { toml } else { format!("{toml}\n[promote]\nkeep_versions = 1\n") };
    work.write("mlloop.toml", toml);
    for day in [10, 11, 12] {
        work.run(&format!("train --algorithm decision-tree --now 2026-11-{day}T00:00:00Z")).answers(YES);
        work.run(&format!("promote --override t --by ann --now 2026-11-{day}T01:00:00Z")).answers(YES);
    }
    assert!(work.read("audit.jsonl").contains("\"pruned\"") && !work.path("models/v0001").exists());
    work.run("audit verify --deep").answers(YES);
}

#[test]
fn a_file_that_a_version_never_had_is_not_read() {
    let work = trained();
    let labels = "id,label,annotator,batch\nC0001,yes,ann,\n";
    for (file, text, command) in [
        ("labels_used.csv", labels, "status"),
        ("labels_used.csv", labels, "retrain --force"),
        ("added.csv", CHURN, "retrain --force"),
    ] {
        let copy = work.copy();
        copy.write(&format!("models/v0001/{file}"), text);
        copy.run(command).answers(ERROR).says(file).says("was added after v0001 was stored");
    }
}
