//! Reading ahead: after each change, the counts of pages are updated before they are requested.
//!
//! Counting starts when the server starts, and when the loop has changed while pages are in use. The thread keeps its
//! normal priority, because page requests wait for it.

use super::shell::Viewer;
use super::{Dashboard, events, pages};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often files are checked.
const EVERY: Duration = Duration::from_millis(700);
/// How long pages count as in use after the last request.
const LOOKS_FOR: Duration = Duration::from_secs(600);
/// Files whose changes trigger new counts.
const READ: [&str; 7] = [
    "audit.jsonl",
    "models/roles.json",
    "mlloop.toml",
    "data/labels.csv",
    "data/feedback.csv",
    "reports/drift_report.json",
    "runs/runs.jsonl",
];

/// The time of the last request.
pub(super) struct Looked(Mutex<Instant>);

impl Default for Looked {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Looked {
    pub(super) fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn lately(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < LOOKS_FOR
    }
}

/// Starts the thread, which runs as long as the dashboard exists.
pub(super) fn begin(dashboard: &Arc<Dashboard>) -> io::Result<()> {
    let dashboard = Arc::downgrade(dashboard);
    let watch = move || {
        let mut last = String::new();
        while let Some(dashboard) = dashboard.upgrade() {
            let began = Instant::now();
            let stamp = events::stamp_of(dashboard.workspace.dir(), &READ);
            if dashboard.looked.lately() && stamp != last {
                let viewer = Viewer::new(None, "/ui");
                // Errors in a file are reported by the requested page.
                let _ = pages::count(&dashboard, &viewer);
                last = stamp;
            }
            drop(dashboard);
            // If a loop changes all the time, this uses at most a third of a core.
            std::thread::sleep(EVERY.max(2 * began.elapsed()));
        }
    };
    std::thread::Builder::new().name("pages".to_owned()).spawn(watch).map(|_| ())
}
