//! The directory of a loop, and several loops.

use super::{rows, tiny};
use crate::support::{ERROR, Loop, NO, YES};
use assert_cmd::Command;

#[test]
fn a_directory_without_a_loop_says_what_to_do() {
    let verbs = [
        "train",
        "status",
        "monitor",
        "label-export",
        "label-import",
        "retrain",
        "promote",
        "rollback",
        "run",
        "ab-report",
        "serve",
    ];
    for verb in verbs {
        let empty = Loop::new();
        empty.run(verb).answers(ERROR).says("no loop here: run `mlloop init TABLE` first");
        assert!(empty.files().is_empty(), "{verb} leaves nothing behind");
    }
}

#[test]
fn another_directory_is_chosen_by_capital_c() {
    let tiny = tiny();
    std::fs::create_dir(tiny.path("loops")).unwrap();
    tiny.run("-C loops init tiny.csv").answers(YES);
    assert!(tiny.read("loops/mlloop.toml").contains("reference = \"../tiny.csv\""));
    tiny.run("-C loops status").answers(NO).json("/target", "churn");
    tiny.run("-C loops status --exit-zero").answers(YES);
    tiny.run("-C nowhere status").answers(ERROR);
}

#[test]
fn several_loops_are_one_table_and_one_status() {
    let work = Loop::new();
    for dir in ["a", "b", "c"] {
        work.write(&format!("loops/{dir}/churn.csv"), include_str!("../../fixtures/tables/churn.csv"));
    }
    for dir in ["a", "b"] {
        work.run(&format!("-C loops/{dir} init loops/{dir}/churn.csv")).answers(YES);
    }
    work.run("-C 'loops/*' status").answers(crate::support::NO).json("/0/exit_status", 1).json("/1/exit_status", 1);
    work.run("-C loops/a train --algorithm decision-tree").answers(YES);
    let said = work.run("-C 'loops/*' status").answers(YES).json("/0/answer/production", "v0001").value();
    assert_eq!(said.as_array().unwrap().len(), 2, "c is no loop");
    let text = work.run("-C 'loops/*' status --text").answers(YES).stdout;
    assert_eq!(text, "loops/a  yes          production v0001\nloops/b  no           no version yet\n");
    // Patterns are those of a shell; what follows the verb goes to each loop.
    let one = work.run("-C 'loops/[ac]*' status").answers(YES).value();
    assert_eq!(one.as_array().unwrap().len(), 1, "{one}");
    work.run("-C 'l*s/?' status").answers(YES);
    // A loop that failed is in the table beside the others, so stdout is not empty.
    let said = work.run("-C 'loops/*' run --exit-zero").json("/0/exit_status", 0).json("/1/exit_status", 2);
    assert_eq!(said.status(), ERROR);
    let report = work.run("-C 'loops/*' report --json").value();
    assert!(report[0]["answer"].is_object(), "{report}");
    let text = work.run("-C 'loops/*' report --text").stdout;
    assert!(text.starts_with("loops/a  yes          production v0001\n"), "{text}");
    // In a pipe it is a page for people, as of one loop.
    let page = work.run("-C 'loops/*' report").stdout;
    assert!(page.starts_with("| loop | answer | |\n|---|---|---|\n| loops/a | yes | production v0001 |\n"), "{page}");
    assert_eq!(page.matches("\n## ").count(), 2, "{page}");
    // One that is damaged fails alone, and the whole says so.
    work.write("loops/b/mlloop.toml", "nonsense");
    let said = work.run("-C 'loops/*' status --text");
    assert_eq!(said.status(), ERROR);
    let said = said.stdout;
    assert!(said.contains("loops/a  yes") && said.contains("loops/b  failed"), "{said}");
    work.run("-C 'loops/*' train").answers(ERROR).says("status, run and report work on several");
    work.run("-C 'none/*' status").answers(ERROR).says("no matching directory has a mlloop.toml");
}

#[test]
fn a_loop_is_found_from_its_subdirectories_but_init_makes_one_where_it_is_called() {
    let work = tiny();
    work.run("init tiny.csv").answers(YES);
    std::fs::create_dir_all(work.path("data/deep")).unwrap();
    let status = |dir: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlloop"));
        command
            .args(["status", "--json", "--now", "2026-11-28T00:00:00Z"])
            .current_dir(work.path(dir))
            .output()
            .unwrap()
    };
    let (above, below) = (status("."), status("data/deep"));
    assert_eq!((above.status.code(), &above.stdout), (below.status.code(), &below.stdout));
    work.write("data/deep/other.csv", rows());
    let mut init = Command::new(env!("CARGO_BIN_EXE_mlloop"));
    init.args(["init", "other.csv"]).current_dir(work.path("data/deep")).assert().success();
    assert!(work.path("data/deep/mlloop.toml").is_file());
}
