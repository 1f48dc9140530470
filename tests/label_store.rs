//! `[labels] store`: labels and feedback of several machines in a table of a real PostgreSQL server.

use crate::postgres::{PASSWORD, Server, cut_after, holds_no_secret, scoring};
use crate::support::{ERROR, Loop, NO, YES};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

/// A loop with a store, and predictions of the rows `a` (no), `b` (yes) and `c` (no).
fn with_store(server: &Server) -> Loop {
    let l = scoring();
    l.pipe("predict - --log", "id,x\na,1\nb,15\nc,3\n").answers(YES);
    stores_at(&l, &server.url("/said"));
    l
}

/// Names another store in `mlloop.toml`.
fn stores_at(l: &Loop, url: &str) {
    let config = l.read("mlloop.toml");
    let before = config.split("\n[labels]").next().unwrap();
    l.write("mlloop.toml", format!("{before}\n[labels]\nstore = \"{url}\"\n"));
}

fn lines(l: &Loop, file: &str) -> Vec<String> {
    l.read(file).lines().skip(1).map(str::to_owned).collect()
}

/// Everything of a loop but what reading it may write.
fn kept(l: &Loop) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = l.files();
    files.retain(|(path, _)| !path.ends_with(".mlloop.lock") && !path.ends_with("runs/runs.jsonl"));
    files
}

#[test]
fn what_is_said_on_one_machine_is_known_on_the_other() {
    let Some(server) = Server::start() else { return };
    let l = with_store(&server);
    let other = l.copy();
    l.run("feedback a correct --by ann").answers(YES).json("/n_new", 1);
    assert_eq!(server.sql("SELECT number, line FROM said").matches("1|{\"feedback\":\"a,correct,no,ann,").count(), 1);
    // Whoever only reads is up to date too, and what was taken in is recorded.
    assert_eq!(other.run("feedback list").answers(YES).value()[0]["label"], "no");
    assert_eq!(other.read("audit.jsonl").matches("\"event\":\"feedback\"").count(), 1);
    assert_eq!(lines(&other, "data/labels.csv"), lines(&l, "data/labels.csv"));
    // The other machine changes it; the first one, asked for the same, knows it already, also under another spelling.
    other.run("feedback a incorrect --actual yes --by ann").answers(YES);
    l.run("feedback a incorrect --actual yes --by 'ANN '").answers(NO).json("/n_unchanged", 1);
    assert!(lines(&l, "data/labels.csv")[0].starts_with("a,yes,ann,"), "{}", l.read("data/labels.csv"));
    // Outcomes, and answers to a batch, of which the other machine keeps how they were chosen.
    l.pipe("predict - --log --outcomes", "id,x,y\nd,1,yes\n").answers(YES).says("1 outcomes as labels, 1 of them new");
    l.write("rows.csv", "id,x\nm,1\nn,15\no,12\n");
    l.run("label-export -n 2 --table rows.csv").answers(YES);
    let asked: Vec<String> =
        lines(&l, "label_inbox/to_label.csv").iter().map(|line| line.split(',').next().unwrap().to_owned()).collect();
    l.write("back.csv", format!("id,y\n{},yes\n{},no\n", asked[0], asked[1]));
    l.run("label-import back.csv --annotator bob --accept-batch").answers(YES).json("/counts/added", 2);
    l.run("label-import back.csv --annotator bob --accept-batch").answers(NO);
    other.run("monitor rows.csv");
    let labels = lines(&l, "data/labels.csv");
    assert_eq!((labels.len(), &labels), (4, &lines(&other, "data/labels.csv")));
    assert_eq!(l.read("data/feedback.csv"), other.read("data/feedback.csv"));
    assert!(other.read("audit.jsonl").contains("\"labels-received\""));
    // Once more, without the mark and with that of a loop that knows more: nothing is there twice, nothing is missing.
    for mark in [None, Some(l.read("runs/store.json"))] {
        let (chain, late) = (other.read("audit.jsonl"), scoring());
        match mark {
            None => std::fs::remove_file(other.path("runs/store.json")).unwrap(),
            Some(mark) => late.write("runs/store.json", mark),
        }
        other.run("feedback list").answers(YES);
        assert_eq!(other.read("audit.jsonl"), chain);
        stores_at(&late, &server.url("/said"));
        late.run("feedback list").answers(YES);
        assert_eq!(lines(&late, "data/labels.csv").len(), 4);
    }
    for l in [&l, &other] {
        l.run("audit verify --deep").answers(YES);
        holds_no_secret(l);
    }
    assert_eq!(server.sql("SELECT count(*), count(DISTINCT sha256) FROM said"), "5|5", "nothing was sent twice");
}

