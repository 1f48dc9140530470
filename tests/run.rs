//! `run`: the whole loop once, from wherever it stands.

use crate::gate::UNTIMED;
use crate::notify::webhook;
use crate::retrain::labelled;
use crate::skipped::skipped;
use crate::support::{CANNOT_TELL, ERROR, Loop, NO, WAITING, YES, points};
use mlloop::workspace::Workspace;
use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// A loop whose production is poor, so that a challenger with its usual parameters is better for certain.
pub fn poor(more: &str) -> Loop {
    let work = labelled();
    std::fs::remove_dir_all(work.path("models")).unwrap();
    for file in ["audit.jsonl", "runs/runs.jsonl"] {
        std::fs::remove_file(work.path(file)).unwrap();
    }
    let toml = work.read("mlloop.toml");
    let (algorithm, trees) = ("algorithm = \"gradient-boosting\"", "n_estimators = 8");
    let stump = toml.replace(algorithm, "algorithm = \"decision-tree\"").replace(trees, "max_depth = 1");
    work.write("mlloop.toml", stump);
    work.run("train --now 2026-11-01T00:00:00Z").answers(YES);
    work.write("mlloop.toml", toml.replace(trees, "n_estimators = 30") + UNTIMED + more);
    work
}

const NOW: &str = "run --now 2026-11-11T00:00:00Z";

#[test]
fn a_round_ends_in_production_and_the_next_has_no_reason() {
    let (url, heard) = webhook();
    let mut work = poor("\n[notify]\nchannels = ['webhook']\n");
    work.set("MLLOOP_WEBHOOK_URL", &url);
    let round = work.run(NOW).answers(YES).json("/done", "promoted").json("/production", "v0002").value();
    assert_eq!(round["retrain"]["done"], "retrained");
    assert_eq!(round["monitor"]["retrain"], "yes");
    assert_eq!(round["promotion"]["report"]["judgement"]["verdict"], "superior");
    let told = heard.lock().unwrap().join("\n");
    for text in ["a reason to retrain: ", "v0002 is the challenger", "v0002 is in production now"] {
        assert!(told.contains(text), "{told}");
    }
    assert_eq!(round["notified"]["sent"], 2, "drift was told by itself");
    assert_eq!(work.read("data/reference.csv").lines().count(), 701, "the reference has the labelled rows now");
    let log = work.read("runs/runs.jsonl");
    let verbs: Vec<String> =
        log.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["verb"].to_string()).collect();
    assert_eq!(verbs, ["\"train\"", "\"monitor\"", "\"retrain\"", "\"promote\"", "\"run\""]);
    work.run("run --now 2026-11-12T00:00:00Z").answers(NO).json("/done", "no-reason").json("/production", "v0002");
    work.run("audit verify").answers(YES);
}

#[test]
fn a_round_says_where_it_ends() {
    // A reason, and too few labels; a reason, and nothing new.
    let work = poor("\n[retrain]\nmin_new_labels = 500\n");
    let round = work.run(NOW).answers(CANNOT_TELL).json("/done", "too-few").value();
    assert!(round["sentence"].as_str().unwrap().contains("400 more are needed"), "{round}");
    std::fs::remove_file(work.path("data/labels.csv")).unwrap();
    work.run(NOW).answers(NO).json("/done", "no-reason");
    std::fs::remove_file(work.path("data/current.csv")).unwrap();
    work.run(NOW).answers(CANNOT_TELL).json("/done", "cannot-tell");
    // A challenger that is no better stays one, and is not judged again and again.
    let work = labelled();
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml + "\n[monitor.triggers]\nmax_age_days = 5\n");
    let round = work.run(NOW).value();
    assert_eq!(round["retrain"]["done"], "retrained");
    assert_ne!(round["done"], "promoted", "{round}");
    work.run(NOW).answers(NO).json("/done", "nothing-new").json("/production", "v0001");
    let gates = work.read("audit.jsonl").matches("\"event\":\"gate-verdict\"").count();
    assert_eq!(gates, 1);
}

