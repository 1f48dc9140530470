//! Which field of a file becomes which column.

use std::collections::{HashMap, HashSet};

use super::Storage;
use crate::table::cell::Markers;
use crate::table::record::nameless;
use crate::table::time::TimeFormat;
use crate::table::{ColumnSpec, Dialect, Kind, NumberFormat, ReadOptions, Schema, TableError};
use crate::wording::nearest;

/// The columns to take, in the schema's order.
pub(crate) struct Plan {
    /// The names of the file's fields, one per field of a record.
    pub(crate) names: Vec<String>,
    pub(crate) columns: Vec<Wanted>,
    /// Fields for which type evidence is also collected.
    pub(crate) watched: Vec<usize>,
    /// For each field, whether a word such as `total` is one of its levels.
    pub(crate) levels: Vec<bool>,
    pub(crate) markers: Markers,
    /// Columns that are ignored, and why.
    pub(crate) notes: Vec<String>,
    /// What the number of fields is compared with, for error messages.
    pub(crate) yardstick: &'static str,
}

/// A column to take.
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) field: usize,
    pub(crate) storage: Storage,
}

impl Plan {
    /// Matches the schema's columns with a file's names. Without a header (`names` is `None`) fields are matched by
    /// position; a single optional column may then be absent.
    pub(crate) fn new(
        file: &str,
        names: Option<Vec<String>>,
        n_fields: usize,
        schema: &Schema,
        options: &ReadOptions,
    ) -> Result<Self, TableError> {
        check_dialect(file, &schema.dialect)?;
        let asked = asked(schema, options)?;
        let headed = names.is_some();
        let names = match names {
            Some(names) => unique(names)?,
            None => by_position(file, n_fields, schema, options)?,
        };
        let fields: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
        let mut missing = Vec::new();
        let mut columns = Vec::new();
        for spec in asked {
            let Some(storage) = storage(file, spec)? else { continue };
            match fields.get(spec.name.as_str()) {
                Some(&field) => columns.push(Wanted { name: spec.name.clone(), field, storage }),
                None if options.optional.contains(&spec.name) => {}
                None => missing.push(spec.name.clone()),
            }
        }
        if !missing.is_empty() {
            let strange: Vec<&str> =
                names.iter().map(String::as_str).filter(|name| schema.column(name).is_none()).collect();
            let near = missing.iter().find_map(|name| Some((name, nearest(name, strange.iter().copied())?)));
            let near =
                near.map(|(name, near)| format!("; the file has {near:?}: is that {name:?}?")).unwrap_or_default();
            return Err(TableError::MissingColumns { file: file.to_owned(), columns: missing, near });
        }
        let watched = options.watch.iter().filter_map(|name| fields.get(name.as_str()).copied()).collect();
        let known: HashSet<&str> = schema.columns.iter().map(|c| c.name.as_str()).collect();
        let is_named = |(place, name): &(usize, &String)| **name != nameless(*place);
        let named = names.iter().enumerate().filter(is_named).map(|(_, name)| name.as_str());
        let extra: Vec<&str> = named.filter(|n| !known.contains(n)).collect();
        let notes = if extra.is_empty() { Vec::new() } else { vec![extra_note(&extra)] };
        let yardstick = yardstick(headed);
        let is_level = |name: &String| schema.column(name).is_some_and(ColumnSpec::has_total_as_level);
        let levels = names.iter().map(is_level).collect();
        Ok(Self { names, columns, watched, levels, markers: Markers::new(&schema.dialect.missing), notes, yardstick })
    }
}

/// How the cells of a column are stored; `None` if it is not read.
fn storage(file: &str, spec: &ColumnSpec) -> Result<Option<Storage>, TableError> {
    let number = number_format(file, spec)?;
    Ok(Storage::of(spec, time_format(file, spec)?, number))
}

/// A column stored in that field; `None` if it is not read.
pub(crate) fn wanted(file: &str, spec: &ColumnSpec, field: usize) -> Result<Option<Wanted>, TableError> {
    Ok(storage(file, spec)?.map(|storage| Wanted { name: spec.name.clone(), field, storage }))
}

