//! A death, a full disk and a second process while a challenger is made.

use super::labelled;
use crate::support::{ERROR, YES, points};
use mlloop::workspace::Workspace;

#[test]
fn a_death_anywhere_leaves_the_old_or_the_new_and_repeating_completes_it() {
    let work = labelled();
    let n = work.dies_everywhere("retrain --now 2026-11-11T00:00:00Z", "", |copy| {
        let answer = copy.run("retrain --now 2026-11-11T00:00:00Z").answers(YES).value();
        assert!(answer["done"] == "retrained" || answer["done"] == "already", "{answer}");
        copy.run("status").answers(YES).json("/production", "v0001").json("/challenger", "v0002");
        assert!(!copy.path("models/v0003").exists());
        assert_eq!(copy.read("models/v0002/labels_used.csv").lines().count(), 101);
    });
    assert!(n > 40, "{n} write points");
}

#[test]
fn a_full_disk_anywhere_leaves_the_old_or_the_new() {
    let work = labelled();
    for n in points() {
        let copy = work.copy();
        let said = copy.pipe_with("retrain --now 2026-11-11T00:00:00Z", "", &format!("full:{n}"));
        let done = said.stderr.is_empty() && said.stdout.contains("\"retrained\"");
        if !done {
            said.answers(ERROR);
        }
        copy.run("audit verify").answers(YES);
        copy.run("retrain --now 2026-11-11T00:00:00Z").answers(YES);
        copy.run("status").answers(YES).json("/challenger", "v0002");
        assert!(!copy.path("models/v0003").exists());
        if done {
            return;
        }
    }
}

#[test]
fn two_at_once_make_one_challenger() {
    let work = labelled();
    let answers = std::thread::scope(|scope| {
        let run = || work.run("retrain --wait 60");
        let others = [scope.spawn(run), scope.spawn(run)];
        others.map(|other| other.join().unwrap().answers(YES).value()["done"].as_str().unwrap().to_owned())
    });
    assert!(answers.contains(&"retrained".to_owned()) && answers.contains(&"already".to_owned()), "{answers:?}");
    assert!(!work.path("models/v0003").exists());
    // Without waiting the second says who is at work.
    let lock = Workspace::new(work.path("")).lock().unwrap();
    let who = format!("another mlloop (process {}) is changing this loop", std::process::id());
    work.run("retrain --wait 0").answers(ERROR).says(&who);
    drop(lock);
    work.run("retrain --dry-run").answers(YES);
}
