//! `POST /feedback`: what people say of predictions, taken in as `mlloop feedback` does.

use super::limits::{Ticket, expect_json, read};
use super::problem::{Refusal, json};
use super::state::App;
use crate::feedback::{FeedbackError, Given, give, parse};
use crate::workspace::WorkspaceError;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long another process may keep the lock of the loop before the client is told to come back.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the lock is asked for.
const AGAIN: Duration = Duration::from_millis(20);

/// Takes corrections in: one object, or a list of them.
///
/// # Errors
/// Why none of them was taken in.
pub(super) async fn feedback(app: &Arc<App>, parts: &Parts, body: Body) -> Result<Response<Body>, Refusal> {
    app.tokens.may_change(&parts.headers)?;
    expect_json(&parts.headers)?;
    let mut ticket: Ticket = app.gate.enter()?;
    let body = read(body, &mut ticket).await?;
    let app = Arc::clone(app);
    let taken = tokio::task::spawn_blocking(move || take_in(&app, &body)).await;
    let given = taken.map_err(|err| Refusal::Internal(err.to_string()))??;
    Ok(json(StatusCode::OK, &given))
}

fn take_in(app: &App, body: &[u8]) -> Result<Given, Refusal> {
    let snapshot = app.snapshot();
    let none = || Refusal::Unavailable("no version is in production yet; `mlloop train` makes one".to_owned());
    let target = &snapshot.production.as_ref().ok_or_else(none)?.model.pipeline.target;
    let lines = lines(body)?;
    let corrections = parse::corrections("feedback", lines.as_bytes(), "").map_err(|err| refusal(&err))?;
    if corrections.is_empty() {
        return Err(Refusal::Malformed("there is no correction in the body".to_owned()));
    }
    // One at a time: they would only wait for each other's lock.
    let _turn = app.changing();
    let started = Instant::now();
    loop {
        match app.workspace.lock() {
            Ok(lock) => {
                return give(&app.workspace, &lock, target, &corrections, app.now()).map_err(|err| refusal(&err));
            }
            Err(WorkspaceError::Locked { .. }) if started.elapsed() < PATIENCE => std::thread::sleep(AGAIN),
            Err(err) => return Err(Refusal::Unavailable(err.to_string())),
        }
    }
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