#[test]
fn a_death_between_commit_and_answer_loses_nothing_and_doubles_nothing() {
    let Some(server) = Server::start() else { return };
    let l = with_store(&server);
    let table = "SELECT count(*) FROM said";
    let check = |l: &Loop, verb: &str, n: usize| {
        let again = l.run(verb);
        assert!([YES, NO].contains(&again.status), "{}", again.stderr);
        assert_eq!(lines(l, "data/labels.csv").len(), n);
        l.run("audit verify --deep").answers(YES);
        l.run(verb).answers(NO);
    };
    let say = "feedback a correct --by ann";
    let n = l.dies_everywhere(say, "", |l| {
        check(l, say, 1);
        assert_eq!((server.sql(table).as_str(), lines(l, "data/feedback.csv").len()), ("1", 1));
        server.sql("DELETE FROM said");
    });
    assert!(n >= 6, "{n}");
    server.sql("DELETE FROM said");
    l.write("rows.csv", "id,x\nm,1\nn,15\n");
    l.run("label-export -n 2 --table rows.csv").answers(YES);
    l.write("back.csv", "id,y\nm,yes\nn,no\n");
    let import = "label-import back.csv --annotator bob --accept-batch";
    l.dies_everywhere(import, "", |l| {
        check(l, import, 2);
        assert_eq!(server.sql(table), "2");
        assert!(!l.path("label_inbox/to_label.csv").exists(), "the batch is put away");
        assert_eq!(l.read("audit.jsonl").matches("\"labels-imported\"").count(), 1);
        server.sql("DELETE FROM said");
    });
}

#[test]
fn two_that_write_at_once_end_with_the_same() {
    let Some(server) = Server::start() else { return };
    let l = with_store(&server);
    let other = l.copy();
    let say = |l: &Loop, people: &str| {
        for (n, verdict) in ["correct", "uncertain", "correct", "uncertain"].iter().enumerate() {
            for row in ["a", "b"] {
                // Both speak as the same person as well: the last commit counts on either machine.
                let by = if n % 2 == 0 { "both" } else { people };
                l.run(&format!("feedback {row} {verdict} --by {by}{}", n / 2)).answered();
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| say(&l, "ann"));
        scope.spawn(|| say(&other, "bob"));
    });
    for l in [&l, &other] {
        l.run("feedback list").answers(YES);
        l.run("audit verify --deep").answers(YES);
    }
    assert_eq!(l.read("data/feedback.csv"), other.read("data/feedback.csv"));
    let mut both = [lines(&l, "data/labels.csv"), lines(&other, "data/labels.csv")];
    both.iter_mut().for_each(|labels| labels.sort());
    assert_eq!(both[0], both[1]);
    // What both said at once is in the table twice, and counts once.
    let n = lines(&l, "data/feedback.csv").len();
    assert!((12..=server.sql("SELECT count(*) FROM said").parse().unwrap()).contains(&n), "{n}");
}

