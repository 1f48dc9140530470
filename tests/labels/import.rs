//! What `label-import` takes in, what it refuses, and what survives deaths and rivals.

use super::{CHURN, DAY, TARGET, answer_truthfully, answered, copy_of, last_event, records, trained, truth};
use crate::support::{ERROR, Loop, NO, WAITING, YES};
use mlloop::registry::Learned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const BACK: &str = "label_inbox/to_label_labeled.csv";

/// A loop with a batch of `n` rows out.
pub fn out(n: usize, options: &str) -> Loop {
    let work = trained();
    work.run(&format!("label-export -n {n} --seed 4 {options} {DAY}")).answers(YES);
    work
}

pub fn labels(work: &Loop) -> BTreeMap<(String, String), String> {
    let rows = records(&work.read("data/labels.csv"));
    rows.into_iter()
        .map(|mut r| ((r.remove("id").unwrap(), r.remove("annotator").unwrap()), r.remove("label").unwrap()))
        .collect()
}

#[test]
fn a_batch_comes_back_once() {
    let work = out(120, "");
    answer_truthfully(&work);
    let answers = work.read(BACK);
    let said = work.run(&format!("label-import --by mia {DAY}")).answers(YES).value();
    assert_eq!((&said["answer"], &said["counts"]["added"]), (&"imported".into(), &120.into()));
    let rows = records(&work.read("data/labels.csv"));
    assert_eq!(rows.len(), 120);
    for row in &rows {
        assert_eq!(row["label"], truth(&row["id"]));
        assert_eq!((row["source"].as_str(), row["model_version"].as_str()), ("human", "v0001"));
        assert_eq!((row["batch"].as_str(), row["labelled_at"].as_str()), ("b20261120-100000", "2026-11-20T10:00:00Z"));
    }
    let home = "label_inbox/imported/b20261120-100000";
    for name in ["batch.json", "to_label.csv", "to_label_labeled.csv"] {
        assert!(work.path(home).join(name).exists(), "{name}");
    }
    assert!(
        !work.path("label_inbox/to_label.csv").exists() && !work.path("label_inbox/batches/b20261120-100000").exists()
    );
    let event = last_event(&work);
    assert_eq!((&event["event"], &event["by"]), (&"labels-imported".into(), &"mia".into()));
    assert_eq!(event["details"]["n_added"], 120);
    let before = work.files();
    let none = work.run("label-import").answers(NO).json("/answer", "nothing").value();
    assert!(none["notes"][0].as_str().unwrap().ends_with("already imported as b20261120-100000"), "{none}");
    work.write("again.csv", &answers);
    let twice = work.run("label-import again.csv").answers(NO).value();
    assert_eq!(twice["counts"]["unchanged"], 120);
    std::fs::remove_file(work.path("again.csv")).unwrap();
    assert_eq!(work.files(), before, "taking in the same twice changes nothing");
    work.run("label-export -n 1000").answers(YES).json("/n_excluded", 120).json("/n", 480);
    work.run("audit verify").answers(YES);
    let found = work.run(&format!("audit show --for {}", rows[0]["id"])).answers(YES).value();
    assert_eq!(found["labels"][0]["batch"], "b20261120-100000");
}

#[test]
fn the_habits_of_spreadsheets_survive() {
    let work = out(60, "");
    let plain = answered(&work, |cells| cells[TARGET] = truth(&cells[0]).to_owned());
    let mut sorted: Vec<&str> = plain.lines().collect();
    sorted[1..].sort_unstable();
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let spelt = |yes: &str, no: &str| {
        answered(&work, |cells| cells[TARGET] = if truth(&cells[0]) == "yes" { yes } else { no }.to_owned())
    };
    let reversed: String =
        plain.lines().map(|line| line.split(',').rev().chain(["extra"]).collect::<Vec<_>>().join(",") + "\n").collect();
    let all = [
        ("plain", plain.clone(), 60),
        ("bom, ; and crlf", format!("\u{feff}{}", plain.replace(',', ";").replace('\n', "\r\n")), 60),
        ("blank rows", format!("{plain},,,,,,,,,,,,,,,\n\n{}\n", ",".repeat(15)), 60),
        ("sorted", joined(&sorted), 60),
        ("row deleted", joined(&sorted[..58]), 57),
        ("reordered and added", reversed, 60),
        ("1 and 0", spelt("1", "0"), 60),
        ("1.0 and 0.0", spelt("1.0", "0.0"), 60),
        ("TRUE and FALSE", spelt("TRUE", "FALSE"), 60),
        ("Yes and No", spelt(" Yes", "No"), 60),
        ("half of it", spelt("yes", ""), plain.matches(",yes,,\n").count()),
    ];
    for (name, text, n) in all {
        let work = copy_of(&work);
        let said = work.pipe(&format!("label-import - {DAY}"), text).answers(YES).value();
        assert_eq!(said["counts"]["added"], n, "{name}");
        assert!(labels(&work).iter().all(|((id, _), label)| label == truth(id)), "{name}");
        assert!(work.path("label_inbox/imported/b20261120-100000/to_label.csv").exists(), "{name}");
    }
}

