//! The pages of `serve`, over HTTP as a browser speaks it.

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
fn answers_on_the_page_are_those_of_the_table() {
    let (work, server) = served("--no-log");
    work.run("label-export -n 50 --force").answers(YES);
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    let by_table = work.copy();
    let mut filled = String::new();
    for (n, line) in work.read("label_inbox/to_label.csv").lines().enumerate() {
        let line = if n == 0 { line.to_owned() } else { fill(line, if n.is_multiple_of(3) { "yes" } else { "no" }) };
        filled.push_str(&line);
        filled.push('\n');
    }
    for n in 1..=50_usize {
        let page = ann.get("/ui/label");
        let (id, at) = (hidden(&page, "id"), hidden(&page, "at"));
        assert_eq!(at, (n - 1).to_string());
        let answer = if n.is_multiple_of(3) { "yes" } else { "no" };
        let next = ann.send("/ui/do/answer", &format!("id={id}&at={at}&answer={answer}"));
        assert_eq!(next.status, 303, "{}", next.body);
    }
    assert!(ann.get("/ui/label").contains("50 of 50 done"));
    let page = std::fs::read_dir(work.path("label_inbox")).unwrap().map(|entry| entry.unwrap().path());
    let mut page = page.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("page-"));
    let page = page.next().unwrap();
    assert_eq!(std::fs::read_to_string(&page).unwrap(), filled, "the file is what a spreadsheet would have made of it");
    assert!(ann.follow("/ui/do/import", "").contains("50 labels are new"));
    by_table.write("label_inbox/to_label_labeled.csv", filled);
    by_table.run("label-import --by ann").answers(YES);
    let labels = |work: &Loop| {
        let text = work.read("data/labels.csv");
        let without_time: Vec<String> = text.lines().map(without_times).collect();
        without_time
    };
    assert_eq!(labels(&work), labels(&by_table));
}

/// Answers rows of the batch as one finds them.
fn answer(person: &Person, n: usize) {
    for n in 0..n {
        let page = person.get("/ui/label");
        let (id, at) = (hidden(&page, "id"), hidden(&page, "at"));
        let answer = if n.is_multiple_of(3) { "yes" } else { "no" };
        assert_eq!(person.send("/ui/do/answer", &format!("id={id}&at={at}&answer={answer}")).status, 303);
    }
}

#[test]
fn a_batch_stays_out_until_everybody_who_is_asked_has_answered() {
    let (work, server) = served("--no-log");
    work.run("label-export -n 20 --annotators ann,bea --overlap .5 --force").answers(YES);
    let [ann, bea] = ["ann", "bea"].map(|name| sign_in(&server, name, TOKEN).unwrap_or_else(|_| panic!("{name}")));
    answer(&ann, 15);
    assert!(ann.get("/ui/label").contains("Every row is done"));
    assert!(ann.follow("/ui/do/import", "").contains("15 labels are new"));
    let page = ann.get("/ui/label");
    assert!(page.contains("waits for you") && page.contains("<bdi>bea</bdi></th><td class=\"n\">15</td>"), "{page}");
    answer(&bea, 14);
    // Somebody else takes in what she has so far; the last row still waits for her.
    assert!(bea.get("/ui/label").contains("14 of 15 done"));
    assert!(ann.follow("/ui/do/import", "of=bea").contains("14 labels are new"));
    assert!(bea.get("/ui/label").contains("0 of 1 done"));
    answer(&bea, 1);
    assert!(bea.follow("/ui/do/import", "").contains("agreement on 10 rows: α 1.00"));
    assert!(bea.get("/ui/label").contains("There is no open batch"));
    let labels = work.read("data/labels.csv");
    assert_eq!([",ann,", ",bea,"].map(|who| labels.matches(who).count()), [15, 15]);
    work.run("audit verify --deep").answers(YES);
}

