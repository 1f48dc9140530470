//! Answers under the name of a person who was not assigned.

use super::CONFLICTS;
use super::request::Guard;
use super::resolve::ADJUDICATOR;

/// Answers under the name of a person who was not assigned.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Rows assigned to others, and the name that answered; empty for none.
    pub(super) others: Vec<(String, String)>,
    /// Rows that the file attributes to the adjudicator.
    pub(super) adjudicated: Vec<String>,
}

impl Strangers {
    /// Whether assigned rows were answered by their annotators, and the adjudicator answered only where an adjudicator
    /// decides.
    pub(super) fn guards(&self) -> impl Iterator<Item = Guard> {
        let others = self.others.first().map(|(id, name)| {
            let n = self.others.len();
            let who = if name.is_empty() { "an unnamed person".to_owned() } else { format!("{name:?}") };
            let text = format!(
                "{n} answers are for rows of other people, such as {id:?} by {who}: give the annotator with \
                 --annotator NAME"
            );
            Guard { name: "asked-of-others", fired: true, text }
        });
        let adjudicated = self.adjudicated.first().map(|id| {
            let n = self.adjudicated.len();
            let text = format!(
                "{n} answers use the name {ADJUDICATOR}, such as that for {id:?}; an {ADJUDICATOR} answers in \
                 label_inbox/{CONFLICTS}, or with --annotator {ADJUDICATOR}"
            );
            Guard { name: ADJUDICATOR, fired: true, text }
        });
        others.into_iter().chain(adjudicated)
    }
}
