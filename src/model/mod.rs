//! Matrix to prediction: boosting, forest, single tree and linear model behind one type.
//!
//! ```text
//! Params ─check─▶ Checked ─plan(rows, features)─▶ Plan ─Model::fit─▶ Model ─▶ margins ─link─▶ scores
//!                                                                     ├─▶ contributions, gain, rules
//!                                                                     ├─▶ trees (a view for other formats)
//!                                                                     └─▶ bytes
//! ```
//!
//! Only this module uses the engine.

mod assemble;
mod bins;
mod blend;
mod bytes;
mod compact;
mod compact_bytes;
mod compact_walk;
mod data;
mod engine;
mod error;
mod fit;
mod foreign;
mod foreign_model;
mod lightgbm;
mod limits;
mod linear;
mod linfa;
mod named;
mod onnx;
mod params;
mod plan;
mod predict;
mod refine;
mod rules;
mod trees;
mod ubjson;
mod watched;
mod xgboost;

pub use self::linfa::Cell;
pub use data::{FitData, FitOptions, Round};
pub use error::ModelError;
pub use foreign::{ForeignError, ForeignFeatures, Format, Holds};
pub use foreign_model::ForeignModel;
pub use limits::{Direction, InteractionRule, Interactions, Limits};
pub use named::Named;
pub(crate) use onnx::run::run as run_onnx;
pub(crate) use onnx::tensor::{Elements, Tensor};
pub(crate) use onnx::write::{Element, Value as GraphValue, Writer as GraphWriter};
pub use params::{Algorithm, Checked, FeatureRule, GrowPolicy, MaxFeatures, Params};
pub(crate) use plan::FEWEST_OF_SEVERAL;
pub use plan::{Plan, Shape};
pub use predict::{BLOCK_ROWS, Contributions};
pub(crate) use refine::refine;
pub use trees::{Assembly, Node, Tree};
pub use watched::Watched;

use crate::features::Task;
use engine::Engine;
use hessboost::model::BoostedModel;
use serde::{Deserialize, Serialize};

/// How a margin, the sum of leaf values, becomes a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// The margin is the score; a probability is clipped to `[0, 1]`.
    Identity,
    /// `1 / (1 + exp(−margin))`, for every margin separately.
    Logistic,
    /// `exp(margin)` over the sum of all classes' `exp(margin)`.
    Softmax,
    /// `exp(margin)`.
    Exp,
}

/// The task of a model, and the conversion of its margins to scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The task.
    pub task: Task,
    /// Number of classes: 2 for binary, at least 2 for multi-class, 0 for regression.
    pub n_classes: usize,
    /// How margins become scores.
    pub link: Link,
}

impl Head {
    /// Scores per row: one for binary (the positive class) and regression, else one per class.
    #[must_use]
    pub fn n_scores(&self) -> usize {
        match self.task {
            Task::Binary | Task::Regression => 1,
            Task::Multiclass => self.n_classes,
        }
    }
}

/// A fitted (or imported) tree ensemble: immutable plain data, identical on every machine.
#[derive(Debug, Clone)]
pub struct Model {
    engine: Engine,
    head: Head,
    /// Absent for a model that was trained elsewhere.
    plan: Option<Plan>,
}

impl Model {
    /// Wraps an engine's model; `head` must fit its number of outputs.
    ///
    /// # Errors
    ///
    /// If the outputs do not match the scores of `head`.
    pub(in crate::model) fn from_engine(
        engine: BoostedModel,
        head: Head,
        plan: Option<Plan>,
    ) -> Result<Self, ModelError> {
        Self::of(Engine::new(engine), head, plan)
    }

    fn of(engine: Engine, head: Head, plan: Option<Plan>) -> Result<Self, ModelError> {
        let n_margins = engine.n_margins;
        let fits = match head.task {
            Task::Regression => n_margins == 1 && head.link != Link::Softmax,
            Task::Binary => n_margins == 1 && head.link != Link::Softmax || n_margins == 2,
            Task::Multiclass => n_margins == head.n_classes && n_margins >= 2,
        };
        if !fits {
            return Err(ModelError::Format(format!(
                "{n_margins} outputs cannot give the scores of a {:?} model with {} classes",
                head.task, head.n_classes
            )));
        }
        Ok(Self { engine, head, plan })
    }

    /// The task, and the conversion of margins to scores.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> Task {
        self.head.task
    }

    /// How margins become scores.
    #[must_use]
    pub fn link(&self) -> Link {
        self.head.link
    }

    /// The parameters it was fitted with; `None` for a model that was trained elsewhere.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Number of features.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.engine.n_features
    }

    /// Raw values per row.
    #[must_use]
    pub fn n_margins(&self) -> usize {
        self.engine.n_margins
    }

    /// Scores per row.
    #[must_use]
    pub fn n_scores(&self) -> usize {
        self.head.n_scores()
    }

    /// Number of trees.
    #[must_use]
    pub fn n_trees(&self) -> usize {
        self.engine.n_trees
    }

    /// Boosting rounds used: after early stopping those up to the best one; 1 for a forest, a tree or a linear model.
    #[must_use]
    pub fn rounds(&self) -> usize {
        match &self.plan {
            Some(plan) if plan.algorithm == Algorithm::Linear => 1,
            _ => self.engine.n_rounds,
        }
    }

    /// The initial value of every margin.
    #[must_use]
    pub fn base_scores(&self) -> &[f32] {
        &self.engine.base_scores
    }

    /// The engine's model, for the formats of other tools.
    pub(in crate::model) fn engine(&self) -> Result<&BoostedModel, ModelError> {
        self.engine.open()
    }
}

#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod stored_tests;
