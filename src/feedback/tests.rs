use super::*;
use crate::features::Task;
use crate::journal::{Layout, Row, Window};
use crate::registry::{Learned, Version};
use crate::table::{ColumnSpec, Dialect, Kind, Schema};

fn target() -> Target {
    Target { name: "y".to_owned(), task: Task::Binary, classes: vec!["no".to_owned(), "yes".to_owned()] }
}

fn at(text: &str) -> Timestamp {
    Window::parse_instant(text).unwrap()
}

/// A loop with the predictions yes for `a` and `c`, and no for `b`.
fn predicted() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("models")).unwrap();
    let workspace = Workspace::new(dir.path());
    let id = ColumnSpec::new("key", Kind::Id);
    let layout = Layout::new(&Schema { dialect: Dialect::default(), columns: vec![id] }, &target());
    for (day, id, version, class) in [(1, "a", 1, 1), (1, "b", 1, 0), (2, "c", 2, 1)] {
        let at = at(&format!("2026-11-0{day}"));
        let row = Row {
            id,
            at,
            version: Version(version),
            arm: "",
            scores: &[0.5],
            class: Some(class),
            features: &[],
            windows: &[],
        };
        let mut lines = Vec::new();
        layout.push(&mut lines, &row);
        Journal::of(&workspace).append(&layout, at, &lines).unwrap();
    }
    (dir, workspace)
}

fn count(workspace: &Workspace, window: Window, period: Period) -> Stats {
    let filter = Filter { window, ..Filter::default() };
    stats(workspace, &entries(workspace).unwrap(), &filter, period).unwrap()
}

fn said(id: &str, verdict: Verdict, actual: Option<&str>) -> Correction {
    Correction {
        place: id.to_owned(),
        id: id.to_owned(),
        verdict,
        actual: actual.map(str::to_owned),
        by: "ann".to_owned(),
        comment: String::new(),
        fields: Fields::new(),
    }
}

fn give_at(workspace: &Workspace, corrections: &[Correction], time: &str) -> Result<Given, FeedbackError> {
    let lock = workspace.lock().unwrap();
    give(workspace, &lock, &target(), corrections, at(time))
}

#[test]
fn corrections_become_labels_and_lines_of_the_chain() {
    let (_dir, workspace) = predicted();
    let mut commented = said("c", Verdict::Uncertain, None);
    commented.comment = "\"no idea\"\nask later, please".to_owned();
    let corrections = [said("a", Verdict::Correct, None), said("b", Verdict::Incorrect, Some("TRUE")), commented];
    let given = give_at(&workspace, &corrections, "2026-11-09").unwrap();
    assert_eq!((given.n_new, given.n_unchanged, given.labels.n_added), (3, 0, 2));
    let labels = Labels::open(&workspace).unwrap();
    assert_eq!(labels.get("a", "ann").map(|label| label.label.as_str()), Some("yes"));
    let b = labels.get("b", "ann").unwrap();
    assert_eq!((b.label.as_str(), b.source, b.model_version), ("yes", Source::Human, Some(Version(1))));
    assert!(labels.get("c", "ann").is_none());
    let kept = entries(&workspace).unwrap();
    assert_eq!(kept[2].comment, "\"no idea\"\nask later, please");
    let chain = workspace.audit_chain().unwrap();
    assert_eq!((chain.entries.len(), chain.entries[0].by.as_deref()), (1, Some("ann")));
    assert_eq!(chain.entries[0].details["lines"], 3);
}

#[test]
fn the_same_again_is_nothing_and_a_change_of_mind_is_told() {
    let (_dir, workspace) = predicted();
    let first = [said("a", Verdict::Correct, None)];
    give_at(&workspace, &first, "2026-11-09").unwrap();
    let again = give_at(&workspace, &first, "2026-11-10").unwrap();
    assert!(again.is_nothing() && again.n_unchanged == 1);
    let changed = give_at(&workspace, &[said("a", Verdict::Incorrect, Some("no"))], "2026-11-11").unwrap();
    assert_eq!((changed.n_new, changed.labels.n_added, changed.labels.changes.len()), (1, 0, 1));
    let chain = workspace.audit_chain().unwrap();
    assert_eq!(chain.entries[1].details["labels_changed"][0]["old"], "yes");
    let stats = count(&workspace, Window::default(), Period::Week);
    assert_eq!((stats.count.total, stats.count.incorrect, stats.unused), (1, 1, 1));
}

