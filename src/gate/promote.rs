//! From the challenger to production: the gate, and the promotion.

use super::evaluate::evaluate;
use super::report::GateReport;
use super::rows::Contestant;
use super::swap::swap;
use super::{GateError, PromoteRequest, Ticket, approval, prune};
use crate::atomic::{self, At, Lock};
use crate::period::Period;
use crate::reference::{self, Adopted};
use crate::registry::{RegistryError, Role, Roles, Version};
use crate::table::Rejects;
use crate::workspace::audit::{Chain, Event};
use crate::workspace::event::{Because, Decision, Details, GateVerdict, HoldoutRows, Promoted};
use crate::workspace::{Approval, Config, EventKind, Setting, Workspace};
use serde::Serialize;
use std::path::Path;

/// The result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PromoteOutcome {
    /// The version is production now.
    Promoted,
    /// It was already promoted, and nothing changed since.
    Already,
    /// A dry run: it would be promoted, or approval would be requested.
    Would,
    /// It is not good enough.
    Refused,
    /// Inconclusive: too few rows.
    Inconclusive,
    /// It waits for human approval.
    Waiting,
    /// There is no challenger.
    Nothing,
}

/// The answer of `promote`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Promotion {
    /// The result.
    pub done: PromoteOutcome,
    /// The version that was to be promoted.
    pub version: Option<Version>,
    /// The version in production now.
    pub production: Option<Version>,
    /// The result, in one sentence.
    pub sentence: String,
    /// The gate's report, if the gate ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<GateReport>,
    /// The request that waits for approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Ticket>,
    /// Versions that were pruned.
    pub pruned: Vec<Version>,
    /// What became of the reference, where its file was rewritten.
    #[serde(skip)]
    pub adopted: Option<Adopted>,
    /// Rows that were left out.
    #[serde(skip)]
    pub rejects: Rejects,
}

impl Promotion {
    fn of(done: PromoteOutcome, version: Option<Version>, production: Option<Version>, sentence: String) -> Self {
        Self {
            done,
            version,
            production,
            sentence,
            report: None,
            request: None,
            pruned: Vec::new(),
            adopted: None,
            rejects: Rejects::default(),
        }
    }
}

/// Runs the gate and carries out its decision. Without a lock nothing is changed, so pass one unless it is a dry run.
///
/// # Errors
/// If versions cannot be compared or verified, or a file does not fit.
pub fn promote(workspace: &Workspace, lock: Option<&Lock>, request: &PromoteRequest) -> Result<Promotion, GateError> {
    let lock = lock.filter(|_| !request.dry_run);
    let Some(held) = lock else { return decide(workspace, None, request) };
    // An interrupted promotion is completed first: the gate rows are those of the reference.
    let before = reference::settle(workspace, held, request.now)?;
    let promotion = decide(workspace, lock, request)?;
    let adopted = reference::settle(workspace, held, request.now)?.or(before);
    Ok(Promotion { adopted, ..promotion })
}

fn decide(workspace: &Workspace, lock: Option<&Lock>, request: &PromoteRequest) -> Result<Promotion, GateError> {
    let config = workspace.config()?;
    let roles = workspace.registry().roles()?;
    let chain = workspace.audit_chain()?;
    let Some(production) = roles.production else {
        if let Some(version) = request.version.or(roles.challenger) {
            return first(workspace, lock, &config, request, &roles, version);
        }
        return Err(RegistryError::NoRole { role: Role::Production, dir: workspace.path("models") }.into());
    };
    let Some(version) = request.version.or(roles.challenger) else {
        return nothing(workspace, lock, &config, request, &chain, &roles, production);
    };
    workspace.registry().path(version)?;
    if version == production {
        let sentence = format!("{version} is already in production.");
        let pruned = finish(workspace, lock, &config, request)?;
        return Ok(Promotion {
            pruned,
            ..Promotion::of(PromoteOutcome::Already, Some(version), Some(version), sentence)
        });
    }
    match request.overridden {
        Some(reason) => override_gate(workspace, lock, &config, request, &roles, version, reason),
        None => ask_gate(workspace, lock, &config, request, &chain, &roles, (production, version)),
    }
}

/// Without production there is nothing to compare with; a version that is not fit for production needs human approval.
fn first(
    workspace: &Workspace,
    lock: Option<&Lock>,
    config: &Config,
    request: &PromoteRequest,
    roles: &Roles,
    version: Version,
) -> Result<Promotion, GateError> {
    workspace.registry().path(version)?;
    if let Some(reason) = request.overridden {
        return override_gate(workspace, lock, config, request, roles, version, reason);
    }
    let doubts = workspace.registry().manifest(version)?.doubts;
    Err(GateError::Usage(format!(
        "no version is in production, and {version} is not fit for it: {}; train a better one, or promote it with \
         --override REASON --by NAME",
        doubts.join("; ")
    )))
}

