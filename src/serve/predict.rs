//! From a request's body to its answer.
//!
//! ```text
//! body ─ rows ─ groups by arm ─ scores ─┬─▶ answer ──────────────────────────▶ sent
//!                                       └─▶ lines ─┬─▶ log (append, sync) ──────▲
//!                 other arms of a shadow ─ lines ──┘   nothing leaves before
//! ```

use super::answer::{Answer, Many};
use super::endpoint::Endpoint;
use super::limits::{Held, MAX_EXPLAINED_ROWS, Ticket, expect_json, read};
use super::log::Lines;
use super::problem::{self, Refusal};
use super::rows::{NoRows, Rows};
use super::scoring::{Scored, score};
use super::snapshot::{Live, Running, Snapshot};
use super::state::App;
use crate::journal::{Layout, Row};
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Bodies up to here are answered where they arrived: a row takes microseconds. Larger ones would hold up others.
const INLINE_BYTES: usize = 16 << 10;
/// Cells that one request may have: 16 MB.
const MAX_CELLS: usize = 1 << 20;

/// The options in a request's address.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// How many contributions are wanted.
    #[serde(default)]
    explain: usize,
    /// Names the request.
    #[serde(default)]
    pub(super) request_id: Option<String>,
}

impl Options {
    /// Those of a request.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub(super) fn of(parts: &Parts) -> Result<Self, Refusal> {
        if parts.uri.query().is_none() {
            return Ok(Self::default());
        }
        let parsed = Query::try_from_uri(&parts.uri);
        parsed.map(|Query(options)| options).map_err(|err| Refusal::Malformed(format!("in the address: {err}")))
    }
}

/// Everything that scoring needs to know of a request.
struct Job {
    app: Arc<App>,
    snapshot: Arc<Snapshot>,
    endpoint: Endpoint,
    explain: usize,
    request_id: String,
    at: Timestamp,
}

/// Scored rows, ready to be logged and sent.
struct Prepared {
    json: Vec<u8>,
    lines: Vec<Lines>,
    rows: Arc<Rows>,
    ids: Arc<[String]>,
}

/// Answers a request for predictions.
///
/// # Errors
/// Why there is no prediction.
pub(super) async fn predict(
    app: &Arc<App>,
    endpoint: Endpoint,
    parts: &Parts,
    body: Body,
    (request_id, options): (&str, Options),
) -> Result<Response<Body>, Refusal> {
    app.tokens.may_predict(&parts.headers)?;
    expect_json(&parts.headers)?;
    let mut ticket = app.gate.enter()?;
    let body = read(body, &mut ticket).await?;
    let is_large = body.len() > INLINE_BYTES;
    let job = Arc::new(Job {
        app: Arc::clone(app),
        snapshot: app.snapshot(),
        endpoint,
        explain: options.explain,
        request_id: request_id.to_owned(),
        at: app.now(),
    });
    let prepared = run(is_large, &job, move |job| prepare(job, &body)).await?;
    let Prepared { json, mut lines, rows, ids } = prepared;
    if let Some(running) = job.shadow() {
        for arm in 1..running.arms.len() {
            lines.extend(shadow(is_large, &job, running, arm, (&rows, &ids)).await);
        }
    }
    log(app, &mut ticket, json.len(), job.at, lines).await?;
    let held = Held::new(json, ticket);
    Ok(problem::body(StatusCode::OK, "application/json", Body::new(held)))
}

/// Logs the lines before anything leaves.
async fn log(app: &App, ticket: &mut Ticket, n: usize, at: Timestamp, lines: Vec<Lines>) -> Result<(), Refusal> {
    let Some(log) = &app.log else { return ticket.charge(n) };
    ticket.charge(n + lines.iter().map(|lines| lines.bytes.len()).sum::<usize>())?;
    let unlogged = |err| Refusal::Unavailable(format!("the prediction could not be logged, so it is not given: {err}"));
    log.commit(at, lines).await.map_err(unlogged)
}

/// Computes here, or on the pool for what takes long; a panic is an error of this request alone.
async fn run<T: Send + 'static>(
    is_large: bool,
    job: &Arc<Job>,
    compute: impl FnOnce(&Job) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let theirs = Arc::clone(job);
    let guarded = move || {
        catch_unwind(AssertUnwindSafe(|| compute(&theirs))).unwrap_or_else(|_| {
            theirs.app.metrics.panicked();
            Err(Refusal::Internal("a fault of the server; it is said in its messages".to_owned()))
        })
    };
    match is_large {
        false => guarded(),
        true => tokio::task::spawn_blocking(guarded)
            .await
            .unwrap_or_else(|err| Err(Refusal::Internal(format!("the computation was broken off: {err}")))),
    }
}

