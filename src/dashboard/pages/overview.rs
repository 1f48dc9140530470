//! The loop on one page: what waits for a person first.

use super::parts::{Reading, Standing, Told, readings};
use super::{Asked, rendered};
use crate::ab::experiment::Experiment;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops};
use crate::demo;
use crate::drift::report::{self, DriftReport, Trigger};
use crate::gate;
use crate::labels::{fill, settle};
use crate::registry::{Role, Version};
use crate::report::judged;
use crate::report::number::{clean, number_or, short};
use crate::retrain;
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
    severity_tone: &'static str,
    compared: Option<Compared>,
    waiting: Vec<Waiting>,
    standings: Vec<Standing>,
    /// Production's metrics, and the challenger's beside them.
    readings: Vec<(Reading, Option<Reading>)>,
    challenger: Option<String>,
    triggers: Vec<Bar>,
    idle: String,
    is_demo: bool,
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
    let mut shown = [Vec::new(), Vec::new()];
    for (at, (name, role)) in
        [("production", Role::Production), ("challenger", Role::Challenger)].into_iter().enumerate()
    {
        let Some(version) = roles.holder(role) else { continue };
        let manifest = registry.manifest(version)?;
        shown[at] = registry.gate(version, &manifest)?.as_ref().map_or_else(Vec::new, readings);
        standings.push(Standing::new(version, name, &manifest, config.promote.metric));
    }
    let [shown, mut beside] = shown;
    let mut partner =
        |reading: &Reading| beside.iter().position(|other| other.name == reading.name).map(|at| beside.swap_remove(at));
    let production = roles.production.map(|version| version.to_string());
    let (triggers, idle) = bars(asked, roles.production, drift.as_deref())?;
    let chain = asked.chain()?;
    let (sentence, shade) = headline(drift.as_deref(), production.as_deref());
    let experiment = Experiment::load(workspace)?.filter(Experiment::is_running);
    let page = Page {
        shell: asked.shell("/ui", "Overview")?,
        predicts: short(&config.target.column, 80),
        sentence,
        tone: shade,
        severity_tone: drift.as_ref().map_or("unknown", |report| tone(report.verdict.retrain)),
        compared: drift.as_ref().map(|report| Compared {
            at: when(report.made_at),
            severity: severity(report.verdict.severity),
            drifted: format!("{} of {} columns", report.share.n_drifted, report.columns.len()),
            version: report.version.clone().unwrap_or_default(),
            other_version: report.version != production,
        }),
        waiting: waiting(asked)?,
        standings,
        readings: shown
            .into_iter()
            .map(|reading| (partner(&reading), reading))
            .map(|(other, own)| (own, other))
            .collect(),
        challenger: roles.challenger.map(|version| version.to_string()),
        triggers,
        idle,
        is_demo: demo::is_one(workspace.dir()),
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
        broken: chain.broken.as_ref().map(|found| format!("line {} of audit.jsonl: {}", found.line, found.what)),
    };
    rendered(&page)
}

/// The loop in a sentence, and how it is coloured.
fn headline(drift: Option<&DriftReport>, production: Option<&str>) -> (String, &'static str) {
    match (drift, production) {
        (_, None) => ("Nothing is in production yet: `mlloop train` makes the first version.".to_owned(), "unknown"),
        (None, Some(version)) => {
            (format!("{version} is in production. What arrived was not compared with its reference yet."), "unknown")
        }
        (Some(report), Some(version)) if report.version.as_deref() != Some(version) => {
            let of = report.version.as_deref().map_or_else(|| "no version".to_owned(), clean);
            let sentence = format!(
                "{version} is in production. What arrived was last compared for {of}: refresh the analysis to see how \
                 {version} fares."
            );
            (sentence, "unknown")
        }
        (Some(report), Some(_)) => (clean(&report.verdict.sentence), tone(report.verdict.retrain)),
    }
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
    let n_open = settle::open(workspace, 0)?.n;
    if n_open > 0 {
        let what = format!("{n_open} answers conflict or look wrong.");
        all.push(Waiting { what, to: "/ui/settle", name: "Settle" });
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

/// How near each reason to retrain is: labels and age as they are now, what needs the rows that arrived as `monitor` found
/// it for production; and a sentence on those that are off.
fn bars(asked: &Asked, production: Option<Version>, drift: Option<&DriftReport>) -> Result<(Vec<Bar>, String), Oops> {
    const COUNTED: [&str; 3] = ["new_rows", "unused_feedback", "age"];
    let standing = asked.standing(production)?;
    let counted = standing.triggers.iter().filter(|t| COUNTED.contains(&t.name.as_str()));
    let counted = counted.filter_map(|t| Some((t, t.count.zip(t.threshold)?)));
    let mut all: Vec<Bar> = counted.map(|(t, (count, of))| counted_bar(t, count, of)).collect();
    let seen = drift.filter(|report| report.version == production.map(|version| version.to_string()));
    let (judged, idle) = seen.map(judged).unwrap_or_default();
    all.extend(judged.into_iter().filter(|t| !COUNTED.contains(&t.name.as_str())).map(bar));
    all.sort_by_key(|bar| !bar.fired);
    Ok((all, idle))
}

fn counted_bar(trigger: &retrain::standing::Standing, count: f64, threshold: f64) -> Bar {
    let (what, n) = match trigger.name.as_str() {
        "new_rows" => ("labelled rows that no version has learned from", format!("{count:.0} of {threshold:.0}")),
        "unused_feedback" => {
            ("labels by people that no version has learned from", format!("{count:.0} of {threshold:.0}"))
        }
        _ => ("days since production was trained", format!("{count:.1} of {threshold:.0}")),
    };
    Bar {
        name: clean(&trigger.name).replace('_', " "),
        text: format!("{n} {what}"),
        progress: trigger.progress_percent.map(|percent| percent as u32),
        of: n,
        fired: trigger.fired,
    }
}

/// A reason that is held to a limit: how near it is says nothing of how likely it is to be reached, so it has no bar.
fn bar(trigger: &Trigger) -> Bar {
    Bar {
        name: clean(&trigger.name).replace('_', " "),
        text: short(&trigger.text, 200),
        progress: None,
        of: format!("{} of {}", number_or(trigger.value), number_or(trigger.threshold)),
        fired: trigger.fired,
    }
}
