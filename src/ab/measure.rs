//! The measures of a prediction with a known outcome.

use super::AbError;
use super::experiment::{Goal, Measure, Metric};
use crate::features::Task;
use crate::score::binary::log_loss_of;

/// A logged prediction: class index or number, and the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Predicted {
    pub(super) value: f64,
    pub(super) score: f64,
}

impl Measure {
    /// The name in `ab.json` and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Accuracy => "accuracy",
            Self::LogLoss => "log_loss",
            Self::Brier => "brier",
            Self::AbsoluteError => "absolute_error",
            Self::SquaredError => "squared_error",
            Self::PositiveRate => "positive_rate",
        }
    }

    /// The measure with this name.
    ///
    /// # Errors
    /// A sentence with the valid names.
    pub fn parse(name: &str) -> Result<Self, String> {
        let all = [
            Self::Outcome,
            Self::Accuracy,
            Self::LogLoss,
            Self::Brier,
            Self::AbsoluteError,
            Self::SquaredError,
            Self::PositiveRate,
        ];
        let found = all.into_iter().find(|measure| measure.name() == name);
        found.ok_or_else(|| format!("{name:?} is not one of {}", all.map(Self::name).join(", ")))
    }

    /// Whether higher or lower is better by default.
    #[must_use]
    pub fn goal(self) -> Goal {
        match self {
            Self::Outcome | Self::Accuracy | Self::PositiveRate => Goal::Higher,
            Self::LogLoss | Self::Brier | Self::AbsoluteError | Self::SquaredError => Goal::Lower,
        }
    }

    /// The lower and upper limit of values; `None` if there is none, or not for every task.
    #[must_use]
    pub fn bounds(self) -> Option<(f64, f64)> {
        matches!(self, Self::Accuracy | Self::Brier | Self::PositiveRate).then_some((0.0, 1.0))
    }

    /// The measure with its usual goal.
    #[must_use]
    pub fn metric(self) -> Metric {
        Metric { measure: self, goal: self.goal() }
    }

    /// The default deciding measure.
    #[must_use]
    pub fn usual(task: Task) -> Self {
        if task == Task::Regression { Self::AbsoluteError } else { Self::Accuracy }
    }

    /// Fails if the measure is not defined for the task.
    ///
    /// # Errors
    /// [`AbError::Usage`].
    pub fn check(self, task: Task) -> Result<(), AbError> {
        let fits = match self {
            Self::Outcome => task != Task::Multiclass,
            Self::Accuracy => task != Task::Regression,
            Self::LogLoss | Self::Brier | Self::PositiveRate => task == Task::Binary,
            Self::AbsoluteError | Self::SquaredError => task == Task::Regression,
        };
        let refuse = || AbError::Usage(format!("{} cannot be measured for this loop's target", self.name()));
        fits.then_some(()).ok_or_else(refuse)
    }

    /// Its value for a prediction and its outcome; `NaN` if the outcome is unknown.
    pub(super) fn of(self, predicted: Predicted, y: f64) -> f64 {
        let Predicted { value, score } = predicted;
        match self {
            Self::PositiveRate => value,
            _ if y.is_nan() => f64::NAN,
            Self::Outcome => y,
            Self::Accuracy => f64::from(u8::from(value == y)),
            Self::LogLoss => log_loss_of(y == 1.0, score),
            Self::Brier => (score - y).powi(2),
            Self::AbsoluteError => (value - y).abs(),
            Self::SquaredError => (value - y).powi(2),
        }
    }
}
