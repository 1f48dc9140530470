//! What people said of rows: the store of their answers, and who counts when they differ.

mod correct;
mod error;
pub mod resolve;
pub mod store;

pub use correct::{correct, outcomes};
pub use error::LabelError;
pub use resolve::{ADJUDICATOR, Conflict, Resolution, Resolved, resolve};
pub use store::{Change, Label, Labels, Merged, Source, Used};
