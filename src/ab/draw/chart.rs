//! The charts: the effect with its narrowing band, the arms, the sample ratio.

use super::words;
use crate::ab::report::{AbReport, ArmOutcome, Effect, OutcomeReport};
use crate::ab::units::Kind;
use crate::report::number::{count, short};
use crate::report::shape::{Drawing, at};
use crate::stats::normal;
use crate::stats::portable::Portable;
use std::fmt::Write;

/// Margin to the left of a chart.
const LEFT: f64 = 76.0;
const EFFECT_HEIGHT: f64 = 190.0;
/// Height for the name of the axis above it.
const TOP: f64 = 20.0;
const ROW: f64 = 34.0;
/// Height for the numbers of an axis below it.
const AXIS: f64 = 24.0;
/// Height for the name of an axis below its numbers.
const NAME: f64 = 14.0;

/// An SVG fragment and its height.
pub(super) struct Piece {
    pub(super) svg: String,
    pub(super) height: f64,
}

/// The effect of one comparison by number of units: a line, its band, and a line at 0. `None` without any value.
pub(super) fn effect(outcome: &OutcomeReport, comparison: usize, width: f64) -> Option<Piece> {
    let points: Vec<(u64, Effect)> =
        outcome.looks.iter().filter_map(|look| Some((look.n, (*look.effects.get(comparison)?)?))).collect();
    let (last_n, _) = *points.last()?;
    let bottom = TOP + EFFECT_HEIGHT;
    let scale = Scale::new(&points, last_n as f64, width - LEFT);
    let mut drawing = Drawing::default();
    let upper = points.iter().map(|(n, effect)| scale.point(*n, effect.high));
    let lower = points.iter().rev().map(|(n, effect)| scale.point(*n, effect.low));
    drawing.path("band", &(path(upper.chain(lower)) + "Z"));
    for value in scale.ticks() {
        let y = scale.y(value);
        let class = if value == 0.0 { "zero" } else { "rule" };
        drawing.line(class, (LEFT, y), (width, y));
        drawing.text(
            "ax end",
            (LEFT - 8.0, y + 4.0),
            &if value == 0.0 { "0".to_owned() } else { words::gap(outcome.kind, value) },
        );
    }
    drawing.path("effect", &path(points.iter().map(|(n, effect)| scale.point(*n, effect.difference))));
    drawing.text("ax", (0.0, 11.0), words::unit(outcome.kind));
    drawing.line("rule", (LEFT, bottom), (width, bottom));
    let step = round_up(last_n as f64 / 6.0).max(1.0);
    for n in (0..).map(|i| f64::from(i) * step).take_while(|n| *n < 0.9 * last_n as f64) {
        let (x, _) = scale.point(n as u64, 0.0);
        drawing.line("rule", (x, bottom), (x, bottom + 5.0));
        drawing.text("ax mid", (x, bottom + 18.0), &count(n as u64));
    }
    drawing.line("rule", (width, bottom), (width, bottom + 5.0));
    drawing.text("ax end", (width, bottom + 18.0), &format!("{} units", count(last_n)));
    let times: Vec<&str> = [outcome.looks.first(), outcome.looks.last()]
        .into_iter()
        .filter_map(|look| look?.at.as_deref().map(|at| at.get(..10).unwrap_or(at)))
        .collect();
    let mut height = bottom + AXIS;
    if let [first, last] = times.as_slice() {
        drawing.text("ax", (LEFT, bottom + 34.0), first);
        drawing.text("ax end", (width, bottom + 34.0), last);
        height += 16.0;
    }
    Some(Piece { svg: drawing.finish(), height })
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (i, (x, y)) in points.enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(d, "{}{} {}", if i == 0 { "M" } else { "L" }, at(x), at(y));
    }
    d
}

/// Maps units and differences to positions.
struct Scale {
    n: f64,
    low: f64,
    high: f64,
    width: f64,
}

impl Scale {
    /// The bands of the first looks would dominate the chart, so the height is that of the band after the first sixth.
    fn new(points: &[(u64, Effect)], n: f64, width: f64) -> Self {
        let late = || points.iter().skip(points.len() / 6).map(|(_, effect)| effect);
        let low = late().map(|effect| effect.low).fold(0.0, f64::min);
        let high = late().map(|effect| effect.high).fold(0.0, f64::max);
        let room = ((high - low) * 0.04).max(f64::MIN_POSITIVE);
        Self { n, low: low - room, high: high + room, width }
    }

    fn y(&self, value: f64) -> f64 {
        TOP + ((self.high - value) / (self.high - self.low)).clamp(0.0, 1.0) * EFFECT_HEIGHT
    }

    fn point(&self, n: u64, value: f64) -> (f64, f64) {
        (LEFT + n as f64 / self.n * self.width, self.y(value))
    }

    /// Round values, including 0.
    fn ticks(&self) -> Vec<f64> {
        ticks(self.low, self.high, 5.0)
    }
}

