//! The web pages of a team: what is in production, its current performance, and open tasks.
//!
//! ```text
//! GET  ─▶ web ─▶ pages ─▶ files of the loop ─▶ view model ─▶ template      nothing is written
//! POST ─▶ web ─▶ actions ─▶ jobs ─▶ mlloop VERB …                          as on the command line
//! ```
//! Pages work without scripts. Prediction requests do not pass through here: [`Dashboard::over`] puts the pages in
//! front of the router of `serve`, which handles all other requests.

mod actions;
mod ahead;
mod auth;
mod events;
mod job;
mod jobs;
mod kept;
mod pages;
mod shell;
mod web;

pub use auth::{People, Right};

use crate::atomic::{At, AtPath};
use crate::workspace::{Workspace, WorkspaceError};
use ahead::Looked;
use auth::Sessions;
use jobs::Jobs;
use kept::AllKept;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// Maximum number of pages rendered concurrently; others wait.
const MAX_PAGES: usize = 2;

/// Errors at the start of the dashboard.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
    /// There is no loop, or its settings are unreadable.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The directory of jobs.
    #[error("{0}")]
    Io(#[from] AtPath),
}

/// Settings of the dashboard.
#[derive(Debug, Clone)]
pub struct DashboardSettings {
    /// Returns the current time.
    pub now: fn() -> jiff::Timestamp,
    /// 32 random bytes of the system, from which sessions are derived.
    pub secret: [u8; 32],
    /// The users who may sign in.
    pub people: People,
    /// The program that runs commands.
    pub program: PathBuf,
    /// Whether pages can be viewed without signing in.
    pub open: bool,
    /// Whether connections are encrypted; then cookies are restricted to encrypted connections.
    pub secure: bool,
}

/// The pages of a loop.
pub struct Dashboard {
    workspace: Workspace,
    settings: DashboardSettings,
    sessions: Sessions,
    jobs: Arc<Jobs>,
    pages: Semaphore,
    kept: AllKept,
    looked: Looked,
    /// Held while an answer to a batch is written.
    filling: Mutex<()>,
}

impl Dashboard {
    /// Takes over the jobs of earlier servers.
    ///
    /// # Errors
    /// If there is no loop, or the records of jobs are unreadable.
    pub fn open(workspace: Workspace, settings: DashboardSettings) -> Result<Arc<Self>, DashboardError> {
        workspace.config()?;
        let dir = workspace.path("runs/jobs");
        let jobs =
            Jobs::open(dir.clone(), settings.program.clone(), workspace.dir().to_owned(), settings.now).at(&dir)?;
        let dashboard = Arc::new(Self {
            sessions: Sessions::new(settings.people.clone(), settings.secret, workspace.path("runs/sessions.json")),
            workspace,
            settings,
            jobs,
            pages: Semaphore::new(MAX_PAGES),
            kept: AllKept::default(),
            looked: Looked::default(),
            filling: Mutex::default(),
        });
        ahead::begin(&dashboard).at(dir)?;
        Ok(dashboard)
    }

    fn now(&self) -> jiff::Timestamp {
        (self.settings.now)()
    }
}
