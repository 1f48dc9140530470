//! Deaths, full disks and rivals while answers are taken in.

use super::import::{BACK, labels, out};
use super::{DAY, answer_truthfully, copy_of};
use crate::support::{ERROR, NO, YES, points};
use std::process::{Command, Stdio};

#[test]
fn a_death_at_any_write_loses_nothing_and_a_repeat_completes_it() {
    let fresh = out(60, "");
    answer_truthfully(&fresh);
    for n in points() {
        let work = copy_of(&fresh);
        let said = work.pipe_with(&format!("label-import {DAY}"), "", &format!("die:{n}"));
        if said.status == YES {
            assert!(n > 15, "every write has a point: {n}");
            break;
        }
        work.run("status").answers(YES);
        // What a process that died was about to write is nothing that somebody changed.
        work.run("audit verify --deep").answers(YES);
        let before = work.path("data/labels.csv").exists();
        assert!(!before || labels(&work).len() == 60, "{n}: the old labels or the new ones");
        let again = work.run(&format!("label-import {DAY}"));
        let is_done = work.path("label_inbox/imported/b20261120-100000/to_label_labeled.csv").exists();
        assert!([YES, NO].contains(&again.status) && is_done, "{n}: {} {}", again.status, again.stderr);
        assert_eq!(labels(&work).len(), 60, "{n}");
        assert_eq!(work.read("audit.jsonl").matches("\"labels-imported\"").count(), 1, "{n}");
        assert!(!work.path("label_inbox/importing.json").exists() && !work.path(BACK).exists(), "{n}");
        assert!(!work.path("label_inbox/to_label.csv").exists(), "{n}");
        work.run("audit verify").answers(YES);
        work.run("label-import").answers(NO);
    }
}

#[test]
fn a_full_disk_is_an_error_and_a_repeat_completes_it() {
    let fresh = out(60, "");
    answer_truthfully(&fresh);
    for n in points() {
        let work = copy_of(&fresh);
        if work.pipe_with(&format!("label-import {DAY}"), "", &format!("full:{n}")).status == YES {
            break;
        }
        work.run("audit verify").answers(YES);
        work.run(&format!("label-import {DAY}"));
        assert_eq!(labels(&work).len(), 60, "{n}");
        assert_eq!(work.read("audit.jsonl").matches("\"labels-imported\"").count(), 1, "{n}");
    }
}

#[test]
fn two_importers_at_once_take_in_everything_once() {
    let work = out(200, "");
    answer_truthfully(&work);
    std::fs::rename(work.path(BACK), work.path("back.csv")).unwrap();
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_mlloop"))
            .args(["label-import", "back.csv"])
            .current_dir(work.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let statuses: Vec<i32> = [start(), start(), start()]
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            let status = output.status.code().unwrap();
            assert!(status != ERROR || stderr.contains("is changing this loop"), "{stderr}");
            status
        })
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == YES).count(), 1, "{statuses:?}");
    assert_eq!(labels(&work).len(), 200);
    assert_eq!(work.read("audit.jsonl").matches("\"labels-imported\"").count(), 1);
    work.run("audit verify").answers(YES);
}
