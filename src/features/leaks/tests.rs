use super::*;
use crate::table::{Categories, Texts};

const N: usize = 600;

fn number(name: &str, value: impl Fn(usize) -> f64) -> Column {
    Column::new(name, Values::Number((0..N).map(value).collect()))
}

/// Pseudo-random noise.
fn noise(row: usize, salt: u64) -> f64 {
    crate::stats::random::unit_hash(&(row as u64).to_le_bytes(), salt)
}

fn regression() -> Target {
    Target { name: "cnt".into(), task: Task::Regression, classes: Vec::new() }
}

fn classes(names: &[&str]) -> Target {
    let task = if names.len() == 2 { Task::Binary } else { Task::Multiclass };
    Target { name: "y".into(), task, classes: names.iter().map(|&n| n.to_owned()).collect() }
}

fn names(leaks: &[Leak]) -> Vec<Vec<&str>> {
    leaks.iter().map(|l| l.columns.iter().map(String::as_str).collect()).collect()
}

#[test]
fn the_parts_of_a_sum_are_named_together() {
    let casual = |r: usize| (noise(r, 1) * 100.0).floor();
    let registered = |r: usize| (noise(r, 2) * 400.0).floor();
    let table = Table::new(vec![
        number("casual", casual),
        number("hum", |r| noise(r, 3)),
        number("registered", registered),
        number("zero", |_| 0.0),
        number("cnt", |r| casual(r) + registered(r)),
    ])
    .unwrap();
    let y: Vec<f64> = (0..N).map(|r| casual(r) + registered(r)).collect();
    let leaks = find_leaks(&table, &regression(), &y, &[], 0);
    assert_eq!(names(&leaks), [["casual", "registered"]]);
    assert_eq!(
        leaks[0].to_string(),
        "the target is computed from the columns \"casual\" and \"registered\": it equals casual + registered; is it available at prediction time?"
    );
    assert!(find_leaks(&table, &regression(), &y, &["casual".to_owned()], 0).is_empty());
}

#[test]
fn differences_products_and_quotients_are_seen_too() {
    for (formula, of) in [
        ("a - b", (|a, b| a - b) as fn(f64, f64) -> f64),
        ("b - a", |a, b| b - a),
        ("a * b", |a, b| a * b),
        ("a / b", |a, b| a / b),
        ("b / a", |a, b| b / a),
    ] {
        let (a, b) = (|r| 1.0 + noise(r, 1), |r| 1.0 + noise(r, 2));
        let table = Table::new(vec![number("a", a), number("b", b), number("cnt", |r| of(a(r), b(r)))]).unwrap();
        let y: Vec<f64> = (0..N).map(|r| of(a(r), b(r))).collect();
        let leaks = find_leaks(&table, &regression(), &y, &[], 0);
        assert_eq!(leaks.last().map(|l| l.how.clone()), Some(How::Formula(formula.to_owned())));
    }
}

#[test]
fn copies_and_monotone_or_bent_images_of_a_value_are_seen() {
    let y = |r: usize| noise(r, 1) * 10.0;
    let table = Table::new(vec![
        number("copy", y),
        number("log", |r| y(r).ln()),
        number("half", |r| y(r) + 10.0 * noise(r, 2)),
        Column::new("rounded", {
            let texts: Vec<String> = (0..N).map(|r| format!("{:.0}", y(r) * 2.0)).collect();
            Values::Category(Categories::from_texts(texts.iter().map(String::as_str)))
        }),
    ])
    .unwrap();
    let encoded: Vec<f64> = (0..N).map(y).collect();
    let leaks = find_leaks(&table, &regression(), &encoded, &[], 0);
    assert_eq!(names(&leaks), [["copy"], ["log"], ["rounded"]]);
    assert_eq!(leaks[0].how, How::Equal);
    assert!(matches!(leaks[1].how, How::Explains(r2) if r2 > 0.999_999));
}

