//! A linear model with an L2 penalty, for sparse rows with many columns.
//!
//! min over w, b of ½‖w‖² + C Σ ωᵢ ℓ(w·xᵢ + b, yᵢ), by Newton steps whose direction is computed by conjugate gradients
//! (C.-J. Lin, R. C. Weng, S. S. Keerthi, "Trust Region Newton Method for Large-Scale Logistic Regression", 2008, with
//! a line search instead of the trust region). ℓ is the logistic loss for a 0/1 outcome, half the square for a number,
//! and the log loss of the softmax for a class; ωᵢ is the weight of a row.

use crate::stats::portable::Portable;

/// Sparse rows.
///
/// ```text
/// starts  0 3 5 …      row r: terms[starts[r]..starts[r + 1]] with their values
/// ```
#[derive(Debug, Default)]
pub(crate) struct Sparse {
    pub(crate) starts: Vec<usize>,
    pub(crate) terms: Vec<u32>,
    pub(crate) values: Vec<f32>,
}

/// The loss function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// An outcome that is 0 or 1.
    Logistic,
    /// A number.
    Squared,
    /// One of this many classes, numbered from 0; each has a margin.
    Softmax(usize),
}

/// What is fitted: the outcomes of all rows, their weights if unequal, and C.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal<'a> {
    pub(crate) y: &'a [f64],
    pub(crate) weights: Option<&'a [f64]>,
    pub(crate) loss: Loss,
    pub(crate) c: f64,
}

/// For each margin, one weight per term and a bias.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    /// `weights[term * margins + margin]`.
    pub(crate) weights: Vec<f64>,
    pub(crate) biases: Vec<f64>,
}

/// Maximum number of Newton steps, and of conjugate-gradient steps in each.
const MAX_STEPS: usize = 20;
const MAX_INNER: usize = 40;
/// Fitting stops when the gradient's norm falls to this share of its value at zero weights.
const TOLERANCE: f64 = 1e-3;

impl Sparse {
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let of = self.starts[row]..self.starts[row + 1];
        self.terms[of.clone()].iter().zip(&self.values[of]).map(|(&term, &value)| (term as usize, f64::from(value)))
    }
}

impl Loss {
    /// Number of margins of a row.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Logistic | Self::Squared => 1,
            Self::Softmax(classes) => classes,
        }
    }

    /// The loss at the margins of a row; writes its derivative by margin to `slopes`, and the input of [`Loss::curved`]
    /// to `curves`.
    fn at(self, margins: &[f64], y: f64, slopes: &mut [f64], curves: &mut [f64]) -> f64 {
        let margin = margins[0];
        match self {
            Self::Squared => {
                (slopes[0], curves[0]) = (margin - y, 1.0);
                0.5 * (margin - y) * (margin - y)
            }
            Self::Logistic => {
                let e = (-margin.abs()).exp_portable();
                let p = if margin >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
                (slopes[0], curves[0]) = (p - y, (p * (1.0 - p)).max(1e-6));
                margin.max(0.0) - margin * y + e.ln_1p_portable()
            }
            Self::Softmax(_) => {
                let most = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                curves.iter_mut().zip(margins).for_each(|(to, margin)| *to = (margin - most).exp_portable());
                let all: f64 = curves.iter().sum();
                curves.iter_mut().for_each(|e| *e /= all);
                slopes.copy_from_slice(curves);
                slopes[y as usize] -= 1.0;
                most + all.ln_portable() - margins[y as usize]
            }
        }
    }

    /// Multiplies a direction of the margins by the Hessian of a row's loss, in place.
    fn curved(self, curves: &[f64], along: &mut [f64]) {
        match self {
            Self::Squared | Self::Logistic => along[0] *= curves[0],
            Self::Softmax(_) => {
                let mean: f64 = curves.iter().zip(&*along).map(|(p, a)| p * a).sum();
                along.iter_mut().zip(curves).for_each(|(a, p)| *a = p * (*a - mean));
            }
        }
    }
}

/// Rows of a table with their outcomes.
struct Task<'a> {
    x: &'a Sparse,
    rows: &'a [u32],
    goal: Goal<'a>,
    width: usize,
}

