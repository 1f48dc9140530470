//! Releases: packed, installed by the script and by the action, and refused when a byte is another.

use crate::download::sha256;
use crate::mock::{Mock, Reply};
use crate::skipped::skipped;
use crate::support::Loop;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const MLLOOP: &str = env!("CARGO_BIN_EXE_mlloop");
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Status and everything that was said.
fn run(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(said).unwrap())
}

/// The target whose archive the installer takes here; none on a machine that has no release.
fn target() -> Option<String> {
    let system = if cfg!(target_os = "macos") { "apple-darwin" } else { "unknown-linux-musl" };
    let machine = std::env::consts::ARCH;
    ["x86_64", "aarch64"].contains(&machine).then(|| format!("{machine}-{system}"))
}

fn has_all(commands: &[&str]) -> bool {
    let missing = commands.iter().find(|name| Command::new(name).arg("--version").output().is_err());
    if let Some(name) = missing {
        skipped(format_args!("there is no {name}"));
    }
    missing.is_none()
}

/// A directory with the archive of a binary that calls this build of mlloop, so that packing takes no time; and its name.
fn packed(work: &Loop) -> (String, Vec<u8>) {
    let target = target().unwrap();
    work.write("built", format!("#!/bin/sh\nexec '{MLLOOP}' \"$@\"\n"));
    assert!(Command::new("chmod").arg("+x").arg(work.path("built")).status().unwrap().success());
    let pack = |to: &str| {
        let mut command = Command::new("bash");
        command.arg(root("scripts/package.sh")).arg(work.path("built")).arg(&target).arg(work.path(to));
        let (status, said) = run(command.env("SOURCE_DATE_EPOCH", "1700000000"));
        assert_eq!(status, 0, "{said}");
        std::fs::read(work.path(to).join(format!("mlloop-{VERSION}-{target}.tar.gz"))).unwrap()
    };
    let archive = pack("dist");
    assert!(archive == pack("again"), "the same binary gives the same bytes");
    (format!("mlloop-{VERSION}-{target}.tar.gz"), archive)
}

/// A place of releases: paths below it, and what they hold.
fn releases(files: &[(String, Vec<u8>)]) -> Mock {
    let files: BTreeMap<String, Vec<u8>> = files.iter().cloned().collect();
    Mock::start(move |asked, _| match files.get(&asked.path) {
        Some(bytes) if asked.path.starts_with("/cut/v") && asked.path.ends_with(".gz") => {
            Reply::new(200, bytes.clone()).cut(bytes.len() / 2)
        }
        Some(bytes) => Reply::new(200, bytes.clone()),
        None => Reply::new(404, "not here"),
    })
}

fn install(work: &Loop, prefix: &str, args: &[&str]) -> (i32, String) {
    let mut command = Command::new("sh");
    command.arg(root("scripts/install.sh")).args(args).env("PREFIX", work.path(prefix));
    // curl tries a connection that broke three times; nothing is waited for in between.
    run(command.env("NO_PROXY", "127.0.0.1").env_remove("MLLOOP_RELEASES"))
}

#[test]
fn a_release_installs_and_a_changed_byte_does_not() {
    if target().is_none() || !has_all(&["curl", "python3", "tar"]) {
        return;
    }
    let work = Loop::new();
    let (name, archive) = packed(&work);
    let sums = |digest: &str| format!("{}  other.tar.gz\n{digest}  {name}\n", "1".repeat(64)).into_bytes();
    let (right, wrong) = (sums(&sha256(&archive)), sums(&sha256(b"another")));
    let mut changed = archive.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let mut files = Vec::new();
    for (place, sums, archive) in [
        ("good", &right, &archive),
        ("changed", &right, &changed),
        ("wrong", &wrong, &archive),
        ("cut", &right, &archive),
        ("nameless", &sums("").clone(), &archive),
    ] {
        files.push((format!("/{place}/v{VERSION}/SHA256SUMS"), sums.clone()));
        files.push((format!("/{place}/v{VERSION}/{name}"), archive.clone()));
        files.push((format!("/{place}/v9.9.9/SHA256SUMS"), sums.clone()));
    }
    // An archive of one version under the name of another, and one whose binary belongs to another version.
    let renamed = name.replace(VERSION, "9.9.9");
    let (inside, folder) = (name.replace(".tar.gz", ""), renamed.replace(".tar.gz", ""));
    let repack = format!("tar -xzf dist/{name} && mv {inside} {folder} && tar -czf {renamed} {folder}");
    assert_eq!(run(Command::new("sh").args(["-c", &repack]).current_dir(work.path(""))).0, 0);
    for (place, archive) in [("renamed", archive.clone()), ("liar", std::fs::read(work.path(&renamed)).unwrap())] {
        let sums = format!("{}  {renamed}\n", sha256(&archive));
        files.push((format!("/{place}/v9.9.9/SHA256SUMS"), sums.into_bytes()));
        files.push((format!("/{place}/v9.9.9/{renamed}"), archive));
    }
    let mock = releases(&files);
    let from = |place: &str| mock.url("127.0.0.1", &format!("/{place}"));

    let (status, said) = install(&work, "good", &["--version", VERSION, "--from", &from("good")]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains(&format!("mlloop {VERSION}")) && said.contains("add it to PATH"), "{said}");
    let (status, said) = run(Command::new(work.path("good/bin/mlloop")).arg("--version"));
    assert_eq!((status, said.starts_with(&format!("mlloop {VERSION}"))), (0, true), "{said}");
    for page in ["man/man1/mlloop.1", "man/man1/mlloop-train.1", "bash-completion/completions/mlloop"] {
        assert!(work.path("good/share").join(page).exists(), "{page}");
    }
    // Over itself; with the checksum from elsewhere; from a directory.
    assert_eq!(install(&work, "good", &["--version", VERSION, "--from", &from("good")]).0, 0);
    let digest = sha256(&archive);
    assert_eq!(install(&work, "own", &["--version", VERSION, "--from", &from("wrong"), "--sha256", &digest]).0, 0);

    for (place, version, reason) in [
        ("changed", VERSION, "is expected; nothing was installed"),
        ("wrong", VERSION, "is expected; nothing was installed"),
        ("nameless", VERSION, "no SHA-256 of"),
        ("cut", VERSION, "cannot fetch"),
        ("absent", VERSION, "cannot fetch"),
        ("good", "9.9.9", "no SHA-256 of"),
        ("renamed", "9.9.9", "does not contain mlloop-9.9.9-"),
        ("liar", "9.9.9", "not mlloop 9.9.9; nothing was installed"),
    ] {
        let (status, said) = install(&work, "none", &["--version", version, "--from", &from(place)]);
        assert_eq!((status, said.contains(reason)), (2, true), "{place}: {said}");
        assert!(!work.path("none").exists(), "{place} left something");
    }
    for (args, reason) in [
        (&["--version", VERSION][..], "no address of the releases"),
        (&["--from", "https://releases.invalid"], "no version"),
        (&["--version", VERSION, "--from", "http://releases.invalid"], "is neither https:// nor file://"),
        (&["--version"], "--version needs a value"),
        (&["--target", "x"], "unknown option --target"),
    ] {
        let (status, said) = install(&work, "none", args);
        assert_eq!((status, said.contains(reason)), (2, true), "{args:?}: {said}");
    }
}

