//! Answers under the name of a person who was not asked.

use super::CONFLICTS;
use super::request::Guard;
use super::resolve::ADJUDICATOR;

/// Answers under the name of a person who was not asked.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Rows that were asked of others by name, and the name that answered; empty for none.
    pub(super) others: Vec<(String, String)>,
    /// Rows of which the file says that the adjudicator spoke.
    pub(super) adjudicated: Vec<String>,
}

impl Strangers {
    /// Whether rows that were asked of somebody by name were answered by that person, and the adjudicator spoke where
    /// an adjudicator decides.
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
