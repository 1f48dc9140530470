//! What docs/coming-from.md says to those who come from another tool.

use crate::readme::{fits, transcript};
use crate::serve::client::Server;
use crate::support::Loop;
use std::path::Path;
use std::process::Command;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// Runs a line as a shell would: `NAME=VALUE mlloop …` sets a variable, `curl` asks the loop's server, what is not
/// `mlloop` is the shell's.
fn said(work: &Loop, server: &mut Option<Server>, command: &str) -> String {
    if command.starts_with("curl ") {
        return server.get_or_insert_with(|| Server::start(work, "")).curl(command);
    }
    let (variables, line): (Vec<&str>, &str) = match command.split_once(" mlloop ") {
        Some((before, line)) if before.contains('=') && !before.contains(' ') => (vec![before], line),
        _ => (Vec::new(), command.strip_prefix("mlloop ").unwrap_or_default()),
    };
    if !line.is_empty() {
        let variables: Vec<(&str, &str)> = variables.iter().filter_map(|pair| pair.split_once('=')).collect();
        // The words of a transcript are quoted in either way.
        let said = work.run_with(&line.replace('"', "'"), &variables);
        assert!(said.status() != 2, "$ {command}\n{}", said.stderr);
        let notes = said.stderr.lines().filter(|line| !line.starts_with("note: "));
        return said.stdout.clone() + &notes.map(|line| format!("{line}\n")).collect::<String>();
    }
    let done = Command::new("sh").args(["-c", command]).current_dir(work.path("")).output().unwrap();
    assert!(done.status.success(), "$ {command}\n{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn every_part_is_true() {
    let work = Loop::new().table("churn.csv", CHURN);
    let mut server = None;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coming-from.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (command, expected) in transcript(&page) {
        let actual = said(&work, &mut server, &command);
        let (want, have): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
        assert!(
            fits(&want, &have),
            "docs/coming-from.md: $ {command}\n--- said to print\n{expected}--- prints\n{actual}"
        );
    }
    assert_eq!(server.map(|mut server| server.stop()), Some(Some(0)));
    work.run("audit verify").answers(0);
}
