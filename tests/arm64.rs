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
use std::path::PathBuf;
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
    // How long steps took is nobody's promise.
    all.retain(|name, _| name != "runs/runs.jsonl" && !name.contains("mlloop retrain"));
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

#[test]
fn a_loop_has_the_same_bytes_on_both() {
    let Some(binary) = arm64() else { return };
    let here = |work: &Loop, line: &str| work.run(line).stdout.into_bytes();
    let there = |work: &Loop, line: &str| {
        let mut command = Command::new("qemu-aarch64");
        command.arg(&binary).args(words(line)).current_dir(work.path("")).env("NO_COLOR", "1");
        let output = command.output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let rows: Vec<&str> = CHURN.lines().collect();
    let later = [&rows[..1], &rows[rows.len() / 2..]].concat().join("\n") + "\n";
    let fresh = || Loop::new().table("data/reference.csv", CHURN).table("later.csv", &later);
    // Two classes, a number, three classes.
    for target in ["churn", "monthly_charge", "contract"] {
        let lines = [
            &format!("init data/reference.csv --target {target}"),
            "train --seed 3 --now 2026-11-01T00:00:00Z",
            "predict later.csv --interval 0.9 -o scored.csv",
            "monitor later.csv --formats json,html --now 2026-11-02T00:00:00Z --multivariate",
            "export --format onnx -o model.onnx",
            "retrain --force --set max_depth=3 --now 2026-11-03T00:00:00Z",
        ];
        let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
        let (here, there) = (lived(&fresh(), &here, &lines), lived(&fresh(), &there, &lines));
        let differ = differing(&here, &there);
        assert!(differ.is_empty(), "{target}: {} of {} differ\n{}", differ.len(), here.len(), differ.join("\n"));
    }
}