#[test]
fn a_column_that_separates_classes_is_seen_however_it_does() {
    let label = |r: usize| usize::from(noise(r, 1) < 0.3);
    let text: Vec<&str> = (0..N).map(|r| ["stay", "gone"][label(r)]).collect();
    let table = Table::new(vec![
        number("up", |r| label(r) as f64 + 0.9 * noise(r, 2)),
        number("down", |r| -(label(r) as f64)),
        // Positive in the middle, negative at both ends.
        number(
            "bent",
            |r| if label(r) == 1 { 0.5 } else { 1.0 + noise(r, 3) } * if noise(r, 4) < 0.5 { -1.0 } else { 1.0 },
        ),
        number("only when gone", |r| if label(r) == 1 { noise(r, 5) } else { f64::NAN }),
        number("honest", |r| label(r) as f64 + 3.0 * noise(r, 6)),
        Column::new("status", Values::Category(Categories::from_texts(text.iter().copied()))),
        Column::new("note", Values::Text(text.iter().copied().collect::<Texts>())),
    ])
    .unwrap();
    let y: Vec<f64> = (0..N).map(|r| label(r) as f64).collect();
    let leaks = find_leaks(&table, &classes(&["no", "yes"]), &y, &[], 0);
    assert_eq!(names(&leaks), [["up"], ["down"], ["bent"], ["only when gone"], ["status"], ["note"]]);
    assert!(leaks.iter().all(|l| matches!(l.how, How::Separates(auc) if auc >= 0.99)));
}

#[test]
fn a_level_per_row_does_not_know_the_answer() {
    let ids: Vec<String> = (0..N).map(|r| format!("id{}", (noise(r, 8) * 1e9) as u64)).collect();
    let table =
        Table::new(vec![Column::new("id", Values::Category(Categories::from_texts(ids.iter().map(String::as_str))))])
            .unwrap();
    let y: Vec<f64> = (0..N).map(|r| f64::from(u8::from(noise(r, 9) < 0.5))).collect();
    assert!(find_leaks(&table, &classes(&["a", "b"]), &y, &[], 0).is_empty());
    let y: Vec<f64> = (0..N).map(|r| noise(r, 9)).collect();
    assert!(find_leaks(&table, &regression(), &y, &[], 0).is_empty());
}

#[test]
fn of_many_classes_all_or_one_is_told_apart() {
    let y: Vec<f64> = (0..N).map(|r| (r % 3) as f64).collect();
    let table = Table::new(vec![
        number("all", |r| (r % 3) as f64 + 0.5 * noise(r, 1)),
        number("one", |r| if r % 3 == 0 { 0.0 } else { 1.0 + noise(r, 1) }),
    ])
    .unwrap();
    let leaks = find_leaks(&table, &classes(&["a", "b", "c"]), &y, &[], 0);
    let how: Vec<How> = leaks.into_iter().map(|leak| leak.how).collect();
    assert_eq!(how, [How::Separates(1.0), How::SeparatesClass("a".into(), 1.0)]);
}

#[test]
fn too_little_says_nothing() {
    let table = Table::new(vec![number("x", |r| f64::from(u8::from(r < 4)))]).unwrap();
    let y: Vec<f64> = (0..N).map(|r| f64::from(u8::from(r < 4))).collect();
    assert!(find_leaks(&table, &classes(&["a", "b"]), &y, &[], 0).is_empty(), "4 positives");
    let y = vec![f64::NAN; N];
    assert!(find_leaks(&table, &classes(&["a", "b"]), &y, &[], 0).is_empty());
}

#[test]
fn ranks_give_the_known_area() {
    // sklearn.metrics.roc_auc_score([0, 0, 1, 1], [.1, .4, .35, .8])
    assert_eq!(auc(&ranks::average(&[0.1, 0.4, 0.35, 0.8]), &[0.0, 0.0, 1.0, 1.0]), 0.75);
}

fn category(name: &str, value: impl Fn(usize) -> String) -> Column {
    let texts: Vec<String> = (0..N).map(value).collect();
    Column::new(name, Values::Category(Categories::from_texts(texts.iter().map(String::as_str))))
}

#[test]
fn a_rare_class_is_given_away_by_what_makes_no_mistake_only() {
    // 12 of 600 are fraud.
    let fraud = |r: usize| r % 50 == 7;
    let y: Vec<f64> = (0..N).map(|r| f64::from(u8::from(fraud(r)))).collect();
    let table = Table::new(vec![
        number("scenario", |r| if fraud(r) { 1.0 + (r % 3) as f64 } else { 0.0 }),
        category("kind", |r| if fraud(r) { format!("f{}", r % 3) } else { "none".into() }),
        // 11 of 12 are above all others.
        number("honest", |r| noise(r, 3) + if fraud(r) && r != 7 { 2.0 } else { 0.0 }),
        number("noise", |r| noise(r, 4)),
    ])
    .unwrap();
    let leaks = find_leaks(&table, &classes(&["genuine", "fraud"]), &y, &[], 0);
    assert_eq!(names(&leaks), [["scenario"], ["kind"]]);
}

