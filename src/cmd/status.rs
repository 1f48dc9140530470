use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::registry::{Manifest, Role, Version};
use serde::Serialize;
use std::fmt::Write as _;

/// Show where the loop stands: versions, roles and their metrics
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
    };
    out.answer(&status, |style| readable(&status, style))?;
    Ok(if roles.production.is_some() { Outcome::Yes } else { Outcome::No })
}

fn readable(status: &Status, style: Style) -> String {
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
    text
}
