//! GET requests without a body: answered from memory, or from files that are read again only after a change.
//!
//! ```text
//! request ─ its thread's turn ─ cached and the files unchanged? ─▶ sent
//!             one at a time          └ no: one reader at a time, on its own thread ─▶ cached
//! ```
//! Each thread answers one of these at a time and serves its other connections in between, so any number of them delays
//! a prediction by at most one.

use super::endpoint::Endpoint;
use super::problem::{self, Refusal, json};
use super::snapshot::Snapshot;
use super::state::App;
use super::{adapter, openapi, status};
use crate::atomic::Stamp;
use crate::registry::Version;
use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::Serialize;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// Longest queue of such requests; further ones are answered with 503.
const MAX_WAITING: usize = 256;
/// Files are checked at most this often.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The cached answers.
pub(super) struct Answers {
    waiting: AtomicUsize,
    /// Changes of the loop that this server has recorded.
    n_recorded: AtomicUsize,
    /// Limits reading of files to one request at a time.
    reader: Semaphore,
    models: Mutex<Option<Known>>,
    retrain: Mutex<Option<Known>>,
}

/// A cached answer, and its sources.
#[derive(Clone)]
struct Known {
    snapshot: Arc<Snapshot>,
    files: Vec<Option<Stamp>>,
    job: Option<u64>,
    looked: Instant,
    /// The value of `n_recorded` when it was read.
    n_recorded: usize,
    bytes: Bytes,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            n_recorded: AtomicUsize::new(0),
            reader: Semaphore::new(1),
            models: Mutex::default(),
            retrain: Mutex::default(),
        }
    }

    fn slot(&self, endpoint: Endpoint) -> &Mutex<Option<Known>> {
        if endpoint == Endpoint::Models { &self.models } else { &self.retrain }
    }

    /// Something was recorded: the next request reads the files again.
    pub(super) fn look_again(&self) {
        self.n_recorded.fetch_add(1, Ordering::Relaxed);
    }

    /// The cached answer, if its sources have not changed.
    fn known(&self, app: &App, endpoint: Endpoint) -> Option<Bytes> {
        let mut slot = self.slot(endpoint).lock().unwrap_or_else(PoisonError::into_inner);
        let known = slot.as_mut().filter(|known| Arc::ptr_eq(&known.snapshot, &app.snapshot()))?;
        if known.n_recorded != self.n_recorded.load(Ordering::Relaxed) {
            return None;
        }
        // The state of the job is in no file.
        if known.job != app.job.as_ref().map(|job| job.stamp()) {
            return None;
        }
        if known.looked.elapsed() >= LOOK_EVERY {
            if status::files(&app.workspace, endpoint) != known.files {
                return None;
            }
            known.looked = Instant::now();
        }
        Some(known.bytes.clone())
    }

    /// An answer read from files.
    async fn read(&self, app: &Arc<App>, endpoint: Endpoint) -> Result<Bytes, Refusal> {
        if let Some(bytes) = self.known(app, endpoint) {
            return Ok(bytes);
        }
        let fault = |what: String| Refusal::Internal(what);
        let _turn = self.reader.acquire().await.map_err(|err| fault(err.to_string()))?;
        // The previous reader may have read the same.
        if let Some(bytes) = self.known(app, endpoint) {
            return Ok(bytes);
        }
        let (done, told) = oneshot::channel();
        let theirs = Arc::clone(app);
        let read = move || done.send(look(&theirs, endpoint));
        let spawned = std::thread::Builder::new().name("status".to_owned()).spawn(move || read().is_ok());
        spawned.map_err(|err: io::Error| fault(err.to_string()))?;
        let known = told.await.map_err(|_| fault("a panic, see above".to_owned()))??;
        let bytes = known.bytes.clone();
        *self.slot(endpoint).lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(bytes)
    }
}

/// Reads the files of an answer. Their stamps are taken first, so that a concurrent change is noticed next time.
fn look(app: &App, endpoint: Endpoint) -> Result<Known, Refusal> {
    let n_recorded = app.answers.n_recorded.load(Ordering::Relaxed);
    let (snapshot, looked) = (app.snapshot(), Instant::now());
    let job = app.job.as_ref().map(|job| job.stamp());
    let files = status::files(&app.workspace, endpoint);
    let bytes = match endpoint {
        Endpoint::Models => serde_json::to_vec(&status::models(&app.workspace, &snapshot)?),
        _ => serde_json::to_vec(&status::retrain(app, &snapshot)?),
    };
    let bytes = bytes.map_err(|err| Refusal::Internal(err.to_string()))?.into();
    Ok(Known { snapshot, files, job, looked, n_recorded, bytes })
}

