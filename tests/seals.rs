//! A file of a loop that was changed is named, and answers nothing.

mod missing;

use crate::support::{ERROR, Loop, NO, YES};
use serde_json::json;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

fn trained() -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    work
}

/// The text with its last digit replaced by another one.
fn with_another_digit(text: &str) -> String {
    let at = text.rfind(|c: char| c.is_ascii_digit()).unwrap();
    let other = if text.as_bytes()[at] == b'1' { "2" } else { "1" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

#[test]
fn one_changed_digit_in_any_file_of_a_version_is_an_error_that_names_the_file() {
    let work = trained();
    let files = work.files().into_iter().filter(|(path, _)| path.parent().unwrap().ends_with("v0001"));
    let names: Vec<String> = files.map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let (file, copy) = (format!("models/v0001/{name}"), work.copy());
        let mut bytes = std::fs::read(work.path(&file)).unwrap();
        match name.ends_with(".bin") {
            true => *bytes.last_mut().unwrap() ^= 1,
            false => bytes = with_another_digit(std::str::from_utf8(&bytes).unwrap()).into_bytes(),
        }
        copy.write(&file, bytes);
        let command = match name.as_str() {
            "manifest.json" => "status",
            "profile.json" | "scores.json" => "monitor churn.csv",
            // Nothing is computed from these: the deep look covers them.
            "importance.svg"
            | "classification_report.txt"
            | "confusion_matrix.csv"
            | "curves.csv"
            | "learned_ids.bin" => "",
            _ => "predict churn.csv",
        };
        if !command.is_empty() {
            let said = copy.run(command).answers(ERROR);
            said.says(&file).says("was changed after v0001");
        }
        let deep = copy.run("audit verify --deep").answers(NO).json("/whole", true).value();
        assert_eq!(deep["files"]["different"], json!([{ "file": file, "what": "was changed" }]));
        copy.run("audit verify").answers(YES);
    }
}

#[test]
fn a_deep_look_covers_what_is_gone_what_was_added_the_labels_and_the_reference() {
    let work = trained();
    let deep = work.run("audit verify --deep").answers(YES).value();
    assert_eq!(deep["files"], json!({ "versions": ["v0001"], "unsealed": [], "different": [], "not_here": [] }));
    work.run("audit verify --deep --text").answers(YES).prints("the files of 1 versions, the labels and the reference");
    work.run("predict churn.csv --log -o scored.csv").answers(YES);
    let id = CHURN.lines().nth(1).unwrap().split(',').next().unwrap();
    work.run(&format!("feedback {id} correct --by ann")).answers(YES);
    work.run("audit verify --deep").answers(YES);
    let found = |change: &dyn Fn(&Loop)| {
        let copy = work.copy();
        change(&copy);
        let deep = copy.run("audit verify --deep").answers(NO).value();
        let different = deep["files"]["different"].as_array().unwrap().clone();
        assert_eq!(different.len(), 1, "{different:?}");
        format!("{} {}", different[0]["file"].as_str().unwrap(), different[0]["what"].as_str().unwrap())
    };
    let labels = found(&|copy| copy.write("data/labels.csv", work.read("data/labels.csv").replace(",ann,", ",eve,")));
    assert_eq!(labels, "data/labels.csv was changed after line 2 (feedback)");
    let reference = found(&|copy| copy.write("churn.csv", with_another_digit(CHURN)));
    assert_eq!(reference, "churn.csv was changed after line 1 (trained)");
    let gone = found(&|copy| std::fs::remove_file(copy.path("models/v0001/scores.json")).unwrap());
    assert_eq!(gone, "models/v0001/scores.json is missing");
    let more = found(&|copy| copy.write("models/v0001/other.json", "{}"));
    assert_eq!(more, "models/v0001/other.json was added later");
}

#[test]
fn lines_of_feedback_that_nobody_announced_are_refused() {
    let work = trained();
    work.run("predict churn.csv --log -o scored.csv").answers(YES);
    let ids: Vec<&str> = CHURN.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    work.run(&format!("feedback {} correct --by ann", ids[0])).answers(YES);
    let text = work.read("data/feedback.csv");
    let planted = text.lines().nth(1).unwrap().replace(ids[0], ids[1]).replace(",ann,", ",eve,");
    work.write("data/feedback.csv", format!("{text}{planted}\n"));
    let labels = work.read("data/labels.csv");
    let said = work.run(&format!("feedback {} correct --by ann", ids[2])).answers(ERROR);
    said.says("data/feedback.csv").says(ids[1]).says("were not written by `mlloop feedback`");
    assert_eq!(work.read("data/labels.csv"), labels);
}

#[test]
fn what_nobody_recorded_is_neither_learned_from_nor_written_over() {
    let work = trained();
    work.run("predict churn.csv --log -o scored.csv").answers(YES);
    let ids: Vec<&str> = CHURN.lines().skip(1).take(40).map(|line| line.split(',').next().unwrap()).collect();
    for id in &ids[..3] {
        work.run(&format!("feedback {id} correct --by ann")).answers(YES);
    }
    work.run("label-export -n 5 --strategy random").answers(YES);
    let learners = ["retrain --force", "run --force"];
    let writers =
        [&*format!("feedback {} correct --by bea", ids[4]), "predict churn.csv --log --outcomes -o again.csv"];
    let labels = work.read("data/labels.csv");
    let (header, first) = (labels.lines().next().unwrap(), labels.lines().nth(1).unwrap());
    let flipped = if first.contains(",yes,") { first.replace(",yes,", ",no,") } else { first.replace(",no,", ",yes,") };
    assert_ne!(flipped, first);
    for (change, told) in [
        (Some(labels.replace(first, &flipped)), "data/labels.csv was changed after line"),
        (Some(format!("{header}\n")), "data/labels.csv was changed after line"),
        (None, "data/labels.csv is missing"),
    ] {
        for command in learners.iter().chain(&writers) {
            let copy = work.copy();
            match &change {
                Some(text) => copy.write("data/labels.csv", text),
                None => std::fs::remove_file(copy.path("data/labels.csv")).unwrap(),
            }
            let chain = copy.read("audit.jsonl");
            copy.run(command).answers(ERROR).says(told).says("mlloop audit accept data/labels.csv --by");
            assert_eq!(copy.read("audit.jsonl"), chain, "{command}");
            assert_eq!(copy.read("data/feedback.csv"), work.read("data/feedback.csv"), "{command}");
        }
    }
    // An edit by hand that somebody stands for is one more line of the chain.
    let copy = work.copy();
    copy.write("data/labels.csv", labels.replace(first, &flipped));
    copy.run("audit accept data/labels.csv --by ann").answers(YES);
    copy.run("audit accept data/labels.csv --by ann").answers(NO);
    copy.run("audit verify --deep").answers(YES);
    copy.run("audit --text")
        .answers(YES)
        .prints("data/labels.csv was accepted as it is, although it was changed after line");
    copy.run(writers[0]).answers(YES);
    copy.run("retrain --force").answers(YES);
    let torn = work.copy();
    torn.write("data/labels.csv", labels.replace(",ann,", ",ann"));
    torn.run("audit accept data/labels.csv --by ann").answers(ERROR).says("data/labels.csv: line 2");
    copy.run("audit accept mlloop.toml --by ann")
        .answers(ERROR)
        .says("data/feedback.csv and churn.csv can be accepted");
}

#[test]
fn feedback_that_was_changed_or_planted_is_named_by_all_who_look() {
    let work = trained();
    work.run("predict churn.csv --log -o scored.csv").answers(YES);
    let ids: Vec<&str> = CHURN.lines().skip(1).take(9).map(|line| line.split(',').next().unwrap()).collect();
    for id in &ids[..3] {
        work.run(&format!("feedback {id} correct --by ann")).answers(YES);
    }
    let feedback = work.read("data/feedback.csv");
    let last = feedback.lines().last().unwrap();
    let planted = format!("{feedback}{}\n", last.replacen(ids[2], ids[5], 1).replace(",ann,", ",eve,"));
    for (text, told) in
        [(feedback.replace(",ann,", ",eve,"), "was changed after line"), (planted, "were not written by")]
    {
        let copy = work.copy();
        copy.write("data/feedback.csv", &text);
        copy.run(&format!("feedback {} correct --by bea", ids[4])).answers(ERROR).says("data/feedback.csv").says(told);
        copy.run("feedback").answers(YES).says("note: ").says(told);
        copy.run("audit verify --deep").answers(NO).prints("data/feedback.csv");
        copy.run("doctor").answers(NO).prints("data/feedback.csv");
        copy.run("audit accept data/feedback.csv --by ann").answers(YES);
        copy.run(&format!("feedback {} correct --by bea", ids[4])).answers(YES);
        copy.run("audit verify --deep").answers(YES);
    }
    work.run("audit accept data/feedback.csv --by ann").answers(NO);
}

#[test]
fn a_file_that_was_removed_is_accepted_once_and_stays_away() {
    let work = trained();
    work.run("predict churn.csv --log -o scored.csv").answers(YES);
    let ids: Vec<&str> = CHURN.lines().skip(1).take(9).map(|line| line.split(',').next().unwrap()).collect();
    for id in &ids[..3] {
        work.run(&format!("feedback {id} correct --by ann")).answers(YES);
    }
    for file in ["data/labels.csv", "data/feedback.csv"] {
        let copy = work.copy();
        let before = copy.read(file);
        let (elsewhere, other) = (tempfile::tempdir().unwrap(), Loop::new());
        let place = elsewhere.path().join("place").display().to_string();
        copy.run(&format!("push {place} --data")).answers(YES);
        std::fs::remove_file(copy.path(file)).unwrap();
        copy.run("audit verify --deep").answers(NO).prints("is missing; line");
        copy.run(&format!("audit accept {file} --by ann")).answers(YES);
        let chain = copy.read("audit.jsonl");
        copy.run(&format!("audit accept {file} --by ann")).answers(NO).json("/accepted", false);
        assert_eq!(copy.read("audit.jsonl"), chain);
        copy.run("audit verify --deep").answers(YES);
        copy.run("doctor").answers(YES);
        // Another loop that takes it over does not get the file back.
        copy.run(&format!("push {place} --data")).answers(YES);
        other.run(&format!("pull {place} --data")).answers(YES);
        assert!(!other.path(file).exists(), "{file}");
        other.run("audit verify --deep").answers(YES);
        // Who puts it back again changes it.
        copy.write(file, &before);
        copy.run("audit verify --deep").answers(NO).prints("was added after line");
        let correction = format!("feedback {} correct --by bea", ids[4]);
        copy.run(&correction).answers(ERROR).says(&format!("{file} was added after line"));
        std::fs::remove_file(copy.path(file)).unwrap();
        // What people say from now on is taken in, and is all that there is.
        copy.run(&correction).answers(YES);
        let n_rows = |name: &str| copy.read(name).lines().count() - 1;
        let expected = if file == "data/labels.csv" { (1, 4) } else { (4, 1) };
        assert_eq!((n_rows("data/labels.csv"), n_rows("data/feedback.csv")), expected, "{file}");
        copy.run("audit verify --deep").answers(YES);
        copy.run("retrain --force").answers(YES);
        copy.run("audit replay v0002").answers(YES);
    }
    // A loop cannot do without its reference.
    let chain = work.read("audit.jsonl");
    std::fs::remove_file(work.path("churn.csv")).unwrap();
    work.run("audit accept churn.csv --by ann").answers(ERROR).says("churn.csv is missing").says("restore it");
    assert_eq!(work.read("audit.jsonl"), chain);
}

#[test]
fn a_pipe_or_a_device_in_the_place_of_a_file_of_the_loop_is_an_error_at_once() {
    let work = trained();
    work.run("predict churn.csv --log -o scored.csv").answers(YES);
    let id = CHURN.lines().nth(1).unwrap().split(',').next().unwrap();
    work.run(&format!("feedback {id} correct --by ann")).answers(YES);
    work.run("monitor churn.csv");
    let own = work.files().into_iter().map(|(path, _)| path);
    let own = own.map(|path| path.strip_prefix(work.path("")).map_or(path.clone(), std::path::Path::to_path_buf));
    let mut n = 0;
    for file in own.filter(|path| !path.starts_with("reports") && path.to_str() != Some("scored.csv")) {
        let copy = work.copy();
        std::fs::remove_file(copy.path(&file)).unwrap();
        match n % 2 {
            0 => assert!(std::process::Command::new("mkfifo").arg(copy.path(&file)).status().unwrap().success()),
            _ => std::os::unix::fs::symlink("/dev/zero", copy.path(&file)).unwrap(),
        }
        n += 1;
        // They end; what they answer depends on what they read.
        for command in ["status", "doctor", "audit verify --deep", "predict fresh.csv"] {
            copy.run_within(20, command);
        }
    }
    assert!(n > 10, "{n}");
    let copy = work.copy();
    assert!(std::process::Command::new("mkfifo").arg(copy.path(".mlloop.lock.new")).status().unwrap().success());
    std::fs::rename(copy.path(".mlloop.lock.new"), copy.path(".mlloop.lock")).unwrap();
    copy.run(&format!("feedback {id} correct --by bea --wait 1")).answers(ERROR).says("is a pipe");
}

#[test]
fn an_altered_experiment_is_seen_and_what_a_limit_or_a_full_stdout_stops_is_said() {
    let work = trained();
    work.run("train --algorithm random-forest --set model.n_estimators=5").answers(YES);
    work.run("ab-start --name e --a v0001 --b v0002 --by ann").answers(YES);
    work.run("audit verify --deep").answers(YES);
    let experiment = work.read("ab.json");
    for (old, new) in [("v0002", "v0001"), ("0.5", "0.9"), ("\"e\"", "\"f\"")] {
        let copy = work.copy();
        assert!(experiment.contains(old), "{experiment}");
        copy.write("ab.json", experiment.replace(old, new));
        copy.run("audit verify --deep").answers(NO).prints("ab.json");
        assert!(!copy.run("doctor").is(YES));
    }
    let shell = |line: &str| {
        let out = std::process::Command::new("bash").args(["-c", line]).current_dir(work.path("")).output().unwrap();
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    let mlloop = env!("CARGO_BIN_EXE_mlloop");
    let (status, said) = shell(&format!("ulimit -f 1; {mlloop} monitor churn.csv --reference churn.csv"));
    assert!(status == Some(2) && said.contains("too large"), "{status:?} {said}");
    let (status, said) = shell(&format!("{mlloop} ab-stop --by ann > /dev/full"));
    assert!(status == Some(2) && said.contains("of audit.jsonl was written, so the change is recorded"), "{said}");
    assert!(work.run("audit").stdout.contains("ab-stopped"));
    for name in ["''", "' '", "'an\u{200b}n'"] {
        work.run(&format!("approve v0002 --by {name}")).answers(ERROR).says("--by");
    }
}

/// A loop with two versions, a batch that came back, feedback and logged predictions.
fn lived_in() -> Loop {
    let work = trained();
    work.run("train --algorithm decision-tree --now 2026-11-02T00:00:00Z").answers(YES);
    work.run("predict churn.csv --log -o scored.csv --now 2026-11-03T00:00:00Z").answers(YES);
    work.run("label-export -n 5 --strategy random --now 2026-11-04T00:00:00Z").answers(YES);
    let sheet = work.read("label_inbox/to_label.csv");
    let ids: Vec<&str> = sheet.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    let answers: String = ids.iter().map(|id| format!("{id},yes\n")).collect();
    work.write("back.csv", format!("id,churn\n{answers}"));
    work.run("label-import back.csv --annotator ann --accept-batch --now 2026-11-05T00:00:00Z").answers(YES);
    let id = CHURN.lines().nth(1).unwrap().split(',').next().unwrap();
    work.run(&format!("feedback {id} correct --by ann --now 2026-11-06T00:00:00Z")).answers(YES);
    work
}

#[test]
fn lines_of_the_log_that_cannot_be_read_are_said() {
    let work = lived_in();
    let log = "predictions/2026-11-03.csv";
    let lines: Vec<String> = work.read(log).lines().map(str::to_owned).collect();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let (copy, mut lines) = (work.copy(), lines.clone());
        change(&mut lines);
        copy.write(log, lines.join("\n") + "\n");
        copy
    };
    let damaged = |copy: &Loop, told: &str| {
        let deep = copy.run("audit verify --deep").answers(NO).value()["files"]["different"].to_string();
        assert!(deep.contains(log) && deep.contains(told), "{deep}");
        let doctor = copy.run("doctor").answers(NO).value().to_string();
        assert!(doctor.contains(log) && doctor.contains(told), "{doctor}");
    };
    let id = lines[4].split(',').next().unwrap().to_owned();
    let garbage = with(&|lines| lines[4] = "garbage".to_owned());
    let time = with(&|lines| lines[4] = lines[4].replacen("00:00:00Z", "00:00:00Zx", 1));
    for copy in [&garbage, &time] {
        damaged(copy, "has 1 unreadable lines");
        let notes = |command: &str| copy.run(command).value()["notes"].to_string();
        for command in ["monitor", "label-export -n 5 --strategy random", "retrain --force --dry-run"] {
            let notes = notes(command);
            assert!(notes.contains("1 unreadable line of the prediction log is left out"), "{command}: {notes}");
            assert!(notes.contains(log) && notes.contains("line 5"), "{command}: {notes}");
        }
        copy.run(&format!("feedback {id} correct --by ann"))
            .answers(ERROR)
            .says("1 unreadable line of the prediction log");
    }
    let header = with(&|lines| lines[0] = lines[0].replacen("id", "ix", 1));
    damaged(&header, "missing column");
    for command in ["monitor", "label-export -n 5", "retrain --force"] {
        let said = header.run(command).answers(ERROR).says(log).says("restore the file from a backup");
        assert!(!said.stderr.contains("mlloop.toml"), "{command}: {}", said.stderr);
    }
}
