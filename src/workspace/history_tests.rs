//! Details of chain lines, and queries on them.

use super::*;
use crate::workspace::event::Asks;
use serde_json::json;

fn chain(lines: &[(EventKind, Value)]) -> Chain {
    let entry = |(seq, (event, details)): (u64, &(EventKind, Value))| Entry {
        seq,
        at: jiff::Timestamp::UNIX_EPOCH,
        behind: None,
        event: event.clone(),
        by: None,
        config: None,
        roles: None,
        details: details.clone(),
        prev: String::new(),
        hash: String::new(),
    };
    let entries = (1..).zip(lines).map(entry).collect();
    Chain { entries, broken: None, unfinished: false }
}

#[test]
fn kinds_are_written_as_they_always_were() {
    for (kind, name) in [
        (EventKind::GateVerdict, "gate-verdict"),
        (EventKind::RolledBack, "rolled-back"),
        (EventKind::AbStarted, "ab-started"),
        (EventKind::Other("moved".to_owned()), "moved"),
    ] {
        assert_eq!(kind.to_string(), name);
        assert_eq!(serde_json::to_value(&kind).unwrap(), name);
        assert_eq!(serde_json::from_value::<EventKind>(name.into()).unwrap(), kind);
    }
}

#[test]
fn a_version_is_unjudged_until_somebody_refuses_it() {
    let made = (EventKind::Retrained, json!({ "version": "v0002" }));
    let verdict = |decision: &str| {
        (EventKind::GateVerdict, json!({ "production": "v0001", "challenger": "v0002", "decision": decision }))
    };
    let rejected = (EventKind::Rejected, json!({ "id": "x", "version": "v0002" }));
    for (lines, expected) in [
        (vec![], false),
        (vec![made.clone()], true),
        (vec![made.clone(), verdict("promote")], true),
        (vec![made.clone(), verdict("refuse")], false),
        (vec![made.clone(), rejected.clone()], false),
        (vec![rejected, made.clone()], true),
        (vec![made.clone(), (EventKind::Rejected, json!({ "id": "retrain-x", "asks": "retraining" }))], true),
    ] {
        assert_eq!(chain(&lines).is_unjudged(Version(2)).unwrap(), expected, "{lines:?}");
    }
}

#[test]
fn a_detail_that_is_damaged_is_an_error_with_its_line_and_key_and_never_nothing() {
    for details in [json!({}), json!({ "version": null }), json!({ "version": 2 }), json!({ "version": "two" })] {
        let damaged = chain(&[(EventKind::Retrained, details.clone())]);
        let said = damaged.last_retrain().unwrap_err().to_string();
        assert!(said.starts_with("audit.jsonl: line 1 (retrained): \"version\" "), "{details}: {said}");
        assert!(damaged.is_unjudged(Version(2)).is_err());
    }
    let verdict = json!({ "production": "v0001", "challenger": "v0002", "decision": 1 });
    let lines = [(EventKind::Trained, json!({ "version": "v0002" })), (EventKind::GateVerdict, verdict)];
    assert!(
        chain(&lines).is_unjudged(Version(2)).unwrap_err().to_string().contains("line 2 (gate-verdict): \"decision\"")
    );
    let asked = [(EventKind::ApprovalRequested, json!({ "id": ["x"] }))];
    assert!(chain(&asked).request("x").is_err() && chain(&asked).is_decided("x", Settled::Approved).is_err());
    // An invalid key is named, whether it belongs to both parts of the details or to one.
    let labels = json!({ "version": "v0002", "n_new": "many", "seed": 7 });
    let said = chain(&[(EventKind::Retrained, labels)]).last_retrain().unwrap_err().to_string();
    assert!(said.starts_with("audit.jsonl: line 1 (retrained): \"n_new\" "), "{said}");
}

#[test]
fn a_line_is_written_as_it_always_was_and_what_a_later_version_adds_is_no_fault() {
    fn same<T: Details>(kind: &EventKind, details: Value) {
        let mut more = details.clone();
        more["of_a_later_version"] = json!({ "a": 1 });
        let lines = chain(&[(kind.clone(), more)]);
        let said = lines.entries[0].of::<T>().unwrap().unwrap();
        assert_eq!(said.value(), details, "{kind}");
    }
    // A request for a promotion is written as in older versions, which had no other requests.
    assert_eq!([Asks::Promotion, Asks::Retraining].map(Asks::told), [None, Some(Asks::Retraining)]);
    let hash = "0".repeat(64);
    let table = json!({ "path": "data/reference.csv", "n_rows": 3, "sha256": hash });
    let made = json!({ "version": "v0002", "role": "challenger", "seed": 7, "data": [table], "files": { "a": hash } });
    same::<Trained>(&EventKind::Trained, made.clone());
    let mut from_labels = made;
    for (key, value) in [("parent", json!("v0001")), ("n_labels", json!(9)), ("n_new", json!(8)), ("n_added", json!(7))]
    {
        from_labels[key] = value;
    }
    from_labels["n_replaced"] = json!(1);
    from_labels["current"] = json!({ "path": "current.csv", "n_rows": 100 });
    same::<Retrained>(&EventKind::Retrained, from_labels);
    for more in [
        json!({ "verdict": "superior", "allow_equivalent": null }),
        json!({ "verdict": null, "id": "x", "announced": "2026-11-20T08:00:00Z" }),
        json!({ "override": "the old one is worse" }),
    ] {
        let mut details = json!({ "version": "v0002", "from": null });
        details.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        same::<Promoted>(&EventKind::Promoted, details);
    }
    for labels in [json!(null), json!(hash)] {
        let details = json!({
            "production": "v0001", "challenger": "v0002", "verdict": "superior", "decision": "promote",
            "test": { "value": 0.1 }, "alpha": 0.05, "broken": [], "rows": { "n": 3, "digest": "d" }, "uses": 1,
            "allow_equivalent": null, "seed": 0, "settings": ["promote.alpha=0.05"], "labels": labels,
        });
        same::<GateVerdict>(&EventKind::GateVerdict, details);
    }
    same::<Rejected>(&EventKind::Rejected, json!({ "id": "x", "version": "v0002", "reason": "no" }));
    let retraining = json!({ "id": "x", "asks": "retraining", "production": "v0001", "n_new": 3, "reason": "no" });
    same::<Rejected>(&EventKind::Rejected, retraining);
}

