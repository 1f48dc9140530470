//! `retrain`: what is learned from, what is refused, and that nothing is half done.

mod deaths;

use crate::support::{CANNOT_TELL, ERROR, Loop, NO, YES, points};
use mlloop::registry::{Roles, Version};
use mlloop::workspace::{EventKind, Workspace, audit::Event};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");
const LABELS: &str = "id,label,annotator,labelled_at,source,batch,select_prob,model_version\n";

fn rows() -> Vec<Vec<&'static str>> {
    CHURN.lines().skip(1).map(|line| line.split(',').collect()).collect()
}

fn text(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let header = CHURN.lines().next().unwrap();
    std::iter::once(header.to_owned())
        .chain(rows.into_iter().map(|row| row.join(",")))
        .map(|line| line + "\n")
        .collect()
}

fn owned(row: &[&str]) -> Vec<String> {
    row.iter().map(|&cell| cell.to_owned()).collect()
}

fn label(id: &str, label: &str, annotator: &str, source: &str) -> String {
    format!("{id},{label},{annotator},2026-11-10T00:00:00Z,{source},,,\n")
}

/// The first 600 rows are the reference, the next 300 came since without their outcome; the first 100 of these are labelled.
pub fn labelled() -> Loop {
    let all = rows();
    let reference = text(all[..600].iter().map(|row| owned(row)));
    let current = text(all[600..900].iter().map(|row| {
        let mut row = owned(row);
        *row.last_mut().unwrap() = String::new();
        row
    }));
    let labels: String = all[600..700].iter().map(|row| label(row[0], row.last().unwrap(), "ann", "human")).collect();
    let work = Loop::new()
        .table("data/reference.csv", reference)
        .table("data/current.csv", current)
        .table("data/labels.csv", format!("{LABELS}{labels}"));
    work.run("init data/reference.csv").answers(YES);
    let toml = work.read("mlloop.toml").replace("[decision]", "n_estimators = 8\n[decision]");
    work.write("mlloop.toml", toml);
    work.run("train --now 2026-11-01T00:00:00Z").answers(YES);
    work
}