/// Without a challenger there is nothing to do, or the promotion was just done: a crashed process may have to be
/// completed.
fn nothing(
    workspace: &Workspace,
    lock: Option<&Lock>,
    config: &Config,
    request: &PromoteRequest,
    chain: &Chain,
    roles: &Roles,
    production: Version,
) -> Result<Promotion, GateError> {
    let last = chain
        .entries
        .iter()
        .rev()
        .find(|entry| !matches!(entry.event, EventKind::Pruned | EventKind::ReferenceUpdated));
    match last.filter(|entry| entry.event == EventKind::Promoted) {
        Some(entry) => {
            let at = entry.at.strftime("%Y-%m-%d %H:%M:%S UTC");
            let sentence = format!("{production} was promoted at {at}, and nothing has changed since.");
            let pruned = finish(workspace, lock, config, request)?;
            let answer = Promotion::of(PromoteOutcome::Already, Some(production), roles.production, sentence);
            Ok(Promotion { pruned, ..answer })
        }
        None => {
            let sentence = "There is no challenger: train one with `mlloop retrain` or `mlloop train`.".to_owned();
            Ok(Promotion::of(PromoteOutcome::Nothing, None, Some(production), sentence))
        }
    }
}

/// A person overrides the gate; the version must be unchanged since it was stored.
fn override_gate(
    workspace: &Workspace,
    lock: Option<&Lock>,
    config: &Config,
    request: &PromoteRequest,
    roles: &Roles,
    version: Version,
    reason: &str,
) -> Result<Promotion, GateError> {
    let Some(by) = request.by else {
        return Err(GateError::Usage("--override needs --by NAME: it is recorded who is responsible".to_owned()));
    };
    workspace.registry().pipeline(version)?;
    let told = format!("against the gate, by {by}: {reason}");
    let Some(lock) = lock else {
        let sentence = format!("{version} would be promoted {told}.");
        return Ok(Promotion::of(PromoteOutcome::Would, Some(version), roles.production, sentence));
    };
    let because = Because { overridden: Some(reason.to_owned()), ..Because::default() };
    let promoted = Promoted { version, from: roles.production, because };
    swap(workspace, lock, request.now, Some(by), &promoted)?;
    let pruned = prune::prune(workspace, lock, config.promote.keep_versions, request.now)?;
    let sentence = format!("{version} was promoted {told}.");
    Ok(Promotion { pruned, ..Promotion::of(PromoteOutcome::Promoted, Some(version), Some(version), sentence) })
}

fn ask_gate(
    workspace: &Workspace,
    lock: Option<&Lock>,
    config: &Config,
    request: &PromoteRequest,
    chain: &Chain,
    roles: &Roles,
    (production, version): (Version, Version),
) -> Result<Promotion, GateError> {
    if let Some(lock) = lock
        && let Some(ticket) = approval::announced(workspace, config, chain, (production, version), request.now)?
    {
        return announced(workspace, lock, config, request, ticket);
    }
    let contestants = (Contestant::load(workspace, production)?, Contestant::load(workspace, version)?);
    let (report, rows, rejects) = evaluate(workspace, config, &chain.entries, &contestants.0, &contestants.1, request)?;
    let of = |done, sentence| Promotion::of(done, Some(version), roles.production, sentence);
    let sentence = report.sentence.clone();
    let answer = match (report.decision, lock) {
        (Decision::Promote, None) => of(PromoteOutcome::Would, format!("{version} would be promoted. {sentence}")),
        (Decision::Promote, Some(lock)) => carry_out(workspace, lock, config, request, chain, &report, &rows)?,
        (decision, lock) => {
            if let Some(lock) = lock {
                record_verdict(workspace, lock, request, &report, &rows)?;
            }
            of(
                if decision == Decision::Wait { PromoteOutcome::Inconclusive } else { PromoteOutcome::Refused },
                sentence,
            )
        }
    };
    Ok(Promotion { report: Some(report), rejects, ..answer })
}

