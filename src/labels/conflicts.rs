//! `conflicts.csv`: rows with conflicting labels, for an adjudicator to fill in.
//!
//! Derived from `data/labels.csv` only, and rewritten whenever labels are added: it names the rows in conflict now,
//! whether their labels are answers to a batch or feedback on predictions.

use super::batch::{Asked, Batch, Inbox, Stratum};
use super::resolve::{ADJUDICATOR, Conflict, resolve};
use super::sheet::{AFTER, target_name, write_list};
use super::store::Labels;
use super::{CONFLICTS, LabelError};
use crate::features::Target;
use crate::registry::Version;
use crate::workspace::{LabelPolicy, Workspace};
use std::collections::{HashMap, HashSet};

/// Writes the list and returns the conflicts; without a conflict for an adjudicator there is no list.
///
/// # Errors
/// I/O errors.
pub(super) fn list(
    inbox: &Inbox,
    labels: &Labels,
    policy: LabelPolicy,
    target: &str,
) -> Result<Vec<Conflict>, LabelError> {
    let row = |conflict: &Conflict| {
        let said: Vec<String> = conflict.said.iter().map(|(who, label)| format!("{who}: {label}")).collect();
        let (id, batch, nothing) = (conflict.id.clone(), conflict.batch.clone(), String::new);
        vec![id, batch, said.join("; "), nothing(), ADJUDICATOR.to_owned(), nothing()]
    };
    let is_asked = policy == LabelPolicy::Adjudicate;
    let conflicts = resolve(labels, policy).conflicts;
    let rows: Vec<Vec<String>> = conflicts.iter().filter(|_| is_asked).map(row).collect();
    write_list(inbox, CONFLICTS, &["id", "batch", "reason", &target_name(target), AFTER[0], AFTER[1]], &rows)?;
    Ok(conflicts)
}

/// Updates the list after labels of these rows were added; returns how many of the rows are in conflict. The list is
/// not rewritten if each row has only one annotator.
///
/// # Errors
/// An unreadable configuration, or an I/O error.
pub fn refresh(workspace: &Workspace, labels: &Labels, ids: &HashSet<&str>) -> Result<u64, LabelError> {
    let mut n_said: HashMap<&str, u32> = HashMap::new();
    for label in labels.rows().iter().filter(|label| ids.contains(label.id.as_str())) {
        *n_said.entry(&label.id).or_default() += 1;
    }
    if n_said.values().all(|n| *n < 2) || !workspace.config_path().exists() {
        return Ok(0);
    }
    let config = workspace.config()?;
    let conflicts = list(&Inbox::of(workspace), labels, config.labels.policy, &config.target.column)?;
    Ok(conflicts.iter().filter(|conflict| ids.contains(conflict.id.as_str())).count() as u64)
}

/// Production's predictions.
///
/// # Errors
/// A version that cannot be read.
pub(super) fn predicted(workspace: &Workspace) -> Result<Option<(Version, Target)>, LabelError> {
    let registry = workspace.registry();
    let Some(production) = registry.roles()?.production else { return Ok(None) };
    Ok(Some((production, registry.pipeline(production)?.target)))
}

/// The rows in conflict that no batch covers, as a batch without a name, so that an adjudicator can answer them.
///
/// # Errors
/// Unreadable labels or version.
pub(super) fn unasked(workspace: &Workspace) -> Result<Option<Batch>, LabelError> {
    let labels = Labels::held(workspace)?;
    let conflicts = resolve(&labels, LabelPolicy::Adjudicate).conflicts;
    let asked = |conflict: Conflict| Asked {
        id: conflict.id,
        stratum: Stratum::Uncertain,
        select_prob: 1.0,
        annotators: Vec::new(),
        prediction: String::new(),
        scores: Vec::new(),
    };
    let rows: Vec<Asked> = conflicts.into_iter().filter(|conflict| conflict.batch.is_empty()).map(asked).collect();
    let Some((version, target)) = (if rows.is_empty() { None } else { predicted(workspace)? }) else {
        return Ok(None);
    };
    Ok(Some(Batch {
        format: 1,
        batch: String::new(),
        at: jiff::Timestamp::UNIX_EPOCH,
        seed: 0,
        strategy: String::new(),
        version,
        source: String::new(),
        n_candidates: rows.len() as u64,
        target,
        columns: Vec::new(),
        files: Vec::new(),
        rows,
    }))
}
