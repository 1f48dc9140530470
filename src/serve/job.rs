//! Runs `mlloop run` beside the server as a separate process, one at a time.
//!
//! ```text
//! every 1h ─┐
//! at new_rows ┴─ due? ─▶ start `mlloop run` (at lower priority) ─▶ its status and last line stored
//! ```
//! The process shares no memory or threads with the server; it does what a cron job would do.

use super::endpoint::Endpoint;
use super::rounds::{State, Told};
use super::settings::JobSettings;
use super::state::App;
use super::{lane, status};
use crate::atomic::Stamp;
use crate::retrain::standing::progress;
use serde_json::Value;
use std::io::{self, Read};

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often to check whether a round is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Triggers are counted when one of their files has changed, and at least this often, because age depends on no file.
const COUNT_EVERY: Duration = Duration::from_secs(60);
/// Counting uses at most 1/50 of a core's time.
const COUNT_SHARE: u32 = 50;
/// How often to check a running round.
const WAIT: Duration = Duration::from_millis(100);
/// After a triggered round, triggers pause: one that had nothing to do would fire again at once.
const REST: Duration = Duration::from_secs(600);
/// Maximum bytes kept of a round's output.
const KEPT: usize = 4_000;

/// The state at the last count of the triggers, and its time.
struct Seen {
    files: Vec<Option<Stamp>>,
    counted: Instant,
    /// How long counting took.
    took: Duration,
}

/// The job of a server.
pub(super) struct Job {
    settings: JobSettings,
    state: Mutex<State>,
    stamp: AtomicU64,
    is_over: AtomicBool,
}

impl Job {
    /// A job; `None` if no schedule or trigger is set.
    pub(super) fn new(settings: &JobSettings) -> Option<Arc<Self>> {
        let wanted = settings.every.is_some() || !settings.at.is_empty();
        wanted.then(|| {
            Arc::new(Self {
                settings: settings.clone(),
                state: Mutex::new(State { state: "idle", ..State::default() }),
                stamp: AtomicU64::new(0),
                is_over: AtomicBool::new(false),
            })
        })
    }

    /// The state of its rounds.
    pub(super) fn state(&self) -> Told {
        let every_seconds = self.settings.every.map(|every| every.as_secs_f64());
        Told { state: self.locked().clone(), every_seconds, at: self.settings.at.clone() }
    }

