//! Converts trees read from another tool's file to the engine's model.
//!
//! ```text
//! Ensemble ── trees: [ nodes …, weights (output, value) … ]     one tree may feed several outputs
//!     │
//!     ▼  one copy of a tree per output that it feeds, padded with zero leaves to equal counts
//! engine     o0 o1 o2 | o0 o1 o2 | …                            iteration after iteration, output after output
//! ```
//!
//! The engine has no public constructor for a tree, only its serialised form; [`Field`] feeds that form to its
//! deserialiser value by value, so that no document of the whole model is built.

use crate::model::Link;
use crate::model::foreign::ForeignError;
use hessboost::model::BoostedModel;
use serde::Deserialize;
use serde::de::value::{Error as FieldError, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};

/// A node as read from the file: children are indices into the same tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum RawNode {
    /// `value < below` goes left, every other number right, missing as in `missing_left`.
    Branch { feature: u32, below: f32, missing_left: bool, left: u32, right: u32 },
    /// `weights[first..end]` of the tree.
    Leaf { first: u32, end: u32 },
}

/// One tree; node 0 is the root and every node is reached exactly once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RawTree {
    /// Parents precede their children.
    pub nodes: Vec<RawNode>,
    /// The leaf values: an output and a value.
    pub weights: Vec<(u32, f64)>,
}

/// Trees, intercepts and link.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ensemble {
    pub trees: Vec<RawTree>,
    /// One intercept per output.
    pub base: Vec<f64>,
    pub n_features: usize,
    pub link: Link,
}

/// Maximum ratio of copied to read trees: a small file must not become a huge model.
const MAX_GROWTH: usize = 32;

/// A tree and the output that a copy of it feeds; `None` is a zero leaf.
type Slot = (Option<usize>, u32);

impl Ensemble {
    /// The engine's model of these trees.
    ///
    /// # Errors
    ///
    /// If a value or threshold is not finite, a feature is out of range, or the copies for several outputs
    /// would exceed the limit.
    pub(super) fn assemble(&self, format: &'static str) -> Result<BoostedModel, ForeignError> {
        let damaged = |reason: String| ForeignError::Damaged { format, reason };
        let slots = self.slots().ok_or_else(|| damaged("its trees feed too many outputs".to_owned()))?;
        let n_outputs = self.base.len();
        let softmax = self.link == Link::Softmax;
        let objective = match self.link {
            Link::Identity => "reg:squarederror",
            Link::Logistic => "binary:logistic",
            Link::Softmax => "multi:softprob",
            Link::Exp => "count:poisson",
        };
        let count = |n: usize| Field::Int(n as i64);
        let model = Field::object([
            ("trees", Field::list(slots.iter().map(|&slot| self.tree_field(slot)))),
            ("base_score", Field::list(self.base.iter().map(|&v| Field::Float(v as f32)))),
            ("objective", Field::Text(objective)),
            ("num_class", count(if softmax { n_outputs } else { 0 })),
            ("n_outputs", count(n_outputs)),
            ("n_targets", count(if softmax { 1 } else { n_outputs })),
            ("n_features", count(self.n_features)),
            ("best_iteration", Field::Null),
            ("tree_weights", Field::list(std::iter::empty())),
            ("num_parallel_tree", count(1)),
            ("linear", Field::Null),
        ]);
        BoostedModel::deserialize(model).map_err(|e| damaged(e.to_string()))
    }

    /// The engine's order of trees, or `None` if it would have too many nodes.
    fn slots(&self) -> Option<Vec<Slot>> {
        let n_outputs = self.base.len();
        let mut feeds: Vec<Vec<usize>> = vec![Vec::new(); n_outputs];
        let mut read = 0;
        let mut copied = 0;
        for (index, tree) in self.trees.iter().enumerate() {
            let mut outputs: Vec<u32> = tree.weights.iter().map(|&(output, _)| output).collect();
            outputs.sort_unstable();
            outputs.dedup();
            read += tree.nodes.len() + tree.weights.len();
            copied += outputs.len() * tree.nodes.len();
            for output in outputs {
                feeds.get_mut(output as usize)?.push(index);
            }
        }
        let n_iterations = feeds.iter().map(Vec::len).max().unwrap_or(0);
        let padded = copied + n_iterations.checked_mul(n_outputs)?;
        if padded > MAX_GROWTH * (read + n_outputs) {
            return None;
        }
        let iteration = |i: usize| {
            let feeds = &feeds;
            (0..n_outputs).map(move |output| (feeds[output].get(i).copied(), output as u32))
        };
        Some((0..n_iterations).flat_map(iteration).collect())
    }

