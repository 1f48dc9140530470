//! What `label-export` hands out, and what it refuses.

use super::{CHURN, DAY, copy_of, records, trained};
use crate::support::{ERROR, Loop, NO, YES, points};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn a_balanced_batch_has_its_strata_and_its_probabilities() {
    let work = trained();
    let said = work.run(&format!("label-export -n 200 --seed 3 {DAY}")).answers(YES).value();
    assert_eq!(
        (&said["batch"], &said["n"], &said["n_candidates"]),
        (&"b20261120-100000".into(), &200.into(), &600.into())
    );
    let text = work.read("label_inbox/to_label.csv");
    let header = "id,batch,stratum,reason,select_prob,model_version,contract,months,internet,paperless,monthly_charge,\
                  total_charge,support_calls,churn,annotator,note";
    assert_eq!(text.lines().next(), Some(header));
    let rows = records(&text);
    let ids: BTreeSet<&str> = rows.iter().map(|row| row["id"].as_str()).collect();
    assert_eq!((rows.len(), ids.len()), (200, 200));
    let mut strata: BTreeMap<&str, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *strata.entry(&row["stratum"]).or_default() += 1);
    for (stratum, low, high) in [("control", 45, 55), ("uncertain", 60, 110), ("drifted", 15, 60), ("diverse", 15, 30)]
    {
        assert!((low..=high).contains(&strata[stratum]), "{strata:?}");
    }
    for row in &rows {
        assert!(row["churn"].is_empty() && row["annotator"].is_empty() && row["note"].is_empty());
        let prob: f64 = row["select_prob"].parse().unwrap();
        // 50 control rows of 600 are the floor of every row.
        assert!((50.0 / 600.0 - 1e-9..=1.0).contains(&prob), "{prob}");
        assert!(
            row["stratum"] != "drifted" || row["contract"] == "weekly" || row["reason"].contains("times"),
            "{row:?}"
        );
    }
    // The sum of 1/π estimates the number of candidates.
    let total: f64 = rows.iter().map(|row| 1.0 / row["select_prob"].parse::<f64>().unwrap()).sum();
    assert!((450.0..750.0).contains(&total), "{total}");
    let drifted: Vec<_> = rows.iter().filter(|row| row["stratum"] == "drifted").collect();
    let new = drifted.iter().filter(|row| row["contract"] == "weekly").count();
    assert!(new * 10 >= drifted.len() * 9, "{new} of {}", drifted.len());
    let record: Value = serde_json::from_str(&work.read("label_inbox/batches/b20261120-100000/batch.json")).unwrap();
    assert_eq!(record["rows"].as_array().unwrap().len(), 200);
    assert_eq!(record["version"], "v0001");
    let audit = work.read("audit.jsonl");
    let last: Value = serde_json::from_str(audit.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["details"]["n"]), (&"labels-exported".into(), &200.into()));
    assert_eq!(last["details"]["batch"], "b20261120-100000");
    work.run("audit verify").answers(YES);
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let (one, two, three) = (trained(), trained(), trained());
    one.run(&format!("label-export -n 120 --seed 1 --threads 1 {DAY}")).answers(YES);
    two.run(&format!("label-export -n 120 --seed 1 --threads 3 {DAY}")).answers(YES);
    three.run(&format!("label-export -n 120 --seed 2 {DAY}")).answers(YES);
    let file = "label_inbox/to_label.csv";
    assert_eq!(one.read(file), two.read(file));
    assert_ne!(one.read(file), three.read(file));
}

#[test]
fn a_batch_that_is_out_is_not_overwritten_and_its_rows_are_not_asked_again() {
    let work = trained();
    work.run(&format!("label-export -n 400 --strategy random {DAY}")).answers(YES);
    let before = work.files();
    work.run("label-export -n 10").answers(ERROR).says("batch b20261120-100000 is open with 400 rows").says("--force");
    assert_eq!(work.files(), before);
    let first: BTreeSet<String> =
        records(&work.read("label_inbox/to_label.csv")).into_iter().map(|mut row| row.remove("id").unwrap()).collect();
    let said = work.run(&format!("label-export -n 400 --force {DAY}")).answers(YES).value();
    assert_eq!((&said["n"], &said["n_excluded"]), (&200.into(), &400.into()));
    assert_eq!(said["batch"], "b20261120-100000-2");
    let rows = records(&work.read("label_inbox/to_label.csv"));
    assert!(rows.iter().all(|row| !first.contains(&row["id"]) && row["select_prob"] == "1"));
    let left = work.run("label-export --force").answers(NO).value();
    assert_eq!((&left["batch"], &left["n_excluded"]), (&Value::Null, &600.into()));
}

