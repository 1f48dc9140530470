//! Tables of a real PostgreSQL server, which is started here where one is installed.

mod server;

pub use server::{PASSWORD, Server, cut_after};

use crate::support::{ERROR, Loop, NO, YES};
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const CHURN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tables/churn.csv");

/// A loop whose user has the password.
pub fn of_ann() -> Loop {
    let mut l = Loop::new();
    l.set("PGPASSWORD", PASSWORD);
    l
}

/// Nothing that the loop wrote holds the password.
#[track_caller]
pub fn holds_no_secret(l: &Loop) {
    for (path, bytes) in l.files() {
        let found = bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
        assert!(!found, "{} holds the password", path.display());
    }
}

/// Fills the table `churn` from the fixture.
fn churn(server: &Server) {
    server.sql(
        "CREATE TABLE churn (customer text PRIMARY KEY, contract text, months int, internet text, paperless text, \
         monthly_charge float8, total_charge float8, support_calls int, churn text)",
    );
    server.sql(&format!("\\copy churn FROM '{CHURN}' CSV HEADER"));
}

#[test]
fn a_loop_lives_on_a_database() {
    let Some(server) = Server::start() else { return };
    churn(&server);
    let l = of_ann();
    let url = server.url("/churn");
    l.run(&format!("init {url}")).answers(YES).says("to data/churn.csv");
    let source: serde_json::Value = serde_json::from_str(&l.read("data/SOURCE.json")).unwrap();
    assert_eq!(source["source"], url.as_str());
    l.run("train --set model.n_estimators=20").answers(YES);
    // What is scored from the database is what is scored from a file.
    let from_file = l.run(&format!("predict {CHURN} --columns customer,score")).answers(YES).stdout;
    let from_table = l.run(&format!("predict {url} --columns customer,score")).answers(YES).stdout;
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&from_file), sorted(&from_table));
    // The configured table, a query that holds a secret, and both kinds of reports.
    l.run(&format!("monitor --set monitor.current={url} --text")).answers(NO).prints(&url);
    let query = server.url("?query=select *, $$sql-secret$$ AS s from churn where months > 30");
    let said = l.run_with("monitor --multivariate --current", &[]);
    assert_eq!(said.status(), ERROR);
    let said = l.run(&format!("monitor '{query}' --multivariate --text")).answers(YES).prints("?query=sha256:");
    assert!(!said.stdout.contains("sql-secret"), "{}", said.stdout);
    for (path, bytes) in l.files() {
        assert!(!String::from_utf8_lossy(&bytes).contains("sql-secret"), "{}", path.display());
    }
    // A test table, candidates to label, and a download that brings nothing new.
    l.run(&format!("train --test {url} --set model.n_estimators=20")).answers(YES);
    l.run(&format!("label-export -n 20 --table {url}")).answers(YES).json("/source", url.as_str());
    l.run(&format!("download {url}")).answers(NO);
    server.sql("UPDATE churn SET months = months + 1 WHERE customer = (SELECT min(customer) FROM churn)");
    l.run(&format!("download {url}")).answers(ERROR).says("data/churn.csv");
    l.run(&format!("download {url} --force")).answers(YES);
    // What versions learned from must stay.
    l.run(&format!("train --set data.reference={url}")).answers(ERROR).says("[data] reference must be a file");
    holds_no_secret(&l);
}

#[test]
fn cells_mean_what_they_mean_in_the_database() {
    let Some(server) = Server::start() else { return };
    server.sql(
        "CREATE SCHEMA \"my shop\"; CREATE TABLE \"my shop\".\"T.\"\"ä\" (\
         \"id\" int PRIMARY KEY, \"a,\"\"b\" float8, \"select\" text, \"at\" timestamptz, \"day\" date, ok bool); \
         INSERT INTO \"my shop\".\"T.\"\"ä\" VALUES \
         (2, 0.1, '', '2024-03-01 12:00:00+02', '2024-03-01', true), \
         (1, 'NaN', E'x,\"y\"\\nz', NULL, NULL, false), (3, NULL, NULL, '1999-12-31 23:59:59.5+00', '1999-12-31', NULL), \
         (4, 1e300, E'\\\\.', '2024-03-02 00:00:00+00', '2024-03-02', true)",
    );
    // Whatever the database is set to.
    server.sql("ALTER DATABASE shop SET datestyle TO 'SQL, DMY'; ALTER DATABASE shop SET timezone TO 'Asia/Tokyo'");
    let l = of_ann();
    let url = server.url("/my%20shop.T%2E%22%C3%A4");
    let profile = l.run(&format!("profile {url}")).answers(YES).value();
    assert_eq!(profile["n_rows"], 4, "{profile:#}");
    let names: Vec<&str> = profile["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["id", "a,\"b", "select", "at", "day", "ok"]);
    let n_missing = |n: usize| profile["columns"][n]["n_missing"].as_u64();
    assert_eq!((1..6).map(n_missing).collect::<Vec<_>>(), [2, 2, 1, 1, 1].map(Some), "{profile:#}");
    // The bytes, and their order: that of the primary key.
    l.run(&format!("download {url}")).answers(YES);
    assert_eq!(
        l.read("data/T__ä.csv"),
        "id,\"a,\"\"b\",select,at,day,ok\n1,NaN,\"x,\"\"y\"\"\nz\",,,f\n2,0.1,\"\",2024-03-01 10:00:00+00,2024-03-01,t\n\
         3,,,1999-12-31 23:59:59.5+00,1999-12-31,\n4,1e+300,\\.,2024-03-02 00:00:00+00,2024-03-02,t\n"
    );
}

