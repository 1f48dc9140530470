//! Fits the encoder of one training column.

use rayon::prelude::*;

use super::encoder::{Encoder, LARGEST, NumberEncoder, OneHotEncoder, TargetStatistic, is_coarse, narrow};
use super::error::FeatureError;
use super::options::{Clip, Encode, FeatureOptions, Impute, Negative, Outliers, Scale, TimePart};
use super::outcome::{FOLDS, Outcome};
use super::{text, time};
use crate::stats::moments;
use crate::stats::quantiles::quantile_sorted;
use crate::table::{Categories, Column, MISSING_CODE, Values};

/// Least and largest weight of the overall mean, in rows, if `smoothing` is not set; smaller if levels differ
/// by more than [`BEYOND_CHANCE`] standard errors.
const LEAST_WEIGHT: f64 = 10.0;
const MOST_WEIGHT: f64 = 1e6;
const BEYOND_CHANCE: f64 = 5.0;
/// Bounds (levels × statistics) of one column: 16 MB stored.
const MAX_STATISTICS: usize = 4_000_000;

/// An encoder and, for target statistics, the out-of-fold values of the training rows.
pub(super) struct Learned {
    pub(super) encoder: Encoder,
    pub(super) out_of_fold: Option<OutOfFold>,
}

/// The out-of-fold values.
pub(super) enum OutOfFold {
    /// Target statistics of each level without the rows of one fold.
    ///
    /// ```text
    /// blocks   fold 0: level 0, level 1, …, missing, unseen
    ///          fold 1: …                                      FOLDS × (n_levels + 2) × n_statistics
    /// ```
    Levels(Vec<f32>),
    /// The features of each training row, row-major.
    Rows(Vec<f32>),
}

/// The encoder of a column, or `None` if it is an id, a text without prose, or constant in these rows.
pub(super) fn learn(
    column: &Column,
    outcome: &Outcome<'_>,
    options: &FeatureOptions,
) -> Result<Option<Learned>, FeatureError> {
    let plain = |encoder| Some(Learned { encoder, out_of_fold: None });
    Ok(match &column.values {
        Values::Number(values) => number(column, values, options)?.map(Encoder::Number).and_then(plain),
        Values::Category(categories) => category(column, categories, outcome, options),
        Values::Time(values) => {
            let parts: Vec<TimePart> = options
                .time_parts
                .iter()
                .copied()
                .filter(|&p| varies(values.iter().map(|&v| time::part(p, v))))
                .collect();
            (!parts.is_empty()).then_some(Encoder::TimeParts { parts }).and_then(plain)
        }
        Values::Text(texts) if options.reads_text(&column.name) => {
            text::learn(texts, outcome, outcome.seed()).map(|(encoder, rows)| Learned {
                encoder: Encoder::Text(encoder),
                out_of_fold: Some(OutOfFold::Rows(rows)),
            })
        }
        Values::Text(_) => None,
    })
}

/// Whether two cells differ; a missing cell differs from every present one.
fn varies(mut values: impl Iterator<Item = f64>) -> bool {
    let Some(first) = values.next() else { return false };
    values.any(|v| v != first && !(v.is_nan() && first.is_nan()))
}