#[test]
fn labelled_rows_are_not_asked_again_unless_a_model_labelled_them() {
    let work = trained();
    let mut labels = "id,label,annotator,labelled_at,source\n".to_owned();
    (0..300).for_each(|row| labels.push_str(&format!("N{row:04},yes,ann,2026-11-05T00:00:00Z,human\n")));
    (300..600).for_each(|row| labels.push_str(&format!("N{row:04},yes,v0001,2026-11-05T00:00:00Z,model\n")));
    work.write("data/labels.csv", labels);
    let said = work.run("label-export -n 1000").answers(YES).value();
    assert_eq!((&said["n"], &said["n_excluded"]), (&300.into(), &300.into()));
}

#[test]
fn the_log_is_looked_at_by_window_and_the_latest_row_of_an_id_counts() {
    let work = trained();
    work.run("predict data/current.csv --log --now 2026-11-10T00:00:00Z -q").answers(YES);
    let some: String = work.read("data/current.csv").lines().take(101).map(|line| format!("{line}\n")).collect();
    work.write("some.csv", some.replace("weekly", "yearly"));
    work.run("predict some.csv --log --now 2026-11-19T00:00:00Z -q").answers(YES);
    for (window, n) in
        [("", 600), ("--last 28d", 600), ("--last 36h", 100), ("--since 2026-11-15", 100), ("--until 2026-11-01", 0)]
    {
        let said = work.run(&format!("label-export -n 1000 --force {window} --seed 5 {DAY}"));
        let said = if n > 0 { said.answers(YES) } else { said.answers(NO) }.value();
        assert_eq!(said["n"], n, "{window}");
        std::fs::remove_dir_all(work.path("label_inbox")).ok();
    }
    work.run("label-export -n 10 --table data/current.csv --last 28d")
        .answers(ERROR)
        .says("--last select from the prediction log");
}

#[test]
fn strategies_differ_and_all_but_random_keep_the_control() {
    let work = trained();
    for strategy in ["uncertain", "random", "drifted", "diverse", "margin", "entropy", "least-confidence"] {
        let said = work.run(&format!("label-export -n 100 --strategy {strategy} --seed 2 {DAY}")).answers(YES).value();
        let control = said["strata"]["control"].as_u64().unwrap();
        let n = said["n"].as_u64().unwrap();
        assert_eq!(n, 100, "{strategy}");
        assert!(
            if strategy == "random" { control == 100 } else { (43..=57).contains(&control) },
            "{strategy}: {control}"
        );
        let name = if ["random", "drifted", "diverse"].contains(&strategy) { strategy } else { "uncertain" };
        assert!(strategy == "random" || said["strata"][name].as_u64().unwrap() >= 30, "{said}");
        std::fs::remove_dir_all(work.path("label_inbox")).unwrap();
    }
    work.run("label-export --strategy topmost").answers(ERROR).says("least-confidence");
}

#[test]
fn rows_are_dealt_to_people_and_some_to_two() {
    let work = trained();
    work.run(&format!("label-export -n 90 --annotators ann,bob,cem --overlap 0.1 {DAY}")).answers(YES);
    let rows = records(&work.read("label_inbox/to_label.csv"));
    assert_eq!(rows.len(), 99);
    let mut by: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &rows {
        *by.entry(&row["annotator"]).or_default() += 1;
        ids.entry(&row["id"]).or_default().insert(&row["annotator"]);
    }
    assert!(by.len() == 3 && by.values().all(|n| *n == 33), "{by:?}");
    assert_eq!(ids.values().filter(|people| people.len() == 2).count(), 9);
    for (options, what) in [
        ("--overlap 0.1", "name them with --annotators"),
        ("--overlap 2 --annotators a,b", "a share from 0 to 1"),
        ("--annotators a,a", "different names"),
        ("-n 0", "at least 1"),
        ("--table -", "not stdin"),
    ] {
        work.run(&format!("label-export --force {options}")).answers(ERROR).says(what);
    }
}

