//! The trees as plain nodes, for formats of other tools, and back.

use crate::model::error::ModelError;
use crate::model::{Head, Model};
use hessboost::model::{BoostedModel, ModelFormat};
use hessboost::tree::RegTree;
use serde::Serialize;
use std::ops::Range;

/// One tree: `nodes[0]` is the root; children may come before or after their parents, and each has one parent.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The margins that the tree adds to: one, or all of them if its leaves hold one value per margin.
    pub outputs: Range<usize>,
}

/// A node of a [`Tree`].
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// The end of a path.
    Leaf {
        /// The values added, one per margin in the tree's `outputs`.
        values: Vec<f32>,
        /// Weight of the training rows that ended here (0 when unknown).
        cover: f32,
    },
    /// A test of a number.
    Branch {
        /// The feature.
        feature: u32,
        /// A row goes left if its value `< threshold`, compared in `f32`.
        threshold: f32,
        /// Whether a missing value goes left.
        default_left: bool,
        /// The left child.
        left: u32,
        /// The node that follows on the right.
        right: u32,
        /// Loss that the split removed (0 when unknown).
        gain: f32,
        /// Weight of the training rows that reached it (0 if unknown).
        cover: f32,
    },
    /// A test of a category's code; only in models trained elsewhere.
    Choice {
        /// The feature.
        feature: u32,
        /// A row goes left if its code is one of these.
        left_codes: Vec<u32>,
        /// Whether a missing value goes left.
        default_left: bool,
        /// The left child.
        left: u32,
        /// The node that follows on the right.
        right: u32,
        /// Loss that the split removed (0 when unknown).
        gain: f32,
        /// Weight of the training rows that reached it (0 if unknown).
        cover: f32,
    },
}

/// All parts of a model from another source.
#[derive(Debug, Clone, PartialEq)]
pub struct Assembly {
    /// The trees; either each adds to one margin, or each adds to all of them.
    pub trees: Vec<Tree>,
    /// The initial value of every margin.
    pub base_scores: Vec<f32>,
    /// Number of features.
    pub n_features: usize,
    /// The task, and the conversion of margins to scores.
    pub head: Head,
}

impl Model {
    /// The trees in the order of addition.
    ///
    /// # Errors
    ///
    /// If a leaf holds a linear function (LightGBM's `linear_tree`), which has no single value.
    pub fn trees(&self) -> Result<Vec<Tree>, ModelError> {
        let engine = self.engine()?;
        engine
            .trees()
            .iter()
            .zip(engine.tree_outputs())
            .zip(engine.tree_weights())
            .map(|((tree, outputs), weight)| plain_tree(tree, outputs, weight))
            .collect()
    }

    /// A model from plain trees.
    ///
    /// # Errors
    ///
    /// If a child or feature index is out of range, a node has no or several parents, a value is not finite, or
    /// the margins do not match the scores of the head.
    pub fn assemble(assembly: &Assembly) -> Result<Self, ModelError> {
        let document = Document::of(assembly)?;
        let text = serde_json::to_vec(&document).map_err(|error| ModelError::Format(error.to_string()))?;
        let engine = BoostedModel::decode(text, ModelFormat::XgboostJson)
            .map_err(|error| ModelError::Format(error.to_string()))?;
        Self::from_engine(engine, assembly.head.clone(), None)
    }
}

fn plain_tree(tree: &RegTree, outputs: Range<usize>, weight: f32) -> Result<Tree, ModelError> {
    if tree.linear_leaves().is_some() {
        return Err(ModelError::Unsupported("the trees have linear functions in their leaves".into()));
    }
    let nodes = tree.nodes().iter().enumerate().map(|(id, node)| {
        let (feature, default_left) = (node.split_feature, node.default_left);
        let (left, right) = (node.left as u32, node.right as u32);
        let (gain, cover) = (node.split_gain, node.sum_hess);
        if node.is_leaf() {
            let values = tree.leaf_vector(id).iter().map(|v| v * weight).collect();
            Node::Leaf { values, cover }
        } else if node.is_categorical {
            let left_codes = tree.split_categories(id).to_vec();
            Node::Choice { feature, left_codes, default_left, left, right, gain, cover }
        } else {
            Node::Branch { feature, threshold: node.split_cond, default_left, left, right, gain, cover }
        }
    });
    Ok(Tree { nodes: nodes.collect(), outputs })
}