#[test]
fn nobodys_answers_are_lost_when_others_take_theirs_in() {
    let (work, server) = served("--no-log");
    work.run("label-export -n 6 --force").answers(YES);
    let [ann, bea] = ["ann", "bea"].map(|name| sign_in(&server, name, TOKEN).unwrap_or_else(|_| panic!("{name}")));
    let page = ann.get("/ui/label");
    // Enter in the note sends the first button of the form: it keeps the note and answers nothing.
    let first = page.split("id=\"answer\"").nth(1).unwrap().split("<button").nth(1).unwrap();
    assert!(first.contains("name=\"what\" value=\"note\""), "{first}");
    let (id, at) = (hidden(&page, "id"), hidden(&page, "at"));
    ann.send("/ui/do/answer", &format!("id={id}&at={at}&what=note&note=far"));
    let page = ann.get("/ui/label");
    assert!(page.contains("0 of 6 done") && page.contains("value=\"far\""), "{page}");
    let refused = ann.send("/ui/do/answer", &format!("id={id}&at={at}&note=near"));
    assert!(refused.status == 400 && refused.body.contains("value=\"near\""), "{}", refused.body);
    answer(&ann, 2);
    // Skipped, seen again, and back along the way that one came.
    let skipped = location(&ann.send("/ui/do/answer", &format!("id={id}&at=2&what=skip&trail=0.1")));
    assert_eq!(skipped, "/ui/label?at=3&trail=0.1.2");
    assert!(ann.get(&skipped).contains("href=\"/ui/label?at=2&#38;trail=0.1\""));
    answer(&bea, 6);
    assert!(bea.follow("/ui/do/import", "").contains("6 labels are new"));
    assert!(ann.get("/ui/label").contains("2 of 2 done"), "what she answered is still hers to take in");
    let closed = ann.follow("/ui/do/close", &format!("batch={}", batch_of(&work)));
    assert!(closed.contains("2 answers of ann"), "{closed}");
    assert!(ann.follow("/ui/do/import", "").contains("2 labels are new"));
    assert!(ann.get("/ui/label").contains("There is no open batch"));
    // A batch of which few rows are answered.
    work.run("label-export -n 5 --force").answers(YES);
    answer(&ann, 1);
    assert!(ann.follow("/ui/do/import", "").contains("1 labels are new"));
    assert!(ann.get("/ui/label").contains("0 of 4 done"));
    assert!(ann.follow("/ui/do/close", &format!("batch={}", batch_of(&work))).contains("4 rows without an answer"));
    assert!(ann.get("/ui/label").contains("There is no open batch"));
    let told = ann.get("/ui/audit");
    assert!(told.contains("was closed; 4 rows without an answer"), "{told}");
    work.run("audit verify --deep").answers(YES);
}

/// The batch that is out.
fn batch_of(work: &Loop) -> String {
    let dir = std::fs::read_dir(work.path("label_inbox/batches")).unwrap();
    dir.map(|entry| entry.unwrap().file_name().into_string().unwrap()).find(|name| name.starts_with('b')).unwrap()
}

/// The line with this answer of ann's; the target, the annotator and the note are its last cells.
fn fill(line: &str, answer: &str) -> String {
    format!("{},{answer},ann,", line.strip_suffix(",,,").unwrap())
}

/// A line without what is written as a time.
fn without_times(line: &str) -> String {
    line.split(',').filter(|cell| !(cell.contains('T') && cell.ends_with('Z'))).collect::<Vec<_>>().join(",")
}

