//! Who asked for what waits: the name stands in the request and in the chain, and somebody else agrees.

use crate::run::{asking, poor};
use crate::support::{ERROR, Loop, WAITING, YES};
use serde_json::Value;

const NOW: &str = "--now 2026-11-11T00:00:00Z";

/// The same loop, where a person has to agree to a promotion.
fn manual(work: Loop) -> Loop {
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml.replace("\napproval = \"auto\"", "\napproval = \"manual\""));
    work
}

/// The last line of the chain of that kind.
fn line(work: &Loop, event: &str) -> Value {
    let chain = work.read("audit.jsonl");
    let of = |line: &&str| line.contains(&format!("\"event\":\"{event}\""));
    serde_json::from_str(chain.lines().rfind(of).unwrap_or_else(|| panic!("no {event} in {chain}"))).unwrap()
}

/// Every way to let the loop ask for a promotion in somebody's name; none lets the same person agree.
#[test]
fn who_had_it_trained_or_judged_cannot_agree() {
    for ways in [
        vec!["run --force --by bea"],
        vec!["run --by bea"],
        vec!["run --force --yes=retraining --by bea"],
        vec!["run --force --yes --by bea"],
        vec!["run --step retrain --by bea", "run --step promote"],
        vec!["retrain --by bea", "promote"],
        vec!["retrain --by bea", "run"],
        vec!["retrain", "promote --by bea"],
    ] {
        let work = manual(poor(""));
        let mut last = None;
        for way in &ways {
            last = Some(work.run(&format!("{way} {NOW}")));
        }
        let asked = last.unwrap().answers(WAITING).json("/request/requested_by", "bea").value();
        assert_eq!(asked["request"]["asks"], "promotion", "{ways:?}");
        assert_eq!(line(&work, "approval-requested")["by"], "bea", "{ways:?}");
        let id = asked["request"]["id"].as_str().unwrap();
        work.run(&format!("approve {id} --by Bea {NOW}")).answers(ERROR).says("another person must approve it");
        // Nor by a round that agrees in advance.
        let again = work.run(&format!("run --yes --by bea {NOW}")).answers(WAITING).json("/production", "v0001");
        assert!(again.stderr.contains("bea requested it, so another person has to approve it"), "{}", again.stderr);
        assert!(!work.read("audit.jsonl").contains("\"event\":\"approved\""), "{ways:?}");
        work.run(&format!("approve {id} --by ann {NOW}")).answers(YES).json("/production", "v0002");
        work.run("audit verify").answers(YES);
    }
}

/// What the timer asks for is asked by nobody, whoever it runs as, and one person may answer all of it.
#[test]
fn the_loop_asks_in_nobodys_name() {
    let work = manual(poor(""));
    let asked = work.run_with(&format!("run {NOW}"), &[("USER", "ann")]).answers(WAITING).value();
    assert_eq!((&asked["request"]["requested_by"], &line(&work, "retrained")["by"]), (&Value::Null, &Value::Null));
    work.run_with(&format!("run --yes {NOW}"), &[("USER", "ann")]).answers(YES).json("/production", "v0002");
    assert_eq!(line(&work, "approved")["by"], "ann");
    work.run_with(&format!("run --yes {NOW}"), &[("USER", "")]).answers(ERROR).says("need --by NAME");
}

#[test]
fn a_retraining_is_asked_for_by_name() {
    let work = asking();
    let asked = work.run(&format!("run --force --by bea {NOW}")).answers(WAITING);
    let asked = asked.json("/request/asks", "retraining").json("/request/requested_by", "bea").value();
    assert_eq!(line(&work, "approval-requested")["by"], "bea");
    let id = asked["request"]["id"].as_str().unwrap();
    for agree in [format!("approve {id} --by bea"), format!("approve {id} --judge --by bea")] {
        work.run(&format!("{agree} {NOW}")).answers(ERROR).says("another person must approve it");
    }
    // Whoever agrees, it was bea who asked: the chain says so, and so does the request that comes of it.
    let work = manual(work);
    let asked = work.run(&format!("run --force --by bea {NOW}")).answers(WAITING).value();
    let id = asked["request"]["id"].as_str().unwrap();
    let judged = work.run(&format!("approve {id} --judge --by ann {NOW}")).answers(WAITING).value();
    assert_eq!(judged["round"]["request"]["requested_by"], "bea", "{judged}");
    assert_eq!((&line(&work, "retrained")["by"], &line(&work, "approved")["by"]), (&"bea".into(), &"ann".into()));
}

/// One word, and both are done: trained and judged.
#[test]
fn a_retraining_that_is_agreed_to_is_judged() {
    let work = asking();
    let id = work.run(&format!("run {NOW}")).answers(WAITING).value()["request"]["id"].as_str().unwrap().to_owned();
    let judged = work.copy();
    let said = judged.run(&format!("approve {id} --judge --by ann {NOW}")).answers(YES).value();
    assert_eq!((&said["round"]["done"], &said["round"]["production"]), (&"promoted".into(), &"v0002".into()), "{said}");
    judged.run("audit verify").answers(YES);
    // Asked for and agreed to at once, where nothing waits: no request is left behind.
    let at_once = work.copy();
    at_once.run(&format!("run --force --yes=retraining --by bea {NOW}")).answers(YES).json("/production", "v0002");
    assert_eq!(line(&at_once, "approved")["by"], "bea");
    // It agrees to nothing else: a promotion that waits stays what it is.
    let work = manual(poor(""));
    work.run(&format!("run {NOW}")).answers(WAITING);
    work.run(&format!("run --force --yes=retraining --by bea {NOW}")).answers(WAITING).json("/production", "v0001");
    assert!(!work.read("audit.jsonl").contains("\"event\":\"approved\""));
}
