use super::*;
use crate::features::{Encode, NumberEncoder, Scale, Task, TimePart};
use crate::table::{Categories, Column, Texts, Values};

fn number(name: &str, values: &[f64]) -> Column {
    Column::new(name, Values::Number(values.to_vec()))
}

fn category(name: &str, values: &[&str]) -> Column {
    Column::new(name, Values::Category(Categories::from_texts(values.iter().copied())))
}

fn table(columns: Vec<Column>) -> Table {
    Table::new(columns).unwrap()
}

fn binary() -> Target {
    Target { name: "churn".into(), task: Task::Binary, classes: vec!["No".into(), "Yes".into()] }
}

fn customers() -> Table {
    table(vec![
        Column::new("id", Values::Text(["x1", "x2", "x3", "x4"].into_iter().collect::<Texts>())),
        number("tenure", &[1.0, f64::NAN, 30.0, 72.0]),
        category("contract", &["month", "year", "two", "month"]),
        category("partner", &["yes", "no", "yes", "yes"]),
        category("country", &["us", "us", "us", "us"]),
        // 2020-01-01, 2020-01-02, 2020-01-01, missing
        Column::new(
            "since",
            Values::Time(vec![1_577_836_800_000_000, 1_577_923_200_000_000, 1_577_836_800_000_000, i64::MIN]),
        ),
        number("churn", &[0.0, 1.0, 0.0, 1.0]),
    ])
}

fn fitted() -> (Features, Matrix) {
    Features::fit(&customers(), &binary(), &[0.0, 1.0, 0.0, 1.0], &FeatureOptions::default(), 0).unwrap()
}

#[test]
fn a_table_becomes_the_matrix_one_expects() {
    let (features, matrix) = fitted();
    let names = [
        "tenure",
        "contract=month",
        "contract=two",
        "contract=year",
        "partner=yes",
        "since:minute",
        "since:hour",
        "since:day_of_week",
        "since:day_of_month",
        "since:day_of_year",
        "since:month",
        "since:year",
    ];
    assert_eq!(**features.names(), names.map(str::to_owned));
    assert_eq!(matrix.row(0), [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 3.0, 1.0, 1.0, 1.0, 2020.0]);
    assert!(matrix.row(1)[0].is_nan());
    assert_eq!(matrix.row(1)[1..], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 4.0, 2.0, 2.0, 1.0, 2020.0]);
    assert!(matrix.row(3)[5..].iter().all(|v| v.is_nan()));
    let inputs: Vec<_> = features.inputs().collect();
    assert_eq!(
        inputs,
        [("tenure", Kind::Number), ("contract", Kind::Category), ("partner", Kind::Category), ("since", Kind::Time)]
    );
    assert_eq!((features.source_of(2), features.source_of(11)), (Some("contract"), Some("since")));
    assert_eq!(features.source_of(12), None);
}

#[test]
fn only_parts_of_a_time_that_vary_are_kept() {
    let t = table(vec![Column::new("t", Values::Time(vec![0, 86_400_000_000 * 7, 86_400_000_000 * 14]))]);
    let (features, _) = Features::fit(&t, &binary(), &[0.0, 1.0, 0.0], &FeatureOptions::default(), 0).unwrap();
    let Encoder::TimeParts { parts } = &features.encoders()[0].encoder else { panic!() };
    assert_eq!(parts, &[TimePart::DayOfMonth, TimePart::DayOfYear], "the 1st, 8th and 15th are Thursdays of January");
}

#[test]
fn order_and_other_columns_and_dictionaries_do_not_matter() {
    let (features, matrix) = fitted();
    let mut columns = customers().into_columns();
    columns.reverse();
    columns.retain(|c| c.name != "id" && c.name != "churn");
    columns.push(number("extra", &[1.0; 4]));
    let again = features.transform(&table(columns)).unwrap();
    assert_eq!(format!("{again:?}"), format!("{matrix:?}"));
    // One row, whose dictionary has one level only.
    let mut columns = customers().take(&[2]).into_columns();
    columns[2] = category("contract", &["two"]);
    let row = features.transform(&table(columns)).unwrap();
    assert_eq!(row.row(0), matrix.row(2));
}

#[test]
fn unseen_and_newly_missing_levels_have_a_defined_row() {
    let (features, _) = fitted();
    let mut columns = customers().take(&[0, 0]).into_columns();
    columns[2] = category("contract", &["never", ""]);
    columns[3] = category("partner", &["maybe", ""]);
    let matrix = features.transform(&table(columns)).unwrap();
    for row in 0..2 {
        assert_eq!(matrix.row(row)[1..5], [0.0, 0.0, 0.0, 1.0], "partner: the more frequent of two");
    }
}

