//! Computes large requests on separate low-priority threads, in pieces, so that the pieces of many requests take turns.

use super::problem::Refusal;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::io;
use std::process::Child;
use tokio::sync::oneshot;

/// Threads for long tasks.
pub(super) struct Lane {
    pool: ThreadPool,
}

/// Niceness of these threads: on a busy core they get about a tenth of the time.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

impl Lane {
    /// A lane with this many threads.
    pub(super) fn new(n_threads: usize) -> io::Result<Self> {
        let builder = ThreadPoolBuilder::new().num_threads(n_threads.max(1)).thread_name(|_| "large".to_owned());
        let pool = builder.start_handler(|_| step_back()).build().map_err(io::Error::other)?;
        Ok(Self { pool })
    }

    /// Computes one task, after those queued before it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (done, told) = oneshot::channel();
        self.pool.spawn_fifo(move || {
            // The client may have disconnected.
            if !done.is_closed() {
                let _ = done.send(compute());
            }
        });
        told.await.unwrap_or_else(|_| Err(Refusal::Internal("the computation was cancelled".to_owned())))
    }
}

/// Gives a child process a lower priority than the server.
pub(crate) fn let_step_back(child: &Child) {
    #[cfg(target_os = "linux")]
    // If this fails, only the priority is unchanged.
    let _ = rustix::process::setpriority_process(Some(rustix::process::Pid::from_child(child)), NICE);
    #[cfg(not(target_os = "linux"))]
    let _ = child;
}

/// Lowers the priority of the current thread. On other systems than Linux this would affect the whole process.
fn step_back() {
    #[cfg(target_os = "linux")]
    // If this fails, only the priority is unchanged.
    let _ = rustix::process::nice(NICE);
}
