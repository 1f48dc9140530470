//! `feedback`: corrections go in once and whole, become labels, and are counted.

use crate::support::{ERROR, Loop, NO, YES};
use mlloop::workspace::{EventKind, Workspace, audit::Event};
use sha2::{Digest, Sha256};

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// A loop with a version in production and a hundred logged predictions, of rows that it did not learn from.
fn logged() -> Loop {
    let (header, rows) = CHURN.split_once('\n').unwrap();
    let others: String = rows.lines().map(|line| format!("R{line}\n")).collect();
    let work = Loop::new().table("churn.csv", format!("{header}\n{others}"));
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    let rows: String = CHURN.lines().take(101).map(|line| format!("{line}\n")).collect();
    work.write("rows.csv", rows);
    work.run("predict rows.csv --log -o scored.csv --now 2026-11-02T00:00:00Z").answers(YES);
    work
}

/// What was predicted for the row.
fn prediction(work: &Loop, id: &str) -> String {
    let found = work.run(&format!("audit --for {id}")).answers(YES).value();
    found["predictions"][0]["prediction"].as_str().unwrap().to_owned()
}

fn other(class: &str) -> &str {
    if class == "yes" { "no" } else { "yes" }
}

const AT: &str = "--now 2026-11-03T10:00:00Z";

#[test]
fn a_correction_is_followed_from_prediction_to_label() {
    let work = logged();
    let predicted = prediction(&work, "0010004");
    let line =
        format!("feedback 0010004 incorrect --actual {} --by ann --comment 'moved house' {AT}", other(&predicted));
    work.run(&line).answers(YES).json("/n_new", 1).json("/labels/n_added", 1);
    work.run(&line).answers(NO).json("/n_unchanged", 1);
    work.run(&format!("feedback 0010005 correct --by bob {AT}")).answers(YES);
    work.run(&format!("feedback 0010006 uncertain {AT}")).answers(YES).json("/labels/n_added", 0);
    let found = work.run("audit show --for 0010004").answers(YES).value();
    assert_eq!(found["labels"][0]["label"], other(&predicted));
    assert_eq!(found["labels"][0]["used_in"].as_array().unwrap().len(), 0);
    assert_eq!(found["feedback"][0]["comment"], "moved house");
    work.run("audit --for 0010004 --text").answers(YES).prints("incorrect by ann of v0001").prints("not used yet");
    let stats = work.run("feedback").answers(YES).value();
    assert_eq!((&stats["total"], &stats["accuracy_rate"], &stats["unused"]), (&3.into(), &0.5.into(), &2.into()));
    assert_eq!(stats["by_version"][0]["name"], "v0001");
    assert_eq!(work.run("feedback --since 2026-11-04").answers(YES).value()["total"], 0);
    work.run("feedback --text").answers(YES).prints("2 became labels that no version was trained on yet");
    let narrow = work.run_with("feedback --text", &[("COLUMNS", "60")]).answers(YES).prints("accuracy").stdout;
    assert!(narrow.lines().all(|line| line.chars().count() <= 60) && !narrow.contains("corrected"), "{narrow}");
    work.run("audit verify").answers(YES).json("/lines", 4);
}

#[test]
fn people_who_disagree_in_feedback_are_settled_by_an_adjudicator() {
    let work = logged();
    for id in ["0010004", "0010005"] {
        let predicted = prediction(&work, id);
        work.run(&format!("feedback {id} correct --by ann {AT}")).answers(YES).json("/n_conflicts", 0);
        let wrong = format!("feedback {id} incorrect --actual {} --by bob {AT}", other(&predicted));
        work.run(&format!("{wrong} --json")).answers(YES).json("/n_conflicts", 1);
    }
    let listed = work.read("label_inbox/conflicts.csv");
    let (header, rows) = listed.split_once('\n').unwrap();
    let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split(',').collect()).collect();
    assert_eq!(header, "id,batch,reason,churn,annotator,note");
    assert!(rows.len() == 2 && rows[0][0] == "0010004" && rows[0][2].contains("ann: "), "{rows:?}");
    // Ann changes her mind about one: there is nothing to decide any more.
    let wrong = format!("--actual {} --by ann", other(&prediction(&work, "0010005")));
    work.run(&format!("feedback 0010005 incorrect {wrong} {AT}")).answers(YES);
    assert!(!work.read("label_inbox/conflicts.csv").contains("0010005"));
    work.write("label_inbox/conflicts.csv", format!("{header}\n0010004,,,yes,adjudicator,\n"));
    let said = work.run("label-import label_inbox/conflicts.csv").answers(YES).value();
    assert_eq!((&said["counts"]["added"], &said["n_conflicts"]), (&1.into(), &0.into()));
    assert!(!work.path("label_inbox/conflicts.csv").exists());
    let found = work.run("audit show --for 0010004").answers(YES).value();
    let says = |label: &serde_json::Value| label["annotator"] == "adjudicator" && label["label"] == "yes";
    assert!(found["labels"].as_array().unwrap().iter().any(says), "{found}");
    work.run("audit verify --deep").answers(YES);
}

