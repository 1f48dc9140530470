//! The trees in their layout for scoring: eight bytes a node.
//!
//! ```text
//! node    value  the threshold, or the value of a leaf
//!         slot   the cell of the prepared row to compare
//!         left   the left child, counted from the tree's root; the right one follows it
//! cells   x0 with "missing" as −∞, x0 with "missing" as +∞, x1 …, and one cell that is −∞
//! ```
//! So a missing value follows its node's default without a test. A leaf compares the last cell, which is less than any
//! threshold, so the walk stays at the leaf. Several paths can therefore descend in step without a branch, and their
//! memory latencies overlap. One row through 400 trees of depth 10 takes 8 µs where the engine's own walk, which reads
//! 16 bytes a node at that depth, takes 35; the sums are bit-identical.

use hessboost::model::BoostedModel;
use hessboost::tree::RegTree;

/// Levels stored together, so that a walk reads few blocks of memory.
const BLOCK_LEVELS: usize = 3;

#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) value: f32,
    pub(super) slot: u16,
    pub(super) left: u16,
}

const UNSET: Node = Node { value: 0.0, slot: 0, left: 0 };

/// The start of a tree, its depth, and the margin that it adds to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    pub(super) start: u32,
    pub(super) depth: u32,
    pub(super) output: u32,
}

/// An ensemble of numeric questions, laid out for scoring.
#[derive(Debug, Clone)]
pub(super) struct Compact {
    pub(super) nodes: Vec<Node>,
    pub(super) trees: Vec<Tree>,
    /// One value per margin for each leaf, if leaves hold several; a leaf's `value` is then its index.
    pub(super) vectors: Vec<f32>,
    /// The initial value of every margin.
    pub(super) base: Vec<f32>,
    pub(super) n_features: usize,
}

impl Compact {
    /// The layout of a model; `None` if it is not supported: splits on categories, linear functions in leaves,
    /// trees of more than 65 536 nodes, more than 32 767 features.
    pub(super) fn of(engine: &BoostedModel) -> Option<Self> {
        let is_plain = engine.linear().is_none() && engine.shrinkage().is_none() && engine.best_iteration().is_none();
        let n_features = engine.n_features();
        if !is_plain || n_features > usize::from(u16::MAX / 2) {
            return None;
        }
        let base = engine.base_scores().to_vec();
        let mut compact = Self { nodes: Vec::new(), trees: Vec::new(), vectors: Vec::new(), base, n_features };
        let is_vector = engine.has_vector_leaves();
        for ((tree, outputs), weight) in engine.trees().iter().zip(engine.tree_outputs()).zip(engine.tree_weights()) {
            compact.push(tree, outputs.start, weight, is_vector)?;
        }
        compact.nodes.shrink_to_fit();
        Some(compact)
    }

    /// Adds a tree, block by block.
    fn push(&mut self, tree: &RegTree, output: usize, weight: f32, is_vector: bool) -> Option<()> {
        if tree.linear_leaves().is_some() {
            return None;
        }
        let start = self.nodes.len();
        let mut deepest = 0;
        self.nodes.push(UNSET);
        let mut blocks = vec![(0, 0, 0)];
        while let Some(top) = blocks.pop() {
            let mut level = vec![top];
            for _ in 0..BLOCK_LEVELS {
                for (id, at, depth) in std::mem::take(&mut level) {
                    deepest = deepest.max(depth);
                    let node = tree.nodes().get(id)?;
                    let left = if node.is_leaf() { at } else { self.nodes.len() - start };
                    if !node.is_leaf() {
                        self.nodes.extend([UNSET; 2]);
                        level.extend([
                            (node.left as usize, left, depth + 1),
                            (node.right as usize, left + 1, depth + 1),
                        ]);
                    }
                    let left = u16::try_from(left).ok().filter(|left| *left < u16::MAX)?;
                    self.nodes[start + at] = self.node(tree, id, left, weight, is_vector)?;
                }
            }
            blocks.extend(level.into_iter().rev());
        }
        self.trees.push(Tree { start: u32::try_from(start).ok()?, depth: deepest, output: output as u32 });
        Some(())
    }

