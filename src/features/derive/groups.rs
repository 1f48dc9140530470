//! Statistics of groups of training rows: learned once, stored, then looked up.
//!
//! A group is all training rows with the same values of its keys. A row with a missing key has no group, and its
//! statistic is missing. A row of a group unseen in training gets the statistic of all training rows; its
//! count and its sum are 0.

use super::cells::{Cells, Vector};
use super::functions::Statistic;
use super::numbers::middle;
use crate::table::MISSING_TIME;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Maximum number of stored groups.
pub(super) const MAX_GROUPS: usize = 500_000;

/// The statistics of groups.
#[derive(Debug, Clone)]
pub(super) struct Learned {
    statistic: Statistic,
    /// The keys of each group, in order.
    keys: Vec<Vec<String>>,
    /// Per group: the statistic, or mean and standard deviation.
    values: Vec<(f64, f64)>,
    /// For groups unseen in training.
    other: (f64, f64),
    index: HashMap<String, u32>,
}

impl PartialEq for Learned {
    /// Missing values are equal.
    fn eq(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let both = |a: &(f64, f64), b: &(f64, f64)| same(a.0, b.0) && same(a.1, b.1);
        (self.statistic, &self.keys) == (other.statistic, &other.keys)
            && self.values.len() == other.values.len()
            && self.values.iter().zip(&other.values).all(|(a, b)| both(a, b))
            && both(&self.other, &other.other)
    }
}

/// The stored form; `null` is missing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    statistic: Statistic,
    keys: Vec<Vec<String>>,
    values: Vec<(Option<f64>, Option<f64>)>,
    other: (Option<f64>, Option<f64>),
}

/// The keys of groups, the value of each group, and the value of unseen groups.
pub(crate) type Parts<'a> = (&'a [Vec<String>], &'a [(f64, f64)], (f64, f64));

/// No group.
pub(super) const NONE: u32 = u32::MAX;

/// The values of a key in the rows of a table, as codes of distinct texts.
pub(super) struct Coded {
    codes: Vec<u32>,
    texts: Vec<String>,
}

impl Coded {
    fn of(key: &Vector, n_rows: usize) -> Self {
        let mut index: HashMap<u64, u32> = HashMap::new();
        let mut texts = Vec::new();
        let mut code = |bits: u64, text: &dyn Fn() -> String| {
            *index.entry(bits).or_insert_with(|| {
                texts.push(text());
                texts.len() as u32 - 1
            })
        };
        let codes = match key {
            // −0 and 0 are one key.
            Vector::Number(cells) => (0..n_rows)
                .map(|row| match cells.get(row) + 0.0 {
                    value if value.is_nan() => NONE,
                    value => code(value.to_bits(), &|| value.to_string()),
                })
                .collect(),
            Vector::Time(cells) => (0..n_rows)
                .map(|row| match cells.get(row) {
                    MISSING_TIME => NONE,
                    value => code(value as u64, &|| value.to_string()),
                })
                .collect(),
            Vector::Text(strings) => {
                let mut known: HashMap<&str, u32> = HashMap::new();
                let mut places: HashMap<u32, u32> = HashMap::new();
                let mut code = |row: usize| {
                    let Some(text) = strings.get(row) else { return NONE };
                    *places.entry(strings.codes.get(row)).or_insert_with(|| {
                        *known.entry(text).or_insert_with(|| {
                            texts.push(text.to_owned());
                            texts.len() as u32 - 1
                        })
                    })
                };
                (0..n_rows).map(&mut code).collect()
            }
        };
        Self { codes, texts }
    }

    /// Rows by the groups of all keys, and the keys of each group.
    pub(super) fn join(keys: &[Vector], n_rows: usize) -> (Vec<u32>, Vec<Vec<String>>) {
        let mut coded = keys.iter().map(|key| Self::of(key, n_rows));
        let Some(first) = coded.next() else { return (vec![NONE; n_rows], Vec::new()) };
        let mut groups: Vec<Vec<String>> = first.texts.into_iter().map(|text| vec![text]).collect();
        let mut codes = first.codes;
        for next in coded {
            let mut index: HashMap<(u32, u32), u32> = HashMap::new();
            let mut joined: Vec<Vec<String>> = Vec::new();
            for (code, other) in codes.iter_mut().zip(&next.codes) {
                *code = match (*code, *other) {
                    (NONE, _) | (_, NONE) => NONE,
                    pair => *index.entry(pair).or_insert_with(|| {
                        let mut keys = groups[pair.0 as usize].clone();
                        keys.push(next.texts[pair.1 as usize].clone());
                        joined.push(keys);
                        joined.len() as u32 - 1
                    }),
                };
            }
            groups = joined;
        }
        (codes, groups)
    }
}

