//! From units to a report: the distribution over the arms first, then each outcome, then the answer.

use super::estimate::{self, Estimate, Gathered, compare, pooled};
use super::report::{
    AnalysisSettings, ArmFacts, ArmOutcome, Comparison, Cuped, Effect, FixedTest, Lift, Look, OutcomeReport, Srm,
    SrmState,
};
use super::units::{Kind, Outcome, Units, When};
use super::verdict;
use crate::stats::bivariate::Bivariate;
use crate::stats::contrast::{self, Test};
use crate::stats::normal;
use crate::stats::sequence::Sequence;
use rayon::prelude::*;

/// Below this p the distribution over the arms is a warning.
const SRM_WARNING: f64 = 0.01;
/// Below this p it stops the report.
const SRM_STOP: f64 = 0.001;
/// Looks that are drawn.
const N_LOOKS: usize = 48;
/// Fewest units of an arm for a normal approximation.
const MIN_UNITS: f64 = 30.0;
/// Fewest units of either kind, over both arms, for that of a share.
const MIN_OF_EITHER: f64 = 5.0;
/// Numbers of units beyond are as good as never.
const MAX_N: f64 = 1e12;

/// Units against what was to be expected: χ² by stratum, added up.
pub(super) fn sample_ratio(units: &Units) -> (Srm, Vec<ArmFacts>) {
    let counts = units.counts();
    let (mut statistic, mut freedom) = (0.0, 0.0);
    let mut expected = vec![0.0; units.arms.len()];
    for (stratum, counts) in units.strata.iter().zip(&counts) {
        let n: f64 = counts.iter().sum();
        if n > 0.0 {
            let test = contrast::fit(counts, &stratum.shares);
            statistic += test.statistic;
            freedom += test.freedom.unwrap_or(0.0);
        }
        expected.iter_mut().zip(&stratum.shares).for_each(|(all, share)| *all += n * share);
    }
    let p = if freedom > 0.0 { crate::stats::tails::chi_squared(statistic, freedom) } else { 1.0 };
    let state = match p {
        p if p < SRM_STOP => SrmState::Stop,
        p if p < SRM_WARNING => SrmState::Warning,
        _ => SrmState::Ok,
    };
    let arm = |(arm, name): (usize, &String)| {
        let n: f64 = counts.iter().map(|stratum| stratum[arm]).sum();
        ArmFacts {
            name: name.clone(),
            control: arm == 0,
            version: None,
            n_units: n as u64,
            n_expected: expected[arm],
            share: n / units.n().max(1) as f64,
        }
    };
    (Srm { statistic, freedom, p, state }, units.arms.iter().enumerate().map(arm).collect())
}

/// Every outcome of the units, the first as the one that decides.
pub(super) fn outcomes(units: &Units, settings: &AnalysisSettings) -> Vec<OutcomeReport> {
    units.outcomes.par_iter().enumerate().map(|(i, outcome)| of_outcome(units, outcome, i == 0, settings)).collect()
}

fn of_outcome(units: &Units, outcome: &Outcome, primary: bool, settings: &AnalysisSettings) -> OutcomeReport {
    let raw = estimate::gather(units, outcome);
    let adjusted = estimate::adjust(units, outcome);
    let measured = adjusted.as_ref().map_or(outcome, |adjusted| &adjusted.outcome);
    let gathered = if adjusted.is_some() { estimate::gather(units, measured) } else { raw.clone() };
    let judge = Judge { units, outcome, settings, raw: &raw };
    let mut comparisons: Vec<Comparison> =
        (1..units.arms.len()).map(|arm| judge.comparison(arm, compare(&gathered, arm))).collect();
    holm(&mut comparisons);
    let arms: Vec<ArmOutcome> = judge.arms();
    let cuped = adjusted.as_ref().zip(outcome.pre.as_ref()).map(|(adjusted, (column, _))| Cuped {
        column: column.clone(),
        theta: adjusted.theta,
        variance_reduction: adjusted.reduction,
        n_unknown: adjusted.n_unknown,
        unadjusted: (1..units.arms.len())
            .map(|arm| compare(&raw, arm).map_or(f64::NAN, |found| found.difference))
            .collect(),
    });
    let verdict = verdict::of(outcome, &arms, &comparisons, settings, units.n() as u64);
    OutcomeReport {
        name: outcome.name.clone(),
        primary,
        kind: outcome.kind,
        goal: outcome.goal,
        verdict,
        all_arms: judge.all_arms(),
        looks: judge.looks(measured),
        arms,
        comparisons,
        cuped,
    }
}

