//! Decisions: pending promotions, a retraining, a rollback.

use super::changes::{Change, changes};
use super::judged::Verdict;
use super::reasons::{Reasons, reasons};
use super::{Asked, rendered};
use crate::ab::experiment::Experiment;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops};
use crate::drift::report::DriftReport;
use crate::gate::{self, Asks, GateReport, Ticket};
use crate::registry::{Roles, Version};
use crate::report::metrics::{Reading, readings};
use crate::report::number::{clean, short};
use crate::workspace::event::RolledBack;
use askama::Template;

#[derive(Template)]
#[template(path = "ui_decide.html")]
struct Page {
    shell: Shell,
    requests: Vec<Request>,
    production: Option<String>,
    challenger: Option<String>,
    previous: Vec<String>,
    reasons: Reasons,
    /// A note next to the reasons that fired; empty if none is needed.
    nothing: String,
    /// Why a retraining cannot be started here now; empty if it can.
    first: String,
    unjudged: bool,
    last: Option<Verdict>,
    taken_back: String,
    damaged: Vec<String>,
}

/// A promotion or a retraining that waits for a decision.
pub(super) struct Request {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) sentence: String,
    pub(super) asked_by: String,
    pub(super) asked_at: String,
    pub(super) until: String,
    /// When an announced promotion is carried out.
    pub(super) due: Option<String>,
    pub(super) expired: bool,
    pub(super) is_promotion: bool,
    /// Whether the viewer made the request; if so, another person must approve.
    pub(super) own: bool,
    pub(super) digest: String,
    pub(super) sides: Vec<(String, Vec<Reading>, String)>,
    pub(super) changes: Vec<Change>,
    pub(super) same: String,
    pub(super) verdict: Option<Verdict>,
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let workspace = &asked.dashboard.workspace;
    let roles = workspace.registry().roles()?;
    let tickets = gate::pending(workspace)?;
    let requests: Result<Vec<Request>, Oops> = tickets.iter().map(|ticket| request(asked, ticket)).collect();
    let drift = asked.drift()?;
    let found = reasons(asked, roles.production, drift.as_deref())?;
    let said = nothing(drift.as_deref(), roles.production, found.fired().next().is_some());
    let unjudged = unjudged(asked, &roles)?;
    let chain = asked.chain()?;
    let last = asked.verdict().map(|report| Verdict::with_outcome(&report, &chain)).transpose()?;
    let mut previous: Vec<String> = roles.previous.iter().rev().map(ToString::to_string).collect();
    previous.dedup();
    rendered(&Page {
        shell: asked.shell("/ui/decide", "Decide")?,
        requests: requests?,
        production: roles.production.map(|version| version.to_string()),
        challenger: roles.challenger.map(|version| version.to_string()),
        previous,
        nothing: said,
        reasons: found,
        first: first(asked, &tickets, unjudged),
        unjudged: unjudged.is_some(),
        last,
        taken_back: taken_back(asked, &roles)?,
        damaged: asked.damaged()?,
    })
}

/// The challenger, if the gate has not refused it and no approval was requested; the gate does not judge one in an
/// experiment here.
pub(super) fn unjudged(asked: &Asked, roles: &Roles) -> Result<Option<Version>, Oops> {
    let Some(version) = roles.challenger.filter(|_| roles.production.is_some()) else { return Ok(None) };
    let workspace = &asked.dashboard.workspace;
    let now = asked.dashboard.now();
    let is_asked =
        |ticket: &Ticket| ticket.asks == Asks::Promotion && ticket.version == version && now < ticket.expires_at;
    let runs = Experiment::load(workspace)?.is_some_and(|experiment| experiment.applies(roles.production));
    if runs || gate::pending(workspace)?.iter().any(is_asked) {
        return Ok(None);
    }
    Ok(asked.chain()?.is_unjudged(version)?.then_some(version))
}

