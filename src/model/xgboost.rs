//! XGBoost's own files: reads JSON and UBJSON, writes JSON.
//!
//! The engine decodes the trees; this module handles the rest: the features' names, the best iteration (models
//! that stopped early predict with the rounds up to it, as XGBoost's scikit-learn interface does), the scalar
//! `base_score` of files written before XGBoost 3, and the layout of DART's trees and weights before XGBoost 3.4.

use crate::model::foreign::{ForeignError, ForeignFeatures, ForeignTrees, Format, Holds, head_of};
use crate::model::lightgbm::level_text;
use crate::model::{Model, ModelError, ubjson};
use hessboost::model::{BoostedModel, ModelFormat};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

const XGBOOST: &str = "XGBoost";

fn damaged(reason: impl std::fmt::Display) -> ForeignError {
    ForeignError::Damaged { format: XGBOOST, reason: reason.to_string() }
}

/// The content of a document besides its trees.
#[derive(Debug, Default, PartialEq)]
struct Preamble {
    feature_names: Vec<String>,
    holds: Vec<Holds>,
    best_iteration: Option<String>,
    booster: String,
}

#[derive(Deserialize)]
struct Document {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    #[serde(default)]
    feature_names: Vec<String>,
    #[serde(default)]
    feature_types: Vec<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    learner_model_param: LearnerParam,
    gradient_booster: Booster,
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    #[serde(default)]
    model: Trees,
}

#[derive(Deserialize, Default)]
struct Trees {
    #[serde(default)]
    cats: Categories,
}

/// The levels of each feature that is a category.
#[derive(Deserialize, Default)]
struct Categories {
    #[serde(default)]
    enc: Vec<Levels>,
}

/// Texts as one byte array with the end of each, or numbers.
#[derive(Deserialize, Default)]
struct Levels {
    offsets: Option<Vec<usize>>,
    #[serde(default)]
    values: Vec<Value>,
}

impl Levels {
    /// The levels in the order of their codes; `None` if there are none, or they are invalid.
    fn texts(&self) -> Option<Vec<String>> {
        let Some(offsets) = &self.offsets else { return Some(self.values.iter().map(level_text).collect()) };
        let bytes: Option<Vec<u8>> = self.values.iter().map(|b| u8::try_from(b.as_i64()? & 0xff).ok()).collect();
        let bytes = bytes?;
        let text = |pair: &[usize]| Some(String::from_utf8_lossy(bytes.get(pair[0]..pair[1])?).into_owned());
        offsets.windows(2).map(text).collect()
    }
}

/// The kind of each feature, by its type: `c` is a category.
fn holds(types: &[String], levels: &[Levels]) -> Vec<Holds> {
    let hold = |(at, of_type): (usize, &String)| match of_type.as_str() {
        "c" => {
            let texts = levels.get(at).and_then(Levels::texts).filter(|texts| !texts.is_empty());
            Holds::Category(texts.map(|texts| texts.into_iter().zip((0..).map(|code: u16| f32::from(code))).collect()))
        }
        _ => Holds::Number(None),
    };
    types.iter().enumerate().map(hold).collect()
}

#[derive(Deserialize)]
struct LearnerParam {
    base_score: String,
}

/// Reads a model in `format`.
pub(super) fn read(bytes: &[u8], format: Format) -> Result<ForeignTrees, ForeignError> {
    let (preamble, bytes, format) = match format {
        Format::XgboostUbjson => {
            let (preamble, bytes) = binary_preamble(bytes)?;
            (preamble, bytes, ModelFormat::XgboostUbjson)
        }
        _ => {
            let (preamble, bytes) = text_preamble(bytes)?;
            (preamble, bytes, ModelFormat::XgboostJson)
        }
    };
    let mut engine = BoostedModel::decode(&bytes, format).map_err(damaged)?;
    if let Some(best) = preamble.best_iteration {
        let best: usize = best.parse().map_err(|_| damaged(format!("best_iteration is {best:?}")))?;
        if best >= engine.num_boost_rounds() {
            return Err(damaged(format!("best_iteration is {best} of {} rounds", engine.num_boost_rounds())));
        }
        engine = engine.slice(..=best, 1).map_err(damaged)?;
    }
    let n_names = preamble.feature_names.len();
    if n_names > 0 && n_names != engine.n_features() {
        return Err(damaged(format!("{n_names} feature names for {} features", engine.n_features())));
    }
    let head = head_of(&engine, XGBOOST)?;
    let features = ForeignFeatures { names: (n_names > 0).then_some(preamble.feature_names), holds: preamble.holds };
    Ok(ForeignTrees { engine, head, classes: None, features })
}

