//! Cross-fitting: decisions on out-of-fold rows, and a final model trained on all rows.
//!
//! ```text
//! train + tune   [ 1 | 2 | 3 | 4 | 5 ]      each fold is scored by a model of the other four
//!                        │
//!      out-of-fold loss  ├─▶ rounds: where the loss over all folds is lowest
//!      out-of-fold scores├─▶ calibration and threshold
//!                        ▼
//!                  one model of all rows, with these rounds
//! ```
//!
//! With one tune part of 15 % a table of 20 frauds has three for early stopping, calibration and threshold, and the
//! model is not trained on them. Folds use every row for both.

use super::trainer::{Part, Trainer};
use super::{Examples, PipelineError, Quality, SplitBy, Weighed};
use crate::features::Task;
use crate::model::{Algorithm, Link, Model, Params, Watched, refine};
use std::collections::HashMap;

/// Number of folds, and of those where a fit costs much.
const FOLDS: usize = 5;
const FEW_FOLDS: usize = 3;
/// From this many columns on, a fit is expensive.
const WIDE: usize = 200;
/// Up to this many rows (times classes, if more than two) every row is used for both.
const MOST_ROWS: usize = 20_000;
/// The limit if the rarest class has at most [`FEW`] rows; uses [`FEW_FOLDS`], because one tune part would hold too few
/// of them.
const MOST_RARE_ROWS: usize = 100_000;
const FEW: usize = 1_000;
/// Up to this many rows, a model is refitted with the tune part after its decisions.
const REFIT_UP_TO: usize = 50_000;
/// In longer tables this many tune rows are used for decisions, the rest for training; more if these hold few of the
/// rarest class.
const MOST_TUNE: usize = 10_000;
const MOST_TUNE_RARE: usize = 500;
/// Minimum number of rows for early stopping, calibration and the threshold.
const MIN_TUNE_ROWS: usize = 30;

/// How a model is learned.
pub(super) enum Way {
    /// Train on all rows, and decide on this many folds of them.
    Folds(usize, Vec<u32>),
    /// Decide on `tune`, then train on all rows.
    Twice { train: Vec<u32>, tune: Vec<u32> },
    /// Decide on `tune`, train on `train`.
    Once { train: Vec<u32>, tune: Vec<u32> },
}

impl Way {
    /// All rows used for training or decisions.
    pub(super) fn all(&self) -> Vec<u32> {
        match self {
            Self::Folds(_, rows) => rows.clone(),
            Self::Twice { train, tune } | Self::Once { train, tune } => together(train, tune),
        }
    }
}

/// The decisions from rows that the models did not see.
pub(super) struct Decided {
    /// The models fitted to all rows, with the weights of their margins, whose sum are those of the model.
    pub(super) members: Vec<(Member, f64)>,
    /// Out-of-fold scores, row-major, before calibration.
    pub(super) scores: Vec<f64>,
    /// The rows, in the order of their scores.
    pub(super) rows: Vec<u32>,
    /// The truth of the same rows, on the trees' scale.
    pub(super) truth: Weighed,
}

/// The parameters of a model after the number of rounds is decided.
pub(super) struct Member {
    pub(super) params: Params,
    pub(super) seed: u64,
}

/// Out-of-fold results of models with one set of parameters.
pub(super) struct Unseen {
    /// The model to fit to all rows.
    pub(super) member: Member,
    /// What its margins are multiplied by.
    pub(super) factor: f64,
    pub(super) rounds: usize,
    pub(super) margins: Vec<f32>,
    /// The last model.
    pub(super) model: Model,
}

/// The truth of the evaluated rows, on the trees' scale.
pub(super) fn truth(examples: &Examples, judges: &[&Part]) -> Weighed {
    let counts = || judges.iter().filter_map(|part| part.counts.as_deref()).collect::<Vec<_>>().concat();
    Weighed {
        y: judges.iter().flat_map(|part| part.y.iter().copied().map(f64::from)).collect(),
        weights: examples.weights.as_ref().map(|_| counts()),
        entities: None,
    }
}

pub(super) fn no_rows() -> PipelineError {
    PipelineError::Rows("folds need rows".to_owned())
}

/// The cells of these rows.
pub(super) fn n_cells(examples: &Examples, rows: &[u32]) -> usize {
    rows.len() * examples.table.columns().len()
}

/// Both lists, merged ascending.
pub(super) fn together(train: &[u32], tune: &[u32]) -> Vec<u32> {
    let mut all = [train, tune].concat();
    all.sort_unstable();
    all
}