#[test]
fn a_person_is_asked_and_a_cron_job_never_waits() {
    let work = poor("\n[monitor.triggers]\nmax_age_days = 5\n");
    let toml = work.read("mlloop.toml");
    assert!(toml.contains("approval = \"auto\""), "{toml}");
    work.write("mlloop.toml", toml.replace("approval = \"auto\"", "approval = \"manual\""));
    let id = work.run(NOW).answers(WAITING).json("/done", "waiting").value()["request"]["id"].clone();
    let again = work.run(NOW).answers(WAITING).value();
    assert_eq!((&again["request"]["id"], &again["monitor"]), (&id, &Value::Null));
    let other = work.copy();
    other.run(&format!("{NOW} --no --by ann")).answers(NO).json("/done", "rejected").json("/production", "v0001");
    other.run(NOW).answers(NO).json("/done", "nothing-new");
    work.run(&format!("{NOW} --yes --by ann")).answers(YES).json("/done", "promoted").json("/production", "v0002");
    assert_eq!(work.read("data/reference.csv").lines().count(), 701);
    work.run(&format!("{NOW} --yes --no --by ann")).answers(ERROR);
}

#[test]
fn a_death_anywhere_is_made_good_by_the_next_round() {
    let work = poor("");
    let reference = work.read("data/reference.csv");
    let n = work.dies_everywhere(NOW, "", |copy| {
        let now = copy.read("data/reference.csv");
        assert!(now == reference || now.lines().count() == 701, "the reference is the old one or the new one");
        copy.run(NOW);
        copy.run("status").answers(YES).json("/production", "v0002");
        copy.run("audit verify").answers(YES);
        assert_eq!(copy.read("data/reference.csv").lines().count(), 701);
        assert!(!copy.path("models/v0003").exists());
        assert_eq!(copy.read("audit.jsonl").matches("\"event\":\"promoted\"").count(), 1);
    });
    assert!(n > 80, "{n} write points");
}

#[test]
fn a_full_disk_anywhere_is_made_good_by_the_next_round() {
    let work = poor("");
    for n in points().skip(12) {
        let copy = work.copy();
        let done = copy.pipe_with(NOW, "", &format!("full:{n}")).is(YES);
        copy.run("audit verify").answers(YES);
        copy.run(NOW);
        copy.run("status").answers(YES).json("/production", "v0002");
        assert_eq!(copy.read("data/reference.csv").lines().count(), 701);
        if done {
            return;
        }
    }
}

#[test]
fn two_rounds_at_once_are_one_after_the_other() {
    let work = poor("");
    let answers = std::thread::scope(|scope| {
        let run = || work.run(&format!("{NOW} --wait 120"));
        let others = [scope.spawn(run), scope.spawn(run)];
        others.map(|other| other.join().unwrap().value()["done"].as_str().unwrap().to_owned())
    });
    assert!(answers.contains(&"promoted".to_owned()) && answers.contains(&"no-reason".to_owned()), "{answers:?}");
    let lock = Workspace::new(work.path("")).lock().unwrap();
    work.run(&format!("{NOW} --wait 0"))
        .answers(ERROR)
        .says(&format!("another mlloop (process {}) is changing this loop", std::process::id()));
    drop(lock);
}

/// The same loop, where a person has to agree before anything is trained.
pub fn asking() -> Loop {
    poor("\n[retrain]\napproval = \"manual\"\nmin_new_labels = 90\n")
}

#[test]
fn a_person_is_asked_before_anything_is_trained() {
    let (url, heard) = webhook();
    let mut work = asking();
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml + "\n[notify]\nchannels = ['webhook']\n");
    work.set("MLLOOP_WEBHOOK_URL", &url);
    let asked = work.run(NOW).answers(WAITING).json("/done", "waiting").json("/request/asks", "retraining").value();
    let id = asked["request"]["id"].as_str().unwrap().to_owned();
    assert_eq!(asked["request"]["verdict"]["n_new"], 100, "{asked}");
    assert!(!work.path("models/v0002").exists() && asked.get("retrain").is_none());
    // Asked once: the next round watches again, and waits.
    let again = work.run(NOW).answers(WAITING).value();
    assert_eq!((&again["request"]["id"], again["monitor"].is_null()), (&asked["request"]["id"], false));
    let told = heard.lock().unwrap().iter().filter(|text| text.contains("a retraining waits for approval")).count();
    assert_eq!(told, 1);
    let status = "status --text --now 2026-11-11T01:00:00Z";
    work.run(status).answers(YES).prints(&format!("{id} waits for approval until 2026-11-18 00:00 UTC"));
    work.run("reject v0001 --by ann --reason x").answers(ERROR).says("no request \"v0001\"");
    // Agreed to by name: trained at once, judged by the next round.
    let agreed = work.copy();
    let now = "--now 2026-11-12T00:00:00Z";
    agreed.run(&format!("approve {id} --by ann {now}")).answers(YES).json("/retrain/version", "v0002");
    agreed.run(&format!("run {now}")).answers(YES).json("/done", "promoted").json("/production", "v0002");
    let by = agreed.read("audit.jsonl").lines().find(|line| line.contains("\"approved\"")).unwrap().to_owned();
    assert!(by.contains("\"by\":\"ann\"") && by.contains(&id), "{by}");
    agreed
        .run(&format!("approve {id} --by bob {now}"))
        .answers(NO)
        .json("/already", true)
        .json("/retrain/done", "nothing");
    agreed.run("audit verify").answers(YES);
    // Agreed to in advance, the whole round is one command.
    let at_once = asking();
    let round = at_once.run(&format!("{NOW} --yes --by ann")).answers(YES).json("/production", "v0002").value();
    let sentence = round["sentence"].as_str().unwrap();
    assert!(!sentence.contains("waits") && sentence.contains("v0002 is the challenger"), "{sentence}");
    let turned_down = asking().run(&format!("{NOW} --no --by ann")).answers(NO).value();
    let sentence = turned_down["sentence"].as_str().unwrap();
    assert!(!sentence.contains("waits") && sentence.ends_with("ann rejected the retraining."), "{sentence}");
    assert_eq!((&round["retrain"]["done"], round["monitor"].is_null()), (&"retrained".into(), false));
    assert_eq!(at_once.read("audit.jsonl").matches("\"event\":\"approved\"").count(), 1);
}

