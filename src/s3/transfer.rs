//! Single requests: retries, and error messages.

use crate::web::{fetcher, tls_trouble};
use std::path::Path;
use std::time::Duration;
use ureq::http::{Response, StatusCode};
use ureq::typestate::WithBody;
use ureq::{Agent, Body, RequestBuilder};

/// Pauses before retries; the number of tries is one more.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(3)];
/// Maximum number of bytes read from an error.
const TOLD: u64 = 64 << 10;

/// The condition under which an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Overwrite an existing object.
    Always,
    /// Write only if there is no such object.
    New,
    /// Write only if the object has this tag.
    Same(&'a str),
}

impl Condition<'_> {
    /// Adds this condition to the request.
    pub(super) fn on(self, request: RequestBuilder<WithBody>) -> RequestBuilder<WithBody> {
        match self {
            Self::Always => request,
            Self::New => request.header("if-none-match", "*"),
            Self::Same(etag) => request.header("if-match", etag),
        }
    }
}

/// An error with an object.
#[derive(Debug, thiserror::Error)]
#[error("{object}: {why}")]
pub struct S3Error {
    /// The object's address.
    pub object: String,
    /// The reason.
    pub why: Why,
}

/// The reason of a failed request, as a clause.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// There is no such object.
    #[error("the object does not exist")]
    NotThere,
    /// The object does not match the condition.
    #[error("another process wrote it at the same time")]
    Changed,
    /// Any other reason.
    #[error("{0}")]
    Other(String),
}

/// The client, which trusts the authorities of this file, if given.
pub(super) fn agent(authorities: Option<&Path>) -> Result<Agent, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|err| format!("AWS_CA_BUNDLE {}: {err}", path.display()));
    let pem = authorities.map(read).transpose()?;
    Ok(fetcher(pem.as_deref()))
}

/// Sends a request until the server gives a final response.
pub(super) fn persist(
    mut send: impl FnMut() -> Result<Response<Body>, ureq::Error>,
) -> Result<Response<Body>, ureq::Error> {
    for pause in PAUSES {
        match send() {
            Ok(answer) if !may_pass(answer.status()) => return Ok(answer),
            Err(err) if !may_help(&err) => return Err(err),
            _ => std::thread::sleep(pause),
        }
    }
    send()
}

/// Whether a retry may succeed after this status.
fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// Whether a retry can succeed: not if the URL or the certificate is wrong.
fn may_help(err: &ureq::Error) -> bool {
    matches!(
        err,
        ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_)
    )
}

/// The message for a failed connection. The error's own text may contain the signed URL.
pub(super) fn unreachable(err: &ureq::Error) -> String {
    match err {
        ureq::Error::Io(err) => format!("the server cannot be reached: {err}"),
        ureq::Error::Timeout(_) => "the server does not answer in time".to_owned(),
        ureq::Error::HostNotFound => "the host name is unknown".to_owned(),
        _ => match tls_trouble(err) {
            Some(what) => format!("no secure connection: {what}"),
            None => "the connection to the server failed".to_owned(),
        },
    }
}

/// An unexpected response.
pub(super) fn refused(region: &str, signed: bool, answer: Response<Body>) -> Why {
    let status = answer.status().as_u16();
    let header = answer.headers().get("x-amz-bucket-region").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = answer.into_body();
    let text = body.with_config().limit(TOLD).lossy_utf8(true).read_to_string().unwrap_or_default();
    let code = element(&text, "Code").unwrap_or_default();
    let elsewhere = header.or_else(|| element(&text, "Region")).filter(|there| there != region);
    let what = match (status, code.as_str()) {
        (_, "NoSuchBucket") => "the bucket does not exist".to_owned(),
        (404, _) => return Why::NotThere,
        (412, _) | (409, "ConditionalRequestConflict") => return Why::Changed,
        (301 | 307 | 400, _) if elsewhere.is_some() => {
            let there = elsewhere.unwrap_or_default();
            format!("the bucket is in the region {there}: set AWS_REGION={there}")
        }
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken") => {
            format!("the server does not accept these keys ({code}): see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY")
        }
        (_, "RequestTimeTooSkewed") => "the clock of this machine differs too much from the server's clock".to_owned(),
        (401 | 403, _) if !signed => "it is not public, and no keys are set: set AWS_ACCESS_KEY_ID and \
                                      AWS_SECRET_ACCESS_KEY (`aws configure export-credentials --format env` prints \
                                      the keys of a login)"
            .to_owned(),
        (401 | 403, _) => format!("these keys do not have the permission ({status})"),
        (300..=399, _) => format!("the server answers {status}, a redirect, which is not followed"),
        _ => {
            let said = element(&text, "Message").unwrap_or_default();
            format!("the server answers {status} {code} {said}").trim_end().to_owned()
        }
    };
    Why::Other(what)
}

/// The text of the first `<name>`.
pub(super) fn inside<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once('<').map(|(inside, _)| inside)
}

/// The text of the first `<name>` in an error, on one line and short.
fn element(text: &str, name: &str) -> Option<String> {
    let inside = inside(text, name)?;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    Some(inside.trim().chars().map(clean).take(200).collect()).filter(|text: &String| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_words_and_end() {
        let answer =
            |status: u16, body: &str| Response::builder().status(status).body(Body::builder().data(body)).unwrap();
        let told = |status, body: &str| refused("r", true, answer(status, body)).to_string();
        assert_eq!(told(404, "<Error><Code>NoSuchKey</Code></Error>"), "the object does not exist");
        assert_eq!(told(404, "<Code>NoSuchBucket</Code>"), "the bucket does not exist");
        assert!(told(403, "<Code>SignatureDoesNotMatch</Code>").contains("does not accept these keys"));
        assert!(told(403, "").ends_with("do not have the permission (403)"));
        assert!(told(301, "<Code>PermanentRedirect</Code><Region>eu-1</Region>").ends_with("AWS_REGION=eu-1"));
        assert!(told(418, "<Code>Tea\n</Code><Message>pot").ends_with("answers 418 Tea"));
        assert_eq!(refused("r", true, answer(412, "")), Why::Changed);
        assert!(refused("r", false, answer(403, "")).to_string().contains("no keys are set"));
    }
}