fn number(column: &Column, values: &[f64], options: &FeatureOptions) -> Result<Option<NumberEncoder>, FeatureError> {
    let own = options.columns.get(&column.name).cloned().unwrap_or_default();
    let mut encoder = NumberEncoder { negative: own.negative.unwrap_or(options.negative), ..NumberEncoder::default() };
    if encoder.negative == Negative::Error {
        refuse_negative(column, values)?;
    }
    let for_all = if options.outliers == Outliers::Clip { Clip::Iqr } else { options.clip };
    let (impute, clip) = (own.impute.unwrap_or(options.impute), own.clip.unwrap_or(for_all));
    let scale = own.scale.unwrap_or(options.scale);
    let signed = || values.iter().map(|&v| encoder.sign(v).unwrap_or(f64::NAN));
    let mut kept: Vec<f64> = signed().filter(|v| v.is_finite()).collect();
    let whole = kept.iter().all(|v| v.fract() == 0.0) && kept.iter().any(|v| v.abs() >= 1000.0);
    if impute == Impute::Native && clip == Clip::None && scale == Scale::None {
        let differ = varies(signed());
        (encoder.scale, encoder.whole) = (needed_scale(&kept), whole);
        return Ok(differ.then_some(encoder));
    }
    if kept.is_empty() {
        return Ok(None);
    }
    kept.sort_unstable_by(f64::total_cmp);
    let n_missing = signed().filter(|v| v.is_nan()).count();
    if clip == Clip::Iqr {
        encoder.clip = tukey(&kept, options.clip_factor);
        if let Some((low, high)) = encoder.clip {
            kept.iter_mut().for_each(|v| *v = v.clamp(low, high));
        }
    }
    encoder.fill = match impute {
        Impute::Native => None,
        Impute::Median => Some(quantile_sorted(&kept, 0.5)),
        Impute::Mean => Some(moments::mean(&kept)),
    };
    let differ =
        varies(kept.iter().copied().chain(encoder.fill.is_none().then_some(f64::NAN).filter(|_| n_missing > 0)));
    if scale == Scale::Standard {
        kept.extend(std::iter::repeat_n(encoder.fill, n_missing).flatten());
        encoder.scale = Some(mean_and_sd(&kept));
    } else if scale == Scale::Minmax {
        let (low, high) = kept.iter().fold((kept[0], kept[0]), |(low, high), v| (low.min(*v), high.max(*v)));
        let span = high - low;
        encoder.scale = Some((low, if span > 0.0 && span.is_finite() { span } else { 1.0 }));
    } else {
        encoder.scale = needed_scale(&kept);
    }
    encoder.whole = whole;
    Ok(differ.then_some(encoder))
}

/// Mean and standard deviation if numbers are so far from 0 that a model's `f32` values do not distinguish them, such
/// as device identifiers or times in milliseconds, and if scaling distinguishes more of them.
fn needed_scale(finite: &[f64]) -> Option<(f64, f64)> {
    let scale = mean_and_sd(finite);
    let told_apart = |(mean, sd): (f64, f64)| {
        let mut seen: Vec<u32> = finite.iter().map(|v| narrow((v - mean) / sd).to_bits()).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    };
    let too_large = finite.iter().any(|v| v.abs() > f64::from(LARGEST));
    let needed = if too_large { told_apart(scale) > told_apart((0.0, 1.0)) } else { is_coarse(finite, scale.1) };
    needed.then_some(scale)
}

fn refuse_negative(column: &Column, values: &[f64]) -> Result<(), FeatureError> {
    match values.iter().position(|&v| v < 0.0) {
        Some(row) => Err(FeatureError::Negative { column: column.name.clone(), row: row + 1, value: values[row] }),
        None => Ok(()),
    }
}

/// Mean and population standard deviation, 1 if that is 0 (as scikit-learn's `StandardScaler`).
fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len();
    // Squares of very large or very small values overflow: those are measured in units of the largest.
    let largest = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    let unit = if largest == 0.0 || (1e-100..1e100).contains(&largest) { 1.0 } else { largest };
    let mean = moments::sum_of(n, &|i| values[i] / unit) / n as f64;
    let sd = (moments::sum_of(n, &|i| (values[i] / unit - mean).powi(2)) / n as f64).sqrt();
    let (mean, sd) = (mean * unit, sd * unit);
    // Rounding gives a constant column a tiny spread; dividing by it would amplify noise.
    let noise = 10.0 * f64::EPSILON * mean.abs();
    (mean, if sd > noise && sd.is_finite() { sd } else { 1.0 })
}

/// The fences beyond the quartiles; `None` if the middle half of the values is constant.
pub(crate) fn tukey(sorted: &[f64], factor: f64) -> Option<(f64, f64)> {
    let (q1, q3) = (quantile_sorted(sorted, 0.25), quantile_sorted(sorted, 0.75));
    let iqr = q3 - q1;
    let fences = (q1 - factor * iqr, q3 + factor * iqr);
    (iqr > 0.0 && fences.0.is_finite() && fences.1.is_finite()).then_some(fences)
}

