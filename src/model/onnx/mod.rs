//! Models as ONNX: reads tree ensembles of any converter, and writes the project's own models.

mod attributes;
mod call;
mod elementwise;
mod ensemble;
mod ensemble_v5;
mod graph;
mod layout;
pub(crate) mod run;
pub(crate) mod tensor;
pub(crate) mod proto;
mod scores;
pub(crate) mod write;

use crate::features::Task;
use crate::model::Head;
use crate::model::assemble::{Ensemble, RawTree};
use crate::model::foreign::{ForeignError, ForeignFeatures, ForeignTrees};

use graph::Graph;
use prost::Message;
use proto::ModelProto;
use scores::{Kind, Scores};

/// Reads the trees of an ONNX model.
///
/// # Errors
///
/// If the bytes are not an ONNX model, its trees are damaged, or its scores depend on an operator other than those
/// named in [`graph`]; the error names it.
pub(super) fn read(bytes: &[u8]) -> Result<ForeignTrees, ForeignError> {
    let damaged = |reason: String| ForeignError::Damaged { format: "ONNX", reason };
    let model = ModelProto::decode(bytes).map_err(|e| damaged(e.to_string()))?;
    let graph = model.graph.ok_or_else(|| damaged("it has no graph".to_owned()))?;
    let Graph { scores, n_features, feature_names: names } = graph::read(&graph)?;
    let head = head(&scores)?;
    let classes = if scores.classes.is_empty() { None } else { Some(scores.classes.to_vec()) };
    let (base, link) = (scores.base.clone(), scores.link);
    let ensemble = Ensemble { trees: joined(scores), base, n_features, link };
    Ok(ForeignTrees {
        engine: ensemble.assemble("ONNX")?,
        head,
        classes,
        features: ForeignFeatures { names, holds: Vec::new() },
    })
}

/// The meaning of the scores.
fn head(scores: &Scores) -> Result<Head, ForeignError> {
    let n_outputs = scores.base.len();
    match (scores.kind, n_outputs) {
        (Kind::Values, 1) => Ok(Head { task: Task::Regression, n_classes: 0, link: scores.link }),
        (Kind::Values, n) => Err(attributes::unsupported("a regression", format_args!("{n} targets"))),
        (Kind::Probabilities, 1) => Ok(Head { task: Task::Binary, n_classes: 2, link: scores.link }),
        (Kind::Probabilities, n) => Ok(Head { task: Task::Multiclass, n_classes: n, link: scores.link }),
        (Kind::Margins, _) => Err(attributes::unsupported(
            "a classifier",
            "raw scores: convert the model so that its output is \
                                                         probabilities",
        )),
    }
}

/// The trees of all parts, with leaves multiplied by the part's factor.
fn joined(scores: Scores) -> Vec<RawTree> {
    let mut trees = Vec::new();
    for part in scores.parts {
        let start = trees.len();
        trees.extend_from_slice(&part.trees);
        if part.factor != 1.0 {
            scores::scale(&mut trees[start..], part.factor);
        }
    }
    trees
}

#[cfg(test)]
mod tests;
