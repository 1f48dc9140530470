//! Retrains a challenger from the rows stored with its version.

use super::{Replayed, RetrainError, digests};
use crate::atomic::{self, At, Lock};
use crate::labels::Used;
use crate::pipeline::{Examples, Pipeline};
use crate::reference::{self, ADDED, Added, RowNames};
use crate::registry::Version;
use crate::table::{self, Input, ReadOptions};
use crate::train::{self, Material, TrainRequest, Trained};
use crate::workspace::Workspace;
use crate::workspace::audit::Entry;
use crate::workspace::event::Retrained;
use std::collections::HashSet;
use std::path::Path;

/// Retrains `version` of `from`, which `entry` records, in `workspace`, whose reference is the one in effect at that
/// time.
///
/// # Errors
/// Errors in the tables or the parameters.
pub(crate) fn again(
    workspace: &Workspace,
    lock: &Lock,
    request: &TrainRequest,
    from: &Workspace,
    version: Version,
    entry: &Entry,
) -> Result<Trained, RetrainError> {
    let (config, schema) = (request.config, request.config.schema());
    let path = workspace.path(&config.data.reference);
    let mut added = match Added::of(from, config, version)? {
        Some(added) => added,
        None => Added::new(table::stream(Input::open(&path)?, &schema, &ReadOptions::default())?.names().to_vec()),
    };
    added.skip_invalid = request.skip_invalid;
    let recipe = config.recipe();
    let combined = reference::combined(&path, &schema, &added)?;
    let stored = from.registry().path(version)?;
    let bytes = match atomic::read(stored.join(ADDED)).if_there().at(stored.join(ADDED))? {
        Some(bytes) => bytes,
        // Without added rows no file was stored, but its header was recorded.
        None => {
            let mut header = Vec::new();
            added.write(&mut header, &schema.dialect).at(stored.join(ADDED))?;
            header
        }
    };
    let data = digests(config, &combined, added.len(), &bytes);
    let options = ReadOptions { skip_invalid: request.skip_invalid, ..ReadOptions::default() };
    let read = table::read(combined.into_input(), &schema, &options)?;
    let fresh: HashSet<&str> = added.ids().collect();
    let names = RowNames::of(&schema, &config.target.column);
    let replay = Replayed::new(config.retrain.replay, &names, request.seed)?;
    let thin = |examples: &Examples| replay.thin(examples, &recipe, &fresh);
    let extra = |dir: &Path, pipeline: &Pipeline| {
        // Copy the training input; derived files are generated.
        for name in [ADDED, Used::FILE].into_iter().filter(|name| stored.join(name).exists()) {
            atomic::copy(&stored.join(name), &dir.join(name))?;
        }
        match stored.join("model.onnx").exists().then(|| pipeline.to_onnx()) {
            Some(Ok(onnx)) => atomic::replace(&dir.join("model.onnx"), |out| out.write_all(&onnx)),
            _ => Ok(()),
        }
    };
    let material = Material {
        table: read.table,
        rejects: read.rejects,
        notes: read.notes,
        data,
        thin: &thin,
        extra: &extra,
        by: entry.by.as_deref(),
        from_labels: entry.of::<Retrained>()?.map(|said| said.from),
        step: &|_| {},
    };
    Ok(train::learn(workspace, lock, request, material)?)
}
