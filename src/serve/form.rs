//! The columns that a request may name, and the index of each.

use std::collections::HashMap;

/// The columns that a request may name.
#[derive(Debug, Clone, Default)]
pub(super) struct Form {
    names: Vec<String>,
    /// The index of a name; `None` for known names that are ignored.
    places: HashMap<String, Option<usize>>,
    /// The column of each value in rows that are lists of values: the features of production, in order.
    order: Vec<Option<usize>>,
    /// The index of the outcome.
    target: Option<usize>,
}

impl Form {
    /// The index of a column whose cells are used; adds it if new.
    pub(super) fn keep(&mut self, name: &str) -> usize {
        if let Some(&Some(place)) = self.places.get(name) {
            return place;
        }
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), Some(self.names.len() - 1));
        self.names.len() - 1
    }

    /// Allows a column that is ignored.
    pub(super) fn allow(&mut self, name: &str) {
        if !self.places.contains_key(name) {
            self.places.insert(name.to_owned(), None);
        }
    }

    /// Sets the order of values in lists, and the index of outcomes.
    pub(super) fn arrange(&mut self, order: &[usize], target: usize) {
        self.order = order.iter().copied().map(Some).collect();
        self.target = Some(target);
    }

    /// The index of each value in a row that is a list of values.
    pub(super) fn order(&self) -> &[Option<usize>] {
        &self.order
    }

    /// The index of the outcome.
    pub(super) fn target(&self) -> Option<usize> {
        self.target
    }

    /// Number of columns used.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The name at an index.
    pub(super) fn name(&self, place: usize) -> &str {
        &self.names[place]
    }

    /// The index of a name; columns mostly come in order, so `next` is tried first.
    pub(super) fn find(&self, name: &str, next: usize) -> Option<Option<usize>> {
        if self.names.get(next).is_some_and(|known| known == name) {
            return Some(Some(next));
        }
        self.places.get(name).copied()
    }
}
