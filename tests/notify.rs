//! Verbs tell people: once, by a webhook on loopback, and never at the cost of their own answer.

use crate::support::{ERROR, Loop, NO, YES};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// A webhook that answers 200 and remembers the texts it was sent; gives its address.
pub fn webhook() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let texts = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            texts.lock().unwrap().push(body["text"].as_str().unwrap().to_owned());
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    (url, heard)
}

/// The churn table under other ids, all contracts alike.
fn stream(contract: Option<&str>) -> String {
    let mut lines = CHURN.lines();
    let mut text = format!("{}\n", lines.next().unwrap());
    for (row, line) in lines.enumerate() {
        let mut fields: Vec<&str> = line.split(',').collect();
        let id = format!("N{row}");
        fields[0] = &id;
        fields[1] = contract.unwrap_or(fields[1]);
        text.push_str(&format!("{}\n", fields.join(",")));
    }
    text
}

fn watched(notify: &str) -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work.run("train").answers(YES);
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", format!("{toml}\n[monitor.triggers]\nnew_rows = false\n{notify}"));
    work.write("calm.csv", stream(None));
    work.write("shifted.csv", stream(Some("weekly")));
    work
}

#[test]
fn onset_recovery_and_failure_are_told_once_each() {
    let (url, heard) = webhook();
    let mut work = watched("[notify]\nchannels = ['webhook', 'console']\n");
    work.set("MLLOOP_WEBHOOK_URL", &url);
    let told = |n: usize, beginning: &str| {
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), n, "{heard:#?}");
        let name = work.path("").file_name().unwrap().to_str().unwrap().to_owned();
        assert!(heard[n - 1].starts_with(&format!("[mlloop {name}] {beginning}")), "{heard:#?}");
    };
    work.run("monitor calm.csv --formats json").answers(NO);
    assert!(heard.lock().unwrap().is_empty());
    work.run("monitor shifted.csv --formats json").answers(YES).says("drift began: contract");
    told(1, "drift began: contract");
    work.run("monitor shifted.csv --formats json").answers(YES);
    told(1, "drift began: contract");
    work.run("monitor calm.csv --formats json").answers(NO);
    told(2, "drift ended: contract");
    work.run("monitor nobody.csv --formats json").answers(ERROR);
    work.run("monitor nobody.csv --formats json").answers(ERROR);
    told(3, "monitor failed\nnobody.csv: ");
    let text = heard.lock().unwrap()[2].clone();
    assert_eq!((text.matches("nobody.csv").count(), text.matches("No such file").count()), (1, 1), "{text}");
    work.run("monitor calm.csv --formats json").answers(NO);
    work.run("monitor nobody.csv --formats json").answers(ERROR);
    told(4, "monitor failed");
}

#[test]
fn a_server_that_is_down_does_not_fail_the_verb_and_hears_of_it_later() {
    let closed = "127.0.0.1:1";
    let mut work = watched("[notify]\nchannels = ['webhook']\n");
    work.set("MLLOOP_WEBHOOK_URL", &format!("http://{closed}/secret-part"));
    let said = work.run("monitor shifted.csv --formats json --now 2026-11-02T00:00:00Z").answers(YES);
    assert!(said.stderr.contains("note: webhook: "), "{}", said.stderr);
    assert!(!said.stderr.contains("secret-part"), "{}", said.stderr);
    let (url, heard) = webhook();
    work.set("MLLOOP_WEBHOOK_URL", &url);
    work.run("monitor shifted.csv --formats json --now 2026-11-02T00:01:00Z").answers(YES);
    assert!(heard.lock().unwrap().is_empty(), "it is not yet time");
    work.run("monitor shifted.csv --formats json --now 2026-11-02T00:02:00Z").answers(YES);
    assert_eq!(heard.lock().unwrap().len(), 1);
    assert_eq!(
        std::fs::read_dir(work.path("runs/outbox"))
            .unwrap()
            .filter(|e| { e.as_ref().unwrap().path().extension().is_some_and(|ext| ext == "json") })
            .count(),
        0
    );
}

