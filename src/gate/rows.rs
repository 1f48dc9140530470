//! The gate rows: rows that neither version was trained on.
//!
//! ```text
//! hash   a row is on the gate's side of both recipes        depends on its hash alone, at any table length
//! time   a row is later than the latest row of both         each version's profile has its latest time
//! ```
//! With a time split, a share of a table that has grown would be wrong: gate rows of the older version may be training
//! rows of the newer one. A row equal to a training row under another id is also left out.

use super::GateError;
use crate::digest;
use crate::journal::Layout;
use crate::labels::{Labels, correct, resolve};
use crate::past;
use crate::pipeline::{Examples, Pipeline, PipelineError, Recipe, SplitBy};
use crate::profile::entity_indices;
use crate::reference;
use crate::registry::Version;
use crate::table::split::Part;
use crate::table::{self, Kind, ReadOptions, Rejects, Schema, Table, Values};
use crate::workspace::{Config, Workspace};
use sha2::{Digest, Sha256};

/// A version and its split; its golden rows were verified.
pub(super) struct Contestant {
    pub(super) version: Version,
    pub(super) pipeline: Pipeline,
    pub(super) recipe: Recipe,
}

impl Contestant {
    pub(super) fn load(workspace: &Workspace, version: Version) -> Result<Self, GateError> {
        let registry = workspace.registry();
        let pipeline = registry.pipeline(version)?;
        let manifest = registry.manifest(version)?;
        let recipe = registry.recipe(version, &manifest)?;
        Ok(Self { version, pipeline, recipe })
    }
}

/// Labelled rows unused for training by both versions.
pub(super) struct GateRows {
    pub(super) table: Table,
    /// Class index or value, one per row.
    pub(super) y: Vec<f64>,
    /// The weight of each row; `None` if all are equal.
    pub(super) weights: Option<Vec<f64>>,
    /// Index of each row's entity; `None` if each row is its own entity.
    pub(super) entities: Option<Vec<u32>>,
    /// SHA-256 over keys and labels.
    pub(super) digest: String,
    /// The note about rows that are copies.
    pub(super) copies: Option<String>,
    /// Number of rows of the table whose label was changed later.
    pub(super) n_corrected: u64,
    /// With a split by time, the latest instant among the rows.
    pub(super) until: Option<i64>,
    pub(super) rejects: Rejects,
}

/// Reads the reference with the rows that the challenger adds and the current labels, and keeps rows that neither
/// version was trained on.
///
/// # Errors
/// If the two cannot be compared on the same rows, or the table does not fit.
pub(super) fn gate_rows(
    workspace: &Workspace,
    config: &Config,
    production: &Contestant,
    challenger: &Contestant,
    skip_invalid: bool,
) -> Result<GateRows, GateError> {
    comparable(production, challenger)?;
    let schema = &challenger.pipeline.schema;
    let both = both_schemas(production, challenger)?;
    let optional = challenger.recipe.target.optional();
    let options = ReadOptions { skip_invalid, optional, ..Default::default() };
    let read = table::read(reference::input_of(workspace, config, challenger.version)?, &both, &options)?;
    let mut table = read.table;
    // As in training, so that each row falls into the same part as then.
    table.unify_levels(schema);
    let table = challenger.recipe.target.complete(table, schema)?;
    let (table, n_corrected) = corrected(workspace, config, table, schema, challenger)?;
    let table = with_windows(workspace, table, [production, challenger])?;
    let examples = Examples::new(table, schema, &challenger.recipe)?;
    let instants = match challenger.recipe.split.by {
        SplitBy::Time => Some(challenger.recipe.instants(&examples.table, schema)?.into_owned()),
        _ => None,
    };
    let latest = |of| latest_learned(workspace, of, (&examples.table, schema), instants.as_deref());
    let latest = [latest(production)?, latest(challenger)?];
    let kept = unseen(&examples, instants.as_deref(), [&production.recipe, &challenger.recipe], latest)?;
    let target = &challenger.pipeline.target;
    let learned: Vec<u32> = (0..examples.y.len() as u32).filter(|row| kept.binary_search(row).is_err()).collect();
    let mut copied = examples.copied(&learned, &kept, schema, &challenger.recipe)?;
    let kept = copied.leave_out(kept);
    let table = examples.table.take(&kept);
    let keys: Vec<u64> = kept.iter().map(|&row| examples.keys[row as usize]).collect();
    let y = target.encode(table.require(&target.name)?).map_err(PipelineError::from)?.y;
    let until = instants.and_then(|instants| kept.iter().map(|&row| instants[row as usize]).max());
    let weighed = examples.by_entity(config.entity()).weighed(&kept);
    let together = weighed.entities.or_else(|| entities(&keys));
    if together.is_some() {
        copied.among = 0;
    }
    Ok(GateRows {
        weights: weighed.weights,
        digest: digest(&keys, &y),
        // Copies under different ids count as one entity.
        entities: together.or_else(|| entities(&copied.contents).filter(|_| copied.among > 0)),
        copies: copied.told(),
        until,
        table,
        y,
        n_corrected,
        rejects: read.rejects,
    })
}

/// The table with the windows of both versions, over its own rows and logged ones.
fn with_windows(workspace: &Workspace, mut table: Table, both: [&Contestant; 2]) -> Result<Table, GateError> {
    for Contestant { pipeline, .. } in both {
        let Some(windows) = pipeline.features.derived().windows() else { continue };
        let log = (&pipeline.schema, &Layout::of(pipeline));
        let past = past::known(workspace, &windows, log, Vec::new())?;
        table = windows.fill(&past, table).map_err(PipelineError::from)?;
    }
    Ok(table)
}