#[test]
fn what_goes_wrong_is_one_line_without_secrets() {
    let Some(server) = Server::start() else { return };
    churn(&server);
    server.sql("CREATE TABLE big AS SELECT n, repeat('x', 200) AS t FROM generate_series(1, 20000) n");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|at| (at.port(), silent)).unwrap();
    let l = of_ann();
    let fails = |url: &str, what: &str| {
        let said = l.run(&format!("profile '{url}'")).answers(ERROR).says(what);
        assert_eq!(said.stderr.trim_end().lines().count(), 1, "{}", said.stderr);
        assert!(!said.stderr.contains(PASSWORD), "{}", said.stderr);
    };
    fails(&server.url_at(free, "/churn"), "Connection refused");
    fails(&server.url_at(silent.0, "/churn?connect_timeout=1"), "within 1 s");
    fails(&server.url("/chrun"), "relation \"chrun\" does not exist");
    fails(&server.url("/chrun"), "\"churn\"");
    fails(&server.url("/churn").replace("/shop", "/shoop"), "database \"shoop\" does not exist");
    fails(&server.url("?query=select nothing from churn"), "column \"nothing\" does not exist");
    fails(&server.url("?query=select 1) TO PROGRAM ''true'' --"), "syntax error");
    fails(&server.url("?query=select 1; select 2"), "multiple commands");
    fails(&server.url("?query=delete from churn returning *"), "read-only transaction");
    fails(&server.url("?query=vacuum churn"), "no columns");
    fails(&server.url("?query=select 1/(n-9000) from big"), "division by zero");
    fails(&server.url("?timeout=1&query=select pg_sleep(30)"), "no response for 1 s");
    fails(&server.url_at(cut_after(300_000, server.port), "/big"), "the connection was lost");
    fails(&server.url("/churn?sslmode=require"), "TLS");
    // The wrong password, none, and one where it must not be.
    let churn = server.url("/churn");
    let said = l.run_with(&format!("profile {churn}"), &[("PGPASSWORD", "wr0ng")]).answers(ERROR).says("PGPASSWORD");
    assert!(!said.stderr.contains("wr0ng"), "{}", said.stderr);
    let none = [("PGPASSWORD", ""), ("HOME", "/nowhere")];
    l.run_with(&format!("profile {churn}"), &none).answers(ERROR).says("~/.pgpass");
    let inside = churn.replace("ann@", &format!("ann:{PASSWORD}@"));
    for verb in ["profile", "init", "download", "predict", "monitor", "label-export --table", "train -o", "split"] {
        let said = l.run(&format!("{verb} {inside}"));
        assert_eq!(said.status(), ERROR, "{verb}: {}", said.stderr);
        assert!(!said.stderr.contains(PASSWORD), "{verb}: {}", said.stderr);
    }
    assert_eq!(server.sql("SELECT count(*) FROM churn"), "1200");
    holds_no_secret(&l);
}

/// A loop with a version that scores rows of `id,x`.
pub fn scoring() -> Loop {
    let mut text = "id,x,y\n".to_owned();
    for n in 0..400 {
        text += &format!("k{n},{},{}\n", n % 20, if n % 20 > 9 { "yes" } else { "no" });
    }
    let l = of_ann().table("t.csv", text);
    l.run("init t.csv --target y --positive yes --kind id=id").answers(YES);
    l.run("train --set model.n_estimators=10").answers(YES);
    l
}

