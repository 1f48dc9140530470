//! What drives a loop from outside: the scripts are run as cron would, the action's steps as GitHub would.

mod checkers;
mod examples;

use crate::download::{CHURN, zip};
use crate::mock::{Mock, Reply, stored};
use crate::skipped::skipped;
use crate::support::{ERROR, Loop, NO, YES};
use std::path::{Path, PathBuf};
use std::process::Command;

const MLLOOP: &str = env!("CARGO_BIN_EXE_mlloop");

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Status, standard output and standard error.
fn bash(work: &Loop, script: &Path, args: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let output = Command::new("bash")
        .arg(script)
        .args(args)
        .current_dir(work.path(""))
        .env("MLLOOP", MLLOOP)
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// A loop with a version in production, and rows that arrived since; triggers as they are set by default.
fn trained() -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    work
}

#[test]
fn training_goes_from_a_table_to_a_page() {
    let work = Loop::new().table("churn.csv", CHURN);
    let script = root("scripts/run_training.sh");
    let (status, out, err) = bash(&work, &script, &["churn.csv", "loop", "--target", "churn"], &[]);
    assert_eq!(status, 0, "{out}{err}");
    assert!(out.contains("v0001 is production") && out.contains("loop/training.md"), "{out}");
    assert!(work.read("loop/training.md").contains("| version | v0001 |"));
    let (status, out, _) = bash(&work, &script, &["churn.csv", "loop"], &[]);
    assert_eq!(status, 0);
    assert!(out.contains("v0002 is challenger"), "{out}");
    assert_eq!(bash(&work, &script, &["churn.csv", "loop", "--target", "months"], &[]).0, 2);
    assert_eq!(bash(&work, &script, &["absent.csv", "other"], &[]).0, 2);
}

#[test]
fn the_public_tables_become_reference_and_current() {
    let telco = format!(
        "customerID,tenure,Churn\n{}",
        (0..400).map(|i| format!("c{i},{},{}\n", i % 72, ["No", "Yes"][i % 3 / 2])).collect::<String>()
    );
    let fraud = format!(
        "Time,V1,Class\n{}",
        (0..400).map(|i| format!("{i},{},{}\n", i * 7 % 31, usize::from(i % 9 == 0))).collect::<String>()
    );
    let paysim = format!(
        "step,amount,isFraud,isFlaggedFraud\n{}",
        (0..400).map(|i| format!("{},{},{},0\n", i / 10, i * 37 % 911, usize::from(i % 8 == 0))).collect::<String>()
    );
    let sets =
        [("blastchar", "WA_Fn.csv", telco), ("mlg-ulb", "creditcard.csv", fraud), ("ealaxi", "PS_log.csv", paysim)];
    let archives: Vec<(&str, Vec<u8>)> =
        sets.iter().map(|(owner, name, text)| (*owner, zip(&[(*name, text.as_bytes(), 0)]))).collect();
    let mock = Mock::start(move |asked, _| match archives.iter().find(|(owner, _)| asked.body.contains(owner)) {
        Some((owner, archive)) => stored(asked, archive, &format!("\"{owner}\"")),
        None => Reply::new(404, ""),
    });
    let (work, api) = (Loop::new(), mock.url("localhost", "/v1"));
    let script = root("scripts/download_data.sh");
    for (name, n_reference, target) in [("telco", 280, "Churn"), ("fraud", 280, "Class"), ("paysim", 320, "isFraud")] {
        let (status, out, err) =
            bash(&work, &script, &[name, name], &[("MLLOOP_KAGGLE_API", &api), ("KAGGLE_API_TOKEN", "t")]);
        assert_eq!(status, 0, "{name}: {out}{err}");
        let n = work.read(&format!("{name}/data/reference.csv")).lines().count() - 1;
        assert!(n.abs_diff(n_reference) < 25, "{name}: {n} rows");
        assert!(work.read(&format!("{name}/mlloop.toml")).contains(&format!("[target]\ncolumn = \"{target}\"")));
        // Again: nothing is new, and that is fine.
        assert_eq!(bash(&work, &script, &[name, name], &[("MLLOOP_KAGGLE_API", &api), ("KAGGLE_API_TOKEN", "t")]).0, 0);
    }
    let (status, _, err) = bash(&work, &script, &["iris"], &[]);
    assert_eq!(status, 2);
    assert!(err.contains("download_data.sh telco|fraud|paysim"), "{err}");
}

