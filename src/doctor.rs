//! Checks each part of a loop separately, so that one damaged part does not hide the others.

use crate::ab::Experiment;
use crate::atomic::{self, At};
use crate::feedback;
use crate::gate;
use crate::journal::{Damage, Journal};
use crate::labels::{Labels, Used};
use crate::pipeline::Pipeline;
use crate::reference::adoptable;
use crate::registry::{Difference, Version};
use crate::retrain::standing::progress;
use crate::workspace::Workspace;
use jiff::Timestamp;
use serde::Serialize;
use std::fmt::Display;
use std::io;
use std::path::Path;

/// The result for one part.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Check {
    /// The part.
    pub part: &'static str,
    /// Its state.
    pub state: State,
    /// The finding, or the problem.
    pub told: String,
    /// How to repair it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// The state of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// In order.
    Good,
    /// Does not exist yet, which may be correct.
    Missing,
    /// Damaged.
    Bad,
}

type Found = Result<Check, Check>;

fn good(part: &'static str, told: String) -> Check {
    Check { part, state: State::Good, told, advice: None }
}

fn missing(part: &'static str, told: &str, advice: &str) -> Check {
    Check { part, state: State::Missing, told: told.to_owned(), advice: Some(advice.to_owned()) }
}

/// The problem of a damaged part, with advice.
fn bad<E: Display>(part: &'static str, advice: &'static str) -> impl Fn(E) -> Check {
    move |err| Check { part, state: State::Bad, told: err.to_string(), advice: Some(advice.to_owned()) }
}

/// Checks every part of a loop; nothing is changed, and a damaged part does not stop the other checks.
#[must_use]
pub fn examine(workspace: &Workspace, now: Timestamp) -> Vec<Check> {
    let parts: [fn(&Workspace, Timestamp) -> Found; 11] =
        [settings, reference, production, versions, audit, labels, people, predictions, triggers, approvals, backups];
    parts.iter().map(|part| part(workspace, now).unwrap_or_else(|check| check)).collect()
}

fn settings(workspace: &Workspace, _: Timestamp) -> Found {
    const PART: &str = "settings";
    let config = workspace.config().map_err(bad(PART, "correct that line of mlloop.toml"))?;
    let columns = config.schema().columns.len();
    Ok(good(PART, format!("mlloop.toml: target {:?}, {columns} columns", config.target.column)))
}

fn reference(workspace: &Workspace, _: Timestamp) -> Found {
    const PART: &str = "reference";
    const ADVICE: &str = "put the table there, or change [data] reference in mlloop.toml";
    let config = workspace.config().map_err(bad(PART, "correct mlloop.toml first"))?;
    let path = workspace.path(&config.data.reference);
    let told = |err: io::Error| format!("{}: {err}", path.display());
    let found = std::fs::metadata(&path).map_err(|err| bad(PART, ADVICE)(told(err)))?;
    // An unreadable chain has its own check.
    if let Ok(chain) = workspace.audit_chain() {
        let differs = workspace.reference_differs(&chain).map_err(bad(PART, ADVICE))?;
        if let Some(Difference { file, what }) = differs {
            let advice = "restore it; if the change is intended, run `mlloop train` to use it as it is now";
            return Err(bad(PART, advice)(format!("{file} {what}")));
        }
    }
    let advice = "a challenger's rows cannot be added to it: `retrain` and `promote` would fail";
    adoptable(workspace, &config).map_err(bad(PART, advice))?;
    atomic::not_fixed(&path).map_err(|err| bad(PART, advice)(told(err)))?;
    Ok(good(PART, format!("{}: {} bytes", config.data.reference.display(), found.len())))
}

fn production(workspace: &Workspace, _: Timestamp) -> Found {
    const PART: &str = "production";
    let registry = workspace.registry();
    let roles = registry.roles().map_err(bad(PART, "restore models/roles.json from a backup"))?;
    if let Ok(chain) = workspace.audit_chain()
        && let Some(Difference { file, what }) =
            workspace.roles_gone(&chain).map_err(bad(PART, "check the permissions of models/"))?
    {
        return Err(bad(PART, "run any other command, such as `mlloop status`")(format!("{file} {what}")));
    }
    let Some(version) = roles.production else {
        return Err(missing(PART, "no version is in production", "run `mlloop train`"));
    };
    let advice = match roles.previous.iter().any(|before| registry.manifest(*before).is_ok()) {
        true => "run `mlloop rollback`, or restore the version's directory",
        false => "restore the version's directory from a backup, or create a new version with `mlloop train`",
    };
    let path = registry.path(version).map_err(bad(PART, advice))?;
    // Loading re-scores the stored test rows.
    let pipeline = Pipeline::load(&path).map_err(bad(PART, advice))?;
    let manifest = registry.manifest(version).map_err(bad(PART, advice))?;
    let differs = registry.differences(version).map_err(bad(PART, advice))?;
    if let Some(Difference { file, what }) = differs.into_iter().flatten().next() {
        return Err(bad(PART, advice)(format!("{file} {what}")));
    }
    let (features, classes) = (pipeline.features.inputs().count(), pipeline.target.classes.len());
    let of = if classes > 0 { format!("{classes} classes") } else { "a number".to_owned() };
    let told = format!(
        "{version} loads and re-scores its stored test rows correctly: {} rows, {features} features, {of}",
        manifest.rows.total()
    );
    Ok(good(PART, told))
}

