//! `[monitor]` of `mlloop.toml`: what counts as drift, and what is a reason to retrain.

use super::method::Method;
use crate::table::{ColumnSpec, Kind, columns};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The rules that decide whether a column drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Significant after Benjamini–Hochberg, and large (PSI), and seen on enough rows.
    #[default]
    Default,
    /// Evidently's choice of method and threshold by rows and distinct values.
    Evidently,
    /// PSI alone.
    Psi,
}

/// A limit that can be switched off with `false`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "a number, or false to turn the trigger off")]
pub enum Limit {
    /// Fires at this value.
    At(f64),
    /// `false`: never fires.
    Off(bool),
}

impl Limit {
    /// The value; `None` when switched off.
    #[must_use]
    pub fn at(self) -> Option<f64> {
        match self {
            Self::At(value) => Some(value),
            Self::Off(_) => None,
        }
    }
}

/// Which rows the trigger `new_rows` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// Rows with a label or an outcome that no version was trained on: what a retrain would use.
    #[default]
    Labelled,
    /// All rows that arrived since the last retrain, labelled or not.
    All,
}

/// When a metric counts as dropped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "\"sure\", a number, or false to turn the trigger off")]
pub enum DropLimit {
    /// When it is shown with evidence that is valid at every look.
    Sure(Sure),
    /// When it dropped by more than this.
    At(f64),
    /// `false`: never.
    Off(bool),
}

/// `"sure"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Sure {
    /// The only word.
    Sure,
}

impl DropLimit {
    /// Whether it can fire.
    #[must_use]
    pub fn is_on(self) -> bool {
        matches!(self, Self::Sure(_)) || self.fixed().at().is_some()
    }

    /// The fixed limit, where there is one.
    #[must_use]
    pub fn fixed(self) -> Limit {
        match self {
            Self::Sure(_) => Limit::Off(false),
            Self::At(value) => Limit::At(value),
            Self::Off(off) => Limit::Off(off),
        }
    }
}

/// The section as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DriftSettings {
    /// The current table if none is named, relative to the workspace.
    pub current: PathBuf,
    /// The rules that decide.
    pub preset: Preset,
    /// From this share of drifted columns on, the table counts as drifted; unset for `evidently`: .5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_share: Option<f64>,
    /// Whether columns are weighted by importance; unset: the larger of the two shares counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighted: Option<bool>,
    /// Default preset: largest p after Benjamini–Hochberg.
    pub alpha: f64,
    /// Default preset: the smallest change that is large, in the units of Cohen's h.
    pub effect: f64,
    /// Default preset: if set, a change is large from this PSI on, instead of by `effect`; the `psi` preset: unset .2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<f64>,
    /// Default preset: with fewer rows on either side, no column is called stable.
    pub min_rows: u64,
    /// The column that identifies the entity of a row (a customer, a patient, a machine), if rows of one entity are
    /// correlated; unset: the column of the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Days without a run of `monitor` after which the next run reports it.
    pub max_silence_days: f64,
    /// Reasons to retrain.
    pub triggers: Triggers,
    /// Columns that the model does not read but `monitor` reports, with their kinds.
    #[serde(
        deserialize_with = "columns::deserialize",
        serialize_with = "columns::serialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, serde_json::Value>"))]
    pub watch: Vec<ColumnSpec>,
    /// Method and threshold of single columns.
    pub columns: BTreeMap<String, ColumnSettings>,
}

/// Reasons to retrain; each can be switched off with `false`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Triggers {
    /// The share of drifted columns is at least `drift_share`.
    pub drift_share: bool,
    /// The PSI of a drifted column is above this, and above its critical value.
    pub psi: Limit,
    /// Production's score drifted.
    pub score_drift: bool,
    /// A classifier distinguishes the rows from the reference. It is trained if both tables are files and it is quick,
    /// and with `--multivariate`.
    pub multivariate: bool,
    /// A column has so many cells of another type that it cannot be judged.
    pub schema: bool,
    /// At least this many rows can be used for training, or arrived (see `count`).
    pub new_rows: Limit,
    /// Which rows `new_rows` counts.
    pub count: Count,
    /// At least this many human labels were not used for training.
    pub unused_feedback: Limit,
    /// Accuracy by feedback, or on labelled rows, is below this (classes).
    pub recent_accuracy: Limit,
    /// `"sure"`: production loses more than its gate allows; at most one loop in twenty ever has a false alarm. A
    /// number: the primary metric is worse than on the gate rows by more than this (numbers: by this share).
    pub metric_drop: DropLimit,
    /// Production is older than this many days.
    pub max_age_days: Limit,
}

/// How one column is judged; unset keys are those of the preset.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ColumnSettings {
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// The threshold of its statistic or p.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

impl Default for DriftSettings {
    fn default() -> Self {
        Self {
            current: PathBuf::from("data/current.csv"),
            preset: Preset::Default,
            drift_share: None,
            weighted: None,
            alpha: 0.01,
            effect: 0.2,
            psi: None,
            min_rows: 200,
            entity: None,
            max_silence_days: 8.0,
            triggers: Triggers::default(),
            watch: Vec::new(),
            columns: BTreeMap::new(),
        }
    }
}

