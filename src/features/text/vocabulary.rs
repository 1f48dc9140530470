//! The words and word pairs shared by training rows.

pub(super) use super::words::MAX_BYTES as MAX_READ;
use super::words::Words;
use crate::stats::random::hash64;
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Maximum number of terms: the most frequent are kept.
pub const MAX_TERMS: usize = 20_000;
/// A term in fewer rows does not generalise.
const MIN_ROWS: u32 = 2;

/// Terms by their hash.
pub(super) type ByHash<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// A hasher for keys that are already hashes.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers of 64 bits");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// The hash of a word.
pub(super) fn word_hash(word: &str) -> u64 {
    hash64(word.as_bytes(), 0)
}

/// The hash of a pair of words.
pub(super) fn pair_hash(first: u64, second: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&first.to_le_bytes());
    bytes[8..].copy_from_slice(&second.to_le_bytes());
    hash64(&bytes, 1)
}

/// The hash of a term: a word, or two with a space between.
pub(super) fn term_hash(term: &str) -> u64 {
    match term.split_once(' ') {
        Some((first, second)) => pair_hash(word_hash(first), word_hash(second)),
        None => word_hash(term),
    }
}

/// The terms in at least two of the texts, and how many texts have each; sorted by term, at most [`MAX_TERMS`].
///
/// A pair is counted only where both of its words are kept (R. Agrawal, R. Srikant, "Fast Algorithms for Mining
/// Association Rules", 1994): memory holds the words' hashes and the pairs of frequent words.
pub(super) fn learn(texts: &[&str]) -> Vec<(String, u32)> {
    let rows: Vec<Vec<u64>> = texts
        .par_iter()
        .map_init(Words::default, |words, text| {
            words.read(text);
            words.iter().map(word_hash).collect()
        })
        .collect();
    let words = frequent(rows.iter().map(|row| row.as_slice()));
    let kept: ByHash<()> = words.iter().map(|found| (found.hash, ())).collect();
    let mut pairs_of_row: Vec<u64> = Vec::new();
    let mut counts = Counts::default();
    for (row, words) in (0..).zip(&rows) {
        pairs_of_row.clear();
        let both = |pair: &&[u64]| pair.iter().all(|word| kept.contains_key(word));
        pairs_of_row.extend(words.windows(2).filter(both).map(|pair| pair_hash(pair[0], pair[1])));
        counts.add(row, &pairs_of_row);
    }
    let mut all = words;
    all.extend(counts.frequent());
    all.sort_unstable_by_key(|found| (std::cmp::Reverse(found.n_rows), found.hash));
    all.truncate(MAX_TERMS);
    named(texts, all)
}

/// A term that rows share.
struct Found {
    hash: u64,
    n_rows: u32,
    first: u32,
}

/// Per term: how many rows have it, the last of them, and the first.
#[derive(Default)]
struct Counts(ByHash<(u32, u32, u32)>);

impl Counts {
    fn add(&mut self, row: u32, terms: &[u64]) {
        for &term in terms {
            let (n, last, _) = self.0.entry(term).or_insert((0, u32::MAX, row));
            if *last != row {
                (*n, *last) = (*n + 1, row);
            }
        }
    }

    fn frequent(self) -> impl Iterator<Item = Found> {
        let all = self.0.into_iter().filter(|(_, (n, _, _))| *n >= MIN_ROWS);
        all.map(|(hash, (n_rows, _, first))| Found { hash, n_rows, first })
    }
}

fn frequent<'a>(rows: impl Iterator<Item = &'a [u64]>) -> Vec<Found> {
    let mut counts = Counts::default();
    for (row, words) in (0..).zip(rows) {
        counts.add(row, words);
    }
    let mut found: Vec<Found> = counts.frequent().collect();
    found.sort_unstable_by_key(|found| (std::cmp::Reverse(found.n_rows), found.hash));
    found.truncate(MAX_TERMS);
    found
}

/// The terms as written, from the first row that has each.
fn named(texts: &[&str], found: Vec<Found>) -> Vec<(String, u32)> {
    let mut by_row: Vec<(u32, u64, u32)> = found.into_iter().map(|f| (f.first, f.hash, f.n_rows)).collect();
    by_row.sort_unstable();
    let mut words = Words::default();
    let mut terms = Vec::with_capacity(by_row.len());
    for wanted in by_row.chunk_by(|a, b| a.0 == b.0) {
        words.read(texts[wanted[0].0 as usize]);
        let of_row: Vec<&str> = words.iter().collect();
        let hashes: Vec<u64> = of_row.iter().map(|word| word_hash(word)).collect();
        for &(_, hash, n_rows) in wanted {
            let word = hashes.iter().position(|&own| own == hash).map(|at| of_row[at].to_owned());
            let pair = || {
                let at = hashes.windows(2).position(|pair| pair_hash(pair[0], pair[1]) == hash)?;
                Some(format!("{} {}", of_row[at], of_row[at + 1]))
            };
            terms.extend(word.or_else(pair).map(|term| (term, n_rows)));
        }
    }
    terms.sort_unstable();
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_what_rows_share() {
        let texts = ["Late flight, late bags", "late flight again", "no bags", ""];
        let terms = learn(&texts);
        let terms: Vec<(&str, u32)> = terms.iter().map(|(term, n)| (term.as_str(), *n)).collect();
        assert_eq!(terms, [("bags", 2), ("flight", 2), ("late", 2), ("late flight", 2)]);
    }

    #[test]
    fn a_hundred_thousand_words_are_bounded() {
        let texts: Vec<String> =
            (0..2_000).map(|row| (0..100).map(|at| format!("w{} ", (row * 50 + at) % 100_000)).collect()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let terms = learn(&texts);
        assert_eq!(terms.len(), MAX_TERMS);
        assert!(terms.is_sorted() && terms.iter().all(|(term, n)| *n == 2 && term.starts_with('w')));
        assert_eq!(terms, learn(&texts));
    }
}
