//! Messages to people: on the console, by e-mail, to a webhook.
//!
//! ```text
//! verb ─▶ Notice ─▶ queue: runs/outbox/EVENT-ID.json ─▶ deliver ─▶ SMTP, HTTP
//!   └ observe: onsets and ends ◀─ runs/notified.jsonl          └ refused, slow, down: the file stays, retried later
//! ```
//! A message is on disk before a server is called, so a crash loses none; if the crash comes after sending, it is sent
//! again with the same Message-ID. Delivery never fails the command: its problems are reported, but are not errors.
//! Passwords and the webhook's URL are arguments; they are never written to a file or to text that leaves this module.

mod address;
mod deliver;
#[cfg(feature = "mail")]
mod mail;
#[cfg(not(feature = "mail"))]
#[path = "no_mail.rs"]
mod mail;
mod onsets;
mod outbox;
mod settings;
#[cfg(test)]
#[cfg(all(feature = "mail", feature = "serve"))]
mod tests;
mod webhook;

pub use deliver::Delivery;
pub use onsets::{Changes, Observation};
pub use outbox::Outbox;
pub use settings::{Channel, Email, Kind, NoticeSettings, Secret, Secrets, Tls};

use crate::atomic::AtPath;
use crate::drift::report::{ColumnReport, ColumnVerdict, DriftReport};
use std::path::PathBuf;

/// Errors of the queue itself.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] AtPath),
}

/// A message to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The kind of event.
    pub kind: Kind,
    /// The subject: a version, columns, a verb. A newer notice of the same kind and subject replaces an older one
    /// that is still queued.
    pub about: String,
    /// One line.
    pub subject: String,
    /// The full text, plain; lines that begin with `- ` are a list.
    pub text: String,
    /// A picture attached to mail, relative to the workspace.
    pub picture: Option<PathBuf>,
}

impl Notice {
    /// A notice whose text is its subject.
    #[must_use]
    pub fn new(kind: Kind, about: impl Into<String>, subject: impl Into<String>) -> Self {
        let subject = subject.into();
        Self { kind, about: about.into(), text: subject.clone(), subject, picture: None }
    }

    /// The same with more lines.
    #[must_use]
    pub fn with(mut self, more: &str) -> Self {
        self.text.push('\n');
        self.text.push_str(more);
        self
    }
}

/// The observations of a drift report: columns and the score by verdict, triggers by whether they fired.
/// A column without a verdict neither begins nor ends.
#[must_use]
pub fn observations(report: &DriftReport) -> Vec<Observation> {
    let of_column = |check: &str, column: &ColumnReport| Observation {
        key: format!("{check}/{}", column.name),
        open: match column.verdict {
            ColumnVerdict::Drifted => Some(true),
            ColumnVerdict::Stable => Some(false),
            _ => None,
        },
        text: match (column.psi, check) {
            (Some(psi), "score") => format!("the score drifted (PSI {psi:.3})"),
            (Some(psi), _) => format!("{} drifted (PSI {psi:.3})", column.name),
            (None, _) => format!("{} drifted ({})", column.name, column.method),
        },
    };
    let columns = report.columns.iter().map(|column| of_column("drift", column));
    let score = report.score.iter().map(|column| of_column("score", column));
    // A trigger requested by a person is active only for that request.
    let triggers = report.triggers.iter().filter(|trigger| trigger.name != "force");
    let triggers = triggers.map(|trigger| Observation {
        key: format!("trigger/{}", trigger.name),
        open: trigger.value.map(|_| trigger.fired),
        text: trigger.text.clone(),
    });
    columns.chain(score).chain(triggers).collect()
}

/// Triggers that count rows or time, not drift.
const COUNTED: [&str; 3] = ["trigger/new_rows", "trigger/unused_feedback", "trigger/age"];

/// Onsets and ends since the last report, at most one notice each.
#[must_use]
pub fn drift_notices(changes: &Changes, sentence: &str) -> Vec<Notice> {
    let notice = |kind, word: (&str, &str), found: &[Observation], tail: &str| {
        // Labels and age are reasons to retrain, but not signs of drift.
        let (counted, drifted): (Vec<&Observation>, Vec<&Observation>) =
            found.iter().partition(|one| COUNTED.contains(&one.key.as_str()));
        let titles = [(word.0, drifted), (word.1, counted)].into_iter().filter(|(_, found)| !found.is_empty());
        let titles = titles.map(|(word, found)| {
            format!("{word}: {}", found.iter().map(|one| one.name()).collect::<Vec<_>>().join(", "))
        });
        let title = titles.collect::<Vec<_>>().join("; ");
        let lines: Vec<String> = found.iter().map(|one| format!("- {}", one.text)).collect();
        (!found.is_empty()).then(|| {
            let keys: Vec<&str> = found.iter().map(|one| one.key.as_str()).collect();
            Notice::new(kind, keys.join(" "), title).with(&format!("{}{tail}", lines.join("\n")))
        })
    };
    let began =
        notice(Kind::DriftOnset, ("drift began", "a reason to retrain"), &changes.began, &format!("\n{sentence}"));
    let ended = notice(Kind::DriftRecovery, ("drift ended", "no longer a reason to retrain"), &changes.ended, "");
    began.into_iter().chain(ended).collect()
}