#[test]
fn a_round_by_cron_is_quiet_logged_and_one_at_a_time() {
    let work = trained();
    work.write("data/current.csv", CHURN.replace(",monthly,", ",weekly,"));
    let script = root("scripts/retrain.sh");
    let dir = work.path("").display().to_string();
    let (status, out, err) = bash(&work, &script, &[&dir], &[]);
    assert!([0, 1, 3].contains(&status), "{status} {out}{err}");
    assert!(out.is_empty() && err.is_empty(), "cron would send a mail: {out}{err}");
    let log = std::fs::read_dir(work.path("runs")).unwrap().map(|entry| entry.unwrap().path());
    let log = log.filter(|path| path.extension().is_some_and(|ending| ending == "log")).collect::<Vec<_>>();
    let log = std::fs::read_to_string(&log[0]).unwrap();
    assert!(log.contains(&format!("status {status}")) && log.contains("production: v0001\n"), "{log}");
    let held = std::fs::File::create(work.path("runs/.retrain-lock")).unwrap();
    held.lock().unwrap();
    let before = work.read("runs/runs.jsonl");
    assert_eq!(bash(&work, &script, &[&dir, "-q"], &[]).0, 1);
    assert_eq!(work.read("runs/runs.jsonl"), before);
}

#[test]
fn a_failure_is_told_once_and_so_is_its_end() {
    let work = trained();
    work.write("data/current.csv", CHURN);
    let (script, dir) = (root("scripts/retrain.sh"), work.path("").display().to_string());
    let told = work.path("told").display().to_string();
    let notify = format!("cat >> {told}");
    let run = |binary: &str| bash(&work, &script, &[&dir, "-q"], &[("MLLOOP_NOTIFY", &notify), ("MLLOOP", binary)]).0;
    assert_eq!(run("/nonexistent/mlloop"), 127);
    assert_eq!(run("/nonexistent/mlloop"), 127);
    assert_eq!(work.read("told").matches("fails (status 127)").count(), 1, "{}", work.read("told"));
    assert!(work.read("told").contains("/nonexistent/mlloop"), "the last lines of the log are in it");
    assert!([0, 1, 3].contains(&run(MLLOOP)));
    assert_eq!(work.read("told").matches("works again").count(), 1);
    let (status, _, err) = bash(&work, &script, &["/nonexistent"], &[]);
    assert_eq!((status, err.contains("does not exist")), (2, true));
    // A source that is gone is a failure too, and what was there stays.
    let (status, _, err) = bash(&work, &script, &[&dir], &[("MLLOOP_SOURCE", "absent.csv")]);
    assert_eq!((status, err.matches("fails (status 2)").count()), (2, 1), "{err}");
    assert_eq!(work.read("data/current.csv"), CHURN);
}

/// Runs a step of the action with the files that GitHub gives it.
fn step(work: &Loop, name: &str, variables: &[(&str, &str)]) -> (i32, String, String) {
    let temp = work.path("gh");
    std::fs::create_dir_all(&temp).unwrap();
    let file = |name: &str| temp.join(name).display().to_string();
    let bin = Path::new(MLLOOP).parent().unwrap().display().to_string();
    let path = format!("{}:{bin}:{}", file("bin"), std::env::var("PATH").unwrap());
    let files = [
        ("RUNNER_TEMP", temp.display().to_string()),
        ("GITHUB_OUTPUT", file("output")),
        ("GITHUB_STEP_SUMMARY", file("summary")),
        ("GITHUB_PATH", file("path")),
        ("PATH", path),
    ];
    let all: Vec<(&str, &str)> = files.iter().map(|(k, v)| (*k, v.as_str())).chain(variables.iter().copied()).collect();
    bash(work, &root(&format!(".github/actions/mlloop/{name}.sh")), &[], &all)
}

pub fn has(command: &str) -> bool {
    let there = Command::new(command).arg("--version").output().is_ok();
    if !there {
        skipped(format_args!("there is no {command}"));
    }
    there
}

