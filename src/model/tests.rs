//! Fitting, scoring, contributions, bytes and trees on small seeded tables.

use super::*;
use crate::features::{LARGEST, Matrix, Task};
use crate::stats::random::rng;
use rand::Rng;
use std::sync::Arc;

/// Four numbers, a fifth of the fourth one missing; the target depends on the first three.
pub(super) fn table(n: usize, seed: u64) -> Matrix {
    let mut random = rng(seed, "model tests");
    let mut values = Vec::with_capacity(n * 4);
    for _ in 0..n {
        let row: [f32; 4] = random.r#gen();
        values.extend_from_slice(&row[..3]);
        values.push(if row[3] < 0.2 { f32::NAN } else { row[3] });
    }
    Matrix::new(values, n, ["a", "b", "c", "d"].map(String::from).into())
}

pub(super) fn target(x: &Matrix, task: Task, seed: u64) -> Vec<f32> {
    let mut random = rng(seed, "model targets");
    (0..x.n_rows)
        .map(|row| {
            let row = x.row(row);
            let signal = 2.0 * row[0] + (6.0 * row[1]).sin() + 0.4 * random.r#gen::<f32>();
            match task {
                Task::Regression => 1000.0 + 10.0 * signal,
                Task::Binary => f32::from(signal > 1.2),
                Task::Multiclass => (signal.max(0.0) as usize).min(2) as f32,
            }
        })
        .collect()
}

pub(super) fn fit(params: &Params, task: Task, n: usize, seed: u64) -> Model {
    let x = table(n, 1);
    let y = target(&x, task, 1);
    let checked = params.check(task).unwrap().with_seed(seed);
    let options = FitOptions { params: &checked, n_classes: 3, tune: None, progress: None };
    Model::fit(&FitData { x: &x, y: &y, weights: None }, &options).unwrap()
}

/// As [`fit`] with the first seed, with trees restricted by `limits`.
pub(super) fn fit_limited(params: &Params, task: Task, n: usize, limits: Limits) -> Model {
    let x = table(n, 1);
    let y = target(&x, task, 1);
    let checked = params.check(task).unwrap().with_limits(limits);
    let options = FitOptions { params: &checked, n_classes: 3, tune: None, progress: None };
    Model::fit(&FitData { x: &x, y: &y, weights: None }, &options).unwrap()
}

pub(super) const TASKS: [Task; 3] = [Task::Binary, Task::Multiclass, Task::Regression];
pub(super) const ALGORITHMS: [Algorithm; 4] = Algorithm::ALL;

pub(super) fn small(algorithm: Algorithm) -> Params {
    if algorithm == Algorithm::Linear {
        return Params { algorithm, ..Params::default() };
    }
    let n_estimators = (algorithm != Algorithm::DecisionTree).then_some(20);
    let learning_rate = (algorithm == Algorithm::GradientBoosting).then_some(0.3);
    Params { algorithm, n_estimators, learning_rate, max_depth: Some(4), ..Params::default() }
}

/// Mean squared error of the scores.
fn loss(model: &Model, x: &Matrix, y: &[f32]) -> f64 {
    let scores = model.scores(x).unwrap();
    let k = model.n_scores();
    let distance = |(row, &y): (&[f32], &f32)| match model.task() {
        Task::Multiclass => {
            row.iter().enumerate().map(|(c, s)| f64::from(s - f32::from(c == y as usize)).powi(2)).sum()
        }
        _ => f64::from(row[0] - y).powi(2),
    };
    scores.chunks(k).zip(y).map(distance).sum::<f64>() / y.len() as f64
}

/// The rows at `rows`, in that order.
fn taken(x: &Matrix, rows: &[u32]) -> Matrix {
    let values = rows.iter().flat_map(|&row| x.row(row as usize)).copied().collect();
    Matrix::new(values, rows.len(), Arc::clone(&x.names))
}

#[test]
fn every_algorithm_learns_every_task() {
    let x = table(1000, 2);
    for task in TASKS {
        let y = target(&x, task, 2);
        let mean = y.iter().sum::<f32>() / y.len() as f32;
        let spread = y.iter().map(|y| f64::from(y - mean).powi(2)).sum::<f64>() / y.len() as f64;
        for algorithm in ALGORITHMS {
            let loss = loss(&fit(&small(algorithm), task, 1000, 3), &x, &y);
            // A line cannot fit a sine.
            let most = if algorithm == Algorithm::Linear { 0.65 } else { 0.45 };
            assert!(loss < most * spread, "{algorithm:?} {task:?}: {loss} of {spread}");
        }
    }
}

