//! Charts of a version's quality: curves on the unit square, errors, effects of columns, the benefit of more rows.

use super::number::{count, number, short};
use super::shape::{Drawing, at};
use crate::score::calibration::Reliability;
use crate::score::curve::CurvePoint;

/// The side of a chart, and its margins.
const SIDE: f64 = 240.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 14.0;
const WIDTH: f64 = SIDE + LEFT + 16.0;
const HEIGHT: f64 = SIDE + TOP + 40.0;
/// Maximum number of levels drawn.
const MAX_LEVELS: usize = 10;

/// A drawing for a page or a combined picture.
#[derive(Debug)]
pub(crate) struct Picture {
    drawing: Drawing,
    title: String,
}

impl Picture {
    /// Width and height of all charts.
    pub(crate) const SIZE: (f64, f64) = (WIDTH, HEIGHT);

    /// As an image in a page.
    pub(crate) fn image(self) -> String {
        self.drawing.image("plot square", Self::SIZE, &self.title)
    }

    /// The SVG elements alone.
    pub(crate) fn piece(self) -> String {
        self.drawing.finish()
    }
}

/// The area between the axes.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    const UNIT: Self = Self { x: (0.0, 1.0), y: (0.0, 1.0) };

    /// A frame that contains all points.
    fn around(points: &[(f64, f64)]) -> Self {
        let ends = |of: fn(&(f64, f64)) -> f64| {
            let values = || points.iter().map(of).filter(|value| value.is_finite());
            let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
            let room = if high > low { 0.04 * (high - low) } else { (0.05 * high.abs()).max(1e-6) };
            if low <= high { (low - room, high + room) } else { (0.0, 1.0) }
        };
        Self { x: ends(|point| point.0), y: ends(|point| point.1) }
    }

    /// The position of a point.
    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| ((value - low) / (high - low)).clamp(0.0, 1.0);
        (LEFT + share(x, self.x) * SIDE, TOP + (1.0 - share(y, self.y)) * SIDE)
    }

    /// The axes with titles, and numbers at both ends and in between.
    fn axes(&self, drawing: &mut Drawing, names: [&str; 2]) {
        self.side(drawing, names);
        for value in [self.x.0, f64::midpoint(self.x.0, self.x.1), self.x.1] {
            drawing.text("ax mid", (self.place((value, self.y.0)).0, TOP + SIDE + 16.0), &number(value));
        }
    }

    /// As [`Frame::axes`], without numbers on the horizontal axis.
    fn side(&self, drawing: &mut Drawing, [across, up]: [&str; 2]) {
        let corner = (LEFT, TOP + SIDE);
        drawing.line("base", corner, (LEFT + SIDE, TOP + SIDE));
        drawing.line("base", corner, (LEFT, TOP));
        for value in [self.y.0, f64::midpoint(self.y.0, self.y.1), self.y.1] {
            drawing.text("ax end", (LEFT - 6.0, self.place((self.x.0, value)).1 + 4.0), &number(value));
        }
        drawing.text("ax mid", (LEFT + SIDE / 2.0, TOP + SIDE + 32.0), across);
        drawing.text("ax", (LEFT + 4.0, 9.0), up);
    }

    /// A line through points.
    fn through(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let points: Vec<String> =
            points.map(|point| self.place(point)).map(|(x, y)| format!("{} {}", at(x), at(y))).collect();
        if points.is_empty() { String::new() } else { format!("M{}", points.join("L")) }
    }

    fn dot(&self, drawing: &mut Drawing, point: (f64, f64)) {
        let (x, y) = self.place(point);
        drawing.rect("bar stable", (x - 3.0, y - 3.0), (6.0, 6.0));
    }
}

/// The ROC curve; `None` without points.
pub(crate) fn roc(points: &[CurvePoint]) -> Option<Picture> {
    let axes = ["false positive rate", "recall"];
    curve(points, "ROC curve on the gate rows", axes, (0.0, 0.0), |p| (p.false_positive_rate, p.recall))
}

/// Precision and recall; `None` without points.
pub(crate) fn precision_recall(points: &[CurvePoint]) -> Option<Picture> {
    // Above the highest threshold nothing is predicted positive; use the precision of the first point.
    let start = (0.0, points.first()?.precision);
    let axes = ["recall", "precision"];
    curve(points, "Precision and recall on the gate rows", axes, start, |p| (p.recall, p.precision))
}

fn curve(
    points: &[CurvePoint],
    title: &str,
    axes: [&str; 2],
    start: (f64, f64),
    of: impl Fn(&CurvePoint) -> (f64, f64),
) -> Option<Picture> {
    if points.is_empty() {
        return None;
    }
    let mut drawing = Drawing::default();
    Frame::UNIT.axes(&mut drawing, axes);
    drawing.path("cur stable", &Frame::UNIT.through(std::iter::once(start).chain(points.iter().map(of))));
    Some(Picture { drawing, title: title.to_owned() })
}

