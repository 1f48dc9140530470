//! From a request's body to its response.
//!
//! ```text
//! body ─ rows ─ groups by arm ─ scores ─┬─▶ answer ──────────────────────────▶ sent
//!                                       └─▶ lines ─┬─▶ log (append, sync) ──────▲
//!                 other arms of a shadow ─ lines ──┘   nothing is sent before
//! ```

mod known;
mod lines;

use known::{Known, known_outcomes};
use lines::{Lined, log, shadow};

use super::answer::{Answer, Many};
use super::endpoint::Endpoint;
use super::limits::MAX_EXPLAINED_ROWS;
use super::log::{Lines, Log};
use super::past::{self, Behind};
use super::problem::{self, Problem, Problems, Refusal};
use super::rows::{Allow, NoRows, Rows};
use super::scoring::{Scored, Wanted, score};
use super::snapshot::{Live, Running, Snapshot};
use super::state::App;
use super::ticket::{Held, Ticket, expect_json, read, seat};
use crate::labels::{Label, became};
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Bodies up to this size are processed on the connection's thread, at microseconds per row. Larger ones would delay
/// other requests.
pub(super) const INLINE_BYTES: usize = 16 << 10;
/// Bodies above this size are computed one at a time on each thread of the lane.
const HEAVY_BYTES: usize = 256 << 10;
/// Rows of a large request scored before other requests get a turn: one to a few milliseconds.
const PIECE_ROWS: usize = 256;
/// Most cells of one request: 16 MB.
const MAX_CELLS: usize = 1 << 20;

/// The options in a request's address.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Number of contributions to return.
    #[serde(default)]
    explain: usize,
    /// Coverage of intervals and sets.
    #[serde(default)]
    interval: Option<f64>,
    /// The request id.
    #[serde(default)]
    pub(super) request_id: Option<String>,
}