/// The derivatives of all rows, and the values from which their Hessians are computed.
struct Surface {
    slopes: Vec<f64>,
    curves: Vec<f64>,
    loss: f64,
}

impl Linear {
    /// Zero weights, for `width` margins.
    pub(crate) fn zero(n_terms: usize, width: usize) -> Self {
        Self { weights: vec![0.0; n_terms * width], biases: vec![0.0; width] }
    }

    /// Fits to `rows` of `x`, starting from these weights.
    pub(crate) fn fit(self, x: &Sparse, rows: &[u32], goal: Goal<'_>) -> Self {
        let width = goal.loss.width();
        let task = Task { x, rows, goal, width };
        let n_weights = self.weights.len();
        let enough = TOLERANCE * task.slope_at_zero(n_weights);
        let mut margins = vec![0.0; rows.len() * width];
        rows.iter().zip(margins.chunks_exact_mut(width)).for_each(|(&row, to)| self.margins(x, row as usize, to));
        // The biases come last and are not regularised.
        let mut w = self.weights;
        w.extend(self.biases);
        let mut surface = task.surface(&margins);
        for _ in 0..MAX_STEPS {
            let mut gradient = w.clone();
            gradient[n_weights..].fill(0.0);
            let Surface { slopes, curves, loss } = surface;
            let objective = 0.5 * dot(&gradient, &gradient) + loss;
            task.back(&slopes, &mut gradient);
            if dot(&gradient, &gradient).sqrt() <= enough {
                break;
            }
            let direction = task.direction(&curves, &gradient);
            let along = task.ahead(&direction);
            let slope = dot(&gradient, &direction);
            let found = task.search(&w, &direction, (&margins, &along), slope, objective);
            let Some((step, there)) = found else { break };
            surface = there;
            w.iter_mut().zip(&direction).for_each(|(w, d)| *w += step * d);
            margins.iter_mut().zip(&along).for_each(|(m, d)| *m += step * d);
        }
        let biases = w.split_off(n_weights);
        Self { weights: w, biases }
    }

    /// Weighted mean loss of all rows of `x`; ignores C.
    pub(crate) fn mean_loss(&self, x: &Sparse, goal: Goal<'_>) -> f64 {
        let width = goal.loss.width();
        let (mut margins, mut slopes, mut curves) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
        let (mut sum, mut all) = (0.0, 0.0);
        for (row, &y) in goal.y.iter().enumerate() {
            let weight = goal.weights.map_or(1.0, |weights| weights[row]);
            self.margins(x, row, &mut margins);
            sum += weight * goal.loss.at(&margins, y, &mut slopes, &mut curves);
            all += weight;
        }
        sum / all
    }

    /// The linear scores of a row.
    pub(crate) fn margins(&self, x: &Sparse, row: usize, to: &mut [f64]) {
        let width = self.biases.len();
        to.copy_from_slice(&self.biases);
        for (term, value) in x.row(row) {
            let weights = &self.weights[term * width..(term + 1) * width];
            to.iter_mut().zip(weights).for_each(|(to, weight)| *to += weight * value);
        }
    }
}

