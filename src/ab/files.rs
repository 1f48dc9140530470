//! `ab_report.json`, `.html` and `.png`.

use super::report::AbReport;
use super::{AbError, draw};
use crate::atomic::{self, At};
use crate::report;
use std::path::Path;

/// Writes the report in all its formats to `dir`; each file is replaced atomically.
///
/// # Errors
/// Errors of drawing, and I/O errors.
pub fn write(dir: &Path, found: &AbReport) -> Result<(), AbError> {
    atomic::make_dirs(dir).at(dir)?;
    let json = serde_json::to_vec_pretty(found).at(dir)?;
    let mut forms = vec![("ab_report.json", json), ("ab_report.html", draw::html(found).into_bytes())];
    if report::DRAWS {
        forms.push(("ab_report.png", draw::png(found)?));
    }
    for (name, bytes) in forms {
        let path = dir.join(name);
        atomic::replace(&path, |out| out.write_all(&bytes)).at(&path)?;
    }
    Ok(())
}