#[test]
fn real_mistakes_are_refused_with_their_place_and_nothing_is_taken_in() {
    let work = out(60, "");
    let plain = answered(&work, |cells| cells[TARGET] = truth(&cells[0]).to_owned());
    let third = plain.lines().nth(3).unwrap().to_owned();
    let id = third.split(',').next().unwrap().to_owned();
    let with = |to: &str| plain.replacen(&third, to, 1);
    let misspelt = with(&third.replace(",yes,,", ",yess,,").replace(",no,,", ",yess,,"));
    let other = if truth(&id) == "yes" { "no" } else { "yes" };
    let doubled = format!(
        "{plain}{}\n",
        third.replace(",yes,,", ",?,,").replace(",no,,", ",?,,").replace(",?,,", &format!(",{other},,"))
    );
    for (text, what) in [
        (misspelt, "line 4, column \"churn\": \"yess\" is not one of the classes \"no\", \"yes\"".to_owned()),
        (
            with(&third.replacen(&id, "N9999", 1)),
            "line 4, column \"id\": \"N9999\" is not an id of the batch".to_owned(),
        ),
        (
            with(&third.replacen(&id, "3-Apr", 1)),
            "\"3-Apr\" is not an id of the batch; a spreadsheet probably".to_owned(),
        ),
        (
            with(&third.replacen(&id, "2.00E+05", 1)),
            "a spreadsheet probably turned an id into a date or a number".to_owned(),
        ),
        (with(&third.replacen(&id, "", 1)), "line 4, column \"id\": \"\" is empty".to_owned()),
        (
            with(&third.replacen("b20261120-100000", "b1", 1)),
            "line 4, column \"batch\": \"b1\" is not the batch".to_owned(),
        ),
        (plain.replacen("churn", "Churn", 1), "line 1, column \"churn\": \"Churn\" is in the header".to_owned()),
        (plain.replacen("months", "tenure", 1), "line 1, column \"months\": \"tenure\" is in the header".to_owned()),
        (doubled, format!("line 62, column \"churn\": \"{other}\" differs from")),
        (with(&format!("{third},surplus")), "line 4, column \"id\"".to_owned()),
        ("[".to_owned(), "is not valid JSON".to_owned()),
        (String::new(), "empty".to_owned()),
    ] {
        work.write("back.csv", text);
        let before = work.files();
        work.run("label-import back.csv").answers(ERROR).says(&what);
        assert_eq!(work.files(), before, "{what}");
    }
    work.write("back.csv", [&b"id,churn\nN\xe9,yes\n"[..]].concat());
    work.run("label-import back.csv").answers(ERROR).says("line 2: is not UTF-8");
    work.run("label-import none.csv").answers(ERROR).says("none.csv");
}

#[test]
fn what_does_not_fit_can_be_left_out_and_listed() {
    let work = out(60, "");
    let mut n = 0;
    let text = answered(&work, |cells| {
        n += 1;
        cells[TARGET] = match n {
            2 => "maybe".to_owned(),
            5 => "=1+1".to_owned(),
            _ => truth(&cells[0]).to_owned(),
        };
        if n == 9 {
            cells[0] = "N9999".to_owned();
        }
    });
    work.write(BACK, text);
    work.run("label-import").answers(ERROR).says("line 3, column \"churn\": \"maybe\"").says("and 2 more");
    let said = work.run("label-import --skip-invalid").answers(YES).value();
    assert_eq!((&said["counts"]["added"], &said["counts"]["rejected"]), (&57.into(), &3.into()));
    let rejected = records(&work.read("label_inbox/rejected.csv"));
    let places: Vec<&str> = rejected.iter().map(|row| row["place"].as_str()).collect();
    assert_eq!(places, ["line 3", "line 6", "line 10"]);
    assert_eq!((rejected[1]["value"].as_str(), rejected[2]["column"].as_str()), ("'=1+1", "id"));
}

