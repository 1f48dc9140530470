//! A regularised linear model for sparse rows with many columns.
//!
//! min over w, b of ½‖w‖² + C Σ ℓ(w·xᵢ + b, yᵢ), by Newton steps whose direction conjugate gradients find (C.-J. Lin,
//! R. C. Weng, S. S. Keerthi, "Trust Region Newton Method for Large-Scale Logistic Regression", 2008, with a line search
//! in place of the region). ℓ is the logistic loss for a 0/1 outcome and half the square for a number.

use crate::stats::portable::Portable;

/// Rows of few numbers each.
///
/// ```text
/// starts  0 3 5 …      row r: terms[starts[r]..starts[r + 1]] with their values
/// ```
#[derive(Debug, Default)]
pub(super) struct Sparse {
    pub(super) starts: Vec<usize>,
    pub(super) terms: Vec<u32>,
    pub(super) values: Vec<f32>,
}

/// The loss function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// An outcome that is 0 or 1.
    Logistic,
    /// A number.
    Squared,
}

/// A weight per term, and a bias.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    pub(super) weights: Vec<f64>,
    pub(super) bias: f64,
}

/// Newton steps, and steps of conjugate gradients in each.
const MAX_STEPS: usize = 20;
const MAX_INNER: usize = 40;
/// The gradient's norm must fall to this share of its value at zero weights.
const TOLERANCE: f64 = 1e-3;

impl Sparse {
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let of = self.starts[row]..self.starts[row + 1];
        self.terms[of.clone()].iter().zip(&self.values[of]).map(|(&term, &value)| (term as usize, f64::from(value)))
    }
}

impl Loss {
    /// The loss at a margin, its slope and its curvature.
    fn at(self, margin: f64, y: f64) -> (f64, f64, f64) {
        match self {
            Self::Squared => (0.5 * (margin - y) * (margin - y), margin - y, 1.0),
            Self::Logistic => {
                let e = (-margin.abs()).exp_portable();
                let p = if margin >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
                (margin.max(0.0) - margin * y + e.ln_1p_portable(), p - y, (p * (1.0 - p)).max(1e-6))
            }
        }
    }
}

impl Linear {
    /// All weights zero.
    pub(super) fn zero(n_terms: usize) -> Self {
        Self { weights: vec![0.0; n_terms], bias: 0.0 }
    }

    /// Fits to `rows` of `x` with the outcomes `y`, one per row of `x`; starts from these weights.
    pub(super) fn fit(self, x: &Sparse, rows: &[u32], y: &[f64], loss: Loss, c: f64) -> Self {
        let n_terms = self.weights.len();
        let enough = TOLERANCE * c * slope_at_zero(x, rows, y, n_terms, loss);
        let mut margins: Vec<f64> = rows.iter().map(|&row| self.margin(x, row as usize)).collect();
        // The last element is the bias, which is not regularised.
        let mut w = self.weights;
        w.push(self.bias);
        for _ in 0..MAX_STEPS {
            let mut gradient = w.clone();
            gradient[n_terms] = 0.0;
            let mut curvatures = Vec::with_capacity(rows.len());
            let mut objective = 0.5 * dot(&gradient, &gradient);
            let mut slopes = Vec::with_capacity(rows.len());
            for (&row, &margin) in rows.iter().zip(&margins) {
                let (value, slope, curvature) = loss.at(margin, y[row as usize]);
                objective += c * value;
                slopes.push(c * slope);
                curvatures.push(c * curvature);
            }
            back(x, rows, &slopes, &mut gradient);
            if dot(&gradient, &gradient).sqrt() <= enough {
                break;
            }
            let direction = direction(x, rows, &curvatures, &gradient);
            let along = ahead(x, rows, &direction);
            let slope = dot(&gradient, &direction);
            let Some(step) = search(&w, &direction, (&margins, &along), slope, objective, |margin, at| {
                c * loss.at(margin, y[rows[at] as usize]).0
            }) else {
                break;
            };
            w.iter_mut().zip(&direction).for_each(|(w, d)| *w += step * d);
            margins.iter_mut().zip(&along).for_each(|(m, d)| *m += step * d);
        }
        let bias = w.pop().unwrap_or(0.0);
        Self { weights: w, bias }
    }

    /// The linear score of a row.
    pub(super) fn margin(&self, x: &Sparse, row: usize) -> f64 {
        self.bias + x.row(row).map(|(term, value)| self.weights[term] * value).sum::<f64>()
    }
}

