//! Translates the protocols of other servers to our prediction path.
//!
//! ```text
//! KServe V2, KServe V1, SageMaker, MLflow, Label Studio ─ their body ─▶ rows ─▶ predict ─▶ predictions ─ their answer ─▶
//! ```
//! Sources: "Open Inference Protocol" (kserve/open-inference-protocol) with its binary extension, "Common inference
//! parameters" and container contract of SageMaker, "MLflow scoring server" (`/invocations`).

mod studio;
mod tensors;

use super::endpoint::Endpoint;
use super::predict::{self, INLINE_BYTES};
use super::problem::{self, Refusal};
use super::scoring::Wanted;
use super::snapshot::Snapshot;
use super::state::App;
use super::ticket::{Held, read, seat};
use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A request of another protocol: its rows in our format, and the format of the answer.
struct Asked {
    rows: Bytes,
    form: Form,
}

/// The format of an answer.
enum Form {
    /// `{"predictions": ["yes"], "scores": [0.7], "ids": […]}`.
    Plain,
    /// A line per row: the score of two classes, else the prediction.
    Csv,
    /// Tensors, with the name and id of the request.
    Tensors { model: String, id: Option<String> },
}

/// The answer of the common prediction path.
#[derive(Deserialize)]
struct Told {
    predictions: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    id: String,
    prediction: Value,
    score: Option<f64>,
    scores: Option<Map<String, Value>>,
    version: String,
}

/// Answers a request for predictions.
///
/// # Errors
/// Missing parts of the protocol's body, and errors of the common prediction path.
pub(super) async fn answer(
    app: &Arc<App>,
    endpoint: Endpoint,
    parts: &Parts,
    body: Body,
    request_id: &str,
) -> Result<Response<Body>, Refusal> {
    if endpoint.is_studio() {
        return studio::answer(app, endpoint, parts, body, request_id).await;
    }
    let snapshot = app.snapshot();
    let model = named(app, &snapshot, endpoint, parts)?;
    let mut ticket = app.gate.ticket(seat(parts));
    let body = read(body, &mut ticket).await?;
    ticket.charge_values(&body)?;
    ticket.take_place()?;
    let is_large = body.len() > INLINE_BYTES;
    let heads = parts.headers.clone();
    let understand = move || match endpoint {
        Endpoint::V2Infer => tensors::read(&body, &heads, model),
        Endpoint::Invocations if is(&heads, header::CONTENT_TYPE, "text/csv") => {
            let wants_json = is(&heads, header::ACCEPT, "json");
            let form = if wants_json { Form::Plain } else { Form::Csv };
            Ok(Asked { rows: from_csv(&body, &snapshot)?, form })
        }
        _ => {
            Ok(Asked { rows: body, form: if is(&heads, header::ACCEPT, "text/csv") { Form::Csv } else { Form::Plain } })
        }
    };
    let Asked { rows, form } = if is_large { app.lane.run(understand).await? } else { understand()? };
    ticket.charge(rows.len())?;
    let (json, ticket) =
        predict::compute(app, Endpoint::Predict, parts, rows, ticket, (request_id, Wanted::default())).await?;
    let write = move || write(&form, &json);
    let (kind, bytes) = if is_large { app.lane.run(write).await? } else { write()? };
    Ok(problem::body(StatusCode::OK, kind, Body::new(Held::new(bytes, ticket))))
}

/// Whether a header has this value.
fn is(headers: &axum::http::HeaderMap, name: header::HeaderName, what: &str) -> bool {
    headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(what))
}

/// The requested model and version; both must be the ones that are served.
fn named(app: &App, snapshot: &Snapshot, endpoint: Endpoint, parts: &Parts) -> Result<String, Refusal> {
    let mut words = parts.uri.path().split('/').skip_while(|word| *word != "models").skip(1);
    let Some(name) = words.next() else { return Ok(app.name.clone()) };
    let (name, verb) = name.split_once(':').unwrap_or((name, ""));
    let verb_fits = if endpoint == Endpoint::V1Predict { verb == "predict" } else { verb.is_empty() };
    if !verb_fits || (name != app.name && name != "mlloop") {
        let what = format!("there is no model {:?}; this one is {:?}", problem::shorten(name), app.name);
        return Err(Refusal::NotFound(what));
    }
    if let (Some("versions"), Some(version)) = (words.next(), words.next()) {
        let answers = snapshot.production.as_ref().map(|live| live.model.version);
        if answers.is_none_or(|own| version != own.to_string() && version != own.0.to_string()) {
            return Err(Refusal::NotFound(format!("version {:?} is not served", problem::shorten(version))));
        }
    }
    Ok(name.to_owned())
}