#[test]
fn zeros_that_a_spreadsheet_dropped_are_put_back_where_one_row_is_meant() {
    let work = trained();
    let said = work.run(&format!("label-export -n 30 --table churn.csv {DAY}")).answers(YES).value();
    assert!(said["notes"].to_string().contains("30 ids have leading zeros, such as"), "{said}");
    let ids = |work: &Loop| labels(work).into_keys().map(|(id, _)| id).collect::<Vec<String>>();
    let mut n = 0;
    let text = answered(&work, |cells| {
        n += 1;
        cells[TARGET] = ["yes", "no"][n % 2].to_owned();
        cells[0] = cells[0].trim_start_matches('0').to_owned();
    });
    let id = text.lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    work.write(BACK, text.replacen(&id, "\"4,01235E+18\"", 1));
    work.run("label-import").answers(ERROR).says("rounded a long id").says("hint: correct the cell");
    work.write(BACK, text);
    let taken = work.run("label-import --accept-batch").answers(YES).value();
    assert_eq!(taken["counts"]["added"], 30);
    assert!(taken["notes"].to_string().contains("30 ids lost their leading zeros"), "{taken}");
    let ids = ids(&work);
    assert!(ids.len() == 30 && ids.iter().all(|id| id.starts_with("00")), "{ids:?}");
}

#[test]
fn a_changed_answer_is_a_change_with_both_values() {
    let work = out(60, "");
    answer_truthfully(&work);
    let text = work.read(BACK);
    work.run("label-import --annotator ann").answers(YES);
    let first = text.lines().nth(1).unwrap();
    let id = first.split(',').next().unwrap();
    let (old, new) = if truth(id) == "yes" { ("yes", "no") } else { ("no", "yes") };
    work.write("later.csv", format!("id,churn\n{id},{new}\n"));
    let said = work.run("label-import later.csv --annotator ann").answers(YES).value();
    let change = json!({ "id": id, "annotator": "ann", "old": old, "new": new });
    assert_eq!(said["changes"], json!([change]));
    assert_eq!(last_event(&work)["details"]["changes"], json!([change]));
    assert_eq!(labels(&work)[&(id.to_owned(), "ann".to_owned())], new);
    assert_eq!(records(&work.read("data/labels.csv")).len(), 60);
}

#[test]
fn label_rates_that_jump_hold_a_batch_back_until_it_is_accepted() {
    let work = out(200, "--strategy random");
    answer_truthfully(&work);
    work.run("label-import").answers(YES);
    work.run("label-export -n 200 --strategy random --now 2026-11-21T10:00:00Z").answers(YES);
    let lying = answered(&work, |cells| cells[TARGET] = "yes".to_owned());
    work.write(BACK, &lying);
    let (before, n_events) = (work.read("data/labels.csv"), work.read("audit.jsonl").lines().count());
    let said = work.run("label-import").answers(WAITING).value();
    assert_eq!((&said["answer"], &said["guards"][0]["name"]), (&"quarantined".into(), &"label-rate".into()));
    assert!(said["guards"][0]["text"].as_str().unwrap().contains("100.0 % of 200 control rows"), "{said}");
    assert_eq!(work.read("data/labels.csv"), before);
    assert_eq!(last_event(&work)["event"], "labels-quarantined");
    work.run("label-import").answers(WAITING);
    assert_eq!(work.read("audit.jsonl").lines().count(), n_events + 1, "it is recorded once");
    assert!(work.path("label_inbox/batches/b20261121-100000").exists());
    work.run("label-import --accept-batch").answers(YES).json("/counts/added", 200);
    assert_eq!(last_event(&work)["details"]["accepted"], true);
    let honest = out(200, "--strategy random");
    answer_truthfully(&honest);
    honest.run("label-import").answers(YES);
    honest.run("label-export -n 200 --strategy random --now 2026-11-21T10:00:00Z").answers(YES);
    answer_truthfully(&honest);
    honest.run("label-import").answers(YES).json("/guards/0/fired", false);
}

