//! Renders an A/B report as an HTML page, a picture and terminal text.

mod chart;
mod page;
mod picture;
mod text;
mod words;

use super::report::AbReport;
use crate::report::{Marks, ReportError, raster};

/// The report as a page: style and pictures are embedded, no scripts, no external resources.
#[must_use]
pub fn html(report: &AbReport) -> String {
    page::draw(report)
}

/// The report as one picture, 1200 units wide.
#[must_use]
pub fn svg(report: &AbReport) -> String {
    picture::draw(report)
}

/// [`svg`] as pixels, two per unit; needs no font on the machine.
///
/// # Errors
/// If the picture is too large for memory.
pub fn png(report: &AbReport) -> Result<Vec<u8>, ReportError> {
    raster::png(&picture::draw(report), 2.0)
}

/// The report as text for a terminal, styled by `marks`.
#[must_use]
pub fn text(report: &AbReport, marks: Marks<'_>) -> String {
    let Marks { bold, dim, verdict, .. } = marks;
    text::Terminal { report, bold, dim, verdict }.draw().replace('\u{a0}', " ")
}
