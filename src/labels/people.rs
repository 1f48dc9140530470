//! One person, one name: Label Studio's exports identify people by number or by e-mail address.
//!
//! An annotation has the same row, batch and time in both. If all answers of a number imported before are stored
//! under one address, or the reverse, both are the same person, and the answers are imported under the stored name.

use super::store::Label;
use std::collections::{HashMap, HashSet};

/// Minimum number of answers that both exports have in common.
const ENOUGH: usize = 3;

/// Renames people to the names used in the `stored` labels.
pub(super) fn unify(stored: &[Label], incoming: &mut [Label]) {
    let place = |label: &Label| (label.id.clone(), label.batch.clone(), label.labelled_at);
    let mut known: HashMap<_, Vec<&str>> = HashMap::new();
    for label in stored.iter().filter(|label| form(&label.annotator).is_some()) {
        known.entry(place(label)).or_default().push(&label.annotator);
    }
    // A person whose name is stored keeps that name.
    let own_names: HashSet<&str> = stored.iter().map(|label| label.annotator.as_str()).collect();
    let mut names: HashMap<String, HashMap<&str, usize>> = HashMap::new();
    for label in incoming.iter().filter(|label| !own_names.contains(label.annotator.as_str())) {
        let Some(own) = form(&label.annotator) else { continue };
        let others = known.get(&place(label)).map_or(&[][..], Vec::as_slice);
        for other in others.iter().filter(|other| form(other) != Some(own)) {
            *names.entry(label.annotator.clone()).or_default().entry(other).or_default() += 1;
        }
    }
    let sole = |name: &String| {
        let [(other, n)] = names.get(name)?.iter().collect::<Vec<_>>()[..] else { return None };
        (*n >= ENOUGH).then(|| (*other).to_owned())
    };
    for label in incoming {
        if let Some(name) = sole(&label.annotator) {
            label.annotator = name;
        }
    }
}

/// Whether a name is a number or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Number,
    Address,
}

fn form(name: &str) -> Option<Form> {
    match name {
        _ if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) => Some(Form::Number),
        _ if name.contains('@') => Some(Form::Address),
        _ => None,
    }
}
