//! Columns that reveal the target (target leakage).
//!
//! A column that alone nearly reveals the target was usually written after the fact (a refund date beside "churned",
//! the two parts of a sum beside the sum). The model would be excellent in tests and useless in production.

mod coarse;
mod leak;
mod measure;
mod parts;
mod shifted;

pub use self::leak::{How, Leak};

use crate::stats::portable::Portable;
use std::collections::HashSet;

use rayon::prelude::*;

use self::measure::{auc, bins, numbers, rank_correlation, spread};
use self::parts::{Part, parts};
use super::outcome::Outcome;
use super::target::{Target, Task};
use super::text;
use crate::stats::random::{hash64, rng};
use crate::stats::ranks;
use crate::table::{Column, Table, Texts, Values};

/// Maximum number of rows checked.
const MAX_ROWS: usize = 20_000;
/// With fewer labelled rows nothing is reported.
const MIN_ROWS: usize = 50;
/// With fewer rows of a class nothing is reported about it.
const MIN_CLASS_ROWS: usize = 5;
/// With fewer rows of a class than this, only a column that makes no mistake is suspected: among 25 frauds an honest
/// column may reach .998.
const ENOUGH_CLASS_ROWS: usize = 30;
/// ROC-AUC of one column from which it is suspected.
const MIN_AUC: f64 = 0.99;
/// The same for a column with no more values than classes: a coding of the target, with a few mistakes.
const MIN_COPY_AUC: f64 = 0.97;
/// The minimum for "no mistake".
const PERFECT_AUC: f64 = 0.999_95;
/// For cells that are present (or missing) for one class only: the minimum share of these rows that are of the class,
/// the minimum share of the class's rows, and the maximum probability that this happens by chance.
const MIN_PURITY: f64 = 0.995;
const MIN_COVERED: f64 = 0.1;
const MAX_CHANCE: f64 = 1e-6;
/// Share of the variance (or squared rank correlation) from which a column is suspected in a regression.
const MIN_R2: f64 = 0.96;
/// Pairs of columns are checked for sums and the like among the first numeric columns only.
const MAX_PAIRED: usize = 300;

/// Checks each column, and for a regression each pair of numeric columns, on up to 20 000 rows.
///
/// A column is suspected if out-of-sample means of the target by its level, or by 64 bins of its value, reach a ROC-AUC
/// of .99 (the mean over classes of one against the rest, or one class alone), or if the value itself does, in either
/// direction; for a class of 5 to 29 rows only without any mistake. A column is also suspected if it is filled in, or
/// empty, for one class only. For a regression, if such means explain 96 % of the variance or the squared rank
/// correlation is .96. Pairs are suspected if they yield the target to six digits in every row. Texts are checked by
/// out-of-fold scores of their words. Columns in `skip` are not checked; missing cells are a level of their own. With
/// fewer than 50 labelled rows, or 5 of a class, nothing is suspected.
///
/// `y` is the encoded target ([`Target::encode`]), one value per row of `table`.
#[must_use]
pub fn find_leaks(table: &Table, target: &Target, y: &[f64], skip: &[String], seed: u64) -> Vec<Leak> {
    let rows: Vec<u32> = (0..table.n_rows().min(y.len()) as u32).filter(|&r| !y[r as usize].is_nan()).collect();
    if rows.len() < MIN_ROWS {
        return Vec::new();
    }
    let rows = sampled(rows, target.classes.len(), y, seed);
    let sample = Sample::new(table, target, y, &rows, seed);
    let columns: Vec<&Column> =
        table.columns().iter().filter(|c| c.name != target.name && !skip.contains(&c.name)).collect();
    let mut leaks: Vec<Leak> = columns
        .par_iter()
        .filter_map(|c| {
            let shifted = || shifted::is_of_the_next_row(c, table, target, y).then_some(How::NextRow);
            let how = sample.suspect(c, (target, y), seed).or_else(shifted)?;
            Some(Leak { columns: vec![c.name.clone()], how })
        })
        .collect();
    if target.task == Task::Regression {
        let equal: Vec<&str> = leaks.iter().filter(|l| l.how == How::Equal).map(|l| l.columns[0].as_str()).collect();
        let numeric = columns.into_iter().filter(|c| !equal.contains(&c.name.as_str())).take(MAX_PAIRED);
        let formulas = sample.formulas(&numeric.collect::<Vec<_>>());
        leaks.extend(formulas);
    }
    leaks
}