/// The note next to the reasons: that none fired, or that the new rows were not checked.
fn nothing(report: Option<&DriftReport>, production: Option<Version>, fired: bool) -> String {
    match (report, production) {
        (Some(report), Some(version)) if fired && report.version == Some(version.to_string()) => String::new(),
        (_, None) => "Nothing is in production yet.".to_owned(),
        (None, _) => "The current data has not been compared with the reference yet.".to_owned(),
        (Some(report), Some(version)) if report.version != Some(version.to_string()) => {
            format!("The current data has not been compared for {version} yet.")
        }
        _ => "There is no reason to retrain now.".to_owned(),
    }
}

/// What must be decided before a retraining can be started.
fn first(asked: &Asked, tickets: &[Ticket], unjudged: Option<Version>) -> String {
    let now = asked.dashboard.now();
    let open = |asks: Asks| tickets.iter().find(|ticket| ticket.asks == asks && now < ticket.expires_at);
    match (open(Asks::Promotion), open(Asks::Retraining), unjudged) {
        (Some(ticket), _, _) => format!("{} waits for a decision; nothing is trained until then.", ticket.version),
        (_, Some(_), _) => "A retraining waits for approval: approve or reject it above.".to_owned(),
        (_, _, Some(version)) => format!("{version} is trained and waits for the gate; run the gate first."),
        _ => String::new(),
    }
}

/// The version that was rolled back last, which is not among the versions that production can go back to.
fn taken_back(asked: &Asked, roles: &Roles) -> Result<String, Oops> {
    let chain = asked.chain()?;
    let Some((entry, said)) = chain.last_of(|_, _: &RolledBack| true)? else { return Ok(String::new()) };
    if roles.production != Some(said.version) {
        return Ok(String::new());
    }
    let from = said.from;
    let by = entry.by.as_deref().map_or_else(String::new, |by| format!(" by {}", short(by, 60)));
    let why = said.reason.map_or_else(String::new, |why| format!(": {}", short(&why, 300)));
    Ok(format!("{from} was in production until {}, when it was rolled back{by}{why}", when(entry.at)))
}

/// A request, with everything that is to be approved.
pub(super) fn request(asked: &Asked, ticket: &Ticket) -> Result<Request, Oops> {
    let is_promotion = ticket.asks == Asks::Promotion;
    let report = match is_promotion {
        true => asked.verdict_on(ticket.production, ticket.version),
        false => None,
    };
    let (mut sides, mut all, mut same) = (Vec::new(), Vec::new(), String::new());
    if is_promotion {
        sides = vec![side(asked, ticket.production, "production,")?, side(asked, ticket.version, "challenger,")?];
        (all, same) = changes(asked, ticket.production, ticket.version)?;
    }
    Ok(Request {
        id: ticket.id.clone(),
        title: match ticket.asks {
            Asks::Promotion => format!("{} instead of {}", ticket.version, ticket.production),
            Asks::Retraining => "Train a challenger".to_owned(),
        },
        sentence: clean(&ticket.sentence),
        asked_by: ticket.requested_by.as_deref().map_or_else(|| "the loop".to_owned(), |by| short(by, 60)),
        asked_at: when(ticket.requested_at),
        until: when(ticket.expires_at),
        due: ticket.due_at.map(when),
        is_promotion,
        expired: asked.dashboard.now() >= ticket.expires_at,
        own: asked.viewer.session.as_ref().is_some_and(|session| ticket.is_of(&session.name)),
        digest: ticket.digest.clone(),
        sides,
        changes: all,
        same,
        verdict: report.as_ref().map(|report: &GateReport| Verdict::of(report)),
    })
}

fn side(asked: &Asked, version: Version, title: &str) -> Result<(String, Vec<Reading>, String), Oops> {
    let registry = asked.dashboard.workspace.registry();
    let manifest = registry.manifest(version)?;
    let rows = format!("{} rows, trained {}", manifest.rows.total(), when(manifest.trained_at));
    let found = registry.gate(version, &manifest)?.map_or_else(Vec::new, |gate| readings(&gate));
    Ok((format!("{title} {version}"), found, rows))
}