#[test]
fn the_accuracy_of_production_is_estimated_over_all_candidates() {
    let work = out(250, "--strategy uncertain");
    answer_truthfully(&work);
    // Had production learned from some of them, its answers to those would say nothing of others.
    let other = work.copy();
    let asked = records(&work.read(BACK));
    let learned = Learned::new(asked.iter().take(40).map(|row| row["id"].as_str()));
    other.exchange("v0001", "learned_ids.bin", |dir| learned.save(dir).unwrap());
    let fewer = other.run("label-import").answers(YES).value();
    assert_eq!((&fewer["accuracy"]["n"], &fewer["accuracy"]["n_learned"]), (&210.into(), &40.into()));
    let said = work.run("label-import").answers(YES).value();
    work.run("predict data/current.csv --columns customer,prediction -o scored.csv").answers(YES);
    let scored = records(&work.read("scored.csv"));
    let right = scored.iter().filter(|row| row["prediction"] == truth(&row["customer"])).count() as f64 / 600.0;
    let found = &said["accuracy"];
    let (value, error) = (found["weighted"]["value"].as_f64().unwrap(), found["weighted"]["error"].as_f64().unwrap());
    assert!((value - right).abs() < 3.0 * error && error < 0.05, "{value} ± {error}, really {right}");
    assert_eq!((&found["n"], &found["n_learned"]), (&250.into(), &0.into()));
    assert!((found["unweighted"].as_f64().unwrap() - right).abs() > 0.02, "the batch itself is harder: {found}");
}

#[test]
fn labels_that_scores_speak_against_are_listed() {
    let work = out(300, "--strategy random --show-score");
    let mut planted = Vec::new();
    let text = answered(&work, |cells| {
        let score: f64 = cells[7].parse().unwrap();
        // Two columns more stand before the target.
        cells[TARGET + 2] = cells[6].clone();
        if planted.len() < 6 && !(0.1..=0.9).contains(&score) {
            cells[TARGET + 2] = if cells[6] == "yes" { "no" } else { "yes" }.to_owned();
            planted.push(cells[0].clone());
        }
    });
    assert_eq!(planted.len(), 6);
    work.write(BACK, text);
    // Answers that are production's own but for six agree with it more often than it is right.
    let held = work.run("label-import").answers(WAITING).value();
    assert_eq!(held["guards"][0]["name"], "copied-predictions");
    let said = work.run("label-import --accept-batch").answers(YES).value();
    let listed = records(&work.read("label_inbox/suspects.csv"));
    assert_eq!(said["n_suspects"], listed.len());
    let hits = listed.iter().filter(|row| planted.contains(&row["id"])).count();
    assert!(hits == 6 && listed.len() <= 12, "{hits} of 6 among {}", listed.len());
    assert!(listed[0]["likely"] != listed[0]["label"]);
    assert_eq!(records(&work.read("data/labels.csv")).len(), 300, "listed, never deleted");
}

#[test]
fn label_studio_comes_back() {
    let work = out(60, "--format label-studio");
    let mut tasks: Value = serde_json::from_str(&work.read("label_inbox/to_label.json")).unwrap();
    for (n, task) in tasks.as_array_mut().unwrap().iter_mut().enumerate() {
        let id = task["data"]["row_id"].as_str().unwrap().to_owned();
        let annotation = |who: Value, said: &str, cancelled: bool| {
            json!({
                "completed_by": who, "was_cancelled": cancelled, "updated_at": "2026-11-21T08:00:00Z",
                "result": [{ "from_name": "label", "to_name": "row", "type": "choices", "value": { "choices": [said] } }],
            })
        };
        let mut all = vec![annotation(json!({ "id": 1, "email": "ann@example.org" }), truth(&id), n == 0)];
        if n % 3 == 0 {
            all.push(annotation(json!(14), truth(&id), false));
        }
        task["annotations"] = Value::Array(all);
    }
    work.write("export.json", tasks.to_string());
    let said = work.run(&format!("label-import export.json {DAY}")).answers(YES).value();
    assert_eq!((&said["counts"]["added"], &said["agreement"]["n_rows"]), (&79.into(), &19.into()));
    assert_eq!(said["agreement"]["alpha"], 1.0);
    let rows = records(&work.read("data/labels.csv"));
    assert!(rows.iter().all(|row| row["labelled_at"] == "2026-11-21T08:00:00Z" && row["label"] == truth(&row["id"])));
    assert!(work.path("label_inbox/imported/b20261120-100000/label_config.xml").exists());
    work.run("label-import export.json").answers(NO);
}

#[test]
fn a_record_that_was_changed_is_refused_and_so_are_answers_to_nothing() {
    let work = out(60, "");
    answer_truthfully(&work);
    let record = "label_inbox/batches/b20261120-100000/batch.json";
    work.write(record, work.read(record).replacen("\"select_prob\": 0.", "\"select_prob\": 0.9", 1));
    work.run("label-import").answers(ERROR).says("batch.json: was changed after the batch was created");
    let fresh = trained();
    fresh.write("back.csv", "id,churn\nN0001,yes\n");
    fresh.run("label-import back.csv").answers(ERROR).says("there is no batch yet");
    Loop::new().table("churn.csv", CHURN).run("label-import").answers(ERROR).says("no loop here");
}
