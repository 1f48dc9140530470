//! What would refuse the end of a command is asked before the command records anything.

use crate::retrain::labelled;
use crate::support::{ERROR, Loop, NO, YES};
use std::fs;

fn chain(work: &Loop) -> String {
    work.read("audit.jsonl")
}

/// The reference of the loop is a link from now on.
fn linked(work: &Loop) {
    fs::rename(work.path("data/reference.csv"), work.path("elsewhere.csv")).unwrap();
    std::os::unix::fs::symlink("../elsewhere.csv", work.path("data/reference.csv")).unwrap();
}

#[test]
fn a_promotion_that_could_not_be_finished_is_not_begun() {
    let work = labelled();
    work.run("retrain").answers(YES);
    let named_elsewhere = |copy: &Loop| {
        fs::copy(copy.path("data/reference.csv"), copy.path("old.csv")).unwrap();
        let toml =
            copy.read("mlloop.toml").replace("\"data/reference.csv\"", &format!("{:?}", copy.path("../old.csv")));
        fs::copy(copy.path("data/reference.csv"), copy.path("../old.csv")).unwrap();
        copy.write("mlloop.toml", toml);
    };
    let dir_at = |name: &'static str| move |copy: &Loop| fs::create_dir_all(copy.path(name)).unwrap();
    let other_header = |copy: &Loop| {
        let text = copy.read("data/reference.csv");
        copy.write("data/reference.csv", text.replacen("months", "moons", 1));
    };
    type Obstacle<'a> = (&'a str, &'a dyn Fn(&Loop), bool);
    let obstacles: [Obstacle; 5] = [
        ("data/reference.csv", &linked, true),
        ("data/reference.csv exists", &named_elsewhere, true),
        ("data/reference.json", &dir_at("data/reference.json"), false),
        ("runs/backup/reference.csv", &dir_at("runs/backup/reference.csv"), false),
        ("moons", &other_header, true),
    ];
    for (told, obstacle, is_doctors) in obstacles {
        let copy = work.copy();
        obstacle(&copy);
        let before = chain(&copy);
        copy.run("promote --override t --by ann").answers(ERROR).says(told);
        assert_eq!(chain(&copy), before, "{told}");
        copy.run("status").answers(YES).json("/production", "v0001").json("/challenger", "v0002");
        if is_doctors {
            copy.run("doctor").answers(NO);
        }
    }
    let copy = work.copy();
    linked(&copy);
    copy.run("promote --override t --by ann").answers(ERROR);
    fs::rename(copy.path("elsewhere.csv"), copy.path("data/reference.csv")).unwrap();
    copy.run("promote --override t --by ann").answers(YES);
    assert_eq!(copy.read("data/reference.csv").lines().count(), 701);
}

#[test]
fn files_that_follow_a_line_of_the_chain_can_be_written_or_there_is_no_line() {
    let work = labelled();
    work.run("predict data/current.csv --log -o scored.csv").answers(YES);
    work.run("label-export -n 5 --now 2026-11-20T10:00:00Z").answers(YES);
    let (batch, id) = ("b20261120-100000", work.read("label_inbox/to_label.csv"));
    let id = id.lines().nth(1).unwrap().split(',').next().unwrap();
    work.write("back.csv", format!("id,churn\n{id},yes\n"));
    let close = format!("label-import --close {batch}");
    let feedback = format!("feedback {id} correct --by ann");
    let taken = format!("label_inbox/imported/{batch}");
    for (line, file, in_place) in [
        ("label-import back.csv", taken.as_str(), true),
        (&close, &taken, true),
        ("label-export -n 5 --force", "label_inbox/to_label.csv", false),
        (&feedback, "data/labels.csv", false),
        ("ab-start --name e --a v0001 --b v0001", "ab.json", true),
        ("retrain --force", "models/roles.json", false),
    ] {
        let copy = work.copy();
        if !in_place {
            fs::remove_file(copy.path(file)).unwrap();
        }
        fs::create_dir_all(copy.path(file)).unwrap();
        if in_place {
            copy.write(&format!("{file}/batch.json"), work.read(&format!("label_inbox/batches/{batch}/batch.json")));
        }
        let (before, feedback) = (chain(&copy), copy.path("data/feedback.csv").exists());
        copy.run(line).answers(ERROR);
        assert_eq!((chain(&copy), copy.path("data/feedback.csv").exists()), (before, feedback), "{line}");
    }
}
