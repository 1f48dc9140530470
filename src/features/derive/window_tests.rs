//! Windows over a row's own past: their values, their rows, and the messages for invalid ones.

use super::tests::{definitions, time};
use super::{Derived, Past, Windows, check};
use crate::features::FeatureError;
use crate::table::{Categories, Column, Kind, Table, Texts, Values};

const COLUMNS: [(&str, Kind); 5] = [
    ("id", Kind::Id),
    ("card", Kind::Category),
    ("amount", Kind::Number),
    ("at", Kind::Time),
    ("shop", Kind::Category),
];

fn windows(pairs: &[(&str, &str)]) -> Windows {
    Windows::new(&definitions(pairs), &COLUMNS, "y").unwrap().unwrap()
}

/// Rows as `id card amount time`; `-` is missing.
fn rows(rows: &[&str]) -> Table {
    let cell = |row: &&str, at: usize| match row.split(' ').nth(at) {
        Some("-") | None => String::new(),
        Some(text) => text.to_owned(),
    };
    let texts = |at: usize| rows.iter().map(|row| cell(row, at)).collect::<Vec<_>>();
    let number = |text: String| text.parse().unwrap_or(f64::NAN);
    Table::new(vec![
        Column::new("id", Values::Text(texts(0).iter().map(String::as_str).collect::<Texts>())),
        Column::new("card", Values::Category(Categories::from_texts(texts(1).iter().map(String::as_str)))),
        Column::new("amount", Values::Number(texts(2).into_iter().map(number).collect())),
        Column::new("at", Values::Time(texts(3).iter().map(|text| time(text)).collect())),
    ])
    .unwrap()
}

/// The values of the first window, a missing one as `-`.
fn told(columns: &[Column]) -> String {
    let Values::Number(values) = &columns[0].values else { panic!("{columns:?}") };
    let cell = |value: &f64| if value.is_nan() { "-".to_owned() } else { value.to_string() };
    values.iter().map(cell).collect::<Vec<_>>().join(" ")
}

const STREAM: [&str; 9] = [
    "1 a 10 2024-01-01",
    "2 a 20 2024-01-03",
    "3 b 5 2024-01-03",
    // At the same time as row 2.
    "4 a 40 2024-01-03",
    "5 a - 2024-01-05",
    "6 - 70 2024-01-06",
    "7 a 80 -",
    // Row 1 is exactly seven days before.
    "8 a 90 2024-01-08",
    "9 a 1 2024-01-08T00:00:01Z",
];

#[test]
fn a_window_holds_the_rows_before_and_not_those_of_the_same_instant() {
    for (expression, expected) in [
        ("count() by card over 7d", "0 1 0 1 3 - - 4 4"),
        ("sum(amount) by card over 7d", "0 10 0 10 70 - - 70 150"),
        ("mean(amount) by card over 2d", "- 10 - 10 30 - - - 90"),
        ("max(amount) by card over 48h", "- 10 - 10 40 - - - 90"),
        ("min(amount) by card over 1w", "- 10 - 10 10 - - 10 20"),
        ("median(amount) by card over '7d'", "- 10 - 10 20 - - 20 40"),
        ("std(amount) by card over 3d of at", "- - - - 14.142135623730951 - - - -"),
        ("zscore(coalesce(amount, 0)) by card over 2d", "- - - - -2.1213203435596424 - - - -"),
        ("count() by (card, amount > 15) over 30d", "0 0 0 0 - - - 2 1"),
    ] {
        let table = rows(&STREAM);
        let of = windows(&[("x", expression)]);
        assert_eq!(told(&of.compute(&Past::default(), &table).unwrap()), expected, "{expression}");
        // The order of the rows does not matter.
        let backwards: Vec<u32> = (0..table.n_rows() as u32).rev().collect();
        let turned = of.compute(&Past::default(), &table.take(&backwards)).unwrap();
        let again = [turned[0].take(&backwards)];
        assert_eq!(told(&again), expected, "{expression}, backwards");
    }
}

