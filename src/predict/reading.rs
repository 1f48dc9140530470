//! How tables to score are read, and the values of their windows.

use super::error::PredictError;
use super::options::PredictOptions;
use crate::past;
use crate::pipeline::Pipeline;
use crate::registry::Version;
use crate::table::{Column, Input, Kind, ReadOptions, Schema, TableError};
use crate::workspace::Workspace;

/// How a table to score is read.
pub(super) fn read_options(
    pipeline: &Pipeline,
    schema: &Schema,
    options: &PredictOptions,
    needs_id: bool,
) -> ReadOptions {
    let inputs = pipeline.features.inputs().map(|(name, _)| name.to_owned());
    let looks_back = !pipeline.features.derived().window_columns().is_empty();
    let id = schema.columns.iter().find(|c| (needs_id || looks_back) && c.kind == Kind::Id).map(|c| c.name.clone());
    let is_input = |id: &String| pipeline.features.inputs().any(|(name, _)| name == id);
    let optional = id.iter().filter(|id| !needs_id && !is_input(id)).chain([&pipeline.target.name]).cloned().collect();
    ReadOptions {
        columns: Some(inputs.chain(id).collect()),
        optional,
        skip_invalid: options.read.skip_invalid,
        ..ReadOptions::default()
    }
}

/// The values of a version's windows in every row of a table, for [`PredictOptions::windows`]; `None` if it has no
/// windows.
///
/// # Errors
/// Errors in the table, the log or the version.
pub fn windows(
    input: impl FnOnce() -> Result<Input, TableError>,
    (workspace, version, pipeline): (&Workspace, Version, &Pipeline),
    options: &PredictOptions,
    needs_id: bool,
) -> Result<Vec<Column>, PredictError> {
    let Some((windows, past)) = past::of_version(workspace, version, pipeline)? else { return Ok(Vec::new()) };
    let schema = input_schema(pipeline, options);
    let read = ReadOptions { no_raw: true, ..read_options(pipeline, &schema, options, needs_id) };
    Ok(past::of_table(workspace, input()?, &schema, &read, (&windows, &past))?)
}

/// The training table's schema; the delimiter and the lines above the header are those of the file.
pub(super) fn input_schema(pipeline: &Pipeline, options: &PredictOptions) -> Schema {
    let mut schema = pipeline.schema.clone();
    schema.dialect = options.read.dialect(&schema.dialect);
    schema
}
