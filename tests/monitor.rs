//! `monitor`: the answer, its reasons, its files, and what it says of bad input.

mod learned;
mod tables;

use crate::support::{CANNOT_TELL, ERROR, Loop, NO, YES};
use serde_json::Value;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// A loop with a version in production, trained on the churn table.
fn trained() -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work.run("train --now 2026-11-01T00:00:00Z").answers(YES);
    work
}

/// The churn table with each record's fields changed; ids are changed too.
fn changed(change: impl Fn(usize, &mut Vec<String>)) -> String {
    let mut lines = CHURN.lines();
    let mut text = format!("{}\n", lines.next().unwrap());
    for (row, line) in lines.enumerate() {
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        fields[0] = format!("N{row}");
        change(row, &mut fields);
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

fn trigger<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["triggers"].as_array().unwrap();
    all.iter().find(|trigger| trigger["name"] == name).unwrap_or_else(|| panic!("no trigger {name}"))
}

fn column<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["columns"].as_array().unwrap();
    all.iter().find(|column| column["name"] == name).unwrap_or_else(|| panic!("no column {name}"))
}

fn has_finding(report: &Value, kind: &str, column: &str) -> bool {
    report["findings"].as_array().unwrap().iter().any(|f| f["kind"] == kind && f["column"] == column)
}

const QUIET: &str = "[monitor.triggers]\nnew_rows = false\n";

#[test]
fn the_same_rows_give_no_reason() {
    let work = trained();
    work.write("mlloop.toml", format!("{}\n{QUIET}", work.read("mlloop.toml")));
    work.write("data/current.csv", changed(|_, _| {}));
    let report = work.run("monitor --now 2026-11-08T00:00:00Z").answers(NO).value();
    assert_eq!(report["share"]["n_drifted"], 0);
    assert_eq!(report["verdict"]["severity"], "LOW");
    assert_eq!(report["score"]["verdict"], "stable");
    assert!(report["performance"]["n"].as_u64().unwrap() > 1000);
    for name in ["drift_report.json", "drift_report.html", "drift_report.png"] {
        assert!(work.path("reports").join(name).metadata().unwrap().len() > 1000, "{name}");
    }
    let stored: Value = serde_json::from_str(&work.read("reports/drift_report.json")).unwrap();
    assert_eq!(stored, report);
}

#[test]
fn shifted_rows_do_and_the_run_log_knows_when_it_began_and_ended() {
    let work = trained();
    work.write("mlloop.toml", format!("{}\n{QUIET}", work.read("mlloop.toml")));
    let shifted = changed(|_, fields| {
        fields[2] = (fields[2].parse::<f64>().unwrap() * 0.4).round().to_string();
        fields[1] = "weekly".to_owned();
    });
    work.write("calm.csv", changed(|_, _| {}));
    work.write("shifted.csv", shifted);
    work.run("monitor calm.csv --formats json --now 2026-11-02T00:00:00Z").answers(NO);
    let report = work.run("monitor shifted.csv --formats json --now 2026-11-03T00:00:00Z").answers(YES).value();
    assert_eq!(column(&report, "contract")["verdict"], "drifted");
    assert_eq!(column(&report, "months")["verdict"], "drifted");
    assert!(has_finding(&report, "categorical_values", "contract"));
    assert!(has_finding(&report, "onset", "contract"));
    assert_eq!(trigger(&report, "psi")["fired"], true);
    assert!(report["verdict"]["sentence"].as_str().unwrap().starts_with("Retrain: "));
    let after = work.run("monitor calm.csv --formats json --now 2026-11-20T00:00:00Z").answers(NO).value();
    assert!(has_finding(&after, "recovery", "contract"));
    let silence = after["findings"].as_array().unwrap().iter().find(|f| f["kind"] == "not_run_since").unwrap();
    assert_eq!(silence["text"], "monitor has not run since 2026-11-03 (17 days)");
    assert_eq!(work.read("runs/runs.jsonl").lines().filter(|line| line.contains("\"verb\":\"monitor\"")).count(), 3);
}

