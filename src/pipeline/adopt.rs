//! Imports a model that was trained elsewhere as a pipeline.

use super::fit::{Fitted, HeldOut, evaluated};
use super::{Examples, Intervals, Pipeline, PipelineError, Recipe, TargetScale, Weighed};
use crate::features::derive::Derived;
use crate::features::{CodeEncoder, Encoder, FeatureOptions, Features, NumberEncoder, RawColumn, Task};
use crate::model::{ForeignFeatures, ForeignModel, Holds};
use crate::score::{Calibration, threshold};
use crate::table::level::truth;
use crate::table::{Categories, Column, ColumnSpec, Kind, LevelFinder, Schema, Values};
use std::sync::Arc;

/// Builds a pipeline from a model trained elsewhere: its features are the table's numbers, unscaled, and its
/// categories, matched by name and level.
///
/// Features are matched by the names in the model's file; with `by_order`, a model without names takes the table's
/// columns in order. Scores are those of the model; only the threshold is chosen here.
///
/// # Errors
/// If the model does not predict the target, or its features cannot be matched with the columns.
pub fn adopt(
    foreign: ForeignModel,
    examples: &Examples,
    schema: &Schema,
    recipe: &Recipe,
    by_order: bool,
    seed: u64,
) -> Result<Fitted, PipelineError> {
    let ForeignModel { model, format, features, classes } = foreign;
    let target = &examples.target;
    let n_classes = model.head().n_classes;
    if model.task() != target.task || n_classes != target.classes.len() {
        return Err(PipelineError::Rows(format!(
            "the {} model is for {:?} with {n_classes} classes, but the target {:?} is {:?} with {}",
            format.name(),
            model.task(),
            target.name,
            target.task,
            target.classes.len()
        )));
    }
    let reordered;
    let examples = match classes {
        // Class numbers counted from 0 or 1 do not determine the order of the classes.
        Some(classes) if classes.iter().any(|c| target.classes.contains(c)) => {
            reordered = examples.reordered(&classes)?;
            &reordered
        }
        _ => examples,
    };
    let parts = examples.parts(recipe)?;
    let FeatureOptions { derived, drop, .. } = &recipe.features;
    let (derived, computed) = Derived::fit(derived, &examples.table, Some(&parts.train), &target.name)?;
    let drop = &[drop.as_slice(), derived.window_columns()].concat();
    let mut all = schema.clone();
    all.columns.extend(derived.kinds().map(|(name, kind)| ColumnSpec::new(name, kind)));
    let n_features = model.n_features();
    let matching = Matching { features: &features, n_features, schema: &all, examples, computed: &computed, drop };
    let columns = matching.columns(by_order)?;
    let named: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let by_order = (features.names.is_none() || by_order).then(|| named.join(", "));
    let inputs: Vec<RawColumn> =
        columns.iter().enumerate().map(|(at, column)| matching.input(at, column)).collect::<Result<_, _>>()?;
    let reads_derived = inputs.iter().any(|input| derived.expression(&input.column).is_some());
    let derived = if reads_derived { derived } else { Derived::default() };
    let mut pipeline = Pipeline {
        schema: schema.clone(),
        target: examples.target.clone(),
        features: Features::with(derived, inputs)?,
        model,
        scale: TargetScale::default(),
        calibration: Calibration::None,
        threshold: None,
        intervals: Some(no_intervals()),
    }
    .know_levels();
    if target.task == Task::Binary {
        pipeline.threshold = Some(threshold_of(&pipeline, examples, &parts.tune, recipe)?);
    }
    let mut notes = [examples.notes.clone(), unchecked(recipe, format.name())].concat();
    notes.extend(by_order.map(|columns| {
        format!(
            "the model's features are taken in the order of the columns, as requested: \
                                        {columns}"
        )
    }));
    let held_out = HeldOut::new(examples, &parts);
    let gate = pipeline.features.transform(&examples.table.take(&parts.gate))?;
    evaluated(pipeline, &gate, held_out, parts, notes, seed)
}

/// The training rows of a model trained elsewhere are unknown.
fn no_intervals() -> Arc<Intervals> {
    let why = "the model was trained elsewhere, and its training rows are not known";
    Arc::new(Intervals::refused(why.to_owned()))
}

