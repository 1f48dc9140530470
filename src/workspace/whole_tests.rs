//! A loop whose every file is checked against its chain: each kind of file unchanged, changed, removed and accepted.

use crate::atomic::Lock;
use crate::digest::sha256;
use crate::registry::{Head, Roles, Version};
use crate::workspace::audit::{Entry, Event};
use crate::workspace::away::Away;
use crate::workspace::held::{feedback_seal, recorded_data, recorded_gone};
use crate::workspace::{EventKind, FEEDBACK_FILE, LABELS_FILE, ROLES_FILE, Workspace};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const TOML: &str = "[data]\nreference = \"data/r.csv\"\n[target]\ncolumn = \"y\"\n[columns]\ny = \"number\"\n";

struct Loop {
    dir: tempfile::TempDir,
    work: Workspace,
}

impl Loop {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = Self { work: Workspace::new(dir.path()), dir };
        made.write("mlloop.toml", TOML);
        made.write("models/.there", "");
        made
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.dir.path().join(file)).unwrap();
    }

    fn lock(&self) -> Lock {
        self.work.lock().unwrap()
    }

    fn record(&self, event: EventKind, details: Value) -> Entry {
        self.record_with(event, details, None)
    }

    fn record_with(&self, event: EventKind, details: Value, roles: Option<Roles>) -> Entry {
        let event = Event { at: Timestamp::UNIX_EPOCH, event, by: None, roles, details };
        self.work.record(&self.lock(), event).unwrap()
    }

    /// The files reported by `verify_files`, with their changes.
    fn different(&self) -> Vec<(String, String)> {
        let found = self.work.verify_files(&self.work.audit_chain().unwrap()).unwrap();
        found.different.into_iter().map(|found| (found.file, found.what)).collect()
    }

    fn accept(&self, file: &str) -> Result<bool, String> {
        self.work.accept(&self.lock(), Path::new(file), "ann", Timestamp::UNIX_EPOCH).map_err(|err| err.to_string())
    }

    /// Stores versions one after another, without digests of their files.
    fn store(&self) -> Version {
        let version = self.work.registry().store(|_, dir| fs::write(dir.join("scores.json"), "{}")).unwrap();
        self.record(EventKind::Trained, json!({ "version": version }));
        version
    }
}

fn different(file: &str, what: &str) -> Vec<(String, String)> {
    vec![(file.to_owned(), what.to_owned())]
}

#[test]
fn labels_are_those_that_the_chain_or_a_writer_that_died_speaks_of() {
    let l = Loop::new();
    l.write(LABELS_FILE, "a");
    assert_eq!(l.different(), [], "the chain does not record them yet");
    l.record(EventKind::Outcomes, json!({ "added": 1, "labels_sha256": sha256(b"a") }));
    assert_eq!(l.different(), []);
    assert!(l.work.hold_labels().is_ok() && !l.work.labels_unrecorded().unwrap());
    l.write(LABELS_FILE, "b");
    assert_eq!(l.different(), different(LABELS_FILE, "was changed after line 1 (outcomes)"));
    assert!(l.work.hold_labels().unwrap_err().to_string().starts_with("data/labels.csv was changed after line 1"));
    // The labels were announced: a process wrote them and died.
    l.write(LABELS_FILE, "a");
    l.work.announce_labels(&l.lock(), b"b").unwrap();
    assert!(!l.work.labels_unrecorded().unwrap(), "they are still the old labels");
    l.write(LABELS_FILE, "b");
    assert!(l.work.hold_labels().is_ok() && l.work.labels_unrecorded().unwrap());
    l.write(LABELS_FILE, "c");
    assert!(l.work.hold_labels().is_err() && !l.work.labels_unrecorded().unwrap());
    // The announcement applies only to the labels at that time.
    l.record(EventKind::Outcomes, json!({ "added": 1, "labels_sha256": sha256(b"c") }));
    assert!(l.work.hold_labels().is_ok());
    l.write(LABELS_FILE, "b");
    assert!(l.work.hold_labels().is_err() && !l.work.labels_unrecorded().unwrap());
    assert_eq!(l.accept(LABELS_FILE), Ok(true));
    assert_eq!(l.accept(LABELS_FILE), Ok(false), "the chain already has this state");
    let chain = l.work.audit_chain().unwrap();
    let last = chain.entries.last().unwrap();
    assert_eq!((last.by.as_deref(), last.labels_sha256().unwrap()), (Some("ann"), Some(Some(sha256(b"b")))));
    assert_eq!(recorded_data(&chain, "data/r.csv").unwrap(), [(LABELS_FILE.to_owned(), sha256(b"b"))]);
    l.remove(LABELS_FILE);
    assert_eq!(l.different(), different(LABELS_FILE, "is missing; line 3 (accepted) recorded it"));
    assert_eq!(l.accept(LABELS_FILE), Ok(true));
    let chain = l.work.audit_chain().unwrap();
    assert_eq!((recorded_gone(&chain).unwrap(), l.different()), (vec![LABELS_FILE], vec![]));
    assert_eq!(recorded_data(&chain, "data/r.csv").unwrap(), []);
    l.write(LABELS_FILE, "b");
    let added = "was added after line 4 (accepted), which recorded that there is no such file";
    assert_eq!(l.different(), different(LABELS_FILE, added));
}