fn category(
    column: &Column,
    categories: &Categories,
    outcome: &Outcome<'_>,
    options: &FeatureOptions,
) -> Option<Learned> {
    let mut counts = vec![0_u64; categories.levels.len()];
    let mut n_missing = 0_u64;
    for &code in &categories.codes {
        match counts.get_mut(code as usize) {
            Some(count) => *count += 1,
            None => n_missing += 1,
        }
    }
    // The training rows' levels, and the index of each level of the table among them.
    let mut slots = vec![MISSING_CODE; counts.len()];
    let mut levels = Vec::new();
    let mut used = Vec::new();
    for (code, &count) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
        slots[code] = levels.len() as u32;
        levels.push(categories.levels[code].clone());
        used.push(count);
    }
    if levels.len() + usize::from(n_missing > 0) < 2 {
        return None;
    }
    let own = options.columns.get(&column.name).and_then(|c| c.encode);
    let onehot = match own.unwrap_or(options.encode) {
        Encode::Onehot => true,
        Encode::Target => false,
        Encode::Auto => levels.len() <= options.onehot_limit(categories.codes.len()),
    };
    if onehot {
        return Some(Learned { encoder: Encoder::OneHot(one_hot(levels, &used, n_missing > 0)), out_of_fold: None });
    }
    let rows =
        categories.codes.iter().map(|&c| slots.get(c as usize).copied().unwrap_or(levels.len() as u32)).collect();
    Some(target_statistic(levels, rows, outcome, options.smoothing))
}

fn one_hot(levels: Vec<String>, counts: &[u64], missing: bool) -> OneHotEncoder {
    let hot: Vec<u32> = match (levels.len(), missing) {
        (1, _) => vec![0],
        (2, _) => vec![1],
        (n, _) => (0..n as u32).collect(),
    };
    // One level besides missing cells: the 0/1 feature of the level already determines both.
    let missing = missing && levels.len() > 1;
    let mut unseen = vec![0.0; hot.len() + usize::from(missing)];
    if levels.len() == 2 && counts[1] > counts[0] {
        unseen[0] = 1.0;
    }
    OneHotEncoder { levels, hot, missing, unseen }
}

/// The excess kurtosis of the outcome, per output: how much more means of few rows vary than those of a normal one.
fn excess(outcome: &Outcome<'_>, prior: &[f64]) -> Vec<f64> {
    let of = |(output, mean): (usize, &f64)| {
        let apart = (0..outcome.folds().len()).filter(|&row| !outcome.is_open(row));
        let squares = apart.map(|row| (outcome.value(row, output) - mean).powi(2));
        let (n, second, fourth) = squares
            .fold((0.0, 0.0, 0.0), |(n, second, fourth), square| (n + 1.0, second + square, fourth + square * square));
        if second > 0.0 { (n * fourth / (second * second) - 3.0).max(0.0) } else { 0.0 }
    };
    prior.iter().enumerate().map(of).collect()
}

/// Sums and counts per fold and level, from which every statistic follows.
struct Tally {
    n_slots: usize,
    n_outputs: usize,
    /// (fold, slot, output)
    sums: Vec<f64>,
    /// (fold, slot)
    counts: Vec<f64>,
}

fn target_statistic(levels: Vec<String>, slots: Vec<u32>, outcome: &Outcome<'_>, smoothing: Option<f64>) -> Learned {
    // Levels and missing; unseen has no rows.
    let n_slots = levels.len() + 1;
    let n_outputs = outcome.names().len().min((MAX_STATISTICS / n_slots).max(1));
    let mut tally =
        Tally { n_slots, n_outputs, sums: vec![0.0; FOLDS * n_slots * n_outputs], counts: vec![0.0; FOLDS * n_slots] };
    let mut squares = vec![0.0; n_outputs];
    for (row, &slot) in slots.iter().enumerate() {
        if outcome.is_open(row) {
            continue;
        }
        let cell = usize::from(outcome.folds()[row]) * n_slots + slot as usize;
        tally.counts[cell] += 1.0;
        for (output, square) in squares.iter_mut().enumerate() {
            let value = outcome.value(row, output);
            tally.sums[cell * n_outputs + output] += value;
            *square += value * value;
        }
    }
    let prior = tally.prior();
    let weights = match smoothing {
        Some(weight) => vec![weight; n_outputs],
        None => tally.weights(&prior, &squares, &excess(outcome, &prior)),
    };
    let values = tally.smooth(None, &prior, &weights);
    let blocks = (0..FOLDS).into_par_iter().flat_map_iter(|fold| tally.smooth(Some(fold), &prior, &weights)).collect();
    let outputs = outcome.names()[..n_outputs].to_vec();
    Learned {
        encoder: Encoder::TargetStatistic(TargetStatistic { levels, outputs, values }),
        out_of_fold: Some(OutOfFold::Levels(blocks)),
    }
}

