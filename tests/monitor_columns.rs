//! `monitor` watches every column that moves the model, and says what it cannot judge.

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
fn a_time_that_moves_the_model_is_watched() {
    let work = Loop::new().table("ref.csv", payments(0, 800, |_, at| at));
    work.run("init ref.csv --target fraud").answers(YES);
    work.run("train --now 2025-03-01T00:00:00Z").answers(YES);
    work.write("mlloop.toml", format!("{}\n{QUIET}", work.read("mlloop.toml")));
    let monitor = |table: String| {
        work.write("current.csv", table);
        work.run("monitor current.csv --formats json --now 2025-03-02T00:00:00Z")
    };
    let calm = monitor(payments(9000, 400, |_, at| at)).answers(NO).value();
    assert_eq!(column(&calm, "at")["verdict"], "stable");
    assert_eq!(column(&calm, "at")["kind"], "time");
    assert!(column(&calm, "at")["importance"].as_f64() > Some(0.9));
    let night = |_, at: String| format!("{}{:02}{}", &at[..11], at[11..13].parse::<u32>().unwrap() % 6, &at[13..]);
    let far = |row, at: String| if row % 4 == 0 { at.replace("2025", "2052") } else { at };
    for (method, at) in [
        ("missing", &(|_, _| String::new()) as &dyn Fn(u32, String) -> String),
        ("hours", &night),
        ("hours", &|_, at| at[..10].to_owned()),
        ("range", &far),
    ] {
        let report = monitor(payments(9000, 400, at)).answers(YES).value();
        let found = column(&report, "at");
        assert_eq!((&found["verdict"], &found["method"]), (&"drifted".into(), &method.into()), "{found}");
        assert!(fired(&report, "drift_share") && found["because"].is_string(), "{report}");
        let finding = |kind: &str| {
            report["findings"].as_array().unwrap().iter().any(|f| {
                let says = f["text"].as_str().unwrap();
                f["kind"] == kind && f["column"] == "at" && (kind != "range" || says.contains("in the future"))
            })
        };
        assert_eq!((finding("completeness"), finding("range")), (method == "missing", method == "range"));
    }
}

/// The time of an export in the place of the rows' own, times that were cut to days, rows that came twice; the order in
/// which rows stand says nothing.
#[test]
fn rows_that_share_their_times_are_told() {
    let work = Loop::new().table("ref.csv", payments(0, 800, |_, at| at));
    let said = |table: String| -> Vec<String> {
        work.write("current.csv", table);
        let report = work.run("monitor current.csv --reference ref.csv --formats json --now 2025-03-02T00:00:00Z");
        let findings = report.value()["findings"].as_array().unwrap().clone();
        let of_time =
            findings.into_iter().filter(|f| f["column"] == "at").map(|f| f["text"].as_str().unwrap().to_owned());
        of_time.collect()
    };
    let calm = payments(9000, 400, |_, at| at);
    let one = said(payments(9000, 400, |_, _| "2025-02-27T08:00:00Z".to_owned()));
    let found = one.iter().any(|text| {
        text.contains("100.0 % of the rows have the same time, 2025-02-27 08:00:00: is it the time of an export?")
    });
    assert!(found, "{one:?}");
    let twice = calm.clone() + calm.split_once('\n').unwrap().1;
    for table in [twice, payments(9000, 400, |_, at| at[..10].to_owned())] {
        let told = said(table);
        assert!(told.iter().any(|text| text.contains("% of the rows share their time with other rows")), "{told:?}");
    }
    let mut lines: Vec<&str> = calm.lines().collect();
    lines[1..].reverse();
    assert!(said(calm.clone()).is_empty() && said(lines.join("\n") + "\n").is_empty());
}

