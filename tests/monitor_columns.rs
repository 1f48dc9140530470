//! `monitor` watches every column that moves the model, and says what it cannot judge.

mod entities;
mod times;

use crate::support::{CANNOT_TELL, ERROR, Loop, NO, YES, noise};
use serde_json::Value;

/// About normal.
fn normal(row: u32, column: u32) -> f64 {
    (0..12).map(|k| noise(row, column * 12 + k)).sum::<f64>() - 6.0
}

fn of<'a>(report: &'a Value, list: &str, key: &str, name: &str) -> &'a Value {
    let all = report[list].as_array().unwrap();
    all.iter().find(|entry| entry[key] == name).unwrap_or_else(|| panic!("no {name} in {list}: {all:?}"))
}

fn column<'a>(report: &'a Value, name: &str) -> &'a Value {
    of(report, "columns", "name", name)
}

fn fired(report: &Value, name: &str) -> bool {
    of(report, "triggers", "name", name)["fired"].as_bool().unwrap()
}

const QUIET: &str = "[monitor.triggers]\nnew_rows = false\nrecent_accuracy = false\nmetric_drop = false\n";

/// What happens at night is fraud, whatever the amount: rows of January and February 2025.
fn payments(first: u32, n: u32, at: impl Fn(u32, String) -> String) -> String {
    let row = |row: u32| {
        let hour = (noise(row, 1) * 24.0) as u32;
        let day = (noise(row, 2) * 59.0) as u32;
        let (month, day) = if day < 31 { (1, day + 1) } else { (2, day - 30) };
        let minute = (noise(row, 3) * 60.0) as u32;
        let fraud = if hour < 6 { "yes" } else { "no" };
        let time = at(row, format!("2025-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z"));
        format!("{row},{time},{:.2},{fraud}\n", 50.0 + 100.0 * noise(row, 4))
    };
    "id,at,amount,fraud\n".to_owned() + &(first..first + n).map(row).collect::<String>()
}

#[test]
fn a_column_of_another_type_is_told_and_the_others_are_judged() {
    let work = Loop::new().table("ref.csv", payments(0, 800, |_, at| at));
    work.run("init ref.csv --target fraud").answers(YES);
    work.run("train --now 2025-03-01T00:00:00Z").answers(YES);
    work.write("mlloop.toml", format!("{}\n{QUIET}", work.read("mlloop.toml")));
    let texts = |every: u32| {
        let table = payments(9000, 240, |_, at| at);
        let change = |(row, line): (usize, &str)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if row > 0 && (row as u32 - 1).is_multiple_of(every) {
                cells[2] = "n.k.";
            }
            cells.join(",") + "\n"
        };
        table.lines().enumerate().map(change).collect::<String>()
    };
    work.write("all.csv", texts(1));
    for skip in ["", " --skip-invalid"] {
        let report = work.run(&format!("monitor all.csv --formats json{skip}")).answers(YES).value();
        let text = "240 of 240 cells are not numbers, for example \"n.k.\", line 2";
        let amount = column(&report, "amount");
        assert_eq!((&amount["verdict"], &amount["reason"]), (&"cannot_tell".into(), &text.into()));
        assert_eq!(column(&report, "at")["verdict"], "stable");
        assert_eq!(of(&report, "findings", "kind", "data_type")["text"], text);
        assert!(fired(&report, "schema"), "{report}");
        assert_eq!(report["current"]["n_rows"], 240);
        // A column without values has no drift, and a model without it is in trouble all the same.
        assert_eq!(report["verdict"]["severity"], "HIGH");
    }
    let no_amount = |line: &str| {
        let kept = line.split(',').enumerate().filter(|(at, _)| *at != 2).map(|(_, cell)| cell);
        kept.collect::<Vec<_>>().join(",") + "\n"
    };
    work.write("gone.csv", payments(9000, 240, |_, at| at).lines().map(no_amount).collect::<String>());
    let gone = work.run("monitor gone.csv --formats json").answers(YES).value();
    assert_eq!(
        (&gone["verdict"]["severity"], &column(&gone, "amount")["verdict"]),
        (&"HIGH".into(), &"cannot_tell".into())
    );
    // Two of 240 are a finding, and the column is judged by the others.
    work.write("few.csv", texts(200));
    let report = work.run("monitor few.csv --formats json").answers(NO).value();
    assert_eq!(column(&report, "amount")["verdict"], "stable");
    assert!(of(&report, "findings", "kind", "data_type")["text"].as_str().unwrap().starts_with("2 of 240 cells"));
    // What is scored for somebody stays strict.
    work.run("predict all.csv").answers(ERROR).says("line 2, column \"amount\": \"n.k.\" is not a number");
    // Rows that are left out did arrive.
    work.write("broken.csv", "id,at,amount,fraud\n1,2\n3,4\n");
    let broken = work.run("monitor broken.csv --skip-invalid --formats json").answers(CANNOT_TELL).value();
    assert_eq!(broken["verdict"]["sentence"], "Cannot tell: all 2 rows of the current table were left out.");
}