/// Holm over the comparisons, for both kinds of p.
fn holm(comparisons: &mut [Comparison]) {
    let always = contrast::holm(&comparisons.iter().map(|c| c.p).collect::<Vec<_>>());
    let fixed = contrast::holm(&comparisons.iter().map(|c| c.fixed.p.unwrap_or(f64::NAN)).collect::<Vec<_>>());
    for (comparison, (always, fixed)) in comparisons.iter_mut().zip(always.into_iter().zip(fixed)) {
        comparison.p_holm = always;
        comparison.fixed.p_holm = finite(fixed);
    }
}

struct Judge<'a> {
    units: &'a Units,
    outcome: &'a Outcome,
    settings: &'a AnalysisSettings,
    raw: &'a Gathered,
}

impl Judge<'_> {
    /// The sequence for a comparison of `n` units among `n_all`, both with a known outcome.
    fn sequence(&self, n: f64, n_all: f64) -> Sequence {
        let planned = self.settings.planned_n.map_or(n, |planned| planned as f64 * n / n_all);
        Sequence::tuned(self.settings.alpha, planned.max(1.0)).shared_by(self.units.arms.len() - 1)
    }

    fn n_all(&self) -> f64 {
        (0..self.units.arms.len()).map(|arm| pooled(self.raw, arm).n()).sum()
    }

    fn comparison(&self, arm: usize, found: Option<Estimate>) -> Comparison {
        let names = &self.units.arms;
        let Some(found) = found else { return self.nothing(arm) };
        let sequence = self.sequence(found.n, self.n_all());
        let half = sequence.half_width(found.error, found.n);
        let reach = sequence.reach(found.n);
        let z = found.z();
        let enough = self.is_enough(arm);
        Comparison {
            arm: names[arm].clone(),
            against: names[0].clone(),
            n: found.n as u64,
            difference: found.difference,
            error: found.error,
            low: found.difference - half,
            high: found.difference + half,
            p: sequence.p(z, found.n),
            p_holm: f64::NAN,
            lift: found.lift(reach).map(|(value, low, high)| Lift { value, low, high }),
            fixed: self.fixed(arm, &found),
            enough,
            n_to_exclude_zero: sequence.n_to_exclude_zero(z, found.n, MAX_N).map(|n| n as u64),
        }
    }

    /// A comparison of arms that nothing is known of.
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
            n_to_exclude_zero: None,
        }
    }

    /// The sum of an arm; of a share it is a count.
    fn sum(&self, arm: &Bivariate) -> f64 {
        if self.outcome.kind == Kind::Share { arm.sum().round() } else { arm.sum() }
    }

    fn is_enough(&self, arm: usize) -> bool {
        let sides = [0, arm].map(|arm| pooled(self.raw, arm));
        let ones: f64 = sides.iter().map(Bivariate::sum).sum();
        let zeros = sides[0].n() + sides[1].n() - ones;
        let share = self.outcome.kind == Kind::Share;
        sides.iter().all(|side| side.n() >= MIN_UNITS) && (!share || ones.min(zeros) >= MIN_OF_EITHER)
    }

    /// The test for a single look. Over several strata, and for ratios, it is the z of the estimate itself.
    fn fixed(&self, arm: usize, found: &Estimate) -> FixedTest {
        let sides = [0, arm].map(|arm| pooled(self.raw, arm));
        let counts = sides.map(|side| (self.sum(&side), side.n()));
        let strata = self.raw.iter().filter(|stratum| stratum.iter().any(|cell| cell.n() > 0.0)).count();
        let (name, test) = match self.outcome.kind {
            Kind::Share if strata == 1 => ("two_proportion_z", contrast::two_proportions(counts[0], counts[1])),
            Kind::Mean if strata == 1 => ("welch_t", contrast::welch(&sides[0], &sides[1])),
            _ => {
                let plain = compare(self.raw, arm).unwrap_or(*found);
                let z = -plain.z();
                ("z", Test { statistic: z, freedom: None, p: normal::two_sided_p(z) })
            }
        };
        let plain = compare(self.raw, arm).unwrap_or(*found);
        let half = normal::quantile(1.0 - self.settings.alpha / 2.0) * plain.error;
        FixedTest { interval: Some((plain.difference - half, plain.difference + half)), ..fixed_test(name, test) }
    }

    fn all_arms(&self) -> Option<FixedTest> {
        let groups: Vec<(f64, f64)> =
            (0..self.units.arms.len()).map(|arm| pooled(self.raw, arm)).map(|arm| (self.sum(&arm), arm.n())).collect();
        (self.outcome.kind == Kind::Share).then(|| fixed_test("chi_squared", contrast::homogeneity(&groups)))
    }

    fn arms(&self) -> Vec<ArmOutcome> {
        let counts = self.units.counts();
        let of = |(arm, name): (usize, &String)| {
            let all = pooled(self.raw, arm);
            let n_units: f64 = counts.iter().map(|stratum| stratum[arm]).sum();
            ArmOutcome {
                name: name.clone(),
                n: all.n() as u64,
                n_missing: (n_units - all.n()) as u64,
                sum: self.sum(&all),
                mean: if all.n() > 0.0 { all.ratio() } else { f64::NAN },
                error: all.ratio_variance().sqrt(),
            }
        };
        self.units.arms.iter().enumerate().map(of).collect()
    }

    /// The effect after each of some numbers of units, the last being all.
    fn looks(&self, measured: &Outcome) -> Vec<Look> {
        let n = self.units.n();
        let mut gathered = estimate::empty(self.units);
        let n_all = self.n_all();
        // The sequence is the one of the last look: it was tuned before the first.
        let sequences: Vec<Option<Sequence>> = (1..self.units.arms.len())
            .map(|arm| compare(self.raw, arm).map(|found| self.sequence(found.n, n_all)))
            .collect();
        let n_looks = N_LOOKS.min(n);
        let mut done = 0;
        let mut looks = Vec::with_capacity(n_looks);
        for look in 1..=n_looks {
            let end = n * look / n_looks;
            (done..end).for_each(|unit| estimate::add(&mut gathered, self.units, measured, unit));
            done = end;
            let effect = |(i, sequence): (usize, &Option<Sequence>)| {
                let found = compare(&gathered, i + 1).filter(|found| found.error > 0.0)?;
                let half = (*sequence)?.half_width(found.error, found.n);
                Some(Effect {
                    difference: found.difference,
                    low: found.difference - half,
                    high: found.difference + half,
                })
            };
            let effects = sequences.iter().enumerate().map(effect).collect();
            looks.push(Look { n: end as u64, at: self.at(end - 1), effects });
        }
        looks
    }

    fn at(&self, unit: usize) -> Option<String> {
        Some(match self.units.at.as_ref()? {
            When::Time(at) => jiff::Timestamp::from_microsecond(at[unit]).ok()?.to_string(),
            When::Number(at) => at[unit].to_string(),
        })
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

/// Within each stratum alone: each other arm's difference from the first and its standard error.
pub(super) fn by_stratum(units: &Units, outcome: &Outcome) -> Vec<Vec<Option<(f64, f64)>>> {
    let alone = |stratum: Vec<Bivariate>| {
        let gathered = vec![stratum];
        (1..units.arms.len()).map(|arm| compare(&gathered, arm).map(|found| (found.difference, found.error))).collect()
    };
    estimate::gather(units, outcome).into_iter().map(alone).collect()
}
