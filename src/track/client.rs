//! Client of the tracking server.

use super::TrackError;
use crate::notify::Secret;
use crate::remote::{Access, CallError, Method, Remote, encode, encoded, take_apart};
use crate::source::decode_percents;
use base64::Engine as _;
use serde_json::Value;
use std::time::Duration;

/// Maximum size of a response; more is not read.
const MAX_ANSWER: u64 = 16 << 20;

/// Credentials, from the environment only.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The user (basic authentication).
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// A bearer token; it takes precedence over user and password.
    pub token: Option<Secret>,
    /// Certificate authorities instead of the public ones (PEM).
    pub authorities: Option<Vec<u8>>,
}

/// A tracking server.
#[derive(Debug, Clone)]
pub struct Server {
    remote: Remote,
}

impl Server {
    /// The server at `uri`, which may contain a user and a password; each call may take `timeout`.
    ///
    /// # Errors
    /// [`TrackError::Settings`] for an invalid URI.
    pub fn new(uri: &str, credentials: &Credentials, timeout: Duration) -> Result<Self, TrackError> {
        let settings = |what: &str| TrackError::Settings(format!("the tracking server's address {what}"));
        let (login, base) = take_apart(uri).map_err(settings)?;
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => {
                let plain = |text| {
                    decode_percents(text).ok_or_else(|| {
                        settings(
                            "contains a login that is not \
                                                                                 URL-encoded",
                        )
                    })
                };
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
        let authorities = credentials.authorities.as_deref();
        let access = Access { name: "MLflow", authorization, hidden, timeout, limit: MAX_ANSWER, authorities };
        Ok(Self { remote: Remote::new(base, access) })
    }

    /// Its address, without user and password.
    #[must_use]
    pub fn address(&self) -> &str {
        self.remote.address()
    }

    /// Calls `api/2.0/mlflow/PATH` with a JSON body.
    pub(super) fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value, CallError> {
        let body = body.to_string().into_bytes();
        self.ask(method, &format!("/api/2.0/mlflow/{path}"), Some((&body, "application/json")))
    }

    /// Requests `api/2.0/mlflow/PATH?query`.
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
            // No artifacts are stored yet.
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
        match self.remote.ask(method, path, body)? {
            value if value.is_object() => Ok(value),
            _ => Err(CallError::Broken("it does not answer like MLflow (no JSON object)".to_owned())),
        }
    }
}

/// The error as one clause with a remedy.
pub(super) fn told(err: &CallError) -> String {
    match err {
        CallError::Refused { status: 401, .. } => "it requires a login (401): set MLFLOW_TRACKING_TOKEN, or \
                                                   MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            .to_owned(),
        err => err.told(),
    }
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
        assert_eq!(plain.remote.authorization().unwrap(), "Basic YW5uOnB3");
        let inside = server("https://bob:s%40cret@host").unwrap();
        assert_eq!(inside.address(), "https://host");
        assert_eq!(inside.remote.authorization().unwrap(), "Basic Ym9iOnNAY3JldA==");
        let shown = inside.remote.scrub("bob:s%40cret, s@cret, Ym9iOnNAY3JldA==\n");
        assert_eq!(shown, "***, ***, *** ");
        assert!(!format!("{inside:?}").contains("cret"), "{inside:?}");
        for wrong in ["host:5000", "file:///x", "sqlite:///x.db", "http://", "http://h/?token=x", "http://a:%zz@h"] {
            let said = server(wrong).unwrap_err().to_string();
            assert!(said.starts_with("the tracking server's address ") && !said.contains("token"), "{wrong}: {said}");
        }
    }
}
