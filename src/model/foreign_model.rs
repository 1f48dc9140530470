//! A model of another tool, from the bytes of its file.
//!
//! | format | read by | written by |
//! |---|---|---|
//! | ONNX | [`onnx`](super::onnx) | skl2onnx, onnxmltools, CatBoost |
//! | XGBoost JSON, UBJSON | [`xgboost`](super::xgboost) | `Booster.save_model` |
//! | LightGBM text | [`lightgbm`](super::lightgbm) | `Booster.save_model` |
//!
//! A damaged or hostile file is an error: it never panics, and memory allocated for it is in proportion to
//! its length.

use super::foreign::{ForeignError, ForeignFeatures, ForeignTrees, Format};
use super::{Model, ModelError, lightgbm, onnx, xgboost};

/// A model made by another tool, with the metadata of its file.
#[derive(Debug)]
pub struct ForeignModel {
    /// Scores like any other model.
    pub model: Model,
    /// The format of the file.
    pub format: Format,
    /// The file's description of the features.
    pub features: ForeignFeatures,
    /// The classes' labels in score order, when the file has them; XGBoost and LightGBM count classes from 0.
    pub classes: Option<Vec<String>>,
}

impl ForeignModel {
    /// Reads a model in any [`Format`].
    ///
    /// Its features are 32-bit numbers, missing ones `NaN`; categories are the codes that the tool gave them.
    ///
    /// # Errors
    ///
    /// If the bytes are of no known format, damaged, or contain what trees over numbers cannot represent.
    pub fn read(bytes: &[u8]) -> Result<Self, ForeignError> {
        let format = Format::detect(bytes).ok_or(ForeignError::UnknownFormat)?;
        let ForeignTrees { engine, head, classes, features } = match format {
            Format::Onnx => onnx::read(bytes),
            Format::XgboostJson | Format::XgboostUbjson => xgboost::read(bytes, format),
            Format::LightgbmText => lightgbm::read(bytes),
        }?;
        let damaged = |e: ModelError| ForeignError::Damaged { format: format.name(), reason: e.to_string() };
        let model = Model::from_engine(engine, head, None).map_err(damaged)?;
        Ok(Self { model, format, features, classes })
    }
}
