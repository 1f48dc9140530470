//! Delivers queued messages to servers, with retries and time limits.

use super::outbox::{Message, Queued};
use super::settings::{Channel, NoticeSettings, Secret, Secrets};
use super::{NotifyError, Outbox, mail, webhook};
use crate::atomic::{self, At};
use serde::Serialize;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The result of delivering messages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Delivery {
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that wait for the next attempt.
    pub waiting: u64,
    /// Errors, one line each, without secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<String>,
}

/// How long to wait for another sending process before leaving the queue to it.
const PATIENCE: Duration = Duration::from_millis(500);
/// Number of attempts after which the delay no longer doubles: 2^9 minutes are about eight hours.
const MAX_DOUBLINGS: u32 = 9;

impl Outbox {
    /// Sends queued messages that are due. After a failure, a channel is not used again in this call, and the message
    /// waits 2, 4, 8, … minutes (at most eight hours) before a retry; one older than `max_age_hours` is dropped. If
    /// another process is sending, this does nothing. Relative paths of `settings` are relative to `base`.
    ///
    /// # Errors
    /// If the queue itself cannot be read or written; failing servers are reported in [`Delivery::trouble`].
    pub fn deliver(
        &self,
        settings: &NoticeSettings,
        secrets: &Secrets,
        base: &Path,
        now: jiff::Timestamp,
    ) -> Result<Delivery, NotifyError> {
        let mut delivery = Delivery::default();
        if !self.dir().exists() {
            return Ok(delivery);
        }
        let Ok(_lock) = atomic::lock_within(&self.dir().join(".lock"), PATIENCE) else { return Ok(delivery) };
        atomic::remove_leftovers(&self.dir()).at(self.dir())?;
        let Queued { messages, damaged } = self.messages()?;
        for path in damaged {
            delivery.trouble.push(format!("{}: not a valid message; removed", path.display()));
            remove(&path)?;
        }
        let mut failed = Vec::new();
        for (path, mut message) in messages {
            let round = Round { settings, secrets, base, now };
            if round.try_one(&mut message, &mut failed, &mut delivery) {
                remove(&path)?;
            } else {
                delivery.waiting += 1;
                self.write(&path, &message)?;
            }
        }
        Ok(delivery)
    }
}

fn remove(path: &Path) -> Result<(), NotifyError> {
    Ok(atomic::remove_file(path).at(path)?)
}

struct Round<'a> {
    settings: &'a NoticeSettings,
    secrets: &'a Secrets,
    base: &'a Path,
    now: jiff::Timestamp,
}

impl Round<'_> {
    /// Sends a message through its pending channels; returns whether it is completed.
    fn try_one(&self, message: &mut Message, failed: &mut Vec<Channel>, delivery: &mut Delivery) -> bool {
        message.pending.retain(|&channel| self.settings.has(channel));
        let hours = self.now.duration_since(message.at).as_secs_f64() / 3600.0;
        if !message.pending.is_empty() && hours > self.settings.max_age_hours {
            delivery.trouble.push(format!("dropped after {hours:.0} hours: {}", message.title()));
            return true;
        }
        if message.next_at.is_some_and(|next| next > self.now) {
            return false;
        }
        let mut trouble = None;
        let callable = message.pending.clone().into_iter().filter(|channel| !failed.contains(channel));
        for channel in callable.collect::<Vec<_>>() {
            match self.send(channel, message) {
                Ok(()) => {
                    message.pending.retain(|&other| other != channel);
                    delivery.sent += 1;
                }
                Err(what) => {
                    failed.push(channel);
                    trouble = Some(what);
                }
            }
        }
        if let Some(what) = trouble {
            message.attempts += 1;
            let minutes = 1_i64 << message.attempts.min(MAX_DOUBLINGS);
            message.next_at = self.now.checked_add(jiff::SignedDuration::from_mins(minutes)).ok();
            delivery.trouble.push(format!("{what}; next attempt in {minutes} minutes or later"));
            message.last_error = Some(what);
        }
        message.pending.is_empty()
    }

    /// Sends through one channel within its timeout; the error message contains no secret.
    fn send(&self, channel: Channel, message: &Message) -> Result<(), String> {
        let timeout = Duration::from_secs_f64(self.settings.timeout_seconds);
        let sent = match channel {
            Channel::Console => Ok(()),
            Channel::Email => match &self.settings.email {
                None => Err("[notify.email] is missing".to_owned()),
                Some(email) => mail::Letter::new(email, self.secrets, self.base, message)
                    .and_then(|letter| within(timeout, move || letter.send(timeout)))
                    .map_err(|what| format!("mail to {}: {what}", email.host)),
            },
            Channel::Webhook => match &self.secrets.webhook {
                None => Err("webhook: its address is missing: set MLLOOP_WEBHOOK_URL in the environment".to_owned()),
                Some(url) => webhook::Post::new(url, self.secrets.webhook_secret.as_ref(), message, self.now)
                    .and_then(|post| within(timeout, move || post.send(timeout)))
                    .map_err(|what| format!("webhook: {what}")),
            },
        };
        sent.map_err(|what| self.scrub(what))
    }

    /// Removes secrets from a message of a server or a library.
    fn scrub(&self, mut text: String) -> String {
        let Secrets { smtp_password, webhook, webhook_secret, .. } = self.secrets;
        let secrets = [smtp_password.as_ref(), webhook.as_ref(), webhook_secret.as_ref()];
        for secret in secrets.into_iter().flatten().map(Secret::text).filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "***");
        }
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
    }
}

/// Runs `work`, which may hang where a library has no timeout (name resolution, a slow byte stream), for at most about
/// twice `timeout`; then it is abandoned.
fn within(timeout: Duration, work: impl FnOnce() -> Result<(), String> + Send + 'static) -> Result<(), String> {
    let (told, tell) = mpsc::channel();
    let begun = thread::Builder::new().name("notify".to_owned()).spawn(move || told.send(work()));
    begun.map_err(|err| err.to_string())?;
    let late = |_| Err(format!("no answer within {} seconds", timeout.as_secs_f64() * 2.0));
    tell.recv_timeout(timeout * 2).unwrap_or_else(late)
}
