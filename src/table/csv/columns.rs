//! The cells of one field of a piece, parsed into a part of a column.

use super::index::{Index, cell_at};
use crate::table::build::{CategoryPart, Part, Storage};
use crate::table::cell::{self, Markers};
use crate::table::decimal::short_decimal;
use crate::table::dictionary::Recent;

/// One column of one piece.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) part: Part,
    /// Rows with an invalid cell.
    pub(crate) bad: Vec<usize>,
    /// Whether a number is written with a leading zero, like a code.
    pub(crate) leading_zero: bool,
}

/// Parses field `field` of the rows before `limit`. Cells that do not fit become missing and their rows are returned;
/// with `stop`, only the first, and the part ends there.
pub(crate) fn parse(
    index: &Index<'_>,
    field: usize,
    limit: usize,
    storage: &Storage,
    markers: &Markers,
    stop: bool,
) -> Parsed {
    if let Storage::Number | Storage::Flag = storage {
        return parse_numbers((index, field, limit), storage, markers, stop);
    }
    let mut part = Part::new(storage, limit);
    if let Part::Category(part) = &mut part {
        parse_levels(part, index, field, limit, markers);
        return Parsed { part: Part::Category(std::mem::take(part)), bad: Vec::new(), leading_zero: false };
    }
    let mut bad = Vec::new();
    let mut scratch = String::new();
    for (row, edges) in index.edges.chunks_exact(index.stride()).take(limit).enumerate() {
        let text = cell_at(&index.text, edges[field], edges[field + 1], &mut scratch);
        if !part.push(text, storage, markers) {
            bad.push(row);
            if stop {
                break;
            }
        }
    }
    Parsed { part, bad, leading_zero: false }
}

fn parse_numbers(
    (index, field, limit): (&Index<'_>, usize, usize),
    storage: &Storage,
    markers: &Markers,
    stop: bool,
) -> Parsed {
    let bytes = index.text.as_bytes();
    let (mut values, mut bad, mut leading_zero) = (Vec::with_capacity(limit), Vec::new(), false);
    let mut scratch = String::new();
    // Numeric markers must be checked before numbers are parsed.
    let plain = !markers.any_numeric();
    for (row, edges) in index.edges.chunks_exact(index.stride()).take(limit).enumerate() {
        let (start, next) = (edges[field], edges[field + 1]);
        let (from, to) = (start as usize, next as usize - 1);
        if from == to {
            values.push(f64::NAN);
            continue;
        }
        if plain && let Some(value) = short_decimal(bytes, from, to) {
            leading_zero |= (bytes[from] == b'0') & bytes.get(from + 1).is_some_and(u8::is_ascii_digit);
            values.push(value);
            continue;
        }
        let raw = cell::trim(&bytes[from..to]);
        let text = match raw.first() {
            Some(b'"' | b'=') => cell_at(&index.text, start, next, &mut scratch).as_bytes(),
            _ => raw,
        };
        let value = storage.plain_number(text, markers);
        leading_zero |= matches!(text, [b'0', b'0'..=b'9', ..]);
        values.push(value.unwrap_or(f64::NAN));
        if value.is_none() {
            bad.push(row);
            if stop {
                break;
            }
        }
    }
    Parsed { part: Part::Number(values), bad, leading_zero }
}

/// Parses a field of the rows before `limit`; recently seen levels are recognised by their bytes.
fn parse_levels(part: &mut CategoryPart, index: &Index<'_>, field: usize, limit: usize, markers: &Markers) {
    let bytes = index.text.as_bytes();
    let mut recent = Recent::default();
    let mut scratch = String::new();
    for edges in index.edges.chunks_exact(index.stride()).take(limit) {
        let (start, next) = (edges[field], edges[field + 1]);
        let key = recent.key(bytes, start as usize, next as usize - 1);
        if let Some(code) = key.and_then(|key| recent.code(key)) {
            part.push_code(code);
            continue;
        }
        part.push(cell_at(&index.text, start, next, &mut scratch), markers);
        if let (Some(key), Some(code)) = (key, part.last_code()) {
            recent.remember(key, code);
        }
    }
}
