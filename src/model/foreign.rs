//! Shared by the readers of other tools' models: format detection by the first bytes, trees, features, errors.

use crate::features::Task;
use crate::model::{Head, Link};
use hessboost::model::BoostedModel;

/// Why a model of another tool was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForeignError {
    /// The first bytes match no supported format.
    #[error("unknown model format: expected ONNX, XGBoost JSON or UBJSON, or LightGBM text")]
    UnknownFormat,
    /// The file is of the format, but it is broken.
    #[error("damaged {format} model: {reason}")]
    Damaged {
        /// The format's name.
        format: &'static str,
        /// The error, and its place.
        reason: String,
    },
    /// The file is complete, but contains something that trees over numbers cannot represent.
    #[error("the {format} model cannot be imported: {what} is not supported")]
    Unsupported {
        /// The format's name.
        format: &'static str,
        /// The operator, objective or mode.
        what: String,
    },
}

/// The formats of other tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// ONNX, a protocol buffer.
    Onnx,
    /// XGBoost's JSON.
    XgboostJson,
    /// XGBoost's UBJSON, a binary form of its JSON.
    XgboostUbjson,
    /// LightGBM's text.
    LightgbmText,
}

impl Format {
    /// The tool's name, for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Onnx => "ONNX",
            Format::XgboostJson | Format::XgboostUbjson => "XGBoost",
            Format::LightgbmText => "LightGBM",
        }
    }

    /// The format of `bytes`, by their start; `None` for an unknown one.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        use hessboost::model::ModelFormat;
        match ModelFormat::detect(bytes) {
            Some(ModelFormat::XgboostJson) => Some(Format::XgboostJson),
            Some(ModelFormat::XgboostUbjson) => Some(Format::XgboostUbjson),
            Some(ModelFormat::LightgbmText) => Some(Format::LightgbmText),
            Some(_) => None,
            // A protocol buffer begins with a field's tag; ONNX files with the IR version (field 1, a number).
            None => (bytes.first() == Some(&0x08)).then_some(Format::Onnx),
        }
    }
}

/// The result of a format's reader.
#[derive(Debug)]
pub(super) struct ForeignTrees {
    pub engine: BoostedModel,
    pub head: Head,
    pub classes: Option<Vec<String>>,
    pub features: ForeignFeatures,
}

/// A file's description of the model's features.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ForeignFeatures {
    /// Their names in the model's order, when the file has them.
    pub names: Option<Vec<String>>,
    /// The kind of each feature; empty if the file does not state it.
    pub holds: Vec<Holds>,
}

/// The kind of a feature of a model trained elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub enum Holds {
    /// A number, with the lowest and highest value of the training rows when the file has them.
    Number(Option<(f64, f64)>),
    /// A category: its levels with their codes, when the file has them.
    Category(Option<Vec<(String, f32)>>),
    /// Unknown: the feature was constant.
    Unknown,
}

impl ForeignFeatures {
    /// The kind of a feature.
    #[must_use]
    pub fn holds(&self, feature: usize) -> &Holds {
        self.holds.get(feature).unwrap_or(&Holds::Unknown)
    }
}

/// The task and link of an engine's model, from its decoded objective.
pub(super) fn head_of(engine: &BoostedModel, format: &'static str) -> Result<Head, ForeignError> {
    let n_outputs = engine.n_outputs();
    let objective = engine.objective().name();
    let unsupported = |what: String| Err(ForeignError::Unsupported { format, what });
    let head = |task, n_classes, link| Ok(Head { task, n_classes, link });
    match (objective, n_outputs) {
        ("binary:logistic", 1) => head(Task::Binary, 2, Link::Logistic),
        ("multi:softprob" | "multi:softmax", n) => head(Task::Multiclass, n, Link::Softmax),
        // One class against the others.
        ("binary:logistic", n) if format == "LightGBM" => head(Task::Multiclass, n, Link::Logistic),
        (
            "reg:squarederror"
            | "reg:absoluteerror"
            | "reg:pseudohubererror"
            | "reg:squaredlogerror"
            | "reg:quantileerror"
            | "reg:expectileerror",
            1,
        ) => head(Task::Regression, 0, Link::Identity),
        ("reg:logistic", 1) => head(Task::Regression, 0, Link::Logistic),
        ("count:poisson" | "reg:gamma" | "reg:tweedie", 1) => head(Task::Regression, 0, Link::Exp),
        (name, 1) => unsupported(format!("objective {name}")),
        (name, n) => unsupported(format!("objective {name} with {n} outputs")),
    }
}
