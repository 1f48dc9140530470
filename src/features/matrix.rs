//! The matrix that a model reads.

use std::sync::Arc;

/// A dense matrix, row-major, `NaN` for missing, every other value finite.
///
/// ```text
/// values  r0f0 r0f1 r0f2 r1f0 r1f1 r1f2 …     n_rows × names.len()
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// The cells, row after row; shared, so that an engine can read them in place.
    pub values: Arc<Vec<f32>>,
    /// Number of rows.
    pub n_rows: usize,
    /// The features' names, one per column.
    pub names: Arc<[String]>,
}

impl Matrix {
    /// A matrix over `values`, whose length must be `n_rows × names.len()`.
    #[must_use]
    pub fn new(values: Vec<f32>, n_rows: usize, names: Arc<[String]>) -> Self {
        assert_eq!(values.len(), n_rows * names.len(), "a matrix is n_rows × n_features");
        Self { values: Arc::new(values), n_rows, names }
    }

    /// Number of features.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.names.len()
    }

    /// The features of one row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f32] {
        let n = self.n_features();
        &self.values[row * n..(row + 1) * n]
    }
}