/// A shop that is open by day on workdays and by night on Sundays: eight weeks of it, and then one day.
#[test]
fn a_day_is_compared_with_its_own_days_of_the_week() {
    let rows = |first: u32, n: u32, days: std::ops::Range<i64>, is_night: &dyn Fn(i64) -> bool| {
        let monday: jiff::Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
        let row = |row: u32| {
            let day = days.start + (noise(row, 1) * (days.end - days.start) as f64) as i64;
            // Some rows at every hour, so that a day is seen as a whole.
            let hour = match (row % 10, is_night(day)) {
                (0, _) => 24.0 * noise(row, 2),
                (_, true) => 16.0 + 8.0 * noise(row, 2),
                (_, false) => 8.0 + 8.0 * noise(row, 2),
            };
            let at = monday + jiff::SignedDuration::from_secs(day * 86_400 + (hour * 3600.0) as i64);
            let bought = if hour + 6.0 * noise(row, 3) > 15.0 { "yes" } else { "no" };
            format!("{row},{at},{:.2},{bought}\n", 50.0 + 100.0 * noise(row, 4))
        };
        "id,at,amount,bought\n".to_owned() + &(first..first + n).map(row).collect::<String>()
    };
    let open = |day: i64| day % 7 == 6;
    let work = Loop::new().table("ref.csv", rows(0, 3000, 0..56, &open));
    work.run("init ref.csv --target bought").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-03-02T00:00:00Z").answers(YES);
    work.write("mlloop.toml", format!("{}\n{QUIET}", work.read("mlloop.toml")));
    let monitor = |table: String| {
        work.write("current.csv", table);
        let report = work.run("monitor current.csv --formats json --now 2026-03-30T00:00:00Z").value();
        (column(&report, "at").clone(), fired(&report, "psi") || fired(&report, "drift_share"))
    };
    for day in [56, 58, 62, 69] {
        let (at, alarm) = monitor(rows(9000, 400, day..day + 1, &open));
        assert_eq!((&at["verdict"], alarm), (&"stable".into(), false), "day {day}: {at}");
    }
    // A Sunday whose rows come when those of a workday do, and a workday like a Sunday.
    for day in [62, 58] {
        let (at, alarm) = monitor(rows(9000, 400, day..day + 1, &|day| !open(day)));
        assert_eq!(
            (&at["method"], &at["verdict"], alarm),
            (&"hours".into(), &"drifted".into(), true),
            "day {day}: {at}"
        );
    }
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
            text.starts_with(&format!("is written with {here}; this loop reads {there}: save the table so")),
            "{text}"
        );
        let sentence = report["verdict"]["sentence"].as_str().unwrap();
        assert_eq!(sentence, format!("Correct the table: amount {text}. No other trigger fired."));
        assert_eq!(report["verdict"]["table_first"], true);
        // What the cells say is compared all the same.
        assert_eq!(column(&report, "amount")["verdict"], "stable");
        assert!(fired(&report, "schema") && !fired(&report, "multivariate") && !fired(&report, "score_drift"));
        let shown = work.run(&format!("{monitor} --text")).answers(YES);
        assert!(shown.stdout.starts_with("The table is written in another way\n"), "{}", shown.stdout);
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

/// Rows of customers, twenty of each: three numbers that are nearly the same in a customer's rows, moved by `shift`, and an outcome
/// that follows one of them.
fn customers(first: u32, n: u32, shift: f64) -> String {
    let mut text = "id,customer,a,b,c,late\n".to_owned();
    for customer in first..first + n {
        let own = |column: u32| normal(customer, 40 + column) + shift;
        for row in customer * 20..customer * 20 + 20 {
            let cell = |column: u32| own(column) + 0.2 * normal(row, column);
            let late = if cell(0) + 0.5 * normal(row, 9) > 0.5 { "yes" } else { "no" };
            text.push_str(&format!("{row},k{customer},{:.4},{:.4},{:.4},{late}\n", cell(0), cell(1), cell(2)));
        }
    }
    text
}

#[test]
fn rows_of_one_customer_count_together_where_the_loop_knows_the_customer() {
    let work = Loop::new().table("ref.csv", customers(0, 150, 0.0));
    work.run("init ref.csv --target late --kind customer=text").answers(YES);
    let split = work.read("mlloop.toml").replace("by = \"id\"", "by = \"column\"\ncolumn = \"customer\"");
    work.write("mlloop.toml", format!("{split}\n{QUIET}"));
    work.run("train").answers(YES);
    let monitor = |first: u32, shift: f64, more: &str| {
        work.write("current.csv", customers(first, 50, shift));
        work.run(&format!("monitor current.csv --formats json --multivariate {more}"))
    };
    let drift = ["drift_share", "psi", "score_drift", "multivariate"];
    for week in 0..6 {
        let report = monitor(1000 + 50 * week, 0.0, "").value();
        assert!(drift.iter().all(|name| !fired(&report, name)), "week {week}: {}", report["verdict"]);
        let names: Vec<&str> =
            report["columns"].as_array().unwrap().iter().filter_map(|c| c["name"].as_str()).collect();
        assert!(!names.contains(&"customer"), "{names:?}");
        // A thousand rows are worth little more than fifty.
        let worth = column(&report, "a")["worth"][1].as_u64().unwrap();
        assert!((20..=90).contains(&worth), "{worth}");
        let notes = report["notes"].to_string();
        assert!(notes.contains("rows of one \\\"customer\\\" are correlated"), "{notes}");
    }
    let moved = monitor(3000, 1.5, "").answers(YES).value();
    assert!(drift.iter().all(|name| fired(&moved, name)), "{}", moved["triggers"]);
    // What counting rows makes of a quiet week, and the note that says so where nobody named the column.
    work.write(
        "mlloop.toml",
        work.read("mlloop.toml").replace("by = \"column\"\ncolumn = \"customer\"", "by = \"id\""),
    );
    let alone = monitor(1000, 0.0, "").value();
    assert!(fired(&alone, "drift_share"), "{}", alone["verdict"]);
    assert!(alone["notes"].to_string().contains("entity = \\\"customer\\\" under [monitor]"), "{}", alone["notes"]);
    let named = monitor(1000, 0.0, "--set monitor.entity=customer").value();
    assert!(!fired(&named, "drift_share"), "{}", named["verdict"]);
    // Without a loop, too.
    let tables = |more: &str| {
        let alone = Loop::new().table("r.csv", customers(0, 150, 0.0)).table("c.csv", customers(1000, 50, 0.0));
        alone.run(&format!("monitor --reference r.csv c.csv {more}")).value()
    };
    assert!(fired(&tables(""), "drift_share") && !fired(&tables("--set monitor.entity=customer"), "drift_share"));
    let wrong = work.run("monitor current.csv --set monitor.entity=customr").answers(ERROR);
    assert!(wrong.stderr.contains("entity") && wrong.stderr.contains("\"customer\""), "{}", wrong.stderr);
}

