//! Names of tables that are no files: tables of a database and objects of S3.

use super::{Input, TableError, postgres};
use crate::s3::{self, Object};
use std::path::Path;

/// Whether this names something on a server rather than a file.
#[must_use]
pub fn is_address(path: &Path) -> bool {
    postgres::is_address(path) || s3::is_address(path)
}

/// The name of an address as it may be printed and kept; that of a file as it is.
#[must_use]
pub fn shown(path: &Path) -> String {
    postgres::shown(path)
}

/// What a file of what is there is called.
#[must_use]
pub fn file_name(path: &Path) -> Option<String> {
    match s3::is_address(path) {
        true => path.file_name().and_then(|name| name.to_str()).map(str::to_owned),
        false => postgres::file_name(path),
    }
}

/// Opens what is at an address.
///
/// # Errors
/// What is wrong with the address, or what the server says.
pub(crate) fn open(path: &Path) -> Result<Input, TableError> {
    if !s3::is_address(path) {
        return postgres::open(path);
    }
    let wrong = |what: String| TableError::File { file: shown(path), what };
    let object = Object::at(path).map_err(|err| wrong(err.why.to_string()))?;
    let (stored, bytes) = object.open().map_err(|err| wrong(err.why.to_string()))?;
    match stored.bytes {
        Some(0) => Err(wrong("is empty".to_owned())),
        _ => Ok(Input::from_reader(&shown(path), bytes)),
    }
}
