//! `audit replay`: what a loop decided comes out again from its own files.

use crate::support::{CANNOT_TELL, ERROR, Loop, NO, YES};
use serde_json::Value;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// The rows of the fixture from `first` on, under ids of their own, with or without the target.
fn rows(first: usize, n: usize, with_target: bool) -> String {
    let mut lines = CHURN.lines();
    let cut = |line: &str| if with_target { line.to_owned() } else { line.rsplit_once(',').unwrap().0.to_owned() };
    let header = cut(lines.next().unwrap());
    let rows = lines.skip(first).take(n).map(|line| format!("{}\n", cut(line)));
    format!("{header}\n{}", rows.collect::<String>())
}

/// Answers of the sheet that is out, as the fixture knows them.
fn answer(work: &Loop) {
    let truth: std::collections::HashMap<&str, &str> =
        CHURN.lines().skip(1).map(|line| (line.split(',').next().unwrap(), line.rsplit(',').next().unwrap())).collect();
    let text = work.read("label_inbox/to_label.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = header.iter().position(|name| name == "churn").unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).unwrap();
    for record in reader.records() {
        let mut cells: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
        cells[at] = truth[cells[0].as_str()].to_owned();
        writer.write_record(&cells).unwrap();
    }
    work.write("label_inbox/to_label_labeled.csv", writer.into_inner().unwrap());
}

/// A loop that trained, labelled, retrained, judged and promoted, twice.
fn lived() -> Loop {
    let work = Loop::new().table("data/reference.csv", rows(0, 600, true)).table("new.csv", rows(600, 500, false));
    work.run("init data/reference.csv --target churn").answers(YES);
    work.run("train --algorithm decision-tree --seed 3 --now 2026-11-01T00:00:00Z").answers(YES);
    work.run("predict new.csv --log -o scored.csv --now 2026-11-02T00:00:00Z").answers(YES);
    for (day, seed) in [(10, 5), (20, 6)] {
        let now = |hour: u32| format!("--now 2026-11-{day}T{hour:02}:00:00Z --seed {seed}");
        work.run(&format!("label-export -n 120 {}", now(1))).answers(YES);
        answer(&work);
        work.run(&format!("label-import --by lou --annotator lou --accept-batch {}", now(2))).answers(YES);
        work.run(&format!("retrain --set max_depth={} {}", 2 + day / 10, now(3))).answers(YES);
        work.run(&format!("promote {}", now(4)));
        work.run(&format!("promote --override 'the stream changed' --by ann {}", now(5))).answers(YES);
    }
    work
}

/// The lines of the chain of that kind.
fn lines(work: &Loop, kind: &str) -> Vec<u64> {
    let all: Vec<Value> = work.read("audit.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    all.iter().filter(|entry| entry["event"] == kind).map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

#[test]
fn versions_verdicts_and_imports_come_out_again_and_what_differs_or_is_missing_is_named() {
    let work = lived();
    let before = work.files();
    for version in ["v0001", "v0002", "v0003"] {
        let said = work.run(&format!("audit replay {version}")).answers(YES).json("/agrees", true).value();
        let parts: Vec<&str> = said["parts"].as_array().unwrap().iter().map(|p| p["what"].as_str().unwrap()).collect();
        for file in ["model.bin", "pipeline.json", "golden.csv", "profile.json", "metrics on the gate rows"] {
            assert!(parts.contains(&file), "{version}: {parts:?}");
        }
        assert_eq!(parts.contains(&"verdict"), version != "v0001", "{parts:?}");
        assert_eq!(parts.contains(&"added.csv"), version != "v0001", "{parts:?}");
    }
    for kind in ["labels-imported", "gate-verdict"] {
        let of = lines(&work, kind);
        assert_eq!(of.len(), 2, "{kind}");
        for line in of {
            work.run(&format!("audit replay {line}"))
                .answers(YES)
                .json("/agrees", true)
                .json("/missing", serde_json::json!([]));
        }
    }
    let promoted = lines(&work, "promoted")[0];
    let word = work.run(&format!("audit replay {promoted} --text")).answers(CANNOT_TELL);
    word.prints("against the gate, by ann: the stream changed");
    assert_eq!(work.files(), before, "the loop stays as it was");

    work.run("audit replay v0009").answers(ERROR).says("no line of audit.jsonl made v0009");
    work.run("audit replay 99").answers(ERROR).says("no line 99");
    work.run("audit replay two").answers(ERROR).says("neither a version");
    work.run("audit replay 2").answers(ERROR).says("cannot be replayed");

    // The first reference is kept since it was replaced; without it, it is named, and a copy helps.
    let copy = work.copy();
    std::fs::remove_dir_all(copy.path("runs/kept")).unwrap();
    std::fs::remove_file(copy.path("runs/backup/reference.csv")).unwrap();
    let said = copy.run("audit replay v0001").answers(CANNOT_TELL).value();
    let missing = said["missing"].as_array().unwrap();
    assert!(missing.iter().any(|m| m.as_str().unwrap().starts_with("data/reference.csv with SHA-256 ")), "{said}");
    copy.write("elsewhere.csv", rows(0, 600, true));
    copy.run("audit replay v0001 --file elsewhere.csv").answers(YES);

    // A line that says another verdict than follows is found, were the chain made to hold again.
    let forged = work.copy();
    let line = lines(&work, "gate-verdict")[1];
    forged.forge(|entry| {
        if entry["seq"] == line {
            entry["details"]["alpha"] = serde_json::json!(0.01);
        }
    });
    forged.run("audit verify").answers(YES);
    let said = forged.run(&format!("audit replay {line}")).answers(NO).value();
    let part = said["parts"].as_array().unwrap().iter().find(|part| part["agrees"] == false).unwrap();
    assert_eq!((&part["what"], &part["recorded"]), (&"alpha".into(), &0.01.into()));
    forged
        .run(&format!("audit replay {line} --text"))
        .answers(NO)
        .prints("differs  line ")
        .prints("recorded 0.01, now 0.05");
}

#[test]
fn a_version_that_added_no_rows_comes_out_again() {
    let work = Loop::new().table("data/reference.csv", rows(0, 600, true));
    work.run("init data/reference.csv --target churn").answers(YES);
    work.run("train --algorithm decision-tree --seed 3 --now 2026-11-01T00:00:00Z").answers(YES);
    work.run("retrain --force --set max_depth=3 --now 2026-11-02T00:00:00Z").answers(YES);
    work.run("audit replay v0002").answers(YES).json("/agrees", true);
}

/// Rows that do not fit stay out of the versions that are made with `--skip-invalid`, also where rows are added to them.
#[test]
fn a_table_with_a_total_is_retrained_promoted_and_comes_out_again() {
    let total = "Total,,,,,61234.5,998877.5,900,\n";
    let work = Loop::new()
        .table("data/reference.csv", rows(0, 600, true) + total)
        .table("data/current.csv", rows(600, 300, true) + total);
    work.run("init data/reference.csv --target churn --skip-invalid").answers(YES);
    let train = "--algorithm decision-tree --skip-invalid --seed 3 --now 2026-11-01T00:00:00Z";
    work.run("train --now 2026-11-01T00:00:00Z").answers(ERROR).says("--skip-invalid");
    work.run(&format!("train {train}")).answers(YES);
    work.run("retrain --set max_depth=3 --now 2026-11-02T00:00:00Z").answers(ERROR).says("--skip-invalid");
    work.run("retrain --skip-invalid --set max_depth=3 --now 2026-11-02T00:00:00Z")
        .answers(YES)
        .prints("that are not valid rows are left out");
    work.run("promote --skip-invalid --now 2026-11-03T00:00:00Z");
    work.run("promote --skip-invalid --override 'a test' --by ann --now 2026-11-03T01:00:00Z").answers(YES);
    let reference = work.read("data/reference.csv");
    assert_eq!((reference.lines().count(), reference.contains("Total")), (901, false));
    work.run("audit replay v0002").answers(YES).json("/agrees", true);
    work.run("audit verify --deep").answers(YES);
}

/// Whatever the command line set is part of the version, and not of `mlloop.toml`.
#[test]
fn what_the_command_line_set_is_made_again() {
    let work = Loop::new().table("data/reference.csv", rows(0, 600, true));
    work.run("init data/reference.csv --target churn").answers(YES);
    for set in ["split.gate=0.3", "split.tune=0.25", "decision.threshold=0.4", "features.impute=median", "max_depth=2"]
    {
        let trained = work.run(&format!("train --algorithm decision-tree --set {set}")).answers(YES).value();
        let version = trained["version"].as_str().unwrap();
        let said = work.run(&format!("audit replay {version}")).answers(YES).value();
        assert_eq!(said["agrees"], true, "{set}: {said}");
    }
}