    /// The engine's form of a tree for one output.
    fn tree_field(&self, (tree, output): Slot) -> Field<'_> {
        let nodes = match tree {
            None => Field::list(std::iter::once(leaf_field(0.0, 1.0))),
            Some(index) => {
                let tree = &self.trees[index];
                let covers = covers(tree);
                let node = move |(node, cover): (&RawNode, f32)| node_field(tree, *node, output, cover);
                Field::list(tree.nodes.iter().zip(covers).map(node))
            }
        };
        Field::object([
            ("nodes", nodes),
            ("categories", Field::list(std::iter::empty())),
            ("size_leaf_vector", Field::Int(0)),
            ("linear", Field::Null),
        ])
    }
}

/// The share of rows at each node, for contributions: files carry no counts, so every branch halves them.
fn covers(tree: &RawTree) -> Vec<f32> {
    let mut covers = vec![1.0_f32; tree.nodes.len()];
    for (at, node) in tree.nodes.iter().enumerate() {
        if let RawNode::Branch { left, right, .. } = *node {
            let half = (covers[at] / 2.0).max(f32::MIN_POSITIVE);
            covers[left as usize] = half;
            covers[right as usize] = half;
        }
    }
    covers
}

fn node_field<'a>(tree: &RawTree, node: RawNode, output: u32, cover: f32) -> Field<'a> {
    match node {
        RawNode::Leaf { first, end } => {
            let weights = &tree.weights[first as usize..end as usize];
            let value: f64 = weights.iter().filter(|w| w.0 == output).map(|w| w.1).sum();
            leaf_field(value as f32, cover)
        }
        RawNode::Branch { feature, below, missing_left, left, right } => {
            engine_node((feature, below, missing_left), (i64::from(left), i64::from(right)), 0.0, cover)
        }
    }
}

fn leaf_field<'a>(value: f32, cover: f32) -> Field<'a> {
    engine_node((0, 0.0, true), (-1, -1), value, cover)
}

fn engine_node<'a>(split: (u32, f32, bool), children: (i64, i64), value: f32, cover: f32) -> Field<'a> {
    Field::object([
        ("split_feature", Field::Int(i64::from(split.0))),
        ("split_cond", Field::Float(split.1)),
        ("default_left", Field::Bool(split.2)),
        ("left", Field::Int(children.0)),
        ("right", Field::Int(children.1)),
        ("leaf_value", Field::Float(value)),
        ("sum_hess", Field::Float(cover)),
        ("split_gain", Field::Float(0.0)),
        ("is_categorical", Field::Bool(false)),
        ("cat_begin", Field::Int(0)),
        ("cat_end", Field::Int(0)),
    ])
}

