//! What waits for a person, each with the page where it is done: the decisions first.

use super::Asked;
use super::decide::unjudged;
use super::reasons::Reasons;
use crate::ab::experiment::Experiment;
use crate::ab::rollout::schedule;
use crate::dashboard::shell::when;
use crate::dashboard::web::Oops;
use crate::gate::{self, Asks, Ticket};
use crate::labels::{fill, settle};
use crate::report::number::{clean, counted, short};
use jiff::Timestamp;

/// Something that a person has to do.
pub(super) struct Waiting {
    pub(super) what: String,
    pub(super) to: &'static str,
    pub(super) name: &'static str,
}

impl Waiting {
    fn decide(what: String) -> Self {
        Self { what, to: "/ui/decide", name: "Decide" }
    }
}

/// What waits for a person, the decisions first.
pub(super) fn waiting(asked: &Asked, reasons: &Reasons) -> Result<Vec<Waiting>, Oops> {
    let workspace = &asked.dashboard.workspace;
    let now = asked.dashboard.now();
    let roles = workspace.registry().roles()?;
    let tickets = gate::pending(workspace)?;
    let mut all: Vec<Waiting> = tickets.iter().map(|ticket| Waiting::decide(request(ticket, now))).collect();
    let unjudged = unjudged(asked, &roles)?;
    if let Some(version) = unjudged {
        all.push(Waiting::decide(format!("{version} is trained, and the gate has not judged it.")));
    }
    all.extend(experiment(asked)?);
    let n_open = settle::open(workspace, 0)?.n;
    if n_open > 0 {
        let what = counted(n_open as u64, "answer conflicts or looks wrong.", "answers conflict or look wrong.");
        all.push(Waiting { what, to: "/ui/settle", name: "Settle" });
    }
    let out = fill::out(workspace)?;
    for batch in &out {
        let what = format!("{} rows of batch {} wait for labels.", batch.rows.len(), batch.batch);
        all.push(Waiting { what, to: "/ui/label", name: "Label" });
    }
    // A reason without anything that waits is no news to act on: the next step is named.
    let is_open = tickets.iter().any(|ticket| now < ticket.expires_at) || unjudged.is_some();
    if let Some(first) = reasons.fired().next().filter(|_| !is_open && roles.production.is_some()) {
        let why = short(&first.text, 160);
        let n_unused = asked.standing(roles.production)?.n_unused as u64;
        if n_unused > 0 {
            let labels =
                counted(n_unused, "label that no version has learned from", "labels that no version has learned from");
            all.push(Waiting::decide(format!("A retraining is asked for ({why}); there are {labels}.")));
        } else if out.is_empty() {
            let what = format!("A retraining is asked for ({why}), and there are no new labels: choose rows to label.");
            all.push(Waiting { what, to: "/ui/label", name: "Label" });
        }
    }
    Ok(all)
}

/// A request, and what becomes of it when nobody says anything.
fn request(ticket: &Ticket, now: Timestamp) -> String {
    let (new, old, until) = (ticket.version, ticket.production, when(ticket.expires_at));
    match (ticket.asks, ticket.due_at) {
        (Asks::Retraining, _) if now >= ticket.expires_at => {
            "A request to retrain has expired; run the loop to ask anew.".to_owned()
        }
        (Asks::Promotion, _) if now >= ticket.expires_at => {
            format!("The request to promote {new} has expired; let the gate judge again.")
        }
        (Asks::Retraining, _) => format!("A retraining waits, until {until}: {}", clean(&ticket.sentence)),
        (Asks::Promotion, Some(due)) => {
            format!(
                "{new} goes into production instead of {old} by the next run after {}, unless it is rejected.",
                when(due)
            )
        }
        (Asks::Promotion, None) => format!("{new} may be promoted instead of {old}, until {until}."),
    }
}

/// What the running experiment waits for.
fn experiment(asked: &Asked) -> Result<Option<Waiting>, Oops> {
    let experiment = Experiment::load(&asked.dashboard.workspace)?.filter(Experiment::is_running);
    let Some(experiment) = experiment else { return Ok(None) };
    let name = short(&experiment.name, 80);
    let steps = schedule(&experiment);
    let what = match steps.iter().position(|step| step.state == "here") {
        Some(at) => match steps.get(at + 1) {
            Some(next) if asked.dashboard.now() >= next.from => Some(format!("The next step of {name} is due.")),
            Some(_) => None,
            None => Some(format!("{name} has reached its last step: promote its winner, or end it.")),
        },
        None if steps.iter().any(|step| step.state == "went back") => {
            Some(format!("{name} went back to its first arm: look at it, or end it."))
        }
        None => None,
    };
    Ok(what.map(|what| Waiting { what, to: "/ui/experiment", name: "Experiment" }))
}
