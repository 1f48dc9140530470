//! A file of a loop that is not what was stored is named, and answers nothing.

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
            said.says(&file).says("is not what was stored as v0001");
        }
        let deep = copy.run("audit verify --deep").answers(NO).json("/whole", true).value();
        assert_eq!(deep["files"]["different"], json!([{ "file": file, "what": "is not what was stored" }]));
        copy.run("audit verify").answers(YES);
    }
}

#[test]
fn a_deep_look_covers_what_is_gone_what_was_added_the_labels_and_the_reference() {
    let work = trained();
    let deep = work.run("audit verify --deep").answers(YES).value();
    assert_eq!(deep["files"], json!({ "versions": ["v0001"], "unsealed": [], "different": [] }));
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
    assert_eq!(labels, "data/labels.csv was changed since line 2 (feedback)");
    let reference = found(&|copy| copy.write("churn.csv", with_another_digit(CHURN)));
    assert_eq!(reference, "churn.csv was changed since line 1 (trained)");
    let gone = found(&|copy| std::fs::remove_file(copy.path("models/v0001/scores.json")).unwrap());
    assert_eq!(gone, "models/v0001/scores.json is gone");
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
