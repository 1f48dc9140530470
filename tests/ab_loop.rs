//! `ab-start`, `ab-step`, `ab-stop` and `ab-report` on a loop's own experiment; and what remains when they die.

use crate::gate::{better, events, production};
use crate::support::{CANNOT_TELL, ERROR, Loop, NO, YES, points};
use mlloop::ab::Assigner;
use mlloop::registry::Learned;
use serde_json::{Value, json};

const START: &str = "2026-11-10T00:00:00Z";

/// Rows of the log and labels: who came when, in which arm, and whether the prediction was right.
#[derive(Default)]
pub struct Log {
    rows: String,
    labels: String,
    n: usize,
}

impl Log {
    /// `n` units from `hour` hours after the start on, a minute apart; arm `b` is right in `right[1]` of 100.
    pub fn units(mut self, n: usize, hour: i64, weights: &[f64], right: [usize; 2]) -> Self {
        let start: jiff::Timestamp = START.parse().unwrap();
        let assigner = Assigner::new("s", weights);
        let mut seen = [0; 2];
        for i in 0..n {
            let id = format!("N{}", self.n + i);
            let arm = assigner.arm(id.as_bytes());
            seen[arm] += 1;
            let is_right = (seen[arm] * 37) % 100 < right[arm];
            let at = start + jiff::SignedDuration::from_mins(60 * hour + i as i64);
            self.row(&id, &at.to_string(), arm, i % 3 == 0, is_right);
        }
        self.n += n;
        self
    }

    fn row(&mut self, id: &str, at: &str, arm: usize, truth: bool, is_right: bool) {
        let said = truth == is_right;
        let (prediction, score) = if said { ("yes", 0.8) } else { ("no", 0.2) };
        self.rows.push_str(&format!("{id},{at},v000{},{},{score},{prediction}\n", arm + 1, ["a", "b"][arm]));
        self.labels.push_str(&format!("{id},{},ann,{at},outcome\n", if truth { "yes" } else { "no" }));
    }

    pub fn write(&self, work: &Loop) {
        work.write("predictions/2026-11-10.csv", "");
        for (day, rows) in self.by_day() {
            work.write(&format!("predictions/{day}.csv"), format!("id,time,version,arm,score,prediction\n{rows}"));
        }
        work.write("data/labels.csv", format!("id,label,annotator,labelled_at,source\n{}", self.labels));
    }

    fn by_day(&self) -> std::collections::BTreeMap<String, String> {
        let mut days = std::collections::BTreeMap::new();
        for line in self.rows.lines() {
            let day = line.split(',').nth(1).unwrap()[..10].to_owned();
            let rows: &mut String = days.entry(day).or_default();
            rows.push_str(&format!("{line}\n"));
        }
        days
    }
}

fn start(work: &Loop, more: &str) -> String {
    let line = format!("ab-start --name trees --salt s --planned-n 4000 --label-window 1d --now {START} {more}");
    work.run(&line).answers(YES).json("/done", "started");
    line
}

fn ab(work: &Loop) -> Value {
    serde_json::from_str(&work.read("ab.json")).unwrap()
}