#[test]
fn the_action_trains_looks_retrains_and_says_so() {
    if !has("jq") {
        return;
    }
    let work = Loop::new().table("loop/churn.csv", CHURN).table("loop/data/current.csv", CHURN);
    work.run("-C loop init loop/churn.csv").answers(YES);
    let (status, out, err) = step(&work, "install", &[]);
    assert_eq!(status, 0, "{out}{err}");
    assert!(out.contains("mlloop 0.1.0"));
    let (status, out, err) = step(&work, "loop", &[("LOOP_DIRECTORY", "loop")]);
    assert_eq!(status, 0, "{out}{err}");
    assert!(out.contains("v0001 is production"), "{out}");
    let outputs = work.read("gh/output");
    assert!(outputs.contains("production=v0001\n") && outputs.contains("challenger=\n"), "{outputs}");
    let summary = work.read("gh/summary");
    assert!(summary.contains("### Drift") && summary.contains("| version | v0001 |"), "{summary}");
    assert_eq!(work.read("gh/mlloop-report.md"), summary);
    // Rows that changed are a reason; the answer is an output and never a failure.
    work.write("loop/data/current.csv", CHURN.replace(",monthly,", ",weekly,"));
    let (status, out, err) = step(&work, "loop", &[("LOOP_DIRECTORY", "loop"), ("LOOP_RETRAIN", "true")]);
    assert_eq!(status, 0, "{out}{err}");
    assert!(work.read("gh/output").contains("answer=yes\n"), "{}", work.read("gh/output"));
    // The table that the caller names reaches the round: data/current.csv itself gives no reason.
    work.write("loop/data/current.csv", CHURN);
    work.write("new.csv", CHURN.replace(",monthly,", ",weekly,"));
    let named = [("LOOP_DIRECTORY", "loop"), ("LOOP_RETRAIN", "true"), ("LOOP_CURRENT", "new.csv")];
    let (status, out, err) = step(&work, "loop", &named);
    assert_eq!(status, 0, "{out}{err}");
    let found: serde_json::Value = serde_json::from_str(&work.read("loop/reports/drift_report.json")).unwrap();
    assert!(found["current"]["name"].as_str().unwrap().ends_with("new.csv"), "{}", found["current"]);
    assert!(work.read("loop/runs/runs.jsonl").matches("\"verb\":\"run\"").count() >= 2);
    // An error is one.
    let (status, out, _) = step(&work, "loop", &[("LOOP_DIRECTORY", "nowhere")]);
    assert_eq!(status, 1);
    assert!(out.contains("::error title=mlloop::nowhere is no loop"), "{out}");
    let (status, out, _) = step(&work, "loop", &[("LOOP_DIRECTORY", "loop"), ("LOOP_CURRENT", "absent.csv")]);
    assert_eq!(status, 1);
    assert!(out.contains("ended with status 2"), "{out}");
}

#[test]
fn the_binary_is_fetched_and_checked() {
    if !has("curl") {
        return;
    }
    let script = b"#!/bin/sh\necho mlloop 9.9.9\n";
    let mock = Mock::start(move |asked, _| stored(asked, script, "\"v1\""));
    let (work, url) = (Loop::new(), mock.url("127.0.0.1", "/mlloop"));
    let digest = crate::download::sha256(script);
    let (status, out, err) =
        step(&work, "install", &[("MLLOOP_URL", &url), ("MLLOOP_SHA256", &digest), ("NO_PROXY", "127.0.0.1")]);
    assert_eq!(status, 0, "{out}{err}");
    assert!(out.contains("9.9.9") && work.read("gh/path").contains("mlloop-bin"), "{out}");
    let wrong = "0".repeat(64);
    assert_ne!(
        step(&work, "install", &[("MLLOOP_URL", &url), ("MLLOOP_SHA256", &wrong), ("NO_PROXY", "127.0.0.1")]).0,
        0
    );
    assert_ne!(step(&work, "install", &[("MLLOOP_URL", &url)]).0, 0);
}