impl Options {
    /// Parses the options of a request.
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

/// The data of a request needed for scoring.
struct Job {
    app: Arc<App>,
    snapshot: Arc<Snapshot>,
    endpoint: Endpoint,
    wanted: Wanted,
    request_id: String,
    at: Timestamp,
}

/// The rows of a request, and their past for windows.
type Asked = (Arc<Rows>, Behind);

/// Scored rows, ready to be logged and sent.
struct Prepared {
    json: Vec<u8>,
    lines: Vec<Lines>,
    ids: Arc<[String]>,
    /// The outcomes of the rows, if the client sent them.
    outcomes: Vec<Label>,
}

/// Answers a request for predictions.
///
/// # Errors
/// The reason for a refusal.
pub(super) async fn predict(
    app: &Arc<App>,
    endpoint: Endpoint,
    parts: &Parts,
    body: Body,
    (request_id, options): (&str, Options),
) -> Result<Response<Body>, Refusal> {
    expect_json(&parts.headers)?;
    let mut ticket = app.gate.ticket(seat(parts));
    let body = read(body, &mut ticket).await?;
    ticket.take_place()?;
    let names = (request_id, Wanted { explain: options.explain, interval: options.interval });
    let (json, ticket) = compute(app, endpoint, parts, body, ticket, names).await?;
    let held = Held::new(json, ticket);
    Ok(problem::body(StatusCode::OK, "application/json", Body::new(held)))
}

/// Answers a received body; its rows are logged before this returns.
///
/// # Errors
/// The reason for a refusal.
pub(super) async fn compute(
    app: &Arc<App>,
    endpoint: Endpoint,
    parts: &Parts,
    body: Bytes,
    ticket: Ticket,
    (request_id, wanted): (&str, Wanted),
) -> Result<(Vec<u8>, Ticket), Refusal> {
    let is_large = body.len() > INLINE_BYTES;
    let _turn = match body.len() > HEAVY_BYTES {
        true => Some(app.heavy.acquire().await.map_err(|err| Refusal::Internal(err.to_string()))?),
        false => None,
    };
    let job = Arc::new(Job {
        app: Arc::clone(app),
        snapshot: app.snapshot(),
        endpoint,
        wanted,
        request_id: request_id.to_owned(),
        at: app.now(),
    });
    let parse = move |job: &Job| {
        let mut ticket = ticket;
        let rows = parse(job, &body, &mut |bytes| ticket.charge(bytes).is_ok())?;
        Ok((Arc::new(rows), ticket))
    };
    let (rows, mut ticket) = run(is_large, &job, parse).await?;
    let (known, problems) = match job.log() {
        // Rows that are not logged cannot have an outcome.
        None if endpoint == Endpoint::StudioPredict => (Known::default(), rows.problems.clone()),
        _ => known_outcomes(&job, parts, &rows)?,
    };
    ticket.charge(rows.len() * past::bytes_per_row(&job.snapshot))?;
    let theirs = Arc::clone(&rows);
    let look_back = move |job: &Job| Behind::of(&job.snapshot, &theirs, |row, live| job.id_of(&theirs, row, live));
    let asked = Arc::new((Arc::clone(&rows), run(is_large, &job, look_back).await?));
    let groups = score_all(is_large, &job, &asked, problems).await?;
    let theirs = Arc::clone(&asked);
    let Prepared { json, mut lines, ids, outcomes } =
        run(is_large, &job, move |job| prepare(job, &theirs, &groups, known)).await?;
    if let Some(running) = job.shadow() {
        for arm in 1..running.arms.len() {
            lines.extend(shadow(is_large, &job, running, arm, (&asked, &ids)).await);
        }
    }
    log(&job, &mut ticket, json.len(), lines).await?;
    if job.log().is_some() && !asked.1.is_empty() {
        run(is_large, &job, move |job| asked.1.remember(job.at, job.app.now())).await?;
    }
    if !outcomes.is_empty() {
        app.desk.record(app, outcomes).await?;
    }
    Ok((json, ticket))
}

/// Scores the rows, in pieces for a large request. Errors of all rows are reported together.
async fn score_all(
    is_large: bool,
    job: &Arc<Job>,
    asked: &Arc<Asked>,
    mut problems: Problems,
) -> Result<Vec<Group>, Refusal> {
    let mut groups = Vec::new();
    for (arm, which) in pieces(&job.arms(&asked.0)?) {
        let asked = Arc::clone(asked);
        let compute = move |job: &Job| {
            let (live, (rows, behind)) = (job.live(arm)?, &*asked);
            let windows = behind.of_rows(live.model.version, &which);
            let scored = score(live, (&job.snapshot.form, rows), &which, &windows, job.wanted)?;
            job.app.metrics.unseen(&scored.unseen);
            Ok(Group { arm, which, scored })
        };
        match run(is_large, job, compute).await {
            Ok(group) => groups.push(group),
            Err(Refusal::Rows(more)) => problems.append(more),
            Err(other) => return Err(other),
        }
    }
    if problems.is_empty() { Ok(groups) } else { Err(Refusal::Rows(problems)) }
}

/// The rows by arm, split into pieces.
fn pieces(arms: &[Option<usize>]) -> Vec<(Option<usize>, Vec<usize>)> {
    let mut pieces: Vec<(Option<usize>, Vec<usize>)> = Vec::new();
    for (row, &arm) in arms.iter().enumerate() {
        let open = pieces.iter_mut().rev().find(|(known, _)| *known == arm);
        match open.filter(|(_, which)| which.len() < PIECE_ROWS) {
            Some((_, which)) => which.push(row),
            None => pieces.push((arm, vec![row])),
        }
    }
    pieces
}

/// Computes here, or on the lane for long tasks; a panic is an error of this request only.
async fn run<T: Send + 'static>(
    is_large: bool,
    job: &Arc<Job>,
    compute: impl FnOnce(&Job) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let theirs = Arc::clone(job);
    let guarded = move || {
        catch_unwind(AssertUnwindSafe(|| compute(&theirs))).unwrap_or_else(|_| {
            theirs.app.metrics.panicked();
            Err(Refusal::Internal("a panic, see above".to_owned()))
        })
    };
    match is_large {
        false => guarded(),
        true => job.app.lane.run(guarded).await,
    }
}

impl Job {
    /// The log for the rows; `None` for a request by an annotator.
    fn log(&self) -> Option<&Arc<Log>> {
        self.app.log.as_ref().filter(|_| self.endpoint != Endpoint::StudioPredict)
    }

    /// The experiment if it is a shadow, where the other arms only score.
    fn shadow(&self) -> Option<&Running> {
        let asked = matches!(self.endpoint, Endpoint::Predict | Endpoint::PredictAb);
        self.snapshot.running.as_ref().filter(|running| asked && running.experiment.shadow)
    }

