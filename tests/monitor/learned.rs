//! Rows that production learned from, and estimates without outcomes.

use super::{CHURN, QUIET, changed, trained, trigger};
use crate::support::{CANNOT_TELL, ERROR, Loop, NO, YES};
use serde_json::Value;

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
    let note = "the features of 60 labelled rows are only in c.csv: to train on them, run `mlloop retrain c.csv`";
    assert!(given["notes"].as_array().unwrap().iter().any(|one| one == note), "{}", given["notes"]);
    work.run("retrain --dry-run --now 2026-11-04T00:00:00Z").answers(NO);
    work.run("retrain c.csv --now 2026-11-04T00:00:00Z").answers(YES).json("/plan/n_added", 60);
    // The table that the loop knows is found without its name.
    let known = trained().table("data/current.csv", changed(|_, _| {}));
    let known = known.run("monitor data/current.csv --now 2026-11-04T00:00:00Z").value();
    assert!(!known["notes"].to_string().contains("mlloop retrain"), "{}", known["notes"]);
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

/// Looking again at what was seen is no new look, and asking again about the same rows brings no new rows.
#[test]
fn rows_that_come_again_say_nothing_new() {
    let all: Vec<&str> = include_str!("../../fixtures/tables/churn.csv").lines().collect();
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
