//! What every verb is given: the workspace, the time, the seed.

use super::Global;
use super::progress::Progress;
use anyhow::{Context as _, Result};
use mlloop::workspace::{Run, Workspace, WorkspaceError};
use serde_json::Value;
use std::time::Instant;

/// The surroundings of a verb.
pub(crate) struct Context {
    /// The loop's directory.
    pub(crate) workspace: Workspace,
    /// The present, or the instant that `--now` names.
    pub(crate) now: jiff::Timestamp,
    /// Seed of everything random.
    pub(crate) seed: u64,
    /// How many threads may be used; all cores when `None`.
    pub(crate) threads: Option<usize>,
    /// Bars and messages on stderr.
    pub(crate) progress: Progress,
}

impl Context {
    /// Reads the global options and sets the number of threads.
    pub(crate) fn new(global: &Global) -> Result<Self> {
        if let Some(n) = global.threads {
            anyhow::ensure!(n > 0, "--threads takes a number of at least 1");
            rayon::ThreadPoolBuilder::new().num_threads(n).build_global().context("--threads")?;
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that asks for the time")]
        let now = global.now.unwrap_or_else(jiff::Timestamp::now);
        Ok(Self {
            workspace: Workspace::new(&global.dir),
            now,
            seed: global.seed,
            threads: global.threads,
            progress: Progress::new(global.quiet),
        })
    }
    /// Adds a line to the run log: what came of `verb`, which began at `started`.
    pub(crate) fn log(&self, verb: &str, started: Instant, result: Value) -> Result<(), WorkspaceError> {
        let seconds = started.elapsed().as_secs_f64();
        self.workspace.log(&Run { at: self.now, verb: verb.to_owned(), seconds, result })
    }
}