#[test]
fn a_table_saved_with_other_marks_is_told_apart_from_drift() {
    let german = |text: &str| {
        let line = |line: &str| line.replace(',', ";").replace('.', ",") + "\n";
        text.lines().map(line).collect::<String>()
    };
    let pointed = |text: &str| text.replace(',', ";");
    let (point, comma) = ("a decimal point (1234.56)", "a decimal comma (1234,56)");
    let (reference, month) = (payments(0, 800, |_, at| at), payments(9000, 240, |_, at| at));
    for (reference, month, [here, there]) in
        [(german(&reference), pointed(&month), [point, comma]), (reference.clone(), german(&month), [comma, point])]
    {
        let work = Loop::new().table("ref.csv", &reference);
        work.run("init ref.csv --target fraud").answers(YES);
        work.run("train --now 2025-03-01T00:00:00Z").answers(YES);
        work.write("mlloop.toml", format!("{}\n{QUIET}", work.read("mlloop.toml")));
        work.write("month.csv", &month);
        let monitor = "monitor month.csv --formats json --now 2025-03-02T00:00:00Z";
        let report = work.run(monitor).answers(YES).value();
        let text = of(&report, "findings", "kind", "data_type")["text"].as_str().unwrap().to_owned();
        assert!(
            text.starts_with(&format!("is written with {here}; this loop reads {there}: save the table in that")),
            "{text}"
        );
        let sentence = report["verdict"]["sentence"].as_str().unwrap();
        assert_eq!(sentence, format!("Correct the table: amount {text}. No other trigger fired."));
        assert_eq!(report["verdict"]["table_first"], true);
        // What the cells say is compared all the same.
        assert_eq!(column(&report, "amount")["verdict"], "stable");
        assert!(fired(&report, "schema") && !fired(&report, "multivariate") && !fired(&report, "score_drift"));
        let shown = work.run(&format!("{monitor} --text")).answers(YES);
        assert!(shown.stdout.starts_with("The table's format has changed\n"), "{}", shown.stdout);
        assert!(!shown.stdout.contains("Retrain"), "{}", shown.stdout);
        // One cell that fits neither way is what it was: cells of another type.
        work.write("month.csv", month.replacen(month.lines().nth(1).unwrap().split(';').nth(2).unwrap(), "n.k.", 1));
        let mixed = work.run(monitor).answers(YES).value();
        assert_eq!(mixed["verdict"]["table_first"], false);
        assert!(of(&mixed, "findings", "kind", "data_type")["text"].as_str().unwrap().starts_with("240 of 240 cells"));
    }
}

/// 30 columns of which some are shifted, and a category that may have a new level in 5 % of the rows.
fn wide(first: u32, n: u32, shifted: u32, new_level: bool) -> String {
    let header: Vec<String> = (0..30).map(|c| format!("x{c}")).collect();
    let row = |row: u32| {
        let cells = (0..29).map(|c| format!("{:.3}", normal(row, c) + if c < shifted { 0.25 } else { 0.0 }));
        let level = if new_level && noise(row, 999) < 0.05 {
            "new"
        } else if noise(row, 998) < 0.5 {
            "a"
        } else {
            "b"
        };
        cells.chain([level.to_owned()]).collect::<Vec<_>>().join(",") + "\n"
    };
    header.join(",") + "\n" + &(first..first + n).map(row).collect::<String>()
}