#[test]
fn feedback_may_grow_and_not_change() {
    let l = Loop::new();
    l.write(FEEDBACK_FILE, "id\n1\n");
    let seal = json!({ "bytes": 5, "sha256": sha256(b"id\n1\n") });
    l.record(EventKind::Feedback, json!({ "feedback": seal, "lines": 1 }));
    l.write(FEEDBACK_FILE, "id\n1\n2\n");
    assert!(l.different().is_empty() && l.work.hold_feedback().is_ok());
    l.write(FEEDBACK_FILE, "id\n3\n2\n");
    assert_eq!(l.different(), different(FEEDBACK_FILE, "was changed after line 1 (feedback)"));
    assert!(l.work.hold_feedback().is_err());
    // An unrecorded file is accepted, as is a changed one.
    for text in ["id\n1\n2\n", "id\n3\n2\n"] {
        l.write(FEEDBACK_FILE, text);
        assert_eq!((l.accept(FEEDBACK_FILE), l.accept(FEEDBACK_FILE)), (Ok(true), Ok(false)), "{text}");
        let chain = l.work.audit_chain().unwrap();
        assert_eq!(feedback_seal(&chain).unwrap(), Some((7, sha256(text.as_bytes()))));
        assert_eq!(chain.entries.last().unwrap().n_feedback().unwrap(), Some(2));
    }
    l.remove(FEEDBACK_FILE);
    assert_eq!(l.different(), different(FEEDBACK_FILE, "is missing; line 3 (accepted) recorded it"));
    assert_eq!(l.accept(FEEDBACK_FILE), Ok(true));
    let chain = l.work.audit_chain().unwrap();
    assert_eq!((recorded_gone(&chain).unwrap(), feedback_seal(&chain).unwrap()), (vec![FEEDBACK_FILE], None));
}

#[test]
fn the_reference_is_the_table_that_was_read_unless_rows_are_just_added_to_it() {
    let l = Loop::new();
    l.write("data/r.csv", "a");
    let table = |text: &str| json!({ "path": "data/r.csv", "n_rows": 1, "sha256": sha256(text.as_bytes()) });
    let other = json!({ "path": "data/other.csv", "n_rows": 1, "sha256": sha256(b"z") });
    let trained = |text: &str| json!({ "version": "v0001", "data": [other, table(text)] });
    l.work.registry().store(|_, dir| fs::write(dir.join("scores.json"), "{}")).unwrap();
    l.record(EventKind::Trained, trained("a"));
    assert_eq!(l.different(), []);
    l.write("data/r.csv", "b");
    assert_eq!(l.different(), different("data/r.csv", "was changed after line 1 (trained)"));
    let chain = l.work.audit_chain().unwrap();
    assert_eq!(recorded_data(&chain, "data/r.csv").unwrap(), [("data/r.csv".to_owned(), sha256(b"a"))]);
    // The version in production added rows to the reference, but this is not recorded yet.
    let roles = Roles { production: Some(Version(1)), ..Roles::default() };
    l.record_with(EventKind::Promoted, json!({ "version": "v0001", "from": null }), Some(roles));
    assert_eq!(l.different().len(), 1, "it added no rows");
    l.write("models/v0001/added.csv", "y\n1\n");
    assert_eq!(l.different(), []);
    l.write("data/reference.json", "{\"adopted\": [\"v0001\"]}");
    assert_eq!(l.different(), different("data/r.csv", "was changed after line 1 (trained)"));
    l.record(EventKind::ReferenceUpdated, json!({ "sha256": sha256(b"b"), "version": "v0001" }));
    assert_eq!(l.different(), []);
    l.write("data/r.csv", "c");
    assert_eq!((l.accept("data/r.csv"), l.accept("data/r.csv")), (Ok(true), Ok(false)));
    l.remove("data/r.csv");
    assert!(l.accept("data/r.csv").unwrap_err().contains("the loop needs its reference"));
    assert!(l.accept("models/roles.json").unwrap_err().contains("data/labels.csv, data/feedback.csv and data/r.csv"));
}

