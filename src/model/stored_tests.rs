//! A model's trees: walked, disassembled, assembled, stored and read as rules.

use super::tests::*;
use super::*;
use crate::features::{Matrix, Task};
use crate::stats::random::hash64;

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
            assert_eq!(again.gain().unwrap(), model.gain().unwrap());
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
fn a_model_of_the_first_version_is_read() {
    let x = table(40, 5);
    let model = fit(&small(Algorithm::GradientBoosting), Task::Binary, 300, 3);
    let bytes = model.to_bytes().unwrap();
    let header = 16 + u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let walk = header + 8 + u64::from_le_bytes(bytes[header..header + 8].try_into().unwrap()) as usize;
    let mut first = [&bytes[..header], &bytes[walk..bytes.len() - 8]].concat();
    first[8] = 1;
    first.extend_from_slice(&hash64(&first, 0).to_le_bytes());
    let again = Model::from_bytes(&first).unwrap();
    assert_eq!(again.scores(&x).unwrap(), model.scores(&x).unwrap());
    assert_eq!(again.to_bytes().unwrap(), bytes);
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
fn a_tree_reads_as_rules() {
    let told = |value: f32| value.to_string();
    // y is 1 if tenure ≥ 3 and plan is 1; no row shows the meaning of a missing tenure.
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
    let text = model.rules(&x.names, &classes, &told).unwrap();
    assert_eq!(
        text,
        "if tenure < 2.5\n  No: probability 1.000, 15 rows\nelse or missing\n  if plan < 0.5\n    No: probability 1.000, 4 rows\n  else or missing\n    Yes: probability 1.000, 21 rows\n"
    );
    assert!(model.rules(&x.names[1..], &classes, &told).is_err());
    let forest = fit(&small(Algorithm::RandomForest), Task::Binary, 300, 3);
    let names: Vec<String> = table(1, 1).names.to_vec();
    assert!(forest.rules(&names, &classes, &told).unwrap_err().to_string().contains("20 trees"));
    let three = fit(&small(Algorithm::DecisionTree), Task::Multiclass, 300, 3);
    let text = three.rules(&names, &["x", "y", "z"].map(String::from), &told).unwrap();
    let rows: f64 =
        text.lines().filter_map(|line| line.split(", ").nth(1)?.strip_suffix(" rows")?.parse::<f64>().ok()).sum();
    assert_eq!(rows, 300.0);
}