#[test]
fn a_long_table_keeps_its_rare_rows_in_the_sample() {
    let n = 60_000;
    let fraud = |r: usize| r % 5000 == 7;
    let y: Vec<f64> = (0..n).map(|r| f64::from(u8::from(fraud(r)))).collect();
    let value = |r: usize| if fraud(r) { 2.0 } else { noise(r, 1) };
    let table = Table::new(vec![Column::new("scenario", Values::Number((0..n).map(value).collect()))]).unwrap();
    assert_eq!(find_leaks(&table, &classes(&["genuine", "fraud"]), &y, &[], 0).len(), 1);
}

#[test]
fn a_column_that_gives_away_one_class_of_several_is_named_with_it() {
    let y: Vec<f64> = (0..N).map(|r| (r % 3) as f64).collect();
    let table = Table::new(vec![
        number("refund", |r| if r % 3 == 2 { 5.0 + noise(r, 1) } else { noise(r, 2) }),
        number("noise", |r| noise(r, 3)),
    ])
    .unwrap();
    let leaks = find_leaks(&table, &classes(&["a", "b", "c"]), &y, &[], 0);
    assert_eq!(leaks.len(), 1);
    assert_eq!(leaks[0].how, How::SeparatesClass("c".into(), 1.0));
}

#[test]
fn a_column_that_is_there_for_one_class_only_is_named() {
    // Every second row of class b has a reason; remarks are equally frequent in every class.
    let y: Vec<f64> = (0..N).map(|r| (r % 3) as f64).collect();
    let given = |r: usize| r % 3 == 1 && r.is_multiple_of(2);
    let table = Table::new(vec![
        category("reason", |r| if given(r) { ["price", "moved"][(r / 6) % 2].into() } else { String::new() }),
        category("remark", |r| if noise(r, 1) < 0.2 { "seen".into() } else { String::new() }),
        number("delivered", |r| if r % 3 == 2 && r % 5 > 0 { f64::NAN } else { noise(r, 2) }),
    ])
    .unwrap();
    let leaks = find_leaks(&table, &classes(&["a", "b", "c"]), &y, &[], 0);
    let how: Vec<How> = leaks.into_iter().map(|leak| leak.how).collect();
    assert_eq!(how, [How::FilledFor("b".into(), 100), How::EmptyFor("c".into(), 160)]);
    // Two classes: only one of them has a reason.
    let y: Vec<f64> = (0..N).map(|r| f64::from(u8::from(r % 3 == 1))).collect();
    let leaks = find_leaks(&table, &classes(&["stayed", "left"]), &y, &[], 0);
    assert_eq!(leaks[0].how, How::FilledFor("left".into(), 100));
}

#[test]
fn a_number_that_is_rounded_or_cut_into_ranges_is_seen() {
    let y = |r: usize| (4.0 + 2.0 * noise(r, 1) + 2.0 * noise(r, 2)).exp();
    let table = Table::new(vec![
        number("hundreds", |r| (y(r) / 100.0).round()),
        number("above", |r| f64::from(u8::from(y(r) > 300.0))),
        category("size", |r| ["S", "M", "L"][usize::from(y(r) > 200.0) + usize::from(y(r) > 800.0)].into()),
        category("range", |r| format!("{}-{}", (y(r) / 50.0).floor() * 50.0, (y(r) / 50.0).floor() * 50.0 + 50.0)),
        category("said", |r| format!("paid {:.2} in {}", y(r), ["March", "May"][r % 2])),
        // About three of 40 rows that are called large are not.
        number("nearly", |r| f64::from(u8::from(y(r) > 1500.0 || r < 3))),
        category("kind", |r| ["a", "b", "c"][usize::from(noise(r, 1) > 0.3) + usize::from(noise(r, 1) > 0.8)].into()),
    ])
    .unwrap();
    let encoded: Vec<f64> = (0..N).map(y).collect();
    let leaks = find_leaks(&table, &regression(), &encoded, &[], 0);
    assert_eq!(names(&leaks), [["hundreds"], ["above"], ["size"], ["range"], ["said"]]);
    assert!(matches!(leaks[2].how, How::Sorts(share) if share == 1.0), "{:?}", leaks[2]);
    assert!(leaks[2].to_string().contains("orders the rows almost as the target does (100.0 % of the pairs"));
}