/// CSV with or without a header; without one, values are in the order of the features.
fn from_csv(body: &[u8], snapshot: &Snapshot) -> Result<Bytes, Refusal> {
    let wrong = |err: csv::Error| Refusal::Malformed(format!("the body is not CSV: {err}"));
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(body);
    let mut records = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        records.push(record.iter().map(str::to_owned).collect::<Vec<String>>());
    }
    let is_header = records.first().is_some_and(|first| first.iter().all(|name| snapshot.form.find(name, 0).is_some()));
    let rows = match is_header {
        true => json!({ "dataframe_split": { "columns": records.remove(0), "data": records } }),
        false => json!({ "inputs": records }),
    };
    Ok(rows.to_string().into())
}

/// The predictions in an answer of the common path.
fn told(json: &[u8]) -> Result<Vec<One>, Refusal> {
    let fault = |err: serde_json::Error| Refusal::Internal(err.to_string());
    let told: Value = serde_json::from_slice(json).map_err(fault)?;
    // A single row outside a list has an answer outside a list.
    let told = if told.get("predictions").is_some() { told } else { json!({ "predictions": [told] }) };
    let Told { predictions } = serde_json::from_value(told).map_err(fault)?;
    Ok(predictions)
}

fn write(form: &Form, json: &[u8]) -> Result<(&'static str, Vec<u8>), Refusal> {
    let fault = |err: serde_json::Error| Refusal::Internal(err.to_string());
    let predictions = told(json)?;
    let value = match form {
        Form::Csv => {
            let line = |one: &One| match (one.score, &one.prediction) {
                (Some(score), _) => format!("{score}\n"),
                (None, Value::String(class)) => format!("{class}\n"),
                (None, other) => format!("{other}\n"),
            };
            return Ok(("text/csv; charset=utf-8", predictions.iter().map(line).collect::<String>().into_bytes()));
        }
        Form::Tensors { model, id } => tensors::write(&predictions, model, id.as_deref()),
        Form::Plain => {
            let of = |get: fn(&One) -> Value| predictions.iter().map(get).collect::<Vec<Value>>();
            let mut value = json!({
                "predictions": of(|one| one.prediction.clone()),
                "ids": of(|one| json!(one.id)),
                "version": predictions.first().map(|one| &one.version),
            });
            if predictions.iter().any(|one| one.score.is_some() || one.scores.is_some()) {
                value["scores"] = json!(of(|one| one.score.map_or_else(|| json!(one.scores), |score| json!(score))));
            }
            value
        }
    };
    Ok(("application/json", serde_json::to_vec(&value).map_err(fault)?))
}

/// The server's description of itself and its model in these protocols.
///
/// # Errors
/// [`Refusal::NotFound`] for another model.
pub(super) fn describe(
    app: &App,
    endpoint: Endpoint,
    parts: &Parts,
    is_ready: bool,
) -> Result<Response<Body>, Refusal> {
    let snapshot = app.snapshot();
    let state = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(match endpoint {
        Endpoint::StudioHealth => {
            studio::is_open(app)?;
            problem::json(StatusCode::OK, &json!({ "status": "UP", "model_class": "mlloop" }))
        }
        Endpoint::V2Server => {
            let told =
                json!({ "name": "mlloop", "version": env!("CARGO_PKG_VERSION"), "extensions": ["binary_tensor_data"] });
            problem::json(StatusCode::OK, &told)
        }
        Endpoint::V2Live => problem::json(StatusCode::OK, &json!({ "live": true })),
        Endpoint::V2Ready | Endpoint::Ping => problem::json(state, &json!({ "ready": is_ready })),
        Endpoint::V1Model | Endpoint::V2ModelReady => {
            let name = named(app, &snapshot, endpoint, parts)?;
            problem::json(state, &json!({ "name": name, "ready": is_ready }))
        }
        _ => {
            let name = named(app, &snapshot, endpoint, parts)?;
            problem::json(StatusCode::OK, &tensors::describe(&snapshot, &name))
        }
    })
}
