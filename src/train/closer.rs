//! The optional detailed report of a version, which takes time: the effects of its strongest columns, and whether more
//! rows would help.

use super::{TrainError, TrainRequest, Trained, examples, read};
use crate::features::Task;
use crate::pipeline::{self, Pipeline, PipelineError, Quality};
use crate::report::curves::Reached;
use crate::report::number::{count, fixed};
use crate::score::{Direction, Metric};
use crate::stats::quantiles::quantile_sorted;
use crate::stats::random::hash64;
use crate::table::{Categories, Column, Input, MISSING_TIME, Table, Values};
use crate::workspace::Workspace;
use std::borrow::Cow;

/// Maximum number of columns with effects, of rows averaged, and of values tried.
const MAX_EFFECTS: usize = 6;
const MAX_ROWS: usize = 500;
const N_VALUES: usize = 12;
const MAX_LEVELS: usize = 10;
/// Shares of the training rows, and the minimum number of rows.
const SHARES: [f64; 4] = [0.125, 0.25, 0.5, 1.0];
const MIN_ROWS: usize = 50;

/// The results of the detailed report.
#[derive(Debug)]
pub struct Closer {
    /// The output whose mean is shown: a probability, or the predicted number.
    pub predicted: String,
    /// The effects of the strongest columns.
    pub effects: Vec<Effect>,
    /// The metric of `learning`.
    pub metric: Metric,
    /// The quality of models trained on fewer rows, fewest first, each on all gate rows.
    pub(super) learning: Vec<Reached>,
}

/// The mean prediction over rows, for each value set in a column.
#[derive(Debug)]
pub struct Effect {
    /// The column.
    pub column: String,
    /// The values with their mean predictions.
    pub seen: Seen,
}

/// Values of a column, each with the mean prediction.
#[derive(Debug)]
pub enum Seen {
    /// Numbers, ascending.
    Numbers(Vec<(f64, f64)>),
    /// Levels, the most frequent first.
    Levels(Vec<(String, f64)>),
}

impl Closer {
    /// The gain of the last doubling of the rows.
    #[must_use]
    pub fn told(&self) -> String {
        let [.., half, whole] = self.learning.as_slice() else {
            return "Too few rows to estimate whether more rows would help.".to_owned();
        };
        let gain = match self.metric.direction() {
            Direction::Higher => whole.value - half.value,
            Direction::Lower => half.value - whole.value,
        };
        format!(
            "One fit each, on the same gate rows: {name} {} with {} rows and {} with {}. Doubling the rows made it \
             {} by {}.",
            fixed(half.value),
            count(half.n_rows),
            fixed(whole.value),
            count(whole.n_rows),
            if gain < 0.0 { "worse" } else { "better" },
            fixed(gain.abs()),
            name = self.metric.name(),
        )
    }
}

/// Makes the detailed report of a version that was trained on the reference.
///
/// # Errors
/// As [`super::train`].
pub fn look_closer(workspace: &Workspace, request: &TrainRequest, learned: &Trained) -> Result<Closer, TrainError> {
    let (mut schema, recipe) = (request.config.schema(), request.config.recipe());
    schema.know_flags(&learned.pipeline.schema);
    let reference = workspace.path(&request.config.data.reference);
    let (table, _, _) = read(Input::open(&reference)?, &schema, request)?;
    let (examples, _, _) = examples(workspace, request, &mut schema, table)?;
    let parts = examples.parts(&recipe)?;
    let mut rows = [parts.train.as_slice(), &parts.tune].concat();
    rows.sort_by_key(|row| hash64(&row.to_le_bytes(), request.seed));
    let sample = examples.table.take(&rows[..rows.len().min(MAX_ROWS)]);
    let (predicted, effects) = effects(&learned.pipeline, &sample, learned)?;
    let fast = pipeline::Recipe { quality: Quality::Fast, ..recipe };
    let metric = learned.gate.as_ref().map_or(Metric::LogLoss, |gate| gate.primary);
    let mut learning = Vec::new();
    for (at, share) in SHARES.iter().enumerate() {
        (request.progress)("learning curve", at as u64, SHARES.len() as u64);
        let n = (rows.len() as f64 * share).round() as usize;
        if n < MIN_ROWS || learned.gate.is_none() || request.from.is_some() || request.config.trainer.is_some() {
            continue;
        }
        let mut some = [&rows[..n], &parts.gate].concat();
        some.sort_unstable();
        // A small sample may lack a class, or a whole part: then this point is omitted.
        let fitted =
            pipeline::fit(Cow::Owned(examples.clone().take(&some)), &schema, &fast, request.seed, &|_, _, _| {});
        let found = fitted.ok().and_then(|fitted| fitted.gate).and_then(|gate| gate.metrics.get(metric).cloned());
        let Some((value, found)) = found.and_then(|found| Some((found.value?, found))) else { continue };
        learning.push(Reached { n_rows: n as u64, value, interval: found.low.zip(found.high) });
    }
    Ok(Closer { predicted, effects, metric, learning })
}

