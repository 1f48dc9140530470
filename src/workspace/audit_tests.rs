//! The chain: its formula, its breaks, and clocks that go back.

use super::*;
use crate::registry::Version;
use serde_json::json;
use std::fs;

fn event(n: u32, roles: Option<Roles>) -> Event {
    Event {
        at: jiff::Timestamp::UNIX_EPOCH,
        event: EventKind::Promoted,
        by: None,
        roles,
        details: json!({ "b": n, "a": 0.1 }),
    }
}

fn production(n: u32) -> Option<Roles> {
    Some(Roles { production: Some(Version(n)), ..Roles::default() })
}

fn of_four() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("models")).unwrap();
    let workspace = Workspace::new(dir.path());
    let lock = workspace.lock().unwrap();
    for n in 1..=4 {
        workspace.record(&lock, event(n, production(n))).unwrap();
    }
    (dir, workspace)
}

#[test]
fn the_hash_is_that_of_the_formula() {
    let (_dir, workspace) = of_four();
    let chain = workspace.audit_chain().unwrap();
    assert_eq!((chain.broken, chain.entries.len()), (None, 4));
    // Computed independently: sha256 of 64 zeros and the canonical JSON.
    let event = r#"{"at":"1970-01-01T00:00:00Z","details":{"a":0.1,"b":1},"event":"promoted","roles":{"challenger":null,"format":1,"previous":[],"production":"v0001"},"seq":1}"#;
    assert_eq!(chain.entries[0].hash, sha256(format!("{GENESIS}{event}").as_bytes()));
}

#[test]
fn any_tampering_is_found() {
    let (dir, workspace) = of_four();
    let path = dir.path().join("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let altered = text.replacen("\"b\":2", "\"b\":7", 1);
    let spaced = text.replacen("\"b\":2", "\"b\": 2", 1);
    let cases = [
        (altered, 2),
        (spaced, 2),
        (joined(&[lines[0], lines[2], lines[3]]), 2),
        (joined(&[lines[1], lines[0], lines[2], lines[3]]), 1),
        (joined(&lines[..3]), 4),
        (text[..text.len() - 20].to_owned(), 4),
        (joined(&lines[1..]), 1),
        (String::new(), 1),
    ];
    for (tampered, line) in cases {
        // Also if this process verified the whole chain before.
        fs::write(&path, &text).unwrap();
        assert_eq!(workspace.audit_chain().unwrap().broken, None);
        let text = tampered;
        fs::write(&path, &text).unwrap();
        assert_eq!(workspace.audit_chain().unwrap().broken.map(|broken| broken.line), Some(line), "{text}");
    }
    let refused = workspace.record(&workspace.lock().unwrap(), event(5, None)).unwrap_err().to_string();
    assert!(refused.contains("audit verify"), "{refused}");
    // A line added after the verified part, and one changed in place within it.
    fs::write(&path, &text).unwrap();
    assert_eq!(workspace.audit_chain().unwrap().broken, None);
    fs::write(&path, format!("{text}{}\n", lines[3])).unwrap();
    assert_eq!(workspace.audit_chain().unwrap().broken.map(|broken| broken.line), Some(5));
    fs::write(&path, format!("{}{}\n", text.replacen("\"b\":2", "\"b\":7", 1), lines[3])).unwrap();
    assert_eq!(workspace.audit_chain().unwrap().broken.map(|broken| broken.line), Some(2));
}

#[test]
fn roles_catch_up_with_a_chain_that_ran_ahead() {
    let (dir, workspace) = of_four();
    let roles = dir.path().join("models/roles.json");
    let before = fs::read(&roles).unwrap();
    workspace.record(&workspace.lock().unwrap(), event(5, production(5))).unwrap();
    fs::write(&roles, before).unwrap();
    assert_eq!(workspace.registry().roles().unwrap().production, Some(Version(4)));
    assert_eq!(workspace.audit_chain().unwrap().broken, None, "a crash between the two writes is not tampering");
    drop(workspace.lock().unwrap());
    assert_eq!(workspace.registry().roles().unwrap().production, Some(Version(5)));
    assert_eq!(workspace.record(&workspace.lock().unwrap(), event(6, None)).unwrap().seq, 6);
}

