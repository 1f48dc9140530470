//! The values of expressions, cell by cell, and the messages for invalid ones.

use super::{Definition, Definitions, Derived, check};
use crate::table::time::TimeFormat;
use crate::table::{Categories, Column, Kind, MISSING_TIME, Table, Texts, Values};

pub(super) fn time(text: &str) -> i64 {
    TimeFormat::Iso.parse(text).unwrap_or(MISSING_TIME)
}

/// Five rows with numbers, texts and times, each missing once.
fn table() -> Table {
    let nan = f64::NAN;
    let texts = ["Gold", " silver ", "", "gold card", "Gold"];
    let times = ["2024-02-29T23:30:00Z", "2024-03-31", "", "2023-12-31T22:15:00Z", "1969-12-31T23:59:59Z"];
    Table::new(vec![
        Column::new("a", Values::Number(vec![1.0, -2.5, nan, 4.0, 0.0])),
        Column::new("b", Values::Number(vec![2.0, 0.0, 3.0, nan, 0.0])),
        Column::new("plan", Values::Category(Categories::from_texts(texts))),
        Column::new("note", Values::Text(["x", "", "a b", "é", "12.5"].into_iter().collect::<Texts>())),
        Column::new("at", Values::Time(times.map(time).to_vec())),
        Column::new("y", Values::Number(vec![0.0, 1.0, 0.0, 1.0, 0.0])),
    ])
    .unwrap()
}

pub(crate) fn definitions(pairs: &[(&str, &str)]) -> Definitions {
    let definition =
        |&(name, expression): &(&str, &str)| Definition { name: name.to_owned(), expression: expression.to_owned() };
    Definitions(pairs.iter().map(definition).collect())
}

fn fitted(pairs: &[(&str, &str)], table: &Table) -> (Derived, Vec<Column>) {
    Derived::fit(&definitions(pairs), table, None, "y").unwrap_or_else(|err| panic!("{pairs:?}: {err}"))
}

/// The cells of an expression as texts; a missing one is `-`.
fn cells(expression: &str) -> String {
    let (_, computed) = fitted(&[("x", expression)], &table());
    let values = &computed[0].values;
    let cell = |row: usize| match values {
        values if values.is_missing(row) => "-".to_owned(),
        Values::Number(values) => values[row].to_string(),
        Values::Category(cells) => cells.level(row).unwrap_or_default().to_owned(),
        Values::Time(values) => {
            let mut text = String::new();
            TimeFormat::Iso.write(values[row], &mut text);
            text
        }
        Values::Text(texts) => texts.get(row).to_owned(),
    };
    (0..values.len()).map(cell).collect::<Vec<_>>().join(" ")
}

#[test]
fn numbers_are_computed_and_missing_ones_stay_missing() {
    for (expression, expected) in [
        ("a + b * 2", "5 -2.5 - - 0"),
        ("(a - b) / b", "-0.5 - - - -"),
        ("-a % 3", "2 2.5 - 2 0"),
        ("abs(a)", "1 2.5 - 4 0"),
        ("ln(a)", "0 - - 1.3862943611198906 -"),
        ("log1p(a)", "0.6931471805599453 - - 1.6094379124341003 0"),
        ("sqrt(a)", "1 - - 2 0"),
        ("exp(a * 1000)", "- 0 - - 1"),
        ("round(a)", "1 -2 - 4 0"),
        ("round(a / 3, 2)", "0.33 -0.83 - 1.33 0"),
        ("floor(a) + ceil(a)", "2 -5 - 8 0"),
        ("clip(a, -1, 2)", "1 -1 - 2 0"),
        ("min(a, b)", "1 -2.5 3 4 0"),
        ("max(a, b, 1)", "2 1 3 4 1"),
        ("coalesce(a, b, 9)", "1 -2.5 3 4 0"),
        ("is_missing(a)", "0 0 1 0 0"),
        ("1e2 + .5", "100.5 100.5 100.5 100.5 100.5"),
    ] {
        assert_eq!(cells(expression), expected, "{expression}");
    }
}

#[test]
fn conditions_know_three_values() {
    for (expression, expected) in [
        ("a > 0", "1 0 - 1 0"),
        ("a >= 0 and b > 0", "1 0 - - 0"),
        ("a > 0 or b > 0", "1 0 1 1 0"),
        ("not a > 0", "0 1 - 0 1"),
        ("a = 1 or a == 4", "1 0 - 1 0"),
        ("a != 1", "0 1 - 1 1"),
        ("a <> 1", "0 1 - 1 1"),
        ("a in (1, -2.5)", "1 1 - 0 0"),
        ("a not in (1, 4)", "0 1 - 0 1"),
        ("if(a > 0, b, -1)", "2 -1 -1 - -1"),
        ("case when a > 0 then 'up' when a < 0 then 'down' end", "up down - up -"),
        ("case when is_missing(a) then plan else 'known' end", "known known - known known"),
        ("(a > 0) + (b > 0)", "2 0 - - 0"),
        ("if(a > 0, missing, 1)", "- 1 1 - 1"),
        ("true and a > 0", "1 0 - 1 0"),
    ] {
        assert_eq!(cells(expression), expected, "{expression}");
    }
}

