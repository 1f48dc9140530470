//! ROC and precision-recall curves: one pass over the rows in order of score.

use crate::stats::ranks;

/// Rows in descending order of score, with the ends of runs of equal scores.
///
/// ```text
/// score   .9  .7  .7  .4  .2      position 0 1 2 3 4
/// label    1   0   1   1   0      a threshold can only lie where a run ends
/// last     x       x   x   x
/// ```
#[derive(Debug, Clone)]
pub struct Curve {
    /// The row at each position.
    order: Vec<u32>,
    /// Whether the row at a position is positive, and whether it is the last of its run.
    flags: Vec<Flags>,
}

#[derive(Debug, Clone, Copy)]
struct Flags {
    positive: bool,
    last: bool,
}

/// The two areas; `NaN` if undefined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Areas {
    /// Area under the ROC curve; needs a positive and a negative row.
    pub roc: f64,
    /// Average precision; needs a positive row.
    pub pr: f64,
}

/// The cumulative counts at the end of a run of equal scores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Position after the run.
    pub(crate) end: usize,
    /// Weight of the run's positives and negatives.
    pub(crate) positives: f64,
    pub(crate) negatives: f64,
    /// Weight of positives and negatives from the top to the end of the run.
    pub(crate) true_positives: f64,
    pub(crate) false_positives: f64,
}

/// True and false positives at a threshold: scores of at least the threshold count as positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// The threshold.
    pub threshold: f64,
    /// Share of the negatives that count as positive.
    pub false_positive_rate: f64,
    /// Share of the positives that count as positive.
    pub recall: f64,
    /// Share of positives among the predicted positives.
    pub precision: f64,
}

impl Curve {
    /// About `most` points of the ROC and precision-recall curves, from the highest threshold down, spaced evenly along
    /// the ROC curve; empty unless both classes occur. `weight` is by row.
    #[must_use]
    pub fn points(&self, scores: &[f64], weight: impl Fn(usize) -> f64, most: usize) -> Vec<CurvePoint> {
        let mut ends = Vec::new();
        self.walk(
            |position| weight(self.order[position] as usize),
            |step| ends.push((self.order[step.end - 1] as usize, step.true_positives, step.false_positives)),
        );
        let Some(&(lowest, positives, negatives)) = ends.last() else { return Vec::new() };
        if !(positives > 0.0 && negatives > 0.0) {
            return Vec::new();
        }
        let (mut points, mut last) = (Vec::new(), f64::NEG_INFINITY);
        for (row, tp, fp) in ends {
            let along = tp / positives + fp / negatives;
            if along - last < 2.0 / most as f64 && row != lowest {
                continue;
            }
            last = along;
            points.push(CurvePoint {
                threshold: scores[row],
                false_positive_rate: fp / negatives,
                recall: tp / positives,
                precision: tp / (tp + fp),
            });
        }
        points
    }

    /// Orders the rows by score.
    #[must_use]
    pub fn new(scores: &[f64], positive: impl Fn(usize) -> bool) -> Self {
        let order = ranks::descending(scores);
        let flags = (0..order.len())
            .map(|j| Flags {
                positive: positive(order[j] as usize),
                last: order.get(j + 1).is_none_or(|&next| scores[next as usize] != scores[order[j] as usize]),
            })
            .collect();
        Self { order, flags }
    }

    /// The row at each position, highest score first.
    #[must_use]
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// Whether the row at `position` is positive.
    #[must_use]
    pub fn is_positive(&self, position: usize) -> bool {
        self.flags[position].positive
    }

    /// Calls `visit` at the end of each run of equal scores, from the highest score down; `weight` is by position.
    #[inline]
    pub(crate) fn walk(&self, weight: impl Fn(usize) -> f64, mut visit: impl FnMut(Step)) {
        let (mut tp, mut fp, mut tp_before, mut fp_before) = (0.0, 0.0, 0.0, 0.0);
        for (position, flags) in self.flags.iter().enumerate() {
            let w = weight(position);
            if flags.positive {
                tp += w;
            } else {
                fp += w;
            }
            if flags.last {
                visit(Step {
                    end: position + 1,
                    positives: tp - tp_before,
                    negatives: fp - fp_before,
                    true_positives: tp,
                    false_positives: fp,
                });
                (tp_before, fp_before) = (tp, fp);
            }
        }
    }

