//! The pages in a real browser: chromium, driven by playwright-core.
//!
//! `scripts/browser.sh` gets playwright-core and axe-core into `target/browser`. Skipped, visibly, without them.

use crate::dashboard::{TOKEN, served};
use crate::serve::client::Server;
use crate::skipped::skipped;
use crate::support::{Loop, WAITING, YES};
use mlloop::demo::{self, Stream};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with playwright-core and axe-core, when the machine has all that is needed.
fn browser() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_mlloop")).parent().and_then(Path::parent).unwrap();
    let folder = target.join("browser");
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let chromium = std::env::var("MLLOOP_CHROMIUM").is_ok() || has("chromium") || has("google-chrome");
    if folder.join("node_modules/playwright-core").exists() && has("node") && chromium {
        return Some(folder);
    }
    skipped("no browser to drive (scripts/browser.sh gets what is missing)");
    None
}

/// Plays a scenario of `scripts/browser/scenarios.mjs` against the server.
fn play(folder: &Path, work: &Loop, server: &Server, scenario: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/browser/scenarios.mjs");
    let pid = server.pid().to_string();
    let variables = [
        ("BASE", server.url.as_str()),
        ("TOKEN", TOKEN),
        ("SERVER", &pid),
        ("PROGRAM", env!("CARGO_BIN_EXE_mlloop")),
        ("LOOP", &work.path("").display().to_string()),
    ];
    let done = Command::new("node").arg(script).arg(scenario).env("MLLOOP_BROWSER", folder).envs(variables).output();
    let done = done.unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{scenario}\n{said}\n{wrong}");
}

/// A demo with drift found and 2000 answers taken in, whose promotions wait for a person.
fn drifted() -> Loop {
    let work = Loop::new();
    work.run("demo . --drifted").answers(YES);
    let toml = work.read("mlloop.toml").replace("approval = \"auto\"", "approval = \"manual\"");
    work.write("mlloop.toml", toml);
    work.run("label-export -n 2000").answers(YES);
    let truth = demo::payments(Stream { n_rows: 4000, first: 6000, drift: 1.0, seed: 0 }).unwrap();
    let out = File::create(work.path("label_inbox/to_label_labeled.csv")).unwrap();
    demo::answer(File::open(work.path("label_inbox/to_label.csv")).unwrap(), &truth, out).unwrap();
    work.run("label-import --annotator demo").answers(YES);
    work
}

#[test]
fn from_drift_to_a_new_version_and_back() {
    let Some(folder) = browser() else { return };
    let work = drifted();
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    play(&folder, &work, &server, "decide");
    let chain = work.run("audit --text").answers(YES).stdout;
    for line in ["v0002 went into production instead of v0001", "v0001 is in production again instead of v0002: slower"]
    {
        assert!(chain.contains(line), "{line}\n{chain}");
    }
    work.run("audit verify").answers(YES);
}

#[test]
fn two_people_at_once_approve_once() {
    let Some(folder) = browser() else { return };
    let work = waiting("");
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    play(&folder, &work, &server, "at_once");
    assert_eq!(counts(&work, ["rejected", "approved", "promoted"]), [0, 1, 1]);
}

/// A loop whose challenger waits for approval, and how often the chain has these events after a scenario.
fn waiting(now: &str) -> Loop {
    let work = drifted();
    work.run("retrain").answers(YES);
    work.run(&format!("promote --by carol{now}")).answers(WAITING);
    work
}

fn counts(work: &Loop, events: [&str; 3]) -> [usize; 3] {
    let chain = work.read("audit.jsonl");
    events.map(|event| chain.matches(&format!("\"event\":\"{event}\"")).count())
}

#[test]
fn a_rejection_has_a_reason() {
    let Some(folder) = browser() else { return };
    let work = waiting("");
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    play(&folder, &work, &server, "reject");
    assert_eq!(counts(&work, ["rejected", "approved", "promoted"]), [1, 0, 0]);
    work.run("audit verify").answers(YES);
}