impl Trainer<'_> {
    /// The method for the rows: folds if one tune part would be too small; not for splits by time, where later
    /// rows must not decide about earlier ones.
    pub(super) fn way(&self, examples: &Examples, train: &[u32], tune: &[u32]) -> Way {
        let can_tune = tune.len() >= MIN_TUNE_ROWS && examples.check_rows("tune", tune).is_ok();
        let deciding = || if can_tune { tune.to_vec() } else { Vec::new() };
        if self.recipe.quality == Quality::Fast {
            return Way::Once { train: train.to_vec(), tune: deciding() };
        }
        let all = together(train, tune);
        let counts = examples.counts(&all);
        let rarest = counts.iter().copied().filter(|&n| n > 0).min().unwrap_or(all.len());
        let folds = match all.len() * if counts.len() > 2 { counts.len() } else { 1 } {
            _ if self.recipe.split.by == SplitBy::Time || tune.is_empty() => None,
            ..=MOST_ROWS if examples.table.columns().len() < WIDE => Some(FOLDS),
            ..=MOST_ROWS => Some(FEW_FOLDS),
            ..=MOST_RARE_ROWS if rarest <= FEW => Some(FEW_FOLDS),
            _ => None,
        };
        if let Some(k) = folds
            && self.can_fold(examples, &all, k)
        {
            return Way::Folds(k, all);
        }
        let (mut train, mut tune) = (train.to_vec(), deciding());
        if all.len() <= REFIT_UP_TO || self.recipe.quality == Quality::Best && !tune.is_empty() {
            return Way::Twice { train, tune };
        }
        // The rows with the highest positions are used for decisions: by time, the latest ones.
        let enough = (MOST_TUNE_RARE as f64 * all.len() as f64 / rarest as f64).ceil() as usize;
        let keep = MOST_TUNE.max(enough);
        if tune.len() > keep {
            let at = |row: &u32| examples.positions[*row as usize];
            tune.sort_by(|a, b| at(b).total_cmp(&at(a)).then(a.cmp(b)));
            train = together(&train, &tune.split_off(keep));
            tune.sort_unstable();
        }
        Way::Once { train, tune }
    }

    /// Whether each fold leaves enough classes for training and for evaluation.
    fn can_fold(&self, examples: &Examples, rows: &[u32], k: usize) -> bool {
        let folds = self.folds(examples, rows, k);
        folds.iter().all(|(learned, held)| !held.is_empty() && examples.check_rows("train", learned).is_ok())
    }

    /// Trains on all folds but one, in turn, and scores that one.
    ///
    /// # Errors
    /// If a fold is too small for training, or any error of the parts.
    pub(super) fn cross_fit(&self, examples: &Examples, all: &[u32], k: usize) -> Result<Decided, PipelineError> {
        // The features of a fold are computed only when it is fitted, because they need most of the memory.
        let folds = self.folds(examples, all, k);
        let fitted = self.each(&folds, n_cells(examples, all), |trainer, (learned, held)| {
            let set = trainer.training_set(examples, learned, held)?;
            let tune = set.tune.ok_or_else(no_rows)?;
            let watched = trainer.watch(&set.features, set.train, Some(&tune), &self.recipe.model, self.seed)?;
            Ok((tune, watched))
        })?;
        let (judges, watched): (Vec<Part>, Vec<Watched>) = fitted.into_iter().unzip();
        let judges: Vec<&Part> = judges.iter().collect();
        let rows = folds.into_iter().flat_map(|(_, held)| held).collect();
        let Unseen { member, factor, margins, model, .. } =
            self.unseen(&self.recipe.model, self.seed, &judges, watched)?;
        let scores = model.linked(margins).into_iter().map(f64::from).collect();
        Ok(Decided { members: vec![(member, factor)], scores, rows, truth: truth(examples, &judges) })
    }

    /// Scores of each set in `judges` by a model that did not see it, after choosing a common number of rounds.
    pub(super) fn unseen(
        &self,
        given: &Params,
        seed: u64,
        judges: &[&Part],
        watched: Vec<Watched>,
    ) -> Result<Unseen, PipelineError> {
        let rounds = self.rounds(judges, &watched);
        let (mut margins, mut last) = (Vec::new(), None);
        for (judges, watched) in judges.iter().zip(watched) {
            let model = watched.first(rounds)?;
            margins.extend(model.margins(&judges.x)?);
            last = Some(model);
        }
        let model = last.ok_or_else(no_rows)?;
        let member = Member { params: with_rounds(given, &model, rounds), seed };
        // A penalty is not a round.
        let is_boosted = member.params.algorithm == Algorithm::GradientBoosting;
        let factor = rescaled(judges, &model, &mut margins);
        Ok(Unseen { member, factor, rounds: if is_boosted { rounds } else { 1 }, margins, model })
    }

    /// For each fold, the rows of all other folds and its own rows.
    pub(super) fn folds(&self, examples: &Examples, rows: &[u32], k: usize) -> Vec<(Vec<u32>, Vec<u32>)> {
        let folds = self.deal(examples, rows, k);
        let of = |fold: usize| {
            let (held, learned): (Vec<(u32, usize)>, Vec<_>) =
                rows.iter().copied().zip(folds.iter().copied()).partition(|(_, at)| *at == fold);
            let rows = |part: Vec<(u32, usize)>| part.into_iter().map(|(row, _)| row).collect::<Vec<u32>>();
            (rows(learned), rows(held))
        };
        (0..k).map(of).collect()
    }

    /// The rounds of boosting at which the loss over all evaluated rows is lowest.
    fn rounds(&self, judges: &[&Part], watched: &[Watched]) -> usize {
        let weight = |judges: &Part| match &judges.counts {
            Some(counts) => counts.iter().sum(),
            None => judges.y.len() as f64,
        };
        let curves: Vec<(f64, &[f64])> =
            judges.iter().zip(watched).map(|(judges, watched)| (weight(judges), &watched.losses[..])).collect();
        // Without boosting or early stopping there are no losses: all rounds count.
        let all = watched.iter().map(Watched::n_steps).max().unwrap_or(1);
        lowest(&curves, self.target.task == Task::Regression).unwrap_or(all)
    }

    /// The fold of each of `rows`: every class is dealt evenly, and rows that stay together stay in one fold.
    fn deal(&self, examples: &Examples, rows: &[u32], k: usize) -> Vec<usize> {
        let class = |row: u32| match self.target.task {
            Task::Regression => 0,
            Task::Binary | Task::Multiclass => examples.y[row as usize] as usize,
        };
        let counts = examples.counts(rows);
        // A group counts as its rarest class.
        let mut groups: HashMap<u64, usize> = HashMap::with_capacity(rows.len());
        for &row in rows {
            let own = class(row);
            let of = groups.entry(examples.keys[row as usize]).or_insert(own);
            if counts.get(own) < counts.get(*of) {
                *of = own;
            }
        }
        let mut order: Vec<(usize, u64)> = groups.into_iter().map(|(key, class)| (class, key)).collect();
        // By class, then by the key's hash: adding rows hardly changes the order.
        order.sort_unstable();
        let fold_of: HashMap<u64, usize> = order.iter().enumerate().map(|(at, (_, key))| (*key, at % k)).collect();
        rows.iter().map(|row| fold_of[&examples.keys[*row as usize]]).collect()
    }
}

