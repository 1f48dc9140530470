//! Several fits at a time: folds, and the members of a model.

use super::PipelineError;
use super::trainer::Trainer;
use crate::threads;
use std::sync::{Mutex, PoisonError};

/// Up to this many cells (rows times columns), several fits run at a time: the features of one fit then need tens of
/// megabytes.
pub(super) const MOST_CELLS_AT_ONCE: usize = 4_000_000;

/// The progress of each of several fits: steps done, and steps in total.
struct Shares(Mutex<Vec<(u64, u64)>>);

impl Shares {
    /// Records the progress of one fit; returns that of all fits together.
    fn set(&self, at: usize, done: u64, most: u64) -> (u64, u64) {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shares[at] = (done, most);
        // Fits that have not begun are expected to take as long.
        let most = shares.iter().map(|(_, of)| if *of > 0 { *of } else { most }).sum();
        (shares.iter().map(|(done, _)| done).sum(), most)
    }

    /// A fit that stopped early has no steps left.
    fn finish(&self, at: usize) {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shares[at].0 = shares[at].1;
    }
}

impl Trainer<'_> {
    /// Does `work` for each of `items`, several at a time if there are at most [`MOST_CELLS_AT_ONCE`] cells, with one
    /// progress for all.
    ///
    /// # Errors
    /// The error of the first item that has one.
    pub(super) fn each<T: Sync, R: Send>(
        &self,
        items: &[T],
        n_cells: usize,
        work: impl Fn(&Trainer<'_>, &T) -> Result<R, PipelineError> + Sync,
    ) -> Result<Vec<R>, PipelineError> {
        if n_cells > MOST_CELLS_AT_ONCE {
            return items.iter().map(|item| work(self, item)).collect();
        }
        let shares = Shares(Mutex::new(vec![(0, 0); items.len()]));
        let numbered: Vec<(usize, &T)> = items.iter().enumerate().collect();
        let found = threads::side_by_side(&numbered, |&(at, item)| {
            let progress = |what: &str, done: u64, most: u64| {
                let (done, most) = shares.set(at, done, most);
                (self.progress)(what, done, most);
            };
            let found = work(&self.telling(&progress), item);
            shares.finish(at);
            found
        });
        found.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_of_several_fits_is_that_of_all() {
        let shares = Shares(Mutex::new(vec![(0, 0); 3]));
        // The two fits that have not begun are expected to take as long.
        assert_eq!(shares.set(0, 10, 100), (10, 300));
        assert_eq!(shares.set(1, 5, 40), (15, 180));
        // A fit that stops early is done.
        shares.finish(0);
        assert_eq!(shares.set(1, 40, 40), (140, 180));
        assert_eq!(shares.set(2, 1, 100), (141, 240));
    }
}
