//! An MLflow server is told of the loop's changes: once each, with their times, and without any secret in a file.
//!
//! The server here is a stand-in that remembers; `tests/neighbours/mlflow.rs` starts the real one.

use crate::mock::{Asked, Mock, Reply};
use crate::support::{ERROR, Loop, NO, YES};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// What a tracking server keeps.
#[derive(Debug, Default)]
pub struct Kept {
    pub runs: Vec<Value>,
    pub models: Vec<Value>,
    pub versions: Vec<Value>,
    pub aliases: BTreeMap<String, String>,
    pub artifacts: BTreeMap<String, usize>,
    pub registered: bool,
    pub experiment: Option<String>,
    /// Calls that are answered before trouble begins; none when absent.
    pub calls_left: Option<usize>,
}

type Shared = Arc<Mutex<Kept>>;

fn refused(status: u16, code: &str) -> Reply {
    Reply::json(status, &json!({ "error_code": code, "message": format!("{code} is what it is") }).to_string())
}

/// Answers as MLflow 3 does, as far as it is asked.
fn mlflow(kept: &mut Kept, asked: &Asked) -> Reply {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    if let Some(stored) = path.strip_prefix("/api/2.0/mlflow-artifacts/artifacts/") {
        kept.artifacts.insert(stored.to_owned(), asked.body.len());
        return Reply::json(200, "{}");
    }
    if path == "/api/2.0/mlflow-artifacts/artifacts" {
        return Reply::json(200, "{\"files\": []}");
    }
    let body: Value = serde_json::from_str(&asked.body).unwrap_or(Value::Null);
    let of = |runs: &[Value], id: &Value| runs.iter().position(|run| run["info"]["run_id"] == *id);
    let answer = match (asked.method.as_str(), path.strip_prefix("/api/2.0/mlflow/").unwrap_or("?")) {
        ("GET", "experiments/get-by-name") => match &kept.experiment {
            None => return refused(404, "RESOURCE_DOES_NOT_EXIST"),
            Some(_) => json!({ "experiment": { "experiment_id": "7", "lifecycle_stage": "active" } }),
        },
        ("POST", "experiments/create") => {
            kept.experiment = body["name"].as_str().map(str::to_owned);
            json!({ "experiment_id": "7" })
        }
        ("POST", "runs/search") => {
            let hash = body["filter"].as_str().unwrap().split('\'').nth(1).unwrap().to_owned();
            let has = |run: &&Value| run["data"]["tags"].as_array().unwrap().iter().any(|tag| tag["value"] == *hash);
            json!({ "runs": kept.runs.iter().filter(has).collect::<Vec<_>>() })
        }
        ("POST", "runs/create") => {
            let id = format!("run{}", kept.runs.len());
            let uri = format!("mlflow-artifacts:/7/{id}/artifacts");
            let info = json!({ "run_id": id, "status": "RUNNING", "artifact_uri": uri, "start_time": body["start_time"],
                "run_name": body["run_name"] });
            kept.runs.push(
                json!({ "info": info, "data": { "tags": body["tags"], "params": [], "metrics": [] }, "inputs": [] }),
            );
            json!({ "run": kept.runs.last() })
        }
        ("POST", "runs/log-batch" | "runs/log-inputs" | "runs/update" | "runs/set-tag" | "runs/outputs") => {
            let n = of(&kept.runs, &body["run_id"]).expect("a run that is there");
            let run = &mut kept.runs[n];
            for key in ["params", "metrics"] {
                run["data"][key].as_array_mut().unwrap().extend(body[key].as_array().into_iter().flatten().cloned());
            }
            if body["status"].is_string() {
                run["info"]["status"] = body["status"].clone();
                run["info"]["end_time"] = body["end_time"].clone();
            }
            run["inputs"].as_array_mut().unwrap().extend(body["datasets"].as_array().into_iter().flatten().cloned());
            if body["models"].is_array() {
                run["outputs"] = json!({ "model_outputs": body["models"] });
            }
            json!({})
        }
        ("GET", "runs/get") => {
            let id = query.trim_start_matches("run_id=");
            json!({ "run": kept.runs[of(&kept.runs, &id.into()).unwrap()] })
        }
        ("POST", "logged-models/search") => {
            let run = body["filter"].as_str().unwrap().split('\'').nth(1).unwrap().to_owned();
            json!({ "models": kept.models.iter().filter(|m| m["info"]["source_run_id"] == *run).collect::<Vec<_>>() })
        }
        ("POST", "logged-models") => {
            let id = format!("m-{}", kept.models.len());
            let uri = format!("mlflow-artifacts:/7/models/{id}/artifacts");
            kept.models.push(
                json!({ "info": { "model_id": id, "artifact_uri": uri, "source_run_id": body["source_run_id"] } }),
            );
            json!({ "model": kept.models.last() })
        }
        ("PATCH", _) => json!({ "model": {} }),
        ("POST", "registered-models/create") if kept.registered => return refused(400, "RESOURCE_ALREADY_EXISTS"),
        ("POST", "registered-models/create") => {
            kept.registered = true;
            json!({})
        }
        ("GET", "registered-models/get") if !kept.registered => return refused(404, "RESOURCE_DOES_NOT_EXIST"),
        ("GET", "registered-models/get") => {
            let set: Vec<Value> = kept.aliases.iter().map(|(a, v)| json!({ "alias": a, "version": v })).collect();
            json!({ "registered_model": { "aliases": set } })
        }
        ("GET", "model-versions/search") => {
            let run = query.split("%27").nth(1).unwrap();
            json!({ "model_versions": kept.versions.iter().filter(|v| v["run_id"] == *run).collect::<Vec<_>>() })
        }
        ("POST", "model-versions/create") => {
            let number = (kept.versions.len() + 1).to_string();
            kept.versions.push(
                json!({ "name": body["name"], "version": number, "run_id": body["run_id"], "source": body["source"] }),
            );
            json!({ "model_version": kept.versions.last() })
        }
        ("POST", "registered-models/alias") => {
            let text = |key: &str| body[key].as_str().unwrap().to_owned();
            kept.aliases.insert(text("alias"), text("version"));
            json!({})
        }
        ("DELETE", "registered-models/alias") => {
            kept.aliases.remove(body["alias"].as_str().unwrap());
            json!({})
        }
        other => panic!("{other:?}"),
    };
    Reply::json(200, &answer.to_string())
}

