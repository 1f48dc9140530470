//! HTTP: predictions in JSON over a snapshot of the registry.
//!
//! ```text
//! TCP ─(TLS)─ connection ─▶ Router ─▶ predict ─▶ rows ─▶ scores ─▶ log ─▶ answer
//!   bounded     bounded               bounded        ▲ Snapshot, swapped when roles.json or ab.json change
//! ```
//! Listener, state and shutdown are arguments, and [`app`] is a router, so tests need no socket.

mod access;
mod adapter;
mod answer;
mod connections;
mod desk;
mod endpoint;
mod feedback;
mod form;
mod hall;
mod job;
mod lane;
mod limits;
mod log;
mod lookup;
mod metrics;
mod openapi;
mod past;
mod predict;
mod problem;
mod rest;
mod rounds;
mod rows;
mod scoring;
mod snapshot;
mod state;
mod settings;
mod status;
#[cfg(test)]
mod tests;
mod temporary;
mod ticket;
mod tls;
mod wire;

/// The JSON answers, for their schemas.
#[cfg(test)]
pub(crate) mod answers {
    pub(crate) use super::answer::{Answer, Many};
    pub(crate) use super::lookup::{Health, Readiness};
    pub(crate) use super::openapi::Info;
    pub(crate) use super::status::{ExperimentStatus, Models, Retraining};
}

pub use connections::serve;
pub(crate) use lane::let_step_back;
pub use limits::Limits;
pub use settings::{JobSettings, ServeSettings};
pub use state::App;
pub use tls::Tls;

use crate::ab::AbError;
use crate::pipeline::PipelineError;
use crate::workspace::WorkspaceError;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use axum::routing::MethodRouter;
use endpoint::Endpoint;
use hall::Seat;
use problem::Refusal;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Errors at the start of a server.
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
        /// The problem.
        what: String,
    },
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was requested of the system.
        what: &'static str,
        /// The I/O error.
        source: io::Error,
    },
}

/// Whether a body contains rows with these columns: the entry point of the fuzz tests of the reader.
#[doc(hidden)]
#[must_use]
pub fn holds_rows(columns: &[&str], body: &[u8]) -> bool {
    let mut form = form::Form::default();
    for name in columns {
        form.keep(name);
    }
    rows::Rows::parse(body, &form, 1000, &mut |_| true).is_ok_and(|rows| rows.problems.is_empty())
}

/// The server without its socket.
pub fn app(state: Arc<App>) -> Router {
    let mut routes: BTreeMap<String, MethodRouter<Arc<App>>> = BTreeMap::new();
    for endpoint in Endpoint::addressed() {
        let answer = move |State(app): State<Arc<App>>, request: Request| answer(app, endpoint, request);
        for path in endpoint.paths() {
            let route = routes.remove(&path).unwrap_or_default();
            routes.insert(path, if endpoint.is_post() { route.post(answer) } else { route.get(answer) });
        }
    }
    let mut router = Router::new();
    for (path, route) in routes {
        let own = Endpoint::addressed().find(|endpoint| endpoint.paths().contains(&path)).unwrap_or(Endpoint::Other);
        let refuse = move |State(app): State<Arc<App>>, request: Request| refuse(app, own, request);
        router = router.route(&path, route.fallback(refuse));
    }
    let unknown = |State(app): State<Arc<App>>, request: Request| answer(app, Endpoint::Other, request);
    router.fallback(unknown).with_state(state)
}

/// Answers a request and counts it.
async fn answer(app: Arc<App>, endpoint: Endpoint, request: Request) -> Response<Body> {
    let asked = Asked::new(&app, endpoint, request);
    let Asked { parts, body, request_id, started, seat, .. } = asked;
    let options = if endpoint.predicts() { predict::Options::of(&parts) } else { Ok(predict::Options::default()) };
    let permitted = fits_the_seat(endpoint, &parts, seat.as_deref()).and_then(|()| app.access.may(endpoint, &parts));
    let answered = match permitted.and(options) {
        Ok(options) if endpoint.predicts() => {
            predict::predict(&app, endpoint, &parts, body, (&request_id, options)).await
        }
        Ok(_) if endpoint.adapts() => adapter::answer(&app, endpoint, &parts, body, &request_id).await,
        Ok(_) if endpoint == Endpoint::Feedback => feedback::feedback(&app, &parts, body).await,
        Ok(_) => lookup::look_up(&app, endpoint, &parts).await,
        Err(refusal) => Err(refusal),
    };
    finish(&app, endpoint, (&parts, &request_id, started), answered)
}