#[test]
fn what_is_missing_or_of_another_kind_is_named() {
    let (features, _) = fitted();
    let mut columns = customers().into_columns();
    columns.retain(|c| c.name != "tenure" && c.name != "partner");
    let error = features.transform(&table(columns)).unwrap_err().to_string();
    assert_eq!(error, "missing columns \"tenure\", \"partner\"");
    let mut columns = customers().into_columns();
    columns[1] = category("tenure", &["a", "b", "c", "d"]);
    let error = features.transform(&table(columns)).unwrap_err().to_string();
    assert_eq!(error, "column \"tenure\" contains categories, but training had numbers; see its kind in the schema");
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let fit = |options: FeatureOptions| {
        Features::fit(&customers(), &binary(), &[0.0, 1.0, 0.0, 1.0], &options, 0).unwrap_err().to_string()
    };
    let drop =
        |names: &[&str]| FeatureOptions { drop: names.iter().map(|&n| n.into()).collect(), ..Default::default() };
    assert_eq!(fit(drop(&["nope"])), "[features] drop names the column \"nope\", which does not exist");
    assert!(fit(FeatureOptions { smoothing: Some(-1.0), ..Default::default() }).contains("smoothing"));
    assert!(fit(drop(&["tenure", "contract", "partner", "since"])).contains("no column is left"));
    let short = Features::fit(&customers(), &binary(), &[0.0], &FeatureOptions::default(), 0).unwrap_err();
    assert_eq!(short, FeatureError::Length { what: "the target", found: 1, expected: 4 });
    let toml: Result<FeatureOptions, _> = toml::from_str("inpute = \"mean\"");
    assert!(toml.unwrap_err().to_string().contains("unknown field `inpute`"));
    let toml: FeatureOptions =
        toml::from_str("drop = [\"a\"]\nmax_onehot = 4\n[columns.amount]\nclip = \"iqr\"\nnegative = \"error\"")
            .unwrap();
    assert_eq!((toml.max_onehot, toml.columns["amount"].clip), (Some(4), Some(crate::features::Clip::Iqr)));
}

/// Enough rows for several chunks and threads, 40 levels, some cells missing.
fn wide(n_rows: usize) -> (Table, Vec<f32>) {
    let levels: Vec<String> = (0..40).map(|i| format!("city{i:02}")).collect();
    let city: Vec<&str> = (0..n_rows).map(|r| if r % 17 == 0 { "" } else { levels[r * 7 % 40].as_str() }).collect();
    let x: Vec<f64> = (0..n_rows).map(|r| (r % 101) as f64).collect();
    let y = (0..n_rows).map(|r| f32::from(u8::from(r % 3 == 0))).collect();
    (table(vec![category("city", &city), number("x", &x)]), y)
}

#[test]
fn training_rows_do_not_see_their_own_answer() {
    let (t, y) = wide(6000);
    let (features, train) = Features::fit(&t, &binary(), &y, &FeatureOptions::default(), 3).unwrap();
    assert_eq!(&**features.names(), ["city (share of Yes)", "x"]);
    assert!(features.has_target_statistics());
    let scored = features.transform(&t).unwrap();
    let differing = (0..6000).filter(|&r| train.row(r)[0] != scored.row(r)[0]).count();
    assert!(differing > 5500, "{differing}");
    assert!((0..6000).all(|r| (train.row(r)[0] - scored.row(r)[0]).abs() < 0.1 && train.row(r)[1] == scored.row(r)[1]));
    // A level per row: the statistic must not reveal the target.
    let names: Vec<String> = (0..300).map(|i| format!("{i:03}")).collect();
    let ids = table(vec![category("c", &names.iter().map(String::as_str).collect::<Vec<_>>()), number("x", &t_x(300))]);
    let (_, train) = Features::fit(&ids, &binary(), &y[..300], &FeatureOptions::default(), 3).unwrap();
    assert!((0..300).all(|r| train.row(r)[0] == train.row(0)[0]));
}

fn t_x(n: usize) -> Vec<f64> {
    (0..n).map(|r| r as f64).collect()
}

#[test]
fn the_number_of_threads_and_the_cut_do_not_matter() {
    let (t, y) = wide(9001);
    let options = FeatureOptions { scale: Scale::Standard, ..Default::default() };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Features::fit(&t, &binary(), &y, &options, 3).unwrap())
    };
    let (one, two) = (run(1), run(3));
    assert_eq!(one, two);
    let whole = one.0.transform(&t).unwrap();
    for row in [0_u32, 17, 1023, 1024, 9000] {
        assert_eq!(one.0.transform(&t.take(&[row])).unwrap().row(0), whole.row(row as usize));
    }
}