/// The stand-in, which wants `authorization` when that is not empty.
pub fn server(authorization: &'static str) -> (Mock, Shared) {
    let kept = Shared::default();
    let inside = Arc::clone(&kept);
    let mock = Mock::start(move |asked, _| {
        let mut kept = inside.lock().unwrap();
        if asked.header("authorization").unwrap_or("") != authorization {
            return Reply::new(401, "who are you?");
        }
        match &mut kept.calls_left {
            Some(0) => return Reply::json(500, "{\"message\": \"out of order: hunter2\"}"),
            Some(left) => *left -= 1,
            None => {}
        }
        mlflow(&mut kept, asked)
    });
    (mock, kept)
}

fn churn() -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work
}

const TRAIN: &str = "train --algorithm decision-tree";
const AT: &str = "--now 2026-11-20T08:30:00Z";

#[test]
fn a_version_is_told_once_with_its_time_its_files_and_its_aliases() {
    let (mock, kept) = server("");
    let work = churn();
    let uri =
        format!("--set track.uri={} --set track.experiment=ours --set track.model=churners", mock.url("127.0.0.1", ""));
    work.run(&format!("{TRAIN} {AT} {uri}")).answers(YES);
    {
        let kept = kept.lock().unwrap();
        assert_eq!(kept.experiment.as_deref(), Some("ours"));
        let run = &kept.runs[0];
        assert_eq!(run["info"]["start_time"], 1_795_163_400_000_i64);
        assert_eq!((&run["info"]["run_name"], &run["info"]["status"]), (&"v0001 trained".into(), &"FINISHED".into()));
        assert!(run["info"]["end_time"].as_i64() >= run["info"]["start_time"].as_i64());
        let has = |list: &str, key: &str| run["data"][list].as_array().unwrap().iter().any(|one| one["key"] == key);
        for metric in ["roc_auc", "roc_auc_low", "roc_auc_high"] {
            assert!(has("metrics", metric), "{metric}: {run:#}");
        }
        assert!(has("params", "rows.train") && has("params", "seed"), "{run:#}");
        let sha256 = crate::download::sha256(CHURN.as_bytes());
        assert_eq!(run["inputs"][0]["dataset"]["digest"], sha256[..36]);
        for file in [
            "7/run0/artifacts/importance.svg",
            "7/run0/artifacts/classification_report.txt",
            "7/models/m-0/artifacts/model.onnx",
            "7/models/m-0/artifacts/MLmodel",
        ] {
            assert!(kept.artifacts.get(file).is_some_and(|len| *len > 20), "{file}: {:?}", kept.artifacts);
        }
        assert!(kept.artifacts.keys().all(|name| !name.ends_with(".pkl")));
        assert_eq!(run["outputs"]["model_outputs"][0]["model_id"], "m-0");
        assert_eq!(
            kept.versions,
            [json!({ "name": "churners", "version": "1", "run_id": "run0", "source": "models:/m-0" })]
        );
        assert_eq!(kept.aliases, BTreeMap::from([("champion".to_owned(), "1".to_owned())]));
    }
    work.run(&format!("track --text {uri}")).answers(YES).prints("nothing waits");
    // A second version is a challenger; its alias goes when it is promoted, and champion moves; a rollback moves it back.
    work.run(&format!("{TRAIN} {AT} --set model.max_depth=2 {uri}")).answers(YES);
    assert_eq!(kept.lock().unwrap().aliases.get("challenger").map(String::as_str), Some("2"));
    work.run(&format!("promote --version v2 --override drill --by ann {AT} {uri}")).answers(YES);
    {
        let kept = kept.lock().unwrap();
        assert_eq!(kept.aliases, BTreeMap::from([("champion".to_owned(), "2".to_owned())]));
        let last = kept.runs.last().unwrap();
        assert_eq!(last["info"]["run_name"], "v0002 promoted");
        let tags = last["data"]["tags"].as_array().unwrap();
        let tag = |key: &str| tags.iter().find(|tag| tag["key"] == key).map(|tag| tag["value"].clone());
        assert_eq!((tag("mlflow.user"), tag("mlflow.parentRunId")), (Some("ann".into()), Some("run1".into())));
    }
    work.run(&format!("rollback --by ann {AT} {uri}")).answers(YES);
    assert_eq!(kept.lock().unwrap().aliases.get("champion").map(String::as_str), Some("1"));
    // A cursor that is lost doubles nothing and moves no alias.
    let count = |kept: &Kept| (kept.runs.len(), kept.models.len(), kept.versions.len(), kept.aliases.clone());
    let before = count(&kept.lock().unwrap());
    std::fs::remove_file(work.path("runs/track.json")).unwrap();
    work.run(&format!("track --text {uri}")).answers(NO).prints("waiting: ");
    work.run(&format!("track sync --text {uri}")).answers(YES).prints("nothing waits");
    assert_eq!(count(&kept.lock().unwrap()), before);
    work.write("runs/track.json", "{ damaged");
    work.run(&format!("track sync --text {uri}")).answers(YES);
    assert_eq!(count(&kept.lock().unwrap()), before);
}

