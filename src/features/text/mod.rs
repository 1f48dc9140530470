//! A column of free text as a few numbers: scores of its words for the target, its length, and its number of words.
//!
//! ```text
//! "Late again, lost bags" ─Words─▶ late · again · lost · bags
//!      ─vocabulary─▶ late  lost  bags  "lost bags"       terms that training rows shared, TF-IDF, length 1
//!      ─weights────▶ Σ weight × value − centre           one score per class (or one)
//! ```
//! The weights are those of a regularised linear model. Training rows get out-of-fold scores, as with target
//! statistics.

mod learn;
mod vocabulary;
mod words;

pub(super) use learn::learn;

use crate::stats::portable::Portable;
use crate::table::Texts;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use vocabulary::{ByHash, MAX_TERMS, pair_hash, term_hash, word_hash};
use words::Words;

/// Features besides the scores: characters, words.
const N_COUNTS: usize = 2;

/// The features of a text: scores of its words, its length, its number of words; all missing if the text is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct TextEncoder(Arc<Known>);

/// The learned parameters, and the index of each term.
#[derive(Debug)]
struct Known {
    stored: Stored,
    /// The index of a term, by its hash.
    places: ByHash<u32>,
}

/// The form stored in a version.
///
/// ```text
/// terms    "bags"  "late"  "lost bags"   sorted: a word, or two with a space between
/// idf       1.4     1.1     2.3          one per term: ln((1 + n) / (1 + n_term)) + 1
/// weights   w0 w1   w0 w1   w0 w1        one per term and output
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// The meaning of each score, as in the feature's name: `score of Yes`.
    outputs: Vec<String>,
    /// Per output, the mean of the words' part over the training rows.
    centres: Vec<f32>,
    terms: Vec<String>,
    idf: Vec<f32>,
    weights: Vec<f32>,
}

impl PartialEq for TextEncoder {
    fn eq(&self, other: &Self) -> bool {
        self.0.stored == other.0.stored
    }
}

impl From<TextEncoder> for Stored {
    fn from(encoder: TextEncoder) -> Self {
        encoder.0.stored.clone()
    }
}

impl TryFrom<Stored> for TextEncoder {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { outputs, centres, terms, idf, weights } = &stored;
        if terms.len() > MAX_TERMS || !terms.is_sorted_by(|a, b| a < b) {
            return Err("the terms of a text are not sorted, or too many");
        }
        let fits = centres.len() == outputs.len()
            && idf.len() == terms.len()
            && terms.len().checked_mul(outputs.len()) == Some(weights.len());
        if !fits || !centres.iter().chain(idf).chain(weights).all(|value| value.is_finite()) {
            return Err("the weights of a text do not match its terms");
        }
        let places = (0..).zip(terms).map(|(place, term)| (term_hash(term), place)).collect();
        Ok(Self(Arc::new(Known { stored, places })))
    }
}

/// A word or a pair of words, and its contribution to a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TermShare {
    /// The word or the pair.
    pub term: String,
    /// Its contribution.
    pub value: f64,
    /// The class whose score that is, if several are listed together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toward: Option<String>,
}

/// A buffer that is reused for one text after another.
#[derive(Debug, Default)]
pub(super) struct Reader {
    words: Words,
    hashes: Vec<u64>,
    places: Vec<u32>,
    /// The terms of the text, ascending, with their values.
    terms: Vec<(u32, f32)>,
}

impl Reader {
    /// Reads the terms that are known, with their TF-IDF: (1 + ln n) × idf, divided so that the squares add up to 1.
    fn read(&mut self, text: &str, idf: &[f32], places: &ByHash<u32>) {
        self.words.read(text);
        self.hashes.clear();
        self.hashes.extend(self.words.iter().map(word_hash));
        self.places.clear();
        self.places.extend(self.hashes.iter().filter_map(|word| places.get(word)));
        let pairs = self.hashes.windows(2).map(|pair| pair_hash(pair[0], pair[1]));
        self.places.extend(pairs.filter_map(|pair| places.get(&pair)));
        self.places.sort_unstable();
        self.terms.clear();
        for same in self.places.chunk_by(|a, b| a == b) {
            let value = (1.0 + (same.len() as f64).ln_portable()) * f64::from(idf[same[0] as usize]);
            self.terms.push((same[0], value as f32));
        }
        let squares: f64 = self.terms.iter().map(|(_, value)| f64::from(*value) * f64::from(*value)).sum();
        if squares > 0.0 {
            let length = squares.sqrt() as f32;
            self.terms.iter_mut().for_each(|(_, value)| *value /= length);
        }
    }
}

impl TextEncoder {
    /// Whether texts have several words, and there are enough of them.
    #[must_use]
    pub fn suits(texts: &Texts) -> bool {
        let present: Vec<u32> = (0..texts.len() as u32).filter(|&row| !texts.get(row as usize).is_empty()).collect();
        learn::are_prose(texts, &present)
    }