#[test]
fn an_experiment_from_start_to_promotion() {
    let work = better("");
    work.run("ab-report").answers(ERROR).says("there is no experiment");
    work.run("ab-start --a challenger --b production --planned-n 10").answers(ERROR).says("v0001 is in production");
    work.run("ab-start --b production --planned-n 10").answers(ERROR).says("cannot be two arms");
    work.run("ab-start --metric brier --goal lower --shadow --split .5 --planned-n 9").answers(ERROR).says("--shadow");
    work.run("ab-start --metric absolute_error --planned-n 9").answers(ERROR).says("cannot be measured");
    assert!(!work.path("ab.json").exists());
    let line = start(&work, "--by ann");
    work.run(&line.replace("2026-11-10", "2026-11-11")).answers(YES).json("/done", "already");
    work.run("ab-start --planned-n 10").answers(ERROR).says("\"trees\" is running");
    work.run("ab-step").answers(ERROR).says("has no rollout");
    let assigner = Assigner::new("s", &[0.5, 0.5]);
    for id in ["10042", "a,b", "é"] {
        let said = work.run(&format!("ab-report --assign '{id}'")).answers(YES);
        let arm = ["a,v0001", "b,v0002"][assigner.arm(id.as_bytes())];
        said.prints(&format!("{arm},{}", assigner.position(id.as_bytes())));
    }
    let early = "2026-11-10T12:00:00Z";
    work.run(&format!("ab-report --now {early}")).answers(CANNOT_TELL).json("/verdict/answer", "keep_running");

    let mut log = Log::default().units(3_000, 0, &[0.5, 0.5], [70, 80]);
    // One unit came by name to the arm that it is not in, one row is another version's, one unit has no outcome yet.
    let wrong = 1 - assigner.arm(b"byname");
    log.row("byname", "2026-11-10T01:00:00Z", wrong, true, true);
    let (arm, version) = [("a", "v0001"), ("b", "v0002")][assigner.arm(b"late")];
    log.rows.push_str(&format!(
        "N0,2026-11-10T02:00:00Z,v0009,a,0.5,yes\nlate,2026-11-12T12:00:00Z,{version},{arm},0.5,yes\n"
    ));
    log.write(&work);
    let now = "2026-11-13T12:00:00Z";
    let report = work.run(&format!("ab-report --now {now}")).answers(YES).value();
    assert_eq!(report["verdict"]["winner"], "b");
    assert_eq!(report["experiment"]["n_not_assigned"], 2);
    assert_eq!(report["source"]["n_units"], 3_001);
    assert_eq!(report["outcomes"][0]["name"], "accuracy");
    let right = report["models"][1]["metrics"].as_array().unwrap().iter().find(|m| m[0] == "accuracy").unwrap();
    assert!((right[1].as_f64().unwrap() - 0.8).abs() < 0.01, "{right}");
    assert_eq!(report["arms"][1]["version"], "v0002");
    let before = work.run("ab-report --now 2026-11-12T06:00:00Z").answers(YES).value();
    assert_eq!(before["source"]["n_units"], 1_801, "those whose outcome was final a day before");
    assert!(work.read("reports/ab_report.html").contains("Models by arm"));
    // What the version of one arm learned from counts in neither arm.
    let learned: Vec<String> = (0..300).map(|n| format!("N{n}")).collect();
    let other = work.copy();
    let learned = Learned::new(learned.iter().map(String::as_str));
    other.exchange("v0002", "learned_ids.bin", |dir| learned.save(dir).unwrap());
    let fewer = other.run(&format!("ab-report --now {now}")).answers(YES).value();
    assert_eq!((&fewer["source"]["n_units"], &fewer["experiment"]["n_learned"]), (&2_701.into(), &300.into()));
    assert_eq!(report["experiment"]["n_learned"], 0);

    let said = work.run(&format!("ab-stop --promote-winner --by ann --now {now}")).answers(YES);
    said.json("/done", "stopped").json("/experiment/ended/promoted", "b");
    assert_eq!(production(&work), "v0002");
    assert_eq!(events(&work), ["trained", "trained", "ab-started", "gate-verdict", "promoted", "ab-stopped"]);
    work.run("ab-stop").answers(YES).json("/done", "already");
    work.run("ab-step").answers(ERROR).says("has ended");
    work.run("audit verify").answers(YES);
    work.run(&format!("ab-report --now {now} --text")).answers(YES).prints("b wins");
    comes_out_again(&work);
}

/// Made again, the verdict is the same; without all of its predictions nobody can tell.
fn comes_out_again(work: &Loop) {
    work.run("audit replay 6").answers(YES).json("/agrees", true);
    let lost = work.copy();
    std::fs::remove_file(lost.path("predictions/2026-11-11.csv")).unwrap();
    let said = lost.run("audit replay 6").answers(CANNOT_TELL).value();
    let missing = said["missing"][0].as_str().unwrap();
    assert!(missing.contains("the predictions of line 6: it was made from 3003 rows of the log"), "{said}");
    std::fs::remove_dir_all(lost.path("predictions")).unwrap();
    lost.run("audit replay 6").answers(CANNOT_TELL);
}

