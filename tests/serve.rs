//! `serve` as a process: it answers, changes over, is killed and is stopped.

mod connections;
pub mod client;

use crate::readme::{fits, transcript};
use crate::support::{ERROR, Loop, YES};
use client::{Server, row};
use mlloop::registry::{Roles, Version};
use mlloop::workspace::audit::Event;
use mlloop::workspace::{EventKind, Workspace};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// A loop with this many versions, the first in production.
fn trained(n_versions: u64) -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    for seed in 0..n_versions {
        let toml = work.read("mlloop.toml");
        let trees = format!("n_estimators = {}", 10 + seed);
        let toml = toml.lines().map(|line| if line.contains("n_estimators") { trees.as_str() } else { line });
        work.write("mlloop.toml", toml.collect::<Vec<_>>().join("\n"));
        work.run(&format!("train --seed {seed}")).answers(YES);
    }
    work
}

/// Makes a version production, as `promote` and `rollback` do.
fn promote(work: &Loop, version: u32) {
    let workspace = Workspace::new(work.path(""));
    let lock = workspace.lock().unwrap();
    let roles = Roles { production: Some(Version(version)), ..workspace.registry().roles().unwrap() };
    let at = jiff::Timestamp::now();
    workspace
        .record(&lock, Event { at, event: EventKind::Promoted, by: None, roles: Some(roles), details: Value::Null })
        .unwrap();
}

/// The ids in the log; every line is whole.
fn logged_ids(work: &Loop) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for entry in std::fs::read_dir(work.path("predictions")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let width = text.lines().next().unwrap().split(',').count();
        // A line that the death cut short is the last, without a newline, and was never acknowledged.
        for line in text.split_inclusive('\n').skip(1).filter_map(|line| line.strip_suffix('\n')) {
            assert_eq!(line.split(',').count(), width, "{line}");
            ids.insert(line.split(',').next().unwrap().to_owned());
        }
    }
    ids
}

/// A server whose loop is only read leaves it as it is: it may not be allowed to write there.
#[test]
fn a_server_that_logs_nothing_writes_nothing() {
    let work = trained(1);
    let before = work.files();
    let mut server = Server::start(&work, "--no-log");
    for path in ["/", "/health", "/ready", "/models", "/retrain/status", "/ab/status", "/metrics", "/ui", "/docs"] {
        server.get(path);
    }
    assert_eq!(server.client().post("/predict", &row("C1", 3)).unwrap().0, 200);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(work.files(), before);
    assert!(!work.path("runs/jobs").exists());
}

#[test]
fn it_answers_and_stops_when_asked() {
    let work = trained(1);
    let mut server = Server::start(&work, "");
    let mut client = server.client();
    let (status, answer) = client.post("/predict", &row("C1", 3)).unwrap();
    assert_eq!((status, &answer["id"], &answer["version"]), (200, &json!("C1"), &json!("v0001")));
    let said =
        work.pipe("predict - --columns score,prediction", format!("{}\nC1,monthly,3,dsl,yes,63.9,191.7,0\n", header()));
    let told = said.answers(YES).stdout;
    let expected = format!("score,prediction\n{},{}\n", answer["score"], answer["prediction"].as_str().unwrap());
    assert_eq!(told, expected, "served as predict scores it");
    assert_eq!(server.stop(), Some(0));
    assert_eq!(logged_ids(&work), BTreeSet::from(["C1".to_owned()]));
    assert!(TcpStream::connect(&server.address).is_err());
}

fn header() -> &'static str {
    CHURN.lines().next().unwrap().strip_suffix(",churn").unwrap()
}

/// Asks with new ids on every connection until told to stop or the server is gone; the ids that were acknowledged.
fn load(server: &Server, n_clients: usize, stop: &AtomicBool, check: impl Fn(u16, &Value) + Sync) -> BTreeSet<String> {
    let acknowledged = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for client_no in 0..n_clients {
            let (acknowledged, check) = (&acknowledged, &check);
            scope.spawn(move || {
                let mut client = server.client();
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = format!("{client_no}-{n}");
                    let Ok((status, answer)) = client.post("/predict_ab", &row(&id, n % 70)) else { break };
                    check(status, &answer);
                    if status == 200 {
                        acknowledged.lock().unwrap().insert(id);
                    }
                }
            });
        }
    });
    acknowledged.into_inner().unwrap()
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    for options in ["--log-sync always", "--log-sync batch"] {
        let work = trained(1);
        let mut server = Server::start(&work, options);
        let stop = AtomicBool::new(false);
        let pid = server.pid();
        let acknowledged = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(700));
                client::kill("KILL", pid);
            });
            load(&server, 6, &stop, |status, answer| assert_eq!(status, 200, "{answer}"))
        });
        assert_eq!(server.exit(), None, "{options}: it was killed");
        assert!(acknowledged.len() > 20, "{options}: {} were acknowledged", acknowledged.len());
        let logged = logged_ids(&work);
        let lost: Vec<&String> = acknowledged.difference(&logged).collect();
        assert!(lost.is_empty(), "{options}: {lost:?} of {} are lost", acknowledged.len());
        // The next server goes on where the dead one stopped.
        let mut server = Server::start(&work, options);
        assert_eq!(server.client().post("/predict", &row("after", 1)).unwrap().0, 200);
        assert_eq!(server.stop(), Some(0));
        let now = logged_ids(&work);
        assert!(now.contains("after") && now.is_superset(&logged));
    }
}

