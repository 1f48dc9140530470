#![expect(clippy::disallowed_methods, reason = "tests write what they damage")]

use super::*;
use crate::table::{ColumnSpec, Kind, read};

fn schema(header: bool) -> Schema {
    let column = |name: &str, kind| ColumnSpec::new(name, kind);
    Schema {
        dialect: Dialect { delimiter: ';', header, ..Dialect::default() },
        columns: vec![column("c1", Kind::Number), column("c2", Kind::Id), column("c3", Kind::Category)],
    }
}

fn combined_text(base: &str, header: bool, rows: &[(&str, [&str; 3])]) -> (String, Counts) {
    let mut added = Added::new(["c1", "c2", "c3"].map(str::to_owned).to_vec());
    for (id, fields) in rows {
        added.push(id, &fields.map(str::to_owned), b';');
    }
    let mut out = Vec::new();
    let counts =
        combine(Input::from_reader("t", std::io::Cursor::new(base.to_owned())), &schema(header), &added, &mut out);
    (String::from_utf8(out).unwrap(), counts.unwrap())
}

const ROWS: [(&str, [&str; 3]); 2] = [("b", ["2", "b", "yes"]), ("d", ["4", "d", "say \"hm\"; no"])];

#[test]
fn records_are_replaced_in_place_and_added_at_the_end() {
    let base = "c1;c2;c3\r\n 1 ;a;\"no\"\r\n2;b;no\n3;c;\"a\nb\"";
    let (text, counts) = combined_text(base, true, &ROWS);
    let lines = ["c1;c2;c3", " 1 ;a;\"no\"", "2;b;yes", "3;c;\"a\nb\"", "4;d;\"say \"\"hm\"\"; no\"", ""];
    assert_eq!(text, lines.join("\r\n"), "the header tells how lines end");
    assert_eq!(counts, Counts { n_base: 3, n_replaced: 1, n_added: 1, n_left_out: 0 });
    // Repeating it changes nothing.
    let (again, counts) = combined_text(&text, true, &ROWS);
    assert_eq!(again, text);
    assert_eq!(counts, Counts { n_base: 4, n_replaced: 2, n_added: 0, n_left_out: 0 });
    // As saved by a spreadsheet, and by other programs.
    let (marked, _) = combined_text(&format!("\u{feff}{base}"), true, &ROWS);
    assert_eq!(marked, format!("\u{feff}{text}"));
    let (plain, _) = combined_text(&base.replace("\r\n", "\n"), true, &ROWS);
    assert_eq!(plain, text.replace("\r\n", "\n"));
}

#[test]
fn a_table_without_a_header_has_its_columns_by_place() {
    let (text, counts) = combined_text("1;a;no\n2;b;no\n", false, &ROWS);
    assert_eq!(text, "1;a;no\n2;b;yes\n4;d;\"say \"\"hm\"\"; no\"\n");
    assert_eq!(counts.n_rows(), 3);
}

#[test]
fn rows_of_other_columns_are_refused() {
    let added = Added::new(vec!["c1".to_owned(), "c2".to_owned()]);
    let base = Input::from_reader("t", &b"c1;c2;c3\n1;a;no\n"[..]);
    let err = combine(base, &schema(true), &added, &mut Vec::new()).unwrap_err().to_string();
    assert!(err.contains("has the columns c1, c2, but the reference has c1, c2, c3"), "{err}");
}

#[test]
fn the_combined_table_and_its_digest_are_those_of_the_written_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("reference.csv");
    std::fs::write(&path, "c1;c2;c3\n1;a;no\n").unwrap();
    let mut added = Added::new(["c1", "c2", "c3"].map(str::to_owned).to_vec());
    added.push("x", &["5", "x", "yes"].map(str::to_owned), b';');
    added.push("x", &["6", "x", "yes"].map(str::to_owned), b';');
    let combined = combined(&path, &schema(true), &added).unwrap();
    let digest = Sha256::digest(b"c1;c2;c3\n1;a;no\n6;x;yes\n");
    assert_eq!(combined.sha256, crate::digest::hex(&digest));
    let table = read(combined.into_input(), &schema(true), &ReadOptions::default()).unwrap().table;
    assert_eq!(table.column("c1").unwrap().values, Values::Number(vec![1.0, 6.0]));
}
