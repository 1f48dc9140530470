//! Single corrections, and the result of each.

use super::{Entry, FeedbackError, Fields, entries, label};
use crate::journal::Window;
use crate::labels::Used;
use crate::registry::Version;
use crate::workspace::Workspace;
use serde::Serialize;

/// Selects corrections.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With this row id; any row if `None`.
    pub id: Option<String>,
    /// Given within this time.
    pub window: Window,
    /// With these free fields.
    pub fields: Fields,
}

impl Filter {
    /// Whether the correction is selected.
    #[must_use]
    pub fn holds(&self, entry: &Entry) -> bool {
        self.id.as_ref().is_none_or(|id| *id == entry.id)
            && self.window.holds(entry.at.as_microsecond())
            && self.fields.iter().all(|(name, value)| entry.fields.get(name) == Some(value))
    }
}

/// A correction and the versions trained on it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Told {
    /// The correction.
    #[serde(flatten)]
    pub entry: Entry,
    /// The versions trained on the label that it gave, as it was then.
    pub used_in: Vec<Version>,
    /// The first of them.
    pub used_since: Option<Version>,
}

/// The selected corrections, in the order in which they were given.
///
/// # Errors
/// If feedback or versions cannot be read.
pub fn list(workspace: &Workspace, filter: &Filter) -> Result<Vec<Told>, FeedbackError> {
    let used = Used::open(workspace)?;
    let told = |entry: Entry| {
        let mut used_in = label(&entry).map(|label| used.versions(&label).to_vec()).unwrap_or_default();
        used_in.sort_unstable();
        Told { used_since: used_in.first().copied(), used_in, entry }
    };
    Ok(entries(workspace)?.into_iter().filter(|entry| filter.holds(entry)).map(told).collect())
}
