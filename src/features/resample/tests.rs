use super::*;
use crate::table::{Categories, Column, Texts};

fn target(n_classes: usize) -> Target {
    let task = if n_classes == 2 { Task::Binary } else { Task::Multiclass };
    Target { name: "y".into(), task, classes: (0..n_classes).map(|c| c.to_string()).collect() }
}

/// `n` rows of class 0 and a few of class 1, one number each from its own range, a whole number, a category and an id.
fn table(n: usize, few: usize) -> (Table, Vec<f32>) {
    let rows = n + few;
    let y: Vec<f32> = (0..rows).map(|r| f32::from(u8::from(r >= n))).collect();
    let ids: Vec<String> = (0..rows).map(|r| format!("id{r}")).collect();
    let plan: Vec<&str> =
        (0..rows).map(|r| if r < n { "big" } else { ["small", "tiny"][usize::from(r % 4 == 0)] }).collect();
    let table = Table::new(vec![
        Column::new("x", Values::Number((0..rows).map(|r| r as f64 * 0.37).collect())),
        Column::new("whole", Values::Number((0..rows).map(|r| (r * 3 % 50) as f64).collect())),
        Column::new("plan", Values::Category(Categories::from_texts(plan))),
        Column::new("when", Values::Time((0..rows as i64).map(|r| r * 1_000_003).collect())),
        Column::new("id", Values::Text(ids.iter().map(String::as_str).collect::<Texts>())),
        Column::new("y", Values::Number(y.iter().map(|&v| f64::from(v)).collect())),
    ])
    .unwrap();
    (table, y)
}

fn numbers<'a>(table: &'a Table, name: &str) -> &'a [f64] {
    match &table.column(name).unwrap().values {
        Values::Number(v) => v,
        other => panic!("{other:?}"),
    }
}

#[test]
fn weights_balance_the_classes() {
    // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 1, 2, 2])
    assert_eq!(class_weights(&[0.0, 0.0, 0.0, 1.0, 2.0, 2.0], 3), [2.0 / 3.0, 2.0, 1.0]);
    assert_eq!(class_weights(&[0.0, f32::NAN, 2.0, 2.0, 2.0], 3), [2.0, 1.0, 4.0 / 6.0]);
    assert_eq!(row_weights(&[1.0, f32::NAN, 0.0, 0.0], 2), [1.5, 1.0, 0.75, 0.75]);
}

#[test]
fn synthetic_rows_balance_the_classes_and_stay_inside_theirs() {
    let (t, y) = table(60, 11);
    let out = smote_nc(&t, &target(2), &y, &[], &Smote::default(), 1).unwrap();
    assert_eq!((out.n_synthetic, out.table.n_rows(), out.y.len()), (49, 120, 120));
    assert_eq!(format!("{:?}", out.table.take(&(0..71).collect::<Vec<_>>())), format!("{t:?}"));
    assert!(out.y[71..].iter().all(|&c| c == 1.0) && numbers(&out.table, "y")[71..].iter().all(|&c| c == 1.0));
    let (low, high) = (60.0 * 0.37, 70.0 * 0.37);
    assert!(numbers(&out.table, "x")[71..].iter().all(|v| (low..=high).contains(v)));
    assert!(numbers(&out.table, "whole")[71..].iter().all(|v| v.fract() == 0.0));
    let between = numbers(&out.table, "x")[71..].iter().filter(|v| !numbers(&t, "x").contains(v)).count();
    assert!(between > 40, "{between} rows are new");
    let Values::Category(plan) = &out.table.column("plan").unwrap().values else { panic!() };
    assert!((71..120).all(|r| plan.level(r) != Some("big")));
    let Values::Time(when) = &out.table.column("when").unwrap().values else { panic!() };
    assert!(when[71..].iter().all(|w| (60 * 1_000_003..=70 * 1_000_003).contains(w)));
}

#[test]
fn every_row_takes_its_turn() {
    let (t, y) = table(60, 11);
    let out = smote_nc(&t, &target(2), &y, &[], &Smote::default(), 1).unwrap();
    let Values::Text(ids) = &out.table.column("id").unwrap().values else { panic!() };
    for row in 60..71 {
        let id = format!("id{row}");
        let n = (71..120).filter(|&r| ids.get(r) == id).count();
        assert!((4..=5).contains(&n), "{id}: {n}");
    }
}

#[test]
fn the_same_seed_gives_the_same_rows_on_any_number_of_threads() {
    let (t, y) = table(300, 40);
    let run = |threads, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| smote_nc(&t, &target(2), &y, &[], &Smote::default(), seed).unwrap())
    };
    assert_eq!(run(1, 5), run(3, 5));
    assert_ne!(run(1, 5), run(1, 6));
}

#[test]
fn a_missing_number_is_not_invented() {
    let (t, y) = table(20, 4);
    let mut columns = t.into_columns();
    columns[0] = Column::new("x", Values::Number((0..24).map(|r| if r < 22 { 1.5 } else { f64::NAN }).collect()));
    let t = Table::new(columns).unwrap();
    let out = smote_nc(&t, &target(2), &y, &[], &Smote::default(), 1).unwrap();
    let x = &numbers(&out.table, "x")[24..];
    assert!(x.iter().all(|v| v.is_nan() || *v == 1.5));
    assert!(x.iter().any(|v| v.is_nan()) && x.contains(&1.5));
}

#[test]
fn a_ratio_a_cap_and_a_lonely_class() {
    let (t, y) = table(60, 11);
    let half = Smote { ratio: 0.5, ..Smote::default() };
    assert_eq!(smote_nc(&t, &target(2), &y, &[], &half, 1).unwrap().n_synthetic, 19);
    let low = Smote { ratio: 0.1, ..Smote::default() };
    assert_eq!(smote_nc(&t, &target(2), &y, &[], &low, 1).unwrap().n_synthetic, 0);
    let capped = Smote { max_rows: 3, ..Smote::default() };
    let out = smote_nc(&t, &target(2), &y, &[], &capped, 1).unwrap();
    let Values::Text(ids) = &out.table.column("id").unwrap().values else { panic!() };
    let mut used: Vec<&str> = (71..120).map(|r| ids.get(r)).collect();
    used.sort_unstable();
    used.dedup();
    assert_eq!(used.len(), 3);
    let mut lonely = y.clone();
    lonely[70] = 2.0;
    let out = smote_nc(&t, &target(3), &lonely, &[], &Smote::default(), 1).unwrap();
    assert_eq!(out.table.n_rows(), 180);
    assert!((121..180).all(|r| numbers(&out.table, "x")[r] == numbers(&t, "x")[70]));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (t, y) = table(20, 5);
    let price = Target { name: "y".into(), task: Task::Regression, classes: Vec::new() };
    assert!(
        smote_nc(&t, &price, &y, &[], &Smote::default(), 1).unwrap_err().to_string().contains("the target is a number")
    );
    for options in [
        Smote { k_neighbors: 0, ..Smote::default() },
        Smote { ratio: 1.5, ..Smote::default() },
        Smote { ratio: f64::NAN, ..Smote::default() },
    ] {
        assert!(smote_nc(&t, &target(2), &y, &[], &options, 1).is_err());
    }
    assert!(smote_nc(&t, &target(2), &y[1..], &[], &Smote::default(), 1).is_err());
}
