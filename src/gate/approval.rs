//! `approvals/ID.json`: requests for approval, each bound to exactly what is approved.
//!
//! ```text
//! pending ──approve──▶ approved (and promoted)
//!    ├──────reject───▶ rejected (the challenger's role is cleared)
//!    └─another request─▶ superseded
//! ```
//! A request is valid only for its original input: the digest over both versions' files, the reference, `mlloop.toml`
//! and the verdict is recomputed, and must equal the one in the audit chain.

use super::report::GateReport;
use super::swap::swap;
use super::ticket::{Status, Ticket, digest, find, pending, save};
use super::{GateError, PromoteRequest, prune};
use crate::atomic::Lock;
use crate::reference;
use crate::registry::Version;
use crate::workspace::audit::{Chain, Event};
use crate::workspace::event::{self, ApprovalRequested, Asks, Because, Details, Promoted};
use crate::workspace::{Approval, Config, EventKind, Settled, Workspace};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The answer of `approve` and `reject`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Decided {
    /// The request.
    pub request: Ticket,
    /// The version in production now.
    pub production: Option<Version>,
    /// Whether it was already decided in the same way.
    pub already: bool,
    /// Versions that were pruned.
    pub pruned: Vec<Version>,
}

/// The content of a request for approval.
pub(crate) struct Wish<'a> {
    pub asks: Asks,
    /// The version to promote, or the one that a retraining starts from.
    pub version: Version,
    pub production: Version,
    /// The findings; they do not depend on the clock, so that the same versions and rows give the same request.
    pub verdict: Value,
    pub sentence: &'a str,
    pub by: Option<&'a str>,
    pub now: Timestamp,
    /// When it is carried out if nobody decides before.
    pub due_at: Option<Timestamp>,
}

/// The request for `report`, and whether it is new: an equal one may already be open.
pub(super) fn ticket(
    workspace: &Workspace,
    config: &Config,
    request: &PromoteRequest,
    chain: &Chain,
    report: &GateReport,
) -> Result<(Ticket, bool), GateError> {
    let j = &report.judgement;
    let broken: Vec<&str> = report.guardrails.iter().filter(|g| g.broken).map(|g| g.name.as_str()).collect();
    let verdict = json!({
        "verdict": j.verdict, "test": j.improvement, "n_rows": j.n_rows, "rows": report.rows_digest, "broken": broken,
        "allow_equivalent": report.allow_equivalent,
    });
    // The requester is the person who trained the challenger, not the one who runs the gate.
    let asked = match request.by {
        Some(by) => Some(by),
        None => chain.maker_of(report.challenger)?.and_then(|made| made.by.as_deref()),
    };
    let wish = Wish {
        asks: Asks::Promotion,
        version: report.challenger,
        production: report.production,
        verdict,
        sentence: &report.sentence,
        by: asked,
        now: request.now,
        due_at: (config.promote.approval == Approval::Auto).then(|| config.promote.notice.after(request.now)),
    };
    wished(workspace, config, chain, wish)
}

/// The request for a wish, and whether it is new.
pub(crate) fn wished(
    workspace: &Workspace,
    config: &Config,
    chain: &Chain,
    wish: Wish,
) -> Result<(Ticket, bool), GateError> {
    let digest = digest(workspace, config, wish.production, wish.version, &wish.verdict)?;
    let id = match wish.asks {
        Asks::Promotion => format!("{}-{}", wish.version, &digest[..8]),
        Asks::Retraining => format!("retrain-{}", &digest[..8]),
    };
    if let Some(waiting) = pending(workspace)?.into_iter().find(|t| t.id == id)
        && wish.now < waiting.expires_at
        && asked(chain, &waiting)?
    {
        return Ok((waiting, false));
    }
    let days = SignedDuration::from_hours(24 * i64::from(config.promote.approval_days));
    let expires_at = wish.now.checked_add(days).unwrap_or(Timestamp::MAX);
    let ticket = Ticket {
        format: 1,
        asks: wish.asks,
        id,
        version: wish.version,
        production: wish.production,
        digest,
        verdict: wish.verdict,
        sentence: wish.sentence.to_owned(),
        requested_by: wish.by.map(str::to_owned),
        requested_at: wish.now,
        expires_at,
        due_at: wish.due_at,
        status: Status::Pending,
        decided_by: None,
        decided_at: None,
        reason: None,
    };
    Ok((ticket, true))
}

