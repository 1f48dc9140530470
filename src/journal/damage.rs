//! Unreadable lines of the log, and files with an unreadable header.

use super::read::{Scan, name_of};
use super::{Journal, JournalError, Layout, Scanned, Window};

/// A damaged file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, in `predictions/`.
    pub file: String,
    /// The problem, as a clause.
    pub what: String,
}

impl Scanned {
    /// A note that unreadable lines are skipped; `None` without any.
    #[must_use]
    pub fn unread(&self) -> Option<String> {
        let first = match self.rejects.first() {
            Some((file, reject)) => format!(" (the first is {file}, {reject})"),
            None => String::new(),
        };
        match self.n_rejected {
            0 => None,
            1 => Some(format!("1 unreadable line of the prediction log is left out{first}: see `mlloop doctor`")),
            n => Some(format!("{n} unreadable lines of the prediction log are left out{first}: see `mlloop doctor`")),
        }
    }
}

impl Journal {
    /// The lines of `window` that are skipped, as a sentence; `None` if every line is readable.
    ///
    /// # Errors
    /// As [`Journal::scan`].
    pub fn unread(&self, window: &Window) -> Result<Option<String>, JournalError> {
        let scanned = self.scan(window, &Layout::default(), false, |_| Ok::<(), JournalError>(()))?;
        Ok(scanned.unread())
    }

    /// Every file with unreadable lines, or without the header of a prediction log.
    ///
    /// # Errors
    /// I/O errors.
    pub fn damage(&self) -> Result<Vec<Damage>, JournalError> {
        let (window, layout) = (Window::default(), Layout::default());
        let scan = Scan::new(&window, &layout, false);
        let mut found = Vec::new();
        for (_, path) in self.files(&window)? {
            let mut scanned = Scanned::default();
            let read = scan.file(&path, &mut scanned, &mut |_| Ok::<(), JournalError>(()));
            let what = match (read, scanned.n_rejected, scanned.rejects.first()) {
                (Err(JournalError::Damaged { what, .. }), ..) => what,
                (Err(other), ..) => return Err(other),
                (Ok(()), 0, _) => continue,
                (Ok(()), n, Some((_, first))) => format!("has {n} unreadable lines, the first is {first}"),
                (Ok(()), n, None) => format!("has {n} lines without an id, a time or a version"),
            };
            found.push(Damage { file: name_of(&path), what });
        }
        Ok(found)
    }
}
