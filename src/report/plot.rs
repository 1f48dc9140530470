//! One column's two distributions: the reference is a filled shape, the current side a line or a solid bar.
//!
//! ```text
//! numbers   ▁▂▅█▅▂▁ filled    reference        categories   visa   ░░░░░░░░░ reference
//!           ┌┐┌──┐  stepped   current                              ████      current
//! ```

use super::number::{NOTHING, percent, short, value};
use super::shape::{Drawing, at};
use super::words::Tone;
use crate::drift::report::{ColumnReport, Plot};
use std::fmt::Write;

/// Levels drawn as bars of their own; the others are one bar.
const MAX_LEVELS: usize = 6;
const BAR_HEIGHT: f64 = 15.0;
const CHART_HEIGHT: f64 = 50.0;

/// A piece of SVG and how tall it is.
pub(super) struct Piece {
    pub(super) svg: String,
    pub(super) height: f64,
}

/// Draws both distributions of a column, `width` wide.
pub(super) fn column(column: &ColumnReport, width: f64) -> Piece {
    let tone = Tone::of(&column.verdict).class();
    match &column.plot {
        Plot::Number { edges, reference, current } => {
            let bins = Bins::new(edges, width);
            let drawn = if bins.places.len() < 2 { None } else { Some(numbers(column, &bins, [reference, current])) };
            drawn.unwrap_or_else(|| nothing("no values to draw"))
        }
        Plot::Category { levels, reference, current } if !levels.is_empty() => {
            categories(&merged(levels, reference, current), width, tone)
        }
        Plot::Category { .. } | Plot::None => nothing("nothing to draw"),
    }
}

fn nothing(why: &str) -> Piece {
    let mut drawing = Drawing::default();
    drawing.text("ax", (0.0, 34.0), why);
    Piece { svg: drawing.finish(), height: CHART_HEIGHT + 16.0 }
}

/// Where edges stand, and how much wider than the narrowest each bin is.
struct Bins {
    places: Vec<f64>,
    first: f64,
    last: f64,
    width: f64,
    even: bool,
}

impl Bins {
    fn new(edges: &[f64], width: f64) -> Self {
        let (first, last) = (edges.first().copied().unwrap_or(0.0), edges.last().copied().unwrap_or(0.0));
        let n_bins = edges.len().saturating_sub(1).max(1) as f64;
        let narrowest = edges.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        // A bin without width has no density: such bins stand side by side.
        let wide = narrowest > (last - first) * 1e-3 && (last - first).is_finite();
        let even = !wide;
        let place = |(i, edge): (usize, &f64)| match even {
            true => i as f64 / n_bins * width,
            false => (edge - first) / (last - first) * width,
        };
        Self { places: edges.iter().enumerate().map(place).collect(), first, last, width, even }
    }

    /// Heights in proportion to density, so that areas are shares.
    fn densities(&self, shares: &[f64]) -> Vec<f64> {
        let widths = self.places.windows(2).map(|pair| (pair[1] - pair[0]).max(1e-9));
        widths.zip(shares).map(|(width, share)| if share.is_finite() { share.max(0.0) / width } else { 0.0 }).collect()
    }

    /// Where a value stands; beyond the edges is at the edge.
    fn place(&self, x: f64) -> Option<f64> {
        (!self.even && x.is_finite())
            .then(|| ((x - self.first) / (self.last - self.first)).clamp(0.0, 1.0) * self.width)
    }
}

fn numbers(column: &ColumnReport, bins: &Bins, shares: [&Vec<f64>; 2]) -> Piece {
    let tone = Tone::of(&column.verdict).class();
    let densities = shares.map(|shares| bins.densities(shares));
    let top = densities.iter().flatten().copied().fold(0.0, f64::max).max(1e-12);
    let mut drawing = Drawing::default();
    drawing.path("ref", &(steps(&bins.places, &densities[0], top) + "Z"));
    drawing.path(&format!("cur {tone}"), &steps(&bins.places, &densities[1], top));
    drawing.line("base", (0.0, CHART_HEIGHT), (bins.width, CHART_HEIGHT));
    for (median, class) in [(column.reference.median, "ref"), (column.current.median, tone)] {
        if let Some(x) = median.and_then(|median| bins.place(median)) {
            let x = x.clamp(4.0, bins.width - 4.0);
            let mark = format!("M{} {}l4 6h-8Z", at(x), at(CHART_HEIGHT + 1.5));
            drawing.path(&format!("median {class}"), &mark);
        }
    }
    let axis = CHART_HEIGHT + 18.0;
    drawing.text("ax", (0.0, axis), &value(&column.kind, Some(bins.first)));
    drawing.text("ax end", (bins.width, axis), &value(&column.kind, Some(bins.last)));
    Piece { svg: drawing.finish(), height: CHART_HEIGHT + 22.0 }
}