impl Job {
    /// The experiment whose other arms score without answering.
    fn shadow(&self) -> Option<&Running> {
        let asked = matches!(self.endpoint, Endpoint::Predict | Endpoint::PredictAb);
        self.snapshot.running.as_ref().filter(|running| asked && running.experiment.shadow)
    }

    /// Who answers each row: an arm of the experiment, or production.
    fn arms(&self, rows: &Rows) -> Result<Vec<Option<usize>>, Refusal> {
        let all = |arm| Ok(vec![arm; rows.len()]);
        match (&self.snapshot.running, self.endpoint) {
            (Some(_), Endpoint::PredictA) => all(Some(0)),
            (Some(_), Endpoint::PredictB) => all(Some(1)),
            (Some(running), Endpoint::PredictAb) if !running.experiment.shadow => {
                let arm = |row| match rows.written(row, running.unit) {
                    unit if unit.is_empty() => running.assigner.arm(self.request_id.as_bytes()),
                    unit => running.assigner.arm(unit.as_bytes()),
                };
                Ok((0..rows.len()).map(|row| Some(arm(row))).collect())
            }
            (Some(_), _) if self.shadow().is_some() => all(Some(0)),
            (None, Endpoint::PredictB) => Err(Refusal::Conflict(
                "no experiment is running, so there is no second arm; `mlloop ab-start` begins one".to_owned(),
            )),
            _ => all(None),
        }
    }

    fn live(&self, arm: Option<usize>) -> Result<&Live, Refusal> {
        let none = || Refusal::Unavailable("no version is in production yet; `mlloop train` makes one".to_owned());
        match (arm, &self.snapshot.running) {
            (Some(arm), Some(running)) => running.arms.get(arm).ok_or_else(none),
            _ => self.snapshot.production.as_ref().ok_or_else(none),
        }
    }

    fn arm_name(&self, arm: Option<usize>) -> Option<&str> {
        let running = self.snapshot.running.as_ref()?;
        Some(running.experiment.arms.get(arm?)?.name.as_str())
    }
}

/// Rows of one arm, scored.
struct Group<'a> {
    arm: Option<usize>,
    live: &'a Live,
    which: Vec<usize>,
    scored: Scored,
}

/// Scores a body, and writes the answer and the lines of the log.
fn prepare(job: &Job, body: &Bytes) -> Result<Prepared, Refusal> {
    let rows = parse(job, body)?;
    let arms = job.arms(&rows)?;
    let groups = groups(job, &rows, &arms)?;
    let mut places = vec![(0, 0); rows.len()];
    for (group, in_group) in groups.iter().enumerate() {
        in_group.which.iter().enumerate().for_each(|(n, &row)| places[row] = (group, n));
    }
    let mut book = Lined::default();
    for (row, &(group, n)) in places.iter().enumerate() {
        let Group { arm, live, scored, .. } = &groups[group];
        let id = job.id_of(&rows, row, live);
        book.add(job, &rows, (row, id), live, scored.scores.row(n), job.arm_name(*arm));
    }
    let Lined { lines, ids, .. } = book;
    let answer = |(row, &(group, n)): (usize, &(usize, usize))| {
        let Group { arm, live, scored, .. } = &groups[group];
        Answer::new(live, scored, n, &ids[row], job.arm_name(*arm))
    };
    let mut predictions: Vec<Answer> = places.iter().enumerate().map(answer).collect();
    let chosen = arms.iter().any(Option::is_some);
    let experiment = job.snapshot.running.as_ref().filter(|_| chosen).map(|r| r.experiment.name.as_str());
    let request_id = job.request_id.as_str();
    let json = match (rows.many, predictions.pop()) {
        (false, Some(one)) => serde_json::to_vec(&one.alone(request_id, experiment)),
        (_, last) => {
            predictions.extend(last);
            serde_json::to_vec(&Many { request_id, experiment, predictions })
        }
    };
    let json = json.map_err(|err| Refusal::Internal(err.to_string()))?;
    for Group { arm, live, which, .. } in &groups {
        let name = job.arm_name(*arm).unwrap_or_default();
        job.app.metrics.predicted(live.model.version, name, which.len() as u64);
    }
    Ok(Prepared { json, lines, rows: Arc::new(rows), ids: ids.into() })
}

fn parse(job: &Job, body: &Bytes) -> Result<Rows, Refusal> {
    job.live(None)?;
    let form = &job.snapshot.form;
    let max_rows = job.app.gate.limits().max_rows.min(MAX_CELLS / form.len().max(1)).max(1);
    let rows = Rows::parse(body, form, max_rows).map_err(|no_rows| match no_rows {
        NoRows::TooMany => Refusal::TooLarge(format!("more than {max_rows} rows; send them in several requests")),
        NoRows::Json(err) => Refusal::Malformed(format!("the body is not JSON that holds rows: {err}")),
    })?;
    if rows.len() == 0 && rows.problems.is_empty() {
        return Err(Refusal::Malformed("there is no row in the body".to_owned()));
    }
    if job.explain > 0 && rows.len() > MAX_EXPLAINED_ROWS {
        return Err(Refusal::TooLarge(format!("at most {MAX_EXPLAINED_ROWS} rows are explained in one request")));
    }
    Ok(rows)
}