/// The model in XGBoost's JSON schema, the only form in which the engine accepts external trees.
#[derive(Serialize)]
struct Document {
    version: [u32; 3],
    learner: Learner,
}

#[derive(Serialize)]
struct Learner {
    gradient_booster: Booster,
    learner_model_param: LearnerParam,
    objective: Objective,
}

#[derive(Serialize)]
struct Booster {
    name: &'static str,
    model: BoosterModel,
}

#[derive(Serialize)]
struct BoosterModel {
    gbtree_model_param: BoosterParam,
    iteration_indptr: Vec<usize>,
    tree_info: Vec<usize>,
    trees: Vec<Columns>,
}

#[derive(Serialize)]
struct BoosterParam {
    num_parallel_tree: String,
    num_trees: String,
}

#[derive(Serialize)]
struct LearnerParam {
    base_score: String,
    boost_from_average: &'static str,
    num_class: &'static str,
    num_feature: String,
    num_target: String,
}

#[derive(Serialize)]
struct Objective {
    name: &'static str,
    reg_loss_param: RegLossParam,
}

#[derive(Serialize)]
struct RegLossParam {
    scale_pos_weight: &'static str,
}

impl Document {
    fn of(assembly: &Assembly) -> Result<Self, ModelError> {
        let n_margins = assembly.base_scores.len();
        let (trees, tree_info) = in_rounds(assembly)?;
        let per_round = if tree_info.iter().any(|&output| output > 0) { n_margins } else { 1 };
        let base: Vec<String> = assembly.base_scores.iter().map(|b| format!("{b:e}")).collect();
        let columns = trees
            .iter()
            .enumerate()
            .map(|(id, tree)| Columns::of(id, tree, assembly.n_features))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            version: [3, 4, 2],
            learner: Learner {
                gradient_booster: Booster {
                    name: "gbtree",
                    model: BoosterModel {
                        gbtree_model_param: BoosterParam {
                            num_parallel_tree: "1".into(),
                            num_trees: columns.len().to_string(),
                        },
                        iteration_indptr: (0..=columns.len()).step_by(per_round).collect(),
                        tree_info,
                        trees: columns,
                    },
                },
                learner_model_param: LearnerParam {
                    base_score: format!("[{}]", base.join(",")),
                    boost_from_average: "0",
                    num_class: "0",
                    num_feature: assembly.n_features.to_string(),
                    num_target: n_margins.to_string(),
                },
                objective: Objective {
                    name: "reg:squarederror",
                    reg_loss_param: RegLossParam { scale_pos_weight: "1" },
                },
            },
        })
    }
}

/// The trees in the engine's layout: round after round, one per margin, an empty one if a margin has none left.
fn in_rounds(assembly: &Assembly) -> Result<(Vec<Tree>, Vec<usize>), ModelError> {
    let n_margins = assembly.base_scores.len();
    if n_margins == 0 || assembly.n_features == 0 {
        return Err(ModelError::Format("a model needs features and outputs".into()));
    }
    if n_margins > 1 && !assembly.trees.is_empty() && assembly.trees.iter().all(|t| t.outputs == (0..n_margins)) {
        return Ok((assembly.trees.clone(), vec![0; assembly.trees.len()]));
    }
    let mut by_margin: Vec<Vec<&Tree>> = vec![Vec::new(); n_margins];
    for tree in &assembly.trees {
        let output = tree.outputs.start;
        if tree.outputs.len() != 1 || output >= n_margins {
            let outputs = &tree.outputs;
            return Err(ModelError::Format(format!("a tree adds to outputs {outputs:?} of {n_margins}")));
        }
        by_margin[output].push(tree);
    }
    let rounds = by_margin.iter().map(Vec::len).max().unwrap_or(0);
    let mut trees = Vec::with_capacity(rounds * n_margins);
    let mut info = Vec::with_capacity(rounds * n_margins);
    for round in 0..rounds {
        for (output, of_margin) in by_margin.iter().enumerate() {
            let empty =
                || Tree { nodes: vec![Node::Leaf { values: vec![0.0], cover: 0.0 }], outputs: output..output + 1 };
            trees.push(of_margin.get(round).map_or_else(empty, |tree| (*tree).clone()));
            info.push(output);
        }
    }
    Ok((trees, info))
}

