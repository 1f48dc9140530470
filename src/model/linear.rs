//! The linear model: a ridge regression, or a logistic one with the same penalty, as trees.
//!
//! A line in one feature is a tree of that feature alone whose leaves rise in even steps. So the model is a sum of
//! trees like any other model here: it is stored, explained, exported and averaged in the same way.
//!
//! ```text
//! margin = b + Σ w·z      z: the mean of the bin that the feature's value is in, standardised
//!
//!        ┌──┘             one tree per feature, at most 64 steps;
//!     ┌──┘                beyond the values of training it is flat
//!  ───┘
//! ```
//!
//! Missing cells have a weight of their own if training had some. The penalty is the one with the least loss on the
//! tune rows: each fit starts from the one before, with a larger penalty.

use crate::features::{Matrix, Task};
use crate::model::bins::{self, Labels};
use crate::model::data::{FitData, FitOptions, Round};
use crate::model::error::ModelError;
use crate::model::limits::Direction;
use crate::model::plan::Plan;
use crate::model::{Assembly, Head, Link, Model, Node, Tree};
use crate::stats::linear::{Goal, Linear, Loss, Sparse};
use crate::stats::portable::Portable;
use std::ops::Range;

/// Values further from the mean than this many standard deviations count as this far.
const FAR: f64 = 4.0;
/// Penalties that are tried, as divisors of the number of rows: the first gives hardly more than the mean.
const DIVISORS: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0];
/// The penalty used without tune rows.
const USUAL: f64 = 64.0;
/// After this many penalties without a lower loss, smaller ones are not tried.
const PATIENCE: usize = 2;

/// One penalty's model: its trees and its parameters.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) assembly: Assembly,
    pub(super) plan: Plan,
}

impl Step {
    pub(super) fn model(&self) -> Result<Model, ModelError> {
        Ok(Model { plan: Some(self.plan.clone()), ..Model::assemble(&self.assembly)? })
    }
}

/// Models from the largest penalty to the smallest, and the loss of each on the tune rows.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
    pub(super) losses: Vec<f64>,
}

/// Fits the path, or the one model whose penalty is given.
pub(super) fn fit(data: &FitData<'_>, options: &FitOptions<'_>, plan: &Plan, tune: Option<FitData<'_>>) -> Path {
    let (task, n_classes) = (options.params.task(), options.n_classes);
    let loss = match task {
        Task::Binary => Loss::Logistic,
        Task::Multiclass => Loss::Softmax(n_classes),
        Task::Regression => Loss::Squared,
    };
    let lines = lines(data, if task == Task::Regression { 0 } else { n_classes }, plan.max_bin);
    let known = Outcomes::of(data, &lines);
    let judged = tune.map(|tune| Outcomes::of(&tune, &lines));
    let n_rows = known.weights.as_ref().map_or(known.y.len() as f64, |weights| weights.iter().sum());
    let penalties: Vec<f64> = match (options.params.params().reg_lambda, &judged) {
        (Some(given), _) => vec![given.max(f64::MIN_POSITIVE)],
        (None, Some(_)) => DIVISORS.iter().map(|divisor| n_rows / divisor).collect(),
        (None, None) => vec![n_rows / USUAL],
    };
    let mut fitter = Fitter { lines, known, loss, directions: options.params.limits().directions.clone() };
    let mut found = Linear::zero(fitter.lines.len() * 2, loss.width());
    let mut path = Path { steps: Vec::new(), losses: Vec::new() };
    for (at, &penalty) in penalties.iter().enumerate() {
        found = fitter.fit(found, penalty);
        path.steps.push(Step {
            assembly: fitter.assembly(&found, data.x.n_features(), Head { task, n_classes, link: link(task) }),
            plan: Plan { reg_lambda: penalty, ..plan.clone() },
        });
        if let Some(judged) = &judged {
            let mean = found.mean_loss(&judged.x, judged.goal(loss, 1.0));
            path.losses.push(if loss == Loss::Squared { (2.0 * mean).sqrt() } else { mean });
        }
        if let Some(progress) = options.progress {
            progress(Round { done: at + 1, most: penalties.len(), tune_loss: path.losses.last().copied() });
        }
        let best = lowest(&path.losses).unwrap_or(at);
        if at >= best + PATIENCE {
            break;
        }
    }
    path
}

/// Index of the lowest value; on a tie, the first one.
pub(super) fn lowest(losses: &[f64]) -> Option<usize> {
    (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]))
}

fn link(task: Task) -> Link {
    match task {
        Task::Binary => Link::Logistic,
        Task::Multiclass => Link::Softmax,
        Task::Regression => Link::Identity,
    }
}

/// One feature: the lower bounds of its bins, and the value that represents each bin.
struct Line {
    feature: usize,
    bounds: Vec<f32>,
    z: Vec<f64>,
    /// Weight of the rows in each bin, and of rows without a value.
    rows: Vec<f64>,
    missing: f64,
}