#[test]
fn what_a_server_missed_is_told_later_whenever_it_broke_off() {
    let work = churn();
    work.run(&format!("{TRAIN} {AT}")).answers(YES);
    work.run(&format!("{TRAIN} {AT} --set model.max_depth=2")).answers(YES);
    let (whole, expected) = server("");
    work.run(&format!("track sync --set track.uri={}", whole.url("127.0.0.1", ""))).answers(YES);
    let calls = whole.asked().len();
    let sum = |kept: &Kept| {
        let names: Vec<Value> =
            kept.runs.iter().map(|run| json!([run["info"]["run_name"], run["info"]["start_time"]])).collect();
        let files: Vec<String> = kept.artifacts.keys().cloned().collect();
        (names, kept.models.len(), kept.versions.len(), kept.aliases.clone(), files)
    };
    let expected = sum(&expected.lock().unwrap());
    assert_eq!((expected.1, expected.2), (2, 2));
    assert!(calls > 20, "{calls}");
    // The server fails after any number of calls; the next round completes it, and nothing is there twice.
    for n in (0..calls).step_by(3) {
        let (mock, kept) = server("");
        kept.lock().unwrap().calls_left = Some(n);
        let uri = format!("--set track.uri={}", mock.url("127.0.0.1", ""));
        work.run(&format!("track sync --text {uri}")).answers(NO).prints("it answers 500: out of order");
        kept.lock().unwrap().calls_left = None;
        work.run(&format!("track sync --text {uri}")).answers(YES);
        assert_eq!(sum(&kept.lock().unwrap()), expected, "after {n} calls");
    }
}

