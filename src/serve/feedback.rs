//! `POST /feedback`: feedback on predictions, imported as by `mlloop feedback`.

use super::desk::{Done, refusal};
use super::problem::{Refusal, json};
use super::state::App;
use super::ticket::{Ticket, expect_json, read, seat};
use crate::feedback::parse;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// Imports corrections: one object, or a list of them.
///
/// # Errors
/// Why none was imported.
pub(super) async fn feedback(app: &Arc<App>, parts: &Parts, body: Body) -> Result<Response<Body>, Refusal> {
    expect_json(&parts.headers)?;
    let mut ticket: Ticket = app.gate.ticket(seat(parts));
    let body = read(body, &mut ticket).await?;
    ticket.take_place()?;
    let snapshot = app.snapshot();
    let none = || Refusal::Unavailable("no version is in production yet; train one with `mlloop train`".to_owned());
    let live = snapshot.production.as_ref().ok_or_else(none)?;
    let corrections = parse::corrections("feedback", lines(&body)?.as_bytes(), "").map_err(|err| refusal(app, &err))?;
    if corrections.is_empty() {
        return Err(Refusal::Malformed("the body contains no correction".to_owned()));
    }
    let done = app.desk.give(app, Arc::clone(&live.model), corrections).await?;
    let fault = |err: serde_json::Error| Refusal::Internal(err.to_string());
    Ok(match done {
        Done::Given(given) => json(StatusCode::OK, &serde_json::to_value(given).map_err(fault)?),
        Done::Recorded => json(StatusCode::OK, &json!({})),
        Done::Kept(n_kept) => {
            let note = "the loop is busy: they are saved, and recorded later";
            json(StatusCode::ACCEPTED, &json!({ "n_kept": n_kept, "note": note }))
        }
    })
}

/// The corrections as JSON lines.
fn lines(body: &[u8]) -> Result<String, Refusal> {
    let not_json = |err: serde_json::Error| Refusal::Malformed(format!("the body is not JSON: {err}"));
    let said: Value = serde_json::from_slice(body).map_err(not_json)?;
    let list = match said {
        Value::Array(list) => list,
        one => vec![one],
    };
    if let Some(place) = list.iter().position(|one| !one.is_object()) {
        let what = format!("number {} is not a correction: write {{\"id\": …, \"verdict\": \"correct\"}}", place + 1);
        return Err(Refusal::Correction(what));
    }
    Ok(list.iter().map(|one| format!("{one}\n")).collect())
}
