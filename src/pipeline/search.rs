//! Model search: out-of-fold scores decide which models are combined to one.
//!
//! ```text
//! portfolio ─▶ each fitted on all folds but one ─▶ out-of-fold margins ─┬─▶ the mean of them with least loss
//!                 until the budget is spent                             │       (greedy, with repeats)
//!                                                                       ├─▶ calibration, threshold, intervals
//!                                                                       └─▶ members, fitted on all rows: one sum of trees
//! ```
//!
//! Greedy selection is that of Caruana et al. (2004). A mean of margins is a sum of trees, so the result is one model
//! like any other. The default model of a small table is such a mean too, of the first few candidates. The gate rows
//! are not used.

use super::crossfit::{Decided, Unseen, Way, n_cells, no_rows, truth};
use super::portfolio::{Candidate, candidates, n_first};
use super::several::MOST_CELLS_AT_ONCE;
use super::trainer::{Part, Trainer, TrainingSet};
use super::trials::{Search, Trial};
use super::{Examples, PipelineError, Quality, SearchLimits};
use crate::features::Task;
use crate::model::{FEWEST_OF_SEVERAL, Link, Model, Params};
use crate::stats::portable::Portable;
use rustix::time::{ClockId, clock_gettime};

/// Number of parts of the mean, so each member's weight is at least a twentieth.
const PARTS: usize = 20;
/// Maximum number of members, as each costs as much at prediction as a model.
const MOST_MEMBERS: usize = 5;
/// Minimum relative improvement of the loss by a part.
const LEAST_GAIN: f64 = 1e-4;
/// The table's defaults, and the linear model: both are tried for every table with folds.
const WITH_LINEAR: usize = 2;
/// More are tried up to this many rows and cells (times classes, if there are more than two): they then take only a few
/// seconds.
const MOST_BLENDED_ROWS: usize = 4_000;
const MOST_BLENDED_CELLS: usize = 70_000;

/// Training rows, and rows for evaluation.
struct Split {
    held: Vec<u32>,
    set: TrainingSet,
    judges: Part,
}

/// A set of parameters with the out-of-fold results of its models.
struct Tried {
    name: &'static str,
    unseen: Unseen,
    loss: f64,
}

/// The truth of the rows used for decisions, in the order of margins.
struct Judges {
    y: Vec<f32>,
    weights: Option<Vec<f32>>,
    link: Link,
    width: usize,
}

/// How many of the first candidates are blended by default for a table of this size.
pub(super) fn n_blended(task: Task, n_classes: usize, n_rows: usize, n_columns: usize) -> usize {
    let outputs = if n_classes > 2 { n_classes } else { 1 };
    // The models of the folds are trained on four fifths of the rows. All must use the plan of the final model.
    let fewest = if task == Task::Multiclass { FEWEST_OF_SEVERAL * 5 / 4 } else { 0 };
    let is_small = (fewest..=MOST_BLENDED_ROWS).contains(&n_rows) && n_rows * n_columns * outputs <= MOST_BLENDED_CELLS;
    if is_small {
        n_first(task)
    } else if n_rows * n_columns <= MOST_CELLS_AT_ONCE {
        WITH_LINEAR
    } else {
        1
    }
}

