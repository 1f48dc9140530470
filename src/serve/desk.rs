//! Records feedback and outcomes: one thread, one request after another, under the lock of the loop.
//!
//! ```text
//! request ─ work ─▶ queue, bounded: full is 503 at once ─▶ the desk's own thread: lock, record the queue ─▶ answered
//!                    another process holds the lock for long, or the store of the loop does not answer:
//!                                                  runs/waiting.jsonl ─▶ answered; imported once that is over
//! ```

use super::problem::Refusal;
use super::snapshot::Loaded;
use super::state::App;
use super::temporary::is_a_state;
use crate::atomic::Lock;
use crate::feedback::waiting::{is_waiting, keep, take_in};
use crate::feedback::{Correction, Entry, FeedbackError, Given, News, check, fetch, give, record_known};
use crate::labels::{Label, LabelError};
use crate::workspace::WorkspaceError;
use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long to wait for the lock of the loop before requests are saved to a file.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often to try for the lock.
const AGAIN: Duration = Duration::from_millis(20);
/// How often to try if no request waits for an answer.
const BESIDE: Duration = Duration::from_millis(200);
/// How long to wait before contacting a failed store again.
const ALONE: Duration = Duration::from_secs(5);
/// Longest queue of requests; further ones are answered with 503.
const QUEUE: usize = 256;

/// A queued request.
enum Work {
    /// Feedback on predictions of the model in production.
    Feedback(Arc<Loaded>, Vec<Correction>),
    /// Outcomes; those of many requests are recorded together.
    Outcomes(Vec<Label>),
}

/// The result.
pub(super) enum Done {
    /// Corrections were imported.
    Given(Given),
    /// Outcomes were recorded.
    Recorded,
    /// This many are saved to a file, and will be imported later.
    Kept(usize),
}

struct Job {
    work: Work,
    since: Instant,
    done: oneshot::Sender<Result<Done, Refusal>>,
}

