//! Checks of the rows before a model is trained on them.

use super::{Examples, PipelineError, Recipe};
use crate::features::Task;
use crate::features::duplicates::{count_repeated, row_digest, shared};
use crate::stats::{moments, random::hash64};
use crate::table::split::Parts;
use crate::table::{Column, Schema, Values};
use std::collections::HashSet;

/// With fewer rows of a class than this, it can hardly be learned.
const FEW_OF_CLASS: usize = 20;
/// Minimum number and share of gate rows that are copies of training rows.
const MIN_COPIES: usize = 5;
const MIN_COPIED_SHARE: f64 = 0.02;
/// Equal rows are copies, not coincidences, if their share is at least this many times that of distinct rows among
/// possible ones: a table of three flags has eight possible rows, and equal ones are not copies.
const MORE_THAN_CHANCE: f64 = 20.0;
/// Maximum step between neighbouring 64-bit numbers at the target's magnitude, as a share of the target's standard
/// deviation.
const MAX_STEP: f64 = 1e-3;

/// The remedy for copies.
const KEEP_TOGETHER: &str =
    "[split] by = \"row\" keeps equal rows on one side, by = \"column\" those with the same value of a column";

/// The remedy for rows that are nearly copies.
const KEEP_NEAR_TOGETHER: &str = "[split] by = \"column\" keeps rows with the same value of a column on one side";
const EQUAL: &str = "every feature and the target are equal";

/// Gate rows that are copies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Whether each row equals a training row; all `false` if chance explains them.
    pub of_learned: Vec<bool>,
    /// Rows that equal an earlier one.
    pub among: usize,
    /// A digest of each row: rows with equal digests are copies.
    pub contents: Vec<u64>,
    /// The description of what is equal in copies.
    alike: String,
}

impl Copied {
    /// The remark for the user; `None` without copies.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let n = self.of_learned.len();
        let of_learned = format!("{} equal a training row of a version and are left out", self.n_of_learned());
        let among = format!("{} equal another gate row, so they count as one in the test", self.among);
        let what = match (self.n_of_learned(), self.among) {
            (0, 0) => return None,
            (_, 0) => of_learned,
            (0, _) => among,
            _ => format!("{of_learned}, and {among}"),
        };
        Some(format!("of {n} gate rows {what} ({}, under other ids): {}", self.alike, self.remedy()))
    }

    /// How many equal a training row.
    #[must_use]
    pub fn n_of_learned(&self) -> usize {
        self.of_learned.iter().filter(|is_copy| **is_copy).count()
    }

    /// Those of the rows that equal no training row; `self` then describes only these.
    #[must_use]
    pub fn leave_out(&mut self, rows: Vec<u32>) -> Vec<u32> {
        let left = |at: usize| self.of_learned.get(at) != Some(&true);
        self.contents =
            self.contents.iter().enumerate().filter(|(at, _)| left(*at)).map(|(_, digest)| *digest).collect();
        if self.among > 0 {
            self.among = count_repeated(&self.contents);
        }
        rows.into_iter().enumerate().filter(|(at, _)| left(*at)).map(|(_, row)| row).collect()
    }

    /// Whether there are any.
    fn is_any(&self) -> bool {
        self.n_of_learned() + self.among > 0
    }

    /// The remedy: only equal rows are kept together automatically.
    fn remedy(&self) -> &'static str {
        if self.alike == EQUAL { KEEP_TOGETHER } else { KEEP_NEAR_TOGETHER }
    }
}

impl Examples {
    /// Refuses two classes of which one has a single row; returns a warning if there are few.
    pub(super) fn rare(&self) -> Result<Option<String>, PipelineError> {
        let all: Vec<u32> = (0..).zip(&self.y).map(|(row, _)| row).collect();
        let counts = self.counts(&all);
        let Some((class, &rows)) = counts.iter().enumerate().filter(|(_, n)| **n > 0).min_by_key(|(_, n)| **n) else {
            return Ok(None);
        };
        let (n, name, class) = (self.y.len(), &self.target.name, &self.target.classes[class]);
        if self.target.task == Task::Binary && rows == 1 {
            return Err(PipelineError::Rows(format!(
                "column {name:?} is {class:?} in 1 of {n} labelled rows: a class cannot be learned from one row; add \
                 rows of it"
            )));
        }
        Ok((rows < FEW_OF_CLASS).then(|| {
            format!(
                "column {name:?} is {class:?} in {rows} of {n} labelled rows: too few to learn this class \
                     reliably"
            )
        }))
    }

