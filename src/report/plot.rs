//! The two distributions of a column: the reference as a filled shape, the current data as a line or a solid bar.
//!
//! ```text
//! numbers   ▁▂▅█▅▂▁ filled    reference        categories   visa   ░░░░░░░░░ 41 %   reference
//!           ┌┐┌──┐  stepped   current                              ████ 20 %        current
//! ```

use super::number::{NOTHING, percent, short, value};
use super::shape::{Drawing, at};
use super::words::Tone;
use crate::drift::report::{Axis, ColumnReport, Plot, Summary};
use crate::stats::portable::Portable;
use std::fmt::Write;

/// Maximum number of levels with separate bars, in small and large plots; the others share one bar.
const MAX_LEVELS: [usize; 2] = [6, 12];
/// Height of a level: one bar per side, each with its own number.
const LEVEL_HEIGHT: f64 = 26.0;
const CHART_HEIGHT: f64 = 50.0;
/// From this width on, a plot is taller, with more levels and more numbers on the axis.
const LARGE: f64 = 400.0;
/// Width of a letter on an axis, and the gap between two names.
const LETTER: f64 = 6.2;
const GAP: f64 = 12.0;

/// An SVG fragment and its height.
pub(super) struct Piece {
    pub(super) svg: String,
    pub(super) height: f64,
}

/// Draws both distributions of a column, `width` wide.
pub(super) fn column(column: &ColumnReport, width: f64) -> Piece {
    let tone = Tone::of(&column.verdict).class();
    match &column.plot {
        Plot::Number { axis, edges, reference, current } if edges.len() > 1 => {
            numbers(column, &Bins::new(edges, *axis, width), [reference, current])
        }
        Plot::Category { levels, reference, current } if !levels.is_empty() => {
            let most = MAX_LEVELS[usize::from(width >= LARGE)];
            categories(&merged(levels, reference, current, most), width, tone)
        }
        Plot::Number { .. } => nothing("no values to draw"),
        Plot::Category { .. } | Plot::None => nothing("nothing to draw"),
    }
}

fn nothing(why: &str) -> Piece {
    let mut drawing = Drawing::default();
    drawing.text("ax", (0.0, 34.0), why);
    Piece { svg: drawing.finish(), height: CHART_HEIGHT + 16.0 }
}

/// The positions of edges.
struct Bins<'a> {
    edges: &'a [f64],
    places: Vec<f64>,
    axis: Axis,
    width: f64,
    height: f64,
}

impl<'a> Bins<'a> {
    fn new(edges: &'a [f64], axis: Axis, width: f64) -> Self {
        let (first, last) = (edges.first().copied().unwrap_or(0.0), edges.last().copied().unwrap_or(0.0));
        let n_bins = edges.len().saturating_sub(1).max(1) as f64;
        let narrowest = edges.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        // A bin without width has no density: then bins are drawn with equal widths.
        let wide = narrowest > (last - first) * 1e-3 && (last - first).is_finite();
        let place = |(i, edge): (usize, &f64)| match axis {
            Axis::Log if first > 0.0 && last > first => {
                (edge / first).ln_portable() / (last / first).ln_portable() * width
            }
            Axis::Linear if wide => (edge - first) / (last - first) * width,
            _ => i as f64 / n_bins * width,
        };
        let height = if width >= LARGE { 5.0 * CHART_HEIGHT } else { CHART_HEIGHT };
        Self { edges, places: edges.iter().enumerate().map(place).collect(), axis, width, height }
    }

    /// Heights proportional to density, so that areas are shares.
    fn densities(&self, shares: &[f64]) -> Vec<f64> {
        let widths = self.places.windows(2).map(|pair| (pair[1] - pair[0]).max(1e-9));
        widths.zip(shares).map(|(width, share)| if share.is_finite() { share.max(0.0) / width } else { 0.0 }).collect()
    }

    /// The position of a value; values beyond the edges are placed at the edge.
    fn place(&self, x: f64) -> Option<f64> {
        let right = self.edges.partition_point(|edge| *edge <= x).clamp(1, self.edges.len() - 1);
        let (from, to) = (self.edges[right - 1], self.edges[right]);
        let share = match self.axis {
            Axis::Log if from > 0.0 => (x / from).ln_portable() / (to / from).ln_portable(),
            _ => (x - from) / (to - from),
        };
        let (left, right) = (self.places[right - 1], self.places[right]);
        (x.is_finite() && share.is_finite()).then(|| left + share.clamp(0.0, 1.0) * (right - left))
    }

    /// Values labelled between the ends.
    fn ticks(&self) -> Vec<f64> {
        let (first, last) = (self.edges[0], self.edges[self.edges.len() - 1]);
        match self.axis {
            Axis::Log if first > 0.0 && last.is_finite() => {
                let powers = first.log10_portable().ceil() as i32..=last.log10_portable().floor() as i32;
                powers.map(|power| 10_f64.powi(power)).collect()
            }
            Axis::Quantile => self.edges.iter().skip(1).step_by(4).copied().collect(),
            _ => (1..4).map(|i| first + (last - first) * f64::from(i) / 4.0).collect(),
        }
    }
}

