//! Learns how the words of a text column relate to the target.

use super::{N_COUNTS, Reader, Stored, TextEncoder, counted, vocabulary};
use crate::features::outcome::{FOLDS, Outcome};
use crate::features::target::Task;
use crate::stats::linear::{Goal, Linear, Loss, Sparse};
use crate::stats::portable::Portable;
use crate::stats::random::unit_hash;
use crate::table::Texts;
use crate::table::words::{PROSE, mean_words};
use rayon::prelude::*;
use std::collections::HashMap;

/// With fewer texts the column is not used.
const MIN_TEXTS: usize = 50;
/// Maximum rows, and maximum bytes of text, for fitting the weights; of longer tables, rows are sampled by hash.
const MAX_ROWS: usize = 100_000;
const MAX_BYTES: usize = 32 << 20;
/// Weight of the rows against the regularisation (C): the best by out-of-fold scores is used.
const STRENGTHS: [f64; 4] = [0.3, 1.0, 3.0, 10.0];
/// Standard errors that the correlation of a score with the target must be above 0.
const MIN_STRENGTH: f64 = 3.0;

/// The encoder of a text column and its values for the training rows, row-major; `None` if there are too few cells or
/// they are not texts of several words.
pub(in crate::features) fn learn(texts: &Texts, outcome: &Outcome<'_>, seed: u64) -> Option<(TextEncoder, Vec<f32>)> {
    let taught = rows_that_teach(texts, outcome, seed);
    if !are_prose(texts, &taught) {
        return None;
    }
    let of_taught: Vec<&str> = taught.iter().map(|&row| texts.get(row as usize)).collect();
    let (terms, n_rows): (Vec<String>, Vec<u32>) = vocabulary::learn(&of_taught).into_iter().unzip();
    let n = taught.len() as f64;
    // Three decimal places exceed the precision of such weights.
    let idf = n_rows.iter().map(|&own| rounded(((1.0 + n) / (1.0 + f64::from(own))).ln_portable() + 1.0)).collect();
    let without = Stored { outputs: Vec::new(), centres: Vec::new(), terms, idf, weights: Vec::new() };
    let counter = TextEncoder::try_from(without).ok()?;
    let (x, counts) = read(&counter, &of_taught);
    let folds: Vec<u8> = taught.iter().map(|&row| outcome.folds()[row as usize]).collect();
    let known: Vec<Score> = (0..outcome.names().len())
        .filter_map(|output| Score::learn(&x, (&taught, &folds), outcome, output, counter.n_terms()))
        .collect();
    let encoder = joined(&counter, &known)?;
    let mut values = vec![0.0; texts.len() * encoder.n_features()];
    for (at, &row) in taught.iter().enumerate() {
        let out = &mut values[row as usize * encoder.n_features()..][..encoder.n_features()];
        let (scores, own) = out.split_at_mut(known.len());
        scores.iter_mut().zip(&known).for_each(|(to, score)| *to = score.out_of_fold[at]);
        own.copy_from_slice(&counts[at]);
    }
    fill_others(&encoder, texts, outcome, &taught, &mut values);
    Some((encoder, values))
}

/// Rows with a text and a label that are not synthetic; a sample if there are many.
fn rows_that_teach(texts: &Texts, outcome: &Outcome<'_>, seed: u64) -> Vec<u32> {
    let usable = |row: &u32| !texts.get(*row as usize).is_empty() && !outcome.is_open(*row as usize);
    let mut rows: Vec<u32> = (0..outcome.n_real() as u32).filter(usable).collect();
    let bytes: usize = rows.iter().map(|&row| texts.get(row as usize).len().min(vocabulary::MAX_READ)).sum();
    let share = (MAX_ROWS as f64 / rows.len().max(1) as f64).min(MAX_BYTES as f64 / bytes.max(1) as f64);
    if share < 1.0 {
        rows.retain(|row| unit_hash(&row.to_le_bytes(), seed ^ 0x7e87) < share);
    }
    rows
}

/// Whether the texts of `rows` have several words, and there are enough.
pub(super) fn are_prose(texts: &Texts, rows: &[u32]) -> bool {
    // Some hundreds of texts are enough to decide.
    let some = rows.iter().step_by(rows.len().div_ceil(500).max(1));
    rows.len() >= MIN_TEXTS && mean_words(some.map(|&row| texts.get(row as usize))) >= PROSE
}

/// The terms of each text, and its numbers of characters and words.
fn read(counter: &TextEncoder, texts: &[&str]) -> (Sparse, Vec<[f32; N_COUNTS]>) {
    let known = &counter.0;
    let of_text = |reader: &mut Reader, text: &&str| {
        reader.read(text, &known.stored.idf, &known.places);
        (reader.terms.clone(), counted(reader, text))
    };
    let (rows, counts): (Vec<Vec<(u32, f32)>>, Vec<_>) = texts.par_iter().map_init(Reader::default, of_text).unzip();
    let mut x = Sparse { starts: vec![0], ..Sparse::default() };
    for terms in rows {
        x.terms.extend(terms.iter().map(|cell| cell.0));
        x.values.extend(terms.iter().map(|cell| cell.1));
        x.starts.push(x.terms.len());
    }
    (x, counts)
}

/// One score: its weights, and its value for each row used for fitting.
struct Score {
    name: String,
    weights: Vec<f64>,
    centre: f64,
    out_of_fold: Vec<f32>,
}

