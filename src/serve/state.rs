//! What all requests share.

use super::ServeError;
use super::limits::{Gate, Limits};
use super::log::Log;
use super::metrics::{Metrics, Now};
use super::problem::Refusal;
use super::snapshot::{Snapshot, Stamps};
use crate::journal::{Durability, Journal};
use crate::registry::Version;
use crate::stats::random::hash64;
use crate::workspace::Workspace;
use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// How a server is to work.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// The clock.
    pub now: fn() -> Timestamp,
    /// What makes request ids differ between servers.
    pub seed: u64,
    /// What it takes on at once.
    pub limits: Limits,
    /// How safe a prediction must be in the log before it is answered; `None`: nothing is logged.
    pub log: Option<Durability>,
    /// What endpoints that change something want to see.
    pub token: Option<String>,
    /// What predictions want to see; `None`: everybody may ask.
    pub predict_token: Option<String>,
}

/// A server's state.
pub struct App {
    pub(super) workspace: Workspace,
    pub(super) gate: Arc<Gate>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) log: Option<Arc<Log>>,
    pub(super) tokens: Tokens,
    clock: fn() -> Timestamp,
    seed: u64,
    n_ids: AtomicU64,
    current: RwLock<Arc<Snapshot>>,
    reload: Mutex<Reload>,
    changing: Mutex<()>,
}

/// What is known of the files on disk.
struct Reload {
    seen: Stamps,
    /// Why the files as they were seen could not be loaded.
    stale: Option<String>,
    tried: Instant,
}

/// How long after a failure the same files are tried again: somebody may mend a version without touching the roles.
const RETRY: Duration = Duration::from_secs(5);

impl App {
    /// Loads what is in production and opens the log.
    ///
    /// # Errors
    /// When there is no loop, or what its roles or experiment name cannot be loaded.
    pub fn open(workspace: Workspace, settings: &ServeSettings) -> Result<Arc<Self>, ServeError> {
        workspace.config()?;
        let seen = Stamps::now(&workspace);
        let snapshot = Snapshot::load(&workspace, None)?;
        let metrics = Arc::new(Metrics::new());
        let open = |durability| Log::new(Journal::of(&workspace), durability, Arc::clone(&metrics));
        let log = settings.log.map(open);
        Ok(Arc::new(Self {
            workspace,
            gate: Gate::new(settings.limits),
            metrics,
            log,
            tokens: Tokens::new(settings),
            clock: settings.now,
            seed: settings.seed,
            n_ids: AtomicU64::new(0),
            current: RwLock::new(Arc::new(snapshot)),
            reload: Mutex::new(Reload { seen, stale: None, tried: Instant::now() }),
            changing: Mutex::new(()),
        }))
    }

    /// The version in production.
    #[must_use]
    pub fn production(&self) -> Option<Version> {
        self.snapshot().production.as_ref().map(|live| live.model.version)
    }

    /// What answers now.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// A name for a request that brought none.
    pub(super) fn new_request_id(&self) -> String {
        let n = self.n_ids.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}", hash64(&n.to_le_bytes(), self.seed))
    }

    /// Why the files on disk are not what answers, when they are not.
    pub(super) fn stale(&self) -> Option<String> {
        self.reload().stale.clone()
    }

    fn reload(&self) -> MutexGuard<'_, Reload> {
        self.reload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of a request that changes something.
    pub(super) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether files changed, or could not be loaded a while ago.
    pub(super) fn is_due(&self) -> bool {
        let now = Stamps::now(&self.workspace);
        let reload = self.reload();
        now != reload.seen || (reload.stale.is_some() && reload.tried.elapsed() >= RETRY)
    }

    /// Takes up what the files say now; what cannot be loaded leaves everything as it is. Blocks while it reads.
    pub fn refresh(&self) {
        let mut reload = self.reload();
        reload.seen = Stamps::now(&self.workspace);
        let loaded = Snapshot::load(&self.workspace, Some(&self.snapshot()));
        self.metrics.reloaded(loaded.is_ok());
        reload.tried = Instant::now();
        reload.stale = match loaded {
            Ok(snapshot) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
                None
            }
            Err(err) => Some(err.to_string()),
        };
    }

    /// The page of counters.
    pub(super) fn metrics_text(&self) -> String {
        let snapshot = self.snapshot();
        let mut versions: Vec<(&str, Version)> =
            snapshot.production.iter().map(|live| ("production", live.model.version)).collect();
        if let Some(running) = &snapshot.running {
            let arms = running.experiment.arms.iter().zip(&running.arms);
            versions.extend(arms.map(|(arm, live)| (arm.name.as_str(), live.model.version)));
        }
        self.metrics.text(&Now { in_flight: self.gate.in_flight(), stale: self.stale().is_some(), versions })
    }
}

/// Digests of the tokens: comparing them takes the same time whatever was sent.
pub(super) struct Tokens {
    change: Option<[u8; 32]>,
    predict: Option<[u8; 32]>,
}

impl Tokens {
    fn new(settings: &ServeSettings) -> Self {
        let digest = |token: &Option<String>| token.as_ref().map(|token| Sha256::digest(token.as_bytes()).into());
        Self { change: digest(&settings.token), predict: digest(&settings.predict_token) }
    }

    /// Lets a change pass.
    ///
    /// # Errors
    /// [`Refusal::Closed`] when the server has no token, [`Refusal::Unauthorized`] when another or none was sent.
    pub(super) fn may_change(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let token = self.change.as_ref().ok_or(Refusal::Closed)?;
        if bool::from(sent(headers).ct_eq(token)) { Ok(()) } else { Err(Refusal::Unauthorized) }
    }

    /// Lets predictions pass.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] when a token is wanted and another or none was sent.
    pub(super) fn may_predict(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match &self.predict {
            None => Ok(()),
            // Who may change may ask.
            Some(token) => {
                let sent = sent(headers);
                let fits = sent.ct_eq(token) | self.change.map_or(0.into(), |change| sent.ct_eq(&change));
                if bool::from(fits) { Ok(()) } else { Err(Refusal::Unauthorized) }
            }
        }
    }
}

/// Digest of the token that a request brought.
fn sent(headers: &HeaderMap) -> [u8; 32] {
    let value = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let token = match value.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token,
        _ => b"",
    };
    Sha256::digest(token).into()
}
