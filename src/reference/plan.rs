//! The collected rows, in numbers and in words.

use crate::report::grouped;
use serde::Serialize;
use std::collections::BTreeMap;

/// The key of [`Plan::features_from`] for rows of the current table.
pub const FROM_CURRENT: &str = "current";

/// The training rows, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// Rows of the reference.
    pub n_reference: u64,
    /// Rows with a valid label.
    pub n_labels: u64,
    /// Of these, rows with labels that no version was trained on.
    pub n_new: u64,
    /// Of these, rows that people labelled.
    pub n_new_by_people: u64,
    /// Rows that are added to the reference.
    pub n_added: u64,
    /// Rows of the reference with a corrected label.
    pub n_corrected: u64,
    /// Rows of the reference with the same label.
    pub n_confirmed: u64,
    /// Labelled rows whose features were not found; they are not used.
    pub n_without_features: u64,
    /// The first of them.
    pub without_features: Vec<String>,
    /// The table that they were exported from, where it is one.
    #[serde(skip)]
    pub exported_from: Option<String>,
    /// Rows with conflicting labels, from people or the current table; they are not used until the conflict is decided.
    pub n_conflicts: u64,
    /// Current rows whose outcome is not a class of production; they are not used.
    pub n_unknown: u64,
    /// The first such outcomes.
    pub unknown: Vec<String>,
    /// Current rows with an outcome and without an id.
    #[serde(skip)]
    pub n_unnamed: u64,
    /// Current rows with an outcome whose id an earlier one of them has.
    #[serde(skip)]
    pub n_repeated: u64,
    /// Current rows that label a row of the reference whose other cells differ.
    #[serde(skip)]
    pub n_other_features: u64,
    /// Labels made by models; they are never used.
    pub n_by_models: u64,
    /// Where the features of added rows were found.
    pub features_from: BTreeMap<&'static str, u64>,
}

impl Plan {
    /// In words.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { n_reference, n_new, n_added, n_corrected, .. } = self;
        let [n_reference, n_new, n_added, n_corrected] =
            [n_reference, n_new, n_added, n_corrected].map(|n| grouped(*n));
        format!(
            "{n_reference} rows of the reference, {n_corrected} of them corrected, and {n_added} labelled rows; {n_new} rows have new labels"
        )
    }

    /// Notes for the user.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let Self { n_without_features, without_features, n_conflicts, n_by_models, n_unknown, unknown, .. } = self;
        let told = [
            (
                *n_without_features,
                format!(
                    "labelled rows are not used because their features are not in the reference, the log or the \
                     current table: {}; `mlloop retrain {}` takes them from the table that has them",
                    without_features.join(", "),
                    self.exported_from.as_deref().unwrap_or("TABLE")
                ),
            ),
            (*n_conflicts, "rows are not used because their labels conflict".to_owned()),
            (
                *n_unknown,
                format!("outcomes are not used because they are not a class of production: {}", unknown.join(", ")),
            ),
            (*n_by_models, "labels are not used because a model made them".to_owned()),
        ];
        let told = told.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let other = (self.n_other_features > 0).then(|| {
            format!(
                "{} rows of the current table have the id of a reference row and other values: only their labels are used, for \
                 the reference rows; if they are new observations, they need ids of their own",
                self.n_other_features
            )
        });
        told.chain(other).chain(self.about_ids()).collect()
    }

    /// Notes on rows whose ids are missing or not unique.
    #[must_use]
    pub fn about_ids(&self) -> Vec<String> {
        let n_named = self.n_repeated + self.n_labels + self.n_conflicts;
        let told = [
            (self.n_unnamed > 0, self.n_unnamed, "have no id, so they cannot be joined or used for training"),
            // A few repeats are duplicate rows. If most ids repeat, the column identifies something else, such as a
            // file or a day.
            (
                2 * self.n_repeated > n_named,
                self.n_repeated,
                "have the id of an earlier row and count as one with it: check the id column",
            ),
        ];
        told.into_iter().filter(|told| told.0).map(|(_, n, what)| format!("{n} rows with an outcome {what}")).collect()
    }

    /// Whether there are labels from which nothing can be learned.
    #[must_use]
    pub fn leaves_out(&self) -> bool {
        let Self { n_without_features, n_conflicts, n_unknown, n_unnamed, .. } = self;
        n_without_features + n_conflicts + n_unknown + n_unnamed > 0
    }

    pub(super) fn not_known(&mut self, label: &str) {
        const SHOWN: usize = 3;
        self.n_unknown += 1;
        let label = format!("{:?}", label.chars().take(40).collect::<String>());
        if self.unknown.len() < SHOWN && !self.unknown.contains(&label) {
            self.unknown.push(label);
        }
    }

    pub(super) fn without(&mut self, id: &str) {
        const SHOWN: usize = 5;
        self.n_without_features += 1;
        if self.without_features.len() < SHOWN {
            self.without_features.push(id.to_owned());
        }
    }
}