/// The queue of feedback and outcomes.
pub(super) struct Desk {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    came: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    is_open: bool,
    is_over: bool,
    /// Whether saved feedback is not imported yet.
    is_kept: bool,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self { shared: Arc::default() }
    }

    /// Starts the desk if there is saved data from before the server started.
    ///
    /// # Errors
    /// If no thread can be created.
    pub(super) fn begin(&self, app: &Arc<App>) -> io::Result<()> {
        let mut queue = self.shared.queue();
        if !queue.is_open && is_waiting(&app.workspace) {
            queue.is_kept = true;
            queue.is_open = true;
            self.shared.open(Arc::downgrade(app))?;
        }
        Ok(())
    }

    /// Imports corrections, or saves them while another process changes the loop.
    ///
    /// # Errors
    /// [`Refusal::Overload`] if the queue is full, and errors of the corrections or of saving them.
    pub(super) async fn give(
        &self,
        app: &Arc<App>,
        model: Arc<Loaded>,
        corrections: Vec<Correction>,
    ) -> Result<Done, Refusal> {
        self.put(app, Work::Feedback(model, corrections)).await
    }

    /// Records outcomes, together with those of other waiting requests, or saves them.
    ///
    /// # Errors
    /// As [`Desk::give`].
    pub(super) async fn record(&self, app: &Arc<App>, outcomes: Vec<Label>) -> Result<(), Refusal> {
        self.put(app, Work::Outcomes(outcomes)).await.map(|_| ())
    }

    async fn put(&self, app: &Arc<App>, work: Work) -> Result<Done, Refusal> {
        let (done, told) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            if queue.is_over {
                return Err(Refusal::Unavailable("the server is stopping".to_owned()));
            }
            if queue.jobs.len() >= QUEUE {
                return Err(Refusal::Overload);
            }
            if !queue.is_open {
                let fault = |err: io::Error| Refusal::Internal(err.to_string());
                self.shared.open(Arc::downgrade(app)).map_err(fault)?;
                queue.is_open = true;
            }
            queue.jobs.push_back(Job { work, since: Instant::now(), done });
        }
        self.shared.came.notify_one();
        told.await.unwrap_or_else(|_| Err(Refusal::Internal("a panic, see above".to_owned())))
    }

    /// Closes the queue; waiting requests are refused.
    pub(super) fn close(&self) {
        let mut queue = self.shared.queue();
        queue.is_over = true;
        queue.jobs.clear();
        self.shared.came.notify_one();
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(self: &Arc<Self>, app: Weak<App>) -> io::Result<()> {
        let theirs = Arc::clone(self);
        std::thread::Builder::new().name("desk".to_owned()).spawn(move || theirs.keep(&app)).map(|_| ())
    }

    /// The desk's own thread, until the server ends.
    fn keep(&self, app: &Weak<App>) {
        let mut silent_since: Option<Instant> = None;
        loop {
            let is_asked = {
                let mut queue = self.queue();
                while queue.jobs.is_empty() && !queue.is_over && !queue.is_kept {
                    queue = self.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                if queue.is_over {
                    return;
                }
                !queue.jobs.is_empty()
            };
            let Some(app) = app.upgrade() else { return };
            let is_alone = silent_since.is_some_and(|since| since.elapsed() < ALONE);
            // Contact the store before taking the lock: a slow store must not block other processes.
            let fetched = if is_alone { None } else { ask_store(&app) };
            if !is_alone {
                silent_since = fetched.is_none().then(Instant::now);
            }
            let Some(fetched) = fetched else {
                self.keep_all(&app);
                drop(app);
                self.rest(BESIDE);
                continue;
            };
            match app.workspace.lock_within(Duration::ZERO) {
                Ok(lock) => {
                    self.make_all(&app, &lock, fetched);
                    drop((app, lock));
                    // Damaged data stays in the file.
                    if self.queue().is_kept {
                        self.rest(BESIDE);
                    }
                }
                Err(WorkspaceError::Locked { .. }) => {
                    self.keep_late(&app);
                    drop(app);
                    self.rest(if is_asked { AGAIN } else { BESIDE });
                }
                Err(err) => {
                    self.refuse_all(&app, &err);
                    drop(app);
                    self.rest(BESIDE);
                }
            }
        }
    }

    /// Waits for a time, or until there is new work.
    fn rest(&self, time: Duration) {
        let queue = self.queue();
        if !queue.is_over {
            drop(self.came.wait_timeout(queue, time).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Records saved data, and then the queue.
    fn make_all(&self, app: &App, lock: &Lock, fetched: Option<News>) {
        match take_in(&app.workspace, lock, fetched, app.now()) {
            Ok(_) => self.queue().is_kept = false,
            Err(err) => app.tell(&format!("queued outcomes and feedback cannot be recorded: {err}")),
        }
        // Later requests wait for the next lock, so that other processes get theirs.
        let jobs = std::mem::take(&mut self.queue().jobs);
        let (mut outcomes, mut waiting) = (Vec::new(), Vec::new());
        for Job { work, done, .. } in jobs {
            match work {
                // A panic is an error of this request only; the dropped `done` reports it.
                Work::Feedback(model, corrections) => {
                    let _ = catch_unwind(AssertUnwindSafe(|| {
                        let given = give(&app.workspace, lock, &model.pipeline.target, &corrections, app.now());
                        app.answers.look_again();
                        done.send(given.map(Done::Given).map_err(|err| refusal(app, &err)))
                    }));
                }
                Work::Outcomes(more) => {
                    outcomes.extend(more);
                    waiting.push(done);
                }
            }
        }
        if waiting.is_empty() {
            return;
        }
        let recorded = catch_unwind(AssertUnwindSafe(|| record_known(&app.workspace, lock, outcomes, app.now())));
        let Ok(recorded) = recorded else { return };
        app.answers.look_again();
        for done in waiting {
            // The client may have disconnected.
            let _ = done.send(match &recorded {
                Ok(_) => Ok(Done::Recorded),
                Err(err) => Err(not_recorded(app, err)),
            });
        }
    }

    /// Saves the queue to a file if a request has waited too long, or saved data exists already.
    fn keep_late(&self, app: &App) {
        let is_late = {
            let queue = self.queue();
            queue.is_kept || queue.jobs.front().is_some_and(|job| job.since.elapsed() >= PATIENCE)
        };
        if is_late {
            self.keep_all(app);
        }
    }

    /// Saves the whole queue to a file.
    fn keep_all(&self, app: &App) {
        let jobs = std::mem::take(&mut self.queue().jobs);
        let (mut outcomes, mut said, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for Job { work, done, .. } in jobs {
            let n = match work {
                Work::Outcomes(more) => {
                    let n = more.len();
                    outcomes.extend(more);
                    n
                }
                Work::Feedback(model, corrections) => match checked(app, &model, &corrections) {
                    Ok(entries) => {
                        let n = entries.len();
                        said.extend(entries);
                        n
                    }
                    Err(refusal) => {
                        let _ = done.send(Err(refusal));
                        continue;
                    }
                },
            };
            waiting.push((n, done));
        }
        if waiting.is_empty() {
            return;
        }
        let kept = keep(&app.workspace, outcomes, &said);
        match &kept {
            Ok(()) => self.queue().is_kept = true,
            Err(err) => app.tell(&format!("outcomes and feedback cannot be saved: {err}")),
        }
        for (n, done) in waiting {
            let why = "the loop is busy, and the request could not be saved; try again later";
            let _ = done.send(match &kept {
                Ok(()) => Ok(Done::Kept(n)),
                Err(_) => Err(Refusal::Unavailable(why.to_owned())),
            });
        }
    }

    /// Answers all, if the loop cannot be changed for a reason other than another process.
    fn refuse_all(&self, app: &App, err: &WorkspaceError) {
        app.tell(&format!("changes cannot be made: {err}"));
        for job in std::mem::take(&mut self.queue().jobs) {
            let why = "the loop is busy; try again later";
            let _ = job.done.send(Err(Refusal::Unavailable(why.to_owned())));
        }
    }
}

/// The news in the loop's store; `None` if it does not answer.
fn ask_store(app: &App) -> Option<Option<News>> {
    match fetch(&app.workspace) {
        Ok(fetched) => Some(fetched),
        Err(err @ FeedbackError::Label(LabelError::Store { .. })) => {
            app.tell(&format!("outcomes and feedback are saved and recorded later: {err}"));
            None
        }
        // The import will report the error.
        Err(_) => Some(None),
    }
}

/// The corrections as they would be imported; a panic is an error of this request only.
fn checked(app: &App, model: &Loaded, corrections: &[Correction]) -> Result<Vec<Entry>, Refusal> {
    let check = || check(&app.workspace, &model.pipeline.target, corrections, app.now());
    match catch_unwind(AssertUnwindSafe(check)) {
        Ok(checked) => checked.map_err(|err| refusal(app, &err)),
        Err(_) => Err(Refusal::Internal("a panic, see above".to_owned())),
    }
}

pub(super) fn refusal(app: &App, err: &FeedbackError) -> Refusal {
    match err {
        FeedbackError::Correction { .. } => Refusal::Correction(err.to_string()),
        other => not_recorded(app, other),
    }
}

/// A full or read-only disk, or a store that does not answer, is a temporary state; anything else is an internal
/// error.
fn not_recorded(app: &App, err: &(dyn Error + 'static)) -> Refusal {
    match is_a_state(err) {
        true => {
            app.tell(&format!("outcomes or feedback cannot be recorded: {err}"));
            Refusal::Unavailable("it cannot be recorded now; try again later".to_owned())
        }
        false => Refusal::Internal(err.to_string()),
    }
}
