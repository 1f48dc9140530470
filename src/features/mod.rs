//! Table to matrix, learned on training rows only and stored with the model.
//!
//! ```text
//! Table ─Features::fit(train)─▶ Features ─transform(any table)─▶ Matrix (n_rows × n_features, f32, row-major)
//!       └Target::fit / encode ─────────────────────────────────▶ y (class index or value)
//! ```

pub mod matrix;
pub mod target;

pub use matrix::Matrix;
pub use target::{Target, Task};
