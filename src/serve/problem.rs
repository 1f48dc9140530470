//! The errors of a request, as reported to its sender.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use std::fmt;

/// One error in the rows of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Problem {
    /// Which row, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<usize>,
    /// Which column.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    /// The error.
    problem: String,
}

/// Maximum number of stored problems; more are only counted.
const KEPT: usize = 20;

/// All errors of the rows of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Problems {
    list: Vec<Problem>,
    total: usize,
}

impl Problem {
    /// An invalid row.
    pub(super) fn of_row(row: usize, problem: &str) -> Self {
        Self { row: Some(row), column: None, problem: problem.to_owned() }
    }

    /// A cell that does not fit.
    pub(super) fn of_cell(row: usize, column: &str, problem: impl Into<String>) -> Self {
        Self { row: Some(row), column: Some(shorten(column)), problem: problem.into() }
    }

    /// An error of the whole request.
    pub(super) fn of_all(problem: String) -> Self {
        Self { row: None, column: None, problem }
    }

    /// A column name that the training table did not have.
    pub(super) fn unknown(row: Option<usize>, column: &str) -> Self {
        Self { row, column: Some(shorten(column)), problem: "unknown".to_owned() }
    }
}

/// The beginning of a text that may be long.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(row) = self.row {
            write!(f, "row {row}: ")?;
        }
        match (&self.column, self.problem.as_str()) {
            (Some(column), "unknown" | "missing") => write!(f, "{} column {column:?}", self.problem),
            (Some(column), problem) => write!(f, "column {column:?} {problem}"),
            (None, problem) => f.write_str(problem),
        }
    }
}

impl Problems {
    /// Only this one.
    pub(super) fn one(problem: Problem) -> Self {
        Self { list: vec![problem], total: 1 }
    }

    /// Adds one; only the first are stored, so that a hostile body costs no memory.
    pub(super) fn push(&mut self, problem: impl FnOnce() -> Problem) {
        if self.list.len() < KEPT {
            self.list.push(problem());
        }
        self.total += 1;
    }

    /// Adds the problems of another check of the same rows.
    pub(super) fn append(&mut self, more: Self) {
        self.total += more.total;
        self.list.extend(more.list);
        self.list.truncate(KEPT);
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The stored ones.
    #[cfg(test)]
    pub(super) fn list(&self) -> &[Problem] {
        &self.list
    }

    fn sentence(&self) -> String {
        const TOLD: usize = 8;
        let mut told: Vec<String> = self.list.iter().take(TOLD).map(ToString::to_string).collect();
        if self.total > TOLD {
            told.push(format!("and {} more", self.total - TOLD));
        }
        told.join("; ")
    }
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The body is not JSON, or an option in the URL is invalid: 400.
    Malformed(String),
    /// The length of the body is given in two ways: 400, and the connection is closed.
    Ambiguous,
    /// A token is missing or wrong: 401.
    Unauthorized,
    /// Not possible on a server that was started without a token: 403.
    Closed,
    /// The request comes from a page of another origin: 403.
    Foreign,
    /// The host name is not that of the server: 421.
    Misdirected(String),
    /// The requested thing does not exist: 404.
    NotFound(String),
    /// The endpoint does not support this method: 405.
    Method,
    /// The body did not arrive in time: 408.
    Slow,
    /// Not possible in the current state of the loop: 409.
    Conflict(String),
    /// Too large: 413.
    TooLarge(String),
    /// Not `application/json`: 415.
    MediaType,
    /// Compressed (`Content-Encoding`): 415.
    Packed,
    /// JSON, but not the rows that the model needs: 422.
    Rows(Problems),
    /// An invalid correction: 422.
    Correction(String),
    /// Internal error: 500. The cause is only in the server log.
    Internal(String),
    /// There is no version in production, or the log cannot be written: 503.
    Unavailable(String),
    /// Too many requests: 503 with `Retry-After`.
    Overload,
}

#[derive(Serialize)]
struct Told<'a> {
    error: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    problems: &'a [Problem],
    #[serde(skip_serializing_if = "Option::is_none")]
    n_problems: Option<usize>,
    request_id: &'a str,
}

impl Refusal {
    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Ambiguous => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Closed | Self::Foreign => StatusCode::FORBIDDEN,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType | Self::Packed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Rows(_) | Self::Correction(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable(_) | Self::Overload => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Malformed(what) | Self::Correction(what) | Self::NotFound(what) | Self::Conflict(what) => {
                what.clone()
            }
            Self::TooLarge(what) | Self::Unavailable(what) => what.clone(),
            Self::Internal(_) => "internal error; see the server log".to_owned(),
            Self::Foreign => {
                "a page of another origin may not use this server; allow it with --allow-host NAME".to_owned()
            }
            Self::Misdirected(host) => {
                format!(
                    "this server does not accept the host name {host:?}; to allow it, start the server with \
                         --allow-host NAME"
                )
            }
            Self::Unauthorized => {
                "this needs the header `Authorization: Bearer TOKEN` with the server's token".to_owned()
            }
            Self::Closed => {
                "the server was started without MLLOOP_TOKEN in its environment, so changes are not allowed; set it \
                 and start again"
                    .to_owned()
            }
            Self::Ambiguous => "send Content-Length or Transfer-Encoding, not both".to_owned(),
            Self::Method => "this address needs another method; see /docs".to_owned(),
            Self::Slow => "the body did not arrive in time".to_owned(),
            Self::MediaType => "send JSON with the header `Content-Type: application/json`".to_owned(),
            Self::Packed => "send the body as it is, without `Content-Encoding`".to_owned(),
            Self::Rows(problems) => problems.sentence(),
            Self::Overload => "too many requests at once; try again in a second".to_owned(),
        }
    }

    /// The answer.
    pub(super) fn response(&self, request_id: &str) -> Response<Body> {
        let (problems, n_problems) = match self {
            Self::Rows(problems) => (problems.list.as_slice(), Some(problems.total)),
            _ => (&[][..], None),
        };
        let told = Told { error: self.sentence(), problems, n_problems, request_id };
        let mut response = json(self.status(), &told);
        let header: Option<(HeaderName, &'static str)> = match self {
            Self::Overload => Some((header::RETRY_AFTER, "1")),
            Self::Unavailable(_) => Some((header::RETRY_AFTER, "5")),
            Self::Unauthorized => Some((header::WWW_AUTHENTICATE, "Bearer")),
            // The rest of the body is dropped.
            Self::TooLarge(_) | Self::Slow | Self::Ambiguous | Self::Foreign | Self::Misdirected(_) => {
                Some((header::CONNECTION, "close"))
            }
            _ => None,
        };
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// A value as a JSON answer.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => body(status, "application/json", bytes),
        Err(err) => body(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", err.to_string().into_bytes()),
    }
}

/// Bytes as an answer.
pub(super) fn body(status: StatusCode, kind: &'static str, bytes: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