#[test]
fn small_shifts_together_are_a_reason_and_one_new_level_is_not() {
    let n = 5000;
    let work = Loop::new().table("ref.csv", wide(0, n, 0, false));
    let judge = |table: String| {
        work.write("current.csv", table);
        work.run("monitor --reference ref.csv current.csv").value()
    };
    let calm = judge(wide(n, n, 0, false));
    assert_eq!(calm["share"]["n_drifted"], 0);
    assert!(!fired(&calm, "multivariate") && calm["multivariate"]["roc_auc"].as_f64() < Some(0.53), "{calm}");
    let shifted = judge(wide(n, n, 3, false));
    assert!(
        shifted["share"]["n_drifted"].as_u64() >= Some(2) && fired(&shifted, "multivariate"),
        "{}",
        shifted["multivariate"]
    );
    // More rows than the classifier learns from are no reason not to ask it: a yes stays a yes.
    let long = judge(wide(n, 30_000, 3, false));
    assert!(fired(&long, "multivariate") && long["multivariate"]["n_rows"][1] == 5000, "{}", long["multivariate"]);
    let level = judge(wide(n, n, 0, true));
    assert_eq!((&column(&level, "x29")["verdict"], &level["share"]["n_drifted"]), (&"drifted".into(), &1.into()));
    for name in ["psi", "drift_share", "multivariate"] {
        assert!(!fired(&level, name), "{name}: {}", level["triggers"]);
    }
}

#[test]
fn scores_that_move_are_a_reason_whichever_column_moves_them() {
    // Each of eight columns moves a little, and all of them the same way.
    let table = |first: u32, n: u32, shift: f64| {
        let row = |row: u32| {
            let cells: Vec<f64> = (0..8).map(|c| normal(row, c) + shift).collect();
            let sum: f64 = cells.iter().sum();
            let y = if sum + 2.0 * normal(row, 50) > 0.0 { "yes" } else { "no" };
            let cells: Vec<String> = cells.iter().map(|x| format!("{x:.3}")).collect();
            format!("{row},{},{y}\n", cells.join(","))
        };
        "id,a,b,c,d,e,f,g,h,y\n".to_owned() + &(first..first + n).map(row).collect::<String>()
    };
    let work = Loop::new().table("ref.csv", table(0, 1500, 0.0));
    work.run("init ref.csv --target y").answers(YES);
    work.run("train").answers(YES);
    work.write("mlloop.toml", format!("{}multivariate = false\n", work.read("mlloop.toml") + "\n" + QUIET));
    work.write("current.csv", table(5000, 800, 0.13));
    let report = work.run("monitor current.csv --formats json").answers(YES).value();
    assert_eq!((&report["score"]["verdict"], &report["share"]["n_drifted"]), (&"drifted".into(), &0.into()));
    assert!(fired(&report, "score_drift"));
    work.write("calm.csv", table(5000, 800, 0.0));
    let report = work.run("monitor calm.csv --formats json").answers(NO).value();
    assert!(!fired(&report, "score_drift"));
}

/// Infinite cells are cells of their own: of a number that has become infinite, all or in part.
#[test]
fn infinite_numbers_are_seen() {
    let table = |first: u32, n: u32, infinite: f64, what: &str| {
        let cell = |row: u32| if noise(row, 7) < infinite { what.to_owned() } else { format!("{:.3}", normal(row, 1)) };
        "x,y\n".to_owned()
            + &(first..first + n).map(|row| format!("{},{:.3}\n", cell(row), normal(row, 2))).collect::<String>()
    };
    let work = Loop::new().table("ref.csv", table(0, 800, 0.0, "inf"));
    for (share, what) in [(0.1, "inf"), (0.1, "-inf"), (1.0, "inf")] {
        work.write("current.csv", table(800, 400, share, what));
        let report = work.run("monitor --reference ref.csv current.csv").value();
        let x = column(&report, "x");
        assert_eq!((&x["verdict"], &x["method"]), (&"drifted".into(), &"infinite".into()), "{x}");
        assert_eq!(column(&report, "y")["verdict"], "stable");
    }
}

