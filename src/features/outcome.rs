//! The target as the encoders of columns see it: averaged values per row, and the folds of rows.

use super::target::{Target, Task};
use crate::stats::random::hash64;

/// Training rows take their target statistics from the other folds.
pub(super) const FOLDS: usize = 5;

/// Up to this many classes each have a target statistic; with more classes, only the most frequent ones.
const MAX_CLASS_STATISTICS: usize = 10;

/// The target in the form that statistics use.
pub(super) struct Outcome<'a> {
    y: &'a [f32],
    task: Task,
    /// Rows of the table; synthetic rows follow.
    n_real: usize,
    seed: u64,
    /// The averaged values: one 0/1 outcome per class, or the value.
    classes: Vec<u32>,
    names: Vec<String>,
    /// Fold of each row.
    folds: Vec<u8>,
}

impl<'a> Outcome<'a> {
    /// Rows with the same key in `groups` are in one fold; `groups` has one key per row that is not synthetic.
    pub(super) fn new(target: &Target, y: &'a [f32], seed: u64, groups: Option<&[u64]>) -> Self {
        let (classes, names) = match target.task {
            Task::Regression => (Vec::new(), vec![format!("mean of {}", target.name)]),
            Task::Binary => (vec![1], vec![format!("share of {}", target.classes[1])]),
            Task::Multiclass => {
                let classes = most_frequent(y, target.classes.len());
                let names = classes.iter().map(|&c| format!("share of {}", target.classes[c as usize]));
                (classes.clone(), names.collect())
            }
        };
        let key = |row: usize| groups.and_then(|groups| groups.get(row).copied()).unwrap_or(row as u64);
        let folds = (0..y.len()).map(|row| (hash64(&key(row).to_le_bytes(), seed) % FOLDS as u64) as u8).collect();
        Self { y, task: target.task, n_real: y.len(), seed, classes, names, folds }
    }

    /// The same, with the last `n_made` rows synthetic.
    pub(super) fn with_made(self, n_made: usize) -> Self {
        Self { n_real: self.y.len() - n_made, ..self }
    }

    /// Number of rows that are not synthetic; they come first.
    pub(super) fn n_real(&self) -> usize {
        self.n_real
    }

    /// The seed of the folds.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn task(&self) -> Task {
        self.task
    }

    /// The name of each output.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of the score of an output.
    pub(super) fn score_name(&self, output: usize) -> String {
        let name = &self.names[output];
        let of = name.strip_prefix("share of ").or_else(|| name.strip_prefix("mean of ")).unwrap_or(name);
        format!("score of {of}")
    }

    /// Whether the label of a row is missing.
    pub(super) fn is_open(&self, row: usize) -> bool {
        self.y[row].is_nan()
    }

    /// Fold of each row.
    pub(super) fn folds(&self) -> &[u8] {
        &self.folds
    }

    /// The outcome of a row, 0 or 1 for a class.
    pub(super) fn value(&self, row: usize, output: usize) -> f64 {
        let y = self.y[row];
        match self.classes.get(output) {
            Some(&class) => f64::from(u8::from(y == class as f32)),
            None => f64::from(y),
        }
    }
}

/// The classes that get a statistic, ascending.
fn most_frequent(y: &[f32], n_classes: usize) -> Vec<u32> {
    let mut counts = vec![0_u64; n_classes];
    for &class in y.iter().filter(|v| !v.is_nan()) {
        if let Some(count) = counts.get_mut(class as usize) {
            *count += 1;
        }
    }
    let mut order: Vec<u32> = (0..n_classes as u32).collect();
    order.sort_by_key(|&c| (std::cmp::Reverse(counts[c as usize]), c));
    order.truncate(MAX_CLASS_STATISTICS);
    order.sort_unstable();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_most_frequent_classes_have_statistics() {
        let y: Vec<f32> = (0..12).flat_map(|c| vec![c as f32; if c == 3 || c == 7 { 1 } else { 4 }]).collect();
        assert_eq!(most_frequent(&y, 12), [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]);
        assert_eq!(most_frequent(&[f32::NAN], 2), [0, 1]);
    }
}
