//! The pages of `serve`, over HTTP as a browser speaks it.

mod answers;

use crate::serve::client::Server;
use crate::support::{ERROR, Loop, NO, WAITING, YES};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");
pub const TOKEN: &str = "a-token-of-the-test";

/// An answer: status, headers in one text, body.
pub struct Page {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

/// Somebody at a browser.
pub struct Person<'a> {
    server: &'a Server,
    cookie: String,
}

impl Person<'_> {
    fn ask(&self, request: &str, headers: &str, body: &str) -> Page {
        let mut stream = TcpStream::connect(&self.server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let address = &self.server.address;
        let cookie = if self.cookie.is_empty() { String::new() } else { format!("cookie: {}\r\n", self.cookie) };
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nhost: {address}\r\n{cookie}{headers}connection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
        Page { status, headers: headers.to_lowercase(), body: body.to_owned() }
    }

    pub fn get(&self, path: &str) -> String {
        let page = self.ask(&format!("GET {path}"), "accept: text/html\r\n", "");
        assert_eq!(page.status, 200, "{path}\n{}", page.body);
        page.body
    }

    /// Sends a form with this session's proof, and gives the address to go to.
    pub fn send(&self, path: &str, fields: &str) -> Page {
        let csrf = hidden(&self.get("/ui"), "csrf");
        self.ask(&format!("POST {path}"), &self.origin(), &format!("csrf={csrf}&{fields}"))
    }

    fn origin(&self) -> String {
        format!("origin: http://{}\r\n", self.server.address)
    }

    /// Sends a form, and gives the page that follows.
    pub fn follow(&self, path: &str, fields: &str) -> String {
        let page = self.send(path, fields);
        assert_eq!(page.status, 303, "{path} {fields}\n{}", page.body);
        self.get(&location(&page))
    }

    /// Sends a form that starts a job, and gives the job's page when it has ended.
    pub fn job(&self, path: &str, fields: &str) -> String {
        let page = self.send(path, fields);
        let at = location(&page);
        let deadline = Instant::now() + Duration::from_secs(300);
        loop {
            let page = self.get(&at);
            if !page.contains("data-running=\"true\"") {
                return page;
            }
            assert!(Instant::now() < deadline, "{page}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn location(page: &Page) -> String {
    let line = page.headers.lines().find_map(|line| line.strip_prefix("location: "));
    line.unwrap_or_else(|| panic!("{} {}", page.headers, page.body)).to_owned()
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

pub fn sign_in<'a>(server: &'a Server, name: &str, token: &str) -> Result<Person<'a>, u16> {
    let mut person = Person { server, cookie: String::new() };
    let page = person.ask("POST /ui/sign-in", &person.origin(), &format!("name={name}&token={token}"));
    let cookie = page.headers.lines().find_map(|line| line.strip_prefix("set-cookie: ")).ok_or(page.status)?;
    assert!(cookie.contains("httponly") && cookie.contains("samesite=strict"), "{cookie}");
    person.cookie = cookie.split(';').next().unwrap().to_owned();
    Ok(person)
}

/// A loop with a version in production and its log, and a server whose token is known.
pub fn served(options: &str) -> (Loop, Server) {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work.run("train").answers(YES);
    work.run("predict churn.csv --log -o scored.csv").answers(YES);
    let server = Server::start_with(&work, options, &[("MLLOOP_TOKEN", TOKEN)]);
    (work, server)
}

#[test]
fn pages_are_for_browsers_and_programs_keep_theirs() {
    let (_work, server) = served("--no-log");
    let anybody = Person { server: &server, cookie: String::new() };
    let program = anybody.ask("GET /", "accept: application/json\r\n", "");
    assert!(program.body.starts_with('{'), "{}", program.body);
    assert_eq!(location(&anybody.ask("GET /", "accept: text/html,*/*\r\n", "")), "/ui");
    for path in [
        "/ui",
        "/ui/drift",
        "/ui/decide",
        "/ui/label",
        "/ui/feedback",
        "/ui/experiment",
        "/ui/models",
        "/ui/model",
        "/ui/audit",
    ] {
        let page = anybody.ask(&format!("GET {path}"), "", "");
        assert_eq!(page.status, 200, "{path}");
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
        ] {
            assert!(page.headers.contains(header), "{path} has no {header}");
        }
        assert!(
            !page.body.contains(" style=") && !page.body.contains("<script>"),
            "{path} has what the policy forbids"
        );
        assert!(!page.body.contains("name=\"csrf\""), "{path} shows a form to somebody who may not send it");
    }
    assert_eq!(anybody.ask("GET /ui/nothing", "", "").status, 404);
    assert_eq!(anybody.ask("GET /ui/confirm?do=retrain", "", "").status, 403);
}

#[test]
fn only_a_form_of_ones_own_session_does_something() {
    let (work, server) = served("--no-log");
    let before = work.read("audit.jsonl");
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    let bob = sign_in(&server, "bob", TOKEN).unwrap_or_else(|_| panic!("bob has the token"));
    let csrf = hidden(&ann.get("/ui"), "csrf");
    let form = format!("csrf={csrf}&reason=because");
    for (who, headers, body, status) in [
        (&ann, String::new(), "reason=because", 403),
        (&bob, bob.origin(), form.as_str(), 403),
        (&ann, "origin: https://elsewhere.example\r\n".to_owned(), form.as_str(), 403),
        (&Person { server: &server, cookie: "mlloop_session=00".to_owned() }, ann.origin(), form.as_str(), 401),
    ] {
        assert_eq!(who.ask("POST /ui/do/rollback", &headers, body).status, status, "{body}");
    }
    assert_eq!(work.read("audit.jsonl"), before);
    assert_eq!(sign_in(&server, "eve", "wrong").err(), Some(401));
    assert_eq!(sign_in(&server, "", TOKEN).err(), Some(400));
    let left = ann.send("/ui/sign-out", "");
    assert_eq!(location(&left), "/ui");
    assert_eq!(ann.ask("POST /ui/do/run", &ann.origin(), &form).status, 401, "the session has ended");
}

#[test]
fn roles_hold_and_a_private_server_shows_nothing() {
    let (work, server) = served("--no-log");
    drop(server);
    work.write("team.txt", "vic:viewer:2a3a\n");
    let said = work.run("serve --port 0 --users team.txt").answers(ERROR);
    assert!(said.stderr.contains("team.txt: line 1: the SHA-256"), "{}", said.stderr);
    let digest = |token: &str| mlloop::digest::sha256(token.as_bytes());
    work.write("team.txt", format!("vic:viewer:{}\nlou:labeller:{}\n", digest("view"), digest("label")));
    let server = Server::start_with(&work, "--no-log --private --users team.txt", &[]);
    let anybody = Person { server: &server, cookie: String::new() };
    let page = anybody.ask("GET /ui/models", "", "");
    assert_eq!((page.status, page.body.contains("v0001")), (401, false));
    let vic = sign_in(&server, "somebody", "view").unwrap_or_else(|_| panic!("vic has a token"));
    assert!(vic.get("/ui").contains("vic</bdi>, viewer"));
    assert_eq!(vic.send("/ui/do/monitor", "").status, 403);
    let refused = vic.ask("POST /ui/do/monitor", &vic.origin(), &format!("csrf={}", hidden(&vic.get("/ui"), "csrf")));
    assert!(
        refused.body.contains("vic has the role a viewer; this needs a labeller") && refused.body.contains("<nav"),
        "{}",
        refused.body
    );
    let lou = sign_in(&server, "", "label").unwrap_or_else(|_| panic!("lou has a token"));
    assert_eq!(lou.send("/ui/do/run", "").status, 403);
    assert!(lou.job("/ui/do/monitor", "").contains("mlloop monitor"));
}

#[test]
fn a_request_is_approved_or_rejected_by_name() {
    let (work, server) = served("--no-log");
    let toml: Vec<String> = work.read("mlloop.toml").lines().map(str::to_owned).collect();
    let manual = |line: &String| match line.starts_with("approval = ") {
        true => "approval = \"manual\"".to_owned(),
        false => line.clone(),
    };
    work.write("mlloop.toml", toml.iter().map(manual).collect::<Vec<_>>().join("\n"));
    work.run("train --seed 1").answers(YES);
    let answer = work.run("promote --allow-equivalent 'a test' --by carol").status;
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    if answer == WAITING {
        let page = ann.get("/ui/decide");
        assert!(page.contains("v0002 instead of v0001"), "{page}");
        let at = page.split("do=reject&#38;id=").nth(1).or_else(|| page.split("do=reject&amp;id=").nth(1)).unwrap();
        let id = at.split('"').next().unwrap().to_owned();
        let asked = ann.get(&format!("/ui/confirm?do=reject&id={id}"));
        assert!(asked.contains("mlloop reject"), "{asked}");
        assert_eq!(ann.send("/ui/do/reject", &format!("id={id}")).status, 400, "a reason is wanted");
        let page = ann.follow("/ui/do/reject", &format!("id={id}&reason=not+%3Cb%3Eyet%3C%2Fb%3E"));
        assert!(page.contains("Nothing waits for approval"), "{page}");
        let line = work.read("audit.jsonl").lines().last().unwrap().to_owned();
        assert!(line.contains("\"by\":\"ann\"") && line.contains("not <b>yet</b>"), "{line}");
        assert!(!ann.get("/ui/audit").contains("<b>yet"), "what people write is no markup");
    } else {
        assert_eq!(answer, NO, "the gate judges equal models");
    }
    work.run("audit verify").answers(YES);
}

#[test]
fn a_retraining_is_approved_on_the_page() {
    let work = crate::run::asking();
    let id = work.run("run").answers(WAITING).value()["request"]["id"].as_str().unwrap().to_owned();
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    let page = ann.get("/ui/decide");
    assert!(page.contains("Train a challenger") && !page.contains("instead of"), "{page}");
    let page = ann.job("/ui/do/approve", &format!("id={id}"));
    assert!(page.contains(&format!("mlloop approve --judge --by=ann -- {id}")), "{page}");
    // One job: trained, and judged at once.
    work.run("status").answers(YES).json("/production", "v0002");
    assert!(ann.get("/ui/decide").contains("Nothing waits for approval"));
}

#[test]
fn an_expired_request_cannot_be_approved() {
    let (work, server) = served("--no-log");
    drop(server);
    let toml = work.read("mlloop.toml").replace("approval = \"auto\"", "approval = \"manual\"");
    work.write("mlloop.toml", toml);
    work.run("train --seed 1").answers(YES);
    let asked = "promote --allow-equivalent 'a test' --by carol --now 2020-01-05T00:00:00Z";
    if work.run(asked).status != WAITING {
        return;
    }
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    let page = ann.get("/ui/decide");
    assert!(page.contains("It expired") && !page.contains("do=approve"), "{page}");
    let id = page.split("do=reject&amp;id=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(ann.follow("/ui/do/approve", &format!("id={id}")).contains("failed; nothing was changed"));
    assert!(!work.read("audit.jsonl").contains("\"approved\""));
}

#[test]
fn a_demo_begins_again_where_drift_is_found() {
    let work = Loop::new();
    let (_own, other) = served("--no-log");
    let nobody = sign_in(&other, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    assert_eq!(nobody.send("/ui/do/reset-demo", "").status, 403, "a loop of one's own is never reset");
    work.run("demo . --drifted").answers(YES).prints("dashboard");
    work.write("notes.txt", "mine");
    work.run("train --seed 1").answers(YES);
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    assert!(ann.get("/ui").contains("do=reset-demo"));
    let page = ann.job("/ui/do/reset-demo", "");
    assert!(page.contains("mlloop demo --reset --drifted") && page.contains("next: mlloop -C"), "{page}");
    let overview = ann.get("/ui");
    assert!(overview.contains("MEDIUM") || overview.contains("HIGH"), "{overview}");
    assert!(!work.path("models/v0002").exists() && work.read("notes.txt") == "mine");
    work.run("audit verify").answers(YES);
}

/// A text as it stood before it was put into a page, and as it stands in a form.
fn resent(text: &str) -> String {
    let marks = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    let plain = marks.iter().fold(text.to_owned(), |text, (mark, letter)| text.replace(mark, letter));
    plain.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn a_restart_signs_nobody_out_and_loses_nothing_that_was_typed() {
    use std::os::unix::fs::PermissionsExt;
    let (work, server) = served("--no-log");
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    let (id, csrf) = (hidden(&ann.get("/ui/feedback"), "id"), hidden(&ann.get("/ui"), "csrf"));
    let cookie = ann.cookie.clone();
    let mode = std::fs::metadata(work.path("runs/sessions.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(server);
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    let ann = Person { server: &server, cookie: cookie.clone() };
    assert!(ann.get("/ui").contains("<bdi>ann</bdi>, approver"));
    // A page that was open before still works.
    let form = format!("csrf={csrf}&id={id}&verdict=uncertain");
    assert_eq!(ann.ask("POST /ui/do/feedback", &ann.origin(), &form).status, 303);
    drop(server);
    // With another token the session has ended: what was typed comes back, and is sent by a press as any other.
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", "another")]);
    let mut ann = Person { server: &server, cookie };
    let said = work.read("data/feedback.csv");
    let send = |ann: &Person, path: &str, fields: &str| {
        let page = ann.ask(&format!("POST {path}"), &ann.origin(), &format!("csrf={csrf}&{fields}"));
        assert!(page.status == 401 && page.body.contains("Your session has ended"), "{}", page.body);
        let [path, kept] = ["kept_path", "kept"].map(|name| resent(&hidden(&page.body, name)));
        let wrong = format!("name=ann&token=no&kept_path={path}&kept={kept}");
        let refused = ann.ask("POST /ui/sign-in", &ann.origin(), &wrong);
        assert_eq!(
            (refused.status, resent(&hidden(&refused.body, "kept"))),
            (401, kept.clone()),
            "a wrong token loses nothing"
        );
        ann.ask("POST /ui/sign-in", &ann.origin(), &format!("name=ann&token=another&kept_path={path}&kept={kept}"))
    };
    let form = send(&ann, "/ui/do/feedback", &format!("id={id}&verdict=incorrect&actual=yes&comment=moved+%3Cfar%3E"));
    assert!(form.status == 200 && form.body.contains("value=\"moved &#60;far&#62;\""), "{}", form.body);
    assert!(
        form.body.contains("Nothing was sent yet") && form.body.contains("<option value=\"yes\" selected>yes"),
        "{}",
        form.body
    );
    let reason = send(&ann, "/ui/do/rollback", "reason=too+slow");
    assert!(reason.body.contains("name=\"reason\" maxlength=\"500\" value=\"too slow\""), "{}", reason.body);
    let press = send(&ann, "/ui/do/retrain", "");
    assert!(press.body.contains("Retrain, then run the gate?"), "{}", press.body);
    assert!(!work.path("models/v0002").exists() && work.read("data/feedback.csv") == said);
    // It is no way round the sign-in, nor to what is no form.
    let page = ann.ask("POST /ui/sign-out", &ann.origin(), "");
    assert!(page.status == 401 && !page.body.contains("kept_path"), "{}", page.body);
    ann.cookie = form.headers.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(ann.send("/ui/sign-out", "").status, 303);
    assert_eq!(ann.ask("POST /ui/do/retrain", &ann.origin(), &format!("csrf={csrf}")).status, 401);
}

#[test]
fn a_job_goes_on_when_the_server_dies_and_is_known_to_the_next() {
    let (work, mut server) = served("--no-log");
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    let page = ann.send("/ui/do/retrain", "");
    assert_eq!(page.status, 303);
    let second = ann.send("/ui/do/retrain", "");
    let busy = location(&second).ends_with("&busy");
    server.signal("KILL");
    server.exit();
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    let anybody = Person { server: &server, cookie: String::new() };
    let deadline = Instant::now() + Duration::from_secs(300);
    while anybody.get("/ui/job?id=1").contains("data-running=\"true\"") {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(50));
    }
    let page = anybody.get("/ui/job?id=1");
    assert!(page.contains("mlloop run --force --yes=retraining --by=ann"), "{page}");
    // It ended while nobody was there, and yet its status is known.
    let status = work.read("runs/jobs/000001.end");
    let state = match status.trim() {
        "0" => "done",
        "1" => "done: the answer is no",
        "3" => "cannot tell: too few rows or labels",
        other => panic!("{other}"),
    };
    assert!(page.contains(&format!("data-waits=\"false\">{state}</span>")), "{state} {page}");
    assert_eq!(
        work.path("runs/jobs/000002.json").exists(),
        !busy,
        "a second click starts nothing while the first runs"
    );
    work.run("audit verify").answers(YES);
}