#[test]
fn scores_are_probabilities() {
    let x = table(200, 5);
    for algorithm in ALGORITHMS {
        let scores = fit(&small(algorithm), Task::Multiclass, 300, 3).scores(&x).unwrap();
        for row in scores.chunks(3) {
            assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{row:?}");
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{row:?}");
        }
        let scores = fit(&small(algorithm), Task::Binary, 300, 3).scores(&x).unwrap();
        assert!(scores.iter().all(|p| (0.0..=1.0).contains(p)));
    }
}

#[test]
fn a_row_scores_as_in_its_batch() {
    let x = table(50, 5);
    for task in TASKS {
        for algorithm in ALGORITHMS {
            let model = fit(&small(algorithm), task, 300, 3);
            let batch = model.scores(&x).unwrap();
            let mut one = vec![0.0; model.n_scores()];
            for row in 0..x.n_rows {
                model.score_row(x.row(row), &mut one).unwrap();
                assert_eq!(one, batch[row * one.len()..(row + 1) * one.len()]);
            }
        }
    }
}

#[test]
fn contributions_sum_to_the_margin() {
    let x = table(60, 5);
    for task in TASKS {
        for algorithm in ALGORITHMS {
            let model = fit(&small(algorithm), task, 300, 3);
            let margins = model.margins(&x).unwrap();
            let contributions = model.contributions(&x).unwrap();
            for (at, &margin) in margins.iter().enumerate() {
                let (row, output) = (at / model.n_margins(), at % model.n_margins());
                let sum = contributions.features(row, output).iter().map(|&v| f64::from(v)).sum::<f64>()
                    + f64::from(contributions.bias(row, output));
                assert!(
                    (sum - f64::from(margin)).abs() < 1e-5 * f64::from(margin.abs()).max(1.0),
                    "{algorithm:?} {task:?}: {sum} {margin}"
                );
            }
        }
    }
}

#[test]
fn gain_names_the_features_that_matter() {
    for algorithm in ALGORITHMS {
        let gain = fit(&small(algorithm), Task::Regression, 1000, 3).gain().unwrap();
        assert!((gain.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(gain[0] + gain[1] > 0.9 && gain[2] < 0.05, "{algorithm:?}: {gain:?}");
    }
}

#[test]
fn threads_do_not_change_a_byte() {
    for task in TASKS {
        for algorithm in ALGORITHMS {
            let bytes = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| fit(&small(algorithm), task, 3000, 7).to_bytes().unwrap())
            };
            let one = bytes(1);
            assert_eq!(one, bytes(2), "{algorithm:?} {task:?}");
            assert_eq!(one, bytes(5), "{algorithm:?} {task:?}");
        }
    }
}

#[test]
fn another_seed_is_another_forest() {
    let params = small(Algorithm::RandomForest);
    let of_seed = |seed| fit(&params, Task::Binary, 300, seed).to_bytes().unwrap();
    assert_eq!(of_seed(1), of_seed(1));
    assert_ne!(of_seed(1), of_seed(2));
}

