//! Verbs that run on behalf of a page, one at a time, each as a process of its own.
//!
//! What a page does is what the command line does: the same program, the same arguments, the same lock. The process
//! writes into files, so that it goes on when the page is closed or the server ends, and its end is known afterwards.
//!
//! ```text
//! runs/jobs/000007.json   what, by whom, since when, and how it ended
//! runs/jobs/000007.out    what it answered
//! runs/jobs/000007.log    what it said meanwhile
//! ```

use crate::atomic;
use crate::serve;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Jobs whose files are kept.
const KEPT: usize = 50;
/// Bytes of an answer or a log that are shown.
const SHOWN: u64 = 64 * 1024;
/// How often a process that an earlier server began is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// A verb that was run from a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    /// Its number, from 1.
    pub(super) id: u64,
    /// What it does, in words.
    pub(super) title: String,
    /// The arguments of `mlloop`, as one would type them.
    pub(super) arguments: Vec<String>,
    /// Who asked.
    pub(super) by: String,
    pub(super) started: Timestamp,
    /// The process.
    pub(super) pid: Option<u32>,
    /// How it ended; none while it runs.
    pub(super) ended: Option<Ended>,
    /// Whether it has not begun yet, since others run before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) waits: bool,
}

/// What becomes of a job while another one runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenBusy {
    /// It does not start.
    Refuse,
    /// It is kept and begins later, also when the server ends meanwhile: done twice it does no harm.
    Wait,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ended {
    pub(super) at: Timestamp,
    /// The exit status; none when the process was killed, or when nobody was there to see it end.
    pub(super) status: Option<i32>,
    /// What kept it from starting, or why the status is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) note: String,
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
    /// Reads what earlier servers ran; a process that still runs is waited for.
    pub(super) fn open(
        dir: PathBuf,
        program: PathBuf,
        loop_dir: PathBuf,
        clock: fn() -> Timestamp,
    ) -> io::Result<Arc<Self>> {
        // A loop that may only be read is served too: nothing is written before a job begins.
        let _ = atomic::remove_leftovers(&dir);
        let mut all = Vec::new();
        let entries = match fs::read_dir(&dir) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Vec::new(),
            entries => entries?.collect::<io::Result<Vec<_>>>()?,
        };
        for entry in entries {
            let path = entry.path();
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

    /// Begins the first job that waits, unless one runs.
    fn begin_next(self: &Arc<Self>, all: &mut [Job]) {
        while !all.iter().any(Job::runs) {
            let Some(job) = all.iter_mut().find(|job| job.waits) else { return };
            if let Err(err) = self.begin(job) {
                let ended = Ended { at: (self.clock)(), status: None, note: format!("did not start: {err}") };
                (job.waits, job.ended) = (false, Some(ended));
                // What cannot be written now is seen as unfinished by the next server, which ends it.
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
            let note = status.as_ref().err().map_or_else(String::new, ToString::to_string);
            jobs.end(id, status.ok().and_then(|status| status.code()), note);
        };
        std::thread::Builder::new().name("job".to_owned()).spawn(watch)?;
        saved
    }

    /// Waits for the end of a job that has begun, at most `limit`.
    pub(super) fn wait(&self, id: u64, limit: Duration) -> Result<Job, NoJob> {
        let until = Instant::now() + limit;
        let mut all = self.all();
        loop {
            let job = all.iter().find(|job| job.id == id).cloned();
            let left = until.saturating_duration_since(Instant::now());
            match job {
                Some(job) if job.waits || job.ended.is_some() || left.is_zero() => return Ok(job),
                Some(_) => all = self.changed.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0,
                None => return Err(NoJob::Io("the job is gone".to_owned())),
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
            .stdin(Stdio::null())
            .stdout(answer)
            .stderr(log)
            .spawn()?;
        // A round that a person started slows predictions no more than one that a timer started.
        serve::let_step_back(&child);
        Ok(child)
    }

    /// Waits for a process of an earlier server. It is no child of ours: how it ended stands in what it wrote.
    fn outlive(self: &Arc<Self>, job: &Job) {
        while job.pid.is_some_and(|pid| runs(pid, &self.program)) {
            std::thread::sleep(LOOK);
        }
        let note = "the server ended while this ran; what became of it stands in the audit chain";
        self.end(job.id, None, note.to_owned());
    }

    fn end(self: &Arc<Self>, id: u64, status: Option<i32>, note: String) {
        let mut all = self.all();
        if let Some(job) = all.iter_mut().find(|job| job.id == id) {
            job.ended = Some(Ended { at: (self.clock)(), status, note });
            // What cannot be written now is seen as unfinished by the next server, which ends it.
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
            for ext in ["out", "log", "json"] {
                let _ = fs::remove_file(self.file(old.id, ext));
            }
        }
    }

    fn save(&self, job: &Job) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(job)?;
        atomic::replace(&self.file(job.id, "json"), |out| out.write_all(&bytes))
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

    /// What a job answered.
    pub(super) fn answer(&self, id: u64) -> String {
        end_of(&self.file(id, "out"))
    }

    /// What a job said meanwhile.
    pub(super) fn log(&self, id: u64) -> String {
        end_of(&self.file(id, "log"))
    }
}

impl Job {
    /// The command, as one would type it.
    pub(super) fn command(&self) -> String {
        command(&self.arguments)
    }

    /// Whether it has begun and not ended.
    pub(super) fn runs(&self) -> bool {
        self.ended.is_none() && !self.waits
    }

    /// How it ended, in words.
    pub(super) fn state(&self) -> &'static str {
        if self.waits {
            return "kept; it is done as soon as what runs has ended";
        }
        match self.ended.as_ref().map(|ended| ended.status) {
            None => "running",
            Some(Some(0)) => "done",
            Some(Some(1)) => "done; the answer was no",
            Some(Some(3)) => "cannot tell: too few rows or labels",
            Some(Some(4)) => "waits for a person",
            Some(Some(_)) => "failed; nothing was changed",
            Some(None) => "ended without a status",
        }
    }
}

/// A command as one would type it.
pub(super) fn command(arguments: &[String]) -> String {
    let is_plain = |argument: &str| argument.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=./:%,".contains(&b));
    let quoted = |argument: &String| match is_plain(argument) && !argument.is_empty() {
        true => argument.clone(),
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    };
    format!("mlloop {}", arguments.iter().map(quoted).collect::<Vec<_>>().join(" "))
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

/// Whether `pid` is a process of `program`: numbers are given again, programs are not. Where the system does not show
/// it, it counts as ended.
fn runs(pid: u32, program: &Path) -> bool {
    let link = fs::read_link(format!("/proc/{pid}/exe"));
    let same = link.is_ok_and(|exe| exe == program || program.canonicalize().is_ok_and(|program| exe == program));
    // A child that ended and that nobody waited for is still listed.
    let zombie = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    same && !zombie
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;

    fn clock() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    /// A program that stands in for `mlloop`: `sh -C DIR … -c SCRIPT` would not do, so it is a script of its own.
    fn script(dir: &Path, body: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.join("program");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn jobs(dir: &Path, body: &str) -> Arc<Jobs> {
        Jobs::open(dir.join("jobs"), script(dir, body), dir.to_owned(), clock).unwrap()
    }

    const LONG: Duration = Duration::from_secs(30);

    /// A job to its end.
    fn run(jobs: &Arc<Jobs>, arguments: &[&str]) -> Job {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        jobs.wait(jobs.start("A verb", arguments, "ann", WhenBusy::Refuse).unwrap(), LONG).unwrap()
    }

    #[test]
    fn a_job_ends_with_its_status_and_what_it_said() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = jobs(dir.path(), "shift 5; echo \"did $*\"; echo working >&2; exit 4");
        let job = run(&jobs, &["promote", "--by=a b"]);
        assert_eq!(job.ended.as_ref().unwrap().status, Some(4));
        assert_eq!(job.command(), "mlloop promote '--by=a b'");
        assert_eq!((jobs.answer(job.id).as_str(), jobs.log(job.id).as_str()), ("did promote --by=a b\n", "working\n"));
        let again =
            Jobs::open(dir.path().join("jobs"), dir.path().join("program"), dir.path().to_owned(), clock).unwrap();
        assert_eq!(again.get(job.id), Some(job));
    }

    #[test]
    fn a_second_one_does_not_start() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = jobs(dir.path(), "sleep 20");
        let first = jobs.start("Run", vec!["run".into()], "ann", WhenBusy::Refuse).unwrap();
        assert_eq!(jobs.start("Run", vec!["run".into()], "bob", WhenBusy::Refuse), Err(NoJob::Busy(first)));
        let pid = jobs.get(first).unwrap().pid.unwrap();
        Command::new("kill").arg(pid.to_string()).status().unwrap();
        let deadline = Instant::now() + LONG;
        while jobs.running().is_some() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(jobs.get(first).unwrap().ended.unwrap().status, None, "it was killed");
    }

    #[test]
    fn what_people_say_waits_for_what_runs_and_outlives_a_server() {
        let dir = tempfile::tempdir().unwrap();
        let body = "cd $2; [ $6 != run ] || while [ ! -e gate ]; do sleep .02; done; echo $6 >> did";
        let jobs = jobs(dir.path(), body);
        let ended = |jobs: &Jobs| {
            let deadline = Instant::now() + LONG;
            while !jobs.unended().is_empty() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        let first = jobs.start("Run", vec!["run".into()], "ann", WhenBusy::Refuse).unwrap();
        let feedback = |what: &str| jobs.start("Feedback", vec![what.into()], "bob", WhenBusy::Wait).unwrap();
        let said = [feedback("one"), feedback("two")];
        let kept = jobs.wait(said[1], LONG).unwrap();
        assert!(kept.state().starts_with("kept"));
        assert_eq!(jobs.start("Run", vec!["run".into()], "bob", WhenBusy::Refuse), Err(NoJob::Busy(first)));
        assert_eq!((jobs.unended(), jobs.running().unwrap().id), (vec![first, said[0], said[1]], first));
        fs::write(dir.path().join("gate"), "").unwrap();
        ended(&jobs);
        // Of a server that died before it began.
        fs::write(jobs.file(9, "json"), serde_json::to_vec(&Job { id: 9, ..kept }).unwrap()).unwrap();
        let next = Jobs::open(dir.path().join("jobs"), jobs.program.clone(), dir.path().to_owned(), clock).unwrap();
        ended(&next);
        assert!([said[0], said[1], 9].iter().all(|id| next.get(*id).unwrap().ended.unwrap().status == Some(0)));
        assert_eq!(fs::read_to_string(dir.path().join("did")).unwrap(), "run\none\ntwo\ntwo\n");
    }

    #[test]
    fn what_an_earlier_server_left_running_ends_for_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("jobs");
        fs::create_dir_all(&at).unwrap();
        let gone = Job {
            id: 3,
            title: "Run".into(),
            arguments: vec!["run".into()],
            by: "ann".into(),
            started: clock(),
            pid: Some(u32::MAX - 1),
            ended: None,
            waits: false,
        };
        fs::write(at.join("000003.json"), serde_json::to_vec(&gone).unwrap()).unwrap();
        let jobs = Jobs::open(at, "/bin/true".into(), dir.path().to_owned(), clock).unwrap();
        let deadline = Instant::now() + LONG;
        while jobs.running().is_some() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let ended = jobs.get(3).unwrap().ended.unwrap();
        assert!(ended.note.contains("audit chain"), "{}", ended.note);
        assert_eq!(run(&jobs, &[]).id, 4);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_job_lets_predictions_go_before() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = jobs(dir.path(), "nice; sleep 1; nice");
        let job = run(&jobs, &["retrain"]);
        let levels = jobs.answer(job.id);
        let last: i32 = levels.lines().last().unwrap().parse().unwrap();
        let own = Command::new("nice").output().unwrap();
        let own: i32 = String::from_utf8(own.stdout).unwrap().trim().parse().unwrap();
        assert!(last >= 10.max(own), "niceness {levels} of a server at {own}");
    }

    #[test]
    fn what_does_not_start_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(dir.path().join("jobs"), "/nowhere/mlloop".into(), dir.path().to_owned(), clock).unwrap();
        let job = run(&jobs, &["run"]);
        assert!(job.ended.unwrap().note.starts_with("did not start"));
    }
}
