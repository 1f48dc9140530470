//! Table to matrix, learned on training rows only and stored with the model.
//!
//! ```text
//! Table ─Features::fit(train)─▶ Features ─transform(any table)─▶ Matrix (n_rows × n_features, f32, row-major)
//!       └Target::fit / encode ─────────────────────────────────▶ y (class index or value)
//! ```
//!
//! Every encoder is data ([`Encoder`]): a lookup table, limits, a mean to subtract. Training and scoring
//! use the same [`Features::transform`], except that training rows get out-of-fold target statistics.

mod apply;
pub mod derive;
pub mod duplicates;
pub mod encoder;
pub mod error;
pub mod leaks;
mod learn;
pub mod leftout;
pub mod matrix;
pub mod options;
mod outcome;
#[cfg(test)]
mod reference;
pub mod resample;
pub mod target;
pub mod text;
pub mod time;
mod transform;
mod unseen;

pub use apply::Rows;
pub use duplicates::row_digest;
pub(crate) use encoder::is_coarse;
pub use encoder::{CodeEncoder, Encoder, LARGEST, NumberEncoder, OneHotEncoder, RawColumn, TargetStatistic};
pub use error::{FeatureError, Refused};
pub use leaks::{Leak, find_leaks};
pub(crate) use learn::tukey;
pub use leftout::near_unique;
pub use matrix::Matrix;
pub use options::{Clip, ColumnOptions, Encode, FeatureOptions, Impute, Negative, Outliers, Scale, Text, TimePart};
pub use resample::{Resampled, Smote, smote_nc};
pub use target::{Encoded, Target, Task};
pub use text::{TermShare, TextEncoder};
pub use transform::Features;
pub use unseen::{Unseen, UnseenColumn};
