//! Arms and shadows.

use super::fixture::{ROW, Served, ask, get, record, request, send, settings};
use crate::serve::{App, Limits, ServeSettings};
use serde_json::{Value, json};

#[test]
fn arms_are_those_of_the_hash() {
    let served = Served::new(&[0, 1]);
    served.experiment([0.5, 0.5], false);
    let state = served.open();
    let rows: Vec<Value> = (0..60).map(|row| record(row, true)).collect();
    let (status, answer) = ask(&state, request("/predict_ab", json!(rows).to_string()));
    assert_eq!(status, 200, "{answer}");
    let experiment = crate::ab::Experiment::load(&served.workspace).unwrap().unwrap();
    assert_eq!(answer["experiment"], json!(experiment.name));
    let assigner = experiment.assigner();
    let mut seen = [0, 0];
    for (row, prediction) in rows.iter().zip(answer["predictions"].as_array().unwrap()) {
        let arm = assigner.arm(row["customer"].as_str().unwrap().as_bytes());
        seen[arm] += 1;
        assert_eq!(prediction["arm"], ["a", "b"][arm]);
        assert_eq!(prediction["version"], ["v0001", "v0002"][arm]);
        // A batch with both arms gives the same scores as each alone.
        let alone = ask(&state, request(["/predict_a", "/predict_b"][arm], row.to_string())).1;
        assert_eq!((&alone["score"], &alone["arm"]), (&prediction["score"], &prediction["arm"]));
    }
    assert!(seen[0] > 10 && seen[1] > 10, "{seen:?}");
    let mut nameless = rows[0].clone();
    nameless.as_object_mut().unwrap().remove("customer");
    for id in ["r1", "r2", "r3", "r4"] {
        let (_, answer) = ask(&state, request(&format!("/predict_ab?request_id={id}"), nameless.to_string()));
        assert_eq!(answer["arm"], ["a", "b"][assigner.arm(id.as_bytes())], "{id}");
    }
    assert_eq!(ask(&state, request("/predict", rows[0].to_string())).1["arm"], Value::Null);
    let told = ask(&state, get("/ab/status")).1;
    assert_eq!((&told["running"], &told["arms"][1]["version"]), (&json!(true), &json!("v0002")));
}

#[test]
fn without_an_experiment_production_answers() {
    let served = Served::new(&[0]);
    let state = served.open();
    for path in ["/predict", "/predict_a", "/predict_ab"] {
        let (status, answer) = ask(&state, request(path, ROW));
        assert_eq!((status, &answer["arm"], &answer["version"]), (200, &Value::Null, &json!("v0001")), "{path}");
    }
    assert_eq!(ask(&state, request("/predict_b", ROW)).0, 409);
    assert_eq!(ask(&state, get("/ab/status")).1["running"], false);
}

#[test]
fn a_shadow_is_logged_and_never_answers() {
    let served = Served::new(&[0, 1]);
    served.experiment([1.0, 0.0], true);
    let state = served.open();
    let (_, answer) = ask(&state, request("/predict", ROW));
    assert_eq!((&answer["arm"], &answer["version"]), (&json!("a"), &json!("v0001")));
    let logged = served.logged();
    let told: Vec<_> =
        logged.iter().map(|(id, version, arm, _)| (id.as_str(), version.as_str(), arm.as_str())).collect();
    assert_eq!(told, [("0010000", "v0001", "a"), ("0010000", "v0002", "b")]);
    assert_ne!(logged[0].3, logged[1].3);
    let text = String::from_utf8(send(&state, get("/metrics")).1).unwrap();
    assert!(text.contains("mlloop_shadow_rows_total{version=\"v0002\",outcome=\"scored\"} 1\n"), "{text}");
}

#[test]
fn a_shadow_that_is_late_or_needs_more_harms_nobody() {
    let served = Served::new(&[0, 1]);
    served.experiment([1.0, 0.0], true);
    let limits = Limits { shadow_patience: std::time::Duration::ZERO, ..Limits::default() };
    let state = App::open(served.workspace.clone(), &ServeSettings { limits, ..settings() }).unwrap();
    let rows: Vec<Value> = (0..200).map(|row| record(row, true)).collect();
    // On a busy machine the shadow may be done before the time is read.
    let mut n_asked = 0;
    let is_late = (0..50).any(|_| {
        n_asked += 200;
        assert_eq!(ask(&state, request("/predict", json!(rows).to_string())).0, 200);
        String::from_utf8(send(&state, get("/metrics")).1).unwrap().contains("outcome=\"late\"} 200\n")
    });
    assert!(is_late);
    let logged = served.logged();
    let of_arm = |name: &str| logged.iter().filter(|(_, _, arm, _)| arm == name).count();
    assert_eq!((of_arm("a"), of_arm("b")), (n_asked, n_asked - 200));
}
