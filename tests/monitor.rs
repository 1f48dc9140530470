//! `monitor`: the answer, its reasons, its files, and what it says of bad input.

use crate::support::{CANNOT_TELL, ERROR, Loop, NO, YES, shared};
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
fn metrics_of_classes_are_not_estimated_of_rows_that_production_learned_from() {
    let work = trained();
    let estimate = |table: String| {
        work.write("current.csv", table);
        work.run("monitor current.csv --formats json").value()["estimate"].clone()
    };
    // Neither table has outcomes: one has new rows, the other those of the reference besides.
    let new = changed(|_, fields| *fields.last_mut().unwrap() = String::new());
    let n_new = new.lines().count() as u64 - 1;
    let old: String = CHURN.lines().skip(1).map(|line| line[..=line.rfind(',').unwrap()].to_owned() + "\n").collect();
    let n_old = old.lines().count() as u64;
    let alone = estimate(new.clone());
    assert_eq!((&alone["method"], &alone["n"], &alone["n_learned"]), (&"cbpe".into(), &n_new.into(), &0.into()));
    let both = estimate(new + &old);
    let n_learned = both["n_learned"].as_u64().unwrap();
    // The rest of the reference is the gate's.
    assert!((n_old / 2..n_old).contains(&n_learned), "{n_learned} of {n_old}");
    assert_eq!((&both["method"], &both["n"]), (&"cbpe".into(), &(n_new + n_old - n_learned).into()));
}

