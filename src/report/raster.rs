//! Renders pictures. The font is embedded, because a server may have none.

use super::ReportError;
use resvg::{tiny_skia, usvg};
use std::sync::Arc;

/// The font of texts.
const FAMILY: &str = "DejaVu Sans";

/// SVG to PNG, with `scale` pixels per unit.
pub(crate) fn png(svg: &str, scale: f32) -> Result<Vec<u8>, ReportError> {
    let tree = usvg::Tree::from_str(svg, &options()).map_err(|err| ReportError::Picture(err.to_string()))?;
    let size = tree.size();
    let (width, height) = ((size.width() * scale).ceil() as u32, (size.height() * scale).ceil() as u32);
    let mut dots = tiny_skia::Pixmap::new(width, height)
        .ok_or_else(|| ReportError::Picture(format!("a picture of {width} × {height} dots")))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut dots.as_mut());
    dots.encode_png().map_err(|err| ReportError::Picture(err.to_string()))
}

/// Options for reading SVG: only the embedded font, so that pictures are the same everywhere.
pub(crate) fn options() -> usvg::Options<'static> {
    let mut options = usvg::Options { font_family: FAMILY.to_owned(), ..usvg::Options::default() };
    let fonts = options.fontdb_mut();
    for font in [dejavu::sans_condensed::regular(), dejavu::sans_condensed::bold()] {
        fonts.load_font_source(usvg::fontdb::Source::Binary(Arc::new(font)));
    }
    fonts.set_sans_serif_family(FAMILY);
    options
}
