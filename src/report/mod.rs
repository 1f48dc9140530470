//! The results of `monitor`, for people.
//!
//! One [`DriftReport`] is rendered in three ways: [`drift_html`] is a self-contained page, [`drift_svg`] and
//! [`drift_png`] are one picture, [`drift_text`] is text for a terminal. Text from tables (names, levels, findings) is
//! always escaped and cannot control a terminal.

pub(crate) mod curves;
mod gauge;
mod markdown;
pub(crate) mod metrics;
pub(crate) mod number;
mod overview;
mod page;
mod plot;
pub(crate) mod prometheus;
#[cfg(feature = "png")]
pub(crate) mod raster;
#[cfg(not(feature = "png"))]
#[path = "no_raster.rs"]
pub(crate) mod raster;
#[cfg(test)]
mod sample;
pub(crate) mod shape;
mod terminal;
#[cfg(test)]
#[cfg(feature = "png")]
mod tests;
mod timeline;
mod training;
mod words;

#[cfg(feature = "serve")]
use crate::drift::report::ColumnReport;
use crate::drift::report::DriftReport;

pub use number::{change, number, p_value, percent, with_sign};
pub use prometheus::drift_prometheus;
pub(crate) use training::importance_picture;
pub use training::importance_svg;

#[cfg(feature = "serve")]
pub(crate) use words::kind as column_kind;

/// Whether this build draws pictures.
pub const DRAWS: bool = cfg!(feature = "png");
/// The message of a build without pictures.
pub const NO_PICTURES: &str = "this mlloop was built without pictures (cargo build --features png)";

/// Why a report cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The picture could not be created.
    #[error("the report's picture cannot be drawn: {0}")]
    Picture(String),
}

/// The report as a page: style and pictures are embedded, no scripts, no external resources.
#[must_use]
pub fn drift_html(report: &DriftReport) -> String {
    page::draw(report)
}

/// The two distributions of a column, `width` wide, as an image in a page.
#[cfg(feature = "serve")]
pub(crate) fn column_plot(report: &ColumnReport, width: f64) -> String {
    let piece = plot::column(report, width);
    let mut drawing = shape::Drawing::default();
    drawing.raw(&piece.svg);
    let title = format!("{}: reference and current", number::short(&report.name, 80));
    drawing.image(if width > 400.0 { "wide" } else { "plot" }, (width, piece.height), &title)
}

// The dashboard also uses these.
#[cfg(feature = "serve")]
pub(crate) use page::{dial, share_bar, share_text};
#[cfg(feature = "serve")]
pub(crate) use words::{decided, found};

/// A count with thousands separated: `4770`, `10 000`.
#[must_use]
pub fn grouped(n: u64) -> String {
    number::count(n).replace('\u{a0}', " ")
}

/// The report as one picture, 1200 units wide.
#[must_use]
pub fn drift_svg(report: &DriftReport) -> String {
    overview::draw(report)
}

/// [`drift_svg`] as pixels, two per unit; needs no font on the machine.
///
/// # Errors
///
/// If the picture is too large for memory.
pub fn drift_png(report: &DriftReport) -> Result<Vec<u8>, ReportError> {
    raster::png(&overview::draw(report), 2.0)
}

/// The report as Markdown; the content of a table never becomes markup.
#[must_use]
pub fn drift_markdown(report: &DriftReport) -> String {
    markdown::draw(report)
}

/// Text without Markdown, tags or mentions.
#[must_use]
pub fn markdown_escaped(text: &str) -> String {
    markdown::escaped(text)
}

/// The styling of text on a terminal, and its width.
#[derive(Clone, Copy)]
pub struct Marks<'a> {
    /// Bold text.
    pub bold: &'a dyn Fn(&str) -> String,
    /// Dimmed text.
    pub dim: &'a dyn Fn(&str) -> String,
    /// A verdict in the colour of its tone: `drifted`, `stable`, `unknown`; and the text.
    pub verdict: &'a dyn Fn(&str, &str) -> String,
    /// Width of the terminal; `None` without one.
    pub width: Option<usize>,
}

/// The report in about 20 lines; a table wider than the terminal omits columns.
#[must_use]
pub fn drift_text(report: &DriftReport, marks: Marks<'_>) -> String {
    // A terminal does not wrap at spaces, and plain spaces are easier to search for.
    terminal::Terminal { report, marks }.draw().replace('\u{a0}', " ")
}