#[test]
fn texts_are_looked_at_without_the_spaces_around_them() {
    for (expression, expected) in [
        ("length(plan)", "4 6 - 9 4"),
        ("length(note)", "1 - 3 1 4"),
        ("lower(plan)", "gold silver - gold card gold"),
        ("upper(note)", "X - A B É 12.5"),
        ("contains(lower(plan), 'gold')", "1 0 - 1 1"),
        ("starts_with(plan, 'Gold')", "1 0 - 0 1"),
        ("ends_with(plan, \"er\")", "0 1 - 0 0"),
        ("matches(plan, '^[a-z ]+$')", "0 1 - 1 0"),
        ("plan == 'Gold'", "1 0 - 0 1"),
        ("plan in ('Gold', 'silver')", "1 1 - 0 1"),
        ("plan not in ('Gold')", "0 1 - 1 0"),
        ("lower(plan) == plan", "0 1 - 1 0"),
        ("number(note)", "- - - - 12.5"),
        ("coalesce(note, plan)", "x silver a b é 12.5"),
        ("is_missing(note)", "0 1 0 0 0"),
        ("'it''s'", "it's it's it's it's it's"),
    ] {
        assert_eq!(cells(expression), expected, "{expression}");
    }
}

#[test]
fn the_calendar_is_that_of_utc_or_of_a_zone() {
    for (expression, expected) in [
        ("year(at)", "2024 2024 - 2023 1969"),
        ("quarter(at)", "1 1 - 4 4"),
        ("month(at) * 100 + day(at)", "229 331 - 1231 1231"),
        ("weekday(at)", "4 7 - 7 3"),
        ("hour(at) * 60 + minute(at)", "1410 0 - 1335 1439"),
        ("day_of_year(at)", "60 91 - 365 365"),
        ("is_month_end(at)", "1 1 - 1 1"),
        ("is_month_end(at, '+02:00')", "0 1 - 0 0"),
        ("is_month_start(at, '+02:00')", "1 0 - 1 1"),
        ("hour(at, '-03:30')", "20 20 - 18 20"),
        ("days_between(at, date('2024-03-01'))", "0.020833333333333332 -30 - 60.072916666666664 19783.000011574073"),
        ("at >= '2024-01-01'", "1 1 - 0 0"),
        ("at > date('2024-02-29')", "1 1 - 0 0"),
        ("at in ('2024-03-31', '2024-04-01')", "0 1 - 0 0"),
        (
            "coalesce(at, date('2000-01-01'))",
            "2024-02-29T23:30:00Z 2024-03-31 2000-01-01 2023-12-31T22:15:00Z 1969-12-31T23:59:59Z",
        ),
    ] {
        assert_eq!(cells(expression), expected, "{expression}");
    }
}

#[test]
fn groups_are_learned_of_training_rows_and_looked_up_ever_after() {
    for (expression, expected) in [
        ("count() by plan", "2 1 - 1 2"),
        ("mean(a) by plan", "0.5 -2.5 - 4 0.5"),
        ("sum(a) by plan", "1 -2.5 - 4 1"),
        ("a - min(a) by plan", "1 0 - 0 0"),
        ("max(a) by (plan, b)", "1 -2.5 - - 0"),
        ("median(b) by a", "2 0 - - 0"),
        ("std(a) by plan", "0.7071067811865476 - - - 0.7071067811865476"),
        ("zscore(a) by plan", "0.7071067811865475 - - - -0.7071067811865475"),
        ("mean(a / max(a) by plan) by plan", "0.5 1 - 1 0.5"),
    ] {
        assert_eq!(cells(expression), expected, "{expression}");
    }
    let pairs = [("n", "count() by plan"), ("m", "mean(a) by plan"), ("z", "zscore(a) by plan")];
    let (derived, _) = fitted(&pairs, &table());
    let other = Table::new(vec![
        Column::new("a", Values::Number(vec![1.0, 1.0])),
        Column::new("plan", Values::Category(Categories::from_texts(["bronze", "silver"]))),
    ]);
    let computed = derived.columns(&other.unwrap()).unwrap();
    let mean = (1.0 - 2.5 + 4.0 + 0.0) / 4.0;
    assert_eq!(computed[0].values, Values::Number(vec![0.0, 1.0]));
    assert_eq!(computed[1].values, Values::Number(vec![mean, -2.5]));
    let squares: f64 = [1.0, -2.5, 4.0, 0.0].iter().map(|a| (a - mean) * (a - mean)).sum();
    let Values::Number(z) = &computed[2].values else { panic!() };
    assert!((z[0] - (1.0 - mean) / (squares / 3.0).sqrt()).abs() < 1e-12 && z[1].is_nan(), "{z:?}");
}

