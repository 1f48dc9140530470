//! The verdict: few units, no events, margins, and one look.

use super::{close, table};
use crate::support::{CANNOT_TELL, Loop, NO, YES};

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
