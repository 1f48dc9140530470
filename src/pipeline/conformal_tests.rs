//! The coverage of intervals and sets on new rows of synthetic tables with known truth.

use super::*;
use crate::features::FeatureOptions;
use crate::model::Params;
use crate::pipeline::{Decision, Examples, Recipe, SplitSpec, TargetSpec, fit};
use crate::stats::normal;
use crate::stats::random::unit_hash;
use crate::table::{Categories, Column, ColumnSpec, Dialect, Kind, Schema, Values};
use std::borrow::Cow;

/// A row's numbers, and its outcome: errors grow with `a`, classes are drawn.
struct Drawn {
    table: u64,
    task: Task,
}

const CLASSES: [&str; 3] = ["red", "green", "blue"];

impl Drawn {
    fn noise(&self, row: usize, salt: u64) -> f64 {
        unit_hash(&(row as u64).to_le_bytes(), self.table.wrapping_mul(1000) + salt)
    }

    fn number(&self, row: usize) -> f64 {
        let (a, b) = (self.noise(row, 1), self.noise(row, 2));
        let error = normal::quantile(self.noise(row, 3).clamp(1e-9, 1.0 - 1e-9));
        3.0 * a + (6.0 * b).sin() + (0.2 + a) * error
    }

    fn class(&self, row: usize) -> usize {
        let (a, b, u) = (self.noise(row, 1), self.noise(row, 2), self.noise(row, 3));
        let p = match self.task {
            Task::Binary => [1.0 / (1.0 + (4.0 * (a - b)).exp()), 1.0],
            _ => [0.1 + 0.8 * a * b, 0.2 + 0.8 * a * b + 0.6 * (1.0 - a)],
        };
        p.iter().filter(|p| u > **p).count()
    }

    fn y(&self, row: usize) -> f64 {
        if self.task == Task::Regression { self.number(row) } else { self.class(row) as f64 }
    }

    fn rows(&self, rows: std::ops::Range<usize>) -> Table {
        let of = |value: &dyn Fn(usize) -> f64| Values::Number(rows.clone().map(value).collect());
        let y = match self.task {
            Task::Regression => of(&|row| self.number(row)),
            _ => {
                let names: Vec<&str> = rows.clone().map(|row| CLASSES[self.class(row)]).collect();
                Values::Category(Categories::from_texts(names))
            }
        };
        let a = Column::new("a", of(&|row| self.noise(row, 1)));
        Table::new(vec![a, Column::new("b", of(&|row| self.noise(row, 2))), Column::new("y", y)]).unwrap()
    }

    fn learn(&self, n: usize) -> Pipeline {
        let table = self.rows(0..n);
        let kind = if self.task == Task::Regression { Kind::Number } else { Kind::Category };
        let columns = [("a", Kind::Number), ("b", Kind::Number), ("y", kind)];
        let schema = Schema {
            dialect: Dialect::default(),
            columns: columns.iter().map(|(name, kind)| ColumnSpec::new(*name, *kind)).collect(),
        };
        let recipe = Recipe {
            target: TargetSpec { column: "y".to_owned(), task: Some(self.task), ..Default::default() },
            split: SplitSpec::default(),
            features: FeatureOptions::default(),
            model: Params { n_estimators: Some(60), learning_rate: Some(0.1), ..Params::default() },
            decision: Decision::default(),
            quality: Default::default(),
            search: Default::default(),
            weight: None,
        };
        let examples = Examples::new(table, &schema, &recipe).unwrap();
        fit(Cow::Owned(examples), &schema, &recipe, self.table, &|_, _, _| {}).unwrap().pipeline
    }
}

/// Mean coverage over tables: of all future rows, and of the third with the widest intervals.
fn coverage(task: Task, n: usize, tables: u64) -> (f64, f64) {
    const TO_COME: usize = 900;
    let (mut all, mut widest) = (0.0, 0.0);
    for table in 0..tables {
        let drawn = Drawn { table, task };
        let pipeline = drawn.learn(n);
        let rows = drawn.rows(n..n + TO_COME);
        let bounds = pipeline.bounds(&rows, 0.9).unwrap();
        let names = &pipeline.target.classes;
        let place = |class: f64| names.iter().position(|name| name == CLASSES[class as usize]).unwrap() as f64;
        let y = (n..n + TO_COME).map(|row| drawn.y(row));
        let y: Vec<f64> = y.map(|y| if task == Task::Regression { y } else { place(y) }).collect();
        let truth = Weighed { y, ..Weighed::default() };
        let found = covered(0.9, &bounds, &pipeline.score(&rows).unwrap(), &truth);
        all += found.held;
        widest += found.held_widest;
        let measured: Vec<f64> = pipeline.intervals.unwrap().coverage.iter().map(|c| c.level).collect();
        assert_eq!(measured, LEVELS);
    }
    (all / tables as f64, widest / tables as f64)
}

