//! What a report says about tables that may mislead it.

use super::{noted, table};
use crate::support::{CANNOT_TELL, ERROR, Loop, YES};
use serde_json::Value;

#[test]
fn units_in_both_arms_are_named_and_many_of_them_are_asked_about() {
    let text = table(4_000, [0.2, 0.3], "user,arm,y", |unit, arm, y| {
        format!("u{},{},{}", unit.min(3_950), ["a", "b"][arm], u8::from(y))
    });
    let moved: String = (0..60).map(|unit| format!("u{unit},{},0\n", ["b", "a"][unit % 2])).collect();
    let work = Loop::new().table("t.csv", text + &moved);
    let report = work.run("ab-report t.csv --arm arm --outcome y --unit user").answers(YES).value();
    noted(
        &report,
        "units are in more than one arm and are left out: \"u0\", \"u1\", \"u2\", …, 1.5 % of all: does this column name",
    );
}

#[test]
fn missing_outcomes_are_told_and_left_out_or_count_nothing() {
    let text = table(4_000, [0.2, 0.3], "arm,y", |unit, arm, y| {
        let missing = arm == 1 && unit % 10 == 1;
        format!(
            "{},{}",
            ["a", "b"][arm],
            if missing {
                ""
            } else if y {
                "1"
            } else {
                "0"
            }
        )
    });
    let work = Loop::new().table("t.csv", text);
    let report = work.run("ab-report t.csv --arm arm --outcome y").answers(YES).value();
    assert_eq!(report["outcomes"][0]["arms"][1]["n_missing"], 400);
    noted(&report, "is missing more often in one arm than in another (0.0 %, 20.0 %)");
    let zero = work.run("ab-report t.csv --arm arm --outcome y --missing-zero").value();
    assert_eq!(
        (&zero["outcomes"][0]["arms"][1]["n"], &zero["outcomes"][0]["arms"][1]["n_missing"]),
        (&2_000.into(), &0.into())
    );
}

#[test]
fn a_mismatch_of_52_to_48_stops_the_report() {
    let rows = |n_a: usize, n_b: usize| {
        let of = |arm: &str, n: usize| (0..n).map(|i| format!("{arm},{}\n", u8::from(i % 5 == 0))).collect::<String>();
        format!("arm,y\n{}{}", of("a", n_a), of("b", n_b))
    };
    let work = Loop::new().table("t.csv", rows(5_200, 4_800));
    let report = work.run("ab-report t.csv --arm arm --outcome y").answers(CANNOT_TELL).value();
    assert_eq!(
        (&report["verdict"]["answer"], &report["outcomes"]),
        (&"sample_ratio_mismatch".into(), &Value::Array(vec![]))
    );
    work.run("ab-report t.csv --arm arm --outcome y --force").answers(CANNOT_TELL).json("/srm/state", "stop");
    work.run("ab-report t.csv --arm arm --outcome y --weights a=.52,b=.48")
        .answers(CANNOT_TELL)
        .json("/srm/state", "ok");
    work.run("ab-report t.csv --arm arm --outcome y --weights a=.52").answers(ERROR).says("--weights");
    let shown = work.run("ab-report t.csv --arm arm --outcome y --text").answers(CANNOT_TELL);
    shown.prints("sample ratio mismatch").prints("5200 units");
}

#[test]
fn days_that_differ_more_than_independent_views_are_remarked() {
    let day = |i: usize, scatter: usize| 50 + (i * 37 % 11) * scatter / 5;
    let text = |scatter: usize| {
        let rows = (0..60).map(|i| format!("{},{},500\n", ["a", "b"][i % 2], day(i, scatter))).collect::<String>();
        format!("arm,clicks,views\n{rows}")
    };
    let work = Loop::new().table("even.csv", text(5)).table("uneven.csv", text(40));
    let line = |name: &str| format!("ab-report {name}.csv --arm arm --outcome clicks --n views");
    noted(&work.run(&line("uneven")).value(), "--outcome clicks/views in place of --n to count rows as units");
    assert!(!work.run(&line("even")).value()["notes"].to_string().contains("independent units"));
}

