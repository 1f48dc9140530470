//! Margins from the compact layout: eight trees at once for a row, or sixteen rows at once for a tree.
//!
//! ```text
//! few rows    trees 0–7: one row, then the next; trees 8–15: …       hides the latency of many trees
//! many rows   tree 0: rows 0–15, rows 16–31, …; tree 1: …            keeps a tree in the fastest cache
//! ```
//! Both sum each row's trees in order, so that a row's margin does not depend on the other rows. Measured with 400
//! trees of depth 10 and 30 features: 4.0 µs a row one by one, 2.7 µs in groups of sixteen.

use super::compact::{Compact, Node, Tree};

/// Trees that are walked in step.
const TREES: usize = 8;
/// Rows that are walked in step.
const ROWS: usize = 16;
/// Bytes of cells that are walked through one tree before the next one: they fit the second-level cache.
const BLOCK_BYTES: usize = 64 << 10;
/// Levels between two checks whether all paths have reached a leaf: few paths of a deep tree are long.
const LOOK_EVERY: u32 = 12;

/// A value as its two cells: for splits with "missing" to the left, and to the right.
fn cells_of(value: f32) -> [f32; 2] {
    if value.is_nan() { [f32::NEG_INFINITY, f32::INFINITY] } else { [value; 2] }
}

impl Compact {
    /// The margins of rows (`n × n_features` values) into `out` (`n × n_margins`). `None` when a value is infinite.
    pub(super) fn margins(&self, rows: &[f32], out: &mut [f32]) -> Option<()> {
        if rows.iter().any(|value| value.is_infinite()) {
            return None;
        }
        let n_margins = self.base.len();
        out.chunks_exact_mut(n_margins).for_each(|out| out.copy_from_slice(&self.base));
        let n_grouped = out.len() / n_margins / ROWS * ROWS;
        let (grouped, single) = rows.split_at(n_grouped * self.n_features);
        let (grouped_out, single_out) = out.split_at_mut(n_grouped * n_margins);
        self.add_many(grouped, grouped_out);
        self.add_few(single, single_out);
        Some(())
    }

    /// Adds the sum of all trees for each row, several trees at once.
    fn add_few(&self, rows: &[f32], out: &mut [f32]) {
        let stride = self.n_cells();
        let mut cells = Vec::with_capacity(rows.len() / self.n_features * stride);
        for row in rows.chunks_exact(self.n_features) {
            row.iter().for_each(|&value| cells.extend(cells_of(value)));
            cells.push(f32::NEG_INFINITY);
        }
        for group in self.trees.chunks(TREES) {
            for (cells, out) in cells.chunks_exact(stride).zip(out.chunks_exact_mut(self.base.len())) {
                self.walk_trees(group, cells, out);
            }
        }
    }

    /// Adds the values of at most [`TREES`] trees for one row, in the order of the trees.
    #[inline]
    fn walk_trees(&self, group: &[Tree], cells: &[f32], out: &mut [f32]) {
        let roots: [usize; TREES] = std::array::from_fn(|lane| group[lane.min(group.len() - 1)].start as usize);
        let deepest = group.iter().map(|tree| tree.depth).max().unwrap_or(0);
        let (nodes, mut at, mut level) = (self.nodes.as_slice(), roots, 0);
        while level < deepest {
            let (before, levels) = (at, LOOK_EVERY.min(deepest - level));
            at = descend_trees(nodes, &roots, cells, at, levels);
            level += levels;
            if level < deepest && at == before {
                break;
            }
        }
        for (tree, at) in group.iter().zip(at) {
            self.add_leaf(nodes[at].value, tree.output, out);
        }
    }

