//! The steps of a retrain and their times.

use serde::Serialize;
use std::cell::RefCell;

/// The steps, in order.
pub const STEPS: [&str; 11] =
    ["check", "backup", "load", "preprocess", "combine", "train", "save", "export", "update", "log", "clean up"];

/// A step and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Step {
    /// Its name, one of [`STEPS`].
    pub name: &'static str,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Measures the time of consecutive steps.
pub(super) struct Steps<'a> {
    seconds: &'a dyn Fn() -> f64,
    begun: RefCell<Vec<(&'static str, f64)>>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(seconds: &'a dyn Fn() -> f64) -> Self {
        Self { seconds, begun: RefCell::default() }
    }

    /// Ends the previous step and starts `name`.
    pub(super) fn begin(&self, name: &'static str) {
        self.begun.borrow_mut().push((name, (self.seconds)()));
    }

    /// All steps, the last of which ends now.
    pub(super) fn done(&self) -> Vec<Step> {
        let end = (self.seconds)();
        let begun = self.begun.borrow();
        let ends = begun.iter().skip(1).map(|(_, at)| *at).chain([end]);
        begun.iter().zip(ends).map(|((name, at), end)| Step { name, seconds: end - at }).collect()
    }
}
