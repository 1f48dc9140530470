//! What bodies become, and what is said of those that become nothing.

use super::*;

fn form() -> Form {
    let mut form = Form::default();
    for name in ["id", "months", "contract"] {
        form.keep(name);
    }
    form.allow("churn");
    form
}

fn parse(body: &str) -> Rows {
    Rows::parse(body.as_bytes(), &form(), 4).unwrap()
}

fn said(rows: &Rows) -> Vec<String> {
    rows.problems.list().iter().map(ToString::to_string).collect()
}

#[test]
fn one_row_and_many() {
    let one = parse(r#"{"contract": "two years", "months": 3, "id": 12345678901234567890, "churn": [1]}"#);
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
            "row 0: column \"months\" stands twice",
            "row 1: is no row: write {\"column\": value, …}",
            "row 2: is no row: write {\"column\": value, …}",
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
    for body in
        ["", "{", "nan", r#"{"months": NaN}"#, r#"{"months": 1e999}"#, "{} {}", "7", &deep, &nested, "\"\u{0}\""]
    {
        let no_rows = Rows::parse(body.as_bytes(), &form(), 3).unwrap_err();
        assert!(matches!(no_rows, NoRows::Json(_)), "{no_rows:?}");
    }
    assert!(matches!(Rows::parse(b"{\"months\": \"\xff\"}", &form(), 3), Err(NoRows::Json(_))));
    assert!(matches!(Rows::parse(b"[{},{},{},{}]", &form(), 3), Err(NoRows::TooMany)));
    assert!(matches!(Rows::parse(b"{\"rows\": [{},{},{},{}]}", &form(), 3), Err(NoRows::TooMany)));
}

proptest::proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes: Vec<u8>, cut in 0_usize..60) {
        let _ = Rows::parse(&bytes, &form(), 3);
        let valid = br#"[{"id": "a\u00e9", "months": -1.5e-7, "contract": null, "churn": {"a": []}}]"#;
        let mut mixed = valid[..cut.min(valid.len())].to_vec();
        mixed.extend(&bytes);
        mixed.extend(&valid[cut.min(valid.len())..]);
        let _ = Rows::parse(&mixed, &form(), 3);
    }
}
