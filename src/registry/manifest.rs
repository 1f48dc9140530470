//! `manifest.json`: the origin of a version and its metrics.

use super::{Registry, RegistryError, Version};
use crate::atomic;
use crate::model::Plan;
use crate::pipeline::{Coverage, Importance, Recipe, Search};
use crate::score::{Evaluation, Metric};
use crate::wording::known_format;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::path::Path;

const NAME: &str = "manifest.json";
/// Larger files are not a manifest: refused before reading.
const MAX_BYTES: u64 = 256 << 20;

/// The origin and the metrics of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Manifest {
    /// Version of this file's format: 1.
    pub format: u32,
    /// The `mlloop` that made it.
    pub mlloop: String,
    /// When it was made.
    pub trained_at: jiff::Timestamp,
    /// The version that was in production then.
    pub parent: Option<Version>,
    /// The random seed.
    pub seed: u64,
    /// The files or rows that were read.
    pub data: Vec<DataDigest>,
    /// Rows by use.
    pub rows: RowCounts,
    /// The algorithm and its parameters, or the format of the file it came from.
    #[cfg_attr(test, schemars(with = "ModelFacts"))]
    pub model: serde_json::Value,
    /// The settings: `mlloop.toml` without the columns.
    #[cfg_attr(test, schemars(with = "Recipe"))]
    pub recipe: serde_json::Value,
    /// Metrics on the gate rows, with intervals and baseline.
    #[cfg_attr(test, schemars(with = "Option<Evaluation>"))]
    pub gate: serde_json::Value,
    /// The search, with `quality = "best"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// Metrics of cross-validation, if requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::pipeline::CrossValidated>"))]
    pub cross_validation: Option<serde_json::Value>,
    /// Metrics on another table, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<Evaluation>"))]
    pub test: Option<serde_json::Value>,
    /// Coverage of intervals or sets on the gate rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<Coverage>,
    /// Importance of each raw column.
    pub importance: Vec<Importance>,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// Files with readable results: importance, classification report, confusion matrix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// Why it is not fit for production, from its gate rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// Whether invalid rows of its tables were skipped (`--skip-invalid`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_invalid: bool,
}

/// The contents of `model` in a manifest.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelFacts<'a> {
    /// The algorithm and its parameters; absent for a model trained elsewhere.
    pub parameters: Option<&'a Plan>,
    /// Number of trees.
    pub n_trees: usize,
    /// Number of boosting rounds.
    pub rounds: usize,
    /// Number of features.
    pub n_features: usize,
}

/// A file with training rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DataDigest {
    /// Its path as given in `mlloop.toml` or on the command line.
    pub path: String,
    /// Its rows.
    pub n_rows: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Rows by use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RowCounts {
    /// Rows for training.
    pub train: u64,
    /// Used for early stopping, calibration and the threshold.
    pub tune: u64,
    /// Rows for the gate.
    pub gate: u64,
}

impl RowCounts {
    /// All of them.
    #[must_use]
    pub fn total(self) -> u64 {
        self.train + self.tune + self.gate
    }
}

impl Manifest {
    /// Writes `manifest.json` into a version directory that is not visible yet.
    ///
    /// # Errors
    /// I/O errors.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        atomic::replace_json(&dir.join(NAME), self)
    }

    /// The deciding metric of `[promote]`, else the task's own, as short text: `roc_auc 0.847 (0.829–0.864)`.
    #[must_use]
    pub fn headline(&self, decides: Option<Metric>) -> String {
        let chosen = decides.map(Metric::name).filter(|name| self.gate["metrics"].get(name).is_some());
        let name = chosen.or(self.gate["primary"].as_str()).unwrap_or("-");
        let metric = &self.gate["metrics"][name];
        match (metric["value"].as_f64(), metric["low"].as_f64(), metric["high"].as_f64()) {
            (Some(value), Some(low), Some(high)) => format!("{name} {value:.4} ({low:.4} to {high:.4})"),
            (Some(value), _, _) => format!("{name} {value:.4}"),
            _ => "not measured".to_owned(),
        }
    }
}

impl Registry {
    /// The metrics on the gate rows in `manifest`, of `version`; `None` for a version that was not evaluated.
    ///
    /// # Errors
    /// If they are invalid: damage must not look like absence.
    pub fn gate(&self, version: Version, manifest: &Manifest) -> Result<Option<Evaluation>, RegistryError> {
        self.part(version, "gate", &manifest.gate)
    }

    /// The recipe by which `version` was trained, as its `manifest` has it.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn recipe(&self, version: Version, manifest: &Manifest) -> Result<Recipe, RegistryError> {
        self.part(version, "recipe", &manifest.recipe)
    }

    fn part<T: DeserializeOwned>(&self, version: Version, key: &str, value: &Value) -> Result<T, RegistryError> {
        T::deserialize(value).or_else(|err| {
            let path = self.path(version)?.join(NAME);
            Err(RegistryError::Damaged { path, what: format!("\"{key}\" cannot be parsed: {err}") })
        })
    }

    /// The manifest of `version`.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn manifest(&self, version: Version) -> Result<Manifest, RegistryError> {
        let path = self.path(version)?.join(NAME);
        let bytes = self.read(version, NAME, MAX_BYTES)?;
        serde_json::from_slice(&bytes)
            .map_err(|err| format!("not a manifest: {err}"))
            .and_then(|manifest: Manifest| known_format(manifest.format, 1).map(|()| manifest))
            .map_err(|what| RegistryError::Damaged { path, what })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(gate: Value) -> Manifest {
        let rows = json!({ "train": 6, "tune": 2, "gate": 3 });
        let made = json!({
            "format": 1, "mlloop": "0.1.0", "trained_at": "2026-11-20T08:00:00Z", "parent": null, "seed": 7, "data": [],
            "rows": rows, "model": {}, "recipe": {}, "gate": gate, "importance": [], "notes": [],
        });
        serde_json::from_value(made).unwrap()
    }

    #[test]
    fn what_is_known_of_a_version_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(dir.path());
        let unjudged = manifest(Value::Null);
        let version = registry.store(|_, dir| unjudged.save(dir)).unwrap();
        assert_eq!(registry.manifest(version).unwrap(), unjudged);
        assert_eq!(unjudged.rows.total(), 11);
        assert_eq!(registry.gate(version, &unjudged).unwrap(), None);
        // Damage does not look like absence.
        let said = registry.gate(version, &manifest(json!({ "rows": "many" }))).unwrap_err().to_string();
        assert!(said.contains("v0001/manifest.json: \"gate\" cannot be parsed"), "{said}");
        let path = dir.path().join("v0001").join(NAME);
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": 9"))
            .unwrap();
        assert!(matches!(registry.manifest(version), Err(RegistryError::Damaged { .. })));
    }

    #[test]
    fn the_headline_is_the_metric_that_decides() {
        let metrics = json!({ "roc_auc": { "value": 0.8, "low": 0.75, "high": 0.85 }, "f1": { "value": 0.5 } });
        let judged = manifest(json!({ "primary": "roc_auc", "metrics": metrics }));
        assert_eq!(judged.headline(None), "roc_auc 0.8000 (0.7500 to 0.8500)");
        assert_eq!(judged.headline(Some(Metric::F1)), "f1 0.5000");
        assert_eq!(judged.headline(Some(Metric::PrAuc)), "roc_auc 0.8000 (0.7500 to 0.8500)");
        assert_eq!(manifest(Value::Null).headline(None), "not measured");
    }
}
