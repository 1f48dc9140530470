//! Several people: those who disagree, and those who send their parts one after the other.

use super::import::{BACK, labels, out};
use super::{DAY, TARGET, answer_truthfully, answered, records, truth};
use crate::support::{ERROR, NO, WAITING, YES};
use serde_json::json;

#[test]
fn those_who_disagree_are_told_and_an_adjudicator_decides() {
    let work = out(60, "--annotators ann,bob --overlap 0.5");
    let mut n = 0;
    let text = answered(&work, |cells| {
        let (id, who) = (cells[0].clone(), cells[TARGET + 1].clone());
        cells[TARGET] = truth(&id).to_owned();
        if who == "bob" && n < 4 {
            cells[TARGET] = if truth(&id) == "yes" { "no" } else { "yes" }.to_owned();
            n += 1;
        }
    });
    work.write(BACK, text);
    let said = work.run(&format!("label-import {DAY}")).answers(YES).value();
    assert_eq!(said["counts"]["added"], 90);
    assert_eq!(said["agreement"]["n_rows"], 30);
    let (alpha, pair) = (said["agreement"]["alpha"].as_f64().unwrap(), &said["agreement"]["pairs"][0]);
    assert_eq!((&pair["annotators"], &pair["n_rows"]), (&json!(["ann", "bob"]), &30.into()));
    assert!(alpha < 1.0 && (alpha - pair["kappa"].as_f64().unwrap()).abs() < 0.05, "{alpha} {pair}");
    let conflicts = said["n_conflicts"].as_u64().unwrap() as usize;
    assert!((1..=4).contains(&conflicts), "{conflicts}");
    let listed = work.read("label_inbox/conflicts.csv");
    let rows = records(&listed);
    assert_eq!(rows.len(), conflicts);
    assert!(
        rows[0]["reason"].contains("ann: ")
            && rows[0]["reason"].contains("; bob: ")
            && rows[0]["annotator"] == "adjudicator"
    );
    let header = listed.lines().next().unwrap();
    let decided: String = rows
        .iter()
        .map(|row| format!("{},{},,{},adjudicator,\n", row["id"], row["batch"], truth(&row["id"])))
        .collect();
    // One is decided, and the others are still listed; the answers stand in the kept file as they came.
    if conflicts > 1 {
        let one = decided.lines().next().unwrap();
        let open: String = listed.lines().skip(2).map(|line| format!("{line}\n")).collect();
        work.write("label_inbox/conflicts.csv", format!("{header}\n{one}\n{open}"));
        let said = work.run("label-import label_inbox/conflicts.csv").answers(YES).value();
        assert_eq!((&said["counts"]["added"], &said["n_conflicts"]), (&1.into(), &(conflicts - 1).into()));
        let left = work.read("label_inbox/conflicts.csv");
        assert_eq!(left, format!("{header}\n{open}"));
        let line = work.read("audit.jsonl").lines().last().unwrap().to_owned();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["details"]["kept"], line["details"]["sha256"], "{line}");
    }
    work.write("label_inbox/conflicts.csv", format!("{header}\n{decided}"));
    let said = work.run("label-import label_inbox/conflicts.csv").answers(YES).value();
    assert_eq!(
        (&said["counts"]["added"], &said["n_conflicts"]),
        (&(conflicts - usize::from(conflicts > 1)).into(), &0.into())
    );
    assert!(!work.path("label_inbox/conflicts.csv").exists());
    for policy in ["majority", "drop"] {
        work.run(&format!("label-import --policy {policy}")).answers(NO);
    }
    work.run("label-import --policy loudest").answers(ERROR).says("[possible values: adjudicate, majority, drop]");
}

#[test]
fn one_of_several_with_most_answers_holds_a_batch_back() {
    let work = out(90, "");
    let mut n = 0;
    let text = answered(&work, |cells| {
        cells[TARGET] = truth(&cells[0]).to_owned();
        cells[TARGET + 1] = if n < 50 { "eve" } else { ["ann", "bob"][n % 2] }.to_owned();
        n += 1;
    });
    work.write(BACK, text);
    let said = work.run("label-import").answers(WAITING).value();
    assert_eq!(said["guards"][0]["text"], "eve gave 50 of 90 answers, 56 %, although 3 people answered");
}

#[test]
fn people_may_send_their_parts_one_after_the_other() {
    let work = out(60, "--annotators ann,bob");
    answer_truthfully(&work);
    let text = work.read(BACK);
    let part = |who: &str| {
        let rows = text.lines().enumerate().filter(|(n, line)| *n == 0 || line.contains(&format!(",{who},")));
        rows.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    std::fs::remove_file(work.path(BACK)).unwrap();
    work.write("ann.csv", part("ann"));
    work.write("bob.csv", part("bob"));
    work.run("label-import ann.csv").answers(YES).json("/counts/added", 30);
    work.run("label-import bob.csv").answers(YES).json("/counts/added", 30);
    work.run("label-import ann.csv").answers(NO);
    assert_eq!(labels(&work).len(), 60);
}
