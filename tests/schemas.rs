//! docs/schemas: a JSON Schema of what each verb prints as JSON.
//!
//! The schemas come from the types of the answers (`src/answers/schemas.rs`). Here loops of several kinds are walked
//! through, and after each step every verb that only reads is asked, and the server: each answer must be what its schema
//! says, to the last property, and each schema must be met.

mod schema;

use self::schema::{Schema, dir};
use crate::ab_loop::Log;
use crate::gate::better;
use crate::run::poor;
use crate::serve::client::{Server, row};
use crate::support::{Loop, YES};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// The examples of each answer, by the name of its schema.
#[derive(Default)]
struct Walk {
    found: BTreeMap<&'static str, Vec<Value>>,
    /// Lines that failed.
    failed: Vec<String>,
}

impl Walk {
    fn keep(&mut self, name: &'static str, value: Value) -> Value {
        self.found.entry(name).or_default().push(value.clone());
        value
    }

    /// Runs a line, whose answer is an example.
    #[track_caller]
    fn run(&mut self, work: &Loop, name: &'static str, line: &str) -> Value {
        let said = work.run(line);
        if said.status() == 2 {
            self.failed.push(format!("mlloop {line}: {}", said.stderr));
            return Value::Null;
        }
        self.keep(name, said.value())
    }
}

/// What only reads, by the name of its schema: it is asked after every step.
const READING: [(&str, &str); 8] = [
    ("status", "status"),
    ("doctor", "doctor"),
    ("report", "report --format json"),
    ("audit", "audit show"),
    ("audit-verify", "audit verify"),
    ("feedback-stats", "feedback"),
    ("ab-status", "ab-status"),
    ("retrain", "retrain --dry-run"),
];

/// What the server says of itself, by the name of its schema.
const SERVED: [(&str, &str); 6] = [
    ("serve-retrain-status", "/retrain/status"),
    ("serve-models", "/models"),
    ("serve-ab-status", "/ab/status"),
    ("serve-health", "/health"),
    ("serve-ready", "/ready"),
    ("serve-info", "/"),
];

impl Walk {
    /// Asks everything that only reads.
    fn look(&mut self, work: &Loop, now: &str) {
        for (name, line) in READING {
            let said = work.run(&format!("{line} {now}"));
            // Not every verb works in every state: without a version there is nothing to retrain.
            if said.status() != 2 {
                self.keep(name, said.value());
            }
        }
    }

    /// Asks the server, which is started with `options`, everything that it says of itself.
    fn serve(&mut self, work: &Loop, options: &str) {
        let mut server = Server::start(work, options);
        self.ask(&server);
        server.stop();
    }

    fn ask(&mut self, server: &Server) {
        self.keep("serve", server.said.clone());
        for (name, path) in SERVED {
            let (status, body) = server.client().ask("GET", path, "").unwrap();
            if status != 404 {
                self.keep(name, serde_json::from_str(&body).unwrap());
            }
        }
    }
}

fn day(n: u32) -> String {
    format!("--now 2026-11-{n:02}T00:00:00Z")
}