#[test]
fn many_come_from_stdin_all_or_none() {
    let work = logged();
    let before = work.files();
    work.pipe("feedback -", "id,verdict\n0010001,correct\nnobody,correct\n")
        .answers(ERROR)
        .says("stdin: line 3: no logged prediction for \"nobody\"");
    work.pipe("feedback -", "{\"id\": \"0010001\", \"verdict\": \"incorrect\"}\n").answers(ERROR).says("stdin: line 1");
    work.run("feedback 0010001").answers(ERROR).says("give a verdict: correct, incorrect or uncertain");
    work.run("feedback 0010001 incorrect").answers(ERROR).says("0010001: incorrect needs the actual value");
    work.run("feedback 0010001 perhaps").answers(ERROR);
    work.run("feedback --actual yes").answers(ERROR);
    assert_eq!(work.files(), before);
    let lines: String = (0..50).map(|n| format!("00100{n:02},correct\n")).collect();
    let said = work.pipe(&format!("feedback - --by ann {AT}"), format!("id,verdict\n{lines}")).answers(YES);
    said.json("/n_new", 50).json("/labels/n_added", 50);
    assert_eq!(work.read("data/labels.csv").lines().count(), 51);
    Loop::new().run("feedback").answers(ERROR).says("no loop here");
}

#[test]
fn free_fields_are_counted_and_listed_by() {
    let work = logged();
    work.run(&format!("feedback 0010001 correct --by ann --field account=acme --field period=2026-10 {AT}"))
        .answers(YES);
    let lines = "{\"id\": \"0010002\", \"verdict\": \"correct\", \"account\": \"zeta\"}\n";
    work.pipe(&format!("feedback - --by bob {AT}"), lines).answers(YES);
    work.run("feedback --where account=acme").answers(YES).json("/total", 1).json("/unused", 1);
    work.run("feedback --where account=nobody").answers(YES).json("/total", 0);
    let listed = work.run("feedback list --where account=acme").answers(YES).value();
    assert_eq!((listed[0]["id"].as_str(), listed[0]["fields"]["period"].as_str()), (Some("0010001"), Some("2026-10")));
    assert!(listed[0]["used_since"].is_null() && listed.as_array().unwrap().len() == 1);
    let line = work.run("feedback list 0010002 --text").answers(YES).stdout;
    assert!(line.contains(" by bob, not used yet, account=zeta"), "{line}");
    work.run("feedback list 0010099").answers(NO).json("", serde_json::json!([]));
    work.run("retrain --force --now 2026-11-05T00:00:00Z").answers(YES);
    work.run("feedback list 0010001").answers(YES).json("/0/used_since", "v0002");
    for (line, says) in [
        ("feedback 0010003 corect", "\"corect\" is not a verdict: did you mean \"correct\"?"),
        ("feedback 0010003 correct --field by=ann", "\"by\" is reserved"),
        ("feedback 0010003 correct --field account", "--field account: write NAME=VALUE"),
        ("feedback 0010003 correct --where account=acme", "--where: only for counting or listing"),
        ("feedback --where coment=x", "did you mean \"comment\"?"),
    ] {
        work.run(line).answers(ERROR).says(says);
    }
}

#[test]
fn monitor_sees_what_was_served_and_what_people_said() {
    let work = logged();
    let scored = work.read("scored.csv");
    let answers: Vec<(String, String)> = scored
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[0].to_owned(), cells[9].to_owned())
        })
        .collect();
    // 60 of 80 predictions were wrong, people say.
    let said: String = answers[..80]
        .iter()
        .enumerate()
        .map(|(n, (id, class))| match n % 4 {
            0 => format!("{id},correct,\n"),
            _ => format!("{id},incorrect,{}\n", other(class)),
        })
        .collect();
    work.pipe(&format!("feedback - --by ann {AT}"), format!("id,verdict,actual\n{said}")).answers(YES);
    let report = work.run("monitor --formats json --force --now 2026-11-04T00:00:00Z").answers(YES).value();
    assert_eq!(report["performance"]["n"], 80);
    let accuracy =
        report["performance"]["metrics"].as_array().unwrap().iter().find(|m| m["name"] == "accuracy").unwrap();
    assert_eq!(accuracy["value"], 0.25);
    let trigger =
        |name: &str| report["triggers"].as_array().unwrap().iter().find(|t| t["name"] == name).unwrap().clone();
    let unused = trigger("unused_feedback");
    assert_eq!((&unused["value"], &unused["fired"]), (&80.0.into(), &true.into()));
    let recent = trigger("recent_accuracy");
    assert_eq!((&recent["value"], &recent["fired"]), (&0.25.into(), &true.into()));
    assert_eq!(recent["text"], "accuracy 25.0 % on 80 predictions that people checked");
    assert!(report["notes"].to_string().contains("80 logged predictions of production are labelled"));
    // Labels that a version has learned from are not unused.
    let labels = work.read("data/labels.csv");
    let used: String = labels
        .lines()
        .skip(1)
        .take(30)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{},{},{},\n", cells[0], cells[1], cells[2])
        })
        .collect();
    work.write("models/v0001/labels_used.csv", format!("id,label,annotator,batch\n{used}"));
    sealed_anew(&work, "v0001");
    let report = work.run("monitor --formats json --force --now 2026-11-04T00:00:00Z").answers(YES).value();
    let unused = report["triggers"].as_array().unwrap().iter().find(|t| t["name"] == "unused_feedback").unwrap();
    assert_eq!(unused["value"], 50.0);
}