/// About this many round values from `low` to `high`.
fn ticks(low: f64, high: f64, about: f64) -> Vec<f64> {
    let step = round_up((high - low) / about);
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    // If values differ only in the last digits, there are no round values between them.
    let n = if (last - first).is_finite() { (last - first).clamp(-1.0, 12.0) as i32 } else { -1 };
    (0..=n).map(|i| (first + f64::from(i)) * step).collect()
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_up(x: f64) -> f64 {
    let power = 10_f64.powf_portable(x.abs().max(f64::MIN_POSITIVE).log10_portable().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= x).unwrap_or(10.0 * power)
}

/// The 95 % interval of an arm; that of a share stays within 0 and 1, and has a width even if the share is 0.
fn interval(outcome: &OutcomeReport, arm: &ArmOutcome) -> Option<(f64, f64)> {
    let half = normal::quantile(0.975) * arm.error;
    let ends = match outcome.kind {
        Kind::Share if arm.n > 0 => normal::wilson(arm.mean, arm.n as f64),
        _ => (arm.mean - half, arm.mean + half),
    };
    (ends.0.is_finite() && ends.1.is_finite()).then_some(ends)
}

/// The mean of each arm with its 95 % interval, above an axis.
pub(super) fn arms(outcome: &OutcomeReport, width: f64) -> Piece {
    let ends = || outcome.arms.iter().filter_map(|arm| interval(outcome, arm));
    let low = ends().map(|(low, _)| low).fold(f64::INFINITY, f64::min);
    let high = ends().map(|(_, high)| high).fold(f64::NEG_INFINITY, f64::max);
    let (name_width, right) = (width * 0.34, 78.0);
    let room = width - name_width - right;
    let x = |value: f64| name_width + (value - low) / (high - low).max(f64::MIN_POSITIVE) * room;
    let mut drawing = Drawing::default();
    let bottom = outcome.arms.len() as f64 * ROW;
    for value in if low < high { ticks(low, high, 4.0) } else { Vec::new() } {
        drawing.line("rule", (x(value), 0.0), (x(value), bottom));
        drawing.text("ax mid", (x(value), bottom + 14.0), &words::mean(outcome.kind, value));
    }
    for (i, arm) in outcome.arms.iter().enumerate() {
        let y = i as f64 * ROW + 15.0;
        drawing.text("name end", (name_width - 14.0, y + 4.0), &short(&arm.name, (name_width / 8.0) as usize));
        if let Some((low, high)) = interval(outcome, arm) {
            drawing.line("whisker", (x(low), y), (x(high), y));
            drawing.rect("dot", (x(arm.mean) - 4.0, y - 4.0), (8.0, 8.0));
        }
        drawing.text("ax end", (width, y + 4.0), &words::mean(outcome.kind, arm.mean));
    }
    drawing.text("ax", (name_width, bottom + AXIS + 6.0), "mean, with its 95 % interval");
    Piece { svg: drawing.finish(), height: bottom + AXIS + NAME }
}

/// Units in each arm next to the expected number, above an axis.
pub(super) fn distribution(report: &AbReport, width: f64) -> Piece {
    let (name_width, right) = (width * 0.34, 100.0);
    let room = width - name_width - right;
    let top = report.arms.iter().map(|arm| arm.n_expected.max(arm.n_units as f64)).fold(1.0, f64::max);
    let mut drawing = Drawing::default();
    let bottom = report.arms.len() as f64 * ROW;
    for value in ticks(0.0, top, 3.0) {
        let x = name_width + value / top * room;
        drawing.line("rule", (x, 0.0), (x, bottom));
        drawing.text("ax mid", (x, bottom + 14.0), &count(value as u64));
    }
    for (i, arm) in report.arms.iter().enumerate() {
        let y = i as f64 * ROW;
        drawing.text("name end", (name_width - 14.0, y + 19.0), &short(&arm.name, (name_width / 8.0) as usize));
        drawing.rect("ref", (name_width, y + 4.0), (arm.n_expected / top * room, 9.0));
        drawing.rect(
            &format!("bar {}", srm_tone(report)),
            (name_width, y + 13.0),
            (arm.n_units as f64 / top * room, 9.0),
        );
        drawing.text("ax end", (width, y + 19.0), &format!("{} ({:.1}\u{a0}%)", count(arm.n_units), 100.0 * arm.share));
    }
    drawing.line("base", (name_width, 0.0), (name_width, bottom));
    drawing.text("ax", (name_width, bottom + AXIS + 6.0), "units; grey: expected");
    Piece { svg: drawing.finish(), height: bottom + AXIS + NAME }
}

/// The colour class of the sample ratio.
pub(super) fn srm_tone(report: &AbReport) -> &'static str {
    match report.srm.state {
        crate::ab::report::SrmState::Ok => "stable",
        _ => "drifted",
    }
}
