//! What holds for every verb: exit statuses, streams, global options.

mod loops;
mod tables;

use crate::support::{ERROR, Loop, NO, YES};
use assert_cmd::Command;
use std::io::Read;
use std::process::Stdio;

fn rows() -> String {
    let row =
        |n: usize| format!("a{n},{},{},{}\n", 20 + n * 7 % 50, ["basic", "plus"][n % 2], ["no", "yes"][n * 3 % 5 % 2]);
    (0..80).fold("id,age,plan,churn\n".to_owned(), |text, n| text + &row(n))
}

fn tiny() -> Loop {
    Loop::new().table("tiny.csv", rows())
}

#[test]
fn no_verb_shows_the_help_with_the_exit_statuses() {
    let said = Loop::new().run("--help").answers(YES).prints("Exit status:").prints("4  waiting for approval");
    for verb in [
        "init",
        "download",
        "train",
        "predict",
        "serve",
        "features",
        "profile",
        "monitor",
        "label-export",
        "label-import",
        "feedback",
        "retrain",
        "promote",
        "approve",
        "reject",
        "rollback",
        "run",
        "ab-start",
        "ab-status",
        "ab-step",
        "ab-stop",
        "ab-report",
        "report",
        "audit",
        "status",
        "doctor",
        "export",
        "push",
        "pull",
        "demo",
        "completions",
        "man",
    ] {
        assert!(said.stdout.contains(verb), "{verb} is listed");
    }
}

#[test]
fn bad_usage_is_status_2_and_says_what() {
    Loop::new().run("tarin").answers(ERROR).says("unrecognized subcommand 'tarin'").says("train");
    Loop::new().run("train --cv 1").answers(ERROR).says("--cv");
    Loop::new().run("predict --delimiter ab x.csv").answers(ERROR).says("one ASCII character");
    for n in ["0", "-1", "1025", "99999999", "x"] {
        Loop::new().run(&format!("status --threads={n}")).answers(ERROR).says("--threads").says("from 1 to 1024");
    }
    for name in ["*", "a b", "evil.com:99", ".evil.com", "", "https://a.org", "*.a.org"] {
        let said = Loop::new().run(&format!("serve --allow-host '{name}'")).answers(ERROR);
        said.says("--allow-host").says("write a whole name such as shop.example.org");
    }
}

#[test]
fn no_answer_is_written_over_a_file_of_the_loop() {
    let work = tiny();
    work.run("init tiny.csv").answers(YES);
    work.write("audit.jsonl", "");
    let before = work.files();
    for own in ["mlloop.toml", "audit.jsonl", "./MLLOOP.toml", "models/roles.json", "data/labels.csv", "tiny.csv"] {
        for verb in ["status", "doctor", "audit verify"] {
            work.run(&format!("{verb} -o {own}")).answers(ERROR).says("is the loop's own file");
        }
    }
    assert_eq!(work.files(), before);
    work.run("doctor -o reports.json");
    assert!(work.path("reports.json").exists());
}

#[test]
fn init_does_not_replace_what_a_person_may_have_edited() {
    let tiny = tiny();
    tiny.run("init tiny.csv").answers(YES);
    let before = tiny.files();
    tiny.run("init tiny.csv --target plan").answers(ERROR).says("exists; --force replaces it");
    assert_eq!(tiny.files(), before);
    tiny.run("init tiny.csv --target plan --force").answers(YES).json("/target/column", "plan");
}

#[test]
fn quiet_prints_nothing_and_output_goes_to_a_file() {
    let tiny = tiny();
    let said = tiny.run("init tiny.csv -q").answers(YES);
    assert!(said.stdout.is_empty() && said.stderr.is_empty(), "{} {}", said.stdout, said.stderr);
    let said = tiny.run("status -o status.json").answers(NO);
    assert!(said.stdout.is_empty());
    assert!(tiny.read("status.json").contains("\"target\": \"churn\""));
    let said = tiny.run("status -o nowhere/status.json").answers(ERROR).says("there is no directory nowhere");
    assert!(!said.stderr.contains(".mlloop-"), "{}", said.stderr);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mlloop"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(stderr.is_empty(), "{stderr}");
}

#[test]
fn completions_and_man_pages_are_written() {
    Loop::new().run("completions bash").answers(YES).prints("_mlloop");
    Loop::new().run("man").answers(YES).prints(".TH mlloop");
    Loop::new().run("man train").answers(YES).prints("cv");
    let work = Loop::new();
    work.run("man --to pages/man1").answers(YES);
    for page in ["mlloop", "mlloop-train", "mlloop-download"] {
        assert!(work.read(&format!("pages/man1/{page}.1")).contains(&format!(".TH {page}")), "{page}");
    }
    Loop::new().run("man fly").answers(ERROR).says("there is no command \"fly\"");
}