#[test]
fn a_rollout_moves_on_holds_and_goes_back() {
    let work = better("");
    let plan = work.run("ab-start --planned-n 4000 --schedule gradual --duration 8d --plan").answers(YES);
    let shares: Vec<f64> = plan.value()["experiment"]["rollout"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["share"].as_f64().unwrap())
        .collect();
    assert_eq!(shares, [0.1, 0.25, 0.5, 1.0]);
    assert!(!work.path("ab.json").exists(), "a plan changes nothing");
    start(&work, "--schedule gradual --split .4 --duration 6d --min-units 100 --guardrail accuracy=.1");
    work.run("ab-step --plan --text").answers(YES).prints("1                40.0 %     2d  2026-11-10 00:00 UTC  here");
    work.run("ab-step --now 2026-11-11T00:00:00Z").answers(NO).json("/move", "not-due");
    let held = work.run("ab-step --now 2026-11-13T00:00:00Z").answers(CANNOT_TELL);
    held.json("/move", "holds").json("/sentence", "arm a has 0 units with a final outcome and needs 100 more");
    let first = Log::default().units(2_000, 0, &[0.6, 0.4], [80, 82]);
    first.write(&work);
    let moved = work.run("ab-step --now 2026-11-13T00:00:00Z --by cron").answers(YES).json("/move", "on");
    moved.json("/weights", json!([0.5, 0.5]));
    assert_eq!(ab(&work)["epochs"].as_array().unwrap().len(), 2);
    work.run("ab-step --now 2026-11-13T01:00:00Z").answers(NO).json("/move", "not-due");
    // In the second epoch everybody fares worse, arm b no more than arm a: weights and times do not mix.
    let second = first.units(2_000, 72, &[0.5, 0.5], [50, 52]);
    second.write(&work);
    let report = work.run("ab-report --now 2026-11-16T00:00:00Z").answers(CANNOT_TELL).value();
    let gap = report["outcomes"][0]["comparisons"][0]["difference"].as_f64().unwrap();
    assert!((gap - 0.02).abs() < 0.01, "{gap}");
    assert_eq!(report["guardrails"][0]["state"], "holds");
    let third = second.units(1_000, 110, &[0.5, 0.5], [80, 10]);
    third.write(&work);
    let back = work.run("ab-step --now 2026-11-17T00:00:00Z").answers(NO).json("/move", "back").value();
    assert_eq!(back["weights"], json!([1.0, 0.0]));
    assert!(back["sentence"].as_str().unwrap().starts_with("accuracy of arm b is worse by"), "{back}");
    work.run("ab-step --now 2026-11-18T00:00:00Z").answers(NO).json("/move", "finished");
    assert_eq!(events(&work), ["trained", "trained", "ab-started", "ab-stepped", "ab-stepped"]);
    // The difference is that of the times in which both had units, the means beside it are of all.
    let said = work.run("ab-report --now 2026-11-18T00:00:00Z").value()["verdict"]["sentence"].to_string();
    assert!(said.contains("points while both arms had units ("), "{said}");
    let now = "2026-11-18T00:00:00Z";
    work.run(&format!("ab-stop --promote-winner --now {now}")).answers(YES);
    assert_eq!(ab(&work)["ended"]["promoted"], Value::Null);
    assert_eq!(production(&work), "v0001", "the winner is what answers already");
    work.run("status").answers(YES);
}

#[test]
fn a_shadow_is_compared_row_by_row() {
    let work = better("");
    start(&work, "--shadow");
    assert_eq!(ab(&work)["epochs"][0]["weights"], json!([1.0, 0.0]));
    let mut log = Log::default();
    for i in 0..600 {
        let (id, at) = (format!("N{i}"), format!("2026-11-10T{:02}:{:02}:00Z", i / 60, i % 60));
        let truth = i % 3 == 0;
        log.row(&id, &at, 0, truth, i % 10 < 7);
        log.row(&id, &at, 1, truth, i % 10 < 8);
    }
    // Both arms' rows brought the label.
    log.labels = log.labels.lines().step_by(2).map(|line| format!("{line}\n")).collect();
    log.write(&work);
    let report = work.run("ab-report --now 2026-11-12T00:00:00Z").answers(YES).value();
    assert_eq!(report["verdict"]["winner"], "b");
    assert_eq!(report["source"]["n_units"], 600);
    let comparison = &report["outcomes"][0]["comparisons"][0];
    assert!((comparison["difference"].as_f64().unwrap() - 0.1).abs() < 1e-9, "{comparison}");
    // Of 60 rows only b was right, never a alone: the rows vary less than two arms would.
    assert_eq!(
        (&report["paired"][0]["mcnemar"]["only_a"], &report["paired"][0]["mcnemar"]["only_b"]),
        (&json!(0), &json!(60))
    );
    let error = comparison["error"].as_f64().unwrap();
    assert!((error - (0.09_f64 / 599.0).sqrt()).abs() < 1e-9, "{error}");
    assert!(report["paired"][0]["delong"]["p"].as_f64().unwrap() < 0.05);
}

/// Ways in which a write fails.
const BOTH: [&str; 2] = ["die", "full"];

