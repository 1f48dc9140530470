//! The last verdict of each person on each row.

use crate::feedback::{self, Verdict};
use crate::report::number::{counted, short};
use std::collections::HashMap;

/// The last verdict of each person on each row.
#[derive(Default)]
pub(super) struct Said {
    /// The verdict, and the index of its author; most rows have one author.
    rows: HashMap<String, (Verdict, u32)>,
    /// The verdicts of others, oldest first.
    before: HashMap<String, Vec<(Verdict, u32)>>,
    /// Indices by name, and the displayed form of each.
    places: HashMap<String, u32>,
    people: Vec<String>,
}

impl Said {
    pub(super) fn add(&mut self, entries: Vec<feedback::Entry>) {
        for entry in entries {
            let place = match self.places.get(&entry.by) {
                Some(place) => *place,
                None => {
                    let place = self.people.len() as u32;
                    self.people.push(short(&entry.by, 40));
                    self.places.insert(entry.by, place);
                    place
                }
            };
            let word = (entry.verdict, place);
            if let Some(others) = self.before.get_mut(&entry.id) {
                others.retain(|(_, who)| *who != place);
            }
            let Some(last) = self.rows.insert(entry.id.clone(), word) else { continue };
            if last.1 != place {
                self.before.entry(entry.id).or_default().push(last);
            }
        }
    }

    /// "incorrect, ann; correct, bob", latest first.
    pub(super) fn told(&self, id: &str) -> String {
        let Some(last) = self.rows.get(id) else { return String::new() };
        let others = self.before.get(id).into_iter().flatten().rev();
        let told = |(verdict, place): &(Verdict, u32)| match self.people[*place as usize].as_str() {
            "" => verdict.to_string(),
            name => format!("{verdict}, {name}"),
        };
        let all: Vec<String> = std::iter::once(last).chain(others).map(told).collect();
        all.join("; ") + if self.differ(id) { " (they differ)" } else { "" }
    }

    /// Whether people disagree about the prediction of a row.
    pub(super) fn differ(&self, id: &str) -> bool {
        let (last, others) = (self.rows.get(id), self.before.get(id));
        let mut said = last.into_iter().chain(others.into_iter().flatten()).map(|(verdict, _)| *verdict);
        let first = said.find(|verdict| *verdict != Verdict::Uncertain);
        said.any(|verdict| verdict != Verdict::Uncertain && Some(verdict) != first)
    }

    /// The number of rows on which people disagree, as text; empty if none.
    pub(super) fn differing(&self) -> String {
        let n = self.before.keys().filter(|id| self.differ(id)).count() as u64;
        if n == 0 {
            return String::new();
        }
        let they = if n == 1 { "it has" } else { "they have" };
        format!(
            "{} judged right by some people and wrong by others: {they} no label unless a majority decides (policy \
             in [labels] of mlloop.toml).",
            counted(n, "prediction is", "predictions are")
        )
    }
}
