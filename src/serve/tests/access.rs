//! Tokens, names and origins.

use super::fixture::{ROW, Served, ask, get, request, send, settings};
use crate::serve::endpoint::Endpoint;
use crate::serve::{App, ServeSettings};
use axum::body::Body;
use axum::http::{HeaderName, Request};
use serde_json::json;

fn with(mut asked: Request<Body>, header: &'static str, value: &str) -> Request<Body> {
    asked.headers_mut().insert(HeaderName::from_static(header), value.parse().unwrap());
    asked
}

#[test]
fn predictions_and_what_is_said_of_the_model_can_ask_for_a_token() {
    let served = Served::new(&[0]);
    let (predict_token, token) = (Some("s3cret".into()), Some("m4ster".into()));
    let settings = ServeSettings { predict_token, token, label_studio: true, ..settings() };
    let state = App::open(served.workspace.clone(), &settings).unwrap();
    let tensors = r#"{"inputs": [{"name": "months", "datatype": "INT64", "shape": [1], "data": [1]}]}"#;
    for endpoint in Endpoint::addressed().filter(|endpoint| *endpoint != Endpoint::Feedback) {
        let path = endpoint.label().replace("{name}", "mlloop");
        let body = if endpoint == Endpoint::V2Infer { tensors } else { ROW };
        let asked = || if endpoint.is_post() { request(&path, body) } else { get(&path) };
        let is_open = endpoint.is_health();
        let allowed = match endpoint {
            Endpoint::PredictB => 409,
            Endpoint::V2Infer => 422,
            _ => 200,
        };
        assert_eq!(ask(&state, asked()).0, if is_open { 200 } else { 401 }, "{endpoint:?}");
        for (value, fits) in [
            ("Bearer s3cret", true),
            ("bearer m4ster", true),
            ("Bearer s3cre", false),
            ("Basic s3cret", false),
            // As `user:s3cret`, the only form some programs can send.
            ("Basic dXNlcjpzM2NyZXQ=", true),
            ("Basic dXNlcjpzM2NyZQ==", false),
            ("Bearer ", false),
        ] {
            let status = if fits || is_open { allowed } else { 401 };
            assert_eq!(ask(&state, with(asked(), "authorization", value)).0, status, "{endpoint:?} {value}");
        }
    }
    assert_eq!(ask(&state, get("/ready")).1, json!({ "ready": true }), "no version without the token");
    let told = ask(&state, with(get("/ready"), "authorization", "Bearer s3cret")).1;
    assert_eq!(told, json!({ "ready": true, "version": "v0001", "stale": null }));
}

#[test]
fn names_that_are_not_the_servers_are_refused() {
    let served = Served::new(&[0]);
    let open = |is_local| App::open(served.workspace.clone(), &ServeSettings { is_local, ..settings() }).unwrap();
    let (local, network) = (open(true), open(false));
    for (host, at_home, away) in [
        ("localhost", 200, 200),
        ("LOCALHOST:8080", 200, 200),
        ("localhost.:8080", 200, 200),
        ("127.0.0.1:8080", 200, 200),
        ("[::1]:8080", 200, 200),
        ("[::1]", 200, 200),
        ("models.example", 200, 200),
        ("Models.Example:443", 200, 200),
        ("10.1.2.3:8080", 421, 200),
        ("evil.example", 421, 421),
        ("localhost.evil.example", 421, 421),
        ("127.0.0.1.evil.example", 421, 421),
        ("evil.example:localhost", 421, 421),
        ("", 421, 421),
    ] {
        for path in ["/health", "/models", "/nowhere"] {
            let expected = |status| if path == "/nowhere" && status == 200 { 404 } else { status };
            assert_eq!(ask(&local, with(get(path), "host", host)).0, expected(at_home), "{host:?} {path}");
            assert_eq!(ask(&network, with(get(path), "host", host)).0, expected(away), "{host:?} {path}");
        }
        assert_eq!(ask(&local, with(request("/predict", ROW), "host", host)).0, at_home, "{host:?}");
        assert_eq!(ask(&local, with(request("/models", ROW), "host", host)).0, if at_home == 200 { 405 } else { 421 });
    }
    let mut twice = get("/health");
    twice.headers_mut().append("host", "localhost".parse().unwrap());
    assert_eq!(ask(&local, twice).0, 400);
    let mut nameless = get("/health");
    nameless.headers_mut().remove("host");
    assert_eq!(ask(&local, nameless).0, 400);
    assert_eq!(ask(&local, get("http://evil.example/health")).0, 421, "the address counts as well");
}

#[test]
fn pages_of_other_origins_are_refused() {
    let served = Served::new(&[0]);
    let state = served.open();
    for (origin, status) in [
        ("http://localhost:8080", 200),
        ("https://models.example", 200),
        ("http://localhost:9999", 403),
        ("http://evil.example", 403),
        ("http://models.example.evil.example", 403),
        ("null", 403),
        ("", 403),
    ] {
        for asked in [request("/predict", ROW), get("/models"), get("/health")] {
            let asked = with(with(asked, "host", "localhost:8080"), "origin", origin);
            assert_eq!(ask(&state, asked).0, status, "{origin:?}");
        }
    }
    let mut preflight = with(get("/predict"), "origin", "http://evil.example");
    *preflight.method_mut() = axum::http::Method::OPTIONS;
    let (status, _, response) = send(&state, preflight);
    assert_eq!((status.as_u16(), response.headers().get("access-control-allow-origin")), (403, None));
}
