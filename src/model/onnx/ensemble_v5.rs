//! The TreeEnsemble operator of `ai.onnx.ml` version 5.

use crate::model::assemble::RawTree;
use crate::model::foreign::ForeignError;
use crate::model::onnx::attributes::{Attributes, unsupported};
use crate::model::onnx::layout::{Builder, Test};
use crate::model::onnx::proto::NodeProto;
use crate::model::onnx::scores::{ClassSums, MAX_TARGETS, Scores, classes_to_scores, count, scale};

const MODES: [&str; 7] =
    ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"];
const POST_TRANSFORMS: [&str; 5] = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"];

/// Branches and leaves, in separate arrays.
struct Tables<'a> {
    roots: &'a [i64],
    features: &'a [i64],
    modes: Vec<f64>,
    splits: Vec<f64>,
    missing: &'a [i64],
    yes: (&'a [i64], &'a [i64]),
    no: (&'a [i64], &'a [i64]),
    leaf_targets: &'a [i64],
    leaf_weights: Vec<f64>,
}

/// Reads the operator; a softmax or logistic post-transform makes it a classifier.
pub(super) fn read(node: &NodeProto) -> Result<Scores, ForeignError> {
    let at = Attributes::of(node);
    let n_targets = usize::try_from(at.int("n_targets").unwrap_or(1)).ok().filter(|n| (1..=MAX_TARGETS).contains(n));
    let n_targets = n_targets.ok_or_else(|| at.damaged("n_targets is out of range"))?;
    let tables = Tables::read(&at)?;
    let (mut trees, n_features) = tables.grow(&at, n_targets)?;
    match at.int("aggregate_function").unwrap_or(1) {
        1 => {}
        0 => {
            let n_trees = count(trees.len());
            scale(&mut trees, 1.0 / n_trees);
        }
        other => return Err(unsupported("a tree ensemble", format_args!("aggregate_function {other}"))),
    }
    let post = usize::try_from(at.int("post_transform").unwrap_or(0)).ok().and_then(|p| POST_TRANSFORMS.get(p));
    let post = *post.ok_or_else(|| at.damaged("post_transform is out of range"))?;
    if post == "NONE" {
        let base = vec![0.0; n_targets];
        return Ok(Scores::values(trees, base, n_features));
    }
    let n_classes = n_targets.max(2);
    let sums = ClassSums { trees, base: Vec::new(), n_features, classes: Vec::new(), n_classes };
    classes_to_scores(&at, post, sums)
}

impl<'a> Tables<'a> {
    fn read(at: &Attributes<'a>) -> Result<Self, ForeignError> {
        let tables = Tables {
            roots: at.ints("tree_roots"),
            features: at.ints("nodes_featureids"),
            modes: at.tensor("nodes_modes")?,
            splits: at.tensor("nodes_splits")?,
            missing: at.ints("nodes_missing_value_tracks_true"),
            yes: (at.ints("nodes_truenodeids"), at.ints("nodes_trueleafs")),
            no: (at.ints("nodes_falsenodeids"), at.ints("nodes_falseleafs")),
            leaf_targets: at.ints("leaf_targetids"),
            leaf_weights: at.tensor("leaf_weights")?,
        };
        let n = tables.features.len();
        for (name, len) in [
            ("nodes_modes", tables.modes.len()),
            ("nodes_splits", tables.splits.len()),
            ("nodes_truenodeids", tables.yes.0.len()),
            ("nodes_trueleafs", tables.yes.1.len()),
            ("nodes_falsenodeids", tables.no.0.len()),
            ("nodes_falseleafs", tables.no.1.len()),
            ("nodes_missing_value_tracks_true", if tables.missing.is_empty() { n } else { tables.missing.len() }),
        ] {
            at.expect_len(name, len, n)?;
        }
        at.expect_len("leaf_targetids", tables.leaf_targets.len(), tables.leaf_weights.len())?;
        Ok(tables)
    }

    /// A child's index: leaves follow the branches.
    fn child(&self, at: &Attributes<'_>, (ids, leaf): (&[i64], &[i64]), place: usize) -> Result<usize, ForeignError> {
        let n = self.features.len();
        let (first, len) = if leaf[place] == 0 { (0, n) } else { (n, self.leaf_weights.len()) };
        let id = usize::try_from(ids[place]).ok().filter(|&id| id < len);
        Ok(first + id.ok_or_else(|| at.damaged("a branch has a child that does not exist"))?)
    }

    fn grow(&self, at: &Attributes<'_>, n_targets: usize) -> Result<(Vec<RawTree>, usize), ForeignError> {
        let n = self.features.len();
        let mut visited = vec![false; n];
        let mut trees = Vec::with_capacity(self.roots.len());
        let mut width = 0;
        for &root in self.roots {
            let root = usize::try_from(root).ok().filter(|&r| r < n);
            let root = root.ok_or_else(|| at.damaged("tree_roots names a node that does not exist"))?;
            let mut tree = RawTree::default();
            let mut builder = Builder::new(&mut tree);
            while let Some((place, slot)) = builder.next(root) {
                if place >= n {
                    let leaf = place - n;
                    let target = usize::try_from(self.leaf_targets[leaf]).ok().filter(|&t| t < n_targets);
                    let target = target.ok_or_else(|| at.damaged("leaf_targetids is out of range"))?;
                    builder.leaf(slot, &[(target as u32, self.leaf_weights[leaf])]);
                    continue;
                }
                if std::mem::replace(&mut visited[place], true) {
                    return Err(at.damaged("two branches lead to one node"));
                }
                let mode = MODES.get(self.modes[place] as usize).copied().unwrap_or("of an unknown number");
                let missing_true = self.missing.get(place).is_some_and(|&m| m != 0);
                let test = Test { feature: self.features[place], mode, value: self.splits[place], missing_true };
                let children = (self.child(at, self.yes, place)?, self.child(at, self.no, place)?);
                builder.branch(at, slot, &test, children, &mut width)?;
            }
            trees.push(tree);
        }
        Ok((trees, width))
    }
}
