//! `models/vNNNN/labels_used.csv`: the labels used to train versions.

use super::records::each_record;
use super::{Label, LabelError, Labels};
use crate::atomic::{self, At};
use crate::registry::Version;
use crate::table::push_record;
use crate::workspace::Workspace;
use hashbrown::{Equivalent, HashMap};
use std::collections::{BTreeMap, HashSet};
use std::hash::RandomState;
use std::io;
use std::path::Path;

/// Its columns.
const COLUMNS: [&str; 4] = ["id", "label", "annotator", "batch"];

/// The labels used to train versions.
#[derive(Debug, Clone, Default)]
pub struct Used {
    by: HashMap<Said, Vec<Version>, RandomState>,
}

/// Id, label and annotator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Said([String; 3]);

impl Equivalent<Said> for [&str; 3] {
    fn equivalent(&self, said: &Said) -> bool {
        *self == said.0
    }
}

impl Used {
    /// The file in the directory of a version.
    pub const FILE: &str = "labels_used.csv";

    /// Reads `labels_used.csv` of every version except the [`orphans`]; a version without one used none.
    ///
    /// # Errors
    /// An invalid file, with the line; an unreadable audit chain.
    pub fn open(workspace: &Workspace) -> Result<Self, LabelError> {
        let registry = workspace.registry();
        let orphans = orphans(workspace)?;
        let mut by: HashMap<Said, Vec<Version>, RandomState> = HashMap::default();
        let mut versions = registry.versions()?;
        versions.retain(|version| !orphans.contains(version));
        for version in versions {
            registry.check(version, &[Used::FILE])?;
            let path = registry.path(version)?.join(Used::FILE);
            let Some(file) = atomic::open(&path).if_there().at(&path)? else { continue };
            each_record(&path.display().to_string(), file, &COLUMNS, 3, |_, [id, label, annotator, _]| {
                match by.get_mut(&[id, label, annotator]) {
                    Some(versions) => versions.push(version),
                    None => _ = by.insert(Said([id, label, annotator].map(str::to_owned)), vec![version]),
                }
                Ok(())
            })?;
        }
        Ok(Self { by })
    }

    /// Whether a version was trained on this label with its current value.
    #[must_use]
    pub fn has(&self, label: &Label) -> bool {
        !self.versions(label).is_empty()
    }

    /// The versions trained on this label with its current value.
    #[must_use]
    pub fn versions(&self, label: &Label) -> &[Version] {
        let said = [label.id.as_str(), &label.label, &label.annotator];
        self.by.get(&said).map_or(&[], Vec::as_slice)
    }

    /// Labels from tables that a version was trained on, by id: they have no annotator and are stored nowhere else. If
    /// there are several, the last version's.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<&str, &str> {
        let mut last: BTreeMap<&str, (Version, &str)> = BTreeMap::new();
        for (Said([id, label, annotator]), versions) in &self.by {
            let Some(&version) = versions.iter().max().filter(|_| annotator.is_empty()) else { continue };
            let known = last.entry(id).or_insert((version, label));
            if (version, label.as_str()) > *known {
                *known = (version, label);
            }
        }
        last.into_iter().map(|(id, (_, label))| (id, label)).collect()
    }

    /// Writes `labels_used.csv` into a version directory that is not visible yet: pass every label that contributed to
    /// training, also those that a majority overruled.
    ///
    /// # Errors
    /// I/O errors.
    pub fn save<'a>(dir: &Path, labels: impl IntoIterator<Item = &'a Label>) -> io::Result<()> {
        let mut text = Vec::new();
        push_record(&mut text, &COLUMNS, b',');
        for label in labels {
            push_record(&mut text, &[&label.id, &label.label, &label.annotator, &label.batch], b',');
        }
        atomic::replace(&dir.join(Used::FILE), |out| out.write_all(&text))
    }
}

impl Labels {
    /// The labels that are in no version's `labels_used.csv`, except those of models. A label changed after
    /// a version was trained on it is unused again.
    pub fn unused<'a>(&'a self, used: &'a Used) -> impl Iterator<Item = &'a Label> {
        self.rows().iter().filter(|label| label.teaches() && !used.has(label))
    }
}

/// Versions stored by a retraining that died before reporting them: neither a role nor the audit chain names them.
/// Their labels count as unused. Empty if the chain is broken, since its entries may be missing.
///
/// # Errors
/// An unreadable chain or roles.
pub fn orphans(workspace: &Workspace) -> Result<Vec<Version>, LabelError> {
    let chain = workspace.audit_chain()?;
    if chain.broken.is_some() {
        return Ok(Vec::new());
    }
    let registry = workspace.registry();
    let mut told: HashSet<Version> = HashSet::new();
    for entry in &chain.entries {
        told.extend(entry.made()?);
    }
    let roles = registry.roles()?;
    let mut orphans = registry.versions()?;
    orphans.retain(|version| !told.contains(version) && roles.role_of(*version).is_none());
    let mut used = Vec::new();
    for version in orphans {
        if registry.path(version)?.join(Used::FILE).exists() {
            used.push(version);
        }
    }
    Ok(used)
}
