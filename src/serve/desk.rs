//! Changes of the loop that requests bring: one thread makes them, one after another, under the lock of the loop.
//!
//! ```text
//! request ─ change ─▶ queue, bounded: full is 503 at once ─▶ the desk's own thread: lock, make all that wait ─▶ answered
//!                      who waited too long for the lock: 503
//! ```

use super::problem::Refusal;
use super::state::App;
use crate::atomic::Lock;
use crate::labels::{Label, record_outcomes};
use crate::workspace::WorkspaceError;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long another process may keep the lock of the loop before the client is told to come back.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the lock is asked for.
const AGAIN: Duration = Duration::from_millis(20);
/// Changes that wait; the next is told to come back.
const QUEUE: usize = 256;

/// A change, made while the lock is held.
type Change = Box<dyn FnOnce(&App, &Lock) -> Result<Value, Refusal> + Send>;

/// What waits.
enum Work {
    Change(Change),
    /// Those of many requests are recorded together.
    Outcomes(Vec<Label>),
}

struct Job {
    work: Work,
    since: Instant,
    done: oneshot::Sender<Result<Value, Refusal>>,
}

/// Where changes wait.
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
}

impl Desk {
    pub(super) fn new() -> Self {
        Self { shared: Arc::default() }
    }

    /// Has a change made; what it says.
    ///
    /// # Errors
    /// [`Refusal::Overload`] when too many wait, [`Refusal::Unavailable`] when the lock was not to be had, and what the
    /// change says.
    pub(super) async fn make(
        &self,
        app: &Arc<App>,
        change: impl FnOnce(&App, &Lock) -> Result<Value, Refusal> + Send + 'static,
    ) -> Result<Value, Refusal> {
        self.put(app, Work::Change(Box::new(change))).await
    }

    /// Records outcomes, together with those of other requests that wait.
    ///
    /// # Errors
    /// As [`Desk::make`].
    pub(super) async fn record(&self, app: &Arc<App>, outcomes: Vec<Label>) -> Result<(), Refusal> {
        self.put(app, Work::Outcomes(outcomes)).await.map(|_| ())
    }

    async fn put(&self, app: &Arc<App>, work: Work) -> Result<Value, Refusal> {
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
        told.await.unwrap_or_else(|_| Err(Refusal::Internal("a panic, which is told above".to_owned())))
    }

    /// Takes no change any more; those that wait are refused.
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

    /// What the desk's own thread does until the server ends.
    fn keep(&self, app: &Weak<App>) {
        loop {
            {
                let mut queue = self.queue();
                while queue.jobs.is_empty() && !queue.is_over {
                    queue = self.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                if queue.is_over {
                    return;
                }
            }
            let Some(app) = app.upgrade() else { return };
            match app.workspace.lock_within(Duration::ZERO) {
                Ok(lock) => self.make_all(&app, &lock),
                Err(err) => {
                    self.refuse_late(&app, &err);
                    std::thread::sleep(AGAIN);
                }
            }
        }
    }

    /// Makes what waits.
    fn make_all(&self, app: &App, lock: &Lock) {
        // What comes meanwhile has its turn under the next lock, so that other processes get theirs.
        let jobs = std::mem::take(&mut self.queue().jobs);
        let (mut outcomes, mut waiting) = (Vec::new(), Vec::new());
        for Job { work, done, .. } in jobs {
            match work {
                // A panic is an error of this change alone; who waits learns of it by what becomes of `done`.
                Work::Change(change) => {
                    let _ = catch_unwind(AssertUnwindSafe(|| done.send(change(app, lock))));
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
        let recorded = catch_unwind(AssertUnwindSafe(|| record_outcomes(&app.workspace, lock, outcomes, app.now())));
        let Ok(recorded) = recorded else { return };
        for done in waiting {
            // Who asked may have gone away.
            let _ = done.send(match &recorded {
                Ok(_) => Ok(Value::Null),
                Err(err) => Err(Refusal::Internal(err.to_string())),
            });
        }
    }

    /// Answers those that have waited long enough; at once when it is not for another process.
    fn refuse_late(&self, app: &App, err: &WorkspaceError) {
        let is_locked = matches!(err, WorkspaceError::Locked { .. });
        if !is_locked {
            app.tell(&format!("changes cannot be made: {err}"));
        }
        let mut queue = self.queue();
        while queue.jobs.front().is_some_and(|job| !is_locked || job.since.elapsed() >= PATIENCE) {
            let Some(job) = queue.jobs.pop_front() else { return };
            let why = if is_locked { "another mlloop is changing this loop" } else { "the loop cannot be changed now" };
            let _ = job.done.send(Err(Refusal::Unavailable(format!("{why}; try again later"))));
        }
    }
}