impl Trainer<'_> {
    /// Tries the portfolio, at least its `least` first candidates, and selects the models to combine.
    ///
    /// # Errors
    /// Any error of fitting.
    pub(super) fn search(
        &self,
        examples: &Examples,
        way: Way,
        least: usize,
    ) -> Result<(Decided, Search), PipelineError> {
        let mut spent = Spent::new();
        let is_best = self.recipe.quality == Quality::Best;
        let splits = self.splits(examples, way)?;
        let first = self.try_one(&splits, 0, &self.recipe.model)?;
        let judges = Judges::of(&judges_of(&splits), &first.model);
        let plan = first.model.plan().cloned().ok_or_else(no_rows)?;
        let portfolio = candidates(&self.recipe.model, &plan, self.target.task);
        let limits =
            if is_best { self.recipe.search } else { SearchLimits { tries: Some(least as u32), budget: None } };
        let most = limits.tries.map_or(portfolio.len(), |most| portfolio.len().min(most as usize));
        spent.one_more();
        let scorer = first.model.clone();
        let mut lowest = judges.loss(&first.margins);
        let mut tried = vec![Tried { name: portfolio[0].name, loss: lowest, unseen: first }];
        for (at, Candidate { name, params }) in portfolio.iter().enumerate().take(most).skip(1) {
            // A search tries at least what is done without one.
            if at >= least && limits.budget.is_some_and(|budget| spent.would_exceed(f64::from(budget), splits.len())) {
                break;
            }
            let told = format!("{}/{most} best {lowest:.4}", at + 1);
            let progress = |_: &str, done: u64, total: u64| (self.progress)(&told, done, total);
            let unseen = self.telling(&progress).try_one(&splits, at, params)?;
            let loss = judges.loss(&unseen.margins);
            lowest = lowest.min(loss);
            tried.push(Tried { name, unseen, loss });
            spent.one_more();
        }
        let chosen = judges.choose(&tried);
        let told = tried.iter().zip(&chosen.weights).map(|(tried, &weight)| Trial {
            name: tried.name.to_owned(),
            loss: tried.loss,
            rounds: tried.unseen.rounds,
            weight,
        });
        let portfolio = if is_best { portfolio.len() } else { most };
        let search = Search { tried: told.collect(), portfolio, loss: chosen.loss };
        let members = tried.into_iter().zip(chosen.weights).filter(|(_, weight)| *weight > 0.0);
        let members = members.map(|(tried, weight)| (tried.unseen.member, weight * tried.unseen.factor)).collect();
        let scores = scorer.linked(chosen.margins).into_iter().map(f64::from).collect();
        let truth = truth(examples, &judges_of(&splits));
        let rows = splits.into_iter().flat_map(|split| split.held).collect();
        Ok((Decided { members, scores, rows, truth }, search))
    }

    /// Number of candidates that are blended without a search; 1 for a single model. Candidates are blended if there
    /// are folds and they cost little. If parameters of the trees are set, there is one model with them.
    pub(super) fn n_blended(&self, examples: &Examples, way: &Way) -> usize {
        match way {
            Way::Folds(_, rows) if self.recipe.model.is_free() => {
                n_blended(self.target.task, self.target.classes.len(), rows.len(), examples.table.columns().len())
            }
            _ => 1,
        }
    }

    /// The splits for all trials: the folds, or the one tune part if there are no folds.
    fn splits(&self, examples: &Examples, way: Way) -> Result<Vec<Split>, PipelineError> {
        let pairs = match way {
            Way::Folds(k, rows) => self.folds(examples, &rows, k),
            Way::Twice { train, tune } | Way::Once { train, tune } => vec![(train, tune)],
        };
        let n_cells = pairs.first().map_or(0, |(learned, _)| n_cells(examples, learned));
        self.each(&pairs, n_cells, |trainer, (learned, held)| {
            examples.check_rows("train", learned)?;
            let mut set = trainer.training_set(examples, learned, held)?;
            let judges = set.tune.take().ok_or_else(no_rows)?;
            Ok(Split { held: held.clone(), set, judges })
        })
    }

    /// Fits one candidate on every split.
    fn try_one(&self, splits: &[Split], at: usize, params: &Params) -> Result<Unseen, PipelineError> {
        // Members with different rows in each round differ more.
        let seed = self.seed.wrapping_add(at as u64);
        let n_cells = splits.first().map_or(0, |split| split.set.train.x.values.len());
        let watched = self.each(splits, n_cells, |trainer, Split { set, judges, .. }| {
            trainer.watch(&set.features, set.train.clone(), Some(judges), params, seed)
        })?;
        self.unseen(params, seed, &judges_of(splits), watched)
    }
}

fn judges_of(splits: &[Split]) -> Vec<&Part> {
    splits.iter().map(|split| &split.judges).collect()
}

/// The result of the greedy selection.
struct Chosen {
    /// The weight of each candidate that was tried; they sum to 1.
    weights: Vec<f64>,
    loss: f64,
    margins: Vec<f32>,
}

impl Judges {
    fn of(parts: &[&Part], model: &Model) -> Self {
        let weights = parts.iter().map(|part| part.weights.as_deref()).collect::<Option<Vec<_>>>();
        Self {
            y: parts.iter().flat_map(|part| part.y.iter().copied()).collect(),
            weights: weights.map(|weights| weights.concat()),
            link: model.link(),
            width: model.n_margins(),
        }
    }

