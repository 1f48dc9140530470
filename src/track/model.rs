//! A version as MLflow stores models: a run with its artifacts, a logged model in ONNX, a version of a registered
//! model.

use super::events::{Facts, RunAt};
use super::{Round, Stop, TrackError, text};
use crate::atomic::{self, AtPath};
use crate::features::{Encoder, Task};
use crate::pipeline::{Pipeline, PipelineError};
use crate::registry::{Manifest, Role, Version};
use crate::remote::{CallError, Method};
use crate::workspace::EventKind;
use crate::workspace::audit::Entry;
use serde_json::{Value, json};

/// Larger files are not sent.
const MAX_BYTES: u64 = 1 << 30;
/// MLflow's limit for digests of data sets.
const MAX_DIGEST: usize = 36;
/// MLflow's names for the versions with these roles.
const ALIASES: [(Role, &str); 2] = [(Role::Production, "champion"), (Role::Challenger, "challenger")];

impl Round<'_> {
    /// Sends all data of a version that a line created.
    pub(super) fn version(&mut self, run: &RunAt, entry: &Entry, version: Version) -> Result<(), Stop> {
        let registry = self.workspace.registry();
        if !registry.versions()?.contains(&version) {
            // Pruned before it was sent: only the chain's data are left.
            let mut facts = Facts::default();
            facts.add("", &entry.details, true);
            self.log(run, &facts, entry)?;
            return Ok(self.tag(run, "mlloop.pruned", "true")?);
        }
        let manifest = registry.manifest(version)?;
        self.log(run, &facts(&manifest), entry)?;
        if let Some(note) = (!manifest.notes.is_empty()).then(|| manifest.notes.join("\n\n")) {
            self.tag(run, "mlflow.note.content", &note)?;
        }
        self.inputs(run, &manifest)?;
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for name in manifest.artifacts.iter().map(String::as_str).chain(["manifest.json"]) {
            files.push((name.to_owned(), registry.read(version, name, MAX_BYTES)?));
        }
        files.extend(self.drift_page(entry)?.map(|page| ("drift_report.html".to_owned(), page)));
        let Some(place) = self.place(run)? else {
            self.synced.notes.push(format!("{version}: the server stores artifacts elsewhere, so none were sent"));
            return Ok(self.tag(run, "mlloop.artifacts", "not sent: the server does not accept them")?);
        };
        self.store(&place, &files)?;
        self.model(run, entry, version, &manifest)
    }

    /// The path for a run's artifacts; `None` if the server does not accept them.
    fn place(&self, run: &RunAt) -> Result<Option<String>, CallError> {
        let found = self.server.get("runs/get", &[("run_id", &run.id)])?;
        Ok(taken(&found["run"]["info"]["artifact_uri"]))
    }

    /// Stores files that are missing there or have another length: an interrupted attempt continues.
    fn store(&self, place: &str, files: &[(String, Vec<u8>)]) -> Result<(), CallError> {
        let there = self.server.stored(place)?;
        for (name, bytes) in files {
            let is_it = |path: &str| path == name || path.strip_suffix(name.as_str()).is_some_and(|p| p.ends_with('/'));
            if !there.iter().any(|(path, size)| is_it(path) && *size == bytes.len() as u64) {
                self.server.store(&format!("{place}/{name}"), bytes)?;
            }
        }
        Ok(())
    }

    /// Logs the version's training tables with their digests.
    fn inputs(&self, run: &RunAt, manifest: &Manifest) -> Result<(), CallError> {
        let datasets = manifest.data.iter().map(|data| {
            json!({
                "tags": [{ "key": "mlflow.data.context", "value": "training" }],
                "dataset": {
                    "name": data.path.chars().take(500).collect::<String>(),
                    "digest": data.sha256.chars().take(MAX_DIGEST).collect::<String>(),
                    "source_type": "local",
                    "source": json!({ "uri": data.path, "sha256": data.sha256 }).to_string(),
                    "profile": json!({ "num_rows": data.n_rows }).to_string(),
                },
            })
        });
        let asked = json!({ "run_id": run.id, "datasets": datasets.collect::<Vec<_>>() });
        self.server.call(Method::Post, "runs/log-inputs", &asked).map(drop)
    }

    /// The drift report that caused a retrain, if it was not replaced since.
    fn drift_page(&self, entry: &Entry) -> Result<Option<Vec<u8>>, TrackError> {
        if entry.event != EventKind::Retrained {
            return Ok(None);
        }
        let report = self.workspace.report::<Value>("drift_report.json")?;
        let at = report.and_then(|report| report["made_at"].as_str()?.parse::<jiff::Timestamp>().ok());
        let path = self.workspace.path("reports/drift_report.html");
        match at.filter(|at| *at <= entry.at).map(|_| atomic::read_at_most(&path, MAX_BYTES)) {
            Some(Ok(page)) => Ok(Some(page)),
            Some(Err(source)) if source.kind() != std::io::ErrorKind::NotFound => Err(AtPath::new(path, source).into()),
            _ => Ok(None),
        }
    }

    /// Logs the version's ONNX graph as a model and registers it.
    fn model(&mut self, run: &RunAt, entry: &Entry, version: Version, manifest: &Manifest) -> Result<(), Stop> {
        let pipeline = self.workspace.registry().pipeline(version)?;
        let onnx = match pipeline.to_onnx() {
            Ok(onnx) => onnx,
            Err(PipelineError::Model(err)) => {
                self.synced.notes.push(format!("{version}: no ONNX model was logged: {err}"));
                return Ok(self.tag(run, "mlloop.onnx", &format!("not written: {err}"))?);
            }
            Err(err) => return Err(err.into()),
        };
        let named = json!([
            { "key": "mlloop.version", "value": version.to_string() },
            { "key": super::events::AUDIT, "value": entry.hash },
        ]);
        let logged = self.logged_model(run, version, &named)?;
        let (place, id) = match logged {
            Some((place, id)) => (place, Some(id)),
            // Servers before 3.0 have no logged models: the model is a folder in the artifacts of the run.
            None => match self.place(run)? {
                Some(place) => (format!("{place}/model"), None),
                None => return Ok(()),
            },
        };
        let about = mlmodel(&pipeline, run, entry, manifest, id.as_deref());
        let files = [
            ("model.onnx".to_owned(), onnx),
            ("requirements.txt".to_owned(), b"mlflow\nnumpy\nonnx\nonnxruntime\npandas\n".to_vec()),
            ("MLmodel".to_owned(), about.into_bytes()),
        ];
        self.store(&place, &files)?;
        if let Some(id) = &id {
            let ready = json!({ "model_id": id, "status": "LOGGED_MODEL_READY" });
            self.server.call(Method::Patch, &format!("logged-models/{id}"), &ready)?;
            let run_now = self.server.get("runs/get", &[("run_id", &run.id)])?;
            let has = run_now["run"]["outputs"]["model_outputs"].as_array();
            if !has.is_some_and(|outputs| outputs.iter().any(|output| output["model_id"] == **id)) {
                let asked = json!({ "run_id": run.id, "models": [{ "model_id": id, "step": 0 }] });
                self.server.call(Method::Post, "runs/outputs", &asked)?;
            }
        }
        self.register(run, &place, id.as_deref(), &named)
    }

    /// The logged model of a run, found or created: the path of its files, and its id; `None` on servers without logged
    /// models.
    fn logged_model(&self, run: &RunAt, version: Version, tags: &Value) -> Result<Option<(String, String)>, CallError> {
        let asked = json!({ "experiment_ids": [run.experiment], "filter": format!("source_run_id = '{}'", run.id) });
        let found = match self.server.call(Method::Post, "logged-models/search", &asked) {
            Err(CallError::Refused { status: 404 | 405, .. }) => return Ok(None),
            found => found?,
        };
        let info = match found["models"][0]["info"].is_object() {
            true => found["models"][0]["info"].clone(),
            false => {
                let asked = json!({
                    "experiment_id": run.experiment, "name": version.to_string(), "model_type": "mlloop",
                    "source_run_id": run.id, "tags": tags,
                });
                self.server.call(Method::Post, "logged-models", &asked)?["model"]["info"].clone()
            }
        };
        let id = text(&info["model_id"], "model_id")?;
        let place = taken(&info["artifact_uri"]);
        Ok(Some((place.unwrap_or_else(|| format!("{}/models/{id}/artifacts", run.experiment)), id)))
    }

    /// The registered model version of this run, found or created.
    fn register(&self, run: &RunAt, place: &str, id: Option<&str>, tags: &Value) -> Result<(), Stop> {
        let name = self.names.model.as_str();
        if self.registered(run)?.is_some() {
            return Ok(());
        }
        match self.server.call(Method::Post, "registered-models/create", &json!({ "name": name })) {
            Err(err) if err.is("RESOURCE_ALREADY_EXISTS") => {}
            made => drop(made?),
        }
        let mut asked =
            json!({ "name": name, "source": format!("mlflow-artifacts:/{place}"), "run_id": run.id, "tags": tags });
        if let Some(id) = id {
            asked["source"] = format!("models:/{id}").into();
            asked["model_id"] = id.into();
        }
        self.server.call(Method::Post, "model-versions/create", &asked)?;
        Ok(())
    }

    /// The registry's version number of this run's model.
    fn registered(&self, run: &RunAt) -> Result<Option<String>, CallError> {
        let filter = format!("run_id = '{}'", run.id);
        let found = self.server.get("model-versions/search", &[("filter", &filter), ("max_results", "100")])?;
        let versions = found["model_versions"].as_array().map_or(&[][..], Vec::as_slice);
        let ours = versions.iter().find(|version| version["name"] == self.names.model);
        Ok(ours.and_then(|version| version["version"].as_str().map(str::to_owned)))
    }

    /// Sets the aliases to the roles at the end of the chain.
    pub(super) fn aliases(&mut self) -> Result<(), Stop> {
        let name = self.names.model.clone();
        let model = match self.server.get("registered-models/get", &[("name", &name)]) {
            // Nothing was registered, so there is nothing to set.
            Err(err) if err.is("RESOURCE_DOES_NOT_EXIST") => return Ok(()),
            found => found?["registered_model"].clone(),
        };
        let experiment = self.experiment()?;
        let roles = self.chain.entries.iter().rev().find_map(|entry| entry.roles.clone()).unwrap_or_default();
        for (role, alias) in ALIASES {
            let wanted = match roles.holder(role) {
                None => None,
                Some(version) => {
                    let maker = self.chain.maker_of(version)?;
                    let run = maker.map(|maker| self.find(&experiment, &maker.hash)).transpose()?.flatten();
                    run.map(|run| self.registered(&run)).transpose()?.flatten()
                }
            };
            let set = model["aliases"].as_array().and_then(|set| set.iter().find(|one| one["alias"] == alias));
            let asked = |version: &str| json!({ "name": name, "alias": alias, "version": version });
            match (wanted, set) {
                (Some(wanted), Some(set)) if set["version"] == *wanted => {}
                (Some(wanted), _) => {
                    drop(self.server.call(Method::Post, "registered-models/alias", &asked(&wanted))?)
                }
                (None, Some(_)) => {
                    let gone = json!({ "name": name, "alias": alias });
                    self.server.call(Method::Delete, "registered-models/alias", &gone)?;
                }
                (None, None) => {}
            }
        }
        Ok(())
    }
}