#[test]
fn a_mistake_in_mlloop_toml_is_named_with_its_line() {
    let tiny = tiny();
    tiny.run("init tiny.csv").answers(YES);
    let good = tiny.read("mlloop.toml");
    for (from, to, message) in [
        ("[split]", "[splt]", "unknown key \"splt\": did you mean \"split\"?"),
        ("gate = 0.2", "gate = 1.2", "[split] tune = 0.15 and gate = 1.2"),
        ("column = \"churn\"", "column = \"chrun\"", "[target] column = \"chrun\" is not in [columns]"),
        ("\"age\" = \"number\"", "\"age\" = \"numbr\"", "\"numbr\" is not a kind: did you mean \"number\"?"),
        ("\"age\" = \"number\"", "\"age\" = \"numeric\"", "\"numeric\" is not a kind, use \"number\""),
        ("threshold = \"f1\"", "threshold = f1", ": a text needs quotes: threshold = \"f1\""),
        ("gate = 0.2", "gate = 0,2", ": a number has a decimal point: gate = 0.2"),
        ("gate = 0.2", "gate = \"0.2\"", "expected a number such as 0.15, found the text \"0.2\""),
    ] {
        assert!(good.contains(from), "{from} is in\n{good}");
        tiny.write("mlloop.toml", good.replacen(from, to, 1));
        tiny.run("train").answers(ERROR).says("mlloop.toml: ").says(message);
    }
}

#[test]
fn the_version_is_quick_to_say() {
    Command::new(env!("CARGO_BIN_EXE_mlloop"))
        .arg("--version")
        .assert()
        .success()
        .stdout(predicates::str::contains("0.1.0"));
}

#[test]
fn the_demo_runs_to_its_end_and_leaves_a_loop_that_verifies() {
    let work = Loop::new();
    let said = work.run("demo walk").answers(YES);
    let n_lines = said.stdout.lines().count() + said.stderr.lines().count();
    assert!(n_lines < 120, "{n_lines} lines\n{}", said.stdout);
    for (file, n_fields) in [("data/reference.csv", 11), ("predictions.csv", 10 + 2 + 6)] {
        let (_, head) = said.stdout.split_once(&format!("\n$ head -3 {file}\n")).expect(file);
        let first: Vec<&str> = head.lines().take(3).collect();
        assert!(work.read(&format!("walk/{file}")).starts_with(&first.join("\n")), "{file}: {first:?}");
        assert_eq!(first[0].split(',').count(), n_fields, "{}", first[0]);
    }
    // What is shown of an output is its beginning.
    let (_, shown) = said.stdout.split_once("$ mlloop status --text | head -5\n").unwrap();
    let status = work.run("-C walk status --text").answers(YES).stdout;
    let beginning: Vec<&str> = status.lines().take(5).collect();
    assert_eq!(shown.lines().take(5).collect::<Vec<_>>(), beginning);
    work.run("-C walk audit verify").answers(YES);
    let tables = work.run("demo tables --tables --json").answers(YES);
    assert_eq!((tables.value()["dir"].as_str(), tables.stderr.as_str()), (Some("tables"), ""));
    assert!(work.path("tables/visits.csv").is_file());
    work.run("-C walk status --json").answers(YES).prints("production");
}

#[test]
fn a_demo_is_begun_again_and_nothing_else_is_removed() {
    let work = Loop::new();
    work.run("demo walk --tables").answers(YES);
    let made = work.files();
    work.run("demo walk --tables").answers(ERROR).says("is not empty").says("--reset");
    // What the walk leaves besides is removed, and the tables are the same again.
    for name in ["mlloop.toml", "audit.jsonl", "models/v0001/model.bin", "approvals/x.json", "runs/runs.jsonl"] {
        work.write(&format!("walk/{name}"), "x");
    }
    work.write("walk/runs/jobs/1/log", "of a page");
    work.run("demo walk --tables --reset").answers(YES);
    assert_eq!(work.read("walk/runs/jobs/1/log"), "of a page");
    std::fs::remove_dir_all(work.path("walk/runs")).unwrap();
    assert_eq!(work.files(), made);
    // A file of somebody's own stays; a link under a name of the demo's leads elsewhere.
    work.write("walk/notes.txt", "mine");
    work.run("demo walk --tables --reset").answers(YES);
    assert_eq!(work.read("walk/notes.txt"), "mine");
    std::os::unix::fs::symlink(work.path(""), work.path("walk/models")).unwrap();
    work.run("demo walk --tables --reset").answers(ERROR).says("walk/models: not created by a demo");
    std::fs::remove_file(work.path("walk/models")).unwrap();
    // A directory that is no demo's is left alone; an empty one, and one that is not there, are filled.
    work.write("loop/mlloop.toml", "mine");
    work.run("demo loop --tables --reset").answers(ERROR).says("not the directory of a demo; nothing was removed");
    assert_eq!(work.read("loop/mlloop.toml"), "mine");
    std::fs::create_dir(work.path("empty")).unwrap();
    for dir in ["empty", "new"] {
        work.run(&format!("demo {dir} --tables --reset")).answers(YES);
        assert!(work.path(dir).join("visits.csv").is_file());
    }
}