/// What `run` says at a terminal where a person types `answers`, and how it ends; `None` where there is no `script`.
fn typed(work: &Loop, answers: &str) -> Option<(String, i32)> {
    let is_there = Command::new("script").arg("--version").output().is_ok_and(|said| said.status.success());
    if !is_there {
        skipped("there is no `script` of util-linux to make a terminal");
        return None;
    }
    let mut child = Command::new("script")
        .args(["-qec", &format!("{} --text {NOW}", env!("CARGO_BIN_EXE_mlloop")), "/dev/null"])
        .current_dir(work.path(""))
        .env_remove("USER")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap()))
}

#[test]
fn at_a_terminal_the_name_that_nobody_gave_is_asked_for() {
    let work = asking();
    for (answers, status, lines) in
        [("n\nann\n", NO, "\"event\":\"rejected\""), ("y\nann\n", YES, "\"event\":\"approved\"")]
    {
        let copy = work.copy();
        let Some((said, ended)) = typed(&copy, answers) else { return };
        assert_eq!(ended, status, "{said}");
        let chain = copy.read("audit.jsonl");
        let line = chain.lines().find(|line| line.contains(lines)).unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains("\"by\":\"ann\""), "{line}");
    }
    // Who says no name leaves the request open.
    let Some((said, ended)) = typed(&work, "y\n\n") else { return };
    assert_eq!(ended, WAITING, "{said}");
    assert!(said.contains("the request stays open"), "{said}");
    assert!(!work.path("models/v0002").exists());
}

#[test]
fn a_retraining_that_was_turned_down_leaves_everything_as_it_was() {
    let work = asking();
    let (labels, reference) = (work.read("data/labels.csv"), work.read("data/reference.csv"));
    let id = work.run(NOW).answers(WAITING).value()["request"]["id"].as_str().unwrap().to_owned();
    let roles = work.read("models/roles.json");
    work.run(&format!("reject {id} --by ann --reason 'June is not checked' --now 2026-11-11T01:00:00Z")).answers(YES);
    let (old, new): (Value, Value) =
        (serde_json::from_str(&roles).unwrap(), serde_json::from_str(&work.read("models/roles.json")).unwrap());
    assert_eq!((&old["production"], &old["challenger"]), (&new["production"], &new["challenger"]));
    assert_eq!((labels, reference), (work.read("data/labels.csv"), work.read("data/reference.csv")));
    let said = work.run("run --now 2026-11-11T02:00:00Z").answers(NO).json("/done", "rejected").value();
    let sentence = said["sentence"].as_str().unwrap();
    assert!(sentence.contains("ann rejected the retraining (June is not checked)"), "{sentence}");
    assert!(sentence.contains("with 90 more new labels, or from 2026-11-18 01:00 UTC on"), "{sentence}");
    work.run(&format!("approve {id} --by bob --now 2026-11-11T02:00:00Z")).answers(ERROR).says("was rejected by ann");
    // A person who wants it anyway asks anew, and so does time.
    work.copy().run("run --force --now 2026-11-11T02:00:00Z").answers(WAITING);
    let later = work.run("run --now 2026-11-18T02:00:00Z").answers(WAITING).value();
    assert_eq!(later["request"]["requested_at"], "2026-11-18T02:00:00Z");
    // What it was made for changes: nothing is trained.
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml.replace("n_estimators = 30", "n_estimators = 31"));
    let id = later["request"]["id"].as_str().unwrap();
    work.run(&format!("approve {id} --by ann --now 2026-11-18T03:00:00Z"))
        .answers(ERROR)
        .says("`mlloop run` makes a new request");
    assert!(!work.path("models/v0002").exists());
    let anew = work.run("run --now 2026-11-18T04:00:00Z").answers(WAITING).value();
    assert_ne!(anew["request"]["id"].as_str(), Some(id), "the request is bound to mlloop.toml");
    let open = work.run("status").answers(YES).value()["pending"].as_array().unwrap().len();
    assert_eq!(open, 1, "the later request took the place of the earlier one");
}

