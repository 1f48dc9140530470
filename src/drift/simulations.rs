//! Error rates of the default rule, by simulation: few alarms without drift, detection with drift.

use super::report::{ColumnReport, ColumnVerdict, DriftShare};
use super::triggers::{Evidence, Volume, triggers};
use super::{ColumnPair, DriftSettings, PairValues, compare, drift_share};
use crate::stats::random::rng;
use crate::stats::sample::Sample;
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;

const N_COLUMNS: usize = 30;

/// A standard normal number (Box–Muller).
fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
    let (u, v): (f64, f64) = (1.0 - random.r#gen::<f64>(), random.r#gen());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn normals(random: &mut Xoshiro256PlusPlus, n: usize, shift: f64) -> Sample {
    Sample::from_values((0..n).map(|_| normal(random) + shift).collect())
}

/// Counts of five levels with shares 40, 30, 15, 10, 5 %.
fn levels(random: &mut Xoshiro256PlusPlus, n: usize) -> Vec<u64> {
    let mut counts = vec![0; 5];
    for _ in 0..n {
        let u: f64 = random.r#gen();
        counts[[0.4, 0.7, 0.85, 0.95].iter().filter(|&&edge| u >= edge).count()] += 1;
    }
    counts
}

fn pair(name: usize, values: PairValues) -> ColumnPair {
    ColumnPair::of_values(format!("x{name}"), values)
}

/// A week: 20 numbers and 10 categories; the first `shifted` numbers are shifted.
fn week(
    random: &mut Xoshiro256PlusPlus,
    reference: &[PairValues],
    n: usize,
    shifted: usize,
    shift: f64,
) -> Vec<ColumnPair> {
    let values = |(i, side): (usize, &PairValues)| {
        let drawn = match side {
            PairValues::Number { reference, .. } => PairValues::Number {
                reference: reference.clone(),
                current: normals(random, n, if i < shifted { shift } else { 0.0 }),
                integer: false,
            },
            PairValues::Time { .. } => unreachable!(),
            PairValues::Category { levels: names, reference, .. } => {
                PairValues::Category { levels: names.clone(), reference: reference.clone(), current: levels(random, n) }
            }
        };
        pair(i, drawn)
    };
    reference.iter().enumerate().map(values).collect()
}

fn reference(random: &mut Xoshiro256PlusPlus, n: usize) -> Vec<PairValues> {
    let names = || ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    let column = |i| match i < 20 {
        true => PairValues::Number { reference: normals(random, n, 0.0), current: Sample::default(), integer: false },
        false => PairValues::Category { levels: names(), reference: levels(random, n), current: vec![0; 5] },
    };
    (0..N_COLUMNS).map(column).collect()
}

#[test]
fn a_year_without_drift_is_a_year_without_alarm() {
    let mut random = rng(7, "weeks without drift");
    let (mut alarms, mut drifted_columns) = (0, 0);
    for n in [200, 1000] {
        let reference = reference(&mut random, 4000);
        for _ in 0..52 {
            let columns = compare(&week(&mut random, &reference, n, 0, 0.0), &DriftSettings::default(), 0);
            let share = drift_share(&columns, &DriftSettings::default());
            assert_eq!(share.n_unknown, 0);
            drifted_columns += share.n_drifted;
            alarms += u32::from(share.share >= Some(share.threshold));
        }
    }
    assert_eq!(alarms, 0, "in two years of weekly runs");
    // p < .05 for each column alone would have called about 156 of these 3120 columns drifted.
    assert!(drifted_columns <= 1, "{drifted_columns} columns");
}

#[test]
fn a_quarter_of_a_standard_deviation_is_seen_at_two_thousand_rows() {
    let mut random = rng(11, "weeks with drift");
    let reference = reference(&mut random, 4000);
    let (mut found, mut false_alarms) = (0, 0);
    for _ in 0..5 {
        let columns = compare(&week(&mut random, &reference, 2000, 10, 0.25), &DriftSettings::default(), 0);
        for column in columns.iter().filter(|c| c.verdict == ColumnVerdict::Drifted) {
            let moved = column.name[1..].parse::<usize>().unwrap() < 10;
            found += u32::from(moved);
            false_alarms += u32::from(!moved);
        }
    }
    assert!(found >= 45, "{found} of 50");
    assert_eq!(false_alarms, 0);
}

/// Counts of `n_levels` levels; the share of the k-th is proportional to 1/k to the power of `skew`.
fn many_levels(random: &mut Xoshiro256PlusPlus, n: usize, n_levels: usize, skew: f64) -> Vec<u64> {
    let weights: Vec<f64> = (1..=n_levels).map(|k| (k as f64).powf(-skew)).collect();
    let total: f64 = weights.iter().sum();
    let mut counts = vec![0; n_levels];
    for _ in 0..n {
        let mut left = random.r#gen::<f64>() * total;
        let level = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        counts[level.unwrap_or(n_levels - 1)] += 1;
    }
    counts
}

/// Levels chosen by the reference's counts alone, and levels that it lacks by chance, would nearly always drift.
#[test]
fn many_levels_do_not_drift_by_themselves() {
    let mut random = rng(17, "many levels");
    let mut drifted = 0;
    for (n_levels, skew) in [(200, 0.0), (1000, 0.0), (300, 1.0)] {
        let names: Vec<String> = (0..n_levels).map(|level| level.to_string()).collect();
        for n in [500, 2000] {
            for _ in 0..20 {
                let reference = many_levels(&mut random, 2000, n_levels, skew);
                let current = many_levels(&mut random, n, n_levels, skew);
                let column = pair(0, PairValues::Category { levels: names.clone(), reference, current });
                let report = super::compare::compare_one(&column, &DriftSettings::default(), 0);
                let psi_is_real = report.psi > report.psi_critical && report.psi > Some(0.2);
                drifted += u32::from(report.verdict == ColumnVerdict::Drifted || psi_is_real);
            }
        }
    }
    assert!(drifted <= 2, "{drifted} of 120");
}

