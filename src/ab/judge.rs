//! The comparisons of the arms in one outcome.

use super::estimate::{Estimate, Gathered, Single, compare, pooled};
use super::family::{self, Shares};
use super::lift;
use super::quantile::Ranked;
use super::report::{AnalysisSettings, ArmOutcome, Comparison, FixedTest, Lift};
use super::sequential::{Always, Bounded, Sequential, is_enough, n_to_enough};
use super::units::{Kind, Outcome, Units};
use crate::stats::bivariate::Bivariate;
use crate::stats::contrast::{self, Test};
use crate::stats::normal;
use crate::stats::sequence::Sequence;
use crate::stats::tails;
use crate::stats::two_shares::TwoShares;

/// A mean below this share of the spread of the values is a rounding error.
const ROUNDING: f64 = 1e-12;

/// Compares the arms of one outcome.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) units: &'a Units,
    pub(super) outcome: &'a Outcome,
    pub(super) settings: &'a AnalysisSettings,
    pub(super) raw: &'a Gathered,
    /// The outcome, adjusted if that was requested.
    pub(super) measured: &'a Outcome,
    pub(super) single: Option<&'a Single>,
    /// The values, for a quantile.
    pub(super) ranked: Option<&'a Ranked>,
    /// The number of comparisons by which the error of each is divided, once p-values are known.
    pub(super) shares: Option<&'a [Shares]>,
}

