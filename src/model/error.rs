//! Errors between a matrix and a prediction.

use thiserror::Error;

/// Why a model could not be fitted, read or used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A parameter is out of range.
    #[error("parameter \"{key}\" is {value}: it must be {allowed}")]
    Parameter {
        /// The parameter's name.
        key: &'static str,
        /// The value given.
        value: String,
        /// The permitted values.
        allowed: &'static str,
    },
    /// An exported graph gives other results than the model.
    #[error("the ONNX graph is wrong, so it was not written: {0}; please report this")]
    Graph(String),
    /// A parameter does not apply to this algorithm, or contradicts another one.
    #[error("parameter \"{key}\" does not apply to {algorithm}: {hint}")]
    NotApplicable {
        /// The parameter's name.
        key: &'static str,
        /// The algorithm's name.
        algorithm: &'static str,
        /// The remedy.
        hint: &'static str,
    },
    /// The rows, targets or weights are unsuitable for training.
    #[error("training data: {0}")]
    Data(String),
    /// A matrix or row does not have the columns that the model was fitted on.
    #[error("the model has {expected} features, the data {found}")]
    Features {
        /// Features of the model.
        expected: usize,
        /// Features of the data.
        found: usize,
    },
    /// A value is infinite; missing values are `NaN`, all others finite.
    #[error("feature values must be finite or missing: {0}")]
    Infinite(String),
    /// The bytes are not a model, or a damaged one.
    #[error("not a usable model: {0}")]
    Format(String),
    /// The model contains something that the requested view cannot express.
    #[error("{0}")]
    Unsupported(String),
    /// An error of the tree engine, with its reason.
    #[error("tree engine: {0}")]
    Engine(#[from] hessboost::error::HessboostError),
    /// An error of `linfa`, with its reason.
    #[error("linfa: {0}")]
    Linfa(#[from] linfa::Error),
}
