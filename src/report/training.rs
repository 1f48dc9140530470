//! What stands beside a version: how much each column matters, as a picture.

use super::number::{percent, short};
use super::shape::{Drawing, at, escape};

const WIDTH: f64 = 720.0;
const MARGIN: f64 = 24.0;
const HEAD: f64 = 64.0;
const ROW: f64 = 26.0;
/// Where bars begin, and how long the longest is.
const BARS: f64 = 250.0;
const LONGEST: f64 = 380.0;
/// Columns that are shown.
const MOST: usize = 20;
/// Signs of a line of words.
const LINE: usize = 110;

const STYLE: &str = "\
text{font-family:'Helvetica Neue',Arial,'DejaVu Sans','DejaVu Sans Condensed',sans-serif;font-size:14px;fill:#1b1f24}\
.h1{font-size:18px;font-weight:700}.end{text-anchor:end}.ax{font-size:12px;fill:#5b6470}.bar{fill:#2a78b0}.page{fill:#fff}\
@media(prefers-color-scheme:dark){text{fill:#e6e9ee}.ax{fill:#a7b0bb}.bar{fill:#62a8d8}.page{fill:#14181d}}";

/// Bars of each column's share of the gain, largest first; `shares` are such pairs, from 0 to 1. `words` are lines
/// below: the strongest words of columns of texts.
#[must_use]
pub fn importance_svg(title: &str, shares: &[(String, f64)], words: &[String]) -> String {
    let mut drawing = Drawing::default();
    drawing.text("h1", (MARGIN, 32.0), title);
    drawing.text("ax", (MARGIN, 52.0), "share of the loss that the trees' splits took away, by column");
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
    for line in words.iter().take(MOST) {
        drawing.text("ax", (MARGIN, height + 8.0), &short(line, LINE));
        height += 24.0;
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{h}" viewBox="0 0 {WIDTH} {h}" role="img"><title>{}</title><style>{STYLE}</style><rect class="page" width="{WIDTH}" height="{h}"/>{}</svg>"#,
        escape(title),
        drawing.finish(),
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
