//! LightGBM's text files.
//!
//! The engine decodes the trees; this module reads the features' names. LightGBM compares 64-bit thresholds with values
//! that it widens to 64 bits; the decoder turns each into the 32-bit threshold that splits all 32-bit values the same,
//! so the only difference from LightGBM is that features are 32-bit numbers here. Leaf values are rounded to 32
//! bits and summed in 32 bits.

use crate::features::target::number_text;
use crate::model::foreign::{ForeignError, ForeignFeatures, ForeignTrees, Holds, head_of};
use hessboost::model::{BoostedModel, ModelFormat};
use serde_json::Value;

const LIGHTGBM: &str = "LightGBM";

/// Reads a model.
pub(super) fn read(bytes: &[u8]) -> Result<ForeignTrees, ForeignError> {
    let damaged = |reason: String| ForeignError::Damaged { format: LIGHTGBM, reason };
    let engine = BoostedModel::decode(bytes, ModelFormat::LightgbmText).map_err(|e| damaged(e.to_string()))?;
    let header = || bytes.split(|&b| b == b'\n').take_while(|line| !line.starts_with(b"Tree="));
    let words = |prefix: &[u8]| -> Option<Vec<String>> {
        let line = header().find_map(|line| line.strip_prefix(prefix))?;
        Some(String::from_utf8_lossy(line).split_whitespace().map(str::to_owned).collect())
    };
    let names = words(b"feature_names=");
    let n_features = engine.n_features();
    if let Some(names) = names.as_ref().filter(|names| names.len() != n_features) {
        return Err(damaged(format!("{} feature names for {n_features} features", names.len())));
    }
    let head = head_of(&engine, LIGHTGBM)?;
    // LightGBM calls features that have no name Column_0, Column_1, …
    let names = names.filter(|names| names.iter().enumerate().any(|(i, name)| *name != format!("Column_{i}")));
    let infos = words(b"feature_infos=").filter(|infos| infos.len() == n_features).unwrap_or_default();
    let holds = holds(&infos, &pandas_categories(bytes)).map_err(damaged)?;
    Ok(ForeignTrees { engine, head, classes: None, features: ForeignFeatures { names, holds } })
}

/// The kind of each feature: `[1:60]` is a range of numbers, `-1:1:2:0` the codes of categories, `none` a constant.
fn holds(infos: &[String], categories: &[Vec<String>]) -> Result<Vec<Holds>, String> {
    let is_category = |info: &String| info != "none" && !info.starts_with('[');
    let n_categories = infos.iter().filter(|info| is_category(info)).count();
    if !categories.is_empty() && n_categories != categories.len() {
        return Err(format!(
            "pandas_categorical has the levels of {} features, feature_infos has {n_categories} categories",
            categories.len()
        ));
    }
    let mut categories = categories.iter();
    let hold = |info: &String| {
        if is_category(info) {
            let levels =
                categories.next().map(|levels| levels.iter().cloned().zip((0..).map(|code: u16| f32::from(code))));
            return Holds::Category(levels.map(Iterator::collect));
        }
        let range =
            info.strip_prefix('[').and_then(|info| info.strip_suffix(']')).and_then(|info| info.split_once(':'));
        match range {
            Some((low, high)) => Holds::Number(low.parse().ok().zip(high.parse().ok())),
            None => Holds::Unknown,
        }
    };
    Ok(infos.iter().map(hold).collect())
}

/// The levels of each category, from the last line of a model that was trained on a data frame.
fn pandas_categories(bytes: &[u8]) -> Vec<Vec<String>> {
    let line = bytes.rsplit(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"pandas_categorical:"));
    let lists: Option<Vec<Vec<Value>>> = line.and_then(|line| serde_json::from_slice(line).ok());
    lists.unwrap_or_default().iter().map(|levels| levels.iter().map(level_text).collect()).collect()
}

/// A level as it is written in a table.
pub(super) fn level_text(level: &Value) -> String {
    match level {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), number_text),
        other => other.to_string(),
    }
}
