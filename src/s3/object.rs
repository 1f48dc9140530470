//! Reads one object and its metadata.

use super::SCHEME;
use super::access::{Access, access};
use super::transfer::{S3Error, Why, agent, persist, refused, unreachable};
use rusty_s3::actions::{GetObject, HeadObject};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

/// Validity of a signed URL. Requests begin at once, but clocks differ.
const VALID: Duration = Duration::from_secs(900);
/// A connection slower than this many bytes per second is closed.
const SLOWEST: u64 = 20_000;
/// Maximum number of consecutive connections that break without new bytes.
const TRIES: u32 = 4;

/// An object, with the access to it.
#[derive(Clone)]
pub struct Object {
    store: Arc<Store>,
    key: String,
}

/// A bucket, with the access to it.
struct Store {
    bucket: Bucket,
    credentials: Option<Credentials>,
    agent: Agent,
}

/// Metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its length.
    pub bytes: Option<u64>,
    /// A tag that changes with each write.
    pub etag: Option<String>,
}

impl Object {
    /// The object at an address.
    ///
    /// # Errors
    /// Errors in the address, or in the access settings.
    pub fn at(path: &Path) -> Result<Self, S3Error> {
        Self::asked_by(path, &access())
    }

    pub(super) fn asked_by(path: &Path, access: &Access) -> Result<Self, S3Error> {
        let text = path.to_string_lossy();
        let failed = |what| S3Error { object: text.to_string(), why: Why::Other(what) };
        let (bucket, key) = parse(&text).map_err(|what| failed(what.to_owned()))?;
        let asked = access.resolve().map_err(failed)?;
        let (style, server) = match &asked.endpoint {
            Some(server) => (UrlStyle::Path, Cow::Borrowed(server.as_str())),
            // A certificate of `*.s3.…` does not cover names with a dot.
            None if bucket.contains('.') => (UrlStyle::Path, Cow::Owned(amazon(&asked.region))),
            None => (UrlStyle::VirtualHost, Cow::Owned(amazon(&asked.region))),
        };
        let server = server.parse().map_err(|_| failed(format!("{server:?} is not the address of a server")))?;
        let bucket = Bucket::new(server, style, bucket.to_owned(), asked.region);
        let bucket = bucket.map_err(|err| failed(format!("AWS_ENDPOINT_URL is not the address of a server: {err}")))?;
        let agent = agent(access.authorities.as_deref()).map_err(failed)?;
        let store = Store { bucket, credentials: asked.credentials, agent };
        Ok(Self { store: Arc::new(store), key: key.to_owned() })
    }

    /// Another object of the same bucket.
    #[must_use]
    pub fn beside(&self, key: String) -> Self {
        Self { store: Arc::clone(&self.store), key }
    }

    /// The name in its bucket.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its address.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{SCHEME}{}/{}", self.store.bucket.name(), self.key)
    }

    /// Its bytes from the beginning.
    ///
    /// # Errors
    /// If the object is missing, or the server refuses.
    pub fn open(&self) -> Result<(Stored, impl Read + Send + use<>), S3Error> {
        let answer = self.get(0, None)?;
        if answer.status() != 200 {
            return Err(self.refused(answer));
        }
        let stored = stored(answer.headers());
        let body = answer.into_body().into_with_config().reader();
        Ok((stored.clone(), Bytes { object: self.clone(), body, stored, at: 0, tries: 0 }))
    }

    /// All bytes of a small object, with its tag.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when it is longer than `limit` bytes.
    pub fn read(&self, limit: u64) -> Result<(Stored, Vec<u8>), S3Error> {
        let (stored, bytes) = self.open()?;
        let mut all = Vec::new();
        bytes.take(limit + 1).read_to_end(&mut all).map_err(|err| self.failed(err.to_string()))?;
        match all.len() as u64 > limit {
            true => Err(self.failed(format!("is longer than {limit} bytes"))),
            false => Ok((stored, all)),
        }
    }

    /// The metadata; `None` if it does not exist.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn look(&self) -> Result<Option<Stored>, S3Error> {
        let ask = || {
            let request = HeadObject::new(&self.store.bucket, self.credentials(), &self.key);
            self.store.agent.head(request.sign(VALID).as_str()).call()
        };
        let answer = persist(ask).map_err(|err| self.failed(unreachable(&err)))?;
        match answer.status().as_u16() {
            200 => Ok(Some(stored(answer.headers()))),
            404 => Ok(None),
            _ => Err(self.refused(answer)),
        }
    }

    /// Requests the bytes from `at` on, of the object with this tag.
    fn get(&self, at: u64, etag: Option<&str>) -> Result<Response<Body>, S3Error> {
        let ask = || {
            let action = GetObject::new(&self.store.bucket, self.credentials(), &self.key);
            let mut request = self.store.agent.get(action.sign(VALID).as_str());
            if at > 0 {
                request = request.header("range", format!("bytes={at}-"));
            }
            if let Some(etag) = etag {
                request = request.header("if-match", etag);
            }
            request.call()
        };
        persist(ask).map_err(|err| self.failed(unreachable(&err)))
    }

    /// Time limit for sending this many bytes.
    pub(super) fn patience(n_bytes: u64) -> Duration {
        Duration::from_secs(60 + n_bytes / SLOWEST)
    }

    /// The URL of an action.
    pub(super) fn signed<'a>(&self, action: impl S3Action<'a>) -> String {
        action.sign(VALID).into()
    }

    pub(super) fn bucket(&self) -> &Bucket {
        &self.store.bucket
    }

    pub(super) fn agent(&self) -> &Agent {
        &self.store.agent
    }

    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.store.credentials.as_ref()
    }

    pub(super) fn refused(&self, answer: Response<Body>) -> S3Error {
        let why = refused(self.store.bucket.region(), self.credentials().is_some(), answer);
        self.because(why)
    }

    pub(super) fn failed(&self, what: String) -> S3Error {
        self.because(Why::Other(what))
    }

    pub(super) fn because(&self, why: Why) -> S3Error {
        S3Error { object: self.shown(), why }
    }
}