fn numbers(column: &ColumnReport, bins: &Bins, shares: [&Vec<f64>; 2]) -> Piece {
    let tone = Tone::of(&column.verdict).class();
    let densities = shares.map(|shares| bins.densities(shares));
    let top = densities.iter().flatten().copied().fold(0.0, f64::max).max(1e-12);
    let mut drawing = Drawing::default();
    drawing.path("ref", &(steps(bins, &densities[0], top) + "Z"));
    drawing.path(&format!("cur {tone}"), &steps(bins, &densities[1], top));
    drawing.line("base", (0.0, bins.height), (bins.width, bins.height));
    for (median, class) in [(column.reference.median, "ref"), (column.current.median, tone)] {
        if let Some(x) = median.and_then(|median| bins.place(median)) {
            let x = x.clamp(4.0, bins.width - 4.0);
            let mark = format!("M{} {}l4 6h-8Z", at(x), at(bins.height + 1.5));
            drawing.path(&format!("median {class}"), &mark);
        }
    }
    let height = axis(&mut drawing, column, bins);
    Piece { svg: drawing.finish(), height }
}

/// Numbers along the axis and its scale; returns the end position.
fn axis(drawing: &mut Drawing, column: &ColumnReport, bins: &Bins) -> f64 {
    let y = bins.height + 18.0;
    let name = |x: f64| value(&column.kind, Some(x));
    let (low, high) = (bins.edges[0], bins.edges[bins.edges.len() - 1]);
    // The first and the last bin include values beyond the edges, which a log scale cannot show.
    let beyond = |of: fn(&Summary) -> Option<f64>, is: &dyn Fn(f64) -> bool| {
        [&column.reference, &column.current].into_iter().filter_map(of).any(is)
    };
    let first = if beyond(|side| side.min, &|x| x < low) { format!("≤ {}", name(low)) } else { name(low) };
    let last = if beyond(|side| side.max, &|x| x > high) { format!("≥ {}", name(high)) } else { name(high) };
    drawing.text("ax", (0.0, y), &first);
    drawing.text("ax end", (bins.width, y), &last);
    let wide = |name: &str| name.chars().count() as f64 * LETTER;
    let (mut left, right) = (wide(&first) + GAP, bins.width - wide(&last) - GAP);
    for (tick, x) in bins.ticks().into_iter().filter_map(|tick| Some((name(tick), bins.place(tick)?))) {
        let half = wide(&tick) / 2.0;
        if x - half > left && x + half < right {
            drawing.line("base", (x, bins.height), (x, bins.height + 4.0));
            drawing.text("ax mid", (x, y), &tick);
            left = x + half + GAP;
        }
    }
    let runs = match bins.axis {
        Axis::Linear => return y + 4.0,
        Axis::Log => "log scale",
        Axis::Quantile => "quantile scale",
    };
    drawing.text("ax mid", (bins.width / 2.0, y + 12.0), runs);
    y + 16.0
}

/// The outline of a histogram from left to right.
fn steps(bins: &Bins, densities: &[f64], top: f64) -> String {
    let foot = bins.height;
    let mut d = format!("M{} {}", at(bins.places[0]), at(foot));
    for (density, right) in densities.iter().zip(&bins.places[1..]) {
        let y = foot - density / top * (foot - 2.0);
        let _ = write!(d, "V{}H{}", at(y), at(*right));
    }
    d + &format!("V{}", at(foot))
}

/// A level, its share of the reference and of the current rows.
type Level = (String, f64, f64);

/// The levels to draw: those beyond `most` are merged.
fn merged(levels: &[String], reference: &[f64], current: &[f64], most: usize) -> Vec<Level> {
    let side = |shares: &[f64], i: usize| shares.get(i).copied().filter(|share| share.is_finite()).unwrap_or(0.0);
    let all: Vec<Level> =
        levels.iter().enumerate().map(|(i, name)| (name.clone(), side(reference, i), side(current, i))).collect();
    if all.len() <= most {
        return all;
    }
    let (kept, rest) = all.split_at(most - 1);
    // "(other levels)" stands for more than one level.
    let at_least = if rest.iter().any(|level| level.0.starts_with("(other")) { "+" } else { "" };
    let sum = rest.iter().fold((0.0, 0.0), |sum, level| (sum.0 + level.1, sum.1 + level.2));
    let mut kept = kept.to_vec();
    kept.push((format!("({}{at_least} others)", rest.len()), sum.0, sum.1));
    kept
}

fn categories(levels: &[Level], width: f64, tone: &str) -> Piece {
    let name_width = (width * 0.34).min(190.0);
    let room = width - name_width - 62.0;
    let top = levels.iter().map(|level| level.1.max(level.2)).fold(1e-12, f64::max);
    let mut drawing = Drawing::default();
    for (i, (name, reference, current)) in levels.iter().enumerate() {
        let y = i as f64 * LEVEL_HEIGHT;
        let visible = if name.is_empty() { "(empty)".to_owned() } else { short(name, (name_width / LETTER) as usize) };
        drawing.text("ax end", (name_width - 6.0, y + 15.0), &visible);
        let note = match (*reference > 0.0, *current > 0.0) {
            (false, true) => " new",
            (true, false) => " gone",
            _ => "",
        };
        for (class, share, note, down) in
            [("ref", *reference, "", 2.0), (format!("bar {tone}").as_str(), *current, note, 13.0)]
        {
            let length = share / top * room;
            drawing.rect(class, (name_width, y + down), (length, 9.0));
            drawing.text("ax", (name_width + length + 4.0, y + down + 8.5), &format!("{}{note}", percent(share)));
        }
    }
    let height = levels.len() as f64 * LEVEL_HEIGHT;
    drawing.line("base", (name_width, 0.0), (name_width, height));
    Piece { svg: drawing.finish(), height: height + 2.0 }
}

/// The description of a plot for screen readers.
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