/// A piece of the engine's serialised model, built on demand.
enum Field<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f32),
    Text(&'static str),
    List(Box<dyn Iterator<Item = Field<'a>> + 'a>),
    Object(Box<dyn Iterator<Item = (&'static str, Field<'a>)> + 'a>),
}

impl<'a> Field<'a> {
    fn list(items: impl Iterator<Item = Field<'a>> + 'a) -> Self {
        Field::List(Box::new(items))
    }

    fn object<const N: usize>(members: [(&'static str, Field<'a>); N]) -> Self {
        Field::Object(Box::new(members.into_iter()))
    }
}

impl IntoDeserializer<'_> for Field<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Field<'_> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self {
            Field::Null => visitor.visit_unit(),
            Field::Bool(v) => visitor.visit_bool(v),
            Field::Int(v) => visitor.visit_i64(v),
            Field::Float(v) => visitor.visit_f32(v),
            Field::Text(v) => visitor.visit_str(v),
            Field::List(items) => visitor.visit_seq(SeqDeserializer::new(items)),
            Field::Object(members) => visitor.visit_map(MapDeserializer::new(members)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self {
            Field::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// How `value ≤ t`, `value < t` and their opposites become `value < below` for 32-bit numbers.
///
/// Every test of a number against a threshold of 32 or 64 bits is exactly one of `below`: `x ≤ t` holds for a
/// 32-bit `x` if `x < c` with `c` the smallest 32-bit number above `t`. If no finite `c` exists (every
/// finite number passes), the children are swapped and `c` is the smallest finite number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Below {
    pub below: f32,
    /// Numbers that pass the test go to the right child.
    pub swapped: bool,
}

impl Below {
    /// `value ≤ threshold`.
    pub(super) fn at_most(threshold: f64) -> Self {
        let nearest = threshold as f32;
        Self::finite(if f64::from(nearest) > threshold { nearest } else { nearest.next_up() })
    }

    /// `value < threshold`.
    pub(super) fn less_than(threshold: f64) -> Self {
        let nearest = threshold as f32;
        Self::finite(if f64::from(nearest) >= threshold { nearest } else { nearest.next_up() })
    }

    fn finite(below: f32) -> Self {
        if below == f32::INFINITY {
            Self { below: f32::MIN, swapped: true }
        } else {
            Self { below: below.max(f32::MIN), swapped: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stump(weights: Vec<(u32, f64)>) -> RawTree {
        let half = (weights.len() / 2) as u32;
        let end = weights.len() as u32;
        RawTree {
            nodes: vec![
                RawNode::Branch { feature: 1, below: 0.5, missing_left: false, left: 1, right: 2 },
                RawNode::Leaf { first: 0, end: half },
                RawNode::Leaf { first: half, end },
            ],
            weights,
        }
    }

    #[test]
    fn a_tree_feeds_every_output_that_its_leaves_name() {
        let trees = vec![stump(vec![(0, 1.0), (2, 3.0), (0, 10.0), (2, 30.0)]), stump(vec![(0, 0.5), (0, 0.25)])];
        let ensemble = Ensemble { trees, base: vec![0.0, 7.0, 0.0], n_features: 2, link: Link::Identity };
        let engine = ensemble.assemble("test").unwrap();
        let mut out = [0.0; 3];
        for (x, expected) in [(0.0, [1.5, 7.0, 3.0]), (0.5, [10.25, 7.0, 30.0]), (f32::NAN, [10.25, 7.0, 30.0])] {
            engine.predict_margin_row_into(&[9.0, x], .., &mut out).unwrap();
            assert_eq!(out, expected, "at {x}");
        }
    }

    #[test]
    fn copies_out_of_proportion_are_refused() {
        let weights: Vec<_> = (0..400).map(|output| (output, 1.0)).collect();
        let mut tree = stump(weights);
        for _ in 0..200 {
            let at = tree.nodes.len() as u32;
            let last = tree.nodes.len() - 1;
            tree.nodes[last] = RawNode::Branch { feature: 0, below: 0.0, missing_left: true, left: at, right: at + 1 };
            tree.nodes.push(RawNode::Leaf { first: 0, end: 0 });
            tree.nodes.push(RawNode::Leaf { first: 0, end: 0 });
        }
        let ensemble = Ensemble { trees: vec![tree], base: vec![0.0; 400], n_features: 2, link: Link::Identity };
        assert!(ensemble.assemble("test").is_err());
    }

    #[test]
    fn non_finite_leaves_and_features_out_of_range_are_refused() {
        let of = |tree: RawTree| {
            Ensemble { trees: vec![tree], base: vec![0.0], n_features: 2, link: Link::Identity }.assemble("test")
        };
        assert!(of(stump(vec![(0, 1.0), (0, 2.0)])).is_ok());
        assert!(of(stump(vec![(0, 1.0), (0, f64::NAN)])).is_err());
        assert!(of(stump(vec![(0, 1.0), (0, 1e300)])).is_err());
        let mut tree = stump(vec![(0, 1.0), (0, 2.0)]);
        tree.nodes[0] = RawNode::Branch { feature: 2, below: 0.5, missing_left: false, left: 1, right: 2 };
        assert!(of(tree).is_err());
    }

    #[test]
    fn thresholds_of_64_bits_part_numbers_of_32_bits_exactly() {
        let near = [0.1_f32.next_down(), 0.1, 0.1_f32.next_up(), 0.0, -0.0, f32::MAX, f32::MIN, 1e-45, -1e-45];
        for t in [0.1, f64::from(0.1_f32), 0.0, -0.0, 1e300, -1e300, f64::INFINITY, f64::from(f32::MAX)] {
            for x in near {
                for (below, passes) in [(Below::at_most(t), f64::from(x) <= t), (Below::less_than(t), f64::from(x) < t)]
                {
                    assert!(below.below.is_finite());
                    assert_eq!((x < below.below) != below.swapped, passes, "{x} against {t}");
                }
            }
        }
    }
}
