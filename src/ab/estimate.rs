//! Differences between arms, over strata, with and without adjustment for earlier values (CUPED).

use super::law::{self, Law};
use super::units::{Kind, Outcome, Units};
use crate::stats::bivariate::Bivariate;
use crate::stats::shape::{self, Shape};

/// The statistics of each arm in each stratum: `[stratum][arm]`.
pub(super) type Gathered = Vec<Vec<Bivariate>>;

/// A difference between two arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    /// Mean of the other arm minus that of the first.
    pub(super) difference: f64,
    /// Standard error of the difference, with variances that do not vanish in an arm with few units.
    pub(super) error: f64,
    /// The same with each arm's own variance, as in textbooks.
    pub(super) own_error: f64,
    /// The deviation of the difference from normality.
    pub(super) shape: Shape,
    /// Units in both arms.
    pub(super) n: f64,
    /// The number of units as a share of the minimum for a normal approximation, in the worse of both arms.
    pub(super) start: f64,
    /// Means of the first and the other arm.
    pub(super) means: [f64; 2],
    /// Standard errors of the means.
    pub(super) errors: [f64; 2],
}

impl Estimate {
    /// The difference in standard errors; 0 if all values are equal.
    pub(super) fn z(&self) -> f64 {
        if self.difference == 0.0 { 0.0 } else { self.difference / self.error }
    }

    /// The same with each arm's own variance.
    pub(super) fn own_z(&self) -> f64 {
        if self.difference == 0.0 { 0.0 } else { self.difference / self.own_error }
    }
}

/// The distribution of single units: over all arms, which is used for an arm with few units, and in each arm.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Single {
    /// Variance within arms.
    variance: f64,
    /// Skewness within arms.
    skewness: f64,
    /// Kurtosis within arms, 3 for normal values.
    kurtosis: f64,
    /// The distribution of each arm's own units; `None` for shares, whose distribution follows from the share.
    laws: Option<Vec<Law>>,
}

impl Single {
    /// For a share, it follows from the share over all arms, limited to between 0 and 1; otherwise it is computed from
    /// the distances to the arm's mean. `as_given` is the unadjusted outcome. `None` without variation.
    pub(super) fn of(units: &Units, outcome: &Outcome, as_given: &Outcome, gathered: &Gathered) -> Option<Self> {
        if outcome.kind == Kind::Share {
            let all =
                (0..units.arms.len()).map(|arm| pooled(gathered, arm)).fold(Bivariate::default(), Bivariate::merge);
            let share = (all.sum() + 0.5) / (all.n() + 1.0);
            let (skewness, kurtosis) = shape::of_share(share);
            return Some(Self { variance: share * (1.0 - share), skewness, kurtosis, laws: None });
        }
        let residual = |unit: usize| {
            let cell = gathered[usize::from(units.stratum[unit])][usize::from(units.arm[unit])];
            let (y, x) = outcome.pair(unit);
            let residual = (y - cell.ratio() * x) / cell.mean_of_x();
            residual.is_finite().then_some((usize::from(units.arm[unit]), residual))
        };
        let residuals: Vec<(usize, f64)> =
            (0..units.n()).filter(|&unit| outcome.is_known(unit)).filter_map(residual).collect();
        let (skewness, kurtosis) = shape::of_residuals(&residuals.iter().map(|(_, e)| *e).collect::<Vec<f64>>())?;
        let cells = || gathered.iter().flatten().filter(|cell| cell.n() >= MIN_PER_CELL);
        let freedom: f64 = cells().map(|cell| cell.n() - 1.0).sum();
        let variance = cells().map(|cell| (cell.n() - 1.0) * unit_variance(cell)).sum::<f64>() / freedom;
        let laws = Some(law::of_arms(&residuals, units, as_given));
        (variance.is_finite() && variance > 0.0).then_some(Self { variance, skewness, kurtosis, laws })
    }

    /// The distribution of an arm's own units; `None` if it follows from the share.
    fn law(&self, arm: usize) -> Option<&Law> {
        self.laws.as_ref()?.get(arm)
    }

    /// The variance of a unit in `cell`: its own, shrunk towards the variance over all arms, and never below its own.
    /// The prior weight is the number of units that a good variance estimate needs, which is proportional to the
    /// kurtosis.
    fn variance_in(&self, cell: &Bivariate) -> f64 {
        let (own, freedom, prior) = (unit_variance(cell), cell.n() - 1.0, PRIOR_UNITS * self.kurtosis.max(2.0));
        own.max((freedom * own + prior * self.variance) / (freedom + prior))
    }
}

/// The variance of a unit's contribution to a cell's mean or ratio.
fn unit_variance(cell: &Bivariate) -> f64 {
    cell.ratio_variance() * cell.n()
}

