//! `download --split`: reference and current.

use crate::download::CHURN;
use crate::support::{ERROR, Loop, NO, YES};
use std::collections::HashSet;

fn rows(text: &str) -> Vec<&str> {
    text.lines().skip(1).collect()
}

#[test]
fn a_hash_split_keeps_every_row_once_and_byte_by_byte() {
    let work = Loop::new().table("churn.csv", CHURN);
    let said =
        work.run("download churn.csv --split hash --reference 0.6").answers(YES).json("/split/column", "customer");
    let (reference, current) = (work.read("data/reference.csv"), work.read("data/current.csv"));
    assert_eq!(reference.lines().next(), CHURN.lines().next());
    assert_eq!(current.lines().next(), CHURN.lines().next());
    let (reference, current) = (rows(&reference), rows(&current));
    assert_eq!(said.value()["split"]["reference"], reference.len());
    assert_eq!(said.value()["split"]["current"], current.len());
    assert!((reference.len() as f64 / 1200.0 - 0.6).abs() < 0.05, "{}", reference.len());
    let mut all = [reference, current].concat();
    let mut expected = rows(CHURN);
    all.sort_unstable();
    expected.sort_unstable();
    assert_eq!(all, expected);
    // What is learned from the reference keeps its share of gate rows: the two splits know nothing of each other.
    work.run("init data/reference.csv").answers(YES);
    let version = work.run("train --algorithm decision-tree").answers(YES).value();
    let n = |part: &str| version["rows"][part].as_f64().unwrap();
    let share = n("gate") / (n("train") + n("tune") + n("gate"));
    assert!((share - 0.2).abs() < 0.05, "{share}");
}

#[test]
fn rows_of_a_key_stay_together() {
    let mut text = "card;amount;fraud\n".to_owned();
    for i in 0..3000 {
        text.push_str(&format!("c{};\"{};x\";{}\n", i % 200, i * 37 % 911, i % 2));
    }
    let work = Loop::new().table("pay.csv", text);
    work.run("download pay.csv --split hash --by card").answers(YES);
    let cards = |name: &str| {
        let text = work.read(name);
        rows(&text).iter().map(|row| row.split(';').next().unwrap().to_owned()).collect::<HashSet<_>>()
    };
    let (reference, current) = (cards("data/reference.csv"), cards("data/current.csv"));
    assert_eq!(reference.len() + current.len(), 200);
    assert!(reference.is_disjoint(&current) && current.len() > 30);
}

#[test]
fn a_time_split_cuts_at_a_moment() {
    let mut text = "at,amount,label\n".to_owned();
    // Newest first, three rows each day.
    for i in (0..300).rev() {
        text.push_str(&format!("2026-{:02}-{:02},{},{}\n", 1 + i / 3 / 25, 1 + i / 3 % 25, i * 7 % 100, i % 2));
    }
    let work = Loop::new().table("log.csv", &text);
    let said = work.run("download log.csv --split time --reference 0.75").answers(YES);
    assert_eq!(said.value()["split"]["cut"], "2026-04-01T00:00:00Z");
    assert_eq!(rows(&work.read("data/reference.csv")).len(), 225);
    assert!(rows(&work.read("data/reference.csv")).iter().all(|row| *row < "2026-03-26"));
    assert!(rows(&work.read("data/current.csv")).iter().all(|row| *row >= "2026-04-01"));
    // Numbers will do, and rows of one moment stay together.
    let steps: String = (0..100).map(|i| format!("{},{}\n", i / 10, i % 2)).collect();
    work.write("sim/steps.csv", format!("step,label\n{steps}"));
    let said = work.run("-C sim download sim/steps.csv --split time --by step --reference 0.55").answers(YES);
    assert_eq!(said.value()["split"]["cut"], "5");
    assert_eq!(said.value()["split"]["reference"], 50);
}

#[test]
fn what_cannot_be_split_is_told() {
    let work = Loop::new().table("churn.csv", CHURN).table("reference.csv", CHURN);
    let gaps = "at,x\n2026-01-01,1\n,2\n2026-01-03,3\n2026-01-04,4\n";
    work.write("gaps.csv", gaps);
    let before = work.files();
    for (line, sentence) in [
        ("download churn.csv --split time", "no column is a time"),
        ("download churn.csv --split time --by when", "there is no column \"when\"; the columns are customer"),
        ("download churn.csv --split hash --reference 1.5", "a share between 0 and 1"),
        ("download churn.csv --split thirds", "[possible values: time, hash]"),
        ("download churn.csv --split hash --table other.csv", "no single file \"other.csv\""),
        ("download reference.csv --split hash", "which --split writes"),
        ("download gaps.csv --split time", "1 rows have no time in \"at\""),
        ("download churn.csv --by customer", "--split"),
    ] {
        work.run(line).answers(ERROR).says(sentence);
    }
    assert_eq!(work.files(), before);
    let said =
        work.run("download gaps.csv --split time --skip-invalid").answers(YES).says("1 row of gaps.csv was left out");
    assert_eq!(said.value()["split"]["left_out"], 1);
}

#[test]
fn a_table_with_a_title_or_comments_is_split_as_it_is_told() {
    let body: String = (0..60).map(|i| format!("2026-01-{:02},{},{}\n", i % 28 + 1, i * 7 % 50, i % 2)).collect();
    for (name, before, option) in [
        ("title", "Extract of May\n\n", "--skip-lines 2"),
        ("comment", "# extract of May\n# by billing\n", "--comment #"),
    ] {
        let work = Loop::new().table("log.csv", format!("{before}at,amount,label\n{body}"));
        // What the message says to do can be done.
        let said = work.run("split log.csv").answers(ERROR);
        assert!(said.stderr.contains(&option.replace('#', "'#'")), "{name}: {}", said.stderr);
        for (command, status) in
            [(format!("split log.csv {option}"), YES), (format!("download log.csv --split time --force {option}"), NO)]
        {
            work.run(&command).answers(status);
            let (reference, current) = (work.read("data/reference.csv"), work.read("data/current.csv"));
            assert_eq!(reference.lines().next(), Some("at,amount,label"), "{name}");
            assert_eq!(rows(&reference).len() + rows(&current).len(), 60, "{name}");
        }
    }
}

#[test]
fn a_time_of_day_says_not_which_rows_are_earlier() {
    let body: String = (0..60).map(|i| format!("{}:{:02},{},{}\n", i % 24, i, i * 7 % 50, i % 2)).collect();
    let work = Loop::new().table("log.csv", format!("at,amount,label\n{body}"));
    work.run("split log.csv").answers(ERROR).says("no column is a time");
    work.run("split log.csv --by at").answers(ERROR).says("\"at\" is a time of day");
    assert!(!work.path("data/reference.csv").exists());
}

#[test]
fn an_id_is_on_one_side_however_it_is_written() {
    let split = |write: fn(u32) -> String| {
        let body: String = (0..400).map(|i| format!("{},{},{}\n", write(1_001 + 3 * i), i * 7 % 50, i % 2)).collect();
        let work = Loop::new().table("t.csv", format!("id,amount,label\n{body}"));
        work.run("split t.csv --how hash").answers(YES);
        rows(&work.read("data/reference.csv"))
            .iter()
            .map(|row| row.rsplit(',').nth(1).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let plain = split(|id| id.to_string());
    assert_eq!(split(|id| format!("{id}.0")), plain);
    assert_eq!(split(|id| format!("\"{},{:03}\"", id / 1000, id % 1000)), plain);
}