#[test]
fn a_word_that_was_given_outlives_a_death() {
    let work = asking();
    let id = work.run(NOW).answers(WAITING).value()["request"]["id"].as_str().unwrap().to_owned();
    let mut n_agreed = 0;
    for n in (1..).step_by(11) {
        let copy = work.copy();
        let line = format!("approve {id} --by ann --now 2026-11-12T00:00:00Z");
        let done = copy.pipe_with(&line, "", &format!("die:{n}")).is(YES);
        copy.run("audit verify").answers(YES);
        let agreed = copy.read("audit.jsonl").contains("\"event\":\"approved\"");
        let round = copy.run("run --now 2026-11-12T01:00:00Z");
        assert_eq!(round.status(), if agreed { YES } else { WAITING }, "{n}: {}", round.stdout);
        n_agreed += usize::from(agreed);
        if done {
            break;
        }
    }
    assert!(n_agreed > 3, "{n_agreed}");
}

#[test]
fn a_promotion_is_announced_and_can_be_stopped_until_then() {
    let (url, heard) = webhook();
    let mut work = poor("\n[notify]\nchannels = ['webhook']\n");
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml.replace("\napproval = \"auto\"", "\nnotice = \"2h\"\napproval = \"auto\""));
    work.set("MLLOOP_WEBHOOK_URL", &url);
    let asked = work.run(NOW).answers(WAITING).json("/production", "v0001").value();
    let id = asked["request"]["id"].as_str().unwrap().to_owned();
    assert_eq!(asked["request"]["due_at"], "2026-11-11T02:00:00Z");
    let n_told = |text: &str| heard.lock().unwrap().iter().filter(|told| told.contains(text)).count();
    assert_eq!(n_told("goes into production at 2026-11-11 02:00 UTC unless it is rejected"), 1);
    assert_eq!(n_told("- roc_auc: "), 1, "the metrics stand in it: {heard:?}");
    // Before its time nothing happens, whoever calls, and nobody is told again.
    for line in ["run", "promote"] {
        work.run(&format!("{line} --now 2026-11-11T01:59:00Z")).answers(WAITING).json("/production", "v0001");
    }
    assert_eq!(n_told("goes into production at"), 1);
    let status = "status --text --now 2026-11-11T01:00:00Z";
    work.run(status).answers(YES).prints("goes into production, unless rejected, at 2026-11-11 02:00 UTC");
    let stopped = work.copy();
    stopped.run(&format!("reject {id} --by ann --reason no --now 2026-11-11T01:59:00Z")).answers(YES);
    stopped.run("run --now 2026-11-11T03:00:00Z").answers(NO).json("/production", "v0001");
    stopped.run("promote --now 2026-11-11T03:00:00Z").answers(NO).json("/done", "nothing");
    let at_once = work.copy();
    at_once.run(&format!("approve {id} --by ann --now 2026-11-11T01:59:00Z")).answers(YES).json("/production", "v0002");
    // A file that was given an earlier time than the chain knows is nothing.
    let forged = work.copy();
    let path = format!("approvals/{id}.json");
    forged.write(&path, forged.read(&path).replace("2026-11-11T02:00:00Z", "2026-11-11T00:30:00Z"));
    forged.run("promote --now 2026-11-11T01:00:00Z").answers(WAITING).json("/request/due_at", "2026-11-11T03:00:00Z");
    // What it was announced for has changed: it is judged and announced anew.
    let edited = work.copy();
    edited.write("mlloop.toml", edited.read("mlloop.toml") + "\n# seen by bob\n");
    edited.run("run --now 2026-11-11T03:00:00Z").answers(WAITING).json("/request/due_at", "2026-11-11T05:00:00Z");
    let n = work.dies_everywhere("promote --now 2026-11-11T02:00:00Z", "", |copy| {
        copy.run("promote --now 2026-11-11T02:01:00Z").answers(YES).json("/production", "v0002");
        assert_eq!(copy.read("audit.jsonl").matches("\"event\":\"promoted\"").count(), 1);
    });
    assert!(n > 5, "{n}");
    work.run("run --now 2026-11-11T02:00:00Z").answers(YES).json("/done", "promoted").json("/production", "v0002");
    assert_eq!(work.read("audit.jsonl").matches("gate-verdict").count(), 1, "the gate was asked once");
    // The metrics by which the gate decided stand in it, and its title is short.
    let all = heard.lock().unwrap();
    let last = all.iter().rfind(|told| told.contains("v0002 is in production now")).unwrap();
    assert!(last.contains("- roc_auc: ") && last.contains("it was not rejected since"), "{last}");
    drop(all);
    let history = work.run("audit --text").stdout;
    assert!(history.contains("was announced: it goes into production on 2026-11-11T02:00:00Z"), "{history}");
    work.run("audit verify").answers(YES);
}

