//! Tells the binary what `mlloop --version` prints: the version, and the commit if it is known.

#![allow(clippy::disallowed_methods, reason = "a build script gets its input from the environment")]

use std::env::var;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=MLLOOP_COMMIT");
    let version = var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = var("MLLOOP_COMMIT").ok().filter(|given| !given.is_empty()).or_else(packed).or_else(checked_out);
    let version = commit.map_or(version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo:rustc-env=MLLOOP_VERSION={version}");
}

/// The commit that cargo records in a package of crates.io.
fn packed() -> Option<String> {
    let noted = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = noted.split_once("\"sha1\"")?;
    let commit: String = rest.chars().skip_while(|c| !c.is_ascii_hexdigit()).take(12).collect();
    (commit.len() == 12 && commit.chars().all(|c| c.is_ascii_hexdigit())).then_some(commit)
}

/// The commit of a checkout, with `-dirty` if files differ from it. Not in debug builds: they would be rebuilt after
/// every commit.
fn checked_out() -> Option<String> {
    if var("PROFILE").as_deref() != Ok("release") || !Path::new(".git").exists() {
        return None;
    }
    for seen in ["src", "templates", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={seen}");
    }
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    git(&["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!said.is_empty()).then_some(said)
}
