//! A loop's directory: `mlloop.toml`, the paths of its files, and the run log.

pub mod audit;
pub(crate) mod away;
pub mod clock;
mod set;
mod commented;
mod config;
mod config_text;
mod deep;
mod error;
mod held;
mod kept;
pub mod event;
mod history;
mod own;
mod promote;
mod runs;
mod sections;
mod told;
mod tracking;
mod whole;

pub use config::Config;
pub use deep::ADDED;
pub(crate) use deep::ADOPTED;
pub use deep::Deep;
pub use deep::LABELS_FILE;
pub(crate) use deep::reference_of;
pub use error::WorkspaceError;
pub use event::EventKind;
pub use held::FEEDBACK_FILE;
pub(crate) use held::{feedback_seal, recorded_data, recorded_gone};
pub use history::{Settled, all_of};
pub use own::{OWN_DATA_FILES, is_named};
pub use promote::{Approval, Guardrails, Holdout, PromoteRules};
pub use runs::Run;
pub use sections::{DataSpec, LabelPolicy, LabelRules, RetrainRules, TrainRules, TrainerSpec};
pub use set::{Setting, monitor_alone};
pub use tracking::TrackRules;
pub use whole::ROLES_FILE;

use crate::atomic::{self, Lock};
use crate::atomic::{At, AtPath};
use crate::notify::Outbox;
use crate::registry::Registry;
use crate::table::place;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The file that makes a directory a loop: its configuration.
pub const CONFIG_FILE: &str = "mlloop.toml";

/// One directory, one loop.
#[derive(Debug, Clone)]
pub struct Workspace {
    dir: PathBuf,
    /// How long [`Workspace::lock`] waits.
    patience: Duration,
    /// Settings of this command besides `mlloop.toml`.
    settings: Vec<Setting>,
    registry: Registry,
    /// The last line of the audit chain written through this workspace; 0 for none.
    recorded: Arc<AtomicU64>,
    /// The verified part of the audit chain.
    walked: Arc<Mutex<Option<audit::Walked>>>,
}

