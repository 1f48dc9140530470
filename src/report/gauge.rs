//! Severity as a half dial, and a bar of the columns by verdict.

use super::number::{NOTHING, percent};
use super::shape::{Drawing, at};
use super::words::{self, Tone};
use crate::drift::report::DriftReport;
use crate::stats::portable::Portable;
use std::f64::consts::PI;

/// Width and height of the dial.
pub(super) const DIAL: (f64, f64) = (260.0, 158.0);

const CENTRE: (f64, f64) = (130.0, 128.0);
const RADIUS: f64 = 96.0;

/// The half dial: LOW up to a quarter, MEDIUM up to a half, HIGH above; the needle shows the deciding share.
pub(super) fn dial(report: &DriftReport) -> String {
    let (share, _) = words::share(report);
    let mut drawing = Drawing::default();
    for (from, to, zone, name) in
        [(0.0, 0.25, "low", "LOW"), (0.25, 0.5, "medium", "MEDIUM"), (0.5, 1.0, "high", "HIGH")]
    {
        drawing.path(&format!("zone {zone}"), &arc(from + 0.004, to - 0.004, RADIUS));
        let (x, y) = point((from + to) / 2.0, RADIUS + 17.0);
        let side = if x < CENTRE.0 - 30.0 { "ax end" } else { "ax mid" };
        let x = if zone == "high" { x + 14.0 } else { x };
        drawing.text(side, (x.max(26.0), y + 4.0), name);
    }
    let threshold = report.share.threshold.clamp(0.0, 1.0);
    drawing.line("limit", point(threshold, RADIUS - 17.0), point(threshold, RADIUS + 12.0));
    if let Some(share) = share {
        let share = share.clamp(0.0, 1.0);
        let (tip, left, right) = (point(share, RADIUS - 2.0), point(share - 0.018, 64.0), point(share + 0.018, 64.0));
        let d = [tip, left, right].map(|(x, y)| format!("{} {}", at(x), at(y))).join("L");
        drawing.path("needle", &format!("M{d}Z"));
    }
    drawing.text("big mid", (CENTRE.0, CENTRE.1 - 12.0), &share.map_or(NOTHING.to_owned(), percent));
    drawing.text("strong mid", (CENTRE.0, CENTRE.1 + 8.0), words::severity(report.verdict.severity));
    drawing.text("ax mid", (CENTRE.0, CENTRE.1 + 26.0), &format!("threshold {}", percent(report.share.threshold)));
    drawing.finish()
}

/// A point on the dial: 0 is at the left, 1 at the right.
fn point(share: f64, radius: f64) -> (f64, f64) {
    let angle = PI * (1.0 - share);
    (CENTRE.0 + radius * angle.cos_portable(), CENTRE.1 - radius * angle.sin_portable())
}

fn arc(from: f64, to: f64, radius: f64) -> String {
    let (start, end) = (point(from, radius), point(to, radius));
    format!("M{} {}A{radius} {radius} 0 0 1 {} {}", at(start.0), at(start.1), at(end.0), at(end.1))
}

/// A bar of drifted, stable and unknown columns.
pub(super) fn share_bar(report: &DriftReport, width: f64, height: f64) -> String {
    let counts = words::share_counts(report);
    let all: u64 = counts.iter().map(|(_, n)| n).sum();
    let mut drawing = Drawing::default();
    let mut x = 0.0;
    for (tone, n) in counts.into_iter().filter(|(_, n)| *n > 0) {
        let part = n as f64 / all as f64 * width;
        drawing.rect(&format!("bar {}", tone.class()), (x, 0.0), (part - 2.0, height));
        if tone == Tone::Unknown {
            drawing.raw(&hatch((x, 0.0), (part - 2.0, height)));
        }
        x += part;
    }
    drawing.finish()
}

/// Hatching, so that unknown columns are recognisable without colour.
fn hatch((x, y): (f64, f64), (width, height): (f64, f64)) -> String {
    let mut drawing = Drawing::default();
    let mut d = String::new();
    let mut left = x + 2.0;
    while left + height < x + width {
        d.push_str(&format!("M{} {}l{} -{}", at(left), at(y + height), at(height), at(height)));
        left += 6.0;
    }
    drawing.path("hatch", &d);
    drawing.finish()
}
