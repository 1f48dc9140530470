//! Clients of other servers.

use super::fixture::{Served, ask, get, record, request, send};
use axum::body::Body;
use axum::http::{HeaderName, Request};
use serde_json::{Value, json};

const COLUMNS: [&str; 7] =
    ["contract", "months", "internet", "paperless", "monthly_charge", "total_charge", "support_calls"];

fn with(mut asked: Request<Body>, header: &'static str, value: &str) -> Request<Body> {
    asked.headers_mut().insert(HeaderName::from_static(header), value.parse().unwrap());
    asked
}

/// The first rows of the table without id and outcome, and their `/predict` response.
fn rows(served: &Served) -> (Vec<Value>, Value) {
    let only = |row: Value| COLUMNS.iter().map(|name| ((*name).to_owned(), row[*name].clone())).collect();
    let rows: Vec<Value> = (0..3).map(|n| Value::Object(only(record(n, true)))).collect();
    let told = ask(&served.open(), request("/predict", json!(rows).to_string())).1;
    (rows, told)
}

fn column(rows: &[Value], name: &str) -> Vec<Value> {
    rows.iter().map(|row| row[name].clone()).collect()
}

#[test]
fn mlflow_and_kserve_v1_bodies_give_the_same_predictions() {
    let served = Served::new(&[0]);
    let state = served.open();
    let (rows, told) = rows(&served);
    let data: Vec<Vec<Value>> =
        rows.iter().map(|row| COLUMNS.iter().map(|name| row[*name].clone()).collect()).collect();
    for (path, body) in [
        ("/invocations", json!({ "dataframe_split": { "columns": COLUMNS, "index": [0, 1, 2], "data": data } })),
        ("/invocations", json!({ "dataframe_records": rows })),
        ("/invocations", json!({ "instances": rows })),
        ("/invocations", json!({ "inputs": rows })),
        ("/v1/models/mlloop:predict", json!({ "instances": rows })),
    ] {
        let (status, answer) = ask(&state, request(path, body.to_string()));
        assert_eq!(status, 200, "{path} {answer}");
        for row in 0..3 {
            assert_eq!(answer["predictions"][row], told["predictions"][row]["prediction"], "{path}");
            assert_eq!(answer["scores"][row], told["predictions"][row]["score"], "{path}");
        }
        assert_eq!(answer["version"], "v0001");
    }
    // Vertex AI sends instances to the configured path.
    let answer = ask(&state, request("/predict", json!({ "instances": rows }).to_string())).1;
    assert_eq!(answer["predictions"][1]["score"], told["predictions"][1]["score"]);
    assert_eq!(ask(&state, get("/v1/models/mlloop")).1, json!({ "name": "mlloop", "ready": true }));
    assert_eq!(ask(&state, request("/v1/models/other:predict", "{}")).0, 404);
    assert_eq!(ask(&state, request("/v1/models/mlloop", "{}")).0, 404, "the verb is missing");
    assert_eq!(ask(&state, request("/invocations", json!({ "dataframe_records": [{}] }).to_string())).0, 422);
}

