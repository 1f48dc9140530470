//! The input of windows: the rows of a table as events in groups, and which of them are computed and counted.

use super::cells::Vector;
use super::eval::Scope;
use super::groups::{Coded, NONE};
use super::node::Window;
use super::window::{Line, Looking};
use crate::table::{MISSING_TIME, Table};
use std::collections::HashSet;

/// The input of one stream's windows, for the rows of a table.
pub(super) struct Events {
    /// Per row, its group; [`NONE`] for a row without a key or a time: it is in no window, and its own value is
    /// missing.
    pub(super) groups: Vec<u32>,
    /// The keys of each group.
    pub(super) keys: Vec<Vec<String>>,
    pub(super) at: Vec<i64>,
    pub(super) values: Vec<f64>,
}

impl Events {
    pub(super) fn of(window: &Window, scope: &Scope) -> Self {
        let times = scope.compute(&window.time).times();
        let keys: Vec<Vector> = window.by.iter().map(|key| scope.compute(key)).collect();
        let (mut groups, keys) = Coded::join(&keys, scope.n_rows);
        let at: Vec<i64> = (0..scope.n_rows).map(|row| times.get(row)).collect();
        groups.iter_mut().zip(&at).filter(|(_, at)| **at == MISSING_TIME).for_each(|(group, _)| *group = NONE);
        let values = match &window.of {
            Some(of) => scope.numbers(of).into_vec(scope.n_rows),
            None => vec![1.0; scope.n_rows],
        };
        Self { groups, keys, at, values }
    }

    /// The rows that are in windows, by group, sorted by time and value.
    pub(super) fn order(&self) -> Vec<u32> {
        let mut rows: Vec<u32> =
            (0..self.groups.len() as u32).filter(|&row| self.groups[row as usize] != NONE).collect();
        rows.sort_unstable_by(|&a, &b| {
            let (a, b) = (a as usize, b as usize);
            (self.groups[a], self.at[a])
                .cmp(&(self.groups[b], self.at[b]))
                .then_with(|| self.values[a].total_cmp(&self.values[b]))
        });
        rows
    }
}

/// The rows of a table whose windows are computed.
pub(super) struct Own {
    /// The name of each row.
    pub(super) names: Vec<u64>,
    /// Per row, whether it is in windows of other rows: of equal rows, only the last one is.
    pub(super) counts: Vec<bool>,
}

/// Per row, whether it is the last with its name; always true for rows outside of `may`.
pub(super) fn last_of_each(names: &[u64], may: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut seen = HashSet::new();
    let mut counts: Vec<bool> =
        names.iter().enumerate().rev().map(|(row, name)| !may(row) || seen.insert(*name)).collect();
    counts.reverse();
    counts
}

impl Own {
    /// The rows of a table; rows with equal ids are the same row.
    pub(super) fn of(table: &Table, id: Option<&str>, names: Vec<u64>) -> Self {
        let ids = id.and_then(|id| table.column(id)).map(|column| &column.values);
        Self { counts: last_of_each(&names, |row| ids.is_some_and(|ids| !ids.is_missing(row))), names }
    }

    /// Computes the windows of a stream for the rows from `first` on; earlier rows only serve as their past.
    pub(super) fn look(&self, windows: &[(usize, &Window)], events: &Events, first: usize, found: &mut [Vec<f64>]) {
        let own = |row: u32| (row as usize).checked_sub(first);
        let rows = events.order();
        let is_twice = self.counts.contains(&false);
        for group in rows.chunk_by(|&a, &b| events.groups[a as usize] == events.groups[b as usize]) {
            let counting = || group.iter().filter(|&&row| own(row).is_none_or(|own| self.counts[own]));
            let at: Vec<i64> = counting().map(|&row| events.at[row as usize]).collect();
            let values: Vec<f64> = counting().map(|&row| events.values[row as usize]).collect();
            let names: Vec<u64> = match is_twice {
                true => counting().map(|&row| own(row).map_or(0, |own| self.names[own])).collect(),
                false => Vec::new(),
            };
            let looking = |&row: &u32| {
                let place = own(row)?;
                let not = (!self.counts[place]).then_some(self.names[place]);
                Some(Looking { row: place, at: events.at[row as usize], own: events.values[row as usize], not })
            };
            let looking: Vec<Looking> = group.iter().filter_map(looking).collect();
            for (slot, window) in windows {
                window.look(Line { at: &at, values: &values, names: &names }, &looking, &mut found[*slot]);
            }
        }
    }
}
