//! Rows of the same entity: how they are detected, and how they are counted.

use super::arrive::Arrived;
use super::reference::Reference;
use super::watch::Watch;
use crate::drift::Worth;
use crate::profile::{Design, Profile};
use crate::table::{Kind, names_key};

/// A column with fewer distinct texts describes a category of rows, such as monthly or yearly contracts, not an entity.
const LEAST_THINGS: u64 = 30;
/// Rows must count as less than this fraction of independent ones before a column that may explain it is reported.
const WORTH_TELLING: f64 = 0.5;

impl Watch<'_> {
    /// The entity column.
    pub(super) fn entity(&self) -> Option<&str> {
        match &self.config {
            Some(config) => config.entity(),
            None => self.settings.entity.as_deref(),
        }
    }

    /// A column that may identify entities by its name, if none is configured.
    pub(super) fn may_be_entity(&self) -> Option<&str> {
        let target = self.config.as_ref().map(|config| config.target.column.as_str());
        let is_key = |kinds: &[Kind]| {
            let mut columns = self.schema.columns.iter();
            let found =
                columns.find(|c| kinds.contains(&c.kind) && Some(c.name.as_str()) != target && names_key(&c.name));
            found.map(|column| column.name.as_str())
        };
        // Ids rarely repeat.
        is_key(&[Kind::Category, Kind::Text]).or_else(|| is_key(&[Kind::Id]))
    }

    /// A finding about a column that is not configured is only reported.
    pub(super) fn settle_entity(&self, arrived: &mut Arrived) {
        if self.entity().is_some() {
            return;
        }
        arrived.may_be_about = self.alike(&arrived.profile);
        let profiles = arrived.pieces.iter_mut().map(|(_, profile)| profile).chain(&mut arrived.before);
        for profile in profiles.chain([&mut arrived.profile]) {
            profile.entities = None;
            profile.columns.iter_mut().for_each(|column| column.design = None);
        }
        arrived.sample.each(|row| row.about = None);
    }

    fn alike(&self, profile: &Profile) -> Option<String> {
        let column = &profile.entities.as_ref().filter(|entities| entities.n >= LEAST_THINGS)?.column;
        let effect = median_effect(profile, column).filter(|effect| effect * WORTH_TELLING > 1.0)?;
        let worth = profile.n_rows as f64 / effect;
        Some(format!(
            "rows of one {column:?} are correlated: the {} rows count as about {worth:.0} independent rows, but p-values \
             count each row as independent. To correct for it, set entity = {column:?} under [monitor]",
            profile.n_rows
        ))
    }

    /// The effective numbers of rows of a column, if the profiles were made with the current entity column, which may
    /// differ from the one at that time.
    pub(super) fn worth(&self, name: &str, reference: &Profile, current: &Profile) -> Worth {
        let entity = self.entity();
        let of = |profile: &Profile| {
            let known = profile.entities.as_ref().is_some_and(|entities| Some(entities.column.as_str()) == entity);
            profile.column(name).filter(|_| known).and_then(|column| column.design)
        };
        Worth::of(of(reference), of(current))
    }

    /// Notes on rows of one entity.
    pub(super) fn about_entities(&self, reference: &Reference, arrived: &Arrived) -> Vec<String> {
        let Some(column) = self.entity() else { return arrived.may_be_about.iter().cloned().collect() };
        let Some(entities) = &arrived.profile.entities else {
            return vec![format!(
                "the current table has no column {column:?}: rows of one {column:?} are assumed to be as correlated \
                 as in the reference"
            )];
        };
        let mut notes = Vec::new();
        if let Some(effect) = median_effect(&arrived.profile, column) {
            let (n, worth) = (arrived.profile.n_rows, arrived.profile.n_rows as f64 / effect);
            notes.push(format!(
                "rows of one {column:?} are correlated: the {n} rows of {} {column:?} values count as about \
                 {worth:.0} independent rows (median over the columns)",
                entities.n
            ));
        }
        if reference.profile.entities.as_ref().is_none_or(|entities| entities.column != column) {
            let why = if reference.is_training { "the next version will have it" } else { "it has no such column" };
            notes.push(format!(
                "the reference does not record the correlation of its rows of one {column:?} ({why}); it is assumed \
                 to be the same as in the current table"
            ));
        }
        notes
    }
}

/// The median over columns of the design effect.
fn median_effect(profile: &Profile, entity: &str) -> Option<f64> {
    let designs = profile.columns.iter().filter(|column| column.name != entity).filter_map(|column| column.design);
    let mut effects: Vec<f64> = designs.filter_map(|Design { values, .. }| values).collect();
    effects.sort_unstable_by(f64::total_cmp);
    effects.get(effects.len() / 2).copied()
}
