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
    // Ten rows of one customer each are two observations.
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
    // Seven independent rows would be stronger evidence than four of which one counts three times.
    assert!(loss.p > written.p && loss.p < 0.5, "{} {}", loss.p, written.p);
    let even = Loss::of(&old, &new, (None, Some(&[2.0; 4])), &[0, 1, 2, 3]);
    let plain = Loss::of(&old, &new, (None, None), &[0, 1, 2, 3]);
    assert!((even.p - plain.p).abs() < 1e-12);
}

#[test]
fn the_guardrails_are_those_of_the_task_that_are_switched_on() {
    use crate::gate::trained::Loop;
    let names = |l: &Loop| {
        let report = l.promote(|request| request.dry_run = true).unwrap().report.unwrap();
        report.guardrails.into_iter().map(|rail| rail.name).collect::<Vec<String>>()
    };
    let numbers = Loop::of(true);
    assert_eq!(names(&numbers), ["slices", "schema", "latency_ratio"]);
    let off = |name: &str, to: &str| numbers.edit(name, to);
    off("latency_ratio = 1e6", "latency_ratio = false\nschema = false");
    assert_eq!(names(&numbers), ["slices"]);
    off("slice_rows = 30", "slices = false");
    assert!(names(&numbers).is_empty());
}

#[test]
fn the_time_of_rows_is_taken_by_scoring_them() {
    use crate::gate::rows::gate_rows;
    use crate::gate::trained::Loop;
    use crate::registry::Version;
    let l = Loop::new();
    let [old, new] = [1, 2].map(|version| Contestant::load(&l.work, Version(version)).unwrap());
    let config = l.work.config().unwrap();
    let mut rows = gate_rows(&l.work, &config, &old, &new, false).unwrap();
    let scores = old.pipeline.score(&rows.table).unwrap();
    let y = rows.y.clone();
    let check = |rows: &GateRows| {
        let (production, challenger) =
            ((&old, old.pipeline.reading(&scores, &y)), (&new, new.pipeline.reading(&scores, &y)));
        let rails = Rails { rules: &config.promote.guardrails, alpha: 0.05, rows, production, challenger };
        // Half a second for each call: both take equally long.
        let now = std::cell::Cell::new(0.0);
        let seconds = || now.replace(now.get() + 0.5);
        rails.latency(&seconds).map_err(|err| err.to_string())
    };
    let found = check(&rows).unwrap().unwrap();
    assert_eq!((found.value, found.broken), (Some(1.0), false));
    assert_eq!(found.text, "500.0 µs a row, was 500.0");
    // If rows cannot be scored, nothing is timed.
    let others = rows.table.columns().iter().filter(|column| column.name != "x").cloned();
    rows.table = crate::table::Table::new(others.collect()).unwrap();
    assert!(check(&rows).unwrap_err().contains("\"x\""));
    rows.y.clear();
    assert_eq!(check(&rows), Ok(None));
}