/// From a table to a version, of each kind of target; what is compared with what.
fn begin(walk: &mut Walk) {
    let work = Loop::new().table("churn.csv", CHURN);
    walk.run(&work, "split", "split churn.csv --how hash --by customer");
    walk.run(&work, "download", "download churn.csv");
    walk.run(&work, "init", "init data/reference.csv");
    walk.look(&work, &day(1));
    walk.serve(&work, "");
    walk.run(&work, "train", "train --algorithm decision-tree");
    walk.run(&work, "train", "train --algorithm decision-tree --cv 2 --test data/current.csv");
    walk.run(&work, "push", "push place");
    walk.run(&Loop::new(), "pull", &format!("pull {}", work.path("place").display()));
    walk.run(&work, "audit-at", "audit at 2020-01-01");
    walk.run(&work, "ab-report", "ab-report churn.csv --arm internet --outcome support_calls --unit customer --force");
    let table = "--arm paperless --outcome monthly_charge --pre total_charge --strata internet --force";
    walk.run(&work, "ab-report", &format!("ab-report data/reference.csv {table}"));
    walk.run(&work, "ab-report-plan", "ab-report --plan --baseline .2 --effect .02");
    for more in ["--preset evidently", "--preset psi", "--multivariate"] {
        walk.run(&work, "monitor", &format!("monitor {more}"));
    }
    // Without a loop there is neither a version nor a target.
    let tables = Loop::new().table("old.csv", CHURN).table("new.csv", CHURN);
    walk.run(&tables, "monitor", "monitor --reference old.csv new.csv");
    work.write("few.csv", CHURN.lines().take(20).collect::<Vec<_>>().join("\n"));
    walk.run(&work, "monitor", "monitor few.csv");
    walk.run(&work, "profile", "profile churn.csv");
    walk.run(&work, "profile", "profile few.csv");
    for target in ["monthly_charge --task regression", "contract --task multiclass"] {
        let work = Loop::new().table("churn.csv", CHURN);
        work.run("split churn.csv --how hash --by customer");
        walk.run(&work, "init", &format!("init data/reference.csv --target {target}"));
        walk.run(&work, "train", "train --algorithm decision-tree --cv 2 --now 2026-11-01T00:00:00Z");
        walk.run(&work, "simulate", &format!("simulate -n 60 --with-labels {}", day(2)));
        walk.run(&work, "monitor", &format!("monitor {}", day(3)));
        walk.look(&work, &day(3));
        walk.run(&work, "run", &format!("run --force --set promote.min_improvement=0.9 {}", day(4)));
        walk.run(&work, "promote", &format!("promote --dry-run {}", day(4)));
        walk.look(&work, &day(4));
        walk.run(&work, "ab-start", &format!("ab-start {}", day(5)));
        walk.run(&work, "ab-report", &format!("ab-report {}", day(6)));
        walk.serve(&work, "");
    }
}

/// A gate that has too few rows for any test says how many it needs.
fn few(walk: &mut Walk) {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    let toml: Vec<String> = work.read("mlloop.toml").lines().map(str::to_owned).collect();
    let small = |line: String| if line.starts_with("gate = ") { "gate = 0.02".to_owned() } else { line };
    work.write("mlloop.toml", toml.into_iter().map(small).collect::<Vec<_>>().join("\n"));
    walk.run(&work, "train", &format!("train --algorithm decision-tree {}", day(1)));
    walk.run(&work, "simulate", &format!("simulate -n 60 --with-labels {}", day(2)));
    let said = walk.run(&work, "run", &format!("run --force {}", day(4)));
    assert!(said["promotion"]["report"]["judgement"]["need"].is_object(), "{said}");
    walk.run(&work, "promote", &format!("promote --dry-run {}", day(4)));
    walk.look(&work, &day(4));
}

