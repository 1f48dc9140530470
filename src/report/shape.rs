//! Building blocks of SVG: escaped text, rounded coordinates.

use super::number::clean;
use crate::markup::escaped;
use std::fmt::Write;

/// Text that is safe between tags and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    escaped(&clean(text))
}

/// A coordinate with one decimal.
pub(crate) fn at(x: f64) -> String {
    let x = if x.is_finite() { (x * 10.0).round() / 10.0 } else { 0.0 };
    if x == 0.0 { "0".to_owned() } else { x.to_string() }
}

/// A drawing under construction.
#[derive(Debug, Default)]
pub(crate) struct Drawing {
    body: String,
}

impl Drawing {
    /// Adds raw SVG.
    pub(crate) fn raw(&mut self, svg: &str) -> &mut Self {
        self.body.push_str(svg);
        self
    }

    /// A box.
    pub(crate) fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) -> &mut Self {
        let (width, height) = (width.max(0.0), height.max(0.0));
        let _ = write!(
            self.body,
            r#"<rect class="{class}" x="{}" y="{}" width="{}" height="{}"/>"#,
            at(x),
            at(y),
            at(width),
            at(height)
        );
        self
    }

    /// A path.
    pub(crate) fn path(&mut self, class: &str, d: &str) -> &mut Self {
        let _ = write!(self.body, r#"<path class="{class}" d="{d}"/>"#);
        self
    }

    /// A straight line.
    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) -> &mut Self {
        self.path(class, &format!("M{} {}L{} {}", at(from.0), at(from.1), at(to.0), at(to.1)))
    }

    /// Text with a CSS class for its style.
    pub(crate) fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) -> &mut Self {
        let _ = write!(self.body, r#"<text class="{class}" x="{}" y="{}">{}</text>"#, at(x), at(y), escape(text));
        self
    }

    /// SVG elements, moved.
    pub(crate) fn group(&mut self, (x, y): (f64, f64), svg: &str) -> &mut Self {
        let _ = write!(self.body, r#"<g transform="translate({} {})">{svg}</g>"#, at(x), at(y));
        self
    }

    /// The SVG elements alone.
    pub(crate) fn finish(self) -> String {
        self.body
    }

    /// The drawing as an image in a page, with a title for screen readers.
    pub(crate) fn image(self, class: &str, (width, height): (f64, f64), title: &str) -> String {
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="{class}" viewBox="0 0 {} {}" role="img"><title>{}</title>{}</svg>"#,
            at(width),
            at(height),
            escape(title),
            self.body
        )
    }
}
