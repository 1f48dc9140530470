//! Human approval before a challenger is trained: `[retrain] approval = "manual"`.
//!
//! ```text
//! reason, enough labels ─▶ approvals/retrain-ID.json ─approve─▶ trained now, or by the next `run`
//!                                   └─reject─▶ no change; asked again once there are more labels
//! ```
//! The request is bound to production, the reference and `mlloop.toml`. Labels may still arrive: the challenger is
//! trained on all that exist then.

use super::{RetrainError, Retrained};
use crate::atomic::Lock;
use crate::gate::approval::{Wish, agreeable, approved, ask, rejected, settled, still_open, wished};
use crate::gate::ticket::save;
use crate::gate::{Asks, GateError, Status, Ticket, find, pending};
use crate::registry::Version;
use crate::workspace::audit::{Chain, Entry, Event};
use crate::workspace::event::{Approved, Details, Rejected};
use crate::workspace::{Approval, Config, EventKind, Settled, Workspace};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Approval to train a challenger.
#[derive(Debug)]
pub enum Consent {
    /// Trained at once: no approval is needed.
    Free,
    /// A person has to approve: the request, and whether it is new.
    Waits(Box<Ticket>, bool),
    /// A person rejected it: until when the rejection holds, as text.
    TurnedDown(String),
}

/// Why a challenger should be trained.
pub struct Reasons<'a> {
    /// The reason, in one sentence.
    pub sentence: &'a str,
    /// The training data.
    pub found: &'a Retrained,
    /// Whether it was requested regardless of `monitor`.
    pub force: bool,
    /// The requester: another person must approve. `None` for an unnamed request.
    pub by: Option<&'a str>,
    /// Current time, injected.
    pub now: Timestamp,
}

/// The open request for a retraining of `production`.
///
/// # Errors
/// When a file cannot be read.
pub fn waiting(
    workspace: &Workspace,
    production: Option<Version>,
    now: Timestamp,
) -> Result<Option<Ticket>, RetrainError> {
    let is_open = |ticket: &Ticket| {
        ticket.asks == Asks::Retraining && Some(ticket.production) == production && now < ticket.expires_at
    };
    Ok(pending(workspace)?.into_iter().find(is_open))
}

/// An approved request without a subsequent retraining.
///
/// # Errors
/// If the chain or the request is unreadable.
pub fn agreed(
    workspace: &Workspace,
    chain: &Chain,
    production: Option<Version>,
    now: Timestamp,
) -> Result<Option<Ticket>, RetrainError> {
    let since = chain.last(&EventKind::Retrained).map_or(0, |entry| entry.seq);
    let is_of = |entry: &Entry, said: &Approved| entry.seq > since && said.asks == Some(Asks::Retraining);
    let Some((_, word)) = chain.last_of(is_of)? else { return Ok(None) };
    let ticket = find(workspace, &word.id)?;
    // The same request may have been created again since.
    let holds = settled(chain, &ticket, Settled::Approved)?;
    Ok((holds && Some(ticket.production) == production && now < ticket.expires_at).then_some(ticket))
}

/// Whether a challenger may be trained; creates a request if approval is required.
///
/// # Errors
/// If the workspace cannot be read or written.
pub fn consent(
    workspace: &Workspace,
    lock: &Lock,
    config: &Config,
    production: Version,
    why: &Reasons,
) -> Result<Consent, RetrainError> {
    if config.retrain.approval == Approval::Auto {
        return Ok(Consent::Free);
    }
    let chain = workspace.audit_chain()?;
    let n_new = why.found.plan.n_new;
    if let Some(until) = turned_down(config, &chain, production, n_new, why.now)?.filter(|_| !why.force) {
        return Ok(Consent::TurnedDown(until));
    }
    if let Some(ticket) = waiting(workspace, Some(production), why.now)?
        && agreeable(workspace, config, &chain, &ticket, "", why.now).is_ok()
    {
        return Ok(Consent::Waits(Box::new(ticket), false));
    }
    let wish = Wish {
        asks: Asks::Retraining,
        version: production,
        production,
        verdict: json!({ "reasons": why.sentence, "n_new": n_new, "force": why.force }),
        sentence: &format!("{} {}", why.sentence, why.found.sentence),
        by: why.by,
        now: why.now,
        due_at: None,
    };
    let (ticket, is_new) = wished(workspace, config, &chain, wish)?;
    if is_new {
        ask(workspace, lock, &ticket)?;
    }
    Ok(Consent::Waits(Box::new(ticket), is_new))
}