#[test]
fn a_store_that_fails_is_one_line_and_changes_nothing() {
    let Some(server) = Server::start() else { return };
    let l = with_store(&server);
    l.run("feedback a correct --by ann").answers(YES);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let said = server.url("/said");
    let fails = |verb: &str, url: &str, what: &str| {
        stores_at(&l, url);
        let before = kept(&l);
        let told = l.run(verb).answers(ERROR).says(what);
        assert_eq!(told.stderr.trim_end().lines().count(), 1, "{}", told.stderr);
        assert!(!told.stderr.contains(PASSWORD), "{}", told.stderr);
        assert!(kept(&l) == before, "{verb} with {url} changed something");
    };
    for verb in ["feedback b correct --by ann", "retrain", "monitor t.csv", "label-export -n 2 --table t.csv", "run"] {
        fails(verb, &server.url_at(free, "/said"), "Connection refused");
    }
    let say = "feedback b correct --by ann";
    fails(say, &server.url_at(silent_port, "/said?connect_timeout=1"), "within 1 s");
    fails(say, &said.replace("/shop", "/shoop"), "database \"shoop\" does not exist");
    fails(say, &server.url("?query=select 1"), "name a table");
    fails(say, "said.csv", "[labels] store: is not a database address");
    fails(say, "s3://shop/said", "[labels] store: is not a database address");
    fails(say, &said.replace("ann@", &format!("ann:{PASSWORD}@")), "PGPASSWORD");
    stores_at(&l, &said);
    l.run_with(say, &[("PGPASSWORD", "wr0ng")]).answers(ERROR).says("PGPASSWORD");
    let set = format!("--set labels.store={} {say}", said.replace("ann@", &format!("ann:{PASSWORD}@")));
    assert!(!l.run(&set).answers(ERROR).stderr.contains(PASSWORD));
    // What reads only goes on with what is here, and says so; what does not go by labels is not stopped.
    stores_at(&l, &server.url_at(free, "/said"));
    l.run("feedback list").answers(YES).says("note: new feedback in the store is not counted");
    l.run("train --set model.n_estimators=5").answers(YES).says("note: ");
    // Another who holds the table.
    let mut holder = server.holds("said");
    fails(say, &format!("{said}?timeout=1"), "no response for 1 s");
    holder.kill().unwrap();
    holder.wait().unwrap();
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'");
    // The schema changes under us, a line does, the table no longer exists.
    server.sql("ALTER TABLE said RENAME line TO text");
    fails(say, &said, "column \"line\" does not exist");
    server.sql("ALTER TABLE said RENAME text TO line; ALTER TABLE said DROP CONSTRAINT said_sha256_key");
    fails(say, &said, "ON CONFLICT");
    server.sql("ALTER TABLE said ADD UNIQUE (sha256); INSERT INTO said (sha256, line) VALUES ('x', '{}')");
    fails(say, &said, "number 2: the line was changed");
    server.sql("UPDATE said SET line = 'x', sha256 = encode(sha256('x'), 'hex') WHERE number = 2");
    fails(say, &said, "number 2: was not written by mlloop");
    server.sql("DELETE FROM said WHERE number = 2");
    l.run(say).answers(YES);
    server.sql("ALTER TABLE said RENAME TO gone");
    fails("feedback c correct --by ann", &said, "the table no longer exists");
    server.sql("ALTER TABLE gone RENAME TO said");
    assert_eq!(server.sql("SELECT count(*) FROM said"), "2");
    holds_no_secret(&l);
}

#[test]
fn half_an_answer_is_an_error_and_the_same_again_completes_it() {
    let Some(server) = Server::start() else { return };
    let l = with_store(&server);
    l.run("feedback a correct --by ann").answers(YES);
    let (mut n_failed, mut n_unknown) = (0, 0);
    // Each connection is cut after so many bytes of the server's, up to where the command has all it needs.
    for bytes in (150..).step_by(35) {
        let work = l.copy();
        stores_at(&work, &server.url_at(cut_after(bytes, server.port), "/said"));
        let told = work.run("feedback b correct --by ann");
        let is_there = server.sql("SELECT count(*) FROM said") == "2";
        stores_at(&work, &server.url("/said"));
        if told.status == YES {
            assert!(is_there);
            break;
        }
        assert_eq!((told.status, told.stderr.trim_end().lines().count()), (ERROR, 1), "{}", told.stderr);
        n_failed += 1;
        n_unknown += usize::from(is_there);
        // What may be there is said, and what is surely not there is not doubted.
        assert!(
            !is_there || told.stderr.contains("it is unknown") || told.stderr.contains("contains the 1 corrections")
        );
        work.run("feedback b correct --by ann").answers(if is_there { NO } else { YES });
        assert_eq!((lines(&work, "data/feedback.csv").len(), server.sql("SELECT count(*) FROM said")), (2, "2".into()));
        work.run("audit verify --deep").answers(YES);
        server.sql("DELETE FROM said WHERE line LIKE '%\"b,%'");
    }
    assert!(n_failed > 5 && n_unknown > 0, "{n_failed} failed, of which {n_unknown} were committed");
}
