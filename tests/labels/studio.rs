//! What Label Studio exports, in each of its forms, from the export of a batch to the labels.

use super::import::out;
use super::{DAY, last_event, records, truth};
use crate::support::{ERROR, Loop, NO, WAITING, YES};
use serde_json::{Value, json};

fn tasks(work: &Loop) -> Vec<Value> {
    serde_json::from_str(&work.read("label_inbox/to_label.json")).unwrap()
}

fn id_of(task: &Value) -> String {
    task["data"]["row_id"].as_str().unwrap().to_owned()
}

/// The tasks as a CSV export: `id` counts tasks, `label` holds the answers.
fn csv_of(tasks: &[Value], delimiter: u8, lead_time: &str, answer: impl Fn(&Value) -> String) -> String {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    let header = [
        "annotation_id",
        "annotator",
        "annotators",
        "batch",
        "created_at",
        "id",
        "label",
        "lead_time",
        "row",
        "row_id",
        "updated_at",
    ];
    writer.write_record(header).unwrap();
    for (task, n) in tasks.iter().zip(1..) {
        let data = &task["data"];
        let (n, row, at) = (format!("{n}"), data["row"].to_string(), "2026-11-21T08:00:00Z");
        let (batch, said) = (data["batch"].as_str().unwrap(), answer(task));
        writer
            .write_record([&n, "ann@example.org", "", batch, at, &n, &said, lead_time, &row, &id_of(task), at])
            .unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

/// The labels are those of the rows, and not those of the rows whose ids are the tasks' numbers.
fn all_true(work: &Loop, n: usize) {
    let rows = records(&work.read("data/labels.csv"));
    assert_eq!(rows.len(), n);
    assert_eq!(rows.iter().filter(|row| row["label"] != truth(&row["id"])).count(), 0);
    assert!(
        rows.iter().all(|row| row["labelled_at"] == "2026-11-21T08:00:00Z" && row["annotator"] == "ann@example.org")
    );
}

#[test]
fn tables_that_label_studio_exports_come_back() {
    for (name, delimiter) in [("export.csv", b','), ("export.tsv", b'\t')] {
        let work = out(60, "--format label-studio");
        work.write(name, csv_of(&tasks(&work), delimiter, "2.2", |task| truth(&id_of(task)).to_owned()));
        work.run(&format!("label-import {name} {DAY}")).answers(YES).json("/counts/added", 60);
        all_true(&work, 60);
        let again = work.run(&format!("label-import {name}")).answers(NO).value();
        assert_eq!(again["notes"], json!(["already imported as b20261120-100000"]));
        work.run(&format!("label-import {name} --text")).answers(NO).prints("already imported as b20261120-100000");
    }
}

#[test]
fn copies_of_predictions_are_held_back() {
    let work = out(60, "--format label-studio");
    let said = |task: &Value| task["predictions"][0]["result"][0]["value"]["choices"][0].as_str().unwrap().to_owned();
    let copied = |lead_time: Value, parent: Value| -> Value {
        let of = |mut task: Value| {
            let result = task["predictions"][0]["result"].clone();
            task["annotations"] = json!([{
                "id": 1, "completed_by": 1, "result": result, "was_cancelled": false, "lead_time": lead_time,
                "parent_prediction": parent, "updated_at": "2026-11-21T08:00:00Z",
            }]);
            task
        };
        tasks(&work).into_iter().map(of).collect()
    };
    let min = |task: Value| {
        let mut record = task["data"].clone();
        record["label"] = said(&task).into();
        record["annotator"] = 1.into();
        record
    };
    let of_min: Value = tasks(&work).into_iter().map(min).collect();
    for (text, reason) in [
        (copied(Value::Null, json!(501)).to_string(), "60 of 60 answers are copies of predictions"),
        (copied(json!(0), json!(501)).to_string(), "60 of 60 answers are copies of predictions"),
        (copied(Value::Null, Value::Null).to_string(), "all 60 answers equal production's"),
        (of_min.to_string(), "all 60 answers equal production's"),
        (csv_of(&tasks(&work), b',', "", said), "all 60 answers equal production's"),
    ] {
        work.write("export", &text);
        let held = work.run("label-import export").answers(WAITING).value();
        assert_eq!(held["guards"][0]["name"], "copied-predictions");
        let told = held["guards"][0]["text"].as_str().unwrap();
        assert!(told.starts_with(reason), "{told}");
        assert!(!work.path("data/labels.csv").exists());
        assert_eq!(last_event(&work)["event"], "labels-quarantined");
    }
    // A person who looked at each prediction gave answers; that all of them agree is still more than chance allows.
    work.write("export", copied(json!(3.5), json!(501)).to_string());
    let held = work.run("label-import export").answers(WAITING).value();
    let told = held["guards"][0]["text"].as_str().unwrap();
    assert!(
        told.starts_with("60 of 60 answers equal production's predictions, but its accuracy at the gate is at most"),
        "{told}"
    );
    work.run("label-import export --accept-batch").answers(YES).json("/counts/added", 60);
}

#[test]
fn one_answer_of_another_shape_stops_the_import_with_its_place() {
    let work = out(20, "--format label-studio");
    let mut records: Vec<Value> = tasks(&work)
        .into_iter()
        .map(|task| {
            let mut record = task["data"].clone();
            (record["label"], record["lead_time"]) = (truth(&id_of(&task)).into(), 2.5.into());
            record
        })
        .collect();
    records[7]["label"] = json!({ "choices": ["yes", "no"] });
    work.write("min.json", Value::from(records.clone()).to_string());
    work.run("label-import min.json")
        .answers(ERROR)
        .says("min.json: task 8, column \"label\": \"yes, no\" is more than one");
    records[7]["label"] = json!({ "choices": ["yes"] });
    work.write("min.json", Value::from(records).to_string());
    let taken = work.run("label-import min.json").answers(YES).json("/counts/added", 20).value();
    assert_eq!(taken["notes"], json!(["20 of 20 answers have no annotator; set one with --annotator NAME"]));
}

/// Label Studio writes an address into one export and the person's number into another.
#[test]
fn a_person_who_is_a_number_in_one_export_and_an_address_in_another_is_one() {
    for [first, second] in [["ann@example.org", "7"], ["7", "ann@example.org"]] {
        let work = out(60, "--format label-studio");
        let export = csv_of(&tasks(&work), b',', "2.2", |task| truth(&id_of(task)).to_owned());
        work.write("first.csv", export.replace("ann@example.org", first));
        work.run("label-import first.csv").answers(YES);
        work.write("second.csv", export.replace("ann@example.org", second));
        work.run("label-import second.csv").answers(NO).json("/notes/0", "already imported as b20261120-100000");
        let rows = records(&work.read("data/labels.csv"));
        assert_eq!((rows.len(), rows.iter().all(|row| row["annotator"] == first)), (60, true));
        // Answers of another time are those of somebody else.
        let other = export.replace("ann@example.org", "8").replace("2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z");
        work.write("third.csv", other);
        work.run("label-import third.csv");
        assert_eq!(records(&work.read("data/labels.csv")).len(), 120);
    }
}
