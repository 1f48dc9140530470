//! Single units that decide a result, or cause most of its uncertainty.

use super::estimate::{self, Gathered, Single};
use super::judge::Judge;
use super::report::Comparison;
use super::units::Kind;
use crate::report::number::{cell, number};

/// From this many units on, one unit is not expected to cause most of the variance.
const MANY: u64 = 100;

impl Judge<'_> {
    /// A note on a unit without which a comparison would have another result, or a much shorter interval; `None` for
    /// shares, whose units are all alike, and for quantiles.
    pub(super) fn deciding_unit(&self, gathered: &Gathered, comparisons: &[Comparison]) -> Option<String> {
        if matches!(self.outcome.kind, Kind::Share | Kind::Quantile) {
            return None;
        }
        let farthest: Vec<(f64, usize)> =
            (0..self.units.arms.len()).filter_map(|arm| self.farthest(gathered, arm)).collect();
        let one = farthest.iter().max_by(|a, b| a.0.total_cmp(&b.0)).map(|&(_, unit)| vec![unit])?;
        let of_each: Vec<usize> = farthest.iter().map(|&(_, unit)| unit).collect();
        self.without(&one, comparisons).or_else(|| self.without(&of_each, comparisons).filter(|_| of_each.len() > 1))
    }

    /// The note on these units: one of all arms, or one of each arm.
    fn without(&self, units: &[usize], comparisons: &[Comparison]) -> Option<String> {
        let after = self.compared_without(units);
        let pairs = || comparisons.iter().zip(&after);
        let is_shown = |c: &Comparison| match self.settings.fixed {
            true => c.enough && c.fixed.p_holm.is_some_and(|p| p <= self.settings.alpha),
            false => c.p_holm <= self.settings.alpha,
        };
        let is_wide = |(before, after): &(&Comparison, &Comparison)| {
            before.n >= MANY && after.error.powi(2) < 0.5 * before.error.powi(2)
        };
        let differ = pairs().filter(|(before, after)| is_shown(before) != is_shown(after));
        // If one unit of each arm is removed, only those that cause most of the variance say more than that a result is
        // close.
        let differ = differ.filter(|pair| units.len() == 1 || is_wide(pair));
        let changed: Vec<String> = differ.map(|(before, _)| about(before)).collect();
        let (one, decides, makes) = match units.len() {
            1 => ("one unit", "decides", "makes"),
            _ => ("one unit of each arm", "together decide", "together make"),
        };
        let name = &self.outcome.name;
        let value = |&unit: &usize| {
            format!("{} in {}", cell(self.outcome.y[unit]), self.units.arms[usize::from(self.units.arm[unit])])
        };
        let values: Vec<String> = units.iter().map(value).collect();
        let s = if units.len() == 1 { "" } else { "s" };
        let without = format!("without the value{s} {}", values.join(" and "));
        if !changed.is_empty() {
            return Some(format!(
                "{name:?}: {one} {decides} the result: {without}, the answer on {} changes; --cap .99 limits such values",
                changed.join(", ")
            ));
        }
        let (before, after) = pairs().find(is_wide)?;
        let reach = |c: &Comparison| number((c.high - c.low) / 2.0);
        Some(format!(
            "{name:?}: {one} {makes} up most of the variance: {without}, the interval on {} is ±{} instead of ±{}; --cap .99 \
             limits such values",
            about(before),
            reach(after),
            reach(before)
        ))
    }

    /// The unit of an arm that is farthest from the mean, and how far the mean moves without it.
    fn farthest(&self, gathered: &Gathered, arm: usize) -> Option<(f64, usize)> {
        let distance = |unit: usize| {
            let cell = gathered[usize::from(self.units.stratum[unit])][usize::from(self.units.arm[unit])];
            let (y, x) = self.measured.pair(unit);
            ((y - cell.ratio() * x) / cell.mean_of_x() / cell.n()).abs()
        };
        let of_arm = |unit: &usize| usize::from(self.units.arm[*unit]) == arm && self.measured.is_known(*unit);
        let known = (0..self.units.n()).filter(of_arm).map(|unit| (distance(unit), unit));
        known.max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// The comparisons without some of the units.
    fn compared_without(&self, units: &[usize]) -> Vec<Comparison> {
        let mut without = self.measured.clone();
        units.iter().for_each(|&unit| without.y[unit] = f64::NAN);
        let gathered = estimate::gather(self.units, &without);
        let single = Single::of(self.units, &without, self.outcome, &gathered);
        let judge = Judge { measured: &without, raw: &gathered, single: single.as_ref(), ..*self };
        judge.comparisons(&gathered)
    }
}

fn about(comparison: &Comparison) -> String {
    format!("{} against {}", comparison.arm, comparison.against)
}