/// Fails if the versions predict different things or were split differently.
fn comparable(production: &Contestant, challenger: &Contestant) -> Result<(), GateError> {
    let (old, new) = (&production.pipeline.target, &challenger.pipeline.target);
    let (by, to) = (&production.recipe, &challenger.recipe);
    let what = if old != new {
        let told = |t: &crate::features::Target| match t.classes.as_slice() {
            [] => format!("{:?} as a number", t.name),
            classes => format!("{:?} as {}", t.name, classes.join(", ")),
        };
        format!("one predicts {}, the other predicts {}", told(old), told(new))
    } else if (by.split.by, &by.split.column) != (to.split.by, &to.split.column)
        || by.placed_by(&production.pipeline.schema) != to.placed_by(&challenger.pipeline.schema)
    {
        "they were split differently ([split] by, or its columns), so gate rows of one may be training rows of the \
         other; train both with the same [split]"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(GateError::Apart { production: production.version, challenger: challenger.version, what })
}

/// The challenger's columns and those that only production needs.
fn both_schemas(production: &Contestant, challenger: &Contestant) -> Result<Schema, GateError> {
    let mut both = challenger.pipeline.schema.clone();
    for (name, _) in production.pipeline.features.inputs() {
        let Some(old) = production.pipeline.schema.column(name) else { continue };
        match both.columns.iter_mut().find(|c| c.name == name) {
            Some(new) if new.kind == old.kind => {}
            Some(new) if !challenger.pipeline.features.inputs().any(|(needed, _)| needed == name) => {
                new.clone_from(old)
            }
            Some(new) => {
                return Err(GateError::Apart {
                    production: production.version,
                    challenger: challenger.version,
                    what: format!(
                        "column {name:?} is {} in one and {} in the other, so no table fits both",
                        old.kind.name(),
                        new.kind.name()
                    ),
                });
            }
            None => both.columns.push(old.clone()),
        }
    }
    Ok(both)
}

/// The table with labels that people gave later.
fn corrected(
    workspace: &Workspace,
    config: &Config,
    table: Table,
    schema: &Schema,
    challenger: &Contestant,
) -> Result<(Table, u64), GateError> {
    let Some(id) = schema.columns.iter().find(|c| c.kind == Kind::Id) else { return Ok((table, 0)) };
    let labels = Labels::held(workspace)?;
    let resolution = resolve(&labels, config.labels.policy);
    Ok(correct(table, &id.name, &challenger.pipeline.target, &resolution.agreed)?)
}

/// The latest time among a version's training rows, if it was split by time.
fn latest_learned(
    workspace: &Workspace,
    of: &Contestant,
    (table, schema): (&Table, &Schema),
    instants: Option<&[i64]>,
) -> Result<Option<f64>, GateError> {
    let Some(instants) = instants.filter(|_| of.recipe.split.by == SplitBy::Time) else { return Ok(None) };
    if !of.recipe.split.columns.is_empty() {
        // A profile has a separate summary of each part: use that of the training rows.
        let id = schema.columns.iter().find(|column| column.kind == Kind::Id);
        let ids = id.and_then(|id| table.column(&id.name)).and_then(|column| match &column.values {
            Values::Text(ids) => Some(ids),
            _ => None,
        });
        let learned = workspace.registry().learned(of.version)?.and_then(|learned| learned.among(table, ids));
        let latest = learned.and_then(|learned| {
            let of_learned = instants.iter().zip(learned).filter(|(_, learned)| *learned);
            of_learned.map(|(&instant, _)| instant as f64).reduce(f64::max)
        });
        return Ok(Some(latest.unwrap_or(f64::INFINITY)));
    }
    let profile = workspace.registry().profile(of.version)?;
    let time = of.pipeline.schema.time();
    let numbers = time.and_then(|c| profile.column(&c.name)).and_then(|c| c.numbers());
    Ok(Some(numbers.filter(|n| n.moments.n > 0).map_or(f64::INFINITY, |n| n.moments.max)))
}

/// The rows that are gate rows of both recipes and later than all training rows of both.
fn unseen(
    examples: &Examples,
    instants: Option<&[i64]>,
    recipes: [&Recipe; 2],
    latest: [Option<f64>; 2],
) -> Result<Vec<u32>, GateError> {
    let mut shares = Vec::new();
    for recipe in recipes {
        shares.push(recipe.split.shares().map_err(PipelineError::Rows)?);
    }
    let rows = 0..u32::try_from(examples.y.len()).unwrap_or(u32::MAX);
    if let (Some(times), [Some(a), Some(b)]) = (instants, latest) {
        return Ok(rows.filter(|&row| times[row as usize] as f64 > a.max(b)).collect());
    }
    let gates = |row: &u32| shares.iter().all(|s| s.side(examples.positions[*row as usize]) == Part::Gate);
    Ok(rows.filter(gates).collect())
}

fn entities(keys: &[u64]) -> Option<Vec<u32>> {
    entity_indices(&keys.iter().map(|key| Some(*key)).collect::<Vec<_>>())
}

/// Labels are hashed as 32-bit numbers, for compatibility with existing audit chains.
fn digest(keys: &[u64], y: &[f64]) -> String {
    let mut rows: Vec<(u64, u32)> = keys.iter().zip(y).map(|(key, y)| (*key, (*y as f32).to_bits())).collect();
    rows.sort_unstable();
    let mut hasher = Sha256::new();
    for (key, y) in rows {
        hasher.update(key.to_le_bytes());
        hasher.update(y.to_le_bytes());
    }
    digest::hex(&hasher.finalize())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
#[path = "rows_tests.rs"]
mod tests;