/// Bucket and key of an address.
fn parse(text: &str) -> Result<(&str, &str), &'static str> {
    let wrong = "is not s3://BUCKET/KEY";
    let (bucket, key) = text.get(SCHEME.len()..).and_then(|rest| rest.split_once('/')).ok_or(wrong)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if bucket.len() < 3 || !bucket.chars().all(plain) || bucket.contains("..") {
        return Err("has an invalid bucket name: at least three characters, only letters, digits, - and .");
    }
    if key.is_empty() || key.ends_with('/') {
        return Err("names a prefix, not an object");
    }
    // In a URL these would lead to another object.
    if key.split('/').any(|part| part == "." || part == "..") || key.chars().any(char::is_control) {
        return Err("has an invalid key: no part of it may be . or .., and control characters are not allowed");
    }
    Ok((bucket, key))
}

fn amazon(region: &str) -> String {
    let end = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://s3.{region}.{end}")
}

fn stored(headers: &HeaderMap) -> Stored {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Stored { bytes: text("content-length").and_then(|n| n.parse().ok()), etag: text("etag") }
}

/// The bytes of an object. After a broken connection the rest comes through another one, and only from the same object.
struct Bytes {
    object: Object,
    body: ureq::BodyReader<'static>,
    stored: Stored,
    at: u64,
    tries: u32,
}

impl Bytes {
    /// Another connection from where this one ended.
    fn again(&mut self, why: io::Error) -> io::Result<()> {
        self.tries += 1;
        let Some(etag) = self.stored.etag.as_deref().filter(|_| self.tries < TRIES) else { return Err(why) };
        let answer = self.object.get(self.at, Some(etag)).map_err(io::Error::other)?;
        let wanted = format!("bytes {}-", self.at);
        let from = answer.headers().get("content-range").and_then(|value| value.to_str().ok());
        let fits = answer.status() == 206 && from.is_some_and(|from| from.starts_with(&wanted));
        match answer.status().as_u16() {
            200 if self.at == 0 => {}
            _ if fits => {}
            412 => return Err(io::Error::other("it was rewritten while it was read")),
            _ => return Err(why),
        }
        self.body = answer.into_body().into_with_config().reader();
        Ok(())
    }
}

impl Read for Bytes {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let why = match self.body.read(buf) {
                Ok(0) if !buf.is_empty() && self.stored.bytes.is_some_and(|all| self.at < all) => {
                    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed too early")
                }
                Ok(n) => {
                    self.at += n as u64;
                    self.tries = if n > 0 { 0 } else { self.tries };
                    return Ok(n);
                }
                Err(err) => err,
            };
            self.again(why)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_bucket_and_a_key() {
        assert_eq!(parse("s3://my-bucket/a/b c?.csv"), Ok(("my-bucket", "a/b c?.csv")));
        assert_eq!(parse("S3://my.bucket/k"), Ok(("my.bucket", "k")));
        for wrong in [
            "s3://",
            "s3://b",
            "s3://bucket",
            "s3://bucket/",
            "s3:///k",
            "s3://bucket/a/",
            "s3://bucket/../x",
            "s3://bucket/a/./b",
            "s3://bu cket/k",
            "s3://user:pass@bucket/k",
            "s3://bucket/a\nb",
            "s3://b..b/k",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amazons_servers_are_named_by_region_and_others_by_path() {
        let url = |address: &str, endpoint: Option<&str>, region: &str| {
            let access =
                Access { endpoint: endpoint.map(str::to_owned), region: Some(region.to_owned()), ..Access::default() };
            let object = Object::asked_by(Path::new(address), &access).unwrap_or_else(|err| panic!("{err}"));
            object.store.bucket.object_url(&object.key).to_string()
        };
        assert_eq!(url("s3://abc/k", None, "eu-west-1"), "https://abc.s3.eu-west-1.amazonaws.com/k");
        assert_eq!(url("s3://a.b.c/k", None, "cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn/a.b.c/k");
        assert_eq!(url("s3://abc/d/k 1", Some("http://127.0.0.1:9000"), "r"), "http://127.0.0.1:9000/abc/d/k%201");
        let wrong = Access { endpoint: Some("127.0.0.1:9000".to_owned()), ..Access::default() };
        assert!(Object::asked_by(Path::new("s3://abc/k"), &wrong).is_err());
    }
}