/// Makes a version production, as the gate would.
fn promote(work: &Loop, version: u32) {
    let workspace = Workspace::new(work.path(""));
    let lock = workspace.lock().unwrap();
    let roles = Roles {
        production: Some(Version(version)),
        previous: vec![Version(1)],
        ..workspace.registry().roles().unwrap()
    };
    let at = "2026-11-12T00:00:00Z".parse().unwrap();
    let event = Event {
        at,
        event: EventKind::Promoted,
        by: None,
        roles: Some(Roles { challenger: None, ..roles }),
        details: json!({}),
    };
    workspace.record(&lock, event).unwrap();
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ids(table: &str) -> HashSet<String> {
    table.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

#[test]
fn a_challenger_learns_from_the_reference_and_the_labels() {
    let work = labelled();
    let before = work.files();
    let plan = work.run("retrain --dry-run").answers(YES).json("/done", "would").value();
    assert_eq!(work.files(), before, "a dry run changes nothing");
    assert_eq!((&plan["plan"]["n_added"], &plan["plan"]["n_new"]), (&json!(100), &json!(100)));
    let answer = work.run("retrain --now 2026-11-11T00:00:00Z").answers(YES).json("/version", "v0002").value();
    assert_eq!(answer["plan"], plan["plan"]);
    assert_eq!(answer["plan"]["features_from"], json!({ "current": 100 }));
    let steps: Vec<&str> = answer["steps"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(steps, mlloop::retrain::STEPS);
    let log: Value = serde_json::from_str(work.read("runs/runs.jsonl").lines().last().unwrap()).unwrap();
    assert_eq!(log["result"]["steps"].as_array().unwrap().len(), 11);
    work.run("status").answers(YES).json("/production", "v0001").json("/challenger", "v0002");
    assert_eq!(work.read("models/v0002/labels_used.csv").lines().count(), 101);
    assert_eq!(ids(&work.read("models/v0002/added.csv")).len(), 100);
    assert!(work.path("models/v0002/model.onnx").exists());
    // What it was trained on can be told: the reference and the added rows, byte for byte.
    let manifest: Value = serde_json::from_str(&work.read("models/v0002/manifest.json")).unwrap();
    let added = work.read("models/v0002/added.csv");
    let combined = work.read("data/reference.csv") + added.split_once('\n').unwrap().1;
    assert_eq!(manifest["data"][0]["sha256"], sha256(combined.as_bytes()));
    assert_eq!(manifest["data"][1]["sha256"], sha256(added.as_bytes()));
    assert_eq!(manifest["parent"], "v0001");
    // The same again is nothing new; as long as nothing happened, it says that it is done.
    work.run("retrain").answers(YES).json("/done", "already").json("/version", "v0002");
    work.run("retrain --dry-run").answers(YES).json("/done", "already");
    assert!(!work.path("models/v0003").exists());
    let chain = work.run("audit verify").answers(YES).value();
    assert!(chain.is_object(), "{chain}");
}

#[test]
fn after_a_promotion_the_reference_is_the_table_that_production_learned_from() {
    let work = labelled();
    work.run("retrain").answers(YES);
    let manifest: Value = serde_json::from_str(&work.read("models/v0002/manifest.json")).unwrap();
    let before = work.read("data/reference.csv");
    promote(&work, 2);
    // Whoever changes the loop next completes what the promotion left.
    work.run("retrain").answers(NO).json("/done", "nothing").json("/plan/n_reference", 700);
    let after = work.read("data/reference.csv");
    assert_eq!(manifest["data"][0]["sha256"], sha256(after.as_bytes()));
    assert_eq!(work.read("runs/backup/reference.csv"), before);
    let chain = work.read("audit.jsonl");
    assert_eq!(chain.matches("\"event\":\"reference-updated\"").count(), 1);
    work.run("retrain").answers(NO);
    assert_eq!(work.read("data/reference.csv"), after);
    // A row never changes sides: the gate of a version trained anew has all rows of the old gate and those of the new rows.
    let gate = |version: &str| {
        let manifest: Value = serde_json::from_str(&work.read(&format!("models/{version}/manifest.json"))).unwrap();
        manifest["rows"]["gate"].as_u64().unwrap()
    };
    work.run("train").answers(YES);
    assert_eq!(gate("v0003"), gate("v0002"));
    assert!(gate("v0002") > gate("v0001"));
}

#[test]
fn corrections_replace_and_what_nobody_may_learn_from_is_left_out() {
    let work = labelled();
    let all = rows();
    let other = |row: &[&str]| if *row.last().unwrap() == "yes" { "no" } else { "yes" };
    let more = [
        // Another label for rows of the reference, in their own spelling of it.
        label(all[0][0], &other(&all[0]).to_uppercase(), "ann", "human"),
        label(all[1][0], other(&all[1]), "bank", "outcome"),
        // The same label as in the reference.
        label(all[2][0], all[2].last().unwrap(), "ann", "human"),
        // People differ; a model says so; nobody knows the row.
        label(all[701][0], "yes", "ann", "human"),
        label(all[701][0], "no", "bob", "human"),
        label(all[702][0], "yes", "v0001", "model"),
        label("nobody", "yes", "ann", "human"),
    ];
    work.write("data/labels.csv", work.read("data/labels.csv") + &more.concat());
    let plan = work.run("retrain").answers(YES).says("nobody").value()["plan"].clone();
    let expected = [
        ("n_reference", 600),
        ("n_corrected", 2),
        ("n_confirmed", 1),
        ("n_added", 100),
        ("n_new", 102),
        ("n_without_features", 1),
        ("n_conflicts", 1),
        ("n_by_models", 1),
    ];
    for (name, n) in expected {
        assert_eq!(plan[name], n, "{name} in {plan:#}");
    }
    let added = work.read("models/v0002/added.csv");
    let mut corrected = owned(&all[0]);
    *corrected.last_mut().unwrap() = other(&all[0]).to_owned();
    assert!(added.contains(&corrected.join(",")), "{added}");
    assert!(!added.contains(all[702][0]) && !added.contains(all[701][0]) && !added.contains(all[2][0]));
    let used = work.read("models/v0002/labels_used.csv");
    assert!(!used.contains("v0001") && !used.contains("nobody"));
    // A wrong label is named, and nothing is changed.
    work.write("data/labels.csv", work.read("data/labels.csv") + &label(all[703][0], "maybe", "ann", "human"));
    let before = work.files();
    work.run("retrain").answers(ERROR).says("\"maybe\"").says("is not one of the classes no, yes");
    assert_eq!(
        work.files().iter().filter(|(p, _)| !p.to_string_lossy().contains("runs/backup")).count(),
        before.iter().filter(|(p, _)| !p.to_string_lossy().contains("runs/backup")).count()
    );
}

#[test]
fn few_labels_no_labels_and_too_soon_are_answers() {
    let work = labelled();
    let labels = work.read("data/labels.csv");
    work.write("data/labels.csv", labels.lines().take(31).map(|line| format!("{line}\n")).collect::<String>());
    let said = work.run("retrain").answers(CANNOT_TELL).json("/done", "too-few");
    assert!(said.value()["sentence"].as_str().unwrap().contains("20 more are needed"), "{}", said.stdout);
    work.run("retrain --force --now 2026-11-11T00:00:00Z").answers(YES).json("/version", "v0002");
    work.write("data/labels.csv", labels);
    work.write("mlloop.toml", work.read("mlloop.toml") + "\n[retrain]\ncooldown_hours = 24\n");
    work.run("retrain --now 2026-11-11T06:00:00Z").answers(NO).json("/done", "too-soon");
    let answer = work.run("retrain --now 2026-11-12T06:00:00Z").answers(YES).json("/plan/n_new", 70).value();
    assert_eq!(answer["plan"]["n_added"], 100, "what v0002 learned from is not in the reference");
    let work = labelled();
    std::fs::remove_file(work.path("data/labels.csv")).unwrap();
    work.run("retrain").answers(NO).json("/done", "nothing");
}

#[test]
fn parameters_are_those_of_production_unless_somebody_changed_them() {
    let work = labelled();
    let parameters = |version: &str| {
        let manifest: Value = serde_json::from_str(&work.read(&format!("models/{version}/manifest.json"))).unwrap();
        manifest["recipe"].clone()
    };
    work.run("train --algorithm random-forest").answers(YES);
    promote(&work, 2);
    work.run("retrain").answers(YES);
    assert_eq!(parameters("v0003")["model"]["algorithm"], "random-forest");
    work.run("retrain --force --set max_depth=3 --set decision.imbalance=weights").answers(YES);
    assert_eq!(parameters("v0004")["model"]["max_depth"], 3);
    assert_eq!(parameters("v0004")["decision"]["imbalance"], "weights");
    work.run("retrain --set max_dept=3")
        .answers(ERROR)
        .says("--set model.max_dept=3: unknown key \"max_dept\": did you mean \"max_depth\"?");
    work.run("retrain --set split.gate=0").answers(ERROR).says("a challenger must be split like production");
    work.write("mlloop.toml", work.read("mlloop.toml").replace("n_estimators = 8", "n_estimators = 9"));
    work.run("retrain --force").answers(YES).says("mlloop.toml was changed since v0002 was trained");
    assert_eq!(parameters("v0005")["model"]["n_estimators"], 9);
    assert_eq!(parameters("v0005")["model"]["algorithm"], "gradient-boosting");
}

#[test]
fn features_are_found_in_the_log_and_outcomes_in_current_rows() {
    let work = labelled();
    work.run("predict data/current.csv --log -o scored.csv").answers(YES);
    std::fs::remove_file(work.path("data/current.csv")).unwrap();
    let answer = work.run("retrain --dry-run").answers(YES).value();
    assert_eq!(answer["plan"]["features_from"], json!({ "predictions": 100 }));
    work.run("retrain").answers(YES);
    // As they were logged: the same records as from the table itself.
    let logged = work.read("models/v0002/added.csv");
    let all = rows();
    for row in &all[600..700] {
        let found = logged.lines().find(|line| line.starts_with(row[0])).unwrap();
        let cells: Vec<&str> = found.split(',').collect();
        for (cell, expected) in cells.iter().zip(row) {
            let same = cell == expected || cell.parse::<f64>().ok() == expected.parse::<f64>().ok();
            assert!(same, "{found} is not {row:?}");
        }
    }
    // Rows that came before the retrain are not counted again; a table that is shorter than it was is another one.
    let count = |work: &Loop| {
        let report = work.run("monitor --formats json").value();
        let triggers = report["triggers"].as_array().unwrap().clone();
        triggers.iter().find(|trigger| trigger["name"] == "new_rows").unwrap()["value"].as_f64().unwrap()
    };
    let counted = labelled();
    assert_eq!(count(&counted), 100.0, "so many have a label");
    counted.write("mlloop.toml", counted.read("mlloop.toml") + "\n[monitor.triggers]\ncount = \"all\"\n");
    assert_eq!(count(&counted), 300.0);
    counted.run("retrain").answers(YES);
    assert_eq!(count(&counted), 0.0);
    let current = counted.read("data/current.csv");
    counted.write("data/current.csv", current.clone() + &owned(&all[900]).join(",") + "\n");
    assert_eq!(count(&counted), 1.0);
    counted.write("data/current.csv", current.lines().take(251).map(|l| format!("{l}\n")).collect::<String>());
    assert_eq!(count(&counted), 250.0);
    // Rows that came with their outcome need no labels file; replay leaves out old training rows, not those that judge.
    std::fs::remove_file(work.path("data/labels.csv")).unwrap();
    work.write("data/current.csv", text(all[900..1200].iter().map(|row| owned(row))));
    work.write("mlloop.toml", work.read("mlloop.toml") + "\n[retrain]\nreplay = 0.5\n");
    work.run("retrain").answers(YES).json("/plan/n_added", 300).json("/plan/features_from/current", 300);
    let of = |version: &str| {
        let manifest: Value = serde_json::from_str(&work.read(&format!("models/{version}/manifest.json"))).unwrap();
        (manifest["rows"]["train"].as_u64().unwrap(), manifest["rows"]["gate"].as_u64().unwrap())
    };
    let ((old, old_gate), (new, new_gate)) = (of("v0001"), of("v0003"));
    let added = new as i64 - old as i64 / 2;
    assert!((130..260).contains(&added), "about half of {old} and about 195 of the new rows: {new}");
    assert!(new_gate > old_gate + 30);
}

#[test]
fn a_reference_that_cannot_be_replaced_moves_into_the_loop() {
    let work = labelled();
    let packed = {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut out, work.read("data/reference.csv").as_bytes()).unwrap();
        out.finish().unwrap()
    };
    work.write("old.csv.gz", packed);
    let plain = work.read("data/reference.csv");
    work.write("mlloop.toml", work.read("mlloop.toml").replace("\"data/reference.csv\"", "\"old.csv.gz\""));
    work.run("retrain").answers(ERROR).says("data/reference.csv exists");
    std::fs::remove_file(work.path("data/reference.csv")).unwrap();
    work.run("retrain").answers(YES);
    promote(&work, 2);
    let copy = work.copy();
    work.run("retrain").answers(NO);
    let moved = work.read("data/reference.csv");
    assert!(moved.starts_with(&plain) && moved.lines().count() == 701);
    assert!(work.read("mlloop.toml").contains("reference = \"data/reference.csv\"   # the training table"));
    // A death while the reference moves: the next one completes it.
    for n in points() {
        let dying = copy.copy();
        if dying.pipe_with("retrain", "", &format!("die:{n}")).answered() {
            break;
        }
        dying.run("audit verify").answers(YES);
        dying.run("retrain").answers(NO).json("/plan/n_reference", 700);
        assert_eq!(dying.read("data/reference.csv"), moved);
        assert_eq!(dying.read("audit.jsonl").matches("\"event\":\"reference-updated\"").count(), 1);
    }
}

#[test]
fn a_loop_that_keeps_its_tables_elsewhere_retrains() {
    // There is no data/ until labels come.
    let work = Loop::new().table("churn.csv", include_str!("../fixtures/tables/churn.csv"));
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    assert!(!work.path("data").exists());
    work.run("retrain --force --set max_depth=2").answers(YES).json("/done", "retrained").json("/version", "v0002");
}

/// The churn table without its id: the log names rows after their content, and so do labels.
#[test]
fn labels_of_rows_without_ids_are_learned_from() {
    let without_id = |rows: &[Vec<&'static str>]| -> String {
        let header = CHURN.lines().next().unwrap().split_once(',').unwrap().1.to_owned();
        let row = |row: &Vec<&str>| row[1..].join(",");
        std::iter::once(header).chain(rows.iter().map(row)).map(|line| line + "\n").collect()
    };
    let all = rows();
    let work = Loop::new()
        .table("data/reference.csv", without_id(&all[..600]))
        .table("more.csv", without_id(&all[600..700]))
        .table("data/current.csv", without_id(&all[700..760]));
    work.run("init data/reference.csv").answers(YES);
    let toml = work.read("mlloop.toml").replace("[decision]", "n_estimators = 8\n[decision]");
    work.write("mlloop.toml", toml);
    work.run("train --now 2026-11-01T00:00:00Z").answers(YES);
    work.run("predict more.csv --log --outcomes -o out.csv --now 2026-11-02T00:00:00Z").answers(YES);
    let watched = work.run("monitor --now 2026-11-03T00:00:00Z --formats json").value();
    let volume = |report: &Value| {
        let all = report["triggers"].as_array().unwrap().clone();
        all.into_iter().find(|trigger| trigger["name"] == "new_rows").unwrap()["value"].as_f64()
    };
    assert_eq!(volume(&watched), Some(160.0), "100 outcomes of logged rows and 60 of current ones");
    let round = work.run("retrain --force --now 2026-11-03T00:00:00Z").answers(YES).value();
    assert_eq!((&round["plan"]["n_added"], &round["plan"]["n_reference"]), (&json!(160), &json!(600)));
    // Whoever says the same again says nothing new, and a row of the reference is not corrected but joined.
    let again = work.run("retrain --dry-run --force --now 2026-11-04T00:00:00Z").value();
    assert_eq!(again["plan"]["n_new"], 0, "{again}");
    promote(&work, 2);
    let after = work.run("retrain --force --now 2026-11-04T00:00:00Z").value();
    let plan = &after["plan"];
    assert_eq!((&plan["n_reference"], &plan["n_confirmed"], &plan["n_added"]), (&json!(760), &json!(160), &json!(0)));
    work.run("--set retrain.replay=0.5 retrain --force").answers(ERROR).says("replay selects old rows by their ids");
}

#[test]
fn outcomes_of_earlier_tables_are_learned_from_again_and_contradictions_are_not() {
    let all = rows();
    let table = |rows: &[Vec<&'static str>]| text(rows.iter().map(|row| owned(row)));
    let work = labelled();
    work.write("data/labels.csv", LABELS);
    work.write("data/current.csv", table(&all[600..700]));
    let first = work.run("retrain --force --now 2026-11-10T00:00:00Z").answers(YES).value();
    assert_eq!(first["plan"]["n_added"], 100);
    // February's table: January's rows come along; ten rows contradict themselves, one says what nobody knows.
    let mut next: Vec<Vec<String>> = all[700..800].iter().map(|row| owned(row)).collect();
    for at in 0..10 {
        let mut other = next[at].clone();
        let last = other.last_mut().unwrap();
        *last = if last == "yes" { "no".to_owned() } else { "yes".to_owned() };
        next.push(other);
    }
    *next[50].last_mut().unwrap() = "maybe".to_owned();
    work.write("data/current.csv", text(next));
    let second = work.run("retrain --force --now 2026-11-12T00:00:00Z").answers(YES);
    let plan = &second.value()["plan"];
    assert_eq!(
        (&plan["n_added"], &plan["n_conflicts"], &plan["n_unknown"]),
        (&json!(189), &json!(10), &json!(1)),
        "{plan}"
    );
    assert_eq!(plan["features_from"]["added.csv"], 100);
    assert!(second.stderr.contains("10 rows are not used because their labels conflict"), "{}", second.stderr);
    assert!(second.stderr.contains("1 outcomes are not used") && second.stderr.contains("maybe"), "{}", second.stderr);
}
