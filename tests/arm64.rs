//! The same bytes on x86-64 and on arm64: a loop lived under `qemu-aarch64`, beside the one of this machine.
//!
//! ```sh
//! cargo zigbuild --target aarch64-unknown-linux-musl      # or any other way to a static binary of the same source
//! MLLOOP_ARM64=target/aarch64-unknown-linux-musl/debug/mlloop cargo test --test tests arm64::
//! ```
//! Skipped, visibly, without `qemu-aarch64` on the `PATH` or without that binary.

use crate::skipped::skipped;
use crate::support::{Loop, words};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// The arm64 binary, where it can run here.
fn arm64() -> Option<PathBuf> {
    let Some(binary) = std::env::var_os("MLLOOP_ARM64").map(PathBuf::from).filter(|path| path.exists()) else {
        skipped("MLLOOP_ARM64 names no binary for arm64");
        return None;
    };
    if Command::new("qemu-aarch64").arg("--version").output().is_err() {
        skipped("qemu-aarch64 is not on the PATH");
        return None;
    }
    Some(binary)
}

/// Runs a line by line in `work` and gives what stands in its files at the end, and what was said, by name.
fn lived(work: &Loop, run: &dyn Fn(&Loop, &str) -> Vec<u8>, lines: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let said = lines.iter().enumerate().map(|(n, line)| (format!("{n}: mlloop {line}"), run(work, line)));
    let mut all: BTreeMap<String, Vec<u8>> = said.collect();
    let root = work.path("");
    for (path, bytes) in work.files() {
        all.insert(path.strip_prefix(&root).unwrap().display().to_string(), bytes);
    }
    // How long steps took is nobody's promise, and neither is the classifier of `monitor`: the engine's steps for classes use
    // an exp of the processor's kind.
    let is_free = |name: &str| {
        ["runs/runs.jsonl", ".mlloop.lock"].contains(&name)
            || ["mlloop retrain", "mlloop monitor", "drift_report"].iter().any(|part| name.contains(part))
    };
    all.retain(|name, _| !is_free(name));
    all
}

/// Files that differ, with the first place where they do.
fn differing(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    let place = |a: &[u8], b: &[u8]| a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let around = |bytes: &[u8], at: usize| {
        String::from_utf8_lossy(&bytes[at.saturating_sub(60)..(at + 40).min(bytes.len())]).into_owned()
    };
    let differ = a.iter().zip(b.values()).filter(|((_, a), b)| a != b);
    differ
        .map(|((name, a), b)| {
            let at = place(a, b);
            format!("{name}, byte {at}: {:?} {:?}", around(a, at), around(b, at))
        })
        .collect()
}

/// The answer of the binary of this machine.
fn here(work: &Loop, line: &str) -> Vec<u8> {
    work.run(line).stdout.into_bytes()
}

/// The answer of the other one.
fn there(binary: &Path, work: &Loop, line: &str) -> Vec<u8> {
    let mut command = Command::new("qemu-aarch64");
    command.arg(binary).args(words(line)).current_dir(work.path("")).env("NO_COLOR", "1");
    let output = command.output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A loop that has only its tables.
fn fresh() -> Loop {
    let rows: Vec<&str> = CHURN.lines().collect();
    let later = [&rows[..1], &rows[rows.len() / 2..]].concat().join("\n") + "\n";
    Loop::new().table("data/reference.csv", CHURN).table("later.csv", &later)
}

#[test]
fn a_loop_about_numbers_has_the_same_bytes_on_both_and_each_makes_the_others_version_again() {
    let Some(binary) = arm64() else { return };
    let there = |work: &Loop, line: &str| there(&binary, work, line);
    let lines = [
        "init data/reference.csv --target monthly_charge",
        "train --seed 3 --now 2026-11-01T00:00:00Z",
        "predict later.csv --interval 0.9 -o scored.csv",
        "monitor later.csv --formats json,html --now 2026-11-02T00:00:00Z",
        "export --format onnx -o model.onnx",
    ];
    let (ours, theirs) = (fresh(), fresh());
    let (on_ours, on_theirs) = (lived(&ours, &here, &lines), lived(&theirs, &there, &lines));
    let differ = differing(&on_ours, &on_theirs);
    assert!(on_ours.contains_key("models/v0001/model.bin"), "{:?}", on_ours.keys());
    assert!(differ.is_empty(), "{} of {} differ\n{}", differ.len(), on_ours.len(), differ.join("\n"));
    for said in [there(&ours, "audit replay v0001"), here(&theirs, "audit replay v0001")] {
        let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
        assert_eq!(said["agrees"], true, "{said}");
    }
}

#[test]
fn classes_are_predicted_alike_on_both() {
    let Some(binary) = arm64() else { return };
    for target in ["churn", "contract"] {
        let (ours, theirs) = (fresh(), fresh());
        for line in [
            &format!("init data/reference.csv --target {target}"),
            "train --seed 3 --now 2026-11-01T00:00:00Z",
            "predict later.csv -o scored.csv",
        ] {
            here(&ours, line);
            there(&binary, &theirs, line);
        }
        let cells = |work: &Loop| work.read("scored.csv").split([',', '\n']).map(str::to_owned).collect::<Vec<_>>();
        let (a, b) = (cells(&ours), cells(&theirs));
        assert_eq!(a.len(), b.len());
        let is_near = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => (a - b).abs() <= 1e-5,
            _ => a == b,
        };
        let apart: Vec<_> = a.iter().zip(&b).filter(|(a, b)| !is_near(a, b)).collect();
        assert!(apart.is_empty(), "{target}: {} of {}: {:?}", apart.len(), a.len(), &apart[..apart.len().min(5)]);
    }
}
