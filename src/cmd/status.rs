use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::gate::{self, Ticket};
use mlloop::registry::{Manifest, Role, Version};
use mlloop::workspace::EventKind;
use mlloop::workspace::audit::Entry;
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
    /// The last verdict of the gate, as the audit chain has it.
    gate: Option<Value>,
    /// What waits for approval.
    pending: Vec<Ticket>,
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
    let status = Status {
        reference: config.data.reference.display().to_string(),
        target: config.target.column,
        production: roles.production,
        challenger: roles.challenger,
        versions,
        gate: ctx.workspace.audit_chain()?.last(&EventKind::GateVerdict).map(verdict),
        pending: gate::pending(&ctx.workspace)?,
    };
    out.answer(&status, |style| readable(&status, ctx.now, style))?;
    Ok(if roles.production.is_some() { Outcome::Yes } else { Outcome::No })
}

fn verdict(entry: &Entry) -> Value {
    let of = |key: &str| entry.details[key].clone();
    json!({ "at": entry.at, "production": of("production"), "challenger": of("challenger"),
        "verdict": of("verdict"), "decision": of("decision"), "broken": of("broken") })
}

fn readable(status: &Status, now: jiff::Timestamp, style: Style) -> String {
    // Writing to a String cannot fail.
    let mut text = format!("predicts {} from {}\n", style.bold(&status.target), status.reference);
    if status.versions.is_empty() {
        text.push_str("no version yet: run `mlloop train`\n");
        return text;
    }
    let _ = writeln!(text, "{}", style.dim("version  role        trained               rows     metric"));
    for VersionLine { version, role, manifest } in &status.versions {
        let role = role.map_or_else(|| "-".to_owned(), |role| role.to_string());
        let at = manifest.trained_at.strftime("%Y-%m-%d %H:%M UTC");
        let metric = manifest.headline();
        let _ = writeln!(text, "{version}    {role:<10}  {at}  {:>7}  {metric}", manifest.rows.total());
    }
    if let Some(gate) = &status.gate {
        let of = |key: &str| gate[key].as_str().unwrap_or_default();
        let (old, new, verdict, decision) = (of("production"), of("challenger"), of("verdict"), of("decision"));
        let at = of("at").parse::<jiff::Timestamp>().map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
        let at = at.unwrap_or_default();
        let _ = writeln!(text, "\nlast gate: {new} against {old}: {verdict}, {decision}, {at}");
    }
    for ticket in &status.pending {
        let until = ticket.expires_at.strftime("%Y-%m-%d %H:%M UTC");
        let state = if now >= ticket.expires_at { "expired" } else { "waits for approval until" };
        let id = style.bold(&ticket.id);
        let _ = writeln!(text, "{id} {state} {until}: {} instead of {}", ticket.version, ticket.production);
    }
    text
}
