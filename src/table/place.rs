//! Names of tables that are no files: tables of a database and objects of S3.

use super::postgres;
use crate::s3;
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
