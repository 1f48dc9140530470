//! Old training rows that a retraining uses again.

use super::error::RetrainError;
use crate::pipeline::{Examples, Recipe};
use crate::reference::RowNames;
use crate::stats::random::unit_hash;
use crate::table::{Column, Values};
use std::collections::HashSet;

/// The share of production's training data that is used again.
pub(super) struct Replayed<'a> {
    share: f64,
    /// The id column.
    id: &'a str,
    seed: u64,
}

impl<'a> Replayed<'a> {
    /// # Errors
    /// If rows are to be dropped by id, but have none.
    pub(super) fn new(share: f64, names: &'a RowNames, seed: u64) -> Result<Self, RetrainError> {
        match names.id() {
            None if share < 1.0 => Err(RetrainError::Usage(
                "[retrain] replay selects old rows by their ids, but mlloop.toml has no id column: set replay = 1, \
                 or set one column under [columns] to \"id\""
                    .to_owned(),
            )),
            id => Ok(Self { share, id: id.unwrap_or_default(), seed }),
        }
    }

    /// Drops old training rows beyond the replayed share; gate rows are unchanged.
    pub(super) fn thin(&self, examples: &Examples, recipe: &Recipe, fresh: &HashSet<&str>) -> Option<Vec<u32>> {
        const REPLAY: u64 = 0x5EED_AB1E;
        if self.share >= 1.0 {
            return None;
        }
        let parts = examples.parts(recipe).ok()?;
        let ids = examples.table.columns().iter().find_map(|Column { name, values }| match values {
            Values::Text(texts) if self.id == *name => Some(texts),
            _ => None,
        })?;
        let stays = |row: &u32| {
            let id = ids.get(*row as usize);
            fresh.contains(id) || unit_hash(id.as_bytes(), REPLAY ^ self.seed) < self.share
        };
        let mut rows: Vec<u32> = parts.train.iter().copied().filter(stays).collect();
        rows.extend(parts.tune.iter().chain(&parts.gate));
        rows.sort_unstable();
        Some(rows)
    }
}