#[test]
fn wherever_it_dies_repeating_completes_it() {
    let work = logged();
    work.run(&format!("feedback 0010000 correct {AT}")).answers(YES);
    let line = format!("feedback - --by ann {AT}");
    let stdin = "id,verdict,comment\n0010001,correct,\"two\nlines\"\n0010002,correct,\n";
    let whole = work.copy();
    whole.pipe(&line, stdin).answers(YES);
    let n = work.dies_everywhere(&line, stdin, |copy| {
        let said = copy.pipe(&line, stdin);
        assert!(said.stderr.is_empty(), "{}", said.stderr);
        for name in ["data/feedback.csv", "data/labels.csv"] {
            assert_eq!(copy.read(name), whole.read(name), "{name}");
        }
        copy.run("audit verify").answers(YES).json("/lines", 3);
        copy.run("feedback").answers(YES).json("/total", 3).json("/unused", 3);
        copy.pipe(&line, stdin).answers(NO);
    });
    assert!(n >= 9, "{n} points");
    for at in 1..=n {
        let copy = work.copy();
        copy.pipe_with(&line, stdin, &format!("full:{at}")).answers(ERROR);
        copy.run("audit verify").answers(YES);
        copy.pipe(&line, stdin);
        assert_eq!(copy.read("data/labels.csv"), whole.read("data/labels.csv"));
        copy.pipe(&line, stdin).answers(NO);
    }
}

/// What requests said while a round held the loop is taken in by the next change, whatever it is.
#[test]
fn wherever_it_dies_what_waits_is_taken_in_once() {
    let work = logged();
    let outcome = |id: &str, label: &str| {
        format!(
            "{{\"outcome\":{{\"id\":\"{id}\",\"label\":\"{label}\",\"annotator\":\"\",\"labelled_at\":\
             \"2026-11-03T09:00:00Z\",\"source\":\"outcome\",\"batch\":\"\",\"select_prob\":null,\
             \"model_version\":\"v0001\"}}}}\n"
        )
    };
    let said = |verdict: &str, label: &str, minute: u32| {
        format!(
            "{{\"feedback\":\"0010003,{verdict},{label},bob,2026-11-03T09:0{minute}:00Z,,v0001,yes,\
             2026-11-02T00:00:00Z,\"}}\n"
        )
    };
    let earlier = outcome("0010002", "no") + &said("correct", "yes", 1) + &outcome("0010001", "yes");
    let later =
        outcome("0010001", "no") + &said("incorrect", "no", 2) + &said("correct", "yes", 3) + "{\"outcome\":{\"id\"";
    work.write("runs/waiting.jsonl", earlier + &later);
    let line = format!("feedback 0010003 uncertain --by ann {AT}");
    let whole = work.copy();
    whole.run(&line).answers(YES);
    let labels = whole.read("data/labels.csv");
    let labels: Vec<&str> = labels.lines().skip(1).map(|line| line.split(",2026").next().unwrap()).collect();
    assert_eq!(labels, ["0010003,yes,bob", "0010002,no,", "0010001,no,"]);
    assert_eq!(whole.read("data/feedback.csv").lines().count(), 5);
    let n = work.dies_everywhere(&line, "", |copy| {
        copy.run(&line);
        for name in ["data/feedback.csv", "data/labels.csv"] {
            assert_eq!(copy.read(name), whole.read(name), "{name}");
        }
        assert!(!copy.path("runs/waiting.jsonl").exists() && !copy.path("runs/taking.jsonl").exists());
    });
    assert!(n >= 12, "{n} points");
}

#[test]
fn many_at_once_are_all_taken_in() {
    let work = logged();
    let work = &work;
    let ids: Vec<String> = (0..24).map(|i| format!("00100{:02}", i + 1)).collect();
    std::thread::scope(|scope| {
        for id in &ids {
            scope.spawn(move || work.run(&format!("feedback {id} correct --by ann --wait 60 {AT}")).answers(YES));
        }
    });
    work.run("feedback").answers(YES).json("/total", ids.len());
    work.run("audit verify").answers(YES);
}

/// As if the files of a version had been stored as they are now.
fn sealed_anew(work: &Loop, version: &str) {
    let dir = work.path("models").join(version);
    let digest = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let hash = Sha256::digest(std::fs::read(path).unwrap());
        (name, hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    };
    let files: std::collections::BTreeMap<String, String> =
        std::fs::read_dir(dir).unwrap().map(|entry| digest(entry.unwrap().path())).collect();
    let workspace = Workspace::new(work.path(""));
    let lock = workspace.lock().unwrap();
    let details = serde_json::json!({ "version": version, "files": files });
    let at = "2026-11-03T12:00:00Z".parse().unwrap();
    workspace.record(&lock, Event { at, event: EventKind::Trained, by: None, roles: None, details }).unwrap();
}
