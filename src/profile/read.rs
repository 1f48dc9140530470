//! The profile of a file of any length.

use super::{Limits, Moments, Profile, ProfileBuilder, ProfileError, Shape};
use crate::table::{
    InferOptions, Input, Kind, Progress, ReadOptions, Rejects, Schema, Settled, Spool, Stream, TableOptions,
    infer_fitting, infer_head, stays_category, stream,
};
use std::path::PathBuf;

/// A profile and its rejected rows.
#[derive(Debug)]
pub struct Profiled {
    /// The profile.
    pub profile: Profile,
    /// Invalid rows; empty unless they are skipped.
    pub rejects: Rejects,
    /// Remarks for the user, such as ignored columns.
    pub notes: Vec<String>,
}

/// Reads a table once, batch by batch, and profiles it. With `exact` every value is stored, however many there are.
///
/// Memory does not grow with the rows unless `exact` is set. The raw records and progress in `options` are
/// overridden.
///
/// # Errors
/// Any error of the table, as in [`read`](fn@crate::table::read).
pub fn profile_input(
    input: Input,
    schema: &Schema,
    options: ReadOptions,
    exact: bool,
    progress: Option<Progress>,
) -> Result<Profiled, ProfileError> {
    profile_about(input, schema, options, (exact, None), progress)
}

/// The same, with the similarity of rows with the same value in `entity`.
///
/// # Errors
/// As [`profile_input`].
pub fn profile_about(
    input: Input,
    schema: &Schema,
    options: ReadOptions,
    (exact, entity): (bool, Option<&str>),
    progress: Option<Progress>,
) -> Result<Profiled, ProfileError> {
    let options = ReadOptions { no_raw: true, progress, ..options };
    let mut batches = stream(input, schema, &options)?;
    let profile = drain(&mut batches, schema, exact, entity)?;
    Ok(Profiled { profile, rejects: batches.rejects().clone(), notes: batches.notes().to_vec() })
}

fn drain(
    batches: &mut Stream<'_>,
    schema: &Schema,
    exact: bool,
    entity: Option<&str>,
) -> Result<Profile, ProfileError> {
    let limits = if exact { Limits::NONE } else { Limits::default() };
    let mut builder: Option<ProfileBuilder> = None;
    for batch in batches.by_ref() {
        let table = batch?.table;
        let begin = || ProfileBuilder::for_columns(schema, &table, limits).by_entity(entity);
        builder.get_or_insert_with(begin).push(&table)?;
    }
    Ok(builder.unwrap_or_else(|| ProfileBuilder::new(schema, limits)).finish())
}

/// Infers the schema of a table and profiles it, in one pass if its beginning is sufficient. The schema is that of
/// [`infer`](fn@crate::table::infer).
///
/// # Errors
/// Any error of the table.
pub fn profile_unknown(table: &Spool, options: &InferOptions, exact: bool) -> Result<(Schema, Profiled), ProfileError> {
    let (mut schema, mut found) = typed(table, options, exact)?;
    unify(&mut schema, &mut found);
    schema.flag(|name| {
        match found.profile.columns.iter().find(|column| column.name == name).map(|column| &column.shape) {
            Some(Shape::Numbers(numbers)) => {
                let Moments { n, min, max, .. } = numbers.moments;
                n > 0 && numbers.integer && min == 0.0 && max == 1.0
            }
            _ => false,
        }
    });
    Ok((schema, found))
}

/// Counts the spellings of a level as one, as a model does.
fn unify(schema: &mut Schema, found: &mut Profiled) {
    for spec in schema.columns.iter_mut().filter(|spec| spec.kind == Kind::Category) {
        let column = found.profile.columns.iter_mut().find(|column| column.name == spec.name);
        if let Some(Shape::Levels(levels)) = column.map(|column| &mut column.shape) {
            levels.unify(&mut spec.spelling);
        }
    }
}

fn typed(table: &Spool, options: &InferOptions, exact: bool) -> Result<(Schema, Profiled), ProfileError> {
    let skip_invalid = options.skip_invalid;
    let read = |watch| ReadOptions { skip_invalid, no_raw: true, watch, ..ReadOptions::default() };
    let known = |schema: Schema| {
        let found = profile_input(table.open()?, &schema, read(Vec::new()), exact, None)?;
        Ok((schema, found))
    };
    let Ok(head) = infer_head(table.open()?, options) else {
        // Report errors in file order.
        return known(infer_fitting(|| table.open(), options.again())?.schema);
    };
    if head.whole {
        return known(head.schema);
    }
    let options_of_guess = read(head.open.clone());
    let mut batches = stream(table.open()?, &head.schema, &options_of_guess)?;
    let profile = drain(&mut batches, &head.schema, exact, None);
    let settled = match &profile {
        Ok(profile) if are_categories(profile) => head.settle(&batches),
        _ => Settled::Unknown,
    };
    match (settled, profile) {
        (Settled::AsGuessed, Ok(profile)) => {
            let found = Profiled { profile, rejects: batches.rejects().clone(), notes: batches.notes().to_vec() };
            Ok((head.schema, found))
        }
        (Settled::Otherwise(schema), _) => known(schema),
        (Settled::AsGuessed | Settled::Unknown, _) => known(infer_fitting(|| table.open(), options.again())?.schema),
    }
}

/// Whether columns guessed as categories are not prose.
fn are_categories(profile: &Profile) -> bool {
    profile.columns.iter().all(|column| match &column.shape {
        Shape::Levels(levels) => {
            levels.other == 0 && stays_category(levels.counts.iter().map(|(level, &n)| (level.as_str(), n)))
        }
        _ => true,
    })
}

/// The profile of several tables together, all of one schema; without one, that of the first table is inferred. Tables
/// may lack the `optional` columns: new rows have no target yet.
///
/// # Errors
/// Any error of a table.
pub fn profile_tables(
    tables: &[PathBuf],
    schema: Option<Schema>,
    optional: &[&str],
    read: &TableOptions,
    exact: bool,
) -> Result<Profiled, ProfileError> {
    let limits = if exact { Limits::NONE } else { Limits::default() };
    let mut schema = schema;
    let mut all: Option<Profiled> = None;
    for path in tables {
        let (known, found) = match &schema {
            Some(known) => {
                let mut known = known.clone();
                known.dialect = read.dialect(&known.dialect);
                let options = ReadOptions {
                    skip_invalid: read.skip_invalid,
                    optional: optional.iter().map(|&name| name.to_owned()).collect(),
                    ..ReadOptions::default()
                };
                let mut found = profile_input(Input::open(path)?, &known, options, exact, None)?;
                unify(&mut known, &mut found);
                (known, found)
            }
            None => {
                let options = InferOptions { numbers_vary: true, ..read.clone().into() };
                profile_unknown(&Spool::new(path)?, &options, exact)?
            }
        };
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