fn hold(n: usize, tables: u64) {
    for task in [Task::Regression, Task::Binary, Task::Multiclass] {
        let (all, widest) = coverage(task, n, tables);
        assert!((0.88..=0.92).contains(&all), "{task:?}: {all} of {tables} tables");
        assert!(widest >= 0.8, "{task:?}: {widest} of the widest third");
    }
}

#[test]
fn intervals_hold_nine_in_ten() {
    // A single table's coverage varies by .017 with 320 rows to fit; the mean of twelve by .005.
    hold(400, 12);
}

#[test]
#[ignore = "make simulate"]
fn intervals_hold_nine_in_ten_of_many_tables() {
    hold(300, 220);
    hold(1000, 40);
}

#[test]
fn shares_are_those_of_the_next_row() {
    let of = |strangeness: &[f64], weights| Intervals {
        refused: None,
        steps: steps(strangeness, weights),
        n_rows: strangeness.len(),
        spread: None,
        coverage: Vec::new(),
    };
    // With nine rows, the strangest one covers nine of ten; with eight rows, none does.
    let nine: Vec<f64> = (1..=9).rev().map(f64::from).collect();
    assert_eq!((of(&nine, None).strangest(0.9), of(&nine[1..], None).strangest(0.9)), (Some(9.0), None));
    assert_eq!((of(&nine, None).strangest(0.5), of(&nine, None).strangest(0.91)), (Some(5.0), None));
    // A weight of three equals the row three times; the next row has mean weight.
    let weights = [1.0, 1.0, 3.0, 1.0];
    let weighed = of(&[4.0, 1.0, 2.0, 3.0], Some(&weights));
    let shares: Vec<f64> = weighed.steps.iter().map(|(_, share)| share * 7.5).collect();
    assert_eq!(shares.iter().map(|share| share.round()).collect::<Vec<_>>(), [1.0, 4.0, 5.0, 6.0]);
    // Many rows are stored as steps, each rounded to the safe side.
    let many: Vec<f64> = (0..50_000).map(f64::from).collect();
    let kept = of(&many, None);
    assert!(kept.steps.len() <= 2 * MAX_STEPS + 1, "{}", kept.steps.len());
    for level in [0.1, 0.5, 0.8, 0.9, 0.99, 0.9999] {
        let exact = (level * 50_001.0_f64).ceil() - 1.0;
        let found = kept.strangest(level).unwrap();
        assert!(found >= exact && found <= exact + 50.0, "{level}: {found} {exact}");
    }
}

#[test]
fn few_rows_and_high_levels_are_refused() {
    let drawn = Drawn { table: 3, task: Task::Regression };
    let few = drawn.learn(90);
    let rows = drawn.rows(0..3);
    let why = few.bounds(&rows, 0.9).unwrap_err().to_string();
    assert!(why.starts_with("no prediction intervals: ") && why.contains("are too few"), "{why}");
    let many = drawn.learn(300);
    let why = |level| many.bounds(&rows, level).unwrap_err().to_string();
    assert!(
        why(0.9999).contains("too few for the level 0.9999; the highest possible level is 0.99"),
        "{}",
        why(0.9999)
    );
    assert!(why(1.5).contains("must be a share between 0 and 1"), "{}", why(1.5));
    assert!(many.bounds(&rows, 0.5).is_ok());
    let none = Pipeline { intervals: None, ..many.clone() };
    assert!(none.bounds(&rows, 0.9).unwrap_err().to_string().contains("train again"));
}

#[test]
fn a_higher_level_is_wider_and_stored_intervals_are_the_same() {
    for task in [Task::Regression, Task::Multiclass] {
        let drawn = Drawn { table: 5, task };
        let pipeline = drawn.learn(400);
        let rows = drawn.rows(400..600);
        let size = |level| pipeline.bounds(&rows, level).unwrap().iter().map(Bound::size).sum::<f64>();
        assert!(size(0.5) < size(0.8) && size(0.8) < size(0.95), "{task:?}");
        let dir = tempfile::tempdir().unwrap();
        pipeline.save(dir.path(), &drawn.rows(0..20)).unwrap();
        let loaded = Pipeline::load(dir.path()).unwrap();
        let (ours, theirs) = (pipeline.bounds(&rows, 0.9).unwrap(), loaded.bounds(&rows, 0.9).unwrap());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            match (ours, theirs) {
                (Bound::Number { lower, upper }, Bound::Number { lower: a, upper: b }) => {
                    assert!((lower - a).abs() < 1e-12 && (upper - b).abs() < 1e-12 && lower <= upper);
                }
                _ => assert_eq!(ours, theirs),
            }
        }
        assert_eq!(loaded.intervals.as_ref().unwrap().coverage, pipeline.intervals.as_ref().unwrap().coverage);
    }
}