#[test]
fn rows_of_levels_that_nobody_saw_before_are_seen() {
    let mut random = rng(19, "new levels");
    let names: Vec<String> = (0..500).map(|level| level.to_string()).collect();
    let mut reference = many_levels(&mut random, 2000, 300, 0.0);
    reference.resize(500, 0);
    // A fifth of the rows has one of 200 new levels, each two or three times.
    let mut current = many_levels(&mut random, 1600, 300, 0.0);
    current.extend(many_levels(&mut random, 400, 200, 0.0));
    let column = pair(0, PairValues::Category { levels: names, reference, current });
    let report = super::compare::compare_one(&column, &DriftSettings::default(), 0);
    assert_eq!(report.verdict, ColumnVerdict::Drifted, "{report:?}");
}

#[test]
fn numbers_outside_of_the_reference_are_a_cell_of_their_own() {
    let mut random = rng(23, "flags");
    let reference = Sample::from_weighted(vec![(0.0, 1000), (1.0, 1000)]);
    let far: Vec<f64> = (0..1000).map(|_| 3.0 * normal(&mut random) + 0.5).collect();
    let outside = far.iter().filter(|v| !(0.0..=1.0).contains(*v)).count() as u64;
    let column = pair(0, PairValues::Number { reference, current: Sample::from_values(far), integer: false });
    let cells = column.cells();
    assert_eq!((cells.reference.as_slice(), cells.current[2]), (&[1000, 1000, 0][..], outside));
    assert_eq!(cells.current.iter().sum::<u64>(), 1000);
    let report = super::compare::compare_one(&column, &DriftSettings::default(), 0);
    assert!(report.psi > Some(1.0), "{report:?}");
}

#[test]
fn too_few_rows_are_said_and_not_judged() {
    let mut random = rng(13, "few rows");
    let reference = reference(&mut random, 1000);
    let columns = compare(&week(&mut random, &reference, 50, 20, 1.0), &DriftSettings::default(), 0);
    assert!(columns.iter().all(|c| c.verdict == ColumnVerdict::TooFewRows { need: 200 }));
    assert_eq!(drift_share(&columns, &DriftSettings::default()).share, None);
}

/// Tables without drift in which a trigger fires, and their columns with a PSI above .2 and above what chance explains.
fn false_alarms(n: usize, n_columns: usize, n_tables: usize) -> (usize, usize) {
    let mut random = rng(23, "many columns");
    let settings = DriftSettings::default();
    let (mut alarms, mut real) = (0, 0);
    for _ in 0..n_tables {
        let column = |i| {
            let values = match i % 3 {
                0 => PairValues::Category {
                    levels: ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec(),
                    reference: levels(&mut random, n),
                    current: levels(&mut random, n),
                },
                _ => PairValues::Number {
                    reference: normals(&mut random, n, 0.0),
                    current: normals(&mut random, n, 0.0),
                    integer: false,
                },
            };
            let missing =
                |random: &mut Xoshiro256PlusPlus| (0..n).filter(|_| random.r#gen::<f64>() < 0.05).count() as u64;
            let n_missing = if i % 2 == 0 { (0, 0) } else { (missing(&mut random), missing(&mut random)) };
            // A column that the model relies on is no more likely to be a false alarm.
            ColumnPair { n_missing, importance: Some(if i == 0 { 0.5 } else { 0.01 }), ..pair(i, values) }
        };
        let pairs: Vec<ColumnPair> = (0..n_columns).map(column).collect();
        let columns = compare(&pairs, &settings, 0);
        alarms += usize::from(!fired(&columns, &drift_share(&columns, &settings), &settings).is_empty());
        real += columns.iter().filter(|c| c.psi > c.psi_critical && c.psi > Some(0.2)).count();
    }
    (alarms, real)
}

/// The largest PSI of many columns nearly always exceeds the critical value for one.
#[test]
fn many_columns_are_no_reason_by_themselves() {
    for (n, n_columns, n_tables) in [(200, 30, 40), (250, 100, 12), (300, 400, 4)] {
        let (alarms, real) = false_alarms(n, n_columns, n_tables);
        assert_eq!(alarms, 0, "{n} rows, {n_columns} columns");
        // This is not only because no column drifted: no PSI is above what chance explains over all of them.
        assert!(real <= 1, "{real} in {n_tables} tables of {n_columns}");
    }
}

#[test]
#[ignore = "make simulate"]
#[expect(clippy::print_stdout, reason = "the figures of docs/methods.md")]
fn many_columns_are_no_reason_by_themselves_at_length() {
    for (n, n_columns, n_tables) in [(200, 30, 4000), (250, 100, 1000), (300, 1500, 100)] {
        let (alarms, real) = false_alarms(n, n_columns, n_tables);
        println!("{n} rows, {n_columns} columns: {alarms} alarms and {real} columns in {n_tables} tables");
        let expected = 0.01 * n_tables as f64;
        assert!(alarms as f64 <= expected + 3.0 * expected.sqrt(), "{alarms} of {n_tables}");
        assert!(real as f64 <= expected + 3.0 * expected.sqrt(), "{real} of {n_tables}");
    }
}

/// The names of the triggers that fired.
fn fired(columns: &[ColumnReport], share: &DriftShare, settings: &DriftSettings) -> Vec<String> {
    let evidence = Evidence { volume: Some(Volume::Labelled(0)), ..Evidence::of(share, columns) };
    triggers(&evidence, settings).into_iter().filter(|trigger| trigger.fired).map(|trigger| trigger.name).collect()
}