/// Runs `line` with each of its writes failing, and repeats it.
fn survives(work: &Loop, line: &str, kinds: &[&str], answers: &[i32], done: impl Fn(&Value) -> bool) {
    for kind in kinds {
        for n in points() {
            let copy = work.copy();
            let said = copy.pipe_with(line, "", &format!("{kind}:{n}"));
            if said.status() == YES {
                assert!(n > 8, "{line} has {n} points");
                break;
            }
            assert_eq!(said.status(), if *kind == "die" { -1 } else { ERROR }, "{kind}:{n} {}", said.stderr);
            copy.run("audit verify").answers(YES);
            copy.run("status").answers(YES);
            let again = copy.run(line);
            assert!(answers.contains(&again.status()), "{kind}:{n} {}", again.stderr);
            copy.run("audit verify").answers(YES);
            assert!(done(&ab(&copy)), "{kind}:{n} {:#}", ab(&copy));
            let kinds = events(&copy);
            let promotions = kinds.iter().filter(|kind| *kind == "promoted").count();
            assert_eq!(promotions, usize::from(production(&copy) == "v0002"), "{kind}:{n} {kinds:?}");
            let changes = kinds.iter().filter(|kind| kind.starts_with("ab-")).count();
            let before = if work.path("ab.json").exists() { 1 } else { 0 };
            assert_eq!(changes, before + 1, "{kind}:{n} {kinds:?}");
        }
    }
}

#[test]
fn whatever_is_cut_off_is_the_old_or_the_new_and_repeating_completes_it() {
    let work = better("");
    let line = format!(
        "ab-start --name t --salt s --planned-n 4000 --schedule gradual --split .4 --duration 6d --guardrail accuracy=.1 --now {START}"
    );
    survives(&work, &line, &BOTH, &[YES], |ab| ab["epochs"][0]["weights"] == json!([0.6, 0.4]));
    work.run(&line).answers(YES);
    Log::default().units(2_000, 0, &[0.6, 0.4], [80, 82]).write(&work);
    let step = "ab-step --now 2026-11-13T00:00:00Z";
    survives(&work, step, &BOTH, &[YES, NO], |ab| {
        ab["rollout"]["at"] == 1 && ab["epochs"].as_array().unwrap().len() == 2
    });
    survives(&work, "ab-stop --now 2026-11-13T00:00:00Z", &BOTH, &[YES], |ab| {
        ab["ended"]["at"] == "2026-11-13T00:00:00Z"
    });
}

#[test]
fn a_promotion_of_the_winner_that_is_cut_off_is_completed_by_repeating_it() {
    let work = better("");
    start(&work, "");
    Log::default().units(3_000, 0, &[0.5, 0.5], [70, 80]).write(&work);
    let line = "ab-stop --promote-winner --now 2026-11-14T00:00:00Z";
    // What the gate does on a full disk is its own test.
    survives(&work, line, &["die"], &[YES], |ab| ab["ended"]["promoted"] == "b");
}

#[test]
fn a_gradual_rollout_is_planned_by_steps_and_run_takes_them() {
    let work = better("");
    let line = format!(
        "ab-start --strategy gradual --from 10% --step 20% --every 24h --salt s --guardrail accuracy=.1 --now {START}"
    );
    let plan = work.run(&format!("{line} --plan")).answers(YES).value();
    let shares: Vec<f64> = plan["schedule"].as_array().unwrap().iter().map(|s| s["share"].as_f64().unwrap()).collect();
    assert_eq!(shares, [0.1, 0.3, 0.5, 0.7, 0.9, 1.0]);
    assert_eq!(
        (&plan["schedule"][2]["from"], &plan["experiment"]["duration"], &plan["experiment"]["planned_n"]),
        (&json!("2026-11-12T00:00:00Z"), &json!("6d"), &json!(10_000))
    );
    work.run(&format!("{line} --plan --text")).answers(YES).prints("2026-11-12 00:00 UTC").prints("50.0 %");
    for (wrong, says) in [
        ("--step .1", "--strategy"),
        ("--strategy canary --step .1", "--strategy gradual"),
        ("--strategy gradual --step .0001", "at most 100"),
        ("--strategy gradual --from 200%", "10%"),
    ] {
        work.run(&format!("ab-start {wrong}")).answers(ERROR).says(says);
    }
    work.run("ab-status").answers(NO).json("/running", false);
    work.run(&line).answers(YES);
    Log::default().units(3_000, 0, &[0.9, 0.1], [80, 82]).write(&work);
    let early = work.run("ab-status --now 2026-11-10T12:00:00Z").answers(YES).value();
    assert_eq!((&early["seconds_left"], &early["n_units"]), (&json!(475_200), &json!(721)));
    assert_eq!(
        (&early["schedule"][0]["state"], &early["planned_end"]),
        (&json!("here"), &json!("2026-11-16T00:00:00Z"))
    );
    let needs = &early["needs"];
    assert!(needs["n_units"].as_u64().unwrap() > 500 && needs["days"].as_f64().unwrap() > 0.3, "{needs}");
    work.run("ab-status --text --now 2026-11-10T12:00:00Z")
        .answers(YES)
        .prints("5.5 days left")
        .prints("A winner needs");
    // Not due: nothing moves. Due and healthy: the next share.
    let copy = work.copy();
    copy.run("run --now 2026-11-10T12:00:00Z");
    assert_eq!(ab(&copy)["rollout"]["at"], 0);
    let copy = work.copy();
    let said = copy.run("run --now 2026-11-12T06:00:00Z");
    assert_eq!(ab(&copy)["rollout"]["at"], 1, "{} {}", said.stdout, said.stderr);
    assert!(events(&copy).contains(&"ab-stepped".to_owned()));
}

