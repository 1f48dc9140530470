//! Objects of Amazon S3 and of servers with its protocol (MinIO, Ceph, Garage, R2): `s3://BUCKET/KEY`.
//!
//! ```text
//! s3://bucket/key ─▶ Object ─ open ─▶ bytes, resumed after a broken connection
//!                          └ put ──▶ the whole object or nothing; a large one in parts
//! ```
//! Requests are signed in their URL, so the secret key is never sent, and no request URL is ever shown.

mod access;
mod object;
mod profile;
mod transfer;
mod write;

#[cfg(test)]
mod tests;

pub use access::{Access, reach_as};
pub use object::{Object, Stored};
pub use transfer::{Condition, S3Error, Why};

use std::path::Path;

const SCHEME: &str = "s3://";

/// Whether this is the address of an object, not a file.
#[must_use]
pub fn is_address(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME)))
}