    /// Changes when the state does.
    pub(super) fn stamp(&self) -> u64 {
        self.stamp.load(Ordering::Relaxed)
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.locked());
        self.stamp.fetch_add(1, Ordering::Relaxed);
    }

    /// Starts the thread that starts the rounds.
    pub(super) fn start(self: &Arc<Self>, app: &Arc<App>) -> io::Result<JoinHandle<()>> {
        let (job, app) = (Arc::clone(self), Arc::clone(app));
        std::thread::Builder::new().name("job".to_owned()).spawn(move || job.keep(&app))
    }

    /// Ends it. A running round is asked to stop: completed steps are kept, and the next round continues from there.
    pub(super) fn end(&self, thread: JoinHandle<()>) {
        self.is_over.store(true, Ordering::Relaxed);
        thread.thread().unpark();
        let _ = thread.join();
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn keep(&self, app: &App) {
        let mut began = Instant::now();
        let mut seen = Seen { files: Vec::new(), counted: began, took: Duration::ZERO };
        self.plan(app, began);
        while !self.is_over() {
            std::thread::park_timeout(LOOK_EVERY);
            if self.is_over() {
                return;
            }
            if let Some(reason) = self.is_due(app, began, &mut seen) {
                began = Instant::now();
                self.round(app, reason);
                self.plan(app, began);
            }
        }
    }

    /// Reports the time of the next round.
    fn plan(&self, app: &App, began: Instant) {
        let left = self.settings.every.map(|every| every.saturating_sub(began.elapsed()));
        let next = left.and_then(|left| app.now().checked_add(jiff::SignedDuration::try_from(left).ok()?).ok());
        self.change(|state| state.next_at = next);
    }

    /// The reason why a round is due; `None` if it is not.
    fn is_due(&self, app: &App, began: Instant, seen: &mut Seen) -> Option<String> {
        if self.settings.every.is_some_and(|every| began.elapsed() >= every) {
            return Some("every".to_owned());
        }
        let rests = self.locked().n_rounds > 0 && began.elapsed() < REST;
        if self.settings.at.is_empty() || rests {
            return None;
        }
        if seen.counted.elapsed() < seen.took * COUNT_SHARE {
            return None;
        }
        let files = status::files(&app.workspace, Endpoint::RetrainStatus);
        if files == seen.files && seen.counted.elapsed() < COUNT_EVERY {
            return None;
        }
        let production = app.snapshot().roles.production;
        let begun = Instant::now();
        let found = progress(&app.workspace, production, app.now());
        *seen = Seen { files, counted: Instant::now(), took: begun.elapsed() };
        match found {
            Ok(found) => {
                let wanted = |name: &String| self.settings.at.contains(name);
                found.triggers.into_iter().find(|trigger| trigger.fired && wanted(&trigger.name)).map(|t| t.name)
            }
            Err(err) => {
                app.tell(&format!("the job cannot check the triggers: {err}"));
                None
            }
        }
    }

    /// One round, to its end.
    fn round(&self, app: &App, reason: String) {
        self.change(|state| {
            *state = State {
                state: "running",
                reason: Some(reason),
                started_at: Some(app.now()),
                n_rounds: state.n_rounds + 1,
                ..State::default()
            };
        });
        let ended = self.run(app);
        self.change(|state| {
            state.state = "idle";
            state.ended_at = Some(app.now());
            match ended {
                Ok((exit_status, out, err)) => {
                    let answer: Value = serde_json::from_str(&out).unwrap_or_default();
                    let word = |key: &str| answer[key].as_str().map(str::to_owned);
                    let fault = |line: &&str| line.starts_with("mlloop: ");
                    let last_line = || err.lines().find(fault).or_else(|| err.lines().last()).map(str::to_owned);
                    (state.exit_status, state.done) = (exit_status, word("done"));
                    state.said = word("sentence").or_else(last_line);
                }
                Err(err) => state.said = Some(format!("mlloop run could not be started: {err}")),
            }
        });
        let State { said, exit_status, .. } = self.locked().clone();
        if exit_status.is_none_or(|status| status == 2) && !self.is_over() {
            let said = said.unwrap_or_else(|| "no message".to_owned());
            app.tell(&format!("the background run of mlloop run failed: {said}"));
        }
    }

    fn run(&self, app: &App) -> io::Result<(Option<i32>, String, String)> {
        let mut child = Command::new(&self.settings.program)
            .arg("-C")
            .arg(app.workspace.dir())
            .args(["--json", "run"])
            .args(self.settings.set.iter().flat_map(|pair| ["--set", pair]))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        lane::let_step_back(&child);
        let readers = (drain(child.stdout.take()), drain(child.stderr.take()));
        let status = self.wait(&mut child)?;
        let text = |reader: JoinHandle<String>| reader.join().unwrap_or_default();
        Ok((status, text(readers.0), text(readers.1)))
    }

    fn wait(&self, child: &mut Child) -> io::Result<Option<i32>> {
        let mut asked = false;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status.code());
            }
            if self.is_over() && !asked {
                asked = true;
                child.kill()?;
            }
            std::thread::park_timeout(WAIT);
        }
    }
}

/// Reads the output of a process, and keeps the end of it.
fn drain(from: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        // Unreadable output is dropped.
        let _ = from.map(|mut from| from.read_to_end(&mut text));
        let is_json = text.first() == Some(&b'{');
        let start = if is_json { 0 } else { text.len().saturating_sub(KEPT) };
        String::from_utf8_lossy(&text[start..]).into_owned()
    })
}