#[test]
fn a_rollout_that_has_reached_everybody_is_made_permanent_by_the_gate() {
    let work = better("");
    let short = "ab-start --strategy gradual --from 10% --step 20% --every 24h --duration 2d --plan";
    work.run(short).answers(ERROR).says("--duration 2d is too short: 6 steps of").says("need 6d");
    work.run(&format!("ab-start --strategy immediate --name all --salt s --now {START}")).answers(YES);
    let text = work.run(&format!("ab-status --text --now {START}")).answers(YES).stdout;
    assert!(text.contains("No unit has a final outcome yet") && !text.contains("no realistic number"), "{text}");
    let status = work.run(&format!("status --text --now {START}")).answers(YES).stdout;
    assert!(status.contains("rollout all is running: a v0001 0.0 % · b v0002 100.0 %"), "{status}");
    // All units are in the second arm, so that nothing is ever shown of the first.
    Log::default().units(600, 0, &[0.0, 1.0], [80, 82]).write(&work);
    let now = "--now 2026-11-13T00:00:00Z";
    let said = work.run(&format!("ab-step {now}")).answers(NO).json("/move", "finished").value();
    assert!(said["sentence"].as_str().unwrap().contains("`mlloop ab-stop --promote-winner` runs the gate"), "{said}");
    let ended = work.copy();
    let stopped = work.run(&format!("ab-stop --promote-winner --by ann {now}")).answers(YES);
    stopped.json("/done", "stopped").json("/experiment/ended/promoted", "b");
    assert_eq!(production(&work), "v0002");
    let status = work.run(&format!("ab-status {now}")).answers(NO).value();
    assert_eq!(status["weights"], json!([0.0, 1.0]), "the version of the second arm is production now");
    // Ended without it, the first arm answers everybody, and nothing more is asked for.
    ended.run(&format!("ab-stop {now}")).answers(YES);
    let status = ended.run(&format!("ab-status {now}")).answers(NO).value();
    assert_eq!((&status["weights"], &status["needs"]["n_units"]), (&json!([1.0, 0.0]), &Value::Null));
    assert_eq!(status["schedule"][0]["state"], "ended");
    for line in ["ab-status", "ab-report"] {
        let text = ended.run(&format!("{line} --text {now}")).stdout;
        assert!(text.contains("The experiment has ended; v0001 answers all requests."), "{line}: {text}");
        assert!(!text.contains("Keep running"), "{line}: {text}");
    }
}

#[test]
fn a_canary_is_not_rolled_back_by_chance_and_is_when_it_fails() {
    for (right, broken) in [([80, 80], false), ([80, 10], true)] {
        let work = better("");
        let line = format!("ab-start --strategy canary --from 5% --every 3d --salt s --now {START}");
        work.run(&line).answers(YES);
        // 1 in 20 of 800 units: about 40 see the challenger.
        Log::default().units(800, 0, &[0.95, 0.05], right).write(&work);
        let stepped = work.run("ab-step --now 2026-11-11T00:00:00Z").value();
        assert_eq!(stepped["move"], if broken { "back" } else { "not-due" }, "{}", stepped["sentence"]);
        assert_eq!(ab(&work)["rollout"]["went_back"].is_string(), broken);
    }
}
