//! 300 rows of a real table, out and back: as they are, through a spreadsheet program, through Label Studio.

use super::{DAY, records};
use crate::skipped::skipped;
use crate::support::{ERROR, Loop, NO, YES, shared};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::process::Command;

/// The Telco table in two halves, the second without its outcomes, a version trained on the first and 300 rows out; and
/// what became of each row.
fn telco(options: &str) -> Option<(Loop, HashMap<String, String>)> {
    let text = std::fs::read_to_string(shared("telco_ibm/Telco-Customer-Churn.csv")?).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let (mut reference, mut current) = (format!("{header}\n"), format!("{header}\n"));
    let mut truth = HashMap::new();
    for (n, line) in lines.enumerate() {
        if n < 3500 {
            reference.push_str(&format!("{line}\n"));
            continue;
        }
        let (row, churn) = line.rsplit_once(',').unwrap();
        truth.insert(line.split(',').next().unwrap().to_owned(), churn.trim().to_owned());
        current.push_str(&format!("{row},\n"));
    }
    let work = Loop::new().table("telco.csv", reference).table("data/current.csv", current);
    work.run("init telco.csv").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    let said = work.run(&format!("label-export -n 300 {options} {DAY}")).answers(YES).value();
    assert_eq!(said["n"], 300);
    Some((work, truth))
}

/// The batch with the answers of `truth` in it.
fn filled(work: &Loop, truth: &HashMap<String, String>) -> String {
    let text = work.read("label_inbox/to_label.csv");
    let rows = text.lines().enumerate().map(|(n, line)| {
        let id = line.split(',').next().unwrap();
        let Some(label) = truth.get(id) else { return format!("{line}\n") };
        assert!(n > 0 && line.ends_with(",,,"), "{line}");
        format!("{}{label},,\n", &line[..line.len() - 2])
    });
    rows.collect()
}

fn check(work: &Loop, truth: &HashMap<String, String>) {
    let rows = records(&work.read("data/labels.csv"));
    assert_eq!(rows.len(), 300);
    assert!(rows.iter().all(|row| row["label"] == truth[&row["id"]]));
    work.run("audit verify").answers(YES);
}

#[test]
fn as_it_is() {
    let Some((work, truth)) = telco("") else { return };
    let text = filled(&work, &truth);
    let first = text.lines().nth(1).unwrap();
    let id = first.split(',').next().unwrap();
    for (wrong, what) in [
        (text.replacen(first, &first.replacen(id, "3-Apr-68", 1), 1), "turned an id into a date or a number"),
        (text.replacen(first, &first.replacen(id, "0000-XXXXX", 1), 1), "is not an id of the batch"),
        (text.replacen(&format!("{},,", truth[id]), "Maybe,,", 1), "is not one of the classes \"No\", \"Yes\""),
    ] {
        work.write("wrong.csv", wrong);
        work.run("label-import wrong.csv").answers(ERROR).says("line 2, column").says(what);
    }
    assert!(!work.path("data/labels.csv").exists());
    work.write("label_inbox/to_label_labeled.csv", &text);
    let said = work.run("label-import").answers(YES).value();
    assert!(said["accuracy"]["weighted"]["value"].as_f64().unwrap() > 0.65, "{said}");
    check(&work, &truth);
    work.write("again.csv", text);
    work.run("label-import again.csv").answers(NO);
}

#[test]
fn through_a_spreadsheet_program() {
    let has_one = Command::new("soffice").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_one {
        return skipped("soffice is not installed");
    }
    let Some((work, truth)) = telco("") else { return };
    work.write("sheet.csv", filled(&work, &truth));
    let profile = format!("-env:UserInstallation=file://{}", work.path("office").display());
    for (from, to) in [("sheet.csv", "ods"), ("sheet.ods", "csv")] {
        if to == "csv" {
            std::fs::remove_file(work.path("sheet.csv")).unwrap();
        }
        let converted = Command::new("soffice")
            .args([&profile, "--headless", "--convert-to", to, from])
            .current_dir(work.path(""))
            .output()
            .unwrap();
        assert!(converted.status.success(), "{converted:?}");
    }
    work.run("label-import sheet.csv").answers(YES).json("/counts/added", 300);
    check(&work, &truth);
}

#[test]
fn through_label_studio() {
    let Some((work, truth)) = telco("--format label-studio") else { return };
    let mut tasks: Value = serde_json::from_str(&work.read("label_inbox/to_label.json")).unwrap();
    for (task, n) in tasks.as_array_mut().unwrap().iter_mut().zip(1..) {
        let id = task["data"]["row_id"].as_str().unwrap().to_owned();
        task["id"] = n.into();
        task["annotations"] = json!([{
            "id": 7000 + n, "completed_by": { "id": 2, "email": "ann@example.org", "first_name": "", "last_name": "" },
            "was_cancelled": false, "ground_truth": false, "created_at": "2026-11-20T12:00:00.000001Z",
            "updated_at": "2026-11-20T12:00:01.000001Z", "lead_time": 4.2, "result": [{
                "id": "x", "type": "choices", "origin": "manual", "from_name": "label", "to_name": "row",
                "value": { "choices": [truth[&id]] },
            }],
        }]);
    }
    work.write("export.json", tasks.to_string());
    work.run("label-import export.json").answers(YES).json("/counts/added", 300);
    check(&work, &truth);
    work.run("label-import export.json").answers(NO);
}