/// The path below the server's own artifact store; `None` for another store.
fn taken(uri: &Value) -> Option<String> {
    let rest = uri.as_str()?.strip_prefix("mlflow-artifacts:")?;
    // If there is a host, the path begins after it.
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.split_once('/').map(|(_, path)| path)?,
        None => rest,
    };
    Some(path.trim_matches('/').to_owned())
}

/// Parameters and metrics of a version.
fn facts(manifest: &Manifest) -> Facts {
    let mut facts = Facts::default();
    facts.add("", &json!({ "mlloop": manifest.mlloop, "seed": manifest.seed, "parent": manifest.parent }), false);
    facts.add(
        "rows",
        &json!({ "train": manifest.rows.train, "tune": manifest.rows.tune, "gate": manifest.rows.gate }),
        false,
    );
    facts.add("", &manifest.model, false);
    facts.add("recipe", &manifest.recipe, false);
    let evaluated = [("", Some(&manifest.gate)), ("test_", manifest.test.as_ref())];
    for (prefix, evaluation) in evaluated {
        let Some(metrics) = evaluation.and_then(|evaluation| evaluation["metrics"].as_object()) else { continue };
        for (name, metric) in metrics {
            facts.metric(&format!("{prefix}{name}"), metric["value"].as_f64());
            facts.metric(&format!("{prefix}{name}_low"), metric["low"].as_f64());
            facts.metric(&format!("{prefix}{name}_high"), metric["high"].as_f64());
        }
    }
    facts
}

