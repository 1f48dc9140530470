//! In whose name answers come back: rows that were dealt are answered by those who were asked, and nobody speaks for others.

use super::import::{BACK, labels, out};
use super::{DAY, TARGET, answered, copy_of, last_event, records, truth};
use crate::support::{ERROR, Loop, NO, WAITING, YES};

const BATCH: &str = "b20261120-100000";

fn turned(label: &str) -> &'static str {
    if label == "yes" { "no" } else { "yes" }
}

/// Two batches: the first answered by ann, whose rows are given; the second dealt to bob, out.
fn two_batches(dealt: &str) -> (Loop, Vec<String>) {
    let work = out(20, dealt);
    let text = answered(&work, |cells| {
        cells[TARGET] = truth(&cells[0]).to_owned();
        cells[TARGET + 1] = "ann".to_owned();
    });
    work.write(BACK, &text);
    work.run(&format!("label-import {DAY}")).answers(YES);
    let ids = records(&text).into_iter().map(|mut row| row.remove("id").unwrap()).collect();
    work.run("label-export -n 20 --seed 5 --annotators bob --now 2026-11-21T10:00:00Z").answers(YES);
    (work, ids)
}

#[test]
fn a_returned_sheet_neither_turns_labels_of_others_nor_speaks_for_them() {
    for dealt in ["--annotators ann", ""] {
        let (work, ids) = two_batches(dealt);
        let honest = answered(&work, |cells| cells[TARGET] = truth(&cells[0]).to_owned());
        let (before, id) = (work.read("data/labels.csv"), &ids[0]);
        // A line of the batch before, in ann's name, with the label turned round.
        let header = honest.lines().next().unwrap();
        let n_fields = header.split(',').count();
        let mut line = vec![""; n_fields];
        (line[0], line[1], line[TARGET], line[TARGET + 1]) = (id, BATCH, turned(truth(id)), "ann");
        work.write(BACK, format!("{honest}{}\n", line.join(",")));
        let held = work.run("label-import").answers(WAITING).value();
        assert_eq!(held["guards"][0]["name"], "changed-labels", "{dealt}: {held}");
        assert_eq!(work.read("data/labels.csv"), before, "{dealt}");
        assert_eq!(last_event(&work)["event"], "labels-quarantined");
        let as_other = |name: &str| answered_by(&work, name);
        for (text, guard) in [
            (as_other("adjudicator"), "adjudicator"),
            (as_other(" Adjudicator"), "adjudicator"),
            (as_other("ann"), "asked-of-others"),
            (as_other("eve@example.org"), "asked-of-others"),
            (as_other(""), "asked-of-others"),
        ] {
            work.write(BACK, text);
            let held = work.run("label-import").answers(WAITING).value();
            assert_eq!((&held["guards"][0]["name"], &held["guards"][0]["fired"]), (&guard.into(), &true.into()));
            assert_eq!(work.read("data/labels.csv"), before, "{guard}");
        }
        // Who looked at it may take it in; so may who says who answered.
        let copy = copy_of(&work);
        copy.run("label-import --accept-batch").answers(YES).json("/counts/added", 20);
        work.run("label-import --annotator ann").answers(YES).json("/counts/added", 20);
        assert!(labels(&work).keys().all(|(_, who)| who == "ann"));
    }
}

fn answered_by(work: &Loop, name: &str) -> String {
    answered(work, |cells| {
        cells[TARGET] = truth(&cells[0]).to_owned();
        cells[TARGET + 1] = name.to_owned();
    })
}

#[test]
fn a_person_is_the_same_in_other_letters_and_by_the_address() {
    let (work, _) = two_batches("");
    for name in ["BOB ", "bob@example.org"] {
        let work = copy_of(&work);
        work.write(BACK, answered_by(&work, name));
        work.run("label-import --partial").answers(YES).json("/counts/added", 20);
        let known = labels(&work);
        assert_eq!(known.keys().filter(|(_, who)| who == "bob").count(), 20, "{name}");
        assert!(!work.path("label_inbox/batches/b20261121-100000").exists(), "each row has its answer: {name}");
    }
    // Where nobody was dealt rows, a name in other letters is the one that is known.
    work.run("label-import --close b20261121-100000").answers(YES);
    work.run("label-export -n 20 --seed 5 --now 2026-11-22T10:00:00Z").answers(YES);
    work.write(BACK, answered_by(&work, "Ann"));
    work.run("label-import").answers(YES).json("/counts/added", 20);
    assert!(labels(&work).keys().all(|(_, who)| who == "ann"));
    work.run("label-export -n 4 --annotators ann,Ann").answers(ERROR).says("--annotators needs different names");
}

#[test]
fn who_labels_alone_is_asked_nothing_more() {
    let work = out(20, "");
    let text = answered_by(&work, "ann");
    work.write("first.csv", &text);
    work.run("label-import first.csv").answers(YES).json("/counts/added", 20);
    // A slip is mended in the same file, and the file is taken in again.
    let id = records(&text)[0]["id"].clone();
    work.write("again.csv", format!("id,churn,annotator\n{id},{},ann\n", turned(truth(&id))));
    work.run("label-import again.csv").answers(YES).json("/counts/changed", 1);
    // With a second person in the loop it is a question.
    work.write("bea.csv", format!("id,churn,annotator\n{id},{},bea\n", truth(&id)));
    work.run("label-import bea.csv").answers(YES).json("/counts/added", 1);
    work.write("again.csv", format!("id,churn,annotator\n{id},{},ann\n", truth(&id)));
    work.run("label-import again.csv").answers(WAITING).json("/guards/0/name", "changed-labels");
    work.run("label-import again.csv --annotator ANN").answers(YES).json("/counts/changed", 1);
    work.run("label-import again.csv").answers(NO);
}

#[test]
fn the_adjudicator_gives_no_feedback() {
    let work = super::trained();
    work.run(&format!("predict data/current.csv --log {DAY}")).answers(YES);
    work.run("feedback N0001 correct --by ' Adjudicator'").answers(ERROR).says("give your own name");
    work.pipe("feedback -", "id,verdict,by\nN0001,correct,adjudicator\n").answers(ERROR).says("give your own name");
    work.run("feedback N0001 correct --by ann").answers(YES);
    work.run("feedback N0002 correct --by 'ANN '").answers(YES);
    work.run("feedback N0001 correct --by Ann").answers(NO);
    assert!(labels(&work).keys().all(|(_, who)| who == "ann"));
}