/// The outline of a histogram from its left foot to its right foot.
fn steps(places: &[f64], densities: &[f64], top: f64) -> String {
    let mut d = format!("M{} {}", at(places[0]), at(CHART_HEIGHT));
    for (density, right) in densities.iter().zip(&places[1..]) {
        let y = CHART_HEIGHT - density / top * (CHART_HEIGHT - 2.0);
        let _ = write!(d, "V{}H{}", at(y), at(*right));
    }
    d + &format!("V{}", at(CHART_HEIGHT))
}

/// A level, its share of the reference and of the current rows.
type Level = (String, f64, f64);

/// The levels that are drawn: what is beyond [`MAX_LEVELS`] is one.
fn merged(levels: &[String], reference: &[f64], current: &[f64]) -> Vec<Level> {
    let side = |shares: &[f64], i: usize| shares.get(i).copied().filter(|share| share.is_finite()).unwrap_or(0.0);
    let all: Vec<Level> =
        levels.iter().enumerate().map(|(i, name)| (name.clone(), side(reference, i), side(current, i))).collect();
    if all.len() <= MAX_LEVELS {
        return all;
    }
    let (kept, rest) = all.split_at(MAX_LEVELS - 1);
    // "(other levels)" stands for more than one.
    let at_least = if rest.iter().any(|level| level.0.starts_with("(other")) { "+" } else { "" };
    let sum = rest.iter().fold((0.0, 0.0), |sum, level| (sum.0 + level.1, sum.1 + level.2));
    let mut kept = kept.to_vec();
    kept.push((format!("({}{at_least} others)", rest.len()), sum.0, sum.1));
    kept
}

fn categories(levels: &[Level], width: f64, tone: &str) -> Piece {
    let name_width = width * 0.34;
    let room = width - name_width - 46.0;
    let top = levels.iter().map(|level| level.1.max(level.2)).fold(1e-12, f64::max);
    let mut drawing = Drawing::default();
    for (i, (name, reference, current)) in levels.iter().enumerate() {
        let y = i as f64 * BAR_HEIGHT;
        let visible = if name.is_empty() { "(empty)".to_owned() } else { short(name, (name_width / 6.2) as usize) };
        drawing.text("ax end", (name_width - 6.0, y + 10.0), &visible);
        drawing.rect("ref", (name_width, y + 1.0), (reference / top * room, 5.5));
        drawing.rect(&format!("bar {tone}"), (name_width, y + 6.5), (current / top * room, 5.5));
        let end = name_width + reference.max(*current) / top * room + 5.0;
        drawing.text("ax", (end, y + 10.0), &percent(*current));
    }
    let height = levels.len() as f64 * BAR_HEIGHT;
    drawing.line("base", (name_width, 0.0), (name_width, height));
    Piece { svg: drawing.finish(), height: height + 2.0 }
}

/// What a screen reader says of a plot.
pub(super) fn described(column: &ColumnReport) -> String {
    let medians = [column.reference.median, column.current.median].map(|median| value(&column.kind, median));
    match (&column.plot, column.reference.median.is_some()) {
        (Plot::Number { .. }, true) => {
            format!("Distribution of {}: median {} before, {} now", short(&column.name, 60), medians[0], medians[1])
        }
        (Plot::Category { levels, reference, current }, _) if !levels.is_empty() => {
            let shares = [reference, current].map(|shares| shares.first().map_or(NOTHING.to_owned(), |s| percent(*s)));
            let (name, level) = (short(&column.name, 60), short(&levels[0], 40));
            format!("Levels of {name}: {level} {} before, {} now", shares[0], shares[1])
        }
        _ => format!("Distribution of {}", short(&column.name, 60)),
    }
}
