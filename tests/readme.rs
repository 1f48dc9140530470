//! The transcripts in README.md and docs are what mlloop prints.
//!
//! A ```` ```console ```` block holds commands after `$ ` and what they print; `[..]` stands for any text in a line, a
//! line `...` for any lines. The blocks of one file run one after another in one directory. What is not `mlloop` is run by
//! the shell.

use crate::support::{Loop, shared};
use std::path::Path;
use std::process::Command;

/// Commands with the text they are said to print.
pub fn transcript(markdown: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in markdown.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match line.strip_prefix("$ ") {
                Some(command) => steps.push((command.to_owned(), String::new())),
                None => {
                    let (_, printed) = steps.last_mut().unwrap_or_else(|| panic!("{line:?} stands before any command"));
                    printed.push_str(line);
                    printed.push('\n');
                }
            },
        }
    }
    steps
}

/// Whether `actual` has the form of `expected`.
pub fn fits(expected: &[&str], actual: &[&str]) -> bool {
    match (expected, actual) {
        ([], []) => true,
        (["...", rest @ ..], _) => (0..=actual.len()).any(|skipped| fits(rest, &actual[skipped..])),
        ([line, rest @ ..], [first, others @ ..]) => line_fits(line, first) && fits(rest, others),
        _ => false,
    }
}

fn line_fits(expected: &str, actual: &str) -> bool {
    let mut parts = expected.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| actual.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last == Some("") || last.is_some_and(|part| rest.ends_with(part))
}

fn check(file: &str, work: &Loop) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let steps = transcript(&std::fs::read_to_string(path).unwrap());
    assert!(!steps.is_empty(), "{file} has transcripts");
    for (command, expected) in steps {
        let actual = match command.strip_prefix("mlloop ") {
            Some(line) => {
                let said = work.run(line);
                format!("{}{}", said.stdout, said.stderr)
            }
            None => {
                let done = Command::new("sh").args(["-c", &command]).current_dir(work.path("")).output().unwrap();
                assert!(done.status.success(), "{file}: $ {command}\n{}", String::from_utf8_lossy(&done.stderr));
                String::from_utf8(done.stdout).unwrap()
            }
        };
        let (want, have): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
        assert!(fits(&want, &have), "{file}: $ {command}\n--- said to print\n{expected}--- prints\n{actual}");
    }
}

#[test]
fn the_readme_is_true() {
    check("README.md", &Loop::new().table("churn.csv", include_str!("../fixtures/tables/churn.csv")));
}

#[test]
fn the_walk_through_telco_is_true() {
    let Some(telco) = shared("telco_ibm/Telco-Customer-Churn.csv") else { return };
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/telco");
    let read = |path: std::path::PathBuf| std::fs::read(path).unwrap();
    let work = Loop::new().table("telco.csv", read(telco));
    for script in ["split.awk", "answers.awk"] {
        work.write(script, read(guide.join(script)));
    }
    check("docs/guide/telco.md", &work);
}

/// Guides that need tables of their own have tests of their own.
#[test]
fn the_guides_are_true() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide");
    let guides = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let guides: Vec<String> = guides.filter(|name| name.ends_with(".md") && name != "telco.md").collect();
    assert!(guides.contains(&"schedule.md".to_owned()), "{guides:?}");
    for name in guides {
        let churn = include_str!("../fixtures/tables/churn.csv");
        check(&format!("docs/guide/{name}"), &Loop::new().table("churn.csv", churn));
    }
}

#[test]
fn a_line_fits_around_its_gaps() {
    assert!(line_fits("v0001 is [..]", "v0001 is production"));
    assert!(line_fits("roc_auc [..] to [..] 0.5000", "roc_auc 0.81 0.79 to 0.83 0.5000"));
    assert!(!line_fits("roc_auc [..] 0.5000", "roc_auc 0.81 0.6000"));
    assert!(!line_fits("abc", "abcd"));
    assert!(fits(&["a", "...", "b"], &["a", "x", "y", "b"]));
    assert!(!fits(&["a", "...", "b"], &["a", "x"]));
}
