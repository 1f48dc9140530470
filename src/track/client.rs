//! How the tracking server is asked: JSON over HTTP, within a time, without redirects, with secrets that stay here.

use super::TrackError;
use crate::notify::Secret;
use crate::source::decode_percents;
use base64::Engine as _;
use serde_json::Value;
use std::time::Duration;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// No answer of a tracking server is longer; more is not read.
const MAX_ANSWER: u64 = 16 << 20;

/// What the environment says and no file does.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Who logs in (basic authentication).
    pub user: Option<String>,
    /// With which password.
    pub password: Option<Secret>,
    /// A bearer token; it goes before user and password.
    pub token: Option<Secret>,
    /// Certificate authorities instead of the public ones (PEM).
    pub authorities: Option<Vec<u8>>,
}

/// A tracking server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its address without user and password, and without a slash at the end.
    base: String,
    authorization: Option<Secret>,
    /// What must appear in no text.
    hidden: Vec<Secret>,
    agent: ureq::Agent,
}

/// Why a call did not do what it should.
#[derive(Debug)]
pub(super) enum CallError {
    /// The server answered that it will not: status, MLflow's code, and what it said.
    Refused { status: u16, code: String, said: String },
    /// No answer, or one that cannot be understood.
    Broken(String),
}

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Server {
    /// The server at `uri`, which may hold a user and a password; each call may take `timeout`.
    ///
    /// # Errors
    /// [`TrackError::Settings`] for an address that is none.
    pub fn new(uri: &str, credentials: &Credentials, timeout: Duration) -> Result<Self, TrackError> {
        let settings = |what: &str| TrackError::Settings(format!("the tracking server's address {what}"));
        let (scheme, rest) = uri.trim().split_once("://").ok_or_else(|| settings("has no http:// or https://"))?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(settings("is not http:// or https://: only a server is written to, no file and no database"));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
        if host.is_empty() || path.contains(['?', '#']) {
            return Err(settings("is not http://HOST[:PORT][/PATH]"));
        }
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => {
                let plain = |text| decode_percents(text).ok_or_else(|| settings("has a login that is not URL-encoded"));
                (Some(plain(user)?), Some(Secret::new(plain(password)?)))
            }
            None => (credentials.user.clone(), credentials.password.clone()),
        };
        let mut hidden: Vec<Secret> = password.iter().chain(&credentials.token).cloned().collect();
        hidden.extend(login.map(Secret::new));
        let authorization = match (&credentials.token, user) {
            (Some(token), _) => Some(format!("Bearer {}", token.text())),
            (None, Some(user)) => {
                let pair = format!("{user}:{}", password.as_ref().map_or("", Secret::text));
                Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
            }
            (None, None) => None,
        };
        hidden.extend(authorization.iter().filter_map(|text| text.split_once(' ')).map(|(_, text)| Secret::new(text)));
        hidden.retain(|secret| !secret.text().is_empty());
        let base = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
        let agent = agent(timeout, credentials.authorities.as_deref());
        Ok(Self { base, authorization: authorization.map(Secret::new), hidden, agent })
    }

    /// Its address, without user and password.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.base
    }

    /// Calls `api/2.0/mlflow/PATH` with a JSON body.
    pub(super) fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value, CallError> {
        let body = body.to_string().into_bytes();
        self.ask(method, &format!("/api/2.0/mlflow/{path}"), Some((&body, "application/json")))
    }

    /// Asks for `api/2.0/mlflow/PATH?query`.
    pub(super) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, CallError> {
        self.ask(Method::Get, &format!("/api/2.0/mlflow/{path}{}", encoded(query)), None)
    }

    /// The files below `path` in the server's store of artifacts, with their sizes.
    pub(super) fn stored(&self, path: &str) -> Result<Vec<(String, u64)>, CallError> {
        let answer = match self.ask(
            Method::Get,
            &format!("/api/2.0/mlflow-artifacts/artifacts{}", encoded(&[("path", path)])),
            None,
        ) {
            // Nothing was stored there yet.
            Err(CallError::Refused { status: 404, .. }) => return Ok(Vec::new()),
            answered => answered?,
        };
        let files = answer["files"].as_array().map_or(&[][..], Vec::as_slice);
        let size = |file: &Value| {
            let size = &file["file_size"];
            size.as_u64().or_else(|| size.as_str()?.parse().ok())
        };
        Ok(files.iter().filter_map(|file| Some((file["path"].as_str()?.to_owned(), size(file)?))).collect())
    }

    /// Stores `bytes` as an artifact.
    pub(super) fn store(&self, path: &str, bytes: &[u8]) -> Result<(), CallError> {
        let path = format!("/api/2.0/mlflow-artifacts/artifacts/{}", encode(path, b"/"));
        self.ask(Method::Put, &path, Some((bytes, "application/octet-stream"))).map(drop)
    }

    fn ask(&self, method: Method, path: &str, body: Option<(&[u8], &str)>) -> Result<Value, CallError> {
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
        let read = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let said = read.map_err(|err| broken(&err))?;
        let value = serde_json::from_slice::<Value>(&said);
        match (status, value) {
            (200..=299, Ok(value)) if value.is_object() => Ok(value),
            (200..=299, _) if said.is_empty() => Ok(Value::Object(serde_json::Map::new())),
            (200..=299, _) => Err(CallError::Broken("it answers, but not as MLflow does (no JSON object)".to_owned())),
            (300..=399, _) => Err(CallError::Broken(format!(
                "it answers {status}, a redirect, which is not followed: name the address it leads to"
            ))),
            (_, value) => {
                let text = |key: &str| value.as_ref().ok().and_then(|v| v[key].as_str()).unwrap_or("").to_owned();
                Err(CallError::Refused { status, code: text("error_code"), said: self.scrub(&text("message")) })
            }
        }
    }

    /// What may be shown: secrets are gone, control characters too, and it is short.
    fn scrub(&self, text: &str) -> String {
        let hide = |text: String, secret: &Secret| text.replace(secret.text(), "***");
        let text = self.hidden.iter().fold(text.to_owned(), hide);
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
    }
}

