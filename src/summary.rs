//! The state of a loop, on one page of Markdown: the verdict, the drift, and the metrics before and after.

use crate::drift::report::{Answer, DriftReport, Severity};
use crate::gate::{Decision, GateReport};
use crate::registry::{Manifest, RegistryError, Role, Roles, Version};
use crate::report::{self, markdown_escaped};
use crate::workspace::{Workspace, WorkspaceError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The report of a loop.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// The name of its directory.
    pub name: String,
    /// The target column.
    pub predicts: String,
    /// Whether the last `monitor` found a reason to retrain.
    pub retrain: Option<Answer>,
    /// From the share of drifted columns.
    pub severity: Option<Severity>,
    /// Columns that drifted.
    pub n_drifted: Option<u64>,
    /// The version that the last `monitor` run analysed.
    pub drift_of: Option<String>,
    /// What the last `promote` decided.
    pub gate: Option<Decision>,
    /// The production and the challenger of that decision.
    pub gate_of: Option<[Version; 2]>,
    /// Notes, if these are not the current versions.
    pub notes: Vec<String>,
    /// The previous production version, production and the challenger.
    pub versions: Vec<Standing>,
    #[serde(skip)]
    drift: Option<DriftReport>,
    #[serde(skip)]
    judged: Option<GateReport>,
}

/// A version and its metrics on its gate rows.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Standing {
    /// The version.
    pub version: Version,
    /// `before`, `production` or `challenger`.
    pub role: &'static str,
    /// When it was trained.
    pub trained_at: jiff::Timestamp,
    /// Number of its rows.
    pub n_rows: u64,
    /// Its metrics.
    pub metrics: BTreeMap<String, f64>,
}

/// Reads the reports and the registry of a loop.
///
/// # Errors
/// Without a `mlloop.toml`, and for unreadable files.
pub fn summarise(workspace: &Workspace) -> Result<Summary, WorkspaceError> {
    let config = workspace.config()?;
    let registry = workspace.registry();
    let roles = registry.roles()?;
    let before = roles.previous.last().copied().filter(|version| registry.path(*version).is_ok());
    let wanted = [
        ("before", before),
        ("production", roles.holder(Role::Production)),
        ("challenger", roles.holder(Role::Challenger)),
    ];
    let standing = |(role, version): (&'static str, Option<Version>)| -> Option<Result<Standing, RegistryError>> {
        let version = version?;
        Some(registry.manifest(version).map(|manifest| Standing {
            version,
            role,
            trained_at: manifest.trained_at,
            n_rows: manifest.rows.total(),
            metrics: metrics(&manifest),
        }))
    };
    let versions = wanted.into_iter().filter_map(standing).collect::<Result<Vec<_>, _>>()?;
    let drift: Option<DriftReport> = workspace.report("drift_report.json")?;
    let judged: Option<GateReport> = workspace.report("gate_report.json")?;
    let notes = out_of_date(&roles, drift.as_ref(), judged.as_ref());
    let dir = workspace.dir().canonicalize().unwrap_or_else(|_| workspace.dir().to_owned());
    Ok(Summary {
        name: dir.file_name().map_or_else(|| "loop".to_owned(), |name| name.to_string_lossy().into_owned()),
        predicts: config.target.column,
        retrain: drift.as_ref().map(|report| report.verdict.retrain),
        severity: drift.as_ref().and_then(|report| report.verdict.severity),
        n_drifted: drift.as_ref().map(|report| report.share.n_drifted),
        drift_of: drift.as_ref().and_then(|report| report.version.clone()),
        gate: judged.as_ref().map(|report| report.decision),
        gate_of: judged.as_ref().map(|report| [report.production, report.challenger]),
        notes,
        versions,
        drift,
        judged,
    })
}

