//! HTTP: predictions in JSON over a snapshot of the registry.
//!
//! ```text
//! TCP ─(TLS)─ connection ─▶ Router ─▶ predict ─▶ rows ─▶ scores ─▶ log ─▶ answer
//!   bounded     bounded               bounded        ▲ Snapshot, swapped when roles.json or ab.json change
//! ```
//! The server is given its listener, its state and its end, so that tests need no socket: [`app`] is a router.

mod answer;
mod connections;
mod endpoint;
mod feedback;
mod form;
mod limits;
mod log;
mod metrics;
mod openapi;
mod predict;
mod problem;
mod rows;
mod scoring;
mod snapshot;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod tls;

pub use connections::serve;
pub use limits::Limits;
pub use state::{App, ServeSettings};
pub use tls::Tls;

use crate::ab::AbError;
use crate::pipeline::PipelineError;
use crate::workspace::WorkspaceError;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::{get, post};
use endpoint::Endpoint;
use problem::{Refusal, json};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// What keeps a server from starting.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A problem of the workspace or its registry.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A version that cannot be loaded.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// An experiment that cannot be understood.
    #[error("{0}")]
    Ab(#[from] AbError),
    /// A certificate or key that cannot be used.
    #[error("{}: {what}", .path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was wanted.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// The server without its socket.
pub fn app(state: Arc<App>) -> Router {
    let mut router = Router::new();
    for endpoint in Endpoint::addressed() {
        let answer = move |State(app): State<Arc<App>>, request: Request| answer(app, endpoint, request);
        let refuse = move |State(app): State<Arc<App>>, request: Request| refuse(app, endpoint, request);
        let route = if endpoint.is_post() { post(answer) } else { get(answer) };
        router = router.route(endpoint.label(), route.fallback(refuse));
    }
    let unknown = |State(app): State<Arc<App>>, request: Request| answer(app, Endpoint::Other, request);
    router.fallback(unknown).with_state(state)
}

/// Answers a request and counts it.
async fn answer(app: Arc<App>, endpoint: Endpoint, request: Request) -> Response<Body> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let options = if endpoint.predicts() { predict::Options::of(&parts) } else { Ok(predict::Options::default()) };
    let asked = options.as_ref().ok().and_then(|options| options.request_id.as_deref());
    let request_id = request_id(&app, &parts, asked);
    let answered = match options {
        Ok(options) if endpoint.predicts() => {
            predict::predict(&app, endpoint, &parts, body, (&request_id, options)).await
        }
        Ok(_) if endpoint == Endpoint::Feedback => feedback::feedback(&app, &parts, body).await,
        Ok(_) => look_up(&app, endpoint, &parts).await,
        Err(refusal) => Err(refusal),
    };
    finish(&app, endpoint, &request_id, started, answered)
}

/// Answers a request with the wrong method.
async fn refuse(app: Arc<App>, endpoint: Endpoint, request: Request) -> Response<Body> {
    let request_id = request_id(&app, &request.into_parts().0, None);
    finish(&app, endpoint, &request_id, Instant::now(), Err(Refusal::Method))
}

fn finish(
    app: &App,
    endpoint: Endpoint,
    request_id: &str,
    started: Instant,
    answered: Result<Response<Body>, Refusal>,
) -> Response<Body> {
    let mut response = answered.unwrap_or_else(|refusal| refusal.response(request_id));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-request-id", id);
    }
    app.metrics.answered(endpoint, response.status(), started.elapsed());
    response
}

/// The name that a request was given, by its address or header; a new one when it has none, or one that would not do as
/// a header and in a log.
fn request_id(app: &App, parts: &Parts, asked: Option<&str>) -> String {
    let header = || parts.headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let fits = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    asked.or_else(header).filter(fits).map_or_else(|| app.new_request_id(), str::to_owned)
}

/// Answers what needs no body.
async fn look_up(app: &Arc<App>, endpoint: Endpoint, parts: &Parts) -> Result<Response<Body>, Refusal> {
    let snapshot = app.snapshot();
    Ok(match endpoint {
        Endpoint::Health => json(StatusCode::OK, &serde_json::json!({ "status": "alive" })),
        Endpoint::Ready => {
            let version = snapshot.production.as_ref().map(|live| live.model.version);
            let status = if version.is_some() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let told = serde_json::json!({ "ready": version.is_some(), "version": version, "stale": app.stale() });
            json(status, &told)
        }
        Endpoint::Metrics => {
            problem::body(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", app.metrics_text())
        }
        Endpoint::OpenApi => json(StatusCode::OK, &openapi::openapi(&snapshot)),
        Endpoint::Docs => {
            let page = openapi::docs(&snapshot).map_err(|err| Refusal::Internal(err.to_string()))?;
            problem::body(StatusCode::OK, "text/html; charset=utf-8", page)
        }
        Endpoint::Info => json(StatusCode::OK, &openapi::info(&snapshot)),
        Endpoint::AbStatus => json(StatusCode::OK, &status::experiment(&snapshot)),
        Endpoint::Models | Endpoint::RetrainStatus => {
            // These read files, which may take a while.
            let app = Arc::clone(app);
            let look = move || match endpoint {
                Endpoint::Models => status::models(&app.workspace, &snapshot),
                _ => status::retrain(&app.workspace, &snapshot),
            };
            let looked = tokio::task::spawn_blocking(look).await;
            json(StatusCode::OK, &looked.map_err(|err| Refusal::Internal(err.to_string()))??)
        }
        _ => {
            return Err(Refusal::NotFound(format!("there is no {}; see /docs", problem::shorten(parts.uri.path()))));
        }
    })
}