impl Task<'_> {
    /// The factor of a row's loss.
    fn factor(&self, row: u32) -> f64 {
        self.goal.weights.map_or(self.goal.c, |weights| self.goal.c * weights[row as usize])
    }

    /// The norm of the gradient of the losses at zero weights.
    fn slope_at_zero(&self, n_weights: usize) -> f64 {
        let mut gradient = vec![0.0; n_weights + self.width];
        self.back(&self.surface(&vec![0.0; self.rows.len() * self.width]).slopes, &mut gradient);
        dot(&gradient, &gradient).sqrt()
    }

    fn surface(&self, margins: &[f64]) -> Surface {
        let mut found = Surface { slopes: vec![0.0; margins.len()], curves: vec![0.0; margins.len()], loss: 0.0 };
        let places = found.slopes.chunks_exact_mut(self.width).zip(found.curves.chunks_exact_mut(self.width));
        for ((&row, margins), (slopes, curves)) in self.rows.iter().zip(margins.chunks_exact(self.width)).zip(places) {
            let factor = self.factor(row);
            found.loss += factor * self.goal.loss.at(margins, self.goal.y[row as usize], slopes, curves);
            slopes.iter_mut().for_each(|slope| *slope *= factor);
        }
        found
    }

    /// The step along a direction that decreases the objective sufficiently (Armijo), and the surface there; `None` if
    /// there is no such step.
    fn search(
        &self,
        w: &[f64],
        direction: &[f64],
        (margins, along): (&[f64], &[f64]),
        slope: f64,
        objective: f64,
    ) -> Option<(f64, Surface)> {
        let n_weights = w.len() - self.width;
        let mut step = 1.0;
        for _ in 0..20 {
            let size: f64 =
                w[..n_weights].iter().zip(&direction[..n_weights]).map(|(w, d)| (w + step * d) * (w + step * d)).sum();
            let there: Vec<f64> = margins.iter().zip(along).map(|(m, d)| m + step * d).collect();
            let there = self.surface(&there);
            if 0.5 * size + there.loss <= objective + 1e-4 * step * slope {
                return Some((step, there));
            }
            step *= 0.5;
        }
        None
    }

    /// The Newton direction: conjugate gradients on (I + Xᵀ H X) d = −gradient, where H are the curvatures.
    fn direction(&self, curves: &[f64], gradient: &[f64]) -> Vec<f64> {
        let n_weights = gradient.len() - self.width;
        let mut found = vec![0.0; gradient.len()];
        let mut rest: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut way = rest.clone();
        let mut size = dot(&rest, &rest);
        let enough = 0.1 * size.sqrt();
        for _ in 0..MAX_INNER {
            let mut curved = way.clone();
            // A tiny regularisation makes the biases unique.
            curved[n_weights..].iter_mut().for_each(|bias| *bias *= 1e-6);
            let mut ahead = self.ahead(&way);
            let of_rows = ahead.chunks_exact_mut(self.width).zip(curves.chunks_exact(self.width));
            for ((along, curves), &row) in of_rows.zip(self.rows) {
                self.goal.loss.curved(curves, along);
                let factor = self.factor(row);
                along.iter_mut().for_each(|a| *a *= factor);
            }
            self.back(&ahead, &mut curved);
            let step = size / dot(&way, &curved).max(f64::MIN_POSITIVE);
            found.iter_mut().zip(&way).for_each(|(f, w)| *f += step * w);
            rest.iter_mut().zip(&curved).for_each(|(r, c)| *r -= step * c);
            let next = dot(&rest, &rest);
            if next.sqrt() <= enough {
                break;
            }
            let turn = next / size;
            way.iter_mut().zip(&rest).for_each(|(w, r)| *w = r + turn * *w);
            size = next;
        }
        found
    }

    /// X v, where the last entries of `v` belong to a column of ones.
    fn ahead(&self, v: &[f64]) -> Vec<f64> {
        let width = self.width;
        let (v, biases) = v.split_at(v.len() - width);
        if let [bias] = *biases {
            let of = |&row: &u32| self.x.row(row as usize).fold(bias, |sum, (term, value)| sum + v[term] * value);
            return self.rows.iter().map(of).collect();
        }
        let mut found = Vec::with_capacity(self.rows.len() * width);
        for &row in self.rows {
            let at = found.len();
            found.extend_from_slice(biases);
            for (term, value) in self.x.row(row as usize) {
                let of = &v[term * width..(term + 1) * width];
                found[at..].iter_mut().zip(of).for_each(|(to, v)| *to += v * value);
            }
        }
        found
    }

    /// Adds Xᵀ u to `to`.
    fn back(&self, u: &[f64], to: &mut [f64]) {
        let width = self.width;
        let (to, biases) = to.split_at_mut(to.len() - width);
        if let [bias] = biases {
            for (&row, u) in self.rows.iter().zip(u) {
                self.x.row(row as usize).for_each(|(term, value)| to[term] += u * value);
                *bias += u;
            }
            return;
        }
        for (&row, u) in self.rows.iter().zip(u.chunks_exact(width)) {
            for (term, value) in self.x.row(row as usize) {
                to[term * width..(term + 1) * width].iter_mut().zip(u).for_each(|(to, u)| *to += u * value);
            }
            biases.iter_mut().zip(u).for_each(|(to, u)| *to += u);
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Six rows of three terms.
    fn six() -> (Sparse, Vec<u32>) {
        let cells: [&[(u32, f32)]; 6] =
            [&[(0, 1.0)], &[(0, 0.6), (1, 0.8)], &[(1, 1.0)], &[(2, 1.0)], &[(1, 0.6), (2, 0.8)], &[]];
        let mut x = Sparse { starts: vec![0], ..Sparse::default() };
        for row in cells {
            x.terms.extend(row.iter().map(|c| c.0));
            x.values.extend(row.iter().map(|c| c.1));
            x.starts.push(x.terms.len());
        }
        (x, (0..6).collect())
    }

    fn near(found: &[f64], expected: &[f64]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-3), "{found:?} {expected:?}");
    }

    /// Values of scikit-learn 1.9: `LogisticRegression(C=2, tol=1e-10)` and `Ridge(alpha=.5)` on the same rows.
    #[test]
    fn as_scikit_learn_has_it() {
        let (x, rows) = six();
        let fit = |from: Linear, y: &[f64], loss, c| from.fit(&x, &rows, Goal { y, weights: None, loss, c });
        let classes = [1.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let found = fit(Linear::zero(3, 1), &classes, Loss::Logistic, 2.0);
        near(&found.weights, &LOGISTIC.0);
        near(&found.biases, &[LOGISTIC.1]);
        // Other starting weights give the same result.
        let other = fit(found, &classes, Loss::Logistic, 20.0);
        assert!(other.weights[0] > 2.0 * LOGISTIC.0[0]);
        near(&fit(other, &classes, Loss::Logistic, 2.0).weights, &LOGISTIC.0);
        let found = fit(Linear::zero(3, 1), &[3.0, 1.0, -1.0, 0.0, 2.0, 1.5], Loss::Squared, 2.0);
        near(&found.weights, &RIDGE.0);
        near(&found.biases, &[RIDGE.1]);
    }

    const LOGISTIC: ([f64; 3], f64) = ([0.92402, -0.58139, -1.09471], 0.32371);
    const RIDGE: ([f64; 3], f64) = ([1.20200, -0.91332, 0.00485], 1.12667);

    /// Values of scikit-learn 1.9: `LogisticRegression(C=2, tol=1e-10)` with three classes and `sample_weight`.
    #[test]
    fn several_classes_and_weights_are_as_scikit_learn_has_them() {
        let (x, rows) = six();
        let weights = [1.0, 2.0, 0.5, 1.0, 3.0, 1.0];
        let goal = Goal { y: &[0.0, 1.0, 2.0, 2.0, 1.0, 0.0], weights: Some(&weights), loss: Loss::Softmax(3), c: 2.0 };
        let found = Linear::zero(3, 3).fit(&x, &rows, goal);
        for (term, wanted) in SOFTMAX.iter().enumerate() {
            near(&found.weights[term * 3..(term + 1) * 3], wanted);
        }
        let mean = found.biases.iter().sum::<f64>() / 3.0;
        near(&found.biases.iter().map(|bias| bias - mean).collect::<Vec<_>>(), &SOFTMAX_BIASES);
    }

    /// By term, then by class.
    const SOFTMAX: [[f64; 3]; 3] =
        [[0.35827, 0.11642, -0.47469], [-1.07688, 1.24872, -0.17184], [-0.86032, 0.44053, 0.41979]];
    const SOFTMAX_BIASES: [f64; 3] = [0.42137, -0.00823, -0.41314];

    #[test]
    fn one_class_alone_and_no_rows_end() {
        let (x, rows) = six();
        let goal = |y, loss| Goal { y, weights: None, loss, c: 1.0 };
        let found = Linear::zero(3, 1).fit(&x, &rows, goal(&[1.0; 6], Loss::Logistic));
        assert!(found.biases[0] > 2.0 && found.weights.iter().all(|w| w.is_finite()));
        assert_eq!(Linear::zero(3, 1).fit(&x, &[], goal(&[], Loss::Squared)).biases, [0.0]);
    }
}