impl CallError {
    /// Whether MLflow's code is `wanted`.
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }

    /// The error as one clause that says what to do.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Broken(what) => what.clone(),
            Self::Refused { status: 401, .. } => "it wants a login (401): set MLFLOW_TRACKING_TOKEN, or \
                                                  MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
                .to_owned(),
            Self::Refused { status: 403, .. } => "it does not allow this to this login (403)".to_owned(),
            Self::Refused { status, said, .. } if said.is_empty() => format!("it answers {status}"),
            Self::Refused { status, said, .. } => format!("it answers {status}: {said}"),
        }
    }
}

fn agent(timeout: Duration, authorities: Option<&[u8]>) -> ureq::Agent {
    let mut config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false);
    if let Some(pem) = authorities {
        let certificates = parse_pem(pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let roots = RootCerts::from(certificates);
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    config.build().new_agent()
}

/// The error without the address, which some of them quote.
fn trouble(err: &ureq::Error) -> String {
    match err {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "its address is not a URL".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "its host is not found".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "its answer is too long".to_owned(),
        ureq::Error::Io(err) if err.kind() == std::io::ErrorKind::UnexpectedEof => "its answer breaks off".to_owned(),
        ureq::Error::Io(err) => err.to_string(),
        ureq::Error::Tls(what) => format!("TLS: {what}"),
        ureq::Error::Rustls(err) => format!("TLS: {err}"),
        ureq::Error::Protocol(_) => "its answer breaks off, or is not HTTP".to_owned(),
        _ => "it cannot be reached".to_owned(),
    }
}

fn encoded(query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(key, value)| format!("{key}={}", encode(value, b""))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// The text as a part of an address; bytes of `kept` stay as they are.
fn encode(text: &str, kept: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(uri: &str) -> Result<Server, TrackError> {
        let credentials =
            Credentials { user: Some("ann".into()), password: Some(Secret::new("pw")), ..Default::default() };
        Server::new(uri, &credentials, Duration::from_secs(1))
    }

    #[test]
    fn an_address_is_taken_apart_and_its_login_is_never_shown() {
        let plain = server("HTTP://host:5000/mlflow/").unwrap();
        assert_eq!(plain.address(), "http://host:5000/mlflow");
        assert_eq!(plain.authorization.as_ref().unwrap().text(), "Basic YW5uOnB3");
        let inside = server("https://bob:s%40cret@host").unwrap();
        assert_eq!(inside.address(), "https://host");
        assert_eq!(inside.authorization.as_ref().unwrap().text(), "Basic Ym9iOnNAY3JldA==");
        let shown = inside.scrub("bob:s%40cret, s@cret, Ym9iOnNAY3JldA==\n");
        assert_eq!(shown, "***, ***, *** ");
        assert!(!format!("{inside:?}").contains("cret"), "{inside:?}");
        for wrong in ["host:5000", "file:///x", "sqlite:///x.db", "http://", "http://h/?token=x", "http://a:%zz@h"] {
            let said = server(wrong).unwrap_err().to_string();
            assert!(said.starts_with("the tracking server's address ") && !said.contains("token"), "{wrong}: {said}");
        }
    }

    #[test]
    fn parts_of_addresses_are_encoded() {
        assert_eq!(encode("a b/ü'&", b"/"), "a%20b/%C3%BC%27%26");
        assert_eq!(encoded(&[("filter", "name='x/y'")]), "?filter=name%3D%27x%2Fy%27");
    }
}
