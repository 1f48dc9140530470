//! The store: reading, merging, unused labels.

use super::*;
use crate::labels::Used;
use crate::labels::orphans;
use crate::workspace::EventKind;
use crate::workspace::audit::Event;

const HEADER: &str = "id,label,annotator,labelled_at,source,batch,select_prob,model_version\n";

fn label(id: &str, label: &str, annotator: &str) -> Label {
    Label {
        id: id.to_owned(),
        label: label.to_owned(),
        annotator: annotator.to_owned(),
        labelled_at: jiff::Timestamp::UNIX_EPOCH,
        source: Source::Human,
        batch: String::new(),
        select_prob: None,
        model_version: None,
    }
}

fn asked(id: &str, said: &str, annotator: &str) -> Label {
    let batch = "b2026-11-20-1".to_owned();
    Label { batch, select_prob: Some(0.1), model_version: Some(Version(2)), ..label(id, said, annotator) }
}

#[test]
fn what_is_saved_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path());
    assert!(Labels::open(&workspace).unwrap().rows().is_empty());
    let rows = vec![
        asked("a,\"1\"", "yes", "ann"),
        Label { source: Source::Outcome, select_prob: Some(1.0 / 3.0), ..asked("\"b\n2\"", "no", "") },
        Label { source: Source::Model, ..label("c", "1", "v0001") },
    ];
    let mut labels = Labels::default();
    labels.merge(rows.clone());
    labels.save(&workspace, &workspace.lock().unwrap()).unwrap();
    // Not in the chain yet, but recognised as written by mlloop.
    assert!(workspace.labels_unrecorded().unwrap());
    let read = Labels::open(&workspace).unwrap();
    assert_eq!(read.rows(), rows);
    let mut each = Vec::new();
    Labels::each(&workspace, |label| each.push(label)).unwrap();
    assert_eq!(each, rows);
    assert_eq!(read.get("c", "v0001"), Some(&rows[2]));
    assert_eq!(read.ids().len(), 2, "a model's label leaves its row unlabelled");
}

#[test]
fn a_file_by_another_hand_may_lack_the_last_columns() {
    let text = "labelled_at,id,label,annotator,source\n2026-11-20,7,yes,bank,outcome\n";
    let labels = Labels::read("labels.csv", text.as_bytes()).unwrap();
    assert_eq!(labels.rows()[0].labelled_at.to_string(), "2026-11-20T00:00:00Z");
    assert_eq!((labels.rows()[0].select_prob, labels.rows()[0].source), (None, Source::Outcome));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let good = "a,yes,ann,2026-11-20T10:00:00Z,human,b1,0.5,v0001\n";
    let cases = [
        (format!("{HEADER}{good}{good}"), "line 3, column \"id\": \"a\" already has a label by ann, in row 1"),
        (format!("{HEADER}{good},yes,ann,2026-11-20T10:00:00Z,human,,,\n"), "line 3, column \"id\": \"\" is empty"),
        (format!("{HEADER}a,,ann,2026-11-20T10:00:00Z,human,,,\n"), "line 2, column \"label\": \"\" is empty"),
        (format!("{HEADER}a,yes,ann,yesterday,human,,,\n"), "column \"labelled_at\": \"yesterday\" is not a time"),
        (format!("{HEADER}a,yes,ann,2026-11-20T10:00:00Z,robot,,,\n"), "column \"source\": \"robot\" is not a source"),
        (format!("{HEADER}a,yes,ann,2026-11-20T10:00:00Z,human,,0,\n"), "column \"select_prob\": \"0\" is not a prob"),
        (format!("{HEADER}a,yes,ann,2026-11-20T10:00:00Z,human,,nan,\n"), "\"nan\" is not a probability"),
        (format!("{HEADER}a,yes,ann,2026-11-20T10:00:00Z,human,,,latest\n"), "\"latest\" is not a version"),
        (format!("{HEADER}a,yes\n"), "labels.csv: line 2: 2 fields, but the header has 8"),
        ("id,label,annotator,source\n".to_owned(), "column \"labelled_at\" is missing"),
        (HEADER.replace("batch", "lot"), "unknown column \"lot\""),
        (String::new(), "column \"id\" is missing"),
    ];
    for (text, what) in cases {
        let told = Labels::read("labels.csv", text.as_bytes()).unwrap_err().to_string();
        assert!(told.starts_with("labels.csv: ") && told.contains(what), "{told}\n{what}");
    }
}

