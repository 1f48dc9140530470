use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::data_type::{FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;

use crate::table::{
    Column, InferOptions, Input, Kind, ReadOptions, Schema, Table, Values, infer, read, stream, write_rows,
};

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/tables").join(name);
    let mut bytes = Vec::new();
    std::fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn open(bytes: &[u8]) -> Input {
    Input::from_reader("t.parquet", Cursor::new(bytes.to_vec()))
}

fn schema(bytes: &[u8]) -> Schema {
    infer(open(bytes), &InferOptions::default()).unwrap().schema
}

fn numbers(table: &Table, name: &str) -> Vec<f64> {
    match &table.require(name).unwrap().values {
        Values::Number(values) => values.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn every_type_is_read_as_it_was_written() {
    for name in ["types.parquet", "types_v2.parquet"] {
        let bytes = fixture(name);
        let schema = schema(&bytes);
        let kind = |column: &str| schema.column(column).unwrap().kind;
        assert_eq!((kind("id"), kind("flag"), kind("level")), (Kind::Id, Kind::Category, Kind::Category));
        assert_eq!((kind("day"), kind("ms"), kind("us"), kind("ns")), (Kind::Time, Kind::Time, Kind::Time, Kind::Time));
        let table = read(open(&bytes), &schema, &ReadOptions::default()).unwrap().table;
        assert_eq!(table.n_rows(), 500);
        for (column, value) in
            [("small", -1.0), ("unsigned", 4_294_967_294.0), ("single", 0.25), ("double", 0.1), ("price", -62.25)]
        {
            let values = numbers(&table, column);
            assert_eq!(values[1], value, "{column}");
            assert!(values[3].is_nan() && values[493].is_nan() && !values[492].is_nan(), "{column}");
        }
        for column in ["ms", "us", "ns"] {
            let Values::Time(times) = &table.require(column).unwrap().values else { panic!() };
            assert_eq!(times[1], 1_738_328_400_001_000, "{column}");
            assert!(table.require(column).unwrap().values.is_missing(3));
        }
        let Values::Time(days) = &table.require("day").unwrap().values else { panic!() };
        assert_eq!(days[0], 1_738_281_600_000_000);
        let Values::Category(level) = &table.require("level").unwrap().values else { panic!() };
        assert_eq!((level.level(499), level.levels.len()), (Some("Fiber, fast"), 3));
        let Values::Category(flag) = &table.require("flag").unwrap().values else { panic!() };
        assert_eq!((flag.level(0), flag.level(1), flag.level(3)), (Some("true"), Some("false"), None));
    }
}

#[test]
fn nested_columns_are_left_out_with_a_note() {
    let found = infer(open(&fixture("types.parquet")), &InferOptions::default()).unwrap();
    assert!(found.schema.column("list").is_none());
    assert_eq!(found.notes[0], "ignored nested or unusual columns: list.list.element");
    // The three are the same times in different units.
    assert_eq!(found.notes[1], "columns ms and us are equal in every row");
}

/// A file with a byte column without a declared text type, and a column of numbers.
fn of_bytes(cells: [&'static [u8]; 2]) -> Vec<u8> {
    use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use ::parquet::file::{properties::WriterProperties, writer::SerializedFileWriter};
    let schema = "message m { required binary raw; required int64 x; }";
    let schema = ::parquet::schema::parser::parse_message_type(schema).unwrap();
    let mut out = Vec::new();
    let properties = WriterProperties::builder().build();
    let mut file = SerializedFileWriter::new(&mut out, schema.into(), properties.into()).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&cells.map(ByteArray::from), None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[1, 2], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    file.close().unwrap();
    out
}

#[test]
fn bytes_that_are_no_text_are_left_out_with_a_note() {
    let found = infer(open(&of_bytes([b"\xff\xfe", b"a"])), &InferOptions::default()).unwrap();
    assert_eq!(found.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["x"]);
    assert_eq!(found.notes[0], "ignored nested or unusual columns: raw");
    // Older writers do not declare texts as such.
    let found = infer(open(&of_bytes([b"b", b"a"])), &InferOptions::default()).unwrap();
    assert_eq!(found.columns.len(), 2);
}

#[test]
fn large_integers_stay_exact_as_ids() {
    let bytes = fixture("types_v2.parquet");
    let mut schema = schema(&bytes);
    schema.columns.retain(|c| c.name == "large");
    schema.columns[0].kind = Kind::Id;
    let table = read(open(&bytes), &schema, &ReadOptions::default()).unwrap().table;
    let Values::Text(large) = &table.columns()[0].values else { panic!() };
    assert_eq!(large.get(0), "9007199254740993");
}

#[test]
fn the_stream_gives_the_same_rows_and_their_records() {
    let bytes = fixture("types.parquet");
    let schema = schema(&bytes);
    let table = read(open(&bytes), &schema, &ReadOptions::default()).unwrap().table;
    let options = ReadOptions::default();
    let mut batches = stream(open(&bytes), &schema, &options).unwrap();
    assert!(batches.header().unwrap().starts_with(b"id,small,large"));
    let (mut start, mut records) = (0, Vec::new());
    for batch in batches.by_ref() {
        let batch = batch.unwrap();
        let rows: Vec<u32> = (start..start + batch.table.n_rows() as u32).collect();
        start += batch.table.n_rows() as u32;
        for (streamed, whole) in batch.table.columns().iter().zip(table.take(&rows).columns()) {
            assert_eq!(text(streamed, &schema), text(whole, &schema), "{}", whole.name);
        }
        (0..batch.raw.len()).for_each(|row| records.push(String::from_utf8(batch.raw.get(row).to_vec()).unwrap()));
    }
    assert_eq!((start, records.len()), (500, 500));
    assert_eq!(
        records[1],
        "k0001,-1,9007199254740994,4294967294,0.25,0.1,false,\"Fiber, fast\",2025-01-31,2025-01-31T13:00:00.001000Z,\
         2025-01-31T13:00:00.001000Z,2025-01-31T13:00:00.001000Z,-62.25"
    );
}

fn text(column: &Column, schema: &Schema) -> String {
    let mut out = Vec::new();
    write_rows(&mut out, &Table::new(vec![column.clone()]).unwrap(), schema).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn rows_that_do_not_fit_are_named_or_skipped() {
    let bytes = fixture("types.parquet");
    let mut schema = schema(&bytes);
    schema.columns.retain(|c| ["id", "level"].contains(&c.name.as_str()));
    schema.columns.iter_mut().for_each(|c| c.kind = if c.name == "level" { Kind::Number } else { Kind::Id });
    let error = read(open(&bytes), &schema, &ReadOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "t.parquet: line 1, column \"level\": \"DSL\" is not a number");
    let skipping = ReadOptions { skip_invalid: true, ..ReadOptions::default() };
    let result = read(open(&bytes), &schema, &skipping).unwrap();
    // Only the rows without a level remain.
    assert_eq!((result.table.n_rows(), result.rejects.count), (71, 429));
    assert_eq!(result.rejects.first[3].line, 5);
    let n: usize = stream(open(&bytes), &schema, &skipping).unwrap().map(|b| b.unwrap().raw.len()).sum();
    assert_eq!(n, 71);
}

#[test]
fn damaged_files_are_errors() {
    for name in ["types.parquet", "types_v2.parquet"] {
        let bytes = fixture(name);
        let schema = schema(&bytes);
        for len in [4, 5, 100, bytes.len() / 2, bytes.len() - 1] {
            let error = read(open(&bytes[..len]), &schema, &ReadOptions::default()).unwrap_err().to_string();
            assert!(error.contains("t.parquet: damaged or unusable Parquet file"), "{error}");
        }
        // Any one byte may be damaged: the result is a table or an error, without delay.
        for at in (0..bytes.len()).step_by(bytes.len() / 150) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0xff;
            let _ = read(open(&bytes), &schema, &ReadOptions::default());
        }
    }
}

/// A file of 20 rows with types that pandas and databases write.
fn made() -> Vec<u8> {
    let schema = "message t {
        required int64 big (INTEGER(64,false));
        required int64 small (INTEGER(64,false));
        required int32 ms (TIME(MILLIS,true));
        required int64 us (TIME(MICROS,false));
        required int64 ns (TIME(NANOS,true));
        required fixed_len_byte_array(16) key (DECIMAL(38,0));
        required int64 price (DECIMAL(18,2));
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let rows = || 0..20_i64;
    let seconds = |row: i64| row * 3661;
    let longs = |group: &mut SerializedRowGroupWriter<'_, Vec<u8>>, values: Vec<i64>| {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
    };
    longs(&mut group, rows().map(|row| i64::MIN + row).collect());
    longs(&mut group, rows().collect());
    let mut column = group.next_column().unwrap().unwrap();
    let ms: Vec<i32> = rows().map(|row| (seconds(row) * 1000) as i32).collect();
    column.typed::<Int32Type>().write_batch(&ms, None, None).unwrap();
    column.close().unwrap();
    longs(&mut group, rows().map(|row| seconds(row) * 1_000_000).collect());
    longs(&mut group, rows().map(|row| seconds(row) * 1_000_000_000 + 5_000).collect());
    let keys: Vec<FixedLenByteArray> =
        rows().map(|row| (10_i128.pow(30) + i128::from(row)).to_be_bytes().to_vec().into()).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<FixedLenByteArrayType>().write_batch(&keys, None, None).unwrap();
    column.close().unwrap();
    longs(&mut group, rows().map(|row| row * 25).collect());
    group.close().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn whole_numbers_of_any_length_and_times_of_day_are_what_csv_makes_of_them() {
    let bytes = made();
    let schema = schema(&bytes);
    let rows: String = (0..20_u64)
        .map(|row| {
            let (s, big) = (row * 3661, (1_u64 << 63) + row);
            let clock = format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
            format!(
                "{big},{row},{clock},{clock},{clock}.000005,{},{}\n",
                10_u128.pow(30) + u128::from(row),
                row as f64 / 4.0
            )
        })
        .collect();
    let csv = || Input::from_reader("t.csv", Cursor::new(format!("big,small,ms,us,ns,key,price\n{rows}")));
    let of_csv = infer(csv(), &InferOptions::default()).unwrap().schema;
    let kinds = |schema: &Schema| schema.columns.iter().map(|c| (c.kind, c.format.clone())).collect::<Vec<_>>();
    assert_eq!(kinds(&schema), kinds(&of_csv));
    assert_eq!((schema.columns[0].kind, schema.columns[2].format.as_deref()), (Kind::Id, Some("%H:%M:%S")));
    let options = ReadOptions::default();
    let table = read(open(&bytes), &schema, &options).unwrap().table;
    assert_eq!(table, read(csv(), &schema, &options).unwrap().table);
    let Values::Text(big) = &table.columns()[0].values else { panic!() };
    assert_eq!((big.get(0), big.get(19)), ("9223372036854775808", "9223372036854775827"));
    // A column that CSV wrote to the minute accepts them too.
    let mut minutes = schema.clone();
    minutes.columns.retain(|column| column.name == "us");
    minutes.columns[0].format = Some("%H:%M".to_owned());
    let by_minute = read(open(&bytes), &minutes, &options).unwrap().table;
    let Values::Time(times) = &by_minute.columns()[0].values else { panic!() };
    assert_eq!(times[1], 3_661_000_000);
    // The records of the stream are the same.
    let batch = stream(open(&bytes), &schema, &options).unwrap().next().unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(batch.raw.get(1)), rows.lines().nth(1).unwrap());
}
