//! The effective number of rows of a column, if rows of one customer (patient, machine, …) are similar.
//!
//! ```text
//! rows ─ by the hash of their key ─▶ whole entities, at most 2 · ROWS rows ─▶ Σ over entities of (Σ over rows of z − mean)²
//!                                                                             ──────────────────────────────────────────
//!                                                                                     what independent rows would have
//! ```
//! The quotient is Kish's design effect ("Survey Sampling", 1965), for a given indicator: z is whether a cell is above
//! a quantile, is of a level, is missing. A test of n rows uses n ∕ design effect as the number of independent rows.

use crate::stats::normal;
use crate::stats::random::{hash64, unit_hash};
use crate::stats::tails::student_above;
use crate::table::{MISSING_TIME, Table, Values};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Minimum number of rows kept, if there are as many; at most twice that.
const ROWS: usize = 20_000;
/// Maximum number of cells kept, so that wide tables keep fewer rows.
pub(super) const CELLS: usize = 8_000_000;
/// The same for one of many pieces of a table.
pub(super) const PIECE_CELLS: usize = 100_000;
/// Minimum number of rows kept of any table.
const LEAST_ROWS: usize = 500;
/// With fewer entities among the kept rows, rows are dropped instead of entities.
const FEW: usize = 400;
/// A variance over few entities is uncertain: tests are widened by the ratio of Student's quantile to the normal one at
/// this level.
const ALPHA: f64 = 0.001;
/// The rarest and most extreme cells tested: this many rows at each end, and a fiftieth of all.
const ENDS: [usize; 2] = [5, 20];
/// Maximum number of repeated values tested, the most frequent first.
const REPEATED: usize = 20;
const HOUR: i64 = 3_600_000_000;

/// The entities of the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Entities {
    /// The entity column.
    pub column: String,
    /// About how many entities there are.
    pub n: u64,
}

/// Design effects of a column, at least 1; `None` if its cells do not differ.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// Of the distribution as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<f64>,
    /// Of rare levels, repeated values and the ends of the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rare: Option<f64>,
    /// Of missing cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<f64>,
}

impl Design {
    /// The combined effect of `n` and `m` rows. The same entities may be in both, so this is the upper bound
    /// (Minkowski).
    pub(super) fn merged(self, n: u64, other: Self, m: u64) -> Self {
        let (n, m) = (n as f64, m as f64);
        let most = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (None, None) => None,
            (a, b) => {
                let (a, b) = (a.or(b).unwrap_or(1.0), b.or(a).unwrap_or(1.0));
                Some(((n * a).sqrt() + (m * b).sqrt()).powi(2) / (n + m).max(1.0))
            }
        };
        Self {
            values: most(self.values, other.values),
            rare: most(self.rare, other.rare),
            missing: most(self.missing, other.missing),
        }
    }
}

/// Keeps whole entities of a stream of rows, selected by the hash of their key.
#[derive(Debug)]
pub(super) struct DesignBuilder {
    column: String,
    most: usize,
    /// The shares of entities, and of their rows, that are kept.
    kept: [f64; 2],
    n_seen: u64,
    keys: Vec<u64>,
    /// Each kept row's positions in `[0, 1)`: by its key, and by its number.
    places: Vec<[f64; 2]>,
    /// For each column, the cells of the kept rows.
    cells: Vec<Cells>,
    /// Whether a batch lacked the column.
    lost: bool,
}

#[derive(Debug)]
enum Cells {
    /// `NaN` is missing.
    Numbers(Vec<f64>),
    /// Hashes of levels; `None` is missing.
    Levels(Vec<Option<u64>>),
    /// Microseconds.
    Times(Vec<i64>),
    /// Not tested.
    Texts(Vec<bool>),
}