impl Score {
    /// `None` if the out-of-fold scores are related to the target no more than by chance: noise is not a feature.
    fn learn(
        x: &Sparse,
        (taught, folds): (&[u32], &[u8]),
        outcome: &Outcome<'_>,
        output: usize,
        n_terms: usize,
    ) -> Option<Self> {
        let mut y: Vec<f64> = taught.iter().map(|&row| outcome.value(row as usize, output)).collect();
        let loss = match outcome.task() {
            Task::Regression => {
                standardise(&mut y);
                Loss::Squared
            }
            Task::Binary | Task::Multiclass => Loss::Logistic,
        };
        let left_out: Vec<Vec<Vec<f32>>> =
            (0..FOLDS as u8).into_par_iter().map(|fold| path(x, folds, fold, &y, n_terms, loss)).collect();
        let (best, out_of_fold, with) = (0..STRENGTHS.len())
            .map(|at| {
                let mut next = [0; FOLDS];
                let of_row = |&fold: &u8| {
                    let fold = usize::from(fold);
                    next[fold] += 1;
                    left_out[fold][at][next[fold] - 1]
                };
                let out_of_fold: Vec<f32> = folds.iter().map(of_row).collect();
                let with = correlation(&out_of_fold, &y);
                (at, out_of_fold, with)
            })
            // On a tie, the most regularised one.
            .reduce(|best, next| if next.2 > best.2 { next } else { best })?;
        if with.is_nan() || with * (taught.len() as f64).sqrt() < MIN_STRENGTH {
            return None;
        }
        let all: Vec<u32> = (0..taught.len() as u32).collect();
        let goal = Goal { y: &y, weights: None, loss, c: STRENGTHS[best] };
        let found = Linear::zero(n_terms, 1).fit(x, &all, goal);
        let centre = mean(all.iter().map(|&at| of_words(&found, x, at)));
        Some(Self { name: outcome.score_name(output), weights: found.weights, centre, out_of_fold })
    }
}

/// The scores of a fold's rows by models of the other folds, for each of [`STRENGTHS`].
///
/// Without the bias: it depends on the class shares in the other folds, which would reveal a row's own class. The
/// words' part is centred on the rows of its model instead.
fn path(x: &Sparse, folds: &[u8], fold: u8, y: &[f64], n_terms: usize, loss: Loss) -> Vec<Vec<f32>> {
    let (own, others): (Vec<u32>, Vec<u32>) = (0..folds.len() as u32).partition(|&at| folds[at as usize] == fold);
    let mut found = Linear::zero(n_terms, 1);
    let mut all = Vec::with_capacity(STRENGTHS.len());
    for c in STRENGTHS {
        found = found.fit(x, &others, Goal { y, weights: None, loss, c });
        let centre = mean(others.iter().map(|&at| of_words(&found, x, at)));
        all.push(own.iter().map(|&at| (of_words(&found, x, at) - centre) as f32).collect());
    }
    all
}

/// The linear score of a text, without the bias.
fn of_words(model: &Linear, x: &Sparse, row: u32) -> f64 {
    x.row(row as usize).map(|(term, value)| model.weights[term] * value).sum()
}

/// Pearson's correlation; `NaN` if one side is constant.
fn correlation(a: &[f32], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a.iter().map(|&a| f64::from(a))), mean(b.iter().copied()));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) - mean_a, b - mean_b);
        (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
    }
    ab / (aa * bb).sqrt()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len().max(1) as f64;
    values.sum::<f64>() / n
}

fn standardise(y: &mut [f64]) {
    let centre = mean(y.iter().copied());
    let sd = mean(y.iter().map(|y| (y - centre) * (y - centre))).sqrt();
    let unit = if sd > 0.0 && sd.is_finite() { sd } else { 1.0 };
    y.iter_mut().for_each(|y| *y = (*y - centre) / unit);
}

/// Four digits: short in a file, and more than the precision of such weights.
fn rounded(value: f64) -> f32 {
    format!("{value:.3e}").parse().unwrap_or(value as f32)
}

/// The encoder with the weights of its scores; without terms if there is no score.
fn joined(counter: &TextEncoder, known: &[Score]) -> Option<TextEncoder> {
    let mut stored = counter.0.stored.clone();
    stored.outputs = known.iter().map(|score| score.name.clone()).collect();
    stored.centres = known.iter().map(|score| rounded(score.centre)).collect();
    let n_terms = stored.terms.len();
    stored.weights =
        (0..n_terms).flat_map(|term| known.iter().map(move |score| rounded(score.weights[term]))).collect();
    TextEncoder::try_from(stored).ok()
}

/// Fills rows not used for fitting: synthetic ones get the values of the row with the same text, others those of new
/// rows.
fn fill_others(encoder: &TextEncoder, texts: &Texts, outcome: &Outcome<'_>, taught: &[u32], values: &mut [f32]) {
    let width = encoder.n_features();
    let mut is_taught = vec![false; texts.len()];
    taught.iter().for_each(|&row| is_taught[row as usize] = true);
    values.par_chunks_mut(width).enumerate().for_each_init(Reader::default, |reader, (row, out)| {
        if row < outcome.n_real() && !is_taught[row] {
            encoder.apply(reader, texts.get(row), out);
        }
    });
    let mut first: HashMap<&str, usize> = HashMap::new();
    if outcome.n_real() < texts.len() {
        (0..outcome.n_real()).for_each(|row| {
            first.entry(texts.get(row)).or_insert(row);
        });
    }
    for row in outcome.n_real()..texts.len() {
        match first.get(texts.get(row)) {
            Some(&from) => values.copy_within(from * width..(from + 1) * width, row * width),
            None => encoder.apply(&mut Reader::default(), texts.get(row), &mut values[row * width..(row + 1) * width]),
        }
    }
}