/// A region that nobody wants in the model, and the day of opening: in what arrives, both change.
#[test]
fn what_the_model_does_not_read_is_watched_on_request_and_is_no_reason_to_retrain() {
    let rows = |first: u32, n: u32, moved: bool| {
        let row = |row: u32| {
            let region = if moved && !row.is_multiple_of(3) { "east" } else { ["north", "south"][row as usize % 2] };
            let opened = if moved { String::new() } else { format!("{:02}/03/2024", 1 + row % 28) };
            let x = normal(row, 1);
            let y = if x + normal(row, 2) > 0.0 { "yes" } else { "no" };
            format!("{row},{x:.3},{:.3},{region},{opened},{y}\n", normal(row, 3))
        };
        "id,x,z,region,opened,y\n".to_owned() + &(first..first + n).map(row).collect::<String>()
    };
    let work = Loop::new().table("ref.csv", rows(0, 1200, false)).table("now.csv", rows(9000, 600, true));
    work.run("init ref.csv --target y --ignore region,opened").answers(YES);
    work.run("train").answers(YES);
    let config = format!("{}\n{QUIET}", work.read("mlloop.toml"));
    work.write("mlloop.toml", config.as_str());
    let monitor = || work.run("monitor now.csv --formats json").answers(NO).value();
    let names = |report: &Value| report["columns"].as_array().unwrap().len();
    assert_eq!(names(&monitor()), 2);
    // A version from before it was asked for knows nothing of them; they come to be with the next one.
    let watched = format!(
        "{config}\n[monitor.watch]\nregion = \"category\"\nopened = {{ kind = \"time\", format = \"%d/%m/%Y\" }}\n"
    );
    work.write("mlloop.toml", watched.as_str());
    let report = monitor();
    assert_eq!(names(&report), 2);
    assert!(report["notes"].to_string().contains("not watched yet: region, opened"), "{}", report["notes"]);
    work.run("train").answers(YES);
    work.run("promote --version v0002 --override test --by ann").answers(YES);
    let report = monitor();
    for name in ["region", "opened"] {
        let found = column(&report, name);
        assert_eq!((&found["verdict"], &found["not_read"]), (&"drifted".into(), &true.into()), "{found}");
    }
    assert_eq!((column(&report, "x").get("not_read"), names(&report)), (None, 4));
    assert_eq!([&report["share"]["n_drifted"], &report["share"]["n_stable"]], [&Value::from(0), &Value::from(2)]);
    assert_eq!(report["target"].get("not_read"), None);
    let text = work.run("monitor now.csv --text").answers(NO).stdout;
    assert!(
        text.contains("2 of 2 columns that the model does not use drifted")
            && text.contains("drifted (not used by the model)"),
        "{text}"
    );
    // A table without them is scored all the same, and what does not fit them stops nothing.
    work.write("other.csv", rows(9000, 300, true).replace("east", "").replace(",,", ",x,soon"));
    for line in ["predict other.csv -o scores.csv", "monitor other.csv"] {
        let said = work.run(line);
        assert!(said.status() != ERROR, "{line}: {}", said.stderr);
    }
    for (with, says) in [
        ("region = \"text\"", "[monitor.watch] \"region\" = \"text\": the kind must be number, category or time"),
        ("regoin = \"category\"", "[monitor.watch] \"regoin\" is not in [columns]: did you mean \"region\"?"),
        ("x = \"time\"", "[monitor.watch] \"x\" is \"time\", but \"number\" in [columns]"),
        ("y = \"category\"", "[monitor.watch] \"y\" is the target, which is always monitored"),
    ] {
        work.write("mlloop.toml", format!("{config}\n[monitor.watch]\n{with}\n"));
        let said = work.run("monitor now.csv").answers(ERROR).stderr;
        assert!(said.contains(says), "{said}");
    }
}

/// The share of missing cells is what happened, whether a row is told by its delimiters or by an object of nulls.
#[test]
fn rows_without_any_cell_are_rows() {
    let row = |row: u32| (format!("{:.3}", normal(row, 1)), format!("{:.3}", normal(row, 2)));
    let csv = |n: u32, gone: &dyn Fn(u32) -> bool| {
        let line = |i: u32| if gone(i) { ",\n".to_owned() } else { row(i).0 + "," + &row(i).1 + "\n" };
        "x,y\n".to_owned() + &(0..n).map(line).collect::<String>()
    };
    let json = |i: u32| match i >= 300 {
        true => "{\"x\": null, \"y\": null}\n".to_owned(),
        false => format!("{{\"x\": {}, \"y\": {}}}\n", row(i).0, row(i).1),
    };
    let work =
        Loop::new().table("ref.csv", csv(1500, &|_| false)).table("half.csv", csv(601, &|i| i % 2 == 0 && i < 600));
    work.write("half.jsonl", (0..600).map(json).collect::<String>());
    for (file, n_rows) in [("half.csv", 601), ("half.jsonl", 600)] {
        let report = work.run(&format!("monitor --reference ref.csv {file} --formats json")).answers(YES).value();
        let x = column(&report, "x");
        assert_eq!((&x["verdict"], &x["method"]), (&"drifted".into(), &"missing".into()), "{file}: {x}");
        assert_eq!((&report["current"]["n_rows"], &x["current"]["n_missing"]), (&n_rows.into(), &300.into()), "{file}");
    }
    // Below the last row, a spreadsheet leaves such lines: they are none, and it is said.
    work.write("tail.csv", csv(600, &|i| i >= 500));
    let report = work.run("monitor --reference ref.csv tail.csv --formats json").answers(NO).value();
    assert_eq!(report["current"]["n_rows"], 500);
    assert_eq!(report["notes"][0], "the last 100 lines, from line 502 on, have no cells; left out");
}

