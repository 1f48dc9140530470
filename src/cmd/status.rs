use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::ab::Experiment;
use mlloop::gate::{self, Asks, Ticket};
use mlloop::printable::name;
use mlloop::registry::{Manifest, Role, Version};
use mlloop::report::grouped;
use mlloop::retrain::standing::{Progress, Standing, progress};
use mlloop::score::Metric;
use mlloop::workspace::audit::Entry;
use mlloop::workspace::{EventKind, Run};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Show where the loop stands: versions, roles and metrics, the last verdict of the gate, what waits for approval
///
///   mlloop status
///   mlloop status --json | jq .production
///
/// Exit status: 0 there is a version in production, 1 there is none yet, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Status {
    reference: String,
    target: String,
    production: Option<Version>,
    challenger: Option<Version>,
    versions: Vec<VersionLine>,
    /// What the last `monitor` found, of which version.
    monitor: Option<Value>,
    /// The last verdict of the gate, as the audit chain has it.
    gate: Option<Value>,
    /// What was put in production after that, when it was not by the gate.
    since: Option<Value>,
    /// What waits for approval.
    pending: Vec<Ticket>,
    /// The experiment that runs: who answers how many units.
    experiment: Option<Value>,
    /// How far each reason to retrain is.
    retrain: Progress,
    /// The metric by which the gate decides, where `[promote]` names one.
    #[serde(skip)]
    decides: Option<Metric>,
}

#[derive(Serialize)]
struct VersionLine {
    version: Version,
    role: Option<Role>,
    #[serde(flatten)]
    manifest: Manifest,
}

pub(crate) fn run(_args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let config = ctx.workspace.config()?;
    let registry = ctx.workspace.registry();
    let roles = registry.roles()?;
    let mut versions = Vec::new();
    for version in registry.versions()? {
        let manifest = registry.manifest(version)?;
        versions.push(VersionLine { version, role: roles.role_of(version), manifest });
    }
    let entries = ctx.workspace.audit_chain()?.entries;
    let judged = entries.iter().rposition(|entry| entry.event == EventKind::GateVerdict);
    let status = Status {
        reference: config.data.reference.display().to_string(),
        target: config.target.column,
        production: roles.production,
        challenger: roles.challenger,
        versions,
        monitor: ctx.workspace.last_run("monitor")?.map(|run| found(&run)),
        gate: judged.map(|at| verdict(&entries[at])),
        since: entries[judged.unwrap_or(0)..]
            .iter()
            .rfind(|entry| entry.event == EventKind::RolledBack)
            .map(rolled_back),
        pending: gate::pending(&ctx.workspace)?,
        experiment: Experiment::load(&ctx.workspace)?.filter(|found| found.applies(roles.production)).map(running),
        retrain: progress(&ctx.workspace, roles.production, ctx.now)?,
        decides: config.promote.metric,
    };
    out.answer(&status, |style| readable(&status, ctx.now, style))?;
    Ok(if roles.production.is_some() { Outcome::Yes } else { Outcome::No })
}

fn found(run: &Run) -> Value {
    let of = |key: &str| run.result[key].clone();
    let n_drifted = run.result["drifted"].as_array().map(Vec::len);
    json!({ "at": run.at, "version": of("version"), "retrain": of("retrain"), "severity": of("severity"),
        "n_drifted": n_drifted, "fired": of("fired") })
}

fn running(experiment: Experiment) -> Value {
    let arms = experiment.arms.iter().zip(experiment.answering());
    let arms: Vec<Value> =
        arms.map(|(arm, weight)| json!({ "name": arm.name, "version": arm.version, "weight": weight })).collect();
    json!({ "name": experiment.name, "shadow": experiment.shadow, "is_rollout": experiment.rollout.is_some(), "arms": arms })
}

/// The experiment in one line.
fn experiment_line(experiment: &Value) -> String {
    let arm = |arm: &Value| {
        let of = |key: &str| arm[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {:.1} %", of("name"), of("version"), 100.0 * arm["weight"].as_f64().unwrap_or_default())
    };
    let arms: Vec<String> = experiment["arms"].as_array().into_iter().flatten().map(arm).collect();
    let what = if experiment["is_rollout"] == true { "rollout" } else { "experiment" };
    let name = name(experiment["name"].as_str().unwrap_or_default());
    format!("{what} {name} runs: {}; `mlloop ab-status` says more\n", arms.join(" · "))
}

fn rolled_back(entry: &Entry) -> Value {
    json!({ "at": entry.at, "event": entry.event, "production": entry.roles.as_ref().and_then(|roles| roles.production) })
}

fn verdict(entry: &Entry) -> Value {
    let of = |key: &str| entry.details[key].clone();
    json!({ "at": entry.at, "production": of("production"), "challenger": of("challenger"),
        "verdict": of("verdict"), "decision": of("decision"), "broken": of("broken") })
}

/// What was counted toward each reason to retrain.
fn triggers(progress: &Progress) -> String {
    let mut text = String::from("\nreasons to retrain:\n");
    progress.notes.iter().for_each(|note| text.push_str(&format!("  note: {note}\n")));
    for trigger in &progress.triggers {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<16} {}", trigger.name, standing(trigger));
    }
    text
}