impl DesignBuilder {
    pub(super) fn new(column: &str, n_columns: usize, cells: usize) -> Self {
        Self {
            column: column.to_owned(),
            most: ROWS.min(cells / n_columns.max(1)).max(LEAST_ROWS),
            kept: [1.0; 2],
            n_seen: 0,
            keys: Vec::new(),
            places: Vec::new(),
            cells: Vec::new(),
            lost: false,
        }
    }

    /// Adds rows; `keys` are their entities, otherwise those of the column are used.
    pub(super) fn push(&mut self, table: &Table, names: &[&str], keys: Option<&[Option<u64>]>) {
        let own = || table.column(&self.column).map(|column| entity_keys(&column.values));
        let Some(keys) = keys.map(<[_]>::to_vec).or_else(own) else {
            self.lost = true;
            return;
        };
        let first = self.n_seen;
        self.n_seen += keys.len() as u64;
        let key_of = |row: usize| keys[row].unwrap_or_else(|| hash64(&(first + row as u64).to_le_bytes(), 7));
        let places =
            |row: usize| [unit_hash(&key_of(row).to_le_bytes(), 8), unit_hash(&(first + row as u64).to_le_bytes(), 9)];
        let chosen: Vec<u32> = (0..keys.len()).filter(|&row| self.keeps(places(row))).map(|row| row as u32).collect();
        self.keys.extend(chosen.iter().map(|&row| key_of(row as usize)));
        self.places.extend(chosen.iter().map(|&row| places(row as usize)));
        let columns: Vec<&Values> = names.iter().filter_map(|name| Some(&table.column(name)?.values)).collect();
        if self.cells.is_empty() {
            self.cells = columns.iter().map(|values| Cells::like(values)).collect();
        }
        self.cells.par_iter_mut().zip(columns).for_each(|(cells, values)| cells.push(&values.take(&chosen)));
        while self.keys.len() > 2 * self.most {
            self.thin();
        }
    }

    fn keeps(&self, places: [f64; 2]) -> bool {
        places[0] < self.kept[0] && places[1] < self.kept[1]
    }

    /// Drops half of the entities, or half of their rows if entities are few.
    fn thin(&mut self) {
        let n_entities = self.keys.iter().collect::<HashSet<_>>().len();
        self.kept[usize::from(n_entities < FEW)] /= 2.0;
        let stays: Vec<bool> = self.places.iter().map(|&places| self.keeps(places)).collect();
        retain(&mut self.keys, &stays);
        retain(&mut self.places, &stays);
        self.cells.iter_mut().for_each(|cells| match cells {
            Cells::Numbers(all) => retain(all, &stays),
            Cells::Levels(all) => retain(all, &stays),
            Cells::Times(all) => retain(all, &stays),
            Cells::Texts(all) => retain(all, &stays),
        });
    }

    /// The entities, and the similarity of rows in each column.
    pub(super) fn finish(self) -> Option<(Entities, Vec<Design>)> {
        if self.lost || self.keys.is_empty() {
            return None;
        }
        let mut order: Vec<u32> = (0..self.keys.len() as u32).collect();
        order.sort_by_key(|&row| self.keys[row as usize]);
        let ends: Vec<usize> = order
            .chunk_by(|&a, &b| self.keys[a as usize] == self.keys[b as usize])
            .scan(0, |end, group| {
                *end += group.len();
                Some(*end)
            })
            .collect();
        let n = (ends.len() as f64 / self.kept[0]).round() as u64;
        let groups = Groups { order, ends, row_share: self.kept[1] };
        let designs = self.cells.par_iter().map(|cells| groups.design(cells)).collect();
        Some((Entities { column: self.column, n }, designs))
    }
}

/// The entity of each row, as a number; `None` if missing.
#[must_use]
pub fn entity_keys(values: &Values) -> Vec<Option<u64>> {
    let hashes = values.hashes().into_iter().enumerate();
    hashes.map(|(row, hash)| (!values.is_missing(row)).then_some(hash)).collect()
}

