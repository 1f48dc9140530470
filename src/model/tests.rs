//! Fitting, scoring, contributions, bytes and trees on small seeded tables.

use super::*;
use crate::features::{Matrix, Task};
use crate::stats::random::rng;
use rand::Rng;
use std::sync::Arc;

/// Four numbers, a fifth of the fourth one missing; what is to be learned depends on the first three.
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

pub(super) const TASKS: [Task; 3] = [Task::Binary, Task::Multiclass, Task::Regression];
pub(super) const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::GradientBoosting, Algorithm::RandomForest, Algorithm::DecisionTree];

pub(super) fn small(algorithm: Algorithm) -> Params {
    let n_estimators = (algorithm != Algorithm::DecisionTree).then_some(20);
    let learning_rate = (algorithm == Algorithm::GradientBoosting).then_some(0.3);
    Params { algorithm, n_estimators, learning_rate, max_depth: Some(4), ..Params::default() }
}

/// Mean squared distance of the scores from what they should be.
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

#[test]
fn every_algorithm_learns_every_task() {
    let x = table(1000, 2);
    for task in TASKS {
        let y = target(&x, task, 2);
        let mean = y.iter().sum::<f32>() / y.len() as f32;
        let spread = y.iter().map(|y| f64::from(y - mean).powi(2)).sum::<f64>() / y.len() as f64;
        for algorithm in ALGORITHMS {
            let loss = loss(&fit(&small(algorithm), task, 1000, 3), &x, &y);
            assert!(loss < 0.45 * spread, "{algorithm:?} {task:?}: {loss} of {spread}");
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
        let gain = fit(&small(algorithm), Task::Regression, 1000, 3).gain();
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
    // Targets that the features say nothing about: the first rounds are the best ones.
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
fn trees_walk_to_the_margins() {
    let x = table(40, 5);
    for task in TASKS {
        for algorithm in ALGORITHMS {
            let model = fit(&small(algorithm), task, 300, 3);
            let margins = model.margins(&x).unwrap();
            let trees = model.trees().unwrap();
            for row in 0..x.n_rows {
                let mut sums = model.base_scores().to_vec();
                for tree in &trees {
                    let values = walk(tree, x.row(row));
                    sums[tree.outputs.clone()].iter_mut().zip(values).for_each(|(sum, v)| *sum += v);
                }
                assert_eq!(sums, margins[row * sums.len()..(row + 1) * sums.len()]);
            }
        }
    }
}

fn walk<'a>(tree: &'a Tree, row: &[f32]) -> &'a [f32] {
    let mut at = 0;
    loop {
        match &tree.nodes[at] {
            Node::Leaf { values, .. } => return values,
            Node::Branch { feature, threshold, default_left, left, right, .. } => {
                let value = row[*feature as usize];
                let goes_left = if value.is_nan() { *default_left } else { value < *threshold };
                at = if goes_left { *left } else { *right } as usize;
            }
            Node::Choice { .. } => panic!("nothing fitted here asks for codes"),
        }
    }
}

#[test]
fn assembled_trees_are_the_model() {
    let x = table(40, 5);
    for task in TASKS {
        for algorithm in ALGORITHMS {
            let model = fit(&small(algorithm), task, 300, 3);
            let assembly = Assembly {
                trees: model.trees().unwrap(),
                base_scores: model.base_scores().to_vec(),
                n_features: model.n_features(),
                head: model.head().clone(),
            };
            let again = Model::assemble(&assembly).unwrap();
            assert_eq!(again.scores(&x).unwrap(), model.scores(&x).unwrap(), "{algorithm:?} {task:?}");
            let sum = |m: &Model| m.contributions(&x).unwrap().features(3, 0).to_vec();
            for (a, b) in sum(&again).iter().zip(sum(&model)) {
                assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{a} {b}");
            }
            assert_eq!(again.gain(), model.gain());
        }
    }
}

#[test]
fn an_assembly_of_nonsense_is_refused() {
    let leaf = |v: f32| Node::Leaf { values: vec![v], cover: 1.0 };
    let branch = |feature, threshold, left, right| Node::Branch {
        feature,
        threshold,
        default_left: true,
        left,
        right,
        gain: 0.0,
        cover: 2.0,
    };
    let head = Head { task: Task::Regression, n_classes: 0, link: Link::Identity };
    let assembly = |nodes: Vec<Node>| Assembly {
        trees: vec![Tree { nodes, outputs: 0..1 }],
        base_scores: vec![0.25],
        n_features: 2,
        head: head.clone(),
    };
    let good = assembly(vec![branch(1, 0.5, 1, 2), leaf(1.0), leaf(2.0)]);
    let model = Model::assemble(&good).unwrap();
    let mut out = [0.0];
    model.score_row(&[9.0, 0.5], &mut out).unwrap();
    assert_eq!(out, [2.25]);
    for nodes in [
        vec![],
        vec![branch(2, 0.5, 1, 2), leaf(1.0), leaf(2.0)],
        vec![branch(0, 0.5, 1, 3), leaf(1.0), leaf(2.0)],
        vec![branch(0, 0.5, 1, 1), leaf(1.0), leaf(2.0)],
        vec![branch(0, 0.5, 0, 2), leaf(1.0), leaf(2.0)],
        vec![branch(0, f32::NAN, 1, 2), leaf(1.0), leaf(2.0)],
        vec![leaf(f32::INFINITY)],
    ] {
        assert!(Model::assemble(&assembly(nodes.clone())).is_err(), "{nodes:?}");
    }
    let two = Assembly { base_scores: vec![0.0, 0.0], ..good };
    assert!(Model::assemble(&two).is_err());
}

#[test]
fn bytes_come_back_as_the_same_model() {
    let x = table(40, 5);
    for task in TASKS {
        for algorithm in ALGORITHMS {
            let model = fit(&small(algorithm), task, 300, 3);
            let bytes = model.to_bytes().unwrap();
            let again = Model::from_bytes(&bytes).unwrap();
            assert_eq!(again.scores(&x).unwrap(), model.scores(&x).unwrap());
            assert_eq!((again.head(), again.plan()), (model.head(), model.plan()));
            assert_eq!(again.to_bytes().unwrap(), bytes);
        }
    }
}

#[test]
fn damaged_bytes_are_an_error() {
    let bytes = fit(&small(Algorithm::DecisionTree), Task::Binary, 300, 3).to_bytes().unwrap();
    for end in 0..bytes.len() {
        assert!(Model::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(Model::from_bytes(&damaged).is_err(), "bit flipped at {at}");
        // A forged checksum over the damage: an error or a model, but no panic.
        let body = damaged.len() - 8;
        let sum = crate::stats::random::hash64(&damaged[..body], 0).to_le_bytes();
        damaged[body..].copy_from_slice(&sum);
        let _ = Model::from_bytes(&damaged);
    }
    assert!(Model::from_bytes(b"PK\x03\x04").is_err());
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
    assert_eq!(message(&x, &[1.0; 20], None), "training data: every row is of class 1: there is nothing to tell apart");
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
    // A row of weight 2 is the row twice, wherever rows are not drawn.
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
    let twice = Model::fit(&FitData { x: &x.take(&rows), y: &twice_y, weights: None }, &options).unwrap();
    for (a, b) in weighted.scores(&x).unwrap().iter().zip(twice.scores(&x).unwrap()) {
        assert!((a - b).abs() < 1e-6);
    }
}

#[test]
fn a_tree_reads_as_rules() {
    // y is 1 where tenure ≥ 3 and plan is 1; no row says what a missing tenure means.
    let values: Vec<f32> = (0..40).flat_map(|i| [(i / 5) as f32, f32::from(i % 8 != 7)]).collect();
    let x = Matrix::new(values, 40, ["tenure", "plan"].map(String::from).into());
    let y: Vec<f32> = (0..40).map(|row| f32::from(x.row(row)[0] >= 3.0 && x.row(row)[1] == 1.0)).collect();
    let params = Params {
        algorithm: Algorithm::DecisionTree,
        max_depth: Some(2),
        min_samples_leaf: Some(1),
        ..Params::default()
    };
    let checked = params.check(Task::Binary).unwrap();
    let options = FitOptions { params: &checked, n_classes: 2, tune: None, progress: None };
    let model = Model::fit(&FitData { x: &x, y: &y, weights: None }, &options).unwrap();
    let classes = ["No", "Yes"].map(String::from);
    let text = model.rules(&x.names, &classes).unwrap();
    assert_eq!(
        text,
        "if tenure < 3\n  No: probability 1.000, 15 rows\nelse or missing\n  if plan < 1\n    No: probability 1.000, 4 rows\n  else or missing\n    Yes: probability 1.000, 21 rows\n"
    );
    assert!(model.rules(&x.names[1..], &classes).is_err());
    let forest = fit(&small(Algorithm::RandomForest), Task::Binary, 300, 3);
    let names: Vec<String> = table(1, 1).names.to_vec();
    assert!(forest.rules(&names, &classes).unwrap_err().to_string().contains("20 trees"));
    let three = fit(&small(Algorithm::DecisionTree), Task::Multiclass, 300, 3);
    let text = three.rules(&names, &["x", "y", "z"].map(String::from)).unwrap();
    let rows: f64 =
        text.lines().filter_map(|line| line.split(", ").nth(1)?.strip_suffix(" rows")?.parse::<f64>().ok()).sum();
    assert_eq!(rows, 300.0);
}

#[test]
fn the_single_tree_is_no_worse_than_linfa_trees() {
    use ::linfa::prelude::*;
    use ndarray::{Array1, Array2};
    // A table without missing values: the peer does not know them.
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
        // Other columns than the model's: no number is made up.
        let wrong: Array1<f32> = model.predict(&Array2::<f32>::zeros((3, 2)));
        assert!(wrong.iter().all(|v| v.is_nan()));
    }
}
