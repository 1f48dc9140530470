use std::io::Cursor;
use std::sync::Arc;

use proptest::prelude::*;

use super::block::Sizes;
use super::read;
use crate::table::input::Text;
use crate::table::{ColumnSpec, Dialect, Kind, ReadOptions, ReadResult, Schema, TableError, Values};

fn schema(columns: &[(&str, Kind)]) -> Schema {
    let columns = columns.iter().map(|&(name, kind)| ColumnSpec::new(name, kind)).collect();
    Schema { dialect: Dialect::default(), columns }
}

fn read_cut(text: &[u8], schema: &Schema, options: &ReadOptions, sizes: Sizes) -> Result<ReadResult, TableError> {
    let source = Text {
        reader: Box::new(Cursor::new(text.to_vec())),
        size: Some(text.len() as u64),
        consumed: Arc::default(),
        first_line: 1,
        notes: Vec::new(),
    };
    read("t.csv", source, schema, options, sizes)
}

fn read_text(text: &str, schema: &Schema, options: &ReadOptions) -> Result<ReadResult, TableError> {
    read_cut(text.as_bytes(), schema, options, Sizes::default())
}

fn error(text: &str, columns: &[(&str, Kind)]) -> String {
    read_text(text, &schema(columns), &ReadOptions::default()).unwrap_err().to_string()
}

fn skipping() -> ReadOptions {
    ReadOptions { skip_invalid: true, ..ReadOptions::default() }
}

#[test]
fn columns_are_matched_by_name_in_the_schemas_order() {
    let text = "\u{feff}extra,b,a,when\r\nx,yes,1,2025-01-31\r\n\r\ny, no ,?,\r\nz,NA,+2.5e1,2025-02-01T00:00:01Z";
    let wanted = schema(&[("a", Kind::Number), ("when", Kind::Time), ("b", Kind::Category)]);
    let result = read_text(text, &wanted, &ReadOptions::default()).unwrap();
    let table = result.table;
    assert_eq!(table.columns().iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["a", "when", "b"]);
    let Values::Number(a) = &table.columns()[0].values else { panic!() };
    assert_eq!((a[0], a[1].is_nan(), a[2]), (1.0, true, 25.0));
    let Values::Time(when) = &table.columns()[1].values else { panic!() };
    assert_eq!(when[2], 1_738_368_001_000_000);
    assert!(table.columns()[1].values.is_missing(1));
    let Values::Category(b) = &table.columns()[2].values else { panic!() };
    assert_eq!(b.levels.to_vec(), ["no", "yes"]);
    assert_eq!((b.level(0), b.level(1), b.level(2)), (Some("yes"), Some("no"), None));
    assert_eq!(result.notes, ["ignored 1 column that is not in the schema: extra"]);
}

#[test]
fn a_delimiter_that_the_header_does_not_have_is_found_out() {
    let ab = schema(&[("a", Kind::Number), ("b", Kind::Category)]);
    let expected = read_text("a,b\n1,x y\n", &ab, &ReadOptions::default()).unwrap().table;
    for text in ["a;b\n1;x y\n", "\"b\"\t\"a\"\nx y\t1\n", "a|b\n1|x y"] {
        assert_eq!(read_text(text, &ab, &ReadOptions::default()).unwrap().table, expected, "{text}");
    }
}

