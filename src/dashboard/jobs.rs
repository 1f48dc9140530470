//! Commands started from pages, one at a time, each as a separate process.
//!
//! A page does what the command line does: same program, arguments and lock. The process writes to files, so it
//! continues if the page is closed or the server ends, and its result stays available.
//!
//! ```text
//! runs/jobs/000007.json   the verb, the user, the start, and the result
//! runs/jobs/000007.out    its standard output
//! runs/jobs/000007.log    its standard error
//! runs/jobs/000007.end    its exit status, written by the process, so that a later server can read it
//! ```

use super::job::{Ended, Job};
use super::shell;
use crate::atomic::{self, At};
use crate::serve;
use jiff::Timestamp;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Environment variable: the file to which the program writes its exit status.
const LEAVES_STATUS: &str = "MLLOOP_STATUS_FILE";
/// Maximum number of jobs whose files are kept.
const KEPT: usize = 50;
/// Bytes of an answer or a log that are shown.
const SHOWN: u64 = 64 * 1024;
/// How often to check for a process that an earlier server started.
const LOOK: Duration = Duration::from_millis(500);

/// What happens to a job while another one runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenBusy {
    /// It does not start.
    Refuse,
    /// It is stored and started later, even after a restart of the server: running it twice does no harm.
    Wait,
}

/// Why a job does not start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoJob {
    /// Another one runs.
    Busy(u64),
    /// The system refused.
    Io(String),
}

/// Runs jobs.
pub(super) struct Jobs {
    dir: PathBuf,
    program: PathBuf,
    loop_dir: PathBuf,
    clock: fn() -> Timestamp,
    all: Mutex<Vec<Job>>,
    changed: Condvar,
}

impl Jobs {
    /// Reads the jobs of earlier servers; waits for a process that is still running.
    pub(super) fn open(
        dir: PathBuf,
        program: PathBuf,
        loop_dir: PathBuf,
        clock: fn() -> Timestamp,
    ) -> io::Result<Arc<Self>> {
        // A read-only loop can be served too: nothing is written before a job starts.
        let _ = atomic::remove_leftovers(&dir);
        let mut all = Vec::new();
        for entry in fs::read_dir(&dir).if_there()?.into_iter().flatten() {
            let path = entry?.path();
            if path.extension().is_some_and(|ext| ext == "json") {
                let read = atomic::read(&path).and_then(|bytes| Ok(serde_json::from_slice::<Job>(&bytes)?));
                all.push(read.map_err(|err| io::Error::other(format!("{}: {err}", path.display())))?);
            }
        }
        all.sort_unstable_by_key(|job: &Job| job.id);
        let left: Vec<Job> = all.iter().filter(|job| job.runs()).cloned().collect();
        let jobs = Arc::new(Self { dir, program, loop_dir, clock, all: Mutex::new(all), changed: Condvar::new() });
        for job in left {
            let jobs = Arc::clone(&jobs);
            std::thread::Builder::new().name("job".to_owned()).spawn(move || jobs.outlive(&job))?;
        }
        jobs.begin_next(&mut jobs.all());
        Ok(jobs)
    }

    /// Starts `mlloop ARGUMENTS`; while another job runs it is refused or waits.
    pub(super) fn start(
        self: &Arc<Self>,
        title: &str,
        arguments: Vec<String>,
        by: &str,
        busy: WhenBusy,
    ) -> Result<u64, NoJob> {
        let mut all = self.all();
        if let Some(before) = all.iter().find(|job| job.ended.is_none()).filter(|_| busy == WhenBusy::Refuse) {
            return Err(NoJob::Busy(before.id));
        }
        let id = all.last().map_or(1, |job| job.id + 1);
        let job = Job {
            id,
            title: title.to_owned(),
            arguments,
            by: by.to_owned(),
            started: (self.clock)(),
            pid: None,
            ended: None,
            waits: true,
        };
        let kept = fs::create_dir_all(&self.dir).and_then(|()| self.save(&job));
        kept.map_err(|err| NoJob::Io(err.to_string()))?;
        all.push(job);
        self.begin_next(&mut all);
        self.forget(&mut all);
        Ok(id)
    }

    /// Starts the first waiting job, unless one is running.
    fn begin_next(self: &Arc<Self>, all: &mut [Job]) {
        while !all.iter().any(Job::runs) {
            let Some(job) = all.iter_mut().find(|job| job.waits) else { return };
            if let Err(err) = self.begin(job) {
                let ended = Ended { at: (self.clock)(), status: None, note: format!("did not start: {err}") };
                (job.waits, job.ended) = (false, Some(ended));
                // If it cannot be saved now, the next server finds it unfinished and marks it as ended.
                let _ = self.save(job);
            }
        }
    }

    fn begin(self: &Arc<Self>, job: &mut Job) -> io::Result<()> {
        (job.waits, job.started) = (false, (self.clock)());
        self.save(job)?;
        let mut child = self.spawn(job)?;
        job.pid = Some(child.id());
        let saved = self.save(job);
        let (jobs, id) = (Arc::clone(self), job.id);
        let watch = move || {
            let status = child.wait();
            let code = status.as_ref().ok().and_then(std::process::ExitStatus::code);
            let note = match (&status, code) {
                (Err(err), _) => err.to_string(),
                (Ok(status), None) => format!(
                    "It was stopped by a signal ({status}). The audit chain lists the changes that it completed; no \
                     change is incomplete."
                ),
                _ => String::new(),
            };
            jobs.end(id, code, note);
        };
        std::thread::Builder::new().name("job".to_owned()).spawn(watch)?;
        saved
    }