    /// States how many gate rows equal a training row in every feature and in the target.
    pub(super) fn copies(
        &self,
        parts: &Parts,
        schema: &Schema,
        recipe: &Recipe,
    ) -> Result<Option<String>, PipelineError> {
        let learned = [parts.train.as_slice(), &parts.tune].concat();
        let (copied, n) = (self.copied(&learned, &parts.gate, schema, recipe)?, parts.gate.len());
        Ok((copied.n_of_learned() > 0).then(|| {
            format!(
                "{} of {n} gate rows are copies of training rows ({}), so the metrics are too optimistic: {}",
                copied.n_of_learned(),
                copied.alike,
                copied.remedy()
            )
        }))
    }

    /// The rows of `judged` that equal a row of `learned`, or one another, in every feature and in the target, under
    /// any id; none if chance explains them. Without equal rows, those nearly equal: within 1/2000 of the standard
    /// deviation of numbers, or in all columns but one.
    ///
    /// # Errors
    /// A missing column.
    pub fn copied(
        &self,
        learned: &[u32],
        judged: &[u32],
        schema: &Schema,
        recipe: &Recipe,
    ) -> Result<Copied, PipelineError> {
        let names = recipe.contents(schema);
        if judged.is_empty() || names.is_empty() {
            return Ok(Copied::default());
        }
        let room: f64 = names.iter().filter_map(|name| self.table.column(name)).map(distinct).product();
        let mut digests = row_digest(&self.table, &names)?;
        digests.iter_mut().zip(&self.y).for_each(|(d, y)| *d = hash64(&y.to_bits().to_le_bytes(), *d));
        let equal = found(&digests, (learned, judged), room, EQUAL.to_owned());
        if equal.is_any() {
            return Ok(equal);
        }
        let nearly = self.near(&names)?.into_iter().map(|near| {
            let alike = match &near.without {
                Some(column) => format!("every feature but {column:?} and the target are equal or nearly so"),
                None => "every feature is equal or nearly so, and so is the target".to_owned(),
            };
            found(&near.digests, (learned, judged), near.room, alike)
        });
        // On a tie, the first one: with all columns.
        let n = |copied: &Copied| copied.n_of_learned() + copied.among;
        let most = nearly.reduce(|most, next| if n(&next) > n(&most) { next } else { most });
        Ok(most.filter(Copied::is_any).unwrap_or(equal))
    }

    /// Says where 64-bit numbers are too coarse for the target; where only those of trees are, [`TargetScale`](super::TargetScale)
    /// takes care of it.
    pub(super) fn coarse(&self) -> Option<String> {
        let Some(Values::Number(values)) = self.table.column(&self.target.name).map(|c| &c.values) else { return None };
        if self.target.task != Task::Regression {
            return None;
        }
        let deviation = moments::variance(values).sqrt();
        let largest = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        let step = largest.next_up() - largest;
        (step > MAX_STEP * deviation).then(|| {
            format!(
                "column {:?} has values up to {largest:e} with a standard deviation of {deviation:.3}, but 64-bit \
                 numbers have steps of {step} there: subtract a constant from the column",
                self.target.name
            )
        })
    }
}

/// The rows with equal digests, if more than by chance among that many possible rows.
fn found(digests: &[u64], (learned, judged): (&[u32], &[u32]), room: f64, alike: String) -> Copied {
    let of = |rows: &[u32]| -> Vec<u64> { rows.iter().map(|&row| digests[row as usize]).collect() };
    let chance = MORE_THAN_CHANCE * (digests.len() - count_repeated(digests)) as f64 / room;
    let least = MIN_COPIED_SHARE.max(chance) * judged.len() as f64;
    let is_beyond_chance = |n: usize| n >= MIN_COPIES && n as f64 >= least;
    let contents = of(judged);
    let mut of_learned = shared(&of(learned), &contents);
    if !is_beyond_chance(of_learned.iter().filter(|is_copy| **is_copy).count()) {
        of_learned.fill(false);
    }
    let among = Some(count_repeated(&contents)).filter(|n| is_beyond_chance(*n)).unwrap_or(0);
    Copied { of_learned, among, contents, alike }
}

/// Number of distinct cells of a column; missing counts as one value.
fn distinct(column: &Column) -> f64 {
    let count = match &column.values {
        Values::Number(v) => v.iter().map(|x| x.to_bits()).collect::<HashSet<_>>().len(),
        Values::Time(v) => v.iter().collect::<HashSet<_>>().len(),
        Values::Category(c) => c.codes.iter().collect::<HashSet<_>>().len(),
        Values::Text(t) => t.iter().collect::<HashSet<_>>().len(),
    };
    count.max(1) as f64
}
