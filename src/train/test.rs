//! The evaluation on a separate table (`train --test`).

use super::{TrainError, TrainRequest, data_digest, ids, read};
use crate::journal::Layout;
use crate::past;
use crate::pipeline::{Fitted, PipelineError, Weighed, judge};
use crate::profile::{entity_indices, entity_keys};
use crate::registry::{DataDigest, Learned};
use crate::score::Evaluation;
use crate::table::{Schema, Spool, Table, TableError};
use crate::workspace::Workspace;
use std::path::Path;

/// Metrics on another labelled table, without training rows, and the rows read.
pub(super) fn test(
    path: &Path,
    (workspace, past): (&Workspace, Option<&Table>),
    fitted: &Fitted,
    learned: Option<&Learned>,
    schema: &Schema,
    request: &TrainRequest,
    notes: &mut Vec<String>,
) -> Result<(Evaluation, DataDigest), TrainError> {
    let file = Spool::new(path)?;
    let (table, _, read_notes) = read(file.open()?, schema, request)?;
    notes.extend(read_notes.into_iter().map(|note| format!("{}: {note}", file.path().display())));
    let digest = data_digest(file.file(), file.path(), table.n_rows())?;
    let mut table = request.config.target.complete(table, schema)?;
    if let (Some(windows), Some(last)) = (fitted.pipeline.features.derived().windows(), past) {
        let log = (&fitted.pipeline.schema, &Layout::of(&fitted.pipeline));
        let past = past::known(workspace, &windows, log, vec![last.clone()])?;
        table =
            windows.fill(&past, table.spelled(&fitted.pipeline.schema).into_owned()).map_err(PipelineError::from)?;
    }
    let target = &fitted.pipeline.target;
    let labels = target.encode(table.require(&target.name)?).map_err(PipelineError::from)?;
    notes.extend(labels.notes.into_iter().map(|note| format!("{}: {note}", path.display())));
    let labelled = (0..).zip(&labels.y).filter(|(_, y)| !y.is_nan()).map(|(row, _)| row);
    let among = learned.and_then(|learned| learned.among(&table.spelled(&fitted.pipeline.schema), ids(&table, schema)));
    let is_learned = |row: &u32| among.as_ref().is_some_and(|among| among[*row as usize]);
    let (learned, rows): (Vec<u32>, Vec<u32>) = labelled.partition(is_learned);
    if among.is_none() {
        notes.push(format!(
            "{}: training rows of the model cannot be distinguished from new rows, neither by id nor by content",
            path.display()
        ));
    }
    if !learned.is_empty() {
        notes.push(format!(
            "{}: {} rows are left out because the model was trained on them",
            path.display(),
            learned.len()
        ));
    }
    if rows.is_empty() {
        let what = "has no labelled rows to evaluate on".to_owned();
        return Err(TableError::File { file: path.display().to_string(), what }.into());
    }
    let of = |values: &[f64]| rows.iter().map(|&row| values[row as usize]).collect::<Vec<f64>>();
    let weights = request.config.recipe().weights(&table, schema, &rows)?;
    let about = request.config.entity().and_then(|name| Some(entity_keys(&table.column(name)?.values)));
    let about = about.map(|about| rows.iter().map(|&row| about[row as usize]).collect::<Vec<Option<u64>>>());
    let entities = about.and_then(|about| entity_indices(&about));
    let judged = Weighed { y: of(&labels.y), weights: weights.as_deref().map(of), entities };
    Ok((judge(&fitted.pipeline, &table.into_rows(&rows), &judged, &fitted.taught, request.seed)?, digest))
}