#[test]
fn the_last_line_that_has_something_is_the_one_that_counts() {
    let outcomes = |details: Value| (EventKind::Outcomes, details);
    let lines = [
        (EventKind::Trained, json!({ "version": "v0001" })),
        (EventKind::Retrained, json!({ "version": "v0002", "n_new": 3 })),
        outcomes(json!({ "added": 1, "labels_sha256": "a" })),
        outcomes(json!({ "added": 1, "labels_sha256": null })),
        outcomes(
            json!({ "added": 1, "lines": 4, "feedback": { "bytes": 5, "sha256": "f" }, "experiment": { "a": 1 } }),
        ),
    ];
    let whole = chain(&lines);
    let seq = |entry: Option<&Entry>| entry.map(|entry| entry.seq);
    assert_eq!(seq(whole.last(&EventKind::Outcomes)), Some(5));
    assert_eq!(seq(whole.last(&EventKind::Promoted)), None);
    assert!(whole.ends_with(&EventKind::Outcomes) && !whole.ends_with(&EventKind::Retrained));
    assert_eq!(whole.entry(2).map(|entry| &entry.event), Some(&EventKind::Retrained));
    assert!(whole.entry(0).is_none() && whole.entry(6).is_none());
    assert_eq!(whole.last_retrain().unwrap().map(|(entry, version)| (entry.seq, version)), Some((2, Version(2))));
    assert_eq!(seq(whole.maker_of(Version(1)).unwrap()), Some(1));
    assert_eq!(seq(whole.maker_of(Version(2)).unwrap()), Some(2));
    assert_eq!(seq(whole.maker_of(Version(3)).unwrap()), None);
    assert!(!whole.is_unjudged(Version(3)).unwrap(), "it does not exist");
    let labels = whole.last_with(Entry::labels_sha256).unwrap().map(|(entry, digest)| (entry.seq, digest));
    assert_eq!(labels, Some((4, None)), "the file was missing at that time");
    let seal = Seal { bytes: 5, sha256: "f".to_owned() };
    assert_eq!(whole.entries[4].feedback_seal().unwrap(), Some(Some(seal)));
    assert_eq!(whole.entries[4].n_feedback().unwrap(), Some(4));
    assert_eq!((whole.entries[4].experiment(), whole.entries[3].experiment()), (Some(&json!({ "a": 1 })), None));
    assert_eq!(
        whole.entries.iter().map(|entry| entry.made().unwrap()).collect::<Vec<_>>()[..3],
        [Some(Version(1)), Some(Version(2)), None]
    );
}

#[test]
fn a_request_is_decided_by_what_follows_it_under_its_name() {
    let asked = |id: &str, version: &str| {
        let details = json!({ "id": id, "version": version, "production": "v0001", "digest": "d", "expires_at": "2026-11-20T08:00:00Z" });
        (EventKind::ApprovalRequested, details)
    };
    let approved = (EventKind::Approved, json!({ "id": "a", "version": "v0002", "digest": "d" }));
    let rejected = (EventKind::Rejected, json!({ "id": "b", "version": "v0003", "reason": null }));
    let promoted = (EventKind::Promoted, json!({ "version": "v0002", "from": "v0001", "id": "a" }));
    let whole = chain(&[asked("a", "v0002"), asked("b", "v0003"), approved.clone(), rejected, promoted]);
    let found = whole.request("b").unwrap().map(|(entry, said)| (entry.seq, said.version));
    assert_eq!((found, whole.request("c").unwrap()), (Some((2, Some(Version(3)))), None));
    for (id, how, is) in [
        ("a", Settled::Approved, true),
        ("a", Settled::Promoted, true),
        ("a", Settled::Rejected, false),
        ("b", Settled::Rejected, true),
        ("b", Settled::Approved, false),
        ("b", Settled::Promoted, false),
    ] {
        assert_eq!(whole.is_decided(id, how).unwrap(), is, "{id}: {how:?}");
    }
    let again = chain(&[approved, asked("a", "v0002")]);
    assert!(!again.is_decided("a", Settled::Approved).unwrap(), "it was requested again");
}