/// Answers a request with the wrong method.
async fn refuse(app: Arc<App>, endpoint: Endpoint, request: Request) -> Response<Body> {
    let Asked { parts, request_id, started, .. } = Asked::new(&app, endpoint, request);
    let refusal = app.access.admits(&parts).err().unwrap_or(Refusal::Method);
    finish(&app, endpoint, (&parts, &request_id, started), Err(refusal))
}

/// A request before parsing.
struct Asked {
    parts: Parts,
    body: Body,
    request_id: String,
    started: Instant,
    seat: Option<Arc<Seat>>,
}

impl Asked {
    fn new(app: &App, endpoint: Endpoint, request: Request) -> Self {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let body = rest::lingering(body);
        let named = if endpoint.predicts() { predict::Options::of(&parts).ok() } else { None };
        let request_id = request_id(app, &parts, named.as_ref().and_then(|options| options.request_id.as_deref()));
        let seat = ticket::seat(&parts);
        Self { parts, body, request_id, started, seat }
    }
}

/// Refuses requests that the connection may not make.
fn fits_the_seat(endpoint: Endpoint, parts: &Parts, seat: Option<&Seat>) -> Result<(), Refusal> {
    let both = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].iter().all(|name| parts.headers.contains_key(name));
    if both || seat.is_some_and(|seat| seat.is_ambiguous.swap(false, Ordering::Relaxed)) {
        return Err(Refusal::Ambiguous);
    }
    check_codings(parts)?;
    if seat.is_some_and(Seat::is_spare) && !endpoint.is_health() { Err(Refusal::Overload) } else { Ok(()) }
}

/// Refuses compressed bodies, which are not supported.
fn check_codings(parts: &Parts) -> Result<(), Refusal> {
    let said = |name| {
        let lines = parts.headers.get_all(name).iter();
        lines.map(|line| line.to_str().unwrap_or("?").trim().to_ascii_lowercase()).collect::<Vec<_>>().join(", ")
    };
    let (transfer, content) = (said(header::TRANSFER_ENCODING), said(header::CONTENT_ENCODING));
    if !["", "chunked"].contains(&transfer.as_str()) {
        return Err(Refusal::Malformed("only `Transfer-Encoding: chunked` is supported".to_owned()));
    }
    if ["", "identity"].contains(&content.as_str()) { Ok(()) } else { Err(Refusal::Packed) }
}

fn finish(
    app: &App,
    endpoint: Endpoint,
    (parts, request_id, started): (&Parts, &str, Instant),
    answered: Result<Response<Body>, Refusal>,
) -> Response<Body> {
    if let Err(Refusal::Internal(fault)) = &answered {
        app.tell(&format!("request {request_id}: {fault}"));
    }
    if (endpoint.predicts() || endpoint.adapts()) && matches!(answered, Err(Refusal::Overload)) {
        app.refused();
    }
    let mut response = answered.unwrap_or_else(|refusal| refusal.response(request_id));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-request-id", id);
    }
    // Parsers may disagree on where this request ends, so the connection is closed.
    if parts.headers.contains_key(header::TRANSFER_ENCODING) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(seat) = parts.extensions.get::<Arc<Seat>>() {
        seat.head_comes.store(true, Ordering::Relaxed);
    }
    app.metrics.answered(endpoint, response.status(), started.elapsed());
    response
}

/// The id of a request, from its URL or header; a new one if there is none, or if it is not allowed in a header or a
/// log.
fn request_id(app: &App, parts: &Parts, asked: Option<&str>) -> String {
    let header = || parts.headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let fits = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    asked.or_else(header).filter(fits).map_or_else(|| app.new_request_id(), str::to_owned)
}
