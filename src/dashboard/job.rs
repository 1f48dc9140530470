//! A job: a command started from a page, and its result.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A command started from a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    /// Its number, from 1.
    pub(super) id: u64,
    /// Its action, as text.
    pub(super) title: String,
    /// The arguments of `mlloop`, as typed.
    pub(super) arguments: Vec<String>,
    /// Who started it.
    pub(super) by: String,
    pub(super) started: Timestamp,
    /// The process.
    pub(super) pid: Option<u32>,
    /// Its result; `None` while it runs.
    pub(super) ended: Option<Ended>,
    /// Whether it is queued behind others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) waits: bool,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ended {
    pub(super) at: Timestamp,
    /// The exit status; `None` if the process was killed, or its end was not observed.
    pub(super) status: Option<i32>,
    /// The reason why it did not start, or why the status is unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) note: String,
}

impl Job {
    /// The command, as typed.
    pub(super) fn command(&self) -> String {
        command(&self.arguments)
    }

    /// Whether it has started and not ended.
    pub(super) fn runs(&self) -> bool {
        self.ended.is_none() && !self.waits
    }

    /// Its state, as text.
    pub(super) fn state(&self) -> &'static str {
        if self.waits {
            return "saved; it takes effect when the running job has ended";
        }
        match self.ended.as_ref().map(|ended| ended.status) {
            None => "running",
            Some(Some(0)) => "done",
            Some(Some(1)) => "done: the answer is no",
            Some(Some(3)) => "cannot tell: too few rows or labels",
            Some(Some(4)) => "waits for approval",
            Some(Some(_)) => "failed; nothing was changed",
            Some(None) if self.pid.is_none() => "did not start",
            Some(None) => "stopped before it finished",
        }
    }
}

/// A command, as typed.
pub(super) fn command(arguments: &[String]) -> String {
    let is_plain = |argument: &str| argument.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=./:%,".contains(&b));
    let quoted = |argument: &String| match is_plain(argument) && !argument.is_empty() {
        true => argument.clone(),
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    };
    format!("mlloop {}", arguments.iter().map(quoted).collect::<Vec<_>>().join(" "))
}
