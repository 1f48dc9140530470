//! The cells of one Parquet column: decoded in runs, added to a typed column or written as text.

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use ::parquet::data_type::ByteArray;
use ::parquet::errors::{ParquetError, Result};
use ::parquet::schema::types::ColumnDescriptor;

use super::stored::Stored;
use crate::table::build::{Part, Storage};
use crate::table::cell::Markers;
use crate::table::push_number;
use crate::table::time::{write_clock, write_iso};
use crate::table::{MISSING_TIME, Texts};

/// What the stored values of a column mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Meaning {
    Bool,
    Integer,
    /// An unsigned integer stored in a signed one of this many bits.
    Unsigned(u32),
    Float,
    /// An integer in units of 10 to the minus this.
    Decimal(i32),
    /// Days since 1970.
    Date,
    /// A time in units of this many nanoseconds.
    Time(i64),
    /// A time of day in units of this many nanoseconds.
    Clock(i64),
    Text,
}

/// Decoded cells.
#[derive(Debug)]
pub(crate) enum Cells {
    Bool(Vec<Option<bool>>),
    Integer(Vec<Option<i64>>),
    /// `NaN` is missing.
    Number(Vec<f64>),
    /// Numbers with more digits than a double or a signed integer can hold, as text; the empty text is missing.
    Digits(Texts),
    /// Microseconds; [`MISSING_TIME`] is missing.
    Time(Vec<i64>),
    /// Microseconds since midnight; [`MISSING_TIME`] is missing.
    Clock(Vec<i64>),
    /// The empty text is missing.
    Text(Texts),
}

impl Meaning {
    /// The meaning of a flat column; `None` for types that are not table cells (intervals, UUIDs, variants).
    pub(crate) fn of(column: &ColumnDescriptor) -> Option<Self> {
        let scale = column.type_scale();
        let decimal = match column.logical_type_ref() {
            Some(LogicalType::Decimal(d)) => Some(d.scale),
            _ if column.converted_type() == ConvertedType::DECIMAL => Some(scale),
            _ => None,
        };
        if let Some(scale) = decimal {
            return Some(Self::Decimal(scale));
        }
        match column.physical_type() {
            Type::BOOLEAN => Some(Self::Bool),
            Type::FLOAT | Type::DOUBLE => Some(Self::Float),
            Type::INT96 => Some(Self::Time(1000)),
            Type::BYTE_ARRAY => Some(Self::Text),
            Type::FIXED_LEN_BYTE_ARRAY => None,
            Type::INT32 | Type::INT64 => Some(Self::of_integer(column)),
        }
    }

    fn of_integer(column: &ColumnDescriptor) -> Self {
        if let Some(LogicalType::Timestamp(t)) = column.logical_type_ref() {
            return Self::Time(nanos(t.unit));
        }
        if let Some(LogicalType::Time(t)) = column.logical_type_ref() {
            return Self::Clock(nanos(t.unit));
        }
        match column.converted_type() {
            ConvertedType::TIME_MILLIS => Self::Clock(1_000_000),
            ConvertedType::TIME_MICROS => Self::Clock(1000),
            ConvertedType::DATE => Self::Date,
            ConvertedType::TIMESTAMP_MILLIS => Self::Time(1_000_000),
            ConvertedType::TIMESTAMP_MICROS => Self::Time(1000),
            ConvertedType::UINT_32 => Self::Unsigned(32),
            ConvertedType::UINT_64 => Self::Unsigned(64),
            _ => Self::Integer,
        }
    }

    /// The meaning of stored cells.
    pub(crate) fn cells(self, stored: Stored) -> Result<Cells> {
        Ok(match stored {
            Stored::Bool(v) => Cells::Bool(v),
            Stored::Int32(v) => self.integers(v.into_iter().map(|v| v.map(i64::from)).collect()),
            Stored::Int64(v) => self.integers(v),
            Stored::Int96(v) => Cells::Time(v.into_iter().map(|v| v.map_or(MISSING_TIME, |v| v.to_micros())).collect()),
            Stored::Float(v) => Cells::Number(v.into_iter().map(|v| v.map_or(f64::NAN, f64::from)).collect()),
            Stored::Double(v) => Cells::Number(v.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect()),
            Stored::Bytes(v) => self.bytes(v.iter().map(|v| v.as_ref().map(ByteArray::data)))?,
            Stored::Fixed(v) => self.bytes(v.iter().map(|v| v.as_ref().map(|v| v.data())))?,
        })
    }

