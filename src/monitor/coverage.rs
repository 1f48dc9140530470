//! Whether intervals and sets still hold what came of rows.

use super::arrive::Arrived;
use super::sample::{LEVEL, Scored};
use super::watch::Watch;
use crate::drift::report::{Finding, FindingKind};
use crate::features::Task;
use crate::stats::tails;

/// Fewer known outcomes than this say nothing.
const MIN_OUTCOMES: usize = 30;
/// A coverage this far below the level matters.
const MATTERS: f64 = 0.02;
/// Chance of a finding where the level holds.
const ALPHA: f64 = 0.01;

/// How many of some rows had the truth in their interval.
struct Held {
    n: usize,
    share: f64,
    /// So many rows of equal weight would say as much.
    n_effective: f64,
}

impl Held {
    /// Of rows that the version did not learn from; `None` for too few.
    fn of(rows: &[Scored]) -> Option<Self> {
        let known = rows.iter().filter(|row| !row.learned);
        let known: Vec<(bool, f64)> = known.filter_map(|row| Some((row.held?, row.outcome?.weight))).collect();
        if known.len() < MIN_OUTCOMES {
            return None;
        }
        let whole: f64 = known.iter().map(|(_, weight)| weight).sum();
        let squares: f64 = known.iter().map(|(_, weight)| weight * weight).sum();
        let held: f64 = known.iter().filter(|(held, _)| *held).map(|(_, weight)| weight).sum();
        Some(Self { n: known.len(), share: held / whole, n_effective: whole * whole / squares })
    }

    /// The chance that so few or fewer are held where the level holds.
    fn p(&self) -> f64 {
        let n = self.n_effective.round();
        let most = (self.share * n).round() as u64;
        (0..=most).map(|k| tails::binomial(k as f64, n, LEVEL)).sum()
    }
}

impl Watch<'_> {
    /// A finding where intervals hold the truth of surely fewer rows than they should.
    pub(super) fn coverage(&self, arrived: &Arrived) -> Option<Finding> {
        let held = Held::of(arrived.sample.rows())?;
        let what = match self.production.as_ref()?.pipeline.target.task {
            Task::Regression => "intervals",
            Task::Binary | Task::Multiclass => "sets",
        };
        (held.share < LEVEL - MATTERS && held.p() <= ALPHA).then(|| Finding {
            kind: FindingKind::Coverage,
            column: None,
            text: format!(
                "90 % {what} hold the truth of {:.1} % of {} rows whose outcome is known: answers are further off than when \
                 the version was trained",
                held.share * 100.0,
                held.n
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, Scored};
    use crate::journal::Outcome;

    fn rows(n: usize, held: usize, weight: f64) -> Vec<Scored> {
        let outcome = || Some(Outcome { y: 1.0, weight });
        (0..n)
            .map(|row| Scored {
                id: None,
                name: None,
                about: None,
                scores: vec![0.5],
                outcome: outcome(),
                learned: false,
                held: Some(row < held),
            })
            .collect()
    }

    #[test]
    fn few_that_are_held_are_unlikely() {
        // scipy.stats.binom.cdf(80, 100, .9) and (90, 100, .9)
        let p = |held| Held::of(&rows(100, held, 1.0)).unwrap().p();
        assert!((p(80) - 0.001_978_56).abs() < 1e-7 && (p(90) - 0.548_709_8).abs() < 1e-6, "{} {}", p(80), p(90));
        assert!(Held::of(&rows(29, 10, 1.0)).is_none());
        let mut learned = rows(100, 50, 1.0);
        learned.iter_mut().for_each(|row| row.learned = true);
        assert!(Held::of(&learned).is_none());
        // Rows that one row outweighs say less.
        let mut uneven = rows(100, 80, 1.0);
        uneven[99].outcome = Some(Outcome { y: 1.0, weight: 20.0 });
        let found = Held::of(&uneven).unwrap();
        assert!(found.n_effective < 30.0 && (found.share - 80.0 / 119.0).abs() < 1e-12);
    }
}