#[test]
fn sagemaker_speaks_csv() {
    let served = Served::new(&[0]);
    let state = served.open();
    let (rows, told) = rows(&served);
    assert_eq!(ask(&state, get("/ping")).0, 200);
    let order: Vec<String> = {
        let api = ask(&state, get("/openapi.json")).1;
        let required = &api["components"]["schemas"]["Row"]["required"];
        required.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |row: &Value| order.iter().map(|name| cell(&row[name])).collect::<Vec<_>>().join(",") + "\n";
    let plain: String = rows.iter().map(line).collect();
    let expected: String = (0..3).map(|row| format!("{}\n", told["predictions"][row]["score"])).collect();
    for body in [plain.clone(), format!("{}\n{plain}", order.join(","))] {
        let asked = with(request("/invocations", body.clone()), "content-type", "text/csv");
        let (status, bytes, response) = send(&state, asked);
        assert_eq!((status.as_u16(), String::from_utf8(bytes).unwrap()), (200, expected.clone()), "{body}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
        let asked = with(request("/invocations", body), "content-type", "text/csv");
        let answer = ask(&state, with(asked, "accept", "application/json")).1;
        assert_eq!(answer["scores"][2], told["predictions"][2]["score"]);
    }
    let short = with(request("/invocations", "1,2\n"), "content-type", "text/csv");
    assert_eq!(ask(&state, short).0, 422);
}

#[test]
fn kserve_v2_tensors_are_columns() {
    let served = Served::new(&[0]);
    let state = served.open();
    let (rows, told) = rows(&served);
    let input = |name: &&str| {
        let values = column(&rows, name);
        let kind = if values[0].is_string() { "BYTES" } else { "FP64" };
        json!({ "name": name, "datatype": kind, "shape": [3, 1], "data": values })
    };
    let inputs: Vec<Value> = COLUMNS.iter().map(input).collect();
    for path in
        ["/v2/models/mlloop/infer", "/v2/models/mlloop/versions/1/infer", "/v2/models/mlloop/versions/v0001/infer"]
    {
        let (status, answer) = ask(&state, request(path, json!({ "id": "q7", "inputs": inputs }).to_string()));
        assert_eq!(status, 200, "{path} {answer}");
        assert_eq!((&answer["id"], &answer["model_version"]), (&json!("q7"), &json!("v0001")));
        let output = |name: &str| {
            let outputs = answer["outputs"].as_array().unwrap();
            outputs.iter().find(|output| output["name"] == name).unwrap()["data"].clone()
        };
        for row in 0..3 {
            assert_eq!(output("score")[row], told["predictions"][row]["score"]);
            assert_eq!(output("prediction")[row], told["predictions"][row]["prediction"]);
        }
    }
    for path in ["/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/mlloop/ready", "/v2/models/mlloop"] {
        assert_eq!(ask(&state, get(path)).0, 200, "{path}");
    }
    let described = ask(&state, get("/v2/models/mlloop/versions/1")).1;
    let named = |name: &str| json!({ "name": name, "datatype": "FP64", "shape": [-1] });
    assert!(described["inputs"].as_array().unwrap().contains(&named("months")), "{described}");
    for (path, status) in [("/v2/models/nobody/infer", 404), ("/v2/models/mlloop/versions/2/infer", 404)] {
        assert_eq!(ask(&state, request(path, json!({ "inputs": inputs }).to_string())).0, status, "{path}");
    }
    for wrong in [
        json!({ "inputs": [] }),
        json!({ "inputs": [{ "name": "months", "datatype": "FP64", "shape": [2], "data": [1] }] }),
        json!({ "inputs": [{ "name": "months", "datatype": "FP64", "shape": [1e18 as u64, 1e18 as u64], "data": [] }] }),
        json!({ "inputs": [{ "name": "months", "datatype": "FP64", "shape": [1] }] }),
        json!({ "rows": [] }),
    ] {
        assert_eq!(ask(&state, request("/v2/models/mlloop/infer", wrong.to_string())).0, 400, "{wrong}");
    }
}

#[test]
fn kserve_v2_tensors_may_be_bytes() {
    let served = Served::new(&[0]);
    let state = served.open();
    let (rows, told) = rows(&served);
    let (mut binary, mut inputs) = (Vec::new(), Vec::new());
    for name in COLUMNS {
        let start = binary.len();
        let values = column(&rows, name);
        for value in &values {
            match value.as_str() {
                Some(text) => {
                    binary.extend((text.len() as u32).to_le_bytes());
                    binary.extend(text.as_bytes());
                }
                None => binary.extend(value.as_f64().unwrap_or(f64::NAN).to_le_bytes()),
            }
        }
        let kind = if values[0].is_string() { "BYTES" } else { "FP64" };
        let size = binary.len() - start;
        let parameters = json!({ "binary_data_size": size });
        inputs.push(json!({ "name": name, "datatype": kind, "shape": [3], "parameters": parameters }));
    }
    let head = json!({ "inputs": inputs }).to_string();
    let whole = [head.as_bytes(), &binary].concat();
    let asked = |body: Vec<u8>| {
        let asked = with(request("/v2/models/mlloop/infer", body), "content-type", "application/octet-stream");
        with(asked, "inference-header-content-length", &head.len().to_string())
    };
    let (status, answer) = ask(&state, asked(whole.clone()));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["outputs"][1]["data"][2], told["predictions"][2]["score"]);
    assert_eq!(ask(&state, asked(whole[..whole.len() - 1].to_vec())).0, 400);
    assert_eq!(ask(&state, asked(head.as_bytes()[..9].to_vec())).0, 400);
}

#[test]
fn a_body_that_comes_to_more_values_than_rows_may_have_is_too_large() {
    let served = Served::new(&[0]);
    let state = served.open();
    let n = (1 << 20) + 1;
    let texts = format!(
        "{{\"inputs\":[{{\"name\":\"x\",\"shape\":[{n}],\"datatype\":\"BYTES\",\"data\":[{}\"\"]}}]}}",
        "\"\",".repeat(n)
    );
    for asked in [
        with(request("/invocations", format!("\n{}", ",".repeat(n))), "content-type", "text/csv"),
        request("/v2/models/mlloop/infer", texts),
        request("/invocations", format!("{{\"instances\":[{}{{}}]}}", "{},".repeat(n / 2 + 1))),
    ] {
        let (status, answer) = ask(&state, asked);
        assert_eq!(status, 413, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains("more than 1048576 values"), "{answer}");
    }
}