/// The messages that wait, by what they tell.
fn waiting(work: &Loop) -> Vec<serde_json::Value> {
    let files = std::fs::read_dir(work.path("runs/outbox")).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    files.map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
}

#[test]
fn mails_of_decisions_carry_the_picture_of_the_drift_that_they_answer() {
    let email = "[notify.email]\nhost = '127.0.0.1'\nport = 1\nfrom = 'a@example.org'\nto = ['b@example.org']\n";
    let work = watched(&format!("[notify]\nchannels = ['email']\n{email}"));
    let of = |kind: &str| {
        let found = waiting(&work).into_iter().find(|message| message["event"] == kind);
        found.unwrap_or_else(|| panic!("nobody is told of {kind}: {:?}", waiting(&work)))
    };
    work.run("predict shifted.csv --log --outcomes -o scored.csv --now 2026-11-02T00:00:00Z").answers(YES);
    work.run("monitor shifted.csv --now 2026-11-03T00:00:00Z").answers(YES);
    assert_eq!(of("drift-onset")["picture"], "reports/drift_report.png");
    work.run("retrain --now 2026-11-03T00:00:00Z").answers(YES);
    let retrained = of("retrained");
    assert_eq!(retrained["picture"], "reports/drift_report.png");
    let text = retrained["text"].as_str().unwrap();
    // What was learned from, and how good it is.
    assert!(text.starts_with("v0002 is the challenger: 1200 rows of the reference"), "{text}");
    assert!(text.contains("1200 labelled rows") && text.contains("\ngate rows: roc_auc 0."), "{text}");
    work.run("promote --override better --by ann --now 2026-11-04T00:00:00Z").answers(YES);
    let promoted = of("promoted");
    assert_eq!(promoted["picture"], "reports/drift_report.png", "it is of what was in production until then");
    // The last report is not of v0002: it says nothing about what is decided now.
    work.run("train --seed 7 --now 2026-11-05T00:00:00Z").answers(YES);
    work.run("promote --now 2026-11-05T00:00:00Z");
    let verdict = waiting(&work).into_iter().find(|message| {
        message["at"] == "2026-11-05T00:00:00Z"
            && (message["event"] == "gate-verdict" || message["event"] == "promoted")
    });
    let verdict = verdict.unwrap_or_else(|| panic!("{:?}", waiting(&work)));
    assert!(verdict["picture"].is_null(), "{verdict}");
}

#[test]
fn nobody_is_told_unless_asked_and_a_wrong_section_is_named() {
    let work = watched("");
    work.run("monitor shifted.csv --formats json").answers(YES);
    assert!(!work.path("runs/outbox").exists() && !work.path("runs/notified.jsonl").exists());
    work.write("mlloop.toml", format!("{}\n[notify]\nchannels = ['email']\n", work.read("mlloop.toml")));
    work.run("monitor calm.csv").answers(ERROR).says("[notify.email]");
}

#[test]
fn a_secret_in_mlloop_toml_is_refused_and_the_variable_is_named() {
    let work = watched("");
    let toml = work.read("mlloop.toml");
    let email = "[notify.email]\nhost = 'smtp.example.org'\nfrom = 'a@example.org'\nto = ['b@example.org']\n";
    for (section, variable) in [
        ("[notify]\nwebhook = 'http://127.0.0.1/s3cret'\n".to_owned(), "MLLOOP_WEBHOOK_URL"),
        ("[notify]\nwebhook_url = 'http://127.0.0.1/s3cret'\n".to_owned(), "MLLOOP_WEBHOOK_URL"),
        (format!("{email}password = 's3cret'\n"), "MLLOOP_SMTP_PASSWORD"),
        (format!("{email}smtp_user = 's3cret'\n"), "MLLOOP_SMTP_USER"),
    ] {
        work.write("mlloop.toml", format!("{toml}\n{section}"));
        let said = work.run("monitor calm.csv").answers(ERROR).says(variable).says("mlloop.toml: line ");
        assert!(!said.stderr.contains("s3cret"), "{}", said.stderr);
    }
}
