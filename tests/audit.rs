//! `audit`: what is shown, what was in production then, and that no line can be altered, removed, moved or cut off.

use crate::support::{ERROR, Loop, NO, YES};

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// Three versions: the first in production, the last the challenger.
fn trained() -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    for day in 1..=3 {
        work.run(&format!("train --algorithm decision-tree --now 2026-11-0{day}T12:00:00Z")).answers(YES);
    }
    work
}

#[test]
fn a_whole_chain_is_shown_and_verified() {
    let work = trained();
    work.run("audit verify").answers(YES).json("/whole", true).json("/lines", 3);
    let shown = work.run("audit").answers(YES).value();
    assert_eq!(shown.as_array().unwrap().len(), 3);
    assert_eq!(shown[2]["details"]["version"], "v0003");
    assert_eq!(work.run("audit show --last 1").answers(YES).value()[0]["seq"], 3);
    work.run("audit --text").answers(YES).prints("2026-11-02 12:00  trained");
    work.run("audit verify --text").answers(YES).prints("intact: 3 lines");
    Loop::new().run("audit verify").answers(ERROR).says("no loop here");
}

#[test]
fn it_says_what_was_in_production_then() {
    let work = trained();
    let at = |time: &str, status| work.run(&format!("audit at {time}")).answers(status).value();
    assert_eq!(at("2026-11-01T11:59:59Z", NO)["production"], serde_json::Value::Null);
    assert_eq!(at("2026-11-01", YES)["production"], "v0001");
    let second = at("2026-11-02T12:00:00Z", YES);
    assert_eq!((&second["production"], &second["challenger"]), (&"v0001".into(), &"v0002".into()));
    assert_eq!(at("2026-12-24", YES)["challenger"], "v0003");
    work.run("audit at soon").answers(ERROR).says("\"soon\" is not a time");
    work.run("audit at 2026-11-02 --text").answers(YES).prints("v0001 was in production, v0002 was challenger (line 2");
}

#[test]
fn a_clock_that_went_back_is_seen() {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-01-10T00:00:00Z").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-02-10T00:00:00Z").answers(YES);
    work.run("promote --override x --by ann --now 2026-02-11T00:00:00Z").answers(YES);
    work.run("audit verify").answers(YES).json("/clock_went_back", serde_json::json!([]));
    let booted = work.run("train --algorithm decision-tree --now 1970-01-01T00:05:00Z").answers(YES);
    let line = booted.says("the clock went back: this change is dated 56 years before a preceding one").status();
    assert_eq!(line, YES);
    work.run("audit at 2026-01-20").answers(YES).json("/production", "v0001").json("/line", 1);
    let found = work.run("audit verify").answers(YES).json("/whole", true).value()["clock_went_back"].clone();
    let last = work.read("audit.jsonl").lines().count();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["line"]), (1, &last.into()));
    assert_eq!(found[0]["after"], "2026-02-11T00:00:00Z");
    work.run("audit verify --text")
        .answers(YES)
        .prints(&format!("line {last} (1970-01-01 00:05) is dated 56 years before line"));
    work.run("audit at 1980-01-01 --text").answers(NO).prints("The clock of line 4 (1970-01-01 00:05) is behind");
    // The line counts from the one before it: what it says holds for every day since.
    let now = work.run("audit at 2026-02-12 --now 2026-02-12T00:00:00Z").answers(YES).json("/line", last).value();
    assert_eq!((&now["since"], &now["clocks"][0]["line"]), (&"2026-02-11T00:00:00Z".into(), &last.into()));
    let challenger = work.run("status --now 2026-02-12T00:00:00Z").answers(YES).value()["challenger"].clone();
    assert_eq!(now["challenger"], challenger);
}

#[test]
fn every_line_that_is_altered_removed_moved_or_cut_off_is_found() {
    let work = trained();
    let text = work.read("audit.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    let chain = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let broken = |text: &str, line: usize| {
        let damaged = work.copy();
        damaged.write("audit.jsonl", text);
        damaged.run("audit verify").answers(NO).json("/whole", false).json("/line", line as u64);
        damaged.run("audit at 2026-11-03").answers(ERROR).says("are not reliable");
        damaged
    };
    for at in 0..lines.len() {
        let altered = lines[at].replacen("\"seed\":0", "\"seed\":1", 1);
        assert_ne!(altered, lines[at]);
        let mut all = lines.clone();
        all[at] = &altered;
        broken(&chain(&all), at + 1);
        let mut all = lines.clone();
        all.remove(at);
        broken(&chain(&all), at + 1);
        let cut = broken(&chain(&lines[..at]), at + 1);
        cut.run("train --algorithm decision-tree").answers(ERROR).says("audit verify");
        if at > 0 {
            let mut all = lines.clone();
            all.swap(at - 1, at);
            broken(&chain(&all), at);
        }
    }
    let doubled = [lines[0], lines[1], lines[1], lines[2]];
    broken(&chain(&doubled), 3);
    let gone = work.copy();
    std::fs::remove_file(gone.path("audit.jsonl")).unwrap();
    gone.run("audit verify").answers(NO).json("/line", 1);
    let nonsense = work.copy();
    nonsense.write("models/roles.json", work.read("models/roles.json").replace("\"seq\": 3", "\"seq\": 0"));
    nonsense.run("audit verify").answers(NO);
}
