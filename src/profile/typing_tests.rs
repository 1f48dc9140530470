//! The two ways to infer a schema agree: from the beginning of a table while it is profiled, and from the whole table
//! before.

use super::*;
use crate::atomic;
use crate::table::{InferOptions, Input, ReadOptions, Schema, Spelling, Spool, infer};
use std::fmt::Write as _;
use std::path::Path;

/// Enough rows that the beginning, 256 kB, is a small part.
const ROWS: usize = 5_000;
/// A row far beyond it.
const LATE: usize = ROWS - 7;

type Cell<'a> = &'a dyn Fn(usize) -> String;
type Column = (&'static str, Box<dyn Fn(usize) -> String>, Kind);
type Answer = Result<(Schema, Profile), String>;

/// The types inferred from the beginning of a table, and from all of it.
fn quick(path: &Path, options: &InferOptions) -> Answer {
    let found = Spool::new(path).map_err(ProfileError::from).and_then(|table| profile_unknown(&table, options, false));
    found.map(|(schema, found)| (schema, found.profile)).map_err(|err| err.to_string())
}

fn full(path: &Path, options: &InferOptions) -> Answer {
    let open = || Input::open(path).map_err(|err| err.to_string());
    let schema = infer(open()?, options).map_err(|err| err.to_string())?.schema;
    let read = ReadOptions { skip_invalid: options.skip_invalid, ..ReadOptions::default() };
    let found = profile_input(open()?, &schema, read, false, None).map_err(|err| err.to_string())?;
    Ok((schema, found.profile))
}

/// The known levels depend on the number of rows read, not on the kinds of columns.
fn without_levels((mut schema, profile): (Schema, Profile)) -> (Schema, Profile) {
    schema.columns.iter_mut().for_each(|column| column.spelling = Spelling::default());
    (schema, profile)
}

/// Writes a table whose middle column is of this kind and returns the results of both ways.
fn both(dir: &Path, (name, cell): (&str, Cell<'_>), options: &InferOptions) -> Answer {
    let mut text = format!("amount,{name},plan\n");
    for row in 0..ROWS {
        let plan = ["the basic plan by the month", "the larger plan by the month", "the largest by the year"][row % 3];
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}.{:03},{},{plan:>100}", row * 7919 % 1013, row % 1000, cell(row));
    }
    let path = dir.join("t.csv");
    atomic::replace(&path, |out| out.write_all(text.as_bytes())).unwrap();
    assert!(text.len() > 2 * (256 << 10), "{name}: {} bytes", text.len());
    let (quick, full) = (quick(&path, options), full(&path, options));
    let [quick, full] = [quick, full].map(|answer| answer.map(without_levels));
    assert!(quick == full, "{name}\n{:?}\n{:?}", quick.map(|a| a.0), full.map(|a| a.0));
    full
}

/// Columns of one type from beginning to end, and columns whose last rows change it.
fn columns() -> Vec<Column> {
    fn column(name: &'static str, early: impl Fn(usize) -> String + 'static, late: &'static str, kind: Kind) -> Column {
        let cell = move |row: usize| if row == LATE && late != "=" { late.to_owned() } else { early(row) };
        (name, Box::new(cell), kind)
    }
    let number = |row: usize| format!("{}.5", row % 977);
    let whole = |row: usize| (row * 31 % 997).to_string();
    let code = |row: usize| format!("k{row}");
    let word = |row: usize| ["red", "green", "blue"][row % 3].to_owned();
    let day = |row: usize| format!("2025-{:02}-{:02}", row % 12 + 1, row % 28 + 1);
    let either = |row: usize| format!("{:02}/{:02}/2025", row % 12 + 1, row % 12 + 1);
    vec![
        column("x", number, "=", Kind::Number),
        column("x", number, "", Kind::Number),
        column("x", number, "?", Kind::Number),
        column("x", number, "red", Kind::Category),
        column("x", number, "007", Kind::Category),
        column("x", whole, "0.25", Kind::Number),
        column("x", whole, "1e400", Kind::Number),
        column("flag", |row| (row % 2).to_string(), "2", Kind::Number),
        column("flag", |row| (row % 2).to_string(), "yes", Kind::Category),
        column("x", |_| "1".to_owned(), "=", Kind::Constant),
        column("x", |_| "1".to_owned(), "2", Kind::Number),
        column("x", |_| "on".to_owned(), "off", Kind::Category),
        column("x", |_| String::new(), "=", Kind::Constant),
        column("x", |_| String::new(), "3", Kind::Number),
        column("id", code, "=", Kind::Id),
        column("id", code, "k1", Kind::Id),
        column("id", |row| row.to_string(), "=", Kind::Id),
        column("id", |row| row.to_string(), "1", Kind::Id),
        column("row", |row| (row + 1).to_string(), "0.5", Kind::Number),
        column("colour", word, "=", Kind::Category),
        column("colour", word, "12", Kind::Category),
        column(
            "colour",
            move |row| if row < ROWS / 2 { word(row) } else { format!("shade {row}") },
            "=",
            Kind::Category,
        ),
        column("colour", move |row| format!("c{}", row * 63 / ROWS), "=", Kind::Category),
        column("colour", move |row| format!("c{}", row * 600 / ROWS), "=", Kind::Category),
        column("note", |row| format!("a note of row {row}"), "=", Kind::Text),
        column("when", day, "=", Kind::Time),
        column("when", day, "soon", Kind::Category),
        column("when", either, "25/12/2025", Kind::Time),
        column("when", either, "12/25/2025", Kind::Time),
        column("time", |row| (1_700_000_000 + row * 60).to_string(), "=", Kind::Time),
        column("time", |row| (1_700_000_000 + row * 60).to_string(), "-1", Kind::Number),
    ]
}

#[test]
fn both_ways_type_a_table_alike() {
    let dir = tempfile::tempdir().unwrap();
    let mut odd = Vec::new();
    for (i, (name, cell, kind)) in columns().iter().enumerate() {
        let (schema, _) = both(dir.path(), (name, cell), &InferOptions::default()).unwrap();
        let found = schema.column(name).map(|c| c.kind);
        if found != Some(*kind) {
            odd.push(format!("{i} {name} {}: {found:?}, not {kind:?}", cell(LATE)));
        }
    }
    assert!(odd.is_empty(), "{odd:#?}");
}

#[test]
fn both_ways_refuse_a_table_alike() {
    let dir = tempfile::tempdir().unwrap();
    let late =
        |cell: &'static str| move |row: usize| if row == LATE { cell.to_owned() } else { (row % 50).to_string() };
    for cell in ["1,2", "\"open", "1\n2"] {
        let refused = both(dir.path(), ("x", &late(cell)), &InferOptions::default()).unwrap_err();
        assert!(refused.contains("line"), "{refused}");
        let skipping = InferOptions { skip_invalid: true, ..InferOptions::default() };
        let (schema, profile) = both(dir.path(), ("x", &late(cell)), &skipping).unwrap();
        assert_eq!(schema.column("x").map(|c| c.kind), Some(Kind::Number));
        assert!(profile.n_rows < ROWS as u64 && profile.n_rows >= LATE as u64, "{}", profile.n_rows);
    }
}