/// Predicted probabilities against observed shares.
pub(crate) fn calibration(found: &Reliability) -> Picture {
    let (mut drawing, frame) = (Drawing::default(), Frame::UNIT);
    frame.axes(&mut drawing, ["predicted probability", "observed share"]);
    drawing.line("limit", frame.place((0.0, 0.0)), frame.place((1.0, 1.0)));
    let bins = || found.bins.iter().map(|bin| (bin.mean_score, bin.observed));
    drawing.path("cur stable", &frame.through(bins()));
    bins().for_each(|bin| frame.dot(&mut drawing, bin));
    let title = format!("Calibration on the gate rows; expected calibration error {}", number(found.ece));
    Picture { drawing, title }
}

/// Predicted numbers against true ones; on the dashed line they are equal.
pub(crate) fn against(pairs: &[(f64, f64)]) -> Option<Picture> {
    if pairs.is_empty() {
        return None;
    }
    let frame = Frame::around(pairs);
    // Both axes have the same scale, so that equality is the diagonal.
    let both = (frame.x.0.min(frame.y.0), frame.x.1.max(frame.y.1));
    let (mut drawing, frame) = (Drawing::default(), Frame { x: both, y: both });
    frame.axes(&mut drawing, ["predicted", "true"]);
    drawing.line("limit", frame.place((both.0, both.0)), frame.place((both.1, both.1)));
    scatter(&mut drawing, &frame, pairs);
    Some(Picture { drawing, title: "Predicted and true numbers on the gate rows".to_owned() })
}

/// The residuals: true minus predicted numbers.
pub(crate) fn residuals(pairs: &[(f64, f64)]) -> Option<Picture> {
    if pairs.is_empty() {
        return None;
    }
    let left: Vec<(f64, f64)> = pairs.iter().map(|(predicted, truth)| (*predicted, truth - predicted)).collect();
    let (mut drawing, frame) = (Drawing::default(), Frame::around(&left));
    frame.axes(&mut drawing, ["predicted", "true minus predicted"]);
    if frame.y.0 < 0.0 && frame.y.1 > 0.0 {
        drawing.line("limit", frame.place((frame.x.0, 0.0)), frame.place((frame.x.1, 0.0)));
    }
    scatter(&mut drawing, &frame, &left);
    Some(Picture { drawing, title: "Errors on the gate rows, by predicted value".to_owned() })
}

