//! The prediction log: append, read a window, join with outcomes.
//!
//! ```text
//! rows ─Layout─▶ lines ─Writer─▶ predictions/2026-11-20.csv   one record a line, whole, under a lock, synced
//!                                predictions/2026-11-20.2.csv  the same day under another header
//!                  labels by id ─Outcomes─┐        │
//!                                 join ◀──┴─ scan ◀┘ in batches, by a Window of time
//! ```
//! A line is a record: line breaks inside a cell are escaped as in JSON ([`Layout`]), so that only a record truncated
//! by a crash can be a last line without a newline.

mod damage;
mod follow;
mod layout;
mod logged;
pub mod outcomes;
mod read;
mod recent;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod turns_tests;
mod window;
mod write;

pub use damage::Damage;
pub use follow::Follow;
pub use layout::{Layout, Row};
pub use logged::Logged;
pub use outcomes::{Outcome, Outcomes};
pub use read::{Joined, Latest, Scanned};
pub use window::Window;
pub use write::{Durability, Writer};

use crate::atomic::{At, AtPath};
use crate::table::TableError;
use crate::workspace::Workspace;
use std::path::{Path, PathBuf};

/// Errors of the prediction log.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file of the log cannot be read as a table.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A file of the log cannot be read as one.
    #[error("{file}: {what}: restore the file from a backup, or move it out of predictions/")]
    Damaged {
        /// The file.
        file: String,
        /// The problem.
        what: String,
    },
    /// The system refused.
    #[error("{0}")]
    Io(#[from] AtPath),
}

/// The prediction log of a loop.
#[derive(Debug, Clone)]
pub struct Journal {
    dir: PathBuf,
}

/// A file of the log: its day and its number on that day.
type Place = (jiff::civil::Date, u32);

impl Journal {
    /// The log of `workspace`, in its `predictions/`.
    #[must_use]
    pub fn of(workspace: &Workspace) -> Self {
        Self { dir: workspace.path("predictions") }
    }

    /// Appends lines made by [`Layout::push`], all with the time `at`, and syncs them.
    ///
    /// # Errors
    /// I/O errors; then nothing was added.
    pub fn append(&self, layout: &Layout, at: jiff::Timestamp, lines: &[u8]) -> Result<(), JournalError> {
        self.writer(layout, Durability::Always).append(at, lines)
    }

    /// A writer that stays open.
    #[must_use]
    pub fn writer(&self, layout: &Layout, durability: Durability) -> Writer {
        Writer::new(self.dir.clone(), layout, durability)
    }

    /// Whether the log has no files.
    ///
    /// # Errors
    /// If the directory exists and cannot be listed.
    pub fn is_empty(&self) -> Result<bool, JournalError> {
        Ok(self.files(&Window::default())?.is_empty())
    }

    /// The files that may contain rows of `window`, in order of time.
    fn files(&self, window: &Window) -> Result<Vec<(Place, PathBuf)>, JournalError> {
        let Some(entries) = std::fs::read_dir(&self.dir).if_there().at(&self.dir)? else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        for entry in entries {
            let name = entry.at(&self.dir)?.file_name();
            let Some(place) = name.to_str().and_then(parse_name) else { continue };
            if window.touches(place.0) {
                files.push((place, self.dir.join(name)));
            }
        }
        files.sort_unstable();
        Ok(files)
    }
}

/// The day (UTC) of an instant.
fn day(at: jiff::Timestamp) -> jiff::civil::Date {
    jiff::tz::Offset::UTC.to_datetime(at).date()
}

/// `2026-11-20.csv`, `2026-11-20.2.csv`, …
fn path_of(dir: &Path, (day, n): Place) -> PathBuf {
    dir.join(if n == 1 { format!("{day}.csv") } else { format!("{day}.{n}.csv") })
}

fn parse_name(name: &str) -> Option<Place> {
    let stem = name.strip_suffix(".csv")?;
    let (day, n) = match stem.split_once('.') {
        None => (stem, 1),
        Some((day, n)) => (day, n.parse().ok().filter(|&n| n > 1)?),
    };
    // Writers use only this spelling of a date.
    day.parse::<jiff::civil::Date>().ok().filter(|date| date.to_string() == day).map(|day| (day, n))
}