#[test]
fn one_that_is_wrong_keeps_all_out() {
    let (dir, workspace) = predicted();
    let cases = [
        (said("z", Verdict::Correct, None), "no logged prediction for \"z\""),
        (said("a", Verdict::Incorrect, None), "needs the actual value"),
        (said("a", Verdict::Incorrect, Some("yes")), "equals the prediction"),
        (said("a", Verdict::Correct, Some("no")), "the verdict is incorrect"),
        (said("a", Verdict::Incorrect, Some("maybe")), "not one of the classes no, yes"),
        (said("a", Verdict::Uncertain, Some("no")), "takes no actual value"),
    ];
    for (wrong, what) in cases {
        let message = give_at(&workspace, &[said("b", Verdict::Correct, None), wrong], "2026-11-09").unwrap_err();
        assert!(message.to_string().contains(what), "{message}");
    }
    assert!(!dir.path().join("data").exists() && !dir.path().join("audit.jsonl").exists());
}

#[test]
fn what_a_process_left_unfinished_is_completed_by_the_next() {
    let (dir, workspace) = predicted();
    give_at(&workspace, &[said("a", Verdict::Correct, None)], "2026-11-09").unwrap();
    let path = dir.path().join("data/feedback.csv");
    let line = "b,correct,no,bob,2026-11-09T00:00:00Z,,v0001,no,2026-11-01T00:00:00Z,\n";
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, before.clone() + line).unwrap();
    let planted = give_at(&workspace, &[said("a", Verdict::Correct, None)], "2026-11-10").unwrap_err().to_string();
    assert!(planted.contains("\"b\" on) were not written by `mlloop feedback`"), "{planted}");
    assert!(Labels::open(&workspace).unwrap().get("b", "bob").is_none());
    // The same line, and another that was announced but never written.
    std::fs::write(&path, before.clone() + line + &line.replace("b,", "d,")).unwrap();
    store::announce(&workspace, 1, entries(&workspace).unwrap()[1..].iter()).unwrap();
    std::fs::write(&path, before + line + "d,corr").unwrap();
    let given = give_at(&workspace, &[said("a", Verdict::Correct, None)], "2026-11-10").unwrap();
    assert_eq!((given.n_new, given.n_completed, given.labels.n_added), (0, 1, 1));
    assert!(Labels::open(&workspace).unwrap().get("b", "bob").is_some());
    assert!(give_at(&workspace, &[said("a", Verdict::Correct, None)], "2026-11-10").unwrap().is_nothing());
}

#[test]
fn it_is_counted_by_version_and_period() {
    let (_dir, workspace) = predicted();
    give_at(&workspace, &[said("a", Verdict::Correct, None)], "2026-11-01").unwrap();
    give_at(&workspace, &[said("b", Verdict::Incorrect, Some("yes"))], "2026-11-02").unwrap();
    give_at(&workspace, &[said("c", Verdict::Uncertain, None)], "2026-11-08").unwrap();
    let of = |window| count(&workspace, window, Period::Week);
    let all = of(Window::default());
    assert_eq!((all.count.accuracy_rate, all.count.correction_rate), (Some(0.5), Some(1.0 / 3.0)));
    assert_eq!(all.unused, 2);
    let names = |groups: &[Group]| groups.iter().map(|g| (g.name.clone(), g.count.total)).collect::<Vec<_>>();
    assert_eq!(names(&all.by_version), [("v0001".to_owned(), 2), ("v0002".to_owned(), 1)]);
    // 2026-11-01 is a Sunday.
    assert_eq!(names(&all.by_period), [("2026-10-26".to_owned(), 1), ("2026-11-02".to_owned(), 2)]);
    assert_eq!(of(Window::since(at("2026-11-02"))).count.total, 2);
    let version = workspace.path("models/v0003");
    std::fs::create_dir(&version).unwrap();
    std::fs::write(version.join("labels_used.csv"), "id,label,annotator,batch\na,yes,ann,\nb,no,ann,\n").unwrap();
    let details = json!({ "version": "v0003" });
    let trained = Event { at: at("2026-11-09"), event: EventKind::Retrained, by: None, roles: None, details };
    workspace.record(&workspace.lock().unwrap(), trained).unwrap();
    assert_eq!(of(Window::default()).unused, 1, "b was used with another label");
}

