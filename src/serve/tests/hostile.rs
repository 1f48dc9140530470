//! Bodies that are broken, too large or too many.

use super::fixture::{ROW, Served, ask, get, request, send, settings};
use crate::serve::{App, Limits, ServeSettings};

#[test]
fn hostile_bodies_have_their_statuses() {
    let served = Served::new(&[0]);
    let limits = Limits { max_body_bytes: 4_000, max_rows: 20, ..Limits::default() };
    let state = App::open(served.workspace.clone(), &ServeSettings { limits, ..settings() }).unwrap();
    let deep = "[".repeat(3_000);
    let nested = ROW.replace("3,", &format!("{}{},", "[".repeat(500), "]".repeat(500)));
    let cases = [
        ("".to_owned(), 400),
        ("[]".to_owned(), 400),
        ("{\"rows\": []}".to_owned(), 400),
        ("null".to_owned(), 400),
        (deep, 400),
        (nested, 422),
        (ROW.replace("63.90", "NaN"), 400),
        (ROW.replace("63.90", "Infinity"), 400),
        (ROW.replace("63.90", "1e999"), 422),
        (ROW.replace("63.90", "\"1e999\""), 422),
        (ROW.replace("63.90", "\"-Infinity\""), 422),
        (ROW.replace("63.90", "\"inf\""), 422),
        (ROW.replace("63.90", "\"1e300\""), 200),
        (ROW.replace("63.90", "\"\""), 200),
        (ROW.replace("63.90", "1e300"), 200),
        (ROW.replace("63.90", "-123456789012345678901234567890"), 200),
        (ROW.replace("\"months\": 3", "\"months\": 3, \"months\": 4"), 422),
        (ROW.replace("\"dsl\"", "\"nobody has this\""), 200),
        (ROW.replace("\"dsl\"", "null"), 200),
        (ROW.replace("\"dsl\"", "\"\\ud800\""), 400),
        ("{}".to_owned(), 422),
        (format!("[{}]", vec!["{}"; 21].join(",")), 413),
        (format!("[{}]", " ".repeat(4_000)), 413),
    ];
    for (body, expected) in cases {
        let (status, answer) = ask(&state, request("/predict", body.clone()));
        assert_eq!(status, expected, "{body}: {answer}");
        assert!(expected == 200 || !answer["error"].as_str().unwrap().is_empty());
    }
    let mut plain = request("/predict", ROW);
    plain.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(ask(&state, plain).0, 415);
    assert_eq!(ask(&state, get("/predict")).0, 405);
    assert_eq!(ask(&state, request("/models", "")).0, 405);
    assert_eq!(ask(&state, get("/nowhere")).0, 404);
    assert_eq!(ask(&state, request("/predict?explain=-1", ROW)).0, 400);
    assert_eq!(ask(&state, request("/predict?explian=1", ROW)).0, 400);
    assert_eq!(served.logged().len(), 6);
}

#[test]
fn too_much_at_once_is_told_to_come_back() {
    let served = Served::new(&[0]);
    let limits = Limits { max_in_flight: 0, ..Limits::default() };
    let state = App::open(served.workspace.clone(), &ServeSettings { limits, ..settings() }).unwrap();
    let (status, _, response) = send(&state, request("/predict", ROW));
    assert_eq!((status.as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    assert_eq!(ask(&state, get("/health")).0, 200);
    let limits = Limits { max_bytes_in_flight: 300, ..Limits::default() };
    let state = App::open(served.workspace.clone(), &ServeSettings { limits, ..settings() }).unwrap();
    assert_eq!(ask(&state, request("/predict", ROW)).0, 503);
    assert_eq!(state.gate.in_flight(), 0);
}

#[test]
fn two_lengths_of_one_body_are_refused() {
    let served = Served::new(&[0]);
    let state = served.open();
    let mut both = request("/predict", ROW);
    both.headers_mut().insert("content-length", ROW.len().to_string().parse().unwrap());
    both.headers_mut().insert("transfer-encoding", "chunked".parse().unwrap());
    let (status, _, response) = send(&state, both);
    assert_eq!((status.as_u16(), response.headers()["connection"].to_str().unwrap()), (400, "close"));
    let mut chunked = request("/predict", ROW);
    chunked.headers_mut().insert("transfer-encoding", "chunked".parse().unwrap());
    let (status, _, response) = send(&state, chunked);
    assert_eq!((status.as_u16(), response.headers()["connection"].to_str().unwrap()), (200, "close"));
}

#[test]
fn no_bytes_make_it_fall() {
    let served = Served::new(&[0]);
    let state = App::open(served.workspace.clone(), &ServeSettings { log: None, ..settings() }).unwrap();
    proptest::proptest!(proptest::test_runner::Config::with_cases(300), |(bytes: Vec<u8>, cut in 0_usize..200)| {
        let mut mixed = ROW.as_bytes()[..cut.min(ROW.len())].to_vec();
        mixed.extend(&bytes);
        mixed.extend(&ROW.as_bytes()[cut.min(ROW.len())..]);
        for body in [bytes, mixed] {
            let (status, answer) = ask(&state, request("/predict_ab?explain=1", body));
            assert!([200, 400, 413, 422].contains(&status), "{status} {answer}");
        }
    });
    assert_eq!(state.gate.in_flight(), 0);
}
