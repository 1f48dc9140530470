//! The state shared by all requests.

use super::ServeError;
use super::access::Access;
use super::desk::Desk;
use super::endpoint::Endpoint;
use super::job::Job;
use super::lane::Lane;
use super::log::Log;
use super::lookup::Answers;
use super::metrics::{self, Metrics, Now};
use super::settings::ServeSettings;
use super::snapshot::{Snapshot, Stamps};
use super::ticket::Gate;
use crate::atomic::{self, Stamp};
use crate::journal::Journal;
use crate::registry::Version;
use crate::report::drift_prometheus;
use crate::stats::random::hash64;
use crate::workspace::Workspace;
use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use jiff::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// A server's state.
pub struct App {
    pub(super) workspace: Workspace,
    /// The model's name for clients that request one: the name of the loop's directory.
    pub(super) name: String,
    pub(super) gate: Arc<Gate>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) log: Option<Arc<Log>>,
    pub(super) access: Access,
    /// The queue of feedback and outcomes.
    pub(super) desk: Desk,
    /// The threads for large requests.
    pub(super) lane: Lane,
    /// Limits the largest requests to one at a time per thread of the lane: their cells take most memory.
    pub(super) heavy: Semaphore,
    pub(super) answers: Answers,
    /// The results of `monitor` as metrics, and their source file.
    gauges: Mutex<(Option<Stamp>, String)>,
    /// The job that runs rounds beside the server, if there is one.
    pub(super) job: Option<Arc<Job>>,
    past_rows: usize,
    /// Whether requests of Label Studio are accepted.
    pub(super) label_studio: bool,
    clock: fn() -> Timestamp,
    tell: fn(&str),
    /// The last reported error, and its time.
    told: Mutex<Option<(Instant, String)>>,
    seed: u64,
    n_ids: AtomicU64,
    current: RwLock<Arc<Snapshot>>,
    reload: Mutex<Reload>,
    began: Instant,
    /// The time of the last refused prediction, in milliseconds since the start; 0 without any.
    refused_ms: AtomicU64,
}

/// The state of the files on disk.
struct Reload {
    seen: Stamps,
    /// Why the current files could not be loaded.
    stale: Option<String>,
    tried: Instant,
}

/// Delay before failed files are tried again: a version may be repaired without a change of the roles.
const RETRY: Duration = Duration::from_secs(5);

/// How long the server reports that it is busy after a refusal.
const BUSY_MS: u64 = 1_000;
/// Delay before the same error is reported again.
const TELL_AGAIN: Duration = Duration::from_secs(10);

impl App {
    /// Loads production and opens the log.
    ///
    /// # Errors
    /// If there is no loop, or versions of its roles or experiment cannot be loaded.
    pub fn open(workspace: Workspace, settings: &ServeSettings) -> Result<Arc<Self>, ServeError> {
        workspace.config()?;
        let seen = Stamps::now(&workspace);
        let memory = (settings.past_rows, (settings.now)());
        let snapshot = Snapshot::load(&workspace, None, memory)?;
        let metrics = Arc::new(Metrics::new());
        let dir = workspace.path("predictions");
        let open = |durability| Log::new(Journal::of(&workspace), dir, durability, Arc::clone(&metrics));
        let io_err = |source| ServeError::Io { what: "cannot start a thread", source };
        let log = settings.log.map(open).transpose().map_err(io_err)?;
        let lane = Lane::new(settings.n_threads).map_err(io_err)?;
        let dir = workspace.dir().canonicalize().unwrap_or_else(|_| workspace.dir().to_owned());
        let name = dir.file_name().map_or_else(|| "mlloop".to_owned(), |name| name.to_string_lossy().into_owned());
        Ok(Arc::new(Self {
            workspace,
            name,
            gate: Gate::new(settings.limits),
            metrics,
            log,
            access: Access::new(settings),
            desk: Desk::new(),
            lane,
            heavy: Semaphore::new(settings.n_threads.max(1)),
            answers: Answers::new(),
            gauges: Mutex::default(),
            job: Job::new(&settings.job),
            past_rows: settings.past_rows,
            label_studio: settings.label_studio,
            began: Instant::now(),
            refused_ms: AtomicU64::new(0),
            tell: settings.tell,
            told: Mutex::default(),
            clock: settings.now,
            seed: settings.seed,
            n_ids: AtomicU64::new(0),
            current: RwLock::new(Arc::new(snapshot)),
            reload: Mutex::new(Reload { seen, stale: None, tried: Instant::now() }),
        }))
    }

    /// The version in production.
    #[must_use]
    pub fn production(&self) -> Option<Version> {
        self.snapshot().production.as_ref().map(|live| live.model.version)
    }