/// At most [`MAX_ROWS`] of `rows`, drawn at random; of classes, as many of each as of the rarest, or an equal share,
/// so that a sample of a long table keeps its frauds.
fn sampled(rows: Vec<u32>, n_classes: usize, y: &[f64], seed: u64) -> Vec<u32> {
    if rows.len() <= MAX_ROWS {
        return rows;
    }
    let mut rng = rng(seed, "leaks");
    let mut classes = vec![Vec::new(); n_classes.max(1)];
    for row in rows {
        classes[if n_classes == 0 { 0 } else { y[row as usize] as usize }].push(row);
    }
    classes.sort_by_key(Vec::len);
    let (mut chosen, mut left) = (Vec::with_capacity(MAX_ROWS), classes.len());
    for class in classes {
        let room = ((MAX_ROWS - chosen.len()) / left).min(class.len());
        left -= 1;
        chosen.extend(rand::seq::index::sample(&mut rng, class.len(), room).into_iter().map(|i| class[i]));
    }
    chosen.sort_unstable();
    chosen
}

/// The rows that are checked.
struct Sample<'a> {
    rows: &'a [u32],
    task: Task,
    /// The target as in the table if numeric: it has more digits than `y`.
    value: Vec<f64>,
    /// Every class; empty for a regression.
    every: Vec<Class>,
    /// Classes with enough rows, checked against the others: of two, the positive one.
    classes: Vec<Class>,
    halves: Vec<bool>,
}

/// A class with enough rows.
#[derive(Clone)]
struct Class {
    index: f64,
    name: String,
    rows: usize,
    /// Rows of the class or of the others, whichever are fewer.
    fewer: usize,
}

impl<'a> Sample<'a> {
    fn new(table: &Table, target: &Target, y: &[f64], rows: &'a [u32], seed: u64) -> Self {
        let raw = match table.column(&target.name).map(|c| &c.values) {
            Some(Values::Number(values)) => Some(values),
            _ => None,
        };
        let value = |&r: &u32| raw.map_or(y[r as usize], |v| v[r as usize]);
        let of_class = |c: usize| rows.iter().filter(|&&r| y[r as usize] == c as f64).count();
        let class = |c: usize| {
            let own = of_class(c);
            Class { index: c as f64, name: target.classes[c].clone(), rows: own, fewer: own.min(rows.len() - own) }
        };
        let every: Vec<Class> = (0..target.classes.len()).map(class).collect();
        let first = usize::from(target.task == Task::Binary);
        let classes = every.iter().skip(first).filter(|class| class.fewer >= MIN_CLASS_ROWS).cloned().collect();
        Self {
            rows,
            task: target.task,
            value: match target.task {
                Task::Regression => rows.iter().map(value).collect(),
                Task::Binary | Task::Multiclass => rows.iter().map(|&r| y[r as usize]).collect(),
            },
            every,
            classes,
            halves: rows.iter().map(|r| hash64(&r.to_le_bytes(), seed) & 1 == 1).collect(),
        }
    }

    fn suspect(&self, column: &Column, of: (&Target, &[f64]), seed: u64) -> Option<How> {
        let numbers = numbers(column, self.rows);
        if let Values::Text(texts) = &column.values {
            return self.suspect_text(column, texts, of, seed);
        }
        let bins = match (&numbers, &column.values) {
            (Some(numbers), _) => bins(numbers),
            (None, Values::Category(c)) => {
                self.rows.iter().map(|&r| c.codes[r as usize].min(c.levels.len() as u32)).collect()
            }
            (None, _) => return None,
        };
        let how = match self.task {
            Task::Regression => self.suspect_value(numbers.as_deref(), &bins),
            Task::Binary | Task::Multiclass => match self.suspect_classes(numbers.as_deref(), &bins) {
                Some(How::Separates(area)) => Some(How::Separates(area)),
                // Whether the cell is present explains the target better than its value.
                how => self.presence(column).or(how),
            },
        };
        let in_a_part = || match &column.values {
            Values::Category(cells) => {
                self.suspect_parts(self.rows.iter().map(|&row| cells.level(row as usize).unwrap_or_default()).collect())
            }
            _ => None,
        };
        how.or_else(in_a_part)
    }

