//! Evidence collected while reading a table whose column kinds are still open.

use super::Evidence;

/// The evidence on the watched columns of a stream.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    seen: Vec<Evidence>,
    leading_zero: bool,
}

impl Watched {
    /// The evidence from one piece: the watched columns, and whether a number of any column has a leading zero.
    pub(crate) fn new(seen: Vec<Evidence>, leading_zero: bool) -> Self {
        Self { seen, leading_zero }
    }

    /// Evidence for this number of columns, before any piece.
    pub(crate) fn empty(n_columns: usize) -> Self {
        Self::new(vec![Evidence::default(); n_columns], false)
    }

    /// The evidence of each watched column.
    pub(crate) fn seen(&self) -> &[Evidence] {
        &self.seen
    }

    /// Whether a number has a leading zero, like a code.
    pub(crate) fn has_leading_zero(&self) -> bool {
        self.leading_zero
    }

    /// Merges the evidence from the next piece.
    pub(crate) fn merge(&mut self, next: Self) {
        self.leading_zero |= next.leading_zero;
        self.seen.iter_mut().zip(next.seen).for_each(|(all, next)| all.merge(next));
    }
}
