//! Where large requests are computed: on threads of their own that step back behind those that answer, a piece at a time,
//! so that the pieces of many requests take turns.

use super::problem::Refusal;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::io;
use std::process::Child;
use tokio::sync::oneshot;

/// Threads for long tasks.
pub(super) struct Lane {
    pool: ThreadPool,
}

/// How far these threads step back: of a contended core they get a tenth.
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

/// Lets the server go before a process that it started.
pub(crate) fn let_step_back(child: &Child) {
    #[cfg(target_os = "linux")]
    // Without the permission it is only less polite.
    let _ = rustix::process::setpriority_process(Some(rustix::process::Pid::from_child(child)), NICE);
    #[cfg(not(target_os = "linux"))]
    let _ = child;
}

/// Lets the threads that answer go first. Elsewhere than on Linux this would concern the whole process.
fn step_back() {
    #[cfg(target_os = "linux")]
    // Without the permission it is only less polite.
    let _ = rustix::process::nice(NICE);
}