/// The effects of the strongest columns, and the name of the affected output.
fn effects(pipeline: &Pipeline, sample: &Table, learned: &Trained) -> Result<(String, Vec<Effect>), PipelineError> {
    let target = &pipeline.target;
    let (predicted, score) = match (target.task, target.classes.as_slice()) {
        (Task::Regression, _) => (format!("mean predicted {}", target.name), 0),
        (_, [_, positive]) => (format!("mean probability of {positive}"), 0),
        (_, classes) => (format!("mean probability of {}", classes.first().map_or("", String::as_str)), 0),
    };
    let mean = |table: &Table| -> Result<f64, PipelineError> {
        let scores = pipeline.score(table)?;
        Ok((0..scores.n_rows()).map(|row| scores.row(row)[score]).sum::<f64>() / scores.n_rows().max(1) as f64)
    };
    let with = |column: &Column, values: Values| -> Result<f64, PipelineError> {
        let changed = |other: &Column| match other.name == column.name {
            true => Column::new(column.name.clone(), values.clone()),
            false => other.clone(),
        };
        mean(&Table::new(sample.columns().iter().map(changed).collect())?)
    };
    let mut strongest: Vec<_> = learned.importance.iter().filter(|row| row.gain > 0.0).collect();
    strongest.sort_by(|a, b| b.permutation.unwrap_or(b.gain).total_cmp(&a.permutation.unwrap_or(a.gain)));
    let mut effects = Vec::new();
    let n = sample.n_rows();
    for column in strongest.into_iter().filter_map(|row| sample.column(&row.column)) {
        let seen = match &column.values {
            Values::Number(values) => {
                let tried = quantiles(values.iter().copied());
                let points = tried.into_iter().map(|x| Ok((x, with(column, Values::Number(vec![x; n]))?)));
                Seen::Numbers(points.collect::<Result<_, PipelineError>>()?)
            }
            Values::Time(values) => {
                let tried = quantiles(values.iter().filter(|t| **t != MISSING_TIME).map(|t| *t as f64));
                let points = tried.into_iter().map(|x| Ok((x, with(column, Values::Time(vec![x as i64; n]))?)));
                // Converted to days since 1970, for a numeric axis.
                let days = |(x, y): (f64, f64)| (x / 86_400e6, y);
                Seen::Numbers(points.map(|point| point.map(days)).collect::<Result<_, PipelineError>>()?)
            }
            Values::Category(categories) => {
                let all = |code: u32| Values::Category(Categories { codes: vec![code; n], ..categories.clone() });
                let levels = frequent(categories).into_iter();
                let levels =
                    levels.map(|code| Ok((categories.levels[code as usize].clone(), with(column, all(code))?)));
                Seen::Levels(levels.collect::<Result<_, PipelineError>>()?)
            }
            Values::Text(_) => continue,
        };
        effects.push(Effect { column: column.name.clone(), seen });
        if effects.len() == MAX_EFFECTS {
            break;
        }
    }
    Ok((predicted, effects))
}

/// Distinct values at equal numbers of rows, without the extremes.
fn quantiles(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    if sorted.is_empty() {
        return Vec::new();
    }
    let at = |i: usize| quantile_sorted(&sorted, 0.02 + 0.96 * i as f64 / (N_VALUES - 1) as f64);
    let mut tried: Vec<f64> = (0..N_VALUES).map(at).collect();
    tried.dedup();
    tried
}

/// The codes of the most frequent levels.
fn frequent(categories: &Categories) -> Vec<u32> {
    let mut counts = vec![0_u64; categories.levels.len()];
    for &code in &categories.codes {
        if let Some(count) = counts.get_mut(code as usize) {
            *count += 1;
        }
    }
    let mut codes: Vec<u32> = (0..counts.len() as u32).filter(|code| counts[*code as usize] > 0).collect();
    codes.sort_by_key(|code| std::cmp::Reverse(counts[*code as usize]));
    codes.truncate(MAX_LEVELS);
    codes
}