#[test]
fn a_prediction_is_corrected_and_explained() {
    let (work, server) = served("--no-log");
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    let list = ann.get("/ui/feedback");
    let id = hidden(&list, "id");
    let why = ann.get(&format!("/ui/row?id={id}"));
    assert!(why.contains("Contributions to the score"), "{why}");
    let page =
        ann.follow("/ui/do/feedback", &format!("id={id}&verdict=incorrect&actual=yes&comment=moved%2C+%22far%22"));
    assert!(page.contains("incorrect, ann"), "{page}");
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let within = |query: &str| ann.get(&format!("/ui/feedback?{query}")).contains("No prediction matches");
    assert!(
        within("until=2020-01-01") && within("since=2090-01-01") && !within(&format!("until={today}&since=2020-01-01"))
    );
    assert!(ann.get("/ui/audit").contains("feedback on 1 prediction"));
    assert!(work.read("data/feedback.csv").contains("\"moved, \"\"far\"\"\""));
    // What cannot be used comes back as the form with what was typed; what is typed is no option.
    let said = work.read("data/feedback.csv");
    let option = ann.send("/ui/do/feedback", "id=--version&verdict=correct");
    assert_eq!((option.status, work.read("data/feedback.csv")), (404, said.clone()), "{}", option.body);
    for verdict in ["verdict=incorrect", "verdict="] {
        let back = ann.send("/ui/do/feedback", &format!("id={id}&{verdict}&comment=a+%3Cword%3E"));
        assert_eq!(back.status, 400, "{}", back.body);
        assert!(
            back.body.contains("value=\"a &#60;word&#62;\"") && back.body.contains("role=\"alert\""),
            "{}",
            back.body
        );
    }
    assert_eq!(work.read("data/feedback.csv"), said);
    // One comes back to the rows that one was at, and to no other server.
    let good = |back: &str| location(&ann.send("/ui/do/feedback", &format!("id={id}&verdict=uncertain&back={back}")));
    assert!(good("%2Fui%2Ffeedback%3Fq%3Da%2526b%26from%3D50").starts_with("/ui/feedback?q=a%26b&from=50&job="));
    assert!(good("https%3A%2F%2Felsewhere.example%2F").starts_with("/ui/feedback?job="));
    let highest = ann.get("/ui/feedback?sort=score");
    let list = highest.split("aria-label=\"Predictions\"").nth(1).unwrap();
    let scores =
        list.split("data-label=\"Score\">").skip(1).filter_map(|cell| cell.split([' ', '<']).next()?.parse().ok());
    let scores: Vec<f64> = scores.collect();
    assert!(scores.len() == 50 && scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let next = ann.get("/ui/feedback?sort=score&from=50");
    assert!(
        next.contains("rows 51 to 100") && next.contains("href=\"/ui/feedback?sort=score&#38;from=100\""),
        "{next}"
    );
    assert!(ann.get("/ui/feedback?q=nothing+has+this").contains("No prediction matches"));
    assert_eq!(ann.ask("GET /ui/row?id=nobody", "", "").status, 404);
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
fn answers_that_conflict_are_settled_and_others_stay_open() {
    let (work, server) = served("--no-log");
    work.run("label-export -n 50 --force").answers(YES);
    let sheet: Vec<String> = work.read("label_inbox/to_label.csv").lines().map(str::to_owned).collect();
    let said = |person: &str, answer: &dyn Fn(usize) -> &'static str| -> String {
        let rows = sheet
            .iter()
            .skip(1)
            .enumerate()
            .map(|(n, line)| format!("{},{},{person},", line.strip_suffix(",,,").unwrap(), answer(n)));
        std::iter::once(sheet[0].clone()).chain(rows).map(|line| line + "\n").collect()
    };
    let of_ann = |n: usize| if n.is_multiple_of(3) { "yes" } else { "no" };
    // Bob differs in three rows.
    let of_bob = |n: usize| if n.is_multiple_of(3) && n >= 9 { "yes" } else { "no" };
    work.write("ann.csv", said("ann", &of_ann));
    work.write("bob.csv", said("bob", &of_bob));
    work.run("label-import ann.csv --accept-batch").answers(YES);
    let suspects = |work: &Loop| std::fs::read_to_string(work.path("label_inbox/suspects.csv")).unwrap_or_default();
    work.run("label-import bob.csv --accept-batch").answers(YES);
    let doubted = suspects(&work).lines().count();
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    assert!(ann.get("/ui").contains("answers conflict or look wrong"));
    let page = ann.get("/ui/settle");
    assert!(page.contains("ann: yes; bob: no") && page.contains("monthly_charge"), "{page}");
    let (id, batch) = (hidden(&page, "id-0"), hidden(&page, "batch-0"));
    assert_eq!(ann.send("/ui/do/settle", &format!("id-0={id}&batch-0={batch}&answer-0=")).status, 400);
    let after = ann.follow("/ui/do/settle", &format!("id-0={id}&batch-0={batch}&answer-0=yes"));
    assert!(after.contains("1 labels are new") || after.contains("1 label is new"), "{after}");
    let conflicts = work.read("label_inbox/conflicts.csv");
    assert_eq!(conflicts.lines().count(), 3, "two of three are left: {conflicts}");
    assert!(!conflicts.contains(&id));
    let left = suspects(&work);
    assert!(left.lines().count() + 1 >= doubted, "an import of one row does not forget the doubts of others: {left}");
    let decided = work.read("data/labels.csv").lines().last().unwrap().to_owned();
    assert!(decided.contains("adjudicator") && decided.contains(&id), "{decided}");
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
fn two_people_who_differ_are_both_shown() {
    let (work, server) = served("--no-log");
    let [ann, bea] = ["ann", "bea"].map(|name| sign_in(&server, name, TOKEN).unwrap_or_else(|_| panic!("{name}")));
    let page = ann.get("/ui/feedback");
    let id = hidden(&page, "id");
    let row = page.split(&format!("name=\"id\" value=\"{id}\"")).next().unwrap().rsplit("<tr").next().unwrap();
    let other = if row.contains("<bdi>no</bdi>") { "yes" } else { "no" };
    ann.follow("/ui/do/feedback", &format!("id={id}&verdict=uncertain"));
    bea.follow("/ui/do/feedback", &format!("id={id}&verdict=correct"));
    let page = ann.get(&format!("/ui/feedback?q={id}"));
    assert!(page.contains(">correct, bea; uncertain, ann</td>"), "who cannot tell differs from nobody: {page}");
    ann.follow("/ui/do/feedback", &format!("id={id}&verdict=incorrect&actual={other}"));
    for path in [format!("/ui/feedback?q={id}"), format!("/ui/row?id={id}")] {
        let page = ann.get(&path);
        assert!(page.contains("incorrect, ann; correct, bea (they differ)"), "{path}: {page}");
    }
    let page = ann.get("/ui/feedback");
    assert!(page.contains("2 became labels") && page.contains("1 prediction is judged right by some people"), "{page}");
    // It counts as the retraining counts it: a row on which people differ has no label.
    assert!(ann.get("/ui").contains("0 of 50: 0 rows have new human labels"), "{}", ann.get("/ui"));
    ann.follow("/ui/do/feedback", &format!("id={id}&verdict=correct"));
    assert!(ann.get(&format!("/ui/feedback?q={id}")).contains(">correct, ann; correct, bea</td>"));
    assert!(!ann.get("/ui/feedback").contains("judged right by some people"));
    assert!(work.read("data/feedback.csv").contains(",ann"));
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
