//! The distribution of each column of a table: exact while small, sketched beyond, and mergeable.
//!
//! ```text
//! batches ─ProfileBuilder─▶ Profile ─┬─▶ JSON (profile.json of a version, `mlloop profile`)
//! other profiles ────merge──────────▲└─▶ Sample per column, for every drift statistic
//! ```
//! A number column is a list of distinct values with counts; past [`Limits::values`] distinct ones it becomes a
//! [`Kll`] sketch. A category column is a counted set of levels. Whether a column is exact does not depend on the
//! batches, and exact columns are byte-identical.

mod build;
pub mod calendar;
mod design;
mod error;
mod json;
pub mod kll;
mod kll_bytes;
mod levels;
mod merge;
mod numbers;
mod read;
mod sort;
mod summary;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod typing_tests;

pub use build::ProfileBuilder;
pub use calendar::Calendar;
pub use design::{Design, Entities, entity_indices, entity_keys};
pub use error::ProfileError;
pub use kll::Kll;
pub use levels::Levels;
pub use numbers::{Distribution, Moments, Numbers};
pub use read::{Profiled, merge_files, profile_about, profile_input, profile_tables, profile_unknown};
pub use summary::summary;

use crate::stats::sample::Sample;
use crate::table::{Kind, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format of the JSON that this version reads and writes.
pub const FORMAT: u32 = 1;

/// Summary of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Version of this format: [`FORMAT`].
    pub format: u32,
    /// Rows of the table.
    pub n_rows: u64,
    /// The entities of the rows, if a column identifies them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entities: Option<Entities>,
    /// The columns, in the schema's order.
    pub columns: Vec<ColumnProfile>,
}

/// Summary of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Missing cells.
    pub n_missing: u64,
    /// Design effects, if rows belong to entities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design: Option<Design>,
    /// The summary of the other cells.
    pub shape: Shape,
}

/// The summary of the cells of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "one per column, and most are numbers")]
pub enum Shape {
    /// Numbers, or instants in microseconds since 1970-01-01 UTC.
    Numbers(Numbers),
    /// Levels of a category (or the one of a constant).
    Levels(Levels),
    /// Ids and free text: counted, not kept.
    Text,
}

/// The maximum size of an exact column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Distinct numbers of a column, beyond which it is sketched.
    pub values: usize,
    /// Levels of a category, beyond which the rarest are counted together.
    pub levels: usize,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self { values: usize::MAX, levels: usize::MAX };
}

impl Default for Limits {
    fn default() -> Self {
        Self { values: 10_000, levels: 10_000 }
    }
}

impl Profile {
    /// The profile of a table, within the default [`Limits`].
    ///
    /// ```
    /// use mlloop::profile::Profile;
    /// use mlloop::table::{Column, Table, Values};
    ///
    /// let table = Table::new(vec![Column::new("age", Values::Number(vec![40.0, 31.0, f64::NAN, 40.0]))])?;
    /// let profile = Profile::of_table(&table);
    /// let age = profile.column("age").unwrap();
    /// assert_eq!((age.n_missing, age.n_present(profile.n_rows)), (1, 3));
    /// assert_eq!(age.sample().counts(), [1, 2]);
    /// # Ok::<(), mlloop::table::TableError>(())
    /// ```
    #[must_use]
    pub fn of_table(table: &Table) -> Self {
        let mut builder = ProfileBuilder::of_table(table, Limits::default());
        // The builder was made for this table.
        let _ = builder.push(table);
        builder.finish()
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Whether nothing is sketched or uncounted.
    #[must_use]
    pub fn exact(&self) -> bool {
        self.columns.iter().all(ColumnProfile::exact)
    }

    /// The largest rank error of any column, with 99 % confidence; 0 when every number is exact.
    #[must_use]
    pub fn rank_error(&self) -> f64 {
        self.columns.iter().map(ColumnProfile::rank_error).fold(0.0, f64::max)
    }
}

impl ColumnProfile {
    /// Whether its distribution is exact.
    #[must_use]
    pub fn exact(&self) -> bool {
        match &self.shape {
            Shape::Numbers(numbers) => matches!(numbers.distribution, Distribution::Exact(_)),
            Shape::Levels(levels) => levels.other == 0,
            Shape::Text => true,
        }
    }

    /// The maximum rank error as a share of the rows, with 99 % confidence; 0 if exact.
    #[must_use]
    pub fn rank_error(&self) -> f64 {
        match &self.shape {
            Shape::Numbers(Numbers { distribution: Distribution::Sketch(sketch), .. }) => sketch.rank_error(),
            _ => 0.0,
        }
    }

    /// Cells that are not missing, in a table of `n_rows`.
    #[must_use]
    pub fn n_present(&self, n_rows: u64) -> u64 {
        n_rows.saturating_sub(self.n_missing)
    }

    /// The numbers, if it contains numbers or instants.
    #[must_use]
    pub fn numbers(&self) -> Option<&Numbers> {
        match &self.shape {
            Shape::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// The count of each level, if it is a category or a constant.
    #[must_use]
    pub fn levels(&self) -> Option<&BTreeMap<String, u64>> {
        match &self.shape {
            Shape::Levels(levels) => Some(&levels.counts),
            _ => None,
        }
    }

    /// The finite numbers as distinct values with weights; empty if it has no numbers.
    #[must_use]
    pub fn sample(&self) -> Sample {
        self.numbers().map(Numbers::sample).unwrap_or_default()
    }

    /// The smallest value that `share` of the finite numbers do not exceed; `None` without numbers.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        self.numbers()?.quantile(share)
    }
}
