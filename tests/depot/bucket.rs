//! A bucket as the place of a loop.

use super::{shared, train, trained};
use crate::mock::{Mock, Reply};
use crate::support::{ERROR, Loop, YES};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Objects of a bucket that keeps to conditions, where `told` may answer instead.
fn bucket(told: impl Fn(&str, &str) -> Option<u16> + Send + Sync + 'static) -> Mock {
    let kept: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
    Mock::start(move |asked, _| {
        let path = asked.path.split('?').next().unwrap().to_owned();
        if let Some(status) = told(&asked.method, &path) {
            return Reply::new(status, "");
        }
        let mut kept = kept.lock().unwrap();
        let tag = |bytes: &[u8]| format!("\"{}\"", mlloop::digest::sha256(bytes));
        let old = kept.get(&path).cloned();
        if asked.method == "PUT" {
            let same = asked.header("if-match").is_none_or(|wanted| old.as_ref().is_some_and(|old| tag(old) == wanted));
            if !same || (asked.header("if-none-match").is_some() && old.is_some()) {
                return Reply::new(412, "");
            }
            kept.insert(path, asked.bytes.clone());
            return Reply::new(200, "");
        }
        match old {
            Some(old) if asked.method == "HEAD" => Reply::new(200, old.clone()).header("etag", &tag(&old)).cut(0),
            Some(old) => Reply::new(200, old.clone()).header("etag", &tag(&old)),
            None => Reply::new(404, ""),
        }
    })
}

fn with_keys(work: &mut Loop, server: &Mock) {
    let home = work.path("").display().to_string();
    for (name, value) in [
        ("AWS_ENDPOINT_URL_S3", server.url("127.0.0.1", "").as_str()),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "very-secret"),
        ("HOME", &home),
    ] {
        work.set(name, value);
    }
}

#[test]
fn a_bucket_is_written_under_conditions_and_a_cut_push_goes_on() {
    let refused_after = Arc::new(Mutex::new(9));
    let left = Arc::clone(&refused_after);
    let server = bucket(move |method, _| {
        let mut left = left.lock().unwrap();
        *left -= i32::from(method == "PUT");
        (method == "PUT" && *left < 0).then_some(403)
    });
    let mut work = trained().0;
    with_keys(&mut work, &server);
    work.run("push s3://models/a/churn").answers(ERROR).says("these keys do not have the permission (403)");
    *refused_after.lock().unwrap() = 1000;
    let said = work.run("push s3://models/a/churn/").answers(YES).json("/place", "s3://models/a/churn").value();
    let puts: Vec<_> = server.asked().into_iter().filter(|asked| asked.method == "PUT").collect();
    let names = puts.iter().map(|asked| asked.path.split('?').next().unwrap_or_default());
    let objects: std::collections::BTreeSet<&str> = names.collect();
    // All but the list itself; none of the nine that had arrived was sent again.
    assert_eq!(said["sent"]["files"].as_u64().unwrap() + 9, objects.len() as u64 - 1);
    let index = puts.last().unwrap();
    assert!(index.path.starts_with("/models/a/churn/loop.json?"), "{}", index.path);
    assert_eq!(index.header("if-none-match"), Some("*"));

    let mut other = Loop::new();
    with_keys(&mut other, &server);
    other.run("pull s3://models/a/churn").answers(YES);
    assert_eq!(shared(&other, false), shared(&work, false));
    other.run("rollback").answers(ERROR);
    train(&work);
    work.run("push s3://models/a/churn").answers(YES);
    let last = server.asked().into_iter().rfind(|asked| asked.method == "PUT").unwrap();
    assert!(last.header("if-match").is_some());
    other.run("pull s3://models/a/churn").answers(YES).json("/new_lines", 1);
    for file in work.files().iter().chain(&other.files()) {
        let (path, bytes) = file;
        assert!(memchr::memmem::find(bytes, b"very-secret").is_none(), "{}", path.display());
    }
}

#[test]
fn of_two_that_push_at_once_one_is_told() {
    let server = bucket(|method, path| (method == "PUT" && path.ends_with("loop.json")).then_some(412));
    let mut work = trained().0;
    with_keys(&mut work, &server);
    let said = work.run("push s3://models/churn").answers(ERROR).says("another push ran at the same time");
    assert!(!said.stderr.contains("very-secret") && !said.stderr.contains("Signature"));
    // A server that takes every write: whoever reads another list than it wrote was second.
    let forgetful = bucket(|method, path| (method == "PUT" && path.ends_with("loop.json")).then_some(200));
    with_keys(&mut work, &forgetful);
    work.run("push s3://models/churn").answers(ERROR).says("another push ran at the same time");
}
