//! The rows of bodies, and the messages for invalid ones.

use super::*;

fn form() -> Form {
    let mut form = Form::default();
    for name in ["id", "months", "contract"] {
        form.keep(name);
    }
    let target = form.keep("churn");
    form.arrange(&[1, 2], target);
    form.allow("region");
    form
}

fn parse(body: &str) -> Rows {
    read(body.as_bytes(), 4).unwrap()
}

fn read(body: &[u8], max_rows: usize) -> Result<Rows, NoRows> {
    Rows::parse(body, &form(), max_rows, &mut |_| true)
}

fn said(rows: &Rows) -> Vec<String> {
    rows.problems.list().iter().map(ToString::to_string).collect()
}

#[test]
fn one_row_and_many() {
    let one = parse(r#"{"contract": "two years", "months": 3, "id": 12345678901234567890, "region": [1]}"#);
    assert_eq!((one.len(), one.many), (1, false));
    assert_eq!(one.cell(0, 1), Raw::Number(3.0));
    assert_eq!((one.written(0, 0), one.written(0, 2)), ("12345678901234567890".into(), "two years".into()));
    for body in [r#"[{"months": 1.5}, {"months": null}]"#, r#"{"rows": [{"months": 1.5}, {"months": null}]}"#] {
        let rows = parse(body);
        assert_eq!((rows.len(), rows.many), (2, true), "{body}");
        assert_eq!([rows.cell(0, 1), rows.cell(1, 1), rows.cell(1, 0)], [Raw::Number(1.5), Raw::Null, Raw::Absent]);
        assert!(said(&rows).is_empty());
    }
    let (mut out, mut ends) = (Vec::new(), Vec::new());
    one.write(0, &[(1, None), (2, None)], &mut out, &mut ends);
    assert_eq!((out.as_slice(), ends.as_slice()), (&b"3two years"[..], &[1, 10][..]));
}

#[test]
fn everything_that_is_wrong_is_named() {
    let rows = parse(r#"[{"monhts": 3, "months": 1, "months": 2}, 7, [8], {"x": {"y": [{}]}, "months": [1]}]"#);
    assert_eq!(
        said(&rows),
        [
            "row 0: unknown column \"monhts\"",
            "row 0: column \"months\" appears twice",
            "row 1: is not a row: write {\"column\": value, …}",
            "row 2: is not a row: write {\"column\": value, …}",
            "row 3: unknown column \"x\"",
        ]
    );
    assert_eq!(rows.cell(3, 1), Raw::Nested);
    assert_eq!(said(&parse(r#"{"rows": [{"months": 1}], "extra": 1}"#)), ["unknown column \"extra\""]);
    assert_eq!(said(&parse(r#"{"months": 1, "rows": [1]}"#)), ["row 0: unknown column \"rows\""]);
}

#[test]
fn what_is_no_json_is_refused() {
    let deep = "[".repeat(100_000);
    let nested = format!(r#"{{"months": {}}}"#, "[".repeat(100_000));
    for body in ["", "{", "nan", r#"{"months": NaN}"#, "{} {}", "7", &deep, &nested, "\"\u{0}\""] {
        let no_rows = read(body.as_bytes(), 3).unwrap_err();
        assert!(matches!(no_rows, NoRows::Json(_)), "{no_rows:?}");
    }
    assert!(matches!(read(br#"[{"months": 1e999}]"#, 3), Err(NoRows::OutOfRange(_))));
    assert!(matches!(read(b"{\"months\": \"\xff\"}", 3), Err(NoRows::Json(_))));
    assert!(matches!(read(b"[{},{},{},{}]", 3), Err(NoRows::TooMany)));
    assert!(matches!(read(b"{\"rows\": [{},{},{},{}]}", 3), Err(NoRows::TooMany)));
}

#[test]
fn wrappers_of_other_servers_hold_the_same_rows() {
    let (named, both) =
        (r#"[{"months": 3, "contract": "a"}, {"contract": "b", "months": 4}]"#, r#"[[3, "a"], [4, "b"]]"#);
    let split = r#"{"columns": ["contract", "months"], "index": [0, 1], "data": [["a", 3], ["b", 4]]}"#;
    for body in [
        format!(r#"{{"rows": {named}}}"#),
        format!(r#"{{"raw_features": {named}}}"#),
        format!(r#"{{"dataframe_records": {named}}}"#),
        format!(r#"{{"signature_name": "serving_default", "instances": {named}}}"#),
        format!(r#"{{"instances": {named}, "parameters": {{"k": [1]}}, "params": null}}"#),
        format!(r#"{{"inputs": {named}}}"#),
        format!(r#"{{"instances": {both}}}"#),
        format!(r#"{{"inputs": {both}}}"#),
        format!(r#"{{"dataframe_split": {split}}}"#),
    ] {
        let rows = parse(&body);
        assert_eq!((rows.len(), rows.many, said(&rows)), (2, true, vec![]), "{body}");
        assert_eq!((rows.cell(1, 1), rows.written(1, 2)), (Raw::Number(4.0), "b".into()), "{body}");
    }
}

#[test]
fn outcomes_stand_in_the_row_or_in_a_list() {
    for body in [
        r#"{"rows": [{"months": 1}, {"months": 2}], "labels": ["yes", null]}"#,
        r#"{"true_labels": ["yes", null], "raw_features": [{"months": 1}, {"months": 2}]}"#,
        r#"{"inputs": [[1, "a"], [2, "b"]], "true_labels": ["yes", null]}"#,
        r#"[{"months": 1, "churn": "yes"}, {"months": 2, "churn": null}]"#,
    ] {
        let rows = parse(body);
        assert_eq!((rows.written(0, 3), rows.cell(1, 3)), ("yes".into(), Raw::Null), "{body}");
        assert_eq!((said(&rows), rows.has_labels), (vec![], body.starts_with('{')), "{body}");
    }
    let told = [
        (r#"{"rows": [{"months": 1}], "labels": [1, 0]}"#, "2 outcomes for 1 rows"),
        (
            r#"{"rows": [{"months": 1}], "labels": ["no"], "true_labels": ["yes"]}"#,
            "gives outcomes twice: \"labels\" and \"true_labels\" mean the same; send one of them",
        ),
        (
            r#"{"rows": [{"months": 1}], "labels": ["no"], "labels": ["no"]}"#,
            "gives outcomes twice: \"labels\" and \"true_labels\" mean the same; send one of them",
        ),
        (r#"{"rows": [{"churn": 1}], "labels": [1]}"#, "row 0: column \"churn\" appears twice"),
        (r#"{"rows": [{"months": 1}], "months": 2}"#, "unknown column \"months\""),
        (r#"{"rows": [], "months": 2}"#, "unknown column \"months\""),
        (r#"{"rows": [{}], "inputs": [[]]}"#, "unknown column \"inputs\""),
        (r#"{"inputs": [[1]]}"#, "row 0: has 1 values, expected 2"),
        (r#"{"inputs": [[1, 2, 3]]}"#, "row 0: has 3 values, expected 2"),
        (r#"{"dataframe_split": {"columns": ["monhts"], "data": [[1]]}}"#, "unknown column \"monhts\""),
        (r#"{"dataframe_split": {"columns": ["months", "months"], "data": []}}"#, "duplicate column \"months\""),
        (r#"{"dataframe_split": {"data": [[1]], "columns": ["months"]}}"#, "\"columns\" must come before \"data\""),
    ];
    for (body, expected) in told {
        assert_eq!(said(&parse(body)), [expected], "{body}");
    }
}

#[test]
fn one_row_and_columns_stand_where_rows_do() {
    for body in [
        r#"{"raw_features": {"months": 1, "contract": "a"}, "true_labels": ["yes"]}"#,
        r#"{"inputs": {"months": [1], "contract": ["a"], "churn": ["yes"]}}"#,
    ] {
        let rows = parse(body);
        assert_eq!((said(&rows), rows.len(), rows.many), (vec![], 1, true), "{body}");
        assert_eq!(rows.written(0, 3), "yes", "{body}");
    }
    let rows = parse(r#"{"inputs": {"months": [1, 2], "nobody": [1, 2]}}"#);
    assert_eq!((said(&rows), rows.len()), (vec!["unknown column \"nobody\"".to_owned()], 2));
    let rows = parse(r#"{"inputs": {"months": [1, 2], "contract": ["a"]}}"#);
    assert_eq!(said(&rows), ["column \"contract\" has 1 values, expected 2"]);
    assert!(matches!(
        Rows::parse(br#"{"inputs": {"months": [1, 2, 3]}}"#, &form(), 2, &mut |_| true),
        Err(NoRows::TooMany)
    ));
}

#[test]
fn a_list_of_values_where_rows_are_wanted_is_one_problem() {
    let values = ["1", "\"a\"", "null", "2.5"].join(", ");
    for (body, form) in [
        (format!(r#"{{"inputs": [{values}]}}"#), "[[…]], one list of values per row"),
        (format!(r#"{{"instances": [{values}], "labels": ["yes"]}}"#), "[[…]], one list of values per row"),
        (
            format!(r#"{{"dataframe_split": {{"columns": ["months"], "data": [{values}]}}}}"#),
            "[[…]], one list of values",
        ),
        (format!(r#"{{"rows": [{values}]}}"#), "[{\"column\": value, …}], one object per row"),
        (format!("[{values}]"), "[{\"column\": value, …}], one object per row"),
    ] {
        let told = said(&parse(&body));
        assert_eq!(told.len(), 1, "{body}: {told:?}");
        assert!(told[0].contains(form), "{body}: {told:?}");
    }
}

#[test]
fn the_memory_of_cells_is_asked_for() {
    let body = format!("[{}]", vec!["{}"; 1000].join(","));
    let mut asked = Vec::new();
    let rows = Rows::parse(body.as_bytes(), &form(), 1000, &mut |bytes| {
        asked.push(bytes);
        true
    });
    assert_eq!(rows.unwrap().len(), 1000);
    let total: usize = asked.iter().sum();
    assert!((1000 * 4 * size_of::<Raw>()..1000 * 4 * 100).contains(&total) && asked.len() < 20, "{asked:?}");
    let mut left = 5_000;
    let broken = Rows::parse(body.as_bytes(), &form(), 1000, &mut |bytes| {
        left -= bytes as i64;
        left >= 0
    });
    assert!(matches!(broken, Err(NoRows::NoRoom)));
}

proptest::proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes: Vec<u8>, cut in 0_usize..60) {
        let _ = read(&bytes, 3);
        let valid = br#"[{"id": "a\u00e9", "months": -1.5e-7, "contract": null, "churn": {"a": []}}]"#;
        let mut mixed = valid[..cut.min(valid.len())].to_vec();
        mixed.extend(&bytes);
        mixed.extend(&valid[cut.min(valid.len())..]);
        let _ = read(&mixed, 3);
    }
}