#[test]
fn scored_rows_are_written_once_however_often_they_come() {
    let Some(server) = Server::start() else { return };
    let l = scoring();
    let to = |table: &str| format!("predict - --columns id,x,prediction,score -o {}", server.url(&format!("/{table}")));
    let rows = "id,x\n\"a,\"\"b\",1\n\\.,15\nc,\n";
    l.pipe(&to("scores"), rows).answers(YES).says("wrote 3 rows to postgres://").says("a new table");
    let all = "SELECT id, x, prediction FROM scores ORDER BY x NULLS FIRST";
    let written = server.sql(all);
    assert_eq!(written.lines().skip(1).collect::<Vec<_>>(), ["a,\"b|1|no", "\\.|15|yes"]);
    assert!(written.starts_with("c||"), "{written}");
    l.pipe(&to("scores"), rows).answers(YES);
    assert_eq!(server.sql(all), written, "the same again");
    // The last of several counts, and one that is there is replaced.
    l.pipe(&to("scores"), "id,x\nd,1\nc,3\nd,16\n").answers(YES).says("1 replaced by a later row with the same id");
    assert_eq!(server.sql("SELECT id, x FROM scores WHERE id IN ('c', 'd') ORDER BY id"), "c|3\nd|16");
    // A row that is wrong leaves nothing of those before it.
    let many: String = (0..5000).map(|n| format!("m{n},{}\n", n % 20)).collect();
    l.pipe(&to("scores"), format!("id,x\n{many}bad,zzz\n")).answers(ERROR);
    l.pipe(&to("scores"), "id,x\nz,1\n,2\n").answers(ERROR).says("1 rows have no \"id\"");
    assert_eq!(server.sql("SELECT count(*) FROM scores"), "4");
    // Types of a table that is there are its own.
    server
        .sql("CREATE TABLE typed (id text UNIQUE, x int, prediction text, score numeric(4, 2), note text DEFAULT 'n')");
    l.pipe(&to("typed"), rows).answers(YES);
    assert_eq!(server.sql("SELECT x, note FROM typed WHERE x = 15"), "15|n");
    server.sql("CREATE TABLE loose (id text, x float8, prediction text, score float8)");
    l.pipe(&to("loose"), rows).answers(ERROR).says("CREATE UNIQUE INDEX ON \"loose\" (\"id\")");
    server.sql("CREATE TABLE narrow (id text PRIMARY KEY, x float8)");
    l.pipe(&to("narrow"), rows).answers(ERROR).says("has no column \"prediction\", \"score\"");
    server.sql("CREATE TABLE wrong (id int PRIMARY KEY, x float8, prediction text, score float8)");
    l.pipe(&to("wrong"), rows).answers(ERROR).says("invalid input syntax for type integer");
    // Another who holds the table.
    let mut holder = server.holds("scores");
    l.pipe(&to("scores?timeout=1"), rows).answers(ERROR).says("no response for 1 s");
    holder.kill().unwrap();
    holder.wait().unwrap();
    for verb in ["status --json", "monitor t.csv --reference t.csv"] {
        l.run(&format!("{verb} -o {}", server.url("/scores"))).answers(ERROR).says("only predict writes");
    }
    holds_no_secret(&l);
}

#[test]
fn a_run_that_is_killed_has_written_nothing() {
    let Some(server) = Server::start() else { return };
    let l = scoring();
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_mlloop"))
            .args(["predict", "-", "-o", &server.url("/scores")])
            .current_dir(l.path(""))
            .env("PGPASSWORD", PASSWORD)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let header = "id,x,y\n";
    let many = |from: usize| -> String { (from..from + 100_000).map(|n| format!("m{n},{},\n", n % 20)).collect() };
    let mut killed = start();
    let stdin = killed.stdin.as_mut().unwrap();
    stdin.write_all(header.as_bytes()).unwrap();
    // The first piece of rows has been sent when the database copies: the table is made, and nobody else sees it.
    let copying = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'mlloop%' AND query LIKE 'COPY%'";
    let end = Instant::now() + Duration::from_secs(60);
    for from in (0..).step_by(100_000) {
        stdin.write_all(many(from).as_bytes()).unwrap();
        if server.sql(copying) != "0" {
            break;
        }
        assert!(Instant::now() < end, "nothing is copied after {from} rows");
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'mlloop%'";
    while server.sql(connected) != "0" && Instant::now() < end {
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.sql("SELECT to_regclass('scores') IS NULL"), "t");
    // And again, to its end.
    let mut whole = start();
    let mut stdin = whole.stdin.take().unwrap();
    stdin.write_all(header.as_bytes()).unwrap();
    stdin.write_all(many(0).as_bytes()).unwrap();
    drop(stdin);
    assert!(whole.wait().unwrap().success());
    assert_eq!(server.sql("SELECT count(*), count(DISTINCT id) FROM scores"), "100000|100000");
}