/// Properties of the model that were not checked: training on gate rows, and limits in `mlloop.toml`.
fn unchecked(recipe: &Recipe, format: &str) -> Vec<String> {
    let flatters = format!(
        "the model was imported from {format}: its metrics are too optimistic if it was trained \
                            on gate rows"
    );
    let forbids = !recipe.model.monotone.is_empty() || recipe.model.interactions.is_some();
    let limits = "[model.monotone] and interactions are not checked in a model that was trained elsewhere";
    std::iter::once(flatters).chain(forbids.then(|| limits.to_owned())).collect()
}

/// The threshold chosen on the tune rows, if there are enough.
fn threshold_of(pipeline: &Pipeline, examples: &Examples, tune: &[u32], recipe: &Recipe) -> Result<f64, PipelineError> {
    if examples.check_rows("tune", tune).is_err() {
        return Ok(recipe.decision.untuned_threshold());
    }
    let scores = pipeline.score(&examples.table.take(tune))?;
    let Weighed { y, weights, .. } = examples.weighed(tune);
    Ok(threshold::choose(recipe.decision.threshold, &y, &scores.values, weights.as_deref())?.threshold)
}

/// The columns to match features with.
struct Matching<'a> {
    features: &'a ForeignFeatures,
    n_features: usize,
    schema: &'a Schema,
    examples: &'a Examples,
    computed: &'a [Column],
    drop: &'a [String],
}

/// From this share of values outside a feature's range on, the column is assumed to be a wrong match.
const MOST_OUTSIDE: f64 = 0.5;

