//! Columns that are only passed on keep their types and values in the formats that know types.

use crate::support::{Loop, YES};
use serde_json::Value;

#[cfg(feature = "parquet")]
#[test]
fn columns_of_parquet_keep_their_types() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let work = Loop::new();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tables/types.parquet");
    std::fs::copy(fixture, work.path("types.parquet")).unwrap();
    work.run("init types.parquet --target double").answers(YES);
    work.run("train").answers(YES);
    work.run("predict types.parquet -o scored.parquet").answers(YES);
    let open = |name: &str| SerializedFileReader::new(std::fs::File::open(work.path(name)).unwrap()).unwrap();
    // By column: what it is, and all of its cells.
    let columns = |name: &str| -> Vec<(String, String, Vec<String>)> {
        let reader = open(name);
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let leaves = reader.metadata().file_metadata().schema_descr().columns().to_vec();
        let flat = leaves.iter().filter(|leaf| leaf.max_rep_level() == 0);
        let cells = |name: &str| {
            let cell = |row: &parquet::record::Row| {
                row.get_column_iter().find(|(column, _)| *column == name).map(|(_, cell)| format!("{cell:?}"))
            };
            rows.iter().map(|row| cell(row).unwrap()).collect()
        };
        let told = |leaf: &parquet::schema::types::ColumnDescPtr| {
            let kind = format!("{} {:?} {:?}", leaf.physical_type(), leaf.logical_type_ref(), leaf.converted_type());
            (leaf.name().to_owned(), kind, cells(leaf.name()))
        };
        flat.map(told).collect()
    };
    let (before, after) = (columns("types.parquet"), columns("scored.parquet"));
    assert_eq!(after.last().unwrap().0, "prediction");
    assert_eq!(before, after[..before.len()]);
    // Rows that are left out leave no cell behind, and no row still has all types.
    work.run("predict types.parquet --columns day,price,prediction -o two.parquet").answers(YES);
    let two = columns("two.parquet");
    assert_eq!(
        (&two[0], &two[1]),
        (after.iter().find(|c| c.0 == "day").unwrap(), after.iter().find(|c| c.0 == "price").unwrap())
    );
    // JSON has numbers and booleans, not days.
    let lines = work.run("predict types.parquet --json").answers(YES);
    let row: Value = serde_json::from_str(lines.stdout.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&row["flag"], &row["large"]), (&Value::Bool(false), &Value::from(9_007_199_254_740_994_i64)));
    assert!(row["day"].is_string() && row["id"].is_string(), "{row}");
}

#[test]
fn values_of_json_lines_stay_such() {
    let row = |i: u32| {
        let note = if i.is_multiple_of(2) { "\"true\"" } else { "false" };
        format!(
            "{{\"id\":{},\"b\":{},\"code\":\"{:03}\",\"mixed\":{note},\"x\":{}.5,\"y\":\"{}\"}}\n",
            1000 + i,
            i.is_multiple_of(3),
            i % 20,
            i * 7 % 40,
            if i * 7 % 40 > 20 { "yes" } else { "no" }
        )
    };
    let rows: String = (0..200).map(row).collect();
    let work = Loop::new().table("t.jsonl", &rows);
    work.run("init t.jsonl --target y --kind id=id").answers(YES);
    work.run("train").answers(YES);
    let said = work.run("predict t.jsonl --json").answers(YES);
    for (before, after) in rows.lines().zip(said.stdout.lines()) {
        let (before, after): (Value, Value) =
            (serde_json::from_str(before).unwrap(), serde_json::from_str(after).unwrap());
        for name in ["id", "b", "code", "x", "y"] {
            assert_eq!(before[name], after[name], "{name} of {after}");
        }
        // Where texts look like booleans, all are texts.
        assert!(after["mixed"].is_string(), "{after}");
    }
}

/// Texts of digits stay texts, and booleans and numbers what they are, whether the model reads them or not.
#[cfg(feature = "parquet")]
#[test]
fn values_of_json_lines_have_their_types_in_parquet() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let row = |i: u32| {
        let ok = if i == 7 { "null".to_owned() } else { i.is_multiple_of(3).to_string() };
        format!(
            "{{\"id\":\"{}\",\"ok\":{ok},\"code\":\"{}\",\"n\":{i},\"wide\":{},\"x\":{}.5,\"y\":\"{}\"}}\n",
            10_000 + i,
            1000 + i % 7,
            9_007_199_254_740_993_u64 + u64::from(i),
            i * 7 % 40,
            if i * 7 % 40 > 20 { "yes" } else { "no" }
        )
    };
    let rows: String = (0..200).map(row).collect();
    let work = Loop::new().table("t.jsonl", &rows);
    work.run("init t.jsonl --target y --kind id=id --ignore n").answers(YES);
    work.run("train").answers(YES);
    work.run("predict t.jsonl -o scored.parquet").answers(YES);
    let reader = SerializedFileReader::new(std::fs::File::open(work.path("scored.parquet")).unwrap()).unwrap();
    let cells = |row: usize| -> Vec<Field> {
        let row = reader.get_row_iter(None).unwrap().nth(row).unwrap().unwrap();
        row.into_columns().into_iter().take(6).map(|(_, cell)| cell).collect()
    };
    let text = |text: &str| Field::Str(text.to_owned());
    let wide = text("9007199254740996");
    assert_eq!(
        cells(3),
        [text("10003"), Field::Bool(true), text("1003"), Field::Double(3.0), wide, Field::Double(21.5)]
    );
    assert_eq!(cells(7)[1], Field::Null);
    // The file is read like the lines, and lines are written as they came.
    let said = work.run("predict t.jsonl --json").answers(YES).stdout;
    let first: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!((&first["code"], &first["id"], &first["ok"]), (&"1000".into(), &"10000".into(), &true.into()));
    let score = |name: &str| work.run(&format!("predict {name} --columns id,score")).answers(YES).stdout;
    assert_eq!(score("scored.parquet"), score("t.jsonl"));
}