    /// Adds the sum of all trees for each row, several rows at once; a multiple of [`ROWS`].
    fn add_many(&self, rows: &[f32], out: &mut [f32]) {
        let (stride, n_margins) = (self.n_cells(), self.base.len());
        let n_groups = rows.len() / self.n_features / ROWS;
        let n_groups = n_groups.min((BLOCK_BYTES / (stride * size_of::<[f32; ROWS]>())).max(1));
        if n_groups == 0 {
            return;
        }
        // The cells of a group of rows are interleaved; the last of a row is less than any threshold.
        let mut cells = vec![[f32::NEG_INFINITY; ROWS]; n_groups * stride];
        let blocks = rows.chunks(n_groups * ROWS * self.n_features);
        for (rows, out) in blocks.zip(out.chunks_mut(n_groups * ROWS * n_margins)) {
            let groups = rows.chunks_exact(self.n_features * ROWS);
            for (rows, cells) in groups.zip(cells.chunks_exact_mut(stride)) {
                for (lane, row) in rows.chunks_exact(self.n_features).enumerate() {
                    for (&value, pair) in row.iter().zip(cells.chunks_exact_mut(2)) {
                        [pair[0][lane], pair[1][lane]] = cells_of(value);
                    }
                }
            }
            for (which, tree) in self.trees.iter().enumerate() {
                let out = out.chunks_exact_mut(n_margins * ROWS);
                cells.chunks_exact(stride).zip(out).for_each(|(cells, out)| self.walk_rows(which, tree, cells, out));
            }
        }
    }

    /// Adds the values of one tree for [`ROWS`] rows.
    #[inline]
    fn walk_rows(&self, which: usize, tree: &Tree, cells: &[[f32; ROWS]], out: &mut [f32]) {
        let end = self.trees.get(which + 1).map_or(self.nodes.len(), |next| next.start as usize);
        let nodes = &self.nodes[tree.start as usize..end];
        let (mut at, mut level) = ([0; ROWS], 0);
        while level < tree.depth {
            let (before, levels) = (at, LOOK_EVERY.min(tree.depth - level));
            at = descend_rows(nodes, cells, at, levels);
            level += levels;
            if level < tree.depth && at == before {
                break;
            }
        }
        let n_margins = self.base.len();
        if n_margins == 1 && self.vectors.is_empty() {
            at.into_iter().zip(out).for_each(|(at, out)| *out += nodes[at].value);
        } else {
            let rows = at.into_iter().zip(out.chunks_exact_mut(n_margins));
            rows.for_each(|(at, out)| self.add_leaf(nodes[at].value, tree.output, out));
        }
    }

    #[inline]
    fn add_leaf(&self, value: f32, output: u32, out: &mut [f32]) {
        if self.vectors.is_empty() {
            out[output as usize] += value;
        } else {
            let first = value as usize * out.len();
            out.iter_mut().zip(&self.vectors[first..]).for_each(|(out, value)| *out += value);
        }
    }

    /// Cells of a row: two for each feature, and the one that leaves compare.
    fn n_cells(&self) -> usize {
        2 * self.n_features + 1
    }
}

// The two functions below are loops written out, because this is where scoring spends its time: test builds do not
// inline iterators, and a call would keep the node indices in memory. One function for both, with a closure for the
// step, was 10 % slower.

/// Moves a row some levels down several trees.
#[inline(always)]
fn descend_trees(
    nodes: &[Node],
    roots: &[usize; TREES],
    cells: &[f32],
    mut at: [usize; TREES],
    levels: u32,
) -> [usize; TREES] {
    let mut level = 0;
    while level < levels {
        let mut lane = 0;
        while lane < TREES {
            let node = nodes[at[lane]];
            let is_right = cells[node.slot as usize] >= node.value;
            at[lane] = roots[lane] + node.left as usize + is_right as usize;
            lane += 1;
        }
        level += 1;
    }
    at
}

/// Moves several rows some levels down a tree.
#[inline(always)]
fn descend_rows(nodes: &[Node], cells: &[[f32; ROWS]], mut at: [usize; ROWS], levels: u32) -> [usize; ROWS] {
    let mut level = 0;
    while level < levels {
        let mut lane = 0;
        while lane < ROWS {
            let node = nodes[at[lane]];
            let is_right = cells[node.slot as usize][lane] >= node.value;
            at[lane] = node.left as usize + is_right as usize;
            lane += 1;
        }
        level += 1;
    }
    at
}