    /// The number of features.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.0.stored.outputs.len() + N_COUNTS
    }

    /// The features' names: `review (score of Yes)`, `review (characters)`, `review (words)`.
    #[must_use]
    pub fn names(&self, column: &str) -> Vec<String> {
        let outputs = self.0.stored.outputs.iter().map(String::as_str);
        outputs.chain(["characters", "words"]).map(|what| format!("{column} ({what})")).collect()
    }

    /// The meaning of each score.
    #[must_use]
    pub fn outputs(&self) -> &[String] {
        &self.0.stored.outputs
    }

    /// The index of a class's score.
    #[must_use]
    pub fn output_of(&self, class: &str) -> Option<usize> {
        self.outputs().iter().position(|output| output.strip_prefix("score of ") == Some(class))
    }

    /// The first `n_scores` scores of each text, and last the share of its unknown words; missing without text or
    /// words.
    #[must_use]
    pub fn watched(&self, texts: &Texts, n_scores: usize) -> Vec<Vec<f64>> {
        let n_scores = n_scores.min(self.outputs().len());
        let of_row = |(reader, features): &mut (Reader, Vec<f32>), row: usize| {
            let text = texts.get(row);
            self.apply(reader, text, features);
            let mut values: Vec<f64> = features[..n_scores].iter().map(|&score| f64::from(score)).collect();
            let known = reader.hashes.iter().filter(|word| self.0.places.contains_key(*word)).count();
            let n = if text.is_empty() { 0 } else { reader.hashes.len() };
            values.push(if n > 0 { 1.0 - known as f64 / n as f64 } else { f64::NAN });
            values
        };
        let start = || (Reader::default(), vec![0.0; self.n_features()]);
        let rows: Vec<Vec<f64>> = (0..texts.len()).into_par_iter().map_init(start, of_row).collect();
        (0..=n_scores).map(|at| rows.iter().map(|row| row[at]).collect()).collect()
    }

    /// Calls `each` for every unknown word of a text.
    pub fn each_unseen(&self, text: &str, mut each: impl FnMut(&str)) {
        let mut words = Words::default();
        words.read(text);
        words.iter().filter(|word| !self.0.places.contains_key(&word_hash(word))).for_each(&mut each);
    }

    /// Number of terms that are known.
    #[must_use]
    pub fn n_terms(&self) -> usize {
        self.0.stored.terms.len()
    }

    /// Writes the features of a text.
    pub(super) fn apply(&self, reader: &mut Reader, text: &str, out: &mut [f32]) {
        if text.is_empty() {
            out.fill(f32::NAN);
            return;
        }
        let Stored { outputs, centres, idf, weights, .. } = &self.0.stored;
        reader.read(text, idf, &self.0.places);
        let (scores, counts) = out.split_at_mut(outputs.len());
        for (output, (score, centre)) in scores.iter_mut().zip(centres).enumerate() {
            let share = |&(term, value): &(u32, f32)| {
                f64::from(weights[term as usize * outputs.len() + output]) * f64::from(value)
            };
            *score = (reader.terms.iter().map(share).sum::<f64>() - f64::from(*centre)) as f32;
        }
        counts.copy_from_slice(&counted(reader, text));
    }

    /// The `n` terms of a text with the strongest effect on an output, strongest first.
    #[must_use]
    pub fn strongest_in(&self, text: &str, output: usize, n: usize) -> Vec<TermShare> {
        let Stored { outputs, idf, weights, .. } = &self.0.stored;
        if output >= outputs.len() {
            return Vec::new();
        }
        let mut reader = Reader::default();
        reader.read(text, idf, &self.0.places);
        let share = |&(term, value): &(u32, f32)| {
            (term, f64::from(weights[term as usize * outputs.len() + output]) * f64::from(value))
        };
        self.strongest(reader.terms.iter().map(share).collect(), n)
    }

    /// The `n` terms with the strongest effect on an output in any text, strongest first; each term is rated as if it
    /// were alone.
    #[must_use]
    pub fn strongest_of(&self, output: usize, n: usize) -> Vec<TermShare> {
        let Stored { outputs, weights, .. } = &self.0.stored;
        if output >= outputs.len() {
            return Vec::new();
        }
        let of = weights.iter().skip(output).step_by(outputs.len());
        self.strongest((0..).zip(of).map(|(term, &weight)| (term, f64::from(weight))).collect(), n)
    }

    fn strongest(&self, mut shares: Vec<(u32, f64)>, n: usize) -> Vec<TermShare> {
        shares.retain(|(_, value)| *value != 0.0);
        shares.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        shares.truncate(n);
        let told = |(term, value)| TermShare { term: self.0.stored.terms[term as usize].clone(), value, toward: None };
        shares.into_iter().map(told).collect()
    }
}

/// Characters and words of the text read last.
fn counted(reader: &Reader, text: &str) -> [f32; N_COUNTS] {
    [text.chars().count() as f32, reader.words.n_words() as f32]
}

#[cfg(test)]
mod tests;
