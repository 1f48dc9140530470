//! Replaces mail in a build without it: messages stay queued for a build with mail.

use super::outbox::Message;
use super::settings::{Email, Secrets};
use std::path::Path;
use std::time::Duration;

/// Never constructed: this build has no mail.
pub(super) enum Letter {}

impl Letter {
    /// Fails: this build sends no mail.
    pub(super) fn new(_: &Email, _: &Secrets, _: &Path, _: &Message) -> Result<Self, String> {
        Err("this mlloop was built without mail (cargo build --features mail)".to_owned())
    }

    /// Never called.
    pub(super) fn send(self, _: Duration) -> Result<(), String> {
        match self {}
    }
}