#[test]
fn the_comment_is_written_once_and_then_updated() {
    use std::os::unix::fs::PermissionsExt;
    let work = Loop::new().table("report.md", "## churn: what was found\n");
    // A stand-in for gh that remembers what it was asked, and knows of a comment when it is told one.
    let gh = "#!/bin/bash\necho \"$*\" >> \"$RUNNER_TEMP/asked\"\n[ \"$3\" = PATCH ] || [ \"$3\" = POST ] && exit \"${GH_STATUS:-0}\"\n[ -z \"${GH_COMMENT:-}\" ] || echo \"$GH_COMMENT\"\n";
    work.write("gh/bin/gh", gh);
    std::fs::set_permissions(work.path("gh/bin/gh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let common = [
        ("LOOP_DIRECTORY", "loops/churn"),
        ("LOOP_REPORT", "report.md"),
        ("GITHUB_REPOSITORY", "ann/models"),
        ("PULL_REQUEST", "7"),
    ];
    let (status, out, err) = step(&work, "comment", &common);
    assert_eq!(status, 0, "{out}{err}");
    assert!(
        work.read("gh/asked").contains("--method POST repos/ann/models/issues/7/comments -F body=@"),
        "{}",
        work.read("gh/asked")
    );
    assert_eq!(work.read("gh/mlloop-comment.md"), "<!-- mlloop: loops/churn -->\n## churn: what was found\n");
    let known: Vec<_> = common.iter().copied().chain([("GH_COMMENT", "42")]).collect();
    assert_eq!(step(&work, "comment", &known).0, 0);
    assert!(
        work.read("gh/asked").contains("--method PATCH repos/ann/models/issues/comments/42"),
        "{}",
        work.read("gh/asked")
    );
    let refused: Vec<_> = common.iter().copied().chain([("GH_STATUS", "1")]).collect();
    let (status, out, _) = step(&work, "comment", &refused);
    assert_eq!((status, out.contains("::notice")), (0, true));
}

#[test]
fn init_writes_what_drives_a_loop() {
    let work = Loop::new().table("repo/.git/HEAD", "x").table("repo/loops/churn.csv", CHURN);
    work.run("-C repo/loops/churn init repo/loops/churn.csv --with make,cron,github,airflow")
        .answers(YES)
        .says("crontab.example");
    let here = work.path("repo/loops/churn").canonicalize().unwrap().display().to_string();
    assert!(work.read("repo/loops/churn/scripts/crontab.example").contains(&format!(" {here}/scripts/retrain.sh\n")));
    assert!(work.read("repo/.github/workflows/mlloop.yml").contains("directory: loops/churn\n"));
    for name in [
        "loops/churn/Makefile",
        ".github/actions/mlloop/action.yml",
        ".github/workflows/loop.yml",
        "loops/churn/scripts/systemd/mlloop-retrain@.timer",
    ] {
        assert!(work.path("repo").join(name).exists(), "{name}");
    }
    // They run as they are: the binary is named, the script is executable and finds its loop.
    let binary = Path::new(MLLOOP).canonicalize().unwrap().display().to_string();
    for name in ["Makefile", "scripts/retrain.sh", "scripts/crontab.example", "scripts/airflow_dag.py"] {
        let text = work.read(&format!("repo/loops/churn/{name}"));
        assert!(text.contains(&binary) && !text.contains("/path/to/"), "{name}");
    }
    let dag = work.read("repo/loops/churn/scripts/airflow_dag.py");
    assert!(dag.contains("NAME = \"churn\"\n") && dag.contains(&format!("LOOPS = [{here:?}]\n")), "{dag}");
    let script = work.path("repo/loops/churn/scripts/retrain.sh");
    let status = Command::new(&script).arg("-q").env("PATH", "/usr/bin:/bin").status().unwrap();
    assert!(matches!(status.code(), Some(0..=3)), "{status}");
    let log = std::fs::read_dir(work.path("repo/loops/churn/runs")).unwrap();
    assert!(log.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("retrain-")));
    // Again is fine; a file that was edited stays.
    work.run("-C repo/loops/churn init --with cron").answers(YES);
    work.write("repo/loops/churn/Makefile", "mine\n");
    work.run("-C repo/loops/churn init --with cron,make").answers(ERROR).says("Makefile: exists; --force replaces it");
    assert_eq!(work.read("repo/loops/churn/Makefile"), "mine\n");
    work.run("init --with jenkins").answers(ERROR).says("[possible values: make, cron, github, airflow]");
    work.run("init").answers(ERROR);
    work.run("-C repo/loops/churn init --with make --force").answers(YES);
    let bin = Path::new(MLLOOP).parent().unwrap().display().to_string();
    let make = Command::new("make")
        .args(["-s", "train", "status"])
        .current_dir(work.path("repo/loops/churn"))
        .env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()))
        .output();
    if let Ok(make) = make {
        assert!(make.status.success(), "{}", String::from_utf8_lossy(&make.stderr));
    }
}

#[test]
fn a_page_says_where_the_loop_stands() {
    let work = Loop::new().table("churn.csv", CHURN.replacen("customer,contract", "customer,con|tract", 1));
    work.run("init churn.csv").answers(YES);
    work.run("report").answers(NO).prints("No comparison yet").prints("There is no version yet");
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    work.write("data/current.csv", work.read("churn.csv").replace(",monthly,", ",@weekly,"));
    work.run("monitor --formats json --now 2026-11-08T00:00:00Z").answers(YES);
    let page = work.run("report").answers(YES).stdout;
    assert!(page.contains("**Retraining is warranted.**"), "{page}");
    assert!(page.contains("| `con\\|tract` | **drifted** |"), "{page}");
    assert!(!page.contains("@weekly"), "nobody called weekly is told of it: {page}");
    assert!(page.contains("| version | v0001 |\n| trained | 2026-11-01 |\n| rows | 1200 |\n"), "{page}");
    let summary = work.run("report --format json").answers(YES).value();
    assert_eq!(work.run("report --json").answers(YES).value(), summary);
    assert_eq!((&summary["retrain"], &summary["versions"][0]["role"]), (&"yes".into(), &"production".into()));
    assert!(summary["versions"][0]["metrics"]["roc_auc"].as_f64().unwrap() > 0.5);
    Loop::new().run("report").answers(ERROR).says("no loop here");
}
