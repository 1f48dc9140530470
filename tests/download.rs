//! `download`: the flow of Kaggle, transfers that fail, and what is written down.

use crate::mock::{Asked, Mock, Reply, stored};
use crate::skipped::skipped;
use crate::support::{ERROR, Loop, NO, Said, YES};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

pub const CHURN: &str = include_str!("../fixtures/tables/churn.csv");
const ASK: &str = "/api/v1/datasets.DatasetApiService/DownloadDataset";

/// A zip archive of stored files: (name, bytes, Unix mode).
pub fn zip(members: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes, mode) in members {
        let (at, crc) = (out.len() as u32, crc(bytes));
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x5b]);
        common.extend(crc.to_le_bytes());
        common.extend((bytes.len() as u32).to_le_bytes());
        common.extend((bytes.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(*bytes);
        // Made by version 2.0 on Unix.
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend((mode << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, n) = (out.len() as u32, (members.len() as u16).to_le_bytes());
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([n, n].concat());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The service at `localhost` and its storage at `127.0.0.1`, as two hosts.
fn kaggle(archive: Vec<u8>) -> Mock {
    let storage = Mock::start(move |asked, _| stored(asked, &archive, "\"v1\""));
    service(move |_, _| Reply::redirect(&storage.url("127.0.0.1", "/set/churn.zip?X-Goog-Signature=s3cret")))
}

/// The service, which says what its client needs before it downloads.
fn service(download: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Mock {
    Mock::start(move |asked, n| match asked.path.as_str() {
        ASK => download(asked, n),
        path if path.ends_with("IntrospectToken") => Reply::json(200, r#"{"active":true,"username":"ada"}"#),
        path if path.ends_with("GetDatasetMetadata") => {
            Reply::json(200, r#"{"info":{"licenses":[{"name":"CC0-1.0"}]}}"#)
        }
        _ => Reply::json(404, r#"{"code":404,"message":"no such service"}"#),
    })
}

fn run(work: &Loop, mock: &Mock, line: &str, token: &str) -> Said {
    let (api, home) = (mock.url("localhost", "/api/v1"), work.path("home").display().to_string());
    work.run_with(
        line,
        &[("MLLOOP_KAGGLE_API", &api), ("HOME", &home), ("KAGGLE_API_TOKEN", token), ("KAGGLE_CONFIG_DIR", "")],
    )
}

const SET: &str = "download kaggle:ada/churn-set";

#[test]
fn a_data_set_arrives_is_unpacked_and_written_down() {
    let archive = zip(&[("churn.csv", CHURN.as_bytes(), 0o100_644), ("docs/about.txt", b"about", 0)]);
    let (mock, work) = (kaggle(archive.clone()), Loop::new());
    let said = run(&work, &mock, &format!("{SET}@3 --now 2026-11-20T00:00:00Z"), "t0ken").answers(YES);
    assert_eq!(work.read("data/churn.csv"), CHURN);
    assert_eq!(work.read("data/docs/about.txt"), "about");
    let asked = mock.asked();
    assert_eq!((asked[0].method.as_str(), asked[0].header("authorization")), ("POST", Some("Bearer t0ken")));
    assert_eq!(asked[0].body, r#"{"ownerSlug":"ada","datasetSlug":"churn-set","datasetVersionNumber":3}"#);
    let record = said.value();
    assert_eq!(record["source"], "kaggle:ada/churn-set@3");
    assert_eq!(record["sha256"], sha256(&archive));
    assert_eq!(record["etag"], "\"v1\"");
    assert_eq!(record["files"][0]["sha256"], sha256(CHURN.as_bytes()));
    assert_eq!(work.read("data/SOURCE.json"), said.stdout);
    assert!(!work.read("audit.jsonl").contains("s3cret") && !work.read("runs/runs.jsonl").contains("t0ken"));
    assert!(work.read("audit.jsonl").contains(&sha256(&archive)));
    assert!(!work.path("data/.partial").exists());
    work.run("init data/churn.csv").answers(YES);
    work.run("audit verify").answers(YES);
    // Asked again, the storage says that nothing changed.
    run(&work, &mock, &format!("{SET}@3"), "t0ken").answers(NO).says("not modified since");
}

#[test]
fn credentials_stay_with_the_host_they_are_for() {
    let storage = Mock::start(|asked, _| stored(asked, CHURN.as_bytes(), "\"v1\""));
    let elsewhere = storage.clone();
    let mock = service(move |_, _| Reply::redirect(&elsewhere.url("127.0.0.1", "/churn.csv")));
    let work = Loop::new().table("home/.kaggle/kaggle.json", r#"{"username":"ada","key":"k"}"#);
    run(&work, &mock, "download kaggle:ada/set/churn.csv", "").answers(YES).says("chmod 600");
    assert_eq!(mock.asked()[0].header("authorization"), Some("Basic YWRhOms="));
    assert_eq!(storage.asked().len(), 1);
    assert_eq!(storage.asked()[0].method, "GET");
    assert_eq!(storage.asked()[0].header("authorization"), None);
    let work = Loop::new();
    let api = [("KAGGLE_API_TOKEN", "t"), ("HOME", "/nonexistent")];
    work.run_with(&format!("{SET} --kaggle-api http://kaggle.example/v1"), &api)
        .answers(ERROR)
        .says("only sent to https addresses");
}

#[test]
fn a_key_in_the_project_is_used_only_while_nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let mock = kaggle(zip(&[("churn.csv", CHURN.as_bytes(), 0)]));
    let work = Loop::new().table("secrets/kaggle.json", r#"{"username":"ada","key":"k"}"#);
    let mode = |mode: u32| {
        let path = work.path("secrets/kaggle.json");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o644);
    run(&work, &mock, SET, "")
        .answers(ERROR)
        .says("a key in a project directory is easily published")
        .says("chmod 600");
    assert!(mock.asked().is_empty(), "nothing was sent");
    mode(0o600);
    run(&work, &mock, SET, "").answers(YES);
    assert_eq!(mock.asked()[0].header("authorization"), Some("Basic YWRhOms="));
    // init keeps it out of git, once, beside what is there.
    work.write(".gitignore", "*.tmp");
    work.run("init data/churn.csv").answers(YES);
    work.run("init data/churn.csv --force").answers(YES);
    assert_eq!(work.read(".gitignore"), "*.tmp\n/secrets/\n");
    let source = work.read("data/SOURCE.json");
    assert!(!source.contains("\"k\"") && !source.contains("YWRhOms="), "{source}");
    // Another shape is said by its file, without what stands in it.
    work.write("secrets/kaggle.json", r#"{"user":"ada","key":"SECRET"}"#);
    mode(0o600);
    let said = run(&work, &mock, &format!("{SET} --force"), "").answers(ERROR).says("secrets/kaggle.json: should be");
    assert!(!said.stderr.contains("SECRET"), "{}", said.stderr);
}

#[test]
fn a_cut_transfer_goes_on_where_it_was_cut() {
    let mock = Mock::start(|asked, n| match n {
        0 => stored(asked, CHURN.as_bytes(), "\"v1\"").cut(10_000),
        _ => stored(asked, CHURN.as_bytes(), "\"v1\""),
    });
    let work = Loop::new();
    work.run(&format!("download {}", mock.url("127.0.0.1", "/churn.csv"))).answers(YES).says("trying again");
    assert_eq!(work.read("data/churn.csv"), CHURN);
    let asked = mock.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].header("range"), Some("bytes=10000-"));
    assert_eq!(asked[1].header("if-range"), Some("\"v1\""));
}

#[test]
fn the_next_run_goes_on_and_a_changed_file_begins_anew() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let other = CHURN.replace("monthly", "quarterly");
    let newer = other.clone();
    let mock = Mock::start(move |asked, _| match counted.fetch_add(1, SeqCst) {
        0 => stored(asked, CHURN.as_bytes(), "\"v1\"").cut(9_000),
        1 => stored(asked, newer.as_bytes(), "\"v2\"").cut(20_000),
        _ => stored(asked, newer.as_bytes(), "\"v2\""),
    });
    let work = Loop::new();
    let line = format!("download {} --retries 0", mock.url("127.0.0.1", "/churn.csv"));
    work.run(&line).answers(ERROR).says("failed after 1 attempts").says("the same command resumes there");
    assert!(work.path("data/.partial").exists() && !work.path("data/churn.csv").exists());
    work.run(&line).answers(ERROR);
    work.run(&line).answers(YES);
    assert_eq!(work.read("data/churn.csv"), other);
    let ranges: Vec<Option<String>> = mock.asked().iter().map(|a| a.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=9000-".to_owned()), Some("bytes=20000-".to_owned())]);
}

#[test]
fn refusals_say_what_to_do() {
    for (status, token, sentence, hint) in [
        (401, "", "requires credentials (status 401): Unauthenticated", "https://www.kaggle.com/settings/api"),
        (401, "old", "requires credentials (status 401)", "no longer valid"),
        (403, "t", "requires credentials (status 403)", "you have not accepted its terms"),
        (404, "t", "the data set or file does not exist (status 404)", "check the spelling"),
    ] {
        let mock = service(move |_, _| {
            Reply::json(status, &format!("{{\"code\":{status},\"message\":\"Unauthenticated\\n\"}}"))
        });
        let work = Loop::new();
        run(&work, &mock, SET, token).answers(ERROR).says("kaggle:ada/churn-set").says(sentence).says(hint);
        assert!(work.files().is_empty(), "{:?}", work.files());
    }
}

#[test]
fn a_busy_server_is_waited_for() {
    let mock = Mock::start(|asked, n| match n {
        0 => Reply::new(429, "slow down").header("retry-after", "0"),
        1 => Reply::new(503, "").header("retry-after", "0"),
        _ => stored(asked, CHURN.as_bytes(), "\"v1\""),
    });
    let work = Loop::new();
    let url = mock.url("127.0.0.1", "/churn.csv");
    work.run(&format!("download {url}")).answers(YES).says("status 429: slow down; trying again in 0.0 s");
    let mock = Mock::start(|_, _| Reply::new(429, "").header("retry-after", "7200"));
    let url = mock.url("127.0.0.1", "/churn.csv");
    Loop::new().run(&format!("download {url}")).answers(ERROR).says("asks to retry in 7200 s");
    let mock = Mock::start(|_, _| Reply::new(500, "").header("retry-after", "0"));
    let url = mock.url("127.0.0.1", "/churn.csv");
    Loop::new().run(&format!("download {url} --retries 3")).answers(ERROR).says("failed after 4 attempts");
    assert_eq!(mock.asked().len(), 4);
}

#[test]
fn an_expired_address_is_asked_for_anew() {
    let archive = zip(&[("churn.csv", CHURN.as_bytes(), 0)]);
    let bytes = archive.clone();
    let storage = Mock::start(move |asked, n| match n {
        0 => stored(asked, &bytes, "\"v1\"").cut(30_000),
        _ if asked.path.contains("sig=0") => Reply::new(400, "<Error><Code>ExpiredToken</Code></Error>"),
        _ => stored(asked, &bytes, "\"v1\""),
    });
    let elsewhere = storage.clone();
    let n_signed = AtomicUsize::new(0);
    let mock = service(move |_, _| {
        // The first two answers hand out the same address, as a cache would.
        let n = n_signed.fetch_add(1, SeqCst) / 2;
        Reply::redirect(&elsewhere.url("127.0.0.1", &format!("/churn.zip?sig={n}")))
    });
    let work = Loop::new();
    run(&work, &mock, SET, "t").answers(YES).says("has expired");
    assert_eq!(work.read("data/churn.csv"), CHURN);
    assert_eq!(storage.asked().last().unwrap().header("range"), Some("bytes=30000-"));
    // An address that never works is not asked for for ever.
    let storage = Mock::start(|_, _| Reply::new(403, ""));
    let elsewhere = storage.clone();
    let mock = service(move |_, _| Reply::redirect(&elsewhere.url("127.0.0.1", "/x")));
    run(&Loop::new(), &mock, SET, "t").answers(ERROR).says("answers with status 403");
    assert_eq!(storage.asked().len(), 3);
}

#[test]
fn other_bytes_than_expected_change_nothing() {
    let mock = Mock::start(|asked, _| stored(asked, CHURN.as_bytes(), "\"v1\""));
    let (work, url) = (Loop::new().table("data/churn.csv", "old"), mock.url("127.0.0.1", "/churn.csv"));
    let before = work.files();
    let wrong = "0".repeat(64);
    let said = work.run(&format!("download {url} --force --sha256 {wrong}")).answers(ERROR).says(&wrong);
    assert!(said.stderr.contains(&sha256(CHURN.as_bytes())), "{}", said.stderr);
    assert_eq!(work.files(), before);
    let right = sha256(CHURN.as_bytes()).to_uppercase();
    work.run(&format!("download {url} --sha256 {right}")).answers(ERROR).says("--force replaces it");
    work.run(&format!("download {url} --force --sha256 {right}")).answers(YES);
    assert_eq!(work.read("data/churn.csv"), CHURN);
    work.run("download x.csv --sha256 12").answers(ERROR).says("64 hexadecimal digits");
}

#[test]
fn sources_that_are_none_are_refused_by_name() {
    let work = Loop::new();
    for (source, sentence) in [
        ("kaggle:telco", "write kaggle:owner/dataset"),
        ("kaggle:a/b@x", "a version is a number from 1"),
        ("gs://bucket/x.csv", "use kaggle:, https:, http:, postgres:, s3: or file:"),
        ("https://me:pw@host/x.csv", "end up in logs"),
        ("http://example.org/x.csv", "give --sha256, or use https"),
        ("absent.csv", "absent.csv: No such file"),
        ("file:///nonexistent/x.csv", "/nonexistent/x.csv: No such file"),
    ] {
        work.run(&format!("download {source}")).answers(ERROR).says(sentence);
    }
    assert!(work.files().is_empty());
}

#[test]
fn redirects_in_a_ring_and_web_pages_are_told() {
    let mock = Mock::start(|_, _| Reply::redirect("/again.csv"));
    let work = Loop::new();
    work.run(&format!("download {}", mock.url("127.0.0.1", "/x.csv")))
        .answers(ERROR)
        .says("redirects more than 10 times");
    let mock = Mock::start(|_, _| Reply::new(200, "\n<!DOCTYPE html><title>Sign in</title>"));
    work.run(&format!("download {}", mock.url("127.0.0.1", "/x.csv"))).answers(ERROR).says("returns a web page");
    assert!(!work.path("data/x.csv").exists());
}

/// A Python with Kaggle's own client: `MLLOOP_KAGGLE_PYTHON`, or the usual one when it has it.
fn python_with_kaggle() -> Option<PathBuf> {
    let named = std::env::var_os("MLLOOP_KAGGLE_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| PathBuf::from("python3"));
    let has = Command::new(&python).args(["-c", "import kagglesdk, six"]).output().is_ok_and(|o| o.status.success());
    if !has {
        skipped("no Python with the package kaggle (name one in MLLOOP_KAGGLE_PYTHON)");
    }
    has.then_some(python)
}

/// The mock server is a good one: Kaggle's own client is content with it, and mlloop fetches the same from it.
#[test]
fn kaggles_own_client_downloads_the_same_from_the_same_server() {
    let Some(python) = python_with_kaggle() else { return };
    let mock = kaggle(zip(&[("churn.csv", CHURN.as_bytes(), 0o100_644)]));
    let work = Loop::new();
    let script = format!(
        "import sys, kagglesdk.kaggle_env as env\n\
         env._env_to_endpoint[env.KaggleEnv.LOCAL] = 'http://localhost:{}'\n\
         sys.argv = ['kaggle', 'datasets', 'download', 'ada/churn-set', '-p', 'theirs', '--unzip']\n\
         from kaggle.cli import main\nmain()\n",
        mock.port
    );
    let theirs = Command::new(python)
        .args(["-c", &script])
        .current_dir(work.path(""))
        .env("HOME", work.path(""))
        .env("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
        .env("KAGGLE_API_TOKEN", "t0ken")
        .env_remove("KAGGLE_CONFIG_DIR")
        .env("NO_PROXY", "localhost,127.0.0.1")
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&theirs.stdout), String::from_utf8_lossy(&theirs.stderr));
    assert!(theirs.status.success(), "{said}");
    assert_eq!(work.read("theirs/churn.csv"), CHURN, "{said}");
    run(&work, &mock, SET, "t0ken").answers(YES);
    assert_eq!(work.read("data/churn.csv"), CHURN);
    let posts: Vec<Asked> = mock.asked().into_iter().filter(|asked| asked.path == ASK).collect();
    let body = |asked: &Asked| serde_json::from_str::<serde_json::Value>(&asked.body).unwrap();
    assert_eq!(body(&posts[0]), body(&posts[1]), "both ask the same");
    assert_eq!(posts[0].header("authorization"), posts[1].header("authorization"));
}
