//! From units to a report: first the sample ratio, then each outcome, then the verdict.

use super::estimate::{self, Adjusted, Gathered, Single, compare};
use super::family;
use super::judge::Judge;
use super::limits;
use super::quantile::{self, Ranked};
use super::report::{AnalysisSettings, Answer, ArmOutcome, Comparison, Cuped, Effect, Look, OutcomeReport, Verdict};
use super::units::{Kind, Outcome, Units, When};
use super::verdict;
use crate::stats::bivariate::Bivariate;
use rayon::prelude::*;

/// Number of looks drawn.
const N_LOOKS: usize = 48;

/// Every outcome of the units, the deciding one first.
///
/// Also returns notes for the user.
pub(super) fn outcomes(units: &Units, settings: &AnalysisSettings) -> (Vec<OutcomeReport>, Vec<String>) {
    let of = |(i, outcome)| of_outcome(units, outcome, i == 0, settings);
    let (mut reports, notes): (Vec<OutcomeReport>, Vec<Vec<String>>) =
        units.outcomes.par_iter().enumerate().map(of).unzip();
    if settings.correct {
        correct(units, settings, &mut reports);
    }
    (reports, notes.concat())
}

/// Holm's correction over all comparisons of all outcomes, for both kinds of p, and the resulting intervals and
/// verdicts.
fn correct(units: &Units, settings: &AnalysisSettings, reports: &mut [OutcomeReport]) {
    family::adjust(reports.iter_mut().flat_map(|report| &mut report.comparisons));
    let shares = family::shares(reports.iter().flat_map(|report| &report.comparisons), settings.alpha);
    let mut shares = shares.as_slice();
    for (report, outcome) in reports.iter_mut().zip(&units.outcomes) {
        let (own, rest) = shares.split_at(report.comparisons.len());
        shares = rest;
        let prepared = Prepared::of(units, outcome);
        let judge = prepared.judge(units, outcome, settings);
        report.comparisons = judge.at_shares(&prepared.gathered, std::mem::take(&mut report.comparisons), own);
        report.verdict = prepared.verdict(units, outcome, &report.arms, &report.comparisons, settings);
        // The last look includes all units.
        if let Some(look) = report.looks.last_mut() {
            look.effects = report.comparisons.iter().map(effect).collect();
        }
    }
}

fn effect(found: &Comparison) -> Option<Effect> {
    let known = found.low.is_finite() && found.high.is_finite();
    known.then_some(Effect { difference: found.difference, low: found.low, high: found.high })
}

fn of_outcome(
    units: &Units,
    outcome: &Outcome,
    primary: bool,
    settings: &AnalysisSettings,
) -> (OutcomeReport, Vec<String>) {
    let prepared = Prepared::of(units, outcome);
    let Prepared { raw, adjusted, gathered, .. } = &prepared;
    let judge = prepared.judge(units, outcome, settings);
    let comparisons = judge.comparisons(gathered);
    let arms: Vec<ArmOutcome> = judge.arms();
    let cuped = adjusted.as_ref().zip(outcome.pre.as_ref()).map(|(adjusted, (column, _))| Cuped {
        column: column.clone(),
        theta: adjusted.theta,
        variance_reduction: adjusted.reduction,
        n_unknown: adjusted.n_unknown,
        unadjusted: (1..units.arms.len())
            .map(|arm| compare(raw, arm, None).map_or(f64::NAN, |found| found.difference))
            .collect(),
    });
    let verdict = prepared.verdict(units, outcome, &arms, &comparisons, settings);
    let notes = judge.deciding_unit(gathered, &comparisons).into_iter().collect();
    let report = OutcomeReport {
        name: outcome.name.clone(),
        untold: outcome.untold.clone(),
        primary,
        kind: outcome.kind,
        goal: outcome.goal,
        verdict,
        all_arms: judge.all_arms(),
        looks: judge.looks(),
        arms,
        comparisons,
        cuped,
    };
    (report, notes)
}

/// One outcome, prepared for comparing arms.
struct Prepared {
    raw: Gathered,
    adjusted: Option<Adjusted>,
    /// Statistics of the adjusted outcome.
    gathered: Gathered,
    single: Option<Single>,
    ranked: Option<Ranked>,
}

