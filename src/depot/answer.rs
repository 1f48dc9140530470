//! The answers of `push` and `pull`.

use serde::Serialize;

/// What `push` did, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pushed {
    /// Where to.
    pub place: String,
    /// The last line of the audit chain that the place has now.
    pub line: u64,
    /// How many lines it did not have.
    pub new_lines: u64,
    /// Every file that it has now.
    pub all: Moved,
    /// Objects that were sent.
    pub sent: Moved,
    /// Whether anything is there that was not.
    pub changed: bool,
    /// Files with data that this loop has and that were not sent.
    pub left_out: Vec<String>,
    /// Files of the place that are newer than here, and stay: `pull` brings them.
    pub theirs: Vec<String>,
    /// Whether nothing was done.
    pub dry_run: bool,
}

/// What `pull` did, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pulled {
    /// Where from.
    pub place: String,
    /// The last line of the audit chain of this loop now.
    pub line: u64,
    /// How many lines it did not have.
    pub new_lines: u64,
    /// How many lines the place does not have: `push` sends them.
    pub lines_ahead: u64,
    /// Files that were written.
    pub files: Moved,
    /// Objects that were fetched for that.
    pub fetched: Moved,
    /// Whether anything is here that was not.
    pub changed: bool,
    /// Files with data that are not here: the place has none, or --data was not said.
    pub not_here: Vec<String>,
    /// Files that were changed here since, and stay: `push` sends them.
    pub ours: Vec<String>,
    /// Whether nothing was done.
    pub dry_run: bool,
}

/// A number of files, and their length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Moved {
    /// How many.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

impl Moved {
    pub(super) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}
