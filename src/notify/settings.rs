//! `[notify]` in `mlloop.toml`: recipients and events.

use super::address::is_address;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// A channel for notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A line on stderr.
    Console,
    /// SMTP.
    Email,
    /// An HTTP POST with `{"text": …}`, as accepted by Slack and similar services.
    Webhook,
}

/// The events of notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A column, the score or a trigger began to alert.
    DriftOnset,
    /// It stopped alerting.
    DriftRecovery,
    /// There is a new challenger.
    Retrained,
    /// The gate's verdict on the challenger.
    GateVerdict,
    /// A person must decide.
    ApprovalWanted,
    /// Rows were exported for labelling.
    LabelsWanted,
    /// Production will change unless the request is rejected.
    WillPromote,
    /// Production changed.
    Promoted,
    /// Production changed back.
    RolledBack,
    /// A verb ended with an error.
    Failed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::DriftOnset,
        Self::DriftRecovery,
        Self::Retrained,
        Self::GateVerdict,
        Self::ApprovalWanted,
        Self::LabelsWanted,
        Self::WillPromote,
        Self::Promoted,
        Self::RolledBack,
        Self::Failed,
    ];

    /// The name in `mlloop.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DriftOnset => "drift-onset",
            Self::DriftRecovery => "drift-recovery",
            Self::Retrained => "retrained",
            Self::GateVerdict => "gate-verdict",
            Self::ApprovalWanted => "approval-wanted",
            Self::LabelsWanted => "labels-wanted",
            Self::WillPromote => "will-promote",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled-back",
            Self::Failed => "failed",
        }
    }
}

/// A text that is never displayed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one call that needs it.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Secrets, from the environment only.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The user name at the mail server.
    pub smtp_user: Option<String>,
    /// The password at the mail server.
    pub smtp_password: Option<Secret>,
    /// The URL of the webhook.
    pub webhook: Option<Secret>,
    /// The key for signing events; without one, only the text is sent.
    pub webhook_secret: Option<Secret>,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// No encryption.
    None,
    /// Plain at first, then TLS; fails if the server does not offer it.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// `[notify.email]`: the mail settings. User and password come from the environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// The mail server.
    pub host: String,
    /// Its port; 25, 587 or 465 by `tls` when absent.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Tls,
    /// An additional certificate authority (PEM), relative to the workspace.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The sender of mail.
    pub from: String,
    /// The recipients of mail.
    pub to: Vec<String>,
    /// Not allowed here: a password is a secret.
    #[serde(default, deserialize_with = "password_elsewhere", alias = "smtp_password", alias = "pass")]
    password: (),
    /// Not allowed here: the user is set in the environment with the password.
    #[serde(default, deserialize_with = "user_elsewhere", alias = "username", alias = "smtp_user")]
    user: (),
}

/// The error of a secret in `mlloop.toml`, a file that is copied, committed and shown.
fn elsewhere<E: serde::de::Error>(what: &str, variable: &str) -> Result<(), E> {
    Err(E::custom(format!("{what} does not belong in mlloop.toml: remove it, and set {variable} in the environment")))
}

fn webhook_elsewhere<'de, D: serde::Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    elsewhere("the webhook's address, a secret,", "MLLOOP_WEBHOOK_URL")
}

fn password_elsewhere<'de, D: serde::Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    elsewhere("the mail server's password", "MLLOOP_SMTP_PASSWORD")
}

fn user_elsewhere<'de, D: serde::Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    elsewhere("the mail server's user", "MLLOOP_SMTP_USER")
}

impl Email {
    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::None => 25,
            Tls::StartTls => 587,
            Tls::Tls => 465,
        })
    }
}

/// `[notify]`.
#[allow(clippy::manual_non_exhaustive, reason = "the private field refuses a misplaced key with a hint")]
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoticeSettings {
    /// The channels; no notifications when empty.
    pub channels: Vec<Channel>,
    /// The events that are notified.
    pub events: Vec<Kind>,
    /// Messages that could not be delivered for this many hours are dropped.
    pub max_age_hours: f64,
    /// Time limit for a server, in seconds.
    pub timeout_seconds: f64,
    /// Not allowed here: the webhook's URL is a secret.
    #[serde(deserialize_with = "webhook_elsewhere", alias = "webhook_url", alias = "url")]
    webhook: (),
    /// How mail is sent.
    pub email: Option<Email>,
}

impl Default for NoticeSettings {
    fn default() -> Self {
        Self {
            channels: Vec::new(),
            events: Kind::ALL.to_vec(),
            max_age_hours: 72.0,
            timeout_seconds: 10.0,
            webhook: (),
            email: None,
        }
    }
}

impl NoticeSettings {
    /// Whether `kind` is reported.
    #[must_use]
    pub fn wants(&self, kind: Kind) -> bool {
        !self.channels.is_empty() && self.events.contains(&kind)
    }

    /// Whether messages are sent through `channel`.
    #[must_use]
    pub fn has(&self, channel: Channel) -> bool {
        self.channels.contains(&channel)
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// One line that names the key; never a value that could be secret.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: f64, low: f64, high: f64| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(format!("[notify] {name} = {value} must be between {low} and {high}")),
        };
        within("timeout_seconds", self.timeout_seconds, 0.1, 300.0)?;
        within("max_age_hours", self.max_age_hours, 0.0, 24.0 * 365.0)?;
        match &self.email {
            None if self.has(Channel::Email) => {
                Err("[notify] channels lists email: configure it under [notify.email] (host, from, to)".to_owned())
            }
            Some(email) if email.to.is_empty() => Err("[notify.email] to is empty".to_owned()),
            Some(email) => {
                let bad = std::iter::once(&email.from).chain(&email.to).find(|address| !is_address(address));
                bad.map_or(Ok(()), |address| Err(format!("[notify.email] {address:?} is not a mail address")))
            }
            None => Ok(()),
        }
    }
}
