//! LightGBM's text files.
//!
//! The engine decodes the trees; here stand the features' names. LightGBM compares 64-bit thresholds with values
//! that it widens to 64 bits; the decoder turns each into the 32-bit threshold that parts all 32-bit values alike,
//! so the only difference from LightGBM is that features are 32-bit numbers here. Leaf values are rounded to 32
//! bits and summed in 32 bits.

use crate::model::foreign::{ForeignError, ForeignTrees, head_of};
use hessboost::model::{BoostedModel, ModelFormat};

const LIGHTGBM: &str = "LightGBM";

/// Reads a model.
pub(super) fn read(bytes: &[u8]) -> Result<ForeignTrees, ForeignError> {
    let damaged = |reason: String| ForeignError::Damaged { format: LIGHTGBM, reason };
    let engine = BoostedModel::decode(bytes, ModelFormat::LightgbmText).map_err(|e| damaged(e.to_string()))?;
    let header = bytes.split(|&b| b == b'\n').take_while(|line| !line.starts_with(b"Tree="));
    let names = header.filter_map(|line| line.strip_prefix(b"feature_names=")).next();
    let names = names.map(|line| String::from_utf8_lossy(line).split_whitespace().map(str::to_owned).collect());
    let names: Option<Vec<String>> = names;
    let n_features = engine.n_features();
    if let Some(names) = names.as_ref().filter(|names| names.len() != n_features) {
        return Err(damaged(format!("{} feature names for {n_features} features", names.len())));
    }
    let head = head_of(&engine, LIGHTGBM)?;
    // LightGBM calls features that have no name Column_0, Column_1, …
    let feature_names = names.filter(|names| names.iter().enumerate().any(|(i, name)| *name != format!("Column_{i}")));
    Ok(ForeignTrees { engine, head, classes: None, feature_names })
}