    /// Waits at most `limit` for the end of a running job.
    pub(super) fn wait(&self, id: u64, limit: Duration) -> Result<Job, NoJob> {
        let until = Instant::now() + limit;
        let mut all = self.all();
        loop {
            let job = all.iter().find(|job| job.id == id).cloned();
            let left = until.saturating_duration_since(Instant::now());
            match job {
                Some(job) if job.waits || job.ended.is_some() || left.is_zero() => return Ok(job),
                Some(_) => all = self.changed.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0,
                None => return Err(NoJob::Io("the job no longer exists".to_owned())),
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a process writes into its files while it runs")]
    fn spawn(&self, job: &Job) -> io::Result<std::process::Child> {
        let (answer, log) = (File::create(self.file(job.id, "out"))?, File::create(self.file(job.id, "log"))?);
        let child = Command::new(&self.program)
            .arg("-C")
            .arg(&self.loop_dir)
            .args(["--text", "--color=never", "--wait=10"])
            .args(&job.arguments)
            .env("MLLOOP_PROGRESS", "lines")
            .env(LEAVES_STATUS, self.file(job.id, "end"))
            .stdin(Stdio::null())
            .stdout(answer)
            .stderr(log)
            .spawn()?;
        // A round started by a person has the same low priority as one started by a timer.
        serve::let_step_back(&child);
        Ok(child)
    }

    /// Waits for a process of an earlier server. It is not our child: its result is read from its files.
    fn outlive(self: &Arc<Self>, job: &Job) {
        while job.pid.is_some_and(|pid| runs(pid, &self.program)) {
            std::thread::sleep(LOOK);
        }
        let left = atomic::read_to_string(self.file(job.id, "end")).ok().and_then(|text| text.trim().parse().ok());
        let note = match left {
            Some(_) => String::new(),
            None => format!(
                "It was stopped together with the server, and found at the restart, {}. The audit chain lists the \
                 changes that it completed; no change is incomplete.",
                shell::when((self.clock)())
            ),
        };
        self.end(job.id, left, note);
    }

    fn end(self: &Arc<Self>, id: u64, status: Option<i32>, note: String) {
        let mut all = self.all();
        if let Some(job) = all.iter_mut().find(|job| job.id == id) {
            job.ended = Some(Ended { at: (self.clock)(), status, note });
            // If it cannot be saved now, the next server finds it unfinished and marks it as ended.
            let _ = self.save(job);
        }
        self.begin_next(&mut all);
        drop(all);
        self.changed.notify_all();
    }

    /// Removes the files of old jobs.
    fn forget(&self, all: &mut Vec<Job>) {
        while all.len() > KEPT && all[0].ended.is_some() {
            let old = all.remove(0);
            for ext in ["out", "log", "end", "json"] {
                let _ = fs::remove_file(self.file(old.id, ext));
            }
        }
    }

    fn save(&self, job: &Job) -> io::Result<()> {
        atomic::replace_json(&self.file(job.id, "json"), job)
    }

    fn file(&self, id: u64, ext: &str) -> PathBuf {
        self.dir.join(format!("{id:06}.{ext}"))
    }

    fn all(&self) -> MutexGuard<'_, Vec<Job>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job `id`.
    pub(super) fn get(&self, id: u64) -> Option<Job> {
        self.all().iter().find(|job| job.id == id).cloned()
    }

    /// The latest jobs, the newest first.
    pub(super) fn latest(&self, n: usize) -> Vec<Job> {
        self.all().iter().rev().take(n).cloned().collect()
    }

    /// The job that runs.
    pub(super) fn running(&self) -> Option<Job> {
        self.all().iter().find(|job| job.runs()).cloned()
    }

    /// The jobs that have not ended.
    pub(super) fn unended(&self) -> Vec<u64> {
        self.all().iter().filter(|job| job.ended.is_none()).map(|job| job.id).collect()
    }

    /// The output of a job.
    pub(super) fn answer(&self, id: u64) -> String {
        end_of(&self.file(id, "out"))
    }

    /// The messages of a job.
    pub(super) fn log(&self, id: u64) -> String {
        end_of(&self.file(id, "log"))
    }
}

/// The last part of a file as text.
fn end_of(path: &Path) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || {
        let mut file = atomic::open(path)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(SHOWN)))?;
        let mut bytes = Vec::new();
        file.take(SHOWN).read_to_end(&mut bytes)?;
        io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

/// Whether `pid` is a process of `program`: the number may have been reused by another program. If the system does not
/// show this, the process counts as ended.
fn runs(pid: u32, program: &Path) -> bool {
    let link = fs::read_link(format!("/proc/{pid}/exe"));
    let same = link.is_ok_and(|exe| exe == program || program.canonicalize().is_ok_and(|program| exe == program));
    // A child that ended but was not waited for is still listed.
    let zombie = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    same && !zombie
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
#[path = "jobs_tests.rs"]
mod tests;