#[test]
fn a_sheet_may_have_other_delimiters_and_capitals() {
    for text in ["id;Verdict;Actual;by\nr1;incorrect;1,5;ann\n", "ID\tverdict\tactual\tby\nr1\tincorrect\t1,5\tann\n"] {
        let found = parse::corrections("stdin", text.as_bytes(), "").unwrap();
        assert_eq!(
            (found[0].id.as_str(), found[0].actual.as_deref(), found[0].by.as_str()),
            ("r1", Some("1,5"), "ann")
        );
    }
}

#[test]
fn csv_and_json_lines_are_read() {
    let csv = "\u{feff}id,verdict,actual,by\n007, correct,,\n 8,incorrect,1.0,bob\n,,,\n";
    let json = "{\"id\": \"007\", \"verdict\": \"correct\"}\n\n{\"id\": 8, \"verdict\": \"incorrect\", \"actual\": 1.0, \"by\": \"bob\"}\n";
    let read = |text: &str| {
        let corrections = parse::corrections("stdin", text.as_bytes().to_vec().as_slice(), "eve").unwrap();
        corrections.into_iter().map(|c| (c.id, c.verdict, c.actual, c.by)).collect::<Vec<_>>()
    };
    let expected = [
        ("007".to_owned(), Verdict::Correct, None, "eve".to_owned()),
        ("8".to_owned(), Verdict::Incorrect, Some("1.0".to_owned()), "bob".to_owned()),
    ];
    assert_eq!(read(csv), expected);
    assert_eq!(read(json), expected);
    let spaced = "id,comment,verdict\n1, \"a,b\",correct\n";
    let found = parse::corrections("stdin", spaced.as_bytes(), "").unwrap();
    assert_eq!((found[0].comment.as_str(), found[0].verdict), ("a,b", Verdict::Correct));
    for (text, what) in [
        ("id,verdict\na,\"correct\n", "stdin: line 2: a quote is opened and never closed"),
        ("id,verdict\na,wrong\n", "stdin: line 2: "),
        ("id,verdict\na\n", "1 field, but the header has 2"),
        ("id,verdict,actal\na,correct,red\n", "did you mean \"actual\"?"),
        ("{\"id\": \"a\", \"verdict\": \"correct\", \"tags\": [1]}\n", "\"tags\" is a list or an object"),
        ("{\"id\": \"a\"}\n", "stdin: line 1: missing field"),
    ] {
        let message = parse::corrections("stdin", text.as_bytes(), "").unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn what_is_said_of_rows_that_a_version_learned_from_says_nothing_about_it() {
    let (_dir, workspace) = predicted();
    for (id, verdict, actual) in [("a", Verdict::Correct, None), ("b", Verdict::Incorrect, Some("yes"))] {
        give_at(&workspace, &[said(id, verdict, actual)], "2026-11-02").unwrap();
    }
    let of = |version| judged(&workspace, Version(version)).unwrap();
    assert_eq!(of(1), [("a".to_owned(), true), ("b".to_owned(), false)]);
    let before = count(&workspace, Window::default(), Period::Day).count;
    assert_eq!((before.n_learned, before.accuracy_rate), (0, Some(0.5)));
    let path = workspace.path("models/v0001");
    std::fs::create_dir_all(&path).unwrap();
    Learned::new(["a", "c"].into_iter()).save(&path).unwrap();
    let all = count(&workspace, Window::default(), Period::Day);
    assert_eq!((all.count.total, all.count.n_learned, all.count.correct), (2, 1, 0));
    assert_eq!((all.count.accuracy_rate, all.count.correction_rate), (Some(0.0), Some(1.0)));
    assert_eq!((of(1), all.by_version[0].count.n_learned), (vec![("b".to_owned(), false)], 1));
}

#[test]
fn free_fields_are_kept_filtered_and_followed_to_the_version_that_used_them() {
    let (dir, workspace) = predicted();
    let csv = "id,verdict,account,period\na,correct,acme,2026-10\nb,correct,zeta,\n";
    let json = "{\"id\": \"c\", \"verdict\": \"uncertain\", \"account\": \"acme\", \"n\": 3, \"x\": null}\n";
    for text in [csv, json] {
        let corrections = parse::corrections("stdin", text.as_bytes(), "ann").unwrap();
        give_at(&workspace, &corrections, "2026-11-09").unwrap();
    }
    let of = |name: &str, value: &str| {
        let fields = Fields::from([(name.to_owned(), value.to_owned())]);
        let filter = Filter { fields, ..Filter::default() };
        let ids: Vec<String> = list(&workspace, &filter).unwrap().into_iter().map(|told| told.entry.id).collect();
        (ids, stats(&workspace, &entries(&workspace).unwrap(), &filter, Period::Day).unwrap().count.total)
    };
    assert_eq!(of("account", "acme"), (vec!["a".to_owned(), "c".to_owned()], 2));
    assert_eq!(of("n", "3"), (vec!["c".to_owned()], 1));
    assert_eq!(of("x", "1").1, 0);
    let one = || list(&workspace, &Filter { id: Some("a".to_owned()), ..Filter::default() }).unwrap();
    assert_eq!((one().len(), one()[0].used_since), (1, None));
    std::fs::create_dir_all(workspace.path("models/v0004")).unwrap();
    std::fs::write(workspace.path("models/v0004/labels_used.csv"), "id,label,annotator,batch\na,yes,ann,\n").unwrap();
    let details = json!({ "version": "v0004" });
    let trained = Event { at: at("2026-11-09"), event: EventKind::Retrained, by: None, roles: None, details };
    workspace.record(&workspace.lock().unwrap(), trained).unwrap();
    assert_eq!(one()[0].used_since, Some(Version(4)));
    // The same with another field is new feedback.
    let again = parse::corrections("stdin", csv.replace("zeta", "beta").as_bytes(), "ann").unwrap();
    assert_eq!(give_at(&workspace, &again, "2026-11-10").unwrap().n_new, 1);
    // A file without free fields is readable, and gets its new header with the next line.
    drop(dir);
    let (dir, workspace) = predicted();
    give_at(&workspace, &[said("a", Verdict::Correct, None)], "2026-11-09").unwrap();
    let path = dir.path().join("data/feedback.csv");
    let now = std::fs::read_to_string(&path).unwrap();
    let then: String = now.lines().map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0)).collect();
    assert!(then.starts_with("id,verdict,label,by,at,comment,version,prediction,predicted_at\n"));
    // The audit chain of that version has the number of lines, but no hash of them.
    drop(dir);
    let (dir, workspace) = predicted();
    let path = dir.path().join("data/feedback.csv");
    std::fs::create_dir_all(dir.path().join("data")).unwrap();
    std::fs::write(&path, then).unwrap();
    let given = Event {
        at: at("2026-11-09"),
        event: EventKind::Feedback,
        by: None,
        roles: None,
        details: json!({ "lines": 1 }),
    };
    workspace.record(&workspace.lock().unwrap(), given).unwrap();
    assert_eq!(entries(&workspace).unwrap().len(), 1);
    assert!(give_at(&workspace, &[said("a", Verdict::Correct, None)], "2026-11-10").unwrap().is_nothing());
    give_at(&workspace, &[said("b", Verdict::Correct, None)], "2026-11-10").unwrap();
    let upgraded = std::fs::read_to_string(&path).unwrap();
    assert!(upgraded.starts_with(&now) && upgraded.lines().count() == 3, "{upgraded}");
}

