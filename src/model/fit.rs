//! Fitting: checks, the engine's parameters, early stopping.

use crate::features::{Matrix, Task};
use crate::model::data::{FitData, FitOptions, Round};
use crate::model::error::ModelError;
use crate::model::limits::Direction;
use crate::model::params::{Algorithm, Checked, GrowPolicy};
use crate::model::plan::{Plan, Shape};
use crate::model::refine::{RefinedLoss, refine};
use crate::model::watched::{Grown, Stop, Watched};
use crate::model::{Head, Link, Model, bins, linear};
use crate::threads;
use hessboost::config::{GrowPolicy as EngineGrowth, Monotone, MultiStrategy, TrainingParams, TreeMethod};
use hessboost::data::{BinnedMatrix, DMatrix};
use hessboost::objective::{Multiclass, Objective, RegLoss};
use hessboost::training::{RoundEval, Trainer, TrainingData};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Up to this many cells, two threads are no faster than one (see [`threads`]).
const MOST_CELLS_OF_ONE_THREAD: usize = 400_000;

impl Model {
    /// Fits the trees described by `options.params`.
    ///
    /// The same rows, parameters and seed give the same bytes on any number of threads.
    ///
    /// # Errors
    ///
    /// [`ModelError::Data`] if there are no rows or no features, lengths differ, a target is missing or not
    /// a class index, a weight is negative or not finite, or only one class is present.
    pub fn fit(data: &FitData<'_>, options: &FitOptions<'_>) -> Result<Self, ModelError> {
        Self::fit_from(data.x.clone(), data.y, data.weights, options)
    }

    /// [`Model::fit`] on owned features: they are dropped as soon as they are binned, unless they are shared, because
    /// bins need less than half the memory.
    ///
    /// # Errors
    ///
    /// As [`Model::fit`].
    pub fn fit_from(
        x: Matrix,
        y: &[f32],
        weights: Option<&[f32]>,
        options: &FitOptions<'_>,
    ) -> Result<Self, ModelError> {
        let watched = Self::watch(x, y, weights, options)?;
        watched.best()
    }

    /// As [`Model::fit_from`], with every round that was grown and its loss on the tune part.
    ///
    /// # Errors
    ///
    /// As [`Model::fit`].
    pub fn watch(
        x: Matrix,
        y: &[f32],
        weights: Option<&[f32]>,
        options: &FitOptions<'_>,
    ) -> Result<Watched, ModelError> {
        let task = options.params.task();
        let n_classes = match task {
            Task::Binary => 2,
            Task::Multiclass => options.n_classes,
            Task::Regression => 0,
        };
        check_data(&FitData { x: &x, y, weights }, task, n_classes)?;
        if let Some(tune) = &options.tune {
            check_rows(tune, task, n_classes)?;
            if tune.x.n_features() != x.n_features() {
                return Err(ModelError::Features { expected: x.n_features(), found: tune.x.n_features() });
            }
        }
        let tune = options.tune.filter(|tune| tune.x.n_rows > 0);
        let (n_rows, n_features) = (x.n_rows, x.n_features());
        let shape = Shape { n_rows, n_features, rarest: rarest(y, n_classes), n_classes, has_tune: tune.is_some() };
        let plan = options.params.plan(shape);
        let snapped = |x, max_bin: u32| {
            engine_matrix(&bins::snap(x, bins::Labels { y, n_classes, weights }, max_bin as usize), weights)
        };
        let grow = || match plan.algorithm {
            Algorithm::GradientBoosting => {
                boost(snapped(x, plan.max_bin)?.with_labels(y)?, options, n_classes, plan, tune)
            }
            Algorithm::RandomForest | Algorithm::DecisionTree => {
                let model = average(snapped(x, plan.max_bin)?, y, options, n_classes, plan)?;
                Ok(Watched { grown: Grown::Rounds(Box::new(model)), losses: Vec::new(), factor: 1.0 })
            }
            Algorithm::Linear => {
                let linear::Path { steps, losses } = linear::fit(&FitData { x: &x, y, weights }, options, &plan, tune);
                Ok(Watched { grown: Grown::Penalties(steps), losses, factor: 1.0 })
            }
        };
        if n_rows * n_features <= MOST_CELLS_OF_ONE_THREAD { threads::alone(grow) } else { grow() }
    }