#[test]
fn labels_of_rows_in_a_given_table_alone_name_the_retrain_that_finds_them() {
    let work = trained().table("c.csv", changed(|_, fields| fields[8].clear()));
    work.run("label-export -n 60 --table c.csv --now 2026-11-02T00:00:00Z").answers(YES);
    let ids = work.read("label_inbox/to_label.csv");
    let ids = ids.lines().skip(1).map(|line| line.split(',').find(|field| field.starts_with('N')).unwrap());
    let back: String = ids.map(|id| format!("{id},yes\n")).collect();
    work.write("back.csv", format!("id,churn\n{back}"));
    work.run("label-import back.csv --annotator bob --accept-batch --now 2026-11-03T00:00:00Z").answers(YES);
    let given = work.run("monitor c.csv --now 2026-11-04T00:00:00Z").answers(YES).value();
    let note = "60 labelled rows have their features in c.csv alone: to learn from them, run `mlloop retrain c.csv`";
    assert!(given["notes"].as_array().unwrap().iter().any(|one| one == note), "{}", given["notes"]);
    work.run("retrain --dry-run --now 2026-11-04T00:00:00Z").answers(NO);
    work.run("retrain c.csv --now 2026-11-04T00:00:00Z").answers(YES).json("/plan/n_added", 60);
    // The table that the loop knows is found without its name.
    let known = trained().table("data/current.csv", changed(|_, _| {}));
    let known = known.run("monitor data/current.csv --now 2026-11-04T00:00:00Z").value();
    assert!(!known["notes"].to_string().contains("mlloop retrain"), "{}", known["notes"]);
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
fn two_tables_are_compared_without_a_loop() {
    let work = Loop::new().table("a.csv", CHURN).table("b.csv", changed(|_, _| {}));
    let report = work.run("monitor --reference a.csv b.csv --preset evidently").answers(NO).value();
    assert_eq!(column(&report, "months")["method"], "wasserstein");
    // Without a loop there is nothing to retrain, and drift alone is judged.
    let names: Vec<&str> =
        report["triggers"].as_array().unwrap().iter().map(|trigger| trigger["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["drift_share", "psi", "multivariate", "schema", "force"]);
    assert_eq!(report["share"]["n_drifted"], 0);
    assert!(!work.path("reports").exists());
    work.run("monitor b.csv").answers(ERROR).says("no loop here");
    // One level in another spelling is the same level, also where there is no other.
    let flags =
        |flag: &str| (0..300).fold("flag,n\n".to_owned(), |text, i| text + &format!("{flag},{}\n", i * 37 % 101));
    work.write("sql.csv", flags("true"));
    work.write("pandas.csv", flags("True"));
    let report = work.run("monitor --reference sql.csv pandas.csv --formats json").answers(NO).value();
    assert_eq!((&column(&report, "flag")["verdict"], &report["findings"]), (&"stable".into(), &serde_json::json!([])));
    // What is set for the command holds without a loop too.
    let line = "monitor --reference a.csv b.csv --formats json --set";
    let settings =
        work.run(&format!("{line} monitor.min_rows=5 --set monitor.preset=psi")).answers(NO).value()["settings"]
            .clone();
    assert_eq!((&settings["min_rows"], &settings["preset"]), (&5.into(), &"psi".into()));
    for (set, says) in [
        ("monitor.min_row=5", "unknown key \"min_row\": did you mean \"min_rows\"?"),
        ("monitor.alpha=2", "[monitor] alpha = 2 must be above 0 and at most 1"),
        ("promote.alpha=0.1", "no loop here"),
    ] {
        work.run(&format!("{line} {set}")).answers(ERROR).says(says);
    }
}

#[test]
fn two_tables_without_a_loop_are_read_as_one_says() {
    // A title, a comment, semicolons, and numbers that have three digits behind a mark in every cell.
    let text = |shift: usize| {
        let row = |i: usize| format!("{},{};{}\n", i * 7 % 9 + shift, i * 37 % 900 + 100, ["a", "b"][i % 2]);
        format!("sales of May\n# made by hand\nx;kind\n{}", (0..300).map(row).collect::<String>())
    };
    let work = Loop::new().table("a.csv", text(1)).table("b.csv", text(4));
    let line = "monitor --reference a.csv b.csv --skip-lines 1 --comment # --delimiter ;";
    let mean = |decimal: &str| {
        let report = work.run(&format!("{line} --decimal {decimal}")).answers(YES).value();
        let x = column(&report, "x");
        assert_eq!((&x["kind"], &x["verdict"]), (&"number".into(), &"drifted".into()));
        x["reference"]["mean"].as_f64().unwrap()
    };
    assert!((5.0..6.5).contains(&mean(",")), "{}", mean(","));
    assert!((5_000.0..6_500.0).contains(&mean(".")), "{}", mean("."));
    // A loop says itself how its numbers are written.
    trained().run("monitor churn.csv --decimal ,").answers(ERROR).says("[columns] in mlloop.toml");
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

#[test]
fn a_joint_shift_is_found_by_a_classifier() {
    let row = |i: u32, flip: bool| {
        let x = (i * 7919 % 1000) as f64 / 1000.0;
        format!("{x},{},{}\n", if flip { 1.0 - x } else { x }, i % 2)
    };
    let table = |flip| "x,y,z\n".to_owned() + &(0..2000).map(|i| row(i, flip)).collect::<String>();
    let work = Loop::new().table("a.csv", table(false)).table("b.csv", table(true));
    let report = work.run("monitor --reference a.csv b.csv --multivariate").answers(YES).value();
    assert_eq!(report["share"]["n_drifted"], 0);
    assert_eq!(report["multivariate"]["drifted"], true);
}

/// Mean statistic of a column over the pieces.
fn mean_statistic(report: &Value, name: &str) -> f64 {
    let chunks = report["history"].as_array().unwrap();
    let of = |chunk: &Value| {
        let all = chunk["columns"].as_array().unwrap();
        all.iter().find(|c| c["name"] == name).unwrap()["statistic"].as_f64().unwrap()
    };
    chunks.iter().map(of).sum::<f64>() / chunks.len() as f64
}

#[test]
fn california_month_by_month_against_the_whole_reference() {
    let name = |part| format!("california_housing/california_housing_{part}.csv");
    let (Some(reference), Some(analysis)) = (shared(&name("reference")), shared(&name("analysis"))) else { return };
    let work = Loop::new();
    let toml = |columns: &[&str]| {
        columns.iter().map(|c| format!("[monitor.columns.{c}]\nmethod = \"ks\"\n")).collect::<String>()
    };
    work.run(&format!("init {} --target clf_target", reference.display())).answers(YES);
    let columns = ["Longitude", "Latitude", "HouseAge", "MedInc", "AveOccup", "AveRooms", "AveBedrms", "Population"];
    work.write("mlloop.toml", format!("{}\n{}", work.read("mlloop.toml"), toml(&columns)));
    let months = |table: &std::path::Path, answer| {
        let line = format!(
            "monitor --reference {} {} --by month --exact --formats json",
            reference.display(),
            table.display()
        );
        work.run(&line).answers(answer).value()
    };
    // Without a version there is nothing that rows could be new to: drift alone is judged.
    let (before, after) = (months(&reference, NO), months(&analysis, YES));
    let expected = [0.712709, 0.672904, 0.201638, 0.154952, 0.143890, 0.129277, 0.089140, 0.073562];
    for (name, expected) in columns.iter().zip(expected) {
        let found = (8.0 * mean_statistic(&before, name) + 12.0 * mean_statistic(&after, name)) / 20.0;
        assert!((found - expected).abs() < 5e-7, "{name}: {found} is not {expected}");
    }
}

/// The first lines of a table, and the others under the same header.
fn halves(text: &str, n: usize) -> (String, String) {
    let mut lines = text.lines();
    let header = lines.next().unwrap().to_owned();
    let all: Vec<&str> = lines.collect();
    let join = |rows: &[&str]| format!("{header}\n{}\n", rows.join("\n"));
    (join(&all[..n]), join(&all[n..]))
}

#[test]
fn streams_that_are_known_to_drift_do() {
    let cases = [
        ("elec2/elec.csv", 17_424, vec!["vicprice", "vicdemand", "transfer"]),
        ("bank_marketing/bank-full.csv", 20_000, vec!["month", "contact", "pdays"]),
        ("bike_sharing/hour.csv", 8_645, vec!["yr"]),
    ];
    for (table, n, expected) in cases {
        let Some(path) = shared(table) else { return };
        let (before, after) = halves(&std::fs::read_to_string(path).unwrap().replace('\r', ""), n);
        let work = Loop::new().table("before.csv", before).table("after.csv", after);
        let report = work.run("monitor --reference before.csv after.csv").answers(YES).value();
        for name in expected {
            assert_eq!(column(&report, name)["verdict"], "drifted", "{table} {name}");
        }
    }
}

/// A loop that predicts a number, and the table that arrives without it.
fn estimated(change: impl Fn(f64) -> f64) -> Value {
    estimated_from(3000, change)
}

/// The same where the rows from `first` on arrive, of which those below 3000 are the reference's.
fn estimated_from(first: u32, change: impl Fn(f64) -> f64) -> Value {
    let row = |i: u32, change: &dyn Fn(f64) -> f64| {
        let noise = |k: u32| {
            let mut bits = i * 4 + k;
            for _ in 0..2 {
                bits = (bits ^ bits >> 16).wrapping_mul(0x045d_9f3b);
            }
            f64::from((bits ^ bits >> 16) & 0xffff) / 65_536.0
        };
        // The larger x, the larger the errors.
        let x = change(noise(1));
        (format!("r{i:05},{x:.4},{:.3}", noise(2)), 3.0 * x + (1.0 + 4.0 * x) * (noise(3) - 0.5))
    };
    let labelled = |i| {
        let (cells, y) = row(i, &|x| x);
        format!("{cells},{y:.4}\n")
    };
    let work = Loop::new().table("t.csv", "id,x,z,y\n".to_owned() + &(0..3000).map(labelled).collect::<String>());
    work.run("init t.csv --target y").answers(YES);
    work.run("train").answers(YES);
    let arrived = (first..5000).map(|i| row(i, &change).0 + "\n").collect::<String>();
    work.write("data/current.csv", "id,x,z\n".to_owned() + &arrived);
    work.run("monitor --formats json").value()
}

#[test]
fn errors_of_numbers_are_estimated_without_labels() {
    let calm = estimated(|x| x);
    let harder = estimated(|x| 0.5 + x / 2.0);
    let mae = |report: &Value| {
        assert_eq!(report["performance"], Value::Null);
        assert_eq!(report["estimate"]["method"], "dle");
        let found = &report["estimate"]["metrics"][0];
        assert_eq!(found["name"], "mae");
        (found["value"].as_f64().unwrap(), found["gate"].as_f64().unwrap())
    };
    let ((value, gate), (expected, _)) = (mae(&calm), mae(&harder));
    assert!((value / gate - 1.0).abs() < 0.1, "{value} for {gate}");
    // Uniform noise in an interval of width 1 + 4x: the mean error is a quarter of it, .75 for all x and 1 for the upper half.
    assert!((expected / value - 4.0 / 3.0).abs() < 0.1, "{expected} after {value}");
}

#[test]
fn errors_of_numbers_are_not_estimated_of_rows_that_production_learned_from() {
    let of = |report: &Value, key: &str| report["estimate"][key].as_u64().unwrap_or(0);
    let (new, mixed) = (estimated(|x| x), estimated_from(2500, |x| x));
    assert_eq!((of(&new, "n"), of(&new, "n_learned")), (2000, 0));
    // Some of the 500 rows of the reference were the gate's.
    let learned = of(&mixed, "n_learned");
    assert!((300..500).contains(&learned), "{learned}");
    assert_eq!(of(&mixed, "n"), 2500 - learned);
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
fn a_reference_comes_through_a_pipe_and_its_bad_rows_are_told() {
    let work = Loop::new().table("b.csv", changed(|_, _| {}));
    let piped = work.pipe("monitor --reference - b.csv", CHURN).answers(NO).value();
    assert_eq!((&piped["reference"]["name"], &piped["reference"]["n_rows"]), (&"stdin".into(), &1200.into()));
    assert_eq!(piped["share"]["n_drifted"], 0);
    work.write("a.csv", CHURN.to_owned() + "1,2\n");
    work.run("monitor --reference a.csv b.csv").answers(ERROR).says("line 1202");
    let skipped = work.run("monitor --reference a.csv b.csv --skip-invalid").answers(NO);
    let report = skipped.says("1 row of the reference was skipped").value();
    assert_eq!(report["notes"], serde_json::json!(["1 row of the reference was left out"]));
}

#[test]
fn too_few_rows_for_a_classifier_are_no_error() {
    let work = trained();
    work.write("header.csv", CHURN.lines().next().unwrap().to_owned() + "\n");
    work.run("monitor header.csv --multivariate").answers(CANNOT_TELL).json("/multivariate", Value::Null);
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
fn outcomes_of_rows_that_production_learned_from_are_left_out() {
    let work = trained();
    work.write("mlloop.toml", format!("{}\n{QUIET}", work.read("mlloop.toml")));
    let manifest: Value = serde_json::from_str(&work.read("models/v0001/manifest.json")).unwrap();
    let rows = |part: &str| manifest["rows"][part].as_u64().unwrap();
    let (n_gate, n_learned) = (rows("gate"), rows("train") + rows("tune"));
    let left_out = |report: &Value| {
        assert_eq!(report["performance"]["n"], n_gate);
        assert_eq!(report["performance"]["n_learned"], n_learned);
        let note = format!("{n_learned} labelled rows are left out because v0001 was trained on them");
        assert!(report["notes"].as_array().unwrap().contains(&Value::from(note)), "{}", report["notes"]);
    };
    // In the table, by labels, and in the prediction log.
    let report = work.run("monitor churn.csv --formats json").answers(NO).value();
    left_out(&report);
    assert_eq!((&report["estimate"]["n"], &report["estimate"]["n_learned"]), (&n_gate.into(), &n_learned.into()));
    // Measured on the rows of the gate alone, it is what the gate said.
    let auc = &report["performance"]["metrics"].as_array().unwrap()[0];
    assert!((auc["value"].as_f64().unwrap() - auc["gate"].as_f64().unwrap()).abs() < 1e-9, "{auc}");
    let unlabelled: String = CHURN
        .lines()
        .enumerate()
        .map(|(n, line)| if n == 0 { format!("{line}\n") } else { format!("{},\n", line.rsplit_once(',').unwrap().0) })
        .collect();
    work.write("unlabelled.csv", unlabelled);
    left_out(&work.run("monitor unlabelled.csv --labels churn.csv --formats json").answers(NO).value());
    work.run("predict unlabelled.csv --log -o scored.csv").answers(YES);
    let of_none = format!("{}\n", CHURN.lines().next().unwrap());
    work.write("none.csv", of_none);
    left_out(&work.run("monitor none.csv --labels churn.csv --formats json").answers(CANNOT_TELL).value());
    // Rows of its own are all that there is.
    let gate: Vec<&str> = {
        let learned = mlloop::registry::Registry::new(work.path("models"));
        let learned = learned.learned(mlloop::registry::Version(1)).unwrap().unwrap();
        CHURN.lines().skip(1).filter(|line| learned.has(line.split(',').next().unwrap())).collect()
    };
    assert_eq!(gate.len() as u64, n_learned);
    work.write("learned.csv", format!("{}\n{}\n", CHURN.lines().next().unwrap(), gate.join("\n")));
    let report = work.run("monitor learned.csv --formats json").answers(NO).value();
    assert_eq!(report["performance"], Value::Null);
    let text = format!("no labelled rows with a class beyond the {n_learned} rows that production was trained on");
    assert_eq!(trigger(&report, "recent_accuracy")["text"], text);
    // The same of a table that a new version is tested on.
    let said = work.run("train --test churn.csv").answers(YES);
    assert_eq!(said.value()["test"]["n_rows"], n_gate);
}

#[test]
fn rows_without_ids_that_production_learned_from_are_left_out() {
    // The churn table without its ids, and with no more columns than leave many rows alike.
    let some = |columns: &[usize]| -> String {
        let of = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            columns.iter().map(|&column| fields[column]).collect::<Vec<_>>().join(",") + "\n"
        };
        CHURN.lines().map(of).collect()
    };
    let monitored = |columns: &[usize]| {
        let work = Loop::new().table("churn.csv", some(columns));
        work.run("init churn.csv --target churn").answers(YES);
        work.run("train --now 2026-11-01T00:00:00Z").answers(YES);
        let manifest: Value = serde_json::from_str(&work.read("models/v0001/manifest.json")).unwrap();
        let (gate, all) = (manifest["rows"]["gate"].as_u64().unwrap(), 1200);
        let report = work.run("monitor churn.csv --formats json").value();
        let tested = work.run("train --test churn.csv").value();
        let told =
            tested["notes"].to_string().contains("training rows of the model cannot be distinguished from new rows");
        assert_eq!(told, columns.len() < 8, "{}", tested["notes"]);
        (report, gate, all - gate, tested["test"]["n_rows"].clone())
    };
    let (report, gate, learned, tested) = monitored(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let performance = &report["performance"];
    assert_eq!((&performance["n"], &performance["n_learned"], tested), (&gate.into(), &learned.into(), gate.into()));
    let auc = &performance["metrics"].as_array().unwrap()[0];
    assert!((auc["value"].as_f64().unwrap() - auc["gate"].as_f64().unwrap()).abs() < 1e-9, "{auc}");
    let (report, ..) = monitored(&[1, 2, 3, 8]);
    assert_eq!((&report["performance"]["n"], &report["performance"]["n_learned"]), (&1200.into(), &0.into()));
    let notes = report["notes"].to_string();
    assert!(notes.contains("training rows of v0001 cannot be distinguished from new rows"), "{notes}");
}

#[test]
fn what_arrived_is_not_what_can_be_learned() {
    let work = trained();
    let n_new = |line: &str, status| {
        let report = work.run(&format!("monitor {line} --formats json")).answers(status).value();
        let trigger = trigger(&report, "new_rows").clone();
        (trigger["value"].clone(), trigger["text"].as_str().unwrap().to_owned(), report)
    };
    // Rows of the reference, and rows without an outcome, teach nothing.
    assert_eq!(n_new("churn.csv", NO).0, 0.0);
    work.write("unlabelled.csv", changed(|_, fields| fields.last_mut().unwrap().clear()));
    let (value, text, _) = n_new("unlabelled.csv", NO);
    assert_eq!((value, text.as_str()), (0.0.into(), "0 new labelled rows"));
    work.write(
        "labelled.csv",
        changed(|row, fields| {
            if row % 10 == 0 {
                fields.last_mut().unwrap().clear()
            }
        }),
    );
    let (value, _, report) = n_new("labelled.csv", YES);
    assert_eq!(value, 1080.0);
    assert_eq!(report["verdict"]["sentence"], "No drift. 1080 new labelled rows: enough to retrain.");
    // The count is what a retrain would use, of the same table.
    work.run("retrain labelled.csv --dry-run").answers(YES).json("/plan/n_new", 1080).json("/plan/n_added", 1080);
    work.run("retrain churn.csv --dry-run").answers(NO).json("/plan/n_new", 0);
    // A label that says what the reference says is nothing new; one that corrects it is, and so is one for a logged row.
    let of = |id: &str, label: &str| format!("{id},{label},ann,2026-11-05T00:00:00Z,human\n");
    let rows: Vec<(&str, &str)> =
        CHURN.lines().skip(1).map(|l| (l.split(',').next().unwrap(), l.rsplit(',').next().unwrap())).collect();
    let mut labels = "id,label,annotator,labelled_at,source\n".to_owned();
    rows[..40].iter().for_each(|(id, said)| labels.push_str(&of(id, said)));
    rows[40..47].iter().for_each(|(id, said)| labels.push_str(&of(id, if *said == "yes" { "no" } else { "yes" })));
    labels.push_str(&of("nobody", "yes"));
    work.write("data/labels.csv", labels);
    let (value, _, report) = n_new("unlabelled.csv", NO);
    assert_eq!((value, &trigger(&report, "unused_feedback")["value"]), (7.0.into(), &7.0.into()));
    work.run("retrain unlabelled.csv --dry-run --force").answers(YES).json("/plan/n_new", 7);
    // Unlabelled volume can be chosen.
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", format!("{toml}\n[monitor.triggers]\ncount = \"all\"\n"));
    let (value, text, report) = n_new("unlabelled.csv", YES);
    assert_eq!((value, text.as_str()), (1200.0.into(), "1200 new rows"));
    assert_eq!(report["verdict"]["sentence"], "No drift. 1200 new rows: enough to retrain.");
    work.write("mlloop.toml", format!("{toml}\n[monitor.triggers]\ncount = \"some\"\n"));
    work.run("monitor unlabelled.csv").answers(ERROR).says("unknown value \"some\"; choose from labelled, all");
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

/// Looking again at what was seen is no new look, and asking again about the same rows brings no new rows.
#[test]
fn rows_that_come_again_say_nothing_new() {
    let all: Vec<&str> = include_str!("../fixtures/tables/churn.csv").lines().collect();
    let table = |rows: std::ops::Range<usize>| [&all[..1], &all[rows]].concat().join("\n") + "\n";
    let work = Loop::new().table("ref.csv", table(1..601)).table("now.csv", table(601..801));
    work.run("init ref.csv").answers(YES);
    work.run("--set n_estimators=8 train --now 2026-11-01T00:00:00Z").answers(YES);
    let needed = |line: &str| work.run(line).value()["alarm"]["needed"].as_f64().unwrap();
    let looks: Vec<f64> =
        (3..6).map(|day| needed(&format!("monitor now.csv --now 2026-11-0{day}T00:00:00Z --formats json"))).collect();
    assert!(looks.iter().all(|needed| *needed == looks[0]), "{looks:?}");
    // A file that was put together twice holds each row once; outcomes that are not known yet are no other outcomes.
    work.write("twice.csv", table(601..801) + table(601..801).split_once('\n').unwrap().1);
    let twice = work.run("monitor twice.csv --now 2026-11-05T00:00:00Z --formats json").value();
    assert_eq!((&twice["performance"]["n"], &twice["alarm"]["n"]), (&Value::from(200), &Value::from(200)));
    assert!(
        twice["notes"].to_string().contains("200 rows have the id of another row in the table"),
        "{}",
        twice["notes"]
    );
    let half = table(601..801);
    let half = half.lines().enumerate().map(|(n, row)| match n % 2 {
        1 => row.rsplit_once(',').unwrap().0.to_owned() + ",\n",
        _ => format!("{row}\n"),
    });
    work.write("half.csv", half.collect::<String>());
    let half = work.run("monitor half.csv --now 2026-11-05T00:00:00Z --formats json").value();
    assert_eq!(half["target"]["verdict"], "too_few_rows", "as 100 outcomes are: {}", half["target"]);
    // A table that begins with rows that were there: the evidence goes on with those that are new, and asks for no more.
    work.write("other.csv", table(701..901));
    let other = work.run("monitor other.csv --now 2026-11-06T00:00:00Z --formats json").value();
    assert_eq!((&other["alarm"]["n"], other["alarm"]["needed"].as_f64().unwrap()), (&Value::from(300), looks[0]));
    for night in 2..8 {
        let outcomes = if night == 2 { "--outcomes" } else { "" };
        work.run(&format!("predict now.csv --log {outcomes} -o out.csv --now 2026-11-0{night}T12:00:00Z")).answers(YES);
    }
    let watched = work.run("monitor --now 2026-11-09T00:00:00Z --formats json").value();
    assert_eq!(watched["current"]["n_rows"], 200, "each row once");
    assert_eq!(watched["performance"]["n"], 200);
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