/// How long the gradient of the losses is without weights.
fn slope_at_zero(x: &Sparse, rows: &[u32], y: &[f64], n_terms: usize, loss: Loss) -> f64 {
    let mut gradient = vec![0.0; n_terms + 1];
    let slopes: Vec<f64> = rows.iter().map(|&row| loss.at(0.0, y[row as usize]).1).collect();
    back(x, rows, &slopes, &mut gradient);
    dot(&gradient, &gradient).sqrt()
}

/// The step along a direction that decreases the objective sufficiently (Armijo); `None` if there is none.
fn search(
    w: &[f64],
    direction: &[f64],
    (margins, along): (&[f64], &[f64]),
    slope: f64,
    objective: f64,
    loss: impl Fn(f64, usize) -> f64,
) -> Option<f64> {
    let last = w.len() - 1;
    let mut step = 1.0;
    for _ in 0..20 {
        let size: f64 = w[..last].iter().zip(&direction[..last]).map(|(w, d)| (w + step * d) * (w + step * d)).sum();
        let losses = margins.iter().zip(along).enumerate().map(|(at, (m, d))| loss(m + step * d, at));
        if 0.5 * size + losses.sum::<f64>() <= objective + 1e-4 * step * slope {
            return Some(step);
        }
        step *= 0.5;
    }
    None
}

/// The Newton direction: conjugate gradients on (I + Xᵀ diag(curvatures) X) d = −gradient.
fn direction(x: &Sparse, rows: &[u32], curvatures: &[f64], gradient: &[f64]) -> Vec<f64> {
    let last = gradient.len() - 1;
    let mut found = vec![0.0; gradient.len()];
    let mut rest: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut way = rest.clone();
    let mut size = dot(&rest, &rest);
    let enough = 0.1 * size.sqrt();
    for _ in 0..MAX_INNER {
        let mut curved = way.clone();
        // A tiny regularisation keeps the bias determined.
        curved[last] *= 1e-6;
        let mut ahead = ahead(x, rows, &way);
        ahead.iter_mut().zip(curvatures).for_each(|(a, c)| *a *= c);
        back(x, rows, &ahead, &mut curved);
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

/// X v, the last place of `v` being that of a column of ones.
fn ahead(x: &Sparse, rows: &[u32], v: &[f64]) -> Vec<f64> {
    let bias = v[v.len() - 1];
    rows.iter().map(|&row| bias + x.row(row as usize).map(|(term, value)| v[term] * value).sum::<f64>()).collect()
}

/// Adds Xᵀ u to `to`.
fn back(x: &Sparse, rows: &[u32], u: &[f64], to: &mut [f64]) {
    let last = to.len() - 1;
    for (&row, &u) in rows.iter().zip(u) {
        x.row(row as usize).for_each(|(term, value)| to[term] += u * value);
        to[last] += u;
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
        let found = Linear::zero(3).fit(&x, &rows, &[1.0, 1.0, 0.0, 0.0, 0.0, 1.0], Loss::Logistic, 2.0);
        near(&found.weights, &LOGISTIC.0);
        near(&[found.bias], &[LOGISTIC.1]);
        // From other weights it is the same.
        let other = found.fit(&x, &rows, &[1.0, 1.0, 0.0, 0.0, 0.0, 1.0], Loss::Logistic, 20.0);
        assert!(other.weights[0] > 2.0 * LOGISTIC.0[0]);
        let again = other.fit(&x, &rows, &[1.0, 1.0, 0.0, 0.0, 0.0, 1.0], Loss::Logistic, 2.0);
        near(&again.weights, &LOGISTIC.0);
        let found = Linear::zero(3).fit(&x, &rows, &[3.0, 1.0, -1.0, 0.0, 2.0, 1.5], Loss::Squared, 2.0);
        near(&found.weights, &RIDGE.0);
        near(&[found.bias], &[RIDGE.1]);
    }

    const LOGISTIC: ([f64; 3], f64) = ([0.92402, -0.58139, -1.09471], 0.32371);
    const RIDGE: ([f64; 3], f64) = ([1.20200, -0.91332, 0.00485], 1.12667);

    #[test]
    fn one_class_alone_and_no_rows_end() {
        let (x, rows) = six();
        let found = Linear::zero(3).fit(&x, &rows, &[1.0; 6], Loss::Logistic, 1.0);
        assert!(found.bias > 2.0 && found.weights.iter().all(|w| w.is_finite()));
        assert_eq!(Linear::zero(3).fit(&x, &[], &[], Loss::Squared, 1.0).bias, 0.0);
    }
}