    /// What answers each row: an arm of the experiment, or production.
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
                "no experiment is running, so there is no second arm; start one with `mlloop ab-start`".to_owned(),
            )),
            _ => all(None),
        }
    }

    fn live(&self, arm: Option<usize>) -> Result<&Live, Refusal> {
        let none = || Refusal::Unavailable("no version is in production yet; train one with `mlloop train`".to_owned());
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
struct Group {
    arm: Option<usize>,
    which: Vec<usize>,
    scored: Scored,
}

/// Writes the answer and the lines of the log.
fn prepare(job: &Job, asked: &Asked, groups: &[Group], known: Known) -> Result<Prepared, Refusal> {
    let rows = &asked.0;
    let lives = groups.iter().map(|group| job.live(group.arm)).collect::<Result<Vec<&Live>, _>>()?;
    let mut places = vec![(0, 0); rows.len()];
    for (group, in_group) in groups.iter().enumerate() {
        in_group.which.iter().enumerate().for_each(|(n, &row)| places[row] = (group, n));
    }
    let mut book = Lined::default();
    for (row, &(group, n)) in places.iter().enumerate() {
        let (Group { arm, scored, .. }, live) = (&groups[group], lives[group]);
        let id = job.id_of(rows, row, live);
        book.add(job, asked, (row, id), live, scored.scores.row(n), job.arm_name(*arm));
    }
    let Lined { lines, ids, .. } = book;
    let answer = |(row, &(group, n)): (usize, &(usize, usize))| {
        let Group { arm, scored, .. } = &groups[group];
        Answer::new(lives[group], scored, n, &ids[row], job.arm_name(*arm))
    };
    let mut predictions: Vec<Answer> = places.iter().enumerate().map(answer).collect();
    let chosen = groups.iter().any(|group| group.arm.is_some());
    let experiment = job.snapshot.running.as_ref().filter(|_| chosen).map(|r| r.experiment.name.as_str());
    let request_id = job.request_id.as_str();
    let n_outcomes = known.given.then_some(known.values.len());
    let json = match (rows.many, predictions.pop()) {
        (false, Some(one)) => serde_json::to_vec(&one.alone(request_id, experiment, n_outcomes)),
        (_, last) => {
            predictions.extend(last);
            serde_json::to_vec(&Many { request_id, experiment, n_outcomes, predictions })
        }
    };
    let json = json.map_err(|err| Refusal::Internal(err.to_string()))?;
    let is_traffic = job.endpoint != Endpoint::StudioPredict;
    for (Group { arm, which, .. }, live) in groups.iter().zip(&lives).filter(|_| is_traffic) {
        let name = job.arm_name(*arm).unwrap_or_default();
        job.app.metrics.predicted(live.model.version, name, which.len() as u64);
    }
    let label =
        |(row, value): (usize, String)| became(ids[row].clone(), value, job.at, lives[places[row].0].model.version);
    let outcomes = known.values.into_iter().map(label).collect();
    Ok(Prepared { json, lines, outcomes, ids: ids.into() })
}

fn parse(job: &Job, body: &Bytes, allow: Allow) -> Result<Rows, Refusal> {
    job.live(None)?;
    let form = &job.snapshot.form;
    let max_rows = job.app.gate.limits().max_rows.min(MAX_CELLS / form.len().max(1)).max(1);
    let rows = Rows::parse(body, form, max_rows, allow).map_err(|no_rows| match no_rows {
        NoRows::NoRoom => Refusal::Overload,
        NoRows::OutOfRange(err) => Refusal::Rows(Problems::one(Problem::of_all(out_of_range(&err)))),
        NoRows::TooMany => Refusal::TooLarge(format!("more than {max_rows} rows; send them in several requests")),
        NoRows::Json(err) => Refusal::Malformed(format!("the body is not JSON with rows: {err}")),
    })?;
    if rows.len() == 0 && rows.problems.is_empty() {
        return Err(Refusal::Malformed("the body contains no row".to_owned()));
    }
    if job.wanted.explain > 0 && rows.len() > MAX_EXPLAINED_ROWS {
        return Err(Refusal::TooLarge(format!("at most {MAX_EXPLAINED_ROWS} rows can be explained in one request")));
    }
    Ok(rows)
}

/// The message for a number outside the range of `f64`; the parser has no row and column of the table.
fn out_of_range(err: &serde_json::Error) -> String {
    format!("the number at line {}, column {} of the body is not finite", err.line(), err.column())
}

impl Job {
    /// The id of a row: its id column; in a loop without one, a digest of its features; the request id if the row has
    /// no id.
    fn id_of(&self, rows: &Rows, row: usize, live: &Live) -> Option<String> {
        let place = live.id?;
        Some(match rows.written(row, place) {
            id if !id.is_empty() => live.model.pipeline.schema.id_of(&id).into_owned(),
            _ if rows.many => format!("{}-{row}", self.request_id),
            _ => self.request_id.clone(),
        })
    }
}
