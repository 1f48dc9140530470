//! `ab-report` on tables: published experiments, simulated ones with known answers, and peculiar data.

mod remarks;
mod verdicts;

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
