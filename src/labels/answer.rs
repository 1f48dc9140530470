//! One answer of a person, from any source.

use super::LabelError;
use std::fmt;

/// The place of an answer in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Line of a table, from 1.
    Line(u64),
    /// Task of an export, from 1.
    Task(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Task(task) => write!(f, "task {task}"),
        }
    }
}

/// One answer for a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub place: Place,
    pub id: String,
    /// Its batch, if given; otherwise empty.
    pub batch: String,
    /// The label as typed; empty for an unanswered row.
    pub text: String,
    pub annotator: String,
    /// The time, if the file has it.
    pub at: Option<jiff::Timestamp>,
    /// How it was made, as far as the file shows.
    pub origin: Origin,
}

/// How an answer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Typed into a table, which has no durations.
    Sheet,
    /// An annotation that took time.
    Timed,
    /// An annotation without a time: made by a program.
    Untimed,
    /// An annotation that was made from a prediction and took no time.
    Copied,
}

/// A faulty cell of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub place: Place,
    pub column: String,
    pub value: String,
    /// As a clause.
    pub what: String,
}

impl Fault {
    pub(super) fn new(place: Place, column: &str, value: &str, what: impl Into<String>) -> Self {
        let value = value.chars().take(80).collect();
        Self { place, column: column.to_owned(), value, what: what.into() }
    }

    pub(super) fn into_error(self, file: &str) -> LabelError {
        let Self { place, column, value, what } = self;
        LabelError::Answer { file: file.to_owned(), place: place.to_string(), column, value, what }
    }
}

/// The answers of a file, and the problems found.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub answers: Vec<Answer>,
    pub faults: Vec<Fault>,
}