#[test]
fn values_that_cannot_be_summed_up_are_named() {
    let work = Loop::new();
    for wrong in ["inf", "-inf", "1e200", "1.7976931348623157e308"] {
        let text = table(400, [0.5, 0.5], "user,arm,rev,visits", |unit, arm, _| {
            let value = if unit == 6 { wrong.to_owned() } else { format!("{}", 10 + unit % 7 + arm) };
            format!("{unit},{},{value},2", ["A", "B"][arm])
        });
        work.write("t.csv", text);
        for outcome in ["rev", "rev/visits", "visits/rev", "visits --pre rev", "rev@.9", "rev --cap .9"] {
            let said = work.run(&format!("ab-report t.csv --arm arm --outcome {outcome} --unit user"));
            if wrong.contains("inf") {
                said.answers(ERROR).says("t.csv: row 7, column \"rev\"").says("--skip-invalid");
            } else {
                let sentence = format!("row 7, column \"rev\": {wrong} is too large to sum");
                assert!(said.answers(CANNOT_TELL).value()["verdict"]["sentence"].as_str().unwrap().contains(&sentence));
            }
        }
        let report = work.run("ab-report t.csv --arm arm --outcome rev --skip-invalid").value();
        assert_eq!(report["outcomes"][0]["arms"][0]["n_missing"], 1, "{wrong}");
        noted(&report, "1 values are too large to sum and count as missing (such as row 7)");
    }
}

#[test]
fn arms_under_two_spellings_and_stray_arms_are_named() {
    let two = |other: &str| {
        table(800, [0.3, 0.3], "arm,y", |unit, arm, y| {
            let name = if arm == 0 && unit % 8 == 0 { other } else { ["1", "2"][arm] };
            format!("{name},{}", u8::from(y))
        })
    };
    let work = Loop::new();
    for other in ["1.0", "01", "1e0"] {
        work.write("t.csv", two(other));
        let line = "ab-report t.csv --arm arm --outcome y";
        work.run(line).answers(ERROR).says("--same-arms").says(&format!("{other:?} in 100")).says("--arms 1,");
        let report = work.run(&format!("{line} --same-arms")).value();
        assert_eq!((&report["arms"][0]["name"], &report["arms"][0]["n_units"]), (&"1".into(), &400.into()), "{other}");
    }
    work.write("t.csv", two("1").replace("1,0\n2,", "A,0\n2,").replace("2,1\n", "a,1\n"));
    work.run("ab-report t.csv --arm arm --outcome y").answers(ERROR).says("\"A\"").says("\"a\"");
    work.write("t.csv", format!("{}oops,1\noops,0\n", two("1")));
    work.run("ab-report t.csv --arm arm --outcome y")
        .answers(ERROR)
        .says("\"oops\" in 2 of 802 rows")
        .says("--arms 1,2");
    work.run("ab-report t.csv --arm arm --outcome y --arms 1,2").answers(CANNOT_TELL);
    work.run("ab-report t.csv --arm arm --outcome y --min-share 0").answers(CANNOT_TELL);
}

#[test]
fn a_table_of_those_alone_who_have_it_is_no_result() {
    let only = table(900, [0.3, 0.3], "arm,y", |_, arm, y| format!("{arm},{}", if y { "1" } else { "" }));
    let work = Loop::new().table("only.csv", &only);
    let report = work.run("ab-report only.csv --arm arm --outcome y").answers(CANNOT_TELL).value();
    assert!(report["verdict"]["sentence"].as_str().unwrap().contains("is 1 in every unit"), "{}", report["verdict"]);
    noted(&report, "add --missing-zero");
    work.run("ab-report only.csv --arm arm --outcome y --missing-zero").answers(CANNOT_TELL);
    work.write(
        "rest.csv",
        only.lines().filter(|line| !line.ends_with(',')).map(|line| format!("{line}\n")).collect::<String>(),
    );
    let rest = work.run("ab-report rest.csv --arm arm --outcome y --force").answers(CANNOT_TELL).value();
    noted(&rest, "may contain only units with this outcome");
    work.write("none.csv", only.replace(",1\n", ",0\n"));
    noted(&work.run("ab-report none.csv --arm arm --outcome y --missing-zero").answers(CANNOT_TELL).value(), "no unit");
}

#[test]
fn revenue_of_buyers_alone_is_told() {
    let spend = |unit: usize| 5 + unit * 37 % 51;
    let only = table(900, [0.3, 0.3], "arm,revenue", |unit, arm, y| {
        format!("{arm},{}", if y { spend(unit).to_string() } else { String::new() })
    });
    let work = Loop::new().table("only.csv", &only);
    let report = work.run("ab-report only.csv --arm arm --outcome revenue").value();
    noted(&report, "of 900 units have none: if a missing value means 0, add --missing-zero");
    let report = work.run("ab-report only.csv --arm arm --outcome revenue --missing-zero").value();
    assert!(!report["notes"].to_string().contains("is above 0"), "{}", report["notes"]);
    let rest = only.lines().filter(|line| !line.ends_with(',')).map(|line| format!("{line}\n")).collect::<String>();
    work.write("rest.csv", rest);
    noted(&work.run("ab-report rest.csv --arm arm --outcome revenue").value(), "may contain only units that have one");
}

