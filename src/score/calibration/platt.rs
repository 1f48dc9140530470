//! Platt's sigmoid over the log-odds of the score.

use super::Calibration;
use crate::stats::portable::Portable;

/// Scores are limited to this distance from 0 and 1, so that their log-odds are finite: ±34.5.
const EDGE: f64 = 1e-15;

fn log_odds(p: f64) -> f64 {
    let p = p.clamp(EDGE, 1.0 - EDGE);
    (p / (1.0 - p)).ln_portable()
}

/// 1 ∕ (1 + exp(z)) without overflow.
fn falling(z: f64) -> f64 {
    if z >= 0.0 {
        let e = (-z).exp_portable();
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + z.exp_portable())
    }
}

pub(super) fn apply(a: f64, b: f64, score: f64) -> f64 {
    falling(a * log_odds(score) + b)
}

/// Fits the sigmoid to (score, positive, weight); `None` with one class, or if the scores decrease with the truth.
pub(super) fn fit(points: &[(f64, bool, f64)]) -> Option<Calibration> {
    let values: Vec<(f64, bool, f64)> = points.iter().map(|(p, y, w)| (log_odds(*p), *y, *w)).collect();
    let (a, b) = sigmoid(&values)?;
    // A slope of 0 or above would make all scores equal or reverse their order.
    (a < 0.0 && a.is_finite() && b.is_finite()).then_some(Calibration::Platt { a, b })
}

/// The (a, b) of p = 1 ∕ (1 + exp(a·f + b)) for (f, positive, weight), by Newton's method on Platt's smoothed targets.
///
/// J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999; the method is that of H.-T. Lin, C.-J. Lin, R.
/// Weng, "A Note on Platt's Probabilistic Outputs for Support Vector Machines", 2007. scikit-learn minimises the same
/// function with less precision. `None` unless both classes have weight.
#[must_use]
pub fn sigmoid(values: &[(f64, bool, f64)]) -> Option<(f64, f64)> {
    const MAX_STEPS: usize = 100;
    let weigh = |positive: bool| values.iter().filter(|v| v.1 == positive).map(|v| v.2).sum::<f64>();
    let (positives, negatives) = (weigh(true), weigh(false));
    if positives <= 0.0 || negatives <= 0.0 {
        return None;
    }
    let target =
        |positive: bool| if positive { (positives + 1.0) / (positives + 2.0) } else { 1.0 / (negatives + 2.0) };
    let loss = |a: f64, b: f64| -> f64 {
        values
            .iter()
            .map(|&(f, y, w)| {
                let z = a * f + b;
                // ln(1 + e^z) − (1 − t)·z, written so that neither side overflows.
                w * (z.max(0.0) + (-z.abs()).exp_portable().ln_1p_portable() - (1.0 - target(y)) * z)
            })
            .sum()
    };
    let (mut a, mut b) = (0.0, ((negatives + 1.0) / (positives + 1.0)).ln_portable());
    let mut best = loss(a, b);
    for _ in 0..MAX_STEPS {
        let (da, db) = newton_step(values, &target, a, b)?;
        let mut share = 1.0;
        let mut next = loss(a + da, b + db);
        while (next.is_nan() || next > best) && share > 1e-10 {
            share /= 2.0;
            next = loss(a + share * da, b + share * db);
        }
        if next.is_nan() || next > best {
            break;
        }
        (a, b) = (a + share * da, b + share * db);
        let (fall, small) = (best - next, 1e-15 * best.abs());
        best = next;
        if fall <= small && (da.abs() + db.abs()) * share <= 1e-10 * (1.0 + a.abs() + b.abs()) {
            break;
        }
    }
    Some((a, b))
}

/// −H⁻¹g of the loss; `None` if it is not finite.
fn newton_step(values: &[(f64, bool, f64)], target: &impl Fn(bool) -> f64, a: f64, b: f64) -> Option<(f64, f64)> {
    // A tiny diagonal value keeps H invertible if all scores are equal.
    let (mut haa, mut hab, mut hbb, mut ga, mut gb) = (1e-12, 0.0, 1e-12, 0.0, 0.0);
    for &(f, y, w) in values {
        let p = falling(a * f + b);
        let (slope, bend) = (w * (target(y) - p), w * p * (1.0 - p));
        ga += slope * f;
        gb += slope;
        haa += bend * f * f;
        hab += bend * f;
        hbb += bend;
    }
    let det = haa * hbb - hab * hab;
    let step = (-(hbb * ga - hab * gb) / det, -(haa * gb - hab * ga) / det);
    (step.0.is_finite() && step.1.is_finite()).then_some(step)
}