impl Line {
    /// The bin of the mean.
    fn nearest(&self) -> usize {
        (0..self.z.len()).min_by(|&a, &b| self.z[a].abs().total_cmp(&self.z[b].abs())).unwrap_or(0)
    }

    /// The bin of a value.
    fn bin(&self, cell: f32) -> usize {
        self.bounds.partition_point(|&bound| bound <= cell).saturating_sub(1)
    }
}

/// The features with more than one value.
fn lines(data: &FitData<'_>, n_classes: usize, max_steps: u32) -> Vec<Line> {
    let labels = Labels { y: data.y, n_classes, weights: data.weights };
    let snapped = bins::snap(data.x.clone(), labels, max_steps as usize);
    let weight = |row: usize| data.weights.map_or(1.0, |weights| f64::from(weights[row]));
    let n_features = data.x.n_features();
    let line = |feature: usize| {
        let cells = |x: &Matrix| -> Vec<f32> { x.values.iter().skip(feature).step_by(n_features).copied().collect() };
        let (values, lower) = (cells(data.x), cells(&snapped));
        let mut bounds: Vec<f32> = lower.iter().copied().filter(|bound| !bound.is_nan()).collect();
        bounds.sort_unstable_by(f32::total_cmp);
        bounds.dedup();
        let mut line =
            Line { feature, rows: vec![0.0; bounds.len()], z: vec![0.0; bounds.len()], bounds, missing: 0.0 };
        for (row, &value) in values.iter().enumerate() {
            if value.is_nan() {
                line.missing += weight(row);
            } else {
                let bin = line.bin(lower[row]);
                line.rows[bin] += weight(row);
                line.z[bin] += weight(row) * f64::from(value);
            }
        }
        for ((z, rows), bound) in line.z.iter_mut().zip(&line.rows).zip(&line.bounds) {
            *z = if *rows > 0.0 { *z / rows } else { f64::from(*bound) };
        }
        standardise(&mut line);
        line
    };
    (0..n_features).map(line).filter(|line| line.bounds.len() + usize::from(line.missing > 0.0) > 1).collect()
}

/// Two distinct values become 0 and 1; more are standardised to mean 0 and standard deviation 1.
fn standardise(line: &mut Line) {
    if line.z.len() <= 2 {
        line.z = (0..line.z.len()).map(|bin| bin as f64).collect();
        return;
    }
    let all: f64 = line.rows.iter().sum();
    let mean_of =
        |of: &dyn Fn(f64) -> f64| line.z.iter().zip(&line.rows).map(|(&z, rows)| rows * of(z)).sum::<f64>() / all;
    let mean = mean_of(&|z| z);
    let deviation = mean_of(&|z| (z - mean) * (z - mean)).sqrt();
    let unit = if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 };
    line.z.iter_mut().for_each(|z| *z = ((*z - mean) / unit).clamp(-FAR, FAR));
}

/// Rows in the form of a linear model. Term 2k is the line of feature k; term 2k + 1 is 1 if it is missing.
struct Outcomes {
    x: Sparse,
    y: Vec<f64>,
    weights: Option<Vec<f64>>,
}

impl Outcomes {
    fn of(data: &FitData<'_>, lines: &[Line]) -> Self {
        let mut x = Sparse { starts: vec![0], ..Sparse::default() };
        for row in 0..data.x.n_rows {
            let cells = data.x.row(row);
            for (at, line) in lines.iter().enumerate() {
                let cell = cells[line.feature];
                let (term, value) = match cell.is_nan() {
                    true if line.missing > 0.0 => (2 * at + 1, 1.0),
                    // If training had no missing cells, a missing cell counts as the mean.
                    true => (2 * at, line.z[line.nearest()]),
                    false => (2 * at, line.z[line.bin(cell)]),
                };
                if value != 0.0 {
                    x.terms.push(term as u32);
                    x.values.push(value as f32);
                }
            }
            x.starts.push(x.terms.len());
        }
        let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect();
        Self { x, y: wide(data.y), weights: data.weights.map(wide) }
    }

    fn goal(&self, loss: Loss, penalty: f64) -> Goal<'_> {
        Goal { y: &self.y, weights: self.weights.as_deref(), loss, c: 1.0 / penalty }
    }
}

struct Fitter {
    lines: Vec<Line>,
    known: Outcomes,
    loss: Loss,
    /// A direction per feature; empty without any.
    directions: Vec<Option<Direction>>,
}