impl Default for Triggers {
    fn default() -> Self {
        Self {
            drift_share: true,
            psi: Limit::At(0.2),
            score_drift: true,
            multivariate: true,
            schema: true,
            new_rows: Limit::At(1000.0),
            count: Count::Labelled,
            unused_feedback: Limit::At(50.0),
            recent_accuracy: Limit::At(0.7),
            metric_drop: DropLimit::Sure(Sure::Sure),
            max_age_days: Limit::Off(false),
        }
    }
}

impl DriftSettings {
    /// The share of drifted columns from which the table counts as drifted.
    #[must_use]
    pub fn share_threshold(&self) -> f64 {
        self.drift_share.unwrap_or(if self.preset == Preset::Evidently { 0.5 } else { 0.25 })
    }

    /// The PSI above which a column is drifted in the `psi` preset.
    #[must_use]
    pub fn psi_threshold(&self) -> f64 {
        self.psi.unwrap_or(0.2)
    }

    /// Method and threshold configured for `column`.
    #[must_use]
    pub fn of(&self, column: &str) -> ColumnSettings {
        self.columns.get(column).cloned().unwrap_or_default()
    }

    /// Errors in the settings, or in the columns they name.
    ///
    /// # Errors
    /// One line that names the key.
    pub fn check(&self, columns: &[&str]) -> Result<(), String> {
        let share = |name: &str, value: f64| match value > 0.0 && value <= 1.0 {
            true => Ok(()),
            false => Err(format!("[monitor] {name} = {value} must be above 0 and at most 1")),
        };
        share("drift_share", self.share_threshold())?;
        share("alpha", self.alpha)?;
        let psi = self.psi_threshold();
        if !(psi.is_finite() && psi > 0.0) {
            return Err(format!("[monitor] psi = {psi} must be above 0"));
        }
        if !(self.effect.is_finite() && self.effect > 0.0) {
            return Err(format!("[monitor] effect = {} must be above 0", self.effect));
        }
        if !(self.max_silence_days.is_finite() && self.max_silence_days > 0.0) {
            return Err(format!("[monitor] max_silence_days = {} must be above 0", self.max_silence_days));
        }
        if let Some(column) = self.watch.iter().find(|c| !matches!(c.kind, Kind::Number | Kind::Category | Kind::Time))
        {
            return Err(format!(
                "[monitor.watch] {:?} = {:?}: the kind must be number, category or time",
                column.name,
                column.kind.name()
            ));
        }
        if let Some(entity) = self.entity.as_deref().filter(|entity| !columns.contains(entity)) {
            let there = crate::wording::instead(entity, columns.iter().copied());
            return Err(format!("[monitor] entity = {entity:?}, which is not in [columns]{there}"));
        }
        for (name, column) in &self.columns {
            if let Some(value) = column.threshold.filter(|value| !(value.is_finite() && *value >= 0.0)) {
                return Err(format!(
                    "[monitor.columns] threshold of {name:?} = {value} must be a number of at least 0"
                ));
            }
        }
        match self.columns.keys().find(|name| !columns.contains(&name.as_str())) {
            Some(name) => {
                let there = crate::wording::instead(name, columns.iter().copied());
                Err(format!("[monitor.columns] names {name:?}, which is not in [columns]{there}"))
            }
            None => self.check_limits(),
        }
    }

    fn check_limits(&self) -> Result<(), String> {
        let t = &self.triggers;
        let limits = [
            ("psi", t.psi),
            ("new_rows", t.new_rows),
            ("unused_feedback", t.unused_feedback),
            ("recent_accuracy", t.recent_accuracy),
            ("metric_drop", t.metric_drop.fixed()),
            ("max_age_days", t.max_age_days),
        ];
        for (name, limit) in limits {
            match limit {
                Limit::Off(true) => {
                    return Err(format!("[monitor.triggers] {name} must be a number, or false to turn it off"));
                }
                Limit::At(value) if !(value.is_finite() && value >= 0.0) => {
                    return Err(format!("[monitor.triggers] {name} = {value} must be a number of at least 0"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_nothing_can_meet_are_refused_by_their_key() {
        let refused = |change: fn(&mut DriftSettings)| {
            let mut settings = DriftSettings::default();
            change(&mut settings);
            settings.check(&["x"]).unwrap_err()
        };
        let with = |threshold| ColumnSettings { method: None, threshold: Some(threshold) };
        let of_x = |settings: &mut DriftSettings, threshold| settings.columns.insert("x".to_owned(), with(threshold));
        let mut settings = DriftSettings::default();
        for threshold in [f64::NAN, -1.0] {
            of_x(&mut settings, threshold);
            assert!(settings.check(&["x"]).unwrap_err().starts_with("[monitor.columns] threshold of \"x\" = "));
        }
        of_x(&mut settings, 0.1);
        assert_eq!(settings.check(&["x"]), Ok(()));
        assert!(refused(|s| s.max_silence_days = -1.0).contains("max_silence_days = -1 must be above 0"));
        assert!(refused(|s| s.alpha = f64::NAN).contains("alpha"));
    }
}