fn versions(workspace: &Workspace, _: Timestamp) -> Found {
    const PART: &str = "versions";
    let registry = workspace.registry();
    let versions = registry.versions().map_err(bad(PART, "check the permissions of models/"))?;
    let damaged: Vec<Version> = versions.iter().copied().filter(|v| registry.manifest(*v).is_err()).collect();
    let roles = registry.roles().map_err(bad(PART, "restore models/roles.json from a backup"))?;
    let (used, unused): (Vec<Version>, Vec<Version>) =
        damaged.iter().copied().partition(|version| roles.role_of(*version).is_some());
    if let Some(version) = used.first().or(unused.first()) {
        let told =
            format!("cannot read the manifest of {version}; {} of {} are damaged", damaged.len(), versions.len());
        let advice = match used.is_empty() {
            true => "restore the version's directory, or ignore it: it has no role and is not used",
            false => "restore the version's directory from a backup: it has a role",
        };
        return Err(bad(PART, advice)(told));
    }
    // Production is checked separately.
    for version in versions.iter().filter(|version| roles.production != Some(**version)) {
        let differs = registry.differences(*version).map_err(bad(PART, "check the permissions of models/"))?;
        if let Some(Difference { file, what }) = differs.into_iter().flatten().next() {
            return Err(bad(PART, "restore the version's directory from a backup")(format!("{file} {what}")));
        }
    }
    if let Ok(chain) = workspace.audit_chain()
        && let Some(Difference { file, what }) =
            workspace.versions_gone(&chain).map_err(bad(PART, "check the permissions of models/"))?.into_iter().next()
    {
        return Err(bad(PART, "restore the version's directory from a backup")(format!("{file} {what}")));
    }
    let experiment = Experiment::load(workspace).map_err(bad(PART, "correct or remove ab.json"))?;
    // An unreadable chain has its own check.
    if let Ok(chain) = workspace.audit_chain()
        && let Some(Difference { file, what }) =
            workspace.experiment_differs(&chain).map_err(bad(PART, "correct ab.json"))?
    {
        return Err(bad(PART, "restore ab.json from a backup, or end the experiment: mlloop ab-stop")(format!(
            "{file} {what}"
        )));
    }
    let running =
        experiment.filter(Experiment::is_running).map(|found| format!("; experiment {} is running", found.name));
    Ok(good(PART, format!("{} stored, all manifests are readable{}", versions.len(), running.unwrap_or_default())))
}

fn audit(workspace: &Workspace, _: Timestamp) -> Found {
    const PART: &str = "audit chain";
    let chain = workspace.audit_chain().map_err(bad(PART, "check the permissions of audit.jsonl"))?;
    match &chain.broken {
        None => Ok(good(PART, format!("intact: {} lines", chain.entries.len()))),
        Some(broken) => {
            let told = format!("line {}: {}", broken.line, broken.what);
            Err(bad(PART, "find out who changed it; restore audit.jsonl from a backup")(told))
        }
    }
}

fn labels(workspace: &Workspace, _: Timestamp) -> Found {
    const PART: &str = "labels";
    const ADVICE: &str = "correct or restore that file";
    let labels = Labels::open(workspace).map_err(bad(PART, ADVICE))?;
    let used = Used::open(workspace).map_err(bad(PART, ADVICE))?;
    if let Ok(chain) = workspace.audit_chain()
        && let Some(Difference { file, what }) = workspace.labels_differ(&chain).map_err(bad(PART, ADVICE))?
    {
        return Err(bad(PART, "find out who changed it; restore it, or run `mlloop audit accept data/labels.csv`")(
            format!("{file} {what}"),
        ));
    }
    if let Ok(chain) = workspace.audit_chain()
        && let Some(Difference { file, what }) =
            workspace.batches_differ(&chain).map_err(bad(PART, ADVICE))?.into_iter().next()
    {
        return Err(bad(PART, "restore the record of the batch from a backup")(format!("{file} {what}")));
    }
    if labels.rows().is_empty() {
        return Err(missing(PART, "no labels yet", "choose rows to label with `mlloop label-export`"));
    }
    Ok(good(
        PART,
        format!("{}, of which {} were not used for training yet", labels.rows().len(), labels.unused(&used).count()),
    ))
}