/// Whether `base_score` is the single number of older files, which the engine expects as a list of one.
fn is_scalar(base_score: &str) -> bool {
    !base_score.trim_start().starts_with('[')
}

/// Refuses boosters without trees.
fn check_booster(name: &str, readable: &[&str]) -> Result<(), ForeignError> {
    if readable.contains(&name) {
        return Ok(());
    }
    let json = if name == "dart" { " in UBJSON (saved as JSON it is)" } else { "" };
    Err(ForeignError::Unsupported { format: XGBOOST, what: format!("booster {name}{json}") })
}

fn text_preamble(bytes: &[u8]) -> Result<(Preamble, Cow<'_, [u8]>), ForeignError> {
    let document: Document = serde_json::from_slice(bytes).map_err(damaged)?;
    let Learner { feature_names, feature_types, mut attributes, learner_model_param, gradient_booster } =
        document.learner;
    let holds = holds(&feature_types, &gradient_booster.model.cats.enc);
    let base_score = learner_model_param.base_score;
    let booster = gradient_booster.name;
    check_booster(&booster, &["gbtree", "dart"])?;
    let mut bytes = Cow::Borrowed(bytes);
    if is_scalar(&base_score) || booster == "dart" {
        let mut value: Value = serde_json::from_slice(&bytes).map_err(damaged)?;
        let learner = &mut value["learner"];
        if is_scalar(&base_score) {
            learner["learner_model_param"]["base_score"] = format!("[{base_score}]").into();
        }
        if booster == "dart" {
            flatten_dart(&mut learner["gradient_booster"])?;
        }
        bytes = Cow::Owned(serde_json::to_vec(&value).map_err(damaged)?);
    }
    let best_iteration = attributes.remove("best_iteration");
    Ok((Preamble { feature_names, holds, best_iteration, booster }, bytes))
}

/// DART's trees are one level deeper than other trees, and its weights are stored beside them.
fn flatten_dart(booster: &mut Value) -> Result<(), ForeignError> {
    let mut inner = booster["gbtree"].take();
    let weights = booster["weight_drop"].take();
    match inner.get_mut("model").and_then(Value::as_object_mut) {
        Some(model) => model.insert("weight_drop".to_owned(), weights),
        None => return Err(damaged("booster dart has no gbtree.model")),
    };
    *booster = inner;
    Ok(())
}

fn binary_preamble(bytes: &[u8]) -> Result<(Preamble, Cow<'_, [u8]>), ForeignError> {
    let mut preamble = Preamble::default();
    let mut base_score = None;
    let mut types: Vec<String> = Vec::new();
    ubjson::strings(bytes, |path, text, range| match path {
        ["learner", "feature_names"] => preamble.feature_names.push(text.to_owned()),
        ["learner", "feature_types"] => types.push(text.to_owned()),
        ["learner", "attributes", "best_iteration"] => preamble.best_iteration = Some(text.to_owned()),
        ["learner", "gradient_booster", "name"] => text.clone_into(&mut preamble.booster),
        ["learner", "learner_model_param", "base_score"] => base_score = Some((text, range)),
        _ => {}
    })
    .map_err(damaged)?;
    check_booster(&preamble.booster, &["gbtree"])?;
    preamble.holds = holds(&types, &[]);
    let mut bytes = Cow::Borrowed(bytes);
    if let Some((number, range)) = base_score.filter(|(text, _)| is_scalar(text)) {
        let list = format!("[{number}]");
        let mut with_list = bytes[..range.start].to_vec();
        with_list.push(b'L');
        with_list.extend_from_slice(&(list.len() as i64).to_be_bytes());
        with_list.extend_from_slice(list.as_bytes());
        with_list.extend_from_slice(&bytes[range.end..]);
        bytes = Cow::Owned(with_list);
    }
    Ok((preamble, bytes))
}