/// One tree as XGBoost's parallel arrays.
#[derive(Serialize)]
struct Columns {
    id: usize,
    tree_param: TreeParam,
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    parents: Vec<i64>,
    split_indices: Vec<u32>,
    split_conditions: Vec<f32>,
    default_left: Vec<u8>,
    loss_changes: Vec<f32>,
    sum_hessian: Vec<f32>,
    base_weights: Vec<f32>,
    split_type: Vec<u8>,
    categories: Vec<u32>,
    categories_nodes: Vec<usize>,
    categories_segments: Vec<usize>,
    categories_sizes: Vec<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leaf_weights: Vec<f32>,
}

#[derive(Serialize)]
struct TreeParam {
    num_deleted: &'static str,
    num_feature: String,
    num_nodes: String,
    size_leaf_vector: String,
}

impl Columns {
    fn of(id: usize, tree: &Tree, n_features: usize) -> Result<Self, ModelError> {
        let (n, width) = (tree.nodes.len(), tree.outputs.len());
        let vector = width > 1;
        let mut columns = Self {
            id,
            tree_param: TreeParam {
                num_deleted: "0",
                num_feature: n_features.to_string(),
                num_nodes: n.to_string(),
                size_leaf_vector: if vector { width.to_string() } else { "0".into() },
            },
            left_children: Vec::with_capacity(n),
            right_children: Vec::with_capacity(n),
            parents: vec![if vector { -1 } else { i64::from(i32::MAX) }; n],
            split_indices: Vec::with_capacity(n),
            split_conditions: Vec::with_capacity(n),
            default_left: Vec::with_capacity(n),
            loss_changes: Vec::with_capacity(n),
            sum_hessian: Vec::with_capacity(n),
            base_weights: vec![0.0; n * width],
            split_type: Vec::with_capacity(n),
            categories: Vec::new(),
            categories_nodes: Vec::new(),
            categories_segments: Vec::new(),
            categories_sizes: Vec::new(),
            leaf_weights: Vec::new(),
        };
        for (at, node) in tree.nodes.iter().enumerate() {
            columns.push(at, node, width)?;
        }
        Ok(columns)
    }

    fn push(&mut self, at: usize, node: &Node, width: usize) -> Result<(), ModelError> {
        let n = self.parents.len();
        match node {
            Node::Leaf { values, cover } => {
                if values.len() != width || values.iter().any(|v| !v.is_finite()) {
                    return Err(ModelError::Format(format!("leaf {at} needs {width} finite values")));
                }
                let (right, condition) = if width > 1 {
                    let slot = (self.leaf_weights.len() / width) as i64;
                    self.leaf_weights.extend_from_slice(values);
                    (slot, f32::from_bits(1))
                } else {
                    (-1, values[0])
                };
                self.row([-1, right], 0, condition, true, [0.0, *cover], false);
            }
            Node::Branch { feature, threshold, default_left, left, right, gain, cover } => {
                self.adopt(at, *left, *right, n)?;
                let children = [i64::from(*left), i64::from(*right)];
                self.row(children, *feature, *threshold, *default_left, [*gain, *cover], false);
            }
            // XGBoost sends the listed codes right.
            Node::Choice { feature, left_codes, default_left, left, right, gain, cover } => {
                self.adopt(at, *left, *right, n)?;
                self.categories_nodes.push(at);
                self.categories_segments.push(self.categories.len());
                self.categories_sizes.push(left_codes.len());
                self.categories.extend_from_slice(left_codes);
                let children = [i64::from(*right), i64::from(*left)];
                self.row(children, *feature, 0.0, !*default_left, [*gain, *cover], true);
            }
        }
        Ok(())
    }

    fn row(&mut self, children: [i64; 2], feature: u32, condition: f32, left: bool, stats: [f32; 2], choice: bool) {
        self.left_children.push(children[0]);
        self.right_children.push(children[1]);
        self.split_indices.push(feature);
        self.split_conditions.push(condition);
        self.default_left.push(u8::from(left));
        self.loss_changes.push(stats[0]);
        self.sum_hessian.push(stats[1]);
        self.split_type.push(u8::from(choice));
    }

    fn adopt(&mut self, parent: usize, left: u32, right: u32, n: usize) -> Result<(), ModelError> {
        for child in [left as usize, right as usize] {
            if child >= n || child == 0 {
                return Err(ModelError::Format(format!("node {parent} has child {child} of {n} nodes")));
            }
            self.parents[child] = parent as i64;
        }
        Ok(())
    }
}
