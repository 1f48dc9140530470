//! The derived columns of `mlloop.toml` for a table, without a version.

use super::{TrainError, TrainRequest, read};
use crate::features::derive::{Derived, Past};
use crate::journal::Layout;
use crate::past;
use crate::pipeline::{Examples, PipelineError, rows_that_teach};
use crate::table::{Input, Schema};
use crate::workspace::Workspace;

/// The derived features of `mlloop.toml`, with statistics from the training rows of the reference, the schema of their
/// input tables, and the past rows for windows.
///
/// # Errors
/// Any error of the table or of an expression.
pub fn derived(workspace: &Workspace, request: &TrainRequest) -> Result<(Derived, Schema, Past), TrainError> {
    let (mut schema, recipe) = (request.config.schema(), request.config.recipe());
    let reference = workspace.path(&request.config.data.reference);
    let (mut table, ..) = read(Input::open(&reference)?, &schema, request)?;
    table.unify_levels(&schema);
    let (table, last) = past::of_training(workspace, table, &schema, &recipe)?;
    let examples = Examples::new(table, &schema, &recipe)?;
    let rows = match request.config.trainer {
        // For an external program, statistics are computed without the tune rows.
        Some(_) => examples.parts(&recipe)?.train,
        None => rows_that_teach(&examples, &schema, &recipe, request.seed)?,
    };
    let Examples { table, target, .. } = &examples;
    let (derived, _) =
        Derived::fit(&recipe.features.derived, table, Some(&rows), &target.name).map_err(PipelineError::from)?;
    for (name, levels) in derived.levels() {
        if let Some(column) = schema.columns.iter_mut().find(|column| column.name == name) {
            column.spelling.know(levels);
        }
    }
    let past = match (derived.windows(), last) {
        (Some(windows), Some(last)) => {
            let layout = Layout::of_columns(&schema, &recipe.target.column);
            past::known(workspace, &windows, (&schema, &layout), vec![last.clone()])?.after(&windows, &last)
        }
        _ => Past::default(),
    };
    Ok((derived, schema, past))
}
