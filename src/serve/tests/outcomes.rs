//! Outcomes sent with the rows.

use super::fixture::{ROW, Served, ask, get, request, settings};
use crate::labels::{Labels, Source};
use crate::registry::Version;
use crate::serve::{App, ServeSettings};
use serde_json::{Value, json};

fn rows(ids: &[&str]) -> Vec<Value> {
    let row = |id: &&str| {
        let mut row: Value = serde_json::from_str(ROW).unwrap();
        row["customer"] = json!(id);
        row
    };
    ids.iter().map(row).collect()
}

/// (id, label) of every label, all of which are outcomes of version 1.
fn labels(served: &Served) -> Vec<(String, String)> {
    let labels = Labels::open(&served.workspace).unwrap();
    let one = |label: &crate::labels::Label| {
        assert_eq!((label.source, label.model_version), (Source::Outcome, Some(Version(1))));
        (label.id.clone(), label.label.clone())
    };
    labels.rows().iter().map(one).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, label)| ((*id).to_owned(), (*label).to_owned())).collect()
}

#[test]
fn they_become_labels_of_the_logged_predictions() {
    let served = Served::new(&[0]);
    let state = served.open();
    let body = json!({ "raw_features": rows(&["a", "b", "c"]), "true_labels": ["yes", null, "NO"] });
    let (status, answer) = ask(&state, request("/predict", body.to_string()));
    assert_eq!((status, &answer["n_outcomes"]), (200, &json!(2)), "{answer}");
    assert_eq!(labels(&served), pairs(&[("a", "yes"), ("c", "no")]));
    let mut own = rows(&["d"]).remove(0);
    own["churn"] = json!("yes");
    assert_eq!(ask(&state, request("/predict", own.to_string())).1["n_outcomes"], 1);
    // A later outcome of the same row counts.
    own["churn"] = json!("no");
    assert_eq!(ask(&state, request("/predict", own.to_string())).1["n_outcomes"], 1);
    assert_eq!(labels(&served), pairs(&[("a", "yes"), ("c", "no"), ("d", "no")]));
    let logged: Vec<String> = served.logged().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(logged, ["a", "b", "c", "d", "d"]);
    let told = ask(&state, get("/retrain/status")).1;
    let trigger = |name: &str| {
        let triggers = told["triggers"].as_array().unwrap();
        triggers.iter().find(|trigger| trigger["name"] == name).unwrap().clone()
    };
    assert_eq!((&told["n_unused"], &trigger("new_rows")["count"]), (&json!(3), &json!(3.0)), "{told}");
    assert_eq!(trigger("unused_feedback")["count"], 0.0, "nobody said so; it happened");
    let without = ask(&state, request("/predict", rows(&["e"])[0].to_string())).1;
    assert!(without.get("n_outcomes").is_none());
}

#[test]
fn what_is_no_outcome_is_refused_and_nothing_is_kept() {
    let served = Served::new(&[0]);
    let state = served.open();
    for wrong in [json!("maybe"), json!(7), json!([1])] {
        let body = json!({ "rows": rows(&["a", "b"]), "labels": ["yes", wrong] });
        let (status, answer) = ask(&state, request("/predict", body.to_string()));
        assert_eq!((status, &answer["problems"][0]["row"]), (422, &json!(1)), "{answer}");
    }
    assert_eq!((labels(&served), served.logged().len()), (vec![], 0));
}

#[test]
fn who_may_not_change_the_loop_leaves_no_outcome() {
    let served = Served::new(&[0]);
    let change = ServeSettings { token: Some("m4ster".into()), ..settings() };
    let network = ServeSettings { is_local: false, ..settings() };
    for (settings, status) in [(&change, 401), (&network, 403)] {
        let state = App::open(served.workspace.clone(), settings).unwrap();
        let body = json!({ "rows": rows(&["a"]), "labels": ["yes"] }).to_string();
        assert_eq!(ask(&state, request("/predict", body)).0, status);
        let mut own = rows(&["a"]).remove(0);
        own["churn"] = json!("yes");
        let (status, answer) = ask(&state, request("/predict", own.to_string()));
        assert_eq!((status, &answer["n_outcomes"]), (200, &json!(0)), "{answer}");
    }
    assert_eq!(labels(&served), vec![]);
    let state = App::open(served.workspace.clone(), &change).unwrap();
    let mut asked = request("/predict", json!({ "rows": rows(&["a"]), "labels": ["yes"] }).to_string());
    asked.headers_mut().insert("authorization", "Bearer m4ster".parse().unwrap());
    assert_eq!(ask(&state, asked).1["n_outcomes"], 1);
    // Without a log, an outcome has no prediction to join.
    let state = App::open(served.workspace.clone(), &ServeSettings { log: None, ..settings() }).unwrap();
    let body = json!({ "rows": rows(&["z"]), "labels": ["yes"] }).to_string();
    assert_eq!(ask(&state, request("/predict", body)).0, 409);
}