/// Prior weight of the variance: this many units per unit of kurtosis.
const PRIOR_UNITS: f64 = 5.0;
/// Strata with fewer units of an arm are skipped.
const MIN_PER_CELL: f64 = 2.0;

/// Compares arm `other` with arm 0. Strata are weighted by their units in both arms; strata with fewer than two units
/// in one of them are skipped. `None` if none remain.
///
/// The difference is Σ ω (ȳ_b − ȳ_a), its variance Σ ω² (s²_a ∕ n_a + s²_b ∕ n_b), where ω are the strata's shares of
/// the units and s² is as in [`Single::variance_in`]. The third and fourth cumulants are summed in the same way; the
/// third is also computed from the arms' own distributions.
pub(super) fn compare(gathered: &Gathered, other: usize, single: Option<&Single>) -> Option<Estimate> {
    let cells = || {
        let enough = |stratum: &&Vec<Bivariate>| [0, other].iter().all(|&arm| stratum[arm].n() >= MIN_PER_CELL);
        gathered.iter().filter(enough).map(|stratum| [stratum[0], stratum[other]])
    };
    let n_of = |side: usize| cells().map(|pair| pair[side].n()).sum::<f64>();
    let n = n_of(0) + n_of(1);
    if n == 0.0 {
        return None;
    }
    let (mut means, mut variances, mut own, mut cumulants) = ([0.0; 2], [0.0; 2], 0.0, [0.0; 3]);
    let laws = [0, other].map(|arm| single.and_then(|single| single.law(arm)));
    for pair in cells() {
        let weight = (pair[0].n() + pair[1].n()) / n;
        for (side, arm) in pair.iter().enumerate() {
            let of_unit = single.map_or_else(|| unit_variance(arm), |single| single.variance_in(arm));
            means[side] += weight * arm.ratio();
            variances[side] += weight * weight * of_unit / arm.n();
            own += weight * weight * arm.ratio_variance();
            if let Some(single) = single {
                let sign = if side == 0 { -1.0 } else { 1.0 };
                let spread = single.variance.sqrt();
                cumulants[0] += sign * (weight * spread).powi(3) * single.skewness / arm.n().powi(2);
                cumulants[1] += (weight * spread).powi(4) * (single.kurtosis - 3.0) / arm.n().powi(3);
                cumulants[2] += sign * laws[side].map_or(0.0, |law| law.third(weight / arm.n())) * arm.n();
            }
        }
    }
    let error = (variances[0] + variances[1]).sqrt();
    let shape = match single {
        Some(_) => Shape {
            skewness: cumulants[0] / error.powi(3),
            kurtosis: cumulants[1] / error.powi(4),
            lean: cumulants[2] / error.powi(3),
        },
        None => Shape::UNKNOWN,
    };
    Some(Estimate {
        difference: means[1] - means[0],
        error,
        own_error: own.sqrt(),
        shape,
        n,
        start: law::start([n_of(0), n_of(1)], laws),
        means,
        errors: variances.map(f64::sqrt),
    })
}

/// Collects the statistics of an outcome over all units with a known value.
pub(super) fn gather(units: &Units, outcome: &Outcome) -> Gathered {
    let mut gathered = empty(units);
    (0..units.n()).for_each(|unit| add(&mut gathered, units, outcome, unit));
    gathered
}

/// No units yet.
pub(super) fn empty(units: &Units) -> Gathered {
    vec![vec![Bivariate::default(); units.arms.len()]; units.strata.len()]
}

/// Adds a unit if its outcome is known.
pub(super) fn add(gathered: &mut Gathered, units: &Units, outcome: &Outcome, unit: usize) {
    let (y, x) = outcome.pair(unit);
    if !y.is_nan() && !x.is_nan() {
        gathered[usize::from(units.stratum[unit])][usize::from(units.arm[unit])].push(y, x);
    }
}

/// All strata of an arm together.
pub(super) fn pooled(gathered: &Gathered, arm: usize) -> Bivariate {
    gathered.iter().fold(Bivariate::default(), |all, stratum| all.merge(stratum[arm]))
}

/// The result of a CUPED adjustment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Adjusted {
    pub(super) outcome: Outcome,
    pub(super) theta: f64,
    /// The share of the variance within arms that was removed.
    pub(super) reduction: f64,
    /// Units without a pre-experiment value; they count as average.
    pub(super) n_unknown: u64,
}

/// CUPED: y − θ (x − x̄) with the slope θ within strata and arms, which leaves an effect on y unchanged (A. Deng et
/// al., "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data", 2013). `None`
/// without a pre-experiment column, or if it is constant.
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
    let outcome = Outcome { y, kind: Kind::Mean, bounds: None, pre: None, ..outcome.clone() };
    Some(Adjusted { outcome, theta, reduction, n_unknown })
}