fn standing(trigger: &Standing) -> String {
    let number = |value: f64| match value.fract() == 0.0 && value >= 0.0 {
        true if value < 1e9 => grouped(value as u64),
        // What is beyond all doubt needs no digits.
        _ if value >= 1e6 => format!("{value:.1e}"),
        _ => format!("{value:.4}"),
    };
    let Standing { count, threshold, remaining, progress_percent, fired, as_of, .. } = trigger;
    let limit = threshold.map_or_else(String::new, |threshold| format!(" of {}", number(threshold)));
    match (count, remaining.zip(*progress_percent)) {
        _ if !trigger.is_on => "off".to_owned(),
        (None, _) if as_of.is_none() => format!("not looked at yet,{limit}").trim_end_matches(',').to_owned(),
        (None, _) => format!("nothing to judge,{limit}").trim_end_matches(',').to_owned(),
        (Some(count), Some(_)) if *fired => format!("{}{limit} (100 %), fired", number(*count)),
        // It is beyond its limit, and chance explains it, or it is too small to matter.
        (Some(count), Some((remaining, _))) if remaining <= 0.0 => format!("{}{limit}, not fired", number(*count)),
        (Some(count), Some((remaining, percent))) => {
            format!("{}{limit} ({percent:.0} %), {} remain", number(*count), number(remaining))
        }
        (Some(count), None) => format!("{}{limit}", number(*count)),
    }
}

/// What waits for a person.
fn waiting(status: &Status, now: jiff::Timestamp, style: Style) -> String {
    let mut text = String::new();
    for ticket in &status.pending {
        let (until, state) = match ticket.due_at {
            _ if now >= ticket.expires_at => (ticket.expires_at, "expired"),
            Some(due) => (due, "goes into production unless it is rejected, from"),
            None => (ticket.expires_at, "waits for approval until"),
        };
        let until = until.strftime("%Y-%m-%d %H:%M UTC");
        let id = style.bold(&ticket.id);
        let _ = match ticket.asks {
            Asks::Promotion => {
                writeln!(text, "{id} {state} {until}: {} instead of {}", ticket.version, ticket.production)
            }
            Asks::Retraining => writeln!(text, "{id} {state} {until}: {}", ticket.sentence),
        };
    }
    text
}

fn readable(status: &Status, now: jiff::Timestamp, style: Style) -> String {
    // Writing to a String cannot fail.
    let mut text = format!("predicts {} from {}\n", style.bold(&name(&status.target)), name(&status.reference));
    if status.versions.is_empty() {
        text.push_str("no version yet: run `mlloop train`\n");
        return text;
    }
    // Where the table is wider than the terminal, it does without times.
    let with_times = style.width().is_none_or(|width| width >= 78);
    let trained = if with_times { format!("{:<18}", "trained (UTC)") } else { String::new() };
    let _ = writeln!(text, "{}", style.dim(&format!("version  role        {trained}   rows  metric")));
    for VersionLine { version, role, manifest } in &status.versions {
        let role = role.map_or_else(|| "-".to_owned(), |role| role.to_string());
        let at = manifest.trained_at.strftime("%Y-%m-%d %H:%M  ").to_string();
        let at = if with_times { at } else { String::new() };
        let metric = manifest.headline(status.decides);
        let _ = writeln!(text, "{version}    {role:<10}  {at}{:>7}  {metric}", grouped(manifest.rows.total()));
    }
    let day = |value: &Value| {
        let at = value["at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        at.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
    };
    if let Some(found) = &status.monitor {
        let answer = match found["retrain"].as_str() {
            Some("yes") => "a reason to retrain",
            Some("no") => "no reason to retrain",
            _ => "cannot tell",
        };
        let of = found["version"].as_str().unwrap_or("no version");
        let other = status.production.filter(|production| production.to_string() != of);
        let other = other.map_or_else(String::new, |now| format!("; {now} is in production now and was not looked at"));
        let n_drifted = found["n_drifted"].as_u64().unwrap_or(0);
        let _ = writeln!(text, "\nlast monitor: {of}: {answer}, {n_drifted} columns drifted, {}{other}", day(found));
    }
    if let Some(gate) = &status.gate {
        let of = |key: &str| gate[key].as_str().unwrap_or_default();
        let (old, new, verdict, decision) = (of("production"), of("challenger"), of("verdict"), of("decision"));
        let since = status.since.as_ref().map(|since| {
            let now = since["production"].as_str().unwrap_or_default();
            format!("; rolled back to {now}, {}", day(since))
        });
        let (at, since) = (day(gate), since.unwrap_or_default());
        let line = format!("last gate: {new} against {old}: {verdict}, {decision}, {at}{since}");
        let _ = writeln!(text, "{}{line}", if status.monitor.is_some() { "" } else { "\n" });
    }
    if status.production.is_some() {
        text.push_str(&triggers(&status.retrain));
    }
    text.push_str(&status.experiment.as_ref().map(experiment_line).unwrap_or_default());
    text.push_str(&waiting(status, now, style));
    text
}