    /// The response to a request with a wrong `Host`, or from a page of another origin; `None` for any other. Layers
    /// in front of [`super::app`] must call it first.
    pub fn refusal(&self, parts: &Parts) -> Option<Response<Body>> {
        let refusal = self.access.admits(parts).err()?;
        let request_id = super::request_id(self, parts, None);
        Some(super::finish(self, Endpoint::Other, (parts, &request_id, Instant::now()), Err(refusal)))
    }

    /// The current snapshot.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Reports an internal error to the operator; repeats of the same error only after a delay.
    pub(super) fn tell(&self, fault: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref().is_none_or(|(at, last)| last != fault || at.elapsed() >= TELL_AGAIN) {
            *told = Some((Instant::now(), fault.to_owned()));
            (self.tell)(fault);
        }
    }

    /// An id for a request without one.
    pub(super) fn new_request_id(&self) -> String {
        let n = self.n_ids.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}", hash64(&n.to_le_bytes(), self.seed))
    }

    /// Why the files on disk are not in use, if so.
    pub(super) fn stale(&self) -> Option<String> {
        self.reload().stale.clone()
    }

    fn reload(&self) -> MutexGuard<'_, Reload> {
        self.reload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Records that a prediction or a connection was refused.
    pub(super) fn refused(&self) {
        self.refused_ms.store(self.millis().max(1), Ordering::Relaxed);
    }

    /// Whether predictions are being refused.
    pub(super) fn is_busy(&self) -> bool {
        let refused = self.refused_ms.load(Ordering::Relaxed);
        self.gate.is_full() || (refused > 0 && self.millis().saturating_sub(refused) < BUSY_MS)
    }

    /// Whether files changed, or it is time to retry a failed load.
    pub(super) fn is_due(&self) -> bool {
        let now = Stamps::now(&self.workspace);
        let reload = self.reload();
        now != reload.seen || (reload.stale.is_some() && reload.tried.elapsed() >= RETRY)
    }

    /// Loads the current files; if that fails, nothing changes. Blocks while it reads.
    pub fn refresh(&self) {
        let mut reload = self.reload();
        reload.seen = Stamps::now(&self.workspace);
        let loaded = Snapshot::load(&self.workspace, Some(&self.snapshot()), (self.past_rows, self.now()));
        self.metrics.reloaded(loaded.is_ok());
        reload.tried = Instant::now();
        reload.stale = match loaded {
            Ok(snapshot) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                // After this, the windows of new requests include all earlier rows.
                self.remember(&snapshot);
                *current = Arc::new(snapshot);
                None
            }
            Err(err) => Some(err.to_string()),
        };
    }

    /// Reads the rows that other processes logged, for windows. Blocks while it reads.
    pub(super) fn catch_up(&self) {
        self.remember(&self.snapshot());
    }

    fn remember(&self, snapshot: &Snapshot) {
        for (live, past) in snapshot.looking_back() {
            if let Err(err) = past.catch_up(&self.workspace, self.now()) {
                self.tell(&format!("{}: windows may miss rows that other processes logged: {err}", live.model.name));
            }
        }
    }

    /// Loads new results of `monitor`. Blocks while it reads.
    pub(super) fn refresh_gauges(&self) {
        let path = self.workspace.path("reports/drift_report.json");
        let stamp = Stamp::of(&path);
        let mut gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        if gauges.0 == stamp {
            return;
        }
        let text = match atomic::read(&path).map(|bytes| serde_json::from_slice(&bytes)) {
            Ok(Ok(report)) => drift_prometheus(&report),
            Ok(Err(err)) => {
                self.tell(&format!("{}: is not a report, so /metrics has no drift: {err}", path.display()));
                String::new()
            }
            // Missing, or being replaced.
            Err(_) => String::new(),
        };
        *gauges = (stamp, text);
    }

    /// The page of counters, with the results of `monitor`.
    pub(super) fn metrics_text(&self) -> String {
        let snapshot = self.snapshot();
        let mut versions: Vec<(&str, Version)> =
            snapshot.production.iter().map(|live| ("production", live.model.version)).collect();
        if let Some(running) = &snapshot.running {
            let arms = running.experiment.arms.iter().zip(&running.arms);
            versions.extend(arms.map(|(arm, live)| (arm.name.as_str(), live.model.version)));
        }
        let (in_flight, arriving) = (self.gate.in_flight(), self.gate.arriving());
        let counters = self.metrics.text(&Now { in_flight, arriving, stale: self.stale().is_some(), versions });
        let held = snapshot.looking_back();
        let held: Vec<_> = held.iter().map(|(live, past)| (live.model.name.as_str(), past.held())).collect();
        counters + &metrics::past(&held) + &self.gauges.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
