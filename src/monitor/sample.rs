//! A uniform sample of the rows of a stream of unknown length.

use crate::journal::Outcome;

use crate::stats::random::unit_hash;
use std::collections::HashMap;

/// The level of the intervals that are compared with outcomes.
pub(super) const LEVEL: f64 = 0.9;

/// A scored row.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The hash of its id, if it has one.
    pub id: Option<u64>,
    /// The identity of a row with a known outcome: its id, or its content if it has no id.
    pub name: Option<u64>,
    /// Its entity, if a column identifies it.
    pub about: Option<u64>,
    /// Its scores.
    pub scores: Vec<f64>,
    /// Its outcome, if known.
    pub outcome: Option<Outcome>,
    /// Whether the scoring version was trained on it, so that its outcome is no evidence.
    pub learned: bool,
    /// Whether its 90 % interval contains the outcome, if both are known.
    pub held: Option<bool>,
}

/// Keeps rows whose hash is below a threshold, which is halved whenever too many are kept. The kept rows are a uniform
/// sample, and memory is bounded.
#[derive(Debug, Clone)]
pub struct Sample<T> {
    most: usize,
    threshold: f64,
    seed: u64,
    n_seen: u64,
    /// Each row's position in `[0, 1)`, by the hash of its number.
    places: Vec<f64>,
    rows: Vec<T>,
}

impl<T> Sample<T> {
    /// Keeps between `most` and twice as many rows, once there are that many.
    #[must_use]
    pub fn new(most: usize, seed: u64) -> Self {
        Self { most, threshold: 1.0, seed, n_seen: 0, places: Vec::new(), rows: Vec::new() }
    }

    /// Which of the next `n` rows are in the sample, as numbers from 0 with their positions. All of them must be
    /// pushed. Earlier rows may be dropped to make room.
    pub fn choose(&mut self, n: usize) -> Vec<(u32, f64)> {
        let first = self.n_seen;
        self.n_seen += n as u64;
        let place = |row: u32| unit_hash(&(first + u64::from(row)).to_le_bytes(), self.seed);
        let mut chosen: Vec<(u32, f64)> =
            (0..n as u32).map(|row| (row, place(row))).filter(|&(_, place)| place < self.threshold).collect();
        while self.rows.len() + chosen.len() > 2 * self.most {
            self.threshold /= 2.0;
            let threshold = self.threshold;
            chosen.retain(|&(_, place)| place < threshold);
            let mut places = self.places.iter();
            self.rows.retain(|_| places.next().is_some_and(|&place| place < threshold));
            self.places.retain(|&place| place < threshold);
        }
        chosen
    }

    /// Adds a selected row.
    pub fn push(&mut self, place: f64, row: T) {
        self.places.push(place);
        self.rows.push(row);
    }

    /// The rows, in the stream's order.
    #[must_use]
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// Changes each row.
    pub fn each(&mut self, change: impl FnMut(&mut T)) {
        self.rows.iter_mut().for_each(change);
    }

    /// Keeps the last row of each key, and all rows without a key; returns how many were dropped.
    pub fn keep_last(&mut self, key: impl Fn(&T) -> Option<u64>) -> u64 {
        let mut last: HashMap<u64, usize> = HashMap::new();
        for (at, row) in self.rows.iter().enumerate() {
            if let Some(key) = key(row) {
                last.insert(key, at);
            }
        }
        let stays: Vec<bool> =
            self.rows.iter().enumerate().map(|(at, row)| key(row).is_none_or(|key| last[&key] == at)).collect();
        let n = self.rows.len();
        let (mut of_rows, mut of_places) = (stays.iter(), stays.iter());
        self.rows.retain(|_| of_rows.next() == Some(&true));
        self.places.retain(|_| of_places.next() == Some(&true));
        (n - self.rows.len()) as u64
    }

    /// Whether every row of the stream is in the sample.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.threshold >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_stream_leaves_a_bounded_uniform_sample() {
        let mut sample = Sample::new(1000, 0);
        for batch in 0..100_u32 {
            for (row, place) in sample.choose(1000) {
                sample.push(place, f64::from(batch * 1000 + row));
            }
        }
        let n = sample.rows().len();
        assert!((800..=2000).contains(&n) && !sample.is_whole(), "{n}");
        let mean = sample.rows().iter().sum::<f64>() / n as f64;
        assert!((mean - 50_000.0).abs() < 4.0 * 28_868.0 / (n as f64).sqrt(), "{mean}");
    }

    #[test]
    fn the_last_row_of_each_key_stays() {
        let mut sample = Sample::new(1000, 0);
        for (place, row) in [(0.1, 7), (0.2, -1), (0.3, 8), (0.4, 17), (0.5, -1)] {
            sample.push(place, row);
        }
        let n = sample.keep_last(|row: &i64| u64::try_from(*row % 10).ok());
        assert_eq!((n, sample.rows(), sample.places.as_slice()), (1, &[-1, 8, 17, -1][..], &[0.2, 0.3, 0.4, 0.5][..]));
    }

    #[test]
    fn a_short_stream_is_kept_whole() {
        let mut sample = Sample::<f64>::new(1000, 0);
        let chosen = sample.choose(300);
        assert_eq!(chosen.len(), 300);
        assert!(sample.is_whole());
    }
}
