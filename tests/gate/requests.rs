//! Requests that wait for a person, and overrides.

use super::{WEAK, better, events, last_event, roles, train, with};
use crate::support::{ERROR, NO, WAITING, YES};
use serde_json::{Value, json};

#[test]
fn a_person_agrees_or_does_not() {
    let work = better("approval = \"manual\"");
    let said =
        work.run("promote --by ann --now 2026-11-03T00:00:00Z").answers(WAITING).json("/done", "waiting").value();
    let id = said["request"]["id"].as_str().unwrap().to_owned();
    assert_eq!(roles(&work)[0], "v0001");
    assert_eq!(events(&work)[2..], ["gate-verdict", "approval-requested"]);
    work.run("promote --by bob --now 2026-11-04T00:00:00Z").answers(WAITING).json("/request/id", id.clone());
    assert_eq!(events(&work).len(), 4, "asking again is no other request");
    let status = work.run("status").json("/pending/0/id", id.clone());
    drop(status.json("/pending/0/expires_at", "2026-11-10T00:00:00Z"));
    work.run("status --text --now 2026-11-04T00:00:00Z").prints(&format!("{id} waits for approval until 2026-11-10"));
    let before = work.files();
    work.run(&format!("approve {id} --by Ann --now 2026-11-05T00:00:00Z"))
        .answers(ERROR)
        .says("another person must approve it");
    work.run(&format!("approve {id} --by cem --now 2026-11-10T00:00:00Z")).answers(ERROR).says("expired");
    work.run("approve v0009 --by cem").answers(ERROR).says(&format!("pending: {id}"));
    work.run("approve ../../etc/passwd --by cem").answers(ERROR).says("no request");
    assert_eq!(work.files(), before, "what is refused changes nothing");
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", format!("{toml}# changed\n"));
    work.run(&format!("approve {id} --by cem --now 2026-11-05T00:00:00Z")).answers(ERROR).says("mlloop.toml");
    work.write("mlloop.toml", toml);
    let said = work.run("approve v0002 --by cem --now 2026-11-05T00:00:00Z").answers(YES);
    drop(said.json("/production", "v0002").json("/request/status", "approved"));
    assert_eq!(events(&work)[4..], ["approved", "promoted"]);
    assert_eq!(roles(&work), [json!("v0002"), Value::Null, json!(["v0001"])]);
    work.run(&format!("approve {id} --by cem")).answers(YES).json("/already", true);
    work.run(&format!("reject {id} --by cem --reason no")).answers(ERROR).says("was approved by cem");
}

#[test]
fn a_request_that_is_not_what_was_asked_for_is_refused() {
    let work = better("approval = \"manual\"");
    let said = work.run("promote --now 2026-11-03T00:00:00Z").answers(WAITING).value();
    let id = said["request"]["id"].as_str().unwrap().to_owned();
    let file = format!("approvals/{id}.json");
    let good = work.read(&file);
    let approve = format!("approve {id} --by cem --now 2026-11-05T00:00:00Z");
    for (from, to, says) in [
        ("2026-11-10", "2027-11-10", "audit chain"),
        ("\"digest\": \"", "\"digest\": \"0", "audit chain"),
        ("\"verdict\": \"superior\"", "\"verdict\": \"equivalent\"", "the verdict has changed since"),
        ("\"version\": \"v0002\"", "\"version\": \"v0001\"", "has changed since"),
        ("{", "[", "not a request"),
    ] {
        work.write(&file, good.replacen(from, to, 1));
        work.run(&approve).answers(ERROR).says(says);
    }
    work.write(&file, &good);
    let table = work.read("churn.csv");
    work.write("churn.csv", table.replacen(",yes\n", ",no\n", 1));
    work.run(&approve).answers(ERROR).says("the reference");
    work.write("churn.csv", table);
    // A later challenger's request takes its place.
    train(&work, "max_depth = 4", "2026-11-04");
    work.run("promote --now 2026-11-04T00:00:00Z").answers(WAITING);
    work.run(&approve).answers(ERROR).says("later request");
    let said = work.run("reject v0003 --by dee --reason 'not now' --now 2026-11-05T00:00:00Z").answers(YES);
    drop(said.json("/request/status", "rejected").json("/request/reason", "not now"));
    assert_eq!(roles(&work), [json!("v0001"), Value::Null, json!([])]);
    assert_eq!(last_event(&work)["event"], "rejected");
    work.run("promote").answers(NO).json("/done", "nothing");
    work.run("status").json("/pending", Value::Array(Vec::new()));
}

#[test]
fn an_override_is_said_loudly_and_still_verified() {
    let work = with(&["", WEAK], "");
    work.run("promote --version v2 --override 'a test'").answers(ERROR).says("--by");
    let said =
        work.run("promote --version v2 --override 'legal asked' --by ann").answers(YES).json("/done", "promoted");
    said.says("OVERRIDE: v0002 was promoted against the gate, by ann: legal asked");
    let event = last_event(&work);
    assert_eq!(
        (&event["event"], &event["details"]["override"], &event["by"]),
        (&"promoted".into(), &"legal asked".into(), &"ann".into())
    );
    work.run("rollback").answers(YES).json("/production", "v0001");
    work.write("models/v0002/golden.csv", work.read("models/v0002/golden.csv").replace("0.", "0.9"));
    let before = work.files();
    work.run("promote --version v2 --override again --by ann").answers(ERROR).says("golden.csv");
    assert_eq!(work.files(), before);
}
