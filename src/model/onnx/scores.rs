//! The outputs of a file's tree operators.

use crate::model::Link;
use crate::model::assemble::RawTree;
use crate::model::foreign::ForeignError;
use crate::model::onnx::attributes::{Attributes, unsupported};
use std::rc::Rc;

/// The outputs of trees before the following nodes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scores {
    /// Trees of the summed operators, each with the factor of its leaves.
    pub parts: Vec<Part>,
    /// One intercept per output; a binary classifier has one output, the positive class.
    pub base: Vec<f64>,
    pub link: Link,
    pub kind: Kind,
    /// The classes' labels in score order, when the file names them.
    pub classes: Rc<[String]>,
    /// One more than the greatest feature index that a branch tests.
    pub n_features: usize,
}

impl Scores {
    /// Values of a regression.
    pub(super) fn values(trees: Vec<RawTree>, base: Vec<f64>, n_features: usize) -> Self {
        let (parts, classes) = (Part::whole(trees), Rc::from([]));
        Self { parts, base, link: Link::Identity, kind: Kind::Values, classes, n_features }
    }
}

/// The trees of one operator, shared by every value that is computed from them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub trees: Rc<[RawTree]>,
    pub factor: f64,
}

impl Part {
    pub(super) fn whole(trees: Vec<RawTree>) -> Vec<Self> {
        vec![Self { trees: Rc::from(trees), factor: 1.0 }]
    }
}

/// The meaning of the scores of [`Scores`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Values of a regression, or raw sums.
    Values,
    /// Probabilities of classes.
    Probabilities,
    /// A classifier's sums, not yet probabilities.
    Margins,
}

/// Sums per class before the post-transform.
pub(super) struct ClassSums {
    pub trees: Vec<RawTree>,
    pub base: Vec<f64>,
    pub n_features: usize,
    pub classes: Vec<String>,
    /// Number of classes if `classes` is empty.
    pub n_classes: usize,
}

/// Scores of class sums after `post`.
pub(super) fn classes_to_scores(at: &Attributes<'_>, post: &str, sums: ClassSums) -> Result<Scores, ForeignError> {
    let n_classes = sums.classes.len().max(sums.n_classes);
    if !matches!(post, "NONE" | "LOGISTIC" | "SOFTMAX") {
        return Err(unsupported("a tree classifier", format_args!("post_transform {post}")));
    }
    if n_classes == 2 {
        return two_classes(at, post, sums);
    }
    let ClassSums { trees, mut base, n_features, classes, .. } = sums;
    if base.is_empty() {
        base = vec![0.0; n_classes];
    }
    at.expect_len("base_values", base.len(), n_classes)?;
    let (link, kind) = match post {
        "SOFTMAX" => (Link::Softmax, Kind::Probabilities),
        "LOGISTIC" => (Link::Logistic, Kind::Probabilities),
        _ => (Link::Identity, kind_of_sums(&trees)),
    };
    Ok(Scores { parts: Part::whole(trees), base, link, kind, classes: Rc::from(classes), n_features })
}

/// Two classes: one output, the positive class, in any representation.
///
/// Weights for one class only are the positive class's; weights for both are reduced to the positive class, or
/// subtracted for a softmax of two, which is the logistic function of their difference.
fn two_classes(at: &Attributes<'_>, post: &str, sums: ClassSums) -> Result<Scores, ForeignError> {
    let ClassSums { mut trees, base, n_features, classes, .. } = sums;
    let feeds = |output| trees.iter().any(|t: &RawTree| t.weights.iter().any(|w| w.0 == output));
    let both = feeds(0) && feeds(1);
    let subtract = both && post == "SOFTMAX";
    if base.len() > 2 || (both && base.len() == 1) {
        return Err(at.damaged(format!("base_values has {} entries for two classes", base.len())));
    }
    let base = match base[..] {
        [negative, positive] if subtract => positive - negative,
        [.., positive] => positive,
        [] => 0.0,
    };
    let (link, kind) = match post {
        "LOGISTIC" => (Link::Logistic, Kind::Probabilities),
        "SOFTMAX" if both => (Link::Logistic, Kind::Probabilities),
        "SOFTMAX" => return Err(unsupported("a tree classifier", "SOFTMAX over the weights of one class")),
        _ => (Link::Identity, kind_of_sums(&trees)),
    };
    if both {
        for tree in &mut trees {
            for (output, weight) in &mut tree.weights {
                // A factor of 1 leaves the range of the leaves unchanged.
                *weight *= if *output == 1 { 1.0 } else { f64::from(-i8::from(subtract)) };
            }
        }
    }
    for tree in &mut trees {
        tree.weights.iter_mut().for_each(|w| w.0 = 0);
    }
    let parts = Part::whole(trees);
    Ok(Scores { parts, base: vec![base], link, kind, classes: Rc::from(classes), n_features })
}

/// Leaves with shares sum to probabilities; a negative weight means raw sums.
fn kind_of_sums(trees: &[RawTree]) -> Kind {
    let negative = trees.iter().any(|t| t.weights.iter().any(|w| w.1 < 0.0));
    if negative { Kind::Margins } else { Kind::Probabilities }
}

/// A larger number of targets is treated as damage.
pub(super) const MAX_TARGETS: usize = 1 << 12;

pub(super) fn count(n: usize) -> f64 {
    n.max(1) as f64
}

/// Multiplies the values of all leaves.
pub(super) fn scale(trees: &mut [RawTree], factor: f64) {
    for tree in trees {
        tree.weights.iter_mut().for_each(|w| w.1 *= factor);
    }
}
