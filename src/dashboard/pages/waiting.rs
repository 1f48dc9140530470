//! Open tasks, each with the page where it is done; decisions come first.

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
use serde_json::Value;

/// A task for a person.
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

/// The open tasks, decisions first.
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
        let n = fill::rows_left(workspace, batch)? as u64;
        let rows = counted(n, "row", "rows");
        let what = format!("{rows} of batch {} {} for labels.", batch.batch, if n == 1 { "waits" } else { "wait" });
        all.push(Waiting { what, to: "/ui/label", name: "Label" });
    }
    // If nothing is waiting, the reason alone is not enough: name the next step.
    let is_open = tickets.iter().any(|ticket| now < ticket.expires_at) || unjudged.is_some();
    if let Some(first) = reasons.fired().next().filter(|_| !is_open && roles.production.is_some()) {
        let why = short(&first.text, 160);
        let n_unused = asked.standing(roles.production)?.n_unused as u64;
        if n_unused > 0 {
            let labels =
                counted(n_unused, "label that no version was trained on", "labels that no version was trained on");
            all.push(Waiting::decide(format!("A retraining is needed ({why}); there are {labels}.")));
        } else if out.is_empty() {
            let what = format!("A retraining is needed ({why}), but there are no new labels: choose rows to label.");
            all.push(Waiting { what, to: "/ui/label", name: "Label" });
        }
    }
    Ok(all)
}

/// A request, and what happens if nobody decides.
fn request(ticket: &Ticket, now: Timestamp) -> String {
    let (new, old, until) = (ticket.version, ticket.production, when(ticket.expires_at));
    match (ticket.asks, ticket.due_at) {
        (Asks::Retraining, _) if now >= ticket.expires_at => {
            "A request to retrain has expired; run the loop for a new request.".to_owned()
        }
        (Asks::Promotion, _) if now >= ticket.expires_at => {
            format!("The request to promote {new} has expired; run the gate again.")
        }
        (Asks::Retraining, _) => format!("A retraining waits for approval, until {until}: {}", clean(&ticket.sentence)),
        (Asks::Promotion, Some(due)) => {
            format!("Unless rejected, {new} replaces {old} in production at the next run after {}.", when(due))
        }
        (Asks::Promotion, None) => format!("{new} waits for approval to replace {old} in production, until {until}."),
    }
}

/// What the running experiment waits for: a winner is named before the next step.
fn experiment(asked: &Asked) -> Result<Option<Waiting>, Oops> {
    let workspace = &asked.dashboard.workspace;
    let experiment = Experiment::load(workspace)?.filter(Experiment::is_running);
    let Some(experiment) = experiment else { return Ok(None) };
    let name = short(&experiment.name, 80);
    let steps = schedule(&experiment);
    let went_back = steps.iter().any(|step| step.state == "went back");
    let here = steps.iter().position(|step| step.state == "here");
    let found = last_look(asked, &experiment).filter(|found| found.is_told);
    let what = match (found, here.map(|at| steps.get(at + 1))) {
        _ if went_back => Some(format!("{name} went back to its first arm: check it, or end it.")),
        (Some(found), _) => Some(format!("{name}: {}", found.sentence)),
        (None, Some(Some(next))) if asked.dashboard.now() >= next.from => {
            Some(format!("The next step of {name} is due."))
        }
        (None, Some(None)) => Some(format!("{name} has reached its last step: promote its winner, or end it.")),
        (None, _) => None,
    };
    Ok(what.map(|what| Waiting { what, to: "/ui/experiment", name: "Experiment" }))
}

/// The result of the last look at an experiment.
pub(super) struct Looked {
    pub(super) sentence: String,
    /// Whether there is a result: a winner, no difference, or a sample ratio mismatch.
    is_told: bool,
}

/// The last look at `experiment`; `None` before the first look, or if the report is unreadable or about another
/// experiment, which the page of the experiment reports.
pub(super) fn last_look(asked: &Asked, experiment: &Experiment) -> Option<Looked> {
    let report: Value = asked.dashboard.workspace.report("ab_report.json").ok().flatten()?;
    if report["source"]["name"].as_str() != Some(&experiment.name) {
        return None;
    }
    let at = report["made_at"].as_str().and_then(|at| at.parse().ok()).map(when)?;
    let verdict = &report["verdict"];
    Some(Looked {
        sentence: format!("{} (as of {at})", clean(verdict["sentence"].as_str()?)),
        is_told: verdict["answer"].as_str() != Some("keep_running"),
    })
}