    /// Whether JSON has a type for these values other than text: numbers and booleans.
    pub(crate) fn is_literal(self) -> bool {
        matches!(self, Self::Bool | Self::Integer | Self::Unsigned(_) | Self::Float | Self::Decimal(_))
    }

    /// Converts integers to cells.
    fn integers(self, values: Vec<Option<i64>>) -> Cells {
        let times = |to_micros: &dyn Fn(i64) -> i64| -> Vec<i64> {
            values.iter().map(|v| v.map_or(MISSING_TIME, to_micros)).collect()
        };
        let micros = |nanos: i64| {
            move |v: i64| if nanos >= 1000 { v.saturating_mul(nanos / 1000) } else { v.div_euclid(1000 / nanos) }
        };
        match self {
            Self::Date => Cells::Time(times(&|days| days.saturating_mul(86_400_000_000))),
            Self::Time(nanos) => Cells::Time(times(&micros(nanos))),
            Self::Clock(nanos) => Cells::Clock(times(&micros(nanos))),
            Self::Decimal(scale) => decimals(values.iter().map(|v| v.map(i128::from)).collect(), scale),
            Self::Unsigned(32) => Cells::Integer(values.iter().map(|v| v.map(|v| v & 0xffff_ffff)).collect()),
            Self::Unsigned(_) if values.iter().flatten().any(|&v| v < 0) => {
                let texts: Vec<String> =
                    values.iter().map(|v| v.map_or_else(String::new, |v| (v as u64).to_string())).collect();
                Cells::Digits(texts.iter().map(String::as_str).collect())
            }
            _ => Cells::Integer(values),
        }
    }

    /// Converts byte strings to cells.
    fn bytes<'a>(self, values: impl Iterator<Item = Option<&'a [u8]>>) -> Result<Cells> {
        if let Self::Decimal(scale) = self {
            let values: Vec<Option<&[u8]>> = values.collect();
            if values.iter().flatten().all(|bytes| bytes.len() <= 16) {
                return Ok(decimals(values.iter().map(|v| v.map(integer)).collect(), scale));
            }
            let number = |v: &Option<&[u8]>| v.map_or(f64::NAN, |v| scaled(big_endian(v), scale));
            return Ok(Cells::Number(values.iter().map(number).collect()));
        }
        let mut texts = Texts::default();
        for value in values {
            let text = std::str::from_utf8(value.unwrap_or_default())
                .map_err(|_| ParquetError::General(NOT_UTF8.to_owned()))?;
            texts.push(text.trim_matches([' ', '\t']));
        }
        Ok(Cells::Text(texts))
    }
}

/// The error for bytes that are not text.
pub(crate) const NOT_UTF8: &str = "a text is not UTF-8";

/// Nanoseconds of a unit.
fn nanos(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1000,
        TimeUnit::NANOS => 1,
    }
}

/// Numbers in units of 10 to the minus `scale`; as text if a double cannot hold all digits.
fn decimals(values: Vec<Option<i128>>, scale: i32) -> Cells {
    const EXACT: u128 = 1 << 53;
    if values.iter().flatten().all(|v| v.unsigned_abs() < EXACT) {
        return Cells::Number(values.iter().map(|v| v.map_or(f64::NAN, |v| scaled(v as f64, scale))).collect());
    }
    let texts: Vec<String> = values.iter().map(|v| v.map_or_else(String::new, |v| decimal_text(v, scale))).collect();
    Cells::Digits(texts.iter().map(String::as_str).collect())
}