/// Notes on reports about a version that is not in production now, as after a rollback.
fn out_of_date(roles: &Roles, drift: Option<&DriftReport>, judged: Option<&GateReport>) -> Vec<String> {
    let Some(production) = roles.production else { return Vec::new() };
    let date = |at: jiff::Timestamp| at.strftime("%Y-%m-%d").to_string();
    let drift = drift.and_then(|report| Some((report.version.clone()?, report.made_at)));
    let drift = drift.filter(|(version, _)| *version != production.to_string()).map(|(version, at)| {
        format!(
            "The drift below was measured for {version} on {}. {production} is in production now: run `mlloop \
             monitor` again.",
            date(at)
        )
    });
    let gate = judged.filter(|report| ![report.production, report.challenger].contains(&production)).map(|report| {
        format!(
            "The gate below judged {} against {} on {}. {production} is in production now.",
            report.challenger,
            report.production,
            date(report.at)
        )
    });
    // A promoted challenger that is now neither production nor challenger was rolled back.
    let back = judged.filter(|report| report.decision == Decision::Promote && report.production == production);
    let back = back.map(|report| {
        if roles.challenger == Some(report.challenger) {
            return format!(
                "The gate below is for {}; {production} stays in production until the promotion is done.",
                report.challenger
            );
        }
        format!(
            "The gate below promoted {} on {}. {production} is in production now: the promotion was not completed, \
             or was rolled back.",
            report.challenger,
            date(report.at)
        )
    });
    drift.into_iter().chain(gate).chain(back).collect()
}

fn metrics(manifest: &Manifest) -> BTreeMap<String, f64> {
    let all = manifest.gate["metrics"].as_object().into_iter().flatten();
    all.filter_map(|(name, metric)| Some((name.clone(), metric["value"].as_f64()?))).collect()
}

impl Summary {
    /// The page.
    #[must_use]
    pub fn markdown(&self) -> String {
        // Writing to a String cannot fail.
        let mut text = format!("## {}: {}\n\n", markdown_escaped(&self.name), markdown_escaped(&self.predicts));
        for note in &self.notes {
            let _ = writeln!(text, "> {note}\n");
        }
        match &self.drift {
            Some(report) => text.push_str(&report::drift_markdown(report)),
            None => text.push_str("No comparison yet: `mlloop monitor` has not run.\n"),
        }
        if let Some(report) = &self.judged {
            let _ = writeln!(
                text,
                "\n### Gate: {} against {}\n\n{}",
                report.challenger,
                report.production,
                markdown_escaped(&report.sentence)
            );
            let _ = writeln!(text, "\n| metric | {} | {} |\n|---|---:|---:|", report.production, report.challenger);
            let value = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
            for pair in &report.metrics {
                let _ = writeln!(
                    text,
                    "| {} | {} | {} |",
                    markdown_escaped(pair.metric.name()),
                    value(pair.production),
                    value(pair.challenger)
                );
            }
        }
        self.table_of_versions(&mut text);
        text
    }

    fn table_of_versions(&self, text: &mut String) {
        if self.versions.is_empty() {
            text.push_str("\nThere is no version yet: train the first with `mlloop train`.\n");
            return;
        }
        text.push_str("\n### Versions, each on its own gate rows\n\n| |");
        self.versions.iter().for_each(|v| text.extend([" ", v.role, " |"]));
        text.push_str(&format!("\n|---|{}\n| version |", "---:|".repeat(self.versions.len())));
        self.versions.iter().for_each(|v| text.push_str(&format!(" {} |", v.version)));
        text.push_str("\n| trained |");
        self.versions.iter().for_each(|v| text.push_str(&format!(" {} |", v.trained_at.strftime("%Y-%m-%d"))));
        text.push_str("\n| rows |");
        self.versions.iter().for_each(|v| text.push_str(&format!(" {} |", v.n_rows)));
        text.push('\n');
        let names: std::collections::BTreeSet<&String> = self.versions.iter().flat_map(|v| v.metrics.keys()).collect();
        for name in names {
            let _ = write!(text, "| {} |", markdown_escaped(name));
            for version in &self.versions {
                let value = version.metrics.get(name).map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
                let _ = write!(text, " {value} |");
            }
            text.push('\n');
        }
    }
}