/// The rows by arm, scored. What is wrong with any row is said together.
fn groups<'a>(job: &'a Job, rows: &Rows, arms: &[Option<usize>]) -> Result<Vec<Group<'a>>, Refusal> {
    let mut groups: Vec<(Option<usize>, Vec<usize>)> = Vec::new();
    for (row, &arm) in arms.iter().enumerate() {
        match groups.iter_mut().find(|(known, _)| *known == arm) {
            Some((_, which)) => which.push(row),
            None => groups.push((arm, vec![row])),
        }
    }
    let mut problems = rows.problems.clone();
    let mut scored = Vec::with_capacity(groups.len());
    for (arm, which) in groups {
        let live = job.live(arm)?;
        match score(live, &job.snapshot.form, rows, &which, job.explain) {
            Ok(found) => {
                job.app.metrics.unseen(&found.unseen);
                scored.push(Group { arm, live, which, scored: found });
            }
            Err(Refusal::Rows(more)) => problems.append(more),
            Err(other) => return Err(other),
        }
    }
    if problems.is_empty() { Ok(scored) } else { Err(Refusal::Rows(problems)) }
}

impl Job {
    /// What names a row: its id column; without one in the loop a digest of its features, without one in the request
    /// the request.
    fn id_of(&self, rows: &Rows, row: usize, live: &Live) -> Option<String> {
        let place = live.id?;
        Some(match rows.written(row, place) {
            id if !id.is_empty() => id.into_owned(),
            _ if rows.many => format!("{}-{row}", self.request_id),
            _ => self.request_id.clone(),
        })
    }
}

/// Lines of the log as they come together, by their layout.
#[derive(Default)]
struct Lined {
    lines: Vec<Lines>,
    ids: Vec<String>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Lined {
    /// Adds the line of a row; without an id, its features make one up.
    fn add(
        &mut self,
        job: &Job,
        rows: &Rows,
        (row, id): (usize, Option<String>),
        live: &Live,
        scores: &[f64],
        arm: Option<&str>,
    ) {
        if id.is_some() && job.app.log.is_none() {
            self.ids.extend(id);
            return;
        }
        self.text.clear();
        self.ends.clear();
        rows.write(row, &live.logged, &mut self.text, &mut self.ends);
        let starts = std::iter::once(&0).chain(&self.ends);
        let field = |(&start, &end): (&usize, &usize)| String::from_utf8_lossy(&self.text[start..end]);
        let features: Vec<Cow<str>> = starts.zip(&self.ends).map(field).collect();
        let id = id.unwrap_or_else(|| Layout::made_up_id(&features));
        let line = Row {
            id: &id,
            at: job.at,
            version: live.model.version,
            arm: arm.unwrap_or_default(),
            scores,
            class: live.model.pipeline.class_of(scores),
            features: &features,
        };
        let layout = &live.model.layout;
        let place = self.lines.iter().position(|lines| Arc::ptr_eq(&lines.layout, layout)).unwrap_or_else(|| {
            self.lines.push(Lines { layout: Arc::clone(layout), bytes: Vec::new(), n_rows: 0 });
            self.lines.len() - 1
        });
        layout.push(&mut self.lines[place].bytes, &line);
        self.lines[place].n_rows += 1;
        self.ids.push(id);
    }
}

/// The lines of an arm that scores without answering; none, and a count, when it cannot.
async fn shadow(
    is_large: bool,
    job: &Arc<Job>,
    running: &Running,
    arm: usize,
    (rows, ids): (&Arc<Rows>, &Arc<[String]>),
) -> Vec<Lines> {
    let (rows, ids, n_rows) = (Arc::clone(rows), Arc::clone(ids), rows.len() as u64);
    let compute = move |job: &Job| {
        let live = job.live(Some(arm))?;
        let which: Vec<usize> = (0..rows.len()).collect();
        let scored = score(live, &job.snapshot.form, &rows, &which, 0)?;
        let mut book = Lined::default();
        for (row, id) in ids.iter().enumerate() {
            book.add(job, &rows, (row, Some(id.clone())), live, scored.scores.row(row), job.arm_name(Some(arm)));
        }
        Ok(book.lines)
    };
    let patience = job.app.gate.limits().shadow_patience;
    let lines = tokio::time::timeout(patience, run(is_large, job, compute)).await;
    let (outcome, lines) = match lines {
        Ok(Ok(lines)) => ("scored", lines),
        Ok(Err(_)) => ("failed", Vec::new()),
        Err(_) => ("late", Vec::new()),
    };
    job.app.metrics.shadowed(running.arms[arm].model.version, outcome, n_rows);
    lines
}
