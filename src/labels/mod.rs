//! Labelling: which rows to label, the answers, and the label that results from them.
//!
//! ```text
//! candidates ─export─▶ label_inbox/to_label.csv ─people─▶ to_label_labeled.csv ─import─▶ data/labels.csv ─resolve─▶ one each
//! ```

mod answer;
mod answers;
mod batch;
mod became;
mod candidates;
mod check;
mod choose;
pub mod conflicts;
mod copies;
pub mod confident;
mod correct;
mod design;
mod error;
pub mod fill;
pub mod export;
pub mod findings;
mod form;
pub mod guards;
mod ids;
pub mod import;
pub mod resolve;
mod people;
mod records;
pub mod request;
mod returned;
pub mod settle;
pub mod shared;
mod sheet;
pub mod store;
pub mod strata;
mod strangers;
mod project;
mod studio;
mod take;
mod used;

/// The list of conflicting labels, in the inbox.
pub const CONFLICTS: &str = "conflicts.csv";
/// The list of labels that the model's scores contradict, in the inbox.
pub const SUSPECTS: &str = "suspects.csv";

pub use batch::{Asked, Batch, Stratum, exported_from};
pub use became::{became, record_outcomes, record_received};
pub use confident::{Suspect, suspects};
pub use correct::{correct, outcomes};
pub use error::LabelError;
pub use export::{Exported, export, exported_is_told};
pub use findings::{Accuracy, Agreement, Findings};
pub(crate) use form::DELIMITERS;
pub use import::{Closing, close, import};
pub(crate) use project::PULLED;
pub use project::{Pushed, Studio, out_in_studio};
pub use request::{ExportRequest, Format, Guard, ImportRequest, Imported, Taken};
pub use resolve::{ADJUDICATOR, Conflict, Resolution, Resolved, resolve};
pub use store::{Change, Label, Labels, Merged, Source};
pub use strata::{Strategy, uncertainty};
pub use used::{Used, orphans};

/// Whether a text contains answers for this target: the entry point of the reader's fuzz tests.
#[doc(hidden)]
#[must_use]
pub fn holds_answers(target: &str, text: &str) -> bool {
    let expected = answers::Expected { target, headers: Vec::new() };
    answers::read("fuzz", text, &expected).is_ok_and(|read| !read.answers.is_empty())
}
