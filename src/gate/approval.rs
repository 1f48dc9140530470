//! `approvals/ID.json`: what exactly a person is asked to agree to.
//!
//! ```text
//! pending ──approve──▶ approved (and promoted)
//!    ├──────reject───▶ rejected (the challenger's role is cleared)
//!    └─another request─▶ superseded
//! ```
//! A request is good only for what it was made for: the digest over both versions' files, the reference, `mlloop.toml`
//! and the verdict is computed anew, and must be the one in the audit chain.

use super::report::GateReport;
use super::swap::swap;
use super::ticket::{Status, Ticket, digest, find, pending, save};
use super::{GateError, PromoteRequest, prune};
use crate::atomic::Lock;
use crate::reference;
use crate::registry::Version;
use crate::workspace::audit::{Chain, Event};
use crate::workspace::{Config, EventKind, Workspace};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;

/// The answer of `approve` and `reject`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decided {
    /// The request.
    pub request: Ticket,
    /// The version in production now.
    pub production: Option<Version>,
    /// Whether it had been decided so before.
    pub already: bool,
    /// Versions that were removed.
    pub pruned: Vec<Version>,
}

/// The request that `report` calls for, and whether it is new: an equal one may be waiting already.
pub(super) fn ticket(
    workspace: &Workspace,
    config: &Config,
    request: &PromoteRequest,
    chain: &Chain,
    report: &GateReport,
) -> Result<(Ticket, bool), GateError> {
    let j = &report.judgement;
    // Nothing that depends on the clock: the same versions and rows make the same request.
    let broken: Vec<&str> = report.guardrails.iter().filter(|g| g.broken).map(|g| g.name.as_str()).collect();
    let verdict = json!({
        "verdict": j.verdict, "test": j.improvement, "n_rows": j.n_rows, "rows": report.rows_digest, "broken": broken,
        "allow_equivalent": report.allow_equivalent,
    });
    let digest = digest(workspace, config, report.production, report.challenger, &verdict)?;
    let id = format!("{}-{}", report.challenger, &digest[..8]);
    if let Some(waiting) = pending(workspace)?.into_iter().find(|t| t.id == id)
        && request.now < waiting.expires_at
        && asked(chain, &waiting)?
    {
        return Ok((waiting, false));
    }
    let days = SignedDuration::from_hours(24 * i64::from(config.promote.approval_days));
    let expires_at = request.now.checked_add(days).unwrap_or(Timestamp::MAX);
    let ticket = Ticket {
        format: 1,
        id,
        version: report.challenger,
        production: report.production,
        digest,
        verdict,
        sentence: report.sentence.clone(),
        requested_by: request.by.map(str::to_owned),
        requested_at: request.now,
        expires_at,
        status: Status::Pending,
        decided_by: None,
        decided_at: None,
        reason: None,
    };
    Ok((ticket, true))
}

/// Leaves the request for a person: the file, then the line that makes it good.
pub(super) fn ask(workspace: &Workspace, lock: &Lock, ticket: &Ticket) -> Result<(), GateError> {
    save(workspace, ticket)?;
    let details = json!({
        "id": ticket.id, "version": ticket.version, "production": ticket.production, "digest": ticket.digest,
        "expires_at": ticket.expires_at,
    });
    let by = ticket.requested_by.clone();
    workspace.record(
        lock,
        Event { at: ticket.requested_at, event: EventKind::ApprovalRequested, by, roles: None, details },
    )?;
    for other in pending(workspace)?.into_iter().filter(|other| other.id != ticket.id) {
        save(workspace, &Ticket { status: Status::Superseded, ..other })?;
    }
    Ok(())
}