/// MLflow's description of the ONNX graph. Its inputs are tensors of one column each: with a signature of columns,
/// MLflow passes them to the graph without their second dimension.
fn mlmodel(pipeline: &Pipeline, run: &RunAt, entry: &Entry, manifest: &Manifest, id: Option<&str>) -> String {
    let tensor = |name: &str, kind: &str, shape: &[i64]| json!({ "name": name, "type": "tensor", "tensor-spec": { "dtype": kind, "shape": shape } });
    let inputs = pipeline.features.encoders().iter().map(|column| match column.encoder {
        Encoder::Number(_) => tensor(&column.column, "float64", &[-1, 1]),
        Encoder::TimeParts { .. } => tensor(&column.column, "int64", &[-1, 1]),
        _ => tensor(&column.column, "object", &[-1, 1]),
    });
    let inputs = Value::Array(inputs.collect());
    let outputs = match pipeline.target.task {
        Task::Regression => json!([tensor("prediction", "float32", &[-1, 1])]),
        _ => json!([tensor("prediction", "object", &[-1]), tensor("score", "float32", &[-1, -1])]),
    };
    // A JSON string is a YAML string.
    let quoted = |value: &Value| Value::String(value.to_string()).to_string();
    let model_id = id.map(|id| format!("model_id: {id}\n")).unwrap_or_default();
    format!(
        "flavors:\n  onnx:\n    data: model.onnx\n    onnx_version: '1.17'\n    providers:\n    - CPUExecutionProvider\n  \
         python_function:\n    data: model.onnx\n    loader_module: mlflow.onnx\n    python_version: '3.11'\n\
         {model_id}run_id: {}\nutc_time_created: '{}'\nmetadata: {}\nsignature:\n  inputs: {}\n  outputs: {}\n",
        run.id,
        entry.at.strftime("%Y-%m-%d %H:%M:%S.%6f"),
        json!({ "mlloop": manifest.mlloop, "line": entry.seq }),
        quoted(&inputs),
        quoted(&outputs),
    )
}