/// However a table is cut into earlier and later rows, a row on both sides counts once.
#[test]
fn rows_of_the_past_count_once_and_as_rows_of_the_table_do() {
    let all = rows(&STREAM);
    for expression in
        ["sum(amount) by card over 7d", "count() by (card, shop) over 7d", "zscore(amount) by card over 3d"]
    {
        let of = windows(&[("plain", "abs(amount)"), ("x", expression)]);
        let with_shop = |table: &Table| {
            let shop = Values::Category(Categories::from_texts((0..table.n_rows()).map(|_| "s")));
            Table::new([table.columns(), &[Column::new("shop", shop)]].concat()).unwrap()
        };
        let whole = of.compute(&Past::default(), &with_shop(&all)).unwrap();
        for cut in 0..STREAM.len() {
            let (before, after) = (with_shop(&rows(&STREAM[..cut])), with_shop(&rows(&STREAM[cut..])));
            // The stored rows, the log that has some of them again, and one row in both the log and the table.
            let logged = with_shop(&rows(&STREAM[cut / 2..(cut + 1).min(STREAM.len())]));
            let parts = [of.part(&before, Some("id")).unwrap(), of.part(&logged, Some("id")).unwrap()];
            let past = Past::of(&of, Some("id"), &parts).unwrap();
            assert_eq!(past.n_rows(), (cut + 1).min(STREAM.len()));
            let found = of.compute(&past, &after).unwrap();
            let places: Vec<u32> = (cut as u32..STREAM.len() as u32).collect();
            assert_eq!(told(&found), told(&[whole[0].take(&places)]), "{expression} from row {cut} on");
            // Without ids, rows are the same if all values that are read are equal: two rows of this stream share card
            // and time.
            if expression.starts_with("count") {
                continue;
            }
            let nameless = [of.part(&before, None).unwrap(), of.part(&logged, None).unwrap()];
            let found = of.compute(&Past::of(&of, None, &nameless).unwrap(), &after).unwrap();
            assert_eq!(told(&found), told(&[whole[0].take(&places)]), "{expression} from row {cut} on, without ids");
        }
    }
    // The rows that a later table may need: seven days before the last row.
    let of = windows(&[("x", "count() by card over 7d"), ("y2", "count() by card over 1h")]);
    let last = of.last(&all, Some("id")).unwrap();
    let Values::Text(ids) = &last.column("id").unwrap().values else { panic!() };
    assert_eq!(ids.iter().collect::<Vec<_>>().join(" "), "2 3 4 5 6 8 9");
    assert!(last.column("amount").is_none(), "no window reads it");
}

#[test]
fn features_read_windows_by_name_and_nothing_is_guessed_without_the_past() {
    let pairs = [("n", "count() by card over 7d"), ("of_card", "n - mean(n) by card"), ("busy", "n > 2")];
    let (of, defined) = (windows(&pairs), definitions(&pairs));
    let bare = rows(&STREAM);
    let filled = of.fill(&Past::default(), bare.clone()).unwrap();
    assert_eq!(of.names(), ["n = count() by card over 7d"]);
    let (derived, computed) = Derived::fit(&defined, &filled, Some(&[0, 1, 3]), "y").unwrap();
    assert_eq!(told(&computed), "0 1 0 1 3 - - 4 4");
    // In rows 0, 1 and 3 the mean of card a is 2/3; card b is not among them and gets the overall mean.
    assert_eq!(told(&computed[1..]).split(' ').nth(4), Some((3.0_f64 - 2.0 / 3.0).to_string().as_str()));
    assert_eq!(told(&computed[2..]), "0 0 0 0 1 - - 1 1");
    let stored: Derived = serde_json::from_str(&serde_json::to_string(&derived).unwrap()).unwrap();
    assert_eq!((stored.window_columns(), &stored), (of.names(), &derived));
    assert_eq!(told(&stored.columns(&filled).unwrap()), told(&computed));
    for found in [stored.columns(&bare), Derived::fit(&defined, &bare, None, "y").map(|(_, columns)| columns)] {
        let told = found.unwrap_err();
        assert!(matches!(&told, FeatureError::NoPast { window } if window.starts_with("n = ")), "{told}");
    }
    assert!(stored.of_cells(&[], &[]).is_err());
}