#[test]
fn a_server_in_trouble_fails_no_verb_and_learns_no_secret() {
    let work = churn();
    let secret = "hunter2-the-token";
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = silent.local_addr().unwrap().port();
    let html = Mock::start(|_, _| Reply::new(200, "<html>hello</html>"));
    let cut = Mock::start(|_, _| Reply::json(200, "{\"experiment\": {}}").cut(5));
    let away = Mock::start(|_, _| Reply::redirect("http://127.0.0.1:1/"));
    let list = Mock::start(|_, _| Reply::json(200, "{}"));
    let strict = server("Bearer another").0;
    let cases = [
        (format!("http://127.0.0.1:{port}"), "onnection refused"),
        (format!("http://127.0.0.1:{slow}"), "no answer"),
        (html.url("127.0.0.1", ""), "does not answer like MLflow"),
        (cut.url("127.0.0.1", ""), "the response is incomplete"),
        (away.url("127.0.0.1", ""), "a redirect, which is not followed"),
        (list.url("127.0.0.1", ""), "has no experiment_id"),
        (strict.url("127.0.0.1", ""), "it requires a login (401): set MLFLOW_TRACKING_TOKEN"),
    ];
    for (n, (uri, trouble)) in cases.iter().enumerate() {
        let begun = std::time::Instant::now();
        let said = work
            .run_with(
                &format!("{TRAIN} --set track.timeout_seconds=1"),
                &[("MLFLOW_TRACKING_URI", uri), ("MLFLOW_TRACKING_TOKEN", secret)],
            )
            .answers(YES)
            .says(trouble)
            .says("`mlloop track sync` repeats it");
        assert!(begun.elapsed().as_secs() < 120 && !said.stderr.contains(secret), "{uri}: {}", said.stderr);
        // Soon after, it is left alone: nothing is asked.
        if n == 0 {
            work.run_with(TRAIN, &[("MLFLOW_TRACKING_URI", uri)]).answers(YES).says("next attempt after");
        }
    }
    assert!(away.asked().len() == 1, "the redirect was not followed, and the token went nowhere else");
    // In mlloop.toml a login is refused; in the environment it is taken, and shown nowhere.
    let said =
        work.run("status --set track.uri=http://ann:hunter2@host").answers(ERROR).says("MLFLOW_TRACKING_PASSWORD");
    assert!(!said.stderr.contains("hunter2"), "{}", said.stderr);
    let (basic, kept) = server("Basic YW5uOmh1bnRlcjI=");
    let uri = format!("http://ann:hunter2@127.0.0.1:{}", basic.port);
    work.run_with("track sync", &[("MLFLOW_TRACKING_URI", &uri)]).answers(YES);
    assert_eq!(kept.lock().unwrap().runs.len(), cases.len() + 1);
    kept.lock().unwrap().calls_left = Some(0);
    work.run_with("train --algorithm decision-tree", &[("MLFLOW_TRACKING_URI", &uri)])
        .answers(YES)
        .says("out of order: ***");
    for word in ["hunter2", "YW5uOmh1bnRlcjI", secret] {
        let found = std::process::Command::new("grep").args(["-rl", word]).arg(work.path("")).output().unwrap();
        assert!(found.stdout.is_empty(), "{word} is in {}", String::from_utf8_lossy(&found.stdout));
    }
    // What is for another program is left alone; asked by name it is an error.
    let other = [("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")];
    work.run_with("track sync", &other).answers(ERROR).says("must begin with http:// or https://");
    let said = work.run_with(TRAIN, &other).answers(YES);
    assert!(!said.stderr.contains("track"), "{}", said.stderr);
    work.run("track").answers(ERROR).says("set [track] uri in mlloop.toml or MLFLOW_TRACKING_URI");
}
