//! `POST /feedback`: what people say of predictions, taken in as `mlloop feedback` does.

use super::problem::{Refusal, json};
use super::state::App;
use super::ticket::{Ticket, expect_json, read, seat};
use crate::atomic::Lock;
use crate::feedback::{FeedbackError, give, parse};
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde_json::Value;
use std::sync::Arc;

/// Takes corrections in: one object, or a list of them.
///
/// # Errors
/// Why none of them was taken in.
pub(super) async fn feedback(app: &Arc<App>, parts: &Parts, body: Body) -> Result<Response<Body>, Refusal> {
    expect_json(&parts.headers)?;
    let mut ticket: Ticket = app.gate.ticket(seat(parts));
    let body = read(body, &mut ticket).await?;
    ticket.take_place()?;
    let snapshot = app.snapshot();
    let none = || Refusal::Unavailable("no version is in production yet; `mlloop train` makes one".to_owned());
    let live = snapshot.production.as_ref().ok_or_else(none)?;
    let corrections = parse::corrections("feedback", lines(&body)?.as_bytes(), "").map_err(|err| refusal(&err))?;
    if corrections.is_empty() {
        return Err(Refusal::Malformed("there is no correction in the body".to_owned()));
    }
    let model = Arc::clone(&live.model);
    let take_in = move |app: &App, lock: &Lock| {
        let given = give(&app.workspace, lock, &model.pipeline.target, &corrections, app.now());
        let given = given.map_err(|err| refusal(&err))?;
        serde_json::to_value(given).map_err(|err| Refusal::Internal(err.to_string()))
    };
    Ok(json(StatusCode::OK, &app.desk.make(app, take_in).await?))
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
        let what = format!("number {} is no correction: write {{\"id\": …, \"verdict\": \"correct\"}}", place + 1);
        return Err(Refusal::Correction(what));
    }
    Ok(list.iter().map(|one| format!("{one}\n")).collect())
}

fn refusal(err: &FeedbackError) -> Refusal {
    match err {
        FeedbackError::Correction { .. } => Refusal::Correction(err.to_string()),
        other => Refusal::Internal(other.to_string()),
    }
}