#[test]
fn a_role_that_was_changed_is_found_by_the_chain_and_by_whoever_reads_it() {
    let (dir, workspace) = of_four();
    let path = dir.path().join("models/roles.json");
    let mut roles: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    roles["production"] = json!("v0003");
    fs::write(&path, roles.to_string()).unwrap();
    let says = "models/roles.json, which was changed: production is v0003 here and v0004 in line 4 of audit.jsonl";
    let broken = workspace.audit_chain().unwrap().broken.unwrap();
    assert!(broken.line == 4 && broken.what.contains(says), "{broken:?}");
    assert!(workspace.registry().roles().unwrap_err().to_string().contains("production is v0003 here and v0004"));
    // A line without roles keeps those of the preceding line.
    roles["production"] = json!("v0004");
    fs::write(&path, roles.to_string()).unwrap();
    workspace.record(&workspace.lock().unwrap(), event(5, None)).unwrap();
    assert_eq!(workspace.audit_chain().unwrap().broken, None);
    assert_eq!(workspace.registry().roles().unwrap().production, Some(Version(4)));
}

fn at(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

/// Lines written at these times; each makes the version with the line's number production.
fn written_at(times: &[&str]) -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("models")).unwrap();
    let workspace = Workspace::new(dir.path());
    let lock = workspace.lock().unwrap();
    for (n, time) in (1..).zip(times) {
        workspace.record(&lock, Event { at: at(time), ..event(n, production(n)) }).unwrap();
    }
    (dir, workspace)
}

/// The number of the line in effect at a time, at the current time `now`, and the lines marked in the answer.
fn decided(chain: &Chain, time: &str, now: &str) -> (Option<u64>, Vec<u64>) {
    let (time, now) = (at(time), at(now));
    let line = chain.roles_at(time, now).map(|found| found.entry.seq);
    (line, chain.moved_at(time, now).iter().map(|moved| moved.line).collect())
}

#[test]
fn a_day_is_answered_in_the_order_of_the_chain() {
    // The third clock was not set yet; the fourth was ahead.
    let times = [
        "2026-01-10T00:00:00Z",
        "2026-02-11T00:00:00Z",
        "1970-01-01T00:05:00Z",
        "2099-01-01T00:00:00Z",
        "2026-03-01T00:00:00Z",
    ];
    let (_dir, workspace) = written_at(&times);
    let chain = workspace.audit_chain().unwrap();
    for (time, expected, marked) in [
        ("1969-12-31T00:00:00Z", None, &[][..]),
        ("1980-01-01T00:00:00Z", None, &[3]),
        ("2026-01-20T00:00:00Z", Some(1), &[3]),
        ("2026-02-11T00:00:00Z", Some(3), &[3, 4]),
        ("2026-02-20T00:00:00Z", Some(3), &[3, 4]),
        ("2026-03-01T00:00:00Z", Some(5), &[4]),
        ("2026-04-01T00:00:00Z", Some(5), &[4]),
        ("2100-01-01T00:00:00Z", Some(5), &[4]),
    ] {
        assert_eq!(decided(&chain, time, "2026-04-01T12:00:00Z"), (expected, marked.to_vec()), "{time}");
    }
    let (_dir, same) = written_at(&["2026-01-10T00:00:00Z"; 3]);
    let time = "2026-01-10T00:00:00Z";
    let last = decided(&same.audit_chain().unwrap(), time, "2026-04-01T12:00:00Z");
    assert_eq!(last, (Some(3), vec![]), "of equal times the last line decides");
}

#[test]
fn the_present_and_all_later_times_see_the_end_of_the_chain() {
    let now = "2026-04-01T12:00:00Z";
    for times in [
        &["2026-01-10T00:00:00Z", "2026-02-10T00:00:00Z", "2026-02-11T12:00:00Z", "2026-02-11T11:30:00Z"][..],
        &["2026-01-10T00:00:00Z", "2026-02-10T00:00:00Z", "2026-02-11T12:00:00Z", "1970-01-01T00:00:00Z"],
        &["2026-01-10T00:00:00Z", "2026-02-10T00:00:00Z", "2026-02-11T12:00:00Z", "2099-01-01T00:00:00Z"],
        &["2026-01-10T00:00:00Z", "2099-02-10T00:00:00Z", "2026-02-11T12:00:00Z", "2026-02-12T00:00:00Z"],
        &["2025-01-10T00:00:00Z", "2098-02-10T00:00:00Z", "2099-02-11T12:00:00Z", "2026-02-12T00:00:00Z"],
        &["2099-01-10T00:00:00Z", "2026-02-10T00:00:00Z"],
        &["2099-01-10T00:00:00Z"],
    ] {
        let (_dir, workspace) = written_at(times);
        let chain = workspace.audit_chain().unwrap();
        for time in [now, "2026-04-02T00:00:00Z", "2098-06-01T00:00:00Z", "2200-01-01T00:00:00Z"] {
            assert_eq!(decided(&chain, time, now).0, Some(times.len() as u64), "{times:?} at {time}");
        }
    }
}

