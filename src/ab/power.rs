//! How many units an experiment needs to detect an effect: `ab-report --plan`.

use super::AbError;
use super::sequential::{EXACT_PART, MIN_UNITS};
use crate::report::with_sign;
use crate::stats::normal;
use crate::stats::portable::Portable;
use crate::stats::sequence::Sequence;
use crate::stats::shape::{self, Shape};
use serde::Serialize;

/// More units are unrealistic.
const MAX_N: f64 = 1e12;

/// Mean and variance of a unit without an effect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Baseline {
    /// Its mean; for a share the share.
    pub mean: f64,
    /// Its variance.
    pub variance: f64,
    /// Its skewness and kurtosis (3 for normal values), as far as they are known.
    pub shape: (f64, f64),
    /// Whether each value is 0 or 1.
    pub is_share: bool,
}

impl Baseline {
    /// A share in (0, 1).
    #[must_use]
    pub fn of_share(share: f64) -> Self {
        Self { mean: share, variance: share * (1.0 - share), shape: shape::of_share(share), is_share: true }
    }

    /// A mean with its standard deviation; the shape of the distribution is unknown.
    #[must_use]
    pub fn of_mean(mean: f64, deviation: f64) -> Self {
        Self { mean, variance: deviation * deviation, shape: (0.0, 3.0), is_share: false }
    }

    /// The distribution of past units; `NaN` is ignored. `None` without variation.
    #[must_use]
    pub fn of_values(values: &[f64]) -> Option<Self> {
        let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        if known.iter().all(|value| *value == 0.0 || *value == 1.0) {
            return (mean > 0.0 && mean < 1.0).then(|| Self::of_share(mean));
        }
        let residuals: Vec<f64> = known.iter().map(|value| value - mean).collect();
        let shape = shape::of_residuals(&residuals)?;
        let variance = crate::stats::moments::variance(&known);
        (variance.is_finite() && variance > 0.0).then_some(Self { mean, variance, shape, is_share: false })
    }
}

/// An effect: in the outcome's unit, or as a share of the baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// In the outcome's unit.
    Absolute(f64),
    /// As a share of the baseline's mean.
    Relative(f64),
}

/// The input of a plan.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// A unit without an effect.
    pub baseline: Baseline,
    /// The effect to detect.
    pub effect: Effect,
    /// Weights of the arms, the control arm first; they sum to 1.
    pub weights: Vec<f64>,
    /// The significance level.
    pub alpha: f64,
    /// The probability with which the effect should be detected.
    pub power: f64,
    /// Units per day.
    pub per_day: Option<f64>,
}

/// The plan: the number of units that an effect needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// A unit without an effect.
    pub baseline: Baseline,
    /// The effect in the outcome's unit.
    pub effect: f64,
    /// The same as a share of the baseline; none when that is 0.
    pub relative: Option<f64>,
    /// Weights of the arms.
    pub weights: Vec<f64>,
    /// The significance level.
    pub alpha: f64,
    /// The power: the probability that the effect is found.
    pub power: f64,
    /// Needed units in all arms, if you look as often as you want.
    pub n_units: u64,
    /// The same by arm.
    pub n_by_arm: Vec<u64>,
    /// Days until they have arrived.
    pub days: Option<f64>,
    /// Needed units in all arms, for a single look at the end.
    pub n_units_single_look: u64,
    /// The same in one sentence.
    pub sentence: String,
}

