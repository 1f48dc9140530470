//! The units of an experiment, stored by column: the input of every analysis.

use super::experiment::Goal;

/// Units, each in one arm, in order of arrival.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Units {
    /// Names of the arms, the control arm first.
    pub arms: Vec<String>,
    /// Periods with the same weights; one without epochs.
    pub strata: Vec<Stratum>,
    /// Arm of each unit, an index into `arms`.
    pub arm: Vec<u16>,
    /// Stratum of each unit, an index into `strata`.
    pub stratum: Vec<u16>,
    /// The time of each unit, if there is one; units are sorted by it.
    pub at: Option<When>,
    /// The measured outcomes of each unit, the deciding one first.
    pub outcomes: Vec<Outcome>,
}

/// A period of constant weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Stratum {
    /// Expected share of each arm; they sum to 1.
    pub shares: Vec<f64>,
}

/// The order of units.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// Microseconds since 1970-01-01 UTC, ascending.
    Time(Vec<i64>),
    /// Any other number, such as the number of a day, ascending.
    Number(Vec<f64>),
}

/// The kind of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A share: every value is 0 or 1.
    Share,
    /// A mean of numbers.
    Mean,
    /// A ratio of two sums.
    Ratio,
    /// A quantile.
    Quantile,
}

/// One outcome of all units.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its column, or `numerator/denominator`.
    pub name: String,
    /// Whether higher or lower is better.
    pub goal: Goal,
    /// The kind of outcome.
    pub kind: Kind,
    /// The values; `NaN` if unknown.
    pub y: Vec<f64>,
    /// The denominators of a ratio.
    pub x: Option<Vec<f64>>,
    /// The lower and upper limit of any value; shares have 0 and 1.
    pub bounds: Option<(f64, f64)>,
    /// Why it is not analysed, if its values cannot be summed.
    pub untold: Option<String>,
    /// For a quantile: which one, and the values whose quantile it is.
    pub ranked: Option<(f64, Vec<f64>)>,
    /// For a capped outcome: the quantile of all units at which it is capped, and the original values.
    pub capped: Option<(f64, Vec<f64>)>,
    /// The value of the same unit before the experiment, and its column; `NaN` if unknown.
    pub pre: Option<(String, Vec<f64>)>,
}

impl Units {
    /// Number of units.
    #[must_use]
    pub fn n(&self) -> usize {
        self.arm.len()
    }

    /// Units by stratum and arm.
    #[must_use]
    pub fn counts(&self) -> Vec<Vec<f64>> {
        self.count(|_| true)
    }

    /// Units for which `counts` is true, by stratum and arm.
    #[must_use]
    pub fn count(&self, counts: impl Fn(usize) -> bool) -> Vec<Vec<f64>> {
        let mut all = vec![vec![0.0; self.arms.len()]; self.strata.len()];
        for unit in (0..self.n()).filter(|&unit| counts(unit)) {
            all[usize::from(self.stratum[unit])][usize::from(self.arm[unit])] += 1.0;
        }
        all
    }
}

impl Units {
    /// The first `n` units, with one of their outcomes.
    #[must_use]
    pub fn first(&self, n: usize, outcome: &Outcome) -> Self {
        Self {
            arms: self.arms.clone(),
            strata: self.strata.clone(),
            arm: self.arm[..n].to_vec(),
            stratum: self.stratum[..n].to_vec(),
            at: None,
            outcomes: vec![outcome.first(n)],
        }
    }
}

impl Outcome {
    /// The same for the first `n` units.
    #[must_use]
    pub fn first(&self, n: usize) -> Self {
        let part = |(name, values): &(f64, Vec<f64>)| (*name, values[..n].to_vec());
        Self {
            name: self.name.clone(),
            y: self.y[..n].to_vec(),
            x: self.x.as_ref().map(|x| x[..n].to_vec()),
            untold: self.untold.clone(),
            ranked: self.ranked.as_ref().map(part),
            capped: self.capped.as_ref().map(part),
            pre: self.pre.as_ref().map(|(name, values)| (name.clone(), values[..n].to_vec())),
            ..*self
        }
    }

    /// An outcome whose kind is inferred from its values.
    #[must_use]
    pub fn new(name: impl Into<String>, goal: Goal, y: Vec<f64>) -> Self {
        let share = y.iter().all(|v| v.is_nan() || *v == 0.0 || *v == 1.0);
        let (kind, bounds) = if share { (Kind::Share, Some((0.0, 1.0))) } else { (Kind::Mean, None) };
        Self { name: name.into(), goal, kind, y, x: None, bounds, untold: None, ranked: None, capped: None, pre: None }
    }

    /// The pair (y, x) of a unit; x is 1 without a denominator.
    #[must_use]
    pub fn pair(&self, unit: usize) -> (f64, f64) {
        (self.y[unit], self.x.as_ref().map_or(1.0, |x| x[unit]))
    }

    /// Whether a unit has a value.
    #[must_use]
    pub fn is_known(&self, unit: usize) -> bool {
        let (y, x) = self.pair(unit);
        !y.is_nan() && !x.is_nan()
    }
}