    fn node(&mut self, tree: &RegTree, id: usize, left: u16, weight: f32, is_vector: bool) -> Option<Node> {
        let node = tree.nodes().get(id)?;
        let nothing = (2 * self.n_features) as u16;
        let (value, slot) = if node.is_leaf() {
            let mut added = tree.leaf_vector(id).iter().map(|value| value * weight);
            (if is_vector { self.leaf(added)? } else { added.next()? }, nothing)
        } else {
            let slot = 2 * node.split_feature + u32::from(!node.default_left);
            (node.split_cond, u16::try_from(slot).ok().filter(|slot| *slot < nothing)?)
        };
        (!node.is_categorical && value.is_finite()).then_some(Node { value, slot, left })
    }

    /// Stores the values of a leaf; returns its index, as a number that single precision holds.
    fn leaf(&mut self, values: impl Iterator<Item = f32>) -> Option<f32> {
        let which = self.vectors.len() / self.base.len();
        self.vectors.extend(values);
        (which < 1 << 24).then_some(which as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::hash64;
    use hessboost::model::{Iterations, ModelFormat};
    use hessboost::prelude::{DMatrix, TrainingParams, train};

    const N_FEATURES: usize = 5;

    /// Numbers on a coarse grid, so that values equal thresholds; with zeros of both signs and missing values.
    fn cell(n: usize) -> f32 {
        match hash64(&n.to_le_bytes(), 7) % 20 {
            0 => f32::NAN,
            1 => -0.0,
            grid => (grid as f32 - 10.0) / 4.0,
        }
    }

    fn rows(n: usize) -> Vec<f32> {
        (0..n * N_FEATURES).map(cell).collect()
    }

    fn same_as_the_engine(engine: &BoostedModel) {
        let compact = Compact::of(engine).unwrap();
        // The last five rows use the walk for few rows, all others the walk for many rows.
        let rows = rows(501);
        let expected = engine.predict_margin_rows(&rows, Iterations::Best).unwrap().into_vec();
        let mut found = vec![f32::NAN; expected.len()];
        compact.margins(&rows, &mut found).unwrap();
        assert_eq!(found, expected);
        let width = expected.len() / 501;
        compact.margins(&rows[..N_FEATURES], &mut found[..width]).unwrap();
        assert_eq!(found[..width], expected[..width]);
    }

    fn grown(change: impl Fn(&mut TrainingParams), rounds: usize) -> BoostedModel {
        let x = rows(800);
        let known = |value: f32| if value.is_nan() { 3.0 } else { value };
        let y: Vec<f32> = x.chunks_exact(N_FEATURES).map(|row| known(row[0].abs()) + known(row[1] * row[2])).collect();
        let mut params = TrainingParams::default();
        change(&mut params);
        let data = DMatrix::from_dense(&x, 800, N_FEATURES).unwrap().with_labels(&y).unwrap();
        train(&params, &data, rounds).unwrap()
    }

    #[test]
    fn every_margin_is_the_engines_bit_for_bit() {
        same_as_the_engine(&grown(|_| {}, 21));
        // Deeper than the interval between checks for completion, and of very different depths.
        same_as_the_engine(&grown(|p| (p.max_depth, p.min_child_weight) = (None, 0.0), 9));
        same_as_the_engine(&grown(|p| (p.num_parallel_tree, p.subsample) = (13, 0.5), 1));
        same_as_the_engine(&grown(|p| p.max_depth = std::num::NonZeroUsize::new(1), 3));
    }

    #[test]
    fn what_it_cannot_hold_is_left_to_the_engine() {
        let engine = grown(|_| {}, 2);
        let compact = Compact::of(&engine).unwrap();
        let mut out = [0.0];
        assert!(compact.margins(&[0.0, f32::INFINITY, 0.0, 0.0, 0.0], &mut out).is_none());
        let text = engine.encode(ModelFormat::XgboostJson).unwrap();
        let again = BoostedModel::decode(text, ModelFormat::XgboostJson).unwrap();
        same_as_the_engine(&again);
    }
}
