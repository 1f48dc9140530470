//! A loop's directory: its settings, its paths, and the cleanup when it is locked.

use super::*;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::time::SystemTime;

const TOML: &str = "[data]\nreference = \"r.csv\" # the table\n[target]\ncolumn = \"y\"\n[columns]\ny = \"number\"\n";

fn a_loop() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(CONFIG_FILE), TOML).unwrap();
    fs::create_dir(dir.path().join("models")).unwrap();
    let workspace = Workspace::new(dir.path());
    (dir, workspace)
}

#[test]
fn of_settings_of_one_key_the_last_counts_in_its_place() {
    let setting = |pair: &str| Setting::parse(pair).unwrap();
    let given = ["max_depth=1", "split.gate=0.3", "max_depth=2"].map(setting);
    let workspace = Workspace::new("x").with_settings(given.to_vec());
    assert_eq!(workspace.settings(), [setting("split.gate=0.3"), setting("max_depth=2")]);
}

#[test]
fn addresses_stay_and_other_paths_start_at_the_loop() {
    let workspace = Workspace::new("loop").waiting(Duration::from_secs(3));
    for (path, expected) in [("a/b", "loop/a/b"), ("/a", "/a"), ("s3://bucket/a", "s3://bucket/a")] {
        assert_eq!(workspace.path(path), Path::new(expected));
    }
    assert_eq!(workspace.patience(), Duration::from_secs(3));
}

#[test]
fn secrets_are_ignored_by_git_and_said_once() {
    let (dir, workspace) = a_loop();
    let path = dir.path().join(".gitignore");
    for (before, after) in [
        (None, "/secrets/\n"),
        (Some("data"), "data\n/secrets/\n"),
        (Some("data\n"), "data\n/secrets/\n"),
        (Some(" secrets \n"), " secrets \n"),
        (Some("/secrets/"), "/secrets/"),
    ] {
        if let Some(text) = before {
            fs::write(&path, text).unwrap();
        }
        workspace.keep_secrets_out_of_git().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), after);
    }
}

#[test]
fn another_reference_is_named_and_nothing_else_changes() {
    let (_dir, workspace) = a_loop();
    workspace.name_reference("s.csv").unwrap();
    let text = fs::read_to_string(workspace.config_path()).unwrap();
    assert_eq!(text, TOML.replace("r.csv", "s.csv"));
}

#[test]
fn a_report_that_is_damaged_is_not_one_that_never_was() {
    let (dir, workspace) = a_loop();
    assert_eq!(workspace.report::<Value>("monitor.json").unwrap(), None);
    fs::create_dir(dir.path().join("reports")).unwrap();
    fs::write(dir.path().join("reports/monitor.json"), "{\"n\": 1}").unwrap();
    assert_eq!(workspace.report::<Value>("monitor.json").unwrap(), Some(json!({ "n": 1 })));
    fs::write(dir.path().join("reports/monitor.json"), "{").unwrap();
    let said = workspace.report::<Value>("monitor.json").unwrap_err().to_string();
    assert!(said.contains("cannot be parsed") && said.contains("run the command that wrote it again"), "{said}");
}

#[test]
fn one_process_changes_a_loop_and_says_what_it_recorded() {
    let (dir, workspace) = a_loop();
    let lock = workspace.lock().unwrap();
    for refused in [workspace.lock(), workspace.lock_within(Duration::from_millis(10))] {
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("is changing this loop; try again when it is done"), "{said}");
    }
    assert_eq!(workspace.last_recorded(), None);
    let event = audit::Event {
        at: jiff::Timestamp::UNIX_EPOCH,
        event: EventKind::Outcomes,
        by: None,
        roles: None,
        details: json!({ "added": 0 }),
    };
    workspace.record(&lock, event.clone()).unwrap();
    assert_eq!((workspace.last_recorded(), Workspace::new(dir.path()).last_recorded()), (Some(1), None));
    // If a file to be written after a line is not writable, the line is not written either.
    let roles = dir.path().join("models/roles.json");
    let kept = fs::read(&roles).unwrap();
    fs::remove_file(&roles).unwrap();
    fs::create_dir(&roles).unwrap();
    assert!(workspace.replaceable("models/roles.json").is_err());
    assert!(workspace.record(&lock, event.clone()).is_err());
    fs::remove_dir(&roles).unwrap();
    fs::write(&roles, kept).unwrap();
    fs::create_dir(dir.path().join("ab.json")).unwrap();
    let experiment = json!({ "name": "trial", "experiment": {} });
    let started = audit::Event { event: EventKind::AbStarted, details: experiment, ..event };
    assert!(workspace.record(&lock, started.clone()).is_err());
    assert_eq!(workspace.audit_chain().unwrap().entries.len(), 1);
    let (dir, workspace) = a_loop();
    std::os::unix::fs::symlink("nowhere", dir.path().join("models/roles.json")).unwrap();
    let lock = workspace.lock().unwrap();
    let first = audit::Event { event: EventKind::Outcomes, details: json!({ "added": 0 }), ..started };
    assert!(workspace.record(&lock, first).is_err());
    assert!(!dir.path().join("audit.jsonl").exists());
}