#[test]
fn nothing_arrived_and_too_little_arrived_are_answers() {
    let work = trained();
    let report = work.run("monitor --formats json").answers(CANNOT_TELL).value();
    assert_eq!(report["findings"][0]["kind"], "nothing_arrived");
    let header = CHURN.lines().next().unwrap();
    work.write("header.csv", format!("{header}\n"));
    work.run("monitor header.csv --formats json").answers(CANNOT_TELL).json("/findings/0/kind", "nothing_arrived");
    let few: String = CHURN.lines().take(58).map(|line| format!("{line}\n")).collect();
    work.write("few.csv", few);
    let said = work.run("monitor few.csv --formats json").answers(CANNOT_TELL);
    said.json("/columns/0/verdict", "too_few_rows").json("/columns/0/need", 200).json("/share/share", Value::Null);
    work.run("monitor few.csv --formats json --force").answers(YES);
    work.run("monitor few.csv --formats json --exit-zero").answers(YES);
}

#[test]
fn rows_feedback_accuracy_and_age_are_reasons() {
    let work = trained();
    work.write(
        "current.csv",
        changed(|_, fields| {
            let churn = fields.last_mut().unwrap();
            *churn = if churn == "yes" { "no" } else { "yes" }.to_owned();
        }),
    );
    let report = work.run("monitor current.csv --formats json").answers(YES).value();
    assert_eq!(trigger(&report, "new_rows")["value"], 1200.0);
    for name in ["new_rows", "recent_accuracy", "metric_drop"] {
        assert_eq!(trigger(&report, name)["fired"], true, "{name}");
    }
    assert_eq!(trigger(&report, "unused_feedback")["fired"], false);
    assert_eq!(trigger(&report, "age")["threshold"], Value::Null);
}

#[test]
fn labels_that_come_later_join_by_id() {
    let work = trained();
    let unlabelled = changed(|_, fields| *fields.last_mut().unwrap() = String::new());
    work.write("current.csv", unlabelled);
    let mut labels = "id,label,annotator,labelled_at,source\n".to_owned();
    for (row, line) in CHURN.lines().skip(1).enumerate().take(300) {
        labels.push_str(&format!("N{row},{},ann,2026-11-05T00:00:00Z,human\n", line.rsplit(',').next().unwrap()));
    }
    labels.push_str("N900,yes,m,2026-11-05T00:00:00Z,model\n");
    work.write("data/labels.csv", labels);
    let report = work.run("monitor current.csv --formats json").answers(YES).value();
    assert_eq!(report["performance"]["n"], 300);
    assert_eq!(trigger(&report, "unused_feedback")["value"], 300.0);
    assert_eq!(trigger(&report, "unused_feedback")["fired"], true);
    assert_eq!(trigger(&report, "recent_accuracy")["fired"], false);
    assert_eq!(report["estimate"]["method"], "cbpe");
}

#[test]
fn a_column_can_have_its_own_method() {
    let work = trained();
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", format!("{toml}\n[monitor.columns.months]\nmethod = \"wasserstein\"\n"));
    work.write("current.csv", changed(|_, _| {}));
    let report = work.run("monitor current.csv --formats json").answers(YES).value();
    assert_eq!(column(&report, "months")["method"], "wasserstein");
    assert_eq!(column(&report, "months")["threshold"], 0.1);
    assert_eq!(column(&report, "contract")["method"], "homogeneity");
    assert_eq!(report["settings"]["columns"]["months"]["method"], "wasserstein");
    work.write("mlloop.toml", format!("{toml}\n[monitor.columns.months]\nmethod = \"magic\"\n"));
    work.run("monitor current.csv").answers(ERROR).says("magic");
    work.write("mlloop.toml", format!("{toml}\n[monitor.columns.nobody]\nmethod = \"ks\"\n"));
    work.run("monitor current.csv").answers(ERROR).says("nobody");
}