#[test]
fn errors_name_the_first_place_in_file_order() {
    let ab = [("a", Kind::Number), ("b", Kind::Number)];
    assert_eq!(
        error("b,a,c\n1,2,\n3,4,\"\n\"\n5,x,\ny,6,\n", &ab),
        r#"t.csv: line 5, column "a": "x" is not a number"#
    );
    assert_eq!(error("a,b\n1,2\n3\n4,x\n", &ab), "t.csv: line 3: 1 field, but the header has 2");
    assert_eq!(error("a,b\n1,x\n3\n", &ab), r#"t.csv: line 2, column "b": "x" is not a number"#);
    assert_eq!(
        error("a,b\n1,2\n3", &ab),
        "t.csv: line 3: 1 field, but the header has 2; the file ends in the middle of this record"
    );
    assert_eq!(error("c\n1\n", &ab), r#"t.csv: missing columns "a", "b""#);
    assert_eq!(
        error("a,b,a,\"\",a\n", &ab),
        r#"t.csv: line 1: the header has the name "a" 3 times, in fields 1, 3, 5: name each anew"#
    );
    assert_eq!(error("a,b\n1,in\n", &ab), r#"t.csv: line 2, column "b": "in" is not a number"#);
    assert_eq!(error("a,b\n1,\"2\n3,4\n", &ab), "t.csv: line 2: the quote that opens here is never closed");
    assert_eq!(error("\n \n", &ab), "t.csv: contains no records");
    assert!(error("a\rb\r", &ab).contains("CR alone"));
    let time = read_text("t\n2025-02-30\n", &schema(&[("t", Kind::Time)]), &ReadOptions::default()).unwrap_err();
    assert!(time.to_string().contains(r#""2025-02-30" is not a time"#), "{time}");
    let latin = read_cut(b"a,b\n1,2\n3,\xe94\n", &schema(&ab), &ReadOptions::default(), Sizes::default()).unwrap_err();
    assert!(latin.to_string().starts_with("t.csv: line 3: byte 0xe9 is not UTF-8"), "{latin}");
}

#[test]
fn rejected_rows_leave_no_trace() {
    let text = "a,b\n1,x\nbad,only here\n2\n3,\"y\nz\"\n?,x\n4,\"open\n";
    let result = read_text(text, &schema(&[("a", Kind::Number), ("b", Kind::Category)]), &skipping()).unwrap();
    assert_eq!(result.table.n_rows(), 3);
    let Values::Category(b) = &result.table.columns()[1].values else { panic!() };
    assert_eq!(b.levels.to_vec(), ["x", "y\nz"]);
    let lines: Vec<(u64, Option<&str>)> = result.rejects.first.iter().map(|r| (r.line, r.column.as_deref())).collect();
    assert_eq!(lines, [(3, Some("a")), (4, None), (8, None)]);
    assert_eq!(result.rejects.count, 3);
}

#[test]
fn optional_and_chosen_columns() {
    let all = schema(&[("a", Kind::Number), ("skip", Kind::Ignore), ("b", Kind::Number), ("y", Kind::Category)]);
    let optional = ReadOptions { optional: vec!["y".to_owned()], ..ReadOptions::default() };
    let table = read_text("a,b\n1,2\n", &all, &optional).unwrap().table;
    assert_eq!(table.columns().len(), 2);
    let only = ReadOptions { columns: Some(vec!["b".to_owned()]), ..ReadOptions::default() };
    // Columns not requested are not parsed.
    let table = read_text("a,b\nx,2\n", &all, &only).unwrap().table;
    assert_eq!(table.columns().len(), 1);
    let unknown = ReadOptions { columns: Some(vec!["z".to_owned()]), ..ReadOptions::default() };
    assert!(matches!(read_text("a,b\n", &all, &unknown), Err(TableError::NoColumn { .. })));
}

#[test]
fn without_a_header_fields_go_by_position() {
    let mut all = schema(&[("age", Kind::Number), ("y", Kind::Category), ("job", Kind::Category)]);
    all.dialect.header = false;
    let optional = ReadOptions { optional: vec!["y".to_owned()], ..ReadOptions::default() };
    let full = read_text("39, no, clerk\n", &all, &optional).unwrap().table;
    assert_eq!(full.columns().len(), 3);
    let scored = read_text("39, clerk\n", &all, &optional).unwrap().table;
    let Values::Category(job) = &scored.require("job").unwrap().values else { panic!() };
    assert_eq!(job.level(0), Some("clerk"));
    let error = read_text("39\n", &all, &optional).unwrap_err().to_string();
    assert!(error.contains("1 fields per record, but the schema has 3"), "{error}");
}

#[test]
fn a_last_record_filled_up_with_blanks_is_truncated() {
    let mut text = "a,b,c,d,e,y\n".to_owned();
    for i in 0..200 {
        text.push_str(&format!("{i},1,2,3,4,5\n"));
    }
    let columns = [("a", Kind::Number), ("y", Kind::Number)];
    let whole = read_text(&text, &schema(&columns), &ReadOptions::default()).unwrap();
    assert_eq!(whole.table.n_rows(), 200);
    text.push_str("200,1,2,,,\n");
    let found = error(&text, &columns);
    assert!(
        found.starts_with("t.csv: line 202: the last record looks truncated: its last 3 fields (d to y)"),
        "{found}"
    );
    let result = read_text(&text, &schema(&columns), &skipping()).unwrap();
    assert_eq!((result.table.n_rows(), result.rejects.first[0].line), (200, 202));
    // A short file may end like that by chance.
    let short = text.replace("199,1,2,3,4,5\n", "").replace("198,1,2,3,4,5\n", "");
    assert_eq!(read_text(&short, &schema(&columns), &ReadOptions::default()).unwrap().table.n_rows(), 199);
    // If such rows are common, they are missing values.
    let usual = text.replace(",1,2,3,4,5\n", ",1,2,,,\n");
    assert_eq!(read_text(&usual, &schema(&columns), &ReadOptions::default()).unwrap().table.n_rows(), 201);
}

#[test]
fn a_record_larger_than_a_block_is_read_whole() {
    let long = "x".repeat(5000);
    let text = format!("a,b\n1,\"{long}\n\"\n2,y\n");
    let columns = schema(&[("a", Kind::Number), ("b", Kind::Text)]);
    let table =
        read_cut(text.as_bytes(), &columns, &ReadOptions::default(), Sizes { block: 16, piece: 4 }).unwrap().table;
    let Values::Text(b) = &table.columns()[1].values else { panic!() };
    assert_eq!(b.get(0), format!("{long}\n"));
    assert_eq!(b.get(1), "y");
}

#[test]
fn lines_of_delimiters_are_rows_unless_no_row_follows() {
    let ab = schema(&[("a", Kind::Number), ("b", Kind::Category)]);
    let gone = ",\n , \r\n\n".repeat(40);
    let text = format!("a,b\n{gone}1,x\n{gone}2,\n{gone}");
    // Pieces and blocks may end anywhere in the rows.
    for block in [8, 64, 1 << 16] {
        let found = read_cut(text.as_bytes(), &ab, &ReadOptions::default(), Sizes { block, piece: 4 }).unwrap();
        let Values::Number(a) = &found.table.columns()[0].values else { panic!() };
        let known: Vec<(usize, f64)> = a.iter().copied().enumerate().filter(|(_, a)| !a.is_nan()).collect();
        assert_eq!((a.len(), known), (162, vec![(80, 1.0), (161, 2.0)]), "block of {block}");
        assert_eq!(found.notes, ["the last 80 lines, from line 244 on, have no cells; left out"]);
    }
    let one = read_text("a,b\n1,x\n;\n,\n".replace(";\n", "").as_str(), &ab, &ReadOptions::default()).unwrap();
    assert_eq!(one.notes, ["line 3, the last one, has no cells; left out"]);
}

/// Contents that survive trimming; quotes, delimiters and line feeds included.
fn content() -> impl Strategy<Value = String> {
    "([a-c\"é,;\n0-9]( ?[a-c\"é,;\n0-9]){0,6})?"
}

/// Records that are rows: not empty in every field, and not the names of the columns.
fn records() -> impl Strategy<Value = Vec<[String; 3]>> {
    prop::collection::vec([content(), content(), content()].prop_filter("a row", is_row), 0..20)
}

fn is_row(record: &[String; 3]) -> bool {
    let mut sorted = record.clone();
    sorted.sort_unstable();
    record.iter().any(|cell| !cell.is_empty()) && sorted != ["a", "b", "c"]
}

fn written(records: &[[String; 3]], style: csv::QuoteStyle, ending: csv::Terminator) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().quote_style(style).terminator(ending).from_writer(Vec::new());
    writer.write_record(["a", "b", "c"]).unwrap();
    for record in records {
        writer.write_record(record).unwrap();
    }
    writer.into_inner().unwrap()
}

fn texts() -> Schema {
    let mut schema = schema(&[("a", Kind::Text), ("b", Kind::Category), ("c", Kind::Id)]);
    schema.dialect.missing = vec![String::new()];
    schema
}

fn rows(result: &ReadResult) -> Vec<[String; 3]> {
    let columns = result.table.columns();
    let cell = |column: usize, row: usize| match &columns[column].values {
        Values::Text(texts) => texts.get(row).to_owned(),
        Values::Category(categories) => categories.level(row).unwrap_or_default().to_owned(),
        _ => panic!("texts only"),
    };
    (0..result.table.n_rows()).map(|row| [cell(0, row), cell(1, row), cell(2, row)]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read(records in records(), crlf: bool, always: bool) {
        let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let ending = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let text = written(&records, style, ending);
        let result = read_cut(&text, &texts(), &ReadOptions::default(), Sizes { block: 50, piece: 7 }).unwrap();
        prop_assert_eq!(rows(&result), records);
    }

    #[test]
    fn any_cut_gives_the_same_table(records in records(), block in 1_usize..200, piece in 1_usize..60, skip: bool, noise in "[ab,\"\n]{0,12}") {
        let mut text = written(&records, csv::QuoteStyle::Necessary, csv::Terminator::Any(b'\n'));
        text.extend_from_slice(noise.as_bytes());
        let options = ReadOptions { skip_invalid: skip, ..ReadOptions::default() };
        let whole = read_cut(&text, &texts(), &options, Sizes::default());
        let cut = read_cut(&text, &texts(), &options, Sizes { block, piece });
        match (whole, cut) {
            (Ok(whole), Ok(cut)) => {
                prop_assert_eq!(whole.table, cut.table);
                prop_assert_eq!(whole.rejects, cut.rejects);
            }
            (Err(whole), Err(cut)) => prop_assert_eq!(whole.to_string(), cut.to_string()),
            (whole, cut) => prop_assert!(false, "{:?} {:?}", whole, cut),
        }
    }

    #[test]
    fn agrees_with_the_csv_crate(records in prop::collection::vec([raw(), raw(), raw()].prop_filter("a row", is_row), 0..8)) {
        let text: String = records.iter().map(|r| r.join(",") + "\n").collect();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let expected: Vec<Vec<String>> =
            reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
        let result = read_text(&format!("a,b,c\n{text}"), &texts(), &ReadOptions::default()).unwrap();
        let found: Vec<Vec<String>> = rows(&result).into_iter().map(Vec::from).collect();
        prop_assert_eq!(found, expected);
    }
}

/// Fields as found in files: unquoted ones with stray quotes, quoted ones with text after the closing quote.
fn raw() -> impl Strategy<Value = String> {
    "[ab][ab\"]{0,4}|\"([ab,\n]|\"\"){0,5}\"[ab]{0,2}|"
}

#[test]
fn what_is_no_row_is_left_out_or_named() {
    let ab = schema(&[("a", Kind::Number), ("b", Kind::Category), ("c", Kind::Category)]);
    let numbers = |text: &str, schema: &Schema| {
        let result = read_text(text, schema, &ReadOptions::default()).unwrap();
        let Values::Number(a) = &result.table.columns()[0].values else { panic!() };
        (a.clone(), result.notes)
    };
    // Concatenated files with headers; the second begins with a byte order mark, or quotes its names.
    let again = "a,b,c\n1,x,p\n\u{feff}a,b,c\n2,y,p\n\"a\", \"b\",c\n3,z,p\nA,B,C\n4,x,p\n";
    let (found, notes) = numbers(again, &ab);
    assert_eq!(found, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(notes, ["repeated header on 3 lines, first on line 3; left out"]);
    assert_eq!(numbers("sep=;\na;b;c\n1;x,y;p\n", &ab).0, [1.0]);
    let mut titled = ab.clone();
    (titled.dialect.skip_lines, titled.dialect.comment) = (2, Some('#'));
    for text in ["Title\n\na,b,c\n1,x,p\n# b\n2,y,p\n", "a,b,c\n1,x,p\n2,y,p\n"] {
        assert_eq!(numbers(text, &titled).0, [1.0, 2.0], "{text}");
    }
    // Both in one file: each is removed, but no other row.
    let mixed = "a,b,c\n1,x,p\nb,a,c\n2,y,p\na,b,c\n3,z,p\n";
    let options = ReadOptions { skip_invalid: true, ..ReadOptions::default() };
    let kept = read_text(mixed, &ab, &options).unwrap();
    let Values::Number(a) = &kept.table.columns()[0].values else { panic!() };
    assert_eq!((a.as_slice(), kept.rejects.count), (&[1.0, 2.0, 3.0][..], 1));
    assert_eq!(kept.notes, ["line 5: repeated header; left out"]);
    let other = "a,b,c\n1,x,p\na,B,C\n";
    assert_eq!(numbers(other, &ab).0, [1.0]);
    let names = [("a", Kind::Number), ("b", Kind::Category), ("c", Kind::Category)];
    let late = error("Title\n\na,b,c\n1,x,p\n", &names);
    assert!(late.contains("the header is on line 3") && late.contains("skip_lines = 2"), "{late}");
    let total = error("a,b,c\n1,x,p\n2,y,q\n,Total:,\n", &names);
    assert_eq!(numbers("a,b,c\n1,x,p\n2,total,q\n,total,\n", &ab).0.len(), 3, "a level that stands above too");
    assert!(total.contains("line 4: looks like a total"), "{total}");
    let shifted = "a,b,c\n".to_owned() + &"1,x,y,z\n".repeat(20);
    let shifted = read_text(&shifted, &ab, &ReadOptions::default()).unwrap_err();
    assert!(matches!(shifted, TableError::File { .. }) && shifted.to_string().contains("most records"), "{shifted}");
}