#[test]
fn one_unit_of_most_of_the_variance_is_named_though_nothing_turns() {
    let text = table(2_000, [0.5, 0.5], "arm,spend", |unit, arm, _| {
        let usual = if unit % 11 > 0 { 0.0 } else { 20.0 + (unit * 37 % 51) as f64 * 0.005 };
        format!("{},{:.3}", ["a", "b"][arm], if unit == 101 { 250_000.0 } else { usual })
    });
    let work = Loop::new().table("t.csv", text);
    let report = work.run("ab-report t.csv --arm arm --outcome spend").value();
    noted(&report, "one unit makes up most of the variance: without the value 250000 in ");
    let capped = work.run("ab-report t.csv --arm arm --outcome spend --cap .99").value();
    let notes: Vec<&str> = capped["notes"].as_array().unwrap().iter().filter_map(|note| note.as_str()).collect();
    assert!(!notes.iter().any(|note| note.contains("one unit makes") || note.contains("decides")), "{notes:?}");
    // The limit is written with six digits at most.
    let limit = notes.iter().find_map(|note| note.split_once("quantile of all units (")).unwrap().1;
    assert!(limit.split(')').next().unwrap().len() <= 7, "{limit}");
}

#[test]
fn what_cannot_be_done_with_one_outcome_leaves_the_others() {
    let text = table(900, [0.3, 0.3], "arm,y,spend,visits,region", |unit, arm, y| {
        format!("{arm},{},{}.5,{},{}", u8::from(y), unit * 37 % 51, 1 + unit % 3, ["n", "s"][unit / 2 % 2])
    });
    let work = Loop::new().table("t.csv", text);
    let sentences = |options: &str| -> Vec<String> {
        let report = work.run(&format!("ab-report t.csv --arm arm {options}")).value();
        let told = |outcome: &serde_json::Value| outcome["verdict"]["sentence"].as_str().unwrap().to_owned();
        report["outcomes"].as_array().unwrap().iter().map(told).collect()
    };
    let told = sentences("--outcome spend --outcome spend/visits --outcome y --cap .99");
    assert_eq!(told[1], "No result on spend/visits: --cap is for means; \"spend/visits\" is a ratio.");
    assert!(told[0].contains("spend") && !told[0].starts_with("No result") && !told[2].starts_with("No result"));
    let told = sentences("--outcome y --outcome spend@0.9 --outcome spend --strata region");
    assert!(told[1].starts_with("No result on spend@0.9: --strata applies to means"), "{told:?}");
    assert!(!told[0].starts_with("No result") && !told[2].starts_with("No result"), "{told:?}");
    // Alone, it is what was asked for.
    work.run("ab-report t.csv --arm arm --outcome spend/visits --cap .99").answers(ERROR).says("is a ratio");
    work.run("ab-report t.csv --arm arm --outcome spend@0.9 --strata region").answers(ERROR).says("is a quantile");
}

#[test]
fn one_unit_that_decides_is_named_and_can_be_capped() {
    // b gains 6 of 100, and one order of 4000 hides it.
    let text = table(2_000, [0.5, 0.5], "arm,rev", |unit, arm, _| {
        let usual = 100 + unit * 37 % 51 + 6 * arm;
        format!("{},{}", ["a", "b"][arm], if unit == 40 { 9_000 } else { usual })
    });
    let work = Loop::new().table("t.csv", text);
    let report = work.run("ab-report t.csv --arm arm --outcome rev").value();
    noted(&report, "one unit decides the result: without the value 9000 in a");
    let capped = work.run("ab-report t.csv --arm arm --outcome rev --cap .99").answers(YES).value();
    assert_eq!(capped["verdict"]["winner"], "b");
    noted(&capped, "of 2000 units are above the 0.99 quantile of all units (");
    work.write(
        "t.csv",
        table(900, [0.005, 0.005], "arm,rev", |_, arm, y| format!("{arm},{}", if y { 700 } else { 0 })),
    );
    work.run("ab-report t.csv --arm arm --outcome rev --cap .9").answers(ERROR).says("smallest value 0");
}
