//! The loop on one page: what waits for a person first.

use super::parts::{Reading, Standing, Told, readings};
use super::{Asked, rendered};
use crate::ab::experiment::Experiment;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops};
use crate::drift::report::{self, Trigger};
use crate::gate;
use crate::labels::fill;
use crate::registry::Role;
use crate::report::number::{clean, number_or, short};
use askama::Template;

/// Lines of the audit chain that are shown.
const LAST_EVENTS: usize = 8;

#[derive(Template)]
#[template(path = "ui_overview.html")]
struct Page {
    shell: Shell,
    predicts: String,
    sentence: String,
    tone: &'static str,
    compared: Option<Compared>,
    waiting: Vec<Waiting>,
    standings: Vec<Standing>,
    readings: Vec<Reading>,
    triggers: Vec<Bar>,
    experiment: Option<String>,
    events: Vec<Told>,
    broken: Option<String>,
}

/// What the last comparison said.
struct Compared {
    at: String,
    severity: &'static str,
    drifted: String,
    version: String,
    other_version: bool,
}

/// Something that a person has to do.
pub(super) struct Waiting {
    pub(super) what: String,
    pub(super) to: &'static str,
    pub(super) name: &'static str,
}

/// A reason to retrain, and how near it is.
struct Bar {
    name: String,
    text: String,
    /// 0 to 100; none when it is off or cannot be told.
    progress: Option<u32>,
    of: String,
    fired: bool,
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let workspace = &asked.dashboard.workspace;
    let config = workspace.config()?;
    let registry = workspace.registry();
    let roles = registry.roles()?;
    let drift = asked.drift()?;
    let mut standings = Vec::new();
    let mut shown = Vec::new();
    for (name, role) in [("production", Role::Production), ("challenger", Role::Challenger)] {
        let Some(version) = roles.holder(role) else { continue };
        let manifest = registry.manifest(version)?;
        if role == Role::Production
            && let Some(gate) = registry.gate(version, &manifest)?
        {
            shown = readings(&gate);
        }
        standings.push(Standing::new(version, name, &manifest));
    }
    let production = roles.production.map(|version| version.to_string());
    let chain = workspace.audit_chain()?;
    let (sentence, tone) = match (&drift, &production) {
        (_, None) => ("Nothing is in production yet: `mlloop train` makes the first version.".to_owned(), "unknown"),
        (None, Some(version)) => {
            (format!("{version} is in production. What arrived was not compared with its reference yet."), "unknown")
        }
        (Some(report), Some(_)) => (clean(&report.verdict.sentence), tone(report.verdict.retrain)),
    };
    let experiment = Experiment::load(workspace)?.filter(Experiment::is_running);
    let page = Page {
        shell: asked.shell("/ui", "Overview")?,
        predicts: short(&config.target.column, 80),
        sentence,
        tone,
        compared: drift.as_ref().map(|report| Compared {
            at: when(report.made_at),
            severity: severity(report.verdict.severity),
            drifted: format!("{} of {} columns", report.share.n_drifted, report.columns.len()),
            version: report.version.clone().unwrap_or_default(),
            other_version: report.version != production,
        }),
        waiting: waiting(asked)?,
        standings,
        readings: shown,
        triggers: drift
            .iter()
            .flat_map(|report| report.triggers.iter().filter(|t| t.fired || t.name != "force").map(bar))
            .collect(),
        experiment: experiment.map(|experiment| {
            let arms: Vec<String> = experiment
                .arms
                .iter()
                .zip(experiment.weights())
                .map(|(arm, weight)| format!("{} {} ({:.0} %)", arm.name, arm.version, 100.0 * weight))
                .collect();
            format!("{} is running: {}", short(&experiment.name, 80), arms.join(", "))
        }),
        events: chain.entries.iter().rev().take(LAST_EVENTS).map(Told::of).collect(),
        broken: chain.broken.map(|found| format!("line {} of audit.jsonl: {}", found.line, found.what)),
    };
    rendered(&page)
}

/// What waits for a person, the decisions first.
pub(super) fn waiting(asked: &Asked) -> Result<Vec<Waiting>, Oops> {
    let workspace = &asked.dashboard.workspace;
    let now = asked.dashboard.now();
    let mut all = Vec::new();
    for ticket in gate::pending(workspace)? {
        let what = if ticket.asks == gate::Asks::Retraining {
            match now >= ticket.expires_at {
                true => "A request to retrain has expired; run the loop to ask anew.".to_owned(),
                false => format!("A retraining waits, until {}: {}", when(ticket.expires_at), clean(&ticket.sentence)),
            }
        } else if now >= ticket.expires_at {
            format!("The request to promote {} has expired; let the gate judge again.", ticket.version)
        } else {
            format!(
                "{} may be promoted instead of {}, until {}.",
                ticket.version,
                ticket.production,
                when(ticket.expires_at)
            )
        };
        all.push(Waiting { what, to: "/ui/decide", name: "Decide" });
    }
    for batch in fill::out(workspace)? {
        let what = format!("{} rows of batch {} wait for labels.", batch.rows.len(), batch.batch);
        all.push(Waiting { what, to: "/ui/label", name: "Label" });
    }
    Ok(all)
}

pub(super) fn tone(answer: report::Answer) -> &'static str {
    match answer {
        report::Answer::Yes => "drifted",
        report::Answer::No => "stable",
        report::Answer::CannotTell => "unknown",
    }
}

pub(super) fn severity(severity: Option<report::Severity>) -> &'static str {
    match severity {
        Some(report::Severity::Low) => "LOW",
        Some(report::Severity::Medium) => "MEDIUM",
        Some(report::Severity::High) => "HIGH",
        None => "unknown",
    }
}

fn bar(trigger: &Trigger) -> Bar {
    let progress = match (trigger.value, trigger.threshold) {
        _ if trigger.fired => Some(100),
        (Some(value), Some(threshold)) if threshold > 0.0 && value.is_finite() => {
            Some((100.0 * value / threshold).clamp(0.0, 100.0) as u32)
        }
        _ => None,
    };
    Bar {
        name: clean(&trigger.name).replace('_', " "),
        text: short(&trigger.text, 200),
        // Below is the bad side of an accuracy, so that its share of the threshold says nothing.
        progress: progress.filter(|_| trigger.fired || !trigger.name.contains("accuracy")),
        of: format!("{} of {}", number_or(trigger.value), number_or(trigger.threshold)),
        fired: trigger.fired,
    }
}