fn scatter(drawing: &mut Drawing, frame: &Frame, points: &[(f64, f64)]) {
    for &point in points {
        let (x, y) = frame.place(point);
        drawing.raw(&format!(r#"<circle class="spot" cx="{}" cy="{}" r="2.2"/>"#, at(x), at(y)));
    }
}

/// The mean prediction for each value of a number, with the other columns unchanged.
pub(crate) fn effect_of_number(column: &str, points: &[(f64, f64)], predicted: &str) -> Picture {
    let (mut drawing, frame) = (Drawing::default(), Frame::around(points));
    frame.axes(&mut drawing, [&short(column, 34), predicted]);
    drawing.path("cur stable", &frame.through(points.iter().copied()));
    Picture { drawing, title: format!("Mean prediction by {}", short(column, 80)) }
}

/// The same for each level.
pub(crate) fn effect_of_levels(column: &str, levels: &[(String, f64)], predicted: &str) -> Picture {
    const ROW: f64 = 22.0;
    let shown = &levels[..levels.len().min(MAX_LEVELS)];
    let values = || shown.iter().map(|(_, value)| *value);
    // Bars begin at 0, or at the lowest number if some are negative.
    let (low, high) = (values().fold(0.0, f64::min), values().fold(f64::MIN_POSITIVE, f64::max));
    let mut drawing = Drawing::default();
    drawing.text("ax", (4.0, 9.0), predicted);
    for (n, (level, value)) in shown.iter().enumerate() {
        let y = TOP + ROW * n as f64;
        drawing.text("ax end", (106.0, y + 15.0), &short(level, 15));
        let length = (value - low) / (high - low) * 130.0;
        drawing.rect("bar stable", (112.0, y + 4.0), (length.max(1.0), ROW - 8.0));
        drawing.text("ax", (116.0 + length, y + 15.0), &number(*value));
    }
    drawing.text("ax mid", (LEFT + SIDE / 2.0, TOP + SIDE + 32.0), &short(column, 40));
    Picture { drawing, title: format!("Mean prediction by {}", short(column, 80)) }
}

/// A metric of a model trained on this many rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    pub(crate) n_rows: u64,
    pub(crate) value: f64,
    /// 95 % confidence interval.
    pub(crate) interval: Option<(f64, f64)>,
}

/// A metric with its interval by number of training rows, fewest first.
pub(crate) fn learning(points: &[Reached], metric: &str) -> Option<Picture> {
    if points.len() < 2 {
        return None;
    }
    let place = |n: usize| n as f64 / (points.len() - 1) as f64;
    let ends = points.iter().enumerate().flat_map(|(n, point)| {
        let (low, high) = point.interval.unwrap_or((point.value, point.value));
        [(place(n), low), (place(n), high), (place(n), point.value)]
    });
    let (mut drawing, frame) = (Drawing::default(), Frame::around(&ends.collect::<Vec<_>>()));
    frame.side(&mut drawing, ["training rows", metric]);
    let line = || points.iter().enumerate().map(|(n, point)| (place(n), point.value));
    for (n, point) in points.iter().enumerate() {
        let x = frame.place((place(n), 0.0)).0;
        drawing.text("ax mid", (x, TOP + SIDE + 16.0), &count(point.n_rows));
        if let Some((low, high)) = point.interval {
            drawing.line("whisker", frame.place((place(n), low)), frame.place((place(n), high)));
        }
    }
    drawing.path("cur stable", &frame.through(line()));
    line().for_each(|point| frame.dot(&mut drawing, point));
    Some(Picture { drawing, title: format!("{metric} by number of training rows") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::calibration::ReliabilityBin;

    fn drawn(picture: Option<Picture>) -> String {
        picture.unwrap().image()
    }

    #[test]
    fn points_stand_where_their_numbers_say() {
        let point = |threshold, false_positive_rate, recall, precision| CurvePoint {
            threshold,
            false_positive_rate,
            recall,
            precision,
        };
        let points = [point(0.9, 0.0, 0.5, 1.0), point(0.1, 1.0, 1.0, 0.25)];
        // The horizontal axis runs from 48 (0) to 288 (1), the vertical axis from 254 (0) to 14 (1).
        assert!(drawn(roc(&points)).contains("d=\"M48 254L48 134L288 14\""), "{}", drawn(roc(&points)));
        let both = drawn(precision_recall(&points));
        assert!(both.contains("d=\"M48 14L168 14L288 194\"") && both.contains(">precision</text>"), "{both}");
        assert!(roc(&[]).is_none() && precision_recall(&[]).is_none());
        let bins = vec![ReliabilityBin { n_rows: 9, mean_score: 0.5, observed: 0.25 }];
        let found = calibration(&Reliability { ece: 0.25, bins }).image();
        assert!(found.contains("x=\"165\" y=\"191\"") && found.contains("error 0.25"), "{found}");
    }

    #[test]
    fn true_and_predicted_numbers_have_one_scale() {
        let pairs = [(0.0, 10.0), (10.0, 0.0), (5.0, 5.0)];
        let page = drawn(against(&pairs));
        assert!(page.contains(r#"cx="168" cy="134""#) && page.contains("d=\"M48 254L288 14\""), "{page}");
        let page = drawn(residuals(&pairs));
        assert_eq!(page.matches("<circle").count(), 3);
        assert!(page.contains("true minus predicted") && page.contains("class=\"limit\""), "{page}");
        assert!(against(&[]).is_none() && residuals(&[]).is_none());
    }

    #[test]
    fn effects_and_learning_have_their_numbers() {
        let number = effect_of_number("age", &[(20.0, 0.1), (60.0, 0.4)], "mean score").image();
        assert!(number.contains(">age</text>") && number.contains(">mean score</text>"), "{number}");
        let levels: Vec<(String, f64)> = vec![("<b>".into(), 0.25), ("web".into(), 0.5)];
        let page = effect_of_levels("plan", &levels, "mean score").image();
        assert!(page.contains(">&lt;b&gt;</text>") || page.contains("&#60;b&#62;"), "{page}");
        assert!(page.contains(">0.25</text>") && page.contains(">0.5</text>") && !page.contains("NaN"), "{page}");
        let reached = |n_rows, value, interval| Reached { n_rows, value, interval };
        let page = drawn(learning(&[reached(100, 0.7, Some((0.6, 0.8))), reached(200, 0.75, None)], "roc_auc"));
        assert!(page.contains(">100</text>") && page.contains(">200</text>"), "{page}");
        assert_eq!(page.matches("class=\"whisker\"").count(), 1);
        assert!(learning(&[reached(100, 0.7, None)], "roc_auc").is_none());
        let flat = drawn(learning(&[reached(1, 0.5, None), reached(2, 0.5, None)], "x"));
        assert!(!flat.contains("NaN"), "one value is a line");
    }
}
