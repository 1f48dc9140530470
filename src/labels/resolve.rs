//! One label per row, from several people or sources.
//!
//! ```text
//! outcomes, else the adjudicator, else everybody ─▶ all agree? ─yes─▶ that label
//!                                                        └─no─▶ policy ─▶ a label, or a conflict
//! ```

use super::Used;
use super::store::{Label, Labels, Source};
use crate::workspace::LabelPolicy;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// The annotator who decides if others differ.
pub const ADJUDICATOR: &str = "adjudicator";

/// A row and its resolved label.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved<'a> {
    /// The row.
    pub id: &'a str,
    /// The resolved label.
    pub label: &'a str,
    /// All labels of the row, including overruled ones, except those of models. Never empty.
    pub said: Vec<&'a Label>,
}

impl Resolved<'_> {
    /// The probability of selection; `None` if the row was not selected, or its outcome arrived without a request.
    #[must_use]
    pub fn select_prob(&self) -> Option<f64> {
        let came = self.said.iter().any(|label| label.source == Source::Outcome);
        self.said.iter().find_map(|label| label.select_prob).filter(|_| !came)
    }

    /// Whether the row has a label that no version was trained on.
    #[must_use]
    pub fn is_new(&self, used: &Used) -> bool {
        self.said.iter().any(|label| !used.has(label))
    }

    /// Whether a person gave a new label.
    #[must_use]
    pub fn is_new_by_people(&self, used: &Used) -> bool {
        self.said.iter().any(|label| label.source == Source::Human && !used.has(label))
    }

    /// The latest time of a label with the resolved value.
    #[must_use]
    pub fn labelled_at(&self) -> Option<jiff::Timestamp> {
        self.said.iter().filter(|label| label.label == self.label).map(|label| label.labelled_at).max()
    }
}

/// A row without a resolved label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conflict {
    /// The row.
    pub id: String,
    /// The batch of the row; empty for feedback.
    pub batch: String,
    /// (annotator, label), in order of arrival.
    pub said: Vec<(String, String)>,
}

/// Every row with a label.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolution<'a> {
    /// Rows with a resolved label, in order of first arrival.
    pub agreed: Vec<Resolved<'a>>,
    /// Rows without a resolved label, in the same order.
    pub conflicts: Vec<Conflict>,
}

/// One label per row.
///
/// Observed outcomes ([`Source::Outcome`]) outrank people's labels, and the [`ADJUDICATOR`] outranks other people.
/// If labels of the highest rank differ, `policy` decides: under `adjudicate` and `drop` the row has no label, under
/// `majority` the most frequent label; none on a tie. Labels of models do not count.
#[must_use]
pub fn resolve(labels: &Labels, policy: LabelPolicy) -> Resolution<'_> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut rows: Vec<Vec<&Label>> = Vec::new();
    for label in labels.rows().iter().filter(|label| label.teaches()) {
        let place = *places.entry(&label.id).or_insert(rows.len());
        match rows.get_mut(place) {
            Some(said) => said.push(label),
            None => rows.push(vec![label]),
        }
    }
    let mut resolution = Resolution::default();
    for said in rows {
        match holds(&said, policy) {
            Some(label) => resolution.agreed.push(Resolved { id: &said[0].id, label, said }),
            None => resolution.conflicts.push(Conflict {
                id: said[0].id.clone(),
                batch: said.iter().map(|label| &label.batch).find(|b| !b.is_empty()).cloned().unwrap_or_default(),
                said: said.iter().map(|label| (label.annotator.clone(), label.label.clone())).collect(),
            }),
        }
    }
    resolution
}

/// The resolved label among `said`.
fn holds<'a>(said: &[&'a Label], policy: LabelPolicy) -> Option<&'a str> {
    let ranks: [&dyn Fn(&Label) -> bool; 3] =
        [&|label| label.source == Source::Outcome, &|label| label.annotator == ADJUDICATOR, &|_| true];
    let counted =
        ranks.iter().map(|counts| said.iter().filter(|l| counts(l)).collect::<Vec<_>>()).find(|c| !c.is_empty())?;
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    counted.iter().for_each(|label| *votes.entry(label.label.as_str()).or_default() += 1);
    let most = votes.values().copied().max()?;
    let mut first = votes.iter().filter(|(_, n)| **n == most);
    let label = *first.next()?.0;
    match policy {
        _ if votes.len() == 1 => Some(label),
        LabelPolicy::Majority if first.next().is_none() => Some(label),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "id,label,annotator,labelled_at,source,batch,select_prob,model_version\n";

    fn labels(rows: &[(&str, &str, &str, &str)]) -> Labels {
        let mut text = HEADER.to_owned();
        for (id, label, annotator, source) in rows {
            text.push_str(&format!("{id},{label},{annotator},2026-11-20T10:00:00Z,{source},b1,0.5,v0001\n"));
        }
        Labels::read("labels.csv", text.as_bytes()).unwrap()
    }

    fn agreed<'a>(resolution: &Resolution<'a>) -> Vec<(&'a str, &'a str)> {
        resolution.agreed.iter().map(|row| (row.id, row.label)).collect()
    }

    #[test]
    fn those_who_differ_are_resolved_by_policy() {
        let labels = labels(&[
            ("a", "no", "ann", "human"),
            ("b", "no", "ann", "human"),
            ("a", "no", "bob", "human"),
            ("b", "yes", "bob", "human"),
            ("b", "yes", "cem", "human"),
            ("c", "no", "ann", "human"),
            ("c", "yes", "bob", "human"),
        ]);
        let strict = resolve(&labels, LabelPolicy::Adjudicate);
        assert_eq!(agreed(&strict), [("a", "no")]);
        assert_eq!(strict.conflicts.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(
            strict.conflicts[1].said,
            [("ann", "no"), ("bob", "yes")].map(|(a, l)| (a.to_owned(), l.to_owned()))
        );
        assert_eq!(strict.agreed[0].said.len(), 2);
        assert_eq!(resolve(&labels, LabelPolicy::Drop), strict);
        let majority = resolve(&labels, LabelPolicy::Majority);
        assert_eq!(agreed(&majority), [("a", "no"), ("b", "yes")], "a tie has no majority");
    }

    #[test]
    fn what_happened_and_the_adjudicator_count_more() {
        let labels = labels(&[
            ("a", "no", "ann", "human"),
            ("a", "yes", ADJUDICATOR, "human"),
            ("a", "no", "bob", "human"),
            ("b", "no", ADJUDICATOR, "human"),
            ("b", "yes", "bank", "outcome"),
            ("c", "no", "v0001", "model"),
            ("d", "yes", "v0001", "model"),
            ("d", "no", "ann", "human"),
        ]);
        for policy in [LabelPolicy::Adjudicate, LabelPolicy::Majority, LabelPolicy::Drop] {
            let resolution = resolve(&labels, policy);
            assert_eq!(agreed(&resolution), [("a", "yes"), ("b", "yes"), ("d", "no")], "{policy:?}");
            assert_eq!(resolution.agreed[2].said.len(), 1, "a model's label is not among what was said");
        }
    }
}
