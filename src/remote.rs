//! JSON over HTTP to other servers: with a timeout, without redirects, without leaking secrets.

use crate::notify::Secret;
use crate::web::{tls_trouble, trusting};
use serde_json::Value;
use std::time::Duration;

/// A server.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its address without user and password, and without a slash at the end.
    base: String,
    /// Its name in messages.
    name: &'static str,
    authorization: Option<Secret>,
    /// Texts that must never be shown.
    hidden: Vec<Secret>,
    /// Maximum number of bytes read from a response.
    limit: u64,
    agent: ureq::Agent,
}

/// The access to a server.
#[derive(Debug)]
pub struct Access<'a> {
    /// The server's name in messages: `MLflow`.
    pub name: &'static str,
    /// The value of the header `Authorization`.
    pub authorization: Option<String>,
    /// Further texts that must never be shown.
    pub hidden: Vec<Secret>,
    /// How long each call may take.
    pub timeout: Duration,
    /// Maximum number of bytes read from a response.
    pub limit: u64,
    /// Certificate authorities instead of the public ones (PEM).
    pub authorities: Option<&'a [u8]>,
}

/// Why a call failed.
#[derive(Debug)]
pub enum CallError {
    /// The server refused the request.
    Refused {
        /// The status.
        status: u16,
        /// The server's own code, when it has one.
        code: String,
        /// Its message.
        said: String,
    },
    /// No response, or an invalid one.
    Broken(String),
}

/// The HTTP method.
#[derive(Debug, Clone, Copy)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

/// The login in a URL, and the URL without it and without a final slash.
///
/// # Errors
/// The error in it, as a clause.
pub fn take_apart(uri: &str) -> Result<(Option<&str>, String), &'static str> {
    let (scheme, rest) = uri.trim().split_once("://").ok_or("has no http:// or https://")?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err("must begin with http:// or https://: only a server can be used, not a file or a database");
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
    if host.is_empty() || path.contains(['?', '#']) {
        return Err("is not http://HOST[:PORT][/PATH]");
    }
    Ok((login, format!("{scheme}://{host}{}", path.trim_end_matches('/'))))
}

impl Remote {
    /// The server at an address from [`take_apart`].
    #[must_use]
    pub fn new(base: String, access: Access) -> Self {
        let Access { name, authorization, mut hidden, timeout, limit, authorities } = access;
        hidden.extend(authorization.iter().filter_map(|text| text.split_once(' ')).map(|(_, text)| Secret::new(text)));
        hidden.retain(|secret| !secret.text().is_empty());
        let agent = agent(timeout, authorities);
        Self { base, name, authorization: authorization.map(Secret::new), hidden, limit, agent }
    }