#[test]
fn versions_change_under_load_and_no_request_fails() {
    let work = trained(2);
    let mut server = Server::start(&work, "--log-sync batch");
    let scores: Mutex<HashMap<(String, u64), u64>> = Mutex::default();
    let stop = AtomicBool::new(false);
    let check = |status, answer: &Value| {
        assert_eq!(status, 200, "{answer}");
        // The same row has one score per version, whenever it is asked.
        let id = answer["id"].as_str().unwrap().rsplit('-').next().unwrap().parse::<u64>().unwrap() % 70;
        let key = (answer["version"].as_str().unwrap().to_owned(), id);
        let score = answer["score"].as_f64().unwrap().to_bits();
        assert_eq!(*scores.lock().unwrap().entry(key).or_insert(score), score);
    };
    let acknowledged = std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..20 {
                promote(&work, 2 - turn % 2);
                std::thread::sleep(Duration::from_millis(150));
            }
            stop.store(true, Ordering::Relaxed);
        });
        load(&server, 4, &stop, check)
    });
    let versions: BTreeSet<String> = scores.into_inner().unwrap().into_keys().map(|(version, _)| version).collect();
    assert_eq!(versions.len(), 2, "{versions:?}");
    // A change shows within a second.
    promote(&work, 2);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(server.client().post("/predict", &row("last", 1)).unwrap().1["version"], "v0002");
    assert!(server.get("/metrics").contains("mlloop_reload_failures_total 0\n"));
    assert_eq!(server.stop(), Some(0));
    assert!(logged_ids(&work).is_superset(&acknowledged));
}

