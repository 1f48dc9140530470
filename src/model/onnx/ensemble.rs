//! Tree ensemble operators of `ai.onnx.ml`: TreeEnsembleClassifier, TreeEnsembleRegressor and TreeEnsemble.
//!
//! The older two list nodes as parallel arrays with a tree id and a node id each, in any order, and leaf weights
//! in other arrays; TreeEnsemble (version 5) lists branches and leaves separately, with indices instead of ids. Both
//! become [`RawTree`]s. Reference: ONNX Operators, domain `ai.onnx.ml` (onnx.ai/onnx/operators); where it is undefined
//! (one weight per leaf for two classes), this follows onnxruntime.

use crate::model::assemble::RawTree;
use crate::model::foreign::ForeignError;
use crate::model::onnx::attributes::{Attributes, unsupported};
use crate::model::onnx::layout::{Builder, Test};
use crate::model::onnx::proto::NodeProto;
use crate::model::onnx::scores::{ClassSums, MAX_TARGETS, Scores, classes_to_scores, count, scale};
use std::collections::HashMap;

/// Reads a tree ensemble, or `None` if `node` is something else.
pub(super) fn read(node: &NodeProto) -> Option<Result<Scores, ForeignError>> {
    match node.op_type.as_str() {
        "TreeEnsembleClassifier" => Some(classifier(node)),
        "TreeEnsembleRegressor" => Some(regressor(node)),
        "TreeEnsemble" => Some(super::ensemble_v5::read(node)),
        _ => None,
    }
}

fn classifier(node: &NodeProto) -> Result<Scores, ForeignError> {
    let at = Attributes::of(node);
    let mut classes: Vec<String> = at.texts("classlabels_strings")?.into_iter().map(str::to_owned).collect();
    if classes.is_empty() {
        classes = at.ints("classlabels_int64s").iter().map(i64::to_string).collect();
    }
    if classes.len() < 2 {
        return Err(at.damaged(format!("it has {} classes, and a classifier needs two", classes.len())));
    }
    let trees = Trees::read(&at, ["class_treeids", "class_nodeids", "class_ids", "class_weights"], classes.len())?;
    let post = at.text("post_transform", "NONE")?;
    let base = at.numbers("base_values")?;
    let (trees, n_features) = (trees.trees, trees.n_features);
    classes_to_scores(&at, post, ClassSums { trees, base, n_features, classes, n_classes: 0 })
}

fn regressor(node: &NodeProto) -> Result<Scores, ForeignError> {
    let at = Attributes::of(node);
    let n_targets = at.int("n_targets").unwrap_or(1);
    let n_targets = usize::try_from(n_targets).ok().filter(|n| (1..=MAX_TARGETS).contains(n));
    let n_targets = n_targets.ok_or_else(|| at.damaged("n_targets is out of range"))?;
    let trees = Trees::read(&at, ["target_treeids", "target_nodeids", "target_ids", "target_weights"], n_targets)?;
    let post = at.text("post_transform", "NONE")?;
    if post != "NONE" {
        return Err(unsupported("a tree regressor", format_args!("post_transform {post}")));
    }
    let mut base = at.numbers("base_values")?;
    if base.is_empty() {
        base = vec![0.0; n_targets];
    }
    at.expect_len("base_values", base.len(), n_targets)?;
    let Trees { mut trees, n_features } = trees;
    match at.text("aggregate_function", "SUM")? {
        "SUM" => {}
        "AVERAGE" => {
            let n_trees = count(trees.len());
            scale(&mut trees, 1.0 / n_trees);
        }
        other => return Err(unsupported("a tree regressor", format_args!("aggregate_function {other}"))),
    }
    Ok(Scores::values(trees, base, n_features))
}

/// Trees read from parallel arrays.
struct Trees {
    trees: Vec<RawTree>,
    n_features: usize,
}

/// The parallel arrays of a node table.
struct Table<'a> {
    true_ids: &'a [i64],
    false_ids: &'a [i64],
    features: &'a [i64],
    modes: Vec<&'a str>,
    values: Vec<f64>,
    missing: &'a [i64],
    /// The index in the table of a tree's node.
    place: HashMap<(i64, i64), usize>,
    /// The weights of each node in the table.
    weights: Vec<Vec<(u32, f64)>>,
}