    /// Checks parts of texts like columns.
    fn suspect_parts(&self, texts: Vec<&str>) -> Option<How> {
        parts(&texts).into_iter().find_map(|part| {
            let (numbers, bins) = match part {
                Part::Levels(levels) => (None, levels),
                Part::Numbers(numbers) => {
                    let bins = bins(&numbers);
                    (Some(numbers), bins)
                }
            };
            match self.task {
                Task::Binary | Task::Multiclass => self.suspect_classes(numbers.as_deref(), &bins),
                Task::Regression => self.suspect_value(numbers.as_deref(), &bins).map(|how| match how {
                    // The number in the text is the target, not the text as a whole.
                    How::Equal => How::Explains(1.0),
                    how => how,
                }),
            }
        })
    }

    /// Checks the out-of-fold scores of a text's words like a number.
    fn suspect_text(&self, column: &Column, texts: &Texts, (target, y): (&Target, &[f64]), seed: u64) -> Option<How> {
        let own: Texts = self.rows.iter().map(|&row| texts.get(row as usize)).collect();
        let y: Vec<f32> = self.rows.iter().map(|&row| y[row as usize] as f32).collect();
        let learned = text::learn(&own, &Outcome::new(target, &y, seed, None), seed);
        let of_score = |output: usize, width: usize, values: &[f32]| {
            let score: Vec<f64> = values.iter().skip(output).step_by(width).map(|&v| f64::from(v)).collect();
            let bins = bins(&score);
            match self.task {
                Task::Regression => self.suspect_value(Some(&score), &bins),
                Task::Binary | Task::Multiclass => self.suspect_classes(Some(&score), &bins),
            }
        };
        let by_words = learned.and_then(|(encoder, values)| {
            (0..encoder.outputs().len()).find_map(|output| of_score(output, encoder.n_features(), &values))
        });
        let how = match self.task {
            Task::Regression => by_words,
            Task::Binary | Task::Multiclass => self.presence(column).or(by_words),
        };
        how.or_else(|| self.suspect_parts(self.rows.iter().map(|&row| texts.get(row as usize)).collect()))
    }

    fn suspect_value(&self, numbers: Option<&[f64]>, bins: &[u32]) -> Option<How> {
        let spread = spread(&self.value);
        if spread <= 0.0 {
            return None;
        }
        if numbers.is_some_and(|n| n.iter().zip(&self.value).all(|(a, b)| same(*a, *b))) {
            return Some(How::Equal);
        }
        let means = self.means(bins, &self.value);
        let rest: f64 = means.iter().zip(&self.value).map(|(m, v)| (v - m) * (v - m)).sum();
        let ranked = numbers.map_or(0.0, |n| rank_correlation(n, &self.value));
        let r2 = (1.0 - rest / spread).max(ranked * ranked);
        if r2 >= MIN_R2 { Some(How::Explains(r2)) } else { self.sorted(bins).map(How::Sorts) }
    }

    fn suspect_classes(&self, numbers: Option<&[f64]>, bins: &[u32]) -> Option<How> {
        if self.classes.is_empty() {
            return None;
        }
        let ranks = numbers.map(ranks::average);
        let areas: Vec<f64> = self
            .classes
            .iter()
            .map(|class| {
                let is: Vec<f64> = self.value.iter().map(|&v| f64::from(u8::from(v == class.index))).collect();
                let by_bin = auc(&ranks::average(&self.means(bins, &is)), &is);
                // The value itself, with missing cells ranked last.
                let as_such = ranks.as_ref().map_or(0.5, |r| auc(r, &is));
                by_bin.max(as_such).max(1.0 - as_such)
            })
            .collect();
        let values: HashSet<u32> = bins.iter().copied().collect();
        let enough = if values.len() <= self.every.len() { MIN_COPY_AUC } else { MIN_AUC };
        let least = |class: &Class| if class.fewer < ENOUGH_CLASS_ROWS { PERFECT_AUC } else { enough };
        let mut known = self.classes.iter().zip(&areas).filter(|(class, area)| **area >= least(class)).peekable();
        let best = known.peek().map(|(class, area)| (class.name.clone(), **area));
        if known.count() == self.classes.len() {
            return Some(How::Separates(areas.iter().sum::<f64>() / areas.len() as f64));
        }
        best.map(|(class, area)| How::SeparatesClass(class, area)).or_else(|| self.grouped(bins))
    }

