//! The loop on one page: open tasks first.

use super::fares::{FEW, Fares, fares};
use super::judged::Verdict;
use super::parts::{Standing, Told, severity, tone};
use super::reasons::{Reasons, reasons};
use super::waiting::{Waiting, last_look, waiting};
use super::{Asked, rendered};
use crate::ab::experiment::Experiment;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops};
use crate::demo;
use crate::registry::Role;
use crate::report::metrics::{Reading, readings};
use crate::report::number::short;
use crate::report::share_text;
use askama::Template;

/// Number of lines of the audit chain shown.
const LAST_EVENTS: usize = 8;

#[derive(Template)]
#[template(path = "ui_overview.html")]
struct Page {
    shell: Shell,
    predicts: String,
    severity_tone: &'static str,
    compared: Option<Compared>,
    waiting: Vec<Waiting>,
    standings: Vec<Standing>,
    /// Production's metrics on the gate rows of its time.
    readings: Vec<Reading>,
    /// Both versions on the same rows, if the gate has judged them.
    judged: Option<Verdict>,
    challenger: Option<String>,
    reasons: Reasons,
    fares: Option<Fares>,
    is_demo: bool,
    experiment: Option<String>,
    events: Vec<Told>,
    broken: Option<String>,
    damaged: Vec<String>,
}

/// The result of the last comparison.
struct Compared {
    at: String,
    severity: &'static str,
    drifted: String,
    /// What the severity is a share of.
    ratio: String,
    version: String,
    other_version: bool,
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
        if role == Role::Production {
            shown = registry.gate(version, &manifest)?.as_ref().map_or_else(Vec::new, readings);
        }
        standings.push(Standing::new(version, name, &manifest, config.promote.metric));
    }
    let judged = roles.production.zip(roles.challenger).and_then(|(old, new)| asked.verdict_on(old, new));
    let production = roles.production.map(|version| version.to_string());
    let found = reasons(asked, roles.production, drift.as_deref())?;
    let chain = asked.chain()?;
    let experiment = Experiment::load(workspace)?.filter(Experiment::is_running);
    let page = Page {
        shell: asked.shell("/ui", "Overview")?,
        predicts: short(&config.target.column, 80),
        severity_tone: drift.as_ref().map_or("unknown", |report| tone(report.verdict.retrain)),
        compared: drift.as_ref().map(|report| Compared {
            at: when(report.made_at),
            severity: severity(report.verdict.severity),
            drifted: format!("{} of {} columns", report.share.n_drifted, report.columns.len()),
            ratio: share_text(report),
            version: report.version.clone().unwrap_or_default(),
            other_version: report.version != production,
        }),
        waiting: waiting(asked, &found)?,
        standings,
        readings: shown,
        judged: judged.as_ref().map(Verdict::of),
        challenger: roles.challenger.map(|version| version.to_string()),
        reasons: found,
        fares: fares(asked, roles.production, drift.as_deref(), FEW)?,
        is_demo: demo::is_one(workspace.dir()),
        experiment: experiment.map(|experiment| {
            let arms: Vec<String> = experiment
                .arms
                .iter()
                .zip(experiment.weights())
                .map(|(arm, weight)| format!("{} {} ({:.0} %)", arm.name, arm.version, 100.0 * weight))
                .collect();
            let found = last_look(asked, &experiment).map_or_else(String::new, |found| format!(". {}", found.sentence));
            format!("{} is running: {}{found}", short(&experiment.name, 80), arms.join(", "))
        }),
        events: chain.entries.iter().rev().take(LAST_EVENTS).map(Told::of).collect(),
        damaged: asked.damaged()?,
        broken: chain.broken.as_ref().map(|found| format!("line {} of audit.jsonl: {}", found.line, found.what)),
    };
    rendered(&page)
}
