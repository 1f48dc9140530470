//! docs/schemas: a JSON Schema of what each verb prints as JSON.
//!
//! Loops of several kinds are walked through, and after each step every verb that only reads is asked, and the server. Every
//! answer on the way is an example. The schemas in `docs/schemas` must allow each of them, and must name no property that no
//! example has. What was null or absent in one state may be both in any. `MLLOOP_WRITE_SCHEMAS=1` writes them anew, after a
//! change of an answer that is meant.

use crate::ab_loop::Log;
use crate::run::poor;
use crate::serve::client::{Server, row};
use crate::support::{Loop, YES};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

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

/// Objects whose keys are data: classes, strata, places, parameters. Their values have one schema.
const MAPS: [&str; 12] = [
    "features_from",
    "strata",
    "by_class",
    "label_rates",
    "params",
    "details",
    "result",
    "fields",
    "counts",
    "verdict_counts",
    "classes",
    "rows_by_class",
];

/// What examples have in common, as a JSON Schema.
fn schema(examples: &[&Value]) -> Value {
    let mut types = BTreeSet::new();
    for example in examples {
        types.insert(match example {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        });
    }
    // Every whole number is a number.
    if types.contains("number") {
        types.remove("integer");
    }
    let mut schema = Map::new();
    let types: Vec<&str> = types.into_iter().collect();
    // What was null in every state may be anything in another.
    if types != ["null"] {
        schema.insert("type".to_owned(), if types.len() == 1 { json!(types[0]) } else { json!(types) });
    }
    let items: Vec<&Value> = examples.iter().filter_map(|example| example.as_array()).flatten().collect();
    if types.contains(&"array") {
        schema.insert("items".to_owned(), if items.is_empty() { json!({}) } else { self::schema(&items) });
    }
    let objects: Vec<&Map<String, Value>> = examples.iter().filter_map(|example| example.as_object()).collect();
    if !objects.is_empty() {
        let names: BTreeSet<&String> = objects.iter().flat_map(|object| object.keys()).collect();
        let mut properties = Map::new();
        let mut required = Vec::new();
        for name in &names {
            let values: Vec<&Value> = objects.iter().filter_map(|object| object.get(*name)).collect();
            let mut told = match MAPS.contains(&name.as_str()) {
                true => map(&values),
                false => self::schema(&values),
            };
            // What nobody knows in one state is absent in another.
            let is_there = values.len() == objects.len() && !values.iter().any(|value| value.is_null());
            match is_there && !options().contains(name.as_str()) {
                true => required.push(*name),
                false => allow_null(&mut told),
            }
            properties.insert((*name).clone(), told);
        }
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("required".to_owned(), json!(required));
    }
    Value::Object(schema)
}

/// Names of fields that are an `Option` wherever the source has a field of that name: they may be null though no walk met it.
fn options() -> &'static BTreeSet<String> {
    static FOUND: OnceLock<BTreeSet<String>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut all: BTreeMap<String, bool> = BTreeMap::new();
        let mut dirs = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                for line in text.lines().filter_map(|line| line.trim().strip_suffix(',')) {
                    let line = line.strip_prefix("pub(super) ").or(line.strip_prefix("pub ")).unwrap_or(line);
                    let Some((name, kind)) = line.split_once(": ") else { continue };
                    // A value of a struct looks like a field, but for its small letters.
                    let is_field = kind.starts_with(|c: char| c.is_ascii_uppercase()) || is_plain(kind);
                    if is_field && name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                        let is_option = kind.starts_with("Option<");
                        all.entry(name.to_owned()).and_modify(|all| *all &= is_option).or_insert(is_option);
                    }
                }
            }
        }
        all.into_iter().filter(|(_, is_option)| *is_option).map(|(name, _)| name).collect()
    })
}

/// Whether a type is written in small letters.
fn is_plain(kind: &str) -> bool {
    let kind = kind.trim_start_matches("&'static ").trim_start_matches('&');
    ["bool", "str", "u8", "u16", "u32", "u64", "usize", "i32", "i64", "f32", "f64"].contains(&kind)
        || kind.starts_with('[')
        || kind.starts_with('(')
}

fn allow_null(schema: &mut Value) {
    let mut types: Vec<String> = match &schema["type"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return,
    };
    if !types.iter().any(|name| name == "null") {
        types.push("null".to_owned());
        types.sort();
        schema["type"] = json!(types);
    }
}