#[test]
fn what_was_refused_once_and_is_announced_later_comes_due() {
    let work = poor("");
    work.run("run --set promote.guardrails.flip_rate=0 --now 2026-11-11T00:00:00Z")
        .answers(NO)
        .json("/production", "v0001");
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml.replace("\napproval = \"auto\"", "\nnotice = \"2h\"\napproval = \"auto\""));
    let announced = work.run("promote --now 2026-11-11T01:00:00Z").answers(WAITING).value();
    assert_eq!(announced["request"]["due_at"], "2026-11-11T03:00:00Z");
    work.run("run --now 2026-11-11T02:00:00Z").answers(WAITING).json("/production", "v0001");
    work.run("run --now 2026-11-11T03:30:00Z").answers(YES).json("/done", "promoted").json("/production", "v0002");
}

#[test]
fn rows_go_out_to_be_labelled_by_themselves() {
    let work = poor("\n[retrain]\nmin_new_labels = 500\n\n[labels]\nauto_export = 40\n");
    // A reason, and too few labels.
    let round = work.run(NOW).answers(CANNOT_TELL).json("/done", "too-few").json("/labels/n", 40).value();
    assert!(round["sentence"].as_str().unwrap().contains("40 rows are ready for labelling: "), "{round}");
    let sheet = work.read("label_inbox/to_label.csv");
    assert_eq!(sheet.lines().count(), 41);
    let other = poor("\n[retrain]\nmin_new_labels = 500\n\n[labels]\nauto_export = 40\n");
    let text = other.run(&format!("{NOW} --text")).answers(CANNOT_TELL).stdout;
    assert!(text.contains("next: fill in the target of these rows") && !text.contains("label-export"), "{text}");
    // One batch at a time.
    let again = work.run(NOW).answers(CANNOT_TELL).value();
    assert!(again.get("labels").is_none() && work.read("label_inbox/to_label.csv") == sheet, "{again}");
    work.run("audit verify").answers(YES);
    // No rows to choose from is said, and is no error.
    let work = poor("\n[labels]\nauto_export = 40\n");
    for file in ["data/labels.csv", "data/current.csv"] {
        std::fs::remove_file(work.path(file)).unwrap();
    }
    let round = work.run(NOW).answers(CANNOT_TELL).json("/done", "cannot-tell").value();
    assert!(round["sentence"].as_str().unwrap().contains("No rows could be chosen"), "{round}");
    // Neither drift nor want of labels: nothing goes out.
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml.replace("auto_export = 40", "auto_export = 0"));
    work.run(NOW).answers(ERROR).says("[labels] auto_export = 0 must be a whole number from 1");
}

#[test]
fn nothing_is_promoted_while_an_experiment_runs() {
    let work = poor("");
    work.run("retrain --now 2026-11-11T00:00:00Z").answers(YES);
    work.run("ab-start --name pay --b v0002 --now 2026-11-11T01:00:00Z").answers(YES);
    let round = work.run("run --now 2026-11-11T02:00:00Z").answers(NO).json("/done", "experiment").value();
    assert!(round["sentence"].as_str().unwrap().contains("while the experiment pay runs"), "{round}");
    assert!(!round["monitor"].is_null(), "it is watched all the same");
    assert!(!work.read("audit.jsonl").contains("\"event\":\"promoted\""));
    work.run("ab-stop --now 2026-11-11T03:00:00Z").answers(YES);
    work.run("run --now 2026-11-11T04:00:00Z").answers(YES).json("/done", "promoted").json("/production", "v0002");
}
