//! The rows of one group, sorted by time, for the windows of a stream.

use super::functions::Statistic;
use super::node::Window;
use super::window::{NOTHING, Seen, Sorted};
use std::sync::Arc;

/// Windows of up to this many rows are recomputed each time.
const FEW: usize = 64;

/// The rows of a group.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) key: Arc<str>,
    pub(super) at: Vec<i64>,
    pub(super) values: Vec<f64>,
    pub(super) names: Vec<u64>,
    /// Per window of the stream, the intermediate results; empty until a window holds many rows.
    caches: Vec<Cache>,
}

/// Summaries of the rows in the last row's window, so that the next row need not read all of them.
#[derive(Debug, Default)]
struct Cache {
    length_us: i64,
    /// The block of the last row, see [`Window::block`].
    block: i64,
    /// The index of the first row of that block.
    start: usize,
    /// Summary of each row of the previous block and those after it.
    suffix: Vec<Seen>,
    /// Summary of each row of that block and those before it, computed as needed.
    prefix: Vec<Seen>,
    sorted: Sorted,
}

impl Lane {
    pub(super) fn new(key: Arc<str>) -> Self {
        Self { key, at: Vec::new(), values: Vec::new(), names: Vec::new(), caches: Vec::new() }
    }

    /// The index range of the rows from `begin` to before `end`.
    pub(super) fn between(&self, begin: i64, end: i64) -> (usize, usize) {
        (self.at.partition_point(|&at| at < begin), self.at.partition_point(|&at| at < end))
    }

    /// The index of a row.
    pub(super) fn find(&self, name: u64, at: i64) -> Option<usize> {
        let (first, end) = self.between(at, at.saturating_add(1));
        (first..end).find(|&place| self.names[place] == name)
    }

    /// Inserts a row; rows are sorted by time, then by value.
    pub(super) fn insert(&mut self, name: u64, at: i64, value: f64) {
        let before = |place: usize| (self.at[place], self.values[place]);
        let is_last = self.at.len().checked_sub(1).is_none_or(|last| {
            let (last_at, last) = before(last);
            last_at < at || (last_at == at && last.total_cmp(&value).is_le())
        });
        if is_last {
            self.at.push(at);
            self.values.push(value);
            self.names.push(name);
            if self.caches.iter().any(|cache| at.div_euclid(cache.length_us.max(1)) < cache.block) {
                self.caches.clear();
            }
            return;
        }
        let (first, end) = self.between(at, at.saturating_add(1));
        let place = first + self.values[first..end].partition_point(|known| known.total_cmp(&value).is_le());
        self.at.insert(place, at);
        self.values.insert(place, value);
        self.names.insert(place, name);
        self.caches.clear();
    }

    /// Removes a row.
    pub(super) fn remove(&mut self, place: usize) {
        self.at.remove(place);
        self.values.remove(place);
        self.names.remove(place);
        self.caches.clear();
    }

    /// Removes the first rows; returns their names and times.
    pub(super) fn take_first(&mut self, n: usize) -> Vec<(u64, i64)> {
        let taken = self.names.drain(..n).zip(self.at.drain(..n)).collect();
        self.values.drain(..n);
        let is_small = self.at.len() * 4 < self.at.capacity();
        if is_small {
            self.at.shrink_to_fit();
            self.values.shrink_to_fit();
            self.names.shrink_to_fit();
        }
        for cache in &mut self.caches {
            cache.forget(n);
        }
        taken
    }

    /// The value of the `nth` window of the stream for a row of this group.
    pub(super) fn look(&mut self, (nth, window): (usize, &Window), at: i64, own: f64) -> f64 {
        let (from, to) = self.between(at.saturating_sub(window.length_us), at);
        if window.statistic == Statistic::Count {
            return (to - from) as f64;
        }
        let directly = |lane: &Self| window.of(&lane.at[from..to], &lane.values[from..to], at, own);
        if to - from <= FEW {
            return directly(self);
        }
        while self.caches.len() <= nth {
            self.caches.push(Cache { block: i64::MIN, ..Cache::default() });
        }
        let cache = &mut self.caches[nth];
        cache.length_us = window.length_us;
        if window.statistic == Statistic::Median {
            // A late row's window ends before that of the previous row.
            let goes_on = from >= cache.sorted.from && to >= cache.sorted.to;
            return if goes_on { cache.sorted.median(&self.values, from, to) } else { directly(self) };
        }
        match cache.seen(window, (&self.at, &self.values), (at, from, to)) {
            Some(seen) => seen.statistic(window.statistic, own),
            None => directly(self),
        }
    }
}

impl Cache {
    /// Summary of the rows from `from` to before `to`; `None` for a row of an earlier block than the last one's.
    fn seen(
        &mut self,
        window: &Window,
        (times, values): (&[i64], &[f64]),
        (at, from, to): (i64, usize, usize),
    ) -> Option<Seen> {
        let block = window.block(at);
        if block < self.block {
            return None;
        }
        if block > self.block {
            let place = |block: i64| times.partition_point(|&at| window.block(at) < block);
            let first = place(block.saturating_sub(1));
            self.start = place(block);
            let mut after = NOTHING;
            let known = |&value: &f64| {
                after = Seen::of(value).with(after);
                after
            };
            self.suffix = values[first..self.start].iter().rev().map(known).collect();
            self.suffix.reverse();
            self.prefix.clear();
            self.block = block;
        }
        for &value in values.get(self.start + self.prefix.len()..to).unwrap_or_default() {
            let before = self.prefix.last().copied().unwrap_or(NOTHING);
            self.prefix.push(before.with(Seen::of(value)));
        }
        let before = match self.start.checked_sub(from).filter(|n| *n > 0) {
            Some(n) => self.suffix[self.suffix.len() - n],
            None => NOTHING,
        };
        let own = match to.checked_sub(self.start).filter(|n| *n > 0) {
            Some(n) => self.prefix[n - 1],
            None => NOTHING,
        };
        Some(before.with(own))
    }

    /// The first `n` rows were removed.
    fn forget(&mut self, n: usize) {
        let kept = self.start.saturating_sub(n);
        if n > self.start {
            self.block = i64::MIN;
        } else {
            self.suffix.drain(..self.suffix.len().saturating_sub(kept));
            self.start = kept;
        }
        match (self.sorted.from.checked_sub(n), self.sorted.to.checked_sub(n)) {
            (Some(from), Some(to)) => (self.sorted.from, self.sorted.to) = (from, to),
            _ => self.sorted = Sorted::default(),
        }
    }
}
