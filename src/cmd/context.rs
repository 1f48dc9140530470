//! The context of every verb: the workspace, the time, the seed.

use super::Global;
use super::progress::Progress;
use anyhow::{Context as _, Result};
use mlloop::atomic::Lock;
use mlloop::feedback::waiting::take_in;
use mlloop::feedback::{FeedbackError, fetch};
use mlloop::labels::LabelError;
use mlloop::labels::shared::Shared;
use mlloop::s3::{Access, reach_as};
use mlloop::table::postgres::{Login, log_in_as};
use mlloop::workspace::{CONFIG_FILE, Run, Setting, Workspace, WorkspaceError};
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// More threads than this only slow each other down: `--threads 1000` takes minutes on two cores.
fn most_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).saturating_mul(4).max(64)
}

/// The context of a verb.
pub(crate) struct Context {
    /// The loop's directory.
    pub(crate) workspace: Workspace,
    /// The current time, or the instant of `--now`.
    pub(crate) now: jiff::Timestamp,
    /// The random seed.
    pub(crate) seed: u64,
    /// How many threads may be used; all cores when `None`.
    #[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "only a server asks"))]
    pub(crate) threads: Option<usize>,
    /// Bars and messages on stderr.
    pub(crate) progress: Progress,
}

impl Context {
    /// Reads the global options and sets the number of threads. If `starts`, the verb creates a loop in the current
    /// directory; any other verb also finds its loop from a subdirectory.
    pub(crate) fn new(global: &Global, starts: bool) -> Result<Self> {
        let threads = global.threads.map(|n| n.min(most_threads()));
        if let Some(n) = threads {
            rayon::ThreadPoolBuilder::new().num_threads(n).build_global().context("--threads")?;
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that asks for the time")]
        let now = global.now.unwrap_or_else(jiff::Timestamp::now);
        let dir = match &global.dir {
            Some(dir) => dir.clone(),
            None if starts => PathBuf::from("."),
            None => enclosing_loop().unwrap_or_else(|| PathBuf::from(".")),
        };
        let settings = settings(global).map_err(anyhow::Error::msg)?;
        log_in_as(login());
        reach_as(access());
        Ok(Self {
            workspace: Workspace::new(dir).waiting(Duration::from_secs(global.wait)).with_settings(settings),
            now,
            seed: global.seed,
            threads,
            progress: Progress::new(global.quiet),
        })
    }
    /// Takes the lock to change the loop. Outcomes and feedback that arrived in the meantime are imported first.
    ///
    /// # Errors
    /// As [`Workspace::lock`].
    pub(crate) fn lock(&self) -> Result<Lock, WorkspaceError> {
        let (lock, taken) = self.lock_and_take_in()?;
        if let Err(err) = taken {
            self.progress.note(format_args!("note: cannot import waiting outcomes and feedback: {err}"));
        }
        Ok(lock)
    }

    /// The same for a verb that uses labels and feedback: it also imports everything from the loop's store.
    ///
    /// # Errors
    /// As [`Workspace::lock`], and when the store does not answer.
    pub(crate) fn lock_with_labels(&self) -> Result<Lock> {
        let (lock, taken) = self.lock_and_take_in()?;
        match taken {
            Err(err @ FeedbackError::Label(LabelError::Store { .. })) => return Err(err.into()),
            Err(err) => {
                self.progress.note(format_args!("note: cannot import waiting outcomes and feedback: {err}"));
            }
            Ok(()) => {}
        }
        Ok(lock)
    }

    fn lock_and_take_in(&self) -> Result<(Lock, Result<(), FeedbackError>), WorkspaceError> {
        // A server may be slow: do not hold the lock while waiting.
        let fetched = fetch(&self.workspace);
        let lock = self.workspace.lock()?;
        let taken = fetched.and_then(|fetched| take_in(&self.workspace, &lock, fetched, self.now));
        Ok((lock, taken.map(drop)))
    }

    /// Imports what the loop's store has, for a verb that only reads. Without a store it does nothing.
    ///
    /// # Errors
    /// As [`Context::lock_with_labels`].
    pub(crate) fn look_into_store(&self) -> Result<()> {
        if Shared::of(&self.workspace)?.is_some() {
            self.lock_with_labels()?;
        }
        Ok(())
    }

    /// Adds a line to the run log: the result of `verb`, which began at `started`.
    pub(crate) fn log(&self, verb: &str, started: Instant, result: Value) -> Result<(), WorkspaceError> {
        let seconds = started.elapsed().as_secs_f64();
        self.workspace.log(&Run { at: self.now, verb: verb.to_owned(), seconds, result })
    }
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Credentials for S3: the environment variables of Amazon's tools.
fn access() -> Access {
    let path = |name: &str, usual: &str| {
        let at_home = || variable("HOME").map(|home| Path::new(&home).join(".aws").join(usual));
        variable(name).map(PathBuf::from).or_else(at_home)
    };
    Access {
        key: variable("AWS_ACCESS_KEY_ID"),
        secret: variable("AWS_SECRET_ACCESS_KEY"),
        token: variable("AWS_SESSION_TOKEN"),
        region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
        endpoint: variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL")),
        profile: variable("AWS_PROFILE"),
        credentials_file: path("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        config_file: path("AWS_CONFIG_FILE", "config"),
        authorities: variable("AWS_CA_BUNDLE").map(PathBuf::from),
    }
}

/// Login for databases: the environment variables of PostgreSQL's tools.
fn login() -> Login {
    let passfile = variable("PGPASSFILE").map(PathBuf::from);
    Login {
        user: variable("PGUSER").or_else(|| variable("USER")).or_else(|| variable("LOGNAME")),
        password: variable("PGPASSWORD"),
        host: variable("PGHOST"),
        port: variable("PGPORT").and_then(|port| port.parse().ok()),
        sslmode: variable("PGSSLMODE"),
        sslrootcert: variable("PGSSLROOTCERT").map(PathBuf::from),
        passfile: passfile.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".pgpass"))),
        connect_timeout: variable("PGCONNECT_TIMEOUT").and_then(|n| n.parse().ok()).map(Duration::from_secs),
    }
}

/// Settings of the environment, by name, then those of `--set`.
fn settings(global: &Global) -> Result<Vec<Setting>, String> {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut variables: Vec<(String, String)> = variables.filter(|(name, _)| name.starts_with("MLLOOP_")).collect();
    variables.sort();
    let mut settings: Vec<Setting> =
        variables.iter().filter_map(|(name, value)| Setting::of_variable(name, value)).collect();
    for pair in &global.set {
        settings.push(Setting::parse(pair)?);
    }
    Ok(settings)
}

/// The nearest directory, from the current one upwards, that has a `mlloop.toml`, as a path relative to the current one.
///
/// The search ends at a directory of another owner: a file of another user in a shared parent must not control what is
/// run.
pub(crate) fn enclosing_loop() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let owner = |dir: &Path| dir.metadata().ok().map(|facts| facts.uid());
    let ours = owner(&here)?;
    let mut up = PathBuf::from(".");
    for dir in here.ancestors().take_while(|dir| owner(dir) == Some(ours)) {
        if dir.join(CONFIG_FILE).is_file() {
            return Some(up);
        }
        up = if up == Path::new(".") { PathBuf::from("..") } else { up.join("..") };
    }
    None
}