impl Prepared {
    fn of(units: &Units, outcome: &Outcome) -> Self {
        let raw = estimate::gather(units, outcome);
        let adjusted = estimate::adjust(units, outcome);
        let measured = adjusted.as_ref().map_or(outcome, |adjusted| &adjusted.outcome);
        let gathered = if adjusted.is_some() { estimate::gather(units, measured) } else { raw.clone() };
        let single = Single::of(units, measured, outcome, &gathered);
        let ranked = Ranked::of(units, measured);
        Self { raw, adjusted, gathered, single, ranked }
    }

    fn judge<'a>(&'a self, units: &'a Units, outcome: &'a Outcome, settings: &'a AnalysisSettings) -> Judge<'a> {
        let measured = self.adjusted.as_ref().map_or(outcome, |adjusted| &adjusted.outcome);
        let (single, ranked) = (self.single.as_ref(), self.ranked.as_ref());
        Judge { units, outcome, settings, raw: &self.raw, measured, single, ranked, shares: None }
    }

    fn verdict(
        &self,
        units: &Units,
        outcome: &Outcome,
        arms: &[ArmOutcome],
        comparisons: &[Comparison],
        settings: &AnalysisSettings,
    ) -> Verdict {
        let found = verdict::of(outcome, arms, comparisons, settings, units.n() as u64);
        // Exact intervals may be within the margin without a single event.
        match self.single.is_some() && !is_one_value(outcome, arms) || found.answer == Answer::NoDifference {
            true => found,
            false => verdict::one_value(outcome, settings, arms),
        }
    }
}

/// Whether no unit or every unit has the outcome, so that the arms cannot be compared.
fn is_one_value(outcome: &Outcome, arms: &[ArmOutcome]) -> bool {
    let (n, ones) = arms.iter().fold((0.0, 0.0), |(n, ones), arm| (n + arm.n as f64, ones + arm.sum));
    outcome.kind == Kind::Share && (ones == 0.0 || ones == n)
}

impl Judge<'_> {
    /// The effect after several numbers of units, up to all: what a report would have shown then, given the final
    /// number of units.
    fn looks(&self) -> Vec<Look> {
        let n = self.units.n();
        let n_looks = N_LOOKS.min(n);
        let planned_n = Some(self.settings.planned_n.unwrap_or(n as u64));
        let settings = AnalysisSettings { planned_n, ..*self.settings };
        let look = |look: usize| {
            let end = n * look / n_looks;
            let mut units = self.units.first(end, self.outcome);
            let outcome = limits::capped_again(units.outcomes.remove(0));
            let outcome = quantile::of_part(outcome, &units.arm, units.arms.len());
            let prepared = Prepared::of(&units, &outcome);
            let comparisons = prepared.judge(&units, &outcome, &settings).comparisons(&prepared.gathered);
            Look { n: end as u64, at: self.at(end - 1), effects: comparisons.iter().map(effect).collect() }
        };
        (1..=n_looks).into_par_iter().map(look).collect()
    }

    fn at(&self, unit: usize) -> Option<String> {
        Some(match self.units.at.as_ref()? {
            When::Time(at) => jiff::Timestamp::from_microsecond(at[unit]).ok()?.to_string(),
            When::Number(at) => at[unit].to_string(),
        })
    }
}

/// In each stratum: the difference of each other arm from the first, and its standard error.
pub(super) fn by_stratum(units: &Units, outcome: &Outcome) -> Vec<Vec<Option<(f64, f64)>>> {
    let gathered = estimate::gather(units, outcome);
    let single = Single::of(units, outcome, outcome, &gathered);
    let alone = |stratum: Vec<Bivariate>| {
        let alone = vec![stratum];
        let of = |arm| compare(&alone, arm, single.as_ref()).map(|found| (found.difference, found.error));
        (1..units.arms.len()).map(of).collect()
    };
    gathered.into_iter().map(alone).collect()
}

#[cfg(test)]
#[path = "simulations.rs"]
mod simulations;

#[cfg(test)]
#[path = "looks_tests.rs"]
mod looks_tests;