/// A model that was right of nine rows in ten, in tables in which it is right of three in four.
#[test]
fn what_weekly_tables_say_of_the_loss_adds_up() {
    let labelled = |first: u32, n: u32, wrong: f64| {
        let row = |row: u32| {
            let x = noise(row, 1);
            let y = (x > 0.5) ^ (noise(row, 2) < wrong);
            format!("{row},{x:.6},{:.6},{}\n", noise(row, 3), if y { "yes" } else { "no" })
        };
        "id,x,z,y\n".to_owned() + &(first..first + n).map(row).collect::<String>()
    };
    let work = Loop::new().table("ref.csv", labelled(0, 1500, 0.1));
    work.run("init ref.csv --target y").answers(YES);
    work.run("train").answers(YES);
    let look = |first: u32, n: u32| {
        work.write("current.csv", labelled(first, n, 0.25));
        work.run("monitor current.csv --formats json").value()["alarm"].clone()
    };
    let evidence = |alarm: &Value| alarm["evidence"].as_f64().unwrap();
    let alarms: Vec<Value> = (0..8).map(|week| look(10_000 + 120 * week, 120)).collect();
    assert_eq!(alarms[7]["n"], 960);
    assert!(evidence(&alarms[7]) > 10.0 * evidence(&alarms[0]), "{alarms:?}");
    assert!(alarms.iter().all(|alarm| alarm["needed"] == alarms[0]["needed"]), "{alarms:?}");
    assert_eq!(alarms[7]["fired"], true, "{alarms:?}");
    // The same rows are no news, however the table is cut.
    assert_eq!(look(10_000, 500), alarms[7]);
    assert!(work.path("runs/alarm_v0001.json").exists());
}

/// Twenty rows of a customer are wrong together or right together: a week of 50 customers in which a quarter is wrong is no more than
/// chance where 5 are on average, however many rows they have; and in tables as in the log, nearly all of them are a fall.
#[test]
fn rows_of_one_customer_are_one_piece_of_evidence() {
    let rows = |first: u32, n_customers: u32, share_wrong: f64| {
        let row = |row: u32| {
            let (customer, x) = (first + row / 20, noise(first * 20 + row, 1));
            let wrong = noise(customer, 7) < share_wrong;
            let y = if (x > 0.5) ^ wrong { "yes" } else { "no" };
            format!("{},{x:.6},{:.6},c{customer},{y}\n", first * 20 + row, noise(first * 20 + row, 3))
        };
        "id,x,z,customer,y\n".to_owned() + &(0..n_customers * 20).map(row).collect::<String>()
    };
    let work = Loop::new().table("ref.csv", rows(0, 300, 0.1));
    work.run("init ref.csv --target y --kind customer=text").answers(YES);
    let split = work.read("mlloop.toml").replace("by = \"id\"", "by = \"column\"\ncolumn = \"customer\"");
    work.write("mlloop.toml", split);
    work.run("train --now 2026-11-01T00:00:00Z").answers(YES);
    let look = |table: String| {
        work.write("current.csv", table);
        work.run("monitor current.csv --formats json --now 2026-11-09T00:00:00Z").value()
    };
    let quiet = look(rows(1000, 50, 0.25));
    assert!(!fired(&quiet, "metric_drop") && !fired(&quiet, "recent_accuracy"), "{quiet:#}");
    assert_eq!(quiet["performance"]["n_effective"], 50.0);
    let fell = look(rows(2000, 50, 0.95));
    assert!(fired(&fell, "metric_drop") && fired(&fell, "recent_accuracy"), "{:#}", fell["triggers"]);
    // The same by the log.
    let log = |first: u32, share: f64, day: u32| {
        work.write("week.csv", rows(first, 50, share));
        let at = format!("2026-11-{day:02}T00:00:00Z");
        work.run(&format!("predict week.csv --log --outcomes -o out.csv --now {at}")).answers(YES);
        work.run("monitor --formats json --now 2026-11-30T00:00:00Z").value()
    };
    let quiet = log(3000, 0.25, 3);
    assert_eq!((&quiet["performance"]["n_effective"], &quiet["alarm"]["n"]), (&50.0.into(), &1000.into()), "{quiet:#}");
    assert!(!fired(&quiet, "metric_drop"), "{}", quiet["alarm"]);
    let fell = log(4000, 0.95, 12);
    assert!(fired(&fell, "metric_drop"), "{}", fell["alarm"]);
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