/// Creates the request: first the file, then the line in the audit chain that makes it valid.
pub(crate) fn ask(workspace: &Workspace, lock: &Lock, ticket: &Ticket) -> Result<(), GateError> {
    save(workspace, ticket)?;
    let is_promotion = ticket.asks == Asks::Promotion;
    let requested = ApprovalRequested {
        id: ticket.id.clone(),
        asks: ticket.asks.told(),
        version: is_promotion.then_some(ticket.version),
        production: Some(ticket.production),
        digest: ticket.digest.clone(),
        expires_at: ticket.expires_at,
        due_at: ticket.due_at.filter(|_| is_promotion),
    };
    let details = requested.value();
    let by = ticket.requested_by.clone();
    workspace.record(
        lock,
        Event { at: ticket.requested_at, event: EventKind::ApprovalRequested, by, roles: None, details },
    )?;
    let replaced = |other: &Ticket| other.id != ticket.id && other.asks == ticket.asks;
    for other in pending(workspace)?.into_iter().filter(replaced) {
        save(workspace, &Ticket { status: Status::Superseded, ..other })?;
    }
    Ok(())
}

/// The approved request.
pub(crate) fn approved(ticket: &Ticket, by: Option<&str>, now: Timestamp) -> Ticket {
    let decided_by = by.map(str::to_owned);
    Ticket { status: Status::Approved, decided_by, decided_at: Some(now), ..ticket.clone() }
}

/// The rejected request.
pub(crate) fn rejected(ticket: &Ticket, by: &str, reason: &str, now: Timestamp) -> Ticket {
    Ticket {
        status: Status::Rejected,
        decided_by: Some(by.to_owned()),
        decided_at: Some(now),
        reason: Some(reason.to_owned()),
        ..ticket.clone()
    }
}

/// Fails unless `by` may approve the request now: it is open, has not expired, and its input is unchanged.
pub(crate) fn agreeable(
    workspace: &Workspace,
    config: &Config,
    chain: &Chain,
    ticket: &Ticket,
    by: &str,
    now: Timestamp,
) -> Result<(), GateError> {
    let no = |what: String| Err(GateError::Request { id: ticket.id.clone(), what });
    let anew = anew(ticket.asks);
    still_open(chain, ticket)?;
    if now >= ticket.expires_at {
        return no(format!("expired at {}; {anew}", ticket.expires_at));
    }
    if ticket.is_of(by) {
        return no(format!("was made by {by}: another person must approve it"));
    }
    let production = workspace.registry().roles()?.production;
    if production != Some(ticket.production) {
        let now = production.map_or_else(|| "nothing".to_owned(), |v| v.to_string());
        return no(format!("was made when {} was production, and {now} is now; {anew}", ticket.production));
    }
    if digest(workspace, config, ticket.production, ticket.version, &ticket.verdict)? != ticket.digest {
        return no(format!("a version, the reference, mlloop.toml or the verdict has changed since; {anew}"));
    }
    Ok(())
}

/// The command that creates such a request.
fn anew(asks: Asks) -> &'static str {
    match asks {
        Asks::Promotion => "`mlloop promote` makes a new request",
        Asks::Retraining => "`mlloop run` makes a new request",
    }
}

/// Fails for a request to retrain.
fn promotes(ticket: &Ticket) -> Result<(), GateError> {
    let what = "is for a retraining, not for a promotion".to_owned();
    match ticket.asks {
        Asks::Promotion => Ok(()),
        Asks::Retraining => Err(GateError::Request { id: ticket.id.clone(), what }),
    }
}

/// Approves a request: the version becomes production.
///
/// # Errors
/// If there is no such request, it has expired or was decided, its input has changed, or the approver is the
/// requester.
pub fn approve(workspace: &Workspace, lock: &Lock, id: &str, by: &str, now: Timestamp) -> Result<Decided, GateError> {
    reference::settle(workspace, lock, now)?;
    let decided = agree(workspace, lock, id, by, now)?;
    reference::settle(workspace, lock, now)?;
    Ok(decided)
}

fn agree(workspace: &Workspace, lock: &Lock, id: &str, by: &str, now: Timestamp) -> Result<Decided, GateError> {
    let config = workspace.config()?;
    let chain = workspace.audit_chain()?;
    let ticket = find(workspace, id)?;
    promotes(&ticket)?;
    let keep = config.promote.keep_versions;
    if settled(&chain, &ticket, Settled::Promoted)? {
        // If the chain already records it, complete the steps left by a crashed process.
        let request = if ticket.status == Status::Pending { approved(&ticket, Some(by), now) } else { ticket.clone() };
        save(workspace, &request)?;
        let pruned = prune::prune(workspace, lock, keep, now)?;
        return Ok(Decided { request, production: workspace.registry().roles()?.production, already: true, pruned });
    }
    agreeable(workspace, &config, &chain, &ticket, by, now)?;
    workspace.registry().pipeline(ticket.version)?;
    let said = event::Approved {
        id: ticket.id.clone(),
        asks: None,
        version: Some(ticket.version),
        production: None,
        digest: Some(ticket.digest.clone()),
    };
    let details = said.value();
    let event = Event { at: now, event: EventKind::Approved, by: Some(by.to_owned()), roles: None, details };
    workspace.record(lock, event)?;
    carry_out(workspace, lock, &config, ticket, Some(by), now)
}