/// Plans an experiment.
///
/// The difference for the arm with the smallest weight has the variance v ∕ N, v = σ²_a ∕ w_a + σ²_b ∕ w_b. At N
/// planned units the half-width of the sequence is r standard errors, widened for the shape with N units. An effect d
/// is detected with the requested power if d √(N ∕ v) ≥ r + z; for a single look, r is the normal quantile.
///
/// # Errors
/// An effect of 0, or one that moves a share out of [0, 1].
pub fn plan(request: &PlanRequest) -> Result<Plan, AbError> {
    let PlanRequest { baseline, weights, alpha, power, .. } = request;
    let effect = match request.effect {
        Effect::Absolute(effect) => effect,
        Effect::Relative(share) => share * baseline.mean.abs(),
    };
    let then = baseline.mean + effect;
    if effect == 0.0 || !effect.is_finite() || (baseline.is_share && !(0.0..=1.0).contains(&then)) {
        return Err(AbError::Usage(format!(
            "--effect: {effect} on a baseline of {} gives {then}, for which no sample size can be computed",
            baseline.mean
        )));
    }
    let smallest = weights[1..].iter().copied().fold(f64::INFINITY, f64::min);
    let after = if baseline.is_share { (then * (1.0 - then)).max(f64::EPSILON) } else { baseline.variance };
    let v = baseline.variance / weights[0] + after / smallest;
    let comparisons = weights.len() - 1;
    let sequence = Sequence::tuned(*alpha, 1.0).shared_by(comparisons);
    let part = if baseline.is_share { 1.0 - EXACT_PART } else { 1.0 };
    let reach = sequence.with_part(part).reach(1.0);
    let z = normal::quantile(*power);
    let is_enough = |n: f64| {
        let shape = shape_at(baseline, [weights[0], smallest], v, n);
        let side = if effect < 0.0 { shape.mirrored() } else { shape };
        [smallest, weights[0]].into_iter().all(|weight| reaches_start(n, weight))
            && shape.is_near_normal()
            && effect.abs() * (n / v).sqrt() >= side.widened(reach) + z
    };
    let n = least(is_enough).ok_or_else(|| AbError::Usage("--effect: no number of units detects it".to_owned()))?;
    let single = normal::quantile(1.0 - alpha / (2.0 * comparisons as f64));
    let single = least(|n| effect.abs() * (n / v).sqrt() >= single + z).unwrap_or(n);
    let days = request.per_day.map(|rate| n / rate);
    let relative = (baseline.mean != 0.0).then(|| effect / baseline.mean.abs());
    let share = relative.map_or(String::new(), |relative| format!(" ({} %)", with_sign(100.0 * relative, 1)));
    let time = days.map_or(String::new(), |days| format!(", {days:.1} days,"));
    Ok(Plan {
        baseline: *baseline,
        effect,
        relative,
        weights: weights.clone(),
        alpha: *alpha,
        power: *power,
        n_units: n as u64,
        n_by_arm: weights.iter().map(|weight| (n * weight).ceil() as u64).collect(),
        days,
        n_units_single_look: single as u64,
        sentence: format!(
            "{n:.0} units{time} detect a difference of {effect:+}{share} with {:.0} % power, however often you look; \
             a single look at the end needs {single:.0}.",
            100.0 * power
        ),
    })
}

/// The shape of the difference with `n` units in arms of these weights; its variance is `v` ∕ n. Unless the outcome is
/// a share, the arms' errors are estimated from the same units.
fn shape_at(baseline: &Baseline, weights: [f64; 2], v: f64, n: f64) -> Shape {
    let (skewness, kurtosis) = baseline.shape;
    let (error, [n_a, n_b]) = ((v / n).sqrt(), weights.map(|weight| n * weight));
    let (cubed, fourth) = (baseline.variance.powf_portable(1.5), baseline.variance.powi(2));
    let skewness = skewness * cubed * (1.0 / (n_b * n_b) - 1.0 / (n_a * n_a)) / error.powi(3);
    Shape {
        skewness,
        lean: if baseline.is_share { 0.0 } else { skewness },
        kurtosis: (kurtosis - 3.0) * fourth * (1.0 / n_a.powi(3) + 1.0 / n_b.powi(3)) / error.powi(4),
    }
}

/// Whether, with random assignment, an arm of this weight gets the minimum number of units with probability .99.
fn reaches_start(n: f64, weight: f64) -> bool {
    n * weight - normal::quantile(0.99) * (n * weight * (1.0 - weight)).sqrt() >= MIN_UNITS
}