/// The gate agrees: promotes, or requests approval.
fn carry_out(
    workspace: &Workspace,
    lock: &Lock,
    config: &Config,
    request: &PromoteRequest,
    chain: &Chain,
    report: &GateReport,
    rows: &HoldoutRows,
) -> Result<Promotion, GateError> {
    let version = report.challenger;
    let is_announced = config.promote.notice > Period::default();
    if config.promote.approval == Approval::Manual || is_announced {
        let (ticket, is_new) = approval::ticket(workspace, config, request, chain, report)?;
        if is_new {
            record_verdict(workspace, lock, request, report, rows)?;
            approval::ask(workspace, lock, &ticket)?;
        }
        let sentence = format!("{version} passes the gate. {}", ticket.waits());
        let answer = Promotion::of(PromoteOutcome::Waiting, Some(version), Some(report.production), sentence);
        return Ok(Promotion { request: Some(ticket), ..answer });
    }
    record_verdict(workspace, lock, request, report, rows)?;
    let because = Because {
        verdict: Some(Some(report.judgement.verdict)),
        allow_equivalent: Some(report.allow_equivalent.clone()),
        ..Because::default()
    };
    swap(workspace, lock, request.now, request.by, &Promoted { version, from: Some(report.production), because })?;
    let pruned = prune::prune(workspace, lock, config.promote.keep_versions, request.now)?;
    let sentence = format!("{version} is in production now and replaces {}. {}", report.production, report.sentence);
    Ok(Promotion { pruned, ..Promotion::of(PromoteOutcome::Promoted, Some(version), Some(version), sentence) })
}

/// An announced promotion: carried out once it is due.
fn announced(
    workspace: &Workspace,
    lock: &Lock,
    config: &Config,
    request: &PromoteRequest,
    ticket: Ticket,
) -> Result<Promotion, GateError> {
    let (version, old) = (ticket.version, ticket.production);
    if ticket.due_at.is_some_and(|due| request.now < due) {
        let answer = Promotion::of(PromoteOutcome::Waiting, Some(version), Some(old), ticket.waits());
        return Ok(Promotion { request: Some(ticket), ..answer });
    }
    let sentence = format!(
        "{version} is in production now and replaces {old}: it was not rejected since {}. {}",
        ticket.requested_at.strftime("%Y-%m-%d %H:%M UTC"),
        ticket.sentence
    );
    let decided = approval::come_due(workspace, lock, config, ticket, request.now)?;
    let answer = Promotion::of(PromoteOutcome::Promoted, Some(version), Some(version), sentence);
    Ok(Promotion { request: Some(decided.request), pruned: decided.pruned, ..answer })
}

/// Writes the report and its line in the audit chain.
fn record_verdict(
    workspace: &Workspace,
    lock: &Lock,
    request: &PromoteRequest,
    report: &GateReport,
    rows: &HoldoutRows,
) -> Result<(), GateError> {
    let dir = workspace.path("reports");
    atomic::make_dirs(&dir).and_then(|()| atomic::remove_leftovers(&dir)).at(&dir)?;
    let path = dir.join("gate_report.json");
    atomic::replace_json(&path, report).at(&path)?;
    let plain = |text: &str| text.to_owned();
    for (name, text) in [("gate_report.txt", report.text(&plain, &plain)), ("gate_report.html", report.html())] {
        let path = dir.join(name);
        atomic::replace(&path, |out| out.write_all(text.as_bytes())).at(&path)?;
    }
    let j = &report.judgement;
    let verdict = GateVerdict {
        production: report.production,
        challenger: report.challenger,
        verdict: Some(j.verdict),
        decision: report.decision,
        test: serde_json::json!(j.improvement),
        alpha: Some(j.alpha),
        broken: Some(report.guardrails.iter().filter(|rail| rail.broken).map(|rail| rail.name.clone()).collect()),
        rows: Some(rows.clone()),
        uses: Some(report.holdout.uses),
        allow_equivalent: report.allow_equivalent.clone(),
        seed: request.seed,
        settings: workspace.settings().iter().map(Setting::pair).collect(),
        labels: Some(workspace.keep(lock, Path::new("data/labels.csv"))?),
    };
    let details = verdict.value();
    let by = request.by.map(str::to_owned);
    workspace.record(lock, Event { at: request.now, event: EventKind::GateVerdict, by, roles: None, details })?;
    Ok(())
}

/// Prunes what an earlier, interrupted promotion would have pruned.
fn finish(
    workspace: &Workspace,
    lock: Option<&Lock>,
    config: &Config,
    request: &PromoteRequest,
) -> Result<Vec<Version>, GateError> {
    match lock {
        Some(lock) => prune::prune(workspace, lock, config.promote.keep_versions, request.now),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
#[path = "promote_tests.rs"]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests;
