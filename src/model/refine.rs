//! Several classes: boosting stops where the loss after rescaling is lowest.
//!
//! Trees that continue to learn become overconfident before they stop improving: the log loss rises, while the order of
//! the classes still gets better. One factor for all margins (an inverse temperature) corrects overconfidence. So the
//! loss with the best factor tells when nothing more is learned (Berta, Holzmüller, Jordan and Bach 2025, *Rethinking
//! Early Stopping: Refine, Then Calibrate*). The factor is then part of the model.
//!
//! Accuracy and log loss, three held-out fifths, without and with it: red wine .677 .858 and .702 .826, white wine .654
//! .911 and .676 .886, computing jobs .845 .404 and .843 .402. Two classes have Platt's calibration and did not gain.

use crate::stats::portable::Portable;
use hessboost::metric::Metric;

/// The least factor.
const LEAST: f64 = 0.02;
/// Newton steps at most; usually four are enough.
const STEPS: usize = 30;
/// The precision of a factor, as a share of it.
const PRECISE: f64 = 1e-3;

/// The factor up to 1 for margins (`n × width`, row-major) with which the mean log loss of the classes `y` is lowest, and
/// that loss.
///
/// Never above 1: where all of a few rows are right, any factor makes the loss lower.
pub(crate) fn refine(margins: &[f32], y: &[f32], weights: Option<&[f32]>, width: usize) -> (f64, f64) {
    let at = |factor: f64| Slope::of(margins, y, weights, width, factor);
    let (mut factor, mut here) = (1.0, at(1.0));
    // The loss is convex in the factor: the bounds close in on where its slope is 0.
    let (mut low, mut high) = (LEAST, 1.0);
    for _ in 0..STEPS {
        if here.first > 0.0 {
            high = factor;
        } else if factor < 1.0 {
            low = factor;
        } else {
            break;
        }
        let newton = factor - here.first / here.second;
        let next = if newton > low && newton < high { newton } else { (low * high).sqrt() };
        if (next - factor).abs() <= PRECISE * factor {
            break;
        }
        (factor, here) = (next, at(next));
    }
    (factor, here.loss)
}

/// The mean loss at a factor, with its derivatives.
struct Slope {
    loss: f64,
    first: f64,
    second: f64,
}

impl Slope {
    fn of(margins: &[f32], y: &[f32], weights: Option<&[f32]>, width: usize, factor: f64) -> Self {
        let (mut loss, mut first, mut second, mut all) = (0.0, 0.0, 0.0, 0.0);
        for (row, said) in margins.chunks_exact(width).enumerate() {
            let weight = weights.map_or(1.0, |weights| f64::from(weights[row]));
            let most = f64::from(said.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let (mut sum, mut mean, mut square) = (0.0, 0.0, 0.0);
            for &margin in said {
                let below = f64::from(margin) - most;
                let share = (factor * below).exp_portable();
                sum += share;
                mean += share * below;
                square += share * below * below;
            }
            (mean, square) = (mean / sum, square / sum);
            let own = f64::from(said[y[row] as usize]) - most;
            loss += weight * (sum.ln_portable() - factor * own);
            first += weight * (mean - own);
            second += weight * (square - mean * mean);
            all += weight;
        }
        Self { loss: loss / all, first: first / all, second: second / all }
    }
}

/// The loss after rescaling, for the engine's early stopping.
pub(super) struct RefinedLoss {
    pub(super) n_classes: usize,
}

impl Metric for RefinedLoss {
    fn name(&self) -> &'static str {
        "mlogloss after rescaling"
    }

    fn eval(&self, preds: &[f32], labels: &[f32], weights: Option<&[f32]>) -> f64 {
        let margins: Vec<f32> =
            preds.iter().map(|&share| f64::from(share.max(f32::MIN_POSITIVE)).ln_portable() as f32).collect();
        refine(&margins, labels, weights, self.n_classes).1
    }

    fn supports_label_matrix(&self) -> bool {
        false
    }

    fn prediction_width(&self, _: &hessboost::data::MetaInfo) -> Option<usize> {
        Some(self.n_classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of three classes whose margins are `sure` times what their shares say.
    fn rows(sure: f64) -> (Vec<f32>, Vec<f32>) {
        let shares = [0.6_f64, 0.3, 0.1];
        let mut margins = Vec::new();
        let mut y = Vec::new();
        for row in 0..3000 {
            let turn = row % 3;
            let of = |class: usize| shares[(class + turn) % 3];
            margins.extend((0..3).map(|class| (sure * of(class).ln()) as f32));
            // Of ten rows of a kind six, three and one.
            let kind = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2][row / 3 % 10];
            y.push(((kind + 3 - turn) % 3) as f32);
        }
        (margins, y)
    }

    #[test]
    fn the_factor_undoes_what_is_too_sure_and_leaves_the_rest() {
        let entropy = -(0.6 * 0.6_f64.ln() + 0.3 * 0.3_f64.ln() + 0.1 * 0.1_f64.ln());
        for sure in [1.0, 1.3, 4.0, 12.0] {
            let (margins, y) = rows(sure);
            let (factor, loss) = refine(&margins, &y, None, 3);
            assert!((factor * sure - 1.0).abs() < 2e-3, "{sure}: {factor}");
            assert!((loss - entropy).abs() < 1e-5, "{sure}: {loss} {entropy}");
        }
        let (margins, y) = rows(0.5);
        let (factor, loss) = refine(&margins, &y, None, 3);
        assert!(factor == 1.0 && loss > entropy + 0.01, "{factor} {loss}");
    }

    #[test]
    fn rows_count_by_their_weights() {
        let (margins, y) = rows(2.0);
        let twice = |values: &[f32], width: usize| {
            let again = values.chunks_exact(width).take(600);
            [values, &again.flatten().copied().collect::<Vec<f32>>()].concat()
        };
        let weights: Vec<f32> = (0..3000).map(|row| if row < 600 { 2.0 } else { 1.0 }).collect();
        let (by_weight, by_rows) =
            (refine(&margins, &y, Some(&weights), 3), refine(&twice(&margins, 3), &twice(&y, 1), None, 3));
        assert!((by_weight.0 - by_rows.0).abs() < 1e-9 && (by_weight.1 - by_rows.1).abs() < 1e-9);
    }

    #[test]
    fn margins_that_are_always_right_or_always_wrong_have_a_factor_within_bounds() {
        let (margins, right) = ([2.0, 0.0, 0.0, 0.0, 3.0, 1.0_f32], [0.0, 1.0_f32]);
        assert_eq!(refine(&margins, &right, None, 3).0, 1.0);
        assert!((LEAST..0.05).contains(&refine(&margins, &[1.0, 0.0], None, 3).0));
        assert_eq!(refine(&[0.0; 6], &right, None, 3).0, 1.0, "equal margins have no best factor");
        assert_eq!(refine(&[], &[], None, 3).0, 1.0);
    }
}
