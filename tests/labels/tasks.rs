//! Several classes, and numbers.

use super::{CHURN, DAY, answered, records};
use crate::support::{ERROR, Loop, YES};

/// A loop that predicts another column of the churn table, and a batch out of it.
fn out(target: &str, options: &str) -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run(&format!("init churn.csv --target {target}")).answers(YES);
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    let renamed: String = CHURN
        .lines()
        .enumerate()
        .map(|(n, line)| if n == 0 { format!("{line}\n") } else { format!("N{line}\n") })
        .collect();
    work.write("data/current.csv", renamed);
    work.run(&format!("label-export -n 150 {options} {DAY}")).answers(YES);
    work
}

fn place(work: &Loop, column: &str) -> usize {
    let text = work.read("label_inbox/to_label.csv");
    text.lines().next().unwrap().split(',').position(|name| name == column).unwrap()
}

#[test]
fn several_classes() {
    let work = out("internet", "--strategy entropy");
    let at = place(&work, "internet");
    let text = answered(&work, |cells| cells[at] = "Fibre".to_owned());
    work.write("back.csv", text);
    let said = work.run("label-import back.csv").answers(YES).value();
    assert_eq!(said["counts"]["added"], 150);
    assert!(records(&work.read("data/labels.csv")).iter().all(|row| row["label"] == "fibre"));
    let id = &records(&work.read("data/labels.csv"))[0]["id"];
    work.write("back.csv", format!("id,internet\n{id},cable\n"));
    work.run("label-import back.csv").answers(ERROR).says("\"dsl\", \"fibre\", \"none\"");
}

#[test]
fn numbers() {
    let work = out("total_charge", "");
    let rows = records(&work.read("label_inbox/to_label.csv"));
    assert!(rows.iter().all(|row| row["stratum"] != "uncertain"), "scores of numbers do not say how sure they are");
    let at = place(&work, "total_charge");
    let text = answered(&work, |cells| cells[at] = "12.50".to_owned());
    work.write("back.csv", text);
    let said = work.run("label-import back.csv").answers(YES).value();
    assert_eq!((&said["counts"]["added"], &said["accuracy"]), (&150.into(), &serde_json::Value::Null));
    assert_eq!(records(&work.read("data/labels.csv"))[0]["label"], "12.5");
    work.write("back.csv", format!("id,total_charge\n{},\"12,50\"\n", rows[0]["id"]));
    work.run("label-import back.csv").answers(ERROR).says("line 2, column \"total_charge\": \"12,50\" is not a number");
}
