//! `runs/outbox/`: one file per undelivered message.

use super::settings::{Channel, Kind, NoticeSettings};
use super::{Notice, NotifyError};
use crate::atomic::{self, At};
use crate::digest::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The queue of a loop.
#[derive(Debug, Clone)]
pub struct Outbox {
    pub(super) runs: PathBuf,
    pub(super) name: String,
}

/// A queued message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    /// Version of this file's format: 1.
    pub format: u32,
    /// When it was written.
    pub at: jiff::Timestamp,
    /// The loop it is about.
    #[serde(rename = "loop")]
    pub name: String,
    /// The kind of event.
    pub event: Kind,
    /// One line.
    pub subject: String,
    /// The full text.
    pub text: String,
    /// A picture attached to mail, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<PathBuf>,
    /// The pending channels.
    pub pending: Vec<Channel>,
    /// Number of failed attempts.
    #[serde(default)]
    pub attempts: u32,
    /// The earliest time of the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<jiff::Timestamp>,
    /// The last error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl Message {
    /// The subject line.
    pub(super) fn title(&self) -> String {
        format!("[mlloop {}] {}", self.name, self.subject)
    }

    /// An id that is the same for every copy of this message.
    pub(super) fn id(&self) -> String {
        digest(&[self.event.name(), &self.subject, &self.name, &self.at.to_string()])
    }
}

impl Outbox {
    /// The queue of the loop called `name`, under its directory `runs`.
    #[must_use]
    pub fn new(runs: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self { runs: runs.into(), name: name.into() }
    }

    /// Writes the enabled `notices` to disk, for the channels that leave the machine.
    ///
    /// # Errors
    /// I/O errors.
    pub fn queue(
        &self,
        settings: &NoticeSettings,
        notices: &[Notice],
        now: jiff::Timestamp,
    ) -> Result<(), NotifyError> {
        let pending: Vec<Channel> = settings.channels.iter().copied().filter(|c| *c != Channel::Console).collect();
        if pending.is_empty() {
            return Ok(());
        }
        for notice in notices.iter().filter(|notice| settings.wants(notice.kind)) {
            let message = Message {
                format: 1,
                at: now,
                name: self.name.clone(),
                event: notice.kind,
                subject: notice.subject.clone(),
                text: notice.text.clone(),
                picture: notice.picture.clone(),
                pending: pending.clone(),
                attempts: 0,
                next_at: None,
                last_error: None,
            };
            let id = digest(&[notice.kind.name(), &notice.about]);
            self.write(&self.dir().join(format!("{}-{id}.json", notice.kind.name())), &message)?;
        }
        Ok(())
    }

    /// The queued messages, oldest first, and the files that are not messages.
    pub(super) fn messages(&self) -> Result<Queued, NotifyError> {
        let dir = self.dir();
        let Some(entries) = std::fs::read_dir(&dir).if_there().at(&dir)? else { return Ok(Queued::default()) };
        let mut queued = Queued::default();
        for entry in entries {
            let path = entry.at(&dir)?.path();
            if path.extension().is_none_or(|ext| ext != "json") {
                continue;
            }
            match atomic::read(&path).map(|bytes| serde_json::from_slice::<Message>(&bytes)) {
                Ok(Ok(message)) if message.format == 1 => queued.messages.push((path, message)),
                _ => queued.damaged.push(path),
            }
        }
        queued.messages.sort_by(|a, b| (a.1.at, &a.0).cmp(&(b.1.at, &b.0)));
        queued.damaged.sort();
        Ok(queued)
    }

    pub(super) fn write(&self, path: &Path, message: &Message) -> Result<(), NotifyError> {
        Ok(atomic::replace_json(path, message).at(path)?)
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.runs.join("outbox")
    }
}

/// The content of the directory.
#[derive(Debug, Default)]
pub(super) struct Queued {
    pub messages: Vec<(PathBuf, Message)>,
    pub damaged: Vec<PathBuf>,
}

/// A digest of `parts` in sixteen hexadecimal digits.
fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hex(&hasher.finalize()[..8])
}