    /// Its address, without user and password.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.base
    }

    #[cfg(test)]
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.authorization.as_ref().map(Secret::text)
    }

    /// Sends a request to a path below the base; the response is JSON, or empty, which counts as an empty object.
    ///
    /// # Errors
    /// If the server refuses, or does not answer completely within the timeout.
    pub fn ask(&self, method: Method, path: &str, body: Option<(&[u8], &str)>) -> Result<Value, CallError> {
        let url = format!("{}{path}", self.base);
        let (bytes, kind) = body.unwrap_or((b"", ""));
        let authorization = self.authorization.as_ref().map(Secret::text);
        macro_rules! dressed {
            ($request:expr) => {{
                let request = $request.header("user-agent", concat!("mlloop/", env!("CARGO_PKG_VERSION")));
                match authorization {
                    Some(text) => request.header("authorization", text),
                    None => request,
                }
            }};
        }
        let sent = match method {
            Method::Get => dressed!(self.agent.get(&url)).call(),
            Method::Post => dressed!(self.agent.post(&url)).content_type(kind).send(bytes),
            Method::Put => dressed!(self.agent.put(&url)).content_type(kind).send(bytes),
            Method::Patch => dressed!(self.agent.patch(&url)).content_type(kind).send(bytes),
            Method::Delete => dressed!(self.agent.delete(&url)).force_send_body().content_type(kind).send(bytes),
        };
        let broken = |err: &ureq::Error| CallError::Broken(self.scrub(&trouble(err)));
        let mut answer = sent.map_err(|err| broken(&err))?;
        let status = answer.status().as_u16();
        let read = answer.body_mut().with_config().limit(self.limit).read_to_vec();
        let said = read.map_err(|err| broken(&err))?;
        let value = serde_json::from_slice::<Value>(&said);
        match (status, value) {
            (200..=299, Ok(value)) => Ok(value),
            (200..=299, _) if said.is_empty() => Ok(Value::Object(serde_json::Map::new())),
            (200..=299, _) => Err(CallError::Broken(format!("it does not answer like {} (no JSON)", self.name))),
            (300..=399, _) => Err(CallError::Broken(format!(
                "it answers {status}, a redirect, which is not followed: give the final address"
            ))),
            (_, value) => {
                let text = |key: &str| value.as_ref().ok().and_then(|v| v[key].as_str()).unwrap_or("").to_owned();
                let said = ["message", "detail"].map(text).concat();
                Err(CallError::Refused { status, code: text("error_code"), said: self.scrub(&said) })
            }
        }
    }

    /// The text in a displayable form: without secrets and control characters, and short.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let hide = |text: String, secret: &Secret| text.replace(secret.text(), "***");
        let text = self.hidden.iter().fold(text.to_owned(), hide);
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
    }
}

impl CallError {
    /// Whether the server's own code is `wanted`.
    #[must_use]
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }

    /// The error as one clause.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Broken(what) => what.clone(),
            Self::Refused { status: 401, .. } => "it requires a login (401)".to_owned(),
            Self::Refused { status: 403, .. } => "this login has no permission (403)".to_owned(),
            Self::Refused { status, said, .. } if said.is_empty() => format!("it answers {status}"),
            Self::Refused { status, said, .. } => format!("it answers {status}: {said}"),
        }
    }
}

fn agent(timeout: Duration, authorities: Option<&[u8]>) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false);
    trusting(config, authorities).build().new_agent()
}

/// The error without the address, which some errors quote.
fn trouble(err: &ureq::Error) -> String {
    match err {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "its address is not a URL".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "host not found".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "the response is too long".to_owned(),
        ureq::Error::Io(err) if err.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the response is incomplete".to_owned()
        }
        ureq::Error::Io(err) => err.to_string(),
        ureq::Error::Protocol(_) => "the response is incomplete, or is not HTTP".to_owned(),
        _ => tls_trouble(err).unwrap_or_else(|| "the server cannot be reached".to_owned()),
    }
}

/// A query of an address, with its question mark.
#[must_use]
pub fn encoded(query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(key, value)| format!("{key}={}", encode(value, b""))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// The text, percent-encoded for a URL; bytes of `kept` are not encoded.
#[must_use]
pub fn encode(text: &str, kept: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_addresses_are_encoded() {
        assert_eq!(encode("a b/ü'&", b"/"), "a%20b/%C3%BC%27%26");
        assert_eq!(encoded(&[("filter", "name='x/y'")]), "?filter=name%3D%27x%2Fy%27");
    }

    #[test]
    fn an_address_is_taken_apart() {
        assert_eq!(take_apart(" HTTP://ann:pw@host:1/a/ "), Ok((Some("ann:pw"), "http://host:1/a".to_owned())));
        for wrong in ["host:5000", "file:///x", "http://", "http://h/?token=x", "http://h/#x"] {
            assert!(take_apart(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_never_show() {
        let access = Access {
            name: "it",
            authorization: Some("Token t0ken".to_owned()),
            hidden: vec![Secret::new("pw"), Secret::new("")],
            timeout: Duration::from_secs(1),
            limit: 1,
            authorities: None,
        };
        let remote = Remote::new("http://host".to_owned(), access);
        assert_eq!(remote.scrub("t0ken, pw\n"), "***, *** ");
        assert!(!format!("{remote:?}").contains("t0ken"), "{remote:?}");
    }
}
