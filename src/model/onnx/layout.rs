//! Builds a tree, children after their parents, from the tests of a file's branches.

use crate::model::assemble::{Below, RawNode, RawTree};
use crate::model::foreign::ForeignError;
use crate::model::onnx::attributes::{Attributes, unsupported};

/// A branch's test as the file has it.
pub(super) struct Test<'a> {
    pub feature: i64,
    pub mode: &'a str,
    pub value: f64,
    pub missing_true: bool,
}

/// Lays out a tree from its root, children after their parents; each child is an index in the file.
pub(super) struct Builder<'t> {
    tree: &'t mut RawTree,
    waiting: Vec<(usize, usize)>,
    started: bool,
}

impl<'t> Builder<'t> {
    pub(super) fn new(tree: &'t mut RawTree) -> Self {
        Self { tree, waiting: Vec::new(), started: false }
    }

    /// The next index in the file to visit, and the slot of its node in the tree.
    pub(super) fn next(&mut self, root: usize) -> Option<(usize, usize)> {
        if !self.started {
            self.started = true;
            let slot = self.reserve();
            return Some((root, slot));
        }
        self.waiting.pop()
    }

    fn reserve(&mut self) -> usize {
        self.tree.nodes.push(RawNode::Leaf { first: 0, end: 0 });
        self.tree.nodes.len() - 1
    }

    pub(super) fn leaf(&mut self, slot: usize, weights: &[(u32, f64)]) {
        let first = self.tree.weights.len() as u32;
        self.tree.weights.extend_from_slice(weights);
        self.tree.nodes[slot] = RawNode::Leaf { first, end: self.tree.weights.len() as u32 };
    }

    pub(super) fn branch(
        &mut self,
        at: &Attributes<'_>,
        slot: usize,
        test: &Test<'_>,
        (yes, no): (usize, usize),
        width: &mut usize,
    ) -> Result<(), ForeignError> {
        let feature = usize::try_from(test.feature).ok().filter(|&f| f < MAX_FEATURES);
        let feature = feature.ok_or_else(|| at.damaged(format!("a branch tests feature {}", test.feature)))?;
        if test.value.is_nan() {
            return Err(at.damaged("a threshold is NaN"));
        }
        let (below, yes_is_below) = match test.mode {
            "BRANCH_LEQ" => (Below::at_most(test.value), true),
            "BRANCH_LT" => (Below::less_than(test.value), true),
            "BRANCH_GT" => (Below::at_most(test.value), false),
            "BRANCH_GTE" => (Below::less_than(test.value), false),
            other => return Err(unsupported("a tree ensemble", format_args!("branches of mode {other}"))),
        };
        let yes_left = yes_is_below != below.swapped;
        let (left, right) = (self.reserve(), self.reserve());
        *width = (*width).max(feature + 1);
        self.tree.nodes[slot] = RawNode::Branch {
            feature: feature as u32,
            below: below.below,
            missing_left: test.missing_true == yes_left,
            left: left as u32,
            right: right as u32,
        };
        let (yes_slot, no_slot) = if yes_left { (left, right) } else { (right, left) };
        self.waiting.extend([(no, no_slot), (yes, yes_slot)]);
        Ok(())
    }
}

/// Feature indices beyond this are treated as damage.
pub(super) const MAX_FEATURES: usize = 1 << 20;