impl Model {
    /// The trees as XGBoost's JSON (version 3), for `xgboost.Booster.load_model`.
    ///
    /// On a matrix of these features with `NaN` for missing, `predict` gives [`Model::scores`]; if those are
    /// probabilities averaged over trees, XGBoost sees a regression on them. A margin that rounding moves past 0 or 1
    /// is clipped here and not there. `names` are written if XGBoost accepts them (it refuses `[`, `]` and `<`) and
    /// there is one per feature.
    ///
    /// # Errors
    ///
    /// If a tree has linear leaves, which XGBoost does not support.
    pub fn to_xgboost_json(&self, names: &[String]) -> Result<Vec<u8>, ModelError> {
        let bytes = self.engine()?.encode(ModelFormat::XgboostJson)?;
        let allowed = |name: &String| !name.is_empty() && !name.contains(['[', ']', '<']);
        let named = names.len() == self.n_features() && names.iter().all(allowed);
        let weighted = self.engine()?.tree_weights().any(|weight| weight != 1.0);
        if !named && !weighted {
            return Ok(bytes);
        }
        let format = |e: serde_json::Error| ModelError::Format(e.to_string());
        let mut document: Value = serde_json::from_slice(&bytes).map_err(format)?;
        let learner = &mut document["learner"];
        if weighted {
            weigh_leaves(&mut learner["gradient_booster"]["model"]);
        }
        if named {
            learner["feature_names"] = names.into();
            learner["feature_types"] = vec!["float"; names.len()].into();
        }
        serde_json::to_vec(&document).map_err(format)
    }
}

/// Multiplies DART's weights into the leaves: their location differs between versions of XGBoost.
fn weigh_leaves(model: &mut Value) {
    let weights = model.as_object_mut().and_then(|model| model.remove("weight_drop"));
    let weights: Vec<f32> = weights.and_then(|w| serde_json::from_value(w).ok()).unwrap_or_default();
    let Some(trees) = model["trees"].as_array_mut() else { return };
    for (tree, weight) in trees.iter_mut().zip(weights) {
        let children = tree["left_children"].take();
        for values in ["split_conditions", "base_weights"] {
            let leaves = children.as_array().into_iter().flatten().enumerate().filter(|(_, left)| **left == -1);
            for (at, _) in leaves {
                let value = tree[values][at].as_f64().unwrap_or(0.0) as f32;
                tree[values][at] = (value * weight).into();
            }
        }
        tree["left_children"] = children;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form in which XGBoost writes levels: texts as signed bytes with the ends of each, numbers unchanged, and
    /// nothing for a feature that is not a category.
    #[test]
    fn categories_of_a_model_have_their_levels() {
        let document = serde_json::json!({ "learner": {
            "feature_names": ["plan", "age", "zone", "other"],
            "feature_types": ["c", "float", "c", "c"],
            "attributes": {},
            "learner_model_param": { "base_score": "[5E-1]" },
            "gradient_booster": { "name": "gbtree", "model": { "cats": { "enc": [
                { "offsets": [0, 2, 5], "values": [-61, -87, 97, 98, 99] },
                { "offsets": [], "values": [] },
                { "type": 3, "values": [7, 12] },
            ] } } },
        } });
        let (preamble, _) = text_preamble(document.to_string().as_bytes()).unwrap();
        let levels =
            |texts: [&str; 2]| Holds::Category(Some(vec![(texts[0].to_owned(), 0.0), (texts[1].to_owned(), 1.0)]));
        let expected = [levels(["é", "abc"]), Holds::Number(None), levels(["7", "12"]), Holds::Category(None)];
        assert_eq!(preamble.holds, expected);
        // Ends beyond the last byte are invalid.
        let cut = document.to_string().replace("[0,2,5]", "[0,2,9]");
        let (preamble, _) = text_preamble(cut.as_bytes()).unwrap();
        assert_eq!(preamble.holds[0], Holds::Category(None));
    }
}