impl Fitter {
    /// The model with this penalty. Lines in a forbidden direction are removed, and the others fitted again.
    fn fit(&mut self, mut from: Linear, penalty: f64) -> Linear {
        let rows: Vec<u32> = (0..self.known.y.len() as u32).collect();
        loop {
            let found = from.fit(&self.known.x, &rows, self.known.goal(self.loss, penalty));
            let wrong: Vec<u32> =
                (0..self.lines.len()).filter(|&at| self.is_wrong(&found, at)).map(|at| 2 * at as u32).collect();
            if wrong.is_empty() {
                return found;
            }
            let Sparse { terms, values, .. } = &mut self.known.x;
            terms.iter().zip(values).filter(|(term, _)| wrong.contains(term)).for_each(|(_, value)| *value = 0.0);
            from = found;
            wrong.iter().for_each(|&term| from.weights[term as usize] = 0.0);
        }
    }

    fn is_wrong(&self, found: &Linear, at: usize) -> bool {
        // With several classes there are no directions.
        let weight = found.weights[2 * at * self.loss.width()];
        match self.directions.get(self.lines[at].feature).copied().flatten() {
            Some(Direction::Increasing) => weight < 0.0,
            Some(Direction::Decreasing) => weight > 0.0,
            None => false,
        }
    }

    /// The model as trees: one for each line and margin whose weight is not 0.
    fn assembly(&self, found: &Linear, n_features: usize, head: Head) -> Assembly {
        let width = self.loss.width();
        let mut trees = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            for output in 0..width {
                let weight = found.weights[2 * at * width + output];
                let missing = found.weights[(2 * at + 1) * width + output];
                if weight != 0.0 || missing != 0.0 {
                    let curvature = self.curvature(found.biases[output]);
                    trees.push(Stairs { line, weight, missing, curvature, nearest: line.nearest() }.tree(output));
                }
            }
        }
        let base_scores = found.biases.iter().map(|&bias| bias as f32).collect();
        Assembly { trees, base_scores, n_features, head }
    }

    /// The second derivative of the loss at the bias alone, for the gain of trees.
    fn curvature(&self, bias: f64) -> f64 {
        match self.loss {
            Loss::Squared => 1.0,
            Loss::Logistic | Loss::Softmax(_) => 1.0 / (2.0 + bias.exp_portable() + (-bias).exp_portable()),
        }
    }
}

/// A line as a tree.
struct Stairs<'a> {
    line: &'a Line,
    weight: f64,
    missing: f64,
    curvature: f64,
    /// The bin of missing cells if training had none.
    nearest: usize,
}

impl Stairs<'_> {
    fn tree(&self, output: usize) -> Tree {
        let bins = 0..self.line.bounds.len();
        let mut nodes = Vec::with_capacity(2 * bins.len() + 1);
        if self.line.missing > 0.0 && !bins.is_empty() {
            // There is no number below the lowest one.
            nodes.push(self.branch(bins.clone(), f32::MIN, true, self.line.missing));
            nodes.push(leaf(self.missing, self.line.missing));
            let right = self.grow(&mut nodes, bins);
            set_children(&mut nodes[0], 1, right);
        } else {
            self.grow(&mut nodes, bins);
        }
        if let Some(Node::Branch { gain, .. }) = nodes.first_mut() {
            *gain = self.gain() as f32;
        }
        Tree { nodes, outputs: output..output + 1 }
    }

    /// The decrease in loss by the line, to second order, on the scale of the gain of boosted trees.
    fn gain(&self) -> f64 {
        let of_bins = self.line.z.iter().zip(&self.line.rows).map(|(z, rows)| rows * (self.weight * z).powi(2));
        self.curvature * (of_bins.sum::<f64>() + self.line.missing * self.missing.powi(2))
    }

    /// Adds a balanced tree of these bins; returns its root.
    fn grow(&self, nodes: &mut Vec<Node>, bins: Range<usize>) -> u32 {
        let at = nodes.len();
        if bins.len() == 1 {
            nodes.push(leaf(self.weight * self.line.z[bins.start], self.line.rows[bins.start]));
            return at as u32;
        }
        let middle = usize::midpoint(bins.start, bins.end);
        nodes.push(self.branch(bins.clone(), self.line.bounds[middle], self.nearest < middle, 0.0));
        let left = self.grow(nodes, bins.start..middle);
        let right = self.grow(nodes, middle..bins.end);
        set_children(&mut nodes[at], left, right);
        at as u32
    }

    fn branch(&self, bins: Range<usize>, threshold: f32, default_left: bool, more: f64) -> Node {
        let cover = (self.line.rows[bins].iter().sum::<f64>() + more) as f32;
        Node::Branch { feature: self.line.feature as u32, threshold, default_left, left: 0, right: 0, gain: 0.0, cover }
    }
}

fn leaf(value: f64, rows: f64) -> Node {
    Node::Leaf { values: vec![value as f32], cover: rows as f32 }
}

fn set_children(node: &mut Node, to_left: u32, to_right: u32) {
    if let Node::Branch { left, right, .. } = node {
        (*left, *right) = (to_left, to_right);
    }
}