#[test]
fn the_experiment_is_that_of_its_last_line_once_the_roles_are_at_it() {
    let l = Loop::new();
    l.record(EventKind::Outcomes, json!({ "added": 0 }));
    let before = fs::read_to_string(l.dir.path().join(ROLES_FILE)).unwrap();
    l.record(EventKind::AbStarted, json!({ "name": "trial", "experiment": { "name": "trial" } }));
    let written: Value = serde_json::from_str(&fs::read_to_string(l.dir.path().join("ab.json")).unwrap()).unwrap();
    assert_eq!((written, l.different()), (json!({ "name": "trial" }), vec![]));
    l.write("ab.json", "{\"name\": \"other\"}");
    assert_eq!(l.different(), different("ab.json", "was changed after line 2 (ab-started)"));
    l.remove("ab.json");
    assert_eq!(l.different(), different("ab.json", "is missing; line 2 (ab-started) recorded it"));
    // A process died between the line and the file: the next holder of the lock writes it.
    l.write(ROLES_FILE, &before);
    assert_eq!(l.different(), []);
    drop(l.lock());
    assert!(l.dir.path().join("ab.json").exists() && l.different().is_empty());
}

#[test]
fn versions_and_roles_that_are_gone_are_told() {
    let l = Loop::new();
    assert!(!l.work.restore_roles().unwrap(), "there is nothing to restore them from");
    assert_eq!(l.different(), []);
    let (first, second) = (l.store(), l.store());
    let found = l.work.verify_files(&l.work.audit_chain().unwrap()).unwrap();
    assert_eq!((found.unsealed, found.versions, found.different), (vec![first, second], vec![], vec![]));
    fs::remove_dir_all(l.work.registry().path(first).unwrap()).unwrap();
    let gone = l.different();
    assert_eq!((gone.len(), gone[0].0.as_str()), (1, "models/v0001"));
    assert!(gone[0].1.starts_with("is missing; line 1 (trained) recorded it"), "{gone:?}");
    l.record(EventKind::Pruned, json!({ "versions": [first] }));
    assert_eq!(l.different(), [], "its removal is recorded");
    let roles = l.work.registry().roles().unwrap();
    assert!(!l.work.restore_roles().unwrap(), "they exist");
    l.remove(ROLES_FILE);
    assert_eq!(l.different(), different(ROLES_FILE, "is missing: the next command restores it from audit.jsonl"));
    assert!(l.work.restore_roles().unwrap());
    assert_eq!((l.work.registry().roles().unwrap(), l.different()), (roles, vec![]));
}

#[test]
fn records_of_batches_are_those_that_went_out_wherever_they_are() {
    let l = Loop::new();
    let details = |record: Value| json!({ "batch": "b1", "n": 3, "record": record });
    l.record(EventKind::LabelsExported, details(Value::Null));
    assert_eq!(l.different(), [], "an older line does not record it");
    l.record(EventKind::LabelsExported, details(json!(sha256(b"{}"))));
    let (out, back) = ("label_inbox/batches/b1/batch.json", "label_inbox/imported/b1/batch.json");
    let missing = "is missing; line 2 (labels-exported) recorded it: restore it from a backup";
    assert_eq!(l.different(), different(back, missing));
    for file in [out, back] {
        l.write(file, "{}");
        assert_eq!(l.different(), [], "{file}");
        l.write(file, "{ }");
        let changed = "was changed after line 2 (labels-exported): restore it from a backup";
        assert_eq!(l.different(), different(file, changed));
        l.remove(file);
    }
}