/// `amount` and what is derived from it, in a table that came without it.
#[test]
fn a_column_that_does_not_arrive_is_told_and_the_others_are_judged() {
    let work = Loop::new().table("ref.csv", payments(0, 800, |_, at| at));
    work.run("init ref.csv --target fraud").answers(YES);
    let derived = "[features.derived]\ndouble = \"amount * 2\"\n";
    work.write(
        "mlloop.toml",
        work.read("mlloop.toml").replace("[model]", &format!("{derived}\n[model]")) + "\n" + QUIET,
    );
    work.run("train --now 2025-03-01T00:00:00Z").answers(YES);
    let without = |n: usize| {
        let cells = |line: &str| {
            line.split(',').enumerate().filter(|(i, _)| *i != n).map(|(_, c)| c.to_owned()).collect::<Vec<_>>()
        };
        payments(9000, 240, |_, at| at).lines().map(|line| cells(line).join(",") + "\n").collect::<String>()
    };
    for (gone, name, other) in [(2, "amount", "at"), (1, "at", "amount")] {
        work.write("now.csv", without(gone));
        for line in ["monitor now.csv --formats json", "monitor now.csv --reference ref.csv --formats json"] {
            let report = work.run(&format!("{line} --now 2025-03-02T00:00:00Z")).answers(YES).value();
            let found = column(&report, name);
            assert_eq!(
                (&found["verdict"], &found["reason"]),
                (&"cannot_tell".into(), &"is not in the table".into()),
                "{line}"
            );
            assert_eq!(column(&report, other)["verdict"], "stable", "{line}");
            assert!(fired(&report, "schema") && of(&report, "findings", "kind", "missing_column")["column"] == name);
            assert!(
                report["notes"].to_string().contains(&format!("no row is scored: production needs {name}")),
                "{report}"
            );
        }
    }
    work.run("predict now.csv").answers(ERROR).says("missing column \"at\"");
}

#[test]
fn two_tables_are_read_as_each_of_them_is_written() {
    let row = |row: u32| (1 + row % 28, 1 + row % 12, 400.0 + 3000.0 * noise(row, 1), ["a", "b"][row as usize % 2]);
    let thousands = |value: f64| match format!("{value:.2}").replace('.', ",") {
        text if text.len() > 6 => format!("{}.{}", &text[..text.len() - 6], &text[text.len() - 6..]),
        text => text,
    };
    let plain = |n: u32| {
        let (day, month, amount, region) = row(n);
        format!("2025-{month:02}-{day:02},{amount:.2},{region}\n")
    };
    let german = |n: u32| {
        let (day, month, amount, region) = row(n);
        format!("{day:02}.{month:02}.2025;{};{region}\n", thousands(amount))
    };
    let plain = "since,amount,region\n".to_owned() + &(0..600).map(plain).collect::<String>();
    let german = "since;amount;region\n".to_owned() + &(5000..5600).map(german).collect::<String>();
    let work = Loop::new().table("plain.csv", plain).table("german.csv", german);
    for (reference, current) in [("plain", "german"), ("german", "plain")] {
        let report = work.run(&format!("monitor --reference {reference}.csv {current}.csv")).answers(NO).value();
        assert_eq!(column(&report, "amount")["verdict"], "stable", "{reference}");
        assert_eq!(column(&report, "amount")["kind"], "number", "{reference}");
        assert_eq!(column(&report, "since")["verdict"], "stable", "{reference}");
        let notes = report["notes"].as_array().unwrap();
        let told = |text: &str| notes.iter().any(|note| note.as_str().unwrap().contains(text));
        assert!(told("in its own format: amount") && told("in its own format: since"), "{notes:#?}");
    }
}