/// Index of each row's entity, from 0 in row order; a row without a key is its own entity. `None` if no two rows share
/// one.
#[must_use]
pub fn entity_indices(keys: &[Option<u64>]) -> Option<Vec<u32>> {
    let mut places: HashMap<u64, u32> = HashMap::new();
    let mut n = 0;
    let mut index = |key: &Option<u64>| {
        let next = n;
        let place = key.map_or(next, |key| *places.entry(key).or_insert(next));
        n += u32::from(place == next);
        place
    };
    let of: Vec<u32> = keys.iter().map(&mut index).collect();
    ((n as usize) < keys.len()).then_some(of)
}

fn retain<T>(all: &mut Vec<T>, stays: &[bool]) {
    let mut at = stays.iter();
    all.retain(|_| at.next() == Some(&true));
}

impl Cells {
    fn like(values: &Values) -> Self {
        match values {
            Values::Number(_) => Self::Numbers(Vec::new()),
            Values::Category(_) => Self::Levels(Vec::new()),
            Values::Time(_) => Self::Times(Vec::new()),
            Values::Text(_) => Self::Texts(Vec::new()),
        }
    }

    fn push(&mut self, values: &Values) {
        match (self, values) {
            (Self::Numbers(all), Values::Number(values)) => all.extend(values),
            (Self::Levels(all), values @ Values::Category(_)) => all.extend(entity_keys(values)),
            (Self::Times(all), Values::Time(values)) => all.extend(values),
            (Self::Texts(all), values) => all.extend((0..values.len()).map(|row| values.is_missing(row))),
            // The builder rejects such a batch.
            _ => {}
        }
    }
}

/// The kept rows, grouped by entity.
struct Groups {
    order: Vec<u32>,
    ends: Vec<usize>,
    /// The share of an entity's rows that were kept.
    row_share: f64,
}

impl Groups {
    fn design(&self, cells: &Cells) -> Design {
        match cells {
            Cells::Numbers(values) => {
                Design { missing: self.share(|row| Some(values[row].is_nan())), ..self.numbers(values) }
            }
            Cells::Levels(levels) => {
                let (values, rare) = self.levels(levels);
                Design { values, rare, missing: self.share(|row| Some(levels[row].is_none())) }
            }
            Cells::Times(times) => {
                let part = |length: i64, round: i64| {
                    let of =
                        |&time: &i64| (time != MISSING_TIME).then(|| time.div_euclid(length).rem_euclid(round) as u64);
                    self.levels(&times.iter().map(of).collect::<Vec<_>>()).0
                };
                let values: Vec<f64> =
                    times.iter().map(|&t| if t == MISSING_TIME { f64::NAN } else { t as f64 }).collect();
                let whole = most([part(HOUR, 24), part(24 * HOUR, 7)]);
                let missing = self.share(|row| Some(values[row].is_nan()));
                Design { values: whole, missing, ..self.numbers(&values) }
            }
            Cells::Texts(missing) => Design { missing: self.share(|row| Some(missing[row])), ..Design::default() },
        }
    }

    fn numbers(&self, values: &[f64]) -> Design {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        if n == 0 {
            return Design::default();
        }
        let known = |row: usize| Some(values[row]).filter(|v| !v.is_nan());
        let above = |limit: f64| self.share(|row| known(row).map(|v| v > limit));
        let whole = most([1, 2, 3, 4].map(|fifth| above(sorted[fifth * n / 5])));
        let ends = ENDS.into_iter().chain([n / 50]).filter(|&k| k > 0 && k < n / 2).map(|k| {
            let (low, high) = (sorted[k - 1], sorted[n - k]);
            most([self.share(|row| known(row).map(|v| v <= low)), self.share(|row| known(row).map(|v| v >= high))])
        });
        let mut runs: Vec<&[f64]> = sorted.chunk_by(|a, b| a == b).filter(|run| run.len() >= ENDS[0]).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
        let repeated = runs.iter().take(REPEATED).map(|run| self.share(|row| known(row).map(|v| v == run[0])));
        Design { values: whole, rare: most(ends.chain(repeated)), missing: None }
    }