#[test]
fn what_decisions_were_made_from_is_kept_as_long_as_a_version_may_need_it() {
    let l = Loop::new();
    l.store();
    let lock = l.lock();
    assert_eq!(l.work.keep(&lock, Path::new("absent")).unwrap(), None);
    l.write("old", "old");
    let old = l.work.keep(&lock, Path::new("old")).unwrap().unwrap();
    assert_eq!((old.clone(), l.work.kept(&old).unwrap()), (sha256(b"old"), Some(b"old".to_vec())));
    assert_eq!(
        (l.work.keep(&lock, Path::new("old")).unwrap(), l.work.kept("none").unwrap()),
        (Some(old.clone()), None)
    );
    drop(lock);
    // Each kind of line that names stored files.
    let hash = |n: u8| n.to_string().repeat(64);
    l.record(
        EventKind::GateVerdict,
        json!({ "production": "v0001", "challenger": "v0002", "decision": "refuse", "labels": hash(1) }),
    );
    l.record(EventKind::AbStopped, json!({ "name": "trial", "labels": hash(2) }));
    let answers = json!({
        "batch": ["b1"], "file": "f", "sha256": hash(5), "labels_before": hash(3), "kept": hash(4),
    });
    l.record(EventKind::LabelsImported, answers);
    let file = |sha256: &str| format!("runs/kept/{sha256}.zst");
    let missing = |n: u8, line: u8, kind: &str| {
        (file(&hash(n)), format!("is missing; line {line} ({kind}) needs it for a replay: restore it from a backup"))
    };
    let expected = [
        missing(1, 2, "gate-verdict"),
        missing(2, 3, "ab-stopped"),
        missing(3, 4, "labels-imported"),
        missing(4, 4, "labels-imported"),
    ];
    assert_eq!(l.different(), expected);
    // The files match their digests.
    let config = file(&sha256(TOML.as_bytes()));
    let packed = fs::read(l.dir.path().join(&config)).unwrap();
    l.write(&config, "no zstd");
    assert_eq!((l.different().len(), l.different()[0].0.as_str()), (5, config.as_str()));
    fs::copy(l.dir.path().join(file(&old)), l.dir.path().join(&config)).unwrap();
    assert_eq!((l.different().len(), l.work.kept(&sha256(TOML.as_bytes())).unwrap()), (5, None));
    fs::write(l.dir.path().join(&config), packed).unwrap();
    // With the first version, files named only before the second one, or not at all, are removed.
    l.write("mlloop.toml", &format!("{TOML}# other\n"));
    let second = l.store();
    let first = l.work.registry().versions().unwrap()[0];
    fs::remove_dir_all(l.work.registry().path(first).unwrap()).unwrap();
    l.record(EventKind::Pruned, json!({ "versions": [first] }));
    assert_eq!(l.different(), [], "the lines since {second} name only existing files");
    l.work.forget_kept(&l.lock(), &l.work.audit_chain().unwrap()).unwrap();
    let left = fs::read_dir(l.dir.path().join("runs/kept")).unwrap().map(|entry| entry.unwrap().file_name());
    let of_now = format!("{}.zst", sha256(format!("{TOML}# other\n").as_bytes()));
    assert_eq!(left.collect::<Vec<_>>(), [std::ffi::OsString::from(of_now)]);
}

#[test]
fn files_that_were_left_out_of_a_copy_are_not_missing() {
    let l = Loop::new();
    l.write(LABELS_FILE, "a");
    let last = l.record(EventKind::Outcomes, json!({ "added": 1, "labels_sha256": sha256(b"a") }));
    l.remove(LABELS_FILE);
    let away = Away {
        place: "there".to_owned(),
        head: last.head(),
        files: [("mlloop.toml".to_owned(), "d".to_owned())].into(),
        not_here: [LABELS_FILE.to_owned()].into(),
    };
    away.keep(&l.work, &l.lock()).unwrap();
    assert_eq!(Away::of(&l.work).unwrap(), Some(away.clone()));
    assert_eq!((away.base("there", "mlloop.toml"), away.base("elsewhere", "mlloop.toml")), (Some("d"), None));
    let found = l.work.verify_files(&l.work.audit_chain().unwrap()).unwrap();
    assert_eq!((found.different, found.not_here), (vec![], vec![LABELS_FILE.to_owned()]));
    l.write(LABELS_FILE, "b");
    assert_eq!(l.different().len(), 1, "existing files are checked");
}

#[test]
fn the_first_file_of_runs_makes_the_directory() {
    let l = Loop::new();
    l.work.announce_labels(&l.lock(), b"id,label\n").unwrap();
    l.write(LABELS_FILE, "id,label\n");
    assert!(l.work.labels_unrecorded().unwrap(), "the labels match the announcement");
    let l = Loop::new();
    let head = Head { seq: 1, hash: "0".repeat(64) };
    let away = Away { place: "there".to_owned(), head, files: [].into(), not_here: [].into() };
    away.keep(&l.work, &l.lock()).unwrap();
    assert_eq!(Away::of(&l.work).unwrap(), Some(away));
}