/// The smallest whole number from which on `is_enough` holds.
fn least(is_enough: impl Fn(f64) -> bool) -> Option<f64> {
    let mut high = 2.0_f64;
    while !is_enough(high) {
        high *= 2.0;
        if high > MAX_N {
            return None;
        }
    }
    let mut low = high / 2.0;
    while high - low > 0.5 {
        let middle = f64::midpoint(low, high);
        if is_enough(middle) { high = middle } else { low = middle }
    }
    Some(high.ceil())
}

#[cfg(test)]
mod tests {
    use super::{Baseline, Effect, PlanRequest, plan};

    fn request(baseline: Baseline, effect: Effect, weights: &[f64]) -> PlanRequest {
        PlanRequest { baseline, effect, weights: weights.to_vec(), alpha: 0.05, power: 0.8, per_day: Some(500.0) }
    }

    #[test]
    fn a_single_look_needs_what_textbooks_say_and_looks_cost() {
        // Unpooled: (1.959964 + 0.841621)² · (.1 · .9 + .12 · .88) ∕ .02² = 3 838.07 in each arm.
        let found = plan(&request(Baseline::of_share(0.1), Effect::Absolute(0.02), &[0.5, 0.5])).unwrap();
        assert!((7_676..=7_677).contains(&found.n_units_single_look), "{found:?}");
        let ratio = found.n_units as f64 / found.n_units_single_look as f64;
        assert!((1.8..2.2).contains(&ratio), "{ratio}");
        assert_eq!(found.n_by_arm.iter().sum::<u64>(), found.n_units + found.n_units % 2);
        assert!((found.days.unwrap() - found.n_units as f64 / 500.0).abs() < 1e-9);
        let relative = plan(&request(Baseline::of_share(0.1), Effect::Relative(0.2), &[0.5, 0.5])).unwrap();
        assert_eq!(relative.n_units, found.n_units);
        // A tenth in the second arm: (.09 ∕ .9 + .1056 ∕ .1) instead of (.09 + .1056) · 2.
        let uneven = plan(&request(Baseline::of_share(0.1), Effect::Absolute(0.02), &[0.9, 0.1])).unwrap();
        let expected = found.n_units_single_look as f64 * (0.1 + 1.056) / (2.0 * 0.1956);
        assert!((uneven.n_units_single_look as f64 - expected).abs() < 3.0, "{uneven:?}");
    }

    #[test]
    fn means_take_the_deviation_and_skew_asks_for_more() {
        let even = plan(&request(Baseline::of_mean(10.0, 4.0), Effect::Absolute(1.0), &[0.5, 0.5])).unwrap();
        // (1.959964 + 0.841621)² · 16 · 4
        assert!((502..=503).contains(&even.n_units_single_look), "{even:?}");
        let mut skewed = Baseline::of_mean(10.0, 4.0);
        skewed.shape = (6.0, 80.0);
        let found = plan(&request(skewed, Effect::Absolute(1.0), &[0.9, 0.1])).unwrap();
        let plain = plan(&request(Baseline::of_mean(10.0, 4.0), Effect::Absolute(1.0), &[0.9, 0.1])).unwrap();
        assert!(found.n_units > plain.n_units && found.n_units_single_look == plain.n_units_single_look);
        // Two arms of 30 each would miss the minimum in half of the experiments: 41 − 2.33 √20.5 = 30.5.
        let large = plan(&request(Baseline::of_share(0.12), Effect::Absolute(0.5), &[0.5, 0.5])).unwrap();
        assert!((80..=83).contains(&large.n_units), "{large:?}");
        assert!(plan(&request(Baseline::of_share(0.9), Effect::Absolute(0.2), &[0.5, 0.5])).is_err());
        assert!(plan(&request(Baseline::of_share(0.9), Effect::Absolute(0.0), &[0.5, 0.5])).is_err());
        assert_eq!(Baseline::of_values(&[0.0, 1.0, f64::NAN, 0.0, 0.0]), Some(Baseline::of_share(0.25)));
        assert_eq!(Baseline::of_values(&[2.0, 2.0]), None);
    }
}
