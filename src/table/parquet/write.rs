//! Writes tables to Parquet: one row group per pushed table; numbers as doubles, times in microseconds UTC, and texts.
//! Columns from another file keep its types.

use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use ::parquet::errors::Result;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::{Type, TypePtr};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;

use super::stored::{Stored, StoredType};
use crate::table::{Column, Table, Values};

/// Writes tables of the same columns into one file.
pub struct ParquetWriter {
    writer: SerializedFileWriter<File>,
}

fn failed(err: ::parquet::errors::ParquetError) -> io::Error {
    io::Error::other(err)
}

impl ParquetWriter {
    /// Creates a file with the columns of `table`, without rows.
    ///
    /// # Errors
    /// I/O errors.
    pub fn new(table: &Table) -> io::Result<Self> {
        Self::passing(table, &[])
    }

    /// The same, but columns with a type in `types` are stored as in another file: their cells come with
    /// [`push_passing`](Self::push_passing), and their content in `table` is ignored.
    ///
    /// # Errors
    /// I/O errors.
    pub fn passing(table: &Table, types: &[Option<StoredType>]) -> io::Result<Self> {
        let typed = |(at, column): (usize, &Column)| match types.get(at) {
            Some(Some(stored)) => Ok(stored.field()),
            _ => field(column),
        };
        let fields = table.columns().iter().enumerate().map(typed);
        let fields = fields.collect::<Result<Vec<TypePtr>>>().map_err(failed)?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build().map_err(failed)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let writer = SerializedFileWriter::new(tempfile::tempfile()?, Arc::new(schema), Arc::new(properties));
        Ok(Self { writer: writer.map_err(failed)? })
    }

    /// Adds rows of the same columns.
    ///
    /// # Errors
    /// I/O errors.
    pub fn push(&mut self, table: &Table) -> io::Result<()> {
        self.push_passing(table, &[])
    }

    /// The same, with the cells of columns stored as in another file.
    ///
    /// # Errors
    /// I/O errors.
    pub fn push_passing(&mut self, table: &Table, stored: &[Option<&Stored>]) -> io::Result<()> {
        let mut write = || -> Result<()> {
            let mut group = self.writer.next_row_group()?;
            for (at, column) in table.columns().iter().enumerate() {
                if let Some(mut writer) = group.next_column()? {
                    match stored.get(at) {
                        Some(Some(stored)) => stored.write(&mut writer)?,
                        _ => push_column(&mut writer, &column.values)?,
                    }
                    writer.close()?;
                }
            }
            group.close()?;
            Ok(())
        };
        write().map_err(failed)
    }

    /// Completes the file and copies it to `out`.
    ///
    /// # Errors
    /// I/O errors.
    pub fn finish(self, out: &mut dyn Write) -> io::Result<()> {
        let mut file = self.writer.into_inner().map_err(failed)?;
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut file, out).map(drop)
    }
}

fn field(column: &Column) -> Result<TypePtr> {
    let (physical, logical) = match &column.values {
        Values::Number(_) => (Physical::DOUBLE, None),
        Values::Time(_) => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Values::Category(_) | Values::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let field = Type::primitive_type_builder(&column.name, physical).with_repetition(Repetition::OPTIONAL);
    Ok(Arc::new(field.with_logical_type(logical).build()?))
}

fn push_column(writer: &mut SerializedColumnWriter<'_>, values: &Values) -> Result<()> {
    let present: Vec<usize> = (0..values.len()).filter(|&row| !values.is_missing(row)).collect();
    let levels: Vec<i16> = (0..values.len()).map(|row| i16::from(!values.is_missing(row))).collect();
    let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    match values {
        Values::Number(v) => {
            let v: Vec<f64> = present.iter().map(|&row| v[row]).collect();
            writer.typed::<DoubleType>().write_batch(&v, Some(&levels), None)?;
        }
        Values::Time(v) => {
            let v: Vec<i64> = present.iter().map(|&row| v[row]).collect();
            writer.typed::<Int64Type>().write_batch(&v, Some(&levels), None)?;
        }
        Values::Category(v) => {
            let v: Vec<ByteArray> = present.iter().map(|&row| text(v.level(row).unwrap_or_default())).collect();
            writer.typed::<ByteArrayType>().write_batch(&v, Some(&levels), None)?;
        }
        Values::Text(v) => {
            let v: Vec<ByteArray> = present.iter().map(|&row| text(v.get(row))).collect();
            writer.typed::<ByteArrayType>().write_batch(&v, Some(&levels), None)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Categories, InferOptions, Input, Kind, MISSING_TIME, ReadOptions, Texts, infer, read};

    #[test]
    fn what_is_written_reads_back() {
        let part = |first: f64| {
            Table::new(vec![
                Column::new("x", Values::Number(vec![first, f64::NAN, -0.5])),
                Column::new("t", Values::Time(vec![1_700_000_000_000_001, MISSING_TIME, 0])),
                Column::new("c", Values::Category(Categories::from_texts(["b", "", "a, \"c\""]))),
                Column::new("s", Values::Text(["one", "two", ""].into_iter().collect::<Texts>())),
            ])
            .unwrap()
        };
        let mut writer = ParquetWriter::new(&part(1.0)).unwrap();
        writer.push(&part(1.0)).unwrap();
        writer.push(&part(2.0)).unwrap();
        let mut bytes = Vec::new();
        writer.finish(&mut bytes).unwrap();
        let open = || Input::from_reader("t", io::Cursor::new(bytes.clone()));
        let mut schema = infer(open(), &InferOptions::default()).unwrap().schema;
        let kinds: Vec<Kind> = schema.columns.iter().map(|column| column.kind).collect();
        assert_eq!(kinds, [Kind::Number, Kind::Time, Kind::Category, Kind::Category]);
        schema.columns[3].kind = Kind::Text;
        let back = read(open(), &schema, &ReadOptions::default()).unwrap().table;
        // NaN is not equal to itself, but its text is the same.
        let told = |table: &Table| format!("{table:?}");
        assert_eq!(told(&back.take(&[0, 1, 2])), told(&part(1.0)));
        assert_eq!(told(&back.take(&[3, 4, 5])), told(&part(2.0)));
    }
}