/// Multiplies the margins of several classes by the factor with the lowest loss, and gives it; 1 for other tasks.
fn rescaled(judges: &[&Part], model: &Model, margins: &mut [f32]) -> f64 {
    if model.link() != Link::Softmax {
        return 1.0;
    }
    let y: Vec<f32> = judges.iter().flat_map(|part| part.y.iter().copied()).collect();
    let weights = judges.iter().map(|part| part.weights.as_deref()).collect::<Option<Vec<_>>>();
    let (factor, _) = refine(margins, &y, weights.map(|weights| weights.concat()).as_deref(), model.n_margins());
    margins.iter_mut().for_each(|margin| *margin = (f64::from(*margin) * factor) as f32);
    factor
}

/// The parameters of `given` with this number of rounds, independent of the defaults for more rows.
pub(super) fn with_rounds(given: &Params, model: &Model, rounds: usize) -> Params {
    match model.plan() {
        Some(plan) if plan.algorithm == Algorithm::GradientBoosting => {
            plan.params(u32::try_from(rounds.max(1)).unwrap_or(u32::MAX))
        }
        Some(plan) if plan.algorithm == Algorithm::Linear => {
            Params { reg_lambda: Some(plan.reg_lambda), ..given.clone() }
        }
        _ => given.clone(),
    }
}

/// The number of rounds with the lowest loss over all rows; `None` without losses. A fold that stopped keeps its
/// last loss.
fn lowest(curves: &[(f64, &[f64])], squared: bool) -> Option<usize> {
    let most = curves.iter().map(|(_, losses)| losses.len()).max().unwrap_or(0);
    let at = |round: usize| -> f64 {
        let of = |(n, losses): &(f64, &[f64])| {
            let loss = losses.get(round).or(losses.last()).copied().unwrap_or(0.0);
            // Root mean squared errors are averaged as squares.
            n * if squared { loss * loss } else { loss }
        };
        curves.iter().map(of).sum()
    };
    (0..most).min_by(|&a, &b| at(a).total_cmp(&at(b))).map(|round| round + 1)
}

#[cfg(test)]
mod tests {
    use super::lowest;

    #[test]
    fn rounds_are_those_of_the_lowest_loss_over_all_rows() {
        // Separately, the first would stop after round 1, the second after round 3.
        assert_eq!(lowest(&[(10.0, &[1.0, 1.1, 1.2]), (10.0, &[1.0, 0.7, 0.65, 0.7])], false), Some(2));
        // The longer fold weighs more.
        assert_eq!(lowest(&[(10.0, &[1.0, 1.1, 1.2]), (90.0, &[1.0, 0.7, 0.65, 0.7])], false), Some(3));
        // Errors are squared: 1 + 9 against 4 + 4.1.
        assert_eq!(lowest(&[(1.0, &[1.0, 2.0]), (1.0, &[3.0, 2.025])], true), Some(2));
        assert_eq!((lowest(&[], false), lowest(&[(5.0, &[])], false)), (None, None));
    }
}