#[test]
fn pieces_show_when_it_began() {
    let work = trained();
    let text = changed(|row, fields| {
        if row >= 600 {
            fields[1] = "weekly".to_owned();
        }
    });
    work.write("current.csv", text);
    let report = work.run("monitor current.csv --formats json --by 300").answers(YES).value();
    let chunks = report["history"].as_array().unwrap();
    assert_eq!(chunks.len(), 4);
    assert_eq!(chunks[3]["name"], "rows 901 to 1200");
    let drifted = |chunk: &Value| {
        let all = chunk["columns"].as_array().unwrap();
        all.iter().find(|c| c["name"] == "contract").unwrap()["drifted"].clone()
    };
    assert_eq!(chunks.iter().map(drifted).collect::<Vec<_>>(), [false, false, true, true].map(Value::from));
    work.run("monitor current.csv --by day").answers(ERROR).says("time column");
}

#[test]
fn bad_input_is_one_line_and_changes_nothing() {
    let work = trained();
    let without = |name: &str, with: &str| CHURN.replacen(name, with, 1);
    work.write(
        "missing.csv",
        CHURN.lines().map(|l| format!("{}\n", l.rsplit_once(',').unwrap().0)).collect::<String>(),
    );
    work.write("renamed.csv", without("months", "tenure"));
    work.write(
        "text.csv",
        changed(|row, fields| {
            if row == 7 {
                fields[2] = "twelve".to_owned();
            }
        }),
    );
    work.write("empty.csv", "");
    work.write("other.csv", "city,population\nBern,134\n");
    work.write("cut.csv.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2][..]);
    std::fs::create_dir(work.path("dir.csv")).unwrap();
    let before = work.files();
    work.run("monitor other.csv").answers(ERROR).says("other.csv: has none of the columns that production needs: ");
    work.run("monitor empty.csv").answers(ERROR).says("empty.csv: ");
    work.run("monitor cut.csv.gz").answers(ERROR).says("cut.csv.gz: ");
    work.run("monitor dir.csv").answers(ERROR).says("is a directory");
    work.run("monitor nobody.csv").answers(ERROR).says("nobody.csv: ");
    assert_eq!(work.files(), before);
    // Without the target there is no performance, but there is an answer.
    work.run("monitor missing.csv --formats json").answers(NO).json("/performance", Value::Null);
    // What is renamed cannot be told, which is a reason of its own; the others are judged.
    let renamed = work.run("monitor renamed.csv --formats json").answers(YES).value();
    assert!(has_finding(&renamed, "missing_column", "months") && has_finding(&renamed, "extra_column", "tenure"));
    // A cell of another type is a finding; the column is judged by the others.
    for skip in ["", " --skip-invalid"] {
        let report = work.run(&format!("monitor text.csv --formats json{skip}")).answers(YES).value();
        assert!(has_finding(&report, "data_type", "months"));
        assert_eq!(
            (&column(&report, "months")["verdict"], &report["current"]["n_rows"]),
            (&"stable".into(), &1200.into())
        );
    }
}

/// Sixty rows a day, x creeping upwards, on and after the first of October.
fn creeping(days: std::ops::Range<u32>) -> String {
    let row = |day: u32, i: u32| {
        let noise = f64::from((day * 60 + i).wrapping_mul(2_654_435_761) >> 8 & 0xffff) / 65_536.0;
        let (month, date) = if day < 31 { (10, day + 1) } else { (11, day - 30) };
        let x = noise + f64::from(day) * 0.02;
        format!("2026-{month}-{date:02}T{:02}:00:00Z,{x:.4},{}\n", i % 24, i % 2)
    };
    "at,x,y\n".to_owned() + &days.flat_map(|day| (0..60).map(move |i| row(day, i))).collect::<String>()
}

#[test]
fn a_reference_that_moves_along_hides_what_training_shows() {
    let work = Loop::new().table("t.csv", creeping(0..14));
    work.run("init t.csv --target y").answers(YES);
    work.run("train --now 2026-10-15T00:00:00Z").answers(YES);
    work.write("data/current.csv", creeping(0..45));
    let none = work.run("monitor --reference 21d").answers(ERROR);
    none.says("the prediction log is empty");
    let report = work.run("monitor --last 7d --reference 7d --formats json").answers(YES).value();
    assert_eq!((&report["current"]["n_rows"], &report["reference"]["n_rows"]), (&Value::from(420), &Value::from(420)));
    let name = report["reference"]["name"].as_str().unwrap();
    assert!(name.starts_with("the 7 days before 2026-11-0") && name.ends_with("(the same table)"), "{name}");
    let statistic = |columns: &Value| columns[0]["statistic"].as_f64().unwrap();
    let training = &report["against_training"];
    assert!(training["reference"]["name"].as_str().unwrap().starts_with("training rows of v0001"));
    assert!(statistic(&training["columns"]) > 2.0 * statistic(&report["columns"]), "{training}");
    // Sixty rows are few for a distribution; that many of them beyond what the reference has is none the less certain.
    let day = work
        .run("--set monitor.triggers.new_rows=false monitor --last 1d --reference weekdays:4 --formats json")
        .answers(YES)
        .value();
    assert_eq!(day["columns"][0]["method"], "range");
    assert_eq!((&day["current"]["n_rows"], &day["reference"]["n_rows"]), (&Value::from(60), &Value::from(240)));
    // Against the training rows themselves there is nothing to add.
    let plain = work.run("monitor --formats json").answers(YES).value();
    assert_eq!(plain.get("against_training"), None);
}

#[test]
fn the_prediction_log_is_a_reference_and_what_arrived() {
    let work = trained();
    work.run("predict churn.csv --log --now 2026-11-05T00:00:00Z").answers(YES);
    let logged = work.run("monitor --formats json --now 2026-11-20T00:00:00Z").answers(NO).value();
    assert_eq!(logged["current"]["n_rows"], 1200);
    assert_eq!(logged["current"]["name"], "predictions logged since 2026-11-01 00:00");
    assert_eq!(logged["share"]["n_drifted"], 0);
    assert_eq!(logged["score"]["verdict"], "stable");
    work.write("data/current.csv", changed(|_, _| {}));
    let report = work.run("monitor --reference 28d --formats json --now 2026-11-20T00:00:00Z").answers(YES).value();
    assert_eq!(report["reference"]["n_rows"], 1200);
    assert_eq!(report["reference"]["name"], "the 28 days before 2026-11-20 (prediction log)");
    let late = work.run("monitor --reference 7d --formats json --now 2026-11-20T00:00:00Z").value();
    assert_eq!(late["reference"]["n_rows"], 0);
    work.run("monitor --last 1d").answers(ERROR).says("needs a time column");
}

#[test]
fn a_damaged_manifest_is_an_error_and_not_an_unknown_outcome() {
    let work = trained();
    let file = "models/v0001/manifest.json";
    let whole: Value = serde_json::from_str(&work.read(file)).unwrap();
    for damaged in [serde_json::json!({ "metrics": "gone" }), serde_json::json!("none"), serde_json::json!([])] {
        let mut manifest = whole.clone();
        manifest["gate"] = damaged;
        work.write(file, manifest.to_string());
        work.run("monitor churn.csv").answers(ERROR).says("models/v0001/manifest.json: was changed after v0001");
    }
}

#[test]
fn every_verb_that_reads_rows_has_the_hint_for_a_bad_cell() {
    let work = trained();
    let bad = changed(|row, fields| {
        if row == 7 {
            fields[2] = "twelve".to_owned()
        }
    });
    work.write("data/current.csv", &bad);
    work.write("data/labels.csv", "id,label,annotator,labelled_at,source\nN7,yes,ann,2026-11-05T00:00:00Z,human\n");
    work.write("bad.csv", &bad);
    // monitor goes on, and says so (`bad_input_is_one_line_and_changes_nothing`).
    for line in ["predict bad.csv", "retrain --dry-run", "retrain", "run", "run bad.csv --force"] {
        let said = work.run(line).answers(ERROR).says("line 9, column \"months\": \"twelve\" is not a number");
        said.says("hint: correct the cell, add the text to [data] missing in mlloop.toml, or skip such rows");
    }
    work.run("predict bad.csv --model v0007").answers(ERROR).says("hint: `mlloop status` lists the versions");
}

#[test]
fn dates_that_lie_ahead_by_nature_do_not_drift() {
    // Contracts end within two years after the table was made; a year later others do, as far ahead.
    let table = |from: i64, n: u32| {
        let row = |row: u32| {
            let ends = jiff::Timestamp::from_second(from + i64::from(row * 7919 % 63_072) * 1000).unwrap();
            format!(
                "k{from}{row},{},{},{}\n",
                ends.strftime("%Y-%m-%d"),
                row * 31 % 97,
                ["no", "yes"][(row % 97 % 2) as usize]
            )
        };
        "id,contract_end,x,churn\n".to_owned() + &(0..n).map(row).collect::<String>()
    };
    let second = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let (then, now) = (second("2026-01-01T00:00:00Z"), second("2027-01-01T00:00:00Z"));
    let work = Loop::new().table("ref.csv", table(then, 1000)).table("now.csv", table(now, 400));
    work.run("init ref.csv").answers(YES);
    work.run("--set n_estimators=8 train --now 2026-01-01T00:00:00Z").answers(YES);
    let verdict = |line: &str| {
        let columns = work.run(line).value()["columns"].as_array().unwrap().clone();
        columns.into_iter().find(|column| column["name"] == "contract_end").unwrap()
    };
    for line in ["monitor ref.csv --now 2026-01-02T00:00:00Z", "monitor now.csv --now 2027-01-01T00:00:00Z"] {
        let found = verdict(&format!("{line} --formats json"));
        assert_eq!(found["verdict"], "stable", "{line}: {found}");
    }
    // All of them beyond the year 2080 are another matter.
    work.write("wrong.csv", table(second("2080-01-01T00:00:00Z"), 400));
    assert_eq!(verdict("monitor wrong.csv --now 2027-01-01T00:00:00Z --formats json")["verdict"], "drifted");
}

/// Of rows that no id tells apart nothing can be learned, and that is said, not that everything was learned.
#[test]
fn ids_that_are_blank_or_all_alike_are_said() {
    let work = trained();
    let said = |id: Option<&str>| {
        work.write(
            "data/current.csv",
            changed(|_, fields| fields[0] = id.map_or_else(|| fields[0].clone(), str::to_owned)),
        );
        let report = work.run("monitor --formats json").value();
        let retrain = work.run("retrain --dry-run");
        (report["notes"].to_string(), trigger(&report, "new_rows")["value"].as_f64().unwrap(), retrain)
    };
    let n = CHURN.lines().count() - 1;
    let (notes, new, _) = said(None);
    assert_eq!((notes.contains("the measured performance is too optimistic"), new), (false, n as f64));
    let (notes, new, retrain) = said(Some(""));
    assert!(notes.contains(&format!("{n} rows with an outcome have no id")) && new == 0.0, "{notes} {new}");
    let retrain = retrain.says("have no id, so they cannot be joined").value();
    let sentence = retrain["sentence"].as_str().unwrap().to_owned();
    assert!(sentence.contains("every usable label"), "{sentence}");
    let (notes, _, retrain) = said(Some("r1"));
    assert!(notes.contains(&format!("{} rows with an outcome have the id of an earlier row", n - 1)), "{notes}");
    retrain.says("check the id column");
    // A table that came twice has each row twice.
    let twice = changed(|_, _| {});
    let rows = twice.split_once('\n').unwrap().1;
    work.write("data/current.csv", format!("{twice}{rows}"));
    let notes = work.run("monitor --formats json").value()["notes"].to_string();
    assert!(!notes.contains("check the id column"), "{notes}");
}
