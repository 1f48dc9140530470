//! A model made elsewhere, taken in as a pipeline.

use super::fit::{Fitted, HeldOut, evaluated};
use super::{Examples, Pipeline, PipelineError, Recipe};
use crate::features::{Encoder, Features, NumberEncoder, RawColumn, Task};
use crate::model::ForeignModel;
use crate::score::{Calibration, threshold};
use crate::table::{Kind, Schema};

/// Makes a pipeline of a model made elsewhere: its features are the table's numbers, as they are.
///
/// Features are found by the names in the model's file when the table has them all, otherwise by place: the numeric
/// columns in the table's order. Scores stay those of the model; only the threshold is chosen here.
///
/// # Errors
/// When the model predicts something else than the target, or its features cannot be matched with the columns.
pub fn adopt(
    foreign: ForeignModel,
    examples: &Examples,
    schema: &Schema,
    recipe: &Recipe,
    seed: u64,
) -> Result<Fitted, PipelineError> {
    let ForeignModel { model, format, feature_names, classes } = foreign;
    let target = &examples.target;
    let n_classes = model.head().n_classes;
    if model.task() != target.task || n_classes != target.classes.len() {
        return Err(PipelineError::Rows(format!(
            "the {} model is made for {:?} with {n_classes} classes; the target {:?} is {:?} with {}",
            format.name(),
            model.task(),
            target.name,
            target.task,
            target.classes.len()
        )));
    }
    let reordered;
    let examples = match classes {
        // Numbers that merely count the classes say nothing about their order.
        Some(classes) if classes.iter().any(|c| target.classes.contains(c)) => {
            reordered = examples.reordered(&classes)?;
            &reordered
        }
        _ => examples,
    };
    let columns = match_columns(model.n_features(), feature_names.as_deref(), schema, &target.name)?;
    let by_order = (feature_names.as_ref() != Some(&columns)).then(|| columns.join(", "));
    let identity = |column: String| RawColumn { column, encoder: Encoder::Number(NumberEncoder::default()) };
    let mut pipeline = Pipeline {
        schema: schema.clone(),
        target: examples.target.clone(),
        features: Features::new(columns.into_iter().map(identity).collect())?,
        model,
        calibration: Calibration::None,
        threshold: None,
    };
    let parts = examples.parts(recipe)?;
    if target.task == Task::Binary {
        let y = examples.labels(&parts.tune);
        let chosen = if examples.check_rows("tune", &parts.tune).is_ok() {
            let scores = pipeline.score(&examples.table.take(&parts.tune))?;
            threshold::choose(recipe.decision.threshold, &y, &scores.values, None)?.threshold
        } else {
            recipe.decision.untuned_threshold()
        };
        pipeline.threshold = Some(chosen);
    }
    let mut notes = examples.notes.clone();
    notes.extend(by_order.map(|columns| {
        format!("the model's features are not named as columns are; by their order they are {columns}")
    }));
    notes.push(format!(
        "the model came as {}: metrics are flattered if it was trained on rows of the gate",
        format.name()
    ));
    let held_out = HeldOut::new(examples, &parts);
    let gate = pipeline.features.transform(&examples.table.take(&parts.gate))?;
    evaluated(pipeline, &gate, held_out, parts, notes, seed)
}

/// The raw column of each feature.
fn match_columns(
    n_features: usize,
    names: Option<&[String]>,
    schema: &Schema,
    target: &str,
) -> Result<Vec<String>, PipelineError> {
    let is_input = |name: &str| name != target && schema.column(name).is_some_and(|c| c.kind == Kind::Number);
    if let Some(names) = names
        && names.len() == n_features
        && names.iter().all(|name| is_input(name))
    {
        return Ok(names.to_vec());
    }
    let numbers: Vec<String> = schema.columns.iter().filter(|c| is_input(&c.name)).map(|c| c.name.clone()).collect();
    if numbers.len() == n_features {
        return Ok(numbers);
    }
    Err(PipelineError::Rows(format!(
        "the model takes {n_features} features{}, the table has {} numeric columns ({}): set the kind of every column that \
         is not a feature to \"ignore\" in mlloop.toml, or rename columns to the model's features",
        names.map(|names| format!(" ({})", names.join(", "))).unwrap_or_default(),
        numbers.len(),
        numbers.join(", ")
    )))
}
