//! Addresses of tables that are not files: database tables and objects of S3.

use super::postgres;
use crate::s3;
use std::path::Path;

/// Whether this is an address on a server, not a file.
#[must_use]
pub fn is_address(path: &Path) -> bool {
    postgres::is_address(path) || s3::is_address(path)
}

/// An address in a form without secrets; a file name unchanged.
#[must_use]
pub fn shown(path: &Path) -> String {
    postgres::shown(path)
}

/// The name for a file with the content of an address.
#[must_use]
pub fn file_name(path: &Path) -> Option<String> {
    match s3::is_address(path) {
        true => path.file_name().and_then(|name| name.to_str()).map(str::to_owned),
        false => postgres::file_name(path),
    }
}
