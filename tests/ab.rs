//! `ab-report` on tables: published experiments, simulated ones with known answers, and peculiar data.

use crate::support::{CANNOT_TELL, ERROR, Loop, NO, YES, shared};
use serde_json::Value;

fn close(report: &Value, pointer: &str, expected: f64, tolerance: f64) {
    let found = report.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
    assert!((found - expected).abs() <= tolerance, "{pointer}: {found} is not {expected}");
}

fn noted(report: &Value, text: &str) {
    let notes = report["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains(text)), "{text} is not among {notes:#?}");
}

#[test]
fn cookie_cats_is_what_was_published() {
    let Some(path) = shared("cookie_cats/cookie_cats.csv") else { return };
    let work = Loop::new();
    let line = format!(
        "ab-report {} --arm version --outcome retention_7 --outcome retention_1 --outcome sum_gamerounds --unit userid",
        path.display()
    );
    let report = work.run(&format!("{line} --reports out")).answers(YES).value();
    assert_eq!(report["verdict"]["winner"], "gate_30");
    assert_eq!(report["srm"]["state"], "warning");
    close(&report, "/srm/p", 0.008_608, 1e-6);
    assert_eq!((&report["arms"][0]["n_units"], &report["arms"][1]["n_units"]), (&44_700.into(), &45_489.into()));
    close(&report, "/outcomes/0/comparisons/0/fixed/statistic", -3.164_358_912_748, 1e-9);
    close(&report, "/outcomes/0/comparisons/0/fixed/p", 0.001_554_249_976, 1e-11);
    close(&report, "/outcomes/1/comparisons/0/fixed/statistic", -1.784_086_224_797, 1e-9);
    close(&report, "/outcomes/1/comparisons/0/fixed/p", 0.074_409_655_297, 1e-10);
    assert_eq!(report["outcomes"][0]["arms"][0]["sum"], 8502.0);
    assert_eq!(report["outcomes"][1]["verdict"]["answer"], "keep_running");
    assert_eq!(report["outcomes"][2]["comparisons"][0]["fixed"]["test"], "welch_t");
    for name in ["ab_report.json", "ab_report.html", "ab_report.png"] {
        assert!(work.path("out").join(name).metadata().unwrap().len() > 5_000, "{name}");
    }
    let page = work.read("out/ab_report.html");
    assert!(page.contains("gate_30 wins") && !page.contains("<script") && !page.contains("NaN"));
    let day_one = format!("ab-report {} --arm version --outcome retention_1 --unit userid --json", path.display());
    // Nothing is shown, and more than a point is open: that is no "no", unless it is known to be small enough, and not at the
    // planned end or with one look either.
    let open = work.run(&day_one).answers(CANNOT_TELL).json("/verdict/n_left", 3 * 90_189).value();
    let sentence = open["verdict"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("points is not ruled out. About 270567 more units halve the interval"), "{sentence}");
    work.run(&format!("{day_one} --margin .03")).answers(NO).json("/verdict/answer", "no_difference");
    for (more, begins) in [
        ("--planned-n 90189", "Cannot tell: the planned number of units is reached, and on "),
        ("--fixed", "Cannot tell: on "),
    ] {
        let open =
            work.run(&format!("{day_one} {more}")).answers(CANNOT_TELL).json("/verdict/n_left", 3 * 90_189).value();
        let sentence = open["verdict"]["sentence"].as_str().unwrap();
        assert!(
            sentence.starts_with(begins) && sentence.contains("is not ruled out. About 270567 more units"),
            "{sentence}"
        );
    }
    let tight = work.run(&format!("{day_one} --planned-n 90189 --margin .01")).answers(CANNOT_TELL).value();
    let sentence = tight["verdict"]["sentence"].as_str().unwrap();
    assert!(sentence.ends_with("more units show whether it stays within ±0.01."), "{sentence}");
    work.run(&format!("{day_one} --planned-n 200000")).answers(CANNOT_TELL).json("/verdict/n_left", 109_811);
    work.run(&format!("{line} --fixed")).answers(YES);
}

#[test]
fn hillstrom_has_three_arms() {
    let Some(path) = shared("hillstrom/hillstrom.csv") else { return };
    let line = format!(
        "ab-report {} --arm segment --outcome conversion --outcome spend --outcome spend/visit --pre history",
        path.display()
    );
    let work = Loop::new();
    work.run(&line).answers(ERROR).says("ratio");
    let report = work.run(&line.replace(" --outcome spend/visit", "")).answers(YES).value();
    let arms: Vec<(&Value, &Value)> =
        report["outcomes"][0]["arms"].as_array().unwrap().iter().map(|arm| (&arm["name"], &arm["sum"])).collect();
    assert_eq!(
        arms,
        [
            (&"No E-Mail".into(), &122.0.into()),
            (&"Mens E-Mail".into(), &267.0.into()),
            (&"Womens E-Mail".into(), &189.0.into())
        ]
    );
    assert_eq!(report["verdict"]["winner"], "Mens E-Mail");
    assert_eq!(report["srm"]["state"], "ok");
    noted(&report, "compared with \"No E-Mail\": its name says so");
    // Holm over the two comparisons: the smaller p doubles, the larger stays.
    let fixed = |i: usize, what: &str| {
        report.pointer(&format!("/outcomes/0/comparisons/{i}/fixed/{what}")).unwrap().as_f64().unwrap()
    };
    assert!((fixed(0, "p_holm") / fixed(0, "p") - 2.0).abs() < 1e-9 && fixed(1, "p_holm") == fixed(1, "p"));
    close(&report, "/outcomes/0/all_arms/freedom", 2.0, 0.0);
    assert_eq!(report["outcomes"][1]["cuped"]["column"], "history");
    let two = format!("ab-report {} --arm segment --outcome visit --arms", path.display());
    work.run(&format!("{two} 'Womens E-Mail,Mens E-Mail'")).answers(YES).json("/arms/0/name", "Womens E-Mail");
    work.run(&format!("{two} 'Womens E-Mail,Kids'")).answers(ERROR).says("no arm \"Kids\"");
}

/// A table of `n` units in two arms, of which `rates` convert, spread evenly.
fn table(n: usize, rates: [f64; 2], header: &str, cell: impl Fn(usize, usize, bool) -> String) -> String {
    let mut text = format!("{header}\n");
    let mut due = [0.0, 0.0];
    for unit in 0..n {
        let arm = unit % 2;
        due[arm] += rates[arm];
        let converts = due[arm] >= 1.0 - 1e-9;
        if converts {
            due[arm] -= 1.0;
        }
        text.push_str(&cell(unit, arm, converts));
        text.push('\n');
    }
    text
}

#[test]
fn outcomes_are_written_in_many_ways() {
    let work = Loop::new();
    let ways = [
        ["0", "1"],
        ["FALSE", "TRUE"],
        ["no", "yes"],
        ["0.0", "1.0"],
        ["lapsed", "retained"],
        ["FALSCH", "WAHR"],
        ["Faux", "VRAI"],
        ["falso", "verdadero"],
        ["nein", "Ja"],
        ["não", "sim"],
    ];
    for [zero, one] in ways {
        let text = table(4_000, [0.2, 0.3], "group,bought", |_, arm, converts| {
            format!("{},{}", ["control", "new"][arm], if converts { one } else { zero })
        });
        work.write("t.csv", text);
        let report = work.run("ab-report t.csv --arm group --outcome bought").answers(YES).value();
        assert_eq!(report["verdict"]["winner"], "new", "{one}");
        assert_eq!(report["outcomes"][0]["arms"][1]["sum"], 600.0, "{one}");
        assert_eq!(report["outcomes"][0]["kind"], "share");
    }
    let odd = |_: usize, arm: usize, converts: bool| format!("{arm};{}", if converts { "blau" } else { "rot" });
    work.write("t.csv", table(4_000, [0.2, 0.3], "arm;farbe", odd));
    work.run("ab-report t.csv --arm arm --outcome farbe").answers(ERROR).says("--positive");
    let blue = work.run("ab-report t.csv --arm arm --outcome farbe --positive blau").answers(YES).value();
    assert_eq!((&blue["verdict"]["winner"], &blue["arms"][0]["name"]), (&"1".into(), &"0".into()));
    let fewer = work.run("ab-report t.csv --arm arm --outcome farbe --positive blau --goal lower").answers(YES).value();
    assert_eq!(fewer["verdict"]["winner"], "0");
}

#[test]
fn units_count_once_and_in_one_arm() {
    let mut text =
        table(4_000, [0.2, 0.3], "user,arm,y", |unit, arm, y| format!("u{unit},{},{}", ["a", "b"][arm], u8::from(y)));
    // u0 also in the other arm, u2 three times, one row without a unit and one without an arm.
    text.push_str("u0,b,1\nu2,a,1\nu2,a,0\n,a,1\nu9999,,1\n");
    let work = Loop::new().table("t.csv", text);
    let report = work.run("ab-report t.csv --arm arm --outcome y --unit user").answers(YES).value();
    let source = &report["source"];
    assert_eq!(
        ["n_rows", "n_units", "n_in_two_arms", "n_repeated", "n_without_arm"].map(|key| source[key].as_u64().unwrap()),
        [4_005, 3_999, 1, 1, 2]
    );
    // u2 converted in one of its rows: among 0 and 1 the largest counts.
    assert_eq!(report["outcomes"][0]["arms"][0]["sum"], 401.0);
    let mean = work.run("ab-report t.csv --arm arm --outcome y --unit user --repeated mean").answers(YES).value();
    assert_eq!(mean["outcomes"][0]["kind"], "mean");
    close(&mean, "/outcomes/0/arms/0/sum", 400.0 + 1.0 / 3.0, 1e-9);
    noted(&report, "1 units are in more than one arm and are left out: \"u0\"");
    // Without the unit all rows that name an arm count.
    let rows = work.run("ab-report t.csv --arm arm --outcome y").answers(YES).json("/source/n_units", 4_004).value();
    noted(&rows, "every row counts as a unit, although \"user\" has 4001 values in 4005 rows: --unit user combines");
}

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
fn counts_in_a_table_are_units() {
    // 300 of 3000 against 390 of 3000, in rows by day.
    let text =
        "day,arm,views,clicks\n1,a,1000,90\n1,b,1000,120\n2,a,1000,110\n2,b,1000,140\n3,a,1000,100\n3,b,1000,130\n";
    let work = Loop::new().table("t.csv", text);
    let line = "ab-report t.csv --arm arm --outcome clicks --n views --time day";
    let report = work.run(line).answers(YES).value();
    assert_eq!(
        (&report["source"]["n_units"], &report["outcomes"][0]["arms"][1]["sum"]),
        (&6_000.into(), &390.0.into())
    );
    // statsmodels proportions_ztest([390, 300], [3000, 3000])
    close(&report, "/outcomes/0/comparisons/0/fixed/statistic", 3.642_053_564, 1e-8);
    work.write("t.csv", text.replace(",90\n", ",9000\n"));
    work.run(line).answers(ERROR).says("\"clicks\" contains 9000, which is not a count out of 1000 units");
}

/// CUPED against ordinary least squares of the outcome on the arm and on what was known before.
#[test]
fn cuped_agrees_with_statsmodels() {
    let reference: Value = serde_json::from_str(include_str!("../fixtures/reference/ab.json")).unwrap();
    for case in reference["means"].as_array().unwrap().iter().filter(|case| case["cuped"].is_object()) {
        let numbers = |key: &str| case[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
        let rows = |arm: &str| {
            let pairs = numbers(arm).into_iter().zip(numbers(&format!("pre_{arm}")));
            pairs.map(|(y, x)| format!("{arm},{y},{x}\n")).collect::<String>()
        };
        let work = Loop::new().table("t.csv", format!("arm,y,x\n{}{}", rows("a"), rows("b")));
        let report = work.run("ab-report t.csv --arm arm --outcome y --pre x").value();
        close(&report, "/outcomes/0/cuped/theta", case["cuped"]["theta"].as_f64().unwrap(), 1e-9);
        let difference = case["cuped"]["difference"].as_f64().unwrap();
        close(&report, "/outcomes/0/comparisons/0/difference", difference, 1e-9);
    }
}

#[test]
fn what_is_known_from_before_narrows_the_interval() {
    let text = table(2_000, [0.5, 0.5], "arm,before,after", |unit, arm, _| {
        let before = (unit * 7919 % 1009) as f64;
        let noise = (unit * 104_729 % 97) as f64;
        format!("{},{before},{}", ["a", "b"][arm], 0.9 * before + noise + 8.0 * arm as f64)
    });
    let work = Loop::new().table("t.csv", text);
    let plain = work.run("ab-report t.csv --arm arm --outcome after").answers(CANNOT_TELL).value();
    let sharp = work.run("ab-report t.csv --arm arm --outcome after --pre before").answers(YES).value();
    close(&sharp, "/outcomes/0/cuped/theta", 0.9, 0.01);
    close(&sharp, "/outcomes/0/comparisons/0/difference", 8.0, 2.0);
    let width = |report: &Value| {
        let of = |end: &str| report["outcomes"][0]["comparisons"][0][end].as_f64().unwrap();
        of("high") - of("low")
    };
    assert!(width(&sharp) < 0.2 * width(&plain), "{} {}", width(&sharp), width(&plain));
    let ratio = work.run("ab-report t.csv --arm arm --outcome after/before").value();
    assert_eq!(
        (&ratio["outcomes"][0]["kind"], &ratio["outcomes"][0]["comparisons"][0]["fixed"]["test"]),
        (&"ratio".into(), &"z".into())
    );
}

#[test]
fn bad_requests_are_one_line() {
    let work = Loop::new().table("t.csv", "arm,y,name\na,1,x\na,0,y\nb,2,z\n").table("one.csv", "arm,y\na,1\na,0\n");
    work.run("ab-report t.csv --arm group --outcome y")
        .answers(ERROR)
        .says("no column \"group\"; choose from arm, y, name");
    work.run("ab-report t.csv --arm arm --outcome z").answers(ERROR).says("no column \"z\"");
    work.run("ab-report t.csv --arm arm --outcome name").answers(ERROR).says("--positive");
    work.run("ab-report t.csv --arm arm --outcome y --control c").answers(ERROR).says("no arm \"c\"");
    work.run("ab-report one.csv --arm arm --outcome y").answers(ERROR).says("a comparison needs two");
    work.run("ab-report t.csv --arm arm --outcome y --alpha 2").answers(ERROR).says("0.5");
    work.run("ab-report t.csv --arm arm --outcome y --weights a=x").answers(ERROR).says("ARM=WEIGHT");
    work.run("ab-report nobody.csv --arm arm --outcome y").answers(ERROR).says("nobody.csv");
    let few = work.run("ab-report t.csv --arm arm --outcome y").answers(CANNOT_TELL).value();
    assert_eq!(few["verdict"]["answer"], "keep_running");
    assert!(few["verdict"]["n_left"].as_u64().unwrap() > 20);
    let piped = work.pipe("ab-report - --arm arm --outcome y", work.read("t.csv"));
    assert_eq!(piped.answers(CANNOT_TELL).value()["source"]["name"], "stdin");
}

#[test]
fn an_outcome_that_nobody_has_or_that_is_never_known_is_an_answer() {
    let zeros = table(400, [0.0, 0.0], "arm,y", |_, arm, _| format!("{arm},0"));
    let unknown =
        table(400, [0.0, 0.0], "arm,y", |unit, arm, _| format!("{arm},{}", if unit < 2 { "1.5" } else { "" }));
    let work = Loop::new().table("zeros.csv", zeros).table("unknown.csv", unknown);
    for name in ["zeros", "unknown"] {
        let line = format!("ab-report {name}.csv --arm arm --outcome y --reports out");
        let report = work.run(&line).answers(CANNOT_TELL).value();
        assert_eq!(report["verdict"]["answer"], "keep_running", "{name}");
        assert!(!work.read("out/ab_report.html").contains("NaN"), "{name}");
        work.run(&format!("{line} --text")).answers(CANNOT_TELL);
    }
}

#[test]
fn an_arm_that_is_worse_is_said_to_be_when_no_other_wins() {
    let rate = |arm: usize, i: usize| u8::from(i * 37 % 100 < [30, 20, 31][arm]);
    let rows = (0..6_000).map(|i| format!("{},{}\n", ["old", "x", "y"][i % 3], rate(i % 3, i / 3))).collect::<String>();
    let work = Loop::new().table("t.csv", format!("arm,y\n{rows}"));
    let line = "ab-report t.csv --arm arm --outcome y";
    let report = work.run(line).answers(CANNOT_TELL).value();
    assert_eq!(report["verdict"]["worse"], serde_json::json!(["x"]));
    let sentence = report["verdict"]["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("x is worse than old, and no difference is shown for y; a difference of up to "),
        "{sentence}"
    );
    work.run(&format!("{line} --planned-n 6000 --text")).answers(CANNOT_TELL).prints("Cannot tell");
}

#[test]
fn one_look_decides_about_a_margin_with_its_own_interval() {
    // 60 against 60 units with 28 and 27 ones: a single look reaches .02 ± .18, all looks .02 ± .29.
    let rows =
        (0..120).map(|i| format!("{},{}\n", ["a", "b"][i % 2], u8::from(i / 2 < 28 - i % 2))).collect::<String>();
    let work = Loop::new().table("t.csv", format!("arm,y\n{rows}"));
    let line = "ab-report t.csv --arm arm --outcome y --margin .22";
    work.run(line).answers(CANNOT_TELL);
    let fixed = work.run(&format!("{line} --fixed")).answers(NO).json("/verdict/answer", "no_difference").value();
    let sentence = fixed["verdict"]["sentence"].as_str().unwrap();
    assert!(sentence.ends_with("stays within ±0.22 of a, by the test for a single look."), "{sentence}");
    let open = work.run("ab-report t.csv --arm arm --outcome y --fixed").answers(CANNOT_TELL).value();
    let high = open["outcomes"][0]["comparisons"][0]["fixed"]["interval"][0].as_f64().unwrap().abs();
    let widest = format!("a difference of up to {:.2} points is not ruled out", 100.0 * high);
    assert!(open["verdict"]["sentence"].as_str().unwrap().contains(&widest), "{open:?}");
}

/// The picture says what its axes measure and where 0 is, and the page says its answer once.
#[test]
fn the_page_has_axes_and_says_its_answer_once() {
    let text = table(4_000, [0.2, 0.3], "group,bought,spent", |unit, arm, converts| {
        format!("{},{},{}", ["control", "new"][arm], u8::from(converts), unit * 7 % 31 + 4 * arm)
    });
    let work = Loop::new().table("t.csv", text);
    let line = "ab-report t.csv --arm group --outcome bought --outcome spent --reports out";
    let report = work.run(line).answers(YES).value();
    let page = work.read("out/ab_report.html");
    let drawn: Vec<&str> = page.split("<svg").skip(1).map(|svg| svg.split("</svg>").next().unwrap()).collect();
    for unit in ["percentage points", "difference of means"] {
        let effect = drawn.iter().find(|svg| svg.contains(&format!(">{unit}</text>"))).unwrap();
        // Numbers below, from none to all units, and beside it, with a line at 0.
        assert!(effect.contains(">4 000 units</text>") || effect.contains(">4000 units</text>"), "{effect}");
        assert!(effect.matches(">0</text>").count() == 2 && effect.contains("class=\"zero\""), "{effect}");
        assert!(effect.matches("class=\"ax").count() >= 8, "{effect}");
    }
    for outcome in report["outcomes"].as_array().unwrap() {
        let sentence = outcome["verdict"]["sentence"].as_str().unwrap();
        assert_eq!(page.matches(sentence).count(), 1, "{sentence}");
    }
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
fn no_event_in_any_arm_may_be_within_the_margin() {
    let rows = (0..400).map(|i| format!("{},0\n", ["a", "b"][i % 2])).collect::<String>();
    let work = Loop::new().table("t.csv", format!("arm,y\n{rows}"));
    work.run("ab-report t.csv --arm arm --outcome y --margin .1").answers(NO).json("/verdict/answer", "no_difference");
    work.run("ab-report t.csv --arm arm --outcome y --margin .01").answers(CANNOT_TELL);
}

#[test]
fn an_arm_without_a_buyer_yet_is_not_the_loser() {
    // 40 units each, b without a buyer so far: of 5 % buyers who spend ten times as much nobody is among 40 with chance .13.
    let value = |i: usize| if i.is_multiple_of(4) { 9.0 + (i % 13) as f64 } else { 0.0 };
    let rows = (0..80).map(|i| format!("{},{}\n", ["a", "b"][i % 2], value(i))).collect::<String>();
    let work = Loop::new().table("t.csv", format!("arm,revenue\n{rows}"));
    let line = "ab-report t.csv --arm arm --outcome revenue";
    let report = work.run(&format!("{line} --planned-n 2000")).answers(CANNOT_TELL).value();
    let found = &report["outcomes"][0]["comparisons"][0];
    assert!(found["low"].is_null() && found["p"] == 1.0 && found["enough"] == false, "{found}");
    let needed = found["n_to_enough"].as_u64().unwrap();
    assert!((1_900..=2_000).contains(&needed), "1000 of an arm when none of it buys: {needed}");
    work.run(&format!("{line} --fixed")).answers(CANNOT_TELL);
}

#[test]
fn few_units_in_one_arm_do_not_decide() {
    let rows =
        |arm: &str, k: usize, n: usize| (0..n).map(|i| format!("{arm},{}\n", u8::from(i < k))).collect::<String>();
    let work = Loop::new().table("t.csv", format!("arm,y\n{}{}", rows("old", 12, 600), rows("new", 0, 30)));
    let line = "ab-report t.csv --arm arm --outcome y --weights old=.95,new=.05";
    let report = work.run(line).answers(CANNOT_TELL).value();
    // Fisher's exact test says p = 1.
    assert_eq!(report["verdict"]["answer"], "keep_running");
    close(&report, "/outcomes/0/comparisons/0/p", 1.0, 0.0);
    assert!(report["outcomes"][0]["comparisons"][0]["error"].as_f64().unwrap() > 0.01);
    // A release that fails for everybody is found in the same 30 units.
    work.write("t.csv", format!("arm,y\n{}{}", rows("old", 590, 600), rows("new", 0, 30)));
    let report = work.run(line).answers(YES).value();
    assert_eq!(report["verdict"]["winner"], "old");
}

/// The p-value and the interval for a single look say the same, for shares, means and ratios.
#[test]
fn p_and_interval_of_a_single_look_agree() {
    let work = Loop::new();
    let mut excluded = [0, 0];
    for shift in 0..40 {
        let mut text = "arm,share,mean,visits\n".to_owned();
        for i in 0..22_usize {
            let arm = usize::from(i < 5);
            let wave = (i * 7 % 11) as f64;
            let (share, mean) = ((i * 5 + shift) % 7 < 2 + 3 * arm, wave + arm as f64 * 0.2 * shift as f64);
            text.push_str(&format!("{},{},{mean},{}\n", ["a", "b"][arm], u8::from(share), 1 + i % 3));
        }
        work.write("t.csv", text);
        let line = "ab-report t.csv --arm arm --outcome share --outcome mean --outcome mean/visits --weights a=17,b=5";
        let report = work.run(line).value();
        for outcome in report["outcomes"].as_array().unwrap() {
            let fixed = &outcome["comparisons"][0]["fixed"];
            let [low, high] = [0, 1].map(|i| fixed["interval"][i].as_f64().unwrap());
            let p = fixed["p"].as_f64().unwrap();
            assert_eq!(p < 0.05, low > 0.0 || high < 0.0, "{shift} {fixed}");
            excluded[usize::from(p < 0.05)] += 1;
            let effect = outcome["comparisons"][0]["difference"].as_f64().unwrap();
            assert!(fixed["statistic"].as_f64().unwrap() * effect >= 0.0, "{fixed} {effect}");
        }
    }
    assert!(excluded.iter().all(|n| *n > 10), "{excluded:?}");
}

/// A row without a numerator does not add its denominator, and the other way round.
#[test]
fn halves_of_a_ratio_do_not_count() {
    let work = Loop::new();
    let mut text = "user,arm,rev,visits,part\n".to_owned();
    for unit in 0..600_usize {
        for nth in 0..3_usize {
            let (rev, visits) = (1 + (unit * 7 + nth * 5) % 9, 1 + (unit + nth) % 4);
            let rev = if unit % 2 == 1 && (unit + nth) % 4 == 0 { String::new() } else { rev.to_string() };
            let visits = if unit % 50 == 0 && nth == 1 { String::new() } else { visits.to_string() };
            let part = ["x", "y", "z"][nth];
            text.push_str(&format!("{unit},{},{rev},{visits},{part}\n", ["A", "B"][unit % 2]));
        }
    }
    work.write("t.csv", &text);
    let line = "ab-report t.csv --arm arm --outcome rev/visits --unit user";
    let report = work.run(line).value();
    let complete: Vec<Vec<&str>> =
        text.lines().skip(1).map(|row| row.split(',').collect()).filter(|row: &Vec<&str>| !row.contains(&"")).collect();
    for (at, arm) in ["A", "B"].iter().enumerate() {
        let sum = |column: usize| -> f64 {
            complete.iter().filter(|row| row[1] == *arm).map(|row| row[column].parse::<f64>().unwrap()).sum()
        };
        close(&report, &format!("/outcomes/0/arms/{at}/mean"), sum(2) / sum(3), 1e-9);
    }
    noted(&report, "rows lack the numerator or a denominator and are left out");
    // A stratum that differs within a unit is none that was known before.
    let report = work.run(&format!("{line} --strata part")).value();
    noted(&report, "units have rows in more than one stratum of \"part\"");
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

#[test]
fn strata_take_out_what_they_explain() {
    // Some units spend ten times as much, as many in either arm; b spends 8 more.
    let rows = |rates: [f64; 2]| {
        table(4_000, rates, "arm,size,rev", |unit, arm, big| {
            let size = if big { "big" } else { "small" };
            format!("{},{size},{}", ["a", "b"][arm], if big { 1000 } else { 100 } + unit * 37 % 41 + 8 * arm)
        })
    };
    let work = Loop::new().table("t.csv", rows([0.45, 0.45]));
    let plain = work.run("ab-report t.csv --arm arm --outcome rev").answers(CANNOT_TELL).value();
    let within = work.run("ab-report t.csv --arm arm --outcome rev --strata size").answers(YES).value();
    close(&within, "/outcomes/0/comparisons/0/difference", 8.0, 1.0);
    noted(&within, "within the 2 levels of \"size\"");
    let error = |report: &Value| report["outcomes"][0]["comparisons"][0]["error"].as_f64().unwrap();
    assert!(error(&within) < 0.05 * error(&plain), "{} {}", error(&within), error(&plain));
    // A column that depends on the arm is none to compare within.
    work.write("t.csv", rows([0.4, 0.5]));
    let report = work.run("ab-report t.csv --arm arm --outcome rev --strata size").answers(CANNOT_TELL).value();
    assert_eq!(report["verdict"]["answer"], "sample_ratio_mismatch");
}

#[test]
fn many_outcomes_are_corrected_for_when_asked() {
    let text = table(3_000, [0.2, 0.26], "arm,y,z1,z2,z3", |unit, arm, y| {
        let noise = |k: usize| u8::from(unit * k % 101 < 40);
        format!("{arm},{},{},{},{}", u8::from(y), noise(7), noise(11), noise(13))
    });
    let work = Loop::new().table("t.csv", text);
    let line = "ab-report t.csv --arm arm --outcome y --outcome z1 --outcome z2 --outcome z3";
    let alone = work.run(line).answers(YES).value();
    let all = work.run(&format!("{line} --correct")).value();
    let of = |report: &Value, what: &str| report["outcomes"][0]["comparisons"][0][what].as_f64().unwrap();
    assert!((of(&all, "p_holm") / of(&alone, "p") - 4.0).abs() < 1e-9, "Holm over four outcomes");
    assert_eq!(of(&all, "p"), of(&alone, "p"));
    assert!(of(&all, "high") - of(&all, "low") > 1.1 * (of(&alone, "high") - of(&alone, "low")));
    let fixed = |report: &Value, what: &str| report["outcomes"][0]["comparisons"][0]["fixed"][what].as_f64().unwrap();
    assert!((fixed(&all, "p_holm") / fixed(&all, "p") - 4.0).abs() < 1e-9);
}

#[test]
fn quantiles_and_ratios_over_several_denominators() {
    let text = table(4_000, [0.5, 0.5], "arm,wait,orders,web,app", |unit, arm, _| {
        let spread = (unit * 7919 % 3989) as f64;
        let wait = if arm == 1 && spread > 3_400.0 { spread + 400.0 } else { spread };
        format!("{},{wait},{},{},{}", ["a", "b"][arm], 1 + unit % 2 + arm, 2 + unit % 3, 1 + unit % 5)
    });
    let work = Loop::new().table("t.csv", text);
    let line =
        "ab-report t.csv --arm arm --outcome wait@.9 --outcome wait@.5 --outcome orders/web+app --outcome orders/web";
    let report = work.run(line).answers(YES).value();
    assert_eq!((&report["outcomes"][0]["kind"], &report["verdict"]["winner"]), (&"quantile".into(), &"b".into()));
    close(&report, "/outcomes/0/comparisons/0/difference", 400.0, 30.0);
    assert_eq!(report["outcomes"][1]["verdict"]["answer"], "keep_running");
    assert_eq!(report["outcomes"][2]["kind"], "ratio");
    // 1 and 3 orders in 3 visits to the web and 3 to the app.
    close(&report, "/outcomes/2/arms/0/mean", 1.0 / 6.0, 0.01);
    close(&report, "/outcomes/3/arms/1/mean", 3.0 / 3.0, 0.01);
    work.run(&format!("{line} --pre web")).answers(ERROR).says("--pre");
    work.run("ab-report t.csv --arm arm --outcome web@.5").answers(ERROR).says("choose another quantile");
    work.run("ab-report t.csv --arm arm --outcome wait@1.5").answers(ERROR).says("no column \"wait@1.5\"");
}

#[test]
fn a_plan_says_units_and_days() {
    let work = Loop::new();
    let plan = work.run("ab-report --plan --baseline 10% --effect .02 --per-day 800").answers(YES).value();
    close(&plan, "/n_units_single_look", 7_676.0, 1.0);
    let n = plan["n_units"].as_f64().unwrap();
    assert!(n > 1.8 * 7_676.0 && (plan["days"].as_f64().unwrap() - n / 800.0).abs() < 1e-9, "{plan}");
    let same = work.run("ab-report --plan --baseline .1 --effect 20%").value();
    assert_eq!((&same["n_units"], &same["days"]), (&plan["n_units"], &Value::Null));
    let past =
        (0..1_000).map(|i| format!("{},2026-11-{:02}\n", u8::from(i % 10 == 0), 1 + i / 100)).collect::<String>();
    work.write("past.csv", format!("bought,day\n{past}"));
    let read = work.run("ab-report past.csv --plan --outcome bought --time day --effect .02").value();
    assert_eq!(read["n_units"], plan["n_units"]);
    close(&read, "/days", n / (1_000.0 / 9.0), 1e-6);
    work.run("ab-report --plan --baseline 20 --effect 1").answers(ERROR).says("--sd");
    work.run("ab-report --plan --baseline .9 --effect .2").answers(ERROR).says("gives 1.1");
    work.run("ab-report --plan --effect .2").answers(ERROR).says("--baseline");
    work.run("ab-report past.csv --outcome bought").answers(ERROR).says("--arm");
}
