use super::*;

fn clock() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// A program that replaces `mlloop`: a script, because `sh -C DIR … -c SCRIPT` does not work.
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

/// Runs a job to its end.
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
    let again = Jobs::open(dir.path().join("jobs"), dir.path().join("program"), dir.path().to_owned(), clock).unwrap();
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
    assert!(kept.state().starts_with("saved"));
    assert_eq!(jobs.start("Run", vec!["run".into()], "bob", WhenBusy::Refuse), Err(NoJob::Busy(first)));
    assert_eq!((jobs.unended(), jobs.running().unwrap().id), (vec![first, said[0], said[1]], first));
    fs::write(dir.path().join("gate"), "").unwrap();
    ended(&jobs);
    // A job of a server that crashed before the job started.
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
fn what_ended_while_no_server_was_there_has_its_status() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = jobs(dir.path(), "echo $6; [ $6 = run ] || exit 0; sleep .3; echo 4 > \"$MLLOOP_STATUS_FILE\"; exit 4");
    let [ended, killed] = ["run", "stopped"].map(|verb| {
        let job = run(&jobs, &[verb]);
        // A file left by a server that ended while the job ran.
        fs::write(jobs.file(job.id, "json"), serde_json::to_vec(&Job { ended: None, ..job.clone() }).unwrap()).unwrap();
        job.id
    });
    let next = Jobs::open(dir.path().join("jobs"), jobs.program.clone(), dir.path().to_owned(), clock).unwrap();
    let deadline = Instant::now() + LONG;
    while !next.unended().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(next.get(ended).unwrap().state(), "waits for approval");
    let killed = next.get(killed).unwrap();
    assert_eq!(killed.state(), "stopped before it finished");
    assert!(killed.ended.unwrap().note.contains("at the restart, 2027-01-15 08:00 UTC"));
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