#[test]
fn classes_and_values_have_their_own_statistics() {
    let (t, y) = wide(500);
    let options = FeatureOptions { encode: Encode::Target, ..Default::default() };
    let multi =
        Target { name: "kind".into(), task: Task::Multiclass, classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    let (features, m) = Features::fit(&t, &multi, &y, &options, 0).unwrap();
    assert_eq!(&**features.names(), ["city (share of a)", "city (share of b)", "city (share of c)", "x"]);
    assert!((m.row(9)[0] + m.row(9)[1] - 1.0).abs() < 1e-6 && m.row(9)[2] == 0.0);
    let price = Target { name: "price".into(), task: Task::Regression, classes: Vec::new() };
    let y: Vec<f32> = (0..500).map(|r| if r == 3 { f32::NAN } else { 2.5 }).collect();
    let (features, m) = Features::fit(&t, &price, &y, &options, 0).unwrap();
    assert_eq!(features.names()[0], "city (mean of price)");
    assert!((0..500).all(|r| m.row(r)[0] == 2.5), "a missing target does not count");
}

#[test]
fn what_is_stored_is_what_comes_back() {
    let (t, y) = wide(600);
    let (features, _) = Features::fit(&t, &binary(), &y, &FeatureOptions::default(), 3).unwrap();
    let json = serde_json::to_string(&features).unwrap();
    let back: Features = serde_json::from_str(&json).unwrap();
    assert_eq!(back, features);
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
    assert_eq!(back.transform(&t).unwrap(), features.transform(&t).unwrap());
    for (damage, with) in [("\"city01\"", "\"zzz\""), ("\"city01\",", ""), ("\"x\"", "\"city\"")] {
        let damaged = json.replacen(damage, with, 1);
        assert_ne!(damaged, json);
        let error = serde_json::from_str::<Features>(&damaged).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{damage}: {error}");
    }
}

#[test]
fn a_table_that_is_given_up_teaches_the_same() {
    let n = 6_000_u32;
    let city = |i: u32| format!("city {}", (i * 7919) % 40);
    let cities: Vec<String> = (0..n).map(city).collect();
    let t = Table::new(vec![
        Column::new("id", Values::Text(cities.iter().map(String::as_str).collect())),
        Column::new("size", Values::Number((0..n).map(|i| f64::from(i % 97)).collect())),
        Column::new("city", Values::Category(Categories::from_texts(cities.iter().map(String::as_str)))),
        Column::new(
            "colour",
            Values::Category(Categories::from_texts((0..n).map(|i| ["red", "blue"][i as usize % 2]))),
        ),
        Column::new("plan", Values::Number((0..n).map(|i| f64::from(i % 3 / 2)).collect())),
    ])
    .unwrap();
    let train: Vec<u32> = (0..n).filter(|i| i % 5 > 1).collect();
    let (first, second): (Vec<u32>, Vec<u32>) = (0..n).filter(|i| i % 5 <= 1).partition(|i| i % 5 == 0);
    let target = Target::fit(t.column("plan").unwrap(), None, None).unwrap();
    let y: Vec<f32> = train.iter().map(|i| (i % 3 / 2) as f32).collect();
    let options = FeatureOptions::default();
    let expected = Features::fit(&t.take(&train), &target, &y, &options, 3).unwrap();
    let others = [first.as_slice(), second.as_slice()];
    let transformed = others.map(|rows| expected.0.transform(&t.take(rows)).unwrap());
    let (features, matrix, matrices) =
        Features::fit_from(t, (&train, others), (&target, &y, None), &options, 3).unwrap();
    assert!(features.has_target_statistics());
    assert_eq!((features, matrix), expected);
    assert_eq!(matrices, transformed);
}

#[test]
fn parts_of_a_time_that_go_on_are_told_from_those_that_come_again() {
    let parts = vec![TimePart::Hour, TimePart::DayOfWeek, TimePart::Month, TimePart::Year];
    let column = |name: &str, encoder| RawColumn { column: name.to_owned(), encoder };
    let number = column("x", Encoder::Number(NumberEncoder::default()));
    let features = Features::new(vec![number, column("at", Encoder::TimeParts { parts })]).unwrap();
    assert_eq!(features.moving().collect::<Vec<_>>(), [false, false, false, true, true]);
}