impl<'a> Matching<'a> {
    /// The column of each feature.
    fn columns(&self, by_order: bool) -> Result<Vec<&'a ColumnSpec>, PipelineError> {
        if by_order {
            return self.by_order();
        }
        let Some(names) = &self.features.names else {
            return Err(PipelineError::Rows(format!(
                "the model's file does not name its {} features, so they cannot be matched with columns: \
                 --features-by-order takes the table's columns in their order",
                self.n_features
            )));
        };
        // LightGBM writes spaces in names as `_`.
        let plain = |name: &str| name.replace(char::is_whitespace, "_");
        let find = |name: &String| {
            let inputs = || self.schema.columns.iter().filter(|column| column.name != self.examples.target.name);
            let exact = inputs().find(|column| column.name == *name);
            exact.or_else(|| inputs().find(|column| plain(&column.name) == plain(name)))
        };
        let found: Vec<Option<&ColumnSpec>> = names.iter().map(find).collect();
        let strange: Vec<&str> =
            names.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(name, _)| name.as_str()).collect();
        if !strange.is_empty() {
            let shown = strange.iter().take(10).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
            let more = if strange.len() > 10 { ", …" } else { "" };
            return Err(PipelineError::Rows(format!(
                "{} of the model's {} features have no column in the table: {shown}{more}; rename the columns, or \
                 take them in their order with --features-by-order",
                strange.len(),
                names.len()
            )));
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// The table's numbers, and its categories where the model has some, in the table's order.
    fn by_order(&self) -> Result<Vec<&'a ColumnSpec>, PipelineError> {
        let categories = self.features.holds.iter().any(|holds| matches!(holds, Holds::Category(_)));
        let fits = |column: &&ColumnSpec| {
            let kind = column.kind == Kind::Number || (categories && column.kind == Kind::Category);
            kind && column.name != self.examples.target.name && !self.drop.contains(&column.name)
        };
        let columns: Vec<&ColumnSpec> = self.schema.columns.iter().filter(fits).collect();
        if columns.len() == self.n_features {
            return Ok(columns);
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        Err(PipelineError::Rows(format!(
            "the model takes {} features, the table has {} columns for them ({}): set the kind of every column that is not a \
             feature to \"ignore\" in mlloop.toml",
            self.n_features,
            columns.len(),
            names.join(", ")
        )))
    }

    /// How a column becomes a feature.
    fn input(&self, feature: usize, column: &ColumnSpec) -> Result<RawColumn, PipelineError> {
        let wrong = |what: String| PipelineError::Rows(format!("the model's feature {:?} {what}", column.name));
        let name = column.name.clone();
        let encoder = match (self.features.holds(feature), column.kind) {
            (Holds::Category(Some(levels)), Kind::Category) => self.codes(column, levels)?,
            (Holds::Category(Some(levels)), Kind::Number) => {
                let shown: Vec<&str> = levels.iter().take(5).map(|(level, _)| level.as_str()).collect();
                return Err(wrong(format!(
                    "is a category with levels such as {}, a number here: set its kind to \"category\" in mlloop.toml",
                    shown.join(", ")
                )));
            }
            (Holds::Category(None), Kind::Category) => {
                return Err(wrong(
                    "is a category, and the model's file does not say which level is which code: save it from a data \
                     frame (LightGBM), or as JSON (XGBoost 3.1 or newer)"
                        .to_owned(),
                ));
            }
            (holds, Kind::Number) => {
                if let Holds::Number(Some(range)) = holds {
                    self.check_range(column, *range)?;
                }
                Encoder::Number(NumberEncoder::default())
            }
            (_, Kind::Category) => self.flag(column).ok_or_else(|| {
                wrong("is a number, a category here: encode the column as the model's training table did".to_owned())
            })?,
            (_, kind) => {
                return Err(wrong(format!("is a column of kind {kind} here; it must be a number or a category")));
            }
        };
        Ok(RawColumn { column: name, encoder })
    }

    fn values(&self, name: &str) -> Option<&'a Values> {
        let computed = self.computed.iter().find(|column| column.name == name);
        computed.or_else(|| self.examples.table.column(name)).map(|column| &column.values)
    }

    fn cells(&self, column: &ColumnSpec) -> Option<&'a Categories> {
        match self.values(&column.name)? {
            Values::Category(categories) => Some(categories),
            _ => None,
        }
    }

    /// A category with the model's codes of its levels.
    fn codes(&self, column: &ColumnSpec, levels: &[(String, f32)]) -> Result<Encoder, PipelineError> {
        // The table's levels have the names given in mlloop.toml.
        let named = |level: &str| column.spelling.finder().map_or(level, |finder| finder.name(level)).to_owned();
        let mut sorted: Vec<(String, f32)> = levels.iter().map(|(level, code)| (named(level), *code)).collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        sorted.dedup_by(|a, b| a.0 == b.0);
        let (levels, codes): (Vec<String>, Vec<f32>) = sorted.into_iter().unzip();
        let finder = LevelFinder::new(&levels, column.spelling.same());
        let ours = self.cells(column).map(|cells| &*cells.levels).unwrap_or_default();
        if !ours.is_empty() && !ours.iter().any(|level| finder.find(level).is_some()) {
            let some = |levels: &[String]| levels.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            return Err(PipelineError::Rows(format!(
                "the model's feature {:?} has levels such as {}, the column others: {}",
                column.name,
                some(&levels),
                some(ours)
            )));
        }
        Ok(Encoder::Codes(CodeEncoder { levels, codes }))
    }

    /// A yes/no column as 1 and 0, as data frames pass it to a model.
    fn flag(&self, column: &ColumnSpec) -> Option<Encoder> {
        let levels = &self.cells(column)?.levels;
        let codes: Vec<f32> =
            levels.iter().map(|level| truth(level).map(|yes| f32::from(u8::from(yes)))).collect::<Option<_>>()?;
        Some(Encoder::Codes(CodeEncoder { levels: levels.to_vec(), codes }))
    }

    /// Checks that the column fits the range in the model's training.
    fn check_range(&self, column: &ColumnSpec, (low, high): (f64, f64)) -> Result<(), PipelineError> {
        let Some(Values::Number(values)) = self.values(&column.name) else {
            return Ok(());
        };
        let known = values.iter().filter(|value| !value.is_nan());
        let (n, outside) = known.fold((0, 0), |(n, outside): (u64, u64), value| {
            (n + 1, outside + u64::from(*value < low || *value > high))
        });
        if n == 0 || (outside as f64) <= MOST_OUTSIDE * n as f64 {
            return Ok(());
        }
        Err(PipelineError::Rows(format!(
            "{outside} of {n} values of the column {:?} are outside the training range of the model's feature ({low} \
             to {high}): it is a different column or unit",
            column.name
        )))
    }
}
