//! Cells as a file stores them: read once, added to typed columns, and written unchanged when rows are passed on.

use ::parquet::basic::{Repetition, Type as Physical};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type, Int96, Int96Type,
};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::writer::SerializedColumnWriter;
use ::parquet::schema::types::{ColumnDescriptor, Type, TypePtr};
use std::sync::Arc;

/// The stored cells of a flat column; `None` is a null.
#[derive(Debug, Clone)]
pub enum Stored {
    /// Booleans.
    Bool(Vec<Option<bool>>),
    /// Whole numbers, decimals, days and times of day.
    Int32(Vec<Option<i32>>),
    /// The same, and times.
    Int64(Vec<Option<i64>>),
    /// Times of older writers.
    Int96(Vec<Option<Int96>>),
    /// Numbers.
    Float(Vec<Option<f32>>),
    /// Numbers.
    Double(Vec<Option<f64>>),
    /// Texts, and long decimals.
    Bytes(Vec<Option<ByteArray>>),
    /// Long decimals.
    Fixed(Vec<Option<FixedLenByteArray>>),
}

/// The type of a column of a file.
#[derive(Debug, Clone)]
pub struct StoredType(TypePtr);

impl StoredType {
    /// The type of a flat column, named by its whole path; `None` if a file cannot declare it again.
    pub(crate) fn of(column: &ColumnDescriptor) -> Option<Self> {
        let name = column.path().string();
        let repetition = if column.max_def_level() == 0 { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let same = Type::primitive_type_builder(&name, column.physical_type())
            .with_repetition(repetition)
            .with_converted_type(column.converted_type())
            .with_logical_type(column.logical_type_ref().cloned())
            .with_length(column.type_length())
            .with_precision(column.type_precision())
            .with_scale(column.type_scale());
        same.build().ok().map(|same| Self(Arc::new(same)))
    }

    /// A column of booleans, possibly missing; `None` for a name that a file cannot have.
    #[must_use]
    pub fn boolean(name: &str) -> Option<Self> {
        let boolean = Type::primitive_type_builder(name, Physical::BOOLEAN).with_repetition(Repetition::OPTIONAL);
        boolean.build().ok().map(|boolean| Self(Arc::new(boolean)))
    }

    pub(crate) fn field(&self) -> TypePtr {
        Arc::clone(&self.0)
    }
}

impl Stored {
    /// The booleans in texts; any other text is missing.
    #[must_use]
    pub fn booleans<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Self> {
        Some(Self::Bool(texts.map(|text| text.parse().ok()).collect()))
    }

    /// Reads up to `n` cells of a flat column; fewer at its end.
    pub(crate) fn read(reader: &mut ColumnReader, max_def: i16, n: usize) -> Result<Self> {
        match reader {
            ColumnReader::BoolColumnReader(r) => values(r, max_def, n).map(Self::Bool),
            ColumnReader::Int32ColumnReader(r) => values(r, max_def, n).map(Self::Int32),
            ColumnReader::Int64ColumnReader(r) => values(r, max_def, n).map(Self::Int64),
            ColumnReader::Int96ColumnReader(r) => values(r, max_def, n).map(Self::Int96),
            ColumnReader::FloatColumnReader(r) => values(r, max_def, n).map(Self::Float),
            ColumnReader::DoubleColumnReader(r) => values(r, max_def, n).map(Self::Double),
            ColumnReader::ByteArrayColumnReader(r) => values(r, max_def, n).map(Self::Bytes),
            ColumnReader::FixedLenByteArrayColumnReader(r) => values(r, max_def, n).map(Self::Fixed),
        }
    }

    /// The cells at the given rows, in that order.
    pub(crate) fn take(&self, rows: &[usize]) -> Self {
        fn at<T: Clone>(cells: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|&row| cells[row].clone()).collect()
        }
        match self {
            Self::Bool(v) => Self::Bool(at(v, rows)),
            Self::Int32(v) => Self::Int32(at(v, rows)),
            Self::Int64(v) => Self::Int64(at(v, rows)),
            Self::Int96(v) => Self::Int96(at(v, rows)),
            Self::Float(v) => Self::Float(at(v, rows)),
            Self::Double(v) => Self::Double(at(v, rows)),
            Self::Bytes(v) => Self::Bytes(at(v, rows)),
            Self::Fixed(v) => Self::Fixed(at(v, rows)),
        }
    }

    /// Writes the cells to a column of their type.
    pub(crate) fn write(&self, writer: &mut SerializedColumnWriter<'_>) -> Result<()> {
        match self {
            Self::Bool(v) => write::<BoolType>(writer, v),
            Self::Int32(v) => write::<Int32Type>(writer, v),
            Self::Int64(v) => write::<Int64Type>(writer, v),
            Self::Int96(v) => write::<Int96Type>(writer, v),
            Self::Float(v) => write::<FloatType>(writer, v),
            Self::Double(v) => write::<DoubleType>(writer, v),
            Self::Bytes(v) => write::<ByteArrayType>(writer, v),
            Self::Fixed(v) => write::<FixedLenByteArrayType>(writer, v),
        }
    }
}

fn write<T: DataType>(writer: &mut SerializedColumnWriter<'_>, cells: &[Option<T::T>]) -> Result<()> {
    let present: Vec<T::T> = cells.iter().flatten().cloned().collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    // A column that allows no nulls ignores the levels.
    writer.typed::<T>().write_batch(&present, Some(&levels), None)?;
    Ok(())
}

/// Reads up to `n` values with `None` for nulls.
fn values<T: DataType>(reader: &mut ColumnReaderImpl<T>, max_def: i16, n: usize) -> Result<Vec<Option<T::T>>> {
    let mut all = Vec::with_capacity(n);
    while all.len() < n {
        let (mut found, mut levels) = (Vec::new(), Vec::new());
        let (n_records, _, n_levels) = reader.read_records(n - all.len(), Some(&mut levels), None, &mut found)?;
        if n_records == 0 {
            break;
        }
        if max_def == 0 {
            all.extend(found.into_iter().map(Some));
            continue;
        }
        let mut found = found.into_iter();
        for &level in levels.iter().take(n_levels) {
            let value = if level < max_def { None } else { Some(found.next().ok_or_else(short)?) };
            all.push(value);
        }
    }
    Ok(all)
}

fn short() -> ParquetError {
    ParquetError::General("a page contains fewer values than its levels require".to_owned())
}
