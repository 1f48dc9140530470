//! The router without a socket: responses, refusals, and the log.

mod access;
mod adapters;
mod experiments;
mod fixture;
mod hostile;
mod outcomes;
mod studio;
mod windows;

use super::{App, Limits, ServeSettings};
use crate::train;
use fixture::{ROW, Served, ask, get, record, request, send, settings, write};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn a_row_is_scored_as_predict_scores_it_and_logged() {
    let served = Served::new(&[0]);
    let state = served.open();
    let table = {
        let (_, pipeline) = train::load(&served.workspace, None).unwrap();
        let input = crate::table::Input::open(&served.workspace.path("churn.csv")).unwrap();
        let table = crate::table::read(input, &pipeline.schema, &Default::default()).unwrap().table;
        pipeline.score(&table).unwrap()
    };
    let n = 40;
    for types in [true, false] {
        let rows: Vec<Value> = (0..n).map(|row| record(row, types)).collect();
        let (status, many) = ask(&state, request("/predict", json!({ "rows": rows }).to_string()));
        assert_eq!(status, 200, "{many}");
        for (row, given) in rows.iter().enumerate() {
            let (status, one) = ask(&state, request("/predict", given.to_string()));
            let expected = table.row(row)[0] as f32;
            assert_eq!((status, one["score"].as_f64().unwrap() as f32), (200, expected), "row {row}: {one}");
            assert_eq!(many["predictions"][row]["score"], one["score"]);
            assert_eq!(one["id"], given["customer"]);
            assert_eq!((&one["version"], &one["arm"]), (&"v0001".into(), &Value::Null));
        }
    }
    let logged = served.logged();
    assert_eq!(logged.len(), 4 * n);
    for (row, (id, version, arm, score)) in logged.iter().take(n).enumerate() {
        assert_eq!(
            (id.as_str(), version.as_str(), arm.as_str()),
            (record(row, true)["customer"].as_str().unwrap(), "v0001", "")
        );
        assert_eq!(*score, table.row(row)[0]);
    }
}

#[test]
fn reasons_ids_and_request_ids() {
    let served = Served::new(&[0]);
    let state = served.open();
    let mut asked = request("/predict?explain=3", ROW);
    asked.headers_mut().insert("x-request-id", "order-17".parse().unwrap());
    let (status, bytes, response) = send(&state, asked);
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((status.as_u16(), answer["contributions"].as_array().unwrap().len()), (200, 3));
    assert_eq!(
        (&answer["request_id"], &response.headers()["x-request-id"]),
        (&"order-17".into(), &"order-17".parse().unwrap())
    );
    let mut nameless: Value = serde_json::from_str(ROW).unwrap();
    nameless.as_object_mut().unwrap().remove("customer");
    let (_, answer) = ask(&state, request("/predict?request_id=r9", json!([nameless, nameless]).to_string()));
    assert_eq!((&answer["predictions"][0]["id"], &answer["predictions"][1]["id"]), (&"r9-0".into(), &"r9-1".into()));
    let (_, first) = ask(&state, request("/predict", ROW));
    let (_, second) = ask(&state, request("/predict", ROW));
    assert_ne!(first["request_id"], second["request_id"]);
}

#[test]
fn sets_of_classes_are_answered() {
    let served = Served::new(&[0]);
    let state = served.open();
    let (status, answer) = ask(&state, request("/predict?interval=.9", ROW));
    let set = answer["set"].as_array().unwrap();
    assert!(status == 200 && set.iter().all(|class| class == "no" || class == "yes"), "{answer}");
    let (_, sure) = ask(
        &state,
        request("/predict?interval=0.01", json!([serde_json::from_str::<Value>(ROW).unwrap()]).to_string()),
    );
    assert!(sure["predictions"][0]["set"].as_array().unwrap().len() <= set.len(), "{sure}");
    assert_eq!(ask(&state, request("/predict", ROW)).1.get("set"), None);
    for (level, what) in
        [("2", "must be a share between 0 and 1"), ("0.99999", "too few for the level"), ("x", "in the address")]
    {
        let (status, answer) = ask(&state, request(&format!("/predict?interval={level}"), ROW));
        assert!(status == 400 && answer["error"].as_str().unwrap().contains(what), "{answer}");
    }
}

