//! What holds for every verb: exit statuses, streams, global options.

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
fn a_directory_without_a_loop_says_what_to_do() {
    let verbs = [
        "train",
        "status",
        "monitor",
        "label-export",
        "label-import",
        "retrain",
        "promote",
        "rollback",
        "run",
        "ab-report",
        "serve",
    ];
    for verb in verbs {
        let empty = Loop::new();
        empty.run(verb).answers(ERROR).says("no loop here: run `mlloop init TABLE` first");
        assert!(empty.files().is_empty(), "{verb} leaves nothing behind");
    }
}

#[test]
fn another_directory_is_chosen_by_capital_c() {
    let tiny = tiny();
    std::fs::create_dir(tiny.path("loops")).unwrap();
    tiny.run("-C loops init tiny.csv").answers(YES);
    assert!(tiny.read("loops/mlloop.toml").contains("reference = \"../tiny.csv\""));
    tiny.run("-C loops status").answers(NO).json("/target", "churn");
    tiny.run("-C loops status --exit-zero").answers(YES);
    tiny.run("-C nowhere status").answers(ERROR);
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
fn a_table_that_cannot_be_read_is_one_line_and_changes_nothing() {
    let work = Loop::new().table("empty.csv", "").table("header.csv", "a,b\n").table("twice.csv", "a,a\n1,2\n");
    let before = work.files();
    for (table, message) in [
        ("absent.csv", "mlloop: absent.csv: No such file or directory (os error 2)\n"),
        ("empty.csv", "mlloop: empty.csv: is empty\n"),
        ("header.csv", "mlloop: header.csv: has a header but no rows\n"),
        (
            "twice.csv",
            "mlloop: twice.csv: line 1: the header has the name \"a\" 2 times, in fields 1, 2: name each anew\n",
        ),
    ] {
        let said = work.run(&format!("-C new init {table}")).answers(ERROR);
        assert_eq!(said.stderr, message);
    }
    assert_eq!(work.files(), before);
    assert!(!work.path("new").exists());
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
fn several_loops_are_one_table_and_one_status() {
    let work = Loop::new();
    for dir in ["a", "b", "c"] {
        work.write(&format!("loops/{dir}/churn.csv"), include_str!("../fixtures/tables/churn.csv"));
    }
    for dir in ["a", "b"] {
        work.run(&format!("-C loops/{dir} init loops/{dir}/churn.csv")).answers(YES);
    }
    work.run("-C 'loops/*' status").answers(crate::support::NO).json("/0/exit_status", 1).json("/1/exit_status", 1);
    work.run("-C loops/a train --algorithm decision-tree").answers(YES);
    let said = work.run("-C 'loops/*' status").answers(YES).json("/0/answer/production", "v0001").value();
    assert_eq!(said.as_array().unwrap().len(), 2, "c is no loop");
    let text = work.run("-C 'loops/*' status --text").answers(YES).stdout;
    assert_eq!(text, "loops/a  yes          production v0001\nloops/b  no           no version yet\n");
    // Patterns are those of a shell; what follows the verb goes to each loop.
    let one = work.run("-C 'loops/[ac]*' status").answers(YES).value();
    assert_eq!(one.as_array().unwrap().len(), 1, "{one}");
    work.run("-C 'l*s/?' status").answers(YES);
    // A loop that failed is in the table beside the others, so stdout is not empty.
    let said = work.run("-C 'loops/*' run --exit-zero").json("/0/exit_status", 0).json("/1/exit_status", 2);
    assert_eq!(said.status(), ERROR);
    let report = work.run("-C 'loops/*' report --json").value();
    assert!(report[0]["answer"].is_object(), "{report}");
    let text = work.run("-C 'loops/*' report --text").stdout;
    assert!(text.starts_with("loops/a  yes          production v0001\n"), "{text}");
    // In a pipe it is a page for people, as of one loop.
    let page = work.run("-C 'loops/*' report").stdout;
    assert!(page.starts_with("| loop | answer | |\n|---|---|---|\n| loops/a | yes | production v0001 |\n"), "{page}");
    assert_eq!(page.matches("\n## ").count(), 2, "{page}");
    // One that is damaged fails alone, and the whole says so.
    work.write("loops/b/mlloop.toml", "nonsense");
    let said = work.run("-C 'loops/*' status --text");
    assert_eq!(said.status(), ERROR);
    let said = said.stdout;
    assert!(said.contains("loops/a  yes") && said.contains("loops/b  failed"), "{said}");
    work.run("-C 'loops/*' train").answers(ERROR).says("status, run and report work on several");
    work.run("-C 'none/*' status").answers(ERROR).says("no matching directory has a mlloop.toml");
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

/// Rows that stand several times under other ids: both sides have copies of each other's rows, which is no drift.
#[test]
fn a_split_by_hash_of_a_table_with_copies_is_calm() {
    let mut lines = include_str!("../fixtures/tables/churn.csv").lines();
    let header = lines.next().unwrap();
    let copies = lines.take(300).enumerate().flat_map(|(row, line)| {
        let cells = line.split_once(',').unwrap().1;
        (0..4).map(move |copy| format!("{row}-{copy},{cells}\n"))
    });
    let work = Loop::new().table("churn.csv", format!("{header}\n{}", copies.collect::<String>()));
    work.run("split churn.csv --how hash --by customer --reference 0.5").answers(YES);
    let report = work.run("monitor --reference data/reference.csv data/current.csv --multivariate").value();
    let found = &report["multivariate"];
    assert_eq!(found["drifted"], false, "{found}");
    assert!((found["roc_auc"].as_f64().unwrap() - 0.5).abs() < 0.05, "{found}");
    assert_eq!(report["verdict"]["retrain"], "no", "{}", report["verdict"]);
}

#[test]
fn outcomes_that_production_does_not_know_are_none_and_are_named() {
    let table = include_str!("../fixtures/tables/churn.csv");
    let work = Loop::new().table("churn.csv", table);
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    let mut text = format!("{}\n", table.lines().next().unwrap());
    for (row, line) in table.lines().skip(1).enumerate() {
        let (rest, truth) = line.rsplit_once(',').unwrap();
        let truth = if row % 10 == 4 { "maybe" } else { truth };
        text.push_str(&format!("N{rest},{truth}\n"));
    }
    work.write("new.csv", text);
    let report = work.run("monitor new.csv").answers(YES).value();
    assert_eq!(report["performance"]["n"], 1080);
    assert!(report.to_string().contains("120 outcomes are unknown to production"), "{report}");
}

#[test]
fn split_cuts_a_table_that_is_here() {
    let table = include_str!("../fixtures/tables/churn.csv");
    let work = Loop::new().table("churn.csv", table);
    let line = "split churn.csv --how hash --by customer --reference 0.8";
    work.run(line).answers(YES);
    let rows = |name: &str| work.read(name).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let (reference, current) = (rows("data/reference.csv"), rows("data/current.csv"));
    assert_eq!(reference.len() + current.len(), 1200);
    assert!((0.75..0.85).contains(&(reference.len() as f64 / 1200.0)), "{}", reference.len());
    let all: std::collections::BTreeSet<&str> = table.lines().skip(1).collect();
    let both: std::collections::BTreeSet<&str> = reference.iter().chain(&current).map(String::as_str).collect();
    assert_eq!(both, all, "every row is on one side, as it was");
    work.run(line).answers(crate::support::NO);
    // Other shares would replace the files: only when that is asked for.
    let before = work.files();
    work.run("split churn.csv --how hash --by customer --reference 0.5").answers(ERROR).says("--force");
    assert_eq!(work.files(), before);
    work.run("split churn.csv --how hash --by customer --reference 0.5 --force").answers(YES);
    assert!((500..700).contains(&rows("data/reference.csv").len()));
    // By a number that counts time: the earliest rows are the reference.
    let work = Loop::new().table(
        "t.csv",
        (0..100)
            .map(|n| format!("{},{}\n", (n * 37) % 100, n % 7))
            .fold("step,x\n".to_owned(), |all, line| all + &line),
    );
    work.run("split t.csv --by step --reference 0.6").answers(YES);
    let steps = |name: &str| -> Vec<u32> {
        work.read(name).lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(steps("data/reference.csv").len(), 60);
    assert!(steps("data/reference.csv").iter().max() < steps("data/current.csv").iter().min());
    for (line, says) in [
        ("split nothing.csv", "nothing.csv"),
        ("split t.csv --by stp --force", "stp"),
        ("split t.csv --how hash --by x --reference 1.5 --force", "--reference must be a share between 0 and 1"),
    ] {
        work.run(line).answers(ERROR).says(says);
    }
}

#[test]
fn a_loop_is_found_from_its_subdirectories_but_init_makes_one_where_it_is_called() {
    let work = tiny();
    work.run("init tiny.csv").answers(YES);
    std::fs::create_dir_all(work.path("data/deep")).unwrap();
    let status = |dir: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlloop"));
        command
            .args(["status", "--json", "--now", "2026-11-28T00:00:00Z"])
            .current_dir(work.path(dir))
            .output()
            .unwrap()
    };
    let (above, below) = (status("."), status("data/deep"));
    assert_eq!((above.status.code(), &above.stdout), (below.status.code(), &below.stdout));
    work.write("data/deep/other.csv", rows());
    let mut init = Command::new(env!("CARGO_BIN_EXE_mlloop"));
    init.args(["init", "other.csv"]).current_dir(work.path("data/deep")).assert().success();
    assert!(work.path("data/deep/mlloop.toml").is_file());
}

/// The fixture as some programs write it: spaces before quotes, and a comma inside of them.
fn spaced() -> Loop {
    Loop::new()
        .table("churn.csv", include_str!("../fixtures/tables/churn.csv").replace(",two years,", ", \"two, years\","))
}

#[test]
fn a_quote_after_a_space_is_read_alike_by_every_verb() {
    let work = spaced();
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    let said = work.run("predict churn.csv --columns customer,months,contract").answers(YES).stdout;
    let line = |text: &str| said.lines().find(|line| line.starts_with(text)).unwrap().to_owned();
    assert_eq!(line("0010005,"), "0010005,23, \"two, years\"");
    work.run("predict churn.csv --log -o scored.csv --now 2026-11-02T00:00:00Z").answers(YES);
    let now = "--now 2026-11-03T00:00:00Z";
    let answers = work.run("predict churn.csv --columns customer,prediction").answers(YES).stdout;
    let wrong = |line: &str| {
        let (id, predicted) = line.split_once(',').unwrap();
        format!("{id},incorrect,{}\n", if predicted == "yes" { "no" } else { "yes" })
    };
    let rows: String = answers.lines().skip(1).step_by(5).map(wrong).collect();
    work.pipe(&format!("feedback - --by ann {now}"), format!("id,verdict,actual\n{rows}")).answers(YES);
    work.run(&format!("retrain {now}")).answers(YES).json("/done", "retrained");
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

/// A person who runs a verb over many tables sees which one is meant.
#[test]
fn every_error_about_a_table_names_its_file() {
    let row = |n: usize| {
        let (age, churn) = (20 + n * 7 % 50, if n * 7 % 50 > 25 || n.is_multiple_of(11) { "yes" } else { "no" });
        format!("a{n},{age},{},{churn}\n", ["basic", "plus"][n % 2])
    };
    let rows = || (0..500).fold("id,age,plan,churn\n".to_owned(), |text, n| text + &row(n));
    let work = Loop::new().table("tiny.csv", rows());
    work.run("init tiny.csv --target churn").answers(YES);
    work.run("train --set n_estimators=5").answers(YES).json("/role", "production");
    work.write("empty.csv", "");
    work.write("header.csv", "id,age,plan,churn\n");
    work.write("text.csv", rows().replacen(",27,", ",many,", 1));
    work.write("other.csv", rows().replace("id,age,plan,churn", "key,years,paln,chrun"));
    work.write(
        "ab.csv",
        "unit,arm,y,note\n".to_owned()
            + &(0..40).map(|i| format!("u{i},{},{},x{i}\n", ["A", "B"][i % 2], i % 3)).collect::<String>(),
    );
    let files = ["empty.csv", "header.csv", "text.csv", "other.csv", "ab.csv"];
    let mut lines: Vec<String> = Vec::new();
    let verbs =
        ["init FILE --target chum --force", "init FILE --ignore agee --force", "init FILE --kind agee=number --force"];
    let verbs =
        verbs.into_iter().chain(["predict FILE", "monitor FILE", "monitor tiny.csv --reference FILE", "simulate FILE"]);
    let verbs = verbs.chain([
        "train --test FILE",
        "label-import FILE",
        "feedback FILE",
        "monitor tiny.csv --labels FILE",
        "profile FILE",
    ]);
    for verb in verbs {
        lines.extend(files.map(|file| verb.replace("FILE", file)));
    }
    for columns in
        ["--arm amr --outcome y", "--arm arm --outcome yy", "--arm arm --outcome y/n", "--arm arm --outcome note"]
    {
        lines.push(format!("ab-report ab.csv {columns}"));
    }
    for columns in ["--unit zz", "--time zz", "--strata zz", "--pre zz", "--time note", "--n zz", "--arms A,C"] {
        lines.push(format!("ab-report ab.csv --arm arm --outcome y {columns}"));
    }
    let mut nameless = Vec::new();
    for line in lines {
        let (said, file) =
            (work.run(&line), line.split([' ', '=']).find(|word| word.ends_with(".csv") && *word != "tiny.csv"));
        if said.status() == ERROR && !said.stderr.contains(file.unwrap()) {
            nameless.push(format!("{line}: {}", said.stderr));
        }
    }
    assert!(nameless.is_empty(), "{}", nameless.join(""));
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