#[test]
fn a_wrong_window_is_one_line_with_its_character() {
    let no_time = [("card", Kind::Category), ("amount", Kind::Number)];
    let two = [("card", Kind::Category), ("amount", Kind::Number), ("at", Kind::Time), ("due", Kind::Time)];
    let one = &two[..3];
    let columns = |kinds: usize| [&no_time[..], one, &two[..]][kinds];
    for (kinds, expression, expected) in [
        (
            1,
            "count() by card over",
            "character 21, at its end: unexpected the end: a length of time is expected after over",
        ),
        (1, "count() by card over 7", "character 22, at `7`: unexpected 7: a length of time is expected after over"),
        (1, "count() by card over 7y", "7y is not a number"),
        (1, "count() by card over '7 days'", "character 22, at `'7 days'`: \"7 days\" is not a length of time"),
        (
            1,
            "count() by card over 99999999999d",
            "character 22, at `99999999999d`: \"99999999999d\" is not a length of time",
        ),
        (1, "count() by card over 0d", "character 22, at `0d`: a window needs a length above 0"),
        (1, "count() by card over 7d of", "unexpected the end: a time column is expected after of"),
        (
            1,
            "count() by card over 7d of amount",
            "character 28, at `amount`: a window needs a time column of [columns], and this is a number",
        ),
        (1, "count() by card over 7d of when_", "character 28, at `when_`: there is no column \"when_\""),
        (
            1,
            "amount / mean(amount) by card over 7d",
            "character 36, at `7d`: a window is a feature of its own: give it a line",
        ),
        (1, "abs(count() by card over 7d)", "a window is a feature of its own"),
        (1, "mean(card) by card over 7d", "the statistic needs a number here, and this is a text"),
        (
            1,
            "mean(mean(amount) by card) by card over 7d",
            "character 1, at `mean(mean(amount) by car…`: a window can only use values of single rows",
        ),
        (1, "mean(n) by card over 7d", "a window can only use values of single rows"),
        (1, "mean(7d) by card", "character 6, at `7d) by card`: unexpected 7d: a value is expected here"),
        (1, "abs(amount) by card over 7d", "abs cannot be used with groups"),
        (1, "count() by 'x' over 7d", "unexpected 'x': a column is expected after by"),
        (0, "count() by card over 7d", "character 22, at `7d`: a window needs a time column, and [columns] has none"),
        (
            2,
            "count() by card over 7d",
            "character 22, at `7d`: there are several time columns, such as \"at\" and \"due\": name one, as in over 7d of at",
        ),
    ] {
        let text = check(
            &definitions(&[("n", "count() by card over 1d of at"), ("x", expression)][usize::from(kinds != 1)..]),
            columns(kinds),
            "y",
        );
        let text = text.expect_err(expression);
        assert!(text.starts_with("[features.derived] \"x\": character ") && text.lines().count() == 1, "{text}");
        assert!(text.contains(expected), "{expression}: {text}");
    }
    assert!(check(&definitions(&[("x", "count() by card over 7d of due")]), &two, "y").is_ok());
    // Columns may have these names.
    assert!(check(&definitions(&[("x", "over + of")]), &[("over", Kind::Number), ("of", Kind::Number)], "y").is_ok());
}

/// Equal to pandas, both its `rolling` and the plain definition (scripts/reference_features.py).
#[test]
fn windows_give_what_pandas_gives() {
    let stored: serde_json::Value =
        serde_json::from_str(include_str!("../../../fixtures/reference/derived.json")).unwrap();
    let stored = &stored["windows"];
    let cells = |name: &str| stored["table"][name].as_array().unwrap().iter();
    let texts = |name: &str| Values::Category(Categories::from_texts(cells(name).map(|cell| cell.as_str().unwrap())));
    let table = Table::new(vec![
        Column::new("card", texts("card")),
        Column::new("shop", texts("shop")),
        Column::new("amount", Values::Number(cells("amount").map(|cell| cell.as_f64().unwrap_or(f64::NAN)).collect())),
        Column::new("at", Values::Time(cells("at").map(|cell| time(cell.as_str().unwrap())).collect())),
    ])
    .unwrap();
    let cases = stored["cases"].as_array().unwrap();
    assert_eq!((cases.len(), table.n_rows()), (48, 120));
    for case in cases {
        let expression = case["expression"].as_str().unwrap();
        let found = windows(&[("x", expression)]).compute(&Past::default(), &table).unwrap();
        let Values::Number(values) = &found[0].values else { panic!() };
        for (row, (value, expected)) in values.iter().zip(case["values"].as_array().unwrap()).enumerate() {
            let near = |expected: f64| (value - expected).abs() <= 1e-12 * expected.abs().max(1e-9);
            let same = expected.as_f64().map_or(value.is_nan(), near);
            assert!(same, "{expression} in row {row}: pandas has {expected}, this is {value}");
        }
    }
}