#[test]
fn a_code_that_has_the_class_in_a_part_is_seen() {
    let yes = |r: usize| noise(r, 1) < 0.3;
    let class = |r: usize| if yes(r) { "yes" } else { "no" };
    let number = |r: usize, salt: u64| (noise(r, salt) * 1e6) as u64;
    let texts: Vec<String> = (0..N).map(|r| format!("{}:{}", number(r, 8), class(r))).collect();
    let table = Table::new(vec![
        category("suffix", |r| format!("{}-{}/{}", ["A", "B"][r % 2], number(r, 2), class(r))),
        category("prefix", |r| format!("{}{:06}", if yes(r) { "F" } else { "G" }, number(r, 3))),
        category("middle", |r| format!("id_{}_{:04}", if yes(r) { "fraud" } else { "ok" }, number(r, 4))),
        category("digit", |r| format!("{}{:05}x{}", if yes(r) { 7 } else { 4 }, number(r, 5), number(r, 6))),
        category("honest", |r| format!("{}-{}/{}", ["A", "B"][r % 2], number(r, 7), ["yes", "no"][r % 2])),
        Column::new("text", Values::Text(texts.iter().map(String::as_str).collect::<Texts>())),
    ])
    .unwrap();
    let y: Vec<f64> = (0..N).map(|r| f64::from(u8::from(yes(r)))).collect();
    let leaks = find_leaks(&table, &classes(&["no", "yes"]), &y, &[], 0);
    assert_eq!(names(&leaks), [["suffix"], ["prefix"], ["middle"], ["digit"], ["text"]]);
}

#[test]
fn another_coding_of_the_classes_is_seen_with_mistakes_too() {
    let class = |r: usize| (noise(r, 1) * 4.0) as usize;
    let y: Vec<f64> = (0..N).map(|r| class(r) as f64).collect();
    let odd = |r: usize, share: f64| noise(r, 2) < share;
    let table = Table::new(vec![
        number("encoded", |r| [3.0, 0.0, 2.0, 1.0][class(r)]),
        number("hot", |r| f64::from(u8::from(class(r) == 2))),
        number("two", |r| f64::from(u8::from(class(r) < 2))),
        category("noisy", |r| ["a", "b", "c", "d"][if odd(r, 0.02) { r % 4 } else { class(r) }].into()),
        category("loose", |r| ["a", "b", "c", "d"][if odd(r, 0.2) { r % 4 } else { class(r) }].into()),
        category("other", |r| ["a", "b", "c"][r % 3].into()),
    ])
    .unwrap();
    let leaks = find_leaks(&table, &classes(&["a", "b", "c", "d"]), &y, &[], 0);
    assert_eq!(names(&leaks), [["encoded"], ["hot"], ["two"], ["noisy"]]);
    assert_eq!(leaks[1].how, How::SeparatesClass("c".into(), 1.0));
    assert!(matches!(&leaks[2].how, How::SeparatesClasses(classes) if classes.len() == 2), "{:?}", leaks[2]);
}

#[test]
fn the_target_of_a_later_row_is_seen_and_that_of_an_earlier_one_is_no_leak() {
    let y = |r: usize| (noise(r, 1) * 1000.0).round();
    let lag = |r: usize| if r == 0 { f64::NAN } else { y(r - 1) };
    let next = |r: usize| if r + 1 == N { f64::NAN } else { y(r + 1) };
    let encoded: Vec<f64> = (0..N).map(y).collect();
    let found = |extra: Vec<Column>| {
        let table = Table::new([vec![number("lag", lag), number("next", next)], extra].concat()).unwrap();
        let leaks = find_leaks(&table, &regression(), &encoded, &[], 0);
        leaks.into_iter().map(|leak| (leak.columns[0].clone(), leak.how)).collect::<Vec<_>>()
    };
    assert_eq!(found(Vec::new()), [("next".to_owned(), How::NextRow)]);
    let times = Values::Time((0..N).map(|r| (N - r) as i64 * 1_000_000).collect());
    assert_eq!(
        found(vec![Column::new("at", times)]),
        [("lag".to_owned(), How::NextRow)],
        "the latest row stands first"
    );
    // The class changes in a third of the rows.
    let class = |r: usize| f64::from(u8::from(noise(r / 2, 1) < 0.3));
    let y: Vec<f64> = (0..N).map(class).collect();
    let table = Table::new(vec![
        category("next", |r| ["no", "yes"][class((r + 1).min(N - 1)) as usize].into()),
        category("lag", |r| ["no", "yes"][class(r.max(1) - 1) as usize].into()),
    ])
    .unwrap();
    assert_eq!(names(&find_leaks(&table, &classes(&["no", "yes"]), &y, &[], 0)), [["next"]]);
}