#[test]
fn a_line_says_by_which_line_its_clock_is_behind() {
    let times = [
        "2026-02-11T00:00:00Z",
        "1970-01-01T00:05:00Z",
        "1970-01-02T00:00:00Z",
        "2026-02-11T00:00:00Z",
        "2026-02-10T23:59:30Z",
    ];
    let (_dir, workspace) = written_at(&times);
    let chain = workspace.audit_chain().unwrap();
    assert_eq!(chain.broken, None);
    let marks: Vec<Option<jiff::Timestamp>> = chain.entries.iter().map(|entry| entry.behind).collect();
    let latest = Some(at(times[0]));
    assert_eq!(marks, [None, latest, latest, None, None], "half a minute is explained by waiting for the lock");
    let found: Vec<(u64, u64)> = chain.clock_went_back().iter().map(|back| (back.line, back.after_line)).collect();
    assert_eq!(found, [(2, 1), (3, 1)]);
}

#[test]
fn lines_from_before_the_mark_are_read_as_they_are_and_their_clocks_are_seen() {
    let (dir, workspace) = written_at(&["2026-02-11T00:00:00Z"]);
    // A line without a mark, as older versions wrote it.
    let mut old = workspace.audit_chain().unwrap().entries.remove(0);
    (old.seq, old.at, old.prev) = (2, at("1970-01-01T00:05:00Z"), old.hash.clone());
    old.hash = old.digest().unwrap();
    let path = dir.path().join("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap() + &old.line().unwrap() + "\n";
    assert!(!text.contains("behind"));
    fs::write(&path, text).unwrap();
    let chain = workspace.audit_chain().unwrap();
    assert_eq!((chain.broken.as_ref(), chain.entries.len()), (None, 2));
    assert_eq!(chain.clock_went_back()[0].line, 2);
}

#[test]
fn lines_are_shown_as_they_stand_wherever_the_chain_breaks() {
    let (dir, workspace) = of_four();
    let path = dir.path().join("audit.jsonl");
    let shown = |from: u64, n: usize| {
        let lines = workspace.audit_unchecked(from, n).unwrap();
        lines.into_iter().map(|(number, entry)| (number, entry.map(|entry| entry.seq))).collect::<Vec<_>>()
    };
    assert_eq!(shown(1, 9), [(1, Some(1)), (2, Some(2)), (3, Some(3)), (4, Some(4))]);
    assert_eq!(shown(2, 2), [(3, Some(3)), (4, Some(4))], "the last two of the three");
    assert_eq!(shown(4, 2), [(4, Some(4))]);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("{\"at\"", "at\"", 2)).unwrap();
    assert_eq!(shown(2, 9), [(2, None), (3, Some(3)), (4, Some(4))], "an invalid line");
}

#[test]
fn of_two_lines_with_the_latest_time_the_later_one_is_named() {
    let (_dir, workspace) = written_at(&["2026-02-11T00:00:00Z", "2026-02-11T00:00:00Z", "2026-02-10T00:00:00Z"]);
    let found = workspace.audit_chain().unwrap().clock_went_back();
    assert_eq!(found.iter().map(|back| (back.line, back.after_line)).collect::<Vec<_>>(), [(3, 2)]);
}

#[test]
fn every_digest_that_a_line_names_is_found() {
    let (_dir, workspace) = of_four();
    let mut line = workspace.last_entry().unwrap().unwrap();
    let hash = |n: u8| n.to_string().repeat(64);
    line.config = Some(hash(1));
    line.details = json!({ "a": hash(2), "b": [{ "c": hash(3) }, "short", "x".repeat(64)], "n": 1 });
    assert_eq!(line.digests(), [hash(1), hash(2), hash(3)]);
}