    /// Mean loss of margins, with the training weights of rows.
    fn loss(&self, margins: &[f32]) -> f64 {
        let (mut sum, mut all) = (0.0, 0.0);
        for (row, said) in margins.chunks_exact(self.width).enumerate() {
            let weight = self.weights.as_ref().map_or(1.0, |weights| f64::from(weights[row]));
            sum += weight * loss_of(self.link, said, self.y[row]);
            all += weight;
        }
        sum / all
    }

    /// The weights of the mean with the lowest loss, that loss, and the mean.
    fn choose(&self, tried: &[Tried]) -> Chosen {
        let mut counts = vec![0_u32; tried.len()];
        let mut sum = vec![0.0_f32; self.y.len() * self.width];
        let mut lowest = f64::INFINITY;
        let mut best = (counts.clone(), sum.clone());
        for parts in 1..=PARTS {
            let is_full = counts.iter().filter(|&&count| count > 0).count() >= MOST_MEMBERS;
            let with = |at: usize| -> f64 {
                let mean: Vec<f32> = sum
                    .iter()
                    .zip(&tried[at].unseen.margins)
                    .map(|(sum, margin)| (sum + margin) / parts as f32)
                    .collect();
                self.loss(&mean)
            };
            let open = (0..tried.len()).filter(|&at| !is_full || counts[at] > 0);
            let Some((at, loss)) = open.map(|at| (at, with(at))).min_by(|a, b| a.1.total_cmp(&b.1)) else { break };
            counts[at] += 1;
            sum.iter_mut().zip(&tried[at].unseen.margins).for_each(|(sum, margin)| *sum += margin);
            if loss < lowest - LEAST_GAIN * lowest.min(1.0) || parts == 1 {
                lowest = loss;
                best = (counts.clone(), sum.iter().map(|sum| sum / parts as f32).collect());
            }
        }
        let (counts, margins) = best;
        let all = f64::from(counts.iter().sum::<u32>().max(1));
        Chosen { weights: counts.into_iter().map(|count| f64::from(count) / all).collect(), loss: lowest, margins }
    }
}

/// The loss of one row.
pub(super) fn loss_of(link: Link, margins: &[f32], y: f32) -> f64 {
    let (margin, y) = (f64::from(margins[0]), f64::from(y));
    match link {
        Link::Logistic => margin.max(0.0) + (-margin.abs()).exp_portable().ln_1p_portable() - y * margin,
        Link::Softmax => log_sum_exp(margins) - f64::from(margins[y as usize]),
        Link::Identity | Link::Exp => (margin - y).powi(2),
    }
}

fn log_sum_exp(margins: &[f32]) -> f64 {
    let most = f64::from(margins.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    most + margins.iter().map(|&margin| (f64::from(margin) - most).exp_portable()).sum::<f64>().ln_portable()
}

/// CPU time that a search has used so far.
struct Spent {
    began: f64,
    n_tried: usize,
}

impl Spent {
    fn new() -> Self {
        Self { began: cpu_seconds(), n_tried: 0 }
    }

    fn one_more(&mut self) {
        self.n_tried += 1;
    }

    /// Whether one more candidate, and then all members on all rows, would exceed `budget` by more than half a
    /// candidate.
    fn would_exceed(&self, budget: f64, n_splits: usize) -> bool {
        let spent = cpu_seconds() - self.began;
        spent + ahead(spent / self.n_tried as f64, self.n_tried + 1, n_splits) >= budget
    }
}

/// CPU seconds still needed if a candidate takes `each`: half a candidate, and the fits of `n_tried` on all rows.
fn ahead(each: f64, n_tried: usize, n_splits: usize) -> f64 {
    // All folds together train on k - 1 times the rows; with one tune part, the final fit has only a few more rows.
    let of_all_rows = if n_splits > 1 { each / (n_splits as f64 - 1.0) } else { each };
    each / 2.0 + of_all_rows * n_tried.min(MOST_MEMBERS) as f64
}

/// CPU time of this process, of all its threads.
fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::ahead;

    #[test]
    fn a_budget_holds_the_fits_on_all_rows() {
        // Five folds: a model of all rows costs a quarter of a candidate.
        assert_eq!(ahead(4.0, 1, 5), 2.0 + 1.0);
        assert_eq!(ahead(4.0, 3, 5), 2.0 + 3.0);
        // At most the maximum number of members.
        assert_eq!(ahead(4.0, 12, 5), 2.0 + 5.0);
        // One tune part: a model of all rows costs as much as the candidate.
        assert_eq!(ahead(4.0, 2, 1), 2.0 + 8.0);
    }
}