/// `value` times 10 to the minus `scale`, without trailing zeros.
fn decimal_text(value: i128, scale: i32) -> String {
    let digits = value.unsigned_abs().to_string();
    let places = usize::try_from(scale).unwrap_or(0);
    let zeros = usize::try_from(-scale).unwrap_or(0).min(400);
    let digits = format!("{digits:0>width$}{}", "0".repeat(zeros), width = places + 1);
    let (whole, decimals) = digits.split_at(digits.len() - places);
    let decimals = decimals.trim_end_matches('0');
    let (sign, point) = (if value < 0 { "-" } else { "" }, if decimals.is_empty() { "" } else { "." });
    format!("{sign}{whole}{point}{decimals}")
}

/// A signed big-endian integer of up to 16 bytes.
fn integer(bytes: &[u8]) -> i128 {
    let sign = if bytes.first().is_some_and(|b| b & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |v, &b| v << 8 | i128::from(b))
}

fn scaled(value: f64, scale: i32) -> f64 {
    value / 10_f64.powi(scale)
}

/// A signed big-endian integer of any length.
fn big_endian(bytes: &[u8]) -> f64 {
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let magnitude = bytes.iter().fold(0.0, |v, &b| v * 256.0 + f64::from(b));
    if negative { magnitude - 256_f64.powi(bytes.len() as i32) } else { magnitude }
}

impl Cells {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bool(v) => v.len(),
            Self::Integer(v) => v.len(),
            Self::Number(v) => v.len(),
            Self::Time(v) | Self::Clock(v) => v.len(),
            Self::Text(v) | Self::Digits(v) => v.len(),
        }
    }

    /// The number in a cell, if it is one.
    pub(crate) fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Number(v) => Some(v[row]),
            Self::Integer(v) => Some(v[row].map_or(f64::NAN, |v| v as f64)),
            Self::Digits(v) => Some(v.get(row).parse().unwrap_or(f64::NAN)),
            _ => None,
        }
    }

    /// The time in a cell, if it is one; `None` if missing.
    pub(crate) fn time(&self, row: usize) -> Option<i64> {
        match self {
            Self::Time(v) | Self::Clock(v) => Some(v[row]).filter(|&micros| micros != MISSING_TIME),
            _ => None,
        }
    }

    /// Writes a cell as CSV would hold it, before quoting; nothing when it is missing.
    pub(crate) fn render(&self, row: usize, out: &mut String) {
        out.clear();
        match self {
            Self::Bool(v) => out.push_str(v[row].map_or("", |v| if v { "true" } else { "false" })),
            Self::Integer(v) => {
                if let Some(value) = v[row] {
                    out.push_str(&value.to_string());
                }
            }
            Self::Number(v) => {
                let mut line = Vec::new();
                push_number(&mut line, v[row]);
                out.push_str(&String::from_utf8_lossy(&line));
            }
            Self::Time(v) | Self::Clock(v) if v[row] == MISSING_TIME => {}
            Self::Time(v) => write_iso(v[row], out),
            Self::Clock(v) => write_clock(v[row], out),
            Self::Text(v) | Self::Digits(v) => out.push_str(v.get(row)),
        }
    }

    /// Adds a cell to a typed column; `false`, with a missing cell added, when it does not fit.
    pub(crate) fn push_to(
        &self,
        row: usize,
        part: &mut Part,
        storage: &Storage,
        markers: &Markers,
        scratch: &mut String,
    ) -> bool {
        match (self, &mut *part) {
            (Self::Number(v), Part::Number(to)) if !markers.any_numeric() && !v[row].is_infinite() => to.push(v[row]),
            (Self::Integer(v), Part::Number(to)) if !markers.any_numeric() => {
                to.push(v[row].map_or(f64::NAN, |v| v as f64));
            }
            (Self::Bool(v), Part::Number(to)) => to.push(v[row].map_or(f64::NAN, f64::from)),
            (Self::Time(v), Part::Time(to)) => to.push(v[row]),
            (Self::Clock(v), Part::Time(to)) if matches!(storage, Storage::Time(format) if format.is_clock()) => {
                to.push(v[row]);
            }
            _ => {
                self.render(row, scratch);
                // A number in Parquet is always a number, whatever notation the column has in text.
                let plain = matches!(self, Self::Number(_) | Self::Integer(_) | Self::Digits(_))
                    && matches!(storage, Storage::Written(_));
                return part.push(scratch, if plain { &Storage::Number } else { storage }, markers);
            }
        }
        true
    }
}