#[test]
fn what_a_spreadsheet_may_take_for_a_formula_is_quoted_and_scores_are_shown_on_demand() {
    let work = trained();
    let current = work.read("data/current.csv").replace("N0007", "=cmd()").replace("fibre", "@fibre");
    work.write("data/current.csv", current);
    work.run(&format!("label-export -n 600 {DAY}")).answers(YES);
    let text = work.read("label_inbox/to_label.csv");
    assert!(
        text.contains("\n'=cmd(),")
            && text.contains("'@fibre")
            && !text.contains(",@fibre")
            && !text.contains(",score,")
    );
    work.run(&format!("label-export -n 1 --force --table churn.csv --show-score {DAY}")).answers(YES);
    let row = &records(&work.read("label_inbox/to_label.csv"))[0];
    assert!(["yes", "no"].contains(&row["prediction"].as_str()) && row["score"].parse::<f64>().unwrap() <= 1.0);
}

#[test]
fn label_studio_gets_tasks_and_an_interface() {
    let work = trained();
    let said = work.run(&format!("label-export -n 60 --format label-studio {DAY}")).answers(YES).value();
    assert_eq!(said["files"].as_array().unwrap().len(), 2);
    let tasks: Value = serde_json::from_str(&work.read("label_inbox/to_label.json")).unwrap();
    let task = &tasks[0];
    assert_eq!(tasks.as_array().unwrap().len(), 60);
    assert!(task["data"]["row_id"].as_str().unwrap().starts_with('N'));
    assert_eq!(task["data"]["batch"], "b20261120-100000");
    assert!(task["data"]["row"]["contract"].is_string());
    let prediction = &task["predictions"][0];
    assert_eq!(prediction["model_version"], "v0001");
    assert_eq!((&prediction["result"][0]["type"], &prediction["score"]), (&"choices".into(), &Value::Null));
    let config = work.read("label_inbox/label_config.xml");
    for part in ["<Table name=\"row\" value=\"$row\"/>", "<Choice value=\"yes\"/>", "toName=\"row\""] {
        assert!(config.contains(part), "{config}");
    }
    work.run("label-export --format xml").answers(ERROR).says("label-studio");
}

#[test]
fn what_is_missing_is_said() {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("label-export").answers(ERROR).says("no loop here");
    work.run("init churn.csv").answers(YES);
    work.run("label-export").answers(ERROR).says("mlloop train");
    work.run("train --algorithm decision-tree").answers(YES);
    work.run("label-export").answers(ERROR).says("the prediction log is empty (`mlloop predict --log`").says("--table");
    work.write("no_ids.csv", CHURN.replace("0010007,", ","));
    work.run("label-export --table no_ids.csv").answers(ERROR).says("row 8 has no id");
    work.write("bad.csv", CHURN.replacen(",12,", ",twelve,", 1));
    work.run("label-export --table bad.csv").answers(ERROR).says("is not a number");
    assert!(!work.path("label_inbox").exists(), "nothing was changed");
}

#[test]
fn a_death_at_any_write_leaves_nothing_out_or_a_whole_batch() {
    let fresh = trained();
    for n in points() {
        let work = copy_of(&fresh);
        let said = work.pipe_with(&format!("label-export -n 60 {DAY}"), "", &format!("die:{n}"));
        if said.status == YES {
            assert!(n > 8, "every write has a point: {n}");
            break;
        }
        work.run("status").answers(YES);
        work.run("audit verify").answers(YES);
        work.run(&format!("label-export -n 60 {DAY}")).answers(YES);
        let rows = records(&work.read("label_inbox/to_label.csv"));
        assert_eq!(rows.len(), 60, "{n}");
        let batches = std::fs::read_dir(work.path("label_inbox/batches")).unwrap().count();
        assert_eq!(batches, 1, "{n}: {:?}", work.files().iter().map(|(path, _)| path).collect::<Vec<_>>());
        let exported = work.read("audit.jsonl").matches("labels-exported").count();
        assert_eq!(exported, 1, "{n}");
        work.run("label-export -n 60").answers(ERROR).says("is open");
        work.run("audit verify").answers(YES);
    }
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing_out() {
    let fresh = trained();
    for n in points() {
        let work = copy_of(&fresh);
        let line = format!("label-export -n 60 {DAY}");
        if work.pipe_with(&line, "", &format!("full:{n}")).status == YES {
            break;
        }
        work.run("audit verify").answers(YES);
        work.run(&line).answers(YES);
        assert_eq!(records(&work.read("label_inbox/to_label.csv")).len(), 60, "{n}");
    }
}
