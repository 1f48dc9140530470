//! What a person should know of the rows before a model is learned from them.

use super::examples::contents;
use super::{Examples, PipelineError, Recipe};
use crate::features::Task;
use crate::features::duplicates::{count_shared, row_digest};
use crate::stats::{moments, random::hash64};
use crate::table::split::Parts;
use crate::table::{Column, Schema, Values};
use std::collections::HashSet;

/// Fewer rows than this of a class are hardly enough to learn it from.
const FEW_OF_CLASS: usize = 20;
/// So many gate rows, and this share of them, are copies of rows that are learned from.
const MIN_COPIES: usize = 5;
const MIN_COPIED_SHARE: f64 = 0.02;
/// Rows are copies, not equal by chance, where their share is at least so many times that of distinct rows among possible
/// ones: a table of three flags has eight rows, and equal ones are no copies.
const MORE_THAN_CHANCE: f64 = 20.0;
/// The smallest step of a 32-bit number at the target's size may be this share of the target's standard deviation.
const MAX_STEP: f64 = 1e-3;

impl Examples {
    /// Refuses two classes of which one has a single row; says so where there are few.
    pub(super) fn rare(&self) -> Result<Option<String>, PipelineError> {
        let all: Vec<u32> = (0..).zip(&self.y).map(|(row, _)| row).collect();
        let counts = self.counts(&all);
        let Some((class, &rows)) = counts.iter().enumerate().filter(|(_, n)| **n > 0).min_by_key(|(_, n)| **n) else {
            return Ok(None);
        };
        let (n, name, class) = (self.y.len(), &self.target.name, &self.target.classes[class]);
        if self.target.task == Task::Binary && rows == 1 {
            return Err(PipelineError::Rows(format!(
                "column {name:?} is {class:?} in 1 of {n} labelled rows: one row is nothing to learn a class from; add rows \
                 of it"
            )));
        }
        Ok((rows < FEW_OF_CLASS).then(|| {
            format!("column {name:?} is {class:?} in {rows} of {n} labelled rows: what is learned of it from so few is a guess")
        }))
    }

    /// Says how many gate rows equal a row that is learned from in every feature and in the target.
    pub(super) fn copies(
        &self,
        parts: &Parts,
        schema: &Schema,
        recipe: &Recipe,
    ) -> Result<Option<String>, PipelineError> {
        let names: Vec<&str> = contents(schema, recipe).map(|c| c.name.as_str()).collect();
        let room: f64 = names.iter().filter_map(|name| self.table.column(name)).map(distinct).product();
        if parts.gate.is_empty() || names.is_empty() {
            return Ok(None);
        }
        let mut digests = row_digest(&self.table, &names)?;
        digests.iter_mut().zip(&self.y).for_each(|(d, y)| *d = hash64(&y.to_bits().to_le_bytes(), *d));
        let of = |rows: &[u32]| -> Vec<u64> { rows.iter().map(|&row| digests[row as usize]).collect() };
        let copied = count_shared(&of(&[parts.train.as_slice(), &parts.tune].concat()), &of(&parts.gate));
        let n = parts.gate.len();
        let distinct = digests.iter().collect::<HashSet<_>>().len() as f64;
        let chance = MORE_THAN_CHANCE * distinct / room;
        Ok((copied >= MIN_COPIES && copied as f64 >= MIN_COPIED_SHARE.max(chance) * n as f64).then(|| {
            format!(
                "{copied} of {n} gate rows are copies of rows that are learned from (every feature and the target are equal), so \
                 the metrics flatter: [split] by = \"row\" keeps equal rows on one side, by = \"column\" those with the same \
                 value of a column"
            )
        }))
    }

    /// Says where 32-bit numbers are too coarse for the target.
    pub(super) fn coarse(&self) -> Option<String> {
        let Some(Values::Number(values)) = self.table.column(&self.target.name).map(|c| &c.values) else { return None };
        if self.target.task != Task::Regression {
            return None;
        }
        let deviation = moments::variance(values).sqrt();
        let largest = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        let step = f64::from((largest as f32).next_up() - largest as f32);
        (step > MAX_STEP * deviation).then(|| {
            format!(
                "column {:?} has values up to {largest:e} that differ by {deviation:.3} (standard deviation); models hold 32-bit \
                 numbers, which go in steps of {step} there: subtract a constant from the column",
                self.target.name
            )
        })
    }
}

/// How many distinct cells a column has, missing ones being one.
fn distinct(column: &Column) -> f64 {
    let count = match &column.values {
        Values::Number(v) => v.iter().map(|x| x.to_bits()).collect::<HashSet<_>>().len(),
        Values::Time(v) => v.iter().collect::<HashSet<_>>().len(),
        Values::Category(c) => c.codes.iter().collect::<HashSet<_>>().len(),
        Values::Text(t) => t.iter().collect::<HashSet<_>>().len(),
    };
    count.max(1) as f64
}
