//! Signs that answers are copies of what production said.

use super::answer::Origin;
use super::request::Guard;

/// Answers that all equal production's and took nobody any time are copies from this many on.
const COPIES: u64 = 5;

/// What speaks for answers that no person gave: copies of what production said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Copies {
    /// Answers.
    n: u64,
    /// Those that were made from a prediction and took no time.
    copied: u64,
    /// Those of an export that says how long an answer took, without a time.
    untimed: u64,
    /// Those that equal production's.
    equal: u64,
}

impl Copies {
    /// Counts an answer.
    pub(super) fn count(&mut self, origin: Origin, equal: bool) {
        self.n += 1;
        self.copied += u64::from(origin == Origin::Copied);
        self.untimed += u64::from(matches!(origin, Origin::Copied | Origin::Untimed));
        self.equal += u64::from(equal);
    }

    pub(super) fn guard(&self) -> Option<Guard> {
        let Self { n, copied, untimed, equal } = *self;
        let all = n >= COPIES && untimed == n && equal == n;
        let text = match (copied, all) {
            (1.., _) => format!(
                "{copied} of {n} answers are copies of predictions: Label Studio made them from a prediction (\
                 parent_prediction) and nobody spent time on them (no lead_time)"
            ),
            (0, true) => format!(
                "all {n} answers equal production's and nobody spent time on them (no lead_time): they are copies of \
                 predictions"
            ),
            (0, false) => return None,
        };
        Some(Guard { name: "copied-predictions", fired: true, text })
    }
}
