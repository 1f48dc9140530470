//! The report of a version: column importance as a picture, alone and with the results on the gate rows.

use super::ReportError;
use super::curves::Picture;
use super::number::{percent, short};
use super::shape::{Drawing, at, escape};

const WIDTH: f64 = 720.0;
const MARGIN: f64 = 24.0;
const HEAD: f64 = 64.0;
const ROW: f64 = 26.0;
/// The left end of bars, and the maximum length.
const BARS: f64 = 250.0;
const LONGEST: f64 = 380.0;
/// Maximum number of columns shown.
const MOST: usize = 20;
/// Characters per line of words.
const LINE: usize = 110;

const STYLE: &str = "\
text{font-family:'Helvetica Neue',Arial,'DejaVu Sans','DejaVu Sans Condensed',sans-serif;font-size:14px;fill:#1b1f24}\
.h1{font-size:18px;font-weight:700}.end{text-anchor:end}.ax{font-size:12px;fill:#5b6470}.bar,.spot{fill:#2a78b0}.page{fill:#fff}.mid{text-anchor:middle}\
.base{fill:none;stroke:#98a2ad}.cur{fill:none;stroke:#2a78b0;stroke-width:1.8}.limit{fill:none;stroke:#1b1f24;stroke-dasharray:4 3}\
@media(prefers-color-scheme:dark){text{fill:#e6e9ee}.ax{fill:#a7b0bb}.bar{fill:#62a8d8}.page{fill:#14181d}}";

/// Bars of each column's share of the gain, largest first; each share is from 0 to 1. `words` are lines below the bars:
/// the strongest words of text columns.
#[must_use]
pub fn importance_svg(title: &str, shares: &[(String, f64)], words: &[String]) -> String {
    let mut drawing = Drawing::default();
    let mut height = bars(&mut drawing, title, shares);
    for line in words.iter().take(MOST) {
        drawing.text("ax", (MARGIN, height + 8.0), &short(line, LINE));
        height += 24.0;
    }
    whole(title, (WIDTH, height), drawing)
}

/// The same as pixels, two per unit, with titled charts of the results on the gate rows to the right.
///
/// # Errors
/// If the picture is too large for memory.
pub(crate) fn importance_picture(
    title: &str,
    shares: &[(String, f64)],
    beside: Vec<(&str, Picture)>,
) -> Result<Vec<u8>, ReportError> {
    const HEADING: f64 = 24.0;
    let mut drawing = Drawing::default();
    let mut height = bars(&mut drawing, title, shares);
    let (width, each) = Picture::SIZE;
    let n_rows = beside.len().div_ceil(2);
    for (n, (name, picture)) in beside.into_iter().enumerate() {
        let at = (WIDTH + (n % 2) as f64 * (width + MARGIN), HEAD + (n / 2) as f64 * (each + HEADING));
        drawing.text("", (at.0, at.1), name);
        drawing.group((at.0, at.1 + 12.0), &picture.piece());
    }
    height = height.max(HEAD + n_rows as f64 * (each + HEADING) + MARGIN);
    super::raster::png(&whole(title, (WIDTH + 2.0 * (width + MARGIN), height), drawing), 2.0)
}

/// Draws the title and a bar for each column; returns the height.
fn bars(drawing: &mut Drawing, title: &str, shares: &[(String, f64)]) -> f64 {
    drawing.text("h1", (MARGIN, 32.0), title);
    drawing.text("ax", (MARGIN, 52.0), "gain: share of the loss reduction by the trees' splits, by column");
    let largest = shares.iter().map(|(_, share)| *share).fold(f64::MIN_POSITIVE, f64::max);
    for (at, (column, share)) in shares.iter().take(MOST).enumerate() {
        let y = HEAD + ROW * at as f64;
        drawing.text("end", (BARS - 10.0, y + 18.0), &short(column, 30));
        let length = LONGEST * share / largest;
        drawing.rect("bar", (BARS, y + 4.0), (length.max(1.0), ROW - 8.0));
        drawing.text("ax", (BARS + length + 8.0, y + 18.0), &percent(*share));
    }
    let shown = shares.len().min(MOST);
    let mut height = HEAD + ROW * shown as f64 + 12.0;
    if shares.len() > MOST {
        drawing.text("ax", (BARS, height + 8.0), &format!("{} more columns", shares.len() - MOST));
        height += 24.0;
    }
    height
}

/// A self-contained picture.
fn whole(title: &str, (width, height): (f64, f64), drawing: Drawing) -> String {
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img"><title>{}</title><style>{STYLE}</style><rect class="page" width="{w}" height="{h}"/>{}</svg>"#,
        escape(title),
        drawing.finish(),
        w = at(width),
        h = at(height),
    )
}

#[cfg(test)]
mod tests {
    use super::importance_svg;

    #[test]
    fn bars_are_in_proportion_and_names_are_escaped() {
        let shares: Vec<(String, f64)> = vec![("a<b".to_owned(), 0.8), ("c".to_owned(), 0.2)];
        let svg = importance_svg("What matters", &shares, &["review: terrible +1.2".to_owned()]);
        assert!(svg.contains("review: terrible"), "{svg}");
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"));
        assert!(svg.contains(r#"width="380" height="18""#) && svg.contains(r#"width="95" height="18""#), "{svg}");
        let many: Vec<(String, f64)> = (0..25).map(|i| (format!("c{i}"), 0.04)).collect();
        assert!(importance_svg("x", &many, &[]).contains("5 more columns"));
    }
}