    /// The model after its first `rounds` rounds, or all of them if it has fewer.
    ///
    /// # Errors
    ///
    /// If the engine has no trees.
    pub fn first(&self, rounds: usize) -> Result<Self, ModelError> {
        let engine = self.engine()?.slice(..rounds.clamp(1, self.rounds().max(1)), 1)?;
        Self::from_engine(engine, self.head().clone(), self.plan().cloned())
    }
}

/// Rows of the rarest class that occurs; all rows where values are predicted.
fn rarest(y: &[f32], n_classes: usize) -> usize {
    if n_classes == 0 {
        return y.len();
    }
    let mut counts = vec![0_usize; n_classes];
    y.iter().for_each(|&class| counts[class as usize] += 1);
    counts.into_iter().filter(|&n| n > 0).min().unwrap_or(0)
}

/// Boosting: each round's trees correct the sum of those before.
fn boost(
    rows: DMatrix,
    options: &FitOptions<'_>,
    n_classes: usize,
    plan: Plan,
    tune: Option<FitData<'_>>,
) -> Result<Watched, ModelError> {
    let task = options.params.task();
    let (objective, link) = match task {
        Task::Binary => (Objective::BinaryLogistic(RegLoss::default()), Link::Logistic),
        Task::Multiclass => (Objective::Softprob(Multiclass::new(n_classes)?), Link::Softmax),
        Task::Regression => (Objective::SquaredError(RegLoss::default()), Link::Identity),
    };
    let mut params = engine_params(&plan, options.params);
    params.objective = objective;
    let train = Rows::new(rows, params.max_bin)?;
    let judges = tune;
    let tune = judges
        .map(|tune| Ok::<_, ModelError>(engine_matrix(tune.x, tune.weights)?.with_labels(tune.y)?))
        .transpose()?;
    let most = plan.n_estimators as usize;
    let mut trainer = Trainer::new(&params, &train, most);
    // Without early stopping the rows need not be scored every round.
    let patience = plan.early_stopping_rounds.and_then(|n| NonZeroUsize::new(n as usize));
    let mut stop = None;
    if let (Some(tune), Some(rounds)) = (&tune, patience) {
        trainer = trainer.eval(tune, "tune").early_stopping_rounds(rounds);
        let is_given = options.params.params().early_stopping_rounds.is_some();
        stop = Some(Stop::new(rounds.get(), task, is_given));
        if task == Task::Multiclass {
            trainer = trainer.custom_metric(Box::new(RefinedLoss { n_classes }));
        }
    }
    trainer = trainer.on_round(move |round: RoundEval<'_>| {
        let tune_loss = round.values().last().copied();
        if let Some(progress) = options.progress {
            progress(Round { done: round.iteration() + 1, most, tune_loss });
        }
        let is_due = stop.as_mut().zip(tune_loss).is_some_and(|(stop, loss)| stop.is_due(loss));
        if is_due { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let fitted = trainer.train()?;
    let losses: Vec<f64> = fitted.history.rounds().filter_map(|round| round.values().last().copied()).collect();
    // By default the engine scores with the rounds up to the best one only.
    let engine = fitted.model.slice(.., 1)?;
    let model = Model::from_engine(engine, Head { task, n_classes, link }, Some(plan))?;
    let factor = match (judges, linear::lowest(&losses)) {
        (Some(tune), Some(best)) if task == Task::Multiclass => {
            refine(&model.first(best + 1)?.margins(tune.x)?, tune.y, tune.weights, n_classes).0
        }
        _ => 1.0,
    };
    Ok(Watched { grown: Grown::Rounds(Box::new(model)), losses, factor })
}

/// A forest, or one tree: leaves are (weighted) means of the target, and trees are averaged.
///
/// Squared error on class indicators makes each leaf the share of its class, and its gain the decrease in Gini
/// impurity; all trees of one round start from the same gradients, so nothing is boosted.
///
/// The single tree is grown here too, not by `linfa-trees` 0.8.1, because of its results on the project's tables (five
/// levels, equal leaves): 20 fits on wine quality's classes gave 20 different trees, because impurities are summed
/// and ties broken in the order of a hash map; a node misses a split between equal values unless it holds
/// the last of them; subtrees whose leaves agree on a class are pruned, whatever their shares. Held-out ROC-AUC was
/// .801 v .824 here (churn), .746 v .764 (diabetes), .687 v .746 (credit default), at 2 to 10 times the time. It
/// supports neither missing values nor regression, and its sort has no total order with `NaN`.
fn average(
    rows: DMatrix,
    y: &[f32],
    options: &FitOptions<'_>,
    n_classes: usize,
    plan: Plan,
) -> Result<Model, ModelError> {
    let task = options.params.task();
    let mut params = engine_params(&plan, options.params);
    params.objective = Objective::SquaredError(RegLoss::default());
    params.num_parallel_tree = plan.n_estimators as usize;
    let rows = match task {
        Task::Binary => {
            params.base_score = Some(0.0);
            rows.with_labels(y)?
        }
        // The engine starts from the mean, so that leaf values stay precise even for large targets.
        Task::Regression => rows.with_labels(y)?,
        Task::Multiclass => {
            params.base_score = Some(0.0);
            params.multi_strategy = MultiStrategy::MultiOutputTree;
            rows.with_label_matrix(&indicators(y, n_classes), n_classes)?
        }
    };
    let train = Rows::new(rows, params.max_bin)?;
    let engine = Trainer::new(&params, &train, 1).train()?.model;
    if let Some(progress) = options.progress {
        progress(Round { done: 1, most: 1, tune_loss: None });
    }
    Model::from_engine(engine, Head { task, n_classes, link: Link::Identity }, Some(plan))
}

/// One column per class, 1 where the row is of that class.
fn indicators(y: &[f32], n_classes: usize) -> Vec<f32> {
    let mut columns = vec![0.0; y.len() * n_classes];
    for (row, &class) in columns.chunks_exact_mut(n_classes).zip(y) {
        row[class as usize] = 1.0;
    }
    columns
}

/// The plan and its limits as parameters of the engine.
fn engine_params(plan: &Plan, checked: &Checked) -> TrainingParams {
    let limit = |n: Option<u32>| n.and_then(|n| NonZeroUsize::new(n as usize));
    let mut params = TrainingParams::default();
    params.seed = checked.seed();
    params.eta = plan.learning_rate;
    params.gamma = plan.gamma;
    params.min_child_weight = plan.min_child_weight;
    params.subsample = plan.subsample;
    params.colsample_bytree = plan.colsample_bytree;
    params.colsample_bynode = plan.colsample_bynode;
    params.lambda = plan.reg_lambda;
    params.alpha = plan.reg_alpha;
    params.tree_method = TreeMethod::Hist;
    params.max_bin = plan.max_bin as usize;
    params.max_depth = limit(plan.max_depth);
    params.max_leaves = limit(plan.max_leaves);
    params.grow_policy = match plan.grow_policy {
        GrowPolicy::Depthwise => EngineGrowth::DepthWise,
        GrowPolicy::Lossguide => EngineGrowth::LossGuide,
        GrowPolicy::Symmetric => EngineGrowth::Symmetric,
    };
    let limits = checked.limits();
    params.monotone_constraints = limits
        .directions
        .iter()
        .map(|direction| match direction {
            None => Monotone::None,
            Some(Direction::Increasing) => Monotone::Increasing,
            Some(Direction::Decreasing) => Monotone::Decreasing,
        })
        .collect();
    params.interaction_constraints.clone_from(&limits.groups);
    params
}

/// The engine reads the matrix in place.
fn engine_matrix(x: &Matrix, weights: Option<&[f32]>) -> Result<DMatrix, ModelError> {
    let values = Arc::new(SharedCells(Arc::clone(&x.values)));
    let matrix = DMatrix::from_dense_shared(values, x.n_rows, x.n_features(), f32::NAN)
        .map_err(|error| ModelError::Data(error.to_string()))?;
    match weights {
        Some(weights) => Ok(matrix.with_weights(weights)?),
        None => Ok(matrix),
    }
}

/// Rows in the form for growing trees, which uses only their bins.
enum Rows {
    Binned(BinnedMatrix),
    /// The engine bins by rows with a weight; rows of weight 0 then have no bins of their own.
    Whole(DMatrix),
}

impl Rows {
    /// Bins the rows and frees their values.
    fn new(rows: DMatrix, max_bin: usize) -> Result<Self, ModelError> {
        match rows.weights() {
            Some(weights) if weights.contains(&0.0) => Ok(Self::Whole(rows)),
            _ => Ok(Self::Binned(BinnedMatrix::new(&rows, max_bin)?)),
        }
    }
}

impl<'a> From<&'a Rows> for TrainingData<'a> {
    fn from(rows: &'a Rows) -> Self {
        match rows {
            Rows::Binned(binned) => binned.into(),
            Rows::Whole(whole) => whole.into(),
        }
    }
}

/// A matrix's cells as the engine takes them.
struct SharedCells(Arc<Vec<f32>>);

impl AsRef<[f32]> for SharedCells {
    fn as_ref(&self) -> &[f32] {
        &self.0
    }
}

fn check_data(data: &FitData<'_>, task: Task, n_classes: usize) -> Result<(), ModelError> {
    let refuse = |reason: String| Err(ModelError::Data(reason));
    if data.x.n_rows == 0 {
        return refuse("there are no rows".into());
    }
    if data.x.n_features() == 0 {
        return refuse("there are no features".into());
    }
    if task == Task::Multiclass && n_classes < 2 {
        return refuse(format!("{n_classes} classes: multi-class needs at least 2"));
    }
    check_rows(data, task, n_classes)?;
    if task != Task::Regression && data.y.iter().all(|&y| y == data.y[0]) {
        return refuse(format!("every row is of class {}: at least two classes are needed", data.y[0]));
    }
    Ok(())
}

fn check_rows(data: &FitData<'_>, task: Task, n_classes: usize) -> Result<(), ModelError> {
    let refuse = |reason: String| Err(ModelError::Data(reason));
    let n = data.x.n_rows;
    if data.y.len() != n {
        return refuse(format!("{} targets for {n} rows", data.y.len()));
    }
    if let Some(row) = data.y.iter().position(|y| !y.is_finite()) {
        return refuse(format!("the target of row {row} is {}: leave unlabelled rows out", data.y[row]));
    }
    let class = |y: f32| y >= 0.0 && y.fract() == 0.0 && (y as usize) < n_classes;
    if task != Task::Regression
        && let Some(row) = data.y.iter().position(|&y| !class(y))
    {
        return refuse(format!("the target of row {row} is {}: a class is 0 to {}", data.y[row], n_classes - 1));
    }
    let Some(weights) = data.weights else { return Ok(()) };
    if weights.len() != n {
        return refuse(format!("{} weights for {n} rows", weights.len()));
    }
    if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        return refuse(format!("the weight of row {row} is {}: it must be finite and at least 0", weights[row]));
    }
    if n > 0 && weights.iter().all(|&w| w == 0.0) {
        return refuse("every weight is 0".into());
    }
    Ok(())
}