/// Watching and deciding: each outcome of a round.
fn decide(walk: &mut Walk) {
    let work = poor("\n[labels]\nauto_export = 30\n[monitor.triggers]\nmax_age_days = 5\n");
    walk.look(&work, &day(10));
    walk.run(&work, "monitor", &format!("monitor data/reference.csv {}", day(10)));
    walk.run(&work, "monitor", &format!("monitor --multivariate {}", day(11)));
    let off =
        ["drift_share", "psi", "score_drift", "multivariate", "schema", "recent_accuracy", "metric_drop", "new_rows"];
    let off: String = off.iter().map(|name| format!(" --set monitor.triggers.{name}=false")).collect();
    let more = "--set monitor.triggers.unused_feedback=false --set monitor.triggers.max_age_days=false";
    walk.run(&work.copy(), "monitor", &format!("monitor {more}{off} {}", day(11)));
    walk.look(&work, &day(11));
    for (line, n) in [
        ("run --set retrain.min_new_labels=500", 11),
        ("run --step monitor", 11),
        ("run --step retrain", 11),
        ("run --set promote.guardrails.latency_ratio=0.0001", 11),
        ("run --set promote.min_improvement=0.9", 11),
    ] {
        let other = work.copy();
        walk.run(&other, "run", &format!("{line} {}", day(n)));
        walk.run(&other, "status", &format!("status {}", day(n)));
        walk.run(&other, "run", &format!("run {}", day(n + 1)));
    }
    let announced = work.copy();
    walk.run(&announced, "run", &format!("run --set promote.notice=2h {}", day(11)));
    walk.look(&announced, &day(11));
    walk.run(&announced, "promote", &format!("promote --set promote.notice=2h {}", day(11)));
    walk.run(&announced, "run", &format!("run --set promote.notice=2h {}", day(13)));
    let nothing = work.copy();
    std::fs::remove_file(nothing.path("data/current.csv")).unwrap();
    walk.run(&nothing, "run", &format!("run {}", day(3)));
    walk.run(&nothing, "monitor", &format!("monitor {}", day(3)));
    std::fs::remove_file(nothing.path("data/labels.csv")).unwrap();
    walk.run(&nothing, "run", &format!("run --force {}", day(3)));
    let asked = walk.run(&work, "run", &format!("run --set retrain.approval=manual {}", day(11)));
    let id = asked["request"]["id"].as_str().unwrap().to_owned();
    walk.look(&work, &day(11));
    let other = work.copy();
    walk.run(&other, "reject", &format!("reject {id} --by ann --reason x {}", day(11)));
    walk.run(&other, "run", &format!("run --set retrain.approval=manual {}", day(12)));
    walk.run(&other, "run", &format!("run --set retrain.approval=manual --yes --by ann {}", day(25)));
    walk.run(&work, "approve", &format!("approve {id} --by ann --set retrain.approval=manual {}", day(12)));
    walk.look(&work, &day(12));
    walk.run(&work, "promote", &format!("promote --dry-run {}", day(12)));
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml.replace("approval = \"auto\"", "approval = \"manual\""));
    let by_name = work.copy();
    let asked = walk.run(&by_name, "promote", &format!("promote --by eve {}", day(12)));
    let id = asked["request"]["id"].as_str().unwrap();
    walk.look(&by_name, &day(12));
    walk.run(&by_name, "approve", &format!("approve {id} --by ann {}", day(12)));
    let asked = walk.run(&work, "run", &format!("run {}", day(12)));
    let id = asked["request"]["id"].as_str().unwrap().to_owned();
    walk.look(&work, &day(12));
    let other = work.copy();
    walk.run(&other, "reject", &format!("reject {id} --by ann --reason x {}", day(12)));
    walk.run(&other, "promote", &format!("promote --version v0002 --override better --by ann {}", day(12)));
    walk.run(&work, "approve", &format!("approve {id} --by ann {}", day(12)));
    walk.look(&work, &day(12));
    walk.run(&work, "rollback", &format!("rollback --by ann {}", day(13)));
    walk.look(&work, &day(13));
    walk.run(&work, "promote", &format!("promote {}", day(13)));
    walk.run(&work, "run", &format!("run {}", day(13)));
    walk.run(&work, "audit-verify", "audit verify --deep");
    walk.run(&work, "audit-accept", "audit accept data/labels.csv --by ann");
    walk.run(&work, "audit-at", "audit at 2026-11-12");
    walk.serve(&work, "");
}