fn people(workspace: &Workspace, _: Timestamp) -> Found {
    const PART: &str = "feedback";
    const ADVICE: &str = "correct or restore data/feedback.csv";
    let entries = feedback::entries(workspace).map_err(bad(PART, ADVICE))?;
    // An unreadable chain has its own check.
    if workspace.audit_chain().is_ok() {
        feedback::hold(workspace).map_err(bad(PART, ADVICE))?;
        if let Some(Difference { file, what }) = feedback::announcement_differs(workspace).map_err(bad(PART, ADVICE))? {
            return Err(bad(PART, "remove it; the next `mlloop feedback` writes a new one")(format!("{file} {what}")));
        }
    }
    Ok(good(PART, format!("{} corrections", entries.len())))
}

fn predictions(workspace: &Workspace, _: Timestamp) -> Found {
    const PART: &str = "prediction log";
    const ADVICE: &str = "check the permissions of predictions/";
    if Journal::of(workspace).is_empty().map_err(bad(PART, ADVICE))? {
        let advice = "log predictions: `mlloop predict TABLE --log`, or `mlloop serve`";
        return Err(missing(PART, "nothing is logged", advice));
    }
    let damage = Journal::of(workspace).damage().map_err(bad(PART, ADVICE))?;
    if let Some(Damage { file, what }) = damage.first() {
        let more = if damage.len() > 1 { format!(" (and {} more files)", damage.len() - 1) } else { String::new() };
        let advice = "restore the file from a backup; without one, unreadable rows stay excluded";
        return Err(bad(PART, advice)(format!("{file} {what}{more}")));
    }
    let (n, bytes) = contents(&workspace.path("predictions")).map_err(bad(PART, ADVICE))?;
    Ok(good(PART, format!("{n} files, {bytes} bytes")))
}

fn triggers(workspace: &Workspace, now: Timestamp) -> Found {
    const PART: &str = "reasons to retrain";
    let roles = workspace.registry().roles().map_err(bad(PART, "restore models/roles.json from a backup"))?;
    let progress = progress(workspace, roles.production, now).map_err(bad(PART, "correct or restore that file"))?;
    let fired: Vec<&str> = progress.triggers.iter().filter(|t| t.fired).map(|t| t.name.as_str()).collect();
    let looked = progress.triggers.iter().any(|trigger| trigger.name == "drift_share" && trigger.as_of.is_some());
    match (fired.as_slice(), looked || roles.production.is_none()) {
        ([], true) => Ok(good(PART, "none is reached".to_owned())),
        ([], false) => Err(missing(PART, "drift of this version was not monitored yet", "run `mlloop monitor`")),
        (fired, _) => {
            let told = format!("reached: {}", fired.join(", "));
            Ok(Check { advice: Some("run `mlloop run`".to_owned()), ..good(PART, told) })
        }
    }
}

fn approvals(workspace: &Workspace, now: Timestamp) -> Found {
    const PART: &str = "approvals";
    let pending = gate::pending(workspace).map_err(bad(PART, "correct or remove that file"))?;
    let open: Vec<_> = pending.iter().filter(|ticket| now < ticket.expires_at).collect();
    match open.first() {
        None => Ok(good(PART, "none pending".to_owned())),
        Some(ticket) => {
            let advice = format!("run `mlloop approve {} --by NAME`, or `mlloop reject`", ticket.id);
            Ok(Check { advice: Some(advice), ..good(PART, format!("{} pending", open.len())) })
        }
    }
}

fn backups(workspace: &Workspace, _: Timestamp) -> Found {
    const PART: &str = "backups";
    if let Ok(chain) = workspace.audit_chain() {
        let differ = workspace.kept_differ(&chain).map_err(bad(PART, "check the permissions of runs/kept"))?;
        if let Some(Difference { file, what }) = differ.first() {
            let more = if differ.len() > 1 { format!(" (and {} more)", differ.len() - 1) } else { String::new() };
            let advice = "the loop works without it; `mlloop audit verify --deep` lists all";
            return Err(bad(PART, advice)(format!("{file} {what}{more}")));
        }
    }
    let (n, bytes) =
        contents(&workspace.path("runs/backup")).map_err(bad(PART, "check the permissions of runs/backup"))?;
    Ok(good(PART, format!("{n} files, {bytes} bytes in runs/backup")))
}

/// Number of files in a directory, and their bytes; 0 without the directory.
fn contents(dir: &Path) -> io::Result<(u64, u64)> {
    let Some(entries) = std::fs::read_dir(dir).if_there()? else { return Ok((0, 0)) };
    let (mut n, mut bytes) = (0, 0);
    for entry in entries {
        let found = entry?.metadata()?;
        if found.is_file() {
            n += 1;
            bytes += found.len();
        }
    }
    Ok((n, bytes))
}
