//! Single units that decide a result, or most of its uncertainty.

use super::analyse::Judge;
use super::estimate::{self, Gathered, Single};
use super::report::Comparison;
use super::units::Kind;
use crate::report::number::{cell, number};

/// Units of a comparison of which one is not expected to make up most of the variance.
const MANY: u64 = 100;

impl Judge<'_> {
    /// A note on a unit without which a comparison would have another result, or a far shorter interval. Units of a share are
    /// all alike.
    pub(super) fn deciding_unit(&self, gathered: &Gathered, comparisons: &[Comparison]) -> Option<String> {
        let (unit, after) = self.without_farthest(gathered)?;
        let pairs = || comparisons.iter().zip(&after);
        let is_shown = |c: &Comparison| match self.settings.fixed {
            true => c.enough && c.fixed.p_holm.is_some_and(|p| p <= self.settings.alpha),
            false => c.p_holm <= self.settings.alpha,
        };
        let differ = pairs().filter(|(before, after)| is_shown(before) != is_shown(after));
        let changed: Vec<String> = differ.map(|(before, _)| about(before)).collect();
        let arm = &self.units.arms[usize::from(self.units.arm[unit])];
        let name = &self.outcome.name;
        let without = format!("without the value {} in {arm}", cell(self.outcome.y[unit]));
        if !changed.is_empty() {
            return Some(format!(
                "{name:?}: one unit decides the result: {without}, the answer on {} changes; --cap .99 limits such values",
                changed.join(", ")
            ));
        }
        let is_wide = |(before, after): &(&Comparison, &Comparison)| {
            before.n >= MANY && after.error.powi(2) < 0.5 * before.error.powi(2)
        };
        let (before, after) = pairs().find(is_wide)?;
        let reach = |c: &Comparison| number((c.high - c.low) / 2.0);
        Some(format!(
            "{name:?}: one unit makes up most of the variance: {without}, the interval on {} is ±{} in place of ±{}; --cap .99 \
             limits such values",
            about(before),
            reach(after),
            reach(before)
        ))
    }

    /// The unit farthest from its arm's mean, and the comparisons without it.
    fn without_farthest(&self, gathered: &Gathered) -> Option<(usize, Vec<Comparison>)> {
        if matches!(self.outcome.kind, Kind::Share | Kind::Quantile) {
            return None;
        }
        let distance = |&unit: &usize| {
            let cell = gathered[usize::from(self.units.stratum[unit])][usize::from(self.units.arm[unit])];
            let (y, x) = self.measured.pair(unit);
            ((y - cell.ratio() * x) / cell.mean_of_x() / cell.n()).abs()
        };
        let known = (0..self.units.n()).filter(|&unit| self.measured.is_known(unit));
        let unit = known.max_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        let mut without = self.measured.clone();
        without.y[unit] = f64::NAN;
        let gathered = estimate::gather(self.units, &without);
        let single = Single::of(self.units, &without, self.outcome, &gathered);
        let judge = Judge { measured: &without, raw: &gathered, single: single.as_ref(), ..*self };
        Some((unit, judge.comparisons(&gathered)))
    }
}

fn about(comparison: &Comparison) -> String {
    format!("{} against {}", comparison.arm, comparison.against)
}
