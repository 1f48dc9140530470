//! `reports/drift_report.json`, `.html` and `.png`.

use super::MonitorError;
use crate::atomic::{self, At};
use crate::drift::report::DriftReport;
use crate::report;
use crate::workspace::Workspace;
use std::str::FromStr;

/// A format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For programs.
    Json,
    /// A page.
    Html,
    /// A picture.
    Png,
}

impl Format {
    /// All formats of this build.
    pub const ALL: &[Self] =
        if report::DRAWS { &[Self::Json, Self::Html, Self::Png] } else { &[Self::Json, Self::Html] };
    /// Their names, as on the command line.
    pub const NAMES: &str = if report::DRAWS { "json,html,png" } else { "json,html" };
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "json" => Ok(Self::Json),
            "html" => Ok(Self::Html),
            "png" if report::DRAWS => Ok(Self::Png),
            "png" => Err(report::NO_PICTURES.to_owned()),
            _ => Err("it must be json, html or png".to_owned()),
        }
    }
}

/// Writes the report in each of the formats; each file is replaced as a whole.
///
/// # Errors
/// Errors of drawing, or I/O errors.
pub fn write(workspace: &Workspace, found: &DriftReport, formats: &[Format]) -> Result<(), MonitorError> {
    let dir = workspace.path("reports");
    atomic::make_dirs(&dir).at(&dir)?;
    for format in formats {
        let (name, bytes) = match format {
            Format::Json => ("drift_report.json", serde_json::to_vec_pretty(found).map_err(std::io::Error::from)),
            Format::Html => ("drift_report.html", Ok(report::drift_html(found).into_bytes())),
            Format::Png => ("drift_report.png", Ok(report::drift_png(found)?)),
        };
        let path = dir.join(name);
        let bytes = bytes.at(&path)?;
        atomic::replace(&path, |out| out.write_all(&bytes)).at(&path)?;
    }
    Ok(())
}
