//! The relative lift of a difference, with an interval consistent with that of the difference.

use super::estimate::Estimate;
use crate::stats::portable::Portable;

/// The relative lift and its interval, which reaches `down` and `up` standard errors; `None` if the first arm's mean is
/// 0 or not distinguishable from 0, because then the lift could be anything.
///
/// Means of the same sign are compared on the logarithmic scale (delta method). If one of them is below its own error
/// or of the other sign, the interval is that of E. Fieller ("Some Problems in Interval Estimation", 1954): the ratios
/// q for which b − q a is within the reach of its error. It excludes 0 exactly if that of `difference` does; the lift
/// of an outcome that cannot be negative is at least −1.
pub(super) fn of(
    found: &Estimate,
    [down, up]: [f64; 2],
    difference: (f64, f64),
    is_positive: bool,
) -> Option<(f64, f64, f64)> {
    let [a, b] = found.means;
    if a == 0.0 || !down.is_finite() || !up.is_finite() {
        return None;
    }
    let value = (b - a) / a.abs();
    // If both are losses, the larger one is the lower lift.
    let (left, right) = if a > 0.0 { (down, up) } else { (up, down) };
    let has_scale = a * b > 0.0 && found.means.iter().zip(found.errors).all(|(mean, error)| mean.abs() > error);
    let (low, high) = if has_scale {
        let (ratio, error) = ((b / a).ln_portable(), (found.errors[0] / a).hypot_portable(found.errors[1] / b));
        ((ratio - left * error).exp_m1_portable(), (ratio + right * error).exp_m1_portable())
    } else {
        (fieller(found, -left)? - 1.0, fieller(found, right)? - 1.0)
    };
    let (low, high) = if a > 0.0 { (low, high) } else { (-high, -low) };
    let low = if is_positive { low.max(-1.0) } else { low };
    Some(match difference {
        (from, _) if from > 0.0 => (value, low.max(0.0), high),
        (_, to) if to < 0.0 => (value, low, high.min(0.0)),
        _ => (value, low.min(0.0), high.max(0.0)),
    })
}

/// The end of Fieller's interval of b ∕ a at `reach` standard errors; a negative reach gives the lower end. `None` if
/// undefined.
fn fieller(found: &Estimate, reach: f64) -> Option<f64> {
    // In units of a, so that nothing overflows.
    let a = found.means[0];
    let q = found.means[1] / a;
    let [wide_a, wide_b] = found.errors.map(|error| (reach * error / a).powi(2));
    let sure = 1.0 - wide_a;
    let root = (q * q - sure * (q * q - wide_b)).max(0.0).sqrt();
    (sure > 0.0).then(|| (q + root.copysign(reach)) / sure)
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::ab::estimate::Estimate;
    use crate::stats::shape::Shape;

    fn estimate(means: [f64; 2], errors: [f64; 2]) -> Estimate {
        let error = errors[0].hypot(errors[1]);
        let (difference, shape) = (means[1] - means[0], Shape::default());
        Estimate { difference, error, own_error: error, shape, n: 80.0, start: 2.0, means, errors }
    }

    fn lift(means: [f64; 2], errors: [f64; 2], reach: f64, is_positive: bool) -> Option<(f64, f64, f64)> {
        let found = estimate(means, errors);
        let half = reach * found.error;
        of(&found, [reach; 2], (found.difference - half, found.difference + half), is_positive)
    }

    #[test]
    fn a_lift_says_what_the_difference_says_and_no_revenue_falls_by_more_than_all() {
        // A difference of −6 ± 5.77 is at least a small decrease.
        let (value, low, high) = lift([6.0, 0.0], [1.2, 1.0], 3.69, true).unwrap();
        assert!(value == -1.0 && low == -1.0 && high < 0.0 && high > -0.25, "{low} {high}");
        for (a, b) in [(6.0, 0.0), (6.0, -2.0), (-6.0, 2.0), (6.0, 0.4), (-6.0, -0.4), (3.0, 0.0), (-3.0, 1.0)] {
            for reach in [1.0, 2.0, 3.0, 3.9, 4.2] {
                let Some((value, low, high)) = lift([a, b], [0.6, 0.8], reach, false) else {
                    assert!(a.abs() <= reach * 0.6, "{a} {b} {reach}");
                    continue;
                };
                let gap = b - a;
                assert!(low <= value && value <= high, "{a} {b}: {low} {value} {high}");
                assert_eq!(low > 0.0 || high < 0.0, gap.abs() > reach, "{a} {b} {reach}: {low} {high}");
            }
        }
        // (2 ± √(4 − .75 · 3)) ∕ .75 − 1 of a = 1 ± .5, b = 2 ± 1, on the other side of its error.
        let (_, low, high) = lift([1.0, 2.0], [0.5, 2.5], 1.0, false).unwrap();
        let root = (4.0_f64 - 0.75 * (4.0 - 6.25)).sqrt();
        assert!(
            (low - ((2.0 - root) / 0.75 - 1.0)).abs() < 1e-12 && (high - ((2.0 + root) / 0.75 - 1.0)).abs() < 1e-12
        );
        assert_eq!(lift([0.0, 2.0], [0.5, 1.0], 2.0, true), None);
        assert_eq!(lift([1.0, -2.0], [0.6, 1.0], 2.0, false), None, "1 ± 1.2 may be 0");
    }
}