/// The keys of a group as one text: no two groups have the same.
pub(super) fn joined(keys: &[String]) -> String {
    keys.iter().map(|key| format!("{}:{key}", key.len())).collect()
}

impl Learned {
    fn new(statistic: Statistic, keys: Vec<Vec<String>>, values: Vec<(f64, f64)>, other: (f64, f64)) -> Self {
        let index = keys.iter().zip(0..).map(|(keys, at)| (joined(keys), at)).collect();
        Self { statistic, keys, values, other, index }
    }

    /// Learns the statistic of `of` in the groups of `n_rows` training rows.
    ///
    /// # Errors
    /// A sentence, when there are too many groups.
    pub(super) fn learn(
        statistic: Statistic,
        of: Option<&Cells<f64>>,
        keys: &[Vector],
        n_rows: usize,
    ) -> Result<Self, String> {
        let (codes, groups) = Coded::join(keys, n_rows);
        if groups.len() > MAX_GROUPS {
            return Err(format!("the training rows have {} groups; at most {MAX_GROUPS} can be stored", groups.len()));
        }
        let value = |row: usize| of.map_or(1.0, |of| of.get(row));
        let mut rows: Vec<Vec<f64>> = vec![Vec::new(); groups.len()];
        let mut all = Vec::with_capacity(n_rows);
        for (row, &code) in codes.iter().enumerate() {
            let value = value(row);
            if value.is_nan() {
                continue;
            }
            all.push(value);
            if code != NONE {
                rows[code as usize].push(value);
            }
        }
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.sort_by(|&a, &b| groups[a].cmp(&groups[b]));
        let values = order.iter().map(|&group| summary(statistic, &mut rows[group])).collect();
        let keys = order.iter().map(|&group| groups[group].clone()).collect();
        let other = match statistic {
            Statistic::Count | Statistic::Sum => (0.0, f64::NAN),
            _ => summary(statistic, &mut all),
        };
        Ok(Self::new(statistic, keys, values, other))
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        (&self.keys, &self.values, self.other)
    }

    /// The statistic of every row.
    pub(super) fn apply(&self, of: Option<&Cells<f64>>, keys: &[Vector], n_rows: usize) -> Vec<f64> {
        let (codes, groups) = Coded::join(keys, n_rows);
        let found =
            |keys: &Vec<String>| self.index.get(&joined(keys)).map_or(self.other, |&at| self.values[at as usize]);
        let found: Vec<(f64, f64)> = groups.iter().map(found).collect();
        let of_row = |row: usize| {
            let Some(&(first, second)) = found.get(codes[row] as usize) else { return f64::NAN };
            match (self.statistic, of) {
                (Statistic::Zscore, Some(of)) => {
                    let score = (of.get(row) - first) / second;
                    if score.is_finite() { score } else { f64::NAN }
                }
                _ => first,
            }
        };
        (0..n_rows).map(of_row).collect()
    }
}

/// The statistic of values none of which is missing; sorts them for a median.
fn summary(statistic: Statistic, values: &mut [f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let sum = values.iter().sum::<f64>();
    let mean = sum / n;
    let deviation = || {
        if values.len() < 2 {
            return f64::NAN;
        }
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        (squares / (n - 1.0)).sqrt()
    };
    let first = match statistic {
        Statistic::Count => n,
        Statistic::Sum => sum,
        Statistic::Mean => mean,
        Statistic::Std => deviation(),
        Statistic::Zscore => return (mean, deviation()),
        Statistic::Min => values.iter().copied().fold(f64::NAN, f64::min),
        Statistic::Max => values.iter().copied().fold(f64::NAN, f64::max),
        Statistic::Median => {
            values.sort_unstable_by(f64::total_cmp);
            middle(values)
        }
    };
    (if first.is_finite() { first } else { f64::NAN }, f64::NAN)
}

impl From<Learned> for Stored {
    fn from(learned: Learned) -> Self {
        let known = |value: f64| Some(value).filter(|value| value.is_finite());
        let both = |(first, second): (f64, f64)| (known(first), known(second));
        Self {
            statistic: learned.statistic,
            keys: learned.keys,
            values: learned.values.into_iter().map(both).collect(),
            other: both(learned.other),
        }
    }
}

impl Stored {
    /// The stored statistics.
    ///
    /// # Errors
    /// If the parts are inconsistent.
    pub(super) fn read(self) -> Result<Learned, &'static str> {
        if self.keys.len() != self.values.len() {
            return Err("a statistic has not one value per group");
        }
        let both =
            |(first, second): (Option<f64>, Option<f64>)| (first.unwrap_or(f64::NAN), second.unwrap_or(f64::NAN));
        let values = self.values.into_iter().map(both).collect();
        Ok(Learned::new(self.statistic, self.keys, values, both(self.other)))
    }
}