impl Trees {
    /// Reads the node table and the weights under the four `weight_names` (tree, node, output, weight).
    fn read(at: &Attributes<'_>, weight_names: [&str; 4], n_outputs: usize) -> Result<Self, ForeignError> {
        let tree_ids = at.ints("nodes_treeids");
        let node_ids = at.ints("nodes_nodeids");
        let n = node_ids.len();
        let table = Table {
            true_ids: at.ints("nodes_truenodeids"),
            false_ids: at.ints("nodes_falsenodeids"),
            features: at.ints("nodes_featureids"),
            modes: at.texts("nodes_modes")?,
            values: at.numbers("nodes_values")?,
            missing: at.ints("nodes_missing_value_tracks_true"),
            place: tree_ids.iter().copied().zip(node_ids.iter().copied()).zip(0..).collect(),
            weights: vec![Vec::new(); n],
        };
        for (name, len) in [
            ("nodes_treeids", tree_ids.len()),
            ("nodes_truenodeids", table.true_ids.len()),
            ("nodes_falsenodeids", table.false_ids.len()),
            ("nodes_featureids", table.features.len()),
            ("nodes_modes", table.modes.len()),
            ("nodes_values", table.values.len()),
            ("nodes_missing_value_tracks_true", if table.missing.is_empty() { n } else { table.missing.len() }),
        ] {
            at.expect_len(name, len, n)?;
        }
        if table.place.len() != n {
            return Err(at.damaged("two nodes of a tree have the same id"));
        }
        let table = table.with_weights(at, weight_names, n_outputs)?;
        table.grow(at, tree_ids)
    }
}

impl Table<'_> {
    fn with_weights(
        mut self,
        at: &Attributes<'_>,
        [trees, nodes, outputs, weights]: [&str; 4],
        n_outputs: usize,
    ) -> Result<Self, ForeignError> {
        let values = at.numbers(weights)?;
        let (tree_ids, node_ids, output_ids) = (at.ints(trees), at.ints(nodes), at.ints(outputs));
        for (name, len) in [(trees, tree_ids.len()), (nodes, node_ids.len()), (outputs, output_ids.len())] {
            at.expect_len(name, len, values.len())?;
        }
        for (i, &value) in values.iter().enumerate() {
            let output = usize::try_from(output_ids[i]).ok().filter(|&o| o < n_outputs);
            let output = output.ok_or_else(|| at.damaged(format!("{outputs} has {}", output_ids[i])))?;
            let place = self.place.get(&(tree_ids[i], node_ids[i])).copied();
            let leaf = place.filter(|&p| self.modes[p] == "LEAF").ok_or_else(|| {
                at.damaged(format!("a weight for node {} of tree {}, which is not a leaf", node_ids[i], tree_ids[i]))
            })?;
            self.weights[leaf].push((output as u32, value));
        }
        Ok(self)
    }

    /// Builds every tree from its root: the one node that is not a child of another.
    fn grow(&self, at: &Attributes<'_>, tree_ids: &[i64]) -> Result<Trees, ForeignError> {
        let mut is_child = vec![false; tree_ids.len()];
        for (place, &tree) in tree_ids.iter().enumerate().filter(|&(place, _)| self.modes[place] != "LEAF") {
            for child in [self.true_ids[place], self.false_ids[place]] {
                let child = self.place.get(&(tree, child)).copied();
                let child = child.ok_or_else(|| at.damaged(format!("tree {tree} has a child that does not exist")))?;
                if std::mem::replace(&mut is_child[child], true) {
                    return Err(at.damaged(format!("two branches of tree {tree} lead to one node")));
                }
            }
        }
        let mut grown = Trees { trees: Vec::new(), n_features: 0 };
        let mut reached = 0;
        for root in (0..tree_ids.len()).filter(|&place| !is_child[place]) {
            let tree = self.tree(at, root, tree_ids[root], &mut grown.n_features)?;
            reached += tree.nodes.len();
            grown.trees.push(tree);
        }
        // Nodes that no root reaches form a cycle.
        at.expect_len("the trees", reached, tree_ids.len())?;
        let mut roots: Vec<i64> = (0..tree_ids.len()).filter(|&p| !is_child[p]).map(|p| tree_ids[p]).collect();
        roots.sort_unstable();
        if roots.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(at.damaged("a tree has two roots"));
        }
        Ok(grown)
    }

    /// One tree, parents before children.
    fn tree(&self, at: &Attributes<'_>, root: usize, id: i64, width: &mut usize) -> Result<RawTree, ForeignError> {
        let mut tree = RawTree::default();
        let mut builder = Builder::new(&mut tree);
        while let Some((place, slot)) = builder.next(root) {
            if self.modes[place] == "LEAF" {
                builder.leaf(slot, &self.weights[place]);
                continue;
            }
            let test = Test {
                feature: self.features[place],
                mode: self.modes[place],
                value: self.values[place],
                missing_true: self.missing.get(place).is_some_and(|&m| m != 0),
            };
            let yes = self.place[&(id, self.true_ids[place])];
            let no = self.place[&(id, self.false_ids[place])];
            builder.branch(at, slot, &test, (yes, no), width)?;
        }
        Ok(tree)
    }
}