#[test]
fn the_same_is_nothing_new_and_the_rest_is_told() {
    let mut labels = Labels::default();
    let first = labels.merge([asked("a", "yes", "ann"), asked("a", "no", "bob"), asked("b", "no", "ann")]);
    assert_eq!((first.n_added, first.n_unchanged, first.changes.len()), (3, 0, 0));
    let later = Label { labelled_at: jiff::Timestamp::MAX, ..asked("a", "yes", "ann") };
    let again = labels.merge([later, label("b", "no", "ann")]);
    assert!(again.is_nothing());
    assert_eq!(again.n_unchanged, 2);
    assert_eq!(labels.rows()[0].labelled_at, jiff::Timestamp::UNIX_EPOCH, "who says it again does not move it");
    let corrected = labels.merge([label("b", "yes", "ann")]);
    let expected = Change { id: "b".into(), annotator: "ann".into(), old: "no".into(), new: "yes".into() };
    assert_eq!((corrected.n_added, corrected.changes), (0, vec![expected]));
    assert_eq!(labels.rows()[2].select_prob, Some(0.1), "the row was still asked with that probability");
    assert_eq!(labels.rows().len(), 3);
    let outcome = Label { source: Source::Outcome, ..label("b", "yes", "ann") };
    assert_eq!(labels.merge([outcome]).changes[0].new, "yes (outcome)");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
fn labels_are_unused_until_a_version_learned_from_them() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path());
    let registry = workspace.registry();
    let mut labels = Labels::default();
    let model = Label { source: Source::Model, ..label("m", "yes", "v0001") };
    labels.merge([asked("a", "yes", "ann"), asked("a", "yes", "bob"), asked("b", "no", "ann"), model]);
    let ids = |labels: &Labels, used: &Used| {
        labels.unused(used).map(|l| format!("{}/{}", l.id, l.annotator)).collect::<Vec<_>>()
    };
    assert_eq!(ids(&labels, &Used::open(&workspace).unwrap()), ["a/ann", "a/bob", "b/ann"]);
    registry.store(|_, _| Ok(())).unwrap();
    registry.store(|_, dir| Used::save(dir, &labels.rows()[..1])).unwrap();
    registry.store(|_, dir| Used::save(dir, [&labels.rows()[0], &labels.rows()[2]])).unwrap();
    // Not reported yet: the process that stored them died.
    let none = Used::open(&workspace).unwrap();
    assert_eq!((ids(&labels, &none).len(), orphans(&workspace).unwrap()), (3, vec![Version(2), Version(3)]));
    let lock = workspace.lock().unwrap();
    for version in [Version(2), Version(3)] {
        let (at, details) = (jiff::Timestamp::UNIX_EPOCH, serde_json::json!({ "version": version }));
        workspace.record(&lock, Event { at, event: EventKind::Retrained, by: None, roles: None, details }).unwrap();
    }
    let used = Used::open(&workspace).unwrap();
    assert_eq!(ids(&labels, &used), ["a/bob"]);
    assert_eq!(used.versions(&labels.rows()[0]), [Version(2), Version(3)]);
    // In a broken chain, a version without a line may have been in a lost one.
    registry.store(|_, dir| Used::save(dir, &labels.rows()[1..2])).unwrap();
    assert_eq!(ids(&labels, &Used::open(&workspace).unwrap()), ["a/bob"]);
    let chain = workspace.path("audit.jsonl");
    let altered = std::fs::read_to_string(&chain).unwrap().replacen("v0002", "v0009", 1);
    std::fs::write(&chain, altered).unwrap();
    assert!(ids(&labels, &Used::open(&workspace).unwrap()).is_empty());
    labels.merge([label("b", "yes", "ann")]);
    assert_eq!(ids(&labels, &used), ["a/bob", "b/ann"], "what was changed since is unused again");
}

#[test]
fn what_is_news_is_told_before_a_merge_and_by_it() {
    let mut labels = Labels::default();
    labels.merge(vec![label("a", "yes", "ann")]);
    assert!(!labels.is_news(&label("a", "yes", "ann")));
    assert!(labels.is_news(&label("a", "no", "ann")) && labels.is_news(&label("a", "yes", "bea")));
    assert!(labels.merge(vec![label("a", "yes", "ann")]).is_nothing());
    assert!(!labels.merge(vec![label("a", "no", "ann")]).is_nothing());
    assert!(!labels.merge(vec![label("b", "no", "ann")]).is_nothing());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
fn labels_that_nobody_recorded_are_not_learned_from() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path());
    let lock = workspace.lock().unwrap();
    let mut labels = Labels::default();
    labels.merge([label("a", "yes", "ann")]);
    labels.save(&workspace, &lock).unwrap();
    let digest = workspace.labels_digest().unwrap();
    let details = serde_json::json!({ "added": 1, "labels_sha256": digest });
    let event = Event { at: jiff::Timestamp::UNIX_EPOCH, event: EventKind::Outcomes, by: None, roles: None, details };
    workspace.record(&lock, event).unwrap();
    assert_eq!(Labels::held(&workspace).unwrap().rows(), labels.rows());
    let path = workspace.path(crate::workspace::LABELS_FILE);
    let other = std::fs::read_to_string(&path).unwrap().replace("yes", "no");
    std::fs::write(&path, other).unwrap();
    assert!(Labels::held(&workspace).unwrap_err().to_string().contains("was changed after line 1 (outcomes)"));
    assert_eq!(Labels::open(&workspace).unwrap().rows()[0].label, "no", "looking at them is another thing");
}