#[test]
fn what_waits_is_taken_in_once_and_its_last_word_counts() {
    use crate::labels::became;
    let (_dir, workspace) = predicted();
    let outcome = |id: &str, value: &str| became(id.to_owned(), value.to_owned(), at("2026-11-09"), Version(2));
    let checked = |verdict, actual, time| {
        let mut correction = said("a", verdict, actual);
        correction.comment = "two\nlines, \"quoted\"".to_owned();
        check(&workspace, &target(), &[correction], at(time)).unwrap().remove(0)
    };
    let corrections = [
        checked(Verdict::Correct, None, "2026-11-09"),
        checked(Verdict::Incorrect, Some("no"), "2026-11-10"),
        checked(Verdict::Correct, None, "2026-11-11"),
    ];
    waiting::keep(&workspace, vec![outcome("a", "yes"), outcome("b", "no")], &corrections[..1]).unwrap();
    waiting::keep(&workspace, vec![outcome("a", "no")], &corrections[1..]).unwrap();
    assert!(waiting::is_waiting(&workspace) && Labels::open(&workspace).unwrap().rows().is_empty());
    let waits = std::fs::read(workspace.path("runs/waiting.jsonl")).unwrap();

    let taken = waiting::take_in(&workspace, &workspace.lock().unwrap(), None, at("2026-11-12")).unwrap();
    assert_eq!((taken.n_outcomes, taken.n_feedback), (2, 3));
    let labels = Labels::open(&workspace).unwrap();
    let label = |id: &str, by: &str| labels.get(id, by).map(|label| label.label.clone()).unwrap();
    assert_eq!((label("a", ""), label("b", ""), label("a", "ann")), ("no".into(), "no".into(), "yes".into()));
    assert_eq!(entries(&workspace).unwrap(), corrections);

    // A process crashed after recording, before it removed the file.
    let files =
        || ["data/labels.csv", "data/feedback.csv", "audit.jsonl"].map(|f| std::fs::read(workspace.path(f)).unwrap());
    let before = files();
    std::fs::write(workspace.path("runs/taking.jsonl"), waits).unwrap();
    let taken = waiting::take_in(&workspace, &workspace.lock().unwrap(), None, at("2026-11-13")).unwrap();
    assert_eq!((taken.n_outcomes, taken.n_feedback), (2, 0));
    assert!(files() == before && !waiting::is_waiting(&workspace));
}

