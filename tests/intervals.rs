//! `predict --interval`: what is added to rows, what is refused, and what `monitor` says of coverage.

use crate::support::{ERROR, Loop, YES, noise};

/// Rows whose error grows with `a`; `shift` moves what came of them.
fn rows(range: std::ops::Range<u32>, shift: f64) -> String {
    let mut text = "id,a,b,y\n".to_owned();
    for row in range {
        let (a, b) = (noise(row, 1), noise(row, 2));
        let y = 3.0 * a + (6.0 * b).sin() + (0.2 + a) * (noise(row, 3) + noise(row, 4) - 1.0) * (1.0 + shift) + shift;
        text += &format!("r{row},{a:.4},{b:.4},{y:.4}\n");
    }
    text
}

fn trained() -> Loop {
    let work = Loop::new().table("data/reference.csv", rows(0..500, 0.0));
    work.run("init data/reference.csv").answers(YES);
    let toml = work.read("mlloop.toml").replace("\n[decision]", "\nn_estimators = 40\nlearning_rate = 0.2\n[decision]");
    work.write("mlloop.toml", toml);
    work
}

#[test]
fn intervals_are_added_measured_and_watched() {
    let work = trained();
    let answer = work.run("train").answers(YES).value();
    let coverage = answer["intervals"].as_array().unwrap();
    assert_eq!(coverage.iter().map(|c| c["level"].as_f64().unwrap()).collect::<Vec<_>>(), [0.8, 0.9, 0.95]);
    let held = coverage[1]["held"].as_f64().unwrap();
    assert!((0.75..=1.0).contains(&held), "{held}");
    work.run("train --text").answers(YES).prints("90 % intervals cover");
    work.write("new.csv", rows(500..800, 0.0));
    let said = work.run("predict new.csv --interval .9 --explain 1").answers(YES);
    let mut reader = csv::Reader::from_reader(said.stdout.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header[4..], ["prediction", "lower", "upper", "reason_1", "contribution_1"]);
    let mut n_held = 0;
    for record in reader.records() {
        let record = record.unwrap();
        let cell = |at: usize| record[at].parse::<f64>().unwrap();
        assert!(cell(5) < cell(4) && cell(4) < cell(6), "{record:?}");
        n_held += usize::from((cell(5)..=cell(6)).contains(&cell(3)));
    }
    assert!((245..=295).contains(&n_held), "{n_held} of 300");
    let lines = work.run("predict new.csv --interval .5 --format jsonl --columns id,lower,upper").answers(YES).stdout;
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert!(first["lower"].as_f64().unwrap() < first["upper"].as_f64().unwrap(), "{first}");
    work.run("predict new.csv --interval 0.9999").answers(ERROR).says("too few for the level 0.9999");
    work.run("predict new.csv --interval 90").answers(ERROR).says("must be a share between 0 and 1");
    // What came later fits, then it does not.
    let finding = |shift: f64| {
        work.write("data/current.csv", rows(1000..1300, shift));
        let report = work.run("monitor").value();
        let findings = report["findings"].as_array().unwrap().clone();
        findings.iter().find(|f| f["kind"] == "coverage").map(|f| f["text"].as_str().unwrap().to_owned())
    };
    assert_eq!(finding(0.0), None);
    let text = finding(1.0).unwrap();
    assert!(
        text.starts_with("90 % intervals contain the true value of only") && text.contains("of 300 labelled rows"),
        "{text}"
    );
}

#[test]
fn sets_name_likely_classes() {
    let work = Loop::new().table("churn.csv", include_str!("../fixtures/tables/churn.csv"));
    work.run("init churn.csv").answers(YES);
    work.run("train --quality fast").answers(YES);
    let said = work.run("predict churn.csv --interval 0.9 --columns churn,score,set").answers(YES).stdout;
    let mut counts = std::collections::BTreeMap::new();
    let mut n_held = 0;
    for line in said.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        *counts.entry(cells[2].to_owned()).or_insert(0) += 1;
        n_held += usize::from(cells[2].split('|').any(|class| class == cells[0]));
    }
    assert!(counts.contains_key("no") && counts.contains_key("no|yes"), "{counts:?}");
    assert!(n_held * 100 > 85 * 1200, "{n_held}");
}

#[test]
fn a_version_without_intervals_says_why() {
    let work = trained();
    work.write("data/reference.csv", rows(0..100, 0.0));
    work.run("train").answers(YES);
    let said = work.run("predict data/reference.csv --interval 0.9").answers(ERROR).says("no prediction intervals");
    assert_eq!(said.stderr.trim_end().lines().count(), 1, "{}", said.stderr);
    // A version from before there were any.
    let work = trained();
    work.run("train").answers(YES);
    std::fs::remove_file(work.path("models/v0001/intervals.json")).unwrap();
    let said = work.run("predict data/reference.csv --interval 0.9").answers(ERROR);
    assert!(said.stderr.contains("intervals.json") || said.stderr.contains("train again"), "{}", said.stderr);
}