impl Workspace {
    /// The workspace in `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let registry = Registry::new(dir.join("models")).audited(dir.join("audit.jsonl"));
        let (recorded, walked) = (Arc::default(), Arc::default());
        Self { dir, patience: Duration::ZERO, settings: Vec::new(), registry, recorded, walked }
    }

    /// The same workspace, whose [`Workspace::lock`] waits up to `patience` while another process holds it.
    #[must_use]
    pub fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same workspace, with these settings in its configuration; the last value of a key counts.
    #[must_use]
    pub fn with_settings(self, mut settings: Vec<Setting>) -> Self {
        let mut seen = HashSet::new();
        settings.reverse();
        settings.retain(|setting| seen.insert(setting.key.clone()));
        settings.reverse();
        Self { settings, ..self }
    }

    /// Settings of this command besides `mlloop.toml`.
    #[must_use]
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// How long [`Workspace::lock`] waits.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Creates the directory if it is missing.
    ///
    /// # Errors
    /// I/O errors.
    pub fn create(&self) -> Result<(), WorkspaceError> {
        Ok(atomic::make_dirs(&self.dir).at(&self.dir)?)
    }

    /// A path that `mlloop.toml` names: relative ones start at the workspace; an address of a database or of S3 is
    /// unchanged.
    #[must_use]
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        if place::is_address(path.as_ref()) {
            return path.as_ref().to_owned();
        }
        self.dir.join(path)
    }

    /// The last line of the audit chain written by this process: that change has happened.
    #[must_use]
    pub fn last_recorded(&self) -> Option<u64> {
        Some(self.recorded.load(Ordering::Relaxed)).filter(|line| *line > 0)
    }

    /// `mlloop.toml`.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.path(CONFIG_FILE)
    }

    /// The content of `mlloop.toml`.
    ///
    /// # Errors
    /// [`WorkspaceError::NoLoop`] without the file, [`WorkspaceError::Config`] if it is invalid.
    pub fn config(&self) -> Result<Config, WorkspaceError> {
        let path = self.config_path();
        let Some(text) = atomic::read_to_string(&path).if_there().at(&path)? else {
            return Err(WorkspaceError::NoLoop(path));
        };
        set::apply(&text, &self.settings).map_err(|what| WorkspaceError::Config { path, what })
    }

    /// Writes `mlloop.toml`.
    ///
    /// # Errors
    /// [`WorkspaceError::Exists`] unless `force`.
    pub fn write_config(
        &self,
        config: &Config,
        comments: &[(String, String)],
        force: bool,
    ) -> Result<(), WorkspaceError> {
        let path = self.config_path();
        if path.exists() && !force {
            return Err(WorkspaceError::Exists(path));
        }
        let text = config.to_commented_toml(comments);
        // Check that the written file is readable.
        let unreadable = |what: String| WorkspaceError::Config { path: path.clone(), what };
        let read = Config::parse(&text).map_err(unreadable)?;
        if (&read.data, &read.target, &read.columns, &read.split)
            != (&config.data, &config.target, &config.columns, &config.split)
        {
            return Err(unreadable(
                "does not match the decisions of init; please report this with the table's header".to_owned(),
            ));
        }
        Ok(atomic::replace(&path, |out| out.write_all(text.as_bytes())).at(path)?)
    }

    /// Makes git ignore `secrets/`: appends a line to an existing `.gitignore`, if it has none for it.
    ///
    /// # Errors
    /// I/O errors.
    pub fn keep_secrets_out_of_git(&self) -> Result<(), WorkspaceError> {
        const LINE: &str = "/secrets/";
        let path = self.path(".gitignore");
        let text = atomic::read_to_string(&path).if_there().at(&path)?.unwrap_or_default();
        if text.lines().any(|line| matches!(line.trim(), LINE | "secrets/" | "secrets" | "/secrets")) {
            return Ok(());
        }
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let whole = format!("{text}{end}{LINE}\n");
        Ok(atomic::replace(&path, |out| out.write_all(whole.as_bytes())).at(&path)?)
    }

    /// Sets another reference in `mlloop.toml`; the rest of the file is unchanged.
    ///
    /// # Errors
    /// [`WorkspaceError::Config`] if it is invalid, and any I/O error.
    pub(crate) fn name_reference(&self, reference: &str) -> Result<(), WorkspaceError> {
        let path = self.config_path();
        let text = atomic::read_to_string(&path).at(&path)?;
        let renamed = config_text::with_reference(&text, reference)
            .map_err(|what| WorkspaceError::Config { path: path.clone(), what })?;
        Ok(atomic::replace(&path, |out| out.write_all(renamed.as_bytes())).at(&path)?)
    }

    /// Checks that a file of the loop can be replaced, before recording a change that needs it.
    ///
    /// # Errors
    /// The reason why not.
    pub fn replaceable(&self, file: impl AsRef<Path>) -> Result<(), WorkspaceError> {
        let path = self.path(file);
        Ok(atomic::replaceable(&path).at(path)?)
    }

    /// The versions of this loop.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The right to change this loop, held until dropped. Half-done work of a killed process is completed first. While
    /// another process holds it, this waits as long as [`Workspace::waiting`] allows, by default not at all; the wait
    /// restarts whenever another process gets it meanwhile.
    ///
    /// # Errors
    /// [`WorkspaceError::Locked`] if another process still holds it, and errors in the loop's files.
    pub fn lock(&self) -> Result<Lock, WorkspaceError> {
        self.locked(atomic::lock_in_turn(&self.lock_path(), self.patience))
    }

    /// As [`Workspace::lock`]; while another process holds it, waits up to `limit`.
    ///
    /// # Errors
    /// As [`Workspace::lock`].
    pub fn lock_within(&self, limit: Duration) -> Result<Lock, WorkspaceError> {
        self.locked(atomic::lock_within(&self.lock_path(), limit))
    }

    fn lock_path(&self) -> PathBuf {
        self.path(".mlloop.lock")
    }

    /// The first steps after taking the lock.
    fn locked(&self, taken: io::Result<Lock>) -> Result<Lock, WorkspaceError> {
        let path = self.lock_path();
        let lock = taken.map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => {
                WorkspaceError::Locked { holder: atomic::lock_holder(&path), path: path.clone() }
            }
            _ => AtPath::new(&path, source).into(),
        })?;
        let data = self.path("data");
        self.refuse_foreign_files()?;
        atomic::complete_incoming(&data).at(data)?;
        self.tidy(&path)?;
        self.catch_up(&lock)?;
        Ok(lock)
    }

    /// Completes a pull, and updates roles and experiment from the chain.
    ///
    /// # Errors
    /// Errors in the loop's files.
    pub(crate) fn catch_up(&self, lock: &Lock) -> Result<(), WorkspaceError> {
        let complete = atomic::complete_incoming(&self.dir);
        complete.at(&self.dir)?;
        self.complete(lock)
    }

    /// Removes incomplete files of dead processes; the lock's modification time is the current time.
    fn tidy(&self, lock: &Path) -> Result<(), WorkspaceError> {
        const FOLDERS: [&str; 9] =
            ["", "data", "runs", "runs/backup", "runs/kept", "runs/outbox", "reports", "approvals", "label_inbox"];
        let now = std::fs::metadata(lock).and_then(|facts| facts.modified()).at(lock)?;
        for folder in FOLDERS.map(|folder| self.path(folder)) {
            atomic::remove_old_leftovers(&folder, now).at(&folder)?;
        }
        Ok(())
    }

    /// The queue of messages about this loop, named by its directory.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        let dir = self.dir.canonicalize().unwrap_or_else(|_| self.dir.clone());
        let name = dir.file_name().map_or_else(|| "loop".to_owned(), |name| name.to_string_lossy().into_owned());
        Outbox::new(self.path("runs"), name)
    }

    /// A report in `reports/`; `None` if it was never written.
    ///
    /// # Errors
    /// If it exists and is unreadable or invalid: damage must not look like absence.
    pub fn report<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, WorkspaceError> {
        let path = self.path("reports").join(name);
        let Some(bytes) = atomic::read(&path).if_there().at(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|err| WorkspaceError::Audit {
            path,
            what: format!("cannot be parsed: {err}; run the command that wrote it again"),
        })
    }
}

#[cfg(test)]
#[path = "loop_tests.rs"]
#[expect(clippy::disallowed_methods, reason = "tests write what they look for")]
mod tests;
