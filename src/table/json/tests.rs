use super::*;
use crate::table::{InferOptions, Input, Kind, ReadOptions, infer, read, stream};

const LINES: &str = "{\"id\": \"a\", \"amount\": 1.5, \"ok\": true}\n\n{\"id\": \"b, c\", \"note\": \"x \\\"y\\\"\", \"ok\": null}\n{\"amount\": 9007199254740993, \"id\": \"c\"}\n";

fn open(text: &str) -> Input {
    Input::from_reader("t.jsonl", io::Cursor::new(text.to_owned()))
}

#[test]
fn objects_are_rows() {
    let found = infer(open(LINES), &InferOptions::default()).unwrap();
    let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((names, found.n_rows), (vec!["id", "amount", "ok", "note"], 3));
    assert_eq!(found.schema.column("amount").unwrap().kind, Kind::Category, "2^53 + 1 is no number");
    let table = read(open(LINES), &found.schema, &ReadOptions::default()).unwrap().table;
    let mut out = Vec::new();
    push_json_lines(&mut out, &table, &[]);
    let back: Vec<Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(back[1]["id"], "b, c");
    assert_eq!(
        (&back[1]["note"], &back[1]["amount"], &back[2]["amount"]),
        (&"x \"y\"".into(), &Value::Null, &"9007199254740993".into())
    );
    for (text, what) in [("{\"a\": 1}\n[1]\n", "line 2: is not a JSON object"), ("{\"a\": 1}\n{\"a\":\n", "line 2")] {
        let error = infer(open(text), &InferOptions::default()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn what_python_writes_is_read() {
    let text = "{\"id\": \"NaN \\\"Infinity\", \"x\": NaN, \"o\": {\"a\": 1, \"p\": {\"q\": -Infinity}}}\n\
                {\"id\": \"b\", \"x\": 2.5, \"o\": {\"a\": 2, \"p\": {\"q\": Infinity}}, \"l\": [NaN, 1]}\n{\"id\": \"c\", \"x\": 3, \"o.a\": 7, \"o.p.q\": 0}\n";
    let found = infer(open(text), &InferOptions::default()).unwrap();
    let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "x", "o.a", "o.p.q", "l"]);
    let table = read(open(text), &found.schema, &ReadOptions::default()).unwrap().table;
    let numbers = |name: &str| match &table.require(name).unwrap().values {
        Values::Number(values) => values.clone(),
        other => panic!("{other:?}"),
    };
    assert!(numbers("x")[0].is_nan());
    assert_eq!((numbers("o.a"), numbers("o.p.q")), (vec![1.0, 2.0, 7.0], vec![f64::NEG_INFINITY, f64::INFINITY, 0.0]));
    let Values::Category(ids) = &table.require("id").unwrap().values else { panic!() };
    assert_eq!(ids.level(0), Some("NaN \"Infinity"));
    for (text, what) in [
        ("[\"r0\", 0.5, \"yes\"]\n[\"r1\", 1.5, \"no\"]\n", "has a JSON array on each line"),
        ("[{\"a\": 1}]\n", "is one JSON array"),
        ("[\n{\"a\": 1}\n]\n", "is one JSON array"),
        ("{\"a\": Nan}\n", "line 1: is not a JSON object"),
        ("{\"a\": 1}\n{\"a\": 1, \"b\": 2, \"a\": 3}\n", "line 2: is not a JSON object: the key \"a\" occurs twice"),
        ("{\"o\": {\"p\": 1, \"p\": NaN}}\n", "line 1: is not a JSON object: the key \"p\" occurs twice"),
        ("{\"o\": {\"p\": 1}, \"o.p\": 2}\n", "line 1: has the key \"o.p\" twice"),
    ] {
        let error = infer(open(text), &InferOptions::default()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_key_that_no_line_has_is_missing_in_every_row() {
    let schema = infer(open(LINES), &InferOptions::default()).unwrap().schema;
    let options = ReadOptions::default();
    let found = read(open("{\"id\": \"a\", \"amount\": 2}\n{\"id\": \"b\"}\n"), &schema, &options).unwrap();
    assert_eq!(found.notes, ["no line has the keys ok, note, which are taken as missing in every row"]);
    let note = found.table.require("note").unwrap();
    assert_eq!((found.table.n_rows(), note.values.is_missing(0), note.values.is_missing(1)), (2, true, true));
    let only = ReadOptions { columns: Some(vec!["amount".to_owned()]), ..ReadOptions::default() };
    assert!(read(open("{\"id\": \"a\", \"amount\": 2}\n"), &schema, &only).unwrap().notes.len() <= 1);
    // Another table, and a misspelled key.
    for text in ["{\"x\": 1}\n", "{\"id\": \"a\", \"amuont\": 2, \"ok\": true, \"note\": \"\"}\n"] {
        let error = read(open(text), &schema, &options).unwrap_err().to_string();
        assert!(error.contains("amount"), "{error}");
    }
}

#[test]
fn numbers_are_numbers_however_the_column_is_written() {
    let mut schema = infer(open("{\"x\": 1.5}\n{\"x\": 2}\n"), &InferOptions::default()).unwrap().schema;
    schema.columns[0].number = Some(NumberFormat { decimal: ',', thousands: Some('.'), unit: None });
    schema.dialect.delimiter = ';';
    let text = "{\"x\": 1.234}\n{\"x\": \"1.234\"}\n{\"x\": \"1,5\"}\n";
    let options = ReadOptions::default();
    let mut batches = stream(open(text), &schema, &options).unwrap();
    let batch = batches.next().unwrap().unwrap();
    assert_eq!(batch.table.columns()[0].values, Values::Number(vec![1.234, 1234.0, 1.5]));
    // The record is in the workspace's own notation, so that the log can be read back.
    assert_eq!(batch.raw.get(0), b"\"1,234\"");
    let error = read(open("{\"x\": 1}\n{\"x\": \"1,234.5\"}\n"), &schema, &options).unwrap_err().to_string();
    assert!(error.contains("line 2, column \"x\""), "{error}");
}