/// Predictions, labels and feedback.
fn people(walk: &mut Walk) -> Loop {
    let work = crate::simulate::trained();
    walk.run(&work, "simulate", &format!("simulate -n 300 --with-labels --drift months {}", day(3)));
    walk.run(&work, "simulate", &format!("simulate -n 200 {}", day(4)));
    walk.run(&work, "simulate", &format!("simulate -n 0 {}", day(4)));
    walk.run(&work, "monitor", &format!("monitor {}", day(4)));
    walk.look(&work, &day(4));
    let id = work.read("predictions/2026-11-04.csv").lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    walk.run(&work, "feedback", &format!("feedback {id} correct --by ann --field account=a {}", day(5)));
    walk.run(&work, "feedback", &format!("feedback {id} uncertain --by bob {}", day(5)));
    walk.run(&work, "feedback", &format!("feedback {id} incorrect --actual no --by eve {}", day(5)));
    walk.run(&work, "feedback-stats", &format!("feedback {}", day(5)));
    walk.run(&work, "feedback-list", &format!("feedback list {id} {}", day(5)));
    walk.run(&work, "feedback-list", &format!("feedback list {}", day(5)));
    walk.run(&work, "audit-for", &format!("audit --for {id}"));
    walk.run(&work, "label-export", &format!("label-export -n 60 {}", day(5)));
    walk.run(&work, "label-export", &format!("label-export -n 5 --strategy random --force {}", day(5)));
    let sheet = work.read("label_inbox/to_label.csv");
    let mut rows = csv::Reader::from_reader(sheet.as_bytes());
    let target = rows.headers().unwrap().iter().position(|name| name == "churn").unwrap();
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(rows.headers().unwrap()).unwrap();
    for (n, record) in rows.records().enumerate() {
        let record = record.unwrap();
        let answer = if n % 3 == 0 { "yes" } else { "no" };
        out.write_record(record.iter().enumerate().map(|(at, cell)| if at == target { answer } else { cell })).unwrap();
    }
    work.write("label_inbox/to_label_labeled.csv", out.into_inner().unwrap());
    walk.run(&work, "label-import", &format!("label-import --annotator ann {}", day(6)));
    let labelled = work.read("data/labels.csv");
    let chosen = labelled.lines().rfind(|line| line.contains(",human,b")).unwrap();
    walk.run(&work, "audit-for", &format!("audit --for {}", chosen.split(',').next().unwrap()));
    walk.run(&work, "label-import", &format!("label-import --annotator ann {}", day(6)));
    let closed = work.copy();
    walk.run(&closed, "label-export", &format!("label-export -n 5 --strategy random --force {}", day(6)));
    let batch = walk.found["label-export"].last().unwrap()["batch"].as_str().unwrap().to_owned();
    walk.run(&closed, "label-import-close", &format!("label-import --close {batch} {}", day(6)));
    let again = walk.run(&closed, "label-import-close", &format!("label-import --close {batch} {}", day(7)));
    assert_eq!((&again["answer"], &again["batch"]), (&"already".into(), &batch.into()), "repeating changes nothing");
    walk.look(&work, &day(6));
    walk.run(&work, "retrain", &format!("retrain --force {}", day(7)));
    walk.run(&work, "retrain", &format!("retrain --force {}", day(7)));
    walk.look(&work, &day(7));
    work
}

