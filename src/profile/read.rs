//! The profile of a file of any length.

use super::{Limits, Profile, ProfileBuilder, ProfileError};
use crate::table::{InferOptions, Input, Progress, ReadOptions, Rejects, Schema, infer, stream};
use std::path::PathBuf;

/// A profile and what was left out of it.
#[derive(Debug)]
pub struct Profiled {
    /// The profile.
    pub profile: Profile,
    /// Rows that did not fit; empty unless they were to be skipped.
    pub rejects: Rejects,
    /// Remarks for a person, such as columns that were ignored.
    pub notes: Vec<String>,
}

/// Reads a table once, batch by batch, and profiles it. With `exact` every value is kept, however many there are.
///
/// Memory does not grow with the rows unless `exact` is asked for. What `options` says of raw records and progress is
/// replaced.
///
/// # Errors
/// Whatever is wrong with the table, as [`read`](fn@crate::table::read) says it.
pub fn profile_input(
    input: Input,
    schema: &Schema,
    options: ReadOptions,
    exact: bool,
    progress: Option<Progress>,
) -> Result<Profiled, ProfileError> {
    let limits = if exact { Limits::NONE } else { Limits::default() };
    let options = ReadOptions { no_raw: true, progress, ..options };
    let mut batches = stream(input, schema, &options)?;
    let mut builder: Option<ProfileBuilder> = None;
    for batch in batches.by_ref() {
        let table = batch?.table;
        builder.get_or_insert_with(|| ProfileBuilder::for_columns(schema, &table, limits)).push(&table)?;
    }
    let builder = builder.unwrap_or_else(|| ProfileBuilder::new(schema, limits));
    Ok(Profiled { profile: builder.finish(), rejects: batches.rejects().clone(), notes: batches.notes().to_vec() })
}

/// The profile of several tables together, all of one schema; without one, that of the first table is inferred.
///
/// # Errors
/// Whatever is wrong with a table.
pub fn profile_tables(
    tables: &[PathBuf],
    schema: Option<Schema>,
    delimiter: Option<char>,
    skip_invalid: bool,
    exact: bool,
) -> Result<Profiled, ProfileError> {
    let limits = if exact { Limits::NONE } else { Limits::default() };
    let mut schema = schema;
    let mut all: Option<Profiled> = None;
    for path in tables {
        let (input, mut known) = match &schema {
            Some(schema) => (Input::open(path)?, schema.clone()),
            None => {
                let (first, second) = Input::open_twice(path)?;
                let options = InferOptions { delimiter, skip_invalid, ..InferOptions::default() };
                (second, infer(first, &options)?.schema)
            }
        };
        if let Some(delimiter) = delimiter {
            known.dialect.delimiter = delimiter;
        }
        let options = ReadOptions { skip_invalid, ..ReadOptions::default() };
        let found = profile_input(input, &known, options, exact, None)?;
        schema = Some(known);
        match &mut all {
            None => all = Some(found),
            Some(all) => {
                all.profile.merge(&found.profile, limits)?;
                all.rejects.count += found.rejects.count;
                all.rejects.first.extend(found.rejects.first);
                all.notes.extend(found.notes);
            }
        }
    }
    all.ok_or_else(|| ProfileError::Damaged("no table was named".to_owned()))
}

/// Profiles in files, merged.
///
/// # Errors
/// A file that is not a profile, or not of the same columns as the first, by its name.
pub fn merge_files(files: &[PathBuf], exact: bool) -> Result<Profile, ProfileError> {
    let limits = if exact { Limits::NONE } else { Limits::default() };
    let mut all: Option<Profile> = None;
    for path in files {
        let file = path.display().to_string();
        let named = |err: ProfileError| ProfileError::File { file: file.clone(), what: err.to_string() };
        let bytes =
            std::fs::read(path).map_err(|err| ProfileError::File { file: file.clone(), what: err.to_string() })?;
        let profile = Profile::from_json(&bytes).map_err(named)?;
        match &mut all {
            None => all = Some(profile),
            Some(all) => all.merge(&profile, limits).map_err(named)?,
        }
    }
    all.ok_or_else(|| ProfileError::Damaged("no file was named".to_owned()))
}