impl Tally {
    /// The mean of all rows, per output.
    fn prior(&self) -> Vec<f64> {
        let n: f64 = self.counts.iter().sum();
        (0..self.n_outputs)
            .map(|o| self.sums.iter().skip(o).step_by(self.n_outputs).sum::<f64>() / n.max(1.0))
            .collect()
    }

    /// The weight of the overall mean in rows, per output: a = σ²/τ², the variance within levels by that between them,
    /// by moments (J. Hartung, "Statistical Meta-Analysis", 2008, 7.4; the estimator of DerSimonian and Laird 1986 with
    /// rows as studies). Levels that differ no more than by chance are fully shrunk to the mean: one fraud in six rows
    /// of a merchant means little at an overall rate of 1 %. At least [`LEAST_WEIGHT`], unless τ² minus its chance part
    /// ([`BEYOND_CHANCE`] standard errors) is still large enough to justify less: branches of a bank, each with its own
    /// prices, are described well by few rows.
    fn weights(&self, prior: &[f64], squares: &[f64], excess: &[f64]) -> Vec<f64> {
        let of_level = |cells: &[f64], slot: usize, width: usize, output: usize| -> f64 {
            (0..FOLDS).map(|fold| cells[(fold * self.n_slots + slot) * width + output]).sum()
        };
        let counts: Vec<f64> = (0..self.n_slots).map(|slot| of_level(&self.counts, slot, 1, 0)).collect();
        let n: f64 = counts.iter().sum();
        let levels = counts.iter().filter(|&&n| n > 0.0).count() as f64;
        // The effective number of rows that distinguish levels: n − Σ nⱼ²/n.
        let apart = n - counts.iter().map(|n| n * n).sum::<f64>() / n.max(1.0);
        let shares: f64 = counts.iter().filter(|n| **n > 0.0).map(|n| 1.0 / n).sum();
        let weight = |output: usize| {
            let (mut explained, mut between) = (0.0, 0.0);
            for (slot, &n) in counts.iter().enumerate().filter(|(_, n)| **n > 0.0) {
                let sum = of_level(&self.sums, slot, self.n_outputs, output);
                explained += sum * sum / n;
                between += n * (sum / n - prior[output]).powi(2);
            }
            let within = (squares[output] - explained).max(0.0) / (n - levels).max(1.0);
            // Under equal levels, Σ nⱼ(ȳⱼ − ȳ)² has this mean and standard error.
            let (by_chance, error) =
                ((levels - 1.0) * within, within * (2.0 * (levels - 1.0) + excess[output] * shares).sqrt());
            let of_spread = |spread: f64| if spread > 0.0 { within / (spread / apart.max(1.0)) } else { MOST_WEIGHT };
            let sure = of_spread(between - by_chance - BEYOND_CHANCE * error);
            of_spread(between - by_chance).clamp(sure.min(LEAST_WEIGHT), MOST_WEIGHT)
        };
        (0..prior.len()).map(weight).collect()
    }

    /// The statistics of every slot without the rows of `left_out`, then the prior for unseen levels.
    ///
    /// The prior is that of all rows in every fold: a prior per fold would give rare levels five values
    /// that reveal the fold, and so the row's own target.
    fn smooth(&self, left_out: Option<usize>, prior: &[f64], weights: &[f64]) -> Vec<f32> {
        let mut values = Vec::with_capacity((self.n_slots + 1) * self.n_outputs);
        for slot in 0..self.n_slots {
            let cells = || (0..FOLDS).filter(|f| Some(*f) != left_out).map(|f| f * self.n_slots + slot);
            let n: f64 = cells().map(|c| self.counts[c]).sum();
            for (output, (&prior, &smoothing)) in prior.iter().zip(weights).enumerate() {
                let sum: f64 = cells().map(|c| self.sums[c * self.n_outputs + output]).sum();
                let weight = n + smoothing;
                values.push(narrow(if weight > 0.0 { (sum + smoothing * prior) / weight } else { prior }));
            }
        }
        values.extend(prior.iter().map(|&p| narrow(p)));
        values
    }
}

#[cfg(test)]
mod tests;
