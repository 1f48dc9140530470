//! Differences between arms, over strata, with and without what was known before.

use super::units::{Kind, Outcome, Units};
use crate::stats::bivariate::Bivariate;

/// What is known of each arm in each stratum: `[stratum][arm]`.
pub(super) type Gathered = Vec<Vec<Bivariate>>;

/// A difference between two arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    /// Mean of the other arm less that of the first.
    pub(super) difference: f64,
    /// Standard error of the difference.
    pub(super) error: f64,
    /// Units in both arms.
    pub(super) n: f64,
    /// Means, first and other arm.
    pub(super) means: [f64; 2],
    /// Standard errors of the means.
    pub(super) errors: [f64; 2],
}

impl Estimate {
    /// Standard errors from 0; 0 when nothing differs at all.
    pub(super) fn z(&self) -> f64 {
        if self.difference == 0.0 { 0.0 } else { self.difference / self.error }
    }

    /// The relative lift and its interval of `reach` standard errors; `None` when the first arm's mean is 0.
    ///
    /// Means of one sign are compared on the logarithmic scale (delta method), where the interval leaves out 0 about when
    /// that of the difference does; others on the plain one.
    pub(super) fn lift(&self, reach: f64) -> Option<(f64, f64, f64)> {
        let [a, b] = self.means;
        if a == 0.0 {
            return None;
        }
        let value = (b - a) / a.abs();
        if a * b > 0.0 {
            let ratio = (b / a).ln();
            let half = reach * (self.errors[0] / a).hypot(self.errors[1] / b);
            let ends = [ratio - half, ratio + half].map(f64::exp_m1);
            // Of two losses the larger is the lower lift.
            return Some(if a > 0.0 { (value, ends[0], ends[1]) } else { (value, -ends[1], -ends[0]) });
        }
        let half = reach * (self.errors[1] / a).hypot(b * self.errors[0] / (a * a));
        Some((value, value - half, value + half))
    }
}

/// Fewest units of an arm in a stratum for the stratum to count.
const MIN_PER_CELL: f64 = 2.0;

/// Compares arm `other` with arm 0: strata weigh as many units as both arms have in them, and strata in which one of
/// the two has fewer than two units are left out. `None` when none is left.
///
/// The difference is Σ ω (ȳ_b − ȳ_a), its variance Σ ω² (s²_a ∕ n_a + s²_b ∕ n_b), ω the strata's shares of the units.
pub(super) fn compare(gathered: &Gathered, other: usize) -> Option<Estimate> {
    let cells = || {
        let enough = |stratum: &&Vec<Bivariate>| [0, other].iter().all(|&arm| stratum[arm].n() >= MIN_PER_CELL);
        gathered.iter().filter(enough).map(|stratum| (stratum[0], stratum[other]))
    };
    let n: f64 = cells().map(|(a, b)| a.n() + b.n()).sum();
    if n == 0.0 {
        return None;
    }
    let mut found = Estimate { difference: 0.0, error: 0.0, n, means: [0.0; 2], errors: [0.0; 2] };
    for (a, b) in cells() {
        let share = (a.n() + b.n()) / n;
        for (side, arm) in [a, b].into_iter().enumerate() {
            found.means[side] += share * arm.ratio();
            found.errors[side] += share * share * arm.ratio_variance();
        }
    }
    found.error = (found.errors[0] + found.errors[1]).sqrt();
    found.errors = found.errors.map(f64::sqrt);
    found.difference = found.means[1] - found.means[0];
    Some(found)
}

/// Gathers an outcome over all units that it is known of.
pub(super) fn gather(units: &Units, outcome: &Outcome) -> Gathered {
    let mut gathered = empty(units);
    (0..units.n()).for_each(|unit| add(&mut gathered, units, outcome, unit));
    gathered
}

/// No unit yet.
pub(super) fn empty(units: &Units) -> Gathered {
    vec![vec![Bivariate::default(); units.arms.len()]; units.strata.len()]
}

/// Adds a unit, when its outcome is known.
pub(super) fn add(gathered: &mut Gathered, units: &Units, outcome: &Outcome, unit: usize) {
    let (y, x) = outcome.pair(unit);
    if !y.is_nan() && !x.is_nan() {
        gathered[usize::from(units.stratum[unit])][usize::from(units.arm[unit])].push(y, x);
    }
}

/// All strata of an arm as one.
pub(super) fn pooled(gathered: &Gathered, arm: usize) -> Bivariate {
    gathered.iter().fold(Bivariate::default(), |all, stratum| all.merge(stratum[arm]))
}

/// What an adjustment by the time before did.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Adjusted {
    pub(super) outcome: Outcome,
    pub(super) theta: f64,
    /// Share of the variance within arms that is gone.
    pub(super) reduction: f64,
    /// Units whose time before is not known; they count as average.
    pub(super) n_unknown: u64,
}

/// CUPED: y − θ (x − x̄) with the slope θ within strata and arms, so that an effect on y stays what it is (A. Deng et al.,
/// "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data", 2013). `None` without
/// a column of the time before, or when it is constant.
pub(super) fn adjust(units: &Units, outcome: &Outcome) -> Option<Adjusted> {
    let (_, pre) = outcome.pre.as_ref()?;
    let known = |unit: &usize| outcome.is_known(*unit);
    let mut cells = empty(units);
    let mut n_unknown = 0;
    for unit in (0..units.n()).filter(known) {
        match pre[unit].is_nan() {
            true => n_unknown += 1,
            false => {
                cells[usize::from(units.stratum[unit])][usize::from(units.arm[unit])].push(outcome.y[unit], pre[unit])
            }
        }
    }
    let sum = |of: fn(&Bivariate) -> f64| cells.iter().flatten().map(of).sum::<f64>();
    let (xy, xx, yy) = (sum(|c| c.slope_parts().0), sum(|c| c.slope_parts().1), sum(Bivariate::squares));
    let theta = xy / xx;
    if !theta.is_finite() {
        return None;
    }
    let n = sum(Bivariate::n);
    let mean = (0..units.n()).filter(known).map(|unit| pre[unit]).filter(|x| !x.is_nan()).sum::<f64>() / n;
    let moved = |unit: usize| if pre[unit].is_nan() { 0.0 } else { theta * (pre[unit] - mean) };
    let y = outcome.y.iter().enumerate().map(|(unit, y)| y - moved(unit)).collect();
    let reduction = if yy > 0.0 { (xy * xy / (xx * yy)).min(1.0) } else { 0.0 };
    let outcome = Outcome { y, kind: Kind::Mean, pre: None, ..outcome.clone() };
    Some(Adjusted { outcome, theta, reduction, n_unknown })
}