    /// Whether the column is present, or missing, for one class only.
    fn presence(&self, column: &Column) -> Option<How> {
        let missing: Vec<bool> = self.rows.iter().map(|&row| column.values.is_missing(row as usize)).collect();
        [true, false].into_iter().find_map(|empty| {
            let rows: Vec<f64> =
                missing.iter().zip(&self.value).filter(|(m, _)| **m == empty).map(|(_, &class)| class).collect();
            // If nearly all rows are alike in this, the opposite describes it better.
            if rows.len() * 20 > self.rows.len() * 19 {
                return None;
            }
            let of = |class: &Class| rows.iter().filter(|&&c| c == class.index).count();
            let class = self.every.iter().max_by_key(|class| of(class))?;
            let own = of(class);
            let share = class.rows as f64 / self.rows.len() as f64;
            let pure = own as f64 >= MIN_PURITY * rows.len() as f64 && own as f64 >= MIN_COVERED * class.rows as f64;
            let how = if empty { How::EmptyFor } else { How::FilledFor };
            (pure && own > 0 && share.powf_portable(own as f64) <= MAX_CHANCE).then(|| how(class.name.clone(), own))
        })
    }

    /// The mean of `outcome` in each row's bin among the rows of the other half, shrunk to the overall mean by one row.
    fn means(&self, bins: &[u32], outcome: &[f64]) -> Vec<f64> {
        let n_bins = bins.iter().max().map_or(0, |&b| b as usize + 1);
        let mut sums = vec![[0.0_f64; 4]; n_bins];
        for ((&bin, &half), &v) in bins.iter().zip(&self.halves).zip(outcome) {
            let sum = &mut sums[bin as usize];
            sum[2 * usize::from(half)] += v;
            sum[2 * usize::from(half) + 1] += 1.0;
        }
        let prior = outcome.iter().sum::<f64>() / outcome.len() as f64;
        bins.iter()
            .zip(&self.halves)
            .map(|(&bin, &half)| {
                let other = 2 * usize::from(!half);
                (sums[bin as usize][other] + prior) / (sums[bin as usize][other + 1] + 1.0)
            })
            .collect()
    }

    /// Pairs of numeric columns that make the target.
    fn formulas(&self, columns: &[&Column]) -> Vec<Leak> {
        let numeric: Vec<(&str, Vec<f64>)> = columns
            .iter()
            .filter(|c| matches!(c.values, Values::Number(_)))
            .filter_map(|c| Some((c.name.as_str(), numbers(c, self.rows)?)))
            .filter(|(_, v)| v.iter().any(|x| *x != v[0]))
            .collect();
        (0..numeric.len())
            .into_par_iter()
            .flat_map_iter(|i| (0..i).map(move |j| (j, i)))
            .filter_map(|(j, i)| {
                let ((a, x), (b, y)) = (&numeric[j], &numeric[i]);
                let formula = self.formula((a, x), (b, y))?;
                Some(Leak { columns: vec![(*a).to_owned(), (*b).to_owned()], how: How::Formula(formula) })
            })
            .collect()
    }

    fn formula(&self, (a, x): (&str, &[f64]), (b, y): (&str, &[f64])) -> Option<String> {
        type Operation = fn(f64, f64) -> f64;
        let tries: [(Operation, String); 6] = [
            (|x, y| x + y, format!("{a} + {b}")),
            (|x, y| x - y, format!("{a} - {b}")),
            (|x, y| y - x, format!("{b} - {a}")),
            (|x, y| x * y, format!("{a} * {b}")),
            (|x, y| x / y, format!("{a} / {b}")),
            (|x, y| y / x, format!("{b} / {a}")),
        ];
        // Nearly every pair fails in the first row.
        let holds = |f: Operation| self.value.iter().zip(x.iter().zip(y)).all(|(&v, (&x, &y))| same(f(x, y), v));
        tries.into_iter().find(|(f, _)| holds(*f)).map(|(_, text)| text)
    }
}

/// Equal to six digits.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * b.abs().max(1e-9)
}

#[cfg(test)]
mod tests;