    /// The areas if the row at each position has weight `weight(position)`.
    ///
    /// ROC: the trapezoid rule, equal to P(score of a positive > of a negative) + ½ P(equal). Precision-recall: the
    /// step rule of scikit-learn's `average_precision_score`, not interpolated.
    #[must_use]
    pub fn areas(&self, weight: impl Fn(usize) -> f64) -> Areas {
        let (mut roc, mut pr, mut positives, mut negatives) = (0.0, 0.0, 0.0, 0.0);
        self.walk(weight, |step| {
            roc += step.negatives * (step.true_positives - 0.5 * step.positives);
            if step.positives > 0.0 {
                pr += step.positives * (step.true_positives / (step.true_positives + step.false_positives));
            }
            (positives, negatives) = (step.true_positives, step.false_positives);
        });
        Areas {
            roc: if positives > 0.0 && negatives > 0.0 { roc / (positives * negatives) } else { f64::NAN },
            pr: if positives > 0.0 { pr / positives } else { f64::NAN },
        }
    }

    /// The derivative of the ROC area with respect to the weight of the row at each position.
    ///
    /// These are the structural components of E. DeLong, D. DeLong, D. Clarke-Pearson, "Comparing the Areas under Two
    /// or More Correlated Receiver Operating Characteristic Curves" (1988), centred and divided by the class's weight.
    #[must_use]
    pub(crate) fn roc_slopes(&self, weight: impl Fn(usize) -> f64) -> Vec<f64> {
        let (positives, negatives) = self.totals(&weight);
        let roc = self.areas(&weight).roc;
        let mut slopes = vec![0.0; self.order.len()];
        let mut start = 0;
        self.walk(&weight, |step| {
            let above = (step.true_positives - 0.5 * step.positives) / positives;
            let below = 1.0 - (step.false_positives - 0.5 * step.negatives) / negatives;
            for (slope, flags) in slopes[start..step.end].iter_mut().zip(&self.flags[start..step.end]) {
                *slope = if flags.positive { (below - roc) / positives } else { (above - roc) / negatives };
            }
            start = step.end;
        });
        slopes
    }

    /// The derivative of average precision with respect to the weight of the row at each position.
    ///
    /// With AP = Σₕ tₕ Tₕ∕(Tₕ+Fₕ) ∕ T over runs h (t of the run, T and F cumulative), a row of run g changes every
    /// precision from g downwards, and a positive one also adds its own precision.
    #[must_use]
    pub(crate) fn pr_slopes(&self, weight: impl Fn(usize) -> f64) -> Vec<f64> {
        let (positives, _) = self.totals(&weight);
        let average = self.areas(&weight).pr;
        let mut steps = Vec::new();
        self.walk(&weight, |step| steps.push(step));
        let mut slopes = vec![0.0; self.order.len()];
        let (mut more_positive, mut more_negative) = (0.0, 0.0);
        for (at, step) in steps.iter().enumerate().rev() {
            let passed = step.true_positives + step.false_positives;
            let (precision, squared) =
                if passed > 0.0 { (step.true_positives / passed, passed * passed) } else { (0.0, 1.0) };
            more_positive += step.positives * step.false_positives / squared;
            more_negative -= step.positives * step.true_positives / squared;
            let start = if at == 0 { 0 } else { steps[at - 1].end };
            for (slope, flags) in slopes[start..step.end].iter_mut().zip(&self.flags[start..step.end]) {
                let moved = if flags.positive { precision + more_positive - average } else { more_negative };
                *slope = moved / positives;
            }
        }
        slopes
    }