impl Judge<'_> {
    /// The confidence sequence for a comparison with an arm: `n` of `n_all` units with a known outcome are in both
    /// arms.
    fn sequential(&self, arm: usize, n: f64, n_all: f64) -> Sequential {
        let planned = self.settings.planned_n.map_or(n, |planned| planned as f64 * n / n_all);
        let family = if self.settings.correct { self.units.outcomes.len() } else { 1 };
        let all = family * (self.units.arms.len() - 1);
        let shared = self.shares.and_then(|shares| shares.get(arm - 1)).map_or(all, |[always, _]| *always);
        let sequence = Sequence::tuned(self.settings.alpha, planned.max(1.0)).shared_by(shared);
        Sequential { sequence, bounded: self.measured.bounds.is_some() }
    }

    /// The arms of a bounded outcome in a comparison; `None` unless all units are in one stratum.
    fn bounded(&self, gathered: &Gathered, arm: usize) -> Option<Bounded> {
        let (low, high) = self.measured.bounds?;
        let mut both = gathered.iter().filter(|stratum| [0, arm].iter().all(|&arm| stratum[arm].n() > 0.0));
        let (stratum, None) = (both.next()?, both.next()) else { return None };
        let cells = [0, arm].map(|arm| stratum[arm]);
        let share = |cell: &Bivariate| ((cell.sum() - low * cell.n()) / (high - low)).clamp(0.0, cell.n());
        let two = TwoShares { k: [share(&cells[0]), share(&cells[1])], n: cells.map(|cell| cell.n()) };
        Some(Bounded { two, range: high - low })
    }

    fn n_all(&self) -> f64 {
        (0..self.units.arms.len()).map(|arm| pooled(self.raw, arm).n()).sum()
    }

    /// Each other arm compared with the first, on the measured outcome.
    pub(super) fn comparisons(&self, gathered: &Gathered) -> Vec<Comparison> {
        let mut comparisons = self.each(gathered);
        family::adjust(&mut comparisons);
        if self.settings.correct || comparisons.len() < 2 {
            return comparisons;
        }
        let shares = family::shares(&comparisons, self.settings.alpha);
        self.at_shares(gathered, comparisons, &shares)
    }

    /// The same without correction for multiple testing.
    pub(super) fn each(&self, gathered: &Gathered) -> Vec<Comparison> {
        let of = |arm| self.comparison(arm, compare(gathered, arm, self.single));
        (1..self.units.arms.len()).map(of).collect()
    }

    fn comparison(&self, arm: usize, found: Option<Estimate>) -> Comparison {
        let names = &self.units.arms;
        let is_number = |found: &Estimate| found.difference.is_finite() && found.error.is_finite();
        let Some(found) = found.filter(is_number) else { return self.nothing(arm) };
        let sequential = self.sequential(arm, found.n, self.n_all());
        let always = self.always(arm, sequential, &found);
        let lift = match self.ranked {
            Some(ranked) => ranked.lift(arm, sequential.sequence, self.shares(arm), found.means),
            None => lift::of(&found, always.reach, (always.low, always.high), self.is_positive()),
        };
        Comparison {
            arm: names[arm].clone(),
            against: names[0].clone(),
            n: found.n as u64,
            difference: found.difference,
            error: found.error,
            low: always.low,
            high: always.high,
            p: always.p,
            p_holm: f64::NAN,
            lift: lift.map(|(value, low, high)| Lift { value, low, high }),
            fixed: self.fixed(arm, &found),
            enough: match self.ranked {
                Some(_) => always.low.is_finite() && always.high.is_finite(),
                None => is_enough(&found),
            },
            n_to_enough: n_to_enough(&found),
            n_to_exclude_zero: sequential.n_to_exclude_zero(&found),
        }
    }

    /// The always-valid result of a comparison.
    fn always(&self, arm: usize, of: Sequential, found: &Estimate) -> Always {
        match self.ranked {
            Some(ranked) => ranked.always(arm, self.units.n(), of.sequence, self.shares(arm)),
            None => of.of(found, self.bounded(self.raw, arm).as_ref()),
        }
    }

    /// The shares by which units are assigned to the arms of a comparison.
    fn shares(&self, arm: usize) -> [f64; 2] {
        let shares = &self.units.strata[0].shares;
        [shares[0], shares[arm]]
    }

    /// Whether no value is negative; then the outcome is assumed to be non-negative.
    fn is_positive(&self) -> bool {
        let is_below = |values: &[f64]| values.iter().any(|value| *value < 0.0);
        !is_below(&self.outcome.y) && !self.outcome.x.as_deref().is_some_and(is_below)
    }

    /// A comparison without data.
    fn nothing(&self, arm: usize) -> Comparison {
        let names = &self.units.arms;
        Comparison {
            arm: names[arm].clone(),
            against: names[0].clone(),
            n: (pooled(self.raw, 0).n() + pooled(self.raw, arm).n()) as u64,
            difference: f64::NAN,
            error: f64::NAN,
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
            p: 1.0,
            p_holm: 1.0,
            lift: None,
            fixed: FixedTest {
                test: "none".to_owned(),
                statistic: None,
                freedom: None,
                p: None,
                p_holm: None,
                interval: None,
            },
            enough: false,
            n_to_enough: None,
            n_to_exclude_zero: None,
        }
    }

    /// The sum of an arm; for a share, it is a count.
    fn sum(&self, arm: &Bivariate) -> f64 {
        if self.outcome.kind == Kind::Share { arm.sum().round() } else { arm.sum() }
    }

    /// The test for a single look, with the interval that excludes 0 exactly if p is below α. Over several strata, and
    /// for ratios, it is the z of the estimate itself.
    fn fixed(&self, arm: usize, found: &Estimate) -> FixedTest {
        let sides = [0, arm].map(|arm| pooled(self.raw, arm));
        let counts = sides.map(|side| (self.sum(&side), side.n()));
        let strata = self.raw.iter().filter(|stratum| stratum.iter().any(|cell| cell.n() > 0.0)).count();
        let plain = compare(self.raw, arm, None).unwrap_or(*found);
        let shared = self.shares.and_then(|shares| shares.get(arm - 1)).map_or(1, |[_, fixed]| *fixed);
        let alpha = self.settings.alpha / shared as f64;
        let z = normal::quantile(1.0 - alpha / 2.0);
        let about =
            |reach: f64| (plain.difference - reach * plain.own_error, plain.difference + reach * plain.own_error);
        let ranked = self.ranked.map(|ranked| ranked.single_look(arm, alpha));
        let (name, test, interval) = match (self.outcome.kind, ranked) {
            (_, Some((test, interval))) => ("z", test, interval),
            (Kind::Share, _) if strata == 1 => {
                let two = TwoShares { k: counts.map(|(k, _)| k), n: counts.map(|(_, n)| n) };
                ("two_proportion_z", contrast::two_proportions(counts[1], counts[0]), two.score_interval(z))
            }
            (Kind::Mean, _) if strata == 1 => {
                let test = contrast::welch(&sides[1], &sides[0]);
                let reach = test.freedom.map_or(f64::NAN, |freedom| tails::student_above(alpha, freedom));
                ("welch_t", test, about(reach))
            }
            _ => {
                let own = plain.own_z();
                ("z", Test { statistic: own, freedom: None, p: normal::two_sided_p(own) }, about(z))
            }
        };
        let interval = (test.p.is_finite() && interval.0.is_finite() && interval.1.is_finite()).then_some(interval);
        FixedTest { interval, ..fixed_test(name, test) }
    }

    pub(super) fn all_arms(&self) -> Option<FixedTest> {
        let groups: Vec<(f64, f64)> =
            (0..self.units.arms.len()).map(|arm| pooled(self.raw, arm)).map(|arm| (self.sum(&arm), arm.n())).collect();
        (self.outcome.kind == Kind::Share).then(|| fixed_test("chi_squared", contrast::homogeneity(&groups)))
    }

    pub(super) fn arms(&self) -> Vec<ArmOutcome> {
        let counts = self.units.counts();
        let of = |(arm, name): (usize, &String)| {
            let all = pooled(self.raw, arm);
            let n_units: f64 = counts.iter().map(|stratum| stratum[arm]).sum();
            let error = all.ratio_variance().sqrt();
            // A quantile of 0 is the mean of values that cancel up to rounding.
            let is_rounding =
                self.outcome.kind == Kind::Quantile && all.ratio().abs() < ROUNDING * error * all.n().sqrt();
            let exact = |value: f64| if is_rounding { 0.0 } else { value };
            ArmOutcome {
                name: name.clone(),
                n: all.n() as u64,
                n_missing: (n_units - all.n()) as u64,
                sum: exact(self.sum(&all)),
                mean: if all.n() > 0.0 { exact(all.ratio()) } else { f64::NAN },
                error,
            }
        };
        self.units.arms.iter().enumerate().map(of).collect()
    }
}

fn fixed_test(name: &str, test: Test) -> FixedTest {
    FixedTest {
        test: name.to_owned(),
        statistic: finite(test.statistic),
        freedom: test.freedom.and_then(finite),
        p: finite(test.p),
        p_holm: None,
        interval: None,
    }
}

fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}
