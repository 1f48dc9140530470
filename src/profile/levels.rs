//! A counted set of levels, with a cap.

use super::Limits;
use crate::table::{Categories, Spelling};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// While reading a table, this many times the cap are counted, so that levels rare at first can become frequent.
const SLACK: usize = 8;

/// Counts of levels.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// The count of each level, by name. When `other` is not 0, counts are lower bounds.
    pub counts: BTreeMap<String, u64>,
    /// Cells of levels that are not counted by name.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub other: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Levels {
    /// Number of cells counted.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.counts.values().fold(self.other, |sum, n| sum.saturating_add(*n))
    }

    /// Counts a batch and returns its number of missing cells.
    pub(super) fn push(&mut self, cells: &Categories, limits: Limits) -> u64 {
        let n_levels = cells.levels.len();
        let mut counts = vec![0_u64; n_levels + 1];
        for &code in &cells.codes {
            // A missing code is larger than any other.
            counts[(code as usize).min(n_levels)] += 1;
        }
        for (level, &n) in cells.levels.iter().zip(&counts).filter(|&(_, &n)| n > 0) {
            self.add(level, n);
        }
        let slack = limits.levels.saturating_mul(SLACK);
        if self.counts.len() > slack {
            self.prune(slack / 2);
        }
        counts[n_levels]
    }

    fn add(&mut self, level: &str, n: u64) {
        match self.counts.get_mut(level) {
            Some(count) => *count += n,
            None => {
                self.counts.insert(level.to_owned(), n);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self, limits: Limits) {
        other.counts.iter().for_each(|(level, &n)| self.add(level, n));
        self.other += other.other;
        self.prune(limits.levels);
    }

    /// Merges spellings of one level, and adds the levels to `spelling`.
    pub(super) fn unify(&mut self, spelling: &mut Spelling) {
        let levels: Vec<(&str, u64)> = self.counts.iter().map(|(level, &n)| (level.as_str(), n)).collect();
        let names = spelling.names(&levels);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (name, (_, n)) in names.into_iter().zip(levels) {
            *counts.entry(name).or_default() += n;
        }
        self.counts = counts;
        spelling.know(&self.counts.keys().cloned().collect::<Vec<_>>());
    }

    /// Keeps the `keep` most frequent levels; on a tie, the first by name.
    pub(super) fn prune(&mut self, keep: usize) {
        if self.counts.len() <= keep {
            return;
        }
        let mut order: Vec<(String, u64)> = std::mem::take(&mut self.counts).into_iter().collect();
        // The sort is stable: ties stay in the order of their names.
        order.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        self.other += order.drain(keep..).map(|(_, n)| n).sum::<u64>();
        self.counts = order.into_iter().collect();
    }
}
