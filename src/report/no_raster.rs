//! Replaces pictures in a build without them.

use super::{NO_PICTURES, ReportError};

/// Fails: this build draws no pictures.
///
/// # Errors
/// Always.
pub(crate) fn png(_: &str, _: f32) -> Result<Vec<u8>, ReportError> {
    Err(ReportError::Picture(NO_PICTURES.to_owned()))
}
