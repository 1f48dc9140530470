//! Encoders compared with scikit-learn; `scripts/reference/features.py` computes the expected values.

use serde::Deserialize;

use super::resample::{Space, class_weights};
use super::{Clip, Encode, FeatureOptions, Features, Impute, Matrix, Scale, Target, Task};
use crate::table::{Categories, Column, Table, Values};

#[derive(Deserialize)]
struct Cases {
    smoothing: f64,
    numbers: Numbers,
    categories: Texts,
    neighbours: Neighbours,
}

#[derive(Deserialize)]
struct Numbers {
    x: Vec<Option<f64>>,
    median: Vec<Option<f64>>,
    mean_scaled: Vec<Option<f64>>,
    scaled: Vec<Option<f64>>,
    clip: (f64, f64),
    clipped_median_scaled: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Texts {
    train: Vec<String>,
    score: Vec<String>,
    binary: Vec<f32>,
    classes: Vec<f32>,
    price: Vec<f32>,
    binary_encoded: Vec<Vec<f64>>,
    classes_encoded: Vec<Vec<f64>>,
    price_encoded: Vec<Vec<f64>>,
    onehot: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

#[derive(Deserialize)]
struct Neighbours {
    x: Vec<[f64; 3]>,
    c: Vec<[u32; 2]>,
    index: Vec<Vec<u32>>,
    distance: Vec<Vec<f64>>,
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("../../fixtures/reference/features.json")).unwrap()
}

fn target(task: Task) -> Target {
    let n = match task {
        Task::Regression => 0,
        Task::Binary => 2,
        Task::Multiclass => 3,
    };
    Target { name: "y".into(), task, classes: (0..n).map(|c: u32| c.to_string()).collect() }
}

fn close(found: f32, expected: f64) -> bool {
    (f64::from(found) - expected).abs() <= 2e-7 * expected.abs().max(1.0)
}

#[test]
fn numbers_agree() {
    let n = cases().numbers;
    let x = n.x.iter().map(|v| v.unwrap_or(f64::NAN)).collect::<Vec<_>>();
    let table = Table::new(vec![Column::new("x", Values::Number(x.clone()))]).unwrap();
    let y = vec![0.0; x.len()];
    let check = |impute, scale, clip, expected: &[Option<f64>]| {
        let options = FeatureOptions { impute, scale, clip, ..Default::default() };
        let (features, matrix) = Features::fit(&table, &target(Task::Binary), &y, &options, 0).unwrap();
        for (&found, expected) in matrix.values.iter().zip(expected) {
            assert!(expected.map_or(found.is_nan(), |e| close(found, e)), "{impute:?} {scale:?}: {found} {expected:?}");
        }
        features
    };
    check(Impute::Median, Scale::None, Clip::None, &n.median);
    check(Impute::Mean, Scale::Standard, Clip::None, &n.mean_scaled);
    check(Impute::Native, Scale::Standard, Clip::None, &n.scaled);
    let features = check(Impute::Median, Scale::Standard, Clip::Iqr, &n.clipped_median_scaled);
    let super::Encoder::Number(e) = &features.encoders()[0].encoder else { panic!() };
    let (low, high) = e.clip.unwrap();
    assert!((low - n.clip.0).abs() < 1e-12 && (high - n.clip.1).abs() < 1e-12);
}

fn table(texts: &[String]) -> Table {
    let categories = Categories::from_texts(texts.iter().map(String::as_str));
    Table::new(vec![Column::new("city", Values::Category(categories))]).unwrap()
}

fn encoded(c: &Texts, task: Task, y: &[f32], options: &FeatureOptions) -> Matrix {
    let (features, _) = Features::fit(&table(&c.train), &target(task), y, options, 0).unwrap();
    features.transform(&table(&c.score)).unwrap()
}

#[test]
fn categories_agree() {
    let Cases { smoothing, categories: c, .. } = cases();
    let statistics = FeatureOptions { encode: Encode::Target, smoothing: Some(smoothing), ..Default::default() };
    let onehot = FeatureOptions { encode: Encode::Onehot, ..Default::default() };
    for (matrix, expected) in [
        (encoded(&c, Task::Binary, &c.binary, &statistics), &c.binary_encoded),
        (encoded(&c, Task::Multiclass, &c.classes, &statistics), &c.classes_encoded),
        (encoded(&c, Task::Regression, &c.price, &statistics), &c.price_encoded),
        (encoded(&c, Task::Binary, &c.binary, &onehot), &c.onehot),
    ] {
        assert_eq!(matrix.values.len(), expected.iter().map(Vec::len).sum::<usize>());
        for (found, &expected) in matrix.values.iter().zip(expected.iter().flatten()) {
            assert!(close(*found, expected), "{found} {expected}");
        }
    }
    for (found, expected) in class_weights(&c.classes, 3).into_iter().zip(c.weights) {
        assert!(close(found, expected));
    }
}

#[test]
fn neighbours_agree() {
    let n = cases().neighbours;
    let mut columns: Vec<Column> =
        (0..3).map(|i| Column::new(format!("x{i}"), Values::Number(n.x.iter().map(|r| r[i]).collect()))).collect();
    for i in 0..2 {
        let levels = ["a", "b", "c"];
        let texts: Vec<&str> = n.c.iter().map(|r| levels[r[i] as usize]).collect();
        columns.push(Column::new(format!("c{i}"), Values::Category(Categories::from_texts(texts))));
    }
    let rows: Vec<u32> = (0..n.x.len() as u32).collect();
    let space = Space::new(&Table::new(columns).unwrap(), &rows, |_| false);
    for (row, (index, distance)) in n.index.iter().zip(&n.distance).enumerate() {
        assert_eq!(&space.nearest(row, 5), index, "row {row}");
        for (&other, &d) in index.iter().zip(distance) {
            assert!((space.distance2(row, other as usize).sqrt() - d).abs() < 1e-9);
        }
    }
}