#[test]
fn settings_count_for_one_command_and_are_kept_with_what_they_made() {
    let work = Loop::new().table("churn.csv", include_str!("../fixtures/tables/churn.csv"));
    work.run("init churn.csv").answers(YES);
    let toml = work.read("mlloop.toml");
    work.run_with("train --set n_estimators=7", &[("MLLOOP_SPLIT_GATE", "0.3")]).answers(YES);
    assert_eq!(work.read("mlloop.toml"), toml);
    let manifest: serde_json::Value = serde_json::from_str(&work.read("models/v0001/manifest.json")).unwrap();
    let notes = manifest["notes"].to_string();
    for note in ["set: model.n_estimators = 7, by --set", "set: split.gate = 0.3, by MLLOOP_SPLIT_GATE"] {
        assert!(notes.contains(note), "{notes}");
    }
    let gate = manifest["rows"]["gate"].as_u64().unwrap();
    assert!((300..420).contains(&gate), "30 % of 1200 rows: {gate}");
    // The command line goes before the environment, and what is wrong names its place.
    let fired = |said: crate::support::Said| said.value()["retrain"]["triggers"][0]["threshold"].clone();
    let variable = [("MLLOOP_MONITOR_TRIGGERS_NEW_ROWS", "20")];
    assert_eq!(fired(work.run_with("status", &variable)), 20.0);
    assert_eq!(fired(work.run_with("status --set monitor.triggers.new_rows=30", &variable)), 30.0);
    // What counts is noted once, and what it went before is not.
    work.run_with("train --set split.gate=0.25", &[("MLLOOP_SPLIT_GATE", "0.3")]).answers(YES);
    let manifest: serde_json::Value = serde_json::from_str(&work.read("models/v0002/manifest.json")).unwrap();
    let notes = manifest["notes"].to_string();
    assert_eq!(notes.matches("set: split.gate").count(), 1, "{notes}");
    assert!(notes.contains("set: split.gate = 0.25, by --set"), "{notes}");
    for (line, says) in [
        ("status --set monitor.triggers.newrows=3", "did you mean \"new_rows\"?"),
        ("status --set promote.alpha=2", "--set promote.alpha=2: [promote] alpha = 2 must be above 0 and below 0.5"),
        ("status --set retrain.approval=maybe", "--set retrain.approval=maybe: "),
        ("status --set labels.auto_export=0", "[labels] auto_export = 0 must be a whole number"),
        ("status --set promote.notice=30d", "must be shorter than approval_days = 7"),
        ("status --set promote.notice=soon", "\"soon\" is not a length of time"),
    ] {
        work.run(line).answers(ERROR).says(says);
    }
    work.run_with("status", &[("MLLOOP_PROMOTE_ALPHA", "x")]).answers(ERROR).says("MLLOOP_PROMOTE_ALPHA");
}

#[test]
fn doctor_looks_at_each_part_by_itself() {
    let state = |said: &crate::support::Said, part: &str| {
        let answer: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let checks = answer["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check["part"] == part).unwrap();
        (found["state"].as_str().unwrap().to_owned(), found["told"].as_str().unwrap().to_owned())
    };
    let work = Loop::new().table("churn.csv", include_str!("../fixtures/tables/churn.csv"));
    work.run("doctor").answers(ERROR).says("no loop here");
    work.run("init churn.csv").answers(YES);
    assert_eq!(state(&work.run("doctor").answers(YES), "production").0, "missing");
    work.run("train").answers(YES);
    let said = work.run("doctor").answers(YES);
    let (found, told) = state(&said, "production");
    assert_eq!(found, "good");
    assert!(told.contains("1200 rows, 7 features, 2 classes"), "{told}");
    assert_eq!(state(&said, "versions").1, "1 stored, all manifests are readable");
    work.run("doctor --text").answers(YES).prints("\u{2713} production").prints("\u{2192} choose rows to label");
    // What the audit chain recorded is what there has to be.
    let cut = work.copy();
    cut.write("churn.csv", "");
    let (found, told) = state(&cut.run("doctor").answers(crate::support::NO), "reference");
    assert!(found == "bad" && told.contains("churn.csv was changed after line 1 (trained)"), "{told}");
    work.write("models/v0001/model.bin", "damaged");
    work.write("data/labels.csv", "no,labels\n1,2\n");
    let before = work.files();
    let said = work.run("doctor").answers(crate::support::NO);
    let (found, told) = state(&said, "production");
    assert!(found == "bad" && told.contains("model.bin"), "{told}");
    assert_eq!(state(&said, "labels").0, "bad");
    for part in ["settings", "reference", "versions", "audit chain", "feedback", "approvals", "backups"] {
        assert_eq!(state(&said, part).0, "good", "{part}");
    }
    assert_eq!(work.files(), before, "nothing is changed");
}

#[test]
fn names_of_versions_batches_and_requests_that_are_near_are_offered() {
    let work = tiny();
    work.run("init tiny.csv --target churn").answers(YES);
    work.run("train --set n_estimators=5").answers(YES);
    work.run("predict tiny.csv --model v0011").answers(ERROR).says("did you mean \"v0001\"? Choose from v0001");
    work.run("label-import --close b-1").answers(ERROR).says("is not an open batch; there is none");
    work.run("approve v0009 --by ann").answers(ERROR).says("; pending: none");
}
