//! `promote`, `approve`, `reject` and `rollback` stopped at every write, on a full disk, and two at once.

use crate::gate::{better, events, production, train, with};
use crate::support::{ERROR, Loop, WAITING, YES, points};
use std::path::Path;

/// A command, what it answers, and how production changes.
struct Deed<'a> {
    line: &'a str,
    answers: i32,
    from: &'a str,
    to: &'a str,
    /// The event that must stand in the chain once, however often the command died.
    once: &'a str,
}

/// Names that a write leaves when it is cut off.
fn leftovers(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with(".mlloop-") {
            found.push(path.display().to_string());
        } else if path.is_dir() {
            leftovers(&path, found);
        }
    }
}

/// Nothing is lost: the chain holds, the state is the old or the new one, and repeating the command completes it.
fn whole(copy: &Loop, deed: &Deed, fault: &str) {
    copy.run("audit verify").answers(YES);
    copy.run("status").answers(YES);
    let now = production(copy);
    assert!(now == deed.from || now == deed.to, "{fault}: {now}");
    copy.run(deed.line).answers(deed.answers);
    assert_eq!(production(copy), deed.to, "{fault}");
    copy.run("audit verify").answers(YES);
    let n = events(copy).iter().filter(|event| *event == deed.once).count();
    assert_eq!(n, 1, "{fault}: {:?}", events(copy));
}

fn survives(work: &Loop, deed: &Deed, then: impl Fn(&Loop)) {
    for kind in ["die", "full"] {
        for n in points() {
            let fault = format!("{kind}:{n}");
            let copy = work.copy();
            let said = copy.pipe_with(deed.line, "", &fault);
            if said.status() == deed.answers {
                assert!(n > 8, "{} has {n} points", deed.line);
                break;
            }
            assert_eq!(said.status(), if kind == "die" { -1 } else { ERROR }, "{fault} {}", said.stderr);
            whole(&copy, deed, &fault);
            then(&copy);
        }
    }
}

#[test]
fn a_promotion_that_prunes() {
    let work =
        with(&["n_estimators = 1\nmax_depth = 1", "n_estimators = 1", "n_estimators = 2", ""], "keep_versions = 1");
    let line = "promote --now 2026-11-08T00:00:00Z";
    let deed = Deed { line, answers: YES, from: "v0001", to: "v0004", once: "promoted" };
    survives(&work, &deed, |copy| {
        assert!(!copy.path("models/v0002").exists() && !copy.path("models/v0003").exists());
        assert_eq!(events(copy).iter().filter(|event| *event == "pruned").count(), 1);
        let mut left = Vec::new();
        leftovers(&copy.path("models"), &mut left);
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn a_promotion_that_asks() {
    let work = better("approval = \"manual\"");
    let line = "promote --by ann --now 2026-11-08T00:00:00Z";
    let deed = Deed { line, answers: WAITING, from: "v0001", to: "v0001", once: "gate-verdict" };
    for kind in ["die", "full"] {
        for n in points() {
            let copy = work.copy();
            let said = copy.pipe_with(line, "", &format!("{kind}:{n}"));
            if said.status() == WAITING {
                assert!(n > 8, "{n}");
                break;
            }
            copy.run("audit verify").answers(YES);
            copy.run("status").answers(YES);
            copy.run(deed.line).answers(WAITING);
            // One request, and somebody can agree to it.
            let said = copy.run("status").value();
            assert_eq!(said["pending"].as_array().unwrap().len(), 1);
            copy.run("approve v0002 --by bob --now 2026-11-09T00:00:00Z").answers(YES);
            assert_eq!(production(&copy), "v0002");
        }
    }
}

#[test]
fn an_approval_and_a_rejection() {
    let work = better("approval = \"manual\"");
    let id = work.run("promote --now 2026-11-08T00:00:00Z").answers(WAITING).value()["request"]["id"].clone();
    let (id, approved) = (id.as_str().unwrap(), "\"status\": \"approved\"");
    let line = format!("approve {id} --by ann --now 2026-11-09T00:00:00Z");
    let deed = Deed { line: &line, answers: YES, from: "v0001", to: "v0002", once: "promoted" };
    survives(&work, &deed, |copy| assert!(copy.read(&format!("approvals/{id}.json")).contains(approved)));
    let line = format!("reject {id} --by ann --reason no --now 2026-11-09T00:00:00Z");
    let deed = Deed { line: &line, answers: YES, from: "v0001", to: "v0001", once: "rejected" };
    survives(&work, &deed, |copy| {
        copy.run("status").json("/challenger", serde_json::Value::Null);
        assert!(copy.read(&format!("approvals/{id}.json")).contains("\"status\": \"rejected\""));
    });
}

#[test]
fn a_rollback_and_an_override() {
    let work = better("");
    let line = "promote --version v2 --override 'a drill' --by ann --now 2026-11-08T00:00:00Z";
    let deed = Deed { line, answers: YES, from: "v0001", to: "v0002", once: "promoted" };
    survives(&work, &deed, |_| {});
    work.run("promote").answers(YES);
    let line = "rollback --now 2026-11-09T00:00:00Z";
    let deed = Deed { line, answers: YES, from: "v0002", to: "v0001", once: "rolled-back" };
    survives(&work, &deed, |_| {});
}

#[test]
fn of_two_at_once_one_does_it() {
    let work = better("");
    let lock = mlloop::atomic::lock(&work.path(".mlloop.lock")).unwrap();
    for line in ["promote", "rollback", "approve v2 --by ann", "reject v2 --by ann --reason no"] {
        work.run(&format!("{line} --wait 0")).answers(ERROR).says("another mlloop");
    }
    work.run("promote --dry-run").answers(YES);
    drop(lock);
    let said = std::thread::scope(|scope| {
        let both: Vec<_> = (0..4).map(|_| scope.spawn(|| work.run("promote --wait 0"))).collect();
        both.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    let promoted = said.iter().filter(|said| said.stdout.contains("\"done\": \"promoted\"")).count();
    assert_eq!(promoted, 1);
    assert!(said.iter().all(|said| said.status() == YES || said.stderr.contains("another mlloop")));
    assert_eq!(events(&work), ["trained", "trained", "gate-verdict", "promoted"]);
    train(&work, "n_estimators = 2", "2026-11-12");
    work.run("audit verify").answers(YES);
}