/// Somebody agrees: the version becomes production.
///
/// # Errors
/// When there is no such request, it has expired or was decided, what it was made for is no longer the same, or who
/// agrees is who asked.
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
    let no = |what: String| Err(GateError::Request { id: ticket.id.clone(), what });
    let decided = || Ticket {
        status: Status::Approved,
        decided_by: Some(by.to_owned()),
        decided_at: Some(now),
        ..ticket.clone()
    };
    let keep = config.promote.keep_versions;
    if settled(&chain, &ticket, &EventKind::Promoted)? {
        // The chain says that it was done; what a process that died left open is completed.
        let request = if ticket.status == Status::Pending { decided() } else { ticket.clone() };
        save(workspace, &request)?;
        let pruned = prune::prune(workspace, lock, keep, now)?;
        return Ok(Decided { request, production: workspace.registry().roles()?.production, already: true, pruned });
    }
    still_open(&chain, &ticket)?;
    if now >= ticket.expires_at {
        return no(format!("expired at {}; `mlloop promote` asks anew", ticket.expires_at));
    }
    if ticket.requested_by.as_deref() == Some(by) {
        return no(format!("was made by {by}: somebody else has to agree"));
    }
    let production = workspace.registry().roles()?.production;
    if production != Some(ticket.production) {
        let now = production.map_or_else(|| "nothing".to_owned(), |v| v.to_string());
        return no(format!(
            "was made when {} was production, and {now} is now; `mlloop promote` asks anew",
            ticket.production
        ));
    }
    if digest(workspace, &config, ticket.production, ticket.version, &ticket.verdict)? != ticket.digest {
        return no(
            "a version, the reference, mlloop.toml or the verdict is not what it was made for; `mlloop promote` asks anew"
                .to_owned(),
        );
    }
    workspace.registry().pipeline(ticket.version)?;
    let details = json!({ "id": ticket.id, "version": ticket.version, "digest": ticket.digest });
    let event = Event { at: now, event: EventKind::Approved, by: Some(by.to_owned()), roles: None, details };
    workspace.record(lock, event)?;
    let details = json!({ "version": ticket.version, "from": ticket.production, "id": ticket.id,
        "verdict": ticket.verdict["verdict"] });
    swap(workspace, lock, now, Some(by), ticket.version, details)?;
    let request = decided();
    save(workspace, &request)?;
    let pruned = prune::prune(workspace, lock, keep, now)?;
    Ok(Decided { production: Some(ticket.version), request, already: false, pruned })
}

/// Somebody does not agree: the version is no challenger any more.
///
/// # Errors
/// When there is no such request, or it was decided.
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
    let mut roles = workspace.registry().roles()?;
    let production = roles.production;
    let request = Ticket {
        status: Status::Rejected,
        decided_by: Some(by.to_owned()),
        decided_at: Some(now),
        reason: Some(reason.to_owned()),
        ..ticket.clone()
    };
    if settled(&chain, &ticket, &EventKind::Rejected)? {
        let request = if ticket.status == Status::Pending { request } else { ticket };
        save(workspace, &request)?;
        return Ok(Decided { request, production, already: true, pruned: Vec::new() });
    }
    still_open(&chain, &ticket)?;
    roles.challenger = roles.challenger.filter(|v| *v != ticket.version);
    let details = json!({ "id": ticket.id, "version": ticket.version, "reason": reason });
    let event = Event { at: now, event: EventKind::Rejected, by: Some(by.to_owned()), roles: Some(roles), details };
    workspace.record(lock, event)?;
    save(workspace, &request)?;
    Ok(Decided { request, production, already: false, pruned: Vec::new() })
}

/// Whether the chain says that the request was decided so.
fn settled(chain: &Chain, ticket: &Ticket, how: &EventKind) -> Result<bool, GateError> {
    Ok(chain.decided(&ticket.id, how)?.is_some())
}

/// Whether the chain says that the request was made as it stands.
fn asked(chain: &Chain, ticket: &Ticket) -> Result<bool, GateError> {
    let Some(made) = chain.request(&ticket.id)? else { return Ok(false) };
    let as_made = made.detail::<String>("digest")? == ticket.digest
        && made.detail::<jiff::Timestamp>("expires_at")? == ticket.expires_at
        && made.by == ticket.requested_by;
    Ok(as_made && !settled(chain, ticket, &EventKind::Rejected)?)
}

fn still_open(chain: &Chain, ticket: &Ticket) -> Result<(), GateError> {
    let no = |what: String| Err(GateError::Request { id: ticket.id.clone(), what });
    let who = ticket.decided_by.as_deref().unwrap_or("somebody");
    match ticket.status {
        Status::Approved => no(format!("was approved by {who}; `mlloop status` shows where the loop stands now")),
        Status::Rejected => no(format!("was rejected by {who}")),
        Status::Superseded => no("a later request took its place; `mlloop status` shows it".to_owned()),
        Status::Pending if !asked(chain, ticket)? => {
            no("is not as the audit chain has it; `mlloop promote` asks anew".to_owned())
        }
        Status::Pending => Ok(()),
    }
}