/// The action takes the release that its file names, and the formula and that file are made from the same checksums.
#[test]
fn the_action_fetches_the_release_it_names() {
    if !cfg!(target_os = "linux") || target().is_none() || !has_all(&["curl", "python3", "tar", "awk"]) {
        return;
    }
    let work = Loop::new();
    let (name, archive) = packed(&work);
    let mock = releases(&[(format!("/v{VERSION}/{name}"), archive.clone())]);
    let digest = sha256(&archive);
    let lines =
        ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "x86_64-apple-darwin", "aarch64-apple-darwin"]
            .map(|target| format!("{digest}  mlloop-{VERSION}-{target}.tar.gz\n"));
    work.write("SHA256SUMS", lines.concat());
    let script = |name: &str, args: &[&str]| {
        run(Command::new("bash").arg(root("scripts").join(name)).args(args).arg(work.path("SHA256SUMS")))
    };
    let at = mock.url("127.0.0.1", "");
    let (status, pinned) = script("pin_release.sh", &[VERSION, &at]);
    assert_eq!(status, 0, "{pinned}");
    assert_eq!(pinned.lines().count(), 5, "{pinned}");
    assert_eq!(script("pin_release.sh", &["9.9.9", &at]).0, 2);
    let (status, formula) = script("formula.sh", &[VERSION, "https://x.example/d", "https://x.example"]);
    assert_eq!(status, 0, "{formula}");
    assert_eq!(formula.matches(&digest).count(), 4, "{formula}");
    assert!(
        formula
            .contains(&format!("url \"https://x.example/d/v{VERSION}/mlloop-{VERSION}-aarch64-apple-darwin.tar.gz\""))
    );
    assert_eq!(script("formula.sh", &["9.9.9", "https://x.example/d", "https://x.example"]).0, 2);

    let act = |release: &str, variables: &[(&str, &str)]| {
        let temp = work.path("gh");
        let _ = std::fs::remove_dir_all(&temp);
        std::fs::create_dir_all(&temp).unwrap();
        std::fs::copy(root(".github/actions/mlloop/install.sh"), work.path("install.sh")).unwrap();
        work.write("release", release);
        let mut command = Command::new("bash");
        command.arg(work.path("install.sh")).env("RUNNER_TEMP", &temp).env("GITHUB_PATH", temp.join("path"));
        run(command.env("NO_PROXY", "127.0.0.1").envs(variables.iter().copied()))
    };
    let (status, said) = act(&pinned, &[]);
    assert_eq!((status, said.contains(&format!("mlloop {VERSION}"))), (0, true), "{said}");
    assert!(work.read("gh/path").trim().ends_with("/mlloop-bin"));
    let (status, said) = act(&pinned.replace(&digest, &sha256(b"another")), &[]);
    assert!(status != 0 && !work.path("gh/path").exists(), "{said}");
    // None yet.
    let unpinned = std::fs::read_to_string(root(".github/actions/mlloop/release")).unwrap();
    if unpinned.lines().all(|line| line.starts_with('#')) {
        let (status, said) = act(&unpinned, &[]);
        assert_eq!((status, said.contains("no release for")), (1, true), "{said}");
    }
    // An archive by its address, as a caller may name one.
    let url = format!("{at}/v{VERSION}/{name}");
    assert_eq!(act(&unpinned, &[("MLLOOP_URL", &url), ("MLLOOP_SHA256", &digest)]).0, 0);
    assert_ne!(act(&unpinned, &[("MLLOOP_URL", &url), ("MLLOOP_SHA256", &"0".repeat(64))]).0, 0);
}

/// A build that was told its commit says it, and what is said is one line.
#[test]
fn the_version_is_one_line() {
    let (status, said) = run(Command::new(MLLOOP).arg("--version"));
    assert_eq!((status, said.lines().count()), (0, 1), "{said}");
    let commit = said.trim_end().strip_prefix(&format!("mlloop {VERSION}")).unwrap();
    assert!(commit.is_empty() || (commit.starts_with(" (") && commit.ends_with(')')), "{said}");
}
