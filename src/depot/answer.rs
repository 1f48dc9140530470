//! The answers of `push` and `pull`.

use serde::Serialize;

/// The answer of `push`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pushed {
    /// The place.
    pub place: String,
    /// The last line of the audit chain that the place has now.
    pub line: u64,
    /// Number of new lines.
    pub new_lines: u64,
    /// All files in the place now.
    pub all: Moved,
    /// Objects that were sent.
    pub sent: Moved,
    /// Whether the place changed.
    pub changed: bool,
    /// Data files of this loop that were not sent.
    pub left_out: Vec<String>,
    /// Files that are newer in the place and were not replaced: `pull` fetches them.
    pub theirs: Vec<String>,
    /// Whether it was a dry run.
    pub dry_run: bool,
}

/// The answer of `pull`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pulled {
    /// The place.
    pub place: String,
    /// The last line of the audit chain of this loop now.
    pub line: u64,
    /// Number of new lines.
    pub new_lines: u64,
    /// Number of lines that the place lacks: `push` sends them.
    pub lines_ahead: u64,
    /// Files that were written.
    pub files: Moved,
    /// Objects that were fetched.
    pub fetched: Moved,
    /// Whether this loop changed.
    pub changed: bool,
    /// Data files that are missing here: the place has none, or --data was not given.
    pub not_here: Vec<String>,
    /// Files that changed here and were not replaced: `push` sends them.
    pub ours: Vec<String>,
    /// Whether it was a dry run.
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