/// Every kind of expression, one after another.
const MANY: [(&str, &str); 12] = [
    ("ratio", "a / b"),
    ("level", "case when ratio > 1 then 'high' when ratio <= 1 then 'low' else lower(plan) end"),
    ("is_high", "level == 'high'"),
    ("both", "is_high + (hour(at, '+02:00') > 12)"),
    ("n", "count() by (plan, level)"),
    ("z", "zscore(coalesce(a, 0)) by level"),
    ("due", "if(a > 0, at, date('2030-01-01'))"),
    ("days", "days_between(at, due)"),
    ("words", "length(note) + contains(note, 'a')"),
    ("same", "note == plan"),
    ("first", "coalesce(note, plan, 'none')"),
    ("of_mean", "ratio - mean(ratio) by is_high"),
];

#[test]
fn one_row_is_computed_to_the_bit_as_in_a_table_and_so_is_what_was_stored() {
    let table = table();
    let (derived, computed) = fitted(&MANY, &table);
    let stored: Derived = serde_json::from_str(&serde_json::to_string(&derived).unwrap()).unwrap();
    assert_eq!(stored, derived);
    let bits = |column: &Column, row: usize| match &column.values {
        Values::Number(values) => format!("{:x}", values[row].to_bits()),
        Values::Time(values) => values[row].to_string(),
        Values::Category(cells) => format!("{:?}", cells.level(row)),
        Values::Text(texts) => texts.get(row).to_owned(),
    };
    for row in 0..table.n_rows() {
        // As in a request: texts that are in no dictionary.
        let one = |(name, _): (&str, Kind)| match table.column(name).unwrap().values.take(&[row as u32]) {
            Values::Category(cells) => Values::Text(std::iter::once(cells.level(0).unwrap_or_default()).collect()),
            values => values,
        };
        let cells: Vec<Values> = stored.reads().map(one).collect();
        for (whole, one) in computed.iter().zip(stored.of_cells(&cells, &[]).unwrap()) {
            assert_eq!(bits(&one, 0), bits(whole, row), "{} in row {row}", whole.name);
        }
    }
}

/// The message for the last of some definitions.
fn refused(pairs: &[(&str, &str)]) -> String {
    let columns = [
        ("a", Kind::Number),
        ("balance", Kind::Number),
        ("plan", Kind::Category),
        ("at", Kind::Time),
        ("unread", Kind::Ignore),
        ("y", Kind::Number),
    ];
    check(&definitions(pairs), &columns, "y").expect_err(&format!("{pairs:?} is no error"))
}