/// Puts the version of the request into production.
fn carry_out(
    workspace: &Workspace,
    lock: &Lock,
    config: &Config,
    ticket: Ticket,
    by: Option<&str>,
    now: Timestamp,
) -> Result<Decided, GateError> {
    let verdict = Option::deserialize(&ticket.verdict["verdict"])
        .map_err(|err| GateError::Request { id: ticket.id.clone(), what: format!("has a damaged verdict: {err}") })?;
    let because = Because {
        verdict: Some(verdict),
        id: Some(ticket.id.clone()),
        announced: by.is_none().then_some(ticket.requested_at),
        ..Because::default()
    };
    swap(workspace, lock, now, by, &Promoted { version: ticket.version, from: Some(ticket.production), because })?;
    let request = approved(&ticket, by, now);
    save(workspace, &request)?;
    let pruned = prune::prune(workspace, lock, config.promote.keep_versions, now)?;
    Ok(Decided { production: Some(ticket.version), request, already: false, pruned })
}

/// The announced promotion of `version`, if it is undecided and its input unchanged.
pub(super) fn announced(
    workspace: &Workspace,
    config: &Config,
    chain: &Chain,
    (production, version): (Version, Version),
    now: Timestamp,
) -> Result<Option<Ticket>, GateError> {
    for ticket in pending(workspace)? {
        let is_it = ticket.asks == Asks::Promotion
            && ticket.due_at.is_some()
            && (ticket.production, ticket.version) == (production, version)
            && now < ticket.expires_at;
        if is_it
            && asked(chain, &ticket)?
            && digest(workspace, config, production, version, &ticket.verdict)? == ticket.digest
        {
            return Ok(Some(ticket));
        }
    }
    Ok(None)
}

/// Carries out an announced promotion that is due.
pub(super) fn come_due(
    workspace: &Workspace,
    lock: &Lock,
    config: &Config,
    ticket: Ticket,
    now: Timestamp,
) -> Result<Decided, GateError> {
    workspace.registry().pipeline(ticket.version)?;
    carry_out(workspace, lock, config, ticket, None, now)
}

/// Rejects a request: the version is no longer challenger.
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
) -> Result<Decided, GateError> {
    let chain = workspace.audit_chain()?;
    let ticket = find(workspace, id)?;
    promotes(&ticket)?;
    let mut roles = workspace.registry().roles()?;
    let production = roles.production;
    let request = rejected(&ticket, by, reason, now);
    if settled(&chain, &ticket, Settled::Rejected)? {
        let request = if ticket.status == Status::Pending { request } else { ticket };
        save(workspace, &request)?;
        return Ok(Decided { request, production, already: true, pruned: Vec::new() });
    }
    still_open(&chain, &ticket)?;
    roles.challenger = roles.challenger.filter(|v| *v != ticket.version);
    let said = event::Rejected {
        id: ticket.id.clone(),
        asks: None,
        version: Some(ticket.version),
        production: None,
        n_new: None,
        reason: Some(reason.to_owned()),
    };
    let details = said.value();
    let event = Event { at: now, event: EventKind::Rejected, by: Some(by.to_owned()), roles: Some(roles), details };
    workspace.record(lock, event)?;
    save(workspace, &request)?;
    Ok(Decided { request, production, already: false, pruned: Vec::new() })
}

/// Whether the chain records this decision on the request.
pub(crate) fn settled(chain: &Chain, ticket: &Ticket, how: Settled) -> Result<bool, GateError> {
    Ok(chain.is_decided(&ticket.id, how)?)
}

/// Whether the chain records the request with this content.
fn asked(chain: &Chain, ticket: &Ticket) -> Result<bool, GateError> {
    let Some((line, made)) = chain.request(&ticket.id)? else { return Ok(false) };
    let as_made = made.digest == ticket.digest
        && made.expires_at == ticket.expires_at
        && made.due_at == ticket.due_at
        && line.by == ticket.requested_by;
    Ok(as_made && !settled(chain, ticket, Settled::Rejected)?)
}

pub(crate) fn still_open(chain: &Chain, ticket: &Ticket) -> Result<(), GateError> {
    let no = |what: String| Err(GateError::Request { id: ticket.id.clone(), what });
    let who = ticket.decided_by.as_deref().unwrap_or("somebody");
    match ticket.status {
        Status::Approved => no(format!("was approved by {who}; `mlloop status` shows the current state")),
        Status::Rejected => no(format!("was rejected by {who}")),
        Status::Superseded => no("a later request replaced it; `mlloop status` shows it".to_owned()),
        Status::Pending if !asked(chain, ticket)? => {
            no(format!("differs from what the audit chain records; {}", anew(ticket.asks)))
        }
        Status::Pending => Ok(()),
    }
}

#[cfg(test)]
#[path = "approval_tests.rs"]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests;