/// The delimiter as a byte.
pub(crate) fn check_dialect(file: &str, dialect: &Dialect) -> Result<u8, TableError> {
    match u8::try_from(dialect.delimiter) {
        Ok(byte) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | b' ' | 0) => Ok(byte),
        _ => Err(TableError::File {
            file: file.to_owned(),
            what: format!(
                "{:?} cannot be a delimiter: use one ASCII character such as , ; tab or |",
                dialect.delimiter
            ),
        }),
    }
}

fn time_format(file: &str, spec: &ColumnSpec) -> Result<TimeFormat, TableError> {
    if spec.kind != Kind::Time {
        return Ok(TimeFormat::Iso);
    }
    TimeFormat::new(spec.format.as_deref().unwrap_or("iso"))
        .map_err(|what| TableError::File { file: file.to_owned(), what: format!("column {:?}: {what}", spec.name) })
}

fn number_format(file: &str, spec: &ColumnSpec) -> Result<Option<NumberFormat>, TableError> {
    let wrong = |what| TableError::File { file: file.to_owned(), what: format!("column {:?}: {what}", spec.name) };
    spec.number.as_ref().map_or(Ok(()), NumberFormat::check).map_err(wrong)?;
    Ok(spec.number.clone())
}

/// The schema's columns, or only those that the caller names.
fn asked<'a>(schema: &'a Schema, options: &ReadOptions) -> Result<Vec<&'a ColumnSpec>, TableError> {
    unique(schema.columns.iter().map(|c| c.name.clone()).collect())?;
    let Some(wanted) = &options.columns else { return Ok(schema.columns.iter().collect()) };
    for name in wanted {
        if schema.column(name).is_none() {
            return Err(TableError::NoColumn {
                column: name.clone(),
                have: schema.columns.iter().map(|c| c.name.clone()).collect(),
            });
        }
    }
    Ok(schema.columns.iter().filter(|c| wanted.contains(&c.name)).collect())
}

/// The first character of comments, as a byte.
pub(crate) fn check_comment(file: &str, mark: char) -> Result<u8, TableError> {
    let byte =
        u8::try_from(mark).ok().filter(|byte| byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'-' | b'.'));
    byte.ok_or_else(|| TableError::File {
        file: file.to_owned(),
        what: format!("{mark:?} cannot begin a comment: use one ASCII mark such as # or %"),
    })
}

/// The names, if there is no duplicate.
pub(crate) fn unique(names: Vec<String>) -> Result<Vec<String>, TableError> {
    let mut seen = HashSet::new();
    match names.iter().find(|n| !seen.insert(n.as_str())) {
        Some(twice) => Err(TableError::DuplicateColumn { column: twice.clone() }),
        None => Ok(names),
    }
}

/// The schema's names for the fields of a file without a header.
fn by_position(file: &str, n_fields: usize, schema: &Schema, options: &ReadOptions) -> Result<Vec<String>, TableError> {
    let all: Vec<String> = schema.columns.iter().map(|c| c.name.clone()).collect();
    if n_fields == all.len() {
        return Ok(all);
    }
    let optional: Vec<&String> = all.iter().filter(|n| options.optional.contains(n)).collect();
    if n_fields + 1 == all.len() && optional.len() == 1 {
        let absent = optional[0].clone();
        return Ok(all.into_iter().filter(|n| *n != absent).collect());
    }
    Err(TableError::File {
        file: file.to_owned(),
        what: format!(
            "has {n_fields} fields per record, but the schema has {}; without a header they must agree",
            all.len()
        ),
    })
}

fn extra_note(extra: &[&str]) -> String {
    let shown: Vec<&str> = extra.iter().take(8).copied().collect();
    let more = if extra.len() > shown.len() { ", …" } else { "" };
    let what = if extra.len() == 1 { "column that is" } else { "columns that are" };
    format!("ignored {} {what} not in the schema: {}{more}", extra.len(), shown.join(", "))
}

/// The text that says what the number of fields is compared with.
pub(crate) fn yardstick(header: bool) -> &'static str {
    if header { "the header has" } else { "the first record has" }
}