#[test]
fn what_waits_and_is_damaged_goes_on_waiting() {
    let (_dir, workspace) = predicted();
    std::fs::create_dir_all(workspace.path("runs")).unwrap();
    for line in ["{}", "{\"outcome\":{\"id\":\"a\"}}", "{\"feedback\":\"a,correct\"}", "x"] {
        std::fs::write(workspace.path("runs/taking.jsonl"), format!("{line}\n")).unwrap();
        let lock = workspace.lock().unwrap();
        let refused = waiting::take_in(&workspace, &lock, None, at("2026-11-12")).unwrap_err().to_string();
        assert!(refused.contains("taking.jsonl: line 1: "), "{refused}");
        assert!(waiting::is_waiting(&workspace));
    }
}

#[test]
fn what_was_said_since_is_read_alone() {
    let (_dir, workspace) = predicted();
    assert_eq!(entries_from(&workspace, 0).unwrap(), (Vec::new(), 0));
    give_at(&workspace, &[said("a", Verdict::Incorrect, Some("no"))], "2026-11-05").unwrap();
    let (first, seen) = entries_from(&workspace, 0).unwrap();
    assert_eq!((first.len(), entries_from(&workspace, seen).unwrap()), (1, (Vec::new(), seen)));
    give_at(&workspace, &[said("b", Verdict::Correct, None), said("c", Verdict::Uncertain, None)], "2026-11-06")
        .unwrap();
    let (since, whole) = entries_from(&workspace, seen).unwrap();
    assert_eq!(since, entries(&workspace).unwrap()[1..]);
    assert_eq!(
        (entries_from(&workspace, whole).unwrap(), entries_from(&workspace, whole + 9).unwrap().0.len()),
        ((Vec::new(), whole), 0)
    );
}

#[test]
fn verdicts_are_taken_in_the_words_of_labels() {
    for (word, verdict) in [
        ("correct", Verdict::Correct),
        ("Incorrect ", Verdict::Incorrect),
        ("falsch", Verdict::Incorrect),
        ("WAHR", Verdict::Correct),
        ("vrai", Verdict::Correct),
        ("false", Verdict::Incorrect),
    ] {
        assert_eq!(word.parse(), Ok(verdict), "{word}");
    }
    assert_eq!(
        "incorect".parse::<Verdict>().unwrap_err(),
        "\"incorect\" is not a verdict: did you mean \"incorrect\"? Choose from correct, incorrect, uncertain"
    );
    let text = "id;verdict;actual\na;falsch;no\nb;wahr;\n";
    let read = super::parse::corrections("stdin", text.as_bytes(), "").unwrap();
    assert_eq!(read.iter().map(|line| line.verdict).collect::<Vec<_>>(), [Verdict::Incorrect, Verdict::Correct]);
    let json =
        super::parse::corrections("stdin", &b"{\"id\": 1, \"verdict\": false, \"actual\": \"no\"}\n"[..], "").unwrap();
    assert_eq!(json[0].verdict, Verdict::Incorrect);
}
