//! `label-export` and `label-import`: what goes out, what comes back, and what neither a person nor a crash can break.

mod deaths;
mod disagreement;
mod export;
mod import;
mod names;
mod server;
mod studio;
mod tasks;
mod telco;

use crate::support::{Loop, YES};
use std::collections::BTreeMap;

pub const CHURN: &str = include_str!("../../fixtures/tables/churn.csv");
pub const DAY: &str = "--now 2026-11-20T10:00:00Z";

/// A loop with a version in production and 600 rows that arrived, the last 200 of them with a contract that is new.
pub fn trained() -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    let mut text = CHURN.lines().next().unwrap().to_owned() + "\n";
    for (row, line) in CHURN.lines().skip(1).take(600).enumerate() {
        let mut fields: Vec<&str> = line.split(',').collect();
        let id = format!("N{row:04}");
        fields[0] = &id;
        if row >= 400 {
            fields[1] = "weekly";
        }
        *fields.last_mut().unwrap() = "";
        text.push_str(&(fields.join(",") + "\n"));
    }
    work.write("data/current.csv", text);
    work
}

/// A table as a list of records by column name.
pub fn records(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|record| record.unwrap()).collect()
}

/// Another loop with the same files.
pub fn copy_of(work: &Loop) -> Loop {
    let copy = Loop::new();
    for (path, bytes) in work.files() {
        copy.write(path.strip_prefix(work.path("")).unwrap().to_str().unwrap(), bytes);
    }
    copy
}

/// What really became of the row that [`trained`] calls `id`.
pub fn truth(id: &str) -> &'static str {
    let row: usize = id[1..].parse().unwrap();
    CHURN.lines().nth(row + 1).unwrap().rsplit(',').next().unwrap()
}

/// The batch that is out, answered: each record is given to `answer`, which may change it.
pub fn answered(work: &Loop, mut answer: impl FnMut(&mut Vec<String>)) -> String {
    let text = work.read("label_inbox/to_label.csv");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (n, record) in reader.records().enumerate() {
        let mut cells: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
        if n > 0 {
            answer(&mut cells);
        }
        writer.write_record(&cells).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

/// The place of the target among the fields of a batch.
pub const TARGET: usize = 13;

/// Answers the batch that is out truthfully and puts it where it is looked for.
pub fn answer_truthfully(work: &Loop) {
    let text = answered(work, |cells| cells[TARGET] = truth(&cells[0]).to_owned());
    work.write("label_inbox/to_label_labeled.csv", text);
}

/// The last line of the audit chain.
pub fn last_event(work: &Loop) -> serde_json::Value {
    serde_json::from_str(work.read("audit.jsonl").lines().last().unwrap()).unwrap()
}