#[test]
fn the_lock_completes_what_was_left_and_takes_nothing_from_strangers() {
    let (dir, workspace) = a_loop();
    let at = |file: &str| dir.path().join(file);
    let write = |file: &str| {
        fs::create_dir_all(at(file).parent().unwrap()).unwrap();
        fs::write(at(file), "x").unwrap();
    };
    let folders =
        ["", "data", "runs", "runs/backup", "runs/kept", "runs/outbox", "reports", "approvals", "label_inbox"];
    let hours_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    for folder in folders {
        for name in ["old", "new"] {
            write(format!("{folder}/.mlloop-{name}").trim_start_matches('/'));
        }
        File::options().write(true).open(at(folder).join(".mlloop-old")).unwrap().set_modified(hours_ago).unwrap();
    }
    // A download, and a pull, that were committed but not moved.
    write("data/.incoming/a.csv");
    write("data/.incoming/SOURCE.json");
    write(".incoming/reports/b.json");
    drop(workspace.lock().unwrap());
    for file in ["data/a.csv", "data/SOURCE.json", "reports/b.json"] {
        assert!(at(file).exists(), "{file}");
    }
    for folder in folders {
        assert!(!at(folder).join(".mlloop-old").exists(), "{folder}");
        assert!(at(folder).join(".mlloop-new").exists(), "another process may be writing it: {folder}");
    }
    // A download must not bring labels that no person gave.
    for own in ["labels.csv", "Feedback.csv", "reference.json"] {
        write(&format!("data/.incoming/{own}"));
        let said = workspace.lock().unwrap_err().to_string();
        assert!(said.contains(own) && said.contains("cannot come from a download"), "{said}");
        fs::remove_dir_all(at("data/.incoming")).unwrap();
    }
}

#[test]
fn what_a_pull_cannot_complete_keeps_the_loop_from_being_changed() {
    let (dir, workspace) = a_loop();
    fs::create_dir_all(dir.path().join(".incoming")).unwrap();
    fs::write(dir.path().join(".incoming/notes"), "new").unwrap();
    // A directory is where the file belongs.
    fs::create_dir(dir.path().join("notes")).unwrap();
    let said = workspace.lock().unwrap_err().to_string();
    assert!(said.contains(&dir.path().display().to_string()) && said.contains("directory"), "{said}");
    fs::remove_dir(dir.path().join("notes")).unwrap();
    drop(workspace.lock().unwrap());
    assert_eq!(fs::read_to_string(dir.path().join("notes")).unwrap(), "new");
}

#[test]
fn settings_are_written_once_unless_forced_and_each_line_has_their_digest() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path().join("new/loop"));
    workspace.create().unwrap();
    assert!(workspace.dir().is_dir());
    assert_eq!(workspace.config_digest().unwrap(), None);
    let config = Config::parse(TOML).unwrap();
    workspace.write_config(&config, &[], false).unwrap();
    let read = workspace.config().unwrap();
    assert_eq!((&read.data, &read.target, &read.columns), (&config.data, &config.target, &config.columns));
    // Later edits by a person are kept.
    fs::write(workspace.config_path(), TOML).unwrap();
    assert!(
        matches!(workspace.write_config(&config, &[], false), Err(WorkspaceError::Exists(path)) if path == workspace.config_path())
    );
    let text = || fs::read_to_string(workspace.config_path()).unwrap();
    assert_eq!(text(), TOML);
    let digest = crate::digest::sha256(TOML.as_bytes());
    assert_eq!(workspace.config_digest().unwrap().as_ref(), Some(&digest));
    fs::create_dir(workspace.path("models")).unwrap();
    let at = jiff::Timestamp::UNIX_EPOCH;
    let event = audit::Event { at, event: EventKind::Outcomes, by: None, roles: None, details: json!({ "added": 0 }) };
    workspace.record(&workspace.lock().unwrap(), event).unwrap();
    assert_eq!(workspace.last_entry().unwrap().unwrap().config, Some(digest));
    workspace.write_config(&config, &[], true).unwrap();
    assert_ne!(text(), TOML);
}