    fn totals(&self, weight: impl Fn(usize) -> f64) -> (f64, f64) {
        let mut totals = (0.0, 0.0);
        self.walk(weight, |step| totals = (step.true_positives, step.false_positives));
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::Curve;

    const SCORES: [f64; 9] = [0.9, 0.8, 0.8, 0.6, 0.6, 0.6, 0.3, 0.2, 0.1];
    const LABELS: [bool; 9] = [true, false, true, true, false, true, false, true, false];
    const WEIGHTS: [f64; 9] = [1.0, 2.0, 0.5, 1.5, 1.0, 3.0, 0.7, 1.0, 2.0];

    fn pairs() -> f64 {
        let (mut area, mut whole) = (0.0, 0.0);
        for i in 0..9 {
            for j in 0..9 {
                if LABELS[i] && !LABELS[j] {
                    let w = WEIGHTS[i] * WEIGHTS[j];
                    whole += w;
                    let (a, b) = (SCORES[i], SCORES[j]);
                    area += w * if a > b {
                        1.0
                    } else if a == b {
                        0.5
                    } else {
                        0.0
                    };
                }
            }
        }
        area / whole
    }

    #[test]
    fn points_are_those_of_scikit_learn() {
        // roc_curve([1,0,1,1,0], [.9,.7,.7,.4,.2], drop_intermediate=False) and precision_recall_curve of the same.
        let (scores, truth) = ([0.9, 0.7, 0.7, 0.4, 0.2], [true, false, true, true, false]);
        let curve = Curve::new(&scores, |i| truth[i]);
        let points = curve.points(&scores, |_| 1.0, 200);
        let told: Vec<[f64; 4]> =
            points.iter().map(|p| [p.threshold, p.false_positive_rate, p.recall, p.precision]).collect();
        let (third, two) = (1.0 / 3.0, 2.0 / 3.0);
        assert_eq!(told, [[0.9, 0.0, third, 1.0], [0.7, 0.5, two, two], [0.4, 0.5, 1.0, 0.75], [0.2, 1.0, 1.0, 0.6]]);
        let many: Vec<f64> = (0..10_000).map(f64::from).collect();
        let few = Curve::new(&many, |i| i % 3 == 0).points(&many, |_| 1.0, 100);
        assert!((90..=101).contains(&few.len()), "{}", few.len());
        assert_eq!(few.last().map(|p| (p.threshold, p.recall)), Some((0.0, 1.0)));
        assert!(Curve::new(&many, |_| true).points(&many, |_| 1.0, 100).is_empty());
    }

    #[test]
    fn the_roc_area_is_the_share_of_ordered_pairs() {
        let curve = Curve::new(&SCORES, |i| LABELS[i]);
        let roc = curve.areas(|j| WEIGHTS[curve.order()[j] as usize]).roc;
        assert!((roc - pairs()).abs() < 1e-14);
    }

    #[test]
    fn slopes_are_derivatives_in_the_weights() {
        let curve = Curve::new(&SCORES, |i| LABELS[i]);
        let weights: Vec<f64> = curve.order().iter().map(|&i| WEIGHTS[i as usize]).collect();
        let (roc, pr) = (curve.roc_slopes(|j| weights[j]), curve.pr_slopes(|j| weights[j]));
        for j in 0..weights.len() {
            let at = |by: f64| curve.areas(|k| weights[k] + if k == j { by } else { 0.0 });
            let (up, down) = (at(1e-6), at(-1e-6));
            assert!((roc[j] - (up.roc - down.roc) / 2e-6).abs() < 1e-8, "{j}");
            assert!((pr[j] - (up.pr - down.pr) / 2e-6).abs() < 1e-8, "{j}");
        }
    }

    #[test]
    fn one_class_has_no_area() {
        let curve = Curve::new(&[0.1, 0.2], |_| false);
        assert!(curve.areas(|_| 1.0).roc.is_nan() && curve.areas(|_| 1.0).pr.is_nan());
        let curve = Curve::new(&[0.1, 0.2], |_| true);
        assert!(curve.areas(|_| 1.0).roc.is_nan());
        assert_eq!(curve.areas(|_| 1.0).pr, 1.0);
    }
}