thread_local! {
    /// One of these requests at a time on each thread.
    static TURN: Arc<Semaphore> = Arc::new(Semaphore::new(1));
}

/// Answers a request without a body.
///
/// # Errors
/// The reason for a refusal.
pub(super) async fn look_up(app: &Arc<App>, endpoint: Endpoint, parts: &Parts) -> Result<Response<Body>, Refusal> {
    match endpoint {
        Endpoint::Health => return Ok(json(StatusCode::OK, &Health { status: "alive" })),
        Endpoint::Ready => return Ok(ready(app, parts)),
        _ if endpoint.is_health() => return adapter::describe(app, endpoint, parts, why_not_ready(app).is_none()),
        _ => {}
    }
    let waiting = Waiting::new(&app.answers.waiting);
    if waiting.before >= MAX_WAITING {
        return Err(Refusal::Overload);
    }
    let turn = TURN.with(Arc::clone);
    let _turn = turn.acquire().await.map_err(|err| Refusal::Internal(err.to_string()))?;
    // Let waiting predictions run first.
    tokio::task::yield_now().await;
    let snapshot = app.snapshot();
    Ok(match endpoint {
        Endpoint::Metrics => {
            problem::body(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", app.metrics_text())
        }
        Endpoint::OpenApi => {
            let page = snapshot.pages.openapi.get_or_init(|| openapi::openapi(&snapshot).to_string().into());
            problem::body(StatusCode::OK, "application/json", page.clone())
        }
        Endpoint::Docs => {
            let page = snapshot.pages.docs.get_or_init(|| openapi::docs(&snapshot).map(Bytes::from));
            let page = page.as_ref().map_err(|err| Refusal::Internal(err.to_string()))?;
            problem::body(StatusCode::OK, "text/html; charset=utf-8", page.clone())
        }
        Endpoint::Info => json(StatusCode::OK, &openapi::info(&snapshot)),
        Endpoint::AbStatus => json(StatusCode::OK, &status::experiment(&snapshot)),
        Endpoint::Models | Endpoint::RetrainStatus => {
            let bytes = app.answers.read(app, endpoint).await?;
            problem::body(StatusCode::OK, "application/json", bytes)
        }
        _ if endpoint.describes() => adapter::describe(app, endpoint, parts, why_not_ready(app).is_none())?,
        _ => {
            return Err(Refusal::NotFound(format!(
                "there is no endpoint {}; see /docs",
                problem::shorten(parts.uri.path())
            )));
        }
    })
}

/// Counts a waiting request.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The answer of `/health`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Health {
    /// `alive`.
    status: &'static str,
}

/// The answer of `/ready`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Readiness {
    /// Whether predictions are answered.
    ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    #[serde(flatten)]
    model: Option<ReadyModel>,
}

/// What callers who may predict also get.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ReadyModel {
    /// The version in production.
    version: Option<Version>,
    /// Why an older state of the loop is served.
    stale: Option<String>,
    /// Rows that windows lack.
    #[serde(skip_serializing_if = "Option::is_none")]
    past: Option<String>,
}

/// Why the next prediction will probably be refused.
fn why_not_ready(app: &App) -> Option<&'static str> {
    match app.production() {
        None => Some("no version is in production"),
        _ if app.log.as_ref().is_some_and(|log| log.is_failing()) => Some("the prediction log cannot be written"),
        _ if app.is_busy() => Some("too many requests at once"),
        _ => None,
    }
}

/// A warning about windows that lack some of their rows.
fn too_small(app: &App) -> Option<String> {
    let snapshot = app.snapshot();
    let (live, held) = snapshot
        .looking_back()
        .into_iter()
        .map(|(live, past)| (live, past.held()))
        .find(|(_, held)| held.n_left > 0)?;
    Some(format!(
        "the windows of {} miss rows: {} rows were dropped because the store is full (--past-rows)",
        live.model.name, held.n_left
    ))
}

/// `/ready`: whether the next prediction will be answered.
fn ready(app: &App, parts: &Parts) -> Response<Body> {
    let (version, why) = (app.production(), why_not_ready(app));
    // The other fields are for clients with access to the model.
    let may_know = app.access.may_predict(&parts.headers).is_ok();
    let model = may_know.then(|| ReadyModel { version, stale: app.stale(), past: too_small(app) });
    let told = Readiness { ready: why.is_none(), why, model };
    json(if why.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &told)
}