#[test]
fn an_expired_request_stays_undecided() {
    let Some(folder) = browser() else { return };
    let work = waiting(" --now 2020-01-05T00:00:00Z");
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    play(&folder, &work, &server, "expired");
    assert_eq!(counts(&work, ["rejected", "approved", "promoted"]), [0, 0, 0]);
}

#[test]
fn a_page_that_was_left_open_over_a_promotion_decides_nothing() {
    let Some(folder) = browser() else { return };
    let work = waiting("");
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    play(&folder, &work, &server, "left_open");
    assert_eq!(counts(&work, ["rejected", "approved", "promoted"]), [0, 1, 1]);
}

#[test]
fn a_server_that_is_killed_in_the_midst_of_a_job_knows_its_end() {
    let Some(folder) = browser() else { return };
    let work = drifted();
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    play(&folder, &work, &server, "killed");
    assert_eq!(counts(&work, ["retrained", "approved", "promoted"]), [1, 0, 0]);
    work.run("audit verify --deep").answers(YES);
}

#[test]
fn ten_rows_by_keyboard_are_those_of_a_spreadsheet() {
    let Some(folder) = browser() else { return };
    let (work, server) = served("--no-log");
    work.run("label-export -n 50 --force").answers(YES);
    play(&folder, &work, &server, "keyboard");
    let answers = ["no", "yes", "no", "", "yes", "no", "no", "no", "no", "no"];
    let mut wanted = String::new();
    for (n, line) in work.read("label_inbox/to_label.csv").lines().enumerate() {
        let row = line.strip_suffix(",,,").unwrap_or(line);
        match n.checked_sub(1).map(|n| answers.get(n)) {
            Some(Some(&"")) => wanted.push_str(&format!("{row},,ann,uncertain\n")),
            Some(Some(answer)) => wanted.push_str(&format!("{row},{answer},ann,\n")),
            _ => wanted.push_str(&format!("{line}\n")),
        }
    }
    let mut pages = std::fs::read_dir(work.path("label_inbox")).unwrap().map(|entry| entry.unwrap().path());
    let page = pages.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("page-")).unwrap();
    assert_eq!(std::fs::read_to_string(page).unwrap(), wanted);
}

#[test]
fn everything_works_without_scripts() {
    let Some(folder) = browser() else { return };
    let (work, server) = served("--no-log");
    work.run("label-export -n 50 --force").answers(YES);
    play(&folder, &work, &server, "without_scripts");
    assert!(work.read("data/feedback.csv").contains(",ann"));
}

#[test]
fn hostile_names_stay_text() {
    let Some(folder) = browser() else { return };
    let work = Loop::new();
    let (level, column) = ("</script><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>");
    let table = |first: usize, shift: usize| {
        let mut text = format!("id,\"{}\",<b>level</b>,<i>out</i>\n", column.replace('"', "\"\""));
        for n in first..first + 300 {
            let flag = if n % 7 < 3 { "<u>yes</u>" } else { "no & no" };
            text.push_str(&format!("r{n},{},{},{flag}\n", n % 7 * 3 + shift, [level, "b", "'c'"][n % 3]));
        }
        text
    };
    work.write("a.csv", table(0, 0));
    work.write("b.csv", table(300, 9));
    work.run("init a.csv --target <i>out</i>").answers(YES);
    work.run("train").answers(YES);
    work.run("predict b.csv --log -o scored.csv").answers(YES);
    work.run("monitor b.csv").answers(YES);
    work.run("label-export -n 50 --force").answers(YES);
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    play(&folder, &work, &server, "hostile");
}

#[test]
fn reports_can_be_read_on_a_telephone_and_searched() {
    let Some(folder) = browser() else { return };
    let work = Loop::new();
    work.run("demo .").answers(YES);
    work.run("train --quality fast --set n_estimators=30 --full-report").answers(YES);
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    play(&folder, &work, &server, "reports");
}

#[test]
fn no_page_has_a_serious_issue_in_light_or_dark() {
    let Some(folder) = browser() else { return };
    let work = drifted();
    work.run("label-export -n 50 --force").answers(YES);
    work.run("train --seed 3").answers(YES);
    work.run("ab-start --planned-n 1000 --schedule gradual --name trial").answers(YES);
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    play(&folder, &work, &server, "accessible");
}
