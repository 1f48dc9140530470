//! Label Studio asks, as its server does (label_studio/ml/api_connector.py).

use super::fixture::{ROW, Served, ask, get, record, request, settings};
use crate::serve::{App, ServeSettings};
use serde_json::{Value, json};
use std::sync::Arc;

const INTERFACE: &str = "<View>\n  <Header value=\"churn\"/>\n  <Table name=\"row\" value=\"$row\"/>\n  \
    <Choices name=\"label\" toName=\"row\" choice=\"single-radio\" required=\"true\">\n    <Choice value=\"no\"/>\n    \
    <Choice value=\"yes\"/>\n  </Choices>\n</View>\n";

fn open(served: &Served) -> Arc<App> {
    App::open(served.workspace.clone(), &ServeSettings { label_studio: true, ..settings() }).unwrap()
}

/// A task with extra fields around its data, as Label Studio sends it.
fn task(n: u32, data: Value) -> Value {
    json!({ "id": n, "data": data, "meta": {}, "created_at": "2026-11-20T08:00:00Z", "is_labeled": false, "overlap": 1,
        "project": 3, "annotations": [], "predictions": [], "file_upload": null, "storage_filename": null })
}

fn predict(state: &Arc<App>, tasks: &[Value], interface: &str) -> (u16, Value) {
    let body = json!({ "tasks": tasks, "project": "3.1763600000", "label_config": interface,
        "params": { "login": null, "password": null, "context": null } });
    ask(state, request("/label-studio/predict", body.to_string()))
}

#[test]
fn tasks_get_predictions_and_nothing_is_logged() {
    let served = Served::new(&[0]);
    let state = open(&served);
    assert_eq!(ask(&state, get("/label-studio/health")).1["status"], "UP");
    let setup = json!({ "project": "3.1763600000", "schema": INTERFACE, "hostname": "http://localhost:8080",
        "access_token": "t0ken", "extra_params": null });
    assert_eq!(
        ask(&state, request("/label-studio/setup", setup.to_string())),
        (200, json!({ "model_version": "v0001" }))
    );
    let rows: Vec<Value> = (0..30).map(|n| record(n, n % 2 == 0)).collect();
    // Rows nested as `label-export` sends them, and rows whose columns are the task's data; the outcome is ignored.
    let mut tasks: Vec<Value> = Vec::new();
    for (n, row) in (0..).zip(&rows) {
        let bare = row.as_object().unwrap().iter().filter(|(name, _)| *name != "churn" && *name != "customer");
        let bare: serde_json::Map<_, _> = bare.map(|(name, cell)| (name.clone(), cell.clone())).collect();
        let nested = json!({ "row_id": row["customer"], "batch": "b1", "reason": "", "row": bare });
        tasks.push(task(n, if n % 3 == 0 { row.clone() } else { nested }));
    }
    let (status, answer) = predict(&state, &tasks, INTERFACE);
    assert_eq!((status, answer["results"].as_array().map(Vec::len)), (200, Some(30)), "{answer}");
    assert_eq!(served.logged().len(), 0);
    assert!(
        !String::from_utf8(super::fixture::send(&state, get("/metrics")).1).unwrap().contains("predictions_total{")
    );
    assert!(crate::labels::Labels::open(&served.workspace).unwrap().rows().is_empty());
    let mut seen = std::collections::BTreeSet::new();
    for (row, result) in rows.iter().zip(answer["results"].as_array().unwrap()) {
        let told = ask(&state, request("/predict", row.to_string())).1;
        let (class, score) = (told["prediction"].as_str().unwrap(), told["score"].as_f64().unwrap());
        seen.insert(class.to_owned());
        let expected =
            json!([{ "from_name": "label", "to_name": "row", "type": "choices", "value": { "choices": [class] } }]);
        assert_eq!((&result["result"], &result["model_version"]), (&expected, &json!("v0001")));
        let sure = if class == "yes" { score } else { 1.0 - score };
        assert_eq!(result["score"].as_f64(), Some(sure), "{told}");
    }
    assert_eq!(seen.len(), 2);
    let ignored = ask(&state, request("/label-studio/webhook", json!({ "action": "ANNOTATION_CREATED" }).to_string()));
    assert_eq!((ignored.0, &ignored.1["status"]), (200, &json!("ignored")));
}

#[test]
fn the_interface_of_the_project_says_how_classes_are_called() {
    let served = Served::new(&[0]);
    let state = open(&served);
    let row: Value = serde_json::from_str(ROW).unwrap();
    let other = "<View><Text name='text' value='$contract'/><Choices name='mood' toName='text'><Choice value='fine'/></Choices>\
                 <Choices name='left' toName='text'><Choice value='Yes ' alias='1'/><Choice value='NO' alias='0'/></Choices></View>";
    let (_, answer) = predict(&state, &[task(1, row.clone())], other);
    let found = &answer["results"][0]["result"][0];
    assert_eq!((&found["from_name"], &found["to_name"]), (&json!("left"), &json!("text")), "{answer}");
    assert!(["0", "1"].contains(&found["value"]["choices"][0].as_str().unwrap()), "{found}");
    for (interface, status) in [
        ("<View/>", 409),
        ("<View><Choices name='a' toName='b'><Choice value='yes'/></Choices></View>", 409),
        ("", 200),
    ] {
        let (found, answer) = predict(&state, &[task(1, row.clone())], interface);
        assert_eq!(found, status, "{answer}");
        let setup = json!({ "project": "3.1", "schema": interface });
        assert_eq!(ask(&state, request("/label-studio/setup", setup.to_string())).0, status);
    }
}

#[test]
fn tasks_that_do_not_fit_have_none_and_the_others_have_theirs() {
    let served = Served::new(&[0]);
    let state = open(&served);
    let row: Value = serde_json::from_str(ROW).unwrap();
    let mut wrong = row.clone();
    wrong["months"] = json!("many");
    let tasks = [task(1, row.clone()), task(2, wrong.clone()), task(3, json!({ "text": "hello" })), task(4, row)];
    let (status, answer) = predict(&state, &tasks, INTERFACE);
    let found: Vec<bool> = answer["results"].as_array().unwrap().iter().map(|result| *result == json!([])).collect();
    assert_eq!((status, found), (200, vec![false, true, true, false]), "{answer}");
    let (status, answer) = predict(&state, &[task(2, wrong)], INTERFACE);
    assert_eq!(status, 422);
    assert!(answer["error"].as_str().unwrap().contains("\"months\" is \"many\", not a number"), "{answer}");
    assert_eq!(predict(&state, &[], INTERFACE).1["results"], json!([]));
    for body in ["", "[]", "{\"tasks\": 3}", "{\"tasks\": [{\"data\": []}]}"] {
        assert_eq!(ask(&state, request("/label-studio/predict", body)).0, 400, "{body}");
    }
    let closed = served.open();
    for path in ["/label-studio/predict", "/label-studio/setup", "/label-studio/webhook"] {
        assert_eq!(ask(&closed, request(path, "{}")).0, 404, "{path}");
    }
    assert_eq!(ask(&closed, get("/label-studio/health")).0, 404);
}

#[test]
fn an_interface_that_no_person_sees_is_not_read() {
    let served = Served::new(&[0]);
    let state = open(&served);
    let nested = "<Choices name=\"c\" toName=\"t\">".repeat(50_000);
    let (status, answer) = predict(&state, &[], &nested);
    assert_eq!(status, 413, "{answer}");
    let setup = json!({ "project": "3.1", "schema": nested, "hostname": "http://localhost:8080" });
    assert_eq!(ask(&state, request("/label-studio/setup", setup.to_string())).0, 413);
}
