//! The compact layout as bytes, so that a model can be loaded without the engine.
//!
//! ```text
//! n_features u32  n_margins u32  n_rounds u32  n_trees u32  n_vectors u32  n_nodes u32
//! base scores f32 …  trees (start u32, depth u32, output u32) …  vectors f32 …  nodes (value f32, slot u16, left u16) …
//! ```
//! Numbers are little-endian. A layout that was read is checked: walks stay within its bounds, wherever it comes from.

use crate::model::compact::{Compact, Node, Tree};

impl Compact {
    /// The layout, and the number of rounds of its trees, as bytes.
    pub(super) fn to_bytes(&self, n_rounds: usize) -> Vec<u8> {
        let lengths = [self.trees.len(), self.vectors.len(), self.nodes.len()];
        let head = [self.n_features, self.base.len(), n_rounds].into_iter().chain(lengths);
        let mut bytes: Vec<u8> = head.flat_map(|n| (n as u32).to_le_bytes()).collect();
        bytes.extend(self.base.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(
            self.trees.iter().flat_map(|tree| [tree.start, tree.depth, tree.output]).flat_map(u32::to_le_bytes),
        );
        bytes.extend(self.vectors.iter().flat_map(|value| value.to_le_bytes()));
        for Node { value, slot, left } in &self.nodes {
            bytes.extend_from_slice(&value.to_le_bytes());
            bytes.extend_from_slice(&slot.to_le_bytes());
            bytes.extend_from_slice(&left.to_le_bytes());
        }
        bytes
    }

    /// Reads the bytes written by [`to_bytes`](Self::to_bytes); `None` for others. Allocates in proportion to `bytes`.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut rest = bytes;
        let head = numbers(&mut rest, 6)?;
        let [n_features, n_margins, n_rounds, n_trees, n_vectors, n_nodes] =
            [0, 1, 2, 3, 4, 5].map(|at: usize| head[at] as usize);
        let floats = |numbers: Vec<u32>| numbers.into_iter().map(f32::from_bits).collect::<Vec<f32>>();
        let base = floats(numbers(&mut rest, n_margins)?);
        let trees = numbers(&mut rest, n_trees.checked_mul(3)?)?;
        let tree = |t: &[u32]| Tree { start: t[0], depth: t[1], output: t[2] };
        let trees = trees.chunks_exact(3).map(tree).collect();
        let vectors = floats(numbers(&mut rest, n_vectors)?);
        if rest.len() != n_nodes.checked_mul(8)? {
            return None;
        }
        let node = |n: &[u8]| Node {
            value: f32::from_le_bytes([n[0], n[1], n[2], n[3]]),
            slot: u16::from_le_bytes([n[4], n[5]]),
            left: u16::from_le_bytes([n[6], n[7]]),
        };
        let nodes = rest.chunks_exact(8).map(node).collect();
        let compact = Self { nodes, trees, vectors, base, n_features };
        compact.is_sound().then_some((compact, n_rounds))
    }

    /// Whether every walk stays within its tree, its row and its margins.
    fn is_sound(&self) -> bool {
        let n_margins = self.base.len();
        let fits = (1..=usize::from(u16::MAX / 2)).contains(&self.n_features) && n_margins > 0;
        let ends = self.trees.iter().skip(1).map(|tree| tree.start as usize).chain([self.nodes.len()]);
        fits && self.vectors.len().is_multiple_of(n_margins)
            && self.trees.first().is_none_or(|tree| tree.start == 0)
            && self.trees.iter().zip(ends).all(|(tree, end)| {
                let nodes = self.nodes.get(tree.start as usize..end).unwrap_or_default();
                let is_deep = tree.depth as usize >= nodes.len();
                (tree.output as usize) < n_margins
                    && !nodes.is_empty()
                    && !is_deep
                    && nodes.iter().enumerate().all(|(at, node)| self.is_sound_node(*node, at, nodes.len()))
            })
    }

    fn is_sound_node(&self, Node { value, slot, left }: Node, at: usize, n_nodes: usize) -> bool {
        let (slot, left, nothing) = (usize::from(slot), usize::from(left), 2 * self.n_features);
        let is_leaf = slot == nothing;
        let is_within = if is_leaf { left == at } else { slot < nothing && left > at && left + 1 < n_nodes };
        // A leaf of several values stores an index into `vectors`.
        let last = (self.vectors.len() / self.base.len()).wrapping_sub(1);
        let names =
            !is_leaf || self.vectors.is_empty() || (value >= 0.0 && value.fract() == 0.0 && value as usize <= last);
        value.is_finite() && is_within && names
    }
}

/// The next `n` numbers.
fn numbers(rest: &mut &[u8], n: usize) -> Option<Vec<u32>> {
    let (these, after) = rest.split_at_checked(n.checked_mul(4)?)?;
    *rest = after;
    Some(these.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A split on the second of two features, with missing values to the right, and two leaves.
    fn small() -> Compact {
        let node = |value, slot, left| Node { value, slot, left };
        let nodes = vec![node(0.5, 3, 1), node(-1.0, 4, 1), node(2.0, 4, 2)];
        let trees = vec![Tree { start: 0, depth: 1, output: 0 }];
        Compact { nodes, trees, vectors: Vec::new(), base: vec![10.0], n_features: 2 }
    }

    #[test]
    fn bytes_come_back_and_walk_as_before() {
        let bytes = small().to_bytes(7);
        let (compact, n_rounds) = Compact::from_bytes(&bytes).unwrap();
        assert_eq!((compact.to_bytes(n_rounds), n_rounds), (bytes, 7));
        let mut out = [0.0; 3];
        compact.margins(&[0.0, 0.4, 0.0, 0.5, 0.0, f32::NAN], &mut out).unwrap();
        assert_eq!(out, [9.0, 12.0, 12.0]);
    }

    #[test]
    fn what_would_walk_astray_is_refused() {
        let refused = |change: &dyn Fn(&mut Compact)| {
            let mut compact = small();
            change(&mut compact);
            Compact::from_bytes(&compact.to_bytes(1)).is_none()
        };
        assert!(!refused(&|_| {}));
        assert!(refused(&|c| c.nodes[0].left = 2), "its right child is outside");
        assert!(refused(&|c| c.nodes[0].left = 0), "it is its own child");
        assert!(refused(&|c| c.nodes[1].left = 2), "a leaf that goes on");
        assert!(refused(&|c| c.nodes[0].slot = 5), "there is no such cell");
        assert!(refused(&|c| c.nodes[2].value = f32::NAN));
        assert!(refused(&|c| c.trees[0].depth = 3), "deeper than it has nodes");
        assert!(refused(&|c| c.trees[0].output = 1), "there is no such margin");
        assert!(refused(&|c| c.trees[0].start = 1));
        assert!(refused(&|c| c.trees.push(Tree { start: 9, depth: 0, output: 0 })));
        assert!(refused(&|c| c.vectors = vec![1.0, 2.0]), "the first leaf names none of them");
        assert!(refused(&|c| c.n_features = 0));
    }

    proptest! {
        #[test]
        fn no_change_of_a_byte_makes_it_fall(at in 0..76_usize, byte: u8, cells: [f32; 2]) {
            let mut bytes = small().to_bytes(1);
            let length = bytes.len();
            bytes[at % length] = byte;
            if let Some((compact, _)) = Compact::from_bytes(&bytes) && compact.n_features == 2 {
                let mut out = vec![0.0; compact.base.len()];
                let _ = compact.margins(&cells, &mut out);
            }
        }
    }
}