#[test]
fn early_stopping_keeps_the_best_rounds() {
    let (x, tune) = (table(300, 1), table(200, 9));
    let y = target(&x, Task::Binary, 1);
    // Targets independent of the features: early rounds are the best ones.
    let mut noise = rng(3, "noise");
    let tune_y: Vec<f32> = (0..200).map(|_| f32::from(noise.r#gen::<f32>() < 0.5)).collect();
    let params = Params { n_estimators: Some(200), early_stopping_rounds: Some(7), ..Params::default() };
    let checked = params.check(Task::Binary).unwrap();
    let seen = std::sync::Mutex::new(Vec::new());
    let progress = |round: Round| seen.lock().unwrap().push(round);
    let tune = FitData { x: &tune, y: &tune_y, weights: None };
    let options = FitOptions { params: &checked, n_classes: 2, tune: Some(tune), progress: Some(&progress) };
    let model = Model::fit(&FitData { x: &x, y: &y, weights: None }, &options).unwrap();
    let losses: Vec<f64> = seen.into_inner().unwrap().iter().map(|round| round.tune_loss.unwrap()).collect();
    let best = losses.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    assert_eq!(model.rounds(), best + 1);
    assert_eq!(losses.len(), best + 8);
}

#[test]
fn a_forest_averages_its_trees() {
    let model = fit(&small(Algorithm::RandomForest), Task::Binary, 500, 3);
    assert_eq!((model.n_trees(), model.rounds(), model.base_scores()), (20, 1, &[0.0_f32][..]));
    for tree in model.trees().unwrap() {
        let Node::Leaf { values, .. } = tree.nodes.last().unwrap() else { panic!("the last node is a leaf") };
        // A leaf holds a share of the positive class, divided by the number of trees.
        assert!((0.0..=1.0 / 20.0 + 1e-7).contains(&values[0]), "{values:?}");
    }
}

#[test]
fn the_largest_numbers_are_split_from_missing_ones() {
    let (n, largest) = (400, LARGEST);
    for (low, high) in
        [(0.0, largest), (-largest, 1.0), (-largest, largest), (0.0, largest / 2.0), (0.0, 1.0), (-5.0, 10.0)]
    {
        let cell = |row: usize| match row % 5 {
            0 | 1 => f32::NAN,
            2 => low,
            3 => high,
            _ => row as f32 / 400.0,
        };
        let x = Matrix::new((0..n).map(cell).collect(), n, ["x".to_owned()].into());
        for task in TASKS {
            let y: Vec<f32> = (0..n).map(|row| f32::from(u8::from(x.values[row].is_nan()))).collect();
            for algorithm in ALGORITHMS {
                let checked = small(algorithm).check(task).unwrap().with_seed(3);
                let options = FitOptions { params: &checked, n_classes: 2, tune: None, progress: None };
                let model = Model::fit(&FitData { x: &x, y: &y, weights: None }, &options).unwrap();
                let scores = model.scores(&x).unwrap();
                let of = |row: usize| scores[row * scores.len() / n + scores.len() / n - 1];
                let found: Vec<f32> = (0..5).map(of).collect();
                let apart = found[2..].iter().all(|score| *score < found[0] - 0.3);
                assert!(apart, "{algorithm:?} {task:?} {low} {high}: {found:?}");
            }
        }
    }
}

#[test]
fn data_that_cannot_be_learned_from_is_refused() {
    let x = table(20, 1);
    let y = target(&x, Task::Binary, 1);
    let checked = Params::default().check(Task::Binary).unwrap();
    let options = FitOptions { params: &checked, n_classes: 2, tune: None, progress: None };
    let message = |x: &Matrix, y: &[f32], weights: Option<&[f32]>| {
        Model::fit(&FitData { x, y, weights }, &options).unwrap_err().to_string()
    };
    let empty = Matrix::new(vec![], 0, Arc::clone(&x.names));
    assert_eq!(message(&empty, &[], None), "training data: there are no rows");
    assert_eq!(message(&x, &y[1..], None), "training data: 19 targets for 20 rows");
    assert_eq!(
        message(&x, &[1.0; 20], None),
        "training data: every row is of class 1: at least two classes are needed"
    );
    let mut wrong = y.clone();
    wrong[3] = 2.0;
    assert_eq!(message(&x, &wrong, None), "training data: the target of row 3 is 2: a class is 0 to 1");
    wrong[3] = f32::NAN;
    assert!(message(&x, &wrong, None).contains("row 3 is NaN"));
    assert!(message(&x, &y, Some(&[-1.0; 20])).contains("weight of row 0 is -1"));
    assert!(message(&x, &y, Some(&[0.0; 20])).contains("every weight is 0"));
    let mut values = x.values.to_vec();
    values[5] = f32::INFINITY;
    let infinite = Matrix::new(values, 20, Arc::clone(&x.names));
    assert!(message(&infinite, &y, None).contains("finite"));
    let model = Model::fit(&FitData { x: &x, y: &y, weights: None }, &options).unwrap();
    assert!(matches!(model.scores(&infinite), Err(ModelError::Infinite(_))));
    assert!(matches!(model.score_row(&[1.0], &mut [0.0]), Err(ModelError::Features { expected: 4, found: 1 })));
    assert!(model.score_row(&[1.0; 4], &mut [0.0; 2]).is_err());
    assert_eq!(model.scores(&empty).unwrap(), Vec::<f32>::new());
}

#[test]
fn weights_count_as_rows() {
    // A row of weight 2 equals the row twice, unless rows are sampled.
    let x = table(200, 1);
    let y = target(&x, Task::Binary, 1);
    let params = Params {
        algorithm: Algorithm::DecisionTree,
        max_depth: Some(3),
        min_samples_leaf: Some(5),
        ..Params::default()
    };
    let checked = params.check(Task::Binary).unwrap();
    let options = FitOptions { params: &checked, n_classes: 2, tune: None, progress: None };
    let weights: Vec<f32> = y.iter().map(|&y| 1.0 + y).collect();
    let weighted = Model::fit(&FitData { x: &x, y: &y, weights: Some(&weights) }, &options).unwrap();
    let rows: Vec<u32> = (0..200).flat_map(|row| vec![row; weights[row as usize] as usize]).collect();
    let twice_y: Vec<f32> = rows.iter().map(|&row| y[row as usize]).collect();
    let twice = Model::fit(&FitData { x: &taken(&x, &rows), y: &twice_y, weights: None }, &options).unwrap();
    let same = |a: &Model, b: &Model| {
        let (a, b) = (a.scores(&x).unwrap(), b.scores(&x).unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6));
    };
    same(&weighted, &twice);
    // A row of weight 0 is ignored.
    let weights: Vec<f32> = (0..200_u8).map(|row| f32::from(row % 3)).collect();
    let some = Model::fit(&FitData { x: &x, y: &y, weights: Some(&weights) }, &options).unwrap();
    let rows: Vec<u32> = (0..200).flat_map(|row| vec![row; row as usize % 3]).collect();
    let y: Vec<f32> = rows.iter().map(|&row| y[row as usize]).collect();
    same(&some, &Model::fit(&FitData { x: &taken(&x, &rows), y: &y, weights: None }, &options).unwrap());
}

#[test]
fn the_single_tree_is_no_worse_than_linfa_trees() {
    use ::linfa::prelude::*;
    use ndarray::{Array1, Array2};
    // A table without missing values: linfa-trees does not support them.
    let complete = |seed| {
        let x = table(1500, seed);
        let values = x.values.iter().map(|v| if v.is_nan() { 0.5 } else { *v }).collect();
        Matrix::new(values, 1500, Arc::clone(&x.names))
    };
    let records = |x: &Matrix| Array2::from_shape_vec((1500, 4), x.values.to_vec()).unwrap();
    let (train, test) = (complete(1), complete(2));
    let (y, truth) = (target(&train, Task::Binary, 1), target(&test, Task::Binary, 2));
    let labels: Array1<usize> = y.iter().map(|&y| y as usize).collect();
    let peer = linfa_trees::DecisionTree::params().max_depth(Some(5)).min_weight_leaf(8.0);
    let peer = peer.fit(&Dataset::new(records(&train), labels.clone())).unwrap();
    let found: Array1<usize> = peer.predict(&records(&test));
    let of_peer = found.iter().zip(&truth).filter(|(a, b)| **a as f32 == **b).count();
    let params: Params =
        serde_json::from_str(r#"{"algorithm": "decision-tree", "max_depth": 5, "min_samples_leaf": 8}"#).unwrap();
    let model = params.check(Task::Binary).unwrap().fit(&Dataset::new(records(&train), labels)).unwrap();
    let found: Array1<f32> = model.predict(&records(&test));
    let of_ours = found.iter().zip(&truth).filter(|(a, b)| a == b).count();
    assert!(of_ours + 15 >= of_peer, "{of_ours} of 1500 rows right, linfa-trees {of_peer}");
    assert!(of_ours > 1200, "{of_ours}");
}

#[test]
fn linfa_predicts_what_the_model_scores() {
    use ::linfa::traits::Predict;
    use ndarray::{Array1, Array2};
    let x = table(50, 5);
    let records = Array2::from_shape_vec((50, 4), x.values.to_vec()).unwrap();
    for task in TASKS {
        let model = fit(&small(Algorithm::RandomForest), task, 300, 3);
        let scores: Array2<f32> = model.predict(&records);
        assert_eq!(scores.iter().copied().collect::<Vec<f32>>(), model.scores(&x).unwrap());
        let found: Array1<f32> = model.predict(&records);
        for (found, row) in found.iter().zip(scores.rows()) {
            match task {
                Task::Regression => assert_eq!(*found, row[0]),
                Task::Binary => assert_eq!(*found, f32::from(row[0] >= 0.5)),
                Task::Multiclass => assert!(row.iter().all(|&score| score <= row[*found as usize])),
            }
        }
        // The wrong number of columns: scores are `NaN`.
        let wrong: Array1<f32> = model.predict(&Array2::<f32>::zeros((3, 2)));
        assert!(wrong.iter().all(|v| v.is_nan()));
    }
}