#[test]
fn predictions_go_on_while_the_loop_is_locked() {
    let work = trained(1);
    let mut server = Server::start_with(&work, "", &[("MLLOOP_TOKEN", "m4ster")]);
    assert_eq!(server.client().post("/predict", &row("C1", 3)).unwrap().0, 200);
    let lock = Workspace::new(work.path("")).lock().unwrap();
    let over = AtomicBool::new(false);
    let (statuses, slowest) = std::thread::scope(|scope| {
        let (server, over) = (&server, &over);
        let feedback = |_| {
            scope.spawn(move || {
                let (mut client, mut statuses) = (server.client(), Vec::new());
                let body = r#"{"id": "C1", "verdict": "correct", "by": "ann"}"#;
                while !over.load(Ordering::Relaxed) {
                    statuses.push(client.ask_with("POST", "/feedback", body, "m4ster").unwrap().0);
                }
                statuses
            })
        };
        let feedback: Vec<_> = (0..16).map(feedback).collect();
        std::thread::sleep(Duration::from_millis(300));
        let mut client = server.client();
        let mut slowest = Duration::ZERO;
        for n in 0..50 {
            let asked = Instant::now();
            assert_eq!(client.post("/predict", &row(&format!("n{n}"), 3)).unwrap().0, 200);
            slowest = slowest.max(asked.elapsed());
        }
        over.store(true, Ordering::Relaxed);
        (feedback.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<u16>>(), slowest)
    });
    assert!(!statuses.is_empty() && statuses.iter().all(|status| *status == 202), "{statuses:?}");
    // Once they waited with the feedback for the lock: seconds each.
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert!(!work.path("data/feedback.csv").exists());
    let wrong = r#"{"id": "nobody", "verdict": "correct"}"#;
    assert_eq!(server.client().ask_with("POST", "/feedback", wrong, "m4ster").unwrap().0, 422);
    drop(lock);
    let begun = Instant::now();
    while work.path("runs/waiting.jsonl").exists() || work.path("runs/taking.jsonl").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(work.read("data/feedback.csv").lines().count(), 2, "one person said one thing many times");
    let taken = server.client().ask_with("POST", "/feedback", r#"{"id": "C1", "verdict": "correct"}"#, "m4ster");
    assert_eq!(taken.unwrap().0, 200);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn the_loop_runs_beside_serving() {
    let work = trained(1);
    let mut server = Server::start(&work, "--run-every 1s");
    let started = Instant::now();
    let job = loop {
        let told: Value = serde_json::from_str(&server.get("/retrain/status")).unwrap();
        if told["job"]["state"] == "idle" && told["job"]["n_rounds"].as_u64() >= Some(1) {
            break told["job"].clone();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{told}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(server.client().post("/predict", &row("C1", 3)).unwrap().0, 200);
    assert_eq!(server.stop(), Some(0));
    // It is what `mlloop run` says.
    let alone = work.run("run");
    assert_eq!((&job["reason"], &job["exit_status"]), (&json!("every"), &json!(alone.status)), "{job}");
    let told: Value = serde_json::from_str(&alone.stdout).unwrap();
    assert_eq!(job["done"], told["done"], "{job}");
    assert!(!job["said"].as_str().unwrap().is_empty());
    work.run("serve --port 0 --run-at nothing").answers(ERROR).says("--run-at");
}

#[test]
fn a_trigger_runs_the_loop_while_predictions_go_on() {
    let work = trained(1);
    work.write("mlloop.toml", work.read("mlloop.toml") + "\n[monitor.triggers]\nnew_rows = 20\n");
    let mut server = Server::start(&work, "--run-at new_rows");
    let mut client = server.client();
    let job = |server: &Server| -> Value {
        serde_json::from_str::<Value>(&server.get("/retrain/status")).unwrap()["job"].clone()
    };
    let mut ask = |n: usize| {
        let body = format!("{{\"rows\": [{}], \"true_labels\": [\"yes\"]}}", row(&format!("R{n}"), 3 + n as i64 % 50));
        // Scores are given and outcomes are kept whatever the round does.
        assert_eq!(client.post("/predict", &row(&format!("P{n}"), 3)).unwrap().0, 200);
        assert_eq!(client.post("/predict", &body).unwrap().0, 200);
    };
    (0..19).for_each(&mut ask);
    assert_eq!(job(&server)["n_rounds"], 0, "19 of 20");
    let started = Instant::now();
    let mut n = 19;
    let done = loop {
        // Predictions with outcomes go on before, during and after the round.
        ask(n);
        n += 1;
        let told = job(&server);
        if told["state"] == "idle" && told["n_rounds"].as_u64() >= Some(1) {
            break told;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{told}");
    };
    assert_eq!(done["reason"], "new_rows", "{done}");
    assert!(done["exit_status"].is_number() && done["exit_status"] != 2, "{done}");
    assert_eq!(server.stop(), Some(0));
    assert_eq!(work.read("data/labels.csv").matches(",outcome,").count(), n);
}

#[test]
fn replicas_and_restarts_agree_on_arms() {
    let work = trained(2);
    let mut ab: Value = serde_json::from_str(include_str!("../fixtures/tables/ab.json")).unwrap();
    ab["arms"] = json!([{ "name": "a", "version": "v0001" }, { "name": "b", "version": "v0002" }]);
    ab["unit"] = "customer".into();
    ab["shadow"] = false.into();
    ab["epochs"] = json!([{ "from": "2026-11-01T08:00:00Z", "weights": [0.6, 0.4] }]);
    ab.as_object_mut().unwrap().remove("rollout");
    work.write("ab.json", ab.to_string());
    let arms = |server: &Server| {
        let mut client = server.client();
        let arm = |n| client.post("/predict_ab", &row(&format!("unit-{n}"), 3)).unwrap().1["arm"].clone();
        (0..60).map(arm).collect::<Vec<Value>>()
    };
    let (mut first, mut second) = (Server::start(&work, "--log-sync off"), Server::start(&work, "--log-sync off"));
    let (one, other) = (arms(&first), arms(&second));
    assert_eq!(one, other);
    let expected = mlloop::ab::Assigner::new(ab["salt"].as_str().unwrap(), &[0.6, 0.4]);
    let expected = |n: usize| Value::from(["a", "b"][expected.arm(format!("unit-{n}").as_bytes())]);
    assert_eq!(one, (0..60).map(expected).collect::<Vec<_>>());
    assert_eq!((first.stop(), second.stop()), (Some(0), Some(0)));
    let mut again = Server::start(&work, "--log-sync off");
    assert_eq!(arms(&again), one);
    assert_eq!(again.stop(), Some(0));
}

#[test]
fn what_keeps_it_from_starting_is_one_line() {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("serve --port 0").answers(ERROR).says("no loop here");
    work.run("init churn.csv").answers(YES);
    work.run("train").answers(YES);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    work.run(&format!("serve --port {port}")).answers(ERROR).says(&format!("cannot listen on 127.0.0.1:{port}"));
    for (option, value) in [
        ("--patience", "0"),
        ("--patience", "1e-9"),
        ("--patience", "nan"),
        ("--patience", "2d"),
        ("--grace", "forever"),
        ("--max-connections", "0"),
        ("--max-connections", "18446744073709551615"),
        ("--max-in-flight", "0"),
        ("--max-rows", "0"),
        ("--max-body", "0"),
        ("--max-body", "4294967296"),
    ] {
        work.run(&format!("serve --port 0 {option} {value}")).answers(ERROR).says(option);
    }
    for host in ["0.0.0.0", "::"] {
        work.run(&format!("serve --port 0 --host {host}")).answers(ERROR).says("MLLOOP_PREDICT_TOKEN");
    }
    work.write("models/v0001/model.bin", "damaged");
    work.run("serve --port 0").answers(ERROR).says("model.bin");
}

#[test]
fn the_page_about_serving_is_true() {
    let work = trained(1);
    let mut server = Server::start(&work, "");
    for (command, expected) in transcript(include_str!("../docs/serving.md")) {
        let said = server.curl(&command);
        let (want, have): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), said.lines().collect());
        assert!(fits(&want, &have), "docs/serving.md: $ {command}\n--- said to print\n{expected}--- prints\n{said}");
    }
    assert_eq!(server.stop(), Some(0));
}
