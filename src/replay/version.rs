//! Retrains a version: are its files reproduced byte for byte?

use super::shadow::Shadow;
use super::{Part, Replay, ReplayError, Source};
use crate::registry::{Manifest, Version};
use crate::retrain;
use crate::train::{self, TrainRequest};
use crate::workspace::EventKind;
use crate::workspace::audit::Entry;
use crate::workspace::event::Trained;
use serde_json::{Value, json};

/// Keys of `manifest.json` that describe the request, not the result.
const ASKED: [&str; 4] = ["mlloop", "cross_validation", "test", "notes"];

/// Trains `version`, which `entry` made, again from the same rows.
pub(super) fn remake(source: &Source, entry: &Entry, version: Version) -> Result<Replay, ReplayError> {
    let registry = source.workspace.registry();
    if registry.path(version).is_err() {
        return Ok(Replay { missing: vec![format!("models/{version}, which was pruned")], ..Replay::default() });
    }
    let manifest = registry.manifest(version)?;
    let mut shadow = Shadow::before(source, entry)?;
    let mut found = Replay::default();
    if registry.pipeline(version)?.model.plan().is_none() {
        found.missing.push(format!(
            "the file that {version} was imported from (train --from): the model was trained \
                                    elsewhere"
        ));
        return Ok(found);
    }
    let has_config = shadow.missing.is_empty();
    if shadow.reference(source, entry)? {
        match again(source, &shadow, entry, version, &manifest)? {
            Some(parts) => found.parts = parts,
            None => shadow.missing.push(format!("the reference that {version} was made from")),
        }
        if !has_config && !found.parts.is_empty() && found.parts.iter().all(|part| part.agrees) {
            // The parameters are the version's own. Equal bytes show that the columns are the same, too.
            shadow.notes.extend(shadow.missing.drain(..).map(|what| format!("{what} is missing, but was not needed")));
        }
    }
    found.missing = std::mem::take(&mut shadow.missing);
    found.notes = std::mem::take(&mut shadow.notes);
    Ok(found)
}

/// The result; `None` if the tables differ, because the reference was changed outside of the chain.
fn again(
    source: &Source,
    shadow: &Shadow,
    entry: &Entry,
    version: Version,
    manifest: &Manifest,
) -> Result<Option<Vec<Part>>, ReplayError> {
    let registry = source.workspace.registry();
    let recipe = registry.recipe(version, manifest)?;
    let mut config = shadow.settings()?;
    // The settings of the version; the command line may have set any of them.
    (config.target, config.split, config.data.weight) = (recipe.target, recipe.split, recipe.weight);
    (config.model, config.features, config.decision) = (recipe.model, recipe.features, recipe.decision);
    (config.train.quality, config.train.search) = (recipe.quality, recipe.search);
    let request = |skip_invalid| TrainRequest {
        config: &config,
        seed: manifest.seed,
        now: entry.at,
        cv: None,
        test: None,
        from: None,
        features_by_order: false,
        skip_invalid,
        progress: source.progress,
    };
    shadow.make_next(version)?;
    let lock = shadow.workspace.lock()?;
    let make = |skip_invalid| -> Result<train::Trained, ReplayError> {
        Ok(match entry.event {
            EventKind::Retrained => {
                retrain::again(&shadow.workspace, &lock, &request(skip_invalid), source.workspace, version, entry)?
            }
            _ => train::train(&shadow.workspace, &lock, &request(skip_invalid))?,
        })
    };
    // Older versions do not record whether rows were skipped; the number of rows shows it.
    let made = make(manifest.skip_invalid).or_else(|err| make(true).map_err(|_| err))?;
    let remade = shadow.workspace.registry();
    let new = remade.digests(made.version)?;
    let recorded = match entry.of::<Trained>()?.and_then(|said| said.files) {
        Some(seals) => seals,
        None => registry.digests(version)?,
    };
    if tables(manifest) != tables(&made.manifest) {
        return Ok(None);
    }
    let mut parts = Vec::new();
    for (name, seal) in &recorded {
        let part = Part::of(entry.seq, name.clone(), json!(seal), json!(new.get(name)));
        match name.as_str() {
            "manifest.json" if !part.agrees => parts.extend(manifests(entry.seq, manifest, &made.manifest)),
            _ => parts.push(part),
        }
    }
    parts.push(Part::of(entry.seq, "rows by use", json!(manifest.rows), json!(made.manifest.rows)));
    parts.push(Part::of(entry.seq, "metrics on the gate rows", manifest.gate.clone(), made.manifest.gate.clone()));
    Ok(Some(parts))
}

/// The tables that were read, without the one of `--test`.
fn tables(manifest: &Manifest) -> Value {
    let n = if manifest.test.is_some() { manifest.data.len() - 1 } else { manifest.data.len() };
    json!(manifest.data[..n].iter().map(|table| (&table.sha256, table.n_rows)).collect::<Vec<_>>())
}

/// The keys in which two manifests differ, except those of the request and those compared separately.
fn manifests(line: u64, recorded: &Manifest, now: &Manifest) -> Vec<Part> {
    let values = [json!(recorded), json!(now)];
    let left_out = |key: &str| ASKED.contains(&key) || ["data", "gate"].contains(&key);
    let keys = values.iter().flat_map(|value| value.as_object().into_iter().flat_map(|fields| fields.keys()));
    let keys: std::collections::BTreeSet<&String> = keys.filter(|key| !left_out(key)).collect();
    let differing = keys.into_iter().filter(|key| values[0][key.as_str()] != values[1][key.as_str()]);
    let differing: Vec<Part> = differing
        .map(|key| {
            let of = |value: &Value| value[key.as_str()].clone();
            Part::of(line, format!("manifest.json: {key}"), of(&values[0]), of(&values[1]))
        })
        .collect();
    match differing.is_empty() {
        true => vec![Part::of(line, "manifest.json (except for the command line)", Value::Null, Value::Null)],
        false => differing,
    }
}