#[test]
fn what_does_not_fit_is_named_with_its_row() {
    let served = Served::new(&[0]);
    let state = served.open();
    let mut bad: Value = serde_json::from_str(ROW).unwrap();
    let fields = bad.as_object_mut().unwrap();
    fields.remove("months");
    fields.insert("tenure".to_owned(), json!(3));
    fields.insert("total_charge".to_owned(), json!("12,50"));
    fields.insert("monthly_charge".to_owned(), json!([1]));
    fields.insert("customer".to_owned(), json!([1]));
    fields.insert("support_calls".to_owned(), json!(true));
    let good: Value = serde_json::from_str(ROW).unwrap();
    let (status, answer) = ask(&state, request("/predict", json!([good, bad]).to_string()));
    assert_eq!(status, 422);
    let expected = json!([
        { "row": 1, "column": "tenure", "problem": "unknown" },
        { "row": 1, "column": "customer", "problem": "is a list or an object, not an id" },
        { "row": 1, "column": "months", "problem": "missing" },
        { "row": 1, "column": "monthly_charge", "problem": "is a list or an object, not a number" },
        { "row": 1, "column": "total_charge", "problem": "is \"12,50\", not a number" },
        { "row": 1, "column": "support_calls", "problem": "is true, not a number" },
    ]);
    assert_eq!((&answer["problems"], &answer["n_problems"]), (&expected, &json!(6)));
    assert!(answer["error"].as_str().unwrap().starts_with("row 1: unknown column \"tenure\"; "), "{answer}");
    assert_eq!(served.logged().len(), 0, "nothing is logged that was not answered");
}

#[test]
fn a_large_request_is_computed_in_pieces_and_says_the_same() {
    let served = Served::new(&[0]);
    let state = served.open();
    let rows: Vec<Value> = (0..700).map(|row| record(row, true)).collect();
    let (status, many) = ask(&state, request("/predict", json!(rows).to_string()));
    assert_eq!(status, 200, "{many}");
    for row in [0, 255, 256, 511, 512, 699] {
        let mut alone = rows[row].clone();
        alone.as_object_mut().unwrap().remove("churn");
        let one = ask(&state, request("/predict", alone.to_string())).1;
        assert_eq!((&one["id"], &one["score"]), (&many["predictions"][row]["id"], &many["predictions"][row]["score"]));
    }
    // Errors in all pieces are reported together.
    let mut wrong = rows;
    for row in [3, 600] {
        wrong[row]["months"] = json!("many");
    }
    let (status, answer) = ask(&state, request("/predict", json!(wrong).to_string()));
    assert_eq!((status, &answer["n_problems"]), (422, &json!(2)), "{answer}");
    assert_eq!((&answer["problems"][0]["row"], &answer["problems"][1]["row"]), (&json!(3), &json!(600)));
}