/// How long a rejection holds: until there are as many more labels as a retraining needs, or until a request
/// would have expired.
fn turned_down(
    config: &Config,
    chain: &Chain,
    production: Version,
    n_new: u64,
    now: Timestamp,
) -> Result<Option<String>, RetrainError> {
    let since = chain.last(&EventKind::Retrained).map_or(0, |entry| entry.seq);
    let is_of = |entry: &Entry, said: &Rejected| entry.seq > since && said.asks == Some(Asks::Retraining);
    let Some((word, said)) = chain.last_of(is_of)? else { return Ok(None) };
    let then = word.needed("n_new", said.n_new)?;
    let wanted = then.saturating_add(config.retrain.min_new_labels.max(1));
    let days = SignedDuration::from_hours(24 * i64::from(config.promote.approval_days));
    let until = word.at.checked_add(days).unwrap_or(Timestamp::MAX);
    if word.needed("production", said.production)? != production || n_new >= wanted || now >= until {
        return Ok(None);
    }
    let by = word.by.as_deref().unwrap_or("somebody");
    Ok(Some(format!(
        "{by} rejected the retraining ({}); it is requested again with {} more new labels, or from {} on",
        word.needed("reason", said.reason)?,
        wanted - n_new,
        until.strftime("%Y-%m-%d %H:%M UTC")
    )))
}

/// Approves the training of a challenger. The second result is whether it was already approved.
///
/// # Errors
/// If there is no such request, it has expired or was decided, or its input has changed.
pub fn approve(
    workspace: &Workspace,
    lock: &Lock,
    id: &str,
    by: &str,
    now: Timestamp,
) -> Result<(Ticket, bool), RetrainError> {
    let config = workspace.config()?;
    let chain = workspace.audit_chain()?;
    let ticket = retrains(find(workspace, id)?)?;
    if settled(&chain, &ticket, Settled::Approved)? {
        let request = if ticket.status == Status::Pending { approved(&ticket, Some(by), now) } else { ticket };
        save(workspace, &request)?;
        return Ok((request, true));
    }
    agreeable(workspace, &config, &chain, &ticket, by, now)?;
    let said = Approved {
        id: ticket.id.clone(),
        asks: ticket.asks.told(),
        version: None,
        production: Some(ticket.production),
        digest: Some(ticket.digest.clone()),
    };
    let details = said.value();
    let event = Event { at: now, event: EventKind::Approved, by: Some(by.to_owned()), roles: None, details };
    workspace.record(lock, event)?;
    let request = approved(&ticket, Some(by), now);
    save(workspace, &request)?;
    Ok((request, false))
}

/// Rejects the request; nothing is trained.
///
/// # Errors
/// If there is no such request, or it was decided.
pub fn reject(
    workspace: &Workspace,
    lock: &Lock,
    id: &str,
    by: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Ticket, RetrainError> {
    let chain = workspace.audit_chain()?;
    let ticket = retrains(find(workspace, id)?)?;
    let request = rejected(&ticket, by, reason, now);
    if settled(&chain, &ticket, Settled::Rejected)? {
        let request = if ticket.status == Status::Pending { request } else { ticket };
        save(workspace, &request)?;
        return Ok(request);
    }
    still_open(&chain, &ticket)?;
    let said = Rejected {
        id: ticket.id.clone(),
        asks: ticket.asks.told(),
        version: None,
        production: Some(ticket.production),
        n_new: ticket.verdict["n_new"].as_u64(),
        reason: Some(reason.to_owned()),
    };
    let details = said.value();
    let event = Event { at: now, event: EventKind::Rejected, by: Some(by.to_owned()), roles: None, details };
    workspace.record(lock, event)?;
    save(workspace, &request)?;
    Ok(request)
}

fn retrains(ticket: Ticket) -> Result<Ticket, RetrainError> {
    match ticket.asks {
        Asks::Retraining => Ok(ticket),
        Asks::Promotion => {
            let what = "is for a promotion, not for a retraining".to_owned();
            Err(GateError::Request { id: ticket.id, what }.into())
        }
    }
}
