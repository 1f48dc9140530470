//! The list of versions: role, metric and history of each.

use super::models::role_name;
use super::parts::{Over, Standing, course};
use super::{Asked, rendered};
use crate::dashboard::events::stamp_of;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops};
use crate::registry::{Roles, Version};
use crate::report::number::short;
use crate::score::Metric;
use crate::workspace::CONFIG_FILE;
use crate::workspace::event::{Promoted, Rejected, RolledBack};
use askama::Template;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Versions per page.
const PER_PAGE: usize = 50;
#[derive(Template)]
#[template(path = "ui_models.html")]
struct Page {
    shell: Shell,
    versions: Vec<Listed>,
    n: usize,
    earlier: Option<usize>,
    course: String,
    metric: String,
    /// The metrics that can be drawn, and whether each is drawn.
    metrics: Vec<(String, bool)>,
    damaged: Vec<String>,
}

struct Listed {
    standing: Standing,
    parent: String,
    /// When it was promoted, rolled back or rejected.
    was: String,
}

/// The history of each version, from its last line in the audit chain.
fn became(asked: &Asked, roles: &Roles) -> Result<BTreeMap<Version, String>, Oops> {
    let mut all = BTreeMap::new();
    for entry in &asked.chain()?.entries {
        let by = entry.by.as_deref().map_or_else(String::new, |by| format!(" by {}", short(by, 40)));
        let mut was = |version, what: &str| _ = all.insert(version, format!("{what} {}{by}", when(entry.at)));
        if let Some(said) = entry.of::<Promoted>()? {
            was(said.version, "went into production");
        }
        if let Some(said) = entry.of::<RolledBack>()? {
            was(said.from, "rolled back");
            was(said.version, "in production again");
        }
        if let Some(version) = entry.of::<Rejected>()?.map(|said| said.of_version(entry)).transpose()?.flatten() {
            was(version, "rejected");
        }
    }
    if let Some(version) = roles.previous.last() {
        let text = all.entry(*version).or_default();
        text.push_str(if text.is_empty() { "Roll back leads here" } else { "; Roll back leads here" });
    }
    Ok(all)
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let registry = asked.dashboard.workspace.registry();
    let roles = registry.roles()?;
    let all = registry.versions()?;
    let mut was = became(asked, &roles)?;
    let decides = asked.dashboard.workspace.config()?.promote.metric;
    let from = usize::try_from(asked.fields.number("from").unwrap_or(0)).unwrap_or(0);
    let (mut versions, mut damaged, mut drawn) = (Vec::new(), Vec::new(), Vec::new());
    for version in all.iter().rev().skip(from).take(PER_PAGE) {
        match asked.facts(*version, decides) {
            Ok(facts) => {
                drawn.push((version.to_string(), Arc::clone(&facts)));
                let standing = Standing { role: role_name(roles.role_of(*version)), ..facts.standing.clone() };
                let was = was.remove(version).unwrap_or_default();
                versions.push(Listed { standing, parent: facts.parent.clone(), was });
            }
            Err(Oops::Fault(what)) => damaged.push(what),
            Err(other) => return Err(other),
        }
    }
    drawn.reverse();
    let known: Vec<&'static str> =
        drawn.last().map_or_else(Vec::new, |(_, facts)| facts.metrics.iter().map(|(name, _)| *name).collect());
    let wanted = asked.fields.get("metric");
    let metric = known.iter().find(|name| **name == wanted).or(known.first()).copied().unwrap_or_default();
    let value = |facts: &Facts| facts.metrics.iter().find(|(name, _)| *name == metric).map(|(_, value)| *value);
    let points: Vec<(String, f64)> =
        drawn.iter().filter_map(|(version, facts)| Some((version.clone(), value(facts)?))).collect();
    rendered(&Page {
        shell: asked.shell("/ui/models", "Models")?,
        versions,
        n: all.len(),
        earlier: (from + PER_PAGE < all.len()).then_some(from + PER_PAGE),
        course: course(&points, Over::Values, &format!("{metric} of each version, on its own gate rows")),
        metric: metric.to_owned(),
        metrics: known.iter().map(|name| ((*name).to_owned(), *name == metric)).collect(),
        damaged,
    })
}

/// The listed facts of a version. A version never changes, so they are read only once.
pub(in crate::dashboard) struct Facts {
    standing: Standing,
    parent: String,
    /// The deciding metric first.
    metrics: Vec<(&'static str, f64)>,
}

impl Asked<'_> {
    fn facts(&self, version: Version, decides: Option<Metric>) -> Result<Arc<Facts>, Oops> {
        let workspace = &self.dashboard.workspace;
        let stamp = stamp_of(workspace.dir(), &[format!("models/{version}/manifest.json").as_str(), CONFIG_FILE]);
        self.dashboard.kept.versions.get(version, &stamp, || {
            let registry = workspace.registry();
            let manifest = registry.manifest(version)?;
            let gate = registry.gate(version, &manifest)?;
            Ok(Facts {
                standing: Standing::new(version, "", &manifest, decides),
                parent: manifest.parent.map_or_else(String::new, |parent| parent.to_string()),
                metrics: gate.map_or_else(Vec::new, |gate| {
                    let primary = gate.primary;
                    let mut all: Vec<(Metric, f64)> =
                        gate.metrics.iter().map(|(metric, found)| (metric, found.value.unwrap_or(f64::NAN))).collect();
                    all.sort_by_key(|(metric, _)| *metric != primary);
                    all.into_iter().map(|(metric, value)| (metric.name(), value)).collect()
                }),
            })
        })
    }
}