#[test]
fn it_is_not_ready_while_predictions_are_refused() {
    let served = Served::new(&[0]);
    let limits = Limits { max_in_flight: 1, ..Limits::default() };
    let state = App::open(served.workspace.clone(), &ServeSettings { limits, ..settings() }).unwrap();
    assert_eq!(ask(&state, get("/ready")).0, 200);
    let mut taken = state.gate.ticket(None);
    taken.take_place().unwrap();
    let (status, answer) = ask(&state, get("/ready"));
    assert_eq!((status, &answer["why"]), (503, &json!("too many requests at once")));
    assert_eq!((ask(&state, get("/ping")).0, ask(&state, get("/v2/health/ready")).0), (503, 503));
    assert_eq!(ask(&state, request("/predict", ROW)).0, 503);
    assert_eq!(ask(&state, get("/health")).0, 200);
    drop(taken);
    assert_eq!(ask(&state, get("/ready")).0, 503, "it was refused a moment ago");
    write(served.workspace.path("predictions"), "in the way");
    let state = served.open();
    assert_eq!(ask(&state, request("/predict", ROW)).0, 503);
    assert_eq!(ask(&state, get("/ready")).1["why"], "the prediction log cannot be written");
    std::fs::remove_file(served.workspace.path("predictions")).unwrap();
    std::fs::create_dir(served.workspace.path("predictions")).unwrap();
    // The log's own thread retries, without a prediction.
    let waits = std::time::Instant::now();
    while ask(&state, get("/ready")).0 != 200 {
        assert!(waits.elapsed() < std::time::Duration::from_secs(30));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(ask(&state, request("/predict", ROW)).0, 200);
}

#[test]
fn a_prediction_that_cannot_be_logged_is_not_given() {
    let served = Served::new(&[0]);
    write(served.workspace.path("predictions"), "in the way");
    let state = served.open();
    let (status, answer) = ask(&state, request("/predict", ROW));
    assert_eq!(status, 503, "{answer}");
    assert_eq!(answer["error"], "the prediction could not be logged, so it is not returned", "no path is shown");
    assert!(answer.get("prediction").is_none());
    let state = App::open(served.workspace.clone(), &ServeSettings { log: None, ..settings() }).unwrap();
    assert_eq!(ask(&state, request("/predict", ROW)).0, 200);
}

#[test]
fn feedback_needs_the_token_and_becomes_labels() {
    let served = Served::new(&[0]);
    let said = |state: &_, token: &str, body: Value| {
        let mut asked = request("/feedback", body.to_string());
        asked.headers_mut().insert("authorization", token.parse().unwrap());
        ask(state, asked)
    };
    let right = json!({ "id": "0010000", "verdict": "correct", "by": "ann" });
    let (status, answer) = said(&served.open(), "Bearer m4ster", right.clone());
    assert_eq!(status, 403);
    assert!(answer["error"].as_str().unwrap().contains("MLLOOP_TOKEN"), "{answer}");
    let settings = ServeSettings { predict_token: Some("s3cret".into()), token: Some("m4ster".into()), ..settings() };
    let state = App::open(served.workspace.clone(), &settings).unwrap();
    let mut predicted = request("/predict", ROW);
    predicted.headers_mut().insert("authorization", "Bearer s3cret".parse().unwrap());
    assert_eq!(ask(&state, predicted).0, 200);
    for token in ["Bearer s3cret", "Bearer m4ste", "Basic m4ster", "m4ster"] {
        assert_eq!(said(&state, token, right.clone()).0, 401, "{token}");
    }
    assert_eq!(crate::labels::Labels::open(&served.workspace).unwrap().rows().len(), 0);
    let n_labels = || {
        let mut asked = get("/retrain/status");
        asked.headers_mut().insert("authorization", "Bearer s3cret".parse().unwrap());
        ask(&state, asked).1["n_labels"].clone()
    };
    assert_eq!(n_labels(), 0);
    let adjudicator = json!({ "id": "0010000", "verdict": "correct", "by": "ADJUDICATOR" });
    assert_eq!(said(&state, "Bearer m4ster", adjudicator).0, 422);
    let (status, answer) = said(&state, "Bearer m4ster", right.clone());
    assert_eq!(n_labels(), 1, "what was acknowledged is told at once");
    assert_eq!((status, &answer["n_new"], &answer["labels"]["n_added"]), (200, &json!(1), &json!(1)), "{answer}");
    assert_eq!(said(&state, "Bearer m4ster", json!([right])).1["n_unchanged"], 1);
    for wrong in [json!({ "id": "nobody", "verdict": "correct" }), json!({ "id": "0010000" }), json!([7]), json!("yes")]
    {
        let (status, answer) = said(&state, "Bearer m4ster", wrong.clone());
        assert_eq!(status, 422, "{wrong}: {answer}");
    }
    assert_eq!(said(&state, "Bearer m4ster", json!([])).0, 400);
    // Another process holds the lock for longer than the server waits. A program that another test starts at this moment
    // inherits the server's lock until it runs.
    let lock = served.workspace.lock_within(Duration::from_secs(5)).unwrap();
    let (status, answer) = said(&state, "Bearer m4ster", right);
    assert_eq!((status, &answer["n_kept"]), (202, &json!(1)), "{answer}");
    assert_eq!(said(&state, "Bearer m4ster", json!({ "id": "nobody", "verdict": "correct" })).0, 422);
    drop(lock);
    let mut asked = get("/retrain/status");
    asked.headers_mut().insert("authorization", "Bearer s3cret".parse().unwrap());
    assert_eq!(ask(&state, asked).1["n_unused"], 1);
}

#[test]
fn changes_on_disk_are_taken_up_and_damage_is_not() {
    let served = Served::new(&[0, 1]);
    let state = served.open();
    let version = || ask(&state, request("/predict", ROW)).1["version"].as_str().unwrap().to_owned();
    assert!(!state.is_due());
    served.promote(2);
    assert!(state.is_due());
    assert_eq!(version(), "v0001", "until it is looked at");
    state.refresh();
    assert_eq!((version().as_str(), state.is_due(), state.stale()), ("v0002", false, None));
    // The model file of a version lost a byte: the loaded model stays in use.
    let damaged = served.workspace.path("models/v0001/model.bin");
    let whole = std::fs::read(&damaged).unwrap();
    write(&damaged, &whole[..whole.len() - 1]);
    let state = served.open();
    let version = || ask(&state, request("/predict", ROW)).1["version"].as_str().unwrap().to_owned();
    served.promote(1);
    state.refresh();
    assert_eq!(version(), "v0002");
    let ready = ask(&state, get("/ready")).1;
    assert!(ready["stale"].as_str().unwrap().contains("model.bin"), "{ready}");
    assert_eq!(ready["ready"], true);
    let text = String::from_utf8(send(&state, get("/metrics")).1).unwrap();
    assert!(text.contains("mlloop_stale 1\n") && text.contains("mlloop_reload_failures_total 1\n"), "{text}");
    assert!(App::open(served.workspace.clone(), &settings()).is_err(), "nobody starts with a damaged version");
    write(&damaged, &whole);
    state.refresh();
    assert_eq!((version().as_str(), state.stale()), ("v0001", None));
    write(served.workspace.path("ab.json"), "{");
    state.refresh();
    assert!(state.stale().unwrap().contains("ab.json"));
    assert_eq!(version(), "v0001");
}

#[test]
fn a_loop_without_a_version_is_alive_and_not_ready() {
    let served = Served::new(&[]);
    let state = served.open();
    assert_eq!(ask(&state, get("/health")).0, 200);
    assert_eq!(ask(&state, get("/ready")).0, 503);
    let (status, answer) = ask(&state, request("/predict", ROW));
    assert_eq!(status, 503);
    assert!(answer["error"].as_str().unwrap().contains("mlloop train"), "{answer}");
    served.train(0);
    state.refresh();
    assert_eq!((ask(&state, get("/ready")).0, ask(&state, request("/predict", ROW)).0), (200, 200));
}

#[test]
fn the_loop_tells_where_it_stands() {
    let served = Served::new(&[0, 1]);
    let labels = "id,label,annotator,labelled_at,source,batch,select_prob,model_version\n";
    let label = |id: u32| format!("{id},yes,ann,2026-11-20T10:00:00Z,human,,,\n");
    write(served.workspace.path("data/labels.csv"), format!("{labels}{}{}", label(1), label(2)));
    let state = served.open();
    let told = ask(&state, get("/retrain/status")).1;
    let unknown = (&json!(2), &json!("new_rows"), &json!(0.0));
    assert_eq!((&told["n_unused"], &told["trigger"], &told["count"]), unknown, "nothing is known of these rows");
    // Once they are predicted, their features are known.
    for id in ["1", "2"] {
        let mut row: Value = serde_json::from_str(ROW).unwrap();
        row["customer"] = json!(id);
        assert_eq!(ask(&state, request("/predict", row.to_string())).0, 200);
    }
    std::thread::sleep(std::time::Duration::from_millis(120));
    let told = ask(&state, get("/retrain/status")).1;
    let of = |key: &str| told[key].clone();
    assert_eq!((of("trigger"), of("count"), of("threshold")), (json!("unused_feedback"), json!(2.0), json!(50.0)));
    assert_eq!((of("remaining"), of("progress_percent"), of("due")), (json!(48.0), json!(4.0), json!(false)));
    let models = ask(&state, get("/models")).1;
    assert_eq!((&models["production"], &models["versions"][1]["role"]), (&json!("v0001"), &json!("challenger")));
    assert!(models["versions"][0]["metric"].as_str().unwrap().starts_with("roc_auc 0."));
    let api = ask(&state, get("/openapi.json")).1;
    let row = &api["components"]["schemas"]["Row"];
    assert!(
        row["required"].as_array().unwrap().contains(&json!("months")) && row["properties"]["churn"].is_null(),
        "{row}"
    );
    for path in ask(&state, get("/")).1["endpoints"].as_object().unwrap().keys() {
        assert!(api["paths"].get(path).is_some(), "{path}");
    }
    let (status, page, response) = send(&state, get("/docs"));
    let page = String::from_utf8(page).unwrap();
    assert_eq!(
        (status.as_u16(), response.headers()["content-type"].to_str().unwrap()),
        (200, "text/html; charset=utf-8")
    );
    assert!(page.contains("<code>/predict_ab</code>") && page.contains("monthly_charge"));
}