/// Experiments and rollouts, with and without outcomes; the server beside them, and its job.
fn experiment(walk: &mut Walk) {
    let work = people(walk);
    let gradual = "ab-start --name pay --salt s --strategy gradual --from 10% --step 30% --every 24h --min-units 30";
    walk.run(&work, "ab-start", &format!("{gradual} --plan {}", day(8)));
    let fixed = work.copy();
    let rail = "--guardrail accuracy=.05 --guardrail log_loss=.1";
    walk.run(&fixed, "ab-start", &format!("ab-start --name trees --salt s --planned-n 4000 {rail} {}", day(10)));
    walk.run(&fixed, "ab-status", &format!("ab-status {}", day(10)));
    walk.run(&fixed, "ab-report", &format!("ab-report {}", day(10)));
    walk.serve(&fixed, "");
    Log::default().units(1000, 0, &[0.5, 0.5], [70, 72]).write(&fixed);
    walk.run(&fixed, "ab-report", &format!("ab-report {}", day(12)));
    walk.look(&fixed, &day(12));
    walk.run(&fixed, "ab-stop", &format!("ab-stop --promote-winner {}", day(12)));
    walk.run(&fixed, "ab-stop", &format!("ab-stop {}", day(12)));
    walk.look(&fixed, &day(13));
    let shadow = work.copy();
    walk.run(&shadow, "ab-start", &format!("ab-start --shadow --planned-n 100 {}", day(8)));
    walk.run(&shadow, "ab-report", &format!("ab-report {}", day(9)));
    walk.serve(&shadow, "");
    walk.run(&work, "ab-start", &format!("{gradual} {rail} {}", day(8)));
    walk.look(&work, &day(8));
    walk.run(&work, "ab-step", &format!("ab-step {}", day(8)));
    walk.run(&work, "run", &format!("run {}", day(9)));
    walk.run(&work, "ab-stop", &format!("ab-stop {}", day(9)));
    walk.look(&work, &day(9));
    let mut server = Server::start(&work, "--run-every 1h --run-at new_rows");
    walk.ask(&server);
    let body = json!({ "rows": [serde_json::from_str::<Value>(&row("R1", 3)).unwrap()] }).to_string();
    let (_, said) = server.client().post("/predict", &body).unwrap();
    walk.keep("serve-predict", said);
    let (_, said) = server.client().post("/predict?explain=2", &row("R2", 3)).unwrap();
    walk.keep("serve-predict", said);
    server.stop();
    walk.serve(&work, "--run-at new_rows");
    walk.serve(&work, "--set monitor.triggers.new_rows=false --set monitor.triggers.unused_feedback=false");
    let mut server = Server::start(&work, "--run-every 1s");
    let started = std::time::Instant::now();
    loop {
        walk.ask(&server);
        let told = &walk.found["serve-retrain-status"].last().unwrap()["job"];
        if told["exit_status"].is_number() {
            break;
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(60), "{told}");
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    server.stop();
}

/// An experiment in which people get outcomes: one that is won and promoted, with a guardrail that is measured and rows of
/// before; one that is compared row by row; one that nobody wins.
fn outcomes(walk: &mut Walk) {
    let work = better("");
    let start = "--salt s --planned-n 4000 --label-window 1d --now 2026-11-10T00:00:00Z";
    let (shadow, even) = (work.copy(), work.copy());
    let rail = "--metric accuracy --guardrail log_loss=.5 --guardrail brier=.1";
    walk.run(&work, "ab-start", &format!("ab-start --name won {rail} {start}"));
    walk.run(&work, "ab-report-assign", "ab-report --assign 10042 --assign 7 --json");
    Log::default().units(1_500, 0, &[0.5, 0.5], [60, 90]).write(&work);
    walk.look(&work, &day(13));
    walk.run(&work, "ab-report", &format!("ab-report --margin .2 {}", day(13)));
    walk.serve(&work, "");
    walk.run(&work, "audit-at", "audit at 2026-11-13");
    walk.run(&work, "ab-stop", &format!("ab-stop --promote-winner --by ann {}", day(13)));
    walk.look(&work, &day(13));
    walk.run(&shadow, "ab-start", &format!("ab-start --shadow {start}"));
    Log::default().units(600, 0, &[0.5, 0.5], [70, 80]).write(&shadow);
    walk.run(&shadow, "ab-report", &format!("ab-report {}", day(13)));
    walk.run(&even, "ab-start", &format!("ab-start --name even {start}"));
    Log::default().units(1_500, 0, &[0.5, 0.5], [75, 75]).write(&even);
    walk.run(&even, "ab-report", &format!("ab-report --margin .3 {}", day(13)));
    walk.run(&even, "ab-stop", &format!("ab-stop --promote-winner {}", day(13)));
}

/// What is asked beside the loop: the demo, several loops, a chain that is made again, an MLflow server.
fn beside(walk: &mut Walk) {
    let work = Loop::new();
    walk.run(&work, "demo", "demo there --tables --json");
    std::fs::create_dir_all(work.path("loops/a")).unwrap();
    work.write("loops/a/churn.csv", CHURN);
    work.run("-C loops/a init loops/a/churn.csv").answers(YES);
    walk.run(&work, "several", "-C 'loops/*' status");
    work.run("-C loops/a train --algorithm gradient-boosting --set model.max_leaves=4").answers(YES);
    for verb in ["status", "report", "run"] {
        walk.run(&work, "several", &format!("-C 'loops/*' {verb} --json"));
    }
    walk.run(&work, "status", "-C loops/a status");
    walk.run(&work, "audit-replay", "-C loops/a audit replay v0001");
    let (mock, _) = crate::track::server("");
    let uri = format!("--set track.uri={}", mock.url("127.0.0.1", ""));
    walk.run(&work, "track", &format!("-C loops/a track {uri}"));
    walk.run(&work, "track", &format!("-C loops/a track sync {uri}"));
}

#[test]
fn every_answer_is_what_its_schema_says() {
    let mut walk = Walk::default();
    beside(&mut walk);
    outcomes(&mut walk);
    begin(&mut walk);
    few(&mut walk);
    decide(&mut walk);
    experiment(&mut walk);
    let mut wrong = std::mem::take(&mut walk.failed);
    for (name, examples) in &walk.found {
        let path = dir().join(format!("{name}.json"));
        let root = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap(),
            Err(err) => panic!("{}: {err}", path.display()),
        };
        let schema = Schema { root };
        let found = examples.iter().flat_map(|example| schema.problems(example, name));
        wrong.extend(found.collect::<BTreeSet<_>>());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let files = std::fs::read_dir(dir()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let known = |file: &String| walk.found.contains_key(file.trim_end_matches(".json")) || file == "README.md";
    assert_eq!(files.filter(|file| !known(file)).collect::<Vec<_>>(), Vec::<String>::new());
}
