//! The detection of an increased loss.

use super::*;

#[test]
fn a_loss_is_compared_row_by_row() {
    let old: Vec<f64> = (0..10).map(|i| f64::from(i) / 10.0).collect();
    let new: Vec<f64> = (0..10).map(|i| f64::from(i) / 10.0 + f64::from(i % 3) * 0.1).collect();
    let loss = Loss::of(&old, &new, (None, None), &(0..10).collect::<Vec<_>>());
    let gains: Vec<f64> = (0..10).map(|i| f64::from(i % 3) * 0.1).collect();
    let z = moments::mean(&gains) / (moments::variance(&gains) / 10.0).sqrt();
    assert!((loss.p - normal::cdf(-z)).abs() < 1e-12, "{loss:?}");
    assert!((loss.rise() - 0.09 / 0.45).abs() < 1e-12);
    // Ten rows of one customer each way are two observations.
    let twice: Vec<u32> = (0..10).map(|i| i / 5).collect();
    let fewer = Loss::of(&old, &new, (Some(&twice), None), &(0..10).collect::<Vec<_>>());
    assert!(fewer.p != loss.p && fewer.challenger == loss.challenger);
    let same = Loss::of(&old, &old, (None, None), &[1, 2, 3]);
    assert_eq!((same.p, same.rise()), (1.0, 0.0));
    let worse = Loss::of(&[0.0; 3], &[1.0; 3], (None, None), &[0, 1, 2]);
    assert_eq!((worse.p, worse.rise()), (0.0, f64::MAX));
}

#[test]
fn losses_are_squared_distances() {
    let classes: Vec<String> = ["a", "b", "c"].map(String::from).into();
    let of = |task, classes, y, scores| Reading { task, classes, y, scores, weights: None, threshold: 0.5 };
    assert_eq!(losses(&of(Task::Binary, &classes[..2], &[1.0, 0.0], &[0.5, 0.25])), [0.25, 0.0625]);
    assert_eq!(losses(&of(Task::Regression, &[], &[3.0], &[1.0])), [4.0]);
    assert_eq!(losses(&of(Task::Multiclass, &classes, &[1.0], &[0.5, 0.5, 0.0])), [0.5]);
}

#[test]
fn a_loss_of_weighed_rows_is_that_of_rows_written_as_often() {
    let (old, new) = ([1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 2.0, 6.0]);
    let loss = Loss::of(&old, &new, (None, Some(&[1.0, 2.0, 1.0, 3.0])), &[0, 1, 2, 3]);
    let twice = [0, 1, 1, 2, 3, 3, 3];
    let written = Loss::of(&old, &new, (None, None), &twice);
    assert!(
        (loss.production - written.production).abs() < 1e-12 && (loss.challenger - written.challenger).abs() < 1e-12
    );
    // Seven independent rows would show more than four of which one counts three times.
    assert!(loss.p > written.p && loss.p < 0.5, "{} {}", loss.p, written.p);
    let even = Loss::of(&old, &new, (None, Some(&[2.0; 4])), &[0, 1, 2, 3]);
    let plain = Loss::of(&old, &new, (None, None), &[0, 1, 2, 3]);
    assert!((even.p - plain.p).abs() < 1e-12);
}