    /// The mean over levels with the weights of Rao and Scott, and the maximum of a rare one.
    fn levels(&self, levels: &[Option<u64>]) -> (Option<f64>, Option<f64>) {
        // The number of rows of each entity with a level, and the number of rows of each entity.
        let mut sizes = vec![0.0; self.ends.len()];
        let mut cells: Vec<(u64, usize)> = Vec::with_capacity(levels.len());
        for (group, rows) in self.groups().enumerate() {
            for level in rows.iter().filter_map(|&row| levels[row as usize]) {
                sizes[group] += 1.0;
                cells.push((level, group));
            }
        }
        cells.sort_unstable();
        let n: f64 = sizes.iter().sum();
        let squares: f64 = sizes.iter().map(|m| m * m).sum();
        let (mut sum, mut weight, mut rare) = (0.0, 0.0, None);
        for level in cells.chunk_by(|a, b| a.0 == b.0) {
            let p = level.len() as f64 / n;
            if p >= 1.0 {
                return (None, None);
            }
            let mut scatter = p * p * squares;
            for group in level.chunk_by(|a, b| a.1 == b.1) {
                let count = group.len() as f64;
                scatter += count * (count - 2.0 * p * sizes[group[0].1]);
            }
            let effect = scatter / (n * p * (1.0 - p));
            if level.len() >= ENDS[0] {
                (sum, weight) = (sum + (1.0 - p) * effect, weight + 1.0 - p);
            }
            if level.len() > 1 {
                rare = most([rare, Some(effect)]);
            }
        }
        let whole = (weight > 0.0).then(|| sum / weight);
        (whole.map(|effect| self.widened(effect, &sizes)), rare.map(|effect| self.widened(effect, &sizes)))
    }

    fn groups(&self) -> impl Iterator<Item = &[u32]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.order[start..end])
    }

    /// The design effect of a share, over the rows for which `is` is known.
    fn share(&self, is: impl Fn(usize) -> Option<bool>) -> Option<f64> {
        let counts = self.groups().map(|rows| {
            let known = rows.iter().filter_map(|&row| is(row as usize));
            known.fold((0.0, 0.0), |(n, k), yes| (n + 1.0, k + f64::from(u8::from(yes))))
        });
        let counts: Vec<(f64, f64)> = counts.collect();
        let (n, k) = counts.iter().fold((0.0, 0.0), |sum, group| (sum.0 + group.0, sum.1 + group.1));
        if k == 0.0 || k == n {
            return None;
        }
        let p = k / n;
        let scatter: f64 = counts.iter().map(|(n, k)| (k - n * p).powi(2)).sum();
        let sizes: Vec<f64> = counts.iter().map(|group| group.0).collect();
        Some(self.widened(scatter / (n * p * (1.0 - p)), &sizes))
    }

    /// Corrects for dropped rows, and for too few entities to estimate a variance.
    fn widened(&self, effect: f64, sizes: &[f64]) -> f64 {
        let squares = sizes.iter().map(|m| m * m);
        let (two, four) = squares.fold((0.0, 0.0), |(two, four), m| (two + m, four + m * m));
        // This many entities of equal size would have the same evenness of weights.
        let entities = two * two / four;
        if entities < 2.0 {
            return sizes.iter().sum::<f64>() / self.row_share;
        }
        let whole = (1.0 + (effect - 1.0) / self.row_share).max(1.0);
        let wider = student_above(ALPHA, entities - 1.0) / normal::quantile(1.0 - ALPHA / 2.0);
        whole * entities / (entities - 1.0) * (wider * wider).max(1.0)
    }
}

/// The largest known value.
fn most(all: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    all.into_iter().flatten().reduce(f64::max)
}

#[cfg(test)]
#[path = "design_tests.rs"]
mod tests;
