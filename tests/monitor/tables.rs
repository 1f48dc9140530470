//! Tables that are compared with each other, and not with what a version was trained on.

use super::{CHURN, changed, column, trained};
use crate::support::{CANNOT_TELL, ERROR, Loop, NO, YES, shared};
use serde_json::Value;

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