/// The schema of objects whose keys are data, and of what else stands in their place.
fn map(values: &[&Value]) -> Value {
    let inner: Vec<&Value> = values.iter().filter_map(|value| value.as_object()).flat_map(Map::values).collect();
    let others: Vec<&Value> = values.iter().copied().filter(|value| !value.is_object()).collect();
    if !others.is_empty() {
        return schema(values);
    }
    let inner = if inner.is_empty() || inner.iter().any(|value| value.is_object() || value.is_array()) {
        json!({})
    } else {
        schema(&inner)
    };
    json!({ "type": "object", "additionalProperties": inner })
}

/// Where `value` is not what `schema` allows; empty when it is.
fn problems(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let allowed: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    if !allowed.into_iter().any(is) {
        found.push(format!("{place}: {value} is not of the type {}", schema["type"]));
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        problems(&schema["items"], item, &format!("{place}/{n}"), found);
    }
    let Some(object) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            found.push(format!("{place}: has no {name:?}"));
        }
    }
    for (name, inner) in object {
        match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
            Some(schema) => problems(schema, inner, &format!("{place}/{name}"), found),
            None => found.push(format!("{place}: {name:?} is not known")),
        }
    }
}

/// The place of each property that a schema names.
fn names(schema: &Value, place: &str, found: &mut BTreeSet<String>) {
    if let Some(items) = schema.get("items") {
        names(items, &format!("{place}/*"), found);
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}/{name}");
        names(inner, &place, found);
        found.insert(place);
    }
}

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
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
    walk.run(&work, "audit-at", "audit at 2020-01-01");
    walk.run(&work, "ab-report", "ab-report churn.csv --arm internet --outcome support_calls --unit customer --force");
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

#[test]
fn every_answer_is_what_its_schema_says() {
    let mut walk = Walk::default();
    begin(&mut walk);
    few(&mut walk);
    decide(&mut walk);
    experiment(&mut walk);
    let mut wrong = std::mem::take(&mut walk.failed);
    for (name, examples) in &walk.found {
        let examples: Vec<&Value> = examples.iter().collect();
        let mut told = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": format!("mlloop {}", name.replace('-', " ").replace("ab ", "ab-").replace("label ", "label-")),
        });
        let made = schema(&examples);
        for (key, value) in made.as_object().unwrap() {
            told[key] = value.clone();
        }
        let path = dir().join(format!("{name}.json"));
        #[expect(clippy::disallowed_methods, reason = "a person asks for it")]
        if std::env::var("MLLOOP_WRITE_SCHEMAS").is_ok() {
            std::fs::create_dir_all(dir()).unwrap();
            std::fs::write(&path, serde_json::to_string_pretty(&told).unwrap() + "\n").unwrap();
        }
        let kept: Value = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap(),
            Err(err) => panic!("{}: {err}", path.display()),
        };
        examples.iter().for_each(|example| problems(&kept, example, name, &mut wrong));
        let (mut said, mut shown) = (BTreeSet::new(), BTreeSet::new());
        names(&kept, "", &mut said);
        names(&told, "", &mut shown);
        let unseen: Vec<&String> = said.difference(&shown).collect();
        if !unseen.is_empty() {
            wrong.push(format!("{name}: no answer has {unseen:?}; MLLOOP_WRITE_SCHEMAS=1 writes the schema anew"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let files = std::fs::read_dir(dir()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let known = |file: &String| walk.found.contains_key(file.trim_end_matches(".json")) || file == "README.md";
    assert_eq!(files.filter(|file| !known(file)).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn what_a_schema_does_not_allow_is_found() {
    let examples = [json!({ "a": 1, "b": [1.5], "strata": { "x": 1 } }), json!({ "a": null, "b": [], "strata": {} })];
    let schema = schema(&examples.iter().collect::<Vec<_>>());
    let of = |value: Value| {
        let mut found = Vec::new();
        problems(&schema, &value, "", &mut found);
        found
    };
    assert_eq!(schema["properties"]["a"]["type"], json!(["integer", "null"]));
    for fits in [json!({ "a": 7, "b": [1, 2.5], "strata": { "y": 3 } }), examples[1].clone()] {
        assert_eq!(of(fits), Vec::<String>::new());
    }
    for (value, says) in [
        (json!({ "a": 1.5, "b": [], "strata": {} }), "/a: 1.5 is not of the type"),
        (json!({ "a": 1, "b": ["x"], "strata": {} }), "/b/0: "),
        (json!({ "a": 1, "strata": {} }), "has no \"b\""),
        (json!({ "a": 1, "b": [], "strata": {}, "c": 1 }), "\"c\" is not known"),
        (json!({ "a": 1, "b": [], "strata": { "x": "y" } }), "/strata/x: "),
    ] {
        let found = of(value.clone()).join("\n");
        assert!(found.contains(says), "{value}: {found}");
    }
}
