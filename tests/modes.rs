//! Who may read the files of a loop: what the umask leaves, and never more than the source of a copy.

use crate::support::{Loop, YES};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn with_a_private_umask_nothing_of_a_loop_is_open_to_others() {
    let work = Loop::new().table("churn.csv", CHURN);
    let steps = [
        "init churn.csv --with make,cron,github",
        "train --algorithm decision-tree",
        "train --algorithm decision-tree --seed 2",
        "promote --override x --by ann",
        "predict churn.csv -o scored.csv --log",
        "label-export -n 20",
        "monitor churn.csv",
    ];
    for step in steps {
        let line = format!("umask 077 && '{}' {step} -q", env!("CARGO_BIN_EXE_mlloop"));
        let status = Command::new("sh").args(["-c", &line]).current_dir(work.path("")).output().unwrap();
        assert!(status.status.code().is_some_and(|code| code < 2), "{step}: {status:?}");
    }
    let (mut dirs, mut n) = (vec![work.path("")], 0);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("churn.csv") {
                continue;
            }
            n += 1;
            assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
            if path.is_dir() {
                dirs.push(path);
            }
        }
    }
    assert!(n > 30, "{n} files were looked at");
}

#[test]
fn copies_and_extracts_of_a_table_are_open_to_nobody_who_may_not_read_it() {
    let private = |path: &Path| {
        assert_eq!(mode(path) & 0o077, 0, "{}", path.display());
    };
    let table = |work: &Loop| {
        std::fs::set_permissions(work.path("churn.csv"), std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let work = Loop::new().table("churn.csv", CHURN);
    table(&work);
    work.run("split churn.csv --how hash --by customer").answers(YES);
    for name in ["churn.csv", "reference.csv", "current.csv"] {
        private(&work.path(format!("data/{name}")));
    }
    work.run("init data/reference.csv").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    private(&work.path("models/v0001/golden.csv"));
    // What has no rows in it stays as the umask has it.
    assert_eq!(mode(&work.path("models/v0001/model.bin")), mode(&work.path("mlloop.toml")));
    let other = Loop::new().table("churn.csv", CHURN);
    table(&other);
    other.run("download churn.csv").answers(YES);
    private(&other.path("data/churn.csv"));
}

#[test]
fn a_file_that_is_replaced_keeps_its_mode() {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    let toml = work.path("mlloop.toml");
    std::fs::set_permissions(&toml, std::fs::Permissions::from_mode(0o600)).unwrap();
    work.run("init churn.csv --force").answers(YES);
    assert_eq!(mode(&toml), 0o600);
    work.run("train --algorithm decision-tree").answers(YES);
    let roles = work.path("models/roles.json");
    std::fs::set_permissions(&roles, std::fs::Permissions::from_mode(0o640)).unwrap();
    work.run("train --algorithm decision-tree").answers(YES);
    assert_eq!(mode(&roles), 0o640);
}
