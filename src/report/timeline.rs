//! The current table over time: the share of drifted columns by period, and which column drifted when.

use super::number::{clean, percent, short};
use super::plot::Piece;
use super::shape::{Drawing, at};
use crate::drift::report::{Chunk, ColumnReport, DriftReport};
use std::fmt::Write;

/// Most periods drawn; with more, the oldest are omitted.
const MAX_CHUNKS: usize = 104;
/// Rows of the grid.
const MAX_COLUMNS: usize = 60;
const ROW_HEIGHT: f64 = 17.0;

/// The periods drawn.
pub(super) fn drawn(report: &DriftReport) -> &[Chunk] {
    &report.history[report.history.len().saturating_sub(MAX_CHUNKS)..]
}

/// The share of the last period, or why it has none.
pub(super) fn last(report: &DriftReport) -> String {
    let Some(chunk) = report.history.last() else { return "no rows".to_owned() };
    match (chunk.share, &chunk.reason) {
        (Some(share), _) => percent(share),
        (None, Some(reason)) => format!("cannot tell: {}", short(&clean(reason), 60)),
        (None, None) => "cannot tell".to_owned(),
    }
}

/// Draws the share of each period as a bar, with a line at the threshold.
pub(super) fn shares(report: &DriftReport, left: f64, width: f64, height: f64) -> Piece {
    let chunks = drawn(report);
    let step = width / chunks.len().max(1) as f64;
    let threshold = report.share.threshold;
    let top = chunks.iter().filter_map(|chunk| chunk.share).fold(threshold * 1.25, f64::max).clamp(0.05, 1.0);
    let y_of = |share: f64| height - (share / top).min(1.0) * (height - 10.0);
    let mut drawing = Drawing::default();
    for (i, chunk) in chunks.iter().enumerate() {
        let x = left + i as f64 * step;
        let bar = (step - 3.0).max(step * 0.7);
        match chunk.share {
            Some(share) => {
                let tone = if share >= threshold { "drifted" } else { "stable" };
                let y = y_of(share).min(height - 1.0);
                drawing.rect(&format!("bar {tone}"), (x, y), (bar, height - y));
                if step > 34.0 {
                    // Placed above the threshold's line if the line would cross the number.
                    let limit = y_of(threshold);
                    let foot = if (y - 15.0..y).contains(&limit) { limit - 4.0 } else { y - 4.0 };
                    drawing.text("ax mid", (x + bar / 2.0, foot), &percent(share));
                }
            }
            None => {
                drawing.text("ax mid", (x + bar / 2.0, height - 4.0), "?");
            }
        }
    }
    drawing.line("base", (left, height), (left + width, height));
    drawing.line("limit", (left, y_of(threshold)), (left + width, y_of(threshold)));
    drawing.text("ax end", (left - 8.0, y_of(threshold) + 4.0), &format!("threshold {}", percent(threshold)));
    drawing.text("ax end", (left - 8.0, height), "0 %");
    names(&mut drawing, chunks, left, step, height + 16.0);
    Piece { svg: drawing.finish(), height: height + 22.0 }
}

/// Names under as many periods as there is room for.
fn names(drawing: &mut Drawing, chunks: &[Chunk], left: f64, step: f64, y: f64) {
    let longest = chunks.iter().map(|chunk| chunk.name.chars().count().min(16)).max().unwrap_or(1);
    let every = ((longest as f64 * 6.4 + 10.0) / step).ceil().max(1.0) as usize;
    for (i, chunk) in chunks.iter().enumerate().step_by(every) {
        drawing.text("ax", (left + i as f64 * step, y), &short(&chunk.name, 16));
    }
}

/// A column's verdicts by period.
fn row(chunks: &[Chunk], place: usize, name: &str) -> Vec<Option<bool>> {
    let here = |chunk: &Chunk| match chunk.columns.get(place) {
        Some(column) if column.name == name => column.drifted,
        _ => chunk.columns.iter().find(|column| column.name == name).and_then(|column| column.drifted),
    };
    chunks.iter().map(here).collect()
}

/// The period since which a column has drifted without interruption.
fn onset(verdicts: &[Option<bool>]) -> Option<usize> {
    let calm = verdicts.iter().rposition(|verdict| *verdict == Some(false)).map_or(0, |i| i + 1);
    (calm..verdicts.len()).find(|i| verdicts[*i] == Some(true))
}

/// Draws columns × periods: a block for drifted, a dot for stable, a dash without a verdict.
pub(super) fn grid(report: &DriftReport, columns: &[&ColumnReport], left: f64, width: f64) -> Piece {
    let chunks = drawn(report);
    let room = width - 96.0;
    let step = room / chunks.len().max(1) as f64;
    let mut drawing = Drawing::default();
    for (i, column) in columns.iter().take(MAX_COLUMNS).enumerate() {
        let y = i as f64 * ROW_HEIGHT;
        let place = report.columns.iter().position(|other| other.name == column.name).unwrap_or(i);
        let verdicts = row(chunks, place, &column.name);
        drawing.text("ax end", (left - 8.0, y + 12.0), &short(&column.name, (left / 6.6) as usize));
        let [mut blocks, mut dots, mut dashes] = [const { String::new() }; 3];
        for (j, verdict) in verdicts.iter().enumerate() {
            let (x, wide) = (left + j as f64 * step, (step - 2.0).max(step * 0.8));
            let middle = x + wide / 2.0;
            let _ = match verdict {
                Some(true) => write!(blocks, "M{} {}h{}v13h-{}z", at(x), at(y + 2.0), at(wide), at(wide)),
                Some(false) => write!(dots, "M{} {}h3v3h-3z", at(middle - 1.5), at(y + 7.0)),
                None => write!(dashes, "M{} {}h{}", at(middle - 2.5), at(y + 8.5), at(5.0_f64.min(wide))),
            };
        }
        drawing.path("bar drifted", &blocks).path("bar stable", &dots).path("hatch", &dashes);
        if let Some(first) = onset(&verdicts) {
            let since = format!("since {}", short(&chunks[first].name, 10));
            drawing.text("ax", (left + room + 6.0, y + 12.0), &since);
        }
    }
    Piece { svg: drawing.finish(), height: columns.len().min(MAX_COLUMNS) as f64 * ROW_HEIGHT + 4.0 }
}

/// The columns and periods that the pictures omit.
pub(super) fn left_out(report: &DriftReport) -> String {
    let (chunks, columns) = (report.history.len(), report.columns.len());
    let mut said = Vec::new();
    if chunks > MAX_CHUNKS {
        said.push(format!("the last {MAX_CHUNKS} of {chunks} periods"));
    }
    if columns > MAX_COLUMNS {
        said.push(format!("the first {MAX_COLUMNS} of {columns} columns"));
    }
    if said.is_empty() { String::new() } else { format!("Shown: {}.", said.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use super::onset;

    #[test]
    fn drift_begins_after_the_last_calm_piece() {
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(onset(&[no, yes, no, yes, None, yes]), Some(3));
        assert_eq!(onset(&[yes, yes]), Some(0));
        assert_eq!(onset(&[yes, no]), None);
        assert_eq!(onset(&[None, None]), None);
    }
}