#[test]
fn a_wrong_expression_is_one_line_with_its_character() {
    for (expression, expected) in [
        ("a / blance", "character 5, at `blance`: there is no column \"blance\": did you mean \"balance\"?"),
        (
            "a + plan",
            "character 5, at `plan`: + needs a number here, and this is a text; number(…) converts a text to a number",
        ),
        ("a and true", "character 1, at `a and true`: and needs true or false here, and this is a number; write != 0"),
        ("a / 0", "character 5, at `0`: division by zero"),
        ("a % (2 - 2)", "character 6, at `2 - 2)`: division by zero"),
        ("sqroot(a)", "character 1, at `sqroot(a)`: there is no function \"sqroot\""),
        ("abs(a, a)", "abs takes 1 values and has 2"),
        ("plan == 3", "a text and a number are never equal: write '3'"),
        ("plan < 'a'", "texts have no order"),
        ("plan == missing", "a comparison with missing is never true: write is_missing(…)"),
        ("year(a)", "year needs a time here, and this is a number"),
        ("at > 'yesterday'", "'yesterday' is not a time written like 2025-01-31"),
        ("hour(at, 'Mars/Base')", "character 10, at `'Mars/Base')`: the time zone 'Mars/Base' is not known"),
        ("matches(plan, '(')", "character 15, at `'(')`: '(' is not a valid pattern"),
        ("contains(plan, plan)", "contains needs a constant text in quotes here"),
        ("y + 1", "\"y\" is the target: it is not available at prediction time"),
        ("unread + 1", "column \"unread\" is not read because its kind is \"ignore\""),
        ("mean(a)", "mean is a statistic of a group: write mean(…) by column"),
        ("median(a) by nothing", "there is no column \"nothing\""),
        ("abs(a) by plan", "abs cannot be used with groups"),
        ("if(a > 0, 1)", "if needs a condition and two values"),
        ("if(a > 0, 1, plan)", "character 14, at `plan)`: this is a text, and the value before it is a number"),
        ("a +", "character 4, at its end: unexpected the end: a value is expected here"),
        ("a b", "character 3, at `b`: unexpected \"b\": the end or an operator is expected here"),
        ("(a", "unexpected the end: ) is expected here"),
        ("'open", "the text that begins with ' has no closing '"),
        ("a ; b", "';' is not allowed in an expression"),
        ("1 < a < 3", "comparisons do not chain"),
        ("2x", "2x is not a number"),
        ("1e999", "1e999 is beyond the largest number"),
        ("", "character 1, at its end"),
        ("missing", "every value is missing"),
        ("x + 1", "features depend on each other in a circle: x → x"),
    ] {
        let text = refused(&[("x", expression)]);
        assert!(text.starts_with("[features.derived] \"x\": character "), "{expression}: {text}");
        assert!(text.contains(expected), "{expression}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let circle = refused(&[("p", "q + 1"), ("q", "r * 2"), ("r", "if(p > 1, 1, 2)")]);
    assert!(circle.contains("in a circle: p → q → r → p"), "{circle}");
    let below = refused(&[("p", "q + 1"), ("q", "a * 2")]);
    assert!(below.contains("\"q\" is defined further down"), "{below}");
    assert!(refused(&[("plan", "a + 1")]).contains("[columns] has a column of that name"));
    assert!(refused(&[(" ", "a + 1")]).contains("the name is empty"));
}

#[test]
fn hostile_expressions_end_in_an_error_and_not_in_memory() {
    let deep = |open: &str, close: &str| format!("{}a{}", open.repeat(10_000), close.repeat(10_000));
    for expression in [
        deep("(", ")"),
        deep("-", ""),
        deep("abs(", ")"),
        deep("not ", ""),
        deep("a + ", ""),
        deep("if(true, a, ", ")"),
        deep("case when true then ", " end"),
        "a".repeat(1_000_000),
        format!("a in ({})", vec!["1"; 5_000].join(",")),
        format!("matches(plan, '{}')", "(a{1000}){1000}"),
        format!("matches(plan, '{}')", "(".repeat(9_000)),
    ] {
        let text = refused(&[("x", &expression)]);
        assert!(text.len() < 20_600 && text.lines().count() == 1, "{}", &text[..text.len().min(200)]);
    }
    let many: Vec<(String, String)> = (0..1_001).map(|n| (format!("x{n}"), "a".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, of)| (name.as_str(), of.as_str())).collect();
    assert!(refused(&many).contains("there are more than 1000 derived features"));
    // As deep and as long as allowed.
    let ninety = format!("{}a{}", "(".repeat(90), ")".repeat(90));
    assert!(check(&definitions(&[("x", &ninety)]), &[("a", Kind::Number)], "y").is_ok());
}

/// A table with missing cells, extremes and several time zones, and pandas' results for expressions on it
/// (scripts/reference_features.py).
pub(crate) fn reference_cases() -> (Table, Vec<(String, Vec<serde_json::Value>)>) {
    let stored: serde_json::Value =
        serde_json::from_str(include_str!("../../../fixtures/reference/derived.json")).unwrap();
    let cells = |name: &str| stored["table"][name].as_array().unwrap().iter();
    let texts = |name: &str| cells(name).map(|cell| cell.as_str().unwrap());
    let numbers = |name: &str| Values::Number(cells(name).map(|cell| cell.as_f64().unwrap_or(f64::NAN)).collect());
    let columns = vec![
        Column::new("a", numbers("a")),
        Column::new("b", numbers("b")),
        Column::new("t", Values::Category(Categories::from_texts(texts("t")))),
        Column::new("at", Values::Time(texts("at").map(time).collect())),
    ];
    let of = |case: &serde_json::Value| {
        (case["expression"].as_str().unwrap().to_owned(), case["values"].as_array().unwrap().clone())
    };
    (Table::new(columns).unwrap(), stored["cases"].as_array().unwrap().iter().map(of).collect())
}

#[test]
fn every_function_gives_what_pandas_gives() {
    let (table, cases) = reference_cases();
    assert!(cases.len() > 60);
    for (expression, expected) in &cases {
        let (_, computed) = fitted(&[("x", expression)], &table);
        for (row, expected) in expected.iter().enumerate() {
            let place = format!("{expression} in row {row}: pandas has {expected}");
            match &computed[0].values {
                Values::Number(values) => match expected.as_f64() {
                    Some(expected) => {
                        let near = (values[row] - expected).abs() <= 1e-13 * expected.abs().max(1e-300);
                        assert!(values[row] == expected || near, "{place}, this is {}", values[row]);
                    }
                    None => assert!(values[row].is_nan(), "{place}, this is {}", values[row]),
                },
                Values::Category(levels) => assert_eq!(levels.level(row), expected.as_str(), "{place}"),
                other => panic!("{place}: {other:?}"),
            }
        }
    }
}
