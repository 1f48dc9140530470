//! Whether prediction intervals and sets still contain the true values.
//!
//! Rows of one entity tend to be covered or missed together: n of them count as n ∕ design effect (Kish 1965). This is
//! the variance over entities divided by that of independent rows, times (t ∕ z)², because a variance estimated from
//! few entities is uncertain.

use super::arrive::Arrived;
use super::sample::{LEVEL, Scored};
use super::watch::Watch;
use crate::drift::report::{Finding, FindingKind};
use crate::features::Task;
use crate::stats::normal;
use crate::stats::tails::{self, student_above};
use std::collections::HashMap;

/// Minimum number of known outcomes.
const MIN_OUTCOMES: usize = 30;
/// A coverage this far below the level is relevant.
const MATTERS: f64 = 0.02;
/// Probability of a finding if the coverage is correct.
const ALPHA: f64 = 0.01;

/// The number of rows whose interval contains the true value.
struct Held {
    n: usize,
    share: f64,
    /// The effective number of rows of equal weight.
    n_effective: f64,
}

impl Held {
    /// The coverage of rows that the version was not trained on; `None` if there are too few.
    fn of(rows: &[Scored]) -> Option<Self> {
        let known = rows.iter().filter(|row| !row.learned);
        let known: Vec<(bool, f64)> = known.filter_map(|row| Some((row.held?, row.outcome?.weight))).collect();
        if known.len() < MIN_OUTCOMES {
            return None;
        }
        let whole: f64 = known.iter().map(|(_, weight)| weight).sum();
        let squares: f64 = known.iter().map(|(_, weight)| weight * weight).sum();
        let held: f64 = known.iter().filter(|(held, _)| *held).map(|(_, weight)| weight).sum();
        let (share, n) = (held / whole, whole * whole / squares);
        let misses = rows.iter().filter(|row| !row.learned).filter_map(|row| {
            let (held, weight) = (row.held?, row.outcome?.weight);
            Some((row.about, weight / whole * (f64::from(u8::from(held)) - share)))
        });
        let effect = design_effect(misses, share * (1.0 - share) / n);
        Some(Self { n: known.len(), share, n_effective: n / effect })
    }

    /// The probability that so few rows or fewer are covered if the level is correct.
    fn p(&self) -> f64 {
        let n = self.n_effective.round();
        let most = (self.share * n).round() as u64;
        (0..=most).map(|k| tails::binomial(k as f64, n, LEVEL)).sum()
    }
}

/// The design effect: the variance of a mean of rows divided by `independent`, the variance for independent rows; at
/// least 1. `parts` are each row's contribution to the mean, with its entity. 1 if no two rows share an entity.
fn design_effect(parts: impl Iterator<Item = (Option<u64>, f64)>, independent: f64) -> f64 {
    let (mut of_things, mut rest, mut n_rows) = (HashMap::<u64, f64>::new(), 0.0, 0);
    let mut alone = 0;
    for (about, part) in parts {
        n_rows += 1;
        match about {
            Some(about) => *of_things.entry(about).or_default() += part,
            None => {
                alone += 1;
                rest += part * part;
            }
        }
    }
    let n = of_things.len() + alone;
    if n == n_rows || independent <= 0.0 {
        return 1.0;
    }
    if n < 2 {
        return f64::INFINITY;
    }
    // In order of size, so that sums are reproducible.
    let mut sums: Vec<f64> = of_things.into_values().map(|sum| sum * sum).collect();
    sums.sort_unstable_by(f64::total_cmp);
    let freedom = n as f64 - 1.0;
    let variance = (sums.iter().sum::<f64>() + rest) * n as f64 / freedom;
    let few = student_above(2.0 * ALPHA, freedom) / normal::quantile(1.0 - ALPHA);
    (variance / independent * few * few).max(1.0)
}

impl Watch<'_> {
    /// A finding if intervals contain the true value of significantly fewer rows than they should.
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
                "90 % {what} contain the true value of only {:.1} % of {} labelled rows: errors are larger than when \
                 the version was trained",
                // Avoids -0.0 for a share of none.
                held.share * 100.0 + 0.0,
                held.n
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ALPHA, Held, LEVEL, MATTERS, Scored};
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
        // If one row outweighs the others, the effective number is lower.
        let mut uneven = rows(100, 80, 1.0);
        uneven[99].outcome = Some(Outcome { y: 1.0, weight: 20.0 });
        let found = Held::of(&uneven).unwrap();
        assert!(found.n_effective < 30.0 && (found.share - 80.0 / 119.0).abs() < 1e-12);
    }

    #[test]
    fn rows_of_one_customer_are_held_together() {
        let of = |rows: &mut Vec<Scored>, size: usize| {
            rows.iter_mut().enumerate().for_each(|(row, scored)| scored.about = Some((row / size) as u64));
            Held::of(rows).unwrap()
        };
        // Ten of fifty customers are missed in all of their rows: this counts as 10 of 50 rows, or fewer because there
        // are few customers.
        let mut rows = rows(1000, 800, 1.0);
        let (alone, together) = (Held::of(&rows).unwrap(), of(&mut rows, 20));
        assert!(alone.p() < 1e-20 && (30.0..50.0).contains(&together.n_effective), "{}", together.n_effective);
        assert!((0.01..0.1).contains(&together.p()), "{}", together.p());
        // One missed customer among 500 whose rows are independent.
        rows.iter_mut().enumerate().for_each(|(row, scored)| scored.held = Some(row % 5 != 0));
        let apart = of(&mut rows, 20);
        assert!(apart.n_effective > 900.0 && apart.p() < 1e-10, "{}", apart.n_effective);
        assert!(of(&mut rows, 1000).n_effective < 1e-9);
    }

    /// Weeks of 50 new customers with 20 rows each in which the level is correct, and a customer's rows are covered or
    /// missed together.
    #[test]
    fn quiet_weeks_of_customers_are_seldom_found() {
        use crate::stats::random::rng;
        use rand::Rng;
        let mut random = rng(5, "coverage of customers");
        let mut found = [0, 0];
        for _ in 0..400 {
            let mut week = rows(1000, 0, 1.0);
            for (customer, of_one) in week.chunks_mut(20).enumerate() {
                let usual = random.gen_bool(0.9);
                for row in of_one {
                    row.about = Some(customer as u64);
                    row.held = Some(if random.gen_bool(0.7) { usual } else { random.gen_bool(0.9) });
                }
            }
            let is_found = |held: &Held| usize::from(held.share < LEVEL - MATTERS && held.p() <= ALPHA);
            found[0] += is_found(&Held::of(&week).unwrap());
            week.iter_mut().for_each(|row| row.about = None);
            found[1] += is_found(&Held::of(&week).unwrap());
        }
        assert!(found[0] <= 10 && found[1] > 60, "{found:?} of 400 weeks at .01, by customer and by row");
    }
}
