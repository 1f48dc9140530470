//! Appending to the log: one file a day and header, kept open.

use super::{JournalError, Layout, Place, day, path_of};
use crate::atomic::{self, Appender, At};
use jiff::{SignedDuration, Timestamp};
use std::io;
use std::path::PathBuf;

/// When lines are made to survive a crash of the machine; they always survive a crash of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Before an append returns.
    #[default]
    Always,
    /// Once a second, measured by the times of appended lines, and when a file is closed.
    Batch,
    /// When the operating system decides.
    Off,
}

/// Appends to the log and keeps its file open. Several writers may append concurrently, in this process and others.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    header: Vec<u8>,
    durability: Durability,
    open: Option<(Place, Appender)>,
    synced_at: Timestamp,
}

/// How long [`Durability::Batch`] waits.
const BATCH: SignedDuration = SignedDuration::from_secs(1);

impl Writer {
    pub(super) fn new(dir: PathBuf, layout: &Layout, durability: Durability) -> Self {
        Self { dir, header: layout.header(), durability, open: None, synced_at: Timestamp::MIN }
    }

    /// Appends lines made by [`Layout::push`], all with the time `at`: all of them or none, in one write.
    ///
    /// # Errors
    /// I/O errors; then nothing was added, and the next append tries again.
    pub fn append(&mut self, at: Timestamp, lines: &[u8]) -> Result<(), JournalError> {
        if lines.is_empty() {
            return Ok(());
        }
        let day = day(at);
        if self.open.as_ref().is_some_and(|((open, _), _)| *open != day) {
            self.close()?;
        }
        let mut n = self.open.as_ref().map_or(1, |((_, n), _)| *n);
        let sync = self.durability == Durability::Always;
        loop {
            let path = path_of(&self.dir, (day, n));
            let appended = self.append_to((day, n), lines, sync);
            match appended.at(path)? {
                true => break,
                // This file has the header of a version with other columns.
                false => n += 1,
            }
        }
        if self.durability == Durability::Batch && at.duration_since(self.synced_at).abs() >= BATCH {
            self.sync()?;
            self.synced_at = at;
        }
        Ok(())
    }

    /// The file that was appended to last.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        self.open.as_ref().map(|(place, _)| path_of(&self.dir, *place))
    }

    fn append_to(&mut self, place: Place, lines: &[u8], sync: bool) -> io::Result<bool> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != place) {
            let path = path_of(&self.dir, place);
            let opened = Appender::open(&path).or_else(|err| match err.kind() {
                io::ErrorKind::NotFound => atomic::make_dirs(&self.dir).and_then(|()| Appender::open(&path)),
                _ => Err(err),
            });
            self.open = Some((place, opened?));
        }
        match &mut self.open {
            Some((_, file)) => file.append(&self.header, lines, sync),
            None => Ok(false),
        }
    }

    /// Makes appended lines survive a crash of the machine.
    ///
    /// # Errors
    /// I/O errors.
    pub fn sync(&self) -> Result<(), JournalError> {
        let Some((place, file)) = &self.open else { return Ok(()) };
        Ok(file.sync().at(path_of(&self.dir, *place))?)
    }

    /// Closes the file; the next append opens one again.
    ///
    /// # Errors
    /// I/O errors.
    pub fn close(&mut self) -> Result<(), JournalError> {
        if self.durability == Durability::Batch {
            self.sync()?;
        }
        self.open = None;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A destructor cannot report errors.
        let _ = self.close();
    }
}
